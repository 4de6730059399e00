/* Many elements of an array at once. Other processes may see a part of what a
 * bulk operation writes; each element is whole. */

#include "arg.h"
#include "row.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

uint64_t mpl_check_range(lua_State *L, int arg, const struct row *r,
                         uint64_t *count)
{
    lua_Integer size = (lua_Integer)r->a.count;
    lua_Integer i = luaL_optinteger(L, arg, 1);
    lua_Integer j = luaL_optinteger(L, arg + 1, -1);

    mpl_check_mapped(L, r);
    if (i < 0)
        i = i < -size ? 1 : size + i + 1;
    else if (i == 0)
        i = 1;
    if (j < 0)
        j = size + j + 1; /* < 1: nothing */
    else if (j > size)
        j = size;
    *count = i <= j ? (uint64_t)(j - i) + 1 : 0;
    return *count ? (uint64_t)i - 1 : 0;
}

/* Lua code ran, of a metamethod or a finalizer: perhaps it closed the array. */
static inline void still_open(lua_State *L, const struct row *r)
{
    if (!r->a.h.block)
        luaL_error(L, "attempt to use a closed %s", r->o.class->type);
}

/* ---- out of the array --------------------------------------------------------*/

static void push_list(lua_State *L, const struct row *r, uint64_t first,
                      uint64_t count)
{
    lua_Integer n = (lua_Integer)count;

    if (count > INT_MAX)
        luaL_error(L, "too many elements for a table");
    lua_createtable(L, (int)count, 0);
    still_open(L, r);
    switch (r->letter) {
#define X(letter_, type, family)                           \
    case letter_: {                                        \
        const type *at = (const type *)r->a.data + first;  \
        for (lua_Integer i = 0; i < n; still_open(L, r)) { \
            type v; /* relaxed: no order is promised */    \
            __atomic_load(at + i, &v, __ATOMIC_RELAXED);   \
            mpl_push_##family(L, v);                       \
            lua_rawseti(L, -2, ++i);                       \
        }                                                  \
        return;                                            \
    }
        MPR_CODES(X)
#undef X
    }
    for (lua_Integer i = 0; i < n; still_open(L, r)) {
        mpl_push_copy(L, r, mpl_row_at(r, first + (uint64_t)i));
        lua_rawseti(L, -2, ++i);
    }
}

/*** A list of all elements; structs as tables. */
int mpl_array_totable(lua_State *L)
{
    const struct row *r = mpl_self_array(L);

    mpl_check_mapped(L, r);
    push_list(L, r, 0, r->a.count);
    return 1;
}

/*** a:slice([i [, j]]): a list of the elements i to j, which count as
 * string.sub counts. */
int mpl_array_slice(lua_State *L)
{
    const struct row *r = mpl_self_array(L);
    uint64_t count, first = mpl_check_range(L, 2, r, &count);

    push_list(L, r, first, count);
    return 1;
}

/*** The bytes of the elements i to j. */
int mpl_array_tostring(lua_State *L)
{
    const struct row *r = mpl_self_array(L);
    uint64_t count, first = mpl_check_range(L, 2, r, &count);

    lua_pushlstring(L, mpl_row_at(r, first), count * r->a.size);
    return 1;
}

/* ---- into the array ------------------------------------------------------------*/

/* Memory that goes when its function ends, whatever the end. */
struct scratch {
    void *data;
};

static int scratch_gc(lua_State *L)
{
    struct scratch *s = lua_touserdata(L, 1);

    free(s->data);
    s->data = NULL;
    return 0;
}

static struct scratch *push_scratch(lua_State *L, size_t size)
{
    struct scratch *s = lua_newuserdatauv(L, sizeof *s, 0);

    s->data = NULL;
    if (luaL_newmetatable(L, "mp.Scratch")) {
        lua_pushcfunction(L, scratch_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    s->data = malloc(size ? size : 1);
    if (!s->data)
        luaL_error(L, "not enough memory");
    return s;
}

lua_Integer mpl_source_count(lua_State *L, int idx, const struct row *r)
{
    size_t size;

    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        size = lua_rawlen(L, idx);
        if (size % r->a.size)
            luaL_argerror(L, idx,
                          lua_pushfstring(L, "%I bytes are no multiple of %d",
                                          (LUAI_UACINT)size, (int)r->a.size));
        return (lua_Integer)(size / r->a.size);
    case LUA_TTABLE:
        if (!lua_getmetatable(L, idx))
            return (lua_Integer)lua_rawlen(L, idx);
        lua_pop(L, 1);
        return luaL_len(L, idx);
    case LUA_TUSERDATA:
        if (luaL_getmetafield(L, idx, "__len") != LUA_TNIL) {
            lua_pop(L, 1);
            return luaL_len(L, idx);
        }
    }
    return luaL_typeerror(L, idx, "list or string");
}

static void bad_element(lua_State *L, int arg, lua_Integer i)
{
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "element %I: %s", (LUAI_UACINT)i,
                                  lua_tostring(L, -1)));
}

