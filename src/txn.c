/* txn.c - transactions and the files that hang on them. See txn.h for the invariants. */
#include "txn.h"

#include <stdlib.h>

#define FLUSH_ACCESSES 256 /* notes that a writer takes along */
#define FLUSH_STATISTICS 1000
#define CARRY_LEAST 4 /* transactions that begin in SQLite after one had to go there */
#define CARRY_FACTOR 4
#define CARRY_MOST 4096

enum { BEGIN = DB_TXN_STATEMENTS, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK_TO };

static int run(struct txn *txn, int statement)
{
    static const char *const sql[] = {"BEGIN IMMEDIATE", "COMMIT",        "ROLLBACK",
                                      "SAVEPOINT scope", "RELEASE scope", "ROLLBACK TO scope"};
    sqlite3_stmt *s;
    int rc = db_statement(txn->db, statement, sql[statement - BEGIN], &s);

    if (rc < 0)
        return rc;
    return statement == BEGIN ? db_begin(txn->db, s) : db_run(txn->db, s);
}

struct txn txn_new(struct dcache *cache)
{
    return (struct txn){
        .cache = cache, .outer = cache->scope, .patience = os_patience(cache->timeout)};
}

struct txn txn_single(struct dcache *cache)
{
    struct txn txn = txn_new(cache);

    txn.shares = true;
    return txn;
}

void txn_about(struct txn *txn, const struct dcache_value *key, int raw)
{
    txn->about_key = !txn->outer;
    if (txn->about_key)
        txn->key = memtable_key(key, raw);
}

static struct txn *outermost(struct txn *txn)
{
    while (txn->outer)
        txn = txn->outer;
    return txn;
}

/* T5: some errors, that of no memory among them, make SQLite roll back everything by itself. */
bool txn_is_aborted(struct txn *txn)
{
    txn = outermost(txn);
    return txn->aborted || (!txn->group && sqlite3_get_autocommit(txn->db->handle));
}

struct group *txn_group(const struct txn *txn)
{
    while (txn && txn->outer)
        txn = txn->outer;
    return txn ? txn->group : NULL;
}

/* ---- lists ---- */

/* Room for one more: before anything happens that the list has to remember. */
static int reserve(void **list, size_t count, size_t *room, size_t more, size_t size)
{
    size_t wanted = *room ? *room : 4;
    void *grown;

    if (count + more <= *room)
        return 0;
    while (wanted < count + more)
        wanted *= 2;
    grown = os_realloc(*list, wanted * size);
    if (!grown)
        return DCACHE_NOMEM;
    *list = grown;
    *room = wanted;
    return 0;
}

static int reserve_made(struct txn *txn, size_t more)
{
    return reserve((void **)&txn->made, txn->made_count, &txn->made_room, more, sizeof *txn->made);
}

static int reserve_dropped(struct txn *txn, size_t more)
{
    return reserve((void **)&txn->dropped, txn->dropped_count, &txn->dropped_room, more,
                   sizeof *txn->dropped);
}

static const char *made_name(const struct made_file *file)
{
    return file->other ? file->other : file->name;
}

static void free_lists(struct txn *txn)
{
    for (size_t i = 0; i < txn->made_count; i++)
        free(txn->made[i].other);
    for (size_t i = 0; i < txn->dropped_count; i++)
        free(txn->dropped[i]);
    free(txn->made);
    free(txn->dropped);
    left_free(txn->left);
    txn->left = NULL;
    txn->made = NULL;
    txn->dropped = NULL;
    txn->made_count = txn->made_room = txn->dropped_count = txn->dropped_room = 0;
}

static void remove_made(struct txn *txn)
{
    /* What cannot be removed is a stray, which check() finds (F1, F2). */
    for (size_t i = 0; i < txn->made_count; i++)
        (void)file_remove(&txn->cache->store->files, made_name(&txn->made[i]));
}

/* The handle that the caller has opened. */
static struct dcache *handle_of(struct txn *txn)
{
    struct dcache *handle = txn->cache;

    while (handle->parent)
        handle = handle->parent;
    return handle;
}

