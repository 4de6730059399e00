/* Rings against a model: what goes in comes out, whole and in order, however
 * the frames lie. What kills do is shown by queue_test.c. */

#include "ipc/ring.h"

#include "base/test.h"
#include "ipc/frame.h"

#include <pthread.h>

static int64_t soon(void)
{
    return mpr_after(20.0 * TEST_SLOWER);
}

/* ---- a ring of our own ------------------------------------------------------*/

static struct mpr_stats before;

/* room 0: a growing ring. Numbers begin with first. */
static struct mpri_ring *make(mpr_handle *h, uint32_t room, uint64_t bound,
                              uint64_t first)
{
    struct mpri_ring *r;

    CHECK_IS(mpr_stats(&before), 0);
    CHECK_IS(mpri_block_create(32 + sizeof *r + room, MPRI_BLOCK_ZERO, h), 0);
    r = (struct mpri_ring *)(void *)((char *)h->block + 64);
    if (room)
        mpri_ring_init(r, room);
    else
        mpri_ring_init_growing(r, bound);
    r->tail = r->head = r->freed = r->tail_seen = r->head_seen = r->freed_seen =
        mpri_position(0, first);
    return r;
}

static void unmake(struct mpri_ring *r, mpr_handle *h)
{
    struct mpr_stats after;

    mpri_ring_destroy(r);
    mpri_drop(h);
    CHECK_IS(mpr_check(), 0);
    CHECK_IS(mpr_stats(&after), 0);
    for (unsigned k = 0; k < MPR_KIND_END; k++)
        CHECK_IS(after.objects[k], before.objects[k]);
    CHECK_IS(after.holds, before.holds);
}

/* ---- messages that can be told apart ------------------------------------------*/

static mpr_lock locks[4];              /* objects to send */
static const mpr_handle *objects[300]; /* the locks, again and again */
static uint8_t pattern[300000];

struct item {
    uint64_t seed; /* where in the pattern the bytes begin */
    uint64_t size;
    uint32_t refs;
};

static uint64_t some_size(void)
{
    switch (test_below(10)) {
    case 0:
        return 0;
    case 1:
        return test_below(20000); /* about where messages get heavy */
    case 2:
        return test_below(200000);
    case 3:
        return test_below(900);
    default:
        return test_below(40);
    }
}

static struct item some_item(void)
{
    struct item it = {
        .seed = test_below(1000),
        .size = some_size(),
        .refs = test_below(4) ? 0 : (uint32_t)test_below(4),
    };

    if (test_below(50) == 0)
        it.refs = (uint32_t)test_below(300);
    return it;
}

static struct mpr_parcel parcel_of(const struct item *it)
{
    return (struct mpr_parcel){
        .bytes = pattern + it->seed,
        .size = it->size,
        .refs = objects,
        .ref_count = it->refs,
    };
}

static void check_message(const struct mpr_message *m, const struct item *it)
{
    CHECK_IS(m->size, it->size);
    CHECK(m->size == 0 || memcmp(m->bytes, pattern + it->seed, m->size) == 0);
    CHECK_IS(m->ref_count, it->refs);
    for (uint32_t i = 0; i < m->ref_count; i++)
        CHECK_IS(mpr_handle_id(&m->refs[i]), mpr_handle_id(&locks[i % 4].h));
}

/* ---- the model -------------------------------------------------------------------*/

enum { MODEL = 4096 };

static struct {
    struct item item[MODEL];
    unsigned head, tail;
} model;

static unsigned in_model(void)
{
    return model.tail - model.head;
}

static void put_one(struct mpri_ring *r)
{
    struct item it = some_item();
    struct mpr_parcel p = parcel_of(&it);
    int err;

    if (in_model() == MODEL)
        return;
    err = mpri_ring_put(r, &p, 0);
    if (err == -ETIMEDOUT)
        return;
    CHECK_IS(err, 0);
    model.item[model.tail++ % MODEL] = it;
}

static void put_several(struct mpri_ring *r)
{
    struct mpr_parcel p[40];
    struct item it[40];
    size_t n = test_below(40), done = 0;
    int err;

    if (in_model() + n > MODEL)
        return;
    for (size_t i = 0; i < n; i++) {
        it[i] = some_item();
        p[i] = parcel_of(&it[i]);
    }
    err = mpri_ring_put_many(r, p, n, &done, 0);
    CHECK(err == 0 ? done == n : err == -ETIMEDOUT && done < n);
    for (size_t i = 0; i < done; i++)
        model.item[model.tail++ % MODEL] = it[i];
}

