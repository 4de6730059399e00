#include "ipc/queue.h"

#include "base/testpoint.h"
#include "ipc/message.h"
#include "life/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct mpri_queue *data(const mpr_queue *q)
{
    return mpri_data(&q->h);
}

static struct mpri_queue *of(const struct mpri_block *b)
{
    return mpri_block_data(b);
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    mpri_ring_abandon(&of(b)->ring, slot);
}

static void destroy(struct mpri_block *b)
{
    mpri_ring_destroy(&of(b)->ring);
}

static int ready(struct mpri_block *b)
{
    return mpri_ring_readable(&of(b)->ring);
}

static struct mpri_gate *gate(struct mpri_block *b)
{
    return &of(b)->ring.readable;
}

static const char *label(const struct mpri_block *b)
{
    return of(b)->ring.label;
}

void mpri_queue_register(void)
{
    static const struct mpri_kind queue = {
        .name = "Queue",
        .abandon = abandon,
        .destroy = destroy,
        .ready = ready,
        .gate = gate,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_QUEUE, &queue);
    mpri_ring_register();
    mpri_message_register();
}

int mpr_queue_create(mpr_queue *q, uint64_t bound, uint32_t tag,
                     const char *name)
{
    struct mpri_queue *d;
    int err = mpr_open();

    if (err == 0)
        err = mpri_block_create(sizeof *d, 0, &q->h);
    if (err < 0)
        return err;
    d = data(q);
    memset(d, 0, sizeof *d);
    d->tag = tag;
    mpri_ring_init_growing(&d->ring, bound ? bound : MPRI_NUMBER_MAX);
    if (name)
        snprintf(d->ring.label, sizeof d->ring.label, "%s", name);
    mpri_block_become(&q->h, MPR_KIND_QUEUE);
    return 0;
}

uint32_t mpr_queue_tag(const mpr_queue *q)
{
    return data(q)->tag;
}

uint64_t mpr_queue_bound(const mpr_queue *q)
{
    uint64_t bound = data(q)->ring.bound;

    return bound == MPRI_NUMBER_MAX ? 0 : bound;
}

int mpr_queue_put(mpr_queue *q, const struct mpr_parcel *parcel,
                  int64_t deadline_ns)
{
    return mpri_ring_put(&data(q)->ring, parcel, deadline_ns);
}

int mpr_queue_put_many(mpr_queue *q, const struct mpr_parcel *parcels,
                       size_t count, size_t *done, int64_t deadline_ns)
{
    return mpri_ring_put_many(&data(q)->ring, parcels, count, done,
                              deadline_ns);
}

int mpr_queue_get(mpr_queue *q, struct mpr_message *m, int64_t deadline_ns)
{
    return mpri_ring_get(&data(q)->ring, m, UINT64_MAX, deadline_ns);
}

int mpr_queue_get_many(mpr_queue *q, struct mpr_batch *b, uint32_t max,
                       int64_t deadline_ns)
{
    return mpri_ring_get_many(&data(q)->ring, b, max, deadline_ns);
}

uint64_t mpr_queue_size(const mpr_queue *q)
{
    return mpri_ring_count(&data(q)->ring);
}

void mpr_queue_close(mpr_queue *q)
{
    mpri_ring_close(&data(q)->ring);
}

int mpr_queue_closed(const mpr_queue *q)
{
    return mpri_ring_closed(&data(q)->ring);
}

int mpr_queue_task_done(mpr_queue *q)
{
    struct mpri_queue *d = data(q);
    uint64_t done = mpri_load_acq(&d->done), put;

    do {
        put = mpri_position_number(mpri_load_seq(&d->ring.tail));
        if (put == done)
            return -EINVAL;
        /* Pairs with: mpr_queue_unfinished; publishes the work. */
    } while (!mpri_cas_seq(&d->done, &done, (done + 1) & MPRI_NUMBER_MAX));
    MPRI_TESTPOINT("queue.done");
    if (put == ((done + 1) & MPRI_NUMBER_MAX))
        mpri_gate_open(&d->finished, UINT32_MAX);
    return 0;
}

uint64_t mpr_queue_unfinished(const mpr_queue *q)
{
    struct mpri_queue *d = data(q);
    /* Pairs with: mpr_queue_task_done. */
    uint64_t done = mpri_load_seq(&d->done);

    return (mpri_position_number(mpri_load_seq(&d->ring.tail)) - done) &
           MPRI_NUMBER_MAX;
}

int mpr_queue_join(mpr_queue *q, int64_t deadline_ns)
{
    struct mpri_queue *d = data(q);

    while (mpr_queue_unfinished(q) > 0) {
        uint32_t ticket = mpri_gate_prepare(&d->finished);
        int err;

        if (mpr_queue_unfinished(q) == 0)
            break;
        err = mpri_gate_wait(&d->finished, ticket, deadline_ns);
        if (err == -ETIMEDOUT && mpr_queue_unfinished(q) == 0)
            break;
        if (err < 0)
            return err;
    }
    return 0;
}
