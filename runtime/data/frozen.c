/* Frozen tables: looked up in place, by distances within the image.
 *
 *     table    struct table
 *     values   8 bytes an item
 *     types    1 byte an item, unless all are of one type
 *     entries  24 bytes each, in the order in which they were put
 *     index    4 bytes a slot, a power of two of them: entry + 1, or 0; keys
 *              that meet go on to the next slot
 *     text     its length, its bytes, a zero
 *
 * All parts start at multiples of 8. An image is written by one process before
 * others know it, so nothing guards it. A process gone wild may have written
 * into it all the same: lengths and distances are checked before they are
 * followed, and what lies outside reads as nil.
 *
 * If we die here: until it is sealed the block is of kind BYTES and goes with
 * our hold. */

#include "base/testpoint.h"
#include "data/data.h"
#include "life/block.h"
#include "life/kind.h"
#include "mem/segment.h"

#include <errno.h>
#include <string.h>

enum { LABEL = 32 };

/* What the block's data starts with. The image starts here too. */
struct frozen {
    uint64_t image; /* holds the block with the image, 0: this one */
    uint64_t root;
    uint64_t size;
    uint64_t unused;
    char label[LABEL];
};
_Static_assert(sizeof(struct frozen) <= MPR_FROZEN_START, "before all places");

struct table {
    uint64_t items;
    uint32_t entries; /* in use */
    uint32_t room;    /* of entries */
    uint32_t slots;
    uint32_t uniform; /* a type, or MPR_ITEM_NIL */
};

struct entry {
    uint64_t key;
    uint64_t value;
    uint32_t hash;
    uint8_t key_type;
    uint8_t value_type;
    uint16_t unused;
};

struct text {
    uint64_t size;
    char bytes[];
};

static uint64_t up8(uint64_t n)
{
    return (n + 7) & ~7ULL;
}

/* ---- where things are --------------------------------------------------------*/

static const void *place(const mpr_frozen *f, uint64_t at, uint64_t size)
{
    if (at < MPR_FROZEN_START || at % 8 || at > f->size || size > f->size - at)
        return NULL;
    return f->image + at;
}

static uint64_t types_size(uint64_t items, uint32_t uniform)
{
    return uniform ? 0 : up8(items);
}

static uint64_t parts_size(uint64_t items, uint32_t uniform, uint64_t room,
                           uint64_t slots)
{
    return sizeof(struct table) + 8 * items + types_size(items, uniform) +
           room * sizeof(struct entry) + up8(4 * slots);
}

/* The table at that place, all of whose parts lie within the image. */
static const struct table *table_at(const mpr_frozen *f, uint64_t at)
{
    const struct table *t = place(f, at, sizeof *t);

    if (!t || t->items > f->size / 8 || t->entries > t->room ||
        t->slots & (t->slots - 1) || (t->entries && !t->slots) ||
        !place(f, at, parts_size(t->items, t->uniform, t->room, t->slots)))
        return NULL;
    return t;
}

static uint64_t *values_of(const struct table *t)
{
    return (uint64_t *)(uintptr_t)(t + 1);
}

static uint8_t *types_of(const struct table *t)
{
    return (uint8_t *)(values_of(t) + t->items);
}

static struct entry *entries_of(const struct table *t)
{
    return (struct entry *)(void *)(types_of(t) +
                                    types_size(t->items, t->uniform));
}

static uint32_t *index_of(const struct table *t)
{
    return (uint32_t *)(entries_of(t) + t->room);
}

/* At most three quarters of the slots are in use. */
static uint32_t slots_for(uint64_t entries)
{
    uint64_t slots = 4;

    if (entries == 0)
        return 0;
    while (slots * 3 < entries * 4)
        slots *= 2;
    return (uint32_t)slots;
}

uint64_t mpr_frozen_table_size(const struct mpr_frozen_shape *s)
{
    return parts_size(s->items, s->uniform, s->entries, slots_for(s->entries));
}

uint64_t mpr_frozen_text_size(uint64_t size)
{
    return up8(sizeof(struct text) + size + 1);
}

