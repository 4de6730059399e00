/* Getting out of a ring. */

#include "base/testpoint.h"
#include "ipc/frame.h"
#include "ipc/message.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "peer/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAVE = 8,              /* segments left in one go */
    BATCH_BYTES = 16 << 20, /* copied in one go */
    BATCH_AHEAD = 1024,     /* messages that room is made for ahead */
};

/* The next message that nobody has got. */
struct next {
    struct mpri_ring_segment *segment;
    struct mpri_frame *frame;
    uint32_t at;
    uint64_t number;
    struct mpri_heavy heavy; /* size and refs, of any message */
};

/* Segments that were left while the lock was held; dropped after it. */
struct left {
    uint32_t count;
    mpr_handle segment[LEAVE];
};

/* Drops what the messages in [freed, head) hold. */
static void release(struct mpri_ring *r)
{
    uint64_t freed = mpri_load_rlx(&r->freed), head = mpri_load_rlx(&r->head);

    mpri_frames_drop(mpri_segment_of(&r->get_segment), freed,
                     mpri_position_count(freed, head));
    MPRI_TESTPOINT("ring.get.dropped");
    /* Pairs with: find_place; the bytes may be written over. */
    mpri_store_rel(&r->freed, head);
}

static int lock(struct mpri_ring *r, int64_t deadline_ns)
{
    int err = mpri_ring_lock(&r->getting, deadline_ns);

    if (err == -ETIMEDOUT)
        return err;
    /* The last to get may have died after its message was got. */
    if (mpri_load_rlx(&r->freed) != mpri_load_rlx(&r->head))
        release(r);
    return 0;
}

/* Locked: messages behind head; 0, perhaps closed. */
static uint64_t available(struct mpri_ring *r, uint64_t head, bool *closed)
{
    uint64_t tail = mpri_load_rlx(&r->tail_seen);

    if (mpri_position_count(head, tail) == 0) {
        /* Pairs with: publish, link. */
        tail = mpri_load_acq(&r->tail);
        mpri_store_rlx(&r->tail_seen, tail);
    }
    *closed = tail & MPRI_RING_CLOSED;
    return mpri_position_count(head, tail);
}

/* The first segment is got empty: the next one is the first. -ENOMEM. */
static int leave(struct mpri_ring *r, struct mpri_ring_segment *s,
                 struct left *left)
{
    uint64_t off = __atomic_load_n(&r->get_segment, __ATOMIC_RELAXED);
    int err = mpri_hold_lock(1);

    if (err < 0)
        return err;
    left->segment[left->count++] = (mpr_handle){
        .block = mpri_at(off),
        .hold = mpri_hold_put(off | MPRI_HOLD_PRIVATE),
        .kind = MPR_KIND_SEGMENT,
    };
    mpri_tx_set(&r->get_segment, s->next);
    mpri_tx_set(&s->next, 0);
    mpri_tx_commit();
    mpri_guard_unlock();
    MPRI_TESTPOINT("ring.left");
    return 0;
}

/* Locked: the message at head. -EAGAIN: there is none, and may be later;
 * -EPIPE; -EBADMSG; -ENOMEM; -E2BIG: too many segments were left. */
static int look(struct mpri_ring *r, struct next *n, struct left *left)
{
    uint64_t head = mpri_load_rlx(&r->head);
    bool closed;

    if (available(r, head, &closed) == 0)
        return closed ? -EPIPE : -EAGAIN;
    n->number = mpri_position_number(head);
    for (;;) {
        int err;

        n->segment = mpri_segment_of(&r->get_segment);
        n->at = mpri_segment_at(n->segment, head);
        n->frame = mpri_frame_find(n->segment, &n->at);
        if (!n->frame)
            return -EBADMSG;
        if (!(n->frame->flags & MPRI_FRAME_NEXT))
            break;
        if (!n->segment->next)
            return -EBADMSG;
        if (left->count == LEAVE)
            return -E2BIG;
        err = leave(r, n->segment, left);
        if (err < 0)
            return err;
    }
    if (n->frame->flags & MPRI_FRAME_HEAVY) {
        if (n->frame->refs != 1 || n->frame->size != sizeof n->heavy)
            return -EBADMSG;
        memcpy(&n->heavy, mpri_frame_bytes(n->frame), sizeof n->heavy);
    } else {
        n->heavy.size = n->frame->size;
        n->heavy.refs = n->frame->refs;
    }
    return 0;
}

/* Room in a receiver's buffer that the message needs. */
static uint64_t room_for(const struct next *n)
{
    return n->frame->flags & MPRI_FRAME_HEAVY ? 0 : n->heavy.size;
}

