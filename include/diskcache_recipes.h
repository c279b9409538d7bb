/* diskcache_recipes.h - locks, rate limits, averages and memoization, on the keys of a cache.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * They work across all processes that use the directory, on single caches and fanouts, and on the
 * records of 5.6.3's recipes of the same names (a process of 5.6.3 and one of ours exclude each
 * other). Their keys are pinned, see DCACHE_PINNED. Times are in seconds; the conventions are those of
 * <diskcache.h>.
 */
#ifndef DISKCACHE_RECIPES_H
#define DISKCACHE_RECIPES_H

#include <diskcache.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- locks --------------------------------------------------------------------------------- */

enum dcache_lock_kind {
    DCACHE_LOCK = 0, /* one holder: the lock object that acquired it, from whatever thread */
    DCACHE_RLOCK,    /* one thread, which may acquire it again, and releases it as often */
    DCACHE_SEMAPHORE /* up to `permits` holders */
};

struct dcache_lock_options {
    size_t struct_size;
    enum dcache_lock_kind kind;
    int64_t permits; /* of a semaphore; 0: 1. All who use the key should say the same. */
    double expire;   /* lease: so long after the last acquire or renewal it is free again; 0: never.
                        The end of a lease takes the lock from its holder, who learns of it when
                        renew or release fail with NOT_OWNER. */
    const struct dcache_value *tag; /* of its item in the cache; NULL: none */
    struct dcache_lock *same_as;    /* in a transaction: the lock object that this one stands for */
};

/* A lock object: what this process knows of the lock `key`. Any thread may use it. */
typedef struct dcache_lock dcache_lock;

/* Make a lock object; writes nothing. `cache` must stay open longer. It may be a transaction: then what
 * is done to the lock is part of it, and undone with it; nobody can be waited for, since nobody else
 * can write; and with `same_as` what is acquired through either object is released through either. */
DCACHE_API int dcache_lock_open(dcache *cache, const struct dcache_value *key,
                                const struct dcache_lock_options *options, dcache_lock **ret_lock);

/* Free the object. It releases nothing: a lock that is held stays so until its lease ends or this
 * process does. */
DCACHE_API void dcache_lock_close(dcache_lock *lock);

#define DCACHE_FOREVER HUGE_VAL

/* Take the lock, waiting for its holder for `timeout` seconds at most (DCACHE_FOREVER; 0 or less: not at
 * all; the wait for the cache itself is that of any call). A waiter sleeps, and is woken by the
 * release; 5.6.3, which wakes nobody, is looked after every millisecond. A lock whose holder's
 * process is gone is taken over once that is seen, for which a waiter looks every 10 ms: on the
 * machine and in the pid namespace of the holder; elsewhere when its lease ends.
 * Fails: TIMEOUT (held by another; in a transaction at once, with EDEADLK as sys_errno), TYPE (the key
 * holds something else). */
DCACHE_API int dcache_lock_acquire(dcache_lock *lock, double timeout);

/* Give back what was acquired last. Fails: NOT_OWNER (it was not acquired through this object, by
 * this process and, an RLOCK, this thread; or its lease has ended, or it was broken). Nobody else's
 * hold is ever released by it. */
DCACHE_API int dcache_lock_release(dcache_lock *lock);

/* Begin the lease anew, with `expire` seconds (0: without an end). Fails: NOT_OWNER. */
DCACHE_API int dcache_lock_renew(dcache_lock *lock, double expire);

/* Free the lock (one permit of a semaphore) whoever holds it. Fails: NOT_FOUND (nobody does). */
DCACHE_API int dcache_lock_break(dcache_lock *lock);

/* Who holds a lock. Of a semaphore: one of the holders that are known. */
struct dcache_lock_state {
    int64_t holds;      /* RLOCK: how often acquired; SEMAPHORE: permits taken; LOCK: 0 or 1 */
    int mine;           /* held through this object (RLOCK: by this thread) */
    int64_t pid;        /* of the holder, in its own pid namespace; 0: not known, as of 5.6.3's */
    int alive;          /* 1: it lives; 0: it is gone; -1: not to be known from here */
    double expire_time; /* end of the lease, or DCACHE_NEVER */
};
DCACHE_API int dcache_lock_state(dcache_lock *lock, struct dcache_lock_state *ret_state);

/* Call `function` while holding the lock. Fails: as acquire; CALLBACK (it returned a negative
 * number; the lock is released). If the lease ended meanwhile: NOT_OWNER, after the call. */
DCACHE_API int dcache_barrier(dcache_lock *lock, double timeout, int (*function)(void *arg),
                              void *arg);

