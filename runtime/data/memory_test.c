/* Named memory: who may attach it, and when its name goes. The test itself is
 * no member of any family: it forks programs, each of which begins one. */

#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct mpr_process_options plain = {.name = "child"};
static char name[64]; /* the name all of this is about */

static int exists(void)
{
    char path[100];

    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return access(path, F_OK) == 0;
}

/* A program of its own. It says when it is ready and stays until it is told
 * to go on, by pipes. */
struct program {
    pid_t pid;
    int tell, hear;
};

static int tell_fd, hear_fd;

static void ready(void)
{
    assert(write(tell_fd, "r", 1) == 1);
}

static void wait_word(void)
{
    char c;

    assert(read(hear_fd, &c, 1) == 1);
}

static struct program begin(void (*body)(void))
{
    int to[2], from[2];
    struct program p;

    assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    fflush(NULL);
    p.pid = fork();
    assert(p.pid >= 0);
    if (p.pid == 0) {
        close(to[1]);
        close(from[0]);
        hear_fd = to[0];
        tell_fd = from[1];
        body();
        mpr_leave();
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    p.tell = to[1];
    p.hear = from[0];
    return p;
}

static void await(const struct program *p)
{
    char c;

    assert(read(p->hear, &c, 1) == 1);
}

static void go_on(const struct program *p)
{
    assert(write(p->tell, "g", 1) == 1);
}

static void end(struct program *p, int expected)
{
    int status;

    assert(waitpid(p->pid, &status, 0) == p->pid);
    assert(WIFEXITED(status) ? WEXITSTATUS(status) == expected
                             : -WTERMSIG(status) == expected);
    close(p->tell);
    close(p->hear);
}

static void kill_it(struct program *p)
{
    kill(p->pid, SIGKILL);
    end(p, -SIGKILL);
}

static void nothing(void)
{
    assert(mpr_open() == 0);
}

/* The next family to begin cleans up. */
static void another_begins(void)
{
    struct program p = begin(nothing);

    end(&p, 0);
    assert(!exists());
}

static void create_and_wait(void)
{
    mpr_memory m;

    assert(mpr_memory_create(&m, name, 10000, 0) == 0);
    memcpy(m.data, "hello", sizeof "hello");
    ready();
    wait_word();
    mpr_memory_close(&m);
    assert(!exists());
}

static void attach_and_wait(void)
{
    mpr_memory m;

    assert(mpr_memory_open(&m, name) == 0);
    assert(m.size == 10000 && strcmp(m.data, "hello") == 0);
    ready();
    wait_word();
    mpr_memory_close(&m);
}

static void basics(void)
{
    mpr_memory m, again, other;
    struct mpr_cells what = {.code = 'd', .count = 1250};
    struct stat st;
    mpr_array v, w;
    char *data;
    int fd;

    assert(mpr_memory_create(&m, name, 0, 0) == -EINVAL);
    assert(mpr_memory_create(&m, "a/b", 1, 0) == -EINVAL);
    assert(mpr_memory_create(&m, "", 1, 0) == -EINVAL);
    assert(mpr_memory_create(&m, "..", 1, 0) == -EINVAL);
    assert(mpr_memory_create(&m, name, 1ULL << 50, 0) < 0);
    assert(mpr_memory_create(&m, name, UINT64_MAX, 0) < 0);
    assert(mpr_memory_open(&m, name) == -ENOENT);
    assert(!exists());

    assert(mpr_memory_create(&m, name, 10000, 0) == 0);
    assert(mpr_memory_create(&other, name, 1, 0) == -EEXIST);
    assert(m.size == 10000 && strcmp(mpr_memory_name(&m), name) == 0);
    data = m.data;
    for (int i = 0; i < 10000; i++)
        assert(data[i] == 0);
    fd = shm_open(name, O_RDWR, 0);
    assert(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 10000);
    assert((st.st_mode & 0777) == 0600);
    assert(pwrite(fd, "x", 1, 9999) == 1 && data[9999] == 'x');
    close(fd);

    /* In one family it is one object, whoever opens it how often. */
    assert(mpr_memory_open(&again, name) == 0);
    assert(mpr_handle_id(&again.h) == mpr_handle_id(&m.h));
    mpr_memory_close(&m);
    assert(exists());
    ((char *)again.data)[8] = 1;
    assert(mpr_memory_view(&again, 0, &what, &v) == 0);
    assert(v.raw && ((char *)v.data)[8] == 1);
    what.count++;
    assert(mpr_memory_view(&again, 0, &what, &w) == -EINVAL);
    what.count = 1;
    assert(mpr_memory_view(&again, 4, &what, &w) == -EINVAL);
    mpr_memory_close(&again);
    assert(exists() && ((char *)v.data)[8] == 1); /* the view holds it */
    mpr_array_close(&v);
    assert(!exists());

    /* A name of its own. */
    assert(mpr_memory_create(&m, NULL, 1, 0) == 0);
    assert(strncmp(mpr_memory_name(&m), "mp_", 3) == 0);
    mpr_memory_close(&m);

    /* Unlinked, it stays with those who have it. */
    assert(mpr_memory_create(&m, name, 1, 0) == 0);
    assert(mpr_memory_unlink(&m) == 0 && !exists());
    assert(mpr_memory_unlink(&m) == -ENOENT);
    assert(mpr_memory_create(&other, name, 2, 0) == 0);
    assert(mpr_memory_unlink(&m) == -ENOENT); /* another one's name now */
    *(char *)m.data = 1;
    assert(*(char *)other.data == 0);
    mpr_memory_close(&m);
    assert(exists());
    mpr_memory_close(&other);
    assert(!exists());

    /* Persistent. */
    assert(mpr_memory_create(&m, name, 5, MPR_MEMORY_PERSISTS) == 0);
    mpr_memory_close(&m);
    assert(exists());
    assert(mpr_memory_open(&m, name) == 0 && m.size == 5);
    mpr_memory_close(&m);
    assert(exists());
    assert(mpr_memory_create(&other, name, 5, 0) == -EEXIST);
    assert(mpr_memory_open(&m, name) == 0);
    assert(mpr_memory_unlink(&m) == 0 && !exists());
    mpr_memory_close(&m);

    /* What others made is theirs. */
    fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert(fd >= 0);
    assert(mpr_memory_open(&m, name) == -EINVAL); /* still empty */
    assert(ftruncate(fd, 7) == 0);
    close(fd);
    assert(mpr_memory_open(&m, name) == 0 && m.size == 7);
    mpr_memory_close(&m);
    assert(exists() && shm_unlink(name) == 0);
}

/* A child gets it by a message, without having it mapped before. */
static void in_messages(void)
{
    mpr_memory m;
    mpr_conn a, b;
    mpr_process p;
    const mpr_handle *refs[] = {&m.h};
    struct mpr_parcel out = {.refs = refs, .ref_count = 1};
    struct mpr_message in = {0};
    struct mpr_cells what = {.code = 'i', .count = 4};
    mpr_array v;
    int code;

    assert(mpr_pipe(&a, &b, 1) == 0);
    if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
        assert(mpr_conn_recv(&b, &in, UINT64_MAX, mpr_after(20)) == 0);
        assert(mpr_memory_attach(&m, &in.refs[0]) == 0);
        assert(strcmp(m.data, "from parent") == 0);
        memcpy(m.data, "from child", sizeof "from child");
        assert(mpr_memory_view(&m, 16, &what, &v) == 0);
        ((int *)v.data)[3] = 42;
        refs[0] = &v.h;
        assert(mpr_conn_send(&b, &out, mpr_after(20)) == 0);
        mpr_message_free(&in);
        /* Ends with everything open: it is the last one to have it. */
        mpr_handle_close(&a.h);
        while (mpr_conn_recv(&b, &in, 0, MPR_FOREVER) != -EPIPE)
            ;
        mpr_process_exit(&p, 0);
    }
    assert(mpr_memory_create(&m, name, 100, 0) == 0);
    memcpy(m.data, "from parent", sizeof "from parent");
    assert(mpr_conn_send(&a, &out, mpr_after(20)) == 0);
    mpr_memory_close(&m); /* the message holds it, or the child by now */
    assert(exists());
    assert(mpr_conn_recv(&a, &in, UINT64_MAX, mpr_after(20)) == 0);
    assert(mpr_array_attach(&v, &in.refs[0]) == 0);
    assert(v.count == 4 && ((int *)v.data)[3] == 42);
    mpr_message_free(&in);
    mpr_array_close(&v);
    assert(exists());
    mpr_handle_close(&a.h);
    mpr_handle_close(&b.h);
    assert(mpr_process_join(&p, mpr_after(20)) == 0);
    assert(mpr_process_exit_code(&p, &code) == 0 && code == 0);
    mpr_process_close(&p);
    mpr_sweep();
    assert(!exists());

