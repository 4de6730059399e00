#ifndef MPL_SCALAR_H
#define MPL_SCALAR_H

/* Values that lead to nothing: nil, booleans, numbers, strings that are not
 * long. The loops over tables have this inline, and the state and the encoder
 * as two variables of their own, which stay in registers. */

#include "encode.h"

enum {
    MPL_LONG_STRING = 64, /* from this size on, strings are sent once */
};

/* Writes a string of any size. */
void mpl_put_string(lua_State *L, struct mpl_encoder *e, const char *s,
                    size_t size);

/* The first time a string is itself, the second time it is also defined as a
 * name, from then on it is that name. Names stay; of the strings met once the
 * last to claim a slot has it. */
void mpl_put_name(lua_State *L, struct mpl_encoder *e, struct mpl_name *name,
                  const char *s, size_t size);

static inline void mpl_put_short_string(lua_State *L, struct mpl_encoder *e,
                                        const char *s, size_t size)
{
    struct mpl_name *name = mpl_name_slot(&e->names, s);
    uint8_t *p = mpl_encoder_room(L, e, 1);

    if (name->s == s && name->stamp == e->names.stamp && !e->careful &&
        (unsigned)name->index - 1 < 64) { /* as mpl_put_name does; most often */
        *p = (uint8_t)(MPR_TAG_NAMED + name->index - 1);
        e->out.end = p + 1;
        return;
    }
    mpl_put_name(L, e, name, s, size);
}

/* Writes the value at idx, of that type, if it is one of these. */
__attribute__((always_inline)) static inline bool
mpl_put_scalar(lua_State *L, struct mpl_encoder *e, int idx, int type)
{
    uint8_t *p;
    const char *s;
    size_t size;

    switch (type) {
    case LUA_TNIL:
        p = mpl_encoder_room(L, e, 1);
        *p = MPR_TAG_NIL;
        e->out.end = p + 1;
        return true;
    case LUA_TBOOLEAN:
        p = mpl_encoder_room(L, e, 1);
        *p = lua_toboolean(L, idx) ? MPR_TAG_TRUE : MPR_TAG_FALSE;
        e->out.end = p + 1;
        return true;
    case LUA_TNUMBER:
        p = mpl_encoder_room(L, e, 9);
        e->out.end = lua_isinteger(L, idx)
                         ? mpr_put_integer(p, lua_tointeger(L, idx))
                         : mpr_put_number(p, lua_tonumber(L, idx));
        return true;
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &size);
        if (size <= MPL_NAME_SIZE)
            mpl_put_short_string(L, e, s, size);
        else if (size < MPL_LONG_STRING)
            mpl_put_string(L, e, s, size);
        else
            return false;
        return true;
    default:
        return false;
    }
}

#endif
