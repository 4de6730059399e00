/* Interrupting Lua code from a signal handler, as lua.c does for Ctrl-C: the
 * handler sets a hook, the hook raises. A coroutine is another lua_State with
 * hooks of its own, and nothing tells a handler which one runs: so where tasks
 * have limits, resuming notes it. */

#include "worker.h"

#include <lualib.h>

#include <string.h>

static struct {
    struct mpl_worker *worker;
    lua_State *running; /* the thread whose code runs */
    /* The hook that was there, and where. */
    lua_State *hooked;
    lua_Hook hook;
    int mask;
    int count;
} state;

static void put_back(lua_State *L)
{
    if (state.hooked == L)
        lua_sethook(L, state.hook, state.mask, state.count);
    else
        lua_sethook(L, NULL, 0, 0);
    state.hooked = NULL;
}

static void raise_interrupt(lua_State *L, lua_Debug *ar)
{
    static const char *const names[] = {"none", "time", "cancel", "end"};
    struct mpl_worker *ud = state.worker;
    enum mpr_interrupt why;

    (void)ar;
    put_back(L);
    if (!ud->w || !ud->in_task)
        return; /* between two tasks the worker looks by itself */
    why = mpr_worker_interrupt(ud->w);
    if (why == MPR_INTERRUPT_NONE)
        return;
    ud->interrupted = why;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ud->host);
    lua_getfield(L, -1, "interrupted");
    lua_pushstring(L, names[why]);
    mpl_push_number(L, ud);
    lua_pushnumber(L, (lua_Number)ud->task.timeout_ns / 1e9);
    lua_call(L, 3, 1);
    lua_error(L);
}

/* In a signal handler. */
static void due(void *p)
{
    lua_State *L = state.running;

    (void)p;
    if (!L)
        return;
    if (lua_gethook(L) != raise_interrupt) {
        state.hook = lua_gethook(L);
        state.mask = lua_gethookmask(L);
        state.count = lua_gethookcount(L);
        state.hooked = L;
    }
    lua_sethook(L, raise_interrupt,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

void mpl_interrupt_begin(lua_State *L, struct mpl_worker *ud)
{
    state.worker = ud;
    state.running = L;
    mpr_worker_watch(ud->w, due, NULL);
}

/* ---- which coroutine runs -------------------------------------------------- */

/* Calls the function at 1 with the arguments above it, in which co runs. An
 * error passes through, so that running is right again whatever happens. */
static int call_running(lua_State *L, lua_State *co)
{
    lua_State *before = state.running;
    int status;

    if (co)
        state.running = co;
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    state.running = before;
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* upvalue 1: coroutine.resume */
static int resume(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return call_running(L, co);
}

/* upvalues: what coroutine.wrap returned, its coroutine */
static int call_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return call_running(L, co);
}

/* upvalue 1: coroutine.wrap */
static int wrap(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    /* The stock function keeps its coroutine as its upvalue. */
    if (!lua_getupvalue(L, -1, 1))
        return 1;
    if (!lua_isthread(L, -1)) {
        lua_pop(L, 1);
        return 1;
    }
    lua_pushcclosure(L, call_wrapped, 2);
    return 1;
}

static void replace(lua_State *L, const char *key, lua_CFunction f)
{
    if (lua_getfield(L, -1, key) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, key);
}

static int track_coroutines(lua_State *L)
{
    static bool done;

    if (done)
        return 0;
    done = true;
    if (lua_getglobal(L, LUA_COLIBNAME) != LUA_TTABLE)
        return 0;
    replace(L, "resume", resume);
    replace(L, "wrap", wrap);
    return 0;
}

void mpl_open_interrupt(lua_State *L)
{
    lua_pushcfunction(L, track_coroutines);
    lua_setfield(L, -2, "track_coroutines");
}
