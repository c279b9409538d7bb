/* bulk.c - many keys in one transaction or one snapshot. */
#include "entry.h"
#include "evict.h"

#include <stdlib.h>

/* ---- get_many ---- */

/* In a read transaction: all rows of one moment. Then the files, which may be gone by then; such a
 * key is looked up once more, by itself. */
static int read_rows(struct dcache *cache, const struct dcache_value *keys, size_t count,
                     struct row *rows, struct dcache_entry *entries)
{
    struct db *db;
    int rc = txn_snapshot_begin(cache, &db);

    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct item item = {0};

        rc = item_key(&item, cache->store, &keys[i]);
        if (rc == 0)
            rc = row_get(db, &item.row.key, item.row.raw, &rows[i]);
        if (rc == 0 && !row_is_live(&rows[i]))
            rc = DCACHE_NOT_FOUND;
        entries[i].status = rc;
        if (rc == DCACHE_NOT_FOUND)
            rc = 0;
    }
    txn_snapshot_end(cache, db);
    return rc;
}

static int fill_entry(struct dcache *cache, const struct dcache_value *key,
                      const struct dcache_get_options *options, struct row *row,
                      struct dcache_entry *entry, bool *ret_again)
{
    int fd, rc = entry_open_file(cache->store, row, options->flags, &fd);

    *ret_again = rc == DCACHE_NOT_FOUND;
    if (rc == 0)
        rc = entry_fill(row, fd, options->flags, entry);
    else if (*ret_again)
        rc = dcache_get(cache, key, options, entry);
    entry->status = rc;
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int dcache_get_many(dcache *cache, const struct dcache_value *keys, size_t count,
                    const struct dcache_get_options *given, struct dcache_entry *ret_entries)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct row *rows;
    uint64_t hits = 0, noted = 0;
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        entry_init(&ret_entries[i]);
    rows = os_calloc(count, sizeof *rows);
    if (!rows)
        return DCACHE_NOMEM;
    rc = read_rows(cache, keys, count, rows, ret_entries);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (ret_entries[i].status == 0) {
            int64_t rowid = rows[i].rowid;
            bool again = false;

            rc = fill_entry(cache, &keys[i], &options, &rows[i], &ret_entries[i], &again);
            noted += again; /* by dcache_get() */
            if (rc == 0 && ret_entries[i].status == 0 && !again) {
                hits++;
                if (cache->store->settings.policy >= POLICY_USED) /* no room: not noted */
                    (void)shared_note_access(&cache->store->shared, rowid, os_now());
            }
        }
    if (rc == 0 && cache->store->settings.statistics) {
        atomic_fetch_add(&cache->store->shared.segment->hits, hits);
        atomic_fetch_add(&cache->store->shared.segment->misses, count - hits - noted);
    }
    for (size_t i = 0; i < count; i++)
        row_clear(&rows[i]);
    free(rows);
    return rc;
}

/* ---- set_many ---- */

int dcache_set_many(dcache *cache, const struct dcache_value *keys,
                    const struct dcache_value *values, size_t count,
                    const struct dcache_set_options *given)
{
    ENTRY_OPTIONS(struct dcache_set_options, options, given);
    struct txn txn = txn_new(cache);
    struct item *items = os_calloc(count, sizeof *items);
    int64_t *rowids = os_calloc(count, sizeof *rowids), bytes = 0;
    int rc = items && rowids ? 0 : DCACHE_NOMEM;
    size_t taken = 0;

    for (; rc == 0 && taken < count; taken++) {
        rc = item_value(&items[taken], &txn, &values[taken], &options);
        if (rc == 0)
            rc = item_key(&items[taken], cache->store, &keys[taken]);
    }
    if (rc < 0)
        item_adopt_files(&txn, values, taken, count);
    else
        rc = txn_begin(&txn);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = options.flags & DCACHE_KEEP_EXPIRE
                 ? item_store_after_look(&items[i], &txn, options.flags, false, &rowids[i])
                 : item_store(&items[i], &txn, &rowids[i]);
        bytes += item_bytes(&items[i]);
    }
    if (rc == 0)
        rc = evict_some(&txn, rowids, count, bytes);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    free(items);
    free(rowids);
    return rc;
}

/* ---- delete_many ---- */

static int delete_one(struct txn *txn, const struct dcache_value *key, int64_t *deleted)
{
    struct item item = {0};
    struct row row = {0};
    int rc = item_key(&item, txn->cache->store, key);

    if (rc == 0)
        rc = row_find(txn->db, &item.row.key, item.row.raw, &row);
    if (rc == 0 && row_is_live(&row)) {
        rc = entry_check_file(txn->cache->store, &row); /* without a file it was not there */
        *deleted += rc == 0;
        if (rc == 0 || rc == DCACHE_NOT_FOUND)
            rc = txn_drop(txn, row.rowid, row.size, row.filename);
    }
    row_clear(&row);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int dcache_delete_many(dcache *cache, const struct dcache_value *keys, size_t count,
                       int64_t *ret_deleted)
{
    struct txn txn = txn_new(cache);
    int64_t deleted = 0;
    int rc = txn_begin(&txn);

    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = delete_one(&txn, &keys[i], &deleted);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    if (rc == 0 && ret_deleted)
        *ret_deleted = deleted;
    return rc;
}
