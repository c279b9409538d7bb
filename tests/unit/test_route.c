/* test_route.c - a key is in the shard where 5.6.3 has it, or is found and brought there. */
#include "fanout.h"

#include <string.h>

/* As 5.6.3 would place it: past the library's own choice of a shard. */
static void put_in(dcache *fanout, int number, const struct dcache_value *key,
                   const struct dcache_value *value)
{
    assert_int_equal(dcache_set(dcache_shard(fanout, number), key, value, SET(.expire_at = 4e9)),
                     0);
}

static void a_key_is_in_the_shard_where_5_6_3_looks_for_it(void **state)
{
    static const struct {
        struct dcache_value key;
        int shard;
    } cases[] = {
        {{.type = DCACHE_INT, .integer = 13}, 5},
        {{.type = DCACHE_INT, .integer = -1}, 6},           /* (2^32 - 2) mod 8 */
        {{.type = DCACHE_TEXT, .data = "a", .size = 1}, 2}, /* adler32: 0x00620062 */
        {{.type = DCACHE_BYTES, .data = "a", .size = 1}, 2},
        {{.type = DCACHE_DOUBLE, .real = 1.5}, 0}, /* of 3f f8 0 0 0 0 0 0: 0x08C80138 */
    };
    dcache *c = fanout_of(state);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t before = rows_in(dir_of(state), cases[i].shard);

        assert_int_equal(dcache_set(c, &cases[i].key, INT(1), NULL), 0);
        assert_int_equal(rows_in(dir_of(state), cases[i].shard), before + 1);
        assert_ptr_equal(dcache_shard_for(c, &cases[i].key), dcache_shard(c, cases[i].shard));
    }
    assert_int_equal(count_of(c), 5);
}

static void numbers_that_are_equal_are_one_key(void **state)
{
    dcache *c = fanout_of(state);

    assert_int_equal(dcache_set(c, INT(3), TEXT("three"), NULL), 0);
    assert_true(get_is(c, DOUBLE(3), TEXT("three")));
    assert_int_equal(dcache_add(c, DOUBLE(3), INT(0), NULL), DCACHE_EXISTS);
    assert_int_equal(dcache_set(c, DOUBLE(3), INT(5), NULL), 0);
    assert_int_equal(dcache_incr(c, INT(3), INT(1), NULL, NULL), 0);
    assert_true(get_is(c, DOUBLE(3), INT(6)));
    assert_int_equal(count_of(c), 1);
    assert_int_equal(dcache_delete(c, DOUBLE(3)), 0);
    assert_int_equal(dcache_contains(c, INT(3)), DCACHE_NOT_FOUND);
    /* Not beyond what a float has as its own. */
    assert_int_equal(dcache_set(c, INT(INT64_MAX), INT(1), NULL), 0);
    assert_int_equal(dcache_contains(c, DOUBLE(9223372036854775807.0)), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_set(c, DOUBLE(1e300), INT(2), NULL), 0);
    assert_int_equal(dcache_set(c, DOUBLE(0.5), INT(3), NULL), 0);
    assert_int_equal(dcache_set(c, DOUBLE(-0.0), INT(4), NULL), 0);
    assert_true(get_is(c, INT(0), INT(4)));
    assert_true(get_is(c, DOUBLE(1e300), INT(2)));
    assert_true(get_is(c, DOUBLE(0.5), INT(3)));
}

/* The float 3.0 is 40 08 0 0 0 0 0 0, its adler32 0x02400049: shard 1, where the integer is in 3. */
#define ELSEWHERE 1
#define HOME 3

static void what_5_6_3_has_put_elsewhere_is_found(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_entry many[2];
    struct dcache_value keys[2] = {dcache_int(3), dcache_int(4)};

    put_in(c, ELSEWHERE, DOUBLE(3), VALUE(large('e')));
    assert_true(get_is(c, DOUBLE(3), VALUE(large('e'))));
    assert_true(get_is(c, INT(3), VALUE(large('e'))));
    assert_int_equal(dcache_contains(c, INT(3)), 0);
    assert_int_equal(dcache_get_many(c, keys, 2, NULL, many), 0);
    assert_int_equal(many[0].status, 0);
    assert_int_equal(many[1].status, DCACHE_NOT_FOUND);
    dcache_entry_clear(&many[0]);
    dcache_entry_clear(&many[1]);
    assert_int_equal(rows_in(dir_of(state), HOME), 0); /* a read writes nothing */
}

static void each_key_of_two_is_read_as_5_6_3_would(void **state)
{
    dcache *c = fanout_of(state);

    put_in(c, ELSEWHERE, DOUBLE(3), TEXT("float"));
    put_in(c, HOME, INT(3), TEXT("integer"));
    assert_true(get_is(c, DOUBLE(3), TEXT("float")));
    assert_true(get_is(c, INT(3), TEXT("integer")));
}

static void assert_home(void **state, const struct dcache_value *value)
{
    assert_int_equal(rows_in(dir_of(state), ELSEWHERE), 0);
    if (value) {
        assert_int_equal(rows_in(dir_of(state), HOME), 1);
        assert_true(get_is(fanout_of(state), INT(3), value));
        assert_true(get_is(fanout_of(state), DOUBLE(3), value));
    } else {
        assert_int_equal(rows_in(dir_of(state), HOME), 0);
    }
    assert_int_equal(count_files(dir_of(state)), value && value->type == DCACHE_BYTES);
    for (int i = 0; i < 8; i++)
        assert_counters_right(shard_dir(dir_of(state), i));
}

