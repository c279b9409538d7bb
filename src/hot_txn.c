/* hot_txn.c - transactions in the memtable: their beginning, and the commit that publishes them. See hot.h. */
#include "helper.h"
#include "hot.h"

static int begin_inner(struct txn *txn)
{
    struct dcache *outer = txn->cache;

    if (outer->fork_generation != atomic_load(&outer->store->fork_generation) || outer->child ||
        !txn_group(txn))
        return HOT_PASS;
    txn->mark = txn_group(txn)->count;
    txn->open = true;
    return 0;
}

int hot_begin(struct txn *txn)
{
    struct dcache *cache = txn->cache;
    unsigned carried = atomic_load(&cache->carried), generation = cache->store->pool.generation;
    int rc;

    if (txn->outer)
        return begin_inner(txn);
    if (carried > 0) {
        atomic_store(&cache->carried, carried - 1);
        return HOT_PASS;
    }
    /* A foreign process waits for who has SQLite's lock, and for nobody else. */
    if (memtable_was_foreign(&cache->store->shared))
        return HOT_PASS;
    rc = hot_enter(cache, &txn->patience);
    if (rc != 0)
        return rc;
    txn->group = group_new(&cache->store->shared, generation);
    txn->open = txn->group != NULL;
    if (txn->open)
        return 0;
    memtable_unlock(&cache->store->shared);
    return DCACHE_NOMEM;
}

/* What it has read may have changed, if a foreign process has committed meanwhile; then the change of that
 * process is as lost as if it had been a moment earlier, and at once. */
static bool may_publish(struct store *store, const struct group *group)
{
    const struct shared_memtable *m = &store->shared.segment->memtable;

    return atomic_load(&m->floor) == group->floor && !hot_is_foreign_at_work(store) &&
           atomic_load(&m->trouble) == 0 && store_settings_current(store);
}

int hot_commit(struct txn *txn)
{
    struct dcache *cache = txn->cache;
    struct store *store = cache->store;
    struct group *group = txn_group(txn);
    int rc;

    if (!group || txn->outer)
        return HOT_PASS;
    if (group->count == 0 || (may_publish(store, group) && group_publish(group, &store->shared))) {
        txn_drop_group(txn);
        txn->open = false;
        atomic_store(&cache->carry, 0);
        helper_stir(store);
        return 0;
    }
    rc = txn_carry(txn, os_deadline(cache->timeout));
    return rc < 0 ? rc : HOT_PASS;
}
