#include "tables.h"

#include "arg.h"
#include "half.h"
#include "receive.h"
#include "value.h"

#include <errno.h>
#include <string.h>

/* ---- keys ------------------------------------------------------------------ */

bool mpl_get_key(lua_State *L, int idx, struct mpr_key *key)
{
    size_t size;

    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        key->type = MPR_KEY_STRING;
        key->string = lua_tolstring(L, idx, &size);
        key->size = size;
        return true;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) {
            key->type = MPR_KEY_INTEGER;
            key->integer = lua_tointeger(L, idx);
            return true;
        }
        key->type = MPR_KEY_FLOAT;
        key->number = lua_tonumber(L, idx);
        return key->number == key->number;
    case LUA_TBOOLEAN:
        key->type = MPR_KEY_BOOLEAN;
        key->integer = lua_toboolean(L, idx);
        return true;
    }
    return false;
}

void mpl_check_key(lua_State *L, int idx, struct mpr_key *key)
{
    if (mpl_get_key(L, idx, key))
        return;
    if (lua_type(L, idx) == LUA_TNUMBER)
        luaL_error(L, "key must not be NaN");
    luaL_error(L, "key must be a string, number or boolean, not %s",
               lua_pushfstring(L, lua_isnoneornil(L, idx) ? "%s" : "a %s",
                               luaL_typename(L, idx)));
}

void mpl_push_key(lua_State *L, const struct mpr_key *key)
{
    switch (key->type) {
    case MPR_KEY_STRING:
        lua_pushlstring(L, key->string, (size_t)key->size);
        break;
    case MPR_KEY_INTEGER:
        lua_pushinteger(L, key->integer);
        break;
    case MPR_KEY_FLOAT:
        lua_pushnumber(L, key->number);
        break;
    default:
        lua_pushboolean(L, key->integer != 0);
    }
}

/* ---- values ---------------------------------------------------------------- */

#define CANNOT_SEND "cannot send "

void mpl_share(lua_State *L, int idx, const char *root)
{
    if (lua_type(L, idx) != LUA_TTABLE)
        return;
    if (lua_getmetatable(L, idx)) {
        lua_pop(L, 1);
        return;
    }
    if (mpl_half(L, "mp.share") != LUA_TFUNCTION)
        luaL_error(L, "mp is not loaded");
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        /* It says what was wrong; where is said here. */
        if (lua_type(L, -1) == LUA_TSTRING) {
            const char *message = lua_tostring(L, -1);
            size_t known = strlen(CANNOT_SEND "value");

            luaL_where(L, 1);
            if (strncmp(message, CANNOT_SEND "value", known) == 0)
                lua_pushfstring(L, CANNOT_SEND "%s%s", root, message + known);
            else
                lua_pushvalue(L, -2);
            lua_concat(L, 2);
        }
        lua_error(L);
    }
    lua_replace(L, idx);
}

void mpl_encode_item(lua_State *L, int idx, struct mpl_state *S,
                     struct mpr_parcel *parcel)
{
    mpl_encode(L, idx, S, MPL_FUNCTIONS, "value");
    mpl_codec_parcel(S, parcel);
}

/* Decoding uses handles up: it gets others. */
void mpl_push_decoded(lua_State *L, struct mpl_state *S, int idx)
{
    const struct mpr_message *m = lua_touserdata(L, idx);
    struct mpr_message *copy;
    struct mpl_refs refs = {NULL, 0};
    int top;

    copy = mpl_message_push(L);
    top = lua_gettop(L);
    if (m->ref_count) {
        int err = mpr_message_share(copy, m);

        if (err < 0)
            mpl_raise(L, err, NULL);
        refs = (struct mpl_refs){copy->refs, copy->ref_count};
    }
    mpl_decode(L, S, m->bytes, (size_t)m->size, &refs, MPL_FUNCTIONS);
    lua_settop(L, top + 1);
    lua_remove(L, top);
}

void mpl_table_refused(lua_State *L, int err, const char *what)
{
    if (err == -EMSGSIZE)
        luaL_error(L, "key is longer than 32768 bytes, or the value holds too "
                      "many objects");
    mpl_raise(L, err, what);
}

/* ---- snapshots ------------------------------------------------------------- */

static int snapshot_gc(lua_State *L)
{
    struct mpl_snapshot *shot = lua_touserdata(L, 1);

    mpr_snapshot_free(&shot->s);
    mpr_message_free(&shot->m);
    return 0;
}

struct mpl_snapshot *mpl_snapshot_push(lua_State *L)
{
    struct mpl_snapshot *shot = lua_newuserdatauv(L, sizeof *shot, 0);

    memset(shot, 0, sizeof *shot);
    if (luaL_newmetatable(L, "mp.Snapshot")) {
        lua_pushcfunction(L, snapshot_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return shot;
}

bool mpl_snapshot_next(lua_State *L, struct mpl_state *S,
                       struct mpl_snapshot *shot)
{
    struct mpl_refs refs;
    struct mpr_key key = {0};
    int top, r = mpr_snapshot_next(&shot->s, &key, &shot->m);

    if (r < 0)
        mpl_raise(L, r, NULL);
    if (r == 0)
        return false;
    luaL_checkstack(L, 8, NULL);
    if (key.type)
        mpl_push_key(L, &key);
    else
        lua_pushinteger(L, (lua_Integer)shot->s.next);
    top = lua_gettop(L);
    refs = (struct mpl_refs){shot->m.refs, shot->m.ref_count};
    mpl_decode(L, S, shot->m.bytes, (size_t)shot->m.size, &refs, MPL_FUNCTIONS);
    lua_settop(L, top + 1);
    return true;
}

void mpl_snapshot_list(lua_State *L, struct mpl_state *S, enum mpl_form form)
{
    struct mpl_snapshot *shot = lua_touserdata(L, -1);
    lua_Integer n = 0;
    int list;

    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, shot->s.count < INT32_MAX ? (int)shot->s.count : 0, 0);
    list = lua_gettop(L);
    while (mpl_snapshot_next(L, S, shot)) {
        if (form == MPL_PAIRS) {
            lua_createtable(L, 2, 0);
            lua_insert(L, -3);
            lua_rawseti(L, -3, 2);
            lua_rawseti(L, -2, 1);
        } else if (form == MPL_KEYS) {
            lua_pop(L, 1);
        }
        lua_rawseti(L, list, ++n);
        lua_settop(L, list);
    }
    mpr_snapshot_free(&shot->s);
    lua_replace(L, list - 1);
}

/* Upvalues: state, snapshot. */
static int next_pair(lua_State *L)
{
    struct mpl_snapshot *shot = lua_touserdata(L, lua_upvalueindex(2));

    lua_settop(L, 0);
    if (mpl_snapshot_next(L, mpl_self(L), shot))
        return 2;
    mpr_snapshot_free(&shot->s);
    return 0;
}

void mpl_snapshot_iterator(lua_State *L)
{
    mpl_state_push(L);
    lua_insert(L, -2);
    lua_pushcclosure(L, next_pair, 2);
}

int mpl_call_half(lua_State *L, const struct mpl_class *class, const char *name)
{
    luaL_checkudata(L, 1, class->name);
    if (mpl_half(L, name) != LUA_TFUNCTION)
        return luaL_error(L, "mp is not loaded");
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}
