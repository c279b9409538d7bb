/* checkpoint.c - when the log is copied to the database, and by whom. See txn.h. */
#include "schema.h"
#include "txn.h"

#include <fcntl.h>

/* SQLite's default is 1000. Whoever checkpoints makes all others wait for the disk, so not too often;
 * but the log's hash table gets slow when one page is in it thousands of times. */
#define CHECKPOINT_FRAMES 2000
#define CHECKPOINT_PATIENCE (100 * OS_MS)

/* Under the lock, T4; but most of the time that it takes goes by in waiting for the disk to have the
 * log, and for that the others need not wait: it is brought there before, without the lock. Opening
 * and closing the log is harmless, since SQLite has no locks on that file. */
void txn_checkpoint(struct store *store, int wal_frames)
{
    struct shared_segment *segment = store->shared.segment;
    int64_t now = os_monotonic(), since = atomic_load(&segment->checkpointing);
    int64_t age = os_minus(now, since);
    struct db *db;
    int log;

    if (wal_frames < CHECKPOINT_FRAMES || store->shared.fd < 0)
        return;
    /* One process at a time; one that died at it is forgotten after a while. */
    if ((since != 0 && age >= 0 && age < CHECKPOINT_PATIENCE) ||
        !atomic_compare_exchange_strong(&segment->checkpointing, &since, now))
        return;
    if (store->settings.synchronous > 0) {
        log = os_openat(store->files.dir, DB_NAME "-wal", O_RDWR | O_NOFOLLOW, 0);
        if (log >= 0)
            (void)os_fdatasync(log); /* SQLite does it once more, and heeds the answer */
        os_close(log);
    }
    /* Whatever fails here, the next commit tries again. */
    if (shared_lock(&store->shared, os_monotonic() + CHECKPOINT_PATIENCE) == 0) {
        if (store_borrow(store, 0, &db) == 0) {
            db_checkpoint(db);
            schema_map(db, &store->settings);
            store_return(store, db);
        }
        shared_unlock(&store->shared);
    }
    atomic_store(&segment->checkpointing, 0);
}
