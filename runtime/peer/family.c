/* The family, as any member of it sees it. */

#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint32_t creator_pid(const struct mpri_slot *s)
{
    uint32_t slot = mpri_load_rlx(&s->creator), pid;
    uint32_t generation = mpri_load_rlx(&s->creator_generation);

    if (slot >= MPRI_SLOTS)
        return 0;
    pid = mpri_slot_pid(mpri_slot(slot));
    /* Generations only go up: what was read is that one's. */
    return mpri_slot_generation(slot) == generation ? pid : 0;
}

static bool look_at(uint32_t slot, struct mpr_relative *r)
{
    struct mpri_slot *s = mpri_slot(slot);
    uint32_t life = mpri_load_acq(&s->life);

    if ((life & 3) != MPRI_SLOT_LIVE || !mpri_peer_alive(slot))
        return false;
    r->slot = slot;
    r->generation = life >> 2;
    r->pid = (int)mpri_slot_pid(s);
    r->creator = (int)creator_pid(s);
    r->worker = (int)mpri_load_rlx(&s->worker);
    memcpy(r->name, s->name, sizeof r->name);
    r->name[sizeof r->name - 1] = '\0';
    /* Otherwise what was read may have been the next one's. An exchange stays
     * behind the reads above, a load would not. */
    return mpri_or_seq(&s->life, 0) == life;
}

uint32_t mpr_family(struct mpr_relative *out, uint32_t max)
{
    uint32_t n = 0;

    if (!mpr_is_member())
        return 0;
    for (uint32_t i = 0; i < mpri_roster_end(); i++) {
        struct mpr_relative r;

        if (!look_at(i, &r))
            continue;
        if (n < max)
            out[n] = r;
        n++;
    }
    return n;
}

int mpr_family_signal(const struct mpr_relative *r, int signo)
{
    const struct mpri_slot *s;
    int fd, err = -ESRCH;

    if (!mpr_is_member() || r->slot >= mpri_roster_end())
        return -ESRCH;
    s = mpri_slot(r->slot);
    if (mpri_load_rlx(&s->namespace) != mpri_self.namespace)
        return -ESRCH;
    fd = mpri_pidfd_open(r->pid);
    if (fd < 0)
        return fd;
    /* If it lives now, the number was its own when the descriptor was opened,
     * and the descriptor never means another. */
    if (mpri_load_acq(&s->life) == (r->generation << 2 | MPRI_SLOT_LIVE) &&
        mpri_slot_pid(s) == (uint32_t)r->pid && mpri_peer_alive(r->slot))
        err = mpri_pidfd_signal(fd, signo);
    close(fd);
    return err;
}
