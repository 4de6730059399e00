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
#include <string.h>

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

/* Threads of this process. */
MPR_API int mpr_thread_count(void);

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
    MPR_KIND_MEMORY,
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

/* The name its maker gave the object, or "". */
MPR_API const char *mpr_handle_label(const mpr_handle *h);

/* ---- locks --------------------------------------------------------------------
 * Names are for messages; NULL is none, longer ones are cut to 31 bytes. The
 * owner of a lock is an actor (mpr_actor_new) of a process: who ends or closes
 * its last handle while it owns a lock has abandoned it, and the next to
 * acquire it is told.
 *
 * Waits return -ETIMEDOUT, or -EINTR: a signal handler ran, or mpr_warning has
 * something to say; call again with the same deadline. */

/* Who owns something. */
struct mpr_holder {
    int pid;
    int ours; /* this process */
    uint32_t actor;
    char name[40]; /* of the process */
};

typedef struct mpr_lock {
    mpr_handle h;
} mpr_lock;

/* -ENOMEM. */
MPR_API int mpr_lock_create(mpr_lock *l, const char *name);

/* 0, or -EOWNERDEAD: acquired, but the last owner ended without releasing it,
 * so what it guards may be half-changed. An actor that owns it already waits
 * for itself. */
MPR_API int mpr_lock_acquire(mpr_lock *l, uint32_t actor, int64_t deadline_ns);

/* The same by a caller that will release it itself, by mpr_lock_drop: so that
 * waiters which wait for each other can be told apart from those that somebody
 * may still help. -EDEADLK: this one can never be acquired (mpr_deadlock). */
MPR_API int mpr_lock_hold(mpr_lock *l, uint32_t actor, int64_t deadline_ns);

/* Releases it, whoever owns it: actor is who does so. -EPERM: nobody owns it. */
MPR_API int mpr_lock_release(mpr_lock *l, uint32_t actor);

/* Releases it if actor owns it. -EPERM: it does not. */
MPR_API int mpr_lock_drop(mpr_lock *l, uint32_t actor);

/* What happens when the actor ends: if it owns the lock it has abandoned it. */
MPR_API void mpr_lock_abandon(mpr_lock *l, uint32_t actor);

/* Whether a live process owns it. */
MPR_API int mpr_lock_locked(const mpr_lock *l);

/* 1 and who owns it; 0: nobody. */
MPR_API int mpr_lock_owner(const mpr_lock *l, struct mpr_holder *out);

/* A lock that its owner may acquire again, and releases as often; nobody else
 * releases it. */
typedef struct mpr_rlock {
    mpr_handle h;
} mpr_rlock;

MPR_API int mpr_rlock_create(mpr_rlock *l, const char *name);

/* 0, -EOWNERDEAD, -EDEADLK as above; -EOVERFLOW: 2^32 levels. */
MPR_API int mpr_rlock_acquire(mpr_rlock *l, uint32_t actor,
                              int64_t deadline_ns);

/* -EPERM: actor does not own it. */
MPR_API int mpr_rlock_release(mpr_rlock *l, uint32_t actor);
MPR_API void mpr_rlock_abandon(mpr_rlock *l, uint32_t actor);
MPR_API int mpr_rlock_locked(const mpr_rlock *l);
MPR_API int mpr_rlock_owner(const mpr_rlock *l, struct mpr_holder *out);
MPR_API uint32_t mpr_rlock_depth(const mpr_rlock *l);

/* The cycle of waiters behind this thread's last -EDEADLK: "deadlock: worker-1
 * holds 'db' and waits for 'log'; …". */
MPR_API const char *mpr_deadlock(void);

/* Once, when a wait of this thread was interrupted to say it: a cycle of
 * waiters out of which somebody else may still help. NULL: nothing. */
MPR_API const char *mpr_warning(void);

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

/* ---- cells ---------------------------------------------------------------------
 * A cell holds one number (or boolean, or byte) of a C type, which a letter
 * names. Cells are aligned, so one store changes a whole cell and nobody sees
 * half of it, without any lock. */

