/* The encoder's walk: tables, numbers, strings; one pass, no recursion. What
 * is underway is a stack of frames, so a list of 100 000 links needs no C
 * stack.
 *
 * The parts of a table: the items 1..n (n is its border) are read by number,
 * the rest by lua_next. Where the items lie in that order is the table's
 * secret: usually first, in its array; but they may stand anywhere among the
 * pairs. So m (the items that are not nil) steps are skipped unread. If no
 * item turns up afterwards, those m were the items, all of them. If one does
 * ("disorder"), the first m are looked at once more, one by one. */

#include "encode.h"

#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 64,       /* items read ahead, while they are numbers */
    RUN_MIN = 4,      /* shorter runs are no shorter on the wire */
    LONG_STRING = 64, /* from this size on, strings are sent once */
};

void mpl_no_memory(lua_State *L)
{
    luaL_error(L, "not enough memory");
    abort(); /* luaL_error does not return */
}

/* ---- scalars --------------------------------------------------------------- */

static inline void encode_number(struct mpl_walk *w, int idx)
{
    uint8_t *p = mpl_room(w, 9);

    if (lua_isinteger(w->L, idx))
        w->e->out.end = mpr_put_integer(p, lua_tointeger(w->L, idx));
    else
        w->e->out.end = mpr_put_number(p, lua_tonumber(w->L, idx));
}

static void put_string(struct mpl_walk *w, const char *s, size_t size)
{
    uint8_t *p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX + size);

    if (size <= MPR_WIRE_SHORT) {
        *p++ = (uint8_t)(MPR_TAG_SHORT + size);
    } else {
        *p++ = MPR_TAG_STRING;
        p = mpr_put_count(p, size);
    }
    memcpy(p, s, size);
    w->e->out.end = p + size;
}

/* Lua keeps one copy of each short string, so an address is a string; in the
 * careful way one may have been collected since, so its bytes are compared. */
static bool is_name(const struct mpl_walk *w, const struct mpl_name *name,
                    const char *s, size_t size)
{
    if (name->s != s || name->stamp != w->e->names.stamp)
        return false;
    return !w->anchors || (name->size == size &&
                           memcmp(w->e->out.bytes + name->where, s, size) == 0);
}

/* The first time a string is itself, the second time it is also defined as a
 * name, from then on it is that name. Names stay; of the strings met once the
 * last to claim a slot has it. */
static void put_name(struct mpl_walk *w, struct mpl_name *name, const char *s,
                     size_t size)
{
    struct mpl_names *names = &w->e->names;
    uint8_t *p = mpl_room(w, 2 + MPL_NAME_SIZE);

    if (!is_name(w, name, s, size)) {
        put_string(w, s, size);
        if (name->index && name->stamp == names->stamp)
            return; /* both slots are names' */
        name->s = s;
        name->stamp = names->stamp;
        name->index = 0;
        name->size = (uint16_t)size;
        name->where = mpl_offset(w) - size;
    } else if (name->index == 0) {
        name->index = (uint16_t)++names->count; /* no more than slots */
        p[0] = MPR_TAG_NAME;
        p[1] = (uint8_t)size;
        memcpy(p + 2, s, size);
        w->e->out.end = p + 2 + size;
    } else if (name->index <= 64) {
        p[0] = (uint8_t)(MPR_TAG_NAMED + name->index - 1);
        w->e->out.end = p + 1;
    } else {
        p[0] = MPR_TAG_NAME_FAR;
        p[1] = (uint8_t)(name->index - 65);
        w->e->out.end = p + 2;
    }
}

static inline void put_short_string(struct mpl_walk *w, const char *s,
                                    size_t size)
{
    struct mpl_name *name = mpl_name_slot(&w->e->names, s);
    uint8_t *p = mpl_room(w, 1);

    if (name->s == s && name->stamp == w->e->names.stamp && !w->anchors &&
        (unsigned)name->index - 1 < 64) { /* as put_name does; most often */
        *p = (uint8_t)(MPR_TAG_NAMED + name->index - 1);
        w->e->out.end = p + 1;
        return;
    }
    put_name(w, name, s, size);
}

void mpl_encode_string(struct mpl_walk *w, const char *s, size_t size)
{
    if (size <= MPL_NAME_SIZE)
        put_short_string(w, s, size);
    else
        put_string(w, s, size);
}

