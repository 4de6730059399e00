#include "data/list.h"

#include "ipc/message.h"
#include "life/guard.h"
#include "life/kind.h"
#include "mpr.h"
#include "peer/roster.h"

#include <errno.h>
#include <stdlib.h>

/* As for a dict: so often a reader looks again before it takes the lock. */
enum { LOOKS = 200 };

static struct mpri_list *list_of(const mpr_list *l)
{
    return mpri_data(&l->h);
}

static uint64_t me(const mpr_list *l)
{
    return l->actor ? (uint64_t)(mpri_self.slot + 1) << 32 | l->actor : 0;
}

void mpri_list_lock(struct mpri_list *l)
{
    if (mpri_mutex_lock(&l->lock, MPR_FOREVER) != -EOWNERDEAD)
        return;
    mpri_guard_lock(); /* undoes what it had not committed */
    mpri_guard_unlock();
    if (mpri_load_rlx(&l->generation) & 1)
        mpri_generation_even(&l->generation);
}

int mpr_list_create(mpr_list *l, const char *name)
{
    struct mpri_list *data;
    int err = mpr_open();
    mpr_handle h;

    if (err < 0)
        return err;
    err = mpri_block_create(sizeof *data + (name ? MPRI_LIST_LABEL : 0),
                            MPRI_BLOCK_ZERO, &h);
    if (err < 0)
        return err;
    data = mpri_data(&h);
    if (name)
        strncpy(data->label, name, MPRI_LIST_LABEL - 1);
    mpri_block_become(&h, MPR_KIND_LIST);
    l->h = h;
    l->actor = 0;
    return 0;
}

/* ---- reading without a lock ---------------------------------------------------- */

/* What an item looked like; true as long as the sight holds, and end is not
 * less. */
struct look {
    struct mpri_sight sight;
    struct mpri_item item;
    const mpri_a64 *end;
    uint64_t position;
};

static bool holds(const struct look *look)
{
    return mpri_sight_holds(&look->sight) &&
           (!look->end || mpri_word_load(look->end) > look->position);
}

/* 1: look tells; 0: there is no such item, if the look holds; -EAGAIN. */
static int look_at(struct mpri_list *l, uint64_t index, struct look *look)
{
    struct mpri_body *b;
    uint64_t base, end, start, c;
    struct mpri_span span;
    struct mpri_view v;

    look->end = NULL;
    look->sight.word[0] = look->sight.word[1] = &l->generation;
    look->sight.seen[0] = look->sight.seen[1] = mpri_load_acq(&l->generation);
    if (look->sight.seen[0] & 1)
        return -EAGAIN;
    b = mpri_list_body(l);
    if (!b)
        return 0;
    /* Before it is followed, and again for each step further: a moment ago it
     * was the list's. */
    if (!mpri_sight_holds(&look->sight))
        return -EAGAIN;
    base = mpri_word_load(&b->base);
    end = mpri_word_load(&b->end);
    span = mpri_body_span(b);
    look->sight.word[1] = &b->base;
    look->sight.seen[1] = base;
    if (!mpri_sight_holds(&look->sight))
        return -EAGAIN;
    if (index < 1 || index > end - base)
        return 0;
    look->position = base + index - 1;
    c = mpri_span_find(b, span, look->position);
    v = mpri_span_leaf(b, span, c);
    start = mpri_word_load(&b->start[c]);
    if (!mpri_sight_holds(&look->sight))
        return -EAGAIN;
    look->end = &b->end;
    if (!mpri_leaf_item(v, (uint32_t)(look->position - start), &look->item))
        return -EAGAIN;
    return 1;
}

static void look_again(struct mpri_list *l, unsigned *looks)
{
    if (++*looks < LOOKS) {
        mpri_relax();
    } else {
        mpri_list_lock(l);
        mpri_list_unlock(l);
    }
}

static int open_ref(const struct look *look, struct mpr_message *m)
{
    mpr_handle h;
    int err = mpri_kept_open(&look->item.kept, &look->sight, &h);

    return err < 0 ? err : mpri_kept_give(&look->item.kept, &h, m);
}

static int get_once(struct mpri_list *l, uint64_t index, struct mpr_message *m)
{
    struct look look;
    struct mpri_kept *k = &look.item.kept;
    int r = look_at(l, index, &look);

    if (r < 0)
        return r;
    if (r == 0)
        return holds(&look) ? -ERANGE : -EAGAIN;
    if (!mpri_kept_fits(k, m)) {
        if (!holds(&look))
            return -EAGAIN;
        r = mpri_kept_reserve(k, m);
        return r < 0 ? r : -EAGAIN;
    }
    MPRI_TESTPOINT("list.found");
    mpri_kept_copy(k, m);
    if (!holds(&look))
        return -EAGAIN;
    return k->flags & MPRI_KEPT_REF ? open_ref(&look, m) : 0;
}

int mpr_list_get(mpr_list *l, uint64_t index, struct mpr_message *m)
{
    unsigned looks = 0;
    int r;

    mpr_message_clear(m);
    while ((r = get_once(list_of(l), index, m)) == -EAGAIN)
        look_again(list_of(l), &looks);
    return r;
}

uint64_t mpr_list_object(mpr_list *l, uint64_t index)
{
    struct look look;
    uint64_t object;

    if (look_at(list_of(l), index, &look) != 1)
        return 0;
    object = mpri_kept_object(&look.item.kept);
    return holds(&look) ? object : 0;
}

