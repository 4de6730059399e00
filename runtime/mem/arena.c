#include "mem/arena.h"

#include "mem/pages.h"

#include <errno.h>
#include <string.h>

/* Two messages of 64 MiB, and what goes with them. */
static const uint64_t KEEP_WARM = 136ULL << 20;

void mpri_arena_init(void)
{
    memset(arena(), 0, sizeof *arena());
    mpri_arena_keep_warm(KEEP_WARM);
}

void mpri_arena_keep_warm(uint64_t bytes)
{
    arena()->keep_pages = bytes / MPRI_PAGE;
}

static void make_run(uint64_t page, uint64_t count)
{
    mpri_tx_set(&page_at(page)->info, page_info(PAGE_RUN, 0, count));
    add(&arena()->used_pages, (int64_t)count);
}

/* Cached runs: the list is kept dense, oldest first. */

static void uncache(unsigned at)
{
    struct arena *a = arena();

    add(&a->cached_pages, -(int64_t)mpri_arena_run_pages(a->cached[at] - 1));
    for (; at + 1 < MPRI_CACHED_RUNS && a->cached[at]; at++)
        mpri_tx_set(&a->cached[at], a->cached[at + 1]);
    mpri_tx_set(&a->cached[at], 0);
}

/* The youngest cached run that holds count pages without wasting a quarter. */
static bool take_cached(uint64_t count, uint64_t *page)
{
    struct arena *a = arena();

    for (unsigned i = MPRI_CACHED_RUNS; i-- > 0;) {
        uint64_t has;

        if (!a->cached[i])
            continue;
        has = mpri_arena_run_pages(a->cached[i] - 1);
        if (has < count || has - count > has / 4)
            continue;
        *page = a->cached[i] - 1;
        uncache(i);
        mpri_tx_set(&page_at(*page)->info, 0);
        mpri_buddy_give(*page + count, has - count, true);
        return true;
    }
    return false;
}

static bool cache(uint64_t page, uint64_t count)
{
    struct arena *a = arena();
    unsigned n = 0;

    if (count <= MPRI_CHUNK_PAGES || count > a->keep_pages)
        return false;
    while (n < MPRI_CACHED_RUNS && a->cached[n])
        n++;
    if (n == MPRI_CACHED_RUNS)
        return false;
    mpri_tx_set(&a->cached[n], page + 1);
    add(&a->cached_pages, (int64_t)count);
    return true;
}

int mpri_arena_take_warm(uint64_t count, uint64_t *page)
{
    if (!(count > MPRI_CHUNK_PAGES && take_cached(count, page)) &&
        !mpri_buddy_take(count, true, page))
        return -EAGAIN;
    make_run(*page, count);
    return 0;
}

void mpri_arena_growth(uint64_t count, uint64_t *first, uint64_t *more)
{
    uint64_t room;

    *first = arena()->frontier;
    *more =
        (count + MPRI_CHUNK_PAGES - 1) / MPRI_CHUNK_PAGES * MPRI_CHUNK_PAGES;
    room = mpri_segment()->pages - *first;
    if (*more > room)
        *more = room;
}

int mpri_arena_take_cold(uint64_t count, uint64_t *page)
{
    struct arena *a = arena();
    uint64_t first, more;

    if (!mpri_buddy_take(count, false, page)) {
        mpri_arena_growth(count, &first, &more);
        if (more >= count) {
            mpri_tx_set(&a->frontier, first + more);
            mpri_buddy_give(first + count, more - count, false);
            *page = first;
        } else if (count <= MPRI_CHUNK_PAGES ||
                   !mpri_buddy_take_stretch(count, page)) {
            return -ENOMEM;
        }
    }
    make_run(*page, count);
    return 0;
}

void mpri_arena_cut_run(uint64_t page, uint64_t count)
{
    uint64_t rest = mpri_arena_run_pages(page) - count;

    mpri_tx_set(&page_at(page)->info, page_info(PAGE_RUN, 0, count));
    add(&arena()->used_pages, -(int64_t)rest);
    mpri_buddy_give(page + count, rest, true);
}

void mpri_arena_give_run(uint64_t page, bool warm)
{
    uint64_t count = mpri_arena_run_pages(page);

    add(&arena()->used_pages, -(int64_t)count);
    if (warm && cache(page, count))
        return;
    mpri_tx_set(&page_at(page)->info, 0);
    mpri_buddy_give(page, count, warm);
}

bool mpri_arena_has_excess(void)
{
    const struct arena *a = arena();
    return __atomic_load_n(&a->cached_pages, __ATOMIC_RELAXED) +
               __atomic_load_n(&a->warm_pages, __ATOMIC_RELAXED) >
           __atomic_load_n(&a->keep_pages, __ATOMIC_RELAXED);
}

bool mpri_arena_take_excess(bool all, uint64_t *page)
{
    struct arena *a = arena();
    uint64_t count;

    if (a->cached_pages + a->warm_pages <= (all ? 0 : a->keep_pages))
        return false;
    /* From the larger part: so neither big messages nor small pieces drive
     * the other out. */
    if (a->cached_pages > a->warm_pages) {
        *page = a->cached[0] - 1;
        count = mpri_arena_run_pages(*page);
        uncache(0);
    } else if (!mpri_buddy_take_largest(page, &count)) {
        return false;
    }
    make_run(*page, count);
    return true;
}

uint64_t mpri_arena_run_pages(uint64_t page)
{
    return page_state(page) == PAGE_RUN ? page_word(page) >> 32 : 0;
}

void mpri_arena_stats(struct mpri_arena_stats *out)
{
    const struct arena *a = arena();

    out->pages_used = a->used_pages;
    out->pages_warm = a->warm_pages + a->cached_pages;
    out->frontier = a->frontier;
}
