/* Condition: contract, no wake-up lost, exactly n woken whoever is dead or has
 * given up, killed waiters and notifiers.
 * time limit: 300 s */

#include "base/deadline.h"
#include "sync/sync_test.h"

enum { MOST = 8 };

struct crowd {
    mpr_condition condition;
    mpr_handle lock; /* of one of these kinds */
    struct {
        mpri_a32 waiting; /* changed by owners of the lock */
        mpri_a32 woken;
        mpri_a32 turn;
        long items;
        long eaten;
        mpri_a32 done[MOST];
        mpri_a32 stop;
    } * shared;
    mpr_handle memory;
    bool plain; /* a Lock, not an RLock */
    int times;
    int index;
};

static uint32_t me;

static int64_t until_dead(void)
{
    return mpr_after(60);
}

static int acquire(struct crowd *c, uint32_t actor)
{
    int r;

    if (c->plain)
        r = AGAIN(mpr_lock_acquire((mpr_lock *)&c->lock, actor, until_dead()));
    else
        r = AGAIN(
            mpr_rlock_acquire((mpr_rlock *)&c->lock, actor, until_dead()));
    assert(r == 0 || r == -EOWNERDEAD);
    return r;
}

static void release(struct crowd *c, uint32_t actor)
{
    if (c->plain)
        assert(mpr_lock_release((mpr_lock *)&c->lock, actor) == 0);
    else
        assert(mpr_rlock_release((mpr_rlock *)&c->lock, actor) == 0);
}

static int wait_until(struct crowd *c, uint32_t actor, int64_t deadline)
{
    struct mpr_condition_wait w = {0};
    int r = AGAIN(mpr_condition_wait(&c->condition, actor, &w, deadline));

    assert(w.phase == 0);
    return r;
}

static void make(struct crowd *c, bool plain)
{
    memset(c, 0, sizeof *c);
    c->plain = plain;
    if (plain) {
        mpr_lock l;

        assert(mpr_lock_create(&l, NULL) == 0);
        assert(mpr_condition_create(&c->condition, &l.h, "items") == 0);
        c->lock = l.h;
    } else {
        assert(mpr_condition_create(&c->condition, NULL, "items") == 0);
        assert(mpr_condition_lock(&c->condition, &c->lock) == 0);
    }
    c->shared = shared(&c->memory, sizeof *c->shared);
}

static void unmake(struct crowd *c)
{
    mpr_handle_close(&c->condition.h);
    mpr_handle_close(&c->lock);
    mpr_handle_close(&c->memory);
}

static void eventually(mpri_a32 *word, uint32_t value)
{
    int64_t deadline = soon();

    while (mpri_load_seq(word) != value) {
        assert(mpr_now() < deadline);
        usleep(200);
    }
}

static void contract(bool plain)
{
    struct crowd c;
    struct mpr_holder holder;
    mpr_event e;

    assert(mpr_event_create(&e, NULL) == 0);
    assert(mpr_condition_create(&c.condition, &e.h, NULL) == -EINVAL);
    mpr_handle_close(&e.h);
    make(&c, plain);
    assert(!strcmp(mpr_handle_label(&c.condition.h), "items"));
    assert(wait_until(&c, me, 0) == -EPERM);
    assert(mpr_condition_notify(&c.condition, me, 1) == -EPERM);
    acquire(&c, me);
    assert(mpr_condition_notify(&c.condition, me, 1) == 0);
    assert(wait_until(&c, me, 0) == -ETIMEDOUT); /* none is remembered */
    assert(wait_until(&c, me, mpr_after(0.01)) == -ETIMEDOUT);
    assert(mpr_condition_notify(&c.condition, me, UINT32_MAX) == 0);
    if (!plain) {
        acquire(&c, me);
        acquire(&c, me);
        assert(wait_until(&c, me, 0) == -ETIMEDOUT);
        assert(mpr_rlock_depth((mpr_rlock *)&c.lock) == 3);
        release(&c, me);
        release(&c, me);
        assert(mpr_rlock_owner((mpr_rlock *)&c.lock, &holder));
    }
    release(&c, me);
    assert(wait_until(&c, me, 0) == -EPERM);
    unmake(&c);
}