    /* One that nobody can map any more can still be held and closed. */
    assert(mpr_pipe(&a, &b, 1) == 0);
    assert(mpr_memory_create(&m, name, 100, 0) == 0);
    refs[0] = &m.h;
    assert(mpr_conn_send(&a, &out, mpr_after(20)) == 0);
    assert(mpr_memory_unlink(&m) == 0);
    assert(mpr_conn_recv(&b, &in, UINT64_MAX, mpr_after(20)) == 0);
    mpr_memory_close(&m);
    assert(mpr_memory_attach(&m, &in.refs[0]) == -ENOENT);
    assert(m.data == NULL && m.size == 100);
    assert(mpr_memory_view(&m, 0, &what, &v) == -ENOENT);
    mpr_memory_close(&m);
    mpr_message_free(&in);
    mpr_handle_close(&a.h);
    mpr_handle_close(&b.h);
}

static void alone(void)
{
    struct mpr_stats before, after;

    assert(mpr_stats(&before) == 0);
    basics();
    in_messages();
    assert(mpr_stats(&after) == 0);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
    assert(after.holds == before.holds);
}

/* Holds it only in a pipe: no process has it mapped. */
static void create_and_store(void)
{
    mpr_memory m;
    mpr_conn a, b;
    const mpr_handle *refs[] = {&m.h};
    struct mpr_parcel out = {.refs = refs, .ref_count = 1};
    struct mpr_message in = {0};

    assert(mpr_pipe(&a, &b, 1) == 0);
    assert(mpr_memory_create(&m, name, 10000, 0) == 0);
    memcpy(m.data, "hello", sizeof "hello");
    assert(mpr_conn_send(&a, &out, mpr_after(20)) == 0);
    mpr_memory_close(&m);
    ready();
    wait_word();
    assert(exists());
    assert(mpr_conn_recv(&b, &in, UINT64_MAX, mpr_after(20)) == 0);
    assert(mpr_memory_attach(&m, &in.refs[0]) == 0);
    assert(strcmp(m.data, "hello") == 0);
    mpr_message_free(&in);
    mpr_memory_close(&m);
}

