/* Objects between a C program and its Lua states. */

#include "mpr_lua.h"
#include "object.h"

void mpr_lua_push(lua_State *L, mpr_handle *h)
{
    struct mpl_state *S = mpl_state_push(L);

    lua_pop(L, 1); /* the registry keeps it */
    mpl_object_adopt(L, S, h);
}

const mpr_handle *mpr_lua_handle(lua_State *L, int idx)
{
    struct mpl_state *S = mpl_state_push(L);
    const struct mpl_object *o;

    lua_pop(L, 1);
    o = mpl_object_test(L, S, idx);
    return o && mpl_object_is_open(o) ? o->handle : NULL;
}
