#include "os/socket.h"

#include "os/os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

union any {
    struct sockaddr sa;
    struct sockaddr_un un;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Waits for the events: 1, or -errno. */
static int wait_for(int fd, short events, int64_t deadline_ns)
{
    struct pollfd p = {.fd = fd, .events = events};
    struct timespec t, *timeout = NULL;
    int r;

    if (deadline_ns != INT64_MAX) {
        int64_t left = deadline_ns - mpri_now_ns();

        if (left < 0)
            left = 0;
        t.tv_sec = (time_t)(left / 1000000000LL);
        t.tv_nsec = (long)(left % 1000000000LL);
        timeout = &t;
    }
    r = ppoll(&p, 1, timeout, NULL);
    if (r < 0)
        return -errno;
    if (p.revents & POLLNVAL)
        return -EBADF;
    return r == 0 ? -ETIMEDOUT : 1;
}

int mpri_socket_poll(int fd, int64_t deadline_ns)
{
    int r = wait_for(fd, POLLIN, deadline_ns);

    return r == -ETIMEDOUT ? 0 : r;
}

bool mpri_socket_peek(int fd, void *to, size_t size)
{
    return recv(fd, to, size, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)size;
}

static int family_of(const struct mpri_address *a)
{
    return a->tcp == 4 ? AF_INET : a->tcp == 6 ? AF_INET6 : AF_UNSPEC;
}

/* Fills in where: one of the addresses the name stands for. */
static int resolve(const struct mpri_address *a, union any *where,
                   socklen_t *size)
{
    struct addrinfo hints = {.ai_family = family_of(a),
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    char port[8];

    memset(where, 0, sizeof *where);
    if (!a->tcp) {
        where->un.sun_family = AF_UNIX;
        memcpy(where->un.sun_path, a->path, sizeof a->path);
        *size = sizeof where->un;
        return 0;
    }
    snprintf(port, sizeof port, "%u", a->port);
    if (getaddrinfo(a->host, port, &hints, &list) != 0)
        return -EADDRNOTAVAIL;
    *size = list->ai_addrlen;
    if (*size <= sizeof *where)
        memcpy(where, list->ai_addr, *size);
    freeaddrinfo(list);
    return *size <= sizeof *where ? 0 : -EADDRNOTAVAIL;
}

static void describe(const union any *where, struct mpri_address *a)
{
    if (where->sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &where->in.sin_addr, a->host, sizeof a->host);
        a->port = ntohs(where->in.sin_port);
    } else if (where->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &where->in6.sin6_addr, a->host, sizeof a->host);
        a->port = ntohs(where->in6.sin6_port);
    }
}

static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

