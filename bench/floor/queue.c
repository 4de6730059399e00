/* Floor of the rows `queue`: integers through a ring in shared memory, a
 * 64 MB message copied in and out. */

#include "floor.h"

enum {
    RING = 4096, /* cells, a power of two */
    SPIN = 200,
    AWAKE = 0,
};

static void check_sum(uint64_t sum, uint64_t count)
{
    FLOOR_CHECK(sum == count * (count + 1) / 2);
}

/* --- One producer, one consumer: each item is published, sleepers woken ---- */

static struct ring {
    alignas(64) _Atomic uint32_t head; /* written by the consumer */
    _Atomic uint32_t consumer;         /* AWAKE, or what it sleeps for */
    alignas(64) _Atomic uint32_t tail; /* written by the producer */
    _Atomic uint32_t producer;
    alignas(64) uint64_t cells[RING];
} * ring;

/* Waits until *word is not `seen`: spins, then sleeps. What it sleeps for is
 * said before the word is looked at again, the word is written before that is
 * looked at: one of the two sees the other. */
static uint32_t changed(_Atomic uint32_t *word, uint32_t seen,
                        _Atomic uint32_t *sleeper)
{
    uint32_t now;
    for (unsigned tries = 0; tries < SPIN; tries++) {
        now = atomic_load_explicit(word, memory_order_acquire);
        if (now != seen)
            return now;
        floor_pause();
    }
    for (;;) {
        atomic_store(sleeper, seen + 1);
        if ((now = atomic_load(word)) != seen)
            return now;
        floor_sleep(word, seen);
    }
}

/* Wakes whoever sleeps for this value or an older one. Who has seen it already
 * sleeps for the next: its mark stays. */
static void publish(_Atomic uint32_t *word, uint32_t value,
                    _Atomic uint32_t *sleeper)
{
    uint32_t marked;

    atomic_store(word, value);
    marked = atomic_load(sleeper);
    if (marked != AWAKE && marked != value + 1 &&
        atomic_compare_exchange_strong(sleeper, &marked, AWAKE))
        floor_wake(word, 1);
}

static const uint64_t one_count = 2000000;

static void produce(void)
{
    uint32_t head = 0, tail = 0;
    for (uint64_t i = 1; i <= one_count; i++) {
        if (tail - head == RING)
            head = changed(&ring->head, head, &ring->producer);
        ring->cells[tail++ % RING] = i;
        publish(&ring->tail, tail, &ring->consumer);
    }
}

static void consume(void)
{
    uint32_t head = 0, tail = 0;
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= one_count; i++) {
        if (head == tail)
            tail = changed(&ring->tail, tail, &ring->consumer);
        sum += ring->cells[head++ % RING];
        publish(&ring->head, head, &ring->producer);
    }
    check_sum(sum, one_count);
}

static void one_to_one(int index)
{
    floor_pin(index);
    if (index == 0)
        produce();
    else
        consume();
}

static double measure_one_to_one(void)
{
    ring = floor_shared(sizeof *ring);
    return (double)one_count / floor_team(2, one_to_one);
}

/* --- Four producers, four consumers: a number on each cell ---------------- */

struct cell {
    _Atomic uint32_t turn; /* position while empty, position + 1 while full */
    uint32_t value;
};

static struct many {
    alignas(64) _Atomic uint32_t head;
    alignas(64) _Atomic uint32_t tail;
    alignas(64) _Atomic uint64_t sum;
    alignas(64) struct cell cells[RING];
} * many;

static const uint32_t four_count = 500000; /* per process */

/* Claims the next position whose cell shows position + offset. */
static struct cell *claim(_Atomic uint32_t *index, uint32_t offset,
                          uint32_t *position)
{
    *position = atomic_load_explicit(index, memory_order_relaxed);
    for (;;) {
        struct cell *cell = &many->cells[*position % RING];
        uint32_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        int32_t ahead = (int32_t)(turn - *position - offset);

        if (ahead == 0) {
            if (atomic_compare_exchange_weak(index, position, *position + 1))
                return cell;
        } else {
            if (ahead < 0) /* full, or empty */
                sched_yield();
            *position = atomic_load_explicit(index, memory_order_relaxed);
        }
    }
}

static void four_to_four(int index)
{
    uint32_t position;
    uint64_t sum = 0;
    for (uint32_t i = 1; i <= four_count; i++) {
        if (index % 2 == 0) {
            struct cell *cell = claim(&many->tail, 0, &position);
            cell->value = i;
            atomic_store_explicit(&cell->turn, position + 1,
                                  memory_order_release);
        } else {
            struct cell *cell = claim(&many->head, 1, &position);
            sum += cell->value;
            atomic_store_explicit(&cell->turn, position + RING,
                                  memory_order_release);
        }
    }
    atomic_fetch_add(&many->sum, sum);
}

static double measure_four_to_four(void)
{
    many = floor_shared(sizeof *many);
    for (uint32_t i = 0; i < RING; i++)
        atomic_init(&many->cells[i].turn, i);
    double seconds = floor_team(8, four_to_four);
    FLOOR_CHECK(many->sum == 4 * ((uint64_t)four_count * (four_count + 1) / 2));
    return 4.0 * four_count / seconds;
}

/* --- 64 MB, copied in and out --------------------------------------------- */

static const size_t string_size = (size_t)64 << 20;

static struct handover {
    _Atomic uint32_t full;
} * handover;

static char *passage; /* the message while it is between the two */

static void set_full(uint32_t value)
{
    atomic_store(&handover->full, value);
    floor_wake(&handover->full, 1);
}

static void await_full(uint32_t value)
{
    while (atomic_load(&handover->full) != value)
        floor_sleep(&handover->full, !value);
}

static double pass_strings(int warm_up, int count)
{
    handover = floor_shared(sizeof *handover);
    passage = floor_shared(string_size);
    char *mine = malloc(string_size);
    FLOOR_CHECK(mine != NULL);

    if (floor_fork()) {
        memset(mine, 'x', string_size);
        set_full(1); /* made before the clock runs */
        await_full(0);
        for (int i = 0; i < warm_up + count; i++) {
            await_full(0);
            memcpy(passage, mine, string_size);
            set_full(1);
        }
        _exit(0);
    }
    await_full(1);
    double start = floor_now();
    set_full(0);
    for (int i = 0; i < warm_up + count; i++) {
        await_full(1);
        memcpy(mine, passage, string_size);
        FLOOR_CHECK(mine[string_size - 1] == 'x');
        set_full(0);
        if (i + 1 == warm_up)
            start = floor_now();
    }
    double seconds = floor_now() - start;
    floor_join();
    return (double)string_size * count / seconds;
}

static double measure_strings(void)
{
    return pass_strings(0, 1);
}

static double measure_strings_warm(void)
{
    return pass_strings(1, 4);
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"one_to_one", measure_one_to_one},
        {"four_to_four", measure_four_to_four},
        {"strings", measure_strings},
        {"strings_warm", measure_strings_warm},
        {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
