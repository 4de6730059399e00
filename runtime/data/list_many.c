/* What concerns many items of a shared list at once. */

#include "data/list_step.h"

#include "base/testpoint.h"
#include "data/box.h"
#include "data/scalar.h"
#include "data/snapshot.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "mpr.h"

#include <errno.h>

/* ---- a body in the making ---------------------------------------------------------- */

static struct mpri_body *body_of(const mpr_handle *h)
{
    return mpri_data(h);
}

static int begin_body(mpr_handle *h, uint64_t items)
{
    int err = mpri_body_create(h, items / MPRI_LEAF_ITEMS + 1);

    if (err < 0)
        return err;
    mpri_store_rlx(&body_of(h)->base, MPRI_LIST_BEGIN);
    mpri_store_rlx(&body_of(h)->end, MPRI_LIST_BEGIN);
    return 0;
}

/* What value number i of the body brings is the body's now. */
static void hold(struct mpri_body *b, uint64_t i, struct mpri_value *value)
{
    mpri_guard_lock();
    mpri_value_hold(value);
    mpri_tx_set(&b->held, i + 1);
    MPRI_TESTPOINT("list.held");
    mpri_tx_commit();
    mpri_guard_unlock();
}

static int push_values(struct mpri_body *b, uint64_t done,
                       struct mpri_value *values, uint32_t n)
{
    struct mpri_load load = {.count = n};
    struct mpri_leaf leaf = {0};
    int err;

    for (uint32_t i = 0; i < n; i++)
        load.words += mpri_item_words(&values[i]);
    err = mpri_block_create(mpri_leaf_size(load), MPRI_BLOCK_PRIVATE,
                            &leaf.block);
    if (err < 0)
        return err;
    mpri_leaf_begin(&leaf, n);
    for (uint32_t i = 0; i < n; i++)
        mpri_leaf_add(&leaf, &values[i]);
    mpri_body_push(b, &leaf);
    for (uint32_t i = 0; i < n; i++)
        if (values[i].flags & MPRI_KEPT_REF)
            hold(b, done + i, &values[i]);
    return 0;
}

static int push_all(struct mpri_body *b, struct mpri_value *values, uint64_t n)
{
    for (uint64_t done = 0; done < n;) {
        uint32_t some =
            n - done < MPRI_LEAF_ITEMS ? (uint32_t)(n - done) : MPRI_LEAF_ITEMS;
        int err = push_values(b, done, values + done, some);

        if (err < 0)
            return err;
        done += some;
    }
    return 0;
}

/* ---- adding --------------------------------------------------------------------------- */

static struct mpri_load load_of(const struct mpri_value *values, uint64_t n)
{
    struct mpri_load load = {0};

    for (uint64_t i = 0; i < n && load.count <= MPRI_LEAF_ITEMS; i++) {
        load.count++;
        load.words += mpri_item_words(&values[i]);
    }
    return load;
}

/* Joins the leaves that were made to those of the list. */
static int join(struct mpri_list *l, const mpr_handle *made,
                struct mpri_supply *supply)
{
    struct mpri_body *b = mpri_list_body(l), *more = body_of(made), *to;
    uint64_t first = b ? mpri_load_rlx(&b->first) : 0;
    uint64_t n = b ? mpri_load_rlx(&b->last) - first : 0;
    uint64_t begin = MPRI_LIST_BEGIN, end = MPRI_LIST_BEGIN;
    int r = mpri_step_need_body(l, &supply->body, n + n / 4 + more->own_to);

    if (r != MPRI_READY)
        return r;
    to = body_of(&supply->body);
    if (b) {
        begin = mpri_load_rlx(&b->base);
        end = mpri_load_rlx(&b->end);
        /* An only leaf may be empty. */
        if (begin == end)
            n = 0;
        mpri_body_borrow(to, 0, b, first, first + n);
    }
    mpri_body_borrow(to, n, more, 0, more->own_to);
    for (uint64_t i = n; i < n + more->own_to; i++)
        mpri_store_rlx(&to->start[i],
                       mpri_load_rlx(&to->start[i]) - MPRI_LIST_BEGIN + end);
    mpri_store_rlx(&to->base, begin);
    mpri_store_rlx(&to->end, end + mpri_load_rlx(&more->end) - MPRI_LIST_BEGIN);
    mpri_store_rlx(&to->last, n + more->own_to);
    r = mpri_step_begin(l);
    if (r == 0) {
        /* An empty leaf goes with the old body. */
        mpri_step_replace_body(l, &supply->body, n ? 0 : first,
                               n ? 0 : UINT64_MAX);
        mpri_tx_set(&more->own_to, 0);
        mpri_tx_set(&more->held, 0);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}

static int extend_leaf(struct mpri_list *l, struct mpri_value *values,
                       uint64_t n, uint64_t me, struct mpri_supply *supply)
{
    struct mpri_body *b;
    int r;

    mpri_list_lock(l);
    r = mpri_step_check(l, me);
    if (r != MPRI_READY)
        return r;
    b = mpri_list_body(l);
    r = b ? mpri_end_room(l, b, load_of(values, n), supply) : -ENOSPC;
    if (r == MPRI_READY)
        return mpri_end_fill(l, b, values, n);
    if (r == -ENOSPC)
        mpri_list_unlock(l);
    return r;
}

static int extend_body(struct mpri_list *l, const mpr_handle *made, uint64_t me,
                       struct mpri_supply *supply)
{
    int r;

