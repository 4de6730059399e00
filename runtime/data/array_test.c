/* Cells of every code at the ends of their ranges; rows shared by threads and
 * by processes; a creator killed at every test point. */

#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 20000, EACH = THREADS * ROUNDS / 2 };

static const struct mpr_process_options plain = {.name = "child"};

static void make(mpr_array *a, char code, uint64_t count)
{
    struct mpr_cells what = {.code = code, .count = count};

    assert(mpr_array_create(a, &what) == 0);
}

static void join(mpr_process *p, int code)
{
    int got;

    assert(mpr_process_join(p, mpr_after(60)) == 0);
    assert(mpr_process_exit_code(p, &got) == 0);
    assert(got == code);
    mpr_process_close(p);
}

static void signed_range(char letter, int64_t min, int64_t max)
{
    const struct mpr_code *code = mpr_code(letter);
    union mpr_number n, sum;
    uint64_t cell = 0;

    n.i = min;
    assert(mpr_cell_store(code, &cell, n) == 0);
    assert(mpr_cell_load(code, &cell).i == min);
    n.i = -1;
    assert(mpr_cell_add(code, &cell, n, &sum) == -ERANGE);
    n.i = max;
    assert(mpr_cell_swap(code, &cell, n, &sum) == 0 && sum.i == min);
    n.i = 1;
    assert(mpr_cell_add(code, &cell, n, &sum) == -ERANGE);
    assert(mpr_cell_load(code, &cell).i == max);
    n.i = INT64_MIN;
    assert(mpr_cell_add(code, &cell, n, &sum) ==
           (code->size == 8 ? 0 : -ERANGE));
    if (code->size == 8)
        return;
    n.i = max + 1;
    assert(mpr_cell_store(code, &cell, n) == -ERANGE);
    n.i = min - 1;
    assert(mpr_cell_store(code, &cell, n) == -ERANGE);
    assert(mpr_cell_swap(code, &cell, n, &sum) == -ERANGE);
    assert(mpr_cell_cas(code, &cell, n, n, &sum) == -ERANGE);
    assert(mpr_cell_load(code, &cell).i == max);
}

static void unsigned_range(char letter, uint64_t max)
{
    const struct mpr_code *code = mpr_code(letter);
    union mpr_number n, sum;
    uint64_t cell = 0;

    n.i = -1;
    assert(mpr_cell_add(code, &cell, n, &sum) == -ERANGE);
    n.u = max;
    assert(mpr_cell_store(code, &cell, n) == 0);
    assert(mpr_cell_load(code, &cell).u == max);
    n.i = 1;
    assert(mpr_cell_add(code, &cell, n, &sum) == -ERANGE);
    n.i = -1;
    assert(mpr_cell_add(code, &cell, n, &sum) == 0 && sum.u == max - 1);
    if (code->size == 8)
        return;
    n.u = max + 1;
    assert(mpr_cell_store(code, &cell, n) == -ERANGE);
    assert(mpr_cell_load(code, &cell).u == max - 1);
}

static void floats(void)
{
    const struct mpr_code *f = mpr_code('f'), *d = mpr_code('d');
    union mpr_number n, m, sum;
    uint64_t cell = 0;

    n.d = 1e300;
    assert(mpr_cell_store(f, &cell, n) == -ERANGE);
    assert(mpr_cell_store(d, &cell, n) == 0);
    assert(mpr_cell_add(d, &cell, n, &sum) == 0 && sum.d == 2e300);
    n.d = FLT_MAX;
    assert(mpr_cell_store(f, &cell, n) == 0);
    assert(mpr_cell_add(f, &cell, n, &sum) == -ERANGE);
    assert(mpr_cell_load(f, &cell).d == FLT_MAX);
    n.d = (double)INFINITY;
    assert(mpr_cell_store(f, &cell, n) == 0);
    assert(mpr_cell_load(f, &cell).d == n.d);
    n.d = (double)NAN;
    assert(mpr_cell_store(d, &cell, n) == 0);
    m.d = 1;
    assert(mpr_cell_cas(d, &cell, m, m, &sum) == 0 && isnan(sum.d));
    assert(mpr_cell_cas(d, &cell, n, m, &sum) == 1 && isnan(sum.d));
    m.d = -0.0;
    assert(mpr_cell_store(d, &cell, m) == 0);
    m.d = 0;
    n.d = 5;
    assert(mpr_cell_cas(d, &cell, m, n, &sum) == 1);
    assert(mpr_cell_load(d, &cell).d == 5);
}

