/* A bound on the memory that tasks take from Lua's allocator, in a worker: what
 * is beyond it is refused, so Lua collects its garbage and then, if that was
 * not enough, raises "not enough memory" in the task. Between tasks nothing is
 * refused: a task's error is always told, however small the bound. */

#include "worker.h"

/* There is one worker to a process. */
static struct {
    const struct mpl_worker *w; /* whose tasks; NULL: nobody's */
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
    if (limit.w->in_task && size > before &&
        limit.used + (size - before) > limit.most)
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

void mpl_memory_limit(lua_State *L, const struct mpl_worker *w, size_t most)
{
    lua_gc(L, LUA_GCCOLLECT);
    limit.w = w;
    limit.most = most;
    limit.alloc = lua_getallocf(L, &limit.ud);
    lua_setallocf(L, limited_alloc, NULL);
}

void mpl_memory_unlimit(lua_State *L, const struct mpl_worker *w)
{
    if (limit.w != w)
        return;
    lua_setallocf(L, limit.alloc, limit.ud);
    limit.w = NULL;
}

void mpl_memory_sweep(lua_State *L)
{
    if (!limit.w || limit.used < limit.swept + limit.most / 4)
        return;
    lua_gc(L, LUA_GCCOLLECT);
    limit.swept = limit.used;
}
