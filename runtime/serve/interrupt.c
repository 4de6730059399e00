/* Interrupting a task: because its time is up, because it was cancelled, or
 * because the pool ends. A worker is a process of ours, so timers and the
 * dispositions of SIGTERM and SIGURG are ours to set in it. SIGURG, because a
 * process that does not expect one ignores it.
 *
 * An interrupt only says that the task should end; who runs it (a hook of its
 * interpreter) ends it as best it can. The kernel ends the worker when it is
 * past its hard limit, whatever it is doing. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "peer/roster.h"
#include "serve/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* An interrupt that the task survived comes again. */
static const int64_t AGAIN_NS = 100 * MPRI_MS;

/* A task that was cancelled has so long to end. */
static const int64_t CANCEL_GRACE_NS = MPRI_SECOND;

/* The worker that this process is, for the handler. */
static mpr_worker *watched;

static bool is_cancelled(mpr_worker *w)
{
    uint32_t task = mpri_load_acq(&w->seat->cancel_task);

    return task && w->job && task == w->task + 1 &&
           mpri_load_acq(&w->seat->cancel_job) == w->job->serial &&
           mpri_load_rlx(&mpri_worker_frame(w)->running) == task;
}

static void end_by(mpr_worker *w, int64_t hard_ns)
{
    struct mpri_level *l = &w->level[w->depth];

    if (l->hard_ns && l->hard_ns <= hard_ns)
        return;
    l->hard_ns = hard_ns;
    mpri_timer_set(&w->hard, hard_ns, 0);
}

static void on_signal(int signo)
{
    mpr_worker *w = watched;
    int saved = errno;

    if (w) {
        if (signo == SIGTERM)
            mpri_store_rlx(&w->ending, 1);
        else if (is_cancelled(w))
            end_by(w, mpri_now_ns() + CANCEL_GRACE_NS);
        w->due(w->due_ud);
    }
    errno = saved;
}

int mpr_worker_watch(mpr_worker *w, void (*due)(void *ud), void *ud)
{
    struct sigaction act;
    int err;

    w->due = due;
    w->due_ud = ud;
    err = mpri_timer_create(&w->soft, SIGURG);
    if (err == 0)
        err = mpri_timer_create(&w->hard, SIGKILL);
    if (err < 0)
        return err;
    watched = w;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal; /* waits return: no SA_RESTART */
    sigaction(SIGURG, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    return 0;
}

void mpri_worker_unwatch(mpr_worker *w)
{
    if (!w->due)
        return;
    signal(SIGURG, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    watched = NULL;
    mpri_timer_delete(&w->soft);
    mpri_timer_delete(&w->hard);
    w->due = NULL;
}

void mpri_worker_rearm(mpr_worker *w)
{
    const struct mpri_level *top = &w->level[w->depth];
    int64_t hard = 0;

    if (!w->due)
        return;
    for (uint32_t d = 0; d <= w->depth; d++) {
        int64_t h = w->level[d].hard_ns;

        if (h && (!hard || h < hard))
            hard = h;
    }
    mpri_timer_set(&w->hard, hard, 0);
    mpri_timer_set(&w->soft, top->soft_ns, top->soft_ns ? AGAIN_NS : 0);
}

void mpr_worker_limit(mpr_worker *w, int64_t timeout_ns, int64_t grace_ns)
{
    struct mpri_level *l = &w->level[w->depth];
    struct mpri_frame *f = mpri_worker_frame(w);
    int64_t now = mpri_now_ns();

    l->soft_ns = l->hard_ns = 0;
    if (timeout_ns > 0 && timeout_ns < MPR_FOREVER - now) {
        l->soft_ns = now + timeout_ns;
        if (grace_ns < MPR_FOREVER - l->soft_ns)
            l->hard_ns = l->soft_ns + grace_ns;
    }
    /* Why we die is written down before we can. */
    mpri_store_rel(&f->hard_ns, (uint64_t)l->hard_ns);
    mpri_store_rlx(&f->started_ns, (uint64_t)now);
    mpri_worker_rearm(w);
}

enum mpr_interrupt mpr_worker_interrupt(mpr_worker *w)
{
    const struct mpri_level *l = &w->level[w->depth];

    if (mpri_load_rlx(&w->ending))
        return MPR_INTERRUPT_END;
    if (is_cancelled(w))
        return MPR_INTERRUPT_CANCEL;
    if (l->soft_ns && mpri_now_ns() >= l->soft_ns)
        return MPR_INTERRUPT_TIME;
    return MPR_INTERRUPT_NONE;
}

void mpri_worker_look_up(mpr_worker *w)
{
    if (w->due && mpr_worker_interrupt(w) != MPR_INTERRUPT_NONE)
        w->due(w->due_ud);
}

/* ---- from outside --------------------------------------------------------- */

/* Sends the seat's worker a signal, if it is still the one that was found
 * there. */
static int signal_seat(struct mpri_seat *s, uint32_t number, int signo)
{
    uint32_t slot = mpri_load_acq(&s->slot);
    int fd = mpri_pidfd_open((pid_t)mpri_load_rlx(&s->pid)), err = -ESRCH;

    if (fd < 0)
        return fd;
    /* The descriptor means whoever has the number now; the seat is the same
     * worker's, and that one lives: so it is it. */
    if (mpri_load_acq(&s->number) == number &&
        mpri_load_acq(&s->state) == MPRI_SEAT_LIVE && mpri_peer_alive(slot))
        err = mpri_pidfd_signal(fd, signo);
    close(fd);
    return err;
}

static int interrupt(struct mpri_pool *p, uint32_t seat,
                     const struct mpri_job *j, uint32_t task)
{
    struct mpri_seat *s = &p->seat[seat];
    uint32_t number = mpri_load_acq(&s->number);

    mpri_desk_lock(p);
    mpri_store_rel(&s->cancel_task, 0);
    mpri_store_rel(&s->cancel_job, j->serial);
    mpri_store_rel(&s->cancel_task, task + 1);
    mpri_desk_unlock(p, NULL);
    MPRI_TESTPOINT("pool.interrupting");
    return signal_seat(s, number, SIGURG);
}

int mpr_pool_interrupt(mpr_pool *pool, uint32_t seat, const mpr_job *job,
                       uint32_t task)
{
    return interrupt(mpri_pool_of(pool->h.block), seat,
                     mpri_job_of(job->h.block), task);
}

/* The outermost task of the job that the seat's worker does, or -1. What it does
 * for that task's sake, in frames above, ends with it. */
static int64_t task_of(struct mpri_pool *p, uint32_t seat,
                       const struct mpri_job *j)
{
    int64_t task = -1;

    mpri_desk_lock(p);
    for (uint32_t d = 0; d < MPRI_FRAMES && task < 0; d++) {
        struct mpri_frame *f = &p->seat[seat].frame[d];

        if (f->job == mpri_job_off(j))
            task = (int64_t)mpri_load_acq(&f->running) - 1;
    }
    mpri_desk_unlock(p, NULL);
    return task;
}

void mpr_job_give_up(mpr_job *job)
{
    struct mpri_job *j = mpri_job_own(job);
    struct mpri_pool *p = job->pool;

    if (!j)
        return;
    mpri_job_stop(j);
    for (uint32_t seat = 0; seat < p->seats; seat++) {
        int64_t task = task_of(p, seat, j);
        int found;

        if (task >= 0 && mpr_job_cancel(job, (uint32_t)task, &found) ==
                             MPR_CANCELLED_RUNNING)
            interrupt(p, (uint32_t)found, j, (uint32_t)task);
    }
}
