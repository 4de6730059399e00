#include "os/os.h"

#include "base/near.h"
#include "os/call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* Zeros are the kernel's words for default action, and for the empty mask. */
MPRI_NEAR void mpri_child_signals(void)
{
    unsigned long zeros[16] = {0};
    enum { MASK = 8, SIGNALS = 32 };

    for (int signo = 1; signo < SIGNALS; signo++)
        if (signo != SIGKILL && signo != SIGSTOP)
            mpri_call(SYS_rt_sigaction, signo, (long)zeros, 0, MASK);
    mpri_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)zeros, 0, MASK);
}

/* By the number that Linux gave /dev/null for good. */
bool mpri_stdin_is_null(void)
{
    struct stat st;

    return fstat(0, &st) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(1, 3);
}

MPRI_NEAR void mpri_child_stdin(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd > 0) {
        dup2(fd, 0);
        close(fd);
    }
}

/* Every descriptor but 0, 1, 2 and the kept ones closes at exec. */
static void keep_only(const int *keep, int count)
{
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        for (int fd = 3, max = (int)sysconf(_SC_OPEN_MAX); fd < max; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    for (int i = 0; i < count; i++)
        fcntl(keep[i], F_SETFD, 0);
}

/* What the child does with the parent's memory, while the parent stands still:
 * system calls only. */
struct order {
    const char *const *argv;
    char *const *env;
    const int *keep;
    int keep_count;
    bool with_parent;
    pid_t parent;
    int failed; /* errno of what went wrong */
};

static int run(void *arg)
{
    struct order *o = arg;
    int err;

    mpri_child_signals();
    mpri_child_stdin();
    keep_only(o->keep, o->keep_count);
    if (o->with_parent) {
        err = mpri_end_with_parent(o->parent, SIGKILL);
        if (err < 0)
            _exit(255);
    }
    execve(o->argv[0], (char *const *)o->argv, o->env);
    o->failed = errno;
    _exit(255);
}

int mpri_exec(const char *const *argv, char *const *env, const int *keep,
              int keep_count, bool with_parent)
{
    enum { STACK = 64 << 10 };
    struct order o = {argv, env, keep, keep_count, with_parent, getpid(), 0};
    sigset_t all, before;
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pid_t pid;

    if (stack == MAP_FAILED)
        return -errno;
    /* No handler of the host may run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = clone(run, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &o);
    if (pid < 0)
        o.failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK);
    if (o.failed) {
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return -o.failed;
    }
    return pid;
}
