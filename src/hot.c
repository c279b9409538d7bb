/* hot.c - single keys in the memtable. See hot.h. */
#include "hot.h"

#include "evict.h"
#include "helper.h"
#include "route.h"

#include <stdlib.h>

#define FIRST_RING (UINT64_C(1) << 20) /* bytes; a cache that is hardly used is to cost no more */
#define DIRTY_MOST (UINT64_C(2) << 20) /* bytes: what a transaction may have to wait for */
#define STEP (2 * OS_MS)   /* of waiting for the lock, before looking whether it is still needed */
#define ENOUGH (5 * OS_MS) /* of waiting because of a crowd */
#define LOOKUPS 32         /* in SQLite, before it is worth a ring */

/* ---- the ring ---- */

static uint64_t first_capacity(const struct store *store)
{
    uint64_t most = (uint64_t)store->settings.memtable_size / store->shards;
    uint64_t capacity = RING_SMALLEST;

    while (2 * capacity <= most && 2 * capacity <= FIRST_RING)
        capacity *= 2;
    return capacity;
}

/* If it can be written to at all; and how much. */
static bool can_be_written(struct store *store)
{
    int64_t room;
    struct db *db;
    int rc = store_borrow(store, 0, &db);

    if (rc < 0)
        return false;
    rc = drain_try(db);
    if (rc == 0 && evict_room_left(store, db, &room) == 0) /* else the first write does it */
        atomic_store(&store->shared.segment->headroom, room);
    store_return(store, db);
    return rc == 0;
}

/* Without one, everything is done in SQLite; so a failure is none, nor is that others are busy. */
static void make_ring(struct store *store)
{
    struct shared *shared = &store->shared;

    /* Where no commit is seen yet, the next would seem foreign. */
    if (watch_commits(&store->watch) == DB_NO_COMMITS ||
        !shared_mutex_try(shared, &shared->segment->lock))
        return;
    if (can_be_written(store) && memtable_try(shared)) {
        if (!memtable_exists(shared) && memtable_resize(shared, first_capacity(store)) == 0)
            memtable_settle(shared, watch_commits(&store->watch));
        memtable_unlock(shared);
    }
    shared_unlock(shared);
}

/* From how many dirty bytes on writers see to it that there are fewer. */
static uint64_t crowd(const struct shared *shared)
{
    uint64_t half = ring_capacity(shared) / 2;

    return half < DIRTY_MOST ? half : DIRTY_MOST;
}

static bool is_crowded(const struct shared *shared)
{
    uint64_t dirty = memtable_dirty(shared);

    return dirty > crowd(shared) || (dirty > DRAIN_FEW && drain_is_urgent(shared));
}

/* Under the write lock. The log is left to the helpers: its checkpoint takes ten times as long. */
static int drain_here(struct store *store, int64_t deadline)
{
    struct db *db;
    int rc = store_borrow(store, deadline, &db);

    if (rc < 0)
        return rc;
    if (store_is_gone(store, db))
        rc = DCACHE_GONE;
    vfs_leave_out(db->file, true);
    if (rc == 0 && memtable_dirty(&store->shared) > 0)
        rc = drain_slice(store, db, memtable_published(&store->shared, deadline), false);
    vfs_leave_out(db->file, false);
    store_return(store, db);
    return rc;
}

/* Let what is in the way go to SQLite, a slice of it: whoever has the write lock does it, for all who wait for it.
 * If nothing is in the way but a `crowded` ring, one record more does no harm: so nobody waits for
 * a slow slice, a checkpoint or a foreign process until there is twice the crowd. */
