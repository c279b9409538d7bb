/* test_settings.c - the twelve settings: their defaults, what is refused, what the table may hold,
 * who sees a change and when, and that only what is named is stored.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "read.h"
#include "sandbox.h"
#include "txn.h"

static const char *cache(void)
{
    return in("c");
}

static dcache *opened(void)
{
    dcache *c = NULL;

    assert_int_equal(dcache_open(cache(), NULL, &c), 0);
    return c;
}

static int64_t integer_of(dcache *c, const char *name)
{
    struct dcache_value value;
    int64_t result = -999;

    if (dcache_setting_get(c, name, &value) == 0 && value.type == DCACHE_INT)
        result = value.integer;
    dcache_value_clear(&value);
    return result;
}

static int set(dcache *c, const char *name, struct dcache_value value)
{
    return dcache_setting_set(c, name, &value);
}

static int sql(const char *text)
{
    sqlite3 *handle = NULL;
    int rc = sqlite3_open(in("c/cache.db"), &handle);

    (void)sqlite3_busy_timeout(handle, 5000);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(handle, text, NULL, NULL, NULL);
    (void)sqlite3_close(handle);
    return rc;
}

/* The first column of the first row, as text; "(none)" without a row. */
static const char *sql_text(const char *text)
{
    static char result[200];
    sqlite3_stmt *s = NULL;
    sqlite3 *handle = NULL;

    (void)snprintf(result, sizeof result, "(none)");
    assert_int_equal(sqlite3_open(in("c/cache.db"), &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &s, NULL), SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW)
        (void)snprintf(result, sizeof result, "%s", (const char *)sqlite3_column_text(s, 0));
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(handle);
    return result;
}

/* ---- the twelve ---- */

static void new_cache_has_the_twelve_with_the_defaults_of_5_6_3(void **state)
{
    static const struct {
        const char *name, *value;
    } expected[] = {
        {"cull_limit", "10"},
        {"disk_min_file_size", "32768"},
        {"disk_pickle_protocol", "5"},
        {"eviction_policy", "least-recently-stored"},
        {"size_limit", "1073741824"},
        {"sqlite_auto_vacuum", "1"},
        {"sqlite_cache_size", "8192"},
        {"sqlite_journal_mode", "wal"},
        {"sqlite_mmap_size", "67108864"},
        {"sqlite_synchronous", "1"},
        {"statistics", "0"},
        {"tag_index", "0"},
    };
    struct dcache_setting *settings;
    dcache *c = opened();
    size_t count;

    (void)state;
    assert_int_equal(dcache_settings(c, &settings, &count), 0);
    assert_int_equal(count, 12);
    for (size_t i = 0; i < 12; i++) {
        char text[64];

        assert_string_equal(settings[i].name, expected[i].name);
        assert_int_equal(dcache_setting_known(settings[i].name), 1);
        if (settings[i].value.type == DCACHE_INT)
            (void)snprintf(text, sizeof text, "%lld", (long long)settings[i].value.integer);
        else
            (void)snprintf(text, sizeof text, "%s", (const char *)settings[i].value.data);
        assert_string_equal(text, expected[i].value);
    }
    dcache_settings_free(settings, count);
    dcache_settings_free(NULL, 0);
    dcache_close(c);
    assert_string_equal(sql_text("SELECT count(*) FROM Settings"), "16"); /* and four counters */
}

static int64_t cull_limit_of_all(dcache *c)
{
    struct dcache_setting *settings;
    int64_t limit = -1;
    size_t count;

    assert_int_equal(dcache_settings(c, &settings, &count), 0);
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, "cull_limit") == 0)
            limit = settings[i].value.integer;
    dcache_settings_free(settings, count);
    return limit;
}

