/* Tables of holds: they grow, are given to children, and are taken apart after
 * a death, wherever that came. */

#include "life/hold.h"

#include "life/life_test.h"
#include "mem/arena.h"
#include "mem/tx.h"

#include <pthread.h>

static uint64_t held(void)
{
    return mpri_slot(mpri_self.slot)->held;
}

static void grows_and_shuffles(void)
{
    unsigned count = test_rounds(200000);
    mpr_handle h, *all = calloc(count, sizeof *all);
    struct mpr_stats before;

    CHECK_IS(mpri_block_create(32, 0, &h), 0);
    test_sums(&before);
    for (unsigned i = 0; i < count; i++) {
        CHECK_IS(mpr_handle_dup(&h, &all[i]), 0);
        CHECK(all[i].block == h.block);
    }
    CHECK_IS(held(), before.holds + count);
    for (unsigned i = count; i-- > 1;) {
        unsigned k = (unsigned)test_below(i + 1);
        mpr_handle t = all[i];

        all[i] = all[k];
        all[k] = t;
    }
    for (unsigned i = 0; i < count / 2; i++)
        mpri_drop(&all[i]);
    /* Entries are used again: no handle shares one with another. */
    for (unsigned i = 0; i < count / 2; i++)
        CHECK_IS(mpr_handle_dup(&h, &all[i]), 0);
    for (unsigned i = 0; i < count; i++) {
        uint64_t *word = mpri_hold_at(mpri_slot(mpri_self.slot), all[i].hold);

        CHECK(*word == mpri_off(h.block));
        *word |= MPRI_HOLD_PRIVATE; /* seen once */
    }
    for (unsigned i = 0; i < count; i++)
        mpri_drop(&all[i]);
    CHECK_IS(held(), before.holds);
    mpri_drop(&h);
    free(all);
}

/* ---- children --------------------------------------------------------------*/

static struct {
    mpr_handle normal, private, box;
    uint64_t expected;
} given;

static void check_inheritance(void *unused)
{
    mpr_handle more[50];
    struct mpri_slot *s = mpri_slot(mpri_self.slot);

    (void)unused;
    CHECK_IS(held(), given.expected);
    CHECK(mpri_hold_off(*mpri_hold_at(s, given.normal.hold)) ==
          mpri_off(given.normal.block));
    CHECK(mpri_hold_off(*mpri_hold_at(s, given.private.hold)) == 0);
    CHECK(memcmp(mpri_data(&given.normal), "given", 6) == 0);
    for (int i = 0; i < 50; i++)
        CHECK_IS(mpri_block_create(40, 0, &more[i]), 0);
    mpri_drop(&given.normal);
    for (int i = 0; i < 50; i++)
        mpri_drop(&more[i]);
    CHECK_IS(held(), given.expected - 1);
}

static void is_inherited(void)
{
    struct mpr_stats before;
    mpr_handle more[3000];

    test_sums(&before);
    for (unsigned round = 0; round < 5; round++) {
        unsigned count = round * round * 187;

        CHECK_IS(mpri_block_create(20, 0, &given.normal), 0);
        CHECK_IS(mpri_block_create(20, MPRI_BLOCK_PRIVATE, &given.private), 0);
        for (unsigned i = 0; i < count; i++)
            CHECK_IS(mpr_handle_dup(&given.normal, &more[i]), 0);
        memcpy(mpri_data(&given.normal), "given", 6);
        given.expected = held() - 1;
        if (TEST_FORKS) {
            struct test_member m = test_member(check_inheritance, NULL);

            CHECK_IS(test_member_wait(&m), 0);
            mpr_sweep();
        }
        CHECK(memcmp(mpri_data(&given.normal), "given", 6) == 0);
        mpri_drop(&given.normal);
        mpri_drop(&given.private);
        for (unsigned i = 0; i < count; i++)
            mpri_drop(&more[i]);
        test_same_sums(&before);
    }
}

static void give_a_child(void *count)
{
    unsigned n = *(unsigned *)count;
    mpr_handle *h = calloc(n, sizeof *h);
    struct test_member m;

    for (unsigned i = 0; i < n; i++)
        CHECK_IS(mpri_block_create(40, 0, &h[i]), 0);
    test_member_take(&m);
    CHECK_IS(mpri_hold_inherit(m.slot, m.generation), 0);
    for (unsigned i = 0; i < n; i++)
        mpri_drop(&h[i]);
    /* The child is never made. */
    mpri_roster_ended(m.slot, m.generation);
    mpri_reap(m.slot, m.generation);
    free(h);
}

