#ifndef MPL_STATE_H
#define MPL_STATE_H

/* What the binding keeps per lua_State: its actor (the owner of the locks it
 * takes), the codec's buffers and caches, the objects that are open in it.
 * Every C function of the binding has it as upvalue 1. The coroutines of a
 * state share it. */

#include "value.h"

#include <mpr.h>

#include <lauxlib.h>
#include <lua.h>

enum { MPL_CLASSES = 40 };

struct mpl_class;

struct mpl_state {
    uint32_t actor; /* 0 until the state first needs one */
    int objects;    /* registry: weak table, object id -> userdata */
    int nothing;    /* registry: an empty function, see mpl_interrupted */
    struct mpl_codec codec;
    const struct mpl_class *classes[MPL_CLASSES]; /* of arena objects */
    unsigned class_count;
    unsigned connections; /* ends of pipes that are open (given.h) */
};

/* The state of the running C function. */
static inline struct mpl_state *mpl_self(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* The state of L, made by the first call; pushes the userdata that owns it,
 * for use as upvalue. */
struct mpl_state *mpl_state_push(lua_State *L);

/* The actor of L, made by the first call; raises when there are too many. */
uint32_t mpl_actor_make(lua_State *L, struct mpl_state *S);

static inline uint32_t mpl_actor(lua_State *L, struct mpl_state *S)
{
    return S->actor ? S->actor : mpl_actor_make(L, S);
}

/* Raises the word of mpr_open's refusal, or does nothing. */
void mpl_open(lua_State *L);

#endif
