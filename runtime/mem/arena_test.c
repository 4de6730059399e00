/* The allocator against a model, and under kills: whatever a killed process
 * left is undone to the last bit. */

#include "mem/arena.h"

#include "base/test.h"
#include "mem/tx.h"

enum { PIECES = 400, BIG = 300 /* pages */ };

struct piece {
    uint64_t off; /* 0: none */
    uint64_t size;
    uint64_t mark; /* stands at both ends of the piece */
    bool run;
};

static struct piece pieces[PIECES];

static uint64_t size_of_used(void)
{
    struct mpri_arena_stats s;

    mpri_arena_stats(&s);
    return s.pages_used;
}

static void check(void)
{
    CHECK_IS(mpri_arena_check(), 0);
    CHECK(!mpri_tx_open());
}

static void mark(struct piece *p)
{
    uint64_t last = p->off + p->size - 8;

    p->mark = test_random();
    /* The first words of a free piece are the allocator's: write all. */
    *(uint64_t *)mpri_at(p->off) = p->mark;
    *(uint64_t *)mpri_at(last) = p->mark;
}

static bool marked(const struct piece *p)
{
    return *(uint64_t *)mpri_at(p->off) == p->mark &&
           *(uint64_t *)mpri_at(p->off + p->size - 8) == p->mark;
}

/* The rest of what life/run.c does: cold memory is added when there is no warm
 * one, all in transactions that are still open at return. */

static int take_run(uint64_t count, uint64_t *page)
{
    uint64_t first, more;
    int err = mpri_arena_take_warm(count, page);

    if (err != -EAGAIN)
        return err;
    mpri_arena_growth(count, &first, &more);
    err = mpri_segment_back_table(first, more);
    return err < 0 ? err : mpri_arena_take_cold(count, page);
}

static int take_small(uint64_t size, uint64_t *off)
{
    uint64_t page;
    int err = mpri_arena_take_small(size, off);

    if (err != -EAGAIN)
        return err;
    err = take_run(MPRI_CHUNK_PAGES, &page);
    if (err < 0)
        return err;
    mpri_arena_give_run(page, true);
    return mpri_arena_take_small(size, off);
}

static int take(struct piece *p, uint64_t size)
{
    uint64_t page;
    int err;

    p->run = size > MPRI_SMALL_MAX;
    if (p->run) {
        err = take_run((size + MPRI_PAGE - 1) / MPRI_PAGE, &page);
        p->off = err < 0 ? 0 : mpri_page_off(page);
    } else {
        err = take_small(size, &p->off);
    }
    if (err < 0) {
        p->off = 0;
        return err;
    }
    p->size = mpri_arena_piece_size(p->off);
    CHECK(p->size >= size);
    CHECK(p->off % 64 == 0);
    CHECK(p->off + p->size <= mpri_map.size);
    return 0;
}

static void give(struct piece *p)
{
    if (p->run)
        mpri_arena_give_run(mpri_page_of(p->off), test_below(4) != 0);
    else
        mpri_arena_give_small(p->off);
    p->off = 0;
}

static uint64_t any_size(void)
{
    switch (test_below(8)) {
    case 0:
        return 1 + test_below(BIG * MPRI_PAGE);
    case 1:
        return 1 + test_below(8 * MPRI_PAGE);
    default:
        return 1 + test_below(MPRI_SMALL_MAX);
    }
}

static void cool_down(bool all)
{
    uint64_t page;

    while (mpri_arena_take_excess(all, &page)) {
        mpri_arena_give_run(page, false);
        mpri_tx_commit();
    }
}

static void start(uint64_t size)
{
    CHECK(mpri_segment_create(size) == 0);
    mpri_arena_init();
    memset(pieces, 0, sizeof pieces);
    check();
}

static void end(void)
{
    for (int i = 0; i < PIECES; i++)
        if (pieces[i].off) {
            CHECK(marked(&pieces[i]));
            give(&pieces[i]);
            mpri_tx_commit();
        }
    check();
    /* A slab of each size may stay. */
    CHECK(size_of_used() <= 6 * MPRI_SLAB_PAGES);
    cool_down(true);
    check();
    mpri_segment_close();
}

static void one_step(void)
{
    struct piece *p = &pieces[test_below(PIECES)];

    if (p->off) {
        CHECK(marked(p));
        give(p);
    } else if (take(p, any_size()) == 0) {
        mark(p);
    }
    mpri_tx_commit();
}

static void agrees_with_model(void)
{
    start(64 << 20);
    mpri_arena_keep_warm(4 << 20);
    for (unsigned i = 0; i < test_rounds(20000); i++) {
        one_step();
        check();
        if (test_below(50) == 0)
            cool_down(false);
    }
    end();
}

