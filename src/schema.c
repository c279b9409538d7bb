/* schema.c - tables, indexes, triggers, pragmas. See schema.h and docs/FORMAT.md. */
#include "schema.h"

#include "pool.h"
#include "sum.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct object {
    const char *name, *type, *sql;
};

#define ON_CACHE(event, change) \
    " AFTER " event " ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value " change "; END"

static const struct object objects[] = {
    {"Settings", "table", "CREATE TABLE IF NOT EXISTS Settings (key TEXT NOT NULL UNIQUE, value)"},
    {"Cache", "table",
     "CREATE TABLE IF NOT EXISTS Cache (rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER,"
     " store_time REAL, expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0,"
     " tag BLOB, size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)"},
    {"Cache_key_raw", "index",
     "CREATE UNIQUE INDEX IF NOT EXISTS Cache_key_raw ON Cache (key, raw)"},
    {"Cache_expire_time", "index",
     "CREATE INDEX IF NOT EXISTS Cache_expire_time ON Cache (expire_time)"
     " WHERE expire_time IS NOT NULL"},
    {"Settings_count_insert", "trigger",
     "CREATE TRIGGER IF NOT EXISTS Settings_count_insert" ON_CACHE("INSERT",
                                                                   "+ 1 WHERE key = 'count'")},
    {"Settings_count_delete", "trigger",
     "CREATE TRIGGER IF NOT EXISTS Settings_count_delete" ON_CACHE("DELETE",
                                                                   "- 1 WHERE key = 'count'")},
    {"Settings_size_insert", "trigger",
     "CREATE TRIGGER IF NOT EXISTS Settings_size_insert" ON_CACHE("INSERT",
                                                                  "+ NEW.size WHERE key = 'size'")},
    {"Settings_size_update", "trigger",
     "CREATE TRIGGER IF NOT EXISTS Settings_size_update" ON_CACHE(
         "UPDATE", "+ NEW.size - OLD.size WHERE key = 'size'")},
    {"Settings_size_delete", "trigger",
     "CREATE TRIGGER IF NOT EXISTS Settings_size_delete" ON_CACHE("DELETE",
                                                                  "- OLD.size WHERE key = 'size'")},
};
#define OBJECTS (sizeof objects / sizeof *objects)

static const struct object tag_index = {
    "Cache_tag_rowid", "index", "CREATE INDEX IF NOT EXISTS Cache_tag_rowid ON Cache (tag, rowid)"};

static const char *const policy_indexes[] = {
    [POLICY_STORED] = "CREATE INDEX IF NOT EXISTS Cache_store_time ON Cache (store_time)",
    [POLICY_USED] = "CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)",
    [POLICY_FREQUENT] = "CREATE INDEX IF NOT EXISTS Cache_access_count ON Cache (access_count)",
};

/* ---- looking ---- */

struct found {
    size_t total;  /* objects of any name */
    size_t needed; /* of `objects` */
    unsigned seen; /* which of them, where they are peeked at */
    bool settings; /* table Settings */
    bool tag_index;
    bool planted; /* something on our tables that would have SQLite evaluate expressions */
    bool others;  /* the same on other tables */
};

static bool is_ours(const char *table)
{
    return strcasecmp(table, "Cache") == 0 || strcasecmp(table, "Settings") == 0;
}

/* A constraint, a default, a computed column or an index that calls a function has a second
 * parenthesis; a virtual table calls a module. Of the rest SQLite only stores values. (`sql` is as
 * SQLite keeps it, or as a hostile hand wrote it.) */
static bool is_plain(const char *type, const char *sql)
{
    static const char table[] = "CREATE TABLE ";
    const char *open = sql ? strchr(sql, '(') : NULL;

    if (strcmp(type, "index") == 0)
        return !sql || (open && !strchr(open + 1, '('));
    return strcmp(type, "table") == 0 && open && strncmp(sql, table, sizeof table - 1) == 0 &&
           !strchr(open + 1, '(');
}

