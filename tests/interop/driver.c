/* driver.c - libdiskcache behind a line protocol, for interop.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One request a line, words separated by blanks; one answer a line: "ok ..." or "err NUMBER TEXT".
 * For values see words.h. */
#include "requests.h"

static dcache *cache;       /* the handle that requests work on: innermost transaction */
static dcache *handles[16]; /* the cache and the transactions around it */
static size_t depth;

/* key value tag expire_time(-: never) kind size filename(-: none) */
static void print_entry(struct dcache_entry *e)
{
    print_value(&e->key);
    print_value(&e->value);
    print_value(&e->tag);
    if (e->expire_time == DCACHE_NEVER)
        printf(" -");
    else
        printf(" %.6f", e->expire_time);
    printf(" %d %" PRId64 " %s", (int)e->kind, e->size, e->filename ? e->filename : "-");
    printf(" %.6f %.6f %" PRId64, e->store_time, e->access_time, e->access_count);
}

static void answer_entry(int rc, struct dcache_entry *e)
{
    if (rc < 0) {
        answer(rc);
    } else {
        printf("ok");
        print_entry(e);
        (void)putchar('\n');
    }
    dcache_entry_clear(e);
}

/* By pointer: arguments are evaluated in any order, the call that gives `rc` sets the number. */
static void answer_number(int rc, const int64_t *number)
{
    if (rc < 0)
        answer(rc);
    else
        printf("ok %" PRId64 "\n", *number);
}

/* ---- requests ------------------------------------------------------------------------------ */

static double number(void)
{
    const char *w = word();

    return w != NULL ? strtod(w, NULL) : 0;
}

/* DIRECTORY FLAGS TIMEOUT [name value]...; `shards` negative: one directory */
static void open_cache(int shards)
{
    struct dcache_setting settings[16];
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    const char *directory = word(), *name;
    int rc;

    options.flags = (unsigned)number();
    options.timeout = number();
    options.settings = settings;
    while (options.settings_count < 16 && (name = word()) != NULL) {
        settings[options.settings_count].name = name;
        settings[options.settings_count++].value = parse_value(word());
    }
    if (getenv("TEST_MEMTABLE") && options.settings_count < 16) {
        settings[options.settings_count].name = "memtable_size";
        settings[options.settings_count++].value = dcache_int(
            strtoll(getenv("TEST_MEMTABLE"), NULL, 10));
    }
    rc = shards < 0 ? dcache_open(directory, &options, &cache)
                    : dcache_open_fanout(directory, shards, &options, &cache);
    if (rc == 0) {
        depth = 0;
        handles[0] = cache;
    }
    answer(rc);
}

/* open DIRECTORY FLAGS TIMEOUT [name value]... */
static void do_open(void)
{
    open_cache(-1);
}

/* fanout SHARDS DIRECTORY FLAGS TIMEOUT [name value]... */
static void do_fanout(void)
{
    open_cache((int)number());
}

/* named KIND NAME: from here on, that cache of the fanout's */
static void do_named(void)
{
    const char *kind = word();
    dcache *named;
    int rc = dcache_open_named(cache, kind, word(), NULL, &named);

    if (rc == 0) {
        dcache_close(cache);
        cache = handles[0] = named;
    }
    answer(rc);
}

/* set KEY VALUE [EXPIRE [TAG [FLAGS]]]: EXPIRE 0 is never */
static void store(int (*call)(dcache *, const struct dcache_value *, const struct dcache_value *,
                              const struct dcache_set_options *))
{
    struct dcache_value key = parse_value(word()), value = parse_value(word()), tag;
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    const char *w;

    options.expire = number();
    tag = (w = word()) != NULL ? parse_value(w) : dcache_none();
    options.tag = &tag;
    options.flags = (unsigned)number();
    answer(call(cache, &key, &value, &options));
}

/* get KEY [FLAGS] */
static void look(int (*call)(dcache *, const struct dcache_value *,
                             const struct dcache_get_options *, struct dcache_entry *))
{
    struct dcache_value key = parse_value(word());
    struct dcache_get_options options = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_entry entry;
    int rc;

    options.flags = (unsigned)number();
    rc = call(cache, &key, &options, &entry);
    answer_entry(rc, &entry);
}

static void do_touch(void)
{
    struct dcache_value key = parse_value(word());
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);

    options.expire = number();
    answer(dcache_touch(cache, &key, &options));
}

/* incr KEY DELTA [INITIAL] */
static void do_incr(void)
{
    struct dcache_value key = parse_value(word()), delta = parse_value(word()), initial, sum;
    struct dcache_incr_options options = DCACHE_OPTIONS(struct dcache_incr_options);
    const char *w = word();
    int rc;

    if (w != NULL) {
        initial = parse_value(w);
        options.initial = &initial;
    }
    rc = dcache_incr(cache, &key, &delta, &options, &sum);
    if (rc < 0) {
        answer(rc);
        return;
    }
    printf("ok");
    print_value(&sum);
    (void)putchar('\n');
}

