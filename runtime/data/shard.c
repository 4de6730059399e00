#include "data/shard.h"

#include "base/assert.h"
#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/segment.h"
#include "mem/tx.h"
#include "peer/roster.h"

#include <errno.h>

static void set(mpri_a64 *word, uint64_t value)
{
    mpri_tx_set((uint64_t *)(void *)word, value);
}

uint32_t mpri_shard_take(struct mpri_shard *s, uint32_t words)
{
    struct mpri_fill f = mpri_shard_fill(s);
    uint32_t position = f.used;

    f.used += words;
    mpri_store_rel(&s->fill, mpri_fill_word(f));
    MPRI_TESTPOINT("shard.taken");
    return position;
}

/* In a transaction: two slots share a word of the log. */
static void set_slot(struct mpri_view v, uint32_t slot, uint32_t now)
{
    uint32_t pair[2];
    uint64_t word;

    pair[0] = mpri_load_rlx(&mpri_view_slots(v)[slot & ~1U]);
    pair[1] = mpri_load_rlx(&mpri_view_slots(v)[slot | 1]);
    pair[slot & 1] = now;
    memcpy(&word, pair, sizeof word);
    set(&v.words[slot / 2], word);
}

static int publish_with_refs(struct mpri_shard *s, struct mpri_view v,
                             const struct mpri_entry *e, uint32_t now,
                             struct mpri_value *value, struct mpri_fill fill,
                             mpr_handle *old)
{
    int err;

    mpri_generation_odd(&s->generation);
    err = mpri_hold_lock(1);
    if (err == 0) {
        set_slot(v, e->slot, now);
        set(&s->fill, mpri_fill_word(fill));
        if (value && value->flags & MPRI_KEPT_REF) {
            set(&s->layout, v.layout | MPRI_LAYOUT_REFS);
            mpri_value_hold(value);
        }
        if (e->words && e->kept.flags & MPRI_KEPT_REF)
            mpri_kept_unhold(e->kept.ref, old);
        MPRI_TESTPOINT("shard.changed");
        mpri_tx_commit();
        mpri_guard_unlock();
    }
    mpri_generation_even(&s->generation);
    return err;
}

int mpri_shard_publish(struct mpri_shard *s, struct mpri_view v,
                       const struct mpri_entry *e, uint32_t now,
                       struct mpri_value *value, mpr_handle *old)
{
    struct mpri_fill fill = mpri_shard_fill(s);
    mpri_a32 *slots = mpri_view_slots(v);

    if (now == MPRI_REMOVED) {
        uint32_t mask = mpri_layout_slots(v.layout) - 1;

        /* Nothing was ever put further on: the slot need not be kept. */
        if (mpri_load_rlx(&slots[(e->slot + 1) & mask]) == 0) {
            now = 0;
            fill.filled--;
        }
        fill.live--;
    } else if (!e->words) {
        fill.live++;
        fill.filled += mpri_load_rlx(&slots[e->slot]) == 0;
    }
    if ((value && value->flags & MPRI_KEPT_REF) ||
        (e->words && e->kept.flags & MPRI_KEPT_REF))
        return publish_with_refs(s, v, e, now, value, fill, old);
    MPRI_TESTPOINT("shard.written");
    /* Commit point. Pairs with: mpri_image_find; publishes the entry. */
    mpri_store_rel(&slots[e->slot], now);
    MPRI_TESTPOINT("shard.published");
    mpri_store_rlx(&s->fill, mpri_fill_word(fill));
    return 0;
}

/* In a transaction: the hold of entry, which was the new image's, becomes that
 * of the old one. */
static void exchange(uint32_t entry, uint64_t old)
{
    struct mpri_slot *self = mpri_slot(mpri_self.slot);

    if (old)
        mpri_tx_set(mpri_hold_at(self, entry), old | MPRI_HOLD_PRIVATE);
    else
        mpri_hold_clear(self, entry);
}

void mpri_shard_swap(struct mpri_shard *s, const struct mpri_draft *d,
                     mpr_handle *block)
{
    uint64_t old = mpri_load_rlx(&s->image);

    MPRI_TESTPOINT("shard.drafted");
    mpri_generation_odd(&s->generation);
    mpri_guard_lock();
    set(&s->image, mpri_off(block->block));
    set(&s->layout, d->view.layout);
    set(&s->fill, mpri_fill_word(d->fill));
    exchange(block->hold, old);
    MPRI_TESTPOINT("shard.swapped");
    mpri_tx_commit();
    mpri_guard_unlock();
    mpri_generation_even(&s->generation);
    block->block = old ? mpri_at(old) : NULL;
}

int mpri_shard_detach(struct mpri_shard *s, mpr_handle *out)
{
    uint64_t old = mpri_load_rlx(&s->image);
    int err;

    out->block = NULL;
    if (!old)
        return 0;
    mpri_generation_odd(&s->generation);
    err = mpri_hold_lock(1);
    if (err == 0) {
        set(&s->image, 0);
        set(&s->layout, 0);
        set(&s->fill, 0);
        *out = (mpr_handle){
            .block = mpri_at(old),
            .hold = mpri_hold_put(old | MPRI_HOLD_PRIVATE),
        };
        MPRI_TESTPOINT("shard.detached");
        mpri_tx_commit();
        mpri_guard_unlock();
    }
    mpri_generation_even(&s->generation);
    return err;
}

void mpri_shard_drop_refs(struct mpri_shard *s)
{
    struct mpri_view v = mpri_shard_view(s);
    struct mpri_entry e;
    uint32_t slot = 0;

    if (!v.words || !(v.layout & MPRI_LAYOUT_REFS))
        return;
    while (mpri_image_next(v, &slot, &e))
        if (e.kept.flags & MPRI_KEPT_REF)
            /* The ref is the word before the bytes. */
            mpri_ref_drop((uint64_t *)(uintptr_t)(e.kept.bytes - 1));
}

void mpri_shard_repair(struct mpri_shard *s)
{
    struct mpri_fill fill;
    struct mpri_view v;

    /* What it had not committed is undone first. */
    mpri_guard_lock();
    mpri_guard_unlock();
    v = mpri_shard_view(s);
    fill = mpri_shard_fill(s);
    fill.live = fill.filled = 0;
    for (uint32_t i = 0; v.words && i < mpri_layout_slots(v.layout); i++) {
        uint32_t slot = mpri_load_rlx(&mpri_view_slots(v)[i]);

        fill.filled += slot != 0;
        fill.live += slot > MPRI_REMOVED;
    }
    mpri_store_rlx(&s->fill, mpri_fill_word(fill));
    if (mpri_load_rlx(&s->generation) & 1)
        mpri_generation_even(&s->generation);
}
