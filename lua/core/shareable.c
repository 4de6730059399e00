/* mp.ShareableList: a list of fixed length in named memory. */

#include "arg.h"
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct mpl_object o;
    mpr_shareable l;
};

enum { SHM = 1, VALUES };

static const struct mpl_class class;

/* The value at idx as an item: false, with what is wrong pushed. */
static bool to_item(lua_State *L, int idx, struct mpr_item *item)
{
    size_t size;

    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        item->type = MPR_ITEM_NIL;
        return true;
    case LUA_TBOOLEAN:
        item->type = MPR_ITEM_BOOLEAN;
        item->n.u = (uint64_t)lua_toboolean(L, idx);
        return true;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) {
            item->type = MPR_ITEM_INTEGER;
            item->n.i = lua_tointeger(L, idx);
        } else {
            item->type = MPR_ITEM_FLOAT;
            item->n.d = lua_tonumber(L, idx);
        }
        return true;
    case LUA_TSTRING:
        item->type = MPR_ITEM_TEXT;
        item->text = lua_tolstring(L, idx, &size);
        item->size = size;
        return true;
    }
    lua_pushfstring(L, "a list in memory holds no %s", luaL_typename(L, idx));
    return false;
}

static void push_item(lua_State *L, const struct mpr_item *item)
{
    switch (item->type) {
    case MPR_ITEM_BOOLEAN:
        lua_pushboolean(L, item->n.u != 0);
        return;
    case MPR_ITEM_INTEGER:
        lua_pushinteger(L, item->n.i);
        return;
    case MPR_ITEM_FLOAT:
        lua_pushnumber(L, item->n.d);
        return;
    case MPR_ITEM_TEXT:
        lua_pushlstring(L, item->text, item->size);
        return;
    case MPR_ITEM_NIL:
    case MPR_ITEM_TABLE:
        break;
    }
    lua_pushnil(L);
}

static struct list *self(lua_State *L)
{
    struct list *ud = mpl_checkself(L, &class);

    if (!ud->l.memory.data)
        luaL_error(L, "the memory of this list cannot be attached any more");
    return ud;
}

/* Pushes item i, from 0. */
static void push_at(lua_State *L, const struct list *ud, uint64_t i)
{
    struct mpr_item item;
    luaL_Buffer buf;
    char *room = luaL_buffinitsize(L, &buf, mpr_shareable_room(&ud->l, i));

    if (!ud->l.memory.data) /* by a finalizer, just now */
        luaL_error(L, "attempt to use a closed ShareableList");
    if (mpr_shareable_get(&ud->l, i, room, &item) < 0)
        luaL_error(L, "item %I of the list was overwritten",
                   (LUAI_UACINT)i + 1);
    if (item.type == MPR_ITEM_TEXT) {
        luaL_pushresultsize(&buf, item.size);
        return;
    }
    luaL_pushresultsize(&buf, 0);
    lua_pop(L, 1);
    push_item(L, &item);
}

static bool property(lua_State *L, struct mpl_object *o, const char *key);

static int list_index(lua_State *L)
{
    const struct list *ud;
    lua_Integer i;

    if (lua_type(L, 2) == LUA_TNUMBER) {
        ud = self(L);
        i = lua_tointeger(L, 2);
        if (i < 1 || (lua_Unsigned)i > mpr_shareable_count(&ud->l))
            return 0;
        push_at(L, ud, (uint64_t)i - 1);
        return 1;
    }
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    return lua_type(L, 2) == LUA_TSTRING &&
           property(L, luaL_checkudata(L, 1, class.name), lua_tostring(L, 2));
}

