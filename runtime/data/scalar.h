#ifndef MPR_DATA_SCALAR_H
#define MPR_DATA_SCALAR_H

/* Arithmetic on a number that lies in a table as bytes of a message. */

#include "data/kept.h"

/* -EDOM: the value is no number. */
int mpri_scalar_read(const struct mpri_kept *c, struct mpr_scalar *n);

/* The same of a message that is not in a table. */
int mpri_scalar_of(const struct mpr_parcel *p, struct mpr_scalar *n);

/* As Lua has it: 1 equals 1.0. */
bool mpri_scalar_equal(const struct mpr_scalar *a, const struct mpr_scalar *b);

/* Writes the number as a message; returns its size. */
uint32_t mpri_scalar_write(const struct mpr_scalar *n, uint8_t bytes[16]);

/* Integers wrap around, with a float the sum is one, as in Lua. */
struct mpr_scalar mpri_scalar_sum(const struct mpr_scalar *a,
                                  const struct mpr_scalar *b);

#endif
