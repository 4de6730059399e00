#include "mem/segment.h"

#include "mpr.h"
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x616e6572612d706dULL /* "mp-arena" */

/* Raised whenever anything in shared memory changes its layout. */
#define LAYOUT 1ULL

enum { ENTRY = 16 }; /* bytes of page table per page */

static const uint64_t GIB = 1ULL << 30;
static const uint64_t LEAST = 16ULL << 20;
/* Offsets have 40 bits: so the chain word of a free piece never looks like the
 * head of a block in use (life/block.c), and a page number fits 32. */
static const uint64_t MOST = 1ULL << 40;

struct mpri_map mpri_map = {.fd = -1};

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

/* "512M", "64G"; what is no number, or 0, means the default. */
static uint64_t read_size(const char *text)
{
    char *end;
    uint64_t size = strtoull(text, &end, 10);
    unsigned shift = 0;

    if (*end == 'K' || *end == 'k')
        shift = 10;
    else if (*end == 'M' || *end == 'm')
        shift = 20;
    else if (*end == 'G' || *end == 'g')
        shift = 30;
    return size > MOST >> shift ? MOST : size << shift;
}

static uint64_t wish(uint64_t size)
{
    const char *env = getenv("MP_ARENA");
    uint64_t limit;

    if (size == 0 && env && *env)
        size = read_size(env);
    if (size == 0)
        size = 64 * GIB;
    if (size > MOST)
        size = MOST;
    limit = mpri_limit_map() / 2;
    if (size > limit)
        size = limit;
    limit = mpri_limit_file();
    if (size > limit)
        size = limit;
    return size / MPRI_PAGE * MPRI_PAGE;
}

int mpri_segment_back_table(uint64_t first, uint64_t count)
{
    uint64_t from = MPRI_AT_TABLE + first * ENTRY;
    uint64_t to = MPRI_AT_TABLE + (first + count) * ENTRY;

    if (count == 0)
        return 0;
    from = from / MPRI_PAGE * MPRI_PAGE;
    return mpri_shm_back(mpri_map.fd, from, round_up(to, MPRI_PAGE) - from);
}

int mpri_segment_create(uint64_t size)
{
    struct mpri_segment *seg;
    void *base;
    int fd, err;

    size = wish(size);
    for (;; size = size / 2 / MPRI_PAGE * MPRI_PAGE) {
        if (size < LEAST)
            return mpri_limit_file() < LEAST ? -EFBIG : -ENOMEM;
        fd = mpri_shm_create(size);
        if (fd < 0 && fd != -EFBIG)
            return fd;
        if (fd < 0)
            continue;
        err = mpri_shm_map(fd, size, &base);
        if (err == 0)
            break;
        close(fd);
    }
    mpri_map = (struct mpri_map){.base = base, .size = size, .fd = fd};
    err = mpri_shm_back(fd, 0, MPRI_AT_TX_END);
    if (err < 0)
        goto close;
    seg = mpri_segment();
    seg->size = size;
    /* Each page costs its entry too. */
    seg->pages = (size - MPRI_AT_TABLE) / (MPRI_PAGE + ENTRY);
    seg->data_off =
        round_up(MPRI_AT_TABLE + seg->pages * ENTRY, 32 * MPRI_PAGE);
    while (seg->data_off + seg->pages * MPRI_PAGE > size)
        seg->pages--;
    seg->build = LAYOUT;
    seg->born_ns = (uint64_t)mpri_now_ns();
    err = mpri_random(seg->id, sizeof seg->id);
    if (err < 0)
        goto close;
    seg->magic = MAGIC;
    return 0;

close:
    mpri_segment_close();
    return err;
}

int mpri_segment_adopt(int fd)
{
    struct mpri_segment *seg;
    uint64_t size;
    void *base;
    int err = mpri_shm_size(fd, &size);

    if (err < 0)
        return err;
    if (size < LEAST)
        return -EPROTO;
    err = mpri_shm_map(fd, size, &base);
    if (err < 0)
        return err;
    seg = base;
    if (seg->magic != MAGIC || seg->build != LAYOUT || seg->size != size) {
        mpri_shm_unmap(base, size);
        return -EPROTO;
    }
    mpri_map = (struct mpri_map){.base = base, .size = size, .fd = fd};
    return 0;
}

uint64_t mpri_segment_inode(void)
{
    uint64_t inode = 0;

    mpri_shm_inode(mpri_map.fd, &inode);
    return inode;
}

int mpri_segment_peek(int fd, uint64_t off, void *buf, uint64_t size)
{
    struct mpri_segment seg;
    int err = mpri_shm_read(fd, 0, &seg, sizeof seg);

    if (err < 0)
        return err;
    if (seg.magic != MAGIC || seg.build != LAYOUT)
        return -EPROTO;
    return mpri_shm_read(fd, off, buf, size);
}

void mpri_segment_close(void)
{
    if (!mpri_map.base)
        return;
    mpri_shm_unmap(mpri_map.base, mpri_map.size);
    close(mpri_map.fd);
    mpri_map = (struct mpri_map){.fd = -1};
}
