/* The owner word of a lock (runtime/sync/owner.h): SLOTS processes acquire and
 * release it ROUNDS times; up to DEATHS of them are killed, each between any
 * two steps. A reaper abandons what the dead owned and gives their slots to new
 * processes, while waiters may take over by themselves.
 *
 * Checked: only one is inside · who is not told that the last owner died finds
 * nothing half-changed · nobody stays behind. Sleepers look up by themselves
 * (their slices) only after a death: so no wake-up is lost among the living. */

#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

#ifndef REBORN
#define REBORN 1 /* the dead ones' slots are given to others */
#endif

#define FREE      0
#define ABANDONED 9

mtype = { NOBODY, LIVE, DEAD, ENDED };

byte owner = FREE;          /* the word: who, */
bool waits = false;         /* and the WAIT bit */
mtype state[SLOTS + 1] = NOBODY;
byte generation[SLOTS + 1];
bool asleep[SLOTS + 1];     /* in the kernel's queue of the word */
bool inside[SLOTS + 1];     /* ghost: in the critical section */
bool half = false;          /* ghost: what the lock guards is half-changed */
byte deaths = 0;

#define DIE                                                         \
    atomic {                                                        \
        deaths < DEATHS ->                                          \
        deaths++;                                                   \
        state[me] = DEAD;                                           \
        asleep[me] = false;                                         \
        inside[me] = false;                                         \
        goto over                                                   \
    }

/* A place at which the process may be killed; between two of them it changes
 * nothing that others see. */
#define KILLED if :: DIE :: true fi

inline wake_one() {
    atomic {
        if
        :: asleep[1] -> asleep[1] = false
        :: asleep[2] -> asleep[2] = false
#if SLOTS > 2
        :: asleep[3] -> asleep[3] = false
#endif
        :: else
        fi
    }
}

proctype user(byte me) {
    byte rounds = 0, v = 0, g = 0;
    bool w = false, told = false;

    do
    :: rounds == ROUNDS -> break
    :: else ->
        /* mpri_owner_acquire: the fast path. */
        atomic {
            if
            :: owner == FREE && !waits -> owner = me; goto acquired
            :: else
            fi
        }
again:  KILLED;
        d_step { v = owner; w = waits; g = 0 }
        if
        :: v == FREE || v == ABANDONED ->
            atomic { /* take_free */
                if
                :: owner == v && waits == w ->
                    owner = me; waits = true; told = (v == ABANDONED);
                    goto acquired
                :: else -> goto again
                fi
            }
        :: else ->
            if
            :: !w ->
                atomic {
                    if
                    :: owner == v && !waits -> waits = true
                    :: else -> goto again
                    fi
                }
            :: else
            fi
        fi;
        atomic { /* the futex compares and queues in one step */
            if
            :: owner == v && waits -> asleep[me] = true
            :: else -> goto again
            fi
        }
        if
        :: atomic { !asleep[me] -> goto again }
        :: atomic { deaths > 0 && asleep[me] -> asleep[me] = false } /* slice */
        :: DIE
        fi;
        /* take_over: the verdict, */
        atomic {
            if
            :: state[v] == DEAD || state[v] == ENDED ->
                state[v] = ENDED; g = generation[v]
            :: else -> goto again
            fi
        }
        atomic { /* and what it leads to, while the arena is locked. */
            if
#ifndef CARELESS /* as it would be wrong: see README */
            :: state[v] == ENDED && generation[v] == g && owner == v && waits ->
#else
            :: owner == v && waits ->
#endif
                owner = me; told = true;
                goto acquired
            :: else -> goto again
            fi
        }

acquired:
        KILLED;
        atomic {
            v = 0; g = 0; w = false;
            assert(!inside[1] && !inside[2]);
#if SLOTS > 2
            assert(!inside[3]);
#endif
            inside[me] = true;
            assert(told || !half);
            told = false;
            half = true
        }
        KILLED;
        half = false;
        KILLED;
        /* mpri_owner_release */
        atomic {
            assert(owner == me);
            inside[me] = false;
            w = waits;
            owner = FREE;
            waits = false
        }
        if
        :: w -> KILLED; w = false; wake_one()
        :: else
        fi;
        rounds++
    od;
    /* The normal end: it owns nothing. */
    state[me] = NOBODY;
over:
    skip
}

/* One at a time; killed anywhere it is only started again, so its steps may be
 * left out, all but the last. */
proctype reaper() {
    byte s;
    bool w;

end:
    do
    :: atomic {
        if
        :: state[1] == DEAD || state[1] == ENDED -> s = 1
        :: state[2] == DEAD || state[2] == ENDED -> s = 2
#if SLOTS > 2
        :: state[3] == DEAD || state[3] == ENDED -> s = 3
#endif
        fi;
        state[s] = ENDED
       }
       /* mpri_owner_abandon_slot */
       atomic {
           if
           :: owner == s -> owner = ABANDONED; w = true
           :: else -> w = false
           fi
       }
       if
       :: w -> wake_one()
       :: true /* killed before the wake */
       fi;
       /* The slot is another's from now on. */
       atomic {
           generation[s]++;
#if REBORN
           state[s] = LIVE;
           run user(s)
#else
           state[s] = NOBODY
#endif
       }
    od
}

init {
    byte i;

    atomic {
        for (i : 1 .. SLOTS) {
            state[i] = LIVE;
            run user(i)
        }
        run reaper()
    }
}
