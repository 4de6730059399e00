/* The parts of a table.
 *
 * The items 1..n (n is its border) are read by number, the rest by lua_next.
 * Where the items lie in that order is the table's secret: usually first, in
 * its array; but they may stand anywhere among the pairs. So m (the items that are not nil) steps are skipped unread. If no
 * item turns up afterwards, those m were the items, all of them. If one does
 * ("disorder"), the first m are looked at once more, one by one. */

#include "scalar.h"

enum {
    BATCH = 64,  /* items read ahead, while they are numbers */
    RUN_MIN = 4, /* shorter runs are no shorter on the wire */
};

enum mpl_step mpl_encode_open_table(struct mpl_walk *w)
{
    lua_State *L = w->L;
    lua_Unsigned n = lua_rawlen(L, -1);
    size_t at = mpl_offset(w);
    uint8_t *p = mpl_room(w, 2 + MPR_WIRE_COUNT_MAX);
    struct mpl_frame *f;

    p[0] = n ? MPR_TAG_TABLE : MPR_TAG_MAP;
    p[1] = 0; /* pairs, set by close_table */
    if (n) {
        w->e->out.end = mpr_put_count(p + 2, n);
        f = mpl_frame_push(w, MPL_ITEMS, at);
        f->n = n;
        f->filled = 0;
        return MPL_DESCEND;
    }
    w->e->out.end = p + 2;
    lua_pushnil(L);
    if (!lua_next(L, w->top))
        return MPL_DONE;
    mpl_frame_push(w, MPL_FIRST, at);
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

/* Passes over as many entries as there are items; false: these are all. */
static bool skip_items(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int table = f->table;
    lua_Unsigned m = f->filled;

    lua_pushnil(L);
    for (; m >= RUN_MIN;) {
        /* A second key costs less than taking the value off again. */
        for (int i = 0; i < BATCH / 2 && m > 0; i++, m--) {
            if (!lua_next(L, table))
                return false;
            lua_pushvalue(L, -2);
        }
        lua_replace(L, table + 1);
        lua_settop(L, table + 1);
    }
    for (; m > 0; m--) {
        if (!lua_next(L, table))
            return false;
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
    struct mpl_encoder *e = w->e;
    int key = f->table + 1;
    enum mpl_step step;
    int type;

    for (;;) {
        if (f->part != MPL_VALUE) {
            if (f->part == MPL_KEY && !next_pair(L, f, key))
                return MPL_DONE;
            f->pairs++;
            type = lua_type(L, key);
            if (!mpl_put_scalar(L, e, key, type)) {
                f->part = MPL_VALUE;
                lua_pushvalue(L, key);
                step = mpl_encode_rest(w, type);
                if (step != MPL_DONE)
                    return step;
                lua_settop(L, key + 1);
            }
        }
        f->part = MPL_KEY;
        type = lua_type(L, key + 1);
        if (!mpl_put_scalar(L, e, key + 1, type)) {
            step = mpl_encode_rest(w, type);
            if (step != MPL_DONE)
                return step;
        }
        lua_settop(L, key);
    }
}

static enum mpl_step encode_items(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    struct mpl_encoder *e = w->e;

    while (f->i < f->n) {
        int type = lua_rawgeti(L, f->table, (lua_Integer)++f->i);

        if (type == LUA_TNUMBER) {
            encode_numbers(w, f);
            continue;
        }
        f->filled += type != LUA_TNIL;
        if (type == LUA_TTABLE || !mpl_put_scalar(L, e, -1, type)) {
            enum mpl_step step = mpl_encode_rest(w, type);

            if (step != MPL_DONE)
                return step;
        }
        lua_settop(L, f->table);
    }
    f->part = MPL_KEY;
    return skip_items(w, f) ? encode_pairs(w, f) : MPL_DONE;
}

enum mpl_step mpl_encode_parts(struct mpl_walk *w, struct mpl_frame *f)
{
    enum mpl_step step =
        f->part == MPL_ITEMS ? encode_items(w, f) : encode_pairs(w, f);

    if (step == MPL_DONE)
        close_table(w, f);
    return step;
}
