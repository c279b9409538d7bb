/* memoize.c - a value that is computed once, by one, and kept: dcache_memoize().
 *
 * Who computes while others wait holds a LOCK under a key of its own, the flight; the others sleep on
 * the bell of the value's key, or take the old value. */
#include "memoize.h"
#include "bell.h"
#include "pair.h"

#include <diskcache_recipes.h>

#include <stdlib.h>

#define FLIGHT_LEASE 60.0 /* for who cannot be seen to have died: another container or machine */
#define LOOK (10 * OS_MS) /* a waiter looks whether who computes lives */

enum { FRESH, DUE, ABSENT }; /* DUE: usable, and to be computed anew by one */

struct memo {
    dcache *cache;
    const struct dcache_value *key;
    dcache_compute_fn *compute;
    void *arg;
    struct dcache_memoize_options options;
    bool paired; /* stored with the time that it took */
    dcache_lock *flight;
    struct bell bell;
};

/* ---- look ---- */

double memoize_lead(double delta, double beta)
{
    return -delta * beta * log(os_uniform());
}

/* Hand back the first of a pair as if it were all; what it points to lives in the entry. */
static int unwrap(struct memo *memo, struct pair *pair, struct dcache_entry *ret_entry)
{
    struct dcache_value value = pair->first;

    if (pair->tuple.text) /* of protocol 0: in a memory of its own */
        return entry_copy(memo->key, &value, pair->entry.expire_time, ret_entry);
    *ret_entry = pair->entry;
    memset(&pair->entry, 0, sizeof pair->entry);
    ret_entry->kind = value.type;
    ret_entry->value = memo->options.flags & DCACHE_NO_VALUE ? dcache_none() : value;
    return 0;
}

static int look_for_pair(struct memo *memo, struct dcache_entry *ret_entry, int *ret_state)
{
    double delta, left;
    struct pair pair;
    int rc = pair_get(memo->cache, memo->key, &pair);

    if (rc == 0 && !pair_number(&pair.second, &delta))
        rc = os_fail(DCACHE_TYPE, "what is stored there is no pair of value and time");
    if (rc == 0) {
        pair.entry.expire_time -= memo->options.stale;
        left = pair.entry.expire_time - os_now();
        *ret_state = left <= 0 || (memo->options.beta > 0 && delta > 0 && isfinite(left) &&
                                   memoize_lead(delta, memo->options.beta) >= left)
                         ? DUE
                         : FRESH;
        rc = unwrap(memo, &pair, ret_entry);
    }
    pair_clear(&pair);
    return rc;
}

/* FRESH, DUE (both with an entry) or ABSENT. */
static int look(struct memo *memo, struct dcache_entry *ret_entry, int *ret_state)
{
    struct dcache_get_options get = DCACHE_OPTIONS(struct dcache_get_options);
    int rc;

    *ret_state = FRESH;
    entry_init(ret_entry);
    get.flags = memo->options.flags;
    rc = memo->paired ? look_for_pair(memo, ret_entry, ret_state)
                      : dcache_get(memo->cache, memo->key, &get, ret_entry);
    if (rc == DCACHE_NOT_FOUND) {
        *ret_state = ABSENT;
        rc = 0;
    }
    return rc;
}

/* ---- compute ---- */

static int store(struct memo *memo, const struct dcache_value *value, double delta)
{
    struct dcache_set_options set = DCACHE_OPTIONS(struct dcache_set_options);

    set.expire = memo->options.expire;
    set.tag = memo->options.tag;
    if (!memo->paired)
        return dcache_set(memo->cache, memo->key, value, &set);
    if (set.expire != 0)
        set.expire += memo->options.stale;
    return pair_set(memo->cache, memo->key, *value, dcache_double(delta), &set);
}

static bool was_only_not_stored(int rc)
{
    return rc == DCACHE_TIMEOUT || rc == DCACHE_FULL || rc == DCACHE_TOO_BIG ||
           rc == DCACHE_READONLY;
}

static int hand_back(struct memo *memo, const struct dcache_value *value, int stored,
                     struct dcache_entry *ret_entry)
{
    struct dcache_get_options get = DCACHE_OPTIONS(struct dcache_get_options);
    double expire = memo->options.expire;
    int rc;

    /* A stream has been read to its end, and a descriptor is wanted of what is stored. */
    if (value->type > DCACHE_PICKLE || (memo->options.flags & DCACHE_AS_FD)) {
        get.flags = memo->options.flags;
        return stored < 0 ? stored : dcache_get(memo->cache, memo->key, &get, ret_entry);
    }
    rc = entry_copy(memo->key, value, expire != 0 ? os_now() + expire : DCACHE_NEVER, ret_entry);
    if (rc == 0 && (memo->options.flags & DCACHE_NO_VALUE))
        ret_entry->value = dcache_none();
    return rc;
}

static int compute(struct memo *memo, struct dcache_entry *ret_entry)
{
    struct dcache_value value = dcache_none();
    int64_t begin = os_monotonic();
    double delta;
    int rc, stored;

    if (memo->compute(memo->arg, memo->key, &value) < 0)
        return os_fail(DCACHE_CALLBACK, "the function reported an error");
    delta = (double)(os_monotonic() - begin) * 1e-9;
    rc = stored = store(memo, &value, delta);
    if (rc == 0 || was_only_not_stored(rc))
        rc = hand_back(memo, &value, stored, ret_entry);
    if (memo->options.release)
        memo->options.release(memo->arg, &value);
    return rc;
}

