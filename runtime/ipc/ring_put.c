/* Putting into a ring. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "ipc/frame.h"
#include "ipc/message.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>
#include <string.h>

enum {
    /* Longer messages lie in blocks of their own: what that costs is then
     * little beside copying the bytes a second time. */
    INLINE_MAX = 8192,
    INLINE_REFS = 128, /* one transaction counts them */
    /* Blocks of segments: the first is small, for there may be many queues
     * with little in them; each further one is four times as large, for what
     * is added needs it. Powers of two, so that the allocator loses nothing. */
    SEGMENT_FIRST = 2048,
    SEGMENT_MAX = 131072,
    SEGMENT_HEADERS =
        sizeof(struct mpri_block) + sizeof(struct mpri_ring_segment),
};

/* More in flight than this, and putting a long message into a fixed ring
 * waits: a sender that is faster than its receiver must not fill the arena. */
static const uint64_t HEAVY_BOUND = 64ULL << 20;

/* One message on its way into a ring. */
struct work {
    const struct mpr_parcel *parcel;
    uint32_t need; /* length of the frame */
    int heavy;     /* its bytes lie in a block */
    mpr_handle block;
    mpr_handle segment; /* made ahead, if the ring is to grow */
    uint32_t segment_size;
};

/* A place behind tail. */
struct place {
    struct mpri_ring_segment *segment;
    uint32_t at;
    uint32_t tail_at; /* differs from at: a PAD leads there */
};

/* The last to put died: what it had claimed was never put. */
static void unclaim(struct mpri_ring *r)
{
    uint64_t tail = mpri_load_rlx(&r->tail);

    if (r->claim && mpri_position_count(tail, r->claim) == 1)
        mpri_frames_drop(mpri_segment_of(&r->put_segment), tail, 1);
    r->claim = 0;
}

/* Whether those who get are in this segment already, so that freed says what
 * they have left of it. For a ring's second half of all numbers this says no:
 * then the ring grows, and the numbers of a segment stay apart. */
static bool inside(const struct mpri_ring_segment *s, uint64_t freed)
{
    uint64_t n = (mpri_position_number(freed) - s->first) & MPRI_NUMBER_MAX;

    return s->first == MPRI_SEGMENT_ONLY || (n > 0 && n <= MPRI_NUMBER_MAX / 2);
}

/* A free place of need bytes, and 8 more for a PAD or NEXT, given freed. */
static bool find(struct place *p, uint64_t tail, uint64_t freed, uint32_t need)
{
    const struct mpri_ring_segment *s = p->segment;
    uint32_t from = mpri_segment_at(s, tail), end = s->capacity;
    bool in = inside(s, freed);
    uint32_t freed_at = mpri_position_at(freed);

    p->tail_at = p->at = from;
    if (in && freed_at > from)
        end = freed_at; /* what is not free yet lies ahead */
    if (end - from >= need + 8)
        return true;
    p->at = 0;
    return in && freed_at <= from && freed_at >= need + 8;
}

static bool find_place(struct mpri_ring *r, uint32_t need, struct place *p)
{
    uint64_t tail = mpri_load_rlx(&r->tail);

    p->segment = mpri_segment_of(&r->put_segment);
    if (!p->segment)
        return false;
    if (find(p, tail, r->freed_seen, need))
        return true;
    /* Pairs with: release, which is done with the bytes. */
    r->freed_seen = mpri_load_acq(&r->freed);
    return find(p, tail, r->freed_seen, need);
}

/* Whether the bound in messages lets one in. */
static bool below_bound(struct mpri_ring *r)
{
    uint64_t tail = mpri_load_rlx(&r->tail);

    if (mpri_position_count(r->head_seen, tail) < r->bound)
        return true;
    r->head_seen = mpri_load_acq(&r->head);
    return mpri_position_count(r->head_seen, tail) < r->bound;
}

/* Whether the bound in bytes of blocks lets one in; one alone always may. */
static bool below_heavy_bound(struct mpri_ring *r, uint64_t size)
{
    uint64_t in_flight =
        mpri_load_rlx(&r->heavy_put) - mpri_load_rlx(&r->heavy_got);

    return r->grows || in_flight + size <= HEAVY_BOUND ||
           mpri_ring_count(r) == 0;
}

/* Whether one could go on, asked without the lock. */
static bool writable(struct mpri_ring *r, const struct work *w)
{
    uint64_t tail = mpri_load_seq(&r->tail);
    struct place p;

    if (tail & MPRI_RING_CLOSED)
        return true;
    if (mpri_position_count(mpri_load_seq(&r->head), tail) >= r->bound ||
        (w->heavy && !below_heavy_bound(r, mpri_parcel_size(w->parcel))))
        return false;
    if (r->grows)
        return true;
    p.segment = mpri_segment_of(&r->put_segment);
    return find(&p, tail, mpri_load_seq(&r->freed), w->need);
}

