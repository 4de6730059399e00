/* mp.Condition: its lock is an object of its own, an RLock unless another one
 * was given, and acquire, release, hold, with, locked and owner are that
 * lock's. */

#include "sync.h"

#include <string.h>

struct condition {
    struct mpl_object o;
    mpr_condition c;
};

enum { LOCK = 1 }; /* user value: the lock's userdata */

static const struct mpl_class class;

/* Pushes the lock of the condition at index 1, and says what it can do. */
static const struct mpl_lock_methods *push_lock(lua_State *L)
{
    const struct condition *c = mpl_checkself(L, &class);
    const struct mpl_object *lock;
    mpr_handle h;
    int r;

    if (lua_getiuservalue(L, 1, LOCK) != LUA_TUSERDATA ||
        !mpl_object_is_open(lua_touserdata(L, -1))) {
        lua_pop(L, 1);
        r = mpr_condition_lock(&c->c, &h);
        if (r < 0)
            mpl_raise(L, r, class.name);
        mpl_object_adopt(L, mpl_self(L), &h);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, LOCK);
    }
    lock = lua_touserdata(L, -1);
    return lock->class == &mpl_rlock_class ? &mpl_rlock_methods
                                           : &mpl_lock_methods;
}

/* Puts the lock in the condition's place among the arguments. */
static const struct mpl_lock_methods *as_lock(lua_State *L)
{
    const struct mpl_lock_methods *m = push_lock(L);

    lua_replace(L, 1);
    return m;
}

static int condition_acquire(lua_State *L)
{
    return as_lock(L)->acquire(L);
}

static int condition_release(lua_State *L)
{
    return as_lock(L)->release(L);
}

static int condition_hold(lua_State *L)
{
    return as_lock(L)->hold(L);
}

static int condition_with(lua_State *L)
{
    return as_lock(L)->with(L);
}

static int condition_locked(lua_State *L)
{
    return as_lock(L)->locked(L);
}

static int condition_owner(lua_State *L)
{
    return as_lock(L)->owner(L);
}

/* ---- waiting ----------------------------------------------------------------*/

/* The error on the top ends the wait: not counted, and with the lock, unless a
 * second signal's hook raises while that is waited for. */
static void raise_out(lua_State *L, struct mpl_state *S, mpr_condition *c,
                      struct mpr_condition_wait *w)
{
    while (mpr_condition_cancel(c, S->actor, w) == -EINTR)
        if (mpl_interrupted_protected(L, S) != LUA_OK)
            break;
    mpr_handle_close(&c->h);
    lua_error(L);
}

/* Goes on with a wait that was interrupted. A handle of its own keeps the
 * condition, whatever the signal's hook does. */
static int go_on(lua_State *L, struct condition *c,
                 struct mpr_condition_wait *w, int64_t deadline_ns)
{
    struct mpl_state *S = mpl_self(L);
    mpr_condition kept = {.seat = c->c.seat};
    int r = mpr_handle_dup(&c->c.h, &kept.h);

    if (r < 0) {
        while (mpr_condition_cancel(&c->c, S->actor, w) == -EINTR)
            ;
        return r;
    }
    do {
        if (mpl_interrupted_protected(L, S) != LUA_OK)
            raise_out(L, S, &kept, w);
        r = mpr_condition_wait(&kept, S->actor, w, deadline_ns);
    } while (r == -EINTR);
    mpr_handle_close(&kept.h);
    return r;
}

static int wait(lua_State *L, struct condition *c, int64_t deadline_ns)
{
    struct mpr_condition_wait w = {0};
    int r =
        mpr_condition_wait(&c->c, mpl_actor(L, mpl_self(L)), &w, deadline_ns);

    if (r == -EINTR)
        r = go_on(L, c, &w, deadline_ns);
    if (r == -EPERM)
        return luaL_error(
            L, "attempt to wait for a condition whose lock is not owned");
    return r;
}

