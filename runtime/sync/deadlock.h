#ifndef MPR_SYNC_DEADLOCK_H
#define MPR_SYNC_DEADLOCK_H

/* Who waits for whom. A waiter that has to sleep writes into its process's
 * roster slot what it waits for, and now and then follows the chain: what I
 * wait for is owned by A, who waits for something that is owned by B, … If the
 * chain comes back to me, nobody in it can go on, unless somebody outside the
 * chain helps. It is certain that nobody will when every lock in it is one that
 * only its owner releases (mpri_owner.sure), every wait is without timeout, all
 * owners live, and a second look after a second finds the very same waits.
 *
 * States:       wait_number even: nothing is said · odd: waits_for (the
 *               offset of a struct mpri_owner, 0 while it is being written) and
 *               wait_actor hold for one wait of one actor of this process
 *               n even -> n + 1: a waiter that begins, by CAS, so that of
 *               several threads one speaks · n odd -> n + 1: the same one when
 *               it ends · n + 1 -> n: one that was interrupted and waits on
 * Invariant:    a number that reads the same twice, odd, means one wait that
 *               went on in between, but for what a signal's hook did.
 * If we die here: the number stays odd; who comes by asks whether we live, and
 *               the next process in the slot moves it on. */

#include "sync/owner.h"

/* One wait; in the waiter's storage. */
struct mpri_watch {
    struct mpri_owner *owner;
    uint32_t me;
    bool forever;
    bool published;
    uint64_t number; /* of the published wait */
    uint64_t seen;   /* what the first look at a chain found, 0: none */
    int64_t due_ns;  /* when the second look is due */
};

void mpri_deadlock_begin(struct mpri_watch *w, struct mpri_owner *o,
                         uint32_t me, bool forever);

/* 0: go on. -EDEADLK: certain, and it is for us to raise it: we have the
 * highest slot. -EINTR: likely, there is a warning to be read. Both have put
 * their text where mpr_deadlock and mpr_warning find it. */
int mpri_deadlock_look(struct mpri_watch *w);

/* interrupted: the same wait may go on. */
void mpri_deadlock_end(struct mpri_watch *w, bool interrupted);

#endif
