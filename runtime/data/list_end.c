/* Adding to and taking from the ends of a shared list. */

#include "data/list_step.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "mpr.h"
#include "peer/roster.h"

#include <errno.h>

int mpri_end_first(struct mpri_list *l, struct mpri_value *value,
                   struct mpri_supply *supply)
{
    struct mpri_load load = {.count = 1, .words = mpri_item_words(value)};
    struct mpri_leaf *leaf = &supply->leaf[0];
    struct mpri_body *b;
    int r = mpri_step_need_leaf(l, leaf, load);

    if (r == MPRI_READY)
        r = mpri_step_need_body(l, &supply->body, 1);
    if (r != MPRI_READY)
        return r;
    mpri_leaf_begin(leaf, 1);
    mpri_leaf_add(leaf, value);
    b = mpri_data(&supply->body);
    mpri_body_put(b, 0, MPRI_LIST_BEGIN, leaf);
    mpri_store_rlx(&b->base, MPRI_LIST_BEGIN);
    mpri_store_rlx(&b->end, MPRI_LIST_BEGIN + 1);
    mpri_store_rlx(&b->last, 1);
    r = mpri_step_begin(l);
    if (r == 0) {
        mpri_step_bring(b, NULL, value);
        mpri_step_replace_body(l, &supply->body, 0, 0);
        mpri_step_exchange(&leaf->block, 0);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}

/* The item in a leaf of its own: behind the last one, which is full, or in the
 * place of the only one, if all its items went. */
static int add_leaf(struct mpri_list *l, struct mpri_body *b,
                    const struct mpri_part *p, struct mpri_value *value,
                    struct mpri_supply *supply)
{
    /* It will be like the one before. */
    struct mpri_load load = mpri_step_weigh(p->v, 0, p->to);
    struct mpri_leaf *leaf = &supply->leaf[0];
    uint64_t end = p->start + p->to, c = p->from < p->to ? p->c + 1 : p->c;
    int r;

    load.count = MPRI_LEAF_ITEMS;
    load.words += mpri_item_words(value);
    r = mpri_step_need_leaf(l, leaf, load);
    if (r != MPRI_READY)
        return r;
    mpri_leaf_begin(leaf, MPRI_LEAF_ITEMS);
    mpri_leaf_add(leaf, value);
    r = mpri_step_begin(l);
    if (r == 0) {
        mpri_step_replace_leaf(b, c, leaf);
        mpri_step_set(&b->start[c], end);
        mpri_step_set(&b->last, c + 1);
        mpri_step_set(&b->end, end + 1);
        mpri_step_bring(b, NULL, value);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}

/* The same leaves in a body with more places. */
static int grow_body(struct mpri_list *l, struct mpri_body *b,
                     struct mpri_supply *supply)
{
    uint64_t first = mpri_load_rlx(&b->first), last = mpri_load_rlx(&b->last);
    struct mpri_body *more;
    int r = mpri_step_need_body(l, &supply->body, (last - first) * 2);

    if (r != MPRI_READY)
        return r;
    more = mpri_data(&supply->body);
    mpri_body_borrow(more, 0, b, first, last);
    mpri_store_rlx(&more->base, mpri_load_rlx(&b->base));
    mpri_store_rlx(&more->end, mpri_load_rlx(&b->end));
    mpri_store_rlx(&more->last, last - first);
    r = mpri_step_begin(l);
    if (r == 0) {
        mpri_step_replace_body(l, &supply->body, 0, 0);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r < 0 ? r : MPRI_AGAIN;
}

int mpri_end_room(struct mpri_list *l, struct mpri_body *b,
                  struct mpri_load more, struct mpri_supply *supply)
{
    struct mpri_part p = mpri_step_part(b, mpri_load_rlx(&b->last) - 1);

