/* txn.h - begin, commit, undo; which value file is removed, and when.
 *
 * Every operation that writes runs in a `struct txn` on its stack:
 *
 *     struct txn txn = txn_new(cache);
 *     rc = txn_stage(...)     large values go to disk before the lock is taken
 *     rc = txn_begin(&txn)
 *     ... row_...(txn.db, ...), txn_insert, txn_replace, txn_drop
 *     rc = txn_commit(&txn)
 *     txn_end(&txn)           after a commit: nothing; else undo
 *
 * On a cache that is a transaction of SQLite; on a handle of dcache_begin() a savepoint in it.
 *
 * Invariants
 *  T1  A file that this transaction made goes away if it is rolled back, at any level.
 *  T2  A file of a row that this transaction removed or replaced goes away after the outermost
 *      COMMIT, never before.
 *  T3  `count` and `size` in Settings change in the transaction that changes the rows, by one
 *      statement before COMMIT. (Triggers are off.)
 *  T4  The write lock is held from before BEGIN IMMEDIATE until after COMMIT, and checkpoints happen
 *      under it. Where there is a memtable, it has been drained by then (but see T7), and its append lock
 *      is held too: nobody publishes anything beside a transaction.
 *  T5  An error at which SQLite has rolled back everything makes every further operation in that
 *      transaction fail with ABORTED.
 *  T6  A transaction of dcache_begin() may begin in the memtable (hot.c), with the append lock only. At the
 *      first operation that is not for there it becomes SQLite's: what was done so far is done once
 *      more (txn_carry). So its locks are taken in the wrong order, and who has taken them in the right
 *      one lets go (DRAIN_HELD). That costs, so what has happened to one transaction of a handle is
 *      expected of more and more of the next.
 *  T7  Who is about to change a single item may share his COMMIT with what is dirty, rather than have that
 *      drained by one before it. Should he die between COMMIT and memtable_drained(), it is drained once
 *      more, and that may undo his change: as if he had died a moment before. He has told nobody of it. */
#ifndef TXN_H
#define TXN_H

#include "drain.h"
#include "ends.h"
#include "group.h"
#include "left.h"

struct made_file {
    char name[FILE_TEMP_SIZE]; /* the temporary one until published; owned: see also `other` */
    uint64_t sum;              /* F5; 0: none */
    char *other;               /* a name of a binding's own choice, or NULL */
};

struct txn {
    struct dcache *cache;
    struct txn *outer;   /* the scope that this one is in, or NULL */
    struct db *db;       /* NULL before begin, and while there is a group */
    struct group *group; /* of the outermost, while it is in the memtable (T6); else NULL */
    size_t mark;         /* of an inner one: what of the group was there before */
    struct os_patience patience;
    bool open;
    bool appending;      /* the append lock of the memtable is held */
    bool shares;         /* T7 ... */
    struct drain *along; /* ... and this is what is dirty, or NULL */
    bool aborted;        /* T5; of the outermost */
    bool new_keys;       /* entry.c: the item stored last had a key that was not there */
    struct made_file *made;
    size_t made_count, made_room;
    char **dropped;
    size_t dropped_count, dropped_room;
    int64_t count, size; /* changes not yet in Settings */
    int64_t evictions;
    struct left_batch *left; /* for the owner of the handle, once this is committed */
    bool settings_changed;
    struct memtable_key key;  /* of the single item that it changes, if `about_key`, ... */
    bool about_key;           /* ... since who reads others need not know of it: M8 */
    int changes;              /* of rows */
    const struct ends *queue; /* of a push or pull: where its queue ends now, for ends_set() */
    uint64_t hits, misses, timeouts, damaged; /* taken from the segment: back they go if undone */
    bool
        aside; /* of the library's own, which can wait for another time: no timeout to be counted */
};

/* What a `dcache *` is: an open directory; a transaction on one; or, with `shard_count` above 0, several
 * of either kind, and then of the other fields only `path` counts. Every operation but those of
 * handle.c and fanout.c works on one directory, and has the shard chosen first (route.h), or goes
 * from part to part. */
