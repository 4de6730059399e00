#include "life/block.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "life/run.h"
#include "mem/arena.h"
#include "mem/tx.h"

#include <errno.h>
#include <string.h>

enum { ALIVE = 1, DYING = 2 };

static uint64_t make_head(uint64_t count, unsigned kind, unsigned state)
{
    return count | (uint64_t)kind << 32 | (uint64_t)state << 40;
}

static uint64_t count_of(const struct mpri_block *b)
{
    return b->head & 0xffffffffU;
}

static void tally(unsigned kind, uint64_t off, int sign)
{
    struct mpri_guard *g = mpri_guard();
    int64_t bytes = (int64_t)mpri_arena_piece_size(off) * sign;

    mpri_tx_set(&g->objects[kind], g->objects[kind] + (uint64_t)(int64_t)sign);
    mpri_tx_set(&g->bytes[kind], g->bytes[kind] + (uint64_t)bytes);
}

static void open_handle(mpr_handle *h, uint64_t off, uint32_t entry)
{
    h->block = mpri_at(off);
    h->hold = entry;
    h->kind = mpri_block_kind(h->block);
}

static int create_small(uint64_t size, uint64_t flags, uint64_t *off,
                        uint32_t *entry)
{
    struct mpri_block *b;

    while (mpri_arena_take_small(size, off) == -EAGAIN) {
        int err = mpri_run_refill();

        if (err < 0)
            return err;
    }
    b = mpri_at(*off);
    mpri_tx_set(&b->head, make_head(1, MPR_KIND_BYTES, ALIVE));
    *entry = mpri_hold_put(*off | flags);
    tally(MPR_KIND_BYTES, *off, 1);
    MPRI_TESTPOINT("block.taken");
    mpri_tx_commit();
    return 0;
}

static int create_large(uint64_t size, uint64_t flags, uint64_t *off,
                        uint32_t *entry, bool *zero)
{
    struct mpri_block *b;
    uint64_t page;
    int err =
        mpri_run_take((size + MPRI_PAGE - 1) / MPRI_PAGE, &page, entry, zero);

    if (err < 0)
        return err;
    *off = mpri_page_off(page);
    b = mpri_at(*off);
    mpri_tx_set(&b->head, make_head(1, MPR_KIND_BYTES, ALIVE));
    mpri_tx_set(mpri_hold_at(mpri_slot(mpri_self.slot), *entry), *off | flags);
    tally(MPR_KIND_BYTES, *off, 1);
    MPRI_TESTPOINT("block.taken");
    mpri_tx_commit();
    return 0;
}

int mpri_block_create(uint64_t size, unsigned flags, mpr_handle *h)
{
    uint64_t all = size + sizeof(struct mpri_block), off;
    uint64_t private = flags & MPRI_BLOCK_PRIVATE ? MPRI_HOLD_PRIVATE : 0;
    struct mpri_block *b;
    uint32_t entry;
    bool zero = false;
    int err;

    if (size > mpri_map.size) /* all would wrap, or can never fit */
        return -ENOMEM;
    err = mpri_hold_lock(2);
    if (err < 0)
        return err;
    err = all <= MPRI_SMALL_MAX
              ? create_small(all, private, &off, &entry)
              : create_large(all, private, &off, &entry, &zero);
    mpri_guard_unlock();
    if (err < 0)
        return err;
    b = mpri_at(off);
    b->size = size;
    b->link = 0;
    if (flags & MPRI_BLOCK_ZERO && !zero)
        memset(mpri_block_data(b), 0, size);
    open_handle(h, off, entry);
    MPRI_TESTPOINT("block.created");
    return 0;
}

void mpri_block_become(mpr_handle *h, unsigned kind)
{
    struct mpri_block *b = mpri_block_of(h);

    mpri_guard_lock();
    tally(MPR_KIND_BYTES, mpri_off(b), -1);
    tally(kind, mpri_off(b), 1);
    mpri_tx_set(&b->head, (b->head & ~(0xffULL << 32)) | (uint64_t)kind << 32);
    mpri_tx_commit();
    mpri_guard_unlock();
    h->kind = kind;
    MPRI_TESTPOINT("block.became");
}

bool mpri_block_alive(const struct mpri_block *b)
{
    return count_of(b) > 0 && b->head >> 40 == ALIVE;
}

int mpri_block_plausible(uint64_t off)
{
    const struct mpri_block *b;
    uint64_t size = mpri_arena_piece_size(off);

    if (size == 0)
        return 0;
    b = mpri_at(off);
    return count_of(b) > 0 && mpri_block_kind(b) < MPR_KIND_END &&
           b->size + sizeof *b <= size;
}

void mpri_count_up(uint64_t off)
{
    struct mpri_block *b = mpri_at(off);

    mpri_tx_set(&b->head, b->head + 1);
}

void mpri_block_open(uint64_t off, mpr_handle *h)
{
    mpri_count_up(off);
    open_handle(h, off, mpri_hold_put(off));
    mpri_tx_commit();
}

/* Blocks whose last hold went while another one is taken apart wait here:
 * entry + 1 of the first, chained through their link. Each stands DYING in
 * an entry of this process's table, so a kill loses none. */
static _Thread_local struct {
    uint64_t first;
    int inside;
} dying;

/* Frees a DYING block and its entry. */
static void bury(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint64_t *word = mpri_hold_at(s, entry);
    uint64_t off = mpri_hold_off(*word);
    struct mpri_block *b = mpri_at(off);

    MPRI_TESTPOINT("block.destroyed");
    mpri_guard_lock();
    tally(mpri_block_kind(b), off, -1);
    mpri_tx_set(&b->head, 0);
    mpri_hold_clear(s, entry);
    if (mpri_arena_run_pages(mpri_page_of(off)) &&
        off == mpri_page_off(mpri_page_of(off)))
        mpri_arena_give_run(mpri_page_of(off), true);
    else
        mpri_arena_give_small(off);
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("block.freed");
}

