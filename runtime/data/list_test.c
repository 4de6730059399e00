/* Lists of one process: every function against a model, and what they cost in
 * memory. time limit: 300 s */

#include "data/table_test.h"

static struct values values;

enum { MOST = 3000 };

struct model {
    unsigned item[MOST]; /* numbers of values */
    uint64_t n;
};

static void expect(mpr_list *l, uint64_t i, unsigned v)
{
    struct mpr_message m = {0};

    assert(mpr_list_get(l, i, &m) == (v ? 0 : -ERANGE));
    assert(!v || is_value(&values, &m, v));
    mpr_message_free(&m);
}

static void compare(mpr_list *l, const struct model *model)
{
    struct mpr_snapshot s = {0};
    struct mpr_message m = {0};

    assert(mpr_list_len(l) == model->n);
    assert(mpr_list_snapshot(l, &s) == 0);
    assert(s.count == model->n);
    for (uint64_t i = 0; i < model->n; i++) {
        assert(mpr_snapshot_next(&s, NULL, &m) == 1);
        assert(is_value(&values, &m, model->item[i]));
    }
    assert(mpr_snapshot_next(&s, NULL, &m) == 0);
    mpr_message_free(&m);
    mpr_snapshot_free(&s);
    for (uint64_t i = 0; i < model->n; i += 1 + (uint64_t)rand() % 20)
        expect(l, i + 1, model->item[i]);
    expect(l, 0, 0);
    expect(l, model->n + 1, 0);
}

static void insert(mpr_list *l, struct model *model, uint64_t at, unsigned v)
{
    struct given g;

    if (model->n == MOST)
        return;
    assert(mpr_list_insert(l, at, give(&g, &values, v)) == 0);
    if (at == 0)
        at = model->n + 1;
    memmove(model->item + at, model->item + at - 1,
            (model->n - at + 1) * sizeof model->item[0]);
    model->item[at - 1] = v;
    model->n++;
}

static void forget(struct model *model, uint64_t at)
{
    model->n--;
    memmove(model->item + at - 1, model->item + at,
            (model->n - at + 1) * sizeof model->item[0]);
}

static void take(mpr_list *l, struct model *model, uint64_t at)
{
    struct mpr_message m = {0};

    if (model->n == 0) {
        assert(mpr_list_take(l, at, &m) == -ERANGE);
        return;
    }
    assert(mpr_list_take(l, at, &m) == 0);
    if (at == 0)
        at = model->n;
    assert(is_value(&values, &m, model->item[at - 1]));
    forget(model, at);
    mpr_message_free(&m);
}

static uint64_t find(const struct model *model, uint64_t from, unsigned v)
{
    for (uint64_t i = from - 1; i < model->n; i++)
        if (model->item[i] == v)
            return i + 1;
    return 0;
}

static void extend(mpr_list *l, struct model *model, unsigned n)
{
    struct given *g = calloc(n, sizeof *g);
    struct mpr_parcel *parcels = calloc(n, sizeof *parcels);

    if (model->n + n <= MOST) {
        for (unsigned i = 0; i < n; i++) {
            unsigned v = 1 + (unsigned)rand() % 60;

            parcels[i] = *give(&g[i], &values, v);
            model->item[model->n++] = v;
        }
        assert(mpr_list_extend(l, parcels, n) == 0);
    }
    free(g);
    free(parcels);
}

static void arrange(mpr_list *l, struct model *model)
{
    static uint64_t order[MOST];
    struct mpr_snapshot s = {0};
    struct model was = *model;

    assert(mpr_list_snapshot(l, &s) == 0);
    for (uint64_t i = 0; i < model->n; i++)
        order[i] = i + 1;
    for (uint64_t i = model->n; i > 1; i--) {
        uint64_t j = (uint64_t)rand() % i, t = order[i - 1];

        order[i - 1] = order[j];
        order[j] = t;
    }
    for (uint64_t i = 0; i < model->n; i++)
        model->item[i] = was.item[order[i] - 1];
    assert(mpr_list_arrange(l, s.version, order, model->n) == 0);
    if (model->n) {
        assert(mpr_list_arrange(l, s.version, order, model->n) == -ESTALE);
        mpr_snapshot_free(&s);
        assert(mpr_list_snapshot(l, &s) == 0);
        assert(mpr_list_arrange(l, s.version, order, model->n - 1) == -EINVAL);
        order[0] = model->n + 1;
        assert(mpr_list_arrange(l, s.version, order, model->n) == -EINVAL);
    }
    mpr_snapshot_free(&s);
}

