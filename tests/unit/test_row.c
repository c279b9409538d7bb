/* test_row.c - each SQL statement on table Cache does what row.h says of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"
#include "range.h"
#include "schema.h"

static struct db db;

static int make(void **state)
{
    struct settings settings;
    int rc = sandbox_make(state);

    memset(&db, 0, sizeof db);
    settings_default(&settings, 1);
    rc |= write_file(in("cache.db"), "", 0);
    rc |= db_open(&db, in("cache.db"), 0);
    rc |= schema_prepare(&db, &settings, false);
    rc |= schema_create(&db, &settings);
    return rc;
}

static int unmake(void **state)
{
    db_close(&db);
    return sandbox_remove(state);
}

#undef TEST
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, unmake)

/* ---- short forms ---- */

static struct row sample(struct dcache_value key)
{
    struct row row = {0};

    row.key = key;
    row.raw = 1;
    row.store_time = 1000.5;
    row.expire_time = DCACHE_NEVER;
    row.access_time = 1000.5;
    row.mode = MODE_RAW;
    row.value = dcache_int(7);
    return row;
}

static int64_t inserted(struct row row)
{
    int64_t rowid = -1;

    assert_int_equal(row_insert(&db, &row, &rowid), 0);
    return rowid;
}

static void run(const char *sql)
{
    assert_int_equal(db_exec(&db, sql), 0);
}

static int64_t number(const char *sql)
{
    sqlite3_stmt *s;
    int64_t result = -999;

    assert_int_equal(db_prepare(&db, sql, &s), 0);
    assert_int_equal(db_integer(&db, s, -1, &result), 0);
    (void)sqlite3_finalize(s);
    return result;
}

/* The rowids of victims as text: "3 1 2". */
static const char *victims_of(struct row_query query, int limit)
{
    static char text[200];
    struct victim victims[20];
    int count = 0;

    text[0] = 0;
    assert_int_equal(row_victims(&db, &query, limit, victims, &count), 0);
    for (int i = 0; i < count; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i ? " " : "",
                       (long long)victims[i].rowid);
        free(victims[i].filename);
    }
    return text;
}

/* The keys of a page as text; text keys in quotes, bytes in angle brackets. */
static const char *page_of(const struct dcache_iter_options *options, struct dcache_value end)
{
    static char text[400];
    struct range range = {.options = options, .prefix_end = end, .now = 500, .max_rowid = 99};
    sqlite3_stmt *s;

    text[0] = 0;
    range.with_value = true;
    assert_int_equal(range_page(&db, &range, 50, &s), 0);
    while (db_step(&db, s) == 1) {
        struct row row;
        size_t used = strlen(text);
        char *at = text + used;

        assert_int_equal(row_from_statement(s, &row), 0);
        if (row.key.type == DCACHE_INT)
            (void)snprintf(at, sizeof text - used, "%lld ", (long long)row.key.integer);
        else if (row.key.type == DCACHE_DOUBLE)
            (void)snprintf(at, sizeof text - used, "%g ", row.key.real);
        else
            (void)snprintf(at, sizeof text - used, row.key.type == DCACHE_TEXT ? "'%s' " : "<%s> ",
                           (const char *)row.key.data);
        row_clear(&row);
    }
    db_page_end(&db);
    return text;
}

static struct dcache_iter_options iteration(unsigned flags, enum dcache_order order)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);

    options.flags = flags;
    options.order = order;
    return options;
}

/* ---- one row ---- */

static void row_comes_back_as_it_was_stored(void **state)
{
    struct row row = sample(dcache_sized(DCACHE_TEXT, "k\0y", 3)), back;
    int64_t rowid;

    (void)state;
    row.expire_time = 2000.25;
    row.access_count = 3;
    row.tag = dcache_bytes("tag", 3);
    row.size = 123;
    row.mode = MODE_BINARY;
    row.filename = "ab/cd/x.val";
    row.value = dcache_none();
    rowid = inserted(row);
    assert_int_equal(row_get(&db, &row.key, 1, &back), 0);
    assert_int_equal(back.rowid, rowid);
    assert_int_equal(back.key.size, 3);
    assert_memory_equal(back.key.data, "k\0y", 3);
    assert_true(back.store_time == 1000.5 && back.expire_time == 2000.25);
    assert_true(back.access_time == 1000.5 && back.access_count == 3);
    assert_int_equal(back.tag.type, DCACHE_BYTES);
    assert_memory_equal(back.tag.data, "tag", 3);
    assert_int_equal(back.size, 123);
    assert_int_equal(back.mode, MODE_BINARY);
    assert_string_equal(back.filename, "ab/cd/x.val");
    assert_int_equal(back.value.type, DCACHE_NONE);
    row_clear(&back);
    row_clear(&back);
}

