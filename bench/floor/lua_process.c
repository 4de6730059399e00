/* The Lua floor of the rows `process`: the least a C function called from Lua
 * can do to start and join a process. A module: floor.start_join(). */

#include <lauxlib.h>
#include <lua.h>

#include "floor.h"

__attribute__((visibility("default"))) int
luaopen_floor_lua_process(lua_State *L);

static int now(lua_State *L)
{
    lua_pushnumber(L, floor_now());
    return 1;
}

/* Calls the function given, in a process of its own, and waits for its end. */
static int start_join(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    fflush(NULL);
    if (floor_fork()) {
        lua_settop(L, 1);
        _exit(lua_pcall(L, 0, 0, 0) != LUA_OK);
    }
    floor_join();
    return 0;
}

int luaopen_floor_lua_process(lua_State *L)
{
    const luaL_Reg functions[] = {
        {"now", now}, {"start_join", start_join}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
