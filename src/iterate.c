/* iterate.c - walks over the items, page by page: no lock or transaction between calls. The walk over
 * a fanout is one over each shard, taken one after the other, or by key the least of all first. */
#include "entry.h"
#include "range.h"

#include <stdlib.h>

#define PAGE 100
#define ARENA (32 << 10)
#define MOST_KEYS 1000

struct dcache_iter {
    struct dcache *cache;
    struct dcache_iter_options options; /* its pointers point into `filters` */
    struct dcache_value filters[4];
    char scratch[2][VALUE_SCRATCH];
    char *prefix_end;
    struct range range;
    struct row page[PAGE];
    int at, count;
    bool ended;
    char *arena; /* with DCACHE_KEYS_ONLY: what the keys point into that were handed back */
    size_t arena_size;
    struct dcache_entry held; /* ... or this: of a fanout, in the order of the keys */
    dcache_iter **parts;      /* of a fanout, and then nothing else but the options */
    size_t part_count;
};

/* ---- filters ---- */

static int keep_filter(struct dcache_iter *iter, int i, const struct dcache_value **filter)
{
    struct dcache_value *copy = &iter->filters[i];
    char *memory;

    if (!*filter)
        return 0;
    if (value_is_data(*filter) && !(*filter)->data && (*filter)->size > 0)
        return os_fail(DCACHE_INVALID, "data is NULL");
    *copy = **filter;
    *filter = copy;
    if (!value_is_data(copy))
        return 0;
    memory = os_malloc(copy->size + 1);
    if (!memory) {
        *copy = dcache_none();
        return DCACHE_NOMEM;
    }
    if (copy->size > 0)
        memcpy(memory, copy->data, copy->size);
    memory[copy->size] = 0;
    copy->data = memory;
    return 0;
}

/* The keys with a prefix end before the prefix with its last byte one greater. Of text the end is
 * in any case before the least BLOB, as SQLite orders them. */
static int end_of_prefix(struct dcache_iter *iter, const struct dcache_value *prefix)
{
    size_t size = prefix->size;
    char *end = os_malloc(size + 1);

    if (!end)
        return DCACHE_NOMEM;
    iter->prefix_end = end;
    memcpy(end, prefix->data, size);
    while (size > 0 && (unsigned char)end[size - 1] == 0xFF)
        size--;
    if (size > 0) {
        end[size - 1] = (char)(end[size - 1] + 1);
        iter->range.prefix_end = dcache_sized(prefix->type, end, size);
    } else if (prefix->type == DCACHE_TEXT) {
        iter->range.prefix_end = dcache_bytes("", 0);
    }
    return 0;
}

static int check_filters(struct dcache_iter *iter)
{
    struct dcache_iter_options *o = &iter->options;
    struct dcache_value column;
    int raw, rc = 0;

    if (o->order != DCACHE_BY_INSERTION && o->order != DCACHE_BY_KEY)
        return os_fail(DCACHE_INVALID, "no such order");
    if (o->prefix && o->prefix->type != DCACHE_TEXT && o->prefix->type != DCACHE_BYTES)
        return os_fail(DCACHE_INVALID, "a prefix is text or bytes");
    if ((o->start || o->stop) && o->order != DCACHE_BY_KEY)
        return os_fail(DCACHE_INVALID, "start and stop go with the order by key");
    if (o->tag)
        rc = value_tag(o->tag, &column);
    if (rc == 0 && o->prefix)
        rc = value_key(o->prefix, 5, iter->scratch[0], &column, &raw);
    for (int i = 2; rc == 0 && i < 4; i++)
        if (i == 2 ? o->start != NULL : o->stop != NULL) {
            rc = value_key(&iter->filters[i], 5, iter->scratch[i - 2], &column, &raw);
            if (rc == 0 && !raw)
                rc = os_fail(DCACHE_INVALID, "start and stop are numbers, text or bytes");
        }
    return rc;
}

