/* store.c - open directories and their connections. See store.h. */
#include "store.h"

#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_INTERVAL (50 * OS_MS) /* readers see a removed directory within this time */
#define ARRIVAL (1000 * OS_MS)     /* of who comes at the same moment, whatever the timeout */

/* The one mutable global of the library: which directories this process has open. */
static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct store *list;
_Atomic unsigned store_forks = 1;
#define RESTING 0 /* in place of a generation: opened, but not entered yet */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- fork ---- */

/* The child is to find the list and SQLite whole: nobody is inside when the fork happens. */
static void before_fork(void)
{
    pthread_mutex_lock(&list_mutex);
    db_before_fork();
}

static void after_fork_in_parent(void)
{
    db_after_fork();
    pthread_mutex_unlock(&list_mutex);
}

static void after_fork_in_child(void)
{
    db_after_fork();
    atomic_fetch_add(&store_forks, 1);
    for (struct store *s = list; s; s = s->next)
        shared_forked(&s->shared);
    pthread_mutex_unlock(&list_mutex);
}

/* Before the first connection of a child is opened, on whatever directory. Under list_mutex. */
static void leave_parents_locks(void)
{
    static unsigned left = 1;

    if (left != store_forks)
        db_forked();
    left = store_forks;
}

static void install(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* A fork waits for the list too: perhaps with something locked that a caller's function, see
 * dcache_on_wait(), would wait for. */
static void lock_list(void)
{
    pthread_mutex_lock(&list_mutex);
    os_wait_quietly(true);
}

static void unlock_list(void)
{
    os_wait_quietly(false);
    pthread_mutex_unlock(&list_mutex);
}

/* ---- opening the parts ---- */

static int open_shared(struct store *store, int64_t deadline)
{
    int64_t soon = os_monotonic() + ARRIVAL;
    struct stat unused;
    bool log;
    int rc;

    if (store->use_shared) {
        /* Looked at before the segment is there: others of ours open the database once it is. */
        log = os_fstatat(store->files.dir, DB_NAME "-wal", &unused) == 0;
        rc = shared_open(&store->shared, store->files.dir, store->files.file_mode,
                         deadline > soon ? deadline : soon);
        if (rc == 0 && store->shared.made && log) /* somebody has it open, and it is none of us */
            memtable_note_foreign(&store->shared);
        if (rc == 0 && store->shared.inherited) {
            memtable_inherit(&store->shared);
            rc = shared_admit(&store->shared);
        }
        /* A full disk, or an address space, has no room for it; what can be done without it goes on. */
        if (rc != DCACHE_FULL && rc != DCACHE_NOMEM)
            return rc;
    }
    return shared_private(&store->shared);
}

/* Without a log beside it, a read-only opener could not read the database without making one. */
static void choose_immutable(struct store *store)
{
    struct stat log;

    store->immutable = store->read_only && os_fstatat(store->files.dir, DB_NAME "-wal", &log) < 0 &&
                       errno == ENOENT &&
                       os_fstatat(store->files.dir, DB_NAME, &store->snapshot) == 0;
}

static int open_connection(struct store *store, struct db **ret_db)
{
    unsigned flags = (store->read_only ? DB_READ_ONLY : 0) | (store->immutable ? DB_IMMUTABLE : 0);
    struct db *db = os_calloc(1, sizeof *db);
    int rc;

    if (!db)
        return DCACHE_NOMEM;
    rc = db_open(db, store->db_path, flags);
    if (rc < 0)
        free(db);
    else
        *ret_db = db;
    return rc;
}

/* ---- schema ---- */

static int write_schema(struct store *store, struct db *db, const struct dcache_open_options *o,
                        bool complete)
{
    struct settings wanted; /* in force once they are stored, and not if that fails */
    int rc = 0;

    settings_copy(&wanted, &store->settings);
    for (size_t i = 0; i < o->settings_count; i++)
        settings_apply(&wanted, o->settings[i].name, &o->settings[i].value);
    if (!complete)
        rc = schema_prepare(db, &wanted, store->use_shared);
    if (rc == 0)
        rc = db_exec(db, "BEGIN IMMEDIATE");
    if (rc < 0)
        return rc;
    if (!complete)
        rc = schema_create(db, &wanted);
    for (size_t i = 0; rc == 0 && i < o->settings_count; i++)
        rc = settings_put(db, o->settings[i].name, &o->settings[i].value);
    if (rc == 0 && complete)
        rc = schema_tag_index(db, &wanted);
    if (rc == 0 && complete)
        rc = schema_checksums(db, &wanted);
    if (rc == 0)
        rc = db_exec(db, "COMMIT");
    if (rc < 0)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* often done by itself */
    else
        store_settings_changed(store, true);
    return rc;
}

static bool changes_nothing(struct db *db, const struct dcache_open_options *o)
{
    for (size_t i = 0; i < o->settings_count; i++)
        if (settings_differs(db, &o->settings[i]))
            return false;
    return true;
}

/* Look, and only if something is missing or to be changed, write. */
static int prepare_schema(struct store *store, struct db *db, const struct dcache_open_options *o,
                          int64_t deadline)
{
    bool complete = false, locked = false;
    int rc;

    db->deadline = deadline;
    rc = schema_look(db, &store->settings, store->shards, &complete);
    if (rc == 0 && !(complete && changes_nothing(db, o))) {
        if (store->read_only)
            return complete ? os_fail(DCACHE_READONLY, "the cache is read-only: no settings")
                            : os_fail(DCACHE_CORRUPT, "the cache is not complete");
        if (store_owned_here(store))
            return os_fail_deadlock();
        rc = shared_lock(&store->shared, deadline);
        locked = rc == 0;
        if (locked) /* another may have done it meanwhile */
            rc = schema_look(db, &store->settings, store->shards, &complete);
        if (rc == 0 && !(complete && changes_nothing(db, o)))
            rc = write_schema(store, db, o, complete);
        if (rc == 0)
            rc = schema_look(db, &store->settings, store->shards, &complete);
        if (locked) {
            memtable_own_commit(&store->shared, db_commits(db));
            shared_unlock(&store->shared);
        }
        if (rc == 0 && !complete)
            rc = os_fail(DCACHE_CORRUPT, "the tables of the cache cannot be made");
    }
    if (rc == 0)
        rc = schema_pragmas(db, &store->settings, store->use_shared);
    /* After a failure the settings are perhaps those that were wanted: to be read again. */
    atomic_store(&store->settings_epoch,
                 atomic_load(&store->shared.segment->settings_epoch) - (rc < 0));
    return rc;
}

static int match_journal(struct store *store, struct db *db)
{
    int rc;

    if (store->read_only)
        return 0;
    rc = schema_match_journal(db, &store->settings, store->use_shared);
    store->journal_matched = rc == 0;
    return rc;
}

static int make_database(struct store *store, const struct dcache_open_options *o)
{
    return directory_make_database(store->files.dir, store->path,
                                   !store->read_only && !(o->flags & DCACHE_NO_CREATE),
                                   store->files.file_mode);
}

static bool look_at_rest(struct store *store, const struct dcache_open_options *o)
{
    bool found = !store->read_only && rest_look(&store->rest, store->files.dir, store->db_path,
                                                store->shards, o, &store->settings);

    if (found)
        store->files.sync = store->settings.synchronous >= 2;
    return found;
}

/* See that everything is in the database. */
static int open_database(struct store *store, const struct dcache_open_options *o, int64_t deadline)
{
    unsigned generation;
    struct db *db;
    int rc;

    store->journal_matched = false;
    atomic_store(&store->rebuilds, atomic_load(&store->shared.segment->rebuilds));
    if (look_at_rest(store, o)) {
        atomic_store(&store->settings_epoch, atomic_load(&store->shared.segment->settings_epoch));
        return 0;
    }
    rc = pool_take(&store->pool, deadline, &db, &generation);
    if (rc < 0)
        return rc;
    if (!db) {
        rc = open_connection(store, &db);
        if (rc < 0) {
            pool_forget(&store->pool);
            return rc;
        }
        db->generation = generation;
    }
    rc = prepare_schema(store, db, o, deadline);
    if (rc == 0)
        rc = match_journal(store, db);
    if (rc < 0)
        db->generation = generation - 1; /* closed, when put back */
    else
        store->files.sync = store->settings.synchronous >= 2;
    pool_put(&store->pool, db);
    return rc;
}

/* Under the write lock: so no write of ours goes to a database that is about to be moved aside, and
 * who has the lock next sees by `rebuilds` that there is another. Fails: CORRUPT (not damaged, or not
 * to be rebuilt). */
static int set_aside(struct store *store, int64_t deadline)
{
    _Atomic uint32_t *rebuilds = &store->shared.segment->rebuilds;
    int rc;

    atomic_store(&store->pool.suspect, false);
    if (!store->rebuild || store->read_only || store_owned_here(store))
        return DCACHE_CORRUPT;
    rc = shared_lock(&store->shared, deadline);
    if (rc < 0)
        return rc;
    if (atomic_load(rebuilds) == store->rebuilds) { /* else somebody has done it */
        rc = heal_is_damaged(store->db_path) ? heal_move_aside(store->files.dir) : DCACHE_CORRUPT;
        if (rc == 0) {
            memtable_note_foreign(&store->shared); /* what the ring has read of it is void */
            atomic_fetch_add(rebuilds, 1);
        }
    }
    shared_unlock(&store->shared);
    return rc;
}

/* Everything that hangs on the directory's descriptor. */
static int open_parts(struct store *store, const struct dcache_open_options *o, int64_t deadline)
{
    int rc;

    choose_immutable(store);
    rc = make_database(store, o);
    if (rc == 0)
        rc = open_shared(store, deadline);
    if (rc < 0)
        return rc;
    store->files.slot = store->shared.slot;
    if (os_random(&store->files.life, sizeof store->files.life) < 0)
        return os_fail_errno("random bytes for file names");
    rc = open_database(store, o, deadline);
    if (rc == DCACHE_CORRUPT && set_aside(store, deadline) == 0) {
        rc = make_database(store, o);
        if (rc == 0)
            rc = open_database(store, o, deadline);
    }
    return rc;
}

/* Whether that much of opening will do until the directory is used. Who is in the segment may have more
 * than the database, and who has died there left it; what else is there under its name is refused. */
static bool rests(struct store *store, const struct dcache_open_options *o)
{
    struct stat unused;

    return os_fstatat(store->files.dir, SHARED_NAME, &unused) < 0 && errno == ENOENT &&
           look_at_rest(store, o);
}

/* ---- the list ---- */

static void free_store(struct store *store)
{
    watch_destroy(&store->watch);
    pool_destroy(&store->pool);
    rest_forget(&store->rest);
    shared_close(&store->shared, store->files.dir);
    os_close(store->files.dir);
    free(store->path);
    free(store->db_path);
    free(store);
}

static void note_identity(struct store *store, const struct stat *st)
{
    store->device = st->st_dev;
    store->inode = st->st_ino;
}

static int new_store(const char *directory, int dir, const struct stat *st,
                     const struct dcache_open_options *o, unsigned shards, int64_t deadline,
                     struct store **ret_store)
{
    struct store *store = os_calloc(1, sizeof *store);
    int rc = store ? 0 : DCACHE_NOMEM;

    if (rc < 0) {
        os_close(dir);
        return rc;
    }
    note_identity(store, st);
    store->shards = shards;
    store->timeout = o->timeout;
    store->flags = o->flags & (DCACHE_READ_ONLY | DCACHE_NO_SHARED);
    settings_default(&store->settings, shards);
    store->rebuild = o->on_corruption == DCACHE_REBUILD;
    store->files.dir = dir;
    store->files.file_mode = o->file_mode ? o->file_mode : 0600;
    store->files.dir_mode = o->directory_mode ? o->directory_mode : 0700;
    store->shared.fd = -1;
    store->references = 1;
    store->fork_generation = store_forks;
    store->read_only = (o->flags & DCACHE_READ_ONLY) || !os_can_write(dir);
    store->use_shared = !store->read_only && !(o->flags & DCACHE_NO_SHARED) && !os_is_network(dir);
    pool_init(&store->pool);
    watch_init(&store->watch);
    store->path = os_realpath(directory);
    store->db_path = store->path ? os_format("%s/" DB_NAME, store->path) : NULL;
    if (!store->path)
        rc = os_fail_errno("resolve %s", directory);
    else if (!store->db_path)
        rc = DCACHE_NOMEM;
    if (rc == 0 && rests(store, o))
        store->fork_generation = RESTING;
    else if (rc == 0)
        rc = open_parts(store, o, deadline);
    if (rc < 0)
        free_store(store);
    else
        *ret_store = store;
    return rc;
}

/* Opened again: settings that the caller names may differ. */
static int reopen(struct store *store, const struct dcache_open_options *o, int64_t deadline)
{
    struct db *db;
    int rc = store_enter(store);

    if (o->on_corruption == DCACHE_REBUILD)
        store->rebuild = true;
    if (rc == 0)
        rc = store_borrow_reader(store, deadline, &db);
    if (rc < 0)
        return rc;
    rc = prepare_schema(store, db, o, deadline);
    store_return(store, db);
    return rc;
}

int store_open(const char *directory, const struct dcache_open_options *o, unsigned shards,
               struct store **ret_store)
{
    int64_t deadline = os_deadline(o->timeout);
    struct store *store;
    struct stat st;
    int dir, rc;

    pthread_once(&once, install);
    rc = directory_open(directory, o, &dir);
    if (rc < 0)
        return rc;
    if (os_fstat(dir, &st) < 0) {
        rc = os_fail_errno("stat %s", directory);
        os_close(dir);
        return rc;
    }
    lock_list();
    leave_parents_locks();
    for (store = list; store; store = store->next)
        if (store->device == st.st_dev && store->inode == st.st_ino &&
            store->flags == (o->flags & (DCACHE_READ_ONLY | DCACHE_NO_SHARED)))
            break;
    if (store) {
        os_close(dir);
        store->references++;
    } else {
        rc = new_store(directory, dir, &st, o, shards, deadline, &store);
        if (rc == 0) {
            store->next = list;
            list = store;
        }
        unlock_list();
        if (rc == 0)
            *ret_store = store;
        return rc;
    }
    unlock_list();
    *ret_store = store;
    return reopen(store, o, deadline);
}

bool store_leave(struct store *store)
{
    struct store **at = &list;
    bool last;

    lock_list();
    last = --store->references == 0;
    while (last && *at != store)
        at = &(*at)->next;
    if (last)
        *at = store->next;
    unlock_list();
    return last;
}

/* What the last one leaves is not freed: the process ends. */
struct store *store_next(struct store *store)
{
    struct store *next;

    lock_list();
    next = store ? store->next : list;
    if (store)
        store->references--;
    if (next)
        next->references++;
    unlock_list();
    return next;
}

void store_free(struct store *store)
{
    lock_list(); /* no fork meanwhile */
    /* In a child that never used it, the connections are the parent's: leave them alone. */
    if (store->fork_generation != store_forks) {
        pool_init(&store->pool);
        watch_forget(&store->watch);
    }
    free_store(store);
    unlock_list();
}

/* ---- the first use, also after a fork; after a removal ---- */

/* In the place of the old: the descriptor by dup, the segment by a mapping over it, so that no
 * thread of ours ever sees neither. */
static int revive_parts(struct store *store, int64_t deadline)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    int old_fd = store->shared.fd, dir, rc;
    uint32_t old_slot = store->shared.slot;
    bool locked;
    struct stat st;

    options.directory_mode = store->files.dir_mode;
    rc = directory_open(store->path, &options, &dir);
    if (rc < 0)
        return rc;
    if (os_fstat(dir, &st) < 0 || os_replace(dir, store->files.dir) < 0)
        rc = os_fail_errno("open directory %s", store->path);
    os_close(dir);
    if (rc < 0)
        return rc;
    note_identity(store, &st);
    watch_end(&store->watch);
    locked = store->shared.segment && memtable_exists(&store->shared) &&
             memtable_lock(&store->shared, os_monotonic() + LOOK_INTERVAL) == 0;
    if (locked)
        watch_rescue(&store->watch, &store->shared);
    pool_renew(&store->pool, NULL);
    rc = open_parts(store, &options, deadline);
    if (locked && shared_is_file(&store->shared, old_fd))
        watch_keep_segment(&store->watch, &store->shared, old_slot);
    if (store->shared.fd != old_fd) /* it is the same if this failed before the segment's turn */
        os_close(old_fd);
    return rc;
}