static void others(void)
{
    const struct mpr_code *flag = mpr_code('?'), *byte = mpr_code('c');
    union mpr_number n = {.u = 1}, sum;
    uint8_t cell = 0;

    assert(mpr_cell_store(flag, &cell, n) == 0);
    assert(mpr_cell_add(flag, &cell, n, &sum) == -EINVAL);
    assert(mpr_cell_add(byte, &cell, n, &sum) == -EINVAL);
    n.u = 2;
    assert(mpr_cell_store(flag, &cell, n) == -ERANGE);
    n.u = 255;
    assert(mpr_cell_store(byte, &cell, n) == 0 && cell == 255);
    assert(mpr_code('x') == NULL && mpr_code(0) == NULL);
}

static void ranges(void)
{
    signed_range('b', INT8_MIN, INT8_MAX);
    signed_range('h', INT16_MIN, INT16_MAX);
    signed_range('i', INT32_MIN, INT32_MAX);
    signed_range('l', INT64_MIN, INT64_MAX);
    signed_range('q', INT64_MIN, INT64_MAX);
    unsigned_range('B', UINT8_MAX);
    unsigned_range('H', UINT16_MAX);
    unsigned_range('I', UINT32_MAX);
    unsigned_range('L', UINT64_MAX);
    unsigned_range('Q', UINT64_MAX);
    floats();
    others();
}

/* Adds 1 to the cells by turns. */
static void *add(void *arg)
{
    mpr_array *a = arg;
    union mpr_number one = {.i = 1}, sum;

    if (a->code->family == MPR_FLOATING)
        one.d = 1;
    for (int i = 0; i < ROUNDS; i++)
        assert(mpr_cell_add(a->code,
                            (char *)a->data + (uint64_t)i % a->count * a->size,
                            one, &sum) == 0);
    return NULL;
}

static void threads(void)
{
    for (const char *code = "iIlLqQfd"; *code; code++) {
        pthread_t t[THREADS];
        mpr_array a;

        make(&a, *code, 2);
        for (int i = 0; i < THREADS; i++)
            pthread_create(&t[i], NULL, add, &a);
        for (int i = 0; i < THREADS; i++)
            pthread_join(t[i], NULL);
        for (uint64_t i = 0; i < 2; i++) {
            union mpr_number n =
                mpr_cell_load(a.code, (char *)a.data + i * a.size);

            if (a.code->family == MPR_FLOATING)
                assert(n.d == EACH);
            else
                assert(n.u == EACH);
        }
        mpr_array_close(&a);
    }
}

/* A cell that says how many of the others are ready. */
static void *publish(void *arg)
{
    mpr_array *a = arg;
    double *d = a->data;
    union mpr_number n;

    for (uint64_t i = 1; i < a->count; i++) {
        d[i] = (double)i; /* plain: guarded by cell 0 */
        n.d = (double)i;
        mpr_cell_store(a->code, d, n);
    }
    return NULL;
}

static void publishing(void)
{
    mpr_array a;
    pthread_t t;
    uint64_t ready = 0;

    make(&a, 'd', 1000);
    pthread_create(&t, NULL, publish, &a);
    while (ready < a.count - 1) {
        uint64_t now = (uint64_t)mpr_cell_load(a.code, a.data).d;

        for (; ready < now; ready++)
            assert(((double *)a.data)[ready + 1] == (double)(ready + 1));
    }
    pthread_join(t, NULL);
    mpr_array_close(&a);
}

static void processes(void)
{
    mpr_process p[4];
    mpr_array v;
    struct mpr_cells what = {.code = 'q', .count = 1};

    assert(mpr_value_create(&v, &what) == 0);
    for (int i = 0; i < 4; i++) {
        if (mpr_process_fork(&p[i], &plain) == MPR_IN_CHILD) {
            add(&v);
            mpr_process_exit(&p[i], 0);
        }
    }
    for (int i = 0; i < 4; i++)
        join(&p[i], 0);
    assert(*(int64_t *)v.data == 4 * ROUNDS);
    mpr_array_close(&v);
}

