/* The bytes of values: what is written is read back, and whatever else the
 * bytes are is told from it without reading beyond them. */

#include "mpr.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A copy that ends where its memory ends, for the sanitizers to see. */
struct exact {
    uint8_t *bytes;
    size_t size;
};

static struct exact exact_of(const void *bytes, size_t size)
{
    struct exact e = {malloc(size ? size : 1), size};

    assert(e.bytes);
    if (size)
        memcpy(e.bytes, bytes, size);
    return e;
}

static int check(const void *bytes, size_t size)
{
    struct exact e = exact_of(bytes, size);
    int err = mpr_wire_check(mpr_reader_of(e.bytes, e.size));

    free(e.bytes);
    return err;
}

#define CHECK(...)                        \
    check((const uint8_t[]){__VA_ARGS__}, \
          sizeof((const uint8_t[]){__VA_ARGS__}))

static void integers(void)
{
    static const int64_t values[] = {
        0,
        1,
        127,
        128,
        -1,
        -128,
        -129,
        32767,
        32768,
        -32768,
        -32769,
        INT32_MAX,
        INT32_MIN,
        INT32_MAX + 1LL,
        INT32_MIN - 1LL,
        INT64_MAX,
        INT64_MIN,
    };
    static const size_t sizes[] = {1, 1, 1, 3, 2, 2, 3, 3, 5,
                                   3, 5, 5, 5, 9, 9, 9, 9};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct mpr_writer w = {0};
        struct mpr_reader r;
        struct mpr_token t;

        assert(mpr_write_integer(&w, values[i]) == 0);
        assert(mpr_writer_size(&w) == sizes[i]);
        r = mpr_reader_of(w.bytes, mpr_writer_size(&w));
        assert(mpr_read(&r, &t) == 1);
        assert(t.tag == MPR_TAG_INT64 && t.integer == values[i]);
        assert(mpr_read(&r, &t) == 0);
        mpr_writer_free(&w);
    }
}

static uint64_t bits(double v)
{
    uint64_t b;

    memcpy(&b, &v, 8);
    return b;
}

static void numbers(void)
{
    static const double values[] = {0.0, -0.0, 1.5, 1e300, INFINITY, NAN};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct mpr_writer w = {0};
        struct mpr_reader r;
        struct mpr_token t;

        assert(mpr_write_number(&w, values[i]) == 0);
        r = mpr_reader_of(w.bytes, mpr_writer_size(&w));
        assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_NUMBER);
        assert(bits(t.number) == bits(values[i]));
        mpr_writer_free(&w);
    }
}

static void strings(void)
{
    char *big = calloc(1, 70000);

    assert(big);
    for (size_t size = 0; size <= 70000;
         size = size < 300 ? size + 1 : size * 9) {
        struct mpr_writer w = {0};
        struct mpr_reader r;
        struct mpr_token t;

        assert(mpr_write_string(&w, big, size) == 0);
        r = mpr_reader_of(w.bytes, mpr_writer_size(&w));
        assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_STRING);
        assert(t.count == size && memcmp(t.bytes, big, size) == 0);
        assert(mpr_read(&r, &t) == 0);
        mpr_writer_free(&w);
    }
    free(big);
}

static void run(const int64_t *v, unsigned count, unsigned width)
{
    struct mpr_writer w = {0};
    struct mpr_reader r;
    struct mpr_token t;

    assert(mpr_write_integers(&w, v, count) == 0);
    r = mpr_reader_of(w.bytes, mpr_writer_size(&w));
    assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_RUN);
    assert(t.kind == width && t.count == count);
    for (unsigned i = 0; i < count; i++)
        assert(mpr_wire_integer(t.bytes + (size_t)i * width, width) == v[i]);
    assert(mpr_read(&r, &t) == 0);
    mpr_writer_free(&w);
}

static void runs(void)
{
    struct mpr_writer w = {0};
    struct mpr_reader r;
    struct mpr_token t;
    const double doubles[] = {1, 2.5, -INFINITY};

    run((int64_t[]){1, -128, 127}, 3, 1);
    run((int64_t[]){1, 128}, 2, 2);
    run((int64_t[]){INT16_MIN, INT16_MAX + 1}, 2, 4);
    run((int64_t[]){INT64_MIN, 0, INT64_MAX}, 3, 8);
    assert(mpr_write_integers(&w, (int64_t[]){0}, 0) == -EINVAL);
    assert(mpr_write_numbers(&w, doubles, 256) == -EINVAL);
    assert(mpr_write_numbers(&w, doubles, 3) == 0);
    r = mpr_reader_of(w.bytes, mpr_writer_size(&w));
    assert(mpr_read(&r, &t) == 1 && t.kind == MPR_WIRE_DOUBLES);
    for (unsigned i = 0; i < 3; i++)
        assert(mpr_wire_number(t.bytes + (size_t)8 * i) == doubles[i]);
    mpr_writer_free(&w);
}

