/* The decoder: bytes that somebody else wrote, so nothing about them is
 * believed. A size is covered by the bytes that are left, or the message is
 * refused; tables are made for what they claim to hold only while all claims
 * together stay below the size of the message, so a lie costs no memory.
 * Plain data runs no code. */

#include "decode.h"

#include <string.h>

enum {
    SLOTS = 16,  /* of the stack, that one value needs at most; for names */
    LARGE = 200, /* a message of this size may have names worth a slot */
};

void mpl_bad_message(struct mpl_decoder *d, const char *what)
{
    if (what)
        luaL_error(d->L, "cannot decode: %s", what);
    if (d->r.at == d->r.end)
        luaL_error(d->L, "cannot decode: truncated");
    luaL_error(d->L, "cannot decode: garbage at byte %I",
               (LUAI_UACINT)(d->r.at - d->r.begin));
    for (;;) /* luaL_error does not return */
        ;
}

uint64_t mpl_next_count(struct mpl_decoder *d)
{
    uint64_t n;

    if (mpr_read_count(&d->r, &n) < 0)
        mpl_bad_message(d, NULL);
    return n;
}

static const uint8_t *next_bytes(struct mpl_decoder *d, uint64_t size)
{
    const uint8_t *p = d->r.at;

    if (size > mpr_reader_left(&d->r)) {
        d->r.at = d->r.end;
        mpl_bad_message(d, NULL);
    }
    d->r.at += size;
    return p;
}

/* ---- what is met again ------------------------------------------------------- */

static lua_Integer memo_key(enum mpl_memo kind, uint64_t off)
{
    switch (kind) {
    case MPL_MEMO_NAME:
        return (lua_Integer)off + 1;
    case MPL_MEMO_VALUE:
        return (lua_Integer)off + 1 + MPR_WIRE_NAMES;
    case MPL_MEMO_CLASS:
        return -1 - 2 * (lua_Integer)off;
    case MPL_MEMO_UPVALUE:
        break;
    }
    return -2 - 2 * (lua_Integer)off;
}

void mpl_memo_set(struct mpl_decoder *d, enum mpl_memo kind, uint64_t off)
{
    if (lua_isnil(d->L, d->memo)) {
        lua_newtable(d->L);
        lua_replace(d->L, d->memo);
    }
    lua_pushvalue(d->L, -1);
    lua_rawseti(d->L, d->memo, memo_key(kind, off));
}

int mpl_memo_get(struct mpl_decoder *d, enum mpl_memo kind, uint64_t off)
{
    int type;

    if (lua_isnil(d->L, d->memo) || off >= (uint64_t)(d->r.end - d->r.begin))
        mpl_bad_message(d, NULL);
    type = lua_rawgeti(d->L, d->memo, memo_key(kind, off));
    if (type == LUA_TNIL)
        mpl_bad_message(d, NULL);
    return type;
}

/* The first names lie on the stack, the others in the memo. */
static inline void push_name(struct mpl_decoder *d, unsigned index)
{
    if (index >= d->names)
        mpl_bad_message(d, NULL);
    if (index < d->slots)
        lua_pushvalue(d->L, d->box + 1 + (int)index);
    else
        lua_rawgeti(d->L, d->memo, memo_key(MPL_MEMO_NAME, index));
}

static void define_name(struct mpl_decoder *d)
{
    unsigned size = mpl_next_byte(d);

    if (d->names == MPR_WIRE_NAMES)
        mpl_bad_message(d, NULL);
    lua_pushlstring(d->L, (const char *)next_bytes(d, size), size);
    if (d->names < d->slots)
        lua_copy(d->L, -1, d->box + 1 + (int)d->names);
    else
        mpl_memo_set(d, MPL_MEMO_NAME, d->names);
    d->names++;
}

