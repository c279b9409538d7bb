/* scenarios_reads.c - what looks at items and changes nothing. */
#include "scenarios.h"

#include <string.h>
#include <unistd.h>

int check_k(int rc, struct dcache_entry *entry, const struct dcache_value *value)
{
    if (rc == 0)
        assert_true(value_equals(&entry->value, value));
    dcache_entry_clear(entry);
    return rc;
}

/* The bytes behind an entry's descriptor are so many of this letter. */
int check_descriptor(int rc, struct dcache_entry *entry, const char *begins, off_t size)
{
    char bytes[4] = "";

    if (rc == 0) {
        assert_int_equal(entry->value.type, DCACHE_FD);
        assert_int_equal(lseek(entry->value.fd, 0, SEEK_END), size);
        assert_int_equal(pread(entry->value.fd, bytes, 3, 0), 3);
        assert_string_equal(bytes, begins);
    }
    dcache_entry_clear(entry);
    return rc;
}

int get_small(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_get(p->cache, KEY("k"), NULL, &entry), &entry, TEXT("old"));
}

int get_large(struct place *p)
{
    struct dcache_entry entry;

    return check_k(dcache_get(p->cache, KEY("k"), NULL, &entry), &entry, VALUE(large('o')));
}

int get_descriptor(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_get(p->cache, KEY("k"), GET(.flags = DCACHE_AS_FD), &entry);

    return check_descriptor(rc, &entry, "ooo", LARGE);
}

int get_file_descriptor(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_get(p->cache, KEY("k"), GET(.flags = DCACHE_FILE_AS_FD), &entry);

    return check_descriptor(rc, &entry, "ooo", LARGE);
}

int get_number_descriptor(struct place *p)
{
    struct dcache_entry entry;
    int rc = dcache_get(p->cache, KEY("a"), GET(.flags = DCACHE_AS_FD), &entry);

    if (rc == 0)
        assert_int_equal(lseek(entry.value.fd, 0, SEEK_END), 1);
    dcache_entry_clear(&entry);
    return rc;
}

int contains(struct place *p)
{
    return dcache_contains(p->cache, KEY("k"));
}

static int walk(struct place *p, const struct dcache_iter_options *options, int items)
{
    struct dcache_entry entry;
    dcache_iter *iter = NULL;
    int rc = dcache_iter_open(p->cache, options, &iter), seen = 0;

    while (rc == 0) {
        rc = dcache_iter_next(iter, &entry);
        seen += rc == 0;
        dcache_entry_clear(&entry);
    }
    dcache_iter_close(iter);
    if (rc == DCACHE_NOT_FOUND)
        assert_int_equal(seen, items);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int iterate(struct place *p)
{
    return walk(p, NULL, 4);
}

int iterate_keys(struct place *p)
{
    struct dcache_value keys[3];
    dcache_iter *iter = NULL;
    size_t count, seen = 0;
    int rc = dcache_iter_open(p->cache, ITER(.flags = DCACHE_KEYS_ONLY), &iter);

    while (rc == 0) {
        rc = dcache_iter_keys(iter, keys, 3, &count);
        seen += rc == 0 ? count : 0;
    }
    dcache_iter_close(iter);
    if (rc == DCACHE_NOT_FOUND)
        assert_int_equal(seen, 4);
    return rc == DCACHE_NOT_FOUND ? 0 : rc;
}

int iterate_by_key(struct place *p)
{
    return walk(p,
                ITER(.order = DCACHE_BY_KEY, .flags = DCACHE_REVERSE | DCACHE_LIVE_ONLY,
                     .prefix = TEXT("b"), .tag = TEXT("x"), .start = TEXT("a"), .stop = TEXT("z")),
                1);
}

int read_figures(struct place *p)
{
    struct dcache_setting *settings = NULL;
    struct dcache_value value;
    struct dcache_stats stats;
    int64_t count = -1, bytes;
    size_t settings_count = 0;
    int rc = dcache_count(p->cache, &count);

    if (rc == 0)
        assert_int_equal(count, 4);
    if (rc == 0)
        rc = dcache_volume(p->cache, &bytes);
    if (rc == 0)
        rc = dcache_others_write(p->cache);
    if (rc == 0)
        rc = dcache_stats(p->cache, 0, &stats);
    if (rc == 0)
        rc = dcache_settings(p->cache, &settings, &settings_count);
    dcache_settings_free(settings, settings_count);
    if (rc == 0)
        assert_int_equal(settings_count, 12);
    if (rc == 0)
        rc = dcache_setting_get(p->cache, "eviction_policy", &value);
    if (rc == 0) {
        assert_true(value_equals(&value, TEXT("least-recently-stored")));
        dcache_value_clear(&value);
    }
    return rc;
}