static void settings_asked_for_right_after_the_open_need_no_log(void **state)
{
    dcache *c = opened();

    (void)state;
    dcache_close(c);
    c = opened();
    assert_int_equal(cull_limit_of_all(c), 10);
    assert_int_not_equal(access(in("c/cache.db-wal"), F_OK), 0);
    assert_int_equal(cull_limit_of_all(c), 10); /* and asked for again they are read */
    assert_int_equal(access(in("c/cache.db-wal"), F_OK), 0);
    dcache_close(c);
    c = opened();
    assert_int_equal(sql("UPDATE Settings SET value = 7 WHERE key = 'cull_limit';"
                         "INSERT INTO Settings VALUES ('large', zeroblob(100000))"),
                     SQLITE_OK);
    assert_int_equal(cull_limit_of_all(c), 7); /* another has been there meanwhile */
    assert_int_equal(set(c, "cull_limit", dcache_int(8)), 0);
    assert_int_equal(cull_limit_of_all(c), 8);
    dcache_close(c);
    c = opened();
    assert_int_equal(set(c, "cull_limit", dcache_int(9)), 0);
    assert_int_equal(cull_limit_of_all(c), 9);
    dcache_close(c);
}

static void wrong_value_is_refused_before_anything_is_stored(void **state)
{
    const struct {
        const char *name;
        struct dcache_value value;
    } wrong[] = {
        {"eviction_policy", dcache_text("lru")},
        {"eviction_policy", dcache_int(1)},
        {"eviction_policy", dcache_none()},
        {"sqlite_journal_mode", dcache_text("wall")},
        {"sqlite_synchronous", dcache_int(4)},
        {"sqlite_auto_vacuum", dcache_int(-1)},
        {"size_limit", dcache_int(-1)},
        {"size_limit", dcache_text("1G")},
        {"size_limit", dcache_double((double)NAN)},
        {"cull_limit", dcache_int(-1)},
        {"cull_limit", dcache_int(INT64_C(1) << 40)},
        {"statistics", dcache_int(2)},
        {"tag_index", dcache_text("yes")},
        {"disk_min_file_size", dcache_int(-5)},
        {"sqlite_mmap_size", dcache_double(-1e300)},
        {"sqlite_cache_size", dcache_bytes("8192", 4)},
        {"count", dcache_int(0)},
        {"size", dcache_int(0)},
        {"hits", dcache_int(0)},
        {"evictions", dcache_int(0)},
        {"", dcache_int(0)},
        {"mine", dcache_double((double)NAN)},
        {"mine", dcache_sized(DCACHE_PICKLE, "x", 1)},
    };
    dcache *c = opened(), *other = NULL;
    char *before = listing(cache());

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (set(c, wrong[i].name, wrong[i].value) != DCACHE_INVALID)
            fail_msg("%s (%d) was taken", wrong[i].name, (int)i);
        assert_int_equal(open_setting(cache(), wrong[i].name, wrong[i].value, &other),
                         DCACHE_INVALID);
        assert_null(other);
        assert_int_equal(open_setting(in("new"), wrong[i].name, wrong[i].value, &other),
                         DCACHE_INVALID);
        assert_false(exists(in("new")));
    }
    free(before);
    dcache_close(c);
    c = opened(); /* 5.6.3 could never open this directory again */
    assert_string_equal(sql_text("SELECT value FROM Settings WHERE key = 'eviction_policy'"),
                        "least-recently-stored");
    dcache_close(c);
}

static void one_wrong_setting_keeps_all_from_being_stored(void **state)
{
    const struct dcache_setting settings[] = {
        {.name = "size_limit", .value = dcache_int(5000000)},
        {.name = "eviction_policy", .value = dcache_text("lru")},
    };
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *c = opened(), *other = NULL;

    (void)state;
    options.settings = settings;
    options.settings_count = 2;
    assert_int_equal(dcache_open(cache(), &options, &other), DCACHE_INVALID);
    assert_int_equal(integer_of(c, "size_limit"), 1 << 30);
    dcache_close(c);
}

