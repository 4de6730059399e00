/* mp.RLock */

#include "sync.h"

struct rlock {
    struct mpl_object o;
    mpr_rlock lock;
};

static mpr_rlock *of(struct mpl_object *o)
{
    return &((struct rlock *)(void *)o)->lock;
}

static int acquire(struct mpl_object *o, uint32_t actor, int64_t deadline_ns)
{
    return mpr_rlock_acquire(of(o), actor, deadline_ns);
}

static int drop(struct mpl_object *o, uint32_t actor)
{
    return mpr_rlock_release(of(o), actor);
}

static const struct mpl_guarded guarded = {&mpl_rlock_class, acquire, drop};

static int rlock_acquire(lua_State *L)
{
    return mpl_wait_method(L, &mpl_rlock_class, acquire);
}

static int rlock_release(lua_State *L)
{
    struct rlock *l = mpl_checkself(L, &mpl_rlock_class);
    int r = mpr_rlock_release(&l->lock, mpl_actor(L, mpl_self(L)));

    if (r == -EPERM)
        return luaL_error(L, "attempt to release an RLock that is not owned");
    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

static int rlock_hold(lua_State *L)
{
    return mpl_hold_method(L, &guarded);
}

static int rlock_with(lua_State *L)
{
    return mpl_with_method(L, &guarded);
}

static int rlock_locked(lua_State *L)
{
    const struct rlock *l = mpl_checkself(L, &mpl_rlock_class);

    lua_pushboolean(L, mpr_rlock_locked(&l->lock));
    return 1;
}

static int rlock_owner(lua_State *L)
{
    const struct rlock *l = mpl_checkself(L, &mpl_rlock_class);
    struct mpr_holder holder;

    return mpl_push_owner(L, mpr_rlock_owner(&l->lock, &holder), &holder);
}

static const char *state(lua_State *L, const struct mpl_object *o)
{
    const struct rlock *l = (const struct rlock *)(const void *)o;
    struct mpr_holder holder;
    int owned = mpr_rlock_owner(&l->lock, &holder);
    lua_Integer depth = mpr_rlock_depth(&l->lock);
    const char *by = mpl_held_by(L, owned, &holder);

    if (!owned || depth <= 1)
        return by;
    return lua_pushfstring(L, "%s, %I times", by, depth);
}

static int rlock_tostring(lua_State *L)
{
    const struct rlock *l = mpl_checkclosed(L, &mpl_rlock_class);

    return mpl_describe(L, &l->o,
                        mpl_object_is_open(&l->o) ? state(L, &l->o) : NULL);
}

static void release(struct mpl_state *S, struct mpl_object *o)
{
    mpr_rlock_abandon(of(o), S->actor);
}

/*** mp.RLock([options]): a lock that its owner may acquire again, and releases
 * as often. options: name, for messages. */
static int rlock_new(lua_State *L)
{
    const char *name = mpl_optname(L, 1);
    struct rlock *l = mpl_object_new(L, mpl_self(L), &mpl_rlock_class);
    int r = mpr_rlock_create(&l->lock, name);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &l->o);
    return 1;
}

static const luaL_Reg methods[] = {
    {"acquire", rlock_acquire}, {"close", mpl_object_gc},
    {"release", rlock_release}, {"hold", rlock_hold},
    {"with", rlock_with},       {"locked", rlock_locked},
    {"owner", rlock_owner},     {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", rlock_tostring},
    {NULL, NULL},
};

const struct mpl_class mpl_rlock_class = {
    .name = "mp.RLock",
    .type = "RLock",
    .size = sizeof(struct rlock),
    .handle = offsetof(struct rlock, lock.h),
    .user_values = 1,
    .kind = MPR_KIND_RLOCK,
    .methods = methods,
    .meta = meta,
    .release = release,
};

const struct mpl_lock_methods mpl_rlock_methods = {
    .acquire = rlock_acquire,
    .release = rlock_release,
    .hold = rlock_hold,
    .with = rlock_with,
    .locked = rlock_locked,
    .owner = rlock_owner,
    .state = state,
};

void mpl_open_rlock(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"RLock", rlock_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_rlock_class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
