/* Lock and RLock: contract, exact counts between processes and threads, and
 * owners and waiters that are killed.
 * time limit: 300 s */

#include "sync/sync_test.h"

static uint32_t me;

struct counted {
    mpr_lock lock;
    mpr_rlock rlock;
    struct {
        long plain; /* guarded by lock */
        long deep;  /* guarded by rlock */
        mpri_a32 stop;
        mpri_a32 ready;
    } * shared;
    mpr_handle memory;
    long times;
};

static void open_counted(struct counted *c, long times)
{
    memset(c, 0, sizeof *c);
    assert(mpr_lock_create(&c->lock, "counter") == 0);
    assert(mpr_rlock_create(&c->rlock, NULL) == 0);
    c->shared = shared(&c->memory, sizeof *c->shared);
    c->times = times;
}

static void close_counted(struct counted *c)
{
    mpr_handle_close(&c->lock.h);
    mpr_handle_close(&c->rlock.h);
    mpr_handle_close(&c->memory);
}

static void contract(void)
{
    uint32_t other = new_actor();
    struct mpr_holder holder;
    mpr_lock l;
    mpr_rlock r;

    assert(mpr_lock_create(&l, "a name of more than thirty-one bytes") == 0);
    assert(!strcmp(mpr_handle_label(&l.h), "a name of more than thirty-one "));
    assert(!mpr_lock_locked(&l) && !mpr_lock_owner(&l, &holder));
    assert(mpr_lock_release(&l, me) == -EPERM);
    assert(mpr_lock_drop(&l, me) == -EPERM);
    assert(mpr_lock_acquire(&l, me, 0) == 0);
    assert(mpr_lock_locked(&l) && mpr_lock_owner(&l, &holder));
    assert(holder.pid == getpid() && holder.ours && holder.actor == me);
    assert(!strcmp(holder.name, "MainProcess"));
    assert(mpr_lock_acquire(&l, me, 0) == -ETIMEDOUT);
    assert(AGAIN(mpr_lock_acquire(&l, other, mpr_after(0.01))) == -ETIMEDOUT);
    assert(mpr_lock_drop(&l, other) == -EPERM);
    assert(mpr_lock_release(&l, other) == 0);
    assert(mpr_lock_release(&l, me) == -EPERM);

    assert(AGAIN(mpr_lock_hold(&l, me, soon())) == 0);
    mpr_lock_abandon(&l, other);
    assert(mpr_lock_locked(&l));
    mpr_lock_abandon(&l, me);
    assert(!mpr_lock_locked(&l) && !mpr_lock_owner(&l, &holder));
    assert(mpr_lock_release(&l, me) == -EPERM);
    assert(mpr_lock_acquire(&l, other, 0) == -EOWNERDEAD);
    assert(mpr_lock_release(&l, other) == 0);
    assert(mpr_lock_acquire(&l, me, 0) == 0);
    assert(mpr_lock_release(&l, me) == 0);
    assert(mpr_lock_acquire(&l, 0, 0) == -EINVAL);
    assert(mpr_lock_acquire(&l, 1 << 18, 0) == -EINVAL);

    assert(mpr_rlock_create(&r, NULL) == 0);
    assert(!strcmp(mpr_handle_label(&r.h), ""));
    assert(mpr_rlock_release(&r, me) == -EPERM);
    for (int i = 0; i < 3; i++)
        assert(mpr_rlock_acquire(&r, me, 0) == 0);
    assert(mpr_rlock_depth(&r) == 3);
    assert(mpr_rlock_acquire(&r, other, 0) == -ETIMEDOUT);
    assert(mpr_rlock_release(&r, other) == -EPERM);
    for (int i = 0; i < 3; i++)
        assert(mpr_rlock_release(&r, me) == 0);
    assert(mpr_rlock_depth(&r) == 0 && !mpr_rlock_locked(&r));
    assert(mpr_rlock_release(&r, me) == -EPERM);
    assert(mpr_rlock_acquire(&r, other, 0) == 0);
    assert(mpr_rlock_owner(&r, &holder) && holder.actor == other);
    mpr_rlock_abandon(&r, other);
    assert(mpr_rlock_acquire(&r, me, 0) == -EOWNERDEAD);
    assert(mpr_rlock_depth(&r) == 1);

    mpr_handle_close(&r.h);
    mpr_handle_close(&l.h);
    mpr_actor_free(other);
}

