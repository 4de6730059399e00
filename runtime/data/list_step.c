/* Steps of which changes of a shared list are made. */

#include "data/list_step.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "mpr.h"
#include "peer/roster.h"

#include <errno.h>

void mpri_supply_drop(struct mpri_supply *s)
{
    mpri_drop(&s->old);
    mpri_drop(&s->leaf[0].block);
    mpri_drop(&s->leaf[1].block);
    mpri_drop(&s->body);
}

/* ---- in transactions ----------------------------------------------------------- */

void mpri_step_set(mpri_a64 *word, uint64_t value)
{
    mpri_tx_set((uint64_t *)(void *)word, value);
}

void mpri_step_exchange(mpr_handle *h, uint64_t old)
{
    struct mpri_slot *self = mpri_slot(mpri_self.slot);

    if (old)
        mpri_tx_set(mpri_hold_at(self, h->hold), old | MPRI_HOLD_PRIVATE);
    else
        mpri_hold_clear(self, h->hold);
    h->block = old ? mpri_at(old) : NULL;
}

void mpri_step_replace_leaf(struct mpri_body *b, uint64_t i,
                            struct mpri_leaf *leaf)
{
    struct mpri_branch *branch = mpri_body_branch(b, i);
    uint64_t old = mpri_load_rlx(&branch->leaf);

    mpri_step_set(&branch->leaf, mpri_off(leaf->block.block));
    mpri_step_set(&branch->layout, leaf->view.layout);
    mpri_step_set(&branch->fill, leaf->used);
    mpri_step_exchange(&leaf->block, old);
}

void mpri_step_replace_body(struct mpri_list *l, mpr_handle *h, uint64_t from,
                            uint64_t to)
{
    uint64_t old = mpri_load_rlx(&l->body);
    struct mpri_body *b = mpri_data(h), *was = mpri_list_body(l);

    mpri_tx_set(&b->own_from, 0);
    mpri_tx_set(&b->own_to, UINT64_MAX);
    mpri_tx_set(&b->held, MPRI_HELD_ALL);
    if (was) {
        mpri_tx_set(&was->own_from, from);
        mpri_tx_set(&was->own_to, to);
        mpri_tx_set(&was->held, 0);
    }
    mpri_step_set(&l->body, mpri_off(h->block));
    mpri_step_exchange(h, old);
}

/* Two places share a word of the log. */
void mpri_step_set_place(struct mpri_view v, uint64_t i, uint32_t at)
{
    uint32_t pair[2];
    uint64_t word;

    pair[0] = mpri_load_rlx(&mpri_view_slots(v)[i & ~1ULL]);
    pair[1] = mpri_load_rlx(&mpri_view_slots(v)[i | 1]);
    pair[i & 1] = at;
    memcpy(&word, pair, sizeof word);
    mpri_step_set(&v.words[i / 2], word);
}

int mpri_step_begin(struct mpri_list *l)
{
    int err;

    mpri_generation_odd(&l->generation);
    err = mpri_hold_lock(2);
    if (err < 0)
        mpri_generation_even(&l->generation);
    return err;
}

void mpri_step_commit(struct mpri_list *l)
{
    MPRI_TESTPOINT("list.changed");
    mpri_tx_commit();
    mpri_guard_unlock();
    mpri_generation_even(&l->generation);
}

/* ---- within a leaf --------------------------------------------------------- */

struct mpri_load mpri_step_weigh(struct mpri_view v, uint64_t from, uint64_t to)
{
    struct mpri_load load = {0};
    struct mpri_item item;

    for (uint64_t i = from; i < to; i++)
        if (mpri_leaf_item(v, (uint32_t)i, &item)) {
            load.count++;
            load.words += item.count;
        }
    return load;
}

bool mpri_step_copy(struct mpri_leaf *to, struct mpri_view v, uint64_t from,
                    uint64_t end)
{
    struct mpri_item item;
    bool ok = true;

    for (uint64_t i = from; ok && i < end; i++)
        ok = mpri_leaf_item(v, (uint32_t)i, &item) && mpri_leaf_copy(to, &item);
    return ok;
}

