/* mp.dumps, mp.loads, mp.class. */

#include "arg.h"
#include "value.h"

#include <string.h>

/* The shortest messages need no encoder: one number or short string. Pushes the
 * string of it; false: the value at index 1 is none of these. */
static bool dump_simple(lua_State *L)
{
    uint8_t bytes[2 + MPR_WIRE_SHORT] = {MPL_FORMAT};
    uint8_t *p = bytes + 1;
    const char *s;
    size_t size;

    switch (lua_type(L, 1)) {
    case LUA_TNUMBER:
        p = lua_isinteger(L, 1) ? mpr_put_integer(p, lua_tointeger(L, 1))
                                : mpr_put_number(p, lua_tonumber(L, 1));
        break;
    case LUA_TSTRING:
        s = lua_tolstring(L, 1, &size);
        if (size > MPR_WIRE_SHORT)
            return false;
        *p++ = (uint8_t)(MPR_TAG_SHORT + size);
        memcpy(p, s, size);
        p += size;
        break;
    default:
        return false;
    }
    lua_pushlstring(L, (const char *)bytes, (size_t)(p - bytes));
    return true;
}

/*** The value as a string, which loads turns into an equal one in this or any
 * other process: tables with their cycles, shared references and registered
 * metatables, functions with their upvalues. mp objects cannot be in a string:
 * it could not keep them alive.
 *
 * @param value what may be sent, nil included
 * @treturn string bytes, the first of which names the format */
static int dumps(lua_State *L)
{
    struct mpl_state *S;
    struct mpr_parcel parcel;

    if (dump_simple(L))
        return 1;
    luaL_checkany(L, 1);
    S = mpl_self(L);
    mpl_encode(L, 1, S, MPL_FUNCTIONS | MPL_STRING, "value");
    mpl_codec_parcel(S, &parcel);
    lua_pushlstring(L, parcel.bytes, parcel.size);
    return 1;
}

/* Field functions of the options at arg; true without. */
static bool opt_functions(lua_State *L, int arg)
{
    static const char *const known[] = {"functions", NULL};
    bool functions;

    if (lua_isnoneornil(L, arg))
        return true;
    mpl_checkoptions(L, arg, known);
    lua_pushliteral(L, "functions");
    if (lua_rawget(L, arg) != LUA_TNIL && !lua_isboolean(L, -1))
        luaL_argerror(L, arg, "field 'functions' must be a boolean");
    functions = lua_isnil(L, -1) || lua_toboolean(L, -1);
    lua_pop(L, 1);
    return functions;
}

/*** The value of a string that dumps made. Whatever the string says, data runs
 * no code; but functions are bytecode, which Lua does not verify, and modules
 * are required. Take strings from strangers with `{functions = false}`: then
 * a function or a module in them is an error.
 *
 * @tparam string s
 * @tparam[opt] table opts functions: boolean, default true
 * @return the value
 * @raise what is wrong with the string: `cannot decode: …` */
static int loads(lua_State *L)
{
    size_t size;
    const char *s = luaL_checklstring(L, 1, &size);
    bool functions = opt_functions(L, 2);
    int count;

    luaL_argcheck(L, size > 0 && *s == MPL_FORMAT, 1,
                  "not a string of mp.dumps");
    if (mpl_decode_simple(L, s + 1, size - 1))
        return 1;
    count = mpl_decode(L, mpl_self(L), s, size, NULL,
                       MPL_STRING | (functions ? MPL_FUNCTIONS : 0));
    if (count != 1)
        return luaL_error(L, "cannot decode: %d values instead of one", count);
    return 1;
}

void mpl_class_name(lua_State *L, struct mpl_state *S, const char *name, int mt)
{
    mt = lua_absindex(L, mt);
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->codec.classes);
    lua_pushstring(L, name);
    lua_pushvalue(L, mt);
    lua_rawset(L, -3);
    lua_pushvalue(L, mt);
    lua_pushstring(L, name);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/*** Gives a metatable a name, by which it travels: a table that has it arrives
 * with the metatable that is registered under the name in the receiver.
 *
 * If it has `__mp_pack`, an object travels as `mt.__mp_pack(object)` and
 * arrives as `mt.__mp_unpack(packed)`, userdata too. The packed value is any
 * value that may be sent and does not lead back to the object; when unpack
 * runs, tables that hold the object are not complete yet.
 *
 * @tparam string name the same in all processes
 * @tparam table mt a metatable; may be registered again under its name only
 * @treturn table mt */
static int class(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const char *name = luaL_checkstring(L, 1);

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->codec.classes);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 3) == LUA_TTABLE && !lua_rawequal(L, 2, -1))
        return luaL_error(L, "class '%s' has another metatable already", name);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 3) == LUA_TSTRING && !lua_rawequal(L, 1, -1))
        return luaL_error(L, "the metatable is class '%s' already",
                          lua_tostring(L, -1));
    mpl_class_name(L, S, name, 2);
    lua_settop(L, 2);
    return 1;
}

/*** Lets objects of one more metatable travel as those of a class: what its
 * `__mp_pack` gives arrives there as the class's `__mp_unpack` makes it.
 *
 * @tparam table mt has `__mp_pack`
 * @tparam string name a class, see `class` */
static int travel_as(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, mpl_self(L)->codec.classes);
    lua_insert(L, 1);
    lua_rawset(L, 1);
    return 0;
}

void mpl_open_value(lua_State *L, int state)
{
    static const luaL_Reg functions[] = {
        {"dumps", dumps},         {"loads", loads}, {"class", class},
        {"travel_as", travel_as}, {NULL, NULL},
    };

    lua_pushvalue(L, state);
    luaL_setfuncs(L, functions, 1);
}
