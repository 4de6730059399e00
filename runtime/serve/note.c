#include "serve/note.h"

#include "base/atomic.h"
#include "base/testpoint.h"
#include "ipc/message.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "peer/roster.h"

#include <errno.h>
#include <string.h>

uint64_t mpri_self_name(void)
{
    return (uint64_t)mpri_self.generation << 12 | mpri_self.slot;
}

/* This process's name and a count: when a count comes round, what had the
 * number before is gone. */
uint64_t mpri_new_serial(void)
{
    static mpri_a32 count;

    return mpri_self_name() << 32 | (mpri_add_rlx(&count, 1) + 1);
}

static int make(uint64_t size, uint64_t ref_count, mpr_handle *h)
{
    struct mpri_note *n;
    uint64_t head = sizeof *n + ref_count * 8;
    int err = mpri_block_create(head + size, MPRI_BLOCK_PRIVATE, h);

    if (err < 0)
        return err;
    n = mpri_data(h);
    memset(n, 0, head);
    n->serial = mpri_new_serial();
    n->size = size;
    n->ref_count = ref_count;
    return 0;
}

int mpri_note_create(const struct mpr_parcel *p, mpr_handle *h)
{
    struct mpri_note *n;
    int err;

    if (p->ref_count > MPR_PARCEL_REFS)
        return -EMSGSIZE;
    err = make(mpri_parcel_size(p), p->ref_count, h);
    if (err < 0)
        return err;
    n = mpri_data(h);
    mpri_parcel_copy(p, mpri_note_bytes(n));
    mpri_block_become(h, MPR_KIND_NOTE);
    MPRI_TESTPOINT("note.made");
    for (uint32_t i = 0; i < p->ref_count; i++)
        mpri_ref_set(&n->refs[i], p->refs[i]);
    MPRI_TESTPOINT("note.filled");
    return 0;
}

int mpri_note_blank(uint64_t size, mpr_handle *h)
{
    int err = make(size, 0, h);

    if (err == 0)
        mpri_block_become(h, MPR_KIND_NOTE);
    return err;
}

void mpri_note_chain(uint64_t *chain, mpr_handle *h)
{
    struct mpri_note *n = mpri_data(h);

    mpri_guard_lock();
    mpri_tx_set(&n->next, *chain);
    mpri_tx_set(chain, mpri_off(h->block));
    mpri_hold_clear(mpri_slot(mpri_self.slot), h->hold);
    MPRI_TESTPOINT("note.chaining");
    mpri_tx_commit();
    mpri_guard_unlock();
    h->block = NULL;
}

int mpri_note_read(struct mpri_note *n, struct mpr_message *m)
{
    int err = 0;

    mpr_message_clear(m);
    if (n->ref_count) {
        err = mpri_message_reserve(m, 0, (uint32_t)n->ref_count);
        if (err == 0)
            err = mpri_message_open_refs(m, n->refs, (uint32_t)n->ref_count);
    }
    if (err == 0) {
        m->bytes = mpri_note_bytes(n);
        m->size = n->size;
    }
    return err;
}

static void destroy(struct mpri_block *b)
{
    struct mpri_note *n = mpri_note_of(b);

    mpri_ref_drop(&n->next);
    for (uint64_t i = 0; i < n->ref_count; i++)
        mpri_ref_drop(&n->refs[i]);
}

void mpri_note_register(void)
{
    static const struct mpri_kind note = {.name = "note", .destroy = destroy};

    mpri_kind_register(MPR_KIND_NOTE, &note);
}

/* ---- for submitters ------------------------------------------------------ */

int mpr_note_create(mpr_note *note, const struct mpr_parcel *parcel)
{
    int err = mpr_open();

    if (err == 0)
        err = mpri_note_create(parcel, &note->h);
    if (err == 0)
        note->owner = mpri_self_name();
    return err;
}

int mpr_note_read(const mpr_handle *note, struct mpr_message *m)
{
    return mpri_note_read(mpri_data(note), m);
}

void mpr_note_close(mpr_note *note)
{
    if (note->h.block && note->owner == mpri_self_name())
        mpri_drop(&note->h);
    note->h.block = NULL;
}
