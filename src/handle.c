/* handle.c - what a `dcache *` is: open, close, settings, begin, commit, rollback. */
#include "entry.h"

#include <stdlib.h>

#define DEFAULT_TIMEOUT 60.0

static int new_handle(struct dcache **ret_handle)
{
    struct dcache *handle = os_calloc(1, sizeof *handle);

    if (!handle)
        return DCACHE_NOMEM;
    pthread_mutex_init(&handle->mutex, NULL); /* cannot fail with glibc */
    *ret_handle = handle;
    return 0;
}

static void free_handle(struct dcache *handle)
{
    pthread_mutex_destroy(&handle->mutex);
    free(handle->scope);
    free(handle);
}

/* ---- open and close ---- */

int dcache_open(const char *directory, const struct dcache_open_options *given, dcache **ret_cache)
{
    ENTRY_OPTIONS(struct dcache_open_options, options, given);
    struct dcache *cache = NULL;
    int rc = 0;

    if (!directory || !*directory)
        return os_fail(DCACHE_INVALID, "the directory has no name");
    if (isnan(options.timeout))
        return os_fail(DCACHE_INVALID, "a timeout cannot be NaN");
    for (size_t i = 0; rc == 0 && i < options.settings_count; i++)
        rc = settings_check(options.settings[i].name, &options.settings[i].value);
    if (rc == 0)
        rc = new_handle(&cache);
    if (rc < 0)
        return rc;
    if (options.timeout == 0)
        options.timeout = DEFAULT_TIMEOUT;
    cache->timeout = options.timeout < 0 ? 0 : options.timeout;
    rc = store_open(directory, &options, &cache->store);
    if (rc < 0)
        free_handle(cache);
    else
        *ret_cache = cache;
    return rc;
}

/* What readers have noted goes to the database with the handle. Of those who close at the same
 * moment each waits for the other, or the segment would go with the notes in it. */
static void flush_notes(struct dcache *cache)
{
    struct txn txn = txn_new(cache);
    struct shared_segment *segment;

    if (cache->store->read_only || store_enter(cache->store) < 0)
        return;
    segment = cache->store->shared.segment;
    if (atomic_load(&segment->accesses) == 0 &&
        atomic_load(&segment->hits) + atomic_load(&segment->misses) == 0)
        return;
    txn.deadline = os_deadline(cache->timeout < 1 ? cache->timeout : 1);
    if (txn_begin(&txn) == 0 && txn_flush_accesses(&txn) == 0 && txn_flush_statistics(&txn) == 0)
        (void)txn_commit(&txn); /* statistics: nothing that a caller was promised */
    txn_end(&txn);
}

void dcache_close(dcache *cache)
{
    if (!cache)
        return;
    if (cache->scope) {
        dcache_rollback(cache);
        return;
    }
    flush_notes(cache);
    store_close(cache->store);
    free_handle(cache);
}

const char *dcache_directory(const dcache *cache)
{
    return cache->store->path;
}

int dcache_is_read_only(const dcache *cache)
{
    return cache->store->read_only;
}

/* ---- transactions ---- */

static void init_scope(struct dcache *handle, struct dcache *parent, double timeout)
{
    handle->store = parent->store;
    handle->timeout = timeout < 0 ? parent->timeout : timeout;
    handle->parent = parent;
    handle->root = parent->scope ? parent->root : handle;
    handle->fork_generation = atomic_load(&parent->store->fork_generation);
    /* The scope outlives this call: it belongs to the handle, and is in the parent's scope. */
    *handle->scope = txn_new(parent);
    handle->scope->deadline = os_deadline(handle->timeout);
}

int dcache_begin(dcache *cache, double timeout, dcache **ret_txn)
{
    struct dcache *handle = NULL;
    int rc = isnan(timeout) ? os_fail(DCACHE_INVALID, "a timeout cannot be NaN")
                            : store_enter(cache->store);

    if (rc == 0)
        rc = new_handle(&handle);
    if (rc < 0)
        return rc;
    handle->scope = os_calloc(1, sizeof *handle->scope);
    if (!handle->scope) {
        free_handle(handle);
        return DCACHE_NOMEM;
    }
    init_scope(handle, cache, timeout);
    if (cache->scope)
        pthread_mutex_lock(&cache->root->mutex);
    rc = txn_start(handle->scope);
    if (rc == 0 && cache->scope)
        cache->child = handle;
    else if (rc == 0)
        atomic_store(&cache->store->owner, store_thread());
    if (cache->scope)
        pthread_mutex_unlock(&cache->root->mutex);
    if (rc < 0)
        free_handle(handle);
    else
        *ret_txn = handle;
    return rc;
}

/* The lists of a forked transaction name the parent's files: forget them, touch nothing. */
static void forget(struct txn *txn)
{
    for (size_t i = 0; i < txn->made_count; i++)
        free(txn->made[i].other);
    for (size_t i = 0; i < txn->dropped_count; i++)
        free(txn->dropped[i]);
    free(txn->made);
    free(txn->dropped);
}

static bool is_forked(struct dcache *txn)
{
    return store_is_stale(txn->store) ||
           txn->fork_generation != atomic_load(&txn->store->fork_generation);
}

