/* What a pool's worker does with tasks: takes one, calls the function, gives the
 * result. What a task that fails means, and everything that a task may ask for
 * besides being called, is the Lua half's (mp.worker), which is the table
 * "host" here:
 *
 *     host.load(note, f, policy) -> f  once per function; host.forget() before
 *                                     all of them are loaded anew
 *     host.catch                       the message handler of its calls
 *     host.failed(status, err, …) -> error object | in how many seconds it is
 *                                     tried once more
 *     host.before(…), host.after() -> what was printed, or nil
 *                                     around tasks that ask for care
 *     host.interrupted(reason, …) -> what a hook raises */

#include "worker.h"

#include "arg.h"
#include "value.h"

#include <errno.h>

enum { FUNCTIONS_MAX = 200 };

/* Stack of run_tasks and what it calls. */
enum { WORKER = 1, HOST, FUNCTION };

/* ---- one task --------------------------------------------------------------- */

static void host_function(lua_State *L, const char *key)
{
    lua_getfield(L, HOST, key);
}

/* Makes FUNCTION the one of the task's job. */
static void load_function(lua_State *L, struct mpl_worker *ud)
{
    struct mpl_refs refs;
    int n;

    if (ud->loaded == FUNCTIONS_MAX) { /* begin anew */
        lua_newtable(L);
        lua_setiuservalue(L, WORKER, MPL_WORKER_FUNCTIONS);
        ud->loaded = 0;
        host_function(L, "forget");
        lua_call(L, 0, 0);
    }
    lua_getiuservalue(L, WORKER, MPL_WORKER_FUNCTIONS);
    if (lua_rawgeti(L, -1, (lua_Integer)ud->task.common) == LUA_TNIL) {
        lua_pop(L, 1);
        host_function(L, "load");
        lua_pushinteger(L, (lua_Integer)ud->task.common);
        if (mpr_worker_common(ud->w, &ud->m) < 0)
            luaL_error(L, "not enough memory");
        refs = (struct mpl_refs){ud->m.refs, ud->m.ref_count};
        n = mpl_decode(L, mpl_self(L), ud->m.bytes, (size_t)ud->m.size, &refs,
                       MPL_FUNCTIONS);
        mpr_message_clear(&ud->m);
        lua_call(L, n + 1, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)ud->task.common);
        ud->loaded++;
    }
    lua_replace(L, FUNCTION);
    lua_pop(L, 1);
    ud->common = ud->task.common;
}

int mpl_push_task(lua_State *L, const struct mpr_task *t, struct mpr_message *m)
{
    struct mpl_refs refs = {NULL, 0};
    int n;

    if (t->tasks != MPR_TASKS_MESSAGES) {
        lua_pushinteger(L, t->integer);
        return 1;
    }
    if (!t->note)
        return mpl_decode(L, mpl_self(L), t->bytes, (size_t)t->size, &refs,
                          MPL_FUNCTIONS);
    if (mpr_task_message(t, m) < 0)
        luaL_error(L, "not enough memory");
    refs = (struct mpl_refs){m->refs, m->ref_count};
    n = mpl_decode(L, mpl_self(L), m->bytes, (size_t)m->size, &refs,
                   MPL_FUNCTIONS);
    mpr_message_clear(m);
    return n;
}

static void give(lua_State *L, struct mpl_worker *ud, int failed,
                 unsigned flags, const struct mpr_parcel *p)
{
    int r = mpr_worker_give(ud->w, failed, flags, p);

    if (r == -EMSGSIZE)
        luaL_error(L, "too many objects in one result (at most %d)",
                   MPR_PARCEL_REFS);
    if (r < 0)
        mpl_raise(L, r, "cannot send result");
}

/* Gives the value on the top, if it is plain and short. */
static bool give_short(lua_State *L, struct mpl_worker *ud)
{
    uint8_t bytes[16];
    struct mpr_parcel p = {.bytes = bytes, .size = 1};

    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        bytes[0] = MPR_TAG_NIL;
        break;
    case LUA_TBOOLEAN:
        bytes[0] = lua_toboolean(L, -1) ? MPR_TAG_TRUE : MPR_TAG_FALSE;
        break;
    case LUA_TNUMBER:
        p.size = (uint64_t)((lua_isinteger(L, -1)
                                 ? mpr_put_integer(bytes, lua_tointeger(L, -1))
                                 : mpr_put_number(bytes, lua_tonumber(L, -1))) -
                            bytes);
        break;
    default:
        return false;
    }
    give(L, ud, 0, 0, &p);
    return true;
}

/* Gives the n values on the top. */
static void give_values(lua_State *L, struct mpl_worker *ud, int n,
                        unsigned flags)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel p = {0};

    if (n == 1 && flags == 0 && give_short(L, ud))
        return;
    if (n > 0) {
        mpl_encode_values(L, lua_gettop(L) - n + 1, n, S, MPL_FUNCTIONS,
                          n == 1 ? "result" : "result %d");
        mpl_codec_parcel(S, &p);
    }
    give(L, ud, 0, flags, &p);
}

