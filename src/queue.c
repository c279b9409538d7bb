/* queue.c - push, pull, peek at the ends of key ranges; peekitem at the ends of the cache. */
#include "entry.h"
#include "evict.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_NUMBER INT64_C(500000000000000)
#define LAST_NUMBER INT64_C(999999999999998) /* 5.6.3 looks strictly between 0 and one more */

/* ---- push ---- */

/* The number of the key beyond the end of the queue. */
static int next_number(struct txn *txn, const char *prefix, enum dcache_side side, int64_t *ret)
{
    struct row row = {0};
    int rc = row_queue_end(txn->db, prefix, side, &row);

    if (rc == DCACHE_NOT_FOUND) {
        *ret = FIRST_NUMBER;
        return 0;
    }
    if (rc < 0)
        return rc;
    *ret = prefix ? strtoll((const char *)row.key.data + strlen(prefix) + 1, NULL, 10)
                  : row.key.integer;
    *ret += side == DCACHE_BACK ? 1 : -1;
    row_clear(&row);
    if (*ret < 1 || *ret > LAST_NUMBER)
        return os_fail(DCACHE_RANGE, "the numbers of the queue are used up");
    return 0;
}

static int make_key(const char *prefix, int64_t number, struct dcache_value *ret_key)
{
    char *text;

    *ret_key = dcache_int(number);
    if (!prefix)
        return 0;
    text = os_format("%s-%015lld", prefix, (long long)number);
    if (!text)
        return DCACHE_NOMEM;
    *ret_key = dcache_text(text);
    return 0;
}

static int check_queue(const char *prefix, enum dcache_side side)
{
    struct dcache_value text = prefix ? dcache_text(prefix) : dcache_none(), column;

    if (side != DCACHE_FRONT && side != DCACHE_BACK)
        return os_fail(DCACHE_INVALID, "a side is front or back");
    return value_tag(&text, &column); /* valid UTF-8 */
}

int dcache_push(dcache *cache, const char *prefix, enum dcache_side side,
                const struct dcache_value *value, const struct dcache_set_options *given,
                struct dcache_value *ret_key)
{
    ENTRY_OPTIONS(struct dcache_set_options, options, given);
    struct dcache_value key = dcache_none();
    struct txn txn = txn_new(cache);
    struct item item = {0};
    int64_t number, rowid;
    int rc;

    if (ret_key)
        *ret_key = dcache_none();
    rc = item_value(&item, &txn, value, &options);
    if (rc == 0)
        rc = check_queue(prefix, side);
    if (rc == 0)
        rc = txn_begin(&txn);
    if (rc == 0)
        rc = next_number(&txn, prefix, side, &number);
    if (rc == 0)
        rc = make_key(prefix, number, &key);
    if (rc == 0)
        rc = item_key(&item, cache->store, &key);
    if (rc == 0)
        rc = item_replace(&item, &txn, NULL, &rowid);
    if (rc == 0)
        rc = evict_some(&txn, &rowid, 1, item_bytes(&item));
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    if (rc == 0 && ret_key)
        *ret_key = key;
    else
        dcache_value_clear(&key);
    return rc;
}

/* ---- pull and peek ---- */

/* Which end: of a queue, or of the whole cache. */
struct end {
    bool whole;
    const char *prefix;
    enum dcache_side side;
};

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

int dcache_pull(dcache *cache, const char *prefix, enum dcache_side side,
                const struct dcache_get_options *given, struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct end end = {.prefix = prefix, .side = side};
    struct txn txn = txn_new(cache);
    struct row row = {0};
    int fd = -1, rc, committed;

    entry_init(ret_entry);
    rc = check_queue(prefix, side);
    if (rc == 0)
        rc = txn_begin(&txn);
    if (rc == 0) {
        rc = find_end(&txn, &end, options.flags, &row, &fd);
        if (rc == 0) {
            rc = entry_take(&txn, &row, fd, options.flags, ret_entry);
        } else if (rc == DCACHE_NOT_FOUND) {
            committed = txn_commit(&txn); /* what was in the way goes */
            rc = committed < 0 ? committed : rc;
        }
    }
    txn_end(&txn);
    row_clear(&row);
    return rc;
}

/* Without a write, if the row at the end will do. */
static int peek_quickly(dcache *cache, const struct end *end, unsigned flags,
                        struct dcache_entry *ret_entry)
{
    struct row row = {0};
    struct db *db;
    int fd, rc = txn_read_begin(cache, &db);

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
    rc = check_queue(end->prefix, end->side);
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
