#include "receive.h"

#include "arg.h"
#include "value.h"

#include <errno.h>
#include <string.h>

enum { SMALL = 1024 };

static int gc(lua_State *L)
{
    mpr_message_free(lua_touserdata(L, 1));
    return 0;
}

struct mpr_message *mpl_message_push(lua_State *L)
{
    struct mpr_message *m = lua_newuserdatauv(L, sizeof *m, 0);

    memset(m, 0, sizeof *m);
    if (luaL_newmetatable(L, "mp.Message")) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return m;
}

static int push(lua_State *L, struct mpl_state *S, struct mpr_message *m,
                int bytes, unsigned flags)
{
    if (bytes) {
        mpl_push_string(L, m->bytes, (size_t)m->size);
        return 1;
    }
    {
        struct mpl_refs refs = {m->refs, m->ref_count};

        return mpl_decode(L, S, m->bytes, (size_t)m->size, &refs, flags);
    }
}

static int receive(lua_State *L, struct mpl_state *S, mpl_get *get, void *from,
                   uint64_t max, int64_t deadline_ns, int bytes, unsigned flags,
                   int *n)
{
    uint8_t small[SMALL];
    struct mpr_message m = {.buffer = small, .capacity = SMALL, .fixed = 1};
    struct mpr_message *large;
    int r;

    while ((r = get(from, &m, max, deadline_ns)) == -EINTR)
        mpl_interrupted(L, S);
    if (r == 0) {
        *n = push(L, S, &m, bytes, flags);
        return 0;
    }
    if (r != -E2BIG)
        return r;
    large = mpl_message_push(L);
    while ((r = get(from, large, max, deadline_ns)) == -EINTR)
        mpl_interrupted(L, S);
    if (r < 0) {
        lua_pop(L, 1);
        return r;
    }
    *n = push(L, S, large, bytes, flags);
    mpr_message_free(large); /* now, not when the collector comes by */
    lua_remove(L, -1 - *n);
    return 0;
}

int mpl_receive_values(lua_State *L, struct mpl_state *S, mpl_get *get,
                       void *from, int64_t deadline_ns, unsigned flags, int *n)
{
    return receive(L, S, get, from, UINT64_MAX, deadline_ns, 0, flags, n);
}

int mpl_receive(lua_State *L, struct mpl_state *S, mpl_get *get, void *from,
                int64_t deadline_ns, unsigned flags)
{
    int n, top = lua_gettop(L);
    int r = receive(L, S, get, from, UINT64_MAX, deadline_ns, 0, flags, &n);

    if (r == 0)
        lua_settop(L, top + 1);
    return r;
}

int mpl_receive_bytes(lua_State *L, struct mpl_state *S, mpl_get *get,
                      void *from, uint64_t max, int64_t deadline_ns)
{
    int n;

    return receive(L, S, get, from, max, deadline_ns, 1, 0, &n);
}

int mpl_receive_within(lua_State *L, struct mpl_state *S, mpl_get *get,
                       void *from, uint64_t max, int64_t deadline_ns,
                       unsigned flags, int *n)
{
    return receive(L, S, get, from, max, deadline_ns, 0, flags, n);
}