static void shapes(void)
{
    mpr_array a, b, c;
    struct mpr_cells what = {.code = 'd', .count = 0};
    uint8_t *byte;

    assert(mpr_array_create(&a, &what) == -EINVAL);
    what.count = UINT64_MAX;
    assert(mpr_array_create(&a, &what) == -ENOMEM);
    what.count = 1ULL << 40;
    assert(mpr_array_create(&a, &what) == -ENOMEM);
    what = (struct mpr_cells){.code = 'x', .count = 1};
    assert(mpr_array_create(&a, &what) == -EINVAL);
    for (uint64_t n = 1; n < 200000; n = n * 3 + 1) {
        make(&a, 'B', n);
        assert((uintptr_t)a.data % 64 == 0);
        byte = a.data;
        for (uint64_t i = 0; i < n; i++)
            assert(byte[i] == 0);
        memset(a.data, 0xff, n); /* what comes next is zero all the same */
        mpr_array_close(&a);
    }
    make(&a, 'B', 100);
    byte = a.data;
    byte[8] = 1;
    what = (struct mpr_cells){.code = 'I', .count = 23};
    assert(mpr_array_view(&a, 8, &what, &b) == 0);
    assert(b.count == 23 && *(uint32_t *)b.data == 1);
    assert(mpr_array_view(&a, 9, &what, &c) == -EINVAL);
    assert(mpr_array_view(&a, 12, &what, &c) == -EINVAL);
    assert(mpr_array_view(&a, 101, &what, &c) == -EINVAL);
    mpr_array_close(&a); /* the view keeps the cells */
    what.count = 1;
    assert(mpr_array_view(&b, 4, &what, &c) == 0);
    ((uint32_t *)b.data)[1] = 7;
    mpr_array_close(&b);
    assert(*(uint32_t *)c.data == 7);
    mpr_array_close(&c);
}

static void *ask_lock(void *arg)
{
    mpr_array *a = arg;
    mpr_handle h;
    uint64_t id;

    assert(mpr_array_lock(a, &h) == 0);
    assert(h.kind == MPR_KIND_RLOCK);
    id = mpr_handle_id(&h);
    mpr_handle_close(&h);
    return (void *)(uintptr_t)id;
}

static void locks(void)
{
    struct mpr_cells what = {.code = 'i', .count = 1, .raw = 1};
    pthread_t t[THREADS];
    mpr_array v, w;
    mpr_lock mine;
    mpr_handle h;

    assert(mpr_value_create(&v, &what) == 0 && v.raw);
    assert(mpr_array_lock(&v, &h) == -ENOENT);
    mpr_array_close(&v);

    assert(mpr_lock_create(&mine, "mine") == 0);
    what = (struct mpr_cells){.code = 'i', .count = 1, .lock = &mine.h};
    assert(mpr_value_create(&v, &what) == 0);
    assert(mpr_array_lock(&v, &h) == 0);
    assert(mpr_handle_id(&h) == mpr_handle_id(&mine.h));
    mpr_handle_close(&h);
    mpr_handle_close(&mine.h);
    mpr_array_close(&v);

    what = (struct mpr_cells){.code = 'i', .count = 1, .name = "balance"};
    assert(mpr_value_create(&v, &what) == 0);
    assert(mpr_array_lock(&v, &h) == 0);
    assert(strcmp(mpr_handle_label(&h), "balance") == 0);
    mpr_handle_close(&h);
    mpr_array_close(&v);

    for (int round = 0; round < 100; round++) {
        void *id, *first = NULL;

        make(&v, 'i', 10);
        what = (struct mpr_cells){.code = 'i', .count = 1};
        assert(mpr_array_view(&v, 4, &what, &w) == 0);
        for (int i = 0; i < THREADS; i++)
            pthread_create(&t[i], NULL, ask_lock, i % 2 ? &v : &w);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(t[i], &id);
            assert(id && (!first || id == first));
            first = id;
        }
        mpr_array_close(&v);
        mpr_array_close(&w);
    }
}

