/* What the codec keeps per state, and the messages that come of it. */

#include "encode.h"

#include <stdlib.h>
#include <string.h>

struct mpl_encoder *mpl_encoder_new(lua_State *L)
{
    struct mpl_encoder *e = calloc(1, sizeof *e);

    if (!e)
        mpl_no_memory(L);
    return e;
}

void mpl_encoder_free(struct mpl_encoder *e)
{
    if (!e)
        return;
    mpr_writer_free(&e->out);
    mpl_seen_free(&e->seen);
    free(e->frames);
    free(e->refs);
    free(e);
}

void mpl_encoder_shrink(struct mpl_encoder *e)
{
    size_t had = (size_t)(e->out.limit - e->out.bytes);

    if (mpr_writer_size(&e->out) < had / 8)
        mpr_writer_free(&e->out);
}

void mpl_encoder_clear(struct mpl_encoder *e, bool careful)
{
    e->careful = careful;
    mpl_seen_clear(&e->seen, &e->names);
    e->depth = 0;
}

static int box_gc(lua_State *L)
{
    struct mpl_box *box = lua_touserdata(L, 1);

    mpl_encoder_free(box->encoder);
    box->encoder = NULL;
    return 0;
}

struct mpl_box *mpl_box_push(lua_State *L)
{
    struct mpl_box *box = lua_newuserdatauv(L, sizeof *box, 0);

    box->encoder = NULL;
    if (luaL_newmetatable(L, "mp.encoder")) {
        lua_pushcfunction(L, box_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    return box;
}

void mpl_codec_parcel(const struct mpl_state *S, struct mpr_parcel *parcel)
{
    const struct mpl_encoder *e = S->codec.encoder;

    parcel->bytes = e->out.bytes;
    parcel->size = mpr_writer_size(&e->out);
    parcel->refs = e->refs;
    parcel->ref_count = e->ref_count;
    parcel->more = e->lent;
    parcel->more_size = e->lent_size;
}

static int new_table(lua_State *L, const char *mode)
{
    lua_newtable(L);
    if (mode) {
        lua_createtable(L, 0, 1);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void mpl_codec_init(lua_State *L, struct mpl_codec *c)
{
    memset(c, 0, sizeof *c);
    c->classes = new_table(L, "k");
    c->modules = new_table(L, "k");
    c->loaded = new_table(L, NULL);
    c->codes = new_table(L, "k");
    c->functions = new_table(L, NULL);
}

void mpl_codec_fini(struct mpl_codec *c)
{
    mpl_encoder_free(c->encoder);
    c->encoder = NULL;
}
