/* Event: contract, one set that wakes all, a set in a signal handler, killed
 * waiters and setters.
 * time limit: 300 s */

#include "base/deadline.h"
#include "sync/sync_test.h"

struct shared_event {
    mpr_event event;
    mpr_event other;
    struct {
        mpri_a32 waiting;
        mpri_a32 woken;
    } * shared;
    mpr_handle memory;
    int times;
};

static void make(struct shared_event *e)
{
    memset(e, 0, sizeof *e);
    assert(mpr_event_create(&e->event, "go") == 0);
    assert(mpr_event_create(&e->other, NULL) == 0);
    e->shared = shared(&e->memory, sizeof *e->shared);
}

static void unmake(struct shared_event *e)
{
    mpr_handle_close(&e->event.h);
    mpr_handle_close(&e->other.h);
    mpr_handle_close(&e->memory);
}

static void contract(void)
{
    mpr_event e;

    assert(mpr_event_create(&e, "go") == 0);
    assert(!strcmp(mpr_handle_label(&e.h), "go"));
    assert(!mpr_event_is_set(&e));
    assert(mpr_event_wait(&e, 0) == -ETIMEDOUT);
    assert(AGAIN(mpr_event_wait(&e, mpr_after(0.01))) == -ETIMEDOUT);
    assert(mpr_event_set(&e) == 0 && mpr_event_set(&e) == 0);
    assert(mpr_event_is_set(&e));
    assert(mpr_event_wait(&e, 0) == 0);
    assert(AGAIN(mpr_event_wait(&e, MPR_FOREVER)) == 0);
    assert(mpr_event_clear(&e) == 0 && mpr_event_clear(&e) == 0);
    assert(!mpr_event_is_set(&e));
    assert(mpr_event_wait(&e, 0) == -ETIMEDOUT);
    mpr_handle_close(&e.h);
}

static int wait_for_it(void *arg)
{
    struct shared_event *e = arg;

    mpri_add_seq(&e->shared->waiting, 1);
    assert(AGAIN(mpr_event_wait(&e->event, soon())) == 0);
    mpri_add_seq(&e->shared->woken, 1);
    return 0;
}

static void until(mpri_a32 *word, uint32_t value)
{
    int64_t deadline = soon();

    while (mpri_load_seq(word) != value) {
        assert(mpr_now() < deadline);
        usleep(100);
    }
}

/* One set wakes all who wait, also when it is cleared at once. */
static void wakes_all(bool pulse)
{
    struct shared_event e;
    mpr_process p[8];

    make(&e);
    for (int i = 0; i < 8; i++)
        start(&p[i], wait_for_it, &e);
    until(&e.shared->waiting, 8);
    usleep(100000); /* so that they sleep; a slower one waits the more */
    assert(mpri_load_seq(&e.shared->woken) == 0);
    mpr_event_set(&e.event);
    if (pulse)
        mpr_event_clear(&e.event);
    until(&e.shared->woken, 8);
    for (int i = 0; i < 8; i++)
        assert(finish(&p[i]) == 0);
    assert(mpr_event_is_set(&e.event) == !pulse);
    unmake(&e);
}

/* Two that set and clear in turn: no set is lost. */
static int ping(void *arg)
{
    struct shared_event *e = arg;

    for (int i = 0; i < e->times; i++) {
        assert(AGAIN(mpr_event_wait(&e->event, soon())) == 0);
        mpr_event_clear(&e->event);
        mpr_event_set(&e->other);
    }
    return 0;
}

static void pong(struct shared_event *e)
{
    for (int i = 0; i < e->times; i++) {
        mpr_event_set(&e->event);
        assert(AGAIN(mpr_event_wait(&e->other, soon())) == 0);
        mpr_event_clear(&e->other);
    }
}

static void *ping_thread(void *arg)
{
    ping(arg);
    return NULL;
}