static int open_one(struct dcache_iter *iter)
{
    struct dcache_iter_options options = iter->options;
    struct db *db;
    int rc;

    iter->range.options = &iter->options;
    iter->range.with_value = !(options.flags & DCACHE_NO_VALUE);
    iter->range.keys_only = (options.flags & DCACHE_KEYS_ONLY) != 0;
    rc = keep_filter(iter, 0, &iter->options.prefix);
    if (rc == 0)
        rc = keep_filter(iter, 1, &iter->options.tag);
    if (rc == 0)
        rc = keep_filter(iter, 2, &iter->options.start);
    if (rc == 0)
        rc = keep_filter(iter, 3, &iter->options.stop);
    if (rc == 0)
        rc = check_filters(iter);
    if (rc == 0 && options.prefix)
        rc = end_of_prefix(iter, iter->options.prefix);
    if (rc == 0)
        rc = txn_read_begin(iter->cache, &db);
    if (rc == 0) {
        rc = row_max_rowid(db, &iter->range.max_rowid);
        txn_read_end(iter->cache, db);
    }
    return rc;
}

/* All at once, so that what is inserted from now on comes in none. */
static int open_parts(struct dcache_iter *iter)
{
    struct dcache_iter_options options = iter->options;
    int rc = 0;

    if (options.order == DCACHE_BY_KEY && (options.flags & DCACHE_KEYS_ONLY))
        options.flags ^= DCACHE_KEYS_ONLY | DCACHE_NO_VALUE; /* merged item by item */
    iter->parts = os_calloc(iter->cache->shard_count, sizeof(dcache_iter *));
    if (!iter->parts)
        return DCACHE_NOMEM;
    for (; rc == 0 && iter->part_count < iter->cache->shard_count; iter->part_count += rc == 0)
        rc = dcache_iter_open(iter->cache->shards[iter->part_count], &options,
                              &iter->parts[iter->part_count]);
    return rc;
}

int dcache_iter_open(dcache *cache, const struct dcache_iter_options *given, dcache_iter **ret_iter)
{
    struct dcache_iter *iter = os_calloc(1, sizeof *iter);
    ENTRY_OPTIONS(struct dcache_iter_options, options, given);
    int rc;

    if (!iter)
        return DCACHE_NOMEM;
    iter->cache = cache;
    iter->options = options;
    rc = cache->shard_count > 0 ? open_parts(iter) : open_one(iter);
    if (rc < 0)
        dcache_iter_close(iter);
    else
        *ret_iter = iter;
    return rc;
}

/* ---- pages ---- */

static int read_page(struct dcache_iter *iter)
{
    sqlite3_stmt *s = NULL;
    struct db *db;
    int rc = txn_read_begin(iter->cache, &db);

    if (rc < 0)
        return rc;
    iter->range.now = os_now();
    iter->at = iter->count = 0;
    rc = range_page(db, &iter->range, PAGE, &s);
    while (rc == 0 && iter->count < PAGE) {
        rc = db_step(db, s);
        if (rc == 1 && range_is_beyond(&iter->range, sqlite3_column_int64(s, 0)))
            rc = 0;
        if (rc == 0) {
            iter->ended = true;
            break;
        }
        if (rc == 1) {
            rc = row_from_statement(s, &iter->page[iter->count]);
            iter->count += rc == 0;
        }
    }
    db_page_end(db);
    txn_read_end(iter->cache, db);
    if (rc < 0)
        while (iter->count > 0)
            row_clear(&iter->page[--iter->count]);
    return rc;
}

/* Where the next page begins: rowid, key and raw of the last row, its key copied. */
static int remember_last(struct dcache_iter *iter, const struct row *row)
{
    struct row_memory *memory;
    int rc = range_advance(&iter->range, row);

    if (rc < 0)
        return rc;
    row_clear(&iter->range.last);
    iter->range.begun = true;
    iter->range.last.rowid = row->rowid;
    iter->range.last.raw = row->raw;
    iter->range.last.key = row->key;
    if (!value_is_data(&row->key))
        return 0;
    memory = os_malloc(sizeof *memory + row->key.size + 1);
    if (!memory)
        return DCACHE_NOMEM;
    memory->more = NULL;
    if (row->key.size > 0)
        memcpy(memory->data, row->key.data, row->key.size);
    iter->range.last.key.data = memory->data;
    iter->range.last.memory = memory;
    return 0;
}

/* A value's file may be gone when its turn comes: the value was replaced, so look the key up, or
 * the item was deleted, so pass over it. */
