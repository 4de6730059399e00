/* Jobs: notes (what tasks have in common), plans (what the jobs of one call
 * have in common), and the jobs themselves. */

#include "pool.h"

#include "arg.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
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
    mpl_encode_values(L, 2, n, S, MPL_FUNCTIONS, "function");
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

struct plan {
    struct mpr_job_options o;
    mpr_pool *pool;
    uint64_t each;  /* bytes of a task, times 16, from those that were seen */
    lua_Integer at; /* which item is in hand, from 1 */
};

enum { PLAN_POOL = 1, PLAN_NOTE = 2 }; /* user values */

static lua_Integer field(lua_State *L, const char *key)
{
    lua_Integer v;

    lua_getfield(L, 3, key);
    v = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return v;
}

/* core.Plan(pool, note or nil, {flags=, priority=, chunk=, timeout=, grace=,
 * seed=}): times in nanoseconds. */
static int plan_new(lua_State *L)
{
    mpr_pool *pool = mpl_check_pool(L, 1);
    mpr_note *note = lua_isnil(L, 2) ? NULL : luaL_checkudata(L, 2, note_name);
    struct plan *p;

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

/* ---- jobs --------------------------------------------------------------------- */

struct job {
    struct mpl_object o;
    mpr_job job;
    struct mpr_message m; /* for results with objects */
    uint32_t room;
    uint8_t *taken;   /* any: a byte for each task that was */
    uint32_t untaken; /* tasks below were */
    uint32_t scan;    /* where the next look begins */
    uint32_t seen;    /* progress at the last look */
};

static const struct mpl_class class;

static struct job *self(lua_State *L)
{
    return mpl_checkself(L, &class);
}

const mpr_job *mpl_check_job(lua_State *L, int arg)
{
    const struct job *ud = luaL_checkudata(L, arg, class.name);

    return &ud->job;
}

static int job_gc(lua_State *L)
{
    struct job *ud = luaL_checkudata(L, 1, class.name);

    mpr_job_close(&ud->job);
    mpr_message_free(&ud->m);
    free(ud->taken);
    ud->taken = NULL;
    return 0;
}

/* Pushes a job by the plan at idx 1, for so many tasks. */
static struct job *push_job(lua_State *L, struct plan *p, enum mpr_tasks tasks,
                            lua_Integer room, lua_Integer bytes,
                            lua_Integer number)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_job_options o = p->o;
    struct job *ud;
    int r;

    lua_getiuservalue(L, 1, PLAN_POOL); /* raises if it was closed */
    mpl_check_pool(L, -1);
    ud = mpl_object_new(L, S, &class);
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
static int publish(lua_State *L, struct job *ud, lua_Integer n)
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
    struct plan *p = luaL_checkudata(L, 1, plan_name);
    lua_Integer count = luaL_checkinteger(L, 4);
    struct job *ud;

    p->o.first = luaL_checkinteger(L, 2);
    p->o.step = luaL_checkinteger(L, 3);
    ud = push_job(L, p, MPR_TASKS_RANGE, count, 0, luaL_checkinteger(L, 5));
    mpr_job_seal(&ud->job);
    return publish(L, ud, ud->room);
}

