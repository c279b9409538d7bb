/* test_lost.c - value files that are missing, cut off or altered, that stand where they should not, or are not the
 * cache's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "weather.h"

/* The only value file of the cache, as a path. */
static const char *value_file(void)
{
    static char path[600];
    char *text = listing(cache()), *end = strstr(text, ".val "), *begin = end;

    assert_non_null(end);
    while (begin > text && begin[-1] != '\n')
        begin--;
    (void)snprintf(path, sizeof path, "%.*s", (int)(end + 4 - begin), begin);
    free(text);
    return path;
}

static void value_whose_file_is_missing_is_not_there_in_any_way(void **state)
{
    struct dcache_value key = dcache_text("k"), value = dcache_text("second");
    dcache *c = opened();

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(unlink(value_file()), 0);
    assert_int_equal(has_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(absent(c, "k"), 1);
    assert_int_equal(dcache_add(c, &key, &value, NULL), 0);
    assert_int_equal(has(c, "k", "second"), 1);
    assert_int_equal(problems(c, 1), 0); /* the two directories went with the old row */
    dcache_close(c);
}

static void truncated_file_is_no_value_and_a_longer_one_is(void **state)
{
    struct dcache_report report;
    dcache *c = opened();

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(truncate(value_file(), 60000), 0);
    assert_int_equal(dcache_check(c, 1, &report), 0);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_SIZE);
    assert_int_equal(report.problems[0].fixed, 1);
    dcache_report_clear(&report);
    assert_int_equal(absent(c, "k"), 0);
    assert_int_equal(truncate(value_file(), 49999), 0);
    assert_int_equal(absent(c, "k"), 1);
    assert_int_equal(dcache_check(c, 1, &report), 0);
    assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_TRUNCATED);
    dcache_report_clear(&report);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static dcache *opened_with_checksums(void)
{
    dcache *c = NULL;

    assert_int_equal(open_setting(cache(), "checksums", dcache_int(1), &c), 0);
    return c;
}

/* The n-th byte of the value's file becomes another one. */
static void change_byte(long n)
{
    char byte;
    int fd = open(value_file(), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, n), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, n), 1);
    (void)close(fd);
}

static void altered_file_is_a_miss_counted_and_found_by_check(void **state)
{
    struct dcache_value key = dcache_text("k");
    struct dcache_get_options as_fd = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_report report;
    struct dcache_stats stats;
    struct dcache_entry e;
    dcache *c = opened_with_checksums();

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    change_byte(49999);
    assert_int_equal(dcache_get(c, &key, NULL, &e), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_get_many(c, &key, 1, NULL, &e), 0);
    assert_int_equal(e.status, DCACHE_NOT_FOUND);
    as_fd.flags = DCACHE_AS_FD;
    assert_int_equal(dcache_get(c, &key, &as_fd, &e), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_int_equal(stats.damaged, 3);
    change_byte(49999);
    assert_int_equal(has_bytes(c, "k", 'x', 50000), 1);
    change_byte(0);
    assert_int_equal(dcache_check(c, 1, &report), 0);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_DAMAGED);
    assert_int_equal(report.problems[0].fixed, 1);
    dcache_report_clear(&report);
    assert_int_equal(count_of(c), 0);
    dcache_close(c);
    c = opened();
    assert_int_equal(dcache_stats(c, 1, &stats), 0);
    assert_int_equal(stats.damaged, 3); /* kept with the cache, until they are reset */
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_int_equal(stats.damaged, 0);
    dcache_close(c);
}