static int wait_once(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();
    int r;

    acquire(c, actor);
    if (!c->plain)
        acquire(c, actor);
    mpri_add_seq(&c->shared->waiting, 1);
    r = wait_until(c, actor, until_dead());
    assert(r == 0 || r == -EOWNERDEAD);
    mpri_add_seq(&c->shared->woken, 1);
    if (!c->plain) {
        assert(mpr_rlock_depth((mpr_rlock *)&c->lock) == 2);
        release(c, actor);
    }
    release(c, actor);
    return 0;
}

/* Of eight waiters of which some are dead and some timed out, notify wakes
 * exactly as many as it is told, and tells how many. */
static void exactly(bool plain, unsigned dead)
{
    struct crowd c;
    mpr_process p[MOST];

    make(&c, plain);
    for (int i = 0; i < MOST; i++)
        start(&p[i], wait_once, &c);
    eventually(&c.shared->waiting, MOST);
    acquire(&c, me); /* so that all of them do wait */
    assert(wait_until(&c, me, mpr_after(0.02)) == -ETIMEDOUT);
    for (unsigned i = 0; i < dead; i++)
        kill_unseen(&p[i]);
    assert(mpr_condition_notify(&c.condition, me, 0) == 0);
    assert(mpr_condition_notify(&c.condition, me, 2) == 2);
    release(&c, me);
    eventually(&c.shared->woken, 2);
    usleep(20000);
    assert(mpri_load_seq(&c.shared->woken) == 2);
    acquire(&c, me);
    assert(mpr_condition_notify(&c.condition, me, 100) ==
           (int)(MOST - dead - 2));
    assert(mpr_condition_notify(&c.condition, me, 100) == 0);
    release(&c, me);
    for (unsigned i = 0; i < MOST; i++)
        assert(finish(&p[i]) == (i < dead ? -SIGKILL : 0));
    assert(mpri_load_seq(&c.shared->woken) == MOST - dead);
    unmake(&c);
}

static int give_up_soon(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();

    acquire(c, actor);
    mpri_add_seq(&c->shared->waiting, 1);
    assert(wait_until(c, actor, mpr_after(0.01)) == -ETIMEDOUT);
    release(c, actor);
    return 0;
}

/* Whose time is up is not counted, although it cannot come out of wait before
 * it has the lock. */
static void timed_out(bool plain)
{
    struct crowd c;
    mpr_process p;

    make(&c, plain);
    start(&p, give_up_soon, &c);
    eventually(&c.shared->waiting, 1);
    acquire(&c, me);
    usleep(200000);
    assert(mpr_condition_notify(&c.condition, me, 5) == 0);
    release(&c, me);
    assert(finish(&p) == 0);
    unmake(&c);
}

/* Producers and consumers that never miss one another. */
static int produce(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();

    for (int i = 0; i < c->times; i++) {
        acquire(c, actor);
        c->shared->items++;
        assert(mpr_condition_notify(&c->condition, actor, 1) <= 1);
        release(c, actor);
    }
    mpr_actor_free(actor);
    return 0;
}

static int consume(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();

    for (int i = 0; i < c->times; i++) {
        acquire(c, actor);
        while (c->shared->items == 0)
            assert(wait_until(c, actor, until_dead()) == 0);
        c->shared->items--;
        c->shared->eaten++;
        release(c, actor);
    }
    mpr_actor_free(actor);
    return 0;
}

static void *produce_thread(void *arg)
{
    produce(arg);
    return NULL;
}

static void *consume_thread(void *arg)
{
    consume(arg);
    return NULL;
}

