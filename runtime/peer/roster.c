#include "peer/roster.h"
#include "base/near.h"

#include "base/testpoint.h"
#include "os/call.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const uint32_t no_member;
MPRI_NEAR_DATA struct mpri_self mpri_self = {.slot = MPRI_NO_SLOT,
                                             .mark = &no_member};

/* Lies behind the last slot's last field: how far the roster was used. */
static mpri_a32 *roster_end(void)
{
    return (mpri_a32 *)mpri_at(MPRI_AT_TABLE - 64);
}

/* Births are told to a clock tick; numbers are not used again that fast. */
static const uint64_t BORN_WITHIN = 20000000;

/* How long a predecessor in the slot may take to be torn down. */
static const int64_t ENTER_NS = 10000000000;

static uint32_t life(uint32_t generation, enum mpri_slot_state state)
{
    return generation << 2 | state;
}

static enum mpri_slot_state state_of(uint32_t life_word)
{
    return (enum mpri_slot_state)(life_word & 3);
}

static uint64_t byte_of(uint32_t slot)
{
    return MPRI_LIVENESS + slot;
}

uint32_t mpri_roster_end(void)
{
    return mpri_load_acq(roster_end());
}

static int back_slot(uint32_t slot)
{
    uint64_t off = MPRI_AT_ROSTER + (uint64_t)slot * MPRI_SLOT_SIZE;

    if (slot == 0) {
        int err =
            mpri_shm_back(mpri_map.fd, MPRI_AT_TABLE - MPRI_PAGE, MPRI_PAGE);

        if (err < 0)
            return err;
    }
    return mpri_shm_back(mpri_map.fd, off / MPRI_PAGE * MPRI_PAGE, MPRI_PAGE);
}

int mpri_roster_take(const char *name, uint32_t *slot)
{
    uint32_t end = mpri_load_rlx(roster_end());
    struct mpri_slot *s;
    uint32_t i;

    for (i = 0; i < end; i++)
        if (mpri_slot_state(i) == MPRI_SLOT_FREE)
            break;
    if (i == MPRI_SLOTS)
        return -EUSERS;
    if (i == end) {
        if (i % (MPRI_PAGE / MPRI_SLOT_SIZE) == 0) {
            int err = back_slot(i);

            if (err < 0)
                return err;
        }
        mpri_store_rel(roster_end(), i + 1);
    }
    s = mpri_slot(i);
    mpri_store_rlx(&s->pid, (uint64_t)mpri_slot_generation(i) << 32);
    mpri_store_rlx(&s->entered, 0);
    mpri_store_rlx(&s->waits_for, 0);
    /* Odd when a process died while it waited; never goes back. */
    mpri_store_rlx(&s->wait_number, (mpri_load_rlx(&s->wait_number) | 1) + 1);
    mpri_store_rlx(&s->worker, 0);
    mpri_store_rlx(&s->creator, mpri_self.slot);
    mpri_store_rlx(&s->creator_generation, mpri_self.generation);
    strncpy(s->name, name ? name : "", sizeof s->name - 1);
    s->name[sizeof s->name - 1] = '\0';
    /* Pairs with: mpri_peer_alive; publishes the creator. */
    mpri_store_rel(&s->life, life(mpri_slot_generation(i), MPRI_SLOT_STARTING));
    MPRI_TESTPOINT("roster.taken");
    *slot = i;
    return 0;
}

MPRI_NEAR_DATA static uint32_t
    *mark_page; /* one page per process, kept through forks */

static int make_mark_page(void)
{
    void *page;
    int err;

    if (mark_page)
        return 0;
    err = mpri_wipe_page(&page);
    if (err == 0)
        mark_page = page;
    return err;
}

void mpri_roster_forked(uint32_t slot, uint32_t generation, pid_t pid)
{
    uint64_t unknown = (uint64_t)generation << 32;

    /* The process may have written it, or may be over, and the slot another's.
     * Pairs with: killed_on_its_way. */
    mpri_cas_rel(&mpri_slot(slot)->pid, &unknown, unknown | (uint32_t)pid);
}

