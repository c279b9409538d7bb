/* backup.c - a consistent copy while others write.
 *
 * Most value files are linked or copied beforehand. Then, under the write lock for a moment, a read
 * snapshot is opened and the files that came since are taken; nothing that the snapshot names can be
 * missing. The database is copied from the snapshot, without a lock. */
#include "entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100

struct backup {
    struct store *store;
    struct files to;
    char *path; /* of the database in it */
    bool made_directory;
};

static struct backup new_backup(struct dcache *cache)
{
    struct files *files = &cache->store->files;
    struct backup backup = {.store = cache->store};

    backup.to = (struct files){
        .dir = -1, .file_mode = files->file_mode, .dir_mode = files->dir_mode};
    return backup;
}

/* ---- the directory ---- */

static int open_target(struct backup *backup, const char *directory)
{
    char **names;
    size_t count;

    backup->made_directory = os_mkdirat(AT_FDCWD, directory, backup->to.dir_mode) == 0;
    if (!backup->made_directory && errno != EEXIST)
        return os_fail_errno("make directory %s", directory);
    backup->to.dir = os_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0);
    if (backup->to.dir < 0 || os_list(backup->to.dir, ".", &names, &count) < 0)
        return os_fail_errno("open directory %s", directory);
    free(names);
    if (count > 0)
        return os_fail(DCACHE_EXISTS, "%s is not empty", directory);
    backup->path = os_format("%s/" DB_NAME, directory);
    return backup->path ? 0 : DCACHE_NOMEM;
}

/* Remove whatever is in the target: it was empty before. */
static void empty_directory(int dir, const char *path, int depth)
{
    char **names;
    size_t count;

    if (os_list(dir, path, &names, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        char *name = os_format("%s/%s", path, names[i]);

        if (name && os_unlinkat(dir, name, 0) < 0 && depth < 3) {
            empty_directory(dir, name, depth + 1);
            (void)os_unlinkat(dir, name, AT_REMOVEDIR); /* clean-up after a failure: what stays */
        }                                               /* is the caller's to see */
        free(name);
    }
    free(names);
}

static void close_target(struct backup *backup, const char *directory, int rc)
{
    if (rc < 0 && backup->made_directory)
        (void)os_unlinkat(AT_FDCWD, directory, AT_REMOVEDIR); /* not empty: it says why itself */
    os_close(backup->to.dir);
    free(backup->path);
}

/* ---- files ---- */

static int make_parents(const struct backup *backup, char *name)
{
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        int rc;

        *slash = 0;
        rc = os_mkdirat(backup->to.dir, name, backup->to.dir_mode);
        if (rc < 0 && errno != EEXIST) {
            rc = os_fail_errno("make directory %s", name);
            *slash = '/';
            return rc;
        }
        *slash = '/';
    }
    return 0;
}

static int copy_bytes(int from, int to)
{
    char *buffer = os_malloc((size_t)1 << 18);
    ssize_t got = 1;
    int rc = buffer ? 0 : DCACHE_NOMEM;

    while (rc == 0 && got > 0) {
        got = os_read(from, buffer, (size_t)1 << 18);
        if (got < 0 || os_write_all(to, buffer, (size_t)got) < 0)
            rc = os_fail_errno("copy a value file");
    }
    free(buffer);
    return rc;
}

static int copy_file(const struct backup *backup, const char *name)
{
    int64_t size;
    int from, to, rc = file_open(&backup->store->files, name, 0, &from, &size);

    if (rc < 0)
        return rc;
    to = os_openat(backup->to.dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                   backup->to.file_mode);
    rc = to < 0 ? os_fail_errno("create %s", name) : copy_bytes(from, to);
    os_close(to);
    os_close(from);
    return rc;
}

/* Linked, for F4: a published file never changes. A file that is gone is NOT_FOUND. */
static int take_file(const struct backup *backup, char *name)
{
    int rc = file_is_inside(name) ? make_parents(backup, name)
                                  : os_fail(DCACHE_NOT_FOUND, "%s is not in the cache", name);

    if (rc == 0)
        rc = file_link(&backup->store->files, name, &backup->to);
    return rc == 0 || rc == DCACHE_NOT_FOUND ? rc : copy_file(backup, name);
}

/* Files of all rows that `db` sees. Those that are missing are passed over: the row has lost its
 * value already, or the file went between this moment and the reading of the row. */
