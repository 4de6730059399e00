#include "ipc/message.h"

#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int mpri_message_reserve(struct mpr_message *m, uint64_t size, uint32_t refs)
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

int mpri_message_open_refs(struct mpr_message *m, const uint64_t *offs,
                           uint32_t count)
{
    int err = mpri_hold_lock(count);

    if (err < 0)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        if (!mpri_block_plausible(offs[i])) {
            mpri_tx_rollback();
            mpri_guard_unlock();
            return -EBADMSG;
        }
        mpri_count_up(offs[i]);
        m->refs[i] = (mpr_handle){
            .block = mpri_at(offs[i]),
            .hold = mpri_hold_put(offs[i]),
            .kind = mpri_block_kind(mpri_at(offs[i])),
        };
        /* A long list does not fit one transaction's log; what was opened
         * before a kill stands in our table, so each may commit alone. */
        mpri_tx_commit();
        m->ref_count = i + 1;
    }
    mpri_guard_unlock();
    return 0;
}

void mpri_message_use_block(struct mpr_message *m)
{
    const struct mpri_block *b;

    m->block = m->refs[0];
    b = mpri_block_of(&m->block);
    m->bytes = mpri_data(&m->block);
    m->size = b->size;
    m->ref_count--;
    memmove(m->refs, m->refs + 1, m->ref_count * sizeof *m->refs);
}

void mpr_message_clear(struct mpr_message *m)
{
    for (uint32_t i = 0; i < m->ref_count; i++)
        mpri_drop(&m->refs[i]);
    m->ref_count = 0;
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
