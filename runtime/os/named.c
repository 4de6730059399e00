#include "os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Where shm_open of the C library, and Python, look. */
#define DIRECTORY "/dev/shm"

/* Whoever attaches or removes holds the file's lock for microseconds; a
 * process that was stopped meanwhile is not waited for longer than this. */
enum { PATIENCE_MS = 200 };

int mpri_named_check(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || strchr(name, '/') || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return -EINVAL;
    return n > MPRI_NAMED_MAX ? -ENAMETOOLONG : 0;
}

static void path_of(const char *name, char path[static 300])
{
    snprintf(path, 300, DIRECTORY "/%s", name);
}

static void describe(const struct stat *st, struct mpri_named *out)
{
    out->size = (uint64_t)st->st_size;
    out->inode = (uint64_t)st->st_ino;
    out->temporary = (st->st_mode & S_ISVTX) != 0;
}

int mpri_named_make(uint64_t size, bool temporary, struct mpri_named *out)
{
    struct stat st;
    int err, fd;

    if (size > INT64_MAX || size > mpri_limit_file())
        return -EFBIG; /* beyond the limit the kernel sends a signal */
    fd = open(DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    err = mpri_shm_back(fd, 0, size);
    if (err < 0)
        goto close;
    if (fchmod(fd, temporary ? S_ISVTX | 0600 : 0600) < 0 ||
        fstat(fd, &st) < 0) {
        err = -errno;
        goto close;
    }
    describe(&st, out);
    return fd;

close:
    close(fd);
    return err;
}

int mpri_named_publish(int fd, const char *name)
{
    char path[300], own[40];

    path_of(name, path);
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno
                                                                        : 0;
}

static int lock_file(int fd, int how)
{
    static const struct timespec ms = {.tv_nsec = 1000000};

    for (int i = 0; flock(fd, how | LOCK_NB) < 0; i++) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return -errno;
        if (i == PATIENCE_MS)
            return -EBUSY;
        nanosleep(&ms, NULL);
    }
    return 0;
}

/* Opens the file and locks it; one that lost its name meanwhile is not the
 * one that is meant. */
static int open_locked(const char *name, int how, struct mpri_named *out)
{
    char path[300];
    struct stat st;
    int fd, err;

    path_of(name, path);
    for (;;) {
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            return -errno;
        err = fstat(fd, &st) < 0 ? -errno : 0;
        if (err == 0 && !S_ISREG(st.st_mode))
            err = -EINVAL;
        if (err == 0)
            err = lock_file(fd, how);
        if (err == 0 && fstat(fd, &st) < 0)
            err = -errno;
        if (err < 0) {
            close(fd);
            return err;
        }
        if (st.st_nlink > 0)
            break;
        close(fd);
    }
    describe(&st, out);
    return fd;
}

int mpri_named_open(const char *name, struct mpri_named *out)
{
    return open_locked(name, LOCK_SH, out);
}

int mpri_named_claim(const char *name, struct mpri_named *out)
{
    return open_locked(name, LOCK_EX, out);
}

int mpri_named_unlink(const char *name)
{
    char path[300];

    path_of(name, path);
    return unlink(path) < 0 ? -errno : 0;
}

void mpri_named_close(int fd)
{
    flock(fd, LOCK_UN); /* of a copy that a child has, too */
    close(fd);
}

void mpri_named_each(void (*visit)(const char *name))
{
    DIR *dir = opendir(DIRECTORY);
    const struct dirent *e;
    struct stat st;

    if (!dir)
        return;
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.' ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISREG(st.st_mode) && st.st_mode & S_ISVTX &&
            st.st_uid == geteuid())
            visit(e->d_name);
    }
    closedir(dir);
}
