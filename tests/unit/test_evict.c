/* test_evict.c - which items go, when, and how many: policies, expiry, tags; and what is counted. */
#include "support.h"

#include <stdio.h>
#include <string.h>

static dcache *cache_of(void **state)
{
    return ((struct place *)*state)->cache;
}

static const char *dir_of(void **state)
{
    return ((struct place *)*state)->dir;
}

static void setting(dcache *c, const char *name, struct dcache_value value)
{
    assert_int_equal(dcache_setting_set(c, name, &value), 0);
}

/* Each item one second later than the one before. */
static void must_set(dcache *c, const char *key, struct dcache_value value)
{
    os_clock_offset += 1;
    assert_int_equal(dcache_set(c, TEXT(key), &value, NULL), 0);
}

static void must_get(dcache *c, const char *key)
{
    struct dcache_entry entry;

    os_clock_offset += 1;
    entry = got(c, TEXT(key));
    dcache_entry_clear(&entry);
}

static bool there(dcache *c, const char *key)
{
    return dcache_contains(c, TEXT(key)) == 0;
}

static int64_t count_of(dcache *c)
{
    int64_t count;

    assert_int_equal(dcache_count(c, &count), 0);
    return count;
}

static struct dcache_stats stats_of(dcache *c)
{
    struct dcache_stats stats;

    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    return stats;
}

/* Room for so many values of LARGE bytes, and half a one; and for what the database takes. */
static void make_room_for(dcache *c, int values)
{
    int64_t database = stats_of(c).db_bytes;

    setting(c, "size_limit", dcache_int(database + 16384 + (int64_t)values * LARGE + LARGE / 2));
}

static void three(dcache *c)
{
    must_set(c, "1", large('a'));
    must_set(c, "2", large('b'));
    must_set(c, "3", large('c'));
}

/* ---- by policy ---- */

static void least_recently_stored_goes_first(void **state)
{
    dcache *c = cache_of(state);

    three(c);
    must_get(c, "1");
    must_set(c, "2", large('x')); /* stored anew */
    make_room_for(c, 3);
    must_set(c, "4", large('d'));
    assert_false(there(c, "1"));
    assert_true(there(c, "2") && there(c, "3") && there(c, "4"));
    must_set(c, "5", large('e'));
    assert_false(there(c, "3"));
    assert_int_equal(assert_rows_have_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
}

static void least_recently_used_goes_first(void **state)
{
    dcache *c = cache_of(state);

    setting(c, "eviction_policy", dcache_text("least-recently-used"));
    three(c);
    must_get(c, "1");
    make_room_for(c, 3);
    must_set(c, "4", large('d'));
    assert_false(there(c, "2"));
    must_get(c, "3");
    must_set(c, "5", large('e'));
    assert_false(there(c, "1"));
    assert_true(there(c, "3") && there(c, "4") && there(c, "5"));
}

static void least_frequently_used_goes_first(void **state)
{
    dcache *c = cache_of(state);

    setting(c, "eviction_policy", dcache_text("least-frequently-used"));
    three(c);
    must_get(c, "1");
    must_get(c, "1");
    must_get(c, "3");
    make_room_for(c, 3);
    must_set(c, "4", large('d'));
    assert_false(there(c, "2"));
    assert_true(there(c, "1") && there(c, "3") && there(c, "4"));
}

static void none_evicts_nothing_and_refuses_nothing(void **state)
{
    dcache *c = cache_of(state);

    setting(c, "eviction_policy", dcache_text("none"));
    setting(c, "size_limit", dcache_int(1000));
    three(c);
    assert_int_equal(dcache_cull(c, NULL), 0);
    assert_int_equal(count_of(c), 3);
    assert_int_equal(stats_of(c).evictions, 0);
}

/* DEFECTS: of 50 new items beside 60 old ones 6 survived. */
static void new_items_get_a_chance_beside_old_favourites(void **state)
{
    dcache *c = cache_of(state);
    char key[8];
    int survivors = 0;

    setting(c, "eviction_policy", dcache_text("least-frequently-used"));
    for (int i = 0; i < 60; i++) {
        (void)snprintf(key, sizeof key, "o%d", i);
        must_set(c, key, large('o'));
        for (int use = 0; use <= i % 5; use++)
            must_get(c, key);
    }
    make_room_for(c, 60);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "n%d", i);
        must_set(c, key, large('n'));
        must_get(c, key);
    }
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "n%d", i);
        survivors += there(c, key);
    }
    assert_true(survivors >= 25);
    assert_true(count_of(c) >= 58);
}

