#ifndef MPR_SYNC_SEATS_H
#define MPR_SYNC_SEATS_H

/* Who is inside an object: a table of seats that grows. Whoever enters takes
 * a seat, so that others can address it, and notice when it is dead. A seat is
 * one cache line: its owner may spin on it.
 *
 * States:       owner 0 free · who taken by that actor
 *               0 -> who: mpri_seat_take · who -> 0: its owner, or, when that
 *               is dead, the reaper or whoever found it dead, under the arena
 *               lock
 * Invariant:    seats below used exist; used and the chunks never shrink, so
 *               an index once given stays valid as long as the object does.
 * If we die here: (a chunk made, not yet in the table) our hold table names
 *               it. (seat taken) the object's abandon frees it. */

#include "sync/owner.h"

struct mpri_seat {
    mpri_a32 owner;
    mpri_a32 state;  /* what the object makes of it; 0 when it is free */
    mpri_a64 number; /* likewise; kept when the seat changes hands */
    uint64_t unused[6];
};
_Static_assert(sizeof(struct mpri_seat) == 64, "a cache line");

/* Chunk k holds SEATS_FIRST << k seats. */
enum { MPRI_SEATS_FIRST = 15, MPRI_SEAT_CHUNKS = 11 };

/* Starts zeroed. */
struct mpri_seats {
    mpri_a32 used;
    mpri_a32 unused;
    uint64_t chunk[MPRI_SEAT_CHUNKS]; /* hold their blocks */
};

/* Takes a free seat for who, the one at hint if that is free: its index, or
 * -ENOMEM, -EUSERS. */
int mpri_seat_take(struct mpri_seats *s, uint32_t who, uint32_t hint);

static inline struct mpri_seat *mpri_seat_at(const struct mpri_seats *s,
                                             uint32_t index)
{
    uint32_t k = 31 - (uint32_t)__builtin_clz(index / MPRI_SEATS_FIRST + 1);
    uint32_t start = MPRI_SEATS_FIRST * ((1U << k) - 1);
    /* Pairs with: mpri_ref_offer, by way of used or of the index. */
    uint64_t chunk = __atomic_load_n(&s->chunk[k], __ATOMIC_ACQUIRE);

    return (struct mpri_seat *)(void *)((char *)mpri_at(chunk) + 64) +
           (index - start);
}

static inline uint32_t mpri_seats_used(const struct mpri_seats *s)
{
    /* Pairs with: mpri_seat_take; the seats below exist. */
    return mpri_load_acq(&s->used);
}

/* Frees a seat that belongs to who, and is nobody else's by now. */
static inline void mpri_seat_leave(struct mpri_seat *seat, uint32_t who)
{
    /* Pairs with: mpri_seat_take. */
    mpri_cas_rel(&seat->owner, &who, 0);
}

/* Whether the seat belongs to a process that is over, and that nobody can
 * take the slot of: the arena is locked then, and the caller unlocks it. */
bool mpri_seat_lock_dead(struct mpri_seat *seat);

/* Drops the chunks; for destroy. */
void mpri_seats_destroy(struct mpri_seats *s);

#endif
