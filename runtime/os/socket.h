#ifndef MPR_OS_SOCKET_H
#define MPR_OS_SOCKET_H

/* Stream sockets, as a contract: Unix paths and TCP. Descriptors are
 * close-on-exec and do not block; waiting is done here, until an absolute
 * deadline. All return -ETIMEDOUT for it and -EINTR when a signal handler ran
 * (nothing is lost: call again with what is left). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MPRI_SOCKET_PATH = 104, MPRI_SOCKET_HOST = 64 };

struct mpri_address {
    int tcp; /* 0: path; else host and port, 4 or 6: of that version of IP */
    char path[MPRI_SOCKET_PATH];
    char host[MPRI_SOCKET_HOST]; /* numeric, once it is bound or accepted */
    uint16_t port;               /* 0: any */
};

/* Listens; *a then says where (a TCP port that was 0 is known). A Unix socket
 * is readable and writable by its owner only; a path that a killed process left
 * is taken over. */
int mpri_socket_listen(struct mpri_address *a, int backlog);

/* A path for a socket in a new folder that only this user can enter. Removes such
 * folders of processes that were killed. */
int mpri_socket_private(char path[MPRI_SOCKET_PATH]);

/* Accepts; *peer says who. A Unix peer of another user is refused: -EPERM. */
int mpri_socket_accept(int fd, struct mpri_address *peer, int64_t deadline_ns);

int mpri_socket_connect(const struct mpri_address *a, int64_t deadline_ns);

/* Reads or writes all of it; *done counts on from where it was. -EPIPE: the
 * other side is gone. */
int mpri_socket_read(int fd, void *to, size_t size, size_t *done,
                     int64_t deadline_ns);
int mpri_socket_write(int fd, const void *from, size_t size, size_t *done,
                      int64_t deadline_ns);

/* A TCP peer whose machine says nothing for so many seconds (2 at least) counts
 * as gone; other sockets need no such thing. */
int mpri_socket_keepalive(int fd, int seconds);

/* Whether so many bytes are there; they stay. */
bool mpri_socket_peek(int fd, void *to, size_t size);

/* 1 when a read would not wait, 0 when the deadline passed. */
int mpri_socket_poll(int fd, int64_t deadline_ns);

#endif