/* Adds the value on the top as a task, or its items: 0, -ENOSPC. */
static int add_value(lua_State *L, struct plan *p, struct job *ud)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_parcel parcel;
    int r;

    if (p->o.flags & MPL_JOB_SPREAD) {
        int top = lua_gettop(L);
        lua_Integer n;

        if (lua_type(L, top) != LUA_TTABLE)
            luaL_error(L, "arguments expected in a table, got %s",
                       luaL_typename(L, top));
        lua_getfield(L, top, "n");
        n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : luaL_len(L, top);
        luaL_checkstack(L, n < 1000000 ? (int)n + 10 : 1000000,
                        "too many arguments");
        for (lua_Integer i = 1; i <= n; i++)
            lua_geti(L, top, i);
        mpl_encode_values(L, top + 2, (int)n, S, MPL_FUNCTIONS, "argument %d");
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
static lua_Integer guess(const struct plan *p, lua_Integer count)
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
static uint32_t try_integers(lua_State *L, struct plan *p, lua_Integer first,
                             lua_Integer last, lua_Integer number)
{
    lua_Integer count = last - first + 1;
    struct job *ud;
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
    struct plan *p = luaL_checkudata(L, 1, plan_name);
    lua_Integer first = luaL_checkinteger(L, 3);
    lua_Integer last = luaL_checkinteger(L, 4);
    lua_Integer number = luaL_checkinteger(L, 5), count = last - first + 1;
    struct job *ud;
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
        if (add_value(L, p, ud) == -ENOSPC)
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
    const struct plan *p = luaL_checkudata(L, 1, plan_name);

    lua_pushinteger(L, p->at);
    return 1;
}

/* plan:open(room, bytes, number) -> job: empty, for job:push and job:pull */
static int plan_open(lua_State *L)
{
    struct plan *p = luaL_checkudata(L, 1, plan_name);

    push_job(L, p, MPR_TASKS_MESSAGES, luaL_checkinteger(L, 2),
             luaL_optinteger(L, 3, guess(p, luaL_checkinteger(L, 2))),
             luaL_checkinteger(L, 4));
    return 1;
}

/* job:pull(plan, next, most) -> n, over: calls next() for at most so many
 * items, each of which can be done at once. over: it returned nil. Nothing more
 * fits in when n is less than most and it is not over; then the item that did
 * not fit follows as a third value. */
static int job_pull(lua_State *L)
{
    struct job *ud = self(L);
    struct plan *p = luaL_checkudata(L, 2, plan_name);
    lua_Integer most = luaL_checkinteger(L, 4), n = 0;
    int64_t published = mpr_now();
    bool over = false, full = false;
    int r = 0;

    lua_settop(L, 4);
    while (n < most && !full && r == 0) {
        int64_t now;

        if (mpr_job_room(&ud->job, 0) == 0)
            break;
        lua_pushvalue(L, 3);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) {
            over = true;
            break;
        }
        full = add_value(L, p, ud) == -ENOSPC;
        if (full)
            break;
        n++;
        lua_settop(L, 4);
        now = mpr_now();
        if (now - published > 20000) {
            r = mpr_job_publish(&ud->job);
            published = now;
        }
    }
    if (r == 0)
        r = mpr_job_publish(&ud->job);
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushinteger(L, n);
    lua_pushboolean(L, over);
    if (!full)
        return 2;
    lua_pushvalue(L, 5);
    return 3;
}

/* job:push(args [, f]) -> index | nil (full) | nil, why: a task with the
 * arguments of the list, behind f if that is given. */
static int job_push(lua_State *L)
{
    struct job *ud = self(L);
    struct mpl_state *S = mpl_self(L);
    int first = lua_isnone(L, 3) ? 4 : 3;
    lua_Integer n = 0;
    struct mpr_parcel parcel;
    uint32_t index;
    int r;

    lua_settop(L, 3);
    if (!mpr_job_is_last(&ud->job) || !mpr_job_room(&ud->job, 0))
        return 0;
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "n");
        n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : luaL_len(L, 2);
        lua_settop(L, 3);
        luaL_checkstack(L, n < 1000000 ? (int)n + 10 : 1000000,
                        "too many arguments");
        for (lua_Integer i = 1; i <= n; i++)
            lua_geti(L, 2, i);
    }
    mpl_encode_values(L, first, (int)n + 4 - first, S, MPL_FUNCTIONS,
                      first == 4 ? "argument %d" : "value %d");
    mpl_codec_parcel(S, &parcel);
    index = ud->room - mpr_job_room(&ud->job, 0);
    r = mpr_job_add(&ud->job, &parcel);
    if (r == -ENOSPC)
        return 0;
    if (r == 0)
        r = mpr_job_publish(&ud->job);
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushinteger(L, index);
    return 1;
}

