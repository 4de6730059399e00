/* Event: a flag that processes wait for.
 *
 * States:       word: bit 0 set · the rest counts how often it was set
 *               clear -> set, counted: set · set -> clear: clear
 * Invariant:    a word that differs from what a waiter saw clear means that it
 *               was set since, even if it was cleared again: a set wakes all
 *               who wait at that moment.
 * If we die here: (set, gate not opened) sleepers look again within 500 ms.
 *
 * Nobody owns anything here, and set takes no lock: it is legal in a signal
 * handler, also in one that interrupted a set or a wait of the same event. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "mpr.h"
#include "os/os.h"
#include "sync/sync.h"
#include "wait/waiter.h"

enum { SET = 1, COUNT = 2 };

struct event {
    mpri_a32 word;
    mpri_a32 spin; /* credit, see waiter.h */
    struct mpri_gate gate;
    uint64_t unused[2];
    struct mpri_label label;
};

static struct event *of(const mpr_event *e)
{
    return mpri_data(&e->h);
}

static int ready(struct mpri_block *b)
{
    struct event *e = mpri_block_data(b);

    /* Pairs with: mpr_event_set. */
    return mpri_load_seq(&e->word) & SET;
}

static struct mpri_gate *gate(struct mpri_block *b)
{
    struct event *e = mpri_block_data(b);

    return &e->gate;
}

static const char *label(const struct mpri_block *b)
{
    const struct event *e = mpri_block_data(b);

    return e->label.text;
}

void mpri_event_register(void)
{
    static const struct mpri_kind event = {
        .name = "Event",
        .ready = ready,
        .gate = gate,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_EVENT, &event);
}

int mpr_event_create(mpr_event *e, const char *name)
{
    int err = mpri_sync_create(&e->h, sizeof(struct event));

    if (err < 0)
        return err;
    mpri_label_set(&of(e)->label, name);
    mpri_block_become(&e->h, MPR_KIND_EVENT);
    return 0;
}

int mpr_event_set(mpr_event *e)
{
    struct event *d = of(e);
    uint32_t v = mpri_load_rlx(&d->word);

    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    /* Pairs with: mpr_event_wait, mpr_event_is_set; seq, because the gate is
     * looked at next. */
    while (!(v & SET))
        if (mpri_cas_seq(&d->word, &v, (v + COUNT) | SET))
            break;
    MPRI_TESTPOINT("event.set");
    mpri_gate_open(&d->gate, UINT32_MAX);
    return 0;
}

int mpr_event_clear(mpr_event *e)
{
    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    mpri_and_seq(&of(e)->word, ~(uint32_t)SET);
    return 0;
}

int mpr_event_is_set(const mpr_event *e)
{
    return mpri_load_acq(&of(e)->word) & SET;
}

static int sleep_until_set(struct event *d, uint32_t seen, int64_t deadline_ns)
{
    int64_t until = mpri_earlier(deadline_ns, mpri_now_ns() + MPRI_LOOK_UP);
    int r = 0;

    for (;;) {
        uint32_t ticket = mpri_gate_prepare(&d->gate);

        if (mpri_load_seq(&d->word) != seen)
            return 0;
        if (r == -ETIMEDOUT && until < deadline_ns)
            return -EINTR;
        if (r < 0)
            return r;
        MPRI_TESTPOINT("event.sleeping");
        r = mpri_gate_wait(&d->gate, ticket, until);
    }
}

int mpr_event_wait(mpr_event *e, int64_t deadline_ns)
{
    struct event *d = of(e);
    /* Pairs with: mpr_event_set; brings what was stored before it. */
    uint32_t seen = mpri_load_acq(&d->word);
    struct mpri_spin spin;

    if (seen & SET)
        return 0;
    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    if (deadline_ns <= 0 || deadline_ns <= mpri_now_ns())
        return -ETIMEDOUT;
    spin = mpri_spin_begin(&d->spin);
    while (mpri_load_acq(&d->word) == seen && mpri_spin_more(&spin))
        ;
    mpri_spin_end(&spin, mpri_load_acq(&d->word) != seen);
    if (mpri_load_acq(&d->word) != seen)
        return 0;
    return sleep_until_set(d, seen, deadline_ns);
}
