#ifndef MPL_COMPAT_H
#define MPL_COMPAT_H

/* What Lua's C interface has otherwise in 5.5 than in 5.4, in one place: the
 * rest of lua/core is the same text for both. */

#include <lauxlib.h>
#include <lua.h>

/* A state with an allocator of the host's. 5.5 takes the seed of its string
 * hash as well. */
static inline lua_State *mpl_compat_newstate(lua_Alloc alloc, void *ud)
{
#if LUA_VERSION_NUM >= 505
    return lua_newstate(alloc, ud, luaL_makeseed(NULL));
#else
    return lua_newstate(alloc, ud);
#endif
}

/* Puts the next collection off by so many KiB; a negative number takes that
 * back. 5.4 takes a step of a negative size, which only lowers what is owed;
 * 5.5's are sizes, so there it does nothing. */
static inline void mpl_compat_put_off_gc(lua_State *L, int kib)
{
#if LUA_VERSION_NUM >= 505
    (void)L;
    (void)kib;
#else
    lua_gc(L, LUA_GCSTEP, -kib);
#endif
}

#endif
