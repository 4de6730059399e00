#include "serve/bury.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"

static const int64_t PATIENCE = MPRI_SECOND;

/* The task that the frame was doing, + 1; 0: none. */
static uint32_t doing(struct mpri_frame *f, struct mpri_job *j)
{
    uint32_t running = mpri_load_acq(&f->running);

    /* It may have been about to take it, and not have done so. */
    if (running == 0 || running != mpri_range_next(mpri_load_acq(&f->range)) ||
        running > mpri_load_acq(&j->count) ||
        !mpri_outcome_open(&j->outcome[running - 1]))
        return 0;
    return running;
}

static uint32_t milliseconds(int64_t ns)
{
    int64_t ms = ns / MPRI_MS;

    return ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static void lose(struct mpri_seat *s, struct mpri_frame *f, struct mpri_job *j,
                 uint32_t task, int status)
{
    struct mpri_outcome *o = &j->outcome[task];
    int64_t ended = (int64_t)mpri_load_rlx(&s->ended_ns);
    int64_t hard = (int64_t)mpri_load_rlx(&f->hard_ns);
    struct mpri_result was, r = {.form = MPRI_LOST};

    if (!ended)
        ended = mpri_now_ns();
    mpri_outcome_load(o, &was);
    r.flags = was.flags;
    r.u.lost.kills = (uint8_t)(was.worker + 1);
    r.worker = (uint16_t)mpri_load_rlx(&s->number);
    r.u.lost.pid = mpri_load_rlx(&s->pid);
    r.u.lost.status = (int16_t)status;
    r.u.lost.late = hard && ended >= hard;
    r.u.lost.ran_ms =
        milliseconds(ended - (int64_t)mpri_load_rlx(&f->started_ns));
    mpri_outcome_store(o, &r);
    MPRI_TESTPOINT("bury.lost");
    mpri_job_failed(j, task, MPR_JOB_STOP_LOST);
}

static void bury_frame(struct mpri_pool *p, struct mpri_seat *s,
                       struct mpri_frame *f, int status, struct mpri_trash *t)
{
    struct mpri_job *j = mpri_job_at(f->job);
    uint32_t task = doing(f, j);

    if (task)
        lose(s, f, j, task - 1, status);
    mpri_store_rel(&f->range, 0);
    mpri_store_rel(&f->running, 0);
    /* Wherever it died, inside a claim too: what it had is below the cursor. */
    mpri_desk_redo(p, j, mpri_load_rlx(&j->low), mpri_load_rlx(&j->cursor));
    MPRI_TESTPOINT("bury.frame");
    mpri_job_progress(j, task != 0);
    mpri_desk_forget(f, t);
}

void mpri_bury(struct mpri_pool *p, struct mpri_seat *s, uint32_t number,
               int status)
{
    for (;;) {
        struct mpri_trash t = {.count = 0};
        uint32_t left = 0;

        mpri_desk_lock(p);
        if (mpri_load_acq(&s->number) != number ||
            mpri_load_acq(&s->state) == MPRI_SEAT_EMPTY) {
            mpri_desk_unlock(p, NULL);
            return;
        }
        for (uint32_t d = 0; d < MPRI_FRAMES; d++) {
            if (!s->frame[d].job)
                continue;
            if (t.count < MPRI_TRASH)
                bury_frame(p, s, &s->frame[d], status, &t);
            left += s->frame[d].job != 0;
        }
        if (!left)
            mpri_store_rel(&s->state, MPRI_SEAT_EMPTY);
        mpri_desk_unlock(p, &t);
        if (!left || !t.count)
            break;
    }
    mpri_pool_wake(p, UINT32_MAX);
}

void mpri_bury_forgotten(struct mpri_pool *p)
{
    for (uint32_t i = 0; i < p->seats; i++) {
        struct mpri_seat *s = &p->seat[i];

        if (mpri_load_acq(&s->state) == MPRI_SEAT_ENDED &&
            mpri_now_ns() - (int64_t)mpri_load_rlx(&s->ended_ns) > PATIENCE)
            mpri_bury(p, s, mpri_load_rlx(&s->number), MPRI_STATUS_UNKNOWN);
    }
}
