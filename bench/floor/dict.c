/* Floor of the rows `dict`: a table of fixed size in shared memory under one
 * spin lock, string keys, hashed at each access. */

#include "floor.h"

enum {
    KEYS = 1000,
    SLOTS = 4096, /* a power of two */
    KEY_SIZE = 16,
};

struct slot {
    uint64_t hash;
    char key[KEY_SIZE];
    uint64_t value;
};

static struct dict {
    alignas(64) _Atomic uint32_t lock;
    alignas(64) struct slot slots[SLOTS];
} * dict;

static char keys[KEYS][KEY_SIZE];

static void lock(void)
{
    while (atomic_exchange_explicit(&dict->lock, 1, memory_order_acquire))
        while (atomic_load_explicit(&dict->lock, memory_order_relaxed))
            floor_pause();
}

static void unlock(void)
{
    atomic_store_explicit(&dict->lock, 0, memory_order_release);
}

/* FNV-1a. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
    return hash | 1; /* 0 marks an empty slot */
}

static struct slot *find(const char *key, uint64_t hash)
{
    for (uint64_t i = hash >> 1;; i++) {
        struct slot *slot = &dict->slots[i % SLOTS];
        if (slot->hash == 0 ||
            (slot->hash == hash && strcmp(slot->key, key) == 0))
            return slot;
    }
}

static void set(const char *key, uint64_t value)
{
    uint64_t hash = hash_of(key);
    lock();
    struct slot *slot = find(key, hash);
    if (slot->hash == 0) {
        memcpy(slot->key, key, KEY_SIZE);
        slot->hash = hash;
    }
    slot->value = value;
    unlock();
}

static uint64_t get(const char *key)
{
    uint64_t hash = hash_of(key);
    lock();
    uint64_t value = find(key, hash)->value;
    unlock();
    return value;
}

static const int count = 500000; /* per process */

static void fill(void)
{
    dict = floor_shared(sizeof *dict);
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], KEY_SIZE, "key %d", i + 1);
        set(keys[i], (uint64_t)i + 1);
    }
}

static void read_all(int index)
{
    uint64_t sum = 0;
    floor_pin(index);
    for (int i = 0; i < count; i++)
        sum += get(keys[i % KEYS]);
    FLOOR_CHECK(sum == (uint64_t)count / KEYS * (KEYS * (KEYS + 1) / 2));
}

static void write_all(int index)
{
    floor_pin(index);
    for (int i = 0; i < count; i++)
        set(keys[i % KEYS], (uint64_t)i);
}

static double together(void (*f)(int))
{
    fill();
    return 2.0 * count / floor_team(2, f);
}

static double read_alone(void)
{
    double start = floor_now();
    read_all(0);
    return floor_now() - start;
}

static double write_alone(void)
{
    double start = floor_now();
    write_all(0);
    return floor_now() - start;
}

static double measure_get(void)
{
    fill();
    return count / floor_best(5, read_alone);
}

static double measure_set(void)
{
    fill();
    double seconds = floor_best(5, write_alone);
    FLOOR_CHECK(get(keys[0]) == (uint64_t)count - KEYS);
    return count / seconds;
}

static double measure_get_by_2(void)
{
    return together(read_all);
}

static double measure_set_by_2(void)
{
    return together(write_all);
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"get", measure_get},
        {"set", measure_set},
        {"get_by_2", measure_get_by_2},
        {"set_by_2", measure_set_by_2},
        {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
