#ifndef MPR_IPC_QUEUE_H
#define MPR_IPC_QUEUE_H

/* A queue: a growing ring (ipc/ring.h) and a count of what was worked off.
 *
 * States:       [done, number of tail) messages that are unfinished: done
 *               counts the calls of task_done, the ring counts the puts
 * Invariant:    done never passes the number of tail.
 * If we die here: (between a get and task_done) the message stays unfinished.
 *               (in task_done, the gate not opened) those who join look again
 *               after their slice. */

#include "ipc/ring.h"

/* What lies behind the block's header: with it, four cache lines. */
struct mpri_queue {
    uint32_t tag; /* Fixed after init */
    uint32_t unused0;
    mpri_a64 done;
    struct mpri_gate finished;
    uint64_t unused1;
    struct mpri_ring ring;
};
_Static_assert(sizeof(struct mpri_queue) == 224, "four lines with a header");

/* Registers the kinds QUEUE, SEGMENT and MESSAGE. */
void mpri_queue_register(void);

#endif