static int relieve(struct store *store, bool crowded, int64_t deadline)
{
    struct shared *shared = &store->shared;
    _Atomic uint64_t *drained = &shared->segment->memtable.drained;
    uint64_t before = atomic_load(drained);
    int64_t now = os_monotonic(), enough = now + ENOUGH < deadline ? now + ENOUGH : deadline;
    int rc;

    do {
        bool must = !crowded || memtable_dirty(shared) > 2 * crowd(shared);

        rc = shared_lock(shared, now + STEP < deadline ? now + STEP : deadline);
        if (rc == 0) {
            rc = drain_here(store, must ? deadline : enough);
            shared_unlock(shared);
        }
        now = os_monotonic();
        if (rc == DCACHE_TIMEOUT && (atomic_load(drained) != before || (!must && now >= enough)))
            rc = 0;
    } while (rc == DCACHE_TIMEOUT && now < deadline);
    return rc;
}

/* The append lock; the thread that has it for a transaction of its own would wait for ever. */
static int lock(struct store *store, struct os_patience *patience)
{
    int rc;

    if (memtable_try(&store->shared))
        return 0;
    rc = store_owned_here(store) ? os_fail_deadlock()
                                 : memtable_lock(&store->shared, os_until(patience));
    if (rc == DCACHE_TIMEOUT)
        atomic_fetch_add(&store->shared.segment->timeouts, 1);
    return rc;
}

bool hot_is_foreign_at_work(struct store *store)
{
    const struct shared_segment *segment = store->shared.segment;
    uint64_t commits = watch_commits(&store->watch);

    return commits != DB_NO_COMMITS && commits != atomic_load(&segment->memtable.known) &&
           atomic_load(&segment->lock.word) == 0;
}

int hot_enter(struct dcache *cache, struct os_patience *patience)
{
    struct store *store = cache->store;
    int rc = store_enter(store);

    if (rc < 0)
        return rc;
    /* A handle that is told what its writes leave (left.h) is told by their commits. */
    if (cache->leave || !store_uses_memtable(store) || store->gone || store_seems_removed(store) ||
        !store_settings_current(store) || memtable_is_shunned(&store->shared) ||
        !helper_start(store))
        return HOT_PASS;
    store_watch(store);
    if (!memtable_exists(&store->shared))
        make_ring(store);
    if (!memtable_exists(&store->shared) || store->shared.segment->memtable.trouble != 0)
        return HOT_PASS;
    if (is_crowded(&store->shared)) {
        rc = relieve(store, true, os_until(patience));
        if (rc < 0)
            return rc == DCACHE_GONE ? HOT_PASS : rc;
    }
    rc = lock(store, patience);
    if (rc < 0)
        return rc;
    /* Who changes a setting holds the lock; so does, for a moment, who makes a directory anew. */
    if (!store_settings_current(store) || !memtable_exists(&store->shared) || store->gone ||
        hot_is_foreign_at_work(store)) {
        memtable_unlock(&store->shared);
        return HOT_PASS;
    }
    return 0;
}

/* The mutex of a transaction that is in the memtable, and for certain has the append lock; else HOT_PASS. */
static int enter_scope(struct dcache *cache)
{
    int rc = store_enter(cache->store);

    if (rc < 0)
        return rc;
    if (cache->fork_generation != atomic_load(&cache->store->fork_generation))
        return HOT_PASS; /* and there it is told what is wrong */
    pthread_mutex_lock(&cache->root->mutex);
    if (!cache->child && txn_group(cache->scope))
        return 0;
    pthread_mutex_unlock(&cache->root->mutex);
    return HOT_PASS;
}

static int begin(struct hot_look *look, struct os_patience *patience)
{
    return look->cache->scope ? enter_scope(look->cache) : hot_enter(look->cache, patience);
}

int hot_let_go(struct hot_look *look, int rc)
{
    if (look->cache->scope)
        pthread_mutex_unlock(&look->cache->root->mutex);
    else
        memtable_unlock(&look->cache->store->shared);
    return rc;
}

static int publish_in_scope(struct hot_look *look, enum memtable_kind kind, unsigned flags,
                            const struct row *row)
{
    struct dcache *cache = look->cache;
    int rc = group_add(txn_group(cache->scope), &cache->store->shared, &look->key, kind, flags,
                       row);

    return hot_let_go(look, rc == GROUP_FULL ? HOT_PASS : rc);
}

