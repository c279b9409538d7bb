/* verify.c - after the deaths: is everything there that was acknowledged?
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

static int faults;

__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fprintf(stderr, "FAULT: ");
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    faults++;
}

/* Whether the key holds exactly this version; version 0: is absent. */
static int holds(dcache *c, unsigned writer, unsigned key, unsigned version)
{
    static unsigned char wanted[BIG + 60000];
    char name[32];
    struct dcache_value k = key_value(name, sizeof name, writer, key);
    struct dcache_entry e;
    int rc = dcache_get(c, &k, NULL, &e), same;
    size_t size = value_size(writer, key, version);

    if (version == 0) {
        same = rc == DCACHE_NOT_FOUND;
    } else {
        value_fill(wanted, size, writer, key, version);
        same = rc == 0 && e.value.type == DCACHE_BYTES && e.value.size == size &&
               memcmp(e.value.data, wanted, size) == 0;
    }
    if (rc != 0 && rc != DCACHE_NOT_FOUND)
        fault("get %s: %s", name, status_text(rc));
    dcache_entry_clear(&e);
    return same;
}

static void describe(dcache *c, unsigned writer, unsigned key, const char *wanted)
{
    char name[32];
    struct dcache_value k = key_value(name, sizeof name, writer, key);
    struct dcache_entry e;
    int rc = dcache_get(c, &k, NULL, &e);

    if (rc != 0)
        fault("%s should be %s, but: %s", name, wanted, status_text(rc));
    else
        fault("%s should be %s, but has %zu other bytes", name, wanted, e.value.size);
    dcache_entry_clear(&e);
}

/* The keys of a batch in doubt are all old or all new. */
static void settle_keys(dcache *c, struct writer *w, unsigned writer)
{
    unsigned version = w->doing == DELETING ? 0 : w->next, old = 0, new = 0;

    if (w->doing != SETTING && w->doing != DELETING)
        return;
    for (unsigned k = w->first; k < w->first + w->count; k++) {
        if (holds(c, writer, k, version))
            new ++;
        else if (holds(c, writer, k, w->version[k]))
            old++;
        else
            describe(c, writer, k, "the old or the new version");
    }
    if (old > 0 && new > 0)
        fault("writer %u: a batch is half there: %u old, %u new", writer, old, new);
    if (new > 0)
        for (unsigned k = w->first; k < w->first + w->count; k++)
            w->version[k] = version;
}

static void verify_keys(dcache *c, struct ledger *ledger)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *w = &ledger->writer[i];
        char text[64];

        settle_keys(c, w, i);
        for (unsigned k = 0; k < KEYS; k++) {
            (void)snprintf(text, sizeof text, "version %u (%zu bytes)", w->version[k],
                           value_size(i, k, w->version[k]));
            if (!holds(c, i, k, w->version[k]))
                describe(c, i, k, w->version[k] ? text : "absent");
        }
    }
}

static int64_t number_of(dcache *c, const char *name)
{
    struct dcache_value k = dcache_text(name);
    struct dcache_entry e;
    int rc = dcache_get(c, &k, NULL, &e);
    int64_t n = rc == 0 && e.value.type == DCACHE_INT ? e.value.integer : 0;

    if (rc != 0 && rc != DCACHE_NOT_FOUND)
        fault("get %s: %s", name, status_text(rc));
    dcache_entry_clear(&e);
    return n;
}

static void verify_counters(dcache *c, struct ledger *ledger)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *w = &ledger->writer[i];
        char name[32];
        int64_t n;

        (void)snprintf(name, sizeof name, "counter-%u", i);
        n = number_of(c, name);
        if (w->doing == COUNTING && n == w->counter + 1)
            w->counter++;
        if (n != w->counter)
            fault("%s is %lld, acknowledged were %lld", name, (long long)n, (long long)w->counter);
        sum += n;
    }
    if (number_of(c, "common") != sum)
        fault("the common counter is %lld, the others sum up to %lld: half a transaction",
              (long long)number_of(c, "common"), (long long)sum);
}

/* Mark what is in the queue: returns an array of WRITERS * ITEMS. */
static unsigned char *queue_contents(dcache *c)
{
    unsigned char *seen = calloc(WRITERS, ITEMS);
    struct dcache_value prefix = dcache_text("q-");
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry e;
    dcache_iter *iter = NULL;
    unsigned writer, number;
    int64_t last[WRITERS] = {-1, -1, -1, -1};
    int rc;

    options.order = DCACHE_BY_KEY;
    options.prefix = &prefix;
    if (seen == NULL || dcache_iter_open(c, &options, &iter) != 0)
        die("no iterator");
    while ((rc = dcache_iter_next(iter, &e)) == 0) {
        if (!two_numbers(&e.value, WRITERS, ITEMS, &writer, &number)) {
            fault("a strange item in the queue");
        } else {
            if ((int64_t)number <= last[writer])
                fault("queue: item %u:%u is out of order", writer, number);
            last[writer] = number;
            seen[writer * ITEMS + number] = 1;
        }
        dcache_entry_clear(&e);
    }
    if (rc != DCACHE_NOT_FOUND)
        fault("iteration: %s", status_text(rc));
    dcache_iter_close(iter);
    return seen;
}

/* An item that was pushed is in the queue or was pulled; each puller that died in a pull may have
 * taken one with it. */
