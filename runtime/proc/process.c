#include "proc/process.h"
#include "base/near.h"

#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "life/reap.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert((int)MPR_PROCESS_NAME == (int)MPRI_PEER_NAME, "one name");

/* The process objects of this process that have, or may open, a pidfd. */
MPRI_NEAR_DATA static struct mpr_process *children;
MPRI_NEAR_DATA static pthread_mutex_t children_lock = PTHREAD_MUTEX_INITIALIZER;

void mpri_process_link(struct mpr_process *p)
{
    pthread_mutex_lock(&children_lock);
    if (!p->linked) {
        p->linked = 1;
        p->next = children;
        children = p;
    }
    pthread_mutex_unlock(&children_lock);
}

static void unlink_child(struct mpr_process *p)
{
    struct mpr_process **at;

    pthread_mutex_lock(&children_lock);
    for (at = &children; *at && *at != p; at = &(*at)->next)
        ;
    if (*at)
        *at = p->next;
    p->linked = 0;
    pthread_mutex_unlock(&children_lock);
}

MPRI_NEAR void mpri_process_forget_all(void)
{
    /* A thread that is not here may have held it. */
    children_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    while (children) {
        struct mpr_process *p = children;

        children = p->next;
        if (p->pidfd >= 0)
            close(p->pidfd);
        p->pidfd = -1;
        p->mine = 0;
        p->linked = 0;
    }
}

static void destroy(struct mpri_block *b)
{
    mpri_ring_destroy(&((struct mpri_process *)(void *)((char *)b + 64))->ring);
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct mpri_process *d = (struct mpri_process *)(void *)((char *)b + 64);
    struct mpr_message m = {0};

    mpri_ring_abandon(&d->ring, slot);
    /* It died before it took what it was given: nobody else will, and those
     * who wait for its end of a pipe must not wait for the message. */
    if (slot == d->slot && !mpri_load_acq(&d->begun))
        while (mpri_ring_get(&d->ring, &m, UINT64_MAX, 0) == 0)
            ;
    mpr_message_free(&m);
}

void mpri_process_register(void)
{
    static const struct mpri_kind process = {
        .name = "Process",
        .abandon = abandon,
        .destroy = destroy,
    };

    mpri_kind_register(MPR_KIND_PROCESS, &process);
}

/* The object and the roster slot of a process that is not there yet. */
int mpr_process_prepare(struct mpr_process *p,
                        const struct mpr_process_options *o)
{
    struct mpri_process *d;
    uint32_t slot;
    int err = mpr_open();

    if (err < 0)
        return err;
    *p = (struct mpr_process){.pidfd = -1};
    err = mpri_block_create(32 + sizeof *d, 0, &p->h);
    if (err < 0)
        return err;
    d = mpri_process_data(&p->h);
    memset(d, 0, sizeof *d);
    mpri_ring_init(&d->ring, MPRI_PROCESS_RING);
    snprintf(d->name, sizeof d->name, "%s", o->name);
    d->daemon = o->daemon != 0;
    d->creator_pid = (uint32_t)mpri_self.pid;
    mpri_block_become(&p->h, MPR_KIND_PROCESS);
    MPRI_TESTPOINT("process.made");
    for (int i = 0; i < 2; i++) {
        mpri_guard_lock();
        err = mpri_roster_take(d->name, &slot);
        mpri_guard_unlock();
        if (err != -EUSERS)
            break;
        mpri_sweep_now(); /* the dead have slots that nobody freed yet */
    }
    if (err < 0) {
        mpri_drop(&p->h);
        return err;
    }
    d->slot = slot;
    d->generation = mpri_slot_generation(slot);
    mpri_store_rlx(&mpri_slot(slot)->worker, o->worker != 0);
    return 0;
}

void mpr_process_discard(struct mpr_process *p)
{
    const struct mpri_process *d = mpri_process_data(&p->h);

    mpri_roster_ended(d->slot, d->generation);
    mpri_reap(d->slot, d->generation);
    mpri_drop(&p->h);
}

