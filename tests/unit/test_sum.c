/* Checksums of values that are in rows: what was altered is missing, what others have written is not. */
#include "sandbox.h"

static const char *cache(void)
{
    return in("c");
}

static dcache *opened(void)
{
    dcache *c = NULL;

    assert_int_equal(open_setting(cache(), "checksums", dcache_int(1), &c), 0);
    no_memtable(c); /* sqlite3 is to find what is altered */
    return c;
}

static void sql(const char *statements)
{
    char *command = NULL;

    assert_true(asprintf(&command,
                         "sqlite3 c/cache.db \"%s\" >answer 2>&1 || { cat answer; false; }",
                         statements) > 0);
    assert_int_equal(shell(command), 0);
    free(command);
}

/* What no disk should do, and sqlite3 can: another value, and all else as it was. */
static void alter(const char *key, const char *value)
{
    char text[200];

    (void)snprintf(text, sizeof text, "UPDATE Cache SET value = %s WHERE key = '%s'", value, key);
    sql(text);
}

static int64_t damaged(dcache *c)
{
    struct dcache_stats stats;

    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    return stats.damaged;
}

static void store(dcache *c, const char *key, struct dcache_value value)
{
    assert_int_equal(dcache_set(c, &(struct dcache_value[]){dcache_text(key)}[0], &value, NULL), 0);
}

static int status_of_get(dcache *c, const char *key)
{
    struct dcache_entry e;
    int rc = dcache_get(c, &(struct dcache_value[]){dcache_text(key)}[0], NULL, &e);

    dcache_entry_clear(&e);
    return rc;
}

/* ---- altered ---- */

static void altered_row_is_a_miss_counted_and_found_by_check(void **state)
{
    static const struct {
        struct dcache_value value;
        const char *other;
    } cases[] = {
        {{.type = DCACHE_TEXT, .data = "a text", .size = sizeof "a text" - 1}, "'a texu'"},
        {{.type = DCACHE_TEXT, .data = "a text", .size = sizeof "a text" - 1}, "'a tex'"},
        {{.type = DCACHE_TEXT, .data = "a text", .size = sizeof "a text" - 1}, "x'612074657874'"},
        {{.type = DCACHE_TEXT, .data = "", .size = sizeof "" - 1}, "'x'"},
        {{.type = DCACHE_INT, .integer = 7}, "6"},
        {{.type = DCACHE_INT, .integer = 7}, "7.0"},
        {{.type = DCACHE_DOUBLE, .real = 1.5}, "1.25"},
        {{.type = DCACHE_BYTES, .data = "ab", .size = 2}, "x'6163'"},
        {{.type = DCACHE_PICKLE, .data = "K\1.", .size = 3}, "x'4b022e'"},
        {{.type = DCACHE_NONE}, "NULL"},
    };
    struct dcache_value key = dcache_text("k");
    dcache *c = opened();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dcache_report report;
        struct dcache_entry e;
        int64_t before = damaged(c);

        store(c, "k", cases[i].value);
        assert_int_equal(status_of_get(c, "k"), 0);
        assert_int_equal(problems(c, 0), 0);
        alter("k", cases[i].other);
        assert_int_equal(status_of_get(c, "k"), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_get_many(c, &key, 1, NULL, &e), 0);
        assert_int_equal(e.status, DCACHE_NOT_FOUND);
        assert_int_equal(dcache_contains(c, &key), DCACHE_NOT_FOUND);
        assert_int_equal(damaged(c), before + 3);
        assert_int_equal(dcache_check(c, 1, &report), 0);
        assert_int_equal(report.count, 1);
        assert_int_equal(report.problems[0].kind, DCACHE_PROBLEM_DAMAGED);
        assert_int_equal(report.problems[0].fixed, 1);
        dcache_report_clear(&report);
        assert_int_equal(count_of(c), 0);
        assert_int_equal(problems(c, 0), 0);
    }
    dcache_close(c);
}

