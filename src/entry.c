/* entry.c - between the public structures and rows. See entry.h. */
#include "entry.h"

#include <errno.h>
#include <stdlib.h>

/* ---- in ---- */

int item_key(struct item *item, struct store *store, const struct dcache_value *key)
{
    if (!key)
        return os_fail(DCACHE_INVALID, "the key is NULL");
    return value_key(key, (int)store->settings.pickle_protocol, item->key_scratch, &item->row.key,
                     &item->row.raw);
}

int entry_expiry(double expire, double expire_at, double now, double *ret_time)
{
    if (isnan(expire) || isnan(expire_at))
        return os_fail(DCACHE_INVALID, "an expiry cannot be NaN");
    if (expire_at != 0)
        *ret_time = expire_at;
    else
        *ret_time = expire != 0 ? now + expire : DCACHE_NEVER;
    return 0;
}

static int stored_value(struct item *item, struct txn *txn, const struct dcache_stored *stored,
                        int64_t limit)
{
    const char *filename = stored ? stored->filename : NULL;
    int rc = 0;

    /* Its file is ours to remove from here on, even if something is wrong. */
    if (filename && !file_is_inside(filename))
        rc = os_fail(DCACHE_INVALID, "%s is not a file of the cache", filename);
    else if (filename)
        rc = txn_adopt(txn, filename);
    if (rc < 0)
        return rc;
    if (!stored || stored->mode < MODE_NONE || stored->mode > MODE_PICKLE || stored->size < 0 ||
        stored->value.type > DCACHE_BYTES)
        return os_fail(DCACHE_INVALID, "not a stored value");
    if (stored->size > limit || value_bytes(&stored->value) > (size_t)limit)
        return os_fail(DCACHE_TOO_BIG, "the value has more than %lld bytes", (long long)limit);
    item->row.mode = stored->mode;
    item->row.size = stored->size;
    item->row.value = stored->value;
    item->row.filename = filename;
    return 0;
}

int item_value(struct item *item, struct txn *txn, const struct dcache_value *value,
               const struct dcache_set_options *options)
{
    struct store *store = txn->cache->store;
    struct settings *settings = &store->settings;
    double now = os_now();
    struct row *row = &item->row;
    bool file = false;
    int64_t limit;
    int rc;

    if (!value)
        return os_fail(DCACHE_INVALID, "the value is NULL");
    row->store_time = row->access_time = now;
    if (options->flags & DCACHE_PINNED) {
        row->store_time = row->access_time = row_pinned_time(now);
        row->access_count = ROW_PINNED_COUNT;
    }
    rc = txn_refresh_settings(txn);
    limit = settings->policy == POLICY_NONE ? INT64_MAX : settings->size_limit;
    if (rc == 0)
        rc = entry_expiry(options->expire, options->expire_at, now, &row->expire_time);
    if (rc == 0)
        rc = value_tag(options->tag, &row->tag);
    if (value->type == DCACHE_STORED) {
        int taken = stored_value(item, txn, value->stored, limit);

        return rc < 0 ? rc : taken;
    }
    if (rc == 0)
        rc = value_inline(value, settings->min_file_size, (int)settings->pickle_protocol,
                          item->value_scratch, &row->value, &row->mode, &file);
    if (rc == 0 && value_bytes(&row->value) > (size_t)limit)
        rc = os_fail(DCACHE_TOO_BIG, "the value has more than %lld bytes", (long long)limit);
    if (rc == 0 && file)
        rc = txn_stage(txn, value, limit, &item->index, &row->size);
    item->staged = rc == 0 && file;
    return rc;
}

bool item_small(struct item *item, struct dcache *cache, const struct dcache_value *value,
                const struct dcache_set_options *options)
{
    struct store *store = cache->store;
    const struct settings *settings = &store->settings;
    struct row *row = &item->row;
    bool file;

    if (!value || value->type > DCACHE_PICKLE || (options->flags & DCACHE_PINNED) ||
        store_enter(store) < 0 || (!cache->scope && !store_settings_current(store)))
        return false;
    row->rowid = row->access_count = row->size = 0;
    row->filename = NULL;
    row->damaged = false;
    row->memory = NULL;
    row->store_time = row->access_time = os_now();
    item->staged = false;
    if (entry_expiry(options->expire, options->expire_at, row->store_time, &row->expire_time) < 0 ||
        value_tag(options->tag, &row->tag) < 0 ||
        value_inline(value, settings->min_file_size, (int)settings->pickle_protocol,
                     item->value_scratch, &row->value, &row->mode, &file) < 0)
        return false;
    return !file && (settings->policy == POLICY_NONE ||
                     value_bytes(&row->value) <= (size_t)settings->size_limit);
}

