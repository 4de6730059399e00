#ifndef MPL_ROW_H
#define MPL_ROW_H

/* What mp.Value and mp.Array share: a row of cells, or of structs. Files:
 * number.c is Value, array.c is Array, bulk.c its methods on many elements,
 * struct.c is mp.Struct, view.c a struct's members in place. */

#include "cell.h"
#include "object.h"

#include <stdbool.h>

struct row {
    struct mpl_object o;
    mpr_array a;
    char letter; /* of its code; 0: structs */
};

/* User values of a row. */
enum { MPL_ROW_LOCK = 1, MPL_ROW_VALUES };

extern const struct mpl_class mpl_value_class, mpl_raw_value_class;
extern const struct mpl_class mpl_array_class, mpl_raw_array_class;
extern const struct mpl_class mpl_struct_class;

/* The class's functions. */
void mpl_row_attach(struct mpl_object *o, mpr_handle *h);
void mpl_row_release(struct mpl_state *S, struct mpl_object *o);

/* Methods: get_lock acquire release hold with. */
#define MPL_ROW_LOCK_METHODS                                      \
    {"get_lock", mpl_row_get_lock}, {"acquire", mpl_row_acquire}, \
        {"release", mpl_row_unlock}, {"hold", mpl_row_hold},      \
    {                                                             \
        "with", mpl_row_with                                      \
    }
int mpl_row_get_lock(lua_State *L);
int mpl_row_acquire(lua_State *L);
int mpl_row_unlock(lua_State *L);
int mpl_row_hold(lua_State *L);
int mpl_row_with(lua_State *L);

/* The code or open Struct at idx; false: it is neither. The other raises. */
bool mpl_test_format(lua_State *L, int idx, struct mpr_cells *what);
void mpl_check_format(lua_State *L, int arg, struct mpr_cells *what);

/* The options `lock` and `name` of the table at arg, if there is one. */
void mpl_check_lock(lua_State *L, int arg, struct mpr_cells *what);

/* Pushes the letter, or the Struct. */
void mpl_push_format(lua_State *L, const struct row *r);

/* self as a value or as an array, open. */
static inline struct row *mpl_row_test(lua_State *L,
                                       const struct mpl_class *class,
                                       const struct mpl_class *raw)
{
    struct row *r = lua_touserdata(L, 1);

    if (r && lua_rawlen(L, 1) == sizeof *r &&
        (r->o.class == class || r->o.class == raw) && r->a.h.block)
        return r;
    return NULL;
}

struct row *mpl_check_value(lua_State *L);
struct row *mpl_check_array(lua_State *L, int arg);

static inline struct row *mpl_self_array(lua_State *L)
{
    struct row *r = mpl_row_test(L, &mpl_array_class, &mpl_raw_array_class);

    return r ? r : mpl_check_array(L, 1);
}

/* A row whose named memory could not be mapped is open, without elements:
 * raises. */
void mpl_check_mapped(lua_State *L, const struct row *r);

/* The address of element i, from 0. */
static inline char *mpl_row_at(const struct row *r, uint64_t i)
{
    return (char *)r->a.data + i * r->a.size;
}

/* v:add(n), v:exchange(x), v:cas(old, new) on the cell at that address; their
 * arguments start at arg. */
int mpl_cell_add(lua_State *L, const struct row *r, int arg, void *at);
int mpl_cell_exchange(lua_State *L, const struct row *r, int arg, void *at);
int mpl_cell_cas(lua_State *L, const struct row *r, int arg, void *at);

/* ---- elements (view.c) -----------------------------------------------------*/

/* Pushes the element at that address: a number, or a view of the struct. row:
 * the index of the userdata whose memory it is. */
void mpl_push_element(lua_State *L, int row, const struct row *r, char *at);

/* Pushes the same as a value of its own: structs as tables. */
void mpl_push_copy(lua_State *L, const struct row *r, const char *at);

/* Checks that the value at idx can be stored as element of r, and with at not
 * NULL stores it. false, with what is wrong pushed. */
bool mpl_set_element(lua_State *L, int idx, const struct row *r, char *at);

/* The same, checked whole before anything is changed; raises. */
void mpl_assign_element(lua_State *L, int idx, const struct row *r, char *at);

/* Methods of arrays (bulk.c). */
int mpl_array_totable(lua_State *L);
int mpl_array_slice(lua_State *L);
int mpl_array_set(lua_State *L);
int mpl_array_fill(lua_State *L);
int mpl_array_copy(lua_State *L);
int mpl_array_tostring(lua_State *L);

/* Whether the value at idx can give n elements: their number, or raises for
 * argument idx. Lists (also objects with # and []) and strings. */
lua_Integer mpl_source_count(lua_State *L, int idx, const struct row *r);

/* Stores the count elements that the value at idx gives, from element first
 * on: all or, raising for argument idx, none. fresh: nobody else knows the
 * array yet, so some is as good as none. */
void mpl_store_elements(lua_State *L, int idx, struct row *r, uint64_t first,
                        lua_Integer count, bool fresh);

/* Arguments i, j as string.sub takes them: the first element, from 0, and how
 * many. */
uint64_t mpl_check_range(lua_State *L, int arg, const struct row *r,
                         uint64_t *count);

/* Add Value RawValue, Array RawArray, Struct to the table on the top. */
void mpl_open_number(lua_State *L, struct mpl_state *S);
void mpl_open_array(lua_State *L, struct mpl_state *S);
void mpl_open_struct(lua_State *L, struct mpl_state *S);

/* Makes the metatable of views. */
void mpl_open_view(lua_State *L);

#endif
