/* test_fanout.c - a cache of several directories is used as one of one directory. */
#include "fanout.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- support ---- */

static struct dcache_stats stats_of(dcache *c)
{
    struct dcache_stats stats;

    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    return stats;
}

static int64_t limit_of(dcache *c)
{
    struct dcache_value value;

    assert_int_equal(dcache_setting_get(c, "size_limit", &value), 0);
    assert_int_equal(value.type, DCACHE_INT);
    return value.integer;
}

/* 0 to 99 as integers, so that each shard has some. */
static void fill(dcache *c)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(dcache_set(c, INT(i), INT(i), SET(.tag = TEXT(i % 2 ? "odd" : "even"))),
                         0);
}

/* ---- open ---- */

static void a_new_fanout_has_as_many_shards_as_asked_for(void **state)
{
    char dir[300];
    dcache *c;

    assert_int_equal(dcache_shard_count(fanout_of(state)), 8);
    (void)snprintf(dir, sizeof dir, "%s/../deep-%d/er", dir_of(state), (int)getpid());
    c = open_fanout(dir, 3);
    assert_int_equal(dcache_shard_count(c), 3);
    assert_int_equal(access(shard_dir(dir, 2), F_OK), 0);
    assert_int_equal(access(shard_dir(dir, 3), F_OK), -1);
    assert_non_null(dcache_shard(c, 2));
    assert_null(dcache_shard(c, 3));
    assert_null(dcache_shard(c, -1));
    dcache_close(c);
    *strrchr(dir, '/') = 0;
    {
        struct place place = {.cache = NULL};

        (void)snprintf(place.dir, sizeof place.dir, "%.250s", dir);
        place_clean(&place);
    }
}

static void a_fanout_that_is_there_keeps_its_number_of_shards(void **state)
{
    struct place *place = *state;

    fill(place->cache);
    place_close(place);
    place->cache = open_fanout(place->dir, 3);
    assert_int_equal(dcache_shard_count(place->cache), 8);
    place_close(place);
    place->cache = open_fanout(place->dir, 13);
    assert_int_equal(dcache_shard_count(place->cache), 8);
    assert_int_equal(count_of(place->cache), 100);
    assert_true(get_is(place->cache, INT(99), INT(99)));
}

static void what_is_no_fanout_is_not_found(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    char dir[300];
    dcache *c;

    (void)snprintf(dir, sizeof dir, "%s/none", dir_of(state));
    options.flags = DCACHE_NO_CREATE;
    assert_int_equal(dcache_open_fanout(dir, 8, &options, &c), DCACHE_NOT_FOUND);
    options.flags = DCACHE_READ_ONLY;
    assert_int_equal(dcache_open_fanout(dir, 8, &options, &c), DCACHE_NOT_FOUND);
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(dcache_open_fanout(dir, -1, NULL, &c), DCACHE_INVALID);
    assert_int_equal(dcache_open_fanout(dir, 1001, NULL, &c), DCACHE_INVALID);
    assert_int_equal(dcache_open_fanout("", 8, NULL, &c), DCACHE_INVALID);
}

static void opening_one_that_is_there_writes_nothing(void **state)
{
    struct place *place = *state;
    struct stat before[8], after;
    char path[340];

    fill(place->cache);
    place_close(place);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(path, sizeof path, "%s/cache.db", shard_dir(place->dir, i));
        assert_int_equal(stat(path, &before[i]), 0);
    }
    place->cache = open_fanout(place->dir, 8);
    place_close(place);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(path, sizeof path, "%s/cache.db", shard_dir(place->dir, i));
        assert_int_equal(stat(path, &after), 0);
        assert_memory_equal(&before[i].st_mtim, &after.st_mtim, sizeof after.st_mtim);
    }
}

