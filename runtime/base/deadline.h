#ifndef MPR_BASE_DEADLINE_H
#define MPR_BASE_DEADLINE_H

/* Time inside the runtime is an absolute CLOCK_MONOTONIC instant in
 * nanoseconds. MPR_FOREVER never comes; any instant that has passed means
 * "try, do not wait". */

#include "mpr.h"

#define MPRI_MS     1000000LL
#define MPRI_SECOND 1000000000LL

static inline int64_t mpri_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
