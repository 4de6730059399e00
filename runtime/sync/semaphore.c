/* Semaphore: so many units, taken and given back by anybody. A unit that is
 * taken by hold comes back when its holder dies, exactly once.
 *
 * An actor that holds units has a seat, whose number counts them and is changed
 * by no other actor while that one lives. Two words must change together, the semaphore's and the seat's, and one
 * store must do it: the semaphore's word names the seat and what is to be done
 * to it, and whoever changes the word next first sees to it that it is done.
 *
 * States:       word: value · BACK units came back from a dead holder, and
 *               nobody was told yet · an operation: NONE, or HELD, GIVEN or
 *               CLEARED (the seat has one unit more, one less, none) by the
 *               seat at index, as its change number seq
 *               seat number: units · changes, the low 18 bits of which are seq
 * Invariant:    when the word's operation has seq = changes + 1 it is still to
 *               be done to the seat; otherwise it was done. Each change of the
 *               word settles the operation it replaces. So value + all units
 *               changes only by what acquire and release do.
 * If we die here: (the word changed, the seat not) the next to change the
 *               word, or the reaper, settles it. (value given back, the gate
 *               not opened) sleepers look again: within 50 ms when somebody
 *               has a seat, 500 ms otherwise.
 *
 * seq repeats after 2^18 changes by one seat. An operation would be lost if a
 * process stood still between two of its instructions while exactly so many
 * changes brought the word back, and the last one's maker died there and then. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "life/guard.h"
#include "mpr.h"
#include "os/os.h"
#include "sync/seats.h"
#include "sync/sync.h"
#include "wait/waiter.h"

struct semaphore {
    mpri_a64 word;
    struct mpri_gate gate;
    mpri_a32 spin;  /* credit, see waiter.h */
    uint32_t limit; /* value goes no higher. Fixed after init */
    uint32_t bounded;
    uint32_t unused;
    struct mpri_label label;
    struct mpri_seats seats;
};

enum operation { NONE = 0, HELD = 1, GIVEN = 2, CLEARED = 3 };

#define VALUE 0x7fffffffULL
#define BACK  0x80000000ULL

enum {
    SEAT_SHIFT = 32,
    SEATS = 1 << 12,
    OP_SHIFT = 44,
    SEQ_SHIFT = 46,
    SEQ_MASK = (1 << 18) - 1,
};

/* Holders that a waiter asks about at a time. */
enum { ASK = 64 };

static const int64_t FIRST_SLICE = MPRI_MS;
static const int64_t LAST_SLICE = 50 * MPRI_MS;

static struct semaphore *of(const mpr_semaphore *s)
{
    return mpri_data(&s->h);
}

static uint32_t value_of(uint64_t word)
{
    return (uint32_t)(word & VALUE);
}

static uint32_t units_of(uint64_t number)
{
    return (uint32_t)number;
}

/* The operation as it stands in the word, for a seat with that number. */
static uint64_t tag(enum operation op, uint32_t index, uint64_t number)
{
    return (uint64_t)index << SEAT_SHIFT | (uint64_t)op << OP_SHIFT |
           (((number >> 32) + 1) & SEQ_MASK) << SEQ_SHIFT;
}

/* What the seat's number is when the word's operation is done to it. */
static uint64_t done_to(uint64_t number, uint64_t word)
{
    uint64_t units = units_of(number);

    switch ((enum operation)(word >> OP_SHIFT & 3)) {
    case NONE:
        break;
    case HELD:
        units++;
        break;
    case GIVEN:
        units--;
        break;
    case CLEARED:
        units = 0;
        break;
    }
    return ((number >> 32) + 1) << 32 | units;
}

/* The word was read as w: what it says was done to the seat when this returns,
 * or the word has changed, and somebody else saw to it. */
