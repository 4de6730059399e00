/* Floor of the rows `sync`: one word that is taken and released; one word
 * that is waited for, awake and asleep. */

#include <pthread.h>

#include "floor.h"

static struct shared {
    alignas(64) _Atomic uint32_t word;
    alignas(64) _Atomic uint32_t answer;
    alignas(64) uint64_t value;
    alignas(64) double woken_at;
    pthread_mutex_t mutex;
} * shared;

static void shared_init(void)
{
    pthread_mutexattr_t attributes;
    shared = floor_shared(sizeof *shared);
    FLOOR_CHECK(pthread_mutexattr_init(&attributes) == 0);
    FLOOR_CHECK(
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    FLOOR_CHECK(pthread_mutex_init(&shared->mutex, &attributes) == 0);
}

/* --- Locks ---------------------------------------------------------------- */

static double lock_pairs(void)
{
    const int count = 1000000;
    double start = floor_now();
    for (int i = 0; i < count; i++) {
        pthread_mutex_lock(&shared->mutex);
        pthread_mutex_unlock(&shared->mutex);
    }
    return (floor_now() - start) / count;
}

static double measure_lock(void)
{
    shared_init();
    return floor_best(5, lock_pairs);
}

static const uint64_t contended_count = 2000000; /* per process */

static void add_ones(int index)
{
    floor_pin(index);
    for (uint64_t i = 0; i < contended_count; i++) {
        pthread_mutex_lock(&shared->mutex);
        shared->value++;
        pthread_mutex_unlock(&shared->mutex);
    }
}

static double measure_contended(void)
{
    shared_init();
    double seconds = floor_team(2, add_ones);
    FLOOR_CHECK(shared->value == 2 * contended_count);
    return (double)(2 * contended_count) / seconds;
}

/* --- Waiting awake -------------------------------------------------------- */

static const uint32_t turns = 1000000;

static void take_turns(int index)
{
    _Atomic uint32_t *mine = index == 0 ? &shared->word : &shared->answer;
    _Atomic uint32_t *other = index == 0 ? &shared->answer : &shared->word;
    floor_pin(index);
    for (uint32_t i = 1; i <= turns; i++) {
        if (index == 0)
            atomic_store_explicit(mine, i, memory_order_release);
        while (atomic_load_explicit(other, memory_order_acquire) != i)
            floor_pause();
        if (index == 1)
            atomic_store_explicit(mine, i, memory_order_release);
    }
}

static double round_trip(void)
{
    shared_init();
    return floor_team(2, take_turns) / turns;
}

static double half_a_round_trip(void)
{
    return round_trip() / 2;
}

/* Both must arrive before both go on: a round trip at the most. */
static void meet(int index)
{
    _Atomic uint32_t *mine = index == 0 ? &shared->word : &shared->answer;
    _Atomic uint32_t *other = index == 0 ? &shared->answer : &shared->word;
    floor_pin(index);
    for (uint32_t i = 1; i <= turns; i++) {
        atomic_store_explicit(mine, i, memory_order_release);
        while (atomic_load_explicit(other, memory_order_acquire) < i)
            floor_pause();
    }
}

static double measure_barrier_awake(void)
{
    shared_init();
    return turns / floor_team(2, meet);
}

/* --- Waiting asleep ------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds from a store and a wake to the return of the one that slept. */
static double measure_wake(void)
{
    enum { COUNT = 50 };
    const struct timespec idle = {.tv_nsec = 2000000};
    double costs[COUNT];

    shared_init();
    if (floor_fork()) {
        floor_pin(1);
        for (uint32_t i = 0; i < COUNT; i++) {
            while (atomic_load(&shared->word) == i)
                floor_sleep(&shared->word, i);
            shared->woken_at = floor_now();
            atomic_store(&shared->answer, i + 1);
        }
        _exit(0);
    }
    floor_pin(0);
    for (uint32_t i = 0; i < COUNT; i++) {
        nanosleep(&idle, NULL);
        double start = floor_now();
        atomic_store(&shared->word, i + 1);
        floor_wake(&shared->word, 1);
        while (atomic_load(&shared->answer) != i + 1)
            sched_yield();
        costs[i] = shared->woken_at - start;
    }
    floor_join();
    qsort(costs, COUNT, sizeof *costs, by_value);
    return costs[COUNT / 2];
}

static double measure_wakes_per_second(void)
{
    return 1 / measure_wake();
}

/* Both on one core: half of a round trip through the kernel. */
static double measure_event_one_core(void)
{
    const uint32_t count = 20000;
    shared_init();
    floor_pin(0);
    if (floor_fork()) {
        for (uint32_t i = 0; i < count; i++) {
            while (atomic_load(&shared->word) == i)
                floor_sleep(&shared->word, i);
            atomic_store(&shared->answer, i + 1);
            floor_wake(&shared->answer, 1);
        }
        _exit(0);
    }
    double start = floor_now();
    for (uint32_t i = 0; i < count; i++) {
        atomic_store(&shared->word, i + 1);
        floor_wake(&shared->word, 1);
        while (atomic_load(&shared->answer) == i)
            floor_sleep(&shared->answer, i);
    }
    double seconds = floor_now() - start;
    floor_join();
    return seconds / (2 * count);
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"lock", measure_lock},
        {"guard", measure_lock},
        {"contended", measure_contended},
        {"condition_awake", round_trip},
        {"condition_asleep", measure_wake},
        {"event_awake", half_a_round_trip},
        {"event_asleep", measure_wake},
        {"event_one_core", measure_event_one_core},
        {"barrier_awake", measure_barrier_awake},
        {"barrier_asleep", measure_wakes_per_second},
        {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
