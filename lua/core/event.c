/* mp.Event */

#include "sync.h"

struct event {
    struct mpl_object o;
    mpr_event event;
};

static const struct mpl_class class;

static int wait(struct mpl_object *o, uint32_t actor, int64_t deadline_ns)
{
    (void)actor;
    return mpr_event_wait(&((struct event *)(void *)o)->event, deadline_ns);
}

static int event_wait(lua_State *L)
{
    return mpl_wait_method(L, &class, wait);
}

static int event_set(lua_State *L)
{
    struct event *e = mpl_checkself(L, &class);
    int r = mpr_event_set(&e->event);

    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

static int event_clear(lua_State *L)
{
    struct event *e = mpl_checkself(L, &class);
    int r = mpr_event_clear(&e->event);

    if (r < 0)
        mpl_raise(L, r, NULL);
    return 0;
}

static int event_is_set(lua_State *L)
{
    const struct event *e = mpl_checkself(L, &class);

    lua_pushboolean(L, mpr_event_is_set(&e->event));
    return 1;
}

static int event_tostring(lua_State *L)
{
    const struct event *e = mpl_checkclosed(L, &class);

    if (!mpl_object_is_open(&e->o))
        return mpl_describe(L, &e->o, NULL);
    return mpl_describe(L, &e->o,
                        mpr_event_is_set(&e->event) ? "set" : "not set");
}

/*** mp.Event([options]): a flag that processes wait for. options: name, for
 * messages. */
static int event_new(lua_State *L)
{
    const char *name = mpl_optname(L, 1);
    struct event *e = mpl_object_new(L, mpl_self(L), &class);
    int r = mpr_event_create(&e->event, name);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, mpl_self(L), &e->o);
    return 1;
}

static const luaL_Reg methods[] = {
    {"close", mpl_object_gc}, {"set", event_set},   {"clear", event_clear},
    {"is_set", event_is_set}, {"wait", event_wait}, {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__tostring", event_tostring},
    {NULL, NULL},
};

static const struct mpl_class class = {
    .name = "mp.Event",
    .type = "Event",
    .size = sizeof(struct event),
    .handle = offsetof(struct event, event.h),
    .kind = MPR_KIND_EVENT,
    .waitable = true,
    .methods = methods,
    .meta = meta,
};

void mpl_open_event(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Event", event_new},
        {NULL, NULL},
    };

    mpl_class_open(L, S, &class);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