/* A process that closes its last way to a lock it owns has abandoned it; while
 * another way is open it has not. */
static void closing(void)
{
    mpr_lock a, b;
    mpr_handle kept;

    assert(mpr_lock_create(&a, NULL) == 0);
    assert(mpr_handle_dup(&a.h, &b.h) == 0);
    assert(mpr_lock_acquire(&a, me, 0) == 0);
    mpr_handle_close(&a.h);
    assert(mpr_lock_release(&b, me) == 0);
    assert(mpr_lock_acquire(&b, me, 0) == 0);
    {
        /* Keeps the object, but is no handle of ours that could be used. */
        uint64_t word = 0;

        mpri_ref_set(&word, &b.h);
        mpr_handle_close(&b.h);
        assert(mpri_ref_open(&word, &kept) == 0);
        mpri_ref_drop(&word);
    }
    a.h = kept;
    assert(mpr_lock_acquire(&a, me, 0) == -EOWNERDEAD);
    mpr_handle_close(&a.h);
}

static int count(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    for (long i = 0; i < c->times; i++) {
        assert(AGAIN(mpr_lock_acquire(&c->lock, actor, soon())) == 0);
        c->shared->plain++;
        assert(mpr_lock_release(&c->lock, actor) == 0);
        assert(AGAIN(mpr_rlock_acquire(&c->rlock, actor, soon())) == 0);
        assert(mpr_rlock_acquire(&c->rlock, actor, 0) == 0);
        c->shared->deep++;
        assert(mpr_rlock_release(&c->rlock, actor) == 0);
        assert(mpr_rlock_release(&c->rlock, actor) == 0);
    }
    mpr_actor_free(actor);
    return 0;
}

static void exact_processes(int n)
{
    struct counted c;
    mpr_process p[8];

    open_counted(&c, 40000 / SLOWER);
    for (int i = 0; i < n; i++)
        start(&p[i], count, &c);
    for (int i = 0; i < n; i++)
        assert(finish(&p[i]) == 0);
    assert(c.shared->plain == n * c.times && c.shared->deep == n * c.times);
    close_counted(&c);
}

static void *count_thread(void *arg)
{
    count(arg);
    return NULL;
}

static void exact_threads(int n)
{
    struct counted c;
    pthread_t t[8];

    open_counted(&c, 40000 / SLOWER);
    for (int i = 0; i < n; i++)
        assert(pthread_create(&t[i], NULL, count_thread, &c) == 0);
    for (int i = 0; i < n; i++)
        assert(pthread_join(t[i], NULL) == 0);
    assert(c.shared->plain == n * c.times && c.shared->deep == n * c.times);
    close_counted(&c);
}

static int hold_and_stay(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    assert(AGAIN(mpr_lock_acquire(&c->lock, actor, soon())) == 0);
    for (int i = 0; i < 3; i++)
        assert(AGAIN(mpr_rlock_acquire(&c->rlock, actor, soon())) == 0);
    mpri_store_rel(&c->shared->ready, 1);
    for (;;)
        pause();
}

/* The owner is killed: whoever waits, or comes later, gets it within 100 ms. */
static void dead_owner(bool waiting)
{
    struct counted c;
    mpr_process p;
    int64_t begun;

    open_counted(&c, 0);
    start(&p, hold_and_stay, &c);
    while (!mpri_load_acq(&c.shared->ready))
        usleep(100);
    assert(mpr_lock_locked(&c.lock));
    assert(mpr_lock_acquire(&c.lock, me, 0) == -ETIMEDOUT);
    assert(AGAIN(mpr_lock_acquire(&c.lock, me, mpr_after(0.2))) == -ETIMEDOUT);
    kill_now(&p);
    if (!waiting) {
        while (mpr_lock_locked(&c.lock)) /* the kernel takes it down */
            usleep(100);
        assert(mpr_lock_acquire(&c.lock, me, 0) == -EOWNERDEAD);
        assert(mpr_rlock_acquire(&c.rlock, me, 0) == -EOWNERDEAD);
    } else {
        begun = mpr_now();
        assert(AGAIN(mpr_lock_acquire(&c.lock, me, soon())) == -EOWNERDEAD);
        assert(AGAIN(mpr_rlock_acquire(&c.rlock, me, soon())) == -EOWNERDEAD);
        printf("taken over after %.1f ms\n", (double)(mpr_now() - begun) / 1e6);
    }
    assert(mpr_rlock_depth(&c.rlock) == 1);
    assert(mpr_lock_release(&c.lock, me) == 0);
    assert(mpr_rlock_release(&c.rlock, me) == 0);
    assert(mpr_lock_acquire(&c.lock, me, 0) == 0);
    assert(mpr_lock_release(&c.lock, me) == 0);
    assert(finish(&p) == -SIGKILL);
    close_counted(&c);
}

