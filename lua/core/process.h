#ifndef MPL_PROCESS_H
#define MPL_PROCESS_H

/* The object that the Lua half (lua/mp/process.lua) wraps. Its methods are
 * private to lua/mp. */

#include "object.h"

struct mpl_process {
    struct mpl_object o;
    struct mpr_process p;
};

extern const struct mpl_class mpl_process_class;

/* Adds fork, exit, … to the table on the stack's top. */
void mpl_open_process(lua_State *L, struct mpl_state *S);

#endif
