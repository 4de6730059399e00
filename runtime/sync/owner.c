#include "sync/owner.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "life/guard.h"
#include "os/os.h"
#include "sync/deadlock.h"
#include "wait/waiter.h"

#include <string.h>

#define WAIT      MPRI_OWNER_WAIT
#define ABANDONED MPRI_OWNER_ABANDONED

/* An owner's death is seen by whoever waits within the longer of these. */
static const int64_t FIRST_SLICE = MPRI_MS;
static const int64_t LAST_SLICE = 50 * MPRI_MS;

int mpri_who_not(void)
{
    return mpri_self_valid() ? -EINVAL : -ENOTRECOVERABLE;
}

void mpri_label_set(struct mpri_label *l, const char *name)
{
    memset(l, 0, sizeof *l);
    if (name)
        strncpy(l->text, name, sizeof l->text - 1);
}

void mpri_owner_init(struct mpri_owner *o, const char *name)
{
    memset(o, 0, sizeof *o);
    mpri_label_set(&o->label, name);
}

/* Turns a free word that was found as *v into me: 0, -EOWNERDEAD, or -EAGAIN
 * when somebody was faster. */
static int take_free(struct mpri_owner *o, uint32_t *v, uint32_t me)
{
    int r = (*v & ~WAIT) == 0 ? 0 : -EOWNERDEAD;

    /* Pairs with: mpri_owner_release, mpri_owner_abandon. */
    return mpri_cas_acq(&o->word, v, me) ? r : -EAGAIN;
}

/* The word was found as v. Takes it from a dead owner: -EOWNERDEAD, or -EAGAIN
 * when the owner lives or the word has changed. */
static int take_over(struct mpri_owner *o, uint32_t v, uint32_t me)
{
    uint32_t slot = mpri_who_slot(v), generation;
    bool mine;

    if (mpri_owner_is_free(v) || !mpri_peer_over(slot, &generation))
        return -EAGAIN;
    /* Nobody gets the dead one's slot while the arena is locked, so a word
     * that still reads v means the dead one. */
    mpri_guard_lock();
    mine = mpri_peer_still_over(slot, generation) &&
           mpri_cas_acq(&o->word, &v, me);
    mpri_guard_unlock();
    return mine ? -EOWNERDEAD : -EAGAIN;
}

/* One look at a word that need not be free. */
static int try_once(struct mpri_owner *o, uint32_t me)
{
    uint32_t v = mpri_load_rlx(&o->word);

    while (mpri_owner_is_free(v)) {
        /* Others may sleep: WAIT stays. */
        int r = take_free(o, &v, me | (v & WAIT));

        if (r != -EAGAIN)
            return r;
    }
    return -EAGAIN;
}

/* Sleeps until the word is ours. The first to be woken sets WAIT for all who
 * still sleep. */
static int sleep_until_ours(struct mpri_owner *o, uint32_t me,
                            struct mpri_watch *watch, int64_t deadline_ns)
{
    int64_t slice = FIRST_SLICE, now = mpri_now_ns();
    int64_t look_up = now + MPRI_LOOK_UP;

    for (;;) {
        uint32_t v = mpri_load_rlx(&o->word);
        int r;

        if (mpri_owner_is_free(v)) {
            r = take_free(o, &v, me | WAIT);
            if (r != -EAGAIN)
                return r;
            continue;
        }
        if (!(v & WAIT)) {
            if (!mpri_cas_acq(&o->word, &v, v | WAIT))
                continue;
            v |= WAIT;
        }
        MPRI_TESTPOINT("owner.sleeping");
        now = mpri_now_ns();
        r = now >= deadline_ns
                ? -ETIMEDOUT
                : mpri_waiter_slice(&o->word, v,
                                    mpri_earlier(deadline_ns, now + slice));
        if (r == -EINTR)
            return r;
        if (r != -ETIMEDOUT)
            continue;
        r = take_over(o, v, me | WAIT);
        if (r != -EAGAIN)
            return r;
        now = mpri_now_ns();
        if (now >= deadline_ns)
            return -ETIMEDOUT;
        r = mpri_deadlock_look(watch);
        if (r < 0)
            return r;
        mpri_roster_renew();
        if (mpri_waiter_sweep)
            mpri_waiter_sweep();
        if (now >= look_up)
            return -EINTR;
        if (slice < LAST_SLICE)
            slice = mpri_earlier(LAST_SLICE, slice * 2);
    }
}

int mpri_owner_wait(struct mpri_owner *o, uint32_t me, int64_t deadline_ns)
{
    struct mpri_watch watch;
    struct mpri_spin spin;
    int r = try_once(o, me);

    if (r != -EAGAIN)
        return r;
    if (deadline_ns <= 0 || deadline_ns <= mpri_now_ns()) {
        r = take_over(o, mpri_load_rlx(&o->word), me | WAIT);
        return r == -EAGAIN ? -ETIMEDOUT : r;
    }
    spin = mpri_spin_begin(&o->spin);
    while (r == -EAGAIN && mpri_spin_more(&spin))
        r = try_once(o, me);
    mpri_spin_end(&spin, r != -EAGAIN);
    if (r != -EAGAIN)
        return r;
    mpri_deadlock_begin(&watch, o, me, deadline_ns == MPR_FOREVER);
    r = sleep_until_ours(o, me, &watch, deadline_ns);
    mpri_deadlock_end(&watch, r == -EINTR);
    MPRI_TESTPOINT("owner.woken");
    return r;
}

void mpri_owner_wake(struct mpri_owner *o)
{
    MPRI_TESTPOINT("owner.released");
    mpri_waiter_wake(&o->word, 1);
}

static void give_up(struct mpri_owner *o, uint32_t v)
{
    uint32_t who = v & ~WAIT;

    while ((v & ~WAIT) == who) {
        /* Pairs with: take_free. */
        if (mpri_cas_rel(&o->word, &v, ABANDONED | (v & WAIT))) {
            MPRI_TESTPOINT("owner.abandoned");
            mpri_waiter_wake(&o->word, 1);
            return;
        }
    }
}

void mpri_owner_abandon(struct mpri_owner *o, uint32_t who)
{
    if (who)
        give_up(o, who);
}

void mpri_owner_abandon_slot(struct mpri_owner *o, uint32_t slot)
{
    uint32_t v = mpri_load_acq(&o->word);

    if (!mpri_owner_is_free(v) && mpri_who_slot(v) == slot)
        give_up(o, v);
}

bool mpri_owner_is_slot(const struct mpri_owner *o, uint32_t slot)
{
    uint32_t who = mpri_owner_now(o);

    return who && mpri_who_slot(who) == slot;
}

bool mpri_owner_taken(struct mpri_owner *o)
{
    uint32_t who = mpri_owner_now(o);

    return who && mpri_peer_alive(mpri_who_slot(who));
}
