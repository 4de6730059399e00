/* Barrier: parties wait for each other; the last to come lets all go.
 *
 * Whoever is in wait has a seat.
 *
 * States:       state: generation · BROKEN · PASSING all have come and the
 *               last one runs the action · BROKEN and RESETTING: it is broken
 *               for those inside, and who comes finishes the reset first ·
 *               count of those who came
 *               count -> count + 1: a party that comes · count = parties - 1 ->
 *               parties, PASSING: the last one · PASSING -> generation + 1,
 *               count 0: the last one, after the action. Commit point: all of
 *               that generation have passed · any -> BROKEN, count 0: a party
 *               whose time is up, or that left by an error; abort; whoever
 *               found a party dead · any -> BROKEN, RESETTING: reset ·
 *               RESETTING -> generation + 1: reset, or who comes
 *               seat state: 0 on its way in or out · INSIDE with the
 *               generation · VOID with it: that generation was reset under it
 *               0 -> INSIDE: the party before it counts itself · INSIDE ->
 *               VOID: a reset, before it moves the generation · INSIDE, VOID ->
 *               0: the party when it leaves, or who found it dead
 * Invariant:    a party that finds the generation moved on has passed, unless
 *               its seat says VOID.
 * If we die here: (with a seat that is not VOID: on our way in, waiting, in the
 *               action, or on our way out) whoever notices breaks the barrier.
 *               (resetting) the next to come, or to reset, goes on. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "life/guard.h"
#include "mpr.h"
#include "os/os.h"
#include "sync/seats.h"
#include "sync/sync.h"
#include "wait/waiter.h"

struct barrier {
    mpri_a64 state;
    struct mpri_gate gate;
    mpri_a32 spin;    /* credit, see waiter.h */
    uint32_t parties; /* Fixed after init, as is what follows */
    int64_t timeout_ns;
    struct mpri_label label;
    uint64_t extra; /* holds a block of the maker's, or 0 */
    struct mpri_seats seats;
};

#define BROKEN    (1ULL << 24)
#define PASSING   (1ULL << 25)
#define RESETTING (1ULL << 26)

enum {
    COUNT = (1 << 24) - 1,
    GENERATION_SHIFT = 32,
    GENERATIONS = (1 << 30) - 1,
    /* Seat. */
    INSIDE = 1,
    VOID = 2,
    SEAT_SHIFT = 2,
};

/* mpr_barrier_visit.phase */
enum { OUTSIDE = 0, SEATED = 1, ARRIVED = 2 };

/* Each party asks about the next few, soon and then less often: every one is
 * asked about by somebody, at a price that does not grow with their number. */
static const int64_t FIRST_SLICE = 4 * MPRI_MS;
static const int64_t LAST_SLICE = 100 * MPRI_MS;
enum { NEIGHBOURS = 4 };

static struct barrier *of(const mpr_barrier *b)
{
    return mpri_data(&b->h);
}

static uint32_t count_of(uint64_t state)
{
    return (uint32_t)state & COUNT;
}

static uint32_t generation_of(uint64_t state)
{
    return (uint32_t)(state >> GENERATION_SHIFT);
}

static uint64_t next_generation(uint64_t state)
{
    return (uint64_t)((generation_of(state) + 1) & GENERATIONS)
           << GENERATION_SHIFT;
}

static uint32_t seat_state(uint32_t generation, uint32_t what)
{
    return generation << SEAT_SHIFT | what;
}

/* Breaks it, if it still is in that generation (NULL: in any): whether it was
 * whole before. The gate is still to be opened. */
static bool break_state(struct barrier *d, const uint32_t *generation)
{
    uint64_t s = mpri_load_acq(&d->state), next;

    do {
        if (s & BROKEN || (generation && generation_of(s) != *generation))
            return false;
        next = (uint64_t)generation_of(s) << GENERATION_SHIFT | BROKEN;
        /* Pairs with: outcome; seq, because the gate is looked at next. */
    } while (!mpri_cas_seq(&d->state, &s, next));
    MPRI_TESTPOINT("barrier.broken");
    return true;
}

