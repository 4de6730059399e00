#ifndef MPL_TABLES_H
#define MPL_TABLES_H

/* What shared dicts and lists have in common: keys, values that may be plain
 * tables, copies of the whole. */

#include "object.h"

struct mpl_dict {
    struct mpl_object o;
    mpr_dict d;
};

struct mpl_list {
    struct mpl_object o;
    mpr_list l;
};

extern const struct mpl_class mpl_dict_class;
extern const struct mpl_class mpl_list_class;

/* Put their functions, as tables `dict` and `list`, into the table on the
 * stack's top; lua/mp/dict.lua and lua/mp/list.lua add what needs no C. */
void mpl_open_dict(lua_State *L, struct mpl_state *S);
void mpl_open_list(lua_State *L, struct mpl_state *S);

/* The key at idx: false for what can be none. It points into the string. */
bool mpl_get_key(lua_State *L, int idx, struct mpr_key *key);

/* The same, raising. */
void mpl_check_key(lua_State *L, int idx, struct mpr_key *key);
void mpl_push_key(lua_State *L, const struct mpr_key *key);

/* If the value at idx is a plain table, it is replaced by a shared one with the
 * same contents (lua/mp/share.lua). root is how the path begins of what cannot
 * be sent. */
void mpl_share(lua_State *L, int idx, const char *root);

/* Encodes the value at idx, which is no plain table. */
void mpl_encode_item(lua_State *L, int idx, struct mpl_state *S,
                     struct mpr_parcel *parcel);

/* A message got, and the value that it is: decoded, but left as it is for a
 * comparison. Pushes it above the message, which is at idx. */
void mpl_push_decoded(lua_State *L, struct mpl_state *S, int idx);

/* What an operation was refused for, but for the outcomes that its caller
 * knows. */
_Noreturn void mpl_table_refused(lua_State *L, int err, const char *what);

/* A copy of a dict or list; pushed empty. */
struct mpl_snapshot {
    struct mpr_snapshot s;
    struct mpr_message m;
};
struct mpl_snapshot *mpl_snapshot_push(lua_State *L);

/* Pushes key (or index) and value of the next pair; false at the end. */
bool mpl_snapshot_next(lua_State *L, struct mpl_state *S,
                       struct mpl_snapshot *shot);

/* The values of the snapshot on the stack's top, in a table that takes its
 * place: the pairs, or the values of keys 1 to n. */
enum mpl_form { MPL_KEYS, MPL_VALUES, MPL_PAIRS };
void mpl_snapshot_list(lua_State *L, struct mpl_state *S, enum mpl_form form);

/* An iterator over the snapshot on the stack's top, in its place. */
void mpl_snapshot_iterator(lua_State *L);

/* A function of the Lua half, called with the arguments of this one. */
int mpl_call_half(lua_State *L, const struct mpl_class *class,
                  const char *name);

#endif
