/* Dicts of several processes: what is left when one of them is killed
 * anywhere, and that no step of any other gets lost. time limit: 600 s */

#include "data/table_test.h"

static struct values values;

/* ---- at every test point ------------------------------------------------------ */

/* A script of steps over few keys; a step changes one key, or clears all. The
 * number of steps that were begun stands in shared memory, so what a dict that
 * somebody died at must look like is known: before the step, or after it. */
enum { KEYS = 96, SCRIPTS = 4, STEPS = 30 };

struct scene {
    mpr_dict d;
    uint32_t *begun;
    unsigned script;
    unsigned start[KEYS]; /* what the dict has at first */
};

static void do_set(mpr_dict *d, unsigned key, unsigned v)
{
    char name[400];
    struct mpr_key k = key_number(key, name);
    struct given g;

    assert(mpr_dict_set(d, &k, give(&g, &values, v), MPR_FOREVER) == 0);
}

/* What step s of a script does to the model, and to the dict if there is one. */
static void step(struct scene *sc, unsigned s, unsigned model[KEYS],
                 mpr_dict *d)
{
    unsigned v = 1 + s * 7 + s % 7 + sc->script * 3;
    unsigned key = (s * 5 + sc->script * 17) % KEYS;
    char name[400];
    struct mpr_key k = key_number(key, name);
    struct mpr_message m = {0};
    struct given g;

    switch (sc->script == 0 ? 0 : s % 6) {
    case 0: /* new keys: the table grows */
    case 1:
        if (d)
            do_set(d, key, v);
        model[key] = v;
        break;
    case 2: /* the same key, again and again: images fill up */
        key = 2;
        if (d)
            do_set(d, key, v);
        model[key] = v;
        break;
    case 3:
        key = 2;
        k = key_number(key, name);
        if (d)
            assert(mpr_dict_remove(d, &k) == (model[key] ? 0 : -ENOENT));
        model[key] = 0;
        break;
    case 4:
        if (d) {
            assert(mpr_dict_take(d, &k, &m) == (model[key] ? 0 : -ENOENT));
            assert(!model[key] || is_value(&values, &m, model[key]));
        }
        model[key] = 0;
        break;
    case 5:
        if (sc->script == 3 && s % 12 == 5) {
            if (d)
                mpr_dict_clear(d);
            memset(model, 0, KEYS * sizeof model[0]);
            break;
        }
        if (d && model[key]) {
            assert(mpr_dict_get(d, &k, &m) == 0);
            assert(mpr_dict_replace(d, &k, &m, give(&g, &values, v)) == 0);
        } else if (d) {
            assert(mpr_dict_insert(d, &k, give(&g, &values, v), MPR_FOREVER) ==
                   0);
        }
        model[key] = v;
        break;
    }
    mpr_message_free(&m);
}

static bool is_model(mpr_dict *d, const unsigned model[KEYS])
{
    struct mpr_message m = {0};
    int64_t n = 0;
    bool same = true;

    for (unsigned i = 0; same && i < KEYS; i++) {
        char name[400];
        struct mpr_key k = key_number(i, name);
        int r = mpr_dict_get(d, &k, &m);

        assert(r == 0 || r == -ENOENT);
        same = model[i] ? r == 0 && is_value(&values, &m, model[i]) : r < 0;
        n += r == 0;
    }
    mpr_message_free(&m);
    if (same)
        assert(mpr_dict_len(d) == n);
    return same;
}

static int play(void *arg)
{
    struct scene *sc = arg;
    unsigned model[KEYS];

    memcpy(model, sc->start, sizeof model);
    for (unsigned s = 0; s < STEPS; s++) {
        *sc->begun = s + 1;
        step(sc, s, model, &sc->d);
    }
    return 0;
}

static void begin(struct scene *sc)
{
    assert(mpr_dict_create(&sc->d, NULL) == 0);
    memset(sc->start, 0, sizeof sc->start);
    *sc->begun = 0;
    /* Almost as many as one shard keeps. */
    for (unsigned i = 0; i < KEYS; i++)
        if (i % 5 && (sc->script == 0 || i % 5 < 3)) {
            do_set(&sc->d, i, i + 1);
            sc->start[i] = i + 1;
        }
}