static void get_one(struct mpri_ring *r, struct mpr_message *m)
{
    int err = mpri_ring_get(r, m, UINT64_MAX, 0);

    if (in_model() == 0) {
        CHECK_IS(err, -ETIMEDOUT);
        return;
    }
    CHECK_IS(err, 0);
    check_message(m, &model.item[model.head++ % MODEL]);
    if (test_below(2))
        mpr_message_clear(m);
}

static void get_several(struct mpri_ring *r, struct mpr_batch *b)
{
    uint32_t max = 1 + (uint32_t)test_below(60);
    int n = mpri_ring_get_many(r, b, max, 0);

    if (in_model() == 0) {
        CHECK_IS(n, -ETIMEDOUT);
        return;
    }
    CHECK(n >= 1 && n <= (int)max && n <= (int)in_model());
    CHECK_IS(b->count, n);
    for (int i = 0; i < n; i++)
        check_message(&b->messages[i], &model.item[model.head++ % MODEL]);
}

/* Random operations, with times of filling and times of draining. */
static void against_model(struct mpri_ring *r, unsigned rounds)
{
    struct mpr_message m = {0};
    struct mpr_batch b = {0};
    unsigned filling = 50;

    memset(&model, 0, sizeof model);
    for (unsigned i = 0; i < rounds; i++) {
        if (i % 200 == 0)
            filling = 20 + (unsigned)test_below(60);
        if (test_below(100) < filling) {
            if (test_below(8))
                put_one(r);
            else
                put_several(r);
        } else if (test_below(8)) {
            get_one(r, &m);
        } else {
            get_several(r, &b);
        }
        CHECK_IS(mpri_ring_count(r), in_model());
        if (r->bound < MODEL)
            CHECK(in_model() <= r->bound);
    }
    /* Half of the time the rest is dropped with the ring. */
    while (in_model() && rounds % 2)
        get_one(r, &m);
    mpr_message_free(&m);
    mpr_batch_free(&b);
}

static void fixed(void)
{
    static const uint32_t room[] = {256, 1024, 4096, 16384};
    mpr_handle h;

    for (unsigned i = 0; i < 4; i++) {
        struct mpri_ring *r = make(&h, room[i], 0, 0);

        against_model(r, test_rounds(10000) + i);
        unmake(r, &h);
    }
}

static void growing(void)
{
    mpr_handle h;

    for (unsigned i = 0; i < 4; i++) {
        struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

        against_model(r, test_rounds(10000) + i);
        unmake(r, &h);
    }
}

static void bounded(void)
{
    mpr_handle h;

    for (unsigned bound = 1; bound < 200; bound *= 3) {
        struct mpri_ring *r = make(&h, 0, bound, 0);

        against_model(r, test_rounds(3000) + bound);
        unmake(r, &h);
    }
}

/* Numbers come round after 2^39 messages, and change sides after 2^38. */
static void numbers(void)
{
    static const uint64_t from[] = {
        MPRI_NUMBER_MAX - 300,
        MPRI_NUMBER_MAX / 2 - 300,
    };
    mpr_handle h;

    for (unsigned i = 0; i < 4; i++) {
        struct mpri_ring *r =
            make(&h, i < 2 ? 0 : 4096, MPRI_NUMBER_MAX, from[i % 2]);

        against_model(r, test_rounds(10000) + 1);
        unmake(r, &h);
    }
}

/* A segment through which half of all numbers went is not gone round in any
 * more, but followed by a new one. */
static void old_segment(void)
{
    struct item it = {.size = 100};
    struct mpr_parcel p = parcel_of(&it);
    struct mpr_message m = {0};
    struct mpri_ring_segment *s;
    struct mpri_ring *r;
    uint64_t old, number;
    mpr_handle h;

    r = make(&h, 0, MPRI_NUMBER_MAX, 0);
    CHECK_IS(mpri_ring_put(r, &p, 0), 0);
    CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), 0);
    old = r->put_segment;
    s = mpri_segment_of(&r->put_segment);
    number = mpri_position_number(r->tail) + MPRI_NUMBER_MAX / 2;
    CHECK(number - s->first > MPRI_NUMBER_MAX / 2);
    r->tail = r->head = r->freed = r->tail_seen = r->head_seen = r->freed_seen =
        mpri_position(mpri_position_at(r->tail), number);
    for (int i = 0; i < 100; i++) {
        CHECK_IS(mpri_ring_put(r, &p, 0), 0);
        CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), 0);
        check_message(&m, &it);
    }
    CHECK(r->put_segment != old);
    mpr_message_free(&m);
    unmake(r, &h);
}