/* ---- what came out -------------------------------------------------------------- */

/* Pushes the values of a result: how many. */
static int push_values(lua_State *L, struct job *ud, const struct mpr_result *r)
{
    struct mpl_refs refs = {NULL, 0};
    int n, err;

    if (r->size == 1 && r->bytes[0] < 0x80) {
        lua_pushinteger(L, r->bytes[0]);
        return 1;
    }
    if (!r->objects)
        return mpl_decode(L, mpl_self(L), r->bytes, (size_t)r->size, &refs,
                          MPL_FUNCTIONS);
    err = mpr_result_message(r, &ud->m);
    if (err < 0)
        mpl_raise(L, err, NULL);
    refs = (struct mpl_refs){ud->m.refs, ud->m.ref_count};
    n = mpl_decode(L, mpl_self(L), ud->m.bytes, (size_t)ud->m.size, &refs,
                   MPL_FUNCTIONS);
    mpr_message_clear(&ud->m);
    return n;
}

/* Pushes "open", "done", "failed", "lost", "cancelled", and what there is to
 * say. */
static int push_result(lua_State *L, struct job *ud, const struct mpr_result *r)
{
    static const char *const names[] = {"open", "done", "failed", "lost",
                                        "cancelled"};

    if (r->state == MPR_RESULT_DONE && r->flags & MPL_RESULT_PRINTED)
        lua_pushliteral(L, "printed");
    else
        lua_pushstring(L, names[r->state]);
    switch (r->state) {
    case MPR_RESULT_DONE:
    case MPR_RESULT_FAILED:
        lua_pushinteger(L, r->worker);
        return 2 + push_values(L, ud, r);
    case MPR_RESULT_LOST:
        lua_pushinteger(L, r->worker);
        lua_pushinteger(L, r->pid);
        if (r->known)
            lua_pushinteger(L, r->status);
        else
            lua_pushnil(L);
        lua_pushboolean(L, r->late);
        lua_pushinteger(L, r->kills);
        lua_pushinteger(L, r->attempts);
        lua_pushnumber(L, r->seconds);
        return 8;
    case MPR_RESULT_OPEN:
    case MPR_RESULT_CANCELLED:
        break;
    }
    return 1;
}

/* job:result(index) -> state, …:
 *     "open" · "done", worker, values… · "printed", worker, output, values… · "failed", worker, error · "cancelled"
 *     "lost", worker, pid, exit code or nil, late, kills, attempts, seconds */
static int job_result(lua_State *L)
{
    struct job *ud = self(L);
    struct mpr_result r;

    mpr_job_result(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &r);
    return push_result(L, ud, &r);
}

/* job:get(index) -> values…, when it is done: the fast way. Otherwise nothing:
 * then job:result says what is the matter. Waits for a moment. */
static int job_get(lua_State *L)
{
    struct job *ud = self(L);
    uint32_t index = (uint32_t)luaL_checkinteger(L, 2);
    struct mpr_result r;

    if (mpr_job_result(&ud->job, index, &r) == MPR_RESULT_OPEN) {
        mpr_job_wait(&ud->job, index, 0, 1); /* spins */
        mpr_job_result(&ud->job, index, &r);
    }
    if (r.state != MPR_RESULT_DONE || r.flags & MPL_RESULT_PRINTED)
        return 0;
    lua_pushboolean(L, 1);
    return 1 + push_values(L, ud, &r);
}

/* job:value(index) -> true, values…, when it is done; otherwise nothing. */
static int job_value(lua_State *L)
{
    struct job *ud = self(L);
    struct mpr_result r;

    if (mpr_job_result(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &r) !=
            MPR_RESULT_DONE ||
        r.flags & MPL_RESULT_PRINTED)
        return 0;
    lua_pushboolean(L, 1);
    return 1 + push_values(L, ud, &r);
}