static void altered_mode_is_a_miss(void **state)
{
    dcache *c = opened();

    (void)state;
    store(c, "k", dcache_bytes("K\1.", 3));
    sql("UPDATE Cache SET mode = 4");
    assert_int_equal(status_of_get(c, "k"), DCACHE_NOT_FOUND);
    dcache_close(c);
}

static void nobody_is_handed_what_was_altered(void **state)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value key = dcache_text("k"), new_key = dcache_text("l"), one = dcache_int(1);
    struct dcache_value sum;
    struct dcache_entry e;
    dcache_iter *iter;
    dcache *c = opened();

    (void)state;
    store(c, "k", dcache_int(7));
    alter("k", "700");
    assert_int_equal(dcache_iter_open(c, &options, &iter), 0);
    assert_int_equal(dcache_iter_next(iter, &e), DCACHE_NOT_FOUND);
    dcache_iter_close(iter);
    assert_int_equal(dcache_incr(c, &key, &one, NULL, &sum), 0);
    assert_int_equal(sum.integer, 1);
    alter("k", "2");
    assert_int_equal(dcache_add(c, &key, &one, NULL), 0);
    assert_int_equal(dcache_add(c, &key, &one, NULL), DCACHE_EXISTS);
    alter("k", "2");
    assert_int_equal(dcache_rename(c, &key, &new_key), DCACHE_NOT_FOUND);
    store(c, "k", dcache_int(7));
    alter("k", "8");
    assert_int_equal(dcache_pop(c, &key, NULL, &e), DCACHE_NOT_FOUND);
    assert_int_equal(count_of(c), 0);
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, &one, NULL, NULL), 0);
    sql("UPDATE Cache SET value = 2");
    assert_int_equal(dcache_push(c, NULL, DCACHE_BACK, &one, NULL, NULL), 0);
    assert_int_equal(dcache_pull(c, NULL, DCACHE_FRONT, NULL, &e), 0);
    assert_int_equal(e.value.integer, 1);
    dcache_entry_clear(&e);
    assert_int_equal(count_of(c), 0);
    dcache_close(c);
}

/* ---- whole ---- */

static void every_value_fits_its_checksum(void **state)
{
    const struct dcache_value values[] = {
        dcache_int(0),       dcache_int(INT64_MIN), dcache_double(0.0),
        dcache_double(-0.0), dcache_double(NAN),    dcache_double(INFINITY),
        dcache_double(3),    dcache_text(""),       dcache_sized(DCACHE_TEXT, "a\0b", 3),
        dcache_bytes("", 0), dcache_none(),         dcache_sized(DCACHE_PICKLE, "K\1.", 3)};
    struct dcache_value key = dcache_text("k"), new_key = dcache_text("l"),
                        half = dcache_double(.5);
    dcache *c = opened();

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        store(c, "k", values[i]);
        assert_int_equal(status_of_get(c, "k"), 0);
        assert_int_equal(problems(c, 0), 0);
    }
    store(c, "k", dcache_int(1));
    assert_int_equal(dcache_incr(c, &key, &half, NULL, NULL), 0);
    assert_int_equal(dcache_touch(c, &key, NULL), 0);
    assert_int_equal(dcache_rename(c, &key, &new_key), 0);
    assert_int_equal(put_bytes(c, "l", 'x', 50000), 0);
    assert_int_equal(has_bytes(c, "l", 'x', 50000), 1);
    assert_int_equal(put(c, "l", "small"), 0);
    assert_int_equal(has(c, "l", "small"), 1);
    assert_int_equal(problems(c, 0), 0);
    sql("SELECT count(*) FROM Cache WHERE typeof(checksum) = 'integer'");
    assert_int_equal(shell("grep -qx 1 answer"), 0);
    assert_int_equal(damaged(c), 0);
    dcache_close(c);
}

