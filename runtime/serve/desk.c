#include "serve/desk.h"

#include "base/testpoint.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/tx.h"
#include "os/os.h"
#include "peer/roster.h"

void mpri_desk_lock(struct mpri_pool *p)
{
    if (mpri_mutex_lock(&p->desk, MPR_FOREVER) == -EOWNERDEAD) {
        /* The last owner's transaction, if one was open, is undone. */
        mpri_guard_lock();
        mpri_guard_unlock();
    }
}

void mpri_desk_unlock(struct mpri_pool *p, struct mpri_trash *t)
{
    mpri_mutex_unlock(&p->desk);
    MPRI_TESTPOINT("desk.unlocked");
    for (uint32_t i = 0; t && i < t->count; i++)
        mpri_drop_entry(mpri_self.slot, t->entry[i]);
}

/* ---- the lists ----------------------------------------------------------- */

void mpri_desk_link(struct mpri_pool *p, struct mpri_job *j)
{
    uint32_t l = j->level;
    uint64_t off = mpri_job_off(j);

    if (j->queued)
        return;
    j->since_ns = mpri_now_ns();
    mpri_guard_lock();
    mpri_count_up(off);
    if (p->level[l].last)
        mpri_tx_set(&mpri_job_at(p->level[l].last)->next, off);
    else
        mpri_tx_set(&p->level[l].first, off);
    mpri_tx_set(&p->level[l].last, off);
    mpri_tx_set(&p->levels, p->levels | 1ULL << l);
    mpri_tx_set(&j->queued, 1);
    MPRI_TESTPOINT("desk.linking");
    mpri_tx_commit();
    mpri_guard_unlock();
}

bool mpri_desk_unlink(struct mpri_pool *p, struct mpri_job *j, uint64_t *at,
                      uint64_t before, struct mpri_trash *t)
{
    uint32_t l = j->level;
    uint64_t off = mpri_job_off(j);

    /* One place is kept for mpri_desk_hold. */
    if (t->count >= MPRI_TRASH - 1 || mpri_hold_lock(1) < 0)
        return false; /* it stays for another time */
    t->entry[t->count++] = mpri_hold_put(off | MPRI_HOLD_PRIVATE);
    mpri_tx_set(at, j->next);
    mpri_tx_set(&j->next, 0);
    if (p->level[l].last == off)
        mpri_tx_set(&p->level[l].last, before);
    if (!p->level[l].first)
        mpri_tx_set(&p->levels, p->levels & ~(1ULL << l));
    mpri_tx_set(&j->queued, 0);
    MPRI_TESTPOINT("desk.unlinking");
    mpri_tx_commit();
    mpri_guard_unlock();
    return true;
}

bool mpri_desk_hold(struct mpri_frame *f, const struct mpri_job *j,
                    struct mpri_trash *t)
{
    uint64_t off = mpri_job_off(j);

    if (f->job == off)
        return true;
    if ((f->job && t->count == MPRI_TRASH) || mpri_hold_lock(1) < 0)
        return false;
    if (f->job)
        t->entry[t->count++] = mpri_hold_put(f->job | MPRI_HOLD_PRIVATE);
    mpri_count_up(off);
    mpri_tx_set(&f->job, off);
    MPRI_TESTPOINT("desk.holding");
    mpri_tx_commit();
    mpri_guard_unlock();
    return true;
}

void mpri_desk_forget(struct mpri_frame *f, struct mpri_trash *t)
{
    if (!f->job || t->count == MPRI_TRASH || mpri_hold_lock(1) < 0)
        return;
    t->entry[t->count++] = mpri_hold_put(f->job | MPRI_HOLD_PRIVATE);
    mpri_tx_set(&f->job, 0);
    mpri_tx_commit();
    mpri_guard_unlock();
}

void mpri_desk_redo(struct mpri_pool *p, struct mpri_job *j, uint32_t first,
                    uint32_t last)
{
    if (j->redo == j->redo_end) {
        j->redo = first;
        j->redo_end = last;
    } else {
        j->redo = first < j->redo ? first : j->redo;
        j->redo_end = last > j->redo_end ? last : j->redo_end;
    }
    mpri_desk_link(p, j);
}

/* ---- the whole ----------------------------------------------------------- */

void mpri_desk_flush(struct mpri_pool *p)
{
    for (uint32_t l = 0; l < MPRI_LEVELS; l++)
        for (uint64_t at = p->level[l].first; at; at = mpri_job_at(at)->next)
            mpri_store_seq(&mpri_job_at(at)->stopped, 1);
    for (uint32_t n = 0; n < p->seats; n++)
        for (uint32_t d = 0; d < MPRI_FRAMES; d++)
            if (p->seat[n].frame[d].job)
                mpri_store_seq(&mpri_job_at(p->seat[n].frame[d].job)->stopped,
                               1);
}

uint64_t mpri_desk_pending(struct mpri_pool *p)
{
    uint64_t n = 0;

    for (uint32_t l = 0; l < MPRI_LEVELS; l++)
        for (uint64_t at = p->level[l].first; at; at = mpri_job_at(at)->next) {
            struct mpri_job *j = mpri_job_at(at);

            if (!mpri_load_acq(&j->stopped))
                n += mpri_load_acq(&j->count) - mpri_load_rlx(&j->cursor);
        }
    for (uint32_t i = 0; i < p->seats; i++) {
        struct mpri_seat *s = &p->seat[i];

        if (!mpri_seat_counts(s))
            continue;
        for (uint32_t d = mpri_seat_frames(s); d-- > 0;) {
            struct mpri_frame *f = &s->frame[d];
            uint32_t running = mpri_load_acq(&f->running);

            if (!f->job)
                continue;
            n += mpri_range_left(mpri_load_acq(&f->range));
            if (running &&
                mpri_outcome_open(&mpri_job_at(f->job)->outcome[running - 1]))
                n++;
        }
    }
    return n;
}
