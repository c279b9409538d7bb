/* test_capacity.c - the ring becomes larger while it is in use, for those too who have mapped it before; and
 * nobody is led out of the mapping, or behind the end of the file, by what its size is said to be.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "table.h"
#include "txn.h"

#include <sys/resource.h>

#define LARGE (2 * SHARED_RING_LEAST)

static const struct rlimit scarce = {UINT64_C(1) << 47,
                                     RLIM_INFINITY}; /* a limit that limits nothing */

static void become(uint64_t capacity)
{
    assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
    all_is_drained();
    assert_int_equal(memtable_resize(&shared, capacity), 0);
    memtable_settle(&shared, COMMITS);
    memtable_unlock(&shared);
}

static bool finds(struct shared *other, const char *text)
{
    struct memtable_key key = key_of(text);
    struct memtable_record record = {0};
    bool there;

    assert_int_equal(memtable_find(other, &key, 0, COMMITS, &record), 0);
    there = record.kind == MEMTABLE_PRESENT;
    row_clear(&record.row);
    return there;
}

/* Up to its last byte. */
static void use_all_of_it(void)
{
    static char value[4000];
    char key[20];
    uint64_t begin = shared.segment->memtable.tail, capacity = ring_capacity(&shared);

    memset(value, 'v', sizeof value - 1);
    for (int i = 0; shared.segment->memtable.tail - begin < 2 * capacity; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        all_is_drained();
        assert_true(append(key, value));
        assert_true(found(key, value));
    }
}

static void larger_ring_is_made_ready_beside_the_one_in_use(void **state)
{
    int steps = 0, rc;

    (void)state;
    assert_true(append("a", "1"));
    do {
        rc = memtable_prepare(&shared, LARGE, 0); /* a step */
        assert_true(rc >= 0);
        assert_true(found("a", "1"));
        assert_true(append("b", "2"));
        all_is_drained();
        steps++;
    } while (rc > 0);
    assert_true(steps > 64);
    assert_int_equal(size_of(in("cache.db-shared")), SHARED_END(LARGE));
    assert_true(ring_capacity(&shared) == CAPACITY);
    become(LARGE);
    assert_true(ring_capacity(&shared) == LARGE);
    assert_int_equal(kind_of("a", COMMITS), MEMTABLE_UNKNOWN);
    use_all_of_it();
}

/* What is begun for one size does not count for another, nor twice. */
static void preparation_is_for_one_size(void **state)
{
    (void)state;
    assert_int_equal(memtable_prepare(&shared, LARGE, 0), 1);
    become(2 * CAPACITY);
    use_all_of_it();
    become(LARGE);
    use_all_of_it();
    assert_int_equal(memtable_void(&shared, os_deadline(5)), 0);
    become(CAPACITY); /* its index lies where there were records */
    assert_true(append("a", "1"));
    assert_true(found("a", "1"));
    use_all_of_it();
}

static void preparation_that_fails_leaves_the_ring(void **state)
{
    (void)state;
    assert_true(append("a", "1"));
    for (long n = 1;; n++) {
        int rc;

        os_fault_at = n;
        rc = memtable_prepare(&shared, 16 * CAPACITY, INT64_MAX);
        if (os_fault_at != 0) {
            os_fault_at = 0;
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, DCACHE_FULL);
        assert_true(ring_capacity(&shared) == CAPACITY);
        assert_true(found("a", "1"));
    }
    become(16 * CAPACITY);
    use_all_of_it();
}

static void who_was_there_before_sees_what_is_in_the_larger_ring(void **state)
{
    struct shared other = {.fd = -1}, view = {.fd = -1};

    (void)state;
    assert_int_equal(shared_open(&other, dir, 0600, os_deadline(5)), 0);
    assert_int_equal(shared_look(&view, dir), 0);
    become(LARGE);
    assert_true(append("a", "1"));
    assert_true(finds(&other, "a"));
    assert_true(shared_is_current(&view));
    assert_true(finds(&view, "a"));
    os_unmap(view.segment, view.size);
    os_close(view.fd);
    shared_close(&other, dir);
}

/* A reader may still be looking for something in the larger ring. */
static void view_of_a_smaller_file_has_nothing_behind_it(void **state)
{
    struct shared view = {.fd = -1};

    (void)state;
    become(LARGE);
    assert_int_equal(shared_look(&view, dir), 0);
    assert_true(append("a", "1"));
    assert_true(finds(&view, "a"));
    all_is_drained();
    shared_close(&shared, dir);
    assert_int_equal(shared_open(&shared, dir, 0600, os_deadline(5)), 0);
    assert_int_equal(size_of(in("cache.db-shared")), SHARED_LENGTH);
    assert_false(shared_is_current(&view));
    assert_int_equal(shared_look(&view, dir), 0);
    assert_true(ring_load(ring_bucket(&view, UINT64_MAX, LARGE)) == 0);
    assert_false(finds(&view, "a"));
    os_unmap(view.segment, view.size);
    os_close(view.fd);
}

static void file_in_the_place_of_a_larger_one_is_as_long(void **state)
{
    int before = shared.fd;

    (void)state;
    become(LARGE);
    assert_true(append("a", "1"));
    assert_int_equal(unlink(in("cache.db-shared")), 0);
    assert_int_equal(shared_open(&shared, dir, 0600, os_deadline(5)), 0);
    (void)close(before);
    assert_int_equal(size_of(in("cache.db-shared")), SHARED_END(LARGE));
    assert_true(ring_load(ring_bucket(&shared, UINT64_MAX, LARGE)) == 0);
    become(CAPACITY);
    use_all_of_it();
}