static void unknown_setting_is_kept_and_told_apart(void **state)
{
    struct dcache_value value;
    dcache *c = NULL;

    (void)state;
    assert_int_equal(dcache_setting_known("size_limit"), 1);
    assert_int_equal(dcache_setting_known("size_limits"), 0);
    assert_int_equal(dcache_setting_known("count"), 0);
    assert_int_equal(dcache_setting_known(NULL), 0);
    assert_int_equal(open_setting(cache(), "my_own", dcache_text("kept"), &c), 0);
    dcache_close(c);
    c = opened();
    assert_int_equal(dcache_setting_get(c, "my_own", &value), 0);
    assert_string_equal(value.data, "kept");
    dcache_value_clear(&value);
    assert_int_equal(set(c, "my_own", dcache_double(1.5)), 0);
    assert_int_equal(dcache_setting_get(c, "my_own", &value), 0);
    assert_true(value.type == DCACHE_DOUBLE && value.real == 1.5);
    assert_int_equal(set(c, "nothing", dcache_none()), 0);
    assert_int_equal(dcache_setting_get(c, "nothing", &value), 0);
    assert_int_equal(value.type, DCACHE_NONE);
    assert_int_equal(dcache_setting_get(c, "missing", &value), DCACHE_NOT_FOUND);
    dcache_close(c);
}

/* ---- what the table may hold ---- */

static void absurd_values_in_the_table_count_as_defaults(void **state)
{
    dcache *c = opened();
    struct settings *s;

    (void)state;
    dcache_close(c);
    assert_int_equal(sql("UPDATE Settings SET value = 'lru' WHERE key = 'eviction_policy';"
                         "UPDATE Settings SET value = -7 WHERE key = 'size_limit';"
                         "UPDATE Settings SET value = NULL WHERE key = 'cull_limit';"
                         "UPDATE Settings SET value = x'ff' WHERE key = 'disk_min_file_size';"
                         "UPDATE Settings SET value = 9e99 WHERE key = 'sqlite_synchronous';"
                         "UPDATE Settings SET value = 'paper' WHERE key = 'sqlite_journal_mode';"
                         "INSERT INTO Settings VALUES (x'00', 1), (5, 5)"),
                     SQLITE_OK);
    c = opened();
    s = &c->store->settings;
    assert_int_equal(s->policy, POLICY_STORED);
    assert_int_equal(s->size_limit, 1 << 30);
    assert_int_equal(s->cull_limit, 10);
    assert_int_equal(s->min_file_size, 32768);
    assert_int_equal(s->synchronous, 1);
    assert_int_equal(s->journal, JOURNAL_WAL);
    assert_int_equal(put(c, "k", "v"), 0);
    assert_int_equal(has(c, "k", "v"), 1);
    dcache_close(c);
    assert_string_equal(sql_text("SELECT value FROM Settings WHERE key = 'eviction_policy'"),
                        "lru"); /* not ours to correct */
}

static void numbers_as_5_6_3_may_have_stored_them_are_understood(void **state)
{
    dcache *c = opened();

    (void)state;
    dcache_close(c);
    assert_int_equal(sql("UPDATE Settings SET value = 1e9 WHERE key = 'size_limit';"
                         "UPDATE Settings SET value = 'LEAST-Recently-Used'"
                         " WHERE key = 'eviction_policy'"),
                     SQLITE_OK);
    c = opened();
    assert_int_equal(c->store->settings.size_limit, 1000000000);
    assert_int_equal(c->store->settings.policy, POLICY_USED);
    dcache_close(c);
}

static void missing_rows_are_made_again_and_the_others_left(void **state)
{
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_setting(cache(), "size_limit", dcache_int(123456789), &c), 0);
    assert_int_equal(put(c, "k", "v"), 0);
    dcache_close(c);
    assert_int_equal(sql("DELETE FROM Settings WHERE key IN ('cull_limit', 'hits')"), SQLITE_OK);
    c = opened();
    assert_int_equal(integer_of(c, "cull_limit"), 10);
    assert_int_equal(integer_of(c, "size_limit"), 123456789);
    assert_int_equal(count_of(c), 1);
    dcache_close(c);
}

/* ---- only what is named ---- */

