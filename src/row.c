/* row.c - table Cache. See row.h. */
#include "row.h"

#include "file.h"
#include "sum.h"

#include <stdio.h>
#include <stdlib.h>

/* For who has the key: SQLite takes as long for a column as for a comparison in the tree. */
#define BY_KEY                                                                                \
    "rowid, NULL, NULL, store_time, expire_time, access_time, access_count, tag, size, mode," \
    " filename, value@column"
#define META_BY_KEY                                                                     \
    "rowid, NULL, NULL, store_time, expire_time, NULL, access_count, NULL, size, NULL," \
    " filename, NULL"
/* All in the index by key: the table is not looked into. */
#define KEY_ONLY "rowid, key, raw, 0, NULL, 0, 0, NULL, 0, 0, NULL, NULL"
#define QUEUE_NUMBERS                                     \
    " FROM Cache WHERE 0 < key AND key < 999999999999999" \
    " AND raw = 1 AND typeof(key) = 'integer'"
/* The length keeps 'a-1-500000000000000' out of the queue 'a'. */
#define QUEUE_TEXTS                                       \
    " FROM Cache WHERE ?1 < key AND key < ?2 AND raw = 1" \
    " AND length(CAST(key AS BLOB)) = ?3"                 \
    " AND substr(key, -15) NOT GLOB '*[^0-9]*'"
#define PINNED "1e12" /* ROW_PINNED_TIME */

enum {
    FIND = DB_ROW_STATEMENTS,
    GET,
    GET_HINTED,
    INSERT,
    UPDATE,
    OVERWRITE,
    OVERWRITE_HINTED,
    DELETE,
    TOUCH,
    RENAME,
    SET_SIZE,
    SET_NUMBER,
    ADD_ACCESS,
    QUEUE_FIRST,
    QUEUE_LAST,
    QUEUE_TEXT_FIRST,
    QUEUE_TEXT_LAST,
    KEY_FIRST,
    KEY_LAST,
    KEY_TEXT_FIRST,
    KEY_TEXT_LAST,
    END_FIRST,
    END_LAST,
    EXPIRED,
    STORED,
    USED,
    FREQUENT,
    TAGGED,
    ALL,
    FILES,
    MIN_COUNT,
    MAX_ROWID,
    ARE_BETWEEN,
    TOTALS,
    COUNT_EXPIRED,
    HAS_FILE,
    KEY
};
_Static_assert((int)KEY < (int)DB_SETTINGS_STATEMENTS, "see db.h");

#define VICTIM "SELECT rowid, size, expire_time, filename FROM Cache WHERE "

