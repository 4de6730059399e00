/* The runtime's own lock: one owner at a time, threads and processes, and what
 * becomes of it when the owner is killed. */

#include "wait/mutex.h"

#include "base/deadline.h"
#include "os/os.h"
#include "peer/peer_test.h"
#include "wait/waiter.h"

#include <pthread.h>

enum { THREADS = 4 };

static struct shared {
    struct mpri_mutex m;
    uint64_t a, b; /* equal outside the lock */
    mpri_a32 stage;
    mpri_a32 died; /* -EOWNERDEAD seen */
    mpri_a64 sections;
} * shared;

static int64_t soon(void)
{
    return mpr_after(20);
}

static void reset(void)
{
    memset((void *)shared, 0, sizeof *shared);
}

static void reach(uint32_t stage)
{
    mpri_store_rel(&shared->stage, stage);
}

static void await_stage(uint32_t stage)
{
    for (int i = 0; mpri_load_acq(&shared->stage) < stage; i++) {
        CHECK(i < 20000);
        usleep(1000);
    }
}

/* One section; r is what lock returned. */
static void section(int r, bool linger)
{
    if (r == -EOWNERDEAD) {
        mpri_add_rlx(&shared->died, 1);
        shared->b = shared->a;
    } else {
        CHECK_IS(r, 0);
    }
    CHECK(shared->a == shared->b);
    shared->a++;
    if (linger)
        mpri_yield();
    shared->b++;
    mpri_add_rlx(&shared->sections, 1);
    mpri_mutex_unlock(&shared->m);
}

static void *work(void *count)
{
    for (unsigned i = 0; i < *(unsigned *)count; i++)
        section(mpri_mutex_lock(&shared->m, soon()), i % 16 == 0);
    return NULL;
}

static void excludes_threads(void)
{
    unsigned count = test_rounds(100000);
    pthread_t t[THREADS];

    reset();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, work, &count) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    CHECK_IS(shared->a, THREADS * count);
    CHECK_IS(shared->b, THREADS * count);
    CHECK_IS(mpri_load_rlx(&shared->died), 0);
}

static void work_once(void *count)
{
    work(count);
}

static void excludes_processes(void)
{
    unsigned count = test_rounds(100000);
    struct test_member m[THREADS];

    reset();
    for (int i = 0; i < THREADS; i++)
        m[i] = test_member(work_once, &count);
    for (int i = 0; i < THREADS; i++)
        CHECK_IS(test_member_end(&m[i]), 0);
    CHECK_IS(shared->a, THREADS * count);
    CHECK_IS(mpri_load_rlx(&shared->died), 0);
}

static void hold(void *unused)
{
    (void)unused;
    CHECK_IS(mpri_mutex_lock(&shared->m, soon()), 0);
    shared->a++; /* and not b */
    reach(1);
    for (;;)
        pause();
}

static void wait_once(void *unused)
{
    (void)unused;
    section(mpri_mutex_lock(&shared->m, soon()), false);
}

static void is_taken_from_the_dead(void)
{
    for (unsigned i = 0; i < test_rounds(20); i++) {
        struct test_member owner, waiter[3];

        reset();
        owner = test_member(hold, NULL);
        await_stage(1);
        for (int k = 0; k < 3; k++)
            waiter[k] = test_member(wait_once, NULL);
        if (i % 2)
            for (int k = 0; k < 3; k++)
                test_asleep(waiter[k].pid);
        CHECK(kill(owner.pid, SIGKILL) == 0);
        for (int k = 0; k < 3; k++)
            CHECK_IS(test_member_end(&waiter[k]), 0);
        CHECK_IS(test_member_end(&owner), -SIGKILL);
        /* Exactly one was told. */
        CHECK_IS(mpri_load_rlx(&shared->died), 1);
        CHECK_IS(shared->a, 4);
        CHECK_IS(shared->b, 4);
    }
}

/* Who only tries finds out, too. */
static void a_try_finds_the_dead(void)
{
    struct test_member owner;

    reset();
    owner = test_member(hold, NULL);
    await_stage(1);
    CHECK_IS(mpri_mutex_lock(&shared->m, 0), -ETIMEDOUT);
    CHECK_IS(mpri_mutex_lock(&shared->m, mpr_after(0.01)), -ETIMEDOUT);
    CHECK(kill(owner.pid, SIGKILL) == 0);
    CHECK_IS(test_member_wait(&owner), -SIGKILL);
    section(mpri_mutex_lock(&shared->m, 0), false);
    CHECK_IS(mpri_load_rlx(&shared->died), 1);
    test_member_free(&owner);
    section(mpri_mutex_lock(&shared->m, 0), false);
    CHECK_IS(mpri_load_rlx(&shared->died), 1);
}

static void is_not_taken_from_the_stopped(void)
{
    struct test_member owner;

    reset();
    owner = test_member(hold, NULL);
    await_stage(1);
    CHECK(kill(owner.pid, SIGSTOP) == 0);
    CHECK_IS(mpri_mutex_lock(&shared->m, mpr_after(0.2)), -ETIMEDOUT);
    CHECK(kill(owner.pid, SIGKILL) == 0);
    CHECK_IS(mpri_mutex_lock(&shared->m, soon()), -EOWNERDEAD);
    CHECK_IS(test_member_end(&owner), -SIGKILL);
}

