/* How large the segment becomes, and what lies where in it. */

#include "mem/segment.h"

#include "base/test.h"
#include "mem/arena.h"
#include "os/os.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static const uint64_t MIB = 1 << 20;

static void lays_out_any_size(void)
{
    for (unsigned i = 0; i < test_rounds(500); i++) {
        uint64_t size = 16 * MIB + test_below((1 + i % 20) * 64 * MIB);
        const struct mpri_segment *s;

        CHECK_IS(mpri_segment_create(size), 0);
        s = mpri_segment();
        CHECK(s->size == mpri_map.size && s->size <= size);
        CHECK(s->size > size - MPRI_PAGE);
        CHECK(s->data_off % (32 * MPRI_PAGE) == 0);
        CHECK(MPRI_AT_TABLE + s->pages * 16 <= s->data_off);
        CHECK(s->data_off + s->pages * MPRI_PAGE <= s->size);
        /* Little is lost. */
        CHECK((s->pages + 40) * (MPRI_PAGE + 16) >= s->size - MPRI_AT_TABLE);
        mpri_segment_close();
    }
}

static void reads_mp_arena(void)
{
    static const struct {
        const char *text;
        uint64_t least, most;
    } cases[] = {
        {"16M", 16 << 20, 16 << 20},
        {"33554432", 32 << 20, 32 << 20},
        {"65536k", 64 << 20, 64 << 20},
        {"1g", 1 << 30, 1 << 30},
        {"", 64ULL << 20, 64ULL << 30},
        {"many", 64ULL << 20, 64ULL << 30},
        {"0", 64ULL << 20, 64ULL << 30},
        /* As much as can be had. */
        {"99999999999999G", 64ULL << 20, 1ULL << 40},
        {"-1", 64ULL << 20, 1ULL << 40},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("MP_ARENA", cases[i].text, 1);
        CHECK_IS(mpri_segment_create(0), 0);
        CHECK(mpri_map.size >= cases[i].least);
        CHECK(mpri_map.size <= cases[i].most);
        mpri_segment_close();
    }
    setenv("MP_ARENA", "15M", 1);
    CHECK_IS(mpri_segment_create(0), -ENOMEM);
    CHECK(!mpri_map.base);
    unsetenv("MP_ARENA");
}

static void limit(int resource, uint64_t bytes)
{
    struct rlimit r = {.rlim_cur = bytes, .rlim_max = bytes};

    CHECK(setrlimit(resource, &r) == 0);
}

static void small_file(void *mib)
{
    /* Going beyond it would not fail but end the process by SIGXFSZ. */
    limit(RLIMIT_FSIZE, *(uint64_t *)mib * MIB);
    if (*(uint64_t *)mib < 16) {
        CHECK_IS(mpri_segment_create(0), -EFBIG);
        return;
    }
    CHECK_IS(mpri_segment_create(0), 0);
    CHECK(mpri_map.size == *(uint64_t *)mib * MIB);
    /* Nor does backing the last page. */
    CHECK_IS(mpri_shm_back(mpri_map.fd, mpri_map.size - MPRI_PAGE, MPRI_PAGE),
             0);
}

static void small_space(void *mib)
{
    limit(RLIMIT_AS, *(uint64_t *)mib * MIB);
    if (*(uint64_t *)mib < 32) {
        CHECK_IS(mpri_segment_create(0), -ENOMEM);
        return;
    }
    CHECK_IS(mpri_segment_create(0), 0);
    CHECK(mpri_map.size <= *(uint64_t *)mib * MIB / 2);
    CHECK(mpri_map.size >= *(uint64_t *)mib * MIB / 4);
}

static void keeps_to_limits(void)
{
    static const uint64_t files[] = {1, 15, 16, 100, 5000};
    static const uint64_t spaces[] = {20, 256, 4096, 100000};

    if (!TEST_FORKS)
        return;
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        uint64_t mib = files[i];

        CHECK_IS(test_wait(test_fork(small_file, &mib)), 0);
    }
    for (unsigned i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        uint64_t mib = spaces[i];

        /* A sanitizer's own mappings exceed any limit. */
        if (TEST_SANITIZED)
            break;
        CHECK_IS(test_wait(test_fork(small_space, &mib)), 0);
    }
}

static void cannot_shrink_or_grow(void)
{
    CHECK_IS(mpri_segment_create(16 * MIB), 0);
    CHECK(ftruncate(mpri_map.fd, (off_t)MIB) < 0);
    CHECK(ftruncate(mpri_map.fd, (off_t)(32 * MIB)) < 0);
    mpri_segment_close();
}

