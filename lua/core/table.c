/* The parts of a table: its items 1..n (n is its border), then its pairs.
 *
 * lua_next gives both. As a rule the items come first and in order, for they
 * lie in the table's array; then one pass is enough. A table whose first key is
 * no integer has nothing in its array, and is written as pairs altogether.
 * Otherwise some items may still stand anywhere among the pairs, and some may
 * be nil. From the first that is not where it should be on, items are read by
 * number; then as many entries as there are items (m, not nil) are passed over
 * unread. If no item turns up behind them, those m were the items, all of them.
 * If one does ("disorder"), the first m are looked at once more, one by one. */

#include "scalar.h"

enum {
    BATCH = 64,  /* items read ahead, while they are numbers */
    RUN_MIN = 4, /* shorter runs are no shorter on the wire */
};

static inline bool is_key(lua_State *L, int key, lua_Unsigned i)
{
    return lua_isinteger(L, key) &&
           (lua_Unsigned)lua_tointegerx(L, key, NULL) == i;
}

/* Writes the head of the table at w->top and says in f what follows: the first
 * key and its value are on the stack; false: nothing follows. */
static inline bool put_head(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    uint8_t *p = mpl_room(w, 2 + MPR_WIRE_COUNT_MAX);

    p[0] = MPR_TAG_MAP;
    p[1] = 0; /* pairs, set by close_table */
    f->at = mpl_offset(w);
    w->e->out.end = p + 2;
    lua_pushnil(L);
    if (!lua_next(L, w->top))
        return false;
    f->table = w->top;
    f->order = MPL_ONCE;
    f->pairs = f->filled = f->i = f->n = 0;
    f->part = MPL_FIRST;
    if (lua_isinteger(L, w->top + 1))
        f->n = lua_rawlen(L, w->top);
    if (f->n) {
        p[0] = MPR_TAG_TABLE;
        w->e->out.end = mpr_put_count(p + 2, f->n);
        f->part = MPL_FIRST_ITEM;
    }
    return true;
}

enum mpl_step mpl_encode_open_table(struct mpl_walk *w)
{
    struct mpl_frame head;

    if (!put_head(w, &head))
        return MPL_DONE;
    *mpl_frame_push(w, head.part, head.at) = head;
    return MPL_DESCEND;
}

static void close_table(struct mpl_walk *w, const struct mpl_frame *f)
{
    w->e->out.bytes[f->at + 1] = mpr_wire_pairs(f->pairs);
    if (f->pairs > MPR_WIRE_PAIRS)
        mpl_put_tag(w, MPR_TAG_END);
}

/* Pushes the key and the value of item i, if it comes after item i - 1. */
static inline bool next_item(lua_State *L, int table, int key, lua_Unsigned i)
{
    lua_pushinteger(L, (lua_Integer)i - 1);
    return lua_next(L, table) && is_key(L, key, i);
}

/* Both write a run: the item whose key and value are the stack's top, and those
 * after it that are numbers of the same kind. They leave the last one's key. */

static void encode_integers(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int table = f->table;
    lua_Unsigned i = f->i;
    unsigned limit = f->n - i < BATCH ? (unsigned)(f->n - i) + 1 : BATCH;
    unsigned n = 0;
    int64_t v[BATCH];
    int err = 0;

    for (int key = table + 1;; key += 2) {
        v[n] = lua_tointegerx(L, key + 1, NULL);
        if (++n == limit || !next_item(L, table, key + 2, i + n) ||
            !lua_isinteger(L, key + 3))
            break;
    }
    if (n >= RUN_MIN)
        err = mpr_write_integers(&w->e->out, v, n);
    else
        for (unsigned k = 0; k < n; k++)
            err |= mpr_write_integer(&w->e->out, v[k]);
    if (err)
        mpl_no_memory(L);
    f->i = i + n - 1;
    lua_settop(L, table);
    lua_pushinteger(L, (lua_Integer)f->i);
}

