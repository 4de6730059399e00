#include <lauxlib.h>
#include <lua.h>

/* -fvisibility=hidden hides Lua's own LUAMOD_API. */
__attribute__((visibility("default"))) int luaopen_mp_core(lua_State *L);

int luaopen_mp_core(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "mp 0.1");
    lua_setfield(L, -2, "_VERSION");
    return 1;
}
