#ifndef MPL_BATCH_H
#define MPL_BATCH_H

/* Many values, encoded one by one: for what is stored all at once. */

#include "state.h"

struct mpl_batch {
    struct mpr_parcel *parcels;
    size_t count;
    size_t capacity; /* of parcels */
    struct mpr_writer bytes;
    mpr_handle *refs; /* holds of its own, until it is collected */
    const mpr_handle **pointers;
    size_t ref_count;
    size_t ref_capacity;
};

/* Pushes the batch of the items 1 to n of what is at idx, plain tables among
 * them shared first. */
const struct mpl_batch *mpl_batch_push(lua_State *L, struct mpl_state *S,
                                       int idx, lua_Integer n);

#endif