static void a_fanout_may_be_read_only(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct place *place = *state;
    int64_t count;

    fill(place->cache);
    place_close(place);
    options.flags = DCACHE_READ_ONLY;
    assert_int_equal(dcache_open_fanout(place->dir, 8, &options, &place->cache), 0);
    assert_true(dcache_is_read_only(place->cache));
    assert_true(get_is(place->cache, INT(7), INT(7)));
    assert_int_equal(dcache_set(place->cache, INT(7), INT(8), NULL), DCACHE_READONLY);
    assert_int_equal(dcache_set(place->cache, DOUBLE(7), INT(8), NULL), DCACHE_READONLY);
    assert_int_equal(dcache_set_many(place->cache, INT(7), INT(8), 1, NULL), DCACHE_READONLY);
    assert_int_equal(dcache_clear(place->cache, &count), DCACHE_READONLY);
    assert_int_equal(count_of(place->cache), 100);
}

/* ---- settings ---- */

static void the_limit_of_size_is_of_the_whole(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting limit = {"size_limit", dcache_int(80001)};
    struct place *place = *state;
    struct dcache_setting *list;
    size_t count;

    assert_int_equal(limit_of(place->cache), INT64_C(1) << 30);
    assert_int_equal(limit_of(dcache_shard(place->cache, 7)), INT64_C(1) << 27);
    assert_int_equal(dcache_setting_set(place->cache, "size_limit", INT(INT64_C(1) << 34)), 0);
    place_close(place);
    place->cache = open_fanout(place->dir, 8); /* not named: kept */
    assert_int_equal(limit_of(place->cache), INT64_C(1) << 34);
    place_close(place);
    options.settings = &limit;
    options.settings_count = 1;
    assert_int_equal(dcache_open_fanout(place->dir, 8, &options, &place->cache), 0);
    assert_int_equal(limit_of(place->cache), 80001);
    assert_int_equal(limit_of(dcache_shard(place->cache, 7)), 10000);
    assert_int_equal(dcache_set(place->cache, KEY("k"), VALUE(large('x')), NULL), DCACHE_TOO_BIG);
    assert_int_equal(dcache_settings(place->cache, &list, &count), 0);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, "size_limit") == 0)
            assert_int_equal(list[i].value.integer, 80001);
    dcache_settings_free(list, count);
    /* As 5.6.3 stores it. */
    for (int i = 0; i < 8; i++)
        sql_run(shard_dir(place->dir, i),
                "UPDATE Settings SET value = 134217728.0 WHERE key = 'size_limit'");
    assert_int_equal(limit_of(place->cache), INT64_C(1) << 30);
}

static void a_setting_is_one_of_all_shards(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_value value;

    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(3)), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(dcache_setting_get(dcache_shard(c, i), "cull_limit", &value), 0);
        assert_int_equal(value.integer, 3);
    }
    assert_int_equal(dcache_setting_set(c, "sqlite_journal_mode", TEXT("delete")), 0);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(-1)), DCACHE_INVALID);
    assert_int_equal(dcache_setting_get(c, "none", &value), DCACHE_NOT_FOUND);
}

/* ---- many keys ---- */

static void many_keys_go_to_their_shards_and_come_back_in_their_order(void **state)
{
    struct dcache_value keys[100], values[100];
    struct dcache_entry entries[100];
    dcache *c = fanout_of(state);
    int64_t deleted;

    for (int i = 0; i < 100; i++) {
        keys[i] = dcache_int(i * 7);
        values[i] = i % 10 ? dcache_int(i) : large('v');
    }
    assert_int_equal(dcache_set_many(c, keys, values, 100, NULL), 0);
    assert_int_equal(count_of(c), 100);
    assert_int_equal(rows_in(dir_of(state), 3), 12);
    keys[5] = dcache_text("absent");
    assert_int_equal(dcache_get_many(c, keys, 100, NULL, entries), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(entries[i].status, i == 5 ? DCACHE_NOT_FOUND : 0);
        assert_true(i == 5 || value_equals(&entries[i].value, &values[i]));
        dcache_entry_clear(&entries[i]);
    }
    assert_int_equal(dcache_delete_many(c, keys, 100, &deleted), 0);
    assert_int_equal(deleted, 99);
    assert_int_equal(count_of(c), 1);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_set_many(c, NULL, NULL, 0, NULL), 0);
    assert_int_equal(dcache_get_many(c, NULL, 0, NULL, NULL), 0);
}

