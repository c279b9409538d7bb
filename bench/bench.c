/* bench.c - one measurement of libdiskcache, for bench.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench MODE DIRECTORY SEED OPERATIONS OUTPUT [START SECONDS]
 *
 * Writes one 8-byte number for each call: the row (top byte, see enum row in bench.h) and nanoseconds. With
 * START (nanoseconds of CLOCK_MONOTONIC) it waits until then and works for SECONDS. The same modes,
 * the same keys, values and order are in worker.py. */
#include "bench.h"

enum { PUBLISHED_KEYS = 100, MANY_KEYS = 5000, BATCH = 1000, WARM_UP = 1000, CYCLE = 20000 };
enum { WARM_KEYS = 200000 }; /* gets: the ring grows some 20 ms after it came round */
enum { MEMTABLE = 32 << 20, WIDE = 512 << 20 }; /* bytes */

static uint64_t *samples;
static size_t sample_count, sample_room;
static dcache *cache;
const char *directory;
unsigned operations;
static uint64_t rng;
static int fanout;       /* of "fanout-" and a mode: on a cache of eight shards */
static int64_t memtable; /* bytes: of "memtable-" and a mode, as by default; else 0 */

void expect(int rc, const char *what)
{
    if (rc != 0)
        die("%s: %s", what, status_text(rc));
}

void record(enum row row, int64_t ns)
{
    if (sample_count == sample_room) {
        sample_room = sample_room ? sample_room * 2 : 1 << 16;
        samples = realloc(samples, sample_room * sizeof *samples);
        if (samples == NULL)
            die("out of memory");
    }
    samples[sample_count++] = (uint64_t)row << 56 | (uint64_t)ns;
}

static void open_cache(const char *setting, const char *text, int64_t number)
{
    struct dcache_setting settings[2] = {
        {"memtable_size", dcache_int(memtable)},
        {setting, text ? dcache_text(text) : dcache_int(number)},
    };
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.settings = settings;
    options.settings_count = setting ? 2 : 1;
    expect(fanout ? dcache_open_fanout(directory, 8, &options, &cache)
                  : dcache_open(directory, &options, &cache),
           "open");
}

static int64_t timed_set(const struct dcache_value *key, const struct dcache_value *value)
{
    int64_t start = now_ns();
    int rc = dcache_set(cache, key, value, NULL);

    start = now_ns() - start;
    expect(rc, "set");
    return start;
}

/* The status through `ret_found`: 1 or 0. */
static int64_t timed_get(const struct dcache_value *key, int *ret_found)
{
    struct dcache_entry e;
    int64_t start = now_ns();
    int rc = dcache_get(cache, key, NULL, &e);

    dcache_entry_clear(&e);
    start = now_ns() - start;
    if (rc != DCACHE_NOT_FOUND)
        expect(rc, "get");
    *ret_found = rc == 0;
    return start;
}

/* ---- the published workload ----------------------------------------------------------------- */

/* Operation n of the sequence: 90 % get, 9 % set, 1 % delete over 100 keys of bytes; the value is
 * the number's digits, 1 to 99 times. It is made just before, as values are. */
struct step {
    enum row row;
    char key[12], digits[12];
    unsigned times;
};

static struct step *make_steps(unsigned count)
{
    struct step *steps = must_alloc(count * sizeof *steps);

    for (unsigned n = 0; n < count; n++) {
        struct step *s = &steps[n];
        unsigned choice = rng_below(&rng, 1000);
        unsigned key = rng_below(&rng, PUBLISHED_KEYS);

        s->times = 1 + rng_below(&rng, TIMES_MOST);
        s->row = choice < 900 ? GET : choice < 990 ? SET : DELETE;
        (void)snprintf(s->key, sizeof s->key, "%u", key);
        (void)snprintf(s->digits, sizeof s->digits, "%u", n);
    }
    return steps;
}

static struct dcache_value value_of(const struct step *s)
{
    static char data[sizeof s->digits * TIMES_MOST];
    size_t length = strlen(s->digits);

    for (unsigned i = 0; i < s->times; i++)
        memcpy(data + i * length, s->digits, length);
    return dcache_bytes(data, length * s->times);
}

static void one_step(const struct step *s, int recorded)
{
    struct dcache_value key = dcache_bytes(s->key, strlen(s->key));
    struct dcache_value value;
    int found = 1, rc;
    int64_t ns;

    if (s->row == GET) {
        ns = timed_get(&key, &found);
    } else if (s->row == SET) {
        value = value_of(s);
        ns = timed_set(&key, &value);
    } else {
        ns = now_ns();
        rc = dcache_delete(cache, &key);
        ns = now_ns() - ns;
        if (rc != DCACHE_NOT_FOUND)
            expect(rc, "delete");
    }
    if (recorded)
        record(found ? s->row : GET_MISS, ns);
}

