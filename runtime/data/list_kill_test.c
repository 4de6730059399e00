/* Lists of several processes: what is left when one of them is killed
 * anywhere, and that no step of any other gets lost. time limit: 600 s */

#include "data/table_test.h"

static struct values values;

/* ---- at every test point ---------------------------------------------------------- */

enum { MOST = 700, SCRIPTS = 3, STEPS = 24 };

struct model {
    unsigned item[MOST];
    uint64_t n;
};

struct scene {
    mpr_list l;
    uint32_t *begun;
    unsigned script;
    struct model start;
};

static void model_insert(struct model *m, uint64_t at, unsigned v)
{
    memmove(m->item + at, m->item + at - 1,
            (m->n - at + 1) * sizeof m->item[0]);
    m->item[at - 1] = v;
    m->n++;
}

static void do_insert(mpr_list *l, struct model *m, uint64_t at, unsigned v)
{
    struct given g;

    if (l)
        assert(mpr_list_insert(l, at, give(&g, &values, v)) == 0);
    model_insert(m, at ? at : m->n + 1, v);
}

static void do_take(mpr_list *l, struct model *m, uint64_t at)
{
    struct mpr_message message = {0};

    if (l)
        assert(mpr_list_take(l, at, &message) == (m->n ? 0 : -ERANGE));
    mpr_message_free(&message);
    if (m->n == 0)
        return;
    if (at == 0)
        at = m->n;
    m->n--;
    memmove(m->item + at - 1, m->item + at,
            (m->n - at + 1) * sizeof m->item[0]);
}

static void do_extend(mpr_list *l, struct model *m, unsigned n, unsigned v)
{
    struct given *g = calloc(n, sizeof *g);
    struct mpr_parcel *parcels = calloc(n, sizeof *parcels);

    for (unsigned i = 0; i < n; i++) {
        /* Few of them are long, or hold something. */
        unsigned number = i % 30 ? (v + i) % 3 + 1 : v + i;

        parcels[i] = *give(&g[i], &values, number);
        m->item[m->n++] = number;
    }
    if (l)
        assert(mpr_list_extend(l, parcels, n) == 0);
    free(g);
    free(parcels);
}

static void do_reverse(mpr_list *l, struct model *m)
{
    static uint64_t order[MOST];
    struct mpr_snapshot s = {0};
    struct model was = *m;

    for (uint64_t i = 0; i < m->n; i++) {
        order[i] = m->n - i;
        m->item[i] = was.item[m->n - i - 1];
    }
    if (!l)
        return;
    assert(mpr_list_snapshot(l, &s) == 0);
    assert(mpr_list_arrange(l, s.version, order, m->n) == 0);
    mpr_snapshot_free(&s);
}

/* What step s of a script does to the model, and to the list if there is one. */
static void step(const struct scene *sc, unsigned s, struct model *m,
                 mpr_list *l)
{
    unsigned v = 1 + s * 3 + s % 7 + sc->script;
    struct given g;

    switch ((s * 7 + sc->script * 5) % 12) {
    case 0:
    case 1:
        do_insert(l, m, 0, v);
        break;
    case 2:
        do_insert(l, m, 1, v);
        break;
    case 3:
        do_insert(l, m, m->n / 2 + 1, v);
        break;
    case 4:
        do_take(l, m, 0);
        break;
    case 5:
        do_take(l, m, 1);
        break;
    case 6:
        do_take(l, m, m->n / 2 + m->n % 2);
        break;
    case 7:
        do_extend(l, m, 5, v);
        break;
    case 8:
        if (m->n < MOST / 2)
            do_extend(l, m, 140, v);
        break;
    case 9:
        do_reverse(l, m);
        break;
    case 10:
        if (m->n == 0)
            break;
        if (l)
            assert(mpr_list_set(l, m->n, give(&g, &values, v)) == 0);
        m->item[m->n - 1] = v;
        break;
    case 11:
        if (s % 4 == 3 && sc->script == 2) {
            if (l)
                assert(mpr_list_clear(l) == 0);
            m->n = 0;
        }
        break;
    }
}

static bool is_model(mpr_list *l, const struct model *m)
{
    struct mpr_message message = {0};
    bool same = mpr_list_len(l) == m->n;

    for (uint64_t i = 0; same && i < m->n; i++) {
        assert(mpr_list_get(l, i + 1, &message) == 0);
        same = is_value(&values, &message, m->item[i]);
    }
    mpr_message_free(&message);
    return same;
}

