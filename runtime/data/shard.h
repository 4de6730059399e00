#ifndef MPR_DATA_SHARD_H
#define MPR_DATA_SHARD_H

/* A shard: the part of a shared dict that has the keys of one range of hashes,
 * about a hundred, under a lock of its own. It names the image in which they lie
 * (data/image.h).
 *
 * Most changes are one store of one slot in the image. What is replaced stays
 * where it lies, so readers take no lock, and no writer ever waits for them;
 * when the image is full, what is still indexed is copied into a new one.
 *
 * States:       generation even: the words below are true together · odd: the
 *               owner of the lock is in the middle of changing several of
 *               them, or died there; readers wait for the lock
 *               image 0: no keys · its epoch is not the table's: no keys, they
 *               were cleared
 * Invariant:    whoever reads the same even generation before and after has
 *               read an image that was the shard's all the while, and entries
 *               that were complete.
 *               Indexed entries end at or below used; nobody reads beyond it.
 * Guarded by:   lock: everything; who reads without it checks as above.
 * If we die here: (generation even) a slot was stored, or not; the next owner
 *               counts anew. (odd) the transaction was committed, or is rolled
 *               back with the arena lock; the next owner makes it even. */

#include "data/image.h"
#include "life/block.h"
#include "mem/segment.h"
#include "wait/mutex.h"

struct mpri_shard {
    struct mpri_mutex lock;
    mpri_a64 generation;
    mpri_a64 image;  /* holds a block of kind BYTES, or 0 */
    mpri_a64 layout; /* its layout: mpri_layout_… */
    mpri_a64 fill;   /* struct mpri_fill */
    uint64_t unused[3];
};
_Static_assert(sizeof(struct mpri_shard) == 64, "one cache line");

/* The image, as the owner of the lock sees it. */
static inline struct mpri_view mpri_shard_view(const struct mpri_shard *s)
{
    uint64_t image = mpri_load_acq(&s->image);
    struct mpri_view v = {
        .words = image ? mpri_block_data(mpri_at(image)) : NULL,
        .layout = mpri_load_acq(&s->layout),
    };

    return v;
}

static inline struct mpri_fill mpri_shard_fill(const struct mpri_shard *s)
{
    return mpri_fill_of(mpri_load_rlx(&s->fill));
}

/* Everything below: the lock is held. */

/* Reserves words in the image, so that nobody else will write there, whatever
 * becomes of us; returns their position. There is room. */
uint32_t mpri_shard_take(struct mpri_shard *s, uint32_t words);

/* A change of one slot: *e, found in v, is replaced by the slot word now
 * (MPRI_REMOVED: by nothing). value: what the new entry brings, or NULL. The
 * hold of what was replaced comes out in *old (closed when there is none), to
 * be dropped when the lock is free. -ENOMEM: nothing was changed. */
int mpri_shard_publish(struct mpri_shard *s, struct mpri_view v,
                       const struct mpri_entry *e, uint32_t now,
                       struct mpri_value *value, mpr_handle *old);

/* The draft in the block becomes the image; the handle is then the old one,
 * or closed. block NULL: no image; out is the old one. Contents must be the
 * same, but for entries that counted as absent. */
void mpri_shard_swap(struct mpri_shard *s, const struct mpri_draft *d,
                     mpr_handle *block);
int mpri_shard_detach(struct mpri_shard *s, mpr_handle *out);

/* Drops what the entries of an image that counts as empty hold. */
void mpri_shard_drop_refs(struct mpri_shard *s);

/* The last owner died: makes everything true again. */
void mpri_shard_repair(struct mpri_shard *s);

#endif