static void keys_of_other_kinds_are_other_rows(void **state)
{
    struct dcache_value keys[] = {dcache_text("5"), dcache_bytes("5", 1), dcache_int(5),
                                  dcache_text("")};
    struct row row;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(inserted(sample(keys[i])), i + 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(row_get(&db, &keys[i], 1, &row), 0);
        assert_int_equal(row.rowid, i + 1);
        row_clear(&row);
        assert_int_equal(row_get(&db, &keys[i], 0, &row), DCACHE_NOT_FOUND);
        assert_int_equal(row_find(&db, &keys[i], 0, &row), DCACHE_NOT_FOUND);
    }
}

static void second_row_of_a_key_is_refused(void **state)
{
    struct row row = sample(dcache_text("k"));
    int64_t rowid = -5;

    (void)state;
    (void)inserted(row);
    assert_int_equal(row_insert(&db, &row, &rowid), DCACHE_EXISTS);
    assert_int_equal(rowid, -5);
    row.raw = 0;
    assert_int_equal(row_insert(&db, &row, &rowid), 0);
    assert_int_equal(number("SELECT count(*) FROM Cache"), 2);
}

static void found_again_after_another_took_its_place(void **state)
{
    struct dcache_value a = dcache_text("a"), b = dcache_text("b");
    struct row row;
    int64_t rowid = inserted(sample(a));

    (void)state;
    assert_int_equal(row_get(&db, &a, 1, &row), 0);
    row_clear(&row);
    assert_int_equal(row_delete(&db, rowid), 0);
    assert_int_equal(inserted(sample(b)), rowid); /* what was remembered of `a` is wrong now */
    assert_int_equal(row_get(&db, &a, 1, &row), DCACHE_NOT_FOUND);
    assert_int_not_equal(inserted(sample(a)), rowid);
    assert_int_equal(row_get(&db, &a, 1, &row), 0);
    assert_int_not_equal(row.rowid, rowid);
    row_clear(&row);
}

static void update_changes_all_but_the_key(void **state)
{
    struct row row = sample(dcache_text("k")), other = sample(dcache_text("ignored")), back;
    int64_t rowid = inserted(row);

    (void)state;
    other.store_time = 5;
    other.expire_time = 6;
    other.tag = dcache_int(9);
    other.size = 8;
    other.value = dcache_text("new");
    assert_int_equal(row_update(&db, rowid, &other), 0);
    assert_int_equal(row_get(&db, &row.key, 1, &back), 0);
    assert_true(back.store_time == 5 && back.expire_time == 6 && back.size == 8);
    assert_int_equal(back.tag.integer, 9);
    assert_string_equal(back.value.data, "new");
    row_clear(&back);
}

static void overwrite_is_only_for_rows_without_file_and_size(void **state)
{
    struct row row = sample(dcache_text("k")), back;
    int64_t rowid = inserted(row), got = -5;

    (void)state;
    row.value = dcache_int(8);
    assert_int_equal(row_overwrite(&db, &row, &got), 0);
    assert_int_equal(got, rowid);
    assert_int_equal(row_get(&db, &row.key, 1, &back), 0);
    assert_int_equal(back.value.integer, 8);
    row_clear(&back);
    run("UPDATE Cache SET size = 1");
    assert_int_equal(row_overwrite(&db, &row, &got), DCACHE_NOT_FOUND);
    run("UPDATE Cache SET size = 0, filename = 'ab/cd/x.val'");
    assert_int_equal(row_overwrite(&db, &row, &got), DCACHE_NOT_FOUND);
    row.key = dcache_text("other");
    assert_int_equal(row_overwrite(&db, &row, &got), DCACHE_NOT_FOUND);
}

