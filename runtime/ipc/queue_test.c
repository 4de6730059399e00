/* Queues between processes that are killed: what was put is got whole, once
 * and in order, and nothing stays behind. time limit: 120 s */

#include "base/test.h"

#include <stdatomic.h>
#include <sys/resource.h>

static const struct mpr_process_options plain = {.name = "child"};

static int64_t soon(void)
{
    return mpr_after(20.0 * TEST_SLOWER);
}

static struct mpr_stats before;

static void begin(mpr_queue *q, uint64_t bound)
{
    CHECK_IS(mpr_stats(&before), 0);
    CHECK_IS(mpr_queue_create(q, bound, 0, NULL), 0);
}

static void end(mpr_queue *q)
{
    struct mpr_stats after;

    mpr_handle_close(&q->h);
    mpr_sweep();
    CHECK_IS(mpr_check(), 0);
    CHECK_IS(mpr_stats(&after), 0);
    for (unsigned k = 0; k < MPR_KIND_END; k++) {
        if (after.objects[k] != before.objects[k])
            fprintf(stderr, "%s: ", mpr_kind_name(k));
        CHECK_IS(after.objects[k], before.objects[k]);
    }
    CHECK_IS(after.holds, before.holds);
    CHECK_IS(after.processes, 1);
}

/* Ends the process of the slot, in whatever way: its exit code. */
static int join(mpr_process *p)
{
    int code;

    CHECK_IS(mpr_process_join(p, soon()), 0);
    CHECK_IS(mpr_process_exit_code(p, &code), 0);
    mpr_process_close(p);
    return code;
}

/* ---- messages ------------------------------------------------------------------
 * Each says who sent it, its number, and has bytes that follow from these: all
 * of the first few, one in a page of the others (a copy that was cut off shows,
 * and making one takes no longer than putting it). */

struct head {
    uint32_t who;
    uint32_t number;
};

enum { LONGEST = 10 << 20 };

static uint8_t text[LONGEST];

static uint8_t byte_of(const struct head *h, uint64_t i)
{
    return (uint8_t)(h->number * 31 + h->who * 7 + (i >> 12) + i);
}

static uint64_t following(uint64_t i)
{
    return i < 10000 ? i + 1 : i + 4096;
}

static void make_text(const struct head *h, uint64_t size)
{
    for (uint64_t i = sizeof *h; i < size; i = following(i))
        text[i] = byte_of(h, i);
    text[size - 1] = byte_of(h, size - 1);
    memcpy(text, h, sizeof *h);
}

static int put(mpr_queue *q, struct head h, uint64_t size,
               const mpr_handle *object, int64_t deadline_ns)
{
    const mpr_handle *refs[] = {object};
    struct mpr_parcel p = {
        .bytes = text,
        .size = size,
        .refs = refs,
        .ref_count = object != NULL,
    };

    make_text(&h, size);
    return mpr_queue_put(q, &p, deadline_ns);
}

static struct head check(const struct mpr_message *m)
{
    uint64_t last;
    struct head h;

    CHECK(m->size >= sizeof h);
    memcpy(&h, m->bytes, sizeof h);
    for (uint64_t i = sizeof h; i < m->size; i = following(i))
        if (m->bytes[i] != byte_of(&h, i))
            CHECK(!"a whole message");
    last = m->size - 1;
    CHECK(last < sizeof h || m->bytes[last] == byte_of(&h, last));
    return h;
}

/* ---- at every test point ---------------------------------------------------------*/

enum { SHORT_ONES = 150, MANY_ONES = 4 };

