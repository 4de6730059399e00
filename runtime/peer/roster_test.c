/* Who lives, however a process ends or hides; and whose slot it is. */

#include "peer/roster.h"

#include "base/test.h"
#include "os/os.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

/* What a child says to its parent; zeroed for each child. */
static struct {
    mpri_a32 stage;
    mpri_a32 result;
    mpri_a32 slot;
    mpri_a32 late;
} * told;

static void await_stage(uint32_t stage)
{
    for (int i = 0; mpri_load_acq(&told->stage) < stage; i++) {
        CHECK(i < 20000);
        usleep(1000);
    }
}

static void reach(uint32_t stage)
{
    mpri_store_rel(&told->stage, stage);
}

static void dead_soon(uint32_t slot)
{
    for (int i = 0; mpri_peer_alive(slot); i++) {
        CHECK(i < 20000);
        usleep(1000);
    }
}

static uint32_t take(const char *name)
{
    uint32_t slot;

    CHECK_IS(mpri_roster_take(name, &slot), 0);
    return slot;
}

/* Sees the slot's process over, and frees the slot. */
static void clear(uint32_t slot)
{
    uint32_t generation, now = mpri_slot_generation(slot);

    CHECK(mpri_peer_over(slot, &generation));
    CHECK_IS(generation, now);
    CHECK(mpri_peer_still_over(slot, generation));
    mpri_roster_free(slot);
    CHECK(!mpri_peer_still_over(slot, generation));
    CHECK(mpri_slot_state(slot) == MPRI_SLOT_FREE);
    CHECK_IS(mpri_slot_generation(slot), generation + 1);
}

struct entry {
    uint32_t slot;
    void (*then)(void);
};

static void enter(void *arg)
{
    const struct entry *e = arg;

    CHECK(!mpri_self_valid());
    CHECK_IS(mpri_roster_enter(e->slot, mpri_slot_generation(e->slot)), 0);
    CHECK(mpri_self_valid());
    CHECK_IS(mpri_self_mark(), e->slot + 1);
    if (e->then)
        e->then();
    reach(1);
    for (;;)
        pause();
}

/* A child in a slot of its own, which runs then() and waits to be killed. */
static pid_t start(uint32_t *slot, void (*then)(void))
{
    struct entry e;
    pid_t pid;

    memset(told, 0, sizeof *told);
    *slot = take("child");
    CHECK(mpri_slot_state(*slot) == MPRI_SLOT_STARTING);
    CHECK(mpri_peer_alive(*slot)); /* for we live */
    e = (struct entry){*slot, then};
    pid = test_fork(enter, &e);
    await_stage(1);
    return pid;
}

static void finish(pid_t pid, uint32_t slot)
{
    CHECK(kill(pid, SIGKILL) == 0);
    dead_soon(slot);
    CHECK_IS(test_wait(pid), -SIGKILL);
    CHECK(!mpri_peer_alive(slot));
    clear(slot);
}

static void sees_life_and_death(void)
{
    uint32_t slot, generation;
    pid_t pid = start(&slot, NULL);

    CHECK(mpri_slot_state(slot) == MPRI_SLOT_LIVE);
    CHECK(mpri_peer_alive(slot));
    CHECK(!mpri_peer_over(slot, &generation));
    CHECK(mpri_peer_alive(mpri_self.slot));
    CHECK(!mpri_peer_over(mpri_self.slot, &generation));
    /* Stopped is not dead. */
    CHECK(kill(pid, SIGSTOP) == 0);
    for (int i = 0; i < 50; i++) {
        CHECK(mpri_peer_alive(slot));
        usleep(1000);
    }
    /* A zombie is, before anybody waits for it. */
    finish(pid, slot);
    CHECK(!mpri_peer_alive(slot));
    CHECK(!mpri_peer_alive(MPRI_SLOTS));
    CHECK(!mpri_peer_alive(UINT32_MAX));
}

static void lose_byte(void)
{
    char path[40];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%d", mpri_map.fd);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
}

