/* memtable.h - the newest records in shared memory: ring, index, publish, read. No SQL.
 *
 * The segment (shared.h) holds a ring of records and an index of it. A record is the newest state of
 * one key; that a key is absent is a record too. Positions are bytes since the segment was made and
 * only grow: head <= drained <= visible <= tail. Records before `drained` are in SQLite as well, and
 * serve as its read cache; so do those that were appended as MEMTABLE_CLEAN. The others are dirty.
 *
 * Invariants (docs/MEMTABLE.md argues them, model/memtable.pml has them checked)
 *  M1  Two locks, taken in this order: the write lock of shared.h, for everything that writes to
 *      SQLite; the append lock, for everything that changes the ring. A drain holds the first only,
 *      so that writers go on; a transaction holds both.
 *  M2  A record is published by the store of `tail`; what is behind `tail` is nothing.
 *  M3  Then it is listed in the index, then `visible` follows. Whoever takes the append lock lists
 *      what is between `visible` and `tail`: its author has died there.
 *      A drain goes up to `visible` only: a record behind that is perhaps one of a group, of which the
 *      rest is not published (M4), or of an author who has died.
 *  M4  A reader who finds a record of a group waits until `visible` is behind it: then all of the group is
 *      listed. `visible` is moved over a group as a whole, by whoever repairs too, and no slice of a
 *      drain ends in one. What is published alone is whole once it is listed.
 *  M5  `head` moves over records that are in SQLite only, and their slots are cleared; so is that of a key
 *      whose row was changed there. So what is not in the index has not been written since it was in
 *      SQLite last.
 *  M6  `head` moves, then memory is overwritten; a reader copies, then looks at `head` again.
 *  M7  A record before `floor`, and any record while SQLite's commit counter is not `known`, is not
 *      taken at its word: a clean one counts for nothing, a dirty one yields to a later row.
 *      Later by store_time, which therefore never goes back from one record to the next, whoever
 *      waited between taking the time and the lock (memtable_time).
 *  M8  `known` follows the counter under the write lock only: after a drain as it is, since a drain
 *      changes nothing that anybody can see; after one that changed the row of a single key, that key is
 *      taken from the index before; after any other, or one that is not ours, `floor` moves to `tail`.
 *  M9  What was read from SQLite is appended (clean) only if meanwhile nobody has committed to SQLite
 *      and the key has not been written. */
#ifndef MEMTABLE_H
#define MEMTABLE_H

#include "ring.h"
#include "row.h"

#define MEMTABLE_GROUP_MOST 256 /* records that are published at once */
#define MEMTABLE_SLICE_MOST 512 /* actions of a slice: no slice ends in a group (M4) */

struct memtable_key memtable_key(const struct dcache_value *key, int raw);

enum memtable_kind {
    MEMTABLE_UNKNOWN, /* not in the index: SQLite knows */
    MEMTABLE_PRESENT,
    MEMTABLE_ABSENT
};

enum memtable_flags {
    MEMTABLE_CLEAN = 1,     /* SQLite has it */
    MEMTABLE_COUNTED = 2,   /* access_count is the row's; else what came since it was stored */
    MEMTABLE_OVERTAKEN = 4, /* of an answer: dirty, but SQLite may have a later row (M7) */
    MEMTABLE_NO_VALUE = 8,  /* of a question */
    MEMTABLE_CULLS = 16,    /* an item was stored: with it goes what has expired by then */
    MEMTABLE_GROUP = 32,    /* one of those that were published at once (M4) ... */
    MEMTABLE_MORE = 64,     /* ... and not the last */
    MEMTABLE_QUEUE = 128    /* a push or pull, who sees himself to where the queue ends (ends.h) */
};

/* A new state of a key. */
struct memtable_change {
    struct memtable_key key;
    enum memtable_kind kind;
    unsigned flags;
    struct row row; /* its own key does not matter */
};

/* What a record says. */
struct memtable_record {
    enum memtable_kind kind;
    unsigned flags;
    uint64_t position, size;
    uint64_t hash;
    struct row row; /* rowid 0: not known; the time that a key became absent is its store_time */
    double culls;   /* of memtable_read_dirty(): the time of what is CULLS at this position, or 0 */
};

/* Whether there is a ring. */
static inline bool memtable_exists(const struct shared *shared)
{
    return shared->mapped && ring_capacity(shared) != 0;
}

/* Whether all of it has been written to since that was looked at last. */
bool memtable_came_round(const struct shared *shared);

/* Bytes in the ring that are not in SQLite. */
uint64_t memtable_dirty(const struct shared *shared);

/* What the memtable says about a key. `commits` is SQLite's commit counter, or an impossible one when
 * it is not known. UNKNOWN also when a clean record is not taken at its word. The row is owned, its
 * key borrowed from `key`. Takes no lock. Fails: NOMEM. */
int memtable_find(struct shared *shared, const struct memtable_key *key, unsigned flags,
                  uint64_t commits, struct memtable_record *ret_record);

/* The append lock. Fails: TIMEOUT. */
int memtable_lock(struct shared *shared, int64_t deadline);
void memtable_unlock(struct shared *shared);
bool memtable_try(struct shared *shared); /* only if it is free */

/* Up to where a drain may go: all that has been acknowledged by now is before it, and all before it is
 * listed. Takes the append lock for a moment only if somebody is just publishing, or has died so. */
