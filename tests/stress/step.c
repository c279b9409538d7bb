/* step.c - the operations of stress.c on keys, queues and transactions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"

void stress_fault(struct board *board, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (board->faults++ < 20)
        (void)fprintf(stderr, "FAULT: %s\n", text);
}

void stress_expect_or(struct worker *w, int rc, int other, const char *what)
{
    if (rc != 0 && rc != other)
        stress_fault(w->board, "worker %u: %s: %s", w->number, what, status_text(rc));
}

void stress_expect(struct worker *w, int rc, const char *what)
{
    stress_expect_or(w, rc, 0, what);
}

/* A value is `size` bytes that its size gives, so that a mixture of two is noticed. */
static unsigned char fill_byte(size_t size)
{
    return (unsigned char)('a' + size % 23);
}

int stress_whole(const struct dcache_value *v)
{
    const unsigned char *p = v->data;

    if (v->type == DCACHE_INT)
        return 1;
    if (v->type != DCACHE_BYTES && v->type != DCACHE_TEXT)
        return 0;
    for (size_t i = 0; i < v->size; i++)
        if (p[i] != fill_byte(v->size))
            return 0;
    return 1;
}

static struct dcache_value random_value(struct worker *w)
{
    unsigned r = rng_below(&w->rng, 100);
    size_t size = r < 20 ? 32768 + rng_below(&w->rng, MAX_VALUE - 32768)
                         : 1 + rng_below(&w->rng, r < 70 ? 200 : 5000);

    if (r >= 95)
        return dcache_int((int64_t)r);
    memset(w->buffer, fill_byte(size), size);
    return dcache_sized(r % 2 ? DCACHE_TEXT : DCACHE_BYTES, w->buffer, size);
}

struct named {
    char text[32];
    struct dcache_value key;
};

static const struct dcache_value *named(struct named *n, const char *prefix, unsigned number)
{
    (void)snprintf(n->text, sizeof n->text, "%s-%u", prefix, number);
    n->key = dcache_text(n->text);
    return &n->key;
}

static const struct dcache_value *random_key(struct worker *w, struct named *n)
{
    return named(n, "key", rng_below(&w->rng, KEYS));
}

static void store(struct worker *w, int add)
{
    struct named n;
    struct dcache_value value = random_value(w), tag = dcache_int(rng_below(&w->rng, 4));
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    unsigned r = rng_below(&w->rng, 10);

    options.expire = r == 0 ? -1 : r == 1 ? 0.02 : r == 2 ? 1000 : 0;
    if (r < 6)
        options.tag = &tag;
    if (add)
        stress_expect_or(w, dcache_add(w->cache, random_key(w, &n), &value, &options),
                         DCACHE_EXISTS, "add");
    else
        stress_expect(w, dcache_set(w->cache, random_key(w, &n), &value, &options), "set");
}

static void op_set(struct worker *w)
{
    store(w, 0);
}
static void op_add(struct worker *w)
{
    store(w, 1);
}

static void found(struct worker *w, int rc, struct dcache_entry *e, const char *what)
{
    stress_expect_or(w, rc, DCACHE_NOT_FOUND, what);
    if (rc == 0 && !stress_whole(&e->value))
        stress_fault(w->board, "worker %u: %s: a value that nobody stored (%zu bytes)", w->number,
                     what, e->value.size);
    dcache_entry_clear(e);
}

static void op_get(struct worker *w)
{
    struct named n;
    struct dcache_entry e;

    found(w, dcache_get(w->cache, random_key(w, &n), NULL, &e), &e, "get");
}

static void op_get_fd(struct worker *w)
{
    struct named n;
    struct dcache_entry e;
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    int rc;

    options.flags = DCACHE_AS_FD;
    rc = dcache_get(w->cache, random_key(w, &n), &options, &e);
    stress_expect_or(w, rc, DCACHE_NOT_FOUND, "get as fd");
    if (rc == 0) {
        ssize_t size = read(e.value.fd, w->buffer, MAX_VALUE);
        struct dcache_value v = dcache_bytes(w->buffer, size > 0 ? (size_t)size : 0);

        if (size <= 0 || (e.kind != DCACHE_INT && !stress_whole(&v)))
            stress_fault(w->board, "worker %u: a descriptor with strange contents", w->number);
    }
    dcache_entry_clear(&e);
}

static void op_pop(struct worker *w)
{
    struct named n;
    struct dcache_entry e;

    found(w, dcache_pop(w->cache, random_key(w, &n), NULL, &e), &e, "pop");
}

static void op_contains(struct worker *w)
{
    struct named n;

    stress_expect_or(w, dcache_contains(w->cache, random_key(w, &n)), DCACHE_NOT_FOUND, "contains");
}