static void look(void *arg)
{
    struct scene *sc = arg;
    unsigned model[KEYS], last[KEYS];

    memcpy(last, sc->start, sizeof last);
    memcpy(model, sc->start, sizeof model);
    for (unsigned s = 0; s < *sc->begun; s++) {
        memcpy(last, model, sizeof last);
        step(sc, s, model, NULL);
    }
    assert(is_model(&sc->d, model) || is_model(&sc->d, last));
    /* It works on as if nothing had been. */
    for (unsigned i = 0; i < KEYS; i++)
        do_set(&sc->d, i, i + 100);
    for (unsigned i = 0; i < KEYS; i++)
        model[i] = i + 100;
    assert(is_model(&sc->d, model));
    mpr_handle_close(&sc->d.h);
    nothing_left(true);
    begin(sc);
}

static void each_point(void)
{
    struct scene sc = {0};
    mpr_handle h;

    sc.begun = shared(&h, sizeof *sc.begun);
    for (sc.script = 0; sc.script < SCRIPTS; sc.script++) {
        unsigned points;

        nothing_left(false);
        begin(&sc);
        points = at_points(play, look, &sc);
        printf("script %u: %u test points\n", sc.script, points);
        assert(points > STEPS);
        mpr_handle_close(&sc.d.h);
    }
    mpr_handle_close(&h);
}

/* A dict that is taken apart, by a process that dies at it. */
static bool last_close(unsigned nth)
{
    static const struct mpr_process_options options = {.name = "child"};
    mpr_dict d, inner;
    struct mpr_key k = integer_key(1);
    const mpr_handle *refs[] = {&inner.h};
    struct mpr_parcel p = {.refs = refs, .ref_count = 1};
    mpr_process child;
    mpr_handle h;
    mpri_a32 *alone = shared(&h, sizeof *alone);

    assert(mpr_dict_create(&d, NULL) == 0);
    assert(mpr_dict_create(&inner, NULL) == 0);
    assert(mpr_dict_set(&d, &k, &p, MPR_FOREVER) == 0);
    for (unsigned i = 0; i < KEYS; i++) {
        do_set(&d, i, i * 3 + 1);
        do_set(&inner, i, i + 1);
    }
    mpr_handle_close(&inner.h);
    if (mpr_process_fork(&child, &options) == MPR_IN_CHILD) {
        while (!mpri_load_seq(alone))
            mpr_sleep(mpr_after(1e-5));
        assert(mpr_testpoint_arm("*", nth, SIGKILL) == 0);
        mpr_handle_close(&d.h);
        mpr_testpoint_arm(NULL, 0, 0);
        mpr_process_exit(&child, 0);
    }
    mpr_handle_close(&d.h);
    mpri_store_seq(alone, 1);
    nth = finish(&child) == -SIGKILL;
    mpr_handle_close(&h);
    nothing_left(true);
    return nth;
}

/* ---- at any instant -------------------------------------------------------------- */

enum { HOT = 8, WRITERS = 2 };

/* Shared by the processes of a round; one line each for what they count. */
struct round {
    struct {
        mpri_a64 begun[HOT];
        mpri_a64 done[HOT];
    } counter[WRITERS];
    mpri_a64 ready;
};

struct play {
    mpr_dict d;
    struct round *r;
    unsigned me;
};

static int write_on(void *arg)
{
    struct play *p = arg;
    struct mpr_scalar one = {.integer = 1}, none = {0}, sum;
    struct mpr_message m = {0};

    srand((unsigned)mpr_now() + p->me);
    mpri_add_seq(&p->r->ready, 1);
    for (;;) {
        unsigned n = (unsigned)rand() % HOT, i = (unsigned)rand() % KEYS;
        struct mpr_key hot = integer_key(1000000 + n);
        char name[400];
        struct mpr_key k = key_number(i, name);

        mpri_add_seq(&p->r->counter[p->me].begun[n], 1);
        assert(mpr_dict_incr(&p->d, &hot, &one, &none, &sum) == 0);
        mpri_add_seq(&p->r->counter[p->me].done[n], 1);
        switch (rand() % 8) {
        case 0:
            mpr_dict_remove(&p->d, &k);
            break;
        case 1:
            mpr_dict_take(&p->d, &k, &m);
            break;
        default:
            do_set(&p->d, i, i + KEYS * ((unsigned)rand() % 50) + 1);
        }
    }
}

/* Every value of key i is of a number i + 1 modulo KEYS. */
static void check_value(const struct mpr_message *m, unsigned i)
{
    for (unsigned v = 0; v < 50; v++)
        if (is_value(&values, m, i + KEYS * v + 1))
            return;
    assert(!"torn");
}