uint64_t mpr_list_len(mpr_list *list)
{
    struct mpri_list *l = list_of(list);
    unsigned looks = 0;

    for (;; look_again(l, &looks)) {
        uint64_t generation = mpri_load_acq(&l->generation), n = 0;
        struct mpri_body *b = mpri_list_body(l);

        if (generation & 1 || mpri_load_acq(&l->generation) != generation)
            continue;
        if (b) {
            uint64_t base = mpri_word_load(&b->base);

            n = mpri_word_load(&b->end) - base;
            if (mpri_word_load(&b->base) != base)
                continue;
        }
        if (mpri_load_acq(&l->generation) == generation)
            return n;
    }
}

/* ---- changing -------------------------------------------------------------------- */

int mpr_list_set(mpr_list *l, uint64_t index, const struct mpr_parcel *parcel)
{
    struct mpri_value value;
    int err = mpri_value_prepare(&value, parcel, MPR_FOREVER);

    if (err == 0)
        err = mpri_list_set(list_of(l), index, &value, me(l));
    mpri_value_discard(&value);
    return err;
}

int mpr_list_insert(mpr_list *l, uint64_t index,
                    const struct mpr_parcel *parcel)
{
    struct mpri_value value;
    int err = mpri_value_prepare(&value, parcel, MPR_FOREVER);

    if (err == 0)
        err = mpri_list_insert(list_of(l), index, &value, me(l));
    mpri_value_discard(&value);
    return err;
}

int mpr_list_take(mpr_list *l, uint64_t index, struct mpr_message *m)
{
    struct mpri_list *data = list_of(l);
    struct mpri_removal r = {.index = index, .taken = m};
    int err;

    mpr_message_clear(m);
    err = mpri_list_remove(data, &r, me(l));
    /* What does not fit yet, or holds something, is got first, and removed if
     * it is still there. */
    while (err == -EAGAIN || err == -ESTALE) {
        r = (struct mpri_removal){
            .index = index ? index : mpr_list_len(l),
            .same = m,
            .is_last = index == 0,
        };
        err = mpr_list_get(l, r.index, m);
        if (err == 0)
            err = mpri_list_remove(data, &r, me(l));
        else if (err == -ERANGE && index == 0 && mpr_list_len(l) > 0)
            err = -ESTALE; /* others took some meanwhile */
    }
    if (err < 0)
        mpr_message_clear(m);
    return err;
}

int mpr_list_remove(mpr_list *l, const struct mpr_parcel *equal,
                    uint64_t *index)
{
    struct mpri_removal r = {.equal = equal};
    int err = mpri_list_remove(list_of(l), &r, me(l));

    if (err == 0)
        *index = r.index;
    return err;
}

int mpr_list_extend(mpr_list *l, const struct mpr_parcel *parcels, uint64_t n)
{
    struct mpri_value *values;
    uint64_t ready = 0;
    int err = 0;

    if (n == 0)
        return 0;
    values = n < SIZE_MAX / sizeof *values ? malloc(n * sizeof *values) : NULL;
    if (!values)
        return -ENOMEM;
    for (; err == 0 && ready < n; ready++)
        err = mpri_value_prepare(&values[ready], &parcels[ready], MPR_FOREVER);
    if (err == 0)
        err = mpri_list_extend(list_of(l), values, n, me(l));
    while (ready-- > 0)
        mpri_value_discard(&values[ready]);
    free(values);
    return err;
}

int mpr_list_clear(mpr_list *l)
{
    return mpri_list_clear(list_of(l), me(l));
}

/* ---- the whole --------------------------------------------------------------------- */

uint64_t mpr_list_find(mpr_list *l, uint64_t index,
                       const struct mpr_parcel *equal)
{
    uint64_t found;

    mpri_list_lock(list_of(l));
    found = mpri_list_find(mpri_list_body(list_of(l)), index, equal, NULL);
    mpri_list_unlock(list_of(l));
    return found;
}

uint64_t mpr_list_count(mpr_list *l, const struct mpr_parcel *equal)
{
    uint64_t count;

    mpri_list_lock(list_of(l));
    mpri_list_find(mpri_list_body(list_of(l)), 1, equal, &count);
    mpri_list_unlock(list_of(l));
    return count;
}

int mpr_list_snapshot(mpr_list *l, struct mpr_snapshot *s)
{
    return mpri_list_snapshot(list_of(l), s);
}

int mpr_list_arrange(mpr_list *l, uint64_t version, const uint64_t *order,
                     uint64_t n)
{
    return mpri_list_arrange(list_of(l), version, order, n, me(l));
}

int mpr_list_reserve(mpr_list *l)
{
    return mpri_reserve(&list_of(l)->reservation, 0, me(l)) ? 0 : -EBUSY;
}

void mpr_list_release(mpr_list *l)
{
    mpri_release(&list_of(l)->reservation, me(l));
}

/* ---- the kind ------------------------------------------------------------------------- */

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct mpri_list *l = mpri_block_data(b);

    mpri_mutex_abandon(&l->lock, slot);
    mpri_reservation_abandon(&l->reservation, slot);
}

static void destroy(struct mpri_block *b)
{
    struct mpri_list *l = mpri_block_data(b);

    mpri_ref_drop((uint64_t *)(void *)&l->body);
}

static const char *label(const struct mpri_block *b)
{
    const struct mpri_list *l = mpri_block_data(b);

    return b->size > sizeof *l ? l->label : "";
}

void mpri_list_register(void)
{
    static const struct mpri_kind list = {
        .name = "list",
        .abandon = abandon,
        .destroy = destroy,
        .label = label,
    };

    mpri_body_register();
    mpri_kind_register(MPR_KIND_LIST, &list);
}