/* { 10, 20, {}, x = "y", [true] = { 300 pairs } } */
static struct mpr_writer table(void)
{
    struct mpr_writer w = {0};
    int err = 0;

    err |= mpr_write_table(&w, 3, 2);
    err |= mpr_write_integers(&w, (int64_t[]){10, 20}, 2);
    err |= mpr_write_table(&w, 0, 0);
    err |= mpr_write_string(&w, "x", 1);
    err |= mpr_write_string(&w, "y", 1);
    err |= mpr_write_boolean(&w, 1);
    err |= mpr_write_table(&w, 0, 300);
    for (int i = 0; i < 300; i++) {
        err |= mpr_write_integer(&w, i);
        err |= mpr_write_tag(&w, MPR_TAG_NIL);
    }
    err |= mpr_write_tag(&w, MPR_TAG_END);
    assert(err == 0);
    return w;
}

static void tables(void)
{
    struct mpr_writer w = table();
    size_t size = mpr_writer_size(&w);
    struct mpr_reader r = mpr_reader_of(w.bytes, size);
    struct mpr_token t;

    assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_TABLE);
    assert(t.count == 3 && t.pairs == 2 && !t.open && !t.shared);
    assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_RUN && t.count == 2);
    assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_MAP && t.pairs == 0);
    for (int i = 0; i < 3; i++)
        assert(mpr_read(&r, &t) == 1);
    assert(mpr_read(&r, &t) == 1 && t.tag == MPR_TAG_MAP);
    assert(t.open && t.pairs == 512);

    assert(check(w.bytes, size) == 0);
    for (size_t n = 1; n < size; n++)
        assert(check(w.bytes, n) == -EBADMSG);
    assert(check(w.bytes, 0) == 0);
    mpr_writer_free(&w);
}

enum {
    X1 = MPR_TAG_SHORT + 1, /* a string of one byte */
    MAP = MPR_TAG_MAP,
    TABLE = MPR_TAG_TABLE,
    RUN = MPR_TAG_RUN,
    REF = MPR_TAG_REF,
    BAD = -EBADMSG,
};

static void forms(void)
{
    /* Names are used after they are defined. */
    assert(CHECK(MPR_TAG_NAME, 1, 'x', MPR_TAG_NAMED) == 0);
    assert(CHECK(MPR_TAG_NAMED, MPR_TAG_NAME, 1, 'x') == BAD);
    assert(CHECK(MPR_TAG_NAME, 1, 'x', MPR_TAG_NAMED + 1) == BAD);
    assert(CHECK(MPR_TAG_NAME, 1, 'x', MPR_TAG_NAME_FAR, 0) == BAD);
    /* A run stands among items, and is no longer than they are. */
    assert(CHECK(TABLE, 0, 2, RUN, 1, 2, 8, 9) == 0);
    assert(CHECK(TABLE, 0, 3, RUN, 1, 2, 8, 9, 7) == 0);
    assert(CHECK(TABLE, 0, 2, RUN, 1, 3, 8, 9, 7) == BAD);
    assert(CHECK(TABLE, 0, 2, RUN, 1, 0, 8, 9) == BAD);
    assert(CHECK(TABLE, 0, 2, RUN, 3, 2, 8, 9, 7, 8, 9, 7) == BAD);
    assert(CHECK(RUN, 1, 1, 8) == BAD);
    assert(CHECK(MAP, 1, 5, RUN, 1, 1, 8) == BAD);
    /* Keys are neither nil nor NaN. */
    assert(CHECK(MAP, 1, MPR_TAG_TRUE, MPR_TAG_NIL) == 0);
    assert(CHECK(MAP, 1, MPR_TAG_NIL, MPR_TAG_TRUE) == BAD);
    assert(CHECK(MAP, 1, MPR_TAG_NUMBER, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 1) ==
           BAD);
    assert(CHECK(MAP, 1, MPR_TAG_NUMBER, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 1) == 0);
    /* The byte of pairs that opens them: 224 + 8 and more. */
    assert(CHECK(MAP, 231, MPR_TAG_END) == BAD);
    assert(CHECK(MAP, 255, MPR_TAG_END) == BAD);
    assert(CHECK(MPR_TAG_END) == BAD);
    /* References lead back. */
    assert(CHECK(MAP, 1, 1, REF, 0) == 0);
    assert(CHECK(MAP, 1, 1, REF, 2) == 0);
    assert(CHECK(MAP, 1, 1, REF, 3) == BAD);
    assert(CHECK(REF, 0) == BAD);
    /* Counts end, and fit 64 bits. */
    assert(CHECK(1, REF, 0x80, 0x80, 0x80, 0) == 0);
    assert(CHECK(1, REF, 0x80, 0x80) == BAD);
    assert(CHECK(1, REF, 128, 128, 128, 128, 128, 128, 128, 128, 128, 2) ==
           BAD);
    /* Classes. */
    assert(CHECK(MPR_TAG_CLASS, X1, 'c') == 0);
    assert(CHECK(MPR_TAG_CLASS, 5) == BAD);
    assert(CHECK(MPR_TAG_INSTANCE, MPR_TAG_CLASS, X1, 'c', MAP, 0) == 0);
    assert(CHECK(MPR_TAG_INSTANCE, MPR_TAG_CLASS, X1, 'c', 5) == BAD);
    assert(CHECK(MPR_TAG_INSTANCE, MAP, 0, MAP, 0) == BAD);
    assert(CHECK(MPR_TAG_PACKED, MPR_TAG_BY_NAME, 2, X1, 'c', X1, 'd', 5) == 0);
    assert(CHECK(MPR_TAG_PACKED, MPR_TAG_BY_NAME, 5, X1, 'c') == BAD);
    assert(CHECK(MPR_TAG_BY_NAME, 0) == BAD);
    assert(CHECK(MPR_TAG_BY_NAME, 2, X1, 'c') == BAD);
    /* Functions: bytes, upvalues of each kind. */
    assert(CHECK(MPR_TAG_FUNCTION, 0, 2, 'l', 'u', 3, 0, 7, 1, 8, 2, 6) == 0);
    assert(CHECK(MPR_TAG_FUNCTION, 0, 2, 'l', 'u', 1, 3, 7) == BAD);
    assert(CHECK(MPR_TAG_FUNCTION, 0, 9, 'l', 'u', 0) == BAD);
    assert(CHECK(MPR_TAG_FUNCTION, 2, 0, 0) == BAD);
    assert(CHECK(MPR_TAG_FUNCTION, 1, 0, 0) == BAD);
    assert(CHECK(1, MPR_TAG_FUNCTION, 1, 0, 0) == 0);
    /* No tags. */
    for (unsigned tag = MPR_TAG_PACKED + 1; tag < 256; tag++)
        assert(CHECK((uint8_t)tag, 0, 0, 0) == BAD);
}

