/* Structs in place: `a[i]`, `v.value` and members that are structs or rows
 * themselves are views, small userdata that know where the memory is and keep
 * the Value or Array alive. And what an element of any format is in Lua: one
 * function reads it as a copy, one checks and stores it. */

#include "arg.h"
#include "row.h"

#include <string.h>

/* What lies at an address: one cell or struct, or a row of so many. */
struct shape {
    const struct mpr_code *code;     /* or */
    const struct mpr_layout *layout; /* valid while the row is open */
    uint32_t count;                  /* 0: no row */
};

struct view {
    const void *magic;
    const struct row *row; /* user value 1 */
    char *at;
    struct shape shape;
};

#define VIEW "mp.View"
static const char magic;

static struct shape shape_of(const struct row *r)
{
    return (struct shape){.code = r->a.code, .layout = r->a.layout};
}

static struct shape shape_of_member(const struct mpr_layout *l,
                                    const struct mpr_member *m)
{
    return (struct shape){
        .code = m->layout ? NULL : mpr_code((int)m->code),
        .layout = mpr_member_layout(l, m),
        .count = m->count,
    };
}

static uint32_t size_of(const struct shape *s)
{
    return s->code ? s->code->size : s->layout->size;
}

/* A row of bytes is text: up to its first zero. */
static bool is_text(const struct shape *s)
{
    return s->count && s->code && s->code->letter == 'c';
}

static void push_text(lua_State *L, const char *at, uint32_t count)
{
    const char *end = memchr(at, 0, count);

    lua_pushlstring(L, at, end ? (size_t)(end - at) : count);
}

/* ---- reading ----------------------------------------------------------------*/

/* row: where the row's userdata is on the stack. */
static void push_place(lua_State *L, int row, const struct row *r,
                       const struct shape *s, char *at)
{
    struct view *v;

    if (is_text(s)) {
        push_text(L, at, s->count);
        return;
    }
    if (s->code && !s->count) {
        mpl_cell_push(L, s->code->letter, at);
        return;
    }
    row = lua_absindex(L, row);
    v = lua_newuserdatauv(L, sizeof *v, 1);
    *v = (struct view){.magic = &magic, .row = r, .at = at, .shape = *s};
    luaL_setmetatable(L, VIEW);
    lua_pushvalue(L, row);
    lua_setiuservalue(L, -2, 1);
}

void mpl_push_element(lua_State *L, int row, const struct row *r, char *at)
{
    struct shape s = shape_of(r);

    push_place(L, row, r, &s, at);
}