/* X(letter, type, family) */
#define MPR_CODES(X)               \
    X('b', int8_t, MPR_SIGNED)     \
    X('B', uint8_t, MPR_UNSIGNED)  \
    X('h', int16_t, MPR_SIGNED)    \
    X('H', uint16_t, MPR_UNSIGNED) \
    X('i', int32_t, MPR_SIGNED)    \
    X('I', uint32_t, MPR_UNSIGNED) \
    X('l', int64_t, MPR_SIGNED)    \
    X('L', uint64_t, MPR_UNSIGNED) \
    X('q', int64_t, MPR_SIGNED)    \
    X('Q', uint64_t, MPR_UNSIGNED) \
    X('f', float, MPR_FLOATING)    \
    X('d', double, MPR_FLOATING)   \
    X('?', uint8_t, MPR_BOOLEAN)   \
    X('c', uint8_t, MPR_CHARACTER)

enum mpr_family {
    MPR_SIGNED,
    MPR_UNSIGNED,
    MPR_FLOATING,
    MPR_BOOLEAN,
    MPR_CHARACTER,
};

/* What a cell holds, by its code's family. */
union mpr_number {
    int64_t i;  /* SIGNED */
    uint64_t u; /* UNSIGNED; BOOLEAN 0 or 1; CHARACTER 0..255 */
    double d;   /* FLOATING */
};

struct mpr_code {
    char letter;
    uint8_t size; /* in bytes, also the alignment */
    uint8_t family;
    int64_t min;  /* of SIGNED */
    uint64_t max; /* of all but FLOATING */
};

/* NULL: no such letter. */
MPR_API const struct mpr_code *mpr_code(int letter);

/* Whether a cell of the code can hold it: 0, or -ERANGE. A float that is too
 * large for 'f' is out of range; infinities and NaN are not. */
MPR_API int mpr_code_check(const struct mpr_code *code, union mpr_number n);

/* Each is atomic, and orders: what was written before a store, add,
 * swap or cas is seen by whoever then reads what that wrote. at is aligned.
 * -ERANGE: the cell cannot hold it and is unchanged. */
MPR_API union mpr_number mpr_cell_load(const struct mpr_code *code,
                                       const void *at);
MPR_API int mpr_cell_store(const struct mpr_code *code, void *at,
                           union mpr_number n);

/* Adds n (n.i for UNSIGNED too); *sum is the new value. -EINVAL: BOOLEAN and
 * CHARACTER. */
MPR_API int mpr_cell_add(const struct mpr_code *code, void *at,
                         union mpr_number n, union mpr_number *sum);

/* *old is what was there. */
MPR_API int mpr_cell_swap(const struct mpr_code *code, void *at,
                          union mpr_number n, union mpr_number *old);

/* Stores n if the cell is equal to old: 1, or 0; *found is what was there. */
MPR_API int mpr_cell_cas(const struct mpr_code *code, void *at,
                         union mpr_number old, union mpr_number n,
                         union mpr_number *found);

/* ---- structs ---------------------------------------------------------------------
 * A Struct lays named members out as C does: each at a multiple of its
 * alignment, the whole a multiple of the largest. */

/* All positions are bytes from the start of the layout. Fixed width: layouts
 * lie in shared memory. */
struct mpr_member {
    uint32_t name; /* position of its name, ended by a zero */
    uint32_t name_size;
    uint32_t at;     /* position within the struct */
    uint32_t count;  /* of cells in a row; 0: one cell, no row */
    uint32_t layout; /* position of its layout, when it is a Struct; or 0 */
    uint32_t code;   /* its letter, or 0 */
};
struct mpr_layout {
    uint32_t size; /* of the struct */
    uint32_t align;
    uint32_t bytes; /* of the layout itself, with all that belongs to it */
    uint32_t count; /* of members */
    struct mpr_member member[];
};

enum { MPR_STRUCT_MEMBERS = 4096, MPR_STRUCT_SIZE = 1 << 30 };

