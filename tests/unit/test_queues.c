/* test_queues.c - queues at both ends, and walks over the items in either order. */
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

/* ---- queues ---- */

static void what_is_pushed_at_one_end_comes_in_order_at_the_other(void **state)
{
    static const char *const prefixes[] = {NULL, "q", ""};
    dcache *c = cache_of(state);

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        must_push(c, prefixes[i], DCACHE_BACK, 2);
        must_push(c, prefixes[i], DCACHE_BACK, 3);
        must_push(c, prefixes[i], DCACHE_FRONT, 1);
        must_push(c, prefixes[i], DCACHE_BACK, 4);
        assert_int_equal(pull(c, prefixes[i], DCACHE_FRONT), 1);
        assert_int_equal(pull(c, prefixes[i], DCACHE_BACK), 4);
        assert_int_equal(pull(c, prefixes[i], DCACHE_FRONT), 2);
        assert_int_equal(pull(c, prefixes[i], DCACHE_FRONT), 3);
        assert_int_equal(pull(c, prefixes[i], DCACHE_FRONT), -1);
        assert_int_equal(pull(c, prefixes[i], DCACHE_BACK), -1);
    }
}

static void keys_of_queues_are_those_of_python(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_value key;

    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, INT(1), NULL, &key), 0);
    assert_true(value_equals(&key, INT(500000000000000)));
    assert_int_equal(dcache_push(c, NULL, DCACHE_FRONT, INT(1), NULL, &key), 0);
    assert_true(value_equals(&key, INT(499999999999999)));
    assert_int_equal(dcache_push(c, "q", DCACHE_BACK, INT(1), NULL, &key), 0);
    assert_true(value_equals(&key, TEXT("q-500000000000000")));
    dcache_value_clear(&key);
    assert_int_equal(dcache_push(c, "q", DCACHE_FRONT, INT(1), NULL, &key), 0);
    assert_true(value_equals(&key, TEXT("q-499999999999999")));
    dcache_value_clear(&key);
}

static void a_queue_is_not_the_one_whose_name_begins_alike(void **state)
{
    dcache *c = cache_of(state);

    must_push(c, "a-1", DCACHE_BACK, 1);
    must_push(c, "a1", DCACHE_BACK, 2);
    must_push(c, "", DCACHE_BACK, 3);
    must_push(c, NULL, DCACHE_BACK, 4);
    must_set(c, "a-50000000000000x", dcache_int(5));
    must_set(c, "a-0500000000000000", dcache_int(6));
    assert_int_equal(pull(c, "a", DCACHE_FRONT), -1);
    assert_int_equal(pull(c, "a", DCACHE_BACK), -1);
    must_push(c, "a", DCACHE_BACK, 7);
    assert_int_equal(pull(c, "a", DCACHE_BACK), 7);
    assert_int_equal(pull(c, "a-1", DCACHE_FRONT), 1);
    assert_int_equal(pull(c, "a1", DCACHE_FRONT), 2);
    assert_int_equal(pull(c, "", DCACHE_FRONT), 3);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), 4);
}

static void numbers_that_are_used_up_are_an_error(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_set(c, INT(999999999999998), INT(1), NULL), 0);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, VALUE(large('x')), NULL, NULL),
                     DCACHE_RANGE);
    assert_int_equal(count_files(dir_of(state)), 0);
    must_push(c, NULL, DCACHE_FRONT, 2);
    must_set(c, "q-000000000000001", dcache_int(1));
    assert_int_equal(dcache_push(c, "q", DCACHE_FRONT, INT(1), NULL, NULL), DCACHE_RANGE);
    must_push(c, "q", DCACHE_BACK, 3);
    assert_int_equal(pull(c, "q", DCACHE_BACK), 3);
}

static void integer_keys_outside_the_range_are_in_no_queue(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_set(c, INT(0), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, INT(-5), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, INT(999999999999999), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, DOUBLE(1.5), INT(1), NULL), 0);
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), -1);
    assert_int_equal(dcache_set(c, INT(5), INT(42), NULL), 0); /* documented: it is one */
    assert_int_equal(pull(c, NULL, DCACHE_FRONT), 42);
}

