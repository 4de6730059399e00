#ifndef MPR_BASE_TEST_H
#define MPR_BASE_TEST_H

/* What the C tests share: checks that stay in every build, a time limit, a
 * seed that can be given again, and children that are killed at a test point.
 *
 *     int main(void)
 *     {
 *         test_begin(20);
 *         RUN(rolls_back);
 *         return 0;
 *     }
 *
 * MP_SEED=n repeats a random test, MP_LONG=1 makes all of them longer. */

#include "mpr.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(cond)                                                     \
    ((cond) ? (void)0                                                   \
            : (fprintf(stderr, "%s:%d: '%s' does not hold\n", __FILE__, \
                       __LINE__, #cond),                                \
               abort()))

/* The same for a result, which is shown. */
#define CHECK_IS(expr, value)                                            \
    do {                                                                 \
        long long got_ = (long long)(expr), want_ = (long long)(value);  \
        if (got_ != want_) {                                             \
            fprintf(stderr, "%s:%d: '%s' is %lld, not %lld\n", __FILE__, \
                    __LINE__, #expr, got_, want_);                       \
            abort();                                                     \
        }                                                                \
    } while (0)

#define RUN(test)                                                 \
    do {                                                          \
        int64_t begun_ = mpr_now();                               \
        printf("%s", #test);                                      \
        fflush(stdout);                                           \
        test();                                                   \
        printf(": %.2f s\n", (double)(mpr_now() - begun_) / 1e9); \
        fflush(stdout);                                           \
    } while (0)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TEST_SANITIZED = 1, TEST_SLOWER = 10 };
#elif defined(MPR_CHECK) && MPR_CHECK > 1
enum { TEST_SANITIZED = 0, TEST_SLOWER = 10 };
#else
enum { TEST_SANITIZED = 0, TEST_SLOWER = 1 };
#endif

/* ThreadSanitizer knows nothing of other processes, and a fork of a process
 * with threads is outside what it can follow: tests of several processes are
 * run under the other builds only. */
#if defined(__SANITIZE_THREAD__)
enum { TEST_FORKS = 0 };
#else
enum { TEST_FORKS = 1 };
#endif

static uint64_t test_state;

static inline bool test_long(void)
{
    return getenv("MP_LONG") != NULL;
}

/* So many rounds in a short test: fewer under a sanitizer, more if asked. */
static inline unsigned test_rounds(unsigned usual)
{
    unsigned n = usual / TEST_SLOWER;

    return (n ? n : 1) * (test_long() ? 20 : 1);
}

static inline uint64_t test_random(void)
{
    test_state ^= test_state << 13;
    test_state ^= test_state >> 7;
    test_state ^= test_state << 17;
    return test_state * 0x2545f4914f6cdd1dULL >> 16;
}

/* 0 … n - 1. */
static inline uint64_t test_below(uint64_t n)
{
    return test_random() % n;
}

/* Says the seed, and ends a test that hangs: by SIGALRM, after so long. */
static inline void test_begin(unsigned seconds)
{
    const char *given = getenv("MP_SEED");

    test_state =
        given ? strtoull(given, NULL, 10) : (uint64_t)mpr_now() % 1000000007;
    printf("MP_SEED=%llu\n", (unsigned long long)test_state);
    fflush(stdout);
    test_state = test_state * 0x9e3779b97f4a7c15ULL | 1;
    alarm(seconds * TEST_SLOWER * (test_long() ? 20 : 1));
}

/* Zeroed memory that children share; never freed. */
static inline void *test_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    return p;
}

/* How the child ended: its exit code, or minus the signal. */
static inline int test_wait(pid_t pid)
{
    int status;
    pid_t r;

    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    CHECK(r == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Forks a child that only calls f(arg); it ends with its parent. */
static inline pid_t test_fork(void (*f)(void *), void *arg)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60 * TEST_SLOWER);
        f(arg);
        fflush(NULL);
        _exit(0);
    }
    return pid;
}

struct test_point {
    const char *name;
    uint32_t nth;
    void (*f)(void *);
    void *arg;
};

static inline void test_to_the_point(void *arg)
{
    const struct test_point *p = arg;

    CHECK(mpr_testpoint_arm(p->name, p->nth, SIGKILL) == 0);
    p->f(p->arg);
    mpr_testpoint_arm(NULL, 0, 0);
}

/* Runs f(arg) in a child that is killed when it passes the named test point
 * ("*": any) for the nth time: whether it came so far. */
static inline bool test_kill_at(const char *name, uint32_t nth,
                                void (*f)(void *), void *arg)
{
    struct test_point p = {.name = name, .nth = nth, .f = f, .arg = arg};
    int code = test_wait(test_fork(test_to_the_point, &p));

    if (code != 0)
        CHECK_IS(code, -SIGKILL);
    return code != 0;
}

#endif
