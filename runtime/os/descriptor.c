#include "os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Low numbers are what scripts redirect and hosts count on. */
enum { FIRST_NUMBER = 30 };

int mpri_fd_raise(int fd)
{
    int up;

    if (fd < 0)
        return -errno;
    up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_NUMBER);
    if (up < 0)
        return fd; /* few numbers are allowed: stay where we are */
    close(fd);
    return up;
}

int mpri_fd_keep_on_exec(int fd, bool keep)
{
    return fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}

uint32_t mpri_fd_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint32_t n = 0;

    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* the directory itself */
}

int mpri_write_all(int fd, const void *from, uint64_t size)
{
    const char *at = from;

    while (size > 0) {
        struct pollfd full = {.fd = fd, .events = POLLOUT};
        ssize_t n = write(fd, at, size);

        if (n >= 0) {
            at += n;
            size -= (uint64_t)n;
        } else if (errno == EAGAIN) {
            if (poll(&full, 1, 1000) == 0)
                return -EAGAIN;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int mpri_bell_create(void)
{
    return mpri_fd_raise(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void mpri_bell_ring(int fd)
{
    uint64_t one = 1;
    int saved = errno;

    /* A bell is never read: it rings by the edge. At its ceiling of 2^64-2
     * the write fails, after 500 years at a ring a nanosecond. */
    ssize_t n = write(fd, &one, sizeof one);

    (void)n;
    errno = saved;
}
