/* test_left.c - what the writes through a handle leave for its owner: files that he removes himself,
 * keys of items that were evicted. */
#include "support.h"

#include <stdio.h>
#include <string.h>

static dcache *open_leaving(const char *dir, unsigned flags)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *c;

    options.flags = flags;
    assert_int_equal(dcache_open(dir, &options, &c), 0);
    return c;
}

static void must_set(dcache *c, const char *key, struct dcache_value value)
{
    os_clock_offset += 1;
    assert_int_equal(dcache_set(c, TEXT(key), &value, NULL), 0);
}

/* Room for two values of LARGE bytes, and half a one. */
static void make_room_for_two(dcache *c)
{
    struct dcache_stats stats;
    struct dcache_value limit;

    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    limit = dcache_int(stats.db_bytes + 16384 + 2 * LARGE + LARGE / 2);
    assert_int_equal(dcache_setting_set(c, "size_limit", &limit), 0);
}

/* What there is to be taken, as text: "file" or the key, with a space after each; files are removed. */
static const char *taken(dcache *c)
{
    static char text[400];
    struct dcache_left *left;
    size_t count, used = 0;

    text[0] = 0;
    assert_int_equal(dcache_take_left(c, &left, &count), 0);
    for (size_t i = 0; i < count; i++) {
        if (left[i].filename)
            assert_int_equal(dcache_remove_file(c, left[i].filename), 0);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s ",
                                 left[i].filename ? "file" : (const char *)left[i].key.data);
    }
    dcache_left_free(left, count);
    return text;
}

static void nothing_is_left_unless_asked_for(void **state)
{
    struct place *p = *state;

    must_set(p->cache, "k", large('a'));
    must_set(p->cache, "k", large('b'));
    assert_int_equal(count_files(p->dir), 1);
    assert_string_equal(taken(p->cache), "");
}

static void files_of_what_is_replaced_or_removed_are_the_owners(void **state)
{
    struct place *p = *state;
    dcache *c = open_leaving(p->dir, DCACHE_LEAVE_FILES);

    must_set(c, "a", large('a'));
    must_set(c, "b", large('b'));
    assert_string_equal(taken(c), "");
    must_set(c, "a", dcache_int(1));
    assert_int_equal(dcache_delete(c, KEY("b")), 0);
    assert_int_equal(count_files(p->dir), 2);
    assert_string_equal(taken(c), "file file ");
    assert_int_equal(count_files(p->dir), 0);
    assert_string_equal(taken(c), "");
    dcache_close(c);
}

static void a_transaction_leaves_when_it_is_committed(void **state)
{
    struct place *p = *state;
    dcache *c = open_leaving(p->dir, DCACHE_LEAVE_FILES), *txn, *inner;

    must_set(c, "a", large('a'));
    must_set(c, "b", large('b'));
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(dcache_delete(txn, KEY("a")), 0);
    assert_int_equal(dcache_begin(txn, -1, &inner), 0);
    assert_int_equal(dcache_delete(inner, KEY("b")), 0);
    assert_int_equal(dcache_commit(inner), 0);
    assert_string_equal(taken(txn), "");
    assert_string_equal(taken(c), "");
    dcache_rollback(txn);
    assert_string_equal(taken(c), "");
    assert_int_equal(count_files(p->dir), 2);
    assert_int_equal(dcache_begin(c, -1, &txn), 0);
    assert_int_equal(dcache_begin(txn, -1, &inner), 0);
    assert_int_equal(dcache_delete(inner, KEY("b")), 0);
    assert_int_equal(dcache_commit(inner), 0);
    assert_int_equal(dcache_delete(txn, KEY("a")), 0);
    assert_int_equal(dcache_commit(txn), 0);
    assert_int_equal(count_files(p->dir), 2);
    assert_string_equal(taken(c), "file file ");
    dcache_close(c);
}

static void a_file_that_nobody_takes_goes_with_the_handle(void **state)
{
    struct place *p = *state;
    dcache *c = open_leaving(p->dir, DCACHE_LEAVE_FILES);

    must_set(c, "a", large('a'));
    must_set(c, "a", large('b'));
    assert_int_equal(count_files(p->dir), 2);
    dcache_close(c);
    assert_int_equal(count_files(p->dir), 1);
}

