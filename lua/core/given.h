#ifndef MPL_GIVEN_H
#define MPL_GIVEN_H

/* Which ends of pipes a forked child can still reach.
 *
 * A fork copies every handle, so a child would hold the ends that its parent
 * has in local variables, and whoever waits for such an end to close would
 * wait for the child too. But the child never returns to its parent's
 * functions: what only their variables name is out of its reach. So before the
 * fork the parent follows what the child is given (its target, arguments and
 * their upvalues) and what everybody reaches (globals and modules), coroutines
 * and weak tables as the collector does, and after it the child closes the
 * other ends. Nothing is done, and nothing costs, when no pipe is open; when
 * there is too much to follow all ends are kept, as in a plain fork. */

#include "seen.h"
#include "state.h"

struct mpl_given {
    struct mpl_seen seen;
    bool all; /* keep every end */
};

/* Follows `kept` values from index `given` on, but not the `left` tables behind
 * them, which the child lets go of, and pushes the userdata that holds what
 * was met; NULL and a nil when no pipe is open. */
struct mpl_given *mpl_given_push(lua_State *L, struct mpl_state *S, int given,
                                 int kept, int left);

/* In the child: closes the ends that were not met. */
void mpl_given_close_others(lua_State *L, struct mpl_state *S,
                            const struct mpl_given *g);

#endif
