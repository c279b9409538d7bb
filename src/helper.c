/* helper.c - draining in the background. See helper.h. */
#include "helper.h"

#include "evict.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define GATHER (20 * OS_MS)  /* how long writes may gather: SQLite is seen by others within 50 ms */
#define SLEEP (1000 * OS_MS) /* at most, lest a call be missed for good */
#define PATIENCE (100 * OS_MS)     /* for SQLite, if a foreign writer is at it */
#define FAST_TURN (600000 * OS_MS) /* a ring that comes round within this time may grow ... */
#define GROWTH_MOST 8              /* ... to so many times its size */
#define AT_ONCE (2 * OS_MS)        /* how long the lock is held to prepare that */

#define ROOM_AMPLE (INT64_C(32) << 20) /* bytes */
#define EXIT_PATIENCE (1000 * OS_MS)

static pthread_once_t once = PTHREAD_ONCE_INIT;

struct helper {
    struct store *store;
    pthread_t thread;
    _Atomic uint32_t stopping;
};

/* ---- its work ---- */

static uint64_t largest_ring(struct store *store)
{
    uint64_t wanted = (uint64_t)store->settings.memtable_size / store->shards;
    uint64_t most = memtable_most(&store->shared);

    return wanted < most ? wanted : most;
}

/* What the ring is to grow to that came round in `elapsed`: so large that it would not within FAST_TURN, in a
 * few steps, since what is kept for readers is lost at each. 0: as it is. */
static uint64_t next_capacity(struct store *store, uint64_t capacity, int64_t elapsed)
{
    uint64_t most = largest_ring(store), next = atomic_load(&store->shared.segment->memtable.next);
    uint64_t wanted = 2 * capacity;

    if (next > capacity && next <= most && (next & (next - 1)) == 0)
        return next; /* is being prepared */
    if (elapsed >= FAST_TURN || wanted > most)
        return 0;
    while (wanted < GROWTH_MOST * capacity && 2 * wanted <= most &&
           elapsed < FAST_TURN / (int64_t)(wanted / capacity))
        wanted *= 2;
    return wanted;
}

/* Under the write lock, for as short as can be: what takes time is done in parts. */
static void grow(struct store *store, struct db *db)
{
    struct shared *shared = &store->shared;
    struct shared_memtable *m = &shared->segment->memtable;
    uint64_t capacity = atomic_load(&m->capacity), tail = atomic_load(&m->tail);
    int64_t now = os_monotonic();
    uint64_t next;
    int rc;

    if (tail - atomic_load(&m->turn) < capacity)
        return;
    next = next_capacity(store, capacity, os_minus(now, atomic_load(&m->turned)));
    rc = next > 0 ? memtable_prepare(shared, next, now + AT_ONCE) : DCACHE_FULL;
    if (rc > 0 || (rc == 0 && drain_all(store, db, now + PATIENCE) != 0))
        return; /* the next time */
    if (rc == 0) {
        (void)memtable_resize(shared, next); /* no room: it stays as it is */
        memtable_unlock(shared);
    }
    atomic_store(&m->turn, atomic_load(&m->tail));
    atomic_store(&m->turned, now);
}

/* Long before writers find none left and have to do it themselves. What they have taken since `before` is
 * perhaps not in SQLite yet. */
static void renew_room(struct store *store, struct db *db, int64_t before)
{
    _Atomic int64_t *headroom = &store->shared.segment->headroom;
    int64_t room, now = atomic_load(headroom);

    if (store->settings.policy == POLICY_NONE || now > ROOM_AMPLE ||
        evict_room_left(store, db, &room) < 0 ||
        memtable_lock(&store->shared, os_monotonic() + PATIENCE) < 0)
        return;
    now = atomic_load(headroom);
    atomic_store(headroom, os_minus(room, before > now ? before - now : 0));
    memtable_unlock(&store->shared);
}