static void leave_to_parent(struct store *store)
{
    pool_init(&store->pool);
    watch_forget(&store->watch);
    atomic_store(&store->helper,
                 NULL); /* it has stayed with the parent, and what it points to too */
    store->owner = 0;
    shared_close(&store->shared, -1); /* its descriptor is closed: this only unmaps */
}

/* In place of the directory that was opened there may be another by now, or none. */
static int start(struct store *store)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    int64_t deadline = os_deadline(store->timeout);
    struct stat st;
    int rc;

    leave_parents_locks();
    if (store->fork_generation != RESTING)
        leave_to_parent(store);
    if (!store->read_only && (os_fstatat(AT_FDCWD, store->path, &st) < 0 ||
                              st.st_dev != store->device || st.st_ino != store->inode))
        rc = revive_parts(store, deadline);
    else
        rc = open_parts(store, &options, deadline);
    if (rc < 0) { /* as it was: the next use tries again */
        pool_renew(&store->pool, NULL);
        shared_close(&store->shared, store->files.dir);
    } else {
        atomic_store(&store->fork_generation, store_forks);
    }
    return rc;
}

int store_start(struct store *store)
{
    int rc = 0;

    lock_list();
    if (store->fork_generation != store_forks)
        rc = start(store);
    unlock_list();
    return rc;
}