/* What the victim does: puts numbers 1 …, of all sorts, then gets. */
static void victim(mpr_queue *q, const char *point, uint32_t nth)
{
    struct mpr_message m = {0};
    struct mpr_batch b = {0};
    struct mpr_parcel p[MANY_ONES];
    struct head h[MANY_ONES];
    mpr_lock lock;
    size_t done = 0;
    uint32_t n = 1;

    CHECK_IS(mpr_lock_create(&lock, NULL), 0);
    mpr_testpoint_arm(point, nth, SIGKILL);
    CHECK_IS(put(q, (struct head){1, n++}, 10, NULL, soon()), 0);
    CHECK_IS(put(q, (struct head){1, n++}, 10, &lock.h, soon()), 0);
    CHECK_IS(put(q, (struct head){1, n++}, 30000, NULL, soon()), 0);
    CHECK_IS(put(q, (struct head){1, n++}, 30000, &lock.h, soon()), 0);
    CHECK_IS(put(q, (struct head){1, n++}, 8000, NULL, soon()), 0);
    for (int i = 0; i < SHORT_ONES; i++)
        CHECK_IS(put(q, (struct head){1, n++}, 10, NULL, soon()), 0);
    for (int i = 0; i < MANY_ONES; i++) {
        h[i] = (struct head){1, n++};
        p[i] = (struct mpr_parcel){.bytes = &h[i], .size = sizeof h[i]};
    }
    CHECK_IS(mpr_queue_put_many(q, p, MANY_ONES, &done, soon()), 0);
    for (int i = 0; i < 5; i++)
        CHECK_IS(mpr_queue_get(q, &m, soon()), 0);
    CHECK(mpr_queue_get_many(q, &b, 1000, soon()) > 0);
    mpr_message_free(&m);
    mpr_batch_free(&b);
}

/* What is in the queue now is a piece of the row 1 …, or nothing. */
static void check_rest(mpr_queue *q)
{
    struct mpr_message m = {0};
    uint64_t n = mpr_queue_size(q);
    uint32_t last = 0;

    CHECK_IS(put(q, (struct head){2, 1}, 20, NULL, soon()), 0);
    CHECK_IS(mpr_queue_size(q), n + 1);
    for (;;) {
        struct head h;

        CHECK_IS(mpr_queue_get(q, &m, soon()), 0);
        h = check(&m);
        if (h.who == 2)
            break;
        CHECK(last == 0 || h.number == last + 1);
        last = h.number;
        n--;
    }
    CHECK_IS(n, 0);
    CHECK_IS(mpr_queue_size(q), 0);
    CHECK_IS(mpr_queue_get(q, &m, 0), -ETIMEDOUT);
    mpr_message_free(&m);
}

/* There are many: a short test takes some of them. */
static uint32_t next_point(uint32_t nth)
{
    return nth + (test_long() ? 1 : 1 + (uint32_t)test_below(16 * TEST_SLOWER));
}

/* Whether the victim came so far. */
static bool kill_victim(const char *point, uint32_t nth)
{
    mpr_process p;
    mpr_queue q;
    int code;

    begin(&q, 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        victim(&q, point, nth);
        mpr_process_exit(&p, 0);
    }
    code = join(&p);
    if (code != 0)
        CHECK_IS(code, -SIGKILL);
    /* Half of the time the queue is dropped as it is. */
    if (test_below(2))
        check_rest(&q);
    end(&q);
    return code != 0;
}

static void each_point(void)
{
    uint32_t nth = 1;

    while (kill_victim("*", nth))
        nth = next_point(nth);
    printf(" (of %u)", nth - 1);
}

/* Those of the ring itself. */
static void each_point_of_the_ring(void)
{
    static const char *const points[] = {
        "message.copied",   "message.made",       "ring.link.made",
        "ring.link.marked", "ring.linked",        "ring.put.copied",
        "ring.put.claimed", "ring.put.published", "ring.get.opened",
        "ring.get.copied",  "ring.get.committed", "ring.get.dropped",
        "ring.left",
    };

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        uint32_t nth = 1;

        while (kill_victim(points[i], nth))
            nth = nth < 10 ? nth + 1 : next_point(nth);
        CHECK(nth > 1);
    }
}