void mpri_process_started(struct mpr_process *p, int pid)
{
    struct mpri_process *d = mpri_process_data(&p->h);

    mpri_roster_forked(d->slot, d->generation, pid);
    mpri_store_seq(&d->pid, (uint32_t)pid);
    MPRI_TESTPOINT("process.forked");
    p->pidfd = mpri_pidfd_open(pid);
    p->pid = pid;
    p->mine = 1;
    mpri_process_link(p);
    mpri_gate_open(&d->known, UINT32_MAX);
}

/* Forks for the slot that p was prepared with. */
MPRI_NEAR static int fork_prepared(struct mpr_process *p)
{
    struct mpri_process *d = mpri_process_data(&p->h);
    const struct mpri_birth birth = {
        .slot = d->slot,
        .generation = d->generation,
        .parent_pid = d->creator_pid,
        .daemon = d->daemon && !d->served,
        .has_null_stdin = mpri_stdin_is_null(),
    };
    sigset_t all, before;
    pid_t pid;
    int err;

    err = mpri_hold_inherit(birth.slot, birth.generation);
    if (err < 0)
        return err;
    MPRI_TESTPOINT("process.inherited");
    fflush(NULL); /* or the child would write it again */
    /* No handler of the parent's runs in the child, which unblocks them when
     * it has the default ones. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        MPRI_TESTPOINT("child.forked");
        mpri_child_begin(&birth);
        mpri_store_rlx(&d->pid, (uint32_t)mpri_self.pid);
        return MPR_IN_CHILD;
    }
    err = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return -err;
    mpri_process_started(p, pid);
    return 0;
}

MPRI_NEAR int mpr_process_fork(struct mpr_process *p,
                               const struct mpr_process_options *options)
{
    int r = mpr_process_prepare(p, options);

    if (r < 0)
        return r;
    r = fork_prepared(p);
    if (r < 0)
        mpr_process_discard(p);
    if (r == MPR_IN_CHILD)
        mpri_store_rel(&mpri_process_data(&p->h)->begun, 1);
    return r;
}

int mpr_process_serve(struct mpr_process *p)
{
    mpri_process_data(&p->h)->served = 1;
    return fork_prepared(p);
}

void mpr_process_attach(struct mpr_process *p, mpr_handle *h)
{
    *p = (struct mpr_process){.h = *h, .pidfd = -1};
    h->block = NULL;
    p->pid = (int32_t)mpri_load_rlx(&mpri_process_data(&p->h)->pid);
}

static void forget(struct mpr_process *p)
{
    unlink_child(p);
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pidfd = -1;
}

/* It is over: no other process will have its pid for us any more. */
static void ended(struct mpr_process *p, int code)
{
    struct mpri_process *d = mpri_process_data(&p->h);

    mpri_store_seq(&d->status,
                   MPRI_STATUS_ENDED | (uint32_t)(uint16_t)(int16_t)code);
    mpri_gate_open(&d->known, UINT32_MAX);
    p->mine = 0;
    /* Nobody need wait for it any more; whoever was given the descriptor as a
     * sentinel keeps it. */
    if (!p->watched)
        forget(p);
    MPRI_TESTPOINT("process.ended");
    mpri_roster_ended(d->slot, d->generation);
    mpri_reap(d->slot, d->generation);
}

int mpri_process_check(struct mpr_process *p)
{
    struct mpri_process *d = mpri_process_data(&p->h);
    siginfo_t info;
    int r;

    if (!p->mine)
        return 0;
    info.si_pid = 0;
    do
        r = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG);
    while (r < 0 && errno == EINTR);
    if (r == 0 && info.si_pid == 0)
        return 0;
    if (r == 0) {
        ended(p, info.si_code == CLD_EXITED ? info.si_status : -info.si_status);
    } else if (mpri_load_acq(&d->status) == 0) {
        /* The host reaps children itself, and this one said nothing. */
        ended(p, MPRI_STATUS_LOST);
    } else {
        ended(p, (int16_t)(mpri_load_acq(&d->status) & 0xffff));
    }
    return 1;
}