static int list_newindex(lua_State *L)
{
    const struct list *ud = self(L);
    uint64_t count = mpr_shareable_count(&ud->l);
    struct mpr_item item = {.type = MPR_ITEM_NIL};
    lua_Integer i;
    int ok;

    if (lua_type(L, 2) != LUA_TNUMBER)
        return luaL_error(L, "cannot set field '%s' of a ShareableList",
                          luaL_tolstring(L, 2, NULL));
    i = lua_tointegerx(L, 2, &ok);
    if (!ok || i < 1 || (lua_Unsigned)i > count)
        return luaL_error(L, "index %s out of range (1 to %I)",
                          luaL_tolstring(L, 2, NULL), (LUAI_UACINT)count);
    if (!to_item(L, 3, &item))
        return luaL_error(L, "%s", lua_tostring(L, -1));
    if (mpr_shareable_set(&ud->l, (uint64_t)i - 1, &item) == -EMSGSIZE)
        return luaL_error(
            L, "string of %I bytes is longer than the %I of item %I",
            (LUAI_UACINT)item.size,
            (LUAI_UACINT)mpr_shareable_room(&ud->l, (uint64_t)i - 1),
            (LUAI_UACINT)i);
    return 0;
}

static int list_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mpr_shareable_count(&self(L)->l));
    return 1;
}

static int next_item(lua_State *L)
{
    const struct list *ud = self(L);
    lua_Integer i = luaL_checkinteger(L, 2);

    if (i < 0 || (lua_Unsigned)i >= mpr_shareable_count(&ud->l))
        return 0;
    lua_pushinteger(L, i + 1);
    push_at(L, ud, (uint64_t)i);
    return 2;
}

