#ifndef MPR_DATA_TABLE_TEST_H
#define MPR_DATA_TABLE_TEST_H

/* What the tests of dicts and lists share: keys and values by number, and
 * children that die or stand still. */

#include "base/assert.h"
#include "sync/sync_test.h"

static inline struct mpr_key integer_key(int64_t i)
{
    return (struct mpr_key){.type = MPR_KEY_INTEGER, .integer = i};
}

static inline struct mpr_key string_key(const char *s)
{
    return (struct mpr_key){
        .type = MPR_KEY_STRING,
        .string = s,
        .size = strlen(s),
    };
}

/* Key number i, of every type and some lengths. name holds a string's bytes. */
static inline struct mpr_key key_number(unsigned i, char name[400])
{
    switch (i % 4) {
    case 0:
        return integer_key((int64_t)i - 40);
    case 1:
        return (struct mpr_key){.type = MPR_KEY_FLOAT, .number = i + 0.5};
    default:
        memset(name, 'k', 400);
        snprintf(name + i % 37 * 7, 20, "%u", i);
        return string_key(name);
    }
}

/* Values of number v: what it is long, and what it carries. Number 0 is no
 * value. Every byte is made from the number, so a torn one shows. */
enum { VALUE_MAX = 5000, OBJECTS = 3 };

static inline size_t value_size(unsigned v)
{
    static const size_t sizes[] = {1, 8, 13, 100, 700, 1024, 1025, VALUE_MAX};

    return sizes[v / 7 % 8];
}

static inline unsigned value_objects(unsigned v)
{
    return v % 7 < 4 ? 0 : v % 7 == 4 ? OBJECTS : 1;
}

struct values {
    mpr_dict object[OBJECTS]; /* what values carry */
};

static inline void values_open(struct values *vs)
{
    for (int i = 0; i < OBJECTS; i++)
        assert(mpr_dict_create(&vs->object[i], NULL) == 0);
}

static inline void values_close(struct values *vs)
{
    for (int i = 0; i < OBJECTS; i++)
        mpr_handle_close(&vs->object[i].h);
}

/* A parcel of number v in the caller's storage. */
struct given {
    struct mpr_parcel parcel;
    uint8_t bytes[VALUE_MAX];
    const mpr_handle *refs[OBJECTS];
};

static inline const struct mpr_parcel *give(struct given *g,
                                            const struct values *vs, unsigned v)
{
    g->parcel = (struct mpr_parcel){
        .bytes = g->bytes,
        .size = value_size(v),
        .refs = g->refs,
        .ref_count = value_objects(v),
    };
    for (size_t i = 0; i < g->parcel.size; i++)
        g->bytes[i] = (uint8_t)(v * 31 + i * 7);
    for (unsigned i = 0; i < g->parcel.ref_count; i++)
        g->refs[i] = &vs->object[(v + i) % OBJECTS].h;
    return &g->parcel;
}

static inline bool is_value(const struct values *vs,
                            const struct mpr_message *m, unsigned v)
{
    if (m->size != value_size(v) || m->ref_count != value_objects(v))
        return false;
    for (size_t i = 0; i < m->size; i++)
        if (m->bytes[i] != (uint8_t)(v * 31 + i * 7))
            return false;
    for (unsigned i = 0; i < m->ref_count; i++)
        if (mpr_handle_id(&m->refs[i]) !=
            mpr_handle_id(&vs->object[(v + i) % OBJECTS].h))
            return false;
    return true;
}

/* Waits until the process is in the state, as /proc names it. */
static inline void await_state(const mpr_process *p, char state)
{
    char path[40], text[512], *at;

    snprintf(path, sizeof path, "/proc/%d/stat", mpr_process_pid(p));
    for (;;) {
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

        assert(f);
        fclose(f);
        text[n] = 0;
        at = strrchr(text, ')');
        if (at && at[2] == state)
            return;
        usleep(200); /* mpr_sleep would look for the dead */
    }
}

/* Every point; where all is slow, some of them, others each time. */
static inline unsigned at_points(int (*f)(void *), void (*after)(void *),
                                 void *arg)
{
    unsigned nth = 1, stride = SLOWER > 1 || MPR_CHECK > 1 ? 30 : 1;

    while (at_point("*", nth, f, after, arg))
        nth += 1 + (unsigned)rand() % stride;
    return nth - 1;
}

#endif
