/* What a message meets again: one object stays one object. */

#include "encode.h"

void mpl_encode_ref(struct mpl_walk *w, uint64_t off)
{
    uint8_t *tag = w->e->out.bytes + off;
    uint8_t *p;

    switch (*tag) { /* those others say it by where they stand */
    case MPR_TAG_STRING:
    case MPR_TAG_MAP:
    case MPR_TAG_TABLE:
    case MPR_TAG_FUNCTION:
        ++*tag; /* the _SHARED twin */
        break;
    default:
        break;
    }
    p = mpl_room(w, 1 + MPR_WIRE_COUNT_MAX);
    *p++ = MPR_TAG_REF;
    w->e->out.end = mpr_put_count(p, off);
}

/* In the careful way what is met is kept alive: what lives has an address of
 * its own. The value on the top is the object, or holds it. */
void mpl_encode_meet(struct mpl_walk *w, const void *object, size_t at)
{
    uint64_t off = at;

    if (mpl_seen_add(&w->e->seen, object, &off) < 0)
        mpl_no_memory(w->L);
    if (w->anchors) {
        lua_pushvalue(w->L, -1);
        lua_rawseti(w->L, w->anchors, ++w->kept);
    }
}

/* Whether the PACKED at off is that of a hooked object whose packed value is
 * underway. */
static bool is_inside(const struct mpl_walk *w, uint64_t off)
{
    for (size_t i = w->e->depth; i-- > 0;)
        if (w->e->frames[i].part == MPL_HOOK && w->e->frames[i].at == off)
            return true;
    return false;
}

bool mpl_encode_met(struct mpl_walk *w, const void *object)
{
    uint64_t off = mpl_offset(w);
    int met = mpl_seen_add(&w->e->seen, object, &off);

    if (met < 0)
        mpl_no_memory(w->L);
    if (!met) {
        if (w->anchors) {
            lua_pushvalue(w->L, -1);
            lua_rawseti(w->L, w->anchors, ++w->kept);
        }
        return false;
    }
    if (w->e->out.bytes[off] == MPR_TAG_PACKED && is_inside(w, off))
        mpl_encode_unsendable(w, "its __mp_pack leads back to it");
    else
        mpl_encode_ref(w, off);
    return true;
}
