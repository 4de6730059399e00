/* Pools in C: every task has its result, once, whoever is killed where. */

#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t soon(void)
{
    return mpr_after(20);
}

/* What a test tells its workers. */
static struct plan {
    const char *point; /* where workers are killed, NULL: nowhere */
    uint32_t nth;
    long pause_us;  /* each task sleeps so long */
    uint32_t chunk; /* tasks to a claim */
    uint32_t armed; /* workers up to this number */
    bool overtaken; /* an urgent job comes in between */
} plan;

static void nap(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&t, NULL);
}

/* The square of an integer, or the message twice. */
static int body(void *ud, mpr_worker *w, const struct mpr_task *t)
{
    const struct plan *p = ud;
    struct mpr_parcel out = {0};
    int64_t square;
    int r;

    if (p->point && mpr_worker_number(w) <= p->armed) {
        static bool armed;

        if (!armed)
            assert(mpr_testpoint_arm(p->point, p->nth, SIGKILL) == 0);
        armed = true;
    }
    if (p->pause_us)
        nap(t->index % 8 ? p->pause_us : p->pause_us * 5);
    if (t->tasks == MPR_TASKS_MESSAGES) {
        char *twice = malloc(t->size * 2 + 1);

        assert(twice);
        memcpy(twice, t->bytes, t->size);
        memcpy(twice + t->size, t->bytes, t->size);
        out.bytes = twice;
        out.size = t->size * 2;
        r = mpr_worker_give(w, 0, 0, &out);
        free(twice);
        return r;
    }
    square = t->integer * t->integer;
    out.bytes = &square;
    out.size = sizeof square;
    return mpr_worker_give(w, t->integer == -1, 3, &out);
}

static void start(mpr_pool *pool, uint32_t workers, struct plan p)
{
    struct mpr_pool_options o = {.workers = workers, .name = "test"};

    plan = p;
    assert(mpr_pool_create(pool, &o) == 0);
    assert(mpr_pool_start(pool, body, &plan) == 0);
}

static void finish(mpr_pool *pool)
{
    mpr_pool_shut(pool, MPR_POOL_CLOSE);
    assert(mpr_pool_join(pool, soon()) == 0);
    mpr_pool_close(pool);
}

/* Waits for the task, looking after the workers meanwhile. */
static enum mpr_result_state result(mpr_pool *pool, mpr_job *j, uint32_t i,
                                    struct mpr_result *r)
{
    int64_t end = soon();

    while (mpr_job_wait(j, i, 0, mpr_after(0.02)) != 1) {
        assert(mpr_now() < end);
        mpr_pool_tend(pool);
    }
    return mpr_job_result(j, i, r);
}

static void expect_square(const struct mpr_result *r, int64_t n)
{
    int64_t got;

    assert(r->state == MPR_RESULT_DONE && r->size == 8 && r->flags == 3);
    memcpy(&got, r->bytes, 8);
    assert(got == n * n);
}

static void range(mpr_job *j, mpr_pool *pool, uint32_t n)
{
    struct mpr_job_options o = {
        .tasks = MPR_TASKS_RANGE,
        .room = n,
        .first = 10,
        .step = 3,
        .chunk = plan.chunk,
    };

    assert(mpr_job_create(j, pool, &o) == 0);
    assert(mpr_job_seal(j) == 0);
    assert(mpr_job_publish(j) == 0);
}

static void ranges(void)
{
    mpr_pool pool;

    start(&pool, 3, (struct plan){0});
    for (uint32_t n = 1; n <= 1000000; n *= 10) {
        struct mpr_result r;
        mpr_job j;

        range(&j, &pool, n);
        for (uint32_t i = 0; i < n; i++) {
            result(&pool, &j, i, &r);
            expect_square(&r, 10 + (int64_t)i * 3);
        }
        mpr_job_close(&j);
    }
    finish(&pool);
}

static void integers(void)
{
    struct mpr_job_options o = {.tasks = MPR_TASKS_INTEGERS, .room = 1000};
    struct mpr_result r;
    struct mpr_job_stats s;
    mpr_pool pool;
    mpr_job j;
    int64_t *v;

    start(&pool, 2, (struct plan){0});
    assert(mpr_job_create(&j, &pool, &o) == 0);
    v = mpr_job_integers(&j, 500);
    for (int i = 0; i < 1000; i++)
        v[i] = i == 700 ? -1 : i;
    assert(mpr_job_publish(&j) == 0);
    result(&pool, &j, 499, &r);
    expect_square(&r, 499);
    assert(mpr_job_result(&j, 500, &r) == MPR_RESULT_OPEN);
    mpr_job_integers(&j, 1000);
    assert(mpr_job_publish(&j) == 0);
    for (uint32_t i = 0; i < 1000; i++) {
        if (result(&pool, &j, i, &r) == MPR_RESULT_FAILED)
            assert(i == 700);
        else
            expect_square(&r, i);
    }
    mpr_job_look(&j, &s);
    assert(s.failures == 1 && s.failed && s.first_failure == 700);
    mpr_job_close(&j);
    finish(&pool);
}

