#ifndef MPR_DATA_CHANGE_H
#define MPR_DATA_CHANGE_H

/* Changes of one key of a shared dict: one function, because they differ only
 * in what they ask before they write. */

#include "data/table.h"

enum mpri_when {
    MPRI_ALWAYS,
    MPRI_IF_ABSENT,  /* else -EEXIST */
    MPRI_IF_PRESENT, /* else -ENOENT */
    MPRI_IF_SAME,    /* the value is the one in same; else -ESTALE */
};

struct mpri_change {
    struct mpri_key key;
    enum mpri_when when;
    uint64_t me;              /* as reservation.holder has it */
    struct mpri_value *value; /* what is stored; NULL: the key is removed */
    const struct mpr_message *same;

    /* The value removed, if it is plain and fits: -EAGAIN otherwise, after
     * nothing was done. May be NULL. */
    struct mpr_message *taken;

    /* Adds to the number that is there; if there is none, value is stored,
     * which is first. sum is what was stored. -EDOM: the value is no number.
     * add may be NULL. */
    const struct mpr_scalar *add;
    struct mpr_scalar first, sum;
};

/* 0, or as above; -ENOMEM; -EINTR: the key is another's for now, and a signal
 * came. Nothing is locked; the value's box, if it was not stored, stays the
 * caller's. Values keep their time limit when they are added to or replaced by
 * IF_SAME. */
int mpri_table_change(struct mpri_table *t, struct mpri_change *c);

#endif
