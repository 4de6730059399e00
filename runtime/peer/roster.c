#include "peer/roster.h"

#include "base/testpoint.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct mpri_self mpri_self = {.slot = MPRI_NO_SLOT};

/* Lies behind the last slot's last field: how far the roster was used. */
static mpri_a32 *roster_end(void)
{
    return (mpri_a32 *)mpri_at(MPRI_AT_TABLE - 64);
}

/* Births are told to a clock tick; numbers are not used again that fast. */
static const uint64_t BORN_WITHIN = 20000000;

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
        if (mpri_load_acq(&mpri_slot(i)->state) == MPRI_SLOT_FREE)
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
    mpri_store_rlx(&s->pid, 0);
    mpri_store_rlx(&s->entered, 0);
    mpri_store_rlx(&s->flags, 0);
    mpri_store_rlx(&s->waits_for, 0);
    /* Odd when a process died while it waited; never goes back. */
    mpri_store_rlx(&s->wait_number, (mpri_load_rlx(&s->wait_number) | 1) + 1);
    mpri_store_rlx(&s->creator, mpri_self.slot);
    mpri_store_rlx(&s->creator_generation, mpri_self.generation);
    strncpy(s->name, name ? name : "", sizeof s->name - 1);
    s->name[sizeof s->name - 1] = '\0';
    /* Pairs with: mpri_peer_alive; publishes the creator. */
    mpri_store_rel(&s->state, MPRI_SLOT_STARTING);
    MPRI_TESTPOINT("roster.taken");
    *slot = i;
    return 0;
}

static int make_mark(void)
{
    static uint32_t *mark; /* one page per process, kept through forks */
    void *page;
    int err;

    if (!mark) {
        err = mpri_wipe_page(&page);
        if (err < 0)
            return err;
        mark = page;
    }
    *mark = mpri_self.slot + 1;
    mpri_self.mark = mark;
    return 0;
}

/* A process stays in its namespace, and so do those it forks. */
static uint64_t own_namespace(void)
{
    static mpri_a64 here;
    uint64_t n = mpri_load_rlx(&here);

    if (n == 0) {
        n = mpri_pid_namespace();
        mpri_store_rlx(&here, n);
    }
    return n;
}

int mpri_roster_enter(uint32_t slot)
{
    struct mpri_slot *s = mpri_slot(slot);
    int err;

    mpri_self.slot = slot;
    mpri_self.generation = mpri_load_rlx(&s->generation);
    mpri_self.pid = getpid();
    err = make_mark();
    if (err < 0)
        return err;
    /* The byte may still be held for an instant by a predecessor that is
     * being torn down; its memory is gone, so it cannot touch anything. */
    for (int i = 0; i < 1000; i++) {
        err = mpri_byte_take(mpri_map.fd, byte_of(slot));
        if (err != -EAGAIN)
            break;
        mpri_yield();
    }
    if (err < 0)
        return err;
    mpri_store_rlx(&s->namespace, own_namespace());
    mpri_store_rlx(&s->entered, mpri_boot_ns());
    mpri_store_rlx(&s->pid, (uint32_t)mpri_self.pid);
    MPRI_TESTPOINT("roster.entering");
    /* Pairs with: mpri_peer_alive; publishes pid, birth, namespace. */
    mpri_store_rel(&s->state, MPRI_SLOT_LIVE);
    MPRI_TESTPOINT("roster.entered");
    return 0;
}

void mpri_roster_renew(void)
{
    mpri_byte_take(mpri_map.fd, byte_of(mpri_self.slot));
}

/* The byte is free: dead, unless the process lost it by closing another
 * descriptor of the arena's file. */
static bool confirmed_dead(const struct mpri_slot *s)
{
    uint64_t born;

    if (mpri_load_rlx(&s->namespace) != own_namespace())
        return true;
    born = mpri_pid_born((pid_t)mpri_load_rlx(&s->pid));
    return born == 0 || born > mpri_load_rlx(&s->entered) + BORN_WITHIN;
}

/* Its creator forked it, and may be busy; but it is gone, or a zombie. */
static bool killed_on_its_way(const struct mpri_slot *s,
                              const struct mpri_slot *creator)
{
    uint32_t pid = mpri_load_acq(&s->pid);

    return pid &&
           mpri_load_rlx(&creator->namespace) ==
               mpri_load_rlx(&mpri_slot(mpri_self.slot)->namespace) &&
           mpri_pid_born((pid_t)pid) == 0 &&
           mpri_load_acq(&s->state) == MPRI_SLOT_STARTING;
}

bool mpri_peer_alive(uint32_t slot)
{
    uint32_t generation, creator, creator_generation;
    const struct mpri_slot *s;

    for (unsigned steps = 0; steps <= MPRI_SLOTS; steps++) {
        if (slot == mpri_self.slot)
            return true;
        if (slot >= mpri_roster_end())
            return false;
        s = mpri_slot(slot);
        generation = mpri_load_rlx(&s->generation);
        /* Pairs with: mpri_roster_take, mpri_roster_enter. */
        switch (mpri_load_acq(&s->state)) {
        case MPRI_SLOT_LIVE:
            if (mpri_byte_taken(mpri_map.fd, byte_of(slot)) != 0)
                return true;
            return !confirmed_dead(s);
        case MPRI_SLOT_STARTING:
            creator = mpri_load_rlx(&s->creator);
            creator_generation = mpri_load_rlx(&s->creator_generation);
            if (creator >= MPRI_SLOTS)
                return true; /* the first process, on its way in */
            if (killed_on_its_way(s, mpri_slot(creator)))
                return false;
            if (mpri_load_acq(&mpri_slot(creator)->generation) !=
                creator_generation)
                return false;
            slot = creator;
            continue;
        default:
            return false;
        }
    }
    (void)generation;
    return false;
}

bool mpri_peer_over(uint32_t slot, uint32_t *generation)
{
    const struct mpri_slot *s = mpri_slot(slot);
    uint32_t g, state;

    if (slot == mpri_self.slot || slot >= mpri_roster_end())
        return false;
    g = mpri_load_acq(&s->generation);
    state = mpri_load_acq(&s->state);
    if (state == MPRI_SLOT_FREE)
        return false;
    if (state != MPRI_SLOT_ENDED) {
        if (mpri_peer_alive(slot))
            return false;
        mpri_roster_ended(slot, g);
    }
    *generation = g;
    return true;
}

bool mpri_peer_still_over(uint32_t slot, uint32_t generation)
{
    const struct mpri_slot *s = mpri_slot(slot);

    return mpri_load_acq(&s->generation) == generation &&
           mpri_load_acq(&s->state) == MPRI_SLOT_ENDED;
}

void mpri_roster_ended(uint32_t slot, uint32_t generation)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint32_t state = mpri_load_acq(&s->state);

    while (state == MPRI_SLOT_LIVE || state == MPRI_SLOT_STARTING) {
        if (mpri_load_rlx(&s->generation) != generation)
            return;
        if (mpri_cas_acq(&s->state, &state, MPRI_SLOT_ENDED))
            return;
    }
}
