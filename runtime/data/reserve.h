#ifndef MPR_DATA_RESERVE_H
#define MPR_DATA_RESERVE_H

/* A key of a shared dict that one actor has to itself: for an update whose
 * function runs long, or that others were faster than too often. One at a
 * time in a dict; who wants another one meanwhile goes on trying without.
 *
 * States:       reserver 0 none · (slot + 1) << 32 | actor: that actor's
 *               0 -> me: compare and swap · me -> 0: the actor · dead -> 0:
 *               the reaper, or a waiter that finds it dead
 * Invariant:    reserved is the key's hash, a moment after reserver was set:
 *               a writer of another key may wait for nothing until it looks
 *               again, a writer of this one may write once more.
 * If we die here: the word names us, see above. */

#include "data/table.h"

/* true: it is this actor's now, or was. */
bool mpri_table_reserve(struct mpri_table *t, uint64_t hash, uint64_t me);

/* Nothing when it is not this actor's. */
void mpri_table_release(struct mpri_table *t, uint64_t me);

static inline bool mpri_table_is_reserved(struct mpri_table *t, uint64_t hash,
                                          uint64_t me)
{
    uint64_t reserver = mpri_load_acq(&t->reserver);

    return reserver && reserver != me && mpri_load_acq(&t->reserved) == hash;
}

/* Sleeps until another actor's key is free, or for a while. -EINTR. */
int mpri_table_await(struct mpri_table *t, uint64_t hash, uint64_t me);

#endif
