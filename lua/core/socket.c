/* Connections over sockets, which listeners accept. They have the methods of a
 * pipe's end; functions are not taken from a peer unless asked for, and mp's
 * objects do not travel. */

#include "socket.h"

#include "arg.h"
#include "receive.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION "mp.Connection of a socket"

static struct mpl_socket *self(lua_State *L)
{
    struct mpl_socket *s = luaL_checkudata(L, 1, CONNECTION);

    if (!s->open)
        luaL_error(L, "attempt to use a closed Connection");
    return s;
}

const char *mpl_socket_reason(int r)
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

/* Raises what is worth an error. */
static int failed(lua_State *L, int r)
{
    const char *why = mpl_socket_reason(r);

    return why ? luaL_error(L, "%s", why) : mpl_fail(L, r);
}

struct mpl_socket *mpl_socket_push(lua_State *L)
{
    struct mpl_socket *s = lua_newuserdatauv(L, sizeof *s, 0);

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
    struct mpl_socket *s = self(L);
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;

    luaL_checkany(L, 2);
    lua_settop(L, 2);
    mpl_encode(L, 2, S, MPL_FUNCTIONS | MPL_SOCKET, "value");
    mpl_codec_parcel(S, &parcel);
    return sent(L, mpr_channel_send(&s->c, parcel.bytes, parcel.size));
}

static int socket_send_bytes(lua_State *L)
{
    struct mpl_socket *s = self(L);
    size_t size;
    const char *bytes = mpl_checkpart(L, 2, &size);

    return sent(L, mpr_channel_send(&s->c, bytes, size));
}

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline_ns)
{
    struct mpl_socket *s = from;

    if (m->fixed)
        return -E2BIG; /* a socket's message has no size beforehand */
    return mpr_channel_receive(&s->c, m, max, deadline_ns);
}

static unsigned flags_of(const struct mpl_socket *s)
{
    return MPL_SOCKET | (s->functions ? MPL_FUNCTIONS : 0);
}

static int socket_recv(lua_State *L)
{
    struct mpl_socket *s = self(L);
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
    struct mpl_socket *s = self(L);
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
    struct mpl_socket *s = self(L);
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
    struct mpl_socket *s = self(L);
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

/*** conn:keepalive(seconds): over TCP, a peer whose machine says nothing for so
 * long counts as gone. */
static int socket_keepalive(lua_State *L)
{
    struct mpl_socket *s = self(L);
    lua_Integer seconds = luaL_checkinteger(L, 2);
    int r;

    luaL_argcheck(L, seconds >= 2 && seconds <= 86400, 2,
                  "seconds must be from 2 to 86400");
    r = mpr_channel_keepalive(&s->c, (int)seconds);
    if (r < 0)
        return failed(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static void *watch_peer(void *fd)
{
    struct pollfd p = {.fd = (int)(intptr_t)fd, .events = POLLRDHUP};

    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    kill(getpid(), SIGKILL);
    return NULL;
}

/* From now on this process dies when the peer is gone, whatever it waits for.
 * For processes of our own (mp/agent.lua): a thread watches the descriptor. */
static int socket_end_with_peer(lua_State *L)
{
    struct mpl_socket *s = self(L);
    sigset_t all, before;
    pthread_t watch;
    int err;

    sigfillset(&all); /* signals are the other thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&watch, NULL, watch_peer, (void *)(intptr_t)s->c.fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return luaL_error(L, "cannot watch a connection: %s", strerror(err));
    pthread_detach(watch);
    return 0;
}

/* c:greet(l): the peer has to prove that it knows the listener's key. */
static int socket_greet(lua_State *L)
{
    struct mpl_socket *s = self(L);
    const struct mpl_listener *l = luaL_checkudata(L, 2, MPL_LISTENER);
    int r = l->key_size ? mpr_greet(&s->c, l->key, l->key_size) : 0;

    if (r < 0) {
        s->open = 0;
        return failed(L, r);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int socket_close(lua_State *L)
{
    struct mpl_socket *s = luaL_checkudata(L, 1, CONNECTION);

    if (s->open)
        mpr_channel_close(&s->c);
    s->open = 0;
    return 0;
}

static int socket_index(lua_State *L)
{
    const struct mpl_socket *s = luaL_checkudata(L, 1, CONNECTION);
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
    const struct mpl_socket *s = luaL_checkudata(L, 1, CONNECTION);

    lua_pushfstring(L, "mp.Connection: %p (%s, socket)", (const void *)s,
                    s->open ? "open" : "closed");
    return 1;
}

void mpl_open_socket(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send", socket_send},
        {"recv", socket_recv},
        {"send_bytes", socket_send_bytes},
        {"recv_bytes", socket_recv_bytes},
        {"poll", socket_poll},
        {"messages", socket_messages},
        {"keepalive", socket_keepalive},
        {"greet", socket_greet},
        {"end_with_peer", socket_end_with_peer},
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
