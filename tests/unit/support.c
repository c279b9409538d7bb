/* support.c - a directory for each test, and a look at it without the library. See support.h. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- values ---- */

struct dcache_value large(char letter)
{
    static char all[26][LARGE];
    char *bytes = all[(letter - 'a') % 26];

    if (bytes[0] == 0)
        memset(bytes, letter, LARGE);
    return dcache_bytes(bytes, LARGE);
}

/* ---- directories ---- */

int count_descriptors(void)
{
    DIR *stream = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(stream);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

void place_new(struct place *place)
{
    const char *base = getenv("TMPDIR");

    /* In memory if possible: the same calls, without waiting for a disk. */
    if (!base)
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(place->dir, sizeof place->dir, "%s/dcache-unit-XXXXXX", base);
    assert_non_null(mkdtemp(place->dir));
    place->cache = NULL;
    place->shards = 0;
    place->descriptors = count_descriptors();
}

void place_open(struct place *place)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.timeout = 0.25;
    if (place->shards == 0)
        place->cache = open_with(place->dir, 0.25, NULL);
    else
        assert_int_equal(dcache_open_fanout(place->dir, place->shards, &options, &place->cache), 0);
}

const char *place_part(const struct place *place, int number)
{
    static char path[300];

    if (number >= (place->shards ? place->shards : 1))
        return NULL;
    (void)snprintf(path, sizeof path, place->shards ? "%s/%03d" : "%s", place->dir, number);
    return path;
}

void place_close(struct place *place)
{
    dcache_close(place->cache);
    place->cache = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void place_clean(struct place *place)
{
    assert_int_equal(nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int place_make(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    assert_non_null(place);
    os_fault_at = 0;
    os_clock_offset = 0;
    place_new(place);
    place_open(place);
    *state = place;
    return 0;
}

int place_remove(void **state)
{
    struct place *place = *state;
    int before = place->descriptors, after;

    os_clock_offset = 0;
    place_close(place);
    after = count_descriptors();
    place_clean(place);
    free(place);
    assert_int_equal(after, before);
    return 0;
}

dcache *open_with(const char *dir, double timeout, ...)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting settings[16];
    dcache *cache = NULL;
    const char *name;
    va_list args;

    va_start(args, timeout);
    while ((name = va_arg(args, const char *)) != NULL) {
        settings[options.settings_count].name = name;
        settings[options.settings_count++].value = *va_arg(args, struct dcache_value *);
    }
    va_end(args);
    options.settings = settings;
    options.timeout = timeout;
    assert_int_equal(dcache_open(dir, &options, &cache), 0);
    return cache;
}

/* ---- through the library ---- */

bool value_equals(const struct dcache_value *a, const struct dcache_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case DCACHE_INT:
        return a->integer == b->integer;
    case DCACHE_DOUBLE: /* NaN equals NaN here, and -0.0 is not 0.0 */
        return (isnan(a->real) && isnan(b->real)) ||
               (a->real == b->real && signbit(a->real) == signbit(b->real));
    case DCACHE_TEXT:
    case DCACHE_BYTES:
    case DCACHE_PICKLE:
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    case DCACHE_NONE:
        return true;
    case DCACHE_FD:
    case DCACHE_READER:
    case DCACHE_STORED:
    default:
        return false;
    }
}

bool get_is(dcache *cache, const struct dcache_value *key, const struct dcache_value *value)
{
    struct dcache_entry entry;
    bool same = dcache_get(cache, key, NULL, &entry) == 0 && value_equals(&entry.value, value);

    dcache_entry_clear(&entry);
    return same;
}

struct dcache_entry got(dcache *cache, const struct dcache_value *key)
{
    struct dcache_entry entry;

    assert_int_equal(dcache_get(cache, key, NULL, &entry), 0);
    return entry;
}

/* ---- files ---- */

static int files_seen;

static int count_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    const char *name = path + at->base;

    (void)st;
    if (type != FTW_D && type != FTW_DP &&
        (strncmp(name, "cache.db", 8) != 0 || strncmp(name, "cache.db-new-", 13) == 0))
        files_seen++;
    return 0;
}

/* What is in the memtable goes to SQLite, which is what the test is about to look at. */
static void settle(const char *dir)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    long fault_at = os_fault_at;
    dcache *cache;

    os_fault_at = 0;
    options.flags = DCACHE_NO_CREATE;
    if (dcache_open(dir, &options, &cache) == 0)
        dcache_close(cache);
    os_fault_at = fault_at;
}

