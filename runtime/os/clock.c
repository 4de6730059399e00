#include "os/os.h"

#include "base/near.h"
#include "os/call.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

MPRI_NEAR int64_t mpri_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

MPRI_NEAR uint64_t mpri_boot_ns(void)
{
    struct timespec t;

    mpri_call_clock(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

void mpri_yield(void)
{
    sched_yield();
}

_Static_assert(sizeof(timer_t) <= sizeof(void *), "kept in a pointer");

int mpri_timer_create(struct mpri_timer *t, int signo)
{
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo};
    timer_t id;

    if (timer_create(CLOCK_MONOTONIC, &e, &id) < 0)
        return -errno;
    memcpy(&t->id, &id, sizeof id);
    t->made = 1;
    return 0;
}

static timer_t id_of(const struct mpri_timer *t)
{
    timer_t id;

    memcpy(&id, &t->id, sizeof id);
    return id;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000LL),
                             .tv_nsec = (long)(ns % 1000000000LL)};
}

int mpri_timer_set(struct mpri_timer *t, int64_t at_ns, int64_t every_ns)
{
    struct itimerspec when = {
        .it_value = timespec_of(at_ns),
        .it_interval = timespec_of(every_ns),
    };

    return timer_settime(id_of(t), TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

void mpri_timer_delete(struct mpri_timer *t)
{
    if (t->made)
        timer_delete(id_of(t));
    t->made = 0;
}
