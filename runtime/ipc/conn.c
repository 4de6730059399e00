#include "ipc/conn.h"

#include "base/testpoint.h"
#include "ipc/ring.h"
#include "life/block.h"
#include "life/kind.h"
#include "mem/segment.h"
#include "mpr.h"

#include <errno.h>
#include <string.h>

/* Small, so that thousands of pipes cost little; larger messages go in blocks
 * of their own. */
enum { CAPACITY = 16384, RING = sizeof(struct mpri_ring) + CAPACITY };

struct end {
    uint64_t pipe; /* holds the PIPE; Fixed after init */
    uint32_t side; /* 0 or 1: sends into ring[side] */
    uint32_t can;  /* CAN_*; Fixed after init */
};

enum { CAN_RECV = 1, CAN_SEND = 2 };

/* Rings start on a cache line: the PIPE's data is half a line in. */
static struct mpri_ring *ring_of(const struct mpri_block *pipe, uint32_t i)
{
    return (struct mpri_ring *)(void *)((char *)mpri_block_data(pipe) + 32 +
                                        (size_t)i * RING);
}

static struct mpri_block *pipe_of(const struct end *e)
{
    return mpri_at(e->pipe);
}

static void destroy_pipe(struct mpri_block *b)
{
    mpri_ring_destroy(ring_of(b, 0));
    mpri_ring_destroy(ring_of(b, 1));
}

static void destroy_end(struct mpri_block *b)
{
    struct end *e = mpri_block_data(b);

    /* 0: a predecessor was killed after the drop below. */
    if (!e->pipe)
        return;
    mpri_ring_close(ring_of(pipe_of(e), e->side));
    mpri_ring_close(ring_of(pipe_of(e), !e->side));
    MPRI_TESTPOINT("conn.closed");
    mpri_ref_drop(&e->pipe);
}

static void abandon_end(struct mpri_block *b, uint32_t slot)
{
    struct end *e = mpri_block_data(b);

    if (!e->pipe)
        return;
    mpri_ring_abandon(ring_of(pipe_of(e), 0), slot);
    mpri_ring_abandon(ring_of(pipe_of(e), 1), slot);
}

static int end_ready(struct mpri_block *b)
{
    const struct end *e = mpri_block_data(b);

    return e->can & CAN_RECV &&
           mpri_ring_readable(ring_of(pipe_of(e), !e->side));
}

static struct mpri_gate *end_gate(struct mpri_block *b)
{
    const struct end *e = mpri_block_data(b);

    return &ring_of(pipe_of(e), !e->side)->readable;
}

void mpri_conn_register(void)
{
    static const struct mpri_kind pipe = {
        .name = "Pipe",
        .destroy = destroy_pipe,
    };
    static const struct mpri_kind end = {
        .name = "Connection",
        .abandon = abandon_end,
        .destroy = destroy_end,
        .ready = end_ready,
        .gate = end_gate,
    };

    mpri_kind_register(MPR_KIND_PIPE, &pipe);
    mpri_kind_register(MPR_KIND_CONNECTION, &end);
}

void mpr_conn_attach(mpr_conn *c, mpr_handle *h)
{
    const struct end *e = mpri_data(h);

    c->in = e->can & CAN_RECV ? ring_of(pipe_of(e), !e->side) : NULL;
    c->out = e->can & CAN_SEND ? ring_of(pipe_of(e), e->side) : NULL;
    c->h = *h;
    h->block = NULL;
}

static int make_end(mpr_conn *c, const mpr_handle *pipe, uint32_t side,
                    uint32_t can)
{
    mpr_handle h;
    struct end *e;
    int err = mpri_block_create(sizeof *e, MPRI_BLOCK_ZERO, &h);

    if (err < 0)
        return err;
    e = mpri_data(&h);
    e->side = side;
    e->can = can;
    mpri_block_become(&h, MPR_KIND_CONNECTION);
    MPRI_TESTPOINT("conn.end");
    mpri_ref_set(&e->pipe, pipe);
    mpr_conn_attach(c, &h);
    return 0;
}

int mpr_pipe(mpr_conn *a, mpr_conn *b, int duplex)
{
    mpr_handle pipe;
    int err = mpr_open();

    if (err < 0)
        return err;
    err = mpri_block_create(32 + 2 * RING, MPRI_BLOCK_PRIVATE, &pipe);
    if (err < 0)
        return err;
    mpri_ring_init(ring_of(pipe.block, 0), CAPACITY);
    mpri_ring_init(ring_of(pipe.block, 1), CAPACITY);
    mpri_block_become(&pipe, MPR_KIND_PIPE);
    err = make_end(a, &pipe, 0, duplex ? CAN_RECV | CAN_SEND : CAN_RECV);
    if (err == 0) {
        err = make_end(b, &pipe, 1, duplex ? CAN_RECV | CAN_SEND : CAN_SEND);
        if (err < 0)
            mpr_handle_close(&a->h);
    }
    mpri_drop(&pipe); /* the ends keep it */
    return err;
}

int mpr_conn_send(mpr_conn *c, const struct mpr_parcel *parcel,
                  int64_t deadline_ns)
{
    return c->out ? mpri_ring_put(c->out, parcel, deadline_ns) : -EBADF;
}

int mpr_conn_recv(mpr_conn *c, struct mpr_message *m, uint64_t max,
                  int64_t deadline_ns)
{
    return c->in ? mpri_ring_get(c->in, m, max, deadline_ns) : -EBADF;
}

int mpr_conn_poll(mpr_conn *c, int64_t deadline_ns)
{
    int r;

    if (!c->in)
        return -EBADF;
    r = mpri_ring_poll(c->in, deadline_ns);
    /* The wake may have been meant for somebody who would have received. */
    if (r == 1)
        mpri_gate_open(&((struct mpri_ring *)c->in)->readable, 1);
    return r;
}
