/* Dicts of one process: every function against a model, and what they cost in
 * memory. time limit: 300 s */

#include "data/table_test.h"

#include <math.h>

static struct values values;

static void set(mpr_dict *d, struct mpr_key k, unsigned v)
{
    struct given g;

    assert(mpr_dict_set(d, &k, give(&g, &values, v), MPR_FOREVER) == 0);
}

static void expect(mpr_dict *d, struct mpr_key k, unsigned v)
{
    struct mpr_message m = {0};
    int r = mpr_dict_get(d, &k, &m);

    assert(r == (v ? 0 : -ENOENT));
    assert(r < 0 || is_value(&values, &m, v));
    mpr_message_free(&m);
}

static void keys(void)
{
    static const double floats[] = {0.5, -0.5, 1e300, -1e300, 0x1p63, INFINITY};
    struct mpr_key k = {0}, nan = {.type = MPR_KEY_FLOAT, .number = NAN};
    char *longest = calloc(1, 32770);
    mpr_dict d;
    struct given g;

    assert(mpr_dict_create(&d, "a name that is longer than it may be at all") ==
           0);
    assert(strcmp(mpr_handle_label(&d.h), "a name that is longer than it m") ==
           0);
    for (unsigned i = 0; i < sizeof floats / sizeof *floats; i++) {
        k = (struct mpr_key){.type = MPR_KEY_FLOAT, .number = floats[i]};
        set(&d, k, i + 1);
    }
    assert(mpr_dict_len(&d) == sizeof floats / sizeof *floats);
    for (unsigned i = 0; i < sizeof floats / sizeof *floats; i++) {
        k.number = floats[i];
        expect(&d, k, i + 1);
    }
    /* What is equal is one key. */
    mpr_dict_clear(&d);
    set(&d, integer_key(3), 1);
    k.number = 3.0;
    set(&d, k, 2);
    expect(&d, integer_key(3), 2);
    k.number = -0.0;
    set(&d, k, 3);
    expect(&d, integer_key(0), 3);
    k.number = -0x1p63;
    set(&d, k, 3);
    expect(&d, integer_key(INT64_MIN), 3);
    assert(mpr_dict_len(&d) == 3);
    /* What is not equal is not. */
    set(&d, string_key("3"), 4);
    set(&d, string_key(""), 5);
    set(&d, (struct mpr_key){.type = MPR_KEY_BOOLEAN, .integer = 1}, 6);
    set(&d, (struct mpr_key){.type = MPR_KEY_BOOLEAN}, 7);
    set(&d, integer_key(1), 8);
    set(&d, (struct mpr_key){.type = MPR_KEY_STRING, .string = "\0", .size = 1},
        9);
    set(&d, (struct mpr_key){.type = MPR_KEY_STRING, .string = "\0", .size = 2},
        10);
    assert(mpr_dict_len(&d) == 10);
    expect(&d, string_key("3"), 4);
    expect(&d, string_key(""), 5);
    expect(&d, (struct mpr_key){.type = MPR_KEY_BOOLEAN}, 7);
    expect(&d, integer_key(1), 8);
    expect(&d,
           (struct mpr_key){.type = MPR_KEY_STRING, .string = "\0", .size = 1},
           9);
    for (size_t size = 1; size <= 32768; size = size * 2 + size % 3) {
        k = (struct mpr_key){
            .type = MPR_KEY_STRING,
            .string = longest,
            .size = size,
        };
        memset(longest, 'x', size);
        set(&d, k, (unsigned)size);
        expect(&d, k, (unsigned)size);
    }
    k.size = 32769;
    assert(mpr_dict_set(&d, &k, give(&g, &values, 1), MPR_FOREVER) ==
           -EMSGSIZE);
    assert(mpr_dict_set(&d, &nan, give(&g, &values, 1), MPR_FOREVER) ==
           -EINVAL);
    nan.type = 0;
    assert(mpr_dict_remove(&d, &nan) == -EINVAL);
    mpr_handle_close(&d.h);
    free(longest);
}

enum { KEYS = 300 };

static uint64_t ids_of(const unsigned model[KEYS])
{
    uint64_t n = 0;

    for (unsigned i = 0; i < KEYS; i++)
        n += model[i] != 0;
    return n;
}