/* The same for a process that drops the queue last, with all that is in it. */
static void each_point_of_the_end(void)
{
    for (uint32_t nth = 1;; nth = next_point(nth)) {
        mpr_queue q;
        mpr_process p;
        int code;

        begin(&q, 0);
        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
            mpr_queue inner;
            mpr_lock lock;

            CHECK_IS(mpr_queue_create(&inner, 0, 0, "inner"), 0);
            CHECK_IS(mpr_lock_create(&lock, NULL), 0);
            for (uint32_t i = 8; i < 30; i++)
                CHECK_IS(put(&inner, (struct head){1, i}, i * i * i,
                             i % 3 ? NULL : &lock.h, soon()),
                         0);
            CHECK_IS(put(&q, (struct head){1, 1}, 10, &inner.h, soon()), 0);
            mpr_handle_close(&inner.h);
            mpr_handle_close(&lock.h);
            mpr_testpoint_arm("*", nth, SIGKILL);
            {
                struct mpr_message m = {0};

                CHECK_IS(mpr_queue_get(&q, &m, soon()), 0);
                mpr_message_free(&m);
            }
            mpr_process_exit(&p, 0);
        }
        code = join(&p);
        end(&q);
        if (code == 0) {
            printf(" (of %u)", nth - 1);
            break;
        }
        CHECK_IS(code, -SIGKILL);
    }
}

/* ---- at random instants --------------------------------------------------------------*/

/* What a process had done when it was killed; it writes, we read. */
struct account {
    _Atomic uint32_t putting; /* number it puts, or has put */
    _Atomic uint32_t put;     /* number that was put */
    _Atomic uint32_t got;     /* how many it has got */
    _Atomic uint32_t getting; /* 1: it is inside a get */
};

static struct account *account;

static void go_on_putting(mpr_queue *q, uint64_t size)
{
    for (;;) {
        uint32_t n = account->putting + 1;

        account->putting = n;
        CHECK_IS(put(q, (struct head){1, n}, size, NULL, soon()), 0);
        account->put = n;
    }
}

static void go_on_getting(mpr_queue *q)
{
    struct mpr_message m = {0};
    uint32_t last = 0;

    for (;;) {
        struct head h;

        account->getting = 1;
        CHECK_IS(mpr_queue_get(q, &m, MPR_FOREVER), 0);
        account->got++;
        account->getting = 0;
        h = check(&m);
        CHECK(h.number > last);
        last = h.number;
    }
}

static mpr_process *start(mpr_queue *q, int puts, uint64_t size)
{
    static mpr_process p[2];

    if (mpr_process_fork(&p[puts], &plain) == MPR_IN_CHILD) {
        if (puts)
            go_on_putting(q, size);
        else
            go_on_getting(q);
    }
    return &p[puts];
}

static void kill_at_random(uint64_t size, uint64_t bound, unsigned rounds)
{
    struct mpr_message m = {0};
    mpr_queue q;
    unsigned lost = 0;

    account = test_shared(sizeof *account);
    begin(&q, bound);
    for (unsigned i = 0; i < rounds; i++) {
        int puts = (int)test_below(2);
        uint32_t n = 0, got_before, at_most, first = 0, last = 0;
        mpr_process *p;

        memset(account, 0, sizeof *account);
        if (!puts)
            for (uint32_t k = 1; k <= (bound ? bound : 20); k++)
                CHECK_IS(put(&q, (struct head){1, k}, size, NULL, soon()), 0);
        p = start(&q, puts, size);
        mpr_sleep(mpr_now() + (int64_t)test_below(puts ? 12000000 : 6000000));
        CHECK_IS(mpr_process_signal(p, SIGKILL), 0);
        CHECK_IS(join(p), -SIGKILL);
        got_before = account->got;
        at_most = (uint32_t)mpr_queue_size(&q);
        while (mpr_queue_get(&q, &m, 0) == 0) {
            struct head h = check(&m);

            if (n++ == 0)
                first = h.number;
            else
                CHECK_IS(h.number, last + 1);
            last = h.number;
        }
        CHECK_IS(n, at_most);
        if (puts) {
            /* All that was put is there, and perhaps the one in hand. */
            CHECK(n == account->put || n == account->putting);
            CHECK(n == 0 || first == 1);
        } else {
            uint32_t all = bound ? (uint32_t)bound : 20;

            CHECK(n == 0 || last == all);
            CHECK(got_before + n == all ||
                  (account->getting && got_before + n + 1 == all));
            lost += got_before + n < all;
        }
    }
    printf(" (%u lost with their getter)", lost);
    mpr_message_free(&m);
    end(&q);
}

