/* test_hot.c - what a writer of single keys waits for, and what not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hot.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define SMALLEST RING_SMALLEST /* half of it is a crowd */
#define RECORD 1000            /* bytes, and some more in the ring */

static dcache *open_hot(void **state, int64_t size)
{
    struct place *place = *state;
    dcache *c = open_with(place->dir, 0.25, "memtable_size", INT(size), NULL);

    assert_int_equal(dcache_set(c, KEY("first"), INT(0), NULL), 0); /* now there is a ring */
    return c;
}

static int store(dcache *c, int number)
{
    static char data[RECORD];

    return dcache_set(c, INT(number), BYTES(data, sizeof data), NULL);
}

static uint64_t dirty(const dcache *c)
{
    return memtable_dirty(&c->store->shared);
}

/* Somebody is at a checkpoint, say; this process stands for both. */
static void crowd_waits_for_nobody_while_there_is_room(void **state)
{
    dcache *c = open_hot(state, SMALLEST);
    int rc = 0, stored = 0;
    int64_t count;

    assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0);
    for (; rc == 0; stored += rc == 0)
        rc = store(c, stored);
    assert_int_equal(rc, DCACHE_TIMEOUT);
    assert_true(dirty(c) > SMALLEST - 2 * RECORD); /* full, and not half full */
    shared_unlock(&c->store->shared);
    assert_int_equal(store(c, stored), 0);
    assert_int_equal(dcache_count(c, &count), 0);
    assert_int_equal(count, stored + 2);
    dcache_close(c);
}

/* Not so many are a crowd otherwise, and the helper comes later than they do. */
static void who_is_in_a_hurry_has_the_writers_drain(void **state)
{
    dcache *c = open_hot(state, 1 << 20);
    _Atomic int64_t *urgent = &c->store->shared.segment->memtable.urgent;

    atomic_store(urgent, os_monotonic() + 3600 * 1000 * OS_MS);
    for (int i = 0; i < 400; i++)
        assert_int_equal(store(c, i), 0);
    assert_true(dirty(c) < 200 * RECORD);
    atomic_store(urgent, os_monotonic() - 1000 * OS_MS); /* he has died */
    assert_false(drain_is_urgent(&c->store->shared));
    dcache_close(c);
}

/* Whatever fails of the slice that a writer drains: the item is stored, or it is told and nothing has changed. */
static void slice_of_a_writer_that_fails_is_his_failure(void **state)
{
    dcache *c = open_hot(state, 1 << 20);
    _Atomic int64_t *urgent = &c->store->shared.segment->memtable.urgent;
    int64_t stored = 0, count;
    bool fired = true;

    assert_int_equal(dcache_set(c, KEY("k"), INT(stored), NULL), 0);
    for (int n = 1; fired; n++) {
        int rc;

        for (int i = 0; i < 12; i++) /* more than little */
            assert_int_equal(store(c, i), 0);
        atomic_store(urgent, os_monotonic() + 3600 * 1000 * OS_MS);
        os_fault_at = n;
        rc = dcache_set(c, KEY("k"), INT(n), NULL);
        fired = os_fault_at == 0;
        os_fault_at = 0;
        atomic_store(urgent, 0);
        stored = rc == 0 ? n : stored;
        assert_true(fired || rc == 0);
        assert_true(get_is(c, KEY("k"), INT(stored)));
        assert_int_equal(dcache_count(c, &count), 0); /* which drains, and all is well again */
        assert_int_equal(count, 14);
    }
    dcache_close(c);
}

static void hurry_is_over_once_everything_is_drained(void **state)
{
    dcache *c = open_hot(state, 1 << 20);
    int64_t count;

    for (int i = 0; i < 100; i++)
        assert_int_equal(store(c, i), 0);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, INT(1), NULL, NULL), 0);
    assert_int_equal(atomic_load(&c->store->shared.segment->memtable.urgent), 0);
    assert_int_equal(dirty(c), 0);
    assert_int_equal(dcache_count(c, &count), 0);
    assert_int_equal(count, 102);
    dcache_close(c);
}

