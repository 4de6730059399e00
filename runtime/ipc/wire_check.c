/* Whether bytes are a whole message, before any of it has an effect. What is
 * still due is a stack of its own, not of C. */

#include "mpr.h"

#include <stdlib.h>

enum parts { ITEMS, PAIRS, OPEN_PAIRS, UPVALUES, ONE };

/* What is still to come of a value whose head was read. */
struct open_value {
    uint64_t left; /* values; OPEN_PAIRS: odd when a value is due */
    enum parts parts;
};

struct check {
    struct mpr_reader r;
    struct open_value *open;
    size_t depth;
    size_t capacity;
    uint64_t names;
};

static int check_push(struct check *c, enum parts parts, uint64_t left)
{
    if (left == 0 && parts != OPEN_PAIRS)
        return 0;
    if (c->depth == 2 * MPR_WIRE_DEPTH) /* items and pairs of each table */
        return -E2BIG;
    if (c->depth == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 32;
        struct open_value *open;

        open = realloc(c->open, capacity * sizeof *open);
        if (!open)
            return -ENOMEM;
        c->open = open;
        c->capacity = capacity;
    }
    c->open[c->depth].parts = parts;
    c->open[c->depth].left = left;
    c->depth++;
    return 0;
}

/* The next token, of which there must be one; follows the names. */
static int check_token(struct check *c, struct mpr_token *t)
{
    int r = mpr_read(&c->r, t);

    if (r <= 0)
        return r ? r : -EBADMSG;
    if (t->defines)
        c->names++;
    if (t->tag == MPR_TAG_NAMED && t->count >= c->names)
        return -EBADMSG;
    return c->names <= MPR_WIRE_NAMES ? 0 : -EBADMSG;
}

static int check_strings(struct check *c, uint64_t count)
{
    struct mpr_token t;

    while (count--) {
        int err = check_token(c, &t);

        if (err)
            return err;
        if (t.tag != MPR_TAG_STRING && t.tag != MPR_TAG_NAMED)
            return -EBADMSG;
    }
    return 0;
}

/* What names a metatable. */
static int check_class(struct check *c)
{
    const uint8_t *at = c->r.at;
    struct mpr_token t;
    int err = check_token(c, &t);

    if (err)
        return err;
    switch (t.tag) {
    case MPR_TAG_CLASS:
        return check_strings(c, 1);
    case MPR_TAG_BY_NAME:
        return check_strings(c, t.count);
    case MPR_TAG_REF:
        return t.count < (uint64_t)(at - c->r.begin) ? 0 : -EBADMSG;
    default:
        return -EBADMSG;
    }
}

/* The token t, read at at, in the place of a value. */
static int check_value(struct check *c, const uint8_t *at,
                       const struct mpr_token *t)
{
    uint64_t here = (uint64_t)(at - c->r.begin);
    struct mpr_token table;
    int err;

    switch (t->tag) {
    case MPR_TAG_RUN:
    case MPR_TAG_END:
        return -EBADMSG;
    case MPR_TAG_REF:
        return t->count < here ? 0 : -EBADMSG;
    case MPR_TAG_CLASS:
        return check_strings(c, 1);
    case MPR_TAG_BY_NAME:
        return check_strings(c, t->count);
    case MPR_TAG_INSTANCE:
        err = check_class(c);
        if (!err)
            err = check_token(c, &table);
        if (err)
            return err;
        if (table.tag != MPR_TAG_MAP && table.tag != MPR_TAG_TABLE)
            return -EBADMSG;
        return check_value(c, c->r.at, &table);
    case MPR_TAG_PACKED:
        err = check_class(c);
        return err ? err : check_push(c, ONE, 1);
    case MPR_TAG_MAP:
    case MPR_TAG_TABLE:
        err = check_push(c, t->open ? OPEN_PAIRS : PAIRS,
                         t->open ? 0 : 2 * t->pairs);
        return err ? err : check_push(c, ITEMS, t->count);
    case MPR_TAG_FUNCTION:
        if (t->kind == 1 && t->count >= here)
            return -EBADMSG;
        return check_push(c, UPVALUES, t->upvalues);
    default:
        return 0;
    }
}

static int is_nan(double v)
{
    return v != v;
}

static int is_key(const struct mpr_token *t)
{
    return t->tag != MPR_TAG_NIL &&
           !(t->tag == MPR_TAG_NUMBER && is_nan(t->number));
}

/* The next part of the innermost open value. */
static int check_part(struct check *c)
{
    struct open_value *v = &c->open[c->depth - 1];
    const uint8_t *at = c->r.at;
    struct mpr_token t;
    uint64_t off = 0;
    int r;

    if (v->parts == UPVALUES) {
        v->left--;
        r = mpr_read_upvalue(&c->r, &off);
        if (r < 0 || r == 2)
            return r == 2 && off < (uint64_t)(at - c->r.begin) ? 0 : -EBADMSG;
        at = c->r.at;
    }
    r = check_token(c, &t);
    if (r)
        return r;
    switch (v->parts) {
    case ITEMS:
        if (t.tag == MPR_TAG_RUN) {
            if (t.count > v->left)
                return -EBADMSG;
            v->left -= t.count;
            return 0;
        }
        v->left--;
        break;
    case PAIRS:
        if (v->left % 2 == 0 && !is_key(&t))
            return -EBADMSG;
        v->left--;
        break;
    case OPEN_PAIRS:
        if (v->left == 0 && t.tag == MPR_TAG_END) {
            v->parts = ONE;
            return 0;
        }
        if (v->left == 0 && !is_key(&t))
            return -EBADMSG;
        v->left = !v->left;
        break;
    case UPVALUES:
        break;
    case ONE:
        v->left--;
        break;
    }
    return check_value(c, at, &t);
}

static int check_message(struct check *c)
{
    struct mpr_token t;

    for (;;) {
        int err;

        while (c->depth > 0 && c->open[c->depth - 1].left == 0 &&
               c->open[c->depth - 1].parts != OPEN_PAIRS)
            c->depth--;
        if (c->depth > 0) {
            err = check_part(c);
        } else {
            const uint8_t *at = c->r.at;

            if (at == c->r.end)
                return 0;
            err = check_token(c, &t);
            if (!err)
                err = check_value(c, at, &t);
        }
        if (err)
            return err;
    }
}

int mpr_wire_check(struct mpr_reader r)
{
    struct check c = {.r = r};
    int err = check_message(&c);

    free(c.open);
    return err;
}