/* Whether the value on the top, of that type, is a number (true or false) of
 * the family, whatever its range. */
static inline bool take_MPR_SIGNED(lua_State *L, int type, union mpr_number *n)
{
    int ok;

    n->i = lua_tointegerx(L, -1, &ok);
    return ok && type == LUA_TNUMBER;
}

static inline bool take_MPR_UNSIGNED(lua_State *L, int type,
                                     union mpr_number *n)
{
    return take_MPR_SIGNED(L, type, n) && n->i >= 0;
}

static inline bool take_MPR_FLOATING(lua_State *L, int type,
                                     union mpr_number *n)
{
    n->d = lua_tonumberx(L, -1, NULL);
    return type == LUA_TNUMBER;
}

static inline bool take_MPR_BOOLEAN(lua_State *L, int type, union mpr_number *n)
{
    n->u = (uint64_t)lua_toboolean(L, -1);
    return type == LUA_TBOOLEAN;
}

static inline bool take_MPR_CHARACTER(lua_State *L, int type,
                                      union mpr_number *n)
{
    (void)L;
    (void)type;
    n->u = 0;
    return false;
}

/* Whether a cell of the type holds n; a float may be too large. */
static inline bool fits_MPR_SIGNED(union mpr_number n, unsigned bits)
{
    return n.i >= INT64_MIN >> (64 - bits) && n.i <= INT64_MAX >> (64 - bits);
}

static inline bool fits_MPR_UNSIGNED(union mpr_number n, unsigned bits)
{
    return n.u <= UINT64_MAX >> (64 - bits);
}

static inline bool fits_MPR_FLOATING(union mpr_number n, unsigned bits)
{
    (void)n;
    return bits == 64;
}

static inline bool fits_MPR_BOOLEAN(union mpr_number n, unsigned bits)
{
    (void)bits;
    return n.u <= 1;
}

static inline bool fits_MPR_CHARACTER(union mpr_number n, unsigned bits)
{
    (void)n;
    (void)bits;
    return false;
}

static int get_plain(lua_State *L, int idx, lua_Integer k)
{
    return lua_rawgeti(L, idx, k);
}

static int get_any(lua_State *L, int idx, lua_Integer k)
{
    return lua_geti(L, idx, k);
}

/* The elements of the list at idx as cells of the array's code; get reads one
 * of them. Values are left on the stack for a while: popping each costs. */
