#include "mem/arena.h"

#include "mem/pages.h"

#include <errno.h>
#include <string.h>

static const uint64_t KEEP_WARM = 128ULL << 20;

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
    if (count > MPRI_CHUNK_PAGES ? !take_cached(count, page)
                                 : !mpri_buddy_take(count, true, page))
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
        if (more < count)
            return -ENOMEM;
        mpri_tx_set(&a->frontier, first + more);
        mpri_buddy_give(first + count, more - count, false);
        *page = first;
    }
    make_run(*page, count);
    return 0;
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
    uint64_t keep = __atomic_load_n(&a->keep_pages, __ATOMIC_RELAXED);

    return __atomic_load_n(&a->cached_pages, __ATOMIC_RELAXED) > keep ||
           __atomic_load_n(&a->warm_pages, __ATOMIC_RELAXED) > keep;
}

bool mpri_arena_take_excess(uint64_t *page)
{
    struct arena *a = arena();
    uint64_t count;

    if (a->cached_pages > a->keep_pages) {
        *page = a->cached[0] - 1;
        count = mpri_arena_run_pages(*page);
        uncache(0);
    } else if (a->warm_pages > a->keep_pages) {
        if (!mpri_buddy_take_largest(page, &count))
            return false;
    } else {
        return false;
    }
    make_run(*page, count);
    return true;
}

uint64_t mpri_arena_run_pages(uint64_t page)
{
    return page_state(page) == PAGE_RUN ? page_at(page)->info >> 32 : 0;
}

void mpri_arena_stats(struct mpri_arena_stats *out)
{
    const struct arena *a = arena();

    out->pages_used = a->used_pages;
    out->pages_warm = a->warm_pages + a->cached_pages;
    out->frontier = a->frontier;
}

int mpri_arena_check(void)
{
    const struct arena *a = arena();
    uint64_t used = 0, warm = 0, cached = 0, listed = 0, heads = 0;

    for (unsigned i = 0; i < MPRI_CACHED_RUNS; i++) {
        if (!a->cached[i])
            continue;
        if (page_state(a->cached[i] - 1) != PAGE_RUN)
            return 1;
        cached += mpri_arena_run_pages(a->cached[i] - 1);
    }
    for (uint64_t p = 0, size; p < a->frontier; p += size) {
        switch (page_state(p)) {
        case PAGE_WARM:
        case PAGE_COLD:
            size = 1ULL << page_detail(p);
            heads++;
            if (page_state(p) == PAGE_WARM)
                warm += size;
            if (p % size != 0)
                return 2;
            break;
        case PAGE_RUN:
            size = mpri_arena_run_pages(p);
            used += size;
            break;
        case PAGE_SLAB:
            size = MPRI_SLAB_PAGES;
            used += size;
            break;
        case PAGE_INNER:
        default:
            return 3;
        }
        if (size == 0 || p + size > a->frontier)
            return 4;
    }
    for (unsigned k = 0; k < 2 * ORDERS; k++) {
        bool is_warm = k >= ORDERS;
        unsigned order = k % ORDERS;

        for (uint64_t at = a->free[is_warm][order]; at;
             at = page_at(at - 1)->link & 0xffffffffU) {
            if (page_at(at - 1)->info !=
                page_info(is_warm ? PAGE_WARM : PAGE_COLD, order, 0))
                return 5;
            if (++listed > heads)
                return 6;
        }
    }
    if (listed != heads || warm != a->warm_pages || cached != a->cached_pages ||
        used != a->used_pages + cached)
        return 7;
    return 0;
}
