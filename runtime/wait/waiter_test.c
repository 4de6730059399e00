/* Sleepers and wakers at one gate: nobody who could go on is left asleep. */

#include "wait/waiter.h"

#include "base/deadline.h"
#include "mpr.h"
#include "os/os.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { TAKERS = 2, GIVERS = 2, ROUNDS = 20000 };

static struct mpri_gate gate;
static mpri_a32 things, taken, round_number, stop, forgotten;

static int take(void)
{
    uint32_t n = mpri_load_seq(&things);

    while (n > 0)
        if (mpri_cas_seq(&things, &n, n - 1))
            return 1;
    return 0;
}

/* A sleeper whose slice ran out while there was something to take. */
static void look(void)
{
    if (mpri_load_seq(&things) > 0)
        mpri_add_rlx(&forgotten, 1);
}

static void *taker(void *unused)
{
    uint32_t before;

    (void)unused;
    while (!mpri_load_seq(&stop)) {
        uint32_t ticket = mpri_gate_prepare(&gate);

        if (!take() && !mpri_load_seq(&stop)) {
            mpri_gate_wait(&gate, ticket, MPR_FOREVER);
            continue;
        }
        /* Busy with it: the other one must take the other thing. */
        before = mpri_add_seq(&taken, 1);
        while (mpri_load_seq(&taken) < before - before % GIVERS + GIVERS)
            mpri_yield();
    }
    return NULL;
}

static void *giver(void *unused)
{
    (void)unused;
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        while (mpri_load_seq(&round_number) < i)
            mpri_yield();
        mpri_add_seq(&things, 1);
        mpri_gate_open(&gate, 1);
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[TAKERS + GIVERS];

    mpri_waiter_sweep = look;
    for (int i = 0; i < TAKERS + GIVERS; i++)
        pthread_create(&thread[i], NULL, i < TAKERS ? taker : giver, NULL);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        /* Time to fall asleep. */
        mpri_waiter_pause(mpri_now_ns() + 60000);
        mpri_store_seq(&round_number, i);
        while (mpri_load_seq(&taken) < i * GIVERS)
            mpri_yield();
    }
    mpri_store_seq(&stop, 1);
    mpri_gate_open(&gate, UINT32_MAX);
    for (int i = 0; i < TAKERS + GIVERS; i++)
        pthread_join(thread[i], NULL);
    printf("%u forgotten\n", mpri_load_seq(&forgotten));
    /* One may be the machine's, which stood still for a slice. */
    assert(mpri_load_seq(&forgotten) <= 1);
    return 0;
}