static void giver_killed_anywhere(void)
{
    unsigned count = 1200 / TEST_SLOWER;
    struct mpr_stats before;

    test_sums(&before);
    for (uint32_t nth = 1;; nth++) {
        bool killed = test_member_killed_at("*", nth, give_a_child, &count);

        test_same_sums(&before);
        if (!killed) {
            printf(" (%u points)", nth - 1);
            return;
        }
        nth += (uint32_t)test_below(nth < 60 ? 2 : 1200);
    }
}

static void take_a_slot(void *place)
{
    test_member_take(place);
    for (;;)
        pause();
}

/* A fork server gives on behalf of a creator, which may die meanwhile. */
static void slot_may_be_gone(void)
{
    struct test_member *taken = test_shared(4096), m;
    struct mpr_stats before;
    mpr_handle h;

    CHECK_IS(mpri_block_create(40, 0, &h), 0);
    test_sums(&before);
    m = test_member(take_a_slot, taken);
    while (mpri_load_acq((mpri_a32 *)&taken->slot) == 0 ||
           !mpri_slot_starts(taken->slot, taken->generation))
        usleep(100);
    CHECK_IS(mpri_hold_inherit(taken->slot, taken->generation), 0);
    CHECK(kill(m.pid, SIGKILL) == 0);
    CHECK_IS(test_member_wait(&m), -SIGKILL);
    mpr_sweep();
    CHECK_IS(mpri_hold_inherit(taken->slot, taken->generation), -ESRCH);
    CHECK_IS(mpri_hold_give(taken->slot, taken->generation, &h), -ESRCH);
    test_same_sums(&before);
    mpri_drop(&h);
}

static void see_first(void *unused)
{
    mpr_handle h;

    (void)unused;
    CHECK_IS(held(), 1);
    CHECK_IS(mpri_hold_first(&h), 0);
    CHECK(h.block == given.normal.block && h.kind == TEST_BOX);
    mpri_drop(&h);
    CHECK_IS(mpri_hold_first(&h), -ENOENT);
}

static void first_is_given(void)
{
    struct test_member_start s = {.f = see_first};
    struct mpr_stats before;

    if (!TEST_FORKS)
        return;
    test_sums(&before);
    CHECK_IS(test_box_create(&given.normal, 1), 0);
    test_member_take(&s.m);
    CHECK_IS(mpri_hold_give(s.m.slot, s.m.generation, &given.normal), 0);
    s.m.pid = test_fork(test_member_enter, &s);
    CHECK_IS(test_member_wait(&s.m), 0);
    mpri_drop(&given.normal);
    test_same_sums(&before);
}

/* ---- large tables of the dead -------------------------------------------------*/

static void hold_many(void *ready)
{
    mpr_handle h;

    for (unsigned i = 0; i < 4000; i++)
        CHECK_IS(mpri_block_create(i % 1000 ? 32 : 5000, 0, &h), 0);
    mpri_store_rel((mpri_a32 *)ready, 1);
    for (;;)
        pause();
}

static void sweep(void *unused)
{
    (void)unused;
    mpr_sweep();
}

static bool reap_killed_at(const char *name, uint32_t nth)
{
    mpri_a32 *ready = test_shared(4096);
    struct mpr_stats before;
    struct test_member victim;
    bool killed;

    test_sums(&before);
    victim = test_member(hold_many, ready);
    while (!mpri_load_acq(ready))
        usleep(100);
    CHECK(kill(victim.pid, SIGKILL) == 0);
    CHECK_IS(test_member_wait(&victim), -SIGKILL);
    killed = test_member_killed_at(name, nth, sweep, NULL);
    test_same_sums(&before);
    CHECK(munmap(ready, 4096) == 0);
    return killed;
}

/* Among the last points are those at which the table itself is given back,
 * chunk by chunk. */
static void reaper_killed_in_the_table(void)
{
    uint32_t commits = 4000, nth;

    /* The first of the last 30 commits, found by halving. */
    for (uint32_t step = 2048; step > 0; step /= 2)
        if (reap_killed_at("tx.committed", commits + step))
            commits += step;
    CHECK(commits > 4000);
    for (nth = commits > 30 ? commits - 30 : 1;
         reap_killed_at("tx.committed", nth); nth++)
        ;
    printf(" (%u commits)", nth - 1);
}