/* ---- one for all ---- */

static int open_flight(struct memo *memo)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value items[2] = {dcache_text("diskcache.flight"), *memo->key}, key;
    int rc;

    if (memo->flight)
        return 0;
    if (items[1].type == DCACHE_PICKLE)
        items[1].type = DCACHE_BYTES;
    options.expire = FLIGHT_LEASE;
    rc = pickle_write(items, 2, &key);
    if (rc == 0) {
        rc = dcache_lock_open(memo->cache, &key, &options, &memo->flight);
        dcache_value_clear(&key);
    }
    if (rc == 0)
        memo->bell = bell_of(memo->cache, memo->key);
    return rc;
}

/* The flight is ours. Who had it before may just have been done: so look first. (The same value is
 * due as before: to draw again would square the probability.) */
static int compute_alone(struct memo *memo, const struct dcache_entry *old,
                         struct dcache_entry *ret_entry)
{
    int state, rc = look(memo, ret_entry, &state);

    if (rc == 0 && state != ABSENT && old)
        state = ret_entry->expire_time == old->expire_time ? DUE : FRESH;
    if (rc == 0 && state != FRESH) {
        dcache_entry_clear(ret_entry);
        rc = compute(memo, ret_entry);
    }
    /* Its lease may have ended; what was computed is good all the same. */
    (void)dcache_lock_release(memo->flight);
    bell_ring(&memo->bell, true);
    return rc;
}

/* The old value is there: one computes, the others go on with it. */
static int renew(struct memo *memo, struct dcache_entry *entry)
{
    struct dcache_entry renewed;
    int rc = open_flight(memo);

    if (rc == 0)
        rc = dcache_lock_acquire(memo->flight, 0);
    if (rc == DCACHE_TIMEOUT || rc == DCACHE_READONLY || rc == DCACHE_FULL)
        return 0;
    if (rc == 0) {
        entry_init(&renewed);
        rc = compute_alone(memo, entry, &renewed);
    }
    dcache_entry_clear(entry);
    if (rc == 0)
        *entry = renewed;
    return rc;
}

/* There is none: one computes, the others wait for it. */
static int wait_or_compute(struct memo *memo, struct dcache_entry *ret_entry)
{
    double timeout = memo->options.timeout > 0 ? memo->options.timeout : DCACHE_FOREVER;
    int64_t deadline = os_deadline(timeout), left;
    struct dcache_lock_state flight;
    int state = ABSENT, rc = open_flight(memo);

    while (rc == 0) {
        bell_listen(&memo->bell);
        rc = look(memo, ret_entry, &state);
        if (rc < 0 || state != ABSENT)
            break;
        rc = dcache_lock_state(memo->flight, &flight);
        if (rc == 0 && (flight.holds == 0 || flight.alive == 0)) {
            rc = dcache_lock_acquire(memo->flight, 0);
            if (rc == 0)
                return compute_alone(memo, NULL, ret_entry);
            if (rc == DCACHE_TIMEOUT && !store_owned_here(memo->cache->store))
                rc = 0; /* another was quicker */
        }
        left = deadline - os_monotonic();
        if (rc == 0 && left <= 0)
            rc = os_fail(DCACHE_TIMEOUT, "another is computing the value");
        if (rc == 0)
            rc = os_waiting();
        if (rc == 0)
            (void)bell_sleep(&memo->bell, left < LOOK ? left : LOOK);
    }
    return rc;
}

/* ---- the call ---- */

static int check_options(const struct memo *memo)
{
    const struct dcache_memoize_options *o = &memo->options;

    if (!memo->key || !memo->compute || isnan(o->timeout) || !(o->stale >= 0) || isinf(o->stale) ||
        !(o->beta >= 0) || isinf(o->beta) ||
        (o->flags & ~(unsigned)(DCACHE_AS_FD | DCACHE_NO_VALUE)))
        return os_fail(DCACHE_INVALID, "key, function or options of memoize cannot be so");
    if (memo->paired && (o->flags & DCACHE_AS_FD))
        return os_fail(DCACHE_INVALID, "with beta or stale a value cannot come as a descriptor");
    if (memo->cache->scope && (memo->paired || o->single_flight))
        return os_fail(DCACHE_INVALID, "nobody can wait for what a transaction has not committed");
    return 0;
}

int dcache_memoize(dcache *cache, const struct dcache_value *key, dcache_compute_fn *function,
                   void *arg, const struct dcache_memoize_options *given,
                   struct dcache_entry *ret_entry)
{
    ENTRY_OPTIONS(struct dcache_memoize_options, options, given);
    struct memo memo = {.key = key, .compute = function, .arg = arg};
    int state, rc;

    entry_init(ret_entry);
    memo.cache = dcache_shard_for(cache, key);
    memo.options = options;
    memo.paired = options.beta > 0 || options.stale > 0;
    rc = check_options(&memo);
    if (rc == 0)
        rc = look(&memo, ret_entry, &state);
    if (rc == 0 && state == DUE)
        rc = renew(&memo, ret_entry);
    else if (rc == 0 && state == ABSENT)
        rc = options.single_flight ? wait_or_compute(&memo, ret_entry) : compute(&memo, ret_entry);
    dcache_lock_close(memo.flight);
    return rc;
}
