/* test_deque.c - a deque: both ends, indexes, order, values, the greatest length. */
#include "support.h"

#include <diskcache_collections.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static dcache *deque_of(void **state)
{
    return ((struct place *)*state)->cache;
}

static const char *dir_of(void **state)
{
    return ((struct place *)*state)->dir;
}

static void fill(dcache *deque, int from, int count)
{
    struct dcache_value *values = calloc((size_t)count, sizeof *values);

    for (int i = 0; i < count; i++)
        values[i] = dcache_int(from + i);
    assert_int_equal(dcache_deque_extend(deque, DCACHE_BACK, values, (size_t)count), 0);
    free(values);
}

/* The numbers in a deque, with a blank after each. */
static const char *numbers(dcache *deque)
{
    static char text[4000];
    struct dcache_entry entry;
    dcache_iter *iter;
    size_t used = 0;

    text[0] = 0;
    assert_int_equal(dcache_iter_open(deque, ITER(.order = DCACHE_BY_KEY), &iter), 0);
    while (dcache_iter_next(iter, &entry) == 0) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%lld ",
                                 (long long)entry.value.integer);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    return text;
}

/* A number by index, -1000 when there is none. */
static int64_t at(dcache *deque, int64_t index)
{
    struct dcache_entry entry;
    int rc = dcache_deque_get(deque, index, NULL, &entry);
    int64_t value = rc == 0 ? entry.value.integer : -1000;

    assert_true(rc == 0 || rc == DCACHE_NOT_FOUND);
    dcache_entry_clear(&entry);
    return value;
}

static int64_t pop(dcache *deque, enum dcache_side side)
{
    struct dcache_entry entry;
    int rc = dcache_deque_pop(deque, side, NULL, &entry);
    int64_t value = rc == 0 ? entry.value.integer : -1000;

    assert_true(rc == 0 || rc == DCACHE_NOT_FOUND);
    dcache_entry_clear(&entry);
    return value;
}

/* ---- ends ---- */

static void each_side_gives_back_what_was_put_there_last(void **state)
{
    dcache *d = deque_of(state);
    struct dcache_entry entry;

    assert_int_equal(pop(d, DCACHE_FRONT), -1000);
    assert_int_equal(dcache_deque_peek(d, DCACHE_BACK, NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, INT(2)), 0);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, INT(3)), 0);
    assert_int_equal(dcache_deque_push(d, DCACHE_FRONT, INT(1)), 0);
    assert_string_equal(numbers(d), "1 2 3 ");
    assert_int_equal(dcache_deque_peek(d, DCACHE_BACK, NULL, &entry), 0);
    assert_int_equal(entry.value.integer, 3);
    dcache_entry_clear(&entry);
    assert_int_equal(pop(d, DCACHE_BACK), 3);
    assert_int_equal(pop(d, DCACHE_FRONT), 1);
    assert_int_equal(pop(d, DCACHE_FRONT), 2);
    assert_int_equal(pop(d, DCACHE_BACK), -1000);
}

static void extending_at_the_front_reverses(void **state)
{
    dcache *d = deque_of(state);
    struct dcache_value values[] = {dcache_int(1), dcache_int(2), dcache_int(3)};

    assert_int_equal(dcache_deque_extend(d, DCACHE_FRONT, values, 3), 0);
    assert_string_equal(numbers(d), "3 2 1 ");
    assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, values, 3), 0);
    assert_string_equal(numbers(d), "3 2 1 1 2 3 ");
    assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, values, 0), 0);
    assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, NULL, 2), DCACHE_INVALID);
    assert_string_equal(numbers(d), "3 2 1 1 2 3 ");
}