static void leave_with_holds(void *count)
{
    mpr_handle h;

    for (unsigned i = 0; i < *(unsigned *)count; i++)
        CHECK_IS(i % 7 ? mpri_block_create(40, 0, &h) : test_box_create(&h, 1),
                 0);
}

/* Leaving drops everything; whoever is killed meanwhile is reaped. */
static void leaver_killed_anywhere(void)
{
    unsigned count = 60;
    struct mpr_stats before;

    test_sums(&before);
    for (uint32_t nth = 1;; nth++) {
        struct test_point p = {"*", nth, leave_with_holds, &count};
        struct test_member_start s = {.f = NULL};
        int code;

        test_member_take(&s.m);
        s.m.pid = fork();
        CHECK(s.m.pid >= 0);
        if (s.m.pid == 0) {
            CHECK_IS(mpri_roster_enter(s.m.slot, s.m.generation), 0);
            leave_with_holds(&count);
            CHECK_IS(mpr_testpoint_arm(p.name, p.nth, SIGKILL), 0);
            mpri_leave();
            _exit(0);
        }
        code = test_wait(s.m.pid);
        test_same_sums(&before);
        if (code == 0) {
            printf(" (%u points)", nth - 1);
            CHECK(nth > 300);
            return;
        }
        CHECK_IS(code, -SIGKILL);
        nth += (uint32_t)test_below(2 * TEST_SLOWER);
    }
}

static void use_after_leaving(void *unused)
{
    mpr_handle h, again;

    (void)unused;
    CHECK_IS(mpri_block_create(40, 0, &h), 0);
    mpri_leave();
    /* Finalizers that run late find nothing to do. */
    mpri_drop(&h);
    CHECK_IS(mpri_block_create(40, 0, &h), -ENOTRECOVERABLE);
    CHECK_IS(mpr_handle_dup(&given.normal, &again), -ENOTRECOVERABLE);
    mpri_ref_drop(&test_box(&given.normal)->word[0]);
    mpr_sweep();
    mpri_leave();
}

static void strangers(void *unused)
{
    mpr_handle again;

    (void)unused;
    CHECK_IS(mpr_handle_dup(&given.normal, &again), -ENOTRECOVERABLE);
    CHECK_IS(mpri_ref_open(&test_box(&given.normal)->word[0], &again),
             -ENOTRECOVERABLE);
    mpri_ref_drop(&test_box(&given.normal)->word[0]);
    mpri_drop(&given.normal);
}

static void no_member_changes_nothing(void)
{
    struct mpr_stats before;
    struct test_member m;
    mpr_handle inner;

    if (!TEST_FORKS)
        return;
    CHECK_IS(test_box_create(&given.normal, 1), 0);
    CHECK_IS(test_box_create(&inner, 1), 0);
    mpri_ref_move(&test_box(&given.normal)->word[0], &inner);
    test_sums(&before);
    m = test_member(use_after_leaving, NULL);
    CHECK_IS(test_member_wait(&m), 0);
    test_same_sums(&before);
    CHECK_IS(test_wait(test_fork(strangers, NULL)), 0);
    test_same_sums(&before);
    CHECK(test_box(&given.normal)->word[0] != 0);
    mpri_drop(&given.normal);
}

/* ---- threads --------------------------------------------------------------------*/

static void *churn(void *stop)
{
    mpr_handle h[300] = {0};
    unsigned i = 0;

    while (!mpri_load_acq((mpri_a32 *)stop)) {
        mpr_handle *one = &h[i++ % 300];

        mpri_drop(one);
        CHECK_IS(
            i % 3 ? mpri_block_create(40, 0, one) : test_box_create(one, 1), 0);
    }
    for (i = 0; i < 300; i++)
        mpri_drop(&h[i]);
    return NULL;
}

/* While other threads make and drop, this one gives its holds to children
 * that are never made, and reaps them. */
static void given_while_others_work(void)
{
    static mpri_a32 stop;
    struct mpr_stats before;
    mpr_handle mine[500];
    pthread_t t[3];

    test_sums(&before);
    mpri_store_rel(&stop, 0);
    for (int i = 0; i < 500; i++)
        CHECK_IS(test_box_create(&mine[i], 1), 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, churn, &stop) == 0);
    for (unsigned i = 0; i < test_rounds(500); i++) {
        struct test_member m;

        test_member_take(&m);
        CHECK_IS(mpri_hold_inherit(m.slot, m.generation), 0);
        mpri_roster_ended(m.slot, m.generation);
        if (i % 2)
            mpri_reap(m.slot, m.generation);
        else
            mpr_sweep();
    }
    mpri_store_rel(&stop, 1);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    for (int i = 0; i < 500; i++)
        mpri_drop(&mine[i]);
    test_same_sums(&before);
}

