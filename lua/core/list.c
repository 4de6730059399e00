/* mp.list: a sequence that all processes share. */

#include "arg.h"
#include "batch.h"
#include "half.h"
#include "receive.h"
#include "tables.h"
#include "value.h"

#include <errno.h>
#include <string.h>

enum { SMALL = 1024 };

static struct mpl_list *check(lua_State *L)
{
    return mpl_checkself(L, &mpl_list_class);
}

/* A change may pass this state's own reservation. */
static mpr_list *check_writer(lua_State *L)
{
    struct mpl_list *ud = check(L);

    if (!ud->l.actor)
        ud->l.actor = mpl_actor(L, mpl_self(L));
    return &ud->l;
}

_Noreturn static void refused(lua_State *L, int err)
{
    mpl_table_refused(L, err, "mp.list");
}

/* ---- reading ----------------------------------------------------------------- */

struct place {
    mpr_list *l;
    uint64_t index;
};

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline_ns)
{
    struct place *p = from;

    (void)max, (void)deadline_ns;
    return mpr_list_get(p->l, p->index, m);
}

static int take(void *from, struct mpr_message *m, uint64_t max,
                int64_t deadline_ns)
{
    struct place *p = from;

    (void)max, (void)deadline_ns;
    return mpr_list_take(p->l, p->index, m);
}

static int push_item(lua_State *L, mpr_list *l, uint64_t index)
{
    uint8_t small[SMALL];
    struct mpr_message m = {.buffer = small, .capacity = SMALL, .fixed = 1};
    struct mpl_state *S = mpl_self(L);
    struct place p = {l, index};
    int r = mpr_list_get(l, index, &m);

    if (r == 0) {
        struct mpl_refs none = {NULL, 0};
        int top = lua_gettop(L);

        if (mpl_decode(L, S, small, (size_t)m.size, &none, MPL_FUNCTIONS) != 1)
            lua_settop(L, top + 1);
        return 1;
    }
    if (r == -E2BIG) {
        if (mpl_object_push_open(L, S, mpr_list_object(l, index)))
            return 1;
        r = mpl_receive(L, S, get, &p, 0, MPL_FUNCTIONS);
    }
    if (r < 0 && r != -ERANGE)
        refused(L, r);
    return r == 0;
}

/* The method that the key names; upvalue 2 has them, some from the Lua half. */
static int push_method(lua_State *L)
{
    lua_settop(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    if (mpl_half(L, "mp.share") == LUA_TNIL) /* loads it */
        return 0;
    lua_pushvalue(L, 2);
    return lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL;
}

/* l[i], or a method */
static int list_index(lua_State *L)
{
    struct mpl_list *ud = check(L);
    lua_Integer i;
    int is_integer;

    if (lua_type(L, 2) == LUA_TNUMBER) {
        i = lua_tointegerx(L, 2, &is_integer);
        return is_integer && i > 0 ? push_item(L, &ud->l, (uint64_t)i) : 0;
    }
    return push_method(L);
}

static int list_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mpr_list_len(&check(L)->l));
    return 1;
}

/* ---- changing one item --------------------------------------------------------- */

typedef int change(mpr_list *l, uint64_t index,
                   const struct mpr_parcel *parcel);

static int do_change(lua_State *L, change *f, uint64_t index, int value)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    int r;

    for (;;) {
        mpl_encode_item(L, value, S, &parcel);
        r = f(check_writer(L), index, &parcel);
        if (r != -EINTR)
            return r;
        mpl_interrupted(L, S);
    }
}

/* l[i] = value: an item that is there, or the next. */
static int list_newindex(lua_State *L)
{
    lua_Integer i;
    int is_integer, r;

    check_writer(L);
    i = lua_tointegerx(L, 2, &is_integer);
    if (!is_integer || lua_type(L, 2) != LUA_TNUMBER)
        return luaL_error(L, "index of a list must be an integer, not %s",
                          lua_type(L, 2) == LUA_TNUMBER
                              ? luaL_tolstring(L, 2, NULL)
                              : luaL_typename(L, 2));
    if (lua_isnil(L, 3))
        return luaL_error(L, "cannot assign nil to an item of a list "
                             "(use 'pop')");
    mpl_share(L, 3, "value");
    r = i < 1 ? -ERANGE : do_change(L, mpr_list_set, (uint64_t)i, 3);
    if (r == -ERANGE)
        return luaL_error(L, "index %I out of range", (LUAI_UACINT)i);
    if (r < 0)
        refused(L, r);
    return 0;
}