int store_revive(struct store *store, unsigned generation, int64_t deadline)
{
    int rc = 0;

    lock_list();
    if (store->pool.generation == generation || store->gone) {
        store->gone = true;
        rc = revive_parts(store, deadline);
        store->gone = rc < 0;
    }
    unlock_list();
    return rc;
}

int store_others_write(struct store *store, bool *ret_others)
{
    unsigned generation = atomic_load(&store->pool.generation);
    int rc = 0;

    *ret_others = false;
    if (atomic_load(&store->private_since) == generation + 1)
        return 0;
    rc = guard_others_write(store->files.dir, ret_others);
    if (rc == 0 && !*ret_others)
        atomic_store(&store->private_since, generation + 1);
    return rc;
}

int store_rebuild(struct store *store, int64_t deadline)
{
    unsigned generation = store->pool.generation;
    int rc = store_is_stale(store) ? DCACHE_CORRUPT /* start() has tried */
                                   : set_aside(store, deadline);

    return rc < 0 ? rc : store_revive(store, generation, deadline);
}

void store_heal(struct store *store, int64_t deadline)
{
    if (store->rebuild && atomic_load_explicit(&store->pool.suspect, memory_order_relaxed))
        (void)store_rebuild(store, deadline); /* if it is still damaged, the next call says so */
}

