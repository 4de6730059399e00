#include "data/reserve.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "life/guard.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>

/* As long as who waits for a known owner sleeps before it asks about it. */
static const int64_t SLICE = 50 * MPRI_MS;

bool mpri_reserve(struct mpri_reservation *r, uint64_t what, uint64_t me)
{
    uint64_t none = 0;

    if (!mpri_cas_seq(&r->holder, &none, me) && none != me)
        return false;
    mpri_store_rel(&r->what, what);
    return true;
}

static bool clear(struct mpri_reservation *r, uint64_t holder)
{
    return mpri_cas_seq(&r->holder, &holder, 0);
}

void mpri_release(struct mpri_reservation *r, uint64_t me)
{
    if (clear(r, me))
        mpri_gate_open(&r->free, UINT32_MAX);
}

/* Whose holder is dead frees the key, unless the word means another by now:
 * the slot of a dead process is another's only when the reaper was here. */
static void take_over(struct mpri_reservation *r, uint64_t holder)
{
    uint32_t slot = (uint32_t)(holder >> 32) - 1, generation;
    bool freed;

    if (slot == mpri_self.slot || !mpri_peer_over(slot, &generation))
        return;
    mpri_guard_lock();
    freed = mpri_peer_still_over(slot, generation) && clear(r, holder);
    mpri_guard_unlock();
    if (freed)
        mpri_gate_open(&r->free, UINT32_MAX);
}

int mpri_await_release(struct mpri_reservation *r, uint64_t what, uint64_t me)
{
    uint32_t ticket = mpri_gate_prepare(&r->free);
    uint64_t holder = mpri_load_seq(&r->holder);
    int err;

    if (!mpri_is_reserved(r, what, me))
        return 0;
    MPRI_TESTPOINT("reserve.waiting");
    err = mpri_gate_wait(&r->free, ticket, mpri_now_ns() + SLICE);
    if (err == -EINTR)
        return err;
    if (err == -ETIMEDOUT && mpri_load_seq(&r->holder) == holder)
        take_over(r, holder);
    return 0;
}

void mpri_reservation_abandon(struct mpri_reservation *r, uint32_t slot)
{
    uint64_t holder = mpri_load_acq(&r->holder);

    if (holder >> 32 == slot + 1)
        mpri_release(r, holder);
}
