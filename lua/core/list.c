/* Shared lists: indexing, and what lua/mp/list.lua needs of C. Plain tables are
 * turned into shared ones by the Lua half before they come here. */

#include "list.h"

#include "arg.h"
#include "half.h"
#include "receive.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct mpl_list *check(lua_State *L)
{
    struct mpl_list *ud = mpl_checkself(L, &mpl_list_class);

    if (!ud->l.actor)
        ud->l.actor = mpl_actor(L, mpl_self(L));
    return ud;
}

static int refused(lua_State *L, int r)
{
    if (r == -ERANGE)
        return luaL_error(L, "list index out of range");
    mpl_raise(L, r, "mp.list");
    return 0;
}

struct place {
    mpr_list *l;
    uint64_t index;
};

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline)
{
    struct place *p = from;

    (void)max, (void)deadline;
    return mpr_list_get(p->l, p->index, m);
}

static int take(void *from, struct mpr_message *m, uint64_t max,
                int64_t deadline)
{
    struct place *p = from;

    (void)max, (void)deadline;
    return m->fixed ? -E2BIG : mpr_list_take(p->l, p->index, m);
}

/* l[i]: the item, nil outside; l.name: a method (upvalue 2). */
static int list_index(lua_State *L)
{
    struct mpl_list *ud = check(L);
    int is_integer;
    lua_Integer i = lua_tointegerx(L, 2, &is_integer);
    struct place p = {&ud->l, (uint64_t)i};
    int r;

    if (lua_type(L, 2) != LUA_TNUMBER) {
        if (mpl_half(L, "mp.list.methods") != LUA_TTABLE)
            return 0;
        lua_pushvalue(L, 2);
        lua_rawget(L, -2);
        return 1;
    }
    if (!is_integer || i < 1)
        return 0;
    r = mpl_receive(L, mpl_self(L), get, &p, 0, MPL_FUNCTIONS);
    if (r == -ERANGE)
        return 0;
    return r < 0 ? refused(L, r) : 1;
}

static void parcel_of(lua_State *L, int idx, struct mpr_parcel *parcel)
{
    mpl_encode(L, idx, mpl_self(L), MPL_FUNCTIONS, "value");
    mpl_codec_parcel(mpl_self(L), parcel);
}

static int list_set(lua_State *L)
{
    struct mpl_list *ud = check(L);
    lua_Integer i = luaL_checkinteger(L, 2);
    struct mpr_parcel parcel;
    int r;

    luaL_argcheck(L, i >= 1, 2, "list index out of range");
    do {
        parcel_of(L, 3, &parcel);
        r = mpr_list_set(&ud->l, (uint64_t)i, &parcel);
        if (r == -EINTR)
            mpl_interrupted(L, mpl_self(L));
    } while (r == -EINTR);
    return r < 0 ? refused(L, r) : 0;
}

/* l[i] = value: a plain table is first shared by the Lua half. */
static int list_newindex(lua_State *L)
{
    check(L);
    if (lua_type(L, 2) != LUA_TNUMBER)
        return luaL_error(L, "list index must be an integer, not a %s",
                          luaL_typename(L, 2));
    if (lua_type(L, 3) == LUA_TTABLE &&
        mpl_half(L, "mp.share") == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, 1, 1);
        lua_replace(L, 3);
    }
    lua_settop(L, 3);
    return list_set(L);
}

/* core.list_insert(l, index, value): before index; 0: at the end */
static int list_insert(lua_State *L)
{
    struct mpl_list *ud = check(L);
    lua_Integer i = luaL_checkinteger(L, 2);
    struct mpr_parcel parcel;
    int r;

    luaL_argcheck(L, i >= 0, 2, "list index out of range");
    luaL_checkany(L, 3);
    do {
        parcel_of(L, 3, &parcel);
        r = mpr_list_insert(&ud->l, (uint64_t)i, &parcel);
        if (r == -EINTR)
            mpl_interrupted(L, mpl_self(L));
    } while (r == -EINTR);
    return r < 0 ? refused(L, r) : 0;
}

/* core.list_take(l, index) -> value | nothing; 0: the last */
static int list_take(lua_State *L)
{
    struct mpl_list *ud = check(L);
    lua_Integer i = luaL_checkinteger(L, 2);
    struct place p = {&ud->l, (uint64_t)i};
    int r;

    luaL_argcheck(L, i >= 0, 2, "list index out of range");
    r = mpl_receive(L, mpl_self(L), take, &p, 0, MPL_FUNCTIONS);
    if (r == -ERANGE)
        return 0;
    return r < 0 ? refused(L, r) : 1;
}

/* core.list_remove(l, value) -> boolean */
static int list_remove(lua_State *L)
{
    struct mpl_list *ud = check(L);
    struct mpr_parcel parcel;
    uint64_t index;
    int r;

    do {
        parcel_of(L, 2, &parcel);
        r = mpr_list_remove(&ud->l, &parcel, &index);
        if (r == -EINTR)
            mpl_interrupted(L, mpl_self(L));
    } while (r == -EINTR);
    if (r < 0 && r != -ENOENT)
        return refused(L, r);
    lua_pushboolean(L, r >= 0);
    return 1;
}