/* The statements are those of 5.6.3: set over a key, a new key, incr. */
static void what_others_have_written_has_no_checksum(void **state)
{
    dcache *c = opened();

    (void)state;
    store(c, "k", dcache_text("ours"));
    store(c, "n", dcache_int(1));
    sql("UPDATE Cache SET store_time = 1e9, expire_time = NULL, access_time = 1e9,"
        " access_count = 0, tag = NULL, size = 0, mode = 1, filename = NULL, value = 'theirs'"
        " WHERE rowid = (SELECT rowid FROM Cache WHERE key = 'k');"
        "INSERT INTO Cache(key, raw, store_time, expire_time, access_time, access_count, tag, size,"
        " mode, filename, value) VALUES ('new', 1, 1e9, NULL, 1e9, 0, NULL, 0, 1, NULL, 'theirs');"
        "UPDATE Cache SET store_time = 1e9, value = 2 WHERE key = 'n'");
    assert_int_equal(has(c, "k", "theirs"), 1);
    assert_int_equal(has(c, "new", "theirs"), 1);
    assert_int_equal(status_of_get(c, "n"), 0);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(damaged(c), 0);
    dcache_close(c);
}

/* ---- the setting ---- */

/* Has it open since before the setting was set; writes and reads when it is told to. */
static int other_process(struct child *self)
{
    dcache *c = NULL;
    char word;

    MUST(open_with(cache(), 0, 5, &c) == 0);
    MUST(put(c, "before", "x") == 0);
    child_say(self, 'o');
    while ((word = child_hear(self)) != 0) {
        if (word == 'w')
            MUST(put(c, "k", "other") == 0);
        else
            MUST(status_of_get(c, "k") == (word == 'd' ? DCACHE_NOT_FOUND : 0));
        child_say(self, word);
    }
    dcache_close(c);
    return 0;
}

static void tell(const struct child *child, char word)
{
    child_say(child, word);
    assert_int_equal(child_hear(child), word);
}

static void setting_may_change_while_others_have_it_open(void **state)
{
    struct dcache_value on = dcache_int(1), off = dcache_int(0);
    dcache *c = NULL;
    struct child child;

    (void)state;
    assert_int_equal(open_with(cache(), 0, 5, &c), 0);
    no_memtable(c);
    child = child_start(other_process);
    assert_int_equal(child_hear(&child), 'o');
    assert_int_equal(dcache_setting_set(c, "checksums", &on), 0);
    assert_int_equal(put(c, "k", "ours"), 0);
    tell(&child, 'g');
    tell(&child, 'w'); /* it sees the setting */
    assert_int_equal(has(c, "k", "other"), 1);
    assert_int_equal(has(c, "before", "x"), 1);
    alter("k", "'altered'");
    tell(&child, 'd');
    assert_int_equal(status_of_get(c, "k"), DCACHE_NOT_FOUND);
    assert_int_equal(dcache_setting_set(c, "checksums", &off), 0);
    assert_int_equal(has(c, "k", "altered"), 1);
    assert_int_equal(problems(c, 0), 1); /* it compares in any case */
    assert_int_equal(put(c, "k", "whole"), 0);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(child_end(&child), 0);
    dcache_close(c);
}

static void database_that_is_made_anew_has_checksums_again(void **state)
{
    dcache *c = opened();

    (void)state;
    assert_int_equal(shell("rm -r c"), 0);
    store(c, "k", dcache_text("again"));
    assert_int_equal(status_of_get(c, "k"), 0);
    alter("k", "'altered'");
    assert_int_equal(status_of_get(c, "k"), DCACHE_NOT_FOUND);
    dcache_close(c);
    c = opened();
    assert_int_equal(status_of_get(c, "k"), DCACHE_NOT_FOUND);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(altered_row_is_a_miss_counted_and_found_by_check),
        TEST(altered_mode_is_a_miss),
        TEST(nobody_is_handed_what_was_altered),
        TEST(every_value_fits_its_checksum),
        TEST(what_others_have_written_has_no_checksum),
        TEST(setting_may_change_while_others_have_it_open),
        TEST(database_that_is_made_anew_has_checksums_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