/* job:collect(results or nil, index, end, base, outputs) -> index, state: puts the first
 * values of tasks index and up into results[base + index + 1] …, until one is
 * not done ("open", "failed", …) or the end is reached ("end"). */
static int job_collect(lua_State *L)
{
    struct job *ud = self(L);
    bool keep = lua_istable(L, 2);
    uint32_t i = (uint32_t)luaL_checkinteger(L, 3);
    uint32_t end = (uint32_t)luaL_checkinteger(L, 4);
    lua_Integer base = luaL_checkinteger(L, 5);
    struct mpr_result r = {.state = MPR_RESULT_OPEN};

    lua_settop(L, 6);
    for (; i < end; i++) {
        if (mpr_job_result(&ud->job, i, &r) != MPR_RESULT_DONE)
            break;
        if (!keep || r.size == 0)
            continue;
        push_values(L, ud, &r);
        if (r.flags & MPL_RESULT_PRINTED) {
            lua_pushvalue(L, 7);
            lua_rawseti(L, 6, base + i + 1);
            lua_remove(L, 7);
        }
        lua_settop(L, 7);
        lua_rawseti(L, 2, base + i + 1);
    }
    mpr_job_read_to(&ud->job, i);
    lua_pushinteger(L, i);
    if (i == end)
        lua_pushliteral(L, "end");
    else if (r.state == MPR_RESULT_OPEN)
        lua_pushliteral(L, "open");
    else
        lua_pushliteral(L, "other");
    return 2;
}

/* job:any() -> index, state, …: of a task that is over and was not returned by
 * any before; nothing if there is none now. */
static int job_any(lua_State *L)
{
    struct job *ud = self(L);
    uint32_t end = ud->room - mpr_job_room(&ud->job, 0);
    struct mpr_job_stats now;
    struct mpr_result r;

    if (!ud->taken) {
        ud->taken = calloc(ud->room, 1);
        if (!ud->taken)
            return luaL_error(L, "not enough memory");
    }
    mpr_job_look(&ud->job, &now); /* before: what comes now is new */
    ud->seen = now.progress;
    for (uint32_t n = end - ud->untaken; n > 0; n--) {
        uint32_t i =
            ud->scan < ud->untaken || ud->scan >= end ? ud->untaken : ud->scan;

        ud->scan = i + 1;
        if (ud->taken[i] || mpr_job_result(&ud->job, i, &r) == MPR_RESULT_OPEN)
            continue;
        ud->taken[i] = 1;
        while (ud->untaken < end && ud->taken[ud->untaken])
            ud->untaken++;
        mpr_job_read_to(&ud->job, ud->untaken);
        lua_pushinteger(L, i);
        return 1 + push_result(L, ud, &r);
    }
    return 0;
}

/* job:give_back(index): any may return it again. */
static int job_give_back(lua_State *L)
{
    struct job *ud = self(L);
    uint32_t i = (uint32_t)luaL_checkinteger(L, 2);

    if (ud->taken && i < ud->room) {
        ud->taken[i] = 0;
        if (i < ud->untaken)
            ud->untaken = i;
    }
    return 0;
}

/* job:wait(index or nil, seen, seconds) -> true when the task is over, or (nil)
 * progress is not what was seen; false: not yet. */
static int job_wait(lua_State *L)
{
    struct job *ud = self(L);
    uint64_t task =
        lua_isnil(L, 2) ? MPR_ANY_TASK : (uint64_t)luaL_checkinteger(L, 2);
    uint32_t seen = (uint32_t)luaL_optinteger(L, 3, 0);
    lua_Number seconds = luaL_checknumber(L, 4);
    int64_t deadline = seconds <= 0 ? 0 : mpr_after(seconds);
    int r;

    while ((r = mpr_job_wait(&ud->job, task, seen, deadline)) == -EINTR)
        mpl_interrupted(L, mpl_self(L));
    lua_pushboolean(L, r > 0);
    return 1;
}