int mpr_process_alive(struct mpr_process *p)
{
    const struct mpri_process *d = mpri_process_data(&p->h);

    if (p->mine)
        return !mpri_process_check(p);
    if (mpri_load_acq(&d->status))
        return 0;
    if (mpri_slot_generation(d->slot) != d->generation)
        return 0;
    return mpri_peer_alive(d->slot) &&
           mpri_slot_generation(d->slot) == d->generation;
}

int mpr_process_exit_code(struct mpr_process *p, int *code)
{
    const struct mpri_process *d = mpri_process_data(&p->h);
    uint32_t status;

    if (p->mine)
        mpri_process_check(p);
    else if (d->served && (int)d->creator_pid == mpri_self.pid &&
             !mpr_process_alive(p))
        mpri_process_settle(p);
    status = mpri_load_acq(&d->status);
    /* What the process itself wrote counts when it is gone. */
    if (!(status & MPRI_STATUS_ENDED) || p->mine)
        return -EAGAIN;
    *code = (int16_t)(status & 0xffff);
    return 0;
}

/* A child of the fork server's that we have no descriptor of: there was none
 * left when it began, or it was never joined. */
static int signal_served(struct mpr_process *p, int signo)
{
    const struct mpri_process *d = mpri_process_data(&p->h);
    pid_t pid = mpr_process_pid(p);
    int fd, err;

    if (pid <= 0 || (int)d->creator_pid != mpri_self.pid)
        return -ECHILD;
    fd = mpri_pidfd_open(pid);
    /* Found alive after it was opened, it is what the descriptor is of. Without
     * one there is the number, which was its own a moment ago. */
    if (!mpr_process_alive(p))
        err = 0;
    else if (fd >= 0)
        err = mpri_pidfd_signal(fd, signo);
    else
        err = kill(pid, signo) < 0 && errno != ESRCH ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return err;
}

int mpr_process_signal(struct mpr_process *p, int signo)
{
    if (!mpr_process_alive(p))
        return 0;
    if (p->pidfd >= 0)
        return mpri_pidfd_signal(p->pidfd, signo);
    /* Ours and not reaped: the number is still its own. */
    if (p->mine)
        return kill(p->pid, signo) < 0 ? -errno : 0;
    return signal_served(p, signo);
}

int mpr_process_sentinel(struct mpr_process *p)
{
    p->watched = 1;
    if (p->pidfd < 0 && mpr_process_alive(p))
        p->pidfd = mpri_pidfd_open(mpr_process_pid(p));
    /* It ended, and its number may be another's: a bell that has rung stands
     * for it. */
    if (p->pidfd < 0 || (!p->mine && !mpr_process_alive(p))) {
        if (p->pidfd >= 0)
            close(p->pidfd);
        p->pidfd = mpri_bell_create();
        if (p->pidfd >= 0)
            mpri_bell_ring(p->pidfd);
    }
    if (p->pidfd >= 0)
        mpri_process_link(p);
    return p->pidfd;
}

int mpr_process_daemon(const struct mpr_process *p)
{
    return mpri_process_data(&p->h)->daemon != 0;
}

const char *mpr_process_name(const struct mpr_process *p)
{
    return mpri_process_data(&p->h)->name;
}

int mpr_process_pid(const struct mpr_process *p)
{
    return (int)mpri_load_rlx(&mpri_process_data(&p->h)->pid);
}

int mpr_process_give(struct mpr_process *p, const struct mpr_parcel *parcel)
{
    return mpri_ring_put(&mpri_process_data(&p->h)->ring, parcel, 0);
}

int mpr_process_take(struct mpr_process *p, struct mpr_message *m)
{
    struct mpri_process *d = mpri_process_data(&p->h);
    int r = mpri_ring_get(&d->ring, m, UINT64_MAX, 0);

    if (r == 0 && d->slot == mpri_self.slot)
        mpri_store_rel(&d->begun, 1);
    return r;
}

void mpr_process_close(struct mpr_process *p)
{
    forget(p);
    mpri_drop(&p->h);
}
