#ifndef MPL_EMBEDDED_H
#define MPL_EMBEDDED_H

/* The Lua half inside the module: every file of lua/mp, as the build found it
 * (tools/embed.cmake writes the list). luaopen_mp hands it to the host's
 * package.preload, so that this one file, renamed mp.so, is all of mp. */

#include <stddef.h>

struct mpl_embedded {
    const char *module; /* "mp.pool"; NULL ends the list */
    const char *chunk;  /* its name in tracebacks: "@mp/pool.lua" */
    const char *text;
    size_t size;
};

extern const struct mpl_embedded mpl_embedded[];

#endif
