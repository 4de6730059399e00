/* A tool whose own C functions are there in every worker: checksums of files,
 * computed by as many processes as there are CPUs.
 *
 *     host_tool FILE...                        prints: CHECKSUM FILE, in order */
#include <lauxlib.h>
#include <lualib.h>
#include <mpr_lua.h>
#include <stdint.h>
#include <stdio.h>

/* tool.checksum(path) -> integer | nil, message */
static int checksum(lua_State *L)
{
    FILE *f = fopen(luaL_checkstring(L, 1), "rb");
    uint32_t a = 1, b = 0;
    int c;

    if (!f)
        return luaL_fileresult(L, 0, lua_tostring(L, 1));
    while ((c = getc(f)) != EOF) { /* Adler-32 */
        a = (a + (uint32_t)c) % 65521;
        b = (b + a) % 65521;
    }
    fclose(f);
    lua_pushinteger(L, (lua_Integer)b << 16 | a);
    return 1;
}

static int open_tool(lua_State *L)
{
    static const luaL_Reg functions[] = {{"checksum", checksum}, {0}};

    luaL_newlib(L, functions);
    return 1;
}

/* In the main state and, by mp, in the state of each worker. */
static void open_state(lua_State *L, void *ud)
{
    (void)ud;
    luaL_requiref(L, "tool", open_tool, 0);
    lua_pop(L, 1);
}

static const char script[] =
    "local mp, tool = require 'mp', require 'tool'\n"
    "local ctx = mp.get_context 'spawn'\n"
    "local files, running = {...}, {}\n"
    "for i, file in ipairs(files) do\n"
    "  running[i] = ctx.spawn(function(path)\n"
    "    return tool.checksum(path)\n"
    "  end, file)\n"
    "end\n"
    "for i, p in ipairs(running) do\n"
    "  local sum, err = p:result()\n"
    "  print(sum and ('%08x'):format(sum) or err, files[i])\n"
    "end\n";

int main(int argc, char **argv)
{
    static const struct mpr_host host = {
        .size = sizeof host,
        .open_state = open_state,
    };
    int code = mpr_host_main(argc, argv, &host);
    lua_State *L;

    if (code >= 0)
        return code; /* this process was a worker */
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "mp", luaopen_mp, 0);
    lua_pop(L, 1);
    open_state(L, NULL);
    code = luaL_loadstring(L, script);
    for (int i = 1; i < argc; i++)
        lua_pushstring(L, argv[i]);
    if (code == LUA_OK)
        code = lua_pcall(L, argc - 1, 0, 0);
    if (code != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return code != LUA_OK;
}
