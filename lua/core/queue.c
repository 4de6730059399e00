/* mp.Queue, mp.JoinableQueue and mp.SimpleQueue. The queue in shared memory is
 * the same; its tag says which class shows it. */

#include "queue.h"

#include "arg.h"
#include "receive.h"
#include "value.h"

#include <errno.h>

enum { QUEUE, JOINABLE, SIMPLE, CLASSES };

static const struct mpl_class classes[CLASSES];

static bool is_queue(lua_State *L, const struct queue *ud)
{
    return ud && lua_rawlen(L, 1) == sizeof *ud &&
           (uintptr_t)ud->o.class - (uintptr_t)classes < sizeof classes;
}

struct queue *mpl_queue_check(lua_State *L)
{
    struct queue *ud = lua_touserdata(L, 1);

    if (is_queue(L, ud) && ud->q.h.block)
        return ud;
    mpl_object_bad(L, is_queue(L, ud) ? ud->o.class : &classes[QUEUE]);
}

/* ---- putting ---------------------------------------------------------------- */

static int put(lua_State *L, int64_t deadline)
{
    struct queue *ud = mpl_queue_check(L);
    struct mpl_state *S = mpl_self(L);

    luaL_checkany(L, 2);
    /* A signal's hook may run Lua that encodes too: encode again after it. */
    for (;;) {
        struct mpr_parcel parcel;
        int r;

        mpl_encode(L, 2, S, MPL_FUNCTIONS | MPL_LEND, "value");
        mpl_codec_parcel(S, &parcel);
        mpl_queue_check(L); /* a hook of the value may have closed it */
        r = mpr_queue_put(&ud->q, &parcel, deadline);
        if (r == 0) {
            lua_pushboolean(L, 1);
            return 1;
        }
        if (r != -EINTR)
            return mpl_fail(L, r);
        mpl_interrupted(L, S);
        mpl_queue_check(L);
    }
}

/*** Puts a value: true; nil, "timeout" when the queue stays full; nil,
 * "closed". When it returns, any process can get the value. */
static int queue_put(lua_State *L)
{
    return put(L, lua_gettop(L) < 3 ? MPR_FOREVER : mpl_checktimeout(L, 3));
}

static int queue_put_nowait(lua_State *L)
{
    return put(L, 0);
}

/* ---- getting ---------------------------------------------------------------- */

static int get_message(void *from, struct mpr_message *m, uint64_t max,
                       int64_t deadline_ns)
{
    (void)max;
    return mpr_queue_get(from, m, deadline_ns);
}

static int get(lua_State *L, int64_t deadline)
{
    struct queue *ud = mpl_queue_check(L);
    int r;

    if (mpl_queue_has_left(ud)) {
        mpl_queue_push_left(L, ud);
        return 1;
    }
    r = mpl_receive(L, mpl_self(L), get_message, &ud->q, deadline,
                    MPL_FUNCTIONS);
    return r < 0 ? mpl_fail(L, r) : 1;
}

/*** Gets the value that was put first: it; nil, "timeout" when none comes; nil,
 * "closed" when the queue is closed and drained. */
static int queue_get(lua_State *L)
{
    return get(L, mpl_checktimeout(L, 2));
}

static int queue_get_nowait(lua_State *L)
{
    return get(L, 0);
}

static int next_item(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);
    int r;

    if (mpl_queue_has_left(ud)) {
        mpl_queue_push_left(L, ud);
        return 1;
    }
    r = mpl_receive(L, mpl_self(L), get_message, &ud->q, MPR_FOREVER,
                    MPL_FUNCTIONS);
    if (r == -EPIPE)
        return 0;
    return r < 0 ? mpl_fail(L, r) : 1;
}

/*** for v in q:items() do: until the queue is closed and drained, or a nil
 * comes. */
static int queue_items(lua_State *L)
{
    mpl_queue_check(L);
    mpl_state_push(L);
    lua_pushcclosure(L, next_item, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/* ---- the rest ---------------------------------------------------------------- */

static int queue_qsize(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);

    lua_pushinteger(L, (lua_Integer)mpr_queue_size(&ud->q) + ud->left);
    return 1;
}

static int queue_empty(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);

    lua_pushboolean(L, mpr_queue_size(&ud->q) + ud->left == 0);
    return 1;
}

static int queue_full(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);
    uint64_t bound = mpr_queue_bound(&ud->q);

    lua_pushboolean(L, bound > 0 && mpr_queue_size(&ud->q) >= bound);
    return 1;
}

/*** Nothing more comes: every put, anywhere, returns nil, "closed" from now on;
 * those who get drain the queue first. */
static int queue_close(lua_State *L)
{
    mpr_queue_close(&mpl_queue_check(L)->q);
    return 0;
}

/* There is no thread that would have to be waited for. */
static int queue_join_thread(lua_State *L)
{
    mpl_queue_check(L);
    return 0;
}

static int queue_task_done(lua_State *L)
{
    if (mpr_queue_task_done(&mpl_queue_check(L)->q) < 0)
        return luaL_error(L, "task_done called too many times");
    return 0;
}

/*** Waits until task_done was called for everything that was put: true, or nil,
 * "timeout". */