void item_adopt_files(struct txn *txn, const struct dcache_value *values, size_t from, size_t count)
{
    for (size_t i = from; values && i < count; i++)
        if (values[i].type == DCACHE_STORED && values[i].stored && values[i].stored->filename &&
            file_is_inside(values[i].stored->filename))
            (void)txn_adopt(txn,
                            values[i].stored->filename); /* without memory it removes at once */
}

static int finish_row(struct item *item, struct txn *txn)
{
    struct row *row = &item->row;
    int rc = item->staged ? txn_publish(txn, item->index, &row->filename) : 0;

    if (rc < 0 || row_is_pinned(row))
        return rc;
    return drain_initial_count(txn->db, (enum policy)txn->cache->store->settings.policy,
                               txn->evictions, &row->access_count);
}

int item_replace(struct item *item, struct txn *txn, const struct row *old, int64_t *ret_rowid)
{
    int rc = finish_row(item, txn);

    if (rc < 0)
        return rc;
    if (!old)
        return txn_insert(txn, &item->row, ret_rowid);
    *ret_rowid = old->rowid;
    return txn_replace(txn, old, &item->row);
}

/* Only where a file is concerned, the old row has to be read first: its file must not be forgotten. */
static int replace_after_look(struct item *item, struct txn *txn, int64_t *ret_rowid)
{
    struct row *row = &item->row, old = {0};
    int rc = row_find(txn->db, &row->key, row->raw, &old);

    if (rc == 0) {
        *ret_rowid = old.rowid;
        rc = txn_replace(txn, &old, row);
    }
    row_clear(&old);
    return rc;
}

/* A small value over another, and a new one: one statement each, if it is the right one that is tried
 * first. What the last item of a transaction was, the next will be. */
int item_store(struct item *item, struct txn *txn, int64_t *ret_rowid)
{
    struct row *row = &item->row;
    int rc = finish_row(item, txn);
    bool small = !row->filename && row->size == 0;

    if (rc < 0)
        return rc;
    if (small && !txn->new_keys) {
        rc = row_overwrite(txn->db, row, ret_rowid);
        txn->changes += rc == 0;
        if (rc != DCACHE_NOT_FOUND)
            return rc;
    }
    txn->new_keys = true;
    rc = txn_insert(txn, row, ret_rowid);
    if (rc != DCACHE_EXISTS)
        return rc;
    txn->new_keys = false;
    rc = small ? row_overwrite(txn->db, row, ret_rowid) : DCACHE_NOT_FOUND;
    txn->changes += rc == 0;
    return rc == DCACHE_NOT_FOUND ? replace_after_look(item, txn, ret_rowid) : rc;
}

int item_store_after_look(struct item *item, struct txn *txn, unsigned flags, bool only_if_absent,
                          int64_t *ret_rowid)
{
    struct row old = {0};
    bool look = only_if_absent && txn->db->summed; /* what is damaged is absent */
    int rc = look ? row_get(txn->db, &item->row.key, item->row.raw, &old)
                  : row_find(txn->db, &item->row.key, item->row.raw, &old);
    bool found = rc == 0;

    if (found && row_is_live(&old)) {
        if (flags & DCACHE_KEEP_EXPIRE)
            item->row.expire_time = old.expire_time;
        if (only_if_absent) { /* a file that cannot be looked at is not a missing one */
            rc = entry_check_file(txn->cache->store, &old);
            rc = rc == 0 ? DCACHE_EXISTS : rc;
        }
    }
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        rc = item_replace(item, txn, found ? &old : NULL, ret_rowid);
    row_clear(&old);
    return rc;
}

