#include "data/dict.h"

#include "base/testpoint.h"
#include "data/box.h"
#include "data/change.h"
#include "data/scalar.h"
#include "data/whole.h"
#include "ipc/message.h"
#include "life/kind.h"
#include "mem/segment.h"
#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>

/* A reader that finds a shard in the middle of a change looks again so often
 * before it takes the lock, which also repairs what a dead process left. */
enum { LOOKS = 200 };

static struct mpri_table *table_of(const mpr_dict *d)
{
    return mpri_data(&d->h);
}

static uint64_t me(const mpr_dict *d)
{
    return d->actor ? (uint64_t)(mpri_self.slot + 1) << 32 | d->actor : 0;
}

int mpr_dict_create(mpr_dict *d, const char *name)
{
    struct mpri_table *t;
    int err = mpr_open();
    mpr_handle h;

    if (err < 0)
        return err;
    err = mpri_block_create(sizeof *t + (name ? MPRI_TABLE_LABEL : 0),
                            MPRI_BLOCK_ZERO, &h);
    if (err < 0)
        return err;
    t = mpri_data(&h);
    mpri_store_rlx(&t->shape, 1);
    mpri_store_rlx(&t->expires, (uint64_t)MPR_FOREVER);
    if (name)
        strncpy(t->label, name, MPRI_TABLE_LABEL - 1);
    mpri_block_become(&h, MPR_KIND_DICT);
    d->h = h;
    d->actor = 0;
    return 0;
}

/* ---- reading without a lock -------------------------------------------------- */

/* What a key's entry looked like; valid as long as the sight holds. */
struct look {
    struct mpri_sight sight;
    struct mpri_entry e; /* no words: absent */
};

/* Waits for whoever changes the shard, and repairs it if that one died. */
static void settle(struct mpri_table *t, uint64_t hash)
{
    mpri_mutex_unlock(&mpri_table_lock(t, hash)->lock);
}

/* true: look tells what there is, to be used while the sight holds. */
static inline bool look_at(struct mpri_table *t, const struct mpri_key *k,
                           struct look *look)
{
    uint64_t shape = mpri_load_acq(&t->shape), image;
    struct mpri_shard *s =
        mpri_table_shard(t, mpri_table_index(k->hash, mpri_shape_count(shape)));
    struct mpri_view v;

    look->sight.word[0] = &s->generation;
    look->sight.seen[0] = mpri_load_acq(&s->generation);
    look->sight.word[1] = &t->shape;
    look->sight.seen[1] = shape;
    if (look->sight.seen[0] & 1)
        return false;
    v.layout = mpri_load_acq(&s->layout);
    image = mpri_load_acq(&s->image);
    look->e.words = NULL;
    if (!image || mpri_layout_epoch(v.layout) != mpri_shape_epoch(shape))
        return true;
    /* Before it is followed: a moment ago this was the shard's image. What is
     * read of it is used only if it still is afterwards. */
    if (mpri_load_acq(&s->generation) != look->sight.seen[0])
        return false;
    v.words = mpri_block_data(mpri_at(image));
    return mpri_image_find(v, k, &look->e);
}

/* A look that did not hold: after many, the lock is taken. */
static void look_again(struct mpri_table *t, const struct mpri_key *k,
                       unsigned *looks)
{
    if (++*looks < LOOKS)
        mpri_relax();
    else
        settle(t, k->hash);
}

static int open_ref(const struct look *look, struct mpr_message *m)
{
    mpr_handle h;
    int err = mpri_kept_open(&look->e.kept, &look->sight, &h);

    return err < 0 ? err : mpri_kept_give(&look->e.kept, &h, m);
}

static int get(struct mpri_table *t, const struct mpri_key *k,
               struct mpr_message *m)
{
    struct look look;
    unsigned looks = 0;
    int err;

    for (;;) {
        if (!look_at(t, k, &look)) {
            /* Asked often enough with the lock in between, it is damaged. */
            if (looks > 4 * LOOKS && mpri_sight_holds(&look.sight) &&
                !(look.sight.seen[0] & 1))
                return -EBADMSG;
            look_again(t, k, &looks);
            continue;
        }
        if (!look.e.words) {
            if (mpri_sight_holds(&look.sight))
                return -ENOENT;
            look_again(t, k, &looks);
            continue;
        }
        if (!mpri_kept_fits(&look.e.kept, m)) {
            struct mpri_kept kept = look.e.kept;

            if (mpri_sight_holds(&look.sight)) {
                err = mpri_kept_expired(&kept) ? -ENOENT
                                               : mpri_kept_reserve(&kept, m);
                if (err < 0)
                    return err;
            }
            continue;
        }
        MPRI_TESTPOINT("dict.found");
        mpri_kept_copy(&look.e.kept, m);
        if (!mpri_sight_holds(&look.sight)) {
            look_again(t, k, &looks);
            continue;
        }
        if (mpri_kept_expired(&look.e.kept))
            return -ENOENT;
        if (!(look.e.kept.flags & MPRI_KEPT_REF))
            return 0;
        err = open_ref(&look, m);
        if (err != -EAGAIN)
            return err;
        look_again(t, k, &looks);
    }
}

int mpr_dict_get(mpr_dict *d, const struct mpr_key *key, struct mpr_message *m)
{
    struct mpri_key k;
    int err = mpri_key_make(&k, key);

    mpr_message_clear(m);
    return err < 0 ? err : get(table_of(d), &k, m);
}

int mpr_dict_has(mpr_dict *d, const struct mpr_key *key)
{
    struct mpri_table *t = table_of(d);
    unsigned looks = 0;
    struct mpri_key k;
    struct look look;
    bool there;

    if (mpri_key_make(&k, key) < 0)
        return 0;
    for (;; look_again(t, &k, &looks)) {
        if (!look_at(t, &k, &look))
            continue;
        there = look.e.words && !mpri_kept_expired(&look.e.kept);
        if (mpri_sight_holds(&look.sight))
            return there;
    }
}

