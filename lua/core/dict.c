/* mp.dict: a table that all processes share. Indexing, and the functions of
 * the module that are one step of the runtime. */

#include "arg.h"
#include "receive.h"
#include "tables.h"
#include "value.h"

#include <errno.h>
#include <string.h>

enum { SMALL = 1024 };

static struct mpl_dict *check(lua_State *L)
{
    return mpl_checkself(L, &mpl_dict_class);
}

/* A change may pass this state's own reservation. */
static mpr_dict *check_writer(lua_State *L)
{
    struct mpl_dict *ud = check(L);

    if (!ud->d.actor)
        ud->d.actor = mpl_actor(L, mpl_self(L));
    return &ud->d;
}

_Noreturn static void refused(lua_State *L, int err)
{
    mpl_table_refused(L, err, "mp.dict");
}

/* ---- reading ----------------------------------------------------------------- */

struct place {
    mpr_dict *d;
    const struct mpr_key *key;
};

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline_ns)
{
    struct place *p = from;

    (void)max, (void)deadline_ns;
    return mpr_dict_get(p->d, p->key, m);
}

static int take(void *from, struct mpr_message *m, uint64_t max,
                int64_t deadline_ns)
{
    struct place *p = from;

    (void)max, (void)deadline_ns;
    return mpr_dict_take(p->d, p->key, m);
}

/* Pushes the value, or nothing if there is none: whether there was one. */
static bool push_value(lua_State *L, mpr_dict *d, const struct mpr_key *key)
{
    uint8_t small[SMALL];
    struct mpr_message m = {.buffer = small, .capacity = SMALL, .fixed = 1};
    struct mpl_state *S = mpl_self(L);
    struct place p = {d, key};
    int r = mpr_dict_get(d, key, &m);

    if (r == 0) {
        struct mpl_refs none = {NULL, 0};
        int top = lua_gettop(L);

        if (mpl_decode(L, S, small, (size_t)m.size, &none, MPL_FUNCTIONS) != 1)
            lua_settop(L, top + 1);
        return true;
    }
    if (r == -E2BIG) {
        if (mpl_object_push_open(L, S, mpr_dict_object(d, key)))
            return true;
        r = mpl_receive(L, S, get, &p, 0, MPL_FUNCTIONS);
    }
    if (r < 0 && r != -ENOENT && r != -EMSGSIZE)
        refused(L, r);
    return r == 0;
}

/* d[key] */
static int dict_index(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_key key;

    return mpl_get_key(L, 2, &key) && push_value(L, &ud->d, &key);
}

/*** mp.dict.get(d, key [, default]) */
static int dict_get(lua_State *L)
{
    struct mpl_dict *ud = check(L);
    struct mpr_key key;

    lua_settop(L, 3);
    mpl_check_key(L, 2, &key);
    push_value(L, &ud->d, &key); /* or the default is on top */
    return 1;
}

/*** mp.dict.len(d): how many keys there are. */
static int dict_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mpr_dict_len(&check(L)->d));
    return 1;
}

/* #d: a border, as of a table: n such that d[n] is there and d[n + 1] is not;
 * 0 if d[1] is not. */
static int dict_border(lua_State *L)
{
    mpr_dict *d = &check(L)->d;
    struct mpr_key key = {.type = MPR_KEY_INTEGER};
    int64_t n = 0, step = 1;

    for (;; n += step, step *= 2) {
        key.integer = n + step;
        if (!mpr_dict_has(d, &key))
            break;
    }
    while (step > 1) {
        step /= 2;
        key.integer = n + step;
        if (mpr_dict_has(d, &key))
            n += step;
    }
    lua_pushinteger(L, n);
    return 1;
}

/* ---- changing ------------------------------------------------------------------ */

/* What is stored is at index value; nil removes. */
static int set(lua_State *L, int value, int64_t expires, bool only_new)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    struct mpr_key key;
    int r;

    for (;;) {
        mpr_dict *d;

        if (!lua_isnil(L, value))
            mpl_encode_item(L, value, S, &parcel);
        d = check_writer(L); /* a hook of the value may have closed it */
        mpl_check_key(L, 2, &key);
        if (lua_isnil(L, value))
            r = mpr_dict_remove(d, &key);
        else if (only_new)
            r = mpr_dict_insert(d, &key, &parcel, expires);
        else
            r = mpr_dict_set(d, &key, &parcel, expires);
        if (r != -EINTR)
            return r;
        mpl_interrupted(L, S);
    }
}

/* d[key] = value */
static int dict_newindex(lua_State *L)
{
    struct mpr_key key;
    int r;

    check_writer(L);
    mpl_check_key(L, 2, &key);
    mpl_share(L, 3, "value");
    r = set(L, 3, MPR_FOREVER, false);
    if (r < 0 && r != -ENOENT)
        refused(L, r);
    return 0;
}

