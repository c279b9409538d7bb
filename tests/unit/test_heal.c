/* What mends itself: a damaged database, a full disk; and what a clock that jumps does not break. */
#include "sandbox.h"

#include <sys/mount.h>

#define ITEMS 300

static const char *cache(void)
{
    return in("c");
}

static int open_healing(unsigned flags, dcache **ret_cache)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.flags = flags;
    options.timeout = 5;
    options.on_corruption = DCACHE_REBUILD;
    return dcache_open(cache(), &options, ret_cache);
}

static dcache *healing(void)
{
    dcache *c = NULL;

    assert_int_equal(open_healing(0, &c), 0);
    return c;
}

static const char *key_of(int i)
{
    static char key[16];

    (void)snprintf(key, sizeof key, "key-%d", i);
    return key;
}

static const char *value_of(int i)
{
    static char value[200];

    (void)snprintf(value, sizeof value, "%0150d", i);
    return value;
}

static void fill(dcache *c)
{
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(put(c, key_of(i), value_of(i)), 0);
    assert_int_equal(put_bytes(c, "large", 'L', 50000), 0);
}

static void make_cache(void)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, 5, &c), 0);
    no_memtable(c); /* or a small value would not meet the damage yet */
    fill(c);
    dcache_close(c);
}

static void overwrite_pages(int64_t from, int64_t to)
{
    char garbage[4096];

    memset(garbage, 0xa5, sizeof garbage);
    for (int64_t page = from; page < to; page++)
        assert_int_equal(patch_file(in("c/cache.db"), page * 4096, garbage, sizeof garbage), 0);
}

static int works(dcache *c)
{
    return put(c, "after", "value") == 0 && has(c, "after", "value") == 1 && problems(c, 1) >= 0 &&
           problems(c, 0) == 0 && has(c, "after", "value") == 1;
}

/* ---- damage ---- */

static void damaged_database_is_moved_aside_when_it_is_opened(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    assert_int_equal(patch_file(in("c/cache.db"), 0, "damaged by somebody", 19), 0);
    c = healing();
    assert_int_equal(count_of(c), 0);
    assert_int_equal(size_of(in("c/cache.db-damaged-1")) > 4096, 1);
    assert_int_equal(count_ending(cache(), ".val"), 1);
    assert_true(problems(c, 1) > 0); /* sweeps what the old rows had */
    assert_int_equal(count_ending(cache(), ".val"), 0);
    assert_true(works(c));
    dcache_close(c);
    c = healing();
    assert_int_equal(has(c, "after", "value"), 1);
    dcache_close(c);
    assert_false(exists(in("c/cache.db-damaged-2")));
}

static void calls_that_meet_damage_go_on_with_an_empty_cache(void **state)
{
    struct dcache_value key = dcache_text("key-150");

    (void)state;
    for (int call = 0; call < 5; call++) {
        dcache *c;

        make_cache();
        c = healing();
        overwrite_pages(4, 30);
        if (call == 0)
            assert_int_equal(has(c, "key-150", value_of(150)), 0);
        else if (call == 1)
            assert_int_equal(dcache_contains(c, &key), DCACHE_NOT_FOUND);
        else if (call == 2)
            assert_int_equal(put(c, "key-150", "new"), 0);
        else if (call == 3) /* this one says so, and the next goes on */
            assert_int_equal(dcache_delete(c, &key), DCACHE_CORRUPT);
        else
            assert_int_equal(problems(c, 0), DCACHE_CORRUPT);
        assert_true(works(c));
        assert_true(exists(in("c/cache.db-damaged-1")));
        dcache_close(c);
        assert_int_equal(shell("rm -r c"), 0);
    }
}

static int goes_on_with_the_new_one(struct child *self)
{
    dcache *c = NULL;

    MUST(open_with(cache(), 0, 5, &c) == 0);
    MUST(has(c, "key-1", value_of(1)) == 1);
    child_say(self, 'o');
    MUST(child_hear(self) == 'r');
    MUST(put(c, "child", "value") == 0); /* at once, and it counts */
    MUST(absent(c, "key-1"));
    MUST(has(c, "parent", "value") == 1);
    dcache_close(c);
    return 0;
}

