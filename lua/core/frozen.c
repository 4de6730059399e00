/* Frozen tables: views of an image in shared memory. A table within is a view
 * too; the views of an image that a state has share its one hold, which the
 * last of them to go gives up. They know each other by a weak table (user
 * value 1), so that a table is the same view each time it is read. */

#include "arg.h"
#include "freeze.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct image {
    mpr_frozen f;
    unsigned views;
};

struct view {
    struct mpl_object o;
    mpr_handle h;        /* block NULL: closed. Its hold is the image's */
    struct image *image; /* NULL: closed, or not made yet */
    uint64_t table;
    mpr_frozen part; /* of a table within: made when it is sent */
};

enum { VIEWS = 1, VALUES = VIEWS };

static const struct mpl_class class;

static struct view *self(lua_State *L)
{
    struct view *v = lua_touserdata(L, 1);

    if (v && lua_rawlen(L, 1) == sizeof *v && v->o.class == &class &&
        v->h.block)
        return v;
    return mpl_checkself(L, &class);
}

bool mpl_is_frozen(lua_State *L, int idx)
{
    return luaL_testudata(L, idx, class.name) != NULL;
}

/* ---- open and closed ----------------------------------------------------------*/

static void show(struct view *v, struct image *image, uint64_t table)
{
    v->image = image;
    v->h = image->f.h;
    v->table = table;
    image->views++;
}

static void release(struct mpl_state *S, struct mpl_object *o)
{
    struct view *v = (struct view *)(void *)o;
    struct image *image = v->image;

    (void)S;
    v->h.block = NULL; /* the hold is not ours alone */
    v->image = NULL;
    mpr_handle_close(&v->part.h);
    if (image && --image->views == 0) {
        mpr_handle_close(&image->f.h);
        free(image);
    }
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    struct view *v = (struct view *)(void *)o;
    struct image *image = calloc(1, sizeof *image);

    if (!image) {
        mpr_handle_close(h); /* the view stays closed */
        return;
    }
    mpr_frozen_attach(&image->f, h);
    show(v, image, image->f.root);
}

mpr_frozen *mpl_new_frozen(lua_State *L, struct mpl_state *S)
{
    struct view *v = mpl_object_new(L, S, &class);

    v->image = calloc(1, sizeof *v->image);
    if (!v->image)
        luaL_error(L, "not enough memory");
    return &v->image->f;
}

void mpl_open_new_frozen(lua_State *L, struct mpl_state *S)
{
    struct view *v = lua_touserdata(L, -1);

    show(v, v->image, v->image->f.root);
    mpl_object_opened(L, S, &v->o);
}

/* A new one whose making failed has an image, but shows nothing. */
static int view_gc(lua_State *L)
{
    struct view *v = luaL_checkudata(L, 1, class.name);

    if (v->image && v->image->views == 0) {
        mpr_handle_close(&v->image->f.h);
        free(v->image);
        v->image = NULL;
    }
    mpl_object_close(mpl_self(L), &v->o);
    return 0;
}

static const mpr_handle *pack(struct mpl_object *o)
{
    struct view *v = (struct view *)(void *)o;

    if (v->table == v->image->f.root)
        return &v->h;
    if (!v->part.h.block &&
        mpr_frozen_part(&v->image->f, v->table, &v->part) < 0)
        return NULL;
    return &v->part.h;
}

/* ---- reading ---------------------------------------------------------------------*/

/* Pushes the weak table of the image's views; the view at index 1 is one. */
static void push_views(lua_State *L, const struct view *v)
{
    if (lua_getiuservalue(L, 1, VIEWS) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)v->table);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, VIEWS);
}

static void push_table(lua_State *L, const struct view *v, uint64_t table)
{
    struct view *new;

    push_views(L, v);
    if (lua_rawgeti(L, -1, (lua_Integer)table) == LUA_TUSERDATA) {
        new = lua_touserdata(L, -1);
        if (new->h.block) {
            lua_remove(L, -2);
            return;
        }
    }
    lua_pop(L, 1);
    new = mpl_object_new(L, mpl_self(L), &class);
    if (!v->image) { /* closed by a finalizer, just now */
        luaL_error(L, "attempt to use a closed Frozen");
        return;
    }
    show(new, v->image, table);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, VIEWS);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)table);
    lua_remove(L, -2);
}

