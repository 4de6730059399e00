/* Adding to and taking from the middle of a shared list. */

#include "data/list_step.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "mpr.h"
#include "peer/roster.h"

#include <errno.h>

/* What becomes of a leaf of which an item goes, or to which one comes. */
struct edit {
    struct mpri_part p;
    uint64_t at;              /* the place */
    struct mpri_value *comes; /* before it; NULL: it goes */
    uint64_t ref;             /* what the one that goes holds */
    uint32_t count;           /* items afterwards */
    unsigned leaves;          /* that they fill: 0, 1 or 2 */
};

static struct edit edit_at(struct mpri_body *b, uint64_t index,
                           struct mpri_value *comes)
{
    uint64_t position = mpri_load_rlx(&b->base) + index - 1;
    struct edit e = {.comes = comes};
    struct mpri_item item;

    e.p = mpri_step_part(b, mpri_body_find(b, position));
    e.at = position - e.p.start;
    e.count = (uint32_t)(e.p.to - e.p.from) + (comes ? 1 : -1U);
    e.leaves = e.count == 0 ? 0 : e.count <= MPRI_LEAF_ITEMS ? 1 : 2;
    if (!comes && mpri_leaf_item(e.p.v, (uint32_t)e.at, &item))
        e.ref = item.kept.ref;
    return e;
}

/* Places [from, to) of the old leaf and what comes between, to one new leaf. */
static int fill_leaf(struct mpri_list *l, struct mpri_leaf *leaf,
                     const struct edit *e, uint64_t from, uint64_t to)
{
    bool here = e->at >= from && (e->at < to || (e->comes && e->at == to));
    struct mpri_load load = mpri_step_weigh(e->p.v, from, to);
    bool ok;
    int r;

    if (here && e->comes) {
        load.count++;
        load.words += mpri_item_words(e->comes);
    }
    r = mpri_step_need_leaf(l, leaf, load);
    if (r != MPRI_READY)
        return r;
    mpri_leaf_begin(leaf, load.count);
    if (here)
        ok = mpri_step_copy(leaf, e->p.v, from, e->at) &&
             (e->comes ? mpri_leaf_add(leaf, e->comes) &&
                             mpri_step_copy(leaf, e->p.v, e->at, to)
                       : mpri_step_copy(leaf, e->p.v, e->at + 1, to));
    else
        ok = mpri_step_copy(leaf, e->p.v, from, to);
    if (ok)
        return MPRI_READY;
    mpri_list_unlock(l);
    return -EBADMSG;
}

static int fill_leaves(struct mpri_list *l, const struct edit *e,
                       struct mpri_supply *supply)
{
    uint64_t middle = e->p.to;
    int r = MPRI_READY;

    if (e->leaves == 2)
        middle = e->p.from + (e->p.to - e->p.from) / 2;
    /* An item that comes between the two belongs to the first. */
    if (e->leaves > 0)
        r = fill_leaf(l, &supply->leaf[0], e, e->p.from, middle);
    if (r == MPRI_READY && e->leaves == 2) {
        struct edit rest = *e;

        if (e->at <= middle) {
            rest.comes = NULL;
            rest.at = UINT64_MAX;
        }
        r = fill_leaf(l, &supply->leaf[1], &rest, middle, e->p.to);
    }
    return r;
}

/* The new leaves in the same body: where the list ends, or begins. */
static int edit_end(struct mpri_list *l, struct mpri_body *b, struct edit *e,
                    struct mpri_supply *supply)
{
    uint64_t c = e->p.c, start = e->p.start + e->p.from;
    int r;

    if (!e->p.is_last)
        start = mpri_load_rlx(&b->start[c + 1]) - e->count;
    r = mpri_step_begin(l);
    if (r < 0)
        return r;
    if (e->comes)
        mpri_step_bring(b, NULL, e->comes);
    if (e->ref)
        mpri_kept_unhold(e->ref, &supply->old);
    if (e->leaves == 2) {
        mpri_step_replace_leaf(b, c + 1, &supply->leaf[1]);
        mpri_step_set(&b->start[c + 1], start + supply->leaf[0].count);
        mpri_step_set(&b->last, c + 2);
    }
    mpri_step_replace_leaf(b, c, &supply->leaf[0]);
    mpri_step_set(&b->start[c], start);
    if (e->p.is_first)
        mpri_step_set(&b->base, start);
    if (e->p.is_last)
        mpri_step_set(&b->end, start + e->count);
    mpri_step_commit(l);
    return 0;
}

/* The new leaves in a new body. */
static int edit_middle(struct mpri_list *l, struct mpri_body *b, struct edit *e,
                       struct mpri_supply *supply)
{
    uint64_t first = mpri_load_rlx(&b->first), last = mpri_load_rlx(&b->last);
    uint64_t c = e->p.c, n = c - first, start = e->p.start + e->p.from;
    uint64_t shift = e->comes ? 1 : -1ULL;
    struct mpri_body *to;
    int r = mpri_step_need_body(l, &supply->body, last - first + 2);

    if (r != MPRI_READY)
        return r;
    to = mpri_data(&supply->body);
    mpri_body_borrow(to, 0, b, first, c);
    for (unsigned i = 0; i < e->leaves; i++) {
        mpri_body_put(to, n++, start, &supply->leaf[i]);
        start += supply->leaf[i].count;
    }
    mpri_body_borrow(to, n, b, c + 1, last);
    for (uint64_t i = n; i < n + last - c - 1; i++)
        mpri_store_rlx(&to->start[i], mpri_load_rlx(&to->start[i]) + shift);
    mpri_store_rlx(&to->base, mpri_load_rlx(&b->base));
    mpri_store_rlx(&to->end, mpri_load_rlx(&b->end) + shift);
    mpri_store_rlx(&to->last, n + last - c - 1);
    r = mpri_step_begin(l);
    if (r == 0) {
        if (e->comes)
            mpri_step_bring(to, NULL, e->comes);
        if (e->ref)
            mpri_kept_unhold(e->ref, &supply->old);
        for (unsigned i = 0; i < e->leaves; i++)
            mpri_step_exchange(&supply->leaf[i].block, 0);
        mpri_step_replace_body(l, &supply->body, c, c + 1);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}

static int edit(struct mpri_list *l, struct mpri_body *b, struct edit *e,
                struct mpri_supply *supply)
{
    bool in_place = e->leaves == 1 && (e->p.is_first || e->p.is_last);
    int r = fill_leaves(l, e, supply);

    if (r != MPRI_READY)
        return r;
    if (e->leaves == 2)
        in_place = e->p.is_last && e->p.c + 1 < mpri_load_rlx(&b->capacity);
    if (!in_place)
        return edit_middle(l, b, e, supply);
    r = edit_end(l, b, e, supply);
    mpri_list_unlock(l);
    return r;
}

int mpri_middle_insert(struct mpri_list *l, struct mpri_body *b, uint64_t index,
                       struct mpri_value *value, struct mpri_supply *supply)
{
    struct edit e = edit_at(b, index, value);

    return edit(l, b, &e, supply);
}

int mpri_middle_remove(struct mpri_list *l, struct mpri_body *b, uint64_t index,
                       struct mpri_supply *supply)
{
    struct edit e = edit_at(b, index, NULL);

    return edit(l, b, &e, supply);
}