/* Every length of frame at every place: no frame is cut at an edge. */
static void edges(void)
{
    struct mpr_message m = {0};
    mpr_handle h;
    struct mpri_ring *r = make(&h, 1024 + 32, 0, 0);

    for (unsigned size = 0; size <= 240; size++)
        for (unsigned n = 0; n < 40; n++) {
            struct item it = {.seed = n, .size = size};
            struct mpr_parcel p = parcel_of(&it);

            CHECK_IS(mpri_ring_put(r, &p, 0), 0);
            CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), 0);
            check_message(&m, &it);
        }
    mpr_message_free(&m);
    unmake(r, &h);
}

/* Batches of every length, of messages whose lengths do not divide. */
static void batches(void)
{
    struct mpr_batch b = {0};
    mpr_handle h;
    struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

    for (unsigned count = 1; count < 3000; count += 1 + count / 7) {
        for (unsigned i = 0; i < count; i++) {
            struct item it = {.seed = i, .size = 2 + i % 9 / 8};
            struct mpr_parcel p = parcel_of(&it);

            CHECK_IS(mpri_ring_put(r, &p, 0), 0);
        }
        for (unsigned i = 0; i < count;) {
            int n = mpri_ring_get_many(r, &b, count - i, soon());

            CHECK(n > 0);
            for (int k = 0; k < n; k++, i++) {
                struct item it = {.seed = i, .size = 2 + i % 9 / 8};

                check_message(&b.messages[k], &it);
            }
        }
        if (count % 3 == 0)
            mpr_batch_free(&b);
    }
    mpr_batch_free(&b);
    unmake(r, &h);
}

/* ---- memory ------------------------------------------------------------------------*/

static uint64_t used(void)
{
    struct mpr_stats s;

    CHECK_IS(mpr_stats(&s), 0);
    return s.used;
}

/* Segments come as they are needed, and go as they are left. */
static void gives_back(void)
{
    uint32_t n = test_rounds(200000);
    struct mpr_message m = {0};
    uint64_t empty, full;
    mpr_handle h;
    struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

    empty = used();
    for (uint32_t i = 0; i < n; i++) {
        struct mpr_parcel p = {.bytes = &i, .size = sizeof i};

        CHECK_IS(mpri_ring_put(r, &p, 0), 0);
    }
    full = used();
    /* 16 bytes a message, and the first segment is not far from the last. */
    CHECK(full - empty < 16ULL * n * 5 / 4 + 300000);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), 0);
        CHECK(memcmp(m.bytes, &i, sizeof i) == 0);
        if (i == n / 2)
            CHECK(used() - empty < (full - empty) / 2 + 300000);
    }
    CHECK(used() - empty <= 131072 + 16384);
    mpr_message_free(&m);
    unmake(r, &h);
}

/* A ring that is never long keeps its one small segment. */
static void stays_small(void)
{
    struct mpr_message m = {0};
    struct mpr_stats s;
    mpr_handle h;
    struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

    for (uint32_t i = 0; i < 10000; i++) {
        struct mpr_parcel p = {.bytes = pattern, .size = i % 100};

        for (int k = 0; k < 5; k++)
            CHECK_IS(mpri_ring_put(r, &p, 0), 0);
        for (int k = 0; k < 5; k++)
            CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), 0);
    }
    CHECK_IS(mpr_stats(&s), 0);
    CHECK_IS(s.objects[MPR_KIND_SEGMENT], 1);
    CHECK_IS(s.bytes[MPR_KIND_SEGMENT], 2048);
    mpr_message_free(&m);
    unmake(r, &h);
}

/* ---- outcomes -------------------------------------------------------------------------*/

static void too_large(void)
{
    struct mpr_parcel p = {.bytes = pattern, .size = UINT64_MAX / 2};
    struct mpr_message m = {0};
    mpr_handle h;
    struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

    CHECK_IS(mpri_ring_put(r, &p, soon()), -ENOMEM);
    CHECK_IS(mpri_ring_count(r), 0);
    CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), -ETIMEDOUT);
    p.size = 10;
    p.ref_count = MPR_PARCEL_REFS + 1;
    CHECK_IS(mpri_ring_put(r, &p, soon()), -EMSGSIZE);
    p.ref_count = 0;
    CHECK_IS(mpri_ring_put(r, &p, soon()), 0);
    CHECK_IS(mpri_ring_get(r, &m, 9, 0), -EMSGSIZE);
    CHECK_IS(mpri_ring_get(r, &m, 10, 0), 0);
    mpr_message_free(&m);
    unmake(r, &h);
}