static void no_expiry_is_null_and_comes_back_as_never(void **state)
{
    struct row row = sample(dcache_text("k")), back;
    int64_t rowid = inserted(row);

    (void)state;
    assert_int_equal(number("SELECT expire_time IS NULL FROM Cache"), 1);
    assert_int_equal(row_get(&db, &row.key, 1, &back), 0);
    assert_true(back.expire_time == DCACHE_NEVER);
    row_clear(&back);
    assert_int_equal(row_touch(&db, rowid, 77), 0);
    assert_int_equal(number("SELECT expire_time FROM Cache"), 77);
    assert_int_equal(row_touch(&db, rowid, DCACHE_NEVER), 0);
    assert_int_equal(number("SELECT expire_time IS NULL FROM Cache"), 1);
    assert_int_equal(row_set_size(&db, rowid, 55), 0);
    assert_int_equal(number("SELECT size FROM Cache"), 55);
}

static void row_is_live_until_its_moment(void **state)
{
    struct row row = {.expire_time = os_now() + 100};

    (void)state;
    assert_true(row_is_live(&row));
    os_clock_offset = 99;
    assert_true(row_is_live(&row));
    os_clock_offset = 101;
    assert_false(row_is_live(&row));
    row.expire_time = DCACHE_NEVER;
    assert_true(row_is_live(&row));
}

static void separators_of_windows_become_ours(void **state)
{
    struct dcache_value key = dcache_text("k");
    struct victim victim;
    struct row row;
    bool has = false;
    int count;

    (void)state;
    (void)inserted(sample(key));
    run("UPDATE Cache SET filename = 'ab\\cd\\x.val'");
    assert_int_equal(row_get(&db, &key, 1, &row), 0);
    assert_string_equal(row.filename, "ab/cd/x.val");
    row_clear(&row);
    assert_int_equal(row_victims(&db, &(struct row_query){.select = ROW_FILES}, 1, &victim, &count),
                     0);
    assert_string_equal(victim.filename, "ab/cd/x.val");
    free(victim.filename);
    assert_int_equal(row_has_file(&db, "ab/cd/x.val", &has), 0);
    assert_true(has);
    assert_int_equal(row_has_file(&db, "ab/cd/y.val", &has), 0);
    assert_false(has);
}

static void odd_columns_of_a_foreign_hand_do_no_harm(void **state)
{
    struct dcache_value key = dcache_text("k");
    struct row row;

    (void)state;
    (void)inserted(sample(key));
    run("UPDATE Cache SET store_time = 'x', access_time = NULL, size = 'big', mode = 'm',"
        " expire_time = x'00', tag = 1.5, filename = x'05', value = NULL");
    assert_int_equal(row_get(&db, &key, 1, &row), 0);
    assert_null(row.filename);
    assert_int_equal(row.size, 0);
    assert_true(row.store_time == 0 && row.access_time == 0);
    row_clear(&row);
}

/* ---- numbers and accesses ---- */

static void number_changes_with_the_times_that_the_policy_keeps(void **state)
{
    struct row row = sample(dcache_text("k"));
    struct dcache_value eight = dcache_int(8);

    (void)state;
    row.rowid = inserted(row);
    assert_int_equal(row_set_number(&db, &row, &eight, POLICY_STORED, 2000), 0);
    assert_int_equal(number("SELECT value = 8 AND store_time = 2000 AND access_time = 1000.5"
                            " AND access_count = 0 FROM Cache"),
                     1);
    assert_int_equal(row_set_number(&db, &row, &eight, POLICY_USED, 2001), 0);
    assert_int_equal(number("SELECT access_time = 2001 AND access_count = 0 FROM Cache"), 1);
    assert_int_equal(row_set_number(&db, &row, &eight, POLICY_FREQUENT, 2002), 0);
    assert_int_equal(number("SELECT store_time = 2002 AND access_count = 1 FROM Cache"), 1);
}

