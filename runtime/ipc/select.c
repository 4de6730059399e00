#include "ipc/select.h"

#include "base/deadline.h"
#include "base/near.h"
#include "life/block.h"
#include "life/reap.h"
#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"
#include "wait/waiter.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A peer that dies rings no bell: who waits looks around this often. */
static const int64_t LOOK = 500 * MPRI_MS;

/* Made when first needed; of this process only. */
static struct {
    int epoll;
    int timer;
} own = {-1, -1};
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

MPRI_NEAR void mpri_select_forget(void)
{
    /* A thread that is not here may have held it. */
    making = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (own.epoll >= 0) {
        close(own.epoll);
        own.epoll = -1;
    }
    if (own.timer >= 0) {
        close(own.timer);
        own.timer = -1;
    }
}

static int add(int epoll, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int make(void)
{
    struct itimerspec every = {
        .it_interval = {.tv_nsec = LOOK},
        .it_value = {.tv_nsec = LOOK},
    };
    int epoll = mpri_fd_raise(epoll_create1(EPOLL_CLOEXEC));
    int timer, err;

    if (epoll < 0)
        return epoll;
    timer = mpri_fd_raise(
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (timer < 0) {
        close(epoll);
        return timer;
    }
    timerfd_settime(timer, 0, &every, NULL);
    err = add(epoll, mpri_bell_fd[mpri_bell_own()], EPOLLIN | EPOLLET);
    if (err == 0)
        err = add(epoll, timer, EPOLLIN | EPOLLET);
    if (err < 0) {
        close(epoll);
        close(timer);
        return err;
    }
    own.timer = timer;
    own.epoll = epoll;
    return 0;
}

int mpr_bell(void)
{
    int err = mpr_open();

    if (err < 0)
        return err;
    pthread_mutex_lock(&making);
    err = own.epoll >= 0 ? 0 : make();
    pthread_mutex_unlock(&making);
    return err < 0 ? err : own.epoll;
}

int mpr_bell_clear(void)
{
    struct epoll_event e[2];
    int n = own.epoll >= 0 ? epoll_wait(own.epoll, e, 2, 0) : 0;

    if (n > 0)
        mpri_sweep();
    return n > 0;
}

static int ready(const mpr_handle *h)
{
    const struct mpri_kind *kind = mpri_kind(h->kind);

    return kind->ready ? kind->ready(mpri_block_of(h)) : 0;
}

int mpr_watch(const mpr_handle *h)
{
    const struct mpri_kind *kind = mpri_kind(h->kind);

    if (!kind->ready)
        return -EINVAL;
    if (kind->ready(mpri_block_of(h)))
        return 1;
    mpri_gate_watch(kind->gate(mpri_block_of(h)), mpri_bell_own());
    return kind->ready(mpri_block_of(h));
}

static int look(struct mpr_waitable *w, size_t count, int watch)
{
    int n = 0;

    for (size_t i = 0; i < count; i++) {
        if (w[i].h) {
            int r = watch ? mpr_watch(w[i].h) : ready(w[i].h);

            if (r < 0)
                return r;
            w[i].ready = r;
        }
        n += w[i].ready != 0;
    }
    return n;
}

/* Polls the descriptors, and the bell when listen. */
static int poll_all(struct mpr_waitable *w, size_t count, struct pollfd *fds,
                    int listen, int64_t until_ns)
{
    int64_t left = until_ns - mpri_now_ns();
    struct timespec t;
    nfds_t n = 0;
    int r;

    for (size_t i = 0; i < count; i++)
        if (!w[i].h)
            fds[n++] = (struct pollfd){.fd = w[i].fd, .events = POLLIN};
    if (listen)
        fds[n++] = (struct pollfd){.fd = own.epoll, .events = POLLIN};
    if (left < 0)
        left = 0;
    t.tv_sec = (time_t)(left / MPRI_SECOND);
    t.tv_nsec = (long)(left % MPRI_SECOND);
    r = ppoll(fds, n, &t, NULL);
    if (r < 0)
        return -errno;
    n = 0;
    for (size_t i = 0; i < count; i++)
        if (!w[i].h) {
            if (fds[n].revents & POLLNVAL)
                return -EBADF;
            w[i].ready = fds[n++].revents != 0;
        }
    return 0;
}

static size_t count_objects(const struct mpr_waitable *w, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += w[i].h != NULL;
    return n;
}

int mpr_wait(struct mpr_waitable *w, size_t count, int64_t deadline_ns)
{
    size_t objects = count_objects(w, count);
    struct pollfd *fds = calloc(count + 1, sizeof *fds);
    int r;

    if (!fds)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        w[i].ready = 0;
    r = objects ? mpr_bell() : 0;
    while (r >= 0) {
        int64_t now = mpri_now_ns();
        int n;

        if (objects)
            mpr_bell_clear();
        if (count > objects) {
            r = poll_all(w, count, fds, 0, now);
            if (r < 0)
                break;
        }
        r = n = look(w, count, objects && deadline_ns > now);
        if (n != 0 || deadline_ns <= now)
            break;
        r = poll_all(w, count, fds, objects > 0,
                     mpri_earlier(deadline_ns, now + LOOK));
    }
    free(fds);
    return r;
}
