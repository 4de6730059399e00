#ifndef MPR_DATA_KEPT_H
#define MPR_DATA_KEPT_H

/* A value at rest in a shared table, a row of words. Written before anybody
 * can find it and never changed; what replaces it is another one, and its
 * words serve nothing else until the image in which they lie is given back.
 *
 *     head       1 word that is shared with the key, if there is one:
 *                size in bytes (11 bits) | flags (5 bits)
 *     expires    with TTL: the instant from which it counts as absent
 *     ref        with REF: the block that it holds; an object that belongs to
 *                the bytes, or, with BOX too, the box in which the value lies
 *     bytes
 *
 * Invariant:    a value that its table's index names holds its ref; one that
 *               it does not name (any more) holds nothing. So index and count
 *               change in one transaction where a ref is concerned. */

#include "data/sight.h"
#include "data/words.h"
#include "mpr.h"

#include <stdbool.h>

enum {
    MPRI_KEPT_REF = 1,
    MPRI_KEPT_BOX = 2,
    MPRI_KEPT_TTL = 4,
    MPRI_KEPT_INLINE = 1024, /* bytes; larger values lie in boxes */
    MPRI_KEPT_HEAD = 0xffff, /* the bits of a head that are the value's */
};

/* A value on its way into a table, in private memory. */
struct mpri_value {
    const void *bytes; /* borrowed */
    uint32_t size;
    uint32_t flags;
    int64_t expires;
    const mpr_handle *object; /* REF without BOX: borrowed, held once more */
    mpr_handle box;           /* BOX: moves into the table */
};

/* Makes a box where one is needed. expires: MPR_FOREVER for never. -ENOMEM,
 * -EMSGSIZE. The parcel must live as long as the value. */
int mpri_value_prepare(struct mpri_value *v, const struct mpr_parcel *parcel,
                       int64_t expires);

/* Drops a box that did not move. */
void mpri_value_discard(struct mpri_value *v);

/* Words behind the head. */
static inline uint32_t mpri_kept_words(uint32_t size, uint32_t flags)
{
    return (flags & MPRI_KEPT_TTL ? 1U : 0) + (flags & MPRI_KEPT_REF) +
           mpri_words(size);
}

static inline uint64_t mpri_value_head(const struct mpri_value *v)
{
    return v->size | v->flags << 11;
}

static inline uint32_t mpri_value_words(const struct mpri_value *v)
{
    return mpri_kept_words(v->size, v->flags);
}

/* Writes what stands behind the head. */
void mpri_kept_write(mpri_a64 *at, const struct mpri_value *v);

/* In a transaction: what is published holds what v brings. */
void mpri_value_hold(struct mpri_value *v);

/* In a transaction that has room for one entry: the hold of what leaves the
 * index becomes ours, PRIVATE. Dropped by the caller, unlocked. */
void mpri_kept_unhold(uint64_t ref, mpr_handle *out);

struct mpri_kept {
    uint32_t size;
    uint32_t flags;
    int64_t expires;
    uint64_t ref;
    const mpri_a64 *bytes;
};

/* Reads the value with that head, behind which room words follow. false: it
 * does not fit there, what was read was being written over. */
static inline bool mpri_kept_read(uint64_t head, const mpri_a64 *words,
                                  uint32_t room, struct mpri_kept *c)
{
    c->size = (uint32_t)head & 0x7ff;
    c->flags = (uint32_t)head >> 11 & 0x1f;
    if (mpri_kept_words(c->size, c->flags) > room)
        return false;
    c->expires = c->flags & MPRI_KEPT_TTL ? (int64_t)mpri_word_load(words++)
                                          : MPR_FOREVER;
    c->ref = c->flags & MPRI_KEPT_REF ? mpri_word_load(words++) : 0;
    c->bytes = words;
    return true;
}

/* Whether its time is over. Asks the clock only where there is a limit. */
bool mpri_kept_expired(const struct mpri_kept *c);

/* Makes room in m, which was cleared: -E2BIG (fixed, and the value does not
 * fit or carries objects), -ENOMEM. Not under a lock. */
int mpri_kept_reserve(const struct mpri_kept *c, struct mpr_message *m);

static inline bool mpri_kept_fits(const struct mpri_kept *c,
                                  const struct mpr_message *m)
{
    return c->size <= m->capacity &&
           (!(c->flags & MPRI_KEPT_REF) || m->ref_capacity > 0);
}

/* Copies the bytes into m, which they fit. */
static inline void mpri_kept_copy(const struct mpri_kept *c,
                                  struct mpr_message *m)
{
    mpri_words_get(m->buffer, m->capacity, c->bytes, c->size);
    m->bytes = m->buffer;
    m->size = c->size;
}

/* Opens what it holds, if the sight of it still holds; else -EAGAIN. -ENOMEM.
 * Asks under the arena lock: whoever takes a ref out of a table
 * changes one of the words first, and locks the arena then. */
int mpri_kept_open(const struct mpri_kept *c, const struct mpri_sight *sight,
                   mpr_handle *out);

/* Gives m, which has room and the bytes, what mpri_kept_open opened. Takes h,
 * also on failure: -ENOMEM, -EBADMSG. */
int mpri_kept_give(const struct mpri_kept *c, mpr_handle *h,
                   struct mpr_message *m);

/* Whether it is the value that m was got with: the same bytes and objects, or
 * the same box. */
bool mpri_kept_same(const struct mpri_kept *c, const struct mpr_message *m);

/* The object that the value is, and nothing else: its offset, or 0. */
uint64_t mpri_kept_object(const struct mpri_kept *c);

#endif
