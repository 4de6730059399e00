#include "mem/tx.h"

#include "base/assert.h"
#include "base/testpoint.h"
#include "mem/segment.h"

struct tx {
    mpri_a64 count;
    uint64_t padding;
    struct {
        uint64_t off;
        uint64_t old;
    } log[MPRI_TX_MAX];
};

_Static_assert(MPRI_AT_TX + sizeof(struct tx) <= MPRI_AT_TX_END, "log fits");

static struct tx *tx(void)
{
    return mpri_at(MPRI_AT_TX);
}

static void put(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void mpri_tx_set(uint64_t *word, uint64_t value)
{
    struct tx *t = tx();
    /* Acquire: the entry is written after the commit before it, or that
     * transaction could be undone with a mix of both. */
    uint64_t n = mpri_load_acq(&t->count);

    /* Overrunning the log would lose the way back. No operation of ours
     * comes near; stopping this one process harms no other. */
    if (n >= MPRI_TX_MAX)
        mpri_assert_failed("transaction fits its log", __FILE__, __LINE__);
    t->log[n].off = mpri_off(word);
    t->log[n].old = *word;
    MPRI_TESTPOINT("tx.logged");
    mpri_store_rel(&t->count, n + 1);
    MPRI_TESTPOINT("tx.counted");
    put(word, value);
    MPRI_TESTPOINT("tx.changed");
}

void mpri_tx_commit(void)
{
    mpri_store_rel(&tx()->count, 0);
    MPRI_TESTPOINT("tx.committed");
}

void mpri_tx_rollback(void)
{
    struct tx *t = tx();
    uint64_t n = mpri_load_acq(&t->count);

    /* Only a wild store can have left a log like that: the way back is lost,
     * and stopping here would stop whoever comes next, too. */
    if (n > MPRI_TX_MAX)
        n = 0;
    while (n > 0) {
        n--;
        if (t->log[n].off <= mpri_map.size - sizeof(uint64_t))
            put(mpri_at(t->log[n].off), t->log[n].old);
        MPRI_TESTPOINT("tx.undone");
    }
    mpri_store_rel(&t->count, 0);
}

int mpri_tx_open(void)
{
    return mpri_load_rlx(&tx()->count) != 0;
}
