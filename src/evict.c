/* evict.c - expiry, eviction, removal of many. See evict.h. */
#include "evict.h"

#include <limits.h>
#include <stdlib.h>

#define HEADROOM (INT64_C(64) << 20)
#define BATCH 100 /* rows in one transaction: other writers get their turn between batches */

enum { PAGE_COUNT = DB_TXN_STATEMENTS + 6, FREE_COUNT, PAGE_SIZE };
_Static_assert((int)PAGE_SIZE < DB_STATEMENTS, "see db.h");

static int pragma(struct db *db, int index, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s;
    int rc = db_statement(db, index, sql, &s);

    return rc < 0 ? rc : db_integer(db, s, 0, ret);
}

static int pages(struct db *db, int64_t *ret_total, int64_t *ret_free)
{
    int rc = pragma(db, PAGE_COUNT, "PRAGMA page_count", ret_total);

    if (rc == 0)
        rc = pragma(db, FREE_COUNT, "PRAGMA freelist_count", ret_free);
    if (rc == 0 && db->page_size == 0) /* fixed for a database's life, but for VACUUM */
        rc = pragma(db, PAGE_SIZE, "PRAGMA page_size", &db->page_size);
    return rc;
}

/* Bytes in use: free pages of the database can be used again, or are given back at COMMIT. */
static int bytes_used(const struct txn *scope, struct db *db, int64_t *ret)
{
    int64_t total, unused, count, size;
    int rc = pages(db, &total, &unused);

    if (rc == 0)
        rc = txn_counters(scope, db, &count, &size);
    if (rc == 0)
        *ret = os_plus((total - unused) * db->page_size, size);
    return rc;
}

static void free_victims(struct victim *victims, int count)
{
    for (int i = 0; i < count; i++)
        free(victims[i].filename);
}

/* ---- on a write ---- */

struct kept {
    const int64_t *rowids; /* ascending */
    size_t count;
};

static int compare_rowids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static bool is_kept(const struct kept *kept, int64_t rowid)
{
    return kept->count > 0 &&
           bsearch(&rowid, kept->rowids, kept->count, sizeof rowid, compare_rowids) != NULL;
}

static int expire_some(struct txn *txn, const struct kept *kept, double now, int64_t *left)
{
    struct row_query query = {.select = ROW_EXPIRED, .now = now};
    struct victim victims[BATCH];
    int limit = *left < BATCH ? (int)*left : BATCH, count, rc;

    rc = row_victims(txn->db, &query, limit, victims, &count);
    if (rc < 0)
        return rc;
    for (int i = 0; rc == 0 && i < count; i++)
        if (!is_kept(kept, victims[i].rowid)) {
            rc = txn_drop(txn, victims[i].rowid, victims[i].size, victims[i].filename);
            (*left)--;
        }
    free_victims(victims, count);
    return rc;
}

static int evict_while_over(struct txn *txn, const struct kept *kept, int64_t *left,
                            int64_t *ret_evicted)
{
    struct settings *settings = &txn->cache->store->settings;
    struct row_query query = {.select = ROW_POLICY, .policy = (enum policy)settings->policy};
    struct victim few[BATCH], *victims = few;
    /* All newcomers of a set_many may stand before the first that can go. */
    size_t room = (*left < BATCH - 1 ? (size_t)*left : BATCH - 1) + kept->count;
    int count = 0, rc;
    int64_t used;

    *ret_evicted = 0;
    if (query.policy == POLICY_NONE || *left <= 0)
        return 0;
    rc = bytes_used(txn, txn->db, &used);
    if (rc < 0 || used <= settings->size_limit)
        return rc;
    rc = txn_flush_accesses(txn); /* the order by use has to be exact now */
    if (rc == 0)
        rc = schema_policy_index(txn->db, query.policy);
    if (rc == 0 && room > BATCH) {
        victims = os_malloc(room * sizeof *victims);
        rc = victims ? 0 : DCACHE_NOMEM;
    }
    if (rc == 0)
        rc = row_victims(txn->db, &query, (int)room, victims, &count);
    for (int i = 0; rc == 0 && i<count && * left> 0 && used > settings->size_limit; i++) {
        if (is_kept(kept, victims[i].rowid))
            continue;
        rc = txn_name_evicted(txn, victims[i].rowid);
        if (rc == 0)
            rc = txn_drop(txn, victims[i].rowid, victims[i].size, victims[i].filename);
        if (rc == 0)
            rc = bytes_used(txn, txn->db, &used);
        (*left)--;
        (*ret_evicted)++;
        txn->evictions++;
    }
    free_victims(victims, count);
    if (victims != few)
        free(victims);
    return rc;
}

