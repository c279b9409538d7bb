/* check.c - where rows and files disagree, and mending it. See check.h.
 *
 * A first look takes no lock and may be deceived by writes going on. Only if it finds something does
 * a second look, under the write lock, decide: there no file of ours is without its row, unless its
 * writer is dead (F1). */
#include "read.h"
#include "check.h"

#include "sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100
#define GRACE \
    600.0 /* seconds before a file of unknown origin, without a row, counts as left over */

struct check {
    struct dcache *cache;
    struct store *store;
    struct db *db;
    struct txn *txn; /* NULL: the first look, or a read-only cache */
    bool fix;
    struct dcache_report report;
    struct victim *rows; /* those with a file, sorted by filename */
    size_t row_count, row_room;
};

/* ---- the report ---- */

__attribute__((format(printf, 4, 5))) static int add(struct check *check,
                                                     enum dcache_problem_kind kind, bool fixed,
                                                     const char *format, ...)
{
    struct dcache_report *report = &check->report;
    struct dcache_problem *grown = os_realloc(report->problems,
                                              (report->count + 1) * sizeof *grown);
    va_list args;
    int length;

    if (!grown)
        return DCACHE_NOMEM;
    report->problems = grown;
    va_start(args, format);
    length = os_fault() ? -1 : vasprintf(&grown[report->count].text, format, args);
    va_end(args);
    if (length < 0)
        return os_fail(DCACHE_NOMEM, "out of memory");
    grown[report->count].kind = kind;
    grown[report->count].fixed = fixed;
    report->count++;
    return 0;
}

void dcache_report_clear(struct dcache_report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->count; i++)
        free(report->problems[i].text);
    free(report->problems);
    memset(report, 0, sizeof *report);
}

/* ---- rows ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct victim *)a)->filename, ((const struct victim *)b)->filename);
}

static bool is_known(const struct check *check, const char *name)
{
    struct victim wanted = {.filename = (char *)(uintptr_t)name}; /* only compared */

    return check->row_count > 0 &&
           bsearch(&wanted, check->rows, check->row_count, sizeof wanted, compare_names) != NULL;
}

static void free_rows(struct check *check)
{
    for (size_t i = 0; i < check->row_count; i++)
        free(check->rows[i].filename);
    free(check->rows);
    check->rows = NULL;
    check->row_count = check->row_room = 0;
}

static int load_rows(struct check *check)
{
    struct row_query query = {.select = ROW_FILES, .after = INT64_MIN};
    int count, rc;

    do {
        if (check->row_count + PAGE > check->row_room) {
            size_t room = check->row_room ? 2 * check->row_room : 4 * PAGE;
            struct victim *grown = os_realloc(check->rows, room * sizeof *grown);

            if (!grown)
                return DCACHE_NOMEM;
            check->rows = grown;
            check->row_room = room;
        }
        rc = row_victims(check->db, &query, PAGE, check->rows + check->row_count, &count);
        if (rc < 0)
            return rc;
        check->row_count += (size_t)count;
        if (count > 0)
            query.after = check->rows[check->row_count - 1].rowid;
    } while (count == PAGE);
    if (check->row_count > 0)
        qsort(check->rows, check->row_count, sizeof *check->rows, compare_names);
    return 0;
}

/* What the row says of its file, and what the file's name says of its bytes (F5). */
static int judge_file(struct check *check, const struct victim *row, int64_t *ret_size,
                      enum dcache_problem_kind *ret_kind, bool *ret_keep)
{
    int fd, rc = file_open(&check->store->files, row->filename, 0, &fd, ret_size);