/* A value that leads to nothing and is met by nothing: true, it is written. */
__attribute__((always_inline)) static inline bool
encode_scalar(struct mpl_walk *w, int idx, int type)
{
    size_t size;
    const char *s;

    switch (type) {
    case LUA_TNIL:
        mpl_put_tag(w, MPR_TAG_NIL);
        return true;
    case LUA_TBOOLEAN:
        mpl_put_tag(w, lua_toboolean(w->L, idx) ? MPR_TAG_TRUE : MPR_TAG_FALSE);
        return true;
    case LUA_TNUMBER:
        encode_number(w, idx);
        return true;
    case LUA_TSTRING:
        s = lua_tolstring(w->L, idx, &size);
        if (size <= MPL_NAME_SIZE)
            put_short_string(w, s, size);
        else if (size < LONG_STRING)
            put_string(w, s, size);
        else
            return false;
        return true;
    default:
        return false;
    }
}

/* ---- what may be met again --------------------------------------------------- */

static void put_ref(struct mpl_walk *w, uint64_t off)
{
    uint8_t *tag = w->e->out.bytes + off;
    uint8_t *p;

    switch (*tag) { /* those others say it by where they stand */
    case MPR_TAG_STRING:
    case MPR_TAG_MAP:
    case MPR_TAG_TABLE:
    case MPR_TAG_FUNCTION:
        ++*tag; /* the _SHARED twin */
        break;
    default:
        break;
    }
    p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX);
    *p++ = MPR_TAG_REF;
    w->e->out.end = mpr_put_count(p, off);
}

/* In the careful way what is met is kept alive: what lives has an address of
 * its own. The value on the top is the object, or holds it. */
void mpl_encode_meet(struct mpl_walk *w, const void *object, size_t at)
{
    uint64_t off = at;

    if (mpl_seen_add(&w->e->seen, object, &off) < 0)
        mpl_no_memory(w->L);
    if (w->anchors) {
        lua_pushvalue(w->L, -1);
        lua_rawseti(w->L, w->anchors, ++w->kept);
    }
}

/* Whether the PACKED at off is that of a hooked object whose packed value is
 * underway. */
static bool is_inside(const struct mpl_walk *w, uint64_t off)
{
    for (size_t i = w->e->depth; i-- > 0;)
        if (w->e->frames[i].part == MPL_HOOK && w->e->frames[i].at == off)
            return true;
    return false;
}

bool mpl_encode_met(struct mpl_walk *w, const void *object)
{
    uint64_t off = mpl_offset(w);
    int met = mpl_seen_add(&w->e->seen, object, &off);

    if (met < 0)
        mpl_no_memory(w->L);
    if (!met) {
        if (w->anchors) {
            lua_pushvalue(w->L, -1);
            lua_rawseti(w->L, w->anchors, ++w->kept);
        }
        return false;
    }
    if (w->e->out.bytes[off] == MPR_TAG_PACKED && is_inside(w, off))
        mpl_encode_unsendable(w, "its __mp_pack leads back to it");
    else
        put_ref(w, off);
    return true;
}

/* The text of the value on the top, pushed; whatever its __tostring does. */
static int text_of(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

enum mpl_step mpl_encode_unsendable(struct mpl_walk *w, const char *why)
{
    lua_State *L = w->L;
    const void *object = lua_topointer(L, -1);
    struct mpl_seen_entry *entry;
    size_t size;
    const char *s;

    if (!(w->flags & MPL_LOSSY))
        mpl_refuse(w, why);
    if (!w->anchors)
        return MPL_CAREFUL;
    if (w->e->seen.entries && object &&
        mpl_seen_find(&w->e->seen, object, &entry) &&
        mpl_seen_offset(entry) == mpl_offset(w))
        mpl_seen_forget(&w->e->seen, object);
    lua_pushcfunction(L, text_of);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        lua_pushfstring(L, "(a %s whose text cannot be had)",
                        luaL_typename(L, -1));
    }
    s = lua_tolstring(L, -1, &size);
    mpl_encode_string(w, s, size);
    lua_pop(L, 1);
    return MPL_DONE;
}

/* ---- tables -------------------------------------------------------------------- */

bool mpl_frame_ready(struct mpl_walk *w)
{
    w->top = lua_gettop(w->L);
    if (w->e->depth >= MPR_WIRE_DEPTH)
        return false;
    if (w->top + BATCH + 16 > w->checked) {
        if (!lua_checkstack(w->L, 4 * BATCH))
            return false;
        w->checked = w->top + 4 * BATCH;
    }
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
    f->n = f->i = f->filled = f->again = 0;
    f->order = MPL_ONCE;
    f->pairs = 0;
    return f;
}

