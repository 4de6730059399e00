#ifndef MPR_H
#define MPR_H

/* mpr: processes that compute together, and survive each other's death.
 *
 * A family of processes shares one nameless piece of memory, the arena, in
 * which its objects live: locks, queues, pipes, values. This header is the
 * whole public interface; nothing of it knows Lua. Functions return 0 or a
 * count for success and -errno otherwise (mpr_err_word, mpr_err_text); they
 * write their outputs on success only. Time is an absolute instant of
 * CLOCK_MONOTONIC in nanoseconds: MPR_FOREVER never comes, an instant that
 * has passed means "try, do not wait".
 *
 *     mpr_lock lock;
 *     int err = mpr_lock_create(&lock, NULL);
 *     …
 *     err = mpr_lock_acquire(&lock, actor, mpr_after(0.5));
 *     if (err == -ETIMEDOUT) …
 *
 * Every process may be killed at any moment, by SIGKILL too: the others never
 * hang, never see half a value, and get back what it held. */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MPR_API __attribute__((visibility("default")))
#else
#define MPR_API
#endif

#define MPR_FOREVER INT64_MAX

/* ---- outcomes ----------------------------------------------------------- */

/* The word for a result ("timeout", "closed", …), NULL for anything else. */
MPR_API const char *mpr_err_word(int err);

/* What went wrong, for people. */
MPR_API const char *mpr_err_text(int err);

/* ---- time ---------------------------------------------------------------- */

MPR_API int64_t mpr_now(void);

/* The instant so many seconds from now; MPR_FOREVER for what is too far. */
MPR_API int64_t mpr_after(double seconds);

/* Sleeps until then: 0, or -EINTR when a signal handler ran. Notices dead
 * members of the family meanwhile. */
MPR_API int mpr_sleep(int64_t deadline_ns);

/* ---- the family ----------------------------------------------------------- */

/* Makes this process a member: of the family that made it, or of a new one.
 * Done by the first call that needs it; done again it does nothing.
 * -ENOTRECOVERABLE in a process that a member forked by other means. */
MPR_API int mpr_open(void);

/* The normal end of this process: what it owns is given up, what it holds is
 * dropped. Nothing in a process that is no member. */
MPR_API void mpr_leave(void);

/* Whether this process can use the family's objects (see mpr_open). */
MPR_API int mpr_is_member(void);

/* An owner of locks within this process: a Lua state, or a thread. Numbers
 * are given out from 1; -EAGAIN when 2^18 are in use. */
MPR_API int mpr_actor_new(uint32_t *actor);
MPR_API void mpr_actor_free(uint32_t actor);

MPR_API int mpr_cpu_count(int raw);

enum mpr_kind {
    MPR_KIND_BYTES = 0, /* memory without further meaning */
    MPR_KIND_CODE,
    MPR_KIND_PROCESS,
    MPR_KIND_PIPE,
    MPR_KIND_CONNECTION,
    MPR_KIND_LOCK,
    MPR_KIND_RLOCK,
    MPR_KIND_SEMAPHORE,
    MPR_KIND_CONDITION,
    MPR_KIND_EVENT,
    MPR_KIND_BARRIER,
    MPR_KIND_QUEUE,
    MPR_KIND_SEGMENT, /* a queue's ring */
    MPR_KIND_VALUE,
    MPR_KIND_ARRAY,
    MPR_KIND_STRUCT,
    MPR_KIND_FROZEN,
    MPR_KIND_DICT,
    MPR_KIND_LIST,
    MPR_KIND_POOL,
    MPR_KIND_JOB,
    MPR_KIND_LOG,
    MPR_KIND_MANAGER,
    MPR_KIND_PROXY,
    MPR_KIND_END,
};
MPR_API const char *mpr_kind_name(unsigned kind);

struct mpr_stats {
    uint64_t arena_size;
    uint64_t used;                  /* bytes in pieces that are handed out */
    uint64_t warm;                  /* free bytes that are kept backed */
    uint64_t processes;             /* members, ourselves included */
    uint64_t holds;                 /* of this process */
    uint64_t objects[MPR_KIND_END]; /* by kind */
    uint64_t bytes[MPR_KIND_END];
};
MPR_API int mpr_stats(struct mpr_stats *out);

/* Checks every rule of the arena's structure: 0, or the number of the broken
 * one. Slow; for tests. */
MPR_API int mpr_check(void);

