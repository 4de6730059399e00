#include "ipc/message.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "life/kind.h"
#include "mem/segment.h"
#include "mem/tx.h"
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Handles that are opened in one go: the arena lock is not held for longer. */
enum { SHORT_WHILE = 64 };

/* Bytes from which on the kernel is asked for all pages at once, or to copy. */
static const uint64_t LONG = 1 << 18;

void mpri_parcel_copy(const struct mpr_parcel *p, void *to)
{
    /* Copying nothing from NULL is undefined. */
    if (p->size)
        memcpy(to, p->bytes, p->size);
    if (p->more_size)
        memcpy((uint8_t *)to + p->size, p->more, p->more_size);
}

int mpri_message_reserve(struct mpr_message *m, uint64_t size, uint64_t refs)
{
    if (m->fixed)
        return size > m->capacity || refs > 0 ? -E2BIG : 0;
    if (size > m->capacity) {
        uint64_t capacity = m->capacity ? m->capacity : 256;
        uint8_t *buffer;

        while (capacity < size)
            capacity *= 2;
        buffer = realloc(m->buffer, capacity);
        if (!buffer)
            return -ENOMEM;
        m->buffer = buffer;
        m->capacity = capacity;
    }
    if (refs > m->ref_capacity) {
        uint32_t capacity = m->ref_capacity ? m->ref_capacity : 4;
        mpr_handle *handles;

        while (capacity < refs)
            capacity *= 2;
        handles = realloc(m->refs, capacity * sizeof *handles);
        if (!handles)
            return -ENOMEM;
        m->refs = handles;
        m->ref_capacity = capacity;
    }
    return 0;
}

static void close_refs(struct mpr_message *m)
{
    for (uint32_t i = 0; i < m->ref_count; i++)
        mpri_drop(&m->refs[i]);
    m->ref_count = 0;
}

static int open_few(struct mpr_message *m, const uint64_t *refs, uint32_t count)
{
    int err = mpri_hold_lock(count);

    for (uint32_t i = 0; err == 0 && i < count; i++) {
        if (!mpri_block_plausible(refs[i])) {
            err = -EBADMSG;
            mpri_guard_unlock();
            return err;
        }
        mpri_count_up(refs[i]);
        m->refs[m->ref_count] = (mpr_handle){
            .block = mpri_at(refs[i]),
            .hold = mpri_hold_put(refs[i]),
            .kind = mpri_block_kind(mpri_at(refs[i])),
        };
        /* A long list does not fit one transaction's log; what was opened
         * before a kill stands in our table, so each may commit alone. */
        mpri_tx_commit();
        m->ref_count++;
    }
    if (err == 0)
        mpri_guard_unlock();
    return err;
}

int mpri_message_open_refs(struct mpr_message *m, const uint64_t *refs,
                           uint64_t count)
{
    int err = 0;

    for (uint64_t i = 0; err == 0 && i < count; i += SHORT_WHILE)
        err = open_few(
            m, refs + i,
            (uint32_t)(count - i < SHORT_WHILE ? count - i : SHORT_WHILE));
    if (err < 0)
        close_refs(m);
    return err;
}

int mpri_message_open_block(struct mpr_message *m, const uint64_t *ref)
{
    const struct mpri_block *b;
    const struct mpri_message_refs *refs;
    int err;

    if (!mpri_block_plausible(*ref))
        return -EBADMSG;
    err = mpri_ref_open(ref, &m->block);
    if (err < 0)
        return err;
    b = mpri_block_of(&m->block);
    m->bytes = mpri_block_data(b);
    m->size = b->size;
    if (mpri_block_kind(b) != MPR_KIND_MESSAGE)
        return 0;
    refs = mpri_block_data(b);
    m->bytes = (const uint8_t *)(refs->ref + refs->count);
    m->size -= sizeof *refs + refs->count * 8;
    err = mpri_message_open_refs(m, refs->ref, refs->count);
    if (err < 0)
        mpri_drop(&m->block);
    return err;
}

static void destroy(struct mpri_block *b)
{
    struct mpri_message_refs *refs = mpri_block_data(b);

    for (uint64_t i = 0; i < refs->count; i++)
        mpri_ref_drop(&refs->ref[i]);
}

void mpri_message_register(void)
{
    static const struct mpri_kind message = {
        .name = "message",
        .destroy = destroy,
    };

    mpri_kind_register(MPR_KIND_MESSAGE, &message);
}

/* Copies the parcel's bytes to where the block has its own. */
static void fill(const struct mpr_parcel *p, uint8_t *to, bool fresh)
{
    uint64_t off = mpri_off(to);

    if (fresh && mpri_parcel_size(p) >= LONG &&
        mpri_shm_write(mpri_map.fd, off, p->bytes, p->size) == 0 &&
        mpri_shm_write(mpri_map.fd, off + p->size, p->more, p->more_size) == 0)
        return;
    if (mpri_parcel_size(p) >= LONG)
        mpri_pages_ready(to, mpri_parcel_size(p));
    mpri_parcel_copy(p, to);
}

int mpri_message_block(const struct mpr_parcel *p, mpr_handle *block)
{
    struct mpri_message_refs *refs;
    uint64_t head = p->ref_count ? sizeof *refs + p->ref_count * 8ULL : 0;
    uint64_t size = mpri_parcel_size(p);
    bool fresh;
    int err = size < p->size
                  ? -ENOMEM
                  : mpri_block_create_fresh(head + size, MPRI_BLOCK_PRIVATE,
                                            block, &fresh);

    if (err < 0)
        return err;
    fill(p, (uint8_t *)mpri_data(block) + head, fresh);
    MPRI_TESTPOINT("message.copied");
    if (p->ref_count == 0)
        return 0;
    refs = mpri_data(block);
    memset(refs, 0, head);
    refs->count = p->ref_count;
    mpri_block_become(block, MPR_KIND_MESSAGE);
    for (uint32_t i = 0; i < p->ref_count; i++)
        mpri_ref_set(&refs->ref[i], p->refs[i]);
    MPRI_TESTPOINT("message.made");
    return 0;
}

int mpr_message_share(struct mpr_message *to, const struct mpr_message *from)
{
    int err;

    mpr_message_clear(to);
    err = mpri_message_reserve(to, 0, from->ref_count);
    for (uint32_t i = 0; err == 0 && i < from->ref_count; i++) {
        err = mpr_handle_dup(&from->refs[i], &to->refs[i]);
        if (err == 0)
            to->ref_count++;
    }
    to->bytes = from->bytes;
    to->size = from->size;
    return err;
}

void mpr_message_clear(struct mpr_message *m)
{
    close_refs(m);
    mpri_drop(&m->block);
    m->bytes = NULL;
    m->size = 0;
}

void mpr_message_free(struct mpr_message *m)
{
    mpr_message_clear(m);
    if (!m->fixed)
        free(m->buffer);
    free(m->refs);
    memset(m, 0, sizeof *m);
}

void mpr_batch_clear(struct mpr_batch *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        mpr_message_clear(&b->messages[i]);
    b->count = 0;
}

void mpr_batch_free(struct mpr_batch *b)
{
    mpr_batch_clear(b);
    free(b->messages);
    mpr_message_free(&b->room);
    memset(b, 0, sizeof *b);
}
