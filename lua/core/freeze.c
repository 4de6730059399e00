/* mp.freeze: makes the image of a table (runtime/data/frozen.c) in two walks
 * over the tables that can be reached from it: the first finds a place for
 * each thing, the second puts it there. */

#include "freeze.h"

#include "arg.h"
#include "encode.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The first walk's results, on the Lua stack. */
enum {
    ROOT = 1,
    OPTIONS,
    PLACES, /* table or string -> its place */
    QUEUE,  /* the tables, in the order of their places */
    FROZEN, /* the userdata */
    TOP = FROZEN
};

struct freezer {
    lua_State *L;
    uint64_t size; /* of what has a place */
    lua_Integer tables;
    struct mpr_frozen_shape *shapes; /* by position in the queue */
    lua_Integer room;                /* of shapes */
    mpr_frozen *f;
};

/* ---- what cannot be frozen -------------------------------------------------------*/

/* Pushes the path from the root to the table at the top, found by a walk that
 * remembers where each table was met. */
static void push_path(lua_State *L, int table)
{
    int parents, keys, queue, steps;
    lua_Integer end = 1, n = 0;
    luaL_Buffer b;

    table = lua_absindex(L, table);
    lua_newtable(L);
    parents = lua_gettop(L);
    lua_newtable(L);
    keys = lua_gettop(L);
    lua_newtable(L);
    queue = lua_gettop(L);
    lua_newtable(L);
    steps = lua_gettop(L);
    lua_pushvalue(L, ROOT);
    lua_rawseti(L, queue, 1);
    for (lua_Integer i = 1; i <= end; i++) {
        lua_rawgeti(L, queue, i);
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            lua_pushvalue(L, -1);
            if (lua_istable(L, -1) && !lua_rawequal(L, -1, ROOT) &&
                lua_rawget(L, parents) == LUA_TNIL) {
                lua_pushvalue(L, -2);
                lua_pushvalue(L, -5);
                lua_rawset(L, parents);
                lua_pushvalue(L, -2);
                lua_pushvalue(L, -4);
                lua_rawset(L, keys);
                lua_pushvalue(L, -2);
                lua_rawseti(L, queue, ++end);
            }
            lua_pop(L, 2);
        }
        lua_pop(L, 1);
    }
    /* Back from the table to the root. */
    lua_pushvalue(L, table);
    while (!lua_rawequal(L, -1, ROOT)) {
        lua_pushvalue(L, -1);
        if (lua_rawget(L, keys) == LUA_TNIL)
            break; /* it was moved meanwhile */
        lua_rawseti(L, steps, ++n);
        lua_rawget(L, parents);
    }
    lua_settop(L, steps);
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "value");
    for (; n > 0; n--) {
        lua_rawgeti(L, steps, n);
        lua_pushvalue(L, -1);
        lua_replace(L, parents);
        lua_pop(L, 1);
        mpl_path_add_key(L, &b, parents);
    }
    luaL_pushresult(&b);
}

/* Raises for the value at idx, met in a table under a key (0: it is the
 * table), or for the key itself. */
static void refuse(lua_State *L, int table, int key, const char *what)
{
    luaL_Buffer b;

    luaL_checkstack(L, 20, NULL);
    table = lua_absindex(L, table);
    key = key ? lua_absindex(L, key) : 0;
    push_path(L, table);
    if (key) {
        lua_pushvalue(L, -1);
        luaL_buffinit(L, &b);
        mpl_path_add_key(L, &b, key);
        luaL_pushresult(&b);
        lua_concat(L, 2);
    }
    luaL_error(L, "cannot freeze %s (%s)", lua_tostring(L, -1), what);
}

static const char *article(lua_State *L, int idx)
{
    const char *name = luaL_typename(L, idx);

    if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
        name = lua_tostring(L, -1);
    return lua_pushfstring(L, "%s %s",
                           strncmp(name, "mp.", 3) == 0 ? "an" : "a", name);
}

/* ---- the first walk --------------------------------------------------------------*/

/* Gives the string at idx a place, once. */
static void place_text(struct freezer *z, int idx)
{
    lua_State *L = z->L;

    idx = lua_absindex(L, idx);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, PLACES) == LUA_TNIL) {
        lua_pushvalue(L, idx);
        lua_pushinteger(L, (lua_Integer)z->size);
        lua_rawset(L, PLACES);
        z->size += mpr_frozen_text_size(lua_rawlen(L, idx));
    }
    lua_pop(L, 1);
}