/* Undo the inner transactions, the innermost first; their handles are left on their own, ABORTED. */
static void orphan(struct dcache *txn)
{
    if (!txn)
        return;
    orphan(txn->child);
    txn_undo(txn->scope);
    txn_end(txn->scope);
    txn->scope->outer = NULL;
    txn->scope->db = NULL;
    txn->scope->aborted = true; /* T5 */
    txn->root = txn;
    txn->parent = txn->child = NULL;
    txn->orphaned = true;
}

static int end(struct dcache *txn, bool commit)
{
    struct dcache *root = txn->root;
    bool outermost = root == txn;
    int rc = 0;

    if (txn->orphaned) {
        free_handle(txn);
        return os_fail(DCACHE_ABORTED, "the outer transaction was rolled back");
    }
    if (commit && txn->child)
        return os_fail(DCACHE_INVALID, "an inner transaction is open");
    pthread_mutex_lock(&root->mutex);
    orphan(txn->child);
    txn->child = NULL;
    /* Before the lock goes: another thread may have it the moment after. */
    if (outermost)
        atomic_store(&txn->store->owner, 0);
    /* Single operations look when they begin; a transaction may have been open for hours. */
    if (commit && outermost && db_has_moved(txn->scope->db))
        rc = os_fail(DCACHE_GONE, "the cache directory was removed: %s", txn->store->path);
    else if (commit)
        rc = txn_finish(txn->scope);
    if (txn->scope->open)
        txn_undo(txn->scope);
    txn_end(txn->scope);
    if (!outermost)
        txn->parent->child = NULL;
    pthread_mutex_unlock(&root->mutex);
    free_handle(txn);
    return rc;
}

int dcache_commit(dcache *txn)
{
    if (!txn || !txn->scope)
        return os_fail(DCACHE_INVALID, "not a transaction");
    if (is_forked(txn)) {
        forget(txn->scope);
        free_handle(txn);
        return os_fail(DCACHE_FORKED, "the transaction belongs to the parent process");
    }
    return end(txn, true);
}

void dcache_rollback(dcache *txn)
{
    if (!txn || !txn->scope)
        return;
    if (is_forked(txn)) {
        forget(txn->scope);
        free_handle(txn);
        return;
    }
    (void)end(txn, false);
}

/* ---- settings ---- */

int dcache_setting_get(dcache *cache, const char *name, struct dcache_value *ret_value)
{
    struct db *db;
    int rc;

    *ret_value = dcache_none();
    if (!name)
        return os_fail(DCACHE_INVALID, "the setting has no name");
    rc = txn_read_begin(cache, &db);
    if (rc < 0)
        return rc;
    rc = settings_get(db, name, ret_value);
    txn_read_end(cache, db);
    return rc;
}

/* The journal can be changed only while no connection uses it, and outside a transaction. */
static int change_journal(struct dcache *cache, const struct settings *wanted)
{
    struct store *store = cache->store;
    struct db *db;
    int rc;

    if (cache->scope)
        return os_fail(DCACHE_INVALID, "the journal mode cannot change in a transaction");
    if (store_owned_here(store))
        return os_fail(DCACHE_TIMEOUT, "this thread has a transaction open");
    rc = shared_lock(&store->shared, os_deadline(cache->timeout));
    if (rc < 0)
        return rc;
    store_settings_changed(store, true);
    rc = store_borrow(store, os_deadline(cache->timeout), &db);
    if (rc == 0) {
        rc = schema_prepare(db, wanted, store->use_shared);
        store_return(store, db);
    }
    shared_unlock(&store->shared);
    return rc;
}

int dcache_setting_set(dcache *cache, const char *name, const struct dcache_value *value)
{
    struct txn txn = txn_new(cache);
    struct settings wanted;
    int rc = name && value ? settings_check(name, value)
                           : os_fail(DCACHE_INVALID, "a setting needs a name and a value");

    if (rc == 0)
        rc = store_enter(cache->store);
    if (rc < 0)
        return rc;
    settings_copy(&wanted, &cache->store->settings);
    settings_apply(&wanted, name, value);
    if (cache->store->read_only)
        return os_fail(DCACHE_READONLY, "the cache is read-only");
    if (wanted.journal != cache->store->settings.journal)
        rc = change_journal(cache, &wanted);
    if (rc == 0)
        rc = txn_begin(&txn);
    if (rc == 0)
        rc = settings_put(txn.db, name, value);
    if (rc == 0 && strcmp(name, "tag_index") == 0)
        rc = schema_tag_index(txn.db, &wanted);
    txn.settings_changed = true; /* that is announced after COMMIT */
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    if (rc == 0 && !cache->scope && strncmp(name, "sqlite_", 7) == 0)
        store_settings_changed(cache->store, true);
    return rc;
}

int dcache_settings(dcache *cache, struct dcache_setting **ret_settings, size_t *ret_count)
{
    struct db *db;
    int rc = txn_read_begin(cache, &db);

    if (rc < 0)
        return rc;
    rc = settings_list(db, ret_settings, ret_count);
    txn_read_end(cache, db);
    return rc;
}
