/* A barrier (runtime/sync/barrier.c): PARTIES processes wait ROUNDS times. Up to
 * DEATHS of them are killed inside; whoever waits, and a reaper, look for the
 * dead. With RESETS somebody resets it at any time, may be killed in that, and
 * those it lets go come back, as one round more. Waits may run out of time then.
 *
 * Checked: who passes a generation passes it with all parties, and nobody is
 * told that it broke · who comes finds it broken by a death or by time only,
 * never by a reset · nobody is left inside. */

#ifndef PARTIES
#define PARTIES 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef RESETS
#define RESETS 0
#endif
#define GENERATIONS (ROUNDS + RESETS + 2)

mtype = { OUT, INSIDE, VOID };

/* The state word, changed as one. */
byte generation = 0, count = 0;
bool broken = false, passing = false, resetting = false;
bool excuse = false; /* ghost: something else than a reset broke it */

mtype seat[PARTIES] = OUT;
byte seat_generation[PARTIES];
bool seated[PARTIES];
bool dead[PARTIES];
byte deaths = 0;
byte came[GENERATIONS];                          /* ghosts */
bool passed[GENERATIONS], failed[GENERATIONS];

#define DIE                                                         \
    atomic { deaths < DEATHS -> deaths++; dead[me] = true; goto over }

/* A place at which the process may be killed. */
#define KILLED if :: DIE :: true fi

#define DEAD_INSIDE                                                 \
    ((dead[0] && seated[0]) || (dead[1] && seated[1])               \
     || (PARTIES > 2 && dead[PARTIES - 1] && seated[PARTIES - 1]))

inline break_it() {
    d_step {
        if
        :: !broken -> broken = true; count = 0; passing = false; excuse = true
        :: else
        fi
    }
}

/* By the resetter, or by who comes: r is the generation that is reset. */
inline finish_reset(r) {
#ifndef CARELESS /* as it would be wrong: see README */
    for (i : 0 .. PARTIES - 1) {
        atomic {
            if
            :: seat[i] == INSIDE && seat_generation[i] == r -> seat[i] = VOID
            :: else
            fi
        }
    }
    i = 0;
#endif
    atomic {
        if
        :: resetting && generation == r ->
            generation++; broken = false; resetting = false; excuse = false
        :: else
        fi
    }
}

/* The dead one's seat, under the arena lock: break, then vacate. A process that
 * is killed in between leaves the seat for the next. */
inline bury_one() {
    atomic {
        if
        :: dead[0] && seated[0] -> d = 0
        :: dead[1] && seated[1] -> d = 1
#if PARTIES > 2
        :: dead[2] && seated[2] -> d = 2
#endif
        :: else -> d = 255
        fi;
        if
        :: d < 255 && seat[d] != VOID -> break_it()
        :: else
        fi;
        if
        :: d < 255 -> seat[d] = OUT; seated[d] = false
        :: else
        fi;
        d = 0
    }
}

inline has_passed(g) {
    d_step {
        assert(came[g] == PARTIES && !failed[g]);
        passed[g] = true
    }
}

inline has_failed(g) {
    d_step {
        assert(!passed[g]);
        failed[g] = true
    }
}

proctype party(byte me) {
    byte rounds = 0, g = 0, n = 0, d = 0, sg = 0, i = 0;
    bool last = false, sb = false;

    do
    :: rounds == ROUNDS -> break
    :: else ->
        seated[me] = true;
        KILLED;
arrive: atomic {
            if
            :: resetting -> g = generation
            :: else -> goto whole
            fi
        }
        finish_reset(g);
        goto arrive;
whole:  atomic {
            if
            :: resetting -> goto arrive
            :: broken && !resetting -> assert(excuse); seat[me] = OUT; seated[me] = false; goto out
            :: !broken && passing -> seat[me] = OUT;
                !passing || broken; /* asleep */
                goto arrive
            :: else -> g = generation; n = count
            fi
        }
        d_step { seat[me] = INSIDE; seat_generation[me] = g }
        KILLED;
        atomic {
            if
            :: generation == g && count == n && !broken && !passing ->
                count++;
                came[g]++;
                last = (count == PARTIES);
                passing = last
            :: else -> last = false; g = 255
            fi
        }
        if
        :: g == 255 -> g = 0; goto again
        :: else
        fi;
        KILLED;
        if
        :: last ->
            /* The action, and mpr_barrier_pass. */
            atomic {
                last = false;
                if
                :: generation == g && passing ->
                    generation++; count = 0; passing = false
                :: else
                fi
            }
            KILLED
        :: else
        fi;
        /* outcome: the state, then the seat. */
        do
        ::  if
            :: generation != g || broken
            :: DEAD_INSIDE -> bury_one()
#if RESETS
            :: timeout -> /* the time is up */
                atomic { if :: generation == g -> break_it() :: else fi }
#endif
            :: DIE
            fi;
            d_step { sg = generation; sb = broken }
            KILLED;
            if
            :: sg != g ->
                atomic {
                    if
                    :: seat[me] == VOID -> has_failed(g); last = true
                    :: else -> has_passed(g)
                    fi
                }
                break
            :: sg == g && sb -> has_failed(g); last = true; break
            :: else
            fi
        od;
        KILLED;
        d_step { seat[me] = OUT; seated[me] = false; sg = 0; sb = false; n = 0 }
        if
        :: last && excuse -> break /* broken: it does not come again */
        :: else -> last = false; rounds++
        fi;
again:  skip
    od;
out:
    skip;
over:
    skip
}

proctype reaper() {
    byte d = 0;

end:
    do
    :: DEAD_INSIDE -> bury_one()
    od
}

#if RESETS
proctype resetter() {
    byte i = 0, g = 0, d = 0;

    do
    :: DEAD_INSIDE -> bury_one()
    :: true -> break
    od;
    atomic {
        if
        :: resetting -> g = generation
        :: !resetting && (broken || count > 0) ->
            broken = true; resetting = true; count = 0; passing = false;
            g = generation
        :: else -> goto done
        fi
    }
    if
    :: atomic { deaths < DEATHS -> deaths++; goto done }
    :: true
    fi;
    finish_reset(g);
done:
    skip
}
#endif

init {
    byte i;

    atomic {
        for (i : 0 .. PARTIES - 1) {
            run party(i)
        }
        run reaper();
        i = 0
#if RESETS
        ;
        for (i : 1 .. RESETS) {
            run resetter()
        }
        i = 0
#endif
    }
}
