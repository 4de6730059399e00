/* Tables: made for what they claim to hold, then filled. */

#include "decode.h"

#include <string.h>

/* ---- values underway ------------------------------------------------------- */

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

    if (top + MPL_VALUE_SLOTS > d->checked) {
        if (!lua_checkstack(d->L, 8 * MPL_VALUE_SLOTS))
            mpl_bad_message(d, "nesting too deep");
        d->checked = top + 8 * MPL_VALUE_SLOTS;
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

/* ---- parts ----------------------------------------------------------------- */

/* Sets the items after those that are done, n at most, from a RUN whose tag was
 * read. */
static void decode_run(struct mpl_decoder *d, int table, uint64_t *done,
                       uint64_t n)
{
    lua_State *L = d->L;
    unsigned kind = mpl_next_byte(d);
    unsigned count = mpl_next_byte(d);
    lua_Integer i = (lua_Integer)*done;
    const uint8_t *p;

    if (count == 0 || count > n - *done)
        mpl_bad_message(d, NULL);
    *done += count;
    switch (kind) {
    case 1:
        for (p = mpl_next_bytes(d, count); count > 0; count--, p++) {
            lua_pushinteger(L, mpr_wire_integer(p, 1));
            lua_rawseti(L, table, ++i);
        }
        break;
    case 2:
        for (p = mpl_next_bytes(d, 2 * count); count > 0; count--, p += 2) {
            lua_pushinteger(L, mpr_wire_integer(p, 2));
            lua_rawseti(L, table, ++i);
        }
        break;
    case 4:
        for (p = mpl_next_bytes(d, 4 * count); count > 0; count--, p += 4) {
            lua_pushinteger(L, mpr_wire_integer(p, 4));
            lua_rawseti(L, table, ++i);
        }
        break;
    case 8:
        for (p = mpl_next_bytes(d, 8 * count); count > 0; count--, p += 8) {
            lua_pushinteger(L, mpr_wire_integer(p, 8));
            lua_rawseti(L, table, ++i);
        }
        break;
    case MPR_WIRE_DOUBLES:
        for (p = mpl_next_bytes(d, 8 * count); count > 0; count--, p += 8) {
            lua_pushnumber(L, mpr_wire_number(p));
            lua_rawseti(L, table, ++i);
        }
        break;
    default:
        mpl_bad_message(d, NULL);
    }
}

/* The table leaves recursion, or a part of it is underway: what is due then. */
static bool leave(struct mpl_decoder *d, size_t self, enum mpl_due due,
                  uint64_t i, uint64_t left)
{
    struct mpl_made *m = &d->made[self]; /* which may have moved */

    m->due = due;
    m->i = i;
    m->left = left;
    return false;
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
        mpl_push_name(d, *d->r.at++ - MPR_TAG_NAMED);
        return true;
    }
    done = mpl_decode_value(d);
    if (done && lua_type(d->L, -1) != LUA_TSTRING &&
        (lua_isnil(d->L, -1) || !lua_rawequal(d->L, -1, -1)))
        mpl_bad_message(d, NULL); /* nil or NaN */
    return done;
}

/* Both read parts until one has parts of its own (false) or all are there. */

static bool decode_pairs(struct mpl_decoder *d, size_t self, bool arrived)
{
    lua_State *L = d->L;
    int table = d->made[self].table;
    uint64_t left = d->made[self].left;
    enum mpl_due due = d->made[self].due;

    for (;; due = MPL_DUE_KEY) {
        if (due == MPL_DUE_KEY) {
            if (arrived)
                lua_rawset(L, table);
            if (left == UINT64_MAX ? is_end(d) : left == 0)
                return true;
            if (left != UINT64_MAX)
                left--;
            if (!decode_key(d))
                return leave(d, self, MPL_DUE_VALUE, 0, left);
        }
        if (!mpl_decode_value(d))
            return leave(d, self, MPL_DUE_KEY, 0, left);
        arrived = true;
    }
}

static bool decode_items(struct mpl_decoder *d, size_t self, bool arrived)
{
    lua_State *L = d->L;
    int table = d->made[self].table;
    uint64_t n = d->made[self].n;
    uint64_t i = d->made[self].i;

    if (arrived)
        lua_rawseti(L, table, (lua_Integer)i);
    while (i < n) {
        if (d->r.at < d->r.end && *d->r.at == MPR_TAG_RUN) {
            d->r.at++;
            decode_run(d, table, &i, n);
            continue;
        }
        i++;
        if (!mpl_decode_value(d))
            return leave(d, self, MPL_DUE_ITEM, i, d->made[self].left);
        lua_rawseti(L, table, (lua_Integer)i);
    }
    d->made[self].due = MPL_DUE_KEY;
    return decode_pairs(d, self, false);
}

bool mpl_decode_fill(struct mpl_decoder *d, bool arrived)
{
    size_t self = d->depth - 1;

    return d->made[self].due == MPL_DUE_ITEM ? decode_items(d, self, arrived)
                                             : decode_pairs(d, self, arrived);
}

/* ---- tables ---------------------------------------------------------------- */

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
    bool full;

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
    if (d->level == MPL_LEVELS)
        return false;
    d->level++;
    full = mpl_decode_fill(d, false);
    d->level--;
    d->depth -= full;
    return full;
}
