/* mp.SharedMemory: memory that any program attaches by its name. */

#include "memory.h"

#include "arg.h"
#include "row.h"

#include <errno.h>
#include <string.h>

struct memory {
    struct mpl_object o;
    mpr_memory m;
    uint64_t size; /* kept when it is closed, as the name is */
};

/* User values. */
enum { BUF = 1, NAME, VALUES };

static const struct mpl_class class;

int mpl_memory_fail(lua_State *L, int err, const char *name)
{
    luaL_pushfail(L);
    if (name)
        lua_pushfstring(L, "shared memory '%s': %s", name, strerror(-err));
    else
        lua_pushfstring(L, "shared memory: %s", strerror(-err));
    lua_pushinteger(L, -err);
    return 3;
}

void mpl_check_memory(lua_State *L, int arg, const char *const *known,
                      struct mpl_memory_options *o)
{
    size_t size;

    mpl_checkoptions(L, arg, known);
    if (lua_getfield(L, arg, "name") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_argerror(L, arg, "field 'name' must be a string");
        o->name = lua_tolstring(L, -1, &size); /* the table keeps it */
        if (size == 0 || strlen(o->name) != size || strchr(o->name, '/') ||
            strcmp(o->name, ".") == 0 || strcmp(o->name, "..") == 0)
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "invalid name '%s'", o->name));
        if (size > MPR_MEMORY_NAME)
            luaL_argerror(L, arg, "field 'name' is too long");
    }
    lua_pop(L, 1);
    if (lua_getfield(L, arg, "persist") != LUA_TNIL &&
        lua_type(L, -1) != LUA_TBOOLEAN)
        luaL_argerror(L, arg, "field 'persist' must be a boolean");
    if (lua_toboolean(L, -1))
        o->flags = MPR_MEMORY_PERSISTS;
    lua_pop(L, 1);
}

/* The size in the options, 0: none. */
static uint64_t check_size(lua_State *L, int create)
{
    lua_Integer size = 0;
    int ok = 1;

    switch (lua_getfield(L, 1, "size")) {
    case LUA_TNIL:
        if (create)
            luaL_argerror(L, 1, "field 'size' missing in options table");
        break;
    case LUA_TNUMBER:
        size = lua_tointegerx(L, -1, &ok);
        if (!ok)
            luaL_argerror(L, 1,
                          "field 'size': number has no integer representation");
        luaL_argcheck(L, size > 0, 1, "field 'size' must be positive");
        break;
    default:
        luaL_argerror(L, 1, "field 'size' must be a number");
    }
    lua_pop(L, 1);
    return (uint64_t)size;
}

/*** mp.SharedMemory{name=, create=, size=, persist=}. Without create it is
 * attached, and has to have at least size bytes. */
static int memory_new(lua_State *L)
{
    static const char *const known[] = {"name", "create", "size", "persist",
                                        NULL};
    struct mpl_state *S = mpl_self(L);
    struct mpl_memory_options o = {0};
    struct memory *ud;
    uint64_t size;
    int create, err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    mpl_check_memory(L, 1, known, &o);
    if (lua_getfield(L, 1, "create") != LUA_TNIL &&
        lua_type(L, -1) != LUA_TBOOLEAN)
        luaL_argerror(L, 1, "field 'create' must be a boolean");
    create = lua_toboolean(L, -1);
    size = check_size(L, create);
    if (!create && !o.name)
        luaL_argerror(L, 1, "field 'name' missing in options table");
    if (!create && o.flags)
        luaL_argerror(L, 1, "option 'persist' needs 'create'");
    ud = mpl_object_new(L, S, &class);
    err = create ? mpr_memory_create(&ud->m, o.name, size, o.flags)
                 : mpr_memory_open(&ud->m, o.name);
    if (err < 0)
        return mpl_memory_fail(L, err, o.name);
    if (!create && ud->m.size < size) {
        lua_pushfstring(L, "'%s' has %I bytes, not %I", o.name,
                        (LUAI_UACINT)ud->m.size, (LUAI_UACINT)size);
        mpr_memory_close(&ud->m);
        return luaL_argerror(L, 1, lua_tostring(L, -1));
    }
    ud->size = ud->m.size;
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

/* Pushes the bytes as an array, made when it is first asked for. */
static void push_buf(lua_State *L, struct memory *ud)
{
    struct mpl_state *S = mpl_self(L);
    struct mpr_cells what = {.code = 'B', .count = ud->size, .raw = 1};
    struct row *r;
    int err;

    if (lua_getiuservalue(L, 1, BUF) == LUA_TUSERDATA) {
        r = lua_touserdata(L, -1);
        if (r->a.h.block)
            return;
    }
    lua_pop(L, 1);
    r = mpl_object_new(L, S, &mpl_raw_array_class);
    err = mpr_memory_view(&ud->m, 0, &what, &r->a);
    if (err == -ENOENT)
        luaL_error(L, "the memory '%s' cannot be attached any more",
                   mpr_memory_name(&ud->m));
    if (err < 0)
        mpl_raise(L, err, "SharedMemory");
    r->letter = what.code;
    mpl_object_opened(L, S, &r->o);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, BUF);
}

