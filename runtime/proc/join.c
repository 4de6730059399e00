/* Waiting for a process: for its start, by a fork server, and for its end. */

#include "base/deadline.h"
#include "base/near.h"
#include "life/reap.h"
#include "os/os.h"
#include "proc/process.h"
#include "wait/waiter.h"

#include <errno.h>
#include <poll.h>

/* While it waits for a child a process looks around this often. */
static const int64_t LOOK = 500 * MPRI_MS;

/* How long it keeps awake for one that may start or end at once: to be woken
 * takes a good part of that, and a short life is not much longer. */
static const int64_t AWAKE_NS = 200000;

/* 0: for no time. */
static int64_t awake_for(int64_t deadline_ns)
{
    int64_t now = mpri_now_ns();

    return deadline_ns <= now ? 0 : mpri_earlier(AWAKE_NS, deadline_ns - now);
}

static void watch_start(struct mpri_process *d, int64_t deadline_ns)
{
    MPRI_NEAR_DATA static mpri_a32 credit = MPRI_SPIN_CREDIT;
    int64_t most_ns = awake_for(deadline_ns);
    struct mpri_spin spin;

    if (most_ns == 0)
        return;
    spin = mpri_spin_begin_for(&credit, most_ns);
    while (!mpri_load_acq(&d->pid) && mpri_spin_more(&spin))
        ;
    mpri_spin_end(&spin, mpri_load_acq(&d->pid) != 0);
}

/* Its last words come first; then the kernel takes it apart, and a child of
 * ours is over only when that is done. */
static void watch_end(struct mpr_process *p, int64_t deadline_ns)
{
    MPRI_NEAR_DATA static mpri_a32 credit = MPRI_SPIN_CREDIT;
    struct mpri_process *d = mpri_process_data(&p->h);
    int64_t most_ns = awake_for(deadline_ns);
    struct mpri_spin spin;
    uint32_t status;
    int over;

    if (most_ns == 0)
        return;
    spin = mpri_spin_begin_for(&credit, most_ns);
    do {
        status = mpri_load_acq(&d->status);
        over = status && (!p->mine || mpri_process_check(p));
    } while (!over && mpri_spin_more(&spin));
    mpri_spin_end(&spin, over);
}

int mpr_process_await(struct mpr_process *p, int64_t deadline_ns)
{
    struct mpri_process *d = mpri_process_data(&p->h);

    watch_start(d, deadline_ns);
    for (;;) {
        uint32_t ticket = mpri_gate_prepare(&d->known);
        int r;

        if (mpri_load_seq(&d->pid) || mpri_load_seq(&d->status))
            break;
        r = mpri_gate_wait(&d->known, ticket, deadline_ns);
        if (r < 0)
            return r;
    }
    p->pid = (int)mpri_load_acq(&d->pid);
    p->pidfd = mpri_pidfd_open(p->pid);
    mpri_process_link(p);
    return 0;
}

static int poll_pidfd(const struct mpr_process *p, int64_t until_ns)
{
    struct pollfd fd = {.fd = p->pidfd, .events = POLLIN};
    struct timespec t;
    int64_t left = until_ns - mpri_now_ns();
    int r;

    if (left < 0)
        left = 0;
    t.tv_sec = (time_t)(left / MPRI_SECOND);
    t.tv_nsec = (long)(left % MPRI_SECOND);
    r = ppoll(&fd, p->pidfd >= 0, &t, NULL);
    return r < 0 ? -errno : r;
}

void mpri_process_settle(struct mpr_process *p)
{
    struct mpri_process *d = mpri_process_data(&p->h);
    int64_t until_ns = mpri_now_ns() + MPRI_SECOND;
    uint32_t none = 0;

    while (!p->mine && mpri_load_acq(&d->status) == 0) {
        uint32_t ticket = mpri_gate_prepare(&d->known);

        if (mpri_load_seq(&d->status))
            break;
        if (mpri_gate_wait(&d->known, ticket, until_ns) == -ETIMEDOUT)
            mpri_cas_seq(&d->status, &none,
                         MPRI_STATUS_ENDED | MPRI_STATUS_LOST);
    }
}

int mpr_process_join(struct mpr_process *p, int64_t deadline_ns)
{
    /* Without a descriptor (none was left) only asking again helps. */
    int64_t slice = p->pidfd >= 0 ? LOOK : 5 * MPRI_MS;

    watch_end(p, deadline_ns);
    for (;;) {
        int64_t now = mpri_now_ns();
        int r;

        if (!mpr_process_alive(p)) {
            mpri_process_settle(p);
            return 0;
        }
        if (now >= deadline_ns)
            return -ETIMEDOUT;
        r = poll_pidfd(p, mpri_earlier(deadline_ns, now + slice));
        if (r == -EINTR)
            return r;
        if (r == 0)
            mpri_sweep();
    }
}
