/* mp.core: how processes begin and end: the steps of the start methods that
 * need C. The methods themselves are lua/mp/start.lua. */

#include "arg.h"
#include "compat.h"
#include "given.h"
#include "process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mpl_process *new_process(lua_State *L)
{
    return mpl_object_new(L, mpl_self(L), &mpl_process_class);
}

static struct mpl_process *check_process(lua_State *L)
{
    return mpl_checkself(L, &mpl_process_class);
}

static void get_options(lua_State *L, struct mpr_process_options *o)
{
    memset(o, 0, sizeof *o);
    o->name = luaL_checkstring(L, 1);
    o->daemon = lua_toboolean(L, 2);
    o->worker = lua_toboolean(L, 3);
}

/* A child just forked shares its parent's memory. A collection writes into
 * every object, and so copies nearly all of it: not for a short life. */
enum { GRACE_KIB = 1024 };

/* core.fork(name, daemon, worker, object, hooks, family, here) -> process |
 * process, true (in the child) | nil, message, errno. The child keeps the ends
 * of pipes that object and hooks lead to (given.h); family and here are what
 * its parent was. */
static int process_fork(lua_State *L)
{
    enum { KEPT = 2, LEFT = 2, GIVEN = 4 };
    struct mpr_process_options options;
    struct mpl_given *given;
    struct mpl_process *ud;
    int r;

    lua_settop(L, GIVEN + KEPT + LEFT - 1);
    get_options(L, &options);
    given = mpl_given_push(L, mpl_self(L), GIVEN, KEPT, LEFT);
    ud = new_process(L);
    /* Before the fork: the child need not step onto the code for it. */
    mpl_compat_put_off_gc(L, GRACE_KIB);
    r = mpr_process_fork(&ud->p, &options);
    if (r != MPR_IN_CHILD)
        mpl_compat_put_off_gc(L, -GRACE_KIB);
    if (r < 0)
        return mpl_fail(L, r);
    if (r == MPR_IN_CHILD && given)
        mpl_given_close_others(L, mpl_self(L), given);
    /* A child has few reasons to write to memory that it shares. */
    if (r != MPR_IN_CHILD)
        mpl_object_opened(L, mpl_self(L), &ud->o);
    lua_pushboolean(L, r == MPR_IN_CHILD);
    return 2;
}

/* core.prepare(name, daemon, worker) -> process: to be given its order, then executed
 * or discarded. */
static int process_prepare(lua_State *L)
{
    struct mpr_process_options options;
    struct mpl_process *ud;
    int r;

    get_options(L, &options);
    ud = new_process(L);
    r = mpr_process_prepare(&ud->p, &options);
    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &ud->o);
    return 1;
}