/* The exact figure takes several statements, a fifth of a small set. While there is ample room it is
 * asked for only now and then: `headroom` is half of what was left then, less an upper bound of what
 * each write since can have added. (Of 5.6.3 beside us, which culls for itself, it does not know.) */
bool evict_takes_room(struct store *store, int64_t added)
{
    _Atomic int64_t *headroom = &store->shared.segment->headroom;
    int64_t room = atomic_load_explicit(headroom, memory_order_relaxed);

    if (store->settings.policy == POLICY_NONE || store->settings.cull_limit == 0)
        return true;
    if (room <= added || room > HEADROOM) /* more is not from us */
        return false;
    atomic_store_explicit(headroom, room - added, memory_order_relaxed);
    return true;
}

static int room_left(struct store *store, const struct txn *scope, struct db *db, int64_t *ret)
{
    int64_t used, room;
    int rc = bytes_used(scope, db, &used);

    room = rc == 0 ? os_minus(store->settings.size_limit, used) / 2 : 0;
    *ret = room < HEADROOM ? room : HEADROOM;
    return rc;
}

int evict_room_left(struct store *store, struct db *db, int64_t *ret_room)
{
    return room_left(store, NULL, db, ret_room);
}

static int renew_room(struct txn *txn)
{
    struct store *store = txn->cache->store;
    int64_t room;
    int rc = room_left(store, txn, txn->db, &room);

    atomic_store(&store->shared.segment->headroom, room);
    return rc;
}

int evict_some(struct txn *txn, int64_t *keep, size_t count, int64_t bytes)
{
    struct store *store = txn->cache->store;
    int64_t limit = store->settings.cull_limit, left, evicted = 0;
    struct kept kept = {.rowids = keep, .count = count};
    int rc;

    if (__builtin_mul_overflow(limit, (int64_t)count, &left))
        left = INT64_MAX;
    if (left == 0)
        return 0;
    if (count > 1)
        qsort(keep, count, sizeof *keep, compare_rowids);
    rc = expire_some(txn, &kept, os_now(), &left);
    if (rc < 0 || evict_takes_room(store, bytes + (int64_t)count * ROW_OVERHEAD))
        return rc;
    do
        rc = evict_while_over(txn, &kept, &left, &evicted);
    while (rc == 0 && left > 0 && evicted >= BATCH - 1);
    return rc < 0 ? rc : renew_room(txn);
}

/* ---- in batches ---- */

/* One batch in a transaction of its own; `*ret_count` 0 at the end. */
static int remove_batch(dcache *cache, struct row_query *query, int64_t *ret_count)
{
    struct txn txn = txn_new(cache);
    struct victim victims[BATCH];
    int count = 0, rc = txn_begin(&txn);

    if (rc == 0)
        rc = row_victims(txn.db, query, BATCH, victims, &count);
    for (int i = 0; rc == 0 && i < count; i++) {
        rc = txn_drop(&txn, victims[i].rowid, victims[i].size, victims[i].filename);
        query->after = victims[i].rowid;
    }
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    free_victims(victims, count);
    *ret_count = rc == 0 ? count : 0;
    return rc;
}

static int remove_from(dcache *cache, struct row_query *query, int64_t *removed)
{
    int64_t count;
    int rc;

    do {
        rc = remove_batch(cache, query, &count);
        *removed += count;
    } while (rc == 0 && count > 0);
    return rc;
}

static int remove_all(dcache *cache, const struct row_query *query, int64_t *ret_removed)
{
    int64_t count = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++) {
        struct row_query own = *query;

        rc = remove_from(cache_part(cache, i), &own, &count);
    }
    if (ret_removed)
        *ret_removed = count;
    return rc;
}

int dcache_expire(dcache *cache, double now, int64_t *ret_removed)
{
    struct row_query query = {.select = ROW_EXPIRED, .now = now != 0 ? now : os_now()};

    if (ret_removed)
        *ret_removed = 0;
    return isnan(now) ? os_fail(DCACHE_INVALID, "a time cannot be NaN")
                      : remove_all(cache, &query, ret_removed);
}

int dcache_evict(dcache *cache, const struct dcache_value *tag, int64_t *ret_removed)
{
    struct row_query query = {.select = ROW_TAGGED};
    struct dcache_value column;
    int rc = value_tag(tag, &column);

    query.tag = &column;
    if (ret_removed)
        *ret_removed = 0;
    if (rc == 0 && column.type == DCACHE_NONE) /* in SQL no tag equals no tag */
        rc = os_fail(DCACHE_INVALID, "the tag is missing");
    return rc < 0 ? rc : remove_all(cache, &query, ret_removed);
}

