/* Barrier: contract, indices, lockstep, and what breaks it: time, errors, death
 * inside, wherever.
 * time limit: 300 s */

#include "base/deadline.h"
#include "sync/sync_test.h"

enum { MOST = 8 };

struct party {
    mpr_barrier barrier;
    struct {
        mpri_a32 round[MOST];
        mpri_a32 index_seen[MOST + 1];
        mpri_a32 broken;
        mpri_a32 passed;
        mpri_a32 in_action;
        mpri_a32 stop;
    } * shared;
    mpr_handle memory;
    int times;
    int index;
    uint32_t parties;
};

static uint32_t me;

static void make(struct party *c, uint32_t parties)
{
    struct mpr_barrier_options o = {
        .parties = parties,
        .timeout_ns = MPR_FOREVER,
        .name = "gate",
    };

    memset(c, 0, sizeof *c);
    c->parties = parties;
    assert(mpr_barrier_create(&c->barrier, &o) == 0);
    c->shared = shared(&c->memory, sizeof *c->shared);
}

static void unmake(struct party *c)
{
    mpr_handle_close(&c->barrier.h);
    mpr_handle_close(&c->memory);
}

/* A whole visit without an action. */
static int wait_for_all(struct party *c, uint32_t actor, int64_t deadline)
{
    struct mpr_barrier_visit v = {0};
    int r = AGAIN(mpr_barrier_wait(&c->barrier, actor, &v, deadline));

    if (r == MPR_BARRIER_LAST)
        r = mpr_barrier_pass(&c->barrier, &v);
    assert(v.phase == 0);
    return r;
}

static void until_waiting(struct party *c, uint32_t n)
{
    int64_t deadline = soon();

    while (mpr_barrier_waiting(&c->barrier) != n) {
        assert(mpr_now() < deadline);
        usleep(100);
    }
}

static void contract(void)
{
    struct party c;
    struct mpr_barrier_options o = {.parties = 0};
    mpr_handle extra;
    mpr_lock l;

    assert(mpr_barrier_create(&c.barrier, &o) == -EINVAL);
    o.parties = 1 << 24;
    assert(mpr_barrier_create(&c.barrier, &o) == -EINVAL);
    make(&c, 1);
    assert(!strcmp(mpr_handle_label(&c.barrier.h), "gate"));
    for (int i = 0; i < 3; i++)
        assert(wait_for_all(&c, me, 0) == 1);
    assert(mpr_barrier_extra(&c.barrier, &extra) == -ENOENT);
    assert(mpr_barrier_timeout(&c.barrier) == MPR_FOREVER);
    unmake(&c);

    make(&c, 2);
    assert(mpr_barrier_parties(&c.barrier) == 2);
    assert(mpr_barrier_waiting(&c.barrier) == 0);
    assert(!mpr_barrier_is_broken(&c.barrier));
    assert(wait_for_all(&c, me, 0) == -ECANCELED); /* breaks it at once */
    assert(mpr_barrier_is_broken(&c.barrier));
    assert(wait_for_all(&c, me, soon()) == -ECANCELED);
    assert(mpr_barrier_reset(&c.barrier) == 0);
    assert(!mpr_barrier_is_broken(&c.barrier));
    assert(wait_for_all(&c, me, mpr_after(0.01)) == -ECANCELED);
    assert(mpr_barrier_reset(&c.barrier) == 0);
    assert(mpr_barrier_abort(&c.barrier) == 0);
    assert(mpr_barrier_abort(&c.barrier) == 0);
    assert(mpr_barrier_is_broken(&c.barrier));
    unmake(&c);

    assert(mpr_lock_create(&l, "kept") == 0);
    o = (struct mpr_barrier_options){
        .parties = 2, .timeout_ns = 5, .extra = &l.h};
    assert(mpr_barrier_create(&c.barrier, &o) == 0);
    mpr_handle_close(&l.h);
    assert(mpr_barrier_timeout(&c.barrier) == 5);
    assert(mpr_barrier_extra(&c.barrier, &extra) == 0);
    assert(!strcmp(mpr_handle_label(&extra), "kept"));
    mpr_handle_close(&extra);
    mpr_handle_close(&c.barrier.h);
}

/* Nobody is ever more than one round ahead, and each round gives each index
 * once. */