static void reopening_keeps_what_was_chosen(void **state)
{
    dcache *c = NULL, *other = NULL;

    (void)state;
    assert_int_equal(open_setting(cache(), "size_limit", dcache_int(INT64_C(1) << 34), &c), 0);
    dcache_close(c);
    c = opened();
    assert_true(integer_of(c, "size_limit") == INT64_C(1) << 34);
    assert_int_equal(open_setting(cache(), "cull_limit", dcache_int(3), &other), 0);
    assert_true(integer_of(other, "size_limit") == INT64_C(1) << 34);
    assert_int_equal(integer_of(c, "cull_limit"), 3);
    assert_true(c->store->settings.size_limit == INT64_C(1) << 34);
    assert_int_equal(c->store->settings.cull_limit, 3);
    dcache_close(other);
    dcache_close(c);
}

static void error_while_opening_changes_no_setting(void **state)
{
    dcache *c = NULL, *other = NULL;

    (void)state;
    assert_int_equal(open_setting(cache(), "size_limit", dcache_int(123456789), &c), 0);
    for (long n = 1;; n++) {
        bool fired;
        int rc;

        os_fault_at = n;
        rc = open_setting(cache(), "cull_limit", dcache_int(4), &other);
        fired = os_fault_at == 0;
        os_fault_at = 0;
        assert_true(c->store->settings.size_limit == 123456789);
        if (rc == 0)
            break;
        assert_true(fired);
        assert_int_equal(c->store->settings.cull_limit, 10);
        assert_int_equal(integer_of(c, "cull_limit"), 10);
        assert_null(other);
    }
    assert_int_equal(c->store->settings.cull_limit, 4);
    dcache_close(other);
    dcache_close(c);
    assert_string_equal(sql_text("SELECT value FROM Settings WHERE key = 'size_limit'"),
                        "123456789");
}

/* ---- changes ---- */

static int watch_settings(struct child *self)
{
    dcache *c;

    MUST(dcache_open(cache(), NULL, &c) == 0);
    MUST(c->store->settings.min_file_size == 32768);
    MUST(put_bytes(c, "before", 'b', 20000) == 0);
    MUST(count_ending(cache(), ".val") == 0);
    child_say(self, 'o');
    MUST(child_hear(self) == 'c');
    MUST(put_bytes(c, "after", 'a', 20000) == 0); /* a file now */
    MUST(count_ending(cache(), ".val") == 1);
    MUST(integer_of(c, "statistics") == 1);
    dcache_close(c);
    return 0;
}

static void change_is_in_force_at_once_in_another_process(void **state)
{
    struct child child = child_start(watch_settings);
    dcache *c;

    (void)state;
    assert_int_equal(child_hear(&child), 'o');
    c = opened();
    assert_int_equal(set(c, "disk_min_file_size", dcache_int(10000)), 0);
    assert_int_equal(set(c, "statistics", dcache_int(1)), 0);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has_bytes(c, "before", 'b', 20000), 1);
    assert_int_equal(has_bytes(c, "after", 'a', 20000), 1);
    dcache_close(c);
}

