/* mp.Value and mp.RawValue: one cell, or one struct, that all processes see. */

#include "arg.h"
#include "row.h"

#include <string.h>

static const char value_key[] = "value";

static bool is_value_key(lua_State *L, int idx)
{
    size_t size;
    const char *key = lua_tolstring(L, idx, &size);

    return key && size == sizeof value_key - 1 &&
           memcmp(key, value_key, sizeof value_key - 1) == 0;
}

struct row *mpl_check_value(lua_State *L)
{
    struct row *r = mpl_row_test(L, &mpl_value_class, &mpl_raw_value_class);

    if (r)
        return r;
    return mpl_checkself(L, luaL_testudata(L, 1, mpl_raw_value_class.name)
                                ? &mpl_raw_value_class
                                : &mpl_value_class);
}

/* What is not `value`: a method, or the code. */
static int other_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    if (lua_type(L, 2) == LUA_TSTRING &&
        strcmp(lua_tostring(L, 2), "code") == 0) {
        mpl_push_format(L, mpl_check_value(L));
        return 1;
    }
    return 0;
}

static int value_index(lua_State *L)
{
    struct row *r = mpl_row_test(L, &mpl_value_class, &mpl_raw_value_class);

    if (!is_value_key(L, 2))
        return other_index(L);
    if (!r)
        r = mpl_check_value(L);
    if (!mpl_cell_push(L, r->letter, r->a.data))
        mpl_push_element(L, 1, r, r->a.data);
    return 1;
}

static int value_newindex(lua_State *L)
{
    struct row *r = mpl_row_test(L, &mpl_value_class, &mpl_raw_value_class);

    if (!is_value_key(L, 2))
        return luaL_error(L, "cannot set field '%s' of a Value",
                          luaL_tolstring(L, 2, NULL));
    if (!r)
        r = mpl_check_value(L);
    if (!mpl_cell_set(L, 3, r->letter, r->a.data))
        mpl_assign_element(L, 3, r, r->a.data);
    return 0;
}

int mpl_cell_add(lua_State *L, const struct row *r, int arg, void *at)
{
    union mpr_number n, sum;

    luaL_argcheck(L, r->letter, 1, "a Struct has no atomic operations");
    if (!mpl_to_addend(L, arg, r->a.code, &n))
        return mpl_bad_number(L, arg);
    if (mpr_cell_add(r->a.code, at, n, &sum) < 0)
        return luaL_argerror(
            L, arg,
            lua_pushfstring(L, "sum out of range for code '%c'", r->letter));
    mpl_push_number(L, r->a.code, sum);
    return 1;
}

int mpl_cell_exchange(lua_State *L, const struct row *r, int arg, void *at)
{
    union mpr_number n, old;

    luaL_argcheck(L, r->letter, 1, "a Struct has no atomic operations");
    if (!mpl_to_number(L, arg, r->a.code, &n))
        return mpl_bad_number(L, arg);
    mpr_cell_swap(r->a.code, at, n, &old);
    mpl_push_number(L, r->a.code, old);
    return 1;
}

int mpl_cell_cas(lua_State *L, const struct row *r, int arg, void *at)
{
    union mpr_number old, n, found;

    luaL_argcheck(L, r->letter, 1, "a Struct has no atomic operations");
    if (!mpl_to_number(L, arg, r->a.code, &old))
        return mpl_bad_number(L, arg);
    if (!mpl_to_number(L, arg + 1, r->a.code, &n))
        return mpl_bad_number(L, arg + 1);
    lua_pushboolean(L, mpr_cell_cas(r->a.code, at, old, n, &found) == 1);
    mpl_push_number(L, r->a.code, found);
    return 2;
}

/*** v:get(): the same as v.value. */
static int value_get(lua_State *L)
{
    struct row *r = mpl_check_value(L);

    if (!mpl_cell_push(L, r->letter, r->a.data))
        mpl_push_element(L, 1, r, r->a.data);
    return 1;
}

/*** v:set(x): the same as v.value = x. */
static int value_set(lua_State *L)
{
    struct row *r = mpl_check_value(L);

    luaL_checkany(L, 2);
    if (!mpl_cell_set(L, 2, r->letter, r->a.data))
        mpl_assign_element(L, 2, r, r->a.data);
    return 0;
}

/*** Adds n at once, whatever others do meanwhile; returns the sum. */
static int value_add(lua_State *L)
{
    const struct row *r = mpl_check_value(L);

    return mpl_cell_add(L, r, 2, r->a.data);
}

/*** Sets the value and returns the one that was there. */
static int value_exchange(lua_State *L)
{
    const struct row *r = mpl_check_value(L);

    return mpl_cell_exchange(L, r, 2, r->a.data);
}