static void is_adopted_elsewhere(void)
{
    struct mpri_map first, second;
    int fd;

    CHECK_IS(mpri_segment_create(16 * MIB), 0);
    mpri_arena_init();
    first = mpri_map;
    fd = dup(first.fd);
    CHECK_IS(mpri_segment_adopt(fd), 0);
    second = mpri_map;
    CHECK(second.base != first.base && second.size == first.size);
    first.base[MPRI_AT_GUARD] = 42;
    CHECK(second.base[MPRI_AT_GUARD] == 42);
    mpri_segment_close();

    /* Of another build, or no segment at all. */
    ((struct mpri_segment *)(void *)first.base)->build++;
    fd = dup(first.fd);
    CHECK_IS(mpri_segment_adopt(fd), -EPROTO);
    mpri_map = first;
    mpri_segment_close();
    CHECK_IS(mpri_segment_adopt(fd), -EPROTO);
    close(fd);
    fd = memfd_create("other", MFD_CLOEXEC);
    CHECK_IS(mpri_segment_adopt(fd), -EPROTO);
    CHECK(ftruncate(fd, (off_t)(20 * MIB)) == 0);
    CHECK_IS(mpri_segment_adopt(fd), -EPROTO);
    close(fd);
    CHECK(mpri_segment_adopt(-1) < 0);
}

static volatile sig_atomic_t ticks;

static void tick(int signo)
{
    (void)signo;
    ticks = ticks + 1;
}

/* A host may have a timer that fires all the time: backing gets on anyway. */
static void backs_under_signals(void)
{
    struct sigaction act = {.sa_handler = tick};
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL,
        .sigev_signo = SIGUSR1,
    };
    struct itimerspec often = {{0, 500000}, {0, 500000}};
    struct stat st;
    timer_t timer;

    CHECK_IS(mpri_segment_create(512 * MIB), 0);
    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    CHECK_IS(mpri_shm_back(mpri_map.fd, 128 * MIB, 256 * MIB), 0);
    CHECK(timer_delete(timer) == 0);
    CHECK(fstat(mpri_map.fd, &st) == 0);
    CHECK((uint64_t)st.st_blocks * 512 >= 256 * MIB);
    printf(" (%d signals)", (int)ticks);
    mpri_segment_close();
}

static void gives_memory_back(void)
{
    struct stat st;

    CHECK_IS(mpri_segment_create(64 * MIB), 0);
    CHECK_IS(mpri_shm_back(mpri_map.fd, 16 * MIB, 32 * MIB), 0);
    mpri_map.base[20 * MIB] = 1;
    CHECK(fstat(mpri_map.fd, &st) == 0);
    CHECK((uint64_t)st.st_blocks * 512 > 32 * MIB);
    CHECK_IS(mpri_shm_unback(mpri_map.fd, 16 * MIB, 32 * MIB), 0);
    CHECK(fstat(mpri_map.fd, &st) == 0);
    CHECK((uint64_t)st.st_blocks * 512 < MIB);
    CHECK(mpri_map.base[20 * MIB] == 0);
    mpri_segment_close();
}

/* Soft limits may be raised again. */
static void limit_files(rlim_t size)
{
    struct rlimit r;

    CHECK(getrlimit(RLIMIT_FSIZE, &r) == 0);
    r.rlim_cur = size < r.rlim_max ? size : r.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &r) == 0);
}

static void writes_beside_the_mapping(void)
{
    enum { SIZE = (3 << 20) + 7, AT = (16 << 20) + 100 };
    char *bytes = malloc(SIZE);

    CHECK(bytes != NULL);
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(i % 251);
    CHECK_IS(mpri_segment_create(64 * MIB), 0);
    CHECK_IS(mpri_shm_back(mpri_map.fd, 16 * MIB, 4 * MIB), 0);
    mpri_map.base[AT - 1] = 5;
    CHECK_IS(mpri_shm_write(mpri_map.fd, AT, bytes, SIZE), 0);
    CHECK(memcmp(mpri_map.base + AT, bytes, SIZE) == 0);
    CHECK(mpri_map.base[AT - 1] == 5 && mpri_map.base[AT + SIZE] == 0);
    CHECK_IS(mpri_shm_write(mpri_map.fd, AT, NULL, 0), 0);
    /* A limit that came later is no signal. */
    limit_files(AT + 1);
    CHECK_IS(mpri_shm_write(mpri_map.fd, AT, "xy", 2), -EFBIG);
    CHECK_IS(mpri_shm_write(mpri_map.fd, AT, "x", 1), 0);
    limit_files(RLIM_INFINITY);
    CHECK(mpri_map.base[AT] == 'x' && mpri_map.base[AT + 1] == bytes[1]);
    mpri_segment_close();
    free(bytes);
}

int main(void)
{
    test_begin(60);
    RUN(lays_out_any_size);
    RUN(reads_mp_arena);
    RUN(keeps_to_limits);
    RUN(cannot_shrink_or_grow);
    RUN(is_adopted_elsewhere);
    RUN(backs_under_signals);
    RUN(gives_memory_back);
    RUN(writes_beside_the_mapping);
    return 0;
}
