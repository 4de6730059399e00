#ifndef MPL_LIST_H
#define MPL_LIST_H

#include "object.h"

struct mpl_list {
    struct mpl_object o;
    mpr_list l;
};

extern const struct mpl_class mpl_list_class;

/* Adds list_new, list_get, … to the table on the stack's top; lua/mp/list.lua
 * makes mp.list and its methods of them. */
void mpl_open_list(lua_State *L, struct mpl_state *S);

#endif
