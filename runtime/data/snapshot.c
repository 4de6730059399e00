#include "data/snapshot.h"

#include "data/box.h"
#include "ipc/message.h"
#include "life/block.h"

#include <errno.h>
#include <stdlib.h>

struct item {
    uint64_t order;
    uint64_t at; /* word at which the entry, or item, starts */
};

bool mpri_snapshot_has_room(const struct mpr_snapshot *s,
                            const struct mpri_snapshot_need *need)
{
    return s->word_capacity >= need->words && s->item_capacity >= need->items &&
           s->ref_capacity >= need->refs;
}

static int grow(void *memory, uint64_t *capacity, uint64_t need, size_t size)
{
    void **p = memory;
    uint64_t more = need + need / 8 + 16;
    void *q;

    if (*capacity >= need)
        return 0;
    q = more > SIZE_MAX / size ? NULL : realloc(*p, more * size);
    if (!q)
        return -ENOMEM;
    *p = q;
    *capacity = more;
    return 0;
}

int mpri_snapshot_reserve(struct mpr_snapshot *s,
                          const struct mpri_snapshot_need *need)
{
    int err =
        grow(&s->words, &s->word_capacity, need->words, sizeof s->words[0]);

    if (err == 0)
        err = grow(&s->items, &s->item_capacity, need->items,
                   sizeof(struct item));
    if (err == 0)
        err = grow(&s->refs, &s->ref_capacity, need->refs, sizeof s->refs[0]);
    return err;
}

static int add(struct mpr_snapshot *s, const struct mpri_kept *c,
               const mpri_a64 *words, uint32_t count, uint64_t order)
{
    struct item *item = (struct item *)s->items + s->count;
    uint64_t *to = s->words + s->word_count;

    for (uint32_t i = 0; i < count; i++)
        to[i] = mpri_load_rlx(&words[i]);
    if (c->flags & MPRI_KEPT_REF && !s->is_raw) {
        int err = mpri_ref_open(&c->ref, &s->refs[s->ref_count]);

        if (err < 0)
            return err;
        /* The ref is the word before the bytes. */
        to[c->bytes - words - 1] = s->ref_count++;
    }
    item->order = order;
    item->at = s->word_count;
    s->word_count += count;
    s->count++;
    return 0;
}

int mpri_snapshot_add(struct mpr_snapshot *s, const struct mpri_entry *e)
{
    return add(s, &e->kept, e->words, e->count, mpri_load_rlx(&e->words[1]));
}

int mpri_snapshot_add_kept(struct mpr_snapshot *s, const struct mpri_kept *c,
                           const mpri_a64 *words)
{
    uint32_t count = (uint32_t)(c->bytes - words) + mpri_words(c->size);

    return add(s, c, words, count, s->count);
}

void mpri_snapshot_item(const struct mpr_snapshot *s, uint64_t i,
                        struct mpri_item *item)
{
    uint64_t at = ((const struct item *)s->items)[i].at;

    item->words = (const mpri_a64 *)(const void *)(s->words + at);
    mpri_kept_read(s->words[at], item->words + 1, UINT32_MAX, &item->kept);
    item->count = 1 + mpri_kept_words(item->kept.size, item->kept.flags);
}

static int by_order(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->order;
    uint64_t y = ((const struct item *)b)->order;

    return x < y ? -1 : x > y;
}

void mpri_snapshot_sort(struct mpr_snapshot *s)
{
    s->is_dict = 1;
    if (s->count)
        qsort(s->items, s->count, sizeof(struct item), by_order);
}

int mpr_snapshot_next(struct mpr_snapshot *s, struct mpr_key *key,
                      struct mpr_message *m)
{
    const mpri_a64 *words;
    struct mpri_kept c;
    uint64_t at;

    if (m)
        mpr_message_clear(m);
    if (s->next == s->count)
        return 0;
    at = ((struct item *)s->items)[s->next++].at;
    words = (const mpri_a64 *)(const void *)(s->words + at);
    if (!mpri_kept_read(s->words[at],
                        words + (s->is_dict ? MPRI_ENTRY_HEAD : 1), UINT32_MAX,
                        &c))
        return -EBADMSG;
    if (s->is_dict && key)
        mpri_key_out(s->words[at], (const void *)(c.bytes + mpri_words(c.size)),
                     key);
    if (!m)
        return 1;
    if (c.flags & MPRI_KEPT_REF) {
        int err = mpri_message_reserve(m, 0, 1);

        if (err == 0)
            err = mpri_kept_give(&c, &s->refs[c.ref], m);
        if (err < 0)
            return err;
        s->refs[c.ref].block = NULL;
    }
    if (!(c.flags & MPRI_KEPT_BOX)) {
        m->bytes = (const uint8_t *)(const void *)c.bytes;
        m->size = c.size;
    }
    return 1;
}

void mpr_snapshot_free(struct mpr_snapshot *s)
{
    for (uint64_t i = 0; i < s->ref_count; i++)
        mpri_drop(&s->refs[i]);
    free(s->words);
    free(s->items);
    free(s->refs);
    memset(s, 0, sizeof *s);
}