/* ---- how much ---- */

/* DEFECTS: the fourth set of 300 kB emptied the cache. */
static void only_as_much_goes_as_is_needed(void **state)
{
    dcache *c = cache_of(state);

    three(c);
    make_room_for(c, 3);
    for (int i = 0; i < 20; i++) {
        char key[8];

        (void)snprintf(key, sizeof key, "n%d", i);
        must_set(c, key, large('n'));
        assert_true(there(c, key));
        assert_int_equal(count_of(c), 3);
    }
    assert_int_equal(stats_of(c).evictions, 20);
}

static void the_newcomer_is_never_evicted(void **state)
{
    static const char *const policies[] = {"least-recently-stored", "least-recently-used",
                                           "least-frequently-used"};
    const struct dcache_value keys[] = {dcache_text("x"), dcache_text("y")};
    const struct dcache_value values[] = {large('x'), large('y')};
    dcache *c = cache_of(state);

    for (size_t i = 0; i < 3; i++) {
        setting(c, "size_limit", dcache_int(INT64_C(1) << 30));
        setting(c, "eviction_policy", dcache_text(policies[i]));
        assert_int_equal(dcache_clear(c, NULL), 0);
        three(c);
        make_room_for(c, 1);
        os_clock_offset -= 1000; /* its clock is behind: it looks like the oldest */
        must_set(c, "4", large('d'));
        assert_true(there(c, "4"));
        assert_int_equal(count_of(c), 1);
        os_clock_offset += 1000;
        setting(c, "size_limit", dcache_int(50000));
        assert_int_equal(dcache_set_many(c, keys, values, 2, NULL), 0);
        assert_true(there(c, "x") && there(c, "y"));
        assert_int_equal(count_of(c), 2);
        assert_int_equal(dcache_push(c, "q", DCACHE_BACK, VALUE(large('q')), NULL, NULL), 0);
        assert_true(there(c, "q-500000000000000"));
        assert_int_equal(dcache_delete(c, KEY("q-500000000000000")), 0);
    }
}

static void more_newcomers_than_a_batch_do_not_hide_what_can_go(void **state)
{
    static struct dcache_value keys[300], values[300];
    dcache *c = cache_of(state);

    setting(c, "eviction_policy", dcache_text("least-frequently-used"));
    three(c);
    must_get(c, "1");
    must_get(c, "2");
    must_get(c, "3");
    make_room_for(c, 1);
    for (int i = 0; i < 300; i++) {
        keys[i] = dcache_int(i);
        values[i] = dcache_int(i);
    }
    assert_int_equal(dcache_set_many(c, keys, values, 300, NULL), 0);
    assert_int_equal(count_of(c), 301);
}

static void set_many_brings_the_cache_within_its_limit_in_one_go(void **state)
{
    static struct dcache_value keys[300], values[300];
    dcache *c = cache_of(state);
    struct dcache_stats stats;

    setting(c, "disk_min_file_size", dcache_int(1000));
    for (int i = 0; i < 300; i++) {
        keys[i] = dcache_int(i);
        values[i] = dcache_sized(DCACHE_BYTES, large('v').data, 4000);
    }
    assert_int_equal(dcache_set_many(c, keys, values, 300, NULL), 0);
    stats = stats_of(c);
    setting(c, "size_limit", dcache_int(stats.db_bytes + 16384 + 270L * 4000));
    for (int i = 0; i < 300; i++)
        keys[i] = dcache_int(1000 + i);
    assert_int_equal(dcache_set_many(c, keys, values, 250, NULL), 0);
    stats = stats_of(c);
    assert_true(stats.evictions >= 250 && stats.count >= 250);
    assert_true(stats.file_bytes <= 275L * 4000);
}

