#ifndef MPR_SYNC_OWNER_H
#define MPR_SYNC_OWNER_H

/* The word that says who owns a lock: what Lock and RLock are made of, for any
 * number of processes and threads, each of which may be killed anywhere.
 *
 * States:       0 free · who owned by that actor of that process · ABANDONED
 *               free, but the last owner ended without giving it back · WAIT
 *               beside any of these: someone may be asleep
 *               0 -> who: acquire · ABANDONED -> who: acquire, which returns
 *               -EOWNERDEAD · who -> who|WAIT: a waiter before it sleeps ·
 *               who* -> 0: release (an RLock's: by the owner only) · dead* ->
 *               who|WAIT: a waiter that found the owner dead; its acquire
 *               returns -EOWNERDEAD · dead* -> ABANDONED: the reaper · who* ->
 *               ABANDONED: the owner, when its state or its process ends
 * Invariant:    someone asleep implies WAIT, or a wake on its way; WAIT with
 *               nobody asleep costs one needless wake.
 * If we die here: (owning) the word still names us, so the next waiter asks
 *               the roster and takes over; a process keeps a hold on whatever
 *               leads to a word that names it (kind.h: owned), so the reaper
 *               finds the word before the slot is given away. (releasing, the
 *               wake not sent) sleepers look again after at most 50 ms.
 *
 * It takes the first 64 bytes behind the block's header; sync/deadlock finds
 * everything it needs there. */

#include "base/atomic.h"
#include "life/block.h"
#include "peer/roster.h"

#include <errno.h>
#include <stdbool.h>

/* The name that the maker of an object gave it. Fixed after init. */
struct mpri_label {
    char text[32];
};

/* name: cut to 31 bytes; NULL is none. */
void mpri_label_set(struct mpri_label *l, const char *name);

struct mpri_owner {
    mpri_a32 word;
    mpri_a32 spin; /* credit, see waiter.h */
    /* Written by the owner only, after it acquired; others read them for
     * messages, and to judge a cycle of waiters that all stand still. */
    mpri_a32 depth; /* how often an RLock's owner acquired it */
    mpri_a32 sure;  /* nobody but the owner will release it */
    uint64_t unused[2];
    struct mpri_label label;
};
_Static_assert(sizeof(struct mpri_owner) == 64, "header and words: one line");

enum { MPRI_ACTOR_BITS = 18 };

/* A wait that goes on returns -EINTR about this often: a signal handler that
 * ran at the very end of a slice of sleep interrupts nothing, and its host is
 * to see what it left. Nanoseconds. */
enum { MPRI_LOOK_UP = 500000000 };
#define MPRI_OWNER_WAIT      0x80000000U
#define MPRI_OWNER_ABANDONED (0x1fffU << MPRI_ACTOR_BITS)

/* The actor of this process as it stands in shared words: slot + 1 and the
 * actor. 0 in a process that was forked by strangers, or for no actor. */
static inline uint32_t mpri_who(uint32_t actor)
{
    uint32_t mark = mpri_self_mark();

    if (mark == 0 || actor - 1 >= (1U << MPRI_ACTOR_BITS) - 1)
        return 0;
    return mark << MPRI_ACTOR_BITS | actor;
}

/* Why mpri_who returned 0. */
int mpri_who_not(void);

static inline uint32_t mpri_who_slot(uint32_t who)
{
    return ((who & ~MPRI_OWNER_WAIT) >> MPRI_ACTOR_BITS) - 1;
}

static inline uint32_t mpri_who_actor(uint32_t who)
{
    return who & ((1U << MPRI_ACTOR_BITS) - 1);
}

/* Whether a word that reads v has no owner. */
static inline bool mpri_owner_is_free(uint32_t v)
{
    v &= ~MPRI_OWNER_WAIT;
    return v == 0 || v == MPRI_OWNER_ABANDONED;
}

/* The owner's who; 0 when it is free or abandoned. */
static inline uint32_t mpri_owner_now(const struct mpri_owner *o)
{
    uint32_t v = mpri_load_acq(&o->word) & ~MPRI_OWNER_WAIT;

    return v == MPRI_OWNER_ABANDONED ? 0 : v;
}

/* Starts free. */
void mpri_owner_init(struct mpri_owner *o, const char *name);

/* What acquire does when the word is not simply free. */
int mpri_owner_wait(struct mpri_owner *o, uint32_t me, int64_t deadline_ns);

/* 0; -EOWNERDEAD: owned, but the last owner ended without giving it back;
 * -ETIMEDOUT; -EINTR; -EDEADLK (sync/deadlock.h). Not recursive. */
static inline int mpri_owner_acquire(struct mpri_owner *o, uint32_t me,
                                     int64_t deadline_ns)
{
    uint32_t v = 0;

    /* Pairs with: mpri_owner_release; brings what the last owner stored. */
    if (__builtin_expect(mpri_cas_acq(&o->word, &v, me), 1))
        return 0;
    return mpri_owner_wait(o, me, deadline_ns);
}

void mpri_owner_wake(struct mpri_owner *o);

/* Frees it if it is who's: false when it is not. */
static inline bool mpri_owner_release(struct mpri_owner *o, uint32_t who)
{
    uint32_t v = who;

    /* Pairs with: mpri_owner_acquire; publishes what the owner stored. */
    if (__builtin_expect(mpri_cas_rel(&o->word, &v, 0), 1))
        return true;
    if ((v & ~MPRI_OWNER_WAIT) != who)
        return false;
    if (!mpri_cas_rel(&o->word, &v, 0))
        return false;
    mpri_owner_wake(o);
    return true;
}

/* Gives up what who owns, so that the next to acquire is told; nothing when
 * it is not who's. */
void mpri_owner_abandon(struct mpri_owner *o, uint32_t who);

/* The same for every actor of a process that ended. For the reaper. */
void mpri_owner_abandon_slot(struct mpri_owner *o, uint32_t slot);

/* Whether an actor of the slot owns it. */
bool mpri_owner_is_slot(const struct mpri_owner *o, uint32_t slot);

/* Whether it is owned, and by a process that lives. */
bool mpri_owner_taken(struct mpri_owner *o);

#endif
