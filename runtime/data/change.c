#include "data/change.h"

#include "base/testpoint.h"
#include "data/scalar.h"
#include "life/block.h"
#include "mpr.h"

#include <errno.h>

enum {
    AGAIN = 1,          /* of an attempt */
    LARGE_IMAGE = 4096, /* words; a shard of large values is small, too */
    SMALL_IMAGE = 64,   /* is kept when its last key goes */
    SPARSE = 8,         /* fewer than one live slot in so many */
    SPARSE_SLOTS = 16,
};

/* What a shard needs a new image for. */
struct need {
    uint32_t live;
    uint64_t words;
    uint32_t expired;
};

static bool is_over(const struct mpri_entry *e)
{
    /* What holds something stays until it is replaced or purged, for its hold
     * must come out by a transaction. */
    return !(e->kept.flags & MPRI_KEPT_REF) && mpri_kept_expired(&e->kept);
}

static struct need weigh(struct mpri_view v, uint32_t more)
{
    struct need need = {.live = more > 0, .words = more};
    struct mpri_entry e;
    uint32_t slot = 0;

    while (mpri_image_next(v, &slot, &e)) {
        if (is_over(&e)) {
            need.expired++;
            continue;
        }
        need.live++;
        need.words += e.count;
    }
    return need;
}

/* Copies what is live into the block, which becomes the image; *block is then
 * the old one. false: it does not fit. */
static bool rebuild(struct mpri_table *t, struct mpri_shard *s,
                    struct need need, mpr_handle *block)
{
    struct mpri_view v = mpri_shard_view(s);
    struct mpri_draft draft;
    struct mpri_entry e;
    uint32_t slot = 0, gone = mpri_shard_fill(s).live;

    mpri_draft_begin(&draft, block, need.live,
                     mpri_shape_epoch(mpri_load_rlx(&t->shape)));
    while (mpri_image_next(v, &slot, &e))
        if (!is_over(&e) && !mpri_draft_add(&draft, &e))
            return false;
    gone -= draft.fill.live;
    mpri_shard_swap(s, &draft, block);
    if (gone)
        mpri_add_rlx(&t->count, -(uint64_t)gone);
    return true;
}

/* Makes room for words more in the locked shard. 1: there is; 0: *block was
 * made for it, with the shard unlocked; -ENOMEM, unlocked too. */
static int make_room(struct mpri_table *t, struct mpri_shard *s, uint32_t words,
                     mpr_handle *block)
{
    struct need need = weigh(mpri_shard_view(s), words);
    uint64_t size = mpri_image_size(need.live, need.words);

    if (block->block && size && mpri_block_of(block)->size >= size &&
        rebuild(t, s, need, block))
        return 1;
    mpri_mutex_unlock(&s->lock);
    mpri_drop(block);
    if (!size)
        return -ENOMEM;
    return mpri_block_create(size, MPRI_BLOCK_PRIVATE, block);
}

/* The shard has far fewer keys than its image was made for: gives memory
 * back. */
static void shrink(struct mpri_table *t, uint64_t hash)
{
    mpr_handle block = {0};
    struct mpri_shard *s = mpri_table_lock(t, hash);
    struct need need = weigh(mpri_shard_view(s), 0);
    uint64_t size = mpri_image_size(need.live, need.words);

    mpri_mutex_unlock(&s->lock);
    if (!size || mpri_block_create(size, MPRI_BLOCK_PRIVATE, &block) < 0)
        return;
    s = mpri_table_lock(t, hash);
    if (mpri_load_rlx(&s->image)) {
        need = weigh(mpri_shard_view(s), 0);
        if (mpri_image_size(need.live, need.words) <=
            mpri_block_of(&block)->size)
            rebuild(t, s, need, &block);
    }
    mpri_mutex_unlock(&s->lock);
    mpri_drop(&block);
}

static bool is_sparse(struct mpri_shard *s)
{
    uint64_t layout = mpri_load_rlx(&s->layout);

    return mpri_layout_slots(layout) >= SPARSE_SLOTS &&
           mpri_shard_fill(s).live < mpri_layout_slots(layout) / SPARSE;
}

static int ask(struct mpri_change *c, const struct mpri_entry *e, bool present)
{
    switch (c->when) {
    case MPRI_ALWAYS:
        return 0;
    case MPRI_IF_ABSENT:
        return present ? -EEXIST : 0;
    case MPRI_IF_PRESENT:
        if (!present)
            return -ENOENT;
        break;
    case MPRI_IF_SAME:
        if (c->same ? !present || !mpri_kept_same(&e->kept, c->same) : present)
            return -ESTALE;
        break;
    }
    if (c->taken) {
        if (e->kept.flags & MPRI_KEPT_REF ||
            !mpri_kept_fits(&e->kept, c->taken))
            return -EAGAIN;
        mpri_kept_copy(&e->kept, c->taken);
    }
    return 0;
}

static void keep_expiry(struct mpri_value *value, const struct mpri_entry *e,
                        bool present)
{
    value->expires = present ? e->kept.expires : MPR_FOREVER;
    value->flags &= ~(uint32_t)MPRI_KEPT_TTL;
    if (value->expires != MPR_FOREVER)
        value->flags |= MPRI_KEPT_TTL;
}

/* A sum on its way into the table. */
struct sum {
    struct mpri_value value;
    uint8_t bytes[16];
};

