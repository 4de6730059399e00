/* The members of the family, for those who look after it. */

#include "family.h"

#include "arg.h"

#include <string.h>

static const char relative_class[] = "mp.Relative";

/* A field of a relative: pid, creator (nil: over), worker, name, id: a number
 * that no other member has, before or after. */
static int relative_index(lua_State *L)
{
    const struct mpr_relative *r = luaL_checkudata(L, 1, relative_class);
    const char *key = luaL_checkstring(L, 2);

    if (strcmp(key, "pid") == 0)
        lua_pushinteger(L, r->pid);
    else if (strcmp(key, "id") == 0)
        lua_pushinteger(L, (lua_Integer)r->generation << 16 | r->slot);
    else if (strcmp(key, "creator") == 0 && r->creator)
        lua_pushinteger(L, r->creator);
    else if (strcmp(key, "worker") == 0)
        lua_pushboolean(L, r->worker);
    else if (strcmp(key, "name") == 0)
        lua_pushstring(L, r->name);
    else
        lua_pushnil(L);
    return 1;
}

static void push_relative(lua_State *L, const struct mpr_relative *r)
{
    struct mpr_relative *ud = lua_newuserdatauv(L, sizeof *ud, 0);

    *ud = *r;
    if (luaL_newmetatable(L, relative_class)) {
        lua_pushcfunction(L, relative_index);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
}

/* core.family(): a list of the living members. */
static int family(lua_State *L)
{
    uint32_t room = 16, n;
    struct mpr_relative *list;

    /* Who comes in between may be left out, or make us ask again. */
    do {
        room *= 2;
        list = lua_newuserdatauv(L, room * sizeof *list, 0);
        n = mpr_family(list, room);
    } while (n > room);
    lua_createtable(L, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
        push_relative(L, &list[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* core.signal_relative(r, signo): whether it lived. */
static int signal_relative(lua_State *L)
{
    const struct mpr_relative *r = luaL_checkudata(L, 1, relative_class);

    lua_pushboolean(L, mpr_family_signal(r, (int)luaL_checkinteger(L, 2)) == 0);
    return 1;
}

void mpl_open_family(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"family", family},
        {"signal_relative", signal_relative},
        {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
}
