/* Floor of the rows `value`: a number in shared memory, a copy of 8 MB. */

#include <pthread.h>

#include "floor.h"

static struct shared {
    pthread_mutex_t mutex;
    uint64_t value;
    _Atomic uint64_t atomic;
} * shared;

static const uint64_t count = 100000;
static const int times = 30;

static double lock_and_add(void)
{
    double start = floor_now();
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&shared->mutex);
        shared->value++;
        pthread_mutex_unlock(&shared->mutex);
    }
    return floor_now() - start;
}

static double measure_locked_increment(void)
{
    pthread_mutexattr_t attributes;
    shared = floor_shared(sizeof *shared);
    FLOOR_CHECK(pthread_mutexattr_init(&attributes) == 0);
    FLOOR_CHECK(
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    FLOOR_CHECK(pthread_mutex_init(&shared->mutex, &attributes) == 0);
    double seconds = floor_best(times, lock_and_add);
    FLOOR_CHECK(shared->value == (uint64_t)times * count);
    return (double)count / seconds;
}

static double add(void)
{
    double start = floor_now();
    for (uint64_t i = 0; i < count; i++)
        atomic_fetch_add(&shared->atomic, 1);
    return floor_now() - start;
}

static double measure_atomic_add(void)
{
    shared = floor_shared(sizeof *shared);
    double seconds = floor_best(times, add);
    FLOOR_CHECK(shared->atomic == (uint64_t)times * count);
    return (double)count / seconds;
}

static const size_t bytes = 8000000;
static char *source, *target;

static double copy(void)
{
    double start = floor_now();
    memcpy(target, source, bytes);
    double seconds = floor_now() - start;
    FLOOR_CHECK(target[bytes - 1] == 1);
    return seconds;
}

static double measure_copy(void)
{
    source = floor_shared(bytes);
    target = malloc(bytes);
    FLOOR_CHECK(target != NULL);
    memset(source, 1, bytes);
    return (double)bytes / floor_best(10, copy);
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"locked_increment", measure_locked_increment},
        {"atomic_add", measure_atomic_add},
        {"array_to_string", measure_copy},
        {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
