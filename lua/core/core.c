/* mp.core: everything of mp that needs C. Opened by `require "mp.core"`; what
 * users see is wired together in lua/mp/init.lua. */

#include "arg.h"
#include "conn.h"
#include "family.h"
#include "freeze.h"
#include "host.h"
#include "log.h"
#include "memory.h"
#include "object.h"
#include "pool.h"
#include "process.h"
#include "queue.h"
#include "row.h"
#include "socket.h"
#include "state.h"
#include "sync.h"
#include "tables.h"
#include "value.h"
#include "wait.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* -fvisibility=hidden hides Lua's own LUAMOD_API. */
__attribute__((visibility("default"))) int luaopen_mp_core(lua_State *L);

/*** CPUs that this process may use. cpu_count("hw"): of the machine. */
static int cpu_count(lua_State *L)
{
    static const char *const what[] = {"usable", "hw", NULL};
    int raw = luaL_checkoption(L, 1, "usable", what);
    int n = mpr_cpu_count(raw);
    const char *env = getenv("MP_NUM_WORKERS");

    if (!raw && env) {
        int most = atoi(env);

        if (most > 0 && most < n)
            n = most;
    }
    lua_pushinteger(L, n);
    return 1;
}

/*** Sleeps for so many seconds; a signal handler's hook may raise. */
static int core_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    int64_t deadline;

    luaL_argcheck(L, seconds == seconds, 1, "seconds must not be NaN");
    deadline = mpr_after(seconds);
    while (mpr_sleep(deadline) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    return 0;
}

/*** Seconds of a clock that only goes forward. */
static int core_time(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)mpr_now() / 1e9);
    return 1;
}

static void set_integer(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

/* Pushes a table of kind -> number, of those that are not 0. */
static void push_by_kind(lua_State *L, const uint64_t *numbers)
{
    lua_newtable(L);
    for (unsigned k = 0; k < MPR_KIND_END; k++)
        if (numbers[k])
            set_integer(L, mpr_kind_name(k), numbers[k]);
}

/*** What the family's memory holds, objects and bytes by kind, its processes;
 * holds and descriptors of this process. */
static int core_stats(lua_State *L)
{
    struct mpr_stats s;
    int r;
    uint64_t all = 0;

    mpr_sweep(); /* those that ended unnoticed do not count */
    r = mpr_stats(&s);
    if (r < 0)
        return mpl_fail(L, r);
    for (unsigned k = 0; k < MPR_KIND_END; k++)
        all += s.bytes[k];
    lua_createtable(L, 0, 9);
    set_integer(L, "arena", s.arena_size);
    set_integer(L, "used", s.used);
    set_integer(L, "warm", s.warm);
    set_integer(L, "processes", s.processes);
    set_integer(L, "holds", s.holds);
    set_integer(L, "descriptors", s.descriptors);
    set_integer(L, "bytes", all);
    push_by_kind(L, s.objects);
    lua_setfield(L, -2, "objects");
    push_by_kind(L, s.bytes);
    lua_setfield(L, -2, "sizes");
    return 1;
}

static int core_type(lua_State *L)
{
    const struct mpl_object *o;

    luaL_checkany(L, 1);
    o = mpl_object_test(L, mpl_self(L), 1);
    if (o) {
        lua_pushstring(L, o->class->type);
        return 1;
    }
    /* Other objects: "mp.Process" is the __name of a Process. */
    if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING) {
        const char *name = lua_tostring(L, -1);

        if (strncmp(name, "mp.", 3) == 0 && !strchr(name, ' ')) {
            lua_pushstring(L, name + 3);
            return 1;
        }
    }
    luaL_pushfail(L);
    return 1;
}

/* The name of a value's type as luaL_typeerror says it. */
static int type_name(lua_State *L)
{
    if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING)
        return 1;
    lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

/* Tests: core.testpoint(name, nth, signo) arms; core.testpoint() disarms: true
 * when it had not come. */
static int testpoint(lua_State *L)
{
    int r = mpr_testpoint_arm(luaL_optstring(L, 1, NULL),
                              (uint32_t)luaL_optinteger(L, 2, 1),
                              (int)luaL_optinteger(L, 3, SIGKILL));

    luaL_argcheck(L, r >= 0, 1, "no such test point can be armed");
    lua_pushboolean(L, r);
    return 1;
}

static int check(lua_State *L)
{
    lua_pushinteger(L, mpr_check());
    return 1;
}

static int sweep(lua_State *L)
{
    (void)L;
    mpr_sweep();
    return 0;
}

/* core.set_half(name, x): what C uses of the Lua half by name. */
static int set_half(lua_State *L)
{
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, luaL_checkstring(L, 1));
    return 0;
}

static const luaL_Reg functions[] = {
    {"set_half", set_half},
    {"cpu_count", cpu_count},
    {"sleep", core_sleep},
    {"time", core_time},
    {"stats", core_stats},
    {"type", core_type},
    {"typename", type_name},
    {"testpoint", testpoint},
    {"check", check},
    {"sweep", sweep},
    {NULL, NULL},
};

int luaopen_mp_core(lua_State *L)
{
    struct mpl_state *S;

    luaL_checkversion(L);
    S = mpl_state_push(L);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, functions, 1);
    lua_pushliteral(L, "mp 0.1");
    lua_setfield(L, -2, "_VERSION");
    mpl_open_value(L, -2);
    mpl_open_process(L, S);
    mpl_open_conn(L, S);
    mpl_open_queue(L, S);
    mpl_open_sync(L, S);
    mpl_open_struct(L, S);
    mpl_open_number(L, S);
    mpl_open_array(L, S);
    mpl_open_memory(L, S);
    mpl_open_shareable(L, S);
    mpl_open_dict(L, S);
    mpl_open_list(L, S);
    mpl_open_log(L, S);
    mpl_open_frozen(L, S);
    mpl_open_wait(L);
    mpl_open_socket(L);
    mpl_open_listener(L);
    mpl_open_family(L);
    mpl_open_host(L);
    mpl_open_pool(L, S);
    return 1;
}
