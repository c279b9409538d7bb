/* scenarios_txn.c - transactions, as something to make fail. See scenarios.h. */
#include "scenarios.h"

#include <string.h>

static void must_set(dcache *c, const char *key, struct dcache_value value)
{
    assert_int_equal(dcache_set(c, KEY(key), &value, NULL), 0);
}

static void several(struct place *p)
{
    must_set(p->cache, "a", dcache_int(1));
    must_set(p->cache, "b", large('b'));
    must_set(p->cache, "c", dcache_text("three"));
    must_set(p->cache, "d", large('d'));
}

static void small(struct place *p)
{
    must_set(p->cache, "a", dcache_int(1));
    must_set(p->cache, "b", dcache_int(1));
}

/* ---- transactions ---- */

/* Work in two scopes, the inner one undone; files come and go in both. */
static int work(dcache *txn)
{
    dcache *inner = NULL;
    int rc = dcache_set(txn, KEY("a"), VALUE(large('x')), NULL);

    if (rc == 0)
        rc = dcache_begin(txn, -1, &inner);
    if (rc == 0)
        rc = dcache_set(inner, KEY("b"), VALUE(large('y')), NULL);
    if (rc == 0)
        rc = dcache_delete(inner, KEY("d"));
    dcache_rollback(inner);
    inner = NULL;
    if (rc == 0)
        rc = dcache_begin(txn, -1, &inner);
    if (rc == 0)
        rc = dcache_set(inner, KEY("c"), VALUE(large('z')), NULL);
    if (rc == 0) {
        rc = dcache_commit(inner);
        inner = NULL;
    }
    dcache_rollback(inner);
    if (rc == 0)
        rc = dcache_delete(txn, KEY("d"));
    return rc;
}

static int commit(struct place *p)
{
    dcache *txn = NULL;
    int rc = dcache_begin(p->cache, -1, &txn);

    if (rc == 0)
        rc = work(txn);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

static int roll_back(struct place *p)
{
    dcache *txn = NULL;
    int rc = dcache_begin(p->cache, -1, &txn);

    if (rc == 0)
        rc = work(txn);
    dcache_rollback(txn);
    return rc;
}

/* An operation in a transaction fails, and the transaction goes on without it: what is committed is
 * the rest. */
static int commit_the_rest(struct place *p)
{
    struct dcache_entry entry;
    dcache *txn = NULL;
    int rc = dcache_begin(p->cache, -1, &txn), popped;

    if (rc == 0)
        rc = dcache_set(txn, KEY("b"), VALUE(large('y')), NULL);
    if (rc < 0) {
        dcache_rollback(txn);
        faults_off();
        assert_true(get_is(p->cache, KEY("b"), VALUE(large('b'))));
        return rc;
    }
    popped = dcache_pop(txn, KEY("d"), NULL, &entry);
    dcache_entry_clear(&entry);
    rc = dcache_commit(txn);
    faults_off();
    assert_true(get_is(p->cache, KEY("b"), VALUE(large(rc < 0 ? 'b' : 'y'))));
    assert_int_equal(dcache_contains(p->cache, KEY("d")),
                     rc < 0 || popped < 0 ? 0 : DCACHE_NOT_FOUND);
    return rc < 0 ? rc : popped;
}

/* Small values only: with a memtable, it does not leave that. */
static int work_small(dcache *txn)
{
    dcache *inner = NULL;
    int rc = dcache_set(txn, KEY("a"), INT(2), NULL);

    if (rc == 0)
        rc = dcache_begin(txn, -1, &inner);
    if (rc == 0)
        rc = dcache_set(inner, KEY("c"), TEXT("undone"), NULL);
    dcache_rollback(inner);
    if (rc == 0)
        rc = dcache_delete(txn, KEY("b"));
    if (rc == 0)
        rc = dcache_incr(txn, KEY("n"), INT(1), NULL, NULL);
    return rc;
}

static int finish(dcache *txn, int rc)
{
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

static int commit_small(struct place *p)
{
    dcache *txn = NULL;
    int rc = dcache_begin(p->cache, -1, &txn);

    return finish(txn, rc < 0 ? rc : work_small(txn));
}

/* And then it has to go to SQLite, at which it fails and goes on. */
static int carry(struct place *p)
{
    dcache *txn = NULL, *inner = NULL;
    int64_t count;
    int rc = dcache_begin(p->cache, -1, &txn);

    if (rc == 0)
        rc = work_small(txn);
    if (rc == 0)
        rc = dcache_begin(txn, -1, &inner);
    if (rc == 0)
        rc = dcache_set(inner, KEY("d"), INT(5), NULL);
    if (rc == 0)
        rc = dcache_count(inner, &count);
    if (rc == 0)
        rc = dcache_commit(inner);
    else
        dcache_rollback(inner);
    return finish(txn, rc);
}

const struct scenario txn_scenarios[] = {
    {"commit", several, commit, 0, 0},
    {"roll back", several, roll_back, 0, 0},
    {"commit: the rest", several, commit_the_rest, 0, OWN},
    {"commit: small values", small, commit_small, 0, 0},
    {"commit: after a count", small, carry, 0, 0},
};
const size_t txn_scenario_count = sizeof txn_scenarios / sizeof *txn_scenarios;
