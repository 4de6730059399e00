#ifndef MPR_IPC_MESSAGE_H
#define MPR_IPC_MESSAGE_H

/* A message outside of rings.
 *
 * A message that was got (struct mpr_message of mpr.h): its bytes lie in the
 * receiver's buffer, or in a block that the message handed over; the objects
 * it carries are handles of the receiver, until the receiver takes them.
 *
 * A block with a whole message, for rings, in which long messages only leave
 * a ref: of kind BYTES when it carries no objects, otherwise of kind MESSAGE.
 *
 * If we die here: (making a block) it is of kind MESSAGE before the first ref
 *               is counted in it, so the reaper drops those that were. */

#include "life/block.h"
#include "mpr.h"

/* The data of a MESSAGE block; the bytes lie behind the refs. */
struct mpri_message_refs {
    uint64_t count;
    uint64_t ref[];
};

static inline uint64_t mpri_parcel_size(const struct mpr_parcel *p)
{
    return p->size + p->more_size;
}

/* Copies all of the parcel's bytes. */
void mpri_parcel_copy(const struct mpr_parcel *p, void *to);

/* Registers the kind MESSAGE. */
void mpri_message_register(void);

/* A block of our own with the parcel's bytes and refs. -ENOMEM. */
int mpri_message_block(const struct mpr_parcel *parcel, mpr_handle *block);

/* Room for bytes and refs; keeps what it has. -ENOMEM; -E2BIG in a fixed
 * message. Not under a lock. */
int mpri_message_reserve(struct mpr_message *m, uint64_t size, uint64_t refs);

/* Opens handles for the objects, all or none; there is room for them. Each
 * stands in our hold table at once. -ENOMEM; -EBADMSG when one is no block. */
int mpri_message_open_refs(struct mpr_message *m, const uint64_t *refs,
                           uint64_t count);

/* Opens a block with a message and its refs, for which there is room: the
 * bytes are used where they lie. -ENOMEM; -EBADMSG. */
int mpri_message_open_block(struct mpr_message *m, const uint64_t *ref);

#endif
