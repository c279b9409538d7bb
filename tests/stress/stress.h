/* stress.h - one worker of stress.c, and what all of them share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STRESS_H
#define STRESS_H

#include "../torture/support.h"

#include <stdatomic.h>

enum {
    MAX_WORKERS = 64,
    COUNTERS = 4,
    ACCOUNTS = 4, /* whose sum is always 0 */
    KEYS = 200,
    ITEMS = 1 << 18, /* queue items in all */
    MAX_VALUE = 80000,
    OPERATIONS = 30
};

struct board {
    _Atomic int stop;
    _Atomic int faults;
    _Atomic int64_t increments, counter[COUNTERS];
    _Atomic int64_t pushed, evictions;
    _Atomic uint64_t done[OPERATIONS];
    _Atomic unsigned char item[ITEMS]; /* 0 not pushed, 1 being pushed, 2 delivered */
};

struct worker {
    dcache *cache;
    struct board *board;
    const char *directory;
    unsigned number;
    uint64_t rng;
    unsigned char *buffer;
};

/* --fanout: the cache has so many shards; 0: it is a single directory, as are queues. Of a fanout
 * neither a snapshot nor a copy is one moment of the whole, so the accounts are summed up at the end. */
extern int stress_shards;
int stress_open(const char *directory, const struct dcache_open_options *options,
                dcache **ret_cache);

/* NULL past the last one. */
const char *stress_name(unsigned operation);

/* Print a fault (the first few) and count it. */
__attribute__((format(printf, 2, 3))) void stress_fault(struct board *board, const char *format,
                                                        ...);

void stress_set_up(dcache *cache);  /* the accounts, before all workers */
void stress_step(struct worker *w); /* one operation at random */
void stress_verify(struct board *board, const char *directory); /* after all workers */

/* whole.c: the operations on the cache as a whole. */
void stress_iterate(struct worker *w);
void stress_expire(struct worker *w);
void stress_evict(struct worker *w);
void stress_cull(struct worker *w);
void stress_check(struct worker *w);
void stress_stats(struct worker *w);
void stress_settings(struct worker *w);
void stress_backup(struct worker *w);
void stress_compact(struct worker *w);

/* Checks for both files. */
int stress_whole(const struct dcache_value *v); /* contents are as stored */
void stress_expect(struct worker *w, int rc, const char *what);
void stress_expect_or(struct worker *w, int rc, int other, const char *what);
int64_t stress_sum(struct worker *w, dcache *cache); /* of the accounts, in one snapshot */

#endif
