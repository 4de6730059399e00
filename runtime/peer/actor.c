#include "base/atomic.h"
#include "mpr.h"

#include <errno.h>

/* The actors of this process: a set of small numbers. A number is given out
 * again only after its actor was freed, that is when nothing it owned is
 * owned any more. No lock: a fork may come while another thread is inside. */

enum { MAX = 1 << 18 };

static mpri_a64 used[MAX / 64]; /* a bit per number; 0 is nobody */

static uint64_t never(uint32_t i)
{
    return i == 0;
}

int mpr_actor_new(uint32_t *actor)
{
    for (uint32_t i = 0; i < MAX / 64; i++) {
        uint64_t bits = mpri_load_rlx(&used[i]);

        while ((bits | never(i)) != UINT64_MAX) {
            uint32_t bit = (uint32_t)__builtin_ctzll(~(bits | never(i)));

            /* Acquire: what the last one of this number did is done. */
            if (mpri_cas_acq(&used[i], &bits, bits | 1ULL << bit)) {
                *actor = i * 64 + bit;
                return 0;
            }
        }
    }
    return -EAGAIN;
}

void mpr_actor_free(uint32_t actor)
{
    /* Pairs with: mpr_actor_new. */
    if (actor > 0 && actor < MAX)
        mpri_and_rel(&used[actor / 64], ~(1ULL << actor % 64));
}
