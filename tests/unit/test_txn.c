/* test_txn.c - transactions: what is seen by whom, what an undo brings back, who has to wait, and
 * which files stay (T1 to T5 of txn.h). */
#include "support.h"
#include "txn.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static dcache *cache_of(void **state)
{
    return ((struct place *)*state)->cache;
}

static const char *dir_of(void **state)
{
    return ((struct place *)*state)->dir;
}

static void must_set(dcache *c, const char *key, struct dcache_value value)
{
    assert_int_equal(dcache_set(c, TEXT(key), &value, NULL), 0);
}

static dcache *begin(dcache *c)
{
    dcache *txn = NULL;

    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    return txn;
}

static int64_t count_of(dcache *c)
{
    int64_t count;

    assert_int_equal(dcache_count(c, &count), 0);
    return count;
}

/* Run in another thread, and wait for it. */
static void elsewhere(void *(*run)(void *), void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- seeing ---- */

static void nobody_sees_what_is_not_committed(void **state)
{
    dcache *c = cache_of(state), *other = open_with(dir_of(state), 0.25, NULL), *txn;

    must_set(c, "k", dcache_text("old"));
    txn = begin(c);
    must_set(txn, "k", large('n'));
    must_set(txn, "new", dcache_int(1));
    assert_true(get_is(txn, KEY("k"), VALUE(large('n'))));
    assert_int_equal(count_of(txn), 2);
    assert_true(get_is(c, KEY("k"), TEXT("old")));
    assert_true(get_is(other, KEY("k"), TEXT("old")));
    assert_int_equal(dcache_contains(c, KEY("new")), DCACHE_NOT_FOUND);
    assert_int_equal(count_of(c), 1);
    assert_int_equal(dcache_commit(txn), 0);
    assert_true(get_is(c, KEY("k"), VALUE(large('n'))));
    assert_true(get_is(other, KEY("new"), INT(1)));
    assert_int_equal(count_of(other), 2);
    dcache_close(other);
}

static void every_operation_works_in_a_transaction(void **state)
{
    const struct dcache_value keys[] = {dcache_text("a"), dcache_text("b")};
    dcache *c = cache_of(state), *txn = begin(c);
    struct dcache_entry entries[2];
    struct dcache_report report;
    struct dcache_stats stats;
    struct dcache_value sum;
    int64_t number;

    assert_int_equal(dcache_set_many(txn, keys, keys, 2, SET(.tag = INT(1))), 0);
    assert_int_equal(dcache_get_many(txn, keys, 2, NULL, entries), 0);
    dcache_entry_clear(&entries[0]);
    dcache_entry_clear(&entries[1]);
    assert_int_equal(dcache_add(txn, KEY("a"), INT(1), NULL), DCACHE_EXISTS);
    assert_int_equal(dcache_touch(txn, KEY("a"), SET(.expire = 60)), 0);
    assert_int_equal(dcache_incr(txn, KEY("n"), INT(1), NULL, &sum), 0);
    assert_int_equal(dcache_push(txn, "q", DCACHE_BACK, VALUE(large('q')), NULL, NULL), 0);
    assert_int_equal(dcache_pull(txn, "q", DCACHE_FRONT, NULL, entries), 0);
    dcache_entry_clear(entries);
    assert_int_equal(dcache_peekitem(txn, DCACHE_BACK, NULL, entries), 0);
    dcache_entry_clear(entries);
    assert_int_equal(dcache_volume(txn, &number), 0);
    assert_int_equal(dcache_stats(txn, 0, &stats), 0);
    assert_int_equal(stats.count, 3);
    assert_int_equal(dcache_check(txn, 0, &report), 0);
    assert_int_equal(dcache_evict(txn, INT(1), &number), 0);
    assert_int_equal(number, 2);
    assert_int_equal(dcache_expire(txn, 0, NULL), 0);
    assert_int_equal(dcache_cull(txn, NULL), 0);
    assert_int_equal(dcache_compact(txn), DCACHE_INVALID);
    assert_int_equal(dcache_backup(txn, "/tmp/never-made"), DCACHE_INVALID);
    assert_int_equal(count_of(txn), 1);
    assert_int_equal(dcache_clear(txn, &number), 0);
    assert_int_equal(number, 1);
    dcache_report_clear(&report);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
}

/* ---- files ---- */

static void T1_T2_a_rollback_brings_old_files_back_and_removes_new_ones(void **state)
{
    dcache *c = cache_of(state), *txn;
    struct dcache_entry entry;

    must_set(c, "a", large('a'));
    must_set(c, "b", large('b'));
    must_set(c, "c", large('c'));
    txn = begin(c);
    must_set(txn, "a", large('x'));
    must_set(txn, "new", large('y'));
    assert_int_equal(dcache_delete(txn, KEY("b")), 0);
    assert_int_equal(dcache_pop(txn, KEY("c"), NULL, &entry), 0);
    dcache_entry_clear(&entry);
    assert_int_equal(count_files(dir_of(state)), 5); /* none of the old ones has gone */
    dcache_rollback(txn);
    assert_true(get_is(c, KEY("a"), VALUE(large('a'))));
    assert_true(get_is(c, KEY("b"), VALUE(large('b'))));
    assert_true(get_is(c, KEY("c"), VALUE(large('c'))));
    assert_int_equal(assert_rows_have_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
}

static void T2_old_files_go_with_the_outermost_commit(void **state)
{
    dcache *c = cache_of(state), *txn, *inner;

    must_set(c, "a", large('a'));
    txn = begin(c);
    inner = begin(txn);
    must_set(inner, "a", large('x'));
    assert_int_equal(dcache_commit(inner), 0);
    assert_int_equal(count_files(dir_of(state)), 2);
    must_set(txn, "a", large('y'));
    assert_int_equal(count_files(dir_of(state)), 3);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_true(get_is(c, KEY("a"), VALUE(large('y'))));
}

static void T1_an_inner_scope_that_committed_is_undone_with_the_outer(void **state)
{
    dcache *c = cache_of(state), *txn, *inner;

    must_set(c, "a", large('a'));
    txn = begin(c);
    inner = begin(txn);
    must_set(inner, "a", large('x'));
    must_set(inner, "new", large('y'));
    assert_int_equal(dcache_commit(inner), 0);
    dcache_rollback(txn);
    assert_true(get_is(c, KEY("a"), VALUE(large('a'))));
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_counters_right(dir_of(state));
}

static void clear_in_a_transaction_can_be_undone(void **state)
{
    dcache *c = cache_of(state), *txn;

    must_set(c, "a", large('a'));
    txn = begin(c);
    must_set(txn, "b", large('b'));
    assert_int_equal(dcache_clear(txn, NULL), 0);
    assert_int_equal(count_of(txn), 0);
    dcache_rollback(txn);
    assert_true(get_is(c, KEY("a"), VALUE(large('a'))));
    assert_int_equal(count_files(dir_of(state)), 1);
}

static void check_in_a_transaction_leaves_the_files_that_an_undo_needs(void **state)
{
    dcache *c = cache_of(state), *txn, *inner;
    struct dcache_report report;

    must_set(c, "a", large('a'));
    must_set(c, "b", large('b'));
    txn = begin(c);
    assert_int_equal(dcache_delete(txn, KEY("a")), 0);
    inner = begin(txn);
    must_set(inner, "b", large('x'));
    assert_int_equal(dcache_check(inner, 1, &report), 0);
    assert_int_equal(report.count, 0);
    dcache_report_clear(&report);
    dcache_rollback(inner);
    assert_int_equal(dcache_check(txn, 1, &report), 0);
    assert_int_equal(report.count, 0);
    dcache_report_clear(&report);
    dcache_rollback(txn);
    assert_true(get_is(c, KEY("a"), VALUE(large('a'))));
    assert_true(get_is(c, KEY("b"), VALUE(large('b'))));
}

/* ---- nesting ---- */

static void an_inner_rollback_undoes_only_itself(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c), *inner, *third;

    must_set(txn, "outer", dcache_int(1));
    inner = begin(txn);
    must_set(inner, "inner", large('i'));
    third = begin(inner);
    must_set(third, "third", large('t'));
    assert_int_equal(dcache_commit(third), 0);
    dcache_rollback(inner);
    must_set(txn, "after", large('a'));
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 2);
    assert_true(get_is(c, KEY("outer"), INT(1)));
    assert_true(get_is(c, KEY("after"), VALUE(large('a'))));
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_counters_right(dir_of(state));
}