static void all_eaten(int pairs, bool plain)
{
    struct crowd c;
    mpr_process p[MOST];
    pthread_t t[MOST];

    make(&c, plain);
    c.times = 10000 / SLOWER / pairs;
    for (int i = 0; i < 2 * pairs; i++)
        start(&p[i], i % 2 ? produce : consume, &c);
    for (int i = 0; i < 2 * pairs; i++)
        assert(finish(&p[i]) == 0);
    assert(c.shared->items == 0 && c.shared->eaten == (long)pairs * c.times);
    for (int i = 0; i < 2 * pairs; i++)
        assert(pthread_create(&t[i], NULL,
                              i % 2 ? produce_thread : consume_thread,
                              &c) == 0);
    for (int i = 0; i < 2 * pairs; i++)
        assert(pthread_join(t[i], NULL) == 0);
    assert(c.shared->items == 0 &&
           c.shared->eaten == 2 * (long)pairs * c.times);
    unmake(&c);
}

static void handler(int signo)
{
    (void)signo;
}

/* A signal interrupts the wait: it can go on, or be given up, with the lock
 * taken again, and then it is not counted. */
static int interrupted(void *arg)
{
    struct crowd *c = arg;
    struct sigaction act = {.sa_handler = handler};
    struct mpr_condition_wait w = {0};
    uint32_t actor = new_actor();

    sigaction(SIGALRM, &act, NULL);
    acquire(c, actor);
    ualarm(20000, 20000);
    for (int i = 0; i < 3; i++)
        assert(mpr_condition_wait(&c->condition, actor, &w, until_dead()) ==
               -EINTR);
    assert(w.phase != 0);
    ualarm(0, 0);
    mpri_add_seq(&c->shared->waiting, 1);
    if (c->index) {
        assert(AGAIN(mpr_condition_wait(&c->condition, actor, &w,
                                        until_dead())) == 0);
        mpri_add_seq(&c->shared->woken, 1);
    } else {
        assert(mpr_condition_cancel(&c->condition, actor, &w) == 0);
        assert(mpr_condition_notify(&c->condition, actor, 100) == 0);
    }
    assert(w.phase == 0);
    release(c, actor);
    return 0;
}

static void signals(bool go_on)
{
    struct crowd c;
    mpr_process p;

    make(&c, true);
    c.index = go_on;
    start(&p, interrupted, &c);
    eventually(&c.shared->waiting, 1);
    if (go_on) {
        acquire(&c, me);
        assert(mpr_condition_notify(&c.condition, me, 1) == 1);
        release(&c, me);
    }
    assert(finish(&p) == 0);
    assert(mpri_load_seq(&c.shared->woken) == (go_on ? 1 : 0));
    unmake(&c);
}

/* A waiter that was notified, but is killed before it comes out of wait, hands
 * the notification on. */
static int notified_and_killed(void *arg)
{
    mpr_testpoint_arm("condition.woken", 1, SIGKILL);
    return wait_once(arg);
}

static void passed_on(void)
{
    struct crowd c;
    mpr_process p[2];

    make(&c, false);
    start(&p[0], notified_and_killed, &c);
    eventually(&c.shared->waiting, 1);
    start(&p[1], wait_once, &c);
    eventually(&c.shared->waiting, 2);
    acquire(&c, me);
    assert(mpr_condition_notify(&c.condition, me, 1) == 1);
    release(&c, me);
    assert(finish(&p[0]) == -SIGKILL);
    assert(finish(&p[1]) == 0);
    assert(mpri_load_seq(&c.shared->woken) == 1);
    unmake(&c);
}

/* Waits, and notifies a thread of the parent that waits too. */
static int use(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();
    int r;

    for (int i = 0; i < 2; i++) {
        acquire(c, actor);
        assert(mpr_condition_notify(&c->condition, actor, 1) <= 1);
        r = wait_until(c, actor, mpr_after(0.002));
        assert(r == 0 || r == -ETIMEDOUT || r == -EOWNERDEAD);
        release(c, actor);
    }
    return 0;
}