static void push_hands_over_expiry_and_tag(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_push(c, "q", DCACHE_BACK, VALUE(large('q')),
                                 SET(.expire_at = 4e9, .tag = INT(3)), NULL),
                     0);
    assert_int_equal(dcache_peek(c, "q", DCACHE_FRONT, NULL, &entry), 0);
    assert_true(value_equals(&entry.key, TEXT("q-500000000000000")));
    assert_true(value_equals(&entry.value, VALUE(large('q'))));
    assert_true(value_equals(&entry.tag, INT(3)));
    assert_true(entry.expire_time == 4e9);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_pull(c, "q", DCACHE_FRONT, GET(.flags = DCACHE_AS_FD), &entry), 0);
    assert_int_equal(entry.value.type, DCACHE_FD);
    dcache_entry_clear(&entry);
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void what_is_dead_is_dropped_on_the_way(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;
    int64_t count;

    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    for (int peek = 0; peek < 2; peek++) {
        assert_int_equal(dcache_push(c, "q", DCACHE_BACK, INT(1), SET(.expire = -1), NULL), 0);
        assert_int_equal(dcache_push(c, "q", DCACHE_BACK, VALUE(large('x')), NULL, NULL), 0);
        lose_file(dir_of(state), "q-500000000000001");
        must_push(c, "q", DCACHE_BACK, 3);
        if (peek) {
            assert_int_equal(dcache_peek(c, "q", DCACHE_FRONT, NULL, &entry), 0);
            assert_int_equal(entry.value.integer, 3);
            dcache_entry_clear(&entry);
            assert_int_equal(dcache_count(c, &count), 0);
            assert_int_equal(count, 1);
        }
        assert_int_equal(pull(c, "q", DCACHE_FRONT), 3);
    }
    assert_int_equal(dcache_push(c, "q", DCACHE_BACK, INT(1), SET(.expire = -1), NULL), 0);
    assert_int_equal(pull(c, "q", DCACHE_BACK), -1);
    assert_int_equal(dcache_count(c, &count), 0);
    assert_int_equal(count, 0);
    assert_counters_right(dir_of(state));
}