static int read_on(void *arg)
{
    struct play *p = arg;
    struct mpr_message m = {0};

    mpri_add_seq(&p->r->ready, 1);
    for (unsigned i = 0;; i = (i + 1) % KEYS) {
        char name[400];
        struct mpr_key k = key_number(i, name);
        int r = mpr_dict_get(&p->d, &k, &m);

        assert(r == 0 || r == -ENOENT);
        if (r == 0)
            check_value(&m, i);
        if (i == 0) {
            struct mpr_snapshot s = {0};

            assert(mpr_dict_snapshot(&p->d, &s) == 0);
            mpr_snapshot_free(&s);
        }
    }
}

static void survive(struct play *p)
{
    struct mpr_scalar none = {0}, sum;

    for (unsigned n = 0; n < HOT; n++) {
        struct mpr_key hot = integer_key(1000000 + n);
        uint64_t begun = 0, done = 0;

        for (unsigned w = 0; w < WRITERS; w++) {
            begun += mpri_load_acq(&p->r->counter[w].begun[n]);
            done += mpri_load_acq(&p->r->counter[w].done[n]);
        }
        assert(mpr_dict_incr(&p->d, &hot, &none, &none, &sum) == 0);
        assert((uint64_t)sum.integer >= done && (uint64_t)sum.integer <= begun);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        struct mpr_message m = {0};
        char name[400];
        struct mpr_key k = key_number(i, name);

        if (mpr_dict_get(&p->d, &k, &m) == 0)
            check_value(&m, i);
        mpr_message_free(&m);
    }
}

static void any_instant(void)
{
    unsigned kills = rounds(300);

    for (unsigned round = 0; round < kills; round++) {
        mpr_process child[WRITERS + 1];
        struct play p = {0};
        struct mpr_snapshot s = {0};
        mpr_handle h;

        nothing_left(false);
        p.r = shared(&h, sizeof *p.r);
        assert(mpr_dict_create(&p.d, NULL) == 0);
        for (unsigned i = 0; i < WRITERS + 1; i++) {
            p.me = i;
            start(&child[i], i < WRITERS ? write_on : read_on, &p);
        }
        while (mpri_load_seq(&p.r->ready) < WRITERS + 1)
            mpr_sleep(mpr_after(0.0001));
        for (unsigned i = 0; i < WRITERS + 1; i++) {
            mpr_sleep(mpr_after(rand() % 1000 * 1e-6));
            kill_now(&child[i]);
        }
        for (unsigned i = 0; i < WRITERS + 1; i++)
            assert(finish(&child[i]) == -SIGKILL);
        survive(&p);
        assert(mpr_dict_snapshot(&p.d, &s) == 0);
        assert((int64_t)s.count == mpr_dict_len(&p.d));
        mpr_snapshot_free(&s);
        mpr_handle_close(&p.d.h);
        mpr_handle_close(&h);
        assert(mpr_check() == 0);
        nothing_left(true);
    }
}

/* ---- one that stands still ----------------------------------------------------------- */

static mpr_dict still;

static int read_slowly(void *arg)
{
    struct mpr_key k = integer_key(5);
    struct mpr_message m = {0};
    unsigned v = *(unsigned *)arg;

    assert(mpr_testpoint_arm("dict.found", 1, SIGSTOP) == 0);
    assert(mpr_dict_get(&still, &k, &m) == 0);
    /* What it is now, or was at the start: nothing in between. */
    assert(is_value(&values, &m, v) || is_value(&values, &m, v + 1000));
    mpr_message_free(&m);
    return 0;
}

/* A reader that found an entry looks away while the table's memory is used for
 * something else. */
static void slow_reader(void)
{
    static unsigned numbers[] = {1, 22, 4, 5, 54};

    for (unsigned n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        unsigned v = numbers[n];
        struct mpr_key k = integer_key(5);
        mpr_handle junk[200];
        mpr_process child;
        struct given g;

        assert(mpr_dict_create(&still, NULL) == 0);
        assert(mpr_dict_set(&still, &k, give(&g, &values, v), MPR_FOREVER) ==
               0);
        start(&child, read_slowly, &v);
        await_state(&child, 'T');
        for (unsigned i = 0; i < 2 * KEYS; i++)
            do_set(&still, i % KEYS, 1 + i);
        assert(mpr_dict_set(&still, &k, give(&g, &values, v + 1000),
                            MPR_FOREVER) == 0);
        for (unsigned i = 0; i < 200; i++) {
            assert(mpri_block_create(64U << i % 7, 0, &junk[i]) == 0);
            memset(mpri_data(&junk[i]), 0xa5, 64U << i % 7);
        }
        assert(mpr_process_signal(&child, SIGCONT) == 0);
        assert(finish(&child) == 0);
        for (unsigned i = 0; i < 200; i++)
            mpr_handle_close(&junk[i]);
        mpr_handle_close(&still.h);
    }
}