/* Sizes around every limit: in the outcome, in shared pieces, alone. */
static void messages(void)
{
    static const size_t sizes[] = {0,    1,    6,     7,     8,     100,
                                   4000, 8192, 16383, 16384, 20000, 3000000};
    enum { N = sizeof sizes / sizeof *sizes };
    struct mpr_job_options o = {
        .tasks = MPR_TASKS_MESSAGES, .room = 10 * N, .bytes = 1 << 20};
    struct mpr_result r;
    mpr_pool pool;
    mpr_job j;
    char *text = malloc(3000000);

    start(&pool, 2, (struct plan){0});
    assert(mpr_job_create(&j, &pool, &o) == 0);
    for (uint32_t i = 0; i < 10 * N; i++) {
        struct mpr_parcel p = {.bytes = text, .size = sizes[i % N]};

        memset(text, (int)('a' + i % 26), p.size);
        assert(mpr_job_add(&j, &p) == 0);
        if (i % 7 == 0)
            assert(mpr_job_publish(&j) == 0);
    }
    {
        struct mpr_parcel p = {.bytes = text, .size = 1};

        assert(mpr_job_add(&j, &p) == -ENOSPC);
    }
    assert(mpr_job_publish(&j) == 0);
    for (uint32_t i = 0; i < 10 * N; i++) {
        assert(result(&pool, &j, i, &r) == MPR_RESULT_DONE);
        assert(r.size == 2 * sizes[i % N]);
        for (size_t k = 0; k < r.size; k++)
            assert(r.bytes[k] == 'a' + i % 26);
    }
    mpr_job_close(&j);
    finish(&pool);
    free(text);
}

/* Objects among the tasks and the results come through. */
static int echo_body(void *ud, mpr_worker *w, const struct mpr_task *t)
{
    struct mpr_message m = {0}, common = {0};
    const mpr_handle *refs[2];
    struct mpr_parcel out = {.refs = refs, .ref_count = 2};
    int r;

    (void)ud;
    assert(mpr_task_message(t, &m) == 0);
    assert(mpr_worker_common(w, &common) == 0);
    assert(m.ref_count == 1 && common.ref_count == 1);
    refs[0] = &m.refs[0];
    refs[1] = &common.refs[0];
    out.bytes = common.bytes;
    out.size = common.size;
    r = mpr_worker_give(w, 0, 0, &out);
    mpr_message_free(&m);
    mpr_message_free(&common);
    return r;
}

static void objects(void)
{
    struct mpr_pool_options po = {.workers = 2};
    struct mpr_job_options o = {
        .tasks = MPR_TASKS_MESSAGES, .room = 4, .bytes = 100};
    mpr_pool pool;
    mpr_job j;
    mpr_note note;
    mpr_lock a, b;
    const mpr_handle *ref = &a.h;
    struct mpr_parcel p = {
        .bytes = "both", .size = 4, .refs = &ref, .ref_count = 1};

    assert(mpr_lock_create(&a, "a") == 0);
    assert(mpr_lock_create(&b, "b") == 0);
    assert(mpr_pool_create(&pool, &po) == 0);
    assert(mpr_pool_start(&pool, echo_body, NULL) == 0);
    assert(mpr_note_create(&note, &p) == 0);
    o.common = &note;
    assert(mpr_job_create(&j, &pool, &o) == 0);
    mpr_note_close(&note);
    ref = &b.h;
    for (int i = 0; i < 4; i++)
        assert(mpr_job_add(&j, &p) == 0);
    assert(mpr_job_publish(&j) == 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct mpr_message m = {0};
        struct mpr_result r;

        assert(result(&pool, &j, i, &r) == MPR_RESULT_DONE);
        assert(r.objects == 2);
        assert(mpr_result_message(&r, &m) == 0);
        assert(m.size == 4 && memcmp(m.bytes, "both", 4) == 0);
        assert(mpr_handle_id(&m.refs[0]) == mpr_handle_id(&b.h));
        assert(mpr_handle_id(&m.refs[1]) == mpr_handle_id(&a.h));
        mpr_message_free(&m);
    }
    mpr_job_close(&j);
    finish(&pool);
    mpr_handle_close(&a.h);
    mpr_handle_close(&b.h);
}

/* Reads all tasks of a range in which one worker died: at most the given
 * number of them is lost. Returns how many were. */
