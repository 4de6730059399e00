/* A gate (runtime/wait/waiter.c): each of SLEEPERS takes one thing, or sleeps
 * until there is one; each of OPENERS gives one and opens the gate, which wakes
 * one sleeper at most. Up to DEATHS of them are killed, each between any two
 * steps; from then on sleepers look up by themselves (their slices).
 *
 * Checked: when nothing moves any more, nobody sleeps beside a thing. While all
 * live no slice has to run out for that. */

#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#ifndef OPENERS
#define OPENERS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

byte step = 0;              /* the word, */
bool mark = false;          /* and its bit 0 */
bool asleep[SLEEPERS];      /* in the kernel's queue of the word */
byte things = 0;
byte deaths = 0;

#define KILLED                                               \
    if                                                       \
    :: deaths < DEATHS -> atomic { deaths++; goto over }     \
    :: true                                                  \
    fi

/* Wakes at most one, whichever: woke says how many. */
inline wake_one() {
    atomic {
        woke = 1;
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
#if SLEEPERS > 2
        :: asleep[2] -> asleep[2] = false
#endif
        :: else -> woke = 0
        fi
    }
}

inline wake_all() {
    d_step {
        woke = 0;
        do
        :: woke < SLEEPERS -> asleep[woke] = false; woke++
        :: else -> break
        od
    }
}

active [OPENERS] proctype opener() {
    byte was, woke;
    bool marked;

    things++;
    KILLED;
    if
    :: mark ->
        step++;
        KILLED;
        atomic { was = step; marked = mark }; /* wake looks again */
        KILLED;
        wake_one();
        KILLED;
        if
        :: woke == 0 && marked ->
            /* Compare and swap: the word is as it was, with its mark. */
            atomic {
                if
                :: mark && step == was -> mark = false; step++; woke = 1
                :: else
                fi
            };
            KILLED;
#ifndef CARELESS
            if
            :: woke == 1 -> wake_all()
            :: else
            fi
#endif
        :: else
        fi
    :: else
    fi;
over:
    skip
}

active [SLEEPERS] proctype sleeper() {
    byte ticket;

    do
    :: KILLED;
        atomic { mark = true; ticket = step }; /* prepare */
        KILLED;
        if
        :: atomic { things > 0 -> things--; break }
        :: else
        fi;
        KILLED;
        /* The kernel compares the word with the ticket. */
        atomic {
            if
            :: mark && step == ticket -> asleep[_pid - OPENERS] = true
            :: else
            fi
        };
end_asleep:
        if
        :: !asleep[_pid - OPENERS]
        :: deaths > 0 -> asleep[_pid - OPENERS] = false /* its slice is over */
        :: deaths < DEATHS ->
            atomic { deaths++; asleep[_pid - OPENERS] = false; goto over }
        fi
    od;
over:
    skip
}

active proctype watch() {
    byte i;

end_watch:
    timeout ->
        d_step {
            do
            :: i < SLEEPERS -> assert(things == 0 || !asleep[i]); i++
            :: else -> break
            od
        }
}
