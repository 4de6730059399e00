/* Why a value cannot be sent, and where it is: the frames that are open lead
 * from the root to it. */

#include "arg.h"
#include "embedded.h"
#include "encode.h"

#include <ctype.h>
#include <string.h>

enum { TEXT = 40 }; /* of a key that is shown; longer ones are cut */

static bool is_identifier(const char *s, size_t size)
{
    if (size == 0 || size > TEXT || isdigit((unsigned char)*s))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_')
            return false;
    return true;
}

/* ["a b"], with what cannot be printed as in Lua's source. */
static void add_quoted(luaL_Buffer *b, const char *s, size_t size)
{
    luaL_addstring(b, "[\"");
    for (size_t i = 0; i < size && i < TEXT; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\') {
            luaL_addchar(b, '\\');
            luaL_addchar(b, (char)c);
        } else if (iscntrl(c)) {
            char escape[8];

            snprintf(escape, sizeof escape, "\\%03d", c);
            luaL_addstring(b, escape);
        } else {
            luaL_addchar(b, (char)c);
        }
    }
    luaL_addstring(b, size > TEXT ? "...\"]" : "\"]");
}

void mpl_path_add_key(lua_State *L, luaL_Buffer *b, int key)
{
    char number[64];
    const char *s;
    size_t size;

    switch (lua_type(L, key)) {
    case LUA_TSTRING:
        s = lua_tolstring(L, key, &size);
        if (is_identifier(s, size)) {
            luaL_addchar(b, '.');
            luaL_addlstring(b, s, size);
        } else {
            add_quoted(b, s, size);
        }
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, key))
            snprintf(number, sizeof number, "[" LUA_INTEGER_FMT "]",
                     lua_tointeger(L, key));
        else
            snprintf(number, sizeof number, "[%.14g]", lua_tonumber(L, key));
        luaL_addstring(b, number);
        break;
    case LUA_TBOOLEAN:
        luaL_addstring(b, lua_toboolean(L, key) ? "[true]" : "[false]");
        break;
    default:
        luaL_addchar(b, '[');
        luaL_addstring(b, luaL_typename(L, key));
        luaL_addchar(b, ']');
    }
}

static void add_step(lua_State *L, luaL_Buffer *b, const struct mpl_frame *f)
{
    const char *name;
    char number[32];

    switch (f->part) {
    case MPL_FIRST_ITEM:
    case MPL_ITEMS:
    case MPL_SCATTERED:
        snprintf(number, sizeof number, "[" LUA_INTEGER_FMT "]",
                 (lua_Integer)f->i);
        luaL_addstring(b, number);
        break;
    case MPL_FIRST:
    case MPL_KEY: /* what comes next: so the value of this key is underway */
        mpl_path_add_key(L, b, f->table + 1);
        break;
    case MPL_VALUE:
        luaL_addstring(b, "[a key]");
        break;
    case MPL_UPVALUES:
        name = lua_getupvalue(L, f->table, (int)f->i);
        if (name)
            lua_pop(L, 1);
        luaL_addstring(b, "(upvalue ");
        luaL_addstring(b, name ? name : "?");
        luaL_addchar(b, ')');
        break;
    case MPL_HOOK:
        luaL_addstring(b, ":__mp_pack()");
        break;
    }
}

/* "a thread", "an mp.Lock", "a FILE*" */
static const char *what(lua_State *L, int idx)
{
    const char *name = luaL_typename(L, idx);

    if (lua_islightuserdata(L, idx))
        name = "light userdata";
    else if (lua_iscfunction(L, idx))
        name = "C function";
    else if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
        name = lua_tostring(L, -1);
    return lua_pushfstring(
        L, "%s %s",
        strchr("aeioAEIO", *name) || strncmp(name, "mp.", 3) == 0 ? "an" : "a",
        name);
}

/* Pushes the name of the value that is being encoded. A root "a, b %d" names
 * the first value a, and the others b with numbers from 1. */
static void push_root(lua_State *L, const struct mpl_walk *w)
{
    const char *comma = strchr(w->root, ',');

    if (!comma)
        lua_pushfstring(L, w->root, w->number);
    else if (w->number == 1)
        lua_pushlstring(L, w->root, (size_t)(comma - w->root));
    else
        lua_pushfstring(L, comma + 2, w->number - 1);
}

/* Whether the chunk is a file of our own Lua half. */
static bool is_ours(const char *source)
{
    size_t size = strlen(source);

    for (const struct mpl_embedded *e = mpl_embedded; e->module; e++) {
        size_t n = strlen(e->chunk + 1); /* mp/pool.lua */

        if (size > n && strcmp(source + size - n, e->chunk + 1) == 0 &&
            (source[size - n - 1] == '/' || source[size - n - 1] == '@'))
            return true;
    }
    return false;
}

void mpl_where(lua_State *L)
{
    lua_Debug ar;
    int level = 1;

    while (lua_getstack(L, level, &ar) && lua_getinfo(L, "S", &ar) &&
           is_ours(ar.source))
        level++;
    luaL_where(L, level);
}

static _Noreturn void refuse(struct mpl_walk *w, const char *why)
{
    lua_State *L = w->L;
    size_t depth = w->e->depth;
    const char *value;
    luaL_Buffer b;

    lua_checkstack(L, LUA_MINSTACK);
    value = what(L, lua_gettop(L));
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < depth; i++) {
        if (depth > 20 && i == 10) {
            luaL_addstring(&b, "...");
            i = depth - 10;
        }
        add_step(L, &b, &w->e->frames[i]);
    }
    luaL_pushresult(&b);
    push_root(L, w);
    mpl_where(L);
    lua_pushfstring(
        L, why ? "%scannot send %s%s (%s: %s)" : "%scannot send %s%s (%s)",
        lua_tostring(L, -1), lua_tostring(L, -2), lua_tostring(L, -3), value,
        why);
    lua_error(L);
    for (;;) /* lua_error does not return */
        ;
}

/* The text of the value on the top, pushed; whatever its __tostring does. */
static int text_of(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

enum mpl_step mpl_encode_unsendable(struct mpl_walk *w, const char *why)
{
    lua_State *L = w->L;
    const void *object = lua_topointer(L, -1);
    struct mpl_seen_entry *entry;
    size_t size;
    const char *s;

    if (!w->anchors)
        return MPL_CAREFUL; /* which knows the path */
    if (!(w->flags & MPL_LOSSY))
        refuse(w, why);
    if (w->e->seen.entries && object &&
        mpl_seen_find(&w->e->seen, object, &entry) &&
        mpl_seen_offset(entry) == mpl_offset(w))
        mpl_seen_forget(&w->e->seen, object);
    lua_pushcfunction(L, text_of);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        lua_pushfstring(L, "(a %s whose text cannot be had)",
                        luaL_typename(L, -1));
    }
    s = lua_tolstring(L, -1, &size);
    mpl_encode_string(w, s, size);
    lua_pop(L, 1);
    return MPL_DONE;
}