/* Queues the table at idx, once; its place is known when it is looked at. */
static void queue_table(struct freezer *z, int idx)
{
    lua_State *L = z->L;

    idx = lua_absindex(L, idx);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, PLACES) == LUA_TNIL) {
        lua_pushvalue(L, idx);
        lua_pushinteger(L, 0);
        lua_rawset(L, PLACES);
        lua_pushvalue(L, idx);
        lua_rawseti(L, QUEUE, ++z->tables);
    }
    lua_pop(L, 1);
}

/* Finds places for what the value on the top needs, which the table has under
 * the key at that index, or as its item i; its type as an item. */
static enum mpr_item_type meet(struct freezer *z, int table, int key,
                               uint64_t i)
{
    lua_State *L = z->L;

    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        return MPR_ITEM_BOOLEAN;
    case LUA_TNUMBER:
        return lua_isinteger(L, -1) ? MPR_ITEM_INTEGER : MPR_ITEM_FLOAT;
    case LUA_TSTRING:
        place_text(z, -1);
        return MPR_ITEM_TEXT;
    case LUA_TTABLE:
        queue_table(z, -1);
        return MPR_ITEM_TABLE;
    }
    if (!key) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_insert(L, -2);
        key = -2;
    }
    key = lua_absindex(L, key);
    refuse(L, table, key, article(L, -1));
    return MPR_ITEM_NIL;
}

/* How many of the items 1 to n there are before the first nil; *uniform: their
 * type, if they have one. */
static uint64_t meet_items(struct freezer *z, int table,
                           enum mpr_item_type *uniform)
{
    lua_State *L = z->L;
    uint64_t n = lua_rawlen(L, table), i;
    enum mpr_item_type type;

    *uniform = MPR_ITEM_NIL;
    for (i = 1; i <= n; i++) {
        if (lua_rawgeti(L, table, (lua_Integer)i) == LUA_TNIL) {
            lua_pop(L, 1);
            break;
        }
        type = meet(z, table, 0, i);
        if (i == 1)
            *uniform = type;
        else if (type != *uniform)
            *uniform = MPR_ITEM_NIL;
        lua_pop(L, 1);
    }
    return i - 1;
}

static bool is_item(lua_State *L, int key, uint64_t items)
{
    return lua_isinteger(L, key) &&
           (lua_Unsigned)lua_tointeger(L, key) - 1 < items;
}

static void meet_key(struct freezer *z, int table)
{
    lua_State *L = z->L;

    switch (lua_type(L, -2)) {
    case LUA_TSTRING:
        place_text(z, -2);
        break;
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
        break;
    default:
        refuse(L, table, 0,
               lua_pushfstring(L, "a key that is %s", article(L, -2)));
    }
}

/* Looks at the table on the top. */
static void measure(struct freezer *z, struct mpr_frozen_shape *shape)
{
    lua_State *L = z->L;
    int table = lua_gettop(L);

    if (lua_getmetatable(L, table)) {
        lua_pop(L, 1);
        refuse(L, table, 0, "a table with a metatable");
    }
    shape->items = meet_items(z, table, &shape->uniform);
    shape->entries = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (!is_item(L, -2, shape->items)) {
            meet_key(z, table);
            meet(z, table, -2, 0);
            shape->entries++;
        }
        lua_pop(L, 1);
    }
    if (shape->entries > INT32_MAX)
        luaL_error(L, "too many entries in one table");
    lua_pushvalue(L, table);
    lua_pushinteger(L, (lua_Integer)z->size);
    lua_rawset(L, PLACES);
    z->size += mpr_frozen_table_size(shape);
}

/* The shapes lie in a userdata, which stands below the top. */
static void first_walk(struct freezer *z)
{
    lua_State *L = z->L;

    lua_pushvalue(L, ROOT);
    queue_table(z, -1);
    lua_pop(L, 1);
    for (lua_Integer i = 1; i <= z->tables; i++) {
        if (i > z->room) {
            lua_Integer room = z->room ? 2 * z->room : 16;
            struct mpr_frozen_shape *more =
                lua_newuserdatauv(L, (size_t)room * sizeof *more, 0);

            if (z->room) {
                memcpy(more, z->shapes, (size_t)z->room * sizeof *more);
                lua_remove(L, -2);
            }
            z->shapes = more;
            z->room = room;
        }
        lua_rawgeti(L, QUEUE, i);
        luaL_checkstack(L, 10, NULL);
        measure(z, &z->shapes[i - 1]);
        lua_pop(L, 1);
    }
}

