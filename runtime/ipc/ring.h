#ifndef MPR_IPC_RING_H
#define MPR_IPC_RING_H

/* A byte ring of whole messages in shared memory, for any number of putting
 * and getting processes. Pipes have two, a queue is a chain of them.
 *
 * Positions are 64-bit words: bytes ever put (or got) in the low half, messages
 * in the high half, both modulo 2^32, so one store moves both. A message is a
 * frame: a header of 8 bytes, the blocks it holds (refs, 8 bytes each), its
 * bytes; padded to 8. A frame never wraps: a pad frame fills the end. Payloads
 * over a quarter of the ring lie in a block of their own, which is then the
 * frame's first ref.
 *
 * States:       [head, tail) messages that can be got · [tail, claim) a frame
 *               whose refs are counted, not published yet · [freed, head)
 *               frames that were got, whose refs are not dropped yet
 *               tail moves by one store of the owner of putting · head and
 *               freed by the owner of getting
 * Invariant:    the frames in [freed, max(tail, claim)) hold their refs, no
 *               others do; [freed, tail) is at most the capacity.
 * Guarded by:   putting: tail, claim, claimed, and the bytes in [tail, freed +
 *               capacity) · getting: head, freed.
 * If we die here: putting, before the store of tail: the next to put drops
 *               the refs in [tail, claim), the message never was. Getting,
 *               before the store of head: the message is still there, what we
 *               opened of its refs stands in our hold table. After it: the
 *               next to get drops the refs in [freed, head). */

#include "life/block.h"
#include "mpr.h"
#include "wait/mutex.h"
#include "wait/waiter.h"

#include <stdbool.h>

enum {
    MPRI_RING_NO_PUT = 1, /* nothing more will be put */
    MPRI_RING_NO_GET = 2, /* nobody will get any more */
};

struct mpri_ring {
    /* Line 0: written by those who put. */
    struct mpri_mutex putting;
    mpri_a64 tail;
    uint64_t claim;
    uint64_t claimed;   /* 1: claim is meant */
    mpri_a64 heavy_put; /* bytes in blocks ever put; a hint for bounds */
    mpri_a32 put_spin;
    uint32_t unused0[5];

    /* Line 1: written by those who get. */
    struct mpri_mutex getting;
    mpri_a64 head;
    mpri_a64 freed;
    mpri_a64 heavy_got;
    mpri_a32 get_spin;
    uint32_t unused1[7];

    /* Line 2: written by those who must sleep, and by close. */
    struct mpri_gate readable;
    struct mpri_gate writable;
    mpri_a32 closed;
    uint32_t capacity; /* Fixed after init: a power of two */
    uint32_t unused2[10];

    uint8_t bytes[];
};
_Static_assert(sizeof(struct mpri_ring) == 192, "three cache lines");

/* The bytes of memory that a ring of the capacity takes. */
static inline uint64_t mpri_ring_size(uint32_t capacity)
{
    return sizeof(struct mpri_ring) + capacity;
}

void mpri_ring_init(struct mpri_ring *r, uint32_t capacity);

/* Puts a message. -ETIMEDOUT: no room until the deadline; -EPIPE: closed;
 * -ENOMEM; -EINTR (nothing was put). Refs stay the caller's. */
int mpri_ring_put(struct mpri_ring *r, const struct mpr_parcel *parcel,
                  int64_t deadline_ns);

/* Gets the next message into m. -ETIMEDOUT; -EPIPE: empty, and nothing more
 * comes; -EMSGSIZE: longer than max, it stays; -ENOMEM: it stays; -EBADMSG:
 * the ring's memory is damaged; -EINTR. */
int mpri_ring_get(struct mpri_ring *r, struct mpr_message *m, uint64_t max,
                  int64_t deadline_ns);

/* Sleeps until something can be got or nothing more comes: 1; 0 when the
 * deadline passed; -EINTR. */
int mpri_ring_poll(struct mpri_ring *r, int64_t deadline_ns);

/* Whether there is something to get, or nothing to wait for. */
bool mpri_ring_readable(struct mpri_ring *r);

/* Messages that can be got now. */
static inline uint32_t mpri_ring_count(struct mpri_ring *r)
{
    uint64_t head = mpri_load_acq(&r->head);

    return (uint32_t)(mpri_load_acq(&r->tail) >> 32) - (uint32_t)(head >> 32);
}

/* Nothing more is put, or got: everybody who waits looks again. */
void mpri_ring_close(struct mpri_ring *r, uint32_t bits);

/* For the kinds that contain a ring: see life/kind.h. */
void mpri_ring_abandon(struct mpri_ring *r, uint32_t slot);
void mpri_ring_destroy(struct mpri_ring *r);

#endif