static void rollback_of_the_outer_one_takes_the_inner_ones_along(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c), *inner = begin(txn), *third = begin(inner), *no;
    struct dcache_entry entry;

    must_set(third, "k", large('k'));
    dcache_rollback(txn);
    assert_int_equal(count_files(dir_of(state)), 0);
    txn = begin(c); /* the lock is free, and the orphans do not disturb who has it */
    must_set(txn, "l", dcache_int(1));
    assert_int_equal(dcache_set(third, KEY("k"), VALUE(large('k')), NULL), DCACHE_ABORTED);
    assert_int_equal(dcache_get(inner, KEY("k"), NULL, &entry), DCACHE_ABORTED);
    assert_int_equal(dcache_begin(third, -1, &no), DCACHE_ABORTED);
    assert_int_equal(dcache_commit(inner), DCACHE_ABORTED);
    dcache_rollback(third);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 1);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
}

static void the_outer_handle_refuses_while_an_inner_one_is_open(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c), *inner = begin(txn), *second = NULL;
    struct dcache_entry entry;
    int64_t count;

    assert_int_equal(dcache_set(txn, KEY("k"), VALUE(large('k')), NULL), DCACHE_INVALID);
    assert_int_equal(dcache_get(txn, KEY("k"), NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_count(txn, &count), DCACHE_INVALID);
    assert_int_equal(dcache_begin(txn, -1, &second), DCACHE_INVALID);
    assert_null(second);
    assert_int_equal(dcache_commit(txn), DCACHE_INVALID); /* and it stays open */
    assert_int_equal(count_files(dir_of(state)), 0);
    must_set(inner, "k", dcache_int(1));
    assert_int_equal(dcache_commit(inner), 0);
    must_set(txn, "l", dcache_int(2));
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 2);
}

