/* read.c - connections for who reads. See read.h. */
#include "read.h"

static int read_in_scope(struct dcache *cache, struct db **ret_db)
{
    int rc;

    if (cache->fork_generation != atomic_load(&cache->store->fork_generation))
        return os_fail(DCACHE_FORKED, "the transaction belongs to the parent process");
    pthread_mutex_lock(&cache->root->mutex);
    if (cache->child || txn_is_aborted(cache->scope)) {
        pthread_mutex_unlock(&cache->root->mutex);
        return cache->child
                   ? os_fail(DCACHE_INVALID, "an inner transaction is open")
                   : os_fail(DCACHE_ABORTED, "the transaction was rolled back by an earlier error");
    }
    rc = txn_group(cache->scope) ? txn_carry(cache->scope, os_deadline(cache->timeout)) : 0;
    if (rc < 0)
        pthread_mutex_unlock(&cache->root->mutex);
    *ret_db = cache->scope->db;
    return rc;
}

int txn_read_begin(struct dcache *cache, struct db **ret_db)
{
    int rc = store_enter(cache->store);

    if (rc == 0 && !cache->scope)
        rc = drain_wait(cache->store, os_deadline(cache->timeout));
    return rc < 0 ? rc : txn_lookup_begin(cache, ret_db);
}

int txn_lookup_begin(struct dcache *cache, struct db **ret_db)
{
    int rc = store_enter(cache->store);

    if (rc < 0)
        return rc;
    if (cache->scope)
        return read_in_scope(cache, ret_db);
    rc = store_borrow_reader(cache->store, os_deadline(cache->timeout), ret_db);
    if (rc == 0 &&
        atomic_load(&cache->store->watch.rescued)) { /* the directory has just been made anew */
        store_return(cache->store, *ret_db);
        rc = drain_wait(cache->store, os_deadline(cache->timeout));
        if (rc == 0)
            rc = store_borrow_reader(cache->store, os_deadline(cache->timeout), ret_db);
    }
    if (rc == 0) {
        rc = store_refresh_settings(cache->store, *ret_db);
        if (rc < 0)
            store_return(cache->store, *ret_db);
    }
    return rc;
}

void txn_read_end(struct dcache *cache, struct db *db)
{
    if (cache->scope)
        pthread_mutex_unlock(&cache->root->mutex);
    else
        store_return(cache->store, db);
}

int txn_snapshot_begin(struct dcache *cache, struct db **ret_db)
{
    int rc = txn_read_begin(cache, ret_db);

    if (rc < 0 || cache->scope)
        return rc;
    rc = db_exec(*ret_db, "BEGIN");
    if (rc < 0)
        txn_read_end(cache, *ret_db);
    return rc;
}

void txn_snapshot_end(struct dcache *cache, struct db *db)
{
    if (!cache->scope && !sqlite3_get_autocommit(db->handle) && db_exec(db, "COMMIT") < 0)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    txn_read_end(cache, db);
}
