/* writer.c - a process of torture.c that writes until it is killed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

static dcache *cache;
static struct ledger *all;
static struct writer *me;
static unsigned my_number;
static uint64_t rng;
static unsigned char *buffers[BATCH];

static void expect(int rc, const char *what)
{
    if (rc != 0) {
        me->failed = 1;
        die("writer %u: %s: %s", my_number, what, status_text(rc));
    }
}

static struct dcache_value version_of(unsigned slot, unsigned key, unsigned version)
{
    size_t size = value_size(my_number, key, version);

    value_fill(buffers[slot], size, my_number, key, version);
    return dcache_bytes(buffers[slot], size);
}

/* Note what is about to happen: the fields first, then that it does. */
static void announce(enum doing doing, unsigned first, unsigned count, unsigned next)
{
    me->first = first;
    me->count = count;
    me->next = next;
    me->doing = doing;
}

static unsigned newest(unsigned first, unsigned count)
{
    static unsigned last; /* never a version twice, not even after a deletion or a death */

    for (unsigned k = first; k < first + count; k++)
        if (me->version[k] > last)
            last = me->version[k];
    if (me->next > last)
        last = me->next;
    return ++last;
}

static void settle(unsigned first, unsigned count, unsigned version)
{
    for (unsigned k = first; k < first + count; k++)
        me->version[k] = version;
    me->doing = IDLE;
}

static void set_one(void)
{
    unsigned key = rng_below(&rng, KEYS), version = newest(key, 1);
    char name[32];
    struct dcache_value k = key_value(name, sizeof name, my_number, key);
    struct dcache_value v = version_of(0, key, version);

    announce(SETTING, key, 1, version);
    expect(dcache_set(cache, &k, &v, NULL), "set");
    settle(key, 1, version);
}

/* BATCH keys, as set_many or as single sets in a transaction. */
static void set_batch(int as_transaction, int give_up)
{
    unsigned first = rng_below(&rng, KEYS - BATCH), version = newest(first, BATCH);
    char names[BATCH][32];
    struct dcache_value keys[BATCH], values[BATCH];
    dcache *txn;

    for (unsigned i = 0; i < BATCH; i++) {
        keys[i] = key_value(names[i], sizeof names[i], my_number, first + i);
        values[i] = version_of(i, first + i, version);
    }
    announce(give_up ? ROLLING : SETTING, first, BATCH, version);
    if (!as_transaction) {
        expect(dcache_set_many(cache, keys, values, BATCH, NULL), "set_many");
    } else {
        expect(dcache_begin(cache, -1, &txn), "begin");
        for (unsigned i = 0; i < BATCH; i++)
            expect(dcache_set(txn, &keys[i], &values[i], NULL), "set in a transaction");
        if (give_up)
            dcache_rollback(txn);
        else
            expect(dcache_commit(txn), "commit");
    }
    if (give_up)
        me->doing = IDLE;
    else
        settle(first, BATCH, version);
}

static void delete_one(void)
{
    unsigned key = rng_below(&rng, KEYS), version = newest(key, 1);
    char name[32];
    struct dcache_value k = key_value(name, sizeof name, my_number, key);
    int rc;

    announce(DELETING, key, 1, version);
    rc = dcache_delete(cache, &k);
    if (rc != (me->version[key] ? 0 : DCACHE_NOT_FOUND)) {
        me->failed = 1;
        die("writer %u: delete of a key that is %s: %s", my_number,
            me->version[key] ? "there" : "absent", status_text(rc));
    }
    settle(key, 1, 0);
}

/* The common counter and one's own in one transaction: both or none. */
static void count_up(void)
{
    char name[32];
    struct dcache_value own, common = dcache_text("common"), one = dcache_int(1), sum;
    dcache *txn;

    (void)snprintf(name, sizeof name, "counter-%u", my_number);
    own = dcache_text(name);
    announce(COUNTING, 0, 0, me->next);
    expect(dcache_begin(cache, -1, &txn), "begin");
    expect(dcache_incr(txn, &common, &one, NULL, NULL), "incr");
    expect(dcache_incr(txn, &own, &one, NULL, &sum), "incr");
    expect(dcache_commit(txn), "commit");
    if (sum.integer != me->counter + 1) {
        me->failed = 1;
        die("writer %u: counter is %lld, acknowledged were %lld", my_number, (long long)sum.integer,
            (long long)me->counter);
    }
    me->counter++;
    me->doing = IDLE;
}

