#ifndef MPL_HALF_H
#define MPL_HALF_H

/* What C uses of the Lua half. A child that has only begun has loaded little
 * of it (`require "mp"` takes longer than a spawn may): the rest comes when
 * the first object that needs it is received or used. */

#include <lua.h>

#include <stdbool.h>

/* Runs `require "mp"`: false where there is no require. */
bool mpl_load_mp(lua_State *L);

/* Pushes what core.set_half(name, x) set, loading mp if nobody has; its
 * type. */
int mpl_half(lua_State *L, const char *name);

#endif
