#ifndef MPR_PEER_PEER_TEST_H
#define MPR_PEER_PEER_TEST_H

/* For tests of layers below life/: children that are members of the family,
 * and slots that are freed without a reaper. Only the test's first process
 * takes and frees slots, so the arena lock is not needed. */

#include "base/test.h"
#include "peer/roster.h"

struct test_member {
    pid_t pid;
    uint32_t slot;
};

struct test_member_start {
    uint32_t slot;
    void (*f)(void *);
    void *arg;
};

static inline void test_member_enter(void *arg)
{
    const struct test_member_start *s = arg;

    CHECK_IS(mpri_roster_enter(s->slot, mpri_slot_generation(s->slot)), 0);
    s->f(s->arg);
}

/* Forks a member that only calls f(arg). */
static inline struct test_member test_member(void (*f)(void *), void *arg)
{
    struct test_member_start s = {.f = f, .arg = arg};
    struct test_member m;

    CHECK_IS(mpri_roster_take("member", &s.slot), 0);
    m.slot = s.slot;
    m.pid = test_fork(test_member_enter, &s);
    return m;
}

/* Waits for its end: its exit code, or minus the signal. Its slot stays. */
static inline int test_member_wait(const struct test_member *m)
{
    return test_wait(m->pid);
}

/* The slot is free for another. */
static inline void test_member_free(const struct test_member *m)
{
    mpri_roster_ended(m->slot, mpri_slot_generation(m->slot));
    mpri_roster_free(m->slot);
}

static inline int test_member_end(const struct test_member *m)
{
    int code = test_member_wait(m);

    test_member_free(m);
    return code;
}

/* Waits until a child sleeps in the kernel. */
static inline void test_asleep(pid_t pid)
{
    char path[40], text[200];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    for (int i = 0; i < 20000; i++) {
        FILE *file = fopen(path, "r");
        const char *p;

        CHECK(file && fgets(text, sizeof text, file));
        fclose(file);
        p = strrchr(text, ')');
        if (p && p[2] == 'S')
            return;
        usleep(1000);
    }
    CHECK(!"asleep");
}

#endif