static void size_that_the_file_does_not_have_is_none(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;

    (void)state;
    for (uint64_t forged = LARGE; forged != 0; forged *= 2) {
        assert_true(append("a", "1"));
        m->capacity = forged;
        assert_true(ring_capacity(&shared) == 0);
        assert_false(memtable_exists(&shared));
        assert_int_equal(kind_of("a", COMMITS), MEMTABLE_UNKNOWN);
        assert_false(append("a", "2"));
        m->capacity = 0;
        become(CAPACITY);
    }
    m->next = LARGE; /* as if it were ready */
    m->prepared = UINT64_MAX;
    become(LARGE);
    use_all_of_it();
}

/* Of each length; the last bytes are those that differ. */
static void keys_are_spread_over_the_buckets(void **state)
{
    enum { KEYS = 10000, BUCKETS = 2048, MOST = 24 }; /* five on average */

    (void)state;
    for (int length = 0; length <= 20; length++) {
        int in_bucket[BUCKETS] = {0};

        for (int i = 0; i < KEYS; i++) {
            struct dcache_value key = dcache_int(i);
            char text[32];

            (void)snprintf(text, sizeof text, "%.*s%04d", length, "xxxxxxxxxxxxxxxxxxxx", i);
            if (length > 0)
                key = dcache_text(text);
            in_bucket[memtable_key(&key, 1).hash % BUCKETS]++;
        }
        for (int i = 0; i < BUCKETS; i++)
            assert_true(in_bucket[i] <= MOST);
    }
}

/* ---- few addresses ---- */

static int open_scarcely(struct shared *other)
{
    struct rlimit before;
    int rc;

    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_AS, &scarce), 0);
    rc = shared_open(other, dir, 0600, os_deadline(5));
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    return rc;
}

static void nobody_grows_beyond_what_all_can_map(void **state)
{
    struct shared other = {.fd = -1};

    (void)state;
    assert_true(memtable_most(&shared) == SHARED_RING_MOST);
    assert_int_equal(open_scarcely(&other), 0);
    assert_true(memtable_most(&shared) == SHARED_RING_LEAST);
    assert_int_equal(memtable_prepare(&shared, LARGE, 0), DCACHE_FULL);
    assert_int_equal(memtable_resize(&shared, LARGE), DCACHE_FULL);
    assert_true(append("a", "1"));
    assert_true(finds(&other, "a"));
    become(SHARED_RING_LEAST);
    assert_true(append("a", "1"));
    assert_true(finds(&other, "a"));
    shared_close(&other, dir);
}

static void who_can_not_map_the_ring_stays_outside(void **state)
{
    struct shared other = {.fd = -1};

    (void)state;
    become(LARGE);
    assert_int_equal(open_scarcely(&other), DCACHE_NOMEM);
    assert_null(other.segment);
    assert_true(append("a", "1"));
    assert_true(found("a", "1"));
}

/* ---- the dead ---- */

static void large_ring_of_the_dead_is_taken_over(void **state)
{
    (void)state;
    become(LARGE);
    use_all_of_it();
    all_is_drained();
    assert_true(append("a", "1"));
    assert_true(append("b", "2"));
    shared_close(&shared, dir); /* the file stays, as if he had died */
    assert_int_equal(shared_open(&shared, dir, 0600, os_deadline(5)), 0);
    assert_true(shared.inherited);
    memtable_inherit(&shared);
    assert_int_equal(shared_admit(&shared), 0);
    assert_true(ring_capacity(&shared) == LARGE);
    assert_int_equal(kind_of("a", COMMITS), MEMTABLE_PRESENT);
    assert_int_equal(kind_of("b", COMMITS), MEMTABLE_PRESENT);
    assert_int_equal(kind_of("0", COMMITS), MEMTABLE_UNKNOWN); /* SQLite has it */
    use_all_of_it();
}

/* ---- as a whole ---- */

static void cache_grows_as_far_as_its_setting_says(void **state)
{
    static char value[4000];
    char key[20];
    dcache *c;

    (void)state;
    memset(value, 'v', sizeof value - 1);
    assert_int_equal(open_setting(in("c"), "memtable_size", dcache_int((int64_t)LARGE), &c), 0);
    for (int i = 0; i < 1000000; i++) {
        (void)snprintf(key, sizeof key, "%d", i % 5000);
        assert_int_equal(put(c, key, value), 0);
        if (ring_capacity(&c->store->shared) == LARGE)
            break;
    }
    assert_true(ring_capacity(&c->store->shared) == LARGE);
    for (int i = 0; i < 5000; i += 100) {
        (void)snprintf(key, sizeof key, "%d", i);
        assert_int_equal(has(c, key, value), 1);
    }
    dcache_close(c);
    assert_false(exists(in("c/cache.db-shared")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(larger_ring_is_made_ready_beside_the_one_in_use),
        TABLE_TEST(preparation_is_for_one_size),
        TABLE_TEST(preparation_that_fails_leaves_the_ring),
        TABLE_TEST(who_was_there_before_sees_what_is_in_the_larger_ring),
        TABLE_TEST(view_of_a_smaller_file_has_nothing_behind_it),
        TABLE_TEST(file_in_the_place_of_a_larger_one_is_as_long),
        TABLE_TEST(size_that_the_file_does_not_have_is_none),
        TABLE_TEST(keys_are_spread_over_the_buckets),
        TABLE_TEST(nobody_grows_beyond_what_all_can_map),
        TABLE_TEST(who_can_not_map_the_ring_stays_outside),
        TABLE_TEST(large_ring_of_the_dead_is_taken_over),
        TABLE_TEST(cache_grows_as_far_as_its_setting_says),
    };

    return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
