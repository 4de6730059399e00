/* mp.Pipe and its connections. */

#include "conn.h"

#include "arg.h"
#include "object.h"
#include "receive.h"
#include "value.h"

#include <errno.h>
#include <string.h>

struct conn {
    struct mpl_object o;
    mpr_conn c;
};

static const struct mpl_class class;

static int send_parcel(lua_State *L, mpr_conn *c,
                       const struct mpr_parcel *parcel)
{
    int r = mpr_conn_send(c, parcel, MPR_FOREVER);

    switch (r) {
    case 0:
        lua_pushboolean(L, 1);
        return 1;
    case -EINTR:
        return 0;
    case -EBADF:
        return luaL_error(L, "connection is read-only");
    case -EMSGSIZE:
        return luaL_error(L, "too many objects in one message (at most %d)",
                          MPR_PARCEL_REFS);
    }
    return mpl_fail(L, r);
}

static int conn_send(lua_State *L)
{
    struct conn *ud = mpl_checkself(L, &class);
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    int n;

    luaL_checkany(L, 2);
    lua_settop(L, 2);
    /* A signal's hook may run Lua that encodes too: encode again after it. */
    for (;;) {
        mpl_encode(L, 2, S, MPL_FUNCTIONS | MPL_LEND, "value");
        mpl_codec_parcel(S, &parcel);
        n = send_parcel(L, &ud->c, &parcel);
        if (n)
            return n;
        mpl_interrupted(L, S);
        mpl_checkself(L, &class);
    }
}

static int conn_send_bytes(lua_State *L)
{
    struct conn *ud = mpl_checkself(L, &class);
    struct mpr_parcel parcel = {0};
    size_t size;
    int n;

    parcel.bytes = mpl_checkpart(L, 2, &size);
    parcel.size = size;
    while (!(n = send_parcel(L, &ud->c, &parcel))) {
        mpl_interrupted(L, mpl_self(L));
        mpl_checkself(L, &class);
    }
    return n;
}

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline_ns)
{
    return mpr_conn_recv(from, m, max, deadline_ns);
}

static int failed(lua_State *L, int r)
{
    if (r == -EBADF)
        return luaL_error(L, "connection is write-only");
    if (r == -EMSGSIZE)
        return luaL_error(L, "message is longer than the given maximum");
    return mpl_fail(L, r);
}

static int conn_recv(lua_State *L)
{
    struct conn *ud = mpl_checkself(L, &class);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r = mpl_receive(L, mpl_self(L), get, &ud->c, deadline, MPL_FUNCTIONS);

    return r < 0 ? failed(L, r) : 1;
}

static int conn_recv_bytes(lua_State *L)
{
    struct conn *ud = mpl_checkself(L, &class);
    lua_Integer max = luaL_optinteger(L, 2, LUA_MAXINTEGER);
    int64_t deadline = mpl_checktimeout(L, 3);
    int r;

    luaL_argcheck(L, max >= 0, 2, "maximum must not be negative");
    r = mpl_receive_bytes(L, mpl_self(L), get, &ud->c, (uint64_t)max, deadline);
    return r < 0 ? failed(L, r) : 1;
}

/* c:poll() asks, c:poll(seconds) waits so long, c:poll(nil) for ever. */
static int conn_poll(lua_State *L)
{
    struct conn *ud = mpl_checkself(L, &class);
    int64_t deadline = lua_isnone(L, 2) ? 0 : mpl_checktimeout(L, 2);
    int r;

    while ((r = mpr_conn_poll(&ud->c, deadline)) == -EINTR) {
        mpl_interrupted(L, mpl_self(L));
        mpl_checkself(L, &class);
    }
    if (r < 0)
        return failed(L, r);
    lua_pushboolean(L, r);
    return 1;
}

static int next_message(lua_State *L)
{
    struct conn *ud;
    int r;

    ud = mpl_checkself(L, &class);
    r = mpl_receive(L, mpl_self(L), get, &ud->c, MPR_FOREVER, MPL_FUNCTIONS);
    if (r == -EPIPE)
        return 0;
    return r < 0 ? failed(L, r) : 1;
}

/* for v in c:messages() do: until the other end is closed, or a nil comes. */
static int conn_messages(lua_State *L)
{
    mpl_checkself(L, &class);
    mpl_state_push(L);
    lua_pushcclosure(L, next_message, 1);
    lua_pushvalue(L, 1);
    return 2;
}

static int conn_fileno(lua_State *L)
{
    mpl_checkself(L, &class);
    return luaL_error(L, "a pipe has no descriptor (use 'pollfd')");
}

static bool property(lua_State *L, struct mpl_object *o, const char *key)
{
    const struct conn *ud = (const struct conn *)(void *)o;

    if (strcmp(key, "closed") == 0)
        lua_pushboolean(L, !mpl_object_is_open(o));
    else if (strcmp(key, "readable") == 0)
        lua_pushboolean(L, ud->c.in != NULL);
    else if (strcmp(key, "writable") == 0)
        lua_pushboolean(L, ud->c.out != NULL);
    else
        return false;
    return true;
}

static int conn_tostring(lua_State *L)
{
    struct conn *ud = mpl_checkclosed(L, &class);
    const char *state = "closed";

    if (mpl_object_is_open(&ud->o))
        state = !ud->c.in    ? "open, write-only"
                : !ud->c.out ? "open, read-only"
                             : "open";
    lua_pushfstring(L, "mp.Connection: %p (%s)", (void *)ud, state);
    return 1;
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    struct conn *ud = (struct conn *)(void *)o;

    mpr_conn_attach(&ud->c, h);
}

static int pipe_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    int duplex = lua_isnoneornil(L, 1) ? 1 : lua_toboolean(L, 1);
    struct conn *a, *b;
    int r;

    if (!lua_isnoneornil(L, 1))
        luaL_checktype(L, 1, LUA_TBOOLEAN);
    luaL_argcheck(L, lua_isnoneornil(L, 2), 2, "no value expected");
    a = mpl_object_new(L, S, &class);
    b = mpl_object_new(L, S, &class);
    r = mpr_pipe(&a->c, &b->c, duplex);
    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, S, &b->o);
    lua_pushvalue(L, -2);
    mpl_object_opened(L, S, &a->o);
    lua_pop(L, 1);
    return 2;
}

static const luaL_Reg methods[] = {
    {"send", conn_send},
    {"recv", conn_recv},
    {"send_bytes", conn_send_bytes},
    {"recv_bytes", conn_recv_bytes},
    {"poll", conn_poll},
    {"messages", conn_messages},
    {"fileno", conn_fileno},
    {"close", mpl_object_gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", conn_tostring},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.Connection",
    .type = "Connection",
    .size = sizeof(struct conn),
    .handle = offsetof(struct conn, c.h),
    .kind = MPR_KIND_CONNECTION,
    .waitable = true,
    .methods = methods,
    .meta = meta,
    .property = property,
    .attach = attach,
};

void mpl_open_conn(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Pipe", pipe_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
