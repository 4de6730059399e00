/* mp.core's half of Process: the object that the Lua half (mp.process) wraps,
 * and the steps that need C. Its methods are private to lua/mp. */

#include "process.h"

#include "arg.h"
#include "object.h"
#include "receive.h"
#include "value.h"

#include <errno.h>
#include <string.h>

static struct mpr_process *self(lua_State *L)
{
    struct mpl_process *ud = mpl_checkself(L, &mpl_process_class);

    return &ud->p;
}

static int gc(lua_State *L)
{
    struct mpl_process *ud = luaL_checkudata(L, 1, mpl_process_class.name);

    if (ud->p.h.block)
        mpr_process_close(&ud->p);
    return 0;
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    struct mpl_process *ud = (struct mpl_process *)(void *)o;

    mpr_process_attach(&ud->p, h);
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

static int process_daemon(lua_State *L)
{
    lua_pushboolean(L, mpr_process_daemon(self(L)));
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

/* p:give(ok, …): the values become the process's message: its order before it
 * starts, its result from then on. What cannot be sent raises, but not with ok
 * false: an error always arrives. -> true | nil, why */
static int process_give(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_process *p = self(L);
    struct mpr_parcel parcel;
    int r;

    mpl_encode_values(L, 2, lua_gettop(L) - 1, S,
                      MPL_FUNCTIONS | (lua_toboolean(L, 2) ? 0 : MPL_LOSSY),
                      mpr_process_pid(p) ? "result" : "process");
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
    int n, r = mpl_receive_values(L, mpl_self(L), get, self(L), 0,
                                  MPL_FUNCTIONS, &n);

    return r < 0 ? 0 : n;
}

static const luaL_Reg methods[] = {
    {"join", process_join},
    {"alive", process_alive},
    {"exitcode", process_exitcode},
    {"signal", process_signal},
    {"sentinel", process_sentinel},
    {"pid", process_pid},
    {"name", process_name},
    {"daemon", process_daemon},
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

const struct mpl_class mpl_process_class = {
    .name = "mp.core.Process",
    .type = "Process",
    .size = sizeof(struct mpl_process),
    .handle = offsetof(struct mpl_process, p.h),
    .kind = MPR_KIND_PROCESS,
    .methods = methods,
    .meta = meta,
    .attach = attach,
};
