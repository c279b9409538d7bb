/* drain.c - from the ring to SQLite. See drain.h. */
#include "drain.h"

#include "ends.h"

#include <stdlib.h>

#define SLICE 256 /* records in one transaction: other writers get their turn in between */
#define SLICE_MOST MEMTABLE_SLICE_MOST
#define EXPIRED_MOST (2 * SLICE) /* items that go with the records of a slice */
#define BATCH 64
#define PATIENCE (100 * OS_MS)
#define TURN (5 * OS_MS) /* longer than that, only a transaction has the append lock */
#define STEP (2 * OS_MS) /* of waiting for the lock, before looking whether it is still needed */
#define URGENT (100 * OS_MS) /* who dies meanwhile is forgotten */
#define ROUNDS 4             /* of draining what has been written in the one before */

#define FORGED 1 /* records have changed while they were read */

_Static_assert(SLICE + MEMTABLE_GROUP_MOST <= SLICE_MOST, "see memtable_slice()");

enum { BEGIN = DB_DRAIN_STATEMENTS, COMMIT, ROLLBACK };
_Static_assert((int)ROLLBACK < DB_STATEMENTS, "see db.h");

/* A record that became a row. */
struct brought {
    uint64_t position;
    int64_t rowid;
    int64_t note;  /* what was read of it had this id before, */
    int64_t count; /* and has become part of the row */
    double time;
};

struct drain {
    struct store *store;
    struct shared *table; /* where the records are */
    struct db *db;
    int64_t count, size; /* changes of the counters */
    int64_t expired;     /* rows removed because of that */
    double soonest;      /* expiry of any row, or before; 0: not known */
    size_t rows, files;
    struct memtable_slice part;
    struct brought brought[SLICE_MOST];
    char *file[SLICE_MOST + EXPIRED_MOST]; /* of a row that was replaced or removed */
};

static int run(struct db *db, int statement)
{
    static const char *const sql[] = {"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"};
    sqlite3_stmt *s;
    int rc = db_statement(db, statement, sql[statement - BEGIN], &s);

    if (rc < 0)
        return rc;
    return statement == BEGIN ? db_begin(db, s) : db_run(db, s);
}

int64_t drain_note_id(uint64_t hash)
{
    return -(int64_t)(hash >> 1) - 1;
}

/* Under least-frequently-used, a newcomer of a cache that has evicted begins above what went last,
 * or no newcomer would ever outlive an old favourite: ageing as in LFU-DA (Arlitt et al., 2000). */
int drain_initial_count(struct db *db, enum policy policy, int64_t evictions, int64_t *ret_count)
{
    int64_t before = 0;
    int rc;

    *ret_count = 0;
    if (policy != POLICY_FREQUENT)
        return 0;
    rc = settings_counter(db, "evictions", &before);
    if (rc < 0 || before + evictions == 0)
        return rc;
    rc = row_min_access_count(db, ret_count);
    if (rc == 0)
        (*ret_count)++;
    return rc;
}

/* ---- one record ---- */

/* T2 of txn.h: the file goes after COMMIT. */
static int forget_file(struct drain *d, const struct row *old)
{
    if (!old->filename)
        return 0;
    d->file[d->files] = os_strdup(old->filename);
    if (!d->file[d->files])
        return DCACHE_NOMEM;
    d->files++;
    return 0;
}

/* An item of a queue gets a number that no row has. So a row with it is somebody else's, or has been moved out of
 * the way of that one (Q3); or it is this one, brought here by who has died before he could say so. */
static bool is_pushed(const struct memtable_record *record)
{
    return record->kind == MEMTABLE_PRESENT && (record->flags & MEMTABLE_QUEUE);
}

