#ifndef MPR_DATA_RESERVE_H
#define MPR_DATA_RESERVE_H

/* A key of a shared dict, or a shared list, that one actor has to itself: for
 * a change whose function runs long, or that others were faster than too
 * often. One key of a dict at a time; who wants another one meanwhile goes on
 * trying without.
 *
 * States:       holder 0 nobody · (slot + 1) << 32 | actor: that actor
 *               0 -> me: compare and swap · me -> 0: the actor · dead -> 0:
 *               the reaper, or a waiter that finds it dead
 * Invariant:    what is the key's hash, a moment after holder was set: a
 *               writer of another key may wait for nothing until it looks
 *               again, a writer of this one may write once more.
 * If we die here: holder names us, see above. */

#include "wait/waiter.h"

#include <stdbool.h>

struct mpri_reservation {
    mpri_a64 holder;
    mpri_a64 what; /* the key's hash; 0 for a list */
    struct mpri_gate free;
};

/* true: it is this actor's now, or was. */
bool mpri_reserve(struct mpri_reservation *r, uint64_t what, uint64_t me);

/* Nothing when it is not this actor's. */
void mpri_release(struct mpri_reservation *r, uint64_t me);

static inline bool mpri_is_reserved(const struct mpri_reservation *r,
                                    uint64_t what, uint64_t me)
{
    uint64_t holder = mpri_load_acq(&r->holder);

    return holder && holder != me && mpri_load_acq(&r->what) == what;
}

/* Sleeps until another actor's is free, or for a while. -EINTR. */
int mpri_await_release(struct mpri_reservation *r, uint64_t what, uint64_t me);

/* For the kinds that contain one: see life/kind.h. */
void mpri_reservation_abandon(struct mpri_reservation *r, uint32_t slot);

#endif
