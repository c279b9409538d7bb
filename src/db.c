/* db.c - one SQLite connection. See db.h. */
#include "db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WAL_LIMIT (INT64_C(20) << 20) /* bytes that the log may keep after a checkpoint */

/* ---- codes ---- */

static int status_of_code(int code, int sys_errno)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return DCACHE_TIMEOUT;
    case SQLITE_NOMEM:
        return DCACHE_NOMEM;
    case SQLITE_READONLY:
        return code == SQLITE_READONLY_DBMOVED ? DCACHE_GONE : DCACHE_READONLY;
    case SQLITE_FULL:
        return DCACHE_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return DCACHE_CORRUPT;
    case SQLITE_TOOBIG:
        return DCACHE_TOO_BIG;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM)
            return DCACHE_NOMEM;
        return sys_errno == ENOSPC || sys_errno == EDQUOT || sys_errno == EFBIG ? DCACHE_FULL
                                                                                : DCACHE_IO;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return DCACHE_IO;
    default:
        return DCACHE_SQLITE;
    }
}

/* errno of what failed last: SQLite has often done more calls since then, to clean up; the file it
 * failed on remembers. */
static int system_errno(sqlite3 *handle)
{
    int error = sqlite3_system_errno(handle);
    sqlite3_file *log = NULL;

    if (error == 0 &&
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log && log->pMethods)
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
    if (error == 0)
        (void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

int db_fail(struct db *db, int code)
{
    int sys_errno = db->handle ? system_errno(db->handle) : 0;
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    int primary = code & 0xff;

    if (primary == SQLITE_BUSY && db->interrupted) {
        db->interrupted = false;
        return os_fail(DCACHE_CALLBACK, "the wait was ended");
    }
    /* SQLite keeps errno long after; it says something only of these. */
    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN && primary != SQLITE_FULL)
        sys_errno = 0;
    db->suspect |= primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
    return os_fail_sqlite(status_of_code(code, sys_errno), code, sys_errno, text);
}

/* ---- opening ---- */

static int busy(void *arg, int calls)
{
    struct db *db = arg;
    int64_t now = os_monotonic(), step = calls < 10 ? OS_MS / 10 : OS_MS;

    db->interrupted = now < db->deadline && os_waiting() < 0;
    if (now >= db->deadline || db->interrupted)
        return 0;
    os_sleep(step < db->deadline - now ? step : db->deadline - now);
    return 1;
}

static int note_frames(void *arg, sqlite3 *handle, const char *schema, int frames)
{
    (void)handle;
    (void)schema;
    ((struct db *)arg)->wal_frames = frames;
    ((struct db *)arg)->written++;
    return SQLITE_OK;
}

static void note_rowid(void *arg, int operation, const char *schema, const char *table,
                       sqlite3_int64 rowid)
{
    (void)operation;
    (void)schema;
    (void)table;
    ((struct db *)arg)->changed_rowid = rowid;
}

/* The data is somebody else's, the statements are ours and short. ATTACH is what VACUUM does. */
static void set_limits(sqlite3 *handle)
{
    static const int limits[][2] = {
        {SQLITE_LIMIT_SQL_LENGTH, 100000},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 8},
        {SQLITE_LIMIT_FUNCTION_ARG, 16},
        {SQLITE_LIMIT_ATTACHED, 1},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 100},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    int64_t most = os_memory_limit();

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        (void)sqlite3_limit(handle, limits[i][0], limits[i][1]); /* hands the old one back */
    if (most < 1000000000)                                       /* SQLite's own limit */
        (void)sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, (int)most);
}

static int configure(struct db *db)
{
    static const struct {
        int option, value;
    } options[] = {
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_DQS_DDL, 1}, /* 5.6.3 wrote "size" for 'size' in its triggers */
        {SQLITE_DBCONFIG_DQS_DML, 1},
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int rc = sqlite3_db_config(db->handle, options[i].option, options[i].value, (int *)NULL);

        if (rc != SQLITE_OK)
            return db_fail(db, rc);
    }
    set_limits(db->handle);
    (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &db->file);
    (void)sqlite3_busy_handler(db->handle, busy, db);      /* cannot fail on an open connection */
    (void)sqlite3_update_hook(db->handle, note_rowid, db); /* cheaper than RETURNING */
    (void)sqlite3_wal_hook(db->handle, note_frames, db);   /* in place of the auto-checkpoint */
    return 0;
}