/* A member to lay out: its code, or 0 and its layout; count as above. */
struct mpr_part {
    const char *name;
    size_t name_size;
    const struct mpr_layout *layout;
    uint32_t count;
    char code;
};

typedef struct mpr_struct {
    mpr_handle h;
    const struct mpr_layout *layout; /* valid while h is open */
} mpr_struct;

/* -EINVAL: no parts, or an unknown code; -EEXIST: two of one name; -E2BIG;
 * -ENOMEM. */
MPR_API int mpr_struct_create(mpr_struct *s, const struct mpr_part *parts,
                              size_t count);
MPR_API void mpr_struct_attach(mpr_struct *s, mpr_handle *h);

/* NULL: no such member. */
MPR_API const struct mpr_member *
mpr_layout_find(const struct mpr_layout *l, const char *name, size_t name_size);
MPR_API const char *mpr_member_name(const struct mpr_layout *l,
                                    const struct mpr_member *m);
MPR_API const struct mpr_layout *mpr_member_layout(const struct mpr_layout *l,
                                                   const struct mpr_member *m);
MPR_API uint32_t mpr_member_size(const struct mpr_layout *l,
                                 const struct mpr_member *m);

/* ---- values and arrays -------------------------------------------------------------
 * A row of cells, or of structs, in shared memory; a value is a row of one. The
 * cells are used in place, by all processes at once: data is a C array. What
 * must change together is guarded by the lock that belongs to it. */

typedef struct mpr_array {
    mpr_handle h;
    void *data; /* an array's is aligned to 64 bytes, a view's to its cells */
    uint64_t count;
    uint32_t size;                   /* of a cell */
    uint32_t raw;                    /* it has no lock */
    const struct mpr_code *code;     /* NULL: cells are structs */
    const struct mpr_layout *layout; /* of those; valid while h is open */
    void *mapping;                   /* private: cells in named memory */
} mpr_array;

/* What to make. */
struct mpr_cells {
    char code;                /* or */
    const mpr_struct *format; /* and code 0 */
    uint64_t count;           /* 1 for a value */
    int raw;
    const mpr_handle *lock; /* the Lock or RLock to use; NULL: one of its own,
                             * made when it is first asked for */
    const char *name;       /* of the lock, for messages; or NULL */
};

/* All cells are 0. -EINVAL: no such code, or count 0; -ENOMEM. */
MPR_API int mpr_value_create(mpr_array *v, const struct mpr_cells *what);
MPR_API int mpr_array_create(mpr_array *a, const struct mpr_cells *what);

/* Makes a value or array of a handle that came in a message; takes it. Fails
 * on named memory only (mpr_memory_attach): then it is open, but count is 0. */
MPR_API int mpr_array_attach(mpr_array *a, mpr_handle *h);

/* An array of its own on a part of the bytes of a, which it keeps alive; it
 * shares their lock. what: code or format, and count; off: in bytes. -EINVAL:
 * not within a, or not aligned; -ENOMEM. */
MPR_API int mpr_array_view(const mpr_array *a, uint64_t off,
                           const struct mpr_cells *what, mpr_array *view);

/* Opens a handle on its lock. -ENOENT: it has none; -ENOMEM. */
MPR_API int mpr_array_lock(const mpr_array *a, mpr_handle *lock);

/* Closes the handle, and what it has mapped. */
MPR_API void mpr_array_close(mpr_array *a);

/* ---- named memory ----------------------------------------------------------------------
 * Memory that any program of this user can attach by its name, as it can to
 * what shm_open or Python's shared_memory made. It lives as long as a process
 * of some family has it, or, MPR_MEMORY_PERSISTS, until it is unlinked; what
 * programs without mpr attached meanwhile does not count. What they made is
 * not ours to remove. When all who had it were killed, the next family to
 * begin, or to use the name, removes it. */

typedef struct mpr_memory {
    mpr_handle h;
    void *data;
    uint64_t size; /* in bytes; as the system gives it */
    void *mapping; /* private */
} mpr_memory;

