/* The bytes of values (mpr.h declares who writes and reads them).
 *
 * Integers, lengths and doubles are little-endian. A count is 7 bits a byte,
 * the lowest first, all but the last with bit 7 set.
 *
 *   00..7f        the integer 0..127
 *   80..9f        a string of 0..31 bytes, which follow
 *   a0..df        name 0..63: a string that was defined earlier
 *   NIL FALSE TRUE NULL
 *   INT8 INT16 INT32 INT64     a signed integer of that width
 *   NUMBER        a double
 *   STRING        count, bytes
 *   NAME          size (1 byte), bytes: a string, and the definition of the
 *                 next name
 *   NAME_FAR      n: name 64 + n
 *   MAP           pairs (1 byte), then key, value, key, value …
 *   TABLE         pairs (1 byte), count n, the items 1..n, then the pairs
 *   RUN           in place of consecutive items: kind (1 byte: 1 2 4 8 bytes
 *                 of integer, 9 doubles), how many (1 byte, not 0), the bytes
 *   END           ends the pairs, where their byte says so
 *   REF           count: the value whose tag stands at that offset
 *   OBJECT        count: the message's ref of that index
 *   GLOBALS       the receiver's table of globals
 *   BY_NAME       parts (1 byte: 1..4), so many strings: the module, or its
 *                 field, of that name
 *   CLASS         a string: the metatable that has this name
 *   INSTANCE      CLASS, BY_NAME or REF; then MAP or TABLE: with this metatable
 *   PACKED        the same; then a value, of which the class makes one
 *   FUNCTION      0, count, bytecode · 1, count: it is that of the function at
 *                 that offset; then upvalues (1 byte), and for each: 0 value ·
 *                 1 value of an upvalue that others share · 2, count: shared
 *                 with the one whose 1 stands at that offset
 *
 * The _SHARED twins of STRING, MAP, TABLE and FUNCTION say that a REF will
 * come. The byte of pairs is their number up to 223; 224 + k stands for more
 * than 2^(k-1), at most 2^k, up to END. */

#include "mpr.h"

#include <stdlib.h>

/* ---- writing -------------------------------------------------------------- */

int mpr_writer_grow(struct mpr_writer *w, size_t size)
{
    size_t used = mpr_writer_size(w);
    size_t had = (size_t)(w->limit - w->bytes);
    size_t want = had < 128 ? 256 : had * 2;
    uint8_t *bytes;

    if (size > SIZE_MAX / 4 || had > SIZE_MAX / 4)
        return -ENOMEM;
    if (want < used + size)
        want = used + size;
    bytes = realloc(w->bytes, want);
    if (!bytes)
        return -ENOMEM;
    w->bytes = bytes;
    w->end = bytes + used;
    w->limit = bytes + want;
    return 0;
}

void mpr_writer_free(struct mpr_writer *w)
{
    free(w->bytes);
    w->bytes = w->end = w->limit = NULL;
}

int mpr_write_tag(struct mpr_writer *w, enum mpr_tag tag)
{
    int err = mpr_writer_need(w, 1);

    if (!err)
        *w->end++ = (uint8_t)tag;
    return err;
}

int mpr_write_boolean(struct mpr_writer *w, int v)
{
    return mpr_write_tag(w, v ? MPR_TAG_TRUE : MPR_TAG_FALSE);
}

int mpr_write_integer(struct mpr_writer *w, int64_t v)
{
    int err = mpr_writer_need(w, 9);

    if (!err)
        w->end = mpr_put_integer(w->end, v);
    return err;
}

int mpr_write_number(struct mpr_writer *w, double v)
{
    int err = mpr_writer_need(w, 9);

    if (!err)
        w->end = mpr_put_number(w->end, v);
    return err;
}

int mpr_write_string(struct mpr_writer *w, const void *s, size_t size)
{
    int err = size > SIZE_MAX / 4
                  ? -ENOMEM
                  : mpr_writer_need(w, 1 + MPR_WIRE_COUNT_MAX + size);

    if (err)
        return err;
    if (size <= MPR_WIRE_SHORT) {
        *w->end++ = (uint8_t)(MPR_TAG_SHORT + size);
    } else {
        *w->end++ = MPR_TAG_STRING;
        w->end = mpr_put_count(w->end, size);
    }
    if (size)
        memcpy(w->end, s, size);
    w->end += size;
    return 0;
}

int mpr_write_table(struct mpr_writer *w, uint64_t items, uint64_t pairs)
{
    int err = mpr_writer_need(w, 2 + MPR_WIRE_COUNT_MAX);

    if (err)
        return err;
    *w->end++ = items ? MPR_TAG_TABLE : MPR_TAG_MAP;
    *w->end++ = mpr_wire_pairs(pairs);
    if (items)
        w->end = mpr_put_count(w->end, items);
    return 0;
}