void mpl_decode_string(struct mpl_decoder *d)
{
    unsigned tag = mpl_next_byte(d);
    uint64_t size;

    if (tag >= MPR_TAG_SHORT && tag < MPR_TAG_NAMED) {
        size = tag - MPR_TAG_SHORT;
        lua_pushlstring(d->L, (const char *)next_bytes(d, size), size);
    } else if (tag >= MPR_TAG_NAMED && tag < MPR_TAG_NIL) {
        push_name(d, tag - MPR_TAG_NAMED);
    } else if (tag == MPR_TAG_NAME_FAR) {
        push_name(d, 64 + mpl_next_byte(d));
    } else if (tag == MPR_TAG_NAME) {
        define_name(d);
    } else if (tag == MPR_TAG_STRING) {
        size = mpl_next_count(d);
        lua_pushlstring(d->L, (const char *)next_bytes(d, size), size);
    } else {
        d->r.at--;
        mpl_bad_message(d, NULL);
    }
}

/* ---- tables --------------------------------------------------------------------- */

static void grow_made(struct mpl_decoder *d)
{
    size_t capacity = 2 * d->capacity;
    struct mpl_made *made;

    made = lua_newuserdatauv(d->L, capacity * sizeof *made, 0);
    memcpy(made, d->made, d->depth * sizeof *made);
    lua_replace(d->L, d->box);
    d->made = made;
    d->capacity = capacity;
}

/* Pointers into made end here: whoever pushes returns false at once. */
struct mpl_made *mpl_made_push(struct mpl_decoder *d, enum mpl_due due,
                               size_t at)
{
    struct mpl_made *m;
    int top = lua_gettop(d->L);

    if (top + SLOTS > d->checked) {
        if (!lua_checkstack(d->L, 8 * SLOTS))
            mpl_bad_message(d, "nesting too deep");
        d->checked = top + 8 * SLOTS;
    }
    if (d->depth == 2 * MPR_WIRE_DEPTH) /* a table and its metatable each */
        mpl_bad_message(d, "nesting too deep");
    if (d->depth == d->capacity)
        grow_made(d);
    m = &d->made[d->depth++];
    m->table = top;
    m->due = due;
    m->at = at;
    m->n = m->i = m->left = 0;
    return m;
}

/* So many of count entries as may be believed. */
static int believe(struct mpl_decoder *d, uint64_t count)
{
    if (count > d->budget)
        count = d->budget;
    if (count > INT32_MAX / 2)
        count = INT32_MAX / 2;
    d->budget -= count;
    return (int)count;
}

bool mpl_decode_table(struct mpl_decoder *d)
{
    size_t at = (size_t)(d->r.at - d->r.begin);
    unsigned tag = mpl_next_byte(d);
    unsigned byte = mpl_next_byte(d);
    bool open = byte > MPR_WIRE_PAIRS;
    uint64_t pairs = byte, n = 0;
    struct mpl_made *m;
    int items;

    if (tag == MPR_TAG_TABLE || tag == MPR_TAG_TABLE_SHARED)
        n = mpl_next_count(d);
    else if (tag != MPR_TAG_MAP && tag != MPR_TAG_MAP_SHARED)
        mpl_bad_message(d, NULL);
    if (open) {
        byte -= MPR_WIRE_PAIRS + 1;
        if (byte < 8)
            mpl_bad_message(d, NULL);
        pairs = (uint64_t)1 << byte;
    }
    if (n > mpr_reader_left(&d->r) || pairs > mpr_reader_left(&d->r)) {
        d->r.at = d->r.end;
        mpl_bad_message(d, NULL);
    }
    items = believe(d, n);
    lua_createtable(d->L, items, believe(d, pairs));
    if (tag == MPR_TAG_MAP_SHARED || tag == MPR_TAG_TABLE_SHARED)
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
    m = mpl_made_push(d, n ? MPL_DUE_ITEM : MPL_DUE_KEY, at);
    m->n = n;
    m->left = open ? UINT64_MAX : pairs;
    return false;
}

