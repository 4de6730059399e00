#include "data/table.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "mpr.h"
#include "peer/roster.h"

#include <errno.h>

void mpri_table_scrub(struct mpri_shard *s)
{
    mpr_handle old;

    mpri_shard_drop_refs(s);
    MPRI_TESTPOINT("table.scrubbed");
    if (mpri_shard_detach(s, &old) == 0)
        mpri_drop(&old);
}

void mpri_table_lock_at(struct mpri_table *t, struct mpri_shard *s)
{
    if (mpri_mutex_lock(&s->lock, MPR_FOREVER) == -EOWNERDEAD) {
        mpri_store_seq(&t->recount, 1);
        mpri_shard_repair(s);
    }
}

struct mpri_shard *mpri_table_lock(struct mpri_table *t, uint64_t hash)
{
    for (;;) {
        uint32_t n = mpri_shape_count(mpri_load_acq(&t->shape));
        uint32_t i = mpri_table_index(hash, n);
        struct mpri_shard *s = mpri_table_shard(t, i);

        mpri_table_lock_at(t, s);
        /* Whoever moves keys out of it locks it: now it is for good. */
        n = mpri_shape_count(mpri_load_acq(&t->shape));
        if (mpri_table_index(hash, n) == i) {
            if (!mpri_table_current(t, s))
                mpri_table_scrub(s);
            return s;
        }
        mpri_mutex_unlock(&s->lock);
    }
}

uint32_t mpri_table_lock_all(struct mpri_table *t)
{
    uint32_t n;

    if (mpri_mutex_lock(&t->growing, MPR_FOREVER) == -EOWNERDEAD) {
        mpri_guard_lock(); /* undoes what it had not committed */
        mpri_guard_unlock();
    }
    n = mpri_shape_count(mpri_load_acq(&t->shape));
    for (uint32_t i = 0; i < n; i++)
        mpri_table_lock_at(t, mpri_table_shard(t, i));
    return n;
}

void mpri_table_unlock_from(struct mpri_table *t, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < n; i++)
        mpri_mutex_unlock(&mpri_table_shard(t, i)->lock);
    mpri_mutex_unlock(&t->growing);
}

void mpri_table_recount(struct mpri_table *t, uint32_t n)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct mpri_shard *s = mpri_table_shard(t, i);

        if (mpri_table_current(t, s))
            count += mpri_shard_fill(s).live;
    }
    mpri_store_rlx(&t->count, count);
    mpri_store_seq(&t->recount, 0);
}

/* ---- growing --------------------------------------------------------------- */

/* What goes to one side of a shard that is split. */
struct half {
    mpr_handle block;
    struct mpri_draft draft;
    uint32_t live;
    uint64_t words;
};

static bool moves(const struct mpri_entry *e, uint32_t from, uint32_t n)
{
    uint64_t hash = mpri_key_hash(mpri_load_rlx(e->words), e->key);

    return mpri_table_index(hash, n + 1) != from;
}

static void weigh(struct mpri_shard *s, uint32_t from, uint32_t n,
                  struct half half[2])
{
    struct mpri_view v = mpri_shard_view(s);
    struct mpri_entry e;
    uint32_t slot = 0;

    while (mpri_image_next(v, &slot, &e)) {
        struct half *h = &half[moves(&e, from, n)];

        h->live++;
        h->words += e.count;
    }
}

static int make_block(struct half *h)
{
    uint64_t size = mpri_image_size(h->live, h->words);

    if (!h->live)
        return 0;
    return size ? mpri_block_create(size, MPRI_BLOCK_PRIVATE, &h->block)
                : -ENOMEM;
}

/* Copies the shard's entries into the drafts; false when more came than was
 * weighed. */
static bool divide(struct mpri_table *t, struct mpri_shard *s, uint32_t from,
                   uint32_t n, struct half half[2])
{
    struct mpri_view v = mpri_shard_view(s);
    struct mpri_entry e;
    uint32_t slot = 0;

    for (int i = 0; i < 2; i++)
        if (half[i].block.block)
            mpri_draft_begin(&half[i].draft, &half[i].block, half[i].live,
                             mpri_shape_epoch(mpri_load_rlx(&t->shape)));
    while (mpri_image_next(v, &slot, &e)) {
        struct half *h = &half[moves(&e, from, n)];

        if (!h->block.block || !mpri_draft_add(&h->draft, &e))
            return false;
    }
    return true;
}

/* In a transaction. */
static void install(struct mpri_shard *s, const struct half *h)
{
    bool any = h->block.block != NULL;

    mpri_tx_set((uint64_t *)(void *)&s->image,
                any ? mpri_off(h->block.block) : 0);
    mpri_tx_set((uint64_t *)(void *)&s->layout, any ? h->draft.view.layout : 0);
    mpri_tx_set((uint64_t *)(void *)&s->fill,
                any ? mpri_fill_word(h->draft.fill) : 0);
}