static void of_a_set_many_that_fails_nothing_is_stored(void **state)
{
    struct dcache_value keys[9], values[9];
    dcache *c = fanout_of(state), *other;

    for (int i = 0; i < 9; i++) {
        keys[i] = dcache_int(i);
        values[i] = large('n');
    }
    values[8] = dcache_sized(DCACHE_TEXT, "\xff", 1);
    assert_int_equal(dcache_set_many(c, keys, values, 9, NULL), DCACHE_INVALID);
    assert_int_equal(dcache_begin(dcache_shard(c, 7), -1, &other), 0);
    assert_int_equal(dcache_set_many(c, keys, values, 8, NULL), DCACHE_TIMEOUT);
    dcache_rollback(other);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_set_many(c, keys, values, 8, NULL), 0);
}

static void *set_many_in_an_order(void *arg)
{
    struct dcache_value keys[16], values[16];
    dcache **cache = arg;
    bool up = cache[1] == NULL;

    for (int i = 0; i < 16; i++) {
        keys[i] = dcache_int(up ? i : 15 - i);
        values[i] = dcache_int(up);
    }
    for (int i = 0; i < 200; i++)
        if (dcache_set_many(cache[0], keys, values, 16, NULL) < 0)
            return arg;
    return NULL;
}

static void nobody_waits_in_a_circle(void **state)
{
    dcache *up[2] = {open_fanout(dir_of(state), 8), NULL}, *down[2] = {up[0], up[0]};
    pthread_t threads[2];
    void *failed[2];

    assert_int_equal(pthread_create(&threads[0], NULL, set_many_in_an_order, up), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, set_many_in_an_order, down), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &failed[i]), 0);
        assert_null(failed[i]);
    }
    dcache_close(up[0]);
}

/* ---- walks ---- */

static void a_walk_by_key_goes_over_all_shards_in_the_order_of_keys(void **state)
{
    struct dcache_value keys[] = {dcache_double(-0.5),    dcache_int(0),
                                  dcache_double(0.25),    dcache_int(1),
                                  dcache_int(1000),       dcache_int(INT64_MAX - 1),
                                  dcache_int(INT64_MAX),  dcache_double(9223372036854775808.0),
                                  dcache_double(1e300),   dcache_text(""),
                                  dcache_text("a"),       dcache_text("ab"),
                                  dcache_text("b"),       dcache_bytes("", 0),
                                  dcache_bytes("a", 1),   dcache_bytes("a\0", 2),
                                  dcache_bytes("\xff", 1)};
    enum { COUNT = sizeof keys / sizeof *keys };
    dcache *c = fanout_of(state);
    struct dcache_entry entry;
    dcache_iter *iter;

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(dcache_set(c, &keys[(i * 5) % COUNT], INT((i * 5) % COUNT), NULL), 0);
    for (int back = 0; back < 2; back++) {
        assert_int_equal(
            dcache_iter_open(c, ITER(.order = DCACHE_BY_KEY, .flags = back ? DCACHE_REVERSE : 0),
                             &iter),
            0);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(dcache_iter_next(iter, &entry), 0);
            assert_int_equal(entry.value.integer, back ? COUNT - 1 - i : i);
            dcache_entry_clear(&entry);
        }
        assert_int_equal(dcache_iter_next(iter, &entry), DCACHE_NOT_FOUND);
        dcache_iter_close(iter);
    }
}

static void keys_alone_come_in_the_same_order(void **state)
{
    const unsigned flags[] = {0, DCACHE_REVERSE};
    dcache *c = fanout_of(state);

    for (int i = 0; i < 300; i++)
        assert_int_equal(dcache_set(c, INT(i), INT(i), NULL), 0);
    for (int n = 0; n < 4; n++) {
        enum dcache_order order = n < 2 ? DCACHE_BY_INSERTION : DCACHE_BY_KEY;
        struct dcache_value keys[7];
        dcache_iter *items, *alone;
        int rc, seen = 0;
        size_t count;

        assert_int_equal(dcache_iter_open(c, ITER(.order = order, .flags = flags[n % 2]), &items),
                         0);
        assert_int_equal(
            dcache_iter_open(c, ITER(.order = order, .flags = flags[n % 2] | DCACHE_KEYS_ONLY),
                             &alone),
            0);
        while ((rc = dcache_iter_keys(alone, keys, 7, &count)) == 0)
            for (size_t i = 0; i < count; i++, seen++) {
                struct dcache_entry entry;

                assert_int_equal(dcache_iter_next(items, &entry), 0);
                assert_int_equal(keys[i].integer, entry.key.integer);
                dcache_entry_clear(&entry);
            }
        assert_int_equal(rc, DCACHE_NOT_FOUND);
        assert_int_equal(seen, 300);
        dcache_iter_close(items);
        dcache_iter_close(alone);
    }
}