static int play(void *arg)
{
    struct scene *sc = arg;
    struct model m = sc->start;

    for (unsigned s = 0; s < STEPS; s++) {
        *sc->begun = s + 1;
        step(sc, s, &m, &sc->l);
    }
    return 0;
}

static void begin(struct scene *sc)
{
    assert(mpr_list_create(&sc->l, NULL) == 0);
    sc->start.n = 0;
    *sc->begun = 0;
    /* One leaf that is about to be full; four; none. */
    if (sc->script < 2)
        do_extend(&sc->l, &sc->start, sc->script ? 500 : 126, 1);
}

static void look(void *arg)
{
    static struct model m, last;
    struct scene *sc = arg;

    m = last = sc->start;
    for (unsigned s = 0; s < *sc->begun; s++) {
        last = m;
        step(sc, s, &m, NULL);
    }
    if (!is_model(&sc->l, &m)) {
        assert(is_model(&sc->l, &last));
        m = last;
    }
    /* It works on as if nothing had been. */
    do_insert(&sc->l, &m, 1, 5);
    do_insert(&sc->l, &m, m.n / 2 + 1, 4);
    do_insert(&sc->l, &m, 0, 6);
    do_extend(&sc->l, &m, 7, 1);
    assert(is_model(&sc->l, &m));
    do_take(&sc->l, &m, m.n / 2 + 1);
    do_take(&sc->l, &m, 0);
    do_take(&sc->l, &m, 1);
    assert(is_model(&sc->l, &m));
    mpr_handle_close(&sc->l.h);
    nothing_left(true);
    begin(sc);
}

static void each_point(void)
{
    static struct scene sc;
    mpr_handle h;

    sc.begun = shared(&h, sizeof *sc.begun);
    for (sc.script = 0; sc.script < SCRIPTS; sc.script++) {
        unsigned points;

        nothing_left(false);
        begin(&sc);
        points = at_points(play, look, &sc);
        printf("script %u: %u test points\n", sc.script, points);
        assert(points > STEPS);
        mpr_handle_close(&sc.l.h);
    }
    mpr_handle_close(&h);
}

/* ---- at any instant ------------------------------------------------------------------- */

enum { WRITERS = 2 };

struct round {
    struct {
        mpri_a64 begun; /* appends of this writer */
        mpri_a64 done;
        mpri_a64 taken; /* the last of them that was taken and noted */
        uint64_t unused[5];
    } writer[WRITERS];
    mpri_a64 ready;
};

struct play {
    mpr_list l;
    struct round *r;
    unsigned me;
};

/* Item number n of writer w: of various lengths, some with an object. */
static const struct mpr_parcel *make(struct given *g, unsigned w, uint64_t n)
{
    static const size_t sizes[] = {16, 24, 100, 1500};

    g->parcel = (struct mpr_parcel){
        .bytes = g->bytes,
        .size = sizes[n % 7 < 4 ? n % 7 : 0],
        .refs = g->refs,
        .ref_count = n % 5 == 0,
    };
    memset(g->bytes, (int)n, g->parcel.size);
    memcpy(g->bytes, &n, 8);
    g->bytes[8] = (uint8_t)w;
    g->refs[0] = &values.object[w].h;
    return &g->parcel;
}

static uint64_t read_item(const struct mpr_message *m, unsigned *w)
{
    struct given g;
    uint64_t n;

    assert(m->size >= 16);
    memcpy(&n, m->bytes, 8);
    *w = m->bytes[8];
    assert(*w < WRITERS);
    make(&g, *w, n);
    assert(g.parcel.size == m->size && memcmp(g.bytes, m->bytes, m->size) == 0);
    assert(g.parcel.ref_count == m->ref_count);
    assert(!m->ref_count ||
           mpr_handle_id(&m->refs[0]) == mpr_handle_id(&values.object[*w].h));
    return n;
}

static int write_on(void *arg)
{
    struct play *p = arg;

    mpri_add_seq(&p->r->ready, 1);
    for (uint64_t n = 1;; n++) {
        struct given g;

        mpri_store_seq(&p->r->writer[p->me].begun, n);
        assert(mpr_list_insert(&p->l, 0, make(&g, p->me, n)) == 0);
        mpri_store_seq(&p->r->writer[p->me].done, n);
    }
}

