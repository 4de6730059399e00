/* A pool's workers as processes that its creator forks, for programs in C. */

#include "base/deadline.h"
#include "os/os.h"
#include "serve/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* A worker that ends before this without having had a task: its successor
 * waits, longer each time. */
static const int64_t YOUNG_NS = MPRI_SECOND;
static const int64_t PAUSE_MIN_NS = 50 * MPRI_MS;
static const int64_t PAUSE_MAX_NS = 2 * MPRI_SECOND;

struct member {
    mpr_process process;
    uint32_t seat;
    int64_t started_ns; /* 0: no process */
};

struct mpr_crew {
    mpr_body *body;
    void *ud;
    int64_t pause_ns;
    int64_t start_ns; /* no worker is started before */
    uint32_t count;
    struct member member[];
};

static void work(mpr_pool *pool, uint32_t seat, mpr_process *self)
{
    const struct mpr_crew *c = pool->crew;
    mpr_worker *w;
    struct mpr_task t;
    int r = mpr_worker_enter(&w, pool, seat);

    if (r < 0)
        mpr_process_exit(self, 1);
    while (r >= 0 || r == -EINTR) {
        r = mpr_worker_take(w, NULL, &t, MPR_FOREVER);
        if (r == 0)
            break;
        if (r > 0)
            r = c->body(c->ud, w, &t);
    }
    if (r >= 0)
        mpr_worker_leave(w);
    mpr_process_exit(self, r < 0);
}

static int start(mpr_pool *pool, struct member *m)
{
    char name[MPR_PROCESS_NAME];
    uint32_t number;
    int r = mpr_pool_seat(pool, &number);

    if (r < 0)
        return r;
    m->seat = (uint32_t)r;
    snprintf(name, sizeof name, "worker-%u", number);
    r = mpr_process_fork(&m->process, &(struct mpr_process_options){
                                          .name = name,
                                          .daemon = 1,
                                          .worker = 1,
                                      });
    if (r == MPR_IN_CHILD)
        work(pool, m->seat, &m->process);
    if (r < 0) {
        mpr_pool_bury(pool, m->seat, 0);
        return r;
    }
    m->started_ns = mpri_now_ns();
    return 0;
}

static void end(mpr_pool *pool, struct member *m)
{
    int64_t lived = mpri_now_ns() - m->started_ns;
    struct mpr_crew *c = pool->crew;
    struct mpr_seat_stats s;
    int code = 0;

    mpr_pool_look(pool, m->seat, &s);
    mpr_process_exit_code(&m->process, &code);
    mpr_pool_bury(pool, m->seat, code);
    mpr_process_close(&m->process);
    m->started_ns = 0;
    if (s.state == MPR_SEAT_LEFT || s.busy || s.tasks || lived > YOUNG_NS) {
        c->pause_ns = 0;
        return;
    }
    /* The first to fail is replaced at once. */
    c->start_ns = mpri_now_ns() + c->pause_ns;
    c->pause_ns = c->pause_ns ? c->pause_ns * 2 : PAUSE_MIN_NS;
    if (c->pause_ns > PAUSE_MAX_NS)
        c->pause_ns = PAUSE_MAX_NS;
}

int mpr_pool_start(mpr_pool *pool, mpr_body *body, void *ud)
{
    uint32_t n = mpri_pool_of(pool->h.block)->workers;
    struct mpr_crew *c = calloc(1, sizeof *c + n * sizeof c->member[0]);

    if (!c)
        return -ENOMEM;
    c->body = body;
    c->ud = ud;
    c->count = n;
    pool->crew = c;
    for (uint32_t i = 0; i < n; i++) {
        int err = start(pool, &c->member[i]);

        if (err < 0) {
            mpr_pool_shut(pool, MPR_POOL_TERMINATE);
            mpr_pool_join(pool, MPR_FOREVER);
            return err;
        }
    }
    return 0;
}

int mpr_pool_tend(mpr_pool *pool)
{
    struct mpr_crew *c = pool->crew;
    int live = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        struct member *m = &c->member[i];
        enum mpr_pool_state state = mpr_pool_state(pool);

        if (m->started_ns && !mpr_process_alive(&m->process))
            end(pool, m);
        if (!m->started_ns && mpri_now_ns() >= c->start_ns &&
            (state == MPR_POOL_RUN ||
             (state == MPR_POOL_CLOSE && mpr_pool_pending(pool))))
            start(pool, m);
        live += m->started_ns != 0;
    }
    return live;
}

int mpr_pool_join(mpr_pool *pool, int64_t deadline_ns)
{
    struct mpr_crew *c = pool->crew;

    if (!c)
        return 0;
    while (mpr_pool_tend(pool)) {
        int64_t now = mpri_now_ns(), slice = now + 20 * MPRI_MS;
        int r = 0;

        if (now >= deadline_ns)
            return -ETIMEDOUT;
        for (uint32_t i = 0; i < c->count && r == 0; i++) {
            struct member *m = &c->member[i];

            if (!m->started_ns)
                continue;
            if (mpr_pool_state(pool) == MPR_POOL_TERMINATE)
                mpr_process_signal(&m->process, SIGKILL);
            r = mpr_process_join(&m->process, mpri_earlier(slice, deadline_ns));
            if (r == -EINTR)
                return r;
        }
    }
    free(c);
    pool->crew = NULL;
    return 0;
}