static void op_delete(struct worker *w)
{
    struct named n;

    stress_expect_or(w, dcache_delete(w->cache, random_key(w, &n)), DCACHE_NOT_FOUND, "delete");
}

static void op_touch(struct worker *w)
{
    struct named n;
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);

    options.expire = 0.01 * rng_below(&w->rng, 100);
    stress_expect_or(w, dcache_touch(w->cache, random_key(w, &n), &options), DCACHE_NOT_FOUND,
                     "touch");
}

static void op_incr(struct worker *w)
{
    struct named n;
    struct dcache_value one = dcache_int(1), sum;
    struct dcache_incr_options options = DCACHE_OPTIONS(struct dcache_incr_options);
    unsigned counter = rng_below(&w->rng, COUNTERS);
    int rc;

    options.flags = DCACHE_PINNED;
    rc = dcache_incr(w->cache, named(&n, "counter", counter), &one, &options, &sum);
    stress_expect(w, rc, "incr");
    if (rc == 0) {
        w->board->counter[counter]++;
        w->board->increments++;
    }
}

/* What was acknowledged before a read began, to anybody, the read sees. */
static void op_fresh(struct worker *w)
{
    struct named n;
    struct dcache_entry e;
    unsigned counter = rng_below(&w->rng, COUNTERS);
    int64_t before = w->board->counter[counter];
    int rc = dcache_get(w->cache, named(&n, "counter", counter), NULL, &e);

    stress_expect_or(w, rc, before == 0 ? DCACHE_NOT_FOUND : 0, "get of a counter");
    if (rc == 0 && e.value.integer < before)
        stress_fault(w->board, "worker %u reads %lld when %lld had been acknowledged", w->number,
                     (long long)e.value.integer, (long long)before);
    dcache_entry_clear(&e);
}

enum { MANY = 12 };

static void many_keys(struct worker *w, struct named *names, struct dcache_value *keys)
{
    unsigned first = rng_below(&w->rng, KEYS - MANY);

    for (unsigned i = 0; i < MANY; i++)
        keys[i] = *named(&names[i], "key", first + i);
}

static void op_get_many(struct worker *w)
{
    struct named names[MANY];
    struct dcache_value keys[MANY];
    struct dcache_entry entries[MANY];

    many_keys(w, names, keys);
    stress_expect(w, dcache_get_many(w->cache, keys, MANY, NULL, entries), "get_many");
    for (unsigned i = 0; i < MANY; i++)
        found(w, entries[i].status, &entries[i], "get_many: one");
}

static void op_set_many(struct worker *w)
{
    struct named names[MANY];
    struct dcache_value keys[MANY], values[MANY], one = random_value(w);

    many_keys(w, names, keys);
    for (unsigned i = 0; i < MANY; i++)
        values[i] = i % 5 ? dcache_int(i) : one; /* there is one buffer */
    stress_expect(w, dcache_set_many(w->cache, keys, values, MANY, NULL), "set_many");
}

static void op_delete_many(struct worker *w)
{
    struct named names[MANY];
    struct dcache_value keys[MANY];
    int64_t deleted = -1;

    many_keys(w, names, keys);
    stress_expect(w, dcache_delete_many(w->cache, keys, MANY, &deleted), "delete_many");
    if (deleted < 0 || deleted > MANY)
        stress_fault(w->board, "delete_many says %lld of %d", (long long)deleted, MANY);
}

/* ---- queues -------------------------------------------------------------------------------- */

static void op_push(struct worker *w)
{
    int64_t number = w->board->pushed++;
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    struct dcache_value value;
    size_t size = rng_below(&w->rng, 10) == 0 ? 40000 : 24 + rng_below(&w->rng, 100);
    const char *queue = number % 2 ? "queue" : NULL;
    enum dcache_side side = rng_below(&w->rng, 2) ? DCACHE_BACK : DCACHE_FRONT;

    if (number >= ITEMS) {
        w->board->pushed--;
        return;
    }
    memset(w->buffer, '.', size);
    (void)snprintf((char *)w->buffer, 24, "0:%lld:", (long long)number);
    value = dcache_bytes(w->buffer, size);
    options.flags = DCACHE_PINNED;
    w->board->item[number] = 1;
    stress_expect(w, dcache_push(w->cache, queue, side, &value, &options, NULL), "push");
}

static int64_t item_number(const struct dcache_value *v)
{
    unsigned zero, number;

    return two_numbers(v, 1, ITEMS, &zero, &number) ? (int64_t)number : -1;
}

