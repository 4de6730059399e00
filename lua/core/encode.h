#ifndef MPL_ENCODE_H
#define MPL_ENCODE_H

/* Inside the encoder: encode.c walks, scalar.c and table.c write plain data,
 * meet.c knows what was met, function.c, class.c and module.c write what has
 * code, path.c says why not.
 *
 * The first way (value.h) writes a table within a table by recursion, which is
 * bounded by MPL_LEVELS; data that is nested deeper goes the careful way, which
 * keeps its frames in memory of its own. */

#include "seen.h"
#include "state.h"

/* A value whose parts are being encoded; its Lua value lies on the stack. */
enum mpl_part {
    MPL_FIRST_ITEM, /* a table's 1..n, in order: at [table] the table, behind
                     * it the first key and its value */
    MPL_ITEMS,      /* the same: at [table + 1] the last one's key */
    MPL_SCATTERED,  /* those that are not in order */
    MPL_FIRST,      /* its pairs, the first of which is there */
    MPL_KEY,        /* its pairs: the last key at [table + 1] */
    MPL_VALUE,      /* a pair's key is written; its value at [table + 2] */
    MPL_UPVALUES,   /* a function's: at [table] the function */
    MPL_HOOK,       /* what __mp_pack returned is being encoded */
};

struct mpl_frame {
    int table;           /* stack index */
    enum mpl_part part;  /* what comes next */
    size_t at;           /* offset of its tag */
    lua_Unsigned n, i;   /* items or upvalues; done */
    lua_Unsigned filled; /* MPL_SCATTERED: items that are not nil */
    lua_Unsigned again;  /* MPL_AGAIN: entries left */
    enum { MPL_ONCE, MPL_DISORDER, MPL_AGAIN } order;
    uint64_t pairs; /* written */
};

struct mpl_encoder {
    struct mpr_writer out;
    bool careful; /* see value.h */
    struct mpl_seen seen;
    struct mpl_frame *frames;
    size_t depth;
    size_t capacity;
    const mpr_handle **refs;
    uint32_t ref_count;
    uint32_t ref_capacity;
    struct mpl_names names;
    const char *lent; /* bytes behind out that lie elsewhere */
    size_t lent_size;
};

/* One call of the encoder. */
struct mpl_walk {
    lua_State *L;
    struct mpl_state *S;
    struct mpl_encoder *e;
    unsigned flags;
    int top;     /* stack index of the value in hand, the stack's top */
    int level;   /* first way: tables underway */
    int checked; /* stack slots are there up to this index */
    int anchors; /* careful way: stack index of a table that keeps what
                       * was met alive; else 0 */
    int classes; /* careful way: stack index of the table of classes */
    int modules; /* and of the table of loaded things' names */
    const void *globals;
    bool renewed;     /* modules was made anew for this message */
    lua_Integer kept; /* objects in anchors */
    const char *root;
    int number; /* of the root */
};

enum mpl_step {
    MPL_DONE,    /* the value is written; it is still on the stack */
    MPL_DESCEND, /* its head is; a frame was pushed for its parts */
    MPL_CAREFUL, /* begin again, the careful way; nothing was written for it */
};

/* codec.c: the scratch of an encoder. */
struct mpl_encoder *mpl_encoder_new(lua_State *L);
void mpl_encoder_clear(struct mpl_encoder *e, bool careful);

/* Gives a large scratch back, unless the message in it is large too. */
void mpl_encoder_shrink(struct mpl_encoder *e);

/* Ready for the next message, but not yet for one that meets things. */
static inline void mpl_encoder_empty(struct mpl_encoder *e)
{
    enum { LARGE = 1 << 20 };

    if (e->out.limit - e->out.bytes >= LARGE)
        mpl_encoder_shrink(e);
    e->out.end = e->out.bytes;
    e->ref_count = 0;
    e->lent_size = 0;
}

void mpl_encoder_free(struct mpl_encoder *e);

/* A userdata that owns an encoder, or none. */
struct mpl_box {
    struct mpl_encoder *encoder;
};
struct mpl_box *mpl_box_push(lua_State *L);

