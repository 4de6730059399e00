/* mp.Array and mp.RawArray: a row of cells, or of structs, that all processes
 * see. An element is read and written by one load or store, without the lock:
 * that is for what must change together. */

#include "arg.h"
#include "row.h"

#include <errno.h>
#include <string.h>

struct row *mpl_check_array(lua_State *L, int arg)
{
    struct row *r = lua_touserdata(L, arg);

    if (!luaL_testudata(L, arg, mpl_raw_array_class.name))
        luaL_checkudata(L, arg, mpl_array_class.name);
    if (r->a.h.block)
        return r;
    if (!mpr_is_member())
        mpl_open(L);
    luaL_error(L, "attempt to use a closed %s", r->o.class->type);
    return NULL;
}

/* ---- elements ---------------------------------------------------------------*/

void mpl_check_mapped(lua_State *L, const struct row *r)
{
    if (!r->a.data)
        luaL_error(L, "the memory of this array cannot be attached any more");
}

/* `value` and `raw` of bytes: the text up to the first zero, and all. */
static bool is_bytes_key(const struct row *r, const char *key)
{
    return r->letter == 'c' &&
           (strcmp(key, "value") == 0 || strcmp(key, "raw") == 0);
}

static int property(lua_State *L, const struct row *r, const char *key)
{
    const char *bytes = r->a.data;
    size_t size = r->a.count;

    if (strcmp(key, "code") == 0) {
        mpl_push_format(L, r);
        return 1;
    }
    if (!is_bytes_key(r, key))
        return 0;
    mpl_check_mapped(L, r);
    if (key[0] == 'v') {
        const char *end = memchr(bytes, 0, size);

        size = end ? (size_t)(end - bytes) : size;
    }
    lua_pushlstring(L, bytes, size);
    return 1;
}

static int other_index(lua_State *L, const struct row *r)
{
    lua_Integer i;

    if (lua_type(L, 2) == LUA_TNUMBER) {
        mpl_check_mapped(L, r);
        i = lua_tointeger(L, 2); /* 0: not an integer */
        if (i < 1 || (lua_Unsigned)i > r->a.count)
            return 0;
        mpl_push_element(L, 1, r, mpl_row_at(r, (uint64_t)i - 1));
        return 1;
    }
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    return lua_type(L, 2) == LUA_TSTRING ? property(L, r, lua_tostring(L, 2))
                                         : 0;
}

static int array_index(lua_State *L)
{
    const struct row *r = mpl_self_array(L);

    if (lua_isinteger(L, 2)) {
        lua_Unsigned i = (lua_Unsigned)lua_tointegerx(L, 2, NULL) - 1;

        if (i < r->a.count && mpl_cell_push(L, r->letter, mpl_row_at(r, i)))
            return 1;
    }
    return other_index(L, r);
}

/* a.value = "text", a.raw = "bytes" */
static int set_bytes(lua_State *L, struct row *r, const char *key)
{
    size_t size;
    const char *bytes;

    if (lua_type(L, 3) != LUA_TSTRING)
        return luaL_error(L, "string expected, got %s", luaL_typename(L, 3));
    bytes = lua_tolstring(L, 3, &size);
    if (size > r->a.count)
        return luaL_error(L, "string of %I bytes is longer than %I",
                          (LUAI_UACINT)size, (LUAI_UACINT)r->a.count);
    memcpy(r->a.data, bytes, size);
    if (key[0] == 'v' && size < r->a.count)
        ((char *)r->a.data)[size] = 0;
    return 0;
}

static int other_newindex(lua_State *L, struct row *r)
{
    lua_Integer i;
    int ok;

    mpl_check_mapped(L, r);
    if (lua_type(L, 2) == LUA_TSTRING && is_bytes_key(r, lua_tostring(L, 2)))
        return set_bytes(L, r, lua_tostring(L, 2));
    if (lua_type(L, 2) != LUA_TNUMBER)
        return luaL_error(L, "cannot set field '%s' of an Array",
                          luaL_tolstring(L, 2, NULL));
    i = lua_tointegerx(L, 2, &ok);
    if (!ok || i < 1 || (lua_Unsigned)i > r->a.count)
        return luaL_error(L, "index %s out of range (1 to %I)",
                          luaL_tolstring(L, 2, NULL), (LUAI_UACINT)r->a.count);
    mpl_assign_element(L, 3, r, mpl_row_at(r, (uint64_t)i - 1));
    return 0;
}