static void change_in_a_transaction_counts_once_committed(void **state)
{
    dcache *c = opened(), *txn;

    (void)state;
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(set(txn, "cull_limit", dcache_int(77)), 0);
    dcache_rollback(txn);
    assert_int_equal(integer_of(c, "cull_limit"), 10);
    assert_int_equal(c->store->settings.cull_limit, 10);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(set(txn, "cull_limit", dcache_int(77)), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(integer_of(c, "cull_limit"), 77);
    assert_int_equal(c->store->settings.cull_limit, 77);
    dcache_close(c);
}

static void tag_index_comes_and_goes_with_its_setting(void **state)
{
    static const char query[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'Cache_tag_rowid'";
    dcache *c = opened();

    (void)state;
    assert_string_equal(sql_text(query), "0");
    assert_int_equal(set(c, "tag_index", dcache_int(1)), 0);
    assert_string_equal(sql_text(query), "1");
    assert_int_equal(set(c, "tag_index", dcache_int(0)), 0);
    assert_string_equal(sql_text(query), "0");
    dcache_close(c);
    assert_int_equal(open_setting(cache(), "tag_index", dcache_int(1), &c), 0);
    assert_string_equal(sql_text(query), "1");
    dcache_close(c);
}

/* 5.6.3 makes the index of a policy when it opens; we when the policy first evicts. */
static void policy_has_its_index_when_it_has_evicted(void **state)
{
    static const struct {
        const char *policy, *index;
    } policies[] = {{"least-recently-stored", "Cache_store_time"},
                    {"least-recently-used", "Cache_access_time"},
                    {"least-frequently-used", "Cache_access_count"}};
    dcache *c = opened();

    (void)state;
    assert_int_equal(set(c, "memtable_size", dcache_int(0)), 0);
    assert_int_equal(set(c, "size_limit", dcache_int(100000)), 0);
    for (int i = 0; i < 3; i++) {
        char query[200];

        assert_int_equal(set(c, "eviction_policy", dcache_text(policies[i].policy)), 0);
        for (int k = 0; k < 8; k++)
            assert_int_equal(put_bytes(c, in("%d", k), 'x', 30000), 0);
        (void)snprintf(query, sizeof query, "SELECT tbl_name FROM sqlite_schema WHERE name = '%s'",
                       policies[i].index);
        assert_string_equal(sql_text(query), "Cache");
    }
    dcache_close(c);
}

static void pragma_settings_reach_connections_that_are_open(void **state)
{
    dcache *c = opened();
    struct db *db;

    (void)state;
    assert_int_equal(set(c, "sqlite_cache_size", dcache_int(321)), 0);
    assert_int_equal(set(c, "sqlite_synchronous", dcache_int(2)), 0);
    assert_true(c->store->settings.cache_size == 321);
    for (int i = 0; i < 3; i++) { /* every connection, not one */
        sqlite3_stmt *s;
        int64_t value = 0;

        assert_int_equal(txn_read_begin(c, &db), 0);
        assert_int_equal(db_prepare(db, i ? "PRAGMA cache_size" : "PRAGMA synchronous", &s), 0);
        assert_int_equal(db_integer(db, s, -1, &value), 0);
        assert_int_equal(value, i ? 321 : 2);
        (void)sqlite3_finalize(s);
        txn_read_end(c, db);
    }
    assert_true(c->store->files.sync); /* value files as well, then */
    dcache_close(c);
}

static void journal_mode_changes_while_nobody_else_is_there(void **state)
{
    dcache *c = opened();

    (void)state;
    assert_int_equal(put(c, "k", "v"), 0);
    assert_int_equal(set(c, "sqlite_journal_mode", dcache_text("delete")), 0);
    assert_string_equal(sql_text("PRAGMA journal_mode"), "delete");
    assert_false(exists(in("c/cache.db-wal")));
    assert_int_equal(put(c, "l", "w"), 0);
    assert_int_equal(has(c, "k", "v"), 1);
    assert_int_equal(set(c, "sqlite_journal_mode", dcache_text("WAL")), 0);
    assert_string_equal(sql_text("PRAGMA journal_mode"), "wal");
    assert_int_equal(has(c, "l", "w"), 1);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_cache_has_the_twelve_with_the_defaults_of_5_6_3),
        TEST(settings_asked_for_right_after_the_open_need_no_log),
        TEST(wrong_value_is_refused_before_anything_is_stored),
        TEST(one_wrong_setting_keeps_all_from_being_stored),
        TEST(unknown_setting_is_kept_and_told_apart),
        TEST(absurd_values_in_the_table_count_as_defaults),
        TEST(numbers_as_5_6_3_may_have_stored_them_are_understood),
        TEST(missing_rows_are_made_again_and_the_others_left),
        TEST(reopening_keeps_what_was_chosen),
        TEST(error_while_opening_changes_no_setting),
        TEST(change_is_in_force_at_once_in_another_process),
        TEST(change_in_a_transaction_counts_once_committed),
        TEST(tag_index_comes_and_goes_with_its_setting),
        TEST(policy_has_its_index_when_it_has_evicted),
        TEST(pragma_settings_reach_connections_that_are_open),
        TEST(journal_mode_changes_while_nobody_else_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