/*** l:append(value) */
static int list_append(lua_State *L)
{
    int r;

    check_writer(L);
    luaL_checkany(L, 2);
    mpl_share(L, 2, "value");
    r = do_change(L, mpr_list_insert, 0, 2);
    if (r < 0)
        refused(L, r);
    return 0;
}

/*** l:insert(i, value): before the item that has index i now; l:insert(value):
 * at the end. */
static int list_insert(lua_State *L)
{
    lua_Integer i;
    int r;

    if (lua_gettop(L) == 2)
        return list_append(L);
    check_writer(L);
    i = luaL_checkinteger(L, 2);
    luaL_checkany(L, 3);
    mpl_share(L, 3, "value");
    r = i < 1 ? -ERANGE : do_change(L, mpr_list_insert, (uint64_t)i, 3);
    luaL_argcheck(L, r != -ERANGE, 2, "position out of bounds");
    if (r < 0)
        refused(L, r);
    return 0;
}

/*** l:pop([i]): removes the last item, or the one at i, and returns it; nil from
 * an empty list. */
static int list_pop(lua_State *L)
{
    struct place p = {check_writer(L), 0};
    int r;

    if (!lua_isnoneornil(L, 2)) {
        lua_Integer i = luaL_checkinteger(L, 2);

        luaL_argcheck(L, i >= 1, 2, "position out of bounds");
        p.index = (uint64_t)i;
    }
    r = mpl_receive(L, mpl_self(L), take, &p, 0, MPL_FUNCTIONS);
    if (r == 0)
        return 1;
    if (r != -ERANGE)
        refused(L, r);
    luaL_argcheck(L, p.index == 0 || mpr_list_len(p.l) == 0, 2,
                  "position out of bounds");
    return 0;
}

/* A plain table is equal to nothing: what is in the list are shared ones. */
static bool encode_needle(lua_State *L, int idx, struct mpr_parcel *parcel)
{
    luaL_checkany(L, idx);
    if (lua_type(L, idx) == LUA_TTABLE) {
        if (!lua_getmetatable(L, idx))
            return false;
        lua_pop(L, 1);
    }
    mpl_encode_item(L, idx, mpl_self(L), parcel);
    return true;
}

/*** l:remove(value): removes the first item that is equal, and returns where it
 * was; nil if none is. */
static int list_remove(lua_State *L)
{
    struct mpr_parcel parcel;
    uint64_t index;
    int r = -EINTR;

    check_writer(L);
    while (r == -EINTR) {
        if (!encode_needle(L, 2, &parcel))
            return 0;
        r = mpr_list_remove(check_writer(L), &parcel, &index);
        if (r == -EINTR)
            mpl_interrupted(L, mpl_self(L));
    }
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        refused(L, r);
    lua_pushinteger(L, (lua_Integer)index);
    return 1;
}

/*** l:index(value [, from = 1]): the index of the first item that is equal. */
static int list_find(lua_State *L)
{
    struct mpr_parcel parcel;
    lua_Integer from;
    uint64_t index;

    check(L);
    from = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, from >= 1, 3, "must be positive");
    if (!encode_needle(L, 2, &parcel))
        return 0;
    index = mpr_list_find(&check(L)->l, (uint64_t)from, &parcel);
    if (!index)
        return 0;
    lua_pushinteger(L, (lua_Integer)index);
    return 1;
}

