/* hold.c - one holder: the records of LOCK and RLOCK.
 *
 * LOCK is there or not; 5.6.3 puts None there and does not look at it, we put the owner's line. RLOCK
 * is the pickle of a pair, the owner and how often he has acquired it; in 5.6.3 the owner is the first
 * word of such a line, which it compares as a whole, so that ours are strangers to it (L1). */
#include "claim.h"
#include "hot.h"
#include "pair.h"

struct hold {
    int64_t count; /* 0: nobody */
    bool known;    /* `owner` is one of ours */
    bool mine;
    struct owner owner;
    double expire_time;
    bool behind;           /* the item names who has granted it to `owner`: H4 */
    struct handover grant; /* in force if `behind`, else left over; of no place: there is none */
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

/* The entry is taken, in any case. */
static int parse_hold(const struct dcache_lock *lock, struct dcache_entry *entry, struct hold *hold)
{
    int rc = 0;

    if (lock->kind == DCACHE_RLOCK) {
        rc = read_pair(&entry->value, hold);
    } else {
        hold->count = 1;
        hold->known = owner_parse(&entry->value, &hold->owner);
    }
    hold->expire_time = entry->expire_time;
    dcache_entry_clear(entry);
    return rc;
}

/* H4. */
static void heed_grant(const struct handover_grant *grant, const struct owner *self,
                       struct hold *hold)
{
    hold->grant = grant->at;
    hold->behind = grant->at.place && hold->known && owner_equals(&hold->owner, &grant->from);
    if (hold->behind) {
        hold->owner = grant->owner;
        hold->count = 1;
        hold->expire_time = grant->expire_time;
    }
    hold->mine = hold->known && owner_equals(&hold->owner, self);
}

static int read_hold(const struct dcache_lock *lock, dcache *cache, const struct owner *self,
                     struct hold *hold)
{
    struct handover_grant grant = handover_find(lock->cache, &lock->key);
    struct dcache_get_options look = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry;
    int rc;

    look.flags = DCACHE_NO_ACCESS; /* a waiter's looks are no hits */
    rc = dcache_get(cache, &lock->key, &look, &entry);
    memset(hold, 0, sizeof *hold);
    if (rc == 0)
        rc = parse_hold(lock, &entry, hold);
    else if (rc == DCACHE_NOT_FOUND)
        rc = 0;
    heed_grant(&grant, self, hold);
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

/* As claim_owner_lives(), but where a grant could not be seen, nobody is known to be gone. */
static int holder_lives(const struct dcache_lock *lock, const struct hold *hold,
                        const struct owner *self)
{
    int lives = claim_owner_lives(lock, &hold->owner, self);

    return lives == 0 && handover_is_blind(lock->cache) ? -1 : lives;
}

static bool is_takeable(const struct dcache_lock *lock, const struct hold *hold,
                        const struct owner *self)
{
    if (hold->count <= 0)
        return true;
    if (hold->mine)
        return lock->kind == DCACHE_RLOCK;
    return hold->known && holder_lives(lock, hold, self) == 0;
}

/* ---- a transaction in which the item says who holds the lock ---- */

/* Bring the item up to date, in a transaction that is over then: H4. */
static int store_granted(const struct dcache_lock *lock, dcache *txn, struct hold *hold)
{
    struct dcache_set_options options = claim_options(lock);
    char line[OWNER_TEXT];
    int rc;

    owner_format(&hold->owner, line);
    options.expire = 0;
    options.expire_at = hold->expire_time;
    rc = write_hold(lock, txn, line, 1, &options);
    if (rc == 0)
        rc = dcache_commit(txn);
    else
        dcache_rollback(txn);
    if (rc == 0 && !lock->scoped) /* else it may yet be undone */
        handover_settle(&hold->grant);
    return rc;
}

/* Of what is left over the one by whom it was granted might come to be named again. */
static void drop_left_over(const struct dcache_lock *lock, struct hold *hold)
{
    if (!lock->scoped)
        handover_settle(&hold->grant);
}

/* H5. To be committed or rolled back in any case. */
static int begin(const struct dcache_lock *lock, const struct owner *self, dcache **ret_txn,
                 struct hold *hold)
{
    int rc;

