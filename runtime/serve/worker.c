#include "serve/worker.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"
#include "serve/bury.h"
#include "serve/note.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* Outcomes are announced, and the clock is looked at, about this often; sooner
 * when tasks take longer, or the submitter asks for it. */
static const int64_t ANNOUNCE_NS = 20000;
enum { BATCH_MAX = 1024 };

/* Results up to SHARED_MAX bytes share pieces of memory. */
enum { SHARED_MAX = 1 << 14, CHUNK_MIN = 3900, CHUNK_MAX = 1 << 20 };

/* ---- coming and going ---------------------------------------------------------- */

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

static void announce(mpr_worker *w);

void mpr_worker_unnest(mpr_worker *w)
{
    struct mpri_trash t = {.count = 0};
    struct mpri_frame *f = mpri_worker_frame(w);

    announce(w);
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

/* ---- announcing ------------------------------------------------------------------ */

static void adapt(struct mpri_level *l, int64_t took)
{
    if (took < ANNOUNCE_NS / 2 && l->batch < BATCH_MAX)
        l->batch *= 2;
    else if (took > ANNOUNCE_NS * 2)
        l->batch = took > ANNOUNCE_NS * 16 ? 1 : (l->batch + 1) / 2;
}

/* Tells the submitter what was done since the last time. */
static void announce(mpr_worker *w)
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

/* ---- taking -------------------------------------------------------------------------- */

/* The next task of the frame's range, if there is one. */
static bool next_of_range(mpr_worker *w, struct mpri_frame *f)
{
    uint64_t range = mpri_load_rlx(&f->range);

    while (mpri_range_left(range)) {
        uint32_t i = mpri_range_next(range);

        /* Pairs with: is_claimed in desk.c, and serve/bury.c. */
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
    uint32_t *index;
    bool claimed = false;

    for (;;) {
        int r;

        if (!must_leave_off(w, f, claimed) && next_of_range(w, f))
            break;
        announce(w);
        if (mpri_range_left(mpri_load_rlx(&f->range)))
            give_back(w, f);
        else
            mpri_store_rel(&f->running, 0);
        r = wait_for_work(w, only ? mpri_job_of(only->h.block) : NULL,
                          deadline_ns);
        if (r <= 0)
            return r;
        announce(w);
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
    t->index = w->task;
    t->number = j->number + w->task;
    t->flags = j->flags;
    t->tasks = (enum mpr_tasks)j->tasks;
    t->common = j->common ? mpri_note_of(mpri_at(j->common))->serial : 0;
    t->note = NULL;
    t->timeout_ns = j->timeout_ns;
    t->grace_ns = j->grace_ns;
    t->seed = j->seed;
    switch ((enum mpr_tasks)j->tasks) {
    case MPR_TASKS_RANGE:
        t->integer =
            (int64_t)((uint64_t)j->first + (uint64_t)j->step * w->task);
        break;
    case MPR_TASKS_INTEGERS:
        memcpy(&t->integer, mpri_job_data(j) + 8ULL * w->task, 8);
        break;
    case MPR_TASKS_MESSAGES:
        index = mpri_job_index(j) + w->task;
        t->bytes = mpri_job_data(j) + (index[0] & ~MPRI_INDEX_NOTE);
        t->size = (index[1] & ~MPRI_INDEX_NOTE) - (index[0] & ~MPRI_INDEX_NOTE);
        if (index[0] & MPRI_INDEX_NOTE) {
            uint64_t off;
            struct mpri_note *n;

            memcpy(&off, t->bytes, 8);
            n = mpri_note_of(mpri_at(off));
            t->bytes = mpri_note_bytes(n);
            t->size = n->size;
            t->note = n->ref_count ? n : NULL;
        }
        break;
    }
    return 1;
}

int mpr_worker_common(mpr_worker *w, struct mpr_message *m)
{
    if (!w->job->common)
        return -ENOENT;
    return mpri_note_read(mpri_note_of(mpri_at(w->job->common)), m);
}

int mpr_worker_message(mpr_worker *w, const struct mpr_task *t,
                       struct mpr_message *m)
{
    (void)w;
    if (t->note)
        return mpri_note_read(t->note, m);
    mpr_message_clear(m);
    m->bytes = t->bytes;
    m->size = t->size;
    return 0;
}

/* ---- giving ------------------------------------------------------------------------------ */

/* Bytes for a result, in memory of the job's: a note of its own, or a part of
 * one that this worker fills. */
static int place(struct mpri_level *l, struct mpri_job *j, uint64_t size,
                 uint8_t **out)
{
    uint64_t chunk = size;
    mpr_handle note;
    struct mpri_note *n;
    int err;

    if (l->size - l->used >= size) {
        *out = l->chunk + l->used;
        l->used += size;
        return 0;
    }
    if (size <= SHARED_MAX) {
        chunk = l->size ? l->size * 2 : CHUNK_MIN;
        while (chunk < size * 4)
            chunk *= 2;
        if (chunk > CHUNK_MAX)
            chunk = CHUNK_MAX;
    }
    err = mpri_note_blank(chunk, &note);
    if (err < 0)
        return err;
    n = mpri_data(&note);
    mpri_note_chain(&j->results, &note);
    MPRI_TESTPOINT("worker.give.chunk");
    *out = mpri_note_bytes(n);
    if (chunk > size) {
        l->chunk = *out;
        l->size = chunk;
        l->used = size;
    }
    return 0;
}

static int make_result(mpr_worker *w, const struct mpr_parcel *p,
                       unsigned flags, struct mpri_result *r)
{
    struct mpri_level *l = &w->level[w->depth];

    if (p->ref_count == 0 && p->size <= MPRI_SMALL_BYTES) {
        r->form = MPRI_SMALL;
        r->flags = (uint8_t)(p->size | flags << 4);
        if (p->size)
            memcpy(r->u.small, p->bytes, p->size);
        return 0;
    }
    r->flags = (uint8_t)flags;
    if (p->ref_count == 0 && p->size <= UINT32_MAX) {
        uint8_t *at;
        int err = place(l, w->job, p->size, &at);

        if (err < 0)
            return err;
        memcpy(at, p->bytes, p->size);
        r->form = MPRI_FAR;
        r->u.at.size = (uint32_t)p->size;
        r->u.at.off = mpri_off(at);
    } else {
        mpr_handle note;
        int err = mpri_note_create(p, &note);

        if (err < 0)
            return err;
        r->form = MPRI_NOTE;
        r->u.at.size = 0;
        r->u.at.off = mpri_off(note.block);
        mpri_note_chain(&w->job->results, &note);
    }
    MPRI_TESTPOINT("worker.give.written");
    return 0;
}

/* The task is over: its limits are. */
static void unlimit(mpr_worker *w, struct mpri_level *l)
{
    if (!l->soft_ns && !l->hard_ns)
        return;
    l->soft_ns = l->hard_ns = 0;
    mpri_worker_rearm(w);
    mpri_store_rel(&mpri_worker_frame(w)->hard_ns, 0);
}

int mpr_worker_give(mpr_worker *w, int failed, unsigned flags,
                    const struct mpr_parcel *p)
{
    struct mpri_level *l = &w->level[w->depth];
    struct mpri_job *j = w->job;
    struct mpri_result r = {.worker = (uint16_t)w->number};
    int err = make_result(w, p, flags, &r);

    if (err < 0)
        return err;
    if (failed)
        r.form |= MPRI_FAILED;
    mpri_outcome_store(&j->outcome[w->task], &r);
    MPRI_TESTPOINT("worker.give.stored");
    unlimit(w, l);
    l->done++;
    if (failed)
        mpri_job_failed(j, w->task, MPR_JOB_STOP);
    if (--l->countdown == 0 || failed || mpri_load_rlx(&j->attention))
        announce(w);
    return 0;
}

void mpr_worker_retry(mpr_worker *w, int64_t not_before_ns)
{
    struct mpri_frame *f = mpri_worker_frame(w);
    struct mpri_job *j = w->job;
    struct mpri_result r;

    mpri_outcome_load(&j->outcome[w->task], &r);
    r.form = MPRI_OPEN;
    r.flags++;
    r.u.open.not_before_ns = (uint64_t)not_before_ns;
    mpri_outcome_store(&j->outcome[w->task], &r);
    MPRI_TESTPOINT("worker.retry.open");
    unlimit(w, &w->level[w->depth]);
    /* Not ours from here on: our death is not its loss, others may take it. */
    mpri_store_rel(&f->running, 0);
    mpri_desk_lock(w->pool);
    mpri_desk_redo(w->pool, j, w->task, w->task + 1);
    mpri_desk_unlock(w->pool, NULL);
    mpri_pool_wake(w->pool, 1);
}

unsigned mpr_worker_attempts(mpr_worker *w)
{
    struct mpri_result r;

    mpri_outcome_load(&w->job->outcome[w->task], &r);
    return r.flags;
}

void mpr_worker_weary(mpr_worker *w)
{
    mpri_store_rel(&w->seat->weary, 1);
}

uint32_t mpr_worker_number(const mpr_worker *w)
{
    return w->number;
}
