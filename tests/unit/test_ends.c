/* test_ends.c - push and pull in the memtable: where queues end, and when that is not known any more (Q1 to Q4
 * of ends.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "txn.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

/* The number that the key of the new item has, of the queue NULL. */
static int64_t pushed(dcache *c, enum dcache_side side)
{
    struct dcache_value key;

    assert_int_equal(dcache_push(c, NULL, side, INT(0), NULL, &key), 0);
    assert_int_equal(key.type, DCACHE_INT);
    return key.integer;
}

static bool is_known(dcache *c, const char *prefix)
{
    struct ends ends = {.prefix = prefix};

    return ends_find(&c->store->shared, &ends);
}

/* Somebody else has SQLite all the while: nothing is drained, and who needs it waits in vain. */
static void queues_need_no_sqlite_once_their_ends_are_known(void **state)
{
    static const char *const prefixes[] = {NULL, "q", ""};
    dcache *c = open_hot(state);

    for (size_t i = 0; i < 3; i++) {
        must_push(c, prefixes[i], DCACHE_BACK, 1);
        assert_int_equal(pull(c, prefixes[i], DCACHE_BACK), 1);
    }
    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(is_known(c, prefixes[i]));
        for (int n = 1; n < 300; n++)
            must_push(c, prefixes[i], DCACHE_BACK, n);
        must_push(c, prefixes[i], DCACHE_FRONT, 0);
        assert_int_equal(peek(c, prefixes[i], DCACHE_FRONT), 0);
        assert_int_equal(peek(c, prefixes[i], DCACHE_BACK), 299);
        for (int n = 0; n < 299; n++)
            assert_int_equal(pull(c, prefixes[i], DCACHE_FRONT), n);
        assert_int_equal(pull(c, prefixes[i], DCACHE_BACK), 299);
        assert_int_equal(peek(c, prefixes[i], DCACHE_BACK), -1);
        assert_int_equal(pull(c, prefixes[i], DCACHE_BACK), -1);
        assert_int_equal(pull(c, prefixes[i], DCACHE_FRONT), -1);
    }
    shared_unlock(&c->store->shared);
    dcache_close(c);
}

/* Q4: what 5.6.3 may have been given is pulled where it would be seen to be gone. */
static void what_is_in_sqlite_is_pulled_there(void **state)
{
    dcache *c = open_with(dir_of(state), 0.1, "memtable_size", INT(1 << 20), NULL);
    struct dcache_entry entry;

    must_push(c, "q", DCACHE_BACK, 1);
    must_push(c, "q", DCACHE_BACK, 2);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    must_push(c, "q", DCACHE_BACK, 3);
    assert_int_equal(dcache_pull(c, "q", DCACHE_FRONT, NULL, &entry), DCACHE_TIMEOUT);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 3);
    assert_int_equal(dcache_pull(c, "q", DCACHE_BACK, NULL, &entry), DCACHE_TIMEOUT);
    shared_unlock(&c->store->shared);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 1);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 2);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    dcache_close(c);
}

/* While it is behind, who pushes needs no SQLite, and who pulls needs one commit, of both. */
static void of_a_queue_that_is_behind_the_ends_are_known(void **state)
{
    dcache *c = open_hot(state);
    uint64_t commits = 0;

    for (int n = 1; n <= 3; n++)
        must_push(c, "q", DCACHE_BACK, n);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    for (int n = 4; n <= 40; n++) {
        assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0); /* no helper either */
        must_push(c, "q", DCACHE_BACK, n);
        assert_true(memtable_dirty(&c->store->shared) > 0);
        commits -= watch_commits(&c->store->watch) >> 32;
        shared_unlock(&c->store->shared);
        assert_int_equal(pull(c, "q", DCACHE_FRONT), n - 3);
        commits += watch_commits(&c->store->watch) >> 32;
        assert_int_equal(memtable_dirty(&c->store->shared), 0);
        assert_true(is_known(c, "q"));
    }
    assert_in_range(commits, 37,
                    37 + 10); /* a helper may come in between, each 20 ms; else it is 74 */
    must_push(c, "q", DCACHE_FRONT, 0);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 40);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 0);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 38);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 39);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    dcache_close(c);
}

