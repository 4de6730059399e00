#ifndef MPR_IPC_FRAME_H
#define MPR_IPC_FRAME_H

/* How a message lies in a ring's segment: a header, the blocks that it holds
 * (refs, 8 bytes each), its bytes; padded to 8. A long message, or one with
 * many refs, lies in a block of its own (ipc/message.h): then the frame has
 * that one ref, and a struct mpri_heavy in the place of the bytes.
 *
 * Private to the files of the ring. */

#include "ipc/ring.h"
#include "mem/segment.h"

enum {
    MPRI_FRAME_HEAVY = 1,
    MPRI_FRAME_PAD = 2,  /* the next frame is at the segment's start */
    MPRI_FRAME_NEXT = 4, /* the next frame is in the next segment */
};

struct mpri_frame {
    uint32_t size; /* of the bytes */
    uint16_t refs;
    uint16_t flags;
};
_Static_assert(sizeof(struct mpri_frame) == 8, "a unit of positions");

struct mpri_heavy {
    uint64_t size;
    uint64_t refs;
    uint64_t total; /* heavy_put with this message */
};

static inline struct mpri_frame *
mpri_frame_at(const struct mpri_ring_segment *s, uint32_t at)
{
    return (struct mpri_frame *)((uintptr_t)s->bytes + at);
}

static inline uint64_t *mpri_frame_refs(struct mpri_frame *f)
{
    return (uint64_t *)(void *)(f + 1);
}

static inline void *mpri_frame_bytes(struct mpri_frame *f)
{
    return mpri_frame_refs(f) + f->refs;
}

/* The length of a frame, header included. */
static inline uint64_t mpri_frame_length(uint64_t size, uint64_t refs)
{
    return sizeof(struct mpri_frame) + refs * 8 + ((size + 7) & ~7ULL);
}

/* Where the message at the position begins, if it is in this segment. */
static inline uint32_t mpri_segment_at(const struct mpri_ring_segment *s,
                                       uint64_t position)
{
    return mpri_position_number(position) == s->first
               ? 0
               : mpri_position_at(position);
}

static inline struct mpri_ring_segment *mpri_segment_of(const uint64_t *word)
{
    uint64_t off = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    return off ? (struct mpri_ring_segment *)(void *)((char *)mpri_at(off) +
                                                      sizeof(struct mpri_block))
               : NULL;
}

/* The message frame at *at or behind a PAD there, *at is then its place; a
 * NEXT frame is returned as it is. NULL when what is there cannot be true. */
struct mpri_frame *mpri_frame_find(const struct mpri_ring_segment *s,
                                   uint32_t *at);

/* Drops the refs of count messages from the position on, which is in segment
 * s. May be killed and done again. */
void mpri_frames_drop(struct mpri_ring_segment *s, uint64_t from,
                      uint64_t count);

/* A process that holds the lock of one side may be stopped (SIGSTOP, a
 * debugger): whoever only tries waits for a grace, then -ETIMEDOUT. */
int mpri_ring_lock(struct mpri_mutex *m, int64_t deadline_ns);

#endif
