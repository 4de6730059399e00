#ifndef MPR_IPC_SELECT_H
#define MPR_IPC_SELECT_H

/* Waiting for many things at once: objects in shared memory, which remember
 * whose bell to ring, and descriptors, which the kernel watches. Public side:
 * mpr_wait and mpr_watch in mpr.h.
 *
 * A process listens to one of the family's few bells (eventfds that all
 * inherit) through an epoll descriptor of its own, edge-triggered, so a bell
 * is never read and processes may share one: a ring meant for another costs a
 * needless look.
 *
 * Order:        watch (mpri_gate_watch), then ask whether the object is ready,
 *               then poll. A ring between the last two is an edge that epoll
 *               keeps.
 * If we die here: our bit in the objects' gates stays: one needless ring. */

/* Closes what only its maker may use. In a child, after a fork. */
void mpri_select_forget(void);

#endif
