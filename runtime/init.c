/* How a process becomes a member of a family, and the few public functions
 * that concern the family as a whole. The only file that knows all layers. */

#include "base/assert.h"
#include "base/deadline.h"
#include "data/data.h"
#include "data/dict.h"
#include "data/list.h"
#include "ipc/conn.h"
#include "ipc/queue.h"
#include "life/block.h"
#include "life/guard.h"
#include "life/hold.h"
#include "life/reap.h"
#include "mem/arena.h"
#include "mem/segment.h"
#include "mpr.h"
#include "os/os.h"
#include "peer/roster.h"
#include "proc/process.h"
#include "serve/pool.h"
#include "sync/sync.h"
#include "wait/waiter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static void register_kinds(void)
{
    mpri_waiter_sweep = mpri_sweep;
    mpri_sync_register();
    mpri_conn_register();
    mpri_queue_register();
    mpri_layout_register();
    mpri_array_register();
    mpri_memory_register();
    mpri_shareable_register();
    mpri_log_register();
    mpri_frozen_register();
    mpri_dict_register();
    mpri_list_register();
    mpri_process_register();
    mpri_pool_register();
}

static int create_family(void)
{
    uint32_t slot;
    int err = mpri_segment_create(0);

    if (err < 0)
        return err;
    mpri_arena_init();
    err = mpri_bells_create();
    if (err == 0)
        err = mpri_roster_take("MainProcess", &slot);
    if (err == 0)
        err = mpri_roster_enter(slot, mpri_slot_generation(slot));
    if (err < 0)
        mpri_segment_close();
    else
        mpri_memory_sweep();
    return err;
}

int mpr_open(void)
{
    int err = 0;

    if (mpri_self_valid())
        return 0;
    /* Asked before the lock, which a thread of our parent may have held. */
    if (mpri_self_lost())
        return -ENOTRECOVERABLE;
    pthread_mutex_lock(&opening);
    if (!mpri_map.base) {
        register_kinds();
        err = create_family();
    } else if (!mpri_self_valid()) {
        err = -ENOTRECOVERABLE;
    }
    pthread_mutex_unlock(&opening);
    return err;
}

static long number(char **at)
{
    return strtol(*at, at, 10);
}

/* What exec.c wrote: maps the arena and takes the slot. */
static int adopt(char *at)
{
    int fd = (int)number(&at), parent, err;
    uint32_t slot = (uint32_t)number(&at);
    uint32_t generation = (uint32_t)number(&at);

    parent = (int)number(&at);
    if (fd < 3 || slot >= MPRI_SLOTS)
        return -EPROTO;
    err = mpri_segment_adopt(fd);
    if (err < 0)
        return err;
    mpri_fd_keep_on_exec(fd, false);
    for (int i = 0; i < MPRI_BELLS; i++) {
        mpri_bell_fd[i] = (int)number(&at);
        mpri_fd_keep_on_exec(mpri_bell_fd[i], false);
    }
    if (slot >= mpri_roster_end())
        return -EPROTO;
    mpri_child_parent(slot, parent);
    return mpri_roster_enter(slot, generation);
}

int mpr_process_is_ordered(void)
{
    return getenv(MPRI_CHILD_VARIABLE) != NULL;
}

int mpr_process_adopt(mpr_process *self)
{
    const char *text = getenv(MPRI_CHILD_VARIABLE);
    char copy[MPRI_CHILD_TEXT];
    mpr_handle h;
    int err;

    if (!text)
        return -ENOENT;
    snprintf(copy, sizeof copy, "%s", text);
    unsetenv(MPRI_CHILD_VARIABLE);
    if (mpri_map.base)
        return -EALREADY;
    register_kinds();
    err = adopt(copy);
    if (err == 0)
        err = mpri_hold_first(&h);
    if (err == 0)
        mpr_process_attach(self, &h);
    return err;
}

int mpr_is_member(void)
{
    return mpri_self_valid();
}

void mpr_leave(void)
{
    mpri_leave();
}

int64_t mpr_now(void)
{
    return mpri_now_ns();
}

int64_t mpr_after(double seconds)
{
    int64_t now = mpri_now_ns();

    if (seconds <= 0)
        return now;
    /* 10^9 s is 31 years: past any deadline that is meant. */
    if (seconds > 1e9)
        return MPR_FOREVER;
    return now + (int64_t)(seconds * 1e9);
}

int mpr_sleep(int64_t deadline_ns)
{
    return mpri_waiter_pause(deadline_ns);
}

void mpr_memory_ready(void *p, size_t size)
{
    mpri_private_pages_ready(p, size);
}

int mpr_cpu_count(int raw)
{
    return mpri_cpu_count(raw != 0);
}

int mpr_thread_count(void)
{
    return mpri_single_threaded() ? 1 : mpri_thread_count();
}

int mpr_random(void *bytes, size_t size)
{
    return mpri_random(bytes, size);
}

int mpr_affinity_get(unsigned *cpus, unsigned max)
{
    return mpri_affinity_get(cpus, max);
}

int mpr_affinity_set(const unsigned *cpus, unsigned count)
{
    return mpri_affinity_set(cpus, count);
}

int mpr_nice_add(int nice)
{
    return mpri_nice_add(nice);
}

uint64_t mpr_handle_id(const mpr_handle *h)
{
    return mpri_off(h->block);
}

static uint64_t members(void)
{
    uint64_t n = 0;

    for (uint32_t i = mpri_roster_end(); i-- > 0;)
        n += mpri_slot_state(i) != MPRI_SLOT_FREE;
    return n;
}

int mpr_stats(struct mpr_stats *out)
{
    struct mpri_arena_stats a;
    const struct mpri_guard *g;
    int err = mpr_open();

    if (err < 0)
        return err;
    g = mpri_guard();
    memset(out, 0, sizeof *out);
    mpri_guard_lock();
    mpri_arena_stats(&a);
    out->arena_size = mpri_segment()->size;
    out->used = a.pages_used * MPRI_PAGE;
    out->warm = a.pages_warm * MPRI_PAGE;
    out->holds = mpri_slot(mpri_self.slot)->held;
    for (unsigned k = 0; k < MPR_KIND_END; k++) {
        out->objects[k] = g->objects[k];
        out->bytes[k] = g->bytes[k];
    }
    mpri_guard_unlock();
    out->processes = members();
    out->descriptors = mpri_fd_count();
    return 0;
}

int mpr_check(void)
{
    int r;

    if (!mpri_self_valid())
        return 0;
    mpri_guard_lock();
    r = mpri_arena_check();
    mpri_guard_unlock();
    return r;
}

void mpr_sweep(void)
{
    mpri_sweep_now();
}