static int entry_of_row(struct dcache_iter *iter, struct row *row, struct dcache_entry *ret_entry)
{
    struct dcache_get_options get = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_value key = row->key;
    int fd = -1, rc = 0;

    get.flags = iter->options.flags & (DCACHE_AS_FD | DCACHE_AS_STORED | DCACHE_NO_VALUE);
    if (!(get.flags & DCACHE_NO_VALUE))
        rc = entry_open_file(iter->cache->store, row, get.flags, &fd);
    if (rc == 0)
        return entry_fill(row, fd, get.flags, ret_entry);
    if (rc != DCACHE_NOT_FOUND || row->damaged)
        return rc;
    if (!row->raw)
        key.type = DCACHE_PICKLE;
    rc = dcache_get(iter->cache, &key, &get, ret_entry);
    if (rc == 0 && ret_entry->rowid != row->rowid) { /* inserted anew: later, or never */
        dcache_entry_clear(ret_entry);
        rc = DCACHE_NOT_FOUND;
    }
    return rc;
}

/* See to it that there is a row at hand. Fails: NOT_FOUND (the end). */
static int fill(struct dcache_iter *iter)
{
    int rc = 0;

    while (rc == 0 && iter->at == iter->count)
        rc = iter->ended ? DCACHE_NOT_FOUND : read_page(iter);
    return rc;
}

/* Hand back the row at hand. Fails: NOT_FOUND (there is no value any more; on to the next). */
static int take(struct dcache_iter *iter, struct dcache_entry *ret_entry)
{
    struct row *row = &iter->page[iter->at];
    int rc = iter->at == iter->count - 1 ? remember_last(iter, row) : 0;

    if (rc < 0)
        return rc;
    rc = entry_of_row(iter, row, ret_entry);
    row_clear(row);
    iter->at++; /* after a failure, the walk goes on behind the item */
    return rc;
}

/* Whether the row at hand of one comes before that of another. */
static bool comes_before(const struct dcache_iter *a, const struct dcache_iter *b)
{
    const struct row *x = &a->page[a->at], *y = &b->page[b->at];
    int order = dcache_value_compare(&x->key, &y->key);

    if (order == 0)
        order = x->raw - y->raw;
    return a->options.flags & DCACHE_REVERSE ? order > 0 : order < 0;
}

/* The part that has the next row at hand. Fails: NOT_FOUND. */
static int choose(struct dcache_iter *iter, struct dcache_iter **ret_part)
{
    bool by_key = iter->options.order == DCACHE_BY_KEY;
    struct dcache_iter *best = NULL;

    for (size_t n = 0; n < iter->part_count && (by_key || !best); n++) {
        bool back = !by_key && (iter->options.flags & DCACHE_REVERSE);
        struct dcache_iter *part = iter->parts[back ? iter->part_count - 1 - n : n];
        int rc = fill(part);

        if (rc < 0 && rc != DCACHE_NOT_FOUND)
            return rc;
        if (rc == 0 && (!best || comes_before(part, best)))
            best = part;
    }
    *ret_part = best;
    return best ? 0 : DCACHE_NOT_FOUND;
}

static int next(dcache_iter *iter, struct dcache_entry *ret_entry)
{
    struct dcache_iter *part = iter;
    int rc;

    do {
        rc = iter->part_count > 0 ? choose(iter, &part) : fill(iter);
        if (rc < 0)
            return rc;
        rc = take(part, ret_entry);
    } while (rc == DCACHE_NOT_FOUND);
    return rc;
}

int dcache_iter_next(dcache_iter *iter, struct dcache_entry *ret_entry)
{
    entry_init(ret_entry);
    if (iter->options.flags & DCACHE_KEYS_ONLY)
        return os_fail(DCACHE_INVALID, "the iterator has keys only");
    return next(iter, ret_entry);
}

/* ---- keys alone ---- */

/* Copy the key of the row that the statement is at behind `*used` bytes of the arena; only for the
 * first one the arena may grow, since nothing points into it yet. NOT_FOUND: no room. */
static int copy_key(struct dcache_iter *iter, sqlite3_stmt *s, size_t *used,
                    struct dcache_value *ret_key)
{
    struct dcache_value key = db_column(s, 1);
    size_t size = value_bytes(&key) + 1;