static const char *queue_name(void)
{
    const char *w = word();

    return w == NULL || strcmp(w, "-") == 0 ? NULL : w;
}

/* push QUEUE(-: NULL) SIDE VALUE [EXPIRE [TAG]] */
static void do_push(void)
{
    const char *prefix = queue_name();
    enum dcache_side side = number() != 0 ? DCACHE_BACK : DCACHE_FRONT;
    struct dcache_value value = parse_value(word()), tag, key;
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);
    const char *w;
    int rc;

    options.expire = number();
    tag = (w = word()) != NULL ? parse_value(w) : dcache_none();
    options.tag = &tag;
    rc = dcache_push(cache, prefix, side, &value, &options, &key);
    if (rc < 0) {
        answer(rc);
        return;
    }
    printf("ok");
    print_value(&key);
    (void)putchar('\n');
    dcache_value_clear(&key);
}

static void take(int (*call)(dcache *, const char *, enum dcache_side,
                             const struct dcache_get_options *, struct dcache_entry *))
{
    const char *prefix = queue_name();
    enum dcache_side side = number() != 0 ? DCACHE_BACK : DCACHE_FRONT;
    struct dcache_entry entry;
    int rc = call(cache, prefix, side, NULL, &entry);

    answer_entry(rc, &entry);
}

static void do_peekitem(void)
{
    enum dcache_side side = number() != 0 ? DCACHE_BACK : DCACHE_FRONT;
    struct dcache_entry entry;
    int rc = dcache_peekitem(cache, side, NULL, &entry);

    answer_entry(rc, &entry);
}