struct dcache {
    struct dcache **shards;
    size_t shard_count;
    char *path;                 /* of the directory that the shards are in; NULL of a transaction */
    _Atomic bool private_above; /* nobody else may write to that */
    struct store *store;
    double timeout;
    struct txn *scope;   /* of a transaction handle; NULL: a plain cache */
    struct dcache *root; /* the outermost handle of a nest of transactions */
    struct dcache *parent;
    struct dcache *child; /* an inner transaction is open: this handle refuses */
    bool orphaned;        /* an outer one was rolled back, and this with it: to be released */
    unsigned fork_generation;
    pthread_mutex_t mutex; /* of the root: calls in a transaction run one after the other; of a
                              plain handle: for `left` */
    _Atomic unsigned
        carried; /* of a plain handle: how many transactions are to begin in SQLite, ... */
    _Atomic unsigned carry; /* ... and how many it will be if the next one has to go there: T6 */
    unsigned leave;         /* DCACHE_LEAVE_FILES, DCACHE_NAME_EVICTED, of a plain handle */
    struct left_batch *left;
};

/* A single directory is a cache of one part. */
static inline size_t cache_parts(const struct dcache *cache)
{
    return cache->shard_count > 0 ? cache->shard_count : 1;
}

static inline struct dcache *cache_part(struct dcache *cache, size_t i)
{
    return cache->shard_count > 0 ? cache->shards[i] : cache;
}

struct txn txn_new(struct dcache *cache);

/* For a change of a single item, which will be one: T7. */
struct txn txn_single(struct dcache *cache);

int txn_begin(struct txn *txn);
int txn_commit(struct txn *txn);
void txn_end(struct txn *txn);

/* Before the commit: no other key is changed (M8). The key is as stored, and lives until txn_end(). */
void txn_about(struct txn *txn, const struct dcache_value *key, int raw);

/* T5: whether SQLite has rolled everything back by itself. */
bool txn_is_aborted(struct txn *txn);

/* The group of a transaction that is in the memtable, or NULL. */
struct group *txn_group(const struct txn *txn);

/* T6, for a scope with all around it; under the mutex of the root. When it fails, all is as before. */
int txn_carry(struct txn *scope, int64_t deadline);

/* Do once more what was done in the memtable, with what it has taken along: replay.c. */
int txn_replay(struct txn *txn, const struct memtable_change *change);

/* Let go of a group and of the append lock. */
void txn_drop_group(struct txn *txn);

/* Whether the directory in which an outermost scope began is not there any more. */
bool txn_has_moved(const struct txn *txn);

/* Without the locking of a handle: for dcache_begin() and its kin. */
int txn_start(struct txn *txn);
int txn_finish(struct txn *txn);
void txn_undo(struct txn *txn);

/* Before txn_begin(), where a setting decides what is done there: what another process has changed
 * counts from now on. */
int txn_refresh_settings(struct txn *txn);

/* Write a value to a temporary file that the transaction owns; `ret_index` names it. */
int txn_stage(struct txn *txn, const struct dcache_value *value, int64_t limit, size_t *ret_index,
              int64_t *ret_size);

/* Give a staged file its name; the pointer lives until the next file is staged or adopted. */
int txn_publish(struct txn *txn, size_t index, const char **ret_name);

/* Own a file that a binding has made. */
int txn_adopt(struct txn *txn, const char *name);

/* Row operations that keep T2 and T3. `old` is what txn_replace() replaces. */
int txn_insert(struct txn *txn, const struct row *row, int64_t *ret_rowid);
int txn_replace(struct txn *txn, const struct row *old, const struct row *row);
int txn_drop(struct txn *txn, int64_t rowid, int64_t size, const char *filename);

/* Tell the owner of the handle that the item was evicted, if he has asked for it. Before it goes. */
int txn_name_evicted(struct txn *txn, int64_t rowid);

/* The same, but its file stays (its bytes have been handed out as a stored value). */
int txn_forget(struct txn *txn, int64_t rowid, int64_t size);

/* Copy the log to the database, if it has become long: with no lock held. */
void txn_checkpoint(struct store *store, int wal_frames);

/* Bring the access records of the segment to the database. */
int txn_flush_accesses(struct txn *txn);

/* Hits, misses, timeouts and damaged values of the segment to the database. */
int txn_flush_statistics(struct txn *txn);

/* Whether a file goes away with the COMMIT of this scope or one around it, and is no stray. */
bool txn_will_remove(const struct txn *scope, const char *filename);

/* Counters as this transaction sees them; `scope` NULL: as the database has them. */
int txn_counters(const struct txn *scope, struct db *db, int64_t *ret_count, int64_t *ret_size);

#endif
