/* hold.c - one holder: the records of LOCK and RLOCK.
 *
 * LOCK is there or not; 5.6.3 puts None there and does not look at it, we put the owner's line. RLOCK
 * is the pickle of a pair, the owner and how often he has acquired it; in 5.6.3 the owner is the first
 * word of such a line, which it compares as a whole, so that ours are strangers to it (L1). */
#include "claim.h"
#include "handover.h"
#include "pair.h"

struct hold {
    int64_t count; /* 0: nobody */
    bool known;    /* `owner` is one of ours */
    bool mine;
    struct owner owner;
    double expire_time;
};

static int read_pair(const struct dcache_value *value, struct hold *hold)
{
    struct pickle_tuple pair;
    int rc = pickle_read(value, &pair);

    if (rc == 0 && (pair.count != 2 || pair.items[1].type != DCACHE_INT))
        rc = os_fail(DCACHE_TYPE, "what is stored there is no RLock");
    if (rc == 0) {
        hold->count = pair.items[1].integer;
        hold->known = owner_parse(&pair.items[0], &hold->owner);
    }
    pickle_clear(&pair);
    return rc;
}

static int read_hold(const struct dcache_lock *lock, dcache *cache, const struct owner *self,
                     struct hold *hold)
{
    struct dcache_get_options look = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry;
    int rc;

    look.flags = DCACHE_NO_ACCESS; /* a waiter's looks are no hits */
    rc = dcache_get(cache, &lock->key, &look, &entry);
    memset(hold, 0, sizeof *hold);
    if (rc == DCACHE_NOT_FOUND)
        return 0;
    if (rc == 0 && lock->kind == DCACHE_RLOCK) {
        rc = read_pair(&entry.value, hold);
    } else if (rc == 0) {
        hold->count = 1;
        hold->known = owner_parse(&entry.value, &hold->owner);
    }
    hold->expire_time = entry.expire_time;
    hold->mine = hold->known && owner_equals(&hold->owner, self);
    dcache_entry_clear(&entry);
    return rc;
}

static int write_hold(const struct dcache_lock *lock, dcache *txn, const char *line, int64_t count,
                      const struct dcache_set_options *options)
{
    struct dcache_value value = dcache_text(line);

    if (lock->kind == DCACHE_LOCK)
        return dcache_set(txn, &lock->key, &value, options);
    return pair_set(txn, &lock->key, value, dcache_int(count), options);
}

static bool is_mine(const struct hold *hold)
{
    return hold->mine && hold->count > 0;
}

static bool is_takeable(const struct dcache_lock *lock, const struct hold *hold,
                        const struct owner *self)
{
    if (hold->count <= 0)
        return true;
    if (hold->mine)
        return lock->kind == DCACHE_RLOCK;
    return hold->known && claim_owner_is_gone(lock, &hold->owner, self);
}