static void settle(struct semaphore *s, uint64_t w)
{
    struct mpri_seat *seat;
    uint64_t number;

    if ((w >> OP_SHIFT & 3) == NONE)
        return;
    seat = mpri_seat_at(&s->seats, (uint32_t)(w >> SEAT_SHIFT) & (SEATS - 1));
    number = mpri_load_acq(&seat->number);
    if ((((number >> 32) + 1) & SEQ_MASK) != w >> SEQ_SHIFT)
        return;
    /* Asked after the number was read: it is the number that w means. */
    if (mpri_load_acq(&s->word) != w)
        return;
    mpri_cas_seq(&seat->number, &number, done_to(number, w));
    MPRI_TESTPOINT("semaphore.settled");
}

/* Takes a unit, for the seat at index or (-1) for nobody: 0, -EOWNERDEAD, or
 * -EAGAIN when there is none. The word's changes are sequentially consistent:
 * who reads one then reads the seat's number at least as new. */
static int take(struct semaphore *s, int index)
{
    struct mpri_seat *seat =
        index < 0 ? NULL : mpri_seat_at(&s->seats, (uint32_t)index);
    uint64_t w, next;

    do {
        w = mpri_load_acq(&s->word);
        if (value_of(w) == 0)
            return -EAGAIN;
        settle(s, w);
        next = value_of(w) - 1;
        if (seat)
            next |= tag(HELD, (uint32_t)index, mpri_load_acq(&seat->number));
        /* Pairs with: give, give_back; brings what was stored before. */
    } while (!mpri_cas_seq(&s->word, &w, next));
    MPRI_TESTPOINT("semaphore.taken");
    if (seat)
        settle(s, next);
    return w & BACK ? -EOWNERDEAD : 0;
}

/* Gives a unit back that nobody in particular held: -EOVERFLOW beyond the
 * limit. */
static int give(struct semaphore *s)
{
    uint64_t w;

    do {
        w = mpri_load_acq(&s->word);
        if (value_of(w) >= s->limit)
            return -EOVERFLOW;
        settle(s, w);
        /* Pairs with: take; publishes what was stored before. */
    } while (!mpri_cas_seq(&s->word, &w, (w & BACK) | (value_of(w) + 1)));
    MPRI_TESTPOINT("semaphore.given");
    mpri_gate_open(&s->gate, 1);
    return 0;
}

/* Gives units back that the seat at index holds: one, or all (BACK). Returns
 * how many. */
static uint32_t give_back(struct semaphore *s, uint32_t index, bool all)
{
    struct mpri_seat *seat = mpri_seat_at(&s->seats, index);
    uint64_t w, next, number;
    uint32_t units, value;

    do {
        w = mpri_load_acq(&s->word);
        settle(s, w);
        number = mpri_load_acq(&seat->number);
        units = units_of(number);
        if (units == 0)
            return 0;
        if (!all)
            units = 1;
        value = value_of(w);
        value = s->limit - value < units ? s->limit : value + units;
        next = value | tag(all ? CLEARED : GIVEN, index, number) |
               (all ? BACK : w & BACK);
        /* Pairs with: take. */
    } while (!mpri_cas_seq(&s->word, &w, next));
    MPRI_TESTPOINT("semaphore.back");
    settle(s, next);
    return units;
}

/* Frees the seat of a holder that ended; returns the units that came back. The
 * arena is locked, so that nobody else does it too and the seat has a new owner
 * by now. */
static uint32_t clear_seat(struct semaphore *s, uint32_t index)
{
    struct mpri_seat *seat = mpri_seat_at(&s->seats, index);
    uint32_t units = give_back(s, index, true);

    mpri_seat_leave(seat, mpri_load_acq(&seat->owner));
    return units;
}

/* Asks about the holders. Returns whether one has a seat at all. */
static bool look_at_holders(struct semaphore *s)
{
    uint32_t used = mpri_seats_used(&s->seats), asked = 0, units = 0;
    bool any = false;

    settle(s, mpri_load_acq(&s->word));
    for (uint32_t i = 0; i < used && asked < ASK; i++) {
        struct mpri_seat *seat = mpri_seat_at(&s->seats, i);

        if (!units_of(mpri_load_acq(&seat->number)))
            continue;
        any = true;
        asked++;
        if (mpri_seat_lock_dead(seat)) {
            units += clear_seat(s, i);
            mpri_guard_unlock();
        }
    }
    if (units)
        mpri_gate_open(&s->gate, units);
    return any;
}

