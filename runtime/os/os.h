#ifndef MPR_OS_OS_H
#define MPR_OS_OS_H

/* The contract with the operating system: everything the runtime asks of it,
 * so that a port is one folder. Each function says what it must do, not how;
 * all return 0 or a value for success and -errno for failure, and retry EINTR
 * unless they say that it rises. Linux is the implementation that exists. */

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- time ---------------------------------------------------------------*/

/* Monotonic nanoseconds, the same clock in every process. */
int64_t mpri_now_ns(void);

/* A timer that sends this process a signal: at an instant, and then every so
 * often (0: once). at_ns 0 stops it. Setting it is legal in a signal handler. */
struct mpri_timer {
    void *id; /* private */
    int made;
};
int mpri_timer_create(struct mpri_timer *t, int signo);
int mpri_timer_set(struct mpri_timer *t, int64_t at_ns, int64_t every_ns);
void mpri_timer_delete(struct mpri_timer *t);

/* ---- sleeping on a word in shared memory --------------------------------*/

/* Sleeps while *word == expected, until a wake or the absolute deadline.
 * 0 woken (perhaps for no reason), -EAGAIN the word differed, -ETIMEDOUT,
 * -EINTR a signal handler ran (it rises: see the binding). */
int mpri_futex_wait(mpri_a32 *word, uint32_t expected, int64_t deadline_ns);

/* Wakes at most count sleepers of any process; returns how many woke. Legal
 * in a signal handler. */
int mpri_futex_wake(mpri_a32 *word, uint32_t count);

/* Gives the rest of the time slice away. */
void mpri_yield(void);

/* ---- one nameless piece of shared memory --------------------------------*/

/* Makes shared memory of the given size without a name, without backing, that
 * cannot shrink. Returns its descriptor (close-on-exec). */
int mpri_shm_create(uint64_t size);

/* Maps all of it, shared; backing comes page by page. */
int mpri_shm_map(int fd, uint64_t size, void **base);
void mpri_shm_unmap(void *base, uint64_t size);
int mpri_shm_size(int fd, uint64_t *size);
int mpri_shm_inode(int fd, uint64_t *inode);

/* Copies [off, off+size) of it without mapping it. -EIO: it is shorter. */
int mpri_shm_read(int fd, uint64_t off, void *buf, uint64_t size);

/* Copies buf to [off, off+size). Into memory that was backed just now this is
 * cheaper than a copy through the mapping, for which the kernel writes zeros
 * first, and maps each page. On -errno some of it may be written. */
int mpri_shm_write(int fd, uint64_t off, const void *buf, uint64_t size);

/* Gives [off, off+size) backing, so that touching it cannot fail later:
 * -ENOMEM when there is not enough. Backed parts stay as they are. */
int mpri_shm_back(int fd, uint64_t off, uint64_t size);

/* All of the mapped range will be written now: gets its pages in one go, which
 * is cheaper than one by one. Only a hint. */
void mpri_pages_ready(void *p, uint64_t size);

/* The same for memory of malloc's, as much as possible in large pages. */
void mpri_private_pages_ready(void *p, uint64_t size);

/* Returns the backing of [off, off+size) to the system; it reads as zeros
 * until it is backed again. */
int mpri_shm_unback(int fd, uint64_t off, uint64_t size);

/* Bytes that this process may still map, and the largest file it may make
 * (UINT64_MAX: no limit). */
uint64_t mpri_limit_map(void);
uint64_t mpri_limit_file(void);

/* Bytes of memory that the machine and the control groups of this process
 * leave (UINT64_MAX: no limit). Reads files: not for hot paths. */
uint64_t mpri_memory_left(void);

/* ---- shared memory with a name --------------------------------------------*/

/* What any program of this user finds by the name (/dev/shm/name; shm_open,
 * Python). A temporary one carries a mark, the sticky bit of its mode, for
 * those who clean up after the killed. */
struct mpri_named {
    uint64_t size;
    uint64_t inode;
    bool temporary;
};

enum { MPRI_NAMED_MAX = 250 };

/* -EINVAL: not a name; -ENAMETOOLONG. */
int mpri_named_check(const char *name);

/* Makes memory that has no name yet, zero, backed, for its user only; returns
 * its descriptor. -EFBIG, -ENOSPC, -ENOENT: there is no /dev/shm. */
int mpri_named_make(uint64_t size, bool temporary, struct mpri_named *out);

/* Gives it its name, at once and complete. -EEXIST. */
int mpri_named_publish(int fd, const char *name);

/* Opens what has the name, and keeps those who remove it waiting until the
 * descriptor is closed; or keeps those who open it waiting as well (claim).
 * -ENOENT, -EACCES; -EBUSY: another one keeps us waiting too long. */
