#ifndef MPR_DATA_WORDS_H
#define MPR_DATA_WORDS_H

/* Bytes in shared tables lie in whole 8-byte words, the last one padded with
 * zeros, and are read and written word by word with atomics: a reader that
 * asks nobody may read a word while somebody writes it, and finds out only
 * afterwards that what it read was not what it wanted.
 *
 * Loads are acquire and stores release, so that the look at a generation
 * before (after) the words stays before (after) them; on x86 both are plain
 * moves. */

#include "base/atomic.h"

#include <stddef.h>
#include <string.h>

/* The words of a table, and the slots by which they are found, are loaded by
 * these two. A reader without a lock may read memory that was given back and
 * serves something else already; it throws away what it read. No plain write
 * of whoever has the memory now is a race with that, which ThreadSanitizer
 * cannot know. */
#if defined(__SANITIZE_THREAD__)
#define MPRI_UNWATCHED __attribute__((noinline, no_sanitize("thread"), unused))
#else
#define MPRI_UNWATCHED inline
#endif

static MPRI_UNWATCHED uint64_t mpri_word_load(const mpri_a64 *word)
{
    return mpri_load_acq(word);
}

static MPRI_UNWATCHED uint32_t mpri_slot_load(const mpri_a32 *slot)
{
    return mpri_load_acq(slot);
}

static inline uint32_t mpri_words(uint64_t size)
{
    return (uint32_t)((size + 7) / 8);
}

/* The last 1 to 7 bytes of something as a word. */
static inline uint64_t mpri_word_tail(const uint8_t *p, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (size >= 4) {
        uint32_t low, high;

        memcpy(&low, p, 4);
        memcpy(&high, p + size - 4, 4);
        return low | (uint64_t)high << 8 * (size - 4);
    }
    return (uint64_t)p[0] | (uint64_t)p[size / 2] << 8 * (size / 2) |
           (uint64_t)p[size - 1] << 8 * (size - 1);
#else
    uint64_t w = 0;

    memcpy(&w, p, size);
    return w;
#endif
}

static inline void mpri_words_put(mpri_a64 *to, const void *from, size_t size)
{
    const uint8_t *p = from;
    uint64_t w;

    for (; size >= 8; size -= 8, p += 8) {
        memcpy(&w, p, 8);
        mpri_store_rel(to++, w);
    }
    if (size)
        mpri_store_rel(to, mpri_word_tail(p, size));
}

/* room: bytes that may be written at to; with room for whole words the last
 * one is written whole. */
static inline void mpri_words_get(void *to, size_t room, const mpri_a64 *from,
                                  size_t size)
{
    uint8_t *p = to;
    uint64_t w;

    for (; size >= 8; size -= 8, p += 8, room -= 8) {
        w = mpri_word_load(from++);
        memcpy(p, &w, 8);
    }
    if (size) {
        w = mpri_word_load(from);
        memcpy(p, &w, room >= 8 ? 8 : size);
    }
}

static inline int mpri_words_equal(const mpri_a64 *words, const void *bytes,
                                   size_t size)
{
    const uint8_t *p = bytes;
    uint64_t w;

    for (; size >= 8; size -= 8, p += 8) {
        memcpy(&w, p, 8);
        if (mpri_word_load(words++) != w)
            return 0;
    }
    return size == 0 || mpri_word_load(words) == mpri_word_tail(p, size);
}

static inline void mpri_words_copy(mpri_a64 *to, const mpri_a64 *from,
                                   uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        mpri_store_rel(&to[i], mpri_word_load(&from[i]));
}

#endif
