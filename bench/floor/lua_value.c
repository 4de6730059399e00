/* The Lua floor of the rows `value.read` and `value.write`: the least that a
 * field of a userdata costs. A module: floor.new() has one number, `value`,
 * and nothing is checked but the name. */

#include <lauxlib.h>
#include <lua.h>

#include <string.h>

__attribute__((visibility("default"))) int
luaopen_floor_lua_value(lua_State *L);

static int is_value(lua_State *L)
{
    return strcmp(lua_tostring(L, 2), "value") == 0;
}

static int get(lua_State *L)
{
    const lua_Integer *cell = lua_touserdata(L, 1);

    if (!is_value(L))
        return 0;
    lua_pushinteger(L, __atomic_load_n(cell, __ATOMIC_RELAXED));
    return 1;
}

static int set(lua_State *L)
{
    lua_Integer *cell = lua_touserdata(L, 1);

    if (is_value(L))
        __atomic_store_n(cell, lua_tointeger(L, 3), __ATOMIC_RELAXED);
    return 0;
}

static int new (lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 1, 0);
    lua_Integer *cell = lua_newuserdatauv(L, sizeof *cell, 0);

    *cell = first;
    if (luaL_newmetatable(L, "floor.Value")) {
        lua_pushcfunction(L, get);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, set);
        lua_setfield(L, -2, "__newindex");
    }
    lua_setmetatable(L, -2);
    return 1;
}

int luaopen_floor_lua_value(lua_State *L)
{
    const luaL_Reg functions[] = {{"new", new}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