struct first {
    const char *point;
    unsigned key, v;
};

static int put_at(void *arg)
{
    struct first *f = arg;

    assert(mpr_testpoint_arm(f->point, 1, SIGKILL) == 0);
    do_set(&still, f->key, f->v);
    return 0;
}

/* Whoever comes next repairs, before anybody has noticed the death. */
static void first_to_come(void)
{
    static struct first firsts[] = {
        {"shard.taken", 8, 5},      {"generation.odd", 8, 5},
        {"tx.counted", 8, 5},       {"tx.changed", 8, 5},
        {"shard.changed", 8, 5},    {"tx.committed", 8, 5},
        {"generation.even", 8, 5},  {"change.put", 8, 5},
        {"shard.changed", 16, 5},   {"shard.written", 16, 1},
        {"shard.published", 16, 1},
    };

    for (unsigned n = 0; n < sizeof firsts / sizeof *firsts; n++) {
        struct first *f = &firsts[n];
        struct mpr_message m = {0};
        mpr_process child;
        char name[400];
        struct mpr_key k = key_number(f->key, name);
        struct mpr_key other = integer_key(12 - 40);
        int r;

        assert(mpr_dict_create(&still, NULL) == 0);
        do_set(&still, 8, 4);
        do_set(&still, 12, 4);
        start(&child, put_at, f);
        await_state(&child, 'Z');
        do_set(&still, 12, 1);
        r = mpr_dict_get(&still, &k, &m);
        assert(r == 0 ? is_value(&values, &m, 4) || is_value(&values, &m, f->v)
                      : f->key == 16);
        assert(mpr_dict_len(&still) == (f->key == 16 && r == 0 ? 3 : 2));
        do_set(&still, f->key, 6);
        do_set(&still, f->key, 1);
        assert(mpr_dict_get(&still, &other, &m) == 0);
        assert(is_value(&values, &m, 1));
        assert(finish(&child) == -SIGKILL);
        assert(mpr_dict_get(&still, &k, &m) == 0);
        assert(is_value(&values, &m, 1));
        mpr_message_free(&m);
        mpr_handle_close(&still.h);
        assert(mpr_check() == 0);
    }
}

/* ---- no step is lost -------------------------------------------------------------- */

enum { HOW_INCR, HOW_REPLACE, HOW_RESERVE };

struct count {
    mpr_dict d;
    int how;
    int64_t times;
};

static void replace_once(mpr_dict *d, const struct mpr_key *k,
                         struct mpr_message *m)
{
    struct mpr_parcel p = {0};
    uint8_t bytes[16];
    int r;

    do {
        struct mpr_reader reader;
        struct mpr_token token = {0};

        r = mpr_dict_get(d, k, m);
        if (r == 0) {
            reader = mpr_reader_of(m->bytes, m->size);
            assert(mpr_read(&reader, &token) == 1);
        }
        p.bytes = bytes;
        p.size = (size_t)(mpr_put_integer(bytes, token.integer + 1) - bytes);
        r = mpr_dict_replace(d, k, r == 0 ? m : NULL, &p);
    } while (r == -ESTALE);
    assert(r == 0);
}

static int count(void *arg)
{
    struct count *c = arg;
    struct mpr_scalar one = {.integer = 1}, none = {0}, sum;
    struct mpr_key k = string_key("n");
    struct mpr_message m = {0};

    c->d.actor = new_actor();
    for (int64_t i = 0; i < c->times; i++) {
        switch (c->how) {
        case HOW_INCR:
            assert(mpr_dict_incr(&c->d, &k, &one, &none, &sum) == 0);
            break;
        case HOW_REPLACE:
            replace_once(&c->d, &k, &m);
            break;
        case HOW_RESERVE:
            while (mpr_dict_reserve(&c->d, &k) == -EBUSY)
                mpr_sleep(mpr_after(1e-6));
            replace_once(&c->d, &k, &m);
            mpr_dict_release(&c->d);
            break;
        }
    }
    mpr_message_free(&m);
    return 0;
}

