/* Every rule of the allocator's structure, for tests and MPR_CHECK 2. */

#include "mem/pages.h"

enum broken {
    FINE = 0,
    CACHED_RUNS = 1, /* not dense, or not runs */
    TILING = 2,      /* pieces do not follow one another up to the frontier */
    ALIGNMENT = 3,   /* a free block that is no buddy block */
    INNER = 4,       /* something stands inside a piece */
    UNMERGED = 5,    /* two free buddies */
    SLAB_BLOCKS = 6, /* chain, used and fresh of a slab disagree */
    FREE_LIST = 7,
    PARTIAL_LIST = 8,
    COUNTERS = 9,
};

struct sums {
    uint64_t used, warm, cached; /* pages */
    uint64_t free;               /* free blocks */
    uint64_t partial;            /* slabs with a free block */
};

static enum broken check_cached(struct sums *s)
{
    const struct arena *a = arena();

    for (unsigned i = 0; i < MPRI_CACHED_RUNS; i++) {
        uint64_t page = a->cached[i];

        if (page == 0)
            continue;
        if ((i > 0 && a->cached[i - 1] == 0) || page > a->frontier ||
            page_state(page - 1) != PAGE_RUN)
            return CACHED_RUNS;
        s->cached += mpri_arena_run_pages(page - 1);
    }
    return FINE;
}

static enum broken check_free(uint64_t page, struct sums *s)
{
    unsigned order = page_detail(page);
    uint64_t size = 1ULL << order, buddy = page ^ size;

    s->free++;
    if (page_state(page) == PAGE_WARM)
        s->warm += size;
    if (page % size != 0)
        return ALIGNMENT;
    if (order + 1 < ORDERS && buddy < arena()->frontier &&
        page_at(buddy)->info == page_at(page)->info)
        return UNMERGED;
    return FINE;
}

static enum broken check_slab(uint64_t page, struct sums *s)
{
    const struct slab *slab = mpri_slab_at(page);
    unsigned class = page_detail(page);
    uint64_t start = mpri_page_off(page), n = 0;

    if (class >= SIZES || slab->fresh > mpri_slab_blocks(class) ||
        slab->fresh == 0)
        return SLAB_BLOCKS;
    for (uint64_t at = slab->chain; at; n++) {
        uint64_t size = mpri_slab_size(class);

        if (at <= start || at >= start + slab->fresh * size ||
            (at - start) % size != 0 || n > slab->fresh)
            return SLAB_BLOCKS;
        at = *(uint64_t *)mpri_at(at);
    }
    if (slab->used + n != slab->fresh - 1)
        return SLAB_BLOCKS;
    s->partial += slab->used < mpri_slab_blocks(class) - 1;
    return FINE;
}

static enum broken check_pages(struct sums *s)
{
    enum broken broken = FINE;

    for (uint64_t p = 0, size; p < arena()->frontier && !broken; p += size) {
        switch (page_state(p)) {
        case PAGE_WARM:
        case PAGE_COLD:
            if (page_detail(p) >= ORDERS)
                return ALIGNMENT;
            size = 1ULL << page_detail(p);
            broken = check_free(p, s);
            break;
        case PAGE_RUN:
            size = mpri_arena_run_pages(p);
            s->used += size;
            break;
        case PAGE_SLAB:
            size = MPRI_SLAB_PAGES;
            s->used += size;
            broken = check_slab(p, s);
            break;
        case PAGE_INNER:
        default:
            return TILING;
        }
        if (size == 0 || p + size > arena()->frontier)
            return TILING;
        for (uint64_t i = 1; i < size; i++)
            if (page_at(p + i)->info != 0)
                return INNER;
    }
    return broken;
}

/* Whether the list is well linked and all its members read info. */
static bool check_list(uint64_t at, uint64_t info, uint64_t *left)
{
    for (uint64_t before = 0; at;) {
        const struct page *p = page_at(at - 1);

        if (at > arena()->frontier || p->link >> 32 != before ||
            p->info != info || *left == 0)
            return false;
        --*left;
        before = at;
        at = p->link & 0xffffffffU;
    }
    return true;
}

static enum broken check_lists(const struct sums *s)
{
    const struct arena *a = arena();
    uint64_t free = s->free, partial = s->partial;

    for (unsigned order = 0; order < ORDERS; order++)
        if (!check_list(a->free[0][order], page_info(PAGE_COLD, order, 0),
                        &free) ||
            !check_list(a->free[1][order], page_info(PAGE_WARM, order, 0),
                        &free))
            return FREE_LIST;
    for (unsigned class = 0; class < SIZES; class ++)
        if (!check_list(a->partial[class], page_info(PAGE_SLAB, class, 0),
                        &partial))
            return PARTIAL_LIST;
    /* Each list held only such members as its sum counts: so none left over
     * means that all of them stand in a list. */
    return free ? FREE_LIST : partial ? PARTIAL_LIST : FINE;
}

int mpri_arena_check(void)
{
    const struct arena *a = arena();
    struct sums s = {0};
    enum broken broken = check_cached(&s);

    if (!broken)
        broken = check_pages(&s);
    if (!broken)
        broken = check_lists(&s);
    if (!broken && (s.warm != a->warm_pages || s.cached != a->cached_pages ||
                    s.used != a->used_pages + s.cached))
        broken = COUNTERS;
    return (int)broken;
}
