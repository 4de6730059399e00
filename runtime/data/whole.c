#include "data/whole.h"

#include "base/testpoint.h"
#include "data/snapshot.h"
#include "ipc/message.h"
#include "os/os.h"

#include <errno.h>

/* With so few shards the youngest key of all is looked for. */
enum { FEW_SHARDS = 4 };

/* All shards are locked. The next time that is over comes back. */
static int64_t purge(struct mpri_table *t, struct mpri_shard *s, int64_t now)
{
    struct mpri_view v = mpri_shard_view(s);
    int64_t next = MPR_FOREVER;
    struct mpri_entry e;
    uint32_t slot = 0;

    while (mpri_image_next(v, &slot, &e)) {
        mpr_handle old = {0};

        if (e.kept.expires > now) {
            if (e.kept.expires < next)
                next = e.kept.expires;
            continue;
        }
        if (mpri_shard_publish(s, v, &e, MPRI_REMOVED, NULL, &old) == 0)
            mpri_add_rlx(&t->count, (uint64_t)-1);
        mpri_drop(&old);
    }
    return next;
}

static void purge_all(struct mpri_table *t, int64_t now)
{
    uint32_t n = mpri_table_lock_all(t);
    int64_t next = MPR_FOREVER;

    for (uint32_t i = 0; i < n; i++) {
        struct mpri_shard *s = mpri_table_shard(t, i);
        int64_t expires;

        if (!mpri_table_current(t, s))
            continue;
        expires = purge(t, s, now);
        if (expires < next)
            next = expires;
    }
    MPRI_TESTPOINT("whole.purged");
    mpri_store_rlx(&t->expires, (uint64_t)next);
    mpri_table_unlock_from(t, 0, n);
}

int64_t mpri_table_len(struct mpri_table *t)
{
    int64_t expires = (int64_t)mpri_load_rlx(&t->expires);

    if (expires != MPR_FOREVER) {
        int64_t now = mpri_now_ns();

        if (expires <= now)
            purge_all(t, now);
    }
    if (mpri_load_seq(&t->recount)) {
        uint32_t n = mpri_table_lock_all(t);

        mpri_table_recount(t, n);
        mpri_table_unlock_from(t, 0, n);
    }
    return (int64_t)mpri_load_acq(&t->count);
}

void mpri_table_clear(struct mpri_table *t)
{
    uint32_t n = mpri_table_lock_all(t);

    mpri_store_seq(&t->recount, 1);
    MPRI_TESTPOINT("whole.clearing");
    /* Commit point: every image is of an earlier epoch now. */
    mpri_add_seq(&t->shape, 1ULL << 32);
    MPRI_TESTPOINT("whole.cleared");
    mpri_store_rlx(&t->count, 0);
    mpri_store_rlx(&t->expires, (uint64_t)MPR_FOREVER);
    mpri_store_seq(&t->recount, 0);
    for (uint32_t i = 0; i < n; i++) {
        mpri_table_scrub(mpri_table_shard(t, i));
        mpri_mutex_unlock(&mpri_table_shard(t, i)->lock);
    }
    mpri_table_unlock_from(t, n, n);
}

/* ---- a copy ------------------------------------------------------------------------ */

/* What the copy will need at most. All shards are locked. */
static struct mpri_snapshot_need need(struct mpri_table *t, uint32_t n)
{
    struct mpri_snapshot_need need = {0};

    for (uint32_t i = 0; i < n; i++) {
        struct mpri_shard *s = mpri_table_shard(t, i);
        struct mpri_fill fill = mpri_shard_fill(s);

        if (!mpri_table_current(t, s))
            continue;
        need.words += fill.used;
        need.items += fill.live;
        if (mpri_load_rlx(&s->layout) & MPRI_LAYOUT_REFS)
            need.refs += fill.live;
    }
    return need;
}

