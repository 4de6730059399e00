#ifndef MPL_DECODE_H
#define MPL_DECODE_H

/* Inside the decoder: shared by decode.c (plain data) and revive.c (what is
 * found or made here: functions, modules, classes).
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

enum { MPL_MADE_LOCAL = 12 };

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
    struct mpl_made local[MPL_MADE_LOCAL];
};

/* Raises `cannot decode: …`. what: NULL for cut off or garbage. */
_Noreturn void mpl_bad_message(struct mpl_decoder *d, const char *what);

/* Reads a value and pushes it: true; or the head of one, for which it opens
 * an entry of made: false. */
bool mpl_decode_value(struct mpl_decoder *d);

/* Reads a string in any of its forms and pushes it. */
void mpl_decode_string(struct mpl_decoder *d);

static inline unsigned mpl_next_byte(struct mpl_decoder *d)
{
    if (d->r.at == d->r.end)
        mpl_bad_message(d, NULL);
    return *d->r.at++;
}

uint64_t mpl_next_count(struct mpl_decoder *d);

/* The value on the top has its parts still to come. */
struct mpl_made *mpl_made_push(struct mpl_decoder *d, enum mpl_due due,
                               size_t at);

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

/* revive.c: the tag, at offset at, was read. Results as mpl_decode_value. */
bool mpl_revive_function(struct mpl_decoder *d, size_t at, bool shared);
bool mpl_revive_upvalues(struct mpl_decoder *d, struct mpl_made *m,
                         bool arrived);
void mpl_revive_by_name(struct mpl_decoder *d);
void mpl_revive_class(struct mpl_decoder *d);
bool mpl_revive_instance(struct mpl_decoder *d);
bool mpl_revive_packed(struct mpl_decoder *d, size_t at);
void mpl_revive_unpack(struct mpl_decoder *d, const struct mpl_made *m);
void mpl_revive_globals(struct mpl_decoder *d);

/* Opens a MAP or TABLE whose tag is next, in a new table. */
bool mpl_decode_table(struct mpl_decoder *d);

#endif
