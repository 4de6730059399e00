#ifndef MPL_JOB_H
#define MPL_JOB_H

/* A job in this state: made and filled by plan.c and job.c, read by outcome.c
 * and task.c. */

#include "pool.h"

struct mpl_job {
    struct mpl_object o;
    mpr_job job;
    struct mpr_message m; /* for results with objects */
    uint32_t room;
    /* Of any: */
    uint8_t *taken;   /* a byte for each task that was returned */
    uint32_t untaken; /* tasks below were */
    uint32_t scan;    /* where the next look begins */
    uint32_t seen;    /* progress at the last look */
};

enum { MPL_JOB_OWNER = 1 }; /* user value: the submitter it belongs to */

/* What the jobs of one call have in common. */
struct mpl_plan {
    struct mpr_job_options o;
    mpr_pool *pool;
    uint64_t each;  /* bytes of a task, times 16, from those that were seen */
    lua_Integer at; /* which item is in hand, from 1 */
};

extern const struct mpl_class mpl_job_class;

static inline struct mpl_job *mpl_job_self(lua_State *L)
{
    return mpl_checkself(L, &mpl_job_class);
}

struct mpl_plan *mpl_check_plan(lua_State *L, int arg);

/* Pushes the items of the table at idx, 1 to its field n or its length: how
 * many. */
int mpl_push_items(lua_State *L, int idx);

/* Adds the value on the top as a task, or its items: 0, -ENOSPC. */
int mpl_job_add_value(lua_State *L, struct mpl_plan *p, struct mpl_job *ud);

/* Pushes the values of a result that is done or failed: how many. */
int mpl_push_values(lua_State *L, struct mpl_job *ud,
                    const struct mpr_result *r);

/* Pushes an AsyncResult for the task of the job at idx. */
void mpl_task_push(lua_State *L, int job, uint32_t index);

/* Methods of a job that outcome.c has. */
int mpl_job_result(lua_State *L);
int mpl_job_value(lua_State *L);
int mpl_job_arguments(lua_State *L);
int mpl_job_collect(lua_State *L);
int mpl_job_any(lua_State *L);
int mpl_job_give_back(lua_State *L);

void mpl_open_plan(lua_State *L);
void mpl_open_task(lua_State *L);

#endif
