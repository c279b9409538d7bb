/* test_modes.c - directories opened for reading only, where nothing at all may be written, and
 * directories without shared memory, as on network file systems.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "read.h"
#include "sandbox.h"
#include "txn.h"

#include <sys/mount.h>

static const char *cache(void)
{
    return in("c");
}

static dcache *opened(unsigned flags)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), flags, 20, &c), 0);
    return c;
}

static void make_cache(void)
{
    dcache *c = opened(0);

    assert_int_equal(put(c, "small", "value"), 0);
    assert_int_equal(put_bytes(c, "large", 'L', 50000), 0);
    dcache_close(c);
}

static int sit(struct child *self)
{
    dcache *c;
    char word;

    MUST(open_with(cache(), 0, 20, &c) == 0);
    MUST(put(c, "sitting", "yes") == 0);
    MUST(put_bytes(c, "large", 'S', 50000) == 0);
    child_say(self, 'o');
    while ((word = child_hear(self)) == 'p') {
        MUST(put(c, "later", "too") == 0);
        child_say(self, 'd');
    }
    dcache_close(c);
    return 0;
}

/* ---- reading only ---- */

/* All that reads, and all that is refused. */
static void use_read_only(dcache *c)
{
    struct dcache_value key = dcache_text("small"), value = dcache_int(1);
    struct dcache_iter_options all = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry e;
    struct dcache_stats stats;
    dcache_iter *iter;
    dcache *txn;
    int seen = 0;

    assert_int_equal(dcache_is_read_only(c), 1);
    assert_int_equal(has(c, "small", "value"), 1);
    assert_int_equal(has_bytes(c, "large", 'L', 50000), 1);
    assert_int_equal(absent(c, "missing"), 1);
    assert_int_equal(count_of(c), 2);
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(dcache_iter_open(c, &all, &iter), 0);
    while (dcache_iter_next(iter, &e) == 0) {
        seen++;
        dcache_entry_clear(&e);
    }
    dcache_iter_close(iter);
    assert_int_equal(seen, 2);
    assert_int_equal(put(c, "k", "v"), DCACHE_READONLY);
    assert_int_equal(put_bytes(c, "k", 'v', 50000), DCACHE_READONLY);
    assert_int_equal(dcache_incr(c, &key, &value, NULL, NULL), DCACHE_READONLY);
    assert_int_equal(dcache_delete(c, &key), DCACHE_READONLY);
    assert_int_equal(dcache_touch(c, &key, NULL), DCACHE_READONLY);
    assert_int_equal(dcache_pop(c, &key, NULL, &e), DCACHE_READONLY);
    assert_int_equal(dcache_begin(c, -1, &txn), DCACHE_READONLY);
    assert_int_equal(dcache_clear(c, NULL), DCACHE_READONLY);
    assert_int_equal(dcache_compact(c), DCACHE_READONLY);
    assert_int_equal(dcache_expire(c, 0, NULL), DCACHE_READONLY);
    assert_int_equal(dcache_stats(c, 1, &stats), DCACHE_READONLY);
    assert_int_equal(dcache_setting_set(c, "statistics", &value), DCACHE_READONLY);
    assert_int_equal(problems(c, 1), DCACHE_READONLY);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, &value, NULL, NULL), DCACHE_READONLY);
}

