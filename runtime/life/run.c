#include "life/run.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/arena.h"
#include "mem/tx.h"
#include "os/os.h"

#include <errno.h>

/* Smaller ones are not worth the look at what memory is left. */
static const uint64_t ASK = 1ULL << 20;

static uint64_t *entry_of(uint32_t entry)
{
    return mpri_hold_at(mpri_slot(mpri_self.slot), entry);
}

/* Sets an entry aside. */
static uint32_t set_aside(void)
{
    uint32_t entry = mpri_hold_put(MPRI_HOLD_RAW);

    mpri_tx_commit();
    return entry;
}

static void name(uint32_t entry, uint64_t page)
{
    mpri_tx_set(entry_of(entry), mpri_page_off(page) | MPRI_HOLD_RAW);
    mpri_tx_commit();
}

/* The run of the entry becomes free memory; the entry stays set aside. */
static void give(uint32_t entry, bool warm)
{
    uint64_t off = mpri_hold_off(*entry_of(entry));

    mpri_tx_set(entry_of(entry), MPRI_HOLD_RAW);
    mpri_arena_give_run(mpri_page_of(off), warm);
    mpri_tx_commit();
}

/* The same, cold. Locked; unlocks in between. */
static void discard(uint32_t entry)
{
    uint64_t off = mpri_hold_off(*entry_of(entry));
    uint64_t pages = mpri_arena_run_pages(mpri_page_of(off));

    mpri_guard_unlock();
    mpri_shm_unback(mpri_map.fd, off, pages * MPRI_PAGE);
    MPRI_TESTPOINT("run.unbacked");
    mpri_guard_lock();
    give(entry, false);
}

/* Memory that was kept warm is given back: whether there was any. */
static bool shrink(uint32_t entry)
{
    uint64_t page;

    if (!mpri_arena_take_excess(true, &page))
        return false;
    name(entry, page);
    MPRI_TESTPOINT("run.shrinking");
    discard(entry);
    return true;
}

/* A cold run into the entry, backed outside the lock. */
static int take_cold(uint64_t count, uint32_t entry, uint64_t *page)
{
    uint64_t bytes = count * MPRI_PAGE, first, more, now;
    int err;

    mpri_arena_growth(count, &first, &more);
    do {
        mpri_guard_unlock();
        err = 0;
        if (bytes >= ASK && mpri_memory_left() < bytes)
            err = -ENOMEM;
        if (err == 0)
            err = mpri_segment_back_table(first, more);
        MPRI_TESTPOINT("run.table");
        mpri_guard_lock();
        if (err < 0)
            return err;
        now = first;
        mpri_arena_growth(count, &first, &more);
    } while (first != now);
    err = mpri_arena_take_cold(count, page);
    if (err < 0)
        return err;
    name(entry, *page);
    mpri_guard_unlock();
    MPRI_TESTPOINT("run.cold");
    err = mpri_shm_back(mpri_map.fd, mpri_page_off(*page), bytes);
    MPRI_TESTPOINT("run.backed");
    mpri_guard_lock();
    if (err < 0)
        discard(entry);
    return err;
}

static int take_cold_or_shrink(uint64_t count, uint32_t entry, uint64_t *page)
{
    int err;

    do
        err = take_cold(count, entry, page);
    while (err == -ENOMEM && shrink(entry));
    return err;
}

int mpri_run_take(uint64_t count, uint64_t *page, uint32_t *entry, bool *zero)
{
    int err = mpri_arena_take_warm(count, page);

    *zero = false;
    if (err == 0) {
        *entry = mpri_hold_put(mpri_page_off(*page) | MPRI_HOLD_RAW);
        mpri_tx_commit();
        return 0;
    }
    *entry = set_aside();
    err = -ENOMEM;
    if (count < MPRI_CHUNK_PAGES) {
        /* One system call for several of them. */
        err = take_cold(MPRI_CHUNK_PAGES, *entry, page);
        if (err == 0) {
            mpri_arena_cut_run(*page, count);
            mpri_tx_commit();
        }
    }
    if (err == -ENOMEM)
        err = take_cold_or_shrink(count, *entry, page);
    if (err < 0) {
        mpri_hold_clear(mpri_slot(mpri_self.slot), *entry);
        mpri_tx_commit();
        return err;
    }
    *zero = true; /* backed just now, by the kernel */
    return 0;
}

int mpri_run_take_small(uint64_t size, uint64_t *off, uint32_t *entry)
{
    uint64_t page;
    int err = -ENOMEM;

    *entry = set_aside();
    for (uint64_t n = MPRI_CHUNK_PAGES; n > MPRI_SLAB_PAGES && err == -ENOMEM;
         n /= 2)
        err = take_cold(n, *entry, &page);
    if (err == -ENOMEM)
        err = take_cold_or_shrink(MPRI_SLAB_PAGES, *entry, &page);
    if (err == 0) {
        /* Still locked: nobody else gets these pages. */
        give(*entry, true);
        err = mpri_arena_take_small(size, off);
    }
    if (err < 0) {
        mpri_hold_clear(mpri_slot(mpri_self.slot), *entry);
        mpri_tx_commit();
    }
    return err;
}

void mpri_run_discard(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint64_t off = mpri_hold_off(*mpri_hold_at(s, entry));
    uint64_t page = mpri_page_of(off);

    mpri_shm_unback(mpri_map.fd, off, mpri_arena_run_pages(page) * MPRI_PAGE);
    MPRI_TESTPOINT("run.discarding");
    mpri_guard_lock();
    mpri_hold_clear(s, entry);
    mpri_arena_give_run(page, false);
    mpri_tx_commit();
    mpri_guard_unlock();
}

void mpri_run_trim(void)
{
    uint64_t page;

    while (mpri_arena_has_excess()) {
        uint32_t entry;

        if (mpri_hold_lock(1) < 0)
            return;
        if (!mpri_arena_take_excess(false, &page)) {
            mpri_guard_unlock();
            return;
        }
        entry = mpri_hold_put(mpri_page_off(page) | MPRI_HOLD_RAW);
        mpri_tx_commit();
        mpri_guard_unlock();
        MPRI_TESTPOINT("run.excess");
        mpri_run_discard(mpri_self.slot, entry);
    }
}
