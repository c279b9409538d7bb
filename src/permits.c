/* permits.c - several holders: the records of SEMAPHORE.
 *
 * Under the key is an integer, how many permits are left, as 5.6.3 has it; nothing there means all of
 * them (L1). Who has the others says a second item, a flat tuple of (owner, permits, end of the lease)
 * after one another. It knows only ours: the difference between what is taken and what they have is
 * held by 5.6.3, and comes back only from there. */
#include "claim.h"
#include "pickle.h"

#include <stdlib.h>

struct holder {
    struct owner owner;
    int64_t permits;
    double expire_time; /* DCACHE_NEVER: no lease */
};

struct permits {
    int64_t left;
    size_t count;
    struct holder *list; /* with room for one more */
};

int permits_holders_key(const struct dcache_value *key, struct dcache_value *ret_key)
{
    struct dcache_value items[2] = {dcache_text("diskcache.holders"), *key};

    if (key->type == DCACHE_PICKLE)
        items[1].type = DCACHE_BYTES;
    return pickle_write(items, 2, ret_key);
}

/* ---- read ---- */

/* Without those whose lease has ended. */
static int parse_list(const struct pickle_tuple *tuple, struct permits *permits, int64_t *ret_held)
{
    double now = os_now();

    *ret_held = 0;
    permits->list = os_malloc((tuple->count / 3 + 1) * sizeof *permits->list);
    if (!permits->list)
        return DCACHE_NOMEM;
    for (size_t i = 0; i + 2 < tuple->count; i += 3) {
        const struct dcache_value *item = &tuple->items[i];
        struct holder *holder = &permits->list[permits->count];

        if (item[1].type != DCACHE_INT || item[1].integer <= 0 || item[2].type != DCACHE_DOUBLE ||
            !owner_parse(&item[0], &holder->owner))
            continue;
        holder->permits = item[1].integer;
        holder->expire_time = item[2].real;
        if (holder->expire_time > now) {
            *ret_held += holder->permits;
            permits->count++;
        } else {
            permits->left += holder->permits;
        }
    }
    return 0;
}

static int read_permits(const struct dcache_lock *lock, dcache *cache, struct permits *permits)
{
    struct dcache_value keys[2] = {lock->key, lock->holders};
    struct pickle_tuple tuple = {0};
    struct dcache_entry entries[2];
    int64_t held = 0;
    int rc = dcache_get_many(cache, keys, 2, NULL, entries);

    memset(permits, 0, sizeof *permits);
    if (rc == 0 && entries[0].status == 0) {
        if (entries[0].value.type == DCACHE_INT)
            permits->left = entries[0].value.integer;
        else
            rc = os_fail(DCACHE_TYPE, "what is stored there is no semaphore");
    }
    if (rc == 0 && entries[1].status == 0)
        rc = pickle_read(&entries[1].value, &tuple);
    if (rc == 0)
        rc = parse_list(&tuple, permits, &held);
    if (rc == 0 && entries[0].status < 0) /* 5.6.3 would give all; we know who has some */
        permits->left = lock->permits - held;
    if (permits->left > lock->permits - held)
        permits->left = lock->permits - held;
    pickle_clear(&tuple);
    dcache_entry_clear(&entries[0]);
    dcache_entry_clear(&entries[1]);
    return rc;
}

/* ---- write ---- */

/* The items last as long as the last lease, if all that is taken is on lease. */
static double end_of_all(const struct dcache_lock *lock, const struct permits *permits)
{
    int64_t held = 0;
    double end = 0;

    for (size_t i = 0; i < permits->count; i++) {
        held += permits->list[i].permits;
        if (permits->list[i].expire_time > end)
            end = permits->list[i].expire_time;
    }
    return permits->left + held == lock->permits ? end : DCACHE_NEVER;
}

static int write_list(const struct permits *permits, struct dcache_value *ret_pickle)
{
    size_t count = permits->count;
    struct dcache_value *items = os_malloc(count * 3 * sizeof *items);
    char(*lines)[OWNER_TEXT] = items ? os_malloc(count * sizeof *lines) : NULL;
    int rc = lines ? 0 : DCACHE_NOMEM;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        owner_format(&permits->list[i].owner, lines[i]);
        items[3 * i] = dcache_text(lines[i]);
        items[3 * i + 1] = dcache_int(permits->list[i].permits);
        items[3 * i + 2] = dcache_double(permits->list[i].expire_time);
    }
    if (rc == 0)
        rc = pickle_write(items, 3 * count, ret_pickle);
    free(lines);
    free(items);
    return rc;
}

static int write_permits(const struct dcache_lock *lock, dcache *txn, const struct permits *permits)
{
    struct dcache_value keys[2] = {lock->key, lock->holders}, values[2];
    struct dcache_set_options options = claim_options(lock);
    int rc;

    if (permits->count == 0 && permits->left >= lock->permits) /* L4 */
        return dcache_delete_many(txn, keys, 2, NULL);
    options.expire_at = end_of_all(lock, permits);
    options.expire = 0;
    values[0] = dcache_int(permits->left);
    rc = write_list(permits, &values[1]);
    if (rc == 0) {
        rc = dcache_set_many(txn, keys, values, 2, &options);
        dcache_value_clear(&values[1]);
    }
    return rc;
}

