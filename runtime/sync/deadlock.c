#include "sync/deadlock.h"

#include "base/deadline.h"
#include "mpr.h"
#include "os/os.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* wait_actor: the actor, and this beside it when there is a timeout. */
static const uint64_t TIMED = 1ULL << 32;

/* Between the two looks that make it certain. */
static const int64_t APART = MPRI_SECOND;

/* What was found last; per thread, as the call that returns it is. */
static _Thread_local struct {
    char text[1024];
    bool warning;    /* the text is a warning that nobody has read */
    uint64_t warned; /* the chain of the last warning */
} report;

const char *mpr_deadlock(void)
{
    return report.text;
}

const char *mpr_warning(void)
{
    if (!report.warning)
        return NULL;
    report.warning = false;
    return report.text;
}

/* The wait that was interrupted last, to go on with; its owner NULL: none. */
static _Thread_local struct mpri_watch interrupted_wait;

static void publish(struct mpri_watch *w)
{
    struct mpri_slot *s = mpri_slot(mpri_self.slot);
    uint64_t n = mpri_load_rlx(&s->wait_number), after = n + 1;

    if (w->number) {
        after = w->number;
        n = after + 1;
    }
    if (n & 1 || !mpri_cas_acq(&s->wait_number, &n, after)) {
        w->number = 0;
        return; /* another thread of this process has the word */
    }
    w->number = after;
    mpri_store_rlx(&s->wait_actor,
                   mpri_who_actor(w->me) | (w->forever ? 0 : TIMED));
    /* Pairs with: read_wait; publishes the actor. */
    mpri_store_rel(&s->waits_for, mpri_off(w->owner));
    w->published = true;
}

void mpri_deadlock_begin(struct mpri_watch *w, struct mpri_owner *o,
                         uint32_t me, bool forever)
{
    struct mpri_watch *last = &interrupted_wait;

    *w = (struct mpri_watch){.owner = o, .me = me, .forever = forever};
    if (last->owner == o && last->me == me && last->forever == forever)
        *w = *last;
    last->owner = NULL;
    publish(w);
}

void mpri_deadlock_end(struct mpri_watch *w, bool interrupted)
{
    struct mpri_slot *s = mpri_slot(mpri_self.slot);

    if (!w->published)
        return;
    w->published = false;
    mpri_store_rel(&s->waits_for, 0);
    /* Pairs with: read_wait. */
    mpri_store_rel(&s->wait_number, w->number + 1);
    if (interrupted)
        interrupted_wait = *w;
}

/* What the actor who waits for: NULL when it is not known to wait. */
static struct mpri_owner *read_wait(uint32_t who, uint64_t *number,
                                    bool *forever)
{
    const struct mpri_slot *s = mpri_slot(mpri_who_slot(who));
    uint64_t n = mpri_load_acq(&s->wait_number), off, actor;
    unsigned kind;

    /* Pairs with: publish, mpri_deadlock_end. */
    off = mpri_load_acq(&s->waits_for);
    actor = mpri_load_acq(&s->wait_actor);
    if (!(n & 1) || off < sizeof(struct mpri_block) ||
        mpri_load_rlx(&s->wait_number) != n ||
        (uint32_t)actor != mpri_who_actor(who))
        return NULL;
    /* By now it may be over and its lock gone: what stands there may be
     * anything, and the second look will tell. */
    off -= sizeof(struct mpri_block);
    if (!mpri_block_plausible(off))
        return NULL;
    kind = mpri_block_kind(mpri_at(off));
    if (kind != MPR_KIND_LOCK && kind != MPR_KIND_RLOCK)
        return NULL;
    *number = n;
    *forever = !(actor & TIMED);
    return mpri_block_data(mpri_at(off));
}

/* A chain that comes back to where it began. */
struct chain {
    uint64_t locks; /* a hash of who waits for what */
    uint64_t waits; /* the same, with the numbers of the waits */
    uint32_t top;   /* its highest slot */
    bool certain;
    bool alive;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
    return hash ^ hash >> 29;
}

