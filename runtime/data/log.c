/* Log: the last records of a family's processes, for whoever asks what a dead
 * one had said. A ring of cells, one for each record; writers wait for nobody.
 *
 * States:       (of a cell's word) 0: empty · number << 17 | slot << 1 |
 *               WRITING: the process of the slot fills it · number << 17 |
 *               slot << 1: it holds that record
 *               any without WRITING -> WRITING: a writer whose number is
 *               larger · WRITING -> holds: that writer · WRITING -> empty: the
 *               reaper of a writer
 * Invariant:    while a cell's word is not WRITING, all of its other words are
 *               of one record; a reader that finds the same word before and
 *               after has read that record.
 * If we die here: (WRITING) the cell is of no use until the reaper has emptied
 *               it; a writer that meets it counts its own record as dropped.
 *
 * A writer that is stopped, or overtaken by as many records as there are
 * cells, costs the records that fall on its cell, and nobody's time. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "data/data.h"
#include "data/words.h"
#include "life/block.h"
#include "os/os.h"
#include "peer/roster.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdbool.h>

enum { CELLS = 256, SHIFT = 17, WRITING = 1 };
_Static_assert(MPRI_SLOTS <= 1 << (SHIFT - 1),
               "a slot fits into a cell's word");

/* Guarded by: word. */
struct cell {
    mpri_a64 word;
    mpri_a64 time_ns;
    mpri_a64 who;  /* pid | level << 32 | size of the name << 40 */
    mpri_a64 size; /* of the text kept | of the whole text << 32 */
    mpri_a64 name[MPR_LOG_NAME / 8];
    mpri_a64 text[MPR_LOG_TEXT / 8];
};
_Static_assert(sizeof(struct cell) == 1024, "a cell shares no cache line");

struct log {
    mpri_a64 last; /* number of the latest record; 0: none yet */
    mpri_a64 dropped;
    struct mpri_mutex output; /* who writes a line to a descriptor */
    uint32_t begun;           /* a line was. Guarded by: output */
    uint32_t unused;
    struct cell cell[CELLS];
};

static struct log *of(const mpr_log *l)
{
    return mpri_data(&l->h);
}

static struct cell *cell_of(struct log *l, uint64_t number)
{
    return &l->cell[number % CELLS];
}

static void abandon(struct mpri_block *b, uint32_t slot)
{
    struct log *l = mpri_block_data(b);

    mpri_mutex_abandon(&l->output, slot);
    for (unsigned i = 0; i < CELLS; i++) {
        uint64_t word = mpri_load_rlx(&l->cell[i].word);

        /* Pairs with: claim. */
        if (word & WRITING && (word >> 1 & ((1 << (SHIFT - 1)) - 1)) == slot)
            mpri_cas_rel(&l->cell[i].word, &word, 0);
    }
}

void mpri_log_register(void)
{
    static const struct mpri_kind log = {.name = "Log", .abandon = abandon};

    mpri_kind_register(MPR_KIND_LOG, &log);
}

int mpr_log_create(mpr_log *l)
{
    int err = mpr_open();

    if (err == 0)
        err = mpri_block_create(sizeof(struct log), MPRI_BLOCK_ZERO, &l->h);
    if (err == 0)
        mpri_block_become(&l->h, MPR_KIND_LOG);
    return err;
}

/* The cell is ours to fill, unless somebody is at it or is ahead of us. */
static int claim(struct cell *c, uint64_t number, uint64_t mine)
{
    uint64_t word = mpri_load_rlx(&c->word);

    do {
        if (word & WRITING || word >> SHIFT > number)
            return 0;
        /* Pairs with: publishing, and abandon. What is stored next is
         * released word by word: a reader that saw any of it sees WRITING. */
    } while (!mpri_cas_acq(&c->word, &word, mine));
    return 1;
}

