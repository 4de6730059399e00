#include "wait/mutex.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"
#include "wait/waiter.h"

#include <errno.h>

#define WAIT      0x80000000U
#define ABANDONED 0x40000000U

enum {
    SLOT_BITS = 13, /* slot + 1 */
    GENERATION_MASK = 0xffff,
    SPINS = 100,
    YIELDS = 20,
};
_Static_assert(MPRI_SLOTS < 1 << SLOT_BITS, "slot + 1 fits");

static const int64_t FIRST_SLICE = MPRI_MS;
static const int64_t LAST_SLICE = 50 * MPRI_MS;

static uint32_t self_word(void)
{
    return (mpri_self.generation & GENERATION_MASK) << SLOT_BITS |
           (mpri_self.slot + 1);
}

static uint32_t slot_of(uint32_t v)
{
    return (v & ((1U << SLOT_BITS) - 1)) - 1;
}

static bool owner_alive(uint32_t v)
{
    uint32_t slot = slot_of(v);

    return slot < mpri_roster_end() &&
           (mpri_slot_generation(slot) & GENERATION_MASK) ==
               (v >> SLOT_BITS & GENERATION_MASK) &&
           mpri_peer_alive(slot);
}

/* The word was found as v, owned: takes it from a dead owner. As long as the
 * word names the dead, no third process comes in. */
static bool take_over(struct mpri_mutex *m, uint32_t v, uint32_t me)
{
    return mpri_load_rlx(&m->word) == v && !owner_alive(v) &&
           mpri_cas_acq(&m->word, &v, me | WAIT);
}

/* Sections are short: a lock that is in use is free again in an instant. */
static bool spin(struct mpri_mutex *m, uint32_t me, int yields)
{
    for (int i = 0; i < SPINS + yields; i++) {
        uint32_t v = 0;

        if (mpri_load_rlx(&m->word) == 0 && mpri_cas_acq(&m->word, &v, me))
            return true;
        if (i < SPINS)
            mpri_relax();
        else
            mpri_yield();
    }
    return false;
}

static int lock_slow(struct mpri_mutex *m, uint32_t me, int64_t deadline_ns)
{
    int64_t slice = FIRST_SLICE;
    uint32_t v;

    if (spin(m, me, YIELDS))
        return 0;
    v = mpri_load_rlx(&m->word);
    for (;;) {
        int64_t now;
        int r;

        if ((v & ~WAIT) == 0 || (v & ~WAIT) == ABANDONED) {
            /* Others may sleep: who slept keeps WAIT set. */
            int dead = v & ABANDONED ? -EOWNERDEAD : 0;

            if (mpri_cas_acq(&m->word, &v, me | WAIT))
                return dead;
            continue;
        }
        if (!(v & WAIT)) {
            if (!mpri_cas_acq(&m->word, &v, v | WAIT))
                continue;
            v |= WAIT;
        }
        MPRI_TESTPOINT("mutex.sleeping");
        now = mpri_now_ns();
        r = now >= deadline_ns
                ? -ETIMEDOUT
                : mpri_waiter_slice(&m->word, v,
                                    mpri_earlier(deadline_ns, now + slice));
        if (r == -ETIMEDOUT) {
            if (take_over(m, v, me))
                return -EOWNERDEAD;
            if (mpri_now_ns() >= deadline_ns)
                return -ETIMEDOUT;
            if (slice < LAST_SLICE)
                slice *= 2;
            mpri_roster_renew();
        } else if (r == 0 && spin(m, me | WAIT, 0)) {
            /* Who was woken into a crowd would mostly look at the wrong
             * instant, and could sleep for long while others come and go. */
            return 0;
        }
        v = mpri_load_rlx(&m->word);
    }
}

int mpri_mutex_lock(struct mpri_mutex *m, int64_t deadline_ns)
{
    uint32_t me = self_word(), v = 0;

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

    while (!(v & ABANDONED) && slot_of(v) == dead_slot) {
        if (mpri_cas_seq(&m->word, &v, ABANDONED | (v & WAIT))) {
            mpri_waiter_wake(&m->word, 1);
            return true;
        }
    }
    return false;
}