/* Sets the next items from a RUN, whose tag was read. */
static void decode_run(struct mpl_decoder *d, struct mpl_made *m)
{
    lua_State *L = d->L;
    unsigned kind = mpl_next_byte(d);
    unsigned count = mpl_next_byte(d);
    int table = m->table;
    lua_Integer i = (lua_Integer)m->i;
    const uint8_t *p;

    if (count == 0 || count > m->n - m->i)
        mpl_bad_message(d, NULL);
    m->i += count;
    switch (kind) {
    case 1:
        for (p = next_bytes(d, count); count > 0; count--, p++) {
            lua_pushinteger(L, mpr_wire_integer(p, 1));
            lua_rawseti(L, table, ++i);
        }
        break;
    case 2:
        for (p = next_bytes(d, 2 * count); count > 0; count--, p += 2) {
            lua_pushinteger(L, mpr_wire_integer(p, 2));
            lua_rawseti(L, table, ++i);
        }
        break;
    case 4:
        for (p = next_bytes(d, 4 * count); count > 0; count--, p += 4) {
            lua_pushinteger(L, mpr_wire_integer(p, 4));
            lua_rawseti(L, table, ++i);
        }
        break;
    case 8:
        for (p = next_bytes(d, 8 * count); count > 0; count--, p += 8) {
            lua_pushinteger(L, mpr_wire_integer(p, 8));
            lua_rawseti(L, table, ++i);
        }
        break;
    case MPR_WIRE_DOUBLES:
        for (p = next_bytes(d, 8 * count); count > 0; count--, p += 8) {
            lua_pushnumber(L, mpr_wire_number(p));
            lua_rawseti(L, table, ++i);
        }
        break;
    default:
        mpl_bad_message(d, NULL);
    }
}

/* Reads parts until one has parts of its own (false) or all are there. */
static bool decode_items(struct mpl_decoder *d, struct mpl_made *m,
                         bool arrived)
{
    if (arrived)
        lua_rawseti(d->L, m->table, (lua_Integer)m->i);
    while (m->i < m->n) {
        if (d->r.at < d->r.end && *d->r.at == MPR_TAG_RUN) {
            d->r.at++;
            decode_run(d, m);
            continue;
        }
        m->i++;
        if (!mpl_decode_value(d))
            return false;
        lua_rawseti(d->L, m->table, (lua_Integer)m->i);
    }
    m->due = MPL_DUE_KEY;
    return true;
}

static bool is_end(struct mpl_decoder *d)
{
    if (d->r.at == d->r.end || *d->r.at != MPR_TAG_END)
        return false;
    d->r.at++;
    return true;
}

/* Reads a key and pushes it; false: its parts are still to come. */
static inline bool decode_key(struct mpl_decoder *d)
{
    bool done;

    if (d->r.at < d->r.end && *d->r.at >= MPR_TAG_NAMED &&
        *d->r.at < MPR_TAG_NIL) {
        push_name(d, *d->r.at++ - MPR_TAG_NAMED);
        return true;
    }
    done = mpl_decode_value(d);
    if (done && lua_type(d->L, -1) != LUA_TSTRING &&
        (lua_isnil(d->L, -1) || !lua_rawequal(d->L, -1, -1)))
        mpl_bad_message(d, NULL); /* nil or NaN */
    return done;
}

static bool decode_pairs(struct mpl_decoder *d, struct mpl_made *m,
                         bool arrived)
{
    lua_State *L = d->L;
    int table = m->table;

    for (;;) {
        if (m->due == MPL_DUE_KEY) {
            if (arrived)
                lua_rawset(L, table);
            if (m->left == UINT64_MAX ? is_end(d) : m->left-- == 0)
                return true;
            m->due = MPL_DUE_VALUE;
            if (!decode_key(d))
                return false;
        }
        m->due = MPL_DUE_KEY;
        if (!mpl_decode_value(d))
            return false;
        arrived = true;
    }
}

/* ---- values ----------------------------------------------------------------------- */

static void decode_object(struct mpl_decoder *d, size_t at)
{
    uint64_t index = mpl_next_count(d);

    if (!d->refs || index >= d->refs->count || !d->refs->refs[index].block)
        mpl_bad_message(d, NULL);
    mpl_object_push(d->L, d->S, &d->refs->refs[index]);
    mpl_memo_set(d, MPL_MEMO_VALUE, at);
}

