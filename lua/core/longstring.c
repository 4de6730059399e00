/* Long strings to Lua. Half of the price of a string of many megabytes is that
 * the kernel gives its memory page by page, at the first touch of each; asked
 * for all pages at once, and for large ones, it takes half of that. Lua
 * says where it puts a string only to its allocator, so we look over that
 * one's shoulder, for this one call. */

#include "value.h"

enum { LONG = 1 << 20 };

struct watch {
    lua_Alloc f;
    void *ud;
    const char *s;
    size_t size;
};

static void *alloc(void *ud, void *p, size_t osize, size_t nsize)
{
    const struct watch *w = ud;
    void *q = w->f(w->ud, p, osize, nsize);

    if (!p && q && nsize >= w->size)
        mpr_memory_ready(q, nsize);
    return q;
}

static int push(lua_State *L)
{
    const struct watch *w = lua_touserdata(L, 1);

    lua_pushlstring(L, w->s, w->size);
    return 1;
}

void mpl_push_string(lua_State *L, const void *s, size_t size)
{
    struct watch w = {.s = s, .size = size};
    int r;

    if (size < LONG) {
        lua_pushlstring(L, s, size);
        return;
    }
    w.f = lua_getallocf(L, &w.ud);
    lua_pushcfunction(L, push);
    lua_pushlightuserdata(L, &w);
    lua_setallocf(L, alloc, &w);
    r = lua_pcall(L, 1, 1, 0); /* an error must not pass the next line */
    lua_setallocf(L, w.f, w.ud);
    if (r != LUA_OK)
        lua_error(L);
}
