#include "life/hold.h"

#include "base/assert.h"
#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/run.h"
#include "mem/arena.h"
#include "mem/tx.h"
#include "os/os.h"

#include <errno.h>

/* Part 0 of a table is the slot's inline entries; part k > 0 is a chunk, a run
 * of 2^(k-1) pages. Free entries below hold_end are chained within their part:
 * slot->part[k] is the first of them + 1, and in its high half how many of the
 * part are in use. The lowest part with a hole is filled first, and when the
 * last one falls empty hold_end goes down to its start. So a table that once
 * was large becomes short again, and with it every fork's work. */
enum { PER_PAGE = MPRI_PAGE / 8 };

/* Entries that mpri_hold_lock leaves free: one, for what may not fail. It is
 * in use for a while, by one thread at a time, to grow the table or to take a
 * block apart; neither needs a second one. */
enum { RESERVE = 1 };

/* Entries that one transaction copies to a child. */
enum { BATCH = 100 };

static const uint64_t ONE_USED = 1ULL << 32;

static uint64_t part_start(unsigned k)
{
    return k == 0 ? 0 : MPRI_INLINE_HOLDS + ((1ULL << (k - 1)) - 1) * PER_PAGE;
}

static unsigned part_of(uint64_t entry)
{
    if (entry < MPRI_INLINE_HOLDS)
        return 0;
    return 64 - (unsigned)__builtin_clzll(
                    (entry - MPRI_INLINE_HOLDS) / PER_PAGE + 1);
}

static uint64_t bit(unsigned k)
{
    return 1ULL << (k & 63);
}

static uint64_t chunk_pages(unsigned k)
{
    return 1ULL << (k - 1);
}

static uint64_t *at(struct mpri_slot *slot, unsigned part, uint64_t entry)
{
    if (part == 0)
        return &slot->hold[entry];
    return (uint64_t *)mpri_at(slot->chunk[part]) + (entry - part_start(part));
}

uint64_t *mpri_hold_at(struct mpri_slot *slot, uint32_t entry)
{
    return at(slot, part_of(entry), entry);
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
    return MPRI_INLINE_HOLDS + slot->room;
}

static uint64_t spare(const struct mpri_slot *slot)
{
    return capacity(slot) - slot->held;
}

/* Adds a chunk to the slot's table, by way of an entry of ours. Locked, with
 * one spare; unlocks in between. Nobody else adds to this table. */
static int add_chunk(struct mpri_slot *slot)
{
    unsigned k = chunks(slot);
    uint32_t entry;
    uint64_t page;
    bool zero;
    int err;

    if (k >= MPRI_HOLD_CHUNKS)
        return -ENOMEM;
    err = mpri_run_take(chunk_pages(k), &page, &entry, &zero);
    if (err < 0)
        return err;
    mpri_tx_set(&slot->chunk[k], mpri_page_off(page));
    mpri_tx_set(&slot->room, slot->room + chunk_pages(k) * PER_PAGE);
    mpri_hold_clear(mpri_slot(mpri_self.slot), entry);
    mpri_tx_commit();
    MPRI_TESTPOINT("hold.grown");
    return 0;
}

static void pass(void)
{
    mpri_guard_unlock();
    mpri_yield();
    mpri_guard_lock();
}

/* Grows our own table, or lets another thread do so: the caller looks again. */
static int grow(struct mpri_slot *slot)
{
    /* mark of the process a thread of which is at it; another's mark is left
     * over from before a fork. */
    static mpri_a32 growing;
    uint32_t me = mpri_self_mark(), was = mpri_load_rlx(&growing);
    int err;

    if (spare(slot) == 0 && mpri_taking_apart())
        return -ENOMEM; /* it is this thread that has the reserve */
    if (spare(slot) == 0 || was == me || !mpri_cas_acq(&growing, &was, me)) {
        pass();
        return 0;
    }
    err = add_chunk(slot);
    mpri_store_rel(&growing, 0);
    return err;
}

int mpri_hold_lock(uint32_t count)
{
    struct mpri_slot *slot;
    int err;

    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    slot = mpri_slot(mpri_self.slot);
    mpri_guard_lock();
    while (spare(slot) < (uint64_t)count + RESERVE) {
        err = grow(slot);
        if (err < 0) {
            mpri_guard_unlock();
            return err;
        }
    }
    return 0;
}

void mpri_hold_lock_reserve(void)
{
    const struct mpri_slot *slot = mpri_slot(mpri_self.slot);

    mpri_guard_lock();
    while (spare(slot) == 0)
        pass();
}

/* The entry of part k that is free, first of all those of the table. */
static uint64_t take_hole(struct mpri_slot *slot, unsigned k, uint64_t **word)
{
    uint64_t part = slot->part[k];
    uint64_t entry = (uint32_t)part - 1, next;

    *word = at(slot, k, entry);
    next = **word >> 6;
    mpri_tx_set(&slot->part[k], part >> 32 << 32 | next);
    if (next == 0)
        mpri_tx_set(&slot->holes, slot->holes & ~bit(k));
    return entry;
}

static uint64_t take_end(struct mpri_slot *slot, unsigned *k, uint64_t **word)
{
    uint64_t entry = slot->hold_end;

    /* Whoever locked made sure of it; beyond it lies other memory. */
    if (entry >= capacity(slot))
        mpri_assert_failed("a free entry", __FILE__, __LINE__);
    *k = part_of(entry);
    *word = at(slot, *k, entry);
    mpri_tx_set(&slot->hold_end, entry + 1);
    return entry;
}

