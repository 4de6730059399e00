/* Lists in named memory: whole items under threads, processes and kills. */

#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LONG = 1000 };

static const struct mpr_process_options plain = {.name = "child"};
static char name[64];
static char text_a[LONG], text_b[LONG / 2];

static struct mpr_item text(const char *t, uint64_t size)
{
    return (struct mpr_item){.type = MPR_ITEM_TEXT, .text = t, .size = size};
}

static void items(void)
{
    struct mpr_item in[] = {
        {.type = MPR_ITEM_NIL},
        {.type = MPR_ITEM_BOOLEAN, .n.u = 1},
        {.type = MPR_ITEM_INTEGER, .n.i = INT64_MIN},
        {.type = MPR_ITEM_FLOAT, .n.d = -0.5},
        text("a\0b", 3),
        text("", 0),
    };
    enum { N = sizeof in / sizeof in[0] };
    mpr_shareable l, other;
    mpr_memory m;
    struct mpr_item out;
    char buf[16];
    int fd;

    assert(mpr_shareable_create(&l, name, 0, in, N) == 0);
    assert(mpr_shareable_open(&other, name) == 0);
    assert(mpr_shareable_count(&other) == N);
    for (uint64_t i = 0; i < N; i++) {
        assert(mpr_shareable_room(&other, i) == 8);
        assert(mpr_shareable_get(&other, i, buf, &out) == 0);
        assert(out.type == in[i].type);
        if (out.type == MPR_ITEM_TEXT)
            assert(out.size == in[i].size &&
                   memcmp(out.text, in[i].text, out.size) == 0);
        else if (out.type != MPR_ITEM_NIL)
            assert(out.n.u == in[i].n.u);
    }
    in[0] = text("12345678", 8);
    assert(mpr_shareable_set(&l, 0, &in[0]) == 0);
    in[0] = text("123456789", 9);
    assert(mpr_shareable_set(&l, 0, &in[0]) == -EMSGSIZE);
    assert(mpr_shareable_get(&other, 0, buf, &out) == 0 && out.size == 8);
    in[0].type = MPR_ITEM_TABLE;
    assert(mpr_shareable_set(&l, 0, &in[0]) == -EINVAL);
    assert(mpr_shareable_create(&other, NULL, 0, in, N) == -EINVAL);
    mpr_shareable_close(&other);

    /* Nonsense that others wrote is told from items. */
    fd = shm_open(name, O_RDWR, 0);
    assert(fd >= 0);
    for (off_t at = 128; at < 128 + 32; at++)
        assert(pwrite(fd, "\xff", 1, at) == 1);
    assert(mpr_shareable_get(&l, 0, buf, &out) == -EBADMSG);
    assert(mpr_shareable_open(&other, name) == -EPROTO);
    close(fd);
    mpr_shareable_close(&l);

    assert(mpr_memory_create(&m, name, 100, 0) == 0);
    assert(mpr_shareable_open(&other, name) == -EPROTO);
    mpr_memory_close(&m);
    assert(mpr_shareable_create(&l, name, 0, NULL, 0) == 0);
    assert(mpr_shareable_count(&l) == 0);
    mpr_shareable_close(&l);
}

/* One slot, two texts: whoever reads sees one of them, whole. */
static void write_texts(const mpr_shareable *l, int rounds)
{
    struct mpr_item a = text(text_a, sizeof text_a);
    struct mpr_item b = text(text_b, sizeof text_b);

    for (int i = 0; i < rounds; i++)
        assert(mpr_shareable_set(l, 0, i % 2 ? &a : &b) == 0);
}

static void check_text(const mpr_shareable *l)
{
    char buf[LONG + 8];
    struct mpr_item out;

    assert(mpr_shareable_get(l, 0, buf, &out) == 0);
    if (out.size == sizeof text_a)
        assert(memcmp(buf, text_a, sizeof text_a) == 0);
    else
        assert(out.size == sizeof text_b &&
               memcmp(buf, text_b, sizeof text_b) == 0);
}

static void *writer(void *arg)
{
    write_texts(arg, 5000);
    return NULL;
}

static void *reader(void *arg)
{
    for (int i = 0; i < 5000; i++)
        check_text(arg);
    return NULL;
}