static int end_while_owning(void *arg)
{
    struct counted *c = arg;

    assert(AGAIN(mpr_lock_acquire(&c->lock, new_actor(), soon())) == 0);
    assert(AGAIN(mpr_rlock_acquire(&c->rlock, new_actor(), soon())) == 0);
    return 0;
}

static void normal_end(void)
{
    struct counted c;
    mpr_process p;

    open_counted(&c, 0);
    start(&p, end_while_owning, &c);
    assert(finish(&p) == 0);
    assert(mpr_lock_acquire(&c.lock, me, 0) == -EOWNERDEAD);
    assert(mpr_rlock_acquire(&c.rlock, me, 0) == -EOWNERDEAD);
    close_counted(&c);
}

/* A child owns nothing that its parent owns. */
static int not_ours(void *arg)
{
    struct counted *c = arg;

    assert(mpr_rlock_release(&c->rlock, me) == -EPERM);
    assert(mpr_rlock_acquire(&c->rlock, me, 0) == -ETIMEDOUT);
    assert(mpr_lock_drop(&c->lock, me) == -EPERM);
    mpr_lock_abandon(&c->lock, me);
    assert(mpr_lock_release(&c->lock, me) == 0);
    return 0;
}

static void forked(void)
{
    struct counted c;
    mpr_process p;

    open_counted(&c, 0);
    assert(mpr_lock_hold(&c.lock, me, 0) == 0);
    assert(mpr_rlock_acquire(&c.rlock, me, 0) == 0);
    start(&p, not_ours, &c);
    assert(finish(&p) == 0);
    assert(mpr_lock_drop(&c.lock, me) == -EPERM); /* the child released it */
    assert(mpr_rlock_release(&c.rlock, me) == 0);
    close_counted(&c);
}

static volatile sig_atomic_t rang;

static void handler(int signo)
{
    (void)signo;
    rang = 1;
}

/* A wait returns after a signal handler ran, whenever that was. */
static int interrupted(void *arg)
{
    struct counted *c = arg;
    struct sigaction act = {.sa_handler = handler};
    uint32_t actor = new_actor();
    int64_t begun = mpr_now();

    sigaction(SIGALRM, &act, NULL);
    ualarm(50000, 0);
    while (!rang)
        assert(mpr_lock_acquire(&c->lock, actor, MPR_FOREVER) == -EINTR);
    assert(mpr_now() - begun < 5000000000LL);
    return 0;
}

static void signals(void)
{
    struct counted c;
    mpr_process p;

    open_counted(&c, 0);
    assert(mpr_lock_acquire(&c.lock, me, 0) == 0);
    start(&p, interrupted, &c);
    assert(finish(&p) == 0);
    close_counted(&c);
}

static int take_and_give(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();
    int r;

    for (int i = 0; i < 2; i++) {
        r = AGAIN(mpr_lock_acquire(&c->lock, actor, soon()));
        assert(r == 0 || r == -EOWNERDEAD);
        r = AGAIN(mpr_rlock_acquire(&c->rlock, actor, soon()));
        assert(r == 0 || r == -EOWNERDEAD);
        c->shared->plain++;
        assert(mpr_rlock_release(&c->rlock, actor) == 0);
        assert(mpr_lock_release(&c->lock, actor) == 0);
    }
    return 0;
}

static void still_good(void *arg)
{
    struct counted *c = arg;
    int r = AGAIN(mpr_lock_acquire(&c->lock, me, soon()));

    assert(r == 0 || r == -EOWNERDEAD);
    r = AGAIN(mpr_rlock_acquire(&c->rlock, me, soon()));
    assert(r == 0 || r == -EOWNERDEAD);
    assert(mpr_rlock_depth(&c->rlock) == 1);
    assert(mpr_rlock_release(&c->rlock, me) == 0);
    assert(mpr_lock_release(&c->lock, me) == 0);
}

