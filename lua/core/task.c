/* AsyncResult of one task: a small userdata, for there may be a million of them.
 * What is asked most, get of a plain value, is answered here. For everything
 * else it becomes the face of an object of the Lua half (mp.result), once and
 * for good.
 *
 * States, of the user value: the job · the Lua half's object, which knows the
 * job as long as it is needed. */

#include "job.h"

#include "arg.h"

#include <errno.h>

static const char name[] = "mp.AsyncResult";

struct task {
    uint32_t index;
};

static const char class_key; /* registry: the Lua half's metatable */

void mpl_task_push(lua_State *L, int job, uint32_t index)
{
    struct task *t = lua_newuserdatauv(L, sizeof *t, 1);

    t->index = index;
    luaL_setmetatable(L, name);
    lua_pushvalue(L, job);
    lua_setiuservalue(L, -2, 1);
}

/* Pushes the object behind the task at 1. */
static void inflate(lua_State *L)
{
    const struct task *t = luaL_checkudata(L, 1, name);

    if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE)
        return;
    lua_createtable(L, 0, 8);
    lua_getiuservalue(L, -2, MPL_JOB_OWNER);
    lua_setfield(L, -2, "pool");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "job");
    lua_pushinteger(L, t->index);
    lua_setfield(L, -2, "index");
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "face");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
    lua_remove(L, -2);
}

/* core.inflate(r) -> the object behind r, or r itself if it is one */
static int task_inflate(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_istable(L, 1))
        return 1;
    inflate(L);
    return 1;
}

/* Any method: that of the object behind it. upvalue 1: its name. */
static int call_behind(lua_State *L)
{
    inflate(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_gettable(L, -2);
    lua_insert(L, 1);
    lua_replace(L, 2);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static bool is_plain(int type)
{
    return type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA;
}

/* r:get([timeout]): a plain value that is there, or comes at once, is returned
 * here; other values must be the same object each time. */
static int task_get(lua_State *L)
{
    const struct task *t = luaL_checkudata(L, 1, name);
    struct mpr_result r;
    struct mpl_job *job;
    int top = lua_gettop(L);

    if (lua_getiuservalue(L, 1, 1) == LUA_TUSERDATA) {
        job = lua_touserdata(L, -1);
        if (mpr_job_result(&job->job, t->index, &r) == MPR_RESULT_OPEN &&
            top == 1) {
            mpr_job_wait(&job->job, t->index, 0, 1); /* spins */
            mpr_job_result(&job->job, t->index, &r);
        }
        if (r.state == MPR_RESULT_DONE && !(r.flags & MPL_RESULT_PRINTED) &&
            mpl_push_values(L, job, &r) == 1 && is_plain(lua_type(L, -1)))
            return 1;
    }
    lua_settop(L, top);
    inflate(L);
    lua_getfield(L, -1, "get");
    lua_insert(L, 1);
    lua_replace(L, 2);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* upvalue 1: methods */
static int task_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    inflate(L);
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
}

static void set_behind(lua_State *L, const char *key)
{
    lua_pushstring(L, key);
    lua_pushcclosure(L, call_behind, 1);
    lua_setfield(L, -2, key);
}

/* core.task_class(metatable): that of the objects behind. */
static int task_class(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &class_key);
    return 0;
}

void mpl_open_task(lua_State *L)
{
    static const char *const methods[] = {
        "pget",  "wait",     "ready",   "successful", "cancel", "on_done",
        "check", "announce", "watched", "listen",     "sleep",  "pollfd",
        "getfd", "events",   "timeout", "dirty",      NULL,
    };

    luaL_newmetatable(L, name);
    set_behind(L, "__tostring");
    set_behind(L, "__waitable");
    set_behind(L, "__mp_pack");
    lua_newtable(L);
    mpl_state_push(L);
    lua_pushcclosure(L, task_get, 1);
    lua_setfield(L, -2, "get");
    for (int i = 0; methods[i]; i++)
        set_behind(L, methods[i]);
    lua_pushcclosure(L, task_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_pushcfunction(L, task_inflate);
    lua_setfield(L, -2, "inflate");
    lua_pushcfunction(L, task_class);
    lua_setfield(L, -2, "task_class");
}