int count_files(const char *dir)
{
    settle(dir);
    files_seen = 0;
    assert_int_equal(nftw(dir, count_one, 8, FTW_PHYS), 0);
    return files_seen;
}

/* ---- the database ---- */

static sqlite3 *open_database(const char *dir)
{
    char path[320];
    sqlite3 *db = NULL;

    settle(dir);

    (void)snprintf(path, sizeof path, "%s/cache.db", dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    return db;
}

int64_t sql_number(const char *dir, const char *sql)
{
    sqlite3 *db = open_database(dir);
    sqlite3_stmt *s = NULL;
    int64_t number;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return number;
}

void sql_run(const char *dir, const char *sql)
{
    sqlite3 *db = open_database(dir);

    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

void assert_counters_right(const char *dir)
{
    assert_int_equal(sql_number(dir, "SELECT value FROM Settings WHERE key = 'count'"),
                     sql_number(dir, "SELECT count(*) FROM Cache"));
    assert_int_equal(sql_number(dir, "SELECT value FROM Settings WHERE key = 'size'"),
                     sql_number(dir, "SELECT coalesce(sum(size), 0) FROM Cache"));
}

int assert_rows_have_files(const char *dir)
{
    sqlite3 *db = open_database(dir);
    sqlite3_stmt *s = NULL;
    int files = 0;

    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT filename, size FROM Cache WHERE filename IS NOT NULL", -1,
                           &s, NULL),
        SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        char path[512];
        struct stat st;

        (void)snprintf(path, sizeof path, "%s/%s", dir, (const char *)sqlite3_column_text(s, 0));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, sqlite3_column_int64(s, 1));
        files++;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return count_files(dir) - files;
}

/* FNV-1a of a file's contents. */
static uint64_t hash_file(const char *dir, const char *name)
{
    char path[512], buffer[4096];
    uint64_t hash = UINT64_C(14695981039346656037);
    ssize_t size;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < size; i++)
            hash = (hash ^ (unsigned char)buffer[i]) * UINT64_C(1099511628211);
    close(fd);
    return hash;
}

char *describe(const char *dir)
{
    sqlite3 *db = open_database(dir);
    sqlite3_stmt *s = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT quote(key) || ' ' || raw || ' ' ||"
                                        " coalesce(expire_time, 'never') || ' ' || quote(tag) ||"
                                        " ' ' || size || ' ' || mode || ' ' || quote(value),"
                                        " filename FROM Cache ORDER BY key, raw",
                                        -1, &s, NULL),
                     SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *file = (const char *)sqlite3_column_text(s, 1);

        fprintf(out, "%s", (const char *)sqlite3_column_text(s, 0));
        if (file)
            fprintf(out, " file %llx", (unsigned long long)hash_file(dir, file));
        fprintf(out, "\n");
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    fclose(out);
    return text;
}

void lose_file(const char *dir, const char *key)
{
    sqlite3 *db = open_database(dir);
    sqlite3_stmt *s = NULL;
    char path[512];

    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT filename FROM Cache WHERE key = ?1", -1, &s, NULL),
        SQLITE_OK);
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    (void)snprintf(path, sizeof path, "%s/%s", dir, (const char *)sqlite3_column_text(s, 0));
    assert_int_equal(unlink(path), 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

void must_push(dcache *c, const char *prefix, enum dcache_side side, int64_t value)
{
    assert_int_equal(dcache_push(c, prefix, side, INT(value), NULL, NULL), 0);
}

static int64_t number_of(int rc, struct dcache_entry *entry)
{
    int64_t value = rc == 0 ? entry->value.integer : -1;

    assert_true(rc == 0 || rc == DCACHE_NOT_FOUND);
    dcache_entry_clear(entry);
    return value;
}

int64_t pull(dcache *c, const char *prefix, enum dcache_side side)
{
    struct dcache_entry entry;

    return number_of(dcache_pull(c, prefix, side, NULL, &entry), &entry);
}

int64_t peek(dcache *c, const char *prefix, enum dcache_side side)
{
    struct dcache_entry entry;

    return number_of(dcache_peek(c, prefix, side, NULL, &entry), &entry);
}
