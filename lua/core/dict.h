#ifndef MPL_DICT_H
#define MPL_DICT_H

#include "object.h"

struct mpl_dict {
    struct mpl_object o;
    mpr_dict d;
};

extern const struct mpl_class mpl_dict_class;

/* Adds dict_new, dict_get, … to the table on the stack's top; lua/mp/dict.lua
 * makes mp.dict of them. */
void mpl_open_dict(lua_State *L, struct mpl_state *S);

#endif
