/* Shared dicts: indexing, and what mp.dict's functions need of C. Plain tables
 * are turned into shared ones by the Lua half before they come here. */

#include "dict.h"

#include "arg.h"
#include "half.h"
#include "receive.h"
#include "value.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Updates that were beaten so often keep the others out of the key. */
enum { TRIES = 8 };

static struct mpl_dict *check(lua_State *L)
{
    struct mpl_dict *ud = mpl_checkself(L, &mpl_dict_class);

    if (!ud->d.actor)
        ud->d.actor = mpl_actor(L, mpl_self(L));
    return ud;
}

/* The key at idx; false for what can be no key (then a read finds nothing). */
static bool get_key(lua_State *L, int idx, struct mpr_key *key)
{
    size_t size;

    memset(key, 0, sizeof *key);
    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        key->type = MPR_KEY_STRING;
        key->string = lua_tolstring(L, idx, &size);
        key->size = size;
        return true;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) {
            key->type = MPR_KEY_INTEGER;
            key->integer = lua_tointeger(L, idx);
            return true;
        }
        key->type = MPR_KEY_FLOAT;
        key->number = lua_tonumber(L, idx);
        return key->number == key->number;
    case LUA_TBOOLEAN:
        key->type = MPR_KEY_BOOLEAN;
        key->integer = lua_toboolean(L, idx);
        return true;
    }
    return false;
}

static void check_key(lua_State *L, int idx, struct mpr_key *key)
{
    if (get_key(L, idx, key))
        return;
    if (lua_type(L, idx) == LUA_TNUMBER)
        luaL_argerror(L, idx, "key must not be NaN");
    luaL_argerror(L, idx,
                  lua_pushfstring(L,
                                  "key must be a string, number or boolean, "
                                  "not a %s",
                                  luaL_typename(L, idx)));
}

static void push_key(lua_State *L, const struct mpr_key *key)
{
    switch (key->type) {
    case MPR_KEY_STRING:
        lua_pushlstring(L, key->string, (size_t)key->size);
        break;
    case MPR_KEY_INTEGER:
        lua_pushinteger(L, key->integer);
        break;
    case MPR_KEY_FLOAT:
        lua_pushnumber(L, key->number);
        break;
    default:
        lua_pushboolean(L, key->integer != 0);
    }
}

struct place {
    mpr_dict *d;
    const struct mpr_key *key;
};

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline)
{
    struct place *p = from;

    (void)max, (void)deadline;
    return mpr_dict_get(p->d, p->key, m);
}

static int take(void *from, struct mpr_message *m, uint64_t max,
                int64_t deadline)
{
    struct place *p = from;

    (void)max, (void)deadline;
    /* It must not be taken before there is room for it. */
    return m->fixed ? -E2BIG : mpr_dict_take(p->d, p->key, m);
}

/* What a key or a change was refused for. */
static int refused(lua_State *L, int r)
{
    if (r == -EMSGSIZE)
        return luaL_error(L, "key is too long");
    if (r == -EINVAL)
        return luaL_error(L, "no key");
    mpl_raise(L, r, "mp.dict");
    return 0;
}

/* Pushes the value, or nothing: whether there was one. */
static bool push_value(lua_State *L, mpr_dict *d, const struct mpr_key *key)
{
    struct place p = {d, key};
    int r = mpl_receive(L, mpl_self(L), get, &p, 0, MPL_FUNCTIONS);

    if (r == 0)
        return true;
    if (r != -ENOENT && r != -EMSGSIZE)
        refused(L, r);
    return false;
}

/* d[key], also core.dict_get(d, key) -> value | nothing */
static int dict_get(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_key key;

    return get_key(L, 2, &key) && push_value(L, &ud->d, &key);
}

