/* scenarios.c - each operation in each of its combinations, as something to make fail. What a run
 * finds it checks itself, but only when the operation says that it has succeeded. See scenarios.h. */
#include "scenarios.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPIRY 4e9 /* the same in each run, so that states compare */

/* ---- states before ---- */

static void must_set(dcache *c, const char *key, struct dcache_value value, double expire_at,
                     const char *tag)
{
    struct dcache_value text = tag ? dcache_text(tag) : dcache_none();

    assert_int_equal(dcache_set(c, TEXT(key), &value, SET(.expire_at = expire_at, .tag = &text)),
                     0);
}

static void small_k(struct place *p)
{
    must_set(p->cache, "k", dcache_text("old"), EXPIRY, "t");
}

static void large_k(struct place *p)
{
    must_set(p->cache, "k", large('o'), EXPIRY, "t");
}

static void checksums_k(struct place *p)
{
    assert_int_equal(dcache_setting_set(p->cache, "checksums", INT(1)), 0);
    large_k(p);
}

static void expired_k(struct place *p)
{
    assert_int_equal(dcache_setting_set(p->cache, "cull_limit", INT(0)), 0);
    must_set(p->cache, "k", large('o'), 1, NULL);
}

static void number_k(struct place *p)
{
    must_set(p->cache, "k", dcache_int(41), EXPIRY, NULL);
}

static void several(struct place *p)
{
    must_set(p->cache, "a", dcache_int(1), 0, "x");
    must_set(p->cache, "b", large('b'), 0, "x");
    must_set(p->cache, "c", dcache_text("three"), EXPIRY, "y");
    must_set(p->cache, "d", large('d'), 0, NULL);
}

static void several_expired(struct place *p)
{
    assert_int_equal(dcache_setting_set(p->cache, "cull_limit", INT(0)), 0);
    several(p);
    must_set(p->cache, "e", large('e'), 1, "x");
    must_set(p->cache, "f", dcache_text("six"), 2, "x");
}

static void push(struct place *p, const char *prefix, struct dcache_value value, double expire_at)
{
    assert_int_equal(
        dcache_push(p->cache, prefix, DCACHE_BACK, &value, SET(.expire_at = expire_at), NULL), 0);
}

static void queue(struct place *p)
{
    push(p, "q", dcache_text("first"), 0);
    push(p, "q", large('s'), 0);
}

static void queue_of_files(struct place *p)
{
    push(p, "q", large('f'), 0);
    push(p, "q", large('s'), 0);
}

/* One that has expired and one whose file is missing stand before the first live one. */
static void obstructed_queue(struct place *p)
{
    assert_int_equal(dcache_setting_set(p->cache, "cull_limit", INT(0)), 0);
    push(p, "q", large('e'), 1);
    push(p, "q", large('m'), 0);
    push(p, "q", large('l'), 0);
    lose_file(p->dir, "q-500000000000001");
}

/* So little room that a new item of 40,000 bytes needs two of these to go. */
static void crowded(struct place *p)
{
    must_set(p->cache, "1", large('a'), 0, NULL);
    must_set(p->cache, "2", large('b'), 0, NULL);
    must_set(p->cache, "3", large('c'), 0, NULL);
    assert_int_equal(
        dcache_setting_set(p->cache, "size_limit",
                           INT(sql_number(p->dir, "PRAGMA page_count") * 4096 + 90000)),
        0);
}

static void crowded_and_read(struct place *p)
{
    struct dcache_entry entry;

    assert_int_equal(dcache_setting_set(p->cache, "eviction_policy", TEXT("least-recently-used")),
                     0);
    crowded(p);
    entry = got(p->cache, KEY("1"));
    dcache_entry_clear(&entry);
}

static void make_file(const char *dir, const char *name)
{
    char path[512];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "stray", 5), 5);
    close(fd);
}

