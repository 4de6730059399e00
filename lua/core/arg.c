#include "arg.h"

#include <string.h>

int64_t mpl_checktimeout(lua_State *L, int arg)
{
    lua_Number seconds;

    if (lua_isnoneornil(L, arg))
        return MPR_FOREVER;
    if (lua_type(L, arg) != LUA_TNUMBER)
        luaL_typeerror(L, arg, "number");
    seconds = lua_tonumber(L, arg);
    luaL_argcheck(L, seconds == seconds, arg, "timeout must not be NaN");
    return seconds <= 0 ? 0 : mpr_after(seconds);
}

int mpl_fail(lua_State *L, int err)
{
    const char *word = mpr_err_word(err);

    luaL_pushfail(L);
    if (word) {
        lua_pushstring(L, word);
        return 2;
    }
    lua_pushstring(L, mpr_err_text(err));
    lua_pushinteger(L, -err);
    return 3;
}

void mpl_raise(lua_State *L, int err, const char *what)
{
    if (what)
        luaL_error(L, "%s: %s", what, mpr_err_text(err));
    luaL_error(L, "%s", mpr_err_text(err));
    for (;;) /* luaL_error does not return */
        ;
}

void mpl_interrupted(lua_State *L, struct mpl_state *S)
{
    const char *warning = mpr_warning();

    if (warning) {
        lua_warning(L, "mp: ", 1);
        lua_warning(L, warning, 0);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->nothing);
    lua_call(L, 0, 0);
}

void mpl_checkoptions(lua_State *L, int arg, const char *const *known)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        const char *const *k = known;

        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_argerror(L, arg, "option names must be strings");
        while (*k && strcmp(*k, lua_tostring(L, -1)) != 0)
            k++;
        if (!*k)
            luaL_argerror(
                L, arg,
                lua_pushfstring(L, "invalid option '%s'", lua_tostring(L, -1)));
    }
}

const char *mpl_checkpart(lua_State *L, int arg, size_t *size)
{
    size_t length;
    const char *bytes = luaL_checklstring(L, arg, &length);
    lua_Integer n = (lua_Integer)length;
    lua_Integer first = luaL_optinteger(L, arg + 1, 1);
    lua_Integer last = luaL_optinteger(L, arg + 2, -1);

    if (first < 0)
        first = -first > n ? 1 : n + first + 1;
    else if (first == 0)
        first = 1;
    if (last > n)
        last = n;
    else if (last < 0)
        last = -last > n ? 0 : n + last + 1;
    *size = first <= last ? (size_t)(last - first + 1) : 0;
    return *size ? bytes + first - 1 : bytes;
}

const char *mpl_optname(lua_State *L, int arg)
{
    static const char *const known[] = {"name", NULL};
    const char *name;
    size_t size;

    luaL_argcheck(L, lua_isnoneornil(L, arg + 1), arg + 1, "no value expected");
    if (lua_isnoneornil(L, arg))
        return NULL;
    mpl_checkoptions(L, arg, known);
    if (lua_getfield(L, arg, "name") == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_argerror(L, arg, "field 'name' must be a string");
    name = lua_tolstring(L, -1, &size);
    if (strlen(name) != size)
        luaL_argerror(L, arg, "field 'name' must not contain '\\0'");
    lua_pop(L, 1); /* the table keeps it */
    return name;
}
