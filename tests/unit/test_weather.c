/* test_weather.c - what the world may do: full disks, processes that die or stand still, clocks that
 * jump. (Damaged databases: test_damage.c; lost files: test_lost.c.)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "weather.h"

#include <sys/mount.h>
#include <sys/resource.h>

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

/* A small value need not wait, until no more can. */
static void what_cannot_be_drained_is_a_timeout_in_the_end(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting setting = {.name = "memtable_size", .value = dcache_int(65536)};
    int rc = 0, stored = 0;
    struct child child;
    int64_t count;
    dcache *c;

    (void)state;
    options.timeout = 0.2;
    options.settings = &setting;
    options.settings_count = 1;
    assert_int_equal(dcache_open(in("c"), &options, &c), 0);
    assert_int_equal(put(c, "old", "value"), 0);
    assert_int_equal(count_of(c), 1);
    child = child_start(hold_foreign);
    assert_int_equal(child_hear(&child), 'h');
    for (; rc == 0 && stored < 10000; stored += rc == 0)
        rc = put_bytes(c, in("%d", stored), 'v', 1000);
    assert_int_equal(rc, DCACHE_TIMEOUT);
    assert_true(stored > 50); /* of 57 */
    assert_int_equal(dcache_count(c, &count), DCACHE_TIMEOUT);
    child_say(&child, 'c');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(count_of(c), stored + 1);
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
        TEST(file_being_written_is_swept_neither_by_check_nor_by_clear),
        TEST(file_of_a_killed_writer_is_swept_by_another_process),
        TEST(transaction_of_a_killed_process_never_was),
        TEST(waiting_for_a_transaction_ends_at_the_timeout),
        TEST(waiting_for_a_stopped_process_ends_at_the_timeout),
        TEST(waiting_for_pythons_sqlite3_ends_at_the_timeout),
        TEST(what_cannot_be_drained_is_a_timeout_in_the_end),
        TEST(expiry_goes_by_the_stored_time_however_the_clock_jumps),
        TEST(clock_that_jumps_evicts_nothing_while_there_is_room),
        TEST(newcomer_stays_when_the_clock_has_gone_back),
        TEST(waiting_does_not_go_by_the_clock_that_jumps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
