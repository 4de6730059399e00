#ifndef MPL_SYNC_H
#define MPL_SYNC_H

/* What the classes of locks and the like share: waiting, guards, texts. */

#include "arg.h"
#include "object.h"

#include <errno.h>

/* ---- waiting --------------------------------------------------------------*/

/* A wait of the runtime for the object. */
typedef int mpl_wait(struct mpl_object *o, uint32_t actor, int64_t deadline_ns);

/* The first call of wait returned r, which is not 0: waits on when it was
 * interrupted, pushes the outcome (true, "abandoned"; nil, "timeout") and
 * returns how many, or raises. The object is at index 1. */
int mpl_wait_on(lua_State *L, struct mpl_object *o, mpl_wait *wait,
                int64_t deadline_ns, int r);

/* The same, returning the last result instead of pushing it. */
int mpl_wait_more(lua_State *L, struct mpl_object *o, mpl_wait *wait,
                  int64_t deadline_ns, int r);

/* Raises what is no outcome of a wait; otherwise pushes what to return. */
int mpl_outcome(lua_State *L, int r);

/* A method that waits: o:acquire([timeout]). */
static inline int mpl_wait_method(lua_State *L, const struct mpl_class *class,
                                  mpl_wait *wait)
{
    struct mpl_object *o = mpl_checkself(L, class);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r = wait(o, mpl_actor(L, mpl_self(L)), deadline);

    if (r != 0)
        return mpl_wait_on(L, o, wait, deadline, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* As mpl_interrupted, but an error is caught: its status, and the error on the
 * stack's top. */
int mpl_interrupted_protected(lua_State *L, struct mpl_state *S);

/* ---- guards ----------------------------------------------------------------
 * What o:hold() returns: leaving its scope gives up what hold took. There is
 * one per object, made by the first hold and kept as the object's first user
 * value; so holding again allocates nothing. It has no state: whether there is
 * something to give up, the runtime knows. */

enum { MPL_GUARD = 1 }; /* the user value; such classes have at least one */

struct mpl_guarded {
    const struct mpl_class *class;
    mpl_wait *hold;
    int (*drop)(struct mpl_object *o, uint32_t actor);
};

/* o:hold([timeout]) -> guard [, "abandoned"] | nil, "timeout" */
int mpl_hold_method(lua_State *L, const struct mpl_guarded *g);

/* o:with(f, …) -> what f returns. Gives up whatever happens in f. */
int mpl_with_method(lua_State *L, const struct mpl_guarded *g);

/* ---- texts -------------------------------------------------------------------*/

/* Pushes "mp.Lock: 0x55… ('db', state)", and returns 1. */
int mpl_describe(lua_State *L, const struct mpl_object *o, const char *state);

/* Pushes "free" or "held by worker-1, pid 17". */
const char *mpl_held_by(lua_State *L, int owned,
                        const struct mpr_holder *holder);

/* Pushes an owner's name and pid, or nil. */
int mpl_push_owner(lua_State *L, int owned, const struct mpr_holder *holder);

/* ---- classes -----------------------------------------------------------------*/

extern const struct mpl_class mpl_lock_class;
extern const struct mpl_class mpl_rlock_class;

/* A condition has the methods of its lock: these, with the lock at index 1. */
struct mpl_lock_methods {
    lua_CFunction acquire, release, hold, with, locked, owner;
    const char *(*state)(lua_State *L, const struct mpl_object *o);
};
extern const struct mpl_lock_methods mpl_lock_methods;
extern const struct mpl_lock_methods mpl_rlock_methods;

void mpl_open_lock(lua_State *L, struct mpl_state *S);
void mpl_open_rlock(lua_State *L, struct mpl_state *S);
void mpl_open_semaphore(lua_State *L, struct mpl_state *S);
void mpl_open_condition(lua_State *L, struct mpl_state *S);
void mpl_open_event(lua_State *L, struct mpl_state *S);
void mpl_open_barrier(lua_State *L, struct mpl_state *S);

/* All of them: sets the constructors in the table on the stack's top. */
void mpl_open_sync(lua_State *L, struct mpl_state *S);

#endif
