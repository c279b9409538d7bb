/* bench.h - what the modes of bench.c have in common.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_H
#define BENCH_H

#include "../tests/torture/support.h"

enum { TIMES_MOST = 99 }; /* of a number's digits in a value of the published workload */

/* As ROWS in worker.py. */
enum row {
    GET,
    GET_MISS,
    SET,
    DELETE,
    INSERT,
    SET_5000,
    GET_5000,
    ITERATE,
    SET_MANY,
    INCR,
    QUEUE,
    OPEN,
    GET_POLICY,
    APPEND_POPLEFT,
    EXTEND,
    ROTATE,
    DEQUE_INDEX,
    SET_POPITEM,
    SETDEFAULT,
    LOCK,
    RLOCK,
    SEMAPHORE,
    HANDOVER,
    AVERAGE,
    THROTTLE,
    MEMOIZE,
    OPERATIONS = 36,
    SET_WIDE,
    GET_WIDE,
    SET_ANY_WIDE,
    GET_ANY_WIDE,
    SET_WAITED,
    DELETE_WAITED
};

extern const char *directory;
extern unsigned operations;

void expect(int rc, const char *what);
void record(enum row row, int64_t ns);

/* saturate.c */
void saturate(dcache *cache, uint64_t *rng, unsigned keys, unsigned gets, int64_t start,
              double seconds);

/* structures.c */
void mode_deque(void);
void mode_deque_index(void);
void mode_index(void);

/* recipes.c. False: there is no such mode. */
int run_recipe(const char *mode);

#endif