    mpri_list_lock(l);
    r = mpri_step_check(l, me);
    return r == MPRI_READY ? join(l, made, supply) : r;
}

int mpri_list_extend(struct mpri_list *l, struct mpri_value *values, uint64_t n,
                     uint64_t me)
{
    struct mpri_supply supply = {0};
    mpr_handle made = {0};
    int r = -ENOSPC;

    if (n == 0)
        return 0;
    if (n <= MPRI_LEAF_ITEMS)
        do
            r = extend_leaf(l, values, n, me, &supply);
        while (r == MPRI_AGAIN);
    if (r == -ENOSPC) {
        r = begin_body(&made, n);
        if (r == 0)
            r = push_all(body_of(&made), values, n);
        while (r == 0 && (r = extend_body(l, &made, me, &supply)) == MPRI_AGAIN)
            r = 0;
        mpri_drop(&made);
    }
    mpri_supply_drop(&supply);
    return r;
}

/* ---- all ----------------------------------------------------------------------------------- */

int mpri_list_clear(struct mpri_list *l, uint64_t me)
{
    mpr_handle old = {0};
    uint64_t body;
    int r;

    do {
        mpri_list_lock(l);
        r = mpri_step_check(l, me);
    } while (r == MPRI_AGAIN);
    if (r < 0)
        return r;
    body = mpri_load_rlx(&l->body);
    r = body ? mpri_step_begin(l) : 0;
    if (body && r == 0) {
        mpri_tx_set((uint64_t *)(void *)&l->body, 0);
        old = (mpr_handle){
            .block = mpri_at(body),
            .hold = mpri_hold_put(body | MPRI_HOLD_PRIVATE),
        };
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    mpri_drop(&old); /* it owns all, and does the rest */
    return r;
}

/* Calls f for each item, until it is not 0. The list is locked. */
typedef int each(void *arg, const struct mpri_item *item);

static int for_each(struct mpri_body *b, uint64_t skip, each *f, void *arg)
{
    uint64_t base, last;
    int r = 0;

    if (!b)
        return 0;
    base = mpri_load_rlx(&b->base) + skip;
    last = mpri_load_rlx(&b->last);
    for (uint64_t c = mpri_load_rlx(&b->first); r == 0 && c < last; c++) {
        struct mpri_view v = mpri_body_leaf(b, c);
        uint64_t start = mpri_load_rlx(&b->start[c]);
        uint64_t i = base > start ? base - start : 0;
        uint64_t to = mpri_body_stop(b, c) - start;
        struct mpri_item item;

        for (; r == 0 && i < to; i++)
            r = mpri_leaf_item(v, (uint32_t)i, &item) ? f(arg, &item)
                                                      : -EBADMSG;
    }
    return r;
}

struct copying {
    struct mpr_snapshot *s;
    struct mpri_snapshot_need need;
};

static int weigh_item(void *arg, const struct mpri_item *item)
{
    struct copying *c = arg;

    c->need.items++;
    c->need.words += item->count;
    c->need.refs += item->kept.flags & MPRI_KEPT_REF;
    return 0;
}

static int copy_item(void *arg, const struct mpri_item *item)
{
    return mpri_snapshot_add_kept(((struct copying *)arg)->s, &item->kept,
                                  item->words);
}

int mpri_list_snapshot(struct mpri_list *l, struct mpr_snapshot *s)
{
    struct copying c = {.s = s};
    int err;

    for (;;) {
        mpri_list_lock(l);
        c.need = (struct mpri_snapshot_need){0};
        for_each(mpri_list_body(l), 0, weigh_item, &c);
        if (mpri_snapshot_has_room(s, &c.need))
            break;
        mpri_list_unlock(l);
        err = mpri_snapshot_reserve(s, &c.need);
        if (err < 0)
            return err;
    }
    err = for_each(mpri_list_body(l), 0, copy_item, &c);
    s->version = mpri_load_rlx(&l->changes);
    mpri_list_unlock(l);
    return err;
}

/* ---- searching ---------------------------------------------------------------------------- */

struct search {
    const struct mpr_parcel *equal;
    struct mpr_scalar number;
    bool is_number, counts;
    uint64_t at;
    uint64_t found;
};

static bool equals(const struct search *s, const struct mpri_kept *k)
{
    const struct mpr_parcel *p = s->equal;
    struct mpr_scalar n;

    if (s->is_number)
        return mpri_scalar_read(k, &n) == 0 &&
               mpri_scalar_equal(&n, &s->number);
    if (k->flags & MPRI_KEPT_BOX)
        return mpri_box_equal(k->ref, p);
    return k->size == p->size &&
           p->ref_count == (k->flags & MPRI_KEPT_REF ? 1 : 0) &&
           (!p->ref_count || mpri_off(p->refs[0]->block) == k->ref) &&
           mpri_words_equal(k->bytes, p->bytes, p->size);
}

static int look_at(void *arg, const struct mpri_item *item)
{
    struct search *s = arg;

    s->at++;
    if (!equals(s, &item->kept))
        return 0;
    s->found++;
    return !s->counts;
}

uint64_t mpri_list_find(struct mpri_body *b, uint64_t index,
                        const struct mpr_parcel *equal, uint64_t *count)
{
    struct search s = {
        .equal = equal,
        .counts = count != NULL,
        .at = index - 1,
    };

    s.is_number = mpri_scalar_of(equal, &s.number) == 0;
    for_each(b, index - 1, look_at, &s);
    if (count)
        *count = s.found;
    return s.found ? s.at : 0;
}

/* ---- ordering ------------------------------------------------------------------------------- */

/* The words of all items, as they are: what they hold stays the list's. */
static int copy_words(struct mpri_list *l, uint64_t version,
                      struct mpr_snapshot *s)
{
    int err;

    s->is_raw = 1;
    err = mpri_list_snapshot(l, s);
    return err == 0 && s->version != version ? -ESTALE : err;
}

static int push_items(struct mpri_body *b, const struct mpr_snapshot *s,
                      const uint64_t *order, uint32_t n)
{
    struct mpri_load load = {.count = n};
    struct mpri_item items[MPRI_LEAF_ITEMS];
    struct mpri_leaf leaf = {0};
    int err;

    for (uint32_t i = 0; i < n; i++) {
        mpri_snapshot_item(s, order[i] - 1, &items[i]);
        load.words += items[i].count;
    }
    err = mpri_block_create(mpri_leaf_size(load), MPRI_BLOCK_PRIVATE,
                            &leaf.block);
    if (err < 0)
        return err;
    mpri_leaf_begin(&leaf, n);
    for (uint32_t i = 0; i < n; i++)
        mpri_leaf_copy(&leaf, &items[i]);
    mpri_body_push(b, &leaf);
    return 0;
}

static int is_order(const uint64_t *order, uint64_t n, uint64_t count)
{
    if (n != count)
        return 0;
    for (uint64_t i = 0; i < n; i++)
        if (order[i] < 1 || order[i] > n)
            return 0;
    return 1;
}

static int replace(struct mpri_list *l, uint64_t version, mpr_handle *made,
                   uint64_t me)
{
    int r;

    do {
        mpri_list_lock(l);
        if (mpri_load_rlx(&l->changes) != version) {
            mpri_list_unlock(l);
            return -ESTALE;
        }
        r = mpri_step_check(l, me);
    } while (r == MPRI_AGAIN);
    if (r < 0)
        return r;
    r = mpri_step_begin(l);
    if (r == 0) {
        mpri_step_replace_body(l, made, 0, UINT64_MAX);
        mpri_step_commit(l);
    }
    mpri_list_unlock(l);
    return r;
}

int mpri_list_arrange(struct mpri_list *l, uint64_t version,
                      const uint64_t *order, uint64_t n, uint64_t me)
{
    struct mpr_snapshot s = {0};
    mpr_handle made = {0};
    int err = copy_words(l, version, &s);

    if (err == 0 && !is_order(order, n, s.count))
        err = -EINVAL;
    if (err == 0 && n > 0)
        err = begin_body(&made, n);
    for (uint64_t done = 0; err == 0 && done < n; done += MPRI_LEAF_ITEMS)
        err = push_items(body_of(&made), &s, order + done,
                         n - done < MPRI_LEAF_ITEMS ? (uint32_t)(n - done)
                                                    : MPRI_LEAF_ITEMS);
    if (err == 0 && n > 0)
        err = replace(l, version, &made, me);
    mpri_drop(&made);
    mpr_snapshot_free(&s);
    return err;
}
