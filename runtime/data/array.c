/* Values and arrays: rows of cells that all processes use in place.
 *
 *     block    32 bytes
 *     cells    what the row is, fixed after init (but for lock)
 *     data     at 80 of a value's block, at 128 of an array's: 64-aligned,
 *              for SIMD; a view has none, its cells lie in another block
 *
 * If we die here: a cell is changed by one store, so there is no half of one.
 * Of a row that we were filling the part is changed that we had reached. */

#include "base/testpoint.h"
#include "data/data.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/kind.h"
#include "mem/segment.h"
#include "mem/tx.h"
#include "mpr.h"

#include <errno.h>
#include <string.h>

struct cells {
    uint64_t lock;   /* holds its lock; 0: none was asked for yet. Guarded by:
                      * arena lock; fixed once it is set */
    uint64_t format; /* holds its Struct, or 0. Fixed after init */
    uint64_t memory; /* holds the block with the data, or 0: this one */
    uint64_t off;    /* of the data, from the start of that block's data */
    uint64_t count;
    uint32_t code;
    uint32_t raw;
};
_Static_assert(sizeof(struct cells) == 48, "data starts behind it");

enum { VALUE_AT = sizeof(struct cells), ARRAY_AT = 96 };

static struct cells *cells_of(const mpr_handle *h)
{
    return mpri_data(h);
}

/* The block in which the data lies, and whose lock is the row's. */
static struct mpri_block *root_of(const mpr_handle *h)
{
    const struct cells *c = cells_of(h);

    return c->memory ? (struct mpri_block *)mpri_at(c->memory)
                     : mpri_block_of(h);
}

static void destroy(struct mpri_block *b)
{
    struct cells *c = mpri_block_data(b);

    mpri_ref_drop(&c->lock);
    mpri_ref_drop(&c->format);
    mpri_ref_drop(&c->memory);
}

void mpri_array_register(void)
{
    static const struct mpri_kind value = {
        .name = "Value",
        .destroy = destroy,
    };
    static const struct mpri_kind array = {
        .name = "Array",
        .destroy = destroy,
    };

    mpri_kind_register(MPR_KIND_VALUE, &value);
    mpri_kind_register(MPR_KIND_ARRAY, &array);
}

/* Takes h; base: where the data of the root block is, NULL: nowhere. */
static void open_row(mpr_array *a, mpr_handle *h, char *base,
                     struct mpri_mapping *mapping)
{
    const struct cells *c = cells_of(h);

    a->h = *h;
    h->block = NULL;
    a->data = base ? base + c->off : NULL;
    a->mapping = mapping;
    a->count = base ? c->count : 0;
    a->raw = c->raw;
    a->code = mpr_code((int)c->code);
    a->layout = NULL;
    if (c->format)
        a->layout = mpri_block_data(mpri_at(c->format));
    a->size = a->layout ? a->layout->size : a->code->size;
}

int mpr_array_attach(mpr_array *a, mpr_handle *h)
{
    struct mpri_block *root = root_of(h);
    struct mpri_mapping *mapping = NULL;
    int err;

    if (mpri_block_kind(root) != MPR_KIND_MEMORY) {
        open_row(a, h, mpri_block_data(root), NULL);
        return 0;
    }
    err = mpri_mapping_open(root, &mapping);
    open_row(a, h, err < 0 ? NULL : mapping->base, mapping);
    return err;
}

static int measure(const struct mpr_cells *what, uint32_t *size,
                   uint32_t *align)
{
    const struct mpr_code *code;

    if (what->count == 0)
        return -EINVAL;
    if (what->format) {
        *size = what->format->layout->size;
        *align = what->format->layout->align;
        return 0;
    }
    code = mpr_code(what->code);
    if (!code)
        return -EINVAL;
    *size = *align = code->size;
    return 0;
}

/* A block of the kind for the row, the data at off bytes from the block's data
 * or elsewhere (bytes 0). */
static int create(unsigned kind, const struct mpr_cells *what, uint64_t off,
                  uint64_t bytes, mpr_handle *h)
{
    struct cells *c;
    int err = mpr_open();

    if (err < 0)
        return err;
    err =
        mpri_block_create(bytes ? off + bytes : sizeof *c, MPRI_BLOCK_ZERO, h);
    if (err < 0)
        return err;
    c = mpri_data(h);
    c->off = off;
    c->count = what->count;
    c->code = what->format ? 0 : (uint32_t)what->code;
    c->raw = what->raw != 0;
    mpri_block_become(h, kind);
    if (what->format)
        mpri_ref_set(&c->format, &what->format->h);
    MPRI_TESTPOINT("array.made");
    return 0;
}