static const char *const sql[] = {
    [FIND] = "SELECT " META_BY_KEY " FROM Cache WHERE key = ?1 AND raw = ?2",
    [GET] = "SELECT " BY_KEY " FROM Cache WHERE key = ?1 AND raw = ?2",
    [GET_HINTED] = "SELECT " BY_KEY " FROM Cache WHERE rowid = ?3 AND key = ?1 AND raw = ?2",
    [INSERT] =
        "INSERT OR IGNORE INTO Cache (key, raw, store_time, expire_time, access_time, access_count,"
        " tag, size, mode, filename, value@column)"
        " VALUES (?11, ?12, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10@value)",
    [UPDATE] =
        "UPDATE Cache SET store_time = ?2, expire_time = ?3, access_time = ?4,"
        " access_count = ?5, tag = ?6, size = ?7, mode = ?8, filename = ?9, value = ?10@assign"
        " WHERE rowid = ?1",
    [OVERWRITE] =
        "UPDATE Cache SET store_time = ?2, expire_time = ?3, access_time = ?4,"
        " access_count = ?5, tag = ?6, size = ?7, mode = ?8, filename = ?9, value = ?10@assign"
        " WHERE key = ?11 AND raw = ?12 AND filename IS NULL AND size = 0",
    [OVERWRITE_HINTED] =
        "UPDATE Cache SET store_time = ?2, expire_time = ?3, access_time = ?4,"
        " access_count = ?5, tag = ?6, size = ?7, mode = ?8, filename = ?9, value = ?10@assign"
        " WHERE rowid = ?1 AND key = ?11 AND raw = ?12 AND filename IS NULL AND size = 0",
    [DELETE] = "DELETE FROM Cache WHERE rowid = ?1",
    [TOUCH] = "UPDATE Cache SET expire_time = ?2 WHERE rowid = ?1",
    [RENAME] = "UPDATE Cache SET key = ?2, raw = ?3 WHERE rowid = ?1",
    [SET_SIZE] = "UPDATE Cache SET size = ?2 WHERE rowid = ?1",
    [SET_NUMBER] = "UPDATE Cache SET store_time = ?2, access_time = ?3, access_count = ?4,"
                   " value = ?5@assign WHERE rowid = ?1",
    [ADD_ACCESS] = "UPDATE Cache SET access_time = max(access_time, ?2),"
                   " access_count = access_count + ?3"
                   " WHERE rowid = ?1 AND store_time < " PINNED,
    [QUEUE_FIRST] = "SELECT " ROW_COLUMNS QUEUE_NUMBERS " ORDER BY key LIMIT 1",
    [QUEUE_LAST] = "SELECT " ROW_COLUMNS QUEUE_NUMBERS " ORDER BY key DESC LIMIT 1",
    [QUEUE_TEXT_FIRST] = "SELECT " ROW_COLUMNS QUEUE_TEXTS " ORDER BY key LIMIT 1",
    [QUEUE_TEXT_LAST] = "SELECT " ROW_COLUMNS QUEUE_TEXTS " ORDER BY key DESC LIMIT 1",
    [KEY_FIRST] = "SELECT " KEY_ONLY QUEUE_NUMBERS " ORDER BY key LIMIT 1 OFFSET ?4",
    [KEY_LAST] = "SELECT " KEY_ONLY QUEUE_NUMBERS " ORDER BY key DESC LIMIT 1 OFFSET ?4",
    [KEY_TEXT_FIRST] = "SELECT " KEY_ONLY QUEUE_TEXTS " ORDER BY key LIMIT 1 OFFSET ?4",
    [KEY_TEXT_LAST] = "SELECT " KEY_ONLY QUEUE_TEXTS " ORDER BY key DESC LIMIT 1 OFFSET ?4",
    [END_FIRST] = "SELECT " ROW_COLUMNS " FROM Cache ORDER BY rowid LIMIT 1",
    [END_LAST] = "SELECT " ROW_COLUMNS " FROM Cache ORDER BY rowid DESC LIMIT 1",
    [EXPIRED] = VICTIM "expire_time < ?1 ORDER BY expire_time LIMIT ?2",
    [STORED] = VICTIM "store_time < " PINNED " ORDER BY store_time LIMIT ?2",
    [USED] = VICTIM "store_time < " PINNED " ORDER BY access_time LIMIT ?2",
    [FREQUENT] = VICTIM "store_time < " PINNED " ORDER BY access_count LIMIT ?2",
    [TAGGED] = VICTIM "tag = ?1 AND rowid > ?3 ORDER BY rowid LIMIT ?2",
    [ALL] = VICTIM "rowid > ?3 ORDER BY rowid LIMIT ?2",
    [FILES] = VICTIM "rowid > ?3 AND filename IS NOT NULL ORDER BY rowid LIMIT ?2",
    [MIN_COUNT] = "SELECT access_count FROM Cache WHERE access_count < 4611686018427387904"
                  " ORDER BY access_count LIMIT 1",
    [MAX_ROWID] = "SELECT max(rowid) FROM Cache",
    [ARE_BETWEEN] =
        "SELECT (SELECT min(key) FROM Cache) >= ?1 AND (SELECT max(key) FROM Cache) <= ?2",
    [TOTALS] = "SELECT count(*), total(size) FROM Cache",
    [COUNT_EXPIRED] = "SELECT count(*) FROM Cache WHERE expire_time < ?1",
    [HAS_FILE] = "SELECT 1 FROM Cache WHERE filename = ?1 OR filename = ?2 LIMIT 1",
    [KEY] = "SELECT " KEY_ONLY " FROM Cache WHERE rowid = ?1",
};

#define CHECKSUM 12 /* the column, in what is selected */