/* Everything that check() mends: a missing file, wrong counters, strays, an altered row. */
static void damaged(struct place *p)
{
    char path[512];

    checksums_k(p);
    several(p);
    lose_file(p->dir, "b");
    sql_run(p->dir, "UPDATE Settings SET value = value + 7 WHERE key IN ('count', 'size');"
                    "UPDATE Cache SET size = 39999 WHERE key = 'd';"
                    "UPDATE Cache SET value = 'altered' WHERE key = 'a'");
    make_file(p->dir, "cache.db-new-4000-0123456789abcdef");
    for (int i = 0, rc = -1; rc < 0; i++) { /* the value files have random names */
        (void)snprintf(path, sizeof path, "%s/%02x", p->dir, i);
        rc = mkdir(path, 0700);
    }
}

static void counted(struct place *p)
{
    struct dcache_entry entry;

    assert_int_equal(dcache_setting_set(p->cache, "statistics", INT(1)), 0);
    several(p);
    entry = got(p->cache, KEY("a"));
    dcache_entry_clear(&entry);
    assert_int_equal(dcache_get(p->cache, KEY("none"), NULL, &entry), DCACHE_NOT_FOUND);
}

/* ---- set, add ---- */

static ssize_t read_zeros(void *arg, void *buffer, size_t size)
{
    size_t *left = arg, n = size < *left ? size : *left;

    memset(buffer, 'r', n);
    *left -= n;
    return (ssize_t)n;
}

static int set_small(struct place *p)
{
    return dcache_set(p->cache, KEY("k"), TEXT("new"), SET(.expire_at = EXPIRY, .tag = TEXT("n")));
}

static int set_large(struct place *p)
{
    return dcache_set(p->cache, KEY("k"), VALUE(large('n')), NULL);
}

static int set_text_file(struct place *p)
{
    struct dcache_value value = large('u');

    value.type = DCACHE_TEXT;
    return dcache_set(p->cache, KEY("k"), &value, SET(.flags = DCACHE_PINNED));
}

static int set_stream(struct place *p)
{
    size_t left = 300000; /* more than one chunk */

    return dcache_set(p->cache, KEY("k"), VALUE(dcache_reader(read_zeros, &left)), NULL);
}

static int set_descriptor(struct place *p)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), rc;

    assert_int_equal(lseek(fd, -50000, SEEK_END) >= 0, 1);
    rc = dcache_set(p->cache, KEY("k"), VALUE(dcache_fd(fd)), SET(.flags = DCACHE_KEEP_EXPIRE));
    close(fd);
    return rc;
}

static int set_stored(struct place *p)
{
    struct dcache_stored stored = {.mode = 2, .size = 5, .filename = "own.val"};
    struct dcache_value value = {.type = DCACHE_STORED, .stored = &stored};
    char path[512];

    (void)snprintf(path, sizeof path, "%s/own.val", p->dir);
    if (access(path, F_OK) < 0)
        make_file(p->dir, "own.val");
    return dcache_set(p->cache, KEY("k"), &value, NULL);
}

static int add_small(struct place *p)
{
    return dcache_add(p->cache, KEY("k"), TEXT("added"), NULL);
}

static int add_large(struct place *p)
{
    return dcache_add(p->cache, KEY("k"), VALUE(large('n')), NULL);
}

/* ---- touch, incr, pop, delete ---- */

static int touch(struct place *p)
{
    return dcache_touch(p->cache, KEY("k"), SET(.expire_at = EXPIRY + 1));
}

static int incr(struct place *p)
{
    struct dcache_value sum = dcache_none();
    int rc = dcache_incr(p->cache, KEY("k"), INT(1), INCR(.initial = INT(41)), &sum);

    if (rc == 0)
        assert_true(value_equals(&sum, INT(42)));
    return rc;
}

static int pop_small(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_pop(p->cache, KEY("k"), NULL, &entry), &entry, TEXT("old"));
}

static int pop_large(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_pop(p->cache, KEY("k"), NULL, &entry), &entry, VALUE(large('o')));
}

