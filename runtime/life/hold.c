#include "life/hold.h"

#include "base/assert.h"
#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/run.h"
#include "mem/arena.h"
#include "mem/tx.h"

#include <errno.h>

/* Chunk 0 is the slot's inline entries; chunk k > 0 is a run of 2^(k-1)
 * pages. */
enum { PER_PAGE = MPRI_PAGE / 8, RESERVE = 16 };

static uint64_t chunk_start(unsigned k)
{
    return k == 0 ? 0 : MPRI_INLINE_HOLDS + ((1ULL << (k - 1)) - 1) * PER_PAGE;
}

static uint64_t chunk_pages(unsigned k)
{
    return 1ULL << (k - 1);
}

uint64_t *mpri_hold_at(struct mpri_slot *slot, uint32_t entry)
{
    unsigned k;

    if (entry < MPRI_INLINE_HOLDS)
        return &slot->hold[entry];
    k = 64 -
        (unsigned)__builtin_clzll((entry - MPRI_INLINE_HOLDS) / PER_PAGE + 1);
    return (uint64_t *)mpri_at(slot->chunk[k]) + (entry - chunk_start(k));
}

static unsigned chunks(const struct mpri_slot *slot)
{
    unsigned k = 1;

    while (k < MPRI_HOLD_CHUNKS && slot->chunk[k])
        k++;
    return k;
}

static uint64_t capacity(const struct mpri_slot *slot)
{
    return chunk_start(chunks(slot));
}

/* Adds chunk k to the slot's table. Locked; unlocks in between. */
static int add_chunk(struct mpri_slot *slot, unsigned k)
{
    uint32_t entry;
    uint64_t page;
    bool zero;
    int err;

    if (k >= MPRI_HOLD_CHUNKS)
        return -ENOMEM;
    err = mpri_run_take(chunk_pages(k), &page, &entry, &zero);
    if (err < 0)
        return err;
    if (slot->chunk[k]) { /* another thread was faster */
        mpri_run_give(entry, true);
        return 0;
    }
    mpri_tx_set(&slot->chunk[k], mpri_page_off(page));
    mpri_hold_clear(mpri_slot(mpri_self.slot), entry);
    mpri_tx_commit();
    MPRI_TESTPOINT("hold.grown");
    return 0;
}

int mpri_hold_lock(uint32_t count)
{
    struct mpri_slot *slot = mpri_slot(mpri_self.slot);
    int err;

    mpri_guard_lock();
    /* A few stay in reserve for the growing itself. */
    while (capacity(slot) - slot->held < (uint64_t)count + RESERVE) {
        err = add_chunk(slot, chunks(slot));
        if (err < 0) {
            mpri_guard_unlock();
            return err;
        }
    }
    return 0;
}

uint32_t mpri_hold_put(uint64_t word)
{
    struct mpri_slot *slot = mpri_slot(mpri_self.slot);
    uint64_t entry = slot->free_hold;

    if (entry) {
        entry--;
        mpri_tx_set(&slot->free_hold,
                    *mpri_hold_at(slot, (uint32_t)entry) >> 6);
    } else {
        entry = slot->hold_end;
        /* Whoever locks reserves; only more threads at once than RESERVE,
         * all between two locks of mem, could come here. */
        if (entry >= capacity(slot))
            mpri_assert_failed("a free entry", __FILE__, __LINE__);
        mpri_tx_set(&slot->hold_end, entry + 1);
    }
    mpri_tx_set(&slot->held, slot->held + 1);
    mpri_tx_set(mpri_hold_at(slot, (uint32_t)entry), word);
    return (uint32_t)entry;
}

static void chain(struct mpri_slot *slot, uint32_t entry)
{
    mpri_tx_set(mpri_hold_at(slot, entry),
                slot->free_hold << 6 | MPRI_HOLD_FREE);
    mpri_tx_set(&slot->free_hold, (uint64_t)entry + 1);
}

void mpri_hold_clear(struct mpri_slot *slot, uint32_t entry)
{
    chain(slot, entry);
    mpri_tx_set(&slot->held, slot->held - 1);
}

int mpri_hold_inherit(uint32_t child)
{
    struct mpri_slot *from = mpri_slot(mpri_self.slot);
    struct mpri_slot *to = mpri_slot(child);
    uint64_t end;
    int err = 0;

    mpri_guard_lock();
    /* With the reserve, as if the child had made them: its first step may be
     * to grow. */
    while (err == 0 && capacity(to) < from->hold_end + RESERVE)
        err = add_chunk(to, chunks(to));
    if (err < 0) {
        mpri_guard_unlock();
        return err;
    }
    end = from->hold_end;
    for (uint32_t i = 0; i < end; i++) {
        uint64_t word = *mpri_hold_at(from, i);

        mpri_tx_set(&to->hold_end, i + 1);
        if (mpri_hold_off(word) &&
            !(word & (MPRI_HOLD_RAW | MPRI_HOLD_PRIVATE))) {
            mpri_tx_set(mpri_hold_at(to, i), word);
            mpri_tx_set(&to->held, to->held + 1);
            mpri_count_up(mpri_hold_off(word));
        } else {
            chain(to, i);
        }
        mpri_tx_commit();
        MPRI_TESTPOINT("hold.inherited");
    }
    mpri_guard_unlock();
    return 0;
}

int mpri_hold_give(uint32_t slot, const mpr_handle *h)
{
    struct mpri_slot *to = mpri_slot(slot);
    uint64_t off = mpri_off(h->block);

    mpri_guard_lock();
    if (to->hold_end == 0) {
        mpri_count_up(off);
        mpri_tx_set(&to->hold[0], off);
        mpri_tx_set(&to->hold_end, 1);
        mpri_tx_set(&to->held, 1);
        mpri_tx_commit();
    }
    mpri_guard_unlock();
    MPRI_TESTPOINT("hold.given");
    return 0;
}

int mpri_hold_first(mpr_handle *h)
{
    uint64_t off = mpri_hold_off(mpri_slot(mpri_self.slot)->hold[0]);

    if (off == 0)
        return -ENOENT;
    *h = (mpr_handle){
        .block = mpri_at(off),
        .hold = 0,
        .kind = mpri_block_kind(mpri_at(off)),
    };
    return 0;
}

void mpri_hold_free_table(struct mpri_slot *slot)
{
    for (unsigned k = chunks(slot); --k > 0;) {
        uint64_t page = mpri_page_of(slot->chunk[k]);

        mpri_tx_set(&slot->chunk[k], 0);
        mpri_arena_give_run(page, true);
        mpri_tx_commit();
    }
    mpri_tx_set(&slot->free_hold, 0);
    mpri_tx_set(&slot->hold_end, 0);
    mpri_tx_set(&slot->held, 0);
    mpri_tx_commit();
}