/* A claim of what the bytes left cannot hold is refused at once. */
static void lies(void)
{
    static const uint8_t claims[][11] = {
        {MPR_TAG_STRING, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
        {MPR_TAG_STRING, 255, 255, 255, 255, 15},
        {TABLE, 0, 255, 255, 255, 255, 255, 255, 255, 127, 1},
        {TABLE, 223, 1, 1},
        {MAP, 224 + 31, 1, 1},
    };

    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct exact e = exact_of(claims[i], sizeof claims[i]);
        struct mpr_reader r = mpr_reader_of(e.bytes, e.size);
        struct mpr_token t;

        assert(mpr_read(&r, &t) == -EBADMSG);
        assert(r.at == e.bytes);
        free(e.bytes);
    }
}

static int check_nest(size_t depth)
{
    uint8_t *bytes = malloc(3 * depth);
    int err;

    assert(bytes);
    for (size_t i = 0; i < depth; i++)
        memcpy(bytes + 3 * i, (const uint8_t[]){TABLE, 0, 1}, 3);
    bytes[3 * depth - 2] = 0; /* the innermost one: [TABLE, 0, 1] -> 7 */
    bytes[3 * depth - 3] = 7;
    err = check(bytes, 3 * depth - 2);
    free(bytes);
    return err;
}

static void nesting(void)
{
    assert(check_nest(1000) == 0);
    assert(check_nest(MPR_WIRE_DEPTH) == 0);
    assert(check_nest(2 * MPR_WIRE_DEPTH + 10) == -E2BIG);
}

/* Any bytes: told from a message or found to be one, never more than read. */
static void garbage(void)
{
    struct mpr_writer w = table();
    size_t size = mpr_writer_size(&w);
    const char *given = getenv("MP_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 20240229;
    int whole = 0;

    printf("MP_SEED=%u\n", seed);
    srand(seed);
    for (int round = 0; round < 20000; round++) {
        struct exact e = exact_of(w.bytes, size);
        int changes = 1 + rand() % 4;

        while (changes--)
            e.bytes[(size_t)rand() % size] = (uint8_t)rand();
        whole += mpr_wire_check(mpr_reader_of(e.bytes, e.size)) == 0;
        free(e.bytes);
    }
    assert(whole > 0); /* an item or a key that became another */
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[40];

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(rand() % 3 ? 0xe0 + rand() % 30 : rand() % 8);
        check(bytes, (size_t)rand() % sizeof bytes);
    }
    mpr_writer_free(&w);
}

int main(void)
{
    integers();
    numbers();
    strings();
    runs();
    tables();
    forms();
    lies();
    nesting();
    garbage();
    return 0;
}
