/* iterate.c - walks over the items, page by page: no lock or transaction between calls. */
#include "entry.h"

#include <stdlib.h>

#define PAGE 100

struct dcache_iter {
    struct dcache *cache;
    struct dcache_iter_options options; /* its pointers point into `filters` */
    struct dcache_value filters[4];
    char scratch[2][VALUE_SCRATCH];
    char *prefix_end;
    struct row_range range;
    struct row page[PAGE];
    int at, count;
    bool ended;
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

int dcache_iter_open(dcache *cache, const struct dcache_iter_options *given, dcache_iter **ret_iter)
{
    struct dcache_iter *iter = os_calloc(1, sizeof *iter);
    ENTRY_OPTIONS(struct dcache_iter_options, options, given);
    struct db *db;
    int rc = iter ? 0 : DCACHE_NOMEM;

    if (rc < 0)
        return rc;
    iter->cache = cache;
    iter->options = options;
    iter->range.options = &iter->options;
    iter->range.with_value = !(options.flags & DCACHE_NO_VALUE);
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
        rc = txn_read_begin(cache, &db);
    if (rc == 0) {
        rc = row_max_rowid(db, &iter->range.max_rowid);
        txn_read_end(cache, db);
    }
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
    rc = row_page(db, &iter->range, PAGE, &s);
    while (rc == 0 && iter->count < PAGE) {
        rc = db_step(db, s);
        if (rc == 0) {
            iter->ended = true;
            break;
        }
        if (rc == 1) {
            rc = row_from_statement(s, &iter->page[iter->count]);
            iter->count += rc == 0;
        }
    }
    (void)sqlite3_finalize(s);
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
    if (rc != DCACHE_NOT_FOUND)
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

int dcache_iter_next(dcache_iter *iter, struct dcache_entry *ret_entry)
{
    int rc;

    entry_init(ret_entry);
    for (;;) {
        struct row *row = &iter->page[iter->at];

        if (iter->at == iter->count) {
            if (iter->ended)
                return DCACHE_NOT_FOUND;
            rc = read_page(iter);
            if (rc < 0)
                return rc;
            continue;
        }
        rc = iter->at == iter->count - 1 ? remember_last(iter, row) : 0;
        if (rc < 0)
            return rc;
        rc = entry_of_row(iter, row, ret_entry);
        row_clear(row);
        iter->at++;
        if (rc != DCACHE_NOT_FOUND)
            return rc; /* after a failure, the walk goes on behind the item */
    }
}

void dcache_iter_close(dcache_iter *iter)
{
    if (!iter)
        return;
    while (iter->at < iter->count)
        row_clear(&iter->page[iter->at++]);
    row_clear(&iter->range.last);
    for (int i = 0; i < 4; i++)
        dcache_value_clear(&iter->filters[i]);
    free(iter->prefix_end);
    free(iter);
}