/* T7. What went along is brought once more, and is there once; what was pulled is not there again. */
static void who_dies_between_commit_and_saying_so_has_lost_nothing(void **state)
{
    dcache *c = open_hot(state);
    struct shared_memtable *m = &c->store->shared.segment->memtable;
    uint64_t drained;

    must_push(c, "q", DCACHE_BACK, 1);
    must_push(c, "q", DCACHE_BACK, 2);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    drained = atomic_load(&m->drained);
    must_push(c, "q", DCACHE_BACK, 3);
    must_push(c, "q", DCACHE_BACK, 4);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 4);
    must_push(c, "q", DCACHE_BACK, 5);
    shared_unlock(&c->store->shared);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 1);
    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    atomic_store(&m->drained, drained);
    shared_unlock(&c->store->shared);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 2);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 3);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 5);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    dcache_close(c);
}

/* Whether the row that goes came along with the commit that removes it or not. */
static void a_change_shares_its_commit_with_what_is_dirty(void **state)
{
    dcache *c = open_hot(state);
    struct dcache_entry entry;

    for (int n = 0; n < 200; n++) {
        assert_int_equal(dcache_set(c, TEXT("k"), INT(n), NULL), 0);
        assert_int_equal(dcache_set(c, TEXT("other"), INT(n), NULL), 0);
        assert_int_equal(dcache_set(c, TEXT("k"), INT(-n), SET(.flags = DCACHE_PINNED)), 0);
        assert_true(get_is(c, TEXT("k"), INT(-n)));
        assert_true(get_is(c, TEXT("other"), INT(n)));
        assert_int_equal(dcache_popitem(c, DCACHE_BACK, NULL, &entry), 0);
        assert_int_equal(entry.value.integer, n);
        dcache_entry_clear(&entry);
        assert_int_equal(dcache_contains(c, TEXT("other")), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_delete(c, TEXT("k")), 0);
        assert_int_equal(dcache_contains(c, TEXT("k")), DCACHE_NOT_FOUND);
    }
    dcache_close(c);
}

/* Who drains has looked at the items up to there, and is about to commit. */
static void what_is_being_drained_is_pulled_in_sqlite(void **state)
{
    dcache *c = open_with(dir_of(state), 0.1, "memtable_size", INT(1 << 20), NULL);
    struct shared_memtable *m = &c->store->shared.segment->memtable;
    struct dcache_entry entry;

    must_push(c, "q", DCACHE_BACK, 1);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 1);
    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    must_push(c, "q", DCACHE_BACK, 2);
    atomic_store(&m->draining, atomic_load(&m->tail));
    must_push(c, "q", DCACHE_BACK, 3);
    assert_int_equal(dcache_pull(c, "q", DCACHE_FRONT, NULL, &entry), DCACHE_TIMEOUT);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 3);
    shared_unlock(&c->store->shared);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 2);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    dcache_close(c);
}

static void numbers_are_those_that_sqlite_would_give(void **state)
{
    dcache *c = open_hot(state);

    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000000);
    assert_int_equal(pushed(c, DCACHE_FRONT), 499999999999999);
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000001);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pull(c, NULL, DCACHE_FRONT), 0);
    assert_int_equal(pushed(c, DCACHE_FRONT), 500000000000000); /* it was empty */
    assert_int_equal(pushed(c, DCACHE_FRONT), 499999999999999);
    assert_int_equal(pull(c, NULL, DCACHE_BACK), 0);
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000000);
    dcache_close(c);
}

static void who_writes_to_an_item_otherwise_makes_it_forgotten(void **state)
{
    dcache *c = open_hot(state);

    (void)pushed(c, DCACHE_BACK);
    (void)pushed(c, DCACHE_BACK);
    assert_int_equal(dcache_set(c, INT(500000000000007), INT(1), NULL), 0);
    assert_false(is_known(c, NULL));
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000008);
    assert_true(is_known(c, NULL));
    assert_int_equal(dcache_delete(c, INT(500000000000008)), 0);
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000008);
    must_push(c, "q", DCACHE_BACK, 1);
    assert_int_equal(dcache_set(c, TEXT("q-500000000000003"), INT(4), NULL), 0);
    assert_false(is_known(c, "q"));
    must_push(c, "q", DCACHE_BACK, 5);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 1);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 4);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 5);
    dcache_close(c);
}

