/* Blocks: made, held, dropped, by threads and processes that are killed; and
 * what becomes of memory. */

#include "life/block.h"

#include "life/life_test.h"
#include "mem/arena.h"
#include "mem/tx.h"
#include "os/os.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const uint64_t MIB = 1 << 20;

static uint64_t backed(void)
{
    struct stat st;

    CHECK(fstat(mpri_map.fd, &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

static void counts_to_zero(void)
{
    unsigned count = test_rounds(1000000);
    struct mpr_stats before, now;
    mpr_handle h, keep[100] = {0};

    test_sums(&before);
    for (unsigned i = 0; i < count; i++) {
        mpr_handle *k = &keep[test_below(100)];

        mpri_drop(k);
        CHECK_IS(mpri_block_create(test_below(600), 0, k), 0);
        CHECK_IS(mpri_block_create(32, 0, &h), 0);
        mpri_drop(&h);
    }
    test_sums(&now);
    CHECK(now.objects[MPR_KIND_BYTES] <= before.objects[MPR_KIND_BYTES] + 100);
    CHECK(now.holds <= before.holds + 100);
    for (int i = 0; i < 100; i++) {
        mpri_drop(&keep[i]);
        CHECK(!keep[i].block);
        mpri_drop(&keep[i]); /* nothing on a closed one */
    }
    test_same_sums(&before);
}

static void refuses_what_cannot_fit(void)
{
    struct mpr_stats before;
    mpr_handle h;

    test_sums(&before);
    CHECK_IS(mpri_block_create(UINT64_MAX, 0, &h), -ENOMEM);
    CHECK_IS(mpri_block_create(UINT64_MAX - 31, 0, &h), -ENOMEM);
    CHECK_IS(mpri_block_create(mpri_map.size + 1, 0, &h), -ENOMEM);
    CHECK_IS(mpri_block_create(mpri_map.size, 0, &h), -ENOMEM);
    /* More than the machine has: an error, not the OOM killer. */
    if (mpri_memory_left() + 1024 * MIB < mpri_map.size / 2)
        CHECK_IS(mpri_block_create(mpri_memory_left() + 512 * MIB, 0, &h),
                 -ENOMEM);
    CHECK_IS(mpri_block_create(0, 0, &h), 0);
    mpri_drop(&h);
    test_same_sums(&before);
}

static void any_size_is_zeroed_when_asked(void)
{
    for (unsigned i = 0; i < test_rounds(300); i++) {
        uint64_t size = test_below(2) ? test_below(3000)
                                      : test_below(100 * (uint64_t)MPRI_PAGE);
        mpr_handle h;
        const uint8_t *data;

        CHECK_IS(mpri_block_create(size, MPRI_BLOCK_ZERO, &h), 0);
        data = mpri_data(&h);
        for (uint64_t k = 0; k < size; k++)
            CHECK(data[k] == 0);
        CHECK_IS(mpri_block_of(&h)->size, size);
        CHECK(mpri_block_plausible(mpri_off(h.block)));
        memset(mpri_data(&h), 0xff, size);
        mpri_drop(&h);
    }
}

/* ---- boxes in boxes, against a model -----------------------------------------*/

enum { HANDLES = 60, WORDS = 5 };

static void random_step(mpr_handle *handles)
{
    mpr_handle *h = &handles[test_below(HANDLES)];
    mpr_handle *other = &handles[test_below(HANDLES)];
    uint64_t *word;

    if (!h->block) {
        if (test_below(2))
            CHECK_IS(test_box_create(h, WORDS), 0);
        else
            CHECK_IS(mpri_block_create(test_below(9000), 0, h), 0);
        return;
    }
    if (h == other)
        return;
    if (h->kind != TEST_BOX || test_below(8) == 0) {
        if (test_below(2)) {
            mpri_drop(h);
        } else if (!other->block) {
            CHECK_IS(mpr_handle_dup(h, other), 0);
            CHECK(other->block == h->block && other->hold != h->hold);
            CHECK_IS(mpr_handle_id(h), mpr_handle_id(other));
        }
        return;
    }
    word = &test_box(h)->word[test_below(WORDS)];
    switch (test_below(4)) {
    case 0:
        mpri_ref_drop(word);
        break;
    case 1:
        /* Only what is older, so that there are no cycles. */
        if (other->block && !*word && other->block < h->block)
            mpri_ref_set(word, other);
        break;
    case 2:
        if (other->block && !*word && other->block < h->block)
            CHECK(mpri_ref_offer(word, other) && !other->block);
        break;
    default:
        if (!other->block)
            CHECK_IS(test_below(2) ? mpri_ref_open(word, other)
                                   : mpri_ref_take(word, other),
                     other->block ? 0 : -ENOENT);
        break;
    }
}

static void holds_are_counted(void)
{
    struct mpr_stats before;
    mpr_handle handles[HANDLES] = {0};

    test_sums(&before);
    for (unsigned i = 0; i < test_rounds(100000); i++) {
        random_step(handles);
        if (i % 500 == 0)
            CHECK_IS(mpr_check(), 0);
    }
    for (int i = 0; i < HANDLES; i++)
        mpri_drop(&handles[i]);
    test_same_sums(&before);
}

/* ---- long chains, on a small stack ---------------------------------------------*/

static void *drop_there(void *h)
{
    mpri_drop(h);
    return NULL;
}

static void drop_on_small_stack(mpr_handle *h)
{
    pthread_attr_t small;
    pthread_t t;

    CHECK(pthread_attr_init(&small) == 0);
    CHECK(pthread_attr_setstacksize(&small, TEST_SANITIZED ? 256 << 10
                                                           : 64 << 10) == 0);
    CHECK(pthread_create(&t, &small, drop_there, h) == 0);
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(pthread_attr_destroy(&small) == 0);
}

static void chain(mpr_handle *head, unsigned length)
{
    CHECK_IS(test_box_create(head, 2), 0);
    for (unsigned i = 1; i < length; i++) {
        mpr_handle next;

        CHECK_IS(test_box_create(&next, 2), 0);
        mpri_ref_move(&test_box(&next)->word[0], head);
        *head = next;
    }
}

static void deep_chains_do_not_nest(void)
{
    struct mpr_stats before;
    mpr_handle head;

    test_sums(&before);
    chain(&head, test_rounds(100000));
    drop_on_small_stack(&head);
    test_same_sums(&before);
}

static void wide_boxes_need_no_memory(void)
{
    unsigned count = test_rounds(100000);
    struct mpr_stats before, full, now;
    mpr_handle wide, each;

    test_sums(&before);
    CHECK_IS(test_box_create(&wide, count), 0);
    for (unsigned i = 0; i < count; i++) {
        CHECK_IS(test_box_create(&each, 1), 0);
        mpri_ref_move(&test_box(&wide)->word[i], &each);
    }
    test_sums(&full);
    drop_on_small_stack(&wide);
    test_sums(&now);
    CHECK(now.used < full.used);
    test_same_sums(&before);
}

static void words_in_the_hand_of_a_destroy(void)
{
    struct mpr_stats before;
    mpr_handle a, b, c;

    /* a holds b twice and c; b holds c. */
    test_sums(&before);
    CHECK_IS(test_box_create(&c, 1), 0);
    CHECK_IS(test_box_create(&b, 1), 0);
    CHECK_IS(test_box_create(&a, 3), 0);
    mpri_ref_set(&test_box(&b)->word[0], &c);
    mpri_ref_set(&test_box(&a)->word[0], &b);
    mpri_ref_set(&test_box(&a)->word[1], &c);
    mpri_ref_set(&test_box(&a)->word[2], &b);
    mpri_drop(&c);
    mpri_drop(&b);
    CHECK(!mpri_taking_apart());
    mpri_drop(&a);
    CHECK(!mpri_taking_apart());
    test_same_sums(&before);
}

/* ---- offsets that anybody may have written --------------------------------------*/

static void strange_offsets_are_not_plausible(void)
{
    mpr_handle h, big;
    uint64_t off;

    CHECK_IS(mpri_block_create(100, 0, &h), 0);
    CHECK_IS(mpri_block_create(100000, 0, &big), 0);
    off = mpri_off(h.block);
    CHECK(mpri_block_plausible(off));
    CHECK(!mpri_block_plausible(off + 64));
    CHECK(mpri_block_plausible(mpri_off(big.block)));
    CHECK(!mpri_block_plausible(mpri_off(big.block) + MPRI_PAGE));
    for (int i = 0; i < 100000; i++)
        mpri_block_plausible(i % 2 ? test_random() : test_below(1ULL << 36));
    mpri_drop(&h);
    /* Free pieces, those that lead to a next free one included. */
    CHECK(!mpri_block_plausible(off));
    mpri_drop(&big);
    {
        mpr_handle many[50];
        uint64_t offs[50];

        for (int i = 0; i < 50; i++) {
            CHECK_IS(mpri_block_create(100, 0, &many[i]), 0);
            offs[i] = mpri_off(many[i].block);
        }
        for (int i = 0; i < 50; i++)
            mpri_drop(&many[i]);
        for (int i = 0; i < 50; i++)
            CHECK(!mpri_block_plausible(offs[i]));
    }
}

/* ---- memory -------------------------------------------------------------------*/

static void reuse(void *unused)
{
    struct mpr_stats s;
    uint64_t first;
    mpr_handle h;

    (void)unused;
    CHECK_IS(mpr_open(), 0);
    CHECK_IS(mpri_block_create(64 * MIB, 0, &h), 0);
    memset(mpri_data(&h), 1, 64 * MIB);
    first = backed();
    mpri_drop(&h);
    test_sums(&s);
    CHECK(s.warm >= 64 * MIB);
    CHECK_IS(backed(), first);
    CHECK_IS(mpri_block_create(64 * MIB, 0, &h), 0);
    CHECK_IS(backed(), first);
    CHECK(((uint8_t *)mpri_data(&h))[32 * MIB] == 1); /* the same memory */
    mpri_drop(&h);
}

/* The default bound of what is kept. */
static const uint64_t BOUND = 128ULL << 20;

static void give_back(void *unused)
{
    struct mpr_stats before, s;
    mpr_handle h[6], small[200];
    uint64_t full;

    (void)unused;
    CHECK_IS(mpr_open(), 0);
    test_sums(&before);
    for (int i = 0; i < 6; i++)
        CHECK_IS(mpri_block_create(64 * MIB, 0, &h[i]), 0);
    for (int i = 0; i < 200; i++)
        CHECK_IS(mpri_block_create(MIB / 2, 0, &small[i]), 0);
    full = backed();
    CHECK(full >= (6 * 64 + 100) * MIB);
    for (int i = 0; i < 6; i++)
        mpri_drop(&h[i]);
    for (int i = 0; i < 200; i++)
        mpri_drop(&small[i]);
    test_sums(&s);
    CHECK(s.warm <= BOUND);
    CHECK(s.warm > BOUND / 4);
    CHECK(backed() <= s.used + s.warm + 16 * MIB);
    test_same_sums(&before);
    /* A block beyond the bound is not kept at all. */
    CHECK_IS(mpri_block_create(200 * MIB, 0, &h[0]), 0);
    mpri_drop(&h[0]);
    test_sums(&s);
    CHECK(s.warm <= BOUND);
}

static void in_a_family_of_its_own(void (*f)(void *), void *arg)
{
    if (TEST_FORKS)
        CHECK_IS(test_wait(test_fork(f, arg)), 0);
}

static void large_memory_is_reused(void)
{
    in_a_family_of_its_own(reuse, NULL);
}

static void memory_goes_back(void)
{
    in_a_family_of_its_own(give_back, NULL);
}

/* With 16 MiB. */
static void exhaust(void *sizes)
{
    struct mpr_stats before, full;

    setenv("MP_ARENA", "16M", 1);
    CHECK_IS(mpr_open(), 0);
    test_box_register();
    test_sums(&before);
    for (const uint64_t *size = sizes; *size; size++) {
        mpr_handle list, h;
        unsigned n = 0;
        int err;

        CHECK_IS(test_box_create(&list, 1), 0);
        for (;;) {
            err = test_box_padded(&h, 1, *size);
            if (err < 0)
                break;
            mpri_ref_move(&test_box(&h)->word[0], &list);
            list = h;
            n++;
        }
        CHECK_IS(err, -ENOMEM);
        /* A power of two of pages serves three; slabs that stayed lie in
         * the way of large ones. */
        CHECK(n * (*size + 64) > (*size > MIB ? 2 : 4) * MIB);
        test_sums(&full);
        /* Nothing is left, but everything can be dropped. */
        mpri_drop(&list);
        test_same_sums(&before);
    }
}

static void exhausted_memory_comes_back(void)
{
    static uint64_t sizes[] = {16, 100000, 900, 1900, 3000000, 60, 9000, 0};
    /* Where all is checked at each step, no 60 000 objects. */
    static uint64_t few[] = {100000, 1900, 3000000, 9000, 0};

    in_a_family_of_its_own(exhaust, TEST_SLOWER > 1 ? few : sizes);
}

/* Each takes all there is: free memory that is kept for one size serves the
 * other. (The table of holds and a slab stay, and lie in the way of more.) */
static void alternate(void *unused)
{
    mpr_handle h[5000];

    (void)unused;
    setenv("MP_ARENA", "16M", 1);
    CHECK_IS(mpr_open(), 0);
    for (int round = 0; round < 5; round++) {
        int n = 0;

        CHECK_IS(mpri_block_create(MIB, 0, &h[0]), 0);
        mpri_drop(&h[0]);
        while (n < 5000 && mpri_block_create(1500, 0, &h[n]) == 0)
            n++;
        CHECK(n > 3000);
        while (n > 0)
            mpri_drop(&h[--n]);
        while (mpri_block_create(70 * (uint64_t)MPRI_PAGE, 0, &h[n]) == 0)
            n++;
        CHECK(n > 12);
        while (n > 0)
            mpri_drop(&h[--n]);
        CHECK_IS(mpr_check(), 0);
    }
}

static void kept_memory_serves_any_size(void)
{
    in_a_family_of_its_own(alternate, NULL);
}

/* ---- threads -------------------------------------------------------------------*/

enum { THREADS = 6, CROWD = 60 };

static mpr_handle common; /* a box that all threads use */
static pthread_barrier_t together;

static void *use(void *number)
{
    mpr_handle mine[200] = {0};
    unsigned n = 0;

    (void)number;
    pthread_barrier_wait(&together);
    for (unsigned i = 0; i < test_rounds(20000); i++) {
        mpr_handle *h = &mine[i % 200];

        mpri_drop(h);
        switch ((i + (unsigned)(uintptr_t)number) % 5) {
        case 0:
            CHECK_IS(mpri_block_create(100000, 0, h), 0);
            break;
        case 1:
            CHECK_IS(test_box_create(h, 3), 0);
            mpri_ref_offer(&test_box(&common)->word[i % 7], h);
            break;
        case 2:
            CHECK_IS(mpr_handle_dup(&common, h), 0);
            break;
        case 3:
            n += mpri_ref_take(&test_box(&common)->word[i % 7], h) == 0;
            break;
        default:
            CHECK_IS(mpri_block_create(40, 0, h), 0);
            break;
        }
    }
    for (int i = 0; i < 200; i++)
        mpri_drop(&mine[i]);
    return NULL;
}

static void threads_share_a_table(void)
{
    struct mpr_stats before;
    pthread_t t[THREADS];

    test_sums(&before);
    CHECK_IS(test_box_create(&common, 7), 0);
    CHECK(pthread_barrier_init(&together, NULL, THREADS) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, use, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(pthread_barrier_destroy(&together) == 0);
    mpri_drop(&common);
    test_same_sums(&before);
}

static void *make_at_once(void *place)
{
    mpr_handle *h = place;

    pthread_barrier_wait(&together);
    for (int i = 0; i < 4; i++)
        CHECK_IS(mpri_block_create(i == 3 ? 32 : 300000, 0, &h[i]), 0);
    return NULL;
}

/* More at once than a table has entries to spare, each inside a system call
 * with memory in its hand. */
static void a_crowd_makes_blocks(void)
{
    struct mpr_stats before;
    static mpr_handle h[CROWD][4];
    pthread_t t[CROWD];

    test_sums(&before);
    CHECK(pthread_barrier_init(&together, NULL, CROWD) == 0);
    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_create(&t[i], NULL, make_at_once, h[i]) == 0);
    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(pthread_barrier_destroy(&together) == 0);
    for (int i = 0; i < CROWD; i++)
        for (int k = 0; k < 4; k++)
            mpri_drop(&h[i][k]);
    test_same_sums(&before);
}

/* ---- kills ----------------------------------------------------------------------*/

/* A bit of everything, with a box of the parent's. */
static void live_a_life(void *shared_box)
{
    mpr_handle *box = shared_box, a, b, c, big;

    CHECK_IS(test_box_create(&a, 2), 0);
    CHECK_IS(test_box_create(&b, 2), 0);
    CHECK_IS(mpri_block_create(1000, 0, &c), 0);
    CHECK_IS(mpri_block_create(200000, 0, &big), 0);
    mpri_ref_set(&test_box(&a)->word[0], &b);
    mpri_ref_set(&test_box(&b)->word[0], &c);
    mpri_ref_move(&test_box(&b)->word[1], &big);
    mpri_drop(&b);
    if (mpri_ref_offer(&test_box(box)->word[0], &c))
        CHECK_IS(mpri_ref_open(&test_box(box)->word[0], &c), 0);
    mpri_drop(&c);
    CHECK_IS(mpri_ref_take(&test_box(box)->word[0], &c), 0);
    CHECK_IS(mpr_handle_dup(&a, &b), 0);
    mpri_ref_set(&test_box(box)->word[1], &b);
    mpri_drop(&a);
    mpri_drop(&b);
    mpri_ref_drop(&test_box(box)->word[1]);
    chain(&a, 3);
    mpri_drop(&a);
}

static void empty(mpr_handle *box)
{
    for (uint64_t i = 0; i < test_box(box)->count; i++)
        mpri_ref_drop(&test_box(box)->word[i]);
}

static void killed_anywhere(void)
{
    struct mpr_stats before;
    mpr_handle box;
    uint32_t nth;

    CHECK_IS(test_box_create(&box, 2), 0);
    test_sums(&before);
    for (nth = 1;; nth++) {
        bool killed = test_member_killed_at("*", nth, live_a_life, &box);

        mpr_sweep();
        empty(&box);
        test_same_sums(&before);
        if (!killed)
            break;
        if (TEST_SLOWER > 1)
            nth += (uint32_t)test_below(2 * TEST_SLOWER);
    }
    printf(" (%u points)", nth - 1);
    CHECK(nth > 300);
    mpri_drop(&box);
}

struct reaping {
    mpri_a32 *go;
    uint32_t nth;
};

static void hold_a_life(void *go)
{
    mpr_handle a, b, more[40];

    chain(&a, 5);
    CHECK_IS(mpri_block_create(200000, 0, &b), 0);
    for (int i = 0; i < 40; i++)
        CHECK_IS(mpri_block_create(40, 0, &more[i]), 0);
    mpri_store_rel((mpri_a32 *)go, 1);
    for (;;)
        pause();
}

static void sweep_once(void *unused)
{
    (void)unused;
    mpr_sweep();
}

/* The reaper itself is killed, at every point; the next one goes on. */
static void reaper_killed_anywhere(void)
{
    mpri_a32 *go = test_shared(4096);
    struct mpr_stats before;
    uint32_t nth;

    test_sums(&before);
    for (nth = 1;; nth++) {
        struct test_member victim, reaper;
        struct test_point p = {"*", nth, sweep_once, NULL};
        int code;

        mpri_store_rel(go, 0);
        victim = test_member(hold_a_life, go);
        reaper = (struct test_member){0};
        while (!mpri_load_acq(go))
            usleep(100);
        CHECK(kill(victim.pid, SIGKILL) == 0);
        CHECK_IS(test_member_wait(&victim), -SIGKILL);
        reaper = test_member(test_to_the_point, &p);
        code = test_member_wait(&reaper);
        mpr_sweep();
        test_same_sums(&before);
        if (code == 0)
            break;
        CHECK_IS(code, -SIGKILL);
        nth += (uint32_t)test_below(2 * TEST_SLOWER);
    }
    CHECK(nth > 100);
    printf(" (%u points)", nth - 1);
}

static void live_until_killed(void *box)
{
    mpr_handle handles[HANDLES] = {0};

    test_state += (uint64_t)getpid();
    for (;;) {
        mpr_handle h = {0};
        uint64_t *word = &test_box((mpr_handle *)box)->word[test_below(10)];

        for (int i = 0; i < 20; i++)
            random_step(handles);
        if (test_below(2)) {
            if (mpri_ref_take(word, &h) == 0)
                mpri_drop(&h);
        } else if (test_box_create(&h, 2) == 0 && !mpri_ref_offer(word, &h)) {
            mpri_drop(&h);
        }
    }
}

/* Processes that share a box of things are killed at random instants. */
static void killed_at_any_time(void)
{
    enum { AT_ONCE = 4 };
    int64_t until = mpr_after(test_long() ? 100 : 4);
    struct test_member m[AT_ONCE];
    unsigned kills = 0;
    struct mpr_stats before;
    mpr_handle box;

    CHECK_IS(test_box_create(&box, 10), 0);
    test_sums(&before);
    for (int i = 0; i < AT_ONCE; i++)
        m[i] = test_member(live_until_killed, &box);
    for (; mpr_now() < until; kills++) {
        struct test_member *victim = &m[test_below(AT_ONCE)];

        usleep((unsigned)test_below(3000));
        CHECK(kill(victim->pid, SIGKILL) == 0);
        CHECK_IS(test_member_wait(victim), -SIGKILL);
        if (test_below(3) == 0)
            mpri_reap(victim->slot, victim->generation);
        if (kills % 16 == 0)
            CHECK_IS(mpr_check(), 0);
        *victim = test_member(live_until_killed, &box);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        CHECK(kill(m[i].pid, SIGKILL) == 0);
        CHECK_IS(test_member_wait(&m[i]), -SIGKILL);
    }
    mpr_sweep();
    empty(&box);
    test_same_sums(&before);
    mpri_drop(&box);
    printf(" (%u kills)", kills);
}

static void destroy_half(void *unused)
{
    mpr_handle head;

    (void)unused;
    chain(&head, 2000);
    mpr_testpoint_arm("block.destroyed", 1000, SIGKILL);
    mpri_drop(&head);
}

/* What comes apart when its process dies goes on coming apart. */
static void half_a_chain_is_not_lost(void)
{
    struct test_member m;
    struct mpr_stats before;

    test_sums(&before);
    m = test_member(destroy_half, NULL);
    CHECK_IS(test_member_wait(&m), -SIGKILL);
    test_same_sums(&before);
}

int main(void)
{
    test_begin(60);
    /* Families of their own come first. */
    RUN(exhausted_memory_comes_back);
    RUN(kept_memory_serves_any_size);
    RUN(large_memory_is_reused);
    RUN(memory_goes_back);
    CHECK_IS(mpr_open(), 0);
    test_box_register();
    RUN(counts_to_zero);
    RUN(refuses_what_cannot_fit);
    RUN(any_size_is_zeroed_when_asked);
    RUN(holds_are_counted);
    RUN(deep_chains_do_not_nest);
    RUN(wide_boxes_need_no_memory);
    RUN(words_in_the_hand_of_a_destroy);
    RUN(strange_offsets_are_not_plausible);
    RUN(threads_share_a_table);
    RUN(a_crowd_makes_blocks);
    if (TEST_FORKS) {
        RUN(killed_anywhere);
        RUN(reaper_killed_anywhere);
        RUN(half_a_chain_is_not_lost);
        RUN(killed_at_any_time);
    }
    return 0;
}