static void an_extension_is_all_or_nothing(void **state)
{
    dcache *d = deque_of(state);
    struct dcache_value values[] = {large('a'), dcache_text("\xff"), large('b')};

    assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, values, 3), DCACHE_INVALID);
    assert_string_equal(numbers(d), "");
    assert_int_equal(dcache_set(d, INT(999999999999997), INT(7), NULL), 0);
    values[1] = dcache_int(8);
    assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, values, 3), DCACHE_RANGE);
    assert_string_equal(numbers(d), "7 ");
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void make_file(const char *dir, const char *name)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("12345", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void files_of_stored_values_are_ours_even_if_the_extension_fails(void **state)
{
    struct dcache_stored stored[] = {{.mode = 2, .size = 5, .filename = "one.val"},
                                     {.mode = 2, .size = 5, .filename = "two.val"}};
    struct dcache_value values[] = {{.type = DCACHE_STORED, .stored = &stored[0]},
                                    dcache_text("\xff"),
                                    {.type = DCACHE_STORED, .stored = &stored[1]}};
    dcache *d = deque_of(state);

    for (int good = 0; good < 2; good++) {
        make_file(dir_of(state), "one.val");
        make_file(dir_of(state), "two.val");
        assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, values, 3), good ? 0 : DCACHE_INVALID);
        assert_int_equal(count_files(dir_of(state)), good ? 2 : 0);
        values[1] = dcache_int(2);
    }
}

static void a_queue_of_text_is_extended_alike(void **state)
{
    dcache *d = deque_of(state);
    struct dcache_value values[] = {dcache_int(1), dcache_int(2)};
    struct dcache_entry entry;

    assert_int_equal(dcache_push_many(d, "q", DCACHE_FRONT, values, 2, SET(.tag = TEXT("t"))), 0);
    assert_int_equal(dcache_peek_at(d, "q", DCACHE_BACK, 1, NULL, &entry), 0);
    assert_true(value_equals(&entry.key, TEXT("q-499999999999999")));
    assert_true(value_equals(&entry.value, INT(2)));
    assert_true(value_equals(&entry.tag, TEXT("t")));
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_peek_at(d, "q", DCACHE_BACK, 2, NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_peek_at(d, "p", DCACHE_BACK, 0, NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_peek_at(d, "q", DCACHE_BACK, -1, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(dcache_peek_at(d, "\xff", DCACHE_BACK, 0, NULL, &entry), DCACHE_INVALID);
}

/* ---- indexes ---- */

static void an_index_counts_from_either_end(void **state)
{
    dcache *d = deque_of(state);

    assert_int_equal(at(d, 0), -1000);
    assert_int_equal(at(d, -1), -1000);
    fill(d, 0, 300);
    assert_int_equal(dcache_deque_push(d, DCACHE_FRONT, INT(-1)), 0);
    for (int i = 0; i <= 300; i++) {
        assert_int_equal(at(d, i), i - 1);
        assert_int_equal(at(d, -1 - i), 299 - i);
    }
    assert_int_equal(at(d, 301), -1000);
    assert_int_equal(at(d, -302), -1000);
    assert_int_equal(at(d, INT64_MAX), -1000);
    assert_int_equal(at(d, INT64_MIN), -1000);
}

static void gaps_and_other_keys_do_not_confuse_an_index(void **state)
{
    dcache *d = deque_of(state);

    fill(d, 0, 9);
    assert_int_equal(dcache_deque_delete(d, 3), 0);
    assert_int_equal(dcache_deque_delete(d, -3), 0);
    assert_string_equal(numbers(d), "0 1 2 4 5 7 8 ");
    for (int other = 0; other < 3; other++) {
        static const int left[] = {0, 1, 2, 4, 5, 7, 8};

        if (other == 1)
            assert_int_equal(dcache_set(d, KEY("other"), INT(99), NULL), 0);
        if (other == 2)
            assert_int_equal(dcache_set(d, INT(-5), INT(99), NULL), 0);
        for (int i = 0; i < 7; i++) {
            assert_int_equal(at(d, i), left[i]);
            assert_int_equal(at(d, i - 7), left[i]);
        }
        assert_int_equal(at(d, 7), -1000);
        assert_int_equal(at(d, -8), -1000);
    }
}

static void an_item_is_set_and_deleted_by_index(void **state)
{
    dcache *d = deque_of(state);

    fill(d, 0, 5);
    assert_int_equal(dcache_deque_set(d, 1, INT(10)), 0);
    assert_int_equal(dcache_deque_set(d, -1, INT(40)), 0);
    assert_string_equal(numbers(d), "0 10 2 3 40 ");
    assert_int_equal(dcache_deque_delete(d, 0), 0);
    assert_int_equal(dcache_deque_delete(d, -2), 0);
    assert_string_equal(numbers(d), "10 2 40 ");
    assert_int_equal(dcache_deque_set(d, 3, INT(1)), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_deque_delete(d, -4), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_deque_set(d, 0, VALUE(large('f'))), 0);
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_int_equal(dcache_deque_delete(d, 0), 0);
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_string_equal(numbers(d), "2 40 ");
}

static void an_index_never_points_at_what_is_dead(void **state)
{
    dcache *d = deque_of(state);
    struct dcache_entry entry;

    assert_int_equal(dcache_setting_set(d, "cull_limit", INT(0)), 0);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, INT(1)), 0);
    assert_int_equal(dcache_push(d, NULL, DCACHE_BACK, INT(2), SET(.expire = -1), NULL), 0);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, VALUE(large('x'))), 0);
    sql_run(dir_of(state), "UPDATE Cache SET filename = 'no/such/file' WHERE size > 0");
    assert_int_equal(at(d, 0), 1);
    assert_int_equal(at(d, 1), -1000);
    assert_int_equal(dcache_deque_get(d, 2, NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_deque_set(d, 1, INT(1)), DCACHE_NOT_FOUND);
}

