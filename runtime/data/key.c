#include "data/key.h"

#include "mem/segment.h"

#include <errno.h>

/* Two halves of a product: each bit of the result depends on all bits of a
 * and b, one multiplication for 16 bytes of key. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Odd, with about as many ones as zeros; what is secret is the family's. */
static const uint64_t MUL_A = 0xd6e8feb86659fd93ULL;
static const uint64_t MUL_B = 0xa5cb9243f5d8b6c7ULL;

struct secret {
    uint64_t a, b;
};

static struct secret secret(void)
{
    struct secret s;

    memcpy(&s, mpri_segment()->id, sizeof s);
    return s;
}

_Static_assert(sizeof(struct secret) == sizeof(((struct mpri_segment *)0)->id),
               "the whole id");

static uint64_t finish(const struct secret *s, uint64_t h, uint32_t size,
                       unsigned type)
{
    return mix(h ^ s->b, MUL_A ^ size ^ (uint64_t)type << 32);
}

static uint64_t hash_words(const struct secret *s, const uint64_t *w,
                           uint32_t count, uint64_t h)
{
    for (; count >= 2; count -= 2, w += 2)
        h = mix(w[0] ^ h ^ MUL_A, w[1] ^ s->b);
    return count ? mix(w[0] ^ h ^ MUL_B, s->a) : h;
}

/* Integers in fours, so that who goes through them in turn finds them in one
 * shard, side by side; no more, for shards would become uneven. */
static uint64_t hash_integer(const struct secret *s, uint64_t v)
{
    uint64_t four = v >> 2;

    return finish(s, hash_words(s, &four, 1, s->a), 8, MPR_KEY_INTEGER) +
           ((v & 3) << 35);
}

static uint64_t hash_bytes(const uint8_t *p, uint32_t size, unsigned type)
{
    struct secret s = secret();
    uint64_t h = s.a, w[2];
    uint32_t left = size;

    if (type == MPR_KEY_INTEGER) {
        memcpy(w, p, 8);
        return hash_integer(&s, w[0]);
    }
    for (; left >= 16; left -= 16, p += 16) {
        memcpy(w, p, 16);
        h = hash_words(&s, w, 2, h);
    }
    if (left) {
        w[0] = left >= 8 ? 0 : mpri_word_tail(p, left);
        if (left >= 8)
            memcpy(w, p, 8);
        if (left > 8)
            w[1] = mpri_word_tail(p + 8, left - 8);
        h = hash_words(&s, w, left > 8 ? 2 : 1, h);
    }
    return finish(&s, h, size, type);
}

uint64_t mpri_key_hash(uint64_t head, const mpri_a64 *words)
{
    uint32_t size = mpri_key_head_size(head), count = mpri_words(size);
    unsigned type = mpri_key_head_type(head);
    struct secret s = secret();
    uint64_t h = s.a, w[2];

    if (type == MPR_KEY_INTEGER)
        return hash_integer(&s, mpri_load_rlx(words));
    while (count) {
        uint32_t n = count >= 2 ? 2 : 1;

        w[0] = mpri_load_rlx(&words[0]);
        w[1] = n == 2 ? mpri_load_rlx(&words[1]) : 0;
        h = hash_words(&s, w, n, h);
        words += n;
        count -= n;
    }
    return finish(&s, h, size, type);
}

static void take_number(struct mpri_key *k, uint64_t number)
{
    k->number = number;
    k->bytes = (const uint8_t *)&k->number;
    k->size = sizeof k->number;
}

/* A float with an integer value is that integer, as in a Lua table. */
static int take_float(struct mpri_key *k, double v, unsigned *type)
{
    uint64_t bits;

    if (v != v)
        return -EINVAL;
    if (v >= -0x1p63 && v < 0x1p63 && v == (double)(int64_t)v) {
        *type = MPR_KEY_INTEGER;
        take_number(k, (uint64_t)(int64_t)v);
    } else {
        memcpy(&bits, &v, sizeof bits);
        take_number(k, bits);
    }
    return 0;
}

int mpri_key_make(struct mpri_key *k, const struct mpr_key *key)
{
    unsigned type = key->type;
    int err = 0;

    switch (key->type) {
    case MPR_KEY_STRING:
        if (key->size > MPRI_KEY_MAX)
            return -EMSGSIZE;
        k->bytes = (const uint8_t *)key->string;
        k->size = (uint32_t)key->size;
        break;
    case MPR_KEY_INTEGER:
        take_number(k, (uint64_t)key->integer);
        break;
    case MPR_KEY_FLOAT:
        err = take_float(k, key->number, &type);
        break;
    case MPR_KEY_BOOLEAN:
        take_number(k, key->integer != 0);
        break;
    default:
        return -EINVAL;
    }
    if (err < 0)
        return err;
    k->hash = hash_bytes(k->bytes, k->size, type);
    k->head = k->hash >> 35 << 35 | (uint64_t)type << 32 | k->size << 16;
    return 0;
}

void mpri_key_out(uint64_t head, const void *bytes, struct mpr_key *key)
{
    memset(key, 0, sizeof *key);
    key->type = mpri_key_head_type(head);
    if (key->type == MPR_KEY_STRING) {
        key->string = bytes;
        key->size = mpri_key_head_size(head);
    } else if (key->type == MPR_KEY_FLOAT) {
        memcpy(&key->number, bytes, sizeof key->number);
    } else {
        memcpy(&key->integer, bytes, sizeof key->integer);
    }
}