static void counters_are_right_through_all_scopes(void **state)
{
    dcache *c = cache_of(state), *txn, *inner;

    must_set(c, "a", large('a'));
    txn = begin(c);
    must_set(txn, "b", large('b'));
    inner = begin(txn);
    must_set(inner, "c", large('c'));
    assert_int_equal(dcache_delete(inner, KEY("a")), 0);
    assert_int_equal(count_of(inner), 2);
    assert_int_equal(dcache_commit(inner), 0);
    assert_int_equal(count_of(txn), 2);
    inner = begin(txn);
    assert_int_equal(dcache_clear(inner, NULL), 0);
    assert_int_equal(count_of(inner), 0);
    dcache_rollback(inner);
    assert_int_equal(count_of(txn), 2);
    assert_int_equal(dcache_commit(txn), 0);
    assert_counters_right(dir_of(state));
}

/* ---- waiting ---- */

static void a_thread_in_a_transaction_gets_a_timeout_at_once(void **state)
{
    dcache *c = open_with(dir_of(state), 60, NULL), *txn = begin(c), *second = NULL;
    struct dcache_report report;
    int64_t start = os_monotonic();

    must_set(txn, "k", dcache_int(1));
    assert_int_equal(dcache_set(c, KEY("k"), VALUE(large('k')), NULL), DCACHE_TIMEOUT);
    assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
    assert_int_equal(dcache_begin(c, 60, &second), DCACHE_TIMEOUT);
    assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
    assert_int_equal(dcache_compact(c), DCACHE_TIMEOUT);
    assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(1)), DCACHE_TIMEOUT);
    assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
    assert_int_equal(dcache_setting_set(c, "sqlite_journal_mode", TEXT("delete")), DCACHE_TIMEOUT);
    assert_int_equal(dcache_clear(c, NULL), DCACHE_TIMEOUT);
    assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
    assert_int_equal(dcache_check(c, 0, &report), 0); /* nothing found at the first look */
    assert_true(os_monotonic() - start < 10000 * OS_MS);
    dcache_rollback(txn);
    must_set(c, "k", dcache_int(2));
    dcache_close(c);
}

static void opening_with_another_setting_in_a_transaction_is_a_timeout_at_once(void **state)
{
    struct dcache_setting setting = {"cull_limit", dcache_int(3)};
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *txn = begin(cache_of(state)), *other = NULL;
    int64_t start = os_monotonic();

    options.settings = &setting;
    options.settings_count = 1;
    assert_int_equal(dcache_open(dir_of(state), &options, &other), DCACHE_TIMEOUT);
    assert_true(os_monotonic() - start < 10000 * OS_MS);
    options.settings_count = 0;
    assert_int_equal(dcache_open(dir_of(state), &options, &other), 0);
    dcache_rollback(txn);
    dcache_close(other);
}

