#ifndef MP_BENCH_FLOOR_H
#define MP_BENCH_FLOOR_H

/* What the floor programs share. A floor does the least the kernel and the
 * CPU allow for one row of the benchmark: no Lua, no safety against killed
 * processes, no timeouts. Each program takes the row's name and prints
 * `value N` in seconds, bytes, or per second. */

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct floor_row {
    const char *name;
    double (*measure)(void);
};

#define FLOOR_CHECK(condition)                                                 \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, \
                    strerror(errno));                                          \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static inline double floor_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void *floor_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FLOOR_CHECK(memory != MAP_FAILED);
    return memory;
}

/* Keeps the caller on one of the CPUs it may use, counted from 0. */
static inline void floor_pin(int cpu)
{
    cpu_set_t allowed, one;
    FLOOR_CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed) && cpu-- == 0)
            CPU_SET(i, &one);
    FLOOR_CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

/* True in the child. */
static inline int floor_fork(void)
{
    pid_t pid = fork();
    FLOOR_CHECK(pid >= 0);
    return pid == 0;
}

static inline void floor_join(void)
{
    int status;
    FLOOR_CHECK(wait(&status) > 0);
    FLOOR_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline void floor_sleep(_Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

static inline void floor_wake(_Atomic uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static inline void floor_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* The least of so many results. */
static inline double floor_best(int times, double (*measure)(void))
{
    double least = measure();
    while (--times > 0) {
        double next = measure();
        least = next < least ? next : least;
    }
    return least;
}

/* Starts `count` processes that call f(0), f(1), … at the same instant, and
 * returns the seconds until all have ended. */
static inline double floor_team(int count, void (*f)(int index))
{
    struct gate {
        _Atomic uint32_t ready;
        _Atomic uint32_t go;
    } *gate = floor_shared(sizeof *gate);

    for (int i = 0; i < count; i++) {
        if (floor_fork()) {
            atomic_fetch_add(&gate->ready, 1);
            while (!atomic_load(&gate->go))
                sched_yield();
            f(i);
            _exit(0);
        }
    }
    while (atomic_load(&gate->ready) < (uint32_t)count)
        sched_yield();
    double start = floor_now();
    atomic_store(&gate->go, 1);
    for (int i = 0; i < count; i++)
        floor_join();
    return floor_now() - start;
}

/* The body of main. */
static inline int floor_main(int argc, char **argv,
                             const struct floor_row *rows)
{
    for (; argc == 2 && rows->name; rows++) {
        if (strcmp(rows->name, argv[1]) == 0) {
            printf("value %.9g\n", rows->measure());
            return 0;
        }
    }
    fprintf(stderr, "usage: %s ROW\n", argv[0]);
    return 2;
}

#endif
