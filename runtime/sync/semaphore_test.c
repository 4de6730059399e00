/* Semaphore: contract, exact counts, and units of killed holders that come back
 * exactly once, wherever the holder was killed.
 * time limit: 300 s */

#include "sync/sync_test.h"

enum { UNITS = 3 };

struct counted {
    mpr_semaphore semaphore;
    struct {
        mpri_a32 inside;
        mpri_a32 most;
        mpri_a32 ready;
        mpri_a32 done[4];
    } * shared;
    mpr_handle memory;
    int times;
    int index;
};

static uint32_t me;

static void make(struct counted *c, uint32_t units)
{
    memset(c, 0, sizeof *c);
    assert(mpr_semaphore_create(&c->semaphore, units, 0, "slots") == 0);
    c->shared = shared(&c->memory, sizeof *c->shared);
}

static void unmake(struct counted *c)
{
    mpr_handle_close(&c->semaphore.h);
    mpr_handle_close(&c->memory);
}

static void contract(void)
{
    mpr_semaphore s;
    uint32_t bound = 7;

    assert(mpr_semaphore_create(&s, 1U << 31, 0, NULL) == -EINVAL);
    assert(mpr_semaphore_create(&s, 2, 0, "slots") == 0);
    assert(!strcmp(mpr_handle_label(&s.h), "slots"));
    assert(!mpr_semaphore_bound(&s, &bound) && bound == 7);
    assert(mpr_semaphore_acquire(&s, 0) == 0);
    assert(AGAIN(mpr_semaphore_acquire(&s, MPR_FOREVER)) == 0);
    assert(mpr_semaphore_value(&s) == 0);
    assert(mpr_semaphore_acquire(&s, 0) == -ETIMEDOUT);
    assert(AGAIN(mpr_semaphore_acquire(&s, mpr_after(0.01))) == -ETIMEDOUT);
    assert(AGAIN(mpr_semaphore_hold(&s, me, mpr_after(0.01))) == -ETIMEDOUT);
    for (int i = 0; i < 5; i++)
        assert(mpr_semaphore_release(&s) == 0);
    assert(mpr_semaphore_value(&s) == 5);
    assert(mpr_semaphore_drop(&s, me) == -EPERM);
    assert(mpr_semaphore_hold(&s, me, 0) == 0);
    assert(mpr_semaphore_hold(&s, me, 0) == 0);
    assert(mpr_semaphore_value(&s) == 3);
    assert(mpr_semaphore_drop(&s, me) == 0 && mpr_semaphore_drop(&s, me) == 0);
    assert(mpr_semaphore_drop(&s, me) == -EPERM);
    assert(mpr_semaphore_value(&s) == 5);
    assert(mpr_semaphore_hold(&s, me, 0) == 0);
    assert(mpr_semaphore_hold(&s, me, 0) == 0);
    mpr_semaphore_abandon(&s, me);
    assert(mpr_semaphore_value(&s) == 5);
    assert(mpr_semaphore_drop(&s, me) == -EPERM);
    assert(mpr_semaphore_acquire(&s, 0) == -EOWNERDEAD);
    assert(mpr_semaphore_acquire(&s, 0) == 0);
    mpr_handle_close(&s.h);

    assert(mpr_semaphore_create(&s, INT32_MAX, 0, NULL) == 0);
    assert(mpr_semaphore_release(&s) == -EOVERFLOW);
    assert(mpr_semaphore_value(&s) == INT32_MAX);
    mpr_handle_close(&s.h);

    assert(mpr_semaphore_create(&s, 2, 1, NULL) == 0);
    assert(mpr_semaphore_bound(&s, &bound) && bound == 2);
    assert(mpr_semaphore_release(&s) == -EOVERFLOW);
    assert(mpr_semaphore_hold(&s, me, 0) == 0);
    assert(mpr_semaphore_release(&s) == 0); /* one too many */
    assert(mpr_semaphore_drop(&s, me) == 0);
    assert(mpr_semaphore_value(&s) == 2); /* but never above the bound */
    mpr_handle_close(&s.h);
}

/* The last handle of a process gives back what it holds. */
static void closing(void)
{
    mpr_semaphore a, b = {0};

    assert(mpr_semaphore_create(&a, 5, 0, NULL) == 0);
    assert(mpr_semaphore_hold(&a, me, 0) == 0);
    assert(mpr_semaphore_hold(&a, me, 0) == 0);
    assert(mpr_handle_dup(&a.h, &b.h) == 0);
    mpr_handle_close(&a.h);
    assert(mpr_semaphore_value(&b) == 3);
    {
        uint64_t word = 0;

        mpri_ref_set(&word, &b.h);
        mpr_handle_close(&b.h);
        assert(mpri_ref_open(&word, &b.h) == 0);
        mpri_ref_drop(&word);
    }
    assert(mpr_semaphore_value(&b) == 5);
    mpr_handle_close(&b.h);
}

