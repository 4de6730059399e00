#ifndef MPR_BASE_ATOMIC_H
#define MPR_BASE_ATOMIC_H

/* Atomics whose memory order stands in their name, so that no call can hide
 * one. Orders sit on operations; there are no lone fences, because
 * ThreadSanitizer cannot follow them. seq is used for one thing only: the
 * handshake of a sleeper and its waker, where each side stores and then
 * loads what the other stored. */

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint32_t mpri_a32;
typedef _Atomic uint64_t mpri_a64;

_Static_assert(sizeof(mpri_a32) == 4 && sizeof(mpri_a64) == 8,
               "atomics must be plain words, they lie in shared memory");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "atomics must be lock-free to work between processes");

#define mpri_load_rlx(p) atomic_load_explicit(p, memory_order_relaxed)
#define mpri_load_acq(p) atomic_load_explicit(p, memory_order_acquire)
#define mpri_load_seq(p) atomic_load_explicit(p, memory_order_seq_cst)

#define mpri_store_rlx(p, v) atomic_store_explicit(p, v, memory_order_relaxed)
#define mpri_store_rel(p, v) atomic_store_explicit(p, v, memory_order_release)
#define mpri_store_seq(p, v) atomic_store_explicit(p, v, memory_order_seq_cst)

#define mpri_swap_acq(p, v) atomic_exchange_explicit(p, v, memory_order_acquire)
#define mpri_swap_rel(p, v) atomic_exchange_explicit(p, v, memory_order_release)
#define mpri_swap_seq(p, v) atomic_exchange_explicit(p, v, memory_order_seq_cst)

#define mpri_add_rlx(p, v) atomic_fetch_add_explicit(p, v, memory_order_relaxed)
#define mpri_add_rel(p, v) atomic_fetch_add_explicit(p, v, memory_order_release)
#define mpri_add_seq(p, v) atomic_fetch_add_explicit(p, v, memory_order_seq_cst)
#define mpri_sub_acqrel(p, v) \
    atomic_fetch_sub_explicit(p, v, memory_order_acq_rel)
#define mpri_or_rlx(p, v)  atomic_fetch_or_explicit(p, v, memory_order_relaxed)
#define mpri_or_seq(p, v)  atomic_fetch_or_explicit(p, v, memory_order_seq_cst)
#define mpri_and_rel(p, v) atomic_fetch_and_explicit(p, v, memory_order_release)
#define mpri_and_seq(p, v) atomic_fetch_and_explicit(p, v, memory_order_seq_cst)

/* Compare and swap: true when *p was *expected and is now desired; otherwise
 * *expected holds what was found, read relaxed. */
#define mpri_cas_acq(p, expected, desired)   \
    atomic_compare_exchange_strong_explicit( \
        p, expected, desired, memory_order_acquire, memory_order_relaxed)
#define mpri_cas_rel(p, expected, desired)   \
    atomic_compare_exchange_strong_explicit( \
        p, expected, desired, memory_order_release, memory_order_relaxed)
#define mpri_cas_seq(p, expected, desired)   \
    atomic_compare_exchange_strong_explicit( \
        p, expected, desired, memory_order_seq_cst, memory_order_relaxed)

/* Tells the CPU that this is a spin loop. */
static inline void mpri_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
