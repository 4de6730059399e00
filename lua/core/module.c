/* What travels by name: loaded modules, and what they hold: functions, Lua's
 * or C's, up to two tables deep, and tables that look like classes. The
 * receiver requires the module and takes its own.
 *
 * names: a table from these values to "module\0field\0field". It is made from
 * package.loaded when that has changed; the modules of then are kept, so that
 * no new one lies where an old one lay and is taken for it. Each use of an entry
 * is checked, so a field that was replaced since is not sent as what it was.
 * Functions that the script made global travel by value: nobody can require the
 * script. */

#include "encode.h"

#include <string.h>

enum {
    PATH = 256, /* bytes of a name */
    WIDE = 256, /* entries of a field that is a table, at most looked at */
    DEPTH = 2,  /* fields within fields */
};

struct path {
    char text[PATH]; /* parts, NUL between them */
    size_t size;
    int parts;
};

/* One part more; false when it is no name. */
static bool path_add(lua_State *L, struct path *p, int key)
{
    size_t size;
    const char *s;

    if (lua_type(L, key) != LUA_TSTRING)
        return false;
    s = lua_tolstring(L, key, &size);
    if (size == 0 || memchr(s, 0, size) || p->size + size + 1 > PATH)
        return false;
    if (p->parts++)
        p->text[p->size++] = 0;
    memcpy(p->text + p->size, s, size);
    p->size += size;
    return true;
}

static int parts_of(const char *s, size_t size)
{
    int parts = 1;

    while (size--)
        parts += s[size] == 0;
    return parts;
}

/* Of several names the one with the fewest parts, then the shortest, then the
 * first in the order of bytes: the choice depends on nothing else. */
static bool is_better(const struct path *p, const char *s, size_t size)
{
    int parts = parts_of(s, size);

    if (p->parts != parts)
        return p->parts < parts;
    if (p->size != size)
        return p->size < size;
    return memcmp(p->text, s, size) < 0;
}

/* The value on the top is known as p. */
static void name_value(lua_State *L, int names, const struct path *p)
{
    size_t size;
    const char *s;

    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) == LUA_TSTRING) {
        s = lua_tolstring(L, -1, &size);
        if (!is_better(p, s, size)) {
            lua_pop(L, 1);
            return;
        }
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushlstring(L, p->text, p->size);
    lua_rawset(L, names);
}

static bool has_field(lua_State *L, int t, const char *field)
{
    bool has;

    lua_pushstring(L, field);
    has = lua_rawget(L, t) != LUA_TNIL;
    lua_pop(L, 1);
    return has;
}

/* Whether objects are made of the table: then they and it belong together. */
static bool looks_like_class(lua_State *L, int t)
{
    return has_field(L, t, "__index") || has_field(L, t, "__name");
}

/* The fields of the table on the top, which is known as p. */
static void name_fields(lua_State *L, int names, int loaded,
                        const struct path *p, bool globals)
{
    int t = lua_gettop(L);
    int seen = 0;

    lua_pushnil(L);
    while (lua_next(L, t)) {
        struct path field = *p;
        int type = lua_type(L, -1);

        if (p->parts > 1 && ++seen > WIDE) {
            lua_pop(L, 2);
            return;
        }
        if ((type == LUA_TFUNCTION || type == LUA_TTABLE) &&
            path_add(L, &field, -2)) {
            bool own = !globals || lua_iscfunction(L, -1);

            if (type == LUA_TFUNCTION && own) {
                name_value(L, names, &field);
            } else if (type == LUA_TTABLE && !globals && p->parts < DEPTH) {
                lua_pushvalue(L, -1);
                if (lua_rawget(L, loaded) == LUA_TNIL) {
                    lua_pop(L, 1);
                    if (looks_like_class(L, lua_gettop(L)))
                        name_value(L, names, &field);
                    name_fields(L, names, loaded, &field, false);
                } else {
                    lua_pop(L, 1); /* a module itself */
                }
            }
        }
        lua_pop(L, 1);
    }
}

/* Fills the table at names. Pushes the modules, each with a name of its own:
 * while these live, no other module has the address of one. */
