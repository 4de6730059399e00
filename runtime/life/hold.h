#ifndef MPR_LIFE_HOLD_H
#define MPR_LIFE_HOLD_H

/* A process's holds: a table in its roster slot with an entry per open
 * handle. The tables are the truth about who keeps what alive; a block's count
 * is how many entries and container words name it, changed in the same
 * transaction as they.
 *
 * An entry is a block's offset (a multiple of 64) with flags in its low bits:
 *
 * States:       FREE in the chain of free entries of its part · offset held
 *               offset|RAW a run of pages that is no block (yet, or any more)
 *               RAW set aside for a run or a block that is being made
 *               offset|PRIVATE held in passing by an operation: a forked child
 *               does not inherit it
 * Guarded by:   the arena lock, in a transaction. The chains of free entries are
 *               of use to the live process only. */

#include "mpr.h"
#include "peer/roster.h"

enum {
    MPRI_HOLD_FREE = 1,
    MPRI_HOLD_RAW = 2,
    MPRI_HOLD_PRIVATE = 4,
    MPRI_HOLD_FLAGS = 63,
};

/* The entry's word; entry < slot->hold_end, beyond which words say nothing. */
uint64_t *mpri_hold_at(struct mpri_slot *slot, uint32_t entry);

static inline uint64_t mpri_hold_off(uint64_t word)
{
    return word & MPRI_HOLD_FREE ? 0 : word & ~(uint64_t)MPRI_HOLD_FLAGS;
}

/* Locks the arena with at least count free entries in this process's table,
 * growing it before if need be: what is put before the lock is let go fits.
 * -ENOMEM, -ENOTRECOVERABLE: not locked. */
int mpri_hold_lock(uint32_t count);

/* Locks the arena with one free entry, for taking a block apart. Always
 * succeeds. Not while this thread is taking one apart. */
void mpri_hold_lock_reserve(void);

/* Puts word into a free entry of this process's table (locked, reserved, in
 * the caller's transaction) and returns its number. */
uint32_t mpri_hold_put(uint64_t word);

/* Frees an entry. Slot: this process's, or a dead one's. */
void mpri_hold_clear(struct mpri_slot *slot, uint32_t entry);

/* Gives a STARTING child's slot the holds that this process has, at the same
 * entries, so that handles copied by a fork are handles there. Not locked.
 * -ENOMEM, -ESRCH (the slot was taken from its creator): some may have been
 * given; ending the slot drops them. */
int mpri_hold_inherit(uint32_t child, uint32_t generation);

/* Gives a STARTING slot a hold on the handle's block, as its first entry; and
 * opens it there, in the process of that slot. -ENOENT: there is none. */
int mpri_hold_give(uint32_t slot, uint32_t generation, const mpr_handle *h);
int mpri_hold_first(mpr_handle *h);

/* Frees the table's own memory (locked; every entry is free). */
void mpri_hold_free_table(struct mpri_slot *slot);

#endif
