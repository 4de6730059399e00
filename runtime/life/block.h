#ifndef MPR_LIFE_BLOCK_H
#define MPR_LIFE_BLOCK_H

/* Everything in the arena that somebody can hold is a block: a header and
 * what the block's kind puts behind it. It lives as long as a live process,
 * a message in flight or another block holds it.
 *
 * States:       ALIVE count >= 1 holds · DYING count 1: one entry of one
 *               process's table, or the link of another DYING block; that
 *               process (or its reaper) takes it apart
 *               (none) -> ALIVE, kind BYTES: mpri_block_create · kind BYTES ->
 *               its kind: mpri_block_become, when it is initialised · ALIVE ->
 *               DYING: the drop of the last hold · DYING -> (none): freed ·
 *               ALIVE -> (none): the same at once, for a kind without destroy
 * Invariant:    count = entries in hold tables + words in blocks, messages
 *               and roots that hold it.
 * If we die here: between create and become the entry names a block of kind
 *               BYTES, which needs no taking apart. DYING, our entry names it
 *               or the block that it is chained behind: the reaper runs destroy
 *               again, frees it, and goes on with the next in the chain. */

#include "life/kind.h"
#include "mpr.h"

#include <stdbool.h>
#include <stdint.h>

struct mpri_block {
    uint64_t head; /* count | kind << 32 | state << 40. Guarded by: arena
                    * lock, through tx (become: our own block, before others
                    * know it) */
    uint64_t size; /* bytes behind the header. Fixed after create */
    uint64_t link; /* DYING: offset of the next to take apart, 0: none */
    uint64_t unused;
};
_Static_assert(sizeof(struct mpri_block) == 32, "half a cache line");

/* What lies behind the header; alignment 32. A kind that needs a cache line
 * of its own starts with 32 bytes that may share the header's. */
static inline void *mpri_block_data(const struct mpri_block *b)
{
    return (void *)((uintptr_t)b + sizeof *b);
}

static inline unsigned mpri_block_kind(const struct mpri_block *b)
{
    return (unsigned)(__atomic_load_n(&b->head, __ATOMIC_ACQUIRE) >> 32 & 0xff);
}

static inline struct mpri_block *mpri_block_of(const mpr_handle *h)
{
    return (struct mpri_block *)h->block;
}

/* What the handle's block holds behind its header. */
static inline void *mpri_data(const mpr_handle *h)
{
    return mpri_block_data(mpri_block_of(h));
}

/* Makes a block of kind BYTES with size bytes (not zeroed when large memory
 * is reused: pass zero) and one hold, ours. Opens the handle. PRIVATE: a
 * forked child does not inherit the hold. -ENOMEM. */
enum { MPRI_BLOCK_ZERO = 1, MPRI_BLOCK_PRIVATE = 2 };
int mpri_block_create(uint64_t size, unsigned flags, mpr_handle *h);

/* The same; fresh: its memory came from the system just now, and nobody has
 * touched it yet, but for the header. */
int mpri_block_create_fresh(uint64_t size, unsigned flags, mpr_handle *h,
                            bool *fresh);

/* The block is initialised: it is of this kind from now on. Done before any
 * other process can know the block, and before words in it hold other blocks:
 * only its kind's destroy knows how to drop those. */
void mpri_block_become(mpr_handle *h, unsigned kind);

/* Drops the handle's hold and closes it; the last hold takes the block apart.
 * Nothing on a closed handle. */
void mpri_drop(mpr_handle *h);

/* Drops whatever the entry of the slot says: this process's own, or one of a
 * dead process (then the caller is the reaper). */
void mpri_drop_entry(uint32_t slot, uint32_t entry);

/* A container's word that holds a block: 0 or its offset. Each of these is
 * one transaction; each locks the arena itself. */

/* word (0) holds the block too. */
void mpri_ref_set(uint64_t *word, const mpr_handle *h);

/* word (0) takes over the handle's hold; the handle is closed. */
void mpri_ref_move(uint64_t *word, mpr_handle *h);

/* The same if the word is 0 still: whether it took it. Several may offer at
 * once; the others keep their handles. */
bool mpri_ref_offer(uint64_t *word, mpr_handle *h);

/* Opens a handle on what the word holds: -ENOENT for 0, -ENOMEM. */
int mpri_ref_open(const uint64_t *word, mpr_handle *h);

/* The handle takes over the word's hold; the word becomes 0. */
int mpri_ref_take(uint64_t *word, mpr_handle *h);

/* Drops the word's hold; the word becomes 0. Needs no memory. Inside destroy
 * what it held last is taken apart after the block in hand. */
void mpri_ref_drop(uint64_t *word);

/* Whether this thread is inside a kind's destroy. */
bool mpri_taking_apart(void);

/* For larger transactions, in which the arena lock is held: one more hold on
 * the block at off, which is known to be held. */
void mpri_count_up(uint64_t off);

/* For words that name a block without holding it: whether it still lives, and
 * a handle on one that does. Locked, with a hold reserved; one transaction. */
bool mpri_block_alive(const struct mpri_block *b);
void mpri_block_open(uint64_t off, mpr_handle *h);

/* Whether a block can start at off (for offsets that were read from shared
 * memory). */
int mpri_block_plausible(uint64_t off);

#endif
