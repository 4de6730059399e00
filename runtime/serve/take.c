/* A worker takes a task: the next of its range; or claims a range; or waits for
 * one. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"
#include "serve/bury.h"
#include "serve/note.h"
#include "serve/worker.h"

#include <errno.h>

/* The next task of the frame's range, if there is one. */
static bool next_of_range(mpr_worker *w, struct mpri_frame *f)
{
    uint64_t range = mpri_load_rlx(&f->range);

    while (mpri_range_left(range)) {
        uint32_t i = mpri_range_next(range);

        /* Pairs with: is_claimed in claim.c, and serve/bury.c. */
        mpri_store_rlx(&f->running, i + 1);
        MPRI_TESTPOINT("worker.take.said");
        if (mpri_cas_rel(&f->range, &range,
                         mpri_range(i + 1, mpri_range_last(range)))) {
            MPRI_TESTPOINT("worker.take.taken");
            range = mpri_range(i + 1, mpri_range_last(range));
            w->job = mpri_job_at(f->job);
            w->task = i;
            if (mpri_outcome_open(&w->job->outcome[i]))
                return true;
        }
    }
    return false;
}

/* Whether the worker should do something else than what is left in its
 * range. claimed: it was just claimed, so one task of it is done at least, or
 * what waited for long would still not be. */
static bool must_leave_off(mpr_worker *w, struct mpri_frame *f, bool claimed)
{
    struct mpri_pool *p = w->pool;

    return mpri_load_rlx(&p->state) >= MPR_POOL_BROKEN ||
           mpri_load_rlx(&w->seat->retire) || mpri_load_rlx(&w->ending) ||
           (f->job && ((!claimed && mpri_load_rlx(&p->urgent) >
                                        mpri_job_at(f->job)->level + 1) ||
                       mpri_load_rlx(&mpri_job_at(f->job)->stopped)));
}

static void give_back(mpr_worker *w, struct mpri_frame *f)
{
    struct mpri_trash t = {.count = 0};

    mpri_desk_lock(w->pool);
    if (f->job && mpri_load_rlx(&mpri_job_at(f->job)->stopped))
        mpri_store_rel(&f->range, 0);
    else
        mpri_desk_give_back(w->pool, f);
    mpri_store_rel(&f->running, 0);
    mpri_desk_unlock(w->pool, &t);
}

/* Gets the frame a range; what it had is used up. */
static enum mpri_claim claim(mpr_worker *w, struct mpri_job *only,
                             int64_t *later_ns)
{
    struct mpri_frame *f = mpri_worker_frame(w);
    struct mpri_trash t = {.count = 0};
    enum mpri_claim r;
    bool more;

    mpri_desk_lock(w->pool);
    r = mpri_desk_claim(w->pool, f, only, &t, later_ns, &more);
    if (r != MPRI_CLAIM_SOME && mpri_desk_steal(w->pool, f, only, &t))
        r = MPRI_CLAIM_SOME;
    mpri_desk_unlock(w->pool, &t);
    if (more)
        mpri_pool_wake(w->pool, 1);
    return r;
}

/* Spins until the epoch moves on from what it was; false: gave up. Only one
 * worker of a pool spins. */
static bool spin(struct mpri_pool *p, uint32_t epoch)
{
    struct mpri_spin s;
    uint32_t nobody = 0;
    bool moved = false;

    if (!mpri_cas_seq(&p->spinner, &nobody, mpri_self.slot + 1))
        return false;
    s = mpri_spin_begin(&p->work_spin);
    do
        moved = mpri_load_acq(&p->epoch) != epoch;
    while (!moved && mpri_spin_more(&s));
    mpri_spin_end(&s, moved);
    /* Pairs with: mpri_pool_wake. */
    mpri_store_seq(&p->spinner, 0);
    return moved;
}

static void forget(mpr_worker *w)
{
    struct mpri_trash t = {.count = 0};

    w->level[w->depth].serial = 0;
    mpri_desk_lock(w->pool);
    mpri_desk_forget(mpri_worker_frame(w), &t);
    mpri_desk_unlock(w->pool, &t);
}

/* Waits for work, and claims it: 1; 0 the pool is over for us; -ETIMEDOUT,
 * -EINTR. */
static int wait_for_work(mpr_worker *w, struct mpri_job *only,
                         int64_t deadline_ns)
{
    struct mpri_pool *p = w->pool;
    struct mpri_frame *f = mpri_worker_frame(w);
    bool may_spin = true;

    for (;;) {
        uint32_t epoch = mpri_load_seq(&p->epoch), ticket = 0;
        uint32_t state = mpri_load_acq(&p->state);
        int64_t later;
        enum mpri_claim r;
        int err;

        if (state >= MPR_POOL_BROKEN || mpri_load_acq(&w->seat->retire) ||
            mpri_load_acq(&w->ending))
            return 0;
        if (!may_spin)
            ticket = mpri_gate_prepare(&p->work);
        r = claim(w, only, &later);
        if (r == MPRI_CLAIM_SOME)
            return 1;
        if (only)
            return -ETIMEDOUT;
        if (r == MPRI_CLAIM_NONE && state == MPR_POOL_CLOSE && !w->depth)
            return 0;
        if (deadline_ns <= 0)
            return -ETIMEDOUT;
        if (may_spin) {
            may_spin = spin(p, epoch);
            continue;
        }
        if (f->job) {
            forget(w);
            continue;
        }
        err =
            mpri_gate_wait(&p->work, ticket, mpri_earlier(deadline_ns, later));
        if (err == -EINTR ||
            (err == -ETIMEDOUT && mpri_now_ns() >= deadline_ns))
            return err;
        mpri_bury_forgotten(p);
    }
}

int mpr_worker_take(mpr_worker *w, const mpr_job *only, struct mpr_task *t,
                    int64_t deadline_ns)
{
    struct mpri_frame *f = mpri_worker_frame(w);
    struct mpri_level *l = &w->level[w->depth];
    struct mpri_job *j;
    bool claimed = false;

    for (;;) {
        int r;

        if (!must_leave_off(w, f, claimed) && next_of_range(w, f))
            break;
        mpri_worker_announce(w);
        if (mpri_range_left(mpri_load_rlx(&f->range)))
            give_back(w, f);
        else
            mpri_store_rel(&f->running, 0);
        r = wait_for_work(w, only ? mpri_job_of(only->h.block) : NULL,
                          deadline_ns);
        if (r <= 0)
            return r;
        mpri_worker_announce(w);
        claimed = true;
    }
    j = w->job;
    if (l->serial != j->serial) {
        *l = (struct mpri_level){
            .serial = j->serial,
            .since_ns = l->since_ns,
            .batch = 1,
            .countdown = 1,
        };
    }
    mpri_job_task(j, w->task, t);
    return 1;
}

int mpr_worker_common(mpr_worker *w, struct mpr_message *m)
{
    if (!w->job->common)
        return -ENOENT;
    return mpri_note_read(mpri_note_of(mpri_at(w->job->common)), m);
}