static void families(void)
{
    struct program a, b;

    /* It lives as long as either has it. */
    for (int first = 0; first < 4; first++) {
        a = begin(create_and_wait);
        await(&a);
        b = begin(attach_and_wait);
        await(&b);
        /* A third one that begins takes nothing away. */
        struct program c = begin(nothing);
        end(&c, 0);
        assert(exists());
        if (first & 1) {
            kill_it(&a);
            assert(exists());
            if (first & 2) {
                kill_it(&b);
                another_begins();
            } else {
                go_on(&b);
                end(&b, 0);
            }
        } else {
            if (first & 2) {
                kill_it(&b);
            } else {
                go_on(&b);
                end(&b, 0);
            }
            assert(exists());
            go_on(&a);
            end(&a, 0);
        }
        assert(!exists());
    }

    /* What lies in a pipe is in use. */
    a = begin(create_and_store);
    await(&a);
    b = begin(nothing);
    end(&b, 0);
    assert(exists());
    go_on(&a);
    end(&a, 0);
    assert(!exists());

    /* Whoever uses a name that a killed family left finds it free. */
    a = begin(create_and_wait);
    await(&a);
    kill_it(&a);
    assert(exists());
    another_begins();
}

static void leave_behind(void)
{
    mpr_memory m;

    assert(mpr_memory_create(&m, name, 100, 0) == 0);
    raise(SIGKILL);
}

/* A family that had begun before the other one was killed. */
static void use_late(void)
{
    mpr_memory m;

    assert(mpr_open() == 0);
    ready();
    wait_word();
    assert(exists());
    assert(mpr_memory_open(&m, name) == -ENOENT);
    assert(!exists());
    ready();
    wait_word();
    assert(exists());
    assert(mpr_memory_create(&m, name, 33, 0) == 0);
    assert(m.size == 33);
    mpr_memory_close(&m);
}

static void late(void)
{
    struct program a = begin(use_late), b;

    await(&a);
    b = begin(leave_behind);
    end(&b, -SIGKILL);
    go_on(&a);
    await(&a);
    b = begin(leave_behind);
    end(&b, -SIGKILL);
    go_on(&a);
    end(&a, 0);
    assert(!exists());
}

/* Killed at the nth test point, by a member of the same family or, when it was
 * alone, by the next one, the name goes. */
static uint32_t nth;

static void user(void)
{
    struct mpr_cells what = {.code = 'd', .count = 1};
    mpr_memory m, n;
    mpr_array v;

    assert(mpr_open() == 0);
    mpr_testpoint_arm("*", nth, SIGKILL);
    assert(mpr_memory_create(&m, name, 100, 0) == 0);
    assert(mpr_memory_open(&n, name) == 0);
    assert(mpr_memory_view(&n, 0, &what, &v) == 0);
    mpr_memory_close(&m);
    mpr_memory_close(&n);
    mpr_array_close(&v);
}

static void killed_child(void)
{
    mpr_process p;
    int code;

    assert(mpr_open() == 0);
    for (nth = 1;; nth++) {
        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
            user();
            mpr_process_exit(&p, 0);
        }
        assert(mpr_process_join(&p, mpr_after(20)) == 0);
        assert(mpr_process_exit_code(&p, &code) == 0);
        mpr_process_close(&p);
        mpr_sweep();
        assert(!exists());
        assert(mpr_check() == 0);
        if (code == 0)
            break;
        assert(code == -SIGKILL);
    }
    printf("%u test points\n", nth - 1);
    fflush(stdout);
}

static void killed_alone(void)
{
    int status = 1;

    for (nth = 1; status != 0; nth++) {
        struct program p = begin(user);

        assert(waitpid(p.pid, &status, 0) == p.pid);
        assert(status == 0 || WTERMSIG(status) == SIGKILL);
        close(p.tell);
        close(p.hear);
        if (exists())
            another_begins();
    }
}

int main(void)
{
    void (*const programs[])(void) = {alone, killed_child};

    snprintf(name, sizeof name, "mp_test_%ld", (long)getpid());
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        struct program p = begin(programs[i]);

        end(&p, 0);
    }
    families();
    late();
    killed_alone();
    assert(!exists());
    return 0;
}
