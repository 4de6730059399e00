/* Ranges of tasks change hands: a worker claims one from a job, takes half of
 * another worker's, gives back what it has not begun. */

#include "base/deadline.h"
#include "base/testpoint.h"
#include "os/os.h"
#include "serve/desk.h"

/* What a claim should take to do, once it is known what a task takes. */
static const int64_t CLAIM_NS = 2 * MPRI_MS;
enum { CLAIM_UNKNOWN = 4 };

/* After so long a job counts as one level more urgent. */
static const int64_t AGE_NS = 100 * MPRI_MS;

/* ---- claiming ------------------------------------------------------------ */

static uint64_t load_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static uint32_t share(const struct mpri_pool *p, struct mpri_job *j,
                      uint32_t left)
{
    uint32_t ns = mpri_load_rlx(&j->task_ns), most, n;

    if (j->chunk)
        return j->chunk < left ? j->chunk : left;
    most = ns ? (uint32_t)(CLAIM_NS / ns) : CLAIM_UNKNOWN;
    n = left / (2 * (p->workers ? p->workers : 1));
    if (n > most)
        n = most;
    return n ? n : 1;
}

/* Whether somebody has the task, or does it. */
static bool is_claimed(struct mpri_pool *p, const struct mpri_job *j,
                       uint32_t i)
{
    for (uint32_t n = 0; n < p->seats; n++) {
        struct mpri_seat *s = &p->seat[n];

        if (!mpri_seat_counts(s))
            continue;
        for (uint32_t d = mpri_seat_frames(s); d-- > 0;) {
            struct mpri_frame *f = &s->frame[d];
            uint64_t range;

            if (f->job != mpri_job_off(j))
                continue;
            /* Pairs with: mpr_worker_take, which says what it takes before
             * it takes it. */
            range = mpri_load_acq(&f->range);
            if (i >= mpri_range_next(range) && i < mpri_range_last(range))
                return true;
            if (mpri_load_acq(&f->running) == i + 1)
                return true;
        }
    }
    return false;
}

/* Task i may be tried again, but not yet. */
static void put_off(struct mpri_job *j, uint32_t i, int64_t until_ns)
{
    if (!j->retry_ns) {
        j->later = i;
        j->later_end = i + 1;
        j->retry_ns = until_ns;
        return;
    }
    j->later = i < j->later ? i : j->later;
    j->later_end = i + 1 > j->later_end ? i + 1 : j->later_end;
    j->retry_ns = mpri_earlier(j->retry_ns, until_ns);
}

/* Whether task i must be done now by whoever finds it. */
static bool is_loose(struct mpri_pool *p, struct mpri_job *j, uint32_t i,
                     int64_t now)
{
    struct mpri_result r;

    if (!mpri_outcome_open(&j->outcome[i]) || is_claimed(p, j, i))
        return false;
    /* Its worker may have finished it before we looked at the frame. */
    mpri_outcome_load(&j->outcome[i], &r);
    if (r.form != MPRI_OPEN)
        return false;
    if ((int64_t)r.u.open.not_before_ns > now) {
        put_off(j, i, (int64_t)r.u.open.not_before_ns);
        return false;
    }
    return true;
}

/* Looks for open tasks that nobody has: [*first, *last) are such. */
static bool search(struct mpri_pool *p, struct mpri_job *j, uint32_t *first,
                   uint32_t *last)
{
    int64_t now = mpri_now_ns();
    uint32_t i, most;

    if (j->retry_ns && j->retry_ns <= now) {
        j->retry_ns = 0;
        mpri_desk_redo(p, j, j->later, j->later_end);
    }
    for (i = j->redo; i < j->redo_end && !is_loose(p, j, i, now); i++)
        ;
    if (i >= j->redo_end) {
        j->redo = j->redo_end;
        return false;
    }
    *first = i;
    most = share(p, j, j->redo_end - i);
    for (i++; i - *first < most && is_loose(p, j, i, now); i++)
        ;
    j->redo = *last = i;
    return true;
}

