/* scenarios_collections.c - the operations of deques and indexes, as something to make fail. See
 * scenarios.h. */
#include "scenarios.h"

#include <diskcache_collections.h>

#include <string.h>

/* ---- states before ---- */

static void deque(struct place *p)
{
    struct dcache_value values[] = {dcache_int(1), large('b'), dcache_int(3), large('d'),
                                    dcache_int(1)};

    assert_int_equal(dcache_deque_extend(p->cache, DCACHE_BACK, values, 5), 0);
}

static void deque_with_gap(struct place *p)
{
    deque(p);
    assert_int_equal(dcache_deque_delete(p->cache, 2), 0);
}

static void full_deque(struct place *p)
{
    deque(p);
    assert_int_equal(dcache_deque_delete(p->cache, 0), 0);
    assert_int_equal(dcache_deque_set_maxlen(p->cache, 4), 0);
}

static void dead_k(struct place *p)
{
    assert_int_equal(dcache_setting_set(p->cache, "cull_limit", INT(0)), 0);
    assert_int_equal(dcache_set(p->cache, KEY("k"), VALUE(large('k')), NULL), 0);
    assert_int_equal(dcache_set(p->cache, KEY("dead"), VALUE(large('d')), SET(.expire_at = 1)), 0);
}

/* ---- deque ---- */

static int check(int rc, struct dcache_entry *entry, const struct dcache_value *value)
{
    if (rc == 0)
        assert_true(value_equals(&entry->value, value));
    dcache_entry_clear(entry);
    return rc;
}

static int extend(struct place *p)
{
    struct dcache_value values[] = {large('x'), dcache_text("small"), large('y'), dcache_none()};

    return dcache_deque_extend(p->cache, DCACHE_FRONT, values, 4);
}

static int push_over(struct place *p)
{
    return dcache_deque_push(p->cache, DCACHE_BACK, VALUE(large('x')));
}

/* A transaction reads the greatest length from the database. */
static int push_over_in_transaction(struct place *p)
{
    dcache *txn = NULL;
    int rc = dcache_begin(p->cache, -1, &txn);

    if (rc == 0)
        rc = dcache_deque_push(txn, DCACHE_FRONT, VALUE(large('x')));
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

static int set_at(struct place *p)
{
    return dcache_deque_set(p->cache, -2, VALUE(large('n')));
}

static int delete_at(struct place *p)
{
    return dcache_deque_delete(p->cache, 1);
}

static int get_at(struct place *p)
{
    struct dcache_entry entry;

    return check(dcache_deque_get(p->cache, -2, NULL, &entry), &entry, VALUE(large('d')));
}

static int rotate(struct place *p)
{
    return dcache_deque_rotate(p->cache, -2);
}

static int reverse(struct place *p)
{
    return dcache_deque_reverse(p->cache);
}

static int remove_value(struct place *p)
{
    return dcache_deque_remove(p->cache, VALUE(large('d')));
}

static int count_value(struct place *p)
{
    int64_t count = -1;
    int rc = dcache_deque_count(p->cache, INT(1), &count);

    assert_int_equal(count, rc == 0 ? 2 : -1);
    return rc;
}

static int copy(struct place *p)
{
    return dcache_deque_copy(p->cache, p->cache);
}

static int compare(struct place *p)
{
    int order = 5, rc = dcache_deque_compare(p->cache, p->cache, &order);

    assert_int_equal(order, rc == 0 ? 0 : 5);
    return rc;
}

static int set_maxlen(struct place *p)
{
    return dcache_deque_set_maxlen(p->cache, 2);
}

static int get_maxlen(struct place *p)
{
    int64_t maxlen = 7;
    int rc = dcache_deque_maxlen(p->cache, &maxlen);

    assert_int_equal(maxlen, rc == 0 ? 4 : 7);
    return rc;
}

/* ---- index ---- */

static int setdefault(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_setdefault(p->cache, KEY("new"), VALUE(large('n')), NULL, NULL, &entry);

    return check(rc, &entry, VALUE(large('n')));
}

static int setdefault_there(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_setdefault(p->cache, KEY("k"), VALUE(large('n')), NULL, NULL, &entry);

    return check(rc, &entry, VALUE(large('k')));
}

static int popitem(struct place *p)
{
    struct dcache_entry entry;

    return check(dcache_popitem(p->cache, DCACHE_FRONT, NULL, &entry), &entry, VALUE(large('k')));
}

static int rename_k(struct place *p)
{
    return dcache_rename(p->cache, KEY("k"), KEY("new"));
}

static int rename_over(struct place *p)
{
    return dcache_rename(p->cache, KEY("k"), KEY("dead"));
}

static int rename_back(struct place *p)
{
    return dcache_rename(p->cache, INT(500000000000000), INT(500000000000003));
}

static int equal(struct place *p)
{
    int same = 5, rc = dcache_equal(p->cache, p->cache, 0, &same);

    assert_int_equal(same, rc == 0 ? 1 : 5);
    return rc;
}

static int equal_in_order(struct place *p)
{
    int same = 5, rc = dcache_equal(p->cache, p->cache, 1, &same);

    assert_int_equal(same, rc == 0 ? 1 : 5);
    return rc;
}

static int open_collection(struct place *p)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting settings[] = {{"mine", dcache_text("own")}};

    options.timeout = 0.25;
    options.settings = settings;
    options.settings_count = 1;
    return dcache_open_collection(p->dir, &options, &p->cache);
}

const struct scenario collection_scenarios[] = {
    {"deque: extend", deque, extend, 0, 0},
    {"deque: extend when full", full_deque, extend, 0, 0},
    {"deque: push when full", full_deque, push_over, 0, 0},
    {"deque: push when full, in a transaction", full_deque, push_over_in_transaction, 0, 0},
    {"deque: set by index", deque, set_at, 0, 0},
    {"deque: delete by index", deque, delete_at, 0, 0},
    {"deque: get by index", deque, get_at, 0, READS},
    {"deque: get by index beside a gap", deque_with_gap, get_at, 0, READS},
    {"deque: rotate", deque, rotate, 0, 0},
    {"deque: reverse", deque_with_gap, reverse, 0, 0},
    {"deque: remove", deque, remove_value, 0, 0},
    {"deque: count", deque, count_value, 0, READS},
    {"deque: copy", deque, copy, 0, 0},
    {"deque: compare", deque, compare, 0, READS},
    {"deque: set the greatest length", deque, set_maxlen, 0, 0},
    {"deque: the greatest length", full_deque, get_maxlen, 0, READS},
    {"index: setdefault", dead_k, setdefault, 0, 0},
    {"index: setdefault, there already", dead_k, setdefault_there, 0, READS},
    {"index: popitem", dead_k, popitem, 0, 0},
    {"index: rename", dead_k, rename_k, 0, 0},
    {"index: rename over a dead one", dead_k, rename_over, 0, 0},
    {"index: rename over a live one", deque, rename_back, DCACHE_EXISTS, 0},
    {"index: equal", deque, equal, 0, READS},
    {"index: equal in order", deque, equal_in_order, 0, READS},
    {"index: open a new one", NULL, open_collection, 0, OPENS},
};
const size_t collection_scenario_count = sizeof collection_scenarios / sizeof *collection_scenarios;