static void layouts(void)
{
    struct {
        int8_t a;
        double b;
        int16_t c;
        uint8_t text[5];
        struct {
            float x;
            int64_t y;
        } in[2];
        int8_t z;
    } like;
    struct mpr_part inner[] = {{"x", 1, NULL, 0, 'f'}, {"y", 1, NULL, 0, 'q'}};
    struct mpr_part outer[] = {
        {"a", 1, NULL, 0, 'b'}, {"b", 1, NULL, 0, 'd'},
        {"c", 1, NULL, 0, 'h'}, {"text", 4, NULL, 5, 'c'},
        {"in", 2, NULL, 2, 0},  {"z", 1, NULL, 0, 'b'},
    };
    const struct mpr_layout *l;
    const struct mpr_member *m;
    struct mpr_cells what = {.count = 10};
    mpr_struct in, out;
    mpr_array a, b;

    assert(mpr_struct_create(&in, inner, 2) == 0);
    outer[4].layout = in.layout;
    assert(mpr_struct_create(&out, outer, 6) == 0);
    mpr_handle_close(&in.h); /* its layout was copied */
    l = out.layout;
    assert(l->size == sizeof like && l->align == 8 && l->count == 6);
    assert(mpr_layout_find(l, "b", 1)->at ==
           (uint32_t)((char *)&like.b - (char *)&like));
    m = mpr_layout_find(l, "in", 2);
    assert(m->at == (uint32_t)((char *)&like.in - (char *)&like));
    assert(strcmp(mpr_member_name(l, m), "in") == 0 && m->count == 2);
    assert(mpr_member_size(l, m) == sizeof like.in[0]);
    m = mpr_layout_find(mpr_member_layout(l, m), "y", 1);
    assert(m->at == 8 && m->code == 'q');
    assert(mpr_layout_find(l, "i", 1) == NULL);
    assert(mpr_layout_find(l, "inn", 3) == NULL);
    m = mpr_layout_find(l, "z", 1);
    assert(m->at == (uint32_t)((char *)&like.z - (char *)&like));

    what.format = &out;
    assert(mpr_array_create(&a, &what) == 0);
    assert(a.size == sizeof like && a.code == NULL);
    mpr_handle_close(&out.h); /* the array keeps it */
    assert(mpr_layout_find(a.layout, "text", 4)->count == 5);
    what = (struct mpr_cells){.code = 'b', .count = sizeof like};
    assert(mpr_array_view(&a, sizeof like, &what, &b) == 0);
    mpr_array_close(&a);
    mpr_array_close(&b);

    assert(mpr_struct_create(&out, outer, 0) == -EINVAL);
    outer[1].name = "a";
    assert(mpr_struct_create(&out, outer, 2) == -EEXIST);
    outer[1] = (struct mpr_part){"b", 1, NULL, 1u << 31, 'd'};
    assert(mpr_struct_create(&out, outer, 2) == -E2BIG);
    outer[1] = (struct mpr_part){"b", 1, NULL, 0, 'x'};
    assert(mpr_struct_create(&out, outer, 2) == -EINVAL);
}

/* A child that makes and closes rows is killed at every test point. */
static void each_point(void)
{
    for (uint32_t nth = 1;; nth++) {
        mpr_process p;
        int code;

        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
            struct mpr_part part = {"x", 1, NULL, 0, 'd'};
            struct mpr_cells what = {.count = 3};
            mpr_struct s;
            mpr_array a, b;
            mpr_handle lock;

            mpr_testpoint_arm("*", nth, SIGKILL);
            assert(mpr_struct_create(&s, &part, 1) == 0);
            what.format = &s;
            assert(mpr_array_create(&a, &what) == 0);
            what = (struct mpr_cells){.code = 'B', .count = 8};
            assert(mpr_array_view(&a, 8, &what, &b) == 0);
            assert(mpr_array_lock(&b, &lock) == 0);
            mpr_array_close(&a);
            mpr_handle_close(&s.h);
            mpr_handle_close(&lock);
            mpr_array_close(&b);
            mpr_process_exit(&p, 0);
        }
        assert(mpr_process_join(&p, mpr_after(60)) == 0);
        assert(mpr_process_exit_code(&p, &code) == 0);
        mpr_process_close(&p);
        assert(mpr_check() == 0);
        if (code == 0) {
            printf("%u test points\n", nth - 1);
            break;
        }
        assert(code == -SIGKILL);
    }
}

int main(void)
{
    struct mpr_stats before, after;

    assert(mpr_stats(&before) == 0);
    ranges();
    threads();
    publishing();
    processes();
    shapes();
    locks();
    layouts();
    each_point();
    assert(mpr_stats(&after) == 0);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
    assert(after.holds == before.holds);
    return 0;
}
