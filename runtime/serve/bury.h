#ifndef MPR_SERVE_BURY_H
#define MPR_SERVE_BURY_H

/* What is done about a worker that died. Its tasks that were done stand. The
 * one that it was doing is LOST, with what is known about the end; its
 * submitter tries again or reports. What it had not begun goes back to the job:
 * thieves may have taken it already.
 *
 * The creator of the pool buries, because the kernel tells it alone how the
 * worker ended. Where it does not come by for a second, others do, and the end
 * stays unknown.
 *
 * If we die here: the seat is not EMPTY, so it is buried again: outcomes that
 *               are not OPEN stay as they are, and a search for open tasks may
 *               be asked for twice. */

#include "serve/desk.h"

/* Buries the worker of that number, who is dead, and empties its seat; nothing
 * when that was done. */
void mpri_bury(struct mpri_pool *p, struct mpri_seat *s, uint32_t number,
               int status);

/* Buries those whom the creator has not for a second. Cheap when there are
 * none. */
void mpri_bury_forgotten(struct mpri_pool *p);

#endif