    if (size > iter->arena_size - *used) {
        char *grown = *used == 0 ? os_realloc(iter->arena, size < ARENA ? ARENA : size) : NULL;

        if (!grown)
            return *used == 0 ? DCACHE_NOMEM : DCACHE_NOT_FOUND;
        iter->arena = grown;
        iter->arena_size = size < ARENA ? ARENA : size;
    }
    if (value_is_data(&key)) {
        char *copy = iter->arena + *used;

        if (key.size > 0)
            memcpy(copy, key.data, key.size);
        copy[key.size] = 0;
        key.data = copy;
        *used += size;
    }
    *ret_key = key;
    return 0;
}

/* The page ends with the row of this key; the statement is there or, with `beyond`, at the next one. */
static int remember_key(struct dcache_iter *iter, sqlite3_stmt *s, struct row *last, bool beyond)
{
    last->rowid = sqlite3_column_int64(s, 0);
    if (beyond)
        last->rowid += iter->options.flags & DCACHE_REVERSE ? 1 : -1;
    return remember_last(iter, last);
}

static int key_page(struct dcache_iter *iter, struct dcache_value *keys, int room, int *ret_count)
{
    struct row last = {0};
    sqlite3_stmt *s = NULL;
    struct db *db;
    size_t used = 0;
    int rc = txn_read_begin(iter->cache, &db);

    *ret_count = 0;
    if (rc < 0)
        return rc;
    iter->range.now = os_now();
    rc = range_page(db, &iter->range, room, &s);
    while (rc == 0 && *ret_count < room) {
        rc = db_step(db, s);
        if (rc == 1 && range_is_beyond(&iter->range, sqlite3_column_int64(s, 0)))
            rc = 0;
        iter->ended |= rc == 0;
        if (rc <= 0 || (rc = copy_key(iter, s, &used, &keys[*ret_count])) < 0)
            break;
        last.raw = sqlite3_column_int(s, 2);
        last.key = keys[*ret_count];
        value_from_key(&keys[(*ret_count)++], last.raw);
    }
    if (!iter->ended && (rc == 0 || rc == DCACHE_NOT_FOUND)) /* no room for more */
        rc = remember_key(iter, s, &last, rc == DCACHE_NOT_FOUND);
    db_page_end(db);
    txn_read_end(iter->cache, db);
    return rc;
}

/* Of a fanout, in the order of the keys: as good as item by item. */
static int merged_key(struct dcache_iter *iter, struct dcache_value *ret_key)
{
    int rc;

    dcache_entry_clear(&iter->held);
    rc = next(iter, &iter->held);
    if (rc == 0)
        *ret_key = iter->held.key;
    return rc;
}

int dcache_iter_keys(dcache_iter *iter, struct dcache_value *ret_keys, size_t room,
                     size_t *ret_count)
{
    bool back = (iter->options.flags & DCACHE_REVERSE) != 0;
    int rc = 0, count = 0;

    if (!(iter->options.flags & DCACHE_KEYS_ONLY) || room == 0)
        return os_fail(DCACHE_INVALID, room ? "the iterator has more than keys" : "no room");
    if (iter->part_count > 0 && iter->options.order == DCACHE_BY_KEY) {
        rc = merged_key(iter, ret_keys);
        count = 1;
    } else if (iter->part_count > 0) {
        for (rc = DCACHE_NOT_FOUND; rc == DCACHE_NOT_FOUND && iter->at < (int)iter->part_count;
             iter->at += rc == DCACHE_NOT_FOUND) {
            size_t n = back ? iter->part_count - 1 - (size_t)iter->at : (size_t)iter->at;

            rc = dcache_iter_keys(iter->parts[n], ret_keys, room, ret_count);
        }
        return rc;
    } else if (!iter->ended) {
        rc = key_page(iter, ret_keys, room < MOST_KEYS ? (int)room : MOST_KEYS, &count);
    }
    if (rc == 0 && count == 0)
        rc = DCACHE_NOT_FOUND;
    if (rc == 0)
        *ret_count = (size_t)count;
    return rc;
}

void dcache_iter_close(dcache_iter *iter)
{
    if (!iter)
        return;
    while (iter->part_count > 0)
        dcache_iter_close(iter->parts[--iter->part_count]);
    free(iter->parts);
    while (iter->at < iter->count)
        row_clear(&iter->page[iter->at++]);
    row_clear(&iter->range.last);
    dcache_entry_clear(&iter->held);
    free(iter->arena);
    for (int i = 0; i < 4; i++)
        dcache_value_clear(&iter->filters[i]);
    free(iter->prefix_end);
    free(iter);
}