static int go_in_and_out(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    for (int i = 0; i < c->times; i++) {
        bool guard = i % 2;
        uint32_t n, most;

        assert((guard ? AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon()))
                      : AGAIN(mpr_semaphore_acquire(&c->semaphore, soon()))) ==
               0);
        n = mpri_add_seq(&c->shared->inside, 1) + 1;
        most = mpri_load_seq(&c->shared->most);
        while (n > most && !mpri_cas_seq(&c->shared->most, &most, n))
            ;
        assert(n <= UNITS);
        mpri_add_seq(&c->shared->inside, (uint32_t)-1);
        assert((guard ? mpr_semaphore_drop(&c->semaphore, actor)
                      : mpr_semaphore_release(&c->semaphore)) == 0);
    }
    mpr_semaphore_abandon(&c->semaphore, actor);
    mpr_actor_free(actor);
    return 0;
}

static void *thread(void *arg)
{
    go_in_and_out(arg);
    return NULL;
}

static void exact(int n)
{
    struct counted c;
    mpr_process p[8];
    pthread_t t[8];

    make(&c, UNITS);
    c.times = 20000 / SLOWER;
    for (int i = 0; i < n; i++)
        start(&p[i], go_in_and_out, &c);
    for (int i = 0; i < n; i++)
        assert(finish(&p[i]) == 0);
    assert(mpr_semaphore_value(&c.semaphore) == UNITS);
    for (int i = 0; i < n; i++)
        assert(pthread_create(&t[i], NULL, thread, &c) == 0);
    for (int i = 0; i < n; i++)
        assert(pthread_join(t[i], NULL) == 0);
    assert(mpr_semaphore_value(&c.semaphore) == UNITS);
    assert(mpri_load_seq(&c.shared->inside) == 0);
    printf("%d at a time, at most %u inside\n", n,
           mpri_load_seq(&c.shared->most));
    unmake(&c);
}

static int hold_two_and_stay(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    assert(AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon())) == 0);
    assert(AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon())) == 0);
    assert(AGAIN(mpr_semaphore_acquire(&c->semaphore, soon())) == 0);
    mpri_store_rel(&c->shared->ready, 1);
    for (;;)
        pause();
}

/* What a killed process held comes back; what it acquired does not. */
static void dead_holder(bool waiting)
{
    struct counted c;
    mpr_process p;

    make(&c, UNITS);
    start(&p, hold_two_and_stay, &c);
    while (!mpri_load_acq(&c.shared->ready))
        usleep(100);
    assert(AGAIN(mpr_semaphore_acquire(&c.semaphore, mpr_after(0.2))) ==
           -ETIMEDOUT);
    kill_now(&p);
    if (waiting) {
        int64_t begun = mpr_now();

        assert(AGAIN(mpr_semaphore_acquire(&c.semaphore, soon())) ==
               -EOWNERDEAD);
        printf("back after %.1f ms\n", (double)(mpr_now() - begun) / 1e6);
    } else {
        int r;

        while ((r = mpr_semaphore_acquire(&c.semaphore, 0)) == -ETIMEDOUT)
            usleep(100);
        assert(r == -EOWNERDEAD);
    }
    assert(mpr_semaphore_hold(&c.semaphore, me, 0) == 0);
    assert(mpr_semaphore_acquire(&c.semaphore, 0) == -ETIMEDOUT);
    assert(finish(&p) == -SIGKILL);
    mpr_sweep();
    assert(mpr_semaphore_value(&c.semaphore) == 0);
    assert(mpr_semaphore_drop(&c.semaphore, me) == 0);
    unmake(&c);
}

/* A forked child holds nothing of its parent's. */
static int not_ours(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    assert(mpr_semaphore_drop(&c->semaphore, actor) == -EPERM);
    assert(mpr_semaphore_hold(&c->semaphore, actor, 0) == 0);
    assert(mpr_semaphore_drop(&c->semaphore, actor) == 0);
    assert(mpr_semaphore_drop(&c->semaphore, actor) == -EPERM);
    assert(mpr_semaphore_hold(&c->semaphore, actor, 0) == 0);
    return 0; /* the end gives it back */
}

