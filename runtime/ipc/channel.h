#ifndef MPR_IPC_CHANNEL_H
#define MPR_IPC_CHANNEL_H

/* Messages over a stream socket, between processes that share no memory.
 *
 * A message is cut into chunks: 4 bytes of length (little-endian, the top bit
 * says that it is the last one), then as many bytes. The first chunk begins
 * with the message's size in 8 bytes, so a receiver refuses what is too long
 * before it takes it; nothing else that the peer claims is believed.
 *
 * With a key both sides first prove that they know it (channel_key.c), and
 * then every chunk is encrypted and authenticated in its order, so nothing can
 * be read, changed, left out, repeated or put in by others.
 *
 * The cipher's state lies in the arena: a connection that a child inherits at
 * its start goes on where its parent was. Guarded by: sending, receiving.
 * Invariant:    broken is set before a message is begun and cleared when it is
 *               done, per direction.
 * If we die here: (in the middle of a message) the next to use that direction
 *               finds it broken, and the peer's next chunk does not fit. */

#include "mpr.h"

#include <stddef.h>
#include <stdint.h>

enum {
    MPRI_CHUNK = 64 << 10,
    MPRI_CHUNK_EXTRA = 17, /* what sealing adds */
    MPRI_CIPHER_STATE = 64,
    MPRI_SESSION_KEY = 32,
};

/* A channel of a stream socket, which is taken, also when that fails. */
int mpri_channel_make(mpr_channel *c, int fd);

/* Whether this build can do the cryptography. */
int mpri_channel_has_keys(void);

/* Proves knowledge of the key to the peer and asks it for the same proof:
 * gives the two session keys. -EACCES: the peer does not know the key;
 * -EPROTO: it does not speak this protocol; -ENOTSUP: no cryptography here. */
int mpri_channel_handshake(int fd, int listener, const void *key,
                           size_t key_size, uint8_t send[MPRI_SESSION_KEY],
                           uint8_t receive[MPRI_SESSION_KEY],
                           int64_t deadline_ns);

/* The cipher of one direction: begin makes 24 bytes that the peer needs. */
enum { MPRI_CIPHER_HEADER = 24 };
void mpri_cipher_begin_send(uint8_t state[MPRI_CIPHER_STATE],
                            const uint8_t key[MPRI_SESSION_KEY],
                            uint8_t header[MPRI_CIPHER_HEADER]);
int mpri_cipher_begin_receive(uint8_t state[MPRI_CIPHER_STATE],
                              const uint8_t key[MPRI_SESSION_KEY],
                              const uint8_t header[MPRI_CIPHER_HEADER]);

/* to has MPRI_CHUNK_EXTRA bytes more room than size; returns its size. */
size_t mpri_cipher_seal(uint8_t state[MPRI_CIPHER_STATE], uint8_t *to,
                        const void *from, size_t size, int last);

/* to has room for size bytes, and is not from: the plain size, and whether it
 * was sealed as last; -EBADMSG. */
int mpri_cipher_open(uint8_t state[MPRI_CIPHER_STATE], uint8_t *to,
                     const uint8_t *from, size_t size, size_t *plain,
                     int *last);

#endif
