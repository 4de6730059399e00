/* Numbers of actors: none twice at a time, by any number of threads. */

#include "base/test.h"
#include "mpr.h"

#include <pthread.h>

enum { THREADS = 4, EACH = 200 };

static unsigned char owners[1 << 18];

static void *churn(void *unused)
{
    uint32_t mine[EACH];

    for (unsigned round = 0; round < test_rounds(200); round++) {
        for (int i = 0; i < EACH; i++) {
            CHECK_IS(mpr_actor_new(&mine[i]), 0);
            CHECK(mine[i] > 0 && mine[i] < sizeof owners);
            CHECK(owners[mine[i]]++ == 0); /* plain: it is ours alone */
        }
        for (int i = 0; i < EACH; i++) {
            CHECK(--owners[mine[i]] == 0);
            mpr_actor_free(mine[i]);
        }
    }
    return unused;
}

static void none_is_given_twice(void)
{
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, churn, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

static void they_run_out(void)
{
    uint32_t actor, n = 0;

    while (mpr_actor_new(&actor) == 0) {
        CHECK(owners[actor]++ == 0);
        n++;
    }
    CHECK_IS(n, sizeof owners - 1);
    mpr_actor_free(0);
    mpr_actor_free(UINT32_MAX);
    CHECK_IS(mpr_actor_new(&actor), -EAGAIN);
    mpr_actor_free(4711);
    CHECK_IS(mpr_actor_new(&actor), 0);
    CHECK_IS(actor, 4711);
}

int main(void)
{
    test_begin(60);
    RUN(none_is_given_twice);
    RUN(they_run_out);
    return 0;
}
