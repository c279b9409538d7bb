/* memtable.pml - the protocol of the memtable: publish, read, reclaim, drain, transaction, death.
 *
 * docs/MEMTABLE.md maps each step to the code and explains the words. Two keys, a ring of RING
 * records, SQLite as two cells that one atomic step commits. A value is its version: a number that
 * grows with each publication, so that "newer" and "older" can be compared. Memory is sequentially
 * consistent here; the fences are argued in src/memtable.c.
 *
 * The laws, as assertions:
 *   L1  no lie    a read hands back what was acknowledged before it began, or newer (in read)
 *   L2  no lie    who has seen a value never sees an older one afterwards            (in reader)
 *   L3  at once   of a group or a transaction, who sees one part sees the others    (in reader)
 *   L4  no loss   at any moment SQLite holds a prefix of what was published        (in committed)
 *   L5  no loss   after the last drain SQLite holds the newest of each key          (in last)
 *   L7  alone     nobody publishes between begin and commit of a transaction  (in transaction)
 *   L6  no hang   every process that lives comes to its end: Spin's invalid end states
 *
 * Any process may die between any two steps, one of them in each run (DEATHS). In scenarios 5 and 10 a
 * process that knows nothing of the memtable commits to SQLite as well.
 *
 * SEED_... removes one step each; model/check.sh has the list, and each of them must be caught. */

#define FOREIGN (SCENARIO == 5 || SCENARIO == 10)
#if SCENARIO == 8
#define RING 1
#else
#define RING 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define MOST 16                    /* positions and versions that a run may use */
#define CELL(p) ((p) % RING)
#define NOBODY 255

/* ---- the segment ---- */
byte append_lock = NOBODY, sqlite_lock = NOBODY;
byte head, drained, tail, visible; /* positions, which only grow */
byte floor;                        /* records before it are not taken at their word: M7 */
byte known;                        /* SQLite's commit counter as we left it: M8 */
byte slot[2];                      /* position + 1 of the key's newest record; 0: none */
byte ring_key[RING], ring_version[RING];
bool ring_clean[RING];

/* ---- SQLite ---- */
byte db[2], commits;
byte db_lock = NOBODY;             /* BEGIN IMMEDIATE */

/* ---- what the laws are checked against ---- */
byte version;                      /* published last */
byte acknowledged[2];
bool wrote0[MOST], wrote1[MOST];   /* what each version wrote */
bool atomic_version[MOST];         /* both keys at once */
byte deaths;
bool dead[8];
byte running;

/* Any step may be the last. */
inline may_die() {
    if
    :: deaths < DEATHS -> atomic { deaths++; dead[_pid] = true; if :: db_lock == _pid -> db_lock = NOBODY :: else fi }; goto died
    :: true
    fi
}

/* L4. A foreign version is not one of ours, so this is left out with one. */
inline committed(n0, n1) {
    d_step {
        db[0] = n0; db[1] = n1; commits++;
#if !FOREIGN
        most = (db[0] > db[1] -> db[0] : db[1]);
        n = 1;
        do
        :: n <= most ->
            assert(!(wrote0[n] && n > db[0]));
            assert(!(wrote1[n] && n > db[1]));
            n++
        :: else -> break
        od;
        most = 0; n = 0
#endif
    }
}

/* ---- locks: order sqlite_lock, append_lock; of a dead owner they are taken over ---- */
inline repair() {
    /* M3: what was published and not listed by who died is listed now. */
#ifndef SEED_NO_REPAIR
    do
    :: visible < tail ->
        d_step { slot[ring_key[CELL(visible)]] = visible + 1; visible++ }
    :: else -> break
    od
#else
    visible = tail
#endif
}

inline lock_append() {
    atomic { (append_lock == NOBODY || dead[append_lock]) -> append_lock = _pid };
    repair()
}
inline unlock_append() { append_lock = NOBODY }
inline lock_sqlite() { atomic { (sqlite_lock == NOBODY || dead[sqlite_lock]) -> sqlite_lock = _pid } }
inline unlock_sqlite() { sqlite_lock = NOBODY }

