/* mp.Barrier. Its action is a Lua function: the process that made the barrier
 * (and its forked children) call it as it is, others as it travels, with what
 * its upvalues were when the barrier was made. */

#include "receive.h"
#include "sync.h"
#include "value.h"

#include <string.h>

struct barrier {
    struct mpl_object o;
    mpr_barrier b;
};

enum {
    ACTION = 1, /* user values: the function; false: none; nil: not known */
    VISIT = 2,  /* the visit that is used again */
};

static const struct mpl_class class;

/* ---- a visit -----------------------------------------------------------------
 * One wait, as a to-be-closed value: however wait is left, the party is not
 * inside any more. */

static const char VISIT_NAME[] = "mp.Barrier.visit";

struct visit {
    mpr_barrier kept; /* keeps the barrier while Lua code runs inside */
    mpr_handle note;  /* the action's, while it is read */
    struct mpr_barrier_visit v;
};

static int visit_close(lua_State *L)
{
    struct visit *visit = luaL_checkudata(L, 1, VISIT_NAME);

    mpr_handle_close(&visit->note);
    if (visit->kept.h.block) {
        mpr_barrier_leave(&visit->kept, &visit->v);
        mpr_handle_close(&visit->kept.h);
    }
    return 0;
}

static void set_metatable(lua_State *L)
{
    if (luaL_newmetatable(L, VISIT_NAME)) {
        lua_pushcfunction(L, visit_close);
        lua_setfield(L, -2, "__close");
        lua_pushcfunction(L, visit_close);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
}

/* Pushes a visit that is not in use, of the barrier at index 1. */
static struct visit *push_visit(lua_State *L)
{
    struct visit *visit;

    if (lua_getiuservalue(L, 1, VISIT) == LUA_TUSERDATA) {
        visit = lua_touserdata(L, -1);
        if (visit->v.phase == 0 && !visit->kept.h.block)
            return visit;
    }
    lua_pop(L, 1);
    visit = lua_newuserdatauv(L, sizeof *visit, 0);
    memset(visit, 0, sizeof *visit);
    set_metatable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, VISIT);
    return visit;
}

/* Before Lua code runs inside: it may close the barrier. */
static int keep(struct barrier *b, struct visit *visit)
{
    int r;

    if (visit->kept.h.block)
        return 0;
    r = mpr_handle_dup(&b->b.h, &visit->kept.h);
    if (r < 0)
        mpr_barrier_leave(&b->b, &visit->v);
    else
        visit->kept.seat = b->b.seat;
    return r;
}

/* ---- the action ----------------------------------------------------------------*/

static int read_note(void *from, struct mpr_message *m, uint64_t max,
                     int64_t deadline_ns)
{
    (void)max;
    (void)deadline_ns;
    return mpr_note_read(from, m);
}

/* Pushes the action as it travelled. What could not travel is its error. */
static void receive_action(lua_State *L, struct visit *visit)
{
    int r =
        mpl_receive(L, mpl_self(L), read_note, &visit->note, 0, MPL_FUNCTIONS);

    mpr_handle_close(&visit->note);
    if (r < 0)
        mpl_raise(L, r, "action");
    if (!lua_isfunction(L, -1))
        luaL_error(L, "%s", lua_tostring(L, -1));
}

/* Pushes the barrier's action, or false. */
static void push_action(lua_State *L, struct visit *visit)
{
    int r;

    if (lua_getiuservalue(L, 1, ACTION) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    r = mpr_barrier_extra(&visit->kept, &visit->note);
    if (r == -ENOENT) {
        lua_pushboolean(L, 0);
    } else if (r < 0) {
        mpl_raise(L, r, "action");
    } else {
        receive_action(L, visit);
    }
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, ACTION);
}

static int encode_action(lua_State *L)
{
    mpl_encode(L, 2, lua_touserdata(L, 1), MPL_FUNCTIONS, "action");
    return 0;
}

/* Makes a note of the action at index 2, for those it must travel to; if it
 * cannot travel, of why. */
static int note_action(lua_State *L, struct mpl_state *S, mpr_note *note)
{
    struct mpr_parcel parcel;

    lua_pushcfunction(L, encode_action);
    lua_pushlightuserdata(L, S);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        luaL_tolstring(L, -1, NULL);
        mpl_encode(L, -1, S, 0, "error");
        lua_pop(L, 2);
    }
    mpl_codec_parcel(S, &parcel);
    return mpr_note_create(note, &parcel);
}

/* ---- waiting --------------------------------------------------------------------*/

static int answer(lua_State *L, int r)
{
    if (r < 0)
        return mpl_outcome(L, r);
    lua_pushinteger(L, r);
    return 1;
}

/* The action has returned; the visit is at index 3. */
static int pass(lua_State *L, int status, lua_KContext context)
{
    struct visit *visit = lua_touserdata(L, 3);

    (void)status;
    (void)context;
    return answer(L, mpr_barrier_pass(&visit->kept, &visit->v));
}

/* The last to come, at a barrier that has an action or may have one. */
static int act(lua_State *L, struct barrier *b, struct visit *visit)
{
    int r = keep(b, visit);

    if (r < 0)
        return answer(L, r);
    push_action(L, visit);
    if (!lua_toboolean(L, -1))
        return pass(L, LUA_OK, 0);
    lua_callk(L, 0, 0, 0, pass);
    return pass(L, LUA_OK, 0);
}

static bool has_no_action(lua_State *L)
{
    bool none = lua_getiuservalue(L, 1, ACTION) == LUA_TBOOLEAN;

    lua_pop(L, 1);
    return none;
}