/* job:look() -> progress, failures, stopped, first index that failed | nil */
static int job_look(lua_State *L)
{
    struct job *ud = self(L);
    struct mpr_job_stats s;

    mpr_job_look(&ud->job, &s);
    lua_pushinteger(L, s.progress);
    lua_pushinteger(L, s.failures);
    lua_pushboolean(L, s.stopped);
    if (!s.failed)
        return 3;
    lua_pushinteger(L, s.first_failure);
    return 4;
}

/* job:room() -> tasks that may still be added; the time a task takes */
static int job_room(lua_State *L)
{
    struct job *ud = self(L);

    lua_pushinteger(L, mpr_job_room(&ud->job, 0));
    return 1;
}

/* job:publish(): what was added before next() raised in pull. */
static int job_publish(lua_State *L)
{
    int r = mpr_job_publish(&self(L)->job);

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* job:pace() -> the seconds that a task takes; 0: not known */
static int job_pace(lua_State *L)
{
    struct mpr_job_stats s;

    mpr_job_look(&self(L)->job, &s);
    lua_pushnumber(L, (lua_Number)s.task_ns / 1e9);
    return 1;
}

/* job:seen() -> progress when any looked */
static int job_seen(lua_State *L)
{
    lua_pushinteger(L, self(L)->seen);
    return 1;
}

/* job:count() -> tasks that were added */
static int job_count(lua_State *L)
{
    struct job *ud = self(L);

    lua_pushinteger(L, ud->room - mpr_job_room(&ud->job, 0));
    return 1;
}

static int job_stop(lua_State *L)
{
    mpr_job_stop(&self(L)->job);
    return 0;
}

static int job_seal(lua_State *L)
{
    mpr_job_seal(&self(L)->job);
    return 0;
}

/* job:retry(index, seconds): once more, not before so many seconds are over. */
static int job_retry(lua_State *L)
{
    struct job *ud = self(L);
    lua_Number seconds = luaL_optnumber(L, 3, 0);
    int r = mpr_job_retry(&ud->job, (uint32_t)luaL_checkinteger(L, 2),
                          seconds > 0 ? mpr_after(seconds) : 0);

    lua_pushboolean(L, r == 0);
    return 1;
}

/* job:cancel(index) -> "queued" | "running", seat | nil */
static int job_cancel(lua_State *L)
{
    struct job *ud = self(L);
    int seat;

    switch (
        mpr_job_cancel(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &seat)) {
    case MPR_CANCELLED_QUEUED:
        lua_pushliteral(L, "queued");
        return 1;
    case MPR_CANCELLED_RUNNING:
        lua_pushliteral(L, "running");
        lua_pushinteger(L, seat);
        return 2;
    case MPR_CANCELLED_NOT:
        break;
    }
    return 0;
}

static const char *refuse(const struct mpl_object *o)
{
    (void)o;
    return "a job of a pool";
}

static const luaL_Reg methods[] = {
    {"value", job_value},   {"publish", job_publish},
    {"pace", job_pace},     {"seen", job_seen},
    {"count", job_count},   {"push", job_push},
    {"pull", job_pull},     {"result", job_result},
    {"get", job_get},       {"collect", job_collect},
    {"any", job_any},       {"give_back", job_give_back},
    {"wait", job_wait},     {"look", job_look},
    {"room", job_room},     {"stop", job_stop},
    {"seal", job_seal},     {"retry", job_retry},
    {"cancel", job_cancel}, {"close", job_gc},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__gc", job_gc},
    {"__close", job_gc},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.core.Job",
    .type = "Job",
    .size = sizeof(struct job),
    .handle = offsetof(struct job, job.h),
    .kind = MPR_KIND_JOB,
    .methods = methods,
    .meta = meta,
    .refuse = refuse,
};

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

void mpl_open_job(lua_State *L, struct mpl_state *S)
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

    mpl_class_open(L, S, &class);
    open_plain(L, note_name, none, note_meta);
    open_plain(L, plan_name, plan_methods, none);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
