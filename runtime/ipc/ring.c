#include "ipc/ring.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "ipc/message.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

enum { FRAME_PAD = 1, FRAME_HEAVY = 2 };

struct frame {
    uint32_t size; /* payload bytes; a pad's: bytes after the header */
    uint16_t refs;
    uint16_t flags;
    /* refs words of 8 bytes, then the payload. A heavy frame's payload is its
     * struct heavy; ref 0 is the block with the bytes. */
};

struct heavy {
    uint64_t size;
    uint64_t total; /* heavy_put with this message */
};

/* More in flight than this, and putting a heavy message waits: a sender that
 * is faster than its receiver must not fill the arena. */
static const uint64_t HEAVY_BOUND = 64ULL << 20;

/* A stopped process (SIGSTOP, a debugger) may hold a ring's lock: who only
 * tries waits this long before it gives up. */
static const int64_t GRACE = 40 * MPRI_MS;

static uint32_t low(uint64_t position)
{
    return (uint32_t)position;
}

static uint64_t advance(uint64_t position, uint32_t bytes, uint32_t messages)
{
    return (uint64_t)(low(position) + bytes) |
           (uint64_t)((uint32_t)(position >> 32) + messages) << 32;
}

static struct frame *frame_at(struct mpri_ring *r, uint64_t position)
{
    return (struct frame *)(void *)(r->bytes +
                                    (low(position) & (r->capacity - 1)));
}

static uint64_t *refs_of(struct frame *f)
{
    return (uint64_t *)(void *)(f + 1);
}

static uint32_t frame_bytes(uint32_t size, uint32_t refs)
{
    return (uint32_t)(sizeof(struct frame) + refs * 8 + ((size + 7) & ~7U));
}

static uint32_t frame_length(const struct frame *f)
{
    return frame_bytes(f->size, f->refs);
}

void mpri_ring_init(struct mpri_ring *r, uint32_t capacity)
{
    memset(r, 0, sizeof *r);
    r->capacity = capacity;
}

static int64_t lock_deadline(int64_t deadline_ns)
{
    int64_t grace = mpri_now_ns() + GRACE;

    return deadline_ns > grace ? deadline_ns : grace;
}

/* Fast when free, and only then without looking at the clock. */
static int lock(struct mpri_mutex *m, int64_t deadline_ns)
{
    int r = mpri_mutex_lock(m, 0);

    if (r == -ETIMEDOUT)
        r = mpri_mutex_lock(m, lock_deadline(deadline_ns));
    return r;
}

/* Drops what the frames in [from, to) hold. */
static void drop_refs(struct mpri_ring *r, uint64_t from, uint64_t to)
{
    while (low(from) != low(to)) {
        struct frame *f = frame_at(r, from);

        if (low(to) - low(from) < frame_length(f) ||
            frame_length(f) > r->capacity)
            return; /* damaged: nothing here can be trusted */
        for (uint32_t i = 0; i < f->refs; i++)
            mpri_ref_drop(refs_of(f) + i);
        from = advance(from, frame_length(f), 0);
    }
}

/* The last to put died: what it had claimed was never put. */
static void repair_put(struct mpri_ring *r)
{
    if (!r->claimed)
        return;
    drop_refs(r, mpri_load_rlx(&r->tail), r->claim);
    r->claimed = 0;
}

/* The last to get died after its message was got. */
static void repair_get(struct mpri_ring *r)
{
    uint64_t head = mpri_load_rlx(&r->head);

    drop_refs(r, mpri_load_rlx(&r->freed), head);
    mpri_store_rel(&r->freed, head);
}

static uint32_t room(struct mpri_ring *r, uint64_t tail)
{
    /* Pairs with: mpri_ring_get, which is done with the bytes. */
    return r->capacity - (low(tail) - low(mpri_load_acq(&r->freed)));
}

