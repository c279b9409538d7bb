/* test_index.c - what makes a cache an ordered mapping: setdefault, popitem, equality, renaming. */
#include "support.h"

#include <diskcache_collections.h>

#include <stdio.h>
#include <string.h>

static dcache *index_of(void **state)
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

static void a_collection_evicts_nothing(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting settings[] = {{"cull_limit", dcache_int(3)}};
    struct dcache_value value;
    struct place place;

    (void)state;
    place_new(&place);
    options.timeout = 0.25;
    options.settings = settings;
    options.settings_count = 1;
    assert_int_equal(dcache_open_collection(place.dir, &options, &place.cache), 0);
    assert_int_equal(dcache_setting_get(place.cache, "eviction_policy", &value), 0);
    assert_true(value_equals(&value, TEXT("none")));
    dcache_value_clear(&value);
    assert_int_equal(dcache_setting_get(place.cache, "cull_limit", &value), 0);
    assert_int_equal(value.integer, 3);
    place_close(&place);
    assert_int_equal(dcache_open_collection(place.dir, NULL, &place.cache), 0);
    place_close(&place);
    options.flags = DCACHE_READ_ONLY;
    options.settings_count = 0;
    assert_int_equal(dcache_open_collection(place.dir, &options, &place.cache), 0);
    place_close(&place);
    place_clean(&place);
}

static void setdefault_stores_only_where_there_is_nothing(void **state)
{
    dcache *c = index_of(state);
    struct dcache_entry entry;

    assert_int_equal(
        dcache_setdefault(c, KEY("k"), VALUE(large('a')), SET(.tag = TEXT("t")), NULL, &entry), 0);
    assert_true(value_equals(&entry.value, VALUE(large('a'))));
    assert_true(value_equals(&entry.tag, TEXT("t")));
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_setdefault(c, KEY("k"), VALUE(large('b')), NULL, NULL, &entry), 0);
    assert_true(value_equals(&entry.value, VALUE(large('a'))));
    dcache_entry_clear(&entry);
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    assert_int_equal(dcache_set(c, KEY("old"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(dcache_setdefault(c, KEY("old"), INT(2), NULL, NULL, &entry), 0);
    assert_int_equal(entry.value.integer, 2);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_setdefault(c, VALUE(dcache_fd(1)), INT(2), NULL, NULL, &entry),
                     DCACHE_INVALID);
}

static void popitem_takes_from_either_end(void **state)
{
    dcache *c = index_of(state);
    struct dcache_entry entry;

    must_set(c, "b", dcache_int(1));
    must_set(c, "c", large('c'));
    must_set(c, "a", dcache_int(3));
    assert_int_equal(dcache_popitem(c, DCACHE_FRONT, NULL, &entry), 0);
    assert_true(value_equals(&entry.key, TEXT("b")));
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_popitem(c, DCACHE_BACK, NULL, &entry), 0);
    assert_true(value_equals(&entry.key, TEXT("a")));
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_popitem(c, DCACHE_BACK, NULL, &entry), 0);
    assert_true(value_equals(&entry.value, VALUE(large('c'))));
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_popitem(c, DCACHE_BACK, NULL, &entry), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_popitem(c, (enum dcache_side)2, NULL, &entry), DCACHE_INVALID);
    assert_int_equal(count_files(dir_of(state)), 0);
}

static void a_new_key_keeps_value_file_expiry_and_place(void **state)
{
    dcache *c = index_of(state);
    struct dcache_entry entry;
    int64_t rowid;

    assert_int_equal(
        dcache_set(c, KEY("old"), VALUE(large('v')), SET(.expire_at = 4e9, .tag = TEXT("t"))), 0);
    must_set(c, "later", dcache_int(1));
    entry = got(c, KEY("old"));
    rowid = entry.rowid;
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_rename(c, KEY("old"), NOTHING), 0); /* a key that is pickled */
    assert_int_equal(dcache_contains(c, KEY("old")), DCACHE_NOT_FOUND);
    entry = got(c, NOTHING);
    assert_true(value_equals(&entry.value, VALUE(large('v'))));
    assert_true(value_equals(&entry.tag, TEXT("t")));
    assert_true(entry.expire_time == 4e9);
    assert_int_equal(entry.rowid, rowid);
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_rename(c, NOTHING, INT(1)), 0);
    assert_int_equal(dcache_rename(c, INT(1), DOUBLE(1.0)),
                     0); /* the same key, written otherwise */
    entry = got(c, INT(1));
    assert_true(value_equals(&entry.value, VALUE(large('v'))));
    dcache_entry_clear(&entry);
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_counters_right(dir_of(state));
}

