/* Processes that talk over pipes: the life of a message from end to end, and
 * what the others see when one is killed. */

#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct mpr_process_options plain = {.name = "child"};

static int64_t soon(void)
{
    return mpr_after(20);
}

static int send_text(mpr_conn *c, const char *text)
{
    struct mpr_parcel p = {.bytes = text, .size = strlen(text)};

    return mpr_conn_send(c, &p, soon());
}

static void expect_text(mpr_conn *c, const char *text)
{
    struct mpr_message m = {0};

    assert(mpr_conn_recv(c, &m, UINT64_MAX, soon()) == 0);
    assert(m.size == strlen(text) && memcmp(m.bytes, text, m.size) == 0);
    mpr_message_free(&m);
}

static void join(mpr_process *p, int code)
{
    int got;

    assert(mpr_process_join(p, soon()) == 0);
    assert(mpr_process_exit_code(p, &got) == 0);
    if (got != code)
        fprintf(stderr, "exit code %d, not %d\n", got, code);
    assert(got == code);
    mpr_process_close(p);
}

static void echo(void)
{
    mpr_conn a, b;
    mpr_process p;

    assert(mpr_pipe(&a, &b, 1) == 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        struct mpr_message m = {0};

        mpr_handle_close(&a.h);
        while (mpr_conn_recv(&b, &m, UINT64_MAX, soon()) == 0) {
            struct mpr_parcel back = {.bytes = m.bytes, .size = m.size};

            assert(mpr_conn_send(&b, &back, soon()) == 0);
        }
        mpr_process_exit(&p, 7);
    }
    mpr_handle_close(&b.h);
    assert(send_text(&a, "hello") == 0);
    expect_text(&a, "hello");
    for (size_t size = 1; size <= 100u << 20; size *= 10) {
        char *big = malloc(size);
        struct mpr_parcel out = {.bytes = big, .size = size};
        struct mpr_message in = {0};

        memset(big, (int)size, size);
        assert(mpr_conn_send(&a, &out, soon()) == 0);
        assert(mpr_conn_recv(&a, &in, UINT64_MAX, soon()) == 0);
        assert(in.size == size && memcmp(in.bytes, big, size) == 0);
        mpr_message_free(&in);
        free(big);
    }
    mpr_handle_close(&a.h);
    join(&p, 7);
}

static void travelling_end(void)
{
    mpr_conn a, b, c, d;
    mpr_process p;

    assert(mpr_pipe(&a, &b, 1) == 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        struct mpr_message m = {0};
        mpr_conn got;

        assert(mpr_conn_recv(&b, &m, UINT64_MAX, soon()) == 0);
        assert(m.ref_count == 1);
        mpr_conn_attach(&got, &m.refs[0]);
        assert(send_text(&got, "through the end that came") == 0);
        mpr_process_exit(&p, 0);
    }
    assert(mpr_pipe(&c, &d, 1) == 0);
    {
        const mpr_handle *refs[] = {&d.h};
        struct mpr_parcel out = {.refs = refs, .ref_count = 1};
        struct mpr_message m = {0};

        assert(mpr_conn_send(&a, &out, soon()) == 0);
        mpr_handle_close(&d.h); /* the message holds it, then the child */
        expect_text(&c, "through the end that came");
        assert(mpr_conn_recv(&c, &m, UINT64_MAX, soon()) == -EPIPE);
        mpr_message_free(&m);
    }
    join(&p, 0);
    mpr_handle_close(&a.h);
    mpr_handle_close(&b.h);
    mpr_handle_close(&c.h);
}

static void killed(void)
{
    mpr_conn a, b;
    mpr_process p;
    struct mpr_message m = {0};

    assert(mpr_pipe(&a, &b, 1) == 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        mpr_handle_close(&a.h);
        send_text(&b, "last words");
        for (;;)
            pause();
    }
    mpr_handle_close(&b.h);
    expect_text(&a, "last words");
    assert(mpr_conn_recv(&a, &m, UINT64_MAX, mpr_after(0.01)) == -ETIMEDOUT);
    assert(mpr_process_signal(&p, SIGKILL) == 0);
    /* Nobody waits for the child: the sleeper itself notices. */
    assert(mpr_conn_recv(&a, &m, UINT64_MAX, soon()) == -EPIPE);
    assert(send_text(&a, "x") == -EPIPE);
    mpr_message_free(&m);
    mpr_handle_close(&a.h);
    join(&p, -SIGKILL);
}

/* Kills a child that exchanges messages, with ends in them, at every test
 * point it passes. */
static void each_point(void)
{
    for (uint32_t nth = 1;; nth++) {
        mpr_conn a, b;
        mpr_process p;
        int code;

        assert(mpr_pipe(&a, &b, 1) == 0);
        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
            struct mpr_message m = {0};
            mpr_conn c, d;

            mpr_testpoint_arm("*", nth, SIGKILL);
            assert(mpr_pipe(&c, &d, 1) == 0);
            for (int i = 0; i < 2; i++) {
                const mpr_handle *refs[] = {&c.h, &d.h};
                static char big[30000];
                struct mpr_parcel out = {.bytes = big,
                                         .size = i ? sizeof big : 3,
                                         .refs = refs,
                                         .ref_count = 2};

                assert(mpr_conn_send(&b, &out, soon()) == 0);
                assert(mpr_conn_recv(&a, &m, UINT64_MAX, soon()) == 0);
            }
            mpr_message_free(&m);
            mpr_process_exit(&p, 0);
        }
        assert(mpr_process_join(&p, soon()) == 0);
        assert(mpr_process_exit_code(&p, &code) == 0);
        /* The pipe works for those who are left. */
        assert(send_text(&a, "after") == 0);
        for (;;) {
            struct mpr_message m = {0};
            bool done;

            assert(mpr_conn_recv(&b, &m, UINT64_MAX, soon()) == 0);
            done = m.size == 5 && memcmp(m.bytes, "after", 5) == 0;
            mpr_message_free(&m);
            if (done)
                break;
        }
        mpr_process_close(&p);
        mpr_handle_close(&a.h);
        mpr_handle_close(&b.h);
        assert(mpr_check() == 0);
        if (code == 0) {
            printf("%u test points\n", nth - 1);
            break;
        }
        assert(code == -SIGKILL);
    }
}