/* ---- append: under append_lock ---- */
inline reclaim_for(count) {
    /* M5: only what SQLite has may go; the slot with it. */
    do
#ifdef SEED_RECLAIM_DIRTY
    :: tail + count - head > RING && head < tail ->
#else
    :: tail + count - head > RING && head < drained ->
#endif
        d_step { if :: slot[ring_key[CELL(head)]] == head + 1 -> slot[ring_key[CELL(head)]] = 0 :: else fi };
        head++
    :: else -> break
    od
}
#define HAS_ROOM(count) (tail + (count) - head <= RING)

/* Two steps: a reader may meet a record that is being overwritten. */
inline write_record(p, k, v, c) {
    ring_key[CELL(p)] = k;
    d_step { ring_version[CELL(p)] = v; ring_clean[CELL(p)] = c }
}

inline list_record(p) { slot[ring_key[CELL(p)]] = p + 1 }

/* ---- settle: under both locks; somebody else has committed to SQLite ---- */
inline settle() {
    if
    :: commits != known ->
        floor = tail;
        known = commits
    :: else
    fi
}

/* M3: a drain that does not hold the append lock goes up to what is listed. */
#ifdef SEED_DRAIN_UNLISTED
#define PUBLISHED tail
#else
#define PUBLISHED visible
#endif

/* ---- a slice, up to `target`, becomes new0 and new1 ---- */
inline apply(target) {
    new0 = db[0]; new1 = db[1];
    at = drained;
    do
    :: at < target ->
        d_step {
            /* Of a run, the newest in the place of the first: the index says which that is. */
            key = ring_key[CELL(at)]; s = slot[key]; n = drained;
            do
            :: n < at && (ring_key[CELL(n)] != key || ring_clean[CELL(n)]) -> n++
            :: else -> break
            od;
            if
            :: ring_clean[CELL(at)] || n < at
#ifdef SEED_SKIP_BEYOND_TARGET
            :: !ring_clean[CELL(at)] && n == at && s > target
#endif
            :: else ->
                n = (s > target -> target : (s > at -> s : at + 1));
                do
                :: n > at + 1 && (ring_key[CELL(n - 1)] != key || ring_clean[CELL(n - 1)]) -> n--
                :: else -> break
                od;
                if
#ifndef SEED_NO_YIELD
                :: n - 1 < floor && ring_version[CELL(n - 1)] < (key == 0 -> new0 : new1)
#endif
                :: else ->
                    if
                    :: key == 0 -> new0 = ring_version[CELL(n - 1)]
                    :: else -> new1 = ring_version[CELL(n - 1)]
                    fi
                fi
            fi;
            n = 0;
            at++; key = 0; s = 0
        }
    :: else -> break
    od
}

/* ---- drain: under sqlite_lock ---- */
inline drain(target) {
    atomic { db_lock == NOBODY -> db_lock = _pid };
    may_die();
#if FOREIGN || SCENARIO == 9
    if
    :: commits != known && append_lock != _pid -> lock_append(); settle(); unlock_append()
    :: commits != known && append_lock == _pid -> settle()
    :: else
    fi;
#endif
    apply(target);
    may_die();
#ifdef SEED_DRAINED_FIRST
    drained = target;
    may_die();
#endif
    if
    :: new0 != db[0] || new1 != db[1] ->
        atomic { committed(new0, new1); db_lock = NOBODY };
        may_die();
        known++
    :: else -> db_lock = NOBODY
    fi;
    drained = target;
    new0 = 0; new1 = 0; at = 0
}

/* ---- the processes ---- */

