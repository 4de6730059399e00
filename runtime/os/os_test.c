/* What the rest of the runtime relies on the operating system for. */

#include "os/os.h"

#include "base/test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static void tells_about_processes(void)
{
    struct mpri_pid_facts facts;
    uint64_t now = mpri_boot_ns();
    pid_t pid;

    CHECK_IS(mpri_pid_look(getpid(), &facts), 0);
    CHECK(facts.born_ns <= now && facts.born_ns + 3600000000000ULL > now);
    CHECK(facts.mapped > 1 << 20);
    CHECK_IS(mpri_pid_look(0x7ffffff, &facts), -ESRCH);

    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    CHECK_IS(mpri_pid_look(pid, &facts), 0);
    CHECK(facts.born_ns + 20000000 >= now);
    CHECK(facts.born_ns <= mpri_boot_ns() + 20000000);
    CHECK(kill(pid, SIGKILL) == 0);
    /* A zombie is over, long before somebody waits for it. */
    for (int i = 0; mpri_pid_look(pid, &facts) != -ESRCH; i++) {
        CHECK(i < 10000);
        usleep(1000);
    }
    CHECK(kill(pid, 0) == 0);
    test_wait(pid);
    CHECK_IS(mpri_pid_look(pid, &facts), -ESRCH);
}

/* The name stands in the text that is read, and may hold anything. */
static void reads_past_any_name(void)
{
    static const char *const names[] = {") Z 1 (", "a b) (c", ")", "Z"};
    struct mpri_pid_facts before, facts;
    char own[16];

    CHECK(prctl(PR_GET_NAME, own) == 0);
    CHECK_IS(mpri_pid_look(getpid(), &before), 0);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(prctl(PR_SET_NAME, names[i]) == 0);
        CHECK_IS(mpri_pid_look(getpid(), &facts), 0);
        CHECK(facts.born_ns == before.born_ns);
        CHECK(mpri_thread_count() >= 1 && mpri_thread_count() < 4);
    }
    CHECK(prctl(PR_SET_NAME, own) == 0);
}

static void without_descriptors(void *arg)
{
    pid_t *pid = arg;
    struct mpri_pid_facts facts;

    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    CHECK_IS(errno, EMFILE);
    CHECK_IS(mpri_pid_look(*pid, &facts), -EMFILE);
    CHECK_IS(mpri_pid_look(0x7ffffff, &facts), -ESRCH);
    CHECK_IS(mpri_thread_count(), 1);
}

/* "Cannot tell" is not "dead". */
static void knows_what_it_does_not_know(void)
{
    pid_t pid = getpid();

    if (TEST_FORKS)
        CHECK_IS(test_wait(test_fork(without_descriptors, &pid)), 0);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_there(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return NULL;
}

static void counts_threads(void)
{
    pthread_t t[3];
    int before;

    /* With the first one, a sanitizer starts one of its own. */
    CHECK(pthread_create(&t[0], NULL, wait_there, NULL) == 0);
    CHECK(pthread_join(t[0], NULL) == 0);
    before = mpri_thread_count();
    CHECK(before >= 1);
    CHECK(mpri_single_threaded() == (before == 1));
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, wait_there, NULL) == 0);
    CHECK_IS(mpri_thread_count(), before + 3);
    CHECK(!mpri_single_threaded());
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

static void one_cpu(void *unused)
{
    cpu_set_t set;

    (void)unused;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    for (size_t cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set) && seen++)
            CPU_CLR(cpu, &set);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
    CHECK_IS(mpri_cpu_count(false), 1);
}

static void counts_cpus(void)
{
    CHECK(mpri_cpu_count(false) >= 1);
    CHECK(mpri_cpu_count(true) >= mpri_cpu_count(false));
    if (TEST_FORKS)
        CHECK_IS(test_wait(test_fork(one_cpu, NULL)), 0);
}

static void knows_what_memory_is_left(void)
{
    uint64_t all =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    CHECK(mpri_memory_left() > 1 << 20);
    CHECK(mpri_memory_left() < 64 * all);
}

/* ---- sleeping ------------------------------------------------------------*/

static mpri_a32 *word;

static void sleeper(void *unused)
{
    (void)unused;
    for (;;) {
        int r = mpri_futex_wait(word, 0, mpri_now_ns() + 20000000000LL);

        if (r == -EAGAIN)
            return;
        CHECK_IS(r, 0);
    }
}

static void on_signal(int signo)
{
    (void)signo;
}

static void sleeps_on_a_word(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    int64_t begun = mpri_now_ns();
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL,
        .sigev_signo = SIGUSR1,
    };
    struct itimerspec soon = {.it_value = {0, 2000000},
                              .it_interval = {0, 2000000}};
    timer_t timer;

    word = test_shared(4096);
    CHECK_IS(mpri_futex_wait(word, 1, INT64_MAX), -EAGAIN);
    CHECK_IS(mpri_futex_wait(word, 0, 0), -ETIMEDOUT);
    CHECK_IS(mpri_futex_wait(word, 0, -5), -ETIMEDOUT);
    CHECK_IS(mpri_futex_wait(word, 0, begun + 3000000), -ETIMEDOUT);
    CHECK(mpri_now_ns() >= begun + 3000000);
    CHECK_IS(mpri_futex_wake(word, 1), 0);

    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
    CHECK_IS(mpri_futex_wait(word, 0, INT64_MAX), -EINTR);
    CHECK(timer_delete(timer) == 0);

    if (TEST_FORKS) {
        pid_t pid[3];
        int woke = 0;

        for (int i = 0; i < 3; i++)
            pid[i] = test_fork(sleeper, NULL);
        errno = 77;
        for (int i = 0; woke < 2; i++) {
            int n = mpri_futex_wake(word, 2);

            CHECK(n <= 2 && i < 10000);
            woke += n;
            usleep(1000);
        }
        CHECK_IS(errno, 77);
        mpri_store_seq(word, 1);
        for (int i = 0; i < 3; i++) {
            mpri_futex_wake(word, UINT32_MAX);
            CHECK_IS(test_wait(pid[i]), 0);
        }
    }
}

