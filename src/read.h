/* read.h - a connection to read from: that of a transaction, or one from the pool. */
#ifndef READ_H
#define READ_H

#include "txn.h"

/* The connection of the transaction, or one from the pool, to be given back with
 * txn_read_end(). What has been published by now is in SQLite then; txn_lookup_begin() is for who has
 * asked, or is going to ask, the memtable. */
int txn_read_begin(struct dcache *cache, struct db **ret_db);
int txn_lookup_begin(struct dcache *cache, struct db **ret_db);
void txn_read_end(struct dcache *cache, struct db *db);

/* The same for several statements that are to see one moment. */
int txn_snapshot_begin(struct dcache *cache, struct db **ret_db);
void txn_snapshot_end(struct dcache *cache, struct db *db);

#endif