static int pop_descriptor(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_pop(p->cache, KEY("k"), GET(.flags = DCACHE_AS_FD), &entry);

    return check_descriptor(rc, &entry, "ooo", LARGE);
}

static int pop_small_descriptor(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_pop(p->cache, KEY("k"), GET(.flags = DCACHE_AS_FD), &entry);

    return check_descriptor(rc, &entry, "old", 3);
}

static int pop_stored(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_pop(p->cache, KEY("k"), GET(.flags = DCACHE_AS_STORED), &entry);

    if (rc == 0) {
        char path[512];

        assert_int_equal(entry.value.stored->size, LARGE);
        (void)snprintf(path, sizeof path, "%s/%s", p->dir, entry.value.stored->filename);
        assert_int_equal(unlink(path), 0);
    }
    dcache_entry_clear(&entry);
    return rc;
}

static int delete_k(struct place *p)
{
    return dcache_delete(p->cache, KEY("k"));
}

/* ---- many ---- */

static int set_many(struct place *p)
{
    struct dcache_value keys[] = {dcache_text("a"), dcache_text("b"), dcache_text("new"),
                                  dcache_int(5), dcache_text("a")};
    struct dcache_value values[] = {large('x'), dcache_text("small"), large('y'), dcache_none(),
                                    large('z')};

    return dcache_set_many(p->cache, keys, values, 5, SET(.expire_at = EXPIRY, .tag = INT(3)));
}

static int delete_many(struct place *p)
{
    struct dcache_value keys[] = {dcache_text("a"), dcache_text("none"), dcache_text("d")};
    int64_t deleted = -1;
    int rc = dcache_delete_many(p->cache, keys, 3, &deleted);

    assert_int_equal(deleted, rc == 0 ? 2 : -1);
    return rc;
}

static int get_many(struct place *p)
{
    struct dcache_value keys[] = {dcache_text("a"), dcache_text("b"), dcache_text("none")};
    struct dcache_entry entries[3];
    int rc = dcache_get_many(p->cache, keys, 3, NULL, entries);

    if (rc == 0) {
        assert_int_equal(entries[0].status, 0);
        assert_true(value_equals(&entries[0].value, INT(1)));
        assert_int_equal(entries[1].status, 0);
        assert_true(value_equals(&entries[1].value, VALUE(large('b'))));
        assert_int_equal(entries[2].status, DCACHE_NOT_FOUND);
    }
    for (int i = 0; i < 3; i++)
        dcache_entry_clear(&entries[i]);
    return rc;
}

/* ---- queues ---- */

static int push_small(struct place *p)
{
    struct dcache_value key;
    int rc = dcache_push(p->cache, "q", DCACHE_BACK, TEXT("third"), NULL, &key);

    if (rc == 0)
        assert_true(value_equals(&key, TEXT("q-500000000000002")));
    dcache_value_clear(&key);
    return rc;
}

static int push_large(struct place *p)
{
    struct dcache_value key;
    int rc = dcache_push(p->cache, NULL, DCACHE_FRONT, VALUE(large('n')), NULL, &key);

    if (rc == 0)
        assert_true(value_equals(&key, INT(500000000000000)));
    return rc;
}

static int pull_small(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_pull(p->cache, "q", DCACHE_FRONT, NULL, &entry), &entry, TEXT("first"));
}

/* The first is in SQLite, the others are in the memtable, and go there with this one. */
static void queue_beside_dirty(struct place *p)
{
    push(p, "q", dcache_text("first"), 0);
    push(p, "q", dcache_text("second"), 0);
    push(p, "q", dcache_text("third"), 0);
}

static int pull_beside_dirty(struct place *p)
{
    static const char *const texts[] = {"first", "second", "third"};
    struct dcache_entry entry;
    int rc = pull_small(p);

    faults_off();
    for (int i = rc == 0; i < 3; i++)
        assert_int_equal(
            check_k(dcache_pull(p->cache, "q", DCACHE_FRONT, NULL, &entry), &entry, TEXT(texts[i])),
            0);
    assert_int_equal(dcache_pull(p->cache, "q", DCACHE_FRONT, NULL, &entry), DCACHE_NOT_FOUND);
    return rc;
}