/* Waits until there is a unit that one might take. */
static int wait_for_unit(struct semaphore *s, int64_t deadline_ns)
{
    struct mpri_spin spin = mpri_spin_begin(&s->spin);
    int64_t look_up = mpri_now_ns() + MPRI_LOOK_UP, slice = FIRST_SLICE;
    bool some, holders = true;

    do
        some = value_of(mpri_load_acq(&s->word)) > 0;
    while (!some && mpri_spin_more(&spin));
    mpri_spin_end(&spin, some);
    while (!some) {
        uint32_t ticket = mpri_gate_prepare(&s->gate);
        int64_t until = mpri_earlier(deadline_ns, look_up), now;
        int r;

        if (value_of(mpri_load_seq(&s->word)) > 0)
            break;
        MPRI_TESTPOINT("semaphore.sleeping");
        if (holders)
            until = mpri_earlier(until, mpri_now_ns() + slice);
        r = mpri_gate_wait(&s->gate, ticket, until);
        if (r == -EINTR)
            return r;
        if (r == -ETIMEDOUT) {
            holders = look_at_holders(s);
            slice = mpri_earlier(LAST_SLICE, slice * 2);
            some = value_of(mpri_load_acq(&s->word)) > 0;
            now = mpri_now_ns();
            if (!some && now >= deadline_ns)
                return -ETIMEDOUT;
            if (!some && now >= look_up)
                return -EINTR;
        }
    }
    return 0;
}

static int acquire(struct semaphore *s, int index, int64_t deadline_ns)
{
    int r = take(s, index);

    if (r != -EAGAIN)
        return r;
    if (deadline_ns <= 0 || deadline_ns <= mpri_now_ns()) {
        look_at_holders(s);
        r = take(s, index);
        return r == -EAGAIN ? -ETIMEDOUT : r;
    }
    while (r == -EAGAIN) {
        r = wait_for_unit(s, deadline_ns);
        if (r == 0)
            r = take(s, index);
    }
    return r;
}

/* The index of the actor's seat, or -1. */
static int find_seat(const mpr_semaphore *s, uint32_t me)
{
    const struct semaphore *d = of(s);
    uint32_t used = mpri_seats_used(&d->seats);
    uint32_t hint = __atomic_load_n(&s->seat, __ATOMIC_RELAXED);

    if (hint < used &&
        mpri_load_rlx(&mpri_seat_at(&d->seats, hint)->owner) == me)
        return (int)hint;
    for (uint32_t i = 0; i < used; i++)
        if (mpri_load_rlx(&mpri_seat_at(&d->seats, i)->owner) == me)
            return (int)i;
    return -1;
}

static int need_seat(mpr_semaphore *s, uint32_t me)
{
    struct semaphore *d = of(s);
    int index = find_seat(s, me);

    if (index < 0) {
        index = mpri_seat_take(&d->seats, me, 0);
        if (index >= SEATS) {
            mpri_seat_leave(mpri_seat_at(&d->seats, (uint32_t)index), me);
            return -EUSERS;
        }
        MPRI_TESTPOINT("semaphore.seated");
    }
    if (index >= 0)
        __atomic_store_n(&s->seat, (uint32_t)index, __ATOMIC_RELAXED);
    return index;
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct semaphore *s = mpri_block_data(b);
    uint32_t used = mpri_seats_used(&s->seats), units = 0;

    for (uint32_t i = 0; i < used; i++) {
        const struct mpri_seat *seat = mpri_seat_at(&s->seats, i);
        uint32_t who = mpri_load_acq(&seat->owner);

        if (!who || mpri_who_slot(who) != slot)
            continue;
        mpri_guard_lock();
        if (mpri_load_acq(&seat->owner) == who)
            units += clear_seat(s, i);
        mpri_guard_unlock();
    }
    if (units)
        mpri_gate_open(&s->gate, units);
}

