/* Log: records come out as they went in, whole, whoever writes at once and
 * whoever is killed inside.
 * time limit: 120 s */

#include "base/test.h"

#include <pthread.h>

enum { CELLS = 256, WRITERS = 4 };

static const struct mpr_process_options plain = {.name = "writer"};
static mpr_log plog;

static int put(const char *name, const char *text, size_t size)
{
    struct mpr_log_record r = {
        .time_ns = 7,
        .level = 40,
        .name = name,
        .name_size = (uint32_t)strlen(name),
        .text = text,
        .size = size,
    };

    return mpr_log_write(&plog, &r);
}

static void contract(void)
{
    static char text[2 * MPR_LOG_TEXT];
    struct mpr_log_copy c;

    CHECK_IS(mpr_log_create(&plog), 0);
    CHECK_IS(mpr_log_last(&plog), 0);
    CHECK_IS(mpr_log_read(&plog, 1, &c), -ENOENT);
    CHECK_IS(put("main", "a\0b", 3), 0);
    CHECK_IS(mpr_log_first(&plog), 1);
    CHECK_IS(mpr_log_last(&plog), 1);
    CHECK_IS(mpr_log_read(&plog, 1, &c), 0);
    CHECK(c.pid == (uint32_t)getpid() && c.level == 40 && c.time_ns == 7);
    CHECK(c.name_size == 4 && memcmp(c.name, "main", 4) == 0);
    CHECK(c.size == 3 && c.whole == 3 && memcmp(c.text, "a\0b", 3) == 0);

    memset(text, 'x', sizeof text);
    CHECK_IS(put("a name that is longer than the place for names", text,
                 sizeof text),
             0);
    CHECK_IS(mpr_log_read(&plog, 2, &c), 0);
    CHECK(c.name_size == MPR_LOG_NAME && c.size == MPR_LOG_TEXT);
    CHECK(c.whole == sizeof text && c.text[MPR_LOG_TEXT - 1] == 'x');

    for (int i = 0; i < CELLS; i++)
        CHECK_IS(put("main", "later", 5), 0);
    CHECK_IS(mpr_log_first(&plog), 3);
    CHECK_IS(mpr_log_read(&plog, 2, &c), -ENOENT);
    CHECK_IS(mpr_log_read(&plog, 3, &c), 0);
    CHECK_IS(mpr_log_dropped(&plog), 0);
    mpr_handle_close(&plog.h);
}

/* Each text is one letter over and over: of two records, two letters. */
static void write_many(uint64_t seed, int count)
{
    char text[MPR_LOG_TEXT];

    for (int i = 0; i < count; i++) {
        size_t size = 1 + (seed + (uint64_t)i * 37) % MPR_LOG_TEXT;
        int r;

        memset(text, 'a' + (int)(size % 26), size);
        r = put("w", text, size);
        CHECK(r == 0 || r == -EAGAIN);
    }
}

/* Reads all there is: how many records, each of which is whole. */
static int read_all(void)
{
    struct mpr_log_copy c;
    int n = 0;

    for (uint64_t i = mpr_log_first(&plog); i <= mpr_log_last(&plog); i++) {
        if (mpr_log_read(&plog, i, &c) < 0)
            continue;
        n++;
        CHECK(c.size == c.whole && c.size >= 1);
        for (uint64_t k = 0; k < c.size; k++)
            CHECK(c.text[k] == 'a' + (int)(c.size % 26));
    }
    return n;
}

static void *thread(void *arg)
{
    write_many((uintptr_t)arg, 20000 / TEST_SLOWER);
    return NULL;
}

static void threads(void)
{
    pthread_t t[WRITERS];

    CHECK_IS(mpr_log_create(&plog), 0);
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK_IS(pthread_create(&t[i], NULL, thread, (void *)(i * 1000)), 0);
    for (int i = 0; i < 50; i++)
        read_all();
    for (int i = 0; i < WRITERS; i++)
        CHECK_IS(pthread_join(t[i], NULL), 0);
    CHECK((uint64_t)read_all() + mpr_log_dropped(&plog) >= CELLS);
    mpr_handle_close(&plog.h);
}

