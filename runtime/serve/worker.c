#include "serve/worker.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* Outcomes are announced, and the clock is looked at, about this often; sooner
 * when tasks take longer, or the submitter asks for it. */
static const int64_t ANNOUNCE_NS = 20000;
enum { BATCH_MAX = 1024 };

/* So long a weary worker waits for its successor, which a creator that waits in
 * a call of ours starts at once, before it goes on without one. */
static const int64_t PATIENCE_NS = 100 * MPRI_MS;

/* ---- coming and going ---------------------------------------------------- */

int mpr_worker_enter(mpr_worker **out, mpr_pool *pool, uint32_t seat)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);
    struct mpri_seat *s = &p->seat[seat];
    mpr_worker *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    w->pool = p;
    w->seat = s;
    w->number = mpri_load_rlx(&s->number);
    /* Ctrl-C is for the creator, which ends its workers. */
    signal(SIGINT, SIG_IGN);
    mpri_store_rlx(&s->slot, mpri_self.slot);
    mpri_store_rlx(&s->generation, mpri_self.generation);
    mpri_store_rlx(&s->pid, (uint32_t)mpri_self.pid);
    mpri_store_rlx(&s->entered_ns, (uint64_t)mpri_now_ns());
    MPRI_TESTPOINT("worker.entering");
    mpri_store_seq(&s->state, MPRI_SEAT_LIVE);
    *out = w;
    return 0;
}

void mpr_worker_leave(mpr_worker *w)
{
    struct mpri_trash t = {.count = 0};
    struct mpri_frame *f = mpri_worker_frame(w);

    mpri_worker_unwatch(w);
    mpri_desk_lock(w->pool);
    mpri_desk_give_back(w->pool, f);
    mpri_store_rel(&f->running, 0);
    mpri_desk_forget(f, &t);
    mpri_desk_unlock(w->pool, &t);
    MPRI_TESTPOINT("worker.leaving");
    mpri_store_seq(&w->seat->state, MPRI_SEAT_LEFT);
    mpri_pool_wake(w->pool, UINT32_MAX);
    free(w);
}

int mpr_worker_nest(mpr_worker *w)
{
    if (w->depth + 1 == MPRI_FRAMES)
        return -EOVERFLOW;
    w->depth++;
    w->level[w->depth] = (struct mpri_level){.batch = 1, .countdown = 1};
    mpri_store_rel(&w->seat->depth, w->depth);
    return 0;
}

void mpr_worker_unnest(mpr_worker *w)
{
    struct mpri_trash t = {.count = 0};
    struct mpri_frame *f = mpri_worker_frame(w);

    mpri_worker_announce(w);
    mpri_desk_lock(w->pool);
    if (f->job) {
        mpri_desk_give_back(w->pool, f);
        mpri_store_rel(&f->running, 0);
        mpri_desk_forget(f, &t);
    }
    w->depth--;
    mpri_store_rel(&w->seat->depth, w->depth);
    mpri_desk_unlock(w->pool, &t);
    mpri_pool_wake(w->pool, 1);
    f = mpri_worker_frame(w);
    w->job = mpri_job_at(f->job);
    w->task = mpri_load_rlx(&f->running) - 1;
    mpri_worker_rearm(w);
    mpri_worker_look_up(w);
}

void mpr_worker_weary(mpr_worker *w)
{
    int64_t deadline_ns = mpri_now_ns() + PATIENCE_NS;

    mpri_worker_announce(w);
    mpri_store_rel(&w->seat->weary, 1);
    if (w->depth)
        return;
    while (!mpri_load_acq(&w->seat->retire) && !mpri_load_acq(&w->ending) &&
           mpri_load_acq(&w->pool->state) < MPR_POOL_BROKEN)
        if (mpri_futex_wait(&w->seat->retire, 0, deadline_ns) == -ETIMEDOUT)
            return;
}

uint32_t mpr_worker_number(const mpr_worker *w)
{
    return w->number;
}

/* ---- announcing ---------------------------------------------------------- */

static void adapt(struct mpri_level *l, int64_t took)
{
    if (took < ANNOUNCE_NS / 2 && l->batch < BATCH_MAX)
        l->batch *= 2;
    else if (took > ANNOUNCE_NS * 2)
        l->batch = took > ANNOUNCE_NS * 16 ? 1 : (l->batch + 1) / 2;
}

/* Tells the submitter what was done since the last time. */
void mpri_worker_announce(mpr_worker *w)
{
    struct mpri_level *l = &w->level[w->depth];
    struct mpri_frame *f = mpri_worker_frame(w);
    int64_t now = mpri_now_ns(), took = now - l->since_ns;
    uint32_t n = l->done;

    if (n) {
        struct mpri_job *j = mpri_job_at(f->job);
        struct mpri_seat *s = w->seat;
        uint64_t each = (uint64_t)took / n, was = mpri_load_rlx(&j->task_ns);

        each = each < UINT32_MAX ? each : UINT32_MAX;
        mpri_store_rlx(&j->task_ns,
                       (uint32_t)(was ? (was * 3 + each) / 4 : each) | 1);
        mpri_store_rlx(&s->tasks, mpri_load_rlx(&s->tasks) + n);
        mpri_store_rlx(&s->busy_ns,
                       mpri_load_rlx(&s->busy_ns) + (uint64_t)took);
        l->done = 0;
        mpri_job_progress(j, n);
        adapt(l, took);
    }
    l->since_ns = now;
    l->countdown = l->batch;
    mpri_store_rlx(&f->started_ns, (uint64_t)now);
}
