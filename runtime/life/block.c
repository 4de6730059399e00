#include "life/block.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/head.h"
#include "life/hold.h"
#include "life/run.h"
#include "mem/arena.h"
#include "mem/tx.h"

#include <errno.h>
#include <string.h>

void mpri_tally(unsigned kind, uint64_t bytes, int sign)
{
    struct mpri_guard *g = mpri_guard();

    mpri_tx_set(&g->objects[kind], g->objects[kind] + (uint64_t)(int64_t)sign);
    mpri_tx_set(&g->bytes[kind],
                g->bytes[kind] + bytes * (uint64_t)(int64_t)sign);
}

/* The piece becomes a block of ours in the entry, which names it by word. In
 * the transaction that took the piece out of the arena. */
static void make(uint64_t off, uint64_t bytes, uint64_t size)
{
    struct mpri_block *b = mpri_at(off);

    mpri_tx_set(&b->head, mpri_head(1, MPR_KIND_BYTES, MPRI_ALIVE));
    b->size = size; /* nobody reads it where it is free: needs no undoing */
    mpri_tally(MPR_KIND_BYTES, bytes, 1);
    MPRI_TESTPOINT("block.taken");
    mpri_tx_commit();
}

static int create_small(uint64_t size, uint64_t flags, uint64_t *off,
                        uint32_t *entry)
{
    uint64_t all = size + sizeof(struct mpri_block);
    int err = mpri_arena_take_small(all, off);

    if (__builtin_expect(err == 0, 1)) {
        *entry = mpri_hold_put(*off | flags);
    } else {
        err = mpri_run_take_small(all, off, entry);
        if (err < 0)
            return err;
        mpri_tx_set(mpri_hold_at(mpri_slot(mpri_self.slot), *entry),
                    *off | flags);
    }
    make(*off, mpri_arena_piece_size(*off), size);
    return 0;
}

static int create_large(uint64_t size, uint64_t flags, uint64_t *off,
                        uint32_t *entry, bool *fresh)
{
    uint64_t all = size + sizeof(struct mpri_block);
    uint64_t pages = (all + MPRI_PAGE - 1) / MPRI_PAGE, page;
    int err = mpri_run_take(pages, &page, entry, fresh);

    if (err < 0)
        return err;
    *off = mpri_page_off(page);
    mpri_tx_set(mpri_hold_at(mpri_slot(mpri_self.slot), *entry), *off | flags);
    make(*off, pages * MPRI_PAGE, size);
    return 0;
}

int mpri_block_create_fresh(uint64_t size, unsigned flags, mpr_handle *h,
                            bool *fresh)
{
    uint64_t private = flags & MPRI_BLOCK_PRIVATE ? MPRI_HOLD_PRIVATE : 0, off;
    uint32_t entry;
    int err;

    *fresh = false;
    if (size > mpri_map.size) /* with the header it may wrap; never fits */
        return -ENOMEM;
    if (MPRI_SHORT("memory.block"))
        return -ENOMEM;
    err = mpri_hold_lock(1);
    if (err < 0)
        return err;
    err = size + sizeof(struct mpri_block) <= MPRI_SMALL_MAX
              ? create_small(size, private, &off, &entry)
              : create_large(size, private, &off, &entry, fresh);
    mpri_guard_unlock();
    if (err < 0)
        return err;
    mpri_handle_open(h, off, entry);
    if (flags & MPRI_BLOCK_ZERO && !*fresh)
        memset(mpri_data(h), 0, size);
    MPRI_TESTPOINT("block.created");
    return 0;
}

int mpri_block_create(uint64_t size, unsigned flags, mpr_handle *h)
{
    bool fresh;

    return mpri_block_create_fresh(size, flags, h, &fresh);
}

void mpri_block_become(mpr_handle *h, unsigned kind)
{
    struct mpri_block *b = mpri_block_of(h);
    uint64_t bytes = mpri_arena_piece_size(mpri_off(b));

    mpri_guard_lock();
    mpri_tally(MPR_KIND_BYTES, bytes, -1);
    mpri_tally(kind, bytes, 1);
    mpri_tx_set(&b->head, (b->head & ~(0xffULL << 32)) | (uint64_t)kind << 32);
    mpri_tx_commit();
    mpri_guard_unlock();
    h->kind = kind;
    MPRI_TESTPOINT("block.became");
}

bool mpri_block_alive(const struct mpri_block *b)
{
    return mpri_head_count(b) > 0 && mpri_head_state(b) == MPRI_ALIVE;
}

int mpri_block_plausible(uint64_t off)
{
    const struct mpri_block *b;
    uint64_t size = mpri_arena_piece_size(off);

    if (size == 0)
        return 0;
    b = mpri_at(off);
    return mpri_block_alive(b) && mpri_block_kind(b) < MPR_KIND_END &&
           b->size <= size - sizeof *b;
}

void mpri_count_up(uint64_t off)
{
    struct mpri_block *b = mpri_at(off);

    mpri_tx_set(&b->head, b->head + 1);
}

void mpri_block_open(uint64_t off, mpr_handle *h)
{
    mpri_count_up(off);
    mpri_handle_open(h, off, mpri_hold_put(off));
    mpri_tx_commit();
}

int mpr_handle_dup(const mpr_handle *h, mpr_handle *out)
{
    int err = mpri_hold_lock(1);

    if (err < 0)
        return err;
    mpri_block_open(mpri_off(h->block), out);
    mpri_guard_unlock();
    return 0;
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
