#ifndef MPR_WAIT_WAITER_H
#define MPR_WAIT_WAITER_H

/* How processes sleep until another one changed something: the only caller
 * of the futex. A gate is two words beside the state that it guards.
 *
 *     for (;;) {                                  the sleeper
 *         uint32_t ticket = mpri_gate_prepare(&g);
 *         if (ready())
 *             break;
 *         r = mpri_gate_wait(&g, ticket, deadline_ns);
 *         if (r < 0)
 *             return r;
 *     }
 *
 *     publish();                                  the waker
 *     mpri_gate_open(&g, 1);
 *
 * States:       bit 0: someone may be asleep; stays until a wake found nobody ·
 *               bit 1: someone may watch by a bell (bells says which) · the
 *               rest counts openings
 * Invariant:    whoever sleeps set bit 0 and found "not ready" afterwards;
 *               whoever opens made "ready" first and looks at bit 0 then. Both
 *               are sequentially consistent, so one of the two sees the other
 *               (release and acquire alone would allow both to miss).
 * If we die here: a killed sleeper leaves bit 0 set: one needless wake. A
 *               waker killed between publishing and opening leaves sleepers
 *               that look again after their slice of 500 ms; so does one that
 *               was killed after a wake meant for another was spent on it. */

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct mpri_gate {
    mpri_a32 word;
    mpri_a32 bells; /* bit i: ring bell i when the gate opens */
};

enum { MPRI_BELLS = 8 };

enum {
    MPRI_GATE_ASLEEP = 1,
    MPRI_GATE_WATCHED = 2,
    MPRI_GATE_STEP = 4,
};

/* Announces a sleeper; what the state is must be asked after this. */
static inline uint32_t mpri_gate_prepare(struct mpri_gate *g)
{
    /* Pairs with: mpri_gate_open (seq: announce, then look at the state). */
    return mpri_or_seq(&g->word, MPRI_GATE_ASLEEP) | MPRI_GATE_ASLEEP;
}

/* Sleeps until the gate was opened since the ticket, at most to the end of a
 * slice. 0: look at the state again; -ETIMEDOUT: the deadline has passed;
 * -EINTR: a signal handler ran. Notices the deaths of other processes
 * meanwhile (DECISIONS: one elected sweeper). */
int mpri_gate_wait(struct mpri_gate *g, uint32_t ticket, int64_t deadline_ns);

void mpri_gate_open_slow(struct mpri_gate *g, uint32_t count);

/* Wakes at most count sleepers and rings the watchers' bells. The state was
 * changed before, by a seq store or followed by a seq exchange. Legal in a
 * signal handler. */
static inline void mpri_gate_open(struct mpri_gate *g, uint32_t count)
{
    /* Pairs with: mpri_gate_prepare, mpri_gate_watch. */
    if (mpri_load_seq(&g->word) & (MPRI_GATE_ASLEEP | MPRI_GATE_WATCHED))
        mpri_gate_open_slow(g, count);
}

/* Asks for the given bell to be rung at the next opening (once); what the
 * state is must be asked after this. */
void mpri_gate_watch(struct mpri_gate *g, uint32_t bell);

/* The bells of this process: made with the arena, or inherited. */
int mpri_bells_create(void);
extern int mpri_bell_fd[MPRI_BELLS];

/* The bell that this process listens to. */
uint32_t mpri_bell_own(void);

/* Bounded spinning before a sleep, adaptive per object: pays where the other
 * side answers within the price of a wake.
 *
 *     struct mpri_spin spin = mpri_spin_begin(&obj->spin_credit);
 *     while (!ready() && mpri_spin_more(&spin)) ;
 *     mpri_spin_end(&spin, ready());
 *
 * The credit is a hint; it is read and written relaxed, a lost update costs a
 * spin or a sleep. */
enum { MPRI_SPIN_CREDIT = 64 }; /* the most there is */
struct mpri_spin {
    mpri_a32 *credit;
    uint32_t turns;
    int64_t most_ns;
    int64_t until_ns;
};
struct mpri_spin mpri_spin_begin(mpri_a32 *credit);
/* The same, for at most so long instead of the price of a wake. */
struct mpri_spin mpri_spin_begin_for(mpri_a32 *credit, int64_t most_ns);
bool mpri_spin_more(struct mpri_spin *s);
void mpri_spin_end(struct mpri_spin *s, bool won);

/* Called at most every few hundred ms by sleepers, outside every lock: looks
 * for dead processes. Set by life/reap at start. */
extern void (*mpri_waiter_sweep)(void);

/* A sleep with nothing to wait for but the deadline or a signal. */
int mpri_waiter_pause(int64_t deadline_ns);

/* One slice of sleep while *word == expected; for wait/ only. */
int mpri_waiter_slice(mpri_a32 *word, uint32_t expected, int64_t until_ns);
void mpri_waiter_wake(mpri_a32 *word, uint32_t count);

#endif
