#ifndef MPR_LIFE_RUN_H
#define MPR_LIFE_RUN_H

/* Runs of pages in this process's hand: each stands as a RAW entry in its
 * hold table while system calls back or unback it outside the lock. The entry
 * is set aside before the lock is let go for the first time, so that other
 * threads cannot use it up.
 *
 * When there is no memory left, free memory that is kept warm is given back
 * first: it may be the very address space, or memory, that is missing.
 *
 * If we die here: the reaper finds the RAW entry, unbacks the run and gives it
 * back cold; nothing else knows it. */

#include <stdbool.h>
#include <stdint.h>

/* A backed run of count pages, in a RAW entry; *zero: it is known to read as
 * zeros. The arena lock is held at call and return, with a spare entry
 * (mpri_hold_lock), and released in between. -ENOMEM (still locked). */
int mpri_run_take(uint64_t count, uint64_t *page, uint32_t *entry, bool *zero);

/* The same for a small piece of which the arena had none: the piece is taken in
 * a transaction that is still open, the entry set aside. */
int mpri_run_take_small(uint64_t size, uint64_t *off, uint32_t *entry);

/* Unbacks and frees the run of a RAW entry. Not locked. */
void mpri_run_discard(uint32_t slot, uint32_t entry);

/* Unbacks free memory beyond the bound of what is kept warm. Not locked. */
void mpri_run_trim(void);

#endif
