/* powercut.c - what a power cut may leave of a cache is a state that it once had, never a mixture.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     powercut [--cases N] [--defect]
 *
 * Writes are numbered: the n-th stores n under key n % KEYS, and now and then a transaction stores a
 * pair. So what is found tells how many writes there have been, and whether all of them are there up to
 * one. From a directory in use, as it stood at some moment, cases are made: the database as it was
 * synced last, and of the log, which has not been synced, any pages, old or torn, or a part; the
 * segment with the memtable is of another boot of the kernel, or gone. Or, as in the middle of a
 * checkpoint, the log is whole, and of the database any pages are new.
 *
 * --defect takes the pages of the log for the database's, which has to be found. */
#include "../torture/support.h"

#include <fcntl.h>

#define KEYS 7
#define WRITES 600 /* below what makes the library checkpoint by itself */
#define MOMENTS 40 /* at which cases are made */
#define PAGE 4096

struct bytes {
    unsigned char *data;
    size_t size;
};

static uint64_t rng = 1;
static int defect, earlier;

/* ---- files ---- */

static void path_of(char *to, size_t size, const char *dir, const char *name)
{
    if (snprintf(to, size, "%s/%s", dir, name) >= (int)size)
        die("path too long");
}

static struct bytes load(const char *dir, const char *name, size_t most)
{
    struct bytes b = {must_alloc(most), 0};
    char path[300];
    ssize_t got;
    int fd;

    path_of(path, sizeof path, dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, b.data + b.size, most - b.size)) > 0)
        b.size += (size_t)got;
    if (fd >= 0)
        (void)close(fd);
    return b;
}

static void save(const char *dir, const char *name, const struct bytes *b, off_t size)
{
    char path[300];
    int fd;

    path_of(path, sizeof path, dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, b->data, b->size) != (ssize_t)b->size || ftruncate(fd, size) != 0)
        die("write %s: %m", path);
    (void)close(fd);
}

/* ---- the cache ---- */

static dcache *opened(const char *dir)
{
    dcache *cache;
    int rc = dcache_open(dir, test_options(), &cache);

    if (rc != 0)
        die("open %s: %s", dir, status_text(rc));
    return cache;
}

static void write_one(dcache *cache, int n)
{
    struct dcache_value key = dcache_int(n % KEYS), value = dcache_int(n);
    struct dcache_value a = dcache_text("a"), b = dcache_text("b");
    dcache *txn;
    int rc = dcache_set(cache, &key, &value, NULL);

    if (rc == 0 && n % 50 == 0) {
        rc = dcache_begin(cache, 10, &txn);
        if (rc == 0 && (rc = dcache_set(txn, &a, &value, NULL)) == 0)
            rc = dcache_set(txn, &b, &value, NULL);
        if (rc == 0)
            rc = dcache_commit(txn);
    }
    if (rc != 0)
        die("write: %s", status_text(rc));
}

static int64_t read_one(dcache *cache, const struct dcache_value *key)
{
    struct dcache_entry e;
    int64_t value = 0;
    int rc = dcache_get(cache, key, NULL, &e);

    if (rc == 0)
        value = e.value.integer;
    else if (rc != DCACHE_NOT_FOUND)
        die("get: %s", status_text(rc));
    dcache_entry_clear(&e);
    return value;
}

/* NULL, or what is wrong; `writes` there have been. */
static const char *look(const char *dir, int writes)
{
    struct dcache_value a = dcache_text("a"), b = dcache_text("b"), key;
    struct dcache_report report;
    const char *wrong = NULL;
    int64_t found[KEYS], last = 0, pair;
    dcache *cache;
    int rc = dcache_open(dir, test_options(), &cache);

    if (rc != 0)
        return "it does not open";
    for (int k = 0; k < KEYS; k++) {
        key = dcache_int(k);
        found[k] = read_one(cache, &key);
        last = found[k] > last ? found[k] : last;
    }
    for (int k = 0; k < KEYS; k++) {
        int64_t should = last - (last - k % KEYS + KEYS) % KEYS;

        if (found[k] != (should > 0 ? should : 0))
            wrong = "a write is missing among others";
    }
    earlier += last < writes;
    pair = read_one(cache, &a);
    if (pair != read_one(cache, &b) || pair > last || pair < last - last % 50 - 50)
        wrong = "half of a transaction, or one at another time";
    if (dcache_check(cache, 0, &report) != 0 || report.count != 0)
        wrong = report.count ? report.problems[0].text : "check fails";
    if (wrong)
        printf("%s\n", wrong);
    dcache_report_clear(&report);
    dcache_close(cache);
    return wrong ? "wrong" : NULL;
}

/* ---- cases ---- */

/* Of what has not been synced, any pages have arrived; one of them perhaps in part. */
static void cut(struct bytes *now, const struct bytes *before)
{
    size_t pages = (now->size + PAGE - 1) / PAGE;
    unsigned lost = rng_below(&rng, 4) == 0 ? 0 : 1 + rng_below(&rng, 3);

    if (rng_below(&rng, 3) == 0 && now->size > 0) /* its size, too */
        now->size = rng_below(&rng, (unsigned)now->size + 1);
    for (unsigned i = 0; i < lost && pages > 0; i++) {
        size_t at = (size_t)rng_below(&rng, (unsigned)pages) * PAGE;
        size_t from = rng_below(&rng, 4) == 0 ? 512 * (size_t)rng_below(&rng, 8) : 0;

        for (size_t n = at + from; n < at + PAGE && n < now->size; n++)
            now->data[n] = n < before->size ? before->data[n] : 0;
    }
}