static void push_item(lua_State *L, const struct view *v,
                      const struct mpr_item *item)
{
    switch (item->type) {
    case MPR_ITEM_NIL:
        lua_pushnil(L);
        break;
    case MPR_ITEM_BOOLEAN:
        lua_pushboolean(L, item->n.u != 0);
        break;
    case MPR_ITEM_INTEGER:
        lua_pushinteger(L, item->n.i);
        break;
    case MPR_ITEM_FLOAT:
        lua_pushnumber(L, item->n.d);
        break;
    case MPR_ITEM_TEXT:
        lua_pushlstring(L, item->text, item->size);
        break;
    case MPR_ITEM_TABLE:
        push_table(L, v, item->n.u);
        break;
    }
}

/* The value at idx as a key; false: no frozen table has such a key. */
static bool to_key(lua_State *L, int idx, struct mpr_item *key)
{
    lua_Number d;
    size_t size;
    int ok;

    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        key->type = MPR_ITEM_TEXT;
        key->text = lua_tolstring(L, idx, &size);
        key->size = size;
        return true;
    case LUA_TNUMBER:
        key->type = MPR_ITEM_INTEGER;
        key->n.i = lua_tointegerx(L, idx, &ok);
        if (ok)
            return true;
        d = lua_tonumber(L, idx);
        key->type = MPR_ITEM_FLOAT;
        key->n.d = d;
        return d == d;
    case LUA_TBOOLEAN:
        key->type = MPR_ITEM_BOOLEAN;
        key->n.u = (uint64_t)lua_toboolean(L, idx);
        return true;
    }
    return false;
}

static int view_index(lua_State *L)
{
    const struct view *v = self(L);
    struct mpr_item key, value;

    if (!to_key(L, 2, &key) ||
        !mpr_frozen_get(&v->image->f, v->table, &key, &value))
        return 0;
    push_item(L, v, &value);
    return 1;
}

static int view_newindex(lua_State *L)
{
    self(L);
    return luaL_error(L, "attempt to modify a frozen table");
}

static int view_len(lua_State *L)
{
    const struct view *v = self(L);

    lua_pushinteger(L, (lua_Integer)mpr_frozen_length(&v->image->f, v->table));
    return 1;
}

/* The next pair; upvalue 2 counts. */
static int next_pair(lua_State *L)
{
    const struct view *v = self(L);
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    struct mpr_item key, value;

    if (!mpr_frozen_pair(&v->image->f, v->table, (uint64_t)i, &key, &value))
        return 0;
    lua_pushinteger(L, i + 1);
    lua_replace(L, lua_upvalueindex(2));
    push_item(L, v, &key);
    push_item(L, v, &value);
    return 2;
}

static int view_pairs(lua_State *L)
{
    self(L);
    mpl_state_push(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 2);
    lua_pushvalue(L, 1);
    return 2;
}

static int view_tostring(lua_State *L)
{
    const struct view *v = mpl_checkclosed(L, &class);
    const char *name;

    if (!v->h.block) {
        lua_pushfstring(L, "mp.Frozen: %p (closed)", (const void *)v);
        return 1;
    }
    name = mpr_handle_label(&v->h);
    if (*name)
        lua_pushfstring(L, "mp.Frozen: %p ('%s', %I pairs)", (const void *)v,
                        name,
                        (LUAI_UACINT)mpr_frozen_count(&v->image->f, v->table));
    else
        lua_pushfstring(L, "mp.Frozen: %p (%I pairs)", (const void *)v,
                        (LUAI_UACINT)mpr_frozen_count(&v->image->f, v->table));
    return 1;
}

/* None: every string may be a key. */
static const luaL_Reg methods[] = {
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__newindex", view_newindex}, {"__len", view_len}, {"__pairs", view_pairs},
    {"__tostring", view_tostring}, {"__gc", view_gc},   {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.Frozen",
    .type = "Frozen",
    .size = sizeof(struct view),
    .handle = offsetof(struct view, h),
    .kind = MPR_KIND_FROZEN,
    .user_values = VALUES,
    .methods = methods,
    .meta = meta,
    .index = view_index,
    .attach = attach,
    .release = release,
    .pack = pack,
};

void mpl_open_frozen(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"freeze", mpl_freeze},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