static uint32_t read_range(mpr_pool *pool, mpr_job *j, uint32_t n)
{
    uint32_t lost = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct mpr_result r;

        if (result(pool, j, i, &r) == MPR_RESULT_LOST) {
            lost++;
            assert(r.worker <= 3 && r.known && r.status == -SIGKILL);
            assert(r.kills == 1);
            assert(mpr_job_retry(j, i, 0) == 0);
            result(pool, j, i, &r);
        }
        expect_square(&r, 10 + (int64_t)i * 3);
    }
    return lost;
}

static void urgent(mpr_job *j, mpr_pool *pool)
{
    struct mpr_job_options o = {
        .tasks = MPR_TASKS_RANGE, .room = 3, .step = 1, .priority = 5};

    assert(mpr_job_create(j, pool, &o) == 0);
    assert(mpr_job_seal(j) == 0);
    assert(mpr_job_publish(j) == 0);
}

/* Workers are killed at a place where something is half done: whether they
 * came there. */
static bool killed_at(const char *point, uint32_t n, struct plan p)
{
    struct mpr_stats before, after;
    mpr_pool pool;
    mpr_job j, high;
    uint32_t lost;
    bool reached;

    p.point = point;
    assert(mpr_stats(&before) == 0);
    start(&pool, 3, p);
    range(&j, &pool, 9); /* arms */
    lost = read_range(&pool, &j, 9);
    mpr_job_close(&j);
    range(&j, &pool, n);
    if (p.overtaken) {
        nap(1000);
        urgent(&high, &pool);
    }
    lost += read_range(&pool, &j, n);
    if (p.overtaken)
        mpr_job_close(&high);
    if (lost > p.armed)
        fprintf(stderr, "%s: %u tasks lost\n", point, lost);
    assert(lost <= p.armed);
    mpr_job_close(&j);
    mpr_pool_tend(&pool);
    mpr_pool_shut(&pool, MPR_POOL_CLOSE);
    assert(mpr_pool_join(&pool, soon()) == 0);
    reached = mpr_pool_deaths(&pool) > 0;
    mpr_pool_close(&pool);
    assert(mpr_check() == 0);
    assert(mpr_stats(&after) == 0);
    for (unsigned k = 0; k < MPR_KIND_END; k++)
        if (after.objects[k] != before.objects[k]) {
            fprintf(stderr, "%s: %s left\n", point, mpr_kind_name(k));
            assert(0);
        }
    assert(after.holds == before.holds);
    return reached;
}

static void kills(void)
{
    static const struct plan first = {.nth = 1, .armed = 1};
    static const struct plan later = {.nth = 7, .armed = 1};
    static const struct plan slow = {.nth = 3, .pause_us = 100, .armed = 1};
    static const struct plan robbed = {
        .nth = 1, .pause_us = 100, .chunk = 10, .armed = 3};
    static const struct plan overtaken = {
        .nth = 1, .pause_us = 300, .chunk = 9, .armed = 3, .overtaken = true};
    static const char *const points[] = {
        "worker.take.said", "worker.take.taken", "worker.give.stored",
        "desk.claim.held",  "desk.claim.moved",  "desk.claim.done",
        "desk.steal.held",  "desk.steal.taken",  "desk.unlocked",
        "desk.holding",     "desk.unlinking",    "desk.back.emptied",
        "mutex.unlocking",  "worker.leaving",    "hold.dropping",
        "hold.dropped",     "tx.logged",         "tx.changed",
        "tx.committed",
    };

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        bool reached = killed_at(points[i], 3000, first);

        reached |= killed_at(points[i], 3000, later);
        reached |= killed_at(points[i], 30, slow);
        reached |= killed_at(points[i], 50, robbed);
        reached |= killed_at(points[i], 30, overtaken);
        /* On a busy machine a thief, or the urgent job, may come too late. */
        for (unsigned more = 0; !reached && more < 20; more++) {
            reached |= killed_at(points[i], 50, robbed);
            reached |= killed_at(points[i], 30, overtaken);
        }
        if (!reached)
            fprintf(stderr, "%s: not reached\n", points[i]);
        assert(reached);
    }
}

/* A worker is killed at a random instant; every task has its result. */
static void random_kills(unsigned rounds)
{
    unsigned seed = (unsigned)time(NULL);

    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < rounds; round++) {
        struct mpr_seat_stats s;
        mpr_pool pool;
        mpr_job j;

        start(&pool, 4, (struct plan){.pause_us = 100});
        range(&j, &pool, 100);
        nap(rand() % 4000);
        assert(mpr_pool_look(&pool, 0, &s) == 0);
        if (s.pid)
            kill(s.pid, SIGKILL);
        assert(read_range(&pool, &j, 100) <= 1);
        mpr_job_close(&j);
        finish(&pool);
    }
}

