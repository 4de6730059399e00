/* Gates: who sleeps is woken when there is something to see, and as many as
 * were meant; killed sleepers harm nobody. */

#include "wait/waiter.h"

#include "base/deadline.h"
#include "os/os.h"
#include "peer/peer_test.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

enum { MANY = 4 };

static struct shared {
    struct mpri_gate gate[2];
    mpri_a32 turn;
    mpri_a32 available; /* tokens */
    mpri_a32 taken;
    mpri_a32 goal;
    mpri_a32 asleep;
    mpri_a32 woken;
    mpri_a32 slices; /* that ran out: nobody woke the sleeper in time */
    mpri_a64 rounds;
    int64_t until;
} * shared;

/* This thread waits with a deadline that may well pass. */
static _Thread_local bool impatient;

static void slice_ran_out(void)
{
    if (!impatient)
        mpri_add_rlx(&shared->slices, 1);
}

static void reset(void)
{
    memset((void *)shared, 0, sizeof *shared);
    shared->until = mpr_after(test_long() ? 30 : 0.7);
}

/* A slice runs out when a wake was lost, or when this machine did not let
 * somebody run for half a second. */
static void none_was_lost(void)
{
    printf(" (%llu rounds)",
           (unsigned long long)mpri_load_rlx(&shared->rounds));
    CHECK(mpri_load_rlx(&shared->slices) <= 2);
}

static void both(void *(*f)(void *), void *first, void *second, bool threads)
{
    void *args[2] = {first, second};

    if (threads) {
        pthread_t t[2];

        for (int i = 0; i < 2; i++)
            CHECK(pthread_create(&t[i], NULL, f, args[i]) == 0);
        for (int i = 0; i < 2; i++)
            CHECK(pthread_join(t[i], NULL) == 0);
    } else {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
            f(first);
            _exit(0);
        }
        f(second);
        CHECK_IS(test_wait(pid), 0);
    }
}

/* ---- ping-pong -----------------------------------------------------------*/

static bool wait_for_turn(uint32_t parity)
{
    for (;;) {
        uint32_t ticket = mpri_gate_prepare(&shared->gate[parity]);
        uint32_t turn = mpri_load_seq(&shared->turn);

        if (turn == UINT32_MAX)
            return false;
        if (turn % 2 == parity)
            return true;
        CHECK_IS(mpri_gate_wait(&shared->gate[parity], ticket, MPR_FOREVER), 0);
    }
}

static void *ping_pong(void *which)
{
    uint32_t parity = which != NULL;

    while (wait_for_turn(parity)) {
        uint32_t next = mpri_load_seq(&shared->turn) + 1;
        bool over = mpr_now() > shared->until;

        mpri_add_rlx(&shared->rounds, 1);
        mpri_store_seq(&shared->turn, over ? UINT32_MAX : next);
        mpri_gate_open(&shared->gate[!parity], 1);
        if (over)
            break;
    }
    return NULL;
}

static void threads_ping_pong(void)
{
    reset();
    both(ping_pong, NULL, shared, true);
    none_was_lost();
}

static void processes_ping_pong(void)
{
    reset();
    both(ping_pong, NULL, shared, false);
    none_was_lost();
}

/* ---- tokens: several sleepers and several wakers on one gate ---------------*/

static bool take_token(void)
{
    uint32_t n = mpri_load_seq(&shared->available);

    while (n > 0)
        if (mpri_cas_seq(&shared->available, &n, n - 1))
            return true;
    return false;
}

static void *take_tokens(void *unused)
{
    (void)unused;
    while (mpri_load_seq(&shared->taken) < mpri_load_seq(&shared->goal)) {
        uint32_t ticket = mpri_gate_prepare(&shared->gate[0]);

        if (take_token()) {
            uint32_t taken = mpri_add_seq(&shared->taken, 1) + 1;

            if (taken >= mpri_load_seq(&shared->goal))
                mpri_gate_open(&shared->gate[0], UINT32_MAX);
            else if (taken % 2)
                mpri_gate_open(&shared->gate[1], 1);
            continue;
        }
        if (mpri_load_seq(&shared->taken) >= mpri_load_seq(&shared->goal))
            break;
        CHECK_IS(mpri_gate_wait(&shared->gate[0], ticket, MPR_FOREVER), 0);
    }
    return NULL;
}

