/* What a message meets again: values by the offset of their tag, strings by
 * their number as names. The memo is a table, made when first needed. */

#include "decode.h"

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

void mpl_push_far_name(struct mpl_decoder *d, unsigned index)
{
    if (index >= d->names)
        mpl_bad_message(d, NULL);
    lua_rawgeti(d->L, d->memo, memo_key(MPL_MEMO_NAME, index));
}

void mpl_define_name(struct mpl_decoder *d)
{
    unsigned size = mpl_next_byte(d);

    if (d->names == MPR_WIRE_NAMES)
        mpl_bad_message(d, NULL);
    lua_pushlstring(d->L, (const char *)mpl_next_bytes(d, size), size);
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
        lua_pushlstring(d->L, (const char *)mpl_next_bytes(d, size), size);
    } else if (tag >= MPR_TAG_NAMED && tag < MPR_TAG_NIL) {
        mpl_push_name(d, tag - MPR_TAG_NAMED);
    } else if (tag == MPR_TAG_NAME_FAR) {
        mpl_push_name(d, 64 + mpl_next_byte(d));
    } else if (tag == MPR_TAG_NAME) {
        mpl_define_name(d);
    } else if (tag == MPR_TAG_STRING) {
        size = mpl_next_count(d);
        lua_pushlstring(d->L, (const char *)mpl_next_bytes(d, size), size);
    } else {
        d->r.at--;
        mpl_bad_message(d, NULL);
    }
}