/* Looks for dead members now instead of at the next due time. */
MPR_API void mpr_sweep(void);

/* Tests: this process sends itself signo when it passes the named test point
 * for the nth time ("*": any point). NULL disarms. -EINVAL. */
MPR_API int mpr_testpoint_arm(const char *name, uint32_t nth, int signo);

/* ---- handles ---------------------------------------------------------------
 * A handle is this process's open end of an object. It may be copied nowhere:
 * its holder closes it once. After a fork by mpr_process_start the child's
 * copy is a hold of the child's own. */

typedef struct mpr_handle {
    void *block; /* NULL: closed. Private to the runtime */
    uint32_t hold;
    uint32_t kind; /* enum mpr_kind */
} mpr_handle;

/* Another handle on the same object. -ENOMEM. */
MPR_API int mpr_handle_dup(const mpr_handle *h, mpr_handle *out);

/* Drops the hold; nothing on a closed handle. The last hold of any process
 * frees the object. */
MPR_API void mpr_handle_close(mpr_handle *h);

/* A number that names the object for as long as somebody holds it: the same in
 * every process of the family. */
MPR_API uint64_t mpr_handle_id(const mpr_handle *h);

/* ---- messages ---------------------------------------------------------------
 * What travels through pipes and queues: bytes, and objects that the message
 * keeps alive until it is got. */

enum { MPR_PARCEL_REFS = 900 }; /* objects in one message at most */

/* A message to put; borrowed for the call. */
struct mpr_parcel {
    const void *bytes;
    uint64_t size;
    const mpr_handle *const *refs;
    uint32_t ref_count;
};

/* A message that was got; starts as {0}, or, to receive small messages without
 * memory of its own, with buffer, capacity and fixed set: then what does not
 * fit, or carries objects, stays where it is and the call returns -E2BIG.
 * bytes and refs are valid until the next get into it, clear or free. A
 * receiver that keeps a ref moves it out and sets its block to NULL. */
struct mpr_message {
    const uint8_t *bytes;
    uint64_t size;
    mpr_handle *refs;
    uint32_t ref_count;
    uint32_t ref_capacity; /* private */
    uint8_t *buffer;
    uint64_t capacity;
    int fixed;        /* buffer is the caller's */
    mpr_handle block; /* private */
};
MPR_API void mpr_message_clear(struct mpr_message *m);
MPR_API void mpr_message_free(struct mpr_message *m);

/* ---- pipes -------------------------------------------------------------------
 * Two connected ends. An end is open for as long as some process holds it, or
 * a message in flight does; any number of processes may share one, messages
 * stay whole. */

typedef struct mpr_conn {
    mpr_handle h;
    void *in;  /* private: the ring to receive from, NULL: write-only */
    void *out; /* the ring to send into, NULL: read-only */
} mpr_conn;

/* Not duplex: a only receives, b only sends. -ENOMEM. */
MPR_API int mpr_pipe(mpr_conn *a, mpr_conn *b, int duplex);

/* Makes a connection of a handle of that kind that came in a message; takes
 * it. */
MPR_API void mpr_conn_attach(mpr_conn *c, mpr_handle *h);

/* -EPIPE: the other end is closed; -ETIMEDOUT, -ENOMEM, -EINTR: nothing was
 * sent. -EBADF: read-only. */
MPR_API int mpr_conn_send(mpr_conn *c, const struct mpr_parcel *parcel,
                          int64_t deadline_ns);

/* -EPIPE: the other end is closed and nothing is left; -EMSGSIZE: the next
 * message is longer than max bytes and stays; -ETIMEDOUT, -ENOMEM, -EINTR.
 * -EBADF: write-only. */
MPR_API int mpr_conn_recv(mpr_conn *c, struct mpr_message *m, uint64_t max,
                          int64_t deadline_ns);

/* 1 when recv would not wait (a message, or the end), 0 when the deadline
 * passed, -EINTR, -EBADF. */
MPR_API int mpr_conn_poll(mpr_conn *c, int64_t deadline_ns);

/* ---- waiting for many things -------------------------------------------------
 * Objects that can be waited for (connections, queues, events, …) and
 * descriptors, together. */

struct mpr_waitable {
    const mpr_handle *h; /* NULL: fd is meant */
    int fd;              /* ready when it can be read */
    int ready;           /* out */
};

/* Waits until at least one is ready: how many are; 0 when the deadline passed;
 * -EINTR; -EINVAL: an object that cannot be waited for; -EBADF. */
