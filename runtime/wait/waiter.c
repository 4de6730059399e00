#include "wait/waiter.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>

void (*mpri_waiter_sweep)(void);
int mpri_bell_fd[MPRI_BELLS] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* Who waits for nobody in particular wakes this often to look around: 64
 * sleepers cost 0.1 % of a CPU. */
static const int64_t SLICE = 500 * MPRI_MS;

/* Spinning longer than a wake costs (about 30 µs here) cannot pay. */
static const int64_t SPIN_NS = 40000;
enum { SPIN_RELAX = 16, CREDIT_TRY = 8 };

int mpri_waiter_slice(mpri_a32 *word, uint32_t expected, int64_t until_ns)
{
    return mpri_futex_wait(word, expected, until_ns);
}

void mpri_waiter_wake(mpri_a32 *word, uint32_t count)
{
    mpri_futex_wake(word, count);
}

int mpri_gate_wait(struct mpri_gate *g, uint32_t ticket, int64_t deadline_ns)
{
    int64_t now = mpri_now_ns();
    int r;

    if (deadline_ns <= now)
        return -ETIMEDOUT;
    r = mpri_futex_wait(&g->word, ticket,
                        mpri_earlier(deadline_ns, now + SLICE));
    if (r == -EINTR)
        return r;
    if (r == -ETIMEDOUT) {
        if (mpri_waiter_sweep)
            mpri_waiter_sweep();
        if (deadline_ns != MPR_FOREVER && mpri_now_ns() >= deadline_ns)
            return -ETIMEDOUT;
    }
    return 0;
}

/* Wakes count sleepers. Who lies down relies on the mark and leaves the word as
 * it is when the mark is there already, so it may go only when nobody sleeps;
 * who lay down between the look and its going is woken to mark it again. */
static void wake(struct mpri_gate *g, uint32_t count)
{
    uint32_t word = mpri_load_rlx(&g->word);

    if ((uint32_t)mpri_futex_wake(&g->word, count) >= count)
        return;
    MPRI_TESTPOINT("gate.emptied");
    if (word & MPRI_GATE_ASLEEP &&
        mpri_cas_seq(&g->word, &word,
                     (word & ~(uint32_t)MPRI_GATE_ASLEEP) + MPRI_GATE_STEP))
        mpri_futex_wake(&g->word, UINT32_MAX);
}

void mpri_gate_open_slow(struct mpri_gate *g, uint32_t count)
{
    uint32_t old = mpri_load_rlx(&g->word);

    /* The count moves on, so that a sleeper between its look at the state
     * and its sleep finds the word changed. The mark of sleepers stays: there
     * may be more than are woken, and the next to open must know. */
    while (!mpri_cas_seq(&g->word, &old,
                         (old & ~(uint32_t)MPRI_GATE_WATCHED) + MPRI_GATE_STEP))
        ;
    if (old & MPRI_GATE_ASLEEP)
        wake(g, count);
    if (old & MPRI_GATE_WATCHED) {
        uint32_t bells = mpri_swap_seq(&g->bells, 0);

        for (uint32_t i = 0; bells; i++, bells >>= 1)
            if (bells & 1 && i < MPRI_BELLS)
                mpri_bell_ring(mpri_bell_fd[i]);
    }
}

void mpri_gate_watch(struct mpri_gate *g, uint32_t bell)
{
    mpri_or_seq(&g->bells, 1U << bell);
    /* Pairs with: mpri_gate_open (seq: announce, then look at the state). */
    mpri_or_seq(&g->word, MPRI_GATE_WATCHED);
}

int mpri_bells_create(void)
{
    for (int i = 0; i < MPRI_BELLS; i++) {
        mpri_bell_fd[i] = mpri_bell_create();
        if (mpri_bell_fd[i] < 0)
            return mpri_bell_fd[i];
    }
    return 0;
}

uint32_t mpri_bell_own(void)
{
    return mpri_self.slot % MPRI_BELLS;
}

int mpri_waiter_pause(int64_t deadline_ns)
{
    static mpri_a32 never; /* nobody wakes it */
    int64_t now = mpri_now_ns();
    int r;

    while (now < deadline_ns) {
        r = mpri_futex_wait(&never, 0, mpri_earlier(deadline_ns, now + SLICE));
        if (r == -EINTR)
            return r;
        if (mpri_waiter_sweep && mpri_self_valid())
            mpri_waiter_sweep();
        now = mpri_now_ns();
    }
    return 0;
}

/* Credit: the number of waits, up to 64, that may spin before one that spun in
 * vain makes the object sleep at once. A spin that won earns two, one that
 * lost costs four; at 0 one wait in eight tries again. */
struct mpri_spin mpri_spin_begin_for(mpri_a32 *credit, int64_t most_ns)
{
    uint32_t c = mpri_load_rlx(credit);
    bool spin;

    if ((c & 0xff) >= CREDIT_TRY) {
        spin = true;
    } else {
        mpri_store_rlx(credit, c + 1);
        spin = (c & 0xff) == CREDIT_TRY - 1;
    }
    return (struct mpri_spin){
        .credit = credit, .most_ns = most_ns, .until_ns = spin ? 1 : 0};
}

struct mpri_spin mpri_spin_begin(mpri_a32 *credit)
{
    return mpri_spin_begin_for(credit, SPIN_NS);
}

bool mpri_spin_more(struct mpri_spin *s)
{
    if (s->until_ns == 0)
        return false;
    if (s->turns++ < SPIN_RELAX) {
        mpri_relax();
        return true;
    }
    if (s->until_ns == 1) {
        s->until_ns = mpri_now_ns() + s->most_ns;
    } else if (mpri_now_ns() > s->until_ns) {
        return false;
    }
    mpri_yield();
    return true;
}

void mpri_spin_end(struct mpri_spin *s, bool won)
{
    uint32_t c;

    if (s->until_ns == 0 || s->turns == 0)
        return;
    c = mpri_load_rlx(s->credit);
    if (won)
        c = c + 2 > MPRI_SPIN_CREDIT ? MPRI_SPIN_CREDIT : c + 2;
    else
        c = c > CREDIT_TRY + 4 ? c - 4 : 0;
    mpri_store_rlx(s->credit, c);
}