static void other_keys_do_not(void **state)
{
    dcache *c = open_hot(state);

    must_push(c, "q", DCACHE_BACK, 1);
    must_push(c, NULL, DCACHE_BACK, 1);
    assert_int_equal(dcache_set(c, TEXT("r-500000000000003"), INT(4), NULL), 0);
    assert_int_equal(dcache_set(c, TEXT("q"), INT(4), NULL), 0);
    assert_int_equal(dcache_set(c, BYTES("q-500000000000003", 17), INT(4), NULL), 0);
    assert_int_equal(dcache_set(c, DOUBLE(1.5), INT(4), NULL), 0);
    assert_true(is_known(c, "q"));
    assert_true(is_known(c, NULL));
    assert_int_equal(dcache_set(c, DOUBLE(500000000000001.0), INT(4), NULL), 0);
    assert_false(is_known(c, NULL));
    dcache_close(c);
}

/* But of which nobody knows what it changes. */
static void a_commit_to_sqlite_makes_all_forgotten(void **state)
{
    dcache *c = open_hot(state);

    must_push(c, "a", DCACHE_BACK, 1);
    must_push(c, "b", DCACHE_BACK, 1);
    assert_int_equal(dcache_push(c, "b", DCACHE_BACK, VALUE(large('f')), NULL, NULL), 0);
    must_push(c, "b", DCACHE_BACK, 3);
    assert_true(is_known(c, "a"));
    assert_true(is_known(c, "b"));
    assert_int_equal(pull(c, "b", DCACHE_FRONT), 1);
    assert_int_not_equal(pull(c, "b", DCACHE_FRONT), -1); /* the file */
    assert_true(is_known(c, "a"));
    assert_int_equal(pull(c, "b", DCACHE_FRONT), 3);
    assert_int_equal(dcache_set(c, TEXT("k"), VALUE(large('f')), NULL), 0);
    assert_true(is_known(c, "a"));
    assert_int_equal(dcache_rename(c, TEXT("k"), TEXT("l")), 0);
    assert_false(is_known(c, "a"));
    must_push(c, "a", DCACHE_BACK, 2);
    assert_true(is_known(c, "a"));
    assert_int_equal(dcache_set(c, TEXT("a-500000000000002"), VALUE(large('f')), NULL), 0);
    assert_false(is_known(c, "a"));
    assert_int_equal(dcache_delete(c, TEXT("a-500000000000002")), 0);
    assert_int_equal(pull(c, "a", DCACHE_BACK), 2);
    assert_int_equal(pull(c, "a", DCACHE_BACK), 1);
    dcache_close(c);
}

static void what_a_transaction_pushes_has_its_place(void **state)
{
    dcache *c = open_hot(state), *txn;

    must_push(c, "q", DCACHE_BACK, 1);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    must_push(txn, "q", DCACHE_BACK, 2);
    assert_int_equal(dcache_commit(txn), 0);
    must_push(c, "q", DCACHE_BACK, 3);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(dcache_set(txn, TEXT("q-500000000000009"), INT(4), NULL), 0);
    assert_int_equal(dcache_commit(txn), 0);
    must_push(c, "q", DCACHE_BACK, 5);
    for (int n = 1; n <= 5; n++)
        assert_int_equal(pull(c, "q", DCACHE_FRONT), n);
    dcache_close(c);
}

static void what_expires_is_left_out(void **state)
{
    dcache *c = open_hot(state);

    must_push(c, "q", DCACHE_BACK, 1);
    assert_int_equal(dcache_push(c, "q", DCACHE_FRONT, INT(0), SET(.expire_at = 1), NULL), 0);
    must_push(c, "q", DCACHE_BACK, 2);
    assert_int_equal(peek(c, "q", DCACHE_FRONT), 1);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 1);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 2);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    dcache_close(c);
}

