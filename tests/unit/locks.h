/* locks.h - what the tests of locks share: a cache in a sandbox, locks of all kinds on one key, children that wait for
 * one or hold it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef LOCKS_H
#define LOCKS_H

#include "claim.h"
#include "sandbox.h"

static dcache *cache;

static inline int make(void **state)
{
    return sandbox_make(state) < 0 ? -1 : open_with(sandbox, 0, 20, &cache);
}

static inline int unmake(void **state)
{
    dcache_close(cache);
    return sandbox_remove(state);
}

#undef TEST
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, unmake)

static const enum dcache_lock_kind kinds[] = {DCACHE_LOCK, DCACHE_RLOCK, DCACHE_SEMAPHORE};
#define EACH_KIND(kind) for (const enum dcache_lock_kind *kind = kinds; kind < kinds + 3; kind++)

static inline dcache_lock *make_lock(enum dcache_lock_kind kind, int64_t permits, double expire)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value key = dcache_text("k");
    dcache_lock *lock = NULL;

    options.kind = kind;
    options.permits = permits;
    options.expire = expire;
    assert_int_equal(dcache_lock_open(cache, &key, &options, &lock), 0);
    return lock;
}

static inline dcache_lock *of_kind(enum dcache_lock_kind kind)
{
    return make_lock(kind, 1, 0);
}

static inline struct dcache_lock_state state_of(dcache_lock *lock)
{
    struct dcache_lock_state state;

    assert_int_equal(dcache_lock_state(lock, &state), 0);
    return state;
}

/* ---- processes ---- */

static dcache_lock *inherited;

static inline int hold_for_ever(struct child *self)
{
    MUST(dcache_lock_acquire(inherited, 20) == 0);
    child_say(self, 'h');
    (void)child_hear(self);
    return 0;
}

static inline int wait_for_it(struct child *self)
{
    child_say(self, 'w');
    MUST(dcache_lock_acquire(inherited, 20) == 0);
    MUST(dcache_lock_release(inherited) == 0);
    return 0;
}

#endif