static int wait_writable(struct mpri_ring *r, const struct work *w,
                         int64_t deadline_ns)
{
    struct mpri_spin spin;
    bool ready = writable(r, w);

    if (ready)
        return 0;
    if (deadline_ns <= mpri_now_ns())
        return -ETIMEDOUT;
    spin = mpri_spin_begin(&r->put_spin);
    while (!ready && mpri_spin_more(&spin))
        ready = writable(r, w);
    mpri_spin_end(&spin, ready);
    while (!ready) {
        uint32_t ticket = mpri_gate_prepare(&r->writable);
        int err;

        if (writable(r, w))
            break;
        err = mpri_gate_wait(&r->writable, ticket, deadline_ns);
        if (err == -ETIMEDOUT && writable(r, w))
            break;
        if (err < 0)
            return err;
    }
    return 0;
}

/* What is to be known of a parcel; the block of a heavy one is made later. */
static int prepare(const struct mpri_ring *r, const struct mpr_parcel *parcel,
                   struct work *w)
{
    uint64_t size = mpri_parcel_size(parcel);
    uint64_t bytes = size + parcel->ref_count * 8ULL;
    uint64_t most = INLINE_MAX;

    if (!r->grows)
        most = mpri_segment_of(&r->put_segment)->capacity / 4;
    w->parcel = parcel;
    w->heavy = bytes > most || parcel->ref_count > INLINE_REFS;
    w->need =
        (uint32_t)(w->heavy ? mpri_frame_length(sizeof(struct mpri_heavy), 1)
                            : mpri_frame_length(size, parcel->ref_count));
    return parcel->ref_count > MPR_PARCEL_REFS ? -EMSGSIZE : 0;
}

/* The block of a heavy message. A ring that is full or closed is waited for
 * first: it costs no copy, and what a receiver gives back can be used. */
static int make_block(struct mpri_ring *r, struct work *w, int64_t deadline_ns)
{
    int err = wait_writable(r, w, deadline_ns);

    if (err < 0)
        return err;
    return mpri_ring_closed(r) ? -EPIPE
                               : mpri_message_block(w->parcel, &w->block);
}

static int make_segment(struct work *w)
{
    struct mpri_ring_segment *s;
    int err;

    mpri_drop(&w->segment); /* a smaller one */
    err = mpri_block_create(w->segment_size - sizeof(struct mpri_block),
                            MPRI_BLOCK_PRIVATE, &w->segment);
    if (err < 0)
        return err;
    s = mpri_data(&w->segment);
    memset(s, 0, sizeof *s);
    s->capacity = w->segment_size - SEGMENT_HEADERS;
    mpri_block_become(&w->segment, MPR_KIND_SEGMENT);
    MPRI_TESTPOINT("ring.link.made");
    return 0;
}

/* The segment that was made becomes the last one. */
static void link(struct mpri_ring *r, struct work *w)
{
    uint64_t tail = mpri_load_rlx(&r->tail);
    struct mpri_ring_segment *last = mpri_segment_of(&r->put_segment);
    struct mpri_ring_segment *s = mpri_data(&w->segment);

    s->first = mpri_position_number(tail);
    if (last)
        *mpri_frame_at(last, mpri_segment_at(last, tail)) =
            (struct mpri_frame){.flags = MPRI_FRAME_NEXT};
    MPRI_TESTPOINT("ring.link.marked");
    mpri_guard_lock();
    mpri_tx_set(last ? &last->next : &r->get_segment,
                mpri_off(w->segment.block));
    mpri_tx_set(&r->put_segment, mpri_off(w->segment.block));
    mpri_hold_clear(mpri_slot(mpri_self.slot), w->segment.hold);
    mpri_tx_commit();
    mpri_guard_unlock();
    w->segment.block = NULL;
    MPRI_TESTPOINT("ring.linked");
}

/* The size of the segment to link when there is no place. */
static uint32_t next_size(const struct mpri_ring *r, const struct work *w)
{
    const struct mpri_ring_segment *last = mpri_segment_of(&r->put_segment);
    uint32_t size = SEGMENT_FIRST;

    if (last) {
        size = (last->capacity + SEGMENT_HEADERS) * 4;
        if (size > SEGMENT_MAX)
            size = SEGMENT_MAX;
    }
    while (size - SEGMENT_HEADERS < w->need + 8)
        size *= 4;
    return size;
}

/* The refs become the message's: counted, and the frame claimed, at once. A
 * block of its own brings our hold along. */
static void claim(struct mpri_ring *r, struct work *w, struct mpri_frame *f,
                  uint64_t end)
{
    mpri_guard_lock();
    if (w->heavy)
        mpri_hold_clear(mpri_slot(mpri_self.slot), w->block.hold);
    else
        for (uint32_t i = 0; i < f->refs; i++)
            mpri_count_up(mpri_frame_refs(f)[i]);
    mpri_tx_set(&r->claim, end | MPRI_RING_CLOSED);
    mpri_tx_commit();
    mpri_guard_unlock();
    if (w->heavy)
        w->block.block = NULL;
}