/* An item is "writer:number:" and padding; some are files. */
static void push(void)
{
    unsigned number = me->pushed;
    size_t size = rng_below(&rng, 8) == 0 ? BIG + 100 : 30 + rng_below(&rng, 200);
    struct dcache_value v = dcache_bytes(buffers[0], size);

    if (number == ITEMS)
        return;
    memset(buffers[0], '.', size);
    (void)snprintf((char *)buffers[0], 30, "%u:%u:", my_number, number);
    me->item[number] = ITEM_PUSHING;
    me->pushed = number + 1;
    announce(PUSHING, 0, 0, me->next);
    expect(dcache_push(cache, "q", DCACHE_BACK, &v, NULL, NULL), "push");
    /* Somebody may have pulled it already. */
    unsigned char was = ITEM_PUSHING;
    (void)atomic_compare_exchange_strong(&me->item[number], &was, ITEM_PUSHED);
    me->doing = IDLE;
}

static void pull(void)
{
    struct dcache_entry e;
    unsigned writer, number;
    int rc;

    announce(PULLING, 0, 0, me->next);
    rc = dcache_pull(cache, "q", DCACHE_FRONT, NULL, &e);
    if (rc == 0) {
        if (!two_numbers(&e.value, WRITERS, ITEMS, &writer, &number)) {
            me->failed = 1;
            die("writer %u: pulled something strange", my_number);
        }
        if (atomic_exchange(&all->writer[writer].item[number], ITEM_PULLED) == ITEM_PULLED) {
            me->failed = 1;
            die("writer %u: item %u:%u is delivered twice", my_number, writer, number);
        }
    } else if (rc != DCACHE_NOT_FOUND) {
        expect(rc, "pull");
    }
    me->doing = IDLE;
    dcache_entry_clear(&e);
}

static void check_and_fix(void)
{
    struct dcache_report report = {0};

    expect(dcache_check(cache, 1, &report), "check(fix)");
    for (size_t i = 0; i < report.count; i++) {
        int kind = (int)report.problems[i].kind;

        if (kind != DCACHE_PROBLEM_STRAY && kind != DCACHE_PROBLEM_EMPTY_DIR) {
            me->failed = 1;
            die("writer %u: check(fix): %s", my_number, report.problems[i].text);
        }
    }
    dcache_report_clear(&report);
}

/* What works on the whole cache, and changes of the schema. None of it takes anything away here:
 * nothing expires, nothing is too large. */
static void maintain(void)
{
    struct dcache_value index = dcache_int(rng_below(&rng, 2));
    struct dcache_value policy = dcache_text(rng_below(&rng, 2) ? "least-recently-used"
                                                                : "least-recently-stored");
    int64_t removed = 0;

    announce(MAINTAINING, 0, 0, me->next);
    switch (rng_below(&rng, 6)) {
    case 0:
        expect(dcache_expire(cache, 0, &removed), "expire");
        break;
    case 1:
        expect(dcache_cull(cache, &removed), "cull");
        break;
    case 2:
        expect(dcache_compact(cache), "compact");
        break;
    case 3:
        expect(dcache_setting_set(cache, "tag_index", &index), "setting tag_index");
        break;
    case 4:
        expect(dcache_setting_set(cache, "eviction_policy", &policy), "setting eviction_policy");
        break;
    default:
        check_and_fix();
    }
    if (removed != 0) {
        me->failed = 1;
        die("writer %u: expire or cull took %lld items", my_number, (long long)removed);
    }
    me->doing = IDLE;
}

static void step(void)
{
    unsigned choice = rng_below(&rng, 100);

    if (choice < 40)
        set_one();
    else if (choice < 50)
        set_batch(0, 0);
    else if (choice < 58)
        set_batch(1, 0);
    else if (choice < 62)
        set_batch(1, 1);
    else if (choice < 70)
        delete_one();
    else if (choice < 81)
        count_up();
    else if (choice < 90)
        push();
    else if (choice < 99)
        pull();
    else
        maintain();
    me->operations++;
}

_Noreturn void writer_run(const char *directory, struct ledger *ledger, unsigned number,
                          uint64_t seed)
{
    int rc = dcache_open(directory, test_options(), &cache), pause;

    all = ledger;
    me = &ledger->writer[number];
    my_number = number;
    rng = seed;
    for (unsigned i = 0; i < BATCH; i++)
        buffers[i] = must_alloc(BIG + 60000);
    expect(rc, "open");
    for (;;) {
        step();
        while ((pause = ledger->pause) != 0) {
            me->paused = pause;
            sleep_us(200);
        }
    }
}
