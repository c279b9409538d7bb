/* pair.h - two plain values under one key, as the pickle of a tuple: what most recipes of 5.6.3 keep. */
#ifndef PAIR_H
#define PAIR_H

#include "entry.h"
#include "pickle.h"

struct pair {
    struct dcache_value first, second;
    struct dcache_entry entry; /* with the pickle in it */
    struct pickle_tuple tuple;
};

/* Fails: NOT_FOUND, TYPE (what is there is no pair). To be cleared in any case. */
int pair_get(dcache *cache, const struct dcache_value *key, struct pair *ret_pair);
void pair_clear(struct pair *pair);

/* Fails: TYPE (one of them cannot be in a pair), and as dcache_set(). */
int pair_set(dcache *cache, const struct dcache_value *key, struct dcache_value first,
             struct dcache_value second, const struct dcache_set_options *options);

/* The number in a value. False: it is none. */
bool pair_number(const struct dcache_value *value, double *ret_number);

#endif