static void write_frame(struct mpri_ring *r, const struct work *w,
                        struct mpri_frame *f)
{
    const struct mpr_parcel *p = w->parcel;

    if (w->heavy) {
        struct mpri_heavy heavy = {
            .size = mpri_parcel_size(p),
            .refs = p->ref_count,
            .total = mpri_load_rlx(&r->heavy_put) + mpri_parcel_size(p),
        };

        *f = (struct mpri_frame){
            .size = sizeof heavy,
            .refs = 1,
            .flags = MPRI_FRAME_HEAVY,
        };
        mpri_frame_refs(f)[0] = mpri_off(w->block.block);
        memcpy(mpri_frame_bytes(f), &heavy, sizeof heavy);
        return;
    }
    *f = (struct mpri_frame){
        .size = (uint32_t)mpri_parcel_size(p),
        .refs = (uint16_t)p->ref_count,
    };
    for (uint32_t i = 0; i < p->ref_count; i++)
        mpri_frame_refs(f)[i] = mpri_off(p->refs[i]->block);
    mpri_parcel_copy(p, mpri_frame_bytes(f));
}

/* Writes the frame behind tail and publishes it: 0, or -EPIPE. */
static int publish(struct mpri_ring *r, struct work *w, const struct place *p)
{
    uint64_t tail = mpri_load_rlx(&r->tail) & ~MPRI_RING_CLOSED;
    uint64_t end =
        mpri_position(p->at + w->need, mpri_position_number(tail) + 1);
    struct mpri_frame *f = mpri_frame_at(p->segment, p->at);
    bool holds = w->heavy || w->parcel->ref_count > 0;

    if (p->at != p->tail_at)
        *mpri_frame_at(p->segment, p->tail_at) =
            (struct mpri_frame){.flags = MPRI_FRAME_PAD};
    write_frame(r, w, f);
    MPRI_TESTPOINT("ring.put.copied");
    if (holds)
        claim(r, w, f, end);
    MPRI_TESTPOINT("ring.put.claimed");
    /* Pairs with: available; publishes the frame. Commit point; fails only
     * when the ring was closed meanwhile. */
    if (!mpri_cas_rel(&r->tail, &tail, end)) {
        unclaim(r);
        return -EPIPE;
    }
    MPRI_TESTPOINT("ring.put.published");
    if (holds)
        r->claim = 0;
    if (w->heavy)
        mpri_store_rlx(&r->heavy_put, mpri_load_rlx(&r->heavy_put) +
                                          mpri_parcel_size(w->parcel));
    return 0;
}

/* One message, locked: 0; -EPIPE; -EAGAIN: wait; -ENOSPC: make a segment. */
static int put(struct mpri_ring *r, struct work *w)
{
    struct place p;

    if (mpri_load_rlx(&r->tail) & MPRI_RING_CLOSED)
        return -EPIPE;
    if (!below_bound(r) ||
        (w->heavy && !below_heavy_bound(r, mpri_parcel_size(w->parcel))))
        return -EAGAIN;
    if (!find_place(r, w->need, &p)) {
        uint32_t size;

        if (!r->grows)
            return -EAGAIN;
        size = next_size(r, w);
        if (!w->segment.block || w->segment_size < size) {
            w->segment_size = size;
            return -ENOSPC;
        }
        link(r, w);
        find_place(r, w->need, &p);
    }
    return publish(r, w, &p);
}

/* Locked: as many as go in. */
static int put_some(struct mpri_ring *r, struct work *w, size_t count,
                    size_t *done)
{
    int err = put(r, w);

    while (err == 0 && ++*done < count) {
        err = prepare(r, w->parcel + 1, w);
        if (err == 0)
            err = w->heavy ? -EAGAIN : put(r, w);
    }
    return err;
}

int mpri_ring_put_many(struct mpri_ring *r, const struct mpr_parcel *parcels,
                       size_t count, size_t *done, int64_t deadline_ns)
{
    struct work w = {0};
    int err = 0;

    while (err == 0 && *done < count) {
        size_t before = *done;

        err = prepare(r, parcels + before, &w);
        if (err == 0 && w.heavy && !w.block.block)
            err = make_block(r, &w, deadline_ns);
        if (err < 0)
            break;
        err = mpri_ring_lock(&r->putting, deadline_ns);
        if (err == -ETIMEDOUT)
            break;
        if (err == -EOWNERDEAD)
            unclaim(r);
        err = put_some(r, &w, count, done);
        mpri_mutex_unlock(&r->putting);
        if (*done > before)
            mpri_gate_open(&r->readable, (uint32_t)(*done - before));
        if (err == -EAGAIN)
            err = *done > before ? 0 : wait_writable(r, &w, deadline_ns);
        else if (err == -ENOSPC)
            err = make_segment(&w);
    }
    mpri_drop(&w.segment);
    mpri_drop(&w.block);
    return err;
}