static void child(mpr_process *p, void (*f)(void))
{
    int r = mpr_process_fork(p, &plain);

    CHECK(r >= 0);
    if (r == MPR_IN_CHILD) {
        f();
        mpr_process_exit(p, 0);
    }
}

static int end_of(mpr_process *p)
{
    int code = 0;

    CHECK_IS(mpr_process_join(p, mpr_after(60)), 0);
    CHECK_IS(mpr_process_exit_code(p, &code), 0);
    mpr_process_close(p);
    return code;
}

static void write_and_die(void)
{
    CHECK_IS(mpr_testpoint_arm("log.write", 1, SIGKILL), 0);
    put("w", "never", 5);
}

static void write_and_stop(void)
{
    CHECK_IS(mpr_testpoint_arm("log.write", 1, SIGSTOP), 0);
    put("w", "bbbbbbbbbbbbbbbbbbbbbbbbbbb", 27);
}

static void write_forever(void)
{
    for (;;)
        write_many((uint64_t)getpid(), 1000);
}

/* The cells of killed writers are everybody's again. */
static void killed(void)
{
    mpr_process p;

    CHECK_IS(mpr_log_create(&plog), 0);
    for (int i = 0; i < 10; i++) {
        child(&p, write_and_die);
        CHECK_IS(end_of(&p), -SIGKILL);
    }
    CHECK_IS(mpr_log_last(&plog), 10);
    CHECK_IS(read_all(), 0);
    write_many(1, CELLS);
    CHECK_IS(read_all(), CELLS);
    CHECK_IS(mpr_log_dropped(&plog), 0);
    mpr_handle_close(&plog.h);
}

/* A stopped writer costs the records that fall on its cell, and no more. */
static void stopped(void)
{
    mpr_process p;
    siginfo_t info;

    CHECK_IS(mpr_log_create(&plog), 0);
    child(&p, write_and_stop);
    CHECK_IS(
        waitid(P_PID, (id_t)mpr_process_pid(&p), &info, WSTOPPED | WNOWAIT), 0);
    write_many(1, 3 * CELLS);
    CHECK_IS(mpr_log_dropped(&plog), 3);
    CHECK_IS(read_all(), CELLS - 1);
    kill(mpr_process_pid(&p), SIGCONT);
    CHECK_IS(end_of(&p), 0);
    write_many(1, CELLS);
    CHECK_IS(read_all(), CELLS);
    CHECK_IS(mpr_log_dropped(&plog), 3);
    mpr_handle_close(&plog.h);
}

static void killed_anywhere(void)
{
    mpr_process p[WRITERS];

    CHECK_IS(mpr_log_create(&plog), 0);
    for (unsigned round = test_rounds(20); round; round--) {
        for (int i = 0; i < WRITERS; i++)
            child(&p[i], write_forever);
        mpr_sleep(mpr_after(0.002));
        read_all();
        for (int i = 0; i < WRITERS; i++)
            kill(mpr_process_pid(&p[i]), SIGKILL);
        for (int i = 0; i < WRITERS; i++)
            CHECK_IS(end_of(&p[i]), -SIGKILL);
        read_all();
    }
    write_many(1, CELLS);
    CHECK_IS(read_all(), CELLS);
    mpr_handle_close(&plog.h);
}

int main(void)
{
    struct mpr_stats before, after;

    test_begin(100);
    CHECK_IS(mpr_open(), 0);
    CHECK_IS(mpr_stats(&before), 0);
    RUN(contract);
    RUN(threads);
    if (TEST_FORKS) {
        RUN(killed);
        RUN(stopped);
        RUN(killed_anywhere);
    }
    CHECK_IS(mpr_stats(&after), 0);
    CHECK(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
    CHECK_IS(mpr_check(), 0);
    return 0;
}
