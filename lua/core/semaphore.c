/* mp.Semaphore and mp.BoundedSemaphore: one kind of object, two classes. */

#include "sync.h"

#include <string.h>

struct semaphore {
    struct mpl_object o;
    mpr_semaphore s;
};

static const struct mpl_class unbounded;
static const struct mpl_class bounded;

static mpr_semaphore *of(struct mpl_object *o)
{
    return &((struct semaphore *)(void *)o)->s;
}

/* Self of either class. */
static struct semaphore *self(lua_State *L)
{
    struct mpl_object *o = lua_touserdata(L, 1);

    if (o && lua_rawlen(L, 1) == bounded.size && o->class == &bounded &&
        o->handle->block)
        return (struct semaphore *)(void *)o;
    return mpl_checkself(L, luaL_testudata(L, 1, bounded.name) ? &bounded
                                                               : &unbounded);
}

static int acquire(struct mpl_object *o, uint32_t actor, int64_t deadline_ns)
{
    (void)actor;
    return mpr_semaphore_acquire(of(o), deadline_ns);
}

static int hold(struct mpl_object *o, uint32_t actor, int64_t deadline_ns)
{
    return mpr_semaphore_hold(of(o), actor, deadline_ns);
}

static int drop(struct mpl_object *o, uint32_t actor)
{
    return mpr_semaphore_drop(of(o), actor);
}

static const struct mpl_guarded guarded[] = {
    {&unbounded, hold, drop},
    {&bounded, hold, drop},
};

static const struct mpl_guarded *guarded_of(lua_State *L)
{
    return &guarded[self(L)->o.class == &bounded];
}

static int semaphore_acquire(lua_State *L)
{
    return mpl_wait_method(L, self(L)->o.class, acquire);
}

static int semaphore_release(lua_State *L)
{
    struct semaphore *s = self(L);
    int r = mpr_semaphore_release(&s->s);

    if (r == -EOVERFLOW)
        return luaL_error(L, "semaphore released too many times");
    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

static int semaphore_hold(lua_State *L)
{
    return mpl_hold_method(L, guarded_of(L));
}

static int semaphore_with(lua_State *L)
{
    return mpl_with_method(L, guarded_of(L));
}

static int semaphore_locked(lua_State *L)
{
    const struct semaphore *s = self(L);

    lua_pushboolean(L, mpr_semaphore_value(&s->s) == 0);
    return 1;
}

/*** semaphore:get_value(): what the field `value` says, by Python's name. */
static int semaphore_get_value(lua_State *L)
{
    lua_pushinteger(L, mpr_semaphore_value(&self(L)->s));
    return 1;
}

static bool property(lua_State *L, struct mpl_object *o, const char *key)
{
    if (strcmp(key, "value") != 0)
        return false;
    if (!mpl_object_is_open(o))
        mpl_object_bad(L, o->class);
    lua_pushinteger(L, mpr_semaphore_value(of(o)));
    return true;
}

static int semaphore_tostring(lua_State *L)
{
    bool is_bounded = luaL_testudata(L, 1, bounded.name) != NULL;
    struct semaphore *s =
        mpl_checkclosed(L, is_bounded ? &bounded : &unbounded);
    uint32_t bound;

    if (!mpl_object_is_open(&s->o))
        return mpl_describe(L, &s->o, NULL);
    if (mpr_semaphore_bound(&s->s, &bound))
        lua_pushfstring(L, "%I of %I units left",
                        (lua_Integer)mpr_semaphore_value(&s->s),
                        (lua_Integer)bound);
    else
        lua_pushfstring(L, "%I units left",
                        (lua_Integer)mpr_semaphore_value(&s->s));
    return mpl_describe(L, &s->o, lua_tostring(L, -1));
}

static void release(struct mpl_state *S, struct mpl_object *o)
{
    mpr_semaphore_abandon(of(o), S->actor);
}

static const struct mpl_class *variant(const mpr_handle *h)
{
    mpr_semaphore s = {.h = *h};
    uint32_t bound;

    return mpr_semaphore_bound(&s, &bound) ? &bounded : &unbounded;
}

static int make(lua_State *L, const struct mpl_class *class)
{
    int options = lua_istable(L, 1) && lua_isnone(L, 2) ? 1 : 2;
    lua_Integer value = options == 1 ? 1 : luaL_optinteger(L, 1, 1);
    const char *name = mpl_optname(L, options);
    struct semaphore *s;
    int r;

    luaL_argcheck(L, value >= 0, 1, "initial value must not be negative");
    luaL_argcheck(L, value <= INT32_MAX, 1, "initial value is too large");
    s = mpl_object_new(L, mpl_self(L), class);
    r = mpr_semaphore_create(&s->s, (uint32_t)value, class == &bounded, name);
    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &s->o);
    return 1;
}

/*** mp.Semaphore([n [, options]]): n units (1), taken by acquire and hold,
 * given back by release. options: name, for messages. */
static int semaphore_new(lua_State *L)
{
    return make(L, &unbounded);
}

/*** mp.BoundedSemaphore([n [, options]]): the same, but release beyond n
 * raises. */
static int bounded_new(lua_State *L)
{
    return make(L, &bounded);
}

static const luaL_Reg methods[] = {
    {"acquire", semaphore_acquire},     {"release", semaphore_release},
    {"hold", semaphore_hold},           {"with", semaphore_with},
    {"close", mpl_object_gc},           {"locked", semaphore_locked},
    {"get_value", semaphore_get_value}, {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", semaphore_tostring},
    {NULL, NULL},
};

static const struct mpl_class unbounded = {
    .name = "mp.Semaphore",
    .type = "Semaphore",
    .size = sizeof(struct semaphore),
    .handle = offsetof(struct semaphore, s.h),
    .user_values = 1,
    .kind = MPR_KIND_SEMAPHORE,
    .waitable = true,
    .methods = methods,
    .meta = meta,
    .property = property,
    .release = release,
    .variant = variant,
};

static const struct mpl_class bounded = {
    .name = "mp.BoundedSemaphore",
    .type = "BoundedSemaphore",
    .size = sizeof(struct semaphore),
    .handle = offsetof(struct semaphore, s.h),
    .user_values = 1,
    .kind = MPR_KIND_SEMAPHORE,
    .waitable = true,
    .methods = methods,
    .meta = meta,
    .property = property,
    .release = release,
    .variant = variant,
};

void mpl_open_semaphore(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Semaphore", semaphore_new},
        {"BoundedSemaphore", bounded_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &unbounded);
    mpl_class_open(L, S, &bounded);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