static void killed_with_10_bytes(void)
{
    kill_at_random(10, 0, test_rounds(150));
}

static void killed_with_10_megabytes(void)
{
    kill_at_random(LONGEST, 3, test_rounds(60));
}

/* Many at once, some of which are killed: the others lose nothing. */
enum { PUTTERS = 2, GETTERS = 2, EACH = 20000 };

struct crowd {
    _Atomic uint32_t put[PUTTERS]; /* numbers put for good */
    _Atomic uint32_t got[PUTTERS]; /* and got, by those who lived */
    _Atomic uint32_t twice;
    uint8_t seen[PUTTERS][EACH + 2];
};

static struct crowd *crowd;

static void crowd_puts(mpr_queue *q, uint32_t who, uint32_t number)
{
    for (; number <= EACH; number++) {
        uint64_t size = number % 100 ? 8 + number % 50 : 20000;

        CHECK_IS(put(q, (struct head){who, number}, size, NULL, soon()), 0);
        crowd->put[who] = number;
    }
}

static void crowd_gets(mpr_queue *q)
{
    struct mpr_message m = {0};
    uint32_t last[PUTTERS] = {0};
    int err;

    while ((err = mpr_queue_get(q, &m, soon())) == 0) {
        struct head h = check(&m);

        CHECK(h.who < PUTTERS && h.number <= EACH + 1);
        CHECK(h.number >= last[h.who]);
        last[h.who] = h.number;
        if (crowd->seen[h.who][h.number]++)
            crowd->twice++;
        crowd->got[h.who]++;
    }
    CHECK_IS(err, -EPIPE);
    mpr_message_free(&m);
}

static int fork_crowd(mpr_queue *q, mpr_process *p, uint32_t i)
{
    if (mpr_process_fork(p, &plain) != MPR_IN_CHILD)
        return 0;
    if (i < PUTTERS)
        crowd_puts(q, i, crowd->put[i] + 1);
    else
        crowd_gets(q);
    mpr_process_exit(p, 0);
}

static void a_crowd(void)
{
    mpr_process p[PUTTERS + GETTERS];
    unsigned kills = 0;
    int64_t stop;
    mpr_queue q;

    crowd = test_shared(sizeof *crowd);
    begin(&q, test_below(2) ? 0 : 1 + test_below(50));
    for (uint32_t i = 0; i < PUTTERS + GETTERS; i++)
        fork_crowd(&q, &p[i], i);
    stop = mpr_after(1.0 * test_rounds(2));
    while (mpr_now() < stop) {
        uint32_t i = (uint32_t)test_below(PUTTERS + GETTERS);

        mpr_sleep(mpr_now() + (int64_t)test_below(10000000));
        if (i < PUTTERS && !mpr_process_alive(&p[i]))
            continue; /* it has done its part */
        mpr_process_signal(&p[i], SIGKILL);
        join(&p[i]);
        kills++;
        fork_crowd(&q, &p[i], i);
    }
    for (uint32_t i = 0; i < PUTTERS; i++)
        CHECK_IS(join(&p[i]), 0);
    mpr_queue_close(&q);
    for (uint32_t i = PUTTERS; i < PUTTERS + GETTERS; i++)
        CHECK_IS(join(&p[i]), 0);
    for (uint32_t i = 0; i < PUTTERS; i++) {
        unsigned lost = 0;

        CHECK_IS(crowd->put[i], EACH);
        for (uint32_t n = 1; n <= EACH; n++)
            lost += crowd->seen[i][n] == 0;
        CHECK(lost <= kills);
    }
    /* Put, and killed before it could say so: then put again. */
    CHECK(crowd->twice <= kills);
    printf(" (%u kills)", kills);
    end(&q);
}

