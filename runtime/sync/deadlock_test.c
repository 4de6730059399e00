/* Cycles of waiters: what is certain is raised by one of them, what is not is
 * said once, and what is none is not mistaken for one.
 * time limit: 120 s */

#include "sync/sync_test.h"

enum { MOST = 3 };

/* Process i owns lock i and then waits for lock i + 1. */
struct cycle {
    mpr_lock lock[MOST];
    mpr_rlock rlock[MOST];
    struct {
        mpri_a32 owning;
        mpri_a32 raised;
        mpri_a32 warned;
        mpri_a32 done;
        char text[1024];
    } * shared;
    mpr_handle memory;
    int size;
    int index;
    bool recursive; /* RLocks */
    int plain;      /* the index that takes its Lock without a guard, or -1 */
    int impatient;  /* the index that waits with a timeout, or -1 */
};

static int take(struct cycle *c, int i, uint32_t actor, int64_t deadline)
{
    if (c->recursive)
        return mpr_rlock_acquire(&c->rlock[i], actor, deadline);
    if (c->plain == i)
        return mpr_lock_acquire(&c->lock[i], actor, deadline);
    return mpr_lock_hold(&c->lock[i], actor, deadline);
}

static void give(struct cycle *c, int i, uint32_t actor)
{
    if (c->recursive)
        assert(mpr_rlock_release(&c->rlock[i], actor) == 0);
    else
        assert(mpr_lock_release(&c->lock[i], actor) == 0);
}

static int member(void *arg)
{
    struct cycle *c = arg;
    uint32_t actor = new_actor();
    int next = (c->index + 1) % c->size, r;
    int64_t deadline = c->impatient == c->index ? mpr_after(6) : MPR_FOREVER;

    assert(AGAIN(take(c, c->index, actor, soon())) == 0);
    mpri_add_seq(&c->shared->owning, 1);
    while (mpri_load_seq(&c->shared->owning) < (uint32_t)c->size)
        usleep(1000);
    for (;;) {
        const char *text;

        r = take(c, next, actor, deadline);
        if (r != -EINTR)
            break;
        text = mpr_warning();
        if (text) {
            snprintf(c->shared->text, sizeof c->shared->text, "%s", text);
            mpri_add_seq(&c->shared->warned, 1);
            assert(!mpr_warning());
        }
    }
    if (r == -EDEADLK) {
        snprintf(c->shared->text, sizeof c->shared->text, "%s", mpr_deadlock());
        mpri_add_seq(&c->shared->raised, 1);
    } else if (r == 0 || r == -EOWNERDEAD) {
        give(c, next, actor);
    } else {
        assert(r == -ETIMEDOUT && c->impatient == c->index);
    }
    if (c->plain != c->index) /* released by somebody else */
        give(c, c->index, actor);
    mpri_add_seq(&c->shared->done, 1);
    return 0;
}

static void make(struct cycle *c, int size)
{
    static const char *const names[] = {"db", "log", NULL};

    memset(c, 0, sizeof *c);
    c->size = size;
    c->plain = c->impatient = -1;
    c->shared = shared(&c->memory, sizeof *c->shared);
    for (int i = 0; i < size; i++) {
        assert(mpr_lock_create(&c->lock[i], names[i]) == 0);
        assert(mpr_rlock_create(&c->rlock[i], names[i]) == 0);
    }
}

static void run(struct cycle *c, mpr_process *p)
{
    static const char *const names[] = {"one", "two", "three"};

    for (c->index = 0; c->index < c->size; c->index++) {
        struct mpr_process_options o = {.name = names[c->index]};

        if (mpr_process_fork(&p[c->index], &o) == MPR_IN_CHILD)
            mpr_process_exit(&p[c->index], member(c));
    }
}

static void unmake(struct cycle *c)
{
    for (int i = 0; i < c->size; i++) {
        mpr_handle_close(&c->lock[i].h);
        mpr_handle_close(&c->rlock[i].h);
    }
    mpr_handle_close(&c->memory);
}

