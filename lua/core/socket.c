/* Listeners and the connections they accept: messages over sockets. They have
 * the methods of a pipe's end; functions are not taken from a peer unless asked
 * for, and mp's objects do not travel. */

#include "socket.h"

#include "arg.h"
#include "receive.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION "mp.Connection of a socket"
#define LISTENER   "mp.Listener"

struct socket {
    int open;
    int functions; /* may be received */
    uint64_t max;  /* bytes of a message, at most */
    mpr_channel c;
};

struct listener {
    int fd; /* -1: closed */
    int functions;
    uint64_t max;
    struct mpr_address address;
    size_t key_size; /* 0: none */
    char key[256];
};

static struct socket *self(lua_State *L)
{
    struct socket *s = luaL_checkudata(L, 1, CONNECTION);

    if (!s->open)
        luaL_error(L, "attempt to use a closed Connection");
    return s;
}

static const char *reason(int r)
{
    switch (r) {
    case -EACCES:
        return "authentication failed: the peer does not know the key";
    case -EPROTO:
        return "authentication failed: the peer speaks another protocol";
    case -ENOTSUP:
        return "no keys for sockets: libsodium was not found";
    case -EMSGSIZE:
        return "the peer sends a longer message than is taken";
    case -EBADMSG:
        return "the peer sends what is no message";
    }
    return NULL;
}

/* Raises what is worth an error, at the line that is so many calls above. */
static int failed_above(lua_State *L, int level, int r)
{
    const char *why = reason(r);

    if (!why)
        return mpl_fail(L, r);
    luaL_where(L, level);
    lua_pushstring(L, why);
    lua_concat(L, 2);
    return lua_error(L);
}

static int failed(lua_State *L, int r)
{
    return failed_above(L, 1, r);
}

/* ---- connections ---------------------------------------------------------- */

static struct socket *push_socket(lua_State *L)
{
    struct socket *s = lua_newuserdatauv(L, sizeof *s, 0);

    memset(s, 0, sizeof *s);
    s->c.fd = -1;
    luaL_setmetatable(L, CONNECTION);
    return s;
}