/* iter ORDER FLAGS [PREFIX [TAG]] -> the keys */
static void do_iter(void)
{
    struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
    struct dcache_value prefix, tag;
    struct dcache_entry entry;
    dcache_iter *iter;
    const char *w;
    int rc;

    options.order = number() != 0 ? DCACHE_BY_KEY : DCACHE_BY_INSERTION;
    options.flags = (unsigned)number();
    if ((w = word()) != NULL && strcmp(w, "n") != 0) {
        prefix = parse_value(w);
        options.prefix = &prefix;
    }
    if ((w = word()) != NULL) {
        tag = parse_value(w);
        options.tag = &tag;
    }
    rc = dcache_iter_open(cache, &options, &iter);
    if (rc < 0) {
        answer(rc);
        return;
    }
    printf("ok");
    while ((rc = dcache_iter_next(iter, &entry)) == 0) {
        print_value(&entry.key);
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    printf(rc == DCACHE_NOT_FOUND ? "\n" : " FAILED:%d\n", rc);
}

/* set_many KEY VALUE KEY VALUE ... */
static void do_set_many(void)
{
    static struct dcache_value keys[4096], values[4096];
    size_t count = 0;
    const char *w;

    while (count < 4096 && (w = word()) != NULL) {
        keys[count] = parse_value(w);
        values[count++] = parse_value(word());
    }
    answer(dcache_set_many(cache, keys, values, count, NULL));
}

static void do_check(void)
{
    struct dcache_report report = {0};
    int rc = dcache_check(cache, number() != 0, &report);

    if (rc < 0) {
        answer(rc);
    } else {
        printf("ok %zu", report.count);
        for (size_t i = 0; i < report.count; i++)
            printf(" [%d %s]", (int)report.problems[i].kind, report.problems[i].text);
        (void)putchar('\n');
    }
    dcache_report_clear(&report);
}

static void do_setting(void)
{
    const char *name = word(), *w = word();
    struct dcache_value value;
    int rc;

    if (w != NULL) {
        value = parse_value(w);
        answer(dcache_setting_set(cache, name, &value));
        return;
    }
    rc = dcache_setting_get(cache, name, &value);
    if (rc < 0) {
        answer(rc);
        return;
    }
    printf("ok");
    print_value(&value);
    (void)putchar('\n');
    dcache_value_clear(&value);
}

static void do_settings(void)
{
    struct dcache_setting *settings = NULL;
    size_t count = 0;
    int rc = dcache_settings(cache, &settings, &count);

    if (rc < 0) {
        answer(rc);
        return;
    }
    printf("ok");
    for (size_t i = 0; i < count; i++) {
        printf(" %s", settings[i].name);
        print_value(&settings[i].value);
    }
    (void)putchar('\n');
    dcache_settings_free(settings, count);
}

static void do_hash(void)
{
    const char *w;

    printf("ok");
    while ((w = word()) != NULL) {
        struct dcache_value key = parse_value(w);

        printf(" %" PRIu32, dcache_hash(&key));
    }
    (void)putchar('\n');
}

static void do_begin(void)
{
    dcache *txn;
    int rc = depth == 15 ? DCACHE_INVALID : dcache_begin(cache, -1, &txn);

    if (rc == 0)
        cache = handles[++depth] = txn;
    answer(rc);
}

static void do_end(int commit)
{
    int rc = 0;

    if (depth == 0)
        die("no transaction to end");
    if (commit)
        rc = dcache_commit(cache);
    else
        dcache_rollback(cache);
    cache = handles[--depth];
    answer(rc);
}

static void do_stats(void)
{
    struct dcache_stats s;
    int rc = dcache_stats(cache, number() != 0, &s);

    if (rc < 0)
        answer(rc);
    else
        printf("ok %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
               " %" PRId64 "\n",
               s.hits, s.misses, s.evictions, s.count, s.expired, s.file_bytes, s.db_bytes,
               s.wal_bytes);
}

/* ---- the worker of the concurrent test ------------------------------------------------------ */

/* Both languages know the values by heart: `size` times the same byte, which the size gives. */
static unsigned char fill_byte(size_t size)
{
    return (unsigned char)('A' + size % 26);
}

static int whole(const struct dcache_value *v)
{
    const unsigned char *p = v->data;

    if (v->type != DCACHE_BYTES || v->size == 0)
        return 0;
    for (size_t i = 0; i < v->size; i++)
        if (p[i] != fill_byte(v->size))
            return 0;
    return 1;
}

struct worker {
    uint64_t rng;
    int id;
    int64_t incremented, pushed, operations;
    unsigned char *buffer;
    char error[600];
};

static void worker_error(struct worker *w, const char *what, int rc)
{
    if (w->error[0] == 0)
        (void)snprintf(w->error, sizeof w->error, "%s: %s", what, status_text(rc));
}

static void worker_set(struct worker *w, const struct dcache_value *key)
{
    size_t size = rng_below(&w->rng, 4) == 0 ? 32768 + rng_below(&w->rng, 40000)
                                             : 1 + rng_below(&w->rng, 300);
    struct dcache_value value = dcache_bytes(w->buffer, size);
    int rc;

    memset(w->buffer, fill_byte(size), size);
    rc = dcache_set(cache, key, &value, NULL);
    if (rc != 0)
        worker_error(w, "set", rc);
}

static void worker_push(struct worker *w, const char *queue)
{
    char text[64];
    struct dcache_value value;
    int rc;

    (void)snprintf(text, sizeof text, "%d:%" PRId64, w->id, w->pushed);
    value = dcache_text(text);
    rc = dcache_push(cache, queue, DCACHE_BACK, &value, NULL, NULL);
    if (rc != 0)
        worker_error(w, "push", rc);
    else
        w->pushed++;
}

static void worker_pull(struct worker *w, const char *queue)
{
    struct dcache_entry e;
    int rc = dcache_pull(cache, queue, DCACHE_FRONT, NULL, &e);

    if (rc == 0 && e.value.type == DCACHE_TEXT)
        printf(" %.*s", (int)e.value.size, (const char *)e.value.data);
    else if (rc != DCACHE_NOT_FOUND)
        worker_error(w, "pull", rc);
    dcache_entry_clear(&e);
}

/* In place of queues, which a fanout has not: many keys at a time. */
static void worker_many(struct worker *w)
{
    size_t size = 1 + rng_below(&w->rng, 300);
    struct dcache_value keys[8], values[8];
    struct dcache_entry entries[8];
    char names[8][32];
    int rc;

    memset(w->buffer, fill_byte(size), size);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(names[i], sizeof names[i], "key-%u", rng_below(&w->rng, 60));
        keys[i] = dcache_text(names[i]);
        values[i] = dcache_bytes(w->buffer, size);
    }
    rc = dcache_set_many(cache, keys, values, 8, NULL);
    if (rc != 0)
        worker_error(w, "set_many", rc);
    rc = dcache_get_many(cache, keys, 8, NULL, entries);
    for (int i = 0; i < 8; i++) {
        if (rc != 0 || (entries[i].status == 0 && !whole(&entries[i].value)))
            worker_error(w, "get_many", rc);
        dcache_entry_clear(&entries[i]);
    }
}