static int leave_files(struct txn *txn)
{
    int rc = 0;

    if (handle_of(txn)->leave & DCACHE_LEAVE_FILES)
        for (size_t i = 0; rc == 0 && i < txn->dropped_count; i++)
            rc = left_add(&txn->left, txn->dropped[i], NULL);
    return rc;
}

static void hand_over_left(struct txn *txn)
{
    struct dcache *handle = handle_of(txn);

    if (!txn->left)
        return;
    pthread_mutex_lock(&handle->mutex);
    left_join(&handle->left, txn->left);
    pthread_mutex_unlock(&handle->mutex);
    txn->left = NULL;
}

static void remove_dropped(struct txn *txn)
{
    if (handle_of(txn)->leave & DCACHE_LEAVE_FILES)
        return;
    for (size_t i = 0; i < txn->dropped_count; i++)
        (void)file_remove(&txn->cache->store->files, txn->dropped[i]);
}

/* ---- begin ---- */

static void release(struct txn *txn)
{
    struct store *store = txn->cache->store;

    if (txn->appending)
        memtable_unlock(&store->shared);
    txn->appending = false;
    vfs_leave_out(txn->db->file, false);
    store_return(store, txn->db);
    txn->db = NULL;
    shared_unlock(&store->shared);
}

/* Closing the connection rolls back too, should the statement itself fail. */
static void roll_back(struct txn *txn)
{
    if (!sqlite3_get_autocommit(txn->db->handle) && run(txn, ROLLBACK) < 0)
        (void)sqlite3_exec(txn->db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static void end_along(struct txn *txn, bool committed)
{
    drain_along_end(txn->along, committed);
    txn->along = NULL;
}

/* T4. */
static int shut_memtable(struct txn *txn)
{
    struct store *store = txn->cache->store;
    int rc;

    if (!memtable_exists(&store->shared) && !atomic_load(&store->watch.rescued))
        return 0;
    rc = txn->shares ? drain_most(store, txn->db, os_until(&txn->patience))
                     : drain_all(store, txn->db, os_until(&txn->patience));
    txn->appending = rc == 0;
    return rc;
}

/* T7. If there is too much, once more without it. */
static int take_along(struct txn *txn)
{
    int rc = 0;

    if (txn->shares && txn->appending)
        rc = drain_along(txn->cache->store, txn->db, &txn->along, &txn->count, &txn->size);
    if (rc == 0)
        return 0;
    txn->shares = false;
    roll_back(txn);
    release(txn);
    return rc == DRAIN_ALONE ? DRAIN_HELD : rc;
}

/* M8: with both locks held (or no ring), any commit that is not known to the memtable is a reason to ask
 * SQLite. What comes now is later than these rows. */
static void settle_others(struct txn *txn)
{
    struct shared *shared = &txn->cache->store->shared;
    uint64_t commits = db_commits(txn->db), known;

    if (!shared->mapped) /* nobody else would know */
        return;
    known = atomic_load(&shared->segment->memtable.known);
    if (commits == known)
        return;
    (void)memtable_time(shared, os_now());
    memtable_settle(shared, commits);
    /* Else nobody has looked before, or the log is another one, and who had the old one has closed it. */
    if (known != 0 && commits != 0)
        memtable_note_foreign(shared);
}

/* The same, of the commit that was made just now. If another came after it, `known` stays, and whoever begins
 * next finds that out. */
static void settle_own(struct txn *txn, bool written)
{
    struct shared *shared = &txn->cache->store->shared;
    uint64_t commits = db_commits(txn->db), known;

    if (!shared->mapped)
        return;
    known = atomic_load(&shared->segment->memtable.known);
    if (commits == known)
        return;
    (void)memtable_time(shared, os_now());
    if (!written || commits >> 32 != (known >> 32) + 1)
        txn->queue = NULL;
    else if (txn->about_key && txn->appending && txn->changes <= 1 && txn->evictions == 0 &&
             !txn->settings_changed)
        memtable_settle_key(shared, &txn->key, txn->queue != NULL, commits);
    else if (txn->queue && txn->evictions == 0)
        memtable_settle_queue(shared, commits);
    else
        memtable_settle(shared, commits);
}

/* The write lock, and a connection to a directory that is there. */
static int take(struct txn *txn, unsigned generation)
{
    struct store *store = txn->cache->store;
    int rc = shared_lock(&store->shared, os_until(&txn->patience));

    if (rc < 0)
        return rc;
    rc = store_borrow(store, os_until(&txn->patience), &txn->db);
    if (rc < 0) {
        shared_unlock(&store->shared);
        return rc;
    }
    /* A connection of before a revival that has happened meanwhile is as gone as its directory. */
    if (txn->db->generation != generation || store_is_gone(store, txn->db))
        rc = DCACHE_GONE;
    if (rc == 0)
        rc = store_refresh_settings(store, txn->db);
    vfs_leave_out(txn->db->file, rc == 0);
    if (rc < 0)
        release(txn);
    return rc;
}

static int begin_once(struct txn *txn)
{
    struct store *store = txn->cache->store;
    int rc = store->gone ? DCACHE_GONE : take(txn, store->pool.generation);

    if (rc < 0)
        return rc;
    rc = shut_memtable(txn);
    if (rc == 0)
        rc = run(txn, BEGIN);
    if (rc == 0)
        settle_others(txn);
    else
        release(txn);
    if (rc == 0)
        return take_along(txn);
    if (rc != DRAIN_HELD)
        return rc;
    rc = memtable_lock(&store->shared,
                       os_until(&txn->patience)); /* T6: its end is waited for with nothing held */
    if (rc == 0)
        memtable_unlock(&store->shared);
    return rc < 0 ? rc : DRAIN_HELD;
}

static int begin_outer(struct txn *txn)
{
    struct store *store = txn->cache->store;
    int rc;

    if (store->read_only)
        return os_fail(DCACHE_READONLY, "the cache is read-only: %s", store->path);
    if (store_owned_here(store))
        return os_fail_deadlock();
    store_heal(store, os_until(&txn->patience));
    do {
        unsigned generation = store->pool.generation;

        rc = begin_once(txn);
        if (rc == DCACHE_GONE && !txn->aside) {
            rc = store_revive(store, generation, os_until(&txn->patience));
            rc = rc == 0 ? DRAIN_HELD : rc;
        }
    } while (rc == DRAIN_HELD);
    txn->open = rc == 0;
    return rc;
}

static int begin_counted(struct txn *txn)
{
    int rc = begin_outer(txn);

    if (rc == DCACHE_TIMEOUT && !txn->aside)
        atomic_fetch_add(&txn->cache->store->shared.segment->timeouts, 1);
    return rc;
}

static int begin_inner(struct txn *txn)
{
    struct dcache *cache = txn->cache;
    int rc;

    if (cache->fork_generation != atomic_load(&cache->store->fork_generation))
        return os_fail(DCACHE_FORKED, "the transaction belongs to the parent process");
    if (cache->child)
        return os_fail(DCACHE_INVALID, "an inner transaction is open");
    if (txn_is_aborted(txn))
        return os_fail(DCACHE_ABORTED, "the transaction was rolled back by an earlier error");
    rc = txn_group(txn) ? txn_carry(txn->outer, os_until(&txn->patience)) : 0;
    if (rc < 0)
        return rc;
    txn->db = txn->outer->db;
    txn->db->deadline = os_until(&txn->patience);
    rc = run(txn, SAVEPOINT);
    txn->open = rc == 0;
    return rc;
}

int txn_start(struct txn *txn)
{
    return txn->outer ? begin_inner(txn) : begin_counted(txn);
}

int txn_begin(struct txn *txn)
{
    int rc = store_enter(txn->cache->store);

    if (rc < 0)
        return rc;
    if (txn->outer)
        pthread_mutex_lock(&txn->cache->root->mutex);
    rc = txn_start(txn);
    if (rc < 0 && txn->outer)
        pthread_mutex_unlock(&txn->cache->root->mutex);
    return rc;
}

/* ---- commit ---- */

static int finish_outer(struct txn *txn)
{
    struct store *store = txn->cache->store;
    struct shared_segment *segment = store->shared.segment;
    unsigned written = txn->db->written;
    int frames, rc = settings_count_and_size_add(txn->db, txn->count, txn->size); /* T3 */

    if (rc == 0)
        rc = settings_counter_add(txn->db, "evictions", txn->evictions);
    if (rc == 0 && atomic_load(&segment->accesses) >= FLUSH_ACCESSES)
        rc = txn_flush_accesses(txn);
    if (rc == 0 &&
        (atomic_load(&segment->timeouts) > 0 || atomic_load(&segment->damaged) > 0 ||
         atomic_load(&segment->hits) + atomic_load(&segment->misses) >= FLUSH_STATISTICS))
        rc = txn_flush_statistics(txn);
    if (rc == 0)
        rc = leave_files(txn);
    if (rc == 0)
        rc = run(txn, COMMIT);
    if (rc < 0)
        return rc;
    hand_over_left(txn);
    if (txn->settings_changed)
        store_settings_changed(store, false);
    end_along(txn, true);
    settle_own(txn, txn->db->written != written);
    if (txn->queue && txn->appending)
        ends_set(&store->shared, txn->queue);
    frames = txn->db->wal_frames;
    txn->open = false;
    release(txn);
    remove_dropped(txn); /* T2; nobody need wait for it */
    free_lists(txn);
    txn_checkpoint(store, frames);
    return 0;
}

/* The outer scope inherits what hangs on this one; a group is common to all. */
static int finish_inner(struct txn *txn)
{
    struct txn *outer = txn->outer;
    int rc = reserve_made(outer, txn->made_count);

    if (rc == 0)
        rc = reserve_dropped(outer, txn->dropped_count);
    if (rc == 0 && !txn_group(txn))
        rc = run(txn, RELEASE);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < txn->made_count; i++)
        outer->made[outer->made_count++] = txn->made[i];
    for (size_t i = 0; i < txn->dropped_count; i++)
        outer->dropped[outer->dropped_count++] = txn->dropped[i];
    txn->made_count = txn->dropped_count = 0;
    outer->count += txn->count;
    outer->size = os_plus(outer->size, txn->size);
    outer->evictions += txn->evictions;
    outer->settings_changed |= txn->settings_changed;
    outer->hits += txn->hits;
    outer->misses += txn->misses;
    outer->timeouts += txn->timeouts;
    outer->damaged += txn->damaged;
    left_join(&outer->left, txn->left);
    txn->left = NULL;
    txn->open = false;
    free_lists(txn);
    return 0;
}

int txn_finish(struct txn *txn)
{
    if (txn_is_aborted(txn))
        return os_fail(DCACHE_ABORTED, "the transaction was rolled back by an earlier error");
    return txn->outer ? finish_inner(txn) : finish_outer(txn);
}

int txn_commit(struct txn *txn)
{
    int rc = txn_finish(txn);

    if (rc == 0 && txn->outer)
        pthread_mutex_unlock(&txn->cache->root->mutex);
    return rc;
}

/* ---- undo ---- */

static void undo_group(struct txn *txn)
{
    if (txn->outer)
        group_cut(txn_group(txn), txn->mark);
    else
        txn_drop_group(txn);
}

void txn_undo(struct txn *txn)
{
    struct shared_segment *segment = txn->cache->store->shared.segment;

    if (!txn->open)
        return;
    txn->open = false;
    if (txn_group(txn)) {
        undo_group(txn);
        return;
    }
    atomic_fetch_add(&segment->hits, txn->hits);
    atomic_fetch_add(&segment->misses, txn->misses);
    atomic_fetch_add(&segment->timeouts, txn->timeouts);
    atomic_fetch_add(&segment->damaged, txn->damaged);
    txn->db->policy_index = 0; /* it may have been made in here */
    if (!txn->outer) {
        roll_back(txn);
        end_along(txn, false);
        atomic_store(&segment->headroom, 0); /* of what is undone */
        release(txn);
    } else if (sqlite3_get_autocommit(txn->db->handle) || run(txn, ROLLBACK_TO) < 0 ||
               run(txn, RELEASE) < 0) {
        outermost(txn)->aborted = true; /* T5 */
    }
    remove_made(txn); /* T1 */
}

void txn_end(struct txn *txn)
{
    if (!txn->open && !txn->made && !txn->dropped &&
        !txn->left) /* as after a set in the memtable */
        return;
    if (txn->open) {
        txn_undo(txn);
        if (txn->outer)
            pthread_mutex_unlock(&txn->cache->root->mutex);
    } else {
        remove_made(txn); /* staged, but never begun; empty after a commit */
    }
    free_lists(txn);
}

/* ---- files ---- */

int txn_refresh_settings(struct txn *txn)
{
    struct store *store = txn->cache->store;
    struct db *db;
    int rc = store_enter(store);

    /* Within a transaction its beginning has seen to it, and nobody else changes one meanwhile. */
    if (rc < 0 || txn->db || txn->outer || store_settings_current(store))
        return rc;
    rc = store_borrow(store, os_until(&txn->patience), &db);
    if (rc == 0) {
        rc = store_refresh_settings(store, db);
        store_return(store, db);
    }
    return rc;
}

int txn_stage(struct txn *txn, const struct dcache_value *value, int64_t limit, size_t *ret_index,
              int64_t *ret_size)
{
    struct store *store = txn->cache->store;
    int rc = store_enter(store); /* a child's file is not in its parent's name (F2) */
    unsigned generation = store->pool.generation;
    struct made_file *file;
    uint64_t *sum;

    if (rc == 0 && store->read_only)
        rc = os_fail(DCACHE_READONLY, "the cache is read-only: %s", store->path);
    if (rc == 0)
        rc = reserve_made(txn, 1);
    if (rc < 0)
        return rc;
    file = &txn->made[txn->made_count];
    file->sum = 0;
    sum = store->settings.checksums ? &file->sum : NULL;
    rc = file_stage(&store->files, value, limit, file->name, ret_size, sum);
    if (rc == DCACHE_GONE && !txn->cache->scope) {
        rc = store_revive(store, generation, os_until(&txn->patience));
        if (rc == 0)
            rc = file_stage(&store->files, value, limit, file->name, ret_size, sum);
    }
    if (rc < 0)
        return rc;
    file->other = NULL;
    *ret_index = txn->made_count++;
    return 0;
}

int txn_publish(struct txn *txn, size_t index, const char **ret_name)
{
    struct made_file *file = &txn->made[index];
    char name[FILE_NAME_SIZE];
    int rc = file_publish(&txn->cache->store->files, file->name, file->sum, name);

    if (rc < 0)
        return rc;
    memcpy(file->name, name, sizeof name);
    *ret_name = file->name;
    return 0;
}

int txn_adopt(struct txn *txn, const char *name)
{
    int rc = reserve_made(txn, 1);
    char *copy = rc == 0 ? os_strdup(name) : NULL;

    if (!copy) {
        (void)file_remove(&txn->cache->store->files, name); /* it is ours in any case */
        return DCACHE_NOMEM;
    }
    txn->made[txn->made_count].name[0] = 0;
    txn->made[txn->made_count++].other = copy;
    return 0;
}

static int drop_file(struct txn *txn, const char *filename)
{
    char *copy;

    if (!filename)
        return 0;
    copy = os_strdup(filename);
    if (!copy || reserve_dropped(txn, 1) < 0) {
        free(copy);
        return DCACHE_NOMEM;
    }
    txn->dropped[txn->dropped_count++] = copy;
    return 0;
}

/* ---- rows ---- */

int txn_insert(struct txn *txn, const struct row *row, int64_t *ret_rowid)
{
    int rc = row_insert(txn->db, row, ret_rowid);

    if (rc == 0) {
        txn->changes++;
        txn->count++;
        txn->size = os_plus(txn->size, row->size);
    }
    return rc;
}

int txn_replace(struct txn *txn, const struct row *old, const struct row *row)
{
    int rc = row_update(txn->db, old->rowid, row);

    txn->changes++;
    if (rc == 0)
        rc = drop_file(txn, old->filename);
    if (rc == 0)
        txn->size = os_plus(txn->size, os_minus(row->size, old->size));
    return rc;
}

int txn_forget(struct txn *txn, int64_t rowid, int64_t size)
{
    int rc = row_delete(txn->db, rowid);

    if (rc == 0) {
        txn->changes++;
        txn->count--;
        txn->size = os_minus(txn->size, size);
    }
    return rc;
}

int txn_name_evicted(struct txn *txn, int64_t rowid)
{
    struct row row = {0};
    int rc;

    if (!(handle_of(txn)->leave & DCACHE_NAME_EVICTED))
        return 0;
    rc = row_key(txn->db, rowid, &row);
    if (rc == 0) {
        value_from_key(&row.key, row.raw);
        rc = left_add(&txn->left, NULL, &row.key);
    }
    row_clear(&row);
    return rc;
}

int txn_drop(struct txn *txn, int64_t rowid, int64_t size, const char *filename)
{
    int rc = drop_file(txn, filename);

    return rc < 0 ? rc : txn_forget(txn, rowid, size);
}

bool txn_will_remove(const struct txn *scope, const char *filename)
{
    for (; scope; scope = scope->outer)
        for (size_t i = 0; i < scope->dropped_count; i++)
            if (strcmp(scope->dropped[i], filename) == 0)
                return true;
    return false;
}

int txn_counters(const struct txn *scope, struct db *db, int64_t *ret_count, int64_t *ret_size)
{
    int rc = settings_counter(db, "count", ret_count);

    if (rc == 0)
        rc = settings_counter(db, "size", ret_size);
    for (; rc == 0 && scope; scope = scope->outer) {
        *ret_count = os_plus(*ret_count, scope->count);
        *ret_size = os_plus(*ret_size, scope->size);
    }
    return rc;
}

/* ---- from the memtable to SQLite: T6 ---- */

void txn_drop_group(struct txn *txn)
{
    group_free(txn->group);
    txn->group = NULL;
    memtable_unlock(&txn->cache->store->shared);
}

bool txn_has_moved(const struct txn *txn)
{
    struct store *store = txn->cache->store;

    if (!txn->group)
        return db_has_moved(txn->db);
    return store->gone || store->pool.generation != txn->group->generation ||
           store_seems_removed(store);
}

/* A scope and all around it, of which `end` is what was done when it, or the one in it, began. */
static int carry_scopes(struct txn *txn, size_t end, int64_t deadline)
{
    struct group *group = txn_group(txn);
    struct store *store = txn->cache->store;
    int rc;

    if (txn->outer) {
        rc = carry_scopes(txn->outer, txn->mark, deadline);
        txn->db = txn->outer->db;
        if (rc == 0)
            rc = run(txn, SAVEPOINT);
    } else {
        txn->patience = os_patience_until(deadline);
        rc = store->gone ? DCACHE_GONE : take(txn, group->generation);
        if (rc == 0)
            rc = drain_rest(store, txn->db);
        if (rc == 0)
            rc = run(txn, BEGIN);
        if (rc == 0)
            settle_others(txn);
    }
    for (size_t i = txn->mark; rc == 0 && i < end; i++)
        rc = txn_replay(txn, &group->entry[i]->change);
    return rc;
}

/* In the memtable again, where all of it still is. */
static void bring_back(struct txn *scope)
{
    struct txn *outer = outermost(scope);

    if (outer->db) {
        roll_back(outer);
        release(outer);
    }
    for (struct txn *txn = scope; txn; txn = txn->outer) {
        txn->db = NULL;
        txn->count = txn->size = 0;
        while (txn->dropped_count > 0)
            free(txn->dropped[--txn->dropped_count]);
    }
}

static void expect_more(struct dcache *cache)
{
    unsigned next = atomic_load(&cache->carry);

    atomic_store(&cache->carried, next);
    atomic_store(&cache->carry, next < CARRY_LEAST  ? CARRY_LEAST
                                : next < CARRY_MOST ? CARRY_FACTOR * next
                                                    : CARRY_MOST);
}

int txn_carry(struct txn *scope, int64_t deadline)
{
    struct txn *outer = outermost(scope);
    struct group *group = outer->group;
    int rc = carry_scopes(scope, group->count, deadline);

    if (rc < 0) {
        bring_back(scope);
        return rc == DCACHE_GONE ? os_fail(DCACHE_GONE, "the cache directory was removed: %s",
                                           outer->cache->store->path)
                                 : rc;
    }
    group_free(group);
    outer->group = NULL;
    outer->appending = true;
    expect_more(outer->cache);
    return 0;
}
