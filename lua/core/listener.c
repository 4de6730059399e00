/* Listeners, and mp.Client, which reaches one. */

#include "socket.h"

#include "arg.h"
#include "state.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static void push_place(lua_State *L, const struct mpr_address *a)
{
    if (a->tcp)
        lua_pushfstring(L, strchr(a->host, ':') ? "'[%s]:%d'" : "'%s:%d'",
                        a->host, a->port);
    else
        lua_pushfstring(L, "'%s'", a->path);
}

/* Raises, at the line that called the Lua half, or returns what went wrong:
 * "mp.Client: cannot connect to '/x': No such file or directory". */
static int failed_at(lua_State *L, int r, const char *what,
                     const struct mpr_address *a)
{
    const char *why = mpl_socket_reason(r);
    int n = why ? 0 : mpl_fail(L, r), top = lua_gettop(L);

    if (n == 2) /* an outcome and its word */
        return n;
    if (why)
        luaL_where(L, 2);
    lua_pushstring(L, what);
    if (a->path[0] || a->tcp) {
        lua_pushliteral(L, " ");
        push_place(L, a);
        lua_concat(L, 3);
    }
    lua_pushfstring(L, ": %s", why ? why : lua_tostring(L, top - 1));
    lua_concat(L, why ? 3 : 2);
    if (why)
        return lua_error(L);
    lua_replace(L, top - 1);
    return n;
}

/* As luaL_argcheck, but the error is located where failed_at's are. */
static void check_address(lua_State *L, bool good, const char *why)
{
    if (good)
        return;
    luaL_where(L, 2);
    lua_pushstring(L, why);
    lua_concat(L, 2);
    lua_error(L);
}

static void get_address(lua_State *L, int arg, struct mpr_address *a)
{
    size_t size;
    const char *text;

    memset(a, 0, sizeof *a);
    if (lua_type(L, arg) == LUA_TTABLE) {
        lua_Integer port;

        a->tcp = MPR_ADDRESS_TCP;
        lua_rawgeti(L, arg, 1);
        lua_rawgeti(L, arg, 2);
        text = lua_tolstring(L, -2, &size);
        port = lua_tointeger(L, -1);
        check_address(L,
                      text && size < sizeof a->host && lua_isinteger(L, -1) &&
                          port >= 0 && port <= 65535,
                      "address must be a path or {host, port}");
        memcpy(a->host, text, size);
        a->port = (uint16_t)port;
        lua_pop(L, 2);
        return;
    }
    text = lua_type(L, arg) == LUA_TSTRING ? lua_tolstring(L, arg, &size) : "";
    check_address(L, text[0] != '\0', "address must be a path or {host, port}");
    check_address(L, size < sizeof a->path, "path is too long");
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

static struct mpl_listener *check_listener(lua_State *L)
{
    struct mpl_listener *l = luaL_checkudata(L, 1, MPL_LISTENER);

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

/* core.listen(address, key, backlog, functions, max_message, version of IP) */
static int core_listen(lua_State *L)
{
    struct mpr_address a;
    size_t key_size = 0;
    const char *key = luaL_optlstring(L, 2, NULL, &key_size);
    lua_Integer backlog = luaL_optinteger(L, 3, 128);
    uint64_t max = get_max(L, 5);
    int version = (int)luaL_optinteger(L, 6, 0);
    struct mpl_listener *l;
    int fd;

    get_address(L, 1, &a);
    if (version)
        a.tcp = version;
    luaL_argcheck(L, key_size <= sizeof l->key, 2, "key is too long");
    l = lua_newuserdatauv(L, sizeof *l, 0);
    memset(l, 0, sizeof *l);
    l->fd = -1;
    luaL_setmetatable(L, MPL_LISTENER);
    fd = mpr_listen(&a, (int)backlog);
    if (fd < 0)
        return failed_at(L, fd, "mp.Listener: cannot listen at", &a);
    l->fd = fd;
    l->functions = lua_toboolean(L, 4);
    l->max = max;
    l->address = a;
    l->key_size = key_size;
    if (key)
        memcpy(l->key, key, key_size);
    return 1;
}

static const char *not_accepted(const struct mpr_address *peer)
{
    return peer->tcp ? "mp.Listener: cannot accept a peer from"
                     : "mp.Listener: cannot accept a peer";
}

static int accepted(lua_State *L, const struct mpl_listener *l,
                    struct mpl_socket *s, const struct mpr_address *peer)
{
    s->open = 1;
    s->functions = l->functions;
    s->max = l->max;
    push_address(L, peer);
    return 2;
}

/* l:accept([timeout]) -> connection, its address */
static int listener_accept(lua_State *L)
{
    struct mpl_listener *l = check_listener(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    struct mpl_socket *s = mpl_socket_push(L);
    struct mpr_address peer = {0};
    int r;

    while ((r = mpr_accept(l->fd, &s->c, &peer, l->key_size ? l->key : NULL,
                           l->key_size, deadline)) == -EINTR) {
        mpl_interrupted(L, mpl_self(L));
        check_listener(L);
    }
    if (r < 0)
        return failed_at(L, r, not_accepted(&peer), &peer);
    return accepted(L, l, s, &peer);
}

/* l:take([timeout]): as accept does, without having seen whether the peer knows
 * the key: that is for c:greet(l) to find out, in a process of its own. */
static int listener_take(lua_State *L)
{
    struct mpl_listener *l = check_listener(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    struct mpl_socket *s = mpl_socket_push(L);
    struct mpr_address peer = {0};
    int r;

    while ((r = mpr_take(l->fd, &s->c, &peer, deadline)) == -EINTR) {
        mpl_interrupted(L, mpl_self(L));
        check_listener(L);
    }
    if (r < 0)
        return failed_at(L, r, not_accepted(&peer), &peer);
    return accepted(L, l, s, &peer);
}

static int listener_address(lua_State *L)
{
    const struct mpl_listener *l = luaL_checkudata(L, 1, MPL_LISTENER);

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
    struct mpl_listener *l = luaL_checkudata(L, 1, MPL_LISTENER);

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
    struct mpl_socket *s;
    int r;

    get_address(L, 1, &a);
    s = mpl_socket_push(L);
    while ((r = mpr_connect(&s->c, &a, key, key_size, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        return failed_at(L, r, "mp.Client: cannot connect to", &a);
    s->open = 1;
    s->functions = lua_toboolean(L, 4);
    s->max = max;
    return 1;
}

/* core.private_path() -> path of a socket to be, in a folder of its own; or nil,
 * message, errno. */
static int private_path(lua_State *L)
{
    struct mpr_address a;
    int r = mpr_listen_private(&a);

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushstring(L, a.path);
    return 1;
}

static int has_keys(lua_State *L)
{
    lua_pushboolean(L, mpr_has_keys());
    return 1;
}

static void open_listener(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"accept", listener_accept},   {"take", listener_take},
        {"address", listener_address}, {"fileno", listener_fileno},
        {"close", listener_close},     {NULL, NULL},
    };

    luaL_newmetatable(L, MPL_LISTENER);
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, listener_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void mpl_open_listener(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"listen", core_listen},
        {"connect", core_connect},
        {"private_path", private_path},
        {"has_keys", has_keys},
        {NULL, NULL},
    };

    open_listener(L);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