static void break_it(struct barrier *d, const uint32_t *generation)
{
    if (break_state(d, generation))
        mpri_gate_open(&d->gate, UINT32_MAX);
}

static void vacate(struct mpri_seat *seat, uint32_t who)
{
    mpri_store_rlx(&seat->state, 0);
    MPRI_TESTPOINT("barrier.vacating");
    mpri_seat_leave(seat, who);
}

/* The party in the seat ended: whether that broke the barrier. The arena is
 * locked, so that nobody else does this too and the seat has a new owner by
 * now. The break comes first: killed in between, it is done again. */
static bool bury(struct barrier *d, struct mpri_seat *seat)
{
    bool broke =
        (mpri_load_acq(&seat->state) & 3) != VOID && break_state(d, NULL);

    vacate(seat, mpri_load_acq(&seat->owner));
    return broke;
}

/* Asks about the parties in at most so many seats behind the one at index. */
static void look_behind(struct barrier *d, uint32_t index, uint32_t most)
{
    uint32_t used = mpri_seats_used(&d->seats), asked = 0;
    bool broke = false;

    for (uint32_t i = 1; i <= used && asked < most; i++) {
        struct mpri_seat *seat = mpri_seat_at(&d->seats, (index + i) % used);

        if (!mpri_load_rlx(&seat->owner))
            continue;
        asked++;
        if (mpri_seat_lock_dead(seat)) {
            broke |= bury(d, seat);
            mpri_guard_unlock();
        }
    }
    if (broke)
        mpri_gate_open(&d->gate, UINT32_MAX);
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct barrier *d = mpri_block_data(b);
    uint32_t used = mpri_seats_used(&d->seats);
    bool broke = false;

    for (uint32_t i = 0; i < used; i++) {
        struct mpri_seat *seat = mpri_seat_at(&d->seats, i);
        uint32_t who = mpri_load_acq(&seat->owner);

        if (!who || mpri_who_slot(who) != slot)
            continue;
        mpri_guard_lock();
        if (mpri_load_acq(&seat->owner) == who)
            broke |= bury(d, seat);
        mpri_guard_unlock();
    }
    if (broke)
        mpri_gate_open(&d->gate, UINT32_MAX);
}

static void destroy(struct mpri_block *b)
{
    struct barrier *d = mpri_block_data(b);

    mpri_seats_destroy(&d->seats);
    mpri_ref_drop(&d->extra);
}

static const char *label(const struct mpri_block *b)
{
    const struct barrier *d = mpri_block_data(b);

    return d->label.text;
}

void mpri_barrier_register(void)
{
    static const struct mpri_kind barrier = {
        .name = "Barrier",
        .abandon = abandon,
        .destroy = destroy,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_BARRIER, &barrier);
}

int mpr_barrier_create(mpr_barrier *b,
                       const struct mpr_barrier_options *options)
{
    struct barrier *d;
    int err;

    if (options->parties == 0 || options->parties > COUNT)
        return -EINVAL;
    err = mpri_sync_create(&b->h, sizeof *d);
    if (err < 0)
        return err;
    b->seat = 0;
    d = of(b);
    d->parties = options->parties;
    d->timeout_ns = options->timeout_ns;
    mpri_label_set(&d->label, options->name);
    mpri_block_become(&b->h, MPR_KIND_BARRIER);
    if (options->extra)
        mpri_ref_set(&d->extra, options->extra);
    return 0;
}

int mpr_barrier_extra(const mpr_barrier *b, mpr_handle *extra)
{
    return mpri_ref_open(&of(b)->extra, extra);
}

int64_t mpr_barrier_timeout(const mpr_barrier *b)
{
    return of(b)->timeout_ns;
}

static int leave(struct barrier *d, struct mpr_barrier_visit *v, int result)
{
    struct mpri_seat *seat = mpri_seat_at(&d->seats, v->seat);

    vacate(seat, v->who);
    v->phase = OUTSIDE;
    return result;
}