/* As who dies between the one and the other leaves them. */
static void gaps_at_the_ends_are_stepped_over(void **state)
{
    dcache *c = open_hot(state);
    struct ends ends = {.prefix = "q", .first = 499999999999990, .next = 500000000000010};

    must_push(c, "q", DCACHE_BACK, 1);
    must_push(c, "q", DCACHE_BACK, 2);
    ends_set(&c->store->shared, &ends);
    assert_int_equal(peek(c, "q", DCACHE_FRONT), 1);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 2);
    ends_set(&c->store->shared, &ends);
    must_push(c, "q", DCACHE_BACK, 3);
    ends_set(&c->store->shared, &ends);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 1);
    ends_set(&c->store->shared, &ends);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), 3);
    ends_set(&c->store->shared, &ends);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    must_push(c, "q", DCACHE_BACK, 4);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 4);
    dcache_close(c);
}

static void many_queues_and_long_names_have_their_order(void **state)
{
    char name[100];
    dcache *c = open_hot(state);

    for (int turn = 0; turn < 3; turn++)
        for (int i = 0; i < 30; i++) {
            (void)snprintf(name, sizeof name, "%d%.*s", i, 2 * i,
                           "............................................................");
            must_push(c, name, DCACHE_BACK, 100 * i + turn);
        }
    for (int turn = 0; turn < 3; turn++)
        for (int i = 0; i < 30; i++) {
            (void)snprintf(name, sizeof name, "%d%.*s", i, 2 * i,
                           "............................................................");
            assert_int_equal(pull(c, name, DCACHE_FRONT), 100 * i + turn);
        }
    dcache_close(c);
}

static void a_limit_of_length_is_sqlites(void **state)
{
    dcache *c = open_with(dir_of(state), 5, "memtable_size", INT(1 << 20), "deque_maxlen", INT(2),
                          NULL);

    for (int n = 1; n <= 5; n++)
        must_push(c, NULL, DCACHE_BACK, n);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), 4);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), 5);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), -1);
    dcache_close(c);
}

static void where_a_foreign_process_has_been_queues_are_sqlites(void **state)
{
    dcache *c = open_hot(state);
    char path[300];
    sqlite3 *db;

    must_push(c, "q", DCACHE_BACK, 1);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    (void)snprintf(path, sizeof path, "%s/cache.db", dir_of(state));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO Cache (key, raw, store_time, access_time, size,"
                                  " mode, value) VALUES ('q-500000000000001', 1, 1, 1, 0, 1, 2)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    must_push(c, "q", DCACHE_BACK, 3);
    assert_false(is_known(c, "q"));
    for (int n = 1; n <= 3; n++)
        assert_int_equal(pull(c, "q", DCACHE_FRONT), n);
    (void)sqlite3_close(db);
    dcache_close(c);
}

/* Other integers are items of the queue NULL, too, and what expires is culled: gaps at the ends. */
static void numbers_are_next_to_an_item(void **state)
{
    dcache *c = open_hot(state);
    int64_t count;

    assert_int_equal(pushed(c, DCACHE_FRONT), 500000000000000);
    assert_int_equal(dcache_set(c, INT(1000), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, INT(700000000000000), INT(2), NULL), 0);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), 1);
    assert_int_equal(pull(c, NULL, DCACHE_BACK), 2);
    assert_int_equal(pushed(c, DCACHE_FRONT), 499999999999999);
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000001);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), 0);
    assert_int_equal(pushed(c, DCACHE_FRONT), 499999999999999);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, INT(0), SET(.expire_at = 1), NULL), 0);
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000003);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, INT(0), SET(.expire_at = 1), NULL), 0);
    assert_int_equal(dcache_set(c, TEXT("k"), INT(2), NULL), 0); /* which takes it along */
    assert_int_equal(pushed(c, DCACHE_BACK), 500000000000004);
    assert_int_equal(dcache_count(c, &count), 0);
    assert_int_equal(count, 6);
    dcache_close(c);
}