/* Bytes to skip so that a frame of need bytes does not wrap. */
static uint32_t skip(struct mpri_ring *r, uint64_t tail, uint32_t need)
{
    uint32_t to_end = r->capacity - (low(tail) & (r->capacity - 1));

    return to_end < need ? to_end : 0;
}

static bool fits(struct mpri_ring *r, uint32_t need, uint64_t heavy)
{
    uint64_t tail = mpri_load_acq(&r->tail);

    if (heavy) {
        uint64_t in_flight =
            mpri_load_rlx(&r->heavy_put) - mpri_load_rlx(&r->heavy_got);

        if (low(tail) != low(mpri_load_acq(&r->head)) &&
            in_flight + heavy > HEAVY_BOUND)
            return false;
    }
    return room(r, tail) >= skip(r, tail, need) + need;
}

/* Waits until there is room, without the lock. */
static int wait_writable(struct mpri_ring *r, uint32_t need, uint64_t heavy,
                         int64_t deadline_ns)
{
    struct mpri_spin spin = mpri_spin_begin(&r->put_spin);
    bool ready;

    if (deadline_ns <= mpri_now_ns())
        return -ETIMEDOUT;
    do
        ready = fits(r, need, heavy) || mpri_load_acq(&r->closed);
    while (!ready && mpri_spin_more(&spin));
    mpri_spin_end(&spin, ready);
    while (!ready) {
        uint32_t ticket = mpri_gate_prepare(&r->writable);
        int err;

        if (fits(r, need, heavy) || mpri_load_seq(&r->closed))
            break;
        err = mpri_gate_wait(&r->writable, ticket, deadline_ns);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The refs become the message's: counted, and the frame claimed, at once. */
static void claim(struct mpri_ring *r, const uint64_t *refs, uint32_t count,
                  uint64_t end)
{
    mpri_guard_lock();
    for (uint32_t i = 0; i < count; i++)
        mpri_count_up(refs[i]);
    mpri_tx_set(&r->claim, end);
    mpri_tx_set(&r->claimed, 1);
    mpri_tx_commit();
    mpri_guard_unlock();
}

/* Writes the frame behind tail and publishes it. putting is held. */
static void publish(struct mpri_ring *r, const struct mpr_parcel *p,
                    const struct heavy *heavy, const mpr_handle *block,
                    uint32_t need)
{
    uint64_t tail = mpri_load_rlx(&r->tail), end;
    uint32_t pad = skip(r, tail, need), n = 0;
    struct frame *f;
    uint64_t *refs;

    if (pad) {
        *frame_at(r, tail) = (struct frame){
            .size = pad - (uint32_t)sizeof *f,
            .flags = FRAME_PAD,
        };
        tail = advance(tail, pad, 0);
    }
    f = frame_at(r, tail);
    end = advance(tail, need, 1);
    refs = refs_of(f);
    if (block)
        refs[n++] = mpri_off(block->block);
    for (uint32_t i = 0; i < p->ref_count; i++)
        refs[n++] = mpri_off(p->refs[i]->block);
    *f = (struct frame){
        .size = (uint32_t)(block ? sizeof *heavy : p->size),
        .refs = (uint16_t)n,
        .flags = block ? FRAME_HEAVY : 0,
    };
    if (block)
        memcpy(refs + n, heavy, sizeof *heavy);
    else if (p->size)
        memcpy(refs + n, p->bytes, p->size);
    MPRI_TESTPOINT("ring.put.copied");
    if (n)
        claim(r, refs, n, end);
    MPRI_TESTPOINT("ring.put.claimed");
    /* Pairs with: mpri_ring_get; publishes the frame. Commit point. */
    mpri_store_rel(&r->tail, end);
    MPRI_TESTPOINT("ring.put.published");
    if (n)
        r->claimed = 0;
    if (block)
        mpri_store_rlx(&r->heavy_put, heavy->total);
}

/* A block of our own with the payload. */
static int make_heavy(const struct mpr_parcel *p, mpr_handle *block)
{
    int err = mpri_block_create(p->size, MPRI_BLOCK_PRIVATE, block);

    if (err == 0)
        memcpy(mpri_data(block), p->bytes, p->size);
    MPRI_TESTPOINT("ring.put.block");
    return err;
}

int mpri_ring_put(struct mpri_ring *r, const struct mpr_parcel *p,
                  int64_t deadline_ns)
{
    mpr_handle block = {0};
    struct heavy heavy = {0};
    uint64_t weight = 0;
    uint32_t need;
    int err;

    if (p->ref_count > r->capacity / 64 || p->ref_count > MPR_PARCEL_REFS)
        return -EMSGSIZE;
    if (p->size + p->ref_count * 8ULL > r->capacity / 4) {
        /* Asked before the copy is made: a closed or full ring costs none. */
        if (mpri_load_acq(&r->closed))
            return -EPIPE;
        err = make_heavy(p, &block);
        if (err < 0)
            return err;
        weight = heavy.size = p->size;
        need = frame_bytes(sizeof heavy, p->ref_count + 1);
    } else {
        need = frame_bytes((uint32_t)p->size, p->ref_count);
    }
    for (;;) {
        err = lock(&r->putting, deadline_ns);
        if (err == -ETIMEDOUT)
            break;
        if (err == -EOWNERDEAD)
            repair_put(r);
        if (mpri_load_acq(&r->closed)) {
            mpri_mutex_unlock(&r->putting);
            err = -EPIPE;
            break;
        }
        if (fits(r, need, weight)) {
            heavy.total = mpri_load_rlx(&r->heavy_put) + weight;
            publish(r, p, &heavy, weight ? &block : NULL, need);
            mpri_mutex_unlock(&r->putting);
            mpri_gate_open(&r->readable, 1);
            err = 0;
            break;
        }
        mpri_mutex_unlock(&r->putting);
        err = wait_writable(r, need, weight, deadline_ns);
        if (err < 0)
            break;
    }
    mpri_drop(&block);
    return err;
}

bool mpri_ring_readable(struct mpri_ring *r)
{
    return low(mpri_load_seq(&r->head)) != low(mpri_load_seq(&r->tail)) ||
           mpri_load_seq(&r->closed) & MPRI_RING_NO_PUT;
}

int mpri_ring_poll(struct mpri_ring *r, int64_t deadline_ns)
{
    struct mpri_spin spin;
    bool ready = mpri_ring_readable(r);

    if (ready)
        return 1;
    if (deadline_ns <= mpri_now_ns())
        return 0;
    spin = mpri_spin_begin(&r->get_spin);
    while (!ready && mpri_spin_more(&spin))
        ready = mpri_ring_readable(r);
    mpri_spin_end(&spin, ready);
    while (!ready) {
        uint32_t ticket = mpri_gate_prepare(&r->readable);
        int err;

        if (mpri_ring_readable(r))
            break;
        err = mpri_gate_wait(&r->readable, ticket, deadline_ns);
        if (err == -ETIMEDOUT)
            return mpri_ring_readable(r);
        if (err < 0)
            return err;
    }
    return 1;
}

/* The frame at head, past pads; NULL when what is there cannot be true. */
static struct frame *first(struct mpri_ring *r, uint64_t *head, uint64_t tail)
{
    for (;;) {
        uint32_t have = low(tail) - low(*head);
        struct frame *f = frame_at(r, *head);

        if (have < sizeof *f || have > r->capacity || f->size > r->capacity ||
            frame_length(f) > have)
            return NULL;
        if (!(f->flags & FRAME_PAD))
            return f;
        *head = advance(*head, frame_length(f), 0);
    }
}

/* Takes the frame that *head is at. getting is held. */
static int take(struct mpri_ring *r, struct frame *f, uint64_t head,
                struct mpr_message *m)
{
    uint64_t *refs = refs_of(f), end = advance(head, frame_length(f), 1);
    struct heavy heavy = {0};
    int err;

    if (f->refs) {
        err = mpri_message_open_refs(m, refs, f->refs);
        if (err < 0)
            return err;
    }
    MPRI_TESTPOINT("ring.get.opened");
    if (f->flags & FRAME_HEAVY) {
        memcpy(&heavy, refs + f->refs, sizeof heavy);
        mpri_message_use_block(m);
    } else {
        if (f->size) /* else there may be no buffer */
            memcpy(m->buffer, refs + f->refs, f->size);
        m->bytes = m->buffer;
        m->size = f->size;
    }
    MPRI_TESTPOINT("ring.get.copied");
    /* Commit point: from here on the message was got. */
    mpri_store_rel(&r->head, end);
    MPRI_TESTPOINT("ring.get.committed");
    for (uint32_t i = 0; i < f->refs; i++)
        mpri_ref_drop(refs + i);
    if (heavy.total)
        mpri_store_rlx(&r->heavy_got, heavy.total);
    MPRI_TESTPOINT("ring.get.dropped");
    /* Pairs with: room; the bytes may be written over. */
    mpri_store_rel(&r->freed, end);
    return 0;
}

int mpri_ring_get(struct mpri_ring *r, struct mpr_message *m, uint64_t max,
                  int64_t deadline_ns)
{
    uint64_t head, tail, size;
    struct frame *f;
    int err;

    mpr_message_clear(m);
    for (;;) {
        err = lock(&r->getting, deadline_ns);
        if (err == -ETIMEDOUT)
            return err;
        if (mpri_load_rlx(&r->freed) != mpri_load_rlx(&r->head))
            repair_get(r);
        head = mpri_load_rlx(&r->head);
        /* Pairs with: publish. */
        tail = mpri_load_acq(&r->tail);
        if (low(head) == low(tail)) {
            uint32_t closed = mpri_load_acq(&r->closed);

            /* Closed, and still nothing came: the end. */
            mpri_mutex_unlock(&r->getting);
            if (closed & MPRI_RING_NO_PUT && !mpri_ring_count(r))
                return -EPIPE;
            err = mpri_ring_poll(r, deadline_ns);
            if (err < 0)
                return err;
            if (err == 0)
                return -ETIMEDOUT;
            continue;
        }
        f = first(r, &head, tail);
        if (!f) {
            err = -EBADMSG;
            break;
        }
        size = f->size;
        if (f->flags & FRAME_HEAVY)
            memcpy(&size, refs_of(f) + f->refs, sizeof size);
        if (size > max) {
            err = -EMSGSIZE;
            break;
        }
        if (f->size > m->capacity || f->refs > m->ref_capacity) {
            uint32_t refs = f->refs;

            size = f->size;
            mpri_mutex_unlock(&r->getting);
            err = mpri_message_reserve(m, size, refs);
            if (err < 0)
                return err;
            continue;
        }
        err = take(r, f, head, m);
        break;
    }
    mpri_mutex_unlock(&r->getting);
    if (err == 0)
        mpri_gate_open(&r->writable, 1);
    return err;
}

void mpri_ring_close(struct mpri_ring *r, uint32_t bits)
{
    mpri_or_seq(&r->closed, bits);
    mpri_gate_open(&r->readable, UINT32_MAX);
    mpri_gate_open(&r->writable, UINT32_MAX);
}

void mpri_ring_abandon(struct mpri_ring *r, uint32_t slot)
{
    mpri_mutex_abandon(&r->putting, slot);
    mpri_mutex_abandon(&r->getting, slot);
}

void mpri_ring_destroy(struct mpri_ring *r)
{
    uint64_t tail = mpri_load_acq(&r->tail);

    repair_put(r);
    drop_refs(r, mpri_load_acq(&r->freed), tail);
}
