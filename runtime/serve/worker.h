#ifndef MPR_SERVE_WORKER_H
#define MPR_SERVE_WORKER_H

/* A worker: this process in a seat of a pool. What is here is private to the
 * process; what others must know after its death stands in the seat. */

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
};

struct mpr_worker {
    struct mpri_pool *pool;
    struct mpri_seat *seat;
    uint32_t number;
    uint32_t depth;
    struct mpri_job *job; /* of the task in hand */
    uint32_t task;
    struct mpri_level level[MPRI_FRAMES];
};

static inline struct mpri_frame *mpri_worker_frame(struct mpr_worker *w)
{
    return &w->seat->frame[w->depth];
}

#endif