static int take_seat(mpr_barrier *b, struct mpr_barrier_visit *v, uint32_t me)
{
    int index = mpri_seat_take(&of(b)->seats, me,
                               __atomic_load_n(&b->seat, __ATOMIC_RELAXED));

    if (index < 0)
        return index;
    MPRI_TESTPOINT("barrier.seated");
    __atomic_store_n(&b->seat, (uint32_t)index, __ATOMIC_RELAXED);
    *v = (struct mpr_barrier_visit){
        .phase = SEATED,
        .seat = (uint32_t)index,
        .who = me,
    };
    return 0;
}

/* Finishes the reset in whose midst the state is s, which anybody may do, and
 * several at once. Nothing else changes the state meanwhile. */
static void finish_reset(struct barrier *d, uint64_t s)
{
    uint32_t used = mpri_seats_used(&d->seats);

    for (uint32_t i = 0; i < used; i++) {
        uint32_t v = seat_state(generation_of(s), INSIDE);

        /* Pairs with: outcome, by way of the state. */
        mpri_cas_rel(&mpri_seat_at(&d->seats, i)->state, &v,
                     seat_state(generation_of(s), VOID));
    }
    MPRI_TESTPOINT("barrier.resetting");
    if (mpri_cas_seq(&d->state, &s, next_generation(s)))
        mpri_gate_open(&d->gate, UINT32_MAX);
}

/* Counts us: 0, or -ECANCELED; -EAGAIN while the last generation is passing. */
static int arrive(struct barrier *d, struct mpr_barrier_visit *v)
{
    struct mpri_seat *seat = mpri_seat_at(&d->seats, v->seat);
    uint64_t s, next;

    do {
        while ((s = mpri_load_seq(&d->state)) & RESETTING)
            finish_reset(d, s);
        if (s & BROKEN)
            return -ECANCELED;
        if (s & PASSING) {
            mpri_store_rlx(&seat->state, 0);
            return -EAGAIN;
        }
        v->generation = generation_of(s);
        v->index = count_of(s) + 1;
        mpri_store_rlx(&seat->state, seat_state(v->generation, INSIDE));
        MPRI_TESTPOINT("barrier.inside");
        next = s + 1;
        if (v->index == d->parties)
            next |= PASSING;
        /* Pairs with: itself, so that the last to come sees what the others
         * stored before they came; publishes our seat's state. */
    } while (!mpri_cas_seq(&d->state, &s, next));
    MPRI_TESTPOINT("barrier.arrived");
    v->phase = ARRIVED;
    return 0;
}

/* What became of the visit: its index, -ECANCELED, or -EAGAIN. */
static int outcome(struct barrier *d, const struct mpr_barrier_visit *v)
{
    const struct mpri_seat *seat = mpri_seat_at(&d->seats, v->seat);
    /* Pairs with: mpr_barrier_pass, finish_reset, break_it. */
    uint64_t s = mpri_load_seq(&d->state);

    /* The seat is asked last: reset marks it before it moves the state. */
    if (generation_of(s) != v->generation)
        return (mpri_load_acq(&seat->state) & 3) == VOID ? -ECANCELED
                                                         : (int)v->index;
    return s & BROKEN ? -ECANCELED : -EAGAIN;
}

/* One look, for a visit that is SEATED or ARRIVED: -EAGAIN is to wait. */
static int look(struct barrier *d, struct mpr_barrier_visit *v)
{
    if (v->phase == ARRIVED)
        return outcome(d, v);
    return arrive(d, v);
}

static int sleep_until_over(struct barrier *d, struct mpr_barrier_visit *v,
                            int64_t deadline_ns)
{
    int64_t now = mpri_now_ns(), look_up = now + MPRI_LOOK_UP;
    int64_t slice = FIRST_SLICE;

    for (;;) {
        uint32_t ticket = mpri_gate_prepare(&d->gate);
        int r = look(d, v);

        if (r != -EAGAIN)
            return r;
        now = mpri_now_ns();
        if (now >= deadline_ns)
            return -ETIMEDOUT;
        if (now >= look_up)
            return -EINTR;
        MPRI_TESTPOINT("barrier.sleeping");
        r = mpri_gate_wait(&d->gate, ticket,
                           mpri_earlier(deadline_ns, now + slice));
        if (r == -EINTR)
            return r;
        if (r == -ETIMEDOUT) {
            look_behind(d, v->seat, NEIGHBOURS);
            slice = mpri_earlier(LAST_SLICE, slice * 2);
        }
    }
}

