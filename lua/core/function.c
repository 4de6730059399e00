/* Functions: bytecode, and each upvalue's value. A function that a loaded
 * module holds travels by name instead (module.c), C functions always do. The
 * bytecode is in the message: a copy of a kilobyte takes 50 ns, while a block
 * that the arena keeps for all would cost 400 ns a message for its hold.
 *
 * An upvalue that is an environment is the receiver's globals there, and each
 * function's own: it is not shared even where the sender's was. An environment
 * is the table of globals, and, under the name _ENV, one with a metatable: it
 * inherits from the globals as a sandbox's or a test runner's does. */

#include "function.h"
#include "encode.h"

#include <string.h>

/* A hash of the bytecode, eight bytes a step. */
uint64_t mpl_code_hash(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint64_t h = size * 0x9e3779b97f4a7c15u;

    for (; size >= 8; size -= 8, p += 8) {
        h = (h ^ mpr_wire_load(p, 8)) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (; size > 0; size--, p++)
        h = (h ^ *p) * 0x100000001b3u;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}

static int append(lua_State *L, const void *bytes, size_t size, void *to)
{
    struct mpr_writer *w = to;

    (void)L;
    if (mpr_writer_need(w, size) < 0)
        return 1;
    if (size)
        memcpy(w->end, bytes, size);
    w->end += size;
    return 0;
}

/* The bytecode of the function on the top, which the cache keeps alive as long
 * as the function lives. Debug information stays: errors over there name the
 * line. */
static const struct mpl_code *code_of(struct mpl_walk *w)
{
    lua_State *L = w->L;
    size_t at = mpl_offset(w);
    struct mpl_code *code;
    size_t size;

    lua_rawgeti(L, LUA_REGISTRYINDEX, w->S->codec.codes);
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -2) == LUA_TUSERDATA) {
        code = lua_touserdata(L, -1);
        lua_pop(L, 2);
        return code;
    }
    lua_pop(L, 2);
    /* Behind what is written, for want of other memory that is owned. */
    if (lua_dump(L, append, &w->e->out, 0) != 0)
        mpl_no_memory(L);
    size = mpl_offset(w) - at;
    code = lua_newuserdatauv(L, sizeof *code + size, 0);
    code->size = size;
    memcpy(code->bytes, w->e->out.bytes + at, size);
    code->hash = mpl_code_hash(code->bytes, size);
    w->e->out.end = w->e->out.bytes + at;

    lua_rawgeti(L, LUA_REGISTRYINDEX, w->S->codec.codes);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 2);
    return code;
}

/* Whether the function at off has this very bytecode. */
static bool same_code(const struct mpl_walk *w, uint64_t off,
                      const struct mpl_code *code)
{
    struct mpr_reader r = mpr_reader_of(w->e->out.bytes, mpl_offset(w));
    struct mpr_token t;

    r.at += off;
    return mpr_read(&r, &t) == 1 && t.kind == 0 && t.count == code->size &&
           memcmp(t.bytes, code->bytes, code->size) == 0;
}

/* The source of the bytecode: the bytes, or the earlier function at whose
 * offset they stand. */
static void put_code(struct mpl_walk *w, const struct mpl_code *code, size_t at)
{
    /* No object has an odd address like these, but metatables' (class.c). */
    const void *key = (const void *)(uintptr_t)(code->hash | 3);
    uint64_t off = at;
    uint8_t *p;
    int met = mpl_seen_add(&w->e->seen, key, &off);

    if (met < 0)
        mpl_no_memory(w->L);
    p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX + code->size);
    if (met && same_code(w, off, code)) {
        *p++ = 1;
        w->e->out.end = mpr_put_count(p, off);
        return;
    }
    *p++ = 0;
    p = mpr_put_count(p, code->size);
    memcpy(p, code->bytes, code->size);
    w->e->out.end = p + code->size;
}

enum mpl_step mpl_encode_function(struct mpl_walk *w)
{
    lua_State *L = w->L;
    const void *function = lua_topointer(L, -1);
    const struct mpl_code *code;
    struct mpl_frame *f;
    lua_Debug ar;
    size_t at;

    if (!(w->flags & MPL_FUNCTIONS))
        return mpl_encode_unsendable(w, NULL);
    if (!mpl_frame_ready(w))
        return mpl_encode_unsendable(w, "nesting too deep");
    if (mpl_encode_met(w, function) || mpl_encode_by_name(w))
        return MPL_DONE;
    if (lua_iscfunction(L, -1))
        return mpl_encode_unsendable(w, "no loaded module has it");
    at = mpl_offset(w);
    code = code_of(w);
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &ar);
    mpl_put_tag(w, MPR_TAG_FUNCTION);
    put_code(w, code, at);
    mpl_put_tag(w, ar.nups);
    f = mpl_frame_push(w, MPL_UPVALUES, at);
    f->n = ar.nups;
    return MPL_DESCEND;
}

/* Whether the value on the top, of the upvalue of that name, is. */
static bool is_environment(struct mpl_walk *w, const char *name)
{
    if (lua_topointer(w->L, -1) == w->globals)
        return true;
    if (strcmp(name, "_ENV") != 0 || !lua_istable(w->L, -1) ||
        !lua_getmetatable(w->L, -1))
        return false;
    lua_pop(w->L, 1);
    return true;
}

enum mpl_step mpl_encode_upvalues(struct mpl_walk *w, struct mpl_frame *f)
{
    lua_State *L = w->L;

    while (f->i < f->n) {
        int i = (int)++f->i;
        uint64_t off = mpl_offset(w);
        enum mpl_step step;
        uint8_t *p;
        int met;

        if (is_environment(w, lua_getupvalue(L, f->table, i))) {
            p = mpl_room(w, 2);
            p[0] = 0;
            p[1] = MPR_TAG_GLOBALS;
            w->e->out.end += 2;
            lua_pop(L, 1);
            continue;
        }
        met = mpl_seen_add(&w->e->seen, lua_upvalueid(L, f->table, i), &off);
        if (met < 0)
            mpl_no_memory(L);
        if (met) {
            w->e->out.bytes[off] = 1;
            p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX);
            *p++ = 2;
            w->e->out.end = mpr_put_count(p, off);
            lua_pop(L, 1);
            continue;
        }
        mpl_put_tag(w, 0);
        step = mpl_encode_value(w);
        if (step != MPL_DONE)
            return step;
        lua_pop(L, 1);
    }
    return MPL_DONE;
}