/* set: of the keys in turn, or of both as a group. */
proctype writer(bool group; byte most_rounds) {
    byte p, v, k, rounds, most, n, new0, new1, at, key, s, goal;

    do
    :: rounds < most_rounds ->
again:
        lock_append();
        may_die();
        reclaim_for(1 + group);
        if
        :: !HAS_ROOM(1 + group) ->
            /* Order of locks: first let go of this one. */
#ifdef SEED_LOCK_ORDER
            lock_sqlite();
#else
            unlock_append();
            lock_sqlite();
#endif
            goal = PUBLISHED;
            drain(goal);
            goal = 0;
            unlock_sqlite();
#ifdef SEED_LOCK_ORDER
            unlock_append();
#endif
            goto again
        :: else
        fi;
        p = tail; v = version + 1;
        k = (group -> 0 : rounds % 2);
        write_record(p, k, v, false);
        if :: group -> may_die(); write_record(p + 1, 1, v, false) :: else fi;
        may_die();
#ifdef SEED_LIST_FIRST
        list_record(p);
        visible = p + 1;
        may_die();
#endif
        /* M2: this one store publishes. */
        d_step {
            tail = p + 1 + group; version = v;
            if :: k == 0 -> wrote0[v] = true :: else -> wrote1[v] = true fi;
            if :: group -> wrote1[v] = true; atomic_version[v] = true :: else fi
        };
        may_die();
        list_record(p);
        if :: group -> may_die(); list_record(p + 1) :: else fi;
        may_die();
        visible = tail;
        unlock_append();
        d_step {
            if :: v > acknowledged[k] -> acknowledged[k] = v :: else fi;
            if :: group && v > acknowledged[1] -> acknowledged[1] = v :: else fi
        };
        rounds++; p = 0; v = 0; k = 0
    :: else -> break
    od;
died:
    running--
}

/* The helper thread. */
proctype drainer(byte most_rounds) {
    byte most, n, new0, new1, at, key, s, goal, rounds;

    do
    :: rounds < most_rounds ->
        lock_sqlite();
        may_die();
        goal = PUBLISHED;
        if
        :: goal > drained + 1 -> goal = drained + 1 /* a slice */
        :: true
        fi;
        if :: goal > drained -> drain(goal) :: else fi;
        goal = 0;
        unlock_sqlite();
        rounds++
    :: else -> break
    od;
died:
    running--
}

/* dcache_begin ... dcache_commit: both keys in SQLite, as one. */
proctype transaction() {
    byte most, n, new0, new1, at, key, s, goal, v;

    lock_sqlite();
    may_die();
#ifndef SEED_NO_APPEND_LOCK
    lock_append();
    may_die();
#endif
    goal = tail;
    if :: goal > drained -> drain(goal) :: else fi;
    goal = 0;
    atomic { db_lock == NOBODY -> db_lock = _pid };
    may_die();
    settle();
    v = version + 1;
    may_die();
    /* COMMIT; the version is published by it. Until `known` follows, everybody asks SQLite. */
    atomic {
        d_step {
            assert(version + 1 == v); /* L7 */
            version = v;
            wrote0[v] = true; wrote1[v] = true; atomic_version[v] = true
        };
        committed(v, v);
        db_lock = NOBODY
    };
    may_die();
#ifdef SEED_FLOOR_LATE
    known++;
    may_die();
    floor = tail;
#else
    floor = tail;
    may_die();
    known++;
#endif
#ifndef SEED_NO_APPEND_LOCK
    unlock_append();
#endif
    unlock_sqlite();
    d_step {
        if :: v > acknowledged[0] -> acknowledged[0] = v :: else fi;
        if :: v > acknowledged[1] -> acknowledged[1] = v :: else fi
    };
died:
    running--
}

