/* A growing ring (runtime/ipc/ring.h): PUTTERS put EACH messages each, GETTERS
 * get until the ring is closed and empty, and somebody closes it at any time.
 * Up to DEATHS of them are killed, each between any two steps.
 *
 * With FIXED the ring has one segment, as a pipe's has, and putting waits for
 * room in it.
 *
 * Every message takes one unit of a segment of CAP units and carries one hold.
 * The locks are taken as right (models of their own check them), and so is the
 * arena's transaction: link, leave and claim are one step each. Segments that
 * were left are written over at once.
 *
 * Checked: frames are read as they were written · each message that was
 * published is got once, in the order of its putter, and none is got that was
 * not · nothing is published after the end was seen · a killed process loses
 * at most what it had got · every hold is dropped in the end. */

#ifndef PUTTERS
#define PUTTERS 2
#endif
#ifndef GETTERS
#define GETTERS 2
#endif
#ifndef EACH
#define EACH 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define CAP   4
#define SEGS  4
#define NONE  255

mtype = { GARBAGE, MESSAGE, PAD, NEXT };

/* Putting's line. */
byte putting = 0;
byte tail = 0, tail_at = 0;     /* one word, */
bool closed = false;            /* with this */
byte put_seg = NONE;
byte seen = 0, seen_at = 0;     /* what freed was */
byte claim = NONE;              /* the number it leads to */

/* Getting's line. */
byte getting = 0;
byte head = 0, head_at = 0;     /* one word */
byte freed = 0, freed_at = 0;   /* one word */
byte get_seg = NONE;

/* Segments. */
bool used[SEGS];
byte first[SEGS], next_seg[SEGS];
mtype kind[SEGS * CAP];
byte text[SEGS * CAP];          /* who * EACH + which */
bool hold[SEGS * CAP];

/* Ghosts. */
bool dead[PUTTERS + GETTERS + 1];
byte deaths = 0;
byte published = 0;
bool put_done[PUTTERS * EACH], got[PUTTERS * EACH];
byte row[PUTTERS];              /* the next of its messages to be got */
byte putters_left = PUTTERS, getters_left = GETTERS, getters_dead = 0;
bool end_seen = false;

#define KILLED                                                            \
    if                                                                    \
    :: deaths < DEATHS -> atomic { deaths++; dead[me] = true; goto over } \
    :: true                                                               \
    fi

/* Takes a lock; found: the last owner died inside. */
#define LOCK(l)                                                           \
    if                                                                    \
    :: atomic { l == 0 -> l = me; found = false }                         \
    :: atomic { l != 0 && dead[l] -> l = me; found = true }               \
    fi

/* Where message n, whose position says `at`, begins in segment s. */
#define BEGINS(s, n, at) (first[s] == n -> 0 : at)

/* Drops the hold of the message at position (n, at) in segment s. */
inline drop_one(s, n, at) {
    i = BEGINS(s, n, at);
    if
    :: kind[s * CAP + i] == PAD -> i = 0
    :: else
    fi;
    assert(kind[s * CAP + i] == MESSAGE);
    hold[s * CAP + i] = false
}

inline unclaim() {
    if
    :: claim != NONE && claim != tail ->
        d_step { drop_one(put_seg, tail, tail_at); i = 0 }
    :: else
    fi;
    KILLED;
    claim = NONE
}

/* Whether getting has reached the putters' segment. */
#define INSIDE (seen > first[put_seg] || first[put_seg] == NONE)

/* A place for one unit and another behind it: place, or NONE. */
inline find_by_seen() {
    from = BEGINS(put_seg, tail, tail_at);
    if
    :: INSIDE && seen_at > from ->
        if
        :: seen_at - from >= 2 -> place = from
        :: else
        fi
    :: else ->
        if
        :: CAP - from >= 2 -> place = from
        :: else ->
            if
            :: INSIDE && seen_at >= 2 -> place = 0
            :: else
            fi
        fi
    fi
}

inline find() {
    d_step {
        place = NONE;
        if
        :: put_seg != NONE ->
            find_by_seen();
            if
            :: place == NONE ->
                seen = freed;
                seen_at = freed_at;
                find_by_seen()
            :: else
            fi
        :: else
        fi
    }
}

