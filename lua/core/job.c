/* Jobs: adding tasks one by one, and all that is not reading (outcome.c). */

#include "job.h"

#include "arg.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>

const mpr_job *mpl_check_job(lua_State *L, int arg)
{
    const struct mpl_job *ud = luaL_checkudata(L, arg, mpl_job_class.name);

    return &ud->job;
}

static int job_gc(lua_State *L)
{
    struct mpl_job *ud = luaL_checkudata(L, 1, mpl_job_class.name);

    mpr_job_close(&ud->job);
    mpr_message_free(&ud->m);
    free(ud->taken);
    ud->taken = NULL;
    return 0;
}

/* job:belong(submitter) -> job */
static int job_belong(lua_State *L)
{
    mpl_job_self(L);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, MPL_JOB_OWNER);
    return 1;
}

/* job:pull(plan, next, most) -> n, over: calls next() for at most so many
 * items, each of which can be done at once. over: it returned nil. Nothing more
 * fits in when n is less than most and it is not over; then the item that did
 * not fit follows as a third value. */
static int job_pull(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    struct mpl_plan *p = mpl_check_plan(L, 2);
    lua_Integer most = luaL_checkinteger(L, 4), n = 0;
    int64_t published = mpr_now();
    bool over = false, full = false;
    int r = 0;

    lua_settop(L, 4);
    while (n < most && !full && r == 0) {
        int64_t now;

        if (mpr_job_room(&ud->job, 0) == 0)
            break;
        lua_pushvalue(L, 3);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) {
            over = true;
            break;
        }
        full = mpl_job_add_value(L, p, ud) == -ENOSPC;
        if (full)
            break;
        n++;
        lua_settop(L, 4);
        now = mpr_now();
        if (now - published > 20000) {
            r = mpr_job_publish(&ud->job);
            published = now;
        }
    }
    if (r == 0)
        r = mpr_job_publish(&ud->job);
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushinteger(L, n);
    lua_pushboolean(L, over);
    if (!full)
        return 2;
    lua_pushvalue(L, 5);
    return 3;
}

/* job:push(args [, f]) -> AsyncResult | nil (full) | nil, why: a task with the
 * arguments of the list, behind f if that is given. */
static int job_push(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    struct mpl_state *S = mpl_self(L);
    int first = lua_isnone(L, 3) ? 4 : 3;
    int n = 0;
    struct mpr_parcel parcel;
    uint32_t index;
    int r;

    lua_settop(L, 3);
    if (!mpr_job_is_last(&ud->job) || !mpr_job_room(&ud->job, 0))
        return 0;
    if (lua_istable(L, 2))
        n = mpl_push_items(L, 2);
    mpl_encode_values(L, first, n + 4 - first, S, MPL_FUNCTIONS,
                      first == 4 ? "argument %d" : "function, argument %d");
    mpl_codec_parcel(S, &parcel);
    index = ud->room - mpr_job_room(&ud->job, 0);
    r = mpr_job_add(&ud->job, &parcel);
    if (r == -ENOSPC)
        return 0;
    if (r == 0)
        r = mpr_job_publish(&ud->job);
    if (r < 0)
        return mpl_fail(L, r);
    mpl_task_push(L, 1, index);
    return 1;
}

/* job:wait(index or nil, seen, seconds) -> true when the task is over, or (nil)
 * progress is not what was seen; false: not yet. */