    for (;;) {
        *ret_txn = NULL;
        rc = dcache_begin(lock->cache, -1, ret_txn);
        if (rc == 0)
            rc = read_hold(lock, *ret_txn, self, hold);
        if (rc < 0)
            return rc;
        if (!hold->behind)
            break;
        rc = store_granted(lock, *ret_txn, hold);
        if (rc < 0) {
            *ret_txn = NULL;
            return rc;
        }
    }
    drop_left_over(lock, hold);
    return 0;
}

/* The same for who has just granted it and wants no more. */
static int settle(const struct dcache_lock *lock, const struct owner *self)
{
    struct hold hold;
    dcache *txn = NULL;
    int rc = dcache_begin(lock->cache, -1, &txn);

    if (rc == 0)
        rc = read_hold(lock, txn, self, &hold);
    if (rc == 0 && hold.behind)
        return store_granted(lock, txn, &hold);
    if (rc == 0)
        drop_left_over(lock, &hold);
    dcache_rollback(txn);
    return rc;
}

/* ---- take ---- */

/* Look and take, in one transaction: L2. */
static int look_and_take(struct dcache_lock *lock, const struct owner *self, bool waited)
{
    struct dcache_set_options options = claim_options(lock);
    char line[OWNER_TEXT];
    struct hold hold;
    dcache *txn;
    int rc = begin(lock, self, &txn, &hold);

    owner_format(self, line);
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

/* ---- give ---- */

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

/* What the key stands for, under the write lock, without a transaction: as the connection finds the
 * directory in order. Fails: NOT_FOUND, and whatever is better found out in the ordinary way. */
static int glance_row(const struct dcache_lock *lock, struct row *ret_row)
{
    struct store *store = lock->cache->store;
    unsigned generation = store->pool.generation;
    struct item item = {0};
    struct hot_look look;
    struct db *db;
    int rc = item_key(&item, store, &lock->key);

    if (rc == 0)
        rc = store_borrow(store, 0, &db);
    if (rc < 0)
        return rc;
    hot_look_init(&look, lock->cache, &item, 0);
    if (store->gone || db->generation != generation || store_is_gone(store, db))
        rc = DCACHE_GONE;
    else
        rc = hot_ask(&look, ret_row);
    if (rc == HOT_PASS)
        rc = look.record.kind == MEMTABLE_UNKNOWN
                 ? row_read(db, &item.row.key, item.row.raw, ret_row)
                 : DCACHE_GONE; /* there are two, of which one is out of date */
    row_clear(&look.record.row);
    store_return(store, db);
    return rc > 0 ? DCACHE_GONE : rc;
}

static int glance(const struct dcache_lock *lock, const struct owner *self, struct hold *hold)
{
    struct handover_grant grant = handover_find(lock->cache, &lock->key);
    struct dcache_entry entry;
    struct row row = {0};
    int rc = glance_row(lock, &row);

    memset(hold, 0, sizeof *hold);
    if (rc == 0 && (row.filename || !row_is_live(&row)))
        rc = DCACHE_NOT_FOUND;
    if (rc < 0) {
        row_clear(&row);
        return rc;
    }
    rc = entry_fill(&row, -1, 0, &entry);
    if (rc == 0)
        rc = parse_hold(lock, &entry, hold);
    heed_grant(&grant, self, hold);
    return rc;
}

/* H5. Under the write lock. */
static bool grant(const struct dcache_lock *lock, const struct owner *self)
{
    char from[OWNER_TEXT], line[OWNER_TEXT];
    struct handover next;
    struct hold hold;
    double expire;

    if (glance(lock, self, &hold) < 0 || !hold.mine || hold.behind || hold.count != 1 ||
        hold.expire_time != DCACHE_NEVER)
        return false;
    handover_settle(&hold.grant);
    owner_format(self, from);
    for (;;) {
        next = handover_choose(lock->cache, &lock->key, line, &expire);
        if (!next.place || handover_grant(&next, from))
            return next.place != NULL;
    }
}

#define LONG_WAY 1

/* If somebody waits, he has it before SQLite knows, which takes longer than to wake him. LONG_WAY: it is to be
 * given in the ordinary way, which also knows what to say if it cannot be. */
static int give_at_once(const struct dcache_lock *lock, const struct owner *self)
{
    struct store *store = lock->cache->store;
    bool granted;
    int rc;

    if (lock->scoped || lock->expire > 0 /* so has the item a lease, most likely */ ||
        !handover_is_awaited(lock->cache, &lock->key) || store_owned_here(store))
        return LONG_WAY;
    rc = shared_lock(&store->shared, os_deadline(lock->cache->timeout));
    if (rc == DCACHE_TIMEOUT)
        atomic_fetch_add(&store->shared.segment->timeouts, 1);
    if (rc < 0)
        return rc;
    granted = grant(lock, self);
    shared_unlock(&store->shared);
    if (granted) {
        os_yield(); /* he may have to run on the processor that we are on */
        /* If it fails, the lock is his all the same, and he brings the item up to date. */
        (void)settle(lock, self);
    }
    return granted ? 0 : LONG_WAY;
}

int hold_give(struct dcache_lock *lock, const struct owner *self)
{
    struct handover next = {.place = NULL};
    struct hold hold;
    dcache *txn;
    int rc = give_at_once(lock, self);

    if (rc != LONG_WAY)
        return rc;
    rc = begin(lock, self, &txn, &hold);
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

/* ---- and the rest ---- */

int hold_is_mine(struct dcache_lock *lock, const struct owner *self, struct handover *place)
{
    struct hold hold;
    dcache *txn;
    int rc = begin(lock, self, &txn, &hold);

    if (rc == 0)
        rc = check_mine(&hold);
    if (rc == DCACHE_NOT_OWNER)
        (void)handover_end(place); /* it cannot be granted now */
    dcache_rollback(txn);
    return rc;
}

int hold_renew(struct dcache_lock *lock, const struct owner *self, double expire)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct hold hold;
    dcache *txn;
    int rc = begin(lock, self, &txn, &hold);

    options.expire = expire;
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
            state.alive = holder_lives(lock, &hold, self);
        }
    }
    *ret_state = state;
    return 0;
}
