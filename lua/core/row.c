#include "row.h"

#include "arg.h"

#include <errno.h>
#include <string.h>

void mpl_row_attach(struct mpl_object *o, mpr_handle *h)
{
    struct row *r = (struct row *)(void *)o;

    /* Without its memory the row is open, and has no elements. */
    mpr_array_attach(&r->a, h);
    r->letter = r->a.code ? r->a.code->letter : 0;
}

void mpl_row_release(struct mpl_state *S, struct mpl_object *o)
{
    (void)S;
    mpr_array_close(&((struct row *)(void *)o)->a);
}

/* ---- its lock --------------------------------------------------------------*/

/* Pushes the lock of the row at index 1, which keeps it from then on. */
static void push_lock(lua_State *L)
{
    struct row *r = mpl_row_test(L, &mpl_value_class, &mpl_array_class);
    mpr_handle h;
    int err;

    if (!r)
        r = mpl_checkself(L, luaL_testudata(L, 1, mpl_array_class.name)
                                 ? &mpl_array_class
                                 : &mpl_value_class);
    if (lua_getiuservalue(L, 1, MPL_ROW_LOCK) != LUA_TNIL) {
        const struct mpl_object *lock = lua_touserdata(L, -1);

        if (mpl_object_is_open(lock))
            return;
    }
    lua_pop(L, 1);
    err = mpr_array_lock(&r->a, &h);
    if (err < 0)
        mpl_raise(L, err, r->o.class->type);
    mpl_object_adopt(L, mpl_self(L), &h);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, MPL_ROW_LOCK);
}

int mpl_row_get_lock(lua_State *L)
{
    push_lock(L);
    return 1;
}

static int finish_forward(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L);
}

/* Calls the method of that name of the lock with the row's arguments, which
 * were checked: an error from there would not know this method's name. */
static int forward(lua_State *L, const char *method)
{
    push_lock(L);
    lua_replace(L, 1);
    lua_getfield(L, 1, method);
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, finish_forward);
    return finish_forward(L, LUA_OK, 0);
}

int mpl_row_acquire(lua_State *L)
{
    (void)mpl_checktimeout(L, 2);
    return forward(L, "acquire");
}

int mpl_row_unlock(lua_State *L)
{
    push_lock(L);
    lua_getfield(L, -1, "release");
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return 0;
    luaL_where(L, 1); /* which the lock, called from here, could not say */
    lua_insert(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
}

int mpl_row_hold(lua_State *L)
{
    (void)mpl_checktimeout(L, 2);
    return forward(L, "hold");
}

int mpl_row_with(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    return forward(L, "with");
}

/* ---- arguments ---------------------------------------------------------------*/

bool mpl_test_format(lua_State *L, int idx, struct mpr_cells *what)
{
    const struct mpl_object *o = mpl_object_test(L, mpl_self(L), idx);
    const char *code;
    size_t size;

    if (o && o->class == &mpl_struct_class && mpl_object_is_open(o)) {
        what->format = (const mpr_struct *)(const void *)o->handle;
        return true;
    }
    if (lua_type(L, idx) != LUA_TSTRING)
        return false;
    code = lua_tolstring(L, idx, &size);
    what->code = code[0];
    return size == 1 && mpr_code(code[0]);
}

void mpl_check_format(lua_State *L, int arg, struct mpr_cells *what)
{
    if (mpl_test_format(L, arg, what))
        return;
    if (luaL_testudata(L, arg, mpl_struct_class.name))
        luaL_argerror(L, arg, "Struct is closed");
    if (lua_type(L, arg) == LUA_TSTRING)
        luaL_argerror(
            L, arg,
            lua_pushfstring(L, "invalid code '%s'", lua_tostring(L, arg)));
    luaL_typeerror(L, arg, "code or Struct");
}

/* The object whose acquire and release a row can use. */
static const mpr_handle *check_lock(lua_State *L, int arg, int idx)
{
    const struct mpl_object *o = mpl_object_test(L, mpl_self(L), idx);

    if (o)
        switch (o->class->kind) {
        case MPR_KIND_LOCK:
        case MPR_KIND_RLOCK:
        case MPR_KIND_SEMAPHORE:
        case MPR_KIND_CONDITION:
            luaL_argcheck(L, mpl_object_is_open(o), arg,
                          "field 'lock' is closed");
            return o->handle;
        }
    luaL_argerror(L, arg, "field 'lock' must be a lock or a boolean");
    return NULL;
}

void mpl_check_lock(lua_State *L, int arg, struct mpr_cells *what)
{
    static const char *const known[] = {"lock", "name", NULL};

    if (lua_isnoneornil(L, arg))
        return;
    mpl_checkoptions(L, arg, known);
    if (lua_getfield(L, arg, "name") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_argerror(L, arg, "field 'name' must be a string");
        what->name = lua_tostring(L, -1); /* the table keeps it */
    }
    lua_pop(L, 1);
    switch (lua_getfield(L, arg, "lock")) {
    case LUA_TNIL:
        break;
    case LUA_TBOOLEAN:
        what->raw = !lua_toboolean(L, -1);
        break;
    default:
        what->lock = check_lock(L, arg, -1);
    }
    lua_pop(L, 1);
}

void mpl_push_format(lua_State *L, const struct row *r)
{
    mpr_handle h;
    int err;

    if (r->letter) {
        lua_pushlstring(L, &r->letter, 1);
        return;
    }
    err = mpr_array_format(&r->a, &h);
    if (err < 0)
        mpl_raise(L, err, r->o.class->type);
    mpl_object_adopt(L, mpl_self(L), &h);
}
