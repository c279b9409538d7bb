/* history.c - several processes set, get and count up a few keys; afterwards it is asked of each key
 * whether some order of its operations, each at a moment between its begin and its end, explains what
 * every one of them was told (linearizability).
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     history [--processes N] [--seconds S] [--defect]
 *
 * Each value is written once, so the question has a quick answer (Gibbons, Korach, "Testing shared
 * memories", 1997). The operations on one value, its write and those that read it, span a zone: from
 * the end that came first to the begin that came last. If it is forward (so at the time in between the
 * key must have had the value), no other forward zone may overlap it; one that is backward (all happened
 * at once, so any moment of it will do) may not lie within a forward one; and no read may end before its
 * write begins. Counting up reads the value before it and writes its own.
 *
 * Two more keys are counted up in one transaction, so of what is read of them one after the other, the
 * second is never behind the first.
 *
 * --defect changes one read of the history to an earlier value, which has to be found. */
#include "../torture/support.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define PROCESSES 16
#define OPERATIONS 200000 /* a process, at most */
#define KEYS 6            /* the odd ones are counted up */

struct operation {
    int key;
    int writes;
    int64_t value, begin, end;
};

struct log {
    int count;
    struct operation operation[OPERATIONS];
};

struct zone {
    int64_t value, first_end, last_begin, write_begin, read_end;
};

static char directory[] = "/tmp/dcache-history-XXXXXX";
static struct log *logs;
static int processes = 8, defect;
static double seconds = 3;

/* ---- the operations ---- */

static void note(struct log *log, int key, int writes, int64_t value, int64_t begin)
{
    struct operation *o = &log->operation[log->count++];

    *o = (struct operation){key, writes, value, begin, now_ns()};
}

static void get(dcache *cache, struct log *log, int key)
{
    struct dcache_value k = dcache_int(key);
    struct dcache_entry e;
    int64_t begin = now_ns();
    int rc = dcache_get(cache, &k, NULL, &e);

    if (rc != 0)
        die("get: %s", status_text(rc));
    note(log, key, 0, e.value.integer, begin);
    dcache_entry_clear(&e);
}

/* `what`: 99 in a transaction; from 90 on pinned, which is a change of SQLite. */
static void set(dcache *cache, struct log *log, int key, int64_t value, int what)
{
    struct dcache_set_options options = {.struct_size = sizeof options,
                                         .flags = what >= 90 && what < 99 ? DCACHE_PINNED : 0};
    int in_transaction = what == 99;
    struct dcache_value k = dcache_int(key), v = dcache_int(value);
    int64_t begin = now_ns();
    dcache *txn = cache;
    int rc = in_transaction ? dcache_begin(cache, 10, &txn) : 0;

    if (rc == 0)
        rc = dcache_set(txn, &k, &v, &options);
    if (rc == 0 && in_transaction)
        rc = dcache_commit(txn);
    if (rc != 0)
        die("set: %s", status_text(rc));
    note(log, key, 1, value, begin);
}

/* Of which one knows that it has read what was one less. */
static void incr(dcache *cache, struct log *log, int key)
{
    struct dcache_value k = dcache_int(key), one = dcache_int(1), sum;
    int64_t begin = now_ns();
    int rc = dcache_incr(cache, &k, &one, NULL, &sum);

    if (rc != 0)
        die("incr: %s", status_text(rc));
    note(log, key, 0, sum.integer - 1, begin);
    note(log, key, 1, sum.integer, begin);
}

static struct dcache_value twin(int which)
{
    return which ? dcache_text("castor") : dcache_text("pollux");
}