static int statement(struct db *db, int index, sqlite3_stmt **ret)
{
    char *text;
    int rc;

    if (db->statements[index] || !strchr(sql[index], '@'))
        return db_statement(db, index, sql[index], ret);
    text = sum_sql(db, sql[index]);
    rc = text ? db_statement(db, index, text, ret) : DCACHE_NOMEM;
    free(text);
    return rc;
}

/* A statement would tell as well, but takes ten times as long to prepare. */
int row_check_columns(struct db *db)
{
    static const char *const columns[] = {
        "key", "raw",  "store_time", "expire_time", "access_time", "access_count",
        "tag", "size", "mode",       "filename",    "value"};
    int code = SQLITE_OK;

    for (size_t i = 0; code == SQLITE_OK && i < sizeof columns / sizeof *columns; i++)
        code = sqlite3_table_column_metadata(db->handle, "main", "Cache", columns[i], NULL, NULL,
                                             NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : db_fail(db, code);
}

/* ---- reading a row ---- */

void row_memory_free(struct row_memory *memory)
{
    if (memory && memory->more)
        free(memory->more);
    free(memory);
}

void row_clear(struct row *row)
{
    row_memory_free(row->memory);
    memset(row, 0, sizeof *row);
}

bool row_is_pinned(const struct row *row)
{
    return row->store_time >= ROW_PINNED_TIME;
}

double row_pinned_time(double now)
{
    double time = now + ROW_PINNED_TIME; /* rounded */

    return time - ROW_PINNED_TIME > now ? time - ROW_PINNED_STEP : time;
}

double row_time(const struct row *row)
{
    return row_is_pinned(row) ? row->store_time - ROW_PINNED_TIME : row->store_time;
}

static char *copy_into(char *at, struct dcache_value *value)
{
    if (!value_is_data(value))
        return at;
    if (value->size > 0)
        memcpy(at, value->data, value->size);
    at[value->size] = 0;
    value->data = at;
    return at + value->size + 1;
}

/* One allocation holds all that a row points to. */
static int own(struct row *row, struct dcache_value *filename)
{
    size_t size = value_bytes(&row->key) + value_bytes(&row->tag) + value_bytes(&row->value) +
                  value_bytes(filename) + 4;
    char *at;

    row->memory = os_malloc(sizeof *row->memory + size);
    if (!row->memory)
        return DCACHE_NOMEM;
    row->memory->more = NULL;
    at = row->memory->data;
    at = copy_into(at, &row->key);
    at = copy_into(at, &row->tag);
    at = copy_into(at, &row->value);
    if (filename->type == DCACHE_TEXT) {
        row->filename = at;
        (void)copy_into(at, filename);
        file_normalize(at);
    }
    return 0;
}

/* What the statement says of a row; `key` if the statement does not tell it. */
static int read_row(sqlite3_stmt *s, const struct dcache_value *key, int raw, struct row *ret_row)
{
    struct row row = {0};
    struct dcache_value filename = db_column(s, 10);
    int rc;

    row.rowid = sqlite3_column_int64(s, 0);
    row.key = key ? *key : db_column(s, 1);
    row.raw = key ? raw : sqlite3_column_int(s, 2);
    row.store_time = sqlite3_column_double(s, 3);
    row.expire_time = sqlite3_column_type(s, 4) == SQLITE_NULL ? DCACHE_NEVER
                                                               : sqlite3_column_double(s, 4);
    row.access_time = sqlite3_column_double(s, 5);
    row.access_count = sqlite3_column_int64(s, 6);
    row.tag = db_column(s, 7);
    row.size = sqlite3_column_int64(s, 8);
    row.mode = sqlite3_column_int(s, 9);
    row.value = db_column(s, 11);
    if (sqlite3_column_count(s) > CHECKSUM && sqlite3_column_type(s, CHECKSUM) == SQLITE_INTEGER &&
        filename.type == DCACHE_NONE)
        row.damaged = sum_is_contradicted(sqlite3_column_int64(s, CHECKSUM), row.store_time,
                                          row.mode, &row.value);
    rc = own(&row, &filename);
    if (rc == 0)
        *ret_row = row;
    return rc;
}

int row_from_statement(sqlite3_stmt *s, struct row *ret_row)
{
    return read_row(s, NULL, 0, ret_row);
}

/* Step once and take the row. */
static int take(struct db *db, sqlite3_stmt *s, const struct dcache_value *key, int raw,
                struct row *ret_row)
{
    int rc = db_step(db, s);

    if (rc == 0)
        return DCACHE_NOT_FOUND;
    if (rc < 0)
        return rc;
    rc = read_row(s, key, raw, ret_row);
    (void)sqlite3_reset(s);
    return rc;
}

static int take_key(struct db *db, int index, const struct dcache_value *key, int raw,
                    struct row *ret_row)
{
    sqlite3_stmt *s;
    int rc = statement(db, index, &s);

    if (rc == 0)
        rc = db_bind(db, s, 1, key);
    if (rc == 0) {
        (void)sqlite3_bind_int(s, 2, raw); /* binding a number to a reset statement cannot fail */
        rc = take(db, s, key, raw, ret_row);
    }
    return rc;
}

int row_find(struct db *db, const struct dcache_value *key, int raw, struct row *ret_row)
{
    return take_key(db, FIND, key, raw, ret_row);
}

int row_key(struct db *db, int64_t rowid, struct row *ret_row)
{
    sqlite3_stmt *s;
    int rc = statement(db, KEY, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, rowid);
    return take(db, s, NULL, 0, ret_row);
}

/* ---- hints ---- */

/* NULL for a key too long to be worth it. */
static struct db_hint *hint_of(struct db *db, const struct dcache_value *key, int raw,
                               uint64_t *ret_hash)
{
    struct dcache_value normal;

    if (value_bytes(key) > 256)
        return NULL;
    normal = value_normal_key(key);
    *ret_hash = value_hash_key(&normal, raw);
    return &db->hints[*ret_hash >> 54]; /* DB_HINTS is 2 to the 10 */
}

/* A hint says where to look first; the statement compares the key, so that a stale one only misses. */
int row_get(struct db *db, const struct dcache_value *key, int raw, struct row *ret_row)
{
    uint64_t hash = 0;
    struct db_hint *hint = hint_of(db, key, raw, &hash);
    int rc;

    if (hint && hint->hash == hash && hint->rowid != 0) {
        sqlite3_stmt *s;

        rc = statement(db, GET_HINTED, &s);
        if (rc < 0)
            return rc;
        (void)sqlite3_bind_int64(s, 3, hint->rowid);
        rc = take_key(db, GET_HINTED, key, raw, ret_row);
        if (rc != DCACHE_NOT_FOUND)
            return rc;
    }
    rc = take_key(db, GET, key, raw, ret_row);
    if (rc == 0 && hint) {
        hint->hash = hash;
        hint->rowid = ret_row->rowid;
    }
    return rc;
}

bool row_get_read_schema(struct db *db)
{
    int times = 0;

    if (db->statements[GET])
        times += sqlite3_stmt_status(db->statements[GET], SQLITE_STMTSTATUS_REPREPARE, 1);
    if (db->statements[GET_HINTED])
        times += sqlite3_stmt_status(db->statements[GET_HINTED], SQLITE_STMTSTATUS_REPREPARE, 1);
    return times > 0;
}

int row_read(struct db *db, const struct dcache_value *key, int raw, struct row *ret_row)
{
    int rc;

    if (db_unlocked_begin(db)) {
        rc = row_get(db, key, raw, ret_row);
        if (db_unlocked_end(db))
            return rc;
        row_clear(ret_row); /* somebody has committed meanwhile */
        /* SQLite drops the pages of a void reading, but not a schema that it has read in it. */
        if (row_get_read_schema(db)) {
            db->generation--;
            return ROW_AGAIN;
        }
    }
    return row_get(db, key, raw, ret_row);
}

/* `first` is the statement for the front; the one for the back comes after it, those for text two
 * further on. */
static int queue_row(struct db *db, int first, const char *prefix, enum dcache_side side,
                     int64_t skip, struct row *ret_row)
{
    sqlite3_stmt *s;
    char *low = NULL, *high = NULL;
    int rc = statement(db, first + (side == DCACHE_BACK) + (prefix ? 2 : 0), &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 4, skip); /* of those with an offset only */
    if (!prefix)
        return take(db, s, NULL, 0, ret_row);
    low = os_format("%s-000000000000000", prefix);
    high = os_format("%s-999999999999999", prefix);
    if (low && high) {
        struct dcache_value from = dcache_text(low), to = dcache_text(high);

        rc = db_bind(db, s, 1, &from);
        if (rc == 0)
            rc = db_bind(db, s, 2, &to);
        (void)sqlite3_bind_int64(s, 3, (sqlite3_int64)from.size);
        if (rc == 0)
            rc = take(db, s, NULL, 0, ret_row);
        (void)sqlite3_clear_bindings(s); /* they point into low and high */
    } else {
        rc = DCACHE_NOMEM;
    }
    free(low);
    free(high);
    return rc;
}

int row_queue_end(struct db *db, const char *prefix, enum dcache_side side, struct row *ret_row)
{
    return queue_row(db, QUEUE_FIRST, prefix, side, 0, ret_row);
}

int row_queue_key(struct db *db, const char *prefix, enum dcache_side side, int64_t skip,
                  struct row *ret_row)
{
    return queue_row(db, KEY_FIRST, prefix, side, skip, ret_row);
}

int row_end(struct db *db, enum dcache_side side, struct row *ret_row)
{
    sqlite3_stmt *s;
    int rc = statement(db, side == DCACHE_FRONT ? END_FIRST : END_LAST, &s);

    return rc < 0 ? rc : take(db, s, NULL, 0, ret_row);
}

/* ---- writing ---- */

static void bind_time(sqlite3_stmt *s, int index, double time)
{
    if (time == DCACHE_NEVER)
        (void)sqlite3_bind_null(s, index);
    else
        (void)sqlite3_bind_double(s, index, time);
}

/* What is in a file has its checksum in the name of that. */
static void bind_sum(struct db *db, sqlite3_stmt *s, const struct row *row)
{
    if (db->summed && row->filename)
        (void)sqlite3_bind_null(s, SUM_PARAMETER);
    else if (db->summed)
        (void)sqlite3_bind_int64(s, SUM_PARAMETER,
                                 sum_of_row(row->store_time, row->mode, &row->value));
}

static int bind_row(struct db *db, sqlite3_stmt *s, const struct row *row)
{
    struct dcache_value filename = row->filename ? dcache_text(row->filename) : dcache_none();
    int rc;

    (void)sqlite3_bind_double(s, 2, row->store_time);
    bind_time(s, 3, row->expire_time);
    (void)sqlite3_bind_double(s, 4, row->access_time);
    (void)sqlite3_bind_int64(s, 5, row->access_count);
    (void)sqlite3_bind_int64(s, 7, row->size);
    (void)sqlite3_bind_int(s, 8, row->mode);
    bind_sum(db, s, row);
    rc = db_bind(db, s, 6, &row->tag);
    if (rc == 0)
        rc = db_bind(db, s, 9, &filename);
    if (rc == 0)
        rc = db_bind(db, s, 10, &row->value);
    return rc;
}

int row_insert(struct db *db, const struct row *row, int64_t *ret_rowid)
{
    sqlite3_stmt *s;
    int rc = statement(db, INSERT, &s);

    if (rc == 0)
        rc = bind_row(db, s, row);
    if (rc == 0)
        rc = db_bind(db, s, 11, &row->key);
    if (rc == 0) {
        (void)sqlite3_bind_int(s, 12, row->raw);
        rc = db_run(db, s);
    }
    if (rc == 0 && sqlite3_changes(db->handle) == 0)
        return DCACHE_EXISTS;
    if (rc == 0)
        *ret_rowid = db->changed_rowid;
    return rc;
}

int row_update(struct db *db, int64_t rowid, const struct row *row)
{
    sqlite3_stmt *s;
    int rc = statement(db, UPDATE, &s);

    if (rc == 0)
        rc = bind_row(db, s, row);
    if (rc == 0) {
        (void)sqlite3_bind_int64(s, 1, rowid);
        rc = db_run(db, s);
    }
    return rc;
}

static int overwrite(struct db *db, int index, int64_t rowid, const struct row *row)
{
    sqlite3_stmt *s;
    int rc = statement(db, index, &s);

    if (rc == 0)
        rc = bind_row(db, s, row);
    if (rc == 0)
        rc = db_bind(db, s, 11, &row->key);
    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int(s, 12, row->raw);
    (void)sqlite3_bind_int64(s, 1, rowid); /* of the hinted statement only */
    rc = db_run(db, s);
    return rc == 0 && sqlite3_changes(db->handle) == 0 ? DCACHE_NOT_FOUND : rc;
}

int row_overwrite(struct db *db, const struct row *row, int64_t *ret_rowid)
{
    uint64_t hash = 0;
    struct db_hint *hint = hint_of(db, &row->key, row->raw, &hash);
    int rc = DCACHE_NOT_FOUND;

    if (hint && hint->hash == hash && hint->rowid != 0)
        rc = overwrite(db, OVERWRITE_HINTED, hint->rowid, row);
    if (rc == DCACHE_NOT_FOUND)
        rc = overwrite(db, OVERWRITE, 0, row);
    if (rc < 0)
        return rc;
    *ret_rowid = db->changed_rowid;
    if (hint) {
        hint->hash = hash;
        hint->rowid = *ret_rowid;
    }
    return 0;
}

int row_delete(struct db *db, int64_t rowid)
{
    sqlite3_stmt *s;
    int rc = statement(db, DELETE, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, rowid);
    rc = db_run(db, s);
    /* It was read a moment ago. Who removes until nothing is left would go on for ever. */
    if (rc == 0 && sqlite3_changes(db->handle) == 0) {
        db->suspect = true;
        rc = os_fail(DCACHE_CORRUPT, "an index of %s names a row that is not there", DB_NAME);
    }
    return rc;
}

int row_touch(struct db *db, int64_t rowid, double expire_time)
{
    sqlite3_stmt *s;
    int rc = statement(db, TOUCH, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, rowid);
    bind_time(s, 2, expire_time);
    return db_run(db, s);
}

int row_rename(struct db *db, int64_t rowid, const struct dcache_value *key, int raw)
{
    sqlite3_stmt *s;
    int rc = statement(db, RENAME, &s);

    if (rc == 0)
        rc = db_bind(db, s, 2, key);
    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, rowid);
    (void)sqlite3_bind_int(s, 3, raw);
    return db_run(db, s);
}

