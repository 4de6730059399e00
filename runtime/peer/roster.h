#ifndef MPR_PEER_ROSTER_H
#define MPR_PEER_ROSTER_H

/* Who belongs to the family: one slot per process, at most MPRI_SLOTS at once.
 *
 * Liveness is not a flag that somebody must remember to clear: a live process
 * has the byte of its slot locked in the arena's file (os.h: mpri_byte_take),
 * and the kernel drops that lock at the process's end, whatever the end.
 *
 * States:       (generation and one of) FREE nobody · STARTING made by its
 *               creator, the process may not exist yet · LIVE its process took
 *               the byte · ENDED the process is over (it said so, or was found
 *               dead); its holds are being dropped
 *               FREE -> STARTING: the creator · STARTING -> LIVE: the process
 *               itself · STARTING, LIVE -> ENDED: the process at its end, its
 *               creator when it reaped it, or whoever found it dead · ENDED ->
 *               FREE of the next generation: the reaper, when no hold is left
 * Invariant:    a slot that is not FREE belongs to one process for good. State
 *               and generation are one word, so (slot, generation) never means
 *               two processes, and a verdict on one never falls on the next.
 *               Words in shared objects that name a slot only are cleared
 *               before it becomes FREE (life/reap.h).
 * If we die here: (STARTING, our child not made) the slot's life hangs on
 *               ours, so the reaper takes both; a child that comes too late
 *               finds another word and gives up (mpri_roster_enter). */

#include "mem/segment.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where the liveness bytes lie in the arena's file: beyond every byte of data,
 * so that nobody who locks parts of a file by habit meets one. */
#define MPRI_LIVENESS (1ULL << 62)

enum mpri_slot_state {
    MPRI_SLOT_FREE = 0,
    MPRI_SLOT_STARTING = 1,
    MPRI_SLOT_LIVE = 2,
    MPRI_SLOT_ENDED = 3,
};

enum {
    MPRI_NO_SLOT = 0xffff,
    MPRI_INLINE_HOLDS = 32,
    MPRI_HOLD_CHUNKS = 19,
    MPRI_PEER_NAME = 40,
};

struct mpri_slot {
    /* Line 0. Changed rarely, read by whoever asks about us. */
    mpri_a32 life;    /* generation << 2 | state; see above */
    mpri_a32 creator; /* slot of the process that made us */
    mpri_a32 creator_generation;
    mpri_a32 worker;    /* 1: of a pool. Written by the creator */
    mpri_a64 pid;       /* generation << 32 | pid, which is 0 until its creator
                         * has forked it or it has entered */
    mpri_a64 entered;   /* mpri_boot_ns when it entered: a process that has
                         * this pid and started later is another one */
    mpri_a64 namespace; /* the pid namespace in which pid means us */
    uint64_t unused0[3];

    /* Line 1. What this process waits for; written by itself without a lock,
     * read by those who look for a cycle of waiters. */
    mpri_a64 waits_for; /* see sync/deadlock.h */
    mpri_a64 wait_number;
    mpri_a64 wait_actor;
    uint64_t unused1[5];

    /* Lines 2…: the hold table, see life/hold.h. Guarded by: arena lock. */
    uint64_t held;                    /* entries in use */
    uint64_t room;                    /* entries in the chunks */
    uint64_t hold_end;                /* entries from here on are not in use */
    uint64_t holes;                   /* bit k: part k has free entries */
    uint64_t part[MPRI_HOLD_CHUNKS];  /* free and used entries of each part */
    uint64_t chunk[MPRI_HOLD_CHUNKS]; /* offsets of further entries */
    uint64_t unused2[6];
    uint64_t hold[MPRI_INLINE_HOLDS];

    char name[MPRI_PEER_NAME]; /* for messages; written while STARTING */
};
_Static_assert(sizeof(struct mpri_slot) <= MPRI_SLOT_SIZE, "slot size");

/* This process, as a member of the family. */
struct mpri_self {
    uint32_t slot;
    uint32_t generation;
    pid_t pid;
    uint64_t namespace;
    const uint32_t *mark; /* slot + 1, or 0 in a process that is no member: the
                           * page is wiped by the kernel at any fork */
};
extern struct mpri_self mpri_self;

