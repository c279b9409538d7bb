/* test_ops.c - what each operation on keys, queues and walks promises in the header. */
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

static void must_set(dcache *c, const char *key, struct dcache_value value)
{
    assert_int_equal(dcache_set(c, TEXT(key), &value, NULL), 0);
}

static double expiry_of(dcache *c, const char *key)
{
    struct dcache_entry entry = got(c, TEXT(key));
    double time = entry.expire_time;

    dcache_entry_clear(&entry);
    return time;
}

static int64_t count_of(dcache *c)
{
    int64_t count;

    assert_int_equal(dcache_count(c, &count), 0);
    return count;
}

/* ---- expiry ---- */

static void an_item_is_there_until_its_expiry(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = 60)), 0);
    assert_true(get_is(c, KEY("k"), INT(1)));
    os_clock_offset = 59;
    assert_int_equal(dcache_contains(c, KEY("k")), 0);
    os_clock_offset = 61;
    assert_int_equal(dcache_contains(c, KEY("k")), DCACHE_NOT_FOUND);
    assert_false(get_is(c, KEY("k"), INT(1)));
    assert_int_equal(count_of(c), 1); /* counted until something removes it */
}

static void an_expiry_is_a_duration_or_a_point_in_time(void **state)
{
    dcache *c = cache_of(state);
    double now = os_now();

    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = 60)), 0);
    assert_true(expiry_of(c, "k") >= now + 60 && expiry_of(c, "k") < now + 70);
    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = 60, .expire_at = 4e9)), 0);
    assert_true(expiry_of(c, "k") == 4e9);
    must_set(c, "k", dcache_int(1));
    assert_true(expiry_of(c, "k") == DCACHE_NEVER);
    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = HUGE_VAL)), 0);
    assert_true(expiry_of(c, "k") == DCACHE_NEVER);
    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(dcache_contains(c, KEY("k")), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = -HUGE_VAL)), 0);
    assert_int_equal(dcache_contains(c, KEY("k")), DCACHE_NOT_FOUND);
}

static void nan_is_no_expiry(void **state)
{
    struct dcache_value key = dcache_text("k"), one = dcache_int(1);
    dcache *c = cache_of(state);

    must_set(c, "k", dcache_int(7));
    assert_int_equal(dcache_set(c, &key, &one, SET(.expire = (double)NAN)), DCACHE_INVALID);
    assert_int_equal(dcache_set(c, &key, &one, SET(.expire_at = (double)NAN)), DCACHE_INVALID);
    assert_int_equal(dcache_add(c, KEY("n"), &one, SET(.expire = (double)NAN)), DCACHE_INVALID);
    assert_int_equal(dcache_touch(c, &key, SET(.expire = (double)NAN)), DCACHE_INVALID);
    assert_int_equal(dcache_incr(c, KEY("n"), &one, INCR(.expire = (double)NAN), NULL),
                     DCACHE_INVALID);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, &one, SET(.expire = (double)NAN), NULL),
                     DCACHE_INVALID);
    assert_int_equal(dcache_set_many(c, &key, &one, 1, SET(.expire = (double)NAN)), DCACHE_INVALID);
    assert_int_equal(dcache_expire(c, (double)NAN, NULL), DCACHE_INVALID);
    assert_true(get_is(c, &key, INT(7)));
    assert_int_equal(count_of(c), 1);
}

static void keep_expire_keeps_that_of_a_live_item(void **state)
{
    struct dcache_value key = dcache_text("k"), two = dcache_int(2);
    dcache *c = cache_of(state);

    assert_int_equal(dcache_set(c, &key, INT(1), SET(.expire_at = 4e9)), 0);
    assert_int_equal(dcache_set(c, &key, &two, SET(.flags = DCACHE_KEEP_EXPIRE)), 0);
    assert_true(expiry_of(c, "k") == 4e9);
    assert_int_equal(dcache_set_many(c, &key, &two, 1, SET(.flags = DCACHE_KEEP_EXPIRE)), 0);
    assert_true(expiry_of(c, "k") == 4e9);
    assert_int_equal(dcache_touch(c, &key, SET(.flags = DCACHE_KEEP_EXPIRE, .expire_at = 3.9e9)),
                     0);
    assert_true(expiry_of(c, "k") == 4e9);
    /* What has expired has nothing to keep. */
    assert_int_equal(dcache_set(c, &key, INT(1), SET(.expire_at = 1)), 0);
    assert_int_equal(
        dcache_set(c, &key, &two, SET(.flags = DCACHE_KEEP_EXPIRE, .expire_at = 3.9e9)), 0);
    assert_true(expiry_of(c, "k") == 3.9e9);
}

