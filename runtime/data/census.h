#ifndef MPR_DATA_CENSUS_H
#define MPR_DATA_CENSUS_H

/* Who uses which named memory: the one thing that families must know of each
 * other. Each lists the inodes of its own in a table at a fixed place in its
 * arena; who wants to know whether a name is still of use to anybody reads the
 * tables of all arenas whose processes live (the locks of their liveness bytes
 * say who does), by the way of /proc.
 *
 * Guarded by:   the arena lock of the family, in a transaction. Others read a
 *               word at a time; what they must not miss was entered before the
 *               file had its name, or while its lock was held.
 * If we die here: the entry goes with its block, by the reaper; with the last
 *               process of the family the whole table is gone. */

#include "mpr.h"

struct mpri_census {
    uint64_t inode;
    uint64_t block; /* 0: free */
};

/* Enters the handle's block for the inode and notes where in *place, a word of
 * the block. -EEXIST: the family has an entry that lives; -EMFILE: no room;
 * -ENOMEM. */
int mpri_census_add(const mpr_handle *h, uint64_t inode, uint64_t *place);

/* Clears the entry of *place, if there is one, and the word. */
void mpri_census_remove(uint64_t *place);

/* Opens the block of this family for the inode. -ENOENT, -ENOMEM. */
int mpri_census_open(uint64_t inode, mpr_handle *out);

/* Whether any live family lists the inode: 1, 0, or -errno when it cannot be
 * told. Reads files: not for hot paths. */
int mpri_census_anyone(uint64_t inode);

/* Whether any other family does. */
int mpri_census_others(uint64_t inode);

/* Visits the blocks of this family, without the lock: for its last process,
 * which ends. */
void mpri_census_each(void (*visit)(uint64_t block));

#endif
