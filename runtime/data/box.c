#include "data/box.h"

#include "base/testpoint.h"
#include "ipc/message.h"
#include "life/block.h"
#include "life/kind.h"
#include "mem/segment.h"

#include <errno.h>
#include <string.h>

int mpri_box_create(mpr_handle *h, const struct mpr_parcel *parcel)
{
    struct mpri_box *b;
    uint64_t size =
        sizeof *b + parcel->ref_count * sizeof b->ref[0] + parcel->size;
    int err = mpri_block_create(size, MPRI_BLOCK_PRIVATE, h);

    if (err < 0)
        return err;
    b = mpri_data(h);
    b->size = parcel->size;
    b->ref_count = parcel->ref_count;
    b->unused = 0;
    memset(b->ref, 0, parcel->ref_count * sizeof b->ref[0]);
    if (parcel->size)
        memcpy(b->ref + b->ref_count, parcel->bytes, parcel->size);
    mpri_block_become(h, MPR_KIND_BOX);
    for (uint32_t i = 0; i < parcel->ref_count; i++) {
        mpri_ref_set(&b->ref[i], parcel->refs[i]);
        MPRI_TESTPOINT("box.ref");
    }
    return 0;
}

int mpri_box_open(mpr_handle *h, struct mpr_message *m)
{
    const struct mpri_box *b = mpri_data(h);
    int err;

    err = mpri_message_reserve(m, 0, b->ref_count);
    if (err == 0 && b->ref_count)
        err = mpri_message_open_refs(m, b->ref, b->ref_count);
    if (err < 0)
        return err;
    m->bytes = mpri_box_bytes(b);
    m->size = b->size;
    m->block = *h;
    h->block = NULL;
    return 0;
}

bool mpri_box_equal(uint64_t off, const struct mpr_parcel *parcel)
{
    const struct mpri_box *b = mpri_block_data(mpri_at(off));

    if (b->size != parcel->size || b->ref_count != parcel->ref_count)
        return false;
    for (uint32_t i = 0; i < b->ref_count; i++)
        if (b->ref[i] != mpri_off(parcel->refs[i]->block))
            return false;
    return memcmp(mpri_box_bytes(b), parcel->bytes, b->size) == 0;
}

static void destroy(struct mpri_block *block)
{
    struct mpri_box *b = mpri_block_data(block);

    for (uint32_t i = 0; i < b->ref_count; i++)
        mpri_ref_drop(&b->ref[i]);
}

void mpri_box_register(void)
{
    static const struct mpri_kind box = {.name = "box", .destroy = destroy};

    mpri_kind_register(MPR_KIND_BOX, &box);
}