uint64_t memtable_published(struct shared *shared, int64_t deadline);

/* ---- under the append lock ---- */

/* Append the state of a key; the row's own key does not matter. False: there is no room, drain first. */
bool memtable_append(struct shared *shared, const struct memtable_key *key, enum memtable_kind kind,
                     unsigned flags, const struct row *row);

/* Append up to MEMTABLE_GROUP_MOST, each of another key; readers see all of them or none. */
bool memtable_append_group(struct shared *shared, const struct memtable_change *const *changes,
                           size_t count);

/* The store_time of what is to be appended: not before that of anything earlier, since M7 compares them.
 * Who takes the time and then waits for the lock would else seem to have been overtaken. */
double memtable_time(struct shared *shared, double now);

/* Whether a time is not after the store_time of what was appended last. */
bool memtable_is_past(const struct shared *shared, double time);

/* Whether a key may get a clean record: it has none, or one that counts for nothing. */
bool memtable_may_keep(struct shared *shared, const struct memtable_key *key);

/* Take a key from the index: SQLite knows (M5). */
void memtable_unlist(struct shared *shared, const struct memtable_key *key);

/* Bytes that a row takes in the ring; whether that is a reasonable part of it. */
uint64_t memtable_bytes(const struct row *row);
bool memtable_fits(const struct shared *shared, const struct row *row);

/* Have a ring of so many bytes (a power of two), empty. Under both locks, with nothing dirty. That takes no
 * time if it is prepared. Fails: FULL IO. */
int memtable_resize(struct shared *shared, uint64_t capacity);

/* What the dead have left is listed anew, if it is sound; else there is no ring. The directory may come
 * from anywhere, and nothing in it is taken on trust. Before anybody else has the segment. */
void memtable_inherit(struct shared *shared);

/* M8: somebody has committed to SQLite who was no drain. Under both locks. */
void memtable_settle(struct shared *shared, uint64_t commits);

/* The same, of the row of a single key (of a queue, by a push or pull), with nothing dirty: what is known of
 * others stays. */
void memtable_settle_key(struct shared *shared, const struct memtable_key *key, bool queue,
                         uint64_t commits);

/* The same of a push or pull: where the other queues end, is known still (Q2 of ends.h). */
void memtable_settle_queue(struct shared *shared, uint64_t commits);

/* The same under the write lock only, for a commit of ours beside the usual ways. */
void memtable_own_commit(struct shared *shared, uint64_t commits);

/* It was a foreign process. While such are at work, nothing is to be left dirty: they would not see it,
 * and of two changes of one number one would be lost. For a second at first; longer, up to a minute, the
 * more often they come back. */
void memtable_note_foreign(struct shared *shared);
bool memtable_is_shunned(const struct shared *shared);
bool memtable_was_foreign(const struct shared *shared); /* at any time since the first of us came */

/* ---- under the write lock ---- */

/* Make ready for a ring of so many bytes, twice what there is or more: file and index are there, while the
 * smaller one is in use. Until then at most, or a step longer: 1 if it is to be gone on with, by whoever
 * has the lock. Fails: FULL IO. */
int memtable_prepare(struct shared *shared, uint64_t capacity, int64_t until);

/* The largest that all who are here can map. */
uint64_t memtable_most(const struct shared *shared);

/* A part of what is dirty, brought to SQLite as a whole: it begins at `drained`. Of each key it has what
 * matters, where that is done, and which record says so; a position of 0: nothing. */
struct memtable_slice {
    uint64_t begin, end;
    int count;   /* of keys */
    int actions; /* what is done */
    bool pushes; /* some of that are items of queues */
    struct memtable_run {
        uint64_t hash, newest; /* the last record of the key so far */
        uint64_t removed_at, removes;
        uint64_t stored_at, stores; /* after that */
        bool pushed;                /* ... by a push: there was nothing before */
    } run[MEMTABLE_SLICE_MOST];
    uint16_t index[2 * MEMTABLE_SLICE_MOST]; /* by hash: its number in `run`, plus 1 */
};

/* The slice that begins at `begin`, goes to `target` (memtable_published()) at most, and has some `most`
 * actions, or those of a group more: less than MEMTABLE_GROUP_MOST. False: at `begin` is no record, or the
 * positions cannot be. */
bool memtable_slice(const struct shared *shared, uint64_t begin, uint64_t target, int most,
                    struct memtable_slice *ret_slice);

/* What is to be done in the place of the record at a position within a slice: its row is borrowed from
 * the ring. UNKNOWN: nothing. OVERTAKEN: it yields to a later row. The next is `size` bytes further.
 * False: it is no record (any more: then somebody writes into the segment). */
bool memtable_read_dirty(const struct shared *shared, const struct memtable_slice *slice,
                         uint64_t position, struct memtable_record *ret_record);

/* Without what is no ring: see memtable_slice(). With the append lock held, or (`deadline` not
 * negative) taken for it. Fails: TIMEOUT. */
int memtable_void(struct shared *shared, int64_t deadline);

/* What is before `position` is in SQLite. */
void memtable_drained(struct shared *shared, uint64_t position);

/* The id that the row of a record has in SQLite; before memtable_drained(). */
void memtable_set_rowid(struct shared *shared, uint64_t position, int64_t rowid);

#endif
