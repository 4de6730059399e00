/* Lock: one owner at a time. Anybody may release it; one that a guard holds is
 * expected to be released by that guard. */

#include "base/testpoint.h"
#include "mpr.h"
#include "sync/sync.h"

#include <string.h>

int mpri_owner_create(mpr_handle *h, unsigned kind, const char *name)
{
    int err = mpri_sync_create(h, sizeof(struct mpri_owner));

    if (err < 0)
        return err;
    mpri_owner_init(mpri_data(h), name);
    mpri_block_become(h, kind);
    return 0;
}

void mpri_owner_block_abandon(struct mpri_block *b, uint32_t slot)
{
    mpri_owner_abandon_slot(mpri_block_data(b), slot);
}

uint64_t mpri_owner_block_owned(const struct mpri_block *b, uint32_t slot)
{
    return mpri_owner_is_slot(mpri_block_data(b), slot) ? mpri_off(b) : 0;
}

const char *mpri_owner_block_label(const struct mpri_block *b)
{
    const struct mpri_owner *o = mpri_block_data(b);

    return o->label.text;
}

int mpri_owner_describe(const struct mpri_owner *o, struct mpr_holder *out)
{
    for (;;) {
        uint32_t who = mpri_owner_now(o);
        const struct mpri_slot *s;

        if (!who)
            return 0;
        s = mpri_slot(mpri_who_slot(who));
        out->pid = (int)mpri_slot_pid(s);
        memcpy(out->name, s->name, sizeof out->name);
        out->name[sizeof out->name - 1] = '\0';
        out->actor = mpri_who_actor(who);
        out->ours = mpri_who_slot(who) == mpri_self.slot;
        /* As long as the word names the slot, nobody else gets it. */
        if (mpri_owner_now(o) == who)
            return 1;
    }
}

void mpri_lock_register(void)
{
    static const struct mpri_kind lock = {
        .name = "Lock",
        .abandon = mpri_owner_block_abandon,
        .owned = mpri_owner_block_owned,
        .label = mpri_owner_block_label,
    };

    mpri_kind_register(MPR_KIND_LOCK, &lock);
}

int mpr_lock_create(mpr_lock *l, const char *name)
{
    return mpri_owner_create(&l->h, MPR_KIND_LOCK, name);
}

int mpri_lock_take(struct mpri_owner *o, uint32_t me, bool sure,
                   int64_t deadline_ns)
{
    int r = mpri_owner_acquire(o, me, deadline_ns);

    if (r == 0 || r == -EOWNERDEAD) {
        MPRI_TESTPOINT("lock.acquired");
        if (mpri_load_rlx(&o->sure) != sure)
            mpri_store_rlx(&o->sure, sure);
    }
    return r;
}

int mpr_lock_acquire(mpr_lock *l, uint32_t actor, int64_t deadline_ns)
{
    uint32_t me = mpri_who(actor);

    return me ? mpri_lock_take(mpri_data(&l->h), me, false, deadline_ns)
              : mpri_who_not();
}

int mpr_lock_hold(mpr_lock *l, uint32_t actor, int64_t deadline_ns)
{
    uint32_t me = mpri_who(actor);

    return me ? mpri_lock_take(mpri_data(&l->h), me, true, deadline_ns)
              : mpri_who_not();
}

int mpr_lock_release(mpr_lock *l, uint32_t actor)
{
    struct mpri_owner *o = mpri_data(&l->h);
    uint32_t me = mpri_who(actor), v;

    if (!me)
        return mpri_who_not();
    MPRI_TESTPOINT("lock.releasing");
    if (mpri_owner_release(o, me))
        return 0;
    v = mpri_load_rlx(&o->word);
    while (!mpri_owner_is_free(v)) {
        /* Pairs with: mpri_owner_acquire. */
        if (mpri_cas_rel(&o->word, &v, 0)) {
            if (v & MPRI_OWNER_WAIT)
                mpri_owner_wake(o);
            return 0;
        }
    }
    return -EPERM;
}

int mpr_lock_drop(mpr_lock *l, uint32_t actor)
{
    uint32_t me = mpri_who(actor);

    if (!me)
        return mpri_who_not();
    return mpri_owner_release(mpri_data(&l->h), me) ? 0 : -EPERM;
}

void mpr_lock_abandon(mpr_lock *l, uint32_t actor)
{
    mpri_owner_abandon(mpri_data(&l->h), mpri_who(actor));
}

int mpr_lock_locked(const mpr_lock *l)
{
    return mpri_owner_taken(mpri_data(&l->h));
}

int mpr_lock_owner(const mpr_lock *l, struct mpr_holder *out)
{
    return mpri_owner_describe(mpri_data(&l->h), out);
}
