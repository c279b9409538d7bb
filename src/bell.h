/* bell.h - wake who waits for a key, in whatever process.
 *
 * A bell is only for being quick: between processes that share no segment it is not heard, nor does
 * 5.6.3 ring it. So nobody sleeps for long without looking for himself. */
#ifndef BELL_H
#define BELL_H

#include "txn.h"

struct bell {
    struct dcache *cache; /* a single directory, no transaction */
    uint32_t hash;
    uint32_t heard;
};

struct bell bell_of(struct dcache *cache, const struct dcache_value *key);

/* Listen, then look whether there is anything to wait for, then sleep: a ring between is not missed. */
void bell_listen(struct bell *bell);
bool bell_sleep(const struct bell *bell, int64_t nanoseconds); /* whether it was rung */

/* Wake one who sleeps, or all. */
void bell_ring(const struct bell *bell, bool all);

/* Whether other processes hear it. */
bool bell_is_shared(const struct bell *bell);

#endif