static void take_apart(uint32_t slot, uint32_t entry)
{
    struct mpri_block *b =
        mpri_at(mpri_hold_off(*mpri_hold_at(mpri_slot(slot), entry)));
    const struct mpri_kind *kind = mpri_kind(mpri_block_kind(b));

    MPRI_TESTPOINT("block.dying");
    if (kind->destroy)
        kind->destroy(b);
    bury(slot, entry);
}

/* Takes the block of the entry apart, and then, if no other one is in hand
 * further up, all that waits in the chain: not deeper, but after. */
static void finish(uint32_t slot, uint32_t entry)
{
    dying.inside++;
    take_apart(slot, entry);
    while (dying.inside == 1 && dying.first) {
        uint32_t next = (uint32_t)dying.first - 1;
        const struct mpri_block *b = mpri_at(
            mpri_hold_off(*mpri_hold_at(mpri_slot(mpri_self.slot), next)));

        dying.first = b->link;
        take_apart(mpri_self.slot, next);
    }
    dying.inside--;
    if (!dying.inside)
        mpri_run_trim();
}

void mpri_drop_entry(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    struct mpri_block *b;
    uint64_t word;
    bool last;

    mpri_guard_lock();
    word = *mpri_hold_at(s, entry);
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
    last = count_of(b) == 1;
    if (last) {
        mpri_tx_set(&b->head, make_head(1, mpri_block_kind(b), DYING));
    } else {
        mpri_tx_set(&b->head, b->head - 1);
        mpri_hold_clear(s, entry);
    }
    MPRI_TESTPOINT("hold.dropping");
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("hold.dropped");
    if (!last)
        return;
    finish(slot, entry);
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

        if (i == entry || !mpri_hold_off(word) || word & MPRI_HOLD_RAW)
            continue;
        kind = mpri_kind(mpri_block_kind(mpri_at(mpri_hold_off(word))));
        found = kind->owned && kind->owned(mpri_at(mpri_hold_off(word)),
                                           mpri_self.slot) == what;
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

void mpri_ref_set(uint64_t *word, const mpr_handle *h)
{
    mpri_guard_lock();
    mpri_count_up(mpri_off(h->block));
    mpri_tx_set(word, mpri_off(h->block));
    mpri_tx_commit();
    mpri_guard_unlock();
}

void mpri_ref_move(uint64_t *word, mpr_handle *h)
{
    mpri_guard_lock();
    mpri_tx_set(word, mpri_off(h->block));
    mpri_hold_clear(mpri_slot(mpri_self.slot), h->hold);
    mpri_tx_commit();
    mpri_guard_unlock();
    h->block = NULL;
}

bool mpri_ref_offer(uint64_t *word, mpr_handle *h)
{
    bool taken;

    mpri_guard_lock();
    taken = *word == 0;
    if (taken) {
        mpri_tx_set(word, mpri_off(h->block));
        mpri_hold_clear(mpri_slot(mpri_self.slot), h->hold);
        mpri_tx_commit();
    }
    mpri_guard_unlock();
    if (taken)
        h->block = NULL;
    return taken;
}

int mpri_ref_open(const uint64_t *word, mpr_handle *h)
{
    uint64_t off;
    int err = mpri_hold_lock(1);

    if (err < 0)
        return err;
    off = *word;
    if (off)
        mpri_block_open(off, h);
    mpri_guard_unlock();
    return off ? 0 : -ENOENT;
}

int mpri_ref_take(uint64_t *word, mpr_handle *h)
{
    uint64_t off;
    int err = mpri_hold_lock(1);

    if (err < 0)
        return err;
    off = *word;
    if (off) {
        open_handle(h, off, mpri_hold_put(off));
        mpri_tx_set(word, 0);
        mpri_tx_commit();
    }
    mpri_guard_unlock();
    return off ? 0 : -ENOENT;
}

void mpri_ref_drop(uint64_t *word)
{
    struct mpri_block *b;
    uint32_t entry = 0;
    uint64_t off;
    bool last;

    /* Without memory for an entry the hold stays: it is not lost, the word
     * still names it, but it lives as long as the family. */
    if (mpri_hold_lock(1) < 0)
        return;
    off = *word;
    if (off == 0) {
        mpri_guard_unlock();
        return;
    }
    b = mpri_at(off);
    last = count_of(b) == 1;
    if (last) {
        mpri_tx_set(&b->head, make_head(1, mpri_block_kind(b), DYING));
        entry = mpri_hold_put(off | MPRI_HOLD_PRIVATE);
    } else {
        mpri_tx_set(&b->head, b->head - 1);
    }
    mpri_tx_set(word, 0);
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("ref.dropped");
    if (!last)
        return;
    if (dying.inside && mpri_kind(mpri_block_kind(b))->destroy) {
        b->link = dying.first;
        dying.first = (uint64_t)entry + 1;
        return;
    }
    finish(mpri_self.slot, entry);
}

int mpr_handle_dup(const mpr_handle *h, mpr_handle *out)
{
    uint64_t off = mpri_off(h->block);

    return mpri_ref_open(&off, out);
}

void mpr_handle_close(mpr_handle *h)
{
    mpri_drop(h);
}

const char *mpr_handle_label(const mpr_handle *h)
{
    const struct mpri_kind *kind = mpri_kind(h->kind);

    return kind->label ? kind->label(mpri_block_of(h)) : "";
}
