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
    mpri_a64 capacity; /* Fixed after create: places for leaves */
    mpri_a64 start[];  /* then as many branches */
};

/* Which leaves there are. Whoever reads without the lock takes it before the
 * look at the generation that makes it true, and stays within it: then what it
 * reads is memory of a body, if perhaps not of this one any more. */
struct mpri_span {
    uint64_t first;
    uint64_t last;
    uint64_t capacity;
};

static inline struct mpri_span mpri_body_span(const struct mpri_body *b)
{
    struct mpri_span s = {
        .first = mpri_word_load(&b->first),
        .last = mpri_word_load(&b->last),
        .capacity = mpri_word_load(&b->capacity),
    };

    return s;
}

static inline struct mpri_branch *
mpri_span_branch(struct mpri_body *b, struct mpri_span s, uint64_t i)
{
    return (struct mpri_branch *)(void *)(b->start + s.capacity) + i;
}

static inline struct mpri_view mpri_span_leaf(struct mpri_body *b,
                                              struct mpri_span s, uint64_t i)
{
    struct mpri_branch *branch = mpri_span_branch(b, s, i);
    uint64_t leaf = mpri_word_load(&branch->leaf);
    struct mpri_view v = {
        .words = leaf ? mpri_block_data(mpri_at(leaf)) : NULL,
        .layout = mpri_word_load(&branch->layout),
    };

    return v;
}

/* The leaf in which a position, base <= position < end, is. */
uint64_t mpri_span_find(struct mpri_body *b, struct mpri_span s,
                        uint64_t position);

/* The same for who has the lock. */

static inline struct mpri_branch *mpri_body_branch(struct mpri_body *b,
                                                   uint64_t i)
{
    return mpri_span_branch(b, mpri_body_span(b), i);
}

static inline struct mpri_view mpri_body_leaf(struct mpri_body *b, uint64_t i)
{
    return mpri_span_leaf(b, mpri_body_span(b), i);
}

static inline uint64_t mpri_body_find(struct mpri_body *b, uint64_t position)
{
    return mpri_span_find(b, mpri_body_span(b), position);
}

/* The position after the last item of leaf i. The list is locked. */
static inline uint64_t mpri_body_stop(struct mpri_body *b, uint64_t i)
{
    return mpri_load_rlx(i + 1 < mpri_load_rlx(&b->last) ? &b->start[i + 1]
                                                         : &b->end);
}

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