static void others_who_have_it_open_go_on_with_the_new_one(void **state)
{
    struct child child;
    dcache *c;

    (void)state;
    make_cache();
    child = child_start(goes_on_with_the_new_one);
    assert_int_equal(child_hear(&child), 'o');
    c = healing();
    overwrite_pages(4, 30);
    assert_int_equal(put(c, "parent", "value"), 0);
    assert_true(exists(in("c/cache.db-damaged-1")));
    child_say(&child, 'r');
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(has(c, "child", "value"), 1);
    dcache_close(c);
}

static void new_database_has_the_settings_of_the_old(void **state)
{
    struct dcache_value limit = dcache_int(12345678), now = dcache_none();
    dcache *c;

    (void)state;
    make_cache();
    c = healing();
    assert_int_equal(dcache_setting_set(c, "size_limit", &limit), 0);
    dcache_close(c);
    c = healing();
    overwrite_pages(4, 30);
    assert_int_equal(put(c, "key-150", "new"), 0);
    assert_int_equal(dcache_setting_get(c, "size_limit", &now), 0);
    assert_int_equal(now.integer, 12345678);
    dcache_close(c);
}

static void what_is_no_cache_is_not_moved(void **state)
{
    static const char *const makers[] = {"sqlite3 c/cache.db 'CREATE TABLE mine (a)'",
                                         "sqlite3 c/cache.db 'CREATE TABLE Settings (a, b)'",
                                         "mkfifo c/cache.db", "ln -s ../other c/cache.db"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        dcache *c = NULL;

        assert_int_equal(shell("rm -rf c; mkdir c"), 0);
        assert_int_equal(shell(makers[i]), 0);
        assert_int_equal(open_healing(0, &c), DCACHE_CORRUPT);
        assert_false(exists(in("c/cache.db-damaged-1")));
    }
}

static void who_only_reads_or_is_in_a_transaction_moves_nothing(void **state)
{
    struct dcache_value key = dcache_text("key-150");
    dcache *c = NULL, *txn;

    (void)state;
    make_cache();
    c = healing();
    overwrite_pages(4, 30);
    assert_int_equal(dcache_begin(c, 1, &txn), 0);
    assert_int_equal(dcache_contains(txn, &key), DCACHE_CORRUPT);
    assert_int_equal(put(txn, "key-150", "new"), DCACHE_CORRUPT);
    assert_false(exists(in("c/cache.db-damaged-1")));
    dcache_rollback(txn);
    dcache_close(c);
    assert_int_equal(shell("rm -f c/cache.db-wal"), 0);
    if (open_healing(DCACHE_READ_ONLY, &c) == 0) {
        assert_int_equal(dcache_contains(c, &key), DCACHE_CORRUPT);
        dcache_close(c);
    }
    assert_false(exists(in("c/cache.db-damaged-1")));
}

static void ninth_damaged_database_takes_the_place_of_the_one_before(void **state)
{
    (void)state;
    for (int i = 0; i < 11; i++) {
        dcache *c = healing();

        assert_int_equal(put(c, "key", "value"), 0);
        dcache_close(c);
        assert_int_equal(patch_file(in("c/cache.db"), 0, "damaged by somebody", 19), 0);
    }
    dcache_close(healing());
    assert_true(exists(in("c/cache.db-damaged-9")));
    assert_false(exists(in("c/cache.db-damaged-10")));
}

/* Each call below fails in turn: an error, and then it opens; never neither database. */
static void failing_call_leaves_the_damaged_or_the_new_database(void **state)
{
    dcache *c;
    int fired = 1;

    (void)state;
    for (long n = 1; fired; n++) {
        int rc;

        make_cache();
        assert_int_equal(patch_file(in("c/cache.db"), 0, "damaged by somebody", 19), 0);
        c = NULL;
        os_fault_at = n;
        rc = open_healing(0, &c);
        fired = os_fault_at == 0;
        os_fault_at = 0;
        assert_true(rc == 0 || (rc < 0 && fired));
        if (rc < 0)
            c = healing();
        assert_int_equal(count_of(c), 0);
        assert_true(exists(in("c/cache.db-damaged-1")));
        assert_true(works(c));
        dcache_close(c);
        assert_int_equal(shell("rm -r c"), 0);
    }
}

