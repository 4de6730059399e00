/* Strings and their names. */

#include "scalar.h"

#include <string.h>

void mpl_put_string(lua_State *L, struct mpl_encoder *e, const char *s,
                    size_t size)
{
    uint8_t *p = mpl_encoder_room(L, e, 1 + MPR_WIRE_COUNT_MAX + size);

    if (size <= MPR_WIRE_SHORT) {
        *p++ = (uint8_t)(MPR_TAG_SHORT + size);
    } else {
        *p++ = MPR_TAG_STRING;
        p = mpr_put_count(p, size);
    }
    memcpy(p, s, size);
    e->out.end = p + size;
}

/* Lua keeps one copy of each short string, so an address is a string; in the
 * careful way one may have been collected since, so its bytes are compared. */
static bool is_name(const struct mpl_encoder *e, const struct mpl_name *name,
                    const char *s, size_t size)
{
    if (name->s != s || name->stamp != e->names.stamp)
        return false;
    return !e->careful || (name->size == size &&
                           memcmp(e->out.bytes + name->where, s, size) == 0);
}

void mpl_put_name(lua_State *L, struct mpl_encoder *e, struct mpl_name *name,
                  const char *s, size_t size)
{
    struct mpl_names *names = &e->names;
    uint8_t *p = mpl_encoder_room(L, e, 2 + MPL_NAME_SIZE);

    if (!is_name(e, name, s, size)) {
        mpl_put_string(L, e, s, size);
        if (name->index && name->stamp == names->stamp)
            return; /* both slots are names' */
        name->s = s;
        name->stamp = names->stamp;
        name->index = 0;
        name->size = (uint16_t)size;
        name->where = mpr_writer_size(&e->out) - size;
    } else if (name->index == 0) {
        name->index = (uint16_t)++names->count; /* no more than slots */
        p[0] = MPR_TAG_NAME;
        p[1] = (uint8_t)size;
        memcpy(p + 2, s, size);
        e->out.end = p + 2 + size;
    } else if (name->index <= 64) {
        p[0] = (uint8_t)(MPR_TAG_NAMED + name->index - 1);
        e->out.end = p + 1;
    } else {
        p[0] = MPR_TAG_NAME_FAR;
        p[1] = (uint8_t)(name->index - 65);
        e->out.end = p + 2;
    }
}

void mpl_encode_string(struct mpl_walk *w, const char *s, size_t size)
{
    if (size <= MPL_NAME_SIZE)
        mpl_put_short_string(w->L, w->e, s, size);
    else
        mpl_put_string(w->L, w->e, s, size);
}