/* Called for each link: holder owns held and waits for wanted. */
typedef void visit_link(uint32_t holder, const struct mpri_owner *held,
                        const struct mpri_owner *wanted);

static bool follow(const struct mpri_watch *w, struct chain *c, bool ask,
                   visit_link *visit)
{
    struct mpri_owner *held = w->owner, *wanted;
    bool forever;
    uint64_t number;

    *c = (struct chain){
        .top = mpri_self.slot,
        .certain = w->forever,
        .alive = true,
    };
    for (unsigned steps = 0; steps < MPRI_SLOTS; steps++) {
        uint32_t holder = mpri_owner_now(held);
        uint32_t slot = mpri_who_slot(holder);

        if (!holder || slot >= MPRI_SLOTS)
            return false;
        c->certain &= mpri_load_rlx(&held->sure) != 0;
        c->locks = mix(mix(c->locks, mpri_off(held)), holder);
        c->waits = mix(c->waits, c->locks);
        if (holder == w->me) {
            if (visit)
                visit(holder, held, w->owner);
            return true;
        }
        wanted = read_wait(holder, &number, &forever);
        if (!wanted)
            return false;
        if (ask && !mpri_peer_alive(slot))
            c->alive = false;
        c->waits = mix(c->waits, number);
        c->certain &= forever;
        if (slot > c->top)
            c->top = slot;
        if (visit)
            visit(holder, held, wanted);
        held = wanted;
    }
    return false;
}

__attribute__((format(printf, 1, 2))) static void say(const char *form, ...)
{
    size_t used = strlen(report.text);
    va_list args;

    va_start(args, form);
    vsnprintf(report.text + used, sizeof report.text - used, form, args);
    va_end(args);
}

static void say_lock(const struct mpri_owner *o)
{
    const struct mpri_block *b = mpri_at(mpri_off(o) - sizeof *b);

    if (o->label.text[0])
        say("'%.*s'", (int)sizeof o->label - 1, o->label.text);
    else
        say("%s 0x%llx", mpri_kind(mpri_block_kind(b))->name,
            (unsigned long long)mpri_off(b));
}

static void say_link(uint32_t holder, const struct mpri_owner *held,
                     const struct mpri_owner *wanted)
{
    const char *end = report.text + strlen(report.text) - 1;

    if (*end != ' ')
        say("; ");
    say("%.*s holds ", MPRI_PEER_NAME - 1,
        mpri_slot(mpri_who_slot(holder))->name);
    say_lock(held);
    say(" and waits for ");
    say_lock(wanted);
}

/* Puts the chain into words, if it still is the one that was decided on: a wait
 * in it that is interrupted for a moment says nothing then. */
static bool tell(const struct mpri_watch *w, const struct chain *c)
{
    struct chain told;

    report.text[0] = '\0';
    say("%s: ", c->certain ? "deadlock" : "possible deadlock");
    return follow(w, &told, false, say_link) && told.waits == c->waits;
}

int mpri_deadlock_look(struct mpri_watch *w)
{
    struct chain c;
    int64_t now = mpri_now_ns();

    if (!w->published) {
        publish(w);
        return 0;
    }
    if (w->seen && now < w->due_ns)
        return 0;
    if (!follow(w, &c, w->seen != 0, NULL)) {
        w->seen = 0;
        return 0;
    }
    if (c.waits != w->seen) {
        w->seen = c.waits;
        w->due_ns = now + APART;
        return 0;
    }
    if (!c.alive || c.top != mpri_self.slot ||
        (!c.certain && c.locks == report.warned)) {
        w->due_ns = now + APART;
        return 0;
    }
    report.warning = false;
    if (!tell(w, &c))
        return 0; /* still due */
    w->due_ns = now + APART;
    if (c.certain)
        return -EDEADLK;
    report.warning = true;
    report.warned = c.locks;
    return -EINTR;
}