/* Units only: a seat without any may stay behind for the next in the slot. */
static uint64_t owned(const struct mpri_block *b, uint32_t slot)
{
    struct semaphore *s = mpri_block_data(b);
    uint32_t used = mpri_seats_used(&s->seats);

    settle(s, mpri_load_acq(&s->word));
    for (uint32_t i = 0; i < used; i++) {
        const struct mpri_seat *seat = mpri_seat_at(&s->seats, i);
        uint32_t who = mpri_load_acq(&seat->owner);

        if (who && mpri_who_slot(who) == slot &&
            units_of(mpri_load_acq(&seat->number)))
            return mpri_off(b);
    }
    return 0;
}

static void destroy(struct mpri_block *b)
{
    struct semaphore *s = mpri_block_data(b);

    mpri_seats_destroy(&s->seats);
}

static int ready(struct mpri_block *b)
{
    struct semaphore *s = mpri_block_data(b);

    return value_of(mpri_load_seq(&s->word)) > 0;
}

static struct mpri_gate *gate(struct mpri_block *b)
{
    struct semaphore *s = mpri_block_data(b);

    return &s->gate;
}

static const char *label(const struct mpri_block *b)
{
    const struct semaphore *s = mpri_block_data(b);

    return s->label.text;
}

void mpri_semaphore_register(void)
{
    static const struct mpri_kind semaphore = {
        .name = "Semaphore",
        .abandon = abandon,
        .destroy = destroy,
        .ready = ready,
        .gate = gate,
        .owned = owned,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_SEMAPHORE, &semaphore);
}

int mpr_semaphore_create(mpr_semaphore *s, uint32_t value, int bounded,
                         const char *name)
{
    struct semaphore *d;
    int err;

    if (value > INT32_MAX)
        return -EINVAL;
    err = mpri_sync_create(&s->h, sizeof *d);
    if (err < 0)
        return err;
    d = of(s);
    s->seat = 0;
    mpri_store_rlx(&d->word, value);
    d->limit = bounded ? value : INT32_MAX;
    d->bounded = bounded != 0;
    mpri_label_set(&d->label, name);
    mpri_block_become(&s->h, MPR_KIND_SEMAPHORE);
    return 0;
}

int mpr_semaphore_acquire(mpr_semaphore *s, int64_t deadline_ns)
{
    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    return acquire(of(s), -1, deadline_ns);
}

int mpr_semaphore_release(mpr_semaphore *s)
{
    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    return give(of(s));
}

int mpr_semaphore_hold(mpr_semaphore *s, uint32_t actor, int64_t deadline_ns)
{
    uint32_t me = mpri_who(actor);
    int index = me ? need_seat(s, me) : mpri_who_not();

    return index < 0 ? index : acquire(of(s), index, deadline_ns);
}

int mpr_semaphore_drop(mpr_semaphore *s, uint32_t actor)
{
    uint32_t me = mpri_who(actor);
    int index;

    if (!me)
        return mpri_who_not();
    index = find_seat(s, me);
    if (index < 0 || !give_back(of(s), (uint32_t)index, false))
        return -EPERM;
    mpri_gate_open(&of(s)->gate, 1);
    return 0;
}

void mpr_semaphore_abandon(mpr_semaphore *s, uint32_t actor)
{
    uint32_t me = mpri_who(actor), units;
    int index = me ? find_seat(s, me) : -1;

    if (index < 0)
        return;
    mpri_guard_lock();
    units = clear_seat(of(s), (uint32_t)index);
    mpri_guard_unlock();
    if (units)
        mpri_gate_open(&of(s)->gate, units);
}

uint32_t mpr_semaphore_value(const mpr_semaphore *s)
{
    return value_of(mpri_load_acq(&of(s)->word));
}

int mpr_semaphore_bound(const mpr_semaphore *s, uint32_t *bound)
{
    if (of(s)->bounded)
        *bound = of(s)->limit;
    return (int)of(s)->bounded;
}
