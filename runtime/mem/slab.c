/* Small pieces, from slabs; see mem/pages.h. */

#include "mem/pages.h"

#include <errno.h>

static unsigned class_of(uint64_t size)
{
    unsigned class = 0;

    while (mpri_slab_size(class) < size)
        class ++;
    return class;
}

static int make(unsigned class, uint64_t *page)
{
    struct slab *s;

    if (!mpri_buddy_take(MPRI_SLAB_PAGES, true, page))
        return -EAGAIN;
    s = mpri_slab_at(*page);
    mpri_tx_set(&page_at(*page)->info, page_info(PAGE_SLAB, class, 0));
    mpri_tx_set(&s->chain, 0);
    mpri_tx_set(&s->used, 0);
    mpri_tx_set(&s->fresh, 1);
    mpri_page_list_push(&arena()->partial[class], *page);
    add(&arena()->used_pages, MPRI_SLAB_PAGES);
    return 0;
}

int mpri_arena_take_small(uint64_t size, uint64_t *off)
{
    unsigned class = class_of(size);
    uint64_t page = arena()->partial[class];
    struct slab *s;

    if (page) {
        page--;
    } else {
        int err = make(class, &page);

        if (err < 0)
            return err;
    }
    s = mpri_slab_at(page);
    if (s->chain) {
        *off = s->chain;
        mpri_tx_set(&s->chain, *(uint64_t *)mpri_at(*off));
    } else {
        *off = mpri_page_off(page) + s->fresh * mpri_slab_size(class);
        mpri_tx_set(&s->fresh, s->fresh + 1);
    }
    mpri_tx_set(&s->used, s->used + 1);
    if (s->used + 1 == mpri_slab_blocks(class))
        mpri_page_list_remove(&arena()->partial[class], page);
    return 0;
}

void mpri_arena_give_small(uint64_t off)
{
    uint64_t page = mpri_page_of(off) & ~(uint64_t)(MPRI_SLAB_PAGES - 1);
    unsigned class = page_detail(page);
    struct slab *s = mpri_slab_at(page);
    bool was_full = s->used + 1 == mpri_slab_blocks(class);

    mpri_tx_set(mpri_at(off), s->chain);
    mpri_tx_set(&s->chain, off);
    mpri_tx_set(&s->used, s->used - 1);
    if (was_full)
        mpri_page_list_push(&arena()->partial[class], page);
    /* The last slab of a size stays, so that making and dropping one object
     * again and again does not cut pages each time. */
    if (s->used > 0 || (arena()->partial[class] == page + 1 &&
                        (page_at(page)->link & 0xffffffffU) == 0))
        return;
    mpri_page_list_remove(&arena()->partial[class], page);
    mpri_tx_set(&page_at(page)->info, 0);
    mpri_buddy_give(page, MPRI_SLAB_PAGES, true);
    add(&arena()->used_pages, -MPRI_SLAB_PAGES);
}

uint64_t mpri_arena_piece_size(uint64_t off)
{
    uint64_t page, slab, size;

    if (off < mpri_segment()->data_off || off % 64 != 0 || off >= mpri_map.size)
        return 0;
    page = mpri_page_of(off);
    if (page >= mpri_segment()->pages)
        return 0;
    slab = page & ~(uint64_t)(MPRI_SLAB_PAGES - 1);
    if (page_state(slab) == PAGE_SLAB) {
        size = mpri_slab_size(page_detail(slab));
        if (off == mpri_page_off(slab) ||
            (off - mpri_page_off(slab)) % size != 0)
            return 0;
        return size;
    }
    if (page_state(page) == PAGE_RUN && off == mpri_page_off(page))
        return mpri_arena_run_pages(page) * MPRI_PAGE;
    return 0;
}