uint64_t mpr_dict_object(mpr_dict *d, const struct mpr_key *key)
{
    struct mpri_key k;
    struct look look;
    uint64_t object;

    if (mpri_key_make(&k, key) < 0 || !look_at(table_of(d), &k, &look) ||
        !look.e.words || mpri_kept_expired(&look.e.kept))
        return 0;
    object = mpri_kept_object(&look.e.kept);
    return mpri_sight_holds(&look.sight) ? object : 0;
}

/* ---- changing ------------------------------------------------------------------ */

static int change(mpr_dict *d, struct mpri_change *c, const struct mpr_key *key)
{
    int err = mpri_key_make(&c->key, key);

    if (err < 0)
        return err;
    c->me = me(d);
    return mpri_table_change(table_of(d), c);
}

static int put(mpr_dict *d, const struct mpr_key *key,
               const struct mpr_parcel *parcel, int64_t expires,
               enum mpri_when when, const struct mpr_message *same)
{
    struct mpri_change c = {.when = when, .same = same};
    struct mpri_value value;
    int err = 0;

    if (parcel) {
        err = mpri_value_prepare(&value, parcel, expires);
        c.value = &value;
    }
    if (err == 0)
        err = change(d, &c, key);
    if (parcel)
        mpri_value_discard(&value);
    return err;
}

int mpr_dict_set(mpr_dict *d, const struct mpr_key *key,
                 const struct mpr_parcel *parcel, int64_t expires_ns)
{
    return put(d, key, parcel, expires_ns, MPRI_ALWAYS, NULL);
}

int mpr_dict_insert(mpr_dict *d, const struct mpr_key *key,
                    const struct mpr_parcel *parcel, int64_t expires_ns)
{
    return put(d, key, parcel, expires_ns, MPRI_IF_ABSENT, NULL);
}

int mpr_dict_replace(mpr_dict *d, const struct mpr_key *key,
                     const struct mpr_message *was,
                     const struct mpr_parcel *parcel)
{
    return put(d, key, parcel, MPR_FOREVER, MPRI_IF_SAME, was);
}

int mpr_dict_remove(mpr_dict *d, const struct mpr_key *key)
{
    return put(d, key, NULL, 0, MPRI_IF_PRESENT, NULL);
}

int mpr_dict_take(mpr_dict *d, const struct mpr_key *key, struct mpr_message *m)
{
    struct mpri_change c = {.when = MPRI_IF_PRESENT, .taken = m};
    int err;

    mpr_message_clear(m);
    err = change(d, &c, key);
    /* What does not fit yet, or holds something, is got first and removed if
     * it is still the same. */
    while (err == -EAGAIN || err == -ESTALE) {
        err = mpr_dict_get(d, key, m);
        if (err == 0)
            err = mpr_dict_replace(d, key, m, NULL);
    }
    if (err < 0)
        mpr_message_clear(m);
    return err;
}

int mpr_dict_incr(mpr_dict *d, const struct mpr_key *key,
                  const struct mpr_scalar *by, const struct mpr_scalar *init,
                  struct mpr_scalar *sum)
{
    struct mpri_value value;
    uint8_t bytes[16];
    struct mpr_parcel parcel = {.bytes = bytes};
    struct mpri_change c = {.value = &value, .add = by};
    int err;

    c.first = mpri_scalar_sum(init, by);
    parcel.size = mpri_scalar_write(&c.first, bytes);
    err = mpri_value_prepare(&value, &parcel, MPR_FOREVER);
    if (err == 0)
        err = change(d, &c, key);
    if (err == 0)
        *sum = c.sum;
    return err;
}

int mpr_dict_reserve(mpr_dict *d, const struct mpr_key *key)
{
    struct mpri_key k;
    int err = mpri_key_make(&k, key);

    if (err < 0)
        return err;
    return mpri_reserve(&table_of(d)->reservation, k.hash, me(d)) ? 0 : -EBUSY;
}

void mpr_dict_release(mpr_dict *d)
{
    mpri_release(&table_of(d)->reservation, me(d));
}

/* ---- the whole ------------------------------------------------------------------- */

int64_t mpr_dict_len(mpr_dict *d)
{
    return mpri_table_len(table_of(d));
}

void mpr_dict_clear(mpr_dict *d)
{
    mpri_table_clear(table_of(d));
}

int mpr_dict_snapshot(mpr_dict *d, struct mpr_snapshot *s)
{
    return mpri_table_snapshot(table_of(d), s);
}

int mpr_dict_pop(mpr_dict *d, struct mpr_key *key, struct mpr_message *bytes,
                 struct mpr_message *value)
{
    int err;

    do {
        err = mpri_table_some(table_of(d), key, bytes);
        if (err == 0)
            err = mpr_dict_take(d, key, value);
        else
            break;
    } while (err == -ENOENT);
    return err;
}

/* ---- the kind ---------------------------------------------------------------------- */

static void abandon(struct mpri_block *b, uint32_t slot)
{
    mpri_table_abandon(mpri_block_data(b), slot);
}

static void destroy(struct mpri_block *b)
{
    mpri_table_destroy(mpri_block_data(b));
}

static const char *label(const struct mpri_block *b)
{
    const struct mpri_table *t = mpri_block_data(b);

    return b->size > sizeof *t ? t->label : "";
}

void mpri_dict_register(void)
{
    static const struct mpri_kind dict = {
        .name = "dict",
        .abandon = abandon,
        .destroy = destroy,
        .label = label,
    };

    mpri_box_register();
    mpri_kind_register(MPR_KIND_DICT, &dict);
}