static unsigned number_of(const struct mpr_key *k)
{
    unsigned n = 0;

    switch (k->type) {
    case MPR_KEY_INTEGER:
        return (unsigned)(k->integer + 40);
    case MPR_KEY_FLOAT:
        return (unsigned)k->number;
    default:
        break;
    }
    for (uint64_t i = 0; i < k->size;
         i++) /* digits behind it are not its own */
        if (k->string[i] != 'k')
            n = 10 * n + (unsigned)(k->string[i] - '0');
    return n;
}

static void compare(mpr_dict *d, const unsigned model[KEYS])
{
    struct mpr_snapshot s = {0};
    struct mpr_message m = {0};
    struct mpr_key k;
    uint64_t n = 0;

    assert(mpr_dict_len(d) == (int64_t)ids_of(model));
    assert(mpr_dict_snapshot(d, &s) == 0);
    assert(s.count == ids_of(model));
    while (mpr_snapshot_next(&s, &k, &m) == 1) {
        unsigned i = number_of(&k);
        char name[400];
        struct mpr_key same = key_number(i, name);

        assert(i < KEYS && model[i] && is_value(&values, &m, model[i]));
        assert(same.type == k.type && same.size == k.size &&
               memcmp(name, k.size ? k.string : name, k.size) == 0);
        n++;
    }
    assert(n == s.count);
    mpr_message_free(&m);
    mpr_snapshot_free(&s);
}

/* One random change, here and in the model. */
static void change(mpr_dict *d, unsigned model[KEYS])
{
    unsigned i = (unsigned)rand() % KEYS, v = 1 + (unsigned)rand() % 1000;
    char name[400];
    struct mpr_key k = key_number(i, name);
    struct mpr_message m = {0};
    struct given g;
    const struct mpr_parcel *p = give(&g, &values, v);

    switch (rand() % 10) {
    default:
        set(d, k, v);
        model[i] = v;
        break;
    case 0:
        assert(mpr_dict_insert(d, &k, p, MPR_FOREVER) ==
               (model[i] ? -EEXIST : 0));
        if (!model[i])
            model[i] = v;
        break;
    case 1:
        assert(mpr_dict_remove(d, &k) == (model[i] ? 0 : -ENOENT));
        model[i] = 0;
        break;
    case 2:
        assert(mpr_dict_take(d, &k, &m) == (model[i] ? 0 : -ENOENT));
        assert(!model[i] || is_value(&values, &m, model[i]));
        model[i] = 0;
        break;
    case 3:
        if (model[i]) {
            assert(mpr_dict_replace(d, &k, NULL, p) == -ESTALE);
            assert(mpr_dict_get(d, &k, &m) == 0);
            assert(mpr_dict_replace(d, &k, &m, p) == 0);
            if (model[i] != v)
                assert(
                    mpr_dict_replace(d, &k, &m, p) ==
                    (is_value(&values, &m, v) && !m.block.block ? 0 : -ESTALE));
        } else {
            assert(mpr_dict_replace(d, &k, NULL, p) == 0);
            assert(mpr_dict_replace(d, &k, NULL, p) == -ESTALE);
        }
        model[i] = v;
        break;
    }
    mpr_message_free(&m);
}

static void against_a_model(void)
{
    unsigned model[KEYS] = {0};
    mpr_dict d;

    assert(mpr_dict_create(&d, NULL) == 0);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 500; i++)
            change(&d, model);
        compare(&d, model);
        if (round % 10 == 9) {
            mpr_dict_clear(&d);
            memset(model, 0, sizeof model);
            compare(&d, model);
        }
    }
    while (mpr_dict_len(&d) > 0) {
        struct mpr_message bytes = {0}, m = {0};
        struct mpr_key k;

        assert(mpr_dict_pop(&d, &k, &bytes, &m) == 0);
        assert(is_value(&values, &m, model[number_of(&k)]));
        model[number_of(&k)] = 0;
        mpr_message_free(&bytes);
        mpr_message_free(&m);
    }
    assert(ids_of(model) == 0);
    mpr_handle_close(&d.h);
    assert(mpr_check() == 0);
}

