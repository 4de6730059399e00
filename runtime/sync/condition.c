/* Condition: processes that own a lock wait, without it, until another owner
 * of that lock notifies them.
 *
 * Each waiter has a seat; its number is the waiter's ticket.
 *
 * States:       seat state: 0 not queued · WAITING · ASLEEP beside it: asleep on
 *               this word · NOTIFIED
 *               0 -> WAITING: the waiter, while it still owns the lock ·
 *               WAITING* -> NOTIFIED: notify, at most n of them, the lowest
 *               tickets first · WAITING* -> 0: the waiter whose time is up, or
 *               the reaper · NOTIFIED -> 0: the waiter, when it owns the lock
 *               again, or, passing it on, the waiter that gives up, or the
 *               reaper
 * Invariant:    a waiter leaves WAITING by one compare-and-swap, either its
 *               own or a notifier's: so a notification goes to one that still
 *               waits, and whose time is up was never counted.
 * If we die here: (WAITING) notify asks whether we live and does not count us;
 *               the reaper frees the seat. (NOTIFIED) we never came out of wait,
 *               so the reaper passes the notification on. (notifying) some were
 *               notified, some not: as if we had died between two calls. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "mpr.h"
#include "os/os.h"
#include "sync/seats.h"
#include "sync/sync.h"
#include "wait/waiter.h"

struct condition {
    uint64_t lock; /* holds its block, a LOCK or RLOCK. Fixed after init */
    mpri_a64 tickets;
    mpri_a32 spin; /* credit, see waiter.h */
    uint32_t unused0;
    uint64_t unused1;
    struct mpri_label label;
    struct mpri_seats seats;
};

enum { WAITING = 1, ASLEEP = 2, NOTIFIED = 4 };

/* mpr_condition_wait.phase */
enum { OUTSIDE = 0, QUEUED = 1, AGAIN = 2 };

static struct condition *of(const mpr_condition *c)
{
    return mpri_data(&c->h);
}

static struct mpri_block *lock_of(const struct condition *d)
{
    return mpri_at(d->lock);
}

static struct mpri_owner *owner_of(const struct condition *d)
{
    return mpri_block_data(lock_of(d));
}

static bool recursive(const struct condition *d)
{
    return mpri_block_kind(lock_of(d)) == MPR_KIND_RLOCK;
}

/* Notifies the waiter if it waits and lives. */
static bool deliver(struct mpri_seat *seat)
{
    uint32_t who = mpri_load_acq(&seat->owner), generation;
    uint32_t v = mpri_load_acq(&seat->state);

    if (!who || mpri_peer_over(mpri_who_slot(who), &generation))
        return false;
    while (v & WAITING) {
        /* Pairs with: sleep_until_notified; publishes what was stored before. */
        if (!mpri_cas_rel(&seat->state, &v, NOTIFIED))
            continue;
        MPRI_TESTPOINT("condition.notified");
        if (v & ASLEEP)
            mpri_waiter_wake(&seat->state, 1);
        return true;
    }
    return false;
}

/* The waiter with the lowest ticket from *from on, which moves behind it. */
static struct mpri_seat *next_waiter(struct condition *d, uint64_t *from)
{
    uint32_t used = mpri_seats_used(&d->seats);
    struct mpri_seat *first = NULL;
    uint64_t lowest = UINT64_MAX;

    for (uint32_t i = 0; i < used; i++) {
        struct mpri_seat *seat = mpri_seat_at(&d->seats, i);
        uint64_t ticket;

        /* Pairs with: queue_up; brings the ticket. */
        if (!(mpri_load_acq(&seat->state) & WAITING))
            continue;
        ticket = mpri_load_rlx(&seat->number);
        if (ticket >= *from && ticket < lowest) {
            lowest = ticket;
            first = seat;
        }
    }
    *from = lowest + 1;
    return first;
}

static uint32_t notify_all(struct condition *d)
{
    uint32_t used = mpri_seats_used(&d->seats), n = 0;

    for (uint32_t i = 0; i < used; i++) {
        struct mpri_seat *seat = mpri_seat_at(&d->seats, i);

        if (mpri_load_rlx(&seat->state) & WAITING)
            n += deliver(seat);
    }
    return n;
}

static uint32_t notify(struct condition *d, uint32_t count)
{
    struct mpri_seat *seat;
    uint64_t from = 0;
    uint32_t n = 0;

    if (count >= mpri_seats_used(&d->seats))
        return notify_all(d);
    while (n < count && (seat = next_waiter(d, &from)))
        n += deliver(seat);
    return n;
}