static int write_run(struct mpr_writer *w, unsigned kind, unsigned count,
                     size_t size)
{
    int err;

    if (count == 0 || count > 255)
        return -EINVAL;
    err = mpr_writer_need(w, 3 + size);
    if (err)
        return err;
    *w->end++ = MPR_TAG_RUN;
    *w->end++ = (uint8_t)kind;
    *w->end++ = (uint8_t)count;
    return 0;
}

int mpr_write_integers(struct mpr_writer *w, const int64_t *v, unsigned count)
{
    uint64_t bits = 0; /* set where any value differs from its sign */
    unsigned width;
    int err;

    for (unsigned i = 0; i < count; i++)
        bits |= v[i] < 0 ? ~(uint64_t)v[i] : (uint64_t)v[i];
    width = bits <= INT8_MAX    ? 1
            : bits <= INT16_MAX ? 2
            : bits <= INT32_MAX ? 4
                                : 8;
    err = write_run(w, width, count, (size_t)width * count);
    if (err)
        return err;
    switch (width) { /* a loop for each: the compiler makes vectors of them */
    case 1:
        for (unsigned i = 0; i < count; i++)
            w->end[i] = (uint8_t)v[i];
        break;
    case 2:
        for (unsigned i = 0; i < count; i++)
            mpr_wire_store(w->end + (size_t)2 * i, (uint64_t)v[i], 2);
        break;
    case 4:
        for (unsigned i = 0; i < count; i++)
            mpr_wire_store(w->end + (size_t)4 * i, (uint64_t)v[i], 4);
        break;
    default:
        for (unsigned i = 0; i < count; i++)
            mpr_wire_store(w->end + (size_t)8 * i, (uint64_t)v[i], 8);
        break;
    }
    w->end += (size_t)width * count;
    return 0;
}

int mpr_write_numbers(struct mpr_writer *w, const double *v, unsigned count)
{
    int err = write_run(w, MPR_WIRE_DOUBLES, count, (size_t)8 * count);

    if (err)
        return err;
    for (unsigned i = 0; i < count; i++) {
        uint64_t bits;

        memcpy(&bits, v + i, 8);
        mpr_wire_store(w->end, bits, 8);
        w->end += 8;
    }
    return 0;
}

/* ---- reading --------------------------------------------------------------- */

static int read_byte(struct mpr_reader *r, unsigned *out)
{
    if (r->at == r->end)
        return -EBADMSG;
    *out = *r->at++;
    return 0;
}

/* Hands out the next size bytes. */
static int read_bytes(struct mpr_reader *r, uint64_t size, const uint8_t **out)
{
    if (size > mpr_reader_left(r))
        return -EBADMSG;
    *out = r->at;
    r->at += size;
    return 0;
}

static int read_text(struct mpr_reader *r, struct mpr_token *t, uint64_t size)
{
    t->tag = MPR_TAG_STRING;
    t->count = size;
    return read_bytes(r, size, &t->bytes);
}

static int read_integer(struct mpr_reader *r, struct mpr_token *t,
                        unsigned width)
{
    const uint8_t *p;
    int err = read_bytes(r, width, &p);

    t->tag = MPR_TAG_INT64;
    if (!err)
        t->integer = mpr_wire_integer(p, width);
    return err;
}

static int read_pairs(struct mpr_reader *r, struct mpr_token *t)
{
    unsigned byte;
    int err = read_byte(r, &byte);

    if (err)
        return err;
    t->open = byte > MPR_WIRE_PAIRS;
    t->pairs = byte;
    if (t->open) {
        unsigned k = byte - (MPR_WIRE_PAIRS + 1);

        if (k < 8)
            return -EBADMSG;
        t->pairs = (uint64_t)1 << k;
        if (t->pairs > mpr_reader_left(r)) /* two bytes each, half of them */
            return -EBADMSG;
    } else if (2 * t->pairs > mpr_reader_left(r)) {
        return -EBADMSG;
    }
    return 0;
}

static int read_items(struct mpr_reader *r, struct mpr_token *t)
{
    int err = read_pairs(r, t);

    if (!err)
        err = mpr_read_count(r, &t->count);
    if (!err && t->count > mpr_reader_left(r))
        err = -EBADMSG;
    return err;
}

static int read_run(struct mpr_reader *r, struct mpr_token *t)
{
    unsigned count = 0;
    int err = read_byte(r, &t->kind);

    if (!err)
        err = read_byte(r, &count);
    if (err)
        return err;
    t->count = count;
    switch (t->kind) {
    case 1:
    case 2:
    case 4:
    case 8:
        return count ? read_bytes(r, (uint64_t)count * t->kind, &t->bytes)
                     : -EBADMSG;
    case MPR_WIRE_DOUBLES:
        return count ? read_bytes(r, (uint64_t)count * 8, &t->bytes) : -EBADMSG;
    default:
        return -EBADMSG;
    }
}

