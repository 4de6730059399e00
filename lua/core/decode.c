/* The decoder: bytes that somebody else wrote, so nothing about them is
 * believed. A size is covered by the bytes that are left, or the message is
 * refused; tables are made for what they claim to hold only while all claims
 * together stay below the size of the message, so a lie costs no memory.
 * Plain data runs no code. */

#include "decode.h"

enum {
    NAMES = 16,  /* that have a slot of the stack, in a message that is */
    LARGE = 200, /* of this size */
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

    mpl_push_string(d->L, mpl_next_bytes(d, size), size);
    if (shared)
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
}

bool mpl_decode_rest(struct mpl_decoder *d, unsigned tag)
{
    size_t at = (size_t)(d->r.at - d->r.begin) - 1;

    switch (tag) {
    case MPR_TAG_STRING:
    case MPR_TAG_STRING_SHARED:
        decode_long_string(d, at, tag == MPR_TAG_STRING_SHARED);
        return true;
    case MPR_TAG_NAME:
        mpl_define_name(d);
        return true;
    case MPR_TAG_NAME_FAR:
        mpl_push_name(d, 64 + mpl_next_byte(d));
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

/* ---- a message ------------------------------------------------------------------------ */

/* Reads more parts of the innermost value; arrived: one of them, which had
 * parts itself, is on the top. True when it is complete, on the top. */
static bool continue_made(struct mpl_decoder *d, bool arrived)
{
    int table = d->made[d->depth - 1].table;

    switch (d->made[d->depth - 1].due) {
    case MPL_DUE_ITEM:
    case MPL_DUE_KEY:
    case MPL_DUE_VALUE:
        return mpl_decode_fill(d, arrived);
    case MPL_DUE_UPVALUE:
        return mpl_revive_upvalues(d, arrived);
    case MPL_DUE_TABLE:
        if (!arrived && !mpl_decode_table(d))
            return false;
        lua_insert(d->L, table);
        lua_setmetatable(d->L, table);
        return true;
    case MPL_DUE_PACKED:
        if (!arrived && !mpl_decode_value(d))
            return false;
        mpl_revive_unpack(d);
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
            arrived = continue_made(d, arrived);
            if (arrived)
                d->depth--;
            else
                continue;
        } else {
            if (d->r.at == d->r.end)
                return count;
            if (lua_gettop(d->L) + MPL_VALUE_SLOTS > d->checked) {
                luaL_checkstack(d->L, 8 * MPL_VALUE_SLOTS, "too many values");
                d->checked = lua_gettop(d->L) + 8 * MPL_VALUE_SLOTS;
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

bool mpl_decode_simple(lua_State *L, const void *bytes, size_t size)
{
    struct mpl_decoder d;

    if (!is_simple(bytes, size))
        return false;
    d.L = L;
    d.r = mpr_reader_of(bytes, size);
    return mpl_decode_value(&d);
}

int mpl_decode(lua_State *L, struct mpl_state *S, const void *bytes,
               size_t size, struct mpl_refs *refs, unsigned flags)
{
    struct mpl_decoder d;
    int top, count;

    d.L = L;
    d.r = mpr_reader_of(bytes, size);
    if (flags & MPL_STRING) {
        if (d.r.at == d.r.end || *d.r.at != MPL_FORMAT)
            mpl_bad_message(&d, NULL);
        d.r.at++;
    }
    if (mpl_decode_simple(L, d.r.at, mpr_reader_left(&d.r)))
        return 1;
    d.S = S;
    d.refs = refs;
    d.flags = flags;
    d.whole = false;
    d.names = 0;
    d.budget = size;
    d.made = d.local;
    d.depth = 0;
    d.level = 0;
    d.capacity = MPL_MADE_LOCAL;
    top = lua_gettop(L);
    luaL_checkstack(L, 8 * MPL_VALUE_SLOTS, NULL);
    d.checked = top + 8 * MPL_VALUE_SLOTS;
    d.memo = top + 1;
    d.box = top + 2;
    d.slots = size >= LARGE ? NAMES : 0;
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
