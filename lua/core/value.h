#ifndef MPL_VALUE_H
#define MPL_VALUE_H

/* The codec: Lua values to the bytes of runtime/ipc/wire.h and back.
 *
 *     mpl_encode(L, 2, S, MPL_FUNCTIONS, "value");
 *     mpl_codec_parcel(S, &parcel);             bytes and refs, S's own
 *     err = mpr_conn_send(c, &parcel, 0);
 *
 * Encoding works in two ways. The first assumes plain data and then allocates
 * nothing from Lua: no collection, no finalizer, no code of the user's runs,
 * so addresses name objects. On the first function, metatable or foreign
 * userdata it starts again in the careful way, which looks tables up among
 * the loaded modules, calls hooks, and keeps alive what it has met.
 *
 * What is kept per state is in struct mpl_codec. User code that runs inside
 * (hooks, finalizers) may encode and decode: the careful way takes the
 * encoder out of the state while it works, the decoder keeps everything on
 * the C stack and the Lua stack. */

#include <mpr.h>

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct mpl_state;
struct mpl_encoder;

struct mpl_codec {
    struct mpl_encoder *encoder; /* NULL: in use further out, or not made */
    /* References in the registry: */
    int classes;   /* name -> metatable, metatable -> name */
    int modules;   /* what is loaded -> its name (module.c) */
    int loaded;    /* the modules that these names were made of */
    int codes;     /* weak: Lua function -> its bytecode (function.c) */
    int functions; /* hash of bytecode -> function without upvalues */
    unsigned function_count; /* in that table */
    uint64_t modules_were;   /* fingerprint of package.loaded */
};

enum mpl_flags {
    MPL_FUNCTIONS = 1, /* functions and modules may travel */
    MPL_STRING = 2,    /* to or from a string that is kept: it begins with
                        * MPL_FORMAT, and mp objects may not travel */
    MPL_LOSSY = 4,     /* nothing is refused: what cannot be sent travels as its
                        * tostring text, a table whose metatable cannot
                        * without it */
    MPL_SOCKET = MPL_STRING | 16, /* the same over a socket */
    MPL_LEND = 8, /* a value that is a long string is not copied: the
                        * parcel is valid while the value is on the stack */
};

enum {
    MPL_FORMAT = 1,  /* first byte of what MPL_STRING makes */
    MPL_LEVELS = 64, /* tables within tables that are coded by recursion */
};

void mpl_codec_init(lua_State *L, struct mpl_codec *c);
void mpl_codec_fini(struct mpl_codec *c);

/* Encodes the value at idx, or the n values from idx first on, into S's
 * scratch; what was there is gone. Raises `cannot send value.cfg.handlers[3]
 * (a thread)`; root is how the path begins: "value", "argument %d" (the %d is
 * the number of the value, from 1). Runs user code (hooks) only for what has
 * a metatable. */
void mpl_encode(lua_State *L, int idx, struct mpl_state *S, unsigned flags,
                const char *root);
void mpl_encode_values(lua_State *L, int first, int n, struct mpl_state *S,
                       unsigned flags, const char *root);

/* What was encoded last. Valid until Lua code runs again: who has to wait, and
 * runs some meanwhile, encodes anew. */
void mpl_codec_parcel(const struct mpl_state *S, struct mpr_parcel *parcel);

/* Pushes the values of a message, returns how many. Raises what is wrong with
 * it. bytes, and refs (of ref_count handles, or NULL), are the caller's and
 * stay unchanged by others meanwhile; of the refs those that were used are
 * closed handles then. */
struct mpl_refs {
    mpr_handle *refs;
    uint32_t count;
};
int mpl_decode(lua_State *L, struct mpl_state *S, const void *bytes,
               size_t size, struct mpl_refs *refs, unsigned flags);

/* The same of a message, without a first byte MPL_FORMAT, that is one number,
 * boolean, nil or short string; false: it is another one, nothing was done. */
bool mpl_decode_simple(lua_State *L, const void *bytes, size_t size);

/* lua_pushlstring, which is faster for very long ones. */
void mpl_push_string(lua_State *L, const void *s, size_t size);

/* object.c gives this: the handle of the userdata at idx if it is an mp object
 * that may travel. Otherwise NULL, and *why is the reason or, for a userdata
 * that is none of ours, NULL. Runs no Lua code, allocates nothing from Lua. */
const mpr_handle *mpl_object_pack(lua_State *L, int idx, struct mpl_state *S,
                                  const char **why);

/* ---- mp.dumps, mp.loads, mp.class ----------------------------------------- */

/* Sets them in the table on the stack's top; the state's userdata is at idx
 * state, for use as upvalue. */
void mpl_open_value(lua_State *L, int state);

/* Names the metatable at idx mt in this state, as mp.class does. */
void mpl_class_name(lua_State *L, struct mpl_state *S, const char *name,
                    int mt);

#endif
