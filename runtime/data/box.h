#ifndef MPR_DATA_BOX_H
#define MPR_DATA_BOX_H

/* A value that is too large for a place in a table, or that carries several
 * objects: a block of its own, immutable, which the table's place holds. Who
 * reads it holds it and reads it in place. */

#include "mpr.h"

#include <stdbool.h>

struct mpri_box {
    uint64_t size;
    uint32_t ref_count;
    uint32_t unused;
    uint64_t ref[]; /* holds; then the bytes */
};

static inline const uint8_t *mpri_box_bytes(const struct mpri_box *b)
{
    return (const uint8_t *)(b->ref + b->ref_count);
}

/* Makes a box of the parcel; one hold, ours, PRIVATE. -ENOMEM. */
int mpri_box_create(mpr_handle *h, const struct mpr_parcel *parcel);

/* What the box contains becomes what m, which is not fixed, holds; takes h.
 * -ENOMEM, -EBADMSG: h is still the caller's. */
int mpri_box_open(mpr_handle *h, struct mpr_message *m);

/* Whether the box at off has the parcel's bytes and objects. */
bool mpri_box_equal(uint64_t off, const struct mpr_parcel *parcel);

void mpri_box_register(void);

#endif
