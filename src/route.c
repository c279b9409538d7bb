/* route.c - which shard a key belongs to, and bringing there what 5.6.3 has put elsewhere. */
#include "read.h"
#include "route.h"

#include <stdlib.h>

/* ---- where ---- */

/* The other form of a number that has two: an integer as a float, a float as an integer. */
static bool other_form(const struct dcache_value *key, struct dcache_value *ret)
{
    const double limit = 9223372036854775808.0; /* 2^63, and not an int64 any more */

    if (key->type == DCACHE_INT) {
        double real = (double)key->integer;

        *ret = dcache_double(real);
        return real < limit && (int64_t)real == key->integer;
    }
    if (key->type != DCACHE_DOUBLE || !(key->real >= -limit && key->real < limit))
        return false;
    *ret = dcache_int((int64_t)key->real);
    return (double)ret->integer == key->real;
}

/* Where 5.6.3 places a key as it is given. */
static size_t place(const struct dcache *cache, const struct dcache_value *key)
{
    int protocol = (int)cache->shards[0]->store->settings.pickle_protocol, raw;
    char scratch[VALUE_SCRATCH];
    struct dcache_value column;

    return value_key(key, protocol, scratch, &column, &raw) < 0
               ? 0
               : value_hash(&column) % cache->shard_count;
}

size_t route_number(const struct dcache *cache, const struct dcache_value *key)
{
    struct dcache_value integer;

    if (cache->shard_count == 0 || !key)
        return 0;
    return place(cache, key->type == DCACHE_DOUBLE && other_form(key, &integer) ? &integer : key);
}

/* The other place of a number of two forms, or its home if that is the same. */
static size_t elsewhere(const struct dcache *cache, const struct dcache_value *key)
{
    struct dcache_value other;

    if (cache->shard_count == 0 || !key || !other_form(key, &other))
        return route_number(cache, key);
    return place(cache, key->type == DCACHE_DOUBLE ? key : &other);
}

struct dcache *route_home(struct dcache *cache, const struct dcache_value *key)
{
    return cache_part(cache, route_number(cache, key));
}

size_t route_read(struct dcache *cache, const struct dcache_value *key,
                  struct dcache *ret_places[ROUTE_PLACES])
{
    size_t home = route_number(cache, key), other = elsewhere(cache, key), count = 0;

    if (other == home || key->type == DCACHE_INT)
        ret_places[count++] = cache_part(cache, home);
    if (other == home)
        return count;
    ret_places[count++] = cache_part(cache, other);
    ret_places[count++] = cache_part(cache, home);
    return count;
}

/* ---- moving ---- */

static int look(struct dcache *shard, const struct item *item, struct row *row)
{
    struct db *db;
    int rc = txn_read_begin(shard, &db);

    if (rc < 0)
        return rc;
    rc = row_find(db, &item->row.key, item->row.raw, row);
    txn_read_end(shard, db);
    return rc;
}

int route_copy(struct txn *to, struct item *item, struct row *row, int fd)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    double store_time = row->store_time, access_time = row->access_time;
    int64_t access_count = row->access_count, rowid;
    struct dcache_entry entry;
    int rc = entry_fill(row, fd, 0, &entry);

    if (rc < 0)
        return rc;
    options.expire_at = entry.expire_time;
    options.tag = &entry.tag;
    rc = item_value(item, to, &entry.value, &options);
    item->row.store_time = store_time; /* with these, a pinned row stays one */
    item->row.access_time = access_time;
    item->row.access_count = access_count;
    if (rc == 0)
        rc = item_store(item, to, &rowid);
    dcache_entry_clear(&entry);
    return rc;
}

/* Store a row of another shard under the same key, unless what is there is newer. */
static int bring(struct txn *to, struct txn *from, struct item *item, struct row *row)
{
    struct row old = {0};
    int fd, rc = row_find(to->db, &item->row.key, item->row.raw, &old);
    bool newer = rc == 0 && row_is_live(&old) && old.store_time >= row->store_time;

    row_clear(&old);
    if (newer || !row_is_live(row))
        return 0;
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        rc = entry_open_file(from->cache->store, row, 0, &fd);
    if (rc == 0)
        rc = route_copy(to, item, row, fd);
    /* Without its file it is dead; what is too big by now, the policy would have taken. */
    return rc == DCACHE_NOT_FOUND || rc == DCACHE_TOO_BIG ? 0 : rc;
}

/* The new place is committed before the old one: who dies in between leaves two, never none. */
static int move(struct item *item, struct txn *to, struct txn *from)
{
    struct row row = {0}, old = {0};
    int rc = row_get(from->db, &item->row.key, item->row.raw, &row);

    if (rc == 0)
        rc = row_find(from->db, &item->row.key, item->row.raw, &old);
    if (rc == 0)
        rc = bring(to, from, item, &row);
    if (rc == 0)
        rc = txn_drop(from, old.rowid, old.size, old.filename);
    if (rc == 0)
        rc = txn_commit(to);
    if (rc == 0)
        rc = txn_commit(from);
    row_clear(&row);
    row_clear(&old);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int route_write_to_shard(struct dcache *cache, const struct dcache_value *key,
                         struct dcache **ret_home)
{
    size_t home = route_number(cache, key), other = elsewhere(cache, key);
    struct item item = {0};
    struct row row = {0};
    struct txn to, from;
    int rc;

    *ret_home = cache_part(cache, home);
    if (other == home)
        return 0;
    rc = item_key(&item, cache->shards[home]->store, key);
    if (rc == 0)
        rc = look(cache->shards[other], &item, &row);
    row_clear(&row);
    if (rc < 0 || cache->shards[home]->store->read_only)
        return rc == DCACHE_NOT_FOUND ? 0 : rc;
    to = txn_new(cache->shards[home]);
    from = txn_new(cache->shards[other]);
    rc = txn_begin(home < other ? &to : &from);
    if (rc == 0)
        rc = txn_begin(home < other ? &from : &to);
    if (rc == 0)
        rc = move(&item, &to, &from);
    txn_end(&from);
    txn_end(&to);
    return rc;
}

/* ---- many ---- */

int route_group(const struct dcache *cache, const struct dcache_value *keys, size_t count,
                struct route_groups *ret_groups)
{
    size_t parts = cache_parts(cache);
    struct route_groups groups = {.order = os_calloc(count, sizeof *groups.order),
                                  .start = os_calloc(parts + 1, sizeof *groups.start)};

    if (!groups.order || !groups.start) {
        route_free(&groups);
        return DCACHE_NOMEM;
    }
    /* A counting sort: sizes, then where each part ends, then from behind into place. */
    for (size_t i = 0; i < count; i++)
        groups.start[route_number(cache, &keys[i])]++;
    for (size_t i = 1; i <= parts; i++)
        groups.start[i] += groups.start[i - 1];
    for (size_t i = count; i-- > 0;)
        groups.order[--groups.start[route_number(cache, &keys[i])]] = i;
    *ret_groups = groups;
    return 0;
}

void route_free(struct route_groups *groups)
{
    free(groups->order);
    free(groups->start);
}
