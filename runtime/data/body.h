#ifndef MPR_DATA_BODY_H
#define MPR_DATA_BODY_H

/* A list's body: a block of kind SEQUENCE that names its leaves, in their
 * order. Positions count from wherever the list began; items have those from
 * base to end - 1, leaf i has those from start(i) on. So appending, and taking
 * off either end, are one store of end or base; every other change of order
 * makes new leaves, and where leaves come or go in the middle a new body, and
 * replaces the old one in a transaction.
 *
 * States:       in the making: one hold, its maker's; owns the leaves that it
 *               says, and of the first held items in them what they hold
 *               a list's: owns all its leaves and what their items hold
 *               replaced: owns what its successor does not have
 * Invariant:    first <= last <= capacity, start(first) <= base <= end, starts
 *               ascend; each of the leaves [first, last) but the last is full
 *               up to the next one's start.
 * Guarded by:   the list's lock, once it is a list's.
 * If we die here: destroy drops what it owns. */

#include "data/leaf.h"
#include "life/block.h"
#include "mem/segment.h"

struct mpri_branch {
    mpri_a64 leaf;   /* holds it, or 0 */
    mpri_a64 layout; /* of the leaf */
    mpri_a64 fill;   /* used | items << 32, these while it is made only */
};

#define MPRI_HELD_ALL UINT64_MAX /* what items base … end - 1 hold */

struct mpri_body {
    mpri_a64 base;
    mpri_a64 end;
    mpri_a64 first; /* the leaves in use: [first, last) */
    mpri_a64 last;
    uint64_t own_from; /* the leaves that destroy drops: [own_from, own_to) */
    uint64_t own_to;
    uint64_t held;     /* and what so many items in them hold */
    uint64_t capacity; /* Fixed after create: places for leaves */
    mpri_a64 start[];  /* then as many branches */
};

static inline struct mpri_branch *mpri_body_branch(struct mpri_body *b,
                                                   uint64_t i)
{
    return (struct mpri_branch *)(void *)(b->start + b->capacity) + i;
}

static inline struct mpri_view mpri_body_leaf(struct mpri_body *b, uint64_t i)
{
    struct mpri_branch *branch = mpri_body_branch(b, i);
    uint64_t leaf = mpri_load_acq(&branch->leaf);
    struct mpri_view v = {
        .words = leaf ? mpri_block_data(mpri_at(leaf)) : NULL,
        .layout = mpri_load_acq(&branch->layout),
    };

    return v;
}

/* The position after the last item of leaf i. The list is locked. */
static inline uint64_t mpri_body_stop(struct mpri_body *b, uint64_t i)
{
    return mpri_load_rlx(i + 1 < mpri_load_rlx(&b->last) ? &b->start[i + 1]
                                                         : &b->end);
}

/* The leaf in which a position, base <= position < end, is. What a reader
 * without the lock gets is < capacity, and right if nothing changed. */
uint64_t mpri_body_find(struct mpri_body *b, uint64_t position);

/* Makes a body with places for that many leaves, or a few more: one hold,
 * PRIVATE. It owns nothing. -ENOMEM. */
int mpri_body_create(mpr_handle *h, uint64_t capacity);

/* Copies the leaves [from, to) of another body to i …, borrowing them. */
void mpri_body_borrow(struct mpri_body *b, uint64_t i, struct mpri_body *of,
                      uint64_t from, uint64_t to);

/* Puts a leaf in place i, as a plain store: its block stays the maker's. */
void mpri_body_put(struct mpri_body *b, uint64_t i, uint64_t start,
                   const struct mpri_leaf *leaf);

/* The same for the next leaf that a body in the making owns; takes it. */
void mpri_body_push(struct mpri_body *b, struct mpri_leaf *leaf);

void mpri_body_register(void);

#endif