/* Waits for the end of the visit, or of the generation before it. */
static int await(struct barrier *d, struct mpr_barrier_visit *v,
                 int64_t deadline_ns)
{
    int r = look(d, v);

    if (r == -EAGAIN && deadline_ns > mpri_now_ns()) {
        struct mpri_spin spin = mpri_spin_begin(&d->spin);

        while (r == -EAGAIN && mpri_spin_more(&spin))
            r = look(d, v);
        mpri_spin_end(&spin, r != -EAGAIN);
    }
    return r == -EAGAIN ? sleep_until_over(d, v, deadline_ns) : r;
}

int mpr_barrier_wait(mpr_barrier *b, uint32_t actor,
                     struct mpr_barrier_visit *v, int64_t deadline_ns)
{
    struct barrier *d = of(b);
    int r;

    if (v->phase == OUTSIDE) {
        uint32_t me = mpri_who(actor);

        r = me ? take_seat(b, v, me) : mpri_who_not();
        if (r < 0)
            return r;
    }
    if (v->phase == SEATED) {
        r = await(d, v, deadline_ns);
        if (r == -EINTR)
            return r;
        if (r < 0)
            return leave(d, v, r);
        if (v->index == d->parties)
            return MPR_BARRIER_LAST;
    }
    r = await(d, v, deadline_ns);
    if (r == -EINTR)
        return r;
    if (r == -ETIMEDOUT) {
        break_it(d, &v->generation);
        r = outcome(d, v);
    }
    return leave(d, v, r);
}

int mpr_barrier_pass(mpr_barrier *b, struct mpr_barrier_visit *v)
{
    struct barrier *d = of(b);
    uint64_t s = mpri_load_acq(&d->state);

    MPRI_TESTPOINT("barrier.passing");
    while (generation_of(s) == v->generation && s & PASSING)
        /* Pairs with: outcome. Commit point. */
        if (mpri_cas_seq(&d->state, &s, next_generation(s)))
            break;
    MPRI_TESTPOINT("barrier.passed");
    mpri_gate_open(&d->gate, UINT32_MAX);
    return leave(d, v, outcome(d, v));
}

void mpr_barrier_leave(mpr_barrier *b, struct mpr_barrier_visit *v)
{
    struct barrier *d = of(b);

    if (v->phase == OUTSIDE)
        return;
    if (v->phase == ARRIVED)
        break_it(d, &v->generation);
    leave(d, v, 0);
}

int mpr_barrier_abort(mpr_barrier *b)
{
    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    break_it(of(b), NULL);
    return 0;
}

int mpr_barrier_reset(mpr_barrier *b)
{
    struct barrier *d = of(b);
    uint64_t s, next;

    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    /* What died before the reset is not to break what comes after it. */
    look_behind(d, 0, UINT32_MAX);
    s = mpri_load_acq(&d->state);
    do {
        next = s;
        if (s & RESETTING)
            break;
        if (!(s & BROKEN) && count_of(s) == 0)
            return 0; /* nobody is inside */
        next =
            (uint64_t)generation_of(s) << GENERATION_SHIFT | BROKEN | RESETTING;
    } while (!mpri_cas_seq(&d->state, &s, next));
    MPRI_TESTPOINT("barrier.reset");
    finish_reset(d, next);
    return 0;
}

uint32_t mpr_barrier_parties(const mpr_barrier *b)
{
    return of(b)->parties;
}

uint32_t mpr_barrier_waiting(const mpr_barrier *b)
{
    return count_of(mpri_load_acq(&of(b)->state));
}

int mpr_barrier_is_broken(const mpr_barrier *b)
{
    return (mpri_load_acq(&of(b)->state) & (BROKEN | RESETTING)) == BROKEN;
}
