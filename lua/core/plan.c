/* Notes (what the tasks of a job have in common) and plans (what the jobs of one
 * call have in common), by which jobs are made. */

#include "job.h"

#include "arg.h"
#include "value.h"

#include <errno.h>
#include <string.h>

static const char note_name[] = "mp.core.Note";
static const char plan_name[] = "mp.core.Plan";

/* A job has at most so many tasks, and starts with at most so many bytes: a
 * long list becomes several jobs, and what was read of them is freed. */
enum { TASKS_MAX = 1 << 16, BYTES_MAX = 16 << 20 };

/* Fewer integers in a row than this are not worth a job of their own. */
enum { RUN_MIN = 64 };

/* ---- notes ------------------------------------------------------------------ */

/* core.Note(…): the values, kept for workers. */
static int note_new(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    int n = lua_gettop(L);
    struct mpr_parcel parcel;
    mpr_note *note = lua_newuserdatauv(L, sizeof *note, 0);
    int r;

    memset(note, 0, sizeof *note);
    luaL_setmetatable(L, note_name);
    lua_insert(L, 1);
    mpl_encode_values(L, 2, n, S, MPL_FUNCTIONS, "function, options");
    mpl_codec_parcel(S, &parcel);
    r = mpr_note_create(note, &parcel);
    if (r < 0)
        mpl_raise(L, r, NULL);
    lua_settop(L, 1);
    return 1;
}

/* core.is_plain(f): whether what is sent of it is the same whenever it is: a C
 * function, a string, or a Lua function with no upvalues but the globals. */
static int is_plain(lua_State *L)
{
    bool plain = lua_isfunction(L, 1) || lua_type(L, 1) == LUA_TSTRING;

    lua_settop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    for (int i = 1; plain && lua_isfunction(L, 1) && !lua_iscfunction(L, 1) &&
                    lua_getupvalue(L, 1, i);
         i++) {
        plain = lua_rawequal(L, -1, 2);
        lua_pop(L, 1);
    }
    lua_pushboolean(L, plain);
    return 1;
}

/* core.new_list(n): an empty table with room. */
static int new_list(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);

    lua_createtable(L, n < 1 << 26 ? (int)n : 1 << 26, 1);
    return 1;
}

static int note_gc(lua_State *L)
{
    mpr_note_close(luaL_checkudata(L, 1, note_name));
    return 0;
}

/* ---- plans ------------------------------------------------------------------- */

enum { PLAN_POOL = 1, PLAN_NOTE = 2 }; /* user values */

static lua_Integer field(lua_State *L, const char *key)
{
    lua_Integer v;

    lua_getfield(L, 3, key);
    v = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return v;
}

struct mpl_plan *mpl_check_plan(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, plan_name);
}

/* core.Plan(pool, note or nil, {flags=, priority=, chunk=, timeout=, grace=,
 * seed=}): times in nanoseconds. */
static int plan_new(lua_State *L)
{
    mpr_pool *pool = mpl_check_pool(L, 1);
    mpr_note *note = lua_isnil(L, 2) ? NULL : luaL_checkudata(L, 2, note_name);
    struct mpl_plan *p;

    luaL_checktype(L, 3, LUA_TTABLE);
    p = lua_newuserdatauv(L, sizeof *p, 2);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, plan_name);
    p->pool = pool;
    p->o.common = note;
    p->o.flags = (unsigned)field(L, "flags");
    p->o.priority = (int)field(L, "priority");
    p->o.chunk = (uint32_t)field(L, "chunk");
    p->o.timeout_ns = field(L, "timeout");
    p->o.grace_ns = field(L, "grace");
    p->o.seed = (uint64_t)field(L, "seed");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, PLAN_POOL);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, PLAN_NOTE);
    return 1;
}

