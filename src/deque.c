/* deque.c - a deque: the items of the queue NULL of a cache. Made of operations alone. */
#include "os.h"

#include <diskcache_collections.h>

#include <stdlib.h>

#define FIRST_KEY INT64_C(1)
#define AFTER_LAST_KEY INT64_C(999999999999999)
#define MIDDLE_KEY INT64_C(500000000000000)

/* ---- both ends ---- */

int dcache_deque_push(dcache *deque, enum dcache_side side, const struct dcache_value *value)
{
    return dcache_push(deque, NULL, side, value, NULL, NULL);
}

int dcache_deque_extend(dcache *deque, enum dcache_side side, const struct dcache_value *values,
                        size_t count)
{
    return dcache_push_many(deque, NULL, side, values, count, NULL);
}

int dcache_deque_pop(dcache *deque, enum dcache_side side, const struct dcache_get_options *options,
                     struct dcache_entry *ret_entry)
{
    return dcache_pull(deque, NULL, side, options, ret_entry);
}

int dcache_deque_peek(dcache *deque, enum dcache_side side,
                      const struct dcache_get_options *options, struct dcache_entry *ret_entry)
{
    return dcache_peek(deque, NULL, side, options, ret_entry);
}

/* ---- by index ---- */

int dcache_deque_get(dcache *deque, int64_t index, const struct dcache_get_options *options,
                     struct dcache_entry *ret_entry)
{
    return index >= 0 ? dcache_peek_at(deque, NULL, DCACHE_FRONT, index, options, ret_entry)
                      : dcache_peek_at(deque, NULL, DCACHE_BACK, -(index + 1), options, ret_entry);
}

/* The transaction ends as `rc` says. */
static int end(dcache *txn, int rc)
{
    if (rc == 0)
        return dcache_commit(txn);
    dcache_rollback(txn);
    return rc;
}

/* The key of an item, which has no memory of its own. */
static int key_of(dcache *deque, int64_t index, struct dcache_value *ret_key)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry;
    int rc;

    options.flags = DCACHE_NO_VALUE;
    rc = dcache_deque_get(deque, index, &options, &entry);
    *ret_key = entry.key; /* an integer */
    dcache_entry_clear(&entry);
    return rc;
}

int dcache_deque_set(dcache *deque, int64_t index, const struct dcache_value *value)
{
    struct dcache_value key;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc < 0)
        return rc;
    rc = key_of(txn, index, &key);
    if (rc == 0)
        rc = dcache_set(txn, &key, value, NULL);
    return end(txn, rc);
}

int dcache_deque_delete(dcache *deque, int64_t index)
{
    struct dcache_value key;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc < 0)
        return rc;
    rc = key_of(txn, index, &key);
    if (rc == 0)
        rc = dcache_delete(txn, &key);
    return end(txn, rc);
}

/* ---- walks ---- */

/* Over the live items, from the front or with DCACHE_REVERSE from the back. */
static int walk(dcache *deque, unsigned flags, dcache_iter **ret_iter)
{
    struct dcache_value start = dcache_int(FIRST_KEY), stop = dcache_int(AFTER_LAST_KEY);
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);

    options.order = DCACHE_BY_KEY;
    options.flags = flags | DCACHE_LIVE_ONLY;
    options.start = &start;
    options.stop = &stop;
    return dcache_iter_open(deque, &options, ret_iter);
}

/* Past real numbers, which may be keys, too. */
static int next_item(dcache_iter *iter, struct dcache_entry *ret_entry)
{
    int rc;

    while ((rc = dcache_iter_next(iter, ret_entry)) == 0 && ret_entry->key.type != DCACHE_INT)
        dcache_entry_clear(ret_entry);
    return rc;
}

/* The key of the live item at a side. Fails: NOT_FOUND. */
static int end_key(dcache *deque, enum dcache_side side, struct dcache_value *ret_key)
{
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry;
    int rc;

    options.flags = DCACHE_NO_VALUE;
    rc = dcache_deque_peek(deque, side, &options, &entry);
    *ret_key = entry.key; /* an integer */
    dcache_entry_clear(&entry);
    return rc;
}

