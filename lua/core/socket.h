#ifndef MPL_SOCKET_H
#define MPL_SOCKET_H

/* Sockets: connections (socket.c), and listeners and clients (listener.c). They
 * are no objects of the arena, so they do not travel in messages. */

#include <mpr.h>

#include <lua.h>

#define MPL_LISTENER "mp.Listener"

struct mpl_socket {
    int open;
    int functions; /* may be received */
    uint64_t max;  /* bytes of a message, at most */
    mpr_channel c;
};

struct mpl_listener {
    int fd; /* -1: closed */
    int functions;
    uint64_t max;
    struct mpr_address address;
    size_t key_size; /* 0: none */
    char key[256];
};

/* Pushes a closed connection. */
struct mpl_socket *mpl_socket_push(lua_State *L);

/* Why a peer is refused, for errors that are raised; NULL: what went wrong is
 * an outcome, or the system's refusal. */
const char *mpl_socket_reason(int err);

/* The class of connections. */
void mpl_open_socket(lua_State *L);

/* core.listen, core.connect and core.has_keys, into the table on the top. */
void mpl_open_listener(lua_State *L);

#endif