static int condition_wait(lua_State *L)
{
    struct condition *c = mpl_checkself(L, &class);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r = wait(L, c, deadline);

    if (r != 0)
        return mpl_outcome(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* What the predicate says is on the top. */
static int check(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    for (;;) {
        int64_t deadline = lua_tointeger(L, 3);
        int r;

        if (lua_toboolean(L, -1))
            return 1;
        lua_settop(L, 3);
        if (deadline <= mpr_now())
            return mpl_outcome(L, -ETIMEDOUT);
        r = wait(L, mpl_checkself(L, &class), deadline);
        if (r < 0 && r != -EOWNERDEAD && r != -ETIMEDOUT)
            return mpl_outcome(L, r);
        lua_pushvalue(L, 2);
        lua_callk(L, 0, 1, 0, check);
    }
}

/* c:wait_for(predicate [, timeout]) -> what it said at last | nil, "timeout" */
static int condition_wait_for(lua_State *L)
{
    int64_t deadline;

    mpl_checkself(L, &class);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    deadline = mpl_checktimeout(L, 3);
    lua_settop(L, 2);
    lua_pushinteger(L, deadline);
    lua_pushvalue(L, 2);
    lua_callk(L, 0, 1, 0, check);
    return check(L, LUA_OK, 0);
}

static int notify(lua_State *L, uint32_t count)
{
    struct condition *c = mpl_checkself(L, &class);
    int r = mpr_condition_notify(&c->c, mpl_actor(L, mpl_self(L)), count);

    if (r == -EPERM)
        return luaL_error(
            L, "attempt to notify a condition whose lock is not owned");
    if (r < 0)
        mpl_raise(L, r, NULL);
    lua_pushinteger(L, r);
    return 1;
}

/* c:notify([n]) -> how many were woken */
static int condition_notify(lua_State *L)
{
    lua_Integer count;

    mpl_checkself(L, &class);
    count = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, count >= 0, 2, "count must not be negative");
    return notify(L, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

static int condition_notify_all(lua_State *L)
{
    return notify(L, UINT32_MAX);
}

/* ---- the object -------------------------------------------------------------*/

static int condition_tostring(lua_State *L)
{
    const struct condition *c = mpl_checkclosed(L, &class);
    const struct mpl_lock_methods *m;
    const struct mpl_object *lock;

    if (!mpl_object_is_open(&c->o))
        return mpl_describe(L, &c->o, NULL);
    m = push_lock(L);
    lock = lua_touserdata(L, -1);
    return mpl_describe(L, &c->o, m->state(L, lock));
}

/*** mp.Condition([lock [, options]]): where owners of a lock wait for each
 * other. lock: an mp.Lock or mp.RLock, otherwise an RLock of its own. options:
 * name, for messages. */
static int condition_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    int options = lua_istable(L, 1) && lua_isnone(L, 2) ? 1 : 2;
    const struct mpl_object *lock = NULL;
    struct condition *c;
    const char *name;
    int r;

    if (options == 2 && !lua_isnoneornil(L, 1)) {
        lock = mpl_object_test(L, S, 1);
        if (!lock ||
            (lock->class != &mpl_lock_class && lock->class != &mpl_rlock_class))
            return luaL_typeerror(L, 1, "mp.Lock or mp.RLock");
        luaL_argcheck(L, mpl_object_is_open(lock), 1, "lock is closed");
    }
    name = mpl_optname(L, options);
    c = mpl_object_new(L, S, &class);
    r = mpr_condition_create(&c->c, lock ? lock->handle : NULL, name);
    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, S, &c->o);
    if (lock) {
        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, LOCK);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"acquire", condition_acquire},
    {"close", mpl_object_gc},
    {"release", condition_release},
    {"hold", condition_hold},
    {"with", condition_with},
    {"locked", condition_locked},
    {"owner", condition_owner},
    {"wait", condition_wait},
    {"wait_for", condition_wait_for},
    {"notify", condition_notify},
    {"notify_all", condition_notify_all},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", condition_tostring},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.Condition",
    .type = "Condition",
    .size = sizeof(struct condition),
    .handle = offsetof(struct condition, c.h),
    .user_values = 1,
    .kind = MPR_KIND_CONDITION,
    .methods = methods,
    .meta = meta,
};

void mpl_open_condition(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Condition", condition_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