static int64_t deadline_of(lua_State *L, const struct barrier *b)
{
    int64_t timeout;

    if (!lua_isnoneornil(L, 2))
        return mpl_checktimeout(L, 2);
    timeout = mpr_barrier_timeout(&b->b);
    if (timeout == MPR_FOREVER)
        return timeout;
    return timeout <= 0 ? 0 : mpr_now() + timeout;
}

/* b:wait([timeout]) -> 1 … parties | nil, "broken" */
static int barrier_wait(lua_State *L)
{
    struct barrier *b = mpl_checkself(L, &class);
    struct mpl_state *S = mpl_self(L);
    int64_t deadline = deadline_of(L, b);
    struct visit *visit;
    int r;

    lua_settop(L, 2);
    visit = push_visit(L);
    lua_toclose(L, 3);
    r = mpr_barrier_wait(&b->b, mpl_actor(L, S), &visit->v, deadline);
    while (r == -EINTR) {
        r = keep(b, visit);
        if (r < 0)
            break;
        mpl_interrupted(L, S);
        r = mpr_barrier_wait(&visit->kept, S->actor, &visit->v, deadline);
    }
    if (r != MPR_BARRIER_LAST)
        return answer(L, r);
    if (has_no_action(L))
        return answer(L, mpr_barrier_pass(&b->b, &visit->v));
    return act(L, b, visit);
}

static int barrier_abort(lua_State *L)
{
    struct barrier *b = mpl_checkself(L, &class);
    int r = mpr_barrier_abort(&b->b);

    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

static int barrier_reset(lua_State *L)
{
    struct barrier *b = mpl_checkself(L, &class);
    int r = mpr_barrier_reset(&b->b);

    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

/* ---- the object -----------------------------------------------------------------*/

static bool property(lua_State *L, struct mpl_object *o, const char *key)
{
    const mpr_barrier *b = &((struct barrier *)(void *)o)->b;
    bool parties = strcmp(key, "parties") == 0;
    bool waiting = strcmp(key, "n_waiting") == 0;

    if (!parties && !waiting && strcmp(key, "broken") != 0)
        return false;
    if (!mpl_object_is_open(o))
        mpl_object_bad(L, o->class);
    if (parties)
        lua_pushinteger(L, mpr_barrier_parties(b));
    else if (waiting)
        lua_pushinteger(L, mpr_barrier_waiting(b));
    else
        lua_pushboolean(L, mpr_barrier_is_broken(b));
    return true;
}

static int barrier_tostring(lua_State *L)
{
    const struct barrier *b = mpl_checkclosed(L, &class);

    if (!mpl_object_is_open(&b->o))
        return mpl_describe(L, &b->o, NULL);
    if (mpr_barrier_is_broken(&b->b))
        return mpl_describe(L, &b->o, "broken");
    lua_pushfstring(L, "%I of %I waiting",
                    (lua_Integer)mpr_barrier_waiting(&b->b),
                    (lua_Integer)mpr_barrier_parties(&b->b));
    return mpl_describe(L, &b->o, lua_tostring(L, -1));
}

/* The nanoseconds of a timeout in seconds. */
static int64_t check_default(lua_State *L, int arg)
{
    int64_t deadline = mpl_checktimeout(L, arg);
    int64_t now = mpr_now();

    if (deadline == MPR_FOREVER)
        return deadline;
    luaL_argcheck(L, lua_tonumber(L, arg) >= 0, arg,
                  "timeout must not be negative");
    return deadline > now ? deadline - now : 0;
}

/*** mp.Barrier(parties [, action [, timeout [, options]]]): where so many
 * parties wait for each other. action: called by the last one before all go on.
 * timeout: seconds, of waits that name none. options: name, for messages. */
static int barrier_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    lua_Integer parties = luaL_checkinteger(L, 1);
    int last = lua_gettop(L);
    int options = last >= 2 && last <= 3 && lua_istable(L, last) ? last : 4;
    struct mpr_barrier_options o = {.timeout_ns = MPR_FOREVER};
    struct barrier *b;
    mpr_note note = {0};
    int r = 0;

    luaL_argcheck(L, parties >= 1, 1, "at least one party expected");
    luaL_argcheck(L, parties < 1 << 24, 1, "too many parties");
    if (options > 2 && !lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    if (options > 3)
        o.timeout_ns = check_default(L, 3);
    o.name = mpl_optname(L, options);
    o.parties = (uint32_t)parties;
    b = mpl_object_new(L, S, &class);
    if (lua_isfunction(L, 2))
        lua_pushvalue(L, 2);
    else
        lua_pushboolean(L, 0);
    lua_setiuservalue(L, -2, ACTION);
    if (lua_isfunction(L, 2)) {
        r = note_action(L, S, &note);
        o.extra = &note.h;
    }
    if (r == 0)
        r = mpr_barrier_create(&b->b, &o);
    mpr_note_close(&note);
    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, S, &b->o);
    return 1;
}

static const luaL_Reg methods[] = {
    {"wait", barrier_wait},
    {"close", mpl_object_gc},
    {"abort", barrier_abort},
    {"reset", barrier_reset},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", barrier_tostring},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.Barrier",
    .type = "Barrier",
    .size = sizeof(struct barrier),
    .handle = offsetof(struct barrier, b.h),
    .user_values = 2,
    .kind = MPR_KIND_BARRIER,
    .methods = methods,
    .meta = meta,
    .property = property,
};

void mpl_open_barrier(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Barrier", barrier_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
