#ifndef MPR_DATA_LIST_H
#define MPR_DATA_LIST_H

/* The kind List: a sequence that all processes share. mpr.h has its
 * functions.
 *
 * States:       body 0: empty · else the block with its items (data/body.h)
 * Invariant:    as in data/sight.h: who reads the same even generation before
 *               and after has read one body, that was the list's meanwhile.
 * Guarded by:   lock: everything.
 * If we die here: (generation even) one store was made, or not. (odd) the
 *               transaction was committed, or is rolled back with the arena
 *               lock; the next owner of the lock makes it even. */

#include "data/body.h"
#include "data/reserve.h"
#include "wait/mutex.h"

enum { MPRI_LIST_LABEL = 32 };

/* Where the first item of a list is: far from both ends of a word. */
#define MPRI_LIST_BEGIN (1ULL << 62)

struct mpri_list {
    /* With the block's header, a line that readers share. */
    mpri_a64 generation;
    mpri_a64 body;
    uint64_t unused0[2];

    struct mpri_mutex lock;
    mpri_a64 changes; /* counts up with, or shortly before, each change */
    struct mpri_reservation reservation;
    uint64_t unused1[3];

    char label[]; /* Fixed after init: MPRI_LIST_LABEL bytes, or none */
};
_Static_assert(sizeof(struct mpri_list) == 96, "with its header, two lines");

static inline struct mpri_body *mpri_list_body(const struct mpri_list *l)
{
    uint64_t body = mpri_load_acq(&l->body);

    return body ? mpri_block_data(mpri_at(body)) : NULL;
}

/* Locks, and repairs what the last owner left. */
void mpri_list_lock(struct mpri_list *l);

static inline void mpri_list_unlock(struct mpri_list *l)
{
    mpri_mutex_unlock(&l->lock);
}

/* Everything with b: the lock is held. */

static inline uint64_t mpri_list_length(struct mpri_body *b)
{
    return b ? mpri_load_rlx(&b->end) - mpri_load_rlx(&b->base) : 0;
}

/* Changes of one item: 0; -ERANGE: no such index; -ENOMEM; -EINTR as for a
 * dict. Index 0 is the one after the last (insert) or the last (take). */
int mpri_list_set(struct mpri_list *l, uint64_t index, struct mpri_value *value,
                  uint64_t me);
int mpri_list_insert(struct mpri_list *l, uint64_t index,
                     struct mpri_value *value, uint64_t me);

/* Which item is to go. */
struct mpri_removal {
    uint64_t index;                 /* 0: the last; comes back */
    const struct mpr_parcel *equal; /* the first that is equal, not index:
                                     * -ENOENT */
    const struct mpr_message *same; /* only if it is this one: -ESTALE */
    bool is_last;                   /* and, with same, only if it is the last */
    struct mpr_message *taken;      /* gets the value, if it is plain and fits:
                                * -EAGAIN otherwise, nothing was done */
};
int mpri_list_remove(struct mpri_list *l, struct mpri_removal *r, uint64_t me);

/* The index of the first item from index on that is equal, 0: none; counts
 * them if count is not NULL. The lock is held. */
uint64_t mpri_list_find(struct mpri_body *b, uint64_t index,
                        const struct mpr_parcel *equal, uint64_t *count);

/* Adds many, all at once. Values with boxes are moved even if it fails. */
int mpri_list_extend(struct mpri_list *l, struct mpri_value *values, uint64_t n,
                     uint64_t me);

int mpri_list_clear(struct mpri_list *l, uint64_t me);

/* The items in another order (order[i], from 1, comes to i): -ESTALE: it is
 * not the list of that version. */
int mpri_list_arrange(struct mpri_list *l, uint64_t version,
                      const uint64_t *order, uint64_t n, uint64_t me);

int mpri_list_snapshot(struct mpri_list *l, struct mpr_snapshot *s);

void mpri_list_register(void);

#endif