/* ---- waiting ------------------------------------------------------------------------------*/

static void wakes(void)
{
    struct mpr_message m = {0};
    mpr_process p;
    mpr_queue q;

    begin(&q, 1);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        for (uint32_t i = 1; i <= 5; i++) {
            mpr_sleep(mpr_after(0.02));
            CHECK_IS(put(&q, (struct head){1, i}, 10, NULL, soon()), 0);
        }
        mpr_sleep(mpr_after(0.02));
        mpr_queue_close(&q);
        mpr_process_exit(&p, 0);
    }
    for (uint32_t i = 1; i <= 5; i++) {
        CHECK_IS(mpr_queue_get(&q, &m, MPR_FOREVER), 0);
        CHECK_IS(check(&m).number, i);
    }
    CHECK_IS(mpr_queue_get(&q, &m, MPR_FOREVER), -EPIPE);
    CHECK_IS(join(&p), 0);
    mpr_message_free(&m);
    end(&q);
}

static void close_wakes_putters(void)
{
    mpr_process p;
    mpr_queue q;

    begin(&q, 1);
    CHECK_IS(put(&q, (struct head){1, 1}, 10, NULL, 0), 0);
    CHECK_IS(put(&q, (struct head){1, 2}, 10, NULL, 0), -ETIMEDOUT);
    CHECK_IS(put(&q, (struct head){1, 2}, LONGEST, NULL, 0), -ETIMEDOUT);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        CHECK_IS(put(&q, (struct head){1, 2}, 10, NULL, MPR_FOREVER), -EPIPE);
        mpr_process_exit(&p, 0);
    }
    mpr_sleep(mpr_after(0.05));
    mpr_queue_close(&q);
    CHECK_IS(join(&p), 0);
    CHECK_IS(mpr_queue_size(&q), 1);
    end(&q);
}

static void work_done(void)
{
    struct mpr_message m = {0};
    mpr_process p;
    mpr_queue q;

    begin(&q, 0);
    CHECK_IS(mpr_queue_join(&q, 0), 0);
    CHECK_IS(mpr_queue_task_done(&q), -EINVAL);
    for (uint32_t i = 1; i <= 100; i++)
        CHECK_IS(put(&q, (struct head){1, i}, 10, NULL, 0), 0);
    CHECK_IS(mpr_queue_unfinished(&q), 100);
    CHECK_IS(mpr_queue_join(&q, mpr_after(0.01)), -ETIMEDOUT);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        for (int i = 0; i < 100; i++) {
            CHECK_IS(mpr_queue_get(&q, &m, soon()), 0);
            if (i == 99)
                mpr_sleep(mpr_after(0.02));
            CHECK_IS(mpr_queue_task_done(&q), 0);
        }
        mpr_process_exit(&p, 0);
    }
    CHECK_IS(mpr_queue_join(&q, MPR_FOREVER), 0);
    CHECK_IS(mpr_queue_unfinished(&q), 0);
    CHECK_IS(mpr_queue_task_done(&q), -EINVAL);
    CHECK_IS(join(&p), 0);
    end(&q);
}

/* A process that stands still in the middle, alive: others wait for it, but
 * nobody who gave a time waits for ever. */
