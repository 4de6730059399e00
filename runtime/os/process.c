#include "os/os.h"

#include "base/near.h"
#include "os/call.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int byte_lock(int fd, int cmd, short type, uint64_t off,
                     struct flock *lk)
{
    *lk = (struct flock){
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = (off_t)off,
        .l_len = 1,
    };
    for (;;) {
        long r = mpri_call_fcntl(fd, cmd, lk);

        if (r != -EINTR)
            return (int)r;
    }
}

MPRI_NEAR int mpri_byte_take(int fd, uint64_t off)
{
    struct flock lk;
    int r = byte_lock(fd, F_SETLK, F_WRLCK, off, &lk);

    return r == -EACCES ? -EAGAIN : r;
}

MPRI_NEAR int mpri_byte_give(int fd, uint64_t off)
{
    struct flock lk;

    return byte_lock(fd, F_SETLK, F_UNLCK, off, &lk);
}

int mpri_byte_taken(int fd, uint64_t off)
{
    struct flock lk;
    int r = byte_lock(fd, F_GETLK, F_WRLCK, off, &lk);

    return r < 0 ? r : lk.l_type != F_UNLCK;
}

static ssize_t read_small(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = read(fd, buf, cap - 1);
    if (n < 0)
        n = -errno;
    close(fd);
    if (n >= 0)
        buf[n] = '\0';
    return n;
}

/* Field n (from 3 on) of the text of a stat file, behind the name's ')'. */
static uint64_t stat_field(const char *p, int n)
{
    for (int field = 3; p && field < n; field++) {
        p = strchr(p, ' ');
        if (p)
            p++;
    }
    return p ? strtoull(p, NULL, 10) : 0;
}

int mpri_pid_look(pid_t pid, struct mpri_pid_facts *out)
{
    char path[40], buf[1024], *p;
    bool zombie;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    n = read_small(path, buf, sizeof buf);
    if (n < 0 && n != -ENOENT && n != -ESRCH) {
        /* No descriptor is left, or the like. */
        return kill(pid, 0) < 0 && errno == ESRCH ? -ESRCH : (int)n;
    }
    /* The name may hold spaces and parentheses: the fields follow the last
     * ')'. */
    p = n > 0 ? strrchr(buf, ')') : NULL;
    if (!p || p[1] != ' ')
        return -ESRCH;
    p += 2;
    /* A first thread that ended while others run looks like a zombie, too. */
    zombie = *p == 'Z' || *p == 'X';
    if (zombie && stat_field(p, 20) <= 1)
        return -ESRCH;
    out->born_ns =
        stat_field(p, 22) * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
    out->mapped = zombie ? UINT64_MAX : stat_field(p, 23);
    return 0;
}

uint64_t mpri_pid_namespace(void)
{
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) < 0)
        return 0;
    return (uint64_t)st.st_ino;
}

int mpri_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : (int)fd;
}

int mpri_pidfd_signal(int pidfd, int signo)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 ? -errno
                                                                     : 0;
}

int mpri_thread_count(void)
{
    char buf[1024], *p;
    int n;

    if (read_small("/proc/self/stat", buf, sizeof buf) <= 0)
        return 1;
    p = strrchr(buf, ')');
    n = p && p[1] == ' ' ? (int)stat_field(p + 2, 20) : 1;
    return n > 0 ? n : 1;
}

MPRI_NEAR bool mpri_single_threaded(void)
{
    /* Legal, and without any effect, if there is nobody to part from. */
    long r = mpri_call(SYS_unshare, CLONE_THREAD, 0, 0, 0);

    return r == 0 || (r != -EINVAL && mpri_thread_count() == 1);
}

MPRI_NEAR int mpri_end_with_parent(pid_t parent, int signo)
{
    long r = mpri_call(SYS_prctl, PR_SET_PDEATHSIG, signo, 0, 0);

    if (r < 0)
        return (int)r;
    /* A parent that ended before the line above sent nothing. */
    return mpri_call(SYS_getppid, 0, 0, 0, 0) == parent ? 0 : -ESRCH;
}
