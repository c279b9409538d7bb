/* cache.c - the operations on one key: each is one function, readable from top to bottom. */
#include "entry.h"
#include "evict.h"
#include "hot.h"
#include "route.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM (1 << 16) /* for the pages that a value needs beside itself */

/* ---- store ---- */

/* The short way, for what is small: no transaction. */
static int put_hot(dcache *cache, const struct dcache_value *key, const struct dcache_value *value,
                   const struct dcache_set_options *options, bool only_if_absent,
                   struct os_patience *patience)
{
    struct item item;

    if (!item_small(&item, cache, value, options) || item_key(&item, cache->store, key) < 0)
        return HOT_PASS;
    return hot_put(cache, &item, options->flags, only_if_absent, patience);
}

/* `routed` is how it went to find the cache of the key. */
static int put_once(dcache *cache, int routed, const struct dcache_value *key,
                    const struct dcache_value *value, struct dcache_set_options *options,
                    bool only_if_absent)
{
    struct os_patience patience = os_patience(cache->timeout);
    struct txn txn;
    struct item item = {0};
    int64_t rowid;
    int rc = routed == 0 ? put_hot(cache, key, value, options, only_if_absent, &patience)
                         : HOT_PASS;

    if (rc != HOT_PASS)
        return rc;
    txn = only_if_absent ? txn_new(cache) : txn_single(cache);
    txn.patience = patience;
    /* The file goes down before the lock goes up: a large value must not make every other writer
     * wait for our disk. The transaction owns the file until it commits, from the first moment:
     * that of a stored value is ours to remove whatever happens. */
    rc = item_value(&item, &txn, value, options);
    if (rc == 0)
        rc = routed;
    if (rc == 0)
        rc = item_key(&item, cache->store, key);
    if (rc == 0)
        txn_about(&txn, &item.row.key, item.row.raw);
    if (rc == 0)
        rc = txn_begin(&txn);
    if (rc < 0)
        goto done;
    if (only_if_absent || (options->flags & DCACHE_KEEP_EXPIRE))
        rc = item_store_after_look(&item, &txn, options->flags, only_if_absent, &rowid);
    else
        rc = item_store(&item, &txn, &rowid);
    if (rc == 0)
        rc = evict_some(&txn, &rowid, 1, item_bytes(&item)); /* never the newcomer */
    if (rc == 0)
        rc = txn_commit(&txn);
done:
    txn_end(&txn);
    return rc;
}

/* Mend what made a write fail with `rc`: 0 if it is worth a second attempt, else what it fails with. */
static int mend(dcache *cache, const struct dcache_value *key, const struct dcache_value *value,
                int rc)
{
    struct item item = {0};

    if (cache->scope || !value || value->type > DCACHE_PICKLE) /* a stream has been read */
        return rc;
    if (rc == DCACHE_CORRUPT)
        return store_rebuild(cache->store, os_deadline(cache->timeout));
    /* Files that are left to the owner make no room, and a limit of the process is none of the disk. */
    if (rc != DCACHE_FULL || (cache->leave & DCACHE_LEAVE_FILES) ||
        dcache_last_error()->sys_errno == EFBIG)
        return rc;
    rc = item_key(&item, cache->store, key);
    return rc < 0 ? rc : evict_for_room(cache, &item, (int64_t)value_bytes(value) + ROOM);
}

static int put(dcache *cache, const struct dcache_value *key, const struct dcache_value *value,
               const struct dcache_set_options *given, bool only_if_absent)
{
    ENTRY_OPTIONS(struct dcache_set_options, options, given);
    int routed = route_write(cache, key, &cache);
    int rc = put_once(cache, routed, key, value, &options, only_if_absent);

    if (rc == 0 || routed < 0)
        return rc;
    rc = mend(cache, key, value, rc);
    return rc < 0 ? rc : put_once(cache, routed, key, value, &options, only_if_absent);
}

int dcache_set(dcache *cache, const struct dcache_value *key, const struct dcache_value *value,
               const struct dcache_set_options *options)
{
    return put(cache, key, value, options, false);
}