/* ---- order ---- */

static void rotation_goes_round_in_either_direction(void **state)
{
    dcache *d = deque_of(state);

    assert_int_equal(dcache_deque_rotate(d, 3), 0);
    fill(d, 0, 5);
    assert_int_equal(dcache_deque_rotate(d, 2), 0);
    assert_string_equal(numbers(d), "3 4 0 1 2 ");
    assert_int_equal(dcache_deque_rotate(d, -1), 0);
    assert_string_equal(numbers(d), "4 0 1 2 3 ");
    assert_int_equal(dcache_deque_rotate(d, -501), 0);
    assert_string_equal(numbers(d), "0 1 2 3 4 ");
    assert_int_equal(dcache_deque_rotate(d, 4), 0);
    assert_string_equal(numbers(d), "1 2 3 4 0 ");
    assert_int_equal(dcache_deque_rotate(d, INT64_MIN), 0); /* 3 modulo 5 to the left */
    assert_string_equal(numbers(d), "4 0 1 2 3 ");
    assert_int_equal(at(d, 2), 1);
}

static void reversal_closes_gaps_and_copies_no_file(void **state)
{
    dcache *d = deque_of(state);

    for (int round = 0; round < 2; round++) { /* to one side, then to the other */
        assert_int_equal(dcache_clear(d, NULL), 0);
        fill(d, 0, 250);
        if (round == 1)
            assert_int_equal(dcache_rename(d, INT(500000000000000), INT(400000000000000)), 0);
        assert_int_equal(dcache_deque_set(d, 100, VALUE(large('f'))), 0);
        assert_int_equal(dcache_deque_delete(d, 200), 0);
        sql_run(dir_of(state), "CREATE TABLE IF NOT EXISTS Names (name);"
                               "DELETE FROM Names;"
                               "INSERT INTO Names SELECT filename FROM Cache WHERE size > 0");
        assert_int_equal(dcache_deque_reverse(d), 0);
        assert_int_equal(at(d, 0), 249);
        assert_int_equal(at(d, 48), 201);
        assert_int_equal(at(d, 49), 199);
        assert_int_equal(at(d, 248), 0);
        assert_int_equal(sql_number(dir_of(state), "SELECT max(key) - min(key) FROM Cache"), 248);
        assert_int_equal(sql_number(dir_of(state), "SELECT count(*) FROM Cache JOIN Names ON"
                                                   " filename = name"),
                         1);
    }
    assert_int_equal(dcache_clear(d, NULL), 0);
    assert_int_equal(dcache_deque_reverse(d), 0);
    assert_counters_right(dir_of(state));
}