static void a_new_key_must_be_free_of_live_items(void **state)
{
    dcache *c = index_of(state);

    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    must_set(c, "a", large('a'));
    must_set(c, "b", large('b'));
    assert_int_equal(dcache_rename(c, KEY("a"), KEY("b")), DCACHE_EXISTS);
    assert_true(get_is(c, KEY("a"), VALUE(large('a'))));
    assert_true(get_is(c, KEY("b"), VALUE(large('b'))));
    assert_int_equal(dcache_rename(c, KEY("none"), KEY("x")), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_rename(c, KEY("a"), VALUE(dcache_fd(1))), DCACHE_INVALID);
    assert_int_equal(dcache_set(c, KEY("dead"), VALUE(large('d')), SET(.expire = -1)), 0);
    assert_int_equal(dcache_rename(c, KEY("dead"), KEY("x")), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_rename(c, KEY("a"), KEY("dead")), 0);
    lose_file(dir_of(state), "b");
    assert_int_equal(dcache_rename(c, KEY("dead"), KEY("b")), 0);
    assert_true(get_is(c, KEY("b"), VALUE(large('a'))));
    assert_int_equal(count_files(dir_of(state)), 1);
    assert_counters_right(dir_of(state));
}

static void equality_heeds_values_and_if_asked_the_order(void **state)
{
    dcache *c = index_of(state), *other;
    struct place second;
    int equal = 5;

    place_new(&second);
    place_open(&second);
    other = second.cache;
#define EQUAL(ordered) (dcache_equal(c, other, (ordered), &equal) == 0 ? equal : -1)
    assert_int_equal(EQUAL(0), 1);
    assert_int_equal(EQUAL(1), 1);
    must_set(c, "a", dcache_int(1));
    assert_int_equal(EQUAL(0), 0);
    assert_int_equal(EQUAL(1), 0);
    must_set(c, "b", large('b'));
    must_set(other, "b", large('b'));
    must_set(other, "a", dcache_double(1.0));
    assert_int_equal(EQUAL(0), 1);
    assert_int_equal(EQUAL(1), 0);
    must_set(other, "c", dcache_int(3));
    assert_int_equal(EQUAL(0), 0); /* the first is a part of the second */
    must_set(c, "c", dcache_int(4));
    assert_int_equal(EQUAL(0), 0);
    assert_int_equal(EQUAL(1), 0);
    must_set(c, "c", dcache_int(3));
    assert_int_equal(dcache_delete(c, KEY("a")), 0);
    assert_int_equal(dcache_delete(other, KEY("a")), 0);
    assert_int_equal(EQUAL(1), 1);
    assert_int_equal(dcache_setting_set(c, "cull_limit", INT(0)), 0);
    assert_int_equal(dcache_set(c, KEY("dead"), INT(1), SET(.expire = -1)), 0);
    assert_int_equal(EQUAL(1), 1);
    assert_int_equal(EQUAL(0), 1);
    assert_int_equal(dcache_equal(other, c, 0, &equal), 0);
    assert_int_equal(equal, 1);
#undef EQUAL
    place_close(&second);
    place_clean(&second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_collection_evicts_nothing),
        TEST(setdefault_stores_only_where_there_is_nothing),
        TEST(popitem_takes_from_either_end),
        TEST(a_new_key_keeps_value_file_expiry_and_place),
        TEST(a_new_key_must_be_free_of_live_items),
        TEST(equality_heeds_values_and_if_asked_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