static bool property(lua_State *L, struct mpl_object *o, const char *key)
{
    struct memory *ud = (struct memory *)(void *)o;

    if (strcmp(key, "buf") == 0) {
        if (!mpl_object_is_open(o))
            return false;
        push_buf(L, ud);
    } else if (strcmp(key, "name") == 0) {
        if (mpl_object_is_open(o))
            lua_pushstring(L, mpr_memory_name(&ud->m));
        else
            lua_getiuservalue(L, 1, NAME);
    } else if (strcmp(key, "size") == 0) {
        lua_pushinteger(L, (lua_Integer)ud->size);
    } else {
        return false;
    }
    return true;
}

/*** Ends the object and its buf; views of that keep the memory. */
static int memory_close(lua_State *L)
{
    struct memory *ud = mpl_checkclosed(L, &class);
    struct row *buf;

    if (!mpl_object_is_open(&ud->o))
        return 0;
    lua_pushstring(L, mpr_memory_name(&ud->m));
    lua_setiuservalue(L, 1, NAME);
    if (lua_getiuservalue(L, 1, BUF) == LUA_TUSERDATA) {
        buf = lua_touserdata(L, -1);
        mpl_object_close(mpl_self(L), &buf->o);
    }
    mpl_object_close(mpl_self(L), &ud->o);
    return 0;
}

/*** Takes the name away: true; whoever has the memory keeps it. */
static int memory_unlink(lua_State *L)
{
    struct memory *ud = mpl_checkself(L, &class);
    int err = mpr_memory_unlink(&ud->m);

    if (err < 0)
        return mpl_memory_fail(L, err, mpr_memory_name(&ud->m));
    lua_pushboolean(L, 1);
    return 1;
}

static int memory_tostring(lua_State *L)
{
    struct memory *ud = mpl_checkclosed(L, &class);

    if (mpl_object_is_open(&ud->o))
        lua_pushfstring(L, "mp.SharedMemory: %p ('%s', %I bytes)", (void *)ud,
                        mpr_memory_name(&ud->m), (LUAI_UACINT)ud->size);
    else
        lua_pushfstring(L, "mp.SharedMemory: %p (closed)", (void *)ud);
    return 1;
}

static void attach(struct mpl_object *o, mpr_handle *h)
{
    struct memory *ud = (struct memory *)(void *)o;

    mpr_memory_attach(&ud->m, h); /* or it has no data: see push_buf */
    ud->size = ud->m.size;
}

static void release(struct mpl_state *S, struct mpl_object *o)
{
    (void)S;
    mpr_memory_close(&((struct memory *)(void *)o)->m);
}

static const luaL_Reg methods[] = {
    {"close", memory_close},
    {"unlink", memory_unlink},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__close", memory_close},
    {"__tostring", memory_tostring},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.SharedMemory",
    .type = "SharedMemory",
    .size = sizeof(struct memory),
    .handle = offsetof(struct memory, m.h),
    .kind = MPR_KIND_MEMORY,
    .user_values = VALUES,
    .methods = methods,
    .meta = meta,
    .property = property,
    .attach = attach,
    .release = release,
};

void mpl_open_memory(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"SharedMemory", memory_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