static void delivered(struct worker *w, const struct dcache_value *v)
{
    int64_t number = item_number(v);

    if (number < 0 || atomic_exchange(&w->board->item[number], 2) != 1)
        stress_fault(w->board, "worker %u: queue item %lld was not to be delivered", w->number,
                     (long long)number);
}

static void op_pull(struct worker *w)
{
    const char *queue = rng_below(&w->rng, 2) ? "queue" : NULL;
    enum dcache_side side = rng_below(&w->rng, 2) ? DCACHE_BACK : DCACHE_FRONT;
    struct dcache_entry e;
    int rc = dcache_pull(w->cache, queue, side, NULL, &e);

    stress_expect_or(w, rc, DCACHE_NOT_FOUND, "pull");
    if (rc == 0)
        delivered(w, &e.value);
    dcache_entry_clear(&e);
}

static void op_peek(struct worker *w)
{
    const char *queue = rng_below(&w->rng, 2) ? "queue" : NULL;
    struct dcache_entry e;
    int rc = dcache_peek(w->cache, queue, DCACHE_FRONT, NULL, &e);

    stress_expect_or(w, rc, DCACHE_NOT_FOUND, "peek");
    if (rc == 0 && item_number(&e.value) < 0)
        stress_fault(w->board, "worker %u: peek at a strange item", w->number);
    dcache_entry_clear(&e);
    rc = dcache_peekitem(w->cache, rng_below(&w->rng, 2) ? DCACHE_BACK : DCACHE_FRONT, NULL, &e);
    stress_expect_or(w, rc, DCACHE_NOT_FOUND, "peekitem");
    dcache_entry_clear(&e);
}

/* ---- transactions -------------------------------------------------------------------------- */

static int add_to(dcache *txn, unsigned account, int64_t amount)
{
    struct named n;
    struct dcache_value delta = dcache_int(amount), sum;
    struct dcache_incr_options options = DCACHE_OPTIONS(struct dcache_incr_options);

    options.flags = DCACHE_PINNED;
    return dcache_incr(txn, named(&n, "account", account), &delta, &options, &sum);
}

/* From one account to another; sometimes with a nested transaction, that is rolled back or not,
 * sometimes all of it is rolled back. The sum stays 0. */
static void op_transfer(struct worker *w)
{
    unsigned from = rng_below(&w->rng, ACCOUNTS), to = rng_below(&w->rng, ACCOUNTS);
    unsigned kind = rng_below(&w->rng, 8);
    dcache *txn, *inner;
    struct named n;
    struct dcache_value value = random_value(w);
    int rc = dcache_begin(w->cache, -1, &txn);

    stress_expect(w, rc, "begin");
    if (rc != 0)
        return;
    stress_expect(w, add_to(txn, from, -(int)kind - 1), "incr in a transaction");
    if (kind < 4) {
        stress_expect(w, dcache_begin(txn, -1, &inner), "begin a nested transaction");
        stress_expect(w, add_to(inner, to, 7), "incr in a nested transaction");
        stress_expect(w, dcache_set(inner, random_key(w, &n), &value, NULL), "set, nested");
        if (kind < 2) {
            dcache_rollback(inner);
            stress_expect(w, add_to(txn, to, kind + 1), "incr after a nested rollback");
        } else {
            stress_expect(w, dcache_commit(inner), "commit a nested transaction");
            stress_expect(w, add_to(txn, to, (int)kind + 1 - 7), "incr after a nested commit");
        }
    } else {
        stress_expect(w, dcache_set(txn, random_key(w, &n), &value, NULL), "set in a transaction");
        stress_expect(w, add_to(txn, to, kind + 1), "incr in a transaction");
    }
    if (kind == 7)
        dcache_rollback(txn);
    else
        stress_expect(w, dcache_commit(txn), "commit");
}

int64_t stress_sum(struct worker *w, dcache *cache)
{
    struct named names[ACCOUNTS];
    struct dcache_value keys[ACCOUNTS];
    struct dcache_entry entries[ACCOUNTS];
    int64_t sum = 0;

    for (unsigned i = 0; i < ACCOUNTS; i++)
        keys[i] = *named(&names[i], "account", i);
    stress_expect(w, dcache_get_many(cache, keys, ACCOUNTS, NULL, entries), "get_many");
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        if (entries[i].status != 0 || entries[i].value.type != DCACHE_INT)
            stress_fault(w->board, "account %u is gone: %d", i, entries[i].status);
        else
            sum += entries[i].value.integer;
        dcache_entry_clear(&entries[i]);
    }
    return sum;
}