static void cancelled(void)
{
    struct mpr_seat_stats s = {.busy = 0};
    struct mpr_result r;
    mpr_pool pool;
    mpr_job j;
    int seat;

    start(&pool, 1, (struct plan){.pause_us = 50000});
    range(&j, &pool, 3);
    while (!s.busy) {
        nap(1000);
        assert(mpr_pool_look(&pool, 0, &s) == 0);
    }
    assert(mpr_job_cancel(&j, 2, &seat) == MPR_CANCELLED_QUEUED);
    assert(mpr_job_cancel(&j, 0, &seat) == MPR_CANCELLED_RUNNING);
    assert(seat == 0);
    result(&pool, &j, 1, &r);
    expect_square(&r, 13);
    assert(mpr_job_cancel(&j, 1, &seat) == MPR_CANCELLED_NOT);
    assert(mpr_job_result(&j, 2, &r) == MPR_RESULT_CANCELLED);
    mpr_job_close(&j);
    finish(&pool);
}

/* What a job's workers do is cancelled, what they have not begun is left. */
static void give_up(void)
{
    struct mpr_seat_stats s = {0};
    struct mpr_result r;
    mpr_pool pool;
    mpr_job j;

    start(&pool, 1, (struct plan){.pause_us = 50000});
    range(&j, &pool, 3);
    while (!s.busy) {
        nap(1000);
        assert(mpr_pool_look(&pool, 0, &s) == 0);
    }
    mpr_job_give_up(&j);
    assert(mpr_job_result(&j, 0, &r) == MPR_RESULT_CANCELLED);
    assert(mpr_job_result(&j, 2, &r) == MPR_RESULT_OPEN);
    mpr_job_give_up(&j);
    mpr_job_close(&j);
    finish(&pool);
}

/* The more urgent job overtakes, the other is not starved. */
static void priorities(void)
{
    struct mpr_job_options o = {
        .tasks = MPR_TASKS_RANGE, .room = 5, .step = 1, .priority = 5};
    struct mpr_result r;
    mpr_pool pool;
    mpr_job low, high;
    uint32_t before = 0;

    start(&pool, 1, (struct plan){.pause_us = 20000});
    range(&low, &pool, 40);
    assert(mpr_job_create(&high, &pool, &o) == 0);
    assert(mpr_job_seal(&high) == 0);
    assert(mpr_job_publish(&high) == 0);
    result(&pool, &high, 4, &r);
    for (uint32_t i = 0; i < 40; i++)
        before += mpr_job_result(&low, i, &r) != MPR_RESULT_OPEN;
    assert(before < 10);
    result(&pool, &low, 39, &r);
    mpr_job_close(&low);
    mpr_job_close(&high);
    finish(&pool);
}

static void terminated(void)
{
    struct mpr_result r;
    mpr_pool pool;
    mpr_job j;

    start(&pool, 2, (struct plan){.pause_us = 100000});
    range(&j, &pool, 1000);
    result(&pool, &j, 0, &r);
    mpr_pool_shut(&pool, MPR_POOL_TERMINATE);
    assert(mpr_job_wait(&j, 999, 0, soon()) == 1);
    assert(mpr_job_result(&j, 999, &r) == MPR_RESULT_OPEN);
    assert(mpr_job_publish(&j) == -EPIPE);
    assert(mpr_pool_join(&pool, soon()) == 0);
    mpr_job_close(&j);
    mpr_pool_close(&pool);
}

static void speed(void)
{
    mpr_pool pool;
    struct mpr_result r;
    enum { N = 1000000 };

    start(&pool, 2, (struct plan){0});
    for (int round = 0; round < 3; round++) {
        int64_t t = mpr_now();
        mpr_job j;

        range(&j, &pool, N);
        for (uint32_t i = 0; i < N; i++)
            result(&pool, &j, i, &r);
        mpr_job_close(&j);
        t = mpr_now() - t;
        fprintf(stderr, "range: %.1f ns a task\n", (double)t / N);
    }
    for (int round = 0; round < 3; round++) {
        struct mpr_job_options o = {.tasks = MPR_TASKS_INTEGERS, .room = 20000};
        int64_t t = mpr_now();
        mpr_job j;

        assert(mpr_job_create(&j, &pool, &o) == 0);
        for (uint32_t i = 0; i < 20000; i++) {
            mpr_job_integers(&j, i + 1)[i] = i;
            assert(mpr_job_publish(&j) == 0);
            result(&pool, &j, i, &r);
        }
        mpr_job_close(&j);
        t = mpr_now() - t;
        fprintf(stderr, "one in flight: %.2f us a task\n", (double)t / 2e7);
    }
    finish(&pool);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "speed") == 0) {
        speed();
        return 0;
    }
    ranges();
    integers();
    messages();
    objects();
    cancelled();
    give_up();
    priorities();
    terminated();
    kills();
    random_kills(argc > 1 ? (unsigned)atoi(argv[1]) : 20);
    mpr_leave();
    return 0;
}