/* M7: who else has written the row may have done so later. */
static int yields(struct drain *d, const struct memtable_record *record, bool *ret_yields)
{
    struct row old = {0};
    int rc = 0;

    *ret_yields = false;
    if (record->flags & MEMTABLE_OVERTAKEN) {
        rc = row_find(d->db, &record->row.key, record->row.raw, &old);
        *ret_yields = rc == 0 && (is_pushed(record) ? old.store_time != record->row.store_time
                                                    : row_time(&old) > row_time(&record->row));
        row_clear(&old);
    }
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

static int replace(struct drain *d, const struct row *row, int64_t *ret_rowid)
{
    struct row old = {0};
    int rc = row_find(d->db, &row->key, row->raw, &old);

    if (rc == 0)
        rc = forget_file(d, &old);
    if (rc == 0)
        rc = row_update(d->db, old.rowid, row);
    if (rc == 0) {
        d->size = os_plus(d->size, os_minus(row->size, old.size));
        *ret_rowid = old.rowid;
    }
    row_clear(&old);
    return rc;
}

static int store_row(struct drain *d, const struct row *row, int64_t *ret_rowid)
{
    int rc = row_overwrite(d->db, row, ret_rowid);

    if (rc == DCACHE_NOT_FOUND) {
        rc = row_insert(d->db, row, ret_rowid);
        d->count += rc == 0;
    }
    return rc == DCACHE_EXISTS ? replace(d, row, ret_rowid) : rc;
}

static int remove_row(struct drain *d, const struct row *row)
{
    struct row old = {0};
    int rc = row_find(d->db, &row->key, row->raw, &old);

    if (rc == 0)
        rc = forget_file(d, &old);
    if (rc == 0)
        rc = row_delete(d->db, old.rowid);
    if (rc == 0) {
        d->count--;
        d->size = os_minus(d->size, old.size);
    }
    row_clear(&old);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

/* What was read while the row had no id. */
static void add_notes(struct drain *d, const struct memtable_record *record, struct row *row,
                      struct brought *brought)
{
    brought->note = drain_note_id(record->hash);
    brought->count = 0;
    if (d->store->settings.policy < POLICY_USED || row_is_pinned(row) ||
        !shared_take_access_of(&d->store->shared, brought->note, &brought->time, &brought->count))
        return;
    row->access_count = os_plus(row->access_count, brought->count);
    if (brought->time > row->access_time)
        row->access_time = brought->time;
}

/* The name of the queue that has a key, to be freed; NULL: the one without a name. */
static int queue_of(const struct dcache_value *key, char **ret_prefix)
{
    size_t size = key->size > ENDS_SUFFIX ? key->size - ENDS_SUFFIX : 0;

    *ret_prefix = NULL;
    if (key->type != DCACHE_TEXT)
        return 0;
    *ret_prefix = os_format("%.*s", (int)size, (const char *)key->data);
    return *ret_prefix ? 0 : DCACHE_NOMEM;
}

/* Q3: of two items with one number, the later one, which others have seen, keeps it. */
static int renumber(struct drain *d, struct row *row)
{
    struct row end = {0};
    int64_t rowid, number;
    char *prefix;
    int rc = queue_of(&row->key, &prefix);
    bool front = rc == 0 && ends_number(prefix, &row->key) < ENDS_FIRST;

    if (rc == 0)
        rc = row_queue_key(d->db, prefix, front ? DCACHE_FRONT : DCACHE_BACK, 0, &end);
    if (rc == 0) {
        number = ends_number(prefix, &end.key) + (front ? -1 : 1);
        row->key = dcache_none();
        rc = ends_key(prefix, number, &row->key);
        if (rc == 0)
            rc = store_row(d, row, &rowid);
        dcache_value_clear(&row->key);
    }
    row_clear(&end);
    free(prefix);
    return rc;
}

static int apply(struct drain *d, const struct memtable_record *record)
{
    struct brought *brought = &d->brought[d->rows];
    struct row row = record->row;
    int64_t initial = 0;
    bool late;
    int rc = yields(d, record, &late);

    if (rc == 0 && late && is_pushed(record))
        return renumber(d, &row);
    if (rc < 0 || late)
        return rc;
    if (record->kind == MEMTABLE_ABSENT)
        return remove_row(d, &row);
    if (!(record->flags & MEMTABLE_COUNTED) && !row_is_pinned(&row))
        rc = drain_initial_count(d->db, (enum policy)d->store->settings.policy, 0, &initial);
    if (rc < 0)
        return rc;
    row.access_count = os_plus(row.access_count, initial);
    brought->position = record->position;
    add_notes(d, record, &row, brought);
    d->rows++;
    rc = store_row(d, &row, &brought->rowid);
    if (rc == 0 && row.expire_time < d->soonest)
        d->soonest = row.expire_time;
    return rc;
}

/* ---- what goes with it ---- */

static int find_soonest(struct drain *d)
{
    struct row_query query = {.select = ROW_EXPIRED, .now = DCACHE_NEVER};
    struct victim first = {.filename = NULL};
    int count = 0, rc = row_victims(d->db, &query, 1, &first, &count);

    d->soonest = count > 0 ? first.expire_time : DCACHE_NEVER;
    free(first.filename);
    return rc;
}

static int remove_victim(struct drain *d, struct victim *v)
{
    int rc = row_delete(d->db, v->rowid);

    if (rc < 0)
        return rc;
    d->count--;
    d->size = os_minus(d->size, v->size);
    d->expired++;
    if (v->filename)
        d->file[d->files++] = v->filename;
    v->filename = NULL;
    return 0;
}

/* The row of the record at a position, or of the key's last. No write takes along what it has stored. */
static int64_t own_row(const struct drain *d, const struct memtable_record *record, uint64_t at)
{
    if (record->kind == MEMTABLE_PRESENT && d->rows > 0)
        return d->brought[d->rows - 1].rowid;
    for (size_t i = d->rows; i > 0; i--)
        if (d->brought[i - 1].position == at)
            return d->brought[i - 1].rowid;
    return 0;
}

static int remove_expired(struct drain *d, double now, int64_t own)
{
    struct row_query query = {.select = ROW_EXPIRED, .now = now};
    int64_t left = d->store->settings.cull_limit;
    struct victim victims[BATCH];
    int count = 0, rc;

    if (left > EXPIRED_MOST - d->expired)
        left = EXPIRED_MOST - d->expired;
    rc = left > 0
             ? row_victims(d->db, &query, left < BATCH ? (int)left + 1 : BATCH, victims, &count)
             : 0;
    for (int i = 0; i < count; i++) {
        if (rc == 0 && left > 0 && victims[i].rowid != own) {
            rc = remove_victim(d, &victims[i]);
            left--;
        }
        free(victims[i].filename);
    }
    return rc;
}

/* What a write would have removed without a memtable: what had expired by then. Who reads takes it for
 * absent in any case (M8). */
static int take_along(struct drain *d, const struct memtable_record *record, uint64_t at)
{
    int rc = 0;

    if (record->culls == 0 || d->store->settings.cull_limit == 0)
        return 0;
    if (d->soonest == 0)
        rc = find_soonest(d);
    if (rc < 0 || d->soonest >= record->culls)
        return rc;
    rc = remove_expired(d, record->culls, own_row(d, record, at));
    return rc < 0 ? rc : find_soonest(d);
}

/* ---- a slice ---- */

static int apply_slice(struct drain *d)
{
    const struct memtable_slice *slice = &d->part;
    struct memtable_record record;
    int rc = 0, n = 0;

    for (uint64_t at = slice->begin; rc == 0 && at < slice->end; at += record.size) {
        if (!memtable_read_dirty(d->table, slice, at, &record) || n == SLICE_MOST)
            return FORGED;
        if (record.kind != MEMTABLE_UNKNOWN) {
            rc = apply(d, &record);
            n++;
        }
        if (rc == 0)
            rc = take_along(d, &record, at);
    }
    return rc;
}

/* M8: whoever has committed to SQLite since, it was not one of us. */
static int settle(struct drain *d, bool appending)
{
    struct shared *shared = &d->store->shared;
    uint64_t commits = db_commits(d->db);
    int rc = 0;

    if (commits == atomic_load(&shared->segment->memtable.known))
        return 0;
    /* A transaction that has it, and perhaps wants the write lock, publishes nothing that does not yield:
     * it looks at `floor` (G1). */
    if (!appending)
        rc = memtable_lock(shared, os_monotonic() + TURN);
    memtable_settle(shared, commits);
    memtable_note_foreign(shared);
    if (!appending && rc == 0)
        memtable_unlock(shared);
    return rc == DCACHE_CALLBACK ? rc : 0;
}

/* What was read between the statement and now. (By whom has seen the record before, and notes it later
 * still, a read is lost.) */
static void move_notes(struct drain *d, const struct brought *brought)
{
    struct shared *shared = &d->store->shared;
    int64_t count;
    double time;

    if (d->store->settings.policy >= POLICY_USED &&
        shared_take_access_of(shared, brought->note, &time, &count))
        (void)shared_note_access(shared, brought->rowid, time, (uint32_t)count);
}

/* Of a directory that was found to be gone, and made anew: then this connection is to that of before. */
static bool is_of_before(const struct drain *d)
{
    return d->db->generation != atomic_load(&d->store->pool.generation);
}

static void note_commit(struct drain *d, uint64_t before, bool written)
{
    uint64_t after = db_commits(d->db);

    /* Else somebody has committed in this very moment: M7 holds until it is settled. */
    if (written && after >> 32 == (before >> 32) + 1)
        atomic_store(&d->store->shared.segment->memtable.known, after);
}

/* It is in SQLite, or (`!committed`) it is not. */
static void end_slice(struct drain *d, bool committed)
{
    /* A ring that is there since is not what this is about. */
    bool same = d->table != &d->store->shared || !is_of_before(d);

    for (size_t i = 0; i < d->rows; i++) {
        const struct brought *brought = &d->brought[i];

        if (committed && same) {
            memtable_set_rowid(d->table, brought->position, brought->rowid);
            move_notes(d, brought);
        } else if (!committed && brought->count > 0) {
            (void)shared_note_access(&d->store->shared, brought->note, brought->time,
                                     (uint32_t)brought->count);
        }
    }
    if (committed && same)
        memtable_drained(d->table, d->part.end);
    for (size_t i = 0; i < d->files; i++) {
        if (committed)
            (void)file_remove(&d->store->files, d->file[i]); /* else a stray, which check finds */
        free(d->file[i]);
    }
}

int drain_try(struct db *db)
{
    int rc = run(db, BEGIN); /* of a database that is read-only, it begins to read */

    if (rc == 0 && sqlite3_db_readonly(db->handle, "main") != 0) {
        (void)run(db, ROLLBACK); /* nothing was written */
        return os_fail(DCACHE_READONLY, "the database is read-only");
    }
    return rc < 0 ? rc : run(db, ROLLBACK);
}

/* Somebody else has written into the segment: what is in it is nobody's. */
static int give_up(struct drain *d, bool appending)
{
    return memtable_void(d->table, appending ? -1 : d->db->deadline);
}

/* Q4. While a transaction has the append lock, nobody pulls from the memtable. */
static void keep_items(struct drain *d, uint64_t end, bool appending)
{
    struct shared *shared = d->table;
    bool locked = !appending && memtable_lock(shared, os_monotonic() + TURN) == 0;

    atomic_store(&shared->segment->memtable.draining, end);
    if (locked)
        memtable_unlock(shared);
}

static void init(struct drain *d, struct store *store, struct shared *table, struct db *db)
{
    d->store = store;
    d->table = table;
    d->db = db;
    d->count = d->size = d->expired = 0;
    d->soonest = 0;
    d->rows = d->files = 0;
}

static int slice(struct drain *d, uint64_t target, bool appending)
{
    uint64_t begin = atomic_load(&d->table->segment->memtable.drained), before = 0;
    unsigned written = d->db->written;
    struct memtable_slice *part = &d->part;
    int rc;

    if (begin >= target)
        return 0;
    if (!memtable_slice(d->table, begin, target, SLICE, part)) /* whoever has forged it */
        return give_up(d, appending);
    if (part->actions == 0) { /* what readers keep: SQLite has it */
        memtable_drained(d->table, part->end);
        return 0;
    }
    if (part->pushes)
        keep_items(d, part->end, appending);
    rc = run(d->db, BEGIN);
    if (rc == 0)
        rc = settle(d, appending);
    if (rc == 0) {
        before = db_commits(d->db);
        rc = apply_slice(d);
    }
    if (rc == 0)
        rc = settings_count_and_size_add(d->db, d->count, d->size); /* T3 of txn.h */
    if (rc == 0)
        rc = run(d->db, COMMIT);
    /* Who writes next is told, rather than that more and more waits for what may never come. */
    atomic_store(&d->table->segment->memtable.trouble, rc == DCACHE_TIMEOUT || rc > 0 ? 0 : rc);
    if (rc == 0)
        note_commit(d, before, d->db->written != written);
    else if (!sqlite3_get_autocommit(d->db->handle) && run(d->db, ROLLBACK) < 0)
        (void)sqlite3_exec(d->db->handle, "ROLLBACK", NULL, NULL, NULL);
    end_slice(d, rc == 0);
    return rc == FORGED ? give_up(d, appending) : rc;
}

int drain_slice(struct store *store, struct db *db, uint64_t target, bool appending)
{
    struct drain d;

    init(&d, store, &store->shared, db);
    /* What is before `target` may have been stored after the directory or its database was found to be
     * another, or by who has read that one already. */
    if (is_of_before(&d) || db_has_moved(db))
        return DCACHE_GONE;
    return slice(&d, target, appending);
}

/* What was in the memtable of a directory that was removed. All of it yields to later rows (M7). */
static int rescue(struct store *store, struct db *db)
{
    struct shared *table = atomic_load(&store->watch.rescued);
    uint64_t target;
    int rc = 0;

    if (!table)
        return 0;
    target = memtable_published(table, os_monotonic() + PATIENCE);
    atomic_store(&table->segment->memtable.floor, target);
    while (rc == 0 && memtable_dirty(table) > 0 &&
           atomic_load(&table->segment->memtable.drained) < target) {
        struct drain d;

        init(&d, store, table, db);
        rc = slice(&d, target, false);
    }
    if (rc == 0)
        watch_drop_rescued(&store->watch);
    return rc;
}

/* ---- in the transaction of another ---- */

int drain_along(struct store *store, struct db *db, struct drain **ret, int64_t *count,
                int64_t *size)
{
    struct shared_memtable *m = &store->shared.segment->memtable;
    uint64_t begin = atomic_load(&m->drained), end = atomic_load(&m->tail);
    struct drain *d;
    int rc;

    *ret = NULL;
    if (memtable_dirty(&store->shared) == 0)
        return 0;
    d = os_malloc(sizeof *d);
    if (!d)
        return DRAIN_ALONE;
    init(d, store, &store->shared, db);
    if (is_of_before(d) || db_has_moved(db)) {
        free(d);
        return DCACHE_GONE;
    }
    rc = memtable_slice(d->table, begin, end, SLICE, &d->part) && d->part.end == end ? 0
                                                                                     : DRAIN_ALONE;
    if (rc == 0 && d->part.pushes)
        keep_items(d, end, true);
    if (rc == 0)
        rc = apply_slice(d);
    if (rc != 0) {
        drain_along_end(d, false);
        return DRAIN_ALONE; /* which will say what is wrong */
    }
    *count = os_plus(*count, d->count);
    *size = os_plus(*size, d->size);
    *ret = d;
    return 0;
}

void drain_along_end(struct drain *along, bool committed)
{
    if (!along)
        return;
    if (committed)
        atomic_store(&along->table->segment->memtable.trouble, 0);
    end_slice(along, committed);
    free(along);
}

/* ---- until nothing is left ---- */

int drain_rest(struct store *store, struct db *db)
{
    struct shared *shared = &store->shared;
    int rc = 0;

    while (rc == 0 && memtable_dirty(shared) > 0)
        rc = drain_slice(store, db, atomic_load(&shared->segment->memtable.tail), true);
    return rc;
}

bool drain_is_urgent(const struct shared *shared)
{
    int64_t until = atomic_load(&shared->segment->memtable.urgent);

    return until != 0 && os_minus(until, os_coarse()) > 0;
}

/* Most of it while writers go on, if not as fast as they might (drain_is_urgent): what they add meanwhile is
 * less than what is drained, and in the end little is left that they all have to wait for. */
static int lessen(struct store *store, struct db *db)
{
    struct shared *shared = &store->shared;
    struct shared_memtable *m = &shared->segment->memtable;
    int rc = 0;

    for (int round = 0; round < ROUNDS && rc == 0 && memtable_dirty(shared) > DRAIN_FEW; round++) {
        uint64_t target = memtable_published(shared, os_monotonic() + PATIENCE);

        while (rc == 0 && memtable_dirty(shared) > DRAIN_FEW && atomic_load(&m->drained) < target) {
            atomic_store(&m->urgent, os_coarse() + URGENT);
            rc = drain_slice(store, db, target, false);
        }
    }
    return rc;
}

int drain_most(struct store *store, struct db *db, int64_t deadline)
{
    struct shared *shared = &store->shared;
    int64_t turn;
    int rc = rescue(store, db);

    if (rc == 0)
        rc = lessen(store, db);
    turn = os_monotonic() + TURN;
    if (rc == 0)
        rc = memtable_lock(shared, deadline < turn ? deadline : turn);
    atomic_store(&shared->segment->memtable.urgent, 0);
    return rc == DCACHE_TIMEOUT && turn < deadline ? DRAIN_HELD : rc;
}

int drain_all(struct store *store, struct db *db, int64_t deadline)
{
    int rc = drain_most(store, db, deadline);

    if (rc != 0)
        return rc;
    rc = drain_rest(store, db);
    if (rc < 0)
        memtable_unlock(&store->shared);
    return rc;
}

static int drain_once(struct store *store, uint64_t target, int64_t deadline)
{
    struct shared_memtable *m = &store->shared.segment->memtable;
    struct db *db;
    int rc = store_borrow(store, deadline, &db);

    if (rc < 0)
        return rc;
    if (store_is_gone(store, db))
        rc = DCACHE_GONE;
    vfs_leave_out(db->file, true);
    if (rc == 0)
        rc = rescue(store, db);
    while (rc == 0 && memtable_dirty(&store->shared) > 0 && atomic_load(&m->drained) < target)
        rc = drain_slice(store, db, target, false);
    vfs_leave_out(db->file, false);
    store_return(store, db);
    return rc;
}

/* Who may not write can only wait, for a moment: writers that live drain within 50 ms. */
static int wait_for_others(struct store *store)
{
    struct shared *table = store_table(store, NULL);
    int64_t end = os_monotonic() + PATIENCE;
    uint64_t target;

    if (!table->mapped)
        return 0;
    target = atomic_load(&table->segment->memtable.visible);
    while (memtable_dirty(table) > 0 && atomic_load(&table->segment->memtable.drained) < target &&
           os_monotonic() < end)
        os_sleep(OS_MS);
    return 0;
}

bool drain_is_due(struct store *store)
{
    return atomic_load(&store->watch.rescued) || memtable_dirty(&store->shared) > 0;
}

static bool is_removed(const struct store *store)
{
    struct stat st;

    return os_fstat(store->files.dir, &st) == 0 && st.st_nlink == 0;
}

/* Whoever has a transaction open has drained before, but for a short one (T7 of txn.h), and lets nobody
 * publish: so who finds something to be drained need not wait for its end, but perhaps for its beginning. */
static int wait_until_drained(struct store *store, int64_t deadline, bool leaving)
{
    struct shared *shared = &store->shared;
    uint64_t target;

    if (store->read_only)
        return wait_for_others(store);
    if (!drain_is_due(store))
        return 0;
    target = memtable_published(shared, os_monotonic() + PATIENCE);
    while (
        atomic_load(&store->watch.rescued) ||
        (memtable_dirty(shared) > 0 && atomic_load(&shared->segment->memtable.drained) < target)) {
        unsigned generation = store->pool.generation;
        int64_t now = os_monotonic();
        int rc = shared_lock(shared, now + STEP < deadline ? now + STEP : deadline);

        if (rc == 0) {
            rc = drain_once(store, target, deadline);
            shared_unlock(shared);
            if (rc == DCACHE_GONE && !(leaving && is_removed(store)))
                rc = store_revive(store, generation, deadline);
            else
                return rc;
        }
        if (rc < 0 && (rc != DCACHE_TIMEOUT || os_monotonic() >= deadline))
            return rc;
    }
    return 0;
}

int drain_wait(struct store *store, int64_t deadline)
{
    return wait_until_drained(store, deadline, false);
}

int drain_before_leaving(struct store *store, int64_t deadline)
{
    return wait_until_drained(store, deadline, true);
}