int row_set_size(struct db *db, int64_t rowid, int64_t size)
{
    sqlite3_stmt *s;
    int rc = statement(db, SET_SIZE, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, rowid);
    (void)sqlite3_bind_int64(s, 2, size);
    return db_run(db, s);
}

int row_set_number(struct db *db, const struct row *row, const struct dcache_value *value,
                   enum policy policy, double now)
{
    bool pinned = row_is_pinned(row);
    struct row after = {.mode = row->mode, .value = *value};
    sqlite3_stmt *s;
    int rc = statement(db, SET_NUMBER, &s);

    if (rc == 0)
        rc = db_bind(db, s, 5, value);
    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, row->rowid);
    after.store_time = pinned ? row->store_time : now;
    (void)sqlite3_bind_double(s, 2, after.store_time);
    bind_sum(db, s, &after);
    (void)sqlite3_bind_double(s, 3, pinned || policy != POLICY_USED ? row->access_time : now);
    (void)sqlite3_bind_int64(s, 4, row->access_count + (!pinned && policy == POLICY_FREQUENT));
    return db_run(db, s);
}

int row_add_access(struct db *db, int64_t rowid, double time, int64_t count)
{
    sqlite3_stmt *s;
    int rc = statement(db, ADD_ACCESS, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, rowid);
    (void)sqlite3_bind_double(s, 2, time);
    (void)sqlite3_bind_int64(s, 3, count);
    return db_run(db, s);
}

