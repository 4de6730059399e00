#ifndef MPL_ARG_H
#define MPL_ARG_H

/* Arguments in, outcomes out: the same words everywhere. */

#include "state.h"

/* The deadline of a timeout argument: nil or none for ever, 0 or less does
 * not wait. Refuses NaN and what is not a number. */
int64_t mpl_checktimeout(lua_State *L, int arg);

/* An expected outcome: pushes nil and its word ("timeout", "closed"), or nil,
 * message and errno when the system refused; returns how many. */
int mpl_fail(lua_State *L, int err);

/* Pushes the place that called us, like luaL_where: past the frames of our own
 * Lua half (path.c, which knows its files). */
void mpl_where(lua_State *L);

/* Raises what cannot be an outcome. what: the subject ("mp.Pipe"), or NULL. */
_Noreturn void mpl_raise(lua_State *L, int err, const char *what);

/* A wait was interrupted, perhaps by a signal handler: runs an empty Lua
 * function, so that a hook which the handler set can raise (lua.c does so for
 * Ctrl-C). Passes on what the runtime warns of.
 * Returns when nobody raised: wait on, with the same deadline. */
void mpl_interrupted(lua_State *L, struct mpl_state *S);

/* Refuses every field of the table at arg that is not in the list (ended by
 * NULL): `invalid option 'steal'`. */
void mpl_checkoptions(lua_State *L, int arg, const char *const *known);

/* The string at arg, or the part of it that the integers at arg + 1 and arg + 2
 * cut out as string.sub does. */
const char *mpl_checkpart(lua_State *L, int arg, size_t *size);

/* `{name = "db"}` at arg: the label, or NULL for nil. */
const char *mpl_optname(lua_State *L, int arg);

#endif
