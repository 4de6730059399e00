/* Processes that begin in a program of their own (the start methods spawn and
 * forkserver): nothing of the creator's memory or descriptors is there but
 * the arena, the bells, and what was given.
 *
 * The creator and the program meet through one environment variable, which
 * names descriptors and the slot; the program removes it. The slot already
 * holds the PROCESS block, in its first entry. */

#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/segment.h"
#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"
#include "proc/process.h"
#include "wait/waiter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE MPRI_CHILD_VARIABLE

/* "fd slot generation parent-pid bell bell …"; read by init.c. */
static void describe(char text[MPRI_CHILD_TEXT], const struct mpri_process *d)
{
    int n = snprintf(text, MPRI_CHILD_TEXT, VARIABLE "=%d %u %u %u",
                     mpri_map.fd, d->slot, d->generation, d->creator_pid);

    for (int i = 0; i < MPRI_BELLS; i++)
        n += snprintf(text + n, MPRI_CHILD_TEXT - (size_t)n, " %d",
                      mpri_bell_fd[i]);
}

/* environ with the variable; one allocation. */
static char **make_environment(char *variable)
{
    size_t n = 0, j = 0;
    char **env;

    while (environ[n])
        n++;
    env = malloc((n + 2) * sizeof *env);
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], VARIABLE "=", sizeof VARIABLE) != 0)
            env[j++] = environ[i];
    env[j++] = variable;
    env[j] = NULL;
    return env;
}

int mpr_process_exec(struct mpr_process *p, const struct mpr_process_options *o)
{
    char variable[MPRI_CHILD_TEXT];
    int keep[MPRI_BELLS + 1 + MPR_PROCESS_FDS];
    struct mpri_process *d;
    char **env;
    int n = 0, pid, err;

    if (o->fd_count > MPR_PROCESS_FDS)
        return -EMFILE;
    d = mpri_process_data(&p->h);
    describe(variable, d);
    env = make_environment(variable);
    if (!env)
        return -ENOMEM;
    err = mpri_hold_give(d->slot, d->generation, &p->h);
    if (err < 0) {
        free(env);
        return err;
    }
    keep[n++] = mpri_map.fd;
    for (int i = 0; i < MPRI_BELLS; i++)
        keep[n++] = mpri_bell_fd[i];
    for (unsigned i = 0; i < o->fd_count; i++)
        keep[n++] = o->fds[i];
    fflush(NULL);
    MPRI_TESTPOINT("process.exec");
    pid = mpri_exec(o->argv, env, keep, n, o->daemon);
    free(env);
    if (pid < 0)
        return pid;
    mpri_process_started(p, pid);
    return 0;
}
