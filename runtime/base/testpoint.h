#ifndef MPR_BASE_TESTPOINT_H
#define MPR_BASE_TESTPOINT_H

/* Named places at which shared state is half-changed. A test arms one by
 * name; the process that then passes it for the nth time kills itself there
 * with SIGKILL (or stops with SIGSTOP, for tests that need it to stand
 * still). Compiled in always: an unarmed point costs one load of a variable
 * that is in cache and a branch that is predicted, below 1 ns.
 *
 *     memcpy(to, from, size);
 *     MPRI_TESTPOINT("ring.put.copied");
 *     mpri_store_rel(&ring->tail, tail);
 *
 * The armed state is of one process; a forked child inherits it, so
 * mpr_testpoint_arm in the child is what tests use. */

#include <stdbool.h>

extern int mpri_testpoint_armed;

#define MPRI_TESTPOINT(name)                           \
    do {                                               \
        if (__builtin_expect(mpri_testpoint_armed, 0)) \
            mpri_testpoint_pass(name);                 \
    } while (0)

void mpri_testpoint_pass(const char *name);

/* A named place at which memory may be short: true when a test armed it, with
 * the signal 0, and this is the nth time. Whoever asks then does what it does
 * without memory.
 *
 *     if (MPRI_SHORT("memory.block"))
 *         return -ENOMEM; */
#define MPRI_SHORT(name) \
    (__builtin_expect(mpri_testpoint_armed, 0) && mpri_testpoint_short(name))

bool mpri_testpoint_short(const char *name);

#endif
