/* row.h - table Cache: one function for each SQL statement, the only SQL on rows. */
#ifndef ROW_H
#define ROW_H

#include "db.h"

/* For sum_sql(). The second without the value. */
#define ROW_COLUMNS                                                                         \
    "rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode," \
    " filename, value@column"
#define ROW_META                                                                            \
    "rowid, key, raw, store_time, expire_time, access_time, access_count, tag, size, mode," \
    " filename, NULL"

enum policy { POLICY_NONE, POLICY_STORED, POLICY_USED, POLICY_FREQUENT };

/* A pinned item has this added to its store_time and access_time (so they lie after the year
 * 33658). 5.6.3, which orders by time or count to evict, reaches such rows last. */
#define ROW_PINNED_TIME 1e12
#define ROW_PINNED_STEP 0x1p-13 /* seconds between two such times: 122 us */
#define ROW_OVERHEAD 1024 /* bytes that a row takes at most in tables and indexes, on average */
#define ROW_PINNED_COUNT (INT64_C(1) << 62)

/* What the pointers of a row that was read point into. */
struct row_memory {
    void *more; /* contents of the value's file, once read */
    size_t more_size;
    struct dcache_stored stored; /* for DCACHE_AS_STORED */
    char data[];
};

struct row {
    int64_t rowid;
    struct dcache_value key; /* as stored */
    int raw;
    double store_time;
    double expire_time; /* DCACHE_NEVER: NULL */
    double access_time;
    int64_t access_count;
    struct dcache_value tag;
    int64_t size;
    int mode;
    const char *filename;      /* of the layout's separator, or NULL */
    struct dcache_value value; /* as stored */
    bool damaged;              /* its value, or (entry_open_file) its file is not what was stored */
    struct row_memory *memory; /* NULL when they are borrowed */
};

void row_clear(struct row *row);
void row_memory_free(struct row_memory *memory);

/* Whether the row has not expired. */
static inline bool row_is_live(const struct row *row)
{
    return row->expire_time == DCACHE_NEVER || row->expire_time > os_now();
}

bool row_is_pinned(const struct row *row);

/* The time of a pinned row that is stored now: not after it, or the row would seem to be later than what is stored
 * next. And the time when a row was stored, pinned or not. */
double row_pinned_time(double now);
double row_time(const struct row *row);

/* The row of a key, without value, tag, mode and access time. Fails: NOT_FOUND. */
int row_find(struct db *db, const struct dcache_value *key, int raw, struct row *ret_row);

/* The same with its value. */
int row_get(struct db *db, const struct dcache_value *key, int raw, struct row *ret_row);

/* The same without a lock of SQLite's, where that can be (vfs.h). ROW_AGAIN: with another connection;
 * this one is closed when it is given back. */
#define ROW_AGAIN 2
int row_read(struct db *db, const struct dcache_value *key, int raw, struct row *ret_row);

/* Key and raw of a row. Fails: NOT_FOUND. */
int row_key(struct db *db, int64_t rowid, struct row *ret_row);

/* Whether row_get() has had to read the schema anew since this was last asked. */
bool row_get_read_schema(struct db *db);

/* Fails: EXISTS (there is a row with that key). */
int row_insert(struct db *db, const struct row *row, int64_t *ret_rowid);
int row_update(struct db *db, int64_t rowid, const struct row *row); /* all but the key */

/* Replace a row of the same key that has no file and no size, so that nothing of it need be known.
 * Fails: NOT_FOUND (there is none, or it is of another kind). */
int row_overwrite(struct db *db, const struct row *row, int64_t *ret_rowid);
int row_delete(struct db *db, int64_t rowid);
int row_touch(struct db *db, int64_t rowid, double expire_time);
int row_rename(struct db *db, int64_t rowid, const struct dcache_value *key, int raw);
int row_set_size(struct db *db, int64_t rowid, int64_t size);

/* A number's new value: a write, and for the policy an access. */
int row_set_number(struct db *db, const struct row *row, const struct dcache_value *value,
                   enum policy policy, double now);

/* Later access time, more accesses; a pinned row stays as it is. */
int row_add_access(struct db *db, int64_t rowid, double time, int64_t count);

/* First (DCACHE_FRONT) or last row of a queue: integer keys, or text keys `prefix` + '-' + 15
 * digits. Fails: NOT_FOUND. */
int row_queue_end(struct db *db, const char *prefix, enum dcache_side side, struct row *ret_row);

/* Rowid, key and raw of a row of a queue, `skip` rows from a side; no more of it. Fails: NOT_FOUND. */
int row_queue_key(struct db *db, const char *prefix, enum dcache_side side, int64_t skip,
                  struct row *ret_row);

/* First or last row by rowid. Fails: NOT_FOUND. */
int row_end(struct db *db, enum dcache_side side, struct row *ret_row);

/* What is needed of a row to remove it. */
struct victim {
    int64_t rowid;
    int64_t size;
    double expire_time;
    char *filename; /* or NULL */
};

enum row_select {
    ROW_EXPIRED, /* expire_time < now, soonest first */
    ROW_POLICY,  /* by policy, first to go first; no pinned ones */
    ROW_TAGGED,  /* by rowid, after `after` */
    ROW_ALL,     /* by rowid, after `after` */
    ROW_FILES    /* by rowid, after `after`, those with a file */
};

struct row_query {
    enum row_select select;
    enum policy policy;
    double now;
    const struct dcache_value *tag;
    int64_t after;
};

/* Up to `limit` victims into `ret_victims`. Release each filename with free(). */
int row_victims(struct db *db, const struct row_query *query, int limit, struct victim *ret_victims,
                int *ret_count);

int row_min_access_count(struct db *db, int64_t *ret_count); /* of what is not pinned; 0: none */
int row_max_rowid(struct db *db, int64_t *ret_rowid);
int row_are_between(struct db *db, int64_t low, int64_t high, bool *ret_are); /* all keys */
int row_totals(struct db *db, int64_t *ret_count, int64_t *ret_size);
int row_count_expired(struct db *db, double now, int64_t *ret_count);
int row_has_file(struct db *db, const char *filename, bool *ret_has);

/* The row of a statement that selects ROW_COLUMNS or ROW_META. */
int row_from_statement(sqlite3_stmt *statement, struct row *ret_row);

/* A tree whose rows are out of order: who goes on after the last row would never come to an end.
 * Notes it, and is CORRUPT. */
int row_out_of_order(void);

/* Whether the table has the columns of our statements. Fails: SQLITE. */
int row_check_columns(struct db *db);

#endif