/* ---- the second walk -------------------------------------------------------------*/

static void changed(lua_State *L)
{
    luaL_error(L, "the table changed while it was frozen");
}

/* The value at idx as an item; texts and tables by their place. */
static void to_item(lua_State *L, int idx, struct mpr_item *item)
{
    item->type = MPR_ITEM_NIL;
    item->n.u = 0;
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        item->type = MPR_ITEM_BOOLEAN;
        item->n.u = (uint64_t)lua_toboolean(L, idx);
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) {
            item->type = MPR_ITEM_INTEGER;
            item->n.i = lua_tointeger(L, idx);
        } else {
            item->type = MPR_ITEM_FLOAT;
            item->n.d = lua_tonumber(L, idx);
        }
        return;
    case LUA_TSTRING:
    case LUA_TTABLE:
        item->type = lua_istable(L, idx) ? MPR_ITEM_TABLE : MPR_ITEM_TEXT;
        lua_pushvalue(L, idx);
        if (lua_rawget(L, PLACES) == LUA_TNIL)
            changed(L);
        item->n.u = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
        return;
    }
    changed(L);
}

/* Puts the table on the top at its place. */
static void put_table(struct freezer *z, const struct mpr_frozen_shape *shape)
{
    lua_State *L = z->L;
    int table = lua_gettop(L);
    struct mpr_item key, value;
    uint64_t at;

    to_item(L, table, &value);
    at = value.n.u;
    mpr_frozen_put_table(z->f, at, shape);
    for (uint64_t i = 0; i < shape->items; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        to_item(L, -1, &value);
        if (mpr_frozen_put_item(z->f, at, i, &value) < 0)
            changed(L);
        lua_pop(L, 1);
    }
    if (shape->entries == 0)
        return;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (!is_item(L, -2, shape->items)) {
            to_item(L, -2, &key);
            to_item(L, -1, &value);
            if (mpr_frozen_put_entry(z->f, at, &key, &value) < 0)
                changed(L);
        }
        lua_pop(L, 1);
    }
}

static void second_walk(struct freezer *z)
{
    lua_State *L = z->L;
    size_t size;

    lua_pushnil(L);
    while (lua_next(L, PLACES)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            const char *text = lua_tolstring(L, -2, &size);

            mpr_frozen_put_text(z->f, (uint64_t)lua_tointeger(L, -1), text,
                                size);
        }
        lua_pop(L, 1);
    }
    for (lua_Integer i = 1; i <= z->tables; i++) {
        lua_rawgeti(L, QUEUE, i);
        put_table(z, &z->shapes[i - 1]);
        lua_pop(L, 1);
    }
    lua_pushvalue(L, ROOT);
    lua_rawget(L, PLACES);
    mpr_frozen_seal(z->f, (uint64_t)lua_tointeger(L, -1));
    lua_pop(L, 1);
}

/*** mp.freeze(t [, {name=}]): a read-only image of a table of nil, booleans,
 * numbers, strings and such tables. */
int mpl_freeze(lua_State *L)
{
    struct freezer z = {.L = L, .size = MPR_FROZEN_START};
    const bool frozen = mpl_is_frozen(L, ROOT);
    const char *name;
    int err;

    if (!frozen)
        luaL_checktype(L, ROOT, LUA_TTABLE);
    lua_settop(L, OPTIONS);
    name = mpl_optname(L, OPTIONS);
    if (frozen) {
        lua_settop(L, ROOT);
        return 1;
    }
    lua_newtable(L);
    lua_newtable(L);
    z.f = mpl_new_frozen(L, mpl_self(L));
    first_walk(&z);
    err = mpr_frozen_create(z.f, z.size, name);
    if (err < 0)
        return mpl_fail(L, err);
    second_walk(&z);
    lua_settop(L, TOP);
    mpl_open_new_frozen(L, mpl_self(L));
    return 1;
}