/* Q1: what is known is true before and after. */
static bool append(struct hot_look *look, enum memtable_kind kind, unsigned flags,
                   const struct row *row)
{
    struct shared *shared = &look->cache->store->shared;
    bool pushes = kind == MEMTABLE_PRESENT, done;

    if (!look->moved)
        return memtable_append(shared, &look->key, kind, flags, row);
    if (pushes)
        ends_set(shared, look->moved);
    done = memtable_append(shared, &look->key, kind, flags | MEMTABLE_QUEUE, row);
    if (done != pushes)
        ends_set(shared, done ? look->moved : look->ends);
    return done;
}

int hot_publish(struct hot_look *look, enum memtable_kind kind, unsigned flags,
                const struct row *row, struct os_patience *patience)
{
    struct store *store = look->cache->store;
    bool done;
    int rc;

    /* What has expired when it comes would be culled in the place of the key's record before (take_along). */
    if (kind == MEMTABLE_PRESENT && memtable_is_past(&store->shared, row->expire_time))
        return hot_let_go(look, HOT_PASS);
    /* Near the limit of size somebody may have to go, and that is seen at once: the long way. */
    if ((flags & MEMTABLE_CULLS) &&
        !evict_takes_room(store, (int64_t)memtable_bytes(row) + ROW_OVERHEAD))
        return hot_let_go(look, HOT_PASS);
    if (look->cache->scope)
        return publish_in_scope(look, kind, flags, row);
    done = append(look, kind, flags, row);
    memtable_unlock(&store->shared);
    if (done) {
        helper_stir(store);
        return 0;
    }
    rc = relieve(store, false, os_until(patience));
    if (rc < 0 && rc != DCACHE_GONE)
        return rc;
    return rc == 0 && look->refused++ < HOT_REFUSALS ? HOT_AGAIN : HOT_PASS;
}

/* ---- looking ---- */

void hot_look_for(struct hot_look *look, struct dcache *cache, const struct dcache_value *key,
                  int raw, unsigned flags)
{
    /* The record is written before it is read: see memtable_find(). */
    look->cache = cache;
    look->flags = flags;
    look->key = memtable_key(key, raw);
    look->commits = DB_NO_COMMITS;
    look->counted = 0;
    look->refused = 0;
    look->ends = look->moved = NULL;
    look->record.kind = MEMTABLE_UNKNOWN;
    look->record.row.memory = NULL;
}

void hot_look_init(struct hot_look *look, struct dcache *cache, const struct item *item,
                   unsigned flags)
{
    hot_look_for(look, cache, &item->row.key, item->row.raw, flags);
}

bool hot_may_ask(struct dcache *cache)
{
    return !cache->scope && store_may_ask(cache->store);
}

/* A key as stored, where that takes no scratch and no choice of a place (route.h). Whether text is UTF-8
 * need not be asked: else nothing is stored under it. */
static bool plain_key(const struct dcache *cache, const struct dcache_value *key,
                      struct memtable_key *ret)
{
    ret->key = ret->given = *key;
    ret->raw = 1;
    switch (key->type) {
    case DCACHE_INT:
        return cache->shard_count == 0;
    case DCACHE_PICKLE:
        ret->key.type = ret->given.type = DCACHE_BYTES;
        ret->raw = 0;
        return key->data != NULL;
    case DCACHE_TEXT:
    case DCACHE_BYTES:
        return key->data != NULL;
    case DCACHE_NONE:
    case DCACHE_DOUBLE:
    case DCACHE_FD:
    case DCACHE_READER:
    case DCACHE_STORED:
    default:
        return false;
    }
}

int hot_get(struct dcache **cache, const struct dcache_value *key, unsigned flags,
            struct memtable_record *ret_record)
{
    struct memtable_record *record = ret_record;
    struct memtable_key plain;
    struct dcache *home;
    int rc;