/*** v:cas(old, new): sets the value if it is old: true or false, and the
 * value that was there. */
static int value_cas(lua_State *L)
{
    const struct row *r = mpl_check_value(L);

    return mpl_cell_cas(L, r, 2, r->a.data);
}

static int value_tostring(lua_State *L)
{
    const struct row *r = lua_touserdata(L, 1);

    if (!luaL_testudata(L, 1, mpl_raw_value_class.name))
        luaL_checkudata(L, 1, mpl_value_class.name);
    if (!r->a.h.block)
        lua_pushfstring(L, "%s: %p (closed)", r->o.class->name,
                        (const void *)r);
    else if (!mpl_cell_push(L, r->letter, r->a.data))
        lua_pushfstring(L, "%s: %p (a Struct)", r->o.class->name,
                        (const void *)r);
    else
        lua_pushfstring(L, "%s: %p ('%c', %s)", r->o.class->name,
                        (const void *)r, r->letter,
                        luaL_tolstring(L, -1, NULL));
    return 1;
}

static int create(lua_State *L, const struct mpr_cells *what,
                  const struct mpl_class *class)
{
    struct mpl_state *S = mpl_self(L);
    struct row *r = mpl_object_new(L, S, class);
    int err = mpr_value_create(&r->a, what);

    if (err < 0)
        return mpl_fail(L, err);
    r->letter = what->code;
    mpl_object_opened(L, S, &r->o);
    if (lua_isnoneornil(L, 2))
        return 1;
    if (!mpl_set_element(L, 2, r, NULL))
        return mpl_bad_number(L, 2);
    mpl_set_element(L, 2, r, r->a.data);
    return 1;
}

/*** mp.Value(code [, init [, options]]). options: lock (true; a lock to use;
 * false for a RawValue), name (of the lock). */
static int value_new(lua_State *L)
{
    struct mpr_cells what = {.count = 1};

    mpl_check_format(L, 1, &what);
    lua_settop(L, 3);
    /* A number is no table, so the options may stand in its place. */
    if (!what.format && lua_istable(L, 2) && lua_isnil(L, 3)) {
        lua_pushnil(L);
        lua_insert(L, 2);
        lua_settop(L, 3);
    }
    mpl_check_lock(L, 3, &what);
    return create(L, &what, what.raw ? &mpl_raw_value_class : &mpl_value_class);
}

/*** mp.RawValue(code [, init]): without a lock. */
static int raw_value_new(lua_State *L)
{
    struct mpr_cells what = {.count = 1, .raw = 1};

    mpl_check_format(L, 1, &what);
    lua_settop(L, 2);
    return create(L, &what, &mpl_raw_value_class);
}

static const struct mpl_class *variant(const mpr_handle *h)
{
    return mpr_array_is_raw(h) ? &mpl_raw_value_class : &mpl_value_class;
}

static const luaL_Reg methods[] = {
    {"get", value_get},           {"set", value_set}, {"add", value_add},
    {"exchange", value_exchange}, {"cas", value_cas}, {"close", mpl_object_gc},
    MPL_ROW_LOCK_METHODS,         {NULL, NULL},
};

static const luaL_Reg raw_methods[] = {
    {"get", value_get}, {"set", value_set},
    {"add", value_add}, {"exchange", value_exchange},
    {"cas", value_cas}, {"close", mpl_object_gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__newindex", value_newindex},
    {"__tostring", value_tostring},
    {NULL, NULL},
};

const struct mpl_class mpl_value_class = {
    .name = "mp.Value",
    .type = "Value",
    .size = sizeof(struct row),
    .handle = offsetof(struct row, a.h),
    .kind = MPR_KIND_VALUE,
    .user_values = MPL_ROW_VALUES,
    .methods = methods,
    .meta = meta,
    .index = value_index,
    .attach = mpl_row_attach,
    .release = mpl_row_release,
    .variant = variant,
};

const struct mpl_class mpl_raw_value_class = {
    .name = "mp.RawValue",
    .type = "RawValue",
    .size = sizeof(struct row),
    .handle = offsetof(struct row, a.h),
    .kind = MPR_KIND_VALUE,
    .user_values = MPL_ROW_VALUES,
    .methods = raw_methods,
    .meta = meta,
    .index = value_index,
    .attach = mpl_row_attach,
    .release = mpl_row_release,
    .variant = variant,
};

void mpl_open_number(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Value", value_new},
        {"RawValue", raw_value_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_value_class);
    mpl_class_open(L, S, &mpl_raw_value_class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