/*** l:count(value): how many items are equal. */
static int list_count(lua_State *L)
{
    struct mpr_parcel parcel;
    uint64_t n = 0;

    check(L);
    if (encode_needle(L, 2, &parcel))
        n = mpr_list_count(&check(L)->l, &parcel);
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* ---- changing many ------------------------------------------------------------------ */

/*** l:extend(t): adds the items of a list, all at once. */
static int list_extend(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const struct mpl_batch *batch;
    lua_Integer n;
    int r;

    check_writer(L);
    if (!luaL_testudata(L, 2, mpl_list_class.name))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    n = luaL_len(L, 2);
    lua_getfield(L, 2, "n"); /* of table.pack */
    if (lua_isinteger(L, 3) && lua_type(L, 2) == LUA_TTABLE)
        n = lua_tointeger(L, 3);
    batch = mpl_batch_push(L, S, 2, n);
    while ((r = mpr_list_extend(check_writer(L), batch->parcels,
                                batch->count)) == -EINTR)
        mpl_interrupted(L, S);
    if (r < 0)
        refused(L, r);
    return 0;
}

/*** l:clear() */
static int list_clear(lua_State *L)
{
    int r;

    while ((r = mpr_list_clear(check_writer(L))) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        refused(L, r);
    return 0;
}

static struct mpl_snapshot *push_snapshot(lua_State *L)
{
    mpr_list *l = &check(L)->l;
    struct mpl_snapshot *shot = mpl_snapshot_push(L);
    int r = mpr_list_snapshot(l, &shot->s);

    if (r < 0)
        refused(L, r);
    return shot;
}

/* values(l) -> a plain list of one instant, how many, its version */
static int list_values(lua_State *L)
{
    const struct mpl_snapshot *shot = push_snapshot(L);
    lua_Integer n = (lua_Integer)shot->s.count;
    lua_Integer version = (lua_Integer)shot->s.version;

    mpl_snapshot_list(L, mpl_self(L), MPL_VALUES);
    lua_pushinteger(L, n);
    lua_pushinteger(L, version);
    return 3;
}

static int list_pairs(lua_State *L)
{
    push_snapshot(L);
    mpl_snapshot_iterator(L);
    return 1;
}

/* arrange(l, version, order, n) -> whether it still was that version */
static int list_arrange(lua_State *L)
{
    lua_Integer version = luaL_checkinteger(L, 2);
    lua_Integer n = luaL_checkinteger(L, 4);
    uint64_t *order;
    int r;

    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_argcheck(L, n >= 0 && (lua_Unsigned)n < SIZE_MAX / sizeof *order, 4,
                  "out of range");
    order = lua_newuserdatauv(L, (size_t)n * sizeof *order, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 3, i + 1);
        order[i] = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    while ((r = mpr_list_arrange(check_writer(L), (uint64_t)version, order,
                                 (uint64_t)n)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0 && r != -ESTALE)
        refused(L, r);
    lua_pushboolean(L, r == 0);
    return 1;
}

static int guard_release(lua_State *L)
{
    mpr_list *l = luaL_checkudata(L, 1, "mp.list reservation");

    if (!l->h.block)
        return 0;
    mpr_list_release(l);
    mpr_handle_close(&l->h);
    return 0;
}

/* reserve(l) -> what keeps others from changing it until it is closed; false
 * when it is reserved. */
static int list_reserve(lua_State *L)
{
    const mpr_list *l = check_writer(L);
    mpr_list *mine = lua_newuserdatauv(L, sizeof *mine, 0);
    int r;

    memset(mine, 0, sizeof *mine);
    if (luaL_newmetatable(L, "mp.list reservation")) {
        lua_pushcfunction(L, guard_release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, guard_release);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    r = mpr_handle_dup(&l->h, &mine->h);
    if (r < 0)
        refused(L, r);
    mine->actor = l->actor;
    if (mpr_list_reserve(mine) == 0)
        return 1;
    mpr_handle_close(&mine->h);
    lua_pushboolean(L, 0);
    return 1;
}

static int list_tostring(lua_State *L)
{
    const struct mpl_list *ud = mpl_checkclosed(L, &mpl_list_class);

    if (mpl_object_is_open(&ud->o))
        return mpl_call_half(L, &mpl_list_class, "mp.show");
    lua_pushfstring(L, "mp.list: %p (closed)", (const void *)ud);
    return 1;
}

/* new([name]) */
static int list_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const char *name = luaL_optstring(L, 1, NULL);
    struct mpl_list *ud = mpl_object_new(L, S, &mpl_list_class);
    int r = mpr_list_create(&ud->l, name);

    if (r < 0)
        refused(L, r);
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

static const luaL_Reg methods[] = {
    {"append", list_append}, {"insert", list_insert}, {"pop", list_pop},
    {"remove", list_remove}, {"index", list_find},    {"count", list_count},
    {"extend", list_extend}, {"clear", list_clear},   {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__newindex", list_newindex}, {"__len", list_len}, {"__pairs", list_pairs},
    {"__tostring", list_tostring}, {NULL, NULL},
};

const struct mpl_class mpl_list_class = {
    .name = "mp.list",
    .type = "list",
    .size = sizeof(struct mpl_list),
    .handle = offsetof(struct mpl_list, l.h),
    .kind = MPR_KIND_LIST,
    .methods = methods,
    .meta = meta,
    .index = list_index,
};

void mpl_open_list(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"new", list_new},
        {"values", list_values},
        {"arrange", list_arrange},
        {"reserve", list_reserve},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_list_class);
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
    /* The table of methods, for those that need no C. */
    luaL_getmetatable(L, mpl_list_class.name);
    lua_getfield(L, -1, "__index");
    lua_getupvalue(L, -1, 2);
    lua_setfield(L, -4, "methods");
    lua_pop(L, 2);
    lua_setfield(L, -2, "list");
}
