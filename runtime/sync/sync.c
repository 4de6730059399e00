#include "sync/sync.h"

void mpri_sync_register(void)
{
    mpri_lock_register();
    mpri_rlock_register();
    mpri_event_register();
    mpri_semaphore_register();
    mpri_condition_register();
    mpri_barrier_register();
}

int mpri_sync_create(mpr_handle *h, uint64_t size)
{
    int err = mpr_open();

    return err < 0 ? err : mpri_block_create(size, MPRI_BLOCK_ZERO, h);
}
