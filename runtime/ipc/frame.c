#include "ipc/frame.h"

#include "base/deadline.h"
#include "os/os.h"

#include <errno.h>

static const int64_t GRACE = 40 * MPRI_MS;

struct mpri_frame *mpri_frame_find(const struct mpri_ring_segment *s,
                                   uint32_t *at)
{
    struct mpri_frame *f = mpri_frame_at(s, *at);

    if (*at + sizeof *f > s->capacity)
        return NULL;
    if (f->flags & MPRI_FRAME_PAD) {
        *at = 0;
        f = mpri_frame_at(s, 0);
        if (f->flags & (MPRI_FRAME_PAD | MPRI_FRAME_NEXT))
            return NULL;
    }
    if (f->flags & MPRI_FRAME_NEXT)
        return f;
    return *at + mpri_frame_length(f->size, f->refs) <= s->capacity ? f : NULL;
}

void mpri_frames_drop(struct mpri_ring_segment *s, uint64_t from,
                      uint64_t count)
{
    uint32_t at = mpri_segment_at(s, from);

    while (count > 0) {
        struct mpri_frame *f = mpri_frame_find(s, &at);

        if (!f)
            return; /* damaged: nothing here can be trusted */
        if (f->flags & MPRI_FRAME_NEXT) {
            s = mpri_segment_of(&s->next);
            if (!s)
                return;
            at = 0;
            continue;
        }
        for (uint32_t i = 0; i < f->refs; i++)
            mpri_ref_drop(mpri_frame_refs(f) + i);
        at += (uint32_t)mpri_frame_length(f->size, f->refs);
        count--;
    }
}

int mpri_ring_lock(struct mpri_mutex *m, int64_t deadline_ns)
{
    /* Fast when free, and only then without looking at the clock. */
    int r = mpri_mutex_lock(m, 0);
    int64_t grace;

    if (r != -ETIMEDOUT)
        return r;
    grace = mpri_now_ns() + GRACE;
    return mpri_mutex_lock(m, deadline_ns > grace ? deadline_ns : grace);
}