/* Look and take, in one transaction: L2. */
static int look_and_take(struct dcache_lock *lock, const struct owner *self, bool waited)
{
    struct dcache_set_options options = claim_options(lock);
    char line[OWNER_TEXT];
    struct hold hold;
    dcache *txn = NULL;
    int rc = dcache_begin(lock->cache, -1, &txn);

    owner_format(self, line);
    if (rc == 0)
        rc = read_hold(lock, txn, self, &hold);
    if (rc == 0 && waited && is_mine(&hold)) {
        dcache_rollback(txn); /* there is nothing to write */
        return 0;
    }
    if (rc == 0 && !is_takeable(lock, &hold, self))
        rc = CLAIM_HELD;
    if (rc == 0)
        rc = write_hold(lock, txn, line, is_mine(&hold) ? hold.count + 1 : 1, &options);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

int hold_take(struct dcache_lock *lock, const struct owner *self, bool waited)
{
    struct dcache_set_options options = claim_options(lock);
    struct dcache_value value;
    char line[OWNER_TEXT];
    struct hold hold;
    int rc;

    if (lock->kind == DCACHE_RLOCK)
        return look_and_take(lock, self, waited);
    /* A LOCK is most often free, and then one operation takes it. */
    owner_format(self, line);
    value = dcache_text(line);
    rc = dcache_add(lock->cache, &lock->key, &value, &options);
    if (rc != DCACHE_EXISTS)
        return rc;
    rc = read_hold(lock, lock->cache, self, &hold);
    if (rc == 0 && !(waited && is_mine(&hold)))
        rc = is_takeable(lock, &hold, self) ? look_and_take(lock, self, waited) : CLAIM_HELD;
    return rc;
}

static int check_mine(const struct hold *hold)
{
    return is_mine(hold) ? 0 : os_fail(DCACHE_NOT_OWNER, "the lock is not ours");
}

/* The last hold goes to who has waited longest for it, else the item goes: L4. What may be undone is not
 * passed on. */
static int pass_on(struct dcache_lock *lock, dcache *txn, struct handover *next)
{
    struct dcache_set_options options = claim_options(lock);
    char line[OWNER_TEXT];

    if (lock->scoped)
        return dcache_delete(txn, &lock->key);
    *next = handover_choose(lock->cache, &lock->key, line, &options.expire);
    return next->place ? write_hold(lock, txn, line, 1, &options) : dcache_delete(txn, &lock->key);
}

static int give_one(struct dcache_lock *lock, dcache *txn, const struct owner *self, int64_t count)
{
    struct dcache_set_options options = claim_options(lock);
    char line[OWNER_TEXT];

    owner_format(self, line);
    options.flags |= DCACHE_KEEP_EXPIRE;
    return write_hold(lock, txn, line, count, &options);
}

int hold_give(struct dcache_lock *lock, const struct owner *self)
{
    struct handover next = {.place = NULL};
    struct hold hold;
    dcache *txn = NULL;
    int rc = dcache_begin(lock->cache, -1, &txn);

    if (rc == 0)
        rc = read_hold(lock, txn, self, &hold);
    if (rc == 0)
        rc = check_mine(&hold);
    if (rc == 0 && hold.count > 1)
        rc = give_one(lock, txn, self, hold.count - 1);
    else if (rc == 0)
        rc = pass_on(lock, txn, &next);
    if (rc == 0)
        rc = dcache_commit(txn);
    else
        dcache_rollback(txn);
    if (next.place)
        handover_done(&next, rc == 0);
    else if (rc == 0)
        handover_poke(lock->cache, &lock->key);
    return rc;
}

int hold_is_mine(struct dcache_lock *lock, const struct owner *self)
{
    struct hold hold;
    dcache *txn = NULL;
    int rc = dcache_begin(lock->cache, -1, &txn);

    if (rc == 0)
        rc = read_hold(lock, txn, self, &hold);
    if (rc == 0)
        rc = check_mine(&hold);
    dcache_rollback(txn);
    return rc;
}

int hold_renew(struct dcache_lock *lock, const struct owner *self, double expire)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct hold hold;
    dcache *txn = NULL;
    int rc = dcache_begin(lock->cache, -1, &txn);

    options.expire = expire;
    if (rc == 0)
        rc = read_hold(lock, txn, self, &hold);
    if (rc == 0)
        rc = check_mine(&hold);
    if (rc == 0)
        rc = dcache_touch(txn, &lock->key, &options);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

int hold_break(struct dcache_lock *lock)
{
    int rc = dcache_delete(lock->cache, &lock->key);

    if (rc == 0)
        handover_poke(lock->cache, &lock->key);
    return rc;
}

int hold_state(struct dcache_lock *lock, const struct owner *self,
               struct dcache_lock_state *ret_state)
{
    struct dcache_lock_state state = {.alive = -1, .expire_time = DCACHE_NEVER};
    struct hold hold;
    int rc = read_hold(lock, lock->cache, self, &hold);

    if (rc < 0)
        return rc;
    if (hold.count > 0) {
        state.holds = hold.count;
        state.mine = hold.mine;
        state.expire_time = hold.expire_time;
        if (hold.known) {
            state.pid = hold.owner.pid;
            state.alive = claim_owner_lives(lock, &hold.owner, self);
        }
    }
    *ret_state = state;
    return 0;
}
