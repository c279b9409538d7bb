/* bulk.c - many keys in one transaction or one snapshot; of a fanout, in one of each shard. */
#include "entry.h"
#include "evict.h"
#include "route.h"

#include <stdlib.h>

/* ---- get_many ---- */

/* In a read transaction: all rows of one moment. Then the files, which may be gone by then; such a
 * key is looked up once more, by itself. */
static int read_rows(struct dcache *cache, const struct dcache_value *keys, const size_t *picked,
                     size_t count, struct row *rows, struct dcache_entry *entries)
{
    struct db *db;
    int rc = txn_snapshot_begin(cache, &db);

    if (rc < 0)
        return rc;
    for (size_t n = 0; rc == 0 && n < count; n++) {
        struct item item = {0};
        size_t i = picked[n];

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

/* What is not where it was looked for is looked up once more, by itself: a file that is gone, or a
 * number that another shard may have. */
static int fill_entry(struct dcache *cache, struct dcache *part, const struct dcache_value *key,
                      const struct dcache_get_options *options, struct row *row,
                      struct dcache_entry *entry, bool *ret_again)
{
    struct dcache *places[ROUTE_PLACES];
    int fd, rc = entry->status;

    if (rc == 0)
        rc = entry_open_file(part->store, row, options->flags, &fd);
    else
        *ret_again = route_read(cache, key, places) > 1;
    if (rc == 0)
        rc = entry_fill(row, fd, options->flags, entry);
    else if (rc == DCACHE_NOT_FOUND)
        *ret_again |= entry->status == 0 && !row->damaged;
    if (*ret_again)
        rc = dcache_get(cache, key, options, entry);
    entry->status = rc;
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* The keys of one part; `rows` has room for all, and is left empty. */
static int get_part(struct dcache *cache, struct dcache *part, const struct dcache_value *keys,
                    const size_t *picked, size_t count, const struct dcache_get_options *options,
                    struct row *rows, struct dcache_entry *ret_entries)
{
    uint64_t hits = 0, noted = 0;
    int rc = read_rows(part, keys, picked, count, rows, ret_entries);

    for (size_t n = 0; rc == 0 && n < count; n++) {
        size_t i = picked[n];
        int64_t rowid = rows[i].rowid;
        bool again = false;

        rc = fill_entry(cache, part, &keys[i], options, &rows[i], &ret_entries[i], &again);
        noted += again; /* by dcache_get() */
        if (rc == 0 && ret_entries[i].status == 0 && !again) {
            hits++;
            if (part->store->settings.policy >= POLICY_USED) /* no room: not noted */
                (void)shared_note_access(&part->store->shared, rowid, os_now(), 1);
        }
    }
    if (rc == 0 && part->store->settings.statistics) {
        atomic_fetch_add(&part->store->shared.segment->hits, hits);
        atomic_fetch_add(&part->store->shared.segment->misses, count - hits - noted);
    }
    for (size_t n = 0; n < count; n++)
        row_clear(&rows[picked[n]]);
    return rc;
}

int dcache_get_many(dcache *cache, const struct dcache_value *keys, size_t count,
                    const struct dcache_get_options *given, struct dcache_entry *ret_entries)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct route_groups groups = {0};
    struct row *rows;
    int rc;

    for (size_t i = 0; i < count; i++)
        entry_init(&ret_entries[i]);
    rows = os_calloc(count, sizeof *rows);
    rc = rows ? route_group(cache, keys, count, &groups) : DCACHE_NOMEM;
    for (size_t p = 0; rc == 0 && p < cache_parts(cache); p++) {
        size_t from = groups.start[p], to = groups.start[p + 1];

        if (to > from)
            rc = get_part(cache, cache_part(cache, p), keys, groups.order + from, to - from,
                          &options, rows, ret_entries);
    }
    route_free(&groups);
    free(rows);
    return rc;
}

/* ---- a transaction in each part ---- */

struct bulk {
    struct dcache *cache;
    size_t parts;
    struct route_groups groups;
    struct txn *txns; /* of the parts that have keys */
};

static bool is_used(const struct bulk *bulk, size_t part)
{
    return bulk->groups.start[part + 1] > bulk->groups.start[part];
}

static int bulk_open(struct bulk *bulk, struct dcache *cache, const struct dcache_value *keys,
                     size_t count)
{
    int rc;

    memset(bulk, 0, sizeof *bulk);
    bulk->cache = cache;
    bulk->parts = cache_parts(cache);
    bulk->txns = os_calloc(bulk->parts, sizeof *bulk->txns);
    rc = bulk->txns ? route_group(cache, keys, count, &bulk->groups) : DCACHE_NOMEM;
    for (size_t p = 0; rc == 0 && p < bulk->parts; p++)
        bulk->txns[p] = txn_new(cache_part(cache, p));
    return rc;
}

/* In the order of the parts, as everybody does it: so nobody waits in a circle. */
static int bulk_begin(struct bulk *bulk)
{
    int rc = 0;

    for (size_t p = 0; rc == 0 && p < bulk->parts; p++)
        if (is_used(bulk, p))
            rc = txn_begin(&bulk->txns[p]);
    return rc;
}

static int bulk_commit(struct bulk *bulk)
{
    int rc = 0;

    for (size_t p = 0; rc == 0 && p < bulk->parts; p++)
        if (is_used(bulk, p))
            rc = txn_commit(&bulk->txns[p]);
    return rc;
}

static void bulk_close(struct bulk *bulk)
{
    for (size_t p = bulk->parts; bulk->groups.start && p-- > 0;)
        txn_end(&bulk->txns[p]);
    route_free(&bulk->groups);
    free(bulk->txns);
}

/* ---- set_many ---- */

/* The files of stored values that were not reached: they are the cache's to remove, too. */
static void remove_files(struct dcache *cache, const struct dcache_value *keys,
                         const struct dcache_value *values, size_t from, size_t count)
{
    for (size_t i = from; i < count; i++) {
        struct txn txn = txn_new(route_home(cache, &keys[i]));

        item_adopt_files(&txn, values, i, i + 1);
        txn_end(&txn);
    }
}

static int set_part(struct txn *txn, struct item *items, const size_t *picked, size_t count,
                    unsigned flags, int64_t *rowids)
{
    int64_t bytes = 0;
    int rc = 0;

    for (size_t n = 0; rc == 0 && n < count; n++) {
        struct item *item = &items[picked[n]];

        rc = flags & DCACHE_KEEP_EXPIRE ? item_store_after_look(item, txn, flags, false, &rowids[n])
                                        : item_store(item, txn, &rowids[n]);
        bytes += item_bytes(item);
    }
    return rc < 0 ? rc : evict_some(txn, rowids, count, bytes);
}

int dcache_set_many(dcache *cache, const struct dcache_value *keys,
                    const struct dcache_value *values, size_t count,
                    const struct dcache_set_options *given)
{
    ENTRY_OPTIONS(struct dcache_set_options, options, given);
    struct item *items = os_calloc(count, sizeof *items);
    int64_t *rowids = os_calloc(count, sizeof *rowids);
    struct bulk bulk;
    int rc = bulk_open(&bulk, cache, keys, count);
    size_t taken = 0;

    if (!items || !rowids)
        rc = DCACHE_NOMEM;
    for (; rc == 0 && taken < count; taken++) {
        struct txn *txn = &bulk.txns[route_number(cache, &keys[taken])];
        struct dcache *home;

        rc = item_value(&items[taken], txn, &values[taken], &options);
        if (rc == 0)
            rc = item_key(&items[taken], txn->cache->store, &keys[taken]);
        if (rc == 0)
            rc = route_write(cache, &keys[taken], &home);
    }
    if (rc < 0)
        remove_files(cache, keys, values, taken, count);
    else
        rc = bulk_begin(&bulk);
    for (size_t p = 0; rc == 0 && p < bulk.parts; p++) {
        size_t from = bulk.groups.start[p], to = bulk.groups.start[p + 1];

        if (to > from)
            rc = set_part(&bulk.txns[p], items, bulk.groups.order + from, to - from, options.flags,
                          rowids + from);
    }
    if (rc == 0)
        rc = bulk_commit(&bulk);
    bulk_close(&bulk);
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
    struct bulk bulk;
    int64_t deleted = 0;
    int rc = bulk_open(&bulk, cache, keys, count);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct dcache *home;

        rc = route_write(cache, &keys[i], &home);
    }
    if (rc == 0)
        rc = bulk_begin(&bulk);
    for (size_t p = 0; rc == 0 && p < bulk.parts; p++)
        for (size_t n = bulk.groups.start[p]; rc == 0 && n < bulk.groups.start[p + 1]; n++)
            rc = delete_one(&bulk.txns[p], &keys[bulk.groups.order[n]], &deleted);
    if (rc == 0)
        rc = bulk_commit(&bulk);
    bulk_close(&bulk);
    if (rc == 0 && ret_deleted)
        *ret_deleted = deleted;
    return rc;
}