/* All items, nil ones too. */
static int list_pairs(lua_State *L)
{
    self(L);
    mpl_state_push(L);
    lua_pushcclosure(L, next_item, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/*** How many items are equal to v. */
static int list_count(lua_State *L)
{
    const struct list *ud = self(L);
    lua_Integer n = 0;

    luaL_checkany(L, 2);
    for (uint64_t i = 0; i < mpr_shareable_count(&ud->l); i++) {
        push_at(L, ud, i);
        n += lua_rawequal(L, 2, -1);
        lua_pop(L, 1);
    }
    lua_pushinteger(L, n);
    return 1;
}

/*** The index of the first item that is equal to v, or nil. */
static int list_find(lua_State *L)
{
    const struct list *ud = self(L);

    luaL_checkany(L, 2);
    for (uint64_t i = 0; i < mpr_shareable_count(&ud->l); i++) {
        push_at(L, ud, i);
        if (lua_rawequal(L, 2, -1)) {
            lua_pushinteger(L, (lua_Integer)i + 1);
            return 1;
        }
        lua_pop(L, 1);
    }
    luaL_pushfail(L);
    return 1;
}

/* The items' types, as Python's struct module writes them; the room of a
 * string before its 's'. */
static void push_format(lua_State *L, const struct list *ud)
{
    uint64_t count = mpr_shareable_count(&ud->l);
    luaL_Buffer buf;
    int list;

    lua_newtable(L);
    list = lua_gettop(L);
    for (uint64_t i = 0; i < count; i++) {
        push_at(L, ud, i);
        switch (lua_type(L, -1)) {
        case LUA_TSTRING:
            lua_pushfstring(L, "%Is",
                            (LUAI_UACINT)mpr_shareable_room(&ud->l, i));
            break;
        case LUA_TNUMBER:
            lua_pushstring(L, lua_isinteger(L, -1) ? "q" : "d");
            break;
        case LUA_TBOOLEAN:
            lua_pushliteral(L, "?");
            break;
        default:
            lua_pushliteral(L, "x");
        }
        lua_remove(L, -2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    luaL_buffinit(L, &buf);
    for (uint64_t i = 0; i < count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        luaL_addvalue(&buf);
    }
    luaL_pushresult(&buf);
    lua_remove(L, -2);
}

/* Pushes the SharedMemory, made when it is first asked for. */
static void push_shm(lua_State *L, const struct list *ud)
{
    const struct mpl_object *o;
    mpr_handle h;
    int err;

    if (lua_getiuservalue(L, 1, SHM) == LUA_TUSERDATA) {
        o = lua_touserdata(L, -1);
        if (mpl_object_is_open(o))
            return;
    }
    lua_pop(L, 1);
    err = mpr_handle_dup(&ud->l.memory.h, &h);
    if (err < 0)
        mpl_raise(L, err, "ShareableList");
    mpl_object_adopt(L, mpl_self(L), &h);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, SHM);
}

static bool property(lua_State *L, struct mpl_object *o, const char *key)
{
    const struct list *ud = (const struct list *)(const void *)o;

    if (!mpl_object_is_open(o))
        return false;
    if (strcmp(key, "format") == 0)
        push_format(L, ud);
    else if (strcmp(key, "shm") == 0)
        push_shm(L, ud);
    else
        return false;
    return true;
}

static int list_tostring(lua_State *L)
{
    struct list *ud = mpl_checkclosed(L, &class);

    if (mpl_object_is_open(&ud->o))
        lua_pushfstring(L, "mp.ShareableList: %p ('%s', %I items)", (void *)ud,
                        mpr_memory_name(&ud->l.memory),
                        (LUAI_UACINT)mpr_shareable_count(&ud->l));
    else
        lua_pushfstring(L, "mp.ShareableList: %p (closed)", (void *)ud);
    return 1;
}

/* The items of the list at index 1, in memory of their own. */
static struct mpr_item *push_items(lua_State *L, lua_Integer *count)
{
    struct mpr_item *items;

    *count = (lua_Integer)lua_rawlen(L, 1);
    lua_pushliteral(L, "n");
    if (lua_rawget(L, 1) == LUA_TNUMBER && lua_isinteger(L, -1) &&
        lua_tointeger(L, -1) >= 0)
        *count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (*count > (lua_Integer)(SIZE_MAX / sizeof *items / 4))
        luaL_argerror(L, 1, "too many items");
    items = lua_newuserdatauv(L, (size_t)*count * sizeof *items + 1, 0);
    for (lua_Integer i = 0; i < *count; i++) {
        lua_rawgeti(L, 1, i + 1); /* the table keeps a string */
        if (!to_item(L, -1, &items[i]))
            luaL_argerror(L, 1,
                          lua_pushfstring(L, "item %I: %s", (LUAI_UACINT)i + 1,
                                          lua_tostring(L, -1)));
        lua_pop(L, 1);
    }
    return items;
}

/*** mp.ShareableList(list [, {name=, persist=}]) makes one;
 * mp.ShareableList{name=} attaches the one of that name. */
static int list_new(lua_State *L)
{
    static const char *const known[] = {"name", "persist", NULL};
    static const char *const name_only[] = {"name", NULL};
    struct mpl_state *S = mpl_self(L);
    struct mpl_memory_options o = {0};
    struct mpr_item *items = NULL;
    lua_Integer count = 0;
    struct list *ud;
    bool attach;
    int err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    attach = lua_rawlen(L, 1) == 0 && lua_isnil(L, 2) &&
             lua_getfield(L, 1, "name") != LUA_TNIL;
    lua_settop(L, 2);
    if (attach) {
        mpl_check_memory(L, 1, name_only, &o);
    } else {
        if (!lua_isnil(L, 2))
            mpl_check_memory(L, 2, known, &o);
        items = push_items(L, &count);
    }
    ud = mpl_object_new(L, S, &class);
    err = attach ? mpr_shareable_open(&ud->l, o.name)
                 : mpr_shareable_create(&ud->l, o.name, o.flags, items,
                                        (uint64_t)count);
    if (err == -EPROTO)
        return luaL_argerror(
            L, 1, lua_pushfstring(L, "'%s' is no ShareableList", o.name));
    if (err < 0)
        return mpl_memory_fail(L, err, o.name);
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

static void attach_list(struct mpl_object *o, mpr_handle *h)
{
    mpr_shareable_attach(&((struct list *)(void *)o)->l, h);
}

static void release(struct mpl_state *S, struct mpl_object *o)
{
    (void)S;
    mpr_shareable_close(&((struct list *)(void *)o)->l);
}

static const luaL_Reg methods[] = {
    {"count", list_count},
    {"index", list_find},
    {"close", mpl_object_gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__newindex", list_newindex}, {"__len", list_len}, {"__pairs", list_pairs},
    {"__tostring", list_tostring}, {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.ShareableList",
    .type = "ShareableList",
    .size = sizeof(struct list),
    .handle = offsetof(struct list, l.h),
    .kind = MPR_KIND_SHAREABLE,
    .user_values = VALUES,
    .methods = methods,
    .meta = meta,
    .index = list_index,
    .attach = attach_list,
    .release = release,
};

void mpl_open_shareable(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"ShareableList", list_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