/* Walk `count` items from one side, and give each in turn the key beyond the end at `to`. */
static int renumber(dcache *txn, enum dcache_side from, enum dcache_side to, int64_t count)
{
    struct dcache_value next;
    dcache_iter *iter = NULL;
    int rc = end_key(txn, to, &next);

    if (rc == 0)
        rc = walk(txn, DCACHE_NO_VALUE | (from == DCACHE_BACK ? DCACHE_REVERSE : 0), &iter);
    while (rc == 0 && count > 0) {
        struct dcache_entry entry;

        rc = next_item(iter, &entry);
        if (rc == 0) {
            next.integer += to == DCACHE_BACK ? 1 : -1;
            if (next.integer < FIRST_KEY || next.integer >= AFTER_LAST_KEY)
                rc = os_fail(DCACHE_RANGE, "the numbers of the deque are used up");
            if (rc == 0)
                rc = dcache_rename(txn, &entry.key, &next);
            if (rc == DCACHE_NOT_FOUND) /* it has lost its file, and is gone */
                rc = 0;
            count--;
        }
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int dcache_deque_rotate(dcache *deque, int64_t steps)
{
    int64_t count = 0;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_count(txn, &count);
    if (rc == 0 && count > 1) {
        steps %= count;
        if (steps > count / 2)
            steps -= count;
        else if (steps < -(count / 2))
            steps += count;
        if (steps > 0)
            rc = renumber(txn, DCACHE_BACK, DCACHE_FRONT, steps);
        else if (steps < 0)
            rc = renumber(txn, DCACHE_FRONT, DCACHE_BACK, -steps);
    }
    return end(txn, rc);
}

/* One after the other is moved beyond the end where it is, to the side on which there is more room. */
int dcache_deque_reverse(dcache *deque)
{
    struct dcache_value first = dcache_int(0), last = first;
    int64_t count = 0;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_count(txn, &count);
    if (rc == 0 && count > 1) {
        rc = end_key(txn, DCACHE_FRONT, &first);
        if (rc == 0)
            rc = end_key(txn, DCACHE_BACK, &last);
        if (rc == 0)
            rc = first.integer - MIDDLE_KEY > MIDDLE_KEY - last.integer
                     ? renumber(txn, DCACHE_FRONT, DCACHE_FRONT, count)
                     : renumber(txn, DCACHE_BACK, DCACHE_BACK, count);
    }
    return end(txn, rc == DCACHE_NOT_FOUND ? 0 : rc);
}

/* ---- by value ---- */

/* The next item of a walk that equals `value`. */
static int next_equal(dcache_iter *iter, const struct dcache_value *value,
                      struct dcache_entry *ret_entry)
{
    int rc;

    while ((rc = next_item(iter, ret_entry)) == 0) {
        if (dcache_value_compare(&ret_entry->value, value) == 0)
            return 0;
        dcache_entry_clear(ret_entry);
    }
    return rc;
}

/* Whether the item is still the one that was found. */
static int delete_same(dcache *deque, const struct dcache_entry *found)
{
    struct dcache_entry now;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_get(txn, &found->key, NULL, &now);
    if (rc == 0 && dcache_value_compare(&now.value, &found->value) != 0)
        rc = DCACHE_NOT_FOUND;
    if (rc == 0)
        rc = dcache_delete(txn, &found->key);
    dcache_entry_clear(&now);
    return end(txn, rc);
}

static int check_value(const struct dcache_value *value)
{
    return value && value->type <= DCACHE_PICKLE
               ? 0
               : os_fail(DCACHE_INVALID, "what is looked for is no stream");
}

/* The search holds no lock: others go on. */
int dcache_deque_remove(dcache *deque, const struct dcache_value *value)
{
    struct dcache_entry found;
    bool gone = true;
    int rc = check_value(value);

    while (rc == 0 && gone) {
        dcache_iter *iter = NULL;

        rc = walk(deque, 0, &iter);
        if (rc == 0)
            rc = next_equal(iter, value, &found);
        dcache_iter_close(iter);
        if (rc < 0)
            break;
        rc = delete_same(deque, &found);
        dcache_entry_clear(&found);
        gone = rc == DCACHE_NOT_FOUND; /* somebody was quicker */
        if (gone)
            rc = 0;
    }
    return rc;
}

int dcache_deque_count(dcache *deque, const struct dcache_value *value, int64_t *ret_count)
{
    struct dcache_entry entry;
    dcache_iter *iter = NULL;
    int64_t count = 0;
    int rc = check_value(value);

    if (rc == 0)
        rc = walk(deque, 0, &iter);
    while (rc == 0) {
        rc = next_equal(iter, value, &entry);
        count += rc == 0;
        if (rc == 0)
            dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    if (rc != DCACHE_NOT_FOUND)
        return rc;
    *ret_count = count;
    return 0;
}

/* ---- two deques ---- */

#define BATCH 100
#define BATCH_BYTES ((size_t)1 << 20)

struct batch {
    struct dcache_entry entries[BATCH];
    struct dcache_value values[BATCH];
    size_t count, bytes;
};

static void clear_batch(struct batch *batch)
{
    while (batch->count > 0)
        dcache_entry_clear(&batch->entries[--batch->count]);
    batch->bytes = 0;
}

/* Up to a batch of items; those after `last` have come since the beginning. NOT_FOUND: the end. */
static int read_batch(dcache_iter *iter, int64_t last, struct batch *batch)
{
    while (batch->count < BATCH && batch->bytes < BATCH_BYTES) {
        struct dcache_entry *entry = &batch->entries[batch->count];
        int rc = next_item(iter, entry);

        if (rc == 0 && entry->key.integer > last)
            rc = DCACHE_NOT_FOUND;
        if (rc < 0) {
            dcache_entry_clear(entry);
            return rc;
        }
        batch->values[batch->count++] = entry->value;
        batch->bytes += (size_t)entry->size;
    }
    return 0;
}

static int copy(dcache *from, dcache *txn)
{
    struct batch *batch = os_calloc(1, sizeof *batch);
    struct dcache_value last = dcache_int(0);
    dcache_iter *iter = NULL;
    int rc = batch ? end_key(from, DCACHE_BACK, &last) : DCACHE_NOMEM;

    if (rc == 0)
        rc = walk(from, 0, &iter);
    while (rc == 0) {
        int pushed = 0;

        rc = read_batch(iter, last.integer, batch);
        if (rc == 0 || rc == DCACHE_NOT_FOUND)
            pushed = dcache_deque_extend(txn, DCACHE_BACK, batch->values, batch->count);
        rc = pushed < 0 ? pushed : rc;
        clear_batch(batch);
    }
    dcache_iter_close(iter);
    free(batch);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int dcache_deque_copy(dcache *from, dcache *to)
{
    dcache *txn;
    int rc = dcache_begin(to, -1, &txn);

    if (rc < 0)
        return rc;
    return end(txn, copy(from == to ? txn : from, txn));
}

/* The order of what two walks have next; 0 and `*ret_end` when both are at their end. */
static int compare_next(dcache_iter *left, dcache_iter *right, int *ret_order, bool *ret_end)
{
    struct dcache_entry a, b;
    int rc = next_item(left, &a), other = next_item(right, &b);

    *ret_end = rc == DCACHE_NOT_FOUND && other == DCACHE_NOT_FOUND;
    if (rc == 0 && other == 0)
        *ret_order = dcache_value_compare(&a.value, &b.value);
    else
        *ret_order = (rc == 0) - (other == 0);
    dcache_entry_clear(&a);
    dcache_entry_clear(&b);
    if (rc < 0 && rc != DCACHE_NOT_FOUND)
        return rc;
    return other == DCACHE_NOT_FOUND ? 0 : other;
}

int dcache_deque_compare(dcache *a, dcache *b, int *ret_order)
{
    dcache_iter *left = NULL, *right = NULL;
    bool at_end = false;
    int order = 0, rc = walk(a, 0, &left);

    if (rc == 0)
        rc = walk(b, 0, &right);
    while (rc == 0 && order == 0 && !at_end)
        rc = compare_next(left, right, &order, &at_end);
    dcache_iter_close(left);
    dcache_iter_close(right);
    if (rc == 0)
        *ret_order = order;
    return rc;
}

/* ---- the greatest length ---- */

int dcache_deque_maxlen(dcache *deque, int64_t *ret_maxlen)
{
    struct dcache_value value;
    int rc = dcache_setting_get(deque, "deque_maxlen", &value);

    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        *ret_maxlen = rc == 0 && value.type == DCACHE_INT ? value.integer : -1;
    dcache_value_clear(&value);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int dcache_deque_set_maxlen(dcache *deque, int64_t maxlen)
{
    struct dcache_value value = dcache_int(maxlen);
    int64_t count = 0;
    dcache *txn;
    int rc = dcache_begin(deque, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_setting_set(txn, "deque_maxlen", &value);
    if (rc == 0)
        rc = dcache_count(txn, &count);
    for (; rc == 0 && maxlen >= 0 && count > maxlen; count--) {
        struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
        struct dcache_entry entry;

        options.flags = DCACHE_NO_VALUE;
        rc = dcache_deque_pop(txn, DCACHE_FRONT, &options, &entry);
        dcache_entry_clear(&entry);
    }
    return end(txn, rc == DCACHE_NOT_FOUND ? 0 : rc);
}