static void order(void)
{
    struct mpr_message m = {0}, bytes = {0};
    struct mpr_snapshot s = {0};
    struct mpr_key k;
    mpr_dict d;

    assert(mpr_dict_create(&d, NULL) == 0);
    for (int i = 0; i < 1000; i++)
        set(&d, integer_key(i * 7919 % 1000), 1);
    set(&d, integer_key(7919 % 1000), 2); /* keeps its place */
    for (int i = 0; i < 1000; i += 2)
        assert(mpr_dict_remove(&d, &(struct mpr_key){
                                       .type = MPR_KEY_INTEGER,
                                       .integer = i * 7919 % 1000,
                                   }) == 0);
    set(&d, integer_key(0), 3); /* comes last */
    assert(mpr_dict_snapshot(&d, &s) == 0);
    assert(s.count == 501);
    for (int i = 1; i < 1000; i += 2) {
        assert(mpr_snapshot_next(&s, &k, NULL) == 1);
        assert(k.integer == i * 7919 % 1000);
    }
    assert(mpr_snapshot_next(&s, &k, &m) == 1 && k.integer == 0);
    assert(is_value(&values, &m, 3));
    assert(mpr_snapshot_next(&s, &k, &m) == 0);
    mpr_snapshot_free(&s);
    mpr_dict_clear(&d);
    mpr_handle_close(&d.h);

    /* The youngest pair of a small dict is popped first. */
    assert(mpr_dict_create(&d, NULL) == 0);
    for (int i = 0; i < 50; i++)
        set(&d, integer_key(i), 1);
    set(&d, integer_key(10), 1);
    for (int i = 50; i-- > 0;) {
        assert(mpr_dict_pop(&d, &k, &bytes, &m) == 0);
        assert(k.integer == i);
    }
    assert(mpr_dict_pop(&d, &k, &bytes, &m) == -ENOENT);
    mpr_message_free(&m);
    mpr_message_free(&bytes);
    mpr_handle_close(&d.h);
}

static void arithmetic(void)
{
    struct mpr_scalar one = {.integer = 1}, half = {1, 0, 0.5}, sum;
    struct mpr_scalar init = {.integer = 40}, none = {0};
    struct mpr_scalar large = {.integer = INT64_MAX};
    struct mpr_key k = string_key("n"), text = string_key("text");
    struct mpr_message m = {0};
    uint8_t bytes[16];
    mpr_dict d;

    assert(mpr_dict_create(&d, NULL) == 0);
    assert(mpr_dict_incr(&d, &k, &one, &init, &sum) == 0);
    assert(!sum.is_float && sum.integer == 41);
    for (int i = 42; i < 100000; i++) {
        assert(mpr_dict_incr(&d, &k, &one, &init, &sum) == 0);
        assert(!sum.is_float && sum.integer == i);
    }
    assert(mpr_dict_get(&d, &k, &m) == 0);
    assert(m.size == (size_t)(mpr_put_integer(bytes, 99999) - bytes) &&
           memcmp(m.bytes, bytes, m.size) == 0);
    assert(mpr_dict_incr(&d, &k, &half, &none, &sum) == 0);
    assert(sum.is_float && sum.number == 99999.5);
    assert(mpr_dict_incr(&d, &k, &one, &none, &sum) == 0);
    assert(sum.is_float && sum.number == 100000.5);
    k = string_key("large");
    assert(mpr_dict_incr(&d, &k, &large, &none, &sum) == 0);
    assert(mpr_dict_incr(&d, &k, &one, &none, &sum) == 0);
    assert(sum.integer == INT64_MIN);
    set(&d, text, 9);
    assert(mpr_dict_incr(&d, &text, &one, &none, &sum) == -EDOM);
    set(&d, text, 5); /* with an object */
    assert(mpr_dict_incr(&d, &text, &one, &none, &sum) == -EDOM);
    mpr_message_free(&m);
    mpr_handle_close(&d.h);
}

