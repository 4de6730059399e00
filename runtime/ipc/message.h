#ifndef MPR_IPC_MESSAGE_H
#define MPR_IPC_MESSAGE_H

/* A message that was got (struct mpr_message of mpr.h): its bytes lie in the
 * receiver's buffer, or in a block that the message handed over; the objects
 * it carries are handles of the receiver, until the receiver takes them. */

#include "mpr.h"

/* Room for bytes and refs; keeps what it has. -ENOMEM. Not under a lock. */
int mpri_message_reserve(struct mpr_message *m, uint64_t size, uint32_t refs);

/* Opens a handle for each of the offsets, all or none; there is room for
 * them. -ENOMEM; -EBADMSG when one is no block. */
int mpri_message_open_refs(struct mpr_message *m, const uint64_t *offs,
                           uint32_t count);

/* The first ref is not an object but the block with the bytes. */
void mpri_message_use_block(struct mpr_message *m);

#endif