static int sent(lua_State *L, int r)
{
    if (r < 0)
        return failed(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int socket_send(lua_State *L)
{
    struct socket *s = self(L);
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;

    luaL_checkany(L, 2);
    lua_settop(L, 2);
    mpl_encode(L, 2, S, MPL_FUNCTIONS | MPL_STRING, "value");
    mpl_codec_parcel(S, &parcel);
    return sent(L, mpr_channel_send(&s->c, parcel.bytes, parcel.size));
}

static int socket_send_bytes(lua_State *L)
{
    struct socket *s = self(L);
    size_t size;
    const char *bytes = mpl_checkpart(L, 2, &size);

    return sent(L, mpr_channel_send(&s->c, bytes, size));
}

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline_ns)
{
    struct socket *s = from;

    if (m->fixed)
        return -E2BIG; /* a socket's message has no size beforehand */
    return mpr_channel_receive(&s->c, m, max, deadline_ns);
}

static unsigned flags_of(const struct socket *s)
{
    return MPL_STRING | (s->functions ? MPL_FUNCTIONS : 0);
}

static int socket_recv(lua_State *L)
{
    struct socket *s = self(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    int n, top = lua_gettop(L);
    int r = mpl_receive_within(L, mpl_self(L), get, s, s->max, deadline,
                               flags_of(s), &n);

    if (r < 0)
        return failed(L, r);
    lua_settop(L, top + 1);
    return 1;
}

static int socket_recv_bytes(lua_State *L)
{
    struct socket *s = self(L);
    lua_Integer max = luaL_optinteger(L, 2, LUA_MAXINTEGER);
    int64_t deadline = mpl_checktimeout(L, 3);
    int r;

    luaL_argcheck(L, max >= 0, 2, "maximum must not be negative");
    if ((uint64_t)max > s->max)
        max = (lua_Integer)s->max;
    r = mpl_receive_bytes(L, mpl_self(L), get, s, (uint64_t)max, deadline);
    return r < 0 ? failed(L, r) : 1;
}

static int socket_poll(lua_State *L)
{
    struct socket *s = self(L);
    int64_t deadline = lua_isnone(L, 2) ? 0 : mpl_checktimeout(L, 2);
    int r;

    while ((r = mpr_channel_poll(&s->c, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        return failed(L, r);
    lua_pushboolean(L, r);
    return 1;
}

static int next_message(lua_State *L)
{
    struct socket *s = self(L);
    int n;
    int r = mpl_receive_within(L, mpl_self(L), get, s, s->max, MPR_FOREVER,
                               flags_of(s), &n);

    if (r == -EPIPE)
        return 0;
    return r < 0 ? failed(L, r) : n;
}

static int socket_messages(lua_State *L)
{
    self(L);
    mpl_state_push(L);
    lua_pushcclosure(L, next_message, 1);
    lua_pushvalue(L, 1);
    return 2;
}

static int socket_fileno(lua_State *L)
{
    lua_pushinteger(L, self(L)->c.fd);
    return 1;
}

static int socket_close(lua_State *L)
{
    struct socket *s = luaL_checkudata(L, 1, CONNECTION);

    if (s->open)
        mpr_channel_close(&s->c);
    s->open = 0;
    return 0;
}

static int socket_index(lua_State *L)
{
    const struct socket *s = luaL_checkudata(L, 1, CONNECTION);
    const char *key = lua_tostring(L, 2);

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL || !key)
        return 1;
    if (strcmp(key, "closed") == 0)
        lua_pushboolean(L, !s->open);
    else if (strcmp(key, "readable") == 0 || strcmp(key, "writable") == 0)
        lua_pushboolean(L, 1);
    else
        return 0;
    return 1;
}

static int socket_tostring(lua_State *L)
{
    const struct socket *s = luaL_checkudata(L, 1, CONNECTION);

    lua_pushfstring(L, "mp.Connection: %p (%s, socket)", (const void *)s,
                    s->open ? "open" : "closed");
    return 1;
}

/* ---- listeners -------------------------------------------------------------- */

static void get_address(lua_State *L, int arg, struct mpr_address *a)
{
    size_t size;
    const char *text;

    memset(a, 0, sizeof *a);
    if (lua_type(L, arg) == LUA_TTABLE) {
        lua_Integer port;

        a->tcp = 1;
        lua_rawgeti(L, arg, 1);
        lua_rawgeti(L, arg, 2);
        text = lua_tolstring(L, -2, &size);
        port = lua_tointeger(L, -1);
        luaL_argcheck(L,
                      text && size < sizeof a->host && lua_isinteger(L, -1) &&
                          port >= 0 && port <= 65535,
                      arg, "address must be a path or {host, port}");
        memcpy(a->host, text, size);
        a->port = (uint16_t)port;
        lua_pop(L, 2);
        return;
    }
    text = luaL_checklstring(L, arg, &size);
    luaL_argcheck(L, size > 0 && text[0] != '\0', arg,
                  "address must be a path or {host, port}");
    luaL_argcheck(L, size < sizeof a->path, arg, "path is too long");
    memcpy(a->path, text, size);
}

static void push_address(lua_State *L, const struct mpr_address *a)
{
    if (!a->tcp) {
        lua_pushstring(L, a->path);
        return;
    }
    lua_createtable(L, 2, 0);
    lua_pushstring(L, a->host);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, a->port);
    lua_rawseti(L, -2, 2);
}

static struct listener *check_listener(lua_State *L)
{
    struct listener *l = luaL_checkudata(L, 1, LISTENER);

    if (l->fd < 0)
        luaL_error(L, "attempt to use a closed Listener");
    return l;
}

static uint64_t get_max(lua_State *L, int arg)
{
    lua_Integer max = luaL_optinteger(L, arg, LUA_MAXINTEGER);

    luaL_argcheck(L, max > 0, arg, "max_message must be positive");
    return (uint64_t)max;
}

/* core.listen(address, key, backlog, functions, max_message) */
static int core_listen(lua_State *L)
{
    struct mpr_address a;
    size_t key_size = 0;
    const char *key = luaL_optlstring(L, 2, NULL, &key_size);
    lua_Integer backlog = luaL_optinteger(L, 3, 128);
    uint64_t max = get_max(L, 5);
    struct listener *l;
    int fd;

    get_address(L, 1, &a);
    luaL_argcheck(L, key_size <= sizeof l->key, 2, "key is too long");
    l = lua_newuserdatauv(L, sizeof *l, 0);
    memset(l, 0, sizeof *l);
    l->fd = -1;
    luaL_setmetatable(L, LISTENER);
    fd = mpr_listen(&a, (int)backlog);
    if (fd < 0)
        return failed_above(L, 2, fd);
    l->fd = fd;
    l->functions = lua_toboolean(L, 4);
    l->max = max;
    l->address = a;
    l->key_size = key_size;
    if (key)
        memcpy(l->key, key, key_size);
    return 1;
}

/* l:accept([timeout]) -> connection, its address */
static int listener_accept(lua_State *L)
{
    struct listener *l = check_listener(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    struct socket *s = push_socket(L);
    struct mpr_address peer;
    int r;

    while ((r = mpr_accept(l->fd, &s->c, &peer, l->key_size ? l->key : NULL,
                           l->key_size, deadline)) == -EINTR) {
        mpl_interrupted(L, mpl_self(L));
        check_listener(L);
    }
    if (r < 0)
        return failed_above(L, 2, r);
    s->open = 1;
    s->functions = l->functions;
    s->max = l->max;
    push_address(L, &peer);
    return 2;
}

static int listener_address(lua_State *L)
{
    const struct listener *l = luaL_checkudata(L, 1, LISTENER);

    push_address(L, &l->address);
    return 1;
}

static int listener_fileno(lua_State *L)
{
    lua_pushinteger(L, check_listener(L)->fd);
    return 1;
}

static int listener_close(lua_State *L)
{
    struct listener *l = luaL_checkudata(L, 1, LISTENER);

    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    memset(l->key, 0, sizeof l->key);
    return 0;
}

/* core.connect(address, key, timeout, functions, max_message) */
static int core_connect(lua_State *L)
{
    struct mpr_address a;
    size_t key_size = 0;
    const char *key = luaL_optlstring(L, 2, NULL, &key_size);
    int64_t deadline = mpl_checktimeout(L, 3);
    uint64_t max = get_max(L, 5);
    struct socket *s;
    int r;

    get_address(L, 1, &a);
    s = push_socket(L);
    while ((r = mpr_connect(&s->c, &a, key, key_size, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        return failed_above(L, 2, r);
    s->open = 1;
    s->functions = lua_toboolean(L, 4);
    s->max = max;
    return 1;
}

static int has_keys(lua_State *L)
{
    lua_pushboolean(L, mpr_has_keys());
    return 1;
}

static void open_connection(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send", socket_send},
        {"recv", socket_recv},
        {"send_bytes", socket_send_bytes},
        {"recv_bytes", socket_recv_bytes},
        {"poll", socket_poll},
        {"messages", socket_messages},
        {"fileno", socket_fileno},
        {"pollfd", socket_fileno},
        {"getfd", socket_fileno},
        {"close", socket_close},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__gc", socket_close},
        {"__close", socket_close},
        {"__tostring", socket_tostring},
        {"__waitable", socket_fileno},
        {NULL, NULL},
    };

    luaL_newmetatable(L, CONNECTION);
    mpl_state_push(L);
    luaL_setfuncs(L, meta, 1);
    mpl_state_push(L);
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, methods, 1);
    lua_pushcclosure(L, socket_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "mp.Connection");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "mp.Connection");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static void open_listener(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"accept", listener_accept},
        {"address", listener_address},
        {"fileno", listener_fileno},
        {"close", listener_close},
        {NULL, NULL},
    };

    luaL_newmetatable(L, LISTENER);
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, listener_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void mpl_open_socket(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"listen", core_listen},
        {"connect", core_connect},
        {"has_keys", has_keys},
        {NULL, NULL},
    };

    open_connection(L);
    open_listener(L);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