static void threads(void)
{
    struct mpr_item first = text(text_a, sizeof text_a);
    mpr_shareable l;
    pthread_t t[4];

    assert(mpr_shareable_create(&l, NULL, 0, &first, 1) == 0);
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, i % 2 ? reader : writer, &l);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    mpr_shareable_close(&l);
}

static int wait_code(mpr_process *p)
{
    int code;

    assert(mpr_process_join(p, mpr_after(20)) == 0);
    assert(mpr_process_exit_code(p, &code) == 0);
    mpr_process_close(p);
    return code;
}

static void killed(void)
{
    struct mpr_item first = text(text_a, sizeof text_a);
    struct mpr_item second = {.type = MPR_ITEM_INTEGER, .n.i = 7}, out;
    mpr_shareable l;
    mpr_process p;
    char buf[8];
    int code;

    assert(mpr_shareable_create(&l, NULL, 0, &first, 1) == 0);
    for (int i = 0; i < 50; i++) {
        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD)
            for (;;)
                write_texts(&l, 1000);
        for (int k = 0; k < 20; k++) {
            check_text(&l);
            mpr_sleep(mpr_after(0.0002));
        }
        assert(mpr_process_signal(&p, SIGKILL) == 0);
        assert(wait_code(&p) == -SIGKILL);
        check_text(&l);
    }
    mpr_shareable_close(&l);
    /* At each test point: the old item or the new one. */
    for (uint32_t nth = 1;; nth++) {
        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
            first = text("old", 3);
            mpr_testpoint_arm("*", nth, SIGKILL);
            assert(mpr_shareable_create(&l, name, 0, &first, 1) == 0);
            assert(mpr_shareable_set(&l, 0, &second) == 0);
            assert(mpr_shareable_get(&l, 0, buf, &out) == 0);
            assert(out.type == MPR_ITEM_INTEGER && out.n.i == 7);
            mpr_shareable_close(&l);
            mpr_process_exit(&p, 0);
        }
        /* Another one opens it meanwhile, perhaps. */
        if (mpr_shareable_open(&l, name) == 0) {
            assert(mpr_shareable_get(&l, 0, buf, &out) == 0);
            assert(out.type == MPR_ITEM_TEXT || out.n.i == 7);
            mpr_shareable_close(&l);
        }
        code = wait_code(&p);
        assert(mpr_check() == 0);
        if (code == 0)
            break;
        assert(code == -SIGKILL);
    }
    mpr_sweep();
    assert(mpr_shareable_open(&l, name) == -ENOENT);
}

static void in_messages(void)
{
    struct mpr_item first = text("here", 4), out;
    mpr_shareable l;
    mpr_conn a, b;
    mpr_process p;
    const mpr_handle *refs[] = {&l.h};
    struct mpr_parcel parcel = {.refs = refs, .ref_count = 1};
    struct mpr_message m = {0};
    char buf[8];

    assert(mpr_pipe(&a, &b, 1) == 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        assert(mpr_conn_recv(&b, &m, UINT64_MAX, mpr_after(20)) == 0);
        assert(mpr_shareable_attach(&l, &m.refs[0]) == 0);
        assert(mpr_shareable_get(&l, 0, buf, &out) == 0 && out.size == 4);
        out = text("there", 5);
        assert(mpr_shareable_set(&l, 0, &out) == 0);
        mpr_process_exit(&p, 0);
    }
    assert(mpr_shareable_create(&l, NULL, 0, &first, 1) == 0);
    assert(mpr_conn_send(&a, &parcel, mpr_after(20)) == 0);
    assert(wait_code(&p) == 0);
    assert(mpr_shareable_get(&l, 0, buf, &out) == 0 && out.size == 5);
    mpr_shareable_close(&l);
    mpr_handle_close(&a.h);
    mpr_handle_close(&b.h);
}

int main(void)
{
    struct mpr_stats before, after;

    snprintf(name, sizeof name, "mp_list_%ld", (long)getpid());
    memset(text_a, 'a', sizeof text_a);
    memset(text_b, 'b', sizeof text_b);
    assert(mpr_stats(&before) == 0);
    items();
    threads();
    killed();
    in_messages();
    assert(mpr_stats(&after) == 0);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
    assert(after.holds == before.holds);
    return 0;
}
