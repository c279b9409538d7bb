/* test_lock.c - who holds a lock, how others learn of it, and what becomes of it when he dies
 * (diskcache_recipes.h; claim.h, L1 to L4).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "locks.h"
#include "pickle.h"

#include <errno.h>
#include <pthread.h>

/* What a thread of its own gets. */
struct attempt {
    dcache_lock *lock;
    double timeout;
    int acquired, released;
};

static void *attempt(void *arg)
{
    struct attempt *a = arg;

    a->acquired = dcache_lock_acquire(a->lock, a->timeout);
    a->released = dcache_lock_release(a->lock);
    return NULL;
}

static struct attempt in_another_thread(dcache_lock *lock, double timeout)
{
    struct attempt a = {.lock = lock, .timeout = timeout};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, attempt, &a), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return a;
}

/* ---- one holder ---- */

static void a_lock_has_one_holder(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *a = of_kind(*kind), *b = of_kind(*kind);
        struct attempt other;

        assert_int_equal(dcache_lock_acquire(a, 0), 0);
        other = in_another_thread(b, 0);
        assert_int_equal(other.acquired, DCACHE_TIMEOUT);
        assert_int_equal(other.released, DCACHE_NOT_OWNER);
        assert_int_equal(state_of(a).mine, 1);
        assert_int_equal(state_of(a).holds, 1);
        assert_int_equal(state_of(a).pid, getpid());
        assert_int_equal(state_of(a).alive, 1);
        assert_true(state_of(a).expire_time == DCACHE_NEVER);
        assert_int_equal(dcache_lock_release(a), 0);
        assert_int_equal(dcache_lock_release(a), DCACHE_NOT_OWNER);
        other = in_another_thread(b, 0);
        assert_int_equal(other.acquired, 0);
        assert_int_equal(other.released, 0);
        assert_int_equal(state_of(a).holds, 0);
        dcache_lock_close(a);
        dcache_lock_close(b);
    }
}

static void nothing_is_left_when_nobody_holds_it(void **state) /* L4 */
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *lock = of_kind(*kind);

        assert_int_equal(dcache_lock_acquire(lock, 0), 0);
        assert_int_equal(count_of(cache), *kind == DCACHE_SEMAPHORE ? 2 : 1);
        assert_int_equal(dcache_lock_release(lock), 0);
        assert_int_equal(count_of(cache), 0);
        dcache_lock_close(lock);
    }
}

