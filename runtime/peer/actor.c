#include "base/atomic.h"
#include "mpr.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* The actors of this process: a set of small numbers. A number is given out
 * again only after its actor was freed, that is when nothing it owned is
 * owned any more. */

enum { MAX = 1 << 18 };

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *used; /* a bit per number */
static uint32_t words;

int mpr_actor_new(uint32_t *actor)
{
    int err = -EAGAIN;

    pthread_mutex_lock(&busy);
    for (uint32_t i = 0; i < MAX / 64; i++) {
        if (i == words) {
            uint32_t more = words ? words * 2 : 4;
            uint64_t *p = realloc(used, more * sizeof *p);

            if (!p) {
                err = -ENOMEM;
                break;
            }
            used = p;
            for (; words < more; words++)
                used[words] = 0;
            used[0] |= 1; /* 0 is nobody */
        }
        if (used[i] != UINT64_MAX) {
            uint32_t bit = (uint32_t)__builtin_ctzll(~used[i]);

            used[i] |= 1ULL << bit;
            *actor = i * 64 + bit;
            err = 0;
            break;
        }
    }
    pthread_mutex_unlock(&busy);
    return err;
}

void mpr_actor_free(uint32_t actor)
{
    if (actor == 0 || actor / 64 >= words)
        return;
    pthread_mutex_lock(&busy);
    used[actor / 64] &= ~(1ULL << actor % 64);
    pthread_mutex_unlock(&busy);
}