    if (p.to + more.count > MPRI_LEAF_ITEMS)
        return -ENOSPC;
    if (p.to + more.count <= mpri_layout_slots(p.v.layout) &&
        mpri_step_has_room(b, &p, more.words))
        return MPRI_READY;
    more.count--; /* a leaf for n items has more than n places */
    return mpri_step_renew(l, b, &p, more, supply);
}

int mpri_end_append(struct mpri_list *l, struct mpri_body *b,
                    struct mpri_value *value, struct mpri_supply *supply)
{
    struct mpri_load more = {.count = 1, .words = mpri_item_words(value)};
    uint64_t last = mpri_load_rlx(&b->last);
    int r = mpri_end_room(l, b, more, supply);

    if (r == MPRI_READY)
        return mpri_end_fill(l, b, value, 1);
    if (r == -ENOSPC) {
        struct mpri_part p = mpri_step_part(b, last - 1);

        if (last == mpri_load_rlx(&b->capacity) && p.from < p.to)
            return grow_body(l, b, supply);
        return add_leaf(l, b, &p, value, supply);
    }
    return r;
}

int mpri_end_fill(struct mpri_list *l, struct mpri_body *b,
                  struct mpri_value *values, uint64_t n)
{
    struct mpri_part p = mpri_step_part(b, mpri_load_rlx(&b->last) - 1);
    bool refs = false;
    int r = 0;

    for (uint64_t i = 0; i < n; i++) {
        uint32_t at = mpri_step_write(b, &p, &values[i]);

        mpri_store_rel(&mpri_view_slots(p.v)[p.to + i], at);
        refs |= (values[i].flags & MPRI_KEPT_REF) != 0;
    }
    MPRI_TESTPOINT("list.appending");
    if (!refs) {
        /* Commit point. Pairs with: readers of end. */
        mpri_store_rel(&b->end, p.start + p.to + n);
        MPRI_TESTPOINT("list.appended");
    } else if ((r = mpri_step_begin(l)) == 0) {
        mpri_step_set(&b->end, p.start + p.to + n);
        for (uint64_t i = 0; i < n; i++)
            mpri_step_bring(b, &p, &values[i]);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}

/* In a transaction: the first leaf, or the last, has no items any more. */
static void detach_leaf(struct mpri_body *b, const struct mpri_part *p,
                        bool at_end, mpr_handle *out)
{
    struct mpri_branch *branch = mpri_body_branch(b, p->c);
    uint64_t old = mpri_load_rlx(&branch->leaf);

    mpri_step_set(&branch->leaf, 0);
    mpri_step_set(at_end ? &b->last : &b->first, at_end ? p->c : p->c + 1);
    *out = (mpr_handle){
        .block = mpri_at(old),
        .hold = mpri_hold_put(old | MPRI_HOLD_PRIVATE),
    };
}

/* One store, unless the item held something or was its leaf's only one. */
int mpri_end_remove(struct mpri_list *l, struct mpri_body *b, uint64_t index,
                    struct mpri_supply *supply)
{
    uint64_t base = mpri_load_rlx(&b->base), end = mpri_load_rlx(&b->end);
    bool at_end = base + index == end;
    struct mpri_part p = mpri_step_part(b, at_end ? mpri_load_rlx(&b->last) - 1
                                                  : mpri_load_rlx(&b->first));
    bool empties = p.to - p.from == 1 && !(p.is_first && p.is_last);
    struct mpri_item item;
    uint64_t ref = 0;
    int r = 0;

    if (mpri_leaf_item(p.v, (uint32_t)(at_end ? p.to - 1 : p.from), &item))
        ref = item.kept.ref;
    if (!ref && !empties) {
        /* Commit point. */
        mpri_store_rel(at_end ? &b->end : &b->base,
                       at_end ? end - 1 : base + 1);
        MPRI_TESTPOINT("list.removed");
    } else if ((r = mpri_step_begin(l)) == 0) {
        mpri_step_set(at_end ? &b->end : &b->base, at_end ? end - 1 : base + 1);
        if (ref)
            mpri_kept_unhold(ref, &supply->old);
        if (empties)
            detach_leaf(b, &p, at_end, &supply->leaf[0].block);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}
