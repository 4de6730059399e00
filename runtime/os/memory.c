#include "base/testpoint.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Any size that no page is larger than would do. */
enum { PAGE = 65536 };
/* Madvise wants a multiple of the page size, which is at least this. */
enum { PAGE_SMALL = 4096, PAGE_LARGE = 2 << 20 };

/* So much is a mapping of its own in every malloc; less may be part of a heap,
 * which large pages would make larger. */
static const uint64_t LARGE_FROM = 32 << 20;

/* A large page takes 0.25 ms of the CPU, a slow one 40 ms. */
static const int64_t LARGE_SLOW_NS = 1000000;

int mpri_shm_create(uint64_t size)
{
    int fd = memfd_create("mp-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int err;

    if (fd < 0)
        return -errno;
    fd = mpri_fd_raise(fd);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
        err = errno;
        close(fd);
        return -err;
    }
    return fd;
}

int mpri_shm_map(int fd, uint64_t size, void **base)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (p == MAP_FAILED)
        return -errno;
    madvise(p, size, MADV_DONTDUMP); /* a core of the host stays small */
    *base = p;
    return 0;
}

void mpri_shm_unmap(void *base, uint64_t size)
{
    munmap(base, size);
}

int mpri_shm_size(int fd, uint64_t *size)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

int mpri_shm_inode(int fd, uint64_t *inode)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    *inode = (uint64_t)st.st_ino;
    return 0;
}

int mpri_shm_read(int fd, uint64_t off, void *buf, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        ssize_t n =
            pread(fd, (char *)buf + done, size - done, (off_t)(off + done));

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO;
        if (n > 0)
            done += (uint64_t)n;
    }
    return 0;
}

int mpri_shm_write(int fd, uint64_t off, const void *buf, uint64_t size)
{
    /* While a piece is written no other process can back memory. */
    enum { PIECE = 1 << 20 };

    /* Beyond the limit pwrite would raise a signal. */
    if (off + size > mpri_limit_file())
        return -EFBIG;
    for (uint64_t done = 0; done < size;) {
        uint64_t left = size - done;
        ssize_t n = pwrite(fd, (const char *)buf + done,
                           left < PIECE ? left : PIECE, (off_t)(off + done));

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            done += (uint64_t)n;
    }
    return 0;
}

int mpri_shm_back(int fd, uint64_t off, uint64_t size)
{
    uint64_t piece = size;

    if (MPRI_SHORT("memory.back"))
        return -ENOMEM;
    while (size > 0) {
        if (piece > size)
            piece = size;
        if (fallocate(fd, 0, (off_t)off, (off_t)piece) == 0) {
            off += piece;
            size -= piece;
        } else if (errno == EINTR) {
            /* The kernel has undone all of it. A program with a timer that
             * fires every millisecond gets on by smaller pieces. */
            piece = piece / 2 / PAGE * PAGE;
            if (piece == 0)
                piece = PAGE;
        } else {
            return errno == ENOSPC ? -ENOMEM : -errno;
        }
    }
    return 0;
}

/* The pages of [from, to): nothing when they cannot be had. */
static void populate(uintptr_t from, uintptr_t to)
{
    enum { POPULATE_WRITE = 23 }; /* Linux 5.14 */

    if (from < to)
        (void)madvise((void *)from, to - from, POPULATE_WRITE);
}

static uintptr_t round_up(uintptr_t p, uintptr_t page)
{
    return (p + page - 1) & ~(page - 1);
}

void mpri_pages_ready(void *p, uint64_t size)
{
    populate(round_up((uintptr_t)p, PAGE_SMALL),
             ((uintptr_t)p + size) & ~(PAGE_SMALL - 1UL));
}

/* Nanoseconds that this thread ran, so that who waits for a CPU does not take
 * the system to be slow. */
static int64_t ran_ns(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Large pages cost half as much as the small ones they replace. But now and
 * then a virtual machine gets one from a host that has to find it first. So
 * they are asked for one by one, as long as they come quickly. */
void mpri_private_pages_ready(void *p, uint64_t size)
{
    uintptr_t from = round_up((uintptr_t)p, PAGE_SMALL);
    uintptr_t to = ((uintptr_t)p + size) & ~(PAGE_SMALL - 1UL);
    int64_t begun = 0, now = ran_ns();

    if (size >= LARGE_FROM) {
        uintptr_t at = round_up(from, PAGE_LARGE);

        populate(from, at);
        do {
            (void)madvise((void *)at, PAGE_LARGE, MADV_HUGEPAGE);
            populate(at, at + PAGE_LARGE);
            at += PAGE_LARGE;
            begun = now;
            now = ran_ns();
        } while (now - begun < LARGE_SLOW_NS && to - at >= PAGE_LARGE);
        from = at;
    }
    populate(from, to);
}

int mpri_shm_unback(int fd, uint64_t off, uint64_t size)
{
    while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
                     (off_t)size) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static uint64_t limit(int resource)
{
    struct rlimit r;

    if (getrlimit(resource, &r) < 0 || r.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return r.rlim_cur;
}

uint64_t mpri_limit_file(void)
{
    return limit(RLIMIT_FSIZE);
}

uint64_t mpri_limit_map(void)
{
    uint64_t all = limit(RLIMIT_AS);
    uint64_t used = 0;
    char buf[64];
    int fd;
    ssize_t n;

    if (all == UINT64_MAX)
        return all;
    fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, buf, sizeof buf - 1);
        close(fd);
        for (ssize_t i = 0; i < n && buf[i] >= '0' && buf[i] <= '9'; i++)
            used = used * 10 + (uint64_t)(buf[i] - '0');
        used *= (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return all > used ? all - used : 0;
}

int mpri_wipe_page(void **page)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int err;

    if (p == MAP_FAILED)
        return -errno;
    if (madvise(p, size, MADV_WIPEONFORK) < 0) {
        err = errno;
        munmap(p, size);
        return -err;
    }
    *page = p;
    return 0;
}
