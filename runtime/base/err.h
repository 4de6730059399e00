#ifndef MPR_BASE_ERR_H
#define MPR_BASE_ERR_H

/* The one list of outcomes. Functions return 0 or a count for success and
 * -errno otherwise; this list gives the outcomes that are *results* (a wait
 * that ran out, a closed object …) the word that API users test for and the
 * text that they read. Everything else is the operating system's own errno.
 *
 *     int r = mpr_queue_get(&q, …);
 *     if (r == -ETIMEDOUT) …          in C
 *     return nil, mpr_err_word(r)     in a binding: "timeout"
 */

#include <errno.h>

#define MPRI_ERRORS(X)                                                   \
    X(ETIMEDOUT, "timeout", "timed out")                                 \
    X(EPIPE, "closed", "closed by its users")                            \
    X(EOWNERDEAD, "abandoned", "the holder ended")                       \
    X(ECANCELED, "broken", "broken by another party")                    \
    X(EMSGSIZE, "too big", "message larger than the limit")              \
    X(ENOMEM, "no memory", "not enough memory")                          \
    X(EBADMSG, "bad message", "malformed message")                       \
    X(ENOTRECOVERABLE, "stranger", "this process was not started by mp") \
    X(EUSERS, "too many processes", "too many processes in one family")

#endif
