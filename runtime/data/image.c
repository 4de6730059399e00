#include "data/image.h"

#include "life/block.h"
#include "mem/arena.h"

bool mpri_image_entry(struct mpri_view v, uint32_t position,
                      struct mpri_entry *e)
{
    uint32_t words = mpri_layout_words(v.layout), end;
    const mpri_a64 *w = v.words + position;
    uint64_t head;

    if (position + MPRI_ENTRY_HEAD >= words)
        return false;
    head = mpri_word_load(w);
    if (!mpri_kept_read(head, w + MPRI_ENTRY_HEAD,
                        words - position - MPRI_ENTRY_HEAD, &e->kept))
        return false;
    e->words = w;
    e->key = e->kept.bytes + mpri_words(e->kept.size);
    end = (uint32_t)(e->key - v.words) + mpri_words(mpri_key_head_size(head));
    e->count = end - position;
    return end <= words;
}

bool mpri_image_find(struct mpri_view v, const struct mpri_key *k,
                     struct mpri_entry *e)
{
    mpri_a32 *slots = mpri_view_slots(v);
    uint32_t mask, i, free = UINT32_MAX, tag = mpri_key_head_tag(k->head);

    e->words = NULL;
    e->slot = 0;
    if (!v.words)
        return true;
    mask = mpri_layout_slots(v.layout) - 1;
    i = mpri_key_head_start(k->head, mask);
    for (uint32_t n = 0; n <= mask; n++, i = (i + 1) & mask) {
        /* Pairs with: mpri_shard_publish; brings the entry. */
        uint32_t slot = mpri_slot_load(&slots[i]);

        if (slot == 0) {
            e->slot = free == UINT32_MAX ? i : free;
            return true;
        }
        if (slot == MPRI_REMOVED) {
            if (free == UINT32_MAX)
                free = i;
            continue;
        }
        if (slot >> MPRI_POS_BITS != tag)
            continue;
        slot &= MPRI_POS_MASK;
        if (slot >= mpri_layout_words(v.layout))
            return false;
        if ((mpri_word_load(v.words + slot) & MPRI_KEY_HEAD) != k->head)
            continue;
        if (!mpri_image_entry(v, slot, e))
            return false;
        if (mpri_words_equal(e->key, k->bytes, k->size)) {
            e->slot = i;
            return true;
        }
        e->words = NULL;
    }
    e->slot = free;
    return free != UINT32_MAX;
}

bool mpri_image_next(struct mpri_view v, uint32_t *slot, struct mpri_entry *e)
{
    mpri_a32 *slots = mpri_view_slots(v);

    if (!v.words)
        return false;
    for (; *slot < mpri_layout_slots(v.layout); ++*slot) {
        uint32_t s = mpri_slot_load(&slots[*slot]);

        if (s > MPRI_REMOVED && mpri_image_entry(v, s & MPRI_POS_MASK, e)) {
            e->slot = (*slot)++;
            return true;
        }
    }
    return false;
}

void mpri_image_write(struct mpri_view v, uint32_t position,
                      const struct mpri_key *k, uint64_t order,
                      const struct mpri_value *value)
{
    mpri_a64 *w = v.words + position;

    mpri_store_rel(&w[0], k->head | mpri_value_head(value));
    mpri_store_rel(&w[1], order);
    mpri_kept_write(w + MPRI_ENTRY_HEAD, value);
    mpri_words_put(w + MPRI_ENTRY_HEAD + mpri_value_words(value), k->bytes,
                   k->size);
}

static uint32_t log2_slots(uint32_t live)
{
    uint32_t log2 = 3;

    while ((1u << log2) / 2 < live)
        log2++;
    return log2;
}

uint64_t mpri_image_size(uint32_t live, uint64_t words)
{
    uint64_t size = sizeof(struct mpri_block), piece = 64;

    if (words > MPRI_POS_MASK / 4 || live > MPRI_POS_MASK / 4)
        return 0;
    /* As much again for what will replace it; and all of the piece that the
     * arena gives for such a size. */
    size += (4ULL << log2_slots(live)) + words * 8 * 2;
    if (size > MPRI_SMALL_MAX)
        piece = (size + MPRI_PAGE - 1) / MPRI_PAGE * MPRI_PAGE;
    else
        while (piece < size)
            piece *= 2;
    return piece - sizeof(struct mpri_block);
}

void mpri_draft_begin(struct mpri_draft *d, const mpr_handle *block,
                      uint32_t live, uint32_t epoch)
{
    uint32_t log2 = log2_slots(live);
    uint64_t words = mpri_block_of(block)->size / 8;

    d->view.words = mpri_data(block);
    d->view.layout = (uint64_t)epoch << 32 | log2 << 24 | words;
    d->fill = (struct mpri_fill){.used = (1u << log2) / 2};
    for (uint32_t i = 0; i < d->fill.used; i++)
        mpri_store_rel(&d->view.words[i], 0);
}

bool mpri_draft_add(struct mpri_draft *d, const struct mpri_entry *e)
{
    mpri_a32 *slots = mpri_view_slots(d->view);
    uint32_t mask = mpri_layout_slots(d->view.layout) - 1;
    uint64_t head = mpri_load_rlx(e->words);
    uint32_t i = mpri_key_head_start(head, mask);

    if (!mpri_image_takes(d->view.layout, d->fill, e->count, true))
        return false;
    while (mpri_load_rlx(&slots[i]))
        i = (i + 1) & mask;
    mpri_words_copy(d->view.words + d->fill.used, e->words, e->count);
    mpri_store_rel(&slots[i], mpri_slot_word(head, d->fill.used));
    d->fill.used += e->count;
    d->fill.filled++;
    d->fill.live++;
    if (e->kept.flags & MPRI_KEPT_REF)
        d->view.layout |= MPRI_LAYOUT_REFS;
    return true;
}
