#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void mpri_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "mpr: %s:%d: '%s' does not hold\n", file, line, cond);
    abort();
}