static void a_value_that_cannot_fit_is_refused_and_nothing_goes(void **state)
{
    dcache *c = cache_of(state);
    char *bytes = calloc(1, 200000);

    assert_non_null(bytes);
    three(c);
    setting(c, "size_limit", dcache_int(150000));
    assert_int_equal(dcache_set(c, KEY("1"), BYTES(bytes, 150001), NULL), DCACHE_TOO_BIG);
    assert_int_equal(dcache_add(c, KEY("n"), BYTES(bytes, 200000), NULL), DCACHE_TOO_BIG);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, BYTES(bytes, 200000), NULL, NULL),
                     DCACHE_TOO_BIG);
    assert_true(get_is(c, KEY("1"), VALUE(large('a'))));
    assert_int_equal(count_of(c), 3);
    assert_int_equal(count_files(dir_of(state)), 3);
    setting(c, "size_limit", dcache_int(100)); /* what is not a file neither */
    assert_int_equal(dcache_set(c, KEY("n"), BYTES(bytes, 101), NULL), DCACHE_TOO_BIG);
    free(bytes);
}

static void one_write_removes_no_more_than_cull_limit(void **state)
{
    dcache *c = cache_of(state);

    setting(c, "cull_limit", dcache_int(2));
    for (int i = 0; i < 8; i++)
        assert_int_equal(dcache_set(c, INT(i), VALUE(large('c')), NULL), 0);
    make_room_for(c, 1);
    must_set(c, "n", dcache_int(1));
    assert_int_equal(count_of(c), 7);
    setting(c, "cull_limit", dcache_int(0));
    must_set(c, "m", dcache_int(1));
    assert_int_equal(count_of(c), 8);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(-1)), DCACHE_INVALID);
}

/* With a memtable or without one, the same: each write takes along what has expired by then. */
static void writes_that_wait_in_the_memtable_take_along_what_had_expired(void **state)
{
    static const int sizes[] = {1 << 20, 0};

    for (int i = 0; i < 2; i++) {
        dcache *c = cache_of(state);

        (void)dcache_clear(c, NULL);
        setting(c, "memtable_size", dcache_int(sizes[i]));
        setting(c, "cull_limit", dcache_int(3));
        for (int k = 0; k < 10; k++)
            assert_int_equal(dcache_set(c, INT(k), INT(k), SET(.expire = 1)), 0);
        os_clock_offset += 2;
        must_set(c, "k", dcache_int(1));
        assert_int_equal(count_of(c), 8);
        must_set(c, "k", dcache_int(2));
        must_set(c, "k", dcache_int(3)); /* the ring's last word on a key, but three writes */
        assert_int_equal(count_of(c), 2);
        assert_int_equal(dcache_set(c, TEXT("never"), INT(1), SET(.expire = -1)), 0);
        assert_int_equal(dcache_delete(c, TEXT("k")), 0);
        assert_int_equal(dcache_touch(c, INT(9), SET(.expire = 9)), DCACHE_NOT_FOUND);
        assert_int_equal(count_of(c), 1); /* the newcomer, expired as it is */
        must_set(c, "l", dcache_int(1));
        assert_int_equal(dcache_touch(c, TEXT("l"), SET(.expire = 1)), 0);
        os_clock_offset += 2;
        assert_int_equal(dcache_delete(c, TEXT("l")), DCACHE_NOT_FOUND);
        assert_int_equal(count_of(c), 1); /* neither touch nor delete takes anything along */
        setting(c, "cull_limit", dcache_int(0));
        must_set(c, "m", dcache_int(1));
        assert_int_equal(count_of(c), 2);
        assert_counters_right(dir_of(state));
    }
}