static void forked(void)
{
    struct counted c;
    mpr_process p;

    make(&c, UNITS);
    assert(mpr_semaphore_hold(&c.semaphore, me, 0) == 0);
    start(&p, not_ours, &c);
    assert(finish(&p) == 0);
    assert(mpr_semaphore_value(&c.semaphore) == UNITS - 1);
    assert(mpr_semaphore_drop(&c.semaphore, me) == 0);
    assert(mpr_semaphore_value(&c.semaphore) == UNITS);
    unmake(&c);
}

/* Only holds and drops: whatever is killed wherever, the sum stays. */
static int hold_and_drop(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    for (int i = 0; i < 3; i++) {
        int r = AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon()));

        assert(r == 0 || r == -EOWNERDEAD);
        r = AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon()));
        assert(r == 0 || r == -EOWNERDEAD);
        assert(mpr_semaphore_drop(&c->semaphore, actor) == 0);
        assert(mpr_semaphore_drop(&c->semaphore, actor) == 0);
    }
    return 0;
}

static void all_there(void *arg)
{
    struct counted *c = arg;

    mpr_sweep();
    assert(mpr_semaphore_value(&c->semaphore) == UNITS);
}

static void each_point(void)
{
    struct counted c;

    make(&c, UNITS);
    printf("%u test points\n", at_each_point(hold_and_drop, all_there, &c));
    unmake(&c);
}

/* The reaper of a holder is killed too. */
static int reap(void *arg)
{
    (void)arg;
    mpr_sweep();
    return 0;
}

static int hold_and_die(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    assert(AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon())) <= 0);
    assert(AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon())) <= 0);
    raise(SIGKILL);
    return 0;
}

static void dead_reaper(void)
{
    struct counted c;

    make(&c, UNITS);
    for (unsigned nth = 1;; nth++) {
        static const struct mpr_process_options child = {.name = "child"};
        mpr_process middle;
        int code;

        if (mpr_process_fork(&middle, &child) == MPR_IN_CHILD) {
            mpr_process holder;

            /* Nobody joins the holder: its death is found by looking. */
            start(&holder, hold_and_die, &c);
            while (mpr_semaphore_value(&c.semaphore) != UNITS - 2)
                usleep(50);
            usleep(2000);
            mpr_testpoint_arm("*", nth, SIGKILL);
            code = reap(NULL);
            mpr_testpoint_arm(NULL, 0, 0);
            mpr_process_exit(&middle, code);
        }
        code = finish(&middle);
        while (mpr_semaphore_value(&c.semaphore) != UNITS)
            mpr_sweep();
        assert(mpr_check() == 0);
        if (code == 0) {
            printf("%u test points of the reaper\n", nth - 1);
            break;
        }
        assert(code == -SIGKILL);
    }
    unmake(&c);
}

static int go_round(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    for (;;) {
        int r = AGAIN(mpr_semaphore_hold(&c->semaphore, actor, soon()));

        assert(r == 0 || r == -EOWNERDEAD);
        mpri_add_rlx(&c->shared->done[c->index], 1);
        assert(mpr_semaphore_drop(&c->semaphore, actor) == 0);
    }
}

/* Two units, four processes that want one: holders and waiters are killed at
 * random, the others get on, and at the end both units are there. */
static void random_kills(void)
{
    unsigned n = rounds(500);
    struct counted c;
    mpr_process p[4];

    make(&c, 2);
    for (c.index = 0; c.index < 4; c.index++)
        start(&p[c.index], go_round, &c);
    for (unsigned i = 0; i < n; i++) {
        int victim = rand() % 4, witness = (victim + 1) % 4;
        int64_t deadline = soon();
        uint32_t seen;

        usleep((unsigned)rand() % 2000);
        kill_now(&p[victim]);
        seen = mpri_load_rlx(&c.shared->done[witness]);
        while (mpri_load_rlx(&c.shared->done[witness]) == seen) {
            assert(mpr_now() < deadline);
            usleep(50);
        }
        assert(finish(&p[victim]) == -SIGKILL);
        c.index = victim;
        start(&p[victim], go_round, &c);
    }
    for (int i = 0; i < 4; i++)
        kill_now(&p[i]);
    for (int i = 0; i < 4; i++)
        assert(finish(&p[i]) == -SIGKILL);
    mpr_sweep();
    assert(mpr_semaphore_value(&c.semaphore) == 2);
    unmake(&c);
}

int main(void)
{
    assert(mpr_open() == 0);
    me = new_actor();
    seed();
    nothing_left(false);
    contract();
    closing();
    for (int n = 2; n <= 8; n *= 2)
        exact(n);
    dead_holder(false);
    dead_holder(true);
    forked();
    each_point();
    dead_reaper();
    random_kills();
    nothing_left(true);
    return 0;
}
