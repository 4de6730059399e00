/* The worker's side of programs that embed Lua and mp. In the library for hosts
 * only: a module for the interpreter needs no second state. */

#include "host.h"

#include "compat.h"
#include "mpr_lua.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

enum { CANNOT_START = 255 };

static void say(const char *text)
{
    if (mpl_host && mpl_host->log)
        mpl_host->log(mpl_host->ud, text);
    else
        fprintf(stderr, "%s\n", text);
}

static int open_state(lua_State *L)
{
    mpl_host->open_state(L, mpl_host->ud);
    return 0;
}

/* The worker: mp.child takes the order, and ends the process. */
static int work(lua_State *L)
{
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_mp);
    lua_setfield(L, -2, "mp");
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "mp");
    lua_call(L, 1, 0);
    if (mpl_host->open_state) {
        lua_pushcfunction(L, open_state);
        lua_call(L, 0, 0);
    }
    lua_getglobal(L, "require");
    lua_pushliteral(L, "mp.child");
    lua_call(L, 1, 0);
    return 0;
}

static int traceback(lua_State *L)
{
    const char *text = luaL_tolstring(L, 1, NULL);

    luaL_traceback(L, L, text, 1);
    return 1;
}

int mpr_host_main(int argc, char **argv, const struct mpr_host *h)
{
    lua_State *L;

    (void)argc;
    (void)argv;
    mpl_host = h;
    if (!mpr_process_is_ordered())
        return -1;
    L = h->alloc ? mpl_compat_newstate(h->alloc, h->alloc_ud) : luaL_newstate();
    if (!L) {
        say("mp: a worker has no memory for its state");
        return CANNOT_START;
    }
    lua_pushcfunction(L, traceback);
    lua_pushcfunction(L, work);
    if (lua_pcall(L, 0, 0, 1) != LUA_OK)
        say(lua_tostring(L, -1));
    /* mp.child ends the process; whoever comes here could not begin. */
    lua_close(L);
    return CANNOT_START;
}
