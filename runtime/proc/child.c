/* The child's side: its first and last steps. */

#include "base/testpoint.h"
#include "ipc/select.h"
#include "life/reap.h"
#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"
#include "proc/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { CANNOT_START = 255 };

static struct {
    uint32_t slot, generation; /* of the parent, as a member */
    pid_t pid;
} parent = {.slot = MPRI_NO_SLOT};

static void default_signals(void)
{
    sigset_t none;

    for (int signo = 1; signo < 32; signo++)
        if (signo != SIGKILL && signo != SIGSTOP)
            signal(signo, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void null_stdin(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd > 0) {
        dup2(fd, 0);
        close(fd);
    }
}

void mpri_child_begin(uint32_t slot, int daemon, uint32_t parent_pid)
{
    MPRI_TESTPOINT("child.forked");
    parent.slot = mpri_self.slot;
    parent.generation = mpri_self.generation;
    parent.pid = (pid_t)parent_pid;
    if (daemon && mpri_end_with_parent((pid_t)parent_pid, SIGKILL) < 0)
        _exit(CANNOT_START);
    default_signals();
    if (mpri_roster_enter(slot) < 0)
        _exit(CANNOT_START);
    MPRI_TESTPOINT("child.entered");
    mpri_process_forget_all();
    mpri_select_forget();
    null_stdin();
}

int mpr_parent_pid(void)
{
    return (int)parent.pid;
}

int mpr_parent_alive(void)
{
    if (parent.slot == MPRI_NO_SLOT)
        return 0;
    if (mpri_load_acq(&mpri_slot(parent.slot)->generation) != parent.generation)
        return 0;
    return mpri_peer_alive(parent.slot);
}

void mpr_process_exit(struct mpr_process *self, int code)
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
        mpri_leave();
    }
    _exit(code);
}