int64_t item_bytes(const struct item *item)
{
    const struct row *row = &item->row;

    /* The key is in the table and in an index, the tag perhaps too. */
    return row->size + (int64_t)(2 * value_bytes(&row->key) + 2 * value_bytes(&row->tag) +
                                 value_bytes(&row->value));
}

/* ---- out ---- */

void entry_init(struct dcache_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    entry->expire_time = DCACHE_NEVER;
}

static int count_damaged(struct store *store)
{
    atomic_fetch_add(&store->shared.segment->damaged, 1);
    return DCACHE_NOT_FOUND;
}

int entry_check_file(struct store *store, const struct row *row)
{
    int64_t size;
    int fd, rc;

    if (row->damaged)
        return count_damaged(store);
    if (!row->filename)
        return 0;
    rc = file_open(&store->files, row->filename, row->size, &fd, &size);
    if (rc == 0)
        os_close(fd);
    return rc;
}

static int read_file(struct row *row, int fd, int64_t size)
{
    char *memory;
    int rc = file_read(fd, size, &memory);

    if (rc == 0) {
        row->memory->more = memory;
        row->memory->more_size = (size_t)size;
    }
    return rc;
}

/* Whether the bytes are those that were stored: of what was read, or before it is handed out. */
static int verify_file(struct store *store, struct row *row, int fd)
{
    const struct row_memory *memory = row->memory;
    int rc;

    if (!store->settings.checksums)
        return 0;
    rc = memory->more ? file_verify(row->filename, memory->more, memory->more_size)
                      : file_verify_fd(row->filename, fd);
    row->damaged = rc == DCACHE_NOT_FOUND;
    return row->damaged ? count_damaged(store) : rc;
}

/* Whether the caller gets the file itself. What he would have to read twice, to verify it, he gets as
 * memory, and so what has to be looked at before it is known what it is. */
static bool is_for_caller(struct store *store, const struct row *row, unsigned flags)
{
    if (flags & DCACHE_AS_FD)
        return true;
    return (flags & DCACHE_FILE_AS_FD) && row->mode != MODE_PICKLE && !store->settings.checksums;
}

int entry_open_file(struct store *store, struct row *row, unsigned flags, int *ret_fd)
{
    bool as_fd = !(flags & DCACHE_AS_STORED) && is_for_caller(store, row, flags);
    int64_t size;
    int fd, rc;

    *ret_fd = -1;
    if (!row->filename || row->damaged || (flags & DCACHE_NO_VALUE))
        return entry_check_file(store, row);
    rc = file_open(&store->files, row->filename, row->size, &fd, &size);
    if (rc < 0)
        return rc;
    if (as_fd && !(flags & DCACHE_AS_FD))
        rc = file_fits(size);
    else if (!as_fd && !(flags & DCACHE_AS_STORED))
        rc = read_file(row, fd, size);
    if (rc == 0)
        rc = verify_file(store, row, fd);
    if (rc == 0 && as_fd)
        *ret_fd = fd;
    else
        os_close(fd);
    return rc;
}

static int fill_stored(struct row *row, struct dcache_entry *entry)
{
    struct dcache_stored *stored = &row->memory->stored;

    stored->mode = row->mode;
    stored->size = row->size;
    stored->filename = row->filename;
    stored->value = row->value;
    entry->value = dcache_none();
    entry->value.type = DCACHE_STORED;
    entry->value.stored = stored;
    return 0;
}

static void fill_from_file(const struct row *row, struct dcache_entry *entry)
{
    entry->value = dcache_sized(entry->kind, row->memory->more, row->memory->more_size);
    if (row->mode == MODE_PICKLE) {
        entry->value.type = DCACHE_BYTES;
        value_from_column(&entry->value, MODE_PICKLE);
        entry->kind = entry->value.type;
    }
}

/* Text of a number, for a caller who wants whatever it is as a descriptor. */
static int fill_fd(struct dcache_entry *entry)
{
    const struct dcache_value *v = &entry->value;
    char *text = NULL;
    int fd, rc;

    if (v->type == DCACHE_INT)
        text = os_format("%lld", (long long)v->integer);
    else if (v->type == DCACHE_DOUBLE)
        text = os_format("%.17g", v->real);
    if (!text && (v->type == DCACHE_INT || v->type == DCACHE_DOUBLE))
        return DCACHE_NOMEM;
    if (value_is_data(v))
        rc = file_of_bytes(v->data, v->size, &fd);
    else
        rc = file_of_bytes(text ? text : "", text ? strlen(text) : 0, &fd);
    free(text);
    if (rc == 0)
        entry->value = dcache_fd(fd);
    return rc;
}

