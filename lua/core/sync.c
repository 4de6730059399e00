#include "sync.h"

int mpl_outcome(lua_State *L, int r)
{
    switch (r) {
    case 0:
        lua_pushboolean(L, 1);
        return 1;
    case -EOWNERDEAD:
        lua_pushboolean(L, 1);
        lua_pushstring(L, mpr_err_word(r));
        return 2;
    case -EDEADLK:
        return luaL_error(L, "%s", mpr_deadlock());
    case -ENOTRECOVERABLE:
        mpl_raise(L, r, NULL);
    case -EOVERFLOW:
        return luaL_error(L, "RLock acquired too many times");
    case -EUSERS:
        return luaL_error(L, "too many holders or waiters");
    }
    return mpl_fail(L, r);
}

int mpl_wait_more(lua_State *L, struct mpl_object *o, mpl_wait *wait,
                  int64_t deadline_ns, int r)
{
    struct mpl_state *S = mpl_self(L);

    while (r == -EINTR) {
        mpl_interrupted(L, S);
        if (!mpl_object_is_open(o)) /* the hook closed it */
            mpl_object_bad(L, o->class);
        r = wait(o, S->actor, deadline_ns);
    }
    return r;
}

int mpl_wait_on(lua_State *L, struct mpl_object *o, mpl_wait *wait,
                int64_t deadline_ns, int r)
{
    return mpl_outcome(L, mpl_wait_more(L, o, wait, deadline_ns, r));
}

static int interrupted(lua_State *L)
{
    mpl_interrupted(L, lua_touserdata(L, 1));
    return 0;
}

int mpl_interrupted_protected(lua_State *L, struct mpl_state *S)
{
    lua_pushcfunction(L, interrupted);
    lua_pushlightuserdata(L, S);
    return lua_pcall(L, 1, 0, 0);
}

int mpl_describe(lua_State *L, const struct mpl_object *o, const char *state)
{
    const char *label;

    if (!mpl_object_is_open(o)) {
        lua_pushfstring(L, "%s: %p (closed)", o->class->name, (const void *)o);
        return 1;
    }
    label = mpr_handle_label(o->handle);
    if (label[0])
        lua_pushfstring(L, "%s: %p ('%s', %s)", o->class->name, (const void *)o,
                        label, state);
    else
        lua_pushfstring(L, "%s: %p (%s)", o->class->name, (const void *)o,
                        state);
    return 1;
}

const char *mpl_held_by(lua_State *L, int owned,
                        const struct mpr_holder *holder)
{
    if (!owned)
        return lua_pushliteral(L, "free");
    return lua_pushfstring(L, "held by %s, pid %d", holder->name, holder->pid);
}

int mpl_push_owner(lua_State *L, int owned, const struct mpr_holder *holder)
{
    if (!owned) {
        luaL_pushfail(L);
        return 1;
    }
    lua_pushstring(L, holder->name);
    lua_pushinteger(L, holder->pid);
    return 2;
}

void mpl_open_sync(lua_State *L, struct mpl_state *S)
{
    mpl_open_lock(L, S);
    mpl_open_rlock(L, S);
    mpl_open_semaphore(L, S);
    mpl_open_condition(L, S);
    mpl_open_event(L, S);
    mpl_open_barrier(L, S);
}
