#ifndef MPR_DATA_TABLE_H
#define MPR_DATA_TABLE_H

/* A shared dict in memory: shards, found by the low half of a key's hash, and
 * as many of them as keep each small. They are added one at a time (linear
 * hashing): shard n takes its keys from shard n - 2^k, where 2^k <= n < 2^(k+1);
 * so growing to any size never moves more than one shard's keys.
 *
 * States:       shape: epoch << 32 | n, the number of shards. n counts up, in
 *               a transaction in which the keys move · the epoch counts up:
 *               every image of an earlier one is empty (one store clears all)
 * Invariant:    a key is in shard mpri_table_index(its hash, n) or nowhere.
 *               count is what the shards' live entries add up to, unless
 *               recount is set.
 * Guarded by:   growing: n, the segments, and the right to lock several shards
 *               (in ascending order).
 * If we die here: see data/shard.h; whoever repairs a shard sets recount. */

#include "data/reserve.h"
#include "data/shard.h"

enum {
    MPRI_SEGMENTS = 8, /* segment k has the shards 4^k … 4^(k+1) - 1 */
    MPRI_SEGMENTS_MORE = 3,
    MPRI_SHARDS_MAX = 1 << 2 * (MPRI_SEGMENTS + MPRI_SEGMENTS_MORE),
    MPRI_SHARD_KEYS = 128, /* with more, the table gets another shard */
    MPRI_TABLE_LABEL = 32,
};

struct mpri_table {
    /* With the block's header, a line that is read by all and changed
     * rarely. */
    mpri_a64 shape;
    struct mpri_reservation reservation;

    /* Written with every new key. */
    struct mpri_mutex growing;
    mpri_a64 order; /* the next new key's number */
    mpri_a64 count;
    mpri_a32 recount;
    mpri_a32 cursor;  /* the shard where a pair was popped last */
    mpri_a64 expires; /* no key's time is over before this */
    uint64_t segment_more[MPRI_SEGMENTS_MORE];

    struct mpri_shard first;

    /* Hold blocks; each is set once, before n says that it is needed. */
    uint64_t segment[MPRI_SEGMENTS];

    char label[]; /* Fixed after init: MPRI_TABLE_LABEL bytes, or none */
};
_Static_assert(sizeof(struct mpri_table) == 224, "with its header, 256 bytes");

static inline uint32_t mpri_shape_count(uint64_t shape)
{
    return (uint32_t)shape;
}

static inline uint32_t mpri_shape_epoch(uint64_t shape)
{
    return (uint32_t)(shape >> 32);
}

static inline uint32_t mpri_table_index(uint64_t hash, uint32_t n)
{
    uint32_t top = 1U << (31 - __builtin_clz(n));
    uint32_t i = (uint32_t)hash & (2 * top - 1);

    return i < n ? i : i & (top - 1);
}

static inline uint64_t *mpri_table_segment(struct mpri_table *t, unsigned k)
{
    return k < MPRI_SEGMENTS ? &t->segment[k]
                             : &t->segment_more[k - MPRI_SEGMENTS];
}

/* i < n, or == n when its segment is there. */
static inline struct mpri_shard *mpri_table_shard(struct mpri_table *t,
                                                  uint32_t i)
{
    unsigned k;
    uint8_t *data;

    if (i == 0)
        return &t->first;
    k = (unsigned)(31 - __builtin_clz(i)) / 2;
    data = mpri_block_data(mpri_at(*mpri_table_segment(t, k)));
    /* The header fills half a line, shards start with the next. */
    return (struct mpri_shard *)(void *)(data + 32) + (i - (1U << 2 * k));
}

/* Locks the shard in which the key of this hash is, with an image of the
 * current epoch or none, whatever its last owner left. */
struct mpri_shard *mpri_table_lock(struct mpri_table *t, uint64_t hash);

/* One more shard, unless somebody else is at it, or memory is short. Nothing
 * is locked. */
void mpri_table_grow(struct mpri_table *t);

/* Locks a shard, and repairs what its last owner left. */
void mpri_table_lock_at(struct mpri_table *t, struct mpri_shard *s);

/* Whether the locked shard's image, or that it has none, is of the current
 * epoch. Otherwise it was cleared, and whoever cleared it has not come here
 * yet, or died before: scrub gives the image back. */
static inline bool mpri_table_current(struct mpri_table *t,
                                      struct mpri_shard *s)
{
    return !mpri_load_rlx(&s->image) ||
           mpri_layout_epoch(mpri_load_rlx(&s->layout)) ==
               mpri_shape_epoch(mpri_load_acq(&t->shape));
}
void mpri_table_scrub(struct mpri_shard *s);

/* Locks all shards: nothing changes meanwhile. Returns how many. */
uint32_t mpri_table_lock_all(struct mpri_table *t);
void mpri_table_unlock_from(struct mpri_table *t, uint32_t first, uint32_t n);

/* All shards are locked: count is true afterwards. */
void mpri_table_recount(struct mpri_table *t, uint32_t n);

/* For the kind: see life/kind.h. */
void mpri_table_abandon(struct mpri_table *t, uint32_t slot);
void mpri_table_destroy(struct mpri_table *t);

#endif