static uint32_t put(struct mpri_slot *slot, uint64_t value)
{
    uint64_t *word, entry;
    unsigned k;

    if (slot->holes) {
        k = (unsigned)__builtin_ctzll(slot->holes);
        entry = take_hole(slot, k, &word);
    } else {
        entry = take_end(slot, &k, &word);
    }
    mpri_tx_set(&slot->part[k], slot->part[k] + ONE_USED);
    mpri_tx_set(&slot->held, slot->held + 1);
    mpri_tx_set(word, value);
    return (uint32_t)entry;
}

uint32_t mpri_hold_put(uint64_t word)
{
    return put(mpri_slot(mpri_self.slot), word);
}

/* The last part is empty: hold_end goes back to the start of the first of the
 * empty ones. */
static void shorten(struct mpri_slot *slot, unsigned k)
{
    while (k > 0 && slot->part[k - 1] < ONE_USED) {
        mpri_tx_set(&slot->part[k], 0);
        k--;
    }
    mpri_tx_set(&slot->part[k], 0);
    mpri_tx_set(&slot->holes, slot->holes & (bit(k) - 1));
    mpri_tx_set(&slot->hold_end, part_start(k));
}

void mpri_hold_clear(struct mpri_slot *slot, uint32_t entry)
{
    unsigned k = part_of(entry);
    uint64_t part = slot->part[k] - ONE_USED;

    mpri_tx_set(&slot->held, slot->held - 1);
    mpri_tx_set(at(slot, k, entry), (part & 0xffffffffU) << 6 | MPRI_HOLD_FREE);
    if (part < ONE_USED && slot->hold_end <= part_start(k + 1)) {
        shorten(slot, k);
        return;
    }
    mpri_tx_set(&slot->part[k], part >> 32 << 32 | (entry + 1));
    if (!(slot->holes & bit(k)))
        mpri_tx_set(&slot->holes, slot->holes | bit(k));
}

/* Locks the arena when the child's table has room for as many entries as ours,
 * and the reserve, as if it had made them: its first step may be to grow. */
static int lock_with_room(struct mpri_slot *to, const struct mpri_slot *from)
{
    for (;;) {
        int err = mpri_hold_lock(1);

        if (err < 0 || capacity(to) >= from->hold_end + RESERVE)
            return err;
        err = add_chunk(to);
        mpri_guard_unlock();
        if (err < 0)
            return err;
    }
}

/* One transaction: entries [first, last), which follow those copied before. */
static void copy(struct mpri_slot *to, struct mpri_slot *from, uint32_t first,
                 uint32_t last)
{
    uint64_t held = to->held, holes = to->holes;

    for (uint32_t i = first; i < last;) {
        unsigned k = part_of(i);
        uint64_t part = to->part[k], next = part_start(k + 1);

        for (; i < last && i < next; i++) {
            uint64_t word = *at(from, k, i);

            if (mpri_hold_off(word) &&
                !(word & (MPRI_HOLD_RAW | MPRI_HOLD_PRIVATE))) {
                mpri_tx_set(at(to, k, i), word);
                mpri_count_up(mpri_hold_off(word));
                part += ONE_USED;
                held++;
            } else {
                mpri_tx_set(at(to, k, i),
                            (part & 0xffffffffU) << 6 | MPRI_HOLD_FREE);
                part = part >> 32 << 32 | (i + 1);
                holes |= bit(k);
            }
        }
        mpri_tx_set(&to->part[k], part);
    }
    mpri_tx_set(&to->holes, holes);
    mpri_tx_set(&to->hold_end, last);
    mpri_tx_set(&to->held, held);
    mpri_tx_commit();
}

int mpri_hold_inherit(uint32_t child, uint32_t generation)
{
    struct mpri_slot *from = mpri_slot(mpri_self.slot);
    struct mpri_slot *to = mpri_slot(child);
    uint32_t first = 0, end;
    int err = lock_with_room(to, from);

    if (err < 0)
        return err;
    /* What other threads open from now on is not this thread's. */
    end = (uint32_t)from->hold_end;
    for (;;) {
        uint32_t last = end - first < BATCH ? end : first + BATCH;

        /* We may fork for another, whose death takes the slot. */
        if (!mpri_slot_starts(child, generation)) {
            err = -ESRCH;
            break;
        }
        copy(to, from, first, last);
        first = last;
        if (first == end)
            break;
        mpri_guard_unlock();
        MPRI_TESTPOINT("hold.inherited");
        mpri_guard_lock();
    }
    mpri_guard_unlock();
    return err;
}

int mpri_hold_give(uint32_t slot, uint32_t generation, const mpr_handle *h)
{
    struct mpri_slot *to = mpri_slot(slot);
    uint64_t off = mpri_off(h->block);
    int err = 0;

    mpri_guard_lock();
    if (!mpri_slot_starts(slot, generation)) {
        err = -ESRCH;
    } else if (to->hold_end == 0) {
        mpri_count_up(off);
        put(to, off);
        mpri_tx_commit();
    }
    mpri_guard_unlock();
    MPRI_TESTPOINT("hold.given");
    return err;
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
    /* First of all: a reaper that comes after us looks at no entry in a chunk
     * that is gone. */
    for (unsigned k = 0; k < MPRI_HOLD_CHUNKS; k++)
        mpri_tx_set(&slot->part[k], 0);
    mpri_tx_set(&slot->holes, 0);
    mpri_tx_set(&slot->hold_end, 0);
    mpri_tx_set(&slot->held, 0);
    mpri_tx_set(&slot->room, 0);
    mpri_tx_commit();
    for (unsigned k = chunks(slot); --k > 0;) {
        uint64_t page = mpri_page_of(slot->chunk[k]);

        mpri_tx_set(&slot->chunk[k], 0);
        mpri_arena_give_run(page, true);
        mpri_tx_commit();
    }
}
