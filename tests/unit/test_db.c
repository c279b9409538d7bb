/* test_db.c - one connection: SQLite's codes become statuses, waits end at their deadline, values
 * come back as they were bound, the log stays short.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "db.h"
#include "sandbox.h"

static const char *path(void)
{
    return in("cache.db");
}

/* Hooks of a connection know its address, so it is not handed back. */
static void open_db(struct db *db, unsigned flags)
{
    if (!exists(path()))
        assert_int_equal(write_file(path(), "", 0), 0);
    memset(db, 0, sizeof *db);
    assert_int_equal(db_open(db, path(), flags), 0);
}

static int64_t number(struct db *db, const char *sql)
{
    sqlite3_stmt *s;
    int64_t result = -999;

    assert_int_equal(db_prepare(db, sql, &s), 0);
    assert_int_equal(db_integer(db, s, -1, &result), 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    return result;
}

/* ---- statuses ---- */

static void missing_file_is_an_io_error_and_is_not_made(void **state)
{
    struct db db = {0};

    (void)state;
    assert_int_equal(db_open(&db, path(), 0), DCACHE_IO);
    assert_null(db.handle);
    assert_false(exists(path()));
    assert_int_equal(dcache_last_error()->sqlite_code & 0xff, SQLITE_CANTOPEN);
    assert_int_equal(dcache_last_error()->sys_errno, ENOENT);
}

/* Which statements of ours may then run is shown by all other tests. */
static void connection_is_on_its_guard(void **state)
{
    static const struct {
        int option, value;
    } options[] = {{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_DEFENSIVE, 1},
                   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                   {SQLITE_DBCONFIG_ENABLE_VIEW, 0}};
    struct db db;

    (void)state;
    open_db(&db, 0);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int value = -1;

        assert_int_equal(sqlite3_db_config(db.handle, options[i].option, -1, &value), SQLITE_OK);
        assert_int_equal(value, options[i].value);
    }
    assert_true(sqlite3_limit(db.handle, SQLITE_LIMIT_SQL_LENGTH, -1) <= 100000);
    assert_true(sqlite3_limit(db.handle, SQLITE_LIMIT_ATTACHED, -1) <= 1);
    assert_true(sqlite3_limit(db.handle, SQLITE_LIMIT_LENGTH, -1) <= os_memory_limit());
    assert_int_equal(db_exec(&db, "CREATE TABLE t (x); PRAGMA writable_schema = ON"), 0);
    assert_true(db_exec(&db, "DELETE FROM sqlite_schema") < 0);
    db_close(&db);
}

static void garbage_is_corrupt(void **state)
{
    char garbage[5000];
    struct db db;

    (void)state;
    memset(garbage, 'g', sizeof garbage);
    assert_int_equal(write_file(path(), garbage, sizeof garbage), 0);
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "SELECT * FROM sqlite_schema"), DCACHE_CORRUPT);
    assert_int_equal(dcache_last_error()->sqlite_code, SQLITE_NOTADB);
    db_close(&db);
}

static void wrong_statement_is_an_sqlite_error_with_its_text(void **state)
{
    struct db db;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "SELEKT 1"), DCACHE_SQLITE);
    assert_int_equal(dcache_last_error()->sqlite_code, SQLITE_ERROR);
    assert_int_equal(dcache_last_error()->sys_errno, 0);
    assert_non_null(strstr(dcache_last_error()->text, "SELEKT"));
    assert_int_equal(db_exec(&db, "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"), 0);
    assert_int_equal(db_exec(&db, "INSERT INTO t VALUES (1)"), DCACHE_SQLITE);
    assert_int_equal(dcache_last_error()->sqlite_code, SQLITE_CONSTRAINT_UNIQUE);
    db_close(&db);
}

static void writing_through_a_read_only_connection_is_read_only(void **state)
{
    struct db db, reader;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "CREATE TABLE t (a)"), 0);
    open_db(&reader, DB_READ_ONLY);
    assert_int_equal(db_exec(&reader, "INSERT INTO t VALUES (1)"), DCACHE_READONLY);
    db_close(&reader);
    open_db(&reader, DB_IMMUTABLE);
    assert_int_equal(number(&reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(db_exec(&reader, "INSERT INTO t VALUES (1)"), DCACHE_READONLY);
    db_close(&reader);
    db_close(&db);
}

static void value_beyond_sqlites_limit_is_too_big(void **state)
{
    struct db db;
    struct dcache_value value = dcache_bytes("", 0);
    sqlite3_stmt *s;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_prepare(&db, "SELECT ?1", &s), 0);
    value.size = (size_t)3 << 30; /* never read: refused by its size */
    assert_int_equal(db_bind(&db, s, 1, &value), DCACHE_TOO_BIG);
    (void)sqlite3_finalize(s);
    db_close(&db);
}

