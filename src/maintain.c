/* maintain.c - the cache as a whole: clear, count, volume, statistics, compaction. */
#include "check.h"
#include "entry.h"
#include "evict.h"

#include <stdlib.h>

int dcache_clear(dcache *cache, int64_t *ret_removed)
{
    int rc = evict_everything(cache, ret_removed);

    /* In a transaction, files of rows that are gone have to stay until it commits. */
    for (size_t i = 0; rc == 0 && i < cache_parts(cache) && !cache_part(cache, i)->scope; i++)
        rc = check_sweep(cache_part(cache, i));
    return rc;
}

int dcache_count(dcache *cache, int64_t *ret_count)
{
    int64_t total = 0, count, size;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++) {
        struct dcache *part = cache_part(cache, i);
        struct db *db;

        rc = txn_read_begin(part, &db);
        if (rc < 0)
            return rc;
        rc = txn_counters(part->scope, db, &count, &size);
        txn_read_end(part, db);
        total = os_plus(total, rc == 0 ? count : 0);
    }
    if (rc == 0)
        *ret_count = total;
    return rc;
}

int dcache_volume(dcache *cache, int64_t *ret_bytes)
{
    int64_t total = 0, count, size, bytes;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++) {
        struct dcache *part = cache_part(cache, i);
        struct db *db;

        rc = txn_read_begin(part, &db);
        if (rc < 0)
            return rc;
        rc = evict_db_bytes(db, &bytes);
        if (rc == 0)
            rc = txn_counters(part->scope, db, &count, &size);
        txn_read_end(part, db);
        total = os_plus(total, rc == 0 ? os_plus(bytes, size) : 0);
    }
    if (rc == 0)
        *ret_bytes = total;
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
        rc = settings_counter(db, "timeouts", &stats->timeouts);
    if (rc == 0)
        rc = settings_counter(db, "damaged", &stats->damaged);
    if (rc == 0)
        rc = txn_counters(cache->scope, db, &stats->count, &stats->file_bytes);
    if (rc == 0)
        rc = row_count_expired(db, os_now(), &stats->expired);
    if (rc == 0)
        rc = evict_db_bytes(db, &stats->db_bytes);
    stats->hits = os_plus(stats->hits, (int64_t)atomic_load(&segment->hits));
    stats->misses = os_plus(stats->misses, (int64_t)atomic_load(&segment->misses));
    stats->timeouts = os_plus(stats->timeouts, (int64_t)atomic_load(&segment->timeouts));
    stats->damaged = os_plus(stats->damaged, (int64_t)atomic_load(&segment->damaged));
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
        rc = settings_counter_set(txn.db, "timeouts", 0);
    if (rc == 0)
        rc = settings_counter_set(txn.db, "damaged", 0);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    return rc;
}

static int stats_of(dcache *part, int reset, struct dcache_stats *stats)
{
    struct db *db;
    int rc;

    if (reset)
        return reset_stats(part, stats);
    rc = txn_read_begin(part, &db);
    if (rc < 0)
        return rc;
    rc = read_stats(part, db, stats);
    txn_read_end(part, db);
    return rc;
}

static void add_stats(struct dcache_stats *total, const struct dcache_stats *stats)
{
    total->hits = os_plus(total->hits, stats->hits);
    total->misses = os_plus(total->misses, stats->misses);
    total->evictions = os_plus(total->evictions, stats->evictions);
    total->count = os_plus(total->count, stats->count);
    total->expired = os_plus(total->expired, stats->expired);
    total->file_bytes = os_plus(total->file_bytes, stats->file_bytes);
    total->db_bytes = os_plus(total->db_bytes, stats->db_bytes);
    total->wal_bytes = os_plus(total->wal_bytes, stats->wal_bytes);
    total->timeouts = os_plus(total->timeouts, stats->timeouts);
    total->damaged = os_plus(total->damaged, stats->damaged);
}

int dcache_stats(dcache *cache, int reset, struct dcache_stats *ret_stats)
{
    struct dcache_stats total = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++) {
        struct dcache_stats stats = {0};

        rc = stats_of(cache_part(cache, i), reset, &stats);
        if (rc == 0)
            add_stats(&total, &stats);
    }
    if (rc == 0)
        *ret_stats = total;
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

static int compact(dcache *cache)
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
        rc = os_fail_deadlock();
    if (rc == 0)
        rc = shared_lock(&store->shared, deadline);
    if (rc < 0)
        return rc;
    rc = store_borrow(store, deadline, &db);
    if (rc == 0) {
        rc = vacuum(store, db);
        memtable_own_commit(&store->shared, db_commits(db));
        store_return(store, db);
    }
    shared_unlock(&store->shared);
    return rc;
}

int dcache_compact(dcache *cache)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++)
        rc = compact(cache_part(cache, i));
    return rc;
}

static size_t count_left(struct dcache *part)
{
    size_t count = 0;

    for (struct left_batch *batch = part->left; batch; batch = batch->next)
        count += batch->count;
    return count;
}

/* All that a part has, oldest first, behind `*count` others. */
static int take_left(struct dcache *part, int shard, struct dcache_left **left, size_t *count)
{
    struct left_batch *batch;
    size_t more, at;
    struct dcache_left *grown;

    pthread_mutex_lock(&part->mutex);
    more = count_left(part);
    grown = more > 0 ? os_realloc(*left, (*count + more) * sizeof *grown) : *left;
    if (more > 0 && !grown) {
        pthread_mutex_unlock(&part->mutex);
        return DCACHE_NOMEM;
    }
    *left = grown;
    *count += more;
    for (at = *count, batch = part->left; batch; batch = batch->next) {
        at -= batch->count;
        for (size_t i = 0; i < batch->count; i++) {
            grown[at + i] = batch->items[i];
            grown[at + i].shard = shard;
        }
        batch->count = 0; /* they have gone over */
    }
    left_free(part->left);
    part->left = NULL;
    pthread_mutex_unlock(&part->mutex);
    return 0;
}

int dcache_take_left(dcache *cache, struct dcache_left **ret_left, size_t *ret_count)
{
    struct dcache_left *left = NULL;
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++)
        if (!cache_part(cache, i)->scope)
            rc = take_left(cache_part(cache, i), (int)i, &left, &count);
    if (rc < 0 && count == 0)
        return rc;
    *ret_left = left; /* what there is memory for; the rest is for the next time */
    *ret_count = count;
    return 0;
}

int dcache_remove_file(dcache *cache, const char *filename)
{
    if (cache->shard_count > 0)
        return os_fail(DCACHE_INVALID, "which shard has the file? see dcache_shard_for()");
    if (!filename || !file_is_inside(filename))
        return os_fail(DCACHE_INVALID, "not a file of the cache");
    return file_remove(&cache->store->files, filename);
}
