/* settings.h - table Settings: the twelve settings, whatever else is in it, and the counters. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "peek.h"
#include "row.h"

enum journal {
    JOURNAL_WAL,
    JOURNAL_DELETE,
    JOURNAL_TRUNCATE,
    JOURNAL_PERSIST,
    JOURNAL_MEMORY,
    JOURNAL_OFF
};

/* The values in force, read by any thread at any time. */
struct settings {
    _Atomic int64_t statistics;
    _Atomic int64_t tag_index;
    _Atomic int64_t policy; /* enum policy */
    _Atomic int64_t size_limit;
    _Atomic int64_t cull_limit;
    _Atomic int64_t auto_vacuum;
    _Atomic int64_t cache_size;
    _Atomic int64_t journal; /* enum journal */
    _Atomic int64_t mmap_size;
    _Atomic int64_t synchronous;
    _Atomic int64_t min_file_size;
    _Atomic int64_t pickle_protocol;
    _Atomic int64_t deque_maxlen;  /* -1: none */
    _Atomic int64_t memtable_size; /* bytes at most; 0: no memtable */
    _Atomic int64_t checksums;
};

/* Those of a new cache that is one of so many shards: the limit of size is of all of them together. */
void settings_default(struct settings *settings, unsigned shards);
void settings_copy(struct settings *to, struct settings *from);

/* Read them from the database. A row without a meaning (another type, an absurd value) counts as
 * its default. `*ret_complete` is false when one of the twelve or a counter is missing. */
int settings_load(struct db *db, struct settings *settings, bool *ret_complete);

/* Whether `value` may be stored as `name`. Fails: INVALID. */
int settings_check(const char *name, const struct dcache_value *value);

/* Take a checked value over into `settings`. */
void settings_apply(struct settings *settings, const char *name, const struct dcache_value *value);

/* Whether a setting is of all shards of a fanout together, each of which has its share. */
bool settings_is_divided(const char *name);

/* What shard `i` of so many stores of a checked value: its share, or the value itself. */
struct dcache_value settings_share(const char *name, const struct dcache_value *value,
                                   size_t shards, size_t i);
void settings_add_share(struct dcache_value *sum, const struct dcache_value *share);

/* Rows. `settings_put_missing` adds those that are missing, with the counters at 0. */
int settings_get(struct db *db, const char *name, struct dcache_value *ret_value);
int settings_put(struct db *db, const char *name, const struct dcache_value *value);
int settings_put_missing(struct db *db, struct settings *settings);

/* Whether the row of a setting holds something else; when in doubt. */
bool settings_differs(struct db *db, const struct dcache_setting *setting);

/* All rows but the counters, sorted. */
int settings_list(struct db *db, struct dcache_setting **ret_settings, size_t *ret_count);

bool settings_has(const struct dcache_setting *list, size_t count,
                  const struct dcache_setting *setting); /* the same of a list */

/* Of a table that is peeked at: what settings_load() and settings_list() read, complete. Fails: NOT_FOUND
 * (to be read in the ordinary way), NOMEM. */
int settings_peek(struct peek *peek, struct settings *settings,
                  struct dcache_setting **ret_settings, size_t *ret_count);

/* deque_maxlen as the transaction of this connection sees it, which may have changed it. */
int settings_maxlen(struct db *db, int64_t *ret_maxlen);

/* A counter: count, size, hits, misses, evictions, timeouts, damaged; 0 when its row is missing. */
int settings_counter(struct db *db, const char *name, int64_t *ret_value);
int settings_counter_add(struct db *db, const char *name, int64_t delta);
int settings_counter_set(struct db *db, const char *name, int64_t value);

/* count and size at once, as the triggers would have done it. */
int settings_count_and_size_add(struct db *db, int64_t count, int64_t size);

const char *settings_journal_name(int64_t journal);

#endif
