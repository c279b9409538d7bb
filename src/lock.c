/* lock.c - locks for whoever shares a cache: waiting for one, and its life. What lies in the cache is
 * in hold.c and permits.c. */
#include "claim.h"
#include "handover.h"

#include <stdlib.h>
#include <unistd.h>

#define LOOK (10 * OS_MS) /* a waiter looks whether the holder lives, or has lost its lease */
#define LOOK_FOREIGN (1 * OS_MS) /* ... whether 5.6.3 has let go, which rings no bell */

/* ---- open and close ---- */

static int copy_value(const struct dcache_value *value, struct dcache_value *ret)
{
    void *data;

    *ret = *value;
    if (!value_is_data(value))
        return 0;
    data = os_malloc(value->size);
    ret->data = data;
    if (!data)
        return DCACHE_NOMEM;
    if (value->size > 0)
        memcpy(data, value->data, value->size);
    return 0;
}

static int check_options(dcache *cache, const struct dcache_value *key,
                         const struct dcache_lock_options *options)
{
    if (!cache)
        return os_fail(DCACHE_INVALID, "a lock needs a cache");
    if (!key || key->type > DCACHE_PICKLE || (value_is_data(key) && !key->data && key->size > 0))
        return os_fail(DCACHE_INVALID, "a lock needs a key");
    if ((unsigned)options->kind > DCACHE_SEMAPHORE || options->permits < 0 ||
        !(options->expire >= 0))
        return os_fail(DCACHE_INVALID, "kind, permits or expire of a lock cannot be so");
    return 0;
}

static int choose_marks(struct dcache_lock *lock, const struct dcache_lock *same)
{
    if (same) {
        lock->self = same->self;
        lock->marks = same->marks;
        return 0;
    }
    if (os_random(&lock->self.mark, sizeof lock->self.mark) < 0)
        return os_fail_errno("random bytes for a lock");
    lock->marks = &lock->own;
    lock->own.held = lock->self.mark;
    lock->own.next = lock->self.mark + 1;
    return 0;
}

int dcache_lock_open(dcache *cache, const struct dcache_value *key,
                     const struct dcache_lock_options *given, dcache_lock **ret_lock)
{
    ENTRY_OPTIONS(struct dcache_lock_options, options, given);
    struct dcache_value no_tag = dcache_none();
    struct dcache_lock *lock;
    int rc = check_options(cache, key, &options);

    if (rc < 0)
        return rc;
    lock = os_calloc(1, sizeof *lock);
    if (!lock)
        return DCACHE_NOMEM;
    lock->cache = dcache_shard_for(cache, key);
    lock->scoped = lock->cache->scope != NULL;
    lock->kind = options.kind;
    lock->permits = options.permits ? options.permits : 1;
    lock->expire = options.expire;
    rc = copy_value(key, &lock->key);
    if (rc == 0)
        rc = copy_value(options.tag ? options.tag : &no_tag, &lock->tag);
    if (rc == 0 && lock->kind == DCACHE_SEMAPHORE)
        rc = permits_holders_key(key, &lock->holders);
    if (rc == 0)
        rc = owner_self(&lock->self);
    if (rc == 0)
        rc = choose_marks(lock, options.same_as);
    if (rc < 0) {
        dcache_lock_close(lock);
        return rc;
    }
    lock->bell = bell_of(lock->cache, &lock->key);
    *ret_lock = lock;
    return 0;
}

void dcache_lock_close(dcache_lock *lock)
{
    if (!lock)
        return;
    dcache_value_clear(&lock->key);
    dcache_value_clear(&lock->tag);
    dcache_value_clear(&lock->holders);
    free(lock);
}

/* ---- who ---- */

/* An object that came into a child by fork is the child's from there on (L3). It is not written to,
 * since threads may be at it. */
static int find_self(const struct dcache_lock *lock, struct owner *ret_self)
{
    int rc = 0;

    *ret_self = lock->self;
    if (getpid() != lock->self.pid)
        rc = owner_self(ret_self);
    ret_self->mark = lock->kind == DCACHE_RLOCK  ? (uint64_t)gettid()
                     : lock->kind == DCACHE_LOCK ? atomic_load(&lock->marks->held)
                                                 : lock->self.mark;
    return rc;
}

/* ---- acquire ---- */

static int take(struct dcache_lock *lock, const struct owner *self, bool waited)
{
    return lock->kind == DCACHE_SEMAPHORE ? permits_take(lock, self)
                                          : hold_take(lock, self, waited);
}

static int look(struct dcache_lock *lock, const struct owner *self,
                struct dcache_lock_state *ret_state)
{
    return lock->kind == DCACHE_SEMAPHORE ? permits_state(lock, self, ret_state)
                                          : hold_state(lock, self, ret_state);
}

/* A look costs no transaction. 0: now take it; CLAIM_HELD: look again after `*ret_patience`. */
static int look_whether_free(struct dcache_lock *lock, const struct owner *self,
                             int64_t *ret_patience)
{
    struct dcache_lock_state state;
    double left;
    int rc = look(lock, self, &state);

    if (rc < 0)
        return rc;
    if (state.holds < (lock->kind == DCACHE_SEMAPHORE ? lock->permits : 1) || state.alive == 0 ||
        (lock->kind != DCACHE_SEMAPHORE && state.mine))
        return 0;
    left = state.expire_time - os_now();
    *ret_patience = state.pid != 0 && bell_is_shared(&lock->bell) ? LOOK : LOOK_FOREIGN;
    if (left < 0.01 && *ret_patience > LOOK_FOREIGN)
        *ret_patience = LOOK_FOREIGN;
    return CLAIM_HELD;
}

