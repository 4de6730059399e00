/* The encoder's walk: one pass. What is underway in the careful way is a stack
 * of frames, so a list of 100 000 links needs no C stack. */

#include "encode.h"
#include "scalar.h"

#include <stdlib.h>
#include <string.h>

/* From this size on, a copy of a string is worth avoiding. */
enum { LENT_STRING = 4096 };

void mpl_no_memory(lua_State *L)
{
    luaL_error(L, "not enough memory");
    abort(); /* luaL_error does not return */
}

/* ---- frames ------------------------------------------------------------------ */

bool mpl_stack_ready(struct mpl_walk *w)
{
    if (!lua_checkstack(w->L, 4 * MPL_SLOTS))
        return false;
    w->checked = w->top + 4 * MPL_SLOTS;
    return true;
}

/* Pointers to frames end here: whoever pushes returns MPL_DESCEND at once. */
struct mpl_frame *mpl_frame_push(struct mpl_walk *w, enum mpl_part part,
                                 size_t at)
{
    struct mpl_encoder *e = w->e;
    struct mpl_frame *f;

    if (e->depth == e->capacity) {
        size_t capacity = e->capacity ? 2 * e->capacity : 32;
        struct mpl_frame *frames =
            realloc(e->frames, capacity * sizeof *frames);

        if (!frames)
            mpl_no_memory(w->L);
        e->frames = frames;
        e->capacity = capacity;
    }
    f = &e->frames[e->depth++];
    f->table = w->top;
    f->part = part;
    f->at = at;
    f->order = MPL_ONCE;
    f->n = f->i = 0;
    f->pairs = 0;
    return f;
}

/* ---- values ---------------------------------------------------------------------- */

static inline enum mpl_step encode_table(struct mpl_walk *w)
{
    const void *table;

    if (!w->anchors)
        return mpl_encode_plain_table(w);
    table = lua_topointer(w->L, w->top);
    if (table == w->globals && (w->flags & MPL_FUNCTIONS)) {
        mpl_put_tag(w, MPR_TAG_GLOBALS);
        return MPL_DONE;
    }
    if (!mpl_frame_ready(w))
        return mpl_encode_unsendable(w, "nesting too deep");
    if (mpl_encode_met(w, table) || mpl_encode_by_name(w))
        return MPL_DONE;
    return mpl_encode_instance(w);
}

static uint32_t add_ref(struct mpl_walk *w, const mpr_handle *h)
{
    struct mpl_encoder *e = w->e;

    if (e->ref_count == MPR_PARCEL_REFS)
        luaL_error(w->L, "more than %d mp objects in one message",
                   MPR_PARCEL_REFS);
    if (e->ref_count == e->ref_capacity) {
        uint32_t capacity = e->ref_capacity ? 2 * e->ref_capacity : 8;
        const mpr_handle **refs = realloc(e->refs, capacity * sizeof(void *));

        if (!refs)
            mpl_no_memory(w->L);
        e->refs = refs;
        e->ref_capacity = capacity;
    }
    e->refs[e->ref_count] = h;
    return e->ref_count++;
}

static enum mpl_step encode_userdata(struct mpl_walk *w)
{
    const char *why = NULL;
    const mpr_handle *h = mpl_object_pack(w->L, -1, w->S, &why);
    uint8_t *p;

    if (h && (w->flags & MPL_STRING)) {
        h = NULL;
        why = (w->flags & MPL_SOCKET) == MPL_SOCKET
                  ? "shared memory does not go over a socket"
                  : "a string cannot hold it";
    }
    if (!h && !w->anchors)
        return MPL_CAREFUL;
    if (w->anchors && !mpl_frame_ready(w))
        return mpl_encode_unsendable(w, "nesting too deep");
    if (!h && why)
        return mpl_encode_unsendable(w, why);
    if (mpl_encode_met(w, lua_topointer(w->L, -1)))
        return MPL_DONE;
    if (!h)
        return mpl_encode_instance(w);
    p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX);
    *p = MPR_TAG_OBJECT;
    w->e->out.end = mpr_put_count(p + 1, add_ref(w, h));
    return MPL_DONE;
}

enum mpl_step mpl_encode_rest(struct mpl_walk *w, int type, int top)
{
    size_t size;
    const char *s;

    w->top = top;
    switch (type) {
    case LUA_TTABLE:
        return encode_table(w);
    case LUA_TSTRING:
        s = lua_tolstring(w->L, -1, &size);
        if (!mpl_encode_met(w, s))
            mpl_put_string(w->L, w->e, s, size);
        return MPL_DONE;
    case LUA_TFUNCTION:
        return w->anchors ? mpl_encode_function(w) : MPL_CAREFUL;
    case LUA_TUSERDATA:
        return encode_userdata(w);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(w->L, -1))
            return mpl_encode_unsendable(w, NULL);
        mpl_put_tag(w, MPR_TAG_NULL);
        return MPL_DONE;
    default:
        return mpl_encode_unsendable(w, NULL);
    }
}