static uint64_t byte_of(uint32_t slot)
{
    return (1ULL << 62) + slot;
}

static void lost_byte_is_no_death(void)
{
    uint32_t slot, generation;
    pid_t pid = start(&slot, lose_byte);

    CHECK_IS(mpri_byte_taken(mpri_map.fd, byte_of(slot)), 0);
    CHECK(mpri_peer_alive(slot));
    CHECK(!mpri_peer_over(slot, &generation));
    finish(pid, slot);
}

static void lose_and_renew(void)
{
    lose_byte();
    mpri_roster_renew();
}

static void lost_byte_is_taken_again(void)
{
    uint32_t slot;
    pid_t pid = start(&slot, lose_and_renew);

    CHECK_IS(mpri_byte_taken(mpri_map.fd, byte_of(slot)), 1);
    finish(pid, slot);
}

static void *stay(void *unused)
{
    reach(1);
    for (;;)
        pause();
    return unused;
}

static void leave_it_to_a_thread(void)
{
    pthread_t t;

    lose_byte();
    CHECK(pthread_create(&t, NULL, stay, NULL) == 0);
    pthread_exit(NULL);
}

/* The first thread's end makes a process look like a zombie. */
static void first_thread_may_end(void)
{
    uint32_t slot;
    pid_t pid = start(&slot, leave_it_to_a_thread);

    usleep(10000);
    CHECK_IS(mpri_byte_taken(mpri_map.fd, byte_of(slot)), 0);
    CHECK(mpri_peer_alive(slot));
    finish(pid, slot);
}

static void become_another(void)
{
    reach(1);
    execl("/bin/sleep", "sleep", "60", (char *)NULL);
    _exit(1);
}

/* Same pid, same birth, but what it held is gone. */
static void another_program_is_dead(void)
{
    uint32_t slot;
    pid_t pid = start(&slot, become_another);

    dead_soon(slot);
    CHECK(kill(pid, 0) == 0);
    clear(slot);
    CHECK(kill(pid, SIGKILL) == 0);
    test_wait(pid);
}

static void ask_without_descriptors(void *arg)
{
    uint32_t slot = *(uint32_t *)arg;

    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    CHECK(mpri_peer_alive(slot));
}

static void doubt_is_no_death(void)
{
    uint32_t slot;
    pid_t pid = start(&slot, lose_byte);

    CHECK_IS(test_wait(test_fork(ask_without_descriptors, &slot)), 0);
    finish(pid, slot);
}

static void leave(void)
{
    mpri_roster_leave();
    CHECK(!mpri_self_valid());
    CHECK(mpri_self_lost());
    CHECK_IS(mpr_open(), -ENOTRECOVERABLE);
    mpri_roster_renew(); /* has no right to the byte any more */
}

static void slot_is_free_after_leaving(void)
{
    uint32_t slot, again;
    pid_t pid = start(&slot, leave), next;

    CHECK(mpri_slot_state(slot) == MPRI_SLOT_ENDED);
    CHECK(!mpri_peer_alive(slot));
    CHECK_IS(mpri_byte_taken(mpri_map.fd, byte_of(slot)), 0);
    clear(slot);
    next = start(&again, NULL);
    CHECK_IS(again, slot);
    CHECK(mpri_peer_alive(slot));
    finish(next, again);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK_IS(test_wait(pid), -SIGKILL);
}

static void verdicts_fall_on_one_generation(void)
{
    uint32_t slot, again, old;
    pid_t pid = start(&slot, NULL);

    old = mpri_slot_generation(slot);
    finish(pid, slot);
    pid = start(&again, NULL);
    CHECK_IS(again, slot);
    CHECK_IS(mpri_slot_generation(slot), old + 1);
    mpri_roster_ended(slot, old);
    CHECK(mpri_peer_alive(slot));
    CHECK(!mpri_peer_still_over(slot, old));
    mpri_roster_ended(slot, old + 1);
    CHECK(mpri_slot_state(slot) == MPRI_SLOT_ENDED);
    CHECK(!mpri_peer_alive(slot));
    mpri_roster_ended(slot, old + 1);
    finish(pid, slot);
}