    if (!key || !plain_key(*cache, key, &plain))
        return HOT_PASS;
    home = (*cache)->shard_count == 0 ? *cache : route_home(*cache, key);
    if (!hot_may_ask(home) || home->store->read_only)
        return HOT_PASS;
    plain.hash = value_hash_key(&plain.key, plain.raw);
    rc = memtable_find(&home->store->shared, &plain,
                       flags & DCACHE_NO_VALUE ? MEMTABLE_NO_VALUE : 0,
                       watch_commits(&home->store->watch), record);
    if (rc < 0 || record->kind == MEMTABLE_UNKNOWN)
        return rc < 0 ? rc : HOT_PASS;
    *cache = home;
    if (record->kind == MEMTABLE_PRESENT && row_is_live(&record->row) &&
        !(record->flags & MEMTABLE_OVERTAKEN))
        return 0;
    row_clear(&record->row);
    return record->flags & MEMTABLE_OVERTAKEN ? HOT_PASS : DCACHE_NOT_FOUND;
}

static int answer(struct hot_look *look, struct row *ret_row)
{
    struct memtable_record *record = &look->record;

    look->counted = record->flags & MEMTABLE_COUNTED;
    if (record->kind == MEMTABLE_PRESENT)
        *ret_row = record->row;
    else
        row_clear(&record->row);
    memset(&record->row, 0, sizeof record->row);
    return record->kind == MEMTABLE_PRESENT ? 0 : DCACHE_NOT_FOUND;
}

int hot_ask(struct hot_look *look, struct row *ret_row)
{
    struct store *store = look->cache->store;
    unsigned flags = look->flags & DCACHE_NO_VALUE ? MEMTABLE_NO_VALUE : 0, views;
    struct shared *table = look->cache->scope && !txn_group(look->cache->scope)
                               ? NULL
                               : store_table(store, &views);
    int rc;

    if (!table || !store_uses_memtable(store))
        return HOT_PASS;
    look->commits = watch_commits(&store->watch);
    rc = memtable_find(table, &look->key, flags, look->commits, &look->record);
    if (views != atomic_load(&store->watch.views)) { /* of which it is, nobody knows */
        row_clear(&look->record.row);
        return rc < 0 ? rc : hot_ask(look, ret_row);
    }
    if (rc < 0)
        return rc;
    if (look->record.kind == MEMTABLE_UNKNOWN || (look->record.flags & MEMTABLE_OVERTAKEN))
        return HOT_PASS;
    return answer(look, ret_row);
}

/* Only a drain makes room in the ring, also for what readers keep, and it is the helper who lets it grow. Where
 * nobody writes, nobody else would call him. */
static void call_helper(struct store *store)
{
    if (is_crowded(&store->shared) && helper_start(store))
        helper_stir(store);
}

/* M9: a clean record, if the key has none and SQLite is as it was. Never waits. */
static void keep(struct hot_look *look, int rc, const struct row *row)
{
    struct store *store = look->cache->store;
    struct shared *shared = &store->shared;
    struct row nothing = {.store_time = 0};
    enum memtable_kind kind = rc == 0 ? MEMTABLE_PRESENT : MEMTABLE_ABSENT;

    store_watch(store);
    if (store->read_only)
        return;
    if (!memtable_exists(shared)) {
        if (atomic_fetch_add(&store->lookups, 1) == LOOKUPS)
            make_ring(store);
        return;
    }
    if (rc == 0 && (row->filename || row->damaged || !memtable_fits(shared, row)))
        return;
    if (look->commits == DB_NO_COMMITS || !memtable_try(shared))
        return;
    if (memtable_exists(shared) && memtable_may_keep(shared, &look->key) &&
        watch_commits(&store->watch) == look->commits)
        (void)memtable_append(shared, &look->key, kind, MEMTABLE_CLEAN | MEMTABLE_COUNTED,
                              rc == 0 ? row : &nothing);
    memtable_unlock(shared);
    call_helper(store);
}

