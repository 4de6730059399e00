#include "log.h"

#include "arg.h"
#include "host.h"
#include "mpr_lua.h"
#include "object.h"

#include <time.h>
#include <unistd.h>

struct log {
    struct mpl_object o;
    mpr_log log;
};

static const struct mpl_class class;

static int64_t wall_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*** log:write(level, process, text): the time of the record. */
static int log_write(lua_State *L)
{
    struct log *l = mpl_checkself(L, &class);
    struct mpr_log_record r = {.level = (unsigned)luaL_checkinteger(L, 2)};
    size_t name, text;
    int e;

    r.name = luaL_checklstring(L, 3, &name);
    r.text = luaL_checklstring(L, 4, &text);
    r.name_size = name < MPR_LOG_NAME ? (uint32_t)name : MPR_LOG_NAME;
    r.size = text;
    r.time_ns = wall_clock_ns();
    e = mpr_log_write(&l->log, &r);
    if (e < 0 && e != -EAGAIN)
        mpl_raise(L, e, NULL);
    lua_pushnumber(L, (lua_Number)r.time_ns / 1e9);
    return 1;
}

static void push_record(lua_State *L, const struct mpr_log_copy *r)
{
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, r->level);
    lua_setfield(L, -2, "level");
    lua_pushlstring(L, r->text, (size_t)r->size);
    if (r->whole > r->size) {
        lua_pushfstring(L, "… (%I bytes)", (lua_Integer)r->whole);
        lua_concat(L, 2);
    }
    lua_setfield(L, -2, "message");
    lua_pushlstring(L, r->name, r->name_size);
    lua_setfield(L, -2, "process");
    lua_pushinteger(L, r->pid);
    lua_setfield(L, -2, "pid");
    lua_pushnumber(L, (lua_Number)r->time_ns / 1e9);
    lua_setfield(L, -2, "time");
}

/*** log:recent(pid, n): the last n records, of any process or of one, the
 * latest first. */
static int log_recent(lua_State *L)
{
    struct log *l = mpl_checkself(L, &class);
    lua_Integer pid = luaL_optinteger(L, 2, 0);
    lua_Integer most = luaL_optinteger(L, 3, LUA_MAXINTEGER), n = 0;
    uint64_t first = mpr_log_first(&l->log);
    struct mpr_log_copy r;

    luaL_argcheck(L, most >= 0, 3, "count must not be negative");
    lua_newtable(L);
    for (uint64_t i = mpr_log_last(&l->log); i >= first && n < most; i--) {
        if (mpr_log_read(&l->log, i, &r) < 0 || (pid && r.pid != pid))
            continue;
        push_record(L, &r);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/*** log:dropped(): records that found no place. */
static int log_dropped(lua_State *L)
{
    struct log *l = mpl_checkself(L, &class);

    lua_pushinteger(L, (lua_Integer)mpr_log_dropped(&l->log));
    return 1;
}

/*** log:line(text): text, which ends in a newline, to the standard error, whole
 * among the lines of others; or to the host's own log. What cannot be written is
 * lost. */
static int log_line(lua_State *L)
{
    struct log *l = mpl_checkself(L, &class);
    size_t size;
    const char *text = luaL_checklstring(L, 2, &size);

    if (mpl_host && mpl_host->log) {
        lua_pushlstring(L, text, size ? size - 1 : 0);
        mpl_host->log(mpl_host->ud, lua_tostring(L, -1));
    } else {
        mpr_log_line(&l->log, STDERR_FILENO, text, size);
    }
    return 0;
}

static int log_new(lua_State *L)
{
    struct log *l = mpl_object_new(L, mpl_self(L), &class);
    int r = mpr_log_create(&l->log);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &l->o);
    return 1;
}

static const luaL_Reg methods[] = {
    {"write", log_write},     {"line", log_line},       {"recent", log_recent},
    {"dropped", log_dropped}, {"close", mpl_object_gc}, {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.Log",
    .type = "Log",
    .size = sizeof(struct log),
    .handle = offsetof(struct log, log.h),
    .kind = MPR_KIND_LOG,
    .methods = methods,
};

void mpl_open_log(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Log", log_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
