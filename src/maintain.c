/* maintain.c - the cache as a whole: clear, count, volume, statistics, compaction. */
#include "check.h"
#include "entry.h"
#include "evict.h"

#include <stdlib.h>

int dcache_clear(dcache *cache, int64_t *ret_removed)
{
    int rc = evict_everything(cache, ret_removed);

    /* In a transaction, files of rows that are gone have to stay until it commits. */
    return rc < 0 || cache->scope ? rc : check_sweep(cache);
}

int dcache_count(dcache *cache, int64_t *ret_count)
{
    int64_t size;
    struct db *db;
    int rc = txn_read_begin(cache, &db);

    if (rc < 0)
        return rc;
    rc = txn_counters(cache->scope, db, ret_count, &size);
    txn_read_end(cache, db);
    return rc;
}

int dcache_volume(dcache *cache, int64_t *ret_bytes)
{
    int64_t count, size, bytes;
    struct db *db;
    int rc = txn_read_begin(cache, &db);

    if (rc < 0)
        return rc;
    rc = evict_db_bytes(db, &bytes);
    if (rc == 0)
        rc = txn_counters(cache->scope, db, &count, &size);
    txn_read_end(cache, db);
    if (rc == 0)
        *ret_bytes = bytes + size;
    return rc;
}

/* ---- statistics ---- */

static int read_stats(dcache *cache, struct db *db, struct dcache_stats *stats)
{
    struct shared_segment *segment = cache->store->shared.segment;
    struct stat log;
    int rc = settings_counter(db, "hits", &stats->hits);

    if (rc == 0)
        rc = settings_counter(db, "misses", &stats->misses);
    if (rc == 0)
        rc = settings_counter(db, "evictions", &stats->evictions);
    if (rc == 0)
        rc = txn_counters(cache->scope, db, &stats->count, &stats->file_bytes);
    if (rc == 0)
        rc = row_count_expired(db, os_now(), &stats->expired);
    if (rc == 0)
        rc = evict_db_bytes(db, &stats->db_bytes);
    stats->hits += (int64_t)atomic_load(&segment->hits);
    stats->misses += (int64_t)atomic_load(&segment->misses);
    if (rc == 0 && os_fstatat(cache->store->files.dir, DB_NAME "-wal", &log) == 0)
        stats->wal_bytes = log.st_size;
    return rc;
}

static int reset_stats(dcache *cache, struct dcache_stats *stats)
{
    struct txn txn = txn_new(cache);
    int rc = txn_begin(&txn);

    if (rc == 0)
        rc = txn_flush_statistics(&txn);
    if (rc == 0)
        rc = read_stats(cache, txn.db, stats); /* what is forgotten is what was handed back */
    if (rc == 0)
        rc = settings_counter_set(txn.db, "hits", 0);
    if (rc == 0)
        rc = settings_counter_set(txn.db, "misses", 0);
    if (rc == 0)
        rc = settings_counter_set(txn.db, "evictions", 0);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    return rc;
}

int dcache_stats(dcache *cache, int reset, struct dcache_stats *ret_stats)
{
    struct dcache_stats stats = {0};
    struct db *db;
    int rc;

    if (reset) {
        rc = reset_stats(cache, &stats);
    } else {
        rc = txn_read_begin(cache, &db);
        if (rc < 0)
            return rc;
        rc = read_stats(cache, db, &stats);
        txn_read_end(cache, db);
    }
    if (rc == 0)
        *ret_stats = stats;
    return rc;
}

/* ---- compaction ---- */

static int vacuum(struct store *store, struct db *db)
{
    char *text = os_format("PRAGMA auto_vacuum = %lld; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
                           (long long)store->settings.auto_vacuum);
    int rc = text ? db_exec(db, text) : DCACHE_NOMEM;

    free(text);
    return rc;
}

int dcache_compact(dcache *cache)
{
    struct store *store = cache->store;
    int64_t deadline = os_deadline(cache->timeout);
    struct db *db;
    int rc = store_enter(store);

    if (rc == 0 && cache->scope)
        rc = os_fail(DCACHE_INVALID, "not in a transaction");
    if (rc == 0 && store->read_only)
        rc = os_fail(DCACHE_READONLY, "the cache is read-only: %s", store->path);
    if (rc == 0 && store_owned_here(store))
        rc = os_fail(DCACHE_TIMEOUT, "this thread has a transaction open");
    if (rc == 0)
        rc = shared_lock(&store->shared, deadline);
    if (rc < 0)
        return rc;
    rc = store_borrow(store, deadline, &db);
    if (rc == 0) {
        rc = vacuum(store, db);
        store_return(store, db);
    }
    shared_unlock(&store->shared);
    return rc;
}

int dcache_remove_file(dcache *cache, const char *filename)
{
    if (!filename || !file_is_inside(filename))
        return os_fail(DCACHE_INVALID, "not a file of the cache");
    return file_remove(&cache->store->files, filename);
}
