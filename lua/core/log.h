#ifndef MPL_LOG_H
#define MPL_LOG_H

/* mp.core.Log, the ring behind mp.get_logger. Called with the table of functions
 * on the stack's top. */

#include "state.h"

void mpl_open_log(lua_State *L, struct mpl_state *S);

#endif