static void altered_file_of_a_queue_is_in_nobodys_way(void **state)
{
    struct dcache_value value = dcache_text("second");
    struct dcache_entry e;
    dcache *c = opened_with_checksums();

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    change_byte(1234);
    assert_int_equal(put(c, "l", "second"), 0);
    assert_int_equal(dcache_popitem(c, DCACHE_FRONT, NULL, &e), 0);
    assert_int_equal(e.value.size, value.size);
    dcache_entry_clear(&e);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void longer_file_with_a_checksum_is_a_miss(void **state)
{
    struct dcache_report report;
    dcache *c = opened_with_checksums();

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(truncate(value_file(), 60000), 0);
    assert_int_equal(has_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(dcache_check(c, 1, &report), 0);
    assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_SIZE);
    dcache_report_clear(&report);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

/* As 5.6.3 names its files. */
static void file_without_a_checksum_is_taken_as_it_is(void **state)
{
    dcache *c = opened();

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    dcache_close(c);
    c = opened_with_checksums();
    assert_int_equal(has_bytes(c, "k", 'x', 50000), 1);
    change_byte(7);
    assert_int_equal(has_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(absent(c, "k"), 0);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void what_stands_in_for_a_value_file_is_not_read(void **state)
{
    static const char *const stand_ins[] = {"mkfifo", "mkdir", "ln -s /etc/passwd"};
    dcache *c = opened();
    int64_t begin = now_ms();
    char command[800];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
        (void)snprintf(command, sizeof command, "f=%s; rm $f; %s $f", value_file(), stand_ins[i]);
        assert_int_equal(shell(command), 0);
        assert_int_equal(has_bytes(c, "k", 'x', 50000), 0);
        assert_int_equal(absent(c, "k"), 1);
        assert_true(problems(c, 0) > 0);
        assert_int_equal(shell("rm -rf c/[0-9a-f][0-9a-f]"), 0);
    }
    assert_true(now_ms() - begin < 10000);
    dcache_close(c);
}

static void hostile_file_names_reach_nothing(void **state)
{
    static const char *const names[] = {"../secret", "/etc/passwd",  "up/secret",
                                        "cache.db",  "cache.db-wal", "./cache.db"};
    dcache *c = opened();
    char command[300];

    (void)state;
    no_memtable(c);
    assert_int_equal(put(c, "other", "stays"), 0);
    assert_int_equal(write_file(in("secret"), "s", 1), 0);
    assert_int_equal(symlink("..", in("c/up")), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dcache_value key = dcache_text("k");

        assert_int_equal(put(c, "k", "v"), 0);
        (void)snprintf(command, sizeof command,
                       "sqlite3 c/cache.db \"UPDATE Cache SET filename = '%s', mode = 2, size = 0,"
                       " value = NULL WHERE key = 'k'\"",
                       names[i]);
        assert_int_equal(shell(command), 0);
        assert_int_equal(absent(c, "k"), 1);
        assert_int_equal(dcache_delete(c, &key), DCACHE_NOT_FOUND);
        assert_int_equal(put(c, "k", "v"), 0);
        assert_true(exists(in("secret")));
        assert_true(exists(in("c/cache.db")));
    }
    assert_int_equal(has(c, "other", "stays"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void the_users_own_files_are_not_touched(void **state)
{
    static const char *const mine[] = {"notes.txt",         "sub/notes.txt",
                                       "ab/readme",         "ab/cd/short.val",
                                       "cache.db.bak",      "ab/cd/ef/0123456789abcdef.val",
                                       "cache.db-new-mine", "0123456789abcdef0123456789ab.val"};
    dcache *c = opened();

    (void)state;
    assert_int_equal(shell("cd c; mkdir -p sub empty ab/cd/ef"), 0);
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) {
        assert_int_equal(write_file(in("c/%s", mine[i]), "mine", 4), 0);
        set_age(in("c/%s", mine[i]), 86400);
    }
    assert_int_equal(put_bytes(c, "k", 'x', 50000), 0);
    assert_int_equal(problems(c, 1), 0);
    assert_int_equal(dcache_clear(c, NULL), 0);
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        if (size_of(in("c/%s", mine[i])) != 4)
            fail_msg("%s is gone", mine[i]);
    assert_true(exists(in("c/empty")));
    assert_int_equal(count_of(c), 0);
    dcache_close(c);
}

#define FOREIGN "c/ab/cd/0123456789abcdef0123456789ab.val" /* as 5.6.3 would name it */

static void file_of_5_6_3_without_a_row_counts_as_lost_when_it_is_old(void **state)
{
    dcache *c = opened();

    (void)state;
    assert_int_equal(shell("mkdir -p c/ab/cd"), 0);
    assert_int_equal(write_file(in(FOREIGN), "about to have a row", 19), 0);
    assert_int_equal(problems(c, 1), 0);
    assert_true(exists(in(FOREIGN)));
    set_age(in(FOREIGN), 500);
    assert_int_equal(problems(c, 1), 0);
    assert_true(exists(in(FOREIGN)));
    set_age(in(FOREIGN), 660);
    assert_int_equal(problems(c, 0), 1);
    assert_true(exists(in(FOREIGN)));
    assert_int_equal(problems(c, 1), 1);
    assert_false(exists(in(FOREIGN)));
    assert_false(exists(in("c/ab")));
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(value_whose_file_is_missing_is_not_there_in_any_way),
        TEST(truncated_file_is_no_value_and_a_longer_one_is),
        TEST(altered_file_is_a_miss_counted_and_found_by_check),
        TEST(altered_file_of_a_queue_is_in_nobodys_way),
        TEST(longer_file_with_a_checksum_is_a_miss),
        TEST(file_without_a_checksum_is_taken_as_it_is),
        TEST(what_stands_in_for_a_value_file_is_not_read),
        TEST(hostile_file_names_reach_nothing),
        TEST(the_users_own_files_are_not_touched),
        TEST(file_of_5_6_3_without_a_row_counts_as_lost_when_it_is_old),
    };

    return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