static int pull_large(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_pull(p->cache, "q", DCACHE_BACK, NULL, &entry), &entry,
                   VALUE(large('s')));
}

static int pull_obstructed(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_pull(p->cache, "q", DCACHE_FRONT, NULL, &entry), &entry,
                   VALUE(large('l')));
}

static int peek_obstructed(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_peek(p->cache, "q", DCACHE_FRONT, NULL, &entry), &entry,
                   VALUE(large('l')));
}

static int peekitem_obstructed(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_peekitem(p->cache, DCACHE_FRONT, NULL, &entry), &entry,
                   VALUE(large('l')));
}

static int peek_first(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_peek(p->cache, "q", DCACHE_BACK, NULL, &entry), &entry,
                   VALUE(large('s')));
}

/* ---- the whole ---- */

static int expire(struct place *p)
{
    int64_t removed = -1;
    int rc = dcache_expire(p->cache, 0, &removed);

    assert_true(rc < 0 ? removed == 0 || removed == 2 : removed == 2);
    return rc;
}

static int evict(struct place *p)
{
    int64_t removed = -1;
    int rc = dcache_evict(p->cache, TEXT("x"), &removed);

    assert_true(rc < 0 ? removed == 0 || removed == 4 : removed == 4);
    return rc;
}

static int cull(struct place *p)
{
    return dcache_cull(p->cache, NULL);
}

static int clear(struct place *p)
{
    int64_t removed = -1;
    int rc = dcache_clear(p->cache, &removed);

    assert_true(rc < 0 ? removed == 0 || removed == 6 : removed == 6);
    return rc;
}

static int set_policy(struct place *p)
{
    return dcache_setting_set(p->cache, "eviction_policy", TEXT("least-frequently-used"));
}

static int set_tag_index(struct place *p)
{
    return dcache_setting_set(p->cache, "tag_index", INT(1));
}

static int set_pragma(struct place *p)
{
    return dcache_setting_set(p->cache, "sqlite_cache_size", INT(100));
}

static int set_journal(struct place *p)
{
    return dcache_setting_set(p->cache, "sqlite_journal_mode", TEXT("delete"));
}

static int check_fix(struct place *p)
{
    struct dcache_report report;
    int rc = dcache_check(p->cache, 1, &report);

    if (rc == 0)
        for (size_t i = 0; i < report.count; i++)
            assert_true(report.problems[i].fixed);
    dcache_report_clear(&report);
    return rc;
}

static int check_only(struct place *p)
{
    struct dcache_report report;
    int rc = dcache_check(p->cache, 0, &report);

    if (rc == 0)
        assert_true(report.count == 8 || report.count == 7); /* on doubt, a writer is alive */
    dcache_report_clear(&report);
    return rc;
}

static int compact(struct place *p)
{
    return dcache_compact(p->cache);
}

static int reset_stats(struct place *p)
{
    struct dcache_stats stats;
    int rc = dcache_stats(p->cache, 1, &stats);

    if (rc == 0) {
        assert_int_equal(stats.hits, 1);
        assert_int_equal(stats.misses, 1);
    }
    return rc;
}

static int backup(struct place *p)
{
    struct place copy = {.cache = NULL};
    char inside[300];
    int rc;

    /* An own directory, beside: what a failure leaves of it must be nothing. */
    place_new(&copy);
    (void)snprintf(inside, sizeof inside, "%s/copy", copy.dir);
    rc = dcache_backup(p->cache, inside);
    faults_off();
    if (rc == 0) {
        char *is = describe(inside), *should = describe(p->dir);

        assert_string_equal(is, should);
        assert_int_equal(assert_rows_have_files(inside), 0);
        assert_counters_right(inside);
        free(is);
        free(should);
    } else {
        assert_int_equal(access(inside, F_OK), -1);
    }
    place_clean(&copy);
    return rc;
}