enum {
    MPR_MEMORY_NAME = 250,   /* longest name, without a slash */
    MPR_MEMORY_PERSISTS = 1, /* flags */
};

/* Zeroed. name NULL: one is chosen. -EEXIST; -EINVAL: no name can be so, or
 * size 0; -ENAMETOOLONG, -ENOSPC, -EFBIG, -ENOMEM, -ENOENT: there is no
 * /dev/shm; -EMFILE: 4096 in one family. */
MPR_API int mpr_memory_create(mpr_memory *m, const char *name, uint64_t size,
                              unsigned flags);

/* -ENOENT, -EACCES; -EINVAL: it is empty; or as above. */
MPR_API int mpr_memory_open(mpr_memory *m, const char *name);

/* Makes it of a handle that came in a message; takes it. -ENOENT: its name is
 * gone; -ENOMEM: then it is open, but has no data. */
MPR_API int mpr_memory_attach(mpr_memory *m, mpr_handle *h);

MPR_API const char *mpr_memory_name(const mpr_memory *m);

/* Takes the name away; whoever has the memory keeps it. -ENOENT: the name is
 * gone, or another one's. */
MPR_API int mpr_memory_unlink(mpr_memory *m);

/* A raw array on a part of it, which it keeps alive: see mpr_array_view. */
MPR_API int mpr_memory_view(const mpr_memory *m, uint64_t off,
                            const struct mpr_cells *what, mpr_array *view);

/* Unmaps and closes it; views stay. */
MPR_API void mpr_memory_close(mpr_memory *m);

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

/* Forks for a process that another member prepared and sent here: what a fork
 * server does. As mpr_process_fork; the child's parent is that member. */
MPR_API int mpr_process_serve(mpr_process *p);

/* Waits until a process that was prepared and sent to a fork server has
 * started: 0, -ETIMEDOUT, -EINTR. */
MPR_API int mpr_process_await(mpr_process *p, int64_t deadline_ns);

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

MPR_API int mpr_process_daemon(const mpr_process *p);
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

/* A descriptor that is readable once the parent ended; the caller's. */
MPR_API int mpr_parent_fd(void);

/* Waits for the parent's end: 0, -ETIMEDOUT, -EINTR. */
MPR_API int mpr_parent_join(int64_t deadline_ns);

/* ---- values as bytes -----------------------------------------------------------
 * Tagged values: what messages are made of. A message is a row of
 * values; each begins with a tag byte. Whoever has no Lua writes and reads
 * them with these functions; a Lua state reads the same bytes as its values.
 *
 *     struct mpr_writer w = {0};
 *     err = mpr_write_table(&w, 0, 1);        { size = 12 }
 *     err = mpr_write_string(&w, "size", 4);
 *     err = mpr_write_integer(&w, 12);
 *     …                                       w.bytes up to w.end
 *     mpr_writer_free(&w);
 *
 *     struct mpr_reader r = mpr_reader_of(bytes, size);
 *     while ((err = mpr_read(&r, &token)) > 0)
 *         …
 *
 * What follows each tag stands in runtime/ipc/wire.c. */

enum mpr_tag {
    MPR_TAG_SHORT = 0x80, /* + size */
    MPR_TAG_NAMED = 0xa0, /* + index */
    MPR_TAG_NIL = 0xe0,
    MPR_TAG_FALSE,
    MPR_TAG_TRUE,
    MPR_TAG_NULL,
    MPR_TAG_INT8,
    MPR_TAG_INT16,
    MPR_TAG_INT32,
    MPR_TAG_INT64,
    MPR_TAG_NUMBER,
    MPR_TAG_NAME,
    MPR_TAG_NAME_FAR,
    MPR_TAG_RUN,
    MPR_TAG_STRING,
    MPR_TAG_STRING_SHARED,
    MPR_TAG_MAP,
    MPR_TAG_MAP_SHARED,
    MPR_TAG_TABLE,
    MPR_TAG_TABLE_SHARED,
    MPR_TAG_FUNCTION,
    MPR_TAG_FUNCTION_SHARED,
    MPR_TAG_END,
    MPR_TAG_REF,
    MPR_TAG_OBJECT,
    MPR_TAG_GLOBALS,
    MPR_TAG_BY_NAME,
    MPR_TAG_CLASS,
    MPR_TAG_INSTANCE,
    MPR_TAG_PACKED,
};