static int read_function(struct mpr_reader *r, struct mpr_token *t)
{
    int err = read_byte(r, &t->kind);

    if (!err)
        err = mpr_read_count(r, &t->count);
    if (!err && t->kind == 0)
        err = read_bytes(r, t->count, &t->bytes);
    else if (!err && t->kind > 1)
        err = -EBADMSG;
    return err ? err : read_byte(r, &t->upvalues);
}

/* What follows a tag from MPR_TAG_NIL on. */
static int read_rest(struct mpr_reader *r, struct mpr_token *t)
{
    const uint8_t *p;
    unsigned byte = 0;
    int err;

    switch (t->tag) {
    case MPR_TAG_NIL:
    case MPR_TAG_FALSE:
    case MPR_TAG_TRUE:
    case MPR_TAG_NULL:
    case MPR_TAG_END:
    case MPR_TAG_GLOBALS:
    case MPR_TAG_CLASS:
    case MPR_TAG_INSTANCE:
    case MPR_TAG_PACKED:
        return 0;
    case MPR_TAG_INT8:
        return read_integer(r, t, 1);
    case MPR_TAG_INT16:
        return read_integer(r, t, 2);
    case MPR_TAG_INT32:
        return read_integer(r, t, 4);
    case MPR_TAG_INT64:
        return read_integer(r, t, 8);
    case MPR_TAG_NUMBER:
        err = read_bytes(r, 8, &p);
        if (!err)
            t->number = mpr_wire_number(p);
        return err;
    case MPR_TAG_NAME:
        t->defines = 1;
        err = read_byte(r, &byte);
        return err ? err : read_text(r, t, byte);
    case MPR_TAG_NAME_FAR:
        err = read_byte(r, &byte);
        t->tag = MPR_TAG_NAMED;
        t->count = 64 + byte;
        return err;
    case MPR_TAG_RUN:
        return read_run(r, t);
    case MPR_TAG_STRING_SHARED:
        t->shared = 1;
        /* fall through */
    case MPR_TAG_STRING:
        err = mpr_read_count(r, &t->count);
        return err ? err : read_text(r, t, t->count);
    case MPR_TAG_MAP_SHARED:
        t->shared = 1;
        t->tag = MPR_TAG_MAP;
        /* fall through */
    case MPR_TAG_MAP:
        return read_pairs(r, t);
    case MPR_TAG_TABLE_SHARED:
        t->shared = 1;
        t->tag = MPR_TAG_TABLE;
        /* fall through */
    case MPR_TAG_TABLE:
        return read_items(r, t);
    case MPR_TAG_FUNCTION_SHARED:
        t->shared = 1;
        t->tag = MPR_TAG_FUNCTION;
        /* fall through */
    case MPR_TAG_FUNCTION:
        return read_function(r, t);
    case MPR_TAG_REF:
    case MPR_TAG_OBJECT:
        return mpr_read_count(r, &t->count);
    case MPR_TAG_BY_NAME:
        err = read_byte(r, &byte);
        t->count = byte;
        return err ? err : byte < 1 || byte > 4 ? -EBADMSG : 0;
    case MPR_TAG_SHORT:
    case MPR_TAG_NAMED:
        break; /* told by their ranges */
    }
    return -EBADMSG;
}

int mpr_read(struct mpr_reader *r, struct mpr_token *t)
{
    const uint8_t *start = r->at;
    unsigned tag;
    int err;

    if (r->at == r->end)
        return 0;
    tag = *r->at++;
    memset(t, 0, sizeof *t);
    if (tag < MPR_TAG_SHORT) {
        t->tag = MPR_TAG_INT64;
        t->integer = tag;
        return 1;
    }
    if (tag < MPR_TAG_NAMED) {
        err = read_text(r, t, tag - MPR_TAG_SHORT);
    } else if (tag < MPR_TAG_NIL) {
        t->tag = MPR_TAG_NAMED;
        t->count = tag - MPR_TAG_NAMED;
        return 1;
    } else {
        t->tag = (enum mpr_tag)tag;
        err = tag <= MPR_TAG_PACKED ? read_rest(r, t) : -EBADMSG;
    }
    if (err)
        r->at = start;
    return err ? err : 1;
}

int mpr_read_upvalue(struct mpr_reader *r, uint64_t *off)
{
    unsigned kind;
    int err = read_byte(r, &kind);

    if (err)
        return err;
    if (kind == 2)
        err = mpr_read_count(r, off);
    return err ? err : kind <= 2 ? (int)kind : -EBADMSG;
}
