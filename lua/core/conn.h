#ifndef MPL_CONN_H
#define MPL_CONN_H

#include "state.h"

/* Adds Pipe to the table on the stack's top. */
void mpl_open_conn(lua_State *L, struct mpl_state *S);

#endif
