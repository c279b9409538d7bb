/* test_weather.c - what the world may do: full disks, lost and foreign files, processes that die or
 * stand still, clocks that jump. (Damaged databases: test_damage.c.)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "file.h"
#include "sandbox.h"

#include <sys/mount.h>
#include <sys/resource.h>

static const char *cache(void)
{
    return in("c");
}

static dcache *opened_for(double timeout)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, timeout, &c), 0);
    return c;
}

static dcache *opened(void)
{
    return opened_for(20);
}

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

/* ---- a full disk ---- */

static int mounted;

static int make_small_disk(void **state)
{
    int rc = sandbox_make(state);

    mounted = geteuid() == 0 && mkdir(cache(), 0700) == 0 &&
              mount("none", cache(), "tmpfs", 0, "size=1m") == 0;
    return rc;
}

static int remove_small_disk(void **state)
{
    if (mounted)
        (void)umount2(cache(), MNT_DETACH);
    return sandbox_remove(state);
}

#define TEST_ON_SMALL_DISK(function) \
    cmocka_unit_test_setup_teardown(function, make_small_disk, remove_small_disk)

static void fill_disk(void)
{
    int fd = open(in("c/filler"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char zeros[4096] = {0};

    assert_true(fd >= 0);
    for (size_t size = sizeof zeros; size > 0; size /= 2)
        while (write(fd, zeros, size) == (ssize_t)size)
            ;
    assert_int_equal(errno, ENOSPC);
    (void)close(fd);
}

/* Small values until there is no room; how many there were, or the status if it is not FULL. */
static int put_until_full(dcache *c)
{
    char key[16];
    int count = 0, rc;

    for (;;) {
        (void)snprintf(key, sizeof key, "s%d", count);
        rc = put(c, key, "a value of some length, so that it does not take all day");
        if (rc < 0 || count == 100000)
            break;
        count++;
    }
    return rc == DCACHE_FULL ? count : rc;
}

static void full_disk_refuses_writes_and_keeps_what_is_there(void **state)
{
    int64_t counted;
    dcache *c = NULL;
    int count;

    (void)state;
    if (!mounted)
        skip(); /* only root may mount */
    assert_int_equal(open_setting(cache(), "eviction_policy", dcache_text("none"), &c), 0);
    assert_int_equal(put(c, "old", "value"), 0);
    assert_int_equal(put_bytes(c, "file", 'o', 50000), 0);
    fill_disk();
    assert_int_equal(put_bytes(c, "file", 'n', 60000), DCACHE_FULL);
    assert_int_equal(put_bytes(c, "new", 'n', 60000), DCACHE_FULL);
    count = put_until_full(c);
    assert_true(count >= 0);
    assert_int_equal(put(c, "old", "another value, which needs a page"), DCACHE_FULL);
    assert_int_equal(count_temporary(cache()), 0);
    assert_int_equal(has(c, "old", "value"), 1);
    assert_int_equal(has_bytes(c, "file", 'o', 50000), 1);
    assert_int_equal(absent(c, "new"), 1);
    /* What was put last may wait in the memtable, and who needs it in SQLite is told why not. */
    counted = count_of(c);
    assert_true(counted == count + 2 ||
                (counted < 0 && dcache_last_error()->status == DCACHE_FULL));
    assert_int_equal(unlink(in("c/filler")), 0);
    assert_int_equal(count_of(c), count + 2);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(put_bytes(c, "file", 'n', 60000), 0);
    assert_int_equal(put(c, "old", "new"), 0);
    assert_int_equal(has_bytes(c, "file", 'n', 60000), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void cache_on_a_full_disk_is_readable_and_says_why_no_more(void **state)
{
    dcache *c;
    int rc;

    (void)state;
    if (!mounted)
        skip(); /* only root may mount */
    c = opened();
    assert_int_equal(put(c, "old", "value"), 0);
    assert_int_equal(put_bytes(c, "file", 'o', 50000), 0);
    dcache_close(c);
    fill_disk();
    for (int i = 0; i < 2; i++) {
        c = NULL;
        rc = open_with(cache(), 0, 1, &c);
        if (rc == 0) { /* a directory at rest: then the first use needs it */
            rc = has(c, "old", "value");
            assert_int_equal(put(c, "old", "new"), DCACHE_FULL);
            dcache_close(c);
        }
        assert_int_equal(rc, DCACHE_FULL); /* SQLite keeps the index of its log in a file */
        assert_false(exists(in("c/cache.db-shared")));
        assert_int_equal(open_with(cache(), DCACHE_READ_ONLY, 1, &c), 0);
        assert_int_equal(has(c, "old", "value"), 1);
        assert_int_equal(has_bytes(c, "file", 'o', 50000), 1);
        dcache_close(c);
    }
    assert_int_equal(unlink(in("c/filler")), 0);
    c = opened();
    assert_int_equal(put_bytes(c, "new", 'n', 60000), 0);
    assert_int_equal(has(c, "old", "value"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static int live_within_limit(struct child *self)
{
    struct rlimit limit;
    dcache *c;

    (void)self;
    (void)signal(SIGXFSZ, SIG_IGN);
    MUST(open_with(cache(), 0, 20, &c) == 0);
    no_memtable(c);
    MUST(put(c, "old", "value") == 0);
    MUST(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 300000;
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    MUST(put_bytes(c, "large", 'x', 400000) == DCACHE_FULL);
    MUST(count_temporary(cache()) == 0);
    MUST(put_until_full(c) > 10);
    MUST(has(c, "old", "value") == 1);
    MUST(problems(c, 0) == 0);
    limit.rlim_cur = limit.rlim_max;
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    MUST(put_bytes(c, "large", 'x', 400000) == 0);
    MUST(put(c, "old", "new") == 0);
    MUST(problems(c, 0) == 0);
    dcache_close(c);
    return 0;
}

static void limit_of_file_size_counts_as_a_full_disk(void **state)
{
    struct child child = child_start(live_within_limit);

    (void)state;
    assert_int_equal(child_end(&child), 0);
}

/* ---- value files ---- */

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

/* ---- writers that die, or take their time ---- */

static ssize_t slow_read(void *arg, void *buffer, size_t size)
{
    struct child *self = arg;
    static int calls;

    if (calls++ == 0) {
        memset(buffer, 'w', size);
        return 50000;
    }
    child_say(self, 's'); /* the first part is in the file */
    MUST(child_hear(self) == 'g');
    return 0;
}

static int stage_slowly(struct child *self)
{
    struct dcache_value key = dcache_text("slow"), value = dcache_reader(slow_read, self);
    dcache *c;

    MUST(open_with(cache(), 0, 20, &c) == 0);
    MUST(dcache_set(c, &key, &value, NULL) == 0);
    MUST(has_bytes(c, "slow", 'w', 50000) == 1);
    dcache_close(c);
    return 0;
}

static void file_being_written_is_swept_neither_by_check_nor_by_clear(void **state)
{
    dcache *c = opened();
    struct child child = child_start(stage_slowly);

    (void)state;
    assert_int_equal(child_hear(&child), 's');
    assert_int_equal(count_temporary(cache()), 1);
    set_age(cache(), 86400);
    assert_int_equal(put(c, "k", "v"), 0); /* nobody waits for a slow source */
    assert_int_equal(problems(c, 1), 0);
    assert_int_equal(dcache_clear(c, NULL), 0);
    assert_int_equal(count_temporary(cache()), 1);
    child_say(&child, 'g');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has_bytes(c, "slow", 'w', 50000), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void file_of_a_killed_writer_is_swept_by_another_process(void **state)
{
    dcache *c = opened();
    struct child child = child_start(stage_slowly);

    (void)state;
    assert_int_equal(child_hear(&child), 's');
    assert_int_equal(child_kill(&child), -SIGKILL);
    assert_int_equal(count_temporary(cache()), 1);
    assert_int_equal(problems(c, 0), 1);
    assert_int_equal(problems(c, 1), 1);
    assert_int_equal(count_temporary(cache()), 0);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(absent(c, "slow"), 1);
    dcache_close(c);
}

static int hold_transaction(struct child *self)
{
    dcache *c, *txn;

    MUST(open_with(cache(), 0, 20, &c) == 0);
    MUST(dcache_begin(c, -1, &txn) == 0);
    MUST(put(txn, "held", "yes") == 0);
    MUST(put_bytes(txn, "k", 'h', 50000) == 0);
    child_say(self, 'h');
    MUST(child_hear(self) == 'c');
    MUST(dcache_commit(txn) == 0);
    dcache_close(c);
    return 0;
}

static void transaction_of_a_killed_process_never_was(void **state)
{
    dcache *c = opened();
    struct child child;
    int64_t begin;

    (void)state;
    assert_int_equal(put_bytes(c, "k", 'o', 50000), 0);
    child = child_start(hold_transaction);
    assert_int_equal(child_hear(&child), 'h');
    assert_int_equal(count_ending(cache(), ".val"), 2);
    assert_int_equal(child_kill(&child), -SIGKILL);
    begin = now_ms();
    assert_int_equal(put(c, "next", "one"), 0);
    assert_true(now_ms() - begin < 100); /* S1 */
    assert_int_equal(has_bytes(c, "k", 'o', 50000), 1);
    assert_int_equal(absent(c, "held"), 1);
    assert_true(problems(c, 1) >= 1); /* its file, and directories that are empty then */
    assert_int_equal(count_ending(cache(), ".val"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

/* ---- waiting ---- */

static int open_setting_soon(const char *path, dcache **ret_cache)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting setting = {.name = "cull_limit", .value = dcache_int(99)};

    options.timeout = 0.2;
    options.settings = &setting;
    options.settings_count = 1;
    return dcache_open(path, &options, ret_cache);
}

static void expect_timeouts(dcache *c)
{
    struct dcache_value key = dcache_text("k");
    dcache *txn = NULL, *other = NULL;
    int64_t begin = now_ms();

    assert_int_equal(put(c, "k", "v"), DCACHE_TIMEOUT);
    assert_in_range(now_ms() - begin, 190, 5000);
    begin = now_ms();
    assert_int_equal(put_bytes(c, "k", 'v', 50000), DCACHE_TIMEOUT);
    assert_int_equal(dcache_delete(c, &key), DCACHE_TIMEOUT);
    assert_int_equal(dcache_begin(c, -1, &txn), DCACHE_TIMEOUT);
    assert_int_equal(dcache_begin(c, 0.1, &txn), DCACHE_TIMEOUT);
    assert_int_equal(dcache_clear(c, NULL), DCACHE_TIMEOUT);
    assert_int_equal(open_setting_soon(cache(), &other), DCACHE_TIMEOUT);
    assert_null(other);
    assert_in_range(now_ms() - begin, 190, 30000);
    assert_int_equal(count_temporary(cache()), 0);
    begin = now_ms();
    assert_int_equal(has(c, "old", "value"), 1); /* reads do not wait */
    assert_int_equal(open_with(cache(), 0, 0.2, &other), 0);
    assert_int_equal(has(other, "old", "value"), 1);
    dcache_close(other);
    assert_int_equal(open_with(cache(), 0, -1, &other), 0);
    assert_int_equal(put(other, "k", "v"), DCACHE_TIMEOUT); /* at once */
    dcache_close(other);
    assert_true(now_ms() - begin < 2000);
}

static void waiting_for_a_transaction_ends_at_the_timeout(void **state)
{
    dcache *c = opened_for(0.2);
    struct child child;

    (void)state;
    assert_int_equal(put(c, "old", "value"), 0);
    child = child_start(hold_transaction);
    assert_int_equal(child_hear(&child), 'h');
    expect_timeouts(c);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has(c, "held", "yes"), 1);
    assert_int_equal(put(c, "k", "v"), 0);
    dcache_close(c);
}

static void waiting_for_a_stopped_process_ends_at_the_timeout(void **state)
{
    dcache *c = opened_for(0.2);
    struct child child;
    int status;

    (void)state;
    assert_int_equal(put(c, "old", "value"), 0);
    child = child_start(hold_transaction);
    assert_int_equal(child_hear(&child), 'h');
    assert_int_equal(kill(child.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(child.pid, &status, WUNTRACED), child.pid);
    assert_true(WIFSTOPPED(status));
    expect_timeouts(c); /* it lives: nobody may take its lock away */
    assert_int_equal(kill(child.pid, SIGCONT), 0);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has(c, "held", "yes"), 1);
    dcache_close(c);
}

static int hold_foreign(struct child *self)
{
    (void)self;
    (void)dup2(self->to, 1);
    (void)dup2(self->from, 0);
    (void)execlp("sh", "sh", "-c",
                 "exec python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
                 " c.isolation_level = None; c.execute(\"BEGIN IMMEDIATE\");"
                 " sys.stdout.write(\"h\"); sys.stdout.flush(); sys.stdin.read(1);"
                 " c.execute(\"COMMIT\")' \"$0\"",
                 in("c/cache.db"), (char *)NULL);
    return 1;
}

static void waiting_for_pythons_sqlite3_ends_at_the_timeout(void **state)
{
    dcache *c = opened_for(0.2);
    struct child child;

    (void)state;
    no_memtable(c); /* or a small value would not have to wait */
    assert_int_equal(put(c, "old", "value"), 0);
    child = child_start(hold_foreign);
    assert_int_equal(child_hear(&child), 'h');
    expect_timeouts(c);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(put(c, "k", "v"), 0);
    dcache_close(c);
}

/* ---- clocks ---- */

static int put_for(dcache *c, const char *key, double seconds)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value k = dcache_text(key), v = dcache_text("v");

    options.expire = seconds;
    return dcache_set(c, &k, &v, &options);
}

static void expiry_goes_by_the_stored_time_however_the_clock_jumps(void **state)
{
    dcache *c = opened();
    int64_t removed = -1;

    (void)state;
    assert_int_equal(put_for(c, "k", 100), 0);
    for (int i = 0; i < 3; i++) {
        os_clock_offset = -1e6;
        assert_int_equal(has(c, "k", "v"), 1);
        assert_int_equal(dcache_expire(c, 0, &removed), 0);
        assert_int_equal(removed, 0);
        os_clock_offset = 90;
        assert_int_equal(has(c, "k", "v"), 1);
        os_clock_offset = 101;
        assert_int_equal(absent(c, "k"), 1); /* seen as gone, but not removed by a read */
        os_clock_offset = 0;
        assert_int_equal(has(c, "k", "v"), 1);
    }
    os_clock_offset = 1e9;
    assert_int_equal(dcache_expire(c, 0, &removed), 0);
    assert_int_equal(removed, 1);
    os_clock_offset = 0;
    assert_int_equal(absent(c, "k"), 1);
    dcache_close(c);
}

static void clock_that_jumps_evicts_nothing_while_there_is_room(void **state)
{
    static const double jumps[] = {0, -1e6, 1e9, -1e3, 1e6, 0};
    dcache *c = opened();
    struct dcache_iter_options all = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry e;
    dcache_iter *iter;
    char key[2] = "a";

    (void)state;
    for (int i = 0; i < 6; i++) {
        os_clock_offset = jumps[i];
        key[0] = (char)('a' + i);
        assert_int_equal(put(c, key, "v"), 0);
        assert_int_equal(put(c, "a", "v"), 0); /* replaced under each of the clocks */
    }
    assert_int_equal(dcache_cull(c, NULL), 0);
    assert_int_equal(dcache_iter_open(c, &all, &iter), 0);
    for (int i = 0; i < 6; i++) { /* in the order of insertion, whatever the time was */
        assert_int_equal(dcache_iter_next(iter, &e), 0);
        assert_int_equal(((const char *)e.key.data)[0], 'a' + i);
        dcache_entry_clear(&e);
    }
    assert_int_equal(dcache_iter_next(iter, &e), DCACHE_NOT_FOUND);
    dcache_iter_close(iter);
    dcache_close(c);
}

static void newcomer_stays_when_the_clock_has_gone_back(void **state)
{
    static const char *const policies[] = {"least-recently-stored", "least-recently-used",
                                           "least-frequently-used"};
    dcache *c = opened();
    struct dcache_value value;

    (void)state;
    value = dcache_int(400000);
    assert_int_equal(dcache_setting_set(c, "size_limit", &value), 0);
    for (int p = 0; p < 3; p++) {
        value = dcache_text(policies[p]);
        assert_int_equal(dcache_setting_set(c, "eviction_policy", &value), 0);
        for (int i = 0; i < 20; i++) {
            os_clock_offset = -1000.0 * i; /* each seems to be older than all before it */
            assert_int_equal(put_bytes(c, in("%d", i), 'x', 50000), 0);
            assert_int_equal(has_bytes(c, in("%d", i), 'x', 50000), 1);
        }
        os_clock_offset = 0;
        assert_true(count_of(c) >= 5);
    }
    dcache_close(c);
}

static void waiting_does_not_go_by_the_clock_that_jumps(void **state)
{
    dcache *c = opened_for(0.2), *other = opened_for(0.2), *txn;
    struct child child = child_start(hold_transaction);
    int64_t begin;

    (void)state;
    assert_int_equal(child_hear(&child), 'h');
    os_clock_offset = -1e9;
    begin = now_ms();
    assert_int_equal(dcache_begin(c, -1, &txn), DCACHE_TIMEOUT);
    assert_in_range(now_ms() - begin, 190, 5000);
    os_clock_offset = 1e9;
    begin = now_ms();
    assert_int_equal(put(other, "k", "v"), DCACHE_TIMEOUT);
    assert_in_range(now_ms() - begin, 190, 5000);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(put(c, "k", "v"), 0);
    dcache_close(c);
    dcache_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ON_SMALL_DISK(full_disk_refuses_writes_and_keeps_what_is_there),
        TEST_ON_SMALL_DISK(cache_on_a_full_disk_is_readable_and_says_why_no_more),
        TEST(limit_of_file_size_counts_as_a_full_disk),
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
        TEST(file_being_written_is_swept_neither_by_check_nor_by_clear),
        TEST(file_of_a_killed_writer_is_swept_by_another_process),
        TEST(transaction_of_a_killed_process_never_was),
        TEST(waiting_for_a_transaction_ends_at_the_timeout),
        TEST(waiting_for_a_stopped_process_ends_at_the_timeout),
        TEST(waiting_for_pythons_sqlite3_ends_at_the_timeout),
        TEST(expiry_goes_by_the_stored_time_however_the_clock_jumps),
        TEST(clock_that_jumps_evicts_nothing_while_there_is_room),
        TEST(newcomer_stays_when_the_clock_has_gone_back),
        TEST(waiting_does_not_go_by_the_clock_that_jumps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