/* Wait with a place for a hand-over, or else for the bell. Whether there was a sign to take it. */
static bool sleep_for_sign(struct handover *place, const struct bell *bell, int64_t nanoseconds)
{
    return place->place ? handover_sleep(place, nanoseconds) : bell_sleep(bell, nanoseconds);
}

/* Until it is taken, or handed over (0 in both cases), or time is up. */
static int wait_for(struct dcache_lock *lock, const struct owner *self, struct handover *place,
                    int64_t deadline)
{
    struct bell bell = lock->bell;
    int64_t patience = LOOK_FOREIGN, left;
    bool sign = false;
    int rc;

    for (;;) {
        bell_listen(&bell);
        if (handover_is_granted(place))
            return 0;
        /* Who got a sign finds it free, but for another's bell or another who was quicker. */
        rc = sign ? 0 : look_whether_free(lock, self, &patience);
        if (rc == 0)
            rc = take(lock, self, true);
        if (rc == DCACHE_TIMEOUT && !store_owned_here(lock->cache->store))
            rc = CLAIM_HELD; /* the cache is busy: there may be time left */
        left = deadline - os_monotonic();
        if (rc != CLAIM_HELD)
            return rc;
        if (left <= 0)
            return os_fail(DCACHE_TIMEOUT, "the lock is held by another");
        rc = os_waiting();
        if (rc < 0)
            return rc;
        sign = sleep_for_sign(place, &bell, left < patience ? left : patience);
    }
}

/* Who gives up may just be getting it: H2. */
static int give_up(struct dcache_lock *lock, const struct owner *self, struct handover *place,
                   int rc)
{
    if (!handover_leave(place) && !handover_is_granted(place) &&
        hold_is_mine(lock, self, place) == 0)
        rc = 0;
    return handover_end(place) ? 0 : rc;
}

static int acquire(struct dcache_lock *lock, const struct owner *self, int64_t deadline)
{
    struct handover place = {.place = NULL};
    char line[OWNER_TEXT];
    int rc = take(lock, self, false);

    if (rc == DCACHE_TIMEOUT && !store_owned_here(lock->cache->store))
        rc = CLAIM_HELD; /* the cache is busy: as in wait_for() */
    if (rc != CLAIM_HELD)
        return rc;
    if (lock->scoped) /* its release would have to wait for the end of this transaction */
        return os_fail_deadlock();
    if (lock->kind != DCACHE_SEMAPHORE && deadline > 0) {
        owner_format(self, line);
        place = handover_join(lock->cache, &lock->key, line, lock->expire);
    }
    rc = wait_for(lock, self, &place, deadline);
    if (rc < 0)
        return give_up(lock, self, &place, rc);
    (void)handover_end(&place); /* it is ours, in whichever way */
    return 0;
}

int dcache_lock_acquire(dcache_lock *lock, double timeout)
{
    int64_t deadline = os_deadline(timeout);
    struct owner self;
    int rc = isnan(timeout) ? os_fail(DCACHE_INVALID, "a timeout cannot be NaN")
                            : find_self(lock, &self);

    if (rc < 0)
        return rc;
    if (lock->kind == DCACHE_LOCK) /* else a thread could take another's hold for its own */
        self.mark = atomic_fetch_add(&lock->marks->next, 1);
    rc = acquire(lock, &self, deadline);
    if (rc == 0 && lock->kind == DCACHE_LOCK)
        atomic_store(&lock->marks->held, self.mark);
    return rc;
}

/* ---- and the rest ---- */

int dcache_lock_release(dcache_lock *lock)
{
    struct owner self;
    int rc = find_self(lock, &self);

    if (rc == 0)
        rc = lock->kind == DCACHE_SEMAPHORE ? permits_give(lock, &self) : hold_give(lock, &self);
    if (rc == 0)
        bell_ring(&lock->bell, false);
    return rc;
}

int dcache_lock_renew(dcache_lock *lock, double expire)
{
    struct owner self;
    int rc = expire >= 0 ? find_self(lock, &self)
                         : os_fail(DCACHE_INVALID, "a lease cannot be negative or NaN");

    if (rc < 0)
        return rc;
    return lock->kind == DCACHE_SEMAPHORE ? permits_renew(lock, &self, expire)
                                          : hold_renew(lock, &self, expire);
}

int dcache_lock_break(dcache_lock *lock)
{
    struct owner self;
    int rc = find_self(lock, &self);

    if (rc == 0)
        rc = lock->kind == DCACHE_SEMAPHORE ? permits_break(lock, &self) : hold_break(lock);
    if (rc == 0)
        bell_ring(&lock->bell, false);
    return rc;
}

int dcache_lock_state(dcache_lock *lock, struct dcache_lock_state *ret_state)
{
    struct owner self;
    int rc = find_self(lock, &self);

    return rc < 0 ? rc : look(lock, &self, ret_state);
}

int dcache_barrier(dcache_lock *lock, double timeout, int (*function)(void *arg), void *arg)
{
    int rc = dcache_lock_acquire(lock, timeout), result;

    if (rc < 0)
        return rc;
    result = function(arg);
    rc = dcache_lock_release(lock);
    if (result < 0)
        return os_fail(DCACHE_CALLBACK, "the function reported an error");
    return rc;
}
