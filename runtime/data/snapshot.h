#ifndef MPR_DATA_SNAPSHOT_H
#define MPR_DATA_SNAPSHOT_H

/* A copy of a dict or list in private memory (struct mpr_snapshot of mpr.h):
 * the words of its entries, in their order, and handles on what they hold. */

#include "data/leaf.h"

struct mpri_snapshot_need {
    uint64_t words;
    uint64_t items;
    uint64_t refs;
};

bool mpri_snapshot_has_room(const struct mpr_snapshot *s,
                            const struct mpri_snapshot_need *need);

/* Makes room, and some more. -ENOMEM. Not under a lock. */
int mpri_snapshot_reserve(struct mpr_snapshot *s,
                          const struct mpri_snapshot_need *need);

/* Adds an entry of a dict, or an item of a list, which starts at words; there
 * is room, and nobody changes it meanwhile. -ENOMEM. */
int mpri_snapshot_add(struct mpr_snapshot *s, const struct mpri_entry *e);
int mpri_snapshot_add_kept(struct mpr_snapshot *s, const struct mpri_kept *c,
                           const mpri_a64 *words);

/* Item number i, from 0, of a list; with is_raw what it holds is its ref. */
void mpri_snapshot_item(const struct mpr_snapshot *s, uint64_t i,
                        struct mpri_item *item);

/* Sorts entries of a dict as they were inserted. */
void mpri_snapshot_sort(struct mpr_snapshot *s);

#endif
