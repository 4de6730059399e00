/* Structs: where the members of a C struct lie. A layout is one piece of
 * memory whose parts know each other by distance, those of nested structs
 * copied into it; so it is the same in every process and needs no other
 * block. */

#include "data/data.h"
#include "life/block.h"
#include "life/kind.h"
#include "mpr.h"

#include <errno.h>
#include <string.h>

enum { ALIGN = 8 };

static uint32_t up(uint32_t n, uint32_t align)
{
    return (n + align - 1) / align * align;
}

static const void *at(const struct mpr_layout *l, uint32_t position)
{
    return (const char *)l + position;
}

const char *mpr_member_name(const struct mpr_layout *l,
                            const struct mpr_member *m)
{
    return at(l, m->name);
}

const struct mpr_layout *mpr_member_layout(const struct mpr_layout *l,
                                           const struct mpr_member *m)
{
    return m->layout ? at(l, m->layout) : NULL;
}

uint32_t mpr_member_size(const struct mpr_layout *l, const struct mpr_member *m)
{
    return m->layout ? mpr_member_layout(l, m)->size
                     : mpr_code((int)m->code)->size;
}

const struct mpr_member *mpr_layout_find(const struct mpr_layout *l,
                                         const char *name, size_t name_size)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->member[i].name_size == name_size &&
            memcmp(at(l, l->member[i].name), name, name_size) == 0)
            return &l->member[i];
    return NULL;
}

/* Size and alignment of one cell of the part: -EINVAL, -E2BIG. */
static int measure(const struct mpr_part *p, uint32_t *size, uint32_t *align)
{
    const struct mpr_code *code;

    if (p->layout) {
        *size = p->layout->size;
        *align = p->layout->align;
        return 0;
    }
    code = mpr_code(p->code);
    if (!code)
        return -EINVAL;
    *size = *align = code->size;
    return 0;
}

/* How many bytes the layout takes, and whether it can be made at all. */
static int layout_bytes(const struct mpr_part *parts, size_t count,
                        uint64_t *bytes)
{
    uint64_t size = 0;

    if (count == 0)
        return -EINVAL;
    if (count > MPR_STRUCT_MEMBERS)
        return -E2BIG;
    *bytes = sizeof(struct mpr_layout) + count * sizeof(struct mpr_member);
    for (size_t i = 0; i < count; i++) {
        const struct mpr_part *p = &parts[i];
        uint32_t cell, align;
        int err = measure(p, &cell, &align);

        if (err < 0)
            return err;
        for (size_t k = 0; k < i; k++)
            if (parts[k].name_size == p->name_size &&
                memcmp(parts[k].name, p->name, p->name_size) == 0)
                return -EEXIST;
        size += align + (uint64_t)cell * (p->count ? p->count : 1);
        *bytes += p->name_size + 1 + ALIGN;
        if (p->layout)
            *bytes += p->layout->bytes;
        if (size > MPR_STRUCT_SIZE || *bytes > MPR_STRUCT_SIZE)
            return -E2BIG;
    }
    return 0;
}

/* Puts size bytes at the layout's end and returns their position. */
static uint32_t put(struct mpr_layout *l, const void *from, size_t size)
{
    uint32_t position = up(l->bytes, ALIGN);

    memcpy((char *)l + position, from, size);
    l->bytes = position + (uint32_t)size;
    return position;
}

static void lay_out(struct mpr_layout *l, const struct mpr_part *parts,
                    uint32_t count)
{
    l->bytes = (uint32_t)(sizeof *l + count * sizeof l->member[0]);
    l->count = count;
    l->align = 1;
    l->size = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct mpr_part *p = &parts[i];
        struct mpr_member *m = &l->member[i];
        uint32_t size = 0, align = 1;

        measure(p, &size, &align);
        m->at = up(l->size, align);
        m->count = p->count;
        m->code = p->layout ? 0 : (uint32_t)p->code;
        m->name_size = (uint32_t)p->name_size;
        /* The blocks's memory is zero: the name ends. */
        m->name = put(l, p->name, p->name_size);
        l->bytes++;
        m->layout = p->layout ? put(l, p->layout, p->layout->bytes) : 0;
        l->size = m->at + size * (p->count ? p->count : 1);
        if (align > l->align)
            l->align = align;
    }
    l->size = up(l->size, l->align);
}

void mpri_layout_register(void)
{
    static const struct mpri_kind kind = {.name = "Struct"};

    mpri_kind_register(MPR_KIND_STRUCT, &kind);
}

int mpr_struct_create(mpr_struct *s, const struct mpr_part *parts, size_t count)
{
    uint64_t bytes;
    mpr_handle h;
    int err = layout_bytes(parts, count, &bytes);

    if (err < 0)
        return err;
    err = mpr_open();
    if (err < 0)
        return err;
    err = mpri_block_create(bytes, MPRI_BLOCK_ZERO, &h);
    if (err < 0)
        return err;
    lay_out(mpri_data(&h), parts, (uint32_t)count);
    mpri_block_become(&h, MPR_KIND_STRUCT);
    mpr_struct_attach(s, &h);
    return 0;
}

void mpr_struct_attach(mpr_struct *s, mpr_handle *h)
{
    s->h = *h;
    s->layout = mpri_data(h);
    h->block = NULL;
}