int dcache_add(dcache *cache, const struct dcache_value *key, const struct dcache_value *value,
               const struct dcache_set_options *options)
{
    return put(cache, key, value, options, true);
}

/* ---- look up ---- */

/* For statistics and policies: kept in memory, written by a later writer, or here and now if there
 * is no room, provided that nobody holds the lock. */
static void note_what_is_wanted(dcache *cache, int64_t id)
{
    struct store *store = cache->store;
    struct shared_segment *segment = store->shared.segment;
    struct txn txn;

    if (store->settings.statistics)
        atomic_fetch_add_explicit(id ? &segment->hits : &segment->misses, 1, memory_order_relaxed);
    if (id == 0 || store->settings.policy < POLICY_USED ||
        shared_note_access(&store->shared, id, os_now(), 1) || store->read_only || cache->scope)
        return;
    txn = txn_new(cache);
    txn.patience = os_patience(0);
    txn.aside = true;
    if (txn_begin(&txn) == 0 && txn_flush_accesses(&txn) == 0 && txn_commit(&txn) == 0)
        (void)shared_note_access(&store->shared, id, os_now(), 1); /* one note more or less */
    txn_end(&txn);
}

static void note_read(dcache *cache, int64_t id)
{
    const struct settings *settings = &cache->store->settings;

    if (settings->statistics || settings->policy >= POLICY_USED)
        note_what_is_wanted(cache, id);
}

/* Under what a read is noted: that a row has an id is known once it is in SQLite. */
static int64_t id_for_notes(const dcache *cache, const struct row *row)
{
    if (row->rowid != 0 || cache->store->settings.policy < POLICY_USED)
        return row->rowid != 0 ? row->rowid : 1;
    return drain_note_id(memtable_key(&row->key, row->raw).hash);
}

/* Who has the key: the memtable, at once, or else SQLite. */
static int read_row(dcache *cache, const struct item *item, unsigned flags, struct row *ret_row)
{
    bool asked = hot_may_ask(cache);
    struct hot_look look;
    struct db *db;
    int rc = HOT_PASS;

    hot_look_init(&look, cache, item, flags);
    if (asked)
        rc = hot_ask(&look, ret_row);
    else if (cache->scope)
        rc = hot_look_in_scope(&look, ret_row);

    while (rc == HOT_PASS || rc == ROW_AGAIN) {
        rc = txn_lookup_begin(cache, &db);
        if (rc < 0)
            break;
        rc = asked ? HOT_PASS : hot_ask(&look, ret_row);
        asked = true;
        if (rc != HOT_PASS) {
            txn_read_end(cache, db);
            break;
        }
        rc = row_read(db, &item->row.key, item->row.raw, ret_row);
        if (rc != ROW_AGAIN)
            rc = hot_tell(&look, rc, ret_row);
        txn_read_end(cache, db);
    }
    return rc;
}

/* A file that is not there any more belongs to a value that was just replaced: read the row again.
 * Only a row that still names the missing file is without a value. */
static int lookup(dcache *cache, const struct item *item, unsigned flags, struct row *row,
                  int *ret_fd)
{
    char *missing = NULL;
    int rc;

    for (;;) {
        rc = read_row(cache, item, flags, row);
        if (rc == DCACHE_CORRUPT && !cache->scope &&
            store_rebuild(cache->store, os_deadline(cache->timeout)) == 0)
            rc = read_row(cache, item, flags, row);
        if (rc == 0 && !row_is_live(row))
            rc = DCACHE_NOT_FOUND;
        if (rc < 0)
            break;
        rc = entry_open_file(cache->store, row, flags, ret_fd);
        if (rc != DCACHE_NOT_FOUND || row->damaged ||
            (missing && strcmp(missing, row->filename) == 0))
            break;
        free(missing);
        missing = os_strdup(row->filename);
        if (!missing)
            rc = DCACHE_NOMEM;
        row_clear(row);
        if (rc == DCACHE_NOMEM)
            break;
    }
    free(missing);
    if (rc < 0)
        row_clear(row);
    return rc;
}

