/* handle.c - what a `dcache *` is: open, close, settings, begin, commit, rollback. */
#include "handle.h"
#include "entry.h"
#include "helper.h"
#include "hot.h"

#include <fcntl.h>
#include <stdlib.h>

#define DEFAULT_TIMEOUT 60.0

int handle_new(size_t shards, struct dcache **ret_handle)
{
    struct dcache *handle = os_calloc(1, sizeof *handle);

    if (!handle)
        return DCACHE_NOMEM;
    pthread_mutex_init(&handle->mutex, NULL); /* cannot fail with glibc */
    handle->shard_count = shards;
    if (shards > 0) {
        handle->shards = os_calloc(shards, sizeof(struct dcache *));
        if (!handle->shards) {
            handle_free(handle);
            return DCACHE_NOMEM;
        }
    }
    *ret_handle = handle;
    return 0;
}

void handle_free(struct dcache *handle)
{
    pthread_mutex_destroy(&handle->mutex);
    free(handle->shards);
    free(handle->path);
    free(handle->scope);
    left_free(handle->left);
    free(handle);
}

/* ---- open and close ---- */

static void leave(struct store *store)
{
    if (!store || !store_leave(store))
        return;
    if (!store_is_stale(store)) /* in a child that has not used it, the helper is the parent's */
        helper_stop(store);
    store_free(store);
}

int handle_open(const char *directory, const struct dcache_open_options *given, unsigned shards,
                struct dcache **ret_cache)
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
        rc = handle_new(0, &cache);
    if (rc < 0)
        return rc;
    if (options.timeout == 0)
        options.timeout = DEFAULT_TIMEOUT;
    cache->timeout = options.timeout < 0 ? 0 : options.timeout;
    cache->leave = options.flags & (DCACHE_LEAVE_FILES | DCACHE_NAME_EVICTED);
    rc = store_open(directory, &options, shards, &cache->store);
    if (rc < 0) {
        leave(cache->store);
        handle_free(cache);
        return rc;
    }
    /* What killed processes have left; whoever needs it drained will say so if it cannot be. */
    if (!cache->store->read_only && !store_is_stale(cache->store))
        (void)drain_wait(cache->store, os_monotonic() + 50 * OS_MS);
    *ret_cache = cache;
    return 0;
}

int dcache_open(const char *directory, const struct dcache_open_options *options,
                dcache **ret_cache)
{
    return handle_open(directory, options, 1, ret_cache);
}

/* What readers have noted, and how many writes have timed out, goes to the database with the handle.
 * Of those who close at the same moment each waits for the other, or the segment would go with the
 * notes in it; but where a write has timed out somebody may hold the lock for long. */
static void flush_notes(struct dcache *cache)
{
    struct txn txn = txn_new(cache);
    struct shared_segment *segment;
    double patience = cache->timeout < 1 ? cache->timeout : 1;

    if (cache->store->read_only || store_enter(cache->store) < 0)
        return;
    segment = cache->store->shared.segment;
    if (atomic_load(&segment->accesses) == 0 &&
        atomic_load(&segment->hits) + atomic_load(&segment->misses) == 0) {
        if (atomic_load(&segment->timeouts) + atomic_load(&segment->damaged) == 0)
            return;
        patience = cache->timeout < 0.05 ? cache->timeout : 0.05;
    }
    txn.aside = true;
    txn.patience = os_patience(patience);
    if (txn_begin(&txn) == 0 && txn_flush_accesses(&txn) == 0 && txn_flush_statistics(&txn) == 0)
        (void)txn_commit(&txn); /* statistics: nothing that a caller was promised */
    txn_end(&txn);
}

/* A closed directory is as 5.6.3 would have left it. What cannot be written now waits in the segment for
 * the next who opens the directory. */
static void flush_records(struct dcache *cache)
{
    if (store_enter(cache->store) == 0)
        (void)drain_before_leaving(cache->store,
                                   os_deadline(cache->timeout < 1 ? cache->timeout : 1));
}