enum mpl_step mpl_encode_open_table(struct mpl_walk *w)
{
    lua_Unsigned n = lua_rawlen(w->L, -1);
    struct mpl_frame *f =
        mpl_frame_push(w, n ? MPL_ITEMS : MPL_KEY, mpl_offset(w));
    uint8_t *p = mpl_room(w, 2 + MPR_WIRE_COUNT_MAX);

    p[0] = n ? MPR_TAG_TABLE : MPR_TAG_MAP;
    p[1] = 0; /* pairs, set by close_table */
    w->e->out.end = n ? mpr_put_count(p + 2, n) : p + 2;
    f->n = n;
    if (!n)
        lua_pushnil(w->L); /* before the first key */
    return MPL_DESCEND;
}

static void close_table(struct mpl_walk *w, const struct mpl_frame *f)
{
    w->e->out.bytes[f->at + 1] = mpr_wire_pairs(f->pairs);
    if (f->pairs > MPR_WIRE_PAIRS)
        mpl_put_tag(w, MPR_TAG_END);
}

/* Numbers from the item on the top on: the batch of them is written. */
static void encode_numbers(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int first = f->table + 1;
    int count = 1;
    int err = 0;
    int64_t integers[BATCH];
    double numbers[BATCH];

    while (count < BATCH && f->i < f->n) {
        if (lua_rawgeti(L, f->table, (lua_Integer)f->i + 1) != LUA_TNUMBER)
            break;
        f->i++;
        count++;
    }
    f->filled += (lua_Unsigned)count;
    for (int i = 0; i < count;) {
        unsigned n = 0;

        for (; i < count && lua_isinteger(L, first + i); i++)
            integers[n++] = lua_tointeger(L, first + i);
        if (n >= RUN_MIN)
            err |= mpr_write_integers(&w->e->out, integers, n);
        else
            for (unsigned k = 0; k < n; k++)
                err |= mpr_write_integer(&w->e->out, integers[k]);
        for (n = 0; i < count && !lua_isinteger(L, first + i); i++)
            numbers[n++] = lua_tonumber(L, first + i);
        if (n >= RUN_MIN)
            err |= mpr_write_numbers(&w->e->out, numbers, n);
        else
            for (unsigned k = 0; k < n; k++)
                err |= mpr_write_number(&w->e->out, numbers[k]);
    }
    if (err)
        mpl_no_memory(L);
    lua_settop(L, f->table);
}

static enum mpl_step encode_rest(struct mpl_walk *w, int type);
static enum mpl_step encode_pairs(struct mpl_walk *w, struct mpl_frame *f);
static bool skip_items(struct mpl_walk *w, struct mpl_frame *f);

static enum mpl_step encode_items(struct mpl_walk *w, struct mpl_frame *f)
{
    while (f->i < f->n) {
        int type = lua_rawgeti(w->L, f->table, (lua_Integer)++f->i);

        if (type == LUA_TNUMBER) {
            encode_numbers(w, f);
            continue;
        }
        f->filled += type != LUA_TNIL;
        if (!encode_scalar(w, -1, type)) {
            enum mpl_step step = encode_rest(w, type);

            if (step != MPL_DONE)
                return step;
        }
        lua_settop(w->L, f->table);
    }
    f->part = MPL_KEY;
    return skip_items(w, f) ? encode_pairs(w, f) : MPL_DONE;
}

/* Passes over as many entries as there are items; false: these are all. */
static bool skip_items(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int table = f->table;

    lua_pushnil(L);
    for (lua_Unsigned m = f->filled; m > 0;) {
        /* A second key costs less than taking the value off again. */
        for (int i = 0; i < BATCH / 2 && m > 0; i++, m--) {
            if (!lua_next(L, table))
                return false;
            lua_pushvalue(L, -2);
        }
        lua_replace(L, table + 1);
        lua_settop(L, table + 1);
    }
    return true;
}

static bool is_item(lua_State *L, const struct mpl_frame *f, int key)
{
    return lua_isinteger(L, key) &&
           (lua_Unsigned)lua_tointeger(L, key) - 1 < f->n;
}

/* Goes from the key on the top to the next pair that is not an item, and
 * leaves its key and value in its place; false: there is none. */
