/* What the Lua half asks about the program that embeds it. */

#include "host.h"

#include "arg.h"
#include "mpr_lua.h"
#include "state.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SHUTDOWN_MS = 2000 };

const struct mpr_host *mpl_host;

static int is_interpreter(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *name;

    if (n <= 0)
        return 0;
    path[n] = '\0';
    name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (strncmp(name, "lua", 3) != 0)
        return 0;
    return name[3 + strspn(name + 3, "0123456789.")] == '\0';
}

static int close_state(lua_State *L)
{
    mpl_host->close_state(L, mpl_host->ud);
    return 0;
}

/* core.host() -> "host" (its own executable is the worker), "interpreter", or
 * nil: a program that mp knows nothing of. */
static int core_host(lua_State *L)
{
    if (mpl_host)
        lua_pushliteral(L, "host");
    else if (is_interpreter())
        lua_pushliteral(L, "interpreter");
    else
        luaL_pushfail(L);
    return 1;
}

/* core.shutdown() -> seconds that closing this state may wait, or nil */
static int shutdown_seconds(lua_State *L)
{
    int ms = mpl_host ? mpl_host->shutdown_ms : 0;

    if (!mpl_host && is_interpreter())
        return 0;
    lua_pushnumber(L, (ms > 0 ? ms : SHUTDOWN_MS) / 1000.0);
    return 1;
}

/* core.close_state(): a host's worker is about to end. */
static int host_close(lua_State *L)
{
    if (mpl_host && mpl_host->close_state) {
        lua_pushcfunction(L, close_state);
        lua_call(L, 0, 0);
    }
    return 0;
}

/* core.report(text): what a child has to say. */
static int report(lua_State *L)
{
    if (mpl_host && mpl_host->log)
        mpl_host->log(mpl_host->ud, luaL_checkstring(L, 1));
    else
        fprintf(stderr, "%s\n", luaL_checkstring(L, 1));
    return 0;
}

void mpl_open_host(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"host", core_host},
        {"shutdown", shutdown_seconds},
        {"close_state", host_close},
        {"report", report},
        {NULL, NULL},
    };

    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
