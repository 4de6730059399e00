/* Cells: one table of codes, and what can be done with a cell of each.
 *
 * Cells are plain C objects, for C programs read and write arrays as such; so
 * the compiler's atomic builtins stand here and not base/atomic.h. They order
 * as acquire and release, which is free for loads and stores on the machines
 * of today: a flag in one cell can say that other cells are ready.
 * Pairs with: each other, on the cell that both use; what the cell's last
 * writer had written before is published. */

#include "mpr.h"

#include <errno.h>
#include <math.h>

/* Bounds by family. */
#define MIN_MPR_SIGNED(type)    ((int64_t)(UINT64_MAX << (8 * sizeof(type) - 1)))
#define MIN_MPR_UNSIGNED(type)  0
#define MIN_MPR_FLOATING(type)  0
#define MIN_MPR_BOOLEAN(type)   0
#define MIN_MPR_CHARACTER(type) 0
#define MAX_MPR_SIGNED(type)    (UINT64_MAX >> (65 - 8 * sizeof(type)))
#define MAX_MPR_UNSIGNED(type)  (UINT64_MAX >> (64 - 8 * sizeof(type)))
#define MAX_MPR_FLOATING(type)  0
#define MAX_MPR_BOOLEAN(type)   1
#define MAX_MPR_CHARACTER(type) UINT8_MAX

/* The member of union mpr_number by family. */
#define OF_MPR_SIGNED    i
#define OF_MPR_UNSIGNED  u
#define OF_MPR_FLOATING  d
#define OF_MPR_BOOLEAN   u
#define OF_MPR_CHARACTER u

/* The first double that a float rounds to infinity. */
#define TOO_LARGE 0x1.ffffffp127

const struct mpr_code *mpr_code(int letter)
{
    switch (letter) {
#define X(letter_, type, family_)             \
    case letter_: {                           \
        static const struct mpr_code code = { \
            .letter = letter_,                \
            .size = sizeof(type),             \
            .family = family_,                \
            .min = MIN_##family_(type),       \
            .max = MAX_##family_(type),       \
        };                                    \
        return &code;                         \
    }
        MPR_CODES(X)
#undef X
    }
    return NULL;
}

int mpr_code_check(const struct mpr_code *code, union mpr_number n)
{
    switch ((enum mpr_family)code->family) {
    case MPR_SIGNED:
        return n.i < code->min || n.i > (int64_t)code->max ? -ERANGE : 0;
    case MPR_UNSIGNED:
    case MPR_BOOLEAN:
    case MPR_CHARACTER:
        return n.u > code->max ? -ERANGE : 0;
    case MPR_FLOATING:
        if (code->size == sizeof(float) && isfinite(n.d) &&
            fabs(n.d) >= TOO_LARGE)
            return -ERANGE;
        return 0;
    }
    return -EINVAL;
}

union mpr_number mpr_cell_load(const struct mpr_code *code, const void *at)
{
    union mpr_number n = {0};

    switch (code->letter) {
#define X(letter_, type, family_)                              \
    case letter_: {                                            \
        type v;                                                \
        __atomic_load((const type *)at, &v, __ATOMIC_ACQUIRE); \
        n.OF_##family_ = +v;                                   \
        break;                                                 \
    }
        MPR_CODES(X)
#undef X
    }
    return n;
}

int mpr_cell_store(const struct mpr_code *code, void *at, union mpr_number n)
{
    int err = mpr_code_check(code, n);

    if (err < 0)
        return err;
    switch (code->letter) {
#define X(letter_, type, family_)                         \
    case letter_: {                                       \
        type v = (type)n.OF_##family_;                    \
        __atomic_store((type *)at, &v, __ATOMIC_RELEASE); \
        break;                                            \
    }
        MPR_CODES(X)
#undef X
    }
    return 0;
}

/* The sum of the type's exact value and an int64_t: 0, or -ERANGE. */
#define SUM_MPR_SIGNED(type, sum, v, n) \
    (__builtin_add_overflow(v, (n).i, sum) ? -ERANGE : 0)
#define SUM_MPR_UNSIGNED(type, sum, v, n) SUM_MPR_SIGNED(type, sum, v, n)
#define SUM_MPR_FLOATING(type, sum, v, n)                    \
    (sizeof(type) == sizeof(float) && isfinite(v + (n).d) && \
             fabs(v + (n).d) >= TOO_LARGE                    \
         ? -ERANGE                                           \
         : (*(sum) = (type)(v + (n).d), 0))
#define SUM_MPR_BOOLEAN(type, sum, v, n)   (*(sum) = v, -EINVAL)
#define SUM_MPR_CHARACTER(type, sum, v, n) (*(sum) = v, -EINVAL)

int mpr_cell_add(const struct mpr_code *code, void *at, union mpr_number n,
                 union mpr_number *sum)
{
    switch (code->letter) {
#define X(letter_, type, family_)                                        \
    case letter_: {                                                      \
        type v, s;                                                       \
        __atomic_load((type *)at, &v, __ATOMIC_RELAXED);                 \
        do { /* relaxed: a stale value fails below and is read again */  \
            int err = SUM_##family_(type, &s, v, n);                     \
            if (err < 0)                                                 \
                return err;                                              \
        } while (!__atomic_compare_exchange(                             \
            (type *)at, &v, &s, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)); \
        sum->OF_##family_ = +s;                                          \
        return 0;                                                        \
    }
        MPR_CODES(X)
#undef X
    }
    return -EINVAL;
}

int mpr_cell_swap(const struct mpr_code *code, void *at, union mpr_number n,
                  union mpr_number *old)
{
    int err = mpr_code_check(code, n);

    if (err < 0)
        return err;
    switch (code->letter) {
#define X(letter_, type, family_)                                  \
    case letter_: {                                                \
        type v = (type)n.OF_##family_, was;                        \
        __atomic_exchange((type *)at, &v, &was, __ATOMIC_ACQ_REL); \
        old->OF_##family_ = +was;                                  \
        break;                                                     \
    }
        MPR_CODES(X)
#undef X
    }
    return 0;
}

/* As numbers, and one NaN is as good as another. */
#define EQUAL(a, b) ((a) == (b) || ((a) != (a) && (b) != (b)))

int mpr_cell_cas(const struct mpr_code *code, void *at, union mpr_number old,
                 union mpr_number n, union mpr_number *found)
{
    int err = mpr_code_check(code, n);

    if (err == 0)
        err = mpr_code_check(code, old);
    if (err < 0)
        return err;
    switch (code->letter) {
#define X(letter_, type, family_)                                          \
    case letter_: {                                                        \
        type v, was = (type)old.OF_##family_, next = (type)n.OF_##family_; \
        __atomic_load((type *)at, &v, __ATOMIC_ACQUIRE);                   \
        while (EQUAL(v, was)) {                                            \
            type seen = v;                                                 \
            if (__atomic_compare_exchange((type *)at, &v, &next, 0,        \
                                          __ATOMIC_ACQ_REL,                \
                                          __ATOMIC_ACQUIRE)) {             \
                found->OF_##family_ = +seen;                               \
                return 1;                                                  \
            }                                                              \
        }                                                                  \
        found->OF_##family_ = +v;                                          \
        return 0;                                                          \
    }
        MPR_CODES(X)
#undef X
    }
    return -EINVAL;
}