static void just_live(void *unused)
{
    (void)unused;
    reach(1);
    for (;;)
        pause();
}

/* The word names a dead process, whose slot has a live one now. */
static void generations_differ(void)
{
    struct test_member owner, next;

    reset();
    owner = test_member(hold, NULL);
    await_stage(1);
    CHECK(kill(owner.pid, SIGKILL) == 0);
    CHECK_IS(test_member_end(&owner), -SIGKILL);
    reach(0);
    next = test_member(just_live, NULL);
    CHECK_IS(next.slot, owner.slot);
    await_stage(1);
    CHECK_IS(mpri_mutex_lock(&shared->m, 0), -EOWNERDEAD);
    mpri_mutex_unlock(&shared->m);
    CHECK(kill(next.pid, SIGKILL) == 0);
    CHECK_IS(test_member_end(&next), -SIGKILL);
}

static void is_abandoned_by_the_reaper(void)
{
    struct test_member owner, waiter[2];

    reset();
    owner = test_member(hold, NULL);
    await_stage(1);
    for (int k = 0; k < 2; k++)
        waiter[k] = test_member(wait_once, NULL);
    CHECK(!mpri_mutex_abandon(&shared->m, owner.slot + 1));
    CHECK(kill(owner.pid, SIGKILL) == 0);
    CHECK_IS(test_member_wait(&owner), -SIGKILL);
    mpri_mutex_abandon(&shared->m, owner.slot); /* or a waiter was faster */
    CHECK(!mpri_mutex_abandon(&shared->m, owner.slot));
    for (int k = 0; k < 2; k++)
        CHECK_IS(test_member_end(&waiter[k]), 0);
    test_member_free(&owner);
    CHECK_IS(mpri_load_rlx(&shared->died), 1);

    reset();
    owner = test_member(hold, NULL);
    await_stage(1);
    CHECK(kill(owner.pid, SIGKILL) == 0);
    CHECK_IS(test_member_wait(&owner), -SIGKILL);
    CHECK(mpri_mutex_abandon(&shared->m, owner.slot));
    test_member_free(&owner);
    section(mpri_mutex_lock(&shared->m, 0), false);
    CHECK_IS(mpri_load_rlx(&shared->died), 1);
    section(mpri_mutex_lock(&shared->m, 0), false);
    CHECK_IS(mpri_load_rlx(&shared->died), 1);
}

static void work_for_ever(void *unused)
{
    (void)unused;
    for (unsigned i = 0;; i++)
        section(mpri_mutex_lock(&shared->m, soon()), i % 8 == 0);
}

/* Members are killed at random and replaced; those who live go on. */
static void survives_random_kills(void)
{
    int64_t until = mpr_after(test_long() ? 60 : 1.5);
    struct test_member m[3];
    unsigned kills = 0;

    reset();
    for (int i = 0; i < 3; i++)
        m[i] = test_member(work_for_ever, NULL);
    while (mpr_now() < until) {
        struct test_member *victim = &m[test_below(3)];
        uint64_t before = mpri_load_rlx(&shared->sections);

        usleep((unsigned)test_below(3000));
        CHECK(kill(victim->pid, SIGKILL) == 0);
        CHECK_IS(test_member_wait(victim), -SIGKILL);
        mpri_mutex_abandon(&shared->m, victim->slot);
        test_member_free(victim);
        kills++;
        for (int i = 0; mpri_load_rlx(&shared->sections) == before; i++) {
            CHECK(i < 20000);
            usleep(1000);
        }
        *victim = test_member(work_for_ever, NULL);
    }
    for (int i = 0; i < 3; i++) {
        CHECK(kill(m[i].pid, SIGKILL) == 0);
        CHECK_IS(test_member_end(&m[i]), -SIGKILL);
    }
    printf(" (%u kills, %u inside, %llu sections)", kills,
           mpri_load_rlx(&shared->died),
           (unsigned long long)mpri_load_rlx(&shared->sections));
}

static void one_section(void *unused)
{
    (void)unused;
    section(mpri_mutex_lock(&shared->m, soon()), false);
}

/* Killed in the middle of unlocking: the word still names the dead. */
static void unlock_is_one_step(void)
{
    struct test_point p = {"mutex.unlocking", 1, one_section, NULL};
    struct test_member m;

    reset();
    m = test_member(test_to_the_point, &p);
    CHECK_IS(test_member_wait(&m), -SIGKILL);
    section(mpri_mutex_lock(&shared->m, soon()), false);
    CHECK_IS(mpri_load_rlx(&shared->died), 1);
    CHECK_IS(shared->a, 2);
    test_member_free(&m);
}

int main(void)
{
    test_begin(60);
    CHECK_IS(mpr_open(), 0);
    mpri_waiter_sweep = NULL; /* we free the slots */
    shared = test_shared(sizeof *shared);
    RUN(excludes_threads);
    if (TEST_FORKS) {
        RUN(excludes_processes);
        RUN(is_taken_from_the_dead);
        RUN(a_try_finds_the_dead);
        RUN(is_not_taken_from_the_stopped);
        RUN(generations_differ);
        RUN(is_abandoned_by_the_reaper);
        RUN(unlock_is_one_step);
        RUN(survives_random_kills);
    }
    return 0;
}
