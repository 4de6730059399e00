#include "life/guard.h"

#include "base/assert.h"
#include "mem/arena.h"
#include "mem/tx.h"
#include "mpr.h"

#include <errno.h>

void mpri_guard_lock(void)
{
    if (mpri_mutex_lock(&mpri_guard()->lock, MPR_FOREVER) == -EOWNERDEAD)
        mpri_tx_rollback();
    MPR_ASSERT(2, mpri_arena_check() == 0);
}

void mpri_guard_unlock(void)
{
    MPR_ASSERT(1, !mpri_tx_open());
    MPR_ASSERT(2, mpri_arena_check() == 0);
    mpri_mutex_unlock(&mpri_guard()->lock);
}