/* It comes just now, and sees no row of what was pushed here. */
static void gives_away(void **state, const char *prefix, const char *key)
{
    dcache *c = open_hot(state);
    char path[300], sql[400];
    sqlite3 *db;

    must_push(c, prefix, DCACHE_BACK, 1);
    (void)snprintf(path, sizeof path, "%s/cache.db", dir_of(state));
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO Cache (key, raw, store_time, access_time, size, mode, value)"
                   " VALUES (%s, 1, 9e9, 1, 0, 1, 2); COMMIT",
                   key);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    must_push(c, prefix, DCACHE_BACK, 3);
    must_push(c, prefix, DCACHE_BACK, 4);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    for (int n = 1; n <= 4; n++)
        assert_int_equal(pull(c, prefix, DCACHE_FRONT), n);
    assert_int_equal(pull(c, prefix, DCACHE_FRONT), -1);
    dcache_close(c);
}

static void an_item_whose_number_is_given_away_gets_another(void **state)
{
    gives_away(state, "q", "'q-500000000000001'");
}

static void an_item_whose_number_is_given_away_gets_another_number(void **state)
{
    gives_away(state, NULL, "500000000000001");
}

/* Who drains has committed, and then died: it is done once more, and nobody takes it for a foreign commit's. */
static void what_is_drained_twice_is_there_once(void **state)
{
    dcache *c = open_hot(state);
    struct shared_memtable *m = &c->store->shared.segment->memtable;
    uint64_t before;

    must_push(c, "q", DCACHE_BACK, 1);
    before = atomic_load(&m->tail);
    must_push(c, "q", DCACHE_BACK, 2);
    must_push(c, "q", DCACHE_BACK, 3);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    atomic_store(&m->drained, before);
    atomic_store(&m->known, 1);
    shared_unlock(&c->store->shared);
    for (int n = 1; n <= 3; n++)
        assert_int_equal(pull(c, "q", DCACHE_FRONT), n);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    dcache_close(c);
}

/* Each of them pushes and pulls; in the end everything that was pushed has been pulled, once. */
static void processes_share_what_is_known(void **state)
{
    enum { PROCESSES = 4, ITEMS = 2000 };
    static _Atomic int *seen;
    dcache *c;
    int status;

    seen = mmap(NULL, PROCESSES * ITEMS * sizeof *seen, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            dcache *mine = open_hot(state);

            for (int n = 0; n < ITEMS; n++) {
                int64_t item;

                must_push(mine, "q", n % 2 ? DCACHE_BACK : DCACHE_FRONT, p * ITEMS + n);
                item = pull(mine, "q", DCACHE_FRONT);
                if (item >= 0 && item < PROCESSES * ITEMS)
                    atomic_fetch_add(&seen[item], 1);
            }
            dcache_close(mine);
            _exit(0);
        }
    for (int p = 0; p < PROCESSES; p++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    c = open_hot(state);
    assert_int_equal(pull(c, "q", DCACHE_FRONT), -1);
    for (int i = 0; i < PROCESSES * ITEMS; i++)
        assert_int_equal(atomic_load(&seen[i]), 1);
    dcache_close(c);
    (void)munmap(seen, PROCESSES * ITEMS * sizeof *seen);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(queues_need_no_sqlite_once_their_ends_are_known),
        TEST(what_is_in_sqlite_is_pulled_there),
        TEST(what_is_being_drained_is_pulled_in_sqlite),
        TEST(of_a_queue_that_is_behind_the_ends_are_known),
        TEST(who_dies_between_commit_and_saying_so_has_lost_nothing),
        TEST(a_change_shares_its_commit_with_what_is_dirty),
        TEST(numbers_are_those_that_sqlite_would_give),
        TEST(numbers_are_next_to_an_item),
        TEST(who_writes_to_an_item_otherwise_makes_it_forgotten),
        TEST(other_keys_do_not),
        TEST(a_commit_to_sqlite_makes_all_forgotten),
        TEST(what_a_transaction_pushes_has_its_place),
        TEST(what_expires_is_left_out),
        TEST(gaps_at_the_ends_are_stepped_over),
        TEST(many_queues_and_long_names_have_their_order),
        TEST(a_limit_of_length_is_sqlites),
        TEST(where_a_foreign_process_has_been_queues_are_sqlites),
        TEST(an_item_whose_number_is_given_away_gets_another),
        TEST(an_item_whose_number_is_given_away_gets_another_number),
        TEST(what_is_drained_twice_is_there_once),
        TEST(processes_share_what_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
