#include "pool.h"

#include "arg.h"
#include "receive.h"
#include "value.h"

#include <errno.h>

static const struct mpl_class class;

static mpr_pool *self(lua_State *L)
{
    struct mpl_pool *ud = mpl_checkself(L, &class);

    return &ud->pool;
}

mpr_pool *mpl_check_pool(lua_State *L, int arg)
{
    struct mpl_pool *ud = luaL_checkudata(L, arg, class.name);

    if (!mpl_object_is_open(&ud->o))
        luaL_error(L, "attempt to use a closed pool");
    return &ud->pool;
}

/* core.Pool(workers, name) */
static int pool_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_pool_options options = {
        .workers = (uint32_t)luaL_checkinteger(L, 1),
        .name = luaL_optstring(L, 2, NULL),
    };
    struct mpl_pool *ud = mpl_object_new(L, S, &class);
    int r = mpr_pool_create(&ud->pool, &options);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    mpr_pool_attach(&((struct mpl_pool *)(void *)o)->pool, h);
}

static const char *const states[] = {"run", "close", "broken", "terminate",
                                     NULL};

static int pool_state(lua_State *L)
{
    lua_pushstring(L, states[mpr_pool_state(self(L))]);
    return 1;
}

/* pool:shut(state) */
static int pool_shut(lua_State *L)
{
    mpr_pool *p = self(L);

    mpr_pool_shut(p, (enum mpr_pool_state)luaL_checkoption(L, 2, NULL, states));
    return 0;
}

/* pool:break_(why): all values are kept for those who ask. */
static int pool_break(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    mpr_pool *p = self(L);
    struct mpr_parcel parcel;

    mpl_encode(L, 2, S, MPL_FUNCTIONS | MPL_LOSSY, "error");
    mpl_codec_parcel(S, &parcel);
    mpr_pool_break(p, &parcel);
    return 0;
}

static int get_why(void *from, struct mpr_message *m, uint64_t max,
                   int64_t deadline_ns)
{
    (void)max;
    (void)deadline_ns;
    /* The note's bytes stay where they are: no room is needed. */
    if (m->fixed)
        return -E2BIG;
    return mpr_pool_why(from, m);
}

/* pool:why() -> what broke it | nil */
static int pool_why(lua_State *L)
{
    int r = mpl_receive(L, mpl_self(L), get_why, self(L), 0, MPL_FUNCTIONS);

    return r < 0 ? 0 : 1;
}

/* pool:seat() -> seat, number | nil, message */
static int pool_seat(lua_State *L)
{
    uint32_t number;
    int r = mpr_pool_seat(self(L), &number);

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushinteger(L, r);
    lua_pushinteger(L, number);
    return 2;
}

/* pool:bury(seat, exitcode) */
static int pool_bury(lua_State *L)
{
    mpr_pool *p = self(L);

    mpr_pool_bury(p, (uint32_t)luaL_checkinteger(L, 2),
                  (int)luaL_checkinteger(L, 3));
    return 0;
}

static int pool_retire(lua_State *L)
{
    mpr_pool_retire(self(L), (uint32_t)luaL_checkinteger(L, 2));
    return 0;
}

/* pool:look(seat) -> state, number, pid, busy, weary, tasks, seconds it was
 * busy, seconds since it came | nothing */
static int pool_look(lua_State *L)
{
    static const char *const seats[] = {"empty", "starting", "live", "left",
                                        "ended"};
    struct mpr_seat_stats s;

    if (mpr_pool_look(self(L), (uint32_t)luaL_checkinteger(L, 2), &s) < 0)
        return 0;
    lua_pushstring(L, seats[s.state]);
    lua_pushinteger(L, s.number);
    lua_pushinteger(L, s.pid);
    lua_pushboolean(L, s.busy);
    lua_pushboolean(L, s.weary);
    lua_pushinteger(L, (lua_Integer)s.tasks);
    lua_pushnumber(L, (lua_Number)s.busy_ns / 1e9);
    lua_pushnumber(L, (lua_Number)(mpr_now() - s.entered_ns) / 1e9);
    return 8;
}

/* pool:interrupt(seat, job, index) */
static int pool_interrupt(lua_State *L)
{
    mpr_pool *p = self(L);

    mpr_pool_interrupt(p, (uint32_t)luaL_checkinteger(L, 2),
                       mpl_check_job(L, 3), (uint32_t)luaL_checkinteger(L, 4));
    return 0;
}

static int pool_pending(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)mpr_pool_pending(self(L)));
    return 1;
}

static int pool_deaths(lua_State *L)
{
    lua_pushinteger(L, mpr_pool_deaths(self(L)));
    return 1;
}

static int pool_is_mine(lua_State *L)
{
    lua_pushboolean(L, mpr_pool_is_mine(self(L)));
    return 1;
}

static int pool_id(lua_State *L)
{
    const struct mpl_pool *ud = mpl_checkself(L, &class);

    lua_pushinteger(L, (lua_Integer)mpr_handle_id(ud->o.handle));
    return 1;
}

static int pool_is_open(lua_State *L)
{
    const struct mpl_pool *ud = luaL_checkudata(L, 1, class.name);

    lua_pushboolean(L, mpl_object_is_open(&ud->o));
    return 1;
}

static const luaL_Reg methods[] = {
    {"state", pool_state},
    {"shut", pool_shut},
    {"break_", pool_break},
    {"why", pool_why},
    {"seat", pool_seat},
    {"bury", pool_bury},
    {"interrupt", pool_interrupt},
    {"retire", pool_retire},
    {"look", pool_look},
    {"pending", pool_pending},
    {"deaths", pool_deaths},
    {"is_mine", pool_is_mine},
    {"id", pool_id},
    {"is_open", pool_is_open},
    {"close", mpl_object_gc},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.core.Pool",
    .type = "Pool",
    .size = sizeof(struct mpl_pool),
    .handle = offsetof(struct mpl_pool, pool.h),
    .kind = MPR_KIND_POOL,
    .methods = methods,
    .attach = attach,
};

/* core.worker_count() -> workers of pools that live in this family */
static int worker_count(lua_State *L)
{
    lua_pushinteger(L, mpr_worker_count());
    return 1;
}

void mpl_open_pool(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Pool", pool_new},
        {"worker_count", worker_count},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
    mpl_open_job(L, S);
    mpl_open_worker(L);
}
