#ifndef MPR_DATA_DATA_H
#define MPR_DATA_DATA_H

/* What the objects of this folder offer to one another and to init.c. */

#include "base/atomic.h"
#include "mpr.h"

struct mpri_block;

/* Register the kinds of this folder. */
void mpri_layout_register(void);
void mpri_array_register(void);
void mpri_memory_register(void);
void mpri_shareable_register(void);
void mpri_log_register(void);
void mpri_frozen_register(void);

/* Removes the named memory that killed families left. */
void mpri_memory_sweep(void);

/* Named memory as this process has mapped it; handles share one. */
struct mpri_mapping {
    char *base;
    uint64_t size;
    mpri_a32 users;
};

/* Maps what a block of kind MEMORY names. -ENOENT: the name is gone. */
int mpri_mapping_open(const struct mpri_block *memory,
                      struct mpri_mapping **out);
void mpri_mapping_hold(struct mpri_mapping *m);
void mpri_mapping_drop(struct mpri_mapping *m);

/* As mpr_memory_create; init is called before anybody can find the memory. */
int mpri_memory_create(mpr_memory *m, const char *name, uint64_t size,
                       unsigned flags,
                       void (*init)(char *data, const void *arg),
                       const void *arg);

/* A part of a block's memory on which rows can be made. */
struct mpri_part {
    struct mpri_block *root; /* who keeps it alive */
    char *base;              /* where its data starts in this process */
    uint64_t off;            /* of the part */
    uint64_t size;
    uint32_t raw;
    struct mpri_mapping *mapping; /* or NULL: it lies in the arena */
};

/* As mpr_array_view. */
int mpri_array_view(const struct mpri_part *part, uint64_t off,
                    const struct mpr_cells *what, mpr_array *view);

#endif