static int keep_step(void *arg)
{
    struct party *c = arg;
    uint32_t actor = new_actor();

    for (int i = 1; i <= c->times; i++) {
        int index;

        mpri_store_seq(&c->shared->round[c->index], (uint32_t)i);
        index = wait_for_all(c, actor, soon());
        assert(index >= 1 && index <= (int)c->parties);
        mpri_add_seq(&c->shared->index_seen[index], 1);
        for (uint32_t k = 0; k < c->parties; k++) {
            uint32_t other = mpri_load_seq(&c->shared->round[k]);

            assert(other == (uint32_t)i || other == (uint32_t)i + 1);
        }
    }
    mpr_actor_free(actor);
    return 0;
}

static void *keep_step_thread(void *arg)
{
    keep_step(arg);
    return NULL;
}

static void lockstep(int n)
{
    struct party c[MOST];
    mpr_process p[MOST];
    pthread_t t[MOST];

    make(&c[0], (uint32_t)n);
    c[0].times = 4000 / SLOWER / n;
    for (c[0].index = 0; c[0].index < n; c[0].index++)
        start(&p[c[0].index], keep_step, &c[0]);
    for (int i = 0; i < n; i++)
        assert(finish(&p[i]) == 0);
    for (int i = 1; i <= n; i++)
        assert(mpri_load_seq(&c[0].shared->index_seen[i]) ==
               (uint32_t)c[0].times);
    memset(c[0].shared, 0, sizeof *c[0].shared);
    for (int i = n - 1; i >= 0; i--) {
        c[i] = c[0];
        c[i].index = i;
        assert(pthread_create(&t[i], NULL, keep_step_thread, &c[i]) == 0);
    }
    for (int i = 0; i < n; i++)
        assert(pthread_join(t[i], NULL) == 0);
    for (int i = 1; i <= n; i++)
        assert(mpri_load_seq(&c[0].shared->index_seen[i]) ==
               (uint32_t)c[0].times);
    assert(mpr_barrier_waiting(&c[0].barrier) == 0);
    unmake(&c[0]);
}

static int wait_and_tell(void *arg)
{
    struct party *c = arg;
    int r = wait_for_all(c, new_actor(), soon());

    assert(r == -ECANCELED || r > 0);
    mpri_add_seq(r > 0 ? &c->shared->passed : &c->shared->broken, 1);
    return 0;
}

static int wait_a_moment(void *arg)
{
    struct party *c = arg;

    assert(wait_for_all(c, new_actor(), mpr_after(0.1)) == -ECANCELED);
    mpri_add_seq(&c->shared->broken, 1);
    return 0;
}

enum how { TIME, ABORT, RESET, DEATH, DEATH_SEEN, LEAVING };

static void handler(int signo)
{
    (void)signo;
}

static int leave_by_error(void *arg)
{
    struct party *c = arg;
    struct sigaction act = {.sa_handler = handler};
    struct mpr_barrier_visit v = {0};

    sigaction(SIGALRM, &act, NULL);
    ualarm(100000, 0);
    assert(mpr_barrier_wait(&c->barrier, new_actor(), &v, soon()) == -EINTR);
    assert(v.phase != 0);
    mpr_barrier_leave(&c->barrier, &v);
    mpr_barrier_leave(&c->barrier, &v);
    mpri_add_seq(&c->shared->broken, 1);
    return 0;
}

