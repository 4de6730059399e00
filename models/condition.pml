/* A condition (runtime/sync/condition.c): CONSUMERS processes wait under a lock
 * until there is an item, a producer puts ITEMS of them and notifies one waiter
 * for each. Up to DEATHS consumers are killed, anywhere before they have taken
 * their item; a reaper cleans up after them and may be killed and started again
 * itself. Waits may run out of time, once per consumer (TIMED).
 *
 * Checked: when nothing moves any more, no living consumer waits beside an item
 * (no wake-up is lost, whoever died with it) · no more come out of wait than
 * were notified, but for what a killed reaper passed on twice.
 *
 * The lock is taken for granted (lock.pml): a dead owner has let go of it. */

#ifndef CONSUMERS
#define CONSUMERS 3
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef TIMED
#define TIMED true
#endif

mtype = { NOT_QUEUED, WAITING, NOTIFIED };

byte lock = 0;                 /* its owner; the producer is CONSUMERS + 1 */
byte items = 0;
mtype seat[CONSUMERS + 1] = NOT_QUEUED;
byte ticket[CONSUMERS + 1];
byte tickets = 1;
bool dead[CONSUMERS + 1], reaped[CONSUMERS + 1];
byte deaths = 0;
byte notified = 0, woken = 0;  /* ghosts */
bool twice = false;            /* ghost: a reaper was killed */

#define DIE                                                         \
    atomic {                                                        \
        deaths < DEATHS ->                                          \
        deaths++;                                                   \
        dead[me] = true;                                            \
        if :: lock == me -> lock = 0 :: else fi;                    \
        goto over                                                   \
    }

/* A place at which the process may be killed. */
#define KILLED if :: DIE :: true fi

/* notify(1); i, from, first, lowest are locals of the caller. */
inline notify_one() {
    from = 0;
    do
    ::  atomic { /* next_waiter */
            first = 0; lowest = 255;
            for (i : 1 .. CONSUMERS) {
                if
                :: seat[i] == WAITING && ticket[i] >= from &&
                   ticket[i] < lowest ->
                    first = i; lowest = ticket[i]
                :: else
                fi
            }
            i = 0
        }
        if
        :: first == 0 -> break
        :: else -> from = lowest + 1
        fi;
        if
        :: dead[first] /* not counted */
        :: else ->
            atomic { /* deliver */
                if
                :: seat[first] == WAITING ->
                    seat[first] = NOTIFIED;
                    break
                :: else
                fi
            }
        fi
    od;
    atomic { from = 0; first = 0; lowest = 0 }
}

proctype consumer(byte me) {
    bool timed = TIMED;

    KILLED;
    atomic { lock == 0 -> lock = me }
    do
    :: items > 0 -> break
    :: else ->
        KILLED;
        /* queue_up */
        d_step { ticket[me] = tickets; tickets++ }
        seat[me] = WAITING;
        KILLED;
        lock = 0;
        if
        :: seat[me] == NOTIFIED
        :: timed -> /* the time is up */
            atomic {
                timed = false;
                if
                :: seat[me] == WAITING -> seat[me] = NOT_QUEUED
                :: else
                fi
            }
        :: DIE
        fi;
        KILLED;
        atomic { lock == 0 -> lock = me }
        KILLED;
        atomic { /* vacate: what was notified is taken with the lock */
            if
            :: seat[me] == NOTIFIED ->
                woken++;
                assert(woken <= notified || twice)
            :: else
            fi;
            seat[me] = NOT_QUEUED
        }
    od;
    items--;
    lock = 0;
over:
    skip
}

proctype producer() {
    byte n = 0, i = 0, from = 0, first = 0, lowest = 0;

    do
    :: n == ITEMS -> break
    :: else ->
        atomic { lock == 0 -> lock = CONSUMERS + 1 }
        items++;
        notified++;
        notify_one();
        lock = 0;
        n++
    od
}

proctype reaper() {
    byte s = 0, i = 0, from = 0, first = 0, lowest = 0;
    bool mortal = true;

end:
    do
    ::  atomic {
            if
            :: dead[1] && !reaped[1] -> s = 1
            :: dead[2] && !reaped[2] -> s = 2
#if CONSUMERS > 2
            :: dead[3] && !reaped[3] -> s = 3
#endif
            fi
        }
        atomic { if :: seat[s] == WAITING -> seat[s] = NOT_QUEUED :: else fi }
        if
        :: seat[s] == NOTIFIED ->
#ifndef CARELESS /* as it would be wrong: see README */
            notify_one();
#endif
            if
            :: mortal -> /* killed; the next one starts again */
                atomic { mortal = false; twice = true; goto end }
            :: true
            fi
        :: else
        fi;
        atomic { seat[s] = NOT_QUEUED; reaped[s] = true; s = 0 }
    od
}

init {
    byte i;

    atomic {
        for (i : 1 .. CONSUMERS) {
            run consumer(i)
        }
        run producer();
        run reaper();
        i = 0
    }
end_all:
    timeout;
    atomic {
        for (i : 1 .. CONSUMERS) {
            assert(!(seat[i] == WAITING && !dead[i] && items > 0))
        }
    }
end_rest:
    false
}