/* Puts half of the tokens, never more than a few ahead. */
static void *put_tokens(void *unused)
{
    uint32_t goal = mpri_load_seq(&shared->goal) / 2;

    impatient = true;
    for (uint32_t i = 0; i < goal; i++) {
        for (;;) {
            uint32_t ticket = mpri_gate_prepare(&shared->gate[1]);

            if (mpri_load_seq(&shared->available) < 3)
                break;
            /* Another putter may have been woken in our place: look again. */
            mpri_gate_wait(&shared->gate[1], ticket, mpr_after(0.001));
        }
        mpri_add_seq(&shared->available, 1);
        mpri_gate_open(&shared->gate[0], 1);
        mpri_add_rlx(&shared->rounds, 1);
    }
    impatient = false;
    return unused;
}

static void threads_pass_tokens(void)
{
    pthread_t taker[3], putter[2];

    reset();
    mpri_store_seq(&shared->goal, test_rounds(40000) * 2);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&taker[i], NULL, take_tokens, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&putter[i], NULL, put_tokens, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(putter[i], NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(taker[i], NULL) == 0);
    CHECK_IS(mpri_load_seq(&shared->taken), mpri_load_seq(&shared->goal));
    none_was_lost();
}

static void take_in_process(void *unused)
{
    take_tokens(unused);
}

static void put_in_process(void *unused)
{
    put_tokens(unused);
}

static void processes_pass_tokens(void)
{
    pid_t taker[3], putter[2];

    reset();
    mpri_store_seq(&shared->goal, test_rounds(40000) * 2);
    for (int i = 0; i < 3; i++)
        taker[i] = test_fork(take_in_process, NULL);
    for (int i = 0; i < 2; i++)
        putter[i] = test_fork(put_in_process, NULL);
    for (int i = 0; i < 2; i++)
        CHECK_IS(test_wait(putter[i]), 0);
    for (int i = 0; i < 3; i++)
        CHECK_IS(test_wait(taker[i]), 0);
    CHECK_IS(mpri_load_seq(&shared->taken), mpri_load_seq(&shared->goal));
    none_was_lost();
}

/* ---- two sleepers, two wakers that open at once: both must wake ------------*/

enum { PAIR = 2 };

static void *take_one_of_two(void *unused)
{
    (void)unused;
    while (!mpri_load_seq(&shared->goal)) {
        uint32_t ticket = mpri_gate_prepare(&shared->gate[0]), before;

        if (!take_token() && !mpri_load_seq(&shared->goal)) {
            mpri_gate_wait(&shared->gate[0], ticket, MPR_FOREVER);
            continue;
        }
        /* Busy with it: the other one must take the other token. */
        before = mpri_add_seq(&shared->taken, 1);
        while (mpri_load_seq(&shared->taken) < before - before % PAIR + PAIR)
            mpri_yield();
    }
    return NULL;
}

static void *put_one_of_two(void *count)
{
    for (uint32_t i = 1; i <= *(unsigned *)count; i++) {
        while (mpri_load_seq(&shared->turn) < i)
            mpri_yield();
        mpri_add_seq(&shared->available, 1);
        mpri_gate_open(&shared->gate[0], 1);
    }
    return NULL;
}

static void two_openings_wake_two(void)
{
    unsigned count = test_rounds(10000);
    pthread_t taker[PAIR], putter[PAIR];

    reset();
    for (int i = 0; i < PAIR; i++) {
        CHECK(pthread_create(&taker[i], NULL, take_one_of_two, NULL) == 0);
        CHECK(pthread_create(&putter[i], NULL, put_one_of_two, &count) == 0);
    }
    for (uint32_t i = 1; i <= count; i++) {
        /* Time to fall asleep. */
        usleep(60);
        mpri_store_seq(&shared->turn, i);
        while (mpri_load_seq(&shared->taken) < i * PAIR)
            mpri_yield();
    }
    mpri_store_seq(&shared->goal, 1);
    mpri_gate_open(&shared->gate[0], UINT32_MAX);
    for (int i = 0; i < PAIR; i++) {
        CHECK(pthread_join(taker[i], NULL) == 0);
        CHECK(pthread_join(putter[i], NULL) == 0);
    }
    mpri_store_rlx(&shared->rounds, count);
    none_was_lost();
}

/* ---- how many are woken ----------------------------------------------------*/