enum mpl_step mpl_encode_value(struct mpl_walk *w)
{
    int top = lua_gettop(w->L);
    int type = lua_type(w->L, top);

    return mpl_put_scalar(w->L, w->e, top, type)
               ? MPL_DONE
               : mpl_encode_rest(w, type, top);
}

/* ---- the walk ----------------------------------------------------------------------- */

static enum mpl_step continue_frame(struct mpl_walk *w, struct mpl_frame *f)
{
    switch (f->part) {
    case MPL_FIRST_ITEM:
    case MPL_ITEMS:
    case MPL_SCATTERED:
    case MPL_FIRST:
    case MPL_KEY:
    case MPL_VALUE:
        return mpl_encode_parts(w, f);
    case MPL_UPVALUES:
        return mpl_encode_upvalues(w, f);
    case MPL_HOOK:
        if (f->i++ == 0)
            return mpl_encode_value(w);
        break;
    }
    return MPL_DONE;
}

/* Writes the value on the top and all that it leads to, and pops it; false:
 * not this way. */
static bool walk(struct mpl_walk *w)
{
    int top = lua_gettop(w->L);
    enum mpl_step step = mpl_encode_value(w);

    while (step != MPL_CAREFUL && w->e->depth > 0) {
        struct mpl_frame *f = &w->e->frames[w->e->depth - 1];

        step = continue_frame(w, f);
        if (step == MPL_DONE) {
            lua_settop(w->L, f->table - 1);
            w->e->depth--;
        }
    }
    lua_settop(w->L, top - 1);
    return step != MPL_CAREFUL;
}

static void lend_string(struct mpl_walk *w, const char *s, size_t size)
{
    uint8_t *p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX);

    *p++ = MPR_TAG_STRING;
    w->e->out.end = mpr_put_count(p, size);
    w->e->lent = s;
    w->e->lent_size = size;
}

/* A message of one number, boolean, nil or string, which meets nothing. */
static bool encode_simple(struct mpl_walk *w, int idx)
{
    int type = lua_type(w->L, idx);
    size_t size;
    const char *s;

    if (type == LUA_TSTRING) {
        s = lua_tolstring(w->L, idx, &size);
        if (size >= LENT_STRING && w->flags & MPL_LEND)
            lend_string(w, s, size);
        else
            mpl_put_string(w->L, w->e, s, size);
        return true;
    }
    return mpl_put_scalar(w->L, w->e, idx, type);
}

static void begin(struct mpl_walk *w)
{
    if (w->flags & MPL_STRING)
        mpl_put_tag(w, MPL_FORMAT);
}

static bool walk_all(struct mpl_walk *w, int first, int n)
{
    mpl_encoder_empty(w->e);
    mpl_encoder_clear(w->e, w->anchors != 0);
    w->level = 0;
    begin(w);
    luaL_checkstack(w->L, 2 * MPL_SLOTS, "too many values to send");
    w->checked = lua_gettop(w->L) + 2 * MPL_SLOTS;
    for (int i = 0; i < n; i++) {
        w->number = i + 1;
        lua_pushvalue(w->L, first + i);
        if (!walk(w))
            return false;
    }
    return true;
}

/* The encoder is on the Lua stack meanwhile: user code that encodes gets
 * another one, and an error frees this one. */
static void walk_carefully(struct mpl_walk *w, int first, int n)
{
    lua_State *L = w->L;
    struct mpl_codec *c = &w->S->codec;
    int top = lua_gettop(L);
    struct mpl_box *box;

    luaL_checkstack(L, 8, NULL);
    box = mpl_box_push(L);
    box->encoder = w->e;
    c->encoder = NULL;
    lua_newtable(L);
    w->anchors = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->classes);
    w->classes = lua_gettop(L);
    mpl_modules_push(L, c);
    w->modules = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    w->globals = lua_topointer(L, -1);
    walk_all(w, first, n);
    mpl_encoder_free(c->encoder);
    c->encoder = box->encoder;
    box->encoder = NULL;
    lua_settop(L, top);
}

void mpl_encode_values(lua_State *L, int first, int n, struct mpl_state *S,
                       unsigned flags, const char *root)
{
    struct mpl_walk w = {.L = L, .S = S, .flags = flags, .root = root};

    if (!S->codec.encoder)
        S->codec.encoder = mpl_encoder_new(L);
    w.e = S->codec.encoder;
    first = lua_absindex(L, first);
    if (n == 1) { /* the shortest way for the shortest messages */
        mpl_encoder_empty(w.e);
        begin(&w);
        if (encode_simple(&w, first))
            return;
    }
    if (!walk_all(&w, first, n))
        walk_carefully(&w, first, n);
    /* A class's own function, or a finalizer, ran in between. */
    for (uint32_t i = 0; i < w.e->ref_count; i++)
        if (!w.e->refs[i]->block)
            luaL_error(L,
                       "cannot send %s: an object in it was closed "
                       "while it was sent",
                       root);
}

void mpl_encode(lua_State *L, int idx, struct mpl_state *S, unsigned flags,
                const char *root)
{
    mpl_encode_values(L, idx, 1, S, flags, root);
}
