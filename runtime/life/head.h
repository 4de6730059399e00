#ifndef MPR_LIFE_HEAD_H
#define MPR_LIFE_HEAD_H

/* What block.c, drop.c and ref.c know of a block's header. Private to life/;
 * the arena lock is held. */

#include "life/block.h"
#include "mem/segment.h"

enum { MPRI_ALIVE = 1, MPRI_DYING = 2 };

static inline uint64_t mpri_head(uint64_t count, unsigned kind, unsigned state)
{
    return count | (uint64_t)kind << 32 | (uint64_t)state << 40;
}

static inline uint64_t mpri_head_count(const struct mpri_block *b)
{
    return b->head & 0xffffffffU;
}

static inline unsigned mpri_head_state(const struct mpri_block *b)
{
    return (unsigned)(b->head >> 40);
}

static inline void mpri_handle_open(mpr_handle *h, uint64_t off, uint32_t entry)
{
    h->block = mpri_at(off);
    h->hold = entry;
    h->kind = mpri_block_kind((struct mpri_block *)h->block);
}

/* Counts a block of that kind, of bytes, in (1) or out (-1). */
void mpri_tally(unsigned kind, uint64_t bytes, int sign);

#endif
