/* Changes of one item of a shared list. */

#include "data/list_step.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "mpr.h"
#include "peer/roster.h"

#include <errno.h>

static int publish(struct mpri_list *l, struct mpri_body *b,
                   const struct mpri_part *p, uint64_t i, uint32_t at,
                   struct mpri_value *value, struct mpri_supply *supply)
{
    struct mpri_item was;
    uint64_t ref = 0;

    if (mpri_leaf_item(p->v, (uint32_t)i, &was))
        ref = was.kept.ref;
    if (!ref && !(value->flags & MPRI_KEPT_REF)) {
        /* Commit point. Pairs with: mpri_leaf_item. */
        mpri_store_rel(&mpri_view_slots(p->v)[i], at);
        MPRI_TESTPOINT("list.published");
        return 0;
    }
    if (mpri_step_begin(l) < 0)
        return -ENOMEM;
    mpri_step_set_place(p->v, i, at);
    mpri_step_bring(b, p, value);
    if (ref)
        mpri_kept_unhold(ref, &supply->old);
    mpri_step_commit(l);
    return 0;
}

static int set_once(struct mpri_list *l, uint64_t index,
                    struct mpri_value *value, uint64_t me,
                    struct mpri_supply *supply)
{
    struct mpri_body *b;
    struct mpri_part p;
    uint64_t position, n;
    int r;

    mpri_list_lock(l);
    r = mpri_step_check(l, me);
    if (r != MPRI_READY)
        return r;
    b = mpri_list_body(l);
    n = mpri_list_length(b);
    if (index < 1 || index > n + 1) {
        mpri_list_unlock(l);
        return -ERANGE;
    }
    if (index == n + 1)
        return b ? mpri_end_append(l, b, value, supply)
                 : mpri_end_first(l, value, supply);
    position = mpri_load_rlx(&b->base) + index - 1;
    p = mpri_step_part(b, mpri_body_find(b, position));
    if (!mpri_step_has_room(b, &p, mpri_item_words(value))) {
        struct mpri_load more = {.words = mpri_item_words(value)};

        r = mpri_step_renew(l, b, &p, more, supply);
        if (r != MPRI_READY)
            return r;
        p = mpri_step_part(b, p.c);
    }
    r = publish(l, b, &p, position - p.start, mpri_step_write(b, &p, value),
                value, supply);
    mpri_list_unlock(l);
    return r;
}

int mpri_list_set(struct mpri_list *l, uint64_t index, struct mpri_value *value,
                  uint64_t me)
{
    struct mpri_supply supply = {0};
    int r;

    do
        r = set_once(l, index, value, me, &supply);
    while (r == MPRI_AGAIN);
    mpri_supply_drop(&supply);
    return r;
}

static int insert_once(struct mpri_list *l, uint64_t index,
                       struct mpri_value *value, uint64_t me,
                       struct mpri_supply *supply)
{
    struct mpri_body *b;
    uint64_t n;
    int r;

    mpri_list_lock(l);
    r = mpri_step_check(l, me);
    if (r != MPRI_READY)
        return r;
    b = mpri_list_body(l);
    n = mpri_list_length(b);
    if (index > n + 1) {
        mpri_list_unlock(l);
        return -ERANGE;
    }
    if (!b)
        return mpri_end_first(l, value, supply);
    if (index == 0 || index == n + 1)
        return mpri_end_append(l, b, value, supply);
    return mpri_middle_insert(l, b, index, value, supply);
}

int mpri_list_insert(struct mpri_list *l, uint64_t index,
                     struct mpri_value *value, uint64_t me)
{
    struct mpri_supply supply = {0};
    int r;

    do
        r = insert_once(l, index, value, me, &supply);
    while (r == MPRI_AGAIN);
    mpri_supply_drop(&supply);
    return r;
}

static int ask(struct mpri_body *b, struct mpri_removal *r)
{
    uint64_t n = mpri_list_length(b), position;
    struct mpri_item item;
    struct mpri_part p;

    if (r->equal) {
        r->index = mpri_list_find(b, 1, r->equal, NULL);
        if (!r->index)
            return -ENOENT;
    } else if (r->index == 0) {
        r->index = n;
    }
    if (r->index < 1 || r->index > n)
        return -ERANGE;
    if (!r->same && !r->taken)
        return 0;
    position = mpri_load_rlx(&b->base) + r->index - 1;
    p = mpri_step_part(b, mpri_body_find(b, position));
    if (!mpri_leaf_item(p.v, (uint32_t)(position - p.start), &item))
        return -EBADMSG;
    if (r->same)
        return mpri_kept_same(&item.kept, r->same) &&
                       (!r->is_last || r->index == n)
                   ? 0
                   : -ESTALE;
    if (item.kept.flags & MPRI_KEPT_REF ||
        !mpri_kept_fits(&item.kept, r->taken))
        return -EAGAIN;
    mpri_kept_copy(&item.kept, r->taken);
    return 0;
}

static int remove_once(struct mpri_list *l, struct mpri_removal *what,
                       uint64_t me, struct mpri_supply *supply)
{
    struct mpri_body *b;
    int r;

    mpri_list_lock(l);
    r = mpri_step_check(l, me);
    if (r != MPRI_READY)
        return r;
    b = mpri_list_body(l);
    r = ask(b, what);
    if (r < 0) {
        mpri_list_unlock(l);
        return r;
    }
    if (what->index == 1 || what->index == mpri_list_length(b))
        return mpri_end_remove(l, b, what->index, supply);
    return mpri_middle_remove(l, b, what->index, supply);
}

int mpri_list_remove(struct mpri_list *l, struct mpri_removal *what,
                     uint64_t me)
{
    struct mpri_supply supply = {0};
    uint64_t index = what->index;
    int r;

    while ((r = remove_once(l, what, me, &supply)) == MPRI_AGAIN)
        what->index = index;
    mpri_supply_drop(&supply);
    return r;
}
