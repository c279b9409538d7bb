/* schema.h - what has to be in the database: tables, indexes, triggers; and the pragmas. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "settings.h"

/* Read the settings and see whether everything is there that they ask for. Writes nothing.
 * `*ret_complete` false: schema_create() is due. Fails: CORRUPT (not a cache's database). */
int schema_look(struct db *db, struct settings *settings, bool *ret_complete);

/* Journal and vacuum modes, to be set before there are tables, outside a transaction. */
int schema_prepare(struct db *db, const struct settings *settings, bool shared);

/* Make what is missing. In a write transaction. */
int schema_create(struct db *db, const struct settings *settings);

/* Pragmas that belong to a connection. `shared`: whether files may be mapped. */
int schema_pragmas(struct db *db, const struct settings *settings, bool shared);

/* Have, or not have, the index for tags; have the index for the policy. In a write transaction. */
int schema_indexes(struct db *db, const struct settings *settings);

#endif
