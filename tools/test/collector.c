/* Forces Lua's collector: lua5.4's own test of its C API ("emergency
 * collections"), for any interpreter.
 *
 * Lua answers an allocation that fails by a full collection, and tries once
 * more. So an allocator that refuses each growth once makes it collect right
 * there, in the middle of whatever asks: what is not on the stack, nor held by
 * what is, is gone. No finalizer runs then; those run at the next step of the
 * collector, which is soon, for its pause is 0.
 *
 *     local collector = require "collector"
 *     collector.force(n)    n times, at every growth from now on; then as many
 *                           times at every second one, every fourth, …
 *     collector.force(0)    no more
 *     collector.count()     collections so far
 *
 * A collection takes 0.2 ms even of a small heap, so a loop that allocates a
 * million times is beyond being watched all the way: what is the same in each
 * round is seen in the first rounds. One of a heap of some megabytes counts as
 * so many. */

#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Of a process; it has one Lua state, and forked children go on with it. */
static struct {
    lua_Alloc alloc;
    void *ud;
    size_t used;        /* bytes that Lua has, about */
    size_t dense;       /* refusals at one distance; 0: refuse nothing */
    size_t left;        /* of them */
    unsigned every;     /* the distance */
    unsigned grown;     /* since the last refusal */
    bool refused;       /* the next growth is that one again */
    bool learning;      /* notes who grows a buffer */
    const void *buffer; /* from where luaL_Buffer asks */
    const void *lua;    /* where Lua's code begins */
    lua_Integer count;
} forced;

LUAMOD_API int luaopen_collector(lua_State *L);

static const void *object_of(const void *code)
{
    Dl_info info;

    return dladdr(code, &info) ? info.dli_fbase : NULL;
}

/* Whether Lua itself asks: it tries again. A luaL_Buffer does not, and of an
 * allocator that was put before ours it is not known for whom it asks. */
static bool tries_again(const void *caller)
{
    return caller != forced.buffer && object_of(caller) == forced.lua;
}

static void *alloc(void *ud, void *block, size_t had, size_t size)
{
    bool grows = size > (block ? had : 0); /* else had is a kind of object */
    size_t cost;

    (void)ud;
    forced.used += size - (block ? had : 0);
    if (forced.learning && size > 0) {
        forced.buffer = __builtin_return_address(0);
        forced.lua = object_of(forced.buffer);
    }
    if (grows && forced.refused) {
        forced.refused = false;
    } else if (grows && forced.dense && ++forced.grown >= forced.every &&
               tries_again(__builtin_return_address(0))) {
        forced.grown = 0;
        forced.refused = true;
        forced.count++;
        forced.used -= size - (block ? had : 0);
        cost = 1 + forced.used / ((size_t)1 << 20);
        if (forced.left > cost) {
            forced.left -= cost;
        } else {
            forced.left = forced.dense;
            forced.every *= 2;
        }
        return NULL;
    }
    return forced.alloc(forced.ud, block, had, size);
}

/* From a box of a buffer to a larger one. */
static void learn(lua_State *L)
{
    luaL_Buffer b;

    luaL_buffinitsize(L, &b, LUAL_BUFFERSIZE + 1);
    luaL_addsize(&b, LUAL_BUFFERSIZE + 1);
    forced.learning = true;
    luaL_prepbuffsize(&b, (size_t)8 * LUAL_BUFFERSIZE);
    forced.learning = false;
    luaL_pushresult(&b);
    lua_pop(L, 1);
}

static int force(lua_State *L)
{
    lua_Integer dense = luaL_checkinteger(L, 1);

    luaL_argcheck(L, dense >= 0 && dense <= 1000000, 1, "out of range");
    if (!forced.alloc) {
        forced.alloc = lua_getallocf(L, &forced.ud);
        lua_setallocf(L, alloc, NULL);
        learn(L);
    }
    forced.used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024;
    forced.dense = (size_t)dense;
    forced.left = forced.dense;
    forced.every = 1;
    return 0;
}

static int count(lua_State *L)
{
    lua_pushinteger(L, forced.count);
    return 1;
}

int luaopen_collector(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"force", force},
        {"count", count},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    return 1;
}