int hot_tell(struct hot_look *look, int rc, struct row *row)
{
    struct memtable_record *record = &look->record;

    if (look->cache->scope || !store_uses_memtable(look->cache->store) ||
        (rc < 0 && rc != DCACHE_NOT_FOUND)) {
        row_clear(&record->row);
        return rc;
    }
    look->counted = MEMTABLE_COUNTED;
    if (record->kind == MEMTABLE_UNKNOWN) {
        keep(look, rc, row);
        return rc;
    }
    if (rc == 0 && row_time(row) > row_time(&record->row)) {
        row_clear(&record->row);
        return 0;
    }
    row_clear(row);
    return answer(look, row);
}

static int ask_group(struct hot_look *look, struct row *ret_row)
{
    unsigned flags = look->flags & DCACHE_NO_VALUE ? MEMTABLE_NO_VALUE : 0;
    int rc;

    if (!look->cache->scope)
        return HOT_PASS;
    rc = group_find(txn_group(look->cache->scope), &look->key, flags, &look->record);
    if (rc < 0 || look->record.kind == MEMTABLE_UNKNOWN)
        return rc < 0 ? rc : HOT_PASS;
    return answer(look, ret_row);
}

int hot_current(struct hot_look *look, struct os_patience *patience, struct row *ret_row)
{
    struct store *store = look->cache->store;
    struct memtable_record *record = &look->record;
    int rc = ask_group(look, ret_row);
    struct db *db;

    if (rc == HOT_PASS)
        rc = hot_ask(look, ret_row);
    if (rc != HOT_PASS)
        return rc;
    rc = store_borrow(store, os_until(patience), &db);
    if (rc == 0) {
        rc = row_get(db, &look->key.key, look->key.raw, ret_row);
        store_return(store, db);
    }
    look->counted = MEMTABLE_COUNTED;
    if (record->kind == MEMTABLE_UNKNOWN || (rc < 0 && rc != DCACHE_NOT_FOUND) ||
        (rc == 0 && row_time(ret_row) > row_time(&record->row))) {
        row_clear(&record->row);
        return rc;
    }
    row_clear(ret_row);
    return answer(look, ret_row);
}

/* ---- operations ---- */

/* A live item that is there keeps its expiry, or its place. */
static int heed(struct hot_look *look, unsigned flags, bool only_if_absent,
                struct os_patience *patience, struct row *row)
{
    struct row old = {0};
    int rc = hot_current(look, patience, &old);

    if (rc == 0 && (old.filename || old.damaged))
        rc = HOT_PASS; /* it may be missing: then the key is absent */
    else if (rc == 0 && row_is_live(&old)) {
        row->expire_time = flags & DCACHE_KEEP_EXPIRE ? old.expire_time : row->expire_time;
        rc = only_if_absent ? DCACHE_EXISTS : 0;
    }
    row_clear(&old);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int put(struct hot_look *look, struct row *row, unsigned flags, bool only_if_absent,
               struct os_patience *patience)
{
    double expire_time = row->expire_time;
    int rc = begin(look, patience);

    if (rc != 0)
        return rc;
    row->store_time = memtable_time(&look->cache->store->shared, row->store_time);
    if (!memtable_fits(&look->cache->store->shared, row))
        rc = HOT_PASS;
    else if (only_if_absent || (flags & DCACHE_KEEP_EXPIRE))
        rc = heed(look, flags, only_if_absent, patience, row);
    rc = rc == 0 ? hot_publish(look, MEMTABLE_PRESENT, MEMTABLE_CULLS, row, patience)
                 : hot_let_go(look, rc);
    row->expire_time = expire_time; /* what is there may be another, if this is done again */
    return rc;
}

int hot_put(struct dcache *cache, struct item *item, unsigned flags, bool only_if_absent,
            struct os_patience *patience)
{
    struct hot_look look;
    int rc;

