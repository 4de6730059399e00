#ifndef MPL_QUEUE_H
#define MPL_QUEUE_H

/* mp.Queue, mp.JoinableQueue, mp.SimpleQueue: queue.c; put_many and get_many:
 * queue_many.c. */

#include "object.h"

struct queue {
    struct mpl_object o;
    mpr_queue q;
    /* What a get_many got and could not hand over, because decoding raised in
     * the middle. Part of the state that got it: others do not see it. */
    uint32_t left;   /* messages in user value MPL_QUEUE_BATCH */
    uint32_t failed; /* 1: MPL_QUEUE_ERROR is to be raised before them */
};

enum { MPL_QUEUE_BATCH = 1, MPL_QUEUE_ERROR };

/* Self of a method of any of the classes, open. */
struct queue *mpl_queue_check(lua_State *L);

/* Pushes what get_many left, if there is anything: one value, or raises. */
static inline bool mpl_queue_has_left(const struct queue *ud)
{
    return ud->left || ud->failed;
}
void mpl_queue_push_left(lua_State *L, struct queue *ud);

/* Methods. */
int mpl_queue_put_many(lua_State *L);
int mpl_queue_get_many(lua_State *L);

/* Adds Queue, JoinableQueue and SimpleQueue to the table on the stack's top. */
void mpl_open_queue(lua_State *L, struct mpl_state *S);

#endif