struct mpri_part mpri_step_part(struct mpri_body *b, uint64_t c)
{
    uint64_t base = mpri_load_rlx(&b->base);
    struct mpri_part p = {
        .c = c,
        .v = mpri_body_leaf(b, c),
        .start = mpri_load_rlx(&b->start[c]),
        .is_first = c == mpri_load_rlx(&b->first),
        .is_last = c + 1 == mpri_load_rlx(&b->last),
    };

    p.from = base > p.start ? base - p.start : 0;
    p.to = mpri_body_stop(b, c) - p.start;
    return p;
}

static int made(int err)
{
    MPRI_TESTPOINT("list.supplied");
    return err < 0 ? err : MPRI_AGAIN;
}

int mpri_step_need_leaf(struct mpri_list *l, struct mpri_leaf *leaf,
                        struct mpri_load load)
{
    uint64_t size = mpri_leaf_size(load);

    if (leaf->block.block && mpri_block_of(&leaf->block)->size >= size)
        return MPRI_READY;
    mpri_list_unlock(l);
    mpri_drop(&leaf->block);
    return made(mpri_block_create(size, MPRI_BLOCK_PRIVATE, &leaf->block));
}

int mpri_step_need_body(struct mpri_list *l, mpr_handle *body,
                        uint64_t capacity)
{
    if (body->block && mpri_body_span(mpri_data(body)).capacity >= capacity)
        return MPRI_READY;
    mpri_list_unlock(l);
    mpri_drop(body);
    return made(mpri_body_create(body, capacity));
}

int mpri_step_renew(struct mpri_list *l, struct mpri_body *b,
                    const struct mpri_part *p, struct mpri_load more,
                    struct mpri_supply *supply)
{
    struct mpri_load load = mpri_step_weigh(p->v, p->from, p->to);
    struct mpri_leaf *leaf = &supply->leaf[0];
    int r;

    load.count = (uint32_t)p->to + more.count;
    load.words += more.words;
    r = mpri_step_need_leaf(l, leaf, load);
    if (r != MPRI_READY)
        return r;
    mpri_leaf_begin(leaf, load.count);
    leaf->count = (uint32_t)p->from; /* places stay what they are */
    r = mpri_step_copy(leaf, p->v, p->from, p->to) ? mpri_step_begin(l)
                                                   : -EBADMSG;
    if (r < 0) {
        mpri_list_unlock(l);
        return r;
    }
    mpri_step_replace_leaf(b, p->c, leaf);
    mpri_step_commit(l);
    return MPRI_READY;
}

static uint32_t used(struct mpri_body *b, uint64_t c)
{
    return (uint32_t)mpri_load_rlx(&mpri_body_branch(b, c)->fill);
}

bool mpri_step_has_room(struct mpri_body *b, const struct mpri_part *p,
                        uint32_t words)
{
    return used(b, p->c) + words <= mpri_layout_words(p->v.layout);
}

uint32_t mpri_step_write(struct mpri_body *b, const struct mpri_part *p,
                         const struct mpri_value *value)
{
    struct mpri_branch *branch = mpri_body_branch(b, p->c);
    uint32_t at = used(b, p->c);

    mpri_store_rel(&branch->fill, at + mpri_item_words(value));
    MPRI_TESTPOINT("list.taken");
    mpri_leaf_write(p->v, at, value);
    MPRI_TESTPOINT("list.written");
    return at;
}

void mpri_step_bring(struct mpri_body *b, const struct mpri_part *p,
                     struct mpri_value *value)
{
    if (!(value->flags & MPRI_KEPT_REF))
        return;
    mpri_value_hold(value);
    if (p)
        mpri_step_set(&mpri_body_branch(b, p->c)->layout,
                      p->v.layout | MPRI_LAYOUT_REFS);
}

int mpri_step_check(struct mpri_list *l, uint64_t me)
{
    int err;

    if (!mpri_is_reserved(&l->reservation, 0, me)) {
        mpri_store_rel(&l->changes, mpri_load_rlx(&l->changes) + 1);
        return MPRI_READY;
    }
    mpri_list_unlock(l);
    err = mpri_await_release(&l->reservation, 0, me);
    return err < 0 ? err : MPRI_AGAIN;
}
