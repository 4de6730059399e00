#ifndef MPR_LIFE_LIFE_TEST_H
#define MPR_LIFE_LIFE_TEST_H

/* For tests of life/: members that inherit what their creator holds, boxes
 * (a kind of object that holds others), and the family's sums. */

#include "base/test.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "life/reap.h"
#include "mem/segment.h"
#include "peer/roster.h"

/* ---- members ---------------------------------------------------------------*/

struct test_member {
    pid_t pid;
    uint32_t slot;
    uint32_t generation;
};

struct test_member_start {
    struct test_member m;
    void (*f)(void *);
    void *arg;
};

static inline void test_member_enter(void *arg)
{
    const struct test_member_start *s = arg;

    CHECK_IS(mpri_roster_enter(s->m.slot, s->m.generation), 0);
    s->f(s->arg);
    mpr_testpoint_arm(NULL, 0, 0);
    mpri_leave();
}

static inline void test_member_take(struct test_member *m)
{
    mpri_guard_lock();
    CHECK_IS(mpri_roster_take("member", &m->slot), 0);
    mpri_guard_unlock();
    m->generation = mpri_slot_generation(m->slot);
}

/* Forks a member that has all we hold, calls f(arg) and leaves. */
static inline struct test_member test_member(void (*f)(void *), void *arg)
{
    struct test_member_start s = {.f = f, .arg = arg};

    test_member_take(&s.m);
    CHECK_IS(mpri_hold_inherit(s.m.slot, s.m.generation), 0);
    s.m.pid = test_fork(test_member_enter, &s);
    mpri_roster_forked(s.m.slot, s.m.generation, s.m.pid);
    return s.m;
}

/* Waits for its end, and leaves its slot to whoever sweeps. */
static inline int test_member_wait(const struct test_member *m)
{
    return test_wait(m->pid);
}

/* The same in a member that is killed at the nth test point: whether it was. */
static inline bool test_member_killed_at(const char *name, uint32_t nth,
                                         void (*f)(void *), void *arg)
{
    struct test_point p = {.name = name, .nth = nth, .f = f, .arg = arg};
    struct test_member m = test_member(test_to_the_point, &p);
    int code = test_member_wait(&m);

    if (code != 0)
        CHECK_IS(code, -SIGKILL);
    return code != 0;
}

/* ---- sums ------------------------------------------------------------------*/

static inline void test_sums(struct mpr_stats *s)
{
    CHECK_IS(mpr_check(), 0);
    CHECK_IS(mpr_stats(s), 0);
}

/* Everything is as it was; of the memory, a slab of each size may stay. */
static inline void test_same_sums(const struct mpr_stats *before)
{
    struct mpr_stats now;

    mpr_sweep();
    test_sums(&now);
    for (unsigned k = 0; k < MPR_KIND_END; k++) {
        if (now.objects[k] != before->objects[k] ||
            now.bytes[k] != before->bytes[k])
            fprintf(stderr, "%s\n", mpr_kind_name(k));
        CHECK_IS(now.objects[k], before->objects[k]);
        CHECK_IS(now.bytes[k], before->bytes[k]);
    }
    CHECK_IS(now.holds, before->holds);
    CHECK_IS(now.processes, before->processes);
    CHECK(now.used <= before->used + 6 * 16384);
}

/* ---- boxes -----------------------------------------------------------------*/

enum { TEST_BOX = MPR_KIND_PROXY };

struct test_box {
    uint64_t count;
    uint64_t word[];
};

static inline struct test_box *test_box(const mpr_handle *h)
{
    return mpri_data(h);
}

static void test_box_destroy(struct mpri_block *b)
{
    struct test_box *box = mpri_block_data(b);

    CHECK(mpri_taking_apart());
    for (uint64_t i = 0; i < box->count; i++)
        mpri_ref_drop(&box->word[i]);
}

static inline void test_box_register(void)
{
    static const struct mpri_kind box = {
        .name = "Box",
        .destroy = test_box_destroy,
    };

    mpri_kind_register(TEST_BOX, &box);
}

/* A box with count words, and padding. */
static inline int test_box_padded(mpr_handle *h, uint64_t count,
                                  uint64_t padding)
{
    int err = mpri_block_create(sizeof(struct test_box) + count * 8 + padding,
                                MPRI_BLOCK_ZERO, h);

    if (err < 0)
        return err;
    test_box(h)->count = count;
    mpri_block_become(h, TEST_BOX);
    return 0;
}

static inline int test_box_create(mpr_handle *h, uint64_t count)
{
    return test_box_padded(h, count, 0);
}

#endif
