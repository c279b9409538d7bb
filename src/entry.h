/* entry.h - what callers give and get: options and values to rows, rows and files to entries. */
#ifndef ENTRY_H
#define ENTRY_H

#include "read.h"

/* Options of a caller, perhaps of an older or newer header: the part that both know. */
#define ENTRY_OPTIONS(type, local, given)       \
    type local = {.struct_size = sizeof(type)}; \
    if (given)                                  \
    memcpy(&(local), (given),                   \
           (given)->struct_size < sizeof(local) ? (given)->struct_size : sizeof(local))

/* An item on its way in. */
struct item {
    struct row row;
    char key_scratch[VALUE_SCRATCH], value_scratch[VALUE_SCRATCH];
    bool staged;
    size_t index; /* of the staged file in the transaction */
};

/* Key as stored, borrowed from `key` or the item. */
int item_key(struct item *item, struct store *store, const struct dcache_value *key);

/* Everything else; a large value goes to a staged file of `txn`. Before txn_begin().
 * Fails: INVALID TOO_BIG CALLBACK and what writing a file may. */
int item_value(struct item *item, struct txn *txn, const struct dcache_value *value,
               const struct dcache_set_options *options);

/* The same of a value that goes into a column, all but the key, without a transaction. False: that is for
 * item_value(), which also says what is wrong. */
bool item_small(struct item *item, struct dcache *cache, const struct dcache_value *value,
                const struct dcache_set_options *options);

/* The files of stored values from `from` on, which a failure has kept from being items: they are the
 * cache's to remove, too. */
void item_adopt_files(struct txn *txn, const struct dcache_value *values, size_t from,
                      size_t count);

/* Publish the file and store the row, in place of what is there. After txn_begin(). */
int item_store(struct item *item, struct txn *txn, int64_t *ret_rowid);

/* The same with a look at what is there: a live item keeps its expiry (KEEP_EXPIRE), or its place
 * (`only_if_absent`). Fails: EXISTS. */
int item_store_after_look(struct item *item, struct txn *txn, unsigned flags, bool only_if_absent,
                          int64_t *ret_rowid);

/* The same where it is known what is there: `old`, or NULL for nothing. */
int item_replace(struct item *item, struct txn *txn, const struct row *old, int64_t *ret_rowid);

/* Bytes that an item takes in database and file, without what the tables take for themselves. */
int64_t item_bytes(const struct item *item);

/* Point in time from a duration and a point. Fails: INVALID (NaN). */
int entry_expiry(double expire, double expire_at, double now, double *ret_time);

/* Of a row with a file, if the flags ask for its value: read it, for entry_fill(), and see that it is what
 * was stored; or, with DCACHE_AS_FD or _FILE_AS_FD, open it; else -1. It has to be there in any case. Fails: NOT_FOUND
 * (`row->damaged`: it is there, but not as it was written; that is counted). */
int entry_open_file(struct store *store, struct row *row, unsigned flags, int *ret_fd);

/* Whether the row's value can be had. */
int entry_check_file(struct store *store, const struct row *row);

/* Turn a row and its open file (-1: none) into an entry. Both are taken, in any case. */
int entry_fill(struct row *row, int fd, unsigned flags, struct dcache_entry *ret_entry);

/* Remove a row, commit, and hand it back; row and file are taken in any case. What cannot be handed
 * back stays: the value is read before the commit. */
int entry_take(struct txn *txn, struct row *row, int fd, unsigned flags,
               struct dcache_entry *ret_entry);

/* An entry of what is perhaps not stored, with copies of key and value (no streams). */
int entry_copy(const struct dcache_value *key, const struct dcache_value *value, double expire_time,
               struct dcache_entry *ret_entry);

void entry_init(struct dcache_entry *entry);

#endif
