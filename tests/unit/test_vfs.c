/* test_vfs.c - reading without a lock: what was read counts only if nobody committed meanwhile, and
 * what counts is never a mixture.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "db.h"
#include "sandbox.h"

#define SIZE 30000 /* a row of several pages */
#define SLOTS 4

static void open_pair(struct db *a, struct db *b)
{
    assert_int_equal(write_file(in("cache.db"), "", 0), 0);
    memset(a, 0, sizeof *a);
    memset(b, 0, sizeof *b);
    assert_int_equal(db_open(a, in("cache.db"), 0), 0);
    assert_int_equal(db_exec(a, "PRAGMA journal_mode = wal; CREATE TABLE t (x)"), 0);
    assert_int_equal(db_exec(a, "INSERT INTO t VALUES (1)"), 0);
    assert_int_equal(db_open(b, in("cache.db"), 0), 0);
}

static int64_t sum(struct db *db)
{
    sqlite3_stmt *s;
    int64_t result = -1;

    assert_int_equal(db_prepare(db, "SELECT sum(x) FROM t", &s), 0);
    assert_int_equal(db_integer(db, s, -1, &result), 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    return result;
}

static void reading_that_nobody_disturbed_is_valid(void **state)
{
    struct db a, b;

    (void)state;
    open_pair(&a, &b);
    assert_int_equal(sum(&b), 1); /* maps the index */
    assert_true(db_unlocked_begin(&b));
    assert_int_equal(sum(&b), 1);
    assert_true(db_unlocked_end(&b));
    assert_int_equal(db_exec(&a, "INSERT INTO t VALUES (10)"), 0);
    assert_true(db_unlocked_begin(&b));
    assert_int_equal(sum(&b), 11);
    assert_true(db_unlocked_end(&b));
    db_close(&a);
    db_close(&b);
}

/* A mapped page behind the new end of the file would be SIGBUS. */
static void database_that_is_cut_while_it_is_read_does_no_harm(void **state)
{
    struct db a, b;
    sqlite3_stmt *s;
    int rc;

    (void)state;
    open_pair(&a, &b);
    db_close(&b);
    assert_int_equal(db_exec(&a, "PRAGMA journal_mode = delete; PRAGMA auto_vacuum = 1; VACUUM;"
                                 "PRAGMA journal_mode = wal"),
                     0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(db_exec(&a, "INSERT INTO t VALUES (zeroblob(3000))"), 0);
    db_checkpoint(&a);
    assert_int_equal(db_open(&b, in("cache.db"), 0), 0);
    assert_int_equal(db_exec(&b, "PRAGMA mmap_size = 67108864"), 0);
    (void)sum(&b); /* maps index and database */
    assert_false(db_unlocked_begin(&b));
    assert_int_equal(db_exec(&b, "PRAGMA mmap_size = 0"), 0);
    assert_true(db_unlocked_begin(&b));
    assert_int_equal(db_prepare(&b, "SELECT x FROM t", &s), 0);
    assert_int_equal(db_step(&b, s), 1);
    assert_int_equal(db_exec(&a, "DELETE FROM t"), 0);
    db_checkpoint(&a);
    do {
        rc = db_step(&b, s);
        if (rc == 1)
            (void)sqlite3_column_blob(s, 0);
    } while (rc == 1);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_false(db_unlocked_end(&b));
    assert_int_equal(sum(&b), 0);
    db_close(&a);
    db_close(&b);
}

static void commit_in_between_makes_it_void(void **state)
{
    struct db a, b;

    (void)state;
    open_pair(&a, &b);
    assert_int_equal(sum(&b), 1);
    assert_true(db_unlocked_begin(&b));
    assert_int_equal(sum(&b), 1);
    assert_int_equal(db_exec(&a, "INSERT INTO t VALUES (10)"), 0);
    assert_false(db_unlocked_end(&b));
    assert_int_equal(sum(&b), 11);
    db_close(&a);
    db_close(&b);
}

static void log_that_starts_over_makes_it_void(void **state)
{
    struct db a, b;

    (void)state;
    open_pair(&a, &b);
    assert_int_equal(sum(&b), 1);
    assert_true(db_unlocked_begin(&b));
    assert_int_equal(sum(&b), 1);
    assert_int_equal(db_exec(&a, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    assert_int_equal(size_of(in("cache.db-wal")), 0); /* nobody's lock was in the way */
    assert_false(db_unlocked_end(&b));
    assert_int_equal(sum(&b), 1);
    db_close(&a);
    db_close(&b);
}

static void locks_are_taken_again_afterwards(void **state)
{
    sqlite3_stmt *s;
    struct db a, b;

    (void)state;
    open_pair(&a, &b);
    assert_int_equal(sum(&b), 1);
    assert_true(db_unlocked_begin(&b));
    assert_true(db_unlocked_end(&b));
    assert_int_equal(db_prepare(&b, "SELECT x FROM t", &s), 0);
    assert_int_equal(db_step(&b, s), 1);
    (void)db_exec(&a, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(size_of(in("cache.db-wal")) > 0); /* the reader's lock was */
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    db_close(&a);
    db_close(&b);
}

static void without_a_log_there_is_none(void **state)
{
    struct db a = {0};

    (void)state;
    assert_int_equal(write_file(in("cache.db"), "", 0), 0);
    assert_int_equal(db_open(&a, in("cache.db"), 0), 0);
    assert_int_equal(db_exec(&a, "CREATE TABLE t (x)"), 0);
    assert_false(db_unlocked_begin(&a));
    db_close(&a);
}

static void within_a_transaction_there_is_none(void **state)
{
    struct db a, b;

    (void)state;
    open_pair(&a, &b);
    assert_int_equal(sum(&b), 1);
    assert_int_equal(db_exec(&b, "BEGIN"), 0);
    assert_false(db_unlocked_begin(&b));
    db_close(&a);
    db_close(&b);
}

/* ---- torn values ---- */

static struct dcache_value slot_key(int slot)
{
    return dcache_int(slot);
}

/* Every value is one letter, many times. */
static int write_letters(struct child *self)
{
    static char buffer[SIZE];
    struct pollfd end = {.fd = self->from, .events = POLLIN};
    dcache *c;

    MUST(open_with(in("cache"), 0, 30, &c) == 0);
    child_say(self, 'r');
    for (int n = 0; poll(&end, 1, 0) == 0; n++) {
        struct dcache_value key = slot_key(n % SLOTS), value = dcache_bytes(buffer, sizeof buffer);

        memset(buffer, 'a' + n % 26, sizeof buffer);
        MUST(dcache_set(c, &key, &value, NULL) == 0);
    }
    dcache_close(c);
    return 0;
}

static int is_one_letter(const struct dcache_value *value)
{
    const char *data = value->data;

    return value->type == DCACHE_BYTES && value->size == SIZE &&
           memcmp(data, data + 1, SIZE - 1) == 0;
}

static void value_is_never_a_mixture_while_others_write_and_checkpoint(void **state)
{
    struct dcache_entry entry;
    struct child writers[3];
    int64_t until;
    long reads = 0;
    dcache *c;

    (void)state;
    assert_int_equal(open_with(in("cache"), 0, 30, &c), 0);
    for (int i = 0; i < 3; i++) {
        writers[i] = child_start(write_letters);
        assert_int_equal(child_hear(&writers[i]), 'r');
    }
    for (until = now_ms() + 3000; now_ms() < until; reads++) {
        struct dcache_value key = slot_key((int)(reads % SLOTS));
        int rc = dcache_get(c, &key, NULL, &entry);

        assert_true(rc == 0 || rc == DCACHE_NOT_FOUND);
        assert_true(rc != 0 || is_one_letter(&entry.value));
        dcache_entry_clear(&entry);
    }
    for (int i = 0; i < 3; i++) {
        child_say(&writers[i], 'e');
        assert_int_equal(child_end(&writers[i]), 0);
    }
    assert_true(reads > 1000);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reading_that_nobody_disturbed_is_valid),
        TEST(database_that_is_cut_while_it_is_read_does_no_harm),
        TEST(commit_in_between_makes_it_void),
        TEST(log_that_starts_over_makes_it_void),
        TEST(locks_are_taken_again_afterwards),
        TEST(without_a_log_there_is_none),
        TEST(within_a_transaction_there_is_none),
        TEST(value_is_never_a_mixture_while_others_write_and_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