static int set(lua_State *L, mpr_dict *d, const struct mpr_key *key, int idx,
               int64_t expires, int only_new)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    int r;

    do {
        mpl_encode(L, idx, S, MPL_FUNCTIONS, "value");
        mpl_codec_parcel(S, &parcel);
        r = only_new ? mpr_dict_insert(d, key, &parcel, expires)
                     : mpr_dict_set(d, key, &parcel, expires);
        if (r == -EINTR)
            mpl_interrupted(L, S);
    } while (r == -EINTR);
    return r;
}

static void remove_key(lua_State *L, mpr_dict *d, const struct mpr_key *key)
{
    int r;

    while ((r = mpr_dict_remove(d, key)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0 && r != -ENOENT)
        refused(L, r);
}

/* core.dict_set(d, key, value [, seconds]); nil removes. */
static int dict_set(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    int64_t expires = mpl_checktimeout(L, 4);
    struct mpr_key key;
    int r;

    check_key(L, 2, &key);
    if (lua_isnoneornil(L, 3)) {
        remove_key(L, &ud->d, &key);
        return 0;
    }
    r = set(L, &ud->d, &key, 3, expires, 0);
    return r < 0 ? refused(L, r) : 0;
}

/* d[key] = value: a plain table is first shared by the Lua half (upvalue 2). */
static int dict_newindex(lua_State *L)
{
    if (lua_type(L, 3) == LUA_TTABLE) {
        luaL_checkudata(L, 1, mpl_dict_class.name);
        if (mpl_half(L, "mp.share") == LUA_TFUNCTION) {
            lua_pushvalue(L, 3);
            lua_call(L, 1, 1);
            lua_replace(L, 3);
        }
        lua_settop(L, 3);
    }
    return dict_set(L);
}

/* core.dict_insert(d, key, value) -> boolean: it was new */
static int dict_insert(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_key key;
    int r;

    check_key(L, 2, &key);
    r = set(L, &ud->d, &key, 3, MPR_FOREVER, 1);
    if (r < 0 && r != -EEXIST)
        return refused(L, r);
    lua_pushboolean(L, r == 0);
    return 1;
}

/* core.dict_take(d, key) -> value | nothing */
static int dict_take(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_key key;
    struct place p = {&ud->d, &key};
    int r;

    check_key(L, 2, &key);
    r = mpl_receive(L, mpl_self(L), take, &p, 0, MPL_FUNCTIONS);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? refused(L, r) : 1;
}

/* core.dict_pop(d) -> key, value | nothing */
static int dict_pop(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_message *bytes = mpl_message_push(L);
    struct mpr_message *value = mpl_message_push(L);
    struct mpl_refs refs;
    struct mpr_key key;
    int r;

    while ((r = mpr_dict_pop(&ud->d, &key, bytes, value)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return refused(L, r);
    push_key(L, &key);
    refs = (struct mpl_refs){value->refs, value->ref_count};
    return 1 + mpl_decode(L, mpl_self(L), value->bytes, (size_t)value->size,
                          &refs, MPL_FUNCTIONS);
}

static void get_scalar(lua_State *L, int arg, lua_Integer otherwise,
                       struct mpr_scalar *s)
{
    memset(s, 0, sizeof *s);
    if (lua_isnoneornil(L, arg)) {
        s->integer = otherwise;
        return;
    }
    s->is_float = !lua_isinteger(L, arg);
    if (s->is_float)
        s->number = luaL_checknumber(L, arg);
    else
        s->integer = lua_tointeger(L, arg);
}

/* core.dict_incr(d, key, by = 1, init = 0) -> sum */
static int dict_incr(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_scalar by, init, sum;
    struct mpr_key key;
    int r;

    check_key(L, 2, &key);
    get_scalar(L, 3, 1, &by);
    get_scalar(L, 4, 0, &init);
    while ((r = mpr_dict_incr(&ud->d, &key, &by, &init, &sum)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r == -EDOM)
        return luaL_error(L, "attempt to increment a value that is no number");
    if (r < 0)
        return refused(L, r);
    if (sum.is_float)
        lua_pushnumber(L, sum.number);
    else
        lua_pushinteger(L, sum.integer);
    return 1;
}

static int dict_len(lua_State *L)
{
    lua_pushinteger(L, mpr_dict_len(&check(L)->d));
    return 1;
}

static int dict_clear(lua_State *L)
{
    mpr_dict_clear(&check(L)->d);
    return 0;
}

/* ---- update ----------------------------------------------------------------- */

/* Decodes what was got and leaves it as it is, for the comparison later. */
static void push_copy(lua_State *L, const struct mpr_message *was)
{
    struct mpl_refs refs = {NULL, 0};

    if (was->ref_count) {
        refs.refs = lua_newuserdatauv(L, was->ref_count * sizeof *refs.refs, 0);
        for (uint32_t i = 0; i < was->ref_count; i++) {
            if (mpr_handle_dup(&was->refs[i], &refs.refs[i]) < 0)
                mpl_raise(L, -ENOMEM, "mp.dict");
            refs.count++;
        }
    }
    mpl_decode(L, mpl_self(L), was->bytes, (size_t)was->size, &refs,
               MPL_FUNCTIONS);
}

/* One attempt: 0, -ESTALE: others were faster, or -errno. Stack: d, key, f,
 * share, was; leaves the new value on top. */
static int try_update(lua_State *L, mpr_dict *d, const struct mpr_key *key,
                      struct mpr_message *was)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    int r = mpr_dict_get(d, key, was);
    bool there = r == 0;

    if (r < 0 && r != -ENOENT)
        return r;
    lua_settop(L, 5);
    lua_pushvalue(L, 3);
    if (there) {
        int top = lua_gettop(L);

        push_copy(L, was);
        lua_copy(L, -1, top + 1);
        lua_settop(L, top + 1);
    } else {
        lua_pushnil(L);
    }
    lua_call(L, 1, 1);
    if (lua_type(L, -1) == LUA_TTABLE) {
        lua_pushvalue(L, 4);
        lua_insert(L, -2);
        lua_call(L, 1, 1);
    }
    if (lua_isnil(L, -1))
        return mpr_dict_replace(d, key, there ? was : NULL, NULL);
    mpl_encode(L, lua_gettop(L), S, MPL_FUNCTIONS, "value");
    mpl_codec_parcel(S, &parcel);
    return mpr_dict_replace(d, key, there ? was : NULL, &parcel);
}

static int attempts(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_message *was = lua_touserdata(L, 5);
    bool reserved = lua_toboolean(L, lua_upvalueindex(2));
    struct mpr_key key;
    int r = -ESTALE;

    check_key(L, 2, &key);
    for (int i = 0; r == -ESTALE && (reserved || i < TRIES); i++)
        while ((r = try_update(L, &ud->d, &key, was)) == -EINTR)
            mpl_interrupted(L, mpl_self(L));
    if (r == -ESTALE) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (r < 0 && r != -ENOENT)
        return refused(L, r);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, -2);
    return 2;
}

/* core.dict_update(d, key, f, share) -> the new value */
static int dict_update(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_key key;
    int r, status;

    check_key(L, 2, &key);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    luaL_checktype(L, 4, LUA_TFUNCTION);
    lua_settop(L, 4);
    mpl_message_push(L);
    for (int reserved = 0;; reserved = 1) {
        if (reserved) {
            while ((r = mpr_dict_reserve(&ud->d, &key)) == -EINTR)
                mpl_interrupted(L, mpl_self(L));
            if (r < 0)
                return refused(L, r);
        }
        mpl_state_push(L);
        lua_pushboolean(L, reserved);
        lua_pushcclosure(L, attempts, 2);
        for (int i = 1; i <= 5; i++)
            lua_pushvalue(L, i);
        status = lua_pcall(L, 5, LUA_MULTRET, 0);
        if (reserved)
            mpr_dict_release(&ud->d);
        if (status != LUA_OK)
            return lua_error(L);
        if (lua_toboolean(L, 6))
            return lua_gettop(L) - 6;
        lua_settop(L, 5);
    }
}

/* ---- snapshots -------------------------------------------------------------- */

static int snapshot_gc(lua_State *L)
{
    mpr_snapshot_free(lua_touserdata(L, 1));
    return 0;
}

/* core.dict_snapshot(d) -> keys, values, n: as it was at one instant, in the
 * order of insertion. */
static int dict_snapshot(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_snapshot *s = lua_newuserdatauv(L, sizeof *s, 0);
    struct mpr_message *m;
    struct mpr_key key;
    lua_Integer n = 0;
    int r;

    memset(s, 0, sizeof *s);
    if (luaL_newmetatable(L, "mp.Snapshot")) {
        lua_pushcfunction(L, snapshot_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    m = mpl_message_push(L);
    r = mpr_dict_snapshot(&ud->d, s);
    if (r < 0)
        return refused(L, r);
    lua_newtable(L);
    lua_newtable(L);
    while ((r = mpr_snapshot_next(s, &key, m)) == 1) {
        struct mpl_refs refs = {m->refs, m->ref_count};
        int top = lua_gettop(L);

        push_key(L, &key);
        lua_rawseti(L, top - 1, ++n);
        mpl_decode(L, mpl_self(L), m->bytes, (size_t)m->size, &refs,
                   MPL_FUNCTIONS);
        lua_settop(L, top + 1);
        lua_rawseti(L, top, n);
    }
    if (r < 0)
        return refused(L, r);
    lua_pushinteger(L, n);
    return 3;
}

static int dict_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const char *name = luaL_optstring(L, 1, NULL);
    struct mpl_dict *ud;
    int r;

    mpl_open(L);
    ud = mpl_object_new(L, S, &mpl_dict_class);
    r = mpr_dict_create(&ud->d, name);
    if (r < 0)
        mpl_raise(L, r, "mp.dict");
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

/* __len, __pairs, __tostring of the Lua half. */
static int call_half(lua_State *L, const char *name)
{
    luaL_checkudata(L, 1, mpl_dict_class.name);
    if (mpl_half(L, name) != LUA_TFUNCTION)
        return luaL_error(L, "mp.dict is not loaded");
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int len(lua_State *L)
{
    return call_half(L, "mp.dict.border");
}

static int get_pairs(lua_State *L)
{
    return call_half(L, "mp.dict.pairs");
}

static int to_string(lua_State *L)
{
    const struct mpl_dict *ud = mpl_checkclosed(L, &mpl_dict_class);

    if (!mpl_object_is_open(&ud->o)) {
        lua_pushliteral(L, "mp.dict: closed");
        return 1;
    }
    return call_half(L, "mp.dict.tostring");
}

static const luaL_Reg methods[] = {{NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__newindex", dict_newindex}, {"__len", len}, {"__pairs", get_pairs},
    {"__tostring", to_string},     {NULL, NULL},
};

const struct mpl_class mpl_dict_class = {
    .name = "mp.dict",
    .type = "dict",
    .size = sizeof(struct mpl_dict),
    .handle = offsetof(struct mpl_dict, d.h),
    .kind = MPR_KIND_DICT,
    .methods = methods,
    .meta = meta,
};

void mpl_open_dict(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"dict_new", dict_new},           {"dict_get", dict_get},
        {"dict_set", dict_set},           {"dict_insert", dict_insert},
        {"dict_take", dict_take},         {"dict_pop", dict_pop},
        {"dict_incr", dict_incr},         {"dict_len", dict_len},
        {"dict_clear", dict_clear},       {"dict_update", dict_update},
        {"dict_snapshot", dict_snapshot}, {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_dict_class);
    luaL_getmetatable(L, mpl_dict_class.name);
    mpl_state_push(L);
    lua_pushcclosure(L, dict_get, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