/* core.list_find(l, index, value) -> index or 0 */
static int list_find(lua_State *L)
{
    struct mpl_list *ud = check(L);
    lua_Integer i = luaL_checkinteger(L, 2);
    struct mpr_parcel parcel;

    luaL_argcheck(L, i >= 1, 2, "list index out of range");
    parcel_of(L, 3, &parcel);
    lua_pushinteger(L,
                    (lua_Integer)mpr_list_find(&ud->l, (uint64_t)i, &parcel));
    return 1;
}

static int list_count(lua_State *L)
{
    struct mpl_list *ud = check(L);
    struct mpr_parcel parcel;

    parcel_of(L, 2, &parcel);
    lua_pushinteger(L, (lua_Integer)mpr_list_count(&ud->l, &parcel));
    return 1;
}

static int list_clear(lua_State *L)
{
    struct mpl_list *ud = check(L);
    int r;

    while ((r = mpr_list_clear(&ud->l)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    return r < 0 ? refused(L, r) : 0;
}

static int list_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mpr_list_len(&check(L)->l));
    return 1;
}

static int snapshot_gc(lua_State *L)
{
    mpr_snapshot_free(lua_touserdata(L, 1));
    return 0;
}

/* core.list_snapshot(l) -> items, n, version: as it was at one instant */
static int list_snapshot(lua_State *L)
{
    struct mpl_list *ud = check(L);
    struct mpr_snapshot *s = lua_newuserdatauv(L, sizeof *s, 0);
    struct mpr_message *m;
    lua_Integer n = 0;
    int r;

    memset(s, 0, sizeof *s);
    if (luaL_newmetatable(L, "mp.Snapshot")) {
        lua_pushcfunction(L, snapshot_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    m = mpl_message_push(L);
    r = mpr_list_snapshot(&ud->l, s);
    if (r < 0)
        return refused(L, r);
    lua_newtable(L);
    while ((r = mpr_snapshot_next(s, NULL, m)) == 1) {
        struct mpl_refs refs = {m->refs, m->ref_count};
        int top = lua_gettop(L);

        mpl_decode(L, mpl_self(L), m->bytes, (size_t)m->size, &refs,
                   MPL_FUNCTIONS);
        lua_settop(L, top + 1);
        lua_rawseti(L, top, ++n);
    }
    if (r < 0)
        return refused(L, r);
    lua_pushinteger(L, n);
    lua_pushinteger(L, (lua_Integer)s->version);
    return 3;
}

/* core.list_arrange(l, version, order, n) -> boolean: it was still so */
static int list_arrange(lua_State *L)
{
    struct mpl_list *ud = check(L);
    uint64_t version = (uint64_t)luaL_checkinteger(L, 2);
    lua_Integer n = luaL_checkinteger(L, 4);
    uint64_t *order;
    int r;

    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_argcheck(L, n >= 0, 4, "must not be negative");
    order = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *order, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 3, i + 1);
        order[i] = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    while ((r = mpr_list_arrange(&ud->l, version, order, (uint64_t)n)) ==
           -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0 && r != -ESTALE)
        return refused(L, r);
    lua_pushboolean(L, r >= 0);
    return 1;
}

/* core.list_reserve(l), core.list_release(l): nobody else changes it between. */
static int list_reserve(lua_State *L)
{
    struct mpl_list *ud = check(L);
    int r;

    while ((r = mpr_list_reserve(&ud->l)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    return r < 0 ? refused(L, r) : 0;
}

static int list_release(lua_State *L)
{
    mpr_list_release(&check(L)->l);
    return 0;
}

static int list_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const char *name = luaL_optstring(L, 1, NULL);
    struct mpl_list *ud;
    int r;

    mpl_open(L);
    ud = mpl_object_new(L, S, &mpl_list_class);
    r = mpr_list_create(&ud->l, name);
    if (r < 0)
        mpl_raise(L, r, "mp.list");
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

static int to_string(lua_State *L)
{
    const struct mpl_list *ud = mpl_checkclosed(L, &mpl_list_class);

    if (!mpl_object_is_open(&ud->o)) {
        lua_pushliteral(L, "mp.list: closed");
        return 1;
    }
    mpl_half(L, "mp.list.tostring");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static const luaL_Reg methods[] = {{NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__newindex", list_newindex},
    {"__len", list_len},
    {"__tostring", to_string},
    {NULL, NULL},
};

const struct mpl_class mpl_list_class = {
    .name = "mp.list",
    .type = "list",
    .size = sizeof(struct mpl_list),
    .handle = offsetof(struct mpl_list, l.h),
    .kind = MPR_KIND_LIST,
    .methods = methods,
    .meta = meta,
};

void mpl_open_list(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"list_new", list_new},
        {"list_set", list_set},
        {"list_insert", list_insert},
        {"list_take", list_take},
        {"list_remove", list_remove},
        {"list_find", list_find},
        {"list_count", list_count},
        {"list_clear", list_clear},
        {"list_snapshot", list_snapshot},
        {"list_arrange", list_arrange},
        {"list_reserve", list_reserve},
        {"list_release", list_release},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_list_class);
    luaL_getmetatable(L, mpl_list_class.name);
    mpl_state_push(L);
    lua_pushcclosure(L, list_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
