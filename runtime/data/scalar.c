#include "data/scalar.h"

#include <errno.h>

uint32_t mpri_scalar_write(const struct mpr_scalar *n, uint8_t bytes[16])
{
    return (uint32_t)((n->is_float ? mpr_put_number(bytes, n->number)
                                   : mpr_put_integer(bytes, n->integer)) -
                      bytes);
}

int mpri_scalar_read(const struct mpri_kept *c, struct mpr_scalar *n)
{
    struct mpr_reader r;
    struct mpr_token token;
    uint8_t bytes[16];

    if (c->flags & MPRI_KEPT_REF || c->size > sizeof bytes)
        return -EDOM;
    mpri_words_get(bytes, sizeof bytes, c->bytes, c->size);
    r = mpr_reader_of(bytes, c->size);
    if (mpr_read(&r, &token) != 1 || mpr_reader_left(&r))
        return -EDOM;
    if (token.tag == MPR_TAG_INT64)
        *n = (struct mpr_scalar){.integer = token.integer};
    else if (token.tag == MPR_TAG_NUMBER)
        *n = (struct mpr_scalar){.is_float = 1, .number = token.number};
    else
        return -EDOM;
    return 0;
}

static double as_float(const struct mpr_scalar *n)
{
    return n->is_float ? n->number : (double)n->integer;
}

struct mpr_scalar mpri_scalar_sum(const struct mpr_scalar *a,
                                  const struct mpr_scalar *b)
{
    struct mpr_scalar sum = {0};

    if (a->is_float || b->is_float) {
        sum.is_float = 1;
        sum.number = as_float(a) + as_float(b);
    } else {
        sum.integer = (int64_t)((uint64_t)a->integer + (uint64_t)b->integer);
    }
    return sum;
}
