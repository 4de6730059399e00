#include "life/reap.h"

#include "base/deadline.h"
#include "base/near.h"
#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "os/os.h"
#include "peer/roster.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdbool.h>

/* A look costs 0.03 ms for 64 processes and 35 ms for 4096, so its price
 * decides how often it is taken. */
static const int64_t SWEEP_EVERY = 400 * MPRI_MS;
enum { SWEEP_SHARE = 100 };

/* Who knows of a death waits so long for another reaper, which is faster unless
 * it is stopped. */
static const int64_t PATIENCE = MPRI_SECOND;

/* Who only looks around waits so long for the owner of the arena lock. */
static const int64_t GRACE = 10 * MPRI_MS;

static void abandon(uint32_t slot, uint32_t entry)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint64_t word = *mpri_hold_at(s, entry);
    struct mpri_block *b;
    const struct mpri_kind *kind;

    if (mpri_hold_off(word) == 0 || word & MPRI_HOLD_RAW)
        return;
    b = mpri_at(mpri_hold_off(word));
    kind = mpri_kind(mpri_block_kind(b));
    /* What is coming apart nobody else has. */
    if (kind->abandon && mpri_block_alive(b))
        kind->abandon(b, slot);
}

static void drop_all(uint32_t slot)
{
    struct mpri_slot *s = mpri_slot(slot);

    /* The table was written under the lock: now all of it is to be seen. */
    mpri_guard_lock();
    mpri_guard_unlock();
    for (uint32_t i = 0; i < s->hold_end; i++) {
        abandon(slot, i);
        mpri_drop_entry(slot, i);
    }
}

static void free_slot(uint32_t slot)
{
    struct mpri_slot *s = mpri_slot(slot);

    mpri_mutex_abandon(&mpri_guard()->lock, slot);
    mpri_guard_lock();
    mpri_hold_free_table(s);
    mpri_roster_free(slot);
    mpri_guard_unlock();
    MPRI_TESTPOINT("reap.freed");
}

/* False: another process is at it, and may be for a while. */
static bool reap(uint32_t slot, uint32_t generation, int64_t deadline_ns)
{
    struct mpri_mutex *reaping = &mpri_guard()->reaping;

    /* -EOWNERDEAD: a reaper died; what it left is simply done again. */
    if (mpri_mutex_lock(reaping, deadline_ns) == -ETIMEDOUT)
        return false;
    if (mpri_peer_still_over(slot, generation)) {
        MPRI_TESTPOINT("reap.begun");
        drop_all(slot);
        MPRI_TESTPOINT("reap.dropped");
        free_slot(slot);
    }
    mpri_mutex_unlock(reaping);
    return true;
}

void mpri_reap(uint32_t slot, uint32_t generation)
{
    if (slot != mpri_self.slot)
        reap(slot, generation, mpri_now_ns() + PATIENCE);
}

/* A reaper that is stopped must not stop those who only look around, nor must
 * an owner of the arena lock: who sleeps may be the one to let it go on. */
static void look_over(void)
{
    uint32_t end = mpri_roster_end();

    for (uint32_t i = 0; i < end; i++) {
        uint32_t generation;

        if (!mpri_peer_over(i, &generation))
            continue;
        if (!mpri_guard_passes(mpri_now_ns() + GRACE) ||
            !reap(i, generation, 0))
            return;
    }
}

void mpri_sweep_now(void)
{
    if (mpri_self_valid())
        look_over();
}

void mpri_sweep(void)
{
    mpri_a64 *next = &mpri_guard()->sweep_next_ns;
    int64_t begun = mpri_now_ns(), pause;
    uint64_t due = mpri_load_rlx(next);

    if (!mpri_self_valid() || begun < (int64_t)due)
        return;
    /* One of those who see that it is due is elected; if it dies, the next
     * look is only later. */
    if (!mpri_cas_acq(next, &due, (uint64_t)(begun + MPRI_SECOND)))
        return;
    mpri_roster_renew();
    look_over();
    mpri_add_rlx(&mpri_guard()->sweeps, 1);
    pause = (mpri_now_ns() - begun) * SWEEP_SHARE;
    if (pause < SWEEP_EVERY)
        pause = SWEEP_EVERY;
    mpri_store_rlx(next, (uint64_t)(begun + pause));
}

MPRI_NEAR void mpri_leave(void)
{
    if (!mpri_self_valid())
        return;
    /* One hold is a child's on its own PROCESS block: nobody waits for that,
     * and the creator drops it with the slot, in memory it has at hand. */
    if (mpri_slot(mpri_self.slot)->held > 1)
        drop_all(mpri_self.slot);
    MPRI_TESTPOINT("leave.dropped");
    mpri_roster_leave();
}