/* Room for so many bytes at the end of out, which is returned; raises. */
_Noreturn void mpl_no_memory(lua_State *L);

static inline uint8_t *mpl_encoder_room(lua_State *L, struct mpl_encoder *e,
                                        size_t size)
{
    if (mpr_writer_need(&e->out, size) < 0)
        mpl_no_memory(L);
    return e->out.end;
}

static inline uint8_t *mpl_room(struct mpl_walk *w, size_t size)
{
    return mpl_encoder_room(w->L, w->e, size);
}

static inline void mpl_put_tag(struct mpl_walk *w, unsigned tag)
{
    *mpl_room(w, 1) = (uint8_t)tag;
    w->e->out.end++;
}

static inline size_t mpl_offset(const struct mpl_walk *w)
{
    return mpr_writer_size(&w->e->out);
}

/* encode.c: writes the value on the stack's top. */
enum mpl_step mpl_encode_value(struct mpl_walk *w);

/* The same for one that is no scalar, or a long string (scalar.h); top is its
 * stack index. */
enum mpl_step mpl_encode_rest(struct mpl_walk *w, int type, int top);

/* scalar.c: writes a string of the size. */
void mpl_encode_string(struct mpl_walk *w, const char *s, size_t size);

/* meet.c: whether the object was met before: then a REF to it is written. Otherwise
 * it is met now, with its tag at the present offset. The value on the stack's
 * top is, or holds, the object. */
bool mpl_encode_met(struct mpl_walk *w, const void *object);

/* Writes a REF to what has its tag at off. */
void mpl_encode_ref(struct mpl_walk *w, uint64_t off);

/* The object, whose tag stands at at, is met now. */
void mpl_encode_meet(struct mpl_walk *w, const void *object, size_t at);

/* table.c: writes the head of the table on the top, for which a frame is
 * ready, and opens the frame. Careful way. */
enum mpl_step mpl_encode_open_table(struct mpl_walk *w);
enum mpl_step mpl_encode_parts(struct mpl_walk *w, struct mpl_frame *f);

/* The whole table on the top. First way. */
enum mpl_step mpl_encode_plain_table(struct mpl_walk *w);

/* path.c: the value on the top cannot be sent: raises `cannot send value.x[3]
 * (a thread: why)`, or writes its text where losses are allowed. */
enum mpl_step mpl_encode_unsendable(struct mpl_walk *w, const char *why);

enum { MPL_SLOTS = 144 }; /* of the stack, behind the value of a frame */

bool mpl_stack_ready(struct mpl_walk *w);

static inline bool mpl_has_slots(struct mpl_walk *w)
{
    return w->top + MPL_SLOTS <= w->checked || mpl_stack_ready(w);
}

/* Whether a frame for the value on the top may be opened: stack, depth. */
static inline bool mpl_frame_ready(struct mpl_walk *w)
{
    return w->e->depth < MPR_WIRE_DEPTH && mpl_has_slots(w);
}

/* Opens the frame for which all is ready; the value's tag stands at at. */
struct mpl_frame *mpl_frame_push(struct mpl_walk *w, enum mpl_part part,
                                 size_t at);

/* function.c: the function on the top. Careful way. */
enum mpl_step mpl_encode_function(struct mpl_walk *w);
enum mpl_step mpl_encode_upvalues(struct mpl_walk *w, struct mpl_frame *f);

/* class.c: the table or foreign userdata on the top, just met. Careful way. */
enum mpl_step mpl_encode_instance(struct mpl_walk *w);

/* module.c: whether the value on the top is known by name: then that is
 * written. Careful way. */
bool mpl_encode_by_name(struct mpl_walk *w);

/* Pushes the table of names, made anew if package.loaded has changed. */
void mpl_modules_push(lua_State *L, struct mpl_codec *c);

/* path.c: adds `.key` or `[3]`, as the step of a path. */
void mpl_path_add_key(lua_State *L, luaL_Buffer *b, int key);

#endif