enum {
    MPR_WIRE_SHORT = 31, /* longest string that its tag gives the size of */
    MPR_WIRE_NAMES = 64 + 256,
    MPR_WIRE_PAIRS = 223,    /* most that their byte counts */
    MPR_WIRE_DEPTH = 100000, /* values within values, at most */
    MPR_WIRE_DOUBLES = 9,    /* kind of a RUN */
    MPR_WIRE_COUNT_MAX = 10, /* bytes of a count at most */
};

/* Little-endian words at any address. */

static inline uint64_t mpr_wire_load(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&v, p, width);
#else
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)p[i] << 8 * i;
#endif
    return v;
}

/* The signed integer of 1, 2, 4 or 8 bytes at p. */
static inline int64_t mpr_wire_integer(const uint8_t *p, unsigned width)
{
    uint64_t sign = (uint64_t)1 << (8 * width - 1);

    return (int64_t)((mpr_wire_load(p, width) ^ sign) - sign);
}

static inline double mpr_wire_number(const uint8_t *p)
{
    uint64_t bits = mpr_wire_load(p, 8);
    double v;

    memcpy(&v, &bits, 8);
    return v;
}

static inline void mpr_wire_store(uint8_t *p, uint64_t v, unsigned width)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(p, &v, width);
#else
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)(v >> 8 * i);
#endif
}

/* Writing. */

/* A growing piece of malloc's memory; starts as {0}. bytes..end is written. */
struct mpr_writer {
    uint8_t *bytes;
    uint8_t *end;
    uint8_t *limit;
};

/* Makes room for size more bytes: 0, or -ENOMEM (nothing changed). */
MPR_API int mpr_writer_grow(struct mpr_writer *w, size_t size);
MPR_API void mpr_writer_free(struct mpr_writer *w);

static inline int mpr_writer_need(struct mpr_writer *w, size_t size)
{
    return (size_t)(w->limit - w->end) >= size ? 0 : mpr_writer_grow(w, size);
}

static inline size_t mpr_writer_size(const struct mpr_writer *w)
{
    return (size_t)(w->end - w->bytes);
}

/* The put functions write at p, where there is room, and return the end. */

static inline uint8_t *mpr_put_count(uint8_t *p, uint64_t n)
{
    while (n > 127) {
        *p++ = (uint8_t)(n | 128);
        n >>= 7;
    }
    *p++ = (uint8_t)n;
    return p;
}

/* At most 9 bytes. */
static inline uint8_t *mpr_put_integer(uint8_t *p, int64_t v)
{
    if (v >= 0 && v <= 127) {
        *p = (uint8_t)v;
        return p + 1;
    }
    if (v == (int8_t)v) {
        p[0] = MPR_TAG_INT8;
        p[1] = (uint8_t)v;
        return p + 2;
    }
    if (v == (int16_t)v) {
        *p = MPR_TAG_INT16;
        mpr_wire_store(p + 1, (uint64_t)v, 2);
        return p + 3;
    }
    if (v == (int32_t)v) {
        *p = MPR_TAG_INT32;
        mpr_wire_store(p + 1, (uint64_t)v, 4);
        return p + 5;
    }
    *p = MPR_TAG_INT64;
    mpr_wire_store(p + 1, (uint64_t)v, 8);
    return p + 9;
}

/* 9 bytes. */
static inline uint8_t *mpr_put_number(uint8_t *p, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, 8);
    *p = MPR_TAG_NUMBER;
    mpr_wire_store(p + 1, bits, 8);
    return p + 9;
}

/* The write functions put one value, or the head of one: 0, or -ENOMEM. */