static void *write_with_no_time(void *arg)
{
    assert_int_equal(dcache_set(arg, KEY("k"), VALUE(large('w')), NULL), DCACHE_TIMEOUT);
    return NULL;
}

static void a_writer_waits_no_longer_than_its_timeout(void **state)
{
    dcache *other = open_with(dir_of(state), -1, NULL), *txn = begin(cache_of(state));

    elsewhere(write_with_no_time, other);
    elsewhere(write_with_no_time, cache_of(state)); /* 0.25 s */
    dcache_rollback(txn);
    assert_int_equal(count_files(dir_of(state)), 0);
    dcache_close(other);
}

static int end_at_third(void *arg)
{
    return ++*(int *)arg == 3;
}

static void *write_until_ended(void *arg)
{
    int calls = 0;

    dcache_on_wait(end_at_third, &calls);
    assert_int_equal(dcache_set(arg, KEY("k"), VALUE(large('w')), NULL), DCACHE_CALLBACK);
    assert_int_equal(calls, 3);
    dcache_on_wait(NULL, NULL);
    assert_int_equal(dcache_contains(arg, KEY("k")), DCACHE_NOT_FOUND);
    return NULL;
}

static void a_wait_ends_when_the_callers_function_says_so(void **state)
{
    dcache *patient = open_with(dir_of(state), 60, NULL), *txn = begin(cache_of(state));
    char path[300];
    sqlite3 *foreign;

    elsewhere(write_until_ended, patient);
    dcache_rollback(txn);
    (void)snprintf(path, sizeof path, "%s/cache.db", dir_of(state));
    assert_int_equal(sqlite3_open(path, &foreign), SQLITE_OK);
    assert_int_equal(sqlite3_exec(foreign, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    elsewhere(write_until_ended, patient);
    assert_int_equal(sqlite3_close(foreign), SQLITE_OK);
    must_set(patient, "k", dcache_int(1));
    assert_int_equal(count_files(dir_of(state)), 0);
    dcache_close(patient);
}

static void *commit_it(void *arg)
{
    must_set(arg, "there", dcache_int(1));
    assert_int_equal(dcache_commit(arg), 0);
    return NULL;
}

static void another_thread_may_go_on_with_a_transaction_and_commit_it(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c);

    must_set(txn, "here", dcache_int(1));
    elsewhere(commit_it, txn);
    assert_int_equal(count_of(c), 2);
    must_set(c, "after", dcache_int(1)); /* this thread is free again */
}

static void *add_hundred(void *arg)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(dcache_incr(arg, KEY("n"), NULL, NULL, NULL), 0);
    return NULL;
}

static void threads_in_one_transaction_take_turns(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c);
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_hundred, txn), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_true(get_is(c, KEY("n"), INT(400)));
}

static void readers_do_not_wait_for_a_transaction(void **state)
{
    dcache *c = open_with(dir_of(state), -1, NULL), *txn;
    struct dcache_report report;

    must_set(c, "k", large('k'));
    txn = begin(c);
    must_set(txn, "k", dcache_int(1));
    assert_true(get_is(c, KEY("k"), VALUE(large('k'))));
    assert_int_equal(count_of(c), 1);
    assert_int_equal(dcache_check(c, 0, &report), 0);
    dcache_report_clear(&report);
    dcache_rollback(txn);
    dcache_close(c);
}

/* ---- the end ---- */

static void closing_a_transaction_rolls_it_back(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c);

    must_set(txn, "k", large('k'));
    dcache_close(txn);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    dcache_rollback(NULL);
    dcache_close(NULL);
    assert_int_equal(dcache_commit(NULL), DCACHE_INVALID);
    assert_int_equal(dcache_commit(c), DCACHE_INVALID);
}

