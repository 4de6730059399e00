#ifndef MPR_DATA_SIGHT_H
#define MPR_DATA_SIGHT_H

/* Reading what others may change meanwhile, without a lock. A generation
 * counts changes of several words: odd while one is made, by the owner of the
 * lock that guards them. */

#include "base/testpoint.h"
#include "data/words.h"

#include <stdbool.h>

/* Two words that a reader loaded before it read: as long as neither changed,
 * what it read is true. */
struct mpri_sight {
    const mpri_a64 *word[2];
    uint64_t seen[2];
};

static inline bool mpri_sight_holds(const struct mpri_sight *s)
{
    /* Pairs with: writers, who change a word before what it stands for. The
     * loads before this were acquire, so they were made before. */
    return mpri_load_acq(s->word[0]) == s->seen[0] &&
           mpri_word_load(s->word[1]) == s->seen[1];
}

/* The lock is held, from odd to even; what is between is a transaction. */
static inline void mpri_generation_odd(mpri_a64 *generation)
{
    /* Readers that see any of what follows see this too: each store that
     * follows is a release. */
    mpri_store_rel(generation, mpri_load_rlx(generation) + 1);
    MPRI_TESTPOINT("generation.odd");
}

static inline void mpri_generation_even(mpri_a64 *generation)
{
    MPRI_TESTPOINT("generation.even");
    /* Pairs with: readers, who load it before and after they read. */
    mpri_store_rel(generation, mpri_load_rlx(generation) + 1);
}

#endif