/* Gives the row a lock of its own, unless another process or thread was
 * faster. */
static int make_lock(uint64_t *word, const char *name)
{
    mpr_rlock own;
    int err = mpr_rlock_create(&own, name);

    if (err < 0)
        return err;
    mpri_guard_lock();
    if (!*word) {
        mpri_count_up(mpri_off(own.h.block));
        mpri_tx_set(word, mpri_off(own.h.block));
        MPRI_TESTPOINT("array.lock");
        mpri_tx_commit();
    }
    mpri_guard_unlock();
    mpri_drop(&own.h);
    return 0;
}

/* Gives a new row its lock at once: a given one, or one with a name. */
static int set_lock(uint64_t *word, const struct mpr_cells *what)
{
    if (what->raw)
        return 0;
    if (what->lock)
        mpri_ref_set(word, what->lock);
    else if (what->name)
        return make_lock(word, what->name);
    return 0;
}

static int create_row(unsigned kind, uint64_t off, const struct mpr_cells *what,
                      mpr_array *a)
{
    uint32_t size, align;
    mpr_handle h;
    int err = measure(what, &size, &align);

    if (err < 0)
        return err;
    if (what->count > (UINT64_MAX >> 1) / size)
        return -ENOMEM;
    err = create(kind, what, off, what->count * size, &h);
    if (err < 0)
        return err;
    err = set_lock(&cells_of(&h)->lock, what);
    if (err < 0) {
        mpri_drop(&h);
        return err;
    }
    open_row(a, &h, mpri_data(&h), NULL);
    return 0;
}

int mpr_value_create(mpr_array *v, const struct mpr_cells *what)
{
    return what->count == 1 ? create_row(MPR_KIND_VALUE, VALUE_AT, what, v)
                            : -EINVAL;
}

int mpr_array_create(mpr_array *a, const struct mpr_cells *what)
{
    return create_row(MPR_KIND_ARRAY, ARRAY_AT, what, a);
}

int mpri_array_view(const struct mpri_part *part, uint64_t off,
                    const struct mpr_cells *what, mpr_array *view)
{
    mpr_handle h, root = {.block = part->root};
    uint32_t size, align;
    int err = measure(what, &size, &align);

    if (err < 0)
        return err;
    if (off > part->size || what->count > (part->size - off) / size ||
        ((uintptr_t)part->base + part->off + off) % align != 0)
        return -EINVAL;
    err = create(MPR_KIND_ARRAY, what, part->off + off, 0, &h);
    if (err < 0)
        return err;
    cells_of(&h)->raw = part->raw;
    mpri_ref_set(&cells_of(&h)->memory, &root);
    if (part->mapping)
        mpri_mapping_hold(part->mapping);
    open_row(view, &h, part->base, part->mapping);
    return 0;
}

int mpr_array_view(const mpr_array *a, uint64_t off,
                   const struct mpr_cells *what, mpr_array *view)
{
    const struct cells *c = cells_of(&a->h);

    return mpri_array_view(
        &(struct mpri_part){
            .root = root_of(&a->h),
            .base = a->data ? (char *)a->data - c->off : NULL,
            .off = c->off,
            .size = a->count * a->size,
            .raw = a->raw,
            .mapping = a->mapping,
        },
        off, what, view);
}

int mpr_array_is_raw(const mpr_handle *h)
{
    return cells_of(h)->raw != 0;
}

int mpr_array_format(const mpr_array *a, mpr_handle *format)
{
    return mpri_ref_open(&cells_of(&a->h)->format, format);
}

int mpr_array_lock(const mpr_array *a, mpr_handle *lock)
{
    struct cells *c = mpri_block_data(root_of(&a->h));
    int err;

    if (a->raw)
        return -ENOENT;
    while ((err = mpri_ref_open(&c->lock, lock)) == -ENOENT) {
        err = make_lock(&c->lock, NULL);
        if (err < 0)
            return err;
    }
    return err;
}

void mpr_array_close(mpr_array *a)
{
    if (a->mapping)
        mpri_mapping_drop(a->mapping);
    a->mapping = NULL;
    mpr_handle_close(&a->h);
}
