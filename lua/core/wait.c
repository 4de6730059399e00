/* mp.wait and what event loops ask of a waitable object. */

#include "wait.h"

#include "arg.h"
#include "object.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* What element i of the list at 1 stands for. Objects of the Lua half name an
 * object or a descriptor of theirs by __waitable. */
static void look_at(lua_State *L, struct mpl_state *S, lua_Integer i,
                    struct mpr_waitable *w)
{
    const struct mpl_object *o;

    memset(w, 0, sizeof *w);
    lua_geti(L, 1, i);
    if (luaL_getmetafield(L, -1, "__waitable") != LUA_TNIL) {
        lua_pushvalue(L, -2);
        lua_call(L, 1, 1);
        lua_replace(L, -2);
    }
    o = mpl_object_test(L, S, -1);
    if (o) {
        if (!mpl_object_is_open(o))
            luaL_error(L, "cannot wait for element %I (a closed %s)", i,
                       o->class->type);
        w->h = o->handle;
    } else if (lua_isinteger(L, -1)) {
        lua_Integer fd = lua_tointeger(L, -1);

        if (fd < 0 || fd > INT_MAX)
            luaL_error(L, "cannot wait for element %I (%I is no descriptor)", i,
                       fd);
        w->fd = (int)fd;
    } else {
        luaL_error(L, "cannot wait for element %I (a %s)", i,
                   luaL_typename(L, -1));
    }
    lua_pop(L, 1);
}

/* Appends the elements that are ready to a new list, each object once. */
static int push_ready(lua_State *L, const struct mpr_waitable *w,
                      lua_Integer count)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (lua_Integer i = 1; i <= count; i++) {
        bool twice = false;

        if (!w[i - 1].ready)
            continue;
        lua_geti(L, 1, i);
        for (lua_Integer j = 1; j <= n && !twice; j++) {
            lua_rawgeti(L, -2, j);
            twice = lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
        }
        if (twice)
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/*** Waits for the first of many: the list of those that are ready, the very
 * objects that were given; {} when time runs out. */
static int core_wait(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_waitable *w;
    int64_t deadline;
    lua_Integer count;
    int r;

    luaL_checktype(L, 1, LUA_TTABLE);
    deadline = mpl_checktimeout(L, 2);
    count = luaL_len(L, 1);
    w = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *w, 0);
    for (lua_Integer i = 1; i <= count; i++)
        look_at(L, S, i, &w[i - 1]);
    while ((r = mpr_wait(w, (size_t)count, deadline)) == -EINTR)
        mpl_interrupted(L, S);
    if (r == -EINVAL)
        return luaL_error(L, "an object in the list cannot be waited for");
    if (r < 0)
        mpl_raise(L, r, NULL);
    return push_ready(L, w, count);
}

static int bell(lua_State *L)
{
    int fd = mpr_bell();

    if (fd < 0)
        return mpl_fail(L, fd);
    lua_pushinteger(L, fd);
    return 1;
}

/* Methods that classes of waitable objects share. */

static struct mpl_object *waitable(lua_State *L)
{
    struct mpl_object *o = mpl_object_test(L, mpl_self(L), 1);

    luaL_argcheck(L, o != NULL, 1, "mp object expected");
    if (!mpl_object_is_open(o))
        luaL_error(L, "attempt to use a closed %s", o->class->type);
    return o;
}

/* A descriptor that is readable when the object may be ready. */
static int pollfd(lua_State *L)
{
    waitable(L);
    return bell(L);
}

static int events(lua_State *L)
{
    waitable(L);
    lua_pushliteral(L, "r");
    return 1;
}

/* 0 when it is ready; otherwise nil, and the descriptor will tell. */
static int object_timeout(lua_State *L)
{
    const struct mpl_object *o = waitable(L);
    int r;

    mpr_bell_clear();
    r = mpr_watch(o->handle);
    if (r < 0)
        mpl_raise(L, r, o->class->name);
    if (r == 0)
        return 0;
    lua_pushinteger(L, 0);
    return 1;
}

/* LuaSocket's select: true when it is ready, so that select does not sleep. */
static int dirty(lua_State *L)
{
    const struct mpl_object *o = waitable(L);
    int r;

    mpr_bell_clear();
    r = mpr_watch(o->handle);
    if (r < 0)
        mpl_raise(L, r, o->class->name);
    lua_pushboolean(L, r);
    return 1;
}

void mpl_set_waitable(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"pollfd", pollfd}, {"events", events}, {"timeout", object_timeout},
        {"getfd", pollfd},  {"dirty", dirty},   {NULL, NULL},
    };

    mpl_state_push(L);
    luaL_setfuncs(L, methods, 1);
}

void mpl_open_wait(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"wait", core_wait},
        {"getfd", bell},
        {NULL, NULL},
    };

    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