MPR_API int mpr_wait(struct mpr_waitable *w, size_t count, int64_t deadline_ns);

/* For event loops. One descriptor of this process that becomes readable when a
 * watched object may have become ready (and twice a second while nothing
 * happens, for a dead peer tells nobody); -errno. */
MPR_API int mpr_bell(void);

/* Makes the descriptor unreadable until the next ring: whether it had rung. */
MPR_API int mpr_bell_clear(void);

/* Watches an object: 1 when it is ready, 0 when the bell will ring, once. */
MPR_API int mpr_watch(const mpr_handle *h);

/* ---- processes -----------------------------------------------------------------
 * A process of the family, seen by its creator, by itself, or by anyone it was
 * sent to. Only the creator can join it. */

enum { MPR_PROCESS_NAME = 40, MPR_PROCESS_FDS = 64, MPR_IN_CHILD = 1 };

typedef struct mpr_process {
    mpr_handle h;
    int pidfd; /* readable once it ended; -1: none */
    int pid;
    int mine;                 /* our child, and not waited for yet */
    struct mpr_process *next; /* private */
} mpr_process;

struct mpr_process_options {
    const char *name; /* cut to MPR_PROCESS_NAME - 1 bytes */
    int daemon;       /* ends (SIGKILL) when the thread that forks it does */
    /* mpr_process_exec only: */
    const char *const *argv; /* argv[0] is the program's path */
    const int *fds;          /* descriptors it keeps */
    unsigned fd_count;       /* at most MPR_PROCESS_FDS */
};

/* Makes the object of a process that is not there yet, so that it can be given
 * what to do; then either exec it, or discard it. */
MPR_API int mpr_process_prepare(mpr_process *p,
                                const struct mpr_process_options *options);
MPR_API void mpr_process_discard(mpr_process *p);

/* Starts a prepared process as a program of its own, which calls
 * mpr_process_adopt. It inherits nothing but standard output and error and
 * the given descriptors. -errno: why it could not be run; prepared still. */
MPR_API int mpr_process_exec(mpr_process *p,
                             const struct mpr_process_options *options);

/* In a program that was started so: makes it the member that its creator
 * prepared, before anything else of mpr. -ENOENT: it was not. */
MPR_API int mpr_process_adopt(mpr_process *self);

/* Forks: 0 in the parent; MPR_IN_CHILD in the child, which has default signal
 * dispositions, an empty mask, /dev/null as standard input, holds of its own
 * on all that its parent holds, and must end by mpr_process_exit. Output
 * streams are flushed before. The structure may not move while it is open.
 * -EUSERS, -EAGAIN, -ENOMEM. */
MPR_API int mpr_process_fork(mpr_process *p,
                             const struct mpr_process_options *options);

/* Makes a process object of a handle that came in a message; takes it. */
MPR_API void mpr_process_attach(mpr_process *p, mpr_handle *h);

/* Ends this process: flushes, drops what it holds, _exit. self may be NULL. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
MPR_API void
mpr_process_exit(mpr_process *self, int code);

MPR_API int mpr_process_alive(mpr_process *p);

/* 0..255, or -N when signal N ended it; -EAGAIN: it is not over, or nobody
 * knows yet. */
MPR_API int mpr_process_exit_code(mpr_process *p, int *code);

/* Waits for the end: 0, -ETIMEDOUT, -EINTR. */
MPR_API int mpr_process_join(mpr_process *p, int64_t deadline_ns);

/* Sends a signal; nothing once it ended. */
MPR_API int mpr_process_signal(mpr_process *p, int signo);

/* A descriptor that is readable for good once it ended; the object's own. */
MPR_API int mpr_process_sentinel(mpr_process *p);

MPR_API const char *mpr_process_name(const mpr_process *p);
MPR_API int mpr_process_pid(const mpr_process *p);

/* One message to the process before it starts, or back when it ends. */
MPR_API int mpr_process_give(mpr_process *p, const struct mpr_parcel *parcel);
MPR_API int mpr_process_take(mpr_process *p, struct mpr_message *m);

/* Closes the object; the process is left alone. */
MPR_API void mpr_process_close(mpr_process *p);

/* The process that made this one, as a member; pid 0 in the first. */
MPR_API int mpr_parent_pid(void);
MPR_API int mpr_parent_alive(void);

/* Waits for the parent's end: 0, -ETIMEDOUT, -EINTR. */
MPR_API int mpr_parent_join(int64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