static void a_queue_needs_a_side_and_a_name_in_utf8(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_push(c, "\xff", DCACHE_BACK, INT(1), NULL, NULL), DCACHE_INVALID);
    assert_int_equal(dcache_pull(c, "\xff", DCACHE_BACK, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_push(c, NULL, (enum dcache_side)2, INT(1), NULL, NULL), DCACHE_INVALID);
    assert_int_equal(dcache_pull(c, NULL, (enum dcache_side)2, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_peek(c, NULL, (enum dcache_side)2, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_peekitem(c, (enum dcache_side)2, NULL, &entry), DCACHE_INVALID);
}

/* ---- walks ---- */

static size_t add_key(char *keys, size_t used, size_t room, const struct dcache_value *key)
{
    const char *data = key->data;
    int size = key->type == DCACHE_TEXT || key->type == DCACHE_BYTES
                   ? snprintf(keys + used, room - used, "%s%s ",
                              key->type == DCACHE_BYTES ? "b" : "", data)
                   : snprintf(keys + used, room - used, "%lld ", (long long)key->integer);

    return used + (size_t)size;
}

/* The same walk, over keys alone, three at a time. */
static void walk_keys(dcache *c, const struct dcache_iter_options *given, char *keys, size_t room)
{
    struct dcache_iter_options options = given ? *given : *ITER(.flags = 0);
    struct dcache_value three[3];
    struct dcache_entry entry;
    size_t used = 0, count;
    dcache_iter *iter;
    int rc;

    options.flags |= DCACHE_KEYS_ONLY;
    keys[0] = 0;
    assert_int_equal(dcache_iter_open(c, &options, &iter), 0);
    assert_int_equal(dcache_iter_next(iter, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_iter_keys(iter, three, 0, &count), DCACHE_INVALID);
    while ((rc = dcache_iter_keys(iter, three, 3, &count)) == 0) {
        assert_in_range(count, 1, 3);
        for (size_t i = 0; i < count; i++)
            used = add_key(keys, used, room, &three[i]);
    }
    assert_int_equal(rc, DCACHE_NOT_FOUND);
    assert_int_equal(dcache_iter_keys(iter, three, 3, &count), DCACHE_NOT_FOUND);
    dcache_iter_close(iter);
}

/* The keys of a walk, as text, with a space after each. */
static const char *walk(dcache *c, const struct dcache_iter_options *options)
{
    static char keys[8000], alone[8000];
    struct dcache_entry entry;
    struct dcache_value key;
    dcache_iter *iter;
    size_t used = 0, count;
    int rc;

    keys[0] = 0;
    assert_int_equal(dcache_iter_open(c, options, &iter), 0);
    assert_int_equal(dcache_iter_keys(iter, &key, 1, &count), DCACHE_INVALID);
    while ((rc = dcache_iter_next(iter, &entry)) == 0) {
        used = add_key(keys, used, sizeof keys, &entry.key);
        dcache_entry_clear(&entry);
    }
    assert_int_equal(rc, DCACHE_NOT_FOUND);
    assert_int_equal(dcache_iter_next(iter, &entry), DCACHE_NOT_FOUND);
    dcache_iter_close(iter);
    walk_keys(c, options, alone, sizeof alone);
    assert_string_equal(alone, keys);
    return keys;
}

static void fill(dcache *c)
{
    must_set(c, "b", dcache_int(1));
    must_set(c, "ab", large('w'));
    assert_int_equal(dcache_set(c, INT(7), INT(1), SET(.tag = TEXT("t"))), 0);
    assert_int_equal(dcache_set(c, BYTES("ab", 2), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, TEXT("abc"), INT(1), SET(.tag = TEXT("t"), .expire_at = 4e9)),
                     0);
    assert_int_equal(dcache_set(c, TEXT("a"), INT(1), SET(.tag = INT(1))), 0);
}

static void a_walk_goes_by_insertion_or_by_key_both_ways(void **state)
{
    dcache *c = cache_of(state);

    assert_string_equal(walk(c, NULL), "");
    fill(c);
    assert_string_equal(walk(c, NULL), "b ab 7 bab abc a ");
    assert_string_equal(walk(c, ITER(.flags = DCACHE_REVERSE)), "a abc bab 7 ab b ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY)), "7 a ab abc b bab ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY, .flags = DCACHE_REVERSE)),
                        "bab b abc ab a 7 ");
    must_set(c, "b", dcache_int(2)); /* keeps its place */
    assert_string_equal(walk(c, NULL), "b ab 7 bab abc a ");
}

static void filters_leave_out_all_else(void **state)
{
    dcache *c = cache_of(state);

    fill(c);
    assert_string_equal(walk(c, ITER(.prefix = TEXT("ab"))), "ab abc ");
    assert_string_equal(walk(c, ITER(.prefix = BYTES("a", 1))), "bab ");
    assert_string_equal(walk(c, ITER(.prefix = TEXT(""))), "b ab abc a ");
    assert_string_equal(walk(c, ITER(.prefix = BYTES("", 0))), "bab ");
    assert_string_equal(walk(c, ITER(.prefix = TEXT("ac"))), "");
    assert_string_equal(walk(c, ITER(.tag = TEXT("t"))), "7 abc ");
    assert_string_equal(walk(c, ITER(.tag = INT(1))), "a ");
    assert_string_equal(walk(c, ITER(.tag = NOTHING)), "b ab bab ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY, .start = TEXT("ab"))),
                        "ab abc b bab ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY, .stop = TEXT("ab"))), "7 a ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY, .start = INT(7), .stop = TEXT("a"))),
                        "7 ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY, .flags = DCACHE_REVERSE,
                                     .start = TEXT("ab"), .stop = TEXT("b"))),
                        "abc ab ");
    assert_string_equal(walk(c, ITER(.order = DCACHE_BY_KEY, .start = BYTES("", 0))), "bab ");
}

static void a_prefix_of_greatest_bytes_has_an_end(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_set(c, BYTES("\xff\xff", 2), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, BYTES("\xfe", 1), INT(1), NULL), 0);
    assert_int_equal(dcache_set(c, BYTES("\xfe\xff", 2), INT(1), NULL), 0);
    must_set(c, "\xf4\x8f\xbf\xbf", dcache_int(1));
    assert_string_equal(walk(c, ITER(.prefix = BYTES("\xff", 1))), "b\xff\xff ");
    assert_string_equal(walk(c, ITER(.prefix = BYTES("\xfe\xff", 2))), "b\xfe\xff ");
    assert_string_equal(walk(c, ITER(.prefix = TEXT("\xf4\x8f\xbf\xbf"))), "\xf4\x8f\xbf\xbf ");
}