static inline void convert(lua_State *L, int idx, const struct row *r, char *to,
                           lua_Integer count,
                           int (*get)(lua_State *, int, lua_Integer))
{
    enum { KEPT = 64 };
    const int top = lua_gettop(L);
    union mpr_number n;

    luaL_checkstack(L, KEPT + 8, "elements");
    switch (r->letter) {
#define X(letter_, type, family)                                               \
    case letter_:                                                              \
        for (lua_Integer k = 1; k <= count; k++, to += sizeof(type)) {         \
            int t = get(L, idx, k);                                            \
            if (take_##family(L, t, &n) && fits_##family(n, 8 * sizeof(type))) \
                *(type *)(void *)to = (type)n.MPL_OF_##family;                 \
            else if (!mpl_set_element(L, -1, r, to))                           \
                bad_element(L, idx, k);                                        \
            if (k % KEPT == 0)                                                 \
                lua_settop(L, top);                                            \
        }                                                                      \
        break;
        MPR_CODES(X)
#undef X
    }
    lua_settop(L, top);
}

/* Structs are checked whole, then stored in place: a table may name a part of
 * the members. */
static void store_structs(lua_State *L, int idx, struct row *r, uint64_t first,
                          lua_Integer count)
{
    for (int store = 0; store < 2; store++)
        for (lua_Integer k = 1; k <= count; k++) {
            char *at = mpl_row_at(r, first + (uint64_t)k - 1);

            lua_geti(L, idx, k);
            still_open(L, r);
            if (!mpl_set_element(L, -1, r, store ? at : NULL))
                bad_element(L, idx, k);
            lua_pop(L, 1);
        }
}

/* The array at idx if its elements are the same bytes as r's. */
static const struct row *same_array(lua_State *L, int idx, const struct row *r)
{
    const struct mpl_object *o = mpl_object_test(L, mpl_self(L), idx);
    const struct row *from = (const struct row *)(const void *)o;

    if (!o || !mpl_object_is_open(o) ||
        (o->class != &mpl_array_class && o->class != &mpl_raw_array_class))
        return NULL;
    return r->letter && from->letter == r->letter ? from : NULL;
}

/* The count elements of a list, or of what acts like one. */
static void convert_list(lua_State *L, int idx, const struct row *r, char *to,
                         lua_Integer count)
{
    bool plain = lua_istable(L, idx);

    if (plain && lua_getmetatable(L, idx)) {
        lua_pop(L, 1);
        plain = false;
    }
    if (plain)
        convert(L, idx, r, to, count, get_plain);
    else
        convert(L, idx, r, to, count, get_any);
}

void mpl_store_elements(lua_State *L, int idx, struct row *r, uint64_t first,
                        lua_Integer count, bool fresh)
{
    _Alignas(8) char small[1024];
    char *to = mpl_row_at(r, first);
    size_t size = (size_t)count * r->a.size;
    const struct row *from = same_array(L, idx, r);
    struct scratch *s;

    if (lua_type(L, idx) == LUA_TSTRING) {
        memcpy(to, lua_tostring(L, idx), size);
    } else if (from) {
        memmove(to, from->a.data, size);
    } else if (!r->letter) {
        store_structs(L, idx, r, first, count);
    } else if (fresh) {
        convert_list(L, idx, r, to, count);
    } else if (size <= sizeof small) {
        convert_list(L, idx, r, small, count);
        still_open(L, r);
        memcpy(to, small, size);
    } else {
        s = push_scratch(L, size);
        convert_list(L, idx, r, s->data, count);
        still_open(L, r);
        memcpy(to, s->data, size);
        free(s->data);
        s->data = NULL;
        lua_pop(L, 1);
    }
}

/*** a:set(i, list or string): the elements from i on. All are set, or, with
 * one that does not fit, none. */
int mpl_array_set(lua_State *L)
{
    struct row *r = mpl_self_array(L);
    lua_Integer i = luaL_checkinteger(L, 2), size = (lua_Integer)r->a.count;
    lua_Integer count;

    mpl_check_mapped(L, r);
    lua_settop(L, 3);
    if (i < 0)
        i += size + 1;
    luaL_argcheck(L, i >= 1 && i <= size, 2, "index out of range");
    count = mpl_source_count(L, 3, r);
    still_open(L, r);
    if (count > size - i + 1)
        return luaL_argerror(
            L, 3,
            lua_pushfstring(L, "%I elements do not fit from %I to %I",
                            (LUAI_UACINT)count, (LUAI_UACINT)i,
                            (LUAI_UACINT)size));
    if (count > 0)
        mpl_store_elements(L, 3, r, (uint64_t)i - 1, count, false);
    return 0;
}

/*** a:copy(from): all elements of another array, or a list, from 1 on. */
int mpl_array_copy(lua_State *L)
{
    mpl_self_array(L);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 1);
    lua_insert(L, 2);
    return mpl_array_set(L);
}

/*** a:fill(x [, i [, j]]). */
int mpl_array_fill(lua_State *L)
{
    struct row *r = mpl_self_array(L);
    uint64_t count, first = mpl_check_range(L, 3, r, &count);
    char *at = mpl_row_at(r, first);
    union mpr_number n;

    luaL_checkany(L, 2);
    if (!r->letter) {
        if (!mpl_set_element(L, 2, r, NULL))
            return mpl_bad_number(L, 2);
        for (uint64_t i = 0; i < count; i++)
            mpl_set_element(L, 2, r, at + i * r->a.size);
        return 0;
    }
    if (!mpl_to_number(L, 2, r->a.code, &n))
        return mpl_bad_number(L, 2);
    if (count == 0)
        return 0;
    /* One element, doubled until it is all of them. */
    mpr_cell_store(r->a.code, at, n);
    for (uint64_t done = 1; done < count;) {
        uint64_t more = done < count - done ? done : count - done;

        memcpy(at + done * r->a.size, at, more * r->a.size);
        done += more;
    }
    return 0;
}
