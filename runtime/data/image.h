#ifndef MPR_DATA_IMAGE_H
#define MPR_DATA_IMAGE_H

/* An image: the block in which a part of a shared dict keeps its keys and
 * values. It is only ever appended to:
 *
 *     slots      a hash table of 4-byte slots: 0 empty, 1 was removed, else
 *                tag << 20 | the word at which the entry starts
 *     entries    each: the head of key and value (data/key.h, data/kept.h),
 *                its number in the order of insertion, the value, the key
 *
 * A new key, a new value of a key, a removal: each is one store of one slot.
 * What it replaces stays as it is until the image is given back. */

#include "data/kept.h"
#include "data/key.h"

#include <stdbool.h>

enum {
    MPRI_POS_BITS = 20, /* an image has fewer than 2^20 words */
    MPRI_POS_MASK = (1 << MPRI_POS_BITS) - 1,
    MPRI_REMOVED = 1,
    MPRI_ENTRY_HEAD = 2, /* words before the value */
};

/* An image's layout in a word: epoch << 32 | REFS << 31 | log2 of slots << 24
 * | words in all. */
#define MPRI_LAYOUT_REFS (1ULL << 31) /* some entry may hold a ref */

static inline uint32_t mpri_layout_epoch(uint64_t layout)
{
    return (uint32_t)(layout >> 32);
}

static inline uint32_t mpri_layout_slots(uint64_t layout)
{
    return 1u << (layout >> 24 & 0x1f);
}

static inline uint32_t mpri_layout_words(uint64_t layout)
{
    return (uint32_t)layout & 0xffffff;
}

/* How full it is, in a word: used << 42 | filled << 21 | live. */
struct mpri_fill {
    uint32_t used;   /* words, slots included; never less within an image */
    uint32_t filled; /* slots that are not empty */
    uint32_t live;   /* entries that are indexed */
};

static inline struct mpri_fill mpri_fill_of(uint64_t word)
{
    struct mpri_fill f = {
        .used = (uint32_t)(word >> 42),
        .filled = (uint32_t)(word >> 21) & 0x1fffff,
        .live = (uint32_t)word & 0x1fffff,
    };

    return f;
}

static inline uint64_t mpri_fill_word(struct mpri_fill f)
{
    return (uint64_t)f.used << 42 | (uint64_t)f.filled << 21 | f.live;
}

/* An image as somebody saw it. */
struct mpri_view {
    mpri_a64 *words; /* NULL: none, no keys */
    uint64_t layout;
};

static inline mpri_a32 *mpri_view_slots(struct mpri_view v)
{
    return (mpri_a32 *)(void *)v.words;
}

struct mpri_entry {
    const mpri_a64 *words; /* NULL: there is no such key */
    const mpri_a64 *key;   /* its bytes */
    uint32_t count;        /* words of the entry */
    uint32_t slot;         /* where it is, or would be put */
    struct mpri_kept kept;
};

static inline uint32_t mpri_entry_words(const struct mpri_key *k,
                                        uint32_t kept_words)
{
    return MPRI_ENTRY_HEAD + kept_words + mpri_words(k->size);
}

/* Reads the entry at a position (slot is left alone), or looks a key up. What
 * was read is as true as the view was all the while; false: it makes no sense,
 * so the view is not true any more, or memory is damaged. */
bool mpri_image_entry(struct mpri_view v, uint32_t position,
                      struct mpri_entry *e);
bool mpri_image_find(struct mpri_view v, const struct mpri_key *k,
                     struct mpri_entry *e);

/* Goes through the indexed entries: *slot starts as 0; false at the end. */
bool mpri_image_next(struct mpri_view v, uint32_t *slot, struct mpri_entry *e);

/* The slot's value for an entry. */
static inline uint32_t mpri_slot_word(uint64_t head, uint32_t position)
{
    return mpri_key_head_tag(head) << MPRI_POS_BITS | position;
}

/* Writes an entry at position, where nobody reads yet. */
void mpri_image_write(struct mpri_view v, uint32_t position,
                      const struct mpri_key *k, uint64_t order,
                      const struct mpri_value *value);

/* Whether an image that is so full takes another entry of so many words, in a
 * slot that is empty or not. */
static inline bool mpri_image_takes(uint64_t layout, struct mpri_fill f,
                                    uint32_t words, bool new_slot)
{
    return f.used + words <= mpri_layout_words(layout) &&
           (!new_slot || f.filled < mpri_layout_slots(layout) / 4 * 3);
}

/* An image in the making, in a block that nobody else knows. */
struct mpri_draft {
    struct mpri_view view;
    struct mpri_fill fill;
};

/* The size of a block in which live entries of words in all have room to grow
 * and to be replaced; 0: more than an image can hold. */
uint64_t mpri_image_size(uint32_t live, uint64_t words);

/* Begins an image of the epoch for so many entries in the block. */
void mpri_draft_begin(struct mpri_draft *d, const mpr_handle *block,
                      uint32_t live, uint32_t epoch);

/* Copies an entry of another image. false: no room. */
bool mpri_draft_add(struct mpri_draft *d, const struct mpri_entry *e);

#endif
