/* scenarios_fanout.c - a cache of two directories, as something to make fail. The integer 4 is at home
 * in shard 0; 5.6.3 puts the float 4.0 into shard 1. See scenarios.h. */
#include "scenarios.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPIRY 4e9 /* the same in each run, so that states compare */

/* ---- states before ---- */

static void several(struct place *p)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(dcache_set(p->cache, INT(i), i % 2 ? INT(i) : VALUE(large('s')),
                                    SET(.expire_at = EXPIRY, .tag = TEXT("t"))),
                         0);
}

static void several_expired(struct place *p)
{
    assert_int_equal(dcache_setting_set(p->cache, "cull_limit", INT(0)), 0);
    several(p);
    for (int i = 4; i < 8; i++)
        assert_int_equal(dcache_set(p->cache, INT(i), VALUE(large('e')), SET(.expire_at = 1)), 0);
}

static void put_elsewhere(struct place *p, char letter)
{
    assert_int_equal(dcache_set(dcache_shard(p->cache, 1), DOUBLE(4), VALUE(large(letter)),
                                SET(.expire_at = EXPIRY)),
                     0);
}

static void elsewhere(struct place *p)
{
    several(p);
    put_elsewhere(p, 'e');
}

static void wrong_counters(struct place *p)
{
    char dir[300];

    several(p);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(dir, sizeof dir, "%s/%03d", p->dir, i);
        sql_run(dir, "UPDATE Settings SET value = value + 7 WHERE key IN ('count', 'size')");
    }
}

/* ---- one key ---- */

static int set_one(struct place *p)
{
    return dcache_set(p->cache, INT(4), VALUE(large('n')), SET(.expire_at = EXPIRY));
}

/* Whatever happens, the item is found under either form of its number, with one of the values. */
static void assert_found(struct place *p, const struct dcache_value *before,
                         const struct dcache_value *after)
{
    faults_off();
    for (int i = 0; i < 2; i++) {
        const struct dcache_value *key = i ? DOUBLE(4) : INT(4);

        assert_true(get_is(p->cache, key, before) || (after && get_is(p->cache, key, after)));
    }
}

static int set_brings_home(struct place *p)
{
    int rc = dcache_set(p->cache, INT(4), TEXT("new"), NULL);

    if (rc == 0)
        assert_found(p, TEXT("new"), NULL);
    else
        assert_found(p, VALUE(large('e')), NULL);
    return rc;
}

static int touch_brings_home(struct place *p)
{
    int rc = dcache_touch(p->cache, DOUBLE(4), SET(.flags = DCACHE_KEEP_EXPIRE));

    assert_found(p, VALUE(large('e')), NULL);
    return rc;
}

static int delete_elsewhere(struct place *p)
{
    int rc = dcache_delete(p->cache, INT(4));

    if (rc < 0) {
        assert_found(p, VALUE(large('e')), NULL);
    } else {
        faults_off();
        assert_int_equal(dcache_contains(p->cache, INT(4)), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_contains(p->cache, DOUBLE(4)), DCACHE_NOT_FOUND);
    }
    return rc;
}

static int get_elsewhere(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_get(p->cache, INT(4), NULL, &entry);

    if (rc == 0)
        assert_true(value_equals(&entry.value, VALUE(large('e'))));
    dcache_entry_clear(&entry);
    return rc;
}

/* From shard 0 to shard 1. */
static int rename_across(struct place *p)
{
    int rc = dcache_rename(p->cache, INT(0), INT(7));

    faults_off();
    if (rc == 0)
        assert_int_equal(dcache_contains(p->cache, INT(0)), DCACHE_NOT_FOUND);
    assert_true(get_is(p->cache, INT(rc == 0 ? 7 : 0), VALUE(large('s'))));
    return rc;
}

/* ---- many ---- */

static int get_many(struct place *p)
{
    struct dcache_value keys[6];
    struct dcache_entry entries[6];
    int rc;

    for (int i = 0; i < 6; i++)
        keys[i] = dcache_int(i);
    rc = dcache_get_many(p->cache, keys, 6, NULL, entries);
    for (int i = 0; i < 6; i++) {
        if (rc == 0)
            assert_int_equal(entries[i].status, i == 5 ? DCACHE_NOT_FOUND : 0);
        dcache_entry_clear(&entries[i]);
    }
    return rc;
}

static int set_many(struct place *p)
{
    struct dcache_value keys[6], values[6];

    for (int i = 0; i < 6; i++) {
        keys[i] = dcache_int(i);
        values[i] = i % 3 ? large('m') : dcache_int(i);
    }
    return dcache_set_many(p->cache, keys, values, 6, SET(.expire_at = EXPIRY));
}

static int delete_many(struct place *p)
{
    struct dcache_value keys[4] = {dcache_int(0), dcache_int(1), dcache_int(2), dcache_int(9)};
    int64_t deleted = -1;
    int rc = dcache_delete_many(p->cache, keys, 4, &deleted);

    assert_int_equal(deleted, rc < 0 ? -1 : 3);
    return rc;
}