static void touch_changes_the_expiry_of_a_live_item_only(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_touch(c, KEY("k"), SET(.expire = 1)), DCACHE_NOT_FOUND);
    must_set(c, "k", large('t'));
    assert_int_equal(dcache_touch(c, KEY("k"), SET(.expire_at = 4e9)), 0);
    assert_true(expiry_of(c, "k") == 4e9);
    assert_int_equal(dcache_touch(c, KEY("k"), NULL), 0);
    assert_true(expiry_of(c, "k") == DCACHE_NEVER);
    assert_true(get_is(c, KEY("k"), VALUE(large('t'))));
    assert_int_equal(dcache_touch(c, KEY("k"), SET(.expire = -1)), 0);
    assert_int_equal(dcache_touch(c, KEY("k"), NULL), DCACHE_NOT_FOUND);
}

/* ---- add, delete, pop ---- */

static void add_stores_only_where_nothing_lives(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_add(c, KEY("k"), INT(1), SET(.expire = 60)), 0);
    assert_int_equal(dcache_add(c, KEY("k"), VALUE(large('a')), NULL), DCACHE_EXISTS);
    assert_true(get_is(c, KEY("k"), INT(1)));
    assert_int_equal(count_files(dir_of(state)), 0);
    os_clock_offset = 61;
    assert_int_equal(dcache_add(c, KEY("k"), VALUE(large('a')), NULL), 0);
    assert_true(get_is(c, KEY("k"), VALUE(large('a'))));
    assert_int_equal(dcache_add(c, KEY("k"), INT(2), NULL), DCACHE_EXISTS);
    lose_file(dir_of(state), "k");
    assert_int_equal(dcache_add(c, KEY("k"), INT(3), NULL), 0);
    assert_true(get_is(c, KEY("k"), INT(3)));
    assert_counters_right(dir_of(state));
}

static void delete_removes_an_item_and_its_file(void **state)
{
    dcache *c = cache_of(state);

    must_set(c, "k", large('d'));
    assert_int_equal(dcache_delete(c, KEY("k")), 0);
    assert_int_equal(dcache_delete(c, KEY("k")), DCACHE_NOT_FOUND);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(dcache_delete(c, KEY("k")), DCACHE_NOT_FOUND);
    assert_int_equal(count_of(c), 1); /* what has expired is not removed */
}

