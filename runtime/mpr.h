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

/* Now, as nanoseconds of CLOCK_MONOTONIC. */
MPR_API int64_t mpr_now(void);

/* The instant so many seconds from now; MPR_FOREVER for what is too far. */
MPR_API int64_t mpr_after(double seconds);

/* Sleeps until then: 0, or -EINTR when a signal handler ran. Notices dead
 * members of the family meanwhile. */
MPR_API int mpr_sleep(int64_t deadline_ns);

/* ---- the family ----------------------------------------------------------- */

/* All functions may be called by several threads at once, also with handles on
 * one object. What a caller keeps in structs of its own (a process, a message,
 * a visit, …) is one thread's at a time. A process that is killed inside a call
 * has done what the call does, or nothing of it, unless the call says
 * otherwise. */

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

/* Gives the number back. What the actor still owns must be given up before, by
 * the release or abandon of its kind. Nothing for 0. */
MPR_API void mpr_actor_free(uint32_t actor);

/* CPUs that this process may use, by its affinity and the quotas of its control
 * groups; raw: those of the machine. At least 1. */
MPR_API int mpr_cpu_count(int raw);

/* Private memory that is fresh and will be written at once: asks the system
 * for its pages in one go, many megabytes in large ones, which costs half of
 * their first touch one by one. For a megabyte and more; only a hint. */
MPR_API void mpr_memory_ready(void *p, size_t size);

/* The CPUs that this process may run on: at most max of their numbers, and how
 * many there are. Setting them: -EINVAL when none of them exists. */
MPR_API int mpr_affinity_get(unsigned *cpus, unsigned max);
MPR_API int mpr_affinity_set(const unsigned *cpus, unsigned count);

/* Adds to this process's priority for the scheduler, which stays within -20
 * (first) and 19. -EACCES: only root may go first. */
MPR_API int mpr_nice_add(int nice);

/* Bytes that nobody can foretell. */
MPR_API int mpr_random(void *bytes, size_t size);

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
    MPR_KIND_SEGMENT, /* of a queue */
    MPR_KIND_VALUE,
    MPR_KIND_ARRAY,
    MPR_KIND_STRUCT,
    MPR_KIND_MEMORY,
    MPR_KIND_SHAREABLE, /* a list in named memory */
    MPR_KIND_FROZEN,
    MPR_KIND_DICT,
    MPR_KIND_LIST,
    MPR_KIND_POOL,
    MPR_KIND_JOB,
    MPR_KIND_LOG,
    MPR_KIND_MANAGER,
    MPR_KIND_PROXY,
    MPR_KIND_NOTE,     /* a message that stays, inside a job */
    MPR_KIND_MESSAGE,  /* a long one, with objects */
    MPR_KIND_BOX,      /* a large value in a dict or list */
    MPR_KIND_SEQUENCE, /* the contents of a list */
    MPR_KIND_END,
};

/* "lock", "queue", …, for a kind below MPR_KIND_END. */
MPR_API const char *mpr_kind_name(unsigned kind);

struct mpr_stats {
    uint64_t arena_size;
    uint64_t used;                  /* bytes in pieces that are handed out */
    uint64_t warm;                  /* free bytes that are kept backed */
    uint64_t processes;             /* members, ourselves included */
    uint64_t holds;                 /* of this process */
    uint64_t descriptors;           /* open in this process; 0: not known */
    uint64_t objects[MPR_KIND_END]; /* by kind */
    uint64_t bytes[MPR_KIND_END];
};

/* How things stand in the family, each number at some instant within the call.
 * Makes this process a member. */
MPR_API int mpr_stats(struct mpr_stats *out);

/* Checks every rule of the arena's structure: 0, or the number of the broken
 * one. Slow; for tests. */
MPR_API int mpr_check(void);

/* Looks for dead members now instead of at the next due time. */
MPR_API void mpr_sweep(void);

/* A living member of the family, as it was when somebody looked. */
struct mpr_relative {
    uint32_t slot, generation; /* name it for good */
    int pid;
    int creator; /* its pid; 0: it is over, or there is none */
    int worker;  /* of a pool */
    char name[40];
};

/* Fills in at most max of the living members, ourselves included; returns how
 * many there are. Reads facts about each from the system: not for hot paths. */
MPR_API uint32_t mpr_family(struct mpr_relative *out, uint32_t max);

/* Sends it a signal, whoever started it: -ESRCH when it is over, or lives in
 * another pid namespace. Never meets a stranger that has its number by now. */
MPR_API int mpr_family_signal(const struct mpr_relative *r, int signo);

/* Tests: this process sends itself signo when it passes the named test point
 * for the nth time ("*": any point). With signo 0 the points are those where
 * shared memory is asked for, and the nth gets none. NULL disarms: 1 when the
 * point had not come. -EINVAL. */
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
 * Waits return -ETIMEDOUT, or -EINTR: a signal handler may have run (they look
 * up twice a second, for one can be missed), or mpr_warning has something to
 * say; call again with the same deadline. */

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

/* -ENOMEM. */
MPR_API int mpr_rlock_create(mpr_rlock *l, const char *name);

/* 0, -EOWNERDEAD, -EDEADLK as above; -EOVERFLOW: 2^32 levels. */
MPR_API int mpr_rlock_acquire(mpr_rlock *l, uint32_t actor,
                              int64_t deadline_ns);

/* -EPERM: actor does not own it. */
MPR_API int mpr_rlock_release(mpr_rlock *l, uint32_t actor);

/* As for a lock; depth: how often its owner has acquired it. */
MPR_API void mpr_rlock_abandon(mpr_rlock *l, uint32_t actor);
MPR_API int mpr_rlock_locked(const mpr_rlock *l);
MPR_API int mpr_rlock_owner(const mpr_rlock *l, struct mpr_holder *out);
MPR_API uint32_t mpr_rlock_depth(const mpr_rlock *l);

/* A flag. */
typedef struct mpr_event {
    mpr_handle h;
} mpr_event;

/* Not set yet. -ENOMEM. */
MPR_API int mpr_event_create(mpr_event *e, const char *name);

/* Wakes all who wait, also when it is cleared at once. Legal in a signal
 * handler. */
MPR_API int mpr_event_set(mpr_event *e);

/* 0. */
MPR_API int mpr_event_clear(mpr_event *e);

/* 1 or 0. */
MPR_API int mpr_event_is_set(const mpr_event *e);

/* 0: it is set, or was set while this waited; -ETIMEDOUT, -EINTR. */
MPR_API int mpr_event_wait(mpr_event *e, int64_t deadline_ns);

/* So many units. */
typedef struct mpr_semaphore {
    mpr_handle h;
    uint32_t seat; /* private; 0 in a handle that came in a message */
} mpr_semaphore;

/* bounded: release beyond the first value is refused. -EINVAL: more than
 * INT32_MAX units. */
MPR_API int mpr_semaphore_create(mpr_semaphore *s, uint32_t value, int bounded,
                                 const char *name);

/* 0; -EOWNERDEAD: the same, and a unit was among those that came back from a
 * holder that ended. */
MPR_API int mpr_semaphore_acquire(mpr_semaphore *s, int64_t deadline_ns);

