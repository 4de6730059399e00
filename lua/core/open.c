#include "embedded.h"

#include <lauxlib.h>
#include <lua.h>

/* -fvisibility=hidden hides Lua's own LUAMOD_API. */
#define MPL_OPEN __attribute__((visibility("default"))) int

MPL_OPEN luaopen_mp_core(lua_State *L);
MPL_OPEN luaopen_mp(lua_State *L);

/* A loader in package.preload: compiles its file (upvalue 1, an index into
 * the list) and runs it as `require` runs a file, with the name and where it
 * came from. */
static int open_embedded(lua_State *L)
{
    const struct mpl_embedded *file =
        &mpl_embedded[lua_tointeger(L, lua_upvalueindex(1))];

    if (luaL_loadbufferx(L, file->text, file->size, file->chunk, "t"))
        return lua_error(L);
    lua_pushstring(L, file->module);
    lua_pushstring(L, file->chunk);
    lua_call(L, 2, 1);
    return 1;
}

/*** The whole of mp from one file: `require "mp"` where mp.so is this module,
 * or `luaL_requiref(L, "mp", luaopen_mp, 0)` in a host. The parts are put in
 * package.preload, ahead of whatever else of mp lies on the machine's path:
 * the two halves must be of one build. */
MPL_OPEN luaopen_mp(lua_State *L)
{
    int i;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_mp_core);
    lua_setfield(L, -2, "mp.core");
    for (i = 0; mpl_embedded[i].module; i++) {
        lua_pushinteger(L, i);
        lua_pushcclosure(L, open_embedded, 1);
        lua_setfield(L, -2, mpl_embedded[i].module);
    }
    lua_getfield(L, -1, "mp");
    lua_call(L, 0, 1);
    return 1;
}
