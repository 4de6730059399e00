#ifndef MPR_SERVE_DESK_H
#define MPR_SERVE_DESK_H

/* The desk of a pool (desk.c, claim.c): its lock, under which jobs enter and leave the lists and
 * ranges of tasks change hands. Held for well under a microsecond, but for a
 * search after a death.
 *
 * A claim takes a share of what a job has left, so that few claims are made
 * and the last ones are small; what takes long is claimed in small pieces. That
 * it was too much does no harm: whoever has nothing to do takes half of it away
 * again.
 *
 * If we die here: (holding the desk) the lists are whole, for they change in
 *               transactions; a range that left the cursor or a victim and did
 *               not arrive in our frame is found by the search that our burial
 *               asks for, since the frame holds the job before anything moves. */

#include "serve/pool.h"

/* Blocks to drop when the desk is free again: entries of this process's hold
 * table. */
enum { MPRI_TRASH = 8 };

struct mpri_trash {
    uint32_t entry[MPRI_TRASH];
    uint32_t count;
};

void mpri_desk_lock(struct mpri_pool *p);

/* Frees the desk, then drops what is in the trash. */
void mpri_desk_unlock(struct mpri_pool *p, struct mpri_trash *t);

/* Each of these: the desk is held. */

/* Puts the job at the end of its level's list; nothing if it is there. */
void mpri_desk_link(struct mpri_pool *p, struct mpri_job *j);

/* Takes the job out of its list, where *at holds it; before: the job in front of
 * it, or 0. False: it stays for another time. */
bool mpri_desk_unlink(struct mpri_pool *p, struct mpri_job *j, uint64_t *at,
                      uint64_t before, struct mpri_trash *t);

/* The frame holds the job from now on, in place of the one it held. False: it
 * could not be done now. */
bool mpri_desk_hold(struct mpri_frame *f, const struct mpri_job *j,
                    struct mpri_trash *t);

enum mpri_claim {
    MPRI_CLAIM_NONE, /* nothing to do */
    MPRI_CLAIM_SOME, /* the frame has a range */
    MPRI_CLAIM_LATER /* a task waits for *later_ns */
};

/* Claims a range for the frame, whose range is empty, from the most urgent job
 * with work, or from only. *more: there is more to claim. */
enum mpri_claim mpri_desk_claim(struct mpri_pool *p, struct mpri_frame *f,
                                struct mpri_job *only, struct mpri_trash *t,
                                int64_t *later_ns, bool *more);

/* Takes half of the largest range that somebody has and has not begun (of the
 * job only, if that is given). */
bool mpri_desk_steal(struct mpri_pool *p, struct mpri_frame *f,
                     const struct mpri_job *only, struct mpri_trash *t);

/* What is left of the frame's range can be claimed by others again. */
void mpri_desk_give_back(struct mpri_pool *p, struct mpri_frame *f);

/* The frame is done with its job. */
void mpri_desk_forget(struct mpri_frame *f, struct mpri_trash *t);

/* Among the tasks [first, last) of the job there may be open ones that nobody
 * has: somebody must look. */
void mpri_desk_redo(struct mpri_pool *p, struct mpri_job *j, uint32_t first,
                    uint32_t last);

/* Stops all jobs. */
void mpri_desk_flush(struct mpri_pool *p);

/* Tasks that are submitted and not done. */
uint64_t mpri_desk_pending(struct mpri_pool *p);

#endif