static void push_copy(lua_State *L, const struct shape *s, const char *at)
{
    luaL_checkstack(L, 4, "nested structs");
    if (is_text(s)) {
        push_text(L, at, s->count);
    } else if (s->count) {
        struct shape one = {.code = s->code, .layout = s->layout};

        lua_createtable(L, (int)s->count, 0);
        for (uint32_t i = 0; i < s->count; i++) {
            push_copy(L, &one, at + (size_t)i * size_of(&one));
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
    } else if (s->code) {
        mpl_cell_push(L, s->code->letter, at);
    } else {
        lua_createtable(L, 0, (int)s->layout->count);
        for (uint32_t i = 0; i < s->layout->count; i++) {
            const struct mpr_member *m = &s->layout->member[i];
            struct shape member = shape_of_member(s->layout, m);

            lua_pushlstring(L, mpr_member_name(s->layout, m), m->name_size);
            push_copy(L, &member, at + m->at);
            lua_rawset(L, -3);
        }
    }
}

void mpl_push_copy(lua_State *L, const struct row *r, const char *at)
{
    struct shape s = shape_of(r);

    push_copy(L, &s, at);
}

/* ---- writing ----------------------------------------------------------------*/

static bool put(lua_State *L, int idx, const struct shape *s, char *at);

/* The view at idx if it shows the same thing as s. */
static const struct view *same_view(lua_State *L, int idx,
                                    const struct shape *s)
{
    const struct view *v = lua_touserdata(L, idx);

    if (lua_type(L, idx) != LUA_TUSERDATA || lua_rawlen(L, idx) != sizeof *v ||
        v->magic != &magic || !v->row->a.h.block ||
        v->shape.count != s->count || v->shape.code != s->code)
        return NULL;
    if (s->layout && v->shape.layout != s->layout &&
        (v->shape.layout->bytes != s->layout->bytes ||
         memcmp(v->shape.layout, s->layout, s->layout->bytes) != 0))
        return NULL;
    return v;
}

/* Puts what has the fault before the words on the top: "number expected, got
 * nil" becomes "member 'x': number expected, got nil". */
static bool within(lua_State *L)
{
    lua_insert(L, -2);
    lua_concat(L, 2);
    return false;
}

static bool put_text(lua_State *L, int idx, uint32_t count, char *at)
{
    const char *text;
    size_t size;

    if (lua_type(L, idx) != LUA_TSTRING) {
        lua_pushfstring(L, "string expected, got %s", luaL_typename(L, idx));
        return false;
    }
    text = lua_tolstring(L, idx, &size);
    if (size > count) {
        lua_pushfstring(L, "string of %I bytes is longer than %d",
                        (LUAI_UACINT)size, (int)count);
        return false;
    }
    if (at) {
        memcpy(at, text, size);
        memset(at + size, 0, count - size);
    }
    return true;
}

static bool put_row(lua_State *L, int idx, const struct shape *s, char *at)
{
    struct shape one = {.code = s->code, .layout = s->layout};
    uint32_t size = size_of(&one);

    if (!lua_istable(L, idx) || lua_rawlen(L, idx) != s->count) {
        lua_pushfstring(L, "list of %d expected", (int)s->count);
        return false;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        lua_rawgeti(L, idx, (lua_Integer)i + 1);
        if (!put(L, lua_gettop(L), &one, at ? at + (size_t)i * size : NULL)) {
            lua_pushfstring(L, "element %d: ", (int)i + 1);
            return within(L);
        }
        lua_pop(L, 1);
    }
    return true;
}

static bool put_member(lua_State *L, const struct mpr_layout *l,
                       const struct mpr_member *m, char *at)
{
    struct shape s = shape_of_member(l, m);

    if (put(L, lua_gettop(L), &s, at ? at + m->at : NULL))
        return true;
    lua_pushfstring(L, "member '%s': ", mpr_member_name(l, m));
    return within(L);
}

/* {1, 2}: members by position; {x = 1}: by name, the others stay. */
static bool put_struct(lua_State *L, int idx, const struct mpr_layout *l,
                       char *at)
{
    size_t n;

    if (!lua_istable(L, idx)) {
        lua_pushfstring(L, "table expected, got %s", luaL_typename(L, idx));
        return false;
    }
    n = (size_t)lua_rawlen(L, idx);
    if (n > l->count) {
        lua_pushfstring(L, "more than %d members", (int)l->count);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        lua_rawgeti(L, idx, (lua_Integer)i + 1);
        if (!put_member(L, l, &l->member[i], at))
            return false;
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        const struct mpr_member *m = NULL;

        if (lua_type(L, -2) == LUA_TSTRING) {
            size_t size;
            const char *name = lua_tolstring(L, -2, &size);

            m = mpr_layout_find(l, name, size);
        } else if (n && lua_isinteger(L, -2)) {
            lua_pop(L, 1);
            continue;
        }
        if (!m) {
            lua_pushfstring(L, "no member '%s' in Struct",
                            luaL_tolstring(L, -2, NULL));
            return false;
        }
        if (!put_member(L, l, m, at))
            return false;
        lua_pop(L, 1);
    }
    return true;
}

/* Checks the value at idx (absolute) for the shape, and with at not NULL stores
 * it; false, with what is wrong on the top (and more below it). */
static bool put(lua_State *L, int idx, const struct shape *s, char *at)
{
    const struct view *v = s->count || s->layout ? same_view(L, idx, s) : NULL;
    union mpr_number n;

    luaL_checkstack(L, 8, "nested structs");
    if (v) {
        if (at)
            memmove(at, v->at, (size_t)size_of(s) * (s->count ? s->count : 1));
        return true;
    }
    if (is_text(s))
        return put_text(L, idx, s->count, at);
    if (s->count)
        return put_row(L, idx, s, at);
    if (s->layout)
        return put_struct(L, idx, s->layout, at);
    if (!mpl_to_number(L, idx, s->code, &n))
        return false;
    if (at)
        mpr_cell_store(s->code, at, n);
    return true;
}

bool mpl_set_element(lua_State *L, int idx, const struct row *r, char *at)
{
    struct shape s = shape_of(r);

    return put(L, lua_absindex(L, idx), &s, at);
}

static void assign(lua_State *L, int idx, const struct shape *s, char *at)
{
    idx = lua_absindex(L, idx);
    if (!put(L, idx, s, NULL))
        luaL_error(L, "%s", lua_tostring(L, -1));
    put(L, idx, s, at);
}

void mpl_assign_element(lua_State *L, int idx, const struct row *r, char *at)
{
    struct shape s = shape_of(r);

    assign(L, idx, &s, at);
}

/* ---- the userdata --------------------------------------------------------------*/

static const struct view *self(lua_State *L)
{
    const struct view *v = lua_touserdata(L, 1);

    if (!v || lua_type(L, 1) != LUA_TUSERDATA ||
        lua_rawlen(L, 1) != sizeof *v || v->magic != &magic)
        v = luaL_checkudata(L, 1, VIEW);
    if (!v->row->a.h.block)
        luaL_error(L, "attempt to use a closed %s", v->row->o.class->type);
    return v;
}

/* The shape and address of what the key at index 2 names; NULL: nothing. */
static char *find(lua_State *L, const struct view *v, struct shape *s)
{
    const struct mpr_member *m = NULL;
    lua_Integer i;
    size_t size;
    const char *name;

    if (v->shape.count) {
        if (lua_type(L, 2) != LUA_TNUMBER)
            return NULL;
        i = lua_tointeger(L, 2);
        if (i < 1 || i > v->shape.count)
            return NULL;
        *s = (struct shape){.code = v->shape.code, .layout = v->shape.layout};
        return v->at + (size_t)(i - 1) * size_of(s);
    }
    if (lua_type(L, 2) == LUA_TSTRING) {
        name = lua_tolstring(L, 2, &size);
        m = mpr_layout_find(v->shape.layout, name, size);
    }
    if (!m)
        return NULL;
    *s = shape_of_member(v->shape.layout, m);
    return v->at + m->at;
}

static void push_at(lua_State *L, const struct view *v, const struct shape *s,
                    char *at)
{
    lua_getiuservalue(L, 1, 1);
    push_place(L, -1, v->row, s, at);
}

static int view_index(lua_State *L)
{
    const struct view *v = self(L);
    struct shape s;
    char *at = find(L, v, &s);

    if (!at)
        return 0;
    push_at(L, v, &s, at);
    return 1;
}

static int view_newindex(lua_State *L)
{
    const struct view *v = self(L);
    struct shape s;
    char *at = find(L, v, &s);

    if (!at && v->shape.count)
        return luaL_error(L, "index %s out of range (1 to %d)",
                          luaL_tolstring(L, 2, NULL), (int)v->shape.count);
    if (!at)
        return luaL_error(L, "no member '%s' in Struct",
                          luaL_tolstring(L, 2, NULL));
    assign(L, 3, &s, at);
    return 0;
}

static int view_len(lua_State *L)
{
    const struct view *v = self(L);

    if (!v->shape.count)
        return luaL_error(L, "attempt to get length of a struct");
    lua_pushinteger(L, v->shape.count);
    return 1;
}

/* The next member or element; upvalue 2 counts. */
static int next_member(lua_State *L)
{
    const struct view *v = self(L);
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    uint32_t end = v->shape.count ? v->shape.count : v->shape.layout->count;
    struct shape s;
    char *at;

    if (i >= end)
        return 0;
    lua_pushinteger(L, i + 1);
    lua_replace(L, lua_upvalueindex(2));
    lua_settop(L, 1);
    if (v->shape.count) {
        lua_pushinteger(L, i + 1);
    } else {
        const struct mpr_member *m = &v->shape.layout->member[i];

        lua_pushlstring(L, mpr_member_name(v->shape.layout, m), m->name_size);
    }
    at = find(L, v, &s);
    if (!at)
        return 0;
    push_at(L, v, &s, at);
    lua_remove(L, -2);
    return 2;
}

static int view_pairs(lua_State *L)
{
    self(L);
    mpl_state_push(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_member, 2);
    lua_pushvalue(L, 1);
    return 2;
}

static int view_tostring(lua_State *L)
{
    const struct view *v = luaL_checkudata(L, 1, VIEW);

    if (!v->row->a.h.block)
        lua_pushfstring(L, VIEW ": %p (closed)", (const void *)v);
    else if (v->shape.count)
        lua_pushfstring(L, VIEW ": %p (%d elements)", (const void *)v,
                        (int)v->shape.count);
    else
        lua_pushfstring(L, VIEW ": %p (%d members)", (const void *)v,
                        (int)v->shape.layout->count);
    return 1;
}

void mpl_open_view(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__index", view_index},       {"__newindex", view_newindex},
        {"__len", view_len},           {"__pairs", view_pairs},
        {"__tostring", view_tostring}, {NULL, NULL},
    };

    luaL_newmetatable(L, VIEW);
    mpl_state_push(L);
    luaL_setfuncs(L, meta, 1);
    lua_pushliteral(L, VIEW);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