/* Ends the stay in a seat that is not WAITING: a notification that the waiter
 * did not take with it goes to another one. */
static void vacate(struct condition *d, struct mpri_seat *seat, uint32_t who,
                   bool taken)
{
    if (mpri_load_acq(&seat->state) == NOTIFIED && !taken)
        notify(d, 1);
    MPRI_TESTPOINT("condition.vacating");
    mpri_store_rlx(&seat->state, 0);
    mpri_seat_leave(seat, who);
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct condition *d = mpri_block_data(b);
    uint32_t used = mpri_seats_used(&d->seats);

    if (!d->lock)
        return;
    for (uint32_t i = 0; i < used; i++) {
        struct mpri_seat *seat = mpri_seat_at(&d->seats, i);
        uint32_t who = mpri_load_acq(&seat->owner);
        uint32_t v = mpri_load_acq(&seat->state);

        if (!who || mpri_who_slot(who) != slot)
            continue;
        while (v & WAITING && !mpri_cas_acq(&seat->state, &v, 0))
            ;
        vacate(d, seat, who, false);
    }
    mpri_owner_abandon_slot(owner_of(d), slot);
}

static void destroy(struct mpri_block *b)
{
    struct condition *d = mpri_block_data(b);

    mpri_seats_destroy(&d->seats);
    mpri_ref_drop(&d->lock);
}

static uint64_t owned(const struct mpri_block *b, uint32_t slot)
{
    const struct condition *d = mpri_block_data(b);

    return d->lock ? mpri_owner_block_owned(lock_of(d), slot) : 0;
}

static const char *label(const struct mpri_block *b)
{
    const struct condition *d = mpri_block_data(b);

    return d->label.text;
}

void mpri_condition_register(void)
{
    static const struct mpri_kind condition = {
        .name = "Condition",
        .abandon = abandon,
        .destroy = destroy,
        .owned = owned,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_CONDITION, &condition);
}

int mpr_condition_create(mpr_condition *c, const mpr_handle *lock,
                         const char *name)
{
    mpr_rlock own = {0};
    int err;

    if (lock && lock->kind != MPR_KIND_LOCK && lock->kind != MPR_KIND_RLOCK)
        return -EINVAL;
    err = lock ? 0 : mpr_rlock_create(&own, name);
    if (err < 0)
        return err;
    err = mpri_sync_create(&c->h, sizeof(struct condition));
    if (err == 0) {
        mpri_label_set(&of(c)->label, name);
        c->seat = 0;
        /* A block that holds another has its kind before (block.h), so until
         * the next line this one has no lock: nobody else knows it yet. */
        mpri_block_become(&c->h, MPR_KIND_CONDITION);
        MPRI_TESTPOINT("condition.made");
        mpri_ref_set(&of(c)->lock, lock ? lock : &own.h);
    }
    mpri_drop(&own.h);
    return err;
}

int mpr_condition_lock(const mpr_condition *c, mpr_handle *lock)
{
    return mpri_ref_open(&of(c)->lock, lock);
}

/* Still owning the lock: from here on every notify counts us. */
static int queue_up(mpr_condition *c, struct mpr_condition_wait *w, uint32_t me)
{
    struct condition *d = of(c);
    struct mpri_owner *o = owner_of(d);
    struct mpri_seat *seat;
    int index;

    if (mpri_owner_now(o) != me)
        return -EPERM;
    index = mpri_seat_take(&d->seats, me,
                           __atomic_load_n(&c->seat, __ATOMIC_RELAXED));
    if (index < 0)
        return index;
    MPRI_TESTPOINT("condition.seated");
    __atomic_store_n(&c->seat, (uint32_t)index, __ATOMIC_RELAXED);
    seat = mpri_seat_at(&d->seats, (uint32_t)index);
    mpri_store_rlx(&seat->number, mpri_add_rlx(&d->tickets, 1));
    /* Pairs with: next_waiter. The release of the lock comes after it, so
     * whoever owns the lock next sees it. */
    mpri_store_rel(&seat->state, WAITING);
    MPRI_TESTPOINT("condition.queued");
    w->seat = (uint32_t)index;
    w->depth = mpri_load_rlx(recursive(d) ? &o->depth : &o->sure);
    w->phase = QUEUED;
    return 0;
}