/* The task of a job that asks for more than to be called. */
static void do_with_care(lua_State *L, struct mpl_worker *ud)
{
    int top = lua_gettop(L), n;

    host_function(L, "before");
    lua_pushinteger(L, (lua_Integer)ud->task.common);
    lua_pushinteger(L, (lua_Integer)ud->task.number);
    lua_pushinteger(L, (lua_Integer)ud->task.seed);
    lua_pushboolean(L, ud->task.timeout_ns != 0);
    lua_call(L, 4, 0);
    if (!(ud->task.flags & MPL_JOB_INLINE))
        lua_pushvalue(L, FUNCTION);
    mpl_push_task(L, &ud->task, &ud->m);
    if (ud->task.timeout_ns)
        mpr_worker_limit(ud->w, ud->task.timeout_ns, ud->task.grace_ns);
    lua_call(L, lua_gettop(L) - top - 1,
             ud->task.flags & MPL_JOB_ALL ? LUA_MULTRET : 1);
    n = lua_gettop(L) - top;
    host_function(L, "after");
    lua_call(L, 0, 1); /* what it printed, or nil */
    if (ud->task.flags & MPL_JOB_NONE)
        n = 0;
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_settop(L, top + n);
        give_values(L, ud, n, 0);
    } else {
        lua_insert(L, top + 1);
        lua_settop(L, top + 1 + n);
        give_values(L, ud, n + 1, MPL_RESULT_PRINTED);
    }
}

static void do_task(lua_State *L, struct mpl_worker *ud)
{
    unsigned flags = ud->task.flags;
    bool care = ud->care || flags & MPL_JOB_CARE;
    int top = lua_gettop(L), n = 0;

    if (flags & MPL_JOB_INLINE) {
        n--;
    } else {
        if (ud->task.common != ud->common)
            load_function(L, ud);
        if (!care)
            lua_pushvalue(L, FUNCTION);
    }
    if (care) {
        do_with_care(L, ud);
        return;
    }
    n += mpl_push_task(L, &ud->task, &ud->m);
    lua_call(L, n, flags & MPL_JOB_ALL ? LUA_MULTRET : 1);
    n = flags & MPL_JOB_NONE ? 0 : lua_gettop(L) - top;
    give_values(L, ud, n, 0);
}

static void count_task(struct mpl_worker *ud)
{
    if (ud->left > 0 && --ud->left == 0)
        mpr_worker_weary(ud->w);
}

/* Runs tasks until there are none: pushes how mpr_worker_take ended. */
static int run_tasks(lua_State *L)
{
    struct mpl_worker *ud = lua_touserdata(L, WORKER);

    lua_settop(L, FUNCTION);
    ud->common = 0;
    for (;;) {
        int r = mpr_worker_take(ud->w, ud->only, &ud->task, ud->deadline);

        if (r == -EINTR) {
            mpl_interrupted(L, mpl_self(L));
            continue;
        }
        if (r <= 0) {
            lua_pushinteger(L, r);
            return 1;
        }
        ud->interrupted = MPR_INTERRUPT_NONE;
        mpl_memory_sweep(L);
        ud->in_task = true;
        do_task(L, ud);
        ud->in_task = false;
        count_task(ud);
        lua_settop(L, FUNCTION);
    }
}

/* ---- a task that failed -------------------------------------------------------------- */

/* The error is at 4, the status of its call at 5. */
static int give_error(lua_State *L)
{
    struct mpl_worker *ud = lua_touserdata(L, WORKER);
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel p;

    host_function(L, "failed");
    lua_pushvalue(L, 5);
    lua_pushvalue(L, 4);
    lua_pushinteger(L, (lua_Integer)ud->task.common);
    mpl_push_number(L, ud);
    lua_pushinteger(L, mpr_worker_attempts(ud->w));
    lua_pushboolean(L, ud->interrupted == MPR_INTERRUPT_TIME);
    lua_pushnumber(L, (lua_Number)ud->task.timeout_ns / 1e9);
    lua_call(L, 7, 1);
    if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_Number delay = lua_tonumber(L, -1);

        mpr_worker_retry(ud->w, delay > 0 ? mpr_after(delay) : 0);
        return 0;
    }
    mpl_encode(L, -1, S, MPL_FUNCTIONS | MPL_LOSSY, "error");
    mpl_codec_parcel(S, &p);
    give(L, ud, 1, 0, &p);
    return 0;
}

/* Nothing worked, for lack of memory most likely: a few bytes must do. */
static void give_up(struct mpl_worker *ud)
{
    static const uint8_t text[] = {
        MPR_TAG_SHORT + 9, 'n', 'o', ' ', 'm', 'e', 'm', 'o', 'r', 'y'};
    struct mpr_parcel p = {.bytes = text, .size = sizeof text};

    mpr_worker_give(ud->w, 1, 0, &p);
}

/* Deals with the error on the top, which a call with the status left. */
static void fail(lua_State *L, struct mpl_worker *ud, int status)
{
    ud->in_task = false;
    lua_pushinteger(L, status);
    mpl_state_push(L);
    lua_pushcclosure(L, give_error, 1);
    lua_pushvalue(L, WORKER);
    lua_pushvalue(L, HOST);
    lua_pushnil(L);
    lua_pushvalue(L, -6);
    lua_pushvalue(L, -6);
    if (lua_pcall(L, 5, 0, 0) != LUA_OK)
        give_up(ud);
    count_task(ud);
    lua_settop(L, HOST);
}

int mpl_run_tasks(lua_State *L, struct mpl_worker *ud)
{
    for (;;) {
        int status;

        host_function(L, "catch");
        mpl_state_push(L);
        lua_pushcclosure(L, run_tasks, 1);
        lua_pushvalue(L, WORKER);
        lua_pushvalue(L, HOST);
        status = lua_pcall(L, 2, 1, HOST + 1);
        if (status == LUA_OK)
            return (int)lua_tointeger(L, -1);
        if (!ud->in_task)
            lua_error(L);
        fail(L, ud, status);
    }
}