static void pop_hands_back_what_it_removes(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(
        dcache_set(c, KEY("k"), VALUE(large('p')), SET(.expire_at = 4e9, .tag = TEXT("tag"))), 0);
    assert_int_equal(dcache_pop(c, KEY("k"), NULL, &entry), 0);
    assert_true(value_equals(&entry.value, VALUE(large('p'))));
    assert_true(value_equals(&entry.tag, TEXT("tag")));
    assert_true(entry.expire_time == 4e9);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_pop(c, KEY("k"), NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(entry.value.type, DCACHE_NONE);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
}

static void a_missing_or_short_file_is_one_answer_everywhere(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    for (int way = 0; way < 6; way++) {
        must_set(c, "k", large('m'));
        if (way % 2 == 0)
            lose_file(dir_of(state), "k");
        else
            sql_run(dir_of(state), "UPDATE Cache SET size = 40001; UPDATE Settings SET value ="
                                   " 40001 WHERE key = 'size'");
        assert_int_equal(dcache_contains(c, KEY("k")), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_get(c, KEY("k"), NULL, &entry), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_get(c, KEY("k"), GET(.flags = DCACHE_NO_VALUE), &entry),
                         DCACHE_NOT_FOUND);
        assert_int_equal(way < 2   ? dcache_pop(c, KEY("k"), NULL, &entry)
                         : way < 4 ? dcache_delete(c, KEY("k"))
                                   : dcache_touch(c, KEY("k"), NULL),
                         DCACHE_NOT_FOUND);
        assert_int_equal(count_files(dir_of(state)), 0);
        assert_counters_right(dir_of(state));
    }
}

/* ---- incr ---- */

static struct dcache_value incr(dcache *c, const char *key, struct dcache_value delta)
{
    struct dcache_value sum;

    assert_int_equal(dcache_incr(c, TEXT(key), &delta, NULL, &sum), 0);
    return sum;
}

static void incr_begins_from_nothing_or_from_initial(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_value sum = dcache_text("untouched");

    assert_int_equal(incr(c, "a", dcache_int(3)).integer, 3);
    assert_int_equal(incr(c, "a", dcache_int(-5)).integer, -2);
    assert_int_equal(dcache_incr(c, KEY("b"), NULL, INCR(.initial = INT(10)), &sum), 0);
    assert_int_equal(sum.integer, 11);
    assert_int_equal(dcache_incr(c, KEY("c"), INT(1), INCR(.initial = DOUBLE(0.5)), &sum), 0);
    assert_true(sum.type == DCACHE_DOUBLE && sum.real == 1.5);
    assert_int_equal(dcache_incr(c, KEY("none"), INT(1), INCR(.flags = DCACHE_MUST_EXIST), &sum),
                     DCACHE_NOT_FOUND);
    assert_true(sum.real == 1.5);
    assert_int_equal(dcache_contains(c, KEY("none")), DCACHE_NOT_FOUND);
}

static void incr_keeps_expiry_and_tag_and_starts_anew_when_expired(void **state)
{
    struct dcache_entry entry;
    dcache *c = cache_of(state);

    assert_int_equal(dcache_incr(c, KEY("k"), INT(1), INCR(.expire = 60, .tag = TEXT("t")), NULL),
                     0);
    assert_int_equal(
        dcache_incr(c, KEY("k"), INT(1), INCR(.expire_at = 4e9, .tag = TEXT("u")), NULL), 0);
    entry = got(c, KEY("k"));
    assert_int_equal(entry.value.integer, 2);
    assert_true(entry.expire_time < 4e9 && value_equals(&entry.tag, TEXT("t")));
    dcache_entry_clear(&entry);
    os_clock_offset = 61;
    assert_int_equal(incr(c, "k", dcache_int(1)).integer, 1);
    assert_true(expiry_of(c, "k") == DCACHE_NEVER);
}

static void incr_mixes_integers_and_reals(void **state)
{
    dcache *c = cache_of(state);

    assert_true(incr(c, "k", dcache_double(0.25)).real == 0.25);
    assert_true(incr(c, "k", dcache_int(1)).real == 1.25);
    must_set(c, "k", dcache_int(2));
    assert_true(incr(c, "k", dcache_double(0.5)).real == 2.5);
    assert_true(get_is(c, KEY("k"), DOUBLE(2.5)));
}

static void incr_beyond_64_bits_is_an_error_and_changes_nothing(void **state)
{
    struct dcache_value sum = dcache_int(77);
    dcache *c = cache_of(state);

    must_set(c, "k", dcache_int(INT64_MAX));
    assert_int_equal(dcache_incr(c, KEY("k"), INT(1), NULL, &sum), DCACHE_RANGE);
    assert_int_equal(sum.integer, 77);
    assert_true(get_is(c, KEY("k"), INT(INT64_MAX)));
    assert_int_equal(incr(c, "k", dcache_int(-1)).integer, INT64_MAX - 1);
    must_set(c, "k", dcache_int(INT64_MIN));
    assert_int_equal(dcache_incr(c, KEY("k"), INT(-1), NULL, &sum), DCACHE_RANGE);
    assert_int_equal(dcache_incr(c, KEY("new"), INT(1), INCR(.initial = INT(INT64_MAX)), &sum),
                     DCACHE_RANGE);
    assert_int_equal(dcache_contains(c, KEY("new")), DCACHE_NOT_FOUND);
}

static void incr_of_what_is_no_number_is_a_type_error(void **state)
{
    const struct dcache_value values[] = {dcache_text("1"), dcache_bytes("1", 1), dcache_none(),
                                          dcache_sized(DCACHE_PICKLE, "K\1.", 3), large('i')};
    dcache *c = cache_of(state);

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        must_set(c, "k", values[i]);
        assert_int_equal(dcache_incr(c, KEY("k"), INT(1), NULL, NULL), DCACHE_TYPE);
        assert_true(get_is(c, KEY("k"), &values[i]));
    }
    must_set(c, "k", dcache_int(1));
    assert_int_equal(dcache_incr(c, KEY("k"), TEXT("1"), NULL, NULL), DCACHE_TYPE);
    assert_int_equal(dcache_incr(c, KEY("n"), INT(1), INCR(.initial = TEXT("1")), NULL),
                     DCACHE_TYPE);
    assert_true(get_is(c, KEY("k"), INT(1)));
}

