/* A list in named memory.
 *
 *     shelf    what it is; the lock
 *     slots    32 bytes an item
 *     areas    two per slot, of the slot's room
 *
 * The lock is a robust mutex of the C library: programs of other families use
 * the list too, and the roster knows only ours.
 *
 * States:       slot.state: type · which area holds the item · its length
 * Invariant:    what state says is complete; the other area is scratch.
 * Guarded by:   the lock, for readers too.
 * If we die here: with half an item in the other area, state names the old
 *               one; the next to lock is told, and finds all in order. */

#include "base/testpoint.h"
#include "data/data.h"
#include "life/block.h"
#include "life/kind.h"
#include "mem/segment.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* "mp-list1", in the order of this machine's bytes */
static const uint64_t MAGIC = 0x317473696c2d706dULL;

struct slot {
    mpri_a64 state;
    uint64_t room; /* Fixed after init, as the rest */
    uint64_t at;   /* of the first area; the second follows */
    uint64_t unused;
};

struct shelf {
    uint64_t magic;
    uint64_t count;
    uint64_t size; /* of all */
    uint64_t lock_size;
    uint64_t unused[4];
    _Alignas(64) pthread_mutex_t lock;
    _Alignas(64) struct slot slot[];
};

/* In the arena: a list as an object that can be passed on. */
struct shareable {
    uint64_t memory; /* holds the SharedMemory */
};

static uint64_t make_state(unsigned type, unsigned area, uint64_t length)
{
    return type | area << 8 | length << 16;
}

static unsigned type_of(uint64_t state)
{
    return state & 0xff;
}

static unsigned area_of(uint64_t state)
{
    return state >> 8 & 1;
}

static uint64_t length_of(uint64_t state)
{
    return state >> 16;
}

static struct shelf *shelf_of(const mpr_shareable *l)
{
    return l->memory.data;
}

static void destroy(struct mpri_block *b)
{
    mpri_ref_drop(&((struct shareable *)mpri_block_data(b))->memory);
}

void mpri_shareable_register(void)
{
    static const struct mpri_kind kind = {
        .name = "ShareableList",
        .destroy = destroy,
    };

    mpri_kind_register(MPR_KIND_SHAREABLE, &kind);
}

/* ---- items ----------------------------------------------------------------*/

static uint64_t room_for(const struct mpr_item *item)
{
    return item->type == MPR_ITEM_TEXT ? item->size / 8 * 8 + 8 : 8;
}

static uint64_t length_for(const struct mpr_item *item)
{
    switch (item->type) {
    case MPR_ITEM_TEXT:
        return item->size;
    case MPR_ITEM_INTEGER:
    case MPR_ITEM_FLOAT:
        return sizeof item->n;
    case MPR_ITEM_BOOLEAN:
        return item->n.u != 0;
    case MPR_ITEM_NIL:
    case MPR_ITEM_TABLE:
        break;
    }
    return 0;
}

static void put(char *base, struct slot *s, const struct mpr_item *item)
{
    /* relaxed: ours by the lock, or nobody else's yet */
    unsigned area = !area_of(mpri_load_rlx(&s->state));
    uint64_t length = length_for(item);
    char *to = base + s->at + area * s->room;

    if (item->type == MPR_ITEM_TEXT && length)
        memcpy(to, item->text, length);
    else if (item->type == MPR_ITEM_INTEGER || item->type == MPR_ITEM_FLOAT)
        memcpy(to, &item->n, sizeof item->n);
    MPRI_TESTPOINT("shareable.copied");
    /* Pairs with: mpr_shareable_get of who finds us dead. */
    mpri_store_rel(&s->state, make_state(item->type, area, length));
}