static void the_first_write_brings_it_home(void **state)
{
    dcache *c = fanout_of(state);
    struct dcache_entry entry;
    int64_t deleted;

    put_in(c, ELSEWHERE, DOUBLE(3), VALUE(large('e')));
    assert_int_equal(dcache_set(c, INT(3), TEXT("new"), NULL), 0);
    assert_home(state, TEXT("new"));
    put_in(c, ELSEWHERE, DOUBLE(3), INT(5));
    assert_int_equal(dcache_incr(c, DOUBLE(3), INT(1), NULL, NULL), 0);
    assert_home(state, INT(6));
    put_in(c, ELSEWHERE, DOUBLE(3), VALUE(large('f')));
    assert_int_equal(dcache_touch(c, INT(3), SET(.flags = DCACHE_KEEP_EXPIRE)), 0);
    assert_home(state, VALUE(large('f')));
    entry = got(c, INT(3));
    assert_true(entry.expire_time == 4e9);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_delete(c, INT(3)), 0);
    assert_home(state, NULL);
    put_in(c, ELSEWHERE, DOUBLE(3), INT(5));
    assert_int_equal(dcache_add(c, INT(3), INT(0), NULL), DCACHE_EXISTS);
    assert_home(state, INT(5));
    assert_int_equal(dcache_delete(c, DOUBLE(3)), 0);
    put_in(c, ELSEWHERE, DOUBLE(3), INT(7));
    assert_int_equal(dcache_pop(c, INT(3), NULL, &entry), 0);
    assert_int_equal(entry.value.integer, 7);
    dcache_entry_clear(&entry);
    assert_home(state, NULL);
    put_in(c, ELSEWHERE, DOUBLE(3), VALUE(large('g')));
    assert_int_equal(dcache_set_many(c, INT(3), INT(8), 1, NULL), 0);
    assert_home(state, INT(8));
    put_in(c, ELSEWHERE, DOUBLE(3), VALUE(large('h')));
    assert_int_equal(dcache_delete_many(c, INT(3), 1, &deleted), 0);
    assert_int_equal(deleted, 1);
    assert_home(state, NULL);
}

static void of_two_the_one_stored_last_comes_home(void **state)
{
    dcache *c = fanout_of(state);

    put_in(c, HOME, INT(3), INT(10));
    os_clock_offset = 1;
    put_in(c, ELSEWHERE, DOUBLE(3), INT(20));
    assert_int_equal(dcache_incr(c, INT(3), INT(1), NULL, NULL), 0);
    assert_home(state, INT(21));
    put_in(c, ELSEWHERE, DOUBLE(3), INT(30));
    os_clock_offset = 2;
    put_in(c, HOME, INT(3), INT(40));
    assert_int_equal(dcache_incr(c, DOUBLE(3), INT(1), NULL, NULL), 0);
    assert_home(state, INT(41));
    os_clock_offset = 0;
}

static void a_renamed_item_goes_to_the_shard_of_its_new_key(void **state)
{
    dcache *c = fanout_of(state), *txn;
    struct dcache_entry entry;
    double stored;

    assert_int_equal(dcache_set(c, INT(1), VALUE(large('r')),
                                SET(.expire_at = 4e9, .tag = TEXT("t"), .flags = DCACHE_PINNED)),
                     0);
    assert_int_equal(dcache_set(c, INT(2), INT(2), NULL), 0);
    entry = got(c, INT(1));
    stored = entry.store_time;
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_rename(c, INT(1), INT(2)), DCACHE_EXISTS);
    assert_int_equal(dcache_rename(c, INT(7), INT(6)), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_rename(c, INT(1), INT(9)), 0); /* the same shard */
    assert_int_equal(rows_in(dir_of(state), 1), 1);
    os_clock_offset = 10;
    assert_int_equal(dcache_rename(c, INT(9), INT(4)), 0);
    os_clock_offset = 0;
    assert_int_equal(rows_in(dir_of(state), 1), 0);
    assert_int_equal(count_files(shard_dir(dir_of(state), 4)), 1);
    assert_int_equal(count_files(dir_of(state)), 1);
    entry = got(c, INT(4));
    assert_true(value_equals(&entry.value, VALUE(large('r'))));
    assert_true(entry.store_time == stored && entry.expire_time == 4e9);
    assert_memory_equal(entry.tag.data, "t", 1);
    dcache_entry_clear(&entry);
    assert_int_equal(sql_number(shard_dir(dir_of(state), 4),
                                "SELECT count(*) FROM Cache WHERE store_time > 1e12"),
                     1); /* pinned still */
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(dcache_rename(txn, INT(4), INT(3)), 0);
    dcache_rollback(txn);
    assert_true(get_is(c, INT(4), VALUE(large('r'))));
    assert_int_equal(count_files(dir_of(state)), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fanout_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_in_the_shard_where_5_6_3_looks_for_it),
        TEST(numbers_that_are_equal_are_one_key),
        TEST(what_5_6_3_has_put_elsewhere_is_found),
        TEST(each_key_of_two_is_read_as_5_6_3_would),
        TEST(the_first_write_brings_it_home),
        TEST(of_two_the_one_stored_last_comes_home),
        TEST(a_renamed_item_goes_to_the_shard_of_its_new_key),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
