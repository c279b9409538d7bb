/* test_peek.c - a database at rest, looked at without SQLite: the same as SQLite reads, or nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "rest.h"
#include "sandbox.h"

static const char *cache(void)
{
    return in("c");
}

static void sql(const char *statements)
{
    char *command = NULL;

    assert_true(asprintf(&command, "sqlite3 c/cache.db \"%s\" >answer 2>&1", statements) > 0);
    assert_int_equal(shell(command), 0);
    free(command);
}

static void make_cache(void)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, 20, &c), 0);
    assert_int_equal(put(c, "small", "value"), 0);
    dcache_close(c);
}

static int directory(void)
{
    int dir = open(cache(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(dir >= 0);
    return dir;
}

/* Whether a look takes it; if so, it has to be as SQLite sees it. */
static bool looked(const struct dcache_open_options *options)
{
    int dir = directory();
    struct rest rest = {0};
    struct settings ours, theirs;
    struct dcache_setting *list;
    bool taken, complete = false;
    struct db db = {0};
    size_t count;

    settings_default(&ours, 1);
    settings_default(&theirs, 1);
    taken = rest_look(&rest, dir, in("c/cache.db"), 1, options, &ours);
    if (taken) {
        assert_int_equal(db_open(&db, in("c/cache.db"), DB_IMMUTABLE), 0);
        assert_int_equal(schema_look(&db, &theirs, 1, &complete), 0);
        assert_true(complete);
        assert_memory_equal(&ours, &theirs, sizeof ours);
        assert_int_equal(settings_list(&db, &list, &count), 0);
        assert_int_equal(rest.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_string_equal(rest.list[i].name, list[i].name);
            assert_true(settings_has(&list[i], 1, &rest.list[i]));
        }
        dcache_settings_free(list, count);
        db_close(&db);
    }
    rest_forget(&rest);
    (void)close(dir);
    return taken;
}

static bool takes(void)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    return looked(&options);
}

static void values_of_all_kinds_are_as_sqlite_reads_them(void **state)
{
    (void)state;
    make_cache();
    assert_true(takes());
    sql("INSERT INTO Settings VALUES ('disk_a', 127), ('disk_b', -128), ('disk_c', 128),"
        " ('disk_d', -32769), ('disk_e', 8388607), ('disk_f', -8388609), ('disk_g', 2147483648),"
        " ('disk_h', -140737488355329), ('disk_i', 9223372036854775807),"
        " ('disk_j', -9223372036854775808), ('disk_k', 0), ('disk_l', 1), ('disk_m', 1.5),"
        " ('disk_n', -1e300), ('disk_o', 'text'), ('disk_p', ''), ('disk_q', x'00ff00'),"
        " ('disk_r', NULL), ('disk_s', 32768), ('disk_t', -1)");
    sql("UPDATE Settings SET value = 1e9 WHERE key = 'size_limit'");
    sql("UPDATE Settings SET value = 'LRU' WHERE key = 'eviction_policy'");
    sql("DELETE FROM Settings WHERE key = 'disk_t'");
    assert_true(takes());
}

static void large_setting_is_taken_while_it_fits_on_the_page(void **state)
{
    (void)state;
    make_cache();
    sql("INSERT INTO Settings VALUES ('disk_x', printf('%.3000c', 'x'))");
    assert_true(takes());
    sql("UPDATE Settings SET value = printf('%.5000c', 'x') WHERE key = 'disk_x'");
    assert_false(takes()); /* it overflows */
    sql("UPDATE Settings SET value = 1 WHERE key = 'disk_x'");
    assert_true(takes());
    sql("INSERT INTO Settings VALUES (printf('%.70c', 'x'), 1)"); /* a name that nobody has */
    assert_false(takes());
}

static void objects_of_others_are_no_hindrance(void **state)
{
    (void)state;
    make_cache();
    sql("CREATE TABLE Other (a, b); CREATE INDEX Other_a ON Other (a);"
        " CREATE INDEX Cache_store_time ON Cache (store_time)");
    assert_true(takes());
    sql("DROP TABLE Other; VACUUM");
    assert_true(takes());
}

static void column_for_checksums_may_have_been_added(void **state)
{
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_setting(cache(), "checksums", dcache_int(1), &c), 0);
    dcache_close(c);
    assert_true(takes());
    assert_int_equal(shell("rm -r c"), 0);
    make_cache();
    assert_int_equal(open_setting(cache(), "checksums", dcache_int(1), &c), 0);
    dcache_close(c);
    assert_true(takes());
}

/* Each of these is opened in the ordinary way, or refused. */
static void what_is_not_as_we_make_it_is_left_to_sqlite(void **state)
{
    static const char *const changes[] = {
        "ALTER TABLE Cache ADD COLUMN more",
        "ALTER TABLE Cache RENAME COLUMN mode TO kind",
        "ALTER TABLE Settings ADD COLUMN more",
        "DROP INDEX Cache_key_raw",
        "DROP TRIGGER Settings_size_update",
        "DELETE FROM Settings WHERE key = 'hits'",
        "DELETE FROM Settings WHERE key = 'cull_limit'",
        "UPDATE Settings SET value = 1 WHERE key = 'tag_index'",
        "CREATE INDEX Cache_tag_rowid ON Cache (tag, rowid)",
        "CREATE INDEX planted ON Cache (hex(tag))",
        "ALTER TABLE Cache RENAME TO Hidden; CREATE VIEW Cache AS SELECT * FROM Hidden",
        "INSERT INTO Settings VALUES (x'6162', 1)",
        "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM",
        "INSERT INTO Settings SELECT 'disk_' || key, printf('%.999c', 'x') FROM Settings",
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        make_cache();
        assert_true(takes());
        sql(changes[i]);
        if (takes())
            fail_msg("%s", changes[i]);
        assert_int_equal(shell("rm -r c"), 0);
    }
    assert_int_equal(shell("mkdir c; : >c/cache.db"), 0);
    assert_false(takes());
    assert_int_equal(shell("echo 'no database' >c/cache.db"), 0);
    assert_false(takes());
    assert_int_equal(shell("rm c/cache.db"), 0);
    sql("PRAGMA encoding = 'UTF-16'; CREATE TABLE Settings (key TEXT NOT NULL UNIQUE, value)");
    assert_false(takes());
}

