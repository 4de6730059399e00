#ifndef MPR_SERVE_NOTE_H
#define MPR_SERVE_NOTE_H

/* A note is a message that stays in the arena for any number of readers: what
 * the tasks of a job have in common, a task or a result that is large or holds
 * objects, a piece of memory that a worker fills with small results. Its bytes
 * do not change once others know of them.
 *
 * States:       refs[i] 0, or the offset of a block that the note holds
 * Guarded by:   arena lock: next, refs · nobody: the rest, fixed after create
 * If we die here: a note stands in our hold table until a chain or a job takes
 *               it over, in one transaction. */

#include "life/block.h"
#include "mpr.h"

struct mpri_note {
    uint64_t next;   /* 0, or the next of its chain, which this one holds */
    uint64_t serial; /* no other note of the family ever has the same */
    uint64_t size;
    uint64_t ref_count;
    uint64_t refs[]; /* then the bytes */
};

/* Registers the kind NOTE. */
void mpri_note_register(void);

/* Makes a note, which a forked child does not inherit. -ENOMEM; -EMSGSIZE: too
 * many objects. */
int mpri_note_create(const struct mpr_parcel *p, mpr_handle *h);

/* The same with room for size bytes, not written yet. */
int mpri_note_blank(uint64_t size, mpr_handle *h);

static inline struct mpri_note *mpri_note_of(const struct mpri_block *b)
{
    return mpri_block_data(b);
}

static inline void *mpri_note_bytes(struct mpri_note *n)
{
    return n->refs + n->ref_count;
}

/* Makes the note the first of the chain, which takes the handle's hold. */
void mpri_note_chain(uint64_t *chain, mpr_handle *h);

/* Opens the note's objects in m and points m to its bytes; m is valid as long
 * as the note is held by others. -ENOMEM, -EBADMSG. */
int mpri_note_read(struct mpri_note *n, struct mpr_message *m);

/* A name of this process among all that ever were in the family; a handle that
 * a forked child copied says by it that it is not the child's. */
uint64_t mpri_self_name(void);

/* A number that nothing else of the family has at the same time. */
uint64_t mpri_new_serial(void);

#endif
