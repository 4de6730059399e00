#ifndef MPL_MEMORY_H
#define MPL_MEMORY_H

#include "object.h"

/* The options of named memory at arg: a table, of which `known` are the
 * fields. Pushes nothing; *name is the table's. */
struct mpl_memory_options {
    const char *name; /* NULL: none given */
    unsigned flags;
};
void mpl_check_memory(lua_State *L, int arg, const char *const *known,
                      struct mpl_memory_options *o);

/* What the system refused: pushes nil, "shm_open: File exists", errno. */
int mpl_memory_fail(lua_State *L, int err, const char *name);

/* Add SharedMemory, ShareableList to the table on the stack's top. */
void mpl_open_memory(lua_State *L, struct mpl_state *S);
void mpl_open_shareable(lua_State *L, struct mpl_state *S);

#endif