static void a_walk_by_key_over_many_pages_leaves_nothing_out(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_entry entry;
    dcache_iter *iter;
    int rc, next = 100;

    for (int i = 0; i < 3000; i++)
        assert_int_equal(dcache_set(c, INT(i), INT(i), NULL), 0);
    assert_int_equal(
        dcache_iter_open(c, ITER(.order = DCACHE_BY_KEY, .start = INT(100), .stop = DOUBLE(2900.5)),
                         &iter),
        0);
    while ((rc = dcache_iter_next(iter, &entry)) == 0) {
        assert_int_equal(entry.key.integer, next++);
        dcache_entry_clear(&entry);
    }
    assert_int_equal(rc, DCACHE_NOT_FOUND);
    assert_int_equal(next, 2901);
    dcache_iter_close(iter);
}

static void a_walk_by_insertion_goes_shard_by_shard(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_entry entry;
    dcache_iter *iter;

    fill(c);
    for (int back = 0; back < 2; back++) {
        int64_t last = back ? 8 : -1;
        int count = 0;

        assert_int_equal(
            dcache_iter_open(c, ITER(.tag = TEXT("odd"), .flags = back ? DCACHE_REVERSE : 0),
                             &iter),
            0);
        assert_int_equal(dcache_set(c, INT(1001), INT(1), SET(.tag = TEXT("odd"))), 0);
        while (dcache_iter_next(iter, &entry) == 0) {
            int64_t shard = entry.key.integer % 8;

            assert_true(back ? shard <= last : shard >= last);
            last = shard;
            count++;
            dcache_entry_clear(&entry);
        }
        assert_int_equal(count, 50); /* inserted after the beginning: not in it */
        dcache_iter_close(iter);
        assert_int_equal(dcache_delete(c, INT(1001)), 0);
    }
}

/* ---- transactions ---- */

static void a_transaction_is_in_all_shards(void **state)
{
    dcache *c = fanout_of(state), *txn, *inner;

    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    fill(txn);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_of(txn), 100);
    assert_string_equal(dcache_directory(txn), dcache_directory(c));
    assert_int_equal(dcache_begin(txn, -1, &inner), 0);
    assert_int_equal(dcache_set(txn, INT(1), INT(0), NULL), DCACHE_INVALID);
    assert_int_equal(dcache_commit(txn), DCACHE_INVALID);
    assert_int_equal(dcache_set(inner, INT(1), VALUE(large('i')), NULL), 0);
    dcache_rollback(inner);
    assert_true(get_is(txn, INT(1), INT(1)));
    assert_int_equal(dcache_begin(txn, -1, &inner), 0);
    assert_int_equal(dcache_set(inner, DOUBLE(1), VALUE(large('j')), NULL), 0);
    assert_int_equal(dcache_commit(inner), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 100);
    assert_true(get_is(c, INT(1), VALUE(large('j'))));
    assert_int_equal(count_files(dir_of(state)), 1);
}

static void a_rollback_is_of_all_shards(void **state)
{
    dcache *c = fanout_of(state), *txn, *inner;

    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    fill(txn);
    assert_int_equal(dcache_begin(txn, -1, &inner), 0);
    assert_int_equal(dcache_set(inner, INT(1), VALUE(large('i')), NULL), 0);
    dcache_rollback(txn);
    assert_int_equal(dcache_set(inner, INT(1), INT(1), NULL), DCACHE_ABORTED);
    assert_int_equal(dcache_commit(inner), DCACHE_ABORTED);
    assert_int_equal(dcache_commit(c), DCACHE_INVALID);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    dcache_close(txn);
}

