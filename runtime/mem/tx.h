#ifndef MPR_MEM_TX_H
#define MPR_MEM_TX_H

/* Changes of several words of shared memory that happen all or not at all,
 * whoever is killed in the middle.
 *
 * One log lies in the arena; Guarded by: the arena lock (life/guard.h). Each
 * changed word's old value is put in the log before the word is changed;
 * one store, of 0 to the count, commits them all.
 *
 *     mpri_tx_set(&block->next, list->first);
 *     mpri_tx_set(&list->first, off);
 *     mpri_tx_commit();
 *
 * States:       count 0 idle · n the words log[0..n) may differ from what
 *               they were
 * Invariant:    putting log[n-1] … log[0] back, in this order, yields the
 *               state at the last commit.
 * If we die here: the next owner of the arena lock finds count > 0 and puts
 *               the old values back (mpri_tx_rollback), which may itself be
 *               killed and done again: it only stores old values.
 *
 * A kill is a precise event of one CPU: everything before it in program order
 * was done, nothing after it was. So only the compiler must keep the order of
 * the three stores (entry, count, word); the release orders do. */

#include <stdint.h>

/* Words of one transaction at most; freeing a run of pages that merges at
 * every level takes about 200, giving a child a batch of holds 300. */
enum { MPRI_TX_MAX = 1000 };

void mpri_tx_set(uint64_t *word, uint64_t value);
void mpri_tx_commit(void);

/* Undoes what a killed process, or an operation that gave up, left. */
void mpri_tx_rollback(void);

/* Whether anything would be undone. */
int mpri_tx_open(void);

#endif
