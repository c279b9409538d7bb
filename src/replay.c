/* replay.c - a change of a transaction that was in the memtable, as rows: T6 of txn.h. As drain.c has it from
 * the ring. */
#include "txn.h"

#include <stdlib.h>

#define BATCH 64

/* What had expired when an item was stored goes with it, but for that item. */
static int take_along(struct txn *txn, double now, int64_t own)
{
    struct row_query query = {.select = ROW_EXPIRED, .now = now};
    int64_t left = txn->cache->store->settings.cull_limit;
    struct victim victims[BATCH];
    int count = 0, rc = 0;

    if (left > 0)
        rc = row_victims(txn->db, &query, left < BATCH ? (int)left + 1 : BATCH, victims, &count);
    for (int i = 0; i < count; i++) {
        if (rc == 0 && left > 0 && victims[i].rowid != own) {
            rc = txn_drop(txn, victims[i].rowid, victims[i].size, victims[i].filename);
            left--;
        }
        free(victims[i].filename);
    }
    return rc;
}

/* `old` is what is there; of nothing the id is 0. */
static int store(struct txn *txn, const struct memtable_change *change, const struct row *old)
{
    struct row row = change->row;
    int64_t initial = 0, rowid = old->rowid;
    int rc = 0;

    if (!(change->flags & MEMTABLE_COUNTED))
        rc = drain_initial_count(txn->db, (enum policy)txn->cache->store->settings.policy, 0,
                                 &initial);
    row.access_count += initial;
    if (rc == 0)
        rc = rowid ? txn_replace(txn, old, &row) : txn_insert(txn, &row, &rowid);
    if (rc == 0 && (change->flags & MEMTABLE_CULLS))
        rc = take_along(txn, row.store_time, rowid);
    return rc;
}

int txn_replay(struct txn *txn, const struct memtable_change *change)
{
    struct row old = {0};
    int rc = row_find(txn->db, &change->key.key, change->key.raw, &old);

    if (rc == 0 && change->kind == MEMTABLE_ABSENT)
        rc = txn_drop(txn, old.rowid, old.size, old.filename);
    else if ((rc == 0 || rc == DCACHE_NOT_FOUND) && change->kind == MEMTABLE_PRESENT)
        rc = store(txn, change, &old);
    row_clear(&old);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}
