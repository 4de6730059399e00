#ifndef MPR_LIFE_RUN_H
#define MPR_LIFE_RUN_H

/* Runs of pages in this process's hand: each stands as a RAW entry in its
 * hold table while system calls back or unback it outside the lock.
 *
 * If we die here: the reaper finds the RAW entry, unbacks the run and gives it
 * back cold; nothing else knows it. */

#include <stdbool.h>
#include <stdint.h>

/* A backed run of count pages, in a RAW entry; *zero: it is known to read as
 * zeros. The arena lock is held at call and return, and released in between.
 * -ENOMEM (still locked). */
int mpri_run_take(uint64_t count, uint64_t *page, uint32_t *entry, bool *zero);

/* Frees the run of a RAW entry of this process (locked). */
void mpri_run_give(uint32_t entry, bool warm);

/* Adds backed pages for small pieces. Locked at call and return. */
int mpri_run_refill(void);

/* Unbacks and frees the run of a RAW entry. Not locked. */
void mpri_run_discard(uint32_t slot, uint32_t entry);

/* Unbacks free memory beyond the bound of what is kept warm. Not locked. */
void mpri_run_trim(void);

#endif
