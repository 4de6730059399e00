#ifndef MPR_LIFE_REAP_H
#define MPR_LIFE_REAP_H

/* What is done about processes that ended, by whoever notices: the creator
 * that waited for its child, and sleepers, one of which looks over the whole
 * roster from time to time.
 *
 * The reaper of a slot goes through its holds: every block the dead process
 * could have owned is among them, for it can own only what it held. Each is
 * told (mpri_kind.abandon), then dropped. Only then does the slot become FREE:
 * so no word in any object names a slot that has been given to another
 * process.
 *
 * Guarded by:   guard.reaping, one reaper at a time in a family.
 * If we die here: the slot stays ENDED with the holds that are left; the next
 *               reaper goes on. Dropping and abandoning may be repeated. */

#include <stdint.h>

/* Reaps the slot when its process is over; nothing when it is FREE, alive, or
 * of another generation. If another reaper is at it waits for that one, up to
 * a second: one that was stopped in the middle goes on later. */
void mpri_reap(uint32_t slot, uint32_t generation);

/* Looks over the roster if that is due: cheap when it is not. Never called
 * with a lock held. */
void mpri_sweep(void);

/* Looks over the roster now. */
void mpri_sweep_now(void);

/* The normal end of this process: gives up what it owns and drops its holds,
 * so that others see at once what they would see after its death. No other
 * thread of it may be inside the runtime. */
void mpri_leave(void);

#endif
