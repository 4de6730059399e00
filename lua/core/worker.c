/* A pool's worker as an object: what its Lua half (mp.worker) calls. */

#include "worker.h"

#include "arg.h"
#include "value.h"

#include <errno.h>
#include <string.h>

static const char name[] = "mp.core.Worker";

static struct mpl_worker *self(lua_State *L)
{
    struct mpl_worker *ud = luaL_checkudata(L, 1, name);

    if (!ud->w)
        luaL_error(L, "attempt to use a worker that left");
    return ud;
}

/* core.Worker(pool, seat, most tasks or nil) */
static int worker_new(lua_State *L)
{
    mpr_pool *pool = mpl_check_pool(L, 1);
    uint32_t seat = (uint32_t)luaL_checkinteger(L, 2);
    lua_Integer most = luaL_optinteger(L, 3, -1);
    struct mpl_worker *ud = lua_newuserdatauv(L, sizeof *ud, 1);
    int r;

    memset(ud, 0, sizeof *ud);
    luaL_setmetatable(L, name);
    lua_newtable(L);
    lua_setiuservalue(L, -2, MPL_WORKER_FUNCTIONS);
    ud->left = most;
    ud->deadline = MPR_FOREVER;
    ud->host = LUA_NOREF;
    r = mpr_worker_enter(&ud->w, pool, seat);
    return r < 0 ? mpl_fail(L, r) : 1;
}

static int worker_gc(lua_State *L)
{
    struct mpl_worker *ud = luaL_checkudata(L, 1, name);

    mpl_memory_unlimit(L, ud);
    mpr_message_free(&ud->m);
    return 0;
}

static int worker_leave(lua_State *L)
{
    struct mpl_worker *ud = self(L);

    mpr_worker_leave(ud->w);
    ud->w = NULL;
    return 0;
}

/* worker:run(host): works until the pool is over, or a successor is there. */
static int worker_run(lua_State *L)
{
    struct mpl_worker *ud = self(L);

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    ud->host = luaL_ref(L, LUA_REGISTRYINDEX);
    mpl_interrupt_begin(L, ud);
    mpl_run_tasks(L, ud);
    return 0;
}

static int run_nested(lua_State *L)
{
    mpl_run_tasks(L, lua_touserdata(L, 1));
    return 0;
}

/* worker:help(host, job or nil): inside a task, does tasks of the job, or any,
 * as long as there are some. -> whether it may be called again */
static int worker_help(lua_State *L)
{
    struct mpl_worker *ud = self(L);
    struct mpl_worker outer = *ud;
    int status;

    luaL_checktype(L, 2, LUA_TTABLE);
    if (mpr_worker_nest(ud->w) < 0) {
        lua_pushboolean(L, 0);
        return 1;
    }
    ud->only = lua_isnoneornil(L, 3) ? NULL : mpl_check_job(L, 3);
    ud->m = (struct mpr_message){0};
    ud->deadline = 0;
    ud->in_task = false;
    mpl_state_push(L);
    lua_pushcclosure(L, run_nested, 1);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    status = lua_pcall(L, 2, 0, 0);
    mpr_message_free(&ud->m);
    outer.left = ud->left;
    *ud = outer;
    mpr_worker_unnest(ud->w);
    if (status != LUA_OK)
        return lua_error(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* worker:care(): from now on every task is asked about. */
static int worker_care(lua_State *L)
{
    self(L)->care = true;
    return 0;
}

/* worker:limit_memory(bytes): of its tasks. Once. */
static int worker_limit_memory(lua_State *L)
{
    struct mpl_worker *ud = self(L);
    lua_Integer most = luaL_checkinteger(L, 2);

    luaL_argcheck(L, most > 0, 2, "must be positive");
    mpl_memory_limit(L, ud, (size_t)most);
    return 0;
}

static int worker_number(lua_State *L)
{
    lua_pushinteger(L, mpr_worker_number(self(L)->w));
    return 1;
}

/* worker:arguments() -> the values of the task in hand, once more */
static int worker_arguments(lua_State *L)
{
    struct mpl_worker *ud = self(L);

    return mpl_push_task(L, &ud->task, &ud->m);
}

void mpl_open_worker(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"Worker", worker_new},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"run", worker_run},
        {"help", worker_help},
        {"number", worker_number},
        {"arguments", worker_arguments},
        {"leave", worker_leave},
        {"care", worker_care},
        {"limit_memory", worker_limit_memory},
        {NULL, NULL},
    };

    luaL_newmetatable(L, name);
    mpl_state_push(L);
    lua_pushcclosure(L, worker_gc, 1);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
    mpl_open_interrupt(L);
    mpl_open_output(L);
    mpl_open_machine(L);
}