int mpr_log_write(mpr_log *l, const struct mpr_log_record *r)
{
    struct log *d = of(l);
    uint64_t number, mine;
    size_t size = r->size < MPR_LOG_TEXT ? (size_t)r->size : MPR_LOG_TEXT;
    size_t name = r->name_size < MPR_LOG_NAME ? r->name_size : MPR_LOG_NAME;
    struct cell *c;

    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    number = mpri_add_rlx(&d->last, 1) + 1;
    mine = number << SHIFT | (uint64_t)mpri_self.slot << 1;
    c = cell_of(d, number);
    if (!claim(c, number, mine | WRITING)) {
        mpri_add_rlx(&d->dropped, 1);
        return -EAGAIN;
    }
    MPRI_TESTPOINT("log.write");
    mpri_store_rel(&c->time_ns, (uint64_t)r->time_ns);
    mpri_store_rel(&c->who, (uint64_t)(uint32_t)mpri_self.pid |
                                (uint64_t)(r->level & 0xff) << 32 |
                                (uint64_t)name << 40);
    mpri_store_rel(&c->size, size | (r->size & UINT32_MAX) << 32);
    mpri_words_put(c->name, r->name, name);
    mpri_words_put(c->text, r->text, size);
    /* Pairs with: mpr_log_read: the record is complete. */
    mpri_store_rel(&c->word, mine);
    return 0;
}

/* How long a writer that is stopped, or whose reader is, is waited for: lines
 * may mix then. */
static const int64_t PATIENCE = MPRI_SECOND;

int mpr_log_line(mpr_log *l, int fd, const char *text, uint64_t size)
{
    struct log *d = of(l);
    bool alone;
    int r;

    if (!mpri_self_valid())
        return -ENOTRECOVERABLE;
    r = mpri_mutex_lock(&d->output, mpri_now_ns() + PATIENCE);
    alone = r != -ETIMEDOUT;
    r = 0;
    if (alone) {
        /* If we die here: (begun) the next writer ends our line. */
        if (d->begun)
            r = mpri_write_all(fd, "\n", 1);
        d->begun = 1;
        MPRI_TESTPOINT("log.line");
    }
    if (r == 0)
        r = mpri_write_all(fd, text, size);
    if (alone) {
        d->begun = 0;
        mpri_mutex_unlock(&d->output);
    }
    return r;
}

uint64_t mpr_log_last(const mpr_log *l)
{
    return mpri_load_acq(&of(l)->last);
}

uint64_t mpr_log_first(const mpr_log *l)
{
    uint64_t last = mpr_log_last(l);

    return last > CELLS ? last - CELLS + 1 : 1;
}

uint64_t mpr_log_dropped(const mpr_log *l)
{
    return mpri_load_rlx(&of(l)->dropped);
}

int mpr_log_read(const mpr_log *l, uint64_t number, struct mpr_log_copy *out)
{
    struct cell *c = cell_of(of(l), number);
    /* Pairs with: mpr_log_write's last store. */
    uint64_t word = mpri_load_acq(&c->word), who, size;

    if (word & WRITING || word >> SHIFT != number)
        return -ENOENT;
    who = mpri_word_load(&c->who);
    size = mpri_word_load(&c->size);
    out->time_ns = (int64_t)mpri_word_load(&c->time_ns);
    out->pid = (uint32_t)who;
    out->level = who >> 32 & 0xff;
    out->name_size = who >> 40 & 0xff;
    out->size = size & UINT32_MAX;
    out->whole = size >> 32;
    /* Whatever a crashed process wrote. */
    if (out->name_size > MPR_LOG_NAME || out->size > MPR_LOG_TEXT)
        return -ENOENT;
    mpri_words_get(out->name, MPR_LOG_NAME, c->name, out->name_size);
    mpri_words_get(out->text, MPR_LOG_TEXT, c->text, out->size);
    return mpri_load_rlx(&c->word) == word ? 0 : -ENOENT;
}