static void lock(struct shelf *s)
{
    if (pthread_mutex_lock(&s->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&s->lock);
}

static void unlock(struct shelf *s)
{
    pthread_mutex_unlock(&s->lock);
}

uint64_t mpr_shareable_count(const mpr_shareable *l)
{
    return l->memory.data ? shelf_of(l)->count : 0;
}

uint64_t mpr_shareable_room(const mpr_shareable *l, uint64_t i)
{
    return shelf_of(l)->slot[i].room;
}

int mpr_shareable_get(const mpr_shareable *l, uint64_t i, char *buf,
                      struct mpr_item *item)
{
    struct shelf *shelf = shelf_of(l);
    struct slot *s = &shelf->slot[i];
    const char *from;
    uint64_t state, length;
    int err = 0;

    lock(shelf);
    /* Pairs with: put. */
    state = mpri_load_acq(&s->state);
    length = length_of(state);
    from = (const char *)shelf + s->at + area_of(state) * s->room;
    item->type = type_of(state);
    item->text = buf;
    item->size = length;
    if (type_of(state) > MPR_ITEM_TEXT || length > s->room)
        err = -EBADMSG;
    else if (item->type == MPR_ITEM_TEXT)
        memcpy(buf, from, length);
    else if (item->type == MPR_ITEM_BOOLEAN)
        item->n.u = length;
    else
        memcpy(&item->n, from, sizeof item->n);
    unlock(shelf);
    return err;
}

int mpr_shareable_set(const mpr_shareable *l, uint64_t i,
                      const struct mpr_item *item)
{
    struct shelf *shelf = shelf_of(l);
    struct slot *s = &shelf->slot[i];

    if (item->type == MPR_ITEM_TABLE)
        return -EINVAL;
    if (item->type == MPR_ITEM_TEXT && item->size > s->room)
        return -EMSGSIZE;
    lock(shelf);
    MPRI_TESTPOINT("shareable.locked");
    put((char *)shelf, s, item);
    MPRI_TESTPOINT("shareable.stored");
    unlock(shelf);
    return 0;
}

/* ---- making and opening ----------------------------------------------------*/

struct content {
    const struct mpr_item *items;
    uint64_t count;
    uint64_t size;
};

static void init(char *data, const void *arg)
{
    const struct content *c = arg;
    struct shelf *shelf = (struct shelf *)(void *)data;
    uint64_t at = sizeof *shelf + c->count * sizeof shelf->slot[0];
    pthread_mutexattr_t attr;

    shelf->count = c->count;
    shelf->size = c->size;
    shelf->lock_size = sizeof shelf->lock;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shelf->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    for (uint64_t i = 0; i < c->count; i++) {
        struct slot *s = &shelf->slot[i];

        s->room = room_for(&c->items[i]);
        s->at = at;
        at += 2 * s->room;
        put(data, s, &c->items[i]);
    }
    shelf->magic = MAGIC;
}

/* Whether a list lies there, and its slots lie within the memory. */
static int check(const mpr_memory *m)
{
    const struct shelf *s = m->data;

    if (m->size < sizeof *s || s->magic != MAGIC || s->size > m->size ||
        s->lock_size != sizeof s->lock ||
        s->count > (s->size - sizeof *s) / sizeof s->slot[0])
        return -EPROTO;
    for (uint64_t i = 0; i < s->count; i++)
        if (s->slot[i].room < 8 || s->slot[i].at > s->size ||
            s->slot[i].room > (s->size - s->slot[i].at) / 2)
            return -EPROTO;
    return 0;
}

/* The object for the memory, which it takes. */
static int make_object(mpr_shareable *l, mpr_memory *m)
{
    struct shareable *d;
    int err = mpri_block_create(sizeof *d, MPRI_BLOCK_ZERO, &l->h);

    if (err < 0) {
        mpr_memory_close(m);
        return err;
    }
    d = mpri_data(&l->h);
    mpri_block_become(&l->h, MPR_KIND_SHAREABLE);
    mpri_ref_set(&d->memory, &m->h);
    l->memory = *m;
    return 0;
}

int mpr_shareable_create(mpr_shareable *l, const char *name, unsigned flags,
                         const struct mpr_item *items, uint64_t count)
{
    struct content c = {.items = items, .count = count};
    mpr_memory m;
    int err;

    if (count > INT64_MAX / sizeof(struct slot) / 2)
        return -E2BIG;
    c.size = sizeof(struct shelf) + count * sizeof(struct slot);
    for (uint64_t i = 0; i < count; i++) {
        if (items[i].type == MPR_ITEM_TABLE)
            return -EINVAL;
        if (room_for(&items[i]) > INT64_MAX - c.size)
            return -E2BIG;
        c.size += 2 * room_for(&items[i]);
    }
    err = mpri_memory_create(&m, name, c.size, flags, init, &c);
    return err < 0 ? err : make_object(l, &m);
}

int mpr_shareable_open(mpr_shareable *l, const char *name)
{
    mpr_memory m;
    int err = mpr_memory_open(&m, name);

    if (err < 0)
        return err;
    err = check(&m);
    if (err < 0) {
        mpr_memory_close(&m);
        return err;
    }
    return make_object(l, &m);
}

int mpr_shareable_attach(mpr_shareable *l, mpr_handle *h)
{
    const struct shareable *d = mpri_data(h);
    mpr_handle memory;
    int err = mpri_ref_open(&d->memory, &memory);

    memset(&l->memory, 0, sizeof l->memory);
    l->h = *h;
    h->block = NULL;
    return err < 0 ? err : mpr_memory_attach(&l->memory, &memory);
}

void mpr_shareable_close(mpr_shareable *l)
{
    mpr_memory_close(&l->memory);
    mpr_handle_close(&l->h);
}