static void a_transaction_that_cannot_begin_in_one_shard_is_in_none(void **state)
{
    dcache *c = fanout_of(state), *txn, *part;

    assert_int_equal(dcache_begin(dcache_shard(c, 5), -1, &part), 0);
    assert_int_equal(dcache_begin(c, 0, &txn), DCACHE_TIMEOUT);
    for (int i = 0; i < 5; i++)
        assert_int_equal(dcache_set(dcache_shard(c, i), INT(i), INT(i), NULL), 0);
    assert_int_equal(dcache_set(c, INT(6), INT(6), NULL), 0);
    assert_int_equal(dcache_set(part, INT(5), INT(5), NULL), 0);
    assert_int_equal(dcache_commit(part), 0);
    assert_int_equal(dcache_begin(c, 0, &txn), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_of(c), 7);
}

static void a_shard_of_a_transaction_is_its_part(void **state)
{
    dcache *c = fanout_of(state), *txn, *part;

    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    part = dcache_shard_for(txn, INT(5));
    assert_ptr_equal(part, dcache_shard(txn, 5));
    assert_int_equal(dcache_set(part, INT(5), INT(5), NULL), 0);
    assert_true(get_is(txn, INT(5), INT(5)));
    assert_int_equal(dcache_contains(c, INT(5)), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_commit(txn), 0);
    assert_true(get_is(c, INT(5), INT(5)));
}

/* ---- the whole ---- */