static void *answer(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();

    while (!mpri_load_seq(&c->shared->stop)) {
        acquire(c, actor);
        assert(mpr_condition_notify(&c->condition, actor, UINT32_MAX) >= 0);
        wait_until(c, actor, mpr_after(0.001));
        release(c, actor);
    }
    mpr_actor_free(actor);
    return NULL;
}

static void still_good(void *arg)
{
    struct crowd *c = arg;

    mpr_sweep(); /* frees the seat of the dead */
    acquire(c, me);
    assert(mpr_condition_notify(&c->condition, me, UINT32_MAX) <= 1);
    release(c, me);
}

static void each_point(bool plain)
{
    struct crowd c;
    pthread_t t;

    make(&c, plain);
    printf("%u test points\n", at_each_point(use, still_good, &c));
    assert(pthread_create(&t, NULL, answer, &c) == 0);
    at_some_point("condition.sleeping", 3, use, still_good, &c);
    at_some_point("condition.notified", 3, use, still_good, &c);
    at_some_point("condition.vacating", 3, use, still_good, &c);
    mpri_store_seq(&c.shared->stop, 1);
    assert(pthread_join(t, NULL) == 0);
    unmake(&c);
}

/* Takes turns in a ring of four: each waits for its turn and passes it on. */
static int take_turns(void *arg)
{
    struct crowd *c = arg;
    uint32_t actor = new_actor();

    for (;;) {
        acquire(c, actor);
        while (mpri_load_rlx(&c->shared->turn) != (uint32_t)c->index) {
            int r = wait_until(c, actor, mpr_after(0.05));

            assert(r == 0 || r == -ETIMEDOUT || r == -EOWNERDEAD);
        }
        mpri_store_rlx(&c->shared->turn, (uint32_t)(c->index + 1) % 4);
        mpri_add_rlx(&c->shared->done[c->index], 1);
        assert(mpr_condition_notify(&c->condition, actor, UINT32_MAX) <= 4);
        release(c, actor);
    }
}

static void random_kills(bool plain)
{
    unsigned n = rounds(500) / 2;
    struct crowd c;
    mpr_process p[4];

    make(&c, plain);
    for (c.index = 0; c.index < 4; c.index++)
        start(&p[c.index], take_turns, &c);
    for (unsigned i = 0; i < n; i++) {
        int victim = rand() % 4;
        int64_t deadline = soon(), begun;
        uint32_t seen;

        usleep((unsigned)rand() % 3000);
        kill_now(&p[victim]);
        begun = mpr_now();
        acquire(&c, me);
        assert(mpr_condition_notify(&c.condition, me, UINT32_MAX) <= 4);
        release(&c, me);
        assert(mpr_now() - begun < MPRI_SECOND * SLOWER);
        assert(finish(&p[victim]) == -SIGKILL);
        c.index = victim;
        start(&p[victim], take_turns, &c);
        seen = mpri_load_rlx(&c.shared->done[(victim + 3) % 4]);
        while (mpri_load_rlx(&c.shared->done[(victim + 3) % 4]) == seen) {
            assert(mpr_now() < deadline);
            usleep(50);
        }
    }
    for (int i = 0; i < 4; i++)
        kill_now(&p[i]);
    for (int i = 0; i < 4; i++)
        assert(finish(&p[i]) == -SIGKILL);
    unmake(&c);
}

int main(void)
{
    assert(mpr_open() == 0);
    me = new_actor();
    seed();
    nothing_left(false);
    for (int plain = 0; plain < 2; plain++) {
        contract(plain);
        for (unsigned dead = 0; dead < 6; dead += 2)
            exactly(plain, dead);
        timed_out(plain);
        for (int pairs = 1; pairs <= 4; pairs *= 2)
            all_eaten(pairs, plain);
        each_point(plain);
        random_kills(plain);
    }
    signals(true);
    signals(false);
    passed_on();
    nothing_left(true);
    return 0;
}