static void time_limits(void)
{
    struct mpr_scalar one = {.integer = 1}, none = {0}, sum;
    int64_t until = mpr_after(SLOWER > 1 ? 2 : 0.5);
    struct mpr_message m = {0};
    struct given g;
    mpr_dict d;

    assert(mpr_dict_create(&d, NULL) == 0);
    for (unsigned i = 0; i < 200; i++) {
        struct mpr_key k = integer_key(i);

        assert(mpr_dict_set(&d, &k, give(&g, &values, i + 1),
                            i % 2 ? until : MPR_FOREVER) == 0);
    }
    {
        struct mpr_key k = string_key("counter"), a = string_key("kept");

        assert(mpr_dict_incr(&d, &k, &one, &none, &sum) == 0);
        set(&d, k, 1);
        assert(mpr_dict_remove(&d, &k) == 0);
        g.bytes[0] = 5; /* an integer */
        g.parcel = (struct mpr_parcel){.bytes = g.bytes, .size = 1};
        assert(mpr_dict_set(&d, &k, &g.parcel, until) == 0);
        assert(mpr_dict_incr(&d, &k, &one, &none, &sum) == 0);
        assert(sum.integer == 6); /* and keeps its limit */
        assert(mpr_dict_set(&d, &a, &g.parcel, until) == 0);
        assert(mpr_dict_set(&d, &a, &g.parcel, MPR_FOREVER) == 0);
    }
    if (mpr_now() < until) { /* a slow machine may be past it */
        assert(mpr_dict_get(
                   &d, &(struct mpr_key){.type = MPR_KEY_INTEGER, .integer = 1},
                   &m) == 0 ||
               mpr_now() >= until);
    }
    mpr_sleep(until);
    for (unsigned i = 0; i < 200; i += 1)
        expect(&d, integer_key(i), i % 2 ? 0 : i + 1);
    assert(mpr_dict_len(&d) == 101);
    {
        struct mpr_key k = string_key("counter");
        struct mpr_snapshot s = {0};

        assert(mpr_dict_get(&d, &k, &m) == -ENOENT);
        assert(mpr_dict_remove(&d, &k) == -ENOENT);
        assert(mpr_dict_incr(&d, &k, &one, &none, &sum) == 0);
        assert(sum.integer == 1);
        assert(mpr_dict_set(&d, &k, &g.parcel, mpr_now() - 1) == 0);
        assert(mpr_dict_snapshot(&d, &s) == 0);
        assert(s.count == 101);
        mpr_snapshot_free(&s);
        assert(mpr_dict_insert(&d, &k, &g.parcel, MPR_FOREVER) == 0);
        assert(mpr_dict_len(&d) == 102);
    }
    mpr_message_free(&m);
    mpr_handle_close(&d.h);
}

/* A message with memory of the caller's takes what fits and nothing else. */
static void fixed_messages(void)
{
    uint8_t buffer[16];
    struct mpr_message m = {.buffer = buffer, .capacity = 13, .fixed = 1};
    struct mpr_key k = integer_key(1);
    mpr_dict d;

    assert(mpr_dict_create(&d, NULL) == 0);
    set(&d, k, 15); /* 13 bytes */
    buffer[13] = buffer[14] = buffer[15] = 77;
    assert(mpr_dict_get(&d, &k, &m) == 0 && m.size == 13);
    assert(is_value(&values, &m, 15));
    assert(buffer[13] == 77 && buffer[14] == 77 && buffer[15] == 77);
    m.capacity = 12;
    assert(mpr_dict_get(&d, &k, &m) == -E2BIG);
    assert(mpr_dict_take(&d, &k, &m) == -E2BIG);
    m.capacity = 16;
    assert(mpr_dict_get(&d, &k, &m) == 0);
    set(&d, k, 5); /* with an object */
    assert(mpr_dict_get(&d, &k, &m) == -E2BIG);
    assert(mpr_dict_take(&d, &k, &m) == -E2BIG);
    expect(&d, k, 5);
    mpr_handle_close(&d.h);
}

/* Dicts in dicts go with the last of them; cycles by clearing a member. */
static void nested(void)
{
    struct mpr_stats before, after;
    mpr_dict first, d;

    assert(mpr_stats(&before) == 0);
    assert(mpr_dict_create(&first, NULL) == 0);
    d = first;
    assert(mpr_handle_dup(&first.h, &d.h) == 0);
    for (int i = 0; i < 20000; i++) {
        struct mpr_key k = string_key("next");
        mpr_dict inner;
        const mpr_handle *refs[] = {&inner.h};
        struct mpr_parcel p = {
            .bytes = "x",
            .size = 1,
            .refs = refs,
            .ref_count = 1,
        };

        assert(mpr_dict_create(&inner, NULL) == 0);
        assert(mpr_dict_set(&d, &k, &p, MPR_FOREVER) == 0);
        mpr_handle_close(&d.h);
        d = inner;
    }
    {
        const mpr_handle *refs[] = {&d.h};
        struct mpr_parcel p = {.refs = refs, .ref_count = 1};
        struct mpr_key k = string_key("self");

        assert(mpr_dict_set(&d, &k, &p, MPR_FOREVER) == 0);
        mpr_dict_clear(&d);
    }
    mpr_handle_close(&d.h);
    assert(mpr_stats(&after) == 0);
    assert(after.objects[MPR_KIND_DICT] ==
           before.objects[MPR_KIND_DICT] + 20001);
    mpr_handle_close(&first.h);
    assert(mpr_stats(&after) == 0);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
}

