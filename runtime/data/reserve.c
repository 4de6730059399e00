#include "data/reserve.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "life/guard.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>

/* As long as who waits for a known owner sleeps before it asks about it. */
static const int64_t SLICE = 50 * MPRI_MS;

bool mpri_table_reserve(struct mpri_table *t, uint64_t hash, uint64_t me)
{
    uint64_t none = 0;

    if (!mpri_cas_seq(&t->reserver, &none, me) && none != me)
        return false;
    mpri_store_rel(&t->reserved, hash);
    return true;
}

static void give_up(struct mpri_table *t, uint64_t reserver)
{
    if (mpri_cas_seq(&t->reserver, &reserver, 0))
        mpri_gate_open(&t->unreserved, UINT32_MAX);
}

void mpri_table_release(struct mpri_table *t, uint64_t me)
{
    give_up(t, me);
}

/* Whose reserver is dead frees the key, unless the word means another by now:
 * the slot of a dead process is another's only when the reaper was here. */
static void take_over(struct mpri_table *t, uint64_t reserver)
{
    uint32_t slot = (uint32_t)(reserver >> 32) - 1, generation;
    bool over;

    if (slot == mpri_self.slot || !mpri_peer_over(slot, &generation))
        return;
    mpri_guard_lock();
    over = mpri_peer_still_over(slot, generation);
    if (over)
        give_up(t, reserver);
    mpri_guard_unlock();
}

int mpri_table_await(struct mpri_table *t, uint64_t hash, uint64_t me)
{
    uint32_t ticket = mpri_gate_prepare(&t->unreserved);
    uint64_t reserver = mpri_load_seq(&t->reserver);
    int r;

    if (!mpri_table_is_reserved(t, hash, me))
        return 0;
    MPRI_TESTPOINT("reserve.waiting");
    r = mpri_gate_wait(&t->unreserved, ticket, mpri_now_ns() + SLICE);
    if (r == -EINTR)
        return r;
    if (r == -ETIMEDOUT && mpri_load_seq(&t->reserver) == reserver)
        take_over(t, reserver);
    return 0;
}
