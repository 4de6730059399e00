#include "half.h"

#include <lauxlib.h>

bool mpl_load_mp(lua_State *L)
{
    if (lua_getglobal(L, "require") != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushliteral(L, "mp");
    lua_call(L, 1, 0);
    return true;
}

int mpl_half(lua_State *L, const char *name)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, name) != LUA_TNIL)
        return lua_type(L, -1);
    if (!mpl_load_mp(L))
        return LUA_TNIL;
    lua_pop(L, 1);
    return lua_getfield(L, LUA_REGISTRYINDEX, name);
}