#if SCENARIO == 9 || SCENARIO == 10
/* A change of one key in SQLite, which shares its COMMIT with what is dirty: T7, and the last of M8. */
proctype single() {
    byte most, n, new0, new1, at, key, s, goal, v;

    lock_sqlite();
    may_die();
    lock_append();
    may_die();
    atomic { db_lock == NOBODY -> db_lock = _pid };
    may_die();
    settle();
    goal = tail;
    apply(goal);
    may_die();
#ifdef SEED_SINGLE_DRAINED_FIRST
    drained = goal;
    may_die();
#endif
    atomic {
        d_step { v = version + 1; version = v; wrote1[v] = true };
        committed(new0, v);
        db_lock = NOBODY
    };
    may_die();
    drained = goal;
    may_die();
#ifdef SEED_SINGLE_KNOWN_FIRST
    known++;
    may_die();
#endif
#ifndef SEED_SINGLE_LISTED
    slot[1] = 0;
    may_die();
#endif
#ifdef SEED_SINGLE_KNOWN_ANY
    known = commits;
#elif !defined(SEED_SINGLE_KNOWN_FIRST)
    known++; /* another commit, if there was one since, is not known */
#endif
    unlock_append();
    unlock_sqlite();
    d_step {
        if :: v > acknowledged[1] -> acknowledged[1] = v :: else fi;
        new0 = 0; new1 = 0; at = 0; goal = 0
    };
died:
    running--
}
#endif

#if FOREIGN
/* Diskcache 5.6.3: BEGIN IMMEDIATE, a row, COMMIT. */
proctype foreign() {
    byte v;

    atomic { db_lock == NOBODY -> db_lock = _pid };
    atomic {
        v = version + 1; version = v;
        wrote0[v] = true;
        db[0] = v; commits++;
        db_lock = NOBODY;
        acknowledged[0] = v
    };
    running--
}
#endif

/* get: no lock, unless a publication does not come to its end. `missed`: SQLite was asked. */
inline ask_sqlite(k, result) {
    commits_before = commits;
    result = db[k];
    missed = true
}

inline read(k, result) {
    least = acknowledged[k];
    do
    ::  d_step { counter = commits; doubt = false };
        /* M7: SQLite may know better. `known` first, then the slot, and then `floor`. */
#if !defined(SEED_FLOOR_FIRST) && !defined(SEED_FOREIGN_IGNORED) && !defined(SEED_SLOT_FIRST)
        if :: counter != known -> doubt = true :: else fi;
#endif
        s = slot[k];
#ifdef SEED_SLOT_FIRST
        if :: counter != known -> doubt = true :: else fi;
#endif
        if
        :: s == 0 -> ask_sqlite(k, result); break
        :: else
        fi;
#ifndef SEED_NO_WAIT_VISIBLE
        /* M4: its author lists the rest of the group, or has died. */
        if
        :: s <= visible
        :: s > visible && append_lock != NOBODY && dead[append_lock] -> lock_append(); unlock_append()
        fi;
#endif
        key = ring_key[CELL(s - 1)];
        result = ring_version[CELL(s - 1)];
        clean = ring_clean[CELL(s - 1)];
#ifndef SEED_NO_RECHECK
        /* M6: what may have been overwritten meanwhile counts for nothing. */
        if
        :: head >= s -> key = 0; clean = false
        :: else ->
#else
        if
        :: true ->
#endif
            assert(key == k);
            d_step { clean = clean || s - 1 < drained; key = 0 };
#ifndef SEED_FLOOR_IGNORED
            if :: s - 1 < floor -> doubt = true :: else fi;
#endif
#ifdef SEED_FLOOR_FIRST
            if :: counter != known -> doubt = true :: else fi;
#endif
            if
            :: doubt && clean -> ask_sqlite(k, result)
            :: doubt && !clean -> result = (db[k] > result -> db[k] : result)
            :: else
            fi;
            break
        fi
    od;
    assert(result >= least); /* L1 */
    least = 0; s = 0; counter = 0; clean = false; doubt = false
}

/* M9: the key was not written meanwhile, and nobody committed anything. */
#ifdef SEED_KEEP_LISTED
#define KEEP_LISTED(k) true
#else
#define KEEP_LISTED(k) (slot[k] == 0 || (slot[k] - 1 < floor && slot[k] - 1 < drained))
#endif
#ifdef SEED_KEEP_COMMITTED
#define KEEP_SAME true
#else
#define KEEP_SAME (commits_before == commits)
#endif

