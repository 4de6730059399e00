#ifndef MPL_POOL_H
#define MPL_POOL_H

/* mp.core's half of Pool: what must be fast, or needs C. Policy is in lua/mp
 * (pool.lua and its neighbours), to which everything here is private.
 *
 *     pool.c     the pool as its creator and submitters see it
 *     job.c      jobs: filling them
 *     outcome.c  reading what came out
 *     run.c      what a worker does with tasks */

#include "object.h"

struct mpl_pool {
    struct mpl_object o;
    mpr_pool pool;
};

/* The pool at arg, open. */
mpr_pool *mpl_check_pool(lua_State *L, int arg);

/* Pushes the values of a task, which m may be needed for: how many. */
int mpl_push_task(lua_State *L, const struct mpr_task *t,
                  struct mpr_message *m);

/* The job at arg. */
const mpr_job *mpl_check_job(lua_State *L, int arg);

/* What tasks and results look like: flags of a job, above MPR_JOB_STOP_LOST. */
enum mpl_job_flags {
    MPL_JOB_SPREAD = 4,  /* the message's values are the arguments; else its
                          * first one is the only argument */
    MPL_JOB_ALL = 8,     /* all results are kept; else the first */
    MPL_JOB_NONE = 16,   /* none is */
    MPL_JOB_INLINE = 32, /* the message begins with the function */
    MPL_JOB_CARE = 64,   /* the worker's Lua half is asked before and after */
};

/* A flag of a result: what the task printed comes before its values. */
enum { MPL_RESULT_PRINTED = 1 };

/* Adds Pool, Note, Plan and Worker to the table on the stack's top. */
void mpl_open_pool(lua_State *L, struct mpl_state *S);

/* Their classes, in their files. */
void mpl_open_job(lua_State *L, struct mpl_state *S);
void mpl_open_worker(lua_State *L);

#endif