static void tune(int fd, int tcp)
{
    int on = 1;

    if (tcp) /* a message is small and waited for */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Whether the path is a socket that nobody listens to any more: its process
 * was killed. A socket of another type asks without disturbing a listener: that
 * one's answer is EPROTOTYPE. */
static bool is_stale(const union any *where, socklen_t size)
{
    struct stat st;
    int fd, r;

    if (lstat(where->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    r = connect(fd, &where->sa, size) < 0 ? errno : 0;
    close(fd);
    return r == ECONNREFUSED;
}

static int bind_to(int fd, const union any *where, socklen_t size)
{
    if (bind(fd, &where->sa, size) == 0)
        return 0;
    if (errno != EADDRINUSE || where->sa.sa_family != AF_UNIX)
        return -errno;
    if (!is_stale(where, size))
        return -EADDRINUSE;
    if (unlink(where->un.sun_path) < 0)
        return -errno;
    return bind(fd, &where->sa, size) < 0 ? -errno : 0;
}

int mpri_socket_listen(struct mpri_address *a, int backlog)
{
    union any where;
    socklen_t size;
    mode_t before;
    int fd, err = resolve(a, &where, &size), on = 1;

    if (err < 0)
        return err;
    fd = open_socket(where.sa.sa_family);
    if (fd < 0)
        return fd;
    if (a->tcp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    before = umask(0177); /* the socket is private from its first moment */
    err = bind_to(fd, &where, size);
    umask(before);
    if (err == 0 && listen(fd, backlog) < 0)
        err = -errno;
    size = sizeof where;
    if (err == 0 && a->tcp) {
        if (getsockname(fd, &where.sa, &size) < 0)
            err = -errno;
        else
            describe(&where, a);
    }
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

/* Whether the process at the other end is of our user, or root's. */
static int same_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

int mpri_socket_accept(int listener, struct mpri_address *peer,
                       int64_t deadline_ns)
{
    union any where;
    int fd;

    for (;;) {
        socklen_t size = sizeof where;
        int r = wait_for(listener, POLLIN, deadline_ns);

        if (r < 0)
            return r;
        memset(&where, 0, sizeof where);
        fd = accept4(listener, &where.sa, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            break;
        /* Another process was faster, or the peer has gone already. */
        if (errno != EAGAIN && errno != ECONNABORTED)
            return -errno;
    }
    memset(peer, 0, sizeof *peer);
    peer->tcp = where.sa.sa_family != AF_UNIX;
    describe(&where, peer);
    if (!peer->tcp && !same_user(fd)) {
        close(fd);
        return -EPERM;
    }
    tune(fd, peer->tcp);
    return fd;
}

int mpri_socket_connect(const struct mpri_address *a, int64_t deadline_ns)
{
    union any where;
    socklen_t size, n = sizeof(int);
    int fd, r, err = resolve(a, &where, &size);

    if (err < 0)
        return err;
    fd = open_socket(where.sa.sa_family);
    if (fd < 0)
        return fd;
    for (;;) {
        r = connect(fd, &where.sa, size) < 0 ? -errno : 0;
        if (r != -EAGAIN) /* a Unix listener's backlog is full */
            break;
        if (mpri_now_ns() >= deadline_ns) {
            r = -ETIMEDOUT;
            break;
        }
        if (poll(NULL, 0, 1) < 0 && errno == EINTR) {
            close(fd);
            return -EINTR; /* nothing has begun */
        }
    }
    if (r == -EINPROGRESS || r == -EINTR) {
        do
            r = wait_for(fd, POLLOUT, deadline_ns);
        while (r == -EINTR);
        if (r == 1)
            r = getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 ? -errno
                                                                   : -err;
    }
    if (r == 0 && !a->tcp && !same_user(fd))
        r = -EPERM;
    if (r < 0) {
        close(fd);
        return r;
    }
    tune(fd, a->tcp);
    return fd;
}

int mpri_socket_keepalive(int fd, int seconds)
{
    int on = 1, step = seconds > 4 ? seconds / 4 : 1;
    int probes = seconds > 1 ? (seconds - step) / step : 1;
    unsigned unheard_ms = (unsigned)seconds * 1000;
    socklen_t size = sizeof on;
    int family;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
        return -errno;
    if (family == AF_UNIX)
        return 0;
    /* The first probe after a step's silence, the last one a step before the
     * end; what was sent and not acknowledged has the same time. */
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &step, sizeof step) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &step, sizeof step) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms,
                   sizeof unheard_ms) < 0)
        return -errno;
    return 0;
}

/* What recv and send say when the other side, or the way to it, is no more. */
static bool is_gone(int err)
{
    return err == EPIPE || err == ECONNRESET || err == ETIMEDOUT ||
           err == EHOSTUNREACH || err == ENETUNREACH || err == EHOSTDOWN;
}

int mpri_socket_read(int fd, void *to, size_t size, size_t *done,
                     int64_t deadline_ns)
{
    while (*done < size) {
        ssize_t n = recv(fd, (char *)to + *done, size - *done, 0);
        int r;

        if (n > 0) {
            *done += (size_t)n;
            continue;
        }
        if (n == 0 || is_gone(errno))
            return -EPIPE;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        r = wait_for(fd, POLLIN, deadline_ns);
        if (r < 0)
            return r;
    }
    return 0;
}

int mpri_socket_write(int fd, const void *from, size_t size, size_t *done,
                      int64_t deadline_ns)
{
    while (*done < size) {
        ssize_t n =
            send(fd, (const char *)from + *done, size - *done, MSG_NOSIGNAL);
        int r;

        if (n >= 0) {
            *done += (size_t)n;
            continue;
        }
        if (is_gone(errno))
            return -EPIPE;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        r = wait_for(fd, POLLOUT, deadline_ns);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Folders of sockets that nobody chose a path for. */
#define PRIVATE "%s/mp-%u-"

static const char *temporary(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && dir[0] == '/' && strlen(dir) < 40 ? dir : "/tmp";
}

/* Removes what killed processes left. */
static void remove_stale(void)
{
    char pattern[MPRI_SOCKET_PATH];
    glob_t found;

    snprintf(pattern, sizeof pattern, PRIVATE "*/socket", temporary(),
             (unsigned)geteuid());
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        union any where = {.un.sun_family = AF_UNIX};
        char *path = found.gl_pathv[i];

        if (strlen(path) >= sizeof where.un.sun_path)
            continue;
        memcpy(where.un.sun_path, path, strlen(path));
        if (is_stale(&where, sizeof where.un) && unlink(path) == 0) {
            *strrchr(path, '/') = '\0';
            rmdir(path);
        }
    }
    globfree(&found);
}

int mpri_socket_private(char path[MPRI_SOCKET_PATH])
{
    char folder[MPRI_SOCKET_PATH - sizeof "/socket"];

    remove_stale();
    snprintf(folder, sizeof folder, PRIVATE "XXXXXX", temporary(),
             (unsigned)geteuid());
    if (!mkdtemp(folder))
        return -errno;
    snprintf(path, MPRI_SOCKET_PATH, "%s/socket", folder);
    return 0;
}