static void no_policy_takes_a_held_lock(void **state) /* L4 */
{
    struct dcache_value limit = dcache_int(100 * 1024);
    dcache_lock *lock[3];

    (void)state;
    assert_int_equal(dcache_setting_set(cache, "size_limit", &limit), 0);
    for (int i = 0; i < 3; i++) {
        struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
        struct dcache_value key = dcache_int(i);

        options.kind = kinds[i];
        assert_int_equal(dcache_lock_open(cache, &key, &options, &lock[i]), 0);
        assert_int_equal(dcache_lock_acquire(lock[i], 0), 0);
    }
    for (int i = 0; i < 30; i++)
        assert_int_equal(put_bytes(cache, i % 2 ? "x" : "y", 'x', 90000), 0);
    assert_int_equal(dcache_cull(cache, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(state_of(lock[i]).mine, 1);
        assert_int_equal(dcache_lock_release(lock[i]), 0);
        dcache_lock_close(lock[i]);
    }
}

static void an_rlock_is_released_as_often_as_acquired(void **state)
{
    dcache_lock *a = of_kind(DCACHE_RLOCK), *b = of_kind(DCACHE_RLOCK);

    (void)state;
    assert_int_equal(dcache_lock_acquire(a, 0), 0);
    assert_int_equal(dcache_lock_acquire(b, 0), 0); /* the thread is the owner, not the object */
    assert_int_equal(state_of(a).holds, 2);
    assert_int_equal(in_another_thread(a, 0).acquired, DCACHE_TIMEOUT);
    assert_int_equal(dcache_lock_release(a), 0);
    assert_int_equal(in_another_thread(a, 0).released, DCACHE_NOT_OWNER);
    assert_int_equal(dcache_lock_release(a), 0);
    assert_int_equal(dcache_lock_release(a), DCACHE_NOT_OWNER);
    assert_int_equal(in_another_thread(a, 0).acquired, 0);
    dcache_lock_close(a);
    dcache_lock_close(b);
}

static void a_semaphore_has_so_many_permits(void **state)
{
    dcache_lock *a = make_lock(DCACHE_SEMAPHORE, 3, 0), *b = make_lock(DCACHE_SEMAPHORE, 3, 0);

    (void)state;
    assert_int_equal(dcache_lock_acquire(a, 0), 0);
    assert_int_equal(dcache_lock_acquire(a, 0), 0);
    assert_int_equal(dcache_lock_acquire(b, 0), 0);
    assert_int_equal(dcache_lock_acquire(b, 0), DCACHE_TIMEOUT);
    assert_int_equal(state_of(a).holds, 3);
    assert_int_equal(dcache_lock_release(b), 0);
    assert_int_equal(dcache_lock_release(b), DCACHE_NOT_OWNER); /* a's are a's: L3 */
    assert_int_equal(dcache_lock_acquire(b, 0), 0);
    assert_int_equal(dcache_lock_release(a), 0);
    assert_int_equal(dcache_lock_release(a), 0);
    assert_int_equal(dcache_lock_release(b), 0);
    assert_int_equal(count_of(cache), 0);
    dcache_lock_close(a);
    dcache_lock_close(b);
}

/* ---- leases ---- */

static void who_has_lost_his_lease_releases_nobody_elses(void **state) /* L3 */
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *a = make_lock(*kind, 1, 10), *b = make_lock(*kind, 1, 10);
        struct attempt other = {.lock = b};
        pthread_t thread;

        os_clock_offset = 0;
        assert_int_equal(dcache_lock_acquire(a, 0), 0);
        assert_int_equal(in_another_thread(b, 0).acquired, DCACHE_TIMEOUT);
        os_clock_offset = 11;
        assert_int_equal(dcache_lock_renew(a, 10), DCACHE_NOT_OWNER);
        if (*kind == DCACHE_RLOCK) { /* by thread: it is enough that it is free */
            assert_int_equal(pthread_create(&thread, NULL, attempt, &other), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
            assert_int_equal(other.acquired, 0);
        } else {
            assert_int_equal(dcache_lock_acquire(b, 0), 0);
            assert_int_equal(dcache_lock_release(a), DCACHE_NOT_OWNER);
            assert_int_equal(state_of(b).mine, 1);
            assert_int_equal(dcache_lock_release(b), 0);
        }
        dcache_lock_close(a);
        dcache_lock_close(b);
    }
}

static void a_renewed_lease_begins_anew(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *a = make_lock(*kind, 1, 10);

        os_clock_offset = 0;
        assert_int_equal(dcache_lock_acquire(a, 0), 0);
        assert_int_equal(dcache_lock_renew(a, 30), 0);
        assert_true(state_of(a).expire_time > os_now() + 25);
        os_clock_offset = 25;
        assert_int_equal(dcache_lock_renew(a, 0), 0); /* no end */
        os_clock_offset = 1e6;
        assert_true(state_of(a).expire_time == DCACHE_NEVER);
        assert_int_equal(dcache_lock_release(a), 0);
        assert_int_equal(dcache_lock_renew(a, 1), DCACHE_NOT_OWNER);
        dcache_lock_close(a);
    }
}

static void a_broken_lock_is_anybodys(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *a = of_kind(*kind), *b = of_kind(*kind);

        assert_int_equal(dcache_lock_break(b), DCACHE_NOT_FOUND);
        assert_int_equal(dcache_lock_acquire(a, 0), 0);
        assert_int_equal(dcache_lock_break(b), 0);
        assert_int_equal(dcache_lock_release(a), DCACHE_NOT_OWNER);
        assert_int_equal(dcache_lock_acquire(b, 0), 0);
        assert_int_equal(dcache_lock_release(b), 0);
        dcache_lock_close(a);
        dcache_lock_close(b);
    }
}

/* ---- processes ---- */