static void note_object(struct found *found, const char *type, const char *name)
{
    found->total++;
    for (size_t i = 0; i < OBJECTS; i++) {
        if (strcmp(objects[i].name, name) == 0 && strcmp(objects[i].type, type) == 0) {
            found->needed++;
            found->settings |= i == 0;
        }
    }
    found->tag_index |= strcmp(name, tag_index.name) == 0;
}

/* Triggers are switched off, whatever they are. */
static void note_planted(struct found *found, const char *type, const char *table, const char *sql)
{
    if (strcmp(type, "trigger") == 0 || is_plain(type, sql))
        return;
    if (table && is_ours(table))
        found->planted = true;
    else if (strcmp(type, "view") != 0)
        found->others = true;
}

static int list_objects(struct db *db, struct found *found)
{
    sqlite3_stmt *s;
    int rc = db_prepare(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema", &s);

    if (rc < 0)
        return rc;
    while ((rc = db_step(db, s)) == 1) {
        const char *type = (const char *)sqlite3_column_text(s, 0);
        const char *name = (const char *)sqlite3_column_text(s, 1);

        if (!type || !name)
            continue;
        note_object(found, type, name);
        note_planted(found, type, (const char *)sqlite3_column_text(s, 2),
                     (const char *)sqlite3_column_text(s, 3));
    }
    (void)sqlite3_finalize(s);
    return rc;
}

int schema_is_plain(struct db *db, bool *ret_plain)
{
    struct found found = {0};
    int rc = list_objects(db, &found);

    if (rc == 0)
        *ret_plain = !found.planted && !found.others;
    return rc;
}

static int other_columns(void)
{
    return os_fail(DCACHE_CORRUPT, "%s has tables of a cache, but with other columns", DB_NAME);
}

int schema_look(struct db *db, struct settings *settings, unsigned shards, bool *ret_complete)
{
    struct found found = {0};
    struct settings
        read; /* in one go: others use `settings` meanwhile, and a failure changes none */
    bool complete = false;
    int rc = list_objects(db, &found);

    if (rc < 0)
        return rc;
    settings_default(&read, shards);
    if (found.total == 0) /* new, or made anew under its users: then as it was */
        settings_copy(&read, settings);
    if (found.total > 0 && !found.settings)
        return os_fail(DCACHE_CORRUPT, "%s is a database, but not a cache", DB_NAME);
    if (found.planted)
        return os_fail(DCACHE_CORRUPT, "%s has code in the tables of a cache", DB_NAME);
    if (found.settings) {
        rc = settings_load(db, &read, &complete);
        if (rc < 0)
            return rc == DCACHE_SQLITE ? other_columns() : rc;
    }
    complete = complete && found.needed == OBJECTS && found.tag_index == (read.tag_index != 0);
    if (complete) {
        rc = row_check_columns(db);
        if (rc < 0)
            return rc == DCACHE_SQLITE ? other_columns() : rc;
    }
    settings_copy(settings, &read);
    *ret_complete = complete;
    return 0;
}

/* ---- looking without SQLite ---- */

enum { TYPE, NAME, TABLE, ROOT, SQL, COLUMNS };

/* A column of text as C has it, at `*at`. */
static const char *take_text(const struct dcache_value *column, char **at)
{
    char *text = *at;

    if (column->type != DCACHE_TEXT || memchr(column->data, 0, column->size))
        return NULL;
    memcpy(text, column->data, column->size);
    text[column->size] = 0;
    *at += column->size + 1;
    return text;
}

/* Whether a table has the columns that ours has: what is in parentheses, whatever the spaces. To Cache,
 * that for checksums may have been added. */
static bool has_our_columns(const char *sql, const char *ours)
{
    const char *added = ", " SUM_COLUMN ")";

    for (sql = strchr(sql, '('), ours = strchr(ours, '('); sql && *sql; sql++) {
        while (*ours == ' ')
            ours++;
        if (*ours == ')' && ours[1] == 0 && *sql == ',')
            return strcmp(sql, added) == 0;
        if (*sql != ' ' && *sql != *ours++)
            return false;
    }
    return sql && *ours == 0;
}

/* One more object of the schema. Ours are to be there once, and the tables as we would make them: of
 * others, SQLite knows which columns they have. */
static int peek_object(const struct dcache_value columns[COLUMNS], char *memory,
                       struct found *found, int64_t *ret_root)
{
    const char *type = take_text(&columns[TYPE], &memory);
    const char *name = take_text(&columns[NAME], &memory);
    const char *table = take_text(&columns[TABLE], &memory);
    const char *sql = columns[SQL].type == DCACHE_NONE ? NULL : take_text(&columns[SQL], &memory);
    size_t before = found->needed;

    if (!type || !name || !table || (!sql && columns[SQL].type != DCACHE_NONE))
        return DCACHE_NOT_FOUND;
    note_object(found, type, name);
    note_planted(found, type, table, sql);
    for (size_t i = 0; found->needed > before && i < OBJECTS; i++) {
        if (strcmp(objects[i].name, name) != 0)
            continue;
        if ((found->seen & 1U << i) || !sql ||
            (strcmp(type, "table") == 0 && !has_our_columns(sql, objects[i].sql)))
            return DCACHE_NOT_FOUND;
        found->seen |= 1U << i;
        if (i == 0)
            *ret_root = columns[ROOT].type == DCACHE_INT ? columns[ROOT].integer : 0;
    }
    return 0;
}

static int peek_objects(struct peek *peek, struct found *found, int64_t *ret_root)
{
    struct dcache_value columns[COLUMNS];
    char *memory = os_malloc(peek->size + COLUMNS); /* a row is shorter than a page */
    int rc = memory ? 1 : DCACHE_NOMEM;

    while (rc == 1) {
        rc = peek_row(peek, columns, COLUMNS);
        if (rc == 1 && peek_object(columns, memory, found, ret_root) < 0)
            rc = DCACHE_NOT_FOUND;
    }
    free(memory);
    return rc;
}

int schema_peek(const char *path, struct settings *settings, unsigned shards,
                struct dcache_setting **ret_list, size_t *ret_count)
{
    struct dcache_setting *list = NULL;
    size_t count = 0;
    struct found found = {0};
    struct settings read;
    struct peek peek;
    int64_t root = 0;
    int rc = peek_open(&peek, path);

    if (rc < 0)
        return rc;
    settings_default(&read, shards);
    rc = peek_objects(&peek, &found, &root);
    if (rc == 0 && (found.needed != OBJECTS || found.planted))
        rc = DCACHE_NOT_FOUND;
    if (rc == 0)
        rc = peek_table(&peek, root);
    if (rc == 0)
        rc = settings_peek(&peek, &read, &list, &count);
    peek_close(&peek);
    if (rc == 0 && found.tag_index != (read.tag_index != 0))
        rc = DCACHE_NOT_FOUND;
    if (rc < 0) {
        dcache_settings_free(list, count);
        return rc;
    }
    settings_copy(settings, &read);
    *ret_list = list;
    *ret_count = count;
    return 0;
}

/* ---- making ---- */

int schema_prepare(struct db *db, const struct settings *settings, bool shared)
{
    int64_t journal = settings->journal;
    char text[160];

    if (!shared && journal == JOURNAL_WAL)
        journal = JOURNAL_DELETE;
    (void)snprintf(text, sizeof text, "PRAGMA auto_vacuum = %lld; PRAGMA journal_mode = %s",
                   (long long)settings->auto_vacuum, settings_journal_name(journal));
    return db_exec(db, text);
}

int schema_tag_index(struct db *db, const struct settings *settings)
{
    return db_exec(db,
                   settings->tag_index ? tag_index.sql : "DROP INDEX IF EXISTS Cache_tag_rowid");
}

/* It stays when the setting is taken back: what has one can be checked. */
int schema_checksums(struct db *db, const struct settings *settings)
{
    return settings->checksums && !sum_has_column(db) ? db_exec(db, SUM_ADD_COLUMN) : 0;
}

int schema_policy_index(struct db *db, enum policy policy)
{
    int rc;

    if (policy == POLICY_NONE || db->policy_index == (int)policy)
        return 0;
    rc = db_exec(db, policy_indexes[policy]);
    if (rc == 0)
        db->policy_index = (int)policy;
    return rc;
}

int schema_create(struct db *db, struct settings *settings)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < OBJECTS; i++)
        rc = db_exec(db, objects[i].sql);
    if (rc == 0)
        rc = settings_put_missing(db, settings);
    if (rc == 0)
        rc = schema_tag_index(db, settings);
    if (rc == 0)
        rc = schema_checksums(db, settings);
    return rc;
}