/* The last step: what other threads see first. */
static void make_mark(void)
{
    /* Pairs with: mpri_self_mark; publishes mpri_self. */
    __atomic_store_n(mark_page, mpri_self.slot + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&mpri_self.mark, mark_page, __ATOMIC_RELEASE);
}

bool mpri_self_lost(void)
{
    return __atomic_load_n(&mpri_self.mark, __ATOMIC_ACQUIRE) != &no_member &&
           !mpri_self_valid();
}

/* The byte may still be another's for a while: of a predecessor that is being
 * torn down, whose memory is gone, or of a child that came too late. */
MPRI_NEAR static int take_byte(uint32_t slot, uint32_t starting)
{
    int64_t until_ns = 0;
    int err;

    for (;;) {
        err = mpri_byte_take(mpri_map.fd, byte_of(slot));
        if (err != -EAGAIN)
            return err;
        if (until_ns == 0)
            until_ns = mpri_now_ns() + ENTER_NS;
        else if (mpri_now_ns() > until_ns)
            return err;
        if (mpri_load_acq(&mpri_slot(slot)->life) != starting)
            return -ESRCH;
        mpri_yield();
    }
}

/* Of a process that is not a member yet. A number stays the same parent's while
 * that lives, and a process of another namespace sees no parent: so who sees
 * the one that it was forked by is in that one's namespace. */
MPRI_NEAR static uint64_t own_namespace(void)
{
    bool forked = mpri_self.pid != 0 &&
                  mpri_call(SYS_getppid, 0, 0, 0, 0) == mpri_self.pid;

    return forked ? mpri_self.namespace : mpri_pid_namespace();
}

MPRI_NEAR int mpri_roster_enter(uint32_t slot, uint32_t generation)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint32_t starting = life(generation, MPRI_SLOT_STARTING);
    pid_t pid = (pid_t)mpri_call(SYS_getpid, 0, 0, 0, 0);
    int err;

    if (mpri_load_acq(&s->life) != starting)
        return -ESRCH;
    err = make_mark_page();
    if (err < 0)
        return err;
    MPRI_TESTPOINT("roster.unborn");
    err = take_byte(slot, starting);
    if (err < 0)
        return err;
    /* If the slot has become another's, that one waits for the byte, and
     * writes these after us. */
    mpri_store_rlx(&s->namespace, own_namespace());
    mpri_store_rlx(&s->entered, mpri_boot_ns());
    mpri_store_rlx(&s->pid, (uint64_t)generation << 32 | (uint32_t)pid);
    MPRI_TESTPOINT("roster.entering");
    /* Pairs with: mpri_peer_alive; publishes pid, birth, namespace. */
    if (!mpri_cas_rel(&s->life, &starting, life(generation, MPRI_SLOT_LIVE))) {
        mpri_byte_give(mpri_map.fd, byte_of(slot));
        return -ESRCH;
    }
    mpri_self.slot = slot;
    mpri_self.generation = generation;
    mpri_self.pid = pid;
    mpri_self.namespace = mpri_load_rlx(&s->namespace);
    make_mark();
    MPRI_TESTPOINT("roster.entered");
    return 0;
}

MPRI_NEAR void mpri_roster_leave(void)
{
    __atomic_store_n(mark_page, 0, __ATOMIC_RELEASE);
    MPRI_TESTPOINT("roster.leaving");
    mpri_roster_ended(mpri_self.slot, mpri_self.generation);
    /* The next in this slot need not wait until we are torn down. */
    mpri_byte_give(mpri_map.fd, byte_of(mpri_self.slot));
}

void mpri_roster_renew(void)
{
    if (mpri_self_valid())
        mpri_byte_take(mpri_map.fd, byte_of(mpri_self.slot));
}

/* The byte is free: dead, unless the process lost it by closing another
 * descriptor of the arena's file. */
static bool confirmed_dead(const struct mpri_slot *s)
{
    struct mpri_pid_facts facts;
    int err;

    if (mpri_load_rlx(&s->namespace) != mpri_self.namespace)
        return true;
    err = mpri_pid_look((pid_t)mpri_slot_pid(s), &facts);
    if (err < 0)
        return err == -ESRCH;
    /* What is too small to map the arena is another program, which the
     * process has become by exec. */
    return facts.born_ns > mpri_load_rlx(&s->entered) + BORN_WITHIN ||
           facts.mapped < mpri_map.size;
}

