/* Named memory. The arena knows which names the family uses (a block each, and
 * data/census.h for the other families); the memory itself is a file that any
 * program may map.
 *
 * States:       (no name) made, in the census · NAMED anybody can attach it ·
 *               GONE unlinked; whoever has mapped it keeps it
 *               (no name) -> NAMED: create, one link · NAMED -> GONE: unlink;
 *               or, when it is temporary, the end of the last block that names
 *               it in any family; or a sweep that finds no such family
 * Invariant:    a temporary file has its name only while some family lists
 *               its inode, or somebody is about to remove it.
 * If we die here: the block goes by the reaper, and the name with it. If the
 *               whole family dies, no live family lists the inode, so the next
 *               one to come across the name removes it. */

#include "base/testpoint.h"
#include "data/census.h"
#include "data/data.h"
#include "life/block.h"
#include "life/kind.h"
#include "mem/segment.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)MPR_MEMORY_NAME == (int)MPRI_NAMED_MAX, "one length");

struct memory {
    uint64_t place; /* in the census. Guarded by: arena lock */
    uint64_t inode; /* the rest is fixed after init */
    uint64_t size;
    uint32_t temporary;
    uint32_t unused;
    char name[MPRI_NAMED_MAX + 6];
};

static struct memory *memory_of(const mpr_handle *h)
{
    return mpri_data(h);
}

/* Takes a temporary name away when in_use says that nobody uses the memory; from
 * the inode only, unless that is 0. certain: not knowing is not enough. */
static int take_name(const char *name, uint64_t inode, bool certain,
                     int (*in_use)(uint64_t inode))
{
    struct mpri_named id;
    int fd = mpri_named_claim(name, &id), used, err = -ENOENT;

    if (fd < 0)
        return fd;
    if (id.temporary && (inode == 0 || id.inode == inode)) {
        used = in_use(id.inode);
        err = -EBUSY;
        if (used == 0 || (used < 0 && !certain)) {
            MPRI_TESTPOINT("memory.removing");
            err = mpri_named_unlink(name);
        }
    }
    mpri_named_close(fd);
    return err;
}

/* What killed families left goes. */
static int remove_stale(const char *name)
{
    return take_name(name, 0, true, mpri_census_anyone);
}

static void visit(const char *name)
{
    remove_stale(name);
}

void mpri_memory_sweep(void)
{
    mpri_named_each(visit);
}

static void destroy(struct mpri_block *b)
{
    struct memory *m = mpri_block_data(b);

    mpri_census_remove(&m->place);
    if (m->temporary)
        take_name(m->name, m->inode, false, mpri_census_anyone);
}

static void leave_name(uint64_t block)
{
    const struct memory *m = mpri_block_data(mpri_at(block));

    if (m->temporary)
        take_name(m->name, m->inode, false, mpri_census_others);
}

/* exit() without closing anything, as scripts may end: with its last process
 * the family's arena is gone, but the names would stay until somebody cleans
 * up. Nothing else is touched, for other threads may still run; whoever has the
 * memory mapped keeps it. */
__attribute__((destructor)) static void leave_names(void)
{
    if (!mpri_self_valid())
        return;
    for (uint32_t i = mpri_roster_end(); i-- > 0;)
        if (i != mpri_self.slot && mpri_slot_state(i) != MPRI_SLOT_FREE &&
            mpri_peer_alive(i))
            return;
    mpri_census_each(leave_name);
}

static const char *label(const struct mpri_block *b)
{
    const struct memory *m = mpri_block_data(b);

    return m->name;
}

void mpri_memory_register(void)
{
    static const struct mpri_kind memory = {
        .name = "SharedMemory",
        .destroy = destroy,
        .label = label,
    };

    mpri_kind_register(MPR_KIND_MEMORY, &memory);
}

/* ---- mappings ------------------------------------------------------------*/

static int map(int fd, uint64_t size, struct mpri_mapping **out)
{
    struct mpri_mapping *m = malloc(sizeof *m);
    void *base;
    int err;

    if (!m)
        return -ENOMEM;
    err = mpri_shm_map(fd, size, &base);
    if (err < 0) {
        free(m);
        return err;
    }
    m->base = base;
    m->size = size;
    mpri_store_rlx(&m->users, 1);
    *out = m;
    return 0;
}

void mpri_mapping_hold(struct mpri_mapping *m)
{
    mpri_add_rlx(&m->users, 1); /* the caller's own keeps it */
}

void mpri_mapping_drop(struct mpri_mapping *m)
{
    /* Pairs with: itself; the last one sees that the others are through. */
    if (mpri_sub_acqrel(&m->users, 1) > 1)
        return;
    mpri_shm_unmap(m->base, m->size);
    free(m);
}

int mpri_mapping_open(const struct mpri_block *memory,
                      struct mpri_mapping **out)
{
    const struct memory *m = mpri_block_data(memory);
    struct mpri_named id;
    int fd = mpri_named_open(m->name, &id), err;

    if (fd < 0)
        return fd;
    err = id.inode == m->inode ? map(fd, m->size, out) : -ENOENT;
    mpri_named_close(fd);
    return err;
}

/* ---- the object ------------------------------------------------------------*/

/* Takes h and the mapping (NULL: none). */
static void open_memory(mpr_memory *m, mpr_handle *h,
                        struct mpri_mapping *mapping)
{
    m->h = *h;
    h->block = NULL;
    m->mapping = mapping;
    m->data = mapping ? mapping->base : NULL;
    m->size = memory_of(&m->h)->size;
}