static void certain(int size, bool recursive)
{
    struct cycle c;
    mpr_process p[MOST];
    int64_t begun = mpr_now();

    make(&c, size);
    c.recursive = recursive;
    run(&c, p);
    while (mpri_load_seq(&c.shared->done) < (uint32_t)size) {
        assert(mpr_now() - begun < 20000000000LL);
        usleep(1000);
    }
    for (int i = 0; i < size; i++)
        assert(finish(&p[i]) == 0);
    assert(mpr_now() - begun > 1000000000LL);
    assert(mpri_load_seq(&c.shared->raised) == 1);
    assert(mpri_load_seq(&c.shared->warned) == 0);
    printf("%s\n", c.shared->text);
    assert(!strncmp(c.shared->text, "deadlock: ", 10));
    if (size == 2) {
        assert(strstr(c.shared->text, "one holds 'db' and waits for 'log'"));
        assert(strstr(c.shared->text, "two holds 'log' and waits for 'db'"));
    } else {
        assert(strstr(c.shared->text, "and waits for Lock 0x"));
    }
    unmake(&c);
}

/* Not certain: one of them gives up some day, or somebody may release. */
static void likely(bool timeout)
{
    struct cycle c;
    mpr_process p[MOST];

    make(&c, 2);
    if (timeout)
        c.impatient = 0;
    else
        c.plain = 1;
    run(&c, p);
    while (mpri_load_seq(&c.shared->warned) == 0)
        usleep(1000);
    if (!timeout) {
        usleep(2500000); /* longer than it takes to see it once more */
        assert(mpri_load_seq(&c.shared->done) == 0);
        assert(mpr_lock_release(&c.lock[1], new_actor()) == 0);
    }
    for (int i = 0; i < 2; i++)
        assert(finish(&p[i]) == 0);
    printf("%s\n", c.shared->text);
    assert(mpri_load_seq(&c.shared->warned) == 1);
    assert(mpri_load_seq(&c.shared->raised) == 0);
    assert(!strncmp(c.shared->text, "possible deadlock: ", 19));
    unmake(&c);
}

/* What the dead wait for holds nobody up. */
static void dead_member(void)
{
    struct cycle c;
    mpr_process p[MOST];

    make(&c, 3);
    run(&c, p);
    while (mpri_load_seq(&c.shared->owning) < 3)
        usleep(1000);
    usleep(300000);
    kill_now(&p[2]);
    assert(finish(&p[2]) == -SIGKILL);
    for (int i = 0; i < 2; i++)
        assert(finish(&p[i]) == 0);
    assert(mpri_load_seq(&c.shared->raised) == 0);
    assert(mpri_load_seq(&c.shared->done) == 2);
    unmake(&c);
}

/* An actor that waits for itself, and one that waits for a thread of its own
 * process that is awake. */
static void alone(void)
{
    uint32_t actor = new_actor(), other = new_actor();
    int64_t deadline;
    mpr_lock l;

    assert(mpr_lock_create(&l, "mine") == 0);
    assert(AGAIN(mpr_lock_hold(&l, actor, soon())) == 0);
    assert(AGAIN(mpr_lock_hold(&l, actor, MPR_FOREVER)) == -EDEADLK);
    assert(!strcmp(mpr_deadlock(), "deadlock: MainProcess holds 'mine' and "
                                   "waits for 'mine'"));
    deadline = mpr_after(2.5);
    assert(AGAIN(mpr_lock_hold(&l, other, deadline)) == -ETIMEDOUT);
    assert(!mpr_warning());
    assert(mpr_lock_drop(&l, actor) == 0);
    mpr_handle_close(&l.h);
}

int main(void)
{
    nothing_left(false);
    certain(2, true);
    certain(3, false);
    likely(true);
    likely(false);
    dead_member();
    alone();
    nothing_left(true);
    return 0;
}
