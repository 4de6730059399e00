#include "ipc/channel.h"

#include "base/deadline.h"
#include "ipc/message.h"
#include "life/block.h"
#include "os/os.h"
#include "os/socket.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST 0x80000000U

enum { SIZE_BYTES = 8 };

/* A peer that stops in the middle of a message for so long is given up. */
static const int64_t STALLED = 30 * MPRI_SECOND;

/* Shared by the processes that have the descriptor: see channel.h. */
struct direction {
    struct mpri_mutex busy;
    uint32_t broken;
    uint32_t unused;
    uint8_t cipher[MPRI_CIPHER_STATE];
};

struct link {
    uint32_t encrypted; /* Fixed after init */
    uint32_t unused;
    struct direction sending;
    struct direction receiving;
};

static struct link *link_of(const mpr_channel *c)
{
    return mpri_data(&c->h);
}

/* One direction, for one message. */
static int enter(struct direction *d, int64_t deadline)
{
    int r = mpri_mutex_lock(&d->busy, deadline);

    if (r == -ETIMEDOUT)
        return r;
    if (d->broken) {
        mpri_mutex_unlock(&d->busy);
        return -EPIPE;
    }
    d->broken = 1;
    return 0;
}

/* whole: the message ended at its end, the direction goes on. */
static void leave(struct direction *d, bool whole)
{
    d->broken = !whole;
    mpri_mutex_unlock(&d->busy);
}

static int write_all(int fd, const void *from, size_t size, int64_t deadline)
{
    size_t done = 0;
    int r;

    /* In the middle of a message a signal has to wait for its end. */
    do
        r = mpri_socket_write(fd, from, size, &done, deadline);
    while (r == -EINTR);
    return r;
}

static int read_all(int fd, void *to, size_t size, int64_t deadline)
{
    size_t done = 0;
    int r;

    do
        r = mpri_socket_read(fd, to, size, &done, deadline);
    while (r == -EINTR);
    return r;
}

