/* handover.pml - a lock that is handed over in the segment before SQLite knows: src/handover.h, H1 to H5.
 *
 * One lock, PROCESSES that acquire and release it, the first ROUNDS times, PLACES in the segment. The item is a
 * cell that one atomic step commits; who holds the lock is named by process, so that the same name comes again,
 * as that of an RLOCK does. To bring the item up to date may fail (a full disk), and any process
 * may die between any two steps, DEATHS of them in each run.
 *
 * In scenario 2, somebody breaks the lock in the place of the third process.
 *
 * The laws, as assertions:
 *   L1  one holder  who comes in finds nobody inside who lives                   (in enter)
 *   L2  his         who releases it finds that it is his, unless it was broken  (in the long way)
 *   L3  no hang     every process that lives comes to its end: Spin's invalid end states
 *
 * SEED_... removes a step each; model/check.sh has the list, and each of them must be caught. */

#define PROCESSES 3
#define PLACES 2
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#define NOBODY 255

mtype = { FREE, WAITING, GRANTING, GRANTED, HELD, SETTLED };

mtype code[PLACES] = FREE;
byte owner[PLACES], from[PLACES];
byte item = NOBODY;                /* whom SQLite names */
byte write_lock = NOBODY;
byte inside = NOBODY;              /* what the law is checked against */
bool dead[PROCESSES + 1], lost[PROCESSES + 1];
byte deaths;

#define GONE(p) (p == NOBODY || dead[p])
#define IS_GRANT(i) (code[i] == GRANTED || code[i] == HELD)
#ifdef SEED_ANY_FROM
#define NAMED(i) true
#else
#define NAMED(i) (from[i] == item)
#endif
#define IN_FORCE(i) (IS_GRANT(i) && NAMED(i))
/* H4; there is one such place at most, or the law is broken. */
#define HOLDER (IN_FORCE(0) -> owner[0] : (IN_FORCE(1) -> owner[1] : item))

inline may_die() {
    if
    :: deaths < DEATHS -> atomic {
        deaths++; dead[me] = true;
        if :: write_lock == me -> write_lock = NOBODY :: else fi
       }; goto died
    :: true
    fi
}

inline lock() { atomic { write_lock == NOBODY -> write_lock = me } }
inline unlock() { write_lock = NOBODY }

inline settle(i) {
    atomic {
        if
        :: code[i] == HELD -> code[i] = FREE
        :: code[i] == GRANTED -> code[i] = SETTLED
        :: else
        fi
    }
}

/* Which place has a grant, if any. */
inline find() {
    atomic {
        if
        :: IS_GRANT(0) -> found = 0
        :: else -> if :: IS_GRANT(1) -> found = 1 :: else -> found = NOBODY fi
        fi
    }
}

/* begin() of hold.c: with the lock held, the item says who has it. H5 */
inline begin() {
    do
    :: lock(); find();
       if
       :: found == NOBODY -> break
#ifndef SEED_NO_SETTLING
       :: found != NOBODY && NAMED(found) ->
          item = owner[found]; may_die();
          settle(found); unlock(); may_die()
       :: found != NOBODY && !NAMED(found) ->
#ifndef SEED_LEFT_OVER
          settle(found);
#endif
          break
#else
       :: else -> break
#endif
       fi
    od;
    found = NOBODY;
    may_die()
}

#ifdef SEED_CLAIM_BY_OWNER
#define CAN_BE_CLAIMED(i) (code[i] != FREE && code[i] != GRANTING && dead[owner[i]])
#else
#define CAN_BE_CLAIMED(i) (code[i] != FREE && code[i] != GRANTING && dead[owner[i]] && (!IS_GRANT(i) || dead[from[i]]))
#endif

/* Wait at a free place, or at one that knows nothing any more: H3. Without one, there is the bell. */
inline join() {
    atomic {
        place = NOBODY;
        if
        :: code[0] == FREE || CAN_BE_CLAIMED(0) -> place = 0
        :: else -> if :: code[1] == FREE || CAN_BE_CLAIMED(1) -> place = 1 :: else fi
        fi;
        if :: place != NOBODY -> owner[place] = me; code[place] = WAITING :: else fi
    }
}
/* handover_end(): the place is not ours any more, unless somebody has yet to settle it. */
inline end() {
    atomic {
        if
        :: place == NOBODY
        :: place != NOBODY && code[place] == GRANTED -> code[place] = HELD
        :: else -> code[place] = FREE
        fi;
        place = NOBODY
    }
}

#define HAS(i) (place == i && (code[i] == GRANTED || code[i] == SETTLED))

inline acquire() {
    do
    :: begin();
       if
       :: item == me -> unlock(); assert(place != NOBODY || waited); break /* handed over, H2 */
       :: item != me && GONE(item) -> d_step { item = me; lost[me] = false }; may_die(); unlock(); break
       :: else -> unlock()
       fi;
       may_die();
       if :: place == NOBODY -> join() :: else fi;
       waited = true;
       may_die();
       if /* woken, or looking by himself */
       :: HAS(0) || HAS(1) -> break
       :: GONE(HOLDER) || HOLDER == me
       fi
    od;
    may_die();
    end()
}

inline choose() {
    atomic {
        next = NOBODY;
        if
        :: code[0] == WAITING && !dead[owner[0]] -> next = 0
        :: code[1] == WAITING && !dead[owner[1]] -> next = 1
        :: else
        fi;
        if :: next != NOBODY -> code[next] = GRANTING :: else fi
    }
}

inline release() {
    granted = false;
    lock(); find();
    if
    :: item == me && (found == NOBODY || !NAMED(found)) ->
       if :: found != NOBODY -> settle(found) :: else fi;
       may_die();
       choose();
       may_die();
       if
       :: next != NOBODY -> from[next] = me; d_step { code[next] = GRANTED; lost[owner[next]] = false }; granted = true
       :: else
       fi
    :: else
    fi;
    unlock(); may_die();
    if
    :: granted ->
       if
       :: begin(); unlock() /* settle() of hold.c */
       :: true              /* it has failed */
       fi
    :: else -> /* the long way */
       begin();
       assert(lost[me] == (item != me));
       if
       :: item == me ->
          choose(); may_die();
          if
          :: next != NOBODY ->
                d_step { item = owner[next]; lost[item] = false }; may_die();
             code[next] = SETTLED
          :: else -> item = NOBODY
          fi;
          may_die()
       :: else
       fi;
       unlock()
    fi
}

proctype process(byte me; byte rounds) {
    byte place = NOBODY, found = NOBODY, next = NOBODY, round;
    bool granted, waited;

    do
    :: round < rounds ->
       waited = false;
       acquire();
       atomic { if :: !lost[me] -> assert(GONE(inside)); inside = me :: else fi };
       may_die();
       atomic { if :: inside == me -> inside = NOBODY :: else fi };
       release();
       lost[me] = false;
       d_step { round++; next = NOBODY; found = NOBODY; granted = false }
    :: else -> break
    od;
died:
    skip
}

/* Somebody breaks the lock, as dcache_lock_break() and 5.6.3 may: who had it has lost it. */
proctype breaker() {
    byte me = 0, holder;

    lock();
    atomic {
        holder = HOLDER;
        item = NOBODY;
        if :: holder != NOBODY -> lost[holder] = true :: else fi;
        if :: inside == holder -> inside = NOBODY :: else fi
    };
    unlock()
}

init {
    atomic {
        run process(1, ROUNDS);
        run process(2, 1);
#if SCENARIO == 2
        run breaker()
#else
        run process(3, 1)
#endif
    }
}