/* ---- any damage ---- */

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Flip bytes, overwrite a stretch, or cut, somewhere in one of the files. */
static void damage_something(void)
{
    static const char *const names[] = {"c/cache.db", "c/cache.db", "c/cache.db-wal",
                                        "c/cache.db-shared"};
    const char *path = in("%s", names[chance(4)]);
    int64_t size = size_of(path);
    char garbage[3000];
    int flips = 1 + (int)chance(8);

    if (size <= 0)
        return;
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)chance(256);
    switch (chance(4)) {
    case 0:
        assert_int_equal(truncate(path, (off_t)chance((uint64_t)size)), 0);
        break;
    case 1:
        assert_int_equal(patch_file(path, (int64_t)chance((uint64_t)size), garbage, sizeof garbage),
                         0);
        break;
    default:
        for (int i = 0; i < flips; i++)
            assert_int_equal(patch_file(path, (int64_t)chance((uint64_t)size), garbage + i, 1), 0);
    }
}

static void use(dcache *c)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry e;
    dcache_iter *iter;
    int steps = 0;

    for (int i = 0; i < ITEMS; i += 7)
        (void)has(c, key_of(i), value_of(i));
    (void)has_bytes(c, "large", 'L', 50000);
    (void)put(c, "key-5", "another");
    (void)dcache_push(c, NULL, DCACHE_BACK, &(struct dcache_value[]){dcache_int(1)}[0], NULL, NULL);
    if (dcache_pull(c, NULL, DCACHE_FRONT, NULL, &e) == 0)
        dcache_entry_clear(&e);
    options.order = (enum dcache_order)chance(2);
    if (dcache_iter_open(c, &options, &iter) == 0) {
        while (dcache_iter_next(iter, &e) == 0) {
            dcache_entry_clear(&e);
            assert_in_range(++steps, 1, 100000);
        }
        dcache_iter_close(iter);
    }
    (void)dcache_expire(c, 0, NULL);
    (void)dcache_cull(c, NULL);
    (void)problems(c, 1);
}

/* Whatever was damaged: a cache that works, within two attempts, and without a wrong status. */
static void any_damage_ends_in_a_cache_that_works(void **state)
{
    const char *given = getenv("DCACHE_SEED");
    int64_t end = now_ms() + 8000;
    dcache *c;
    int rounds = 0;

    (void)state;
    seed = given ? strtoull(given, NULL, 10) : 88172645463325252ULL;
    make_cache();
    assert_int_equal(open_with(cache(), 0, 5, &c), 0);
    assert_int_equal(put(c, "in-the-log", "value"), 0);
    assert_int_equal(shell("cp -r c whole"), 0); /* as if the machine had stopped here */
    dcache_close(c);
    while (now_ms() < end && rounds < 400) {
        int rc, attempts = 0;

        assert_int_equal(shell("rm -r c; cp -r whole c"), 0);
        damage_something();
        do {
            c = NULL;
            rc = open_healing(0, &c);
        } while (rc == DCACHE_CORRUPT && ++attempts < 3);
        if (rc < 0)
            fail_msg("round %d: cannot be opened: %s", rounds, dcache_last_error()->text);
        use(c);
        for (attempts = 0; attempts < 3 && !works(c); attempts++)
            ;
        if (attempts == 3)
            fail_msg("round %d: does not work: %s", rounds, dcache_last_error()->text);
        dcache_close(c);
        rounds++;
    }
    assert_true(rounds > 10);
}

/* ---- a full disk ---- */

static int mounted;

static int make_small_disk(void **state)
{
    if (sandbox_make(state) < 0)
        return -1;
    mounted = mkdir(cache(), 0700) == 0 && mount("none", cache(), "tmpfs", 0, "size=4m") == 0;
    return 0;
}

static int remove_small_disk(void **state)
{
    if (mounted)
        (void)umount2(cache(), MNT_DETACH);
    return sandbox_remove(state);
}

/* Where the log has taken the last block, there is no room to commit an eviction in either. */
static void put_small_values(dcache *c)
{
    for (int i = 0; i < 100; i++) {
        int rc = put(c, in("small-%d", i), value_of(i));

        assert_true(rc == 0 || rc == DCACHE_FULL);
        assert_int_equal(rc == 0 ? has(c, in("small-%d", i), value_of(i)) : 0, rc == 0);
    }
}