static bool is_transaction(const struct dcache *handle)
{
    if (handle->shard_count > 0)
        return handle->shards[0] && handle->shards[0]->scope;
    return handle->scope != NULL;
}

void dcache_close(dcache *cache)
{
    if (!cache)
        return;
    if (is_transaction(cache)) {
        dcache_rollback(cache);
        return;
    }
    for (size_t i = 0; i < cache->shard_count; i++)
        dcache_close(cache->shards[i]);
    if (cache->store) {
        if (!store_is_stale(cache->store)) { /* else nothing was done here */
            flush_records(cache);
            flush_notes(cache);
        }
        for (struct left_batch *batch = cache->left; batch; batch = batch->next)
            for (size_t i = 0; i < batch->count; i++)
                if (batch->items[i].filename) /* what fails is a stray, which check() finds */
                    (void)file_remove(&cache->store->files, batch->items[i].filename);
        leave(cache->store);
    }
    handle_free(cache);
}

const char *dcache_directory(const dcache *cache)
{
    return cache->shard_count > 0 ? cache->path : cache->store->path;
}

int dcache_is_read_only(const dcache *cache)
{
    return cache->shard_count > 0 ? dcache_is_read_only(cache->shards[0]) : cache->store->read_only;
}

/* Of a fanout: who may write to the directory of the shards may put another in the place of one. */
static int others_write_above(const struct dcache *cache, bool *ret_others)
{
    int dir = os_openat(AT_FDCWD, cache->path, O_RDONLY | O_DIRECTORY, 0), rc;

    if (dir < 0)
        return os_fail_errno("open directory %s", cache->path);
    rc = guard_others_write(dir, ret_others);
    os_close(dir);
    return rc;
}

int dcache_others_write(dcache *cache)
{
    bool others = false;
    int rc = 0;

    if (cache->path && !atomic_load(&cache->private_above)) {
        rc = others_write_above(cache, &others);
        atomic_store(&cache->private_above, rc == 0 && !others);
    }
    for (size_t i = 0; rc == 0 && !others && i < cache_parts(cache); i++) {
        rc = store_enter(cache_part(cache, i)->store);
        if (rc == 0)
            rc = store_others_write(cache_part(cache, i)->store, &others);
    }
    return rc < 0 ? rc : others;
}

/* ---- transactions ---- */

static void init_scope(struct dcache *handle, struct dcache *parent, double timeout,
                       int64_t deadline)
{
    handle->store = parent->store;
    handle->timeout = timeout;
    handle->parent = parent;
    handle->root = parent->scope ? parent->root : handle;
    handle->fork_generation = atomic_load(&parent->store->fork_generation);
    /* The scope outlives this call: it belongs to the handle, and is in the parent's scope. */
    *handle->scope = txn_new(parent);
    handle->scope->patience = os_patience_until(deadline);
}

/* In the memtable if that may be, else in SQLite. */
static int begin_scope(struct txn *scope)
{
    int rc = hot_begin(scope);

    return rc == HOT_PASS ? txn_start(scope) : rc;
}

static int begin_one(struct dcache *cache, double timeout, int64_t deadline,
                     struct dcache **ret_txn)
{
    struct dcache *handle = NULL;
    int rc = store_enter(cache->store);

    if (rc == 0)
        rc = handle_new(0, &handle);
    if (rc < 0)
        return rc;
    handle->scope = os_calloc(1, sizeof *handle->scope);
    if (!handle->scope) {
        handle_free(handle);
        return DCACHE_NOMEM;
    }
    init_scope(handle, cache, timeout, deadline);
    if (cache->scope)
        pthread_mutex_lock(&cache->root->mutex);
    rc = begin_scope(handle->scope);
    if (rc == 0 && cache->scope)
        cache->child = handle;
    else if (rc == 0)
        atomic_store(&cache->store->owner, store_thread());
    if (cache->scope)
        pthread_mutex_unlock(&cache->root->mutex);
    if (rc < 0)
        handle_free(handle);
    else
        *ret_txn = handle;
    return rc;
}