static int use_the_parents(struct child *self)
{
    MUST(dcache_lock_release(inherited) == DCACHE_NOT_OWNER);
    MUST(dcache_lock_renew(inherited, 5) == DCACHE_NOT_OWNER);
    MUST(dcache_lock_acquire(inherited, 0) == DCACHE_TIMEOUT);
    child_say(self, 'd');
    MUST(child_hear(self) == 'r');
    MUST(dcache_lock_acquire(inherited, 20) == 0);
    child_say(self, 'h');
    (void)child_hear(self);
    return 0;
}

static void a_child_does_not_own_what_its_parent_holds(void **state) /* L3 */
{
    (void)state;
    EACH_KIND(kind)
    {
        struct child child;

        inherited = of_kind(*kind);
        assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
        child = child_start(use_the_parents);
        assert_int_equal(child_hear(&child), 'd');
        assert_int_equal(dcache_lock_release(inherited), 0);
        child_say(&child, 'r');
        assert_int_equal(child_hear(&child), 'h'); /* and now it holds it */
        assert_int_equal(dcache_lock_acquire(inherited, 0), DCACHE_TIMEOUT);
        assert_int_equal(child_end(&child), 0); /* without a release */
        assert_int_equal(dcache_lock_acquire(inherited, 20), 0);
        assert_int_equal(dcache_lock_release(inherited), 0);
        dcache_lock_close(inherited);
    }
}

static void a_dead_holders_lock_is_taken_over_at_once(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct child child;
        int64_t begin;

        inherited = of_kind(*kind);
        child = child_start(hold_for_ever);
        assert_int_equal(child_hear(&child), 'h');
        assert_int_equal(dcache_lock_acquire(inherited, 0), DCACHE_TIMEOUT);
        (void)kill(child.pid, SIGKILL);
        begin = now_ms();
        assert_int_equal(dcache_lock_acquire(inherited, 20), 0); /* nobody has waited for it yet */
        assert_true(now_ms() - begin < 5000);
        assert_int_equal(dcache_lock_release(inherited), 0);
        assert_int_equal(child_end(&child), -SIGKILL);
        assert_int_equal(count_of(cache), 0);
        dcache_lock_close(inherited);
    }
}

static void waiters_get_it_one_after_the_other(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        struct child child[5];

        inherited = of_kind(*kind);
        assert_int_equal(dcache_lock_acquire(inherited, 0), 0);
        for (int i = 0; i < 5; i++) {
            child[i] = child_start(wait_for_it);
            assert_int_equal(child_hear(&child[i]), 'w');
        }
        assert_int_equal(dcache_lock_release(inherited), 0);
        for (int i = 0; i < 5; i++)
            assert_int_equal(child_end(&child[i]), 0);
        assert_int_equal(count_of(cache), 0);
        dcache_lock_close(inherited);
    }
}

static void looking_at_a_lock_is_no_hit(void **state)
{
    struct dcache_value on = dcache_int(1);
    struct dcache_stats stats;
    dcache_lock *lock;

    (void)state;
    assert_int_equal(dcache_setting_set(cache, "statistics", &on), 0);
    lock = of_kind(DCACHE_LOCK);
    assert_int_equal(dcache_lock_acquire(lock, 0), 0);
    assert_int_equal(state_of(lock).holds, 1);
    assert_int_equal(dcache_lock_release(lock), 0);
    assert_int_equal(state_of(lock).holds, 0);
    assert_int_equal(dcache_stats(cache, 0, &stats), 0);
    assert_int_equal(stats.hits + stats.misses, 0);
    dcache_lock_close(lock);
}

/* ---- records ---- */

static void hold_as(const struct owner *owner)
{
    struct dcache_value key = dcache_text("k"), value;
    char line[OWNER_TEXT];

    owner_format(owner, line);
    value = dcache_text(line);
    assert_int_equal(dcache_set(cache, &key, &value, NULL), 0);
}