/* 0: notified; -ETIMEDOUT: no longer in the queue; -EINTR: still in it. */
static int sleep_until_notified(struct condition *d, struct mpri_seat *seat,
                                int64_t deadline_ns)
{
    int64_t now = mpri_now_ns();
    uint32_t v = mpri_load_acq(&seat->state);
    struct mpri_spin spin;
    int r;

    if (v & WAITING && now < deadline_ns) {
        spin = mpri_spin_begin(&d->spin);
        while (v & WAITING && mpri_spin_more(&spin))
            v = mpri_load_acq(&seat->state);
        mpri_spin_end(&spin, !(v & WAITING));
    }
    for (;;) {
        /* Pairs with: deliver. */
        v = mpri_load_acq(&seat->state);
        if (!(v & WAITING))
            return 0;
        now = mpri_now_ns();
        if (now >= deadline_ns) {
            if (mpri_cas_acq(&seat->state, &v, 0))
                return -ETIMEDOUT;
            continue;
        }
        if (!(v & ASLEEP) && !mpri_cas_acq(&seat->state, &v, WAITING | ASLEEP))
            continue;
        MPRI_TESTPOINT("condition.sleeping");
        r = mpri_waiter_slice(&seat->state, WAITING | ASLEEP,
                              mpri_earlier(deadline_ns, now + MPRI_LOOK_UP));
        if (r == -EINTR)
            return r;
        if (r != -ETIMEDOUT)
            continue;
        if (mpri_waiter_sweep)
            mpri_waiter_sweep();
        if (mpri_now_ns() < deadline_ns &&
            mpri_load_acq(&seat->state) & WAITING)
            return -EINTR;
    }
}

/* Takes the lock as it was given up. */
static int take_again(struct condition *d, const struct mpr_condition_wait *w,
                      uint32_t me)
{
    struct mpri_owner *o = owner_of(d);
    int r;

    if (!recursive(d))
        return mpri_lock_take(o, me, w->depth != 0, MPR_FOREVER);
    r = mpri_rlock_take(o, me, MPR_FOREVER);
    if (r == 0 || r == -EOWNERDEAD)
        mpri_store_rlx(&o->depth, w->depth);
    return r;
}

int mpr_condition_wait(mpr_condition *c, uint32_t actor,
                       struct mpr_condition_wait *w, int64_t deadline_ns)
{
    struct condition *d = of(c);
    uint32_t me = mpri_who(actor);
    struct mpri_seat *seat;
    int r;

    if (!me)
        return mpri_who_not();
    if (w->phase == OUTSIDE) {
        r = queue_up(c, w, me);
        if (r < 0)
            return r;
        /* Fails only when somebody else released a Lock of ours meanwhile. */
        mpri_owner_release(owner_of(d), me);
        MPRI_TESTPOINT("condition.released");
    }
    seat = mpri_seat_at(&d->seats, w->seat);
    if (w->phase == QUEUED) {
        w->result = sleep_until_notified(d, seat, deadline_ns);
        if (w->result == -EINTR)
            return -EINTR;
        w->phase = AGAIN;
        MPRI_TESTPOINT("condition.woken");
    }
    r = take_again(d, w, me);
    if (r == -EINTR)
        return r;
    w->phase = OUTSIDE;
    MPRI_TESTPOINT("condition.owning");
    vacate(d, seat, me, r == 0 || r == -EOWNERDEAD);
    if (r < 0 && r != -EOWNERDEAD)
        return r;
    return w->result < 0 ? w->result : r;
}

int mpr_condition_cancel(mpr_condition *c, uint32_t actor,
                         struct mpr_condition_wait *w)
{
    struct condition *d = of(c);
    uint32_t me = mpri_who(actor);
    struct mpri_seat *seat;
    int r;

    if (!me || w->phase == OUTSIDE)
        return 0;
    seat = mpri_seat_at(&d->seats, w->seat);
    if (mpri_load_rlx(&seat->owner) == me) {
        uint32_t v = mpri_load_acq(&seat->state);

        while (v & WAITING && !mpri_cas_acq(&seat->state, &v, 0))
            ;
        vacate(d, seat, me, false);
    }
    w->phase = AGAIN;
    r = take_again(d, w, me);
    if (r != -EINTR)
        w->phase = OUTSIDE;
    return r;
}

int mpr_condition_notify(mpr_condition *c, uint32_t actor, uint32_t count)
{
    struct condition *d = of(c);
    uint32_t me = mpri_who(actor);

    if (!me)
        return mpri_who_not();
    if (mpri_owner_now(owner_of(d)) != me)
        return -EPERM;
    return (int)notify(d, count);
}