static void what_is_done_to_the_whole_is_done_to_all_shards(void **state)
{
    dcache *c = fanout_of(state);
    int64_t removed, volume, more;

    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    fill(c);
    for (int i = 100; i < 116; i++)
        assert_int_equal(dcache_set(c, INT(i), VALUE(large('x')), SET(.expire_at = 1)), 0);
    assert_int_equal(count_of(c), 116);
    assert_int_equal(dcache_volume(c, &volume), 0);
    assert_true(volume >= 16 * LARGE + 8 * 4096);
    assert_int_equal(stats_of(c).expired, 16);
    assert_int_equal(stats_of(c).file_bytes, 16 * LARGE);
    assert_int_equal(dcache_expire(c, 0, &removed), 0);
    assert_int_equal(removed, 16);
    assert_int_equal(dcache_evict(c, TEXT("odd"), &removed), 0);
    assert_int_equal(removed, 50);
    for (int i = 100; i < 116; i++)
        assert_int_equal(dcache_set(c, INT(i), VALUE(large('x')), NULL), 0);
    assert_int_equal(dcache_volume(c, &volume), 0);
    assert_int_equal(dcache_setting_set(c, "size_limit", INT(volume - 8 * LARGE)), 0);
    assert_int_equal(dcache_cull(c, &removed), 0);
    assert_true(removed >= 8 && count_of(c) == 66 - removed);
    assert_int_equal(dcache_volume(c, &more), 0);
    assert_true(more <= volume - 8 * LARGE);
    assert_int_equal(dcache_compact(c), 0);
    removed = count_of(c);
    assert_int_equal(dcache_clear(c, &more), 0);
    assert_int_equal(more, removed);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void hits_and_misses_are_of_the_whole(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_stats stats;
    struct dcache_value keys[3] = {dcache_int(1), dcache_int(2), dcache_int(200)};
    struct dcache_entry entries[3];

    assert_int_equal(dcache_setting_set(c, "statistics", INT(1)), 0);
    fill(c);
    for (int i = 0; i < 150; i++)
        (void)get_is(c, INT(i), INT(i));
    assert_int_equal(dcache_get_many(c, keys, 3, NULL, entries), 0);
    for (int i = 0; i < 3; i++)
        dcache_entry_clear(&entries[i]);
    assert_int_equal(dcache_stats(c, 1, &stats), 0);
    assert_int_equal(stats.hits, 102);
    assert_int_equal(stats.misses, 51);
    assert_int_equal(stats_of(c).hits, 0);
}

static void writes_that_time_out_are_counted(void **state)
{
    struct place *place = *state;
    dcache *part;

    assert_int_equal(dcache_begin(dcache_shard(place->cache, 5), -1, &part), 0);
    assert_int_equal(dcache_set(place->cache, INT(5), INT(5), NULL), DCACHE_TIMEOUT);
    assert_int_equal(dcache_delete(place->cache, INT(13)), DCACHE_TIMEOUT);
    assert_int_equal(dcache_set(place->cache, INT(4), INT(5), NULL), 0);
    assert_int_equal(stats_of(place->cache).timeouts, 2);
    dcache_rollback(part);
    assert_int_equal(dcache_set(place->cache, INT(5), INT(5), NULL), 0);
    assert_int_equal(
        sql_number(shard_dir(place->dir, 5), "SELECT value FROM Settings WHERE key = 'timeouts'"),
        2);
    assert_int_equal(dcache_begin(dcache_shard(place->cache, 5), -1, &part), 0);
    assert_int_equal(dcache_set(place->cache, INT(5), INT(5), NULL), DCACHE_TIMEOUT);
    dcache_rollback(part);
    place_close(place); /* brings it to the database */
    place->cache = open_fanout(place->dir, 8);
    assert_int_equal(stats_of(place->cache).timeouts, 3);
    {
        struct dcache_stats stats;

        assert_int_equal(dcache_stats(place->cache, 1, &stats), 0);
        assert_int_equal(stats.timeouts, 3);
    }
    assert_int_equal(stats_of(place->cache).timeouts, 0);
}

static void queues_are_in_single_directories(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, VALUE(large('q')), NULL, NULL),
                     DCACHE_INVALID);
    assert_int_equal(dcache_pull(c, NULL, DCACHE_BACK, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_peek(c, "p", DCACHE_BACK, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_peekitem(c, DCACHE_BACK, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_remove_file(c, "x.val"), DCACHE_INVALID);
    assert_int_equal(dcache_set(c, NULL, INT(1), NULL), DCACHE_INVALID);
    assert_int_equal(dcache_get(c, NULL, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_delete(c, VALUE(dcache_fd(1))), DCACHE_INVALID);
}

static void a_check_names_the_shard_and_what_is_foreign(void **state)
{
    struct dcache_report report;
    struct place *place = *state;
    char path[340];
    dcache *named;
    int fd;

    fill(place->cache);
    assert_int_equal(dcache_open_named(place->cache, "cache", "mine", NULL, &named), 0);
    dcache_close(named);
    assert_int_equal(dcache_check(place->cache, 0, &report), 0);
    assert_int_equal(report.count, 0);
    dcache_report_clear(&report);
    (void)snprintf(path, sizeof path, "%s/readme", place->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    sql_run(shard_dir(place->dir, 6), "UPDATE Settings SET value = 77 WHERE key = 'count'");
    assert_int_equal(dcache_check(place->cache, 1, &report), 0);
    assert_int_equal(report.count, 2);
    assert_string_equal(report.problems[0].text, "readme: not of a cache");
    assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_UNKNOWN);
    assert_string_equal(report.problems[1].text, "006/the counter count is 77, not 12");
    assert_int_equal(report.problems[1].fixed, 1);
    dcache_report_clear(&report);
    assert_int_equal(count_of(place->cache), 100);
}

static void a_backup_of_a_fanout_is_one(void **state)
{
    struct place *place = *state;
    char dir[320];
    dcache *copy;

    fill(place->cache);
    assert_int_equal(dcache_set(place->cache, KEY("k"), VALUE(large('b')), NULL), 0);
    (void)snprintf(dir, sizeof dir, "%s/cache", place->dir);
    assert_int_equal(dcache_backup(place->cache, dir), 0);
    assert_int_equal(dcache_backup(place->cache, dir), DCACHE_EXISTS);
    copy = open_fanout(dir, 0);
    assert_int_equal(dcache_shard_count(copy), 8);
    assert_int_equal(count_of(copy), 101);
    assert_true(get_is(copy, KEY("k"), VALUE(large('b'))));
    dcache_close(copy);
}

/* ---- named caches ---- */

static void a_named_cache_is_a_directory_of_its_own(void **state)
{
    dcache *c = fanout_of(state), *cache, *deque, *txn;
    struct dcache_value value;
    char path[340];
    struct stat st;

    assert_int_equal(dcache_open_named(c, "cache", "a/b", NULL, &cache), 0);
    assert_int_equal(dcache_open_named(c, "deque", "d", NULL, &deque), 0);
    (void)snprintf(path, sizeof path, "%s/cache/a/b", dcache_directory(c));
    assert_string_equal(dcache_directory(cache), path);
    (void)snprintf(path, sizeof path, "%s/cache/a", dir_of(state));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(dcache_setting_get(cache, "eviction_policy", &value), 0);
    assert_string_equal(value.data, "least-recently-stored");
    dcache_value_clear(&value);
    assert_int_equal(dcache_setting_get(deque, "eviction_policy", &value), 0);
    assert_string_equal(value.data, "none");
    dcache_value_clear(&value);
    assert_int_equal(dcache_set(cache, INT(1), INT(1), NULL), 0);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(dcache_open_named(cache, "cache", "x", NULL, &txn), DCACHE_INVALID);
    dcache_close(cache);
    dcache_close(deque);
    assert_int_equal(dcache_open_named(c, "other", "x", NULL, &cache), DCACHE_INVALID);
    assert_int_equal(dcache_open_named(c, "cache", "", NULL, &cache), DCACHE_INVALID);
    assert_int_equal(dcache_open_named(c, "cache", "a/../../x", NULL, &cache), DCACHE_INVALID);
    assert_int_equal(dcache_open_named(c, "cache", "/x", NULL, &cache), DCACHE_INVALID);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(dcache_open_named(txn, "cache", "x", NULL, &cache), DCACHE_INVALID);
    dcache_rollback(txn);
}

/* ---- other processes, other hands ---- */

static void a_child_goes_on_with_its_own(void **state)
{
    dcache *c = fanout_of(state), *txn;
    int status;
    pid_t child;

    fill(c);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(dcache_set(txn, INT(1), INT(-1), NULL), 0);
    child = fork();
    if (child == 0) {
        bool right = dcache_commit(txn) == DCACHE_FORKED && get_is(c, INT(1), INT(1));

        dcache_close(c);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_true(get_is(c, INT(1), INT(-1)));
}

static void a_directory_that_was_removed_is_made_anew(void **state)
{
    struct place *place = *state;

    fill(place->cache);
    place_clean(place);
    assert_int_equal(dcache_set(place->cache, INT(1), INT(2), NULL), 0);
    fill(place->cache);
    assert_int_equal(count_of(place->cache), 100);
    assert_int_equal(limit_of(place->cache), INT64_C(1) << 30);
    assert_int_equal(rows_in(place->dir, 3), 13);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fanout_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_new_fanout_has_as_many_shards_as_asked_for),
        TEST(a_fanout_that_is_there_keeps_its_number_of_shards),
        TEST(what_is_no_fanout_is_not_found),
        TEST(opening_one_that_is_there_writes_nothing),
        TEST(a_fanout_may_be_read_only),
        TEST(the_limit_of_size_is_of_the_whole),
        TEST(a_setting_is_one_of_all_shards),
        TEST(many_keys_go_to_their_shards_and_come_back_in_their_order),
        TEST(of_a_set_many_that_fails_nothing_is_stored),
        TEST(nobody_waits_in_a_circle),
        TEST(a_walk_by_key_goes_over_all_shards_in_the_order_of_keys),
        TEST(keys_alone_come_in_the_same_order),
        TEST(a_walk_by_key_over_many_pages_leaves_nothing_out),
        TEST(a_walk_by_insertion_goes_shard_by_shard),
        TEST(a_transaction_is_in_all_shards),
        TEST(a_rollback_is_of_all_shards),
        TEST(a_transaction_that_cannot_begin_in_one_shard_is_in_none),
        TEST(a_shard_of_a_transaction_is_its_part),
        TEST(what_is_done_to_the_whole_is_done_to_all_shards),
        TEST(hits_and_misses_are_of_the_whole),
        TEST(writes_that_time_out_are_counted),
        TEST(queues_are_in_single_directories),
        TEST(a_check_names_the_shard_and_what_is_foreign),
        TEST(a_backup_of_a_fanout_is_one),
        TEST(a_named_cache_is_a_directory_of_its_own),
        TEST(a_child_goes_on_with_its_own),
        TEST(a_directory_that_was_removed_is_made_anew),
    };

    return cmocka_run_group_tests_name("fanout", tests, NULL, NULL);
}
