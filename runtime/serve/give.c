/* A worker gives what became of the task in hand. */

#include "base/testpoint.h"
#include "serve/note.h"
#include "serve/worker.h"

#include <errno.h>

/* Results up to SHARED_MAX bytes share pieces of memory. */
enum { SHARED_MAX = 1 << 14, CHUNK_MIN = 3900, CHUNK_MAX = 1 << 20 };

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
        mpri_worker_announce(w);
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