/* -EOVERFLOW: beyond the bound, nothing was changed. */
MPR_API int mpr_semaphore_release(mpr_semaphore *s);

/* As acquire, but the unit is the actor's: it comes back if the process ends.
 * -ENOMEM; -EUSERS: more than 4096 actors hold units. */
MPR_API int mpr_semaphore_hold(mpr_semaphore *s, uint32_t actor,
                               int64_t deadline_ns);

/* Gives back a unit that actor took by hold. -EPERM: it has none. */
MPR_API int mpr_semaphore_drop(mpr_semaphore *s, uint32_t actor);

/* What happens when the actor ends: what it holds comes back. */
MPR_API void mpr_semaphore_abandon(mpr_semaphore *s, uint32_t actor);

/* The units that could be acquired at some instant within the call. */
MPR_API uint32_t mpr_semaphore_value(const mpr_semaphore *s);

/* 1 and its bound, or 0: it has none. */
MPR_API int mpr_semaphore_bound(const mpr_semaphore *s, uint32_t *bound);

/* What owners of one lock wait for. */
typedef struct mpr_condition {
    mpr_handle h;
    uint32_t seat; /* private; 0 in a handle that came in a message */
} mpr_condition;

/* On the given Lock or RLock, or an RLock of its own (NULL). -EINVAL: the
 * handle is of another kind. */
MPR_API int mpr_condition_create(mpr_condition *c, const mpr_handle *lock,
                                 const char *name);

/* Opens a handle on its lock. -ENOMEM. */
MPR_API int mpr_condition_lock(const mpr_condition *c, mpr_handle *lock);

/* One wait; starts as {0}. */
struct mpr_condition_wait {
    uint32_t phase; /* 0: no wait is going on */
    /* Private. */
    uint32_t seat;
    uint32_t depth;
    int32_t result;
};

/* Gives up the lock (all levels), waits for a notification, takes the lock
 * again: 0, -EOWNERDEAD, or -ETIMEDOUT: not notified. -EINTR: still waiting,
 * and without the lock; call again with the same w, or cancel. -EDEADLK: the
 * lock cannot be taken again. -EPERM: actor does not own the lock. -ENOMEM,
 * -EUSERS: nothing was changed. */
MPR_API int mpr_condition_wait(mpr_condition *c, uint32_t actor,
                               struct mpr_condition_wait *w,
                               int64_t deadline_ns);

/* Ends a wait that was interrupted: it is not counted, and the lock is taken
 * again. 0, -EOWNERDEAD; -EINTR: still without the lock, call again or leave it
 * at that; -EDEADLK. */
MPR_API int mpr_condition_cancel(mpr_condition *c, uint32_t actor,
                                 struct mpr_condition_wait *w);

/* Notifies as many of those that wait, those that have waited longest first:
 * returns how many. -EPERM: actor does not own the lock. */
MPR_API int mpr_condition_notify(mpr_condition *c, uint32_t actor,
                                 uint32_t count);

/* Where so many parties wait for each other. */
typedef struct mpr_barrier {
    mpr_handle h;
    uint32_t seat; /* private; 0 in a handle that came in a message */
} mpr_barrier;

struct mpr_barrier_options {
    uint32_t parties;        /* 1 to 2^24 - 1 */
    int64_t timeout_ns;      /* for the callers of wait to use */
    const mpr_handle *extra; /* kept for mpr_barrier_extra; may be NULL */
    const char *name;
};

/* -EINVAL: parties. */
MPR_API int mpr_barrier_create(mpr_barrier *b,
                               const struct mpr_barrier_options *options);

/* timeout_ns, as its maker gave it. */
MPR_API int64_t mpr_barrier_timeout(const mpr_barrier *b);

/* Opens a handle on what the maker put there. -ENOENT. */
MPR_API int mpr_barrier_extra(const mpr_barrier *b, mpr_handle *extra);

/* One party's stay; starts as {0}. */
struct mpr_barrier_visit {
    uint32_t phase; /* 0: not inside */
    /* Private. */
    uint32_t seat;
    uint32_t who;
    uint32_t generation;
    uint32_t index;
};

enum { MPR_BARRIER_LAST = 0 };

/* Waits until all parties are here: 1 to parties, in the order they came.
 * MPR_BARRIER_LAST: this is the last one; the others wait until it calls
 * mpr_barrier_pass. -ECANCELED: the barrier is broken: by a party whose
 * deadline passed (also this one), that left, or that died inside. -ETIMEDOUT:
 * the parties before were not let go in time; nothing was changed. -EINTR:
 * still inside; call again, or leave. -ENOMEM, -EUSERS. */
MPR_API int mpr_barrier_wait(mpr_barrier *b, uint32_t actor,
                             struct mpr_barrier_visit *v, int64_t deadline_ns);

/* Lets all go: the index, or -ECANCELED. */
MPR_API int mpr_barrier_pass(mpr_barrier *b, struct mpr_barrier_visit *v);

/* Leaves without having passed, which breaks it. Nothing when not inside. */
MPR_API void mpr_barrier_leave(mpr_barrier *b, struct mpr_barrier_visit *v);

/* Breaks it: who waits, and who comes later, gets -ECANCELED. 0. */
MPR_API int mpr_barrier_abort(mpr_barrier *b);

/* Those who wait get -ECANCELED; then it is whole again. 0. */
MPR_API int mpr_barrier_reset(mpr_barrier *b);

/* How many it is for, how many wait in it now, and whether it is broken. */
MPR_API uint32_t mpr_barrier_parties(const mpr_barrier *b);
MPR_API uint32_t mpr_barrier_waiting(const mpr_barrier *b);
MPR_API int mpr_barrier_is_broken(const mpr_barrier *b);

/* The cycle of waiters behind this thread's last -EDEADLK: "deadlock: worker-1
 * holds 'db' and waits for 'log'; …". */
MPR_API const char *mpr_deadlock(void);

/* Once, when a wait of this thread was interrupted to say it: a cycle of
 * waiters out of which somebody else may still help. NULL: nothing. */
MPR_API const char *mpr_warning(void);

/* ---- messages ---------------------------------------------------------------
 * What travels through pipes and queues: bytes, and objects that the message
 * keeps alive until it is got. */

enum { MPR_PARCEL_REFS = 1000000 }; /* objects in one message at most */

