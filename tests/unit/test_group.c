/* test_group.c - transactions in the memtable: who sees what, and how one becomes SQLite's (T6 of txn.h,
 * G1 to G3 of group.h). */
#include "support.h"
#include "txn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *dir_of(void **state)
{
    return ((struct place *)*state)->dir;
}

static dcache *open_hot(void **state)
{
    return open_with(dir_of(state), 5, "memtable_size", INT(1 << 20), NULL);
}

static void must_set(dcache *c, const char *key, int64_t value)
{
    assert_int_equal(dcache_set(c, TEXT(key), INT(value), NULL), 0);
}

static void has(dcache *c, const char *key, int64_t value)
{
    assert_true(get_is(c, TEXT(key), INT(value)));
}

static void has_not(dcache *c, const char *key)
{
    assert_int_equal(dcache_contains(c, TEXT(key)), DCACHE_NOT_FOUND);
}

static dcache *begin(dcache *c)
{
    dcache *txn = NULL;

    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    return txn;
}

/* One that is in the memtable. */
static dcache *begin_hot(dcache *c)
{
    dcache *txn = begin(c);

    assert_non_null(txn_group(txn->scope));
    return txn;
}

static void is_hot(dcache *txn, bool expected)
{
    assert_int_equal(txn_group(txn->scope) != NULL, expected);
}

static int64_t count_of(dcache *c)
{
    int64_t count;

    assert_int_equal(dcache_count(c, &count), 0);
    return count;
}

/* ---- seeing ---- */

static void all_of_it_is_seen_after_the_commit_and_nothing_before(void **state)
{
    dcache *c = open_hot(state), *other = open_hot(state), *txn;

    must_set(c, "there", 1);
    must_set(c, "gone", 1);
    txn = begin_hot(c);
    must_set(txn, "there", 2);
    must_set(txn, "new", 3);
    assert_int_equal(dcache_delete(txn, KEY("gone")), 0);
    assert_int_equal(dcache_incr(txn, KEY("new"), INT(4), NULL, NULL), 0);
    assert_int_equal(dcache_add(txn, KEY("new"), INT(4), NULL), DCACHE_EXISTS);
    assert_int_equal(dcache_touch(txn, KEY("there"), SET(.expire = 100)), 0);
    has(txn, "there", 2);
    has(txn, "new", 7);
    has_not(txn, "gone");
    has(other, "there", 1);
    has(other, "gone", 1);
    has_not(other, "new");
    is_hot(txn, true);
    assert_int_equal(dcache_commit(txn), 0);
    has(other, "there", 2);
    has(other, "new", 7);
    has_not(other, "gone");
    assert_int_equal(count_of(other), 2);
    dcache_close(other);
    dcache_close(c);
    assert_counters_right(dir_of(state));
}

static void nothing_of_it_is_left_after_a_rollback(void **state)
{
    dcache *c = open_hot(state), *txn;

    must_set(c, "k", 1);
    txn = begin_hot(c);
    must_set(txn, "k", 2);
    must_set(txn, "new", 2);
    is_hot(txn, true);
    dcache_rollback(txn);
    has(c, "k", 1);
    has_not(c, "new");
    must_set(c, "k", 3); /* the lock is free */
    dcache_close(c);
}

static void an_inner_one_is_undone_alone(void **state)
{
    dcache *c = open_hot(state), *txn, *inner;

    must_set(c, "k", 1);
    txn = begin_hot(c);
    must_set(txn, "k", 2);
    inner = begin(txn);
    must_set(inner, "k", 3);
    must_set(inner, "new", 3);
    assert_int_equal(dcache_set(txn, KEY("k"), INT(9), NULL), DCACHE_INVALID); /* one is open */
    has(inner, "k", 3);
    dcache_rollback(inner);
    has(txn, "k", 2);
    has_not(txn, "new");
    inner = begin(txn);
    must_set(inner, "kept", 4);
    assert_int_equal(dcache_commit(inner), 0);
    is_hot(txn, true);
    assert_int_equal(dcache_commit(txn), 0);
    has(c, "k", 2);
    has(c, "kept", 4);
    has_not(c, "new");
    dcache_close(c);
}

