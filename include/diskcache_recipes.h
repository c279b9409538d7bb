/* diskcache_recipes.h - locks on the keys of a cache.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * They work across all processes that use the directory, on single caches and fanouts, and on the
 * records of 5.6.3's recipes of the same names (a process of 5.6.3 and one of ours exclude each
 * other). Their keys are pinned: no eviction policy takes them. Times are in seconds; the conventions
 * are those of <diskcache.h>.
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
};

/* A lock object: what this process knows of the lock `key`. Any thread may use it. */
typedef struct dcache_lock dcache_lock;

/* Make a lock object; writes nothing. `cache` must stay open longer, and be no transaction
 * (INVALID). */
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
 * Fails: TIMEOUT (held by another), TYPE (the key holds something else). */
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

#ifdef __cplusplus
}
#endif
#endif