/* Percent-encode what has a meaning in a URI. */
static char *make_uri(const char *path, unsigned flags)
{
    char *uri = os_malloc(3 * strlen(path) + 64), *at = uri;

    if (!uri)
        return NULL;
    at += sprintf(at, "file:");
    for (; *path; path++) {
        if (*path == '%' || *path == '?' || *path == '#')
            at += sprintf(at, "%%%02X", (unsigned char)*path);
        else
            *at++ = *path;
    }
    (void)sprintf(at, "%s",
                  flags & DB_IMMUTABLE   ? "?immutable=1"
                  : flags & DB_READ_ONLY ? "?readonly_shm=1"
                                         : "");
    return uri;
}

int db_open(struct db *db, const char *path, unsigned flags)
{
    int mode = flags & (DB_READ_ONLY | DB_IMMUTABLE) ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    char *uri = make_uri(path, flags);
    int rc, code;

    if (!uri)
        return DCACHE_NOMEM;
    rc = vfs_register();
    if (rc < 0) {
        free(uri);
        return rc;
    }
    code = os_fault() ? SQLITE_CANTOPEN
                      : sqlite3_open_v2(uri, &db->handle,
                                        mode | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                                            SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                        VFS_NAME);
    free(uri);
    rc = code == SQLITE_OK ? configure(db) : db_fail(db, code);
    if (rc < 0)
        db_close(db);
    return rc;
}

void db_drop_statements(struct db *db)
{
    for (int i = 0; i < DB_STATEMENTS; i++) {
        (void)sqlite3_finalize(db->statements[i]); /* repeats the error of its last step */
        db->statements[i] = NULL;
    }
    (void)sqlite3_finalize(db->page);
    db->page = NULL;
}

/* The last connection to a database removes its log, by name; after the database was replaced, that would be
 * the log of the new one, with what is in it. */
void db_close(struct db *db)
{
    int persist = 1;

    db_drop_statements(db);
    if (db->handle && db_has_moved(db))
        (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    (void)sqlite3_close(db->handle); /* no statement is left that it could refuse for */
    db->handle = NULL;
}

/* ---- statements ---- */

int db_exec(struct db *db, const char *sql)
{
    int code = os_fault() ? SQLITE_IOERR : sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : db_fail(db, code);
}

static int prepare(struct db *db, const char *sql, unsigned flags, sqlite3_stmt **ret_statement)
{
    int code = os_fault() ? SQLITE_NOMEM
                          : sqlite3_prepare_v3(db->handle, sql, -1, flags, ret_statement, NULL);

    return code == SQLITE_OK ? 0 : db_fail(db, code);
}

int db_statement(struct db *db, int index, const char *sql, sqlite3_stmt **ret_statement)
{
    if (!db->statements[index]) {
        int rc = prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &db->statements[index]);

        if (rc < 0)
            return rc;
    }
    *ret_statement = db->statements[index];
    return 0;
}

int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret_statement)
{
    return prepare(db, sql, 0, ret_statement);
}

int db_page(struct db *db, const char *sql, sqlite3_stmt **ret_statement)
{
    int rc = 0;

    if (!db->page || strcmp(sqlite3_sql(db->page), sql) != 0) {
        (void)sqlite3_finalize(db->page);
        db->page = NULL;
        rc = prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &db->page);
    }
    *ret_statement = db->page;
    return rc;
}

/* What was bound is the caller's, and goes. */
void db_page_end(struct db *db)
{
    if (!db->page) /* it could not be prepared */
        return;
    (void)sqlite3_reset(db->page); /* repeats the code of the step */
    (void)sqlite3_clear_bindings(db->page);
}

int db_step(struct db *db, sqlite3_stmt *statement)
{
    int code = os_fault() ? SQLITE_IOERR : sqlite3_step(statement), rc;

    if (code == SQLITE_ROW)
        return 1;
    rc = code == SQLITE_DONE ? 0 : db_fail(db, code);
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return rc;
}

int db_run(struct db *db, sqlite3_stmt *statement)
{
    int rc;

    do
        rc = db_step(db, statement);
    while (rc == 1);
    return rc;
}

int db_begin(struct db *db, sqlite3_stmt *begin)
{
    bool suspect = db->suspect;
    int rc = db_run(db, begin);

    if (rc != DCACHE_CORRUPT || !vfs_leaves_out(db->file))
        return rc;
    db->suspect = suspect;
    vfs_leave_out(db->file, false);
    return db_run(db, begin);
}

int db_integer(struct db *db, sqlite3_stmt *statement, int64_t fallback, int64_t *ret_integer)
{
    int rc = db_step(db, statement);

    if (rc < 0)
        return rc;
    *ret_integer = rc == 1 ? sqlite3_column_int64(statement, 0) : fallback;
    (void)sqlite3_reset(statement);
    return 0;
}