/* *value is what to store: c's own, or a sum. */
static int make_value(struct mpri_change *c, const struct mpri_entry *e,
                      bool present, struct sum *sum, struct mpri_value **value)
{
    struct mpr_scalar n;
    int err;

    *value = c->value;
    c->sum = c->first; /* an attempt before this one may have found a number */
    if (c->add && present) {
        err = mpri_scalar_read(&e->kept, &n);
        if (err < 0)
            return err;
        c->sum = mpri_scalar_sum(&n, c->add);
        sum->value = (struct mpri_value){
            .bytes = sum->bytes,
            .size = mpri_scalar_write(&c->sum, sum->bytes),
        };
        *value = &sum->value;
        keep_expiry(*value, e, present);
    } else if (c->when == MPRI_IF_SAME && c->value) {
        keep_expiry(*value, e, present);
    }
    return 0;
}

static void note_expiry(struct mpri_table *t, int64_t expires)
{
    uint64_t first = mpri_load_rlx(&t->expires);

    while ((int64_t)first > expires &&
           !mpri_cas_rel(&t->expires, &first, (uint64_t)expires))
        ;
}

static int put(struct mpri_table *t, struct mpri_shard *s, struct mpri_view v,
               const struct mpri_change *c, const struct mpri_entry *e,
               bool present, struct mpri_value *value, mpr_handle *old)
{
    uint32_t words = mpri_entry_words(&c->key, mpri_value_words(value));
    uint32_t position = mpri_shard_take(s, words);
    /* Fewer than 2^64 keys are ever new. */
    uint64_t order =
        present ? mpri_load_rlx(&e->words[1]) : mpri_add_rlx(&t->order, 1);
    int err;

    if (value->flags & MPRI_KEPT_TTL)
        note_expiry(t, value->expires);
    mpri_image_write(v, position, &c->key, order, value);
    err = mpri_shard_publish(s, v, e, mpri_slot_word(c->key.head, position),
                             value, old);
    if (err == 0 && !e->words)
        mpri_add_rlx(&t->count, 1);
    MPRI_TESTPOINT("change.put");
    return err;
}

/* Whether the table should get another shard. */
static bool is_crowded(struct mpri_table *t, struct mpri_shard *s)
{
    if (mpri_shard_fill(s).live > MPRI_SHARD_KEYS)
        return true;
    /* Large values: images get smaller, up to one for eight keys. */
    return mpri_layout_words(mpri_load_rlx(&s->layout)) > LARGE_IMAGE &&
           mpri_load_rlx(&t->count) / 8 >
               mpri_shape_count(mpri_load_rlx(&t->shape));
}

/* What is done when nothing is locked any more. */
struct rest {
    mpr_handle block; /* room that was made, and perhaps not used */
    mpr_handle old;   /* what the value that was replaced held */
    mpr_handle image; /* of a shard that has no keys now */
    bool crowded, sparse;
};

static int store(struct mpri_table *t, struct mpri_shard *s,
                 const struct mpri_change *c, struct mpri_entry *e,
                 bool present, struct mpri_value *value, struct rest *rest)
{
    uint32_t words = mpri_entry_words(&c->key, mpri_value_words(value));
    struct mpri_view v = mpri_shard_view(s);
    int err;

    if (!v.words ||
        !mpri_image_takes(v.layout, mpri_shard_fill(s), words, !e->words)) {
        err = make_room(t, s, words, &rest->block);
        if (err < 1)
            return err == 0 ? AGAIN : err;
        v = mpri_shard_view(s);
        mpri_image_find(v, &c->key, e);
    }
    err = put(t, s, v, c, e, present, value, &rest->old);
    rest->crowded = !present && is_crowded(t, s);
    mpri_mutex_unlock(&s->lock);
    return err;
}

static int take_out(struct mpri_table *t, struct mpri_shard *s,
                    const struct mpri_entry *e, struct rest *rest)
{
    struct mpri_view v = mpri_shard_view(s);
    int err = mpri_shard_publish(s, v, e, MPRI_REMOVED, NULL, &rest->old);

    if (err == 0)
        mpri_add_rlx(&t->count, (uint64_t)-1);
    MPRI_TESTPOINT("change.removed");
    if (mpri_shard_fill(s).live)
        rest->sparse = is_sparse(s);
    else if (mpri_layout_words(v.layout) > SMALL_IMAGE)
        mpri_shard_detach(s, &rest->image);
    mpri_mutex_unlock(&s->lock);
    return err;
}

/* The shard is locked, and is not at the end. */
static int attempt(struct mpri_table *t, struct mpri_shard *s,
                   struct mpri_change *c, struct rest *rest)
{
    struct mpri_value *value = NULL;
    struct mpri_entry e;
    struct sum sum;
    bool present;
    int err;

    if (mpri_is_reserved(&t->reservation, c->key.hash, c->me)) {
        mpri_mutex_unlock(&s->lock);
        err = mpri_await_release(&t->reservation, c->key.hash, c->me);
        return err < 0 ? err : AGAIN;
    }
    err = mpri_image_find(mpri_shard_view(s), &c->key, &e) ? 0 : -EBADMSG;
    present = err == 0 && e.words && !mpri_kept_expired(&e.kept);
    if (err == 0)
        err = ask(c, &e, present);
    if (err == 0)
        err = make_value(c, &e, present, &sum, &value);
    if (err == 0 && value)
        return store(t, s, c, &e, present, value, rest);
    if (err == 0 && e.words)
        return take_out(t, s, &e, rest);
    mpri_mutex_unlock(&s->lock);
    return err;
}

int mpri_table_change(struct mpri_table *t, struct mpri_change *c)
{
    struct rest rest = {0};
    int r;

    do
        r = attempt(t, mpri_table_lock(t, c->key.hash), c, &rest);
    while (r == AGAIN);
    mpri_drop(&rest.old);
    mpri_drop(&rest.image);
    mpri_drop(&rest.block);
    if (rest.crowded)
        mpri_table_grow(t);
    if (rest.sparse)
        shrink(t, c->key.hash);
    return r;
}
