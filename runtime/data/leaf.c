#include "data/leaf.h"

#include "life/block.h"
#include "mem/arena.h"

bool mpri_leaf_item(struct mpri_view v, uint32_t i, struct mpri_item *item)
{
    uint32_t words = mpri_layout_words(v.layout), at;

    if (!v.words || i >= mpri_layout_slots(v.layout))
        return false;
    /* Pairs with: whoever set the place; brings the item. */
    at = mpri_slot_load(&mpri_view_slots(v)[i]);
    if (at == 0 || at >= words)
        return false;
    item->words = v.words + at;
    if (!mpri_kept_read(mpri_word_load(item->words), item->words + 1,
                        words - at - 1, &item->kept))
        return false;
    item->count = 1 + mpri_kept_words(item->kept.size, item->kept.flags);
    return true;
}

void mpri_leaf_write(struct mpri_view v, uint32_t position,
                     const struct mpri_value *value)
{
    mpri_store_rel(&v.words[position], mpri_value_head(value));
    mpri_kept_write(v.words + position + 1, value);
}

static uint32_t log2_places(uint32_t count)
{
    uint32_t log2 = 3;

    while (1U << log2 <= count && 1U << log2 < MPRI_LEAF_ITEMS)
        log2++;
    return log2;
}

uint64_t mpri_leaf_size(struct mpri_load load)
{
    uint64_t size = sizeof(struct mpri_block), piece = 64;

    size += (4ULL << log2_places(load.count)) +
            ((uint64_t)load.words + load.words / 2 + 8) * 8;
    if (size > MPRI_SMALL_MAX)
        piece = (size + MPRI_PAGE - 1) / MPRI_PAGE * MPRI_PAGE;
    else
        while (piece < size)
            piece *= 2;
    return piece - sizeof(struct mpri_block);
}

void mpri_leaf_begin(struct mpri_leaf *leaf, uint32_t count)
{
    uint32_t log2 = log2_places(count);

    leaf->view.words = mpri_data(&leaf->block);
    leaf->view.layout =
        (uint64_t)log2 << 24 | mpri_block_of(&leaf->block)->size / 8;
    leaf->used = (1U << log2) / 2;
    leaf->count = 0;
    for (uint32_t i = 0; i < leaf->used; i++)
        mpri_store_rel(&leaf->view.words[i], 0);
}

static bool place(struct mpri_leaf *leaf, uint32_t words, uint32_t flags)
{
    if (leaf->count == mpri_layout_slots(leaf->view.layout) ||
        leaf->used + words > mpri_layout_words(leaf->view.layout))
        return false;
    mpri_store_rel(&mpri_view_slots(leaf->view)[leaf->count], leaf->used);
    if (flags & MPRI_KEPT_REF)
        leaf->view.layout |= MPRI_LAYOUT_REFS;
    return true;
}

bool mpri_leaf_copy(struct mpri_leaf *leaf, const struct mpri_item *item)
{
    if (!place(leaf, item->count, item->kept.flags))
        return false;
    mpri_words_copy(leaf->view.words + leaf->used, item->words, item->count);
    leaf->used += item->count;
    leaf->count++;
    return true;
}

bool mpri_leaf_add(struct mpri_leaf *leaf, const struct mpri_value *value)
{
    uint32_t words = mpri_item_words(value);

    if (!place(leaf, words, value->flags))
        return false;
    mpri_leaf_write(leaf->view, leaf->used, value);
    leaf->used += words;
    leaf->count++;
    return true;
}