static void access_never_goes_back_in_time_and_spares_the_pinned(void **state)
{
    struct row row = sample(dcache_text("k"));
    int64_t rowid = inserted(row), pinned;

    (void)state;
    row.key = dcache_text("pinned");
    row.store_time = row.access_time = ROW_PINNED_TIME + 5;
    assert_true(row_is_pinned(&row));
    pinned = inserted(row);
    assert_int_equal(row_add_access(&db, rowid, 3000, 2), 0);
    assert_int_equal(row_add_access(&db, rowid, 10, 3), 0);
    assert_int_equal(row_add_access(&db, pinned, 3000, 2), 0);
    assert_int_equal(number("SELECT access_time = 3000 AND access_count = 5 FROM Cache"
                            " WHERE rowid = 1"),
                     1);
    assert_int_equal(number("SELECT access_time > 1e12 AND access_count = 0 FROM Cache"
                            " WHERE rowid = 2"),
                     1);
    row.rowid = pinned;
    assert_int_equal(row_set_number(&db, &row, &row.value, POLICY_FREQUENT, 9), 0);
    assert_int_equal(number("SELECT store_time > 1e12 AND access_count = 0 FROM Cache"
                            " WHERE rowid = 2"),
                     1);
    assert_int_equal(row_add_access(&db, 12345, 1, 1), 0); /* gone meanwhile */
}

/* ---- victims ---- */

#define ROWS                                                                                   \
    "INSERT INTO Cache (rowid, key, raw, store_time, access_time, access_count, expire_time,"  \
    " tag, filename) VALUES (1, 'a', 1, 30, 10, 2, 50, 't', NULL), (2, 'b', 1, 10, 30, 1, 40," \
    " 't', 'f'), (3, 'c', 1, 20, 20, 3, NULL, 5, 'g'),"                                        \
    " (4, 'p', 1, 1e12, 1e12, 4611686018427387904, 45, NULL, NULL)"

static void policies_order_their_victims_and_spare_the_pinned(void **state)
{
    (void)state;
    run(ROWS);
    assert_string_equal(
        victims_of((struct row_query){.select = ROW_POLICY, .policy = POLICY_STORED}, 9), "2 3 1");
    assert_string_equal(
        victims_of((struct row_query){.select = ROW_POLICY, .policy = POLICY_USED}, 9), "1 3 2");
    assert_string_equal(
        victims_of((struct row_query){.select = ROW_POLICY, .policy = POLICY_FREQUENT}, 2), "2 1");
}

static void expired_come_soonest_first(void **state)
{
    (void)state;
    run(ROWS);
    assert_string_equal(victims_of((struct row_query){.select = ROW_EXPIRED, .now = 40}, 9), "");
    assert_string_equal(victims_of((struct row_query){.select = ROW_EXPIRED, .now = 46}, 9), "2 4");
    assert_string_equal(victims_of((struct row_query){.select = ROW_EXPIRED, .now = 99}, 9),
                        "2 4 1");
}

static void other_victims_come_by_rowid_after_the_last(void **state)
{
    struct dcache_value tag = dcache_text("t"), five = dcache_int(5), none = dcache_text("x");

    (void)state;
    run(ROWS);
    assert_string_equal(victims_of((struct row_query){.select = ROW_TAGGED, .tag = &tag}, 9),
                        "1 2");
    assert_string_equal(
        victims_of((struct row_query){.select = ROW_TAGGED, .tag = &tag, .after = 1}, 9), "2");
    assert_string_equal(victims_of((struct row_query){.select = ROW_TAGGED, .tag = &five}, 9), "3");
    assert_string_equal(victims_of((struct row_query){.select = ROW_TAGGED, .tag = &none}, 9), "");
    assert_string_equal(victims_of((struct row_query){.select = ROW_ALL}, 3), "1 2 3");
    assert_string_equal(victims_of((struct row_query){.select = ROW_ALL, .after = 3}, 3), "4");
    assert_string_equal(victims_of((struct row_query){.select = ROW_FILES}, 9), "2 3");
}