/* Nobody overlaps: each piece is filled with bytes of its own. */
static void pieces_are_apart(void)
{
    start(64 << 20);
    for (unsigned i = 0; i < test_rounds(3000); i++) {
        struct piece *p = &pieces[test_below(PIECES)];
        unsigned char byte = (unsigned char)(p - pieces);

        if (p->off) {
            const unsigned char *b = mpri_at(p->off);

            for (uint64_t k = 0; k < p->size; k += 16)
                CHECK(b[k] == byte);
            give(p);
        } else if (take(p, any_size()) == 0) {
            memset(mpri_at(p->off), byte, p->size);
        }
        mpri_tx_commit();
    }
    check();
    for (int i = 0; i < PIECES; i++)
        if (pieces[i].off)
            mark(&pieces[i]);
    end();
}

static void rolled_back_is_as_before(void)
{
    start(64 << 20);
    for (unsigned i = 0; i < test_rounds(2000); i++) {
        struct piece some = {0};
        uint64_t used;

        one_step();
        used = size_of_used();
        if (take(&some, any_size()) == 0 && test_below(2))
            give(&some);
        mpri_tx_rollback();
        check();
        CHECK_IS(size_of_used(), used);
    }
    end();
}

/* ---- kills ---------------------------------------------------------------*/

static struct {
    uint64_t size; /* to take, or 0 */
    int give;      /* else: index to give */
} operation;

static void operate(void *unused)
{
    struct piece some = {0};

    (void)unused;
    if (operation.size)
        take(&some, operation.size);
    else
        give(&pieces[operation.give]);
}

static uint8_t *before;
static uint64_t before_size;

/* Everything that an operation may change: lists, and the pages up to the
 * frontier with their table; the log apart. */
static uint64_t everything(void)
{
    struct mpri_arena_stats s;

    mpri_arena_stats(&s);
    return mpri_page_off(s.frontier);
}

static void remember(void)
{
    before_size = everything();
    before = realloc(before, before_size);
    CHECK(before);
    memcpy(before, mpri_map.base, before_size);
}

static void compare(void)
{
    CHECK_IS(everything(), before_size);
    CHECK(memcmp(before, mpri_map.base, MPRI_AT_TX) == 0);
    CHECK(memcmp(before + MPRI_AT_TX_END, mpri_map.base + MPRI_AT_TX_END,
                 before_size - MPRI_AT_TX_END) == 0);
}

static void kill_everywhere(void)
{
    for (uint32_t nth = 1;; nth++) {
        bool killed = test_kill_at("*", nth, operate, NULL);

        mpri_tx_rollback();
        check();
        compare();
        if (!killed)
            return;
        /* All points of the first few, then some. */
        if (nth > 30)
            nth += (uint32_t)test_below(10);
    }
}

static void kills_are_undone(void)
{
    if (!TEST_FORKS)
        return;
    start(32 << 20);
    for (unsigned i = 0; i < test_rounds(15); i++) {
        for (int k = 0; k < 20; k++)
            one_step();
        remember();
        operation.size = any_size();
        kill_everywhere();
        operation.size = 0;
        operation.give = (int)test_below(PIECES);
        if (pieces[operation.give].off)
            kill_everywhere();
    }
    end();
}

/* ---- limits --------------------------------------------------------------*/

static void exhausted_and_back(void)
{
    static const uint64_t sizes[] = {64, 2048, 4096, 100000, 1000000};

    for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct piece some, last = {0};
        uint64_t n = 0, chain = 0, used;

        start(16 << 20);
        used = size_of_used();
        while (take(&some, sizes[k]) == 0) {
            mpri_tx_commit();
            *(uint64_t *)mpri_at(some.off) = chain;
            chain = some.off;
            last = some;
            n++;
        }
        CHECK(!mpri_tx_open());
        check();
        /* 16 MiB less 8 for the tables, and what the sizes leave over. */
        CHECK(n * last.size > 6 << 20);
        for (; chain; n--) {
            some = last;
            some.off = chain;
            chain = *(uint64_t *)mpri_at(chain);
            give(&some);
            mpri_tx_commit();
        }
        CHECK_IS(n, 0);
        check();
        CHECK(size_of_used() <= used + MPRI_SLAB_PAGES);
        cool_down(true);
        /* What was cut small is whole again, but for a slab that stayed. */
        CHECK(take(&some, last.run ? 7 << 20 : 3 << 20) == 0);
        give(&some);
        mpri_tx_commit();
        end();
    }
}

/* The frontier stands at the end, on a page boundary of the table: nothing is
 * left to back, and that is no error. */
