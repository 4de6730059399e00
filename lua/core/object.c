#include "object.h"

#include "arg.h"
#include "value.h"
#include "wait.h"

#include <string.h>

static const struct mpl_class *class_of_kind(const struct mpl_state *S,
                                             unsigned kind)
{
    for (unsigned i = 0; i < S->class_count; i++)
        if (S->classes[i]->kind == kind)
            return S->classes[i];
    return NULL;
}

void *mpl_object_new(lua_State *L, struct mpl_state *S,
                     const struct mpl_class *class)
{
    struct mpl_object *o =
        lua_newuserdatauv(L, class->size, class->user_values);

    (void)S;
    memset(o, 0, class->size);
    o->class = class;
    o->handle = (mpr_handle *)(void *)((char *)o + class->handle);
    luaL_setmetatable(L, class->name);
    return o;
}

void mpl_object_opened(lua_State *L, struct mpl_state *S, struct mpl_object *o)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->objects);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)mpr_handle_id(o->handle));
    lua_pop(L, 1);
    /* Else nothing is written: after a fork it would be a page's copy. */
    if (o->class->kind == MPR_KIND_CONNECTION)
        S->connections++;
}

bool mpl_object_push_open(lua_State *L, struct mpl_state *S, uint64_t id)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, S->objects);
    if (lua_rawgeti(L, -1, (lua_Integer)id) == LUA_TUSERDATA &&
        mpl_object_is_open(lua_touserdata(L, -1))) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 2); /* nothing, or what had the id before it was another's */
    return false;
}

void mpl_object_push(lua_State *L, struct mpl_state *S, mpr_handle *h)
{
    const struct mpl_class *class = class_of_kind(S, h->kind);
    struct mpl_object *o;

    if (mpl_object_push_open(L, S, mpr_handle_id(h))) {
        mpr_handle_close(h);
        return;
    }
    if (class && class->variant)
        class = class->variant(h);
    if (!class) {
        luaL_error(L, "cannot receive a %s: it has no class in this state",
                   mpr_kind_name(h->kind));
        return;
    }
    o = mpl_object_new(L, S, class);
    if (class->attach) {
        class->attach(o, h);
    } else {
        *o->handle = *h;
        h->block = NULL;
    }
    mpl_object_opened(L, S, o);
}

/* adopt(S, h) -> object */
static int adopt(lua_State *L)
{
    mpl_object_push(L, lua_touserdata(L, 1), lua_touserdata(L, 2));
    return 1;
}

void mpl_object_adopt(lua_State *L, struct mpl_state *S, mpr_handle *h)
{
    lua_pushcfunction(L, adopt);
    lua_pushlightuserdata(L, S);
    lua_pushlightuserdata(L, h);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        mpr_handle_close(h);
        lua_error(L);
    }
}

struct mpl_object *mpl_object_test(lua_State *L, struct mpl_state *S, int idx)
{
    struct mpl_object *o;

    if (lua_type(L, idx) != LUA_TUSERDATA || lua_rawlen(L, idx) < sizeof *o)
        return NULL;
    o = lua_touserdata(L, idx);
    for (unsigned i = 0; i < S->class_count; i++)
        if (o->class == S->classes[i])
            return o;
    return NULL;
}

const mpr_handle *mpl_object_pack(lua_State *L, int idx, struct mpl_state *S,
                                  const char **why)
{
    struct mpl_object *o = mpl_object_test(L, S, idx);
    const mpr_handle *h;

    *why = NULL;
    if (!o)
        return NULL;
    if (!mpl_object_is_open(o)) {
        *why = "a closed object";
        return NULL;
    }
    if (o->class->refuse && (*why = o->class->refuse(o)))
        return NULL;
    if (!o->class->pack)
        return o->handle;
    h = o->class->pack(o);
    if (!h)
        *why = "an object for which there is no memory";
    return h;
}

void mpl_object_close(struct mpl_state *S, struct mpl_object *o)
{
    if (!mpl_object_is_open(o))
        return;
    if (o->class->release && mpr_is_member())
        o->class->release(S, o);
    S->connections -= o->class->kind == MPR_KIND_CONNECTION;
    mpr_handle_close(o->handle);
}

/* Whether the value at 1 is an object of ours; one of no class is one whose
 * making failed. */
static bool is_object(lua_State *L, const struct mpl_state *S)
{
    const struct mpl_object *o = lua_touserdata(L, 1);
    unsigned i = 0;

    if (!o || lua_type(L, 1) != LUA_TUSERDATA || lua_rawlen(L, 1) < sizeof *o)
        return false;
    while (o->class && i < S->class_count && S->classes[i] != o->class)
        i++;
    return i < S->class_count;
}

int mpl_object_gc(lua_State *L)
{
    struct mpl_state *S = mpl_self(L);
    struct mpl_object *o = lua_touserdata(L, 1);

    /* close may be called by hand, with anything. */
    if (!is_object(L, S))
        return luaL_typeerror(L, 1, "object of mp");
    if (o->class && o->handle)
        mpl_object_close(S, o);
    return 0;
}

void mpl_object_bad(lua_State *L, const struct mpl_class *class)
{
    luaL_checkudata(L, 1, class->name);
    if (!mpr_is_member())
        mpl_open(L);
    luaL_error(L, "attempt to use a closed %s", class->type);
    for (;;) /* luaL_error does not return */
        ;
}

void *mpl_checkclosed(lua_State *L, const struct mpl_class *class)
{
    return luaL_checkudata(L, 1, class->name);
}

/* __index of a class with properties; upvalues: state, methods, class. */
static int get_index(lua_State *L)
{
    const struct mpl_class *class = lua_touserdata(L, lua_upvalueindex(3));

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    if (lua_type(L, 2) == LUA_TSTRING &&
        class->property(L, luaL_checkudata(L, 1, class->name),
                        lua_tostring(L, 2)))
        return 1;
    return 0;
}

/* The methods on the top are fields of a module of their own, so that they can
 * be sent as functions: by name (module.c). */
static void publish_methods(lua_State *L, const struct mpl_class *class)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    luaL_getsubtable(L, -1, "mp.core.methods");
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, class->type);
    lua_pop(L, 2);
}

void mpl_class_open(lua_State *L, struct mpl_state *S,
                    const struct mpl_class *class)
{
    static const luaL_Reg common[] = {
        {"__gc", mpl_object_gc},
        {"__close", mpl_object_gc},
        {NULL, NULL},
    };

    if (S->class_count == MPL_CLASSES)
        luaL_error(L, "too many classes");
    S->classes[S->class_count++] = class;
    luaL_newmetatable(L, class->name);
    mpl_state_push(L);
    luaL_setfuncs(L, common, 1);
    if (class->meta) {
        mpl_state_push(L);
        luaL_setfuncs(L, class->meta, 1);
    }
    lua_newtable(L);
    mpl_state_push(L);
    luaL_setfuncs(L, class->methods, 1);
    publish_methods(L, class);
    if (class->waitable)
        mpl_set_waitable(L);
    if (class->property || class->index) {
        mpl_state_push(L);
        lua_insert(L, -2);
        lua_pushlightuserdata(L, (void *)(uintptr_t) class);
        lua_pushcclosure(L, class->index ? class->index : get_index, 3);
    }
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, class->name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