/* Three of five parties wait when something breaks the barrier. */
static void breaking(enum how how)
{
    struct party c;
    mpr_process p[3];
    int64_t begun;

    make(&c, 5);
    start(&p[0],
          how == TIME      ? wait_a_moment
          : how == LEAVING ? leave_by_error
                           : wait_and_tell,
          &c);
    for (int i = 1; i < 3; i++)
        start(&p[i], wait_and_tell, &c);
    if (how != TIME && how != LEAVING) {
        until_waiting(&c, 3);
        usleep(50000);
        assert(mpri_load_seq(&c.shared->broken) == 0);
    }
    begun = mpr_now();
    switch (how) {
    case ABORT:
        mpr_barrier_abort(&c.barrier);
        break;
    case RESET:
        mpr_barrier_reset(&c.barrier);
        break;
    case DEATH:
        kill_unseen(&p[0]);
        break;
    case DEATH_SEEN:
        kill_now(&p[0]);
        assert(mpr_process_join(&p[0], soon()) == 0);
        break;
    case TIME:
    case LEAVING:
        break;
    }
    for (int i = 1; i < 3; i++)
        assert(finish(&p[i]) == 0);
    if (how == DEATH)
        printf("broken %.0f ms after a death\n",
               (double)(mpr_now() - begun) / 1e6);
    assert(mpr_now() - begun < MPRI_SECOND * SLOWER);
    assert(finish(&p[0]) == (how == DEATH || how == DEATH_SEEN ? -SIGKILL : 0));
    assert(mpri_load_seq(&c.shared->broken) ==
           (how == DEATH || how == DEATH_SEEN ? 2 : 3));
    assert(mpr_barrier_is_broken(&c.barrier) == (how != RESET));
    assert(mpr_barrier_waiting(&c.barrier) == 0);

    /* It is as good as new after a reset. */
    mpr_barrier_reset(&c.barrier);
    for (int i = 0; i < 3; i++)
        start(&p[i], wait_and_tell, &c);
    until_waiting(&c, 3);
    mpr_sweep();
    {
        struct party again = c;
        mpr_process q;

        start(&q, wait_and_tell, &again);
        assert(wait_for_all(&c, me, soon()) > 0);
        assert(finish(&q) == 0);
    }
    for (int i = 0; i < 3; i++)
        assert(finish(&p[i]) == 0);
    assert(mpri_load_seq(&c.shared->passed) == 4);
    unmake(&c);
}

/* The last to come runs the action while the others wait. */
static int last_one(void *arg)
{
    struct party *c = arg;
    struct mpr_barrier_visit v = {0};
    uint32_t actor = new_actor();
    int r = AGAIN(mpr_barrier_wait(&c->barrier, actor, &v, soon()));

    assert(r == MPR_BARRIER_LAST);
    mpri_store_seq(&c->shared->in_action, 1);
    if (c->index == 1)
        raise(SIGKILL);
    if (c->index == 2) { /* an error in the action */
        mpr_barrier_leave(&c->barrier, &v);
        return 0;
    }
    usleep(50000);
    assert(mpri_load_seq(&c->shared->passed) == 0);
    assert(mpr_barrier_pass(&c->barrier, &v) == 3);
    return 0;
}

static void action(int what)
{
    struct party c;
    mpr_process p[3];
    int passed = what == 0;

    make(&c, 3);
    for (int i = 0; i < 2; i++)
        start(&p[i], wait_and_tell, &c);
    until_waiting(&c, 2);
    c.index = what;
    start(&p[2], last_one, &c);
    if (what == 0) {
        /* Who comes during the action waits for the next round. */
        while (!mpri_load_seq(&c.shared->in_action))
            usleep(100);
        assert(wait_for_all(&c, me, mpr_after(0.01)) == -ETIMEDOUT);
    }
    for (int i = 0; i < 2; i++)
        assert(finish(&p[i]) == 0);
    assert(finish(&p[2]) == (what == 1 ? -SIGKILL : 0));
    assert(mpri_load_seq(&c.shared->passed) == (passed ? 2 : 0));
    assert(mpri_load_seq(&c.shared->broken) == (passed ? 0 : 2));
    assert(mpr_barrier_is_broken(&c.barrier) == !passed);
    unmake(&c);
}

/* Two rounds beside a partner; whatever happens, nobody stays behind. */
static int two_rounds(void *arg)
{
    struct party *c = arg;
    uint32_t actor = new_actor();

    for (int i = 0; i < 2; i++)
        if (wait_for_all(c, actor, soon()) < 0)
            return 0;
    mpr_barrier_reset(&c->barrier);
    return 0;
}

static void *partner(void *arg)
{
    struct party *c = arg;
    uint32_t actor = new_actor();

    while (!mpri_load_seq(&c->shared->stop)) {
        int r = wait_for_all(c, actor, mpr_after(0.02));

        assert(r > 0 || r == -ECANCELED || r == -ETIMEDOUT);
        if (mpr_barrier_is_broken(&c->barrier))
            mpr_barrier_reset(&c->barrier);
    }
    mpr_actor_free(actor);
    return NULL;
}