/* ---- hashing -----------------------------------------------------------------*/

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ULL) *
                          (b ^ 0xe7037ed1a0b428dbULL);

    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static uint32_t hash_text(const char *s, uint64_t size)
{
    uint64_t h = size, word;

    for (; size >= 8; size -= 8, s += 8) {
        memcpy(&word, s, 8);
        h = mix(h, word);
    }
    word = 0;
    memcpy(&word, s, size);
    h = mix(h, word);
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t hash_word(unsigned type, uint64_t word)
{
    uint64_t h = mix(word, type);

    return (uint32_t)(h ^ h >> 32);
}

static uint32_t hash_key(const struct mpr_item *key)
{
    return key->type == MPR_ITEM_TEXT ? hash_text(key->text, key->size)
                                      : hash_word(key->type, key->n.u);
}

/* ---- reading -------------------------------------------------------------------*/

static int load(const mpr_frozen *f, unsigned type, uint64_t word,
                struct mpr_item *out)
{
    const struct text *t;

    out->type = type;
    out->n.u = word;
    switch (out->type) {
    case MPR_ITEM_BOOLEAN:
    case MPR_ITEM_INTEGER:
    case MPR_ITEM_FLOAT:
        return 1;
    case MPR_ITEM_TEXT:
        t = place(f, word, sizeof *t);
        if (!t || !place(f, word, sizeof *t + t->size))
            break;
        out->text = t->bytes;
        out->size = t->size;
        return 1;
    case MPR_ITEM_TABLE:
        if (!table_at(f, word))
            break;
        return 1;
    case MPR_ITEM_NIL:
        break;
    }
    out->type = MPR_ITEM_NIL;
    return 0;
}

uint64_t mpr_frozen_length(const mpr_frozen *f, uint64_t table)
{
    const struct table *t = table_at(f, table);

    return t ? t->items : 0;
}

uint64_t mpr_frozen_count(const mpr_frozen *f, uint64_t table)
{
    const struct table *t = table_at(f, table);

    return t ? t->items + t->entries : 0;
}

static int load_item(const mpr_frozen *f, const struct table *t, uint64_t i,
                     struct mpr_item *out)
{
    return load(f, t->uniform ? t->uniform : types_of(t)[i], values_of(t)[i],
                out);
}

static int same_key(const mpr_frozen *f, const struct entry *e,
                    const struct mpr_item *key)
{
    struct mpr_item found;

    if (e->key_type != key->type)
        return 0;
    if (key->type != MPR_ITEM_TEXT)
        return e->key == key->n.u;
    return load(f, MPR_ITEM_TEXT, e->key, &found) && found.size == key->size &&
           memcmp(found.text, key->text, key->size) == 0;
}

static const struct entry *find(const mpr_frozen *f, const struct table *t,
                                const struct mpr_item *key)
{
    uint32_t hash, mask = t->slots - 1;

    if (t->slots == 0)
        return NULL;
    hash = hash_key(key);
    for (uint32_t i = hash & mask, n = 0; n < t->slots;
         i = (i + 1) & mask, n++) {
        uint32_t k = index_of(t)[i];
        const struct entry *e;

        if (k == 0 || k > t->entries)
            return NULL;
        e = &entries_of(t)[k - 1];
        if (e->hash == hash && same_key(f, e, key))
            return e;
    }
    return NULL;
}

int mpr_frozen_get(const mpr_frozen *f, uint64_t table,
                   const struct mpr_item *key, struct mpr_item *value)
{
    const struct table *t = table_at(f, table);
    const struct entry *e = NULL;

    if (t && key->type == MPR_ITEM_INTEGER && key->n.u - 1 < t->items)
        return load_item(f, t, key->n.u - 1, value);
    if (t)
        e = find(f, t, key);
    if (e)
        return load(f, e->value_type, e->value, value);
    value->type = MPR_ITEM_NIL;
    return 0;
}

int mpr_frozen_at(const mpr_frozen *f, uint64_t table, int64_t key,
                  struct mpr_item *value)
{
    struct mpr_item k = {.type = MPR_ITEM_INTEGER, .n.i = key};

    return mpr_frozen_get(f, table, &k, value);
}

int mpr_frozen_pair(const mpr_frozen *f, uint64_t table, uint64_t position,
                    struct mpr_item *key, struct mpr_item *value)
{
    const struct table *t = table_at(f, table);
    const struct entry *e;

    if (!t)
        return 0;
    if (position < t->items) {
        key->type = MPR_ITEM_INTEGER;
        key->n.u = position + 1;
        return load_item(f, t, position, value);
    }
    position -= t->items;
    if (position >= t->entries)
        return 0;
    e = &entries_of(t)[position];
    return load(f, e->key_type, e->key, key) &&
           load(f, e->value_type, e->value, value);
}

/* ---- handles -------------------------------------------------------------------*/

static void destroy(struct mpri_block *b)
{
    mpri_ref_drop(&((struct frozen *)mpri_block_data(b))->image);
}

static const char *label(const struct mpri_block *b)
{
    const struct frozen *d = mpri_block_data(b);

    return d->label;
}

void mpri_frozen_register(void)
{
    static const struct mpri_kind kind = {
        .name = "Frozen",
        .destroy = destroy,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_FROZEN, &kind);
}

void mpr_frozen_attach(mpr_frozen *f, mpr_handle *h)
{
    const struct frozen *d = mpri_data(h), *image = d;

    if (d->image)
        image = mpri_block_data(mpri_at(d->image));
    f->h = *h;
    h->block = NULL;
    f->image = (const char *)image;
    f->size = image->size;
    f->root = d->root;
}

int mpr_frozen_part(const mpr_frozen *f, uint64_t table, mpr_frozen *part)
{
    const struct frozen *d = mpri_data(&f->h);
    mpr_handle h, image = {.block = mpri_block_of(&f->h)};
    struct frozen *own;
    int err = mpri_block_create(sizeof *own, MPRI_BLOCK_ZERO, &h);

    if (err < 0)
        return err;
    if (d->image)
        image.block = mpri_at(d->image);
    own = mpri_data(&h);
    own->root = table;
    memcpy(own->label, d->label, sizeof own->label);
    mpri_block_become(&h, MPR_KIND_FROZEN);
    MPRI_TESTPOINT("frozen.part");
    mpri_ref_set(&own->image, &image);
    mpr_frozen_attach(part, &h);
    return 0;
}

/* ---- making one ------------------------------------------------------------------*/

int mpr_frozen_create(mpr_frozen *f, uint64_t size, const char *name)
{
    struct frozen *d;
    mpr_handle h;
    int err = mpr_open();

    if (err < 0)
        return err;
    err = mpri_block_create(size, MPRI_BLOCK_ZERO, &h);
    if (err < 0)
        return err;
    d = mpri_data(&h);
    d->size = size;
    if (name) {
        size_t n = strnlen(name, sizeof d->label - 1);

        memcpy(d->label, name, n);
    }
    mpr_frozen_attach(f, &h);
    return 0;
}

static char *writable(const mpr_frozen *f, uint64_t at)
{
    return (char *)mpri_data(&f->h) + at;
}

void mpr_frozen_put_text(mpr_frozen *f, uint64_t at, const char *text,
                         uint64_t size)
{
    struct text *t = (struct text *)(void *)writable(f, at);

    t->size = size;
    memcpy(t->bytes, text, size);
}

void mpr_frozen_put_table(mpr_frozen *f, uint64_t at,
                          const struct mpr_frozen_shape *s)
{
    struct table *t = (struct table *)(void *)writable(f, at);

    t->items = s->items;
    t->room = (uint32_t)s->entries;
    t->slots = slots_for(s->entries);
    t->uniform = s->uniform;
}

int mpr_frozen_put_item(mpr_frozen *f, uint64_t table, uint64_t i,
                        const struct mpr_item *value)
{
    struct table *t = (struct table *)(void *)writable(f, table);

    if (i >= t->items || (t->uniform && t->uniform != value->type))
        return -EINVAL;
    values_of(t)[i] = value->n.u;
    if (!t->uniform)
        types_of(t)[i] = (uint8_t)value->type;
    return 0;
}

int mpr_frozen_put_entry(mpr_frozen *f, uint64_t table,
                         const struct mpr_item *key,
                         const struct mpr_item *value)
{
    struct table *t = (struct table *)(void *)writable(f, table);
    struct mpr_item k = *key;
    struct entry *e;
    uint32_t i;

    if (t->entries == t->room)
        return -EINVAL;
    if (key->type == MPR_ITEM_TEXT && !load(f, k.type, key->n.u, &k))
        return -EINVAL;
    e = &entries_of(t)[t->entries];
    e->key = key->n.u;
    e->value = value->n.u;
    e->hash = hash_key(&k);
    e->key_type = (uint8_t)key->type;
    e->value_type = (uint8_t)value->type;
    for (i = e->hash & (t->slots - 1); index_of(t)[i];
         i = (i + 1) & (t->slots - 1))
        ;
    index_of(t)[i] = ++t->entries;
    return 0;
}

void mpr_frozen_seal(mpr_frozen *f, uint64_t root)
{
    struct frozen *d = mpri_data(&f->h);

    d->root = f->root = root;
    MPRI_TESTPOINT("frozen.sealing");
    mpri_block_become(&f->h, MPR_KIND_FROZEN);
}
