#ifndef MPL_CELL_H
#define MPL_CELL_H

/* Cells and Lua values. The functions here that a letter selects are the fast
 * paths of element access; what they leave is done by cell.c, which knows how
 * to say what is wrong. */

#include <mpr.h>

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* Pushes what a number of the code's family is in Lua. */
void mpl_push_number(lua_State *L, const struct mpr_code *code,
                     union mpr_number n);

/* The number that the value at idx is for the code: true, or false with what
 * is wrong pushed as a string. */
bool mpl_to_number(lua_State *L, int idx, const struct mpr_code *code,
                   union mpr_number *n);

/* The same for what is added to a cell. */
bool mpl_to_addend(lua_State *L, int idx, const struct mpr_code *code,
                   union mpr_number *n);

/* The message that mpl_to_number left, as error of argument arg. */
int mpl_bad_number(lua_State *L, int arg);

/* By family: the member of union mpr_number, the Lua value of a cell, and the
 * cell of a Lua value that needs no conversion and is in range. */
#define MPL_OF_MPR_SIGNED    i
#define MPL_OF_MPR_UNSIGNED  u
#define MPL_OF_MPR_FLOATING  d
#define MPL_OF_MPR_BOOLEAN   u
#define MPL_OF_MPR_CHARACTER u

static inline void mpl_push_MPR_SIGNED(lua_State *L, int64_t v)
{
    lua_pushinteger(L, v);
}

static inline void mpl_push_MPR_UNSIGNED(lua_State *L, uint64_t v)
{
    if (v > LUA_MAXINTEGER)
        lua_pushnumber(L, (lua_Number)v);
    else
        lua_pushinteger(L, (lua_Integer)v);
}

static inline void mpl_push_MPR_FLOATING(lua_State *L, double v)
{
    lua_pushnumber(L, v);
}

static inline void mpl_push_MPR_BOOLEAN(lua_State *L, uint8_t v)
{
    lua_pushboolean(L, v);
}

static inline void mpl_push_MPR_CHARACTER(lua_State *L, uint8_t v)
{
    char c = (char)v;

    lua_pushlstring(L, &c, 1);
}

static inline bool mpl_take_MPR_SIGNED(lua_State *L, int idx, unsigned bits,
                                       union mpr_number *n)
{
    if (!lua_isinteger(L, idx))
        return false;
    n->i = lua_tointegerx(L, idx, NULL);
    return n->i >= INT64_MIN >> (64 - bits) && n->i <= INT64_MAX >> (64 - bits);
}

static inline bool mpl_take_MPR_UNSIGNED(lua_State *L, int idx, unsigned bits,
                                         union mpr_number *n)
{
    if (!lua_isinteger(L, idx))
        return false;
    n->i = lua_tointegerx(L, idx, NULL);
    return n->i >= 0 && n->u <= UINT64_MAX >> (64 - bits);
}

static inline bool mpl_take_MPR_FLOATING(lua_State *L, int idx, unsigned bits,
                                         union mpr_number *n)
{
    if (bits != 64 || lua_type(L, idx) != LUA_TNUMBER)
        return false; /* a float may be out of range */
    n->d = lua_tonumberx(L, idx, NULL);
    return true;
}

static inline bool mpl_take_MPR_BOOLEAN(lua_State *L, int idx, unsigned bits,
                                        union mpr_number *n)
{
    (void)bits;
    n->u = (uint64_t)lua_toboolean(L, idx);
    return lua_isboolean(L, idx);
}

static inline bool mpl_take_MPR_CHARACTER(lua_State *L, int idx, unsigned bits,
                                          union mpr_number *n)
{
    (void)L;
    (void)idx;
    (void)bits;
    n->u = 0;
    return false;
}

/* Pushes the code's cell; false, with nothing pushed, for letter 0. */
static inline bool mpl_cell_push(lua_State *L, char letter, const void *at)
{
    switch (letter) {
#define X(letter_, type, family)                               \
    case letter_: {                                            \
        type v;                                                \
        __atomic_load((const type *)at, &v, __ATOMIC_ACQUIRE); \
        mpl_push_##family(L, v);                               \
        return true;                                           \
    }
        MPR_CODES(X)
#undef X
    }
    return false;
}

/* Stores the value at idx if it is one of the simple cases. */
static inline bool mpl_cell_set(lua_State *L, int idx, char letter, void *at)
{
    union mpr_number n;

    switch (letter) {
#define X(letter_, type, family)                              \
    case letter_: {                                           \
        type v;                                               \
        if (!mpl_take_##family(L, idx, 8 * sizeof(type), &n)) \
            return false;                                     \
        v = (type)n.MPL_OF_##family;                          \
        __atomic_store((type *)at, &v, __ATOMIC_RELEASE);     \
        return true;                                          \
    }
        MPR_CODES(X)
#undef X
    }
    return false;
}

#endif
