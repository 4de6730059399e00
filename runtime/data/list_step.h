#ifndef MPR_DATA_LIST_STEP_H
#define MPR_DATA_LIST_STEP_H

/* What changes of a shared list are made of; between the files of the list.
 *
 * Everything here: the list is locked. Functions that may need memory return
 * MPRI_READY when they have done what they say; otherwise the list is unlocked
 * then: MPRI_AGAIN: a block was made meanwhile and lies in the supply, so
 * begin anew; -ENOMEM. */

#include "data/list.h"

enum { MPRI_DONE = 0, MPRI_AGAIN = 1, MPRI_READY = 2 };

/* Blocks for a change: used, replaced by what they took the place of, or left
 * over. Dropped when the list is unlocked. */
struct mpri_supply {
    struct mpri_leaf leaf[2];
    mpr_handle body;
    mpr_handle old; /* what a removed item held */
};
void mpri_supply_drop(struct mpri_supply *s);

/* A leaf with places for that many items, or a body with places for that many
 * leaves. */
int mpri_step_need_leaf(struct mpri_list *l, struct mpri_leaf *leaf,
                        struct mpri_load load);
int mpri_step_need_body(struct mpri_list *l, mpr_handle *body,
                        uint64_t capacity);

/* A change by this actor is about to be made: READY; AGAIN: another one has
 * the list to itself, and was waited for; -EINTR. */
int mpri_step_check(struct mpri_list *l, uint64_t me);

/* ---- leaves -------------------------------------------------------------------*/

/* What leaf c of a body has: places [from, to), without items before base. */
struct mpri_part {
    uint64_t c;
    struct mpri_view v;
    uint64_t start; /* position of place 0 */
    uint64_t from;
    uint64_t to;
    bool is_first, is_last;
};
struct mpri_part mpri_step_part(struct mpri_body *b, uint64_t c);

struct mpri_load mpri_step_weigh(struct mpri_view v, uint64_t from,
                                 uint64_t to);
/* false: no room, or memory is damaged. */
bool mpri_step_copy(struct mpri_leaf *to, struct mpri_view v, uint64_t from,
                    uint64_t end);

bool mpri_step_has_room(struct mpri_body *b, const struct mpri_part *p,
                        uint32_t words);

/* Reserves words in the part's leaf, whatever becomes of us, writes the value
 * there, and returns where. There is room. */
uint32_t mpri_step_write(struct mpri_body *b, const struct mpri_part *p,
                         const struct mpri_value *value);

/* The part's leaf is copied, with room for more behind it. */
int mpri_step_renew(struct mpri_list *l, struct mpri_body *b,
                    const struct mpri_part *p, struct mpri_load more,
                    struct mpri_supply *supply);

/* ---- transactions ---------------------------------------------------------------
 * With an odd generation, and room for two entries in our table of holds. */

int mpri_step_begin(struct mpri_list *l); /* -ENOMEM: not begun */
void mpri_step_set(mpri_a64 *word, uint64_t value);
void mpri_step_commit(struct mpri_list *l);

void mpri_step_set_place(struct mpri_view v, uint64_t i, uint32_t at);

/* An item with the value is in the list now: in the leaf p, or in one that was
 * begun with it (NULL). */
void mpri_step_bring(struct mpri_body *b, const struct mpri_part *p,
                     struct mpri_value *value);

/* The hold of *h belongs to the list now; *h is then a PRIVATE handle on what
 * its place held before, or closed. */
void mpri_step_exchange(mpr_handle *h, uint64_t old);

/* The same with a leaf, and with a body: that becomes the list's with all that
 * its items hold, and the old one keeps of its leaves those in [from, to). */
void mpri_step_replace_leaf(struct mpri_body *b, uint64_t c,
                            struct mpri_leaf *leaf);
void mpri_step_replace_body(struct mpri_list *l, mpr_handle *h, uint64_t from,
                            uint64_t to);

/* ---- parts of changes --------------------------------------------------------------
 * DONE, AGAIN, or an error; the list is unlocked. */

/* The first item of a list without a body. */
int mpri_end_first(struct mpri_list *l, struct mpri_value *value,
                   struct mpri_supply *supply);

/* One item behind the last one. */
int mpri_end_append(struct mpri_list *l, struct mpri_body *b,
                    struct mpri_value *value, struct mpri_supply *supply);

/* Room for so many in the last leaf: READY or as above; -ENOSPC: they do not
 * fit into a leaf; the list is still locked. */
int mpri_end_room(struct mpri_list *l, struct mpri_body *b,
                  struct mpri_load more, struct mpri_supply *supply);

/* Appends them where room was made. */
int mpri_end_fill(struct mpri_list *l, struct mpri_body *b,
                  struct mpri_value *values, uint64_t n);

/* The item at an index goes: the first or the last, or any. */
int mpri_end_remove(struct mpri_list *l, struct mpri_body *b, uint64_t index,
                    struct mpri_supply *supply);
int mpri_middle_remove(struct mpri_list *l, struct mpri_body *b, uint64_t index,
                       struct mpri_supply *supply);

/* An item comes before the one at the index. */
int mpri_middle_insert(struct mpri_list *l, struct mpri_body *b, uint64_t index,
                       struct mpri_value *value, struct mpri_supply *supply);

#endif
