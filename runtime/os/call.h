#ifndef MPR_OS_CALL_H
#define MPR_OS_CALL_H

/* System calls without the C library, for a child just forked: each page of
 * the library that it steps onto is a fault, and errno is one more.
 *
 * Returns what the kernel says: a result, or a negative errno. */

#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__x86_64__) && defined(__LP64__)
#define MPRI_CALL_DIRECT 1

static inline long mpri_call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__) && defined(__LP64__)
#define MPRI_CALL_DIRECT 1

static inline long mpri_call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3)
                     : "memory");
    return x0;
}

#else
#define MPRI_CALL_DIRECT 0

#include <errno.h>
#include <unistd.h>

static inline long mpri_call(long number, long a, long b, long c, long d)
{
    long result = syscall(number, a, b, c, d);

    return result < 0 ? -errno : result;
}

#endif

/* Where a long has 64 bits the library's structures are the kernel's. */
#if MPRI_CALL_DIRECT

static inline long mpri_call_fcntl(int fd, int cmd, struct flock *lk)
{
    return mpri_call(SYS_fcntl, fd, cmd, (long)lk, 0);
}

static inline long mpri_call_clock(clockid_t clock, struct timespec *t)
{
    return mpri_call(SYS_clock_gettime, clock, (long)t, 0, 0);
}

#else

static inline long mpri_call_fcntl(int fd, int cmd, struct flock *lk)
{
    int r = fcntl(fd, cmd, lk);

    return r < 0 ? -errno : r;
}

static inline long mpri_call_clock(clockid_t clock, struct timespec *t)
{
    return clock_gettime(clock, t) < 0 ? -errno : 0;
}

#endif

#endif
