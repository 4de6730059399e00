#ifndef MPR_SERVE_JOB_H
#define MPR_SERVE_JOB_H

/* A job (job.c; submit.c and result.c for its submitter): a row of tasks for a
 * pool's workers, and an outcome for each. It lies
 * in the arena, so the workers take tasks out of it and put outcomes into it
 * without anybody in between; its submitter need not be awake. Three hold it:
 * the submitter's handle, the pool's list while there is work in it, and the
 * frame of every worker that took from it.
 *
 * A task is a message (MPR_TASKS_MESSAGES: an index of offsets into the job's
 * data), or an integer (MPR_TASKS_INTEGERS: 8 bytes of data, MPR_TASKS_RANGE:
 * first + index * step). The memory behind the struct: outcomes, index, data.
 *
 * States, of a task, in its outcome's first byte:
 *               OPEN to do, or being done · SMALL FAR NOTE done, the result is
 *               in the outcome, at an offset, a note · with FAILED: the result
 *               is an error · LOST its worker died · CANCELLED
 *               OPEN -> done: its worker, by one store · OPEN -> LOST: who
 *               buries the worker (serve/bury.h) · OPEN -> CANCELLED, LOST or
 *               FAILED -> OPEN: the submitter · OPEN -> OPEN with one attempt
 *               more: its worker
 * Invariant:    a task that is OPEN and below the cursor lies in the range of
 *               one frame, or is that frame's running one, or lies in [redo,
 *               redo_end) or [later, later_end), where somebody will look.
 * Guarded by:   desk: line 3 · arena lock: common, notes, results, next, queued
 * If we die here: (submitter) the job is stopped by whoever reaps us. (worker)
 *               what was stored counts; see serve/bury.h. */

#include "base/atomic.h"
#include "life/block.h"
#include "mem/segment.h"
#include "mpr.h"
#include "serve/note.h"
#include "wait/waiter.h"

#include <stdbool.h>
#include <string.h>

enum mpri_form {
    MPRI_OPEN = 0,
    MPRI_SMALL = 1,
    MPRI_FAR = 2,
    MPRI_NOTE = 3,
    MPRI_LOST = 4,
    MPRI_CANCELLED = 5,
    MPRI_FORM = 7,
    MPRI_FAILED = 0x80,
};

enum { MPRI_SMALL_BYTES = 12 };

/* What is to be done with a task, or what came out. Both words are stored
 * whole, head last. */
struct mpri_outcome {
    mpri_a64 head;
    mpri_a64 tail;
};

/* The same, byte by byte. */
struct mpri_result {
    uint8_t form;
    uint8_t flags;   /* SMALL: its size, beside the giver's flags << 4; FAR,
                      * NOTE: the giver's; OPEN, LOST: attempts so far */
    uint16_t worker; /* its number; OPEN: how many workers it killed */
    union {
        uint8_t small[MPRI_SMALL_BYTES];
        struct {
            uint32_t size; /* FAR */
            uint64_t off;  /* FAR: the bytes; NOTE: the block */
        } __attribute__((packed, aligned(4))) at;
        struct {
            uint32_t unused;
            uint64_t not_before_ns;
        } __attribute__((packed, aligned(4))) open;
        struct {
            uint32_t pid;
            int16_t status; /* exit code, -signal, or UNKNOWN */
            uint8_t kills;
            uint8_t late; /* it was past its hard time limit */
            uint32_t ran_ms;
        } lost;
    } u;
};
_Static_assert(sizeof(struct mpri_result) == 16, "as two words");
_Static_assert(sizeof(struct mpri_outcome) == 16, "four to a cache line");

enum { MPRI_STATUS_UNKNOWN = INT16_MIN };

struct mpri_job {
    /* Line 0. Fixed after create; the refs while the block lives. */
    uint64_t common;  /* the note that all tasks have in common, or 0 */
    uint64_t notes;   /* chain of notes that are tasks */
    uint64_t results; /* chain of notes with results */
    uint64_t number;  /* what the submitter calls task 0 */
    int64_t first;
    int64_t step;
    uint32_t capacity;
    uint32_t tasks; /* enum mpr_tasks */
    uint32_t flags;
    uint32_t chunk; /* tasks to a claim, 0: as the desk sees fit */

    /* Line 1. Fixed, but for stopped. */
    int64_t timeout_ns; /* of a task; 0: none */
    int64_t grace_ns;
    uint64_t index_at; /* from the struct's begin, in bytes */
    uint64_t data_at;
    uint64_t data_size;
    uint64_t submitter; /* mpri_self_name of it */
    uint64_t seed;
    uint32_t level;   /* 0 the least urgent */
    mpri_a32 stopped; /* no task is begun any more. Set once, by anyone */