/* Claims from the job. NONE: it has nothing. */
static enum mpri_claim claim_from(struct mpri_pool *p, struct mpri_job *j,
                                  struct mpri_frame *f, struct mpri_trash *t,
                                  bool *more)
{
    uint32_t cursor, count, n, first, last;

    if (mpri_load_acq(&j->stopped))
        return MPRI_CLAIM_NONE;
    if (j->retry_ns || j->redo != j->redo_end) {
        if (!mpri_desk_hold(f, j, t))
            return MPRI_CLAIM_NONE;
        if (search(p, j, &first, &last)) {
            mpri_store_rel(&f->range, mpri_range(first, last));
            *more = true;
            return MPRI_CLAIM_SOME;
        }
    }
    cursor = mpri_load_rlx(&j->cursor);
    /* Pairs with: mpr_job_publish. */
    count = mpri_load_seq(&j->count);
    if (cursor >= count)
        return j->retry_ns ? MPRI_CLAIM_LATER : MPRI_CLAIM_NONE;
    if (!mpri_desk_hold(f, j, t))
        return MPRI_CLAIM_NONE;
    n = share(p, j, count - cursor);
    MPRI_TESTPOINT("desk.claim.held");
    mpri_store_rel(&j->cursor, cursor + n);
    MPRI_TESTPOINT("desk.claim.moved");
    mpri_store_rel(&f->range, mpri_range(cursor, cursor + n));
    MPRI_TESTPOINT("desk.claim.done");
    j->since_ns = mpri_now_ns();
    *more = cursor + n < count || j->next;
    return MPRI_CLAIM_SOME;
}

/* The job has nothing to claim: it leaves the list, unless more may be put in
 * and nobody stands behind it. */
static bool retire_job(struct mpri_pool *p, struct mpri_job *j, uint64_t *at,
                       uint64_t before, struct mpri_trash *t)
{
    if (!mpri_load_acq(&j->sealed) && !mpri_load_acq(&j->stopped) && !j->next)
        return false;
    if (!mpri_desk_unlink(p, j, at, before, t))
        return false;
    /* Pairs with: mpr_job_publish, which looks at queued after it added. */
    if (!mpri_load_acq(&j->stopped) &&
        (load_word(&j->queued), mpri_load_seq(&j->count)) >
            mpri_load_rlx(&j->cursor))
        mpri_desk_link(p, j);
    return true;
}

static enum mpri_claim claim_level(struct mpri_pool *p, uint32_t l,
                                   struct mpri_frame *f, struct mpri_trash *t,
                                   int64_t *later_ns, bool *more)
{
    uint64_t *at = &p->level[l].first, before = 0;
    enum mpri_claim all = MPRI_CLAIM_NONE;

    while (*at) {
        struct mpri_job *j = mpri_job_at(*at);
        enum mpri_claim r = claim_from(p, j, f, t, more);

        if (r == MPRI_CLAIM_SOME)
            return r;
        if (r == MPRI_CLAIM_LATER) {
            all = r;
            if (j->retry_ns < *later_ns)
                *later_ns = j->retry_ns;
        } else if (retire_job(p, j, at, before, t)) {
            continue;
        }
        before = *at;
        at = &j->next;
    }
    return all;
}

/* The level to begin with: the highest, or a lower one that waits for long. */
static uint32_t most_urgent(struct mpri_pool *p, uint64_t levels)
{
    uint32_t best = 63 - (uint32_t)__builtin_clzll(levels);
    int64_t now, urgency = INT64_MIN;

    if (!(levels & (levels - 1)))
        return best;
    now = mpri_now_ns();
    while (levels) {
        uint32_t l = 63 - (uint32_t)__builtin_clzll(levels);
        struct mpri_job *j = mpri_job_at(p->level[l].first);
        int64_t u = (int64_t)l + (now - j->since_ns) / AGE_NS;

        levels &= ~(1ULL << l);
        if (u > urgency) {
            urgency = u;
            best = l;
        }
    }
    return best;
}

