/* hot_queue.c - push, pull and peek in the memtable, where it is known where the queue ends (ends.h). See hot.h. */
#include "hot.h"

/* The append lock, where it is known how far the queue goes and nobody else pushes (Q3). */
static int enter_queue(struct dcache *cache, struct ends *ends, struct os_patience *patience)
{
    struct store *store = cache->store;
    int rc = cache->scope || store->read_only ? HOT_PASS : hot_enter(cache, patience);

    if (rc != 0)
        return rc;
    if (!memtable_was_foreign(&store->shared) && ends_find(&store->shared, ends) &&
        (ends->prefix || store->settings.deque_maxlen < 0))
        return 0;
    memtable_unlock(&store->shared);
    return HOT_PASS;
}

static void look_for_item(struct hot_look *look, struct dcache *cache,
                          const struct dcache_value *key, const struct ends *ends,
                          const struct ends *moved)
{
    hot_look_for(look, cache, key, 1, 0);
    look->ends = ends;
    look->moved = moved;
}

/* The row under the number at an end, if it is as most are: else one has to look behind it. What is to be
 * removed has to be in the memtable (Q4). */
static int row_at_end(struct hot_look *look, bool remove, struct os_patience *patience,
                      struct row *ret_row)
{
    int rc = remove ? hot_ask(look, ret_row) : hot_current(look, patience, ret_row);

    if (rc == 0 && (!row_is_live(ret_row) || ret_row->filename || ret_row->damaged ||
                    row_is_pinned(ret_row))) {
        row_clear(ret_row);
        rc = HOT_PASS;
    }
    return rc == DCACHE_NOT_FOUND ? HOT_PASS : rc;
}

/* Whether there is an item at the side where one is pushed: Q1. */
static int find_neighbour(struct dcache *cache, const struct ends *ends, enum dcache_side side,
                          struct os_patience *patience)
{
    struct dcache_value key = dcache_none();
    struct row row = {0};
    struct hot_look look;
    int rc = 0;

    if (ends->sure[side] || ends->first == ends->next)
        return 0;
    rc = ends_key(ends->prefix, side == DCACHE_FRONT ? ends->first : ends->next - 1, &key);
    if (rc == 0) {
        look_for_item(&look, cache, &key, NULL, NULL);
        rc = row_at_end(&look, false, patience, &row);
    }
    row_clear(&row);
    dcache_value_clear(&key);
    return rc;
}

/* With the item that gets `number`. */
static struct ends ends_with(const struct ends *ends, enum dcache_side side, int64_t number)
{
    struct ends moved = *ends;

    if (ends->first == ends->next) {
        moved.first = moved.next = number;
        moved.sure[DCACHE_FRONT] = moved.sure[DCACHE_BACK] = true;
    }
    moved.first -= number < moved.first;
    moved.next += number == moved.next;
    moved.sure[side] = true;
    return moved;
}

static int push(struct dcache *cache, struct ends *ends, enum dcache_side side, struct row *row,
                struct os_patience *patience)
{
    struct hot_look look;
    struct ends moved;
    int64_t number;
    int rc = enter_queue(cache, ends, patience);

    if (rc != 0)
        return rc;
    number = ends_next(ends, side);
    moved = ends_with(ends, side, number);
    rc = find_neighbour(cache, ends, side, patience);
    if (rc == 0)
        rc = ends_key(ends->prefix, number, &row->key);
    look_for_item(&look, cache, &row->key, ends, &moved);
    row->store_time = memtable_time(&cache->store->shared, row->store_time);
    if (rc == 0 && !memtable_fits(&cache->store->shared, row))
        rc = HOT_PASS;
    return rc == 0 ? hot_publish(&look, MEMTABLE_PRESENT, MEMTABLE_CULLS, row, patience)
                   : hot_let_go(&look, rc);
}

int hot_push(struct dcache *cache, const char *prefix, enum dcache_side side,
             const struct item *item, struct os_patience *patience, struct dcache_value *ret_key)
{
    struct ends ends = {.prefix = prefix};
    struct row row = item->row;
    int refused = 0, rc;

    /* What expires may be culled, and then the next number is another than that after it. */
    if (item->staged || row.filename || row.size > 0 || row_is_pinned(&row) ||
        row.expire_time != DCACHE_NEVER)
        return HOT_PASS;
    row.raw = 1;
    do {
        row.key = dcache_none();
        rc = push(cache, &ends, side, &row, patience);
        if (rc != 0)
            dcache_value_clear(&row.key);
    } while (rc == HOT_AGAIN && refused++ < HOT_REFUSALS);
    *ret_key = row.key;
    return rc == HOT_AGAIN ? HOT_PASS : rc;
}

/* Q4: nobody else can have been given it, since it has never been in SQLite. */
static bool is_only_here(const struct shared *shared, const struct memtable_record *record)
{
    const struct shared_memtable *m = &shared->segment->memtable;

    return record->kind == MEMTABLE_PRESENT &&
           (record->flags & (MEMTABLE_CLEAN | MEMTABLE_QUEUE | MEMTABLE_OVERTAKEN)) ==
               MEMTABLE_QUEUE &&
           record->position >= atomic_load(&m->draining) &&
           record->position >= atomic_load(&m->drained);
}

static int pull(struct dcache *cache, struct ends *ends, enum dcache_side side, bool remove,
                struct os_patience *patience, struct row *ret_row)
{
    struct row nothing = {.store_time = os_now()};
    struct hot_look look;
    struct ends moved;
    int64_t number;
    int rc = enter_queue(cache, ends, patience);

    if (rc != 0)
        return rc;
    moved = *ends;
    moved.sure[side] = false;
    number = side == DCACHE_FRONT ? moved.first++ : --moved.next;
    rc = ends->first == ends->next ? DCACHE_NOT_FOUND
                                   : ends_key(ends->prefix, number, &nothing.key);
    look_for_item(&look, cache, &nothing.key, ends, &moved);
    if (rc == 0)
        rc = row_at_end(&look, remove, patience, ret_row);
    if (rc == 0 && remove && !is_only_here(&cache->store->shared, &look.record))
        rc = HOT_PASS;
    nothing.store_time = memtable_time(&cache->store->shared, nothing.store_time);
    if (rc == 0 && remove)
        rc = hot_publish(&look, MEMTABLE_ABSENT, 0, &nothing, patience);
    else
        rc = hot_let_go(&look, rc);
    dcache_value_clear(&nothing.key);
    if (rc != 0)
        row_clear(ret_row);
    return rc;
}

int hot_pull(struct dcache *cache, const char *prefix, enum dcache_side side, bool remove,
             struct row *ret_row)
{
    struct ends ends = {.prefix = prefix};
    struct os_patience patience = os_patience(cache->timeout);
    int refused = 0, rc;

    if (!remove && !memtable_exists(&cache->store->shared)) /* it is not made for who looks */
        return HOT_PASS;
    do
        rc = pull(cache, &ends, side, remove, &patience, ret_row);
    while (rc == HOT_AGAIN && refused++ < HOT_REFUSALS);
    return rc == HOT_AGAIN ? HOT_PASS : rc;
}
