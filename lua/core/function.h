#ifndef MPL_FUNCTION_H
#define MPL_FUNCTION_H

/* A Lua function's bytecode, as string.dump gives it. */

#include <stddef.h>
#include <stdint.h>

struct mpl_code {
    uint64_t hash; /* mpl_code_hash of the bytes */
    size_t size;
    unsigned char bytes[];
};

uint64_t mpl_code_hash(const void *bytes, size_t size);

#endif