/* ---- slots whose process is not there yet --------------------------------*/

static void take_a_slot(void)
{
    mpri_store_rel(&told->slot, take("grandchild"));
}

static void hangs_on_its_creator(void)
{
    uint32_t slot, starting, generation;
    pid_t pid = start(&slot, take_a_slot);

    starting = mpri_load_acq(&told->slot);
    CHECK(mpri_slot_state(starting) == MPRI_SLOT_STARTING);
    CHECK(mpri_peer_alive(starting));
    CHECK(!mpri_peer_over(starting, &generation));
    CHECK(kill(pid, SIGKILL) == 0);
    dead_soon(slot);
    CHECK(!mpri_peer_alive(starting));
    test_wait(pid);
    /* The creator's slot may be another's by then. */
    clear(slot);
    pid = start(&slot, NULL);
    CHECK(mpri_peer_alive(slot));
    CHECK(!mpri_peer_alive(starting));
    clear(starting);
    finish(pid, slot);
}

static void sleep_before_entering(void *slot)
{
    (void)slot;
    for (;;)
        pause();
}

/* Killed before it entered: seen although its creator is alive and busy. */
static void may_die_on_its_way(void)
{
    uint32_t slot = take("child"), generation = mpri_slot_generation(slot);
    pid_t pid = test_fork(sleep_before_entering, &slot);

    mpri_roster_forked(slot, generation, pid);
    CHECK(mpri_peer_alive(slot));
    CHECK(kill(pid, SIGKILL) == 0);
    dead_soon(slot);
    test_wait(pid);
    clear(slot);
    /* The slot is another's: what is known late is not known of that one. */
    CHECK_IS(take("next"), slot);
    mpri_roster_forked(slot, generation, pid);
    CHECK_IS(mpri_slot_pid(mpri_slot(slot)), 0);
    CHECK(mpri_peer_alive(slot));
    mpri_roster_ended(slot, generation + 1);
    clear(slot);
}

static const char *point;

static void enter_late(void *unused)
{
    uint32_t slot = mpri_load_acq(&told->slot);
    uint32_t generation = mpri_slot_generation(slot);

    (void)unused;
    CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0); /* it outlives its creator */
    CHECK(mpr_testpoint_arm(point, 1, SIGSTOP) == 0);
    mpri_store_rel(&told->result,
                   (uint32_t)-mpri_roster_enter(slot, generation));
    reach(2);
    for (;;)
        pause();
}

static void make_late_child(void)
{
    take_a_slot();
    mpri_store_rel(&told->late, (uint32_t)test_fork(enter_late, NULL));
}

static void await_stop(pid_t pid)
{
    char path[40], text[200];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    for (int i = 0;; i++) {
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, text, sizeof text - 1);

        close(fd);
        CHECK(n > 0 && i < 20000);
        text[n] = '\0';
        if (strstr(text, ") T "))
            return;
        usleep(1000);
    }
}

/* A child is on its way in when its creator dies; the slot is reaped, and even
 * given to another, before it gets there. */
static void comes_too_late(void)
{
    uint32_t slot, starting, again, other;
    pid_t pid, late, next;

    point = "roster.unborn";
    pid = start(&slot, make_late_child);
    late = (pid_t)mpri_load_acq(&told->late);
    starting = mpri_load_acq(&told->slot);
    await_stop(late);
    finish(pid, slot);
    CHECK(!mpri_peer_alive(starting));
    clear(starting);
    /* The lowest free one is given first. */
    other = take("other");
    CHECK_IS(other, slot);
    next = start(&again, NULL);
    CHECK_IS(again, starting);
    memset(told, 0, sizeof *told);
    CHECK(kill(late, SIGCONT) == 0);
    await_stage(2);
    CHECK_IS(mpri_load_acq(&told->result), ESRCH);
    CHECK(mpri_peer_alive(starting));
    CHECK_IS(mpri_slot_pid(mpri_slot(starting)), next);
    CHECK(kill(late, SIGKILL) == 0);
    finish(next, again);
    mpri_roster_ended(other, mpri_slot_generation(other));
    mpri_roster_free(other);
}

