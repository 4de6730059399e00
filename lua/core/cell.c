#include "cell.h"

#include <math.h>

void mpl_push_number(lua_State *L, const struct mpr_code *code,
                     union mpr_number n)
{
    switch ((enum mpr_family)code->family) {
    case MPR_SIGNED:
        lua_pushinteger(L, n.i);
        break;
    case MPR_UNSIGNED:
        mpl_push_MPR_UNSIGNED(L, n.u);
        break;
    case MPR_FLOATING:
        lua_pushnumber(L, n.d);
        break;
    case MPR_BOOLEAN:
        lua_pushboolean(L, n.u != 0);
        break;
    case MPR_CHARACTER:
        mpl_push_MPR_CHARACTER(L, (uint8_t)n.u);
        break;
    }
}

/* Pushes "number expected, got string", as luaL_typeerror says it. */
static bool wrong_type(lua_State *L, int idx, const char *expected)
{
    const char *got = luaL_typename(L, idx);

    if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
        got = lua_tostring(L, -1);
    lua_pushfstring(L, "%s expected, got %s", expected, got);
    return false;
}

static bool out_of_range(lua_State *L, const struct mpr_code *code)
{
    lua_pushfstring(L, "value out of range for code '%c'", code->letter);
    return false;
}

/* A float beyond the integers of Lua may still be one of 'Q'. */
static bool large_unsigned(lua_State *L, int idx, const struct mpr_code *code,
                           union mpr_number *n)
{
    lua_Number d = lua_tonumber(L, idx);

    if (code->family != MPR_UNSIGNED || code->size != 8 || d < 0x1p63 ||
        d >= 0x1p64)
        return false;
    n->u = (uint64_t)d;
    return true;
}

static bool to_integer(lua_State *L, int idx, const struct mpr_code *code,
                       union mpr_number *n)
{
    lua_Number d;
    int ok;

    if (lua_type(L, idx) != LUA_TNUMBER)
        return wrong_type(L, idx, "number");
    n->i = lua_tointegerx(L, idx, &ok);
    if (ok || large_unsigned(L, idx, code, n))
        return true;
    d = lua_tonumber(L, idx);
    if (isfinite(d) && d == floor(d))
        return out_of_range(L, code);
    lua_pushliteral(L, "number has no integer representation");
    return false;
}

bool mpl_to_number(lua_State *L, int idx, const struct mpr_code *code,
                   union mpr_number *n)
{
    const char *s;
    size_t size;

    switch ((enum mpr_family)code->family) {
    case MPR_SIGNED:
        if (!to_integer(L, idx, code, n))
            return false;
        break;
    case MPR_UNSIGNED:
        if (!to_integer(L, idx, code, n))
            return false;
        if (lua_isinteger(L, idx) && n->i < 0)
            return out_of_range(L, code);
        break;
    case MPR_FLOATING:
        if (lua_type(L, idx) != LUA_TNUMBER)
            return wrong_type(L, idx, "number");
        n->d = lua_tonumber(L, idx);
        break;
    case MPR_BOOLEAN:
        if (!lua_isboolean(L, idx))
            return wrong_type(L, idx, "boolean");
        n->u = (uint64_t)lua_toboolean(L, idx);
        break;
    case MPR_CHARACTER:
        if (lua_type(L, idx) != LUA_TSTRING)
            return wrong_type(L, idx, "string");
        s = lua_tolstring(L, idx, &size);
        if (size != 1) {
            lua_pushfstring(L, "string of one byte expected, got %I",
                            (LUAI_UACINT)size);
            return false;
        }
        n->u = (uint8_t)s[0];
        break;
    }
    return mpr_code_check(code, *n) == 0 || out_of_range(L, code);
}

bool mpl_to_addend(lua_State *L, int idx, const struct mpr_code *code,
                   union mpr_number *n)
{
    static const struct mpr_code signed_64 = {
        .letter = 'q',
        .size = 8,
        .family = MPR_SIGNED,
        .min = INT64_MIN,
        .max = INT64_MAX,
    };

    switch ((enum mpr_family)code->family) {
    case MPR_SIGNED:
    case MPR_UNSIGNED:
        return to_integer(L, idx, &signed_64, n);
    case MPR_FLOATING:
        if (lua_type(L, idx) != LUA_TNUMBER)
            return wrong_type(L, idx, "number");
        n->d = lua_tonumber(L, idx);
        return true;
    case MPR_BOOLEAN:
    case MPR_CHARACTER:
        break;
    }
    lua_pushfstring(L, "nothing can be added to code '%c'", code->letter);
    return false;
}

int mpl_bad_number(lua_State *L, int arg)
{
    return luaL_argerror(L, arg, lua_tostring(L, -1));
}