static void full_disk_gets_room_by_eviction_unless_the_policy_is_none(void **state)
{
    struct dcache_value none = dcache_text("none");
    struct dcache_stats stats;
    dcache *c = NULL;

    (void)state;
    if (!mounted)
        skip(); /* only root may mount */
    c = healing();
    for (int i = 0; i < 100; i++)
        assert_int_equal(put_bytes(c, key_of(i), 'v', 100000), 0);
    assert_int_equal(has_bytes(c, key_of(99), 'v', 100000), 1);
    assert_int_equal(absent(c, key_of(0)), 1);
    assert_int_equal(dcache_stats(c, 0, &stats), 0);
    assert_true(stats.evictions > 50);
    assert_int_equal(count_temporary(cache()), 0);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(put_bytes(c, "too large for the disk", 'v', 5000000), DCACHE_FULL);
    assert_int_equal(has_bytes(c, key_of(99), 'v', 100000), 1); /* nothing went for it */
    dcache_close(c);
    assert_int_equal(open_setting(cache(), "eviction_policy", none, &c), 0);
    for (int i = 100; i < 200; i++)
        if (put_bytes(c, key_of(i), 'v', 100000) == DCACHE_FULL)
            break;
    assert_int_equal(put_bytes(c, "x", 'v', 1000000), DCACHE_FULL);
    assert_int_equal(problems(c, 0), 0);
    put_small_values(c);
    assert_int_equal(problems(c, 0), 0);
    dcache_close(c);
}

/* ---- the clock ---- */

#define YEAR (365.0 * 86400)

static void items_without_expiry_outlive_any_jump_of_the_clock(void **state)
{
    static const double jumps[] = {YEAR, -YEAR, 100 * YEAR, -50 * YEAR, 0};
    struct dcache_value lru = dcache_text("least-recently-used");
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_setting(cache(), "eviction_policy", lru, &c), 0);
    fill(c);
    for (int i = 0; i < 5; i++) {
        os_clock_offset = jumps[i];
        assert_int_equal(put(c, "now and then", "value"), 0);
        assert_int_equal(dcache_cull(c, NULL), 0);
        assert_int_equal(dcache_expire(c, 0, NULL), 0);
        for (int item = 0; item < ITEMS; item++)
            assert_int_equal(has(c, key_of(item), value_of(item)), 1);
        assert_int_equal(count_of(c), ITEMS + 2);
    }
    dcache_close(c);
}

static void items_expire_by_the_clock_of_the_wall_and_are_back_with_it(void **state)
{
    struct dcache_set_options hour = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value value = dcache_text("value");
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_with(cache(), 0, 5, &c), 0);
    no_memtable(c); /* or they would be removed a little later */
    hour.expire = 3600;
    for (int i = 0; i < 50; i++) {
        struct dcache_value key = dcache_text(key_of(i));

        assert_int_equal(dcache_set(c, &key, &value, &hour), 0);
    }
    os_clock_offset = 7200;
    for (int i = 0; i < 50; i++)
        assert_int_equal(absent(c, key_of(i)), 1); /* reading removes none */
    os_clock_offset = 0;
    for (int i = 0; i < 50; i++)
        assert_int_equal(has(c, key_of(i), "value"), 1);
    os_clock_offset = -YEAR;
    assert_int_equal(put(c, "before", "value"), 0);
    assert_int_equal(count_of(c), 51);
    os_clock_offset = 7200;
    assert_int_equal(put(c, "after", "value"), 0); /* removes cull_limit of them, 10 */
    assert_int_equal(count_of(c), 42);
    os_clock_offset = 0;
    assert_int_equal(has(c, "before", "value"), 1);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(damaged_database_is_moved_aside_when_it_is_opened),
        TEST(calls_that_meet_damage_go_on_with_an_empty_cache),
        TEST(others_who_have_it_open_go_on_with_the_new_one),
        TEST(new_database_has_the_settings_of_the_old),
        TEST(what_is_no_cache_is_not_moved),
        TEST(who_only_reads_or_is_in_a_transaction_moves_nothing),
        TEST(ninth_damaged_database_takes_the_place_of_the_one_before),
        TEST(failing_call_leaves_the_damaged_or_the_new_database),
        TEST(any_damage_ends_in_a_cache_that_works),
        cmocka_unit_test_setup_teardown(full_disk_gets_room_by_eviction_unless_the_policy_is_none,
                                        make_small_disk, remove_small_disk),
        TEST(items_without_expiry_outlive_any_jump_of_the_clock),
        TEST(items_expire_by_the_clock_of_the_wall_and_are_back_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