static void files_of_what_expired_go_with_a_write_to_the_memtable(void **state)
{
    dcache *c = cache_of(state);
    int64_t end = os_monotonic() + 5000 * OS_MS;

    setting(c, "memtable_size", dcache_int(1 << 20));
    assert_int_equal(dcache_set(c, TEXT("large"), VALUE(large('a')), SET(.expire = 1)), 0);
    os_clock_offset += 2;
    must_set(c, "k", dcache_int(1));
    while (count_files(dir_of(state)) > 0 && os_monotonic() < end)
        os_sleep(OS_MS); /* it goes some 20 ms later by itself */
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(count_of(c), 1);
    assert_counters_right(dir_of(state));
}

static void cache_at_its_limit_evicts_with_the_write_that_does_not_fit(void **state)
{
    static char data[1000];
    dcache *c = cache_of(state);
    int64_t limit = stats_of(c).db_bytes + 200000, last = 0;

    setting(c, "memtable_size", dcache_int(1 << 20));
    setting(c, "size_limit", dcache_int(limit));
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(dcache_set(c, INT(i), BYTES(data, sizeof data), NULL), 0);
        assert_int_equal(dcache_contains(c, INT(i)), 0);
        if (i > 1000) /* at once, and for who looks at single keys too */
            assert_int_equal(dcache_contains(c, INT(i - 300)), DCACHE_NOT_FOUND);
        if (i % 100 == 0) {
            assert_int_equal(dcache_volume(c, &last), 0);
            assert_true(last <= limit);
        }
    }
    assert_true(count_of(c) > 100);
    assert_true(stats_of(c).evictions > 1700);
    assert_counters_right(dir_of(state));
}

static void cull_removes_expired_items_then_what_is_too_much(void **state)
{
    dcache *c = cache_of(state);
    int64_t removed, volume;

    setting(c, "cull_limit", dcache_int(0));
    three(c);
    assert_int_equal(dcache_set(c, KEY("e"), VALUE(large('e')), SET(.expire = -1)), 0);
    assert_int_equal(dcache_cull(c, &removed), 0);
    assert_int_equal(removed, 1);
    setting(c, "size_limit", dcache_int(stats_of(c).db_bytes + LARGE + LARGE / 2));
    assert_int_equal(dcache_cull(c, &removed), 0);
    assert_int_equal(removed, 2);
    assert_true(there(c, "3"));
    assert_int_equal(dcache_volume(c, &volume), 0);
    assert_true(volume <= stats_of(c).db_bytes + LARGE + LARGE / 2);
    assert_int_equal(dcache_cull(c, &removed), 0);
    assert_int_equal(removed, 0);
}

/* ---- pinned, expired, tagged ---- */

static void no_policy_takes_a_pinned_item(void **state)
{
    static const char *const policies[] = {"least-recently-stored", "least-recently-used",
                                           "least-frequently-used"};
    dcache *c = cache_of(state);

    for (size_t i = 0; i < 3; i++) {
        setting(c, "size_limit", dcache_int(INT64_C(1) << 30));
        setting(c, "eviction_policy", dcache_text(policies[i]));
        assert_int_equal(
            dcache_set(c, KEY("pinned"), VALUE(large('p')), SET(.flags = DCACHE_PINNED)), 0);
        assert_int_equal(dcache_incr(c, KEY("lock"), INT(1), INCR(.flags = DCACHE_PINNED), NULL),
                         0);
        assert_int_equal(dcache_incr(c, KEY("lock"), INT(1), NULL, NULL), 0); /* stays so */
        three(c);
        setting(c, "size_limit", dcache_int(50000));
        for (int n = 0; n < 3; n++)
            must_set(c, "n", large('n'));
        assert_int_equal(dcache_cull(c, NULL), 0);
        assert_true(there(c, "pinned") && there(c, "lock"));
        assert_int_equal(count_of(c), 2);
    }
    assert_int_equal(dcache_clear(c, NULL), 0);
    assert_int_equal(count_of(c), 0);
}