/* Both shards are locked. */
static int commit_split(struct mpri_table *t, struct mpri_shard *s,
                        struct mpri_shard *to, struct half half[2],
                        mpr_handle *old)
{
    struct mpri_slot *self = mpri_slot(mpri_self.slot);
    uint64_t image = mpri_load_rlx(&s->image);
    int err;

    mpri_generation_odd(&s->generation);
    mpri_generation_odd(&to->generation);
    err = mpri_hold_lock(1);
    if (err == 0) {
        mpri_tx_set((uint64_t *)(void *)&t->shape,
                    mpri_load_rlx(&t->shape) + 1);
        install(s, &half[0]);
        install(to, &half[1]);
        for (int i = 0; i < 2; i++)
            if (half[i].block.block)
                mpri_hold_clear(self, half[i].block.hold);
        if (image)
            *old = (mpr_handle){
                .block = mpri_at(image),
                .hold = mpri_hold_put(image | MPRI_HOLD_PRIVATE),
            };
        MPRI_TESTPOINT("table.split");
        mpri_tx_commit();
        mpri_guard_unlock();
        half[0].block.block = half[1].block.block = NULL;
    }
    mpri_generation_even(&to->generation);
    mpri_generation_even(&s->generation);
    return err;
}

/* Takes shard n's keys from where they are: true when that is done. growing
 * is held. */
static bool split(struct mpri_table *t, uint32_t n)
{
    uint32_t from = n - (1U << (31 - __builtin_clz(n)));
    struct mpri_shard *s = mpri_table_shard(t, from);
    struct mpri_shard *to = mpri_table_shard(t, n);
    struct half half[2] = {0};
    mpr_handle old = {0};
    bool done = false;

    mpri_table_lock_at(t, s);
    if (!mpri_table_current(t, s))
        mpri_table_scrub(s);
    weigh(s, from, n, half);
    mpri_mutex_unlock(&s->lock);
    if (make_block(&half[0]) < 0 || make_block(&half[1]) < 0)
        goto drop;
    MPRI_TESTPOINT("table.blocks");
    mpri_table_lock_at(t, s);
    mpri_table_lock_at(t, to);
    done = mpri_table_current(t, s) && divide(t, s, from, n, half) &&
           commit_split(t, s, to, half, &old) == 0;
    mpri_mutex_unlock(&to->lock);
    mpri_mutex_unlock(&s->lock);
drop:
    mpri_drop(&half[0].block);
    mpri_drop(&half[1].block);
    mpri_drop(&old);
    return done;
}

/* The segment in which shard n will be; growing is held. */
static int make_segment(struct mpri_table *t, uint32_t n)
{
    unsigned k = (unsigned)(31 - __builtin_clz(n)) / 2;
    uint64_t *word = mpri_table_segment(t, k);
    uint64_t count = 3ULL << 2 * k;
    mpr_handle h;
    int err;

    if (*word)
        return 0;
    err = mpri_block_create(32 + count * sizeof(struct mpri_shard),
                            MPRI_BLOCK_ZERO | MPRI_BLOCK_PRIVATE, &h);
    if (err == 0)
        mpri_ref_move(word, &h);
    MPRI_TESTPOINT("table.segment");
    return err;
}

void mpri_table_grow(struct mpri_table *t)
{
    int r = mpri_mutex_lock(&t->growing, 0);
    uint32_t n;

    if (r == -ETIMEDOUT)
        return;
    if (r == -EOWNERDEAD) {
        mpri_guard_lock();
        mpri_guard_unlock();
    }
    n = mpri_shape_count(mpri_load_acq(&t->shape));
    if (n < MPRI_SHARDS_MAX && make_segment(t, n) == 0)
        /* Others may put keys between the weighing and the dividing. */
        for (int i = 0; i < 3 && !split(t, n); i++)
            ;
    mpri_mutex_unlock(&t->growing);
}

/* ---- the end ------------------------------------------------------------------ */

void mpri_table_abandon(struct mpri_table *t, uint32_t slot)
{
    uint32_t n = mpri_shape_count(mpri_load_acq(&t->shape));

    mpri_mutex_abandon(&t->growing, slot);
    for (uint32_t i = 0; i <= n; i++) {
        /* Shard n may be in the making. */
        unsigned k = i ? (unsigned)(31 - __builtin_clz(i)) / 2 : 0;

        if (i == 0 || (i < MPRI_SHARDS_MAX && *mpri_table_segment(t, k)))
            if (mpri_mutex_abandon(&mpri_table_shard(t, i)->lock, slot))
                mpri_store_seq(&t->recount, 1);
    }
    mpri_reservation_abandon(&t->reservation, slot);
}

static void destroy_shard(struct mpri_shard *s)
{
    mpri_shard_drop_refs(s);
    MPRI_TESTPOINT("table.dropping");
    mpri_ref_drop((uint64_t *)(void *)&s->image);
}

void mpri_table_destroy(struct mpri_table *t)
{
    uint32_t n = mpri_shape_count(mpri_load_acq(&t->shape));

    for (unsigned k = MPRI_SEGMENTS + MPRI_SEGMENTS_MORE; k-- > 0;) {
        uint32_t i = 1U << 2 * k, end = i * 4;

        /* 0: there was none, or a predecessor was killed after this one. */
        if (!*mpri_table_segment(t, k))
            continue;
        for (; i < end && i < n; i++)
            destroy_shard(mpri_table_shard(t, i));
        mpri_ref_drop(mpri_table_segment(t, k));
    }
    destroy_shard(&t->first);
}
