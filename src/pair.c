/* pair.c - a pickled pair under a key. See pair.h. */
#include "pair.h"

int pair_get(dcache *cache, const struct dcache_value *key, struct pair *ret_pair)
{
    int rc;

    memset(ret_pair, 0, sizeof *ret_pair);
    rc = dcache_get(cache, key, NULL, &ret_pair->entry);
    if (rc == 0)
        rc = pickle_read(&ret_pair->entry.value, &ret_pair->tuple);
    if (rc == 0 && ret_pair->tuple.count != 2)
        rc = os_fail(DCACHE_TYPE, "what is stored there is no pair");
    if (rc == 0) {
        ret_pair->first = ret_pair->tuple.items[0];
        ret_pair->second = ret_pair->tuple.items[1];
    }
    return rc;
}

void pair_clear(struct pair *pair)
{
    pickle_clear(&pair->tuple);
    dcache_entry_clear(&pair->entry);
}

int pair_set(dcache *cache, const struct dcache_value *key, struct dcache_value first,
             struct dcache_value second, const struct dcache_set_options *options)
{
    struct dcache_value items[2] = {first, second}, pickle;
    int rc = pickle_write(items, 2, &pickle);

    if (rc == 0) {
        rc = dcache_set(cache, key, &pickle, options);
        dcache_value_clear(&pickle);
    }
    return rc;
}

bool pair_number(const struct dcache_value *value, double *ret_number)
{
    *ret_number = value->type == DCACHE_INT ? (double)value->integer : value->real;
    return value->type == DCACHE_INT || value->type == DCACHE_DOUBLE;
}