static void dead_items_are_not_turned_round(void **state)
{
    dcache *d = deque_of(state);

    assert_int_equal(dcache_setting_set(d, "cull_limit", INT(0)), 0);
    assert_int_equal(dcache_push(d, NULL, DCACHE_BACK, INT(-1), SET(.expire = -1), NULL), 0);
    fill(d, 0, 3);
    assert_int_equal(dcache_push(d, NULL, DCACHE_BACK, INT(-2), SET(.expire = -1), NULL), 0);
    fill(d, 3, 2);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, VALUE(large('x'))), 0);
    sql_run(dir_of(state), "UPDATE Cache SET filename = 'no/such/file' WHERE size > 0");
    assert_int_equal(dcache_deque_reverse(d), 0);
    assert_int_equal(dcache_expire(d, 0, NULL), 0);
    assert_string_equal(numbers(d), "4 3 2 1 0 ");
    assert_int_equal(dcache_push(d, NULL, DCACHE_BACK, INT(-1), SET(.expire = -1), NULL), 0);
    assert_int_equal(dcache_deque_rotate(d, 1), 0);
    assert_int_equal(dcache_expire(d, 0, NULL), 0);
    assert_string_equal(numbers(d), "0 4 3 2 1 ");
}

static void keys_that_run_out_undo_the_whole(void **state)
{
    dcache *d = deque_of(state);

    assert_int_equal(dcache_set(d, INT(2), INT(1), NULL), 0);
    assert_int_equal(dcache_set(d, INT(3), INT(2), NULL), 0);
    assert_int_equal(dcache_set(d, INT(4), INT(3), NULL), 0);
    assert_int_equal(dcache_set(d, INT(5), INT(4), NULL), 0);
    assert_int_equal(dcache_deque_rotate(d, 2), DCACHE_RANGE);
    assert_string_equal(numbers(d), "1 2 3 4 ");
    assert_int_equal(dcache_deque_reverse(d), 0);
    assert_string_equal(numbers(d), "4 3 2 1 ");
}

/* ---- values ---- */