/* Look in one place after the other; `*cache` becomes the one that has the key, or the last. */
static int find_in_places(dcache **cache, const struct dcache_value *key, unsigned flags,
                          struct row *row, int *ret_fd)
{
    struct dcache *places[ROUTE_PLACES];
    size_t count = route_read(*cache, key, places);
    struct item item = {0};
    int rc = item_key(&item, places[0]->store, key);

    if (rc == 0)
        rc = DCACHE_NOT_FOUND;
    for (size_t i = 0; rc == DCACHE_NOT_FOUND && i < count; i++) {
        *cache = places[i];
        rc = lookup(*cache, &item, flags, row, ret_fd);
    }
    return rc;
}

/* Of the record only the row counts. */
static int find(dcache **cache, const struct dcache_value *key, unsigned flags,
                struct memtable_record *found, int *ret_fd)
{
    int rc = hot_get(cache, key, flags, found);

    *ret_fd = -1;
    if (rc != HOT_PASS)
        return rc;
    memset(&found->row, 0, sizeof found->row);
    return find_in_places(cache, key, flags, &found->row, ret_fd);
}

int dcache_get(dcache *cache, const struct dcache_value *key,
               const struct dcache_get_options *given, struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct memtable_record found;
    int64_t id = 0;
    int fd, rc = find(&cache, key, options.flags, &found, &fd);

    if (rc == 0) {
        id = id_for_notes(cache, &found.row);
        rc = entry_fill(&found.row, fd, options.flags, ret_entry);
    } else {
        entry_init(ret_entry);
    }
    if ((rc == 0 || rc == DCACHE_NOT_FOUND) && !(options.flags & DCACHE_NO_ACCESS))
        note_read(cache, id);
    return rc;
}

int dcache_contains(dcache *cache, const struct dcache_value *key)
{
    struct memtable_record found;
    int fd, rc = find(&cache, key, DCACHE_NO_VALUE, &found, &fd);

    if (rc == 0)
        row_clear(&found.row);
    return rc;
}

/* ---- change ---- */

/* Find a live row with its value; one whose file is missing goes, and counts as not there. */
static int find_live(struct txn *txn, const struct item *item, unsigned flags, struct row *row,
                     int *ret_fd)
{
    int rc = row_get(txn->db, &item->row.key, item->row.raw, row);

    *ret_fd = -1;
    if (rc < 0)
        return rc;
    if (!row_is_live(row))
        return DCACHE_NOT_FOUND;
    rc = entry_open_file(txn->cache->store, row, flags, ret_fd);
    if (rc == DCACHE_NOT_FOUND) {
        rc = txn_drop(txn, row->rowid, row->size, row->filename);
        if (rc == 0)
            rc = txn_commit(txn);
        if (rc == 0)
            rc = DCACHE_NOT_FOUND;
    }
    return rc;
}

int dcache_touch(dcache *cache, const struct dcache_value *key,
                 const struct dcache_set_options *given)
{
    ENTRY_OPTIONS(struct dcache_set_options, options, given);
    struct txn txn;
    struct item item = {0};
    struct row row = {0};
    double expire_time;
    int fd, rc;

    rc = entry_expiry(options.expire, options.expire_at, os_now(), &expire_time);
    if (rc == 0)
        rc = route_write(cache, key, &cache);
    if (rc < 0)
        return rc;
    txn = txn_new(cache);
    rc = item_key(&item, cache->store, key);
    if (rc == 0)
        rc = hot_touch(cache, &item, expire_time, options.flags & DCACHE_KEEP_EXPIRE,
                       &txn.patience);
    if (rc != HOT_PASS)
        return rc;
    txn_about(&txn, &item.row.key, item.row.raw);
    rc = txn_begin(&txn);
    if (rc == 0)
        rc = find_live(&txn, &item, DCACHE_NO_VALUE, &row, &fd);
    if (rc == 0 && !(options.flags & DCACHE_KEEP_EXPIRE))
        rc = row_touch(txn.db, row.rowid, expire_time);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    row_clear(&row);
    return rc;
}

