/* Units of a semaphore that are held (runtime/sync/semaphore.c): two words, the
 * semaphore's and the holder's seat, change by one store. HOLDERS processes
 * hold and drop ROUNDS times, beside one that acquires and releases; up to
 * DEATHS holders are killed, each between any two steps, and cleared by a
 * reaper and a waiter at the same time.
 *
 * Checked: never more inside than there are units · at the end every unit is
 * there, exactly once. seq counts without bound here (2^18 in the code). */

#ifndef HOLDERS
#define HOLDERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef UNITS
#define UNITS 1
#endif

mtype = { NONE, HELD, GIVEN, CLEARED };

typedef word_type { byte value; mtype op; byte seat; byte seq };

word_type word;
byte units[HOLDERS], changes[HOLDERS]; /* the seats' numbers */
bool dead[HOLDERS], cleared[HOLDERS];
byte inside = 0;  /* ghost: units in use by the living, as they see it */
byte deaths = 0;
byte running = 0;
bool guard = false; /* the arena lock, for who clears a seat */

#define SAME(w)                                                          \
    (word.value == w.value && word.op == w.op && word.seat == w.seat &&  \
     word.seq == w.seq)
#define COPY(to, from)                                                   \
    to.value = from.value; to.op = from.op; to.seat = from.seat;         \
    to.seq = from.seq
#define SET(v, o, s, q)                                                  \
    word.value = v; word.op = o; word.seat = s; word.seq = q

#define KILLED                                                           \
    if                                                                   \
    :: mortal && deaths < DEATHS -> goto killed                          \
    :: true                                                              \
    fi

/* settle(w): u, c are locals. */
#define SETTLE(w)                                                        \
    if                                                                   \
    :: w.op != NONE ->                                                   \
        KILLED;                                                          \
        atomic { u = units[w.seat]; c = changes[w.seat] }                \
        if                                                               \
        :: c + 1 == w.seq ->                                             \
            KILLED;                                                      \
            if                                                           \
            :: SAME(w) ->                                                \
                KILLED;                                                  \
                atomic {                                                 \
                    if                                                   \
                    :: units[w.seat] == u && changes[w.seat] == c ->     \
                        changes[w.seat] = c + 1;                         \
                        if                                               \
                        :: w.op == HELD -> units[w.seat] = u + 1         \
                        :: w.op == GIVEN -> units[w.seat] = u - 1        \
                        :: w.op == CLEARED -> units[w.seat] = 0          \
                        fi                                               \
                    :: else                                              \
                    fi                                                   \
                }                                                        \
            :: else                                                      \
            fi                                                           \
        :: else                                                          \
        fi                                                               \
    :: else                                                              \
    fi

proctype holder(byte me) {
    word_type w;
    byte u, c, rounds = 0;
    bool mortal = true, mine = false;

    do
    :: rounds == ROUNDS -> break
    :: else ->
hold:   KILLED;
        atomic { COPY(w, word) }
        if
        :: w.value == 0 ->
            if /* asleep until there is a unit */
            :: word.value > 0
            :: deaths < DEATHS -> goto killed
            fi;
            goto hold
        :: else
        fi;
        SETTLE(w);
        KILLED;
        c = changes[me];
        atomic {
            if
            :: SAME(w) ->
                SET(w.value - 1, HELD, me, c + 1);
                COPY(w, word);
                mine = true; inside++;
                assert(inside <= UNITS)
            :: else -> goto hold
            fi
        }
        SETTLE(w);
        KILLED;
        inside--; mine = false; /* about to give it back */
drop:   atomic { COPY(w, word) }
        SETTLE(w);
        KILLED;
        atomic { u = units[me]; c = changes[me] }
        assert(u == 1);
        atomic {
            if
            :: SAME(w) ->
                SET(w.value + 1, GIVEN, me, c + 1);
                COPY(w, word)
            :: else -> goto drop
            fi
        }
        SETTLE(w);
        rounds++
    od;
    atomic { running--; goto over }
killed:
    atomic {
        deaths++;
        dead[me] = true;
        if :: mine -> inside-- :: else fi;
        running--
    }
over:
    skip
}

/* acquire and release: units that are nobody's in particular. */
proctype stranger() {
    word_type w;
    byte u, c, rounds = 0;
    bool mortal = false;

    do
    :: rounds == ROUNDS -> break
    :: else ->
take:   word.value > 0;
        atomic { COPY(w, word) }
        if
        :: w.value == 0 -> goto take
        :: else
        fi;
#ifndef CARELESS /* as it would be wrong: see README */
        SETTLE(w);
#endif
        atomic {
            if
            :: SAME(w) -> SET(w.value - 1, NONE, 0, 0); inside++;
                assert(inside <= UNITS)
            :: else -> goto take
            fi
        }
        inside--;
give:   atomic { COPY(w, word) }
        SETTLE(w);
        atomic {
            if
            :: SAME(w) -> SET(w.value + 1, NONE, 0, 0)
            :: else -> goto give
            fi
        }
        rounds++
    od;
    running--;
killed:
    skip
}

/* The reaper, and a waiter that found the holder dead: clear_seat. A clearer
 * that is killed leaves the rest to the other. */
proctype clearer(bool may_die) {
    word_type w;
    byte u, c, s;
    bool mortal = false, died = false;

end:
    do
    :: atomic {
        !guard && ((dead[0] && !cleared[0])
#if HOLDERS > 1
                   || (dead[1] && !cleared[1])
#endif
        );
        if
        :: dead[0] && !cleared[0] -> s = 0
#if HOLDERS > 1
        :: dead[1] && !cleared[1] -> s = 1
#endif
        fi;
        guard = true
       }
back:  atomic { COPY(w, word) }
       SETTLE(w);
       atomic { u = units[s]; c = changes[s] }
       if
       :: u > 0 ->
           atomic {
               if
               :: SAME(w) ->
                   SET(w.value + u, CLEARED, s, c + 1);
                   COPY(w, word)
               :: else -> goto back
               fi
           }
           if
           :: may_die && !died -> /* killed before it could settle */
               atomic { died = true; guard = false }
               goto end
           :: true
           fi;
           SETTLE(w)
       :: else
       fi;
       atomic { cleared[s] = true; guard = false }
    od;
killed:
    skip
}

init {
    byte i;

    atomic {
        word.value = UNITS;
        word.op = NONE;
        for (i : 0 .. HOLDERS - 1) {
            running++;
            run holder(i)
        }
        running++;
        run stranger();
        run clearer(true);
        run clearer(false)
    }
    /* When all is over and the dead are cleared, every unit is back. */
    (running == 0 && (!dead[0] || cleared[0])
#if HOLDERS > 1
     && (!dead[1] || cleared[1])
#endif
    );
    assert(word.value == UNITS && inside == 0)
}
