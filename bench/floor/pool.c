/* Floor of the rows `pool`: a request and an answer between sleepers; a range
 * of numbers claimed from one counter; processes made and waited for. */

#include "floor.h"

/* --- One call in flight, both asleep between ------------------------------ */

static struct call {
    alignas(64) _Atomic uint32_t request;
    alignas(64) _Atomic uint32_t answer;
} * call;

static double measure_apply(void)
{
    const uint32_t count = 2000;
    call = floor_shared(sizeof *call);
    if (floor_fork()) {
        floor_pin(1);
        for (uint32_t i = 0; i < count; i++) {
            while (atomic_load(&call->request) == i)
                floor_sleep(&call->request, i);
            atomic_store(&call->answer, i + 1);
            floor_wake(&call->answer, 1);
        }
        _exit(0);
    }
    floor_pin(0);
    double start = floor_now();
    for (uint32_t i = 0; i < count; i++) {
        atomic_store(&call->request, i + 1);
        floor_wake(&call->request, 1);
        while (atomic_load(&call->answer) == i)
            floor_sleep(&call->answer, i);
    }
    double seconds = floor_now() - start;
    floor_join();
    return seconds / count;
}

/* --- A job in shared memory, one task per claim --------------------------- */

enum { TASKS = 1000000 };

static struct job {
    alignas(64) _Atomic uint32_t next;
    alignas(64) uint32_t results[TASKS];
} * job;

static void work(int index)
{
    uint32_t i;
    floor_pin(index);
    while ((i = atomic_fetch_add(&job->next, 1)) < TASKS)
        job->results[i] = i;
}

static double measure_message(void)
{
    job = floor_shared(sizeof *job);
    double seconds = floor_team(2, work);
    for (uint32_t i = 0; i < TASKS; i++)
        FLOOR_CHECK(job->results[i] == i);
    return TASKS / seconds;
}

/* --- Making and ending ---------------------------------------------------- */

static int workers;

static double life(void)
{
    double start = floor_now();
    for (int i = 0; i < workers; i++)
        if (floor_fork())
            _exit(0);
    for (int i = 0; i < workers; i++)
        floor_join();
    return floor_now() - start;
}

static double measure_life_2(void)
{
    workers = 2;
    return floor_best(5, life);
}

static double measure_life_8(void)
{
    workers = 8;
    return floor_best(5, life);
}

/* --- A process that does nothing ------------------------------------------ */

static double measure_memory(void)
{
    char path[64], line[256];
    long kilobytes = -1;
    int ready[2], go[2];
    FLOOR_CHECK(pipe(ready) == 0 && pipe(go) == 0);

    pid_t pid = fork();
    FLOOR_CHECK(pid >= 0);
    if (pid == 0) {
        char byte = 0;
        close(go[1]);
        _exit(write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0);
    }
    FLOOR_CHECK(read(ready[0], line, 1) == 1);
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    FLOOR_CHECK(file != NULL);
    while (fgets(line, sizeof line, file))
        sscanf(line, "Pss: %ld kB", &kilobytes);
    fclose(file);
    FLOOR_CHECK(kilobytes >= 0);
    close(go[1]);
    floor_join();
    return (double)kilobytes * 1024;
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"apply", measure_apply},   {"message", measure_message},
        {"life_2", measure_life_2}, {"life_8", measure_life_8},
        {"memory", measure_memory}, {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