/* Pushes a job by the plan at idx 1, for so many tasks. */
static struct mpl_job *push_job(lua_State *L, struct mpl_plan *p,
                                enum mpr_tasks tasks, lua_Integer room,
                                lua_Integer bytes, lua_Integer number)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_job_options o = p->o;
    struct mpl_job *ud;
    int r;

    lua_getiuservalue(L, 1, PLAN_POOL); /* raises if it was closed */
    mpl_check_pool(L, -1);
    ud = mpl_object_new(L, S, &mpl_job_class);
    lua_replace(L, -2);
    o.tasks = tasks;
    o.room = (uint32_t)(room < TASKS_MAX ? room : TASKS_MAX);
    o.bytes = (uint64_t)bytes;
    o.number = (uint64_t)number;
    r = mpr_job_create(&ud->job, p->pool, &o);
    if (r < 0)
        mpl_raise(L, r, NULL);
    ud->room = o.room;
    mpl_object_opened(L, S, &ud->o);
    return ud;
}

/* Publishes what was added: 1 value on the stack (the job) and the number of
 * tasks in it. -> job, n | nil, why */
static int publish(lua_State *L, struct mpl_job *ud, lua_Integer n)
{
    int r = mpr_job_publish(&ud->job);

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushinteger(L, n);
    return 2;
}

/* plan:range(first, step, count, number) -> job, n: of its first n tasks */
static int plan_range(lua_State *L)
{
    struct mpl_plan *p = mpl_check_plan(L, 1);
    lua_Integer count = luaL_checkinteger(L, 4);
    struct mpl_job *ud;

    p->o.first = luaL_checkinteger(L, 2);
    p->o.step = luaL_checkinteger(L, 3);
    ud = push_job(L, p, MPR_TASKS_RANGE, count, 0, luaL_checkinteger(L, 5));
    mpr_job_seal(&ud->job);
    return publish(L, ud, ud->room);
}

/* As many as Lua's stack has room for. */
enum { MOST_ARGUMENTS = 1000000 };

int mpl_push_items(lua_State *L, int idx)
{
    lua_Integer n;

    lua_getfield(L, idx, "n");
    n = lua_isnil(L, -1)       ? luaL_len(L, idx)
        : lua_isinteger(L, -1) ? lua_tointeger(L, -1)
                               : -1;
    if (n < 0 || n > MOST_ARGUMENTS) {
        mpl_where(L);
        lua_pushliteral(L, "field 'n' of arguments must be a count");
        lua_concat(L, 2);
        lua_error(L);
    }
    lua_pop(L, 1);
    luaL_checkstack(L, (int)n + 10, "too many arguments");
    for (lua_Integer i = 1; i <= n; i++)
        lua_geti(L, idx, i);
    return n > 0 ? (int)n : 0;
}

int mpl_job_add_value(lua_State *L, struct mpl_plan *p, struct mpl_job *ud)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    int r;

    if (p->o.flags & MPL_JOB_SPREAD) {
        int top = lua_gettop(L), n;

        if (lua_type(L, top) != LUA_TTABLE)
            luaL_error(L, "arguments expected in a table, got %s",
                       luaL_typename(L, top));
        n = mpl_push_items(L, top);
        mpl_encode_values(L, top + 1, n, S, MPL_FUNCTIONS, "argument %d");
        lua_settop(L, top);
    } else {
        mpl_encode(L, -1, S, MPL_FUNCTIONS, "item");
    }
    mpl_codec_parcel(S, &parcel);
    r = mpr_job_add(&ud->job, &parcel);
    if (r == 0)
        p->each = (p->each * 15 + parcel.size * 16) / 16;
    else if (r != -ENOSPC)
        mpl_raise(L, r, NULL);
    return r;
}

/* How many bytes to begin with, for so many tasks. each: 16 times a task's. */
static lua_Integer guess(const struct mpl_plan *p, lua_Integer count)
{
    uint64_t each = p->each ? p->each / 8 + 8 : 64;
    uint64_t all;

    if (count > TASKS_MAX)
        count = TASKS_MAX;
    all = each * (uint64_t)count + (1 << 14);
    return (lua_Integer)(all < BYTES_MAX ? all : BYTES_MAX);
}

