/* A submitter reads what came out, waits for it, and changes its mind. */

#include "base/testpoint.h"
#include "serve/desk.h"
#include "serve/note.h"

#include <errno.h>

/* ---- what came out ------------------------------------------------------- */

static void describe_lost(const struct mpri_result *r, struct mpr_result *out)
{
    out->state = MPR_RESULT_LOST;
    out->pid = (int)r->u.lost.pid;
    out->status = r->u.lost.status;
    out->known = r->u.lost.status != MPRI_STATUS_UNKNOWN;
    out->late = r->u.lost.late;
    out->kills = r->u.lost.kills;
    out->attempts = r->flags;
    out->seconds = r->u.lost.ran_ms / 1e3;
}

enum mpr_result_state mpr_job_result(const mpr_job *job, uint32_t i,
                                     struct mpr_result *out)
{
    struct mpri_job *j = mpri_job_own(job);
    struct mpri_result r;

    out->state = MPR_RESULT_OPEN;
    if (!j || i >= j->capacity)
        return out->state;
    mpri_outcome_load(&j->outcome[i], &r);
    if (r.form == MPRI_OPEN)
        return out->state;
    out->worker = r.worker;
    out->objects = 0;
    out->state = r.form & MPRI_FAILED ? MPR_RESULT_FAILED : MPR_RESULT_DONE;
    switch ((enum mpri_form)(r.form & MPRI_FORM)) {
    case MPRI_SMALL:
        out->flags = r.flags >> 4;
        out->size = r.flags & 15;
        memcpy(out->small, r.u.small, sizeof r.u.small);
        out->bytes = out->small;
        break;
    case MPRI_FAR:
        out->flags = r.flags;
        out->size = r.u.at.size;
        out->bytes = mpri_at(r.u.at.off);
        break;
    case MPRI_NOTE: {
        struct mpri_note *n = mpri_note_of(mpri_at(r.u.at.off));

        out->flags = r.flags;
        out->size = n->size;
        out->bytes = mpri_note_bytes(n);
        out->objects = (uint32_t)n->ref_count;
        out->note = n;
        break;
    }
    case MPRI_LOST:
        describe_lost(&r, out);
        break;
    case MPRI_CANCELLED:
        out->state = MPR_RESULT_CANCELLED;
        break;
    case MPRI_OPEN:
    case MPRI_FORM:
    case MPRI_FAILED:
        break;
    }
    return out->state;
}

int mpr_result_message(const struct mpr_result *r, struct mpr_message *m)
{
    if (r->objects)
        return mpri_note_read(r->note, m);
    mpr_message_clear(m);
    m->bytes = r->bytes;
    m->size = r->size;
    return 0;
}

void mpr_job_look(const mpr_job *job, struct mpr_job_stats *out)
{
    struct mpri_job *j = mpri_job_own(job);
    uint32_t first;

    memset(out, 0, sizeof *out);
    if (!j)
        return;
    out->count = mpri_load_rlx(&j->count);
    out->progress = mpri_load_seq(&j->progress);
    out->failures = mpri_load_acq(&j->failures);
    out->task_ns = mpri_load_rlx(&j->task_ns);
    out->stopped = (int)mpri_load_acq(&j->stopped);
    first = mpri_load_acq(&j->first_failure);
    out->failed = first != 0;
    out->first_failure = first - 1;
    mpri_store_rlx(&j->seen, out->progress);
}

void mpr_job_read_to(mpr_job *job, uint32_t task)
{
    struct mpri_job *j = mpri_job_own(job);

    if (j)
        mpri_store_rlx(&j->low, task);
}

static bool is_ready(struct mpri_job *j, uint64_t want, uint32_t seen)
{
    /* Pairs with: mpri_job_progress. */
    uint32_t progress = mpri_load_seq(&j->progress);

    if (mpri_load_acq(&j->stopped))
        return true;
    return want < j->capacity ? !mpri_outcome_open(&j->outcome[want])
                              : progress != seen;
}

