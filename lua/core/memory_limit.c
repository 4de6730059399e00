/* A bound on the memory that tasks take from Lua's allocator, in a worker: what
 * is beyond it is refused, so Lua collects its garbage and then, if that was
 * not enough, raises "not enough memory" in the task. */

#include "worker.h"

static struct {
    lua_Alloc alloc;
    void *ud;
    size_t used; /* above what there was at the start */
    size_t most;
    size_t swept; /* used after the last collection that was made for it */
} limit;

static void *limited_alloc(void *ud, void *block, size_t had, size_t size)
{
    size_t before = block ? had : 0; /* else it says what kind of object */
    void *p;

    (void)ud;
    if (size > before && limit.used + (size - before) > limit.most)
        return NULL;
    p = limit.alloc(limit.ud, block, had, size);
    if (p || size == 0) {
        /* What was there at the start may go, too. */
        size_t gone = before > size ? before - size : 0;

        limit.used = gone > limit.used ? 0 : limit.used - gone;
        if (size > before)
            limit.used += size - before;
    }
    return p;
}

/* core.limit_memory(bytes): once in a process. */
static int limit_memory(lua_State *L)
{
    lua_Integer most = luaL_checkinteger(L, 1);

    luaL_argcheck(L, most > 0, 1, "must be positive");
    lua_gc(L, LUA_GCCOLLECT);
    limit.most = (size_t)most;
    limit.alloc = lua_getallocf(L, &limit.ud);
    lua_setallocf(L, limited_alloc, NULL);
    return 0;
}

void mpl_memory_sweep(lua_State *L)
{
    if (!limit.most || limit.used < limit.swept + limit.most / 4)
        return;
    lua_gc(L, LUA_GCCOLLECT);
    limit.swept = limit.used;
}

void mpl_open_memory_limit(lua_State *L)
{
    lua_pushcfunction(L, limit_memory);
    lua_setfield(L, -2, "limit_memory");
}
