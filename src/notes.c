/* notes.c - what readers have noted in the segment goes to the database: reads of rows, and statistics. See
 * txn.h. */
#include "txn.h"

int txn_flush_accesses(struct txn *txn)
{
    struct shared *shared = &txn->cache->store->shared;
    int rc = 0;

    if (atomic_exchange(&shared->segment->accesses, 0) == 0)
        return 0;
    txn->about_key = false;
    for (unsigned i = 0; rc == 0 && i < SHARED_ACCESS_SLOTS; i++) {
        int64_t rowid, count;
        double time;

        /* Under an id that is no rowid: read in the moment when it was drained, and lost. */
        if (shared_take_access(shared, i, &rowid, &time, &count) && rowid > 0)
            rc = row_add_access(txn->db, rowid, time, count);
    }
    return rc;
}

int txn_flush_statistics(struct txn *txn)
{
    struct shared_segment *segment = txn->cache->store->shared.segment;
    uint64_t hits = atomic_exchange(&segment->hits, 0);
    uint64_t misses = atomic_exchange(&segment->misses, 0);
    uint64_t timeouts = atomic_exchange(&segment->timeouts, 0);
    uint64_t damaged = atomic_exchange(&segment->damaged, 0);
    int rc = settings_counter_add(txn->db, "hits", (int64_t)hits);

    if (rc == 0)
        rc = settings_counter_add(txn->db, "misses", (int64_t)misses);
    if (rc == 0)
        rc = settings_counter_add(txn->db, "timeouts", (int64_t)timeouts);
    if (rc == 0)
        rc = settings_counter_add(txn->db, "damaged", (int64_t)damaged);
    txn->hits += hits;
    txn->misses += misses;
    txn->timeouts += timeouts;
    txn->damaged += damaged;
    return rc;
}
