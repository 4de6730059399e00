/* How two processes that share a key, and nothing else, come to trust a socket.
 *
 *   client -> server   "mp-net-1", an ephemeral public key, 32 random bytes
 *   server -> client   the same of its own, proof S
 *   client -> server   proof C, or zeros: it does not believe S
 *
 * Both compute the Diffie-Hellman secret of the ephemeral keys and hash it with
 * the shared key and all that was said: without the key nobody gets that far,
 * with it nobody but the two does, and what was recorded stays secret if the
 * key is lost later. A proof is a keyed hash of "server" or "client" with it;
 * the two session keys are further such hashes. The random bytes are fresh on
 * both sides, so nothing recorded can be played again. All of it is libsodium's
 * X25519, BLAKE2b and XChaCha20-Poly1305; nothing is of our own making. */

#include "ipc/channel.h"

#include "os/socket.h"

#include <errno.h>

#ifdef MPR_SODIUM

#include "ipc/sodium.h"

#include <string.h>

#define MAGIC "mp-net-1"

enum { MAGIC_SIZE = 8, PROOF = 32, NONCE = 32 };

_Static_assert(sizeof(crypto_secretstream_xchacha20poly1305_state) <=
                   MPRI_CIPHER_STATE,
               "the state fits");
_Static_assert(crypto_secretstream_xchacha20poly1305_HEADERBYTES ==
                   MPRI_CIPHER_HEADER,
               "the header fits");

_Static_assert(crypto_secretstream_xchacha20poly1305_ABYTES == MPRI_CHUNK_EXTRA,
               "what sealing adds");

struct hello {
    uint8_t magic[MAGIC_SIZE];
    uint8_t public[crypto_scalarmult_BYTES];
    uint8_t nonce[NONCE];
};

int mpri_channel_has_keys(void)
{
    return mpri_sodium() != NULL;
}

static int send_all(int fd, const void *from, size_t size, int64_t deadline)
{
    size_t done = 0;
    int r;

    do
        r = mpri_socket_write(fd, from, size, &done, deadline);
    while (r == -EINTR);
    return r;
}

static int receive_all(int fd, void *to, size_t size, int64_t deadline)
{
    size_t done = 0;
    int r;

    do
        r = mpri_socket_read(fd, to, size, &done, deadline);
    while (r == -EINTR);
    return r;
}

/* hash = BLAKE2b, keyed with secret, of the label. */
static void derive(uint8_t out[32], const uint8_t secret[32], const char *label)
{
    const struct mpri_sodium *na = mpri_sodium();

    na->crypto_generichash(out, 32, (const uint8_t *)label, strlen(label),
                           secret, 32);
}

static int agree(const struct hello *client, const struct hello *server,
                 const uint8_t own[32], const uint8_t other[32],
                 const void *key, size_t key_size, uint8_t secret[32])
{
    const struct mpri_sodium *na = mpri_sodium();
    crypto_generichash_state h;
    uint8_t shared[crypto_scalarmult_BYTES], key_hash[32];

    if (na->crypto_scalarmult(shared, own, other) != 0)
        return -EPROTO; /* a key that makes the secret known */
    na->crypto_generichash(key_hash, sizeof key_hash, key, key_size, NULL, 0);
    na->crypto_generichash_init(&h, key_hash, sizeof key_hash, 32);
    na->crypto_generichash_update(&h, shared, sizeof shared);
    na->crypto_generichash_update(&h, (const uint8_t *)client, sizeof *client);
    na->crypto_generichash_update(&h, (const uint8_t *)server, sizeof *server);
    na->crypto_generichash_final(&h, secret, 32);
    na->sodium_memzero(shared, sizeof shared);
    na->sodium_memzero(key_hash, sizeof key_hash);
    return 0;
}

/* The peer's proof must be the hash for the label. */
static int check_proof(int fd, const uint8_t secret[32], const char *label,
                       int64_t deadline)
{
    const struct mpri_sodium *na = mpri_sodium();
    uint8_t want[PROOF], got[PROOF];
    int r = receive_all(fd, got, sizeof got, deadline);

    if (r < 0)
        return r;
    derive(want, secret, label);
    return na->sodium_memcmp(want, got, sizeof want) == 0 ? 0 : -EACCES;
}

static int give_proof(int fd, const uint8_t secret[32], const char *label,
                      int64_t deadline)
{
    uint8_t proof[PROOF];

    derive(proof, secret, label);
    return send_all(fd, proof, sizeof proof, deadline);
}

/* Tells the listener from a client that is gone. */
static void give_none(int fd, int64_t deadline)
{
    static const uint8_t none[PROOF];

    send_all(fd, none, sizeof none, deadline);
}

