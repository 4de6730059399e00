#include "life/guard.h"

#include "base/assert.h"
#include "mem/arena.h"
#include "mem/tx.h"
#include "mpr.h"

#include <errno.h>

static bool lock_until(int64_t deadline_ns)
{
    int r = mpri_mutex_lock(&mpri_guard()->lock, deadline_ns);

    if (r == -ETIMEDOUT)
        return false;
    if (r == -EOWNERDEAD)
        mpri_tx_rollback();
    MPR_ASSERT(2, mpri_arena_check() == 0);
    return true;
}

void mpri_guard_lock(void)
{
    lock_until(MPR_FOREVER);
}

bool mpri_guard_passes(int64_t deadline_ns)
{
    if (!lock_until(deadline_ns))
        return false;
    mpri_guard_unlock();
    return true;
}

void mpri_guard_unlock(void)
{
    MPR_ASSERT(1, !mpri_tx_open());
    MPR_ASSERT(2, mpri_arena_check() == 0);
    mpri_mutex_unlock(&mpri_guard()->lock);
}
