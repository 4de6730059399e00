/* The other half of function.c, module.c and class.c: what a message only
 * names is found in this state, functions are made of their bytecode, packed
 * objects are rebuilt.
 *
 * Only here may code run: a module's, when it is required; a class's
 * __mp_unpack. It runs for no message that is not whole (before_code). */

#include "decode.h"
#include "function.h"
#include "half.h"

#include <string.h>

enum { KEPT = 500 }; /* functions of the cache, at most */

static void before_code(struct mpl_decoder *d)
{
    struct mpr_reader all = d->r;
    int err;

    if (d->whole)
        return;
    all.at = all.begin + (d->flags & MPL_STRING ? 1 : 0);
    err = mpr_wire_check(all);
    if (err == -ENOMEM)
        luaL_error(d->L, "not enough memory");
    if (err == -E2BIG)
        mpl_bad_message(d, "nesting too deep");
    if (err < 0)
        mpl_bad_message(d, "truncated or garbage");
    d->whole = true;
}

static void check_functions(struct mpl_decoder *d, const char *what)
{
    if (!(d->flags & MPL_FUNCTIONS))
        mpl_bad_message(
            d, lua_pushfstring(d->L, "%s are not accepted here", what));
    before_code(d);
}

void mpl_revive_globals(struct mpl_decoder *d)
{
    check_functions(d, "functions");
    lua_rawgeti(d->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

/* ---- by name --------------------------------------------------------------------- */

/* Replaces the module's name on the top by the module. */
static void require(struct mpl_decoder *d)
{
    lua_State *L = d->L;
    int name = lua_gettop(L);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, name);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_settop(L, name);
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        lua_pushliteral(L, "require");
        lua_rawget(L, -2);
        lua_pushvalue(L, name);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            luaL_tolstring(L, -1, NULL);
            mpl_bad_message(
                d, lua_pushfstring(L, "module '%s' cannot be loaded here: %s",
                                   lua_tostring(L, name), lua_tostring(L, -1)));
        }
    }
    lua_replace(L, name);
    lua_settop(L, name);
}

void mpl_revive_by_name(struct mpl_decoder *d)
{
    lua_State *L = d->L;
    int value = lua_gettop(L) + 1;
    unsigned parts = mpl_next_byte(d);

    if (parts < 1 || parts > 4)
        mpl_bad_message(d, NULL);
    check_functions(d, "functions and modules");
    mpl_decode_string(d);
    lua_pushvalue(L, -1); /* the name so far, for errors */
    lua_insert(L, value);
    require(d);
    while (--parts > 0) {
        mpl_decode_string(d);
        lua_pushfstring(L, "%s.%s", lua_tostring(L, value),
                        lua_tostring(L, -1));
        lua_replace(L, value);
        if (!lua_istable(L, -2))
            lua_pushnil(L);
        else
            lua_rawget(L, -2);
        lua_remove(L, -2);
        if (lua_isnil(L, -1))
            mpl_bad_message(d, lua_pushfstring(L, "there is no '%s' here",
                                               lua_tostring(L, value)));
    }
    lua_remove(L, value);
}

/* ---- classes ------------------------------------------------------------------------ */