int mpri_channel_handshake(int fd, int listener, const void *key,
                           size_t key_size, uint8_t send[MPRI_SESSION_KEY],
                           uint8_t receive[MPRI_SESSION_KEY], int64_t deadline)
{
    const struct mpri_sodium *na = mpri_sodium();
    struct hello own, other;
    uint8_t private[crypto_scalarmult_SCALARBYTES], secret[32];
    int r;

    if (!na)
        return -ENOTSUP;
    memcpy(own.magic, MAGIC, MAGIC_SIZE);
    na->randombytes_buf(private, sizeof private);
    na->crypto_scalarmult_base(own.public, private);
    na->randombytes_buf(own.nonce, sizeof own.nonce);
    r = listener ? 0 : send_all(fd, &own, sizeof own, deadline);
    if (r == 0)
        r = receive_all(fd, &other, sizeof other, deadline);
    if (r == 0 && memcmp(other.magic, MAGIC, MAGIC_SIZE) != 0)
        r = -EPROTO;
    if (r == 0)
        r = listener ? agree(&other, &own, private, other.public, key, key_size,
                             secret)
                     : agree(&own, &other, private, other.public, key, key_size,
                             secret);
    if (r == 0 && listener)
        r = send_all(fd, &own, sizeof own, deadline);
    if (r == 0 && listener)
        r = give_proof(fd, secret, "server", deadline);
    if (r == 0)
        r = check_proof(fd, secret, listener ? "client" : "server", deadline);
    if (r == 0 && !listener)
        r = give_proof(fd, secret, "client", deadline);
    else if (r == -EACCES && !listener)
        give_none(fd, deadline);
    if (r == 0) {
        derive(send, secret, listener ? "from server" : "from client");
        derive(receive, secret, listener ? "from client" : "from server");
    }
    na->sodium_memzero(private, sizeof private);
    na->sodium_memzero(secret, sizeof secret);
    return r;
}

static crypto_secretstream_xchacha20poly1305_state *
state_of(uint8_t state[MPRI_CIPHER_STATE])
{
    return (void *)state;
}

void mpri_cipher_begin_send(uint8_t state[MPRI_CIPHER_STATE],
                            const uint8_t key[MPRI_SESSION_KEY],
                            uint8_t header[MPRI_CIPHER_HEADER])
{
    const struct mpri_sodium *na = mpri_sodium();

    na->crypto_secretstream_xchacha20poly1305_init_push(state_of(state), header,
                                                        key);
}

int mpri_cipher_begin_receive(uint8_t state[MPRI_CIPHER_STATE],
                              const uint8_t key[MPRI_SESSION_KEY],
                              const uint8_t header[MPRI_CIPHER_HEADER])
{
    const struct mpri_sodium *na = mpri_sodium();

    return na->crypto_secretstream_xchacha20poly1305_init_pull(state_of(state),
                                                               header, key) == 0
               ? 0
               : -EBADMSG;
}

size_t mpri_cipher_seal(uint8_t state[MPRI_CIPHER_STATE], uint8_t *to,
                        const void *from, size_t size, int last)
{
    const struct mpri_sodium *na = mpri_sodium();
    unsigned long long sealed;

    na->crypto_secretstream_xchacha20poly1305_push(
        state_of(state), to, &sealed, from, size, NULL, 0,
        last ? crypto_secretstream_xchacha20poly1305_TAG_PUSH
             : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    return (size_t)sealed;
}

int mpri_cipher_open(uint8_t state[MPRI_CIPHER_STATE], uint8_t *to,
                     const uint8_t *from, size_t size, size_t *plain, int *last)
{
    const struct mpri_sodium *na = mpri_sodium();
    unsigned long long opened;
    unsigned char tag;

    if (size < crypto_secretstream_xchacha20poly1305_ABYTES ||
        na->crypto_secretstream_xchacha20poly1305_pull(
            state_of(state), to, &opened, &tag, from, size, NULL, 0) != 0)
        return -EBADMSG;
    *plain = (size_t)opened;
    *last = tag == crypto_secretstream_xchacha20poly1305_TAG_PUSH;
    return 0;
}

#else

/* Built without libsodium: a key cannot be used, and says so. */

int mpri_channel_has_keys(void)
{
    return 0;
}

int mpri_channel_handshake(int fd, int listener, const void *key,
                           size_t key_size, uint8_t send[MPRI_SESSION_KEY],
                           uint8_t receive[MPRI_SESSION_KEY], int64_t deadline)
{
    (void)fd, (void)listener, (void)key, (void)key_size;
    (void)send, (void)receive, (void)deadline;
    return -ENOTSUP;
}

void mpri_cipher_begin_send(uint8_t state[MPRI_CIPHER_STATE],
                            const uint8_t key[MPRI_SESSION_KEY],
                            uint8_t header[MPRI_CIPHER_HEADER])
{
    (void)state, (void)key, (void)header;
}

int mpri_cipher_begin_receive(uint8_t state[MPRI_CIPHER_STATE],
                              const uint8_t key[MPRI_SESSION_KEY],
                              const uint8_t header[MPRI_CIPHER_HEADER])
{
    (void)state, (void)key, (void)header;
    return -ENOTSUP;
}

size_t mpri_cipher_seal(uint8_t state[MPRI_CIPHER_STATE], uint8_t *to,
                        const void *from, size_t size, int last)
{
    (void)state, (void)to, (void)from, (void)size, (void)last;
    return 0;
}

int mpri_cipher_open(uint8_t state[MPRI_CIPHER_STATE], uint8_t *to,
                     const uint8_t *from, size_t size, size_t *plain, int *last)
{
    (void)state, (void)to, (void)from, (void)size, (void)plain, (void)last;
    return -ENOTSUP;
}

#endif
