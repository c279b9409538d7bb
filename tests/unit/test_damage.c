/* test_damage.c - databases that are damaged or no cache: a clear error, nothing made worse, and the
 * commands of docs/RECOVERY.md bring back what is left.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#define ITEMS 400

static const char *cache(void)
{
    return in("c");
}

static dcache *opened(void)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, 5, &c), 0);
    return c;
}

static const char *key_of(int i)
{
    static char key[16];

    (void)snprintf(key, sizeof key, "key-%d", i);
    return key;
}

/* Enough items for a tree of pages, one of them in a file. */
static void make_cache(void)
{
    char value[300];
    dcache *c = opened();

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(put(c, key_of(i), value), 0);
    assert_int_equal(put_bytes(c, "large", 'L', 50000), 0);
    dcache_close(c);
}

static int found(dcache *c)
{
    struct dcache_entry e;
    int count = 0;

    for (int i = 0; i < ITEMS; i++) {
        struct dcache_value key = dcache_text(key_of(i));

        count += dcache_get(c, &key, NULL, &e) == 0 && e.value.size == 299;
        dcache_entry_clear(&e);
    }
    return count;
}

static int is_damage(int rc)
{
    return rc == DCACHE_CORRUPT && dcache_last_error()->status == DCACHE_CORRUPT &&
           dcache_last_error()->text[0] != 0;
}

/* ---- what is no cache ---- */

static void expect_refused_and_untouched(void)
{
    char *before = listing(in(".")), *after;
    dcache *c = NULL;

    for (int i = 0; i < 2; i++) {
        assert_true(is_damage(open_with(cache(), i ? DCACHE_READ_ONLY : 0, 1, &c)));
        assert_null(c);
        assert_false(exists(in("c/cache.db-shared")));
    }
    after = listing(in("."));
    /* Of the directory itself the time may change: our lock file came and went. */
    assert_string_equal(strstr(before, "/c/cache.db"), strstr(after, "/c/cache.db"));
    free(before);
    free(after);
}

static void database_of_another_program_is_refused(void **state)
{
    char *rows;

    (void)state;
    assert_int_equal(shell("mkdir c; sqlite3 c/cache.db \"CREATE TABLE mine (a); INSERT INTO mine"
                           " VALUES ('precious')\""),
                     0);
    expect_refused_and_untouched();
    assert_int_equal(shell("sqlite3 c/cache.db 'SELECT a FROM mine' >rows"), 0);
    rows = read_file(in("rows"), NULL);
    assert_string_equal(rows, "precious\n");
    free(rows);
}

static void database_with_tables_of_our_names_but_other_columns_is_refused(void **state)
{
    (void)state;
    assert_int_equal(shell("mkdir c; sqlite3 c/cache.db 'CREATE TABLE Settings (a, b);"
                           "CREATE TABLE Cache (c, d)'"),
                     0);
    expect_refused_and_untouched();
}

static void text_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(shell("mkdir c; seq 9999 >c/cache.db"), 0);
    expect_refused_and_untouched();
}

static void directory_link_and_fifo_in_its_place_are_refused(void **state)
{
    static const char *const makers[] = {"mkdir c/cache.db", "mkfifo c/cache.db",
                                         "echo secret >target; ln -s ../target c/cache.db",
                                         "ln -s ../nowhere c/cache.db"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(shell("rm -rf c; mkdir c"), 0);
        assert_int_equal(shell(makers[i]), 0);
        expect_refused_and_untouched();
    }
    assert_false(exists(in("nowhere")));
    assert_int_equal(size_of(in("target")), 7);
}

/* ---- what is damaged ---- */

static void damaged_header_is_refused(void **state)
{
    (void)state;
    make_cache();
    assert_int_equal(patch_file(in("c/cache.db"), 0, "damaged by somebody", 19), 0);
    expect_refused_and_untouched();
    assert_int_equal(count_ending(cache(), ".val"), 1);
}

static void database_cut_short_is_damage_wherever_it_was_cut(void **state)
{
    static const int64_t sizes[] = {10, 100, 5000, 40000, 100000};

    (void)state;
    make_cache();
    assert_int_equal(shell("cp c/cache.db whole"), 0);
    for (int i = 0; i < 5; i++) {
        dcache *c = NULL;
        int rc, left;

        assert_int_equal(shell("cat whole >c/cache.db"), 0);
        assert_int_equal(truncate(in("c/cache.db"), sizes[i]), 0);
        rc = open_with(cache(), 0, 1, &c);
        if (rc == 0) { /* what is left of the pages may serve */
            left = found(c);
            assert_true(left < ITEMS);
            rc = problems(c, 1);
            assert_true(rc > 0 || is_damage(rc));
            rc = DCACHE_CORRUPT;
            dcache_close(c);
        }
        assert_int_equal(rc, DCACHE_CORRUPT);
        assert_int_equal(count_ending(cache(), ".val"), 1); /* no file went because of it */
    }
}

static void overwrite_pages(int64_t from, int64_t to)
{
    char garbage[4096];

    memset(garbage, 0xa5, sizeof garbage);
    for (int64_t page = from; page < to; page++)
        assert_int_equal(patch_file(in("c/cache.db"), page * 4096, garbage, sizeof garbage), 0);
}

