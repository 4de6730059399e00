#ifndef MPL_RECEIVE_H
#define MPL_RECEIVE_H

/* Getting a message out of a channel and onto the stack. Decoding allocates,
 * so a finalizer may run and receive too, and an error may leave the function
 * by a jump: so a small message lies in an array of the C stack, a large one
 * (or one with objects) in a userdata of its own, and nothing is shared. */

#include "state.h"

typedef int mpl_get(void *from, struct mpr_message *m, uint64_t max,
                    int64_t deadline_ns);

/* Waits for a message and pushes its first value: 0, or -errno with nothing
 * pushed. -EINTR is dealt with here: a hook may raise. */
int mpl_receive(lua_State *L, struct mpl_state *S, mpl_get *get, void *from,
                int64_t deadline_ns, unsigned flags);

/* The same, pushing the message itself as a string of at most max bytes. */
int mpl_receive_bytes(lua_State *L, struct mpl_state *S, mpl_get *get,
                      void *from, uint64_t max, int64_t deadline_ns);

/* The same, pushing all of its values; *n says how many. */
int mpl_receive_values(lua_State *L, struct mpl_state *S, mpl_get *get,
                       void *from, int64_t deadline_ns, unsigned flags, int *n);

/* Pushes a userdata that owns a message. */
struct mpr_message *mpl_message_push(lua_State *L);

/* The same for channels of which a message may be too long: -EMSGSIZE. */
int mpl_receive_within(lua_State *L, struct mpl_state *S, mpl_get *get,
                       void *from, uint64_t max, int64_t deadline_ns,
                       unsigned flags, int *n);

#endif
