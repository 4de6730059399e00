#include "data/kept.h"

#include "data/box.h"
#include "ipc/message.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/segment.h"
#include "mem/tx.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>

int mpri_value_prepare(struct mpri_value *v, const struct mpr_parcel *parcel,
                       int64_t expires)
{
    memset(v, 0, sizeof *v);
    v->expires = expires;
    if (expires != MPR_FOREVER)
        v->flags |= MPRI_KEPT_TTL;
    if (parcel->ref_count > MPR_PARCEL_REFS)
        return -EMSGSIZE;
    if (parcel->size > MPRI_KEPT_INLINE || parcel->ref_count > 1) {
        v->flags |= MPRI_KEPT_REF | MPRI_KEPT_BOX;
        return mpri_box_create(&v->box, parcel);
    }
    v->bytes = parcel->bytes;
    v->size = (uint32_t)parcel->size;
    if (parcel->ref_count) {
        v->flags |= MPRI_KEPT_REF;
        v->object = parcel->refs[0];
    }
    return 0;
}

void mpri_value_discard(struct mpri_value *v)
{
    mpri_drop(&v->box);
}

void mpri_kept_write(mpri_a64 *at, const struct mpri_value *v)
{
    if (v->flags & MPRI_KEPT_TTL)
        mpri_store_rel(at++, (uint64_t)v->expires);
    if (v->flags & MPRI_KEPT_REF)
        mpri_store_rel(at++,
                       mpri_off(v->object ? v->object->block : v->box.block));
    mpri_words_put(at, v->bytes, v->size);
}

void mpri_value_hold(struct mpri_value *v)
{
    if (v->object) {
        mpri_count_up(mpri_off(v->object->block));
    } else if (v->flags & MPRI_KEPT_REF) {
        mpri_hold_clear(mpri_slot(mpri_self.slot), v->box.hold);
        v->box.block = NULL;
    }
}

void mpri_kept_unhold(uint64_t ref, mpr_handle *out)
{
    *out = (mpr_handle){
        .block = mpri_at(ref),
        .hold = mpri_hold_put(ref | MPRI_HOLD_PRIVATE),
        .kind = mpri_block_kind(mpri_at(ref)),
    };
}

bool mpri_kept_expired(const struct mpri_kept *c)
{
    return c->flags & MPRI_KEPT_TTL && c->expires <= mpri_now_ns();
}

int mpri_kept_reserve(const struct mpri_kept *c, struct mpr_message *m)
{
    return mpri_message_reserve(m, c->size, c->flags & MPRI_KEPT_REF);
}

int mpri_kept_open(const struct mpri_kept *c, const struct mpri_sight *sight,
                   mpr_handle *out)
{
    int err = mpri_hold_lock(1);

    if (err < 0)
        return err;
    if (!mpri_sight_holds(sight)) {
        mpri_guard_unlock();
        return -EAGAIN;
    }
    mpri_count_up(c->ref);
    *out = (mpr_handle){
        .block = mpri_at(c->ref),
        .hold = mpri_hold_put(c->ref),
        .kind = mpri_block_kind(mpri_at(c->ref)),
    };
    mpri_tx_commit();
    mpri_guard_unlock();
    return 0;
}

int mpri_kept_give(const struct mpri_kept *c, mpr_handle *h,
                   struct mpr_message *m)
{
    if (c->flags & MPRI_KEPT_BOX) {
        int err = mpri_box_open(h, m);

        mpri_drop(h);
        return err;
    }
    m->refs[0] = *h;
    m->ref_count = 1;
    return 0;
}

bool mpri_kept_same(const struct mpri_kept *c, const struct mpr_message *m)
{
    if (c->flags & MPRI_KEPT_BOX)
        return m->block.block && mpri_off(m->block.block) == c->ref;
    if (m->block.block || m->size != c->size ||
        m->ref_count != (c->flags & MPRI_KEPT_REF ? 1 : 0))
        return false;
    if (m->ref_count && mpri_off(m->refs[0].block) != c->ref)
        return false;
    return mpri_words_equal(c->bytes, m->bytes, m->size);
}

uint64_t mpri_kept_object(const struct mpri_kept *c)
{
    uint8_t bytes[8];

    if ((c->flags & (MPRI_KEPT_REF | MPRI_KEPT_BOX)) != MPRI_KEPT_REF ||
        c->size != 2)
        return 0;
    mpri_words_get(bytes, sizeof bytes, c->bytes, c->size);
    return bytes[0] == MPR_TAG_OBJECT && bytes[1] == 0 ? c->ref : 0;
}
