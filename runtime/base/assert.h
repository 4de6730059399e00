#ifndef MPR_BASE_ASSERT_H
#define MPR_BASE_ASSERT_H

/* MPR_ASSERT(level, cond): a condition that only a bug of our own can break.
 * Level 1 is checked in debug builds; level 2 (whole-structure invariants,
 * run at the entry and exit of functions) when MPR_CHECK=2 is compiled in.
 * What another process may have written is never asserted: it is checked and
 * reported, for a crashed peer must not take us down. */

#ifndef MPR_CHECK
#define MPR_CHECK 0
#endif

#define MPR_ASSERT(level, cond)    \
    ((level) > MPR_CHECK || (cond) \
         ? (void)0                 \
         : mpri_assert_failed(#cond, __FILE__, __LINE__))

/* Says what failed on stderr and aborts. */
_Noreturn void mpri_assert_failed(const char *cond, const char *file, int line);

#endif
