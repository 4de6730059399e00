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

/* The place of the value at stack index top, which has parts; its contents are
 * the caller's to set. */
static inline size_t made_place(struct mpl_decoder *d, int top)
{
    if (top + MPL_VALUE_SLOTS > d->checked) {
        if (!lua_checkstack(d->L, 8 * MPL_VALUE_SLOTS))
            mpl_bad_message(d, "nesting too deep");
        d->checked = top + 8 * MPL_VALUE_SLOTS;
    }
    if (d->depth == 2 * MPR_WIRE_DEPTH) /* a table and its metatable each */
        mpl_bad_message(d, "nesting too deep");
    if (d->depth == d->capacity)
        grow_made(d);
    return d->depth++;
}

/* Pointers into made end here: whoever pushes returns false at once. */
struct mpl_made *mpl_made_push(struct mpl_decoder *d, enum mpl_due due,
                               size_t at)
{
    int top = lua_gettop(d->L);
    size_t place = made_place(d, top);
    struct mpl_made *m = &d->made[place]; /* which may have moved just now */

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

/* A table underway in recursion: what its place in made will say if it leaves,
 * until when that is not set. */
struct filling {
    struct mpl_made m;
    size_t place;
};

/* The table leaves recursion, or a part of it is underway: what is due then. */
static bool leave(struct mpl_decoder *d, const struct filling *f,
                  enum mpl_due due, uint64_t i, uint64_t left)
{
    struct mpl_made *m = &d->made[f->place];

    *m = f->m;
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

static bool decode_pairs(struct mpl_decoder *d, const struct filling *f,
                         enum mpl_due due, bool arrived)
{
    lua_State *L = d->L;
    int table = f->m.table;
    uint64_t left = f->m.left;

    for (;; due = MPL_DUE_KEY) {
        if (due == MPL_DUE_KEY) {
            if (arrived)
                lua_rawset(L, table);
            if (left == UINT64_MAX ? is_end(d) : left == 0)
                return true;
            if (left != UINT64_MAX)
                left--;
            if (!decode_key(d))
                return leave(d, f, MPL_DUE_VALUE, 0, left);
        }
        if (!mpl_decode_value(d))
            return leave(d, f, MPL_DUE_KEY, 0, left);
        arrived = true;
    }
}

static bool decode_items(struct mpl_decoder *d, const struct filling *f,
                         bool arrived)
{
    lua_State *L = d->L;
    int table = f->m.table;
    uint64_t n = f->m.n;
    uint64_t i = f->m.i;

    if (arrived)
        lua_rawseti(L, table, (lua_Integer)i);
    while (i < n) {
        unsigned tag = d->r.at < d->r.end ? *d->r.at : MPR_TAG_END;
        bool done;

        if (tag == MPR_TAG_RUN) {
            d->r.at++;
            decode_run(d, table, &i, n);
            continue;
        }
        i++;
        done = tag >= MPR_TAG_MAP && tag <= MPR_TAG_TABLE_SHARED
                   ? mpl_decode_table(d)
                   : mpl_decode_value(d);
        if (!done)
            return leave(d, f, MPL_DUE_ITEM, i, f->m.left);
        lua_rawseti(L, table, (lua_Integer)i);
    }
    return f->m.left == 0 || decode_pairs(d, f, MPL_DUE_KEY, false);
}

static inline bool fill(struct mpl_decoder *d, const struct filling *f,
                        bool arrived)
{
    return f->m.due == MPL_DUE_ITEM ? decode_items(d, f, arrived)
                                    : decode_pairs(d, f, f->m.due, arrived);
}

bool mpl_decode_fill(struct mpl_decoder *d, bool arrived)
{
    struct filling f = {d->made[d->depth - 1], d->depth - 1};

    return fill(d, &f, arrived);
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
    struct filling f;
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
    if (n == 0 && pairs == 0)
        return true;
    f.m.table = lua_gettop(d->L);
    f.m.due = n ? MPL_DUE_ITEM : MPL_DUE_KEY;
    f.m.at = at;
    f.m.n = n;
    f.m.i = 0;
    f.m.left = open ? UINT64_MAX : pairs;
    f.place = made_place(d, f.m.table);
    if (d->level == MPL_LEVELS)
        return leave(d, &f, f.m.due, 0, f.m.left);
    d->level++;
    if (!fill(d, &f, false)) {
        d->level--;
        return false;
    }
    d->level--;
    d->depth--;
    return true;
}