/* In pages or, negative, KiB; connections together keep within a half of what a process may use. */
static int64_t bounded_cache(int64_t cache_size)
{
    int64_t most = os_memory_limit() / 1024 / (2 * POOL_CONNECTIONS);
    int64_t kib = cache_size < 0 ? -cache_size : cache_size * 4;

    return kib > most ? -most : cache_size;
}

int schema_pragmas(struct db *db, const struct settings *settings, bool shared)
{
    bool summed = settings->checksums && sum_has_column(db);
    char text[320];
    int rc;

    if (summed != db->summed)
        db_drop_statements(db);
    db->summed = summed;
    /* secure_delete: Debian's build overwrites what it deletes, which a cache has no need of.
     * journal_size_limit: a log grown by one large transaction must not stay. */
    (void)snprintf(text, sizeof text,
                   "PRAGMA cache_size = %lld; PRAGMA mmap_size = 0; PRAGMA synchronous = %lld;"
                   " PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY;"
                   " PRAGMA journal_size_limit = 20971520",
                   (long long)bounded_cache(settings->cache_size),
                   (long long)settings->synchronous);
    db->may_map = shared;
    rc = db_exec(db, text);
    if (rc == 0)
        schema_map(db, settings);
    return rc;
}

void schema_map(struct db *db, const struct settings *settings)
{
    int64_t pages = 0, cached = settings->cache_size;
    sqlite3_stmt *s;
    char text[64];

    if (!db->may_map || settings->mmap_size == 0 || db_prepare(db, "PRAGMA page_count", &s) < 0)
        return;
    (void)db_integer(db, s, 0, &pages);
    (void)sqlite3_finalize(s);
    if (cached < 0) /* KiB instead of pages; a page has 4 unless somebody chose otherwise */
        cached = -cached / 4;
    if (pages <= cached)
        return;
    (void)snprintf(text, sizeof text, "PRAGMA mmap_size = %lld", (long long)settings->mmap_size);
    (void)db_exec(db, text);
    db->may_map = false; /* done */
}

int schema_match_journal(struct db *db, const struct settings *settings, bool shared)
{
    const char *wanted = settings_journal_name(settings->journal);
    sqlite3_stmt *s;
    char text[64];
    bool same = true;
    int rc;

    if (!shared && settings->journal == JOURNAL_WAL)
        wanted = "delete";
    rc = db_prepare(db, "PRAGMA journal_mode", &s);
    if (rc < 0)
        return rc;
    rc = db_step(db, s);
    if (rc == 1)
        same = strcmp((const char *)sqlite3_column_text(s, 0), wanted) == 0;
    (void)sqlite3_finalize(s);
    if (rc >= 0 && !same) {
        (void)snprintf(text, sizeof text, "PRAGMA journal_mode = %s", wanted);
        rc = db_exec(db, text);
    }
    return rc < 0 ? rc : 0;
}
