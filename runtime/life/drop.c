/* The end of holds, and of blocks. A kind without destroy is freed with its
 * last hold, in one transaction. One with destroy becomes DYING first, and is
 * taken apart outside the lock. What it held last is chained behind it and
 * taken apart after it: so nothing nests, however long the chain, and the end
 * of things needs no memory. */

#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/head.h"
#include "life/hold.h"
#include "life/run.h"
#include "mem/arena.h"
#include "mem/tx.h"

/* The DYING block whose destroy this thread is in. */
static _Thread_local struct mpri_block *in_hand;

bool mpri_taking_apart(void)
{
    return in_hand != NULL;
}

/* Nothing holds the block any more. Locked, in the caller's transaction. */
static void free_block(struct mpri_block *b)
{
    uint64_t off = mpri_off(b), page = mpri_page_of(off);
    bool run = mpri_arena_run_pages(page) && off == mpri_page_off(page);

    mpri_tally(mpri_block_kind(b), mpri_arena_piece_size(off), -1);
    mpri_tx_set(&b->head, 0);
    if (run)
        mpri_arena_give_run(page, true);
    else
        mpri_arena_give_small(off);
}

/* The last hold on the block goes. Locked, in the caller's transaction. True:
 * it must be taken apart, and stands behind the block in hand, or, if none is,
 * the caller puts it into an entry. */
static bool end(struct mpri_block *b)
{
    if (!mpri_kind(mpri_block_kind(b))->destroy) {
        free_block(b);
        return false;
    }
    mpri_tx_set(&b->head, mpri_head(1, mpri_block_kind(b), MPRI_DYING));
    mpri_tx_set(&b->link, in_hand ? in_hand->link : 0);
    if (in_hand)
        mpri_tx_set(&in_hand->link, mpri_off(b));
    return true;
}

/* Frees the DYING block of the entry, which then names the next in the chain:
 * false when there is none, and the entry is free. */
static bool bury(struct mpri_slot *s, uint32_t entry, struct mpri_block *b)
{
    uint64_t next;

    MPRI_TESTPOINT("block.destroyed");
    mpri_guard_lock();
    next = b->link;
    free_block(b);
    if (next)
        mpri_tx_set(mpri_hold_at(s, entry), next | MPRI_HOLD_PRIVATE);
    else
        mpri_hold_clear(s, entry);
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("block.freed");
    return next != 0;
}

/* Takes the DYING block of the entry apart, and all that is chained to it. */
static void take_apart(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    struct mpri_block *b;

    do {
        const struct mpri_kind *kind;

        b = mpri_at(mpri_hold_off(*mpri_hold_at(s, entry)));
        kind = mpri_kind(mpri_block_kind(b));
        MPRI_TESTPOINT("block.dying");
        in_hand = b;
        if (kind->destroy)
            kind->destroy(b);
        in_hand = NULL;
    } while (bury(s, entry, b));
}

void mpri_drop_entry(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    struct mpri_block *b;
    uint64_t word, *at;
    bool apart = false;

    mpri_guard_lock();
    at = mpri_hold_at(s, entry);
    word = *at;
    if (mpri_hold_off(word) == 0) {
        mpri_guard_unlock();
        return;
    }
    if (word & MPRI_HOLD_RAW) {
        mpri_guard_unlock();
        mpri_run_discard(slot, entry);
        return;
    }
    b = mpri_at(mpri_hold_off(word));
    if (mpri_head_count(b) > 1) {
        mpri_tx_set(&b->head, b->head - 1);
        mpri_hold_clear(s, entry);
    } else if (mpri_head_state(b) == MPRI_DYING) {
        apart = true; /* a reaper goes on where the dead one was */
    } else if (end(b) && !in_hand) {
        /* PRIVATE: what is coming apart is not for a child to inherit. */
        mpri_tx_set(at, word | MPRI_HOLD_PRIVATE);
        apart = true;
    } else {
        mpri_hold_clear(s, entry);
    }
    MPRI_TESTPOINT("hold.dropping");
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("hold.dropped");
    if (apart)
        take_apart(slot, entry);
    if (!in_hand)
        mpri_run_trim();
}

/* Whether an entry of this process other than the given one leads to what. */
static bool leads_to(uint64_t what, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(mpri_self.slot);
    bool found = false;

    mpri_guard_lock();
    for (uint32_t i = 0; !found && i < s->hold_end; i++) {
        uint64_t word = *mpri_hold_at(s, i);
        const struct mpri_kind *kind;
        const struct mpri_block *b;

        if (i == entry || !mpri_hold_off(word) || word & MPRI_HOLD_RAW)
            continue;
        b = mpri_at(mpri_hold_off(word));
        kind = mpri_kind(mpri_block_kind(b));
        found = kind->owned && mpri_block_alive(b) &&
                kind->owned(b, mpri_self.slot) == what;
    }
    mpri_guard_unlock();
    return found;
}

/* What this process owns must be found among its holds after its death. */
static void give_up(struct mpri_block *b, uint32_t entry)
{
    const struct mpri_kind *kind = mpri_kind(mpri_block_kind(b));
    uint64_t what = kind->owned ? kind->owned(b, mpri_self.slot) : 0;

    if (what && !leads_to(what, entry))
        kind->abandon(b, mpri_self.slot);
}

void mpri_drop(mpr_handle *h)
{
    struct mpri_block *b = h->block;

    if (!b)
        return;
    h->block = NULL;
    if (!mpri_self_valid())
        return;
    give_up(b, h->hold);
    mpri_drop_entry(mpri_self.slot, h->hold);
}

void mpri_ref_drop(uint64_t *word)
{
    struct mpri_block *b;
    uint32_t entry = 0;
    bool apart = false;
    uint64_t off;

    if (!mpri_self_valid())
        return;
    if (in_hand)
        mpri_guard_lock();
    else
        mpri_hold_lock_reserve();
    off = *word;
    if (off == 0) {
        mpri_guard_unlock();
        return;
    }
    b = mpri_at(off);
    if (mpri_head_count(b) > 1) {
        mpri_tx_set(&b->head, b->head - 1);
    } else if (end(b) && !in_hand) {
        entry = mpri_hold_put(off | MPRI_HOLD_PRIVATE);
        apart = true;
    }
    mpri_tx_set(word, 0);
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("ref.dropped");
    if (apart)
        take_apart(mpri_self.slot, entry);
    if (!in_hand)
        mpri_run_trim();
}