static void reader_of_a_closed_directory_writes_nothing_at_all(void **state)
{
    char *before, *after;
    dcache *c;

    (void)state;
    make_cache();
    before = listing(cache());
    c = opened(DCACHE_READ_ONLY);
    use_read_only(c);
    dcache_close(c);
    after = listing(cache());
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void reader_of_a_directory_in_use_writes_nothing_at_all(void **state)
{
    struct child child = child_start(sit);
    char *before, *after;
    dcache *c;

    (void)state;
    assert_int_equal(child_hear(&child), 'o');
    before = listing(cache());
    c = opened(DCACHE_READ_ONLY);
    assert_int_equal(has(c, "sitting", "yes"), 1);
    assert_int_equal(has_bytes(c, "large", 'S', 50000), 1);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(put(c, "k", "v"), DCACHE_READONLY);
    after = listing(cache());
    assert_string_equal(before, after);
    child_say(&child, 'p');
    assert_int_equal(child_hear(&child), 'd');
    assert_int_equal(has(c, "later", "too"), 1); /* at once */
    dcache_close(c);
    assert_int_equal(child_end(&child), 0);
    free(before);
    free(after);
}

static void reader_sees_a_writer_that_came_and_went(void **state)
{
    struct child child;
    dcache *c;

    (void)state;
    make_cache();
    c = opened(DCACHE_READ_ONLY);
    assert_int_equal(absent(c, "sitting"), 1);
    for (int i = 0; i < 3; i++) {
        child = child_start(sit);
        assert_int_equal(child_hear(&child), 'o');
        assert_int_equal(has(c, "sitting", "yes"), 1); /* while it is there */
        child_say(&child, 'p');
        assert_int_equal(child_hear(&child), 'd');
        child_say(&child, 'e');
        assert_int_equal(child_end(&child), 0);
        assert_int_equal(has(c, "later", "too"), 1); /* and after it has gone */
        assert_int_equal(has_bytes(c, "large", 'S', 50000), 1);
    }
    dcache_close(c);
}

static void reader_in_the_process_of_the_writer_sees_each_write(void **state)
{
    dcache *writer = NULL, *c;
    char text[16];

    (void)state;
    make_cache();
    c = opened(DCACHE_READ_ONLY);
    for (int i = 0; i < 5; i++) {
        writer = opened(0);
        (void)snprintf(text, sizeof text, "%d", i);
        assert_int_equal(put(writer, "small", text), 0);
        assert_int_equal(has(c, "small", text), 1);
        dcache_close(writer);
        assert_int_equal(has(c, "small", text), 1);
    }
    dcache_close(c);
}

static void reader_finds_what_a_killed_writer_had_acknowledged(void **state)
{
    struct child child = child_start(sit);
    char *before, *after;
    dcache *c;

    (void)state;
    assert_int_equal(child_hear(&child), 'o');
    assert_int_equal(child_kill(&child), -SIGKILL);
    assert_true(size_of(in("c/cache.db-wal")) > 0);
    before = listing(cache());
    c = opened(DCACHE_READ_ONLY);
    assert_int_equal(has(c, "sitting", "yes"), 1);
    assert_int_equal(has_bytes(c, "large", 'S', 50000), 1);
    dcache_close(c);
    after = listing(cache());
    assert_string_equal(before, after);
    free(before);
    free(after);
    c = opened(0); /* who may write takes it over */
    assert_int_equal(has(c, "sitting", "yes"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void reader_of_nothing_or_of_half_a_cache_is_told(void **state)
{
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_with(cache(), DCACHE_READ_ONLY, 1, &c), DCACHE_NOT_FOUND);
    assert_false(exists(cache()));
    assert_int_equal(mkdir(cache(), 0700), 0);
    assert_int_equal(write_file(in("c/cache.db"), "", 0), 0);
    assert_int_equal(open_with(cache(), DCACHE_READ_ONLY, 1, &c), DCACHE_CORRUPT);
    assert_int_equal(size_of(in("c/cache.db")), 0);
    assert_null(c);
}

static void reader_may_not_change_settings_by_opening(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting setting = {.name = "cull_limit", .value = dcache_int(3)};
    dcache *c = NULL;

    (void)state;
    make_cache();
    options.flags = DCACHE_READ_ONLY;
    options.settings = &setting;
    options.settings_count = 1;
    assert_int_equal(dcache_open(cache(), &options, &c), DCACHE_READONLY);
    setting.value = dcache_int(10); /* as it is */
    assert_int_equal(dcache_open(cache(), &options, &c), 0);
    dcache_close(c);
}

/* A file system that allows no writing, to root neither. */
static void directory_on_a_read_only_file_system_opens_for_reading(void **state)
{
    dcache *c = NULL;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root may mount */
    assert_int_equal(mkdir(cache(), 0700), 0);
    assert_int_equal(mount("none", cache(), "tmpfs", 0, "size=1m"), 0);
    make_cache();
    assert_int_equal(mount(NULL, cache(), "", MS_REMOUNT | MS_RDONLY, NULL), 0);
    if (open_with(cache(), 0, 20, &c) == 0) {
        int read_only = dcache_is_read_only(c), found = has(c, "small", "value");
        int refused = put(c, "k", "v");

        dcache_close(c);
        assert_int_equal(umount(cache()), 0);
        assert_int_equal(read_only, 1);
        assert_int_equal(found, 1);
        assert_int_equal(refused, DCACHE_READONLY);
    } else {
        assert_int_equal(umount(cache()), 0);
        fail_msg("not opened: %s", dcache_last_error()->text);
    }
}

#define NOBODY 65534

static int read_as_nobody(struct child *self)
{
    int64_t begin = now_ms();
    dcache *c;

    (void)self;
    MUST(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    MUST(open_with(cache(), 0, 20, &c) == 0);
    MUST(dcache_is_read_only(c) == 1);
    MUST(has(c, "small", "value") == 1);
    MUST(has_bytes(c, "large", 'L', 50000) == 1);
    MUST(put(c, "k", "v") == DCACHE_READONLY);
    MUST(put_bytes(c, "k", 'v', 50000) == DCACHE_READONLY);
    dcache_close(c);
    MUST(now_ms() - begin < 10000);
    return 0;
}

static void directory_of_somebody_else_opens_for_reading(void **state)
{
    struct child child;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root may become somebody else */
    make_cache();
    assert_int_equal(shell("chmod -R a+rX ."), 0);
    child = child_start(read_as_nobody);
    assert_int_equal(child_end(&child), 0);
}

static int write_as_nobody(struct child *self)
{
    int64_t begin = now_ms();
    dcache *c;
    int rc;

    (void)self;
    MUST(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    rc = open_with(cache(), 0, 20, &c);
    if (rc == 0) {
        MUST(has(c, "small", "value") == 1);
        MUST(put(c, "k", "v") == DCACHE_READONLY);
        MUST(put_bytes(c, "k", 'v', 50000) == DCACHE_READONLY);
        MUST(count_temporary(cache()) == 0);
        dcache_close(c);
    }
    MUST(rc == 0 || rc == DCACHE_READONLY);
    MUST(now_ms() - begin < 10000); /* 5.6.3: for ever, at 100 % CPU */
    return 0;
}

static void read_only_database_in_a_writable_directory_refuses_at_once(void **state)
{
    struct child child;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root may become somebody else */
    make_cache();
    assert_int_equal(shell("chmod a+rx . && chmod -R a+rwX c && chmod 0444 c/cache.db"), 0);
    child = child_start(write_as_nobody);
    assert_int_equal(child_end(&child), 0);
}

/* ---- without shared memory ---- */

static void without_shared_memory_nothing_is_mapped_and_no_log_is_kept(void **state)
{
    struct dcache_value value;
    dcache *c = opened(DCACHE_NO_SHARED);
    sqlite3_stmt *s;
    struct db *db;

    (void)state;
    assert_int_equal(put(c, "small", "value"), 0);
    assert_int_equal(put_bytes(c, "large", 'L', 50000), 0);
    assert_int_equal(txn_read_begin(c, &db), 0);
    assert_int_equal(db_prepare(db, "PRAGMA journal_mode", &s), 0);
    assert_int_equal(db_step(db, s), 1);
    assert_string_equal(sqlite3_column_text(s, 0), "delete");
    (void)sqlite3_finalize(s);
    txn_read_end(c, db);
    assert_false(exists(in("c/cache.db-shared")));
    assert_false(exists(in("c/cache.db-wal")));
    assert_false(exists(in("c/cache.db-shm")));
    assert_int_equal(dcache_setting_get(c, "sqlite_journal_mode", &value), 0);
    assert_string_equal(value.data, "wal"); /* the setting is for those who can */
    dcache_value_clear(&value);
    assert_int_equal(has(c, "small", "value"), 1);
    assert_int_equal(has_bytes(c, "large", 'L', 50000), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
    c = opened(0); /* and back */
    assert_int_equal(has(c, "small", "value"), 1);
    assert_int_equal(put(c, "small", "other"), 0);
    assert_true(exists(in("c/cache.db-wal")));
    dcache_close(c);
    c = opened(DCACHE_NO_SHARED);
    assert_int_equal(has(c, "small", "other"), 1);
    dcache_close(c);
}

static int count_up(struct child *self)
{
    struct dcache_value key = dcache_text("counter"), one = dcache_int(1);
    struct dcache_value queue = dcache_text("item");
    dcache *c;

    (void)child_hear(self);
    MUST(open_with(cache(), DCACHE_NO_SHARED, 30, &c) == 0);
    for (int i = 0; i < 100; i++) {
        MUST(dcache_incr(c, &key, &one, NULL, NULL) == 0);
        MUST(put_bytes(c, "file", 'f', 40000) == 0);
        MUST(has_bytes(c, "file", 'f', 40000) == 1);
        if (i % 10 == 0)
            MUST(dcache_push(c, NULL, DCACHE_BACK, &queue, NULL, NULL) == 0);
    }
    dcache_close(c);
    return 0;
}

static void processes_without_shared_memory_lose_nothing(void **state)
{
    struct child children[3];
    struct dcache_value key = dcache_text("counter");
    struct dcache_entry e;
    dcache *c;

    (void)state;
    for (int i = 0; i < 3; i++)
        children[i] = child_start(count_up);
    for (int i = 0; i < 3; i++)
        child_say(&children[i], 'g');
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_end(&children[i]), 0);
    c = opened(DCACHE_NO_SHARED);
    assert_int_equal(dcache_get(c, &key, NULL, &e), 0);
    assert_int_equal(e.value.integer, 300);
    dcache_entry_clear(&e);
    assert_int_equal(count_of(c), 32);
    assert_int_equal(count_ending(cache(), ".val"), 1);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

static void *count_in_thread(void *arg)
{
    struct dcache_value key = dcache_text("counter"), one = dcache_int(1);
    long failed = 0;

    for (int i = 0; i < 30; i++) {
        failed += dcache_incr(arg, &key, &one, NULL, NULL) != 0;
        failed += count_of(arg) != 1;
    }
    return (void *)failed;
}

static void threads_without_shared_memory_wait_for_each_other(void **state)
{
    struct dcache_value key = dcache_text("counter"), zero = dcache_int(0);
    dcache *c = opened(DCACHE_NO_SHARED);
    pthread_t threads[12];
    struct dcache_entry e;

    (void)state;
    assert_int_equal(dcache_set(c, &key, &zero, NULL), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, c), 0);
    for (int i = 0; i < 12; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(dcache_get(c, &key, NULL, &e), 0);
    assert_int_equal(e.value.integer, 360);
    dcache_entry_clear(&e);
    dcache_close(c);
}

static void shared_and_unshared_openers_do_not_sweep_each_other(void **state)
{
    struct dcache_value value = dcache_bytes("being written", 13);
    dcache *without = opened(DCACHE_NO_SHARED), *with;
    char temp[FILE_TEMP_SIZE];
    int64_t size;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(put(without, "k", "v"), 0);
    assert_int_equal(file_stage(&without->store->files, &value, 100, temp, &size, &sum), 0);
    with = opened(0);
    assert_int_equal(problems(with, 1), 0); /* its writer may be alive: only age would tell */
    assert_true(exists(in("c/%s", temp)));
    set_age(in("c/%s", temp), 660);
    assert_int_equal(problems(with, 1), 1);
    assert_false(exists(in("c/%s", temp)));
    dcache_close(with);
    dcache_close(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reader_of_a_closed_directory_writes_nothing_at_all),
        TEST(reader_of_a_directory_in_use_writes_nothing_at_all),
        TEST(reader_sees_a_writer_that_came_and_went),
        TEST(reader_in_the_process_of_the_writer_sees_each_write),
        TEST(reader_finds_what_a_killed_writer_had_acknowledged),
        TEST(reader_of_nothing_or_of_half_a_cache_is_told),
        TEST(reader_may_not_change_settings_by_opening),
        TEST(directory_on_a_read_only_file_system_opens_for_reading),
        TEST(directory_of_somebody_else_opens_for_reading),
        TEST(read_only_database_in_a_writable_directory_refuses_at_once),
        TEST(without_shared_memory_nothing_is_mapped_and_no_log_is_kept),
        TEST(processes_without_shared_memory_lose_nothing),
        TEST(threads_without_shared_memory_wait_for_each_other),
        TEST(shared_and_unshared_openers_do_not_sweep_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
