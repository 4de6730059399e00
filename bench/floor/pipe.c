/* Floor of the rows `pipe`: a word that two processes hand to and fro. */

#include "floor.h"

struct line {
    alignas(64) _Atomic uint32_t word;
};

/* Each side writes its own word and waits for the other's. */
static struct table {
    struct line ping;
    struct line pong;
} * table;

static void spin_until(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        floor_pause();
}

static double measure_awake(void)
{
    const uint32_t rounds = 1000000;
    table = floor_shared(sizeof *table);
    if (floor_fork()) {
        floor_pin(1);
        for (uint32_t i = 1; i <= rounds; i++) {
            spin_until(&table->ping.word, i);
            atomic_store_explicit(&table->pong.word, i, memory_order_release);
        }
        _exit(0);
    }
    floor_pin(0);
    double start = 0;
    for (uint32_t i = 1; i <= rounds; i++) {
        atomic_store_explicit(&table->ping.word, i, memory_order_release);
        spin_until(&table->pong.word, i);
        if (i == rounds / 10)
            start = floor_now();
    }
    double seconds = floor_now() - start;
    floor_join();
    return seconds / (rounds - rounds / 10);
}

static void sleep_until(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t seen;
    while ((seen = atomic_load(word)) != value)
        floor_sleep(word, seen);
}

static double measure_one_core(void)
{
    const uint32_t rounds = 20000;
    table = floor_shared(sizeof *table);
    floor_pin(0);
    if (floor_fork()) {
        for (uint32_t i = 1; i <= rounds; i++) {
            sleep_until(&table->ping.word, i);
            atomic_store(&table->pong.word, i);
            floor_wake(&table->pong.word, 1);
        }
        _exit(0);
    }
    double start = 0;
    for (uint32_t i = 1; i <= rounds; i++) {
        atomic_store(&table->ping.word, i);
        floor_wake(&table->ping.word, 1);
        sleep_until(&table->pong.word, i);
        if (i == rounds / 10)
            start = floor_now();
    }
    double seconds = floor_now() - start;
    floor_join();
    return seconds / (rounds - rounds / 10);
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"awake", measure_awake},
        {"one_core", measure_one_core},
        {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