/* Pushes the class whose name is at the index. */
static bool find_class(struct mpl_decoder *d, int name)
{
    lua_State *L = d->L;

    lua_rawgeti(L, LUA_REGISTRYINDEX, d->S->codec.classes);
    lua_pushvalue(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return lua_istable(L, -1);
}

void mpl_revive_class(struct mpl_decoder *d)
{
    lua_State *L = d->L;
    int name;

    mpl_decode_string(d);
    name = lua_gettop(L);
    if (find_class(d, name))
        goto found;
    lua_settop(L, name);
    /* Our own classes are registered by mp, which may not be loaded yet. */
    if (strncmp(lua_tostring(L, name), "mp.", 3) != 0 || !mpl_load_mp(L) ||
        !find_class(d, name))
        mpl_bad_message(d,
                        lua_pushfstring(L, "class '%s' is not registered here",
                                        lua_tostring(L, name)));
found:
    lua_replace(L, name);
}

/* Pushes the metatable that the next value names. */
static void decode_metatable(struct mpl_decoder *d)
{
    size_t at = (size_t)(d->r.at - d->r.begin);

    switch (mpl_next_byte(d)) {
    case MPR_TAG_CLASS:
        mpl_revive_class(d);
        break;
    case MPR_TAG_BY_NAME:
        mpl_revive_by_name(d);
        if (!lua_istable(d->L, -1))
            mpl_bad_message(d, "a metatable is no table here");
        break;
    case MPR_TAG_REF:
        mpl_memo_get(d, MPL_MEMO_CLASS, mpl_next_count(d));
        return;
    default:
        d->r.at--;
        mpl_bad_message(d, NULL);
    }
    mpl_memo_set(d, MPL_MEMO_CLASS, at);
}

/* The metatable waits on the stack for its table, see decode.c. */
bool mpl_revive_instance(struct mpl_decoder *d)
{
    decode_metatable(d);
    mpl_made_push(d, MPL_DUE_TABLE, 0);
    return false;
}

/* The hook waits on the stack for the packed value. */
bool mpl_revive_packed(struct mpl_decoder *d, size_t at)
{
    lua_State *L = d->L;

    before_code(d);
    decode_metatable(d);
    lua_pushliteral(L, "__mp_unpack");
    lua_rawget(L, -2);
    lua_replace(L, -2);
    if (lua_isnil(L, -1))
        mpl_bad_message(d, "the class of a packed object has no __mp_unpack "
                           "here");
    mpl_made_push(d, MPL_DUE_PACKED, at);
    return false;
}

void mpl_revive_unpack(struct mpl_decoder *d)
{
    size_t at = d->made[d->depth - 1].at;

    lua_call(d->L, 1, 1);
    if (!lua_isnil(d->L, -1))
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
}

/* ---- functions ------------------------------------------------------------------------ */

/* Reads where the bytecode is, after the tag of a function. */
static void decode_code(struct mpl_decoder *d, struct mpr_token *code,
                        size_t at)
{
    struct mpr_reader r = d->r;

    r.at = r.begin + at;
    if (mpr_read(&r, code) != 1)
        mpl_bad_message(d, NULL);
    d->r.at = r.at;
    if (code->kind == 1) { /* it stands with an earlier function */
        unsigned upvalues = code->upvalues;

        if (code->count >= at)
            mpl_bad_message(d, NULL);
        r.at = r.begin + code->count;
        if (mpr_read(&r, code) != 1 || code->tag != MPR_TAG_FUNCTION)
            mpl_bad_message(d, NULL);
        code->upvalues = upvalues;
    }
    if (code->kind != 0)
        mpl_bad_message(d, NULL);
}

static unsigned upvalues_of(lua_State *L)
{
    lua_Debug ar;

    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &ar);
    return ar.nups;
}

static void load(struct mpl_decoder *d, const struct mpr_token *code)
{
    if (luaL_loadbufferx(d->L, (const char *)code->bytes, code->count,
                         "=(function)", "b") != LUA_OK)
        mpl_bad_message(
            d, lua_pushfstring(d->L, "a function cannot be loaded here: %s",
                               lua_tostring(d->L, -1)));
    if (upvalues_of(d->L) != code->upvalues)
        mpl_bad_message(d, NULL);
}

/* A function whose upvalues, all of them, are the globals: nothing tells two
 * of these apart, so it is made once. Pushes it. */