static void pages_of_other_sizes_are_read_if_one_is_enough(void **state)
{
    (void)state;
    make_cache();
    sql("PRAGMA journal_mode = DELETE; PRAGMA page_size = 65536; VACUUM");
    assert_true(takes());
    sql("PRAGMA page_size = 8192; VACUUM");
    assert_true(takes());
}

static void database_that_is_not_at_rest_is_left_alone(void **state)
{
    (void)state;
    make_cache();
    assert_int_equal(shell(": >c/cache.db-wal"), 0);
    assert_false(takes());
    assert_int_equal(shell("rm c/cache.db-wal; : >c/cache.db-journal"), 0);
    assert_false(takes());
    assert_int_equal(shell("rm c/cache.db-journal; mv c/cache.db c/other; ln -s other c/cache.db"),
                     0);
    assert_false(takes());
}

static void settings_that_are_to_change_are_left_to_a_write(void **state)
{
    struct dcache_setting setting = {"cull_limit", dcache_int(10)};
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    (void)state;
    options.settings = &setting;
    options.settings_count = 1;
    make_cache();
    assert_true(looked(&options));
    setting.value = dcache_int(11);
    assert_false(looked(&options));
    setting.value = dcache_double(10);
    assert_false(looked(&options));
    setting.name = "disk_new";
    assert_false(looked(&options));
}

/* SQLite's locks in this process are POSIX locks, which go when anybody closes the file. */
static void look_drops_no_lock_of_this_process(void **state)
{
    static const char *const other = "sqlite3 c/cache.db 'BEGIN EXCLUSIVE' 2>/dev/null";
    struct db db = {0};

    (void)state;
    make_cache();
    sql("PRAGMA journal_mode = DELETE");
    assert_int_equal(db_open(&db, in("c/cache.db"), 0), 0);
    assert_int_equal(db_exec(&db, "BEGIN"), 0);
    assert_int_equal(db_exec(&db, "SELECT count(*) FROM Cache"), 0);
    assert_int_not_equal(shell(other), 0);
    assert_true(takes());
    assert_int_not_equal(shell(other), 0);
    db_close(&db);
    assert_int_equal(shell(other), 0);
}

/* Whatever the bytes are: it is read or it is not. */
static void damaged_bytes_do_no_harm(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct settings settings;
    struct rest rest = {0};
    int dir, taken = 0;
    size_t size = 0;
    char *whole;

    (void)state;
    make_cache();
    whole = read_file(in("c/cache.db"), &size);
    assert_non_null(whole);
    dir = directory();
    os_random_seed = 42;
    for (int i = 0; i < 3000; i++) {
        char *bytes = malloc(size);
        size_t page = i % 2 ? 0 : 8192; /* the schema; Settings */

        assert_non_null(bytes);
        memcpy(bytes, whole, size);
        for (int n = 0; n < 1 + i % 3; n++)
            bytes[page + (size_t)(os_uniform() * 4095)] = (char)(int)(os_uniform() * 255);
        assert_int_equal(write_file(in("c/cache.db"), bytes, i % 7 ? size : size / 3), 0);
        taken += rest_look(&rest, dir, in("c/cache.db"), 1, &options, &settings);
        free(bytes);
    }
    assert_true(taken > 0 && taken < 3000);
    rest_forget(&rest);
    (void)close(dir);
    free(whole);
}

static void look_that_fails_in_whatever_place_leaves_nothing_behind(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct settings settings;
    struct rest rest = {0};
    int dir, next;
    bool taken;

    (void)state;
    make_cache();
    dir = directory();
    for (long n = 1;; n++) {
        os_fault_at = n;
        taken = rest_look(&rest, dir, in("c/cache.db"), 1, &options, &settings);
        if (os_fault_at > 0)
            break;
        assert_false(taken);
        assert_null(rest.list);
    }
    os_fault_at = 0;
    assert_true(taken);
    rest_forget(&rest);
    next = dup(dir);
    assert_int_equal(next, dir + 1); /* no descriptor was kept */
    (void)close(next);
    (void)close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_of_all_kinds_are_as_sqlite_reads_them),
        TEST(large_setting_is_taken_while_it_fits_on_the_page),
        TEST(objects_of_others_are_no_hindrance),
        TEST(column_for_checksums_may_have_been_added),
        TEST(what_is_not_as_we_make_it_is_left_to_sqlite),
        TEST(pages_of_other_sizes_are_read_if_one_is_enough),
        TEST(database_that_is_not_at_rest_is_left_alone),
        TEST(settings_that_are_to_change_are_left_to_a_write),
        TEST(look_drops_no_lock_of_this_process),
        TEST(damaged_bytes_do_no_harm),
        TEST(look_that_fails_in_whatever_place_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