/* p:exec(argv, daemon) -> true | nil, message, errno */
static int process_exec(lua_State *L)
{
    enum { WORDS = 8 };
    struct mpl_process *ud = check_process(L);
    const char *argv[WORDS + 1] = {0};
    struct mpr_process_options o = {
        .name = "",
        .daemon = lua_toboolean(L, 3),
        .argv = argv,
    };
    int r;

    luaL_checktype(L, 2, LUA_TTABLE);
    for (int i = 0; i < WORDS; i++) {
        lua_rawgeti(L, 2, i + 1);
        argv[i] = lua_tostring(L, -1); /* the table keeps it */
        lua_pop(L, 1);
    }
    r = mpr_process_exec(&ud->p, &o);
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int process_discard(lua_State *L)
{
    struct mpl_process *ud = check_process(L);

    mpr_process_discard(&ud->p);
    return 0;
}

/* p:await(timeout): until a fork server has started it. */
static int process_await(lua_State *L)
{
    struct mpl_process *ud = check_process(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r;

    while ((r = mpr_process_await(&ud->p, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* p:serve() -> "parent" | "child" | nil, message */
static int process_serve(lua_State *L)
{
    struct mpl_process *ud = check_process(L);
    int r = mpr_process_serve(&ud->p);

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushstring(L, r == MPR_IN_CHILD ? "child" : "parent");
    return 1;
}

/* core.adopt() -> process: this program is what somebody started. */
static int process_adopt(lua_State *L)
{
    struct mpl_process *ud = new_process(L);
    int r = mpr_process_adopt(&ud->p);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &ud->o);
    return 1;
}

/* core.exit(process or nil, code): ends this process as a child ends. */
static int process_exit(lua_State *L)
{
    struct mpr_process *p = lua_isnoneornil(L, 1) ? NULL : &check_process(L)->p;

    mpr_process_exit(p, (int)luaL_checkinteger(L, 2));
    return 0;
}

static int parent(lua_State *L)
{
    lua_pushinteger(L, mpr_parent_pid());
    lua_pushboolean(L, mpr_parent_alive());
    return 2;
}

static int join_parent(lua_State *L)
{
    int64_t deadline = mpl_checktimeout(L, 1);
    int r;

    while ((r = mpr_parent_join(deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int get_pid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

/* core.at_end(f): f is called once, when this state ends: each call replaces
 * the one before, as the newest object is finalised first. */
static const char end_key;

static int at_end_gc(lua_State *L)
{
    /* Only the newest counts, and only in the process that asked. */
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &end_key) == LUA_TUSERDATA &&
        lua_rawequal(L, -1, 1) && mpr_is_member() &&
        lua_getiuservalue(L, 1, 1) == LUA_TFUNCTION)
        lua_call(L, 0, 0);
    return 0;
}

static int at_end(lua_State *L)
{
    int r;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    r = mpr_open(); /* who is no member has no end of ours */
    if (r < 0)
        mpl_raise(L, r, NULL);
    lua_newuserdatauv(L, 1, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    if (luaL_newmetatable(L, "mp.End")) {
        lua_pushcfunction(L, at_end_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &end_key);
    return 0;
}

/* core.signal_name(9) -> "SIGKILL" */
static int signal_name(lua_State *L)
{
    int signo = (int)luaL_checkinteger(L, 1);
    const char *name = sigabbrev_np(signo);

    if (name)
        lua_pushfstring(L, "SIG%s", name);
    else
        lua_pushfstring(L, "signal %d", signo);
    return 1;
}

/* The path of this process's program. */
static int executable(lua_State *L)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);

    if (n <= 0)
        return mpl_fail(L, -errno);
    lua_pushlstring(L, path, (size_t)n);
    return 1;
}

static int thread_count(lua_State *L)
{
    lua_pushinteger(L, mpr_thread_count());
    return 1;
}

/* A descriptor that is readable when the parent has ended. */
static int parent_fd(lua_State *L)
{
    int fd = mpr_parent_fd();

    if (fd < 0)
        return mpl_fail(L, fd);
    lua_pushinteger(L, fd);
    return 1;
}

/* Closes such a descriptor: a fork server's child has no use for it. */
static int close_fd(lua_State *L)
{
    close((int)luaL_checkinteger(L, 1));
    return 0;
}

/* Tests: core.kill(pid, signo) */
static int send_signal(lua_State *L)
{
    int r = kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2));

    lua_pushboolean(L, r == 0);
    return 1;
}

/* The fork server, and what it forks. Its signals are ours to set. */
static int ignore_interrupt(lua_State *L)
{
    (void)L;
    signal(SIGINT, SIG_IGN);
    return 0;
}

static int default_interrupt(lua_State *L)
{
    (void)L;
    signal(SIGINT, SIG_DFL);
    return 0;
}

void mpl_open_process(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"fork", process_fork},
        {"prepare", process_prepare},
        {"adopt", process_adopt},
        {"exit", process_exit},
        {"parent", parent},
        {"parent_fd", parent_fd},
        {"close_fd", close_fd},
        {"join_parent", join_parent},
        {"getpid", get_pid},
        {"kill", send_signal},
        {"executable", executable},
        {"thread_count", thread_count},
        {"at_end", at_end},
        {"signal_name", signal_name},
        {"ignore_interrupt", ignore_interrupt},
        {"default_interrupt", default_interrupt},
        {NULL, NULL},
    };
    static const luaL_Reg steps[] = {
        {"exec", process_exec},
        {"discard", process_discard},
        {"await", process_await},
        {"serve", process_serve},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_process_class);
    luaL_getmetatable(L, mpl_process_class.name);
    lua_getfield(L, -1, "__index");
    mpl_state_push(L);
    luaL_setfuncs(L, steps, 1);
    lua_pop(L, 2);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
    lua_pushinteger(L, SIGTERM);
    lua_setfield(L, -2, "SIGTERM");
    lua_pushinteger(L, SIGKILL);
    lua_setfield(L, -2, "SIGKILL");
    lua_pushinteger(L, SIGINT);
    lua_setfield(L, -2, "SIGINT");
}