static void worker_step(struct worker *w)
{
    unsigned choice = rng_below(&w->rng, 100);
    char name[32];
    const char *queue = rng_below(&w->rng, 2) ? "q" : NULL;
    struct dcache_value key, one = dcache_int(1);
    struct dcache_entry e;
    int rc;

    (void)snprintf(name, sizeof name, "key-%u", rng_below(&w->rng, 60));
    key = dcache_text(name);
    if (choice < 40) {
        rc = dcache_get(cache, &key, NULL, &e);
        if (rc != DCACHE_NOT_FOUND && (rc != 0 || !whole(&e.value)))
            worker_error(w, "get", rc);
        dcache_entry_clear(&e);
    } else if (choice < 65) {
        worker_set(w, &key);
    } else if (choice < 75) {
        rc = dcache_delete(cache, &key);
        if (rc != 0 && rc != DCACHE_NOT_FOUND)
            worker_error(w, "delete", rc);
    } else if (choice < 85) {
        key = dcache_text("counter");
        rc = dcache_incr(cache, &key, &one, NULL, NULL);
        if (rc == 0)
            w->incremented++;
        else
            worker_error(w, "incr", rc);
    } else if (dcache_shard_count(cache) > 0) {
        worker_many(w);
    } else if (choice < 93) {
        worker_push(w, queue);
    } else {
        worker_pull(w, queue);
    }
    w->operations++;
}

/* work SECONDS ID -> incremented pushed operations error(hex) pulled... (pulled ones first) */
static void do_work(void)
{
    struct worker w = {0};
    int64_t end = now_ns() + (int64_t)(number() * 1e9);

    w.id = (int)number();
    w.rng = (uint64_t)w.id * 7919 + 1;
    w.buffer = must_alloc(80000);
    printf("ok");
    while (now_ns() < end && w.error[0] == 0)
        worker_step(&w);
    free(w.buffer);
    printf(" = %" PRId64 " %" PRId64 " %" PRId64 " ", w.incremented, w.pushed, w.operations);
    print_blob('t', w.error, strlen(w.error));
    (void)putchar('\n');
}

/* ---- the loop ------------------------------------------------------------------------------ */

static int do_cache_wide(const char *verb)
{
    struct dcache_value tag;
    int64_t n = 0;

    if (strcmp(verb, "count") == 0) {
        answer_number(dcache_count(cache, &n), &n);
    } else if (strcmp(verb, "volume") == 0) {
        answer_number(dcache_volume(cache, &n), &n);
    } else if (strcmp(verb, "expire") == 0) {
        answer_number(dcache_expire(cache, number(), &n), &n);
    } else if (strcmp(verb, "cull") == 0) {
        answer_number(dcache_cull(cache, &n), &n);
    } else if (strcmp(verb, "clear") == 0) {
        answer_number(dcache_clear(cache, &n), &n);
    } else if (strcmp(verb, "evict") == 0) {
        tag = parse_value(word());
        answer_number(dcache_evict(cache, &tag, &n), &n);
    } else if (strcmp(verb, "backup") == 0) {
        answer(dcache_backup(cache, word()));
    } else {
        return 0;
    }
    return 1;
}

static void do_contains(void)
{
    struct dcache_value key = parse_value(word());

    answer(dcache_contains(cache, &key));
}

static void do_delete(void)
{
    struct dcache_value key = parse_value(word());

    answer(dcache_delete(cache, &key));
}

static void do_set(void)
{
    store(dcache_set);
}
static void do_add(void)
{
    store(dcache_add);
}
static void do_get(void)
{
    look(dcache_get);
}
static void do_pop(void)
{
    look(dcache_pop);
}
static void do_pull(void)
{
    take(dcache_pull);
}
static void do_peek(void)
{
    take(dcache_peek);
}
static void do_commit(void)
{
    do_end(1);
}
static void do_rollback(void)
{
    do_end(0);
}

static void do_close(void)
{
    dcache_close(cache);
    cache = NULL;
    answer(0);
}

static const struct request table[] = {
    REQUEST(open),     REQUEST(close),    REQUEST(set),      REQUEST(add),      REQUEST(get),
    REQUEST(pop),      REQUEST(contains), REQUEST(delete),   REQUEST(touch),    REQUEST(incr),
    REQUEST(push),     REQUEST(pull),     REQUEST(peek),     REQUEST(peekitem), REQUEST(iter),
    REQUEST(set_many), REQUEST(check),    REQUEST(setting),  REQUEST(settings), REQUEST(hash),
    REQUEST(begin),    REQUEST(commit),   REQUEST(rollback), REQUEST(stats),    REQUEST(work),
    REQUEST(fanout),   REQUEST(named),
};

static void run(const char *verb)
{
    if (cache == NULL && strcmp(verb, "open") != 0 && strcmp(verb, "fanout") != 0 &&
        strcmp(verb, "hash") != 0)
        die("%s: no cache is open", verb);
    if (!request_run(table, sizeof table / sizeof *table, verb) && !do_cache_wide(verb))
        die("unknown request: %s", verb);
}

int main(void)
{
    int status = serve(run);

    if (cache != NULL && depth == 0)
        dcache_close(cache);
    return status;
}
