#include "serve/job.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "peer/roster.h"
#include "serve/bury.h"
#include "serve/desk.h"
#include "serve/note.h"

#include <errno.h>

/* ---- the kind ----------------------------------------------------------------- */

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct mpri_job *j = mpri_job_of(b);

    /* Nobody will read what comes out. */
    if ((j->submitter & 0xfff) == slot)
        mpri_job_stop(j);
}

static void destroy(struct mpri_block *b)
{
    struct mpri_job *j = mpri_job_of(b);

    mpri_ref_drop(&j->common);
    mpri_ref_drop(&j->notes);
    mpri_ref_drop(&j->results);
    mpri_ref_drop(&j->next);
}

/* Something was done since the submitter looked last. */
static int ready(struct mpri_block *b)
{
    struct mpri_job *j = mpri_job_of(b);

    return mpri_load_seq(&j->progress) != mpri_load_acq(&j->seen) ||
           mpri_load_seq(&j->stopped);
}

static struct mpri_gate *gate(struct mpri_block *b)
{
    return &mpri_job_of(b)->done;
}

void mpri_job_register(void)
{
    static const struct mpri_kind job = {
        .name = "job",
        .abandon = abandon,
        .destroy = destroy,
        .ready = ready,
        .gate = gate,
    };

    mpri_kind_register(MPR_KIND_JOB, &job);
}

/* ---- what workers do to it ------------------------------------------------------- */

static bool is_wanted(struct mpri_job *j)
{
    uint64_t want = mpri_load_seq(&j->want);

    return want >= j->capacity || !mpri_outcome_open(&j->outcome[want]);
}

void mpri_job_progress(struct mpri_job *j, uint32_t n)
{
    uint32_t word;

    /* Pairs with: is_ready (seq: what was done, then who sleeps). */
    mpri_add_seq(&j->progress, n);
    word = mpri_load_seq(&j->done.word);
    if (word & MPRI_GATE_WATCHED || (word & MPRI_GATE_ASLEEP && is_wanted(j)))
        mpri_gate_open(&j->done, UINT32_MAX);
}

void mpri_job_stop(struct mpri_job *j)
{
    mpri_store_seq(&j->stopped, 1);
    mpri_gate_open(&j->done, UINT32_MAX);
}

void mpri_job_failed(struct mpri_job *j, uint32_t i, uint32_t stops)
{
    uint32_t none = 0;

    mpri_cas_rel(&j->first_failure, &none, i + 1);
    mpri_add_seq(&j->failures, 1);
    if (j->flags & stops)
        mpri_job_stop(j);
}

/* ---- making one -------------------------------------------------------------------- */

/* Tasks from this size on are notes of their own. */
enum { NOTE_FROM = 1 << 14 };

static struct mpri_pool *pool_of(const mpr_job *job)
{
    return job->pool;
}

/* The job, or NULL: closed, or copied by a fork. */
static struct mpri_job *own(const mpr_job *job)
{
    if (!job->h.block || job->owner != mpri_self_name())
        return NULL;
    return mpri_job_of(job->h.block);
}

static uint32_t level_of(int priority)
{
    int l = priority + MPRI_LEVEL_ZERO;

    return l < 0 ? 0 : l >= MPRI_LEVELS ? MPRI_LEVELS - 1 : (uint32_t)l;
}

int mpr_job_create(mpr_job *job, mpr_pool *pool,
                   const struct mpr_job_options *o)
{
    uint64_t outcomes = sizeof(struct mpri_outcome) * (uint64_t)o->room;
    uint64_t index = 0, data = 0, all;
    struct mpri_job *j;
    int err;

    if (o->common && o->common->owner != mpri_self_name())
        return -ESTALE;
    if (o->room == 0 || o->room > MPR_JOB_TASKS || o->bytes > INT32_MAX)
        return -EINVAL;
    switch (o->tasks) {
    case MPR_TASKS_MESSAGES:
        index = (o->room + 2ULL) / 2 * 8;
        data = o->bytes;
        break;
    case MPR_TASKS_INTEGERS:
        data = 8ULL * o->room;
        break;
    case MPR_TASKS_RANGE:
        break;
    }
    all = sizeof *j + outcomes + index + data;
    err = mpri_block_create(32 + all, MPRI_BLOCK_PRIVATE, &job->h);
    if (err < 0)
        return err;
    j = mpri_job_of(job->h.block);
    memset(j, 0, sizeof *j + outcomes);
    j->serial = mpri_new_serial();
    j->number = o->number;
    j->first = o->first;
    j->step = o->step;
    j->capacity = o->room;
    j->tasks = o->tasks;
    j->flags = o->flags;
    j->chunk = o->chunk;
    j->timeout_ns = o->timeout_ns;
    j->grace_ns = o->grace_ns;
    j->seed = o->seed;
    j->level = level_of(o->priority);
    j->submitter = mpri_self_name();
    j->index_at = sizeof *j + outcomes;
    j->data_at = j->index_at + index;
    j->data_size = data;
    mpri_store_rlx(&j->want, MPR_ANY_TASK);
    if (index)
        mpri_job_index(j)[0] = 0;
    mpri_block_become(&job->h, MPR_KIND_JOB);
    MPRI_TESTPOINT("job.made");
    if (o->common)
        mpri_ref_set(&j->common, &o->common->h);
    MPRI_TESTPOINT("job.filled");
    job->pool = mpri_pool_of(pool->h.block);
    job->owner = mpri_self_name();
    job->added = o->tasks == MPR_TASKS_RANGE ? o->room : 0;
    return 0;
}

