/* mp.Lock */

#include "sync.h"

struct lock {
    struct mpl_object o;
    mpr_lock lock;
};

static mpr_lock *of(struct mpl_object *o)
{
    return &((struct lock *)(void *)o)->lock;
}

static int acquire(struct mpl_object *o, uint32_t actor, int64_t deadline_ns)
{
    return mpr_lock_acquire(of(o), actor, deadline_ns);
}

static int hold(struct mpl_object *o, uint32_t actor, int64_t deadline_ns)
{
    return mpr_lock_hold(of(o), actor, deadline_ns);
}

static int drop(struct mpl_object *o, uint32_t actor)
{
    return mpr_lock_drop(of(o), actor);
}

static const struct mpl_guarded guarded = {&mpl_lock_class, hold, drop};

static int lock_acquire(lua_State *L)
{
    return mpl_wait_method(L, &mpl_lock_class, acquire);
}

static int lock_release(lua_State *L)
{
    struct lock *l = mpl_checkself(L, &mpl_lock_class);
    int r = mpr_lock_release(&l->lock, mpl_actor(L, mpl_self(L)));

    if (r == -EPERM)
        return luaL_error(L, "attempt to release a free lock");
    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

static int lock_hold(lua_State *L)
{
    return mpl_hold_method(L, &guarded);
}

static int lock_with(lua_State *L)
{
    return mpl_with_method(L, &guarded);
}

static int lock_locked(lua_State *L)
{
    const struct lock *l = mpl_checkself(L, &mpl_lock_class);

    lua_pushboolean(L, mpr_lock_locked(&l->lock));
    return 1;
}

static int lock_owner(lua_State *L)
{
    const struct lock *l = mpl_checkself(L, &mpl_lock_class);
    struct mpr_holder holder;

    return mpl_push_owner(L, mpr_lock_owner(&l->lock, &holder), &holder);
}

static const char *state(lua_State *L, const struct mpl_object *o)
{
    const struct lock *l = (const struct lock *)(const void *)o;
    struct mpr_holder holder;

    return mpl_held_by(L, mpr_lock_owner(&l->lock, &holder), &holder);
}

static int lock_tostring(lua_State *L)
{
    const struct lock *l = mpl_checkclosed(L, &mpl_lock_class);

    return mpl_describe(L, &l->o,
                        mpl_object_is_open(&l->o) ? state(L, &l->o) : NULL);
}

static void release(struct mpl_state *S, struct mpl_object *o)
{
    mpr_lock_abandon(of(o), S->actor);
}

/*** mp.Lock([options]): one owner at a time, in whatever process. options:
 * name, for messages. */
static int lock_new(lua_State *L)
{
    const char *name = mpl_optname(L, 1);
    struct lock *l = mpl_object_new(L, mpl_self(L), &mpl_lock_class);
    int r = mpr_lock_create(&l->lock, name);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &l->o);
    return 1;
}

static const luaL_Reg methods[] = {
    {"acquire", lock_acquire}, {"close", mpl_object_gc},
    {"release", lock_release}, {"hold", lock_hold},
    {"with", lock_with},       {"locked", lock_locked},
    {"owner", lock_owner},     {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", lock_tostring},
    {NULL, NULL},
};

const struct mpl_class mpl_lock_class = {
    .name = "mp.Lock",
    .type = "Lock",
    .size = sizeof(struct lock),
    .handle = offsetof(struct lock, lock.h),
    .user_values = 1,
    .kind = MPR_KIND_LOCK,
    .methods = methods,
    .meta = meta,
    .release = release,
};

const struct mpl_lock_methods mpl_lock_methods = {
    .acquire = lock_acquire,
    .release = lock_release,
    .hold = lock_hold,
    .with = lock_with,
    .locked = lock_locked,
    .owner = lock_owner,
    .state = state,
};

void mpl_open_lock(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Lock", lock_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &mpl_lock_class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