/* What was read from SQLite may serve others, if it is still the newest. Never waits. */
inline keep(k, value) {
    if
    :: atomic { (append_lock == NOBODY || dead[append_lock]) -> append_lock = _pid };
        repair();
        reclaim_for(1);
        if
        :: (HAS_ROOM(1) && KEEP_LISTED(k) && KEEP_SAME) ->
            s = tail;
            write_record(s, k, value, true);
            may_die();
            tail = s + 1;
            may_die();
            list_record(s);
            visible = tail;
            s = 0
        :: else
        fi;
        unlock_append()
    :: true
    fi
}

proctype reader() {
    byte least, commits_before, counter, s, key, a, b, c, v;
    bool clean, missed, doubt;

    read(0, a);
    if :: missed -> keep(0, a) :: else fi;
    missed = false; commits_before = 0;
    read(1, b);
    if :: missed -> keep(1, b) :: else fi;
    missed = false; commits_before = 0;
    d_step {
        /* L3: the last thing that wrote both keys and that `a` tells of is in `b` too. */
        v = a;
        do
        :: v > 0 && !atomic_version[v] -> v--
        :: else -> break
        od;
        assert(b >= v);
        v = 0
    };
    read(0, c);
    assert(c >= a);  /* L2 */
died:
    running--
}

/* One read of the key that loses its slot, kept. */
proctype keeper() {
    byte least, commits_before, counter, s, key, b, c;
    bool clean, missed, doubt;

    read(1, b);
    if :: missed -> keep(1, b) :: else fi;
    missed = false; commits_before = 0;
    read(1, c);
    assert(c >= b); /* L2 */
died:
    running--
}

/* A slot may be wanted for another key: what SQLite has may lose it. */
proctype unlister() {
    lock_append();
    if
    :: slot[1] != 0 && slot[1] - 1 < drained && slot[1] - 1 >= head ->
        slot[1] = 0
    :: else
    fi;
    unlock_append();
    running--
}

/* Who comes last, takes over from the dead and drains what is left. */
proctype last() {
    byte most, n, new0, new1, at, key, s, goal;

    running == 0;
    lock_sqlite();
    lock_append();
    goal = tail;
    drain(goal);
    goal = 0;
    unlock_append();
    unlock_sqlite();
    /* L5 */
    assert(db[0] >= acknowledged[0] && db[1] >= acknowledged[1]);
#if !FOREIGN
    n = version;
    do :: n > 0 && !wrote0[n] -> n-- :: else -> break od;
    assert(db[0] == n);
    n = version;
    do :: n > 0 && !wrote1[n] -> n-- :: else -> break od;
    assert(db[1] == n)
#endif
died: skip
}

/* ---- who meets whom ---- */
init {
    atomic {
#if SCENARIO == 1 /* a helper drains what is written */
        running = 3; run writer(false, 2); run drainer(2); run reader();
#elif SCENARIO == 2 /* groups */
        running = 2; run writer(true, 2); run reader();
#elif SCENARIO == 3 /* a transaction among single sets */
        running = 3; run writer(false, 2); run transaction(); run reader();
#elif SCENARIO == 4 /* two readers, who keep what they have read */
        running = 3; run transaction(); run reader(); run reader();
#elif SCENARIO == 5 /* a process that knows nothing of all this */
        running = 3; run writer(false, 2); run foreign(); run reader();
#elif SCENARIO == 6 /* a slot goes to another key */
        running = 4; run writer(false, 2); run drainer(1); run unlister(); run keeper();
#elif SCENARIO == 7 /* power cuts between slices */
        running = 2; run writer(false, 4); run drainer(3);
#elif SCENARIO == 8 /* a ring that is always full */
        running = 3; run writer(false, 3); run transaction(); run keeper();
#elif SCENARIO == 10 /* a single change, and who knows nothing of all this */
        running = 4; run writer(false, 1); run single(); run foreign(); run reader();
#elif SCENARIO == 9 /* a single change in SQLite, with what is dirty */
        running = 3; run writer(false, 2); run single(); run keeper();
#endif
        run last()
    }
}