static int walk(struct place *p)
{
    struct dcache_entry entry;
    dcache_iter *iter = NULL;
    int rc = dcache_iter_open(p->cache, ITER(.order = DCACHE_BY_KEY), &iter), seen = 0;

    while (rc == 0) {
        rc = dcache_iter_next(iter, &entry);
        if (rc == 0)
            assert_int_equal(entry.key.integer, seen++);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    if (rc == DCACHE_NOT_FOUND)
        assert_int_equal(seen, 4);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* ---- transactions ---- */

static int work(struct place *p, dcache **txn)
{
    dcache *inner = NULL;
    int rc = dcache_begin(p->cache, -1, txn);

    if (rc == 0)
        rc = dcache_begin(*txn, -1, &inner);
    if (rc == 0)
        rc = dcache_set(inner, INT(0), VALUE(large('x')), SET(.expire_at = EXPIRY));
    if (rc == 0)
        rc = dcache_set(inner, INT(1), VALUE(large('y')), SET(.expire_at = EXPIRY));
    if (rc == 0)
        return dcache_commit(inner);
    dcache_rollback(inner);
    return rc;
}

static int commit(struct place *p)
{
    dcache *txn = NULL;
    int rc = work(p, &txn);

    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

static int roll_back(struct place *p)
{
    dcache *txn = NULL;
    int rc = work(p, &txn);

    dcache_rollback(txn);
    return rc;
}

/* ---- the whole ---- */

static int expire(struct place *p)
{
    int64_t removed = -1;
    int rc = dcache_expire(p->cache, 0, &removed);

    assert_true(removed == 4 || (rc < 0 && (removed == 0 || removed == 2)));
    return rc;
}

static int clear(struct place *p)
{
    return dcache_clear(p->cache, NULL);
}

static int figures(struct place *p)
{
    struct dcache_setting *settings = NULL;
    struct dcache_value value;
    struct dcache_stats stats;
    int64_t count = -1, bytes;
    size_t settings_count = 0;
    int rc = dcache_count(p->cache, &count);

    if (rc == 0)
        assert_int_equal(count, 4);
    if (rc == 0)
        rc = dcache_volume(p->cache, &bytes);
    if (rc == 0)
        rc = dcache_stats(p->cache, 0, &stats);
    if (rc == 0)
        rc = dcache_settings(p->cache, &settings, &settings_count);
    dcache_settings_free(settings, settings_count);
    if (rc == 0)
        rc = dcache_setting_get(p->cache, "size_limit", &value);
    if (rc == 0)
        assert_int_equal(value.integer, INT64_C(1) << 30);
    return rc;
}

static int set_limit(struct place *p)
{
    return dcache_setting_set(p->cache, "size_limit", INT(1000001));
}

static int reset_stats(struct place *p)
{
    struct dcache_stats stats;

    return dcache_stats(p->cache, 1, &stats);
}

static int mend(struct place *p)
{
    struct dcache_report report;
    int rc = dcache_check(p->cache, 1, &report);

    if (rc == 0)
        assert_true(report.count <= 4); /* fewer if an earlier failure had mended some */
    dcache_report_clear(&report);
    return rc;
}

static int backup(struct place *p)
{
    struct place copy = {.cache = NULL};
    char inside[300];
    int rc;

    place_new(&copy);
    (void)snprintf(inside, sizeof inside, "%s/copy", copy.dir);
    rc = dcache_backup(p->cache, inside);
    faults_off();
    assert_int_equal(access(inside, F_OK), rc == 0 ? 0 : -1);
    place_clean(&copy);
    return rc;
}

/* ---- open ---- */

static int open_it(struct place *p)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting limit = {"size_limit", dcache_int(INT64_C(1) << 31)};

    options.timeout = 0.25;
    options.settings = &limit;
    options.settings_count = 1;
    return dcache_open_fanout(p->dir, 2, &options, &p->cache);
}

static int open_named(struct place *p)
{
    dcache *named = NULL;
    int rc = dcache_open_named(p->cache, "deque", "a/b", NULL, &named);

    faults_off();
    dcache_close(named);
    return rc;
}

const struct scenario fanout_scenarios[] = {
    {"fanout, set", several, set_one, 0, EVICTS},
    {"fanout, set: brings home", elsewhere, set_brings_home, 0, OWN},
    {"fanout, touch: brings home", elsewhere, touch_brings_home, 0, OWN},
    {"fanout, delete: elsewhere", elsewhere, delete_elsewhere, 0, OWN},
    {"fanout, rename: to another shard", several, rename_across, 0, OWN},
    {"fanout, set_many", several, set_many, 0, EACH_SHARD},
    {"fanout, delete_many", several, delete_many, 0, EACH_SHARD},
    {"fanout, commit", several, commit, 0, EACH_SHARD},
    {"fanout, roll back", several, roll_back, 0, 0},
    {"fanout, expire", several_expired, expire, 0, IN_BATCHES},
    {"fanout, clear", several, clear, 0, IN_BATCHES},
    {"fanout, setting_set", several, set_limit, 0, 0},
    {"fanout, stats: reset", several, reset_stats, 0, 0},
    {"fanout, check: mend", wrong_counters, mend, 0, BROKEN},
    {"fanout, backup", several, backup, 0, 0},
    {"fanout, open: new", NULL, open_it, 0, OPENS},
    {"fanout, open: existing", several, open_it, 0, OPENS},
    {"fanout, open: named", several, open_named, 0, 0},
    {"fanout, get: elsewhere", elsewhere, get_elsewhere, 0, READS},
    {"fanout, get_many", elsewhere, get_many, 0, READS},
    {"fanout, iterate by key", several, walk, 0, READS},
    {"fanout, figures", several, figures, 0, READS},
};

const size_t fanout_scenario_count = sizeof fanout_scenarios / sizeof *fanout_scenarios;