static void of_several_values_of_a_key_the_last_counts(void **state)
{
    dcache *c = open_hot(state), *txn = begin_hot(c);
    struct dcache_entry e;

    assert_int_equal(dcache_set(txn, INT(1), INT(1), NULL), 0);
    must_set(txn, "between", 0);
    assert_int_equal(dcache_set(txn, DOUBLE(1), INT(2), NULL), 0);
    is_hot(txn, true);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 2);
    assert_int_equal(dcache_peekitem(c, DCACHE_FRONT, NULL, &e), 0);
    assert_int_equal(e.key.type, DCACHE_INT); /* as it was first given, and in that place */
    assert_int_equal(e.value.integer, 2);
    dcache_entry_clear(&e);
    dcache_close(c);
}

/* ---- to SQLite ---- */

static void what_is_not_for_the_memtable_takes_all_of_it_to_sqlite(void **state)
{
    dcache *c = open_hot(state), *txn, *inner;
    struct dcache_value last;

    must_set(c, "before", 1);
    must_set(c, "gone", 1);
    txn = begin_hot(c);
    must_set(txn, "before", 2);
    inner = begin(txn);
    assert_int_equal(dcache_delete(inner, KEY("gone")), 0);
    must_set(inner, "new", 3);
    assert_int_equal(count_of(inner), 2);
    is_hot(inner, false);
    dcache_rollback(inner);
    assert_int_equal(count_of(txn), 2);
    has(txn, "before", 2);
    has(txn, "gone", 1);
    has_not(txn, "new");
    assert_int_equal(dcache_push(txn, NULL, DCACHE_BACK, INT(5), NULL, &last), 0);
    dcache_value_clear(&last);
    assert_int_equal(dcache_set(txn, KEY("large"), VALUE(large('l')), NULL), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 4);
    has(c, "before", 2);
    dcache_close(c);
    assert_counters_right(dir_of(state));
    assert_int_equal(assert_rows_have_files(dir_of(state)), 0);
}

static void what_was_removed_and_stored_again_comes_last(void **state)
{
    dcache *c = open_hot(state), *txn;
    struct dcache_entry e;

    must_set(c, "a", 1);
    must_set(c, "b", 1);
    txn = begin_hot(c);
    assert_int_equal(dcache_delete(txn, KEY("a")), 0);
    must_set(txn, "a", 2);
    is_hot(txn, false); /* G3 */
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(dcache_peekitem(c, DCACHE_BACK, NULL, &e), 0);
    assert_int_equal(e.value.integer, 2);
    dcache_entry_clear(&e);
    dcache_close(c);
}

static void one_that_is_too_long_goes_on_in_sqlite(void **state)
{
    dcache *c = open_hot(state), *txn = begin_hot(c);
    char key[32];

    for (int i = 0; i < 2 * MEMTABLE_GROUP_MOST; i++) {
        (void)snprintf(key, sizeof key, "key-%d", i);
        must_set(txn, key, i);
        is_hot(txn, i < MEMTABLE_GROUP_MOST);
    }
    has(txn, "key-3", 3);
    assert_int_equal(dcache_commit(txn), 0);
    has(c, "key-3", 3);
    assert_int_equal(count_of(c), 2 * MEMTABLE_GROUP_MOST);
    dcache_close(c);
    assert_counters_right(dir_of(state));
}

/* What one transaction was like, more and more of the next are expected to be. */
static void handle_learns_what_its_transactions_are_like(void **state)
{
    dcache *c = open_hot(state), *txn;
    int hot = 0;

    for (int i = 0; i < 200; i++) {
        txn = begin(c);
        hot += txn_group(txn->scope) != NULL;
        (void)count_of(txn);
        assert_int_equal(dcache_commit(txn), 0);
    }
    assert_in_range(hot, 2, 8);
    dcache_close(c);
}