    /* Line 2. Written by the submitter. */
    mpri_a32 count;     /* tasks [0, count) are there */
    mpri_a32 sealed;    /* count stays as it is */
    mpri_a32 low;       /* tasks below are over and were read: a hint */
    mpri_a32 attention; /* the submitter waits for every outcome: a hint */
    mpri_a64 want;      /* the task it sleeps for, or MPR_ANY_TASK */
    uint64_t used;      /* bytes of data */
    uint64_t serial;    /* no other job has the same. Fixed */
    mpri_a32 seen;      /* progress when it looked last */
    uint32_t unused2[5];

    /* Line 3. Guarded by: desk. */
    uint64_t next;   /* the next of its level, which this one holds */
    uint64_t queued; /* 1: in the list of its level */
    mpri_a32 cursor; /* tasks from here on were never claimed */
    uint32_t redo;   /* among [redo, redo_end) there may be open tasks that
                      * nobody has */
    uint32_t redo_end;
    uint32_t later; /* and among these some that may be tried at retry_ns */
    uint32_t later_end;
    uint32_t unused3;
    int64_t since_ns; /* when it was last claimed from, or came */
    int64_t retry_ns; /* 0: no task waits */
    uint64_t unused4;

    /* Line 4. Written by workers. */
    mpri_a32 progress; /* outcomes that were announced: a hint of how many */
    mpri_a32 failures; /* outcomes that failed, lost ones too */
    mpri_a32 first_failure; /* task + 1 */
    mpri_a32 task_ns;       /* what a task takes: a hint; 0 not measured */
    struct mpri_gate done;
    uint64_t unused5[5];

    struct mpri_outcome outcome[];
};
_Static_assert(sizeof(struct mpri_job) == 320, "five cache lines");

static inline struct mpri_job *mpri_job_of(const void *block)
{
    return (struct mpri_job *)(void *)((char *)(uintptr_t)block + 64);
}

static inline struct mpri_job *mpri_job_at(uint64_t off)
{
    return mpri_job_of(mpri_at(off));
}

/* The offset of the job's block. */
static inline uint64_t mpri_job_off(const struct mpri_job *j)
{
    return mpri_off(j) - 64;
}

static inline uint8_t *mpri_job_data(struct mpri_job *j)
{
    return (uint8_t *)j + j->data_at;
}

/* index[i] is where task i begins; its top bit says that what stands there is
 * the offset of a note. */
#define MPRI_INDEX_NOTE 0x80000000U

static inline uint32_t *mpri_job_index(struct mpri_job *j)
{
    return (uint32_t *)(void *)((char *)j + j->index_at);
}

static inline void mpri_outcome_load(struct mpri_outcome *o,
                                     struct mpri_result *r)
{
    /* Pairs with: mpri_outcome_store; brings the tail, and what lies at it. */
    uint64_t words[2] = {mpri_load_acq(&o->head), 0};

    words[1] = mpri_load_rlx(&o->tail);
    memcpy(r, words, sizeof *r);
}

/* The commit point of a result. */
static inline void mpri_outcome_store(struct mpri_outcome *o,
                                      const struct mpri_result *r)
{
    uint64_t words[2];

    memcpy(words, r, sizeof *r);
    mpri_store_rlx(&o->tail, words[1]);
    mpri_store_rel(&o->head, words[0]);
}

static inline unsigned mpri_outcome_form(struct mpri_outcome *o)
{
    uint64_t head = mpri_load_acq(&o->head);
    uint8_t form;

    memcpy(&form, &head, 1);
    return form;
}

static inline bool mpri_outcome_open(struct mpri_outcome *o)
{
    return mpri_outcome_form(o) == MPRI_OPEN;
}

/* The job, or NULL: its submitter closed it, or this process is a fork of the
 * submitter. */
static inline struct mpri_job *mpri_job_own(const mpr_job *job)
{
    if (!job->h.block || job->owner != mpri_self_name())
        return NULL;
    return mpri_job_of(job->h.block);
}

/* What a worker is told of task i, which is there. */
void mpri_job_task(struct mpri_job *j, uint32_t i, struct mpr_task *t);

/* Registers the kind JOB. */
void mpri_job_register(void);

/* n outcomes were stored: wakes the submitter if it waits for one of them. */
void mpri_job_progress(struct mpri_job *j, uint32_t n);

/* No further task is begun; the submitter is told. */
void mpri_job_stop(struct mpri_job *j);

/* Task i failed: for those who want to know the first. The job is stopped if it
 * has that flag. */
void mpri_job_failed(struct mpri_job *j, uint32_t i, uint32_t stops);

#endif
