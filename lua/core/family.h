#ifndef MPL_FAMILY_H
#define MPL_FAMILY_H

#include "state.h"

/* Adds to the table on top: family(), signal_relative(r, signo). */
void mpl_open_family(lua_State *L);

#endif
