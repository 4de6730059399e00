#include "mem/pages.h"

static uint64_t next_of(uint64_t page)
{
    return page_at(page)->link & 0xffffffffU;
}

static uint64_t prev_of(uint64_t page)
{
    return page_at(page)->link >> 32;
}

static void set_link(uint64_t page, uint64_t next, uint64_t prev)
{
    mpri_tx_set(&page_at(page)->link, next | prev << 32);
}

void mpri_page_list_push(uint64_t *list, uint64_t page)
{
    uint64_t first = *list;

    set_link(page, first, 0);
    if (first)
        set_link(first - 1, next_of(first - 1), page + 1);
    mpri_tx_set(list, page + 1);
}

void mpri_page_list_remove(uint64_t *list, uint64_t page)
{
    uint64_t next = next_of(page), prev = prev_of(page);

    if (prev)
        set_link(prev - 1, next, prev_of(prev - 1));
    else
        mpri_tx_set(list, next);
    if (next)
        set_link(next - 1, next_of(next - 1), prev);
}

static void take_off(uint64_t page, unsigned order, bool warm)
{
    mpri_page_list_remove(&arena()->free[warm][order], page);
    mpri_tx_set(&page_at(page)->info, 0);
    if (warm)
        add(&arena()->warm_pages, -(1LL << order));
}

static void put_on(uint64_t page, unsigned order, bool warm)
{
    mpri_tx_set(&page_at(page)->info,
                page_info(warm ? PAGE_WARM : PAGE_COLD, order, 0));
    mpri_page_list_push(&arena()->free[warm][order], page);
    if (warm)
        add(&arena()->warm_pages, 1LL << order);
}

static bool is_free(uint64_t page, unsigned order, bool warm)
{
    return page < arena()->frontier &&
           (page_at(page)->info & 0xffff) ==
               page_info(warm ? PAGE_WARM : PAGE_COLD, order, 0);
}

static void give_block(uint64_t page, unsigned order, bool warm)
{
    while (order + 1 < ORDERS) {
        uint64_t buddy = page ^ 1ULL << order;

        if (!is_free(buddy, order, warm))
            break;
        take_off(buddy, order, warm);
        page &= ~(1ULL << order);
        order++;
    }
    put_on(page, order, warm);
}

void mpri_buddy_give(uint64_t first, uint64_t count, bool warm)
{
    while (count > 0) {
        unsigned order = first ? (unsigned)__builtin_ctzll(first) : ORDERS - 1;

        if (order > ORDERS - 1)
            order = ORDERS - 1;
        while (1ULL << order > count)
            order--;
        give_block(first, order, warm);
        first += 1ULL << order;
        count -= 1ULL << order;
    }
}

bool mpri_buddy_take(uint64_t count, bool warm, uint64_t *page)
{
    unsigned order = 0;

    while (1ULL << order < count)
        order++;
    for (; order < ORDERS; order++) {
        uint64_t head = arena()->free[warm][order];

        if (!head)
            continue;
        *page = head - 1;
        take_off(*page, order, warm);
        mpri_buddy_give(*page + count, (1ULL << order) - count, warm);
        return true;
    }
    return false;
}

/* The first free cold blocks side by side, from page on, that hold count pages
 * together: *end is where the last one ends. */
static bool find_stretch(uint64_t count, uint64_t *page, uint64_t *end)
{
    uint64_t size;

    *page = 0;
    for (uint64_t p = 0; p < arena()->frontier; p += size) {
        switch (page_state(p)) {
        case PAGE_COLD:
            size = 1ULL << page_detail(p);
            *end = p + size;
            if (*end - *page >= count)
                return true;
            continue;
        case PAGE_WARM:
            size = 1ULL << page_detail(p);
            break;
        case PAGE_SLAB:
            size = MPRI_SLAB_PAGES;
            break;
        case PAGE_RUN:
        case PAGE_INNER:
        default:
            size = mpri_arena_run_pages(p);
            if (size == 0)
                return false; /* damaged */
            break;
        }
        *page = p + size;
    }
    return false;
}

bool mpri_buddy_take_stretch(uint64_t count, uint64_t *page)
{
    uint64_t end, size;

    if (!find_stretch(count, page, &end))
        return false;
    for (uint64_t p = *page; p < end; p += size) {
        size = 1ULL << page_detail(p);
        take_off(p, page_detail(p), false);
    }
    mpri_buddy_give(*page + count, end - *page - count, false);
    return true;
}

bool mpri_buddy_take_largest(uint64_t *page, uint64_t *count)
{
    for (unsigned order = ORDERS; order-- > 0;) {
        uint64_t head = arena()->free[1][order];

        if (!head)
            continue;
        *page = head - 1;
        *count = 1ULL << order;
        take_off(*page, order, true);
        return true;
    }
    return false;
}