static int drain(struct store *store, int *ret_frames)
{
    struct shared_memtable *m = &store->shared.segment->memtable;
    int64_t before = atomic_load(&store->shared.segment->headroom);
    uint64_t target = memtable_published(&store->shared, os_monotonic() + PATIENCE);
    struct db *db;
    int rc = store_borrow(store, os_monotonic() + PATIENCE, &db);

    if (rc < 0)
        return rc;
    if (store_is_gone(store, db))
        rc = DCACHE_GONE; /* made anew by whoever comes with an operation */
    vfs_leave_out(db->file, true);
    while (rc == 0 && memtable_dirty(&store->shared) > 0 && atomic_load(&m->drained) < target) {
        rc = drain_slice(store, db, target, false);
        /* Who waits for the lock, be it because too much is dirty, goes on with it himself. */
        if (atomic_load(&store->shared.segment->lock.waiting_since) != 0)
            break;
    }
    if (rc == 0)
        renew_room(store, db, before);
    if (rc == 0)
        grow(store, db);
    *ret_frames = db->wal_frames;
    vfs_leave_out(db->file, false);
    store_return(store, db);
    return rc;
}

static void work(struct store *store)
{
    int frames = 0, rc;

    /* With patience enough to get its turn (S4) among writers who drain for themselves. */
    if (store->gone || shared_lock(&store->shared, os_monotonic() + GATHER) < 0)
        return; /* somebody has a transaction: the next time */
    rc = drain(store, &frames);
    shared_unlock(&store->shared);
    if (rc == 0)
        txn_checkpoint(store, frames);
}

/* ---- the thread ---- */

/* What readers keep turns the ring, too, and then it is too small for what is read. */
static bool has_work(struct store *store)
{
    return memtable_dirty(&store->shared) > 0 || memtable_came_round(&store->shared);
}

static void sleep_until_stirred(struct helper *helper)
{
    struct store *store = helper->store;
    struct shared_memtable *m = &store->shared.segment->memtable;
    uint32_t heard = atomic_load(&m->stirred);

    atomic_fetch_add(&m->sleepers, 1);
    if (!has_work(store) && !atomic_load(&helper->stopping))
        os_futex_wait(&m->stirred, heard, SLEEP);
    atomic_fetch_sub(&m->sleepers, 1);
}

static void *run(void *arg)
{
    struct helper *helper = arg;

    while (!atomic_load(&helper->stopping)) {
        if (!has_work(helper->store)) {
            sleep_until_stirred(helper);
            continue;
        }
        os_futex_wait(&helper->stopping, 0, GATHER);
        if (!atomic_load(&helper->stopping))
            work(helper->store);
    }
    return NULL;
}

/* Programs end without closing what they have opened, Python's most of all; and 5.6.3 sees what is in
 * SQLite only. */
static void drain_at_exit(void)
{
    for (struct store *store = store_next(NULL); store; store = store_next(store))
        if (!store_is_stale(store) && !store->read_only)
            (void)drain_before_leaving(store, os_monotonic() +
                                                  EXIT_PATIENCE); /* else the next who opens it */
}

static void install(void)
{
    (void)atexit(drain_at_exit);
}

static struct helper *make(struct store *store)
{
    struct helper *helper = os_calloc(1, sizeof *helper);
    sigset_t all, before;
    int error;

    if (!helper)
        return NULL;
    helper->store = store;
    (void)sigfillset(&all); /* signals are for the program's own threads */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = os_fault() ? EAGAIN : pthread_create(&helper->thread, NULL, run, helper);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        free(helper);
        return NULL;
    }
    return helper;
}

bool helper_start(struct store *store)
{
    if (atomic_load_explicit(&store->helper, memory_order_acquire))
        return true;
    pthread_mutex_lock(&store->watch.mutex);
    (void)pthread_once(&once, install);
    if (!atomic_load(&store->helper))
        atomic_store(&store->helper, make(store));
    pthread_mutex_unlock(&store->watch.mutex);
    return atomic_load(&store->helper) != NULL;
}

void helper_stir(struct store *store)
{
    struct shared_memtable *m = &store->shared.segment->memtable;

    /* Who is not counted yet looks once more before it sleeps. */
    if (atomic_load(&m->sleepers) == 0)
        return;
    atomic_fetch_add(&m->stirred, 1);
    os_futex_wake_all(&m->stirred);
}

void helper_stop(struct store *store)
{
    struct helper *helper = atomic_exchange(&store->helper, NULL);
    struct shared_memtable *m;

    if (!helper)
        return;
    m = &store->shared.segment->memtable;
    atomic_store(&helper->stopping, 1);
    os_futex_wake_all(&helper->stopping);
    atomic_fetch_add(&m->stirred, 1);
    os_futex_wake_all(&m->stirred);
    (void)pthread_join(helper->thread, NULL);
    free(helper);
}
