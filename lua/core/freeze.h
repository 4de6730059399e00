#ifndef MPL_FREEZE_H
#define MPL_FREEZE_H

#include "object.h"

#include <stdbool.h>

/* mp.freeze (freeze.c). */
int mpl_freeze(lua_State *L);

/* Whether the value at idx is a frozen table. */
bool mpl_is_frozen(lua_State *L, int idx);

/* Pushes a closed frozen table, whose image is to be made; once it is sealed,
 * mpl_open_new_frozen opens it. */
mpr_frozen *mpl_new_frozen(lua_State *L, struct mpl_state *S);
void mpl_open_new_frozen(lua_State *L, struct mpl_state *S);

/* Adds freeze to the table on the stack's top (frozen.c). */
void mpl_open_frozen(lua_State *L, struct mpl_state *S);

#endif