static void evicted_keys_are_named_and_expired_ones_are_not(void **state)
{
    struct place *p = *state;
    dcache *c = open_leaving(p->dir, DCACHE_NAME_EVICTED);

    must_set(c, "first", large('a'));
    must_set(c, "second", large('b'));
    make_room_for_two(c);
    assert_int_equal(dcache_set(c, KEY("expired"), INT(1), SET(.expire = 1)), 0);
    must_set(c, "third", large('c'));
    must_set(c, "fourth", large('d'));
    assert_string_equal(taken(c), "first second ");
    must_set(c, "third", dcache_int(1)); /* replaced, not evicted */
    assert_string_equal(taken(c), "");
    assert_int_equal(dcache_setting_set(c, "size_limit", INT(0)), 0);
    assert_int_equal(dcache_cull(c, NULL), 0);
    assert_string_equal(taken(c), "fourth third ");
    assert_int_equal(count_files(p->dir), 0);
    dcache_close(c);
}

static void a_shard_says_which_it_is(void **state)
{
    struct place *p = *state;
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_left *left;
    char dir[300];
    size_t count;
    dcache *c;

    (void)snprintf(dir, sizeof dir, "%s/fanout", p->dir);
    options.flags = DCACHE_LEAVE_FILES;
    assert_int_equal(dcache_open_fanout(dir, 4, &options, &c), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dcache_set(c, INT(i), VALUE(large('a')), NULL), 0);
        assert_int_equal(dcache_delete(c, INT(i)), 0);
    }
    assert_int_equal(dcache_take_left(c, &left, &count), 0);
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(left[i].shard, i);
        assert_int_equal(dcache_remove_file(dcache_shard(c, i), left[i].filename), 0);
    }
    dcache_left_free(left, count);
    dcache_close(c);
}

/* One write that replaces a file and evicts; what fails has left nothing to be taken. */
static void any_failing_call_leaves_all_or_nothing(void **state)
{
    struct place *p = *state;

    for (long n = 1;; n++) {
        dcache *c = open_leaving(p->dir, DCACHE_LEAVE_FILES | DCACHE_NAME_EVICTED);
        bool fired;
        int rc;

        assert_int_equal(dcache_clear(c, NULL), 0);
        (void)taken(c);
        assert_int_equal(dcache_setting_set(c, "size_limit", INT(1 << 30)), 0);
        must_set(c, "first", large('a'));
        must_set(c, "second", large('b'));
        must_set(c, "third", dcache_int(1));
        make_room_for_two(c);
        os_clock_offset += 1;
        os_fault_at = n;
        rc = dcache_set(c, KEY("third"), VALUE(large('d')), NULL);
        fired = os_fault_at == 0;
        os_fault_at = 0;
        assert_string_equal(taken(c), rc == 0 ? "first file " : "");
        assert_int_equal(count_files(p->dir), 2);
        assert_int_equal(assert_rows_have_files(p->dir), 0);
        dcache_close(c);
        if (!fired) {
            assert_int_equal(rc, 0);
            break;
        }
    }
}

static void without_memory_what_is_left_stays_for_the_next_time(void **state)
{
    struct place *p = *state;
    dcache *c = open_leaving(p->dir, DCACHE_LEAVE_FILES);
    struct dcache_left *left;
    size_t count;

    must_set(c, "a", large('a'));
    must_set(c, "a", dcache_int(1));
    os_fault_at = 1;
    assert_int_equal(dcache_take_left(c, &left, &count), DCACHE_NOMEM);
    os_fault_at = 0;
    assert_string_equal(taken(c), "file ");
    dcache_close(c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_left_unless_asked_for),
        TEST(files_of_what_is_replaced_or_removed_are_the_owners),
        TEST(a_transaction_leaves_when_it_is_committed),
        TEST(a_file_that_nobody_takes_goes_with_the_handle),
        TEST(evicted_keys_are_named_and_expired_ones_are_not),
        TEST(a_shard_says_which_it_is),
        TEST(any_failing_call_leaves_all_or_nothing),
        TEST(without_memory_what_is_left_stays_for_the_next_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
