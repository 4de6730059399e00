#include "data/body.h"

#include "base/testpoint.h"
#include "life/kind.h"

#include <errno.h>

int mpri_body_create(mpr_handle *h, uint64_t capacity)
{
    struct mpri_body *b;
    uint64_t each = sizeof b->start[0] + sizeof(struct mpri_branch);
    uint64_t size = 256 - sizeof(struct mpri_block);
    int err;

    /* Sizes that the arena has: there may be room for more. */
    while (size < sizeof *b + capacity * each)
        size =
            (size + sizeof(struct mpri_block)) * 2 - sizeof(struct mpri_block);
    if (size > 65536)
        size = sizeof *b + capacity * each;
    err = mpri_block_create(size, MPRI_BLOCK_ZERO | MPRI_BLOCK_PRIVATE, h);
    if (err < 0)
        return err;
    b = mpri_data(h);
    mpri_store_rlx(&b->capacity, (size - sizeof *b) / each);
    mpri_block_become(h, MPR_KIND_SEQUENCE);
    return 0;
}

uint64_t mpri_span_find(struct mpri_body *b, struct mpri_span s,
                        uint64_t position)
{
    uint64_t low = s.first, high = s.last, guess;

    /* Where it is if all leaves are full, as appending leaves them. */
    guess = low + (position - mpri_word_load(&b->start[low])) / MPRI_LEAF_ITEMS;
    if (guess >= low && guess < high) {
        if (mpri_word_load(&b->start[guess]) <= position) {
            low = guess;
            if (guess + 1 == high ||
                mpri_word_load(&b->start[guess + 1]) > position)
                return guess;
        } else {
            high = guess;
        }
    }
    /* start[low] <= position < start[high], if nobody changes them. */
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;

        if (mpri_word_load(&b->start[middle]) <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void mpri_body_borrow(struct mpri_body *b, uint64_t i, struct mpri_body *of,
                      uint64_t from, uint64_t to)
{
    for (; from < to; from++, i++) {
        struct mpri_branch *src = mpri_body_branch(of, from);
        struct mpri_branch *dst = mpri_body_branch(b, i);

        mpri_store_rlx(&b->start[i], mpri_load_rlx(&of->start[from]));
        mpri_store_rlx(&dst->leaf, mpri_load_rlx(&src->leaf));
        mpri_store_rlx(&dst->layout, mpri_load_rlx(&src->layout));
        mpri_store_rlx(&dst->fill, mpri_load_rlx(&src->fill));
    }
}

static void describe(struct mpri_branch *branch, const struct mpri_leaf *leaf)
{
    mpri_store_rlx(&branch->layout, leaf->view.layout);
    mpri_store_rlx(&branch->fill, leaf->used | (uint64_t)leaf->count << 32);
}

void mpri_body_put(struct mpri_body *b, uint64_t i, uint64_t start,
                   const struct mpri_leaf *leaf)
{
    struct mpri_branch *branch = mpri_body_branch(b, i);

    mpri_store_rlx(&b->start[i], start);
    mpri_store_rlx(&branch->leaf, mpri_off(leaf->block.block));
    describe(branch, leaf);
}

void mpri_body_push(struct mpri_body *b, struct mpri_leaf *leaf)
{
    uint64_t i = b->own_to;
    struct mpri_branch *branch = mpri_body_branch(b, i);

    mpri_store_rlx(&b->start[i], mpri_load_rlx(&b->end));
    describe(branch, leaf);
    b->own_to = i + 1;
    MPRI_TESTPOINT("body.pushing");
    mpri_ref_move((uint64_t *)(void *)&branch->leaf, &leaf->block);
    mpri_store_rlx(&b->last, i + 1);
    mpri_store_rlx(&b->end, mpri_load_rlx(&b->end) + leaf->count);
    MPRI_TESTPOINT("body.pushed");
}

/* Drops what items [from, to) of the leaf hold. */
static void drop_refs(struct mpri_view v, uint64_t from, uint64_t to)
{
    struct mpri_item item;

    if (!(v.layout & MPRI_LAYOUT_REFS))
        return;
    for (uint64_t i = from; i < to; i++)
        if (mpri_leaf_item(v, (uint32_t)i, &item) &&
            item.kept.flags & MPRI_KEPT_REF)
            /* The ref is the word before the bytes. */
            mpri_ref_drop((uint64_t *)(uintptr_t)(item.kept.bytes - 1));
}

static void drop_all_refs(struct mpri_body *b)
{
    uint64_t last = mpri_load_rlx(&b->last);

    for (uint64_t i = mpri_load_rlx(&b->first); i < last; i++) {
        uint64_t start = mpri_load_rlx(&b->start[i]);
        uint64_t from = mpri_load_rlx(&b->base);

        drop_refs(mpri_body_leaf(b, i), from > start ? from - start : 0,
                  mpri_body_stop(b, i) - start);
    }
}

static void drop_held(struct mpri_body *b)
{
    uint64_t left = b->held;

    for (uint64_t i = b->own_from; left > 0 && i < b->own_to; i++) {
        uint64_t count = mpri_load_rlx(&mpri_body_branch(b, i)->fill) >> 32;

        if (count > left)
            count = left;
        drop_refs(mpri_body_leaf(b, i), 0, count);
        left -= count;
    }
}

static void destroy(struct mpri_block *block)
{
    struct mpri_body *b = mpri_block_data(block);
    uint64_t capacity = mpri_load_rlx(&b->capacity);
    uint64_t to = b->own_to < capacity ? b->own_to : capacity;

    if (b->held == MPRI_HELD_ALL)
        drop_all_refs(b);
    else
        drop_held(b);
    MPRI_TESTPOINT("body.dropping");
    for (uint64_t i = b->own_from; i < to; i++)
        mpri_ref_drop((uint64_t *)(void *)&mpri_body_branch(b, i)->leaf);
}

void mpri_body_register(void)
{
    static const struct mpri_kind sequence = {
        .name = "sequence",
        .destroy = destroy,
    };

    mpri_kind_register(MPR_KIND_SEQUENCE, &sequence);
}