static void *sweep_too(void *stop)
{
    while (!mpri_load_acq((mpri_a32 *)stop))
        mpr_sweep();
    return NULL;
}

static void just_end(void *unused)
{
    mpr_handle h;

    (void)unused;
    CHECK_IS(test_box_create(&h, 1), 0);
    kill(getpid(), SIGKILL);
}

/* Several threads notice the same deaths. */
static void reaped_once(void)
{
    static mpri_a32 stop;
    struct mpr_stats before;
    pthread_t t[2];

    test_sums(&before);
    mpri_store_rel(&stop, 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&t[i], NULL, sweep_too, &stop) == 0);
    for (unsigned i = 0; i < test_rounds(200); i++) {
        struct test_member m = test_member(just_end, NULL);

        CHECK_IS(test_member_wait(&m), -SIGKILL);
        if (i % 2) {
            mpri_roster_ended(m.slot, m.generation);
            mpri_reap(m.slot, m.generation);
            CHECK(!mpri_peer_still_over(m.slot, m.generation));
        }
    }
    mpri_store_rel(&stop, 1);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    test_same_sums(&before);
}

static void stop_inside(void *unused)
{
    (void)unused;
    mpr_testpoint_arm("reap.begun", 1, SIGSTOP);
    mpr_sweep();
}

/* A reaper that is stopped stops nobody who only looks around. */
static void stopped_reaper_blocks_nobody(void)
{
    struct test_member victim, reaper;
    struct mpr_stats before;
    siginfo_t info;

    test_sums(&before);
    victim = test_member(just_end, NULL);
    CHECK_IS(test_member_wait(&victim), -SIGKILL);
    reaper = test_member(stop_inside, NULL);
    CHECK(waitid(P_PID, (id_t)reaper.pid, &info, WSTOPPED | WNOWAIT) == 0);
    mpr_sweep();
    mpri_reap(victim.slot, victim.generation);
    CHECK(mpri_peer_still_over(victim.slot, victim.generation));
    CHECK(kill(reaper.pid, SIGKILL) == 0);
    CHECK_IS(test_member_wait(&reaper), -SIGKILL);
    mpr_sweep();
    test_same_sums(&before);
}

static void stop_locked(void *unused)
{
    (void)unused;
    mpri_guard_lock();
    raise(SIGSTOP);
    mpri_guard_unlock();
}

/* Nor does a process that is stopped within the arena lock: who sleeps wakes in
 * time, and may be the one to let it go on. */
static void stopped_owner_blocks_no_sleeper(void)
{
    struct test_member victim, owner;
    struct mpr_stats before;
    siginfo_t info;

    test_sums(&before);
    victim = test_member(just_end, NULL);
    CHECK_IS(test_member_wait(&victim), -SIGKILL);
    owner = test_member(stop_locked, NULL);
    CHECK(waitid(P_PID, (id_t)owner.pid, &info, WSTOPPED | WNOWAIT) == 0);
    mpr_sweep();
    CHECK(mpri_peer_still_over(victim.slot, victim.generation));
    CHECK(kill(owner.pid, SIGCONT) == 0);
    CHECK_IS(test_member_wait(&owner), 0);
    mpr_sweep();
    CHECK(!mpri_peer_still_over(victim.slot, victim.generation));
    test_same_sums(&before);
}

int main(void)
{
    test_begin(60);
    CHECK_IS(mpr_open(), 0);
    test_box_register();
    RUN(grows_and_shuffles);
    RUN(is_inherited);
    RUN(given_while_others_work);
    RUN(first_is_given);
    RUN(no_member_changes_nothing);
    if (TEST_FORKS) {
        RUN(giver_killed_anywhere);
        RUN(slot_may_be_gone);
        RUN(reaper_killed_in_the_table);
        RUN(leaver_killed_anywhere);
        RUN(reaped_once);
        RUN(stopped_reaper_blocks_nobody);
        RUN(stopped_owner_blocks_no_sleeper);
    }
    return 0;
}
