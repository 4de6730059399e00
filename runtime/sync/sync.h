#ifndef MPR_SYNC_SYNC_H
#define MPR_SYNC_SYNC_H

/* What the objects of this folder offer to one another and to init.c. */

#include "sync/owner.h"

/* Registers the kinds of this folder. */
void mpri_sync_register(void);

void mpri_lock_register(void);
void mpri_rlock_register(void);
void mpri_event_register(void);
void mpri_semaphore_register(void);
void mpri_condition_register(void);
void mpri_barrier_register(void);

/* Opens a new block of kind BYTES, zeroed, for an object of this folder. */
int mpri_sync_create(mpr_handle *h, uint64_t size);

/* Opens a new block of that kind whose payload begins with a mpri_owner and
 * is no longer than it. */
int mpri_owner_create(mpr_handle *h, unsigned kind, const char *name);

/* The operations of such a block (kind.h). */
void mpri_owner_block_abandon(struct mpri_block *b, uint32_t slot);
uint64_t mpri_owner_block_owned(const struct mpri_block *b, uint32_t slot);
const char *mpri_owner_block_label(const struct mpri_block *b);

/* Who owns it, for people. */
int mpri_owner_describe(const struct mpri_owner *o, struct mpr_holder *out);

/* As mpr_lock_acquire and mpr_rlock_acquire; sure: by a guard. */
int mpri_lock_take(struct mpri_owner *o, uint32_t me, bool sure,
                   int64_t deadline_ns);
int mpri_rlock_take(struct mpri_owner *o, uint32_t me, int64_t deadline_ns);

/* One level less: -EPERM when it is not me's. */
int mpri_rlock_give(struct mpri_owner *o, uint32_t me);

#endif
