#ifndef MPR_BASE_NEAR_H
#define MPR_BASE_NEAR_H

/* Marks the functions that a child runs from its fork to its end. They lie
 * together in the program: a child just forked has no page of code mapped, and
 * each first step onto 64 KB of it is a fault. */
#define MPRI_NEAR __attribute__((hot))

/* The same for variables that the child writes at once, or its parent around a
 * fork: a page that either writes to is copied. */
#define MPRI_NEAR_DATA __attribute__((section(".data")))

#endif
