#include "seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 64, LARGE = 1 << 16 };

void mpl_seen_free(struct mpl_seen *seen)
{
    free(seen->entries);
    memset(seen, 0, sizeof *seen);
}

void mpl_seen_clear(struct mpl_seen *seen, struct mpl_names *names)
{
    uint64_t last = ((uint64_t)1 << (64 - MPL_OFFSET_BITS)) - 1;

    if (seen->mask >= LARGE && seen->count < LARGE / 4)
        mpl_seen_free(seen); /* an old large message: give its memory back */
    seen->count = 0;
    if (seen->stamp == last || seen->stamp == 0) {
        /* The stamps begin anew (0 is that of empty entries). */
        if (seen->entries)
            memset(seen->entries, 0, (seen->mask + 1) * sizeof *seen->entries);
        memset(names->slots, 0, sizeof names->slots);
        seen->stamp = 0;
    }
    seen->stamp++;
    names->stamp = (uint32_t)seen->stamp;
    names->count = 0;
}

int mpl_seen_grow(struct mpl_seen *seen)
{
    size_t size = seen->entries ? 2 * (seen->mask + 1) : SMALL;
    struct mpl_seen old = *seen;

    seen->entries = calloc(size, sizeof *seen->entries);
    if (!seen->entries) {
        seen->entries = old.entries;
        return -ENOMEM;
    }
    seen->mask = size - 1;
    for (size_t i = 0; old.entries && i <= old.mask; i++) {
        struct mpl_seen_entry *e;

        if (old.entries[i].where >> MPL_OFFSET_BITS != seen->stamp)
            continue;
        mpl_seen_find(seen, old.entries[i].object, &e);
        *e = old.entries[i];
    }
    free(old.entries);
    return 0;
}