/* Nobody writes, so nobody else would tell the helper. */
static void ring_grows_for_who_only_reads(void **state)
{
    enum { KEYS = 3000 };
    dcache *c = open_with(((struct place *)*state)->dir, 5, "memtable_size", INT(0), NULL);
    _Atomic uint64_t *capacity;
    uint64_t before;

    for (int i = 0; i < KEYS; i++)
        assert_int_equal(store(c, i), 0);
    dcache_close(c);
    c = open_with(((struct place *)*state)->dir, 5, "memtable_size", INT(16 << 20), NULL);
    capacity = &c->store->shared.segment->memtable.capacity;
    for (int i = 0; i < 100; i++)
        assert_int_equal(dcache_contains(c, INT(i)), 0); /* and there is a ring */
    before = atomic_load(capacity);
    assert_in_range(before, 1, KEYS * RECORD);
    for (int turn = 0; turn < 10000 && atomic_load(capacity) == before; turn++)
        for (int i = 0; i < KEYS; i++) {
            struct dcache_entry entry;

            assert_int_equal(dcache_get(c, INT(i), NULL, &entry), 0);
            dcache_entry_clear(&entry);
        }
    assert_true(atomic_load(capacity) > before);
    dcache_close(c);
}

static int64_t place_of(void **state, const char *key)
{
    char sql[100];

    (void)snprintf(sql, sizeof sql, "SELECT rowid FROM Cache WHERE key = '%s'", key);
    return sql_number(((struct place *)*state)->dir, sql);
}

/* It was there when the other was stored, so that takes nothing along. */
static void what_expires_at_once_keeps_its_place(void **state)
{
    dcache *c = open_hot(state, 1 << 20);
    int64_t count;

    for (int i = 0; i < 2; i++) {
        const char *first = i ? "c" : "a", *second = i ? "d" : "b";

        assert_int_equal(dcache_set(c, TEXT(first), INT(1), NULL), 0);
        assert_int_equal(dcache_set(c, TEXT(second), INT(1), NULL), 0);
        if (i)
            assert_int_equal(dcache_set(c, TEXT(first), INT(2), SET(.expire_at = 1)), 0);
        else
            assert_int_equal(dcache_touch(c, TEXT(first), SET(.expire_at = 1)), 0);
        assert_int_equal(dcache_add(c, TEXT(first), INT(3), NULL), 0);
        assert_int_equal(dcache_count(c, &count), 0);
        assert_int_equal(count, 3 + 2 * i); /* with "first" */
        assert_true(place_of(state, first) < place_of(state, second));
    }
    dcache_close(c);
}

static uint64_t floor_of(const dcache *c)
{
    return atomic_load(&c->store->shared.segment->memtable.floor);
}

/* Of others, what is known stays so (M8). */
static void a_commit_about_one_key_is_about_that_one(void **state)
{
    dcache *c = open_hot(state, 1 << 20);
    struct dcache_entry entry;
    uint64_t before;

    assert_int_equal(dcache_set(c, TEXT("a"), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, TEXT("b"), INT(2), NULL), 0);
    assert_int_equal(drain_wait(c->store, os_deadline(5)), 0);
    before = floor_of(c);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(dcache_set(c, TEXT("a"), VALUE(large('x')), NULL), 0);
        assert_true(get_is(c, TEXT("a"), VALUE(large('x'))));
        assert_true(get_is(c, TEXT("b"), INT(i + 2)));
        assert_int_equal(dcache_set(c, TEXT("b"), INT(i + 3), NULL), 0);
        assert_int_equal(dcache_touch(c, TEXT("a"), SET(.expire = 60)), 0);
        assert_int_equal(dcache_pop(c, TEXT("a"), NULL, &entry), 0);
        dcache_entry_clear(&entry);
        assert_int_equal(dcache_contains(c, TEXT("a")), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_set(c, TEXT("a"), INT(i), SET(.flags = DCACHE_PINNED)), 0);
        assert_true(get_is(c, TEXT("a"), INT(i)));
        assert_int_equal(dcache_incr(c, TEXT("a"), NULL, NULL, NULL), 0);
        assert_true(get_is(c, TEXT("a"), INT(i + 1)));
        assert_int_equal(dcache_delete(c, TEXT("a")), 0);
        assert_int_equal(dcache_contains(c, TEXT("a")), DCACHE_NOT_FOUND);
        assert_true(floor_of(c) == before);
    }
    assert_int_equal(dcache_set(c, TEXT("a"), VALUE(large('x')), NULL), 0);
    assert_int_equal(dcache_rename(c, TEXT("a"), TEXT("c")), 0);
    assert_true(floor_of(c) > before);
    dcache_close(c);
}