int mpr_job_wait(mpr_job *job, uint64_t want, uint32_t seen,
                 int64_t deadline_ns)
{
    struct mpri_job *j = mpri_job_own(job);
    struct mpri_pool *p = job->pool;
    struct mpri_spin spin;
    bool ready;
    int err = 0;

    if (!j)
        return -ESTALE;
    ready = is_ready(j, want, seen);
    if (ready)
        return 1;
    if (deadline_ns <= 0)
        return -ETIMEDOUT;
    spin = mpri_spin_begin(&p->result_spin);
    while (!ready && mpri_spin_more(&spin))
        ready = is_ready(j, want, seen);
    mpri_spin_end(&spin, ready);
    if (ready)
        return 1;
    mpri_store_seq(&j->want, want);
    mpri_store_rlx(&j->attention, want >= j->capacity);
    for (;;) {
        uint32_t ticket = mpri_gate_prepare(&j->done);

        ready = is_ready(j, want, seen);
        if (ready)
            break;
        err = mpri_gate_wait(&j->done, ticket, deadline_ns);
        if (err < 0)
            break;
    }
    mpri_store_rlx(&j->attention, 0);
    return ready ? 1 : err;
}

/* ---- changing one's mind ------------------------------------------------- */

void mpr_job_stop(mpr_job *job)
{
    struct mpri_job *j = mpri_job_own(job);

    if (j)
        mpri_job_stop(j);
}

int mpr_job_retry(mpr_job *job, uint32_t i, int64_t not_before_ns)
{
    struct mpri_job *j = mpri_job_own(job);
    struct mpri_pool *p = job->pool;
    struct mpri_result was, r = {.form = MPRI_OPEN};
    uint32_t first = i + 1;

    if (!j)
        return -ESTALE;
    mpri_outcome_load(&j->outcome[i], &was);
    if (was.form == MPRI_LOST) {
        r.flags = (uint8_t)(was.flags + 1);
        r.worker = was.u.lost.kills;
    } else if (!(was.form & MPRI_FAILED)) {
        return -EINVAL;
    }
    r.u.open.not_before_ns = (uint64_t)not_before_ns;
    mpri_outcome_store(&j->outcome[i], &r);
    mpri_cas_rel(&j->first_failure, &first, 0);
    MPRI_TESTPOINT("job.reopened");
    mpri_desk_lock(p);
    mpri_desk_redo(p, j, i, i + 1);
    mpri_desk_unlock(p, NULL);
    mpri_pool_wake(p, 1);
    return 0;
}

static bool cancel_outcome(struct mpri_outcome *o)
{
    struct mpri_result r;
    uint64_t head = mpri_load_acq(&o->head), cancelled;

    memcpy(&r, &head, 8);
    while (r.form == MPRI_OPEN) {
        struct mpri_result c = {.form = MPRI_CANCELLED};

        memcpy(&cancelled, &c, 8);
        if (mpri_cas_seq(&o->head, &head, cancelled))
            return true;
        memcpy(&r, &head, 8);
    }
    return false;
}

/* The seat whose worker does task i of the job; -1: none. */
static int find_worker(struct mpri_pool *p, const struct mpri_job *j,
                       uint32_t i)
{
    for (uint32_t n = 0; n < p->seats; n++)
        for (uint32_t d = 0; d < MPRI_FRAMES; d++) {
            struct mpri_frame *f = &p->seat[n].frame[d];

            if (f->job == mpri_job_off(j) &&
                mpri_load_acq(&f->running) == i + 1 &&
                mpri_range_next(mpri_load_acq(&f->range)) == i + 1)
                return (int)n;
        }
    return -1;
}

enum mpr_cancelled mpr_job_cancel(mpr_job *job, uint32_t i, int *seat)
{
    struct mpri_job *j = mpri_job_own(job);
    struct mpri_pool *p = job->pool;
    int n;

    if (!j || i >= j->capacity || !cancel_outcome(&j->outcome[i]))
        return MPR_CANCELLED_NOT;
    mpri_desk_lock(p);
    n = find_worker(p, j, i);
    mpri_desk_unlock(p, NULL);
    if (n < 0)
        return MPR_CANCELLED_QUEUED;
    *seat = n;
    return MPR_CANCELLED_RUNNING;
}