static void path_may_hold_what_has_a_meaning_in_a_uri(void **state)
{
    static const char *const names[] = {"a?b", "a#b", "a%41", "a b", "ü", "?mode=memory"};
    struct db db;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        memset(&db, 0, sizeof db);
        assert_int_equal(write_file(in("%s", names[i]), "", 0), 0);
        assert_int_equal(db_open(&db, in("%s", names[i]), 0), 0);
        assert_int_equal(db_exec(&db, "CREATE TABLE t (a)"), 0);
        db_close(&db);
        assert_true(size_of(in("%s", names[i])) > 0);
    }
}

static void opening_that_fails_leaves_no_connection(void **state)
{
    struct db db = {0};

    (void)state;
    assert_int_equal(write_file(path(), "", 0), 0);
    for (long n = 1;; n++) {
        int rc;

        os_fault_at = n;
        rc = db_open(&db, path(), 0);
        if (os_fault_at != 0) {
            os_fault_at = 0;
            assert_int_equal(rc, 0);
            break;
        }
        assert_true(rc < 0);
        assert_null(db.handle);
    }
    db_close(&db);
    db_close(&db); /* nothing left to do */
}

/* ---- waiting ---- */

static const char *begin_foreign;

/* The sqlite3 shell, or 5.6.3: it knows nothing of our lock. */
static int foreign_holder(struct child *self)
{
    sqlite3 *handle;

    MUST(sqlite3_open(path(), &handle) == SQLITE_OK);
    MUST(sqlite3_exec(handle, begin_foreign, NULL, NULL, NULL) == SQLITE_OK);
    child_say(self, 'b');
    (void)child_hear(self);
    MUST(sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(handle);
    return 0;
}

static void expect_timeout(struct db *db, const char *sql)
{
    int64_t begin = now_ms();

    db->deadline = os_deadline(0.1);
    assert_int_equal(db_exec(db, sql), DCACHE_TIMEOUT);
    assert_in_range(now_ms() - begin, 95, 5000);
    begin = now_ms();
    db->deadline = 0;
    assert_int_equal(db_exec(db, sql), DCACHE_TIMEOUT);
    assert_true(now_ms() - begin < 1000);
    assert_int_equal(dcache_last_error()->sqlite_code & 0xff, SQLITE_BUSY);
}

static void wait_for_a_foreign_writer_ends_at_the_deadline(void **state)
{
    static const char *const begins[] = {"BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct child holder;
        struct db db;

        begin_foreign = begins[i];
        open_db(&db, 0);
        assert_int_equal(db_exec(&db, "PRAGMA journal_mode = wal"), 0);
        db_close(&db);
        holder = child_start(foreign_holder);
        assert_int_equal(child_hear(&holder), 'b');
        open_db(&db, 0);
        expect_timeout(&db, "BEGIN IMMEDIATE");
        assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_schema"), 0); /* reads go on */
        child_say(&holder, 'e');
        db.deadline = os_deadline(20);
        assert_int_equal(db_exec(&db, "BEGIN IMMEDIATE; COMMIT"), 0);
        db_close(&db);
        assert_int_equal(child_end(&holder), 0);
    }
}

static void without_a_log_even_a_read_waits_for_an_exclusive_one(void **state)
{
    struct child holder;
    struct db db;

    (void)state;
    begin_foreign = "BEGIN EXCLUSIVE";
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "CREATE TABLE t (a)"), 0);
    db_close(&db);
    holder = child_start(foreign_holder);
    assert_int_equal(child_hear(&holder), 'b');
    open_db(&db, 0);
    expect_timeout(&db, "SELECT count(*) FROM t");
    child_say(&holder, 'e');
    db.deadline = os_deadline(20);
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 0);
    db_close(&db);
    assert_int_equal(child_end(&holder), 0);
}

/* ---- statements ---- */

static void statement_is_prepared_once(void **state)
{
    struct db db;
    sqlite3_stmt *first, *second;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_statement(&db, 7, "SELECT 1", &first), 0);
    assert_int_equal(db_statement(&db, 7, "SELECT 2", &second), 0);
    assert_ptr_equal(first, second);
    assert_int_equal(db_statement(&db, 8, "SELECT nothing FROM nowhere", &second), DCACHE_SQLITE);
    assert_null(db.statements[8]);
    db_close(&db);
    assert_null(db.statements[7]);
}

static void no_row_gives_the_fallback_and_steps_reset(void **state)
{
    struct db db;
    int64_t result = 0;
    sqlite3_stmt *s;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_statement(&db, 0, "SELECT 5 WHERE ?1", &s), 0);
    for (int i = 0; i < 3; i++) { /* again and again, with no reset in between */
        (void)sqlite3_bind_int(s, 1, i % 2);
        assert_int_equal(db_integer(&db, s, -7, &result), 0);
        assert_int_equal(result, i % 2 ? 5 : -7);
    }
    assert_int_equal(db_step(&db, s), 0);
    assert_int_equal(db_run(&db, s), 0);
    db_close(&db);
}