static void only_who_is_certainly_gone_is_taken_for_dead(void **state)
{
    struct owner self, other;
    dcache_lock *lock = of_kind(DCACHE_LOCK);

    (void)state;
    assert_int_equal(owner_self(&self), 0);
    self.mark = 1;
    hold_as(&self);
    assert_int_equal(dcache_lock_acquire(lock, 0), DCACHE_TIMEOUT);
    other = self;
    other.pids++; /* of another container */
    other.pid = 4194305;
    hold_as(&other);
    assert_int_equal(dcache_lock_acquire(lock, 0), DCACHE_TIMEOUT);
    assert_int_equal(state_of(lock).alive, -1);
    other.pids = 0; /* not known */
    hold_as(&other);
    assert_int_equal(dcache_lock_acquire(lock, 0), DCACHE_TIMEOUT);

    other = self;
    other.pid = 4194305; /* larger than any pid */
    hold_as(&other);
    assert_int_equal(state_of(lock).alive, 0);
    assert_int_equal(dcache_lock_acquire(lock, 0), 0);
    assert_int_equal(dcache_lock_release(lock), 0);
    other = self;
    other.start++; /* our pid was another's before */
    hold_as(&other);
    assert_int_equal(dcache_lock_acquire(lock, 0), 0);
    assert_int_equal(dcache_lock_release(lock), 0);
    other = self;
    other.boot[0] = other.boot[0] == 'x' ? 'y' : 'x'; /* before the machine was started anew */
    hold_as(&other);
    assert_int_equal(dcache_lock_acquire(lock, 0), 0);
    assert_int_equal(dcache_lock_release(lock), 0);
    dcache_lock_close(lock);
}

static void what_is_no_line_is_nobody(void **state)
{
    static const char *const others[] = {"",
                                         "12-3456",
                                         "12-34 5 6",
                                         "12-34 5 6 ",
                                         "-1-2 3 4 b",
                                         "12 34 5 6 b",
                                         "12-34 5 x b",
                                         "12-34  5 6 b",
                                         "4294967296-1 2 3 b",
                                         "1-99999999999999999999 2 3 b",
                                         "1-2 3 4 a-boot-id-that-is-longer-than-any-that-there-is"};
    struct owner owner, self;
    struct dcache_value value = dcache_text("12-34 5 6 boot");
    char line[OWNER_TEXT];

    (void)state;
    assert_true(owner_parse(&value, &owner));
    owner_format(&owner, line);
    assert_string_equal(line, "12-34 5 6 boot");
    assert_int_equal(owner_self(&self), 0);
    self.mark = UINT64_MAX;
    owner_format(&self, line);
    value = dcache_text(line);
    assert_true(owner_parse(&value, &owner));
    assert_true(owner_equals(&owner, &self));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        value = dcache_text(others[i]);
        assert_false(owner_parse(&value, &owner));
    }
}

static void on_a_network_another_boot_may_be_another_machine(void **state)
{
    struct owner owner, self;

    (void)state;
    assert_int_equal(owner_self(&self), 0);
    owner = self;
    owner.boot[0] = owner.boot[0] == 'x' ? 'y' : 'x';
    assert_int_equal(owner_lives(&owner, &self, false), -1);
    assert_int_equal(owner_lives(&owner, &self, true), 0);
    assert_int_equal(owner_lives(&self, &self, false), 1);
}

static void put_pickle(const void *data, size_t size)
{
    struct dcache_value key = dcache_text("k"), value = dcache_sized(DCACHE_PICKLE, data, size);

    assert_int_equal(dcache_set(cache, &key, &value, NULL), 0);
}