void mpr_job_close(mpr_job *job)
{
    if (own(job))
        mpri_drop(&job->h);
    job->h.block = NULL;
}

int mpr_job_add(mpr_job *job, const struct mpr_parcel *p)
{
    struct mpri_job *j = own(job);
    uint32_t *index;
    uint64_t note_off = 0;
    const void *bytes = p->bytes;
    uint64_t size = p->size;

    if (!j)
        return -ESTALE;
    index = mpri_job_index(j) + job->added;
    if (p->ref_count || size >= NOTE_FROM)
        size = 8;
    if (job->added == j->capacity || j->data_size - j->used < size)
        return -ENOSPC;
    if (p->ref_count || p->size >= NOTE_FROM) {
        mpr_handle note;
        int err = mpri_note_create(p, &note);

        if (err < 0)
            return err;
        note_off = mpri_off(note.block);
        bytes = &note_off;
        mpri_note_chain(&j->notes, &note);
        index[0] |= MPRI_INDEX_NOTE;
    }
    if (size)
        memcpy(mpri_job_data(j) + j->used, bytes, size);
    j->used += size;
    index[1] = (uint32_t)j->used;
    job->added++;
    MPRI_TESTPOINT("job.added");
    return 0;
}

int64_t *mpr_job_integers(mpr_job *job, uint32_t added)
{
    struct mpri_job *j = own(job);

    if (!j)
        return NULL;
    job->added = added;
    return (int64_t *)(void *)mpri_job_data(j);
}

uint32_t mpr_job_room(const mpr_job *job, uint64_t bytes)
{
    const struct mpri_job *j = own(job);

    if (!j || j->data_size - j->used < bytes)
        return 0;
    return j->capacity - job->added;
}

/* ---- submitting ----------------------------------------------------------------------- */

static void raise_urgency(struct mpri_pool *p, uint32_t level)
{
    uint32_t was = mpri_load_rlx(&p->urgent);

    while (was < level + 1 && !mpri_cas_rel(&p->urgent, &was, level + 1))
        ;
}

int mpr_job_publish(mpr_job *job)
{
    struct mpri_job *j = own(job);
    struct mpri_pool *p = pool_of(job);
    uint32_t n;

    if (!j)
        return -ESTALE;
    if (mpri_load_acq(&p->state) != MPR_POOL_RUN)
        return mpri_load_acq(&p->state) == MPR_POOL_BROKEN ? -ECANCELED
                                                           : -EPIPE;
    n = job->added - mpri_load_rlx(&j->count);
    if (n == 0)
        return 0;
    /* Pairs with: the claim, and retire_job, in desk.c. Commit point. */
    mpri_store_seq(&j->count, job->added);
    MPRI_TESTPOINT("job.published");
    if (!__atomic_load_n(&j->queued, __ATOMIC_SEQ_CST)) {
        mpri_desk_lock(p);
        mpri_desk_link(p, j);
        mpri_desk_unlock(p, NULL);
    }
    MPRI_TESTPOINT("job.linked");
    raise_urgency(p, j->level);
    mpri_pool_wake(p, n < p->wakes ? n : p->wakes);
    return 0;
}

int mpr_job_seal(mpr_job *job)
{
    struct mpri_job *j = own(job);

    if (!j)
        return -ESTALE;
    mpri_store_rel(&j->sealed, 1);
    return 0;
}

int mpr_job_is_last(const mpr_job *job)
{
    const struct mpri_job *j = own(job);

    /* A look in passing: whoever is wrong by it is off by one in the order. */
    return j && (!__atomic_load_n(&j->queued, __ATOMIC_RELAXED) ||
                 !__atomic_load_n(&j->next, __ATOMIC_RELAXED));
}

/* ---- what came out ------------------------------------------------------------------------ */

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
    struct mpri_job *j = own(job);
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
    struct mpri_job *j = own(job);
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
    struct mpri_job *j = own(job);

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
    struct mpri_job *j = own(job);
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
    spin = mpri_spin_begin(&pool_of(job)->result_spin);
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

/* ---- changing one's mind ---------------------------------------------------------------------- */

void mpr_job_stop(mpr_job *job)
{
    struct mpri_job *j = own(job);

    if (j)
        mpri_job_stop(j);
}

int mpr_job_retry(mpr_job *job, uint32_t i, int64_t not_before_ns)
{
    struct mpri_job *j = own(job);
    struct mpri_pool *p = pool_of(job);
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
    struct mpri_job *j = own(job);
    struct mpri_pool *p = pool_of(job);
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

/* ---- notes, for submitters ----------------------------------------------------------------------- */

int mpr_note_create(mpr_note *note, const struct mpr_parcel *parcel)
{
    int err = mpr_open();

    if (err == 0)
        err = mpri_note_create(parcel, &note->h);
    if (err == 0)
        note->owner = mpri_self_name();
    return err;
}

int mpr_note_read(const mpr_handle *note, struct mpr_message *m)
{
    return mpri_note_read(mpri_data(note), m);
}

void mpr_note_close(mpr_note *note)
{
    if (note->h.block && note->owner == mpri_self_name())
        mpri_drop(&note->h);
    note->h.block = NULL;
}