static void expired_items_come_unless_left_out(void **state)
{
    dcache *c = cache_of(state);

    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    must_set(c, "live", dcache_int(1));
    assert_int_equal(dcache_set(c, KEY("dead"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(dcache_set(c, KEY("later"), INT(1), SET(.expire = 60)), 0);
    assert_string_equal(walk(c, NULL), "live dead later ");
    assert_string_equal(walk(c, ITER(.flags = DCACHE_LIVE_ONLY)), "live later ");
    assert_string_equal(walk(c, ITER(.flags = DCACHE_EXPIRED_ONLY)), "dead ");
    os_clock_offset = 61;
    assert_string_equal(walk(c, ITER(.flags = DCACHE_LIVE_ONLY)), "live ");
}

static void keys_of_any_length_come_whole(void **state)
{
    const size_t sizes[] = {0, 32767, 32768, 100000, 1, 40000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    static char long_key[100001];
    dcache *c = cache_of(state);
    struct dcache_value keys[COUNT];
    dcache_iter *iter;
    size_t count;

    memset(long_key, 'k', sizeof long_key);
    for (size_t i = 0; i < COUNT; i++) {
        struct dcache_value key = dcache_bytes(long_key, sizes[i]);

        assert_int_equal(dcache_set(c, &key, INT(1), NULL), 0);
    }
    for (int back = 0; back < 2; back++) {
        unsigned flags = DCACHE_KEYS_ONLY | (back ? DCACHE_REVERSE : 0);
        size_t seen = 0;

        assert_int_equal(dcache_iter_open(c, ITER(.flags = flags), &iter), 0);
        while (dcache_iter_keys(iter, keys, COUNT, &count) == 0)
            for (size_t i = 0; i < count; i++, seen++) {
                assert_int_equal(keys[i].size, sizes[back ? COUNT - 1 - seen : seen]);
                assert_memory_equal(keys[i].data, long_key, keys[i].size);
            }
        assert_int_equal(seen, COUNT);
        dcache_iter_close(iter);
    }
}

static void a_walk_that_makes_no_sense_is_refused(void **state)
{
    dcache *c = cache_of(state);
    dcache_iter *iter;

    assert_int_equal(dcache_iter_open(c, ITER(.prefix = INT(1)), &iter), DCACHE_INVALID);
    assert_int_equal(dcache_iter_open(c, ITER(.prefix = TEXT("\xff")), &iter), DCACHE_INVALID);
    assert_int_equal(dcache_iter_open(c, ITER(.start = INT(1)), &iter), DCACHE_INVALID);
    assert_int_equal(dcache_iter_open(c, ITER(.order = DCACHE_BY_KEY, .start = NOTHING), &iter),
                     DCACHE_INVALID);
    assert_int_equal(dcache_iter_open(c, ITER(.order = (enum dcache_order)2), &iter),
                     DCACHE_INVALID);
    assert_int_equal(dcache_iter_open(c, ITER(.tag = VALUE(dcache_fd(1))), &iter), DCACHE_INVALID);
}

/* Far more than a page. */
static void many(dcache *c, int count)
{
    struct dcache_value keys[1000], values[1000];

    for (int i = 0; i < count; i++) {
        keys[i] = dcache_int(i);
        values[i] = dcache_int(i);
    }
    assert_int_equal(dcache_set_many(c, keys, values, (size_t)count, NULL), 0);
}

static void each_item_comes_once_while_others_write(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;
    bool seen[1000] = {false};
    dcache_iter *iter;
    int expected = 0;

    many(c, 1000);
    assert_int_equal(dcache_iter_open(c, NULL, &iter), 0);
    while (dcache_iter_next(iter, &entry) == 0) {
        int64_t i = entry.key.integer;

        assert_true(i >= 0 && i < 1000); /* none that was inserted after the beginning */
        assert_false(seen[i]);
        seen[i] = true;
        dcache_entry_clear(&entry);
        /* Behind, beside and before: a replacement, a new item, a removal far ahead. */
        assert_int_equal(dcache_set(c, INT(i), TEXT("again"), NULL), 0);
        assert_int_equal(dcache_set(c, INT(1000 + i), INT(1), NULL), 0);
        if (i < 400)
            assert_int_equal(dcache_delete(c, INT(999 - i)), 0);
    }
    dcache_iter_close(iter);
    for (int i = 0; i < 600; i++)
        expected += seen[i];
    assert_int_equal(expected, 600);
    for (int i = 701; i < 1000; i++)
        assert_false(seen[i]); /* gone long before their page was read */
}

static void a_value_replaced_during_the_walk_comes_new_or_old_never_missing(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;
    dcache_iter *iter;
    int seen = 0;

    must_set(c, "a", large('a'));
    must_set(c, "b", large('b'));
    must_set(c, "c", large('c'));
    assert_int_equal(dcache_iter_open(c, ITER(.order = DCACHE_BY_KEY), &iter), 0);
    assert_int_equal(dcache_iter_next(iter, &entry), 0);
    dcache_entry_clear(&entry);
    must_set(c, "b", large('n')); /* its row has been read, its file is gone */
    assert_int_equal(dcache_delete(c, KEY("c")), 0);
    while (dcache_iter_next(iter, &entry) == 0) {
        assert_true(value_equals(&entry.key, TEXT("b")));
        assert_true(value_equals(&entry.value, VALUE(large('n'))));
        dcache_entry_clear(&entry);
        seen++;
    }
    assert_int_equal(seen, 1);
    dcache_iter_close(iter);
}

static void keys_that_are_equal_but_for_their_kind_are_two_across_pages(void **state)
{
    dcache *c = cache_of(state);
    struct dcache_entry entry;
    dcache_iter *iter;
    int count = 0;

    /* Two rows with the same bytes, raw and pickled, for every place where a page may end. */
    for (int i = 0; i < 150; i++) {
        char key[8];

        (void)snprintf(key, sizeof key, "%03d", i);
        assert_int_equal(dcache_set(c, BYTES(key, 3), INT(i), NULL), 0);
        assert_int_equal(dcache_set(c, VALUE(dcache_sized(DCACHE_PICKLE, key, 3)), INT(i), NULL),
                         0);
    }
    for (int back = 0; back < 2; back++) {
        assert_int_equal(
            dcache_iter_open(c, ITER(.order = DCACHE_BY_KEY, .flags = back ? DCACHE_REVERSE : 0),
                             &iter),
            0);
        for (count = 0; dcache_iter_next(iter, &entry) == 0; count++)
            dcache_entry_clear(&entry);
        assert_int_equal(count, 300);
        dcache_iter_close(iter);
    }
}

static void a_walk_in_a_transaction_sees_what_the_transaction_did(void **state)
{
    dcache *c = cache_of(state), *txn;

    must_set(c, "a", dcache_int(1));
    must_set(c, "b", large('b'));
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    must_set(txn, "c", large('c'));
    assert_int_equal(dcache_delete(txn, KEY("a")), 0);
    assert_string_equal(walk(txn, NULL), "b c ");
    assert_string_equal(walk(c, NULL), "a b ");
    dcache_rollback(txn);
    assert_string_equal(walk(c, NULL), "a b ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(what_is_pushed_at_one_end_comes_in_order_at_the_other),
        TEST(keys_of_queues_are_those_of_python),
        TEST(a_queue_is_not_the_one_whose_name_begins_alike),
        TEST(numbers_that_are_used_up_are_an_error),
        TEST(integer_keys_outside_the_range_are_in_no_queue),
        TEST(push_hands_over_expiry_and_tag),
        TEST(what_is_dead_is_dropped_on_the_way),
        TEST(a_queue_needs_a_side_and_a_name_in_utf8),
        TEST(a_walk_goes_by_insertion_or_by_key_both_ways),
        TEST(filters_leave_out_all_else),
        TEST(a_prefix_of_greatest_bytes_has_an_end),
        TEST(expired_items_come_unless_left_out),
        TEST(keys_of_any_length_come_whole),
        TEST(keys_of_any_length_come_whole),
        TEST(a_walk_that_makes_no_sense_is_refused),
        TEST(each_item_comes_once_while_others_write),
        TEST(a_value_replaced_during_the_walk_comes_new_or_old_never_missing),
        TEST(keys_that_are_equal_but_for_their_kind_are_two_across_pages),
        TEST(a_walk_in_a_transaction_sees_what_the_transaction_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