int db_bind(struct db *db, sqlite3_stmt *statement, int index, const struct dcache_value *value)
{
    /* NULL would bind SQL NULL in place of nothing. */
    const void *data = value_is_data(value) && value->size > 0 ? value->data : "";
    int code;

    switch (value->type) {
    case DCACHE_INT:
        code = sqlite3_bind_int64(statement, index, value->integer);
        break;
    case DCACHE_DOUBLE:
        code = sqlite3_bind_double(statement, index, value->real);
        break;
    case DCACHE_TEXT:
        code = sqlite3_bind_text64(statement, index, data, value->size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        code = sqlite3_bind_blob64(statement, index, data, value->size, SQLITE_STATIC);
        break;
    case DCACHE_NONE:
    case DCACHE_FD:
    case DCACHE_READER:
    case DCACHE_STORED:
    default:
        code = sqlite3_bind_null(statement, index);
        break;
    }
    return code == SQLITE_OK ? 0 : db_fail(db, code);
}

/* Each sqlite3_column_...() looks for an error and a mutex of its own; our connections have none, and then
 * the value may be asked itself. */
struct dcache_value db_column(sqlite3_stmt *statement, int column)
{
    sqlite3_value *value = sqlite3_column_value(statement, column);
    const void *data;

    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return dcache_int(sqlite3_value_int64(value));
    case SQLITE_FLOAT:
        return dcache_double(sqlite3_value_double(value));
    case SQLITE_TEXT:
        data = sqlite3_value_text(value); /* before _bytes, which may move it */
        return dcache_sized(DCACHE_TEXT, data, (size_t)sqlite3_value_bytes(value));
    case SQLITE_BLOB:
        data = sqlite3_value_blob(value);
        return dcache_sized(DCACHE_BYTES, data, (size_t)sqlite3_value_bytes(value));
    default:
        return dcache_none();
    }
}

/* ---- the file ---- */

bool db_unlocked_begin(struct db *db)
{
    db->was_suspect = db->suspect;
    return sqlite3_get_autocommit(db->handle) && vfs_unlocked_begin(db->file, &db->header);
}

bool db_unlocked_end(struct db *db)
{
    if (vfs_unlocked_end(db->file, &db->header))
        return true;
    db->suspect = db->was_suspect; /* a reading of two moments may look like damage */
    return false;
}

uint64_t db_commits(struct db *db)
{
    const _Atomic uint32_t *index = vfs_index(db->file);

    return index ? vfs_commits(index) : DB_NO_COMMITS;
}

bool db_has_moved(struct db *db)
{
    int moved = 0;

    return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

void db_checkpoint(struct db *db)
{
    int64_t saved = db->deadline;
    int frames = 0, copied = 0;

    db->deadline = 0; /* never wait for a reader: the next commit tries again */
    if (!os_fault() && sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                                 &frames, &copied) == SQLITE_OK) {
        /* A page has 512 bytes at least; 4096 is what it has unless somebody chose otherwise. */
        if (frames == copied && (int64_t)frames * 4096 > WAL_LIMIT)
            (void)sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                            NULL); /* BUSY: a reader uses the log */
        db->wal_frames = frames - copied;
    }
    db->deadline = saved;
}

/* ---- fork ---- */

static dev_t device_shift;

static int shifted_fstat(int fd, struct stat *st)
{
    int rc = fstat(fd, st);

    st->st_dev += device_shift;
    return rc;
}

static int shifted_stat(const char *path, struct stat *st)
{
    int rc = stat(path, st);

    st->st_dev += device_shift;
    return rc;
}

void db_forked(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    device_shift += (dev_t)1 << 40; /* beyond any device number, and anew for each generation */
    if (!vfs || vfs->iVersion < 3)
        return;
    (void)vfs->xSetSystemCall(vfs, "fstat", (sqlite3_syscall_ptr)shifted_fstat);
    (void)vfs->xSetSystemCall(vfs, "stat", (sqlite3_syscall_ptr)shifted_stat);
}

/* Outer before inner, as SQLite itself nests them: making a temporary name (VFS1) asks for random
 * bytes (PRNG), which looks for the VFS (MAIN); any of them allocates. */
static const int global_mutexes[] = {SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_PRNG,
                                     SQLITE_MUTEX_STATIC_MAIN, SQLITE_MUTEX_STATIC_LRU,
                                     SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_MEM};
#define GLOBAL_MUTEXES (int)(sizeof global_mutexes / sizeof *global_mutexes)

void db_before_fork(void)
{
    for (int i = 0; i < GLOBAL_MUTEXES; i++)
        sqlite3_mutex_enter(sqlite3_mutex_alloc(global_mutexes[i]));
}

void db_after_fork(void)
{
    for (int i = GLOBAL_MUTEXES - 1; i >= 0; i--)
        sqlite3_mutex_leave(sqlite3_mutex_alloc(global_mutexes[i]));
}