static void change(mpr_list *l, struct model *model)
{
    uint64_t some = model->n ? 1 + (uint64_t)rand() % model->n : 0, index;
    unsigned v = 1 + (unsigned)rand() % 60;
    struct given g;
    const struct mpr_parcel *p = give(&g, &values, v);

    switch (rand() % 12) {
    case 0:
    case 1:
    case 2:
        insert(l, model, 0, v);
        break;
    case 3:
        insert(l, model, some ? some : 1, v);
        break;
    case 4:
        insert(l, model, 1, v);
        break;
    case 5:
        take(l, model, 0);
        break;
    case 6:
        take(l, model, 1);
        break;
    case 7:
        take(l, model, some);
        break;
    case 8:
        assert(mpr_list_set(l, model->n + 2, p) == -ERANGE);
        assert(mpr_list_set(l, 0, p) == -ERANGE);
        if (model->n == MOST)
            break;
        if (rand() % 4 == 0)
            some = model->n + 1;
        if (some) {
            assert(mpr_list_set(l, some, p) == 0);
            model->item[some - 1] = v;
            model->n += some > model->n;
        }
        break;
    case 9:
        assert(mpr_list_find(l, some ? some : 1, p) ==
               find(model, some ? some : 1, v));
        if (find(model, 1, v)) {
            assert(mpr_list_remove(l, p, &index) == 0);
            assert(index == find(model, 1, v));
            forget(model, index);
        } else {
            assert(mpr_list_remove(l, p, &index) == -ENOENT);
        }
        break;
    case 10:
        extend(l, model, (unsigned)rand() % (rand() % 10 ? 10 : 400));
        break;
    case 11:
        if (rand() % 10 == 0)
            arrange(l, model);
        break;
    }
}

static void against_a_model(void)
{
    static struct model model;
    mpr_list l;

    assert(mpr_list_create(&l, "a list") == 0);
    assert(strcmp(mpr_handle_label(&l.h), "a list") == 0);
    for (unsigned round = 0; round < 60; round++) {
        uint64_t count = 0;
        struct given g;

        for (unsigned i = 0; i < 300; i++)
            change(&l, &model);
        compare(&l, &model);
        for (uint64_t i = 0; i < model.n; i++)
            count += model.item[i] == 7;
        assert(mpr_list_count(&l, give(&g, &values, 7)) == count);
        if (round % 20 == 19) {
            assert(mpr_list_clear(&l) == 0);
            model.n = 0;
            compare(&l, &model);
        } else if (round % 10 == 9) { /* shrinks to nothing, from any side */
            while (model.n > 0)
                take(&l, &model, rand() % 3 ? round / 10 % 2 : 1 + model.n / 2);
            compare(&l, &model);
        }
    }
    mpr_handle_close(&l.h);
    assert(mpr_check() == 0);
}

static void number(mpr_list *l, int64_t v, double f)
{
    uint8_t bytes[16];
    struct mpr_parcel p = {.bytes = bytes};

    p.size = (size_t)((f != 0 ? mpr_put_number(bytes, f)
                              : mpr_put_integer(bytes, v)) -
                      bytes);
    assert(mpr_list_insert(l, 0, &p) == 0);
}

static uint64_t index_of(mpr_list *l, int64_t v, double f)
{
    uint8_t bytes[16];
    struct mpr_parcel p = {.bytes = bytes};

    p.size = (size_t)((f != 0 ? mpr_put_number(bytes, f)
                              : mpr_put_integer(bytes, v)) -
                      bytes);
    return mpr_list_find(l, 1, &p);
}

static void equal_numbers(void)
{
    mpr_list l;

    assert(mpr_list_create(&l, NULL) == 0);
    number(&l, 1, 0);
    number(&l, 0, 2.0);
    number(&l, 0, 2.5);
    number(&l, INT64_MAX, 0);
    number(&l, 0, 0x1p63);
    number(&l, INT64_MIN, 0);
    assert(index_of(&l, 1, 0) == 1);
    assert(index_of(&l, 0, 1.0) == 1);
    assert(index_of(&l, 2, 0) == 2);
    assert(index_of(&l, 0, 2.5) == 3);
    assert(index_of(&l, INT64_MAX, 0) == 4);
    assert(index_of(&l, 0, 0x1p63) == 5);
    assert(index_of(&l, 0, -0x1p63) == 6);
    assert(index_of(&l, 3, 0) == 0);
    mpr_handle_close(&l.h);
}

