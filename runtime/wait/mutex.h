#ifndef MPR_SYNC_MUTEX_H
#define MPR_SYNC_MUTEX_H

/* The runtime's own lock, for short sections inside shared objects: never
 * held while Lua runs, memory is allocated, or anything sleeps.
 *
 * States:       0 free · slot + 1 held by that process · with WAIT set: held,
 *               and someone may be asleep
 *               0 -> owner: lock · owner -> owner|WAIT: a waiter · owner* -> 0:
 *               unlock, by the owner only · dead* -> owner|WAIT: the waiter
 *               that found the owner dead; its lock returns -EOWNERDEAD
 * Invariant:    someone asleep implies WAIT; WAIT with nobody asleep costs one
 *               needless wake.
 * If we die here: the word still names us, so the next waiter asks the roster
 *               and takes over; our slot is not given to another process
 *               before the objects we held were looked at (life/reap.h).
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
 * guards; -ETIMEDOUT. Signals do not end the wait: sections are short. */
int mpri_mutex_lock(struct mpri_mutex *m, int64_t deadline_ns);

/* Everything stored before is visible to the next owner. A full barrier: what
 * follows (a look at a gate) sees what others announced before. */
void mpri_mutex_unlock(struct mpri_mutex *m);

/* A dead process may be the owner: if so, frees it in a state in which the
 * next lock returns -EOWNERDEAD, and returns true. For the reaper. */
bool mpri_mutex_abandon(struct mpri_mutex *m, uint32_t dead_slot);

#endif
