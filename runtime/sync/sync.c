#include "sync/sync.h"

void mpri_sync_register(void)
{
    mpri_lock_register();
    mpri_rlock_register();
}