static void mode_published(int64_t start, double seconds)
{
    unsigned count = start ? CYCLE : operations + WARM_UP;
    struct step *steps = make_steps(count);
    int64_t end = start + (int64_t)(seconds * 1e9);

    open_cache(NULL, NULL, 0);
    if (start == 0) {
        for (unsigned n = 0; n < count; n++)
            one_step(&steps[n], n >= WARM_UP);
    } else {
        for (unsigned n = 0; n < 100; n++)
            one_step(&steps[n], 0);
        while (now_ns() < start)
            sleep_us(200);
        for (unsigned n = 0; now_ns() < end; n = (n + 1) % count)
            one_step(&steps[n], 1);
    }
    free(steps);
    dcache_close(cache);
}

/* ---- the others ----------------------------------------------------------------------------- */

static struct dcache_value numbered(char *text, size_t size, const char *prefix, unsigned number)
{
    (void)snprintf(text, size, "%s-%u", prefix, number);
    return dcache_text(text);
}

static void walk(void)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_entry e;
    dcache_iter *iter;
    int64_t start = now_ns(), count = 0;

    options.flags = DCACHE_NO_VALUE;
    expect(dcache_iter_open(cache, &options, &iter), "iter_open");
    while (dcache_iter_next(iter, &e) == 0) {
        dcache_entry_clear(&e);
        count++;
    }
    dcache_iter_close(iter);
    record(ITERATE, (now_ns() - start) / (count ? count : 1));
    if (count != MANY_KEYS)
        die("iteration: %lld items", (long long)count);
}

static void mode_5000(void)
{
    static char data[100];
    char text[32];
    struct dcache_value key, value = dcache_bytes(data, sizeof data);
    int found;

    memset(data, 'x', sizeof data);
    open_cache(NULL, NULL, 0);
    for (unsigned n = 0; n < MANY_KEYS; n++) {
        key = numbered(text, sizeof text, "key", n);
        record(INSERT, timed_set(&key, &value));
    }
    for (unsigned n = 0; n < operations; n++) {
        key = numbered(text, sizeof text, "key", rng_below(&rng, MANY_KEYS));
        memset(data, (int)('a' + n % 26), sizeof data);
        record(SET_5000, timed_set(&key, &value));
    }
    for (unsigned n = 0; n < operations * 2; n++) {
        key = numbered(text, sizeof text, "key", rng_below(&rng, MANY_KEYS));
        record(GET_5000, timed_get(&key, &found));
        if (!found)
            die("a key is missing");
    }
    for (int n = 0; n < 5; n++)
        walk();
    dcache_close(cache);
}

static void mode_many(void)
{
    static struct dcache_value keys[BATCH], values[BATCH];
    static char names[BATCH][32], data[100];
    int64_t start;

    memset(data, 'x', sizeof data);
    open_cache(NULL, NULL, 0);
    for (unsigned n = 0; n < operations; n++) {
        for (unsigned i = 0; i < BATCH; i++) {
            keys[i] = numbered(names[i], sizeof names[i], "key", n % 5 * BATCH + i);
            values[i] = dcache_bytes(data, sizeof data);
        }
        start = now_ns();
        expect(dcache_set_many(cache, keys, values, BATCH, NULL), "set_many");
        record(SET_MANY, (now_ns() - start) / BATCH);
    }
    dcache_close(cache);
}

/* Of `many` keys: any of them, and one of a thousand that are used all the time. */
static void use_keys(unsigned many, const struct dcache_value *value, const enum row rows[4])
{
    const unsigned of[4] = {BATCH, BATCH, many, many};
    char text[32];
    int found;

    for (unsigned n = 0; n < operations; n++)
        for (int i = 0; i < 4; i++) {
            struct dcache_value key = numbered(text, sizeof text, "key", rng_below(&rng, of[i]));

            record(rows[i], i % 2 ? timed_get(&key, &found) : timed_set(&key, value));
        }
}

/* With the memtable as it is, then with one that all of them fit into, when they have been read often: what
 * was read first was lost when it grew. */
static void mode_keys(unsigned many)
{
    static const enum row as_it_is[] = {SET, GET, SET_5000, GET_5000};
    static const enum row wide[] = {SET_WIDE, GET_WIDE, SET_ANY_WIDE, GET_ANY_WIDE};
    static struct dcache_value keys[BATCH], values[BATCH];
    static char names[BATCH][32], data[100];
    int found;

    memset(data, 'x', sizeof data);
    open_cache(NULL, NULL, 0);
    for (unsigned n = 0; n < many; n += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            keys[i] = numbered(names[i], sizeof names[i], "key", n + i);
            values[i] = dcache_bytes(data, sizeof data);
        }
        expect(dcache_set_many(cache, keys, values, BATCH, NULL), "set_many");
    }
    use_keys(many, &values[0], as_it_is);
    dcache_close(cache);
    memtable = WIDE;
    open_cache(NULL, NULL, 0);
    for (unsigned n = 0; n < 2 * many || n < WARM_KEYS; n++) {
        keys[0] = numbered(names[0], sizeof names[0], "key", n % many);
        (void)timed_get(&keys[0], &found);
    }
    use_keys(many, &values[0], wide);
    dcache_close(cache);
}

