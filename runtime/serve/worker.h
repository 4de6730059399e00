#ifndef MPR_SERVE_WORKER_H
#define MPR_SERVE_WORKER_H

/* A worker: this process in a seat of a pool. What is here is private to the
 * process; what others must know after its death stands in the seat.
 *
 *     worker.c     coming and going, telling submitters what was done
 *     take.c       the next task
 *     give.c       what became of it
 *     interrupt.c  ending it before its time */

#include "os/os.h"
#include "serve/desk.h"

struct mpri_level {
    uint64_t serial; /* of the job that the rest is about */
    uint8_t *chunk;  /* memory for results, a note of the job's */
    uint64_t used;
    uint64_t size;
    int64_t since_ns; /* the last look at the clock */
    uint32_t done;    /* outcomes since then */
    uint32_t batch;   /* so many, and the clock is looked at again */
    uint32_t countdown;
    int64_t soft_ns; /* the task in hand is to be interrupted; 0: never */
    int64_t hard_ns; /* and ended by the kernel */
};

struct mpr_worker {
    struct mpri_pool *pool;
    struct mpri_seat *seat;
    uint32_t number;
    uint32_t depth;
    struct mpri_job *job; /* of the task in hand */
    uint32_t task;

    /* serve/interrupt.c */
    void (*due)(void *ud);
    void *due_ud;
    struct mpri_timer soft;
    struct mpri_timer hard;
    mpri_a32 ending; /* SIGTERM came */

    struct mpri_level level[MPRI_FRAMES];
};

static inline struct mpri_frame *mpri_worker_frame(struct mpr_worker *w)
{
    return &w->seat->frame[w->depth];
}

/* Tells the submitter what was done since the last time. */
void mpri_worker_announce(mpr_worker *w);

/* No interrupt any more. */
void mpri_worker_unwatch(mpr_worker *w);

/* The frame in use changed: the timers follow. */
void mpri_worker_rearm(mpr_worker *w);

/* A request to give the task of the top frame up may have come meanwhile. */
void mpri_worker_look_up(mpr_worker *w);

#endif
