/* queue.c - push, pull, peek at the ends of key ranges; peekitem at the ends of the cache. */
#include "entry.h"
#include "evict.h"
#include "hot.h"

#include <stdlib.h>

/* Which end: of a queue, or of the whole cache. */
struct end {
    bool whole;
    const char *prefix;
    enum dcache_side side;
};

/* ---- push ---- */

/* The number of the key beyond the end of the queue. */
static int next_number(struct txn *txn, const char *prefix, enum dcache_side side, int64_t *ret)
{
    struct row row = {0};
    int rc = row_queue_key(txn->db, prefix, side, 0, &row);

    if (rc == DCACHE_NOT_FOUND) {
        *ret = ENDS_FIRST;
        return 0;
    }
    if (rc < 0)
        return rc;
    *ret = ends_number(prefix, &row.key) + (side == DCACHE_BACK ? 1 : -1);
    row_clear(&row);
    return 0;
}

static enum dcache_side other(enum dcache_side side)
{
    return side == DCACHE_BACK ? DCACHE_FRONT : DCACHE_BACK;
}

/* Before the commit: where the queue ends is left for the next, if he can make use of it. `number` is that of
 * the item at this side; what is at the other, is found out. */
static int tell_ends(struct txn *txn, const char *prefix, enum dcache_side side, int64_t number,
                     struct ends *ends)
{
    struct row far = {0};
    int64_t far_number;
    int rc;

    if (!txn->appending || memtable_was_foreign(&txn->cache->store->shared))
        return 0;
    rc = row_queue_key(txn->db, prefix, other(side), 0, &far);
    if (rc < 0)
        return rc == DCACHE_NOT_FOUND ? 0 : rc; /* it was trimmed: not known */
    far_number = ends_number(prefix, &far.key);
    row_clear(&far);
    *ends = (struct ends){.prefix = prefix,
                          .first = side == DCACHE_FRONT ? number : far_number,
                          .next = (side == DCACHE_FRONT ? far_number : number) + 1};
    txn->queue = ends;
    return 0;
}

/* The same for who takes the item at a side, or has found none (`row` is empty). */
static int tell_rest(struct txn *txn, const struct end *end, const struct row *row,
                     struct ends *ends)
{
    const struct shared *shared = &txn->cache->store->shared;
    int64_t number;
    int rc = 0;

    if (end->whole || !txn->appending || memtable_was_foreign(shared))
        return 0;
    *ends = (struct ends){.prefix = end->prefix};
    if (row->rowid == 0) {
        ends->first = ends->next = ENDS_FIRST;
        txn->queue = ends;
        return 0;
    }
    number = ends_number(end->prefix, &row->key);
    if (!ends_find(shared, ends) || number < ends->first || number >= ends->next)
        rc = tell_ends(txn, end->prefix, end->side, number, ends);
    if (end->side == DCACHE_FRONT)
        ends->first = number + 1;
    else
        ends->next = number;
    ends->sure[end->side] = false;
    txn->queue = rc == 0 ? ends : NULL;
    return rc;
}

static int check_queue(const struct dcache *cache, const char *prefix, enum dcache_side side)
{
    struct dcache_value text = prefix ? dcache_text(prefix) : dcache_none(), column;

    if (cache->shard_count > 0)
        return os_fail(DCACHE_INVALID, "a queue is in a single directory");
    if (side != DCACHE_FRONT && side != DCACHE_BACK)
        return os_fail(DCACHE_INVALID, "a side is front or back");
    return value_tag(&text, &column); /* valid UTF-8 */
}