/* ---- descriptors and bytes -----------------------------------------------*/

static void bells_ring_by_the_edge(void)
{
    int bell = mpri_bell_create();
    struct pollfd p = {.fd = bell, .events = POLLIN};

    CHECK(bell >= 30);
    CHECK(fcntl(bell, F_GETFD) & FD_CLOEXEC);
    CHECK_IS(poll(&p, 1, 0), 0);
    errno = 77;
    mpri_bell_ring(bell);
    mpri_bell_ring(bell);
    CHECK_IS(errno, 77);
    CHECK_IS(poll(&p, 1, 0), 1);
    CHECK(mpri_fd_keep_on_exec(bell, true) == 0);
    CHECK(!(fcntl(bell, F_GETFD) & FD_CLOEXEC));
    close(bell);
    CHECK_IS(mpri_fd_keep_on_exec(bell, true), -EBADF);
    errno = EMFILE;
    CHECK_IS(mpri_fd_raise(-1), -EMFILE);
}

static int file;

static void take_byte(void *place)
{
    int *ready = place;

    CHECK_IS(mpri_byte_taken(file, 5), 0);
    CHECK_IS(mpri_byte_take(file, 5), 0);
    CHECK_IS(mpri_byte_take(file, 5), 0);
    CHECK_IS(mpri_byte_taken(file, 5), 0); /* one's own is never seen */
    __atomic_store_n(ready, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void bytes_are_dropped_at_death(void)
{
    int *ready = test_shared(4096);
    pid_t pid;

    if (!TEST_FORKS)
        return;
    file = mpri_shm_create(1 << 20);
    CHECK(file >= 0);
    pid = test_fork(take_byte, ready);
    while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
        usleep(1000);
    CHECK_IS(mpri_byte_taken(file, 5), 1);
    CHECK_IS(mpri_byte_taken(file, 4), 0);
    CHECK_IS(mpri_byte_taken(file, 6), 0);
    CHECK_IS(mpri_byte_take(file, 5), -EAGAIN);
    CHECK(kill(pid, SIGKILL) == 0);
    for (int i = 0; mpri_byte_taken(file, 5); i++) {
        CHECK(i < 10000);
        usleep(1000);
    }
    test_wait(pid);
    CHECK_IS(mpri_byte_take(file, 5), 0);
    CHECK_IS(mpri_byte_give(file, 5), 0);
    close(file);
    CHECK_IS(mpri_byte_taken(file, 5), -EBADF);
}

static void wiped(void *page)
{
    CHECK_IS(*(int *)page, 0);
    *(int *)page = 6;
}

static void wipes_a_page_at_fork(void)
{
    void *page;

    CHECK_IS(mpri_wipe_page(&page), 0);
    *(int *)page = 5;
    if (TEST_FORKS)
        CHECK_IS(test_wait(test_fork(wiped, page)), 0);
    CHECK_IS(*(int *)page, 5);
}

/* Whether the kernel has MADV_POPULATE_WRITE. */
static int populates(void *page)
{
    return madvise(page, 4096, 23) == 0;
}

static void readies_private_pages(void)
{
    static const uint64_t sizes[] = {1,       4095,          8192,
                                     1 << 20, (2 << 20) + 1, 33 << 20};
    enum { MOST = 40 << 20, FROM = 4096 + 100 };
    uint8_t *p = mmap(NULL, MOST, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t size = sizes[i];
        unsigned char in[2] = {0};

        CHECK(madvise(p, MOST, MADV_DONTNEED) == 0);
        p[FROM] = 1;
        p[FROM + size - 1] = 1;
        mpri_private_pages_ready(p + FROM, size);
        CHECK(p[FROM] == 1 && p[FROM + size - 1] == 1);
        if (size < 8192 || !populates(p))
            continue;
        /* The first whole page, and the one in the middle. */
        CHECK(mincore(p + 8192, 4096, in) == 0);
        CHECK(mincore(p + 8192 + (size / 2 & ~4095UL), 4096, in + 1) == 0);
        CHECK((in[0] & 1) && (size < 1 << 20 || (in[1] & 1)));
    }
    munmap(p, MOST);
}

static void is_random(void)
{
    uint64_t a[2] = {0}, b[2] = {0};

    CHECK_IS(mpri_random(a, sizeof a), 0);
    CHECK_IS(mpri_random(b, sizeof b), 0);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

int main(void)
{
    test_begin(60);
    RUN(tells_about_processes);
    RUN(reads_past_any_name);
    RUN(knows_what_it_does_not_know);
    RUN(counts_threads);
    RUN(counts_cpus);
    RUN(knows_what_memory_is_left);
    RUN(sleeps_on_a_word);
    RUN(bells_ring_by_the_edge);
    RUN(bytes_are_dropped_at_death);
    RUN(wipes_a_page_at_fork);
    RUN(readies_private_pages);
    RUN(is_random);
    return 0;
}