/* Whoever a reset lets go comes again at once: to a barrier that is whole. */
static void *return_at_once(void *arg)
{
    struct party *c = arg;
    uint32_t actor = new_actor();

    for (int i = 0; i < c->times; i++) {
        assert(wait_for_all(c, actor, soon()) == -ECANCELED);
        assert(wait_for_all(c, actor, soon()) > 0);
    }
    mpr_actor_free(actor);
    return NULL;
}

static void reset_and_return(void)
{
    struct party c;
    pthread_t t[2];

    make(&c, 3);
    c.times = 2000 / SLOWER;
    for (int i = 0; i < 2; i++)
        assert(pthread_create(&t[i], NULL, return_at_once, &c) == 0);
    for (int i = 0; i < c.times; i++) {
        until_waiting(&c, 2);
        mpr_barrier_reset(&c.barrier);
        assert(wait_for_all(&c, me, soon()) > 0);
    }
    for (int i = 0; i < 2; i++)
        assert(pthread_join(t[i], NULL) == 0);
    unmake(&c);
}

static void usable(void *arg)
{
    struct party *c = arg;
    uint32_t actor = new_actor();
    int64_t deadline = soon();
    int r;

    do {
        assert(mpr_now() < deadline);
        r = wait_for_all(c, actor, mpr_after(0.1));
        if (mpr_barrier_is_broken(&c->barrier))
            mpr_barrier_reset(&c->barrier);
    } while (r < 0);
    mpr_actor_free(actor);
}

static void each_point(void)
{
    struct party c;
    pthread_t t;

    make(&c, 2);
    assert(pthread_create(&t, NULL, partner, &c) == 0);
    printf("%u test points\n", at_each_point(two_rounds, usable, &c));
    at_some_point("barrier.inside", 3, two_rounds, usable, &c);
    at_some_point("barrier.arrived", 3, two_rounds, usable, &c);
    at_some_point("barrier.passing", 3, two_rounds, usable, &c);
    at_some_point("barrier.passed", 3, two_rounds, usable, &c);
    at_some_point("barrier.vacating", 3, two_rounds, usable, &c);
    mpri_store_seq(&c.shared->stop, 1);
    assert(pthread_join(t, NULL) == 0);
    unmake(&c);
}

/* Four parties in step; one is killed: the others are told, unless it happened
 * to be outside. */
static int step_on(void *arg)
{
    struct party *c = arg;
    uint32_t actor = new_actor();

    for (;;) {
        int r = wait_for_all(c, actor, soon());

        if (r == -ECANCELED)
            return 0;
        assert(r > 0);
        mpri_add_rlx(&c->shared->round[c->index], 1);
    }
}

static void random_kills(void)
{
    unsigned n = rounds(500) / 2, outside = 0;

    for (unsigned i = 0; i < n; i++) {
        struct party c;
        mpr_process p[4];
        int victim = rand() % 4;
        int64_t begun;

        make(&c, 4);
        for (c.index = 0; c.index < 4; c.index++)
            start(&p[c.index], step_on, &c);
        while (mpri_load_rlx(&c.shared->round[victim]) == 0)
            usleep(50);
        usleep((unsigned)rand() % 2000);
        kill_now(&p[victim]);
        begun = mpr_now();
        while (!mpr_barrier_is_broken(&c.barrier) &&
               mpr_now() - begun < MPRI_SECOND * SLOWER)
            usleep(1000);
        outside += !mpr_barrier_is_broken(&c.barrier);
        mpr_barrier_abort(&c.barrier);
        for (int k = 0; k < 4; k++)
            assert(finish(&p[k]) == (k == victim ? -SIGKILL : 0));
        unmake(&c);
    }
    printf("%u of %u were killed outside\n", outside, n);
    assert(outside < n / 2);
}

int main(void)
{
    assert(mpr_open() == 0);
    me = new_actor();
    seed();
    nothing_left(false);
    contract();
    for (int n = 2; n <= 8; n *= 2)
        lockstep(n);
    for (enum how how = TIME; how <= LEAVING; how++)
        breaking(how);
    for (int what = 0; what < 3; what++)
        action(what);
    reset_and_return();
    each_point();
    random_kills();
    nothing_left(true);
    return 0;
}
