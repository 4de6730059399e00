/* Words in blocks that hold other blocks; their end is in drop.c. */

#include "life/block.h"
#include "life/guard.h"
#include "life/head.h"
#include "life/hold.h"
#include "mem/tx.h"

#include <errno.h>

void mpri_ref_set(uint64_t *word, const mpr_handle *h)
{
    mpri_guard_lock();
    mpri_count_up(mpri_off(h->block));
    mpri_tx_set(word, mpri_off(h->block));
    mpri_tx_commit();
    mpri_guard_unlock();
}

static void move(uint64_t *word, const mpr_handle *h)
{
    mpri_tx_set(word, mpri_off(h->block));
    mpri_hold_clear(mpri_slot(mpri_self.slot), h->hold);
    mpri_tx_commit();
}

void mpri_ref_move(uint64_t *word, mpr_handle *h)
{
    mpri_guard_lock();
    move(word, h);
    mpri_guard_unlock();
    h->block = NULL;
}

bool mpri_ref_offer(uint64_t *word, mpr_handle *h)
{
    bool taken;

    mpri_guard_lock();
    taken = *word == 0;
    if (taken)
        move(word, h);
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
        mpri_handle_open(h, off, mpri_hold_put(off));
        mpri_tx_set(word, 0);
        mpri_tx_commit();
    }
    mpri_guard_unlock();
    return off ? 0 : -ENOENT;
}
