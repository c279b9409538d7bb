/* db.h - one SQLite connection: opening, pragmas, prepared statements, codes to statuses.
 *
 * A connection is used by one thread at a time; the pool in store.c sees to it. Its statements are
 * prepared once and kept. Triggers are off: txn.c keeps the counters. */
#ifndef DB_H
#define DB_H

#include "value.h"
#include "vfs.h"

#include <sqlite3.h>

#define DB_NAME "cache.db"
/* Which of a connection's prepared statements belong to which file. */
#define DB_STATEMENTS 63
enum {
    DB_ROW_STATEMENTS = 0,
    DB_SETTINGS_STATEMENTS = 40,
    DB_TXN_STATEMENTS = 50,
    DB_DRAIN_STATEMENTS = 60
};

/* Where a key was seen last: row.c finds it there with one search instead of two. */
#define DB_HINTS 1024
struct db_hint {
    uint64_t hash; /* of the key */
    int64_t rowid;
};

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[DB_STATEMENTS]; /* by the enums of row.c, settings.c, txn.c */
    sqlite3_stmt *page;                      /* db_page() */
    int64_t deadline;                        /* monotonic: how long the busy handler waits */
    unsigned generation;                     /* store.c: of the directory that this was opened on */
    int64_t changed_rowid;                   /* of the row that was inserted or updated last */
    int policy_index;  /* schema.c: the policy whose index is known to be there */
    int64_t page_size; /* bytes, 0: not asked yet */
    bool summed;       /* checksums of rows are written and compared: row.h */
    bool suspect;      /* SQLite has spoken of damage */
    bool was_suspect;  /* ... before a reading without a lock began */
    bool may_map;      /* the database is not mapped, but may be */
    int wal_frames;    /* in the log after our last commit */
    unsigned written;  /* our commits that have changed anything: db_commits() counts no others */
    struct db_hint hints[DB_HINTS];
    sqlite3_file *file; /* of the database, for reading without a lock */
    struct vfs_header header;
    bool interrupted; /* SQLite's wait for a lock was ended by os_waiting() */
    struct db *next;  /* store.c: in the pool */
};

enum db_flags {
    DB_READ_ONLY = 1,
    DB_IMMUTABLE = 2 /* no log beside it and none can be made: read the file as it is */
};

/* Open `path`, which has to exist. */
int db_open(struct db *db, const char *path, unsigned flags);
void db_close(struct db *db);

/* Run statements without results. */
int db_exec(struct db *db, const char *sql);

/* The statement `index`, prepared from `sql` when first asked for, reset. */
int db_statement(struct db *db, int index, const char *sql, sqlite3_stmt **ret_statement);

/* Forget them all: the next are prepared anew. None may be in the middle of its rows. */
void db_drop_statements(struct db *db);

/* A statement for one use; the caller finalizes it. */
int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret_statement);

/* A statement that is likely to be the one that was asked for last, as that of the next page of a walk;
 * one at a time. Fails: what preparing may. */
int db_page(struct db *db, const char *sql, sqlite3_stmt **ret_statement);
void db_page_end(struct db *db);

/* 1: a row, 0: done, else a status. Resets the statement unless there is a row. */
int db_step(struct db *db, sqlite3_stmt *statement);

/* Step to the end of a statement without results, and reset it. */
int db_run(struct db *db, sqlite3_stmt *statement);

/* Run a BEGIN IMMEDIATE. With the read marks left out (vfs.h) the first page, which SQLite reads before it has the
 * write lock, may be of another moment than what it is compared with, and look damaged: then once more, with
 * them. */
int db_begin(struct db *db, sqlite3_stmt *begin);

/* A single integer; `fallback` when there is no row. */
int db_integer(struct db *db, sqlite3_stmt *statement, int64_t fallback, int64_t *ret_integer);

int db_bind(struct db *db, sqlite3_stmt *statement, int index, const struct dcache_value *value);

/* What a column holds, borrowed from the statement until its next step. */
struct dcache_value db_column(sqlite3_stmt *statement, int column);

/* Read without a lock, see vfs.h: between the two one may run statements that read, to their end or
 * reset. False from the first: it cannot be done. False from the second: what was read, or failed,
 * means nothing, and has to be read again in the ordinary way. */
bool db_unlocked_begin(struct db *db);
bool db_unlocked_end(struct db *db);

/* SQLite's commit counter, see vfs.h; DB_NO_COMMITS where there is none. */
#define DB_NO_COMMITS UINT64_MAX
uint64_t db_commits(struct db *db);

/* Note SQLite's last failure and return its status. */
int db_fail(struct db *db, int code);

/* Whether the file `cache.db` was removed or replaced since this was opened. */
bool db_has_moved(struct db *db);

/* PASSIVE checkpoint; when that copied everything and the log is longer than it should be, the log
 * is truncated. Under the write lock only: SQLite before 3.51.3 may corrupt the database when two
 * checkpoint or write at one instant (the WAL-reset bug). Failures are left for the next. */
void db_checkpoint(struct db *db);

/* After a fork, in the child, before anything is opened: SQLite keeps the locks that this process
 * holds on a file in a table by device and inode, and the child inherits the table but not the
 * locks. From now on files show another device number, so that nothing finds the parent's. */
void db_forked(void);

/* Around a fork: hold and release SQLite's global mutexes, so that the child finds them free. */
void db_before_fork(void);
void db_after_fork(void);

#endif
