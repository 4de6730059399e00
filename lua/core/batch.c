#include "batch.h"

#include "arg.h"
#include "tables.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int gc(lua_State *L)
{
    struct mpl_batch *b = lua_touserdata(L, 1);

    for (size_t i = 0; i < b->ref_count; i++)
        mpr_handle_close(&b->refs[i]);
    b->ref_count = 0;
    free(b->refs);
    free((void *)b->pointers);
    free(b->parcels);
    mpr_writer_free(&b->bytes);
    memset(b, 0, sizeof *b);
    return 0;
}

static struct mpl_batch *push_empty(lua_State *L)
{
    struct mpl_batch *b = lua_newuserdatauv(L, sizeof *b, 0);

    memset(b, 0, sizeof *b);
    if (luaL_newmetatable(L, "mp.Batch")) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return b;
}

static bool grow(void *array, size_t *capacity, size_t need, size_t size)
{
    void **p = array;
    size_t more = need + need / 2 + 16;
    void *q;

    if (need <= *capacity)
        return true;
    q = more < SIZE_MAX / size ? realloc(*p, more * size) : NULL;
    if (!q)
        return false;
    *p = q;
    *capacity = more;
    return true;
}

/* bytes and refs grow and move: while it is filled, parcels have how far their
 * bytes begin, and nothing of their refs but how many. */
static int add(struct mpl_batch *b, const struct mpr_parcel *parcel)
{
    struct mpr_parcel *to;
    int err;

    if (!grow(&b->parcels, &b->capacity, b->count + 1, sizeof *b->parcels) ||
        !grow(&b->refs, &b->ref_capacity, b->ref_count + parcel->ref_count,
              sizeof *b->refs))
        return -ENOMEM;
    err = mpr_writer_need(&b->bytes, (size_t)parcel->size);
    for (uint32_t i = 0; err == 0 && i < parcel->ref_count; i++) {
        err = mpr_handle_dup(parcel->refs[i], &b->refs[b->ref_count]);
        if (err == 0)
            b->ref_count++;
    }
    if (err < 0)
        return err;
    to = &b->parcels[b->count++];
    *to = (struct mpr_parcel){
        .size = parcel->size,
        .ref_count = parcel->ref_count,
    };
    if (parcel->size)
        memcpy(b->bytes.end, parcel->bytes, (size_t)parcel->size);
    b->bytes.end += parcel->size;
    return 0;
}

static int finish(struct mpl_batch *b)
{
    const uint8_t *bytes = b->bytes.bytes;
    size_t ref = 0;

    b->pointers = malloc((b->ref_count + 1) * sizeof *b->pointers);
    if (!b->pointers)
        return -ENOMEM;
    for (size_t i = 0; i < b->ref_count; i++)
        b->pointers[i] = &b->refs[i];
    for (size_t i = 0; i < b->count; i++) {
        b->parcels[i].bytes = bytes;
        b->parcels[i].refs = b->pointers + ref;
        bytes += b->parcels[i].size;
        ref += b->parcels[i].ref_count;
    }
    return 0;
}

const struct mpl_batch *mpl_batch_push(lua_State *L, struct mpl_state *S,
                                       int idx, lua_Integer n)
{
    struct mpl_batch *b = push_empty(L);
    int err = 0;

    luaL_checkstack(L, 4, NULL);
    for (lua_Integer i = 1; err == 0 && i <= n; i++) {
        struct mpr_parcel parcel;
        char root[40] = "value";

        lua_geti(L, idx, i);
        if (lua_type(L, -1) > LUA_TSTRING) /* other things can be sent */
            snprintf(root, sizeof root, "value[%lld]", (long long)i);
        mpl_share(L, lua_gettop(L), root);
        mpl_encode(L, -1, S, MPL_FUNCTIONS, root);
        mpl_codec_parcel(S, &parcel);
        err = add(b, &parcel);
        lua_pop(L, 1);
    }
    if (err == 0)
        err = finish(b);
    if (err < 0)
        mpl_raise(L, err, "mp.list");
    return b;
}