static void full_table_is_no_error(void)
{
    struct piece p;
    uint64_t first, more;

    for (uint64_t size = 16 << 20; size < 18 << 20; size += MPRI_PAGE) {
        CHECK(mpri_segment_create(size) == 0);
        if (mpri_segment()->pages % 256 != 0) {
            mpri_segment_close();
            continue;
        }
        mpri_arena_init();
        while (take(&p, 4096) == 0)
            mpri_tx_commit();
        mpri_arena_growth(1, &first, &more);
        CHECK_IS(more, 0);
        CHECK_IS(mpri_segment_back_table(first, more), 0);
        mpri_segment_close();
        return;
    }
    CHECK(!"such a size");
}

static void cached_runs_are_reused(void)
{
    uint64_t a, b, c;

    start(256 << 20);
    CHECK(take_run(5000, &a) == 0);
    mpri_arena_give_run(a, true);
    mpri_tx_commit();
    CHECK(mpri_arena_take_warm(5000, &b) == 0 && a == b);
    mpri_arena_give_run(b, true);
    mpri_tx_commit();
    /* A smaller one does not waste a large run's memory, nor does one that is
     * too large get too little. */
    CHECK(mpri_arena_take_warm(3000, &c) == -EAGAIN);
    CHECK(mpri_arena_take_warm(5001, &c) == -EAGAIN);
    CHECK(mpri_arena_take_warm(4500, &c) == 0 && c == a);
    mpri_tx_commit();
    check();
    mpri_arena_give_run(c, true);
    mpri_tx_commit();
    cool_down(true);
    CHECK(mpri_arena_take_warm(5000, &c) == -EAGAIN);
    end();
}

/* More runs than the cache has places for: none is lost, and none of their
 * memory has to be backed again. */
static void many_runs_stay_warm(void)
{
    uint64_t pages[100];

    start(256 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            if (round > 0)
                CHECK(mpri_arena_take_warm(64, &pages[i]) == 0);
            else
                CHECK(take_run(64, &pages[i]) == 0);
            mpri_tx_commit();
        }
        check();
        for (int i = 0; i < 100; i++) {
            mpri_arena_give_run(pages[i], true);
            mpri_tx_commit();
        }
        check();
    }
    end();
}

static void warm_memory_is_bounded(void)
{
    struct mpri_arena_stats s;
    uint64_t pages[60];

    start(256 << 20);
    mpri_arena_keep_warm(4 << 20);
    for (unsigned i = 0; i < 60; i++) {
        CHECK(take_run(i % 2 ? 20 : 100, &pages[i]) == 0);
        mpri_tx_commit();
    }
    for (unsigned i = 0; i < 60; i++) {
        mpri_arena_give_run(pages[i], true);
        mpri_tx_commit();
        cool_down(false);
        mpri_arena_stats(&s);
        CHECK(s.pages_warm <= (4 << 20) / MPRI_PAGE);
        CHECK(!mpri_arena_has_excess());
        check();
    }
    CHECK(s.pages_warm > (2 << 20) / MPRI_PAGE);
    end();
}

/* Offsets that were read from shared memory may be anything. */
static void strange_offsets_are_no_pieces(void)
{
    struct piece p;

    start(32 << 20);
    CHECK(take(&p, 100) == 0);
    mpri_tx_commit();
    CHECK_IS(mpri_arena_piece_size(0), 0);
    CHECK_IS(mpri_arena_piece_size(64), 0);
    CHECK_IS(mpri_arena_piece_size(p.off + 32), 0);
    CHECK_IS(mpri_arena_piece_size(p.off + 64), 0);
    CHECK_IS(mpri_arena_piece_size(p.off + 128), 128);
    CHECK_IS(mpri_arena_piece_size(p.off & ~4095ULL), 0);
    CHECK_IS(mpri_arena_piece_size(mpri_map.size - 64), 0);
    CHECK_IS(mpri_arena_piece_size(mpri_map.size), 0);
    for (int i = 0; i < 100000; i++)
        mpri_arena_piece_size(i % 2 ? test_random() : test_below(48 << 20));
    mpri_segment_close();
}

int main(void)
{
    test_begin(60);
    RUN(agrees_with_model);
    RUN(pieces_are_apart);
    RUN(rolled_back_is_as_before);
    RUN(kills_are_undone);
    RUN(exhausted_and_back);
    RUN(full_table_is_no_error);
    RUN(cached_runs_are_reused);
    RUN(many_runs_stay_warm);
    RUN(warm_memory_is_bounded);
    RUN(strange_offsets_are_no_pieces);
    free(before);
    return 0;
}
