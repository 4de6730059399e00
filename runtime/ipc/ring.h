#ifndef MPR_IPC_RING_H
#define MPR_IPC_RING_H

/* Whole messages in shared memory, first in, first out, for any number of
 * putting and getting processes. A pipe has two rings, a queue has one.
 *
 * The bytes of a ring lie in segments. A fixed ring has one, behind the
 * struct, and putting waits while it is full. A growing one has a chain of
 * SEGMENT blocks, the first made by the first put: when the last is full a
 * larger one is linked behind it, and those who get drop each one that they
 * leave. Within a segment frames (ipc/frame.h) go round and never wrap: a PAD
 * frame says "on at the start", a NEXT frame "on in the next segment"; room
 * for one of these is kept free behind the last message.
 *
 * A position is one word: which message (its number, 39 bits), and where in
 * its segment it begins (24 bits, in units of 8 bytes); so one store moves
 * both. The top bit of tail says that the ring is closed. A segment's first
 * message begins at its start, whatever the position says that led there.
 *
 * States:       [head, tail) messages that can be got · [tail, claim) a frame
 *               whose refs are counted, not published yet · [freed, head)
 *               frames that were got, whose refs are not dropped yet
 *               tail moves by one exchange of the owner of putting; anyone
 *               may close · head and freed move by stores of the owner of
 *               getting
 * Invariant:    the frames in [freed, max(tail, claim)) hold their refs, no
 *               others do; [freed, head) lies in the segment of get_segment,
 *               [tail, claim) in that of put_segment; get_segment holds the
 *               first segment of a growing ring, each segment the next.
 * Guarded by:   putting: tail, claim, put_segment, the bytes behind tail ·
 *               getting: head, freed, get_segment
 * If we die here: putting, before the exchange of tail: the next to put drops
 *               the refs in [tail, claim), the message never was. Getting,
 *               before the store of head: the message is still there, what we
 *               opened of its refs stands in our hold table. After it: the
 *               next to get drops the refs in [freed, head). Linking, leaving:
 *               one transaction each. */

#include "life/block.h"
#include "mpr.h"
#include "wait/mutex.h"
#include "wait/waiter.h"

#include <stdbool.h>

/* ---- positions ------------------------------------------------------------*/

enum { MPRI_POSITION_AT = 24 }; /* bits */

#define MPRI_NUMBER_MAX  ((1ULL << 39) - 1)
#define MPRI_RING_CLOSED (1ULL << 63)

static inline uint64_t mpri_position(uint32_t at, uint64_t number)
{
    return at / 8 | (number & MPRI_NUMBER_MAX) << MPRI_POSITION_AT;
}

static inline uint32_t mpri_position_at(uint64_t position)
{
    return (uint32_t)(position & ((1U << MPRI_POSITION_AT) - 1)) * 8;
}

static inline uint64_t mpri_position_number(uint64_t position)
{
    return position >> MPRI_POSITION_AT & MPRI_NUMBER_MAX;
}

/* Messages from one position to a later one. */
static inline uint64_t mpri_position_count(uint64_t from, uint64_t to)
{
    return (mpri_position_number(to) - mpri_position_number(from)) &
           MPRI_NUMBER_MAX;
}

/* ---- segments -------------------------------------------------------------*/

struct mpri_ring_segment {
    uint64_t next;     /* holds it; 0: none. Guarded by: putting */
    uint64_t first;    /* number of its first message, or ONLY. Fixed when it
                        * is linked */
    uint32_t capacity; /* Fixed after init: a multiple of 8 */
    uint32_t unused0;
    uint64_t unused1;
    uint8_t bytes[];
};
_Static_assert(sizeof(struct mpri_ring_segment) == 32, "half a cache line");

/* The one segment of a fixed ring. */
#define MPRI_SEGMENT_ONLY UINT64_MAX

