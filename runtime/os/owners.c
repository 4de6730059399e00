/* What other processes have locked and open, as /proc tells. */

#include "os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* "1: POSIX  ADVISORY  WRITE 27141 00:01:56 4611686018427387904 …" */
static int parse(const char *line, dev_t dev, uint64_t off, pid_t *pid,
                 uint64_t *inode)
{
    unsigned long long ino, start;
    unsigned major, minor;
    long id;

    if (sscanf(line, "%*d: POSIX %*s WRITE %ld %x:%x:%llu %llu", &id, &major,
               &minor, &ino, &start) != 5)
        return 0;
    if (major != major(dev) || minor != minor(dev) || start < off || id <= 0)
        return 0;
    *pid = (pid_t)id;
    *inode = ino;
    return 1;
}

int mpri_bytes_owners(int fd, uint64_t off,
                      void (*visit)(void *arg, pid_t pid, uint64_t inode),
                      void *arg)
{
    char *line = NULL;
    size_t capacity = 0;
    struct stat st;
    FILE *f;

    if (fstat(fd, &st) < 0)
        return -errno;
    f = fopen("/proc/locks", "re");
    if (!f)
        return -errno;
    while (getline(&line, &capacity, f) > 0) {
        uint64_t inode;
        pid_t pid;

        if (parse(line, st.st_dev, off, &pid, &inode))
            visit(arg, pid, inode);
    }
    free(line);
    fclose(f);
    return 0;
}

int mpri_file_of(pid_t pid, uint64_t inode, int fd)
{
    char path[40];
    struct stat like, st;
    const struct dirent *e;
    int found = -ENOENT;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    dir = opendir(path);
    if (!dir || fstat(fd, &like) < 0) {
        found = -errno;
        if (dir)
            closedir(dir);
        return found;
    }
    while (found == -ENOENT && (e = readdir(dir))) {
        if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0) < 0)
            continue;
        if (st.st_dev != like.st_dev || st.st_ino != inode)
            continue;
        found = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
        if (found < 0)
            found = -errno;
    }
    closedir(dir);
    return found;
}