static void incr_twins(dcache *cache, uint64_t *rng, int64_t *ret_value)
{
    struct dcache_value first = twin(0), second = twin(1), one = dcache_int(1), a, b;
    dcache *txn;
    int rc = dcache_begin(cache, 10, &txn);

    if (rc == 0)
        rc = dcache_incr(txn, &first, &one, NULL, &a);
    if (rc == 0)
        rc = dcache_incr(txn, &second, &one, NULL, &b);
    if (rc != 0 || a.integer != b.integer)
        die("twins: %s, %lld %lld", status_text(rc), (long long)a.integer, (long long)b.integer);
    *ret_value = a.integer;
    if (rng_below(rng, 8) == 0) {
        dcache_rollback(txn);
        *ret_value = 0;
    } else if (dcache_commit(txn) != 0) {
        die("twins: no commit");
    }
}

static int64_t get_twin(dcache *cache, int which)
{
    struct dcache_value key = twin(which);
    struct dcache_entry e;
    int64_t value;
    int rc = dcache_get(cache, &key, NULL, &e);

    if (rc != 0 && rc != DCACHE_NOT_FOUND)
        die("get of a twin: %s", status_text(rc));
    value = rc == 0 ? e.value.integer : 0;
    dcache_entry_clear(&e);
    return value;
}

/* `*seen`: what this process knows both of them to have been. */
static void see_twins(dcache *cache, uint64_t *rng, int64_t *seen)
{
    int which = (int)rng_below(rng, 2);
    int64_t one = get_twin(cache, which), other = get_twin(cache, !which);

    if (one < *seen || other < one)
        die("a transaction is seen in part: %lld, %lld after %lld", (long long)other,
            (long long)one, (long long)*seen);
    *seen = one;
}

static int work(int me)
{
    struct log *log = &logs[me];
    int64_t end = now_ns() + (int64_t)(seconds * 1e9), count, seen = 0, mine;
    uint64_t rng = (uint64_t)me + 1;
    dcache *cache;
    int rc = dcache_open(directory, test_options(), &cache);

    if (rc != 0)
        die("open: %s", status_text(rc));
    for (int n = 1; now_ns() < end && log->count + 2 < OPERATIONS; n++) {
        int key = (int)rng_below(&rng, KEYS), what = (int)rng_below(&rng, 100);

        if (what == 0 && dcache_count(cache, &count) != 0)
            die("count");
        else if (what < 5) {
            incr_twins(cache, &rng, &mine);
            seen = mine > seen ? mine : seen;
        } else if (what < 30)
            see_twins(cache, &rng, &seen);
        else if (what < 70)
            get(cache, log, key);
        else if (key % 2 == 1)
            incr(cache, log, key);
        else
            set(cache, log, key, (int64_t)(me + 1) * 10000000 + n, what);
    }
    dcache_close(cache);
    return 0;
}

/* ---- the question ---- */

static int by_value(const void *a, const void *b)
{
    const struct operation *x = a, *y = b;

    return x->value < y->value ? -1 : x->value > y->value;
}

static int by_first_end(const void *a, const void *b)
{
    const struct zone *x = a, *y = b;

    return x->first_end < y->first_end ? -1 : x->first_end > y->first_end;
}

static size_t gather(int key, struct operation *found)
{
    size_t count = 0;

    for (int p = 0; p <= processes; p++)
        for (int i = 0; i < logs[p].count; i++)
            if (logs[p].operation[i].key == key)
                found[count++] = logs[p].operation[i];
    qsort(found, count, sizeof *found, by_value);
    return count;
}

static size_t make_zones(const struct operation *o, size_t count, struct zone *zones)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct zone *z = &zones[n - (n > 0)];

        if (n == 0 || z->value != o[i].value) {
            z = &zones[n++];
            *z = (struct zone){o[i].value, INT64_MAX, INT64_MIN, INT64_MAX, INT64_MAX};
        }
        z->first_end = o[i].end < z->first_end ? o[i].end : z->first_end;
        z->last_begin = o[i].begin > z->last_begin ? o[i].begin : z->last_begin;
        if (o[i].writes)
            z->write_begin = o[i].begin;
        else if (o[i].end < z->read_end)
            z->read_end = o[i].end;
    }
    return n;
}

