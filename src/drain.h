/* drain.h - how the records of the memtable reach SQLite, in order and in slices.
 *
 * Each slice is a transaction of its own, or part of another (T7 of txn.h), after which SQLite holds all that was published before some
 * moment, and nothing later. It changes nothing that anybody can see (M8). */
#ifndef DRAIN_H
#define DRAIN_H

#include "memtable.h"
#include "store.h"

/* One slice of what is dirty before `target`; `appending`: the append lock is held too. Under the write
 * lock, with a connection that is in no transaction. Fails as a write to SQLite does: the records
 * stay dirty. */
int drain_slice(struct store *store, struct db *db, uint64_t target, bool appending);

/* Whether the database can be written to at all: 0, or why not. Under the write lock. */
int drain_try(struct db *db);

/* The same until nothing is dirty and the append lock is held, so that nothing becomes dirty. DRAIN_HELD:
 * a transaction has it that may want the write lock, which is to be let go of until it has ended. */
#define DRAIN_HELD 1
int drain_all(struct store *store, struct db *db, int64_t deadline);

/* The same for who has the append lock already. */
int drain_rest(struct store *store, struct db *db);

/* The first half of drain_all(): little is left, and the append lock is held. */
int drain_most(struct store *store, struct db *db, int64_t deadline);

/* What is dirty becomes part of a transaction that has begun in SQLite, with both locks held (T7 of txn.h).
 * `*ret` is NULL if nothing is; else drain_along_end() frees it, after COMMIT or ROLLBACK. What it changes in
 * the counters is added to `count` and `size`. DRAIN_ALONE: that is not to be had, drain before. Fails: GONE. */
#define DRAIN_ALONE 2
struct drain;
int drain_along(struct store *store, struct db *db, struct drain **ret, int64_t *count,
                int64_t *size);
void drain_along_end(struct drain *along, bool committed);

/* Bytes that may be left to drain_all() while writers wait; whether somebody is at it: then more
 * than this are a crowd. */
#define DRAIN_FEW 8192
bool drain_is_urgent(const struct shared *shared);

/* Whether there is anything to be drained by this process. */
bool drain_is_due(struct store *store);

/* For a reader who needs SQLite to know everything that has been published by now: have it drained,
 * by whoever is at it or by this thread. Takes and lets go of the write lock, if need be. */
int drain_wait(struct store *store, int64_t deadline);

/* The same for who leaves: a directory that was removed does not come back for it. */
int drain_before_leaving(struct store *store, int64_t deadline);

/* Where a newcomer begins under least-frequently-used; `evictions` of this transaction. */
int drain_initial_count(struct db *db, enum policy policy, int64_t evictions, int64_t *ret_count);

/* Under what id the reads of a record without a rowid are noted. */
int64_t drain_note_id(uint64_t hash);

#endif
