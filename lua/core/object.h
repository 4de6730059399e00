#ifndef MPL_OBJECT_H
#define MPL_OBJECT_H

/* The userdata of objects that live in the arena: one class per file, each
 * beginning with struct mpl_object. An object is open in a state at most once:
 * receiving it again yields the same userdata, so `==` works and a lock has
 * one handle per owner.
 *
 *     static const struct mpl_class class = { .name = "mp.Lock", … };
 *     struct lock *l = mpl_object_new(L, S, &class);   pushed, closed
 *     err = mpr_lock_create(&l->lock, name);           opened into it
 *     mpl_object_opened(L, S, &l->o);                  known to the state */

#include "state.h"

#include <stdbool.h>

struct mpl_object {
    const struct mpl_class *class; /* also the magic that checks self */
    mpr_handle *handle;            /* within the same userdata */
};

struct mpl_class {
    const char *name; /* of the metatable, "mp.Lock" */
    const char *type; /* what mp.type answers, "Lock" */
    size_t size;      /* of the userdata */
    size_t handle;    /* offset of the mpr_handle in it */
    unsigned kind;
    int user_values; /* of the userdata, nil at first */
    bool waitable;   /* gets pollfd, events, timeout, getfd, dirty (wait.h) */
    const luaL_Reg *methods;
    const luaL_Reg *meta; /* beside __gc, __name, __index, __metatable */

    /* Pushes the property and returns true, or returns false. May be NULL:
     * then __index is the table of methods, which is faster. */
    bool (*property)(lua_State *L, struct mpl_object *o, const char *key);

    /* __index itself, where each nanosecond counts; upvalue 2 is the table of
     * methods. NULL: as above. */
    lua_CFunction index;

    /* Takes the handle that came in a message and makes the rest of the
     * userdata fit it. NULL: the handle is copied. */
    void (*attach)(struct mpl_object *o, mpr_handle *h);

    /* Gives up what this state owns of it (a lock that is held), before the
     * handle is closed. Never raises, never blocks. May be NULL. */
    void (*release)(struct mpl_state *S, struct mpl_object *o);

    /* Why the object may not travel, or NULL. May be NULL itself. */
    const char *(*refuse)(const struct mpl_object *o);

    /* The handle that travels, where it is not the userdata's own; NULL: no
     * memory. May be NULL itself. */
    const mpr_handle *(*pack)(struct mpl_object *o);

    /* The class of an object of this kind, where a kind has several (a
     * bounded semaphore is a semaphore); the class that is opened first
     * decides. May be NULL. */
    const struct mpl_class *(*variant)(const mpr_handle *h);
};

/* Makes the metatable of the class; objects of its kind that come in messages
 * become userdata of it. Leaves the stack as it was. */
void mpl_class_open(lua_State *L, struct mpl_state *S,
                    const struct mpl_class *class);

/* Pushes a closed userdata of the class. */
void *mpl_object_new(lua_State *L, struct mpl_state *S,
                     const struct mpl_class *class);

/* The object on the stack's top was opened: received again, it is the same. */
void mpl_object_opened(lua_State *L, struct mpl_state *S, struct mpl_object *o);

/* Pushes the userdata for a handle, which is taken: the one that is open, or
 * a new one. If it raises (there is no memory), the handle is as it was. */
void mpl_object_push(lua_State *L, struct mpl_state *S, mpr_handle *h);

/* The same for a handle that nobody else would close: taken in any case. */
void mpl_object_adopt(lua_State *L, struct mpl_state *S, mpr_handle *h);

/* Pushes the userdata of the object with that id (mpr_handle_id), if it is open
 * in this state. */
bool mpl_object_push_open(lua_State *L, struct mpl_state *S, uint64_t id);

/* Any object of ours, open or closed; NULL for anything else. */
struct mpl_object *mpl_object_test(lua_State *L, struct mpl_state *S, int idx);

/* For __gc and close methods: gives up, closes. Idempotent. */
void mpl_object_close(struct mpl_state *S, struct mpl_object *o);
int mpl_object_gc(lua_State *L);

static inline bool mpl_object_is_open(const struct mpl_object *o)
{
    return o->handle->block != NULL;
}

/* Self of a method, open. Two loads and two compares when all is well. */
_Noreturn void mpl_object_bad(lua_State *L, const struct mpl_class *class);

static inline void *mpl_checkself(lua_State *L, const struct mpl_class *class)
{
    struct mpl_object *o = lua_touserdata(L, 1);

    if (o && lua_rawlen(L, 1) == class->size && o->class == class &&
        o->handle->block)
        return o;
    mpl_object_bad(L, class);
}

/* The same for methods that answer on a closed object too. */
void *mpl_checkclosed(lua_State *L, const struct mpl_class *class);

#endif