/* The locks of the shards in their order, as everybody takes them: so nobody waits in a circle. */
static int begin_shards(struct dcache *cache, double timeout, int64_t deadline,
                        struct dcache **ret_txn)
{
    struct dcache *handle;
    size_t begun = 0;
    int rc = handle_new(cache->shard_count, &handle);

    if (rc < 0)
        return rc;
    handle->path = os_strdup(cache->path);
    if (!handle->path)
        rc = DCACHE_NOMEM;
    for (; rc == 0 && begun < cache->shard_count; begun += rc == 0)
        rc = begin_one(cache->shards[begun], timeout, deadline, &handle->shards[begun]);
    if (rc == 0) {
        *ret_txn = handle;
        return 0;
    }
    while (begun > 0)
        dcache_rollback(handle->shards[--begun]);
    handle_free(handle);
    return rc;
}

int dcache_begin(dcache *cache, double timeout, dcache **ret_txn)
{
    int64_t deadline;

    if (isnan(timeout))
        return os_fail(DCACHE_INVALID, "a timeout cannot be NaN");
    if (timeout < 0)
        timeout = cache_part(cache, 0)->timeout;
    deadline = os_deadline(timeout);
    return cache->shard_count > 0 ? begin_shards(cache, timeout, deadline, ret_txn)
                                  : begin_one(cache, timeout, deadline, ret_txn);
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
    group_free(txn->group);
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

static int finish_scope(struct txn *scope)
{
    int rc = hot_commit(scope);

    return rc == HOT_PASS ? txn_finish(scope) : rc;
}

static int end(struct dcache *txn, bool commit)
{
    struct dcache *root = txn->root;
    bool outermost = root == txn;
    int rc = 0;

    if (txn->orphaned) {
        handle_free(txn);
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
    if (commit && outermost && txn_has_moved(txn->scope))
        rc = os_fail(DCACHE_GONE, "the cache directory was removed: %s", txn->store->path);
    else if (commit)
        rc = finish_scope(txn->scope);
    if (txn->scope->open)
        txn_undo(txn->scope);
    txn_end(txn->scope);
    if (!outermost)
        txn->parent->child = NULL;
    pthread_mutex_unlock(&root->mutex);
    handle_free(txn);
    return rc;
}

/* What can be known before the first of several commits. */
static int may_commit(struct dcache *txn)
{
    int rc = 0;

    if (is_forked(txn))
        return os_fail(DCACHE_FORKED, "the transaction belongs to the parent process");
    pthread_mutex_lock(&txn->root->mutex);
    if (txn->orphaned || txn_is_aborted(txn->scope))
        rc = os_fail(DCACHE_ABORTED, "the transaction was rolled back by an earlier error");
    else if (txn->root == txn && txn_has_moved(txn->scope))
        rc = os_fail(DCACHE_GONE, "the cache directory was removed: %s", txn->store->path);
    pthread_mutex_unlock(&txn->root->mutex);
    return rc;
}

static int commit_shards(struct dcache *txn)
{
    size_t i = 0;
    int rc = 0;

    for (size_t n = 0; n < txn->shard_count; n++)
        if (txn->shards[n]->child)
            return os_fail(DCACHE_INVALID, "an inner transaction is open");
    for (size_t n = 0; rc == 0 && n < txn->shard_count; n++)
        rc = may_commit(txn->shards[n]);
    while (rc == 0 && i < txn->shard_count)
        rc = dcache_commit(txn->shards[i++]);
    while (i < txn->shard_count)
        dcache_rollback(txn->shards[i++]);
    handle_free(txn);
    return rc;
}

int dcache_commit(dcache *txn)
{
    if (!txn || !is_transaction(txn))
        return os_fail(DCACHE_INVALID, "not a transaction");
    if (txn->shard_count > 0)
        return commit_shards(txn);
    if (is_forked(txn)) {
        forget(txn->scope);
        handle_free(txn);
        return os_fail(DCACHE_FORKED, "the transaction belongs to the parent process");
    }
    return end(txn, true);
}

void dcache_rollback(dcache *txn)
{
    if (!txn || !is_transaction(txn))
        return;
    if (txn->shard_count > 0) {
        for (size_t i = txn->shard_count; i-- > 0;)
            dcache_rollback(txn->shards[i]);
        handle_free(txn);
        return;
    }
    if (is_forked(txn)) {
        forget(txn->scope);
        handle_free(txn);
        return;
    }
    (void)end(txn, false);
}

/* ---- settings ---- */

static int get_setting(struct dcache *cache, const char *name, struct dcache_value *ret_value)
{
    struct db *db;
    int rc = txn_read_begin(cache, &db);

    if (rc < 0)
        return rc;
    rc = settings_get(db, name, ret_value);
    txn_read_end(cache, db);
    return rc;
}

/* What is divided among the shards is theirs together; anything else is the same in all. */
int dcache_setting_get(dcache *cache, const char *name, struct dcache_value *ret_value)
{
    int rc;

    *ret_value = dcache_none();
    if (!name)
        return os_fail(DCACHE_INVALID, "the setting has no name");
    rc = get_setting(cache_part(cache, 0), name, ret_value);
    for (size_t i = 1; rc == 0 && i < cache->shard_count && settings_is_divided(name); i++) {
        struct dcache_value share = dcache_none();

        rc = get_setting(cache->shards[i], name, &share);
        if (rc == 0)
            settings_add_share(ret_value, &share);
        dcache_value_clear(&share);
    }
    if (rc < 0)
        dcache_value_clear(ret_value);
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
        return os_fail_deadlock();
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

static int set_setting(struct dcache *cache, const char *name, const struct dcache_value *value)
{
    struct txn txn = txn_new(cache);
    struct settings wanted;
    int rc = store_enter(cache->store);

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
    if (rc == 0 && strcmp(name, "checksums") == 0)
        rc = schema_checksums(txn.db, &wanted);
    txn.settings_changed = true; /* that is announced after COMMIT */
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    if (rc == 0 && !cache->scope && strncmp(name, "sqlite_", 7) == 0)
        store_settings_changed(cache->store, true);
    return rc;
}

int dcache_setting_set(dcache *cache, const char *name, const struct dcache_value *value)
{
    int rc = name && value ? settings_check(name, value)
                           : os_fail(DCACHE_INVALID, "a setting needs a name and a value");

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++) {
        struct dcache_value share = settings_share(name, value, cache_parts(cache), i);

        rc = set_setting(cache_part(cache, i), name, &share);
    }
    return rc;
}

static int list_settings(struct dcache *cache, struct dcache_setting **ret_settings,
                         size_t *ret_count)
{
    struct db *db;
    int rc;

    if (!cache->scope && store_take_rested(cache->store, ret_settings, ret_count))
        return 0;
    rc = txn_read_begin(cache, &db);
    if (rc < 0)
        return rc;
    rc = settings_list(db, ret_settings, ret_count);
    txn_read_end(cache, db);
    return rc;
}

/* Add what a part has of the settings that are divided. */
static int add_shares(struct dcache *part, struct dcache_setting *list, size_t count)
{
    struct dcache_setting *shares;
    size_t share_count;
    int rc = list_settings(part, &shares, &share_count);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < share_count; n++)
            if (settings_is_divided(list[i].name) && strcmp(list[i].name, shares[n].name) == 0)
                settings_add_share(&list[i].value, &shares[n].value);
    dcache_settings_free(shares, share_count);
    return 0;
}

int dcache_settings(dcache *cache, struct dcache_setting **ret_settings, size_t *ret_count)
{
    struct dcache_setting *list;
    size_t count;
    int rc = list_settings(cache_part(cache, 0), &list, &count);

    if (rc < 0)
        return rc;
    for (size_t i = 1; rc == 0 && i < cache_parts(cache); i++)
        rc = add_shares(cache_part(cache, i), list, count);
    if (rc < 0) {
        dcache_settings_free(list, count);
        return rc;
    }
    *ret_settings = list;
    *ret_count = count;
    return 0;
}