static int take_on(void *arg)
{
    struct play *p = arg;
    struct mpr_message m = {0};

    mpri_add_seq(&p->r->ready, 1);
    for (;;) {
        unsigned w;
        uint64_t n;
        int r = mpr_list_take(&p->l, 1, &m);

        assert(r == 0 || r == -ERANGE);
        if (r < 0)
            continue;
        n = read_item(&m, &w);
        assert(n == mpri_load_seq(&p->r->writer[w].taken) + 1);
        mpri_store_seq(&p->r->writer[w].taken, n);
    }
}

/* Looks, and changes nothing: also in the middle of the list. */
static int read_on(void *arg)
{
    struct play *p = arg;
    struct mpr_message m = {0};

    mpri_add_seq(&p->r->ready, 1);
    for (;;) {
        uint64_t n = mpr_list_len(&p->l);
        unsigned w;
        int r = mpr_list_get(&p->l, n ? 1 + (uint64_t)rand() % n : 1, &m);

        assert(r == 0 || r == -ERANGE);
        if (r == 0)
            read_item(&m, &w);
    }
}

static void survive(struct play *p)
{
    uint64_t next[WRITERS] = {0};
    struct mpr_snapshot s = {0};
    struct mpr_message m = {0};

    assert(mpr_list_snapshot(&p->l, &s) == 0);
    assert(s.count == mpr_list_len(&p->l));
    while (mpr_snapshot_next(&s, NULL, &m) == 1) {
        unsigned w;
        uint64_t n = read_item(&m, &w);
        uint64_t taken = mpri_load_acq(&p->r->writer[w].taken);

        /* One may have been taken and not noted. */
        assert(next[w] ? n == next[w] : n == taken + 1 || n == taken + 2);
        next[w] = n + 1;
    }
    for (unsigned w = 0; w < WRITERS; w++)
        if (next[w])
            assert(next[w] > mpri_load_acq(&p->r->writer[w].done) &&
                   next[w] <= mpri_load_acq(&p->r->writer[w].begun) + 1);
    mpr_message_free(&m);
    mpr_snapshot_free(&s);
}

static void any_instant(void)
{
    static int (*const roles[])(void *) = {write_on, write_on, take_on,
                                           read_on};
    enum { ROLES = sizeof roles / sizeof *roles };
    unsigned kills = rounds(300);

    for (unsigned round = 0; round < kills; round++) {
        mpr_process child[ROLES];
        struct play p = {0};
        mpr_handle h;

        nothing_left(false);
        p.r = shared(&h, sizeof *p.r);
        assert(mpr_list_create(&p.l, NULL) == 0);
        for (unsigned i = 0; i < ROLES; i++) {
            p.me = i;
            start(&child[i], roles[i], &p);
        }
        while (mpri_load_seq(&p.r->ready) < ROLES)
            mpr_sleep(mpr_after(0.0001));
        for (unsigned i = 0; i < ROLES; i++) {
            mpr_sleep(mpr_after(rand() % 1000 * 1e-6));
            kill_now(&child[(i + round) % ROLES]);
        }
        for (unsigned i = 0; i < ROLES; i++)
            assert(finish(&child[i]) == -SIGKILL);
        survive(&p);
        mpr_handle_close(&p.l.h);
        mpr_handle_close(&h);
        assert(mpr_check() == 0);
        nothing_left(true);
    }
}

/* ---- one that stands still ---------------------------------------------------------------- */

static mpr_list still;

static int read_slowly(void *arg)
{
    struct mpr_message m = {0};
    unsigned v = *(unsigned *)arg;

    assert(mpr_testpoint_arm("list.found", 1, SIGSTOP) == 0);
    assert(mpr_list_get(&still, 3, &m) == 0);
    assert(is_value(&values, &m, v) || is_value(&values, &m, 6));
    mpr_message_free(&m);
    return 0;
}

/* A reader that found an item looks away while others change the list. */
static void slow_reader(void)
{
    static unsigned numbers[] = {1, 22, 4, 5, 54};

    for (unsigned n = 0; n < 2 * sizeof numbers / sizeof *numbers; n++) {
        unsigned v = numbers[n / 2];
        static struct model model;
        mpr_process child;

        model.n = 0;
        assert(mpr_list_create(&still, NULL) == 0);
        for (unsigned i = 0; i < 4; i++)
            do_insert(&still, &model, 0, v);
        start(&child, read_slowly, &v);
        await_state(&child, 'T');
        if (n % 2) { /* the memory serves others */
            assert(mpr_list_clear(&still) == 0);
            model.n = 0;
            do_extend(&still, &model, 300, 2);
            for (unsigned i = 1; i < 10; i++)
                do_insert(&still, &model, 1, 6);
        } else { /* other items have the index; the place is used again */
            struct given g;

            for (unsigned i = 0; i < 2; i++)
                do_take(&still, &model, 1);
            do_insert(&still, &model, 0, 6);
            assert(mpr_list_set(&still, 1, give(&g, &values, 8)) == 0);
        }
        assert(mpr_process_signal(&child, SIGCONT) == 0);
        assert(finish(&child) == 0);
        mpr_handle_close(&still.h);
    }
}