static bool next_pair(lua_State *L, struct mpl_frame *f, int key)
{
    for (;;) {
        if (f->order == MPL_AGAIN && f->again-- == 0)
            return false;
        if (!lua_next(L, f->table)) {
            if (f->order != MPL_DISORDER)
                return false;
            f->order = MPL_AGAIN;
            f->again = f->filled;
            lua_pushnil(L);
            continue;
        }
        if (f->n == 0 || !is_item(L, f, key))
            return true;
        if (f->order == MPL_ONCE)
            f->order = MPL_DISORDER;
        lua_settop(L, key);
    }
}

/* Writes the pairs after the key on the top. */
static enum mpl_step encode_pairs(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int key = f->table + 1;
    enum mpl_step step;
    int type;

    for (;;) {
        if (f->part == MPL_KEY) {
            if (!next_pair(L, f, key))
                return MPL_DONE;
            f->pairs++;
            type = lua_type(L, key);
            if (!encode_scalar(w, key, type)) {
                f->part = MPL_VALUE;
                lua_pushvalue(L, key);
                step = encode_rest(w, type);
                if (step != MPL_DONE)
                    return step;
                lua_settop(L, key + 1);
            }
        }
        f->part = MPL_KEY;
        type = lua_type(L, key + 1);
        if (!encode_scalar(w, key + 1, type)) {
            step = encode_rest(w, type);
            if (step != MPL_DONE)
                return step;
        }
        lua_settop(L, key);
    }
}

/* ---- values ---------------------------------------------------------------------- */

static enum mpl_step encode_table(struct mpl_walk *w)
{
    const void *table = lua_topointer(w->L, -1);

    if (!w->anchors) {
        if (lua_getmetatable(w->L, -1))
            return MPL_CAREFUL;
    } else if (table == w->globals && (w->flags & MPL_FUNCTIONS)) {
        mpl_put_tag(w, MPR_TAG_GLOBALS);
        return MPL_DONE;
    }
    if (!mpl_frame_ready(w))
        return mpl_encode_unsendable(w, "nesting too deep");
    if (mpl_encode_met(w, table))
        return MPL_DONE;
    if (w->anchors) {
        if (mpl_encode_by_name(w))
            return MPL_DONE;
        return mpl_encode_instance(w);
    }
    return mpl_encode_open_table(w);
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
        why = "a string cannot hold it";
    }
    if (!h && !w->anchors)
        return MPL_CAREFUL;
    if (!mpl_frame_ready(w))
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

/* The value on the top, which is no scalar. */
static enum mpl_step encode_rest(struct mpl_walk *w, int type)
{
    size_t size;
    const char *s;

    switch (type) {
    case LUA_TTABLE:
        return encode_table(w);
    case LUA_TSTRING:
        s = lua_tolstring(w->L, -1, &size);
        if (!mpl_encode_met(w, s))
            put_string(w, s, size);
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
    int type = lua_type(w->L, -1);

    return encode_scalar(w, -1, type) ? MPL_DONE : encode_rest(w, type);
}

/* ---- the walk ----------------------------------------------------------------------- */

static enum mpl_step continue_frame(struct mpl_walk *w, struct mpl_frame *f)
{
    enum mpl_step step = MPL_DONE;

    switch (f->part) {
    case MPL_ITEMS:
        step = encode_items(w, f);
        break;
    case MPL_KEY:
    case MPL_VALUE:
        step = encode_pairs(w, f);
        break;
    case MPL_UPVALUES:
        step = mpl_encode_upvalues(w, f);
        break;
    case MPL_HOOK:
        if (f->i++ == 0)
            step = mpl_encode_value(w);
        break;
    }
    if (step == MPL_DONE && (f->part == MPL_KEY))
        close_table(w, f);
    return step;
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

/* A message of one number, boolean, nil or string, which meets nothing. */
static bool encode_simple(struct mpl_walk *w, int idx)
{
    int type = lua_type(w->L, idx);
    size_t size;
    const char *s;

    if (type == LUA_TSTRING) {
        s = lua_tolstring(w->L, idx, &size);
        put_string(w, s, size);
        return true;
    }
    return encode_scalar(w, idx, type);
}

static void begin(struct mpl_walk *w)
{
    if (w->flags & MPL_STRING)
        mpl_put_tag(w, MPL_FORMAT);
}

static bool walk_all(struct mpl_walk *w, int first, int n)
{
    mpl_encoder_empty(w->e);
    mpl_encoder_clear(w->e);
    begin(w);
    luaL_checkstack(w->L, BATCH, "too many values to send");
    w->checked = 0;
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
}

void mpl_encode(lua_State *L, int idx, struct mpl_state *S, unsigned flags,
                const char *root)
{
    mpl_encode_values(L, idx, 1, S, flags, root);
}