static void T5_after_an_error_that_undid_everything_all_is_aborted(void **state)
{
    dcache *c = cache_of(state), *txn, *inner;
    struct dcache_entry entry;

    must_set(c, "k", large('o'));
    for (int nested = 0; nested < 2; nested++) {
        txn = begin(c);
        inner = nested ? begin(txn) : txn;
        must_set(inner, "k", large('n'));
        /* As SQLite does when it has no memory or no disk left. */
        assert_int_equal(sqlite3_exec(inner->scope->db->handle, "ROLLBACK", NULL, NULL, NULL), 0);
        assert_int_equal(dcache_set(inner, KEY("x"), VALUE(large('x')), NULL), DCACHE_ABORTED);
        assert_int_equal(dcache_get(inner, KEY("k"), NULL, &entry), DCACHE_ABORTED);
        assert_int_equal(dcache_commit(inner), DCACHE_ABORTED);
        if (nested)
            assert_int_equal(dcache_commit(txn), DCACHE_ABORTED);
        assert_true(get_is(c, KEY("k"), VALUE(large('o'))));
        assert_int_equal(count_files(dir_of(state)), 1);
        must_set(c, "free", dcache_int(1));
    }
}

static void a_setting_of_a_transaction_takes_effect_with_its_commit(void **state)
{
    dcache *c = cache_of(state), *txn = begin(c);

    assert_int_equal(dcache_setting_set(txn, "disk_min_file_size", INT(3)), 0);
    assert_int_equal(dcache_contains(c, KEY("k")), DCACHE_NOT_FOUND); /* reads the settings */
    assert_int_equal(dcache_commit(txn), 0);
    must_set(c, "k", dcache_text("four"));
    assert_int_equal(count_files(dir_of(state)), 1);
    txn = begin(c);
    assert_int_equal(dcache_setting_set(txn, "disk_min_file_size", INT(100)), 0);
    must_set(txn, "l", dcache_text("four"));
    dcache_rollback(txn);
    must_set(c, "k", dcache_text("five"));
    assert_int_equal(count_files(dir_of(state)), 1);
}

static void hits_are_not_lost_with_a_commit_that_fails(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_stats stats = {0};

    assert_int_equal(dcache_setting_set(c, "statistics", INT(1)), 0);
    must_set(c, "k", dcache_int(1));
    assert_true(get_is(c, KEY("k"), INT(1)));
    for (long n = 1;; n++) {
        int rc;

        os_fault_at = n;
        rc = dcache_stats(c, 1, &stats);
        if (os_fault_at > 0)
            break;
        if (rc == 0) { /* it could do without */
            assert_int_equal(stats.hits, 1);
            assert_true(get_is(c, KEY("k"), INT(1)));
        }
        assert_int_equal(dcache_stats(c, 0, &stats), 0);
        assert_int_equal(stats.hits, 1);
    }
    os_fault_at = 0;
    assert_int_equal(stats.hits, 1);
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_int_equal(stats.hits, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(nobody_sees_what_is_not_committed),
        TEST(every_operation_works_in_a_transaction),
        TEST(T1_T2_a_rollback_brings_old_files_back_and_removes_new_ones),
        TEST(T2_old_files_go_with_the_outermost_commit),
        TEST(T1_an_inner_scope_that_committed_is_undone_with_the_outer),
        TEST(clear_in_a_transaction_can_be_undone),
        TEST(check_in_a_transaction_leaves_the_files_that_an_undo_needs),
        TEST(an_inner_rollback_undoes_only_itself),
        TEST(rollback_of_the_outer_one_takes_the_inner_ones_along),
        TEST(the_outer_handle_refuses_while_an_inner_one_is_open),
        TEST(counters_are_right_through_all_scopes),
        TEST(a_thread_in_a_transaction_gets_a_timeout_at_once),
        TEST(opening_with_another_setting_in_a_transaction_is_a_timeout_at_once),
        TEST(a_writer_waits_no_longer_than_its_timeout),
        TEST(a_wait_ends_when_the_callers_function_says_so),
        TEST(another_thread_may_go_on_with_a_transaction_and_commit_it),
        TEST(threads_in_one_transaction_take_turns),
        TEST(readers_do_not_wait_for_a_transaction),
        TEST(closing_a_transaction_rolls_it_back),
        TEST(T5_after_an_error_that_undid_everything_all_is_aborted),
        TEST(a_setting_of_a_transaction_takes_effect_with_its_commit),
        TEST(hits_are_not_lost_with_a_commit_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
