/* average.c - a running average: the pair (total, count) of 5.6.3's Averager. */
#include "pair.h"

#include <diskcache_recipes.h>

/* Nothing there is a total of 0 of 0 values. Fails: TYPE. */
static int read_sum(dcache *cache, const struct dcache_value *key, double *ret_total,
                    int64_t *ret_count)
{
    struct pair pair;
    int rc = pair_get(cache, key, &pair);

    *ret_total = 0;
    *ret_count = 0;
    if (rc == 0 && pair.second.type == DCACHE_INT && pair_number(&pair.first, ret_total))
        *ret_count = pair.second.integer;
    else if (rc == 0)
        rc = os_fail(DCACHE_TYPE, "what is stored there is no average");
    pair_clear(&pair);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int dcache_average_add(dcache *cache, const struct dcache_value *key, double value,
                       const struct dcache_item_options *given)
{
    ENTRY_OPTIONS(struct dcache_item_options, options, given);
    struct dcache_set_options set = DCACHE_OPTIONS(struct dcache_set_options);
    dcache *txn = NULL;
    double total;
    int64_t count;
    int rc = dcache_begin(dcache_shard_for(cache, key), -1, &txn);

    set.flags = DCACHE_PINNED;
    set.expire = options.expire;
    set.tag = options.tag;
    if (rc == 0)
        rc = read_sum(txn, key, &total, &count);
    if (rc == 0 && __builtin_add_overflow(count, 1, &count))
        rc = os_fail(DCACHE_RANGE, "the count does not fit into 64 bits");
    if (rc == 0)
        rc = pair_set(txn, key, dcache_double(total + value), dcache_int(count), &set);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

int dcache_average_get(dcache *cache, const struct dcache_value *key, double *ret_average)
{
    double total;
    int64_t count;
    int rc = read_sum(cache, key, &total, &count);

    if (rc == 0 && count == 0)
        rc = os_fail(DCACHE_NOT_FOUND, "there is no average of nothing");
    if (rc == 0)
        *ret_average = total / (double)count;
    return rc;
}

int dcache_average_pop(dcache *cache, const struct dcache_value *key, double *ret_average)
{
    double average = 0;
    dcache *txn = NULL;
    int rc = dcache_begin(dcache_shard_for(cache, key), -1, &txn);

    if (rc == 0)
        rc = dcache_average_get(txn, key, &average);
    if (rc == 0)
        rc = dcache_delete(txn, key);
    if (rc < 0) {
        dcache_rollback(txn);
        return rc;
    }
    rc = dcache_commit(txn);
    if (rc == 0)
        *ret_average = average;
    return rc;
}