static void each_point(void)
{
    struct counted c;

    open_counted(&c, 0);
    printf("%u test points alone\n",
           at_each_point(take_and_give, still_good, &c));
    close_counted(&c);
}

static void *disturb(void *arg)
{
    struct counted *c = arg;
    uint32_t actor = new_actor();

    while (!mpri_load_acq(&c->shared->stop)) {
        int r = AGAIN(mpr_lock_acquire(&c->lock, actor, soon()));

        assert(r == 0 || r == -EOWNERDEAD);
        usleep(300);
        assert(mpr_lock_release(&c->lock, actor) == 0);
    }
    mpr_actor_free(actor);
    return NULL;
}

/* The same with somebody else at the lock, so that the child waits too. */
static void each_point_contended(void)
{
    struct counted c;
    pthread_t t;

    open_counted(&c, 0);
    assert(pthread_create(&t, NULL, disturb, &c) == 0);
    at_some_point("owner.sleeping", 5, take_and_give, still_good, &c);
    at_some_point("owner.woken", 5, take_and_give, still_good, &c);
    printf("%u test points contended\n",
           at_each_point(take_and_give, still_good, &c));
    mpri_store_rel(&c.shared->stop, 1);
    assert(pthread_join(t, NULL) == 0);
    close_counted(&c);
}

/* Each owner first notes down that it is inside. */
struct ring {
    mpr_lock lock;
    struct {
        mpri_a32 inside;
        mpri_a32 done[4];
    } * shared;
    mpr_handle memory;
    int index;
};

static int go_in_and_out(void *arg)
{
    struct ring *k = arg;
    uint32_t actor = new_actor();

    for (;;) {
        int r = AGAIN(mpr_lock_acquire(&k->lock, actor, soon()));
        uint32_t before;

        assert(r == 0 || r == -EOWNERDEAD);
        before = mpri_load_rlx(&k->shared->inside);
        /* Somebody else's mark is left only by one who died inside. */
        assert(r == -EOWNERDEAD || before == 0);
        mpri_store_rlx(&k->shared->inside, (uint32_t)getpid());
        for (int i = 0; i < 50; i++)
            assert(mpri_load_rlx(&k->shared->inside) == (uint32_t)getpid());
        mpri_store_rlx(&k->shared->inside, 0);
        mpri_add_rlx(&k->shared->done[k->index], 1);
        assert(mpr_lock_release(&k->lock, actor) == 0);
    }
}

/* Owners and waiters are killed at random; there is never more than one inside,
 * and the others always get on. */
static void random_kills(void)
{
    unsigned n = rounds(500);
    struct ring k;
    mpr_process p[4];

    memset(&k, 0, sizeof k);
    assert(mpr_lock_create(&k.lock, "ring") == 0);
    k.shared = shared(&k.memory, sizeof *k.shared);
    for (k.index = 0; k.index < 4; k.index++)
        start(&p[k.index], go_in_and_out, &k);
    for (unsigned i = 0; i < n; i++) {
        int victim = rand() % 4, witness = (victim + 1) % 4;
        uint32_t seen;
        int64_t deadline;

        usleep((unsigned)rand() % 2000);
        kill_now(&p[victim]);
        seen = mpri_load_rlx(&k.shared->done[witness]);
        deadline = soon();
        while (mpri_load_rlx(&k.shared->done[witness]) == seen) {
            assert(mpr_now() < deadline);
            usleep(50);
        }
        assert(finish(&p[victim]) == -SIGKILL);
        k.index = victim;
        start(&p[victim], go_in_and_out, &k);
    }
    for (int i = 0; i < 4; i++)
        kill_now(&p[i]);
    for (int i = 0; i < 4; i++)
        assert(finish(&p[i]) == -SIGKILL);
    mpr_handle_close(&k.lock.h);
    mpr_handle_close(&k.memory);
}

int main(void)
{
    assert(mpr_open() == 0);
    me = new_actor();
    seed();
    nothing_left(false);
    contract();
    closing();
    for (int n = 2; n <= 8; n *= 2) {
        exact_threads(n);
        exact_processes(n);
    }
    dead_owner(false);
    dead_owner(true);
    normal_end();
    forked();
    signals();
    each_point();
    each_point_contended();
    random_kills();
    nothing_left(true);
    return 0;
}
