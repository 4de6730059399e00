#ifndef MPR_WAIT_MUTEX_H
#define MPR_WAIT_MUTEX_H

/* The runtime's own lock, for short sections inside shared objects: never
 * held while Lua runs, memory is allocated, or anything sleeps.
 *
 * States:       0 free · owner (slot + 1, and the low bits of its generation)
 *               held by that process · ABANDONED free, but the last owner died
 *               inside · with WAIT set: someone may be asleep
 *               0 -> owner: lock · owner -> owner|WAIT: a waiter · owner* -> 0:
 *               unlock, by the owner only · dead* -> owner|WAIT: the waiter
 *               that found the owner dead · dead* -> ABANDONED: the reaper ·
 *               ABANDONED -> owner: lock. The last three return -EOWNERDEAD
 * Invariant:    someone asleep implies WAIT; WAIT with nobody asleep costs one
 *               needless wake.
 * If we die here: the word still names us, so the next waiter asks the roster
 *               and takes over. With the generation in it the word means us
 *               for good: a waiter that slept over our death and the next life
 *               of our slot never takes the lock from that one.
 *
 * Threads of one process all use its slot; a waiter whose own process is the
 * owner waits without asking. */

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct mpri_mutex {
    mpri_a32 word;
    mpri_a32 unused;
};

/* 0; -EOWNERDEAD: locked, but the last owner died inside, so repair what it
 * guards; -ETIMEDOUT: a live process has it. Signals do not end the wait:
 * sections are short. */
int mpri_mutex_lock(struct mpri_mutex *m, int64_t deadline_ns);

/* Everything stored before is visible to the next owner. A full barrier: what
 * follows (a look at a gate) sees what others announced before. */
void mpri_mutex_unlock(struct mpri_mutex *m);

/* A dead process may be the owner: if so, frees it in a state in which the
 * next lock returns -EOWNERDEAD, and returns true. For the reaper. */
bool mpri_mutex_abandon(struct mpri_mutex *m, uint32_t dead_slot);

#endif