/* Whether a slot that reads LIVE has its process. */
static bool holds_byte(const struct mpri_slot *s, uint32_t slot)
{
    return mpri_byte_taken(mpri_map.fd, byte_of(slot)) != 0 ||
           !confirmed_dead(s);
}

/* Its creator forked it, and may be busy; but it is gone, or a zombie. */
static bool killed_on_its_way(const struct mpri_slot *s, uint32_t generation,
                              const struct mpri_slot *creator)
{
    uint64_t pid = mpri_load_acq(&s->pid);
    struct mpri_pid_facts facts;

    return pid >> 32 == generation && (uint32_t)pid != 0 &&
           mpri_load_rlx(&creator->namespace) == mpri_self.namespace &&
           mpri_pid_look((pid_t)(uint32_t)pid, &facts) == -ESRCH;
}

bool mpri_peer_alive(uint32_t slot)
{
    uint32_t word, creator, creator_generation;
    const struct mpri_slot *s;

    for (unsigned steps = 0; steps <= MPRI_SLOTS; steps++) {
        if (slot == mpri_self.slot)
            return true;
        if (slot >= mpri_roster_end())
            return false;
        s = mpri_slot(slot);
        /* Pairs with: mpri_roster_take, mpri_roster_enter. */
        word = mpri_load_acq(&s->life);
        switch (state_of(word)) {
        case MPRI_SLOT_LIVE:
            if (holds_byte(s, slot))
                return true;
            /* What was read may have been the next one's. */
            if (mpri_load_acq(&s->life) == word)
                return false;
            continue;
        case MPRI_SLOT_STARTING:
            /* On its way in; else as long as its creator. */
            if (mpri_byte_taken(mpri_map.fd, byte_of(slot)) != 0)
                return true;
            creator = mpri_load_rlx(&s->creator);
            creator_generation = mpri_load_rlx(&s->creator_generation);
            if (mpri_load_acq(&s->life) != word)
                continue;
            if (creator >= MPRI_SLOTS)
                return true; /* the first process, on its way in */
            if (killed_on_its_way(s, word >> 2, mpri_slot(creator)) &&
                mpri_load_acq(&s->life) == word)
                return false;
            if (mpri_slot_generation(creator) != creator_generation)
                return false;
            slot = creator;
            continue;
        case MPRI_SLOT_FREE:
        case MPRI_SLOT_ENDED:
            return false;
        }
    }
    return false;
}

bool mpri_peer_over(uint32_t slot, uint32_t *generation)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint32_t word, g;

    if (slot == mpri_self.slot || slot >= mpri_roster_end())
        return false;
    word = mpri_load_acq(&s->life);
    g = word >> 2;
    if (state_of(word) == MPRI_SLOT_FREE)
        return false;
    if (state_of(word) != MPRI_SLOT_ENDED &&
        (mpri_peer_alive(slot) ||
         /* The verdict is on this word: not on what has become of it. */
         !mpri_cas_acq(&s->life, &word, life(g, MPRI_SLOT_ENDED))))
        return false;
    *generation = g;
    return true;
}

bool mpri_peer_still_over(uint32_t slot, uint32_t generation)
{
    return mpri_load_acq(&mpri_slot(slot)->life) ==
           life(generation, MPRI_SLOT_ENDED);
}

MPRI_NEAR void mpri_roster_ended(uint32_t slot, uint32_t generation)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint32_t word = mpri_load_acq(&s->life);

    while (word == life(generation, MPRI_SLOT_LIVE) ||
           word == life(generation, MPRI_SLOT_STARTING))
        if (mpri_cas_seq(&s->life, &word, life(generation, MPRI_SLOT_ENDED)))
            return;
}

void mpri_roster_free(uint32_t slot)
{
    /* Pairs with: mpri_roster_take. */
    mpri_store_rel(&mpri_slot(slot)->life,
                   life(mpri_slot_generation(slot) + 1, MPRI_SLOT_FREE));
}