static void decode_long_string(struct mpl_decoder *d, size_t at, bool shared)
{
    uint64_t size = mpl_next_count(d);

    mpl_push_string(d->L, next_bytes(d, size), size);
    if (shared)
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
}

/* What begins with a tag that is not a number's. */
static __attribute__((noinline)) bool decode_rest(struct mpl_decoder *d,
                                                  unsigned tag)
{
    size_t at = (size_t)(d->r.at - d->r.begin) - 1;

    switch (tag) {
    case MPR_TAG_STRING:
    case MPR_TAG_STRING_SHARED:
        decode_long_string(d, at, tag == MPR_TAG_STRING_SHARED);
        return true;
    case MPR_TAG_NAME:
        define_name(d);
        return true;
    case MPR_TAG_NAME_FAR:
        push_name(d, 64 + mpl_next_byte(d));
        return true;
    case MPR_TAG_MAP:
    case MPR_TAG_MAP_SHARED:
    case MPR_TAG_TABLE:
    case MPR_TAG_TABLE_SHARED:
        d->r.at--;
        return mpl_decode_table(d);
    case MPR_TAG_NULL:
        lua_pushlightuserdata(d->L, NULL);
        return true;
    case MPR_TAG_REF:
        mpl_memo_get(d, MPL_MEMO_VALUE, mpl_next_count(d));
        return true;
    case MPR_TAG_OBJECT:
        decode_object(d, at);
        return true;
    case MPR_TAG_GLOBALS:
        mpl_revive_globals(d);
        return true;
    case MPR_TAG_BY_NAME:
        mpl_revive_by_name(d);
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
        return true;
    case MPR_TAG_CLASS:
        mpl_revive_class(d);
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
        return true;
    case MPR_TAG_INSTANCE:
        return mpl_revive_instance(d);
    case MPR_TAG_PACKED:
        return mpl_revive_packed(d, at);
    case MPR_TAG_FUNCTION:
    case MPR_TAG_FUNCTION_SHARED:
        return mpl_revive_function(d, at, tag == MPR_TAG_FUNCTION_SHARED);
    default:
        d->r.at--;
        mpl_bad_message(d, NULL);
    }
}

bool mpl_decode_value(struct mpl_decoder *d)
{
    lua_State *L = d->L;
    unsigned tag = mpl_next_byte(d);

    if (tag < MPR_TAG_SHORT) {
        lua_pushinteger(L, tag);
        return true;
    }
    if (tag < MPR_TAG_NAMED) {
        tag -= MPR_TAG_SHORT;
        lua_pushlstring(L, (const char *)next_bytes(d, tag), tag);
        return true;
    }
    if (tag < MPR_TAG_NIL) {
        push_name(d, tag - MPR_TAG_NAMED);
        return true;
    }
    switch (tag) {
    case MPR_TAG_NIL:
        lua_pushnil(L);
        return true;
    case MPR_TAG_FALSE:
    case MPR_TAG_TRUE:
        lua_pushboolean(L, tag == MPR_TAG_TRUE);
        return true;
    case MPR_TAG_INT8:
        lua_pushinteger(L, mpr_wire_integer(next_bytes(d, 1), 1));
        return true;
    case MPR_TAG_INT16:
        lua_pushinteger(L, mpr_wire_integer(next_bytes(d, 2), 2));
        return true;
    case MPR_TAG_INT32:
        lua_pushinteger(L, mpr_wire_integer(next_bytes(d, 4), 4));
        return true;
    case MPR_TAG_INT64:
        lua_pushinteger(L, mpr_wire_integer(next_bytes(d, 8), 8));
        return true;
    case MPR_TAG_NUMBER:
        lua_pushnumber(L, mpr_wire_number(next_bytes(d, 8)));
        return true;
    default:
        return decode_rest(d, tag);
    }
}

/* ---- a message ------------------------------------------------------------------------ */

/* Reads more parts of the innermost value; arrived: one of them, which had
 * parts itself, is on the top. True when it is complete, on the top. */
