#ifndef MPR_SYNC_SYNC_TEST_H
#define MPR_SYNC_SYNC_TEST_H

/* What the tests of this folder share: children that do one thing, a piece of
 * shared memory for what they count, and bounds on everything. */

#include "base/atomic.h"
#include "life/block.h"
#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif

/* Long enough for whatever is meant to happen, on a busy machine too. */
static inline int64_t soon(void)
{
    return mpr_after(30);
}

/* The result of a wait that is called again when it was interrupted. */
#define AGAIN(call)                   \
    __extension__({                   \
        int64_t end_ = mpr_after(60); \
        int again_;                   \
        do {                          \
            again_ = (call);          \
            assert(mpr_now() < end_); \
        } while (again_ == -EINTR);   \
        again_;                       \
    })

static inline uint32_t new_actor(void)
{
    uint32_t actor;

    assert(mpr_actor_new(&actor) == 0);
    return actor;
}

/* Zeroed memory that children share; freed with its handle. */
static inline void *shared(mpr_handle *h, size_t size)
{
    assert(mpr_open() == 0);
    assert(mpri_block_create(size, MPRI_BLOCK_ZERO, h) == 0);
    return mpri_data(h);
}

/* A child that runs f(arg) and ends with the code that it returns. */
static inline void start(mpr_process *p, int (*f)(void *), void *arg)
{
    static const struct mpr_process_options options = {.name = "child"};
    int r = mpr_process_fork(p, &options);

    assert(r >= 0);
    if (r == MPR_IN_CHILD)
        mpr_process_exit(p, f(arg));
}

/* Waits for the end of a child: its exit code. */
static inline int finish(mpr_process *p)
{
    int code = 0;

    assert(mpr_process_join(p, soon()) == 0);
    assert(mpr_process_exit_code(p, &code) == 0);
    mpr_process_close(p);
    return code;
}

static inline void kill_now(mpr_process *p)
{
    assert(mpr_process_signal(p, SIGKILL) == 0);
}

/* Kills a child and waits until the kernel has taken it down, without anybody
 * of the family having noticed. */
static inline void kill_unseen(mpr_process *p)
{
    siginfo_t info;

    kill_now(p);
    assert(waitid(P_PID, (id_t)mpr_process_pid(p), &info, WEXITED | WNOWAIT) ==
           0);
}

/* Runs f(arg) in a child that is killed when it passes the named test point
 * ("*": any) for the nth time, then after(arg) here. Whether it came so far. */
static inline bool at_point(const char *name, unsigned nth, int (*f)(void *),
                            void (*after)(void *), void *arg)
{
    static const struct mpr_process_options options = {.name = "child"};
    mpr_process p;
    int code = mpr_process_fork(&p, &options);

    assert(code >= 0);
    if (code == MPR_IN_CHILD) {
        assert(mpr_testpoint_arm(name, nth, SIGKILL) == 0);
        code = f(arg);
        mpr_testpoint_arm(NULL, 0, 0);
        mpr_process_exit(&p, code);
    }
    code = finish(&p);
    after(arg);
    assert(mpr_check() == 0);
    assert(code == 0 || code == -SIGKILL);
    return code != 0;
}

/* The same for a point that a child need not come to every time: repeats until
 * it did so often. */
static inline void at_some_point(const char *name, unsigned often,
                                 int (*f)(void *), void (*after)(void *),
                                 void *arg)
{
    unsigned tries = 0;

    while (often > 0) {
        if (at_point(name, 1, f, after, arg))
            often--;
        assert(++tries < 1000);
    }
}

/* The same at every point in turn. Returns how many there were. */
static inline unsigned at_each_point(int (*f)(void *), void (*after)(void *),
                                     void *arg)
{
    unsigned nth = 1;

    while (at_point("*", nth, f, after, arg))
        nth++;
    return nth - 1;
}

static inline unsigned rounds(unsigned usual)
{
    const char *given = getenv("MP_ROUNDS");

    return given ? (unsigned)atoi(given) : usual / SLOWER;
}

static inline unsigned seed(void)
{
    const char *given = getenv("MP_SEED");
    unsigned s = given ? (unsigned)atoi(given) : (unsigned)mpr_now();

    printf("MP_SEED=%u\n", s);
    fflush(stdout);
    srand(s);
    return s;
}

/* Counts objects at the start, and at the end that none is left. */
static inline void nothing_left(bool end)
{
    static struct mpr_stats before;
    struct mpr_stats now;

    mpr_sweep();
    assert(mpr_stats(&now) == 0);
    if (!end) {
        before = now;
        return;
    }
    for (unsigned k = 0; k < MPR_KIND_END; k++) {
        if (before.objects[k] != now.objects[k])
            fprintf(stderr, "%s: %llu -> %llu\n", mpr_kind_name(k),
                    (unsigned long long)before.objects[k],
                    (unsigned long long)now.objects[k]);
        assert(before.objects[k] == now.objects[k]);
    }
    assert(now.holds == before.holds);
    assert(now.processes == 1);
}

#endif