/* A queue that is filled at one end and emptied at the other stays small. */
static void as_a_queue(void)
{
    struct mpr_message m = {0};
    struct mpr_stats before, after;
    uint8_t bytes[16];
    struct mpr_parcel p = {.bytes = bytes};
    mpr_list l;

    assert(mpr_list_create(&l, NULL) == 0);
    assert(mpr_stats(&before) == 0);
    for (int64_t i = 0; i < 100000 / SLOWER; i++) {
        p.size = (size_t)(mpr_put_integer(bytes, i) - bytes);
        assert(mpr_list_insert(&l, 0, &p) == 0);
        if (i < 300)
            continue;
        assert(mpr_list_take(&l, 1, &m) == 0);
        p.size = (size_t)(mpr_put_integer(bytes, i - 300) - bytes);
        assert(m.size == p.size && memcmp(m.bytes, bytes, m.size) == 0);
    }
    assert(mpr_list_len(&l) == 300);
    assert(mpr_stats(&after) == 0);
    assert(after.objects[MPR_KIND_BYTES] - before.objects[MPR_KIND_BYTES] < 9);
    /* And one that is emptied each time. */
    assert(mpr_list_clear(&l) == 0);
    for (int64_t i = 0; i < 2000; i++) {
        p.size = (size_t)(mpr_put_integer(bytes, i) - bytes);
        assert(mpr_list_insert(&l, 0, &p) == 0);
        assert(mpr_list_take(&l, (uint64_t)i % 2, &m) == 0);
        assert(m.size == p.size && memcmp(m.bytes, bytes, m.size) == 0);
        assert(mpr_list_take(&l, 0, &m) == -ERANGE);
    }
    assert(mpr_stats(&after) == 0);
    assert(after.objects[MPR_KIND_BYTES] - before.objects[MPR_KIND_BYTES] < 3);
    mpr_message_free(&m);
    mpr_handle_close(&l.h);
}

static void growth(void)
{
    int64_t n = (MPR_CHECK > 1 ? 20000 : 300000) / SLOWER;
    struct mpr_stats before, full, after;
    struct mpr_message m = {0};
    uint8_t bytes[16];
    struct mpr_parcel p = {.bytes = bytes};
    mpr_list l;

    assert(mpr_stats(&before) == 0);
    assert(mpr_list_create(&l, NULL) == 0);
    for (int64_t i = 0; i < n; i++) {
        p.size = (size_t)(mpr_put_integer(bytes, i) - bytes);
        assert(mpr_list_insert(&l, 0, &p) == 0);
    }
    assert(mpr_list_len(&l) == (uint64_t)n);
    assert(mpr_stats(&full) == 0);
    printf("%lld items: %.0f bytes each\n", (long long)n,
           (double)(full.used - before.used) / (double)n);
    for (int64_t i = 0; i < n; i++) {
        assert(mpr_list_get(&l, (uint64_t)i + 1, &m) == 0);
        p.size = (size_t)(mpr_put_integer(bytes, i) - bytes);
        assert(m.size == p.size && memcmp(m.bytes, bytes, m.size) == 0);
    }
    for (int64_t i = 0; i < n - 100; i++)
        assert(mpr_list_take(&l, (uint64_t)i % 2, &m) == 0);
    assert(mpr_stats(&after) == 0);
    assert(after.used - before.used < (full.used - before.used) / 10 + 131072);
    assert(mpr_list_clear(&l) == 0);
    mpr_message_free(&m);
    mpr_handle_close(&l.h);
    assert(mpr_stats(&after) == 0);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
}

static void fixed_messages(void)
{
    uint8_t buffer[16];
    struct mpr_message m = {.buffer = buffer, .capacity = 13, .fixed = 1};
    struct given g;
    mpr_list l;

    assert(mpr_list_create(&l, NULL) == 0);
    assert(mpr_list_insert(&l, 1, give(&g, &values, 15)) == 0);
    assert(mpr_list_get(&l, 1, &m) == 0 && is_value(&values, &m, 15));
    m.capacity = 12;
    assert(mpr_list_get(&l, 1, &m) == -E2BIG);
    assert(mpr_list_take(&l, 1, &m) == -E2BIG);
    assert(mpr_list_set(&l, 1, give(&g, &values, 5)) == 0);
    assert(mpr_list_get(&l, 1, &m) == -E2BIG);
    assert(mpr_list_take(&l, 0, &m) == -E2BIG);
    expect(&l, 1, 5);
    mpr_handle_close(&l.h);
}

static void reservation(void)
{
    struct mpr_message m = {0};
    struct given g;
    mpr_list a, b;

    assert(mpr_list_create(&a, NULL) == 0);
    a.actor = new_actor();
    b = a;
    b.actor = new_actor();
    assert(mpr_list_reserve(&a) == 0);
    assert(mpr_list_reserve(&b) == -EBUSY);
    assert(mpr_list_insert(&a, 0, give(&g, &values, 1)) == 0);
    expect(&b, 1, 1);
    mpr_list_release(&b);
    assert(mpr_list_reserve(&b) == -EBUSY);
    mpr_list_release(&a);
    assert(mpr_list_take(&b, 1, &m) == 0);
    mpr_message_free(&m);
    mpr_actor_free(a.actor);
    mpr_actor_free(b.actor);
    mpr_handle_close(&a.h);
}

int main(void)
{
    seed();
    nothing_left(false);
    values_open(&values);
    against_a_model();
    equal_numbers();
    as_a_queue();
    growth();
    fixed_messages();
    reservation();
    values_close(&values);
    nothing_left(true);
    return 0;
}