static bool continue_made(struct mpl_decoder *d, struct mpl_made *m,
                          bool arrived)
{
    switch (m->due) {
    case MPL_DUE_ITEM:
        if (!decode_items(d, m, arrived))
            return false;
        return decode_pairs(d, m, false);
    case MPL_DUE_KEY:
    case MPL_DUE_VALUE:
        return decode_pairs(d, m, arrived);
    case MPL_DUE_UPVALUE:
        return mpl_revive_upvalues(d, m, arrived);
    case MPL_DUE_TABLE:
        if (!arrived)
            return mpl_decode_table(d);
        lua_insert(d->L, m->table);
        lua_setmetatable(d->L, m->table);
        return true;
    case MPL_DUE_PACKED:
        if (!arrived && !mpl_decode_value(d))
            return false;
        mpl_revive_unpack(d, m);
        return true;
    }
    return false;
}

static int decode_all(struct mpl_decoder *d)
{
    bool arrived = false;
    int count = 0;

    for (;;) {
        if (d->depth > 0) {
            struct mpl_made *m = &d->made[d->depth - 1];

            arrived = continue_made(d, m, arrived);
            if (arrived)
                d->depth--;
            else
                continue;
        } else {
            if (d->r.at == d->r.end)
                return count;
            if (lua_gettop(d->L) + SLOTS > d->checked) {
                luaL_checkstack(d->L, 8 * SLOTS, "too many values");
                d->checked = lua_gettop(d->L) + 8 * SLOTS;
            }
            arrived = mpl_decode_value(d);
        }
        if (d->depth == 0 && arrived) {
            count++;
            arrived = false;
        }
    }
}

/* Most messages: one number, boolean, nil or short string. */
static bool is_simple(const uint8_t *bytes, size_t size)
{
    static const uint8_t sizes[] = {
        [MPR_TAG_NIL - MPR_TAG_NIL] = 1,   [MPR_TAG_FALSE - MPR_TAG_NIL] = 1,
        [MPR_TAG_TRUE - MPR_TAG_NIL] = 1,  [MPR_TAG_INT8 - MPR_TAG_NIL] = 2,
        [MPR_TAG_INT16 - MPR_TAG_NIL] = 3, [MPR_TAG_INT32 - MPR_TAG_NIL] = 5,
        [MPR_TAG_INT64 - MPR_TAG_NIL] = 9, [MPR_TAG_NUMBER - MPR_TAG_NIL] = 9,
    };
    unsigned tag;

    if (size == 0)
        return false;
    tag = *bytes;
    if (tag < MPR_TAG_SHORT)
        return size == 1;
    if (tag < MPR_TAG_NAMED)
        return size == 1u + (tag - MPR_TAG_SHORT);
    return tag >= MPR_TAG_NIL && tag - MPR_TAG_NIL < sizeof sizes &&
           size == sizes[tag - MPR_TAG_NIL];
}

int mpl_decode(lua_State *L, struct mpl_state *S, const void *bytes,
               size_t size, struct mpl_refs *refs, unsigned flags)
{
    struct mpl_decoder d;
    int top, count;

    d.L = L;
    d.r = mpr_reader_of(bytes, size);
    if (flags & MPL_STRING)
        d.r.at++;
    if (is_simple(d.r.at, mpr_reader_left(&d.r))) {
        mpl_decode_value(&d);
        return 1;
    }
    d.S = S;
    d.refs = refs;
    d.flags = flags;
    d.whole = false;
    d.names = 0;
    d.budget = size;
    d.made = d.local;
    d.depth = 0;
    d.capacity = MPL_MADE_LOCAL;
    top = lua_gettop(L);
    luaL_checkstack(L, 8 * SLOTS, NULL);
    d.checked = top + 8 * SLOTS;
    d.memo = top + 1;
    d.box = top + 2;
    d.slots = size >= LARGE ? SLOTS : 0;
    lua_settop(L, d.box + (int)d.slots);
    count = decode_all(&d);
    if (count == 1) {
        lua_replace(L, top + 1);
        lua_settop(L, top + 1);
        return 1;
    }
    for (int i = 1; i <= count; i++)
        lua_copy(L, d.box + (int)d.slots + i, top + i);
    lua_settop(L, top + count);
    return count;
}
