/* A submitter makes a job, fills it, and publishes what it filled in: from then
 * on workers find it. */

#include "base/testpoint.h"
#include "serve/desk.h"
#include "serve/note.h"

#include <errno.h>

/* ---- making one ---------------------------------------------------------- */

/* Tasks from this size on are notes of their own. */
enum { NOTE_FROM = 1 << 14 };

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
    if (mpri_job_own(job))
        mpri_drop(&job->h);
    job->h.block = NULL;
}

int mpr_job_add(mpr_job *job, const struct mpr_parcel *p)
{
    struct mpri_job *j = mpri_job_own(job);
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
    struct mpri_job *j = mpri_job_own(job);

    if (!j)
        return NULL;
    job->added = added;
    return (int64_t *)(void *)mpri_job_data(j);
}

uint32_t mpr_job_room(const mpr_job *job, uint64_t bytes)
{
    const struct mpri_job *j = mpri_job_own(job);

    if (!j || j->data_size - j->used < bytes)
        return 0;
    return j->capacity - job->added;
}

/* ---- submitting ---------------------------------------------------------- */

static void raise_urgency(struct mpri_pool *p, uint32_t level)
{
    uint32_t was = mpri_load_rlx(&p->urgent);

    while (was < level + 1 && !mpri_cas_rel(&p->urgent, &was, level + 1))
        ;
}

int mpr_job_publish(mpr_job *job)
{
    struct mpri_job *j = mpri_job_own(job);
    struct mpri_pool *p = job->pool;
    uint32_t n;

    if (!j)
        return -ESTALE;
    if (mpri_load_acq(&p->state) != MPR_POOL_RUN)
        return mpri_load_acq(&p->state) == MPR_POOL_BROKEN ? -ECANCELED
                                                           : -EPIPE;
    n = job->added - mpri_load_rlx(&j->count);
    if (n == 0)
        return 0;
    /* Pairs with: the claim, and retire_job, in claim.c. Commit point. */
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
    struct mpri_job *j = mpri_job_own(job);

    if (!j)
        return -ESTALE;
    mpri_store_rel(&j->sealed, 1);
    return 0;
}

int mpr_job_is_last(const mpr_job *job)
{
    const struct mpri_job *j = mpri_job_own(job);

    /* A look in passing: whoever is wrong by it is off by one in the order. */
    return j && (!__atomic_load_n(&j->queued, __ATOMIC_RELAXED) ||
                 !__atomic_load_n(&j->next, __ATOMIC_RELAXED));
}
