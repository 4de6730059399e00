#include "state.h"

#include "arg.h"

#include <string.h>

static const char key; /* its address names the state in the registry */

static int gc(lua_State *L)
{
    struct mpl_state *S = lua_touserdata(L, 1);

    mpl_codec_fini(&S->codec);
    mpr_actor_free(S->actor);
    S->actor = 0;
    return 0;
}

struct mpl_state *mpl_state_push(lua_State *L)
{
    struct mpl_state *S;

    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TUSERDATA)
        return lua_touserdata(L, -1);
    lua_pop(L, 1);
    S = lua_newuserdatauv(L, sizeof *S, 0);
    memset(S, 0, sizeof *S);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);

    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    S->objects = luaL_ref(L, LUA_REGISTRYINDEX);
    if (luaL_loadstring(L, "") != LUA_OK)
        lua_error(L);
    S->nothing = luaL_ref(L, LUA_REGISTRYINDEX);
    mpl_codec_init(L, &S->codec);

    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    return S;
}

uint32_t mpl_actor_make(lua_State *L, struct mpl_state *S)
{
    int err = mpr_actor_new(&S->actor);

    if (err < 0)
        mpl_raise(L, err, NULL);
    return S->actor;
}

void mpl_open(lua_State *L)
{
    int err = mpr_open();

    if (err < 0)
        mpl_raise(L, err, NULL);
}