/* A message to put; borrowed for the call. */
struct mpr_parcel {
    const void *bytes;
    uint64_t size;
    const mpr_handle *const *refs;
    uint32_t ref_count;
    const void *more; /* further bytes, which lie elsewhere */
    uint64_t more_size;
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

/* Drops the objects that were not moved out; the memory stays for the next. */
MPR_API void mpr_message_clear(struct mpr_message *m);

/* The same, and frees the memory: m is as it started. */
MPR_API void mpr_message_free(struct mpr_message *m);

/* Makes of to another message with the objects of from, on which it has holds
 * of its own, and the bytes, which it borrows. -ENOMEM, -E2BIG. */
MPR_API int mpr_message_share(struct mpr_message *to,
                              const struct mpr_message *from);

/* Several messages, got at once; starts as {0}. They share memory: each is
 * valid until the next get into the batch, and cleared and freed with it. */
struct mpr_batch {
    struct mpr_message *messages;
    uint32_t count;
    uint32_t capacity;       /* private */
    struct mpr_message room; /* private: the buffer and the refs of all */
};

/* As for a message. */
MPR_API void mpr_batch_clear(struct mpr_batch *b);
MPR_API void mpr_batch_free(struct mpr_batch *b);

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

/* ---- queues -------------------------------------------------------------------
 * First in, first out, for any number of putting and getting processes. What
 * was put is there at once, for everybody, whatever becomes of who put it; it
 * is got once. A process killed while it puts has put nothing; one killed
 * while it gets has left the message to others, or taken it along.
 *
 *     struct mpr_parcel out = {.bytes = "hello", .size = 5};
 *     err = mpr_queue_put(&q, &out, MPR_FOREVER);
 *
 *     struct mpr_message in = {0};
 *     while (mpr_queue_get(&q, &in, MPR_FOREVER) == 0)
 *         use(in.bytes, in.size);
 *     mpr_message_free(&in); */

typedef struct mpr_queue {
    mpr_handle h;
} mpr_queue;

/* bound: the messages it takes at most; 0: as many as the arena holds. tag: a
 * number of the maker's, for those who are sent the queue. name: for messages,
 * or NULL; cut to 31 bytes. -ENOMEM. */
MPR_API int mpr_queue_create(mpr_queue *q, uint64_t bound, uint32_t tag,
                             const char *name);

/* What its maker gave. */
MPR_API uint32_t mpr_queue_tag(const mpr_queue *q);
MPR_API uint64_t mpr_queue_bound(const mpr_queue *q); /* 0: none */

/* -ETIMEDOUT: full until then; -EPIPE: closed; -ENOMEM; -EMSGSIZE: too many
 * objects; -EINTR. Then nothing was put. */
MPR_API int mpr_queue_put(mpr_queue *q, const struct mpr_parcel *parcel,
                          int64_t deadline_ns);

/* Puts parcels[*done] … parcels[count - 1], side by side when there is room
 * for them, and counts *done up; what it counts was put, whatever it returns
 * (as above). A process killed inside has put a first part of them. */
MPR_API int mpr_queue_put_many(mpr_queue *q, const struct mpr_parcel *parcels,
                               size_t count, size_t *done, int64_t deadline_ns);

/* -ETIMEDOUT: empty until then; -EPIPE: closed and empty; -ENOMEM, -E2BIG
 * (see struct mpr_message), -EINTR: the message stays. */
MPR_API int mpr_queue_get(mpr_queue *q, struct mpr_message *m,
                          int64_t deadline_ns);

/* Waits for one and gets at most max that are there: how many, or as above. */
MPR_API int mpr_queue_get_many(mpr_queue *q, struct mpr_batch *b, uint32_t max,
                               int64_t deadline_ns);

/* The number of messages at one instant within the call. */
MPR_API uint64_t mpr_queue_size(const mpr_queue *q);

/* Nothing more will be put: every put, in any process, returns -EPIPE from now
 * on; every get drains first. */
MPR_API void mpr_queue_close(mpr_queue *q);

/* Whether somebody closed it. */
MPR_API int mpr_queue_closed(const mpr_queue *q);

/* For those who count work and not messages: a message is unfinished from its
 * put until a call of task_done; join waits until none is. What a killed
 * process had got and not finished stays unfinished. -EINVAL: more calls than
 * puts; -ETIMEDOUT, -EINTR. */
MPR_API int mpr_queue_task_done(mpr_queue *q);
MPR_API uint64_t mpr_queue_unfinished(const mpr_queue *q);
MPR_API int mpr_queue_join(mpr_queue *q, int64_t deadline_ns);

/* ---- sockets ------------------------------------------------------------------
 * Messages between processes that share no memory: over a Unix socket (private
 * to its user) or TCP. With a key both sides prove that they know it, and all
 * that follows is encrypted. A message is bytes; it holds no objects. */

enum { MPR_ADDRESS_PATH = 104, MPR_ADDRESS_HOST = 64 };

enum { MPR_ADDRESS_TCP = 1, MPR_ADDRESS_TCP4 = 4, MPR_ADDRESS_TCP6 = 6 };

struct mpr_address {
    int tcp; /* 0: path; host and port: MPR_ADDRESS_TCP, or of one IP version */
    char path[MPR_ADDRESS_PATH];
    char host[MPR_ADDRESS_HOST];
    uint16_t port; /* 0: any that is free */
};

typedef struct mpr_channel {
    mpr_handle h; /* what those who inherit the descriptor share. Private */
    int fd;
} mpr_channel;

/* Whether keys can be used: libsodium is there, and this build knows it. */
MPR_API int mpr_has_keys(void);

/* A listening descriptor; *a says where, also the port that was chosen. */
MPR_API int mpr_listen(struct mpr_address *a, int backlog);

/* A path to listen at, in a new folder for it alone that only this user can
 * enter. The caller removes both; what a killed process left, the next call. */
MPR_API int mpr_listen_private(struct mpr_address *a);

/* -EACCES: the peer does not know the key; -EPROTO: it speaks another
 * protocol; -EPERM: it is of another user; -ETIMEDOUT; -ENOTSUP: a key, but no
 * cryptography. A peer that stalls, or goes, before it gave its proof is passed
 * over. */
MPR_API int mpr_accept(int listener, mpr_channel *c, struct mpr_address *peer,
                       const void *key, size_t key_size, int64_t deadline_ns);

/* mpr_accept in two steps, for who must not wait for a peer that stalls: the
 * connection, which is not to be trusted, and then the peer's proof (-EPIPE: it
 * is gone; -ETIMEDOUT: it stalls). A channel that fails it is closed. */
MPR_API int mpr_take(int listener, mpr_channel *c, struct mpr_address *peer,
                     int64_t deadline_ns);
MPR_API int mpr_greet(mpr_channel *c, const void *key, size_t key_size);

/* The other side of it: as mpr_accept, or -errno of connect; -EPIPE: the peer
 * is gone. Proofs take 10 s at most when the deadline is MPR_FOREVER. */
MPR_API int mpr_connect(mpr_channel *c, const struct mpr_address *a,
                        const void *key, size_t key_size, int64_t deadline_ns);

/* -EPIPE: the peer is gone, or a message was broken off before. */
MPR_API int mpr_channel_send(mpr_channel *c, const void *bytes, uint64_t size);

/* -EPIPE, -ETIMEDOUT; -EMSGSIZE: the next message is longer than max; without a
 * key it stays where it is; -EBADMSG: the peer sends what it may not. With a key
 * after -EMSGSIZE, and after -EBADMSG, nothing more can be received. */
MPR_API int mpr_channel_receive(mpr_channel *c, struct mpr_message *m,
                                uint64_t max, int64_t deadline_ns);

/* Over TCP: a peer whose machine says nothing for so many seconds is gone
 * (-EPIPE). The system finds that out; the peer need not do anything. */
MPR_API int mpr_channel_keepalive(mpr_channel *c, int seconds);

/* 1 when receive would find something (a message's begin, or the end), 0 when
 * the deadline passed, -EINTR. */
MPR_API int mpr_channel_poll(mpr_channel *c, int64_t deadline_ns);

/* Closes the descriptor; nothing on one that is closed. */
MPR_API void mpr_channel_close(mpr_channel *c);

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

/* ---- logs ------------------------------------------------------------------------
 * The last few hundred records that the processes of a family wrote. Writing
 * waits for nobody, and a killed writer is in nobody's way. */

enum { MPR_LOG_NAME = 32, MPR_LOG_TEXT = 960 };

typedef struct mpr_log {
    mpr_handle h;
} mpr_log;

/* What is written: longer names and texts are cut. */
struct mpr_log_record {
    int64_t time_ns; /* since 1970 */
    unsigned level;  /* up to 255 */
    uint32_t name_size;
    const char *name; /* of the process */
    const char *text;
    uint64_t size;
};

struct mpr_log_copy {
    int64_t time_ns;
    uint32_t pid;
    uint32_t level;
    uint32_t name_size;
    uint32_t unused;
    uint64_t size;
    uint64_t whole; /* the size of the text before it was cut */
    char name[MPR_LOG_NAME];
    char text[MPR_LOG_TEXT];
};

/* -ENOMEM. */
MPR_API int mpr_log_create(mpr_log *l);

/* -EAGAIN: its place is taken by a writer that was stopped; counted. */
MPR_API int mpr_log_write(mpr_log *l, const struct mpr_log_record *r);

/* Writes the text, which ends in a newline, to the descriptor: lines of all who
 * do so with this log stay whole, however long they are. A writer that is killed
 * inside delays nobody; its line is ended by the next one. */
MPR_API int mpr_log_line(mpr_log *l, int fd, const char *text, uint64_t size);

/* Records have numbers, from 1. Those from first to last may be there. */
MPR_API uint64_t mpr_log_first(const mpr_log *l);
MPR_API uint64_t mpr_log_last(const mpr_log *l);

/* How many records were not written (see mpr_log_write). */
MPR_API uint64_t mpr_log_dropped(const mpr_log *l);

/* -ENOENT: it was dropped, is overwritten, or is being written. */
MPR_API int mpr_log_read(const mpr_log *l, uint64_t number,
                         struct mpr_log_copy *out);

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

/* Makes it of a handle that came in a message; takes it. */
MPR_API void mpr_struct_attach(mpr_struct *s, mpr_handle *h);

/* NULL: no such member. */
MPR_API const struct mpr_member *
mpr_layout_find(const struct mpr_layout *l, const char *name, size_t name_size);

/* Of a member: its name, its layout when it is a Struct (or NULL), and the
 * bytes of one of its cells. */
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

/* Whether a value or array behind a handle has no lock. */
MPR_API int mpr_array_is_raw(const mpr_handle *h);

/* Opens a handle on the Struct of its cells. -ENOENT: they have a code. */
MPR_API int mpr_array_format(const mpr_array *a, mpr_handle *format);

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

/* Its name, without a slash; also after unlink. */
MPR_API const char *mpr_memory_name(const mpr_memory *m);

/* Takes the name away; whoever has the memory keeps it. -ENOENT: the name is
 * gone, or another one's. */
MPR_API int mpr_memory_unlink(mpr_memory *m);

/* A raw array on a part of it, which it keeps alive: see mpr_array_view. */
MPR_API int mpr_memory_view(const mpr_memory *m, uint64_t off,
                            const struct mpr_cells *what, mpr_array *view);

/* Unmaps and closes it; views stay. */
MPR_API void mpr_memory_close(mpr_memory *m);

/* ---- plain values -------------------------------------------------------------------------
 * What lists in named memory and frozen tables hold. */

enum mpr_item_type {
    MPR_ITEM_NIL,
    MPR_ITEM_BOOLEAN, /* n.u */
    MPR_ITEM_INTEGER, /* n.i */
    MPR_ITEM_FLOAT,   /* n.d */
    MPR_ITEM_TEXT,    /* text, size */
    MPR_ITEM_TABLE,   /* n.u: its place in the image */
};

struct mpr_item {
    enum mpr_item_type type;
    union mpr_number n;
    const char *text; /* borrowed */
    uint64_t size;
};

/* ---- lists in named memory ------------------------------------------------------------------
 * A list of fixed length, whose items may change, also their type; a text may
 * be as long as the slot that it lies in: one byte more than the first text,
 * rounded up to a multiple of 8. An item is replaced at once, whoever is
 * killed. For programs that use mpr; the memory's owners as above. */

typedef struct mpr_shareable {
    mpr_handle h;
    mpr_memory memory;
} mpr_shareable;

/* No tables. As mpr_memory_create; -E2BIG. */
MPR_API int mpr_shareable_create(mpr_shareable *l, const char *name,
                                 unsigned flags, const struct mpr_item *items,
                                 uint64_t count);

/* As mpr_memory_open; -EPROTO: no list lies there. */
MPR_API int mpr_shareable_open(mpr_shareable *l, const char *name);

/* Makes it of a handle that came in a message; takes it. As
 * mpr_memory_attach. */
MPR_API int mpr_shareable_attach(mpr_shareable *l, mpr_handle *h);

/* Its length. */
MPR_API uint64_t mpr_shareable_count(const mpr_shareable *l);

/* How long a text in slot i (from 0) may be. */
MPR_API uint64_t mpr_shareable_room(const mpr_shareable *l, uint64_t i);

/* Copies a text into buf, which has that room. -EBADMSG: somebody else wrote
 * nonsense into the memory. */
MPR_API int mpr_shareable_get(const mpr_shareable *l, uint64_t i, char *buf,
                              struct mpr_item *item);

/* -EMSGSIZE: the text is too long. */
MPR_API int mpr_shareable_set(const mpr_shareable *l, uint64_t i,
                              const struct mpr_item *item);

/* Unmaps and closes it. */
MPR_API void mpr_shareable_close(mpr_shareable *l);

/* ---- frozen tables ---------------------------------------------------------------------------
 * An image of tables, numbers and text in one piece of shared memory, which is
 * read in place and never changes. A table has items (1 to n) and entries; its
 * place is the distance from the image's start. Places and texts stay valid as
 * long as the handle is open. */

typedef struct mpr_frozen {
    mpr_handle h;
    const char *image;
    uint64_t size;
    uint64_t root; /* the place of the table that the handle means */
} mpr_frozen;

/* How many items, and how many items and entries, a table has. */
MPR_API uint64_t mpr_frozen_length(const mpr_frozen *f, uint64_t table);
MPR_API uint64_t mpr_frozen_count(const mpr_frozen *f, uint64_t table);

/* What lies under the key: 1, or 0 and MPR_ITEM_NIL. A float key is one that
 * is no integer. */
MPR_API int mpr_frozen_at(const mpr_frozen *f, uint64_t table, int64_t key,
                          struct mpr_item *value);
MPR_API int mpr_frozen_get(const mpr_frozen *f, uint64_t table,
                           const struct mpr_item *key, struct mpr_item *value);

/* The position-th pair, from 0: first the items, then the entries as they were
 * put. 0: there are no more. */
MPR_API int mpr_frozen_pair(const mpr_frozen *f, uint64_t table,
                            uint64_t position, struct mpr_item *key,
                            struct mpr_item *value);

/* A handle of its own on one of the tables, which keeps the image. -ENOMEM. */
MPR_API int mpr_frozen_part(const mpr_frozen *f, uint64_t table,
                            mpr_frozen *part);

/* Makes it of a handle that came in a message; takes it. */
MPR_API void mpr_frozen_attach(mpr_frozen *f, mpr_handle *h);

/* To make one: add the sizes of all that it will hold, create it, put each
 * thing at its place, seal it. Places start at MPR_FROZEN_START and grow by the
 * sizes. Nobody else sees it before it is sealed. */
enum { MPR_FROZEN_START = 64 };

struct mpr_frozen_shape {
    uint64_t items;
    uint64_t entries;           /* fewer than 2^31 */
    enum mpr_item_type uniform; /* all items are INTEGER, FLOAT, TEXT or TABLE;
                                 * NIL: they differ */
};

/* The bytes that such a table, or a text of that size, takes in the image. */
MPR_API uint64_t mpr_frozen_table_size(const struct mpr_frozen_shape *shape);
MPR_API uint64_t mpr_frozen_text_size(uint64_t size);

/* -ENOMEM. name may be NULL. */
MPR_API int mpr_frozen_create(mpr_frozen *f, uint64_t size, const char *name);

/* Each at its place, once. */
MPR_API void mpr_frozen_put_text(mpr_frozen *f, uint64_t place,
                                 const char *text, uint64_t size);
MPR_API void mpr_frozen_put_table(mpr_frozen *f, uint64_t place,
                                  const struct mpr_frozen_shape *shape);

/* TEXT and TABLE: n.u is the place. Items in any order; entries at most as
 * many as the shape says, each key once, keys that are TEXT after their text
 * was put. -EINVAL: an item of another type than the uniform one, or beyond
 * the shape. */
MPR_API int mpr_frozen_put_item(mpr_frozen *f, uint64_t table, uint64_t index,
                                const struct mpr_item *value);
MPR_API int mpr_frozen_put_entry(mpr_frozen *f, uint64_t table,
                                 const struct mpr_item *key,
                                 const struct mpr_item *value);

/* From now on it is read only; root: the place of the table it means. */
MPR_API void mpr_frozen_seal(mpr_frozen *f, uint64_t root);

/* ---- processes -----------------------------------------------------------------
 * A process of the family, seen by its creator, by itself, or by anyone it was
 * sent to. Only the creator can join it. */

enum { MPR_PROCESS_NAME = 40, MPR_PROCESS_FDS = 64, MPR_IN_CHILD = 1 };

typedef struct mpr_process {
    mpr_handle h;
    int pidfd; /* readable once it ended; -1: none. Private */
    int pid;
    int mine;                 /* our child, and not waited for yet */
    int watched;              /* pidfd was given away as a sentinel. Private */
    int linked;               /* among those that may have a pidfd. Private */
    struct mpr_process *next; /* private */
} mpr_process;

struct mpr_process_options {
    const char *name; /* cut to MPR_PROCESS_NAME - 1 bytes */
    int worker;       /* it will be a pool's: for mpr_worker_count */
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

/* Whether this program was started so and has not adopted yet. */
MPR_API int mpr_process_is_ordered(void);

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

/* Whether it is not over: 1 also before it was forked. Anyone may ask. */
MPR_API int mpr_process_alive(mpr_process *p);

/* 0..255, or -N when signal N ended it; -EAGAIN: it is not over, or nobody
 * knows yet (not to its creator: it is told once the process is over, and 255
 * if who forked it was killed before it could tell). */
MPR_API int mpr_process_exit_code(mpr_process *p, int *code);

/* Waits for the end: 0, -ETIMEDOUT, -EINTR. */
MPR_API int mpr_process_join(mpr_process *p, int64_t deadline_ns);

/* Sends a signal; nothing once it ended. */
MPR_API int mpr_process_signal(mpr_process *p, int signo);

/* A descriptor that is readable for good once it ended; the object's own. */
MPR_API int mpr_process_sentinel(mpr_process *p);

/* What its creator gave; pid: 0 before it was forked. */
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

/* ---- pools ----------------------------------------------------------------------
 * Workers that take tasks out of jobs, in the order in which the jobs came, and
 * put results in. A job lies in the family's memory: it is worked on while its
 * submitter does something else, and what a worker that dies had finished stands.
 *
 *     mpr_pool_create(&pool, &(struct mpr_pool_options){.workers = 4});
 *     mpr_pool_start(&pool, body, NULL);               the workers, forked
 *     mpr_job_create(&job, &pool, &(struct mpr_job_options){
 *         .tasks = MPR_TASKS_RANGE, .room = 1000, .step = 1});
 *     mpr_job_publish(&job);
 *     for (i = 0; i < 1000; i++) {
 *         while (mpr_job_wait(&job, i, 0, mpr_after(0.05)) != 1)
 *             mpr_pool_tend(&pool);
 *         mpr_job_result(&job, i, &result);
 *     }
 *
 * The body, in a worker, gives every task its result:
 *
 *     int body(void *ud, mpr_worker *w, const struct mpr_task *t)
 *     {
 *         int64_t square = t->integer * t->integer;
 *         return mpr_worker_give(w, 0, 0,
 *                                &(struct mpr_parcel){&square, 8, NULL, 0});
 *     } */

enum mpr_pool_state {
    MPR_POOL_RUN,
    MPR_POOL_CLOSE,     /* no new jobs; the workers leave when all is done */
    MPR_POOL_BROKEN,    /* workers cannot be started */
    MPR_POOL_TERMINATE, /* no task is begun any more */
};

typedef struct mpr_pool {
    mpr_handle h;
    struct mpr_crew *crew; /* private: of mpr_pool_start */
} mpr_pool;

struct mpr_pool_options {
    uint32_t workers; /* at most 2000 at once */
    const char *name;
};

/* A pool without workers yet. -ENOMEM, -EINVAL. */
MPR_API int mpr_pool_create(mpr_pool *p, const struct mpr_pool_options *o);

/* Makes a pool of a handle that came in a message; takes it. Such a pool can
 * be submitted to, and looked at. */
MPR_API void mpr_pool_attach(mpr_pool *p, mpr_handle *h);

/* Drops the handle: jobs made by it must be closed before. */
MPR_API void mpr_pool_close(mpr_pool *p);

/* Whether this process made it. */
MPR_API int mpr_pool_is_mine(const mpr_pool *p);

/* Its state now: it only ever moves on. */
MPR_API enum mpr_pool_state mpr_pool_state(const mpr_pool *p);

/* Moves the pool on to the state; nothing when it is past it. */
MPR_API void mpr_pool_shut(mpr_pool *p, enum mpr_pool_state state);

/* The same for BROKEN, with a message that says why, and that message: -ENOENT
 * when there is none. */
MPR_API int mpr_pool_break(mpr_pool *p, const struct mpr_parcel *why);
MPR_API int mpr_pool_why(mpr_pool *p, struct mpr_message *m);

/* Tasks that are submitted and not done. */
MPR_API uint64_t mpr_pool_pending(mpr_pool *p);

/* ---- workers, as the pool's creator sees them */

/* Reserves a seat for a worker that is about to be started: its index, and the
 * number that the worker has for good. -EUSERS: all are taken. */
MPR_API int mpr_pool_seat(mpr_pool *p, uint32_t *number);

/* The process that was started for the seat is over, with this exit code, or
 * -signal: what it was doing is lost, what it had not begun is done by others. */
MPR_API void mpr_pool_bury(mpr_pool *p, uint32_t seat, int status);

/* The worker of the seat leaves after its task: its successor is there. */
MPR_API void mpr_pool_retire(mpr_pool *p, uint32_t seat);

enum mpr_seat_state {
    MPR_SEAT_EMPTY,
    MPR_SEAT_STARTING, /* its process was not heard of yet */
    MPR_SEAT_LIVE,
    MPR_SEAT_LEFT,  /* it said good-bye */
    MPR_SEAT_ENDED, /* it was found dead */
};

struct mpr_seat_stats {
    enum mpr_seat_state state;
    uint32_t number;
    int pid;
    int busy;
    int weary;      /* it asks for a successor */
    uint64_t tasks; /* done */
    uint64_t busy_ns;
    int64_t entered_ns;
};

/* -ENOENT: there are fewer seats. */
MPR_API int mpr_pool_look(const mpr_pool *p, uint32_t seat,
                          struct mpr_seat_stats *out);

/* How many were buried that had not said good-bye. */
MPR_API uint32_t mpr_pool_deaths(const mpr_pool *p);

/* ---- jobs */

/* A message that stays, for the workers: what all tasks of a job have in
 * common. */
typedef struct mpr_note {
    mpr_handle h;
    uint64_t owner; /* private */
} mpr_note;

/* -ENOMEM, -EMSGSIZE. */
MPR_API int mpr_note_create(mpr_note *n, const struct mpr_parcel *parcel);

/* Drops the handle; jobs that were made with it keep it. */
MPR_API void mpr_note_close(mpr_note *n);

/* The note's message; m is valid as long as somebody holds the note. -ENOMEM,
 * -E2BIG: it does not fit a fixed m. */
MPR_API int mpr_note_read(const mpr_handle *note, struct mpr_message *m);

enum mpr_tasks {
    MPR_TASKS_MESSAGES, /* added one by one */
    MPR_TASKS_INTEGERS, /* 64 bits each */
    MPR_TASKS_RANGE,    /* first, first + step, …: all there from the start */
};

enum {
    MPR_JOB_TASKS = 1 << 30, /* in a job at most */
    /* Flags; those above are for the workers' body. */
    MPR_JOB_STOP = 1,      /* a task that fails stops the job */
    MPR_JOB_STOP_LOST = 2, /* one that is lost does */
};

/* A job of this process's; a forked child has no part in it. */
typedef struct mpr_job {
    mpr_handle h;
    void *pool; /* private, all of these */
    uint64_t owner;
    uint32_t added;
} mpr_job;

struct mpr_job_options {
    enum mpr_tasks tasks;
    uint32_t room;          /* for so many tasks */
    uint64_t bytes;         /* and for so many bytes of MESSAGES */
    int64_t first, step;    /* of a RANGE */
    const mpr_note *common; /* may be NULL */
    uint64_t number;        /* what the first task is called */
    unsigned flags;
    int priority;       /* -20 to 20: the higher goes first */
    uint32_t chunk;     /* tasks that a worker takes at once; 0: as it fits */
    int64_t timeout_ns; /* for the workers' body */
    int64_t grace_ns;
    uint64_t seed;
};

/* -ENOMEM, -EINVAL. */
MPR_API int mpr_job_create(mpr_job *j, mpr_pool *p,
                           const struct mpr_job_options *o);

/* Drops the handle. What was published is done all the same. */
MPR_API void mpr_job_close(mpr_job *j);

/* Adds a task, which nobody sees before it is published. -ENOSPC: the job is
 * full; -ENOMEM. Functions on a job that this process did not make return
 * -ESTALE. */
MPR_API int mpr_job_add(mpr_job *j, const struct mpr_parcel *task);

/* Where the integers of a job of INTEGERS are to be written, and how many of
 * them will have been when it is published next. */
MPR_API int64_t *mpr_job_integers(mpr_job *j, uint32_t added);

/* For how many more tasks there is room, the next one being of so many bytes. */
MPR_API uint32_t mpr_job_room(const mpr_job *j, uint64_t bytes);

/* Workers may take what was added. -EPIPE: the pool takes no more; -ECANCELED:
 * it is broken. */
MPR_API int mpr_job_publish(mpr_job *j);

/* Nothing will be added. */
MPR_API int mpr_job_seal(mpr_job *j);

/* Whether no other job came to the pool after this one (a hint): what is added
 * now keeps its turn. */
MPR_API int mpr_job_is_last(const mpr_job *j);

/* No further task is begun; those that are being done go on. */
MPR_API void mpr_job_stop(mpr_job *j);

enum mpr_cancelled {
    MPR_CANCELLED_NOT,     /* it is over */
    MPR_CANCELLED_QUEUED,  /* it will not be begun */
    MPR_CANCELLED_RUNNING, /* its worker goes on, in the given seat */
};

/* The task is not to be done; seat: of the worker that is doing it. */
MPR_API enum mpr_cancelled mpr_job_cancel(mpr_job *j, uint32_t task, int *seat);

/* Interrupts that worker if it still does that task; one that does not end
 * within a second is killed. */
MPR_API int mpr_pool_interrupt(mpr_pool *p, uint32_t seat, const mpr_job *j,
                               uint32_t task);

/* Nobody wants the results: no further task is begun, and those that are being
 * done are cancelled and interrupted. */
MPR_API void mpr_job_give_up(mpr_job *j);

/* A task that failed or was lost is done once more, not before that time.
 * -EINVAL: it is another. */
MPR_API int mpr_job_retry(mpr_job *j, uint32_t task, int64_t not_before_ns);

enum mpr_result_state {
    MPR_RESULT_OPEN, /* not done yet */
    MPR_RESULT_DONE,
    MPR_RESULT_FAILED, /* the worker's body said so */
    MPR_RESULT_LOST,   /* the worker died */
    MPR_RESULT_CANCELLED,
};

/* bytes are valid while the job is open, and this struct stays. */
struct mpr_result {
    enum mpr_result_state state;
    unsigned worker; /* its number; not if CANCELLED */
    /* DONE, FAILED: */
    unsigned flags; /* as they were given */
    const uint8_t *bytes;
    uint64_t size;
    uint32_t objects; /* it carries so many: see mpr_result_message */
    /* LOST: */
    int pid;
    int known; /* status says how it ended: exit code, or -signal */
    int status;
    int late;          /* it was past its hard time limit */
    int kills;         /* workers that died of this task */
    int attempts;      /* before */
    double seconds;    /* that the task ran, about */
    uint8_t small[12]; /* private */
    void *note;
};

/* What became of a task; *out says more unless it is OPEN. Never waits. */
MPR_API enum mpr_result_state mpr_job_result(const mpr_job *j, uint32_t task,
                                             struct mpr_result *out);

/* Opens the objects of a result: m is valid as long as the result. */
MPR_API int mpr_result_message(const struct mpr_result *r,
                               struct mpr_message *m);

/* Results of the tasks below were read: for those who search. */
MPR_API void mpr_job_read_to(mpr_job *j, uint32_t task);

struct mpr_job_stats {
    uint32_t count;    /* tasks published */
    uint32_t progress; /* results announced: about as many as there are */
    uint32_t failures;
    uint32_t task_ns; /* what a task takes, about; 0: not known */
    int stopped;
    int failed;             /* a task did */
    uint32_t first_failure; /* the first in time, then */
};

/* How far a job is. Never waits. */
MPR_API void mpr_job_look(const mpr_job *j, struct mpr_job_stats *out);

#define MPR_ANY_TASK UINT64_MAX

/* Waits until the task is not open any more, or (ANY_TASK) progress is not what
 * was seen, or the job was stopped: 1; -ETIMEDOUT; -EINTR. */
MPR_API int mpr_job_wait(mpr_job *j, uint64_t task, uint32_t seen,
                         int64_t deadline_ns);

/* ---- what a worker does */

typedef struct mpr_worker mpr_worker;

struct mpr_task {
    uint32_t index;  /* in its job */
    uint64_t number; /* as the submitter counts */
    unsigned flags;  /* the job's */
    enum mpr_tasks tasks;
    int64_t integer;      /* INTEGERS, RANGE */
    const uint8_t *bytes; /* MESSAGES; valid until the task's result is given */
    uint64_t size;
    uint64_t common; /* another number for another note in common; 0: none */
    int64_t timeout_ns, grace_ns;
    uint64_t seed;
    void *note; /* private */
};

/* Takes the seat that the creator reserved: in the process that it made for it.
 * From here on this process ignores SIGINT. */
MPR_API int mpr_worker_enter(mpr_worker **w, mpr_pool *p, uint32_t seat);

/* Leaves it, and frees w. */
MPR_API void mpr_worker_leave(mpr_worker *w);

/* Workers of pools that there are in the family. */
MPR_API int mpr_worker_count(void);

/* The next task: 1; 0: the worker is to leave; -ETIMEDOUT, -EINTR. only, if not
 * NULL: of that job, without waiting. */
MPR_API int mpr_worker_take(mpr_worker *w, const mpr_job *only,
                            struct mpr_task *t, int64_t deadline_ns);

/* What the tasks of the job in hand have in common, with its objects opened;
 * -ENOENT: nothing. */
MPR_API int mpr_worker_common(mpr_worker *w, struct mpr_message *m);

/* The task's message, with its objects opened. */
MPR_API int mpr_task_message(const struct mpr_task *t, struct mpr_message *m);

/* For its submitter: a task as workers get it, to say in a report what it was
 * about. -EINVAL: it was not published. */
MPR_API int mpr_job_task(const mpr_job *j, uint32_t task, struct mpr_task *t);

/* Its result, or why it failed; flags: 0 to 15, for the reader. -ENOMEM,
 * -EMSGSIZE: not given. */
MPR_API int mpr_worker_give(mpr_worker *w, int failed, unsigned flags,
                            const struct mpr_parcel *p);

/* The task is not given but done once more, by whoever comes, not before that
 * time. */
MPR_API void mpr_worker_retry(mpr_worker *w, int64_t not_before_ns);

/* How often that was done with this task, and workers were lost by it. */
MPR_API unsigned mpr_worker_attempts(mpr_worker *w);

/* A task is about to wait for tasks of its own pool: until unnest, the worker
 * may take others. -EOVERFLOW: it has done so too often. */
MPR_API int mpr_worker_nest(mpr_worker *w);
MPR_API void mpr_worker_unnest(mpr_worker *w);

/* Interrupting a task that runs. After watch, which takes over SIGTERM and
 * SIGURG in this process, due(ud) is called, in a signal handler, when the task
 * in hand should end; mpr_worker_interrupt then says why. An interrupt that the
 * task survives comes again when its time is up. */
enum mpr_interrupt {
    MPR_INTERRUPT_NONE,
    MPR_INTERRUPT_TIME,
    MPR_INTERRUPT_CANCEL,
    MPR_INTERRUPT_END, /* SIGTERM: the worker is to leave */
};
MPR_API int mpr_worker_watch(mpr_worker *w, void (*due)(void *ud), void *ud);
MPR_API enum mpr_interrupt mpr_worker_interrupt(mpr_worker *w);

/* The task in hand is interrupted after that time, counted from now, and the
 * kernel ends the worker after the grace behind that. */
MPR_API void mpr_worker_limit(mpr_worker *w, int64_t timeout_ns,
                              int64_t grace_ns);

/* The worker, between two tasks, asks for a successor, and gives it 0.1 s to
 * come before it goes on meanwhile. */
MPR_API void mpr_worker_weary(mpr_worker *w);

/* The number that the worker has for good (mpr_pool_seat). */
MPR_API uint32_t mpr_worker_number(const mpr_worker *w);

/* ---- workers made by a fork, for programs in C */

/* Gives the task its result (mpr_worker_give) and returns 0; an error ends the
 * worker. */
typedef int mpr_body(void *ud, mpr_worker *w, const struct mpr_task *t);

/* Forks the workers, daemons of this thread, each of which calls body for its
 * tasks. -errno: none was started. */
MPR_API int mpr_pool_start(mpr_pool *p, mpr_body *body, void *ud);

/* Buries workers that died and starts others in their place; to be called now
 * and then. How many live. */
MPR_API int mpr_pool_tend(mpr_pool *p);

/* Waits until all workers left a pool that was shut: 0, -ETIMEDOUT, -EINTR.
 * Workers of one in state TERMINATE are killed. */
MPR_API int mpr_pool_join(mpr_pool *p, int64_t deadline_ns);

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

/* Frees its memory: w is as it started. */
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
    unsigned kind;     /* RUN: its kind; FUNCTION: 0 or 1 */
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

/* ---- dicts -----------------------------------------------------------------
 * A hash table that all processes share: keys are strings of at most 32768
 * bytes, integers, floats and booleans, values are messages, with the objects
 * they carry. Each function is one atomic step, a process killed in it has
 * taken it or not. Readers wait for nobody; writers for others that write
 * keys of a similar hash, for well under a microsecond. */

typedef struct mpr_dict {
    mpr_handle h;
    uint32_t actor; /* whose reservation its changes may pass; 0: nobody's */
} mpr_dict;

enum mpr_key_type {
    MPR_KEY_STRING = 1,
    MPR_KEY_INTEGER,
    MPR_KEY_FLOAT, /* with an integer value it is that integer */
    MPR_KEY_BOOLEAN,
};

struct mpr_key {
    unsigned type;
    const char *string;
    uint64_t size;   /* of string */
    int64_t integer; /* and boolean */
    double number;   /* NaN is no key */
};

struct mpr_scalar {
    int is_float;
    int64_t integer;
    double number;
};

/* name is cut to 31 bytes, NULL is none. -ENOMEM. */
MPR_API int mpr_dict_create(mpr_dict *d, const char *name);

/* For all that take a key: -EINVAL: it is none; -EMSGSIZE: it is too long. For
 * all that change: -ENOMEM, nothing was changed; -EINTR: the key is reserved
 * for another actor, and a signal came while we waited. */

/* The value of a key: -ENOENT: there is none; -E2BIG (see mpr_message). */
MPR_API int mpr_dict_get(mpr_dict *d, const struct mpr_key *key,
                         struct mpr_message *m);

/* Whether there is a value. */
MPR_API int mpr_dict_has(mpr_dict *d, const struct mpr_key *key);

/* What mpr_handle_id says of the object that is the key's value: 0 when the
 * value is anything else. Whoever has that object open saves opening it. */
MPR_API uint64_t mpr_dict_object(mpr_dict *d, const struct mpr_key *key);

/* Stores a value, which counts as absent from expires_ns (MPR_FOREVER). */
MPR_API int mpr_dict_set(mpr_dict *d, const struct mpr_key *key,
                         const struct mpr_parcel *parcel, int64_t expires_ns);

/* The same if there is none: -EEXIST. */
MPR_API int mpr_dict_insert(mpr_dict *d, const struct mpr_key *key,
                            const struct mpr_parcel *parcel,
                            int64_t expires_ns);

/* Stores a value, or with parcel NULL none, if the key's value still is the
 * one that was got (was NULL: none): -ESTALE. It keeps its time limit. */
MPR_API int mpr_dict_replace(mpr_dict *d, const struct mpr_key *key,
                             const struct mpr_message *was,
                             const struct mpr_parcel *parcel);

/* Removes a key: -ENOENT. */
MPR_API int mpr_dict_remove(mpr_dict *d, const struct mpr_key *key);

/* Removes a key and returns its value: -ENOENT. */
MPR_API int mpr_dict_take(mpr_dict *d, const struct mpr_key *key,
                          struct mpr_message *m);

/* Removes some key, a young one, and returns it and its value; the key's bytes
 * lie in bytes. -ENOENT: the dict is empty. */
MPR_API int mpr_dict_pop(mpr_dict *d, struct mpr_key *key,
                         struct mpr_message *bytes, struct mpr_message *value);

/* Adds to a number, or to init where there is none: -EDOM: the value is no
 * number. It keeps its time limit. */
MPR_API int mpr_dict_incr(mpr_dict *d, const struct mpr_key *key,
                          const struct mpr_scalar *by,
                          const struct mpr_scalar *init,
                          struct mpr_scalar *sum);

/* Keeps all others from changing a key until release: for an actor that reads,
 * computes and replaces, when others were faster too often. One key of a dict
 * at a time: -EBUSY. d->actor is not 0. */
MPR_API int mpr_dict_reserve(mpr_dict *d, const struct mpr_key *key);

/* Ends it; nothing when d->actor has no reservation here. */
MPR_API void mpr_dict_release(mpr_dict *d);

/* How many keys it has, those past their time limit not counted. */
MPR_API int64_t mpr_dict_len(mpr_dict *d);

/* Removes all keys. */
MPR_API void mpr_dict_clear(mpr_dict *d);

/* A copy of a dict or list as it was at one instant; starts as {0}. */
struct mpr_snapshot {
    uint64_t count;
    uint64_t next;
    uint64_t version; /* of a list: for mpr_list_arrange */
    /* Private: */
    uint64_t *words;
    void *items;
    mpr_handle *refs;
    uint64_t word_count, word_capacity, item_capacity;
    uint64_t ref_count, ref_capacity;
    int is_dict, is_raw;
};

/* -ENOMEM. */
MPR_API int mpr_dict_snapshot(mpr_dict *d, struct mpr_snapshot *s);

/* The next pair, as they were inserted, or the next item of a list: 1; 0 at
 * the end; -ENOMEM. key, m may be NULL; valid as long as the snapshot, m not
 * longer than its next use. */
MPR_API int mpr_snapshot_next(struct mpr_snapshot *s, struct mpr_key *key,
                              struct mpr_message *m);

/* Frees it: s is as it started. */
MPR_API void mpr_snapshot_free(struct mpr_snapshot *s);

/* ---- lists -------------------------------------------------------------------
 * A sequence that all processes share: items are messages, with the objects
 * they carry, numbered from 1. What is said of dicts is true of lists, but
 * that those who change one list wait for each other. Adding and taking at
 * both ends costs the same however long it is, elsewhere a microsecond or two
 * and 30 for each million items.
 *
 * -ERANGE: no such index. For all that change: -ENOMEM, -EINTR as for dicts. */

typedef struct mpr_list {
    mpr_handle h;
    uint32_t actor; /* whose reservation its changes may pass; 0: nobody's */
} mpr_list;

/* name is cut to 31 bytes, NULL is none. -ENOMEM. */
MPR_API int mpr_list_create(mpr_list *l, const char *name);

/* How many items it has. */
MPR_API uint64_t mpr_list_len(mpr_list *l);

/* An item, or as mpr_dict_object. */
MPR_API int mpr_list_get(mpr_list *l, uint64_t index, struct mpr_message *m);
MPR_API uint64_t mpr_list_object(mpr_list *l, uint64_t index);

/* The index after the last one appends. */
MPR_API int mpr_list_set(mpr_list *l, uint64_t index,
                         const struct mpr_parcel *parcel);

/* Before the item that has the index now; 0: at the end. */
MPR_API int mpr_list_insert(mpr_list *l, uint64_t index,
                            const struct mpr_parcel *parcel);

/* At the end, all at once. */
MPR_API int mpr_list_extend(mpr_list *l, const struct mpr_parcel *parcels,
                            uint64_t n);

/* Removes an item and returns its value; 0: the last. */
MPR_API int mpr_list_take(mpr_list *l, uint64_t index, struct mpr_message *m);

/* Removes the first item that is equal (the same bytes and objects, or an
 * equal number), and says where it was: -ENOENT. */
MPR_API int mpr_list_remove(mpr_list *l, const struct mpr_parcel *equal,
                            uint64_t *index);

/* The first equal item from index on, 0: none; and how many there are. */
MPR_API uint64_t mpr_list_find(mpr_list *l, uint64_t index,
                               const struct mpr_parcel *equal);
MPR_API uint64_t mpr_list_count(mpr_list *l, const struct mpr_parcel *equal);

/* Removes all items. */
MPR_API int mpr_list_clear(mpr_list *l);

/* -ENOMEM. */
MPR_API int mpr_list_snapshot(mpr_list *l, struct mpr_snapshot *s);

/* Puts the item that has index order[i] now at i + 1, if the list is still as
 * it was in the snapshot with that version: -ESTALE. */
MPR_API int mpr_list_arrange(mpr_list *l, uint64_t version,
                             const uint64_t *order, uint64_t n);

/* Keeps all others from changing the list until release: -EBUSY. l->actor is
 * not 0. */
MPR_API int mpr_list_reserve(mpr_list *l);

/* Ends it; nothing when l->actor has no reservation here. */
MPR_API void mpr_list_release(mpr_list *l);

#ifdef __cplusplus
}
#endif

#endif
