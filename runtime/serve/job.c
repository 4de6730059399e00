#include "serve/job.h"

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
