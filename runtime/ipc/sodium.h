#ifndef MPR_IPC_SODIUM_H
#define MPR_IPC_SODIUM_H

/* The functions of libsodium that the runtime uses, loaded when the first key
 * is: most programs have none, and every start of one would pay for the
 * library's loading, every fork for its mappings. */

#include <sodium.h>

#define MPRI_SODIUM_FUNCTIONS(X)                       \
    X(sodium_init)                                     \
    X(sodium_memzero)                                  \
    X(sodium_memcmp)                                   \
    X(randombytes_buf)                                 \
    X(crypto_scalarmult)                               \
    X(crypto_scalarmult_base)                          \
    X(crypto_generichash)                              \
    X(crypto_generichash_init)                         \
    X(crypto_generichash_update)                       \
    X(crypto_generichash_final)                        \
    X(crypto_secretstream_xchacha20poly1305_init_push) \
    X(crypto_secretstream_xchacha20poly1305_init_pull) \
    X(crypto_secretstream_xchacha20poly1305_push)      \
    X(crypto_secretstream_xchacha20poly1305_pull)

struct mpri_sodium {
#define MPRI_SODIUM_FIELD(name) __typeof__(name) *name;
    MPRI_SODIUM_FUNCTIONS(MPRI_SODIUM_FIELD)
#undef MPRI_SODIUM_FIELD
};

/* NULL: it cannot be loaded, and never will be. */
const struct mpri_sodium *mpri_sodium(void);

#endif
