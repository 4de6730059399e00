/* A program that embeds Lua and mp, in as few lines as it takes.
 *
 *     cmake -S . -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build
 *     build/host_minimal                       prints: 5050 from a worker */
#include <lauxlib.h>
#include <lualib.h>
#include <mpr_lua.h>
#include <stdio.h>

static const char script[] =
    "local mp = require 'mp'\n"
    "local p = mp.get_context('spawn').spawn(function(n)\n"
    "  local sum = 0\n"
    "  for i = 1, n do sum = sum + i end\n"
    "  return sum\n"
    "end, 100)\n"
    "return p:result()\n";

int main(int argc, char **argv)
{
    static const struct mpr_host host = {.size = sizeof host};
    int code = mpr_host_main(argc, argv, &host);
    lua_State *L;

    if (code >= 0)
        return code; /* this process was a worker */
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "mp", luaopen_mp, 0);
    code = luaL_dostring(L, script);
    if (code == LUA_OK)
        printf("%s from a worker\n", lua_tostring(L, -1));
    else
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return code != LUA_OK;
}
