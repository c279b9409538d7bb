/* table.h - what the tests of the memtable share: a segment with a ring of its own, records put into it and found.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_H
#define TABLE_H

#include "memtable.h"
#include "sandbox.h"

#define COMMITS 7 /* SQLite's counter, as these tests have it */
#define CAPACITY RING_SMALLEST

static struct shared shared;
static int dir;

static inline int table_make(void **state)
{
    if (sandbox_make(state) < 0)
        return -1;
    dir = open(sandbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    shared = (struct shared){.fd = -1};
    if (shared_open(&shared, dir, 0600, os_deadline(5)) < 0 ||
        memtable_resize(&shared, CAPACITY) < 0)
        return -1;
    memtable_settle(&shared, COMMITS);
    return 0;
}

static inline int table_remove(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;

    memtable_drained(&shared, m->tail); /* or the file stays */
    shared_close(&shared, dir);
    (void)close(dir);
    return sandbox_remove(state);
}

#define TABLE_TEST(function) cmocka_unit_test_setup_teardown(function, table_make, table_remove)

static inline struct memtable_key key_of(const char *text)
{
    struct dcache_value key = dcache_text(text);

    return memtable_key(&key, 1);
}

static inline bool append_as(const char *key, const char *value, enum memtable_kind kind,
                             unsigned flags)
{
    struct memtable_key k = key_of(key);
    struct row row = {.store_time = 1, .expire_time = DCACHE_NEVER, .mode = MODE_RAW};
    bool there;

    row.key = k.key;
    if (value)
        row.value = dcache_text(value);
    assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
    there = memtable_append(&shared, &k, kind, flags, &row);
    memtable_unlock(&shared);
    return there;
}

static inline bool append(const char *key, const char *value)
{
    return append_as(key, value, value ? MEMTABLE_PRESENT : MEMTABLE_ABSENT, 0);
}

static inline struct memtable_record find_at(const char *key, uint64_t commits)
{
    struct memtable_key k = key_of(key);
    struct memtable_record record = {0};

    assert_int_equal(memtable_find(&shared, &k, 0, commits, &record), 0);
    return record;
}

/* Whether the key has that value, or (NULL) is known to be absent. */
static inline bool found(const char *key, const char *value)
{
    struct memtable_record record = find_at(key, COMMITS);
    bool right = record.kind == (value ? MEMTABLE_PRESENT : MEMTABLE_ABSENT);

    if (right && value)
        right = record.row.value.type == DCACHE_TEXT && record.row.value.size == strlen(value) &&
                strcmp(record.row.value.data, value) == 0;
    row_clear(&record.row);
    return right;
}

static inline enum memtable_kind kind_of(const char *key, uint64_t commits)
{
    struct memtable_record record = find_at(key, commits);

    row_clear(&record.row);
    return record.kind;
}

static inline void all_is_drained(void)
{
    memtable_drained(&shared, shared.segment->memtable.tail);
}

#endif
