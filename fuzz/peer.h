#ifndef MPR_FUZZ_PEER_H
#define MPR_FUZZ_PEER_H

/* A peer that says the bytes and then nothing more. */

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void expect(int what)
{
    if (!what)
        abort();
}

/* Our end of the connection to it; *peer is its end. */
static inline int peer_says(const uint8_t *bytes, size_t size, int *peer)
{
    int fd[2];

    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                      fd) == 0);
    while (size > 0) {
        ssize_t n = send(fd[1], bytes, size, MSG_NOSIGNAL);

        if (n <= 0)
            break; /* more than the socket holds: the rest is not said */
        bytes += n;
        size -= (size_t)n;
    }
    expect(shutdown(fd[1], SHUT_WR) == 0);
    *peer = fd[1];
    return fd[0];
}

#endif
