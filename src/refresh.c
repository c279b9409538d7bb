/* refresh.c - what other processes may change of an open directory: its settings, and with them whether
 * there is a memtable. See store.h. */
#include "store.h"

static bool same_pragmas(struct settings *a, struct settings *b)
{
    return a->cache_size == b->cache_size && a->mmap_size == b->mmap_size &&
           a->synchronous == b->synchronous && a->checksums == b->checksums;
}

int store_refresh_settings(struct store *store, struct db *db)
{
    uint32_t epoch = atomic_load(&store->shared.segment->settings_epoch);
    struct settings before;
    bool unused;
    int rc;

    if (store_settings_current(store))
        return 0;
    settings_copy(&before, &store->settings);
    rc = settings_load(db, &store->settings, &unused);
    if (rc == 0)
        rc = schema_pragmas(db, &store->settings, store->use_shared);
    if (rc < 0)
        return rc;
    store->files.sync = store->settings.synchronous >= 2;
    if (!same_pragmas(&before, &store->settings)) /* the other connections have the old ones */
        pool_renew(&store->pool, db);
    atomic_store(&store->settings_epoch, epoch);
    return 0;
}

void store_settings_changed(struct store *store, bool reopen)
{
    atomic_store(&store->shared.segment->headroom, 0);
    atomic_fetch_add(&store->shared.segment->settings_epoch, 1);
    if (!reopen)
        return;
    watch_end(&store->watch);
    pool_renew(&store->pool, NULL);
}

/* ---- threads ---- */

uintptr_t store_thread(void)
{
    static _Thread_local char here;

    return (uintptr_t)&here; /* cheaper than gettid, and unique while the thread lives */
}

bool store_owned_here(const struct store *store)
{
    return atomic_load_explicit(&store->owner, memory_order_relaxed) == store_thread();
}

/* ---- the memtable ---- */

struct shared *store_table(struct store *store, unsigned *ret_views)
{
    unsigned unused;

    if (ret_views)
        *ret_views = atomic_load(&store->watch.views);
    if (!store->read_only)
        return &store->shared;
    return watch_view(&store->watch, store->files.dir, ret_views ? ret_views : &unused);
}