proctype putter(byte me; byte who) {
    byte which = 0, mine = NONE, from, place, i;
    bool found;

again:
    do
    :: which == EACH -> break
    :: else ->
        LOCK(putting);
        KILLED;
#ifndef CARELESS
        if
        :: found -> unclaim()
        :: else
        fi;
#endif
        if
        :: closed -> putting = 0; break
        :: else
        fi;
        find();
        if
#ifdef FIXED
        :: place == NONE -> atomic { putting = 0; from = 0; goto again }
#else
        :: place == NONE && mine == NONE ->
            atomic {
                putting = 0;
                from = 0;
                if
                :: !used[0] -> mine = 0
                :: used[0] && !used[1] -> mine = 1
                :: used[0] && used[1] && !used[2] -> mine = 2
                :: used[0] && used[1] && used[2] && !used[3] -> mine = 3
                fi;
                used[mine] = true;
                next_seg[mine] = NONE
            };
            KILLED;
            goto again
        :: place == NONE && mine != NONE ->
            d_step {
                first[mine] = tail;
                if
                :: put_seg != NONE -> kind[put_seg * CAP + from] = NEXT
                :: else
                fi
            };
            KILLED;
            atomic { /* link */
                if
                :: put_seg != NONE -> next_seg[put_seg] = mine
                :: else -> get_seg = mine
                fi;
                put_seg = mine;
                mine = NONE
            };
            KILLED;
            find();
            assert(place != NONE)
#endif
        :: else
        fi;
        if
        :: place != from -> kind[put_seg * CAP + from] = PAD; KILLED
        :: else
        fi;
        d_step {
            assert(!hold[put_seg * CAP + place]); /* nobody's any more */
            kind[put_seg * CAP + place] = MESSAGE;
            text[put_seg * CAP + place] = who * EACH + which
        };
        KILLED;
        atomic { hold[put_seg * CAP + place] = true; claim = tail + 1 };
        KILLED;
        atomic { /* publish */
            if
            :: !closed ->
                assert(!end_seen);
                tail++;
                tail_at = place + 1;
                put_done[who * EACH + which] = true;
                published++;
                which++;
                found = false
            :: else -> found = true
            fi
        };
        KILLED;
        if
        :: found -> unclaim(); putting = 0; break
        :: else -> claim = NONE
        fi;
        KILLED;
        atomic { putting = 0; place = 0; from = 0; i = 0 }
    od;
over:
    atomic {
        if
        :: mine != NONE -> used[mine] = false /* ours, or the reaper's work */
        :: else
        fi;
        putters_left--
    }
}

inline release() {
    if
    :: freed != head -> d_step { drop_one(get_seg, freed, freed_at); i = 0 }
    :: else
    fi;
    KILLED;
    d_step { freed = head; freed_at = head_at }
}

proctype getter(byte me) {
    byte at, old, i, what;
    bool found;

    do
    :: tail != head || closed ->
        LOCK(getting);
        KILLED;
        if
        :: freed != head -> release()
        :: else
        fi;
        atomic {
            if
            :: tail == head && closed -> end_seen = true; getting = 0; break
            :: tail == head && !closed -> getting = 0; goto again
            :: else
            fi
        };
        do
        :: d_step {
                at = BEGINS(get_seg, head, head_at);
                if
                :: kind[get_seg * CAP + at] == PAD -> at = 0
                :: else
                fi
            };
            if
            :: kind[get_seg * CAP + at] != NEXT -> break
            :: else
            fi;
            atomic { /* leave */
                old = get_seg;
                get_seg = next_seg[old];
                assert(get_seg != NONE);
                i = 0;
                do
                :: i < CAP ->
                    assert(!hold[old * CAP + i]);
                    kind[old * CAP + i] = GARBAGE;
                    i++
                :: else -> i = 0; break
                od;
                used[old] = false;
                old = 0
            };
            KILLED
        od;
        skip;
        d_step {
            assert(kind[get_seg * CAP + at] == MESSAGE);
            assert(hold[get_seg * CAP + at]);
            what = text[get_seg * CAP + at]
        };
        KILLED;
        atomic { /* commit */
            assert(put_done[what] && !got[what]);
            assert(row[what / EACH] == what % EACH);
            got[what] = true;
            row[what / EACH]++;
            head++;
            head_at = at + 1
        };
        KILLED;
        release();
        KILLED;
        getting = 0;
again:
        atomic { at = 0; what = 0; i = 0; found = false }
    od;
over:
    atomic {
        getters_left--;
        if
        :: dead[me] -> getters_dead++
        :: else
        fi
    }
}

/* Closes at any time, and drops the ring when all are gone. */
active proctype last() {
    byte i, n, s, at;

    atomic {
        i = 0;
        do
        :: i < SEGS * CAP -> kind[i] = GARBAGE; i++
        :: else -> break
        od;
#ifdef FIXED
        put_seg = 0;
        get_seg = 0;
        used[0] = true;
        first[0] = NONE;
#endif
        i = 0;
        do
        :: i < PUTTERS -> run putter(i + 1, i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < GETTERS -> run getter(PUTTERS + i + 1); i++
        :: else -> break
        od
    };
    closed = true;
    putters_left == 0 && getters_left == 0;
    d_step {
        if
        :: getters_dead < GETTERS -> assert(tail == head)
        :: else
        fi;
        /* destroy */
        n = freed;
        s = get_seg;
        at = freed_at;
        do
        :: n == tail -> break
        :: else ->
            at = BEGINS(s, n, at);
            if
            :: kind[s * CAP + at] == PAD -> at = 0
            :: else
            fi;
            if
            :: kind[s * CAP + at] == NEXT -> s = next_seg[s]; at = 0
            :: else ->
                assert(kind[s * CAP + at] == MESSAGE);
                hold[s * CAP + at] = false;
                at++;
                n++
            fi
        od;
        if
        :: claim != NONE && claim != tail -> drop_one(put_seg, tail, tail_at)
        :: else
        fi;
        i = 0;
        do
        :: i < SEGS * CAP -> assert(!hold[i]); i++
        :: else -> break
        od
    }
}