static void exact(int how, unsigned processes, int64_t times)
{
    struct count c = {.how = how, .times = times / SLOWER};
    struct mpr_scalar none = {0}, sum;
    struct mpr_key k = string_key("n");
    mpr_process child[8];
    int64_t begun = mpr_now();

    assert(mpr_dict_create(&c.d, NULL) == 0);
    for (unsigned i = 0; i < processes; i++)
        start(&child[i], count, &c);
    for (unsigned i = 0; i < processes; i++)
        assert(finish(&child[i]) == 0);
    assert(mpr_dict_incr(&c.d, &k, &none, &none, &sum) == 0);
    assert(sum.integer == c.times * processes);
    printf("%u processes, %s: %.0f ns each\n", processes,
           how == HOW_INCR      ? "incr"
           : how == HOW_REPLACE ? "replace"
                                : "reserve",
           (double)(mpr_now() - begun) / (double)sum.integer);
    mpr_handle_close(&c.d.h);
}

/* ---- a reservation ends with its holder --------------------------------------------- */

static int reserve_and_stay(void *arg)
{
    struct play *p = arg;
    struct mpr_key k = integer_key(1);

    p->d.actor = new_actor();
    assert(mpr_dict_reserve(&p->d, &k) == 0);
    mpri_store_seq(&p->r->ready, 1);
    for (;;)
        pause();
}

static void reserver_dies(void)
{
    struct mpr_key k = integer_key(1);
    mpr_process child;
    struct play p = {0};
    mpr_handle h;

    p.r = shared(&h, sizeof *p.r);
    assert(mpr_dict_create(&p.d, NULL) == 0);
    start(&child, reserve_and_stay, &p);
    while (!mpri_load_seq(&p.r->ready))
        mpr_sleep(mpr_after(0.001));
    assert(mpr_dict_get(&p.d, &k, &(struct mpr_message){0}) == -ENOENT);
    do_set(&p.d, 42, 1); /* another key */
    kill_now(&child);
    {
        struct given g;

        assert(mpr_dict_set(&p.d, &k, give(&g, &values, 1), MPR_FOREVER) == 0);
    }
    assert(finish(&child) == -SIGKILL);
    mpr_handle_close(&p.d.h);
    mpr_handle_close(&h);
}

/* ---- threads, for the sanitizer that watches them ------------------------------------ */

static mpr_dict threads_dict;
static mpri_a32 over;

static void *thread_write(void *arg)
{
    unsigned me = *(unsigned *)arg;

    for (unsigned n = 0; n < 20000 / SLOWER; n++) {
        unsigned i = (n * 7 + me) % KEYS;

        if (n % 5 == 4) {
            char name[400];
            struct mpr_key k = key_number(i, name);

            mpr_dict_remove(&threads_dict, &k);
        } else {
            do_set(&threads_dict, i, i + KEYS * (n % 50) + 1);
        }
    }
    mpri_add_seq(&over, 1);
    return NULL;
}

static void *thread_read(void *arg)
{
    struct mpr_message m = {0};

    (void)arg;
    for (unsigned i = 0; mpri_load_seq(&over) < 2; i = (i + 1) % KEYS) {
        char name[400];
        struct mpr_key k = key_number(i, name);

        if (mpr_dict_get(&threads_dict, &k, &m) == 0)
            check_value(&m, i);
    }
    mpr_message_free(&m);
    return NULL;
}

static void threads(void)
{
    static unsigned number[2] = {0, 1};
    pthread_t t[3];

    assert(mpr_dict_create(&threads_dict, NULL) == 0);
    for (int i = 0; i < 2; i++)
        assert(pthread_create(&t[i], NULL, thread_write, &number[i]) == 0);
    assert(pthread_create(&t[2], NULL, thread_read, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    mpr_handle_close(&threads_dict.h);
}

int main(void)
{
    unsigned points = 0;

    seed();
    values_open(&values);
    threads();
    for (unsigned n = 2; n <= 8; n *= 2) {
        exact(HOW_INCR, n, 100000);
        exact(HOW_REPLACE, n, 20000);
        exact(HOW_RESERVE, n, 5000);
    }
    reserver_dies();
    slow_reader();
    nothing_left(false);
    first_to_come();
    nothing_left(true);
    each_point();
    nothing_left(false);
    while (last_close(points + 1))
        points += 1 + (unsigned)rand() % (SLOWER > 1 ? 30 : 1);
    printf("last close: %u test points\n", points);
    assert(points > KEYS);
    any_instant();
    values_close(&values);
    return 0;
}