static void figures_are_those_of_the_rows(void **state)
{
    int64_t count = -1, size = -1;

    (void)state;
    assert_int_equal(row_totals(&db, &count, &size), 0);
    assert_int_equal(count, 0);
    assert_int_equal(size, 0);
    assert_int_equal(row_max_rowid(&db, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(row_min_access_count(&db, &count), 0);
    assert_int_equal(count, 0);
    run(ROWS);
    run("UPDATE Cache SET size = rowid * 10");
    assert_int_equal(row_totals(&db, &count, &size), 0);
    assert_int_equal(count, 4);
    assert_int_equal(size, 100);
    assert_int_equal(row_max_rowid(&db, &count), 0);
    assert_int_equal(count, 4);
    assert_int_equal(row_min_access_count(&db, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(row_count_expired(&db, 46, &count), 0);
    assert_int_equal(count, 2);
}

/* ---- queues and ends ---- */

static void expect_end(const char *prefix, enum dcache_side side, int64_t rowid)
{
    struct row row = {0};
    int rc = row_queue_end(&db, prefix, side, &row);

    assert_int_equal(rc, rowid ? 0 : DCACHE_NOT_FOUND);
    if (rc == 0)
        assert_int_equal(row.rowid, rowid);
    row_clear(&row);
}

static void queue_of_integers_has_bounds_and_no_other_kinds(void **state)
{
    (void)state;
    expect_end(NULL, DCACHE_FRONT, 0);
    run("INSERT INTO Cache (rowid, key, raw) VALUES (1, 0, 1), (2, 999999999999999, 1),"
        " (3, 2.5, 1), (4, '500000000000000', 1), (5, x'31', 0), (6, -3, 1)");
    expect_end(NULL, DCACHE_FRONT, 0);
    expect_end(NULL, DCACHE_BACK, 0);
    run("INSERT INTO Cache (rowid, key, raw) VALUES (7, 500000000000001, 1),"
        " (8, 500000000000000, 1), (9, 499999999999999, 1)");
    expect_end(NULL, DCACHE_FRONT, 9);
    expect_end(NULL, DCACHE_BACK, 7);
}

static void queue_of_a_prefix_is_not_that_of_a_longer_one(void **state)
{
    (void)state;
    run("INSERT INTO Cache (rowid, key, raw) VALUES (1, 'a-1-500000000000000', 1),"
        " (2, 'a-50000000000000x', 1), (3, 'ab-500000000000000', 1), (4, 'a-5', 1),"
        " (5, x'612d353030303030303030303030303030', 1), (6, 'a-500000000000000', 0)");
    expect_end("a", DCACHE_FRONT, 0);
    expect_end("a-1", DCACHE_FRONT, 1);
    expect_end("ab", DCACHE_BACK, 3);
    run("INSERT INTO Cache (rowid, key, raw) VALUES (7, 'a-500000000000001', 1),"
        " (8, 'a-500000000000000', 1), (9, '\xc3\xa9-500000000000000', 1),"
        " (10, '-500000000000000', 1)");
    expect_end("a", DCACHE_FRONT, 8);
    expect_end("a", DCACHE_BACK, 7);
    expect_end("\xc3\xa9", DCACHE_FRONT, 9);
    expect_end("", DCACHE_FRONT, 10);
}

static void ends_are_those_of_insertion(void **state)
{
    struct row row;

    (void)state;
    assert_int_equal(row_end(&db, DCACHE_FRONT, &row), DCACHE_NOT_FOUND);
    run(ROWS);
    assert_int_equal(row_end(&db, DCACHE_FRONT, &row), 0);
    assert_int_equal(row.rowid, 1);
    row_clear(&row);
    assert_int_equal(row_end(&db, DCACHE_BACK, &row), 0);
    assert_int_equal(row.rowid, 4);
    row_clear(&row);
}

/* ---- pages ---- */

#define KEYS                                                                                       \
    "INSERT INTO Cache (key, raw, expire_time, tag) VALUES ('b', 1, NULL, 't'), (2, 1, 400, 't')," \
    " (x'61', 1, 600, NULL), ('a', 1, 500, 5), (1.5, 1, NULL, NULL), ('ab', 1, NULL, 't')"

static void pages_go_by_key_and_by_insertion_both_ways(void **state)
{
    struct dcache_iter_options options = iteration(0, DCACHE_BY_KEY);
    struct dcache_value end = dcache_none();

    (void)state;
    run(KEYS);
    assert_string_equal(page_of(&options, end), "1.5 2 'a' 'ab' 'b' <a> ");
    options.flags = DCACHE_REVERSE;
    assert_string_equal(page_of(&options, end), "<a> 'b' 'ab' 'a' 2 1.5 ");
    options.order = DCACHE_BY_INSERTION;
    assert_string_equal(page_of(&options, end), "'ab' 1.5 'a' <a> 2 'b' ");
    options.flags = 0;
    assert_string_equal(page_of(&options, end), "'b' 2 <a> 'a' 1.5 'ab' ");
}

static void pages_are_filtered(void **state)
{
    struct dcache_iter_options options = iteration(DCACHE_LIVE_ONLY, DCACHE_BY_KEY);
    struct dcache_value a = dcache_text("a"), b = dcache_text("b"), two = dcache_int(2);
    struct dcache_value tag = dcache_text("t"), none = dcache_none();

    (void)state;
    run(KEYS);
    assert_string_equal(page_of(&options, none), "1.5 'ab' 'b' <a> ");
    options.flags = DCACHE_EXPIRED_ONLY;
    assert_string_equal(page_of(&options, none), "2 'a' ");
    options.flags = 0;
    options.tag = &tag;
    assert_string_equal(page_of(&options, none), "2 'ab' 'b' ");
    options.tag = &none;
    assert_string_equal(page_of(&options, none), "1.5 <a> ");
    options.tag = NULL;
    options.prefix = &a;
    assert_string_equal(page_of(&options, b), "'a' 'ab' ");
    options.prefix = NULL;
    options.start = &two;
    options.stop = &b;
    assert_string_equal(page_of(&options, none), "2 'a' 'ab' ");
}

/* ---- the schema ---- */

static void schema_changed_by_another_connection_shows_once(void **state)
{
    struct dcache_value key = dcache_int(1);
    struct row row = {0};
    struct db other = {0};

    (void)state;
    (void)inserted(sample(key));
    assert_int_equal(row_get(&db, &key, 1, &row), 0);
    row_clear(&row);
    (void)row_get_read_schema(&db);
    assert_int_equal(row_get(&db, &key, 1, &row), 0);
    row_clear(&row);
    assert_false(row_get_read_schema(&db));
    assert_int_equal(db_open(&other, in("cache.db"), 0), 0);
    assert_int_equal(db_exec(&other, "CREATE INDEX i ON Cache (tag)"), 0);
    db_close(&other);
    assert_int_equal(row_get(&db, &key, 1, &row), 0);
    row_clear(&row);
    assert_true(row_get_read_schema(&db));
    assert_false(row_get_read_schema(&db));
}

/* Or what is stored within 0.1 ms after it would seem to be earlier. */
static void pinned_row_is_not_later_than_it_is(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double now = 1.7e9 + i * 1e-6;
        struct row row = {.store_time = row_pinned_time(now)};

        assert_true(row_is_pinned(&row));
        assert_true(row_time(&row) <= now);
        assert_true(now - row_time(&row) < ROW_PINNED_STEP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(row_comes_back_as_it_was_stored),
        TEST(keys_of_other_kinds_are_other_rows),
        TEST(second_row_of_a_key_is_refused),
        TEST(found_again_after_another_took_its_place),
        TEST(update_changes_all_but_the_key),
        TEST(overwrite_is_only_for_rows_without_file_and_size),
        TEST(no_expiry_is_null_and_comes_back_as_never),
        TEST(row_is_live_until_its_moment),
        TEST(separators_of_windows_become_ours),
        TEST(odd_columns_of_a_foreign_hand_do_no_harm),
        TEST(number_changes_with_the_times_that_the_policy_keeps),
        TEST(access_never_goes_back_in_time_and_spares_the_pinned),
        TEST(policies_order_their_victims_and_spare_the_pinned),
        TEST(expired_come_soonest_first),
        TEST(other_victims_come_by_rowid_after_the_last),
        TEST(figures_are_those_of_the_rows),
        TEST(queue_of_integers_has_bounds_and_no_other_kinds),
        TEST(queue_of_a_prefix_is_not_that_of_a_longer_one),
        TEST(ends_are_those_of_insertion),
        TEST(pages_go_by_key_and_by_insertion_both_ways),
        TEST(pages_are_filtered),
        TEST(schema_changed_by_another_connection_shows_once),
        TEST(pinned_row_is_not_later_than_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