static int cull_batch(dcache *cache, int64_t *ret_count)
{
    struct kept nothing = {.count = 0};
    struct txn txn = txn_new(cache);
    int64_t left = BATCH - 1;
    int rc = txn_begin(&txn);

    *ret_count = 0;
    if (rc == 0)
        rc = evict_while_over(&txn, &nothing, &left, ret_count);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    if (rc < 0)
        *ret_count = 0;
    return rc;
}

int dcache_cull(dcache *cache, int64_t *ret_removed)
{
    int64_t total = 0, count;
    int rc = dcache_expire(cache, 0, &total);

    for (size_t i = 0; rc == 0 && i < cache_parts(cache); i++)
        do {
            rc = cull_batch(cache_part(cache, i), &count);
            total += count;
        } while (rc == 0 && count > 0);
    if (ret_removed)
        *ret_removed = total;
    return rc;
}

/* ---- on a full disk ---- */

struct emergency {
    const struct item *spared; /* the old value of the key that is written stays */
    int64_t wanted, freed;     /* bytes */
};

/* `freed` grows by what the files of a batch had, and a little for each row. The first batch is one row:
 * its few pages find room where more might not. */
static int free_batch(dcache *cache, struct row_query *query, struct emergency *e)
{
    struct txn txn = txn_new(cache);
    struct victim victims[BATCH];
    struct row old = {0};
    struct kept kept = {&old.rowid, 0};
    int64_t freed = 0;
    int count = 0, rc = txn_begin(&txn);

    if (rc == 0)
        rc = row_find(txn.db, &e->spared->row.key, e->spared->row.raw, &old);
    kept.count = rc == 0;
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        rc = row_victims(txn.db, query, e->freed > 0 ? BATCH / 10 : 2, victims, &count);
    for (int i = 0; rc == 0 && i < count && e->freed + freed < e->wanted; i++) {
        if (is_kept(&kept, victims[i].rowid))
            continue;
        if (query->select == ROW_POLICY)
            rc = txn_name_evicted(&txn, victims[i].rowid);
        if (rc == 0)
            rc = txn_drop(&txn, victims[i].rowid, victims[i].size, victims[i].filename);
        freed = os_plus(freed, os_plus(victims[i].size, ROW_OVERHEAD));
        txn.evictions += query->select == ROW_POLICY;
        if (e->freed == 0)
            break;
    }
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    free_victims(victims, count);
    row_clear(&old);
    if (rc == 0)
        e->freed = os_plus(e->freed, freed);
    return rc == 0 && freed == 0 ? DCACHE_FULL : rc;
}

/* Whether there is so much in the cache that can go. */
static int has_bytes(dcache *cache, int64_t bytes)
{
    struct txn txn = txn_new(cache);
    int64_t used = 0;
    int rc = txn_begin(&txn);

    if (rc == 0)
        rc = bytes_used(&txn, txn.db, &used);
    txn_end(&txn); /* nothing was written */
    return rc < 0 ? rc : used < bytes ? DCACHE_FULL : 0;
}

int evict_for_room(dcache *cache, const struct item *spared, int64_t bytes)
{
    struct settings *settings = &cache->store->settings;
    struct row_query expired = {.select = ROW_EXPIRED, .now = os_now()};
    struct row_query query = {.select = ROW_POLICY, .policy = (enum policy)settings->policy};
    struct emergency e = {.spared = spared, .wanted = bytes};
    int rc;

    rc = query.policy == POLICY_NONE ? DCACHE_FULL : has_bytes(cache, bytes);
    if (rc < 0)
        return rc;
    txn_checkpoint(cache->store, INT_MAX); /* then a deletion finds room in the log */
    while (rc == 0 && e.freed < bytes)
        rc = free_batch(cache, &expired, &e);
    if (rc == DCACHE_FULL)
        rc = 0;
    while (rc == 0 && e.freed < bytes)
        rc = free_batch(cache, &query, &e);
    if (rc == DCACHE_FULL && e.freed > 0)
        rc = 0; /* less than wanted: perhaps it is enough */
    if (rc == 0)
        txn_checkpoint(cache->store, INT_MAX);
    return rc;
}

int evict_everything(dcache *cache, int64_t *ret_removed)
{
    struct row_query query = {.select = ROW_ALL, .after = INT64_MIN};

    return remove_all(cache, &query, ret_removed);
}

int evict_db_bytes(struct db *db, int64_t *ret_bytes)
{
    int64_t total, unused;
    int rc = pages(db, &total, &unused);

    if (rc == 0)
        *ret_bytes = total * db->page_size;
    return rc;
}
