#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void mpri_child_signals(void)
{
    sigset_t none;

    for (int signo = 1; signo < 32; signo++)
        if (signo != SIGKILL && signo != SIGSTOP)
            signal(signo, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void mpri_child_stdin(void)
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

int mpri_exec(const char *const *argv, char *const *env, const int *keep,
              int keep_count, bool with_parent)
{
    pid_t parent = getpid();
    volatile int failed = 0; /* the child shares our memory until it execs */
    sigset_t all, before;
    pid_t pid;

    /* No handler of the host may run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = vfork();
    if (pid == 0) {
        mpri_child_signals();
        mpri_child_stdin();
        keep_only(keep, keep_count);
        if (with_parent && mpri_end_with_parent(parent, SIGKILL) < 0)
            _exit(255);
        execve(argv[0], (char *const *)argv, env);
        failed = errno;
        _exit(255);
    }
    if (pid < 0)
        failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return -failed;
    }
    return pid;
}