static int copy_shard(struct mpri_shard *s, struct mpr_snapshot *to)
{
    struct mpri_view v = mpri_shard_view(s);
    struct mpri_entry e;
    uint32_t slot = 0;
    int err = 0;

    while (err == 0 && mpri_image_next(v, &slot, &e))
        if (!mpri_kept_expired(&e.kept))
            err = mpri_snapshot_add(to, &e);
    return err;
}

int mpri_table_snapshot(struct mpri_table *t, struct mpr_snapshot *s)
{
    uint32_t n, i;
    int err = 0;

    for (;;) {
        struct mpri_snapshot_need all;

        n = mpri_table_lock_all(t);
        all = need(t, n);
        if (mpri_snapshot_has_room(s, &all))
            break;
        mpri_table_unlock_from(t, 0, n);
        err = mpri_snapshot_reserve(s, &all);
        if (err < 0)
            return err;
    }
    for (i = 0; i < n; i++) {
        struct mpri_shard *from = mpri_table_shard(t, i);

        if (err == 0 && mpri_table_current(t, from))
            err = copy_shard(from, s);
        MPRI_TESTPOINT("whole.copied");
        /* What it was when all were locked is copied. */
        mpri_mutex_unlock(&from->lock);
    }
    mpri_table_unlock_from(t, n, n);
    if (err == 0)
        mpri_snapshot_sort(s);
    return err;
}

/* ---- some key ------------------------------------------------------------------------- */

struct youngest {
    uint64_t order;
    uint64_t head;
};

/* Copies the shard's youngest key, if it is younger than what was found: 1
 * when it was; 0; -EAGAIN: m must have room for size bytes. */
static int youngest_of(struct mpri_shard *s, struct youngest *best,
                       struct mpr_message *m, uint64_t *size)
{
    struct mpri_view v = mpri_shard_view(s);
    struct mpri_entry e, found = {0};
    uint32_t slot = 0;

    while (mpri_image_next(v, &slot, &e)) {
        uint64_t order = mpri_load_rlx(&e.words[1]);

        if (order < best->order || mpri_kept_expired(&e.kept))
            continue;
        best->order = order + 1;
        found = e;
    }
    if (!found.words)
        return 0;
    best->head = mpri_load_rlx(found.words);
    *size = mpri_key_head_size(best->head);
    if (*size > m->capacity)
        return -EAGAIN;
    mpri_words_get(m->buffer, m->capacity, found.key, *size);
    return 1;
}

static int some(struct mpri_table *t, struct youngest *best,
                struct mpr_message *m, uint64_t *size)
{
    uint32_t n = mpri_shape_count(mpri_load_acq(&t->shape));
    uint32_t from = mpri_load_rlx(&t->cursor), found = n;
    bool few = n <= FEW_SHARDS;
    int r = 0;

    for (uint32_t i = 0; i < n && r >= 0 && (few || found == n); i++) {
        uint32_t at = few ? i : (from + i) % n;
        struct mpri_shard *s = mpri_table_shard(t, at);

        if (mpri_shard_fill(s).live == 0)
            continue;
        mpri_table_lock_at(t, s);
        r = mpri_table_current(t, s) ? youngest_of(s, best, m, size) : 0;
        mpri_mutex_unlock(&s->lock);
        if (r == 1)
            found = at;
    }
    if (r < 0)
        return r;
    if (found == n)
        return -ENOENT;
    mpri_store_rlx(&t->cursor, found);
    return 0;
}

int mpri_table_some(struct mpri_table *t, struct mpr_key *key,
                    struct mpr_message *m)
{
    struct youngest best;
    uint64_t size = 0;
    int err;

    mpr_message_clear(m);
    for (;;) {
        best = (struct youngest){0};
        err = some(t, &best, m, &size);
        if (err != -EAGAIN)
            break;
        err = mpri_message_reserve(m, size, 0);
        if (err < 0)
            return err;
    }
    if (err == 0)
        mpri_key_out(best.head, m->buffer, key);
    return err;
}