static void expired_items_go_before_any_live_one(void **state)
{
    dcache *c = cache_of(state);

    three(c);
    setting(c, "cull_limit", dcache_int(0));
    assert_int_equal(dcache_set(c, KEY("e"), VALUE(large('e')), SET(.expire = 5)), 0);
    setting(c, "cull_limit", dcache_int(10));
    make_room_for(c, 4);
    os_clock_offset += 10;
    must_set(c, "4", large('d'));
    assert_int_equal(count_of(c), 4);
    assert_true(there(c, "1"));
    assert_int_equal(stats_of(c).evictions, 0); /* expiry is none */
}

/* DEFECTS: expire() removed 100. */
static void all_of_500_items_with_one_expire_time_go(void **state)
{
    static struct dcache_value keys[500], values[500];
    dcache *c = cache_of(state);
    int64_t removed;

    for (int i = 0; i < 500; i++) {
        keys[i] = dcache_int(i);
        values[i] = dcache_int(i);
    }
    assert_int_equal(dcache_set_many(c, keys, values, 500, SET(.expire_at = 3e9)), 0);
    must_set(c, "stays", dcache_int(1));
    assert_int_equal(stats_of(c).expired, 0);
    assert_int_equal(dcache_expire(c, 2.9e9, &removed), 0);
    assert_int_equal(removed, 0);
    os_clock_offset = 3.1e9 - os_now();
    assert_int_equal(stats_of(c).expired, 500);
    assert_int_equal(dcache_expire(c, 0, &removed), 0);
    assert_int_equal(removed, 500);
    assert_int_equal(count_of(c), 1);
    assert_counters_right(dir_of(state));
}

static void evict_removes_all_with_a_tag_with_or_without_the_index(void **state)
{
    static struct dcache_value keys[250];
    dcache *c = cache_of(state);
    int64_t removed;

    for (int i = 0; i < 250; i++)
        keys[i] = dcache_int(i);
    for (int indexed = 0; indexed < 2; indexed++) {
        setting(c, "tag_index", dcache_int(indexed));
        assert_int_equal(sql_number(dir_of(state), "SELECT count(*) FROM sqlite_schema WHERE name"
                                                   " = 'Cache_tag_rowid'"),
                         indexed);
        assert_int_equal(dcache_set_many(c, keys, keys, 250, SET(.tag = TEXT("t"))), 0);
        assert_int_equal(dcache_set(c, KEY("b"), VALUE(large('b')), SET(.tag = BYTES("t", 1))), 0);
        must_set(c, "n", dcache_int(1));
        assert_int_equal(dcache_evict(c, TEXT("u"), &removed), 0);
        assert_int_equal(removed, 0);
        assert_int_equal(dcache_evict(c, TEXT("t"), &removed), 0);
        assert_int_equal(removed, 250);
        assert_int_equal(dcache_evict(c, BYTES("t", 1), &removed), 0);
        assert_int_equal(removed, 1);
        assert_int_equal(count_of(c), 1);
        assert_int_equal(count_files(dir_of(state)), 0);
    }
    assert_int_equal(dcache_evict(c, NOTHING, &removed), DCACHE_INVALID);
    assert_int_equal(dcache_evict(c, NULL, NULL), DCACHE_INVALID);
    setting(c, "tag_index", dcache_int(0));
    assert_int_equal(sql_number(dir_of(state), "SELECT count(*) FROM sqlite_schema WHERE name ="
                                               " 'Cache_tag_rowid'"),
                     0);
}

static void clear_leaves_nothing_but_the_settings(void **state)
{
    dcache *c = cache_of(state);
    char path[300];
    int64_t removed;
    FILE *file;

    three(c);
    must_set(c, "s", dcache_int(1));
    setting(c, "mine", dcache_text("kept"));
    (void)snprintf(path, sizeof path, "%s/cache.db-new-4000-0123456789abcdef", dir_of(state));
    file = fopen(path, "we"); /* what a process that was killed has left */
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(dcache_clear(c, &removed), 0);
    assert_int_equal(removed, 4);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(stats_of(c).file_bytes, 0);
    assert_int_equal(sql_number(dir_of(state), "SELECT count(*) FROM Settings WHERE key = 'mine'"),
                     1);
}