static void name_all(lua_State *L, int names, int package_loaded)
{
    const void *globals;
    int loaded;

    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    globals = lua_topointer(L, -1);
    lua_newtable(L);
    loaded = lua_gettop(L);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, loaded);
    lua_pushnil(L);
    while (lua_next(L, package_loaded)) {
        if (lua_istable(L, -1) || lua_isfunction(L, -1)) {
            lua_pushvalue(L, -2);
            lua_rawset(L, loaded);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_pushnil(L);
    while (lua_next(L, package_loaded)) {
        struct path p = {.size = 0};
        bool is_globals = lua_topointer(L, -1) == globals;

        if ((lua_istable(L, -1) || lua_isfunction(L, -1)) &&
            path_add(L, &p, -2)) {
            if (!is_globals)
                name_value(L, names, &p);
            if (lua_istable(L, -1))
                name_fields(L, names, loaded, &p, is_globals);
        }
        lua_pop(L, 1);
    }
    lua_remove(L, loaded - 1);
}

/* A number that changes with what is in the table on the top, as long as what
 * was in it lives. */
static uint64_t fingerprint(lua_State *L)
{
    uint64_t sum = 1;

    lua_pushnil(L);
    while (lua_next(L, -2)) {
        uint64_t k = (uint64_t)(uintptr_t)lua_topointer(L, -2);
        uint64_t v = (uint64_t)(uintptr_t)lua_topointer(L, -1);

        v += k * 0xff51afd7ed558ccdu;
        sum += (v ^ v >> 29) * 0x9e3779b97f4a7c15u;
        lua_pop(L, 1);
    }
    return sum;
}

static void push_loaded(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

static void modules_push(lua_State *L, struct mpl_codec *c, bool anew)
{
    uint64_t now;
    int package_loaded;

    push_loaded(L);
    package_loaded = lua_gettop(L);
    now = fingerprint(L);
    if (now != c->modules_were || anew) {
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        name_all(L, package_loaded + 1, package_loaded);
        lua_rawseti(L, LUA_REGISTRYINDEX, c->loaded);
        lua_rawseti(L, LUA_REGISTRYINDEX, c->modules);
        c->modules_were = now;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->modules);
    lua_remove(L, package_loaded);
}

void mpl_modules_push(lua_State *L, struct mpl_codec *c)
{
    modules_push(L, c, false);
}

/* Pushes what the name means now. */
static void push_named(lua_State *L, const char *s, size_t size)
{
    const char *end = s + size;

    push_loaded(L);
    while (s < end) {
        size_t part = strnlen(s, (size_t)(end - s));

        if (!lua_istable(L, -1)) {
            lua_pop(L, 1);
            lua_pushnil(L);
            return;
        }
        lua_pushlstring(L, s, part);
        lua_rawget(L, -2);
        lua_remove(L, -2);
        s += part + 1;
    }
}

/* Pushes the name of the value on the top, if it still is its name. */
static bool push_name(lua_State *L, int names)
{
    size_t size;
    const char *s;
    bool is;

    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) != LUA_TSTRING) {
        lua_pop(L, 1);
        return false;
    }
    s = lua_tolstring(L, -1, &size);
    push_named(L, s, size);
    is = lua_rawequal(L, -1, -3);
    lua_pop(L, is ? 1 : 2);
    return is;
}

/* Writes the name on the top, and pops it. */
static void put_name(struct mpl_walk *w)
{
    size_t size;
    const char *s = lua_tolstring(w->L, -1, &size);
    const char *end = s + size;
    uint8_t *p = mpl_room(w, 2);

    p[0] = MPR_TAG_BY_NAME;
    p[1] = (uint8_t)parts_of(s, size);
    w->e->out.end += 2;
    while (s < end) {
        size_t part = strnlen(s, (size_t)(end - s));

        mpl_encode_string(w, s, part);
        s += part + 1;
    }
    lua_pop(w->L, 1);
}

static bool put_class(struct mpl_walk *w)
{
    size_t size;
    const char *s;

    lua_pushvalue(w->L, -1);
    if (lua_rawget(w->L, w->classes) != LUA_TSTRING) {
        lua_pop(w->L, 1);
        return false;
    }
    s = lua_tolstring(w->L, -1, &size);
    mpl_put_tag(w, MPR_TAG_CLASS);
    mpl_encode_string(w, s, size);
    lua_pop(w->L, 1);
    return true;
}

bool mpl_encode_by_name(struct mpl_walk *w)
{
    lua_State *L = w->L;

    if (lua_istable(L, -1) && put_class(w))
        return true;
    if (!(w->flags & MPL_FUNCTIONS))
        return false;
    if (!push_name(L, w->modules)) {
        if (!lua_iscfunction(L, -1) || w->renewed)
            return false;
        /* It may have become a field of a module that was loaded before. */
        w->renewed = true;
        modules_push(L, &w->S->codec, true);
        lua_replace(L, w->modules);
        if (!push_name(L, w->modules))
            return false;
    }
    put_name(w);
    return true;
}
