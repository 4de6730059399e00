#ifndef MPR_LIFE_GUARD_H
#define MPR_LIFE_GUARD_H

/* The arena lock and the few words that belong to the family as a whole.
 *
 * The arena lock guards the allocator, all hold tables and all hold counts.
 * What is changed under it goes through mem/tx, so whoever gets the lock from
 * a dead owner first undoes what that one had not committed; every owner
 * therefore finds a consistent state. Held for well under a microsecond; no
 * system call, no Lua, no malloc inside. */

#include "mem/segment.h"
#include "wait/mutex.h"

#include <stdbool.h>

enum { MPRI_KINDS = 40, MPRI_ROOTS = 16 };

struct mpri_guard {
    struct mpri_mutex lock; /* the arena lock */
    uint64_t line0[7];
    struct mpri_mutex reaping; /* one reaper at a time */
    mpri_a64 sweep_next_ns;    /* when the next look at the roster is due */
    mpri_a64 sweeps;
    uint64_t line1[5];
    /* Guarded by: the arena lock. */
    uint64_t objects[MPRI_KINDS]; /* blocks by kind */
    uint64_t bytes[MPRI_KINDS];   /* their pieces' sizes */
    uint64_t root[MPRI_ROOTS];    /* holds of the family itself, by use */
    uint64_t names_end;           /* entries of the census in use */
};
_Static_assert(sizeof(struct mpri_guard) <= MPRI_AT_ARENA - MPRI_AT_GUARD,
               "fits");

static inline struct mpri_guard *mpri_guard(void)
{
    return (struct mpri_guard *)mpri_at(MPRI_AT_GUARD);
}

void mpri_guard_lock(void);
void mpri_guard_unlock(void);

/* Whether the arena lock could be had until then: false when its owner is
 * stopped inside (SIGSTOP, a debugger), or was kept from running. For those
 * who need not do now what they came for. */
bool mpri_guard_passes(int64_t deadline_ns);

#endif