int mpr_memory_attach(mpr_memory *m, mpr_handle *h)
{
    struct mpri_mapping *mapping = NULL;
    int err = mpri_mapping_open(mpri_block_of(h), &mapping);

    open_memory(m, h, mapping);
    return err;
}

/* A block for the file, in the census. -EEXIST: the family has one. */
static int make_block(const char *name, const struct mpri_named *id,
                      mpr_handle *h)
{
    struct memory *m;
    int err = mpri_block_create(sizeof *m, MPRI_BLOCK_ZERO, h);

    if (err < 0)
        return err;
    m = memory_of(h);
    m->inode = id->inode;
    m->size = id->size;
    m->temporary = id->temporary;
    snprintf(m->name, sizeof m->name, "%s", name);
    mpri_block_become(h, MPR_KIND_MEMORY);
    MPRI_TESTPOINT("memory.made");
    err = mpri_census_add(h, id->inode, &m->place);
    if (err < 0)
        mpri_drop(h);
    return err;
}

static int publish(int fd, const mpr_handle *h, bool chosen)
{
    struct memory *m = memory_of(h);
    uint32_t number;
    int err;

    for (;;) {
        if (chosen) {
            err = mpri_random(&number, sizeof number);
            if (err < 0)
                return err;
            snprintf(m->name, sizeof m->name, "mp_%08x", (unsigned)number);
        }
        err = mpri_named_publish(fd, m->name);
        if (err != -EEXIST)
            return err;
        if (!chosen && remove_stale(m->name) != 0)
            return err;
    }
}

int mpri_memory_create(mpr_memory *m, const char *name, uint64_t size,
                       unsigned flags,
                       void (*init)(char *data, const void *arg),
                       const void *arg)
{
    struct mpri_mapping *mapping;
    struct mpri_named id;
    mpr_handle h;
    int err = mpr_open(), fd;

    if (err < 0)
        return err;
    err = size == 0 ? -EINVAL : name ? mpri_named_check(name) : 0;
    if (err < 0)
        return err;
    if (mpri_memory_left() < size)
        return -ENOMEM;
    fd = mpri_named_make(size, !(flags & MPR_MEMORY_PERSISTS), &id);
    if (fd < 0)
        return fd;
    err = map(fd, size, &mapping);
    if (err < 0)
        goto close;
    if (init)
        init(mapping->base, arg);
    err = make_block(name ? name : "", &id, &h);
    if (err < 0)
        goto unmap;
    err = publish(fd, &h, !name);
    if (err < 0)
        goto drop;
    MPRI_TESTPOINT("memory.named");
    mpri_named_close(fd);
    open_memory(m, &h, mapping);
    return 0;

drop:
    mpri_drop(&h);
unmap:
    mpri_mapping_drop(mapping);
close:
    mpri_named_close(fd);
    return err;
}

int mpr_memory_create(mpr_memory *m, const char *name, uint64_t size,
                      unsigned flags)
{
    return mpri_memory_create(m, name, size, flags, NULL, NULL);
}

/* The block for the file that is open as fd: the family's, or a new one. */
static int find_block(const char *name, const struct mpri_named *id, int fd,
                      mpr_handle *h)
{
    int err = mpri_census_open(id->inode, h);

    if (err != -ENOENT)
        return err;
    if (id->temporary) {
        if (mpri_census_anyone(id->inode) == 0)
            return -ESTALE;
    } else {
        /* Made by others, perhaps only in part. */
        err = mpri_shm_back(fd, 0, id->size);
        if (err < 0)
            return err;
    }
    while ((err = make_block(name, id, h)) == -EEXIST) {
        err = mpri_census_open(id->inode, h);
        if (err != -ENOENT)
            break;
    }
    return err;
}

int mpr_memory_open(mpr_memory *m, const char *name)
{
    struct mpri_mapping *mapping;
    struct mpri_named id;
    mpr_handle h;
    int err = mpr_open(), fd;

    if (err < 0)
        return err;
    err = mpri_named_check(name);
    if (err < 0)
        return err;
    fd = mpri_named_open(name, &id);
    if (fd < 0)
        return fd;
    err = id.size == 0 ? -EINVAL : find_block(name, &id, fd, &h);
    if (err == 0) {
        err = map(fd, id.size, &mapping);
        if (err < 0)
            mpri_drop(&h);
    }
    mpri_named_close(fd);
    if (err == -ESTALE) {
        remove_stale(name);
        return -ENOENT;
    }
    if (err == 0)
        open_memory(m, &h, mapping);
    return err;
}

const char *mpr_memory_name(const mpr_memory *m)
{
    return memory_of(&m->h)->name;
}

int mpr_memory_unlink(mpr_memory *m)
{
    const struct memory *d = memory_of(&m->h);
    struct mpri_named id;
    int fd = mpri_named_claim(d->name, &id), err;

    if (fd < 0)
        return fd;
    err = id.inode == d->inode ? mpri_named_unlink(d->name) : -ENOENT;
    mpri_named_close(fd);
    return err;
}

int mpr_memory_view(const mpr_memory *m, uint64_t off,
                    const struct mpr_cells *what, mpr_array *view)
{
    if (!m->data)
        return -ENOENT;
    return mpri_array_view(
        &(struct mpri_part){
            .root = mpri_block_of(&m->h),
            .base = m->data,
            .size = m->size,
            .raw = 1,
            .mapping = m->mapping,
        },
        off, what, view);
}

void mpr_memory_close(mpr_memory *m)
{
    if (m->mapping)
        mpri_mapping_drop(m->mapping);
    m->mapping = NULL;
    m->data = NULL;
    mpr_handle_close(&m->h);
}
