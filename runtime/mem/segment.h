#ifndef MPR_MEM_SEGMENT_H
#define MPR_MEM_SEGMENT_H

/* The one piece of memory that a family of processes shares: a memfd without
 * a name, sealed against any change of size, mapped once by each process at
 * an address of its own. Places in it are 64-bit offsets from its start, so
 * that a child which maps it elsewhere uses the same objects; 0 is no place.
 *
 *     0            struct mpri_segment       fixed after init
 *     AT_GUARD     arena lock, kinds, roots  (life/)
 *     AT_ARENA     the allocator's lists     (mem/arena)
 *     AT_TX        the transaction's log     (mem/tx)
 *     AT_NAMES     named memory in use       (data/census)
 *     AT_ROSTER    a slot per process        (peer/roster)
 *     AT_TABLE     16 bytes per 4 KiB page   (mem/arena)
 *     data_off     the pages
 *
 * All of it is address space until it is backed (os.h: mpri_shm_back), which
 * whoever hands out memory does first: touching what was handed out cannot
 * fail. The kernel frees the segment with the last process that maps it. */

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    MPRI_PAGE = 4096,
    MPRI_PAGE_SHIFT = 12,
    MPRI_AT_GUARD = 0x1000,
    MPRI_AT_ARENA = 0x2000,
    MPRI_AT_TX = 0x4000,
    MPRI_AT_TX_END = 0x8000,
    MPRI_AT_NAMES = 0x80000,
    MPRI_NAMES_SIZE = 0x10000,
    MPRI_AT_ROSTER = 0x100000,
    MPRI_AT_TABLE = 0x800000,
    MPRI_SLOTS = 4096,
    MPRI_SLOT_SIZE = 1024,
};

_Static_assert(MPRI_AT_ROSTER + MPRI_SLOTS * MPRI_SLOT_SIZE <= MPRI_AT_TABLE,
               "the roster ends before the page table");

/* Fixed after init. */
struct mpri_segment {
    uint64_t magic;
    uint64_t build; /* processes of another build are refused */
    uint64_t size;
    uint64_t data_off;
    uint64_t pages;
    uint64_t born_ns;
    uint8_t id[16]; /* random: two families never mistake each other */
};

/* This process's view. Written by open and close only. */
struct mpri_map {
    uint8_t *base;
    uint64_t size;
    int fd; /* the only descriptor of the file: closing another one would
             * drop this process's liveness byte (os.h: mpri_byte_take) */
};
extern struct mpri_map mpri_map;

/* Makes a new segment (size: bytes wished, 0 for the default) or maps the
 * one behind fd, which it takes over. -ENOMEM when fewer than 16 MiB fit into
 * this process's limits, -EPROTO when fd is not a segment of this build. */
int mpri_segment_create(uint64_t size);
int mpri_segment_adopt(int fd);
void mpri_segment_close(void);

/* Which file the segment is, for others to find it by. */
uint64_t mpri_segment_inode(void);

/* Reads a part of another family's segment. -EPROTO: it is none of this
 * build. */
int mpri_segment_peek(int fd, uint64_t off, void *buf, uint64_t size);

static inline void *mpri_at(uint64_t off)
{
    return mpri_map.base + off;
}

static inline uint64_t mpri_off(const void *p)
{
    return (uint64_t)((const uint8_t *)p - mpri_map.base);
}

static inline struct mpri_segment *mpri_segment(void)
{
    return (struct mpri_segment *)(void *)mpri_map.base;
}

/* Gives the part of the page table that describes pages [first, first+count)
 * its backing. */
int mpri_segment_back_table(uint64_t first, uint64_t count);

#endif