/* ---- close ---- */

/* What readers have noted is written at the end; a failure there is nobody's loss. */
static int close_it(struct place *p)
{
    dcache_close(p->cache);
    p->cache = NULL;
    return 0;
}

/* ---- open ---- */

static int open_it(struct place *p)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.timeout = 0.25;
    return dcache_open(p->dir, &options, &p->cache);
}

static int open_and_set(struct place *p)
{
    int rc = open_it(p);

    return rc < 0 ? rc : dcache_set(p->cache, KEY("first"), INT(1), NULL);
}

static int open_with_settings(struct place *p)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting settings[] = {{"eviction_policy", dcache_text("least-recently-used")},
                                        {"tag_index", dcache_int(1)},
                                        {"mine", dcache_text("unknown")}};

    options.timeout = 0.25;
    options.settings = settings;
    options.settings_count = 3;
    return dcache_open(p->dir, &options, &p->cache);
}

static int open_private(struct place *p)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.timeout = 0.25;
    options.flags = DCACHE_NO_SHARED;
    return dcache_open(p->dir, &options, &p->cache);
}

static int open_read_only(struct place *p)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.timeout = 0.25;
    options.flags = DCACHE_READ_ONLY;
    return dcache_open(p->dir, &options, &p->cache);
}

/* ---- all of them ---- */