/* Locked: opens and copies the message, which stays where it is. There is room
 * for it in m; bytes go to buffer. */
static int copy(const struct next *n, struct mpr_message *m, uint8_t *buffer)
{
    struct mpri_frame *f = n->frame;
    int err = 0;

    if (f->flags & MPRI_FRAME_HEAVY) {
        err = mpri_message_open_block(m, mpri_frame_refs(f));
        MPRI_TESTPOINT("ring.get.opened");
        return err;
    }
    if (f->refs)
        err = mpri_message_open_refs(m, mpri_frame_refs(f), f->refs);
    MPRI_TESTPOINT("ring.get.opened");
    if (err < 0)
        return err;
    if (f->size)
        memcpy(buffer, mpri_frame_bytes(f), f->size);
    m->bytes = buffer;
    m->size = f->size;
    MPRI_TESTPOINT("ring.get.copied");
    return 0;
}

/* Locked: the messages up to n are got; holds: some have refs. */
static void commit(struct mpri_ring *r, const struct next *n, bool holds)
{
    uint32_t end =
        n->at + (uint32_t)mpri_frame_length(n->frame->size, n->frame->refs);
    uint64_t head = mpri_position(end, n->number + 1);

    /* Commit point. */
    mpri_store_rel(&r->head, head);
    MPRI_TESTPOINT("ring.get.committed");
    if (n->frame->flags & MPRI_FRAME_HEAVY)
        mpri_store_rlx(&r->heavy_got, n->heavy.total);
    if (holds)
        release(r);
    else
        /* Pairs with: find_place; the bytes may be written over. */
        mpri_store_rel(&r->freed, head);
}

/* The end of a get: count messages were got. */
static void unlock(struct mpri_ring *r, struct left *left, uint32_t count)
{
    bool more = false;

    if (count > 0)
        more = mpri_position_count(mpri_load_rlx(&r->head),
                                   mpri_load_rlx(&r->tail_seen)) > 0;
    mpri_mutex_unlock(&r->getting);
    for (uint32_t i = 0; i < left->count; i++)
        mpri_drop(&left->segment[i]);
    left->count = 0;
    if (count > 0)
        mpri_gate_open(&r->writable, count);
    /* Whoever was woken for it may have died, or have been busy. */
    if (more)
        mpri_gate_open(&r->readable, 1);
}

/* Without the lock: 0 when there seems to be something. */
static int await(struct mpri_ring *r, int64_t deadline_ns)
{
    uint64_t head = mpri_load_rlx(&r->head);
    int n;

    if (mpri_position_count(head, mpri_load_rlx(&r->tail_seen)) > 0)
        return 0;
    n = mpri_ring_poll(r, deadline_ns);
    if (n < 0)
        return n;
    return n == 0 ? -ETIMEDOUT : 0;
}

int mpri_ring_get(struct mpri_ring *r, struct mpr_message *m, uint64_t max,
                  int64_t deadline_ns)
{
    struct left left = {0};
    struct next n = {0};
    int err = 0;

    mpr_message_clear(m);
    while (err == 0) {
        err = await(r, deadline_ns);
        if (err == 0)
            err = lock(r, deadline_ns);
        if (err < 0)
            break;
        err = look(r, &n, &left);
        if (err == 0 && n.heavy.size > max)
            err = -EMSGSIZE;
        if (err == 0 &&
            (room_for(&n) > m->capacity || n.heavy.refs > m->ref_capacity ||
             (m->fixed && n.frame->flags & MPRI_FRAME_HEAVY))) {
            uint64_t size = room_for(&n), refs = n.heavy.refs;
            bool heavy = n.frame->flags & MPRI_FRAME_HEAVY;

            unlock(r, &left, 0);
            err = m->fixed && heavy ? -E2BIG
                                    : mpri_message_reserve(m, size, refs);
            continue;
        }
        if (err == 0)
            err = copy(&n, m, m->buffer);
        if (err == 0) {
            commit(r, &n, n.frame->refs > 0);
            unlock(r, &left, 1);
            return 0;
        }
        unlock(r, &left, 0);
        /* Somebody else was faster; or there are more segments to leave. */
        if (err == -EAGAIN || err == -E2BIG)
            err = 0;
    }
    return err;
}

/* ---- several at once --------------------------------------------------------
 * Runs of short messages in one segment are got by one store; a heavy message
 * is a run of its own. */

/* What a run of messages needs in a batch. */
struct run {
    uint32_t count;
    uint64_t bytes;
    uint64_t refs;
};