struct mpri_ring {
    /* Line 0: written by those who put. */
    struct mpri_mutex putting;
    mpri_a64 tail;
    uint64_t put_segment; /* offset of the last segment */
    uint64_t claim;       /* a position, the top bit set, or 0 */
    uint64_t head_seen;   /* what head and freed were when they were last
                           * looked at: their line is another CPU's */
    uint64_t freed_seen;
    mpri_a64 heavy_put; /* bytes in blocks ever put; a hint for bounds */
    mpri_a32 put_spin;
    uint32_t unused0;

    /* Line 1: written by those who get. */
    struct mpri_mutex getting;
    mpri_a64 head;
    mpri_a64 freed;
    uint64_t get_segment; /* offset of the first segment */
    mpri_a64 tail_seen;
    mpri_a64 heavy_got;
    mpri_a32 get_spin;
    uint32_t unused1;
    uint64_t unused2;

    /* Line 2: written by those who must sleep. */
    struct mpri_gate readable;
    struct mpri_gate writable;
    uint64_t bound; /* messages at most. Fixed after init */
    uint32_t grows; /* 1: in segments of its own. Fixed after init */
    uint32_t unused3;
    char label[32]; /* the container's; Fixed after init */
};
_Static_assert(sizeof(struct mpri_ring) == 192, "three cache lines");

/* ---- what containers do ---------------------------------------------------*/

/* A fixed ring; room: the bytes of memory right behind the struct, which
 * starts on a cache line. Bytes in blocks are bounded too. */
void mpri_ring_init(struct mpri_ring *r, uint32_t room);

/* A growing ring for at most bound messages. */
void mpri_ring_init_growing(struct mpri_ring *r, uint64_t bound);

/* Nothing more is put: everybody who waits looks again. */
void mpri_ring_close(struct mpri_ring *r);

/* For the kinds that contain a ring: see life/kind.h. */
void mpri_ring_abandon(struct mpri_ring *r, uint32_t slot);
void mpri_ring_destroy(struct mpri_ring *r);

/* Registers the kind SEGMENT. */
void mpri_ring_register(void);

/* ---- messages -------------------------------------------------------------*/

/* Puts the messages from parcels[*done] on, and counts *done up to count; the
 * others are in the ring whatever becomes of this call. -ETIMEDOUT: no room
 * until the deadline; -EPIPE: closed; -EMSGSIZE: too many refs; -ENOMEM;
 * -EINTR. Refs stay the caller's. */
int mpri_ring_put_many(struct mpri_ring *r, const struct mpr_parcel *parcels,
                       size_t count, size_t *done, int64_t deadline_ns);

/* Puts one; after any failure nothing was put. */
static inline int mpri_ring_put(struct mpri_ring *r,
                                const struct mpr_parcel *parcel,
                                int64_t deadline_ns)
{
    size_t done = 0;

    return mpri_ring_put_many(r, parcel, 1, &done, deadline_ns);
}

/* Gets the next message into m. -ETIMEDOUT; -EPIPE: empty, and nothing more
 * comes; -EMSGSIZE: longer than max, it stays; -ENOMEM: it stays; -EBADMSG:
 * the ring's memory is damaged; -EINTR. */
int mpri_ring_get(struct mpri_ring *r, struct mpr_message *m, uint64_t max,
                  int64_t deadline_ns);

/* Gets at least one and at most max messages into b: how many, or as get. */
int mpri_ring_get_many(struct mpri_ring *r, struct mpr_batch *b, uint32_t max,
                       int64_t deadline_ns);

/* Sleeps until something can be got or nothing more comes: 1; 0 when the
 * deadline passed; -EINTR. */
int mpri_ring_poll(struct mpri_ring *r, int64_t deadline_ns);

/* Messages that can be got now: the exact number at one instant within the
 * call. */
uint64_t mpri_ring_count(struct mpri_ring *r);

static inline bool mpri_ring_closed(struct mpri_ring *r)
{
    return mpri_load_seq(&r->tail) & MPRI_RING_CLOSED;
}

/* Whether there is something to get, or nothing to wait for. */
static inline bool mpri_ring_readable(struct mpri_ring *r)
{
    return mpri_ring_count(r) > 0 || mpri_ring_closed(r);
}

#endif
