/* Many values at once: put_many and get_many. */

#include "queue.h"

#include "arg.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 1 << 20 }; /* a buffer of this size is not kept */

/* ---- put_many ------------------------------------------------------------------
 * All values are encoded before the first is put, so one that cannot be sent
 * leaves the queue as it was. What the parcels point to is owned by a userdata
 * meanwhile. */

struct many {
    uint8_t *bytes;
    size_t size, capacity;
    struct mpr_parcel
        *parcels; /* bytes and refs: places, until all are there */
    size_t count;
    mpr_handle *objects; /* handles of our own */
    const mpr_handle **refs;
    size_t ref_count, ref_capacity;
};

static int many_gc(lua_State *L)
{
    struct many *m = lua_touserdata(L, 1);

    for (size_t i = 0; i < m->ref_count; i++)
        mpr_handle_close(&m->objects[i]);
    free(m->bytes);
    free(m->parcels);
    free(m->objects);
    free(m->refs);
    memset(m, 0, sizeof *m);
    return 0;
}

static struct many *push_many(lua_State *L, lua_Integer count)
{
    struct many *m = lua_newuserdatauv(L, sizeof *m, 0);

    memset(m, 0, sizeof *m);
    if (luaL_newmetatable(L, "mp.many")) {
        lua_pushcfunction(L, many_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    m->parcels = calloc((size_t)count + 1, sizeof *m->parcels);
    if (!m->parcels)
        luaL_error(L, "not enough memory");
    return m;
}

/* Room for more in an array of elements of that size; false: no memory. */
static bool grow(void **array, size_t *capacity, size_t need, size_t element)
{
    size_t n = *capacity ? *capacity : 64;
    void *p;

    if (need <= *capacity)
        return true;
    while (n < need)
        n *= 2;
    p = realloc(*array, n * element);
    if (!p)
        return false;
    *array = p;
    *capacity = n;
    return true;
}

static bool add_bytes(struct many *m, const struct mpr_parcel *p)
{
    if (!grow((void **)&m->bytes, &m->capacity, m->size + p->size, 1))
        return false;
    memcpy(m->bytes + m->size, p->bytes, p->size);
    m->size += p->size;
    return true;
}

static bool add_objects(struct many *m, const struct mpr_parcel *p)
{
    if (!grow((void **)&m->objects, &m->ref_capacity,
              m->ref_count + p->ref_count, sizeof *m->objects))
        return false;
    for (uint32_t i = 0; i < p->ref_count; i++) {
        if (mpr_handle_dup(p->refs[i], &m->objects[m->ref_count]) < 0)
            return false;
        m->ref_count++;
    }
    return true;
}

static bool add(struct many *m, const struct mpr_parcel *p)
{
    m->parcels[m->count] = (struct mpr_parcel){
        .size = p->size,
        .ref_count = p->ref_count,
    };
    if (!add_bytes(m, p) || !add_objects(m, p))
        return false;
    m->count++;
    return true;
}

/* Everything is there: places become pointers. */
static bool complete(struct many *m)
{
    const uint8_t *bytes = m->bytes;
    size_t refs = 0;

    m->refs = malloc((m->ref_count + 1) * sizeof(const mpr_handle *));
    if (!m->refs)
        return false;
    for (size_t i = 0; i < m->ref_count; i++)
        m->refs[i] = &m->objects[i];
    for (size_t i = 0; i < m->count; i++) {
        m->parcels[i].bytes = bytes;
        m->parcels[i].refs = m->refs + refs;
        bytes += m->parcels[i].size;
        refs += m->parcels[i].ref_count;
    }
    return true;
}

/* The length of the list at arg: its field n, or what # says. */
static lua_Integer length_of(lua_State *L, int arg)
{
    lua_Integer n;

    if (lua_getfield(L, arg, "n") == LUA_TNIL) {
        n = luaL_len(L, arg);
    } else {
        int exact;

        n = lua_tointegerx(L, -1, &exact);
        if (!exact || n < 0)
            luaL_argerror(L, arg, "field 'n' must be a count");
    }
    lua_pop(L, 1);
    return n;
}

static struct many *encode_all(lua_State *L, struct mpl_state *S, int arg)
{
    lua_Integer count = length_of(L, arg);
    struct many *m = push_many(L, count);

    for (lua_Integer i = 1; i <= count; i++) {
        struct mpr_parcel parcel;
        char root[40] = "value";

        lua_geti(L, arg, i);
        if (lua_type(L, -1) > LUA_TSTRING) /* other things can be sent */
            snprintf(root, sizeof root, "value[%lld]", (long long)i);
        mpl_encode(L, -1, S, MPL_FUNCTIONS, root);
        mpl_codec_parcel(S, &parcel);
        if (!add(m, &parcel))
            luaL_error(L, "not enough memory");
        lua_pop(L, 1);
    }
    if (!complete(m))
        luaL_error(L, "not enough memory");
    return m;
}

/*** q:put_many(list [, timeout]): puts all values of the list: true; nil,
 * "timeout" or "closed", and how many of them were put. */
int mpl_queue_put_many(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);
    struct mpl_state *S = mpl_self(L);
    struct many *m;
    int64_t deadline;
    size_t done = 0;
    int r;

    luaL_checktype(L, 2, LUA_TTABLE);
    deadline = mpl_checktimeout(L, 3);
    m = encode_all(L, S, 2);
    do {
        mpl_queue_check(L);
        r = mpr_queue_put_many(&ud->q, m->parcels, m->count, &done, deadline);
        if (r == -EINTR)
            mpl_interrupted(L, S);
    } while (r == -EINTR);
    lua_pushvalue(L, -1);
    lua_replace(L, 1); /* self may go now, the userdata is cleared */
    if (r < 0) {
        lua_settop(L, 1);
        mpl_fail(L, r);
        lua_settop(L, 3);
        lua_pushinteger(L, (lua_Integer)done);
        many_gc(L);
        return 3;
    }
    many_gc(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- get_many -------------------------------------------------------------------
 * The batch is a userdata, kept by the queue for the next time. While it is in
 * use the queue does not have it: decoding may run user code that comes here
 * too. What could not be decoded ends the list; what lies behind it, and the
 * error if there is a list to return first, waits for the next get. */

struct batch {
    struct mpr_batch b;
    uint32_t at; /* messages before this one are gone */
};

static int batch_gc(lua_State *L)
{
    struct batch *batch = lua_touserdata(L, 1);

    mpr_batch_free(&batch->b);
    batch->at = 0;
    return 0;
}

/* Pushes the queue's batch, which it no longer has, or a new one. */
static struct batch *take_batch(lua_State *L, struct queue *ud)
{
    struct batch *batch;

    if (lua_getiuservalue(L, 1, MPL_QUEUE_BATCH) == LUA_TUSERDATA) {
        lua_pushnil(L);
        lua_setiuservalue(L, 1, MPL_QUEUE_BATCH);
        ud->left = 0;
        return lua_touserdata(L, -1);
    }
    lua_pop(L, 1);
    batch = lua_newuserdatauv(L, sizeof *batch, 0);
    memset(batch, 0, sizeof *batch);
    if (luaL_newmetatable(L, "mp.batch")) {
        lua_pushcfunction(L, batch_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return batch;
}

/* Gives the batch at idx back to the queue. */
static void give_batch(lua_State *L, struct queue *ud, int idx)
{
    struct batch *batch = lua_touserdata(L, idx);

    if (batch->at == batch->b.count) {
        mpr_batch_clear(&batch->b);
        batch->at = 0;
        if (batch->b.room.capacity > LARGE)
            mpr_batch_free(&batch->b);
    }
    if (ud->left) /* of a get_many further in */
        return;
    lua_pushvalue(L, idx);
    lua_setiuservalue(L, 1, MPL_QUEUE_BATCH);
    ud->left = batch->b.count - batch->at;
}

/* (batch, most, list): decodes at most so many messages into the list; without
 * a list one, which it returns. */
static int decode(lua_State *L)
{
    struct batch *batch = lua_touserdata(L, 1);
    lua_Integer most = lua_tointeger(L, 2), n = 0;

    lua_settop(L, 3);
    do {
        struct mpr_message *m = &batch->b.messages[batch->at++];
        struct mpl_refs refs = {m->refs, m->ref_count};

        mpl_decode(L, mpl_self(L), m->bytes, (size_t)m->size, &refs,
                   MPL_FUNCTIONS);
        lua_settop(L, 4);
        if (lua_isnil(L, 3))
            return 1;
        lua_rawseti(L, 3, ++n);
    } while (n < most && batch->at < batch->b.count);
    return 0;
}

/* Calls decode with the batch at idx and the list at idx + 1: leaves its
 * result, or the error; *n says how many values there are. */
static int call_decode(lua_State *L, int idx, lua_Integer most, lua_Integer *n)
{
    struct batch *batch = lua_touserdata(L, idx);
    uint32_t at = batch->at;
    int r;

    mpl_state_push(L);
    lua_pushcclosure(L, decode, 1);
    lua_pushvalue(L, idx);
    lua_pushinteger(L, most);
    lua_pushvalue(L, idx + 1);
    r = lua_pcall(L, 3, 1, 0);
    *n = batch->at - at;
    if (r != LUA_OK)
        --*n; /* the one that raised is gone; but for lack of memory … */
    if (r == LUA_ERRMEM)
        batch->at--; /* … nothing is lost */
    return r;
}

void mpl_queue_push_left(lua_State *L, struct queue *ud)
{
    lua_Integer n;
    int r;

    if (ud->failed) {
        ud->failed = 0;
        lua_getiuservalue(L, 1, MPL_QUEUE_ERROR);
        lua_pushnil(L);
        lua_setiuservalue(L, 1, MPL_QUEUE_ERROR);
        lua_error(L);
    }
    lua_settop(L, 1);
    take_batch(L, ud);
    lua_pushnil(L);
    r = call_decode(L, 2, 1, &n);
    give_batch(L, ud, 2);
    if (r != LUA_OK)
        lua_error(L);
}

/*** q:get_many(max [, timeout]): waits for a value and takes what is there, at
 * most max: a list, with their number in its field n; or as get. */
int mpl_queue_get_many(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);
    struct mpl_state *S = mpl_self(L);
    lua_Integer max = luaL_checkinteger(L, 2);
    int64_t deadline = mpl_checktimeout(L, 3);
    struct batch *batch;
    lua_Integer n;
    int r;

    luaL_argcheck(L, max > 0, 2, "maximum must be positive");
    if (ud->failed)
        mpl_queue_push_left(L, ud);
    lua_settop(L, 1);
    batch = take_batch(L, ud);
    while (batch->at == batch->b.count) {
        batch->at = 0;
        r = mpr_queue_get_many(&ud->q, &batch->b,
                               max < UINT32_MAX ? (uint32_t)max : UINT32_MAX,
                               deadline);
        if (r == -EINTR) {
            mpl_interrupted(L, S);
            mpl_queue_check(L);
        } else if (r < 0) {
            give_batch(L, ud, 2);
            return mpl_fail(L, r);
        }
    }
    lua_createtable(L, (int)(batch->b.count - batch->at), 1);
    r = call_decode(L, 2, max, &n);
    lua_pushinteger(L, n);
    lua_setfield(L, 3, "n");
    give_batch(L, ud, 2);
    if (r == LUA_OK) {
        lua_settop(L, 3);
        return 1;
    }
    if (n == 0)
        return lua_error(L);
    lua_setiuservalue(L, 1, MPL_QUEUE_ERROR);
    ud->failed = 1;
    return 1;
}
