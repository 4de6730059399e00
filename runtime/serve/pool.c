#include "serve/pool.h"

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "peer/roster.h"
#include "serve/bury.h"
#include "serve/desk.h"
#include "serve/note.h"

#include <errno.h>
#include <stdio.h>

enum { WORKERS_MAX = 2000 };

/* ---- the kind ---------------------------------------------------------------- */

static void abandon_seats(struct mpri_pool *p, uint32_t slot)
{
    for (uint32_t i = 0; i < p->seats; i++) {
        struct mpri_seat *s = &p->seat[i];
        uint32_t live = MPRI_SEAT_LIVE;

        if (mpri_load_acq(&s->slot) != slot ||
            mpri_load_acq(&s->state) != MPRI_SEAT_LIVE)
            continue;
        mpri_store_rlx(&s->ended_ns, (uint64_t)mpri_now_ns());
        mpri_cas_rel(&s->state, &live, MPRI_SEAT_ENDED);
    }
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct mpri_pool *p = mpri_pool_of(b);
    uint32_t spinner = slot + 1;

    mpri_mutex_abandon(&p->desk, slot);
    mpri_cas_seq(&p->spinner, &spinner, 0);
    abandon_seats(p, slot);
    if ((p->creator & 0xfff) == slot)
        mpri_store_seq(&p->state, MPR_POOL_TERMINATE);
    mpri_pool_wake(p, UINT32_MAX);
}

static void destroy(struct mpri_block *b)
{
    struct mpri_pool *p = mpri_pool_of(b);

    for (uint32_t l = 0; l < MPRI_LEVELS; l++)
        mpri_ref_drop(&p->level[l].first);
    for (uint32_t i = 0; i < p->seats; i++)
        for (uint32_t d = 0; d < MPRI_FRAMES; d++)
            if (p->seat[i].frame[d].job)
                mpri_ref_drop(&p->seat[i].frame[d].job);
    mpri_ref_drop(&p->broken);
}

static const char *label(const struct mpri_block *b)
{
    return mpri_pool_of(b)->label;
}

void mpri_pool_register(void)
{
    static const struct mpri_kind pool = {
        .name = "Pool",
        .abandon = abandon,
        .destroy = destroy,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_POOL, &pool);
    mpri_note_register();
    mpri_job_register();
}

/* ---- the object ---------------------------------------------------------------- */

int mpr_pool_create(mpr_pool *pool, const struct mpr_pool_options *o)
{
    struct mpri_pool *p;
    /* A worker and its successor are there at once for a while. */
    uint32_t seats = o->workers * 2;
    int err = mpr_open();

    if (err < 0)
        return err;
    if (o->workers > WORKERS_MAX)
        return -EINVAL;
    err = mpri_block_create(32 + sizeof *p + seats * sizeof p->seat[0],
                            MPRI_BLOCK_ZERO, &pool->h);
    if (err < 0)
        return err;
    pool->crew = NULL;
    p = mpri_pool_of(pool->h.block);
    p->seats = seats;
    p->workers = o->workers;
    p->creator = mpri_self_name();
    p->wakes = (uint32_t)mpri_cpu_count(false) + 1;
    snprintf(p->label, sizeof p->label, "%s", o->name ? o->name : "");
    mpri_block_become(&pool->h, MPR_KIND_POOL);
    MPRI_TESTPOINT("pool.made");
    return 0;
}

void mpr_pool_attach(mpr_pool *pool, mpr_handle *h)
{
    pool->h = *h;
    pool->crew = NULL;
    h->block = NULL;
}

int mpr_pool_is_mine(const mpr_pool *pool)
{
    return mpri_pool_of(pool->h.block)->creator == mpri_self_name();
}

void mpri_pool_wake(struct mpri_pool *p, uint32_t count)
{
    mpri_add_seq(&p->epoch, 1);
    /* Pairs with: spin in take.c. The one who spins sees the epoch, or
     * looks once more after it stopped spinning. */
    if (count != UINT32_MAX && mpri_load_seq(&p->spinner))
        return;
    mpri_gate_open(&p->work, count);
}

enum mpr_pool_state mpr_pool_state(const mpr_pool *pool)
{
    return (enum mpr_pool_state)mpri_load_acq(
        &mpri_pool_of(pool->h.block)->state);
}

void mpr_pool_shut(mpr_pool *pool, enum mpr_pool_state state)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);
    uint32_t was = mpri_load_acq(&p->state);

    while (was < (uint32_t)state)
        if (mpri_cas_seq(&p->state, &was, (uint32_t)state))
            break;
    MPRI_TESTPOINT("pool.shut");
    if (state >= MPR_POOL_BROKEN) {
        mpri_desk_lock(p);
        mpri_desk_flush(p);
        mpri_desk_unlock(p, NULL);
    }
    mpri_pool_wake(p, UINT32_MAX);
}

