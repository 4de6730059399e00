#ifndef MPR_DATA_KEY_H
#define MPR_DATA_KEY_H

/* The key of a shared dict: a string, an integer, a float that is no integer,
 * or a boolean, in the one form in which equal keys have equal bytes. Hashed
 * with a secret of the family, so that nobody outside can choose keys that
 * collide. */

#include "data/words.h"
#include "mpr.h"

enum { MPRI_KEY_MAX = 32768 }; /* bytes of a string */

/* Points into itself for numbers: not to be copied. */
struct mpri_key {
    uint64_t hash;
    uint64_t head; /* the key's bits of an entry's first word: high bits of
                    * the hash | type (3) | size (16), then 16 of the value */
    const uint8_t *bytes;
    uint32_t size;
    uint32_t unused;
    uint64_t number;
};

/* -EINVAL: NaN, or no type of key; -EMSGSIZE: longer than MPRI_KEY_MAX. */
int mpri_key_make(struct mpri_key *k, const struct mpr_key *key);

#define MPRI_KEY_HEAD (~0xffffULL) /* the bits that are the key's */

static inline uint32_t mpri_key_head_size(uint64_t head)
{
    return (uint32_t)head >> 16;
}

static inline unsigned mpri_key_head_type(uint64_t head)
{
    return (unsigned)(head >> 32) & 7;
}

/* Where a hash table of mask + 1 slots begins to look for it. */
static inline uint32_t mpri_key_head_start(uint64_t head, uint32_t mask)
{
    return (uint32_t)(head >> 35) & mask;
}

/* 12 more bits of the hash. */
static inline uint32_t mpri_key_head_tag(uint64_t head)
{
    return (uint32_t)(head >> 52);
}

/* The hash of a key whose bytes stand at words. */
uint64_t mpri_key_hash(uint64_t head, const mpri_a64 *words);

/* The key whose bytes were copied to bytes, which it borrows. */
void mpri_key_out(uint64_t head, const void *bytes, struct mpr_key *key);

#endif
