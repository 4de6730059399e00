#ifndef MPR_DATA_LEAF_H
#define MPR_DATA_LEAF_H

/* A leaf: a block with some of the items of a shared list, at most 128. Like
 * an image (data/image.h) it is only ever appended to:
 *
 *     places     4 bytes an item: the word at which it starts, 0: none
 *     items      each: its head, then the value (data/kept.h)
 *
 * To set an item is one store of its place. */

#include "data/image.h"

enum {
    MPRI_LEAF_ITEMS = 128,
    MPRI_LEAF_FEW = 8, /* places of the smallest */
};

/* layout: as an image's; its slots are the places. used: words, places
 * included; never less within a leaf. */

static inline uint32_t mpri_item_words(const struct mpri_value *v)
{
    return 1 + mpri_value_words(v);
}

struct mpri_item {
    const mpri_a64 *words;
    uint32_t count; /* words */
    struct mpri_kept kept;
};

/* Reads the item at place i; what it read is as true as the view. false: there
 * is none, or somebody writes there. */
bool mpri_leaf_item(struct mpri_view v, uint32_t i, struct mpri_item *item);

/* Writes an item at a position, where nobody reads yet. */
void mpri_leaf_write(struct mpri_view v, uint32_t position,
                     const struct mpri_value *value);

/* A leaf in the making, in a block that nobody else knows. */
struct mpri_leaf {
    mpr_handle block;
    struct mpri_view view;
    uint32_t used;
    uint32_t count;
};

/* What items come to. */
struct mpri_load {
    uint32_t count;
    uint32_t words;
};

/* The size of a block for such items, with room for more. */
uint64_t mpri_leaf_size(struct mpri_load load);

/* Begins a leaf in its block, for so many items; block is open. */
void mpri_leaf_begin(struct mpri_leaf *leaf, uint32_t count);

/* Appends a copy of an item, or a value: false: no room. */
bool mpri_leaf_copy(struct mpri_leaf *leaf, const struct mpri_item *item);
bool mpri_leaf_add(struct mpri_leaf *leaf, const struct mpri_value *value);

#endif
