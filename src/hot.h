/* hot.h - single keys in the memtable: each function is an operation's short way.
 *
 * HOT_PASS means that it is not for here, and nothing has been done: the caller takes the long way,
 * through SQLite. That is so in a transaction of SQLite, where there is no memtable or none is wanted, for
 * values in files, for values too large for the ring, and for what is pinned: those are locks, which
 * 5.6.3 has to see at once. */
#ifndef HOT_H
#define HOT_H

#include "entry.h"

#define HOT_PASS 1

/* A look for a key: first what the memtable says, then (HOT_PASS) what SQLite says, and of that what
 * counts. */
struct hot_look {
    struct dcache *cache;
    struct memtable_key key;
    unsigned flags;
    uint64_t commits; /* when the memtable was asked */
    int refused;      /* how often there was no room in the ring */
    unsigned counted; /* MEMTABLE_COUNTED of what was found, or 0; MEMTABLE_CULLS: a new item */
    const struct ends *ends,
        *moved;                    /* of a push or pull: where the queue ends before and after it */
    struct memtable_record record; /* dirty, but SQLite may know better */
};

void hot_look_init(struct hot_look *look, struct dcache *cache, const struct item *item,
                   unsigned flags);

/* get and contains: a record with a live row, `*cache` being the part that has it; or NOT_FOUND, and nothing
 * to be cleared. */
int hot_get(struct dcache **cache, const struct dcache_value *key, unsigned flags,
            struct memtable_record *ret_record);

/* Whether the memtable may be asked at once; else a connection is to be borrowed first, which sees to
 * what there is to be noticed. */
bool hot_may_ask(struct dcache *cache);

/* The row, NOT_FOUND, or HOT_PASS. */
int hot_ask(struct hot_look *look, struct row *ret_row);

/* What SQLite has said, `rc` and `row`, becomes what counts. It may be kept for the next who asks. */
int hot_tell(struct hot_look *look, int rc, struct row *row);

/* set and add of an item that is small (item_small()); its times may become others. Fails: EXISTS. */
int hot_put(struct dcache *cache, struct item *item, unsigned flags, bool only_if_absent,
            struct os_patience *patience);

/* Give a live item another expiry (`keep`: the one it has). Fails: NOT_FOUND. */
int hot_touch(struct dcache *cache, const struct item *item, double expire_time, bool keep,
              struct os_patience *patience);

/* Remove a live item; its row is handed back if `ret_row` is not NULL. Fails: NOT_FOUND. */
int hot_remove(struct dcache *cache, const struct item *item, struct row *ret_row,
               struct os_patience *patience);

/* push of an item without a file, if it is known where the queue ends; `ret_key` is owned, of text.
 * Fails: RANGE. */
int hot_push(struct dcache *cache, const char *prefix, enum dcache_side side,
             const struct item *item, struct os_patience *patience, struct dcache_value *ret_key);

/* peek and (`remove`) pull; the row is handed back. Fails: NOT_FOUND. */
int hot_pull(struct dcache *cache, const char *prefix, enum dcache_side side, bool remove,
             struct row *ret_row);

/* Transactions, T6 of txn.h. Begin: in the memtable, with the append lock; an inner one in the group of
 * the one around it. Commit: publish what it has written; of a transaction that is SQLite's, or has to
 * be, HOT_PASS. Rolling back is txn_undo(). */
int hot_begin(struct txn *txn);
int hot_commit(struct txn *txn);

/* A key as a transaction that is in the memtable sees it: the row, NOT_FOUND, or HOT_PASS. */
int hot_look_in_scope(struct hot_look *look, struct row *ret_row);

/* For incr. Begin: what is under a key (`*ret_row` empty: nothing), and the append lock. End: store
 * `row` in its place (NULL: leave it), and let go of the lock. HOT_AGAIN: the ring was full, begin
 * once more. */
#define HOT_AGAIN 2
int hot_incr_begin(struct dcache *cache, struct hot_look *look, struct os_patience *patience,
                   struct row *ret_row);
int hot_incr_end(struct hot_look *look, const struct row *row, struct os_patience *patience);

/* ---- what they are made of: for hot_txn.c and hot_queue.c ---- */

/* The append lock, where writing to the memtable is the thing to do; else HOT_PASS. Fails: TIMEOUT. */
int hot_enter(struct dcache *cache, struct os_patience *patience);

/* Another commit counter than ours means so, unless one of us is just about to note his. */
bool hot_is_foreign_at_work(struct store *store);

#define HOT_REFUSALS 1000 /* of the ring, before it is left aside */

/* A look for a key as stored. */
void hot_look_for(struct hot_look *look, struct dcache *cache, const struct dcache_value *key,
                  int raw, unsigned flags);

/* With the append lock: what is under the key, and stays until it is let go. As hot_ask() with SQLite. */
int hot_current(struct hot_look *look, struct os_patience *patience, struct row *ret_row);

/* Publish a new state, and let go of the lock. HOT_PASS, HOT_AGAIN: it was not. */
int hot_publish(struct hot_look *look, enum memtable_kind kind, unsigned flags,
                const struct row *row, struct os_patience *patience);

/* Let go of the lock with another outcome, which is returned. */
int hot_let_go(struct hot_look *look, int rc);

#endif