/* ---- change: begin, look, then commit or undo ---- */

static int begin(struct dcache_lock *lock, dcache **ret_txn, struct permits *permits)
{
    int rc;

    memset(permits, 0, sizeof *permits);
    *ret_txn = NULL;
    rc = dcache_begin(lock->cache, -1, ret_txn);
    return rc < 0 ? rc : read_permits(lock, *ret_txn, permits);
}

static int end(struct dcache_lock *lock, dcache *txn, struct permits *permits, int rc)
{
    if (rc == 0)
        rc = write_permits(lock, txn, permits);
    free(permits->list);
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

static struct holder *find(const struct permits *permits, const struct owner *self)
{
    for (size_t i = 0; i < permits->count; i++)
        if (owner_equals(&permits->list[i].owner, self))
            return &permits->list[i];
    return NULL;
}

static void drop(struct permits *permits, struct holder *holder)
{
    permits->left += holder->permits;
    *holder = permits->list[--permits->count];
}

static struct holder *find_gone(const struct dcache_lock *lock, const struct permits *permits,
                                const struct owner *self)
{
    for (size_t i = 0; i < permits->count; i++)
        if (claim_owner_is_gone(lock, &permits->list[i].owner, self))
            return &permits->list[i];
    return NULL;
}

static double lease(double expire)
{
    return expire > 0 ? os_now() + expire : DCACHE_NEVER;
}

int permits_take(struct dcache_lock *lock, const struct owner *self)
{
    struct holder *mine, *gone;
    struct permits permits;
    dcache *txn;
    int rc = begin(lock, &txn, &permits);

    while (rc == 0 && permits.left <= 0 && (gone = find_gone(lock, &permits, self)) != NULL)
        drop(&permits, gone);
    if (rc == 0 && permits.left <= 0)
        rc = CLAIM_HELD;
    if (rc == 0) {
        mine = find(&permits, self);
        if (!mine) {
            mine = &permits.list[permits.count++];
            *mine = (struct holder){.owner = *self};
        }
        mine->permits++;
        mine->expire_time = lease(lock->expire);
        permits.left--;
    }
    return end(lock, txn, &permits, rc);
}

int permits_give(struct dcache_lock *lock, const struct owner *self)
{
    struct permits permits;
    dcache *txn;
    int rc = begin(lock, &txn, &permits);
    struct holder *mine = rc == 0 ? find(&permits, self) : NULL;

    if (mine && mine->permits > 1) {
        mine->permits--;
        permits.left++;
    } else if (mine) {
        drop(&permits, mine);
    } else if (rc == 0) {
        rc = os_fail(DCACHE_NOT_OWNER, "no permit is ours");
    }
    return end(lock, txn, &permits, rc);
}

int permits_renew(struct dcache_lock *lock, const struct owner *self, double expire)
{
    struct permits permits;
    dcache *txn;
    int rc = begin(lock, &txn, &permits);
    struct holder *mine = rc == 0 ? find(&permits, self) : NULL;

    if (mine)
        mine->expire_time = lease(expire);
    else if (rc == 0)
        rc = os_fail(DCACHE_NOT_OWNER, "no permit is ours");
    return end(lock, txn, &permits, rc);
}

/* Of one that is gone, else of 5.6.3's, else of ours. */
int permits_break(struct dcache_lock *lock, const struct owner *self)
{
    struct permits permits;
    dcache *txn;
    int rc = begin(lock, &txn, &permits);
    struct holder *holder = rc == 0 ? find_gone(lock, &permits, self) : NULL;
    int64_t held = 0;

    for (size_t i = 0; i < permits.count; i++)
        held += permits.list[i].permits;
    if (rc == 0 && !holder && permits.left + held == lock->permits && permits.count > 0)
        holder = &permits.list[permits.count - 1];
    if (holder && holder->permits == 1)
        drop(&permits, holder);
    else if (rc == 0 && permits.left < lock->permits) {
        permits.left++;
        if (holder)
            holder->permits--;
    } else if (rc == 0)
        rc = os_fail(DCACHE_NOT_FOUND, "nobody holds a permit");
    return end(lock, txn, &permits, rc);
}

int permits_state(struct dcache_lock *lock, const struct owner *self,
                  struct dcache_lock_state *ret_state)
{
    struct dcache_lock_state state = {.alive = -1, .expire_time = DCACHE_NEVER};
    struct permits permits;
    const struct holder *one;
    int rc = read_permits(lock, lock->cache, &permits);

    if (rc == 0) {
        state.holds = lock->permits - permits.left;
        state.mine = find(&permits, self) != NULL;
        one = find_gone(lock, &permits, self);
        if (!one && permits.count > 0)
            one = &permits.list[0];
        if (one) {
            state.pid = one->owner.pid;
            state.alive = claim_owner_lives(lock, &one->owner, self);
            state.expire_time = one->expire_time;
        }
        *ret_state = state;
    }
    free(permits.list);
    return rc;
}
