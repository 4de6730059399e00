#include "data/census.h"

#include "base/testpoint.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "mem/segment.h"
#include "mem/tx.h"
#include "os/os.h"
#include "peer/roster.h"

#include <errno.h>
#include <unistd.h>

enum { ENTRIES = MPRI_NAMES_SIZE / sizeof(struct mpri_census) };

static struct mpri_census *entry(uint64_t i)
{
    return (struct mpri_census *)mpri_at(MPRI_AT_NAMES) + i;
}

/* The entry of the inode whose block lives, or the end. Locked. */
static uint64_t find(uint64_t inode)
{
    uint64_t end = mpri_guard()->names_end;

    for (uint64_t i = 0; i < end; i++)
        if (entry(i)->inode == inode && entry(i)->block &&
            mpri_block_alive(mpri_at(entry(i)->block)))
            return i;
    return end;
}

int mpri_census_add(const mpr_handle *h, uint64_t inode, uint64_t *place)
{
    struct mpri_guard *g = mpri_guard();
    int err = mpri_shm_back(mpri_map.fd, MPRI_AT_NAMES, MPRI_NAMES_SIZE);
    uint64_t i;

    if (err < 0)
        return err;
    mpri_guard_lock();
    if (find(inode) < g->names_end) {
        err = -EEXIST;
        goto unlock;
    }
    for (i = 0; i < g->names_end && entry(i)->block; i++)
        ;
    if (i == ENTRIES) {
        err = -EMFILE;
        goto unlock;
    }
    mpri_tx_set(&entry(i)->inode, inode);
    mpri_tx_set(&entry(i)->block, mpri_off(h->block));
    mpri_tx_set(place, i + 1);
    if (i == g->names_end)
        mpri_tx_set(&g->names_end, i + 1);
    MPRI_TESTPOINT("census.adding");
    mpri_tx_commit();
unlock:
    mpri_guard_unlock();
    return err;
}

void mpri_census_remove(uint64_t *place)
{
    mpri_guard_lock();
    if (*place) {
        mpri_tx_set(&entry(*place - 1)->block, 0);
        mpri_tx_set(&entry(*place - 1)->inode, 0);
        mpri_tx_set(place, 0);
        MPRI_TESTPOINT("census.removing");
        mpri_tx_commit();
    }
    mpri_guard_unlock();
}

int mpri_census_open(uint64_t inode, mpr_handle *out)
{
    int err = mpri_hold_lock(1);
    uint64_t i;

    if (err < 0)
        return err;
    i = find(inode);
    if (i < mpri_guard()->names_end)
        mpri_block_open(entry(i)->block, out);
    else
        err = -ENOENT;
    mpri_guard_unlock();
    return err;
}

/* What is asked of the other families. */
struct search {
    uint64_t inode;
    uint64_t seen; /* the arena that was looked at last */
    bool found;
};

/* Reads the census of the arena that the process pid is a member of. */
static void look(void *arg, pid_t pid, uint64_t arena)
{
    struct search *s = arg;
    struct mpri_census page[MPRI_PAGE / sizeof(struct mpri_census)];
    int fd;

    if (s->found || arena == s->seen || arena == mpri_segment_inode())
        return;
    fd = mpri_file_of(pid, arena, mpri_map.fd);
    if (fd < 0)
        return; /* it has ended, or is another user's */
    for (uint64_t at = 0; at < MPRI_NAMES_SIZE && !s->found;
         at += sizeof page) {
        int err = mpri_segment_peek(fd, MPRI_AT_NAMES + at, page, sizeof page);

        if (err == -EPROTO)
            s->found = true; /* of another build: who knows */
        if (err < 0)
            break;
        for (size_t i = 0; i < sizeof page / sizeof page[0]; i++)
            s->found |= page[i].inode == s->inode;
    }
    close(fd);
    s->seen = arena;
}

int mpri_census_others(uint64_t inode)
{
    struct search s = {.inode = inode};
    int err = mpri_bytes_owners(mpri_map.fd, MPRI_LIVENESS, look, &s);

    return err < 0 ? err : s.found;
}

int mpri_census_anyone(uint64_t inode)
{
    bool ours;

    mpri_guard_lock();
    ours = find(inode) < mpri_guard()->names_end;
    mpri_guard_unlock();
    return ours ? 1 : mpri_census_others(inode);
}

void mpri_census_each(void (*visit)(uint64_t block))
{
    for (uint64_t i = 0; i < mpri_guard()->names_end; i++)
        if (entry(i)->block)
            visit(entry(i)->block);
}