/* ---- connections ---- */

static bool is_removed(struct store *store)
{
    struct stat st;

    return os_fstat(store->files.dir, &st) == 0 && st.st_nlink == 0;
}

/* While the directory is being made anew, its database may have no tables yet: what is opened then, or
 * cannot be opened, is GONE, and the caller waits in store_revive(). */
static int open_another(struct store *store, int64_t deadline, struct db **ret_db)
{
    struct db *db = NULL;
    int rc = open_connection(store, &db);

    if (rc == 0) {
        db->deadline = deadline; /* without a log, pragmas wait for who is just committing */
        if (!store->journal_matched)
            rc = match_journal(store, db);
        if (rc == 0)
            rc = schema_pragmas(db, &store->settings, store->use_shared);
    }
    if (!store->read_only && (store->gone || (rc < 0 && is_removed(store))))
        rc = DCACHE_GONE;
    if (rc == DCACHE_CORRUPT)
        atomic_store(&store->pool.suspect, true);
    if (rc < 0 && db)
        pool_close(db);
    else if (rc == 0)
        *ret_db = db;
    return rc;
}

int store_borrow(struct store *store, int64_t deadline, struct db **ret_db)
{
    unsigned generation;
    struct db *db;
    int rc = pool_take(&store->pool, deadline, &db, &generation);

    if (rc < 0)
        return rc;
    if (!db) {
        rc = open_another(store, deadline, &db);
        if (rc < 0) {
            pool_forget(&store->pool);
            return rc;
        }
        db->generation = generation;
    }
    db->deadline = deadline;
    *ret_db = db;
    return 0;
}