/* The place under a new key is to be free: a dead item goes, a live one stays and is in the way. */
static int make_way(struct txn *txn, const struct item *item, int64_t rowid)
{
    struct row row = {0};
    int rc = row_find(txn->db, &item->row.key, item->row.raw, &row);

    if (rc == 0 && row.rowid != rowid) {
        rc = row_is_live(&row) ? entry_check_file(txn->cache->store, &row) : DCACHE_NOT_FOUND;
        if (rc == DCACHE_NOT_FOUND)
            rc = txn_drop(txn, row.rowid, row.size, row.filename);
        else if (rc == 0)
            rc = DCACHE_EXISTS;
    }
    row_clear(&row);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int rename_within(dcache *cache, const struct dcache_value *key,
                         const struct dcache_value *new_key)
{
    struct txn txn = txn_new(cache);
    struct item from = {0}, to = {0};
    struct row row = {0};
    int fd, rc;

    rc = item_key(&from, cache->store, key);
    if (rc == 0)
        rc = item_key(&to, cache->store, new_key);
    if (rc == 0)
        rc = txn_begin(&txn);
    if (rc == 0)
        rc = find_live(&txn, &from, DCACHE_NO_VALUE, &row, &fd);
    if (rc == 0)
        rc = make_way(&txn, &to, row.rowid);
    if (rc == 0)
        rc = row_rename(txn.db, row.rowid, &to.row.key, to.row.raw);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    row_clear(&row);
    return rc;
}

/* From one shard to another; the new place is committed first: who dies in between leaves both. */
static int rename_across(struct txn *from, struct txn *to, const struct item *item,
                         struct item *new_item)
{
    struct row row = {0}, old = {0};
    int fd = -1, rc = find_live(from, item, 0, &row, &fd);

    if (rc == 0)
        rc = row_find(from->db, &item->row.key, item->row.raw, &old);
    if (rc == 0)
        rc = make_way(to, new_item, 0);
    if (rc == 0) {
        rc = route_copy(to, new_item, &row, fd);
        fd = -1;
    }
    if (rc == 0)
        rc = txn_drop(from, old.rowid, old.size, old.filename);
    if (rc == 0)
        rc = txn_commit(to);
    if (rc == 0)
        rc = txn_commit(from);
    os_close(fd);
    row_clear(&row);
    row_clear(&old);
    return rc;
}

int dcache_rename(dcache *cache, const struct dcache_value *key, const struct dcache_value *new_key)
{
    bool up = route_number(cache, key) < route_number(cache, new_key);
    struct item item = {0}, new_item = {0};
    struct txn from, to;
    dcache *source, *target;
    int rc = route_write(cache, key, &source);

    if (rc == 0)
        rc = route_write(cache, new_key, &target);
    if (rc < 0)
        return rc;
    if (source == target)
        return rename_within(source, key, new_key);
    from = txn_new(source);
    to = txn_new(target);
    rc = item_key(&item, source->store, key);
    if (rc == 0)
        rc = item_key(&new_item, target->store, new_key);
    if (rc == 0)
        rc = txn_begin(up ? &from : &to);
    if (rc == 0)
        rc = txn_begin(up ? &to : &from);
    if (rc == 0)
        rc = rename_across(&from, &to, &item, &new_item);
    txn_end(&to);
    txn_end(&from);
    return rc;
}

static int add_numbers(const struct dcache_value *a, const struct dcache_value *b,
                       struct dcache_value *ret)
{
    int64_t sum;

    if ((a->type != DCACHE_INT && a->type != DCACHE_DOUBLE) ||
        (b->type != DCACHE_INT && b->type != DCACHE_DOUBLE))
        return os_fail(DCACHE_TYPE, "not a number");
    if (a->type == DCACHE_INT && b->type == DCACHE_INT) {
        if (__builtin_add_overflow(a->integer, b->integer, &sum))
            return os_fail(DCACHE_RANGE, "the sum does not fit into 64 bits");
        *ret = dcache_int(sum);
        return 0;
    }
    *ret = dcache_double((a->type == DCACHE_INT ? (double)a->integer : a->real) +
                         (b->type == DCACHE_INT ? (double)b->integer : b->real));
    return 0;
}

static int new_number(struct txn *txn, struct item *item, const struct dcache_incr_options *options,
                      const struct dcache_value *value)
{
    struct dcache_set_options set = DCACHE_OPTIONS(struct dcache_set_options);

    set.flags = options->flags & DCACHE_PINNED;
    set.expire = options->expire;
    set.expire_at = options->expire_at;
    set.tag = options->tag;
    return item_value(item, txn, value, &set); /* a number: no file, no wait */
}

/* A new number, in place of nothing or of what has expired. */
static int begin_number(struct txn *txn, struct item *item, const struct row *old,
                        const struct dcache_incr_options *options, const struct dcache_value *value)
{
    int64_t rowid;
    int rc = new_number(txn, item, options, value);

    if (rc == 0)
        rc = item_replace(item, txn, old, &rowid);
    return rc < 0 ? rc : evict_some(txn, &rowid, 1, item_bytes(item));
}

/* Sum of the live number under a key and `delta`. `*ret_same`: a NaN is kept as a pickle, and stays. */
static int sum_of(const struct row *row, const struct dcache_value *delta, struct dcache_value *sum,
                  bool *ret_same)
{
    struct dcache_value column = row->value;
    int rc;

    value_from_column(&column, row->mode);
    *ret_same = column.type == DCACHE_DOUBLE && row->mode == MODE_PICKLE;
    if (*ret_same) {
        *sum = column;
        return 0;
    }
    rc = row->filename || row->mode != MODE_RAW ? os_fail(DCACHE_TYPE, "not a number")
                                                : add_numbers(&column, delta, sum);
    if (rc == 0 && sum->type == DCACHE_DOUBLE && isnan(sum->real))
        rc = os_fail(DCACHE_RANGE, "the sum is not a number");
    return rc;
}

static int change_number(struct txn *txn, const struct row *row, const struct dcache_value *delta,
                         struct dcache_value *sum)
{
    bool same;
    int rc = sum_of(row, delta, sum, &same);

    if (rc == 0 && !same)
        rc = row_set_number(txn->db, row, sum, (enum policy)txn->cache->store->settings.policy,
                            os_now());
    return rc;
}

/* The same in the memtable. */
static int incr_hot(struct txn *txn, struct item *item, const struct dcache_value *delta,
                    const struct dcache_incr_options *options, struct dcache_value *sum)
{
    struct hot_look look;
    struct dcache_value zero = dcache_int(0);
    struct row row = {0};
    bool same = false;
    int rc, ended;

    hot_look_init(&look, txn->cache, item, 0);
    do {
        rc = hot_incr_begin(txn->cache, &look, &txn->patience, &row);
        if (rc != 0)
            return rc;
        if (row.memory && row_is_live(&row)) {
            rc = sum_of(&row, delta, sum, &same);
            row.value = *sum;
            row.store_time = row_is_pinned(&row) ? row.store_time : os_now();
        } else if (options->flags & DCACHE_MUST_EXIST) {
            rc = DCACHE_NOT_FOUND;
        } else {
            rc = add_numbers(options->initial ? options->initial : &zero, delta, sum);
            row_clear(&row);
            if (rc == 0)
                rc = new_number(txn, item, options, sum);
            row = item->row;
            look.counted = MEMTABLE_CULLS;
        }
        ended = hot_incr_end(&look, rc == 0 && !same ? &row : NULL, &txn->patience);
        row_clear(&row);
    } while (rc == 0 && ended == HOT_AGAIN);
    return rc < 0 ? rc : ended;
}

int dcache_incr(dcache *cache, const struct dcache_value *key, const struct dcache_value *delta,
                const struct dcache_incr_options *given, struct dcache_value *ret_value)
{
    ENTRY_OPTIONS(struct dcache_incr_options, options, given);
    struct dcache_value zero = dcache_int(0), one = dcache_int(1), sum = zero;
    struct txn txn;
    struct item item = {0};
    struct row row = {0};
    bool there, live = false;
    int rc;

    rc = route_write(cache, key, &cache);
    if (rc < 0)
        return rc;
    txn = options.flags & DCACHE_MUST_EXIST ? txn_new(cache) : txn_single(cache);
    rc = item_key(&item, cache->store, key);
    if (rc == 0)
        rc = incr_hot(&txn, &item, delta ? delta : &one, &options, &sum);
    if (rc == 0 && ret_value)
        *ret_value = sum;
    if (rc != HOT_PASS)
        return rc;
    txn_about(&txn, &item.row.key, item.row.raw);
    rc = txn_begin(&txn);
    if (rc < 0)
        goto done;
    rc = row_get(txn.db, &item.row.key, item.row.raw, &row);
    there = rc == 0;
    if (there && row_is_live(&row)) {
        rc = entry_check_file(cache->store, &row);
        live = rc == 0;
    }
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        goto done;
    if (live) {
        rc = change_number(&txn, &row, delta ? delta : &one, &sum);
    } else if (options.flags & DCACHE_MUST_EXIST) {
        rc = DCACHE_NOT_FOUND;
    } else {
        rc = add_numbers(options.initial ? options.initial : &zero, delta ? delta : &one, &sum);
        if (rc == 0)
            rc = begin_number(&txn, &item, there ? &row : NULL, &options, &sum);
    }
    if (rc == 0)
        rc = txn_commit(&txn);
    if (rc == 0 && ret_value)
        *ret_value = sum;
done:
    txn_end(&txn);
    row_clear(&row);
    return rc;
}

int dcache_pop(dcache *cache, const struct dcache_value *key,
               const struct dcache_get_options *given, struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_get_options, options, given);
    struct txn txn;
    struct item item = {0};
    struct row row = {0};
    int fd = -1, rc;

    entry_init(ret_entry);
    rc = route_write(cache, key, &cache);
    if (rc < 0)
        return rc;
    txn = txn_new(cache);
    rc = item_key(&item, cache->store, key);
    if (rc == 0 && !(options.flags & DCACHE_AS_FD)) { /* which may fail, and then it has to stay */
        rc = hot_remove(cache, &item, &row, &txn.patience);
        if (rc != HOT_PASS)
            return rc < 0 ? rc : entry_fill(&row, -1, options.flags, ret_entry);
        rc = 0;
    }
    if (rc == 0)
        txn_about(&txn, &item.row.key, item.row.raw);
    if (rc == 0)
        rc = txn_begin(&txn);
    if (rc == 0)
        rc = find_live(&txn, &item, options.flags, &row, &fd);
    if (rc == 0)
        rc = entry_take(&txn, &row, fd, options.flags, ret_entry);
    txn_end(&txn);
    row_clear(&row);
    return rc;
}

int dcache_delete(dcache *cache, const struct dcache_value *key)
{
    struct txn txn;
    struct item item = {0};
    struct row row = {0};
    int fd, rc = route_write(cache, key, &cache);

    if (rc < 0)
        return rc;
    txn = txn_new(cache);
    rc = item_key(&item, cache->store, key);
    if (rc == 0)
        rc = hot_remove(cache, &item, NULL, &txn.patience);
    if (rc != HOT_PASS)
        return rc;
    txn_about(&txn, &item.row.key, item.row.raw);
    rc = txn_begin(&txn);
    if (rc == 0)
        rc = find_live(&txn, &item, DCACHE_NO_VALUE, &row, &fd);
    if (rc == 0)
        rc = txn_drop(&txn, row.rowid, row.size, row.filename);
    if (rc == 0)
        rc = txn_commit(&txn);
    txn_end(&txn);
    row_clear(&row);
    return rc;
}