static void damaged_page_shows_where_it_is_met_and_others_serve(void **state)
{
    struct dcache_report report;
    dcache *c;
    int left, rc;

    (void)state;
    make_cache();
    overwrite_pages(20, 24);
    c = opened();
    left = found(c);
    assert_in_range(left, 1, ITEMS - 1);
    for (int i = 0; i < ITEMS; i++) { /* there, or an error: never a wrong value or "no such key" */
        struct dcache_value key = dcache_text(key_of(i));
        struct dcache_entry e;

        rc = dcache_get(c, &key, NULL, &e);
        assert_true(rc == 0 || is_damage(rc));
        dcache_entry_clear(&e);
    }
    rc = dcache_check(c, 0, &report);
    if (rc == 0) {
        assert_true(report.count > 0);
        assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_DATABASE);
        assert_int_equal(report.problems[0].fixed, 0);
        dcache_report_clear(&report);
    } else {
        assert_true(is_damage(rc));
    }
    assert_int_equal(has_bytes(c, "large", 'L', 50000), 1);
    dcache_close(c);
}

static void fixing_a_damaged_database_removes_no_files(void **state)
{
    dcache *c;
    int rc;

    (void)state;
    make_cache();
    overwrite_pages(4, 26);
    c = NULL;
    rc = open_with(cache(), 0, 1, &c);
    if (rc == 0) {
        (void)problems(c, 1);
        dcache_close(c);
    }
    assert_int_equal(count_ending(cache(), ".val"), 1);
}

static void damaged_log_is_ignored_from_its_first_wrong_frame(void **state)
{
    dcache *c = opened();
    int rc;

    (void)state;
    no_memtable(c);
    for (int i = 0; i < 50; i++)
        assert_int_equal(put(c, key_of(i), "value"), 0);
    assert_int_equal(shell("mkdir d; cp c/cache.db c/cache.db-wal d/"), 0); /* as if cut off */
    dcache_close(c);
    assert_int_equal(patch_file(in("d/cache.db-wal"), size_of(in("d/cache.db-wal")) / 2, "XXXX", 4),
                     0);
    rc = open_with(in("d"), 0, 5, &c);
    assert_int_equal(rc, 0); /* an earlier state, whole in itself */
    assert_in_range(count_of(c), 1, 49);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

/* ---- recovery ---- */

/* The commands of docs/RECOVERY.md that are marked so, between ```sh MARK and ```. */
static char *commands(const char *mark)
{
    static const char here[] = __FILE__;
    int length = (int)(strrchr(here, '/') - here);
    char path[600], fence[40], *text, *begin, *end, *copy;

    (void)snprintf(path, sizeof path, "%.*s/../../docs/RECOVERY.md", length, here);
    text = read_file(path, NULL);
    assert_non_null(text);
    (void)snprintf(fence, sizeof fence, "```sh%s\n", mark);
    begin = strstr(text, fence);
    assert_non_null(begin);
    begin += strlen(fence);
    end = strstr(begin, "```");
    assert_non_null(end);
    copy = strndup(begin, (size_t)(end - begin));
    free(text);
    return copy;
}

/* The tool itself is tested elsewhere; where it has not been built its part is done by us. It exits
 * with 1 when it has found something. */
static void run_commands(const char *mark)
{
    char *text = commands(mark), *line = NULL, *tool = realpath("./diskcache", NULL);

    assert_true(asprintf(&line,
                         "exec 2>errors; DIR=%s BACKUP=%s TOOL=%s\n"
                         "diskcache() { [ -z $TOOL ] || $TOOL \"$@\" >checked || [ $? = 1 ]; }\n%s",
                         cache(), in("backup"), tool ? tool : "", text) > 0);
    assert_int_equal(shell(line), 0);
    free(tool);
    free(line);
    free(text);
}

static void recover_and_use(int least)
{
    dcache *c;

    run_commands("");
    run_commands(" recover");
    c = opened();
    (void)problems(c, 1); /* what the tool has done where it was there */
    assert_int_equal(problems(c, 0), 0);
    assert_in_range(found(c), least, ITEMS);
    assert_int_equal(put(c, "after", "recovery"), 0);
    assert_int_equal(has(c, "after", "recovery"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void recovery_brings_back_what_is_on_whole_pages(void **state)
{
    (void)state;
    make_cache();
    overwrite_pages(20, 24);
    recover_and_use(ITEMS - 80);
}

static void recovery_of_a_database_cut_short(void **state)
{
    (void)state;
    make_cache();
    assert_int_equal(truncate(in("c/cache.db"), size_of(in("c/cache.db")) / 2), 0);
    recover_and_use(ITEMS / 4);
}

static void recovery_of_a_whole_one_loses_nothing(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    recover_and_use(ITEMS);
    c = opened();
    assert_int_equal(has_bytes(c, "large", 'L', 50000), 1);
    assert_int_equal(count_of(c), ITEMS + 2);
    dcache_close(c);
}

static void backup_in_its_place_is_the_cache_of_then(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    c = opened();
    assert_int_equal(dcache_backup(c, in("backup")), 0);
    assert_int_equal(put(c, "later", "than the backup"), 0);
    dcache_close(c);
    assert_int_equal(truncate(in("c/cache.db"), 10), 0);
    run_commands("");
    run_commands(" backup");
    c = opened();
    assert_int_equal(found(c), ITEMS);
    assert_int_equal(has_bytes(c, "large", 'L', 50000), 1);
    assert_int_equal(absent(c, "later"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(database_of_another_program_is_refused),
        TEST(database_with_tables_of_our_names_but_other_columns_is_refused),
        TEST(text_file_is_refused),
        TEST(directory_link_and_fifo_in_its_place_are_refused),
        TEST(damaged_header_is_refused),
        TEST(database_cut_short_is_damage_wherever_it_was_cut),
        TEST(damaged_page_shows_where_it_is_met_and_others_serve),
        TEST(fixing_a_damaged_database_removes_no_files),
        TEST(damaged_log_is_ignored_from_its_first_wrong_frame),
        TEST(recovery_brings_back_what_is_on_whole_pages),
        TEST(recovery_of_a_database_cut_short),
        TEST(recovery_of_a_whole_one_loses_nothing),
        TEST(backup_in_its_place_is_the_cache_of_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
