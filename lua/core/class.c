/* Metatables travel by name: one that mp.class registered, or one that is a
 * loaded module or a class-like field of one. A table with any other metatable
 * is refused, for it would arrive as something else.
 *
 * A hooked object (its metatable has __mp_pack) travels as what the hook made
 * of it, and __mp_unpack makes an object of that as soon as it has arrived:
 * tables that lead to the object are not complete then, so a hook looks at
 * nothing but its argument. For the same reason the packed value may not lead
 * back to its object. */

#include "encode.h"

#include <string.h>

/* Writes what names the metatable on the top; false: it has no name. */
static bool put_metatable(struct mpl_walk *w)
{
    /* As a metatable it is another object than as a value: the receiver looks
     * only among those it found by name. */
    const void *key = (const char *)lua_topointer(w->L, -1) + 1;
    struct mpl_seen_entry *entry;

    size_t at = mpl_offset(w);

    if (w->e->seen.entries && mpl_seen_find(&w->e->seen, key, &entry))
        return mpl_encode_met(w, key);
    if (!mpl_encode_by_name(w))
        return false;
    mpl_encode_meet(w, key, at);
    return true;
}

/* Its tag is taken back. Where losses are allowed the fields travel alone. */
static enum mpl_step nameless(struct mpl_walk *w, int object, size_t at)
{
    w->e->out.end = w->e->out.bytes + at;
    lua_settop(w->L, object);
    if (w->flags & MPL_LOSSY && lua_istable(w->L, object))
        return mpl_encode_open_table(w);
    return mpl_encode_unsendable(w, "its metatable has no name: see mp.class");
}

/* Calls the hook on the top with the object; leaves its result. */
static bool call_hook(struct mpl_walk *w, int object)
{
    lua_pushvalue(w->L, object);
    if (!(w->flags & MPL_LOSSY)) {
        lua_call(w->L, 1, 1);
        return true;
    }
    return lua_pcall(w->L, 1, 1, 0) == LUA_OK;
}

static enum mpl_step encode_packed(struct mpl_walk *w, int object)
{
    lua_State *L = w->L;
    size_t at = mpl_offset(w);

    /* The hook on the top first: what follows is written in one go. */
    if (!call_hook(w, object)) {
        lua_settop(L, object);
        return mpl_encode_unsendable(w, "its __mp_pack failed");
    }
    mpl_put_tag(w, MPR_TAG_PACKED);
    lua_pushvalue(L, object + 1);
    if (!put_metatable(w))
        return nameless(w, object, at);
    lua_settop(L, object + 2);
    lua_replace(L, object + 1);
    mpl_frame_push(w, MPL_HOOK, at);
    return MPL_DESCEND;
}

enum mpl_step mpl_encode_instance(struct mpl_walk *w)
{
    lua_State *L = w->L;
    int object = lua_gettop(L);
    const void *self = lua_topointer(L, object);
    bool table = lua_istable(L, object);
    size_t at = mpl_offset(w);

    if (!lua_getmetatable(L, object))
        return table ? mpl_encode_open_table(w)
                     : mpl_encode_unsendable(w, NULL);
    lua_pushliteral(L, "__mp_pack");
    if (lua_rawget(L, object + 1) != LUA_TNIL)
        return encode_packed(w, object);
    lua_settop(L, object + 1);
    if (!table) {
        lua_settop(L, object);
        return mpl_encode_unsendable(w, NULL);
    }
    mpl_put_tag(w, MPR_TAG_INSTANCE);
    if (!put_metatable(w))
        return nameless(w, object, at);
    lua_settop(L, object);
    mpl_seen_move(&w->e->seen, self, mpl_offset(w));
    return mpl_encode_open_table(w);
}