void store_return(struct store *store, struct db *db)
{
    pool_put(&store->pool, db);
}

/* An immutable connection must go when a writer has come, or has come and gone. */
static void renew_snapshot(struct store *store)
{
    struct stat log, now;

    if (os_fstatat(store->files.dir, DB_NAME "-wal", &log) < 0 &&
        os_fstatat(store->files.dir, DB_NAME, &now) == 0 &&
        directory_same_file(&now, &store->snapshot))
        return;
    choose_immutable(store);
    pool_renew(&store->pool, NULL);
}

void store_watch(struct store *store)
{
    struct watch *watch = &store->watch;
    unsigned generation = store->pool.generation;
    struct db *db = NULL;

    if (atomic_load(&watch->commits) || !store_uses_memtable(store) || store->gone ||
        pthread_mutex_trylock(&watch->mutex) != 0)
        return;
    if (!watch->db && open_another(store, os_monotonic() + LOOK_INTERVAL, &db) == 0 &&
        db_exec(db, "SELECT 1 FROM Settings LIMIT 1") == 0 &&
        generation == store->pool.generation && watch_begin(watch, db))
        db = NULL;
    if (db)
        pool_close(db);
    pthread_mutex_unlock(&watch->mutex);
}

bool store_seems_removed(struct store *store)
{
    int64_t now = os_coarse();

    if (now == atomic_load_explicit(&store->ticked, memory_order_relaxed))
        return false;
    if (is_removed(store))
        return true;
    atomic_store_explicit(&store->ticked, now, memory_order_relaxed);
    return false;
}

