#ifndef MPL_HOST_H
#define MPL_HOST_H

#include <lua.h>

struct mpr_host;

/* What mpr_host_main was told, or NULL. Fixed after init. */
extern const struct mpr_host *mpl_host;

/* Adds host, shutdown, … to the table on the stack's top. */
void mpl_open_host(lua_State *L);

#endif