static inline struct mpri_slot *mpri_slot(uint32_t slot)
{
    return (struct mpri_slot *)mpri_at(MPRI_AT_ROSTER +
                                       (uint64_t)slot * MPRI_SLOT_SIZE);
}

static inline enum mpri_slot_state mpri_slot_state(uint32_t slot)
{
    return (enum mpri_slot_state)(mpri_load_acq(&mpri_slot(slot)->life) & 3);
}

static inline uint32_t mpri_slot_generation(uint32_t slot)
{
    return mpri_load_acq(&mpri_slot(slot)->life) >> 2;
}

/* Whether the slot still waits for the process that it was taken for. Asked
 * under the arena lock the answer holds until that is let go, as far as holds
 * go: nobody drops those of a slot before it is ENDED. */
static inline bool mpri_slot_starts(uint32_t slot, uint32_t generation)
{
    return mpri_load_acq(&mpri_slot(slot)->life) ==
           (generation << 2 | MPRI_SLOT_STARTING);
}

static inline uint32_t mpri_slot_pid(const struct mpri_slot *s)
{
    return (uint32_t)mpri_load_acq(&s->pid);
}

/* Our slot + 1; 0 before the arena is open, after mpri_roster_leave, and in a
 * process that was forked by others. */
static inline uint32_t mpri_self_mark(void)
{
    /* Pairs with: make_mark; another thread may have opened the arena. */
    const uint32_t *mark = __atomic_load_n(&mpri_self.mark, __ATOMIC_ACQUIRE);

    return __atomic_load_n(mark, __ATOMIC_ACQUIRE);
}

/* Whether this process is a member. */
static inline bool mpri_self_valid(void)
{
    return mpri_self_mark() != 0;
}

/* Whether a process that is no member was one, or its parent was. */
bool mpri_self_lost(void);

/* Takes a FREE slot: -EUSERS when all are in use. The arena lock is held; the
 * change is one store, in no transaction. The slot's memory is backed. */
int mpri_roster_take(const char *name, uint32_t *slot);

/* For its creator, which knows the pid first. */
void mpri_roster_forked(uint32_t slot, uint32_t generation, pid_t pid);

/* Makes the calling process the one of the slot: takes the byte, writes pid
 * and birth, and goes LIVE. For a child: after the fork, before anything else
 * of the runtime. -ESRCH: the slot is not STARTING, or of another generation:
 * the creator died, and the slot was taken away. */
int mpri_roster_enter(uint32_t slot, uint32_t generation);

/* The calling process, which holds nothing any more, is no member from now on;
 * its slot is ENDED. No other thread of it may be inside the runtime. */
void mpri_roster_leave(void);

/* ENDED -> FREE, of the next generation. The arena lock is held, and nothing
 * in shared memory names the slot any more. */
void mpri_roster_free(uint32_t slot);

/* Our byte may have been lost to a close of a foreign descriptor: takes it
 * again when it is free. Called from slow paths. */
void mpri_roster_renew(void);

/* Whether the process of the slot lives. Own slot: yes, without asking. A
 * free byte is a suspicion only; within one pid namespace pid and birth
 * confirm it. May read /proc: not for hot paths. */
bool mpri_peer_alive(uint32_t slot);

/* Whether the slot belongs to a process that is over, which is then ENDED;
 * generation: its own. Not for one's own slot. May read /proc.
 *
 * Whoever holds the arena lock and finds the slot still ENDED and of this
 * generation knows: no other process has the slot now, and a word in a shared
 * object that names the slot means the dead one. */
bool mpri_peer_over(uint32_t slot, uint32_t *generation);

/* The second half of that: asked under the arena lock. */
bool mpri_peer_still_over(uint32_t slot, uint32_t generation);

/* The end of the process in the slot was seen: ENDED, unless it was already
 * or is another generation. */
void mpri_roster_ended(uint32_t slot, uint32_t generation);

/* One more than the highest slot that was ever taken. */
uint32_t mpri_roster_end(void);

#endif