bool store_may_ask(struct store *store)
{
    return !store_is_stale(store) && store_uses_memtable(store) && store_settings_current(store) &&
           !store->gone &&
           os_coarse() - atomic_load_explicit(&store->looked, memory_order_relaxed) < LOOK_INTERVAL;
}

/* By name only now and then, since that walks the path. */
static bool has_moved(struct store *store, struct db *db)
{
    int64_t now = os_coarse();

    if (atomic_load_explicit(&store->shared.segment->rebuilds, memory_order_relaxed) !=
        atomic_load_explicit(&store->rebuilds, memory_order_relaxed))
        return true;
    if (now - atomic_load_explicit(&store->looked, memory_order_relaxed) < LOOK_INTERVAL)
        return false;
    if (db_has_moved(db))
        return true;
    atomic_store_explicit(&store->looked, now, memory_order_relaxed);
    return false;
}

bool store_is_gone(struct store *store, struct db *db)
{
    return is_removed(store) || has_moved(store, db);
}

int store_borrow_reader(struct store *store, int64_t deadline, struct db **ret_db)
{
    if (store->immutable)
        renew_snapshot(store);
    store_heal(store, deadline);
    for (;;) {
        unsigned generation = store->pool.generation;
        int rc = store->gone ? DCACHE_GONE : store_borrow(store, deadline, ret_db);

        if (rc == 0 && !store->read_only && has_moved(store, *ret_db)) {
            generation = (*ret_db)->generation;
            store_return(store, *ret_db);
            rc = DCACHE_GONE;
        }
        if (rc != DCACHE_GONE)
            return rc;
        rc = store_revive(store, generation, deadline);
        if (rc < 0)
            return rc;
    }
}

/* ---- settings ---- */

/* Whoever would have to wait for the mutex reads them instead. */
bool store_take_rested(struct store *store, struct dcache_setting **ret_settings, size_t *ret_count)
{
    bool valid;

    if (pthread_mutex_trylock(&list_mutex) != 0)
        return false;
    os_wait_quietly(true);
    valid = rest_take(&store->rest, store->files.dir, ret_settings, ret_count);
    unlock_list();
    return valid;
}