/* ---- statistics ---- */

static void hits_and_misses_are_counted_while_asked_for(void **state)
{
    struct dcache_entry entry;
    dcache *c = cache_of(state);
    struct dcache_stats stats;

    must_set(c, "k", dcache_int(1));
    must_get(c, "k");
    assert_int_equal(stats_of(c).hits, 0);
    setting(c, "statistics", dcache_int(1));
    for (int i = 0; i < 3; i++)
        must_get(c, "k");
    assert_int_equal(dcache_get(c, KEY("none"), NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_contains(c, KEY("k")), 0); /* no access, and so are these */
    assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_NO_ACCESS), &entry), 0);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_get(c, KEY("none"), GET(.flags = DCACHE_NO_ACCESS), &entry),
                     DCACHE_NOT_FOUND);
    assert_int_equal(dcache_stats(c, 1, &stats), 0);
    assert_int_equal(stats.hits, 3);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.count, 1);
    assert_true(stats.db_bytes > 0);
    assert_int_equal(stats_of(c).hits, 0);
    assert_int_equal(stats_of(c).misses, 0);
}

static void statistics_and_accesses_survive_the_close(void **state)
{
    struct place *place = *state;
    struct dcache_entry entry;

    setting(place->cache, "statistics", dcache_int(1));
    setting(place->cache, "eviction_policy", dcache_text("least-frequently-used"));
    must_set(place->cache, "k", dcache_int(1));
    must_get(place->cache, "k");
    must_get(place->cache, "k");
    place_close(place);
    place_open(place);
    assert_int_equal(stats_of(place->cache).hits, 2);
    entry = got(place->cache, KEY("k"));
    assert_int_equal(entry.access_count, 2);
    dcache_entry_clear(&entry);
}

static void more_reads_than_the_segment_has_room_for_are_not_lost(void **state)
{
    static struct dcache_value keys[3000];
    dcache *c = cache_of(state);
    struct place *place = *state;

    setting(c, "eviction_policy", dcache_text("least-frequently-used"));
    for (int i = 0; i < 3000; i++)
        keys[i] = dcache_int(i);
    assert_int_equal(dcache_set_many(c, keys, keys, 3000, NULL), 0);
    for (int i = 0; i < 3000; i++)
        assert_true(get_is(c, &keys[i], &keys[i]));
    place_close(place);
    assert_int_equal(sql_number(place->dir, "SELECT count(*) FROM Cache WHERE access_count = 1"),
                     3000);
    place_open(place);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(least_recently_stored_goes_first),
        TEST(least_recently_used_goes_first),
        TEST(least_frequently_used_goes_first),
        TEST(none_evicts_nothing_and_refuses_nothing),
        TEST(new_items_get_a_chance_beside_old_favourites),
        TEST(only_as_much_goes_as_is_needed),
        TEST(the_newcomer_is_never_evicted),
        TEST(more_newcomers_than_a_batch_do_not_hide_what_can_go),
        TEST(set_many_brings_the_cache_within_its_limit_in_one_go),
        TEST(a_value_that_cannot_fit_is_refused_and_nothing_goes),
        TEST(one_write_removes_no_more_than_cull_limit),
        TEST(writes_that_wait_in_the_memtable_take_along_what_had_expired),
        TEST(files_of_what_expired_go_with_a_write_to_the_memtable),
        TEST(cache_at_its_limit_evicts_with_the_write_that_does_not_fit),
        TEST(cull_removes_expired_items_then_what_is_too_much),
        TEST(no_policy_takes_a_pinned_item),
        TEST(expired_items_go_before_any_live_one),
        TEST(all_of_500_items_with_one_expire_time_go),
        TEST(evict_removes_all_with_a_tag_with_or_without_the_index),
        TEST(clear_leaves_nothing_but_the_settings),
        TEST(hits_and_misses_are_counted_while_asked_for),
        TEST(statistics_and_accesses_survive_the_close),
        TEST(more_reads_than_the_segment_has_room_for_are_not_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