int mpr_pool_break(mpr_pool *pool, const struct mpr_parcel *why)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);
    mpr_handle note;
    int err = mpri_note_create(why, &note);

    if (err == 0) {
        mpri_desk_lock(p);
        if (!p->broken)
            mpri_ref_move(&p->broken, &note);
        mpri_desk_unlock(p, NULL);
        mpri_drop(&note);
    }
    mpr_pool_shut(pool, MPR_POOL_BROKEN);
    return err;
}

int mpr_pool_why(mpr_pool *pool, struct mpr_message *m)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);

    if (!p->broken)
        return -ENOENT;
    return mpri_note_read(mpri_note_of(mpri_at(p->broken)), m);
}

int mpr_worker_count(void)
{
    int n = 0;

    if (mpr_open() < 0)
        return 0;
    for (uint32_t i = mpri_roster_end(); i-- > 0;) {
        enum mpri_slot_state state = mpri_slot_state(i);

        n += (state == MPRI_SLOT_LIVE || state == MPRI_SLOT_STARTING) &&
             mpri_load_rlx(&mpri_slot(i)->worker);
    }
    return n;
}

/* ---- seats ------------------------------------------------------------------------ */

int mpr_pool_seat(mpr_pool *pool, uint32_t *number)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);

    for (uint32_t i = 0; i < p->seats; i++) {
        struct mpri_seat *s = &p->seat[i];

        if (mpri_load_acq(&s->state) != MPRI_SEAT_EMPTY)
            continue;
        *number = mpri_add_rlx(&p->number, 1) + 1;
        mpri_store_rlx(&s->pid, 0);
        mpri_store_rlx(&s->slot, MPRI_NO_SLOT);
        mpri_store_rlx(&s->retire, 0);
        mpri_store_rlx(&s->weary, 0);
        mpri_store_rlx(&s->depth, 0);
        mpri_store_rlx(&s->tasks, 0);
        mpri_store_rlx(&s->busy_ns, 0);
        mpri_store_rlx(&s->ended_ns, 0);
        mpri_store_rlx(&s->cancel_task, 0);
        mpri_store_rel(&s->number, *number);
        mpri_store_rel(&s->state, MPRI_SEAT_STARTING);
        return (int)i;
    }
    return -EUSERS;
}

void mpr_pool_bury(mpr_pool *pool, uint32_t seat, int status)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);
    struct mpri_seat *s = &p->seat[seat];

    if (!mpri_load_rlx(&s->ended_ns))
        mpri_store_rlx(&s->ended_ns, (uint64_t)mpri_now_ns());
    if (mpri_load_acq(&s->state) != MPRI_SEAT_LEFT)
        mpri_add_rlx(&p->deaths, 1);
    mpri_bury(p, s, mpri_load_acq(&s->number), status);
}

uint32_t mpr_pool_deaths(const mpr_pool *pool)
{
    return mpri_load_rlx(&mpri_pool_of(pool->h.block)->deaths);
}

void mpr_pool_retire(mpr_pool *pool, uint32_t seat)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);

    mpri_store_rel(&p->seat[seat].retire, 1);
    mpri_futex_wake(&p->seat[seat].retire, 1);
    mpri_pool_wake(p, UINT32_MAX);
}

int mpr_pool_look(const mpr_pool *pool, uint32_t seat,
                  struct mpr_seat_stats *out)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);
    struct mpri_seat *s;
    struct mpri_frame *f;
    uint32_t depth;

    if (seat >= p->seats)
        return -ENOENT;
    s = &p->seat[seat];
    depth = mpri_load_acq(&s->depth);
    f = &s->frame[depth < MPRI_FRAMES ? depth : MPRI_FRAMES - 1];
    *out = (struct mpr_seat_stats){
        .state = (enum mpr_seat_state)mpri_load_acq(&s->state),
        .number = mpri_load_rlx(&s->number),
        .pid = (int)mpri_load_rlx(&s->pid),
        .weary = (int)mpri_load_rlx(&s->weary),
        .busy = mpri_load_rlx(&f->running) != 0,
        .tasks = mpri_load_rlx(&s->tasks),
        .busy_ns = mpri_load_rlx(&s->busy_ns),
        .entered_ns = (int64_t)mpri_load_rlx(&s->entered_ns),
    };
    return 0;
}

uint64_t mpr_pool_pending(mpr_pool *pool)
{
    struct mpri_pool *p = mpri_pool_of(pool->h.block);
    uint64_t n;

    mpri_desk_lock(p);
    n = mpri_desk_pending(p);
    mpri_desk_unlock(p, NULL);
    return n;
}

void mpr_pool_close(mpr_pool *pool)
{
    mpri_drop(&pool->h);
}
