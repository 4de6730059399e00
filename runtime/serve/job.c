#include "serve/job.h"

#include <errno.h>

/* ---- the kind ------------------------------------------------------------ */

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

/* ---- what workers do to it ----------------------------------------------- */

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

/* ---- its tasks -------------------------------------------------------------- */

static void find_message(struct mpri_job *j, uint32_t i, struct mpr_task *t)
{
    const uint32_t *index = mpri_job_index(j) + i;
    uint32_t first = index[0] & ~MPRI_INDEX_NOTE;
    struct mpri_note *n;
    uint64_t off;

    t->bytes = mpri_job_data(j) + first;
    t->size = (index[1] & ~MPRI_INDEX_NOTE) - first;
    if (!(index[0] & MPRI_INDEX_NOTE))
        return;
    memcpy(&off, t->bytes, 8);
    n = mpri_note_of(mpri_at(off));
    t->bytes = mpri_note_bytes(n);
    t->size = n->size;
    t->note = n->ref_count ? n : NULL;
}

void mpri_job_task(struct mpri_job *j, uint32_t i, struct mpr_task *t)
{
    t->index = i;
    t->number = j->number + i;
    t->flags = j->flags;
    t->tasks = (enum mpr_tasks)j->tasks;
    t->common = j->common ? mpri_note_of(mpri_at(j->common))->serial : 0;
    t->note = NULL;
    t->timeout_ns = j->timeout_ns;
    t->grace_ns = j->grace_ns;
    t->seed = j->seed;
    switch ((enum mpr_tasks)j->tasks) {
    case MPR_TASKS_RANGE:
        t->integer = (int64_t)((uint64_t)j->first + (uint64_t)j->step * i);
        break;
    case MPR_TASKS_INTEGERS:
        memcpy(&t->integer, mpri_job_data(j) + 8ULL * i, 8);
        break;
    case MPR_TASKS_MESSAGES:
        find_message(j, i, t);
        break;
    }
}

int mpr_job_task(const mpr_job *job, uint32_t i, struct mpr_task *t)
{
    struct mpri_job *j = mpri_job_own(job);

    if (!j)
        return -ESTALE;
    if (i >= mpri_load_rlx(&j->count))
        return -EINVAL;
    mpri_job_task(j, i, t);
    return 0;
}

int mpr_task_message(const struct mpr_task *t, struct mpr_message *m)
{
    if (t->note)
        return mpri_note_read(t->note, m);
    mpr_message_clear(m);
    m->bytes = t->bytes;
    m->size = t->size;
    return 0;
}