static void values_come_back_as_they_were_bound(void **state)
{
    const struct dcache_value values[] = {
        dcache_int(INT64_MIN), dcache_double(-0.5),       dcache_sized(DCACHE_TEXT, "a\0b", 3),
        dcache_text(""),       dcache_bytes("\0\xff", 2), dcache_bytes(NULL, 0),
        dcache_none(),
    };
    struct db db;
    sqlite3_stmt *s;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_statement(&db, 0, "SELECT ?1", &s), 0);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct dcache_value *v = &values[i];
        struct dcache_value back;

        assert_int_equal(db_bind(&db, s, 1, v), 0);
        assert_int_equal(db_step(&db, s), 1);
        back = db_column(s, 0);
        assert_int_equal(back.type, v->type);
        if (v->type == DCACHE_INT)
            assert_true(back.integer == v->integer);
        else if (v->type == DCACHE_DOUBLE)
            assert_true(back.real == v->real);
        else if (v->type != DCACHE_NONE)
            assert_int_equal(back.size, v->size);
        if (back.type != DCACHE_NONE && v->type >= DCACHE_TEXT && v->size > 0)
            assert_memory_equal(back.data, v->data, v->size);
        (void)sqlite3_reset(s);
    }
    db_close(&db);
}

static void triggers_and_views_do_not_run(void **state)
{
    struct db db;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "CREATE TABLE t (a); CREATE VIEW v AS SELECT * FROM t;"
                                  "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END;"
                                  "INSERT INTO t VALUES (1)"),
                     0);
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 1);
    assert_int_equal(db_exec(&db, "SELECT * FROM v"), DCACHE_SQLITE);
    db_close(&db);
}

/* ---- the file ---- */

static void removed_or_replaced_file_shows(void **state)
{
    struct db db;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "CREATE TABLE t (a)"), 0);
    assert_false(db_has_moved(&db));
    assert_int_equal(rename(path(), in("old")), 0);
    assert_true(db_has_moved(&db));
    assert_int_equal(write_file(path(), "", 0), 0);
    assert_true(db_has_moved(&db));
    assert_int_equal(rename(in("old"), path()), 0);
    assert_false(db_has_moved(&db));
    db_close(&db);
}

#define EIGHTY_MB                                                                    \
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800)" \
    " INSERT INTO t SELECT randomblob(100000) FROM n"
#define MB (INT64_C(1) << 20)

static void log_of_a_large_transaction_does_not_stay(void **state)
{
    struct db db;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "PRAGMA synchronous = off; PRAGMA journal_mode = wal;"
                                  "CREATE TABLE t (a)"),
                     0);
    assert_int_equal(db_exec(&db, EIGHTY_MB), 0);
    assert_true(size_of(in("cache.db-wal")) > 70 * MB);
    assert_true(db.wal_frames > 17000);
    db_checkpoint(&db);
    assert_true(size_of(in("cache.db-wal")) <= 20 * MB);
    assert_int_equal(db.wal_frames, 0);
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 800);
    db_close(&db);
}

static void checkpoint_neither_waits_for_a_reader_nor_disturbs_it(void **state)
{
    struct db db, reader;
    int64_t begin;

    (void)state;
    open_db(&db, 0);
    assert_int_equal(db_exec(&db, "PRAGMA synchronous = off; PRAGMA journal_mode = wal;"
                                  "CREATE TABLE t (a)"),
                     0);
    open_db(&reader, 0);
    assert_int_equal(db_exec(&reader, "BEGIN; SELECT * FROM t"), 0);
    assert_int_equal(db_exec(&db, EIGHTY_MB), 0);
    db.deadline = os_deadline(20);
    begin = now_ms();
    db_checkpoint(&db);
    assert_true(now_ms() - begin < 10000);
    assert_true(size_of(in("cache.db-wal")) > 70 * MB); /* the reader may need it */
    assert_int_equal(number(&reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(db_exec(&reader, "COMMIT"), 0);
    assert_int_equal(number(&reader, "SELECT count(*) FROM t"), 800);
    db_checkpoint(&db);
    assert_true(size_of(in("cache.db-wal")) <= 20 * MB);
    db_close(&reader);
    db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missing_file_is_an_io_error_and_is_not_made),
        TEST(connection_is_on_its_guard),
        TEST(garbage_is_corrupt),
        TEST(wrong_statement_is_an_sqlite_error_with_its_text),
        TEST(writing_through_a_read_only_connection_is_read_only),
        TEST(value_beyond_sqlites_limit_is_too_big),
        TEST(path_may_hold_what_has_a_meaning_in_a_uri),
        TEST(opening_that_fails_leaves_no_connection),
        TEST(wait_for_a_foreign_writer_ends_at_the_deadline),
        TEST(without_a_log_even_a_read_waits_for_an_exclusive_one),
        TEST(statement_is_prepared_once),
        TEST(no_row_gives_the_fallback_and_steps_reset),
        TEST(values_come_back_as_they_were_bound),
        TEST(triggers_and_views_do_not_run),
        TEST(removed_or_replaced_file_shows),
        TEST(log_of_a_large_transaction_does_not_stay),
        TEST(checkpoint_neither_waits_for_a_reader_nor_disturbs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
