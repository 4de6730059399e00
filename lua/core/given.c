#include "given.h"

#include "object.h"

/* Following more values than this takes longer than the fork itself. */
enum { MOST = 50000 };

/* The queue of values that are met and not followed yet, a Lua table. */
struct walk {
    struct mpl_given *g;
    int queue;
    lua_Integer head, tail;
};

/* Takes the value on the stack's top off it. */
static void meet(lua_State *L, struct walk *w)
{
    uint64_t unused = 0;
    int met;

    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
    case LUA_TUSERDATA:
        break;
    case LUA_TFUNCTION:
        break;
    case LUA_TTHREAD:
        /* Its stack is not followed: unless it is over, it may hold any. */
        if (lua_status(lua_tothread(L, -1)) == LUA_YIELD)
            w->g->all = true;
        lua_pop(L, 1);
        return;
    default:
        lua_pop(L, 1);
        return;
    }
    met = mpl_seen_add(&w->g->seen, lua_topointer(L, -1), &unused);
    if (met < 0 || w->tail - w->head > MOST || w->g->seen.count > MOST)
        w->g->all = true;
    if (met == 0)
        lua_rawseti(L, w->queue, ++w->tail);
    else
        lua_pop(L, 1);
}

static void follow_table(lua_State *L, int t, struct walk *w)
{
    lua_pushnil(L);
    while (!w->g->all && lua_next(L, t)) {
        lua_pushvalue(L, -2);
        meet(L, w);
        meet(L, w);
    }
}

static void follow(lua_State *L, struct walk *w)
{
    int t = lua_gettop(L), n;

    switch (lua_type(L, t)) {
    case LUA_TTABLE:
        follow_table(L, t, w);
        break;
    case LUA_TFUNCTION:
        for (n = 1; lua_getupvalue(L, t, n); n++)
            meet(L, w);
        break;
    default: /* userdata */
        for (n = 1; lua_getiuservalue(L, t, n) != LUA_TNONE; n++)
            meet(L, w);
        lua_pop(L, 1);
    }
    lua_settop(L, t);
    if (lua_getmetatable(L, t))
        meet(L, w);
    lua_settop(L, t - 1);
}

static int gc(lua_State *L)
{
    struct mpl_given *g = lua_touserdata(L, 1);

    mpl_seen_free(&g->seen);
    return 0;
}

struct mpl_given *mpl_given_push(lua_State *L, struct mpl_state *S, int idx)
{
    struct walk w = {0};

    if (S->connections == 0) {
        lua_pushnil(L);
        return NULL;
    }
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 10, NULL);
    w.g = lua_newuserdatauv(L, sizeof *w.g, 0);
    *w.g = (struct mpl_given){.seen = {.stamp = 1}};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);

    lua_newtable(L);
    w.queue = lua_gettop(L);
    lua_pushvalue(L, idx);
    meet(L, &w);
    lua_pushglobaltable(L);
    meet(L, &w);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    meet(L, &w);
    while (!w.g->all && w.head < w.tail) {
        lua_rawgeti(L, w.queue, ++w.head);
        lua_pushnil(L);
        lua_rawseti(L, w.queue, w.head);
        follow(L, &w);
    }
    lua_settop(L, w.queue - 1);
    return w.g;
}

void mpl_given_close_others(lua_State *L, struct mpl_state *S,
                            const struct mpl_given *g)
{
    struct mpl_seen_entry *e;

    if (g->all)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->objects);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        struct mpl_object *o = lua_touserdata(L, -1);

        lua_pop(L, 1);
        if (o->class->kind == MPR_KIND_CONNECTION &&
            !mpl_seen_find(&g->seen, o, &e))
            mpl_object_close(S, o);
    }
    lua_pop(L, 1);
}