/* The caller's own buffer: what does not fit stays. */
static void own_buffer(void)
{
    uint8_t buffer[64];
    struct mpr_message m = {.buffer = buffer, .capacity = 64, .fixed = 1};
    struct mpr_message any = {0};
    struct item it[] = {
        {.size = 64}, {.size = 65}, {.size = 5, .refs = 1}, {.size = 100000}};
    mpr_handle h;
    struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

    for (unsigned i = 0; i < 4; i++) {
        struct mpr_parcel p = parcel_of(&it[i]);

        CHECK_IS(mpri_ring_put(r, &p, 0), 0);
        CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), i == 0 ? 0 : -E2BIG);
        if (i == 0) {
            check_message(&m, &it[i]);
            continue;
        }
        CHECK_IS(mpri_ring_count(r), 1);
        CHECK_IS(mpri_ring_get(r, &any, UINT64_MAX, 0), 0);
        check_message(&any, &it[i]);
    }
    mpr_message_free(&any);
    unmake(r, &h);
}

static void closed(void)
{
    struct item it = {.size = 7, .refs = 2};
    struct mpr_parcel p = parcel_of(&it);
    struct mpr_message m = {0};
    struct mpr_batch b = {0};
    mpr_handle h;
    struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);

    for (int i = 0; i < 3; i++)
        CHECK_IS(mpri_ring_put(r, &p, 0), 0);
    mpri_ring_close(r);
    CHECK(mpri_ring_closed(r));
    CHECK_IS(mpri_ring_put(r, &p, soon()), -EPIPE);
    it.size = 100000;
    p = parcel_of(&it);
    CHECK_IS(mpri_ring_put(r, &p, soon()), -EPIPE);
    CHECK_IS(mpri_ring_count(r), 3);
    CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, 0), 0);
    CHECK_IS(mpri_ring_get_many(r, &b, 10, soon()), 2);
    CHECK_IS(mpri_ring_get_many(r, &b, 10, soon()), -EPIPE);
    CHECK_IS(mpri_ring_get(r, &m, UINT64_MAX, soon()), -EPIPE);
    CHECK_IS(mpri_ring_poll(r, soon()), 1);
    mpr_message_free(&m);
    mpr_batch_free(&b);
    unmake(r, &h);
}

/* Memory that somebody wrote over is reported, not believed. */
static void damaged(void)
{
    struct item it = {.size = 30};
    struct mpr_parcel p = parcel_of(&it);
    mpr_handle h;

    for (unsigned round = 0; round < test_rounds(20000); round++) {
        struct mpr_message m = {0};
        struct mpri_ring *r = make(&h, 1024, 0, 0);
        struct mpri_frame *f;
        int err;

        for (int i = 0; i < 5; i++)
            CHECK_IS(mpri_ring_put(r, &p, 0), 0);
        f = mpri_frame_at(mpri_segment_of(&r->get_segment), 0);
        memcpy(f, &(uint64_t){test_random() << test_below(48)}, sizeof *f);
        do
            err = mpri_ring_get(r, &m, UINT64_MAX, 0);
        while (err == 0);
        CHECK(err == -EBADMSG || err == -ETIMEDOUT || err == -ENOMEM);
        mpr_message_free(&m);
        mpri_drop(&h); /* without destroy: its refs are nothing */
    }
}

/* ---- threads -----------------------------------------------------------------------------*/

enum { PUTTERS = 2, GETTERS = 2 };

struct shared {
    struct mpri_ring *ring;
    uint32_t each;
    mpri_a32 got[PUTTERS];
};

struct thread {
    pthread_t thread;
    struct shared *shared;
    uint32_t id;
};

static void *putter(void *arg)
{
    const struct thread *t = arg;
    uint32_t text[8] = {t->id};

    for (uint32_t i = 0; i < t->shared->each;) {
        struct mpr_parcel p[8];
        size_t n = i % 16 < 8 ? 1 : 8, done = 0;
        uint32_t texts[8][8];

        for (size_t k = 0; k < n; k++) {
            text[1] = i + (uint32_t)k;
            memcpy(texts[k], text, sizeof text);
            p[k] = (struct mpr_parcel){
                .bytes = texts[k],
                .size = sizeof text - 4 * (k % 4),
            };
        }
        CHECK_IS(mpri_ring_put_many(t->shared->ring, p, n, &done, soon()), 0);
        i += (uint32_t)n;
    }
    return NULL;
}