static int fault(int key, const char *what, int64_t value, int64_t other)
{
    static int told;

    if (told++ < 10)
        printf("key %d: %lld %s %lld\n", key, (long long)value, what, (long long)other);
    return 1;
}

/* How many faults there are. Forward zones are in order and do not overlap when this returns 0. */
static int look(int key, struct zone *zones, size_t n)
{
    const struct zone *forward = NULL;
    int faults = 0;

    qsort(zones, n, sizeof *zones, by_first_end);
    for (size_t i = 0; i < n; i++) {
        const struct zone *z = &zones[i];

        if (z->write_begin == INT64_MAX || z->read_end < z->write_begin)
            faults += fault(key, "was read before it was written", z->value, 0);
        if (z->first_end >= z->last_begin)
            continue;
        if (forward && z->first_end < forward->last_begin)
            faults += fault(key, "was there at one time with", z->value, forward->value);
        if (!forward || z->last_begin > forward->last_begin)
            forward = z;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; zones[i].first_end < zones[i].last_begin && j < n; j++) {
            const struct zone *in = &zones[j];

            if (in->first_end >= zones[i].last_begin)
                break; /* in the order of their ends */
            if (in->first_end >= in->last_begin && in->last_begin > zones[i].first_end)
                faults += fault(key, "came and went in the time of", in->value, zones[i].value);
        }
    return faults;
}

/* A read in the middle is told what was there long before. */
static void seed_defect(struct operation *o, size_t count)
{
    size_t late = 0, early = 0;

    for (size_t i = 0; i < count; i++) {
        if (!o[i].writes && (o[late].writes || o[i].begin > o[late].begin))
            late = i;
        if (o[i].writes && (!o[early].writes || o[i].begin < o[early].begin))
            early = i;
    }
    o[late].value = o[early].value;
    qsort(o, count, sizeof *o, by_value);
}

static int judge(void)
{
    size_t most = (size_t)(processes + 1) * OPERATIONS, operations = 0, values = 0;
    struct operation *found = calloc(most, sizeof *found);
    struct zone *zones = calloc(most, sizeof *zones);
    int faults = 0;

    if (!found || !zones)
        die("out of memory");
    for (int key = 0; key < KEYS; key++) {
        size_t count = gather(key, found), n;

        if (defect && key == 0)
            seed_defect(found, count);
        n = make_zones(found, count, zones);
        faults += look(key, zones, n);
        operations += count;
        values += n;
    }
    free(found);
    free(zones);
    printf("%zu operations on %d keys, %zu values\n", operations, KEYS, values);
    return faults;
}

/* ---- main ---- */

static void begin_with_zero(void)
{
    dcache *cache;
    int rc = dcache_open(directory, test_options(), &cache);

    if (rc != 0)
        die("open: %s", status_text(rc));
    for (int key = 0; key < KEYS; key++)
        set(cache, &logs[processes], key, 0, 0);
    dcache_close(cache);
}

int main(int argc, char **argv)
{
    int faults, status;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--processes") == 0 && i + 1 < argc)
            processes = (int)to_number(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = to_seconds(argv[++i]);
        else if (strcmp(argv[i], "--defect") == 0)
            defect = 1;
        else
            die("usage: history [--processes N] [--seconds S] [--defect]");
    }
    if (processes < 1 || processes > PROCESSES || !mkdtemp(directory))
        die("history: %m");
    logs = mmap(NULL, (size_t)(processes + 1) * sizeof *logs, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (logs == MAP_FAILED)
        die("mmap: %m");
    begin_with_zero();
    for (int p = 0; p < processes; p++)
        if (fork() == 0)
            exit(work(p));
    for (int p = 0; p < processes; p++)
        if (wait(&status) < 0 || status != 0)
            die("a process failed: %d", status);
    faults = judge();
    remove_tree(directory);
    printf("history, %d processes: %s, %d faults\n", processes, faults ? "FAILED" : "ok", faults);
    return (faults > 0) != defect;
}
