#ifndef MPR_DATA_WHOLE_H
#define MPR_DATA_WHOLE_H

/* What concerns all keys of a shared dict at once. Writers wait meanwhile,
 * readers do not. */

#include "data/table.h"

/* How many keys there are; those whose time is over are removed first. */
int64_t mpri_table_len(struct mpri_table *t);

/* One store clears all; memory is given back after it. */
void mpri_table_clear(struct mpri_table *t);

/* A copy of the dict at one instant. -ENOMEM. */
int mpri_table_snapshot(struct mpri_table *t, struct mpr_snapshot *s);

/* A key that is there: in a dict of up to some hundred keys the youngest, in a
 * larger one the youngest of some. Its bytes lie in m. -ENOENT: it is empty;
 * -ENOMEM. */
int mpri_table_some(struct mpri_table *t, struct mpr_key *key,
                    struct mpr_message *m);

#endif