static void encode_floats(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int table = f->table;
    lua_Unsigned i = f->i;
    unsigned limit = f->n - i < BATCH ? (unsigned)(f->n - i) + 1 : BATCH;
    unsigned n = 0;
    double v[BATCH];
    int err = 0;

    for (int key = table + 1;; key += 2) {
        v[n] = lua_tonumberx(L, key + 1, NULL);
        if (++n == limit || !next_item(L, table, key + 2, i + n) ||
            lua_type(L, key + 3) != LUA_TNUMBER || lua_isinteger(L, key + 3))
            break;
    }
    if (n >= RUN_MIN)
        err = mpr_write_numbers(&w->e->out, v, n);
    else
        for (unsigned k = 0; k < n; k++)
            err |= mpr_write_number(&w->e->out, v[k]);
    if (err)
        mpl_no_memory(L);
    f->i = i + n - 1;
    lua_settop(L, table);
    lua_pushinteger(L, (lua_Integer)f->i);
}

/* Passes over as many entries as there are items; false: these are all. */
static bool skip_items(lua_State *L, const struct mpl_frame *f)
{
    lua_pushnil(L);
    for (lua_Unsigned m = f->filled; m > 0; m--) {
        if (!lua_next(L, f->table))
            return false;
        lua_pop(L, 1);
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
                step = mpl_encode_rest(w, type, key + 2);
                if (step != MPL_DONE)
                    return step;
                lua_settop(L, key + 1);
            }
        }
        f->part = MPL_KEY;
        type = lua_type(L, key + 1);
        if (!mpl_put_scalar(L, e, key + 1, type)) {
            step = mpl_encode_rest(w, type, key + 1);
            if (step != MPL_DONE)
                return step;
            lua_settop(L, key);
        } else {
            lua_pop(L, 1);
        }
    }
}

/* Writes the items that do not come in order. */
static enum mpl_step encode_scattered(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    int item = f->table + 1;

    while (f->i < f->n) {
        int type = lua_rawgeti(L, f->table, (lua_Integer)++f->i);

        f->filled += type != LUA_TNIL;
        if (!mpl_put_scalar(L, w->e, item, type)) {
            enum mpl_step step = mpl_encode_rest(w, type, item);

            if (step != MPL_DONE)
                return step;
        }
        lua_settop(L, f->table);
    }
    f->part = MPL_KEY;
    return skip_items(L, f) ? encode_pairs(w, f) : MPL_DONE;
}

/* Writes the items: the one whose key and value are the stack's top, or those
 * after the key there. */
static enum mpl_step encode_items(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;
    struct mpl_encoder *e = w->e;
    int table = f->table;
    int key = table + 1;
    bool there = f->part == MPL_FIRST_ITEM;

    f->part = MPL_ITEMS;
    for (; f->i < f->n; there = false) {
        int type;

        if (!(there || lua_next(L, table)) || !is_key(L, key, f->i + 1)) {
            lua_settop(L, table);
            f->part = MPL_SCATTERED;
            f->filled = f->i;
            return encode_scattered(w, f);
        }
        f->i++;
        type = lua_type(L, key + 1);
        if (type == LUA_TNUMBER) {
            if (lua_isinteger(L, key + 1))
                encode_integers(w, f);
            else
                encode_floats(w, f);
        } else if (type == LUA_TTABLE || !mpl_put_scalar(L, e, key + 1, type)) {
            enum mpl_step step = mpl_encode_rest(w, type, key + 1);

            if (step != MPL_DONE)
                return step;
            lua_settop(L, key);
        } else {
            lua_pop(L, 1);
        }
    }
    f->part = MPL_KEY;
    return encode_pairs(w, f);
}

enum mpl_step mpl_encode_parts(struct mpl_walk *w, struct mpl_frame *f)
{
    enum mpl_step step = f->part <= MPL_ITEMS       ? encode_items(w, f)
                         : f->part == MPL_SCATTERED ? encode_scattered(w, f)
                                                    : encode_pairs(w, f);

    if (step == MPL_DONE)
        close_table(w, f);
    return step;
}

enum mpl_step mpl_encode_plain_table(struct mpl_walk *w)
{
    const void *table = lua_topointer(w->L, w->top);
    uint64_t off = mpl_offset(w);
    struct mpl_frame f;
    enum mpl_step step;
    int met;

    if (lua_getmetatable(w->L, w->top) || w->level == MPL_LEVELS ||
        !mpl_has_slots(w))
        return MPL_CAREFUL;
    met = mpl_seen_add(&w->e->seen, table, &off);
    if (met < 0)
        mpl_no_memory(w->L);
    if (met) {
        mpl_encode_ref(w, off);
        return MPL_DONE;
    }
    if (!put_head(w, &f))
        return MPL_DONE;
    w->level++;
    step = mpl_encode_parts(w, &f);
    w->level--;
    return step;
}