/* It has the byte already: it lives, whatever becomes of its creator. */
static void comes_in_time(void)
{
    uint32_t slot, starting, generation;
    pid_t pid, late;

    point = "roster.entering";
    pid = start(&slot, make_late_child);
    late = (pid_t)mpri_load_acq(&told->late);
    starting = mpri_load_acq(&told->slot);
    await_stop(late);
    finish(pid, slot);
    CHECK(mpri_slot_state(starting) == MPRI_SLOT_STARTING);
    CHECK(mpri_peer_alive(starting));
    CHECK(!mpri_peer_over(starting, &generation));
    CHECK(kill(late, SIGCONT) == 0);
    await_stage(2);
    CHECK_IS(mpri_load_acq(&told->result), 0);
    CHECK(mpri_peer_alive(starting));
    CHECK(kill(late, SIGKILL) == 0);
    dead_soon(starting);
    clear(starting);
}

static void strangers_are_refused(void *unused)
{
    (void)unused;
    CHECK(!mpri_self_valid());
    CHECK(mpri_self_lost());
    CHECK_IS(mpr_open(), -ENOTRECOVERABLE);
    CHECK(!mpr_is_member());
    CHECK_IS(mpri_roster_enter(mpri_self.slot, mpri_self.generation), -ESRCH);
}

static void a_foreign_fork_is_no_member(void)
{
    CHECK_IS(test_wait(test_fork(strangers_are_refused, NULL)), 0);
    CHECK(mpri_self_valid());
}

static void slots_run_out(void)
{
    uint32_t slot, end = mpri_roster_end();

    for (uint32_t i = 0; i < MPRI_SLOTS; i++)
        if (i >= end || mpri_slot_state(i) == MPRI_SLOT_FREE)
            CHECK_IS(take("one of many"), i);
    CHECK_IS(mpri_roster_end(), MPRI_SLOTS);
    CHECK_IS(mpri_roster_take("too many", &slot), -EUSERS);
    CHECK(!strcmp(mpr_err_word(-EUSERS), "too many processes"));
    mpri_roster_ended(100, mpri_slot_generation(100));
    mpri_roster_free(100);
    CHECK_IS(take("in between, with a name that is far too long for its place"),
             100);
    CHECK_IS(strlen(mpri_slot(100)->name), MPRI_PEER_NAME - 1);
    for (uint32_t i = 0; i < MPRI_SLOTS; i++) {
        uint32_t generation;

        if (i == mpri_self.slot || mpri_peer_over(i, &generation))
            continue;
        mpri_roster_ended(i, mpri_slot_generation(i));
        mpri_roster_free(i);
    }
}

static void *open_there(void *unused)
{
    CHECK_IS(mpr_open(), 0);
    CHECK_IS(mpri_self_mark(), 1);
    CHECK_IS(mpri_self.slot, 0);
    CHECK(mpri_map.base != NULL);
    return unused;
}

static void opened_by_several_threads(void)
{
    pthread_t t[4];

    CHECK(!mpri_self_valid() && !mpri_self_lost());
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&t[i], NULL, open_there, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

int main(void)
{
    test_begin(60);
    RUN(opened_by_several_threads);
    told = test_shared(4096);
    if (TEST_FORKS) {
        RUN(sees_life_and_death);
        RUN(lost_byte_is_no_death);
        RUN(lost_byte_is_taken_again);
        RUN(first_thread_may_end);
        RUN(another_program_is_dead);
        RUN(doubt_is_no_death);
        RUN(slot_is_free_after_leaving);
        RUN(verdicts_fall_on_one_generation);
        RUN(hangs_on_its_creator);
        RUN(may_die_on_its_way);
        RUN(comes_too_late);
        RUN(comes_in_time);
        RUN(a_foreign_fork_is_no_member);
    }
    RUN(slots_run_out);
    return 0;
}