static void what_563_holds_is_held(void **state) /* L1 */
{
    static const char held[] = "\x80\x05\x95\x0d\0\0\0\0\0\0\0\x8c\x07"
                               "12-3456\x94K\x01\x86\x94.";
    static const char left[] = "\x80\x05\x95\x0d\0\0\0\0\0\0\0\x8c\x07"
                               "12-3456\x94K\0\x86\x94.";
    struct dcache_value key = dcache_text("k"), none = dcache_none(), one = dcache_int(1);
    dcache_lock *lock = of_kind(DCACHE_LOCK), *rlock = of_kind(DCACHE_RLOCK),
                *semaphore = make_lock(DCACHE_SEMAPHORE, 2, 0);

    (void)state;
    assert_int_equal(dcache_set(cache, &key, &none, NULL), 0);
    assert_int_equal(dcache_lock_acquire(lock, 0), DCACHE_TIMEOUT);
    assert_int_equal(state_of(lock).pid, 0);
    assert_int_equal(state_of(lock).alive, -1);
    assert_int_equal(dcache_lock_release(lock), DCACHE_NOT_OWNER);
    put_pickle(held, sizeof held - 1);
    assert_int_equal(dcache_lock_acquire(rlock, 0), DCACHE_TIMEOUT);
    assert_int_equal(dcache_lock_release(rlock), DCACHE_NOT_OWNER);
    put_pickle(left, sizeof left - 1); /* 5.6.3 leaves its key behind */
    assert_int_equal(dcache_lock_acquire(rlock, 0), 0);
    assert_int_equal(dcache_lock_release(rlock), 0);
    assert_int_equal(dcache_set(cache, &key, &one, NULL), 0);
    assert_int_equal(dcache_lock_acquire(semaphore, 0), 0);
    assert_int_equal(dcache_lock_acquire(semaphore, 0), DCACHE_TIMEOUT);
    assert_int_equal(dcache_lock_release(semaphore), 0);
    assert_int_equal(dcache_lock_release(semaphore), DCACHE_NOT_OWNER);
    assert_int_equal(dcache_lock_break(semaphore), 0);
    assert_int_equal(dcache_lock_break(semaphore), DCACHE_NOT_FOUND);
    assert_int_equal(count_of(cache), 0);
    dcache_lock_close(lock);
    dcache_lock_close(rlock);
    dcache_lock_close(semaphore);
}

static void another_value_under_the_key_is_an_error(void **state)
{
    dcache_lock *rlock = of_kind(DCACHE_RLOCK), *semaphore = of_kind(DCACHE_SEMAPHORE);

    (void)state;
    assert_int_equal(put(cache, "k", "mine"), 0);
    assert_int_equal(dcache_lock_acquire(rlock, 0), DCACHE_TYPE);
    assert_int_equal(dcache_lock_acquire(semaphore, 0), DCACHE_TYPE);
    assert_int_equal(dcache_lock_release(rlock), DCACHE_TYPE);
    assert_int_equal(has(cache, "k", "mine"), 1);
    dcache_lock_close(rlock);
    dcache_lock_close(semaphore);
}

/* ---- in a transaction ---- */

/* What stands for `lock` there. */
static dcache_lock *inside(dcache *txn, enum dcache_lock_kind kind, dcache_lock *lock)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);
    struct dcache_value key = dcache_text("k");
    dcache_lock *view = NULL;

    options.kind = kind;
    options.same_as = lock;
    assert_int_equal(dcache_lock_open(txn, &key, &options, &view), 0);
    return view;
}

static void what_a_transaction_did_to_a_lock_is_undone_with_it(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *lock = of_kind(*kind), *view;
        dcache *txn;

        assert_int_equal(dcache_begin(cache, -1, &txn), 0);
        view = inside(txn, *kind, lock);
        assert_int_equal(dcache_lock_acquire(view, 0), 0);
        assert_int_equal(state_of(view).mine, 1);
        assert_int_equal(state_of(lock).holds, 0); /* for who looks from outside */
        dcache_rollback(txn);
        dcache_lock_close(view);
        assert_int_equal(dcache_lock_release(lock), DCACHE_NOT_OWNER);
        assert_int_equal(count_of(cache), 0);
        dcache_lock_close(lock);
    }
}

static void what_is_acquired_inside_is_released_outside_and_the_reverse(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *lock = of_kind(*kind), *view;
        dcache *txn;

        assert_int_equal(dcache_begin(cache, -1, &txn), 0);
        view = inside(txn, *kind, lock);
        assert_int_equal(dcache_lock_acquire(view, 0), 0);
        assert_int_equal(dcache_commit(txn), 0);
        dcache_lock_close(view);
        assert_int_equal(state_of(lock).mine, 1);
        assert_int_equal(dcache_lock_release(lock), 0);
        assert_int_equal(dcache_lock_acquire(lock, 0), 0);
        assert_int_equal(dcache_begin(cache, -1, &txn), 0);
        view = inside(txn, *kind, lock);
        assert_int_equal(dcache_lock_renew(view, 10), 0);
        assert_int_equal(dcache_lock_release(view), 0);
        assert_int_equal(dcache_commit(txn), 0);
        dcache_lock_close(view);
        assert_int_equal(count_of(cache), 0);
        dcache_lock_close(lock);
    }
}

