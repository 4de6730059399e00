#ifndef MPL_WORKER_H
#define MPL_WORKER_H

/* Inside the binding of a pool's worker: run.c runs tasks, interrupt.c
 * interrupts them, memory_limit.c refuses them memory, output.c takes what they
 * print. */

#include "pool.h"

struct mpl_worker {
    mpr_worker *w; /* NULL: it left */
    struct mpr_task task;
    struct mpr_message m;
    const mpr_job *only; /* tasks of this job, NULL: of any */
    int64_t deadline;    /* to wait for tasks */
    bool in_task;
    enum mpr_interrupt interrupted; /* the task in hand was, for this */
    bool care;                      /* every task is asked about */
    uint64_t common;                /* whose function is loaded */
    unsigned loaded;                /* functions in the table */
    lua_Integer left; /* tasks until it is weary; negative: never */
    int host;         /* registry: its Lua half; LUA_NOREF */
};

enum {
    MPL_WORKER_FUNCTIONS = 1
}; /* user value: number of a note -> function */

/* Runs tasks until there are none, with the worker at 1 and its Lua half at 2:
 * how mpr_worker_take ended. Raises only what is not a task's: a hook that ends
 * the worker. */
int mpl_run_tasks(lua_State *L, struct mpl_worker *ud);

/* Pushes the number of the task in hand for messages, from 1; nil: it is one of
 * apply's. */
static inline void mpl_push_number(lua_State *L, const struct mpl_worker *ud)
{
    if (ud->task.flags & MPL_JOB_ALL)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)ud->task.number + 1);
}

/* From now on tasks that run in L can be interrupted: a hook raises what
 * host.interrupted(reason) returns. */
void mpl_interrupt_begin(lua_State *L, struct mpl_worker *ud);

/* Adds track_coroutines to the table on the top: makes coroutine.resume and
 * wrap note which coroutine runs, so that it can be interrupted. */
void mpl_open_interrupt(lua_State *L);

/* Collects what earlier tasks left, if that is much of what the limit allows:
 * some of Lua's library (string buffers) gives up without doing so. */
void mpl_memory_sweep(lua_State *L);

/* From now on the tasks of w may have so many bytes more than there are. */
void mpl_memory_limit(lua_State *L, const struct mpl_worker *w, size_t most);

/* No longer: w is about to be gone. */
void mpl_memory_unlimit(lua_State *L, const struct mpl_worker *w);

/* Adds affinity(), set_affinity(cpus), add_nice(n). */
void mpl_open_machine(lua_State *L);

/* Adds line_buffered(), tag_output(text), keep_output(apart), kept_output(),
 * write_real(i, text), isatty(fd). */
void mpl_open_output(lua_State *L);

#endif