static void note(struct shared *s, const struct mpr_message *m,
                 uint32_t last[PUTTERS])
{
    uint32_t text[2];

    CHECK(m->size >= 8);
    memcpy(text, m->bytes, sizeof text);
    CHECK(text[0] < PUTTERS);
    /* In the order of each putter, from wherever one looks. */
    CHECK(text[1] + 1 > last[text[0]]);
    last[text[0]] = text[1] + 1;
    mpri_add_rlx(&s->got[text[0]], 1);
}

static void *getter(void *arg)
{
    const struct thread *t = arg;
    struct mpr_message m = {0};
    struct mpr_batch b = {0};
    uint32_t last[PUTTERS] = {0};
    int err = 0;

    for (uint32_t i = 0; err >= 0; i++) {
        if (i % 4) {
            err = mpri_ring_get(t->shared->ring, &m, UINT64_MAX, soon());
            if (err == 0)
                note(t->shared, &m, last);
        } else {
            err = mpri_ring_get_many(t->shared->ring, &b, 20, soon());
            for (int k = 0; k < err; k++)
                note(t->shared, &b.messages[k], last);
        }
    }
    CHECK_IS(err, -EPIPE);
    mpr_message_free(&m);
    mpr_batch_free(&b);
    return NULL;
}

static void in_threads(struct mpri_ring *r)
{
    struct shared s = {.ring = r, .each = test_rounds(40000) & ~15U};
    struct thread t[PUTTERS + GETTERS];

    for (uint32_t i = 0; i < PUTTERS + GETTERS; i++) {
        t[i].shared = &s;
        t[i].id = i;
        CHECK(pthread_create(&t[i].thread, NULL, i < PUTTERS ? putter : getter,
                             &t[i]) == 0);
    }
    for (uint32_t i = 0; i < PUTTERS + GETTERS; i++) {
        pthread_join(t[i].thread, NULL);
        if (i == PUTTERS - 1)
            mpri_ring_close(r);
    }
    for (uint32_t i = 0; i < PUTTERS; i++)
        CHECK_IS(s.got[i], s.each);
}

static void threads(void)
{
    static const uint64_t bound[] = {MPRI_NUMBER_MAX, 1, 30};
    mpr_handle h;

    for (unsigned i = 0; i < 4; i++) {
        struct mpri_ring *r =
            i < 3 ? make(&h, 0, bound[i], 0) : make(&h, 1024, 0, 0);

        in_threads(r);
        unmake(r, &h);
    }
}

/* Whoever closes while others put: what was put is got, nothing later. */
static mpri_a32 put_ok;

static void *put_until_closed(void *arg)
{
    struct item it = {.size = 3, .refs = 1};
    struct mpr_parcel p = parcel_of(&it);
    int err;

    while ((err = mpri_ring_put(arg, &p, soon())) == 0)
        mpri_add_seq(&put_ok, 1);
    CHECK_IS(err, -EPIPE);
    return NULL;
}

static void close_amid(void)
{
    struct mpr_message m = {0};
    mpr_handle h;

    for (unsigned i = 0; i < test_rounds(100); i++) {
        struct mpri_ring *r = make(&h, 0, MPRI_NUMBER_MAX, 0);
        pthread_t t[2];
        uint32_t got = 0;

        put_ok = 0;
        pthread_create(&t[0], NULL, put_until_closed, r);
        pthread_create(&t[1], NULL, put_until_closed, r);
        while (mpri_load_seq(&put_ok) < i % 50)
            ;
        mpri_ring_close(r);
        while (mpri_ring_get(r, &m, UINT64_MAX, soon()) == 0)
            got++;
        /* The end was said: nothing may come after it. */
        pthread_join(t[0], NULL);
        pthread_join(t[1], NULL);
        CHECK_IS(got, put_ok);
        CHECK_IS(mpri_ring_count(r), 0);
        mpr_message_clear(&m);
        unmake(r, &h);
    }
    mpr_message_free(&m);
}

int main(void)
{
    test_begin(60);
    CHECK_IS(mpr_open(), 0);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 2654435761U >> 13);
    for (unsigned i = 0; i < 4; i++)
        CHECK_IS(mpr_lock_create(&locks[i], NULL), 0);
    for (unsigned i = 0; i < 300; i++)
        objects[i] = &locks[i % 4].h;
    RUN(fixed);
    RUN(growing);
    RUN(bounded);
    RUN(numbers);
    RUN(old_segment);
    RUN(edges);
    RUN(batches);
    RUN(gives_back);
    RUN(stays_small);
    RUN(too_large);
    RUN(own_buffer);
    RUN(closed);
    RUN(damaged);
    RUN(threads);
    RUN(close_amid);
    return 0;
}