static void in_a_transaction_nobody_is_waited_for(void **state)
{
    (void)state;
    EACH_KIND(kind)
    {
        dcache_lock *holder, *lock, *view;
        dcache *txn;

        if (*kind == DCACHE_RLOCK) /* the thread's own would be acquired once more */
            continue;
        holder = of_kind(*kind);
        lock = of_kind(*kind);
        assert_int_equal(dcache_lock_acquire(holder, 0), 0);
        assert_int_equal(dcache_begin(cache, -1, &txn), 0);
        view = inside(txn, *kind, lock);
        assert_int_equal(dcache_lock_acquire(view, DCACHE_FOREVER), DCACHE_TIMEOUT);
        assert_int_equal(dcache_last_error()->sys_errno, EDEADLK);
        dcache_rollback(txn);
        dcache_lock_close(view);
        assert_int_equal(dcache_lock_release(holder), 0);
        dcache_lock_close(lock);
        dcache_lock_close(holder);
    }
}

/* ---- misuse ---- */

static void a_lock_within_the_threads_own_transaction_times_out(void **state)
{
    dcache_lock *lock = of_kind(DCACHE_LOCK), *none = NULL;
    dcache *txn;

    (void)state;
    assert_int_equal(dcache_begin(cache, -1, &txn), 0);
    assert_int_equal(dcache_lock_acquire(lock, DCACHE_FOREVER), DCACHE_TIMEOUT);
    dcache_rollback(txn);
    assert_int_equal(dcache_lock_acquire(lock, (double)NAN), DCACHE_INVALID);
    assert_int_equal(dcache_lock_renew(lock, -1), DCACHE_INVALID);
    assert_int_equal(dcache_lock_open(cache, NULL, NULL, &none), DCACHE_INVALID);
    dcache_lock_close(lock);
    dcache_lock_close(NULL);
}

static int count_calls(void *arg)
{
    int *calls = arg;

    return ++*calls > 1 ? -1 : 0;
}

static int lose_it(void *arg)
{
    return dcache_lock_break(arg);
}

static void a_barrier_holds_its_lock_during_the_call(void **state)
{
    dcache_lock *lock = of_kind(DCACHE_LOCK), *other = of_kind(DCACHE_LOCK);
    int calls = 0;

    (void)state;
    assert_int_equal(dcache_barrier(lock, 0, count_calls, &calls), 0);
    assert_int_equal(dcache_barrier(lock, 0, count_calls, &calls), DCACHE_CALLBACK);
    assert_int_equal(state_of(lock).holds, 0);
    assert_int_equal(dcache_barrier(lock, 0, lose_it, other), DCACHE_NOT_OWNER);
    assert_int_equal(dcache_lock_acquire(other, 0), 0);
    assert_int_equal(dcache_barrier(lock, 0, count_calls, &calls), DCACHE_TIMEOUT);
    assert_int_equal(calls, 2);
    dcache_lock_close(lock);
    dcache_lock_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_has_one_holder),
        TEST(nothing_is_left_when_nobody_holds_it),
        TEST(no_policy_takes_a_held_lock),
        TEST(an_rlock_is_released_as_often_as_acquired),
        TEST(a_semaphore_has_so_many_permits),
        TEST(who_has_lost_his_lease_releases_nobody_elses),
        TEST(a_renewed_lease_begins_anew),
        TEST(a_broken_lock_is_anybodys),
        TEST(a_child_does_not_own_what_its_parent_holds),
        TEST(a_dead_holders_lock_is_taken_over_at_once),
        TEST(waiters_get_it_one_after_the_other),
        TEST(looking_at_a_lock_is_no_hit),
        TEST(only_who_is_certainly_gone_is_taken_for_dead),
        TEST(what_is_no_line_is_nobody),
        TEST(on_a_network_another_boot_may_be_another_machine),
        TEST(what_563_holds_is_held),
        TEST(another_value_under_the_key_is_an_error),
        TEST(what_a_transaction_did_to_a_lock_is_undone_with_it),
        TEST(what_is_acquired_inside_is_released_outside_and_the_reverse),
        TEST(in_a_transaction_nobody_is_waited_for),
        TEST(a_lock_within_the_threads_own_transaction_times_out),
        TEST(a_barrier_holds_its_lock_during_the_call),
    };

    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
