#include "wait/mutex.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"
#include "wait/waiter.h"

#include <errno.h>

#define WAIT 0x80000000U
/* No slot has this number: the owner was found dead by the reaper. */
#define ABANDONED 0x40000000U

enum { SPINS = 100, YIELDS = 20 };

static const int64_t FIRST_SLICE = MPRI_MS;
static const int64_t LAST_SLICE = 50 * MPRI_MS;

static int lock_slow(struct mpri_mutex *m, uint32_t me, int64_t deadline_ns)
{
    int64_t slice = FIRST_SLICE, now;
    uint32_t v;
    int r;

    for (int i = 0; i < SPINS + YIELDS; i++) {
        v = 0;
        if (mpri_load_rlx(&m->word) == 0 && mpri_cas_acq(&m->word, &v, me))
            return 0;
        if (i < SPINS)
            mpri_relax();
        else
            mpri_yield();
    }
    v = mpri_load_rlx(&m->word);
    for (;;) {
        if (v == 0 || (v & ~WAIT) == ABANDONED) {
            /* Others may sleep: who slept keeps WAIT set. */
            int dead = v == 0 ? 0 : -EOWNERDEAD;

            if (mpri_cas_acq(&m->word, &v, me | WAIT))
                return dead;
            continue;
        }
        if (!(v & WAIT)) {
            if (!mpri_cas_acq(&m->word, &v, v | WAIT))
                continue;
            v |= WAIT;
        }
        now = mpri_now_ns();
        if (now >= deadline_ns)
            return -ETIMEDOUT;
        r = mpri_waiter_slice(&m->word, v,
                              mpri_earlier(deadline_ns, now + slice));
        if (r == -ETIMEDOUT) {
            uint32_t owner = (v & ~WAIT) - 1;

            if (slice < LAST_SLICE)
                slice *= 2;
            /* Taking over before the word changes: as long as it names the
             * dead, no third process comes in. */
            if (mpri_load_rlx(&m->word) == v && !mpri_peer_alive(owner)) {
                if (mpri_cas_acq(&m->word, &v, me | WAIT))
                    return -EOWNERDEAD;
                continue;
            }
            mpri_roster_renew();
        }
        v = mpri_load_rlx(&m->word);
    }
}

int mpri_mutex_lock(struct mpri_mutex *m, int64_t deadline_ns)
{
    uint32_t me = mpri_self.slot + 1, v = 0;

    /* Pairs with: mpri_mutex_unlock; brings what the last owner stored. */
    if (mpri_cas_acq(&m->word, &v, me))
        return 0;
    return lock_slow(m, me, deadline_ns);
}

void mpri_mutex_unlock(struct mpri_mutex *m)
{
    MPRI_TESTPOINT("mutex.unlocking");
    /* Pairs with: mpri_mutex_lock, and with mpri_gate_prepare of sleepers
     * whose gate is looked at next. */
    if (mpri_swap_seq(&m->word, 0) & WAIT)
        mpri_waiter_wake(&m->word, 1);
}

bool mpri_mutex_abandon(struct mpri_mutex *m, uint32_t dead_slot)
{
    uint32_t v = mpri_load_acq(&m->word);

    while ((v & ~WAIT) == dead_slot + 1) {
        if (mpri_cas_seq(&m->word, &v, ABANDONED | (v & WAIT))) {
            mpri_waiter_wake(&m->word, 1);
            return true;
        }
    }
    return false;
}