/* ---- no step is lost ------------------------------------------------------------------------ */

struct crowd {
    mpr_list from, to;
    int64_t times;
};

/* Takes from one end and puts at another: what is there stays there. */
static int carry(void *arg)
{
    struct crowd *c = arg;
    struct mpr_message m = {0};

    srand((unsigned)mpr_now());
    for (int64_t i = 0; i < c->times; i++) {
        mpr_list *a = rand() % 2 ? &c->from : &c->to;
        mpr_list *b = rand() % 2 ? &c->from : &c->to;
        uint64_t n = mpr_list_len(b);
        struct mpr_parcel p = {0};

        if (mpr_list_take(a, (uint64_t)rand() % 3, &m) < 0)
            continue;
        p.bytes = m.bytes;
        p.size = m.size;
        while (mpr_list_insert(b, n ? (uint64_t)rand() % n : 0, &p) < 0)
            n = 0;
    }
    mpr_message_free(&m);
    return 0;
}

static void nothing_lost(unsigned processes)
{
    struct crowd c = {.times = 4000 / SLOWER};
    mpr_process child[8];
    static bool seen[500];
    struct mpr_message m = {0};

    memset(seen, 0, sizeof seen);
    assert(mpr_list_create(&c.from, NULL) == 0);
    assert(mpr_list_create(&c.to, NULL) == 0);
    for (uint32_t i = 0; i < 500; i++) {
        struct mpr_parcel p = {.bytes = &i, .size = sizeof i};

        assert(mpr_list_insert(&c.from, 0, &p) == 0);
    }
    for (unsigned i = 0; i < processes; i++)
        start(&child[i], carry, &c);
    for (unsigned i = 0; i < processes; i++)
        assert(finish(&child[i]) == 0);
    for (unsigned n = 0; n < 500; n++) {
        uint32_t i;

        if (mpr_list_take(&c.from, 0, &m) < 0)
            assert(mpr_list_take(&c.to, 0, &m) == 0);
        assert(m.size == sizeof i);
        memcpy(&i, m.bytes, sizeof i);
        assert(i < 500 && !seen[i]);
        seen[i] = true;
    }
    assert(mpr_list_take(&c.from, 0, &m) == -ERANGE);
    assert(mpr_list_take(&c.to, 0, &m) == -ERANGE);
    mpr_message_free(&m);
    mpr_handle_close(&c.from.h);
    mpr_handle_close(&c.to.h);
}

/* ---- threads, for the sanitizer that watches them --------------------------------------------- */

static mpri_a32 over;

static void *thread_write(void *arg)
{
    unsigned w = *(unsigned *)arg;
    struct mpr_message m = {0};

    for (uint64_t n = 1; n < 10000 / SLOWER; n++) {
        struct given g;

        assert(mpr_list_insert(&still, n % 3, make(&g, w, n)) == 0 ||
               n % 3 == 2);
        if (n % 2)
            mpr_list_take(&still, n % 4, &m);
        if (n % 500 == 0)
            mpr_list_clear(&still);
    }
    mpr_message_free(&m);
    mpri_add_seq(&over, 1);
    return NULL;
}

static void *thread_read(void *arg)
{
    struct mpr_message m = {0};
    unsigned w;

    (void)arg;
    while (mpri_load_seq(&over) < 2)
        for (uint64_t i = 1; mpr_list_get(&still, i, &m) == 0; i++)
            read_item(&m, &w);
    mpr_message_free(&m);
    return NULL;
}

static void threads(void)
{
    static unsigned number[2] = {0, 1};
    pthread_t t[3];

    assert(mpr_list_create(&still, NULL) == 0);
    for (int i = 0; i < 2; i++)
        assert(pthread_create(&t[i], NULL, thread_write, &number[i]) == 0);
    assert(pthread_create(&t[2], NULL, thread_read, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    mpr_handle_close(&still.h);
}

int main(void)
{
    seed();
    values_open(&values);
    threads();
    for (unsigned n = 2; n <= 8; n *= 2)
        nothing_lost(n);
    slow_reader();
    each_point();
    any_instant();
    values_close(&values);
    return 0;
}
