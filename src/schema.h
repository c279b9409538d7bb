/* schema.h - what has to be in the database: tables, indexes, triggers; and the pragmas. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "settings.h"

/* Read the settings, of which there are those of one of `shards` directories, and see whether
 * everything is there that they ask for; where there are no tables yet they stay as they are. Writes nothing.
 * `*ret_complete` false: schema_create() is due. Fails: CORRUPT (not a cache's database). */
int schema_look(struct db *db, struct settings *settings, unsigned shards, bool *ret_complete);

/* The same of a database that nobody has open and that is complete, and all settings as
 * settings_list() has them. Fails: NOT_FOUND (it is not, or not as it usually looks: to be looked at in
 * the ordinary way). */
int schema_peek(const char *path, struct settings *settings, unsigned shards,
                struct dcache_setting **ret_list, size_t *ret_count);

/* Whether no table and no index of the database has SQLite evaluate expressions. */
int schema_is_plain(struct db *db, bool *ret_plain);

/* Journal and vacuum modes, to be set before there are tables, outside a transaction. */
int schema_prepare(struct db *db, const struct settings *settings, bool shared);

/* Make what is missing. In a write transaction. */
int schema_create(struct db *db, struct settings *settings);

/* Pragmas that belong to a connection. `shared`: whether files may be mapped. */
int schema_pragmas(struct db *db, const struct settings *settings, bool shared);

/* Map the database if it has outgrown the page cache; SQLite looks a mapped page up in the log each
 * time, which costs a get a quarter of its time. A failure leaves it unmapped. */
void schema_map(struct db *db, const struct settings *settings);

/* Have, or not have, the index for tags. In a write transaction. */
int schema_tag_index(struct db *db, const struct settings *settings);

/* Have the column for checksums of rows, if the setting `checksums` is 1. In a write transaction. */
int schema_checksums(struct db *db, const struct settings *settings);

/* Have the index that a policy orders by. Made when the policy first has to evict, not before: to
 * keep it takes a third of the time of a small set, and most caches never reach their limit. (5.6.3
 * makes it when it opens the directory.) In a write transaction. */
int schema_policy_index(struct db *db, enum policy policy);

/* Another library version, or a mode set by hand: say so to SQLite if it can be changed. */
int schema_match_journal(struct db *db, const struct settings *settings, bool shared);

#endif