enum mpri_claim mpri_desk_claim(struct mpri_pool *p, struct mpri_frame *f,
                                struct mpri_job *only, struct mpri_trash *t,
                                int64_t *later_ns, bool *more)
{
    uint64_t left = p->levels;
    enum mpri_claim all = MPRI_CLAIM_NONE;

    *more = false;
    *later_ns = MPR_FOREVER;
    if (only)
        return claim_from(p, only, f, t, more);
    while (left) {
        uint32_t l = most_urgent(p, left);
        enum mpri_claim r = claim_level(p, l, f, t, later_ns, more);

        left &= ~(1ULL << l) & p->levels;
        if (r == MPRI_CLAIM_SOME) {
            *more = *more || left;
            if (l >= 63 - (uint32_t)__builtin_clzll(left | 1ULL << l))
                mpri_store_rlx(&p->urgent, l + 1);
            return r;
        }
        if (r == MPRI_CLAIM_LATER)
            all = r;
    }
    mpri_store_rlx(&p->urgent, 0);
    return all;
}

/* ---- taking from others -------------------------------------------------- */

static struct mpri_frame *richest(struct mpri_pool *p,
                                  const struct mpri_job *only)
{
    struct mpri_frame *best = NULL;
    uint32_t most = 0;

    for (uint32_t n = 0; n < p->seats; n++) {
        struct mpri_seat *s = &p->seat[n];

        if (!mpri_seat_counts(s))
            continue;
        for (uint32_t d = mpri_seat_frames(s); d-- > 0;) {
            uint32_t left = mpri_range_left(mpri_load_acq(&s->frame[d].range));

            if (left <= most || !s->frame[d].job ||
                (only && s->frame[d].job != mpri_job_off(only)) ||
                mpri_load_acq(&mpri_job_at(s->frame[d].job)->stopped))
                continue;
            most = left;
            best = &s->frame[d];
        }
    }
    return best;
}

bool mpri_desk_steal(struct mpri_pool *p, struct mpri_frame *f,
                     const struct mpri_job *only, struct mpri_trash *t)
{
    struct mpri_frame *victim = richest(p, only);
    struct mpri_job *j;
    uint64_t range;

    if (!victim || victim == f)
        return false;
    j = mpri_job_at(victim->job);
    if (!mpri_desk_hold(f, j, t))
        return false;
    range = mpri_load_acq(&victim->range);
    for (;;) {
        uint32_t left = mpri_range_left(range);
        uint32_t last = mpri_range_last(range), mid = last - (left + 1) / 2;

        if (left == 0)
            return false;
        MPRI_TESTPOINT("desk.steal.held");
        /* Pairs with: mpr_worker_take, which takes from the other end. */
        if (mpri_cas_seq(&victim->range, &range,
                         mpri_range(mpri_range_next(range), mid))) {
            MPRI_TESTPOINT("desk.steal.taken");
            mpri_store_rel(&f->range, mpri_range(mid, last));
            return true;
        }
    }
}

void mpri_desk_give_back(struct mpri_pool *p, struct mpri_frame *f)
{
    uint64_t range = mpri_load_acq(&f->range);
    struct mpri_job *j;

    if (!mpri_range_left(range))
        return;
    j = mpri_job_at(f->job);
    mpri_store_rel(&f->range, 0);
    MPRI_TESTPOINT("desk.back.emptied");
    if (mpri_range_last(range) == mpri_load_rlx(&j->cursor)) {
        mpri_store_rel(&j->cursor, mpri_range_next(range));
        mpri_desk_link(p, j);
    } else {
        mpri_desk_redo(p, j, mpri_range_next(range), mpri_range_last(range));
    }
}
