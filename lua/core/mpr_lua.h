#ifndef MPR_LUA_H
#define MPR_LUA_H

/* mp in a program of yours that embeds Lua.
 *
 *     static const struct mpr_host host = {
 *         .size = sizeof host,
 *         .open_state = open_state,        your functions, in every worker
 *     };
 *
 *     int main(int argc, char **argv)
 *     {
 *         int code = mpr_host_main(argc, argv, &host);
 *
 *         if (code >= 0)
 *             return code;                 this process was a worker
 *         …
 *         luaL_requiref(L, "mp", luaopen_mp, 0);
 *
 * The library takes no signal, writes nothing to standard output, never calls
 * exit, and has no thread of its own. Several states and several threads of a
 * program may use it, each state in one thread at a time. */

#include <mpr.h>

#include <lua.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The module itself: for luaL_requiref, or package.preload["mp"]. */
MPR_API int luaopen_mp(lua_State *L);
MPR_API int luaopen_mp_core(lua_State *L);

/* Pushes the userdata of an object onto the stack of a state that has loaded
 * mp: the one that is open there, or a new one. Takes the handle, unless it
 * raises. States of one program share an object by a handle each
 * (mpr_handle_dup). */
MPR_API void mpr_lua_push(lua_State *L, mpr_handle *h);

/* The handle of the open object at idx, which stays the userdata's; NULL for
 * anything else. A struct like mpr_queue is made of it by a handle of one's
 * own. */
MPR_API const mpr_handle *mpr_lua_handle(lua_State *L, int idx);

/* How worker states are made. Every member but size may be 0. */
struct mpr_host {
    size_t size; /* sizeof(struct mpr_host), for later versions */
    void *ud;    /* passed to the functions below */

    /* Prepares a worker's state, which has Lua's libraries and mp: registers
     * the host's functions. Runs protected: an error ends that worker with a
     * message. Not called for forked workers, whose state is a copy. */
    void (*open_state)(lua_State *L, void *ud);

    /* The worker's target has returned. */
    void (*close_state)(lua_State *L, void *ud);

    /* What a worker has to say (its errors), a line at a time; NULL: stderr. */
    void (*log)(void *ud, const char *line);

    /* The allocator of worker states; NULL: realloc and free. */
    lua_Alloc alloc;
    void *alloc_ud;

    /* How long closing a state may wait for the processes it started, in
     * milliseconds; what runs then is left running. 0: 2000. */
    int shutdown_ms;
};

/* The first thing in main. In a process that another one started as its
 * worker: works, and returns the exit code or ends the process. Everywhere
 * else: remembers the host (which must live on), so that this program's own
 * executable is what workers run, and returns -1. */
MPR_API int mpr_host_main(int argc, char **argv, const struct mpr_host *host);

#ifdef __cplusplus
}
#endif

#endif