static int job_wait(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    uint64_t task =
        lua_isnil(L, 2) ? MPR_ANY_TASK : (uint64_t)luaL_checkinteger(L, 2);
    uint32_t seen = (uint32_t)luaL_optinteger(L, 3, 0);
    lua_Number seconds = luaL_checknumber(L, 4);
    int64_t deadline = seconds <= 0 ? 0 : mpr_after(seconds);
    int r;

    while ((r = mpr_job_wait(&ud->job, task, seen, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    lua_pushboolean(L, r > 0);
    return 1;
}

/* job:look() -> progress, failures, stopped, first index that failed | nil */
static int job_look(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    struct mpr_job_stats s;

    mpr_job_look(&ud->job, &s);
    lua_pushinteger(L, s.progress);
    lua_pushinteger(L, s.failures);
    lua_pushboolean(L, s.stopped);
    if (!s.failed)
        return 3;
    lua_pushinteger(L, s.first_failure);
    return 4;
}

/* job:room() -> tasks that may still be added; the time a task takes */
static int job_room(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);

    lua_pushinteger(L, mpr_job_room(&ud->job, 0));
    return 1;
}

/* job:publish(): what was added before next() raised in pull. */
static int job_publish(lua_State *L)
{
    int r = mpr_job_publish(&mpl_job_self(L)->job);

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* job:pace() -> the seconds that a task takes; 0: not known */
static int job_pace(lua_State *L)
{
    struct mpr_job_stats s;

    mpr_job_look(&mpl_job_self(L)->job, &s);
    lua_pushnumber(L, (lua_Number)s.task_ns / 1e9);
    return 1;
}

/* job:seen() -> progress when any looked */
static int job_seen(lua_State *L)
{
    lua_pushinteger(L, mpl_job_self(L)->seen);
    return 1;
}

/* job:count() -> tasks that were added */
static int job_count(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);

    lua_pushinteger(L, ud->room - mpr_job_room(&ud->job, 0));
    return 1;
}

static int job_stop(lua_State *L)
{
    mpr_job_stop(&mpl_job_self(L)->job);
    return 0;
}

static int job_give_up(lua_State *L)
{
    mpr_job_give_up(&mpl_job_self(L)->job);
    return 0;
}

static int job_seal(lua_State *L)
{
    mpr_job_seal(&mpl_job_self(L)->job);
    return 0;
}

/* job:retry(index, seconds): once more, not before so many seconds are over. */
static int job_retry(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    lua_Number seconds = luaL_optnumber(L, 3, 0);
    int r = mpr_job_retry(&ud->job, (uint32_t)luaL_checkinteger(L, 2),
                          seconds > 0 ? mpr_after(seconds) : 0);

    lua_pushboolean(L, r == 0);
    return 1;
}

/* job:cancel(index) -> "queued" | "running", seat | nil */
static int job_cancel(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    int seat;

    switch (
        mpr_job_cancel(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &seat)) {
    case MPR_CANCELLED_QUEUED:
        lua_pushliteral(L, "queued");
        return 1;
    case MPR_CANCELLED_RUNNING:
        lua_pushliteral(L, "running");
        lua_pushinteger(L, seat);
        return 2;
    case MPR_CANCELLED_NOT:
        break;
    }
    return 0;
}

static const char *refuse(const struct mpl_object *o)
{
    (void)o;
    return "a job of a pool";
}

static const luaL_Reg methods[] = {
    {"push", job_push},
    {"pull", job_pull},
    {"publish", job_publish},
    {"belong", job_belong},
    {"result", mpl_job_result},
    {"arguments", mpl_job_arguments},
    {"value", mpl_job_value},
    {"collect", mpl_job_collect},
    {"any", mpl_job_any},
    {"give_back", mpl_job_give_back},
    {"wait", job_wait},
    {"look", job_look},
    {"pace", job_pace},
    {"seen", job_seen},
    {"count", job_count},
    {"room", job_room},
    {"stop", job_stop},
    {"seal", job_seal},
    {"retry", job_retry},
    {"cancel", job_cancel},
    {"give_up", job_give_up},
    {"close", job_gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__gc", job_gc},
    {"__close", job_gc},
    {NULL, NULL},
};

const struct mpl_class mpl_job_class = {
    .name = "mp.core.Job",
    .type = "Job",
    .size = sizeof(struct mpl_job),
    .handle = offsetof(struct mpl_job, job.h),
    .kind = MPR_KIND_JOB,
    .user_values = 1,
    .waitable = true,
    .methods = methods,
    .meta = meta,
    .refuse = refuse,
};

void mpl_open_job(lua_State *L, struct mpl_state *S)
{
    mpl_class_open(L, S, &mpl_job_class);
    mpl_open_plan(L);
    mpl_open_task(L);
}
