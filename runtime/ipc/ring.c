#include "ipc/ring.h"

#include "ipc/frame.h"
#include "life/kind.h"

#include <errno.h>
#include <string.h>

void mpri_ring_init(struct mpri_ring *r, uint32_t room)
{
    struct mpri_ring_segment *s = (struct mpri_ring_segment *)(r + 1);

    memset(r, 0, sizeof *r);
    memset(s, 0, sizeof *s);
    s->first = MPRI_SEGMENT_ONLY;
    s->capacity = room - (uint32_t)sizeof *s;
    /* As if a block's header were there, see mpri_segment_of. */
    r->put_segment = r->get_segment = mpri_off(s) - sizeof(struct mpri_block);
    r->bound = MPRI_NUMBER_MAX;
}

void mpri_ring_init_growing(struct mpri_ring *r, uint64_t bound)
{
    memset(r, 0, sizeof *r);
    r->bound = bound < MPRI_NUMBER_MAX ? bound : MPRI_NUMBER_MAX;
    r->grows = 1;
}

uint64_t mpri_ring_count(struct mpri_ring *r)
{
    uint64_t head = mpri_load_seq(&r->head), again, tail;

    /* head never comes back to a value, so when it is the same before and
     * after, the two were true together. */
    for (;; head = again) {
        tail = mpri_load_seq(&r->tail);
        again = mpri_load_seq(&r->head);
        if (again == head)
            return mpri_position_count(head, tail);
    }
}

int mpri_ring_poll(struct mpri_ring *r, int64_t deadline_ns)
{
    struct mpri_spin spin;
    bool ready = mpri_ring_readable(r);

    if (ready)
        return 1;
    if (deadline_ns <= mpr_now())
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

void mpri_ring_close(struct mpri_ring *r)
{
    mpri_or_seq(&r->tail, MPRI_RING_CLOSED);
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
    uint64_t freed = mpri_load_acq(&r->freed), tail = mpri_load_acq(&r->tail);
    struct mpri_ring_segment *first = mpri_segment_of(&r->get_segment);
    struct mpri_ring_segment *last = mpri_segment_of(&r->put_segment);

    /* 0: nothing was ever put, or a predecessor was killed after the drop of
     * the segments. */
    if (!first)
        return;
    mpri_frames_drop(first, freed, mpri_position_count(freed, tail));
    if (r->claim && mpri_position_count(tail, r->claim) == 1)
        mpri_frames_drop(last, tail, 1);
    if (r->grows)
        mpri_ref_drop(&r->get_segment);
}

static void destroy_segment(struct mpri_block *b)
{
    mpri_ref_drop(&((struct mpri_ring_segment *)mpri_block_data(b))->next);
}

void mpri_ring_register(void)
{
    static const struct mpri_kind segment = {
        .name = "segment",
        .destroy = destroy_segment,
    };

    mpri_kind_register(MPR_KIND_SEGMENT, &segment);
}
