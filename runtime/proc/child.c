/* The child's side: its first and last steps. */

#include "base/deadline.h"
#include "base/near.h"
#include "base/testpoint.h"
#include "ipc/select.h"
#include "life/reap.h"
#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"
#include "proc/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { CANNOT_START = 255 };

MPRI_NEAR_DATA static struct {
    uint32_t slot, generation; /* of the parent, as a member */
    pid_t pid;
} parent = {.slot = MPRI_NO_SLOT};

MPRI_NEAR void mpri_child_parent(uint32_t slot, int pid)
{
    const struct mpri_slot *s = mpri_slot(slot);

    parent.slot = mpri_load_rlx(&s->creator);
    parent.generation = mpri_load_rlx(&s->creator_generation);
    parent.pid = pid;
}

MPRI_NEAR void mpri_child_begin(const struct mpri_birth *b)
{
    mpri_child_parent(b->slot, (int)b->parent_pid);
    if (b->daemon && mpri_end_with_parent((pid_t)b->parent_pid, SIGKILL) < 0)
        _exit(CANNOT_START);
    mpri_child_signals();
    if (mpri_roster_enter(b->slot, b->generation) < 0)
        _exit(CANNOT_START);
    MPRI_TESTPOINT("child.entered");
    mpri_process_forget_all();
    mpri_select_forget();
    if (!b->has_null_stdin)
        mpri_child_stdin();
}

int mpr_parent_pid(void)
{
    return (int)parent.pid;
}

int mpr_parent_alive(void)
{
    if (parent.slot == MPRI_NO_SLOT)
        return 0;
    if (mpri_slot_generation(parent.slot) != parent.generation)
        return 0;
    return mpri_peer_alive(parent.slot);
}

int mpr_parent_fd(void)
{
    int fd = parent.pid > 0 ? mpri_pidfd_open(parent.pid) : -ESRCH;

    /* The number is still the parent's if it lives now. */
    if (fd >= 0 && !mpr_parent_alive()) {
        close(fd);
        return -ESRCH;
    }
    return fd;
}

int mpr_parent_join(int64_t deadline_ns)
{
    int fd = mpr_parent_fd();
    int r = 0;

    while (mpr_parent_alive()) {
        int64_t now = mpri_now_ns();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct timespec t = {0};

        if (now >= deadline_ns) {
            r = -ETIMEDOUT;
            break;
        }
        t.tv_nsec = (long)(mpri_earlier(deadline_ns - now, 50 * MPRI_MS));
        if (ppoll(&p, fd >= 0, &t, NULL) < 0 && errno == EINTR) {
            r = -EINTR;
            break;
        }
    }
    if (fd >= 0)
        close(fd);
    return r;
}

#ifdef MPR_COVERAGE
void __gcov_dump(void);
#endif

MPRI_NEAR void mpr_process_exit(struct mpr_process *self, int code)
{
    fflush(NULL);
    if (mpri_self_valid()) {
        if (self && self->h.block) {
            /* For a creator whose host takes exit statuses away from it. */
            struct mpri_process *d = mpri_process_data(&self->h);

            mpri_store_rel(&d->status,
                           MPRI_STATUS_ENDED | ((uint32_t)code & 0xff));
        }
        MPRI_TESTPOINT("child.leaving");
        /* Another thread may be inside any of our objects: then only the
         * kernel can say when it is over, and a reaper drops the holds. */
        if (mpri_single_threaded())
            mpri_leave();
    }
#ifdef MPR_COVERAGE
    __gcov_dump(); /* exit alone writes what was counted */
#endif
    _exit(code);
}
