#ifndef MPR_LIFE_KIND_H
#define MPR_LIFE_KIND_H

/* What a block in the arena is, and what must be done when a holder dies or
 * the last hold goes. Each kind's file gives its operations to
 * mpri_kind_register at the start of a process (runtime/init.c). */

#include <stdint.h>

struct mpri_block;
struct mpri_gate;

struct mpri_kind {
    const char *name; /* "Lock": as API users call it */

    /* The process of the slot ended: whatever the object says it owns is
     * given up, and those who wait are woken. May run several times, for a
     * process that owns nothing, and while others use the object. */
    void (*abandon)(struct mpri_block *block, uint32_t slot);

    /* Nobody holds the block any more: drops the holds that stand in it
     * (mpri_ref_drop). Alone with the block. May be killed in the middle and
     * run again by another process. Opens no handles: it may run where there
     * is no memory left for one. NULL: it holds nothing. */
    void (*destroy)(struct mpri_block *block);

    /* Things one can wait for among others (ipc/select.h): whether a wait for
     * it would not sleep now, and the gate that opens when that changes. */
    int (*ready)(struct mpri_block *block);
    struct mpri_gate *(*gate)(struct mpri_block *block);

    /* The offset of what the process of the slot owns by way of the block (a
     * lock that it holds: the same offset whichever block leads to it), or 0.
     * A process that closes its last way to what it owns abandons it first:
     * so a reaper finds everything a dead process owned among its holds. */
    uint64_t (*owned)(const struct mpri_block *block, uint32_t slot);

    /* The name its maker gave the object, or "". */
    const char *(*label)(const struct mpri_block *block);
};

/* kind: an enum mpr_kind; ops must live as long as the process. */
void mpri_kind_register(unsigned kind, const struct mpri_kind *ops);
const struct mpri_kind *mpri_kind(unsigned kind);

#endif