/* ---- average ------------------------------------------------------------------------------- */

struct dcache_item_options {
    size_t struct_size;
    double expire; /* seconds after the last change; 0: never */
    const struct dcache_value *tag;
};

/* A running average under `key`: a total and a count, changed atomically. Fails: TYPE (the key holds
 * something else). */
DCACHE_API int dcache_average_add(dcache *cache, const struct dcache_value *key, double value,
                                  const struct dcache_item_options *options);

/* The average of what was added. Fails: NOT_FOUND (nothing was). */
DCACHE_API int dcache_average_get(dcache *cache, const struct dcache_value *key,
                                  double *ret_average);

/* The same, and forget it. */
DCACHE_API int dcache_average_pop(dcache *cache, const struct dcache_value *key,
                                  double *ret_average);

/* ---- throttle ------------------------------------------------------------------------------ */

/* A token bucket (J. Turner, "New directions in communications", IEEE Communications Magazine 24,
 * 1986): it holds `count` tokens at most and gains count / seconds of them in a second. */
struct dcache_throttle_options {
    size_t struct_size;
    double count;   /* more than 0 */
    double seconds; /* more than 0 */
    double now;     /* point in time on the caller's clock; 0: the present */
    double expire;
    const struct dcache_value *tag;
};

/* Fill the bucket `key` with `count` tokens, as 5.6.3 does when it decorates a function. A bucket
 * that is not there counts as full. */
DCACHE_API int dcache_throttle_reset(dcache *cache, const struct dcache_value *key,
                                     const struct dcache_throttle_options *options);

/* Take a token, if there is a whole one: `*ret_delay` is then 0. Else nothing is taken, and it
 * says after how many seconds to ask again. */
DCACHE_API int dcache_throttle_take(dcache *cache, const struct dcache_value *key,
                                    const struct dcache_throttle_options *options,
                                    double *ret_delay);

/* ---- memoize ------------------------------------------------------------------------------- */

/* Computes the value for a key. Returns 0, or a negative number: dcache_memoize() then fails with
 * CALLBACK and stores nothing. What `ret_value` points to stays the callback's own (see `release`). */
typedef int dcache_compute_fn(void *arg, const struct dcache_value *key,
                              struct dcache_value *ret_value);

struct dcache_memoize_options {
    size_t struct_size;
    unsigned flags; /* of dcache_get(), for what is handed back: DCACHE_AS_FD, DCACHE_NO_VALUE */
    double expire;  /* seconds; 0: never */
    const struct dcache_value *tag;
    void (*release)(void *arg, struct dcache_value *value); /* called when a value that was computed
                                                               is stored; may be NULL */
    int single_flight; /* 1: of those who miss at once, here and in other processes, one computes, and
                          the others wait for it */
    double timeout;    /* how long they wait; 0: for ever. Fails: TIMEOUT. */
    double stale;      /* seconds after `expire` during which the old value is handed to all but the
                          one who computes the new one */
    double beta;       /* more than 0: recompute early, see below; 1 is the best for most */
};

/* Hand back the value of `key`: the one that is stored, else the one that `compute` returns, which is
 * stored. With `beta`, a value that has not expired is recomputed, by one caller while the
 * others go on using it, with a probability that grows as its end comes near, so that it hardly ever
 * expires with many waiting ("cache stampede"). It is XFetch, of A. Vattani, F. Chierichetti,
 * K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 8(8), 2015: a caller
 * recomputes at the time t if
 *
 *     t - delta * beta * ln(u) >= end
 *
 * with `delta` the seconds that computing it took and u uniform in (0, 1]; so with the probability
 * exp(-(end - t) / (delta * beta)).
 *
 * With `beta` or `stale` what is stored is the pair (value, delta), as 5.6.3's memoize_stampede has it,
 * for `expire` plus `stale` seconds: values of the type PICKLE, and streams, are then refused (TYPE).
 * A value that was computed but cannot be stored (TIMEOUT, FULL, TOO_BIG, READONLY) is handed back all
 * the same, unless it is a stream.
 *
 * Who computes for others is known to them by his process; if that dies, the next one computes. (One
 * that cannot be seen from here is waited for during 60 seconds.) In a transaction `single_flight`,
 * `stale` and `beta` are INVALID. */
DCACHE_API int dcache_memoize(dcache *cache, const struct dcache_value *key,
                              dcache_compute_fn *compute, void *arg,
                              const struct dcache_memoize_options *options,
                              struct dcache_entry *ret_entry);

#ifdef __cplusplus
}
#endif
#endif
