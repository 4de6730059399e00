#ifndef MPR_PROC_PROCESS_H
#define MPR_PROC_PROCESS_H

/* A process of the family, as an object: a PROCESS block that its creator, the
 * process itself and whoever it was sent to hold. It says who the process is
 * and how it ended, and has a ring through which the creator gives it what to
 * do and it gives back what came out.
 *
 * States:       status 0 not over, or not known yet · ENDED|code over
 *               0 -> ENDED: by the process itself just before it ends, or by
 *               the creator with what the kernel said (which then stands)
 * Invariant:    slot and generation name the process in the roster for as long
 *               as it lives; afterwards the slot may be another's, with
 *               another generation.
 * If we die here: (creator, before the fork) the slot is STARTING and its life
 *               hangs on ours; (after it) the child sees its parent gone if it
 *               is a daemon, otherwise it lives on. */

#include "base/atomic.h"
#include "ipc/ring.h"
#include "mpr.h"

enum {
    MPRI_STATUS_ENDED = 0x10000, /* the low 16 bits are the exit code */
    MPRI_STATUS_LOST = 255,      /* the exit code of one whose own was lost */
    MPRI_PROCESS_RING = 1024,
};

struct mpri_process {
    uint32_t slot; /* Fixed after init, all of this line */
    uint32_t generation;
    uint32_t daemon;
    uint32_t served; /* forked by the fork server for its creator */
    uint32_t creator_pid;
    mpri_a32 begun; /* 1: the process has what it was given, or needs
                          * nothing; what is in the ring comes from it */
    mpri_a32 pid;   /* 0 until forked */
    mpri_a32 status;
    struct mpri_gate known; /* opens when pid or status becomes known */
    char name[MPR_PROCESS_NAME];
    struct mpri_ring ring;
    uint8_t bytes[MPRI_PROCESS_RING];
};

/* Registers the kind PROCESS. */
void mpri_process_register(void);

static inline struct mpri_process *mpri_process_data(const mpr_handle *h)
{
    return (struct mpri_process *)(void *)((char *)h->block + 64);
}

/* What a process that begins in a program of its own is told by. */
#define MPRI_CHILD_VARIABLE "MP_CHILD"
enum { MPRI_CHILD_TEXT = 256 };

/* The process is there: its pid is known. For its creator. */
void mpri_process_started(mpr_process *p, int pid);

/* Who made the process in the slot. For the process itself. */
void mpri_child_parent(uint32_t slot, int pid);

/* Whether a process of our making is over now: asks the kernel, without
 * waiting, and takes what it says. 0 for another's. */
int mpri_process_check(mpr_process *p);

/* For the creator of one that a fork server forked, and that is over: how, the
 * server is about to say. Waits for it, a second at most; if the server was
 * killed in between, nobody ever will, and that is noted. */
void mpri_process_settle(mpr_process *p);

/* p has, or may open, a pidfd: the list of those, where it stands once. A
 * forked child closes all. */
void mpri_process_link(mpr_process *p);
void mpri_process_forget_all(void);

/* What a forked child is told. It lies on the parent's stack: when that is
 * killed before the child has its slot, the reaper gives the slot away, and
 * the child's block with it. */
struct mpri_birth {
    uint32_t slot;
    uint32_t generation;
    uint32_t parent_pid;
    bool daemon;
    bool has_null_stdin;
};

/* In a child just forked, with the slot made for it: makes it a member that
 * owns nothing of its parent's. Does not return when that cannot be done. */
void mpri_child_begin(const struct mpri_birth *b);

#endif