const struct scenario scenarios[] = {
    {"set: a small value", NULL, set_small, 0, 0},
    {"set: a large value", NULL, set_large, 0, 0},
    {"set: a large text, pinned", NULL, set_text_file, 0, 0},
    {"set: a stream", NULL, set_stream, 0, 0},
    {"set: a descriptor", NULL, set_descriptor, 0, 0},
    {"set: a stored value", NULL, set_stored, 0, 0},
    {"set: small over small", small_k, set_small, 0, 0},
    {"set: large over small", small_k, set_large, 0, 0},
    {"set: small over large", large_k, set_small, 0, 0},
    {"set: large over large", large_k, set_large, 0, 0},
    {"set: stream over large", large_k, set_stream, 0, 0},
    {"set: small over large, checksums", checksums_k, set_small, 0, 0},
    {"set: stream over large, checksums", checksums_k, set_stream, 0, 0},
    {"set: descriptor over large, keeping the expiry", large_k, set_descriptor, 0, 0},
    {"set: stored over large", large_k, set_stored, 0, 0},
    {"set: others have to go", crowded, set_large, 0, EVICTS},
    {"set: others have to go, by use", crowded_and_read, set_large, 0, EVICTS},
    {"add: small", NULL, add_small, 0, 0},
    {"add: large", NULL, add_large, 0, 0},
    {"add: over an expired one", expired_k, add_large, 0, 0},
    {"add: there already", large_k, add_large, DCACHE_EXISTS, 0},
    {"touch", large_k, touch, 0, 0},
    {"touch: not there", NULL, touch, DCACHE_NOT_FOUND, 0},
    {"incr: new", NULL, incr, 0, 0},
    {"incr", number_k, incr, 0, 0},
    {"incr: over an expired file", expired_k, incr, 0, 0},
    {"incr: no number", large_k, incr, DCACHE_TYPE, 0},
    {"pop: small", small_k, pop_small, 0, 0},
    {"pop: large", large_k, pop_large, 0, 0},
    {"pop: descriptor", large_k, pop_descriptor, 0, 0},
    {"pop: small as descriptor", small_k, pop_small_descriptor, 0, 0},
    {"pop: stored", large_k, pop_stored, 0, 0},
    {"pop: expired", expired_k, pop_large, DCACHE_NOT_FOUND, 0},
    {"delete: small", small_k, delete_k, 0, 0},
    {"delete: large", large_k, delete_k, 0, 0},
    {"delete: not there", NULL, delete_k, DCACHE_NOT_FOUND, 0},
    {"set_many", several, set_many, 0, 0},
    {"delete_many", several, delete_many, 0, 0},
    {"push: small", queue, push_small, 0, 0},
    {"push: large", NULL, push_large, 0, 0},
    {"pull: small", queue, pull_small, 0, 0},
    {"pull: beside what is dirty", queue_beside_dirty, pull_beside_dirty, 0, OWN},
    {"pull: large", queue_of_files, pull_large, 0, 0},
    {"pull: dead ones in the way", obstructed_queue, pull_obstructed, 0, BROKEN},
    {"peek: dead ones in the way", obstructed_queue, peek_obstructed, 0, BROKEN | EITHER},
    {"peekitem: dead ones in the way", obstructed_queue, peekitem_obstructed, 0, BROKEN | EITHER},
    {"expire", several_expired, expire, 0, IN_BATCHES},
    {"evict", several_expired, evict, 0, IN_BATCHES},
    {"cull", crowded, cull, 0, IN_BATCHES},
    {"cull: expired ones", several_expired, cull, 0, IN_BATCHES},
    {"clear", several_expired, clear, 0, IN_BATCHES},
    {"setting_set: policy", several, set_policy, 0, 0},
    {"setting_set: tag index", several, set_tag_index, 0, 0},
    {"setting_set: pragma", several, set_pragma, 0, 0},
    {"setting_set: journal mode", several, set_journal, 0, 0},
    {"check: mend", damaged, check_fix, 0, BROKEN},
    {"compact", several, compact, 0, 0},
    {"stats: reset", counted, reset_stats, 0, 0},
    {"backup", several, backup, 0, 0},
    {"close", counted, close_it, 0, 0},
    {"open: new", NULL, open_it, 0, OPENS},
    {"open: new, with settings", NULL, open_with_settings, 0, OPENS},
    {"open: new, private", NULL, open_private, 0, OPENS},
    {"open: existing", several, open_it, 0, OPENS},
    {"open: existing, first write", several, open_and_set, 0, OPENS | EVICTS},
    {"open: existing, with settings", several, open_with_settings, 0, OPENS},
    {"open: existing, private", several, open_private, 0, OPENS},
    {"open: existing, read only", several, open_read_only, 0, OPENS},
    {"lock", NULL, lock_and_unlock, 0, 0},
    {"lock: twice by a thread", NULL, rlock_and_unlock, 0, 0},
    {"lock: semaphore", NULL, permit_and_back, 0, 0},
    {"lock: of a dead holder", held_by_the_dead, take_over, 0, 0},
    {"lock: break", held_by_the_dead, break_it, 0, 0},
    {"average: add", averaged, add_to_average, 0, 0},
    {"average: pop", averaged, pop_average, 0, 0},
    {"throttle", full_bucket, take_token, 0, 0},
    {"memoize", NULL, memoize_new, 0, OWN},
    {"get: small", small_k, get_small, 0, READS},
    {"get: large", large_k, get_large, 0, READS},
    {"get: descriptor", large_k, get_descriptor, 0, READS},
    {"get: large, checksums", checksums_k, get_large, 0, READS},
    {"get: file as descriptor", large_k, get_file_descriptor, 0, READS},
    {"get: descriptor, checksums", checksums_k, get_descriptor, 0, READS},
    {"get: number as descriptor", several, get_number_descriptor, 0, READS},
    {"get: not there", NULL, get_small, DCACHE_NOT_FOUND, READS},
    {"contains", large_k, contains, 0, READS},
    {"get_many", several, get_many, 0, READS},
    {"peek", queue_of_files, peek_first, 0, READS},
    {"check: look", damaged, check_only, 0, READS | BROKEN},
    {"iterate", several, iterate, 0, READS},
    {"iterate: keys alone", several, iterate_keys, 0, READS},
    {"iterate: by key, filtered", several, iterate_by_key, 0, READS},
    {"figures", several, read_figures, 0, READS},
};
const size_t scenario_count = sizeof scenarios / sizeof *scenarios;