/*** mp.dict.set(d, key, value [, ttl]): with ttl, the value counts as absent
 * after so many seconds. */
static int dict_set(lua_State *L)
{
    int64_t expires = mpl_checktimeout(L, 4);
    struct mpr_key key;
    int r;

    check_writer(L);
    mpl_check_key(L, 2, &key);
    luaL_checkany(L, 3);
    mpl_share(L, 3, "value");
    r = set(L, 3, expires, false);
    if (r < 0 && r != -ENOENT)
        refused(L, r);
    return 0;
}

/*** mp.dict.setdefault(d, key, default): the value of key, which is default
 * from now on if there was none. */
static int dict_setdefault(lua_State *L)
{
    struct mpr_key key;
    int r;

    lua_settop(L, 3);
    mpl_check_key(L, 2, &key);
    for (;;) {
        if (push_value(L, check_writer(L), &key) || lua_isnil(L, 3))
            return 1;
        mpl_share(L, 3, "value");
        r = set(L, 3, MPR_FOREVER, true);
        if (r == 0)
            return 1; /* the default itself */
        if (r != -EEXIST)
            refused(L, r);
    }
}

/*** mp.dict.pop(d, key [, default]): removes key and returns its value. */
static int dict_pop(lua_State *L)
{
    struct mpr_key key;
    struct place p = {check_writer(L), &key};
    int r;

    lua_settop(L, 3);
    mpl_check_key(L, 2, &key);
    r = mpl_receive(L, mpl_self(L), take, &p, 0, MPL_FUNCTIONS);
    if (r < 0 && r != -ENOENT)
        refused(L, r);
    return 1;
}

/*** mp.dict.popitem(d): removes a pair and returns key and value; nothing from
 * an empty dict. */
static int dict_popitem(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    mpr_dict *d = check_writer(L);
    struct mpr_message *bytes = mpl_message_push(L);
    struct mpr_message *m = mpl_message_push(L);
    struct mpl_refs refs;
    struct mpr_key key;
    int top, r;

    while ((r = mpr_dict_pop(d, &key, bytes, m)) == -EINTR) {
        mpl_interrupted(L, S);
        check(L);
    }
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        refused(L, r);
    mpl_push_key(L, &key);
    top = lua_gettop(L);
    refs = (struct mpl_refs){m->refs, m->ref_count};
    mpl_decode(L, S, m->bytes, (size_t)m->size, &refs, MPL_FUNCTIONS);
    lua_settop(L, top + 1);
    return 2;
}

static struct mpr_scalar check_scalar(lua_State *L, int arg, int64_t otherwise)
{
    struct mpr_scalar s = {.integer = otherwise};

    if (lua_isnoneornil(L, arg))
        return s;
    luaL_checktype(L, arg, LUA_TNUMBER);
    s.is_float = !lua_isinteger(L, arg);
    if (s.is_float)
        s.number = lua_tonumber(L, arg);
    else
        s.integer = lua_tointeger(L, arg);
    return s;
}

/*** mp.dict.incr(d, key [, n = 1 [, init = 0]]): adds n to the number at key, or
 * to init if there is none, and returns the sum. */
static int dict_incr(lua_State *L)
{
    mpr_dict *d = check_writer(L);
    struct mpr_scalar by, init, sum;
    struct mpr_key key;
    int r;

    mpl_check_key(L, 2, &key);
    by = check_scalar(L, 3, 1);
    init = check_scalar(L, 4, 0);
    while ((r = mpr_dict_incr(d, &key, &by, &init, &sum)) == -EINTR) {
        mpl_interrupted(L, mpl_self(L));
        check(L);
    }
    if (r == -EDOM)
        return luaL_error(L, "attempt to increment a value that is no number");
    if (r < 0)
        refused(L, r);
    if (sum.is_float)
        lua_pushnumber(L, sum.number);
    else
        lua_pushinteger(L, sum.integer);
    return 1;
}

/*** mp.dict.clear(d) */
static int dict_clear(lua_State *L)
{
    mpr_dict_clear(&check(L)->d);
    return 0;
}

/* ---- updating --------------------------------------------------------------------- */

/* fetch(d, key) -> value, token: what replace compares with; nothing if there
 * is none. */
static int dict_fetch(lua_State *L)
{
    mpr_dict *d = &check(L)->d;
    struct mpr_message *m = mpl_message_push(L);
    struct mpr_key key;
    int r;

    mpl_check_key(L, 2, &key);
    r = mpr_dict_get(d, &key, m);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        refused(L, r);
    mpl_push_decoded(L, mpl_self(L), lua_gettop(L));
    lua_insert(L, -2);
    return 2;
}