MPR_API int mpr_write_tag(struct mpr_writer *w, enum mpr_tag tag);
MPR_API int mpr_write_boolean(struct mpr_writer *w, int v);
MPR_API int mpr_write_integer(struct mpr_writer *w, int64_t v);
MPR_API int mpr_write_number(struct mpr_writer *w, double v);
MPR_API int mpr_write_string(struct mpr_writer *w, const void *s, size_t size);

/* A table with so many items, which follow, and so many pairs, which follow
 * the items; more than MPR_WIRE_PAIRS pairs must be followed by END. */
MPR_API int mpr_write_table(struct mpr_writer *w, uint64_t items,
                            uint64_t pairs);

/* The next items are these, up to 255 at a time. */
MPR_API int mpr_write_integers(struct mpr_writer *w, const int64_t *v,
                               unsigned count);
MPR_API int mpr_write_numbers(struct mpr_writer *w, const double *v,
                              unsigned count);

/* The smallest k with pairs <= 2^k, as the byte of pairs has it. */
static inline uint8_t mpr_wire_pairs(uint64_t pairs)
{
    unsigned k = 8;

    if (pairs <= MPR_WIRE_PAIRS)
        return (uint8_t)pairs;
    while (k < 31 && pairs > (uint64_t)1 << k)
        k++;
    return (uint8_t)(MPR_WIRE_PAIRS + 1 + k);
}

/* Reading. */

/* Bytes that somebody else wrote: nothing about them is believed. */
struct mpr_reader {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *begin;
};

static inline struct mpr_reader mpr_reader_of(const void *bytes, size_t size)
{
    const uint8_t *begin = (const uint8_t *)bytes;
    struct mpr_reader r = {begin, begin + size, begin};

    return r;
}

static inline size_t mpr_reader_left(const struct mpr_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* A count at r->at: 0, or -EBADMSG. */
static inline int mpr_read_count(struct mpr_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    const uint8_t *p = r->at;

    for (unsigned shift = 0; p < r->end && shift < 64; shift += 7) {
        uint64_t b = *p++;

        v |= (b & 127) << shift;
        if (b < 128) {
            if (shift == 63 && b > 1)
                return -EBADMSG;
            r->at = p;
            *out = v;
            return 0;
        }
    }
    return -EBADMSG;
}

/* A value, or its head: what follows it in the bytes is then read as values
 * of their own. Strings and runs point into the bytes. */
struct mpr_token {
    enum mpr_tag tag;     /* MPR_TAG_INT64 for integers and MPR_TAG_STRING for
                       * strings of every form; MPR_TAG_NAMED for names; MAP,
                       * TABLE, FUNCTION for their _SHARED twins too */
    int shared;           /* it was a _SHARED twin */
    int defines;          /* STRING: it is the next name */
    int64_t integer;      /* INT64 */
    double number;        /* NUMBER */
    const uint8_t *bytes; /* STRING, RUN; FUNCTION with its bytecode */
    uint64_t count;    /* bytes of STRING, FUNCTION; items of TABLE, RUN; index,
                     * offset, parts of what has one */
    uint64_t pairs;    /* MAP, TABLE: how many, or how many about (open) */
    int open;          /* the pairs go on until END */
    unsigned kind;     /* RUN: its kind; FUNCTION: 0, 1 or 2 */
    unsigned upvalues; /* FUNCTION: how many follow, each begun by mpr_read_
                        * upvalue */
};

/* The next token: 1, 0 at the end of the bytes, -EBADMSG for what is cut off
 * or no token. A claimed size is covered by the bytes that are left. */
MPR_API int mpr_read(struct mpr_reader *r, struct mpr_token *token);

/* What begins an upvalue: 0, 1 (its value follows), or 2 (then *off). */
MPR_API int mpr_read_upvalue(struct mpr_reader *r, uint64_t *off);

/* Whether what is left to read is a message: whole values, each of the form
 * above, not nested too deep. 0, -EBADMSG, -ENOMEM; -E2BIG when nested too
 * deep. Needs 16 bytes of memory a level. Offsets count from r.begin. */
MPR_API int mpr_wire_check(struct mpr_reader r);

#ifdef __cplusplus
}
#endif

#endif