/* ---- many keys ---- */

static void get_many_gives_each_key_its_status(void **state)
{
    const struct dcache_value keys[] = {dcache_text("a"), dcache_text("none"), dcache_int(5),
                                        dcache_text("expired"), dcache_text("lost")};
    const int wanted[] = {0, DCACHE_NOT_FOUND, 0, DCACHE_NOT_FOUND, DCACHE_NOT_FOUND};
    struct dcache_entry entries[5];
    struct dcache_stats stats;
    dcache *c = cache_of(state);

    assert_int_equal(dcache_setting_set(c, "statistics", INT(1)), 0);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    must_set(c, "a", large('a'));
    must_set(c, "lost", large('l'));
    lose_file(dir_of(state), "lost");
    assert_int_equal(dcache_set(c, INT(5), TEXT("five"), NULL), 0);
    assert_int_equal(dcache_set(c, KEY("expired"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(dcache_get_many(c, keys, 5, NULL, entries), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(entries[i].status, wanted[i]);
    assert_true(value_equals(&entries[0].value, VALUE(large('a'))));
    assert_true(value_equals(&entries[2].value, TEXT("five")));
    for (int i = 0; i < 5; i++)
        dcache_entry_clear(&entries[i]);
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(dcache_get_many(c, keys, 0, NULL, entries), 0);
}

static void set_many_stores_all_or_nothing(void **state)
{
    const struct dcache_value keys[] = {dcache_text("a"), dcache_text("b"), dcache_text("c")};
    struct dcache_value values[] = {large('x'), dcache_int(2), dcache_text("\xff")};
    dcache *c = cache_of(state);

    must_set(c, "b", large('o'));
    assert_int_equal(dcache_set_many(c, keys, values, 3, NULL), DCACHE_INVALID);
    assert_int_equal(count_of(c), 1);
    assert_true(get_is(c, KEY("b"), VALUE(large('o'))));
    assert_int_equal(count_files(dir_of(state)), 1);
    values[2] = large('z');
    assert_int_equal(dcache_set_many(c, keys, values, 3, SET(.expire_at = 4e9)), 0);
    for (int i = 0; i < 3; i++)
        assert_true(get_is(c, &keys[i], &values[i]));
    assert_true(expiry_of(c, "b") == 4e9);
    assert_int_equal(assert_rows_have_files(dir_of(state)), 0);
    assert_counters_right(dir_of(state));
    assert_int_equal(dcache_set_many(c, keys, values, 0, NULL), 0);
}

static void the_last_of_equal_keys_wins_in_set_many(void **state)
{
    const struct dcache_value keys[] = {dcache_text("a"), dcache_text("a"), dcache_text("a")};
    const struct dcache_value values[] = {large('x'), dcache_int(2), large('z')};

    assert_int_equal(dcache_set_many(cache_of(state), keys, values, 3, NULL), 0);
    assert_true(get_is(cache_of(state), KEY("a"), VALUE(large('z'))));
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_counters_right(dir_of(state));
}

static void delete_many_counts_what_was_there(void **state)
{
    const struct dcache_value keys[] = {dcache_text("a"), dcache_text("none"), dcache_text("b"),
                                        dcache_text("a"), dcache_text("gone")};
    dcache *c = cache_of(state);
    int64_t deleted;

    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    must_set(c, "a", large('a'));
    must_set(c, "b", dcache_int(1));
    must_set(c, "c", dcache_int(1));
    assert_int_equal(dcache_set(c, KEY("gone"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(dcache_delete_many(c, keys, 5, &deleted), 0);
    assert_int_equal(deleted, 2);
    assert_int_equal(dcache_contains(c, KEY("c")), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_delete_many(c, keys, 5, NULL), 0);
    assert_counters_right(dir_of(state));
}

/* ---- items ---- */

static void an_entry_tells_all_about_its_item(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry first, again;
    double now = os_now();

    assert_int_equal(dcache_set(c, KEY("k"), INT(1), SET(.tag = DOUBLE(2.5))), 0);
    assert_int_equal(count_of(c), 1); /* so it is in SQLite, where it gets its id */
    first = got(c, KEY("k"));
    assert_true(first.store_time >= now && first.store_time <= os_now());
    assert_true(value_equals(&first.tag, DOUBLE(2.5)));
    assert_int_equal(first.size, 0);
    assert_null(first.filename);
    must_set(c, "other", dcache_int(1));
    os_clock_offset = 10;
    assert_int_equal(dcache_set(c, KEY("k"), INT(2), SET(.flags = DCACHE_PINNED)), 0);
    again = got(c, KEY("k"));
    assert_int_equal(again.rowid, first.rowid); /* kept when a value is replaced */
    assert_true(again.store_time >= now + 10 && again.store_time < now + 100);
    assert_int_equal(again.access_count, 0);
    assert_int_equal(again.tag.type, DCACHE_NONE);
    dcache_entry_clear(&first);
    dcache_entry_clear(&again);
}

static void peekitem_is_the_first_or_last_inserted(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_peekitem(c, DCACHE_BACK, NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    must_set(c, "z", dcache_int(1));
    must_set(c, "a", dcache_int(2));
    must_set(c, "z", dcache_int(3));
    assert_int_equal(dcache_set(c, KEY("m"), INT(4), SET(.expire = -1)), 0);
    must_set(c, "n", large('n'));
    lose_file(dir_of(state), "n");
    assert_int_equal(dcache_peekitem(c, DCACHE_FRONT, NULL, &entry), 0);
    assert_true(value_equals(&entry.key, TEXT("z")));
    assert_int_equal(entry.value.integer, 3);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_peekitem(c, DCACHE_BACK, NULL, &entry), 0);
    assert_true(value_equals(&entry.key, TEXT("a")));
    dcache_entry_clear(&entry);
    assert_int_equal(count_of(c), 2); /* those that could not be had are gone */
    assert_counters_right(dir_of(state));
}

static void a_setting_needs_a_name_that_can_be_set(void **state)
{
    static const char *const names[] = {NULL, "", "count", "size", "hits", "evictions"};
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *c = cache_of(state), *other;
    struct dcache_setting setting = {NULL, dcache_int(1)};

    options.settings = &setting;
    options.settings_count = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setting.name = names[i];
        assert_int_equal(dcache_open(dir_of(state), &options, &other), DCACHE_INVALID);
        assert_int_equal(dcache_setting_set(c, names[i], INT(1)), DCACHE_INVALID);
    }
    assert_int_equal(dcache_setting_set(c, "mine", NULL), DCACHE_INVALID);
}

static void options_of_an_older_caller_end_earlier(void **state)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);

    options.expire_at = 4e9;
    options.struct_size = offsetof(struct dcache_set_options, expire_at);
    assert_int_equal(dcache_set(cache_of(state), KEY("k"), INT(1), &options), 0);
    assert_true(expiry_of(cache_of(state), "k") == DCACHE_NEVER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(an_item_is_there_until_its_expiry),
        TEST(an_expiry_is_a_duration_or_a_point_in_time),
        TEST(nan_is_no_expiry),
        TEST(keep_expire_keeps_that_of_a_live_item),
        TEST(touch_changes_the_expiry_of_a_live_item_only),
        TEST(add_stores_only_where_nothing_lives),
        TEST(delete_removes_an_item_and_its_file),
        TEST(pop_hands_back_what_it_removes),
        TEST(a_missing_or_short_file_is_one_answer_everywhere),
        TEST(incr_begins_from_nothing_or_from_initial),
        TEST(incr_keeps_expiry_and_tag_and_starts_anew_when_expired),
        TEST(incr_mixes_integers_and_reals),
        TEST(incr_beyond_64_bits_is_an_error_and_changes_nothing),
        TEST(incr_of_what_is_no_number_is_a_type_error),
        TEST(get_many_gives_each_key_its_status),
        TEST(set_many_stores_all_or_nothing),
        TEST(the_last_of_equal_keys_wins_in_set_many),
        TEST(delete_many_counts_what_was_there),
        TEST(an_entry_tells_all_about_its_item),
        TEST(peekitem_is_the_first_or_last_inserted),
        TEST(a_setting_needs_a_name_that_can_be_set),
        TEST(options_of_an_older_caller_end_earlier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
