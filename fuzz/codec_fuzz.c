/* libFuzzer on the Lua decoder: any bytes become a value or an error, without
 * a leak, and a value that came out can be sent again and is the same size
 * again. Built as wire_fuzz.c says. */

#include "state.h"

#include <lualib.h>
#include <stdlib.h>

int luaopen_mp_core(lua_State *L);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* One state for many inputs, each in a call of its own. */
static lua_State *state(void)
{
    static lua_State *L;
    static unsigned uses;

    if (L && ++uses % 100000 == 0) {
        lua_close(L);
        L = NULL;
    }
    if (!L) {
        L = luaL_newstate();
        if (!L)
            abort();
        luaL_openlibs(L);
        luaL_requiref(L, "mp.core", luaopen_mp_core, 0);
        lua_settop(L, 0);
    }
    return L;
}

static void call(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "mp.core");
    lua_getfield(L, -1, name);
    lua_replace(L, -3);
    lua_pop(L, 1);
    lua_insert(L, -2);
}

/* Replaces the string on the top by its value; false: it is none. */
static bool loads(lua_State *L)
{
    call(L, "loads");
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "functions");
    return lua_pcall(L, 2, 1, 0) == LUA_OK;
}

static void dumps(lua_State *L)
{
    call(L, "dumps");
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lua_State *L = state();
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    luaL_addchar(&b, MPL_FORMAT);
    luaL_addlstring(&b, (const char *)bytes, size);
    luaL_pushresult(&b);
    if (loads(L)) {
        size_t first;

        dumps(L);
        first = lua_rawlen(L, -1);
        if (!loads(L))
            abort();
        dumps(L);
        /* Keys may come in another order, and names with them. */
        if (lua_rawlen(L, -1) > 2 * first + 100)
            abort();
    }
    lua_settop(L, 0);
    return 0;
}