static int take_files(const struct backup *backup, struct db *db)
{
    struct row_query query = {.select = ROW_FILES, .after = INT64_MIN};
    struct victim page[PAGE];
    int count, rc;

    do {
        rc = row_victims(db, &query, PAGE, page, &count);
        if (rc < 0)
            return rc;
        for (int i = 0; i < count; i++) {
            if (rc == 0)
                rc = take_file(backup, page[i].filename);
            if (rc == DCACHE_NOT_FOUND)
                rc = 0;
            query.after = page[i].rowid;
            free(page[i].filename);
        }
    } while (rc == 0 && count == PAGE);
    return rc;
}

/* ---- the database ---- */

static int copy_database(const struct backup *backup, struct db *from)
{
    struct db to = {0};
    sqlite3_backup *copy;
    int code, fd, rc;

    fd = os_openat(backup->to.dir, DB_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
                   backup->to.file_mode);
    if (fd < 0)
        return os_fail_errno("create %s", backup->path);
    os_close(fd);
    rc = db_open(&to, backup->path, 0);
    if (rc < 0)
        return rc;
    copy = os_fault() ? NULL : sqlite3_backup_init(to.handle, "main", from->handle, "main");
    code = copy ? sqlite3_backup_step(copy, -1) : SQLITE_NOMEM;
    (void)sqlite3_backup_finish(copy); /* repeats the code of the step */
    if (code != SQLITE_DONE)
        rc = db_fail(&to, code);
    db_close(&to);
    return rc;
}

/* With the snapshot's connection; `cache` to take the write lock with. */
static int copy_snapshot(struct backup *backup, struct dcache *cache, struct db *snapshot)
{
    struct txn txn = txn_new(cache);
    int64_t unused;
    int rc = cache->store->read_only ? 0 : txn_begin(&txn);

    if (rc == 0)
        rc = db_exec(snapshot, "BEGIN");
    if (rc == 0)
        rc = row_max_rowid(snapshot, &unused); /* the snapshot is taken by the first read */
    if (rc == 0)
        rc = take_files(backup, snapshot);
    txn_end(&txn); /* nothing was written: it only held the lock */
    if (rc == 0)
        rc = copy_database(backup, snapshot);
    if (!sqlite3_get_autocommit(snapshot->handle))
        (void)sqlite3_exec(snapshot->handle, "COMMIT", NULL, NULL, NULL); /* only a read */
    return rc;
}

/* Files taken beforehand whose rows have gone since; directories that are empty then. */
static int sweep_copy(const char *directory)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_report report;
    dcache *copy;
    int rc;

    rc = dcache_open(directory, &options, &copy);
    if (rc < 0)
        return rc;
    rc = dcache_check(copy, 1, &report);
    dcache_report_clear(&report);
    dcache_close(copy);
    return rc;
}

static int run(struct backup *backup, struct dcache *cache)
{
    struct db *db;
    int rc = txn_read_begin(cache, &db);

    if (rc < 0)
        return rc;
    rc = take_files(backup, db);
    txn_read_end(cache, db);
    if (rc == 0)
        rc = store_borrow(backup->store, os_deadline(cache->timeout), &db);
    if (rc == 0) {
        rc = copy_snapshot(backup, cache, db);
        store_return(backup->store, db);
    }
    return rc;
}

static int back_up(dcache *cache, const char *directory)
{
    struct backup backup = new_backup(cache);
    int rc = store_enter(cache->store);

    if (rc < 0)
        return rc;
    rc = open_target(&backup, directory);
    if (rc == 0) {
        rc = run(&backup, cache);
        if (rc == 0)
            rc = sweep_copy(directory);
        if (rc < 0)
            empty_directory(backup.to.dir, ".", 0);
    }
    close_target(&backup, directory, rc);
    return rc;
}

/* A directory for each shard; if one fails, all go. */
static int back_up_shards(dcache *cache, const char *directory)
{
    struct backup backup = new_backup(cache->shards[0]);
    int rc = open_target(&backup, directory);

    for (size_t i = 0; rc == 0 && i < cache->shard_count; i++) {
        char *path = os_format("%s/%03zu", directory, i);

        rc = path ? back_up(cache->shards[i], path) : DCACHE_NOMEM;
        if (rc < 0)
            empty_directory(backup.to.dir, ".", 0);
        free(path);
    }
    close_target(&backup, directory, rc);
    return rc;
}

int dcache_backup(dcache *cache, const char *directory)
{
    if (cache_part(cache, 0)->scope || !directory || !*directory)
        return os_fail(DCACHE_INVALID, directory ? "not in a transaction" : "no directory");
    return cache->shard_count > 0 ? back_up_shards(cache, directory) : back_up(cache, directory);
}
