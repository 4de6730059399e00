/* mp.core's half of Process: the object that the Lua half (mp.process) wraps,
 * and the steps that need C. Its methods are private to lua/mp. */

#include "process.h"

#include "arg.h"
#include "object.h"
#include "receive.h"
#include "value.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct process {
    struct mpl_object o;
    struct mpr_process p;
};

static const struct mpl_class class;

static struct mpr_process *self(lua_State *L)
{
    struct process *ud = mpl_checkself(L, &class);

    return &ud->p;
}

static int gc(lua_State *L)
{
    struct process *ud = luaL_checkudata(L, 1, class.name);

    if (ud->p.h.block)
        mpr_process_close(&ud->p);
    return 0;
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    struct process *ud = (struct process *)(void *)o;

    mpr_process_attach(&ud->p, h);
}

/* core.fork(name, daemon) -> process | process, true (in the child) | nil,
 * message, errno */
static int process_fork(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_process_options options = {
        .name = luaL_checkstring(L, 1),
        .daemon = lua_toboolean(L, 2),
    };
    struct process *ud = mpl_object_new(L, S, &class);
    int r = mpr_process_fork(&ud->p, &options);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, S, &ud->o);
    if (r != MPR_IN_CHILD)
        return 1;
    lua_pushboolean(L, 1);
    return 2;
}

static int process_join(lua_State *L)
{
    struct mpr_process *p = self(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r;

    while ((r = mpr_process_join(p, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int process_alive(lua_State *L)
{
    lua_pushboolean(L, mpr_process_alive(self(L)));
    return 1;
}

static int process_exitcode(lua_State *L)
{
    int code;

    if (mpr_process_exit_code(self(L), &code) < 0)
        luaL_pushfail(L);
    else
        lua_pushinteger(L, code);
    return 1;
}

static int process_signal(lua_State *L)
{
    int r = mpr_process_signal(self(L), (int)luaL_checkinteger(L, 2));

    if (r < 0 && r != -ESRCH)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int process_sentinel(lua_State *L)
{
    int fd = mpr_process_sentinel(self(L));

    if (fd < 0)
        return mpl_fail(L, fd);
    lua_pushinteger(L, fd);
    return 1;
}

static int process_pid(lua_State *L)
{
    lua_pushinteger(L, mpr_process_pid(self(L)));
    return 1;
}

static int process_name(lua_State *L)
{
    lua_pushstring(L, mpr_process_name(self(L)));
    return 1;
}

/* p:give(…): the values become the process's message. What cannot be sent
 * raises. -> true | nil, why */
static int process_give(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_process *p = self(L);
    struct mpr_parcel parcel;
    int r;

    mpl_encode_values(L, 2, lua_gettop(L) - 1, S, MPL_CHANNEL, "result");
    mpl_codec_parcel(S, &parcel);
    r = mpr_process_give(p, &parcel);
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int get(void *from, struct mpr_message *m, uint64_t max,
               int64_t deadline_ns)
{
    (void)max;
    (void)deadline_ns; /* it is there, or it never comes */
    return mpr_process_take(from, m);
}

/* p:take() -> the values that the process gave | nothing */
static int process_take(lua_State *L)
{
    int n, r = mpl_receive_values(L, mpl_self(L), get, self(L), 0, MPL_CHANNEL,
                                  &n);

    return r < 0 ? 0 : n;
}

/* core.exit(process or nil, code): ends this process as a child ends. */
static int process_exit(lua_State *L)
{
    struct process *ud =
        lua_isnoneornil(L, 1) ? NULL : luaL_checkudata(L, 1, class.name);

    mpr_process_exit(ud && ud->p.h.block ? &ud->p : NULL,
                     (int)luaL_checkinteger(L, 2));
    return 0;
}

static int parent(lua_State *L)
{
    lua_pushinteger(L, mpr_parent_pid());
    lua_pushboolean(L, mpr_parent_alive());
    return 2;
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
    luaL_checktype(L, 1, LUA_TFUNCTION);
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

static const luaL_Reg methods[] = {
    {"join", process_join},
    {"alive", process_alive},
    {"exitcode", process_exitcode},
    {"signal", process_signal},
    {"sentinel", process_sentinel},
    {"pid", process_pid},
    {"name", process_name},
    {"give", process_give},
    {"take", process_take},
    {"close", gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__gc", gc},
    {"__close", gc},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.core.Process",
    .type = "Process",
    .size = sizeof(struct process),
    .handle = offsetof(struct process, p.h),
    .kind = MPR_KIND_PROCESS,
    .methods = methods,
    .meta = meta,
    .attach = attach,
};

void mpl_open_process(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"fork", process_fork},       {"exit", process_exit},
        {"parent", parent},           {"at_end", at_end},
        {"signal_name", signal_name}, {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
    lua_pushinteger(L, SIGTERM);
    lua_setfield(L, -2, "SIGTERM");
    lua_pushinteger(L, SIGKILL);
    lua_setfield(L, -2, "SIGKILL");
    lua_pushinteger(L, SIGINT);
    lua_setfield(L, -2, "SIGINT");
}
