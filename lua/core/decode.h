#ifndef MPL_DECODE_H
#define MPL_DECODE_H

/* Inside the decoder: decode.c reads messages and their values, fill.c tables,
 * memo.c knows what is met again, revive.c finds or makes what has code:
 * functions, modules, classes.
 *
 * A table within a table is read by recursion, MPL_LEVELS deep at most. Each
 * has its entry of made nevertheless, but sets it only when it leaves: where
 * recursion ends, and at a value whose parts are not a table's, everything
 * returns to decode.c's loop, which goes on from these entries.
 *
 * Everything lies on the C stack or the Lua stack, none of it in the state:
 * a finalizer may run at any allocation, and decode something itself. */

#include "object.h"

enum mpl_due {
    MPL_DUE_ITEM,    /* of the table at [table] */
    MPL_DUE_KEY,     /* or no more pairs */
    MPL_DUE_VALUE,   /* its key is on the stack */
    MPL_DUE_UPVALUE, /* of the function at [table] */
    MPL_DUE_TABLE,   /* for the metatable at [table] */
    MPL_DUE_PACKED,  /* for the hook at [table] */
};

/* A value whose parts are being read. */
struct mpl_made {
    int table; /* stack index */
    enum mpl_due due;
    size_t at;     /* offset of its tag */
    uint64_t n, i; /* items or upvalues; read */
    uint64_t left; /* pairs; UINT64_MAX: until END */
};

enum {
    MPL_MADE_LOCAL = 12,
    MPL_VALUE_SLOTS = 16, /* of the stack, that one value needs at most */
};

struct mpl_decoder {
    lua_State *L;
    struct mpl_state *S;
    struct mpr_reader r;
    struct mpl_refs *refs;
    unsigned flags;
    int memo;        /* stack index: nil, or the table of what is referred to */
    int box;         /* stack index: nil, or the userdata with made */
    int checked;     /* stack slots are there up to this index */
    bool whole;      /* the message was checked, see mpl_before_code */
    unsigned names;  /* defined */
    unsigned slots;  /* of them lie on the stack, behind box */
    uint64_t budget; /* entries that tables may still be made for in advance */
    struct mpl_made *made;
    size_t depth;
    size_t capacity;
    int level; /* of recursion */
    struct mpl_made local[MPL_MADE_LOCAL];
};

/* Raises `cannot decode: …`. what: NULL for cut off or garbage. */
_Noreturn void mpl_bad_message(struct mpl_decoder *d, const char *what);

/* ---- reading --------------------------------------------------------------- */

static inline unsigned mpl_next_byte(struct mpl_decoder *d)
{
    if (d->r.at == d->r.end)
        mpl_bad_message(d, NULL);
    return *d->r.at++;
}

static inline const uint8_t *mpl_next_bytes(struct mpl_decoder *d,
                                            uint64_t size)
{
    const uint8_t *p = d->r.at;

    if (size > mpr_reader_left(&d->r)) {
        d->r.at = d->r.end;
        mpl_bad_message(d, NULL);
    }
    d->r.at += size;
    return p;
}

uint64_t mpl_next_count(struct mpl_decoder *d);

/* Reads a string in any of its forms and pushes it. */
void mpl_decode_string(struct mpl_decoder *d);

/* ---- parts ----------------------------------------------------------------- */

/* The value on the top has its parts still to come. */
struct mpl_made *mpl_made_push(struct mpl_decoder *d, enum mpl_due due,
                               size_t at);

/* ---- memo.c ---------------------------------------------------------------- */

/* What REFs may find again, by kind and offset. */
enum mpl_memo {
    MPL_MEMO_VALUE,
    MPL_MEMO_NAME,   /* by index */
    MPL_MEMO_CLASS,  /* a metatable, as such */
    MPL_MEMO_UPVALUE /* which of the function that is the VALUE there */
};

/* Notes the value on the top. */
void mpl_memo_set(struct mpl_decoder *d, enum mpl_memo kind, uint64_t off);

/* Pushes what was noted; raises when that is nothing. */
int mpl_memo_get(struct mpl_decoder *d, enum mpl_memo kind, uint64_t off);

/* Reads a string, which is the next name from now on, and pushes it. */
void mpl_define_name(struct mpl_decoder *d);

/* The first names lie on the stack, the others in the memo. */
void mpl_push_far_name(struct mpl_decoder *d, unsigned index);

static inline void mpl_push_name(struct mpl_decoder *d, unsigned index)
{
    if (index < d->slots && index < d->names)
        lua_pushvalue(d->L, d->box + 1 + (int)index);
    else
        mpl_push_far_name(d, index);
}

/* ---- values ---------------------------------------------------------------- */

/* fill.c: reads a MAP or TABLE, whose tag is next, into a new table. Results as
 * mpl_decode_value. */
bool mpl_decode_table(struct mpl_decoder *d);

/* Reads on in the innermost value, a table; arrived: a part of it, which had
 * parts itself, is on the top. */
bool mpl_decode_fill(struct mpl_decoder *d, bool arrived);

/* revive.c: the tag, at offset at, was read. Results as mpl_decode_value. */
bool mpl_revive_function(struct mpl_decoder *d, size_t at, bool shared);
bool mpl_revive_upvalues(struct mpl_decoder *d, bool arrived);
void mpl_revive_by_name(struct mpl_decoder *d);
void mpl_revive_class(struct mpl_decoder *d);
bool mpl_revive_instance(struct mpl_decoder *d);
bool mpl_revive_packed(struct mpl_decoder *d, size_t at);
void mpl_revive_unpack(struct mpl_decoder *d);
void mpl_revive_globals(struct mpl_decoder *d);

/* What begins with this tag, which is not a scalar's. */
bool mpl_decode_rest(struct mpl_decoder *d, unsigned tag);

/* Reads a value and pushes it: true; or the head of one, for which it opens
 * an entry of made: false. */
static inline bool mpl_decode_value(struct mpl_decoder *d)
{
    lua_State *L = d->L;
    unsigned tag = mpl_next_byte(d);

    if (tag < MPR_TAG_SHORT) {
        lua_pushinteger(L, tag);
        return true;
    }
    if (tag < MPR_TAG_NAMED) {
        tag -= MPR_TAG_SHORT;
        lua_pushlstring(L, (const char *)mpl_next_bytes(d, tag), tag);
        return true;
    }
    if (tag < MPR_TAG_NIL) {
        mpl_push_name(d, tag - MPR_TAG_NAMED);
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
        lua_pushinteger(L, mpr_wire_integer(mpl_next_bytes(d, 1), 1));
        return true;
    case MPR_TAG_INT16:
        lua_pushinteger(L, mpr_wire_integer(mpl_next_bytes(d, 2), 2));
        return true;
    case MPR_TAG_INT32:
        lua_pushinteger(L, mpr_wire_integer(mpl_next_bytes(d, 4), 4));
        return true;
    case MPR_TAG_INT64:
        lua_pushinteger(L, mpr_wire_integer(mpl_next_bytes(d, 8), 8));
        return true;
    case MPR_TAG_NUMBER:
        lua_pushnumber(L, mpr_wire_number(mpl_next_bytes(d, 8)));
        return true;
    default:
        return mpl_decode_rest(d, tag);
    }
}

#endif
