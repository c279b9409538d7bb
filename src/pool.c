/* pool.c - the connections of a directory. See pool.h. */
#include "pool.h"

#include <stdlib.h>
#include <time.h>

#define MOMENT (100 * OS_MS) /* who waits longer looks up */

void pool_init(struct pool *pool)
{
    unsigned generation = atomic_load(&pool->generation);
    pthread_condattr_t attributes;

    memset(pool, 0, sizeof *pool);
    atomic_store(&pool->generation, generation + 1);
    pthread_mutex_init(&pool->mutex, NULL); /* these cannot fail with glibc */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->returned, &attributes);
    pthread_condattr_destroy(&attributes);
}

void pool_close(struct db *db)
{
    db_close(db);
    free(db);
}

static void close_idle(struct pool *pool)
{
    while (pool->idle) {
        struct db *db = pool->idle;

        pool->idle = db->next;
        pool->connections--;
        pool_close(db);
    }
}

void pool_destroy(struct pool *pool)
{
    close_idle(pool);
    pthread_cond_destroy(&pool->returned);
    pthread_mutex_destroy(&pool->mutex);
}

/* Wait for one to come back, or for a moment. Called with the mutex held. */
static int wait_returned(struct pool *pool, int64_t deadline)
{
    int64_t now = os_monotonic(), end = now + MOMENT < deadline ? now + MOMENT : deadline;
    struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    int rc;

    if (now >= deadline)
        return os_fail(DCACHE_TIMEOUT, "waiting for a connection");
    pool->waiting++;
    (void)pthread_cond_timedwait(&pool->returned, &pool->mutex, &until);
    pool->waiting--;
    pthread_mutex_unlock(&pool->mutex);
    rc = os_waiting();
    pthread_mutex_lock(&pool->mutex);
    return rc;
}

int pool_take(struct pool *pool, int64_t deadline, struct db **ret_db, unsigned *ret_generation)
{
    int rc = 0;

    pthread_mutex_lock(&pool->mutex);
    while (rc == 0 && !pool->idle && pool->connections >= POOL_CONNECTIONS)
        rc = wait_returned(pool, deadline);
    if (rc < 0) {
        pthread_mutex_unlock(&pool->mutex);
        return rc;
    }
    *ret_generation = pool->generation;
    *ret_db = pool->idle;
    if (pool->idle)
        pool->idle = pool->idle->next;
    else
        pool->connections++;
    pthread_mutex_unlock(&pool->mutex);
    return 0;
}

void pool_forget(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->connections--;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->mutex);
}

void pool_put(struct pool *pool, struct db *db)
{
    bool ended = sqlite3_get_autocommit(db->handle) != 0;

    if (db->suspect)
        atomic_store(&pool->suspect, true);
    db->suspect = false;
    pthread_mutex_lock(&pool->mutex);
    if (ended && db->generation == pool->generation) {
        db->next = pool->idle;
        pool->idle = db;
        db = NULL;
    } else {
        pool->connections--;
    }
    if (pool->waiting > 0)
        pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->mutex);
    if (db)
        pool_close(db);
}

void pool_renew(struct pool *pool, struct db *keep)
{
    pthread_mutex_lock(&pool->mutex);
    if (keep && keep->generation == pool->generation)
        keep->generation++;
    pool->generation++;
    close_idle(pool);
    pthread_mutex_unlock(&pool->mutex);
}