int mpri_named_open(const char *name, struct mpri_named *out);
int mpri_named_claim(const char *name, struct mpri_named *out);
void mpri_named_close(int fd);

int mpri_named_unlink(const char *name);

/* Visits the names of all temporary ones of this user. */
void mpri_named_each(void (*visit)(const char *name));

/* ---- who lives ------------------------------------------------------------*/

/* Takes byte off of the file for this process: 0, or -EAGAIN when another
 * process has it. Dropped by the kernel at the process's end, whatever the
 * end. Trap: closing any other descriptor of the same file drops it too. */
int mpri_byte_take(int fd, uint64_t off);
int mpri_byte_give(int fd, uint64_t off);

/* Whether another process has the byte: 1, 0, or -errno. A process always
 * sees its own byte as free. */
int mpri_byte_taken(int fd, uint64_t off);

/* Visits who has bytes locked from off on, in any file of the kind of fd (a
 * nameless piece of shared memory, ours or another's): process and inode. 0,
 * or -errno when the system does not tell. */
int mpri_bytes_owners(int fd, uint64_t off,
                      void (*visit)(void *arg, pid_t pid, uint64_t inode),
                      void *arg);

/* Opens, for reading, the file of that inode which the process pid has open,
 * of the kind of fd. -ENOENT, -EACCES. */
int mpri_file_of(pid_t pid, uint64_t inode, int fd);

struct mpri_pid_facts {
    uint64_t born_ns; /* when it started, by mpri_boot_ns, to about 10 ms */
    uint64_t mapped;  /* bytes of address space in use, UINT64_MAX: unknown */
};

/* What there is to know about any process. -ESRCH: there is none of that pid,
 * or it is a zombie; another error: that cannot be told now. Reads a file. */
int mpri_pid_look(pid_t pid, struct mpri_pid_facts *out);

/* The clock of born_ns. */
uint64_t mpri_boot_ns(void);

/* An opaque name of this process's pid namespace. */
uint64_t mpri_pid_namespace(void);

/* A descriptor that becomes readable when the process ends. */
int mpri_pidfd_open(pid_t pid);
int mpri_pidfd_signal(int pidfd, int signo);

/* Threads in this process; 1 when it cannot be told. Reads a file. */
int mpri_thread_count(void);

/* Whether there is one only. Cheap. */
bool mpri_single_threaded(void);

/* A page that reads as zeros in a child after any fork: how a process sees
 * that it was forked by strangers. */
int mpri_wipe_page(void **page);

/* Ends this process when its parent does, by signo, and checks that the
 * parent still is the given one (else -ESRCH). */
int mpri_end_with_parent(pid_t parent, int signo);

/* ---- new programs ---------------------------------------------------------*/

/* Runs a program in a new process: default signal dispositions, an empty
 * mask, /dev/null as standard input, descriptors 1, 2 and the kept ones, no
 * others. with_parent: SIGKILL when the calling thread ends. Returns its pid,
 * or why it could not be run. The caller's memory is not copied: costs the
 * same from a process of any size. */
int mpri_exec(const char *const *argv, char *const *env, const int *keep,
              int keep_count, bool with_parent);

/* The same two steps for a child that goes on in this program. */
void mpri_child_signals(void);
void mpri_child_stdin(void);

/* Whether a child's standard input is right as it is. */
bool mpri_stdin_is_null(void);

/* ---- descriptors ---------------------------------------------------------*/

/* Writes all of it, also to a descriptor that does not block; one that takes
 * nothing for a second is given up. -EAGAIN, or what write says. */
int mpri_write_all(int fd, const void *from, uint64_t size);

/* A counter that poll sees as readable once it was added to. */
int mpri_bell_create(void);
void mpri_bell_ring(int fd);

/* Moves fd to a number above the first few, so that programs which close or
 * reuse low numbers do not meet it; close-on-exec. Takes fd. */
int mpri_fd_raise(int fd);
int mpri_fd_keep_on_exec(int fd, bool keep);

/* How many this process has open; 0: cannot be known. */
uint32_t mpri_fd_count(void);

/* ---- this machine --------------------------------------------------------*/

/* CPUs that this process may use (affinity and CPU quota of all ancestor
 * control groups, rounded up); raw: CPUs of the machine. At least 1. */
int mpri_cpu_count(bool raw);

/* The CPUs that this process may run on: at most max numbers; how many there
 * are. Setting them: -EINVAL when none of them exists. */
int mpri_affinity_get(unsigned *cpus, unsigned max);
int mpri_affinity_set(const unsigned *cpus, unsigned count);

/* Adds to the priority of this process for the scheduler, which the kernel keeps
 * within -20 (first) and 19. -EACCES. */
int mpri_nice_add(int nice);

int mpri_random(void *buf, size_t size);

#endif