/* What was read of an item that was about to go along with a change, which then was none. */
static void what_was_read_is_noted_though_nothing_is_changed(void **state)
{
    dcache *c = open_with(((struct place *)*state)->dir, 5, "memtable_size", INT(1 << 20),
                          "eviction_policy", TEXT("least-frequently-used"), NULL);
    struct dcache_entry entry;

    assert_int_equal(dcache_set(c, TEXT("a"), INT(1), NULL), 0);
    assert_true(get_is(c, TEXT("a"), INT(1)));
    assert_int_equal(dcache_set(c, TEXT("b"), TEXT("text"), NULL), 0);
    assert_true(dcache_incr(c, TEXT("b"), NULL, NULL, NULL) < 0);
    assert_int_equal(dcache_touch(c, TEXT("c"), NULL), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_pull(c, "q", DCACHE_FRONT, NULL, &entry), DCACHE_NOT_FOUND);
    dcache_close(c);
    assert_int_equal(
        sql_number(((struct place *)*state)->dir, "SELECT access_count FROM Cache WHERE key = 'a'"),
        1);
}

/* ---- a foreign commit behind ours, before we look ---- */

static const char *foreign_sql;
static char database[400];

/* As long as the statement is not reset, ours has ended, and nothing of it is known yet. */
static int after_statement(unsigned event, void *arg, void *statement, void *nanoseconds)
{
    sqlite3 *theirs;
    (void)event;
    (void)arg;
    (void)nanoseconds;
    if (!foreign_sql || strcmp(sqlite3_sql(statement), "COMMIT") != 0)
        return 0;
    assert_int_equal(sqlite3_open(database, &theirs), SQLITE_OK);
    assert_int_equal(sqlite3_exec(theirs, foreign_sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(theirs), SQLITE_OK);
    foreign_sql = NULL;
    return 0;
}

static void watch_commits_of(dcache *c)
{
    pthread_mutex_lock(&c->store->pool.mutex);
    for (struct db *db = c->store->pool.idle; db; db = db->next)
        assert_int_equal(sqlite3_trace_v2(db->handle, SQLITE_TRACE_PROFILE, after_statement, NULL),
                         SQLITE_OK);
    pthread_mutex_unlock(&c->store->pool.mutex);
}

/* Also one that does not count, since it writes nothing: theirs is the next, and is not taken for it. */
static void foreign_commit_right_after_ours_is_seen(void **state)
{
    static const char update[] = "UPDATE Cache SET value = 99 WHERE key = 'other'";
    struct dcache_set_options keep = {.struct_size = sizeof keep, .flags = DCACHE_KEEP_EXPIRE};

    (void)snprintf(database, sizeof database, "%s/cache.db", ((struct place *)*state)->dir);
    for (int i = 0; i < 4; i++) {
        dcache *c = open_hot(state, 1 << 20);
        struct dcache_entry entry;

        assert_int_equal(dcache_set(c, TEXT("other"), INT(i), NULL), 0);
        assert_int_equal(dcache_set(c, TEXT("k"), INT(i), SET(.flags = DCACHE_PINNED)), 0);
        assert_true(get_is(c, TEXT("other"), INT(i)));
        watch_commits_of(c);
        assert_int_equal(shared_lock(&c->store->shared, os_deadline(5)), 0); /* no helper */
        foreign_sql = update;
        shared_unlock(&c->store->shared);
        if (i == 0)
            assert_int_equal(dcache_touch(c, TEXT("k"), &keep), 0);
        else if (i == 1)
            assert_int_equal(dcache_set(c, TEXT("k"), VALUE(large('x')), NULL), 0);
        else if (i == 2)
            assert_int_equal(dcache_pull(c, "q", DCACHE_FRONT, NULL, &entry), DCACHE_NOT_FOUND);
        else
            assert_int_equal(dcache_rename(c, TEXT("k"), TEXT("l")), 0);
        assert_null(foreign_sql);
        assert_true(get_is(c, TEXT("other"), INT(99)));
        assert_int_equal(dcache_incr(c, TEXT("other"), NULL, NULL, NULL), 0);
        assert_true(get_is(c, TEXT("other"), INT(100)));
        dcache_close(c);
        assert_int_equal(sql_number(((struct place *)*state)->dir,
                                    "SELECT value FROM Cache WHERE key = 'other'"),
                         100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(crowd_waits_for_nobody_while_there_is_room, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(who_is_in_a_hurry_has_the_writers_drain, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(slice_of_a_writer_that_fails_is_his_failure, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(hurry_is_over_once_everything_is_drained, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(ring_grows_for_who_only_reads, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_commit_about_one_key_is_about_that_one, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(what_was_read_is_noted_though_nothing_is_changed,
                                        place_make, place_remove),
        cmocka_unit_test_setup_teardown(foreign_commit_right_after_ours_is_seen, place_make,
                                        place_remove),
        cmocka_unit_test_setup_teardown(what_expires_at_once_keeps_its_place, place_make,
                                        place_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