static void verify_queue(dcache *c, struct ledger *ledger)
{
    unsigned char *seen = queue_contents(c);
    unsigned in_doubt = 0, missing = 0;

    for (unsigned i = 0; i < WRITERS; i++)
        in_doubt += ledger->writer[i].doing == PULLING;
    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *w = &ledger->writer[i];

        for (unsigned n = 0; n < w->pushed; n++) {
            int state = w->item[n], there = seen[i * ITEMS + n];

            if (state == ITEM_PULLED && there)
                fault("item %u:%u was delivered and is still there", i, n);
            if (state == ITEM_PUSHED && !there) {
                missing++;
                w->item[n] = ITEM_PULLED;
            }
            if (state == ITEM_PUSHING) {
                /* Died in it: there or not. It may also have been pulled by one who died. */
                w->item[n] = there ? ITEM_PUSHED : ITEM_PULLED;
            }
        }
    }
    if (missing > in_doubt)
        fault("%u queue items are lost, %u were being pulled", missing, in_doubt);
    free(seen);
}

static int in_a_child(const char *directory, struct ledger *ledger,
                      void (*verify)(const char *, struct ledger *))
{
    int status;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        verify(directory, ledger);
        (void)fflush(NULL);
        _exit(faults > 250 ? 250 : faults);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        die("fork: %m");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 251;
}

static void check_ledger(const char *directory, struct ledger *ledger)
{
    dcache *c;
    int rc = dcache_open(directory, test_options(), &c);

    if (rc != 0) {
        fault("open: %s", status_text(rc));
        return;
    }
    verify_keys(c, ledger);
    verify_counters(c, ledger);
    verify_queue(c, ledger);
    for (unsigned i = 0; i < WRITERS; i++)
        ledger->writer[i].doing = IDLE;
    dcache_close(c);
}

int verify_ledger(const char *directory, struct ledger *ledger)
{
    return in_a_child(directory, ledger, check_ledger);
}

/* ---- the end ------------------------------------------------------------------------------- */

static int64_t files;

/* Everything but SQLite's own and the segment: value files, and what writers leave half written. */
static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *name = path + ftw->base;

    (void)st;
    if (type == FTW_F && strcmp(name, "cache.db") != 0 && strcmp(name, "cache.db-wal") != 0 &&
        strcmp(name, "cache.db-shm") != 0 && strcmp(name, "cache.db-shared") != 0)
        files++;
    return 0;
}

/* Older than the ten minutes for which a stray file may be somebody's write. */
static int age_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    struct timespec times[2] = {{time(NULL) - 7200, 0}, {time(NULL) - 7200, 0}};

    (void)st;
    (void)ftw;
    if (type == FTW_F && strcmp(path + strlen(path) - 4, ".val") == 0)
        (void)utimensat(AT_FDCWD, path, times, 0);
    return 0;
}

static int64_t count_files(const char *directory)
{
    files = 0;
    (void)nftw(directory, count_file, 16, FTW_PHYS);
    return files;
}

static int64_t sql_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    int64_t n = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fault("%s: %s", sql, sqlite3_errmsg(db));
    else if (sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return n;
}

static void check_database(const char *directory)
{
    char *path = NULL;
    sqlite3 *db = NULL;
    int64_t rows, size, named;

    if (asprintf(&path, "%s/cache.db", directory) < 0 || sqlite3_open(path, &db) != SQLITE_OK)
        die("cannot open the database");
    if (sql_number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") != 1)
        fault("PRAGMA integrity_check reports something");
    rows = sql_number(db, "SELECT COUNT(*) FROM Cache");
    size = sql_number(db, "SELECT COALESCE(SUM(size), 0) FROM Cache");
    named = sql_number(db, "SELECT COUNT(filename) FROM Cache");
    if (sql_number(db, "SELECT value FROM Settings WHERE key = 'count'") != rows)
        fault("Settings.count is not the number of rows, %lld", (long long)rows);
    if (sql_number(db, "SELECT value FROM Settings WHERE key = 'size'") != size)
        fault("Settings.size is not the sum of sizes, %lld", (long long)size);
    if (count_files(directory) != named)
        fault("%lld value files for %lld rows that name one", (long long)files, (long long)named);
    printf("database: %lld rows, %lld bytes in %lld files\n", (long long)rows, (long long)size,
           (long long)named);
    (void)sqlite3_close(db);
    free(path);
}

static void check_reports(dcache *c, int fix, int strict)
{
    struct dcache_report report = {0};
    int rc = dcache_check(c, fix, &report);

    if (rc != 0)
        fault("check: %s", status_text(rc));
    for (size_t i = 0; i < report.count; i++) {
        int kind = (int)report.problems[i].kind;

        /* A kill may leave a stray file, counters and rows are in the transaction. */
        if (strict || (kind != DCACHE_PROBLEM_STRAY && kind != DCACHE_PROBLEM_EMPTY_DIR))
            fault("check%s reports: %s", fix ? "(fix)" : "", report.problems[i].text);
    }
    if (fix)
        printf("check(fix) swept %zu things\n", report.count);
    dcache_report_clear(&report);
}

static void check_end(const char *directory, struct ledger *ledger)
{
    dcache *c;
    int rc = dcache_open(directory, test_options(), &c);
    int64_t before = count_files(directory);

    (void)ledger;
    if (rc != 0) {
        fault("open: %s", status_text(rc));
        return;
    }
    check_reports(c, 1, 0);
    check_reports(c, 0, 1);
    printf("value files: %lld before the sweep, %lld after\n", (long long)before,
           (long long)count_files(directory));
    (void)nftw(directory, age_file, 16, FTW_PHYS);
    check_reports(c, 1, 0);
    check_reports(c, 0, 1);
    dcache_close(c);
    check_database(directory);
}

int verify_end(const char *directory)
{
    return in_a_child(directory, NULL, check_end);
}