static void ping_pong(void)
{
    struct shared_event e;
    mpr_process p;
    pthread_t t;

    make(&e);
    e.times = 20000 / SLOWER;
    start(&p, ping, &e);
    pong(&e);
    assert(finish(&p) == 0);
    assert(pthread_create(&t, NULL, ping_thread, &e) == 0);
    pong(&e);
    assert(pthread_join(t, NULL) == 0);
    unmake(&e);
}

static struct shared_event *in_handler;

static void handler(int signo)
{
    (void)signo;
    mpr_event_set(&in_handler->event);
}

/* The handler interrupts this process's own set, clear and wait. */
static int set_by_signals(void *arg)
{
    struct shared_event *e = arg;
    struct sigaction act = {.sa_handler = handler};
    int64_t deadline = mpr_after(1);

    in_handler = e;
    sigaction(SIGALRM, &act, NULL);
    ualarm(1000, 1000);
    while (mpr_now() < deadline) {
        int r = AGAIN(mpr_event_wait(&e->event, soon()));

        assert(r == 0 || r == -EINTR);
        mpr_event_clear(&e->event);
        mpr_event_set(&e->event);
        mpr_event_clear(&e->event);
    }
    ualarm(0, 0);
    return 0;
}

static void signals(void)
{
    struct shared_event e;
    mpr_process p;

    make(&e);
    start(&p, set_by_signals, &e);
    assert(finish(&p) == 0);
    unmake(&e);
}

/* Event is one of the things that mpr_wait waits for. */
static int set_later(void *arg)
{
    struct shared_event *e = arg;

    usleep(20000);
    mpr_event_set(&e->event);
    return 0;
}

static void among_others(void)
{
    struct shared_event e;
    struct mpr_waitable w[2];
    mpr_process p;

    make(&e);
    memset(w, 0, sizeof w);
    w[0].h = &e.event.h;
    w[1].h = &e.other.h;
    assert(mpr_wait(w, 2, 0) == 0);
    start(&p, set_later, &e);
    assert(mpr_wait(w, 2, soon()) == 1 && w[0].ready && !w[1].ready);
    assert(finish(&p) == 0);
    unmake(&e);
}

static int use(void *arg)
{
    struct shared_event *e = arg;

    for (int i = 0; i < 2; i++) {
        mpr_event_set(&e->event);
        assert(AGAIN(mpr_event_wait(&e->event, soon())) == 0);
        mpr_event_clear(&e->event);
        assert(AGAIN(mpr_event_wait(&e->event, mpr_after(0.001))) ==
               -ETIMEDOUT);
    }
    return 0;
}

static void usable(void *arg)
{
    struct shared_event *e = arg;

    mpr_event_clear(&e->event);
    assert(mpr_event_wait(&e->event, 0) == -ETIMEDOUT);
    mpr_event_set(&e->event);
    assert(mpr_event_wait(&e->event, 0) == 0);
}

/* Waiters are killed at random: set finishes in time, the living wake. */
static void random_kills(void)
{
    unsigned n = rounds(500);

    for (unsigned i = 0; i < n; i++) {
        struct shared_event e;
        mpr_process p[4];
        int64_t begun;
        int killed = 0;

        make(&e);
        for (int k = 0; k < 4; k++)
            start(&p[k], wait_for_it, &e);
        usleep((unsigned)rand() % 3000);
        for (int k = 0; k < 3; k++)
            if (rand() % 2)
                kill_now(&p[k]), killed |= 1 << k;
        begun = mpr_now();
        mpr_event_set(&e.event);
        assert(mpr_now() - begun < MPRI_SECOND);
        for (int k = 0; k < 4; k++) {
            int code = finish(&p[k]);

            assert(code == 0 || (killed >> k & 1 && code == -SIGKILL));
        }
        unmake(&e);
    }
}

int main(void)
{
    struct shared_event e;

    assert(mpr_open() == 0);
    seed();
    nothing_left(false);
    contract();
    wakes_all(false);
    wakes_all(true);
    ping_pong();
    signals();
    among_others();
    make(&e);
    printf("%u test points\n", at_each_point(use, usable, &e));
    unmake(&e);
    random_kills();
    nothing_left(true);
    return 0;
}