/* ---- victims ---- */

static int victim_statement(struct db *db, const struct row_query *query, sqlite3_stmt **ret)
{
    static const int by_policy[] = {
        [POLICY_STORED] = STORED, [POLICY_USED] = USED, [POLICY_FREQUENT] = FREQUENT};
    int rc;

    switch (query->select) {
    case ROW_EXPIRED:
        rc = statement(db, EXPIRED, ret);
        if (rc == 0)
            (void)sqlite3_bind_double(*ret, 1, query->now);
        return rc;
    case ROW_POLICY:
        return statement(db, by_policy[query->policy], ret);
    case ROW_TAGGED:
        rc = statement(db, TAGGED, ret);
        return rc < 0 ? rc : db_bind(db, *ret, 1, query->tag);
    case ROW_ALL:
        return statement(db, ALL, ret);
    case ROW_FILES:
    default:
        return statement(db, FILES, ret);
    }
}

int row_out_of_order(void)
{
    return os_fail(DCACHE_CORRUPT, "rows of %s are out of order", DB_NAME);
}

int row_victims(struct db *db, const struct row_query *query, int limit, struct victim *ret_victims,
                int *ret_count)
{
    sqlite3_stmt *s = NULL;
    int64_t after = query->after;
    int count = 0, rc = victim_statement(db, query, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int(s, 2, limit);
    if (query->select >= ROW_TAGGED)
        (void)sqlite3_bind_int64(s, 3, query->after);
    while (count < limit && (rc = db_step(db, s)) == 1) {
        struct victim *v = &ret_victims[count];
        const char *name = (const char *)sqlite3_column_text(s, 3);

        v->rowid = sqlite3_column_int64(s, 0);
        if (query->select >= ROW_TAGGED && v->rowid <= after) {
            rc = row_out_of_order();
            break;
        }
        after = v->rowid;
        v->size = sqlite3_column_int64(s, 1);
        v->expire_time = sqlite3_column_type(s, 2) == SQLITE_NULL ? DCACHE_NEVER
                                                                  : sqlite3_column_double(s, 2);
        v->filename = name ? os_strdup(name) : NULL;
        if (name && !v->filename) {
            rc = DCACHE_NOMEM;
            break;
        }
        if (name)
            file_normalize(v->filename);
        count++;
    }
    (void)sqlite3_reset(s);
    if (rc < 0) {
        while (count > 0)
            free(ret_victims[--count].filename);
        return rc;
    }
    *ret_count = count;
    return 0;
}

/* ---- figures ---- */

static int integer(struct db *db, int index, int64_t *ret)
{
    sqlite3_stmt *s;
    int rc = statement(db, index, &s);

    return rc < 0 ? rc : db_integer(db, s, 0, ret);
}

int row_min_access_count(struct db *db, int64_t *ret_count)
{
    return integer(db, MIN_COUNT, ret_count);
}

int row_max_rowid(struct db *db, int64_t *ret_rowid)
{
    return integer(db, MAX_ROWID, ret_rowid);
}

int row_are_between(struct db *db, int64_t low, int64_t high, bool *ret_are)
{
    sqlite3_stmt *s;
    int64_t are = 0;
    int rc = statement(db, ARE_BETWEEN, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_int64(s, 1, low);
    (void)sqlite3_bind_int64(s, 2, high);
    rc = db_integer(db, s, 0, &are);
    *ret_are = are != 0;
    return rc;
}

int row_totals(struct db *db, int64_t *ret_count, int64_t *ret_size)
{
    sqlite3_stmt *s;
    int rc = statement(db, TOTALS, &s);

    if (rc == 0)
        rc = db_step(db, s);
    if (rc < 0)
        return rc;
    *ret_count = sqlite3_column_int64(s, 0);
    *ret_size = sqlite3_column_int64(s, 1);
    (void)sqlite3_reset(s);
    return 0;
}

int row_count_expired(struct db *db, double now, int64_t *ret_count)
{
    sqlite3_stmt *s;
    int rc = statement(db, COUNT_EXPIRED, &s);

    if (rc < 0)
        return rc;
    (void)sqlite3_bind_double(s, 1, now);
    return db_integer(db, s, 0, ret_count);
}

int row_has_file(struct db *db, const char *filename, bool *ret_has)
{
    struct dcache_value name = dcache_text(filename), windows;
    char *other = os_strdup(filename);
    sqlite3_stmt *s;
    int64_t has = 0;
    int rc = other ? statement(db, HAS_FILE, &s) : DCACHE_NOMEM;

    if (rc == 0) {
        for (char *at = other; *at; at++)
            if (*at == '/')
                *at = '\\';
        windows = dcache_text(other);
        rc = db_bind(db, s, 1, &name);
        if (rc == 0)
            rc = db_bind(db, s, 2, &windows);
        if (rc == 0)
            rc = db_integer(db, s, 0, &has);
        (void)sqlite3_clear_bindings(s);
    }
    free(other);
    if (rc == 0)
        *ret_has = has != 0;
    return rc;
}
