#include "life/kind.h"

#include "life/guard.h"
#include "mpr.h"

static const struct mpri_kind bytes = {.name = "bytes"};
static const struct mpri_kind *kinds[MPRI_KINDS];

_Static_assert((int)MPR_KIND_END <= (int)MPRI_KINDS,
               "every kind has its counters");

void mpri_kind_register(unsigned kind, const struct mpri_kind *ops)
{
    kinds[kind] = ops;
}

const struct mpri_kind *mpri_kind(unsigned kind)
{
    if (kind >= MPR_KIND_END || !kinds[kind])
        return &bytes;
    return kinds[kind];
}

const char *mpr_kind_name(unsigned kind)
{
    return mpri_kind(kind)->name;
}
