#ifndef MPL_WAIT_H
#define MPL_WAIT_H

#include "state.h"

/* Adds wait and getfd to the table on the stack's top. */
void mpl_open_wait(lua_State *L);

/* Adds pollfd, events, timeout, getfd and dirty to the table of methods on the
 * stack's top. */
void mpl_set_waitable(lua_State *L);

#endif
