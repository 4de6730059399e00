#ifndef MPL_PROCESS_H
#define MPL_PROCESS_H

#include "state.h"

/* Adds fork, exit, … to the table on the stack's top. */
void mpl_open_process(lua_State *L, struct mpl_state *S);

#endif