/* 5.6.3, or the sqlite3 shell. */
static sqlite3 *foreign_lock(void **state)
{
    char path[400];
    sqlite3 *db;

    (void)snprintf(path, sizeof path, "%s/cache.db", dir_of(state));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void one_that_cannot_go_to_sqlite_is_as_it_was(void **state)
{
    dcache *c = open_with(dir_of(state), 0.1, "memtable_size", INT(1 << 20), NULL), *txn, *inner;
    sqlite3 *db;
    int64_t count;

    must_set(c, "k", 1);
    assert_int_equal(count_of(c), 1);
    txn = begin_hot(c);
    must_set(txn, "k", 2);
    inner = begin(txn);
    must_set(inner, "new", 2);
    db = foreign_lock(state);
    assert_int_equal(dcache_count(inner, &count), DCACHE_TIMEOUT);
    is_hot(inner, true);
    has(inner, "new", 2);
    assert_int_equal(dcache_delete(inner, KEY("new")), 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK); /* and lets go */
    assert_int_equal(count_of(inner), 1);
    assert_int_equal(dcache_commit(inner), 0);
    assert_int_equal(dcache_commit(txn), 0);
    has(c, "k", 2);
    has_not(c, "new");
    dcache_close(c);
}

/* Whoever has committed meanwhile did so before this one, and the next who asks sees that. */
static void foreign_commit_in_the_meantime_sends_it_to_sqlite(void **state)
{
    dcache *c = open_hot(state), *txn;
    sqlite3 *db;

    must_set(c, "mine", 1);
    assert_int_equal(count_of(c), 1);
    txn = begin_hot(c);
    must_set(txn, "mine", 2);
    db = foreign_lock(state);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO Cache(key, raw, store_time, expire_time,"
                                  " access_time, access_count, tag, size, mode, filename, value)"
                                  " VALUES('theirs', 1, 1, NULL, 1, 0, NULL, 0, 1, NULL, 5)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(sql_number(dir_of(state), "SELECT value FROM Cache WHERE key = 'mine'"), 2);
    has(c, "theirs", 5);
    has(c, "mine", 2);
    txn = begin(c); /* and from now on it would have to wait */
    is_hot(txn, false);
    dcache_rollback(txn);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    dcache_close(c);
}

static void foreign_lock_at_the_commit_undoes_it(void **state)
{
    dcache *c = open_with(dir_of(state), 0.1, "memtable_size", INT(1 << 20), NULL), *txn;
    sqlite3 *db;

    must_set(c, "k", 1);
    assert_int_equal(count_of(c), 1);
    txn = begin_hot(c);
    must_set(txn, "k", 2);
    db = foreign_lock(state);
    assert_int_equal(sqlite3_exec(db, "UPDATE Cache SET access_count = 7; COMMIT; BEGIN IMMEDIATE",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(dcache_commit(txn), DCACHE_TIMEOUT);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    has(c, "k", 1);
    must_set(c, "k", 3);
    has(c, "k", 3);
    dcache_close(c);
}

/* ---- who has to wait ---- */

struct other {
    dcache *cache;
    int rc;
    int64_t count;
};

static void *set_small(void *arg)
{
    struct other *other = arg;

    other->rc = dcache_set(other->cache, KEY("k"), INT(9), NULL);
    return NULL;
}

static void *set_large(void *arg)
{
    struct other *other = arg;

    other->rc = dcache_set(other->cache, KEY("large"), VALUE(large('l')), NULL);
    return NULL;
}

static void *ask_count(void *arg)
{
    struct other *other = arg;

    other->rc = dcache_count(other->cache, &other->count);
    return NULL;
}

static void elsewhere(void *(*run)(void *), struct other *other)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void writers_wait_for_it_and_readers_do_not(void **state)
{
    dcache *c = open_with(dir_of(state), 0.1, "memtable_size", INT(1 << 20), NULL), *txn;
    struct other other = {.cache = c};

    must_set(c, "k", 1);
    txn = begin_hot(c);
    must_set(txn, "new", 1);
    elsewhere(set_small, &other);
    assert_int_equal(other.rc, DCACHE_TIMEOUT);
    elsewhere(set_large, &other);
    assert_int_equal(other.rc, DCACHE_TIMEOUT);
    elsewhere(ask_count, &other);
    assert_int_equal(other.rc, 0);
    assert_int_equal(other.count, 1);
    has(c, "k", 1);
    assert_int_equal(dcache_set(c, KEY("k"), INT(1), NULL),
                     DCACHE_TIMEOUT); /* this thread: at once */
    assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
    assert_int_equal(dcache_commit(txn), 0);
    elsewhere(set_large, &other);
    assert_int_equal(other.rc, 0);
    dcache_close(c);
}

/* It has the append lock and wants the write lock; the other has that and wants the append lock. */
static void one_that_goes_to_sqlite_beside_another_that_is_there(void **state)
{
    dcache *c = open_hot(state), *txn = begin_hot(c);
    struct other other = {.cache = c};
    pthread_t thread;
    int64_t start = os_monotonic();

    must_set(txn, "k", 1);
    assert_int_equal(pthread_create(&thread, NULL, set_large, &other), 0);
    os_sleep(20 * OS_MS); /* it waits for us */
    assert_int_equal(count_of(txn), 1);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.rc, 0);
    assert_true(os_monotonic() - start < 4000 * OS_MS);
    assert_int_equal(count_of(c), 2);
    dcache_close(c);
}

/* ---- bad weather ---- */

/* The helper sleeps by then: AddressSanitizer's allocator, unlike glibc's, has a lock that a child would find
 * taken if another thread has it at the fork. */
static pid_t fork_quietly(void)
{
    os_sleep(100 * OS_MS);
    return fork();
}

static void one_of_a_process_that_dies_has_never_been(void **state)
{
    dcache *c = open_hot(state);
    int status;
    pid_t pid;

    must_set(c, "k", 1);
    pid = fork_quietly();
    if (pid == 0) {
        dcache *mine = open_with(dir_of(state), 5, "memtable_size", INT(1 << 20), NULL), *txn;

        txn = begin(mine);
        must_set(txn, "k", 2);
        must_set(txn, "new", 2);
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    has(c, "k", 1);
    must_set(c, "k", 3); /* its lock is free */
    has_not(c, "new");
    dcache_close(c);
}

static void child_of_a_fork_has_no_part_in_it(void **state)
{
    dcache *c = open_hot(state), *txn = begin_hot(c);
    int status;
    pid_t pid;

    must_set(txn, "k", 1);
    pid = fork_quietly();
    if (pid == 0) {
        int rc = dcache_set(txn, KEY("k"), INT(2), NULL);

        rc = rc == DCACHE_FORKED ? dcache_commit(txn) : 0;
        _exit(rc == DCACHE_FORKED ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    is_hot(txn, true);
    assert_int_equal(dcache_commit(txn), 0);
    has(c, "k", 1);
    dcache_close(c);
}

static void one_whose_directory_is_removed_is_not_committed(void **state)
{
    dcache *c = open_hot(state), *txn = begin_hot(c);

    must_set(txn, "k", 1);
    place_clean(*state);
    os_sleep(10 * OS_MS); /* a tick of the clock that is asked */
    assert_int_equal(dcache_commit(txn), DCACHE_GONE);
    must_set(c, "k", 2); /* made anew */
    has(c, "k", 2);
    dcache_close(c);
}

/* As a write of SQLite would, and as one in the memtable does when it is drained. */
static void what_has_expired_goes_with_what_is_stored(void **state)
{
    dcache *c = open_hot(state), *txn;

    for (int carried = 0; carried < 2; carried++) {
        assert_int_equal(dcache_set(c, TEXT("dead"), INT(1), SET(.expire_at = 1)), 0);
        txn = begin_hot(c);
        must_set(txn, "k", 1);
        assert_int_equal(dcache_touch(txn, TEXT("k"), SET(.expire = 60)), 0);
        if (carried)
            assert_int_equal(count_of(txn), 1);
        assert_int_equal(dcache_commit(txn), 0);
        assert_int_equal(count_of(c), 1);
    }
    dcache_close(c);
}

int main(void)
{
#define HOT(function) cmocka_unit_test_setup_teardown(function, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        HOT(all_of_it_is_seen_after_the_commit_and_nothing_before),
        HOT(nothing_of_it_is_left_after_a_rollback),
        HOT(an_inner_one_is_undone_alone),
        HOT(of_several_values_of_a_key_the_last_counts),
        HOT(what_is_not_for_the_memtable_takes_all_of_it_to_sqlite),
        HOT(what_was_removed_and_stored_again_comes_last),
        HOT(what_has_expired_goes_with_what_is_stored),
        HOT(one_that_is_too_long_goes_on_in_sqlite),
        HOT(handle_learns_what_its_transactions_are_like),
        HOT(one_that_cannot_go_to_sqlite_is_as_it_was),
        HOT(foreign_commit_in_the_meantime_sends_it_to_sqlite),
        HOT(foreign_lock_at_the_commit_undoes_it),
        HOT(writers_wait_for_it_and_readers_do_not),
        HOT(one_that_goes_to_sqlite_beside_another_that_is_there),
        HOT(one_of_a_process_that_dies_has_never_been),
        HOT(child_of_a_fork_has_no_part_in_it),
        HOT(one_whose_directory_is_removed_is_not_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
