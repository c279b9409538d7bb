/* index.c - an ordered mapping: what a cache does not do for it already. Made of operations alone. */
#include "os.h"

#include <diskcache_collections.h>

#include <stdlib.h>

int dcache_open_collection(const char *directory, const struct dcache_open_options *given,
                           dcache **ret_cache)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting *settings;
    size_t size = given ? given->struct_size : 0, count;
    int rc;

    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    options.struct_size = sizeof options;
    if (options.flags & DCACHE_READ_ONLY)
        return dcache_open(directory, &options, ret_cache);
    count = options.settings_count;
    settings = os_malloc((count + 1) * sizeof *settings);
    if (!settings)
        return DCACHE_NOMEM;
    settings[0] = (struct dcache_setting){"eviction_policy", dcache_text("none")};
    if (count > 0)
        memcpy(settings + 1, options.settings, count * sizeof *settings);
    options.settings = settings;
    options.settings_count = count + 1;
    rc = dcache_open(directory, &options, ret_cache);
    free(settings);
    return rc;
}

int dcache_setdefault(dcache *cache, const struct dcache_value *key,
                      const struct dcache_value *value,
                      const struct dcache_set_options *set_options,
                      const struct dcache_get_options *get_options, struct dcache_entry *ret_entry)
{
    dcache *txn;
    int rc = dcache_get(cache, key, get_options, ret_entry);

    if (rc != DCACHE_NOT_FOUND)
        return rc;
    rc = dcache_begin(dcache_shard_for(cache, key), -1, &txn);
    if (rc < 0)
        return rc;
    rc = dcache_add(txn, key, value, set_options);
    if (rc == 0 || rc == DCACHE_EXISTS)
        rc = dcache_get(txn, key, get_options, ret_entry);
    if (rc < 0) {
        dcache_rollback(txn);
        return rc;
    }
    rc = dcache_commit(txn);
    if (rc < 0)
        dcache_entry_clear(ret_entry);
    return rc;
}

/* ---- equality ---- */

static int walk(dcache *cache, dcache_iter **ret_iter)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);

    options.flags = DCACHE_LIVE_ONLY;
    return dcache_iter_open(cache, &options, ret_iter);
}

/* 1: both at their end, or what they have next is the same; 0: it is not. */
static int same_next(dcache_iter *left, dcache_iter *right, bool *ret_end)
{
    struct dcache_entry a, b;
    int rc = dcache_iter_next(left, &a), other = dcache_iter_next(right, &b);
    bool same = rc == other;

    *ret_end = rc == DCACHE_NOT_FOUND;
    if (rc == 0 && other == 0)
        same = dcache_value_compare(&a.key, &b.key) == 0 &&
               dcache_value_compare(&a.value, &b.value) == 0;
    dcache_entry_clear(&a);
    dcache_entry_clear(&b);
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        return rc;
    if (other < 0 && other != DCACHE_NOT_FOUND)
        return other;
    return same;
}

/* The same for one side and, under its key, the other; `*count` items of that have been seen. */
static int same_in(dcache_iter *left, dcache *right, bool *ret_end, int64_t *count)
{
    struct dcache_entry a, b = {0};
    int rc = dcache_iter_next(left, &a);
    bool same = true;

    *ret_end = rc == DCACHE_NOT_FOUND;
    if (rc == 0) {
        rc = dcache_get(right, &a.key, NULL, &b);
        same = rc == 0 && dcache_value_compare(&a.value, &b.value) == 0;
        (*count)++;
    }
    dcache_entry_clear(&a);
    dcache_entry_clear(&b);
    return rc < 0 && rc != DCACHE_NOT_FOUND ? rc : same;
}

static int count_live(dcache *cache, int64_t *ret_count)
{
    struct dcache_stats stats;
    int rc = dcache_stats(cache, 0, &stats);

    if (rc == 0)
        *ret_count = stats.count - stats.expired;
    return rc;
}

int dcache_equal(dcache *a, dcache *b, int ordered, int *ret_equal)
{
    dcache_iter *left = NULL, *right = NULL;
    int64_t seen = 0, count = 0;
    bool at_end = false;
    int rc = walk(a, &left), same = 1;

    if (rc == 0 && ordered)
        rc = walk(b, &right);
    while (rc == 0 && same && !at_end) {
        same = ordered ? same_next(left, right, &at_end) : same_in(left, b, &at_end, &seen);
        rc = same < 0 ? same : 0;
    }
    if (rc == 0 && same && !ordered) {
        rc = count_live(b, &count);
        same = count == seen;
    }
    dcache_iter_close(left);
    dcache_iter_close(right);
    if (rc < 0)
        return rc;
    *ret_equal = same;
    return 0;
}