static int queue_join(lua_State *L)
{
    struct queue *ud = mpl_queue_check(L);
    int64_t deadline = mpl_checktimeout(L, 2);
    int r;

    while ((r = mpr_queue_join(&ud->q, deadline)) == -EINTR) {
        mpl_interrupted(L, mpl_self(L));
        mpl_queue_check(L);
    }
    if (r < 0)
        return mpl_fail(L, r);
    lua_pushboolean(L, 1);
    return 1;
}

static int queue_tostring(lua_State *L)
{
    struct queue *ud = lua_touserdata(L, 1);
    const char *label;
    lua_Integer n;

    if (!is_queue(L, ud))
        mpl_object_bad(L, &classes[QUEUE]);
    if (!ud->q.h.block) {
        lua_pushfstring(L, "%s: %p (closed)", ud->o.class->name, (void *)ud);
        return 1;
    }
    n = (lua_Integer)mpr_queue_size(&ud->q) + ud->left;
    label = mpr_handle_label(&ud->q.h);
    lua_pushfstring(L, label[0] ? "'%s', " : "%s", label);
    lua_pushfstring(L, "%s: %p (%s%s, %I item%s)", ud->o.class->name,
                    (void *)ud, lua_tostring(L, -1),
                    mpr_queue_closed(&ud->q) ? "closed" : "open", n,
                    n == 1 ? "" : "s");
    return 1;
}

/* ---- classes ------------------------------------------------------------------ */

static int create(lua_State *L, unsigned tag)
{
    struct mpl_state *S = mpl_self(L);
    int options = tag == SIMPLE || lua_type(L, 1) == LUA_TTABLE ? 1 : 2;
    lua_Integer bound = options == 2 ? luaL_optinteger(L, 1, 0) : 0;
    const char *name = mpl_optname(L, options);
    struct queue *ud = mpl_object_new(L, S, &classes[tag]);
    int r =
        mpr_queue_create(&ud->q, bound > 0 ? (uint64_t)bound : 0, tag, name);

    if (r < 0)
        return mpl_fail(L, r);
    mpl_object_opened(L, S, &ud->o);
    return 1;
}

/*** mp.Queue([maxsize] [, options]): a queue for any number of processes, of
 * any length when maxsize is absent or not positive. */
static int queue_new(lua_State *L)
{
    return create(L, QUEUE);
}

/*** mp.JoinableQueue([maxsize] [, options]): a queue that counts its work. */
static int joinable_new(lua_State *L)
{
    return create(L, JOINABLE);
}

/*** mp.SimpleQueue([options]): put, get, empty and close. */
static int simple_new(lua_State *L)
{
    return create(L, SIMPLE);
}

#define SIMPLE_METHODS                                              \
    {"put", queue_put}, {"get", queue_get}, {"empty", queue_empty}, \
    {                                                               \
        "close", queue_close                                        \
    }

#define METHODS                                                             \
    SIMPLE_METHODS, {"put_nowait", queue_put_nowait},                       \
        {"get_nowait", queue_get_nowait}, {"qsize", queue_qsize},           \
        {"full", queue_full}, {"items", queue_items},                       \
        {"put_many", mpl_queue_put_many}, {"get_many", mpl_queue_get_many}, \
        {"join_thread", queue_join_thread},                                 \
    {                                                                       \
        "cancel_join_thread", queue_join_thread                             \
    }

static const luaL_Reg simple_methods[] = {
    SIMPLE_METHODS,
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    METHODS,
    {NULL, NULL},
};

static const luaL_Reg joinable_methods[] = {
    METHODS,
    {"task_done", queue_task_done},
    {"join", queue_join},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__len", queue_qsize},
    {"__tostring", queue_tostring},
    {NULL, NULL},
};

static const luaL_Reg simple_meta[] = {
    {"__tostring", queue_tostring},
    {NULL, NULL},
};

static const struct mpl_class *variant(const mpr_handle *h)
{
    mpr_queue q = {.h = *h}; /* borrowed */
    uint32_t tag = mpr_queue_tag(&q);

    return &classes[tag < CLASSES ? tag : QUEUE];
}

#define CLASS(t, m, mt)                                                 \
    {                                                                   \
        .name = "mp." t, .type = t, .size = sizeof(struct queue),       \
        .handle = offsetof(struct queue, q.h), .kind = MPR_KIND_QUEUE,  \
        .user_values = MPL_QUEUE_ERROR, .waitable = true, .methods = m, \
        .meta = mt, .variant = variant,                                 \
    }

static const struct mpl_class classes[CLASSES] = {
    [QUEUE] = CLASS("Queue", methods, meta),
    [JOINABLE] = CLASS("JoinableQueue", joinable_methods, meta),
    [SIMPLE] = CLASS("SimpleQueue", simple_methods, simple_meta),
};

void mpl_open_queue(lua_State *L, struct mpl_state *S)
{
    static const luaL_Reg functions[] = {
        {"Queue", queue_new},
        {"JoinableQueue", joinable_new},
        {"SimpleQueue", simple_new},
        {NULL, NULL},
    };

    for (unsigned i = 0; i < CLASSES; i++)
        mpl_class_open(L, S, &classes[i]);
    mpl_state_push(L);
    luaL_setfuncs(L, functions, 1);
}
