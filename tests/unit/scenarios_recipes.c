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