static void load_plain(struct mpl_decoder *d, const struct mpr_token *code)
{
    lua_State *L = d->L;
    struct mpl_codec *c = &d->S->codec;
    lua_Integer key = (lua_Integer)mpl_code_hash(code->bytes, code->count);
    int functions = lua_gettop(L) + 1;

    lua_rawgeti(L, LUA_REGISTRYINDEX, c->functions);
    if (lua_rawgeti(L, functions, key) == LUA_TFUNCTION) {
        bool same = true; /* unless the function, or debug, set its _ENV */

        for (unsigned i = 1; same && i <= code->upvalues; i++) {
            same = lua_getupvalue(L, functions + 1, (int)i) != NULL;
            lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
            same = same && lua_rawequal(L, -1, -2);
            lua_settop(L, functions + 1);
        }
        if (same) {
            lua_remove(L, functions);
            return;
        }
    }
    lua_settop(L, functions);
    load(d, code);
    for (unsigned i = 1; i <= code->upvalues; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        lua_setupvalue(L, -2, (int)i);
    }
    if (c->function_count == KEPT) { /* begin anew */
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, LUA_REGISTRYINDEX, c->functions);
        lua_replace(L, functions);
        c->function_count = 0;
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, functions, key);
    c->function_count++;
    lua_remove(L, functions);
}

/* Whether the upvalues that follow are all globals; then they are read. */
static bool all_globals(struct mpl_decoder *d, unsigned upvalues)
{
    const uint8_t *p = d->r.at;

    if (mpr_reader_left(&d->r) < 2 * (size_t)upvalues)
        return false;
    for (unsigned i = 0; i < upvalues; i++)
        if (p[2 * i] != 0 || p[2 * i + 1] != MPR_TAG_GLOBALS)
            return false;
    d->r.at += 2 * (size_t)upvalues;
    return true;
}

bool mpl_revive_function(struct mpl_decoder *d, size_t at, bool shared)
{
    struct mpr_token code;
    struct mpl_made *m;
    bool plain;

    check_functions(d, "functions");
    decode_code(d, &code, at);
    plain = all_globals(d, code.upvalues);
    if (plain)
        load_plain(d, &code);
    else
        load(d, &code);
    if (shared)
        mpl_memo_set(d, MPL_MEMO_VALUE, at);
    if (plain)
        return true;
    m = mpl_made_push(d, MPL_DUE_UPVALUE, at);
    m->n = code.upvalues;
    return false;
}

/* The upvalue may be shared with functions that come later. */
static void note_upvalue(struct mpl_decoder *d, int function, uint64_t i,
                         size_t off)
{
    lua_State *L = d->L;

    lua_pushvalue(L, function);
    mpl_memo_set(d, MPL_MEMO_VALUE, off);
    lua_pushinteger(L, (lua_Integer)i);
    mpl_memo_set(d, MPL_MEMO_UPVALUE, off);
    lua_pop(L, 2);
}

static void join_upvalue(struct mpl_decoder *d, int function, uint64_t i,
                         uint64_t off)
{
    lua_State *L = d->L;
    int index;

    mpl_memo_get(d, MPL_MEMO_UPVALUE, off);
    index = (int)lua_tointeger(L, -1);
    mpl_memo_get(d, MPL_MEMO_VALUE, off);
    lua_upvaluejoin(L, function, (int)i, lua_gettop(L), index);
    lua_pop(L, 2);
}

bool mpl_revive_upvalues(struct mpl_decoder *d, bool arrived)
{
    lua_State *L = d->L;
    size_t self = d->depth - 1;
    int function = d->made[self].table;
    uint64_t n = d->made[self].n;
    uint64_t i = d->made[self].i;

    if (arrived)
        lua_setupvalue(L, function, (int)i);
    while (i < n) {
        size_t off = (size_t)(d->r.at - d->r.begin);

        i++;
        switch (mpl_next_byte(d)) {
        case 0:
            break;
        case 1:
            note_upvalue(d, function, i, off);
            break;
        case 2:
            join_upvalue(d, function, i, mpl_next_count(d));
            continue;
        default:
            d->r.at--;
            mpl_bad_message(d, NULL);
        }
        if (!mpl_decode_value(d)) {
            d->made[self].i = i; /* made may have moved */
            return false;
        }
        lua_setupvalue(L, function, (int)i);
    }
    return true;
}
