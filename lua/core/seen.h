#ifndef MPL_SEEN_H
#define MPL_SEEN_H

/* What a message has met so far: objects by address, each with the offset of
 * its tag; and short strings, the repeated ones of which become names. Knows
 * no Lua. Emptying is free: an entry counts only if it carries the stamp of
 * the message in hand. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mpl_seen_entry {
    const void *object;
    uint64_t where; /* stamp << 40 | offset */
};

struct mpl_seen {
    struct mpl_seen_entry *entries; /* a power of two, at most 3/4 in use */
    size_t mask;
    size_t count;
    uint64_t stamp;
};

enum {
    MPL_OFFSET_BITS = 40,
    MPL_NAME_SLOTS = 128,
    MPL_NAME_SIZE = 40, /* longer strings are no names: Lua's short strings */
};

struct mpl_name {
    const char *s;
    uint32_t stamp;
    uint16_t index; /* of the name + 1; 0: met once, no name yet */
    uint16_t size;
    uint64_t where; /* offset of its bytes in the message */
};

struct mpl_names {
    struct mpl_name slots[MPL_NAME_SLOTS];
    uint32_t stamp; /* that of seen */
    unsigned count; /* names defined */
};

void mpl_seen_free(struct mpl_seen *seen);

/* Forgets everything; the names too. */
void mpl_seen_clear(struct mpl_seen *seen, struct mpl_names *names);

/* Doubles the table; -ENOMEM. */
int mpl_seen_grow(struct mpl_seen *seen);

/* The object's entry, found (true) or to be filled (false); there is room. */
static inline bool mpl_seen_find(const struct mpl_seen *seen,
                                 const void *object,
                                 struct mpl_seen_entry **entry)
{
    uint64_t hash = ((uint64_t)(uintptr_t)object >> 4) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(hash >> 32) & seen->mask;

    for (;; i = (i + 1) & seen->mask) {
        struct mpl_seen_entry *e = &seen->entries[i];

        *entry = e;
        if (e->where >> MPL_OFFSET_BITS != seen->stamp)
            return false;
        if (e->object == object)
            return true;
    }
}

static inline uint64_t mpl_seen_offset(const struct mpl_seen_entry *entry)
{
    return entry->where & (((uint64_t)1 << MPL_OFFSET_BITS) - 1);
}

/* Whether the object was met, at *off; otherwise it is now, at off. 1, 0,
 * -ENOMEM. */
static inline int mpl_seen_add(struct mpl_seen *seen, const void *object,
                               uint64_t *off)
{
    struct mpl_seen_entry *e;

    if (seen->count * 4 >= seen->mask * 3 && mpl_seen_grow(seen) < 0)
        return -1;
    if (mpl_seen_find(seen, object, &e)) {
        *off = mpl_seen_offset(e);
        return 1;
    }
    e->object = object;
    e->where = seen->stamp << MPL_OFFSET_BITS | *off;
    seen->count++;
    return 0;
}

/* The object, which was met, has its tag elsewhere. */
static inline void mpl_seen_move(struct mpl_seen *seen, const void *object,
                                 uint64_t off)
{
    struct mpl_seen_entry *e;

    if (mpl_seen_find(seen, object, &e))
        e->where = seen->stamp << MPL_OFFSET_BITS | off;
}

/* The object was not met after all. */
static inline void mpl_seen_forget(struct mpl_seen *seen, const void *object)
{
    struct mpl_seen_entry *e;

    if (mpl_seen_find(seen, object, &e))
        e->object = e; /* nobody's address */
}

/* Where the string is, or may be put: the slot, or its neighbour if another
 * string is a name there. */
static inline struct mpl_name *mpl_name_slot(struct mpl_names *names,
                                             const char *s)
{
    uint32_t hash = (uint32_t)((uintptr_t)s >> 3) * 2654435769u;
    struct mpl_name *name = &names->slots[hash >> 25];

    if (name->s != s && name->index && name->stamp == names->stamp)
        name = &names->slots[hash >> 25 ^ 1];
    return name;
}

#endif