/* The setting deque_maxlen: what is too many goes from the other side. */
static int trim(struct txn *txn, const char *prefix, enum dcache_side pushed)
{
    int64_t most = txn->cache->store->settings.deque_maxlen, count = 0, size;
    int rc = 0;

    if (!prefix && txn->outer) /* it may have changed the setting itself */
        rc = settings_maxlen(txn->db, &most);
    if (rc < 0 || prefix || most < 0)
        return rc;
    rc = txn_counters(txn, txn->db, &count, &size);
    for (; rc == 0 && count > most; count--) {
        struct row row = {0};

        rc = row_queue_end(txn->db, NULL, other(pushed), &row);
        if (rc == 0)
            rc = txn_drop(txn, row.rowid, row.size, row.filename);
        row_clear(&row);
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* Give the items their keys, one after the other, and store them. */
static int store_items(struct txn *txn, const char *prefix, enum dcache_side side,
                       struct item *items, size_t count, int64_t *rowids,
                       struct dcache_value *ret_last_key)
{
    int64_t number, bytes = 0;
    int rc = next_number(txn, prefix, side, &number);

    for (size_t i = 0; rc == 0 && i < count; i++, number += side == DCACHE_BACK ? 1 : -1) {
        dcache_value_clear(ret_last_key);
        rc = ends_key(prefix, number, ret_last_key);
        if (rc == 0)
            rc = item_key(&items[i], txn->cache->store, ret_last_key);
        if (rc == 0)
            rc = item_replace(&items[i], txn, NULL, &rowids[i]);
        bytes += item_bytes(&items[i]);
    }
    if (rc == 0)
        rc = trim(txn, prefix, side);
    return rc < 0 ? rc : evict_some(txn, rowids, count, bytes);
}

/* `items` and `rowids` have room for `count`. */
static int push(dcache *cache, const char *prefix, enum dcache_side side,
                const struct dcache_value *values, size_t count,
                const struct dcache_set_options *given, struct item *items, int64_t *rowids,
                struct dcache_value *ret_last_key)
{
    ENTRY_OPTIONS(struct dcache_set_options, options, given);
    struct txn txn = count == 1 ? txn_single(cache) : txn_new(cache);
    struct ends ends;
    size_t taken = 0;
    int rc = 0;

    if (cache->shard_count > 0) /* nor a place for the files of values */
        return check_queue(cache, prefix, side);
    for (; rc == 0 && taken < count; taken++)
        rc = item_value(&items[taken], &txn, values ? &values[taken] : NULL, &options);
    if (rc == 0)
        rc = check_queue(cache, prefix, side);
    if (rc < 0)
        item_adopt_files(&txn, values, taken, count);
    if (rc == 0)
        rc = count == 1 ? hot_push(cache, prefix, side, items, &txn.patience, ret_last_key)
                        : HOT_PASS;
    if (rc == HOT_PASS) {
        rc = txn_begin(&txn);
        if (rc == 0)
            rc = store_items(&txn, prefix, side, items, count, rowids, ret_last_key);
        if (rc == 0 && count == 1)
            txn_about(&txn, &items[0].row.key, items[0].row.raw);
        if (rc == 0 && count > 0)
            rc = tell_ends(&txn, prefix, side, ends_number(prefix, ret_last_key), &ends);
        if (rc == 0)
            rc = txn_commit(&txn);
    }
    txn_end(&txn);
    return rc;
}

int dcache_push(dcache *cache, const char *prefix, enum dcache_side side,
                const struct dcache_value *value, const struct dcache_set_options *options,
                struct dcache_value *ret_key)
{
    struct dcache_value key = dcache_none();
    struct item item = {0};
    int64_t rowid;
    int rc;

    if (ret_key)
        *ret_key = dcache_none();
    rc = push(cache, prefix, side, value, 1, options, &item, &rowid, &key);
    if (rc == 0 && ret_key)
        *ret_key = key;
    else
        dcache_value_clear(&key);
    return rc;
}

int dcache_push_many(dcache *cache, const char *prefix, enum dcache_side side,
                     const struct dcache_value *values, size_t count,
                     const struct dcache_set_options *options)
{
    struct dcache_value key = dcache_none();
    struct item *items = os_calloc(count, sizeof *items);
    int64_t *rowids = os_calloc(count, sizeof *rowids);
    int rc = items && rowids
                 ? push(cache, prefix, side, values, count, options, items, rowids, &key)
                 : DCACHE_NOMEM;

    dcache_value_clear(&key);
    free(items);
    free(rowids);
    return rc;
}

/* ---- pull and peek ---- */

static int row_at(struct db *db, const struct end *end, struct row *ret_row)
{
    return end->whole ? row_end(db, end->side, ret_row)
                      : row_queue_end(db, end->prefix, end->side, ret_row);
}

/* The first live row whose value can be had; what is in the way goes. */
static int find_end(struct txn *txn, const struct end *end, unsigned flags, struct row *row,
                    int *ret_fd)
{
    for (;;) {
        int rc = row_at(txn->db, end, row);

        if (rc < 0)
            return rc;
        if (row_is_live(row)) {
            rc = entry_open_file(txn->cache->store, row, flags, ret_fd);
            if (rc != DCACHE_NOT_FOUND)
                return rc;
        }
        rc = txn_drop(txn, row->rowid, row->size, row->filename);
        row_clear(row);
        if (rc < 0)
            return rc;
    }
}

/* The first row goes, or all that was in the way and has gone already. */
static int take_row(struct txn *txn, const struct end *end, unsigned flags,
                    struct dcache_entry *ret_entry)
{
    struct row row = {0};
    struct ends ends;
    int fd = -1, rc = find_end(txn, end, flags, &row, &fd), told = 0;

    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        told = tell_rest(txn, end, &row, &ends);
    if (told < 0) {
        os_close(fd);
        rc = told;
    } else if (rc == 0) {
        txn_about(txn, &row.key, row.raw);
        rc = entry_take(txn, &row, fd, flags, ret_entry);
    } else if (rc == DCACHE_NOT_FOUND) {
        int committed = txn_commit(txn);

        rc = committed < 0 ? committed : rc;
    }
    txn->queue = NULL;
    row_clear(&row);
    return rc;
}

static int take_end(dcache *cache, const struct end *end, const struct dcache_get_options *given,
                    struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct row row = {0};
    struct txn txn;
    int rc;

    entry_init(ret_entry);
    rc = check_queue(cache, end->prefix, end->side);
    if (rc < 0)
        return rc;
    if (!end->whole && !(options.flags & DCACHE_AS_FD)) { /* may fail, and then it has to stay */
        rc = hot_pull(cache, end->prefix, end->side, true, &row);
        if (rc != HOT_PASS)
            return rc < 0 ? rc : entry_fill(&row, -1, options.flags, ret_entry);
    }
    txn = txn_single(cache);
    rc = txn_begin(&txn);
    if (rc == 0)
        rc = take_row(&txn, end, options.flags, ret_entry);
    txn_end(&txn);
    return rc;
}

int dcache_pull(dcache *cache, const char *prefix, enum dcache_side side,
                const struct dcache_get_options *options, struct dcache_entry *ret_entry)
{
    struct end end = {.prefix = prefix, .side = side};

    return take_end(cache, &end, options, ret_entry);
}

int dcache_popitem(dcache *cache, enum dcache_side side, const struct dcache_get_options *options,
                   struct dcache_entry *ret_entry)
{
    struct end end = {.whole = true, .side = side};

    return take_end(cache, &end, options, ret_entry);
}

/* Without a write, if the row at the end will do. */
static int peek_quickly(dcache *cache, const struct end *end, unsigned flags,
                        struct dcache_entry *ret_entry)
{
    struct row row = {0};
    struct db *db;
    int fd, rc = end->whole ? HOT_PASS : hot_pull(cache, end->prefix, end->side, false, &row);

    if (rc != HOT_PASS)
        return rc < 0 ? rc : entry_fill(&row, -1, flags, ret_entry);
    rc = txn_read_begin(cache, &db);
    if (rc < 0)
        return rc;
    rc = row_at(db, end, &row);
    txn_read_end(cache, db);
    if (rc < 0)
        return rc;
    rc = row_is_live(&row) ? entry_open_file(cache->store, &row, flags, &fd) : DCACHE_NOT_FOUND;
    if (rc == 0)
        return entry_fill(&row, fd, flags, ret_entry);
    row_clear(&row);
    return rc == DCACHE_NOT_FOUND && !cache->store->read_only ? DCACHE_EXISTS : rc;
}

static int peek(dcache *cache, const struct end *end, const struct dcache_get_options *given,
                struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct row row = {0};
    struct txn txn;
    int fd = -1, rc, committed;

    entry_init(ret_entry);
    rc = check_queue(cache, end->prefix, end->side);
    if (rc == 0)
        rc = peek_quickly(cache, end, options.flags, ret_entry);
    if (rc != DCACHE_EXISTS)
        return rc;
    /* There is something, but it has expired or lost its file: drop it, on to the next. */
    txn = txn_new(cache);
    rc = txn_begin(&txn);
    if (rc == 0) {
        rc = find_end(&txn, end, options.flags, &row, &fd);
        if (rc == 0 || rc == DCACHE_NOT_FOUND) {
            committed = txn_commit(&txn);
            rc = committed < 0 ? committed : rc;
        }
    }
    txn_end(&txn);
    if (rc == 0)
        return entry_fill(&row, fd, options.flags, ret_entry);
    os_close(fd);
    row_clear(&row);
    return rc;
}

int dcache_peek(dcache *cache, const char *prefix, enum dcache_side side,
                const struct dcache_get_options *options, struct dcache_entry *ret_entry)
{
    struct end end = {.prefix = prefix, .side = side};

    return peek(cache, &end, options, ret_entry);
}

int dcache_peekitem(dcache *cache, enum dcache_side side, const struct dcache_get_options *options,
                    struct dcache_entry *ret_entry)
{
    struct end end = {.whole = true, .side = side};

    return peek(cache, &end, options, ret_entry);
}

/* ---- by index ---- */

/* Where the items of the queue NULL are, if the cache holds nothing else. */
struct extent {
    int64_t first, last; /* keys */
    int64_t count;
};

/* Fails: NOT_FOUND (no queue, or other items beside it). */
static int find_extent(dcache *cache, struct db *db, struct extent *ret)
{
    struct row first = {0}, last = {0};
    bool alone = false;
    int64_t size;
    int rc = row_queue_key(db, NULL, DCACHE_FRONT, 0, &first);

    if (rc == 0)
        rc = row_queue_key(db, NULL, DCACHE_BACK, 0, &last);
    ret->first = first.key.integer;
    ret->last = last.key.integer;
    row_clear(&first);
    row_clear(&last);
    if (rc == 0)
        rc = row_are_between(db, ret->first, ret->last, &alone);
    if (rc == 0 && !alone)
        rc = DCACHE_NOT_FOUND;
    return rc < 0 ? rc : txn_counters(cache->scope, db, &ret->count, &size);
}

/* The row that is `index` rows from a side. If the keys have no gap, its key follows from the first;
 * else they are counted along the index, from the nearer end if it is known how many there are. */
static int row_by_index(dcache *cache, struct db *db, const char *prefix, enum dcache_side side,
                        int64_t index, struct row *ret_row)
{
    struct row key = {0};
    struct extent extent;
    int rc = prefix ? DCACHE_NOT_FOUND : find_extent(cache, db, &extent);

    if (rc == 0 && index >= extent.count)
        return DCACHE_NOT_FOUND;
    if (rc == 0 && extent.last - extent.first == extent.count - 1) {
        key.key = dcache_int(side == DCACHE_FRONT ? extent.first + index : extent.last - index);
        return row_get(db, &key.key, 1, ret_row);
    }
    if (rc == 0 && index > extent.count / 2) {
        side = other(side);
        index = extent.count - 1 - index;
    }
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        rc = row_queue_key(db, prefix, side, index, &key);
    if (rc == 0)
        rc = row_get(db, &key.key, 1, ret_row);
    row_clear(&key);
    return rc;
}

static int read_by_index(dcache *cache, const char *prefix, enum dcache_side side, int64_t index,
                         struct row *ret_row)
{
    struct db *db;
    int rc = txn_snapshot_begin(cache, &db);

    if (rc < 0)
        return rc;
    rc = row_by_index(cache, db, prefix, side, index, ret_row);
    txn_snapshot_end(cache, db);
    return rc == 0 && !row_is_live(ret_row) ? DCACHE_NOT_FOUND : rc;
}

int dcache_peek_at(dcache *cache, const char *prefix, enum dcache_side side, int64_t index,
                   const struct dcache_get_options *given, struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    char *missing = NULL;
    struct row row = {0};
    int fd, rc = check_queue(cache, prefix, side);

    entry_init(ret_entry);
    if (rc == 0 && index < 0)
        rc = os_fail(DCACHE_INVALID, "an index is counted from a side, from 0");
    while (rc == 0) {
        rc = read_by_index(cache, prefix, side, index, &row);
        if (rc < 0)
            break;
        rc = entry_open_file(cache->store, &row, options.flags, &fd);
        if (rc == 0) {
            rc = entry_fill(&row, fd, options.flags, ret_entry);
            break;
        }
        /* The value was replaced or taken just now: look again. */
        if (rc != DCACHE_NOT_FOUND || row.damaged ||
            (missing && strcmp(missing, row.filename) == 0))
            break;
        free(missing);
        missing = os_strdup(row.filename);
        rc = missing ? 0 : DCACHE_NOMEM;
        row_clear(&row);
    }
    free(missing);
    row_clear(&row);
    return rc;
}