static void mode_incr(void)
{
    struct dcache_value key = dcache_text("counter"), one = dcache_int(1), sum;
    int64_t start;

    open_cache(NULL, NULL, 0);
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_incr(cache, &key, &one, NULL, &sum), "incr");
        record(INCR, now_ns() - start);
    }
    dcache_close(cache);
}

static void mode_queue(void)
{
    char data[100] = {0};
    struct dcache_value value = dcache_bytes(data, sizeof data);
    struct dcache_entry e;
    int64_t start;

    open_cache(NULL, NULL, 0);
    for (unsigned n = 0; n < 20; n++)
        expect(dcache_push(cache, NULL, DCACHE_BACK, &value, NULL, NULL), "push");
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_push(cache, NULL, DCACHE_BACK, &value, NULL, NULL), "push");
        expect(dcache_pull(cache, NULL, DCACHE_FRONT, NULL, &e), "pull");
        dcache_entry_clear(&e);
        record(QUEUE, now_ns() - start);
    }
    dcache_close(cache);
}

static void fill_hundred(void)
{
    char text[32], data[100] = {0};
    struct dcache_value key, value = dcache_bytes(data, sizeof data);

    for (unsigned n = 0; n < PUBLISHED_KEYS; n++) {
        key = numbered(text, sizeof text, "key", n);
        expect(dcache_set(cache, &key, &value, NULL), "set");
    }
}

static void mode_open(void)
{
    int64_t start;

    open_cache(NULL, NULL, 0);
    fill_hundred();
    dcache_close(cache);
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        open_cache(NULL, NULL, 0);
        record(OPEN, now_ns() - start);
        dcache_close(cache);
    }
}

static void mode_policy(const char *setting, const char *text, int64_t number)
{
    char name[32];
    struct dcache_value key;
    int found;

    open_cache(setting, text, number);
    fill_hundred();
    for (unsigned n = 0; n < operations; n++) {
        key = numbered(name, sizeof name, "key", rng_below(&rng, PUBLISHED_KEYS));
        record(GET_POLICY, timed_get(&key, &found));
        if (!found)
            die("a key is missing");
    }
    dcache_close(cache);
}

/* KEYS-GETS */
static void mode_saturate(const char *arguments, int64_t start, double seconds)
{
    unsigned keys, gets;

    if (sscanf(arguments, "%u-%u", &keys, &gets) != 2)
        die("not a number of keys and one of gets: %s", arguments);
    open_cache(NULL, NULL, 0);
    saturate(cache, &rng, keys, gets, start, seconds);
    dcache_close(cache);
}

static void run(const char *mode, int64_t start, double seconds)
{
    fanout = strncmp(mode, "fanout-", 7) == 0;
    mode += fanout ? 7 : 0;
    memtable = strncmp(mode, "memtable-", 9) == 0 ? MEMTABLE : 0;
    mode += memtable ? 9 : 0;
    if (strcmp(mode, "published") == 0)
        mode_published(start, seconds);
    else if (strcmp(mode, "5000") == 0)
        mode_5000();
    else if (strcmp(mode, "many") == 0)
        mode_many();
    else if (strcmp(mode, "incr") == 0)
        mode_incr();
    else if (strcmp(mode, "queue") == 0)
        mode_queue();
    else if (strcmp(mode, "open") == 0)
        mode_open();
    else if (strcmp(mode, "lru") == 0)
        mode_policy("eviction_policy", "least-recently-used", 0);
    else if (strcmp(mode, "lfu") == 0)
        mode_policy("eviction_policy", "least-frequently-used", 0);
    else if (strcmp(mode, "statistics") == 0)
        mode_policy("statistics", NULL, 1);
    else if (strcmp(mode, "deque") == 0)
        mode_deque();
    else if (strcmp(mode, "deque-index") == 0)
        mode_deque_index();
    else if (strcmp(mode, "index") == 0)
        mode_index();
    else if (strncmp(mode, "saturate-", 9) == 0)
        mode_saturate(mode + 9, start, seconds);
    else if (strncmp(mode, "keys-", 5) == 0)
        mode_keys((unsigned)to_number(mode + 5));
    else if (!run_recipe(mode))
        die("unknown mode: %s", mode);
}

int main(int argc, char **argv)
{
    FILE *output;

    if (argc < 6)
        die("usage: bench MODE DIRECTORY SEED OPERATIONS OUTPUT [START SECONDS]");
    directory = argv[2];
    rng = (uint64_t)to_number(argv[3]);
    operations = (unsigned)to_number(argv[4]);
    run(argv[1], argc > 7 ? to_number(argv[6]) : 0, argc > 7 ? to_seconds(argv[7]) : 0);
    output = fopen(argv[5], "wb");
    if (output == NULL || fwrite(samples, sizeof *samples, sample_count, output) != sample_count ||
        fclose(output) != 0)
        die("%s: %m", argv[5]);
    free(samples);
    return 0;
}
