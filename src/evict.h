/* evict.h - which rows go, by policy. */
#ifndef EVICT_H
#define EVICT_H

#include "entry.h"

/* After an item was stored: expired items, then by policy while the cache is over its limit; at
 * most `cull_limit` for each item, only as many as are needed, and none of the newcomers
 * themselves, whose rowids `keep` holds (it gets sorted). `bytes` is what their keys, values and files
 * have added, at most. */
int evict_some(struct txn *txn, int64_t *keep, size_t count, int64_t bytes);

/* Take from the bytes that may surely be stored before the cache is at its limit. False: there are not so
 * many, and evict_some() is to see to it. Under the append lock where there is a ring, else under the
 * write lock, as what follows. */
bool evict_takes_room(struct store *store, int64_t added);

/* How many there are, as far as SQLite knows: `headroom` of the segment is to become that, less what is
 * on its way there. */
int evict_room_left(struct store *store, struct db *db, int64_t *ret_room);

/* All rows, in batches. dcache_clear() then sweeps the files that no row names. */
int evict_everything(dcache *cache, int64_t *ret_removed);

/* Pages and bytes of the database. */
int evict_db_bytes(struct db *db, int64_t *ret_bytes);

/* The disk is full: expired items go, then by policy, until some `bytes` that they took are free, in
 * transactions of their own, each of which removes its files when it is committed. The old value of the
 * key of `spared` stays. Not in a transaction. Fails: FULL (not enough can go, or there is not even room
 * for a commit). */
int evict_for_room(dcache *cache, const struct item *spared, int64_t bytes);

#endif
