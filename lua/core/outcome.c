/* What came out of a job's tasks. */

#include "job.h"

#include "arg.h"
#include "value.h"

#include <stdlib.h>

int mpl_push_values(lua_State *L, struct mpl_job *ud,
                    const struct mpr_result *r)
{
    struct mpl_refs refs = {NULL, 0};
    int n, err;

    if (r->size == 1 && r->bytes[0] < 0x80) {
        lua_pushinteger(L, r->bytes[0]);
        return 1;
    }
    if (!r->objects)
        return mpl_decode(L, mpl_self(L), r->bytes, (size_t)r->size, &refs,
                          MPL_FUNCTIONS);
    err = mpr_result_message(r, &ud->m);
    if (err < 0)
        mpl_raise(L, err, NULL);
    refs = (struct mpl_refs){ud->m.refs, ud->m.ref_count};
    n = mpl_decode(L, mpl_self(L), ud->m.bytes, (size_t)ud->m.size, &refs,
                   MPL_FUNCTIONS);
    mpr_message_clear(&ud->m);
    return n;
}

/* Pushes "open", "done", "failed", "lost", "cancelled", and what there is to
 * say. */
static int push_result(lua_State *L, struct mpl_job *ud,
                       const struct mpr_result *r)
{
    static const char *const names[] = {"open", "done", "failed", "lost",
                                        "cancelled"};

    if (r->state == MPR_RESULT_DONE && r->flags & MPL_RESULT_PRINTED)
        lua_pushliteral(L, "printed");
    else
        lua_pushstring(L, names[r->state]);
    switch (r->state) {
    case MPR_RESULT_DONE:
    case MPR_RESULT_FAILED:
        lua_pushinteger(L, r->worker);
        return 2 + mpl_push_values(L, ud, r);
    case MPR_RESULT_LOST:
        lua_pushinteger(L, r->worker);
        lua_pushinteger(L, r->pid);
        if (r->known)
            lua_pushinteger(L, r->status);
        else
            lua_pushnil(L);
        lua_pushboolean(L, r->late);
        lua_pushinteger(L, r->kills);
        lua_pushinteger(L, r->attempts);
        lua_pushnumber(L, r->seconds);
        return 8;
    case MPR_RESULT_OPEN:
    case MPR_RESULT_CANCELLED:
        break;
    }
    return 1;
}

/* job:result(index) -> state, …:
 *     "open" · "done", worker, values… · "cancelled" · "failed", worker, error
 *     "printed", worker, output, values… : done, and this was printed
 *     "lost", worker, pid, exit code or nil, late, kills, attempts, seconds */
int mpl_job_result(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    struct mpr_result r;

    mpr_job_result(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &r);
    return push_result(L, ud, &r);
}

/* job:arguments(index) -> the values of the task */
int mpl_job_arguments(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    struct mpr_task t;
    int n, err = mpr_job_task(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &t);

    if (err < 0)
        mpl_raise(L, err, NULL);
    n = mpl_push_task(L, &t, &ud->m);
    /* The first may be the function. */
    return t.flags & MPL_JOB_INLINE ? n - 1 : n;
}

/* job:value(index) -> true, values…, when it is done; otherwise nothing. */
int mpl_job_value(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    struct mpr_result r;

    if (mpr_job_result(&ud->job, (uint32_t)luaL_checkinteger(L, 2), &r) !=
            MPR_RESULT_DONE ||
        r.flags & MPL_RESULT_PRINTED)
        return 0;
    lua_pushboolean(L, 1);
    return 1 + mpl_push_values(L, ud, &r);
}

/* job:collect(results or nil, index, end, base, outputs) -> index, state: puts
 * the first values of tasks index and up into results[base + index + 1] …, and
 * what they printed into outputs, until one is not done ("open", "other") or the
 * end is reached ("end"). */
int mpl_job_collect(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    bool keep = lua_istable(L, 2);
    uint32_t i = (uint32_t)luaL_checkinteger(L, 3);
    uint32_t end = (uint32_t)luaL_checkinteger(L, 4);
    lua_Integer base = luaL_checkinteger(L, 5);
    struct mpr_result r = {.state = MPR_RESULT_OPEN};

    lua_settop(L, 6);
    for (; i < end; i++) {
        if (mpr_job_result(&ud->job, i, &r) != MPR_RESULT_DONE)
            break;
        if (!keep || r.size == 0)
            continue;
        mpl_push_values(L, ud, &r);
        if (r.flags & MPL_RESULT_PRINTED) {
            lua_pushvalue(L, 7);
            lua_rawseti(L, 6, base + i + 1);
            lua_remove(L, 7);
        }
        lua_settop(L, 7);
        lua_rawseti(L, 2, base + i + 1);
    }
    mpr_job_read_to(&ud->job, i);
    lua_pushinteger(L, i);
    if (i == end)
        lua_pushliteral(L, "end");
    else if (r.state == MPR_RESULT_OPEN)
        lua_pushliteral(L, "open");
    else
        lua_pushliteral(L, "other");
    return 2;
}

/* job:any() -> index, state, …: of a task that is over and was not returned by
 * any before; nothing if there is none now. */
int mpl_job_any(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    uint32_t end = ud->room - mpr_job_room(&ud->job, 0);
    struct mpr_job_stats now;
    struct mpr_result r;

    if (!ud->taken) {
        ud->taken = calloc(ud->room, 1);
        if (!ud->taken)
            return luaL_error(L, "not enough memory");
    }
    mpr_job_look(&ud->job, &now); /* before: what comes now is new */
    ud->seen = now.progress;
    for (uint32_t n = end - ud->untaken; n > 0; n--) {
        uint32_t i =
            ud->scan < ud->untaken || ud->scan >= end ? ud->untaken : ud->scan;

        ud->scan = i + 1;
        if (ud->taken[i] || mpr_job_result(&ud->job, i, &r) == MPR_RESULT_OPEN)
            continue;
        ud->taken[i] = 1;
        while (ud->untaken < end && ud->taken[ud->untaken])
            ud->untaken++;
        mpr_job_read_to(&ud->job, ud->untaken);
        lua_pushinteger(L, i);
        return 1 + push_result(L, ud, &r);
    }
    return 0;
}

/* job:give_back(index): any may return it again. */
int mpl_job_give_back(lua_State *L)
{
    struct mpl_job *ud = mpl_job_self(L);
    uint32_t i = (uint32_t)luaL_checkinteger(L, 2);

    if (ud->taken && i < ud->room) {
        ud->taken[i] = 0;
        if (i < ud->untaken)
            ud->untaken = i;
    }
    return 0;
}