    *ret_keep = false;
    *ret_kind = DCACHE_PROBLEM_MISSING;
    if (rc < 0)
        return rc == DCACHE_NOT_FOUND ? 0 : rc;
    *ret_kind = *ret_size < row->size   ? DCACHE_PROBLEM_TRUNCATED
                : *ret_size > row->size ? DCACHE_PROBLEM_SIZE
                                        : DCACHE_PROBLEM_DAMAGED;
    if (*ret_kind != DCACHE_PROBLEM_TRUNCATED) {
        rc = file_verify_fd(row->filename, fd);
        *ret_keep = rc == 0;
    }
    os_close(fd);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int check_row(struct check *check, const struct victim *row)
{
    bool fix = check->fix && check->txn, keep;
    enum dcache_problem_kind kind;
    int64_t size = 0;
    int rc = judge_file(check, row, &size, &kind, &keep);

    if (rc < 0 || (keep && size == row->size))
        return rc;
    if (fix && keep) {
        rc = row_set_size(check->db, row->rowid, size);
        check->txn->size = os_plus(check->txn->size, os_minus(size, row->size));
    } else if (fix) {
        rc = txn_drop(check->txn, row->rowid, row->size,
                      kind == DCACHE_PROBLEM_MISSING ? NULL : row->filename);
    }
    if (rc < 0)
        return rc;
    if (kind == DCACHE_PROBLEM_MISSING)
        return add(check, kind, fix, "%s: missing", row->filename);
    if (kind == DCACHE_PROBLEM_DAMAGED)
        return add(check, kind, fix, "%s: other bytes than were written", row->filename);
    return add(check, kind, fix, "%s: %lld bytes, not %lld", row->filename, (long long)size,
               (long long)row->size);
}

/* Values that are not in files. */
static int check_values(struct check *check)
{
    bool fix = check->fix && check->txn;
    int64_t rowid = INT64_MIN, size = 0;
    int rc = sum_has_column(check->db) ? 0 : DCACHE_NOT_FOUND;

    while (rc == 0) {
        rc = sum_next_damaged(check->db, rowid, &rowid, &size);
        if (rc == 0 && fix)
            rc = txn_drop(check->txn, rowid, size, NULL);
        if (rc == 0)
            rc = add(check, DCACHE_PROBLEM_DAMAGED, fix, "row %lld: another value than was stored",
                     (long long)rowid);
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* ---- files ---- */

static int stray(struct check *check, const char *name)
{
    bool fix = check->fix && check->txn;
    int rc = fix ? file_remove(&check->store->files, name) : 0;

    return rc < 0 ? rc : add(check, DCACHE_PROBLEM_STRAY, fix, "%s: no item has it", name);
}

static bool is_old(struct check *check, const char *name)
{
    struct stat st;

    if (os_fstatat(check->store->files.dir, name, &st) < 0)
        return false;
    return os_now() - (double)st.st_mtim.tv_sec > GRACE;
}

static int check_file(struct check *check, const char *name)
{
    const struct txn *scope = check->txn ? check->txn : check->cache->scope;

    if (is_known(check, name) || txn_will_remove(scope, name)) /* T2: it may be needed again */
        return 0;
    if (!file_is_layout(name))
        return add(check, DCACHE_PROBLEM_UNKNOWN, false, "%s: not of a cache", name);
    if (!file_is_marked(name) && !is_old(check, name))
        return 0; /* perhaps 5.6.3 is about to make its row */
    return stray(check, name);
}

static int check_temporary(struct check *check, const char *name, uint32_t slot)
{
    const struct shared *shared = &check->store->shared;
    bool ours = file_is_temp_of_ours(&check->store->files, name);
    bool before_us = !ours && shared->fd >= 0 && slot == shared->slot; /* F2 */
    int lives = before_us ? 0 : shared_slot_lives(shared, slot);

    if (ours || lives == 1 || (lives < 0 && !is_old(check, name)))
        return 0;
    return stray(check, name);
}

static int walk(struct check *check, const char *path, int depth);

static int check_name(struct check *check, const char *path, const char *name, int depth)
{
    char *full = *path ? os_format("%s/%s", path, name) : os_strdup(name);
    bool hex = strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2;
    uint32_t slot;
    int rc;

    if (!full)
        return DCACHE_NOMEM;
    if (depth == 0 && file_is_temp(name, &slot))
        rc = check_temporary(check, full, slot);
    else if (depth == 0 && strncmp(name, DB_NAME, strlen(DB_NAME)) == 0)
        rc = 0;
    else if (depth < 2 && hex)
        rc = walk(check, full, depth + 1);
    else
        rc = check_file(check, full);
    free(full);
    return rc;
}

static int check_empty(struct check *check, const char *path)
{
    bool fix = check->fix && check->txn;

    if (fix && os_unlinkat(check->store->files.dir, path, AT_REMOVEDIR) < 0)
        return errno == ENOTEMPTY || errno == ENOENT || errno == EEXIST
                   ? 0
                   : os_fail_errno("remove %s", path);
    return add(check, DCACHE_PROBLEM_EMPTY_DIR, fix, "%s: empty directory", path);
}

static int walk(struct check *check, const char *path, int depth)
{
    size_t count, before = check->report.count;
    char **names;
    int rc = 0;

    if (os_list(check->store->files.dir, *path ? path : ".", &names, &count) < 0) {
        if (errno == ENOENT)
            return 0; /* gone meanwhile */
        if (errno == ENOTDIR || errno == ELOOP)
            return add(check, DCACHE_PROBLEM_UNKNOWN, false, "%s: not of a cache", path);
        return os_fail_errno("list %s", *path ? path : check->store->path);
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = check_name(check, path, names[i], depth);
    free(names);
    if (rc == 0 && depth > 0 && count == 0)
        rc = check_empty(check, path);
    else if (rc == 0 && depth > 0 && check->fix && check->txn && check->report.count > before)
        (void)os_unlinkat(check->store->files.dir, path, AT_REMOVEDIR); /* if that was the last */
    return rc;
}

static int check_files(struct check *check)
{
    int rc = load_rows(check);

    for (size_t i = 0; rc == 0 && i < check->row_count; i++)
        rc = check_row(check, &check->rows[i]);
    if (rc == 0)
        rc = check_values(check);
    if (rc == 0)
        rc = walk(check, "", 0);
    free_rows(check);
    return rc;
}

/* ---- the database ---- */

static int integrity_check(struct check *check, const char *sql)
{
    sqlite3_stmt *s;
    int rc = db_prepare(check->db, sql, &s);

    if (rc < 0)
        return rc;
    while (rc >= 0 && (rc = db_step(check->db, s)) == 1) {
        const char *text = (const char *)sqlite3_column_text(s, 0);

        if (text && strcmp(text, "ok") != 0) {
            check->db->suspect = true;
            rc = add(check, DCACHE_PROBLEM_DATABASE, false, "%s", text);
        }
    }
    (void)sqlite3_finalize(s);
    return rc;
}

/* SQLite evaluates the constraints of each table that it checks. Where somebody has put tables with
 * expressions beside ours, only ours are looked at. */
static int check_database(struct check *check)
{
    bool plain = false;
    int rc = schema_is_plain(check->db, &plain);

    if (rc == 0 && plain)
        return integrity_check(check, "PRAGMA integrity_check");
    if (rc == 0)
        rc = integrity_check(check, "PRAGMA integrity_check(Cache)");
    return rc < 0 ? rc : integrity_check(check, "PRAGMA integrity_check(Settings)");
}

/* Stored, not added: beyond the range of 64 bits SQLite has made it a float. */
static int mend_counter(struct check *check, const char *name, int64_t change)
{
    struct dcache_value value = dcache_int(0);
    int rc = settings_counter(check->db, name, &value.integer);

    value.integer = os_plus(value.integer, change);
    return rc < 0 ? rc : settings_put(check->db, name, &value);
}

static int check_counter(struct check *check, enum dcache_problem_kind kind, const char *name,
                         int64_t is, int64_t should)
{
    bool fix = check->fix && check->txn;
    int rc = 0;

    if (is == should)
        return 0;
    if (fix)
        rc = mend_counter(check, name, os_minus(should, is));
    return rc < 0 ? rc
                  : add(check, kind, fix, "the counter %s is %lld, not %lld", name, (long long)is,
                        (long long)should);
}

static int check_counters(struct check *check)
{
    const struct txn *scope = check->txn ? check->txn : check->cache->scope;
    int64_t count, size, real_count, real_size;
    int rc = txn_counters(scope, check->db, &count, &size);

    if (rc == 0)
        rc = row_totals(check->db, &real_count, &real_size);
    if (rc == 0)
        rc = check_counter(check, DCACHE_PROBLEM_COUNT, "count", count, real_count);
    if (rc == 0)
        rc = check_counter(check, DCACHE_PROBLEM_TOTAL, "size", size, real_size);
    return rc;
}

/* ---- both looks ---- */

static int first_look(struct check *check, bool database)
{
    int rc = txn_read_begin(check->cache, &check->db);
    bool begin = rc == 0 && !check->cache->scope;

    if (rc < 0)
        return rc;
    if (begin)
        rc = db_exec(check->db, "BEGIN");
    if (rc == 0 && database)
        rc = check_database(check);
    if (rc == 0)
        rc = check_files(check);
    if (rc == 0 && database)
        rc = check_counters(check);
    if (begin && !sqlite3_get_autocommit(check->db->handle))
        (void)sqlite3_exec(check->db->handle, "COMMIT", NULL, NULL, NULL); /* nothing was written */
    txn_read_end(check->cache, check->db);
    return rc;
}

static int second_look(struct check *check, bool database)
{
    struct txn txn = txn_new(check->cache);
    int rc = txn_begin(&txn);

    check->txn = &txn;
    check->db = txn.db;
    if (rc == 0 && database)
        rc = check_database(check);
    if (rc == 0)
        rc = check_files(check);
    if (rc == 0)
        rc = check_counters(check);
    if (rc == 0 && check->fix)
        rc = txn_commit(&txn);
    txn_end(&txn);
    check->txn = NULL;
    return rc;
}

static int look_twice(struct check *check, bool database)
{
    int rc = first_look(check, database);

    if (rc == 0 && check->report.count > 0 && !check->store->read_only) {
        dcache_report_clear(&check->report);
        rc = second_look(check, database);
    }
    free_rows(check);
    return rc;
}

/* What problems of part `i` say begins with its directory. */
static int name_part(struct dcache_report *report, size_t from, size_t i)
{
    for (size_t n = from; n < report->count; n++) {
        char *text = os_format("%03zu/%s", i, report->problems[n].text);

        if (!text)
            return DCACHE_NOMEM;
        free(report->problems[n].text);
        report->problems[n].text = text;
    }
    return 0;
}

static int append(struct dcache_report *report, struct dcache_report *more)
{
    size_t count = report->count + more->count;
    struct dcache_problem *grown;

    if (more->count == 0)
        return 0;
    grown = os_realloc(report->problems, count * sizeof *grown);
    if (!grown)
        return DCACHE_NOMEM;
    memcpy(grown + report->count, more->problems, more->count * sizeof *grown);
    report->problems = grown;
    report->count = count;
    free(more->problems);
    memset(more, 0, sizeof *more);
    return 0;
}

/* In the directory of a fanout are those of its shards and of caches with a name of their own. */
static int check_top(const struct dcache *fanout, struct dcache_report *ret_report)
{
    struct check check = {.report = {0}};
    char **names;
    size_t count;
    int dir = os_openat(AT_FDCWD, fanout->path, O_RDONLY | O_DIRECTORY, 0), rc = 0;

    if (dir < 0 && errno == ENOENT)
        return 0; /* removed: the first write makes it anew */
    if (dir < 0 || os_list(dir, ".", &names, &count) < 0) {
        rc = os_fail_errno("list %s", fanout->path);
        os_close(dir);
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        int shard = file_shard(names[i]);

        if (!file_is_named(names[i]) && (shard < 0 || shard >= (int)fanout->shard_count))
            rc = add(&check, DCACHE_PROBLEM_UNKNOWN, false, "%s: not of a cache", names[i]);
    }
    free(names);
    os_close(dir);
    if (rc < 0)
        dcache_report_clear(&check.report);
    else
        *ret_report = check.report;
    return rc;
}

static int check_part(dcache *cache, int fix, struct dcache_report *ret_report)
{
    struct check check = {.cache = cache, .store = cache->store, .fix = fix != 0};
    int rc = 0;

    if (fix && cache->store->read_only)
        rc = os_fail(DCACHE_READONLY, "the cache is read-only: %s", cache->store->path);
    if (rc == 0)
        rc = look_twice(&check, true);
    if (rc < 0)
        dcache_report_clear(&check.report);
    else
        *ret_report = check.report;
    return rc;
}

static int check_parts(dcache *fanout, int fix, struct dcache_report *ret_report)
{
    struct dcache_report report = {0};
    int rc = check_top(fanout, &report);

    for (size_t i = 0; rc == 0 && i < fanout->shard_count; i++) {
        struct dcache_report part = {0};
        size_t from = report.count;

        rc = check_part(fanout->shards[i], fix, &part);
        if (rc == 0)
            rc = append(&report, &part);
        if (rc == 0)
            rc = name_part(&report, from, i);
        dcache_report_clear(&part);
    }
    if (rc < 0)
        dcache_report_clear(&report);
    else
        *ret_report = report;
    return rc;
}

int dcache_check(dcache *cache, int fix, struct dcache_report *ret_report)
{
    memset(ret_report, 0, sizeof *ret_report);
    return cache->shard_count > 0 ? check_parts(cache, fix, ret_report)
                                  : check_part(cache, fix, ret_report);
}

int check_sweep(dcache *cache)
{
    struct check check = {.cache = cache, .store = cache->store, .fix = true};
    int rc = look_twice(&check, false);

    dcache_report_clear(&check.report);
    return rc;
}