static void put_u32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 |
           (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static int send_chunk(mpr_channel *c, struct link *l, const uint8_t *plain,
                      size_t size, int last, uint8_t *out)
{
    size_t n = size;

    if (l->encrypted)
        n = mpri_cipher_seal(l->sending.cipher, out + 4, plain, size, last);
    else
        memcpy(out + 4, plain, size);
    put_u32(out, (uint32_t)n | (last && !l->encrypted ? LAST : 0));
    return write_all(c->fd, out, n + 4, MPR_FOREVER);
}

int mpr_channel_send(mpr_channel *c, const void *bytes, uint64_t size)
{
    struct link *l = link_of(c);
    const uint8_t *at = bytes;
    uint64_t left = size;
    uint8_t *plain, *out;
    bool first = true;
    int r;

    plain = malloc(2 * MPRI_CHUNK + MPRI_CHUNK_EXTRA + 4);
    if (!plain)
        return -ENOMEM;
    out = plain + MPRI_CHUNK;
    r = enter(&l->sending, MPR_FOREVER);
    if (r < 0) {
        free(plain);
        return r;
    }
    do {
        size_t head = 0, n;

        if (first) {
            put_u32(plain, (uint32_t)size);
            put_u32(plain + 4, (uint32_t)(size >> 32));
            head = SIZE_BYTES;
        }
        n = left < MPRI_CHUNK - head ? (size_t)left : MPRI_CHUNK - head;
        if (n)
            memcpy(plain + head, at, n);
        at += n;
        left -= n;
        r = send_chunk(c, l, plain, head + n, left == 0, out);
        first = false;
    } while (r == 0 && left > 0);
    leave(&l->sending, r == 0);
    free(plain);
    return r;
}

/* A chunk's plain bytes into to (MPRI_CHUNK of room). */
static int receive_chunk(mpr_channel *c, struct link *l, uint8_t *to,
                         size_t *size, int *last, uint8_t *in)
{
    uint8_t head[4];
    uint32_t n;
    int64_t deadline = mpri_now_ns() + STALLED;
    int r = read_all(c->fd, head, sizeof head, deadline);

    if (r < 0)
        return r;
    n = get_u32(head);
    *last = (n & LAST) != 0;
    n &= ~LAST;
    if (n > MPRI_CHUNK + (l->encrypted ? MPRI_CHUNK_EXTRA : 0))
        return -EBADMSG;
    r = read_all(c->fd, l->encrypted ? in : to, n, deadline);
    if (r < 0 || !l->encrypted) {
        *size = n;
        return r;
    }
    r = mpri_cipher_open(l->receiving.cipher, to, in, n, size, last);
    return r == 0 && *size > MPRI_CHUNK ? -EBADMSG : r;
}

static int receive_message(mpr_channel *c, struct link *l,
                           struct mpr_message *m, uint64_t max, uint8_t *chunk)
{
    uint64_t size = 0, have = 0;
    size_t n;
    int last = 0, r;

    for (bool first = true; !last; first = false) {
        const uint8_t *at = chunk;

        r = receive_chunk(c, l, chunk, &n, &last, chunk + MPRI_CHUNK);
        if (r < 0)
            return r;
        if (first) {
            if (n < SIZE_BYTES)
                return -EBADMSG;
            size = get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
            if (size > max)
                return -EMSGSIZE;
            at += SIZE_BYTES;
            n -= SIZE_BYTES;
        }
        if (n > size - have || (n == 0 && !last))
            return -EBADMSG;
        /* Memory grows with what came, not with what was announced. */
        r = mpri_message_reserve(m, have + n, 0);
        if (r < 0)
            return r;
        if (n)
            memcpy(m->buffer + have, at, n);
        have += n;
    }
    if (have != size)
        return -EBADMSG;
    m->bytes = m->buffer;
    m->size = size;
    return 0;
}

/* Whether the next message is longer than that, as far as it can be told with
 * the message left where it is: not of one that is encrypted, and not before its
 * size has come. */
static bool is_longer(const mpr_channel *c, const struct link *l, uint64_t max)
{
    uint8_t head[4 + SIZE_BYTES];

    if (l->encrypted || !mpri_socket_peek(c->fd, head, sizeof head))
        return false;
    return (get_u32(head + 4) | (uint64_t)get_u32(head + 8) << 32) > max;
}

int mpr_channel_receive(mpr_channel *c, struct mpr_message *m, uint64_t max,
                        int64_t deadline)
{
    struct link *l = link_of(c);
    uint8_t *chunk;
    int r;

    mpr_message_clear(m);
    r = mpri_socket_poll(c->fd, deadline);
    if (r <= 0)
        return r == 0 ? -ETIMEDOUT : r;
    chunk = malloc(2 * MPRI_CHUNK + MPRI_CHUNK_EXTRA);
    if (!chunk)
        return -ENOMEM;
    r = enter(&l->receiving, deadline);
    if (r == 0) {
        /* Another process may have taken what was there. */
        r = mpri_socket_poll(c->fd, deadline);
        if (r <= 0) {
            leave(&l->receiving, true);
            r = r == 0 ? -ETIMEDOUT : r;
        } else if (is_longer(c, l, max)) {
            leave(&l->receiving, true);
            r = -EMSGSIZE;
        } else {
            r = receive_message(c, l, m, max, chunk);
            leave(&l->receiving, r == 0);
        }
    }
    free(chunk);
    return r;
}

int mpr_channel_poll(mpr_channel *c, int64_t deadline)
{
    return mpri_socket_poll(c->fd, deadline);
}

/* Both sides give their cipher's header, in the open. */
static int begin_ciphers(mpr_channel *c, const uint8_t *send_key,
                         const uint8_t *receive_key, int64_t deadline)
{
    uint8_t ours[MPRI_CIPHER_HEADER], theirs[MPRI_CIPHER_HEADER];
    struct link *l = link_of(c);
    int r;

    mpri_cipher_begin_send(l->sending.cipher, send_key, ours);
    r = write_all(c->fd, ours, sizeof ours, deadline);
    if (r == 0)
        r = read_all(c->fd, theirs, sizeof theirs, deadline);
    if (r == 0)
        r = mpri_cipher_begin_receive(l->receiving.cipher, receive_key, theirs);
    l->encrypted = 1;
    return r;
}

int mpri_channel_make(mpr_channel *c, int fd)
{
    int r = mpri_block_create(sizeof(struct link), MPRI_BLOCK_ZERO, &c->h);

    c->fd = fd;
    if (r < 0)
        mpr_channel_close(c);
    return r;
}

/* Both sides prove that they know the key, and encrypt from then on. */
static int greet(mpr_channel *c, int listener, const void *key, size_t key_size,
                 int64_t deadline)
{
    uint8_t send_key[MPRI_SESSION_KEY], receive_key[MPRI_SESSION_KEY];
    int r = mpri_channel_handshake(c->fd, listener, key, key_size, send_key,
                                   receive_key, deadline);

    if (r == 0)
        r = begin_ciphers(c, send_key, receive_key, deadline);
    memset(send_key, 0, sizeof send_key);
    memset(receive_key, 0, sizeof receive_key);
    if (r < 0)
        mpr_channel_close(c);
    return r;
}

static void to_address(const struct mpri_address *from, struct mpr_address *to)
{
    to->tcp = from->tcp;
    memcpy(to->path, from->path, sizeof to->path);
    memcpy(to->host, from->host, sizeof to->host);
    to->port = from->port;
}

static void from_address(const struct mpr_address *from,
                         struct mpri_address *to)
{
    memset(to, 0, sizeof *to);
    to->tcp = from->tcp;
    memcpy(to->path, from->path, sizeof from->path);
    memcpy(to->host, from->host, sizeof from->host);
    to->port = from->port;
}

int mpr_listen(struct mpr_address *a, int backlog)
{
    struct mpri_address at;
    int fd;

    from_address(a, &at);
    fd = mpri_socket_listen(&at, backlog);
    if (fd >= 0)
        to_address(&at, a);
    return fd;
}

int mpr_listen_private(struct mpr_address *a)
{
    memset(a, 0, sizeof *a);
    return mpri_socket_private(a->path);
}

/* A peer that stalls in its handshake may not hold up the listener. */
static const int64_t PATIENCE = 5 * MPRI_SECOND;

int mpr_take(int listener, mpr_channel *c, struct mpr_address *peer,
             int64_t deadline)
{
    struct mpri_address who;
    int fd, r = mpr_open();

    if (r < 0)
        return r;
    fd = mpri_socket_accept(listener, &who, deadline);
    if (fd < 0)
        return fd;
    to_address(&who, peer);
    return mpri_channel_make(c, fd);
}

int mpr_greet(mpr_channel *c, const void *key, size_t key_size)
{
    return greet(c, 1, key, key_size, mpri_now_ns() + PATIENCE);
}

int mpr_accept(int listener, mpr_channel *c, struct mpr_address *peer,
               const void *key, size_t key_size, int64_t deadline)
{
    int r;

    /* Who vanishes, or stalls, before the proof was nobody. */
    do {
        r = mpr_take(listener, c, peer, deadline);
        if (r < 0 || !key)
            return r;
        r = mpr_greet(c, key, key_size);
    } while (r == -EPIPE || (r == -ETIMEDOUT && mpri_now_ns() < deadline));
    return r;
}

int mpr_connect(mpr_channel *c, const struct mpr_address *a, const void *key,
                size_t key_size, int64_t deadline)
{
    struct mpri_address to;
    int fd, r = mpr_open();

    if (r < 0)
        return r;
    from_address(a, &to);
    fd = mpri_socket_connect(&to, deadline);
    if (fd < 0)
        return fd;
    r = mpri_channel_make(c, fd);
    if (r < 0 || !key)
        return r;
    /* The listener may be busy with others who stall. */
    if (deadline == MPR_FOREVER)
        deadline = mpri_now_ns() + 2 * PATIENCE;
    return greet(c, 0, key, key_size, deadline);
}

int mpr_channel_keepalive(mpr_channel *c, int seconds)
{
    return mpri_socket_keepalive(c->fd, seconds);
}

void mpr_channel_close(mpr_channel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    mpri_drop(&c->h);
}

int mpr_has_keys(void)
{
    return mpri_channel_has_keys();
}
