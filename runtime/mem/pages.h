#ifndef MPR_MEM_PAGES_H
#define MPR_MEM_PAGES_H

/* What arena.c, buddy.c and slab.c share: the page table's entry, the lists,
 * and the buddy system below runs and slabs. Private to mem/. The rules of
 * mem/arena.h hold for every function: locked, through the transaction. */

#include "mem/arena.h"
#include "mem/segment.h"
#include "mem/tx.h"

enum {
    ORDERS = 25, /* 2^24 pages are 64 GiB */
    SIZES = 6,   /* 64 128 256 512 1024 2048 */
};

enum page_state {
    PAGE_INNER = 0,
    PAGE_WARM = 1,
    PAGE_COLD = 2,
    PAGE_RUN = 3,
    PAGE_SLAB = 4,
};

struct page {
    uint64_t link; /* free heads and slabs: next + 1 | (prev + 1) << 32 */
    uint64_t info; /* state | order or size class << 8 | run pages << 32 */
};

/* Guarded by: the arena lock. Lists hold page numbers + 1, 0 ends them. */
struct arena {
    uint64_t frontier;
    uint64_t keep_pages; /* the bound of warm_pages + cached_pages */
    uint64_t used_pages;
    uint64_t warm_pages; /* in warm free blocks */
    uint64_t cached_pages;
    uint64_t free[2][ORDERS];          /* [0] cold, [1] warm */
    uint64_t partial[SIZES];           /* slabs with a free block */
    uint64_t cached[MPRI_CACHED_RUNS]; /* page + 1, oldest first, 0 empty */
};

_Static_assert(sizeof(struct arena) <= MPRI_AT_TX - MPRI_AT_ARENA, "fits");
_Static_assert(sizeof(struct page) == 16, "see segment.c");

/* A slab is 4 pages cut into blocks of one size; the first block is its own
 * header.
 *
 * Invariant:    a slab stands in its size's partial list iff used < all;
 *               free blocks are those in its chain and those past fresh. */
struct slab {
    uint64_t chain; /* first free block, which holds the next; 0: none */
    uint64_t used;  /* blocks handed out */
    uint64_t fresh; /* blocks from here on were never handed out */
};

static inline struct arena *arena(void)
{
    return mpri_at(MPRI_AT_ARENA);
}

static inline struct slab *mpri_slab_at(uint64_t page)
{
    return mpri_at(mpri_page_off(page));
}

static inline uint64_t mpri_slab_size(unsigned class)
{
    return 64ULL << class;
}

/* Blocks of a slab, its header included. */
static inline uint64_t mpri_slab_blocks(unsigned class)
{
    return MPRI_SLAB_PAGES * MPRI_PAGE / mpri_slab_size(class);
}

static inline struct page *page_at(uint64_t page)
{
    return (struct page *)mpri_at(MPRI_AT_TABLE) + page;
}

static inline uint64_t page_info(enum page_state state, uint64_t detail,
                                 uint64_t pages)
{
    return (uint64_t)state | detail << 8 | pages << 32;
}

/* Atomic for those who ask without the lock what a piece of their own is
 * (mpri_arena_piece_size): a run may begin within four pages whose first is
 * another's, and that one changes. It becomes no slab, which would be all four.
 * Pairs with: mpri_tx_set. */
static inline uint64_t page_word(uint64_t page)
{
    return __atomic_load_n(&page_at(page)->info, __ATOMIC_RELAXED);
}

static inline enum page_state page_state(uint64_t page)
{
    return (enum page_state)(page_word(page) & 0xff);
}

static inline unsigned page_detail(uint64_t page)
{
    return (unsigned)(page_word(page) >> 8 & 0xff);
}

static inline void add(uint64_t *counter, int64_t change)
{
    mpri_tx_set(counter, *counter + (uint64_t)change);
}

/* Lists threaded through the page table. */
void mpri_page_list_push(uint64_t *list, uint64_t page);
void mpri_page_list_remove(uint64_t *list, uint64_t page);

/* Frees [first, first+count): cut into aligned powers of two, each merged
 * with its free buddies of the same warmth. */
void mpri_buddy_give(uint64_t first, uint64_t count, bool warm);

/* Takes a free block that holds count pages (the smallest that fits), gives
 * back what stands over, and leaves the head's info to the caller. */
bool mpri_buddy_take(uint64_t count, bool warm, uint64_t *page);

/* Takes count cold pages out of several free blocks that stand side by side.
 * Looks at every piece there is: for when nothing else is left. A stretch is
 * at most two blocks of each order, or some of them would be merged. */
bool mpri_buddy_take_stretch(uint64_t count, uint64_t *page);

/* Takes the largest warm block whole; false when there is none. */
bool mpri_buddy_take_largest(uint64_t *page, uint64_t *count);

#endif