static void stopped_inside(const char *point)
{
    struct mpr_message m = {0};
    mpr_process p;
    mpr_queue q;
    int64_t begun;

    begin(&q, 0);
    for (uint32_t i = 1; i <= 3; i++)
        CHECK_IS(put(&q, (struct head){1, i}, 10, NULL, 0), 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        mpr_testpoint_arm(point, 1, SIGSTOP);
        CHECK_IS(mpr_queue_get(&q, &m, soon()), 0);
        CHECK_IS(put(&q, (struct head){1, 4}, 10, NULL, soon()), 0);
        mpr_process_exit(&p, 0);
    }
    mpr_sleep(mpr_after(0.1));
    begun = mpr_now();
    if (strstr(point, "get"))
        CHECK_IS(mpr_queue_get(&q, &m, 0), -ETIMEDOUT);
    else
        CHECK_IS(put(&q, (struct head){1, 5}, 10, NULL, mpr_after(0.05)),
                 -ETIMEDOUT);
    CHECK(mpr_now() - begun < 5000000000);
    CHECK_IS(mpr_process_signal(&p, SIGCONT), 0);
    CHECK_IS(join(&p), 0);
    mpr_message_free(&m);
    end(&q);
}

static void stopped(void)
{
    stopped_inside("ring.get.copied");
    stopped_inside("ring.put.copied");
}

/* ---- scale --------------------------------------------------------------------------------*/

static void many_queues(void)
{
    enum { MANY = 10000 };
    struct mpr_message m = {0};
    mpr_queue *q = malloc(MANY * sizeof *q);
    struct mpr_stats s;
    mpr_queue first;

    begin(&first, 0);
    for (uint32_t i = 0; i < MANY; i++)
        CHECK_IS(mpr_queue_create(&q[i], 0, i, NULL), 0);
    CHECK_IS(mpr_stats(&s), 0);
    CHECK(s.used - before.used < MANY * 1024);
    for (uint32_t i = 0; i < MANY; i++)
        CHECK_IS(put(&q[i], (struct head){1, i}, 100, NULL, 0), 0);
    CHECK_IS(mpr_stats(&s), 0);
    CHECK(s.used - before.used < MANY * 4096);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_IS(mpr_queue_get(&q[i], &m, 0), 0);
        CHECK_IS(check(&m).number, i);
        CHECK_IS(mpr_queue_tag(&q[i]), i);
        mpr_handle_close(&q[i].h);
    }
    mpr_message_free(&m);
    free(q);
    end(&first);
}

/* Whole wherever the bytes go: into memory that is fresh or used, and where a
 * limit on files does not allow the short way. */
static void long_ones(void)
{
    static const uint64_t sizes[] = {(1 << 18) - 1, 1 << 18, 3000001, LONGEST};
    struct rlimit old, small;
    struct mpr_message m = {0};
    mpr_queue q, object;

    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = (struct rlimit){4096, old.rlim_max};
    begin(&q, 0);
    CHECK_IS(mpr_queue_create(&object, 0, 0, NULL), 0);
    for (uint32_t i = 0; i < 16; i++) {
        const mpr_handle *ref = i % 2 ? &object.h : NULL;

        CHECK(setrlimit(RLIMIT_FSIZE, i / 4 % 2 ? &small : &old) == 0);
        /* Two at once: the second time one of them finds used memory. */
        for (uint32_t k = 0; k < 1 + i % 2; k++)
            CHECK_IS(put(&q, (struct head){i, k}, sizes[i % 4], ref, 0), 0);
        for (uint32_t k = 0; k < 1 + i % 2; k++) {
            CHECK_IS(mpr_queue_get(&q, &m, 0), 0);
            CHECK_IS(check(&m).number, k);
            CHECK_IS(m.size, sizes[i % 4]);
            CHECK_IS(m.ref_count, i % 2);
        }
    }
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    mpr_message_free(&m);
    mpr_handle_close(&object.h);
    end(&q);
}

int main(void)
{
    if (!TEST_FORKS)
        return 0;
    test_begin(120);
    CHECK_IS(mpr_open(), 0);
    RUN(wakes);
    RUN(close_wakes_putters);
    RUN(work_done);
    RUN(stopped);
    RUN(each_point_of_the_ring);
    RUN(each_point);
    RUN(each_point_of_the_end);
    RUN(killed_with_10_bytes);
    RUN(killed_with_10_megabytes);
    RUN(a_crowd);
    RUN(many_queues);
    RUN(long_ones);
    return 0;
}