static int array_newindex(lua_State *L)
{
    struct row *r = mpl_self_array(L);

    if (lua_isinteger(L, 2)) {
        lua_Unsigned i = (lua_Unsigned)lua_tointegerx(L, 2, NULL) - 1;

        if (i < r->a.count && mpl_cell_set(L, 3, r->letter, mpl_row_at(r, i)))
            return 0;
    }
    return other_newindex(L, r);
}

static int array_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mpl_self_array(L)->a.count);
    return 1;
}

static int next_element(lua_State *L)
{
    const struct row *r = mpl_self_array(L);
    lua_Integer i = luaL_checkinteger(L, 2);

    if (i < 0 || (lua_Unsigned)i >= r->a.count)
        return 0;
    lua_pushinteger(L, i + 1);
    mpl_push_element(L, 1, r, mpl_row_at(r, (uint64_t)i));
    return 2;
}

static int array_pairs(lua_State *L)
{
    mpl_self_array(L);
    mpl_state_push(L);
    lua_pushcclosure(L, next_element, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static char *check_element(lua_State *L, const struct row *r)
{
    lua_Integer i = luaL_checkinteger(L, 2);

    mpl_check_mapped(L, r);
    luaL_argcheck(L, i >= 1 && (lua_Unsigned)i <= r->a.count, 2,
                  "index out of range");
    return mpl_row_at(r, (uint64_t)i - 1);
}

/*** a:add(i, n): as Value's. */
static int array_add(lua_State *L)
{
    const struct row *r = mpl_self_array(L);

    return mpl_cell_add(L, r, 3, check_element(L, r));
}

static int array_exchange(lua_State *L)
{
    const struct row *r = mpl_self_array(L);

    return mpl_cell_exchange(L, r, 3, check_element(L, r));
}

static int array_cas(lua_State *L)
{
    const struct row *r = mpl_self_array(L);

    return mpl_cell_cas(L, r, 3, check_element(L, r));
}

/* ---- making them --------------------------------------------------------------*/

/*** a:view([i [, j [, code]]]): an array on the same memory, which it keeps,
 * with the same lock; with a code (or a Struct) on the same bytes. */
static int array_view(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const struct row *r = mpl_self_array(L);
    struct mpr_cells what = {.code = r->letter};
    mpr_struct own = {.layout = r->a.layout};
    uint64_t first, bytes;
    struct row *view;
    uint32_t size = r->a.size;
    int err;

    lua_settop(L, 4);
    first = mpl_check_range(L, 2, r, &bytes);
    luaL_argcheck(L, bytes > 0, 2, "nothing to view");
    bytes *= r->a.size;
    if (!lua_isnil(L, 4)) {
        what.code = 0;
        mpl_check_format(L, 4, &what);
        size =
            what.format ? what.format->layout->size : mpr_code(what.code)->size;
        if (bytes % size)
            return luaL_argerror(
                L, 4,
                lua_pushfstring(L, "%I bytes are no multiple of %d",
                                (LUAI_UACINT)bytes, (int)size));
    } else if (!r->letter) {
        err = mpr_array_format(&r->a, &own.h);
        if (err < 0)
            return mpl_fail(L, err);
        what.format = &own;
    }
    what.count = bytes / size;
    view = mpl_object_new(L, S, r->o.class);
    err = mpr_array_view(&r->a, first * r->a.size, &what, &view->a);
    mpr_handle_close(&own.h);
    if (err == -EINVAL)
        return luaL_argerror(L, 2, "not aligned for the code");
    if (err < 0)
        return mpl_fail(L, err);
    view->letter = what.code;
    mpl_object_opened(L, S, &view->o);
    return 1;
}

static int array_tostring(lua_State *L)
{
    const struct row *r = lua_touserdata(L, 1);

    if (!luaL_testudata(L, 1, mpl_raw_array_class.name))
        luaL_checkudata(L, 1, mpl_array_class.name);
    if (!r->a.h.block)
        lua_pushfstring(L, "%s: %p (closed)", r->o.class->name,
                        (const void *)r);
    else if (r->letter)
        lua_pushfstring(L, "%s: %p ('%c', %I elements)", r->o.class->name,
                        (const void *)r, r->letter, (LUAI_UACINT)r->a.count);
    else
        lua_pushfstring(L, "%s: %p (%I structs)", r->o.class->name,
                        (const void *)r, (LUAI_UACINT)r->a.count);
    return 1;
}

/* More bytes than a process can address: a mistake. Less may be too much for
 * this machine, which is an outcome. */
static const lua_Integer BYTES_MAX = (lua_Integer)1 << 47;

static int create(lua_State *L, struct mpr_cells *what,
                  const struct mpl_class *class)
{
    struct mpl_state *S = mpl_self(L);
    struct row *r = mpl_object_new(L, S, class);
    bool empty = lua_type(L, 2) == LUA_TNUMBER;
    lua_Integer count;
    int err;

    r->letter = what->code;
    r->a.size =
        what->format ? what->format->layout->size : mpr_code(what->code)->size;
    count = empty ? luaL_checkinteger(L, 2) : mpl_source_count(L, 2, r);
    luaL_argcheck(L, count > 0, 2,
                  empty ? "size must be positive" : "nothing to hold");
    luaL_argcheck(L, count <= BYTES_MAX / r->a.size, 2, "size is too large");
    what->count = (uint64_t)count;
    err = mpr_array_create(&r->a, what);
    if (err < 0)
        return mpl_fail(L, err);
    mpl_object_opened(L, S, &r->o);
    if (!empty)
        mpl_store_elements(L, 2, r, 0, count, true);
    return 1;
}

/*** mp.Array(code, size or list or string [, options]): options as Value's. */
static int array_new(lua_State *L)
{
    struct mpr_cells what = {0};

    mpl_check_format(L, 1, &what);
    lua_settop(L, 3);
    mpl_check_lock(L, 3, &what);
    return create(L, &what, what.raw ? &mpl_raw_array_class : &mpl_array_class);
}

/*** mp.RawArray(code, size or list or string): without a lock. */
static int raw_array_new(lua_State *L)
{
    struct mpr_cells what = {.raw = 1};

    mpl_check_format(L, 1, &what);
    lua_settop(L, 2);
    return create(L, &what, &mpl_raw_array_class);
}

static const struct mpl_class *variant(const mpr_handle *h)
{
    return mpr_array_is_raw(h) ? &mpl_raw_array_class : &mpl_array_class;
}

/* read and write are tostring and set, said of bytes. */
#define METHODS                                                           \
    {"add", array_add}, {"exchange", array_exchange}, {"cas", array_cas}, \
        {"view", array_view}, {"totable", mpl_array_totable},             \
        {"slice", mpl_array_slice}, {"set", mpl_array_set},               \
        {"write", mpl_array_set}, {"fill", mpl_array_fill},               \
        {"copy", mpl_array_copy}, {"tostring", mpl_array_tostring},       \
        {"read", mpl_array_tostring},                                     \
    {                                                                     \
        "close", mpl_object_gc                                            \
    }

static const luaL_Reg methods[] = {
    METHODS,
    MPL_ROW_LOCK_METHODS,
    {NULL, NULL},
};

static const luaL_Reg raw_methods[] = {
    METHODS,
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__newindex", array_newindex},
    {"__len", array_len},
    {"__pairs", array_pairs},
    {"__tostring", array_tostring},
    {NULL, NULL},
};

const struct mpl_class mpl_array_class = {
    .name = "mp.Array",
    .type = "Array",
    .size = sizeof(struct row),
    .handle = offsetof(struct row, a.h),
    .kind = MPR_KIND_ARRAY,
    .user_values = MPL_ROW_VALUES,
    .methods = methods,
    .meta = meta,
    .index = array_index,
    .attach = mpl_row_attach,
    .release = mpl_row_release,
    .variant = variant,
};

const struct mpl_class mpl_raw_array_class = {
    .name = "mp.RawArray",
    .type = "RawArray",
    .size = sizeof(struct row),
    .handle = offsetof(struct row, a.h),
    .kind = MPR_KIND_ARRAY,
    .user_values = MPL_ROW_VALUES,
    .methods = raw_methods,
    .meta = meta,
    .index = array_index,
    .attach = mpl_row_attach,
    .release = mpl_row_release,
    .variant = variant,
};

void mpl_open_array(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Array", array_new},
        {"RawArray", raw_array_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_array_class);
    mpl_class_open(L, S, &mpl_raw_array_class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