/* A job of the integers at the list's places from first on: how many there
 * were in a row, 0: too few, and nothing is pushed. */
static uint32_t try_integers(lua_State *L, struct mpl_plan *p,
                             lua_Integer first, lua_Integer last,
                             lua_Integer number)
{
    lua_Integer count = last - first + 1;
    struct mpl_job *ud;
    int64_t *v;
    uint32_t n = 0;

    if (p->o.flags & MPL_JOB_SPREAD || lua_geti(L, 2, first) != LUA_TNUMBER ||
        !lua_isinteger(L, -1))
        return 0;
    lua_pop(L, 1);
    ud = push_job(L, p, MPR_TASKS_INTEGERS, count, 0, number);
    v = mpr_job_integers(&ud->job, 0);
    for (; n < ud->room; n++) {
        lua_geti(L, 2, first + n);
        if (!lua_isinteger(L, -1))
            break;
        v[n] = lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    if (n < ud->room && n < RUN_MIN) {
        lua_settop(L, 5);
        return 0;
    }
    lua_settop(L, 6);
    mpr_job_integers(&ud->job, n);
    mpr_job_seal(&ud->job);
    return n;
}

/* plan:list(t, first, last, number) -> job, n: of the items t[first …]. What
 * cannot be sent raises, and nothing of it was published. */
static int plan_list(lua_State *L)
{
    struct mpl_plan *p = mpl_check_plan(L, 1);
    lua_Integer first = luaL_checkinteger(L, 3);
    lua_Integer last = luaL_checkinteger(L, 4);
    lua_Integer number = luaL_checkinteger(L, 5), count = last - first + 1;
    struct mpl_job *ud;
    uint32_t n;

    lua_settop(L, 5);
    n = try_integers(L, p, first, last, number);
    if (n)
        return publish(L, lua_touserdata(L, 6), n);
    lua_settop(L, 5);
    ud = push_job(L, p, MPR_TASKS_MESSAGES, count, guess(p, count), number);
    for (; n < ud->room; n++) {
        p->at = first + n;
        lua_geti(L, 2, first + n);
        if (mpl_job_add_value(L, p, ud) == -ENOSPC)
            break;
        lua_pop(L, 1);
    }
    lua_settop(L, 6);
    mpr_job_seal(&ud->job);
    return publish(L, ud, n);
}

/* plan:at() -> the item that list was at when it raised */
static int plan_at(lua_State *L)
{
    const struct mpl_plan *p = mpl_check_plan(L, 1);

    lua_pushinteger(L, p->at);
    return 1;
}

/* plan:open(room, bytes, number) -> job: empty, for job:push and job:pull */
static int plan_open(lua_State *L)
{
    struct mpl_plan *p = mpl_check_plan(L, 1);

    push_job(L, p, MPR_TASKS_MESSAGES, luaL_checkinteger(L, 2),
             luaL_optinteger(L, 3, guess(p, luaL_checkinteger(L, 2))),
             luaL_checkinteger(L, 4));
    return 1;
}

static void open_plain(lua_State *L, const char *name, const luaL_Reg *index,
                       const luaL_Reg *meta_methods)
{
    luaL_newmetatable(L, name);
    mpl_state_push(L);
    luaL_setfuncs(L, meta_methods, 1);
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void mpl_open_plan(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"Note", note_new},     {"Plan", plan_new}, {"is_plain", is_plain},
        {"new_list", new_list}, {NULL, NULL},
    };
    static const luaL_Reg none[] = {{NULL, NULL}};
    static const luaL_Reg note_meta[] = {{"__gc", note_gc}, {NULL, NULL}};
    static const luaL_Reg plan_methods[] = {
        {"range", plan_range}, {"list", plan_list}, {"open", plan_open},
        {"at", plan_at},       {NULL, NULL},
    };

    open_plain(L, note_name, none, note_meta);
    open_plain(L, plan_name, plan_methods, none);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
