/* throttle.c - a token bucket: the pair (time of the last change, tokens then) of 5.6.3's throttle. */
#include "pair.h"

#include <diskcache_recipes.h>

struct bucket {
    double last, tally;
};

static int check_options(const struct dcache_throttle_options *options)
{
    if (!(options->count > 0) || !(options->seconds > 0) || isinf(options->count) ||
        isinf(options->seconds) || !isfinite(options->now))
        return os_fail(DCACHE_INVALID, "count and seconds of a throttle are more than 0");
    return 0;
}

/* One that is not there is full. Fails: TYPE. */
static int read_bucket(dcache *cache, const struct dcache_value *key, struct bucket *bucket)
{
    struct pair pair;
    int rc = pair_get(cache, key, &pair);

    if (rc == 0 &&
        !(pair_number(&pair.first, &bucket->last) && pair_number(&pair.second, &bucket->tally)))
        rc = os_fail(DCACHE_TYPE, "what is stored there is no throttle");
    pair_clear(&pair);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int write_bucket(dcache *cache, const struct dcache_value *key, struct bucket bucket,
                        const struct dcache_throttle_options *options)
{
    struct dcache_set_options set = DCACHE_OPTIONS(struct dcache_set_options);

    set.flags = DCACHE_PINNED;
    set.expire = options->expire;
    set.tag = options->tag;
    return pair_set(cache, key, dcache_double(bucket.last), dcache_double(bucket.tally), &set);
}

int dcache_throttle_reset(dcache *cache, const struct dcache_value *key,
                          const struct dcache_throttle_options *given)
{
    ENTRY_OPTIONS(struct dcache_throttle_options, options, given);
    struct bucket full = {.last = options.now != 0 ? options.now : os_now(), options.count};
    int rc = check_options(&options);

    return rc < 0 ? rc : write_bucket(cache, key, full, &options);
}

/* In the order of 5.6.3's operations: so the numbers are the same to the last bit. */
static double take_token(struct bucket *bucket, double now,
                         const struct dcache_throttle_options *options)
{
    double rate = options->count / options->seconds;
    double tally = bucket->tally + (now - bucket->last) * rate;

    if (tally > options->count)
        tally = options->count;
    else if (!(tally >= 1))
        return (1 - tally) / rate;
    bucket->last = now;
    bucket->tally = tally - 1;
    return 0;
}

int dcache_throttle_take(dcache *cache, const struct dcache_value *key,
                         const struct dcache_throttle_options *given, double *ret_delay)
{
    ENTRY_OPTIONS(struct dcache_throttle_options, options, given);
    struct bucket bucket;
    dcache *txn = NULL;
    double now, delay = 0;
    int rc = check_options(&options);

    if (rc == 0)
        rc = dcache_begin(dcache_shard_for(cache, key), -1, &txn);
    now = options.now != 0 ? options.now : os_now(); /* once it is our turn */
    bucket = (struct bucket){.last = now, .tally = options.count};
    if (rc == 0)
        rc = read_bucket(txn, key, &bucket);
    if (rc == 0)
        delay = take_token(&bucket, now, &options);
    if (rc == 0 && delay == 0)
        rc = write_bucket(txn, key, bucket, &options);
    if (rc == 0 && delay == 0)
        rc = dcache_commit(txn);
    else
        dcache_rollback(txn); /* there is nothing to keep */
    if (rc == 0)
        *ret_delay = delay;
    return rc;
}
