#include "sync/seats.h"

#include "base/testpoint.h"
#include "life/guard.h"

static const uint32_t MOST = MPRI_SEATS_FIRST * ((1U << MPRI_SEAT_CHUNKS) - 1);

/* The seat at index will exist. */
static int make_room(struct mpri_seats *s, uint32_t index)
{
    uint32_t k = 31 - (uint32_t)__builtin_clz(index / MPRI_SEATS_FIRST + 1);
    mpr_handle h;
    int err;

    if (__atomic_load_n(&s->chunk[k], __ATOMIC_ACQUIRE))
        return 0;
    err = mpri_block_create(32 + ((uint64_t)MPRI_SEATS_FIRST << k) *
                                     sizeof(struct mpri_seat),
                            MPRI_BLOCK_ZERO | MPRI_BLOCK_PRIVATE, &h);
    if (err < 0)
        return err;
    MPRI_TESTPOINT("seats.chunk");
    if (!mpri_ref_offer(&s->chunk[k], &h))
        mpri_drop(&h);
    return 0;
}

static bool take(struct mpri_seats *s, uint32_t index, uint32_t who)
{
    struct mpri_seat *seat = mpri_seat_at(s, index);
    uint32_t nobody = 0;

    /* Pairs with: mpri_seat_leave. */
    return mpri_load_rlx(&seat->owner) == 0 &&
           mpri_cas_acq(&seat->owner, &nobody, who);
}

int mpri_seat_take(struct mpri_seats *s, uint32_t who, uint32_t hint)
{
    if (hint < mpri_seats_used(s) && take(s, hint, who))
        return (int)hint;
    for (uint32_t i = 0; i < MOST; i++) {
        uint32_t end = i;

        if (i >= mpri_seats_used(s)) {
            int err = make_room(s, i);

            if (err < 0)
                return err;
            /* Pairs with: mpri_seats_used. Fails when another was faster. */
            mpri_cas_rel(&s->used, &end, i + 1);
        }
        if (take(s, i, who))
            return (int)i;
    }
    return -EUSERS;
}

bool mpri_seat_lock_dead(struct mpri_seat *seat)
{
    uint32_t who = mpri_load_acq(&seat->owner), generation;

    if (!who || !mpri_peer_over(mpri_who_slot(who), &generation))
        return false;
    mpri_guard_lock();
    if (mpri_peer_still_over(mpri_who_slot(who), generation) &&
        mpri_load_acq(&seat->owner) == who)
        return true;
    mpri_guard_unlock();
    return false;
}

void mpri_seats_destroy(struct mpri_seats *s)
{
    for (unsigned k = 0; k < MPRI_SEAT_CHUNKS; k++)
        mpri_ref_drop(&s->chunk[k]);
}