static void sleep_once(void *unused)
{
    uint32_t ticket = mpri_gate_prepare(&shared->gate[0]);

    (void)unused;
    mpri_add_seq(&shared->asleep, 1);
    /* Slices may run out; only an opening counts. */
    for (;;) {
        mpri_gate_wait(&shared->gate[0], ticket, MPR_FOREVER);
        if ((mpri_load_seq(&shared->gate[0].word) ^ ticket) >= MPRI_GATE_STEP)
            break;
    }
    mpri_add_seq(&shared->woken, 1);
}

static void start_sleepers(pid_t *pid, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        pid[i] = test_fork(sleep_once, NULL);
    while (mpri_load_seq(&shared->asleep) < count)
        usleep(1000);
    for (uint32_t i = 0; i < count; i++)
        test_asleep(pid[i]);
}

static void await_woken(uint32_t count)
{
    for (int i = 0; mpri_load_seq(&shared->woken) < count; i++) {
        CHECK(i < 20000);
        usleep(1000);
    }
    usleep(20000); /* if more are coming, let them come */
    CHECK_IS(mpri_load_seq(&shared->woken), count);
}

static void wakes_as_many_as_meant(void)
{
    pid_t pid[MANY];

    reset();
    start_sleepers(pid, MANY);
    mpri_gate_open(&shared->gate[0], 1);
    await_woken(1);
    mpri_gate_open(&shared->gate[0], 2);
    await_woken(3);
    mpri_gate_open(&shared->gate[0], UINT32_MAX);
    await_woken(MANY);
    for (int i = 0; i < MANY; i++)
        CHECK_IS(test_wait(pid[i]), 0);
    /* Nobody is left: openings are free of system calls again. */
    CHECK(!(mpri_load_seq(&shared->gate[0].word) & MPRI_GATE_ASLEEP));
}

static void killed_sleepers_cost_one_wake(void)
{
    pid_t pid[MANY];

    reset();
    start_sleepers(pid, MANY);
    for (int i = 0; i < MANY - 1; i++) {
        CHECK(kill(pid[i], SIGKILL) == 0);
        CHECK_IS(test_wait(pid[i]), -SIGKILL);
    }
    /* The wake is not spent on a dead one. */
    mpri_gate_open(&shared->gate[0], 1);
    await_woken(1);
    CHECK_IS(test_wait(pid[MANY - 1]), 0);
    mpri_gate_open(&shared->gate[0], 1);
    CHECK(!(mpri_load_seq(&shared->gate[0].word) & MPRI_GATE_ASLEEP));
}

static void open_at_the_point(void *unused)
{
    (void)unused;
    mpri_gate_open(&shared->gate[0], 1);
}

/* A waker that is killed anywhere inside leaves a gate that works. */
static void waker_may_be_killed(void)
{
    pid_t pid[2];

    reset();
    for (uint32_t nth = 1;; nth++) {
        bool killed;

        mpri_gate_prepare(&shared->gate[0]);
        mpri_gate_watch(&shared->gate[0], 1);
        killed = test_kill_at("*", nth, open_at_the_point, NULL);
        mpri_store_seq(&shared->asleep, 0);
        mpri_store_seq(&shared->woken, 0);
        start_sleepers(pid, 2);
        mpri_gate_open(&shared->gate[0], 2);
        await_woken(2);
        for (int i = 0; i < 2; i++)
            CHECK_IS(test_wait(pid[i]), 0);
        if (!killed)
            break;
    }
}

static void on_signal(int signo)
{
    (void)signo;
}

static void ends_at_deadline_or_signal(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL,
        .sigev_signo = SIGUSR1,
    };
    struct itimerspec soon = {{0, 5000000}, {0, 5000000}};
    struct mpri_gate *g = &shared->gate[0];
    int64_t begun = mpr_now();
    timer_t timer;
    int r;

    reset();
    CHECK_IS(mpri_gate_wait(g, mpri_gate_prepare(g), 0), -ETIMEDOUT);
    CHECK_IS(mpri_gate_wait(g, mpri_gate_prepare(g), begun), -ETIMEDOUT);
    do
        r = mpri_gate_wait(g, mpri_gate_prepare(g), begun + 20 * MPRI_MS);
    while (r == 0);
    CHECK_IS(r, -ETIMEDOUT);
    CHECK(mpr_now() >= begun + 20 * MPRI_MS);
    CHECK_IS(mpri_waiter_pause(begun), 0);
    begun = mpr_now();
    CHECK_IS(mpri_waiter_pause(begun + 5 * MPRI_MS), 0);
    CHECK(mpr_now() >= begun + 5 * MPRI_MS);

    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
    do
        r = mpri_gate_wait(g, mpri_gate_prepare(g), MPR_FOREVER);
    while (r == 0);
    CHECK_IS(r, -EINTR);
    CHECK_IS(mpri_waiter_pause(MPR_FOREVER), -EINTR);
    CHECK(timer_delete(timer) == 0);
}