static double without_pin(double time)
{
    return time >= ROW_PINNED_TIME ? time - ROW_PINNED_TIME : time;
}

int entry_fill(struct row *row, int fd, unsigned flags, struct dcache_entry *ret_entry)
{
    struct dcache_entry *entry = ret_entry;
    int rc = 0;

    entry->status = 0;
    entry->key = row->key;
    value_from_key(&entry->key, row->raw);
    entry->value = row->value;
    value_from_column(&entry->value, row->mode);
    entry->kind = row->filename ? value_type_of_mode(row->mode) : entry->value.type;
    entry->tag = row->tag;
    entry->store_time = without_pin(row->store_time);
    entry->expire_time = row->expire_time;
    entry->access_time = without_pin(row->access_time);
    entry->access_count = row->access_count & (ROW_PINNED_COUNT - 1);
    entry->rowid = row->rowid;
    entry->size = row->size;
    entry->filename = row->filename;
    entry->owned = row->memory;
    if (flags & DCACHE_AS_STORED)
        rc = fill_stored(row, entry);
    else if (flags & DCACHE_NO_VALUE)
        entry->value = dcache_none();
    else if (fd >= 0)
        entry->value = dcache_fd(fd);
    else if (row->filename)
        fill_from_file(row, entry);
    else if (flags & DCACHE_AS_FD)
        rc = fill_fd(entry);
    row->memory = NULL;
    if (rc < 0) {
        row_memory_free(entry->owned);
        entry_init(entry);
    }
    return rc;
}

/* Copy data behind what is there already. */
static void copy_data(struct dcache_value *value, char **at)
{
    if (!value_is_data(value))
        return;
    if (value->size > 0)
        memcpy(*at, value->data, value->size);
    value->data = *at;
    *at += value->size;
}

int entry_copy(const struct dcache_value *key, const struct dcache_value *value, double expire_time,
               struct dcache_entry *ret_entry)
{
    size_t size = value_bytes(key) + value_bytes(value);
    struct row_memory *memory = os_calloc(1, sizeof *memory + size);
    char *at;

    if (!memory)
        return DCACHE_NOMEM;
    at = memory->data;
    entry_init(ret_entry);
    ret_entry->kind = value->type;
    ret_entry->key = *key;
    ret_entry->value = *value;
    ret_entry->store_time = ret_entry->access_time = os_now();
    ret_entry->expire_time = expire_time;
    ret_entry->owned = memory;
    copy_data(&ret_entry->key, &at);
    copy_data(&ret_entry->value, &at);
    return 0;
}

int entry_take(struct txn *txn, struct row *row, int fd, unsigned flags,
               struct dcache_entry *ret_entry)
{
    struct dcache_entry entry = {0};
    int rc;

    if (flags & DCACHE_AS_STORED) /* its file is the caller's from here on */
        rc = txn_forget(txn, row->rowid, row->size);
    else
        rc = txn_drop(txn, row->rowid, row->size, row->filename);
    if (rc < 0) {
        os_close(fd);
        return rc;
    }
    rc = entry_fill(row, fd, flags, &entry);
    if (rc == 0)
        rc = txn_commit(txn);
    if (rc < 0)
        dcache_entry_clear(&entry);
    else
        *ret_entry = entry;
    return rc;
}

void dcache_entry_clear(struct dcache_entry *entry)
{
    if (!entry)
        return;
    if (entry->value.type == DCACHE_FD)
        os_close(entry->value.fd);
    row_memory_free(entry->owned);
    entry_init(entry);
}

int dcache_entry_take_fd(struct dcache_entry *entry)
{
    int fd = -1;

    if (entry->value.type == DCACHE_FD) {
        fd = entry->value.fd;
        entry->value = dcache_none();
    }
    return fd;
}