static void op_sum(struct worker *w)
{
    int64_t sum = stress_sum(w, w->cache);

    if (sum != 0)
        stress_fault(w->board, "the accounts sum up to %lld: half a transaction", (long long)sum);
}

void stress_set_up(dcache *cache)
{
    for (unsigned i = 0; i < ACCOUNTS; i++)
        if (add_to(cache, i, 0) != 0)
            die("cannot open the accounts");
}

/* ---- all of them --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*call)(struct worker *);
    unsigned weight; /* of 10000 */
} table[] = {
    {"set", op_set, 1500},          {"add", op_add, 500},
    {"get", op_get, 2000},          {"get_fd", op_get_fd, 300},
    {"pop", op_pop, 300},           {"contains", op_contains, 500},
    {"delete", op_delete, 400},     {"touch", op_touch, 400},
    {"incr", op_incr, 800},         {"get_many", op_get_many, 200},
    {"set_many", op_set_many, 150}, {"delete_many", op_delete_many, 50},
    {"push", op_push, 600},         {"pull", op_pull, 600},
    {"peek", op_peek, 150},         {"transfer", op_transfer, 500},
    {"sum", op_sum, 400},           {"iterate", stress_iterate, 20},
    {"expire", stress_expire, 20},  {"evict", stress_evict, 20},
    {"cull", stress_cull, 20},      {"check", stress_check, 6},
    {"stats", stress_stats, 40},    {"settings", stress_settings, 20},
    {"backup", stress_backup, 3},   {"fresh", op_fresh, 500},
    {"compact", stress_compact, 5},
};
enum { TABLE = sizeof table / sizeof *table };

_Static_assert(sizeof table / sizeof *table <= OPERATIONS, "a place to count each operation");

int stress_shards;

int stress_open(const char *directory, const struct dcache_open_options *options,
                dcache **ret_cache)
{
    return stress_shards ? dcache_open_fanout(directory, stress_shards, options, ret_cache)
                         : dcache_open(directory, options, ret_cache);
}

static int is_possible(void (*call)(struct worker *))
{
    return stress_shards == 0 ||
           (call != op_push && call != op_pull && call != op_peek && call != op_sum);
}

const char *stress_name(unsigned operation)
{
    return operation < TABLE ? table[operation].name : NULL;
}

void stress_step(struct worker *w)
{
    unsigned r = rng_below(&w->rng, 10000), i = 0;

    while (i < TABLE && r >= table[i].weight)
        r -= table[i++].weight;
    if (i < TABLE && is_possible(table[i].call)) {
        table[i].call(w);
        w->board->done[i]++;
    }
}

static void drain(struct worker *w, const char *queue)
{
    struct dcache_entry e;
    int rc;

    while ((rc = dcache_pull(w->cache, queue, DCACHE_FRONT, NULL, &e)) == 0) {
        delivered(w, &e.value);
        dcache_entry_clear(&e);
    }
    stress_expect_or(w, rc, DCACHE_NOT_FOUND, "pull at the end");
}

static void verify_counters(struct worker *w)
{
    for (unsigned i = 0; i < COUNTERS; i++) {
        struct named n;
        struct dcache_entry e;
        int rc = dcache_get(w->cache, named(&n, "counter", i), NULL, &e);

        if (rc != 0 && w->board->counter[i] == 0)
            continue;
        if (rc != 0 || e.value.integer != w->board->counter[i])
            stress_fault(w->board, "counter %u is %lld after %lld increments", i,
                         rc ? -1LL : (long long)e.value.integer, (long long)w->board->counter[i]);
        dcache_entry_clear(&e);
    }
}

void stress_verify(struct board *board, const char *directory)
{
    struct worker w = {.board = board, .directory = directory, .number = 999};
    struct dcache_report report = {0};
    struct dcache_stats stats = {0};
    unsigned lost = 0;

    stress_expect(&w, stress_open(directory, NULL, &w.cache), "open at the end");
    if (w.cache == NULL)
        return;
    stress_expect(&w, dcache_check(w.cache, 0, &report), "check at the end");
    for (size_t i = 0; i < report.count; i++)
        stress_fault(board, "check at the end: %s", report.problems[i].text);
    dcache_report_clear(&report);
    verify_counters(&w);
    op_sum(&w);
    if (stress_shards == 0) {
        drain(&w, NULL);
        drain(&w, "queue");
    }
    for (int64_t i = 0; i < board->pushed; i++)
        lost += board->item[i] != 2;
    if (lost > 0)
        stress_fault(board, "%u queue items were never delivered", lost);
    stress_expect(&w, dcache_stats(w.cache, 0, &stats), "stats at the end");
    board->evictions = stats.evictions;
    dcache_close(w.cache);
}
