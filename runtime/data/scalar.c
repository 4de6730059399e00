#include "data/scalar.h"

#include <errno.h>

uint32_t mpri_scalar_write(const struct mpr_scalar *n, uint8_t bytes[16])
{
    return (uint32_t)((n->is_float ? mpr_put_number(bytes, n->number)
                                   : mpr_put_integer(bytes, n->integer)) -
                      bytes);
}

static int parse(const void *bytes, size_t size, struct mpr_scalar *n)
{
    struct mpr_reader r = mpr_reader_of(bytes, size);
    struct mpr_token token;

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

int mpri_scalar_read(const struct mpri_kept *c, struct mpr_scalar *n)
{
    uint8_t bytes[16];

    if (c->flags & MPRI_KEPT_REF || c->size > sizeof bytes)
        return -EDOM;
    mpri_words_get(bytes, sizeof bytes, c->bytes, c->size);
    return parse(bytes, c->size, n);
}

int mpri_scalar_of(const struct mpr_parcel *p, struct mpr_scalar *n)
{
    return p->ref_count || p->size > 16 ? -EDOM : parse(p->bytes, p->size, n);
}

bool mpri_scalar_equal(const struct mpr_scalar *a, const struct mpr_scalar *b)
{
    const struct mpr_scalar *i = a->is_float ? b : a, *f = a->is_float ? a : b;

    if (a->is_float == b->is_float)
        return a->is_float ? a->number == b->number : a->integer == b->integer;
    /* One integer: the float is equal if it is that integer exactly. */
    return f->number >= -0x1p63 && f->number < 0x1p63 &&
           (double)(int64_t)f->number == f->number &&
           (int64_t)f->number == i->integer;
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