static void the_first_equal_item_is_removed(void **state)
{
    dcache *d = deque_of(state);
    int64_t count;

    fill(d, 1, 3);
    fill(d, 1, 3);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, DOUBLE(2.0)), 0);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, VALUE(large('x'))), 0);
    assert_int_equal(dcache_deque_count(d, INT(2), &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(dcache_deque_remove(d, DOUBLE(2.0)), 0);
    assert_int_equal(dcache_deque_remove(d, VALUE(large('x'))), 0);
    assert_int_equal(dcache_deque_remove(d, VALUE(large('y'))), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_deque_count(d, INT(2), &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(at(d, 1), 3);
    assert_int_equal(dcache_deque_count(d, TEXT("2"), &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(dcache_deque_remove(d, VALUE(dcache_fd(0))), DCACHE_INVALID);
    assert_int_equal(dcache_deque_count(d, NULL, &count), DCACHE_INVALID);
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void real_keys_are_no_items(void **state)
{
    dcache *d = deque_of(state);
    int64_t count;

    assert_int_equal(dcache_set(d, DOUBLE(500000000000000.5), INT(1), NULL), 0);
    fill(d, 1, 2);
    assert_int_equal(dcache_deque_count(d, INT(1), &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(dcache_deque_remove(d, INT(1)), 0);
    assert_int_equal(dcache_deque_remove(d, INT(1)), DCACHE_NOT_FOUND);
}

static void values_are_ordered_by_type_and_then_by_what_they_are(void **state)
{
    const struct dcache_value ordered[] = {
        dcache_none(),
        dcache_double((double)NAN),
        dcache_double(-HUGE_VAL),
        dcache_int(INT64_MIN),
        dcache_int(-3),
        dcache_double(-2.5),
        dcache_int(-2),
        dcache_int(0),
        dcache_double(5e-324),
        dcache_double(9007199254740992.0),
        dcache_int(9007199254740993),
        dcache_int(INT64_MAX),
        dcache_double(9223372036854775808.0),
        dcache_double(HUGE_VAL),
        dcache_text(""),
        dcache_text("a"),
        dcache_sized(DCACHE_TEXT, "a\0b", 3),
        dcache_text("b"),
        dcache_bytes("", 0),
        dcache_bytes("\xff", 1),
        dcache_sized(DCACHE_PICKLE, "N.", 2),
        dcache_fd(1),
    };
    const size_t count = sizeof ordered / sizeof *ordered;

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            assert_int_equal(dcache_value_compare(&ordered[i], &ordered[j]), (i > j) - (i < j));
    assert_int_equal(dcache_value_compare(INT(1), DOUBLE(1.0)), 0);
    assert_int_equal(dcache_value_compare(DOUBLE(-0.0), INT(0)), 0);
    assert_int_equal(dcache_value_compare(INT(INT64_MIN), DOUBLE(-9223372036854775808.0)), 0);
    assert_int_equal(dcache_value_compare(VALUE(dcache_fd(1)), VALUE(dcache_reader(NULL, NULL))),
                     0);
}

/* ---- two ---- */

static void a_copy_has_the_same_items_also_onto_itself(void **state)
{
    dcache *d = deque_of(state), *other;
    struct place second;
    int order = 5;

    place_new(&second);
    place_open(&second);
    other = second.cache;
    assert_int_equal(dcache_deque_copy(d, other), 0);
    fill(d, 0, 250);
    assert_int_equal(dcache_deque_push(d, DCACHE_FRONT, VALUE(large('x'))), 0);
    assert_int_equal(dcache_deque_copy(d, other), 0);
    assert_int_equal(dcache_deque_compare(d, other, &order), 0);
    assert_int_equal(order, 0);
    assert_int_equal(dcache_deque_copy(d, d), 0);
    assert_int_equal(at(d, -1), 249);
    assert_int_equal(at(d, 252), 0);
    assert_int_equal(at(d, 502), -1000);
    assert_int_equal(dcache_deque_compare(d, other, &order), 0);
    assert_int_equal(order, 1);
    assert_int_equal(dcache_deque_compare(other, d, &order), 0);
    assert_int_equal(order, -1);
    place_close(&second);
    place_clean(&second);
}

static void the_first_difference_decides(void **state)
{
    dcache *d = deque_of(state), *other;
    struct place second;
    int order = 5;

    place_new(&second);
    place_open(&second);
    other = second.cache;
    assert_int_equal(dcache_deque_compare(d, other, &order), 0);
    assert_int_equal(order, 0);
    fill(d, 1, 3);
    fill(other, 1, 2);
    assert_int_equal(dcache_deque_push(other, DCACHE_BACK, INT(4)), 0);
    assert_int_equal(dcache_deque_compare(d, other, &order), 0);
    assert_int_equal(order, -1);
    assert_int_equal(dcache_deque_set(other, 0, INT(0)), 0);
    assert_int_equal(dcache_deque_compare(d, other, &order), 0);
    assert_int_equal(order, 1);
    place_close(&second);
    place_clean(&second);
}

/* ---- the greatest length ---- */

static void the_greatest_length_is_kept_with_the_directory(void **state)
{
    dcache *d = deque_of(state);
    struct place *place = *state;
    struct dcache_value values[] = {dcache_int(7), dcache_int(8), dcache_int(9), dcache_int(10)};
    int64_t maxlen = 5;

    assert_int_equal(dcache_deque_maxlen(d, &maxlen), 0);
    assert_int_equal(maxlen, -1);
    fill(d, 1, 5);
    assert_int_equal(dcache_deque_set_maxlen(d, 3), 0);
    assert_string_equal(numbers(d), "3 4 5 ");
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, INT(6)), 0);
    assert_string_equal(numbers(d), "4 5 6 ");
    place_close(place);
    place_open(place);
    d = place->cache;
    assert_int_equal(dcache_deque_maxlen(d, &maxlen), 0);
    assert_int_equal(maxlen, 3);
    assert_int_equal(dcache_deque_push(d, DCACHE_FRONT, INT(3)), 0);
    assert_string_equal(numbers(d), "3 4 5 ");
    assert_int_equal(dcache_deque_extend(d, DCACHE_BACK, values, 4), 0);
    assert_string_equal(numbers(d), "8 9 10 ");
    assert_int_equal(dcache_deque_extend(d, DCACHE_FRONT, values, 4), 0);
    assert_string_equal(numbers(d), "10 9 8 ");
    assert_int_equal(dcache_deque_set_maxlen(d, 0), 0);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, VALUE(large('x'))), 0);
    assert_string_equal(numbers(d), "");
    assert_int_equal(count_files(dir_of(state)), 0);
    assert_int_equal(dcache_deque_set_maxlen(d, -2), DCACHE_INVALID);
    assert_int_equal(dcache_deque_set_maxlen(d, -1), 0);
    fill(d, 1, 5);
    assert_string_equal(numbers(d), "1 2 3 4 5 ");
}

static void a_transaction_sees_its_own_greatest_length(void **state)
{
    dcache *d = deque_of(state), *txn;

    fill(d, 1, 3);
    assert_int_equal(dcache_begin(d, -1, &txn), 0);
    assert_int_equal(dcache_deque_set_maxlen(txn, 2), 0);
    assert_int_equal(dcache_deque_push(txn, DCACHE_BACK, INT(4)), 0);
    assert_string_equal(numbers(txn), "3 4 ");
    assert_string_equal(numbers(d), "1 2 3 ");
    dcache_rollback(txn);
    assert_int_equal(dcache_deque_push(d, DCACHE_BACK, INT(4)), 0);
    assert_string_equal(numbers(d), "1 2 3 4 ");
    assert_counters_right(dir_of(state));
}

/* ---- beside writers ---- */

static void a_walk_is_not_disturbed_by_what_happens_at_the_ends(void **state)
{
    dcache *d = deque_of(state);
    struct dcache_entry entry;
    dcache_iter *iter;
    int64_t last = -1;
    int seen = 0;

    fill(d, 0, 1000);
    assert_int_equal(
        dcache_iter_open(d, ITER(.order = DCACHE_BY_KEY, .stop = INT(500000000001000)), &iter), 0);
    while (dcache_iter_next(iter, &entry) == 0) {
        assert_true(entry.value.integer > last);
        last = entry.value.integer;
        seen += last < 500;
        dcache_entry_clear(&entry);
        if (seen < 400)
            assert_true(pop(d, DCACHE_BACK) > 500);
        assert_int_equal(dcache_deque_push(d, DCACHE_FRONT, INT(-1)), 0);
        if (last == 250)
            assert_int_equal(dcache_deque_delete(d, -100), 0);
    }
    dcache_iter_close(iter);
    assert_int_equal(seen, 500);
}

#define THREADS 4
#define ITEMS 400

struct taker {
    dcache *deque;
    unsigned char *taken;
    int seed;
};

static void *take_some(void *arg)
{
    struct taker *t = arg;
    struct dcache_entry entry;

    for (int i = 0; dcache_deque_pop(t->deque, (t->seed + i) % 2 ? DCACHE_BACK : DCACHE_FRONT, NULL,
                                     &entry) == 0;
         i++) {
        __atomic_fetch_add(&t->taken[entry.value.integer], 1, __ATOMIC_RELAXED);
        dcache_entry_clear(&entry);
    }
    return NULL;
}

static void each_item_goes_to_exactly_one_taker(void **state)
{
    dcache *d = deque_of(state);
    unsigned char taken[ITEMS] = {0};
    struct taker takers[THREADS];
    pthread_t threads[THREADS];

    fill(d, 0, ITEMS);
    for (int i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){d, taken, i};
        assert_int_equal(pthread_create(&threads[i], NULL, take_some, &takers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(taken[i], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(each_side_gives_back_what_was_put_there_last),
        TEST(extending_at_the_front_reverses),
        TEST(an_extension_is_all_or_nothing),
        TEST(files_of_stored_values_are_ours_even_if_the_extension_fails),
        TEST(a_queue_of_text_is_extended_alike),
        TEST(an_index_counts_from_either_end),
        TEST(gaps_and_other_keys_do_not_confuse_an_index),
        TEST(an_item_is_set_and_deleted_by_index),
        TEST(an_index_never_points_at_what_is_dead),
        TEST(rotation_goes_round_in_either_direction),
        TEST(reversal_closes_gaps_and_copies_no_file),
        TEST(dead_items_are_not_turned_round),
        TEST(keys_that_run_out_undo_the_whole),
        TEST(the_first_equal_item_is_removed),
        TEST(real_keys_are_no_items),
        TEST(values_are_ordered_by_type_and_then_by_what_they_are),
        TEST(a_copy_has_the_same_items_also_onto_itself),
        TEST(the_first_difference_decides),
        TEST(the_greatest_length_is_kept_with_the_directory),
        TEST(a_transaction_sees_its_own_greatest_length),
        TEST(a_walk_is_not_disturbed_by_what_happens_at_the_ends),
        TEST(each_item_goes_to_exactly_one_taker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
