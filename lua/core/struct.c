/* mp.Struct: a format of several named members, laid out as C does. */

#include "arg.h"
#include "row.h"

#include <errno.h>
#include <string.h>

struct format {
    struct mpl_object o;
    mpr_struct s;
};

/* The member at the stack's top: {name, code or Struct [, count]}. */
static void check_part(lua_State *L, lua_Integer i, struct mpr_part *part)
{
    struct mpr_cells what = {0};

    if (!lua_istable(L, -1))
        luaL_argerror(
            L, 1,
            lua_pushfstring(L, "member %I is no {name, code}", (LUAI_UACINT)i));
    if (lua_rawgeti(L, -1, 1) != LUA_TSTRING)
        luaL_argerror(
            L, 1, lua_pushfstring(L, "member %I has no name", (LUAI_UACINT)i));
    part->name = lua_tolstring(L, -1, &part->name_size);
    lua_pop(L, 1);
    lua_rawgeti(L, -1, 2);
    if (!mpl_test_format(L, -1, &what))
        luaL_argerror(
            L, 1,
            lua_pushfstring(L, "member '%s' has no valid code", part->name));
    if (what.format)
        part->layout = what.format->layout;
    else
        part->code = what.code;
    lua_pop(L, 1);
    if (lua_rawgeti(L, -1, 3) != LUA_TNIL) {
        int ok;
        lua_Integer count = lua_tointegerx(L, -1, &ok);

        if (!ok || count < 1 || count > MPR_STRUCT_SIZE)
            luaL_argerror(L, 1,
                          lua_pushfstring(L, "member '%s' has no valid count",
                                          part->name));
        part->count = (uint32_t)count;
    }
    lua_pop(L, 1);
}

/*** Makes a format: mp.Struct{ {"x", "d"}, {"y", "d"} }. A member is {name,
 * code}, {name, Struct} or, for a row of them, {name, code, count}. */
static int struct_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_part *parts;
    struct format *f;
    lua_Integer n;
    int err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    n = (lua_Integer)lua_rawlen(L, 1);
    luaL_argcheck(L, n > 0, 1, "a Struct needs members");
    luaL_argcheck(L, n <= MPR_STRUCT_MEMBERS, 1, "too many members");
    parts = lua_newuserdatauv(L, (size_t)n * sizeof *parts, 0);
    memset(parts, 0, (size_t)n * sizeof *parts);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        check_part(L, i, &parts[i - 1]);
        lua_pop(L, 1);
    }
    f = mpl_object_new(L, S, &mpl_struct_class);
    err = mpr_struct_create(&f->s, parts, (size_t)n);
    if (err == -EEXIST)
        return luaL_argerror(L, 1, "two members have one name");
    if (err == -E2BIG)
        return luaL_argerror(L, 1, "Struct is too large");
    if (err < 0)
        return mpl_fail(L, err);
    mpl_object_opened(L, S, &f->o);
    return 1;
}

static bool property(lua_State *L, struct mpl_object *o, const char *key)
{
    const struct format *f = (const struct format *)(const void *)o;

    if (!mpl_object_is_open(o))
        return false;
    if (strcmp(key, "size") == 0)
        lua_pushinteger(L, f->s.layout->size);
    else if (strcmp(key, "align") == 0)
        lua_pushinteger(L, f->s.layout->align);
    else
        return false;
    return true;
}

/*** Where a member lies: s:offset("x"), from 0. */
static int struct_offset(lua_State *L)
{
    const struct format *f = mpl_checkself(L, &mpl_struct_class);
    size_t size;
    const char *name = luaL_checklstring(L, 2, &size);
    const struct mpr_member *m = mpr_layout_find(f->s.layout, name, size);

    luaL_argcheck(L, m, 2, "no such member");
    lua_pushinteger(L, m->at);
    return 1;
}

static int struct_tostring(lua_State *L)
{
    const struct format *f = mpl_checkclosed(L, &mpl_struct_class);

    if (mpl_object_is_open(&f->o))
        lua_pushfstring(L, "mp.Struct: %p (%d members, %d bytes)",
                        (const void *)f, (int)f->s.layout->count,
                        (int)f->s.layout->size);
    else
        lua_pushfstring(L, "mp.Struct: %p (closed)", (const void *)f);
    return 1;
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    mpr_struct_attach(&((struct format *)(void *)o)->s, h);
}

static const luaL_Reg methods[] = {
    {"offset", struct_offset},
    {"close", mpl_object_gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", struct_tostring},
    {NULL, NULL},
};

const struct mpl_class mpl_struct_class = {
    .name = "mp.Struct",
    .type = "Struct",
    .size = sizeof(struct format),
    .handle = offsetof(struct format, s.h),
    .kind = MPR_KIND_STRUCT,
    .methods = methods,
    .meta = meta,
    .property = property,
    .attach = attach,
};

void mpl_open_struct(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Struct", struct_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_struct_class);
    mpl_open_view(L);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
