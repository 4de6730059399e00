/* Transactions: all or nothing, whoever is killed where. */

#include "mem/tx.h"

#include "base/test.h"
#include "mem/segment.h"
#include "os/os.h"

#include <sys/stat.h>

enum { WORDS = 40 };

/* Words at some place in the segment; what it is for does not matter here. */
static uint64_t *words(void)
{
    return mpri_at(mpri_segment()->data_off);
}

static void fill(uint64_t value)
{
    for (int i = 0; i < WORDS; i++)
        words()[i] = value + (uint64_t)i;
}

static bool filled(uint64_t value)
{
    for (int i = 0; i < WORDS; i++)
        if (words()[i] != value + (uint64_t)i)
            return false;
    return true;
}

static void change(void *value)
{
    for (int i = 0; i < WORDS; i++) {
        /* Twice: the oldest value is what must come back. */
        mpri_tx_set(&words()[i], ~0ULL);
        mpri_tx_set(&words()[i], *(uint64_t *)value + (uint64_t)i);
    }
}

static void change_and_commit(void *value)
{
    change(value);
    mpri_tx_commit();
}

static void roll_back(void *unused)
{
    (void)unused;
    mpri_tx_rollback();
}

static void commits_and_rolls_back(void)
{
    uint64_t value = 1000;

    fill(0);
    change(&value);
    CHECK(mpri_tx_open());
    CHECK(filled(1000));
    mpri_tx_rollback();
    CHECK(!mpri_tx_open());
    CHECK(filled(0));
    change_and_commit(&value);
    CHECK(!mpri_tx_open());
    mpri_tx_rollback();
    CHECK(filled(1000));
}

/* Two transactions, the child killed at every point of both. */
static void two(void *unused)
{
    uint64_t value = 1000;

    (void)unused;
    change_and_commit(&value);
    value = 2000;
    change_and_commit(&value);
}

static void is_atomic(void)
{
    unsigned seen[3] = {0};
    uint32_t nth = 1;

    if (!TEST_FORKS)
        return;
    for (bool killed = true; killed; nth++) {
        fill(0);
        killed = test_kill_at("*", nth, two, NULL);
        mpri_tx_rollback();
        CHECK(!mpri_tx_open());
        CHECK(filled(0) || filled(1000) || filled(2000));
        seen[words()[0] / 1000]++;
    }
    CHECK_IS(nth - 2, 2 * (2 * WORDS * 3 + 1));
    /* Before the first commit, from it on, from the second on. */
    CHECK_IS(seen[0], 2 * WORDS * 3);
    CHECK_IS(seen[1], 2 * WORDS * 3 + 1);
    CHECK_IS(seen[2], 2);
}

static void rollback_may_be_killed(void)
{
    uint64_t value = 1000;

    if (!TEST_FORKS)
        return;
    for (uint32_t nth = 1;; nth++) {
        bool killed;

        fill(0);
        change(&value);
        killed = test_kill_at("tx.undone", nth, roll_back, NULL);
        CHECK(mpri_tx_open() == killed);
        mpri_tx_rollback();
        CHECK(filled(0));
        if (!killed) {
            CHECK_IS(nth, 2 * WORDS + 1);
            break;
        }
    }
}

/* Memory that is written without asking first is backed from the start. */
static void log_is_backed(void)
{
    struct stat before, after;

    CHECK(fstat(mpri_map.fd, &before) == 0);
    CHECK(mpri_shm_back(mpri_map.fd, 0, MPRI_AT_TX_END) == 0);
    CHECK(fstat(mpri_map.fd, &after) == 0);
    CHECK_IS(after.st_blocks, before.st_blocks);
}

/* A log that some wild store has spoilt harms nobody more than it has. */
static void spoilt_log_is_given_up(void)
{
    uint64_t *count = mpri_at(MPRI_AT_TX);
    uint64_t value = 1000;

    fill(0);
    change(&value);
    *count = ~0ULL;
    mpri_tx_rollback();
    CHECK(!mpri_tx_open());
    change(&value);
    count[2] = ~0ULL - 7; /* where the first entry leads */
    fill(0);
    mpri_tx_rollback();
    CHECK(!mpri_tx_open());
}

int main(void)
{
    test_begin(60);
    CHECK(mpri_segment_create(32 << 20) == 0);
    RUN(log_is_backed);
    RUN(commits_and_rolls_back);
    RUN(is_atomic);
    RUN(rollback_may_be_killed);
    RUN(spoilt_log_is_given_up);
    mpri_segment_close();
    return 0;
}