/* ---- bells -----------------------------------------------------------------*/

static uint64_t rings(uint32_t bell)
{
    uint64_t n = 0;

    if (read(mpri_bell_fd[bell], &n, sizeof n) < 0)
        CHECK_IS(errno, EAGAIN);
    return n;
}

static void bells_ring_once_a_watch(void)
{
    struct mpri_gate *g = &shared->gate[0];

    reset();
    mpri_gate_open(g, 1);
    CHECK_IS(rings(1), 0);
    mpri_gate_watch(g, 1);
    mpri_gate_watch(g, 1);
    CHECK_IS(rings(1), 0);
    mpri_gate_open(g, 1);
    CHECK_IS(rings(1), 1);
    mpri_gate_open(g, 1);
    CHECK_IS(rings(1), 0);
    mpri_gate_watch(g, 0);
    mpri_gate_watch(g, MPRI_BELLS - 1);
    mpri_gate_open(g, 1);
    CHECK_IS(rings(0), 1);
    CHECK_IS(rings(1), 0);
    CHECK_IS(rings(MPRI_BELLS - 1), 1);
    /* Watchers and sleepers do not disturb each other. */
    mpri_gate_prepare(g);
    mpri_gate_watch(g, 2);
    mpri_gate_open(g, 1);
    CHECK_IS(rings(2), 1);
    /* What another process may have written is no bell of ours. */
    mpri_store_seq(&g->bells, 0xffffff00U);
    mpri_gate_watch(g, 3);
    mpri_gate_open(g, 1);
    CHECK_IS(rings(3), 1);
    CHECK(mpri_bell_own() < MPRI_BELLS);
}

/* ---- spinning --------------------------------------------------------------*/

static bool spun(mpri_a32 *credit, bool win)
{
    struct mpri_spin s = mpri_spin_begin(credit);
    unsigned turns = 0;

    while ((!win || turns < 2) && mpri_spin_more(&s))
        turns++;
    mpri_spin_end(&s, win && turns > 0);
    return turns > 0;
}

static void spins_where_it_pays(void)
{
    mpri_a32 credit = 0;
    unsigned n = 0;

    /* Won again and again: always spins, and the credit has an end. */
    for (int i = 0; i < 20; i++)
        spun(&credit, true);
    for (int i = 0; i < 1000; i++)
        CHECK(spun(&credit, true));
    CHECK(mpri_load_rlx(&credit) <= 64);
    /* Lost again and again: given up soon, then tried now and then. */
    for (int i = 0; i < 32; i++)
        n += spun(&credit, false);
    CHECK(n < 24);
    n = 0;
    for (int i = 0; i < 80; i++)
        n += spun(&credit, false);
    CHECK(n > 0 && n <= 12);
    /* And found again when it pays. */
    for (int i = 0; i < 20; i++)
        spun(&credit, true);
    CHECK(spun(&credit, true));
    /* Whatever stands there. */
    mpri_store_rlx(&credit, UINT32_MAX);
    for (int i = 0; i < 100; i++)
        spun(&credit, i % 2);
    CHECK(mpri_load_rlx(&credit) <= 66);
}

int main(void)
{
    test_begin(60);
    CHECK_IS(mpr_open(), 0);
    mpri_waiter_sweep = slice_ran_out;
    shared = test_shared(sizeof *shared);
    RUN(threads_ping_pong);
    RUN(threads_pass_tokens);
    RUN(two_openings_wake_two);
    RUN(ends_at_deadline_or_signal);
    RUN(bells_ring_once_a_watch);
    RUN(spins_where_it_pays);
    if (TEST_FORKS) {
        RUN(processes_ping_pong);
        RUN(processes_pass_tokens);
        RUN(wakes_as_many_as_meant);
        RUN(killed_sleepers_cost_one_wake);
        RUN(waker_may_be_killed);
    }
    return 0;
}