/* replace(d, key, token, value) -> whether the value was still the same. */
static int dict_replace(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const struct mpr_message *was = NULL;
    struct mpr_parcel parcel;
    struct mpr_key key;
    int r;

    lua_settop(L, 4);
    if (!lua_isnil(L, 3))
        was = luaL_checkudata(L, 3, "mp.Message");
    do {
        bool gone = lua_isnil(L, 4);
        mpr_dict *d;

        if (!gone)
            mpl_encode_item(L, 4, S, &parcel);
        d = check_writer(L);
        mpl_check_key(L, 2, &key);
        r = mpr_dict_replace(d, &key, was, gone ? NULL : &parcel);
        if (r == -EINTR)
            mpl_interrupted(L, S);
    } while (r == -EINTR);
    if (r < 0 && r != -ESTALE)
        refused(L, r);
    lua_pushboolean(L, r == 0);
    return 1;
}

static int guard_release(lua_State *L)
{
    mpr_dict *d = luaL_checkudata(L, 1, "mp.dict reservation");

    if (!d->h.block)
        return 0;
    mpr_dict_release(d);
    mpr_handle_close(&d->h);
    return 0;
}

/* reserve(d, key) -> what keeps others from changing the key until it is
 * closed; false when another one is reserved. */
static int dict_reserve(lua_State *L)
{
    const mpr_dict *d = check_writer(L);
    mpr_dict *mine = lua_newuserdatauv(L, sizeof *mine, 0);
    struct mpr_key key;
    int r;

    memset(mine, 0, sizeof *mine);
    if (luaL_newmetatable(L, "mp.dict reservation")) {
        lua_pushcfunction(L, guard_release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, guard_release);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    mpl_check_key(L, 2, &key);
    r = mpr_handle_dup(&d->h, &mine->h);
    if (r < 0)
        refused(L, r);
    mine->actor = d->actor;
    r = mpr_dict_reserve(mine, &key);
    if (r == 0)
        return 1;
    mpr_handle_close(&mine->h);
    lua_pushboolean(L, 0);
    return 1;
}

/* ---- all --------------------------------------------------------------------------- */

static void push_snapshot(lua_State *L)
{
    mpr_dict *d = &check(L)->d;
    int r = mpr_dict_snapshot(d, &mpl_snapshot_push(L)->s);

    if (r < 0)
        refused(L, r);
}

/*** mp.dict.keys(d), values(d), items(d): plain lists, of one instant; items are
 * {key, value}. */
static int dict_keys(lua_State *L)
{
    push_snapshot(L);
    mpl_snapshot_list(L, mpl_self(L), MPL_KEYS);
    return 1;
}

static int dict_values(lua_State *L)
{
    push_snapshot(L);
    mpl_snapshot_list(L, mpl_self(L), MPL_VALUES);
    return 1;
}

static int dict_items(lua_State *L)
{
    push_snapshot(L);
    mpl_snapshot_list(L, mpl_self(L), MPL_PAIRS);
    return 1;
}

/* for key, value in pairs(d) do: as it was when the loop began */
static int dict_pairs(lua_State *L)
{
    push_snapshot(L);
    mpl_snapshot_iterator(L);
    return 1;
}

static int dict_tostring(lua_State *L)
{
    const struct mpl_dict *ud = mpl_checkclosed(L, &mpl_dict_class);

    if (mpl_object_is_open(&ud->o))
        return mpl_call_half(L, &mpl_dict_class, "mp.show");
    lua_pushfstring(L, "mp.dict: %p (closed)", (const void *)ud);
    return 1;
}

/* new([name]) */
static int dict_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    const char *name = luaL_optstring(L, 1, NULL);
    struct mpl_dict *ud = mpl_object_new(L, S, &mpl_dict_class);
    int r = mpr_dict_create(&ud->d, name);

    if (r < 0)
        refused(L, r);
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

static const luaL_Reg methods[] = {{NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__newindex", dict_newindex},
    {"__len", dict_border},
    {"__pairs", dict_pairs},
    {"__tostring", dict_tostring},
    {NULL, NULL},
};

const struct mpl_class mpl_dict_class = {
    .name = "mp.dict",
    .type = "dict",
    .size = sizeof(struct mpl_dict),
    .handle = offsetof(struct mpl_dict, d.h),
    .kind = MPR_KIND_DICT,
    .methods = methods,
    .meta = meta,
    .index = dict_index,
};

void mpl_open_dict(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"new", dict_new},         {"get", dict_get},
        {"set", dict_set},         {"setdefault", dict_setdefault},
        {"pop", dict_pop},         {"popitem", dict_popitem},
        {"incr", dict_incr},       {"len", dict_len},
        {"clear", dict_clear},     {"keys", dict_keys},
        {"values", dict_values},   {"items", dict_items},
        {"fetch", dict_fetch},     {"replace", dict_replace},
        {"reserve", dict_reserve}, {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_dict_class);
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
    lua_setfield(L, -2, "dict");
}
