#include "os/os.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int mpri_futex_wait(mpri_a32 *word, uint32_t expected, int64_t deadline_ns)
{
    struct timespec t = {
        .tv_sec = (time_t)(deadline_ns / 1000000000LL),
        .tv_nsec = (long)(deadline_ns % 1000000000LL),
    };

    if (deadline_ns <= 0)
        t = (struct timespec){0, 0};
    /* FUTEX_WAIT_BITSET takes an absolute time, unlike FUTEX_WAIT. */
    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected,
                deadline_ns == INT64_MAX ? NULL : &t, NULL,
                FUTEX_BITSET_MATCH_ANY) == 0)
        return 0;
    return -errno;
}

int mpri_futex_wake(mpri_a32 *word, uint32_t count)
{
    int saved = errno; /* a signal handler must not change it */
    long n = syscall(SYS_futex, word, FUTEX_WAKE,
                     count > INT32_MAX ? INT32_MAX : (int)count, NULL, NULL, 0);

    errno = saved;
    return n < 0 ? 0 : (int)n;
}
