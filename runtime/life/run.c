#include "life/run.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/arena.h"
#include "mem/tx.h"
#include "os/os.h"

#include <errno.h>

static const uint64_t ASK_CGROUP = 1ULL << 20;

/* A cold run, backed outside the lock. */
static int take_cold(uint64_t count, uint64_t *page, uint32_t *entry)
{
    uint64_t bytes = count * MPRI_PAGE, first, more, now;
    int err;

    mpri_arena_growth(count, &first, &more);
    for (;;) {
        mpri_guard_unlock();
        err = 0;
        if (bytes >= ASK_CGROUP && mpri_memory_left() < bytes)
            err = -ENOMEM;
        if (err == 0)
            err = mpri_segment_back_table(first, more);
        MPRI_TESTPOINT("run.table");
        mpri_guard_lock();
        if (err < 0)
            return err;
        now = first;
        mpri_arena_growth(count, &first, &more);
        if (first == now)
            break;
    }
    err = mpri_arena_take_cold(count, page);
    if (err < 0) {
        mpri_tx_rollback();
        return err;
    }
    *entry = mpri_hold_put(mpri_page_off(*page) | MPRI_HOLD_RAW);
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("run.cold");
    err = mpri_shm_back(mpri_map.fd, mpri_page_off(*page), bytes);
    MPRI_TESTPOINT("run.backed");
    if (err < 0) {
        mpri_run_discard(mpri_self.slot, *entry);
        mpri_guard_lock();
        return err;
    }
    mpri_guard_lock();
    return 0;
}

int mpri_run_refill(void)
{
    uint64_t page;
    uint32_t entry;
    int err = take_cold(MPRI_CHUNK_PAGES, &page, &entry);

    if (err == 0)
        mpri_run_give(entry, true);
    return err;
}

int mpri_run_take(uint64_t count, uint64_t *page, uint32_t *entry, bool *zero)
{
    *zero = false;
    for (;;) {
        int err = mpri_arena_take_warm(count, page);

        if (err == 0) {
            *entry = mpri_hold_put(mpri_page_off(*page) | MPRI_HOLD_RAW);
            mpri_tx_commit();
            return 0;
        }
        if (count > MPRI_CHUNK_PAGES) {
            *zero = true; /* backed just now, by the kernel */
            return take_cold(count, page, entry);
        }
        err = mpri_run_refill();
        if (err < 0)
            return err;
    }
}

void mpri_run_give(uint32_t entry, bool warm)
{
    struct mpri_slot *slot = mpri_slot(mpri_self.slot);
    uint64_t off = mpri_hold_off(*mpri_hold_at(slot, entry));

    mpri_hold_clear(slot, entry);
    mpri_arena_give_run(mpri_page_of(off), warm);
    mpri_tx_commit();
}

void mpri_run_discard(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint64_t off = mpri_hold_off(*mpri_hold_at(s, entry));
    uint64_t page = mpri_page_of(off);

    mpri_shm_unback(mpri_map.fd, off, mpri_arena_run_pages(page) * MPRI_PAGE);
    MPRI_TESTPOINT("run.unbacked");
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