/* A program of its own has the arena, the given descriptors, and no others. */
static int program(mpr_process *self)
{
    struct mpr_message m = {0};
    struct mpr_parcel back = {.bytes = "done", .size = 4};
    mpr_conn c;
    int fds = 0;

    for (int fd = 3; fd < 1000; fd++)
        fds += fcntl(fd, F_GETFD) >= 0;
    assert(mpr_process_take(self, &m) == 0 && m.ref_count == 1);
    mpr_conn_attach(&c, &m.refs[0]);
    assert(send_text(&c, "from a program of its own") == 0);
    assert(mpr_process_give(self, &back) == 0);
    mpr_message_free(&m);
    /* The arena, the bells, the one that was given. */
    mpr_process_exit(self, fds == 1 + 8 + 1 ? 5 : fds);
}

static void own_program(const char *path)
{
    static const char *argv[] = {NULL, "child", NULL};
    int pipes[2], pid;
    struct mpr_process_options o = {.name = "own", .argv = argv};
    mpr_conn a, b;
    mpr_process p = {0};

    argv[0] = path;
    assert(pipe(pipes) == 0);
    o.fds = &pipes[1];
    o.fd_count = 1;
    assert(mpr_pipe(&a, &b, 1) == 0);
    assert(mpr_process_prepare(&p, &o) == 0);
    {
        const mpr_handle *refs[] = {&b.h};
        struct mpr_parcel out = {.refs = refs, .ref_count = 1};
        struct mpr_message m = {0};

        assert(mpr_process_give(&p, &out) == 0);
        mpr_handle_close(&b.h);
        assert(mpr_process_exec(&p, &o) == 0);
        expect_text(&a, "from a program of its own");
        assert(mpr_conn_recv(&a, &m, UINT64_MAX, soon()) == -EPIPE);
        pid = p.pid;
        assert(mpr_process_join(&p, soon()) == 0);
        assert(mpr_process_take(&p, &m) == 0 && m.size == 4);
        mpr_message_free(&m);
    }
    printf("program %d ended\n", pid);
    join(&p, 5);
    mpr_handle_close(&a.h);
    close(pipes[0]);
    close(pipes[1]);

    /* It ends without a look at what it was given: that is dropped. */
    p = (mpr_process){0};
    argv[0] = "/bin/true";
    assert(mpr_pipe(&a, &b, 1) == 0);
    assert(mpr_process_prepare(&p, &o) == 0);
    {
        const mpr_handle *refs[] = {&b.h};
        struct mpr_parcel out = {.refs = refs, .ref_count = 1};
        struct mpr_message m = {0};

        assert(mpr_process_give(&p, &out) == 0);
        mpr_handle_close(&b.h);
        assert(mpr_process_exec(&p, &o) == 0);
        assert(mpr_process_join(&p, soon()) == 0);
        assert(mpr_conn_recv(&a, &m, UINT64_MAX, soon()) == -EPIPE);
        mpr_handle_close(&a.h);
        mpr_process_close(&p);
    }

    p = (mpr_process){0};
    argv[0] = "/nowhere/at/all";
    assert(mpr_process_prepare(&p, &o) == 0);
    assert(mpr_process_exec(&p, &o) == -ENOENT);
    mpr_process_discard(&p);
}

/* A fork server's child that is over before its creator has asked for a
 * descriptor of it: there is none to have, until a sentinel is wanted. */
static void awaited_late(void)
{
    mpr_process child, late;
    mpr_handle h;

    if (mpr_process_fork(&child, &plain) == MPR_IN_CHILD)
        mpr_process_exit(&child, 0);
    assert(mpr_handle_dup(&child.h, &h) == 0);
    join(&child, 0);
    mpr_process_attach(&late, &h);
    assert(mpr_process_await(&late, soon()) == 0);
    assert(mpr_process_sentinel(&late) >= 0);
    mpr_process_close(&late);
    memset(&late, 0xff, sizeof late); /* nobody follows it any more */
    if (mpr_process_fork(&child, &plain) == MPR_IN_CHILD)
        mpr_process_exit(&child, 0);
    join(&child, 0);
}

int main(int argc, char **argv)
{
    struct mpr_stats before, after;
    mpr_process self;

    (void)argc;
    if (mpr_process_adopt(&self) == 0)
        return program(&self);

    assert(mpr_stats(&before) == 0);
    echo();
    travelling_end();
    killed();
    awaited_late();
    each_point();
    own_program(argv[0]);
    assert(mpr_stats(&after) == 0);
    for (unsigned k = 0; k < MPR_KIND_END; k++)
        if (before.objects[k] != after.objects[k])
            fprintf(stderr, "%s: %llu -> %llu\n", mpr_kind_name(k),
                    (unsigned long long)before.objects[k],
                    (unsigned long long)after.objects[k]);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
    assert(after.holds == before.holds);
    assert(after.processes == 1);
    return 0;
}
