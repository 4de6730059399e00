#include "given.h"

#include "object.h"

#include <string.h>

/* Following more values than this takes longer than the fork itself. */
enum { MOST = 50000 };

/* Lua tables: the queue of values that are met and not followed yet, and the
 * tables with weak keys, whose values count as far as their keys are met. */
struct walk {
    struct mpl_given *g;
    int queue;
    lua_Integer head, tail;
    int ephemerons;
    lua_Integer count;
};

/* Takes the value on the stack's top off it. */
static void meet(lua_State *L, struct walk *w)
{
    uint64_t unused = 0;
    int met;

    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
    case LUA_TUSERDATA:
    case LUA_TFUNCTION:
    case LUA_TTHREAD:
        break;
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

/* Whether the value at idx, a key of a table, is of those that are met. */
static bool is_met(lua_State *L, const struct walk *w, int idx)
{
    struct mpl_seen_entry *e;

    switch (lua_type(L, idx)) {
    case LUA_TTABLE:
    case LUA_TUSERDATA:
    case LUA_TFUNCTION:
    case LUA_TTHREAD:
        return mpl_seen_find(&w->g->seen, lua_topointer(L, idx), &e);
    }
    return true;
}

/* The table at t. Of an ephemeron: the values of the keys met so far. */
static void follow_entries(lua_State *L, int t, struct walk *w, bool weak_keys,
                           bool weak_values)
{
    lua_pushnil(L);
    while (!w->g->all && lua_next(L, t)) {
        if (weak_values || (weak_keys && !is_met(L, w, -2)))
            lua_pop(L, 1);
        else
            meet(L, w);
        if (!weak_keys) {
            lua_pushvalue(L, -1);
            meet(L, w);
        }
    }
}

static void follow_table(lua_State *L, int t, struct walk *w)
{
    bool weak_keys = false, weak_values = false;

    if (luaL_getmetafield(L, t, "__mode") == LUA_TSTRING) {
        weak_keys = strchr(lua_tostring(L, -1), 'k') != NULL;
        weak_values = strchr(lua_tostring(L, -1), 'v') != NULL;
    }
    lua_settop(L, t);
    if (weak_keys && !weak_values) {
        lua_pushvalue(L, t);
        lua_rawseti(L, w->ephemerons, ++w->count);
    } else {
        follow_entries(L, t, w, weak_keys, weak_values);
    }
}

/* Takes what is on co's top, too. */
static void meet_of(lua_State *L, lua_State *co, struct walk *w)
{
    lua_xmove(co, L, 1);
    meet(L, w);
}

/* A coroutine of the child's that does not run: what its functions have in
 * variables, in arguments beyond those and in between, and before its start,
 * or after its end, what lies on its stack. Those that are under way in the
 * parent are never returned to. */
static void follow_thread(lua_State *L, struct walk *w)
{
    lua_State *co = lua_tothread(L, -1);
    lua_Debug ar;
    int n;

    if (co == L)
        return;
    if (!lua_checkstack(co, 2)) {
        w->g->all = true;
        return;
    }
    for (int level = 0; lua_getstack(co, level, &ar); level++) {
        lua_getinfo(co, "f", &ar);
        meet_of(L, co, w);
        for (n = 1; lua_getlocal(co, &ar, n); n++)
            meet_of(L, co, w);
        for (n = -1; lua_getlocal(co, &ar, n); n--)
            meet_of(L, co, w);
    }
    for (n = lua_gettop(co); n > 0; n--) {
        lua_pushvalue(co, n);
        meet_of(L, co, w);
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
    case LUA_TTHREAD:
        follow_thread(L, w);
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

static void follow_queue(lua_State *L, struct walk *w)
{
    while (!w->g->all && w->head < w->tail) {
        lua_rawgeti(L, w->queue, ++w->head);
        lua_pushnil(L);
        lua_rawseti(L, w->queue, w->head);
        follow(L, w);
    }
}

/* Until no further value is met. */
static void follow_all(lua_State *L, struct walk *w)
{
    follow_queue(L, w);
    for (lua_Integer i = 1; !w->g->all && i <= w->count; i++) {
        lua_rawgeti(L, w->ephemerons, i);
        follow_entries(L, lua_gettop(L), w, true, false);
        lua_pop(L, 1);
        if (w->head < w->tail) {
            follow_queue(L, w);
            i = 0; /* keys of earlier ones may have been among them */
        }
    }
}

static int gc(lua_State *L)
{
    struct mpl_given *g = lua_touserdata(L, 1);

    mpl_seen_free(&g->seen);
    return 0;
}

struct mpl_given *mpl_given_push(lua_State *L, struct mpl_state *S, int given,
                                 int kept, int left)
{
    struct walk w = {0};
    uint64_t unused = 0;

    if (S->connections == 0) {
        lua_pushnil(L);
        return NULL;
    }
    luaL_checkstack(L, 12, NULL);
    w.g = lua_newuserdatauv(L, sizeof *w.g, 0);
    *w.g = (struct mpl_given){.seen = {.stamp = 1}};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);

    lua_newtable(L);
    w.queue = lua_gettop(L);
    lua_newtable(L);
    w.ephemerons = lua_gettop(L);
    /* As if they were followed already. */
    for (int i = 0; i < left; i++)
        if (mpl_seen_add(&w.g->seen, lua_topointer(L, given + kept + i),
                         &unused) < 0)
            w.g->all = true;
    for (int i = 0; i < kept; i++) {
        lua_pushvalue(L, given + i);
        meet(L, &w);
    }
    lua_pushglobaltable(L);
    meet(L, &w);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    meet(L, &w);
    follow_all(L, &w);
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