/* Another boot: whatever the file says, its records are of no known moment. */
static void other_boot(struct bytes *segment)
{
    unsigned char id[16] = {0};
    char text[64] = {0};
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), digits = 0;

    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        die("boot id: %m");
    (void)close(fd);
    for (const char *c = text; *c && digits < 32; c++)
        if (strchr("0123456789abcdef", *c)) {
            int digit = *c <= '9' ? *c - '0' : *c - 'a' + 10;

            id[digits / 2] = (unsigned char)(id[digits / 2] << 4 | digit);
            digits++;
        }
    for (size_t i = 0; i + sizeof id <= segment->size; i++)
        if (memcmp(segment->data + i, id, sizeof id) == 0)
            segment->data[i] ^= 0xff;
}

struct moment {
    struct bytes synced, database, log, segment;
    struct bytes whole, after; /* the log with all of it, and the database, checkpointed */
    int writes;
};

static int one_case(const char *dir, const struct moment *m)
{
    int midway = rng_below(&rng, 4) == 0; /* in the checkpoint */
    const struct bytes *from = midway ? &m->whole : &m->log;
    struct bytes log = {must_alloc(from->size + 1), from->size};
    struct bytes database = {must_alloc(m->after.size + m->synced.size + 1), 0};
    struct bytes none = {NULL, 0};
    int faults;

    if (mkdir(dir, 0700) != 0)
        die("mkdir %s: %m", dir);
    memcpy(log.data, from->data, from->size);
    if (midway) {
        database.size = m->after.size;
        memcpy(database.data, m->after.data, m->after.size);
        cut(&database, &m->synced);
        if (database.size < m->synced.size)
            database.size = m->synced.size;
    } else {
        database.size = m->synced.size;
        memcpy(database.data, m->synced.data, m->synced.size);
        cut(&log, &none);
    }
    if (defect && log.size > 3 * PAGE)
        memcpy(database.data + PAGE, log.data + 2 * PAGE, PAGE);
    save(dir, "cache.db", &database, (off_t)database.size);
    save(dir, "cache.db-wal", &log, (off_t)log.size);
    if (rng_below(&rng, 2) == 0)
        save(dir, "cache.db-shared", &m->segment, 40 << 20);
    faults = look(dir, m->writes) != NULL;
    remove_tree(dir);
    free(log.data);
    free(database.data);
    return faults;
}

/* A cache that has been closed, so that all of it is synced, and then used up to some moment. */
static void live(const char *dir, struct moment *m)
{
    int writes = 1 + (int)rng_below(&rng, WRITES), before = (int)rng_below(&rng, 20);
    int64_t count;
    dcache *cache = opened(dir);

    for (int n = 1; n <= before; n++)
        write_one(cache, n);
    dcache_close(cache);
    m->synced = load(dir, "cache.db", 4 << 20);
    cache = opened(dir);
    for (int n = before + 1; n <= before + writes; n++) {
        write_one(cache, n);
        if (rng_below(&rng, 40) == 0 && dcache_count(cache, &count) != 0)
            die("count");
        if (rng_below(&rng, 100) == 0)
            sleep_us(25000); /* the helper drains */
    }
    m->writes = before + writes;
    m->log = load(dir, "cache.db-wal", 16 << 20);
    m->segment = load(dir, "cache.db-shared", 1 << 20);
    m->database = load(dir, "cache.db", 4 << 20);
    if (dcache_count(cache, &count) != 0) /* it drains */
        die("count");
    m->whole = load(dir, "cache.db-wal", 16 << 20);
    dcache_close(cache);
    m->after = load(dir, "cache.db", 4 << 20);
    if (m->database.size != m->synced.size)
        die("it has been checkpointed");
    other_boot(&m->segment);
}

int main(int argc, char **argv)
{
    int cases = 1000, faults = 0;
    char *base = temp_dir("powercut"), dir[200], made[200];

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--cases") == 0 && i + 1 < argc)
            cases = (int)to_number(argv[++i]);
        else if (strcmp(argv[i], "--defect") == 0)
            defect = 1;
        else
            die("usage: powercut [--cases N] [--defect]");
    }
    path_of(dir, sizeof dir, base, "live");
    path_of(made, sizeof made, base, "case");
    for (int n = 0; n < MOMENTS; n++) {
        struct moment m;

        live(dir, &m);
        for (int i = n; i < cases; i += MOMENTS)
            faults += one_case(made, &m);
        free(m.synced.data);
        free(m.database.data);
        free(m.log.data);
        free(m.whole.data);
        free(m.segment.data);
        free(m.after.data);
        remove_tree(dir);
    }
    remove_tree(base);
    printf("powercut, %d cases at %d moments, %d an earlier state: %s, %d faults\n", cases, MOMENTS,
           earlier, faults ? "FAILED" : "ok", faults);
    return (faults > 0) != defect;
}
