/* RLock: its owner may acquire it again, and releases it as often. Nobody else
 * can. */

#include "base/testpoint.h"
#include "mpr.h"
#include "sync/sync.h"

void mpri_rlock_register(void)
{
    static const struct mpri_kind rlock = {
        .name = "RLock",
        .abandon = mpri_owner_block_abandon,
        .owned = mpri_owner_block_owned,
        .label = mpri_owner_block_label,
    };

    mpri_kind_register(MPR_KIND_RLOCK, &rlock);
}

int mpr_rlock_create(mpr_rlock *l, const char *name)
{
    return mpri_owner_create(&l->h, MPR_KIND_RLOCK, name);
}

int mpri_rlock_take(struct mpri_owner *o, uint32_t me, int64_t deadline_ns)
{
    uint32_t v = 0, depth;
    int r = 0;

    /* Pairs with: mpri_owner_release. */
    if (!mpri_cas_acq(&o->word, &v, me)) {
        if ((v & ~MPRI_OWNER_WAIT) == me) {
            depth = mpri_load_rlx(&o->depth);
            if (depth == UINT32_MAX)
                return -EOVERFLOW;
            mpri_store_rlx(&o->depth, depth + 1);
            return 0;
        }
        r = mpri_owner_wait(o, me, deadline_ns);
    }
    if (r == 0 || r == -EOWNERDEAD) {
        MPRI_TESTPOINT("rlock.acquired");
        mpri_store_rlx(&o->depth, 1);
        mpri_store_rlx(&o->sure, 1);
    }
    return r;
}

int mpri_rlock_give(struct mpri_owner *o, uint32_t me)
{
    uint32_t depth;

    if (mpri_owner_now(o) != me)
        return -EPERM;
    depth = mpri_load_rlx(&o->depth);
    MPRI_TESTPOINT("rlock.releasing");
    if (depth > 1)
        mpri_store_rlx(&o->depth, depth - 1);
    else
        mpri_owner_release(o, me);
    return 0;
}

int mpr_rlock_acquire(mpr_rlock *l, uint32_t actor, int64_t deadline_ns)
{
    uint32_t me = mpri_who(actor);

    return me ? mpri_rlock_take(mpri_data(&l->h), me, deadline_ns)
              : mpri_who_not();
}

int mpr_rlock_release(mpr_rlock *l, uint32_t actor)
{
    uint32_t me = mpri_who(actor);

    return me ? mpri_rlock_give(mpri_data(&l->h), me) : mpri_who_not();
}

void mpr_rlock_abandon(mpr_rlock *l, uint32_t actor)
{
    mpri_owner_abandon(mpri_data(&l->h), mpri_who(actor));
}

int mpr_rlock_locked(const mpr_rlock *l)
{
    return mpri_owner_taken(mpri_data(&l->h));
}

int mpr_rlock_owner(const mpr_rlock *l, struct mpr_holder *out)
{
    return mpri_owner_describe(mpri_data(&l->h), out);
}

uint32_t mpr_rlock_depth(const mpr_rlock *l)
{
    const struct mpri_owner *o = mpri_data(&l->h);

    return mpri_owner_now(o) ? mpri_load_rlx(&o->depth) : 0;
}
