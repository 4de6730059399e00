#ifndef MPR_MEM_ARENA_H
#define MPR_MEM_ARENA_H

/* Hands out pieces of the segment: small ones of six sizes from slabs, large
 * ones as runs of whole pages. Knows nothing of who owns a piece: life/block
 * does, and calls these functions.
 *
 * Every function here: the arena lock is held; changes go through mem/tx and
 * take effect with the caller's commit. So lists, page table and slabs are
 * always true together, at any kill.
 *
 * A page is described by its 16-byte entry in the page table:
 *
 * States:       INNER 0 inside a piece, or never used
 *               WARM, COLD   the head of a free block of 2^order pages, in the
 *                            list of its order; a warm one is backed
 *               RUN          the head of a run that is used, or cached
 *               SLAB         the head of a slab: 4 pages cut into one size
 * Invariant:    pages [0, frontier) are tiled by such pieces, beyond it
 *               nothing was ever used; no two free buddies of one warmth
 *               stand side by side (they would be merged).
 *
 * Warm and cold: a cold piece must be backed (outside the lock, it is a
 * system call) before it is touched. Freed pages stay warm, because the first
 * touch of a page costs microseconds, up to a bound; beyond it they are
 * unbacked and become cold. Large freed runs are kept whole in a small cache,
 * so that the next message of that size finds warm memory. Warm and cold
 * blocks do not merge: when memory is short the caller makes all of it cold
 * (life/run.c). */

#include "mem/segment.h"

#include <stdint.h>

enum {
    MPRI_SLAB_PAGES = 4,
    MPRI_CHUNK_PAGES = 32, /* warm memory is made in pieces of this size;
                              * shorter runs come from it */
    MPRI_SMALL_MAX = 2048, /* larger pieces are runs */
    MPRI_CACHED_RUNS = 32,
};

struct mpri_arena_stats {
    uint64_t pages_used; /* in runs that are handed out, and in slabs */
    uint64_t pages_warm; /* free and backed, cached runs included */
    uint64_t frontier;
};

/* Sets the lists up in a new segment (no transaction: nobody else is there). */
void mpri_arena_init(void);

/* A piece of at least size bytes (size <= MPRI_SMALL_MAX), aligned to 64.
 * -EAGAIN: no warm pages, add some with mpri_arena_take_cold. */
int mpri_arena_take_small(uint64_t size, uint64_t *off);
void mpri_arena_give_small(uint64_t off);

/* A run of exactly count backed pages. -EAGAIN as above. */
int mpri_arena_take_warm(uint64_t count, uint64_t *page);

/* A run of exactly count pages, perhaps not backed. -ENOMEM: no address space
 * of that size is left. The table of the pages that mpri_arena_growth told
 * before is backed. */
int mpri_arena_take_cold(uint64_t count, uint64_t *page);

/* How far the frontier may move if count pages are taken now: the caller
 * backs the page table for [*first, *first + *more) before it locks. */
void mpri_arena_growth(uint64_t count, uint64_t *first, uint64_t *more);

/* Makes a backed run shorter; what is cut off becomes free warm memory. */
void mpri_arena_cut_run(uint64_t page, uint64_t count);

/* Ends a run. warm: it is backed; then it may be kept as one cached run. */
void mpri_arena_give_run(uint64_t page, bool warm);

/* A free, backed piece, if what is kept warm exceeds the bound (all: whatever
 * is warm), taken as a run, for the caller to unback and give as cold. */
bool mpri_arena_take_excess(bool all, uint64_t *page);

/* A look without the lock: whether mpri_arena_take_excess may find anything. */
bool mpri_arena_has_excess(void);

/* Sets the bound of warm free memory in bytes. */
void mpri_arena_keep_warm(uint64_t bytes);

/* The size in pages of the run whose head is page, 0 if it is none. */
uint64_t mpri_arena_run_pages(uint64_t page);

/* The bytes of the piece at off (a small one's size, a run's pages), 0 when no
 * piece can start there. Needs no lock for a piece that the caller owns. */
uint64_t mpri_arena_piece_size(uint64_t off);

void mpri_arena_stats(struct mpri_arena_stats *out);

/* Walks everything and returns 0, or the number of the first broken rule. For
 * tests and MPR_CHECK 2; the lock is held and no transaction open. */
int mpri_arena_check(void);

static inline uint64_t mpri_page_off(uint64_t page)
{
    return mpri_segment()->data_off + page * MPRI_PAGE;
}

static inline uint64_t mpri_page_of(uint64_t off)
{
    return (off - mpri_segment()->data_off) / MPRI_PAGE;
}

#endif
