/* Floor of the rows `process`: fork, _exit and wait; through a server that
 * was forked while small; exec of the stock interpreter. */

#include <spawn.h>
#include <sys/socket.h>

#include "floor.h"

extern char **environ;

enum {
    HEAP_PIECES = 200 * 1000,
    PIECE = 1000,
};

static int loops;

static double fork_and_wait(void)
{
    double start = floor_now();
    for (int i = 0; i < loops; i++) {
        if (floor_fork())
            _exit(0);
        floor_join();
    }
    return (floor_now() - start) / loops;
}

static double measure_fork(void)
{
    loops = 100;
    return floor_best(3, fork_and_wait);
}

/* 200 MB in objects of 1 KB, each page touched. */
static void grow_heap(void)
{
    for (int i = 0; i < HEAP_PIECES; i++) {
        void *piece = malloc(PIECE);
        FLOOR_CHECK(piece != NULL);
        memset(piece, i, PIECE);
    }
}

static double measure_fork_heap(void)
{
    grow_heap();
    loops = 5;
    return floor_best(3, fork_and_wait);
}

static void serve(int fd)
{
    char request;
    while (read(fd, &request, 1) == 1) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        FLOOR_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        FLOOR_CHECK(write(fd, &status, sizeof status) == sizeof status);
    }
    _exit(0);
}

static int server_fd;

static double ask_server(void)
{
    double start = floor_now();
    for (int i = 0; i < loops; i++) {
        int status = -1;
        FLOOR_CHECK(write(server_fd, "f", 1) == 1);
        FLOOR_CHECK(read(server_fd, &status, sizeof status) == sizeof status);
        FLOOR_CHECK(status == 0);
    }
    return (floor_now() - start) / loops;
}

static void start_server(void)
{
    int pair[2];
    FLOOR_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    if (floor_fork()) {
        close(pair[0]);
        serve(pair[1]);
    }
    close(pair[1]);
    server_fd = pair[0];
}

static double measure_forkserver(void)
{
    start_server();
    loops = 100;
    return floor_best(3, ask_server);
}

static double measure_forkserver_heap(void)
{
    start_server();
    grow_heap();
    loops = 100;
    return floor_best(3, ask_server);
}

static double exec_lua(void)
{
    char *lua = getenv("MP_LUA");
    char *arguments[] = {lua, "-e", "", NULL};
    FLOOR_CHECK(lua != NULL);

    double start = floor_now();
    for (int i = 0; i < loops; i++) {
        pid_t pid;
        FLOOR_CHECK(posix_spawnp(&pid, lua, NULL, NULL, arguments, environ) ==
                    0);
        floor_join();
    }
    return (floor_now() - start) / loops;
}

static double measure_spawn(void)
{
    loops = 20;
    return floor_best(3, exec_lua);
}

int main(int argc, char **argv)
{
    static const struct floor_row rows[] = {
        {"fork", measure_fork},
        {"fork_heap", measure_fork_heap},
        {"forkserver", measure_forkserver},
        {"forkserver_heap", measure_forkserver_heap},
        {"spawn", measure_spawn},
        {NULL, NULL},
    };
    return floor_main(argc, argv, rows);
}
