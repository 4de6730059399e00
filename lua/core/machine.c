/* Where and how urgently workers run. */

#include "worker.h"

#include "arg.h"

enum { CPUS_MAX = 1024 };

/* core.affinity() -> list of the CPUs that this process may run on */
static int get_affinity(lua_State *L)
{
    unsigned cpus[CPUS_MAX];
    int n = mpr_affinity_get(cpus, CPUS_MAX);

    if (n < 0)
        return mpl_fail(L, n);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n && i < CPUS_MAX; i++) {
        lua_pushinteger(L, cpus[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* core.set_affinity(list) -> true | nil, message, errno */
static int set_affinity(lua_State *L)
{
    unsigned cpus[CPUS_MAX], n = 0;
    int r;

    luaL_checktype(L, 1, LUA_TTABLE);
    while (n < CPUS_MAX && lua_rawgeti(L, 1, n + 1) != LUA_TNIL) {
        cpus[n++] = (unsigned)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    r = mpr_affinity_set(cpus, n);
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.add_nice(n) -> true | nil, message, errno */
static int add_nice(lua_State *L)
{
    int r = mpr_nice_add((int)luaL_checkinteger(L, 1));

    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

/* core.entropy() -> two integers that nobody can foretell, for math.randomseed:
 * its own choice is the same in all processes forked within a second. */
static int entropy(lua_State *L)
{
    lua_Integer n[2] = {0};

    mpr_random(n, sizeof n);
    lua_pushinteger(L, n[0]);
    lua_pushinteger(L, n[1]);
    return 2;
}

void mpl_open_machine(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"affinity", get_affinity},
        {"set_affinity", set_affinity},
        {"add_nice", add_nice},
        {"entropy", entropy},
        {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
}