    hot_look_init(&look, cache, item, DCACHE_NO_VALUE);
    do
        rc = put(&look, &item->row, flags, only_if_absent, patience);
    while (rc == HOT_AGAIN);
    return rc;
}

int hot_look_in_scope(struct hot_look *look, struct row *ret_row)
{
    struct os_patience patience = os_patience(look->cache->timeout);
    int rc = enter_scope(look->cache);

    if (rc != 0)
        return rc;
    return hot_let_go(look, hot_current(look, &patience, ret_row));
}

/* A live row without a file, and the append lock. */
static int begin_live(struct hot_look *look, struct os_patience *patience, struct row *row)
{
    struct row key_only = {.key = look->key.key};
    int rc = begin(look, patience);

    if (rc != 0)
        return rc;
    rc = memtable_fits(&look->cache->store->shared, &key_only) ? hot_current(look, patience, row)
                                                               : HOT_PASS;
    if (rc == 0 && (row->filename || row->damaged || row_is_pinned(row)))
        rc = HOT_PASS;
    else if (rc == 0 && !row_is_live(row))
        rc = DCACHE_NOT_FOUND;
    if (rc == 0)
        return 0;
    row_clear(row);
    return hot_let_go(look, rc);
}

/* The counts of a row are exact in SQLite only: a record of the ring has those since it was stored. */
static bool counts_matter(const struct dcache *cache)
{
    return cache->store->settings.policy >= POLICY_USED;
}

int hot_touch(struct dcache *cache, const struct item *item, double expire_time, bool keep_expiry,
              struct os_patience *patience)
{
    struct hot_look look;
    struct row row = {0};
    int rc;

    if (counts_matter(cache))
        return HOT_PASS;
    hot_look_init(&look, cache, item, 0);
    do {
        rc = begin_live(&look, patience, &row);
        if (rc != 0)
            return rc;
        row.expire_time = keep_expiry ? row.expire_time : expire_time;
        rc = memtable_fits(&cache->store->shared, &row)
                 ? hot_publish(&look, MEMTABLE_PRESENT, look.counted, &row, patience)
                 : hot_let_go(&look, HOT_PASS);
        row_clear(&row);
    } while (rc == HOT_AGAIN);
    return rc;
}

int hot_remove(struct dcache *cache, const struct item *item, struct row *ret_row,
               struct os_patience *patience)
{
    struct hot_look look;
    struct row row = {0};
    int rc;

    hot_look_init(&look, cache, item, ret_row ? 0 : DCACHE_NO_VALUE);
    do {
        struct row nothing = {.store_time = os_now()};

        rc = begin_live(&look, patience, &row);
        if (rc != 0)
            return rc;
        nothing.store_time = memtable_time(&cache->store->shared, nothing.store_time);
        rc = hot_publish(&look, MEMTABLE_ABSENT, 0, &nothing, patience);
        if (rc == 0 && ret_row)
            *ret_row = row;
        else
            row_clear(&row);
    } while (rc == HOT_AGAIN);
    return rc;
}

int hot_incr_begin(struct dcache *cache, struct hot_look *look, struct os_patience *patience,
                   struct row *ret_row)
{
    int rc;

    if (counts_matter(cache))
        return HOT_PASS;
    rc = begin(look, patience);
    if (rc != 0)
        return rc;
    rc = hot_current(look, patience, ret_row);
    if (rc == 0 && (ret_row->filename || ret_row->damaged || row_is_pinned(ret_row)))
        rc = HOT_PASS;
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        return 0;
    row_clear(ret_row);
    return hot_let_go(look, rc);
}

int hot_incr_end(struct hot_look *look, const struct row *row, struct os_patience *patience)
{
    struct shared *shared = &look->cache->store->shared;
    struct row timed;

    if (!row)
        return hot_let_go(look, 0);
    if (!memtable_fits(shared, row))
        return hot_let_go(look, HOT_PASS);
    timed = *row;
    timed.store_time = memtable_time(shared, row->store_time);
    return hot_publish(look, MEMTABLE_PRESENT, look->counted, &timed, patience);
}