/* However many keys: all are found, none is moved twice in a pause, and what
 * they took comes back. */
static void growth(void)
{
    int64_t n = (MPR_CHECK > 1 ? 20000 : 300000) / SLOWER;
    struct mpr_stats full, emptied, before;
    struct mpr_message m = {0};
    uint8_t bytes[16];
    struct mpr_parcel p = {.bytes = bytes};
    mpr_dict d;

    assert(mpr_stats(&before) == 0);
    assert(mpr_dict_create(&d, NULL) == 0);
    for (int64_t i = 0; i < n; i++) {
        struct mpr_key k = integer_key(i * i);

        p.size = (size_t)(mpr_put_integer(bytes, i) - bytes);
        assert(mpr_dict_set(&d, &k, &p, MPR_FOREVER) == 0);
    }
    assert(mpr_dict_len(&d) == n);
    assert(mpr_stats(&full) == 0);
    for (int64_t i = 0; i < n; i++) {
        struct mpr_key k = integer_key(i * i), missing = integer_key(-i - 1);

        assert(mpr_dict_get(&d, &missing, &m) == -ENOENT);
        assert(mpr_dict_get(&d, &k, &m) == 0);
        p.size = (size_t)(mpr_put_integer(bytes, i) - bytes);
        assert(m.size == p.size && memcmp(m.bytes, bytes, m.size) == 0);
    }
    printf("%lld keys: %.0f bytes each\n", (long long)n,
           (double)(full.used - before.used) / (double)n);
    /* Most are removed: memory comes back while the dict lives. */
    for (int64_t i = 0; i < n; i++) {
        struct mpr_key k = integer_key(i * i);

        if (i % 50)
            assert(mpr_dict_remove(&d, &k) == 0);
    }
    assert(mpr_dict_len(&d) == (n + 49) / 50);
    for (int64_t i = 0; i < n; i++) {
        struct mpr_key k = integer_key(i * i);

        assert(mpr_dict_get(&d, &k, &m) == (i % 50 ? -ENOENT : 0));
    }
    assert(mpr_stats(&emptied) == 0);
    assert(emptied.used - before.used < (full.used - before.used) / 3);
    mpr_dict_clear(&d);
    assert(mpr_dict_len(&d) == 0);
    assert(mpr_stats(&emptied) == 0);
    assert(emptied.used - before.used < (full.used - before.used) / 10);
    mpr_message_free(&m);
    mpr_handle_close(&d.h);
    assert(mpr_stats(&emptied) == 0);
    assert(memcmp(before.objects, emptied.objects, sizeof before.objects) == 0);
}

static void reservation(void)
{
    struct mpr_key k = integer_key(1), other = integer_key(2);
    struct given g;
    mpr_dict a, b;

    assert(mpr_dict_create(&a, NULL) == 0);
    a.actor = new_actor();
    b = a;
    b.actor = new_actor();
    assert(mpr_dict_reserve(&a, &k) == 0);
    assert(mpr_dict_reserve(&a, &k) == 0);
    assert(mpr_dict_reserve(&b, &k) == -EBUSY);
    assert(mpr_dict_set(&a, &k, give(&g, &values, 1), MPR_FOREVER) == 0);
    set(&b, other, 3);
    expect(&b, k, 1);
    mpr_dict_release(&b);
    assert(mpr_dict_reserve(&b, &other) == -EBUSY);
    mpr_dict_release(&a);
    assert(mpr_dict_reserve(&b, &k) == 0);
    mpr_dict_release(&b);
    set(&b, k, 2);
    expect(&a, k, 2);
    mpr_actor_free(a.actor);
    mpr_actor_free(b.actor);
    mpr_handle_close(&a.h);
}

int main(void)
{
    seed();
    nothing_left(false);
    values_open(&values);
    keys();
    against_a_model();
    order();
    arithmetic();
    time_limits();
    fixed_messages();
    nested();
    growth();
    reservation();
    values_close(&values);
    nothing_left(true);
    return 0;
}
