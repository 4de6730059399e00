/* Guards and `with`: what was taken is given up when a scope is left. */

#include "sync.h"

static const char NAME[] = "mp.Guard";

struct guard {
    const char *magic; /* NAME's address: what a guard is known by */
    const struct mpl_guarded *guarded;
    struct mpl_object *o; /* the guard's user value keeps it */
};

static int guard_close(lua_State *L)
{
    const struct guard *g = lua_touserdata(L, 1);
    const struct mpl_state *S = mpl_self(L);

    if (!g || lua_rawlen(L, 1) != sizeof *g || g->magic != NAME)
        return luaL_typeerror(L, 1, NAME);
    /* Nothing to give up any more (somebody else released the lock): so be
     * it. */
    if (mpl_object_is_open(g->o) && S->actor)
        g->guarded->drop(g->o, S->actor);
    return 0;
}

static int guard_tostring(lua_State *L)
{
    const struct guard *g = luaL_checkudata(L, 1, NAME);

    lua_pushfstring(L, "%s: %p (of %s)", NAME, (const void *)g,
                    luaL_tolstring(L, (lua_getiuservalue(L, 1, 1), -1), NULL));
    return 1;
}

static void push_metatable(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__close", guard_close},
        {"__tostring", guard_tostring},
        {NULL, NULL},
    };

    if (!luaL_newmetatable(L, NAME))
        return;
    mpl_state_push(L);
    luaL_setfuncs(L, meta, 1);
    lua_pushstring(L, NAME);
    lua_setfield(L, -2, "__metatable");
}

/* Pushes the guard of the object at index 1. */
static void push_guard(lua_State *L, struct mpl_object *o,
                       const struct mpl_guarded *guarded)
{
    struct guard *g;

    if (lua_getiuservalue(L, 1, MPL_GUARD) == LUA_TUSERDATA)
        return;
    lua_pop(L, 1);
    g = lua_newuserdatauv(L, sizeof *g, 1);
    *g = (struct guard){.magic = NAME, .guarded = guarded, .o = o};
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    push_metatable(L);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, MPL_GUARD);
}

/* Takes it; the guard is on the top. */
static int take(lua_State *L, struct mpl_object *o, const struct mpl_guarded *g,
                int64_t deadline)
{
    int r = g->hold(o, mpl_actor(L, mpl_self(L)), deadline);

    return r == 0 ? 0 : mpl_wait_more(L, o, g->hold, deadline, r);
}

int mpl_hold_method(lua_State *L, const struct mpl_guarded *g)
{
    struct mpl_object *o = mpl_checkself(L, g->class);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r;

    push_guard(L, o, g); /* first: it may fail for lack of memory */
    r = take(L, o, g, deadline);
    if (r == 0)
        return 1;
    if (r != -EOWNERDEAD)
        return mpl_outcome(L, r);
    lua_pushstring(L, mpr_err_word(r));
    return 2;
}

static int finish_with(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L) - 2;
}

int mpl_with_method(lua_State *L, const struct mpl_guarded *g)
{
    struct mpl_object *o = mpl_checkself(L, g->class);
    int r;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    push_guard(L, o, g);
    lua_insert(L, 2);
    r = take(L, o, g, MPR_FOREVER);
    if (r < 0 && r != -EOWNERDEAD)
        return mpl_outcome(L, r);
    lua_toclose(L, 2);
    lua_callk(L, lua_gettop(L) - 3, LUA_MULTRET, 0, finish_with);
    return finish_with(L, LUA_OK, 0);
}
