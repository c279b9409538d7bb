/* scenarios_recipes.c - the recipes, as something to make fail. What they store differs from run to
 * run, so each run ends where it began, and looks on its way. See scenarios.h. */
#include "scenarios.h"

#include <diskcache_recipes.h>

#include <stdio.h>
#include <string.h>

static int make_lock(struct place *p, enum dcache_lock_kind kind, dcache_lock **ret_lock)
{
    struct dcache_lock_options options = DCACHE_OPTIONS(struct dcache_lock_options);

    options.kind = kind;
    options.permits = 2;
    return dcache_lock_open(p->cache, KEY("k"), &options, ret_lock);
}

static struct dcache_lock_state state_of(dcache_lock *lock)
{
    struct dcache_lock_state state;

    assert_int_equal(dcache_lock_state(lock, &state), 0);
    return state;
}

/* What fails is not done: a lock not acquired is free, one not released is held. */
static int acquire_and_release(struct place *p, enum dcache_lock_kind kind)
{
    dcache_lock *lock = NULL;
    int rc = make_lock(p, kind, &lock);

    if (rc == 0) {
        rc = dcache_lock_acquire(lock, 0);
        if (rc < 0) {
            faults_off();
            assert_int_equal(state_of(lock).holds, 0);
        } else {
            rc = dcache_lock_renew(lock, 100);
            if (rc == 0)
                rc = dcache_lock_release(lock);
            if (rc < 0) {
                faults_off();
                assert_int_equal(state_of(lock).mine, 1);
                assert_int_equal(dcache_lock_release(lock), 0);
            }
        }
    }
    dcache_lock_close(lock);
    return rc;
}

int lock_and_unlock(struct place *p)
{
    return acquire_and_release(p, DCACHE_LOCK);
}

int rlock_and_unlock(struct place *p)
{
    return acquire_and_release(p, DCACHE_RLOCK);
}

int permit_and_back(struct place *p)
{
    return acquire_and_release(p, DCACHE_SEMAPHORE);
}

/* Of a process that cannot be any more: there is no such pid. */
void held_by_the_dead(struct place *p)
{
    dcache_lock *lock = NULL;
    struct dcache_entry entry;
    char line[200];

    assert_int_equal(make_lock(p, DCACHE_LOCK, &lock), 0);
    assert_int_equal(dcache_lock_acquire(lock, 0), 0);
    entry = got(p->cache, KEY("k"));
    (void)snprintf(line, sizeof line, "4194305-1%.*s",
                   (int)(entry.value.size - strcspn(entry.value.data, " ")),
                   (const char *)entry.value.data + strcspn(entry.value.data, " "));
    assert_int_equal(dcache_set(p->cache, KEY("k"), TEXT(line), NULL), 0);
    dcache_entry_clear(&entry);
    dcache_lock_close(lock);
}

/* When it cannot be found out that the holder is dead, he is taken to live. */
int take_over(struct place *p)
{
    dcache_lock *lock = NULL;
    int rc = make_lock(p, DCACHE_LOCK, &lock);

    if (rc == 0)
        rc = dcache_lock_acquire(lock, 0.05);
    if (rc == 0 && dcache_lock_release(lock) < 0) {
        faults_off();
        assert_int_equal(dcache_lock_release(lock), 0);
    }
    dcache_lock_close(lock);
    return rc;
}

int break_it(struct place *p)
{
    dcache_lock *lock = NULL;
    int rc = make_lock(p, DCACHE_LOCK, &lock);

    if (rc == 0)
        rc = dcache_lock_break(lock);
    dcache_lock_close(lock);
    return rc;
}

/* ---- averages, throttles, memoized values ---- */

void averaged(struct place *p)
{
    assert_int_equal(dcache_average_add(p->cache, KEY("k"), 1, NULL), 0);
}

int add_to_average(struct place *p)
{
    return dcache_average_add(p->cache, KEY("k"), 4, NULL);
}

int pop_average(struct place *p)
{
    double average = -1;
    int rc = dcache_average_pop(p->cache, KEY("k"), &average);

    assert_true(average == (rc < 0 ? -1 : 1));
    return rc;
}

static struct dcache_throttle_options bucket(void)
{
    struct dcache_throttle_options options = DCACHE_OPTIONS(struct dcache_throttle_options);

    options.count = 2;
    options.seconds = 1;
    options.now = 100;
    return options;
}

void full_bucket(struct place *p)
{
    struct dcache_throttle_options options = bucket();

    assert_int_equal(dcache_throttle_reset(p->cache, KEY("k"), &options), 0);
}

int take_token(struct place *p)
{
    struct dcache_throttle_options options = bucket();
    double delay = -1;
    int rc = dcache_throttle_take(p->cache, KEY("k"), &options, &delay);

    assert_true(delay == (rc < 0 ? -1 : 0));
    return rc;
}

static int answer(void *arg, const struct dcache_value *key, struct dcache_value *ret_value)
{
    (void)arg;
    (void)key;
    *ret_value = dcache_text("computed");
    return 0;
}

static int memoize(struct place *p)
{
    struct dcache_memoize_options options = DCACHE_OPTIONS(struct dcache_memoize_options);
    struct dcache_entry entry;
    int rc;

    options.single_flight = 1;
    rc = dcache_memoize(p->cache, KEY("k"), answer, NULL, &options, &entry);
    if (rc == 0)
        assert_true(value_equals(&entry.value, TEXT("computed")));
    else
        assert_int_equal(entry.value.type, DCACHE_NONE);
    dcache_entry_clear(&entry);
    return rc;
}

/* What could not be stored is handed back, and a flight that could not be given back ends with its
 * lease: so the state may be any, but the next call has the value. */
int memoize_new(struct place *p)
{
    int rc = memoize(p);

    faults_off();
    if (rc == 0)
        assert_int_equal(memoize(p), 0);
    return rc;
}