/* Locked: the short message behind n, in its segment; false: there is none. */
static bool following(struct mpri_ring *r, const struct next *n,
                      struct next *after)
{
    uint64_t tail = mpri_load_rlx(&r->tail_seen);

    *after = *n;
    after->at += (uint32_t)mpri_frame_length(n->frame->size, n->frame->refs);
    after->number = (n->number + 1) & MPRI_NUMBER_MAX;
    if (after->number == mpri_position_number(tail))
        return false;
    after->frame = mpri_frame_find(n->segment, &after->at);
    if (!after->frame ||
        after->frame->flags & (MPRI_FRAME_NEXT | MPRI_FRAME_HEAVY))
        return false;
    after->heavy.size = after->frame->size;
    after->heavy.refs = after->frame->refs;
    return true;
}

/* Locked: the run of at most max messages that begins with n. */
static struct run measure(struct mpri_ring *r, const struct next *n,
                          uint32_t max)
{
    struct run run = {1, room_for(n), n->heavy.refs};
    struct next at = *n, after;

    if (n->frame->flags & MPRI_FRAME_HEAVY)
        return run;
    while (run.count < max && following(r, &at, &after) &&
           run.bytes + after.heavy.size <= BATCH_BYTES) {
        at = after;
        run.count++;
        run.bytes += at.heavy.size;
        run.refs += at.heavy.refs;
    }
    return run;
}

/* Room for a first run, and for as many more of the kind as were asked for. */
static int reserve(struct mpr_batch *b, const struct run *run, uint32_t max)
{
    uint32_t count = max < BATCH_AHEAD ? max : BATCH_AHEAD;

    if (count < run->count)
        count = run->count;
    if (count > b->capacity) {
        struct mpr_message *m = realloc(b->messages, (size_t)count * sizeof *m);

        if (!m)
            return -ENOMEM;
        b->messages = m;
        b->capacity = count;
    }
    return mpri_message_reserve(&b->room,
                                run->bytes + (count - run->count) *
                                                 (run->bytes / run->count + 1),
                                run->refs);
}

/* Locked: takes a run for which there is room behind what the batch has. */
static int take(struct mpri_ring *r, struct mpr_batch *b, struct run *has,
                const struct run *run, const struct next *first)
{
    struct next n = *first, last = n;
    uint32_t taken = 0;
    bool holds = false;
    int err = 0;

    do {
        struct mpr_message *m = &b->messages[b->count];

        if (taken > 0 && !following(r, &last, &n))
            break;
        *m = (struct mpr_message){.refs = b->room.refs + has->refs};
        err = copy(&n, m, b->room.buffer + has->bytes);
        if (err < 0)
            break;
        last = n;
        holds |= n.frame->refs > 0;
        has->bytes += room_for(&n);
        has->refs += n.heavy.refs;
        b->count++;
    } while (++taken < run->count);
    if (taken > 0)
        commit(r, &last, holds);
    return err;
}

/* Locked: fills the batch. When there is no room for the first run, *lacks
 * says what it needs. */
static int fill(struct mpri_ring *r, struct mpr_batch *b, uint32_t max,
                struct left *left, struct run *lacks)
{
    struct run has = {0};
    int err = 0;

    while (err == 0 && b->count < max && has.bytes < BATCH_BYTES) {
        struct next n = {0};
        struct run run;

        err = look(r, &n, left);
        if (err < 0)
            break;
        run = measure(r, &n, max - b->count);
        if (b->count + run.count <= b->capacity &&
            has.bytes + run.bytes <= b->room.capacity &&
            has.refs + run.refs <= b->room.ref_capacity) {
            err = take(r, b, &has, &run, &n);
        } else {
            *lacks = run;
            break;
        }
    }
    return err;
}

int mpri_ring_get_many(struct mpri_ring *r, struct mpr_batch *b, uint32_t max,
                       int64_t deadline_ns)
{
    struct left left = {0};
    int err = 0;

    mpr_batch_clear(b);
    while (err == 0) {
        struct run lacks = {0};

        err = await(r, deadline_ns);
        if (err == 0)
            err = lock(r, deadline_ns);
        if (err < 0)
            break;
        err = fill(r, b, max, &left, &lacks);
        unlock(r, &left, b->count);
        if (b->count > 0)
            return (int)b->count;
        if (err == -EAGAIN || err == -E2BIG)
            err = 0;
        if (err == 0 && lacks.count > 0)
            err = reserve(b, &lacks, max);
    }
    return err;
}
