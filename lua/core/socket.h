#ifndef MPL_SOCKET_H
#define MPL_SOCKET_H

#include <lua.h>

/* Adds listen and connect to the table on the stack's top; lua/mp/listener.lua
 * makes mp.Listener and mp.Client of them. */
void mpl_open_socket(lua_State *L);

#endif
