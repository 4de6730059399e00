#ifndef MPR_SERVE_POOL_H
#define MPR_SERVE_POOL_H

/* A pool: the list of jobs with work in them, and a seat for each worker. There
 * is no dispatcher: a worker takes a range of tasks out of a job by itself, and
 * one that finds no work takes half of what another one has not begun.
 *
 * A seat has a stack of frames, because a worker that waits for a task of its
 * own pool runs tasks meanwhile. A frame says what its worker is about:
 *
 * States:       running 0 nothing · i + 1 task i is being done (if next is i + 1
 *               too), or about to be taken (if next is i)
 *               range next | last << 32: tasks [next, last) are this frame's,
 *               not begun
 *               next grows by the CAS of the owner · last shrinks by the CAS of
 *               a thief that has the desk · an empty range is replaced by the
 *               owner, under the desk
 * Invariant:    frame.job holds the job before the range names tasks of it.
 * Guarded by:   desk: frame.job (so that a thief may follow it), seats' changes
 *               of hands
 * If we die here: our frames stay as they are, and thieves may take from their
 *               ranges, until somebody buries us: serve/bury.h.
 *
 * States, of a seat: EMPTY · STARTING its creator forks · LIVE · LEFT the worker
 *               said good-bye · ENDED found dead by a reaper, not buried yet
 *               EMPTY -> STARTING -> LIVE -> LEFT -> EMPTY · LIVE -> ENDED ->
 *               EMPTY
 * States, of a pool: RUN · CLOSE no new tasks · BROKEN, TERMINATE no task is
 *               begun any more; each only from one before it. */

#include "serve/job.h"
#include "wait/mutex.h"

enum {
    MPRI_LEVELS = 41, /* priorities -20 to 20 */
    MPRI_LEVEL_ZERO = 20,
    MPRI_FRAMES = 32,
    MPRI_POOL_LABEL = 32,
};

struct mpri_frame {
    uint64_t job; /* ref: the block's offset, or 0 */
    mpri_a64 range;
    mpri_a32 running;
    uint32_t unused0;
    mpri_a64 started_ns; /* about when the running task began */
    mpri_a64 hard_ns;    /* when the kernel ends us for it; 0: never */
    uint64_t unused1[3];
};
_Static_assert(sizeof(struct mpri_frame) == 64, "a cache line");

enum mpri_seat_state {
    MPRI_SEAT_EMPTY = 0,
    MPRI_SEAT_STARTING,
    MPRI_SEAT_LIVE,
    MPRI_SEAT_LEFT,
    MPRI_SEAT_ENDED,
};

struct mpri_seat {
    /* Written when the seat changes hands. */
    mpri_a32 state;
    mpri_a32 slot;
    mpri_a32 generation;
    mpri_a32 pid;
    mpri_a32 number; /* of the worker: 1 and up, never again in this pool */
    mpri_a32 retire; /* its successor is there: leave after this task */
    mpri_a64 entered_ns;
    mpri_a64 ended_ns;
    /* The task that somebody wants given up: job's serial, task + 1. Written
     * under the desk; a late or lost request does no harm. */
    mpri_a64 cancel_job;
    mpri_a32 cancel_task;
    uint32_t unused0[3];

    /* Written by the worker. */
    mpri_a32 depth; /* frames in use beyond the first */
    mpri_a32 weary; /* it has done its share of tasks: a successor is due */
    mpri_a64 tasks;
    mpri_a64 busy_ns;
    uint64_t unused1[5];

    struct mpri_frame frame[MPRI_FRAMES];
};

struct mpri_pool {
    /* Line 0. Fixed after create. */
    uint32_t seats;
    uint32_t workers;
    uint64_t creator; /* mpri_self_name of it */
    char label[MPRI_POOL_LABEL];
    uint32_t wakes; /* sleepers to wake at once */
    uint32_t unused0[3];

    /* Line 1. The desk: guards the lists, and who has which range. */
    struct mpri_mutex desk;
    uint64_t levels; /* bit l: level l's list is not empty. Through tx */
    uint64_t unused1[6];

    /* Line 2. What a worker looks at between two tasks. */
    mpri_a32 state;
    mpri_a32 urgent; /* 1 + the highest level with work to claim: a hint */
    mpri_a32 number; /* the last worker's */
    mpri_a32 deaths; /* workers that did not say good-bye */
    uint32_t unused2[12];

    /* Line 3. How workers wait. */
    mpri_a32 epoch;   /* counts up when there may be work, or an end */
    mpri_a32 spinner; /* slot + 1 of the one worker that spins, or 0 */
    struct mpri_gate work;
    mpri_a32 work_spin;
    mpri_a32 result_spin;
    uint32_t unused3[10];

    /* Line 4. */
    uint64_t broken; /* ref: a note that says why, or 0 */
    uint64_t unused4[7];

    struct {
        uint64_t first; /* ref */
        uint64_t last;
    } level[MPRI_LEVELS];
    uint64_t unused5[6];

    struct mpri_seat seat[];
};
_Static_assert(sizeof(struct mpri_pool) % 64 == 0, "seats on own lines");

static inline struct mpri_pool *mpri_pool_of(const void *block)
{
    return (struct mpri_pool *)(void *)((char *)(uintptr_t)block + 64);
}

static inline uint64_t mpri_range(uint32_t next, uint32_t last)
{
    return next | (uint64_t)last << 32;
}

static inline uint32_t mpri_range_next(uint64_t range)
{
    return (uint32_t)range;
}

static inline uint32_t mpri_range_last(uint64_t range)
{
    return (uint32_t)(range >> 32);
}

static inline uint32_t mpri_range_left(uint64_t range)
{
    return mpri_range_next(range) < mpri_range_last(range)
               ? mpri_range_last(range) - mpri_range_next(range)
               : 0;
}

/* How many frames of the seat may be in use: more are when its worker waits for
 * tasks inside tasks. */
static inline uint32_t mpri_seat_frames(struct mpri_seat *s)
{
    uint32_t n = mpri_load_acq(&s->depth) + 1;

    return n < MPRI_FRAMES ? n : MPRI_FRAMES;
}

/* Whether what stands in its frames is somebody's: of a worker that lives, or
 * died and was not buried. */
static inline bool mpri_seat_counts(struct mpri_seat *s)
{
    uint32_t state = mpri_load_acq(&s->state);

    return state == MPRI_SEAT_LIVE || state == MPRI_SEAT_ENDED;
}

/* Registers the kind POOL. */
void mpri_pool_register(void);

/* Work came, or the state changed: at most count workers look. */
void mpri_pool_wake(struct mpri_pool *p, uint32_t count);

#endif
