/* sum.h - the checksum of a row: what it says, and what SQL it needs.
 *
 * It is kept in a column that 5.6.3 does not name, so whoever does not know of it may write another value
 * beside it. But he then writes another store_time as well: therefore it has two halves, the hash of the
 * store_time and that of the value. If the first does not fit, the row was written by such, and has no
 * checksum; if the first fits and the second does not, the value is not the one that was stored. What is
 * in a file has its checksum in the name of that, and none here. */
#ifndef SUM_H
#define SUM_H

#include "db.h"

/* Of a value as stored, with its mode. */
int64_t sum_of_row(double store_time, int mode, const struct dcache_value *value);

bool sum_is_contradicted(int64_t sum, double store_time, int mode,
                         const struct dcache_value *value);

/* Whether table Cache has the column. Connections with `summed` use it. */
bool sum_has_column(struct db *db);
#define SUM_COLUMN "checksum INTEGER"
#define SUM_ADD_COLUMN "ALTER TABLE Cache ADD COLUMN " SUM_COLUMN

/* A statement in which @column, @value and @assign stand where that column is concerned, as this connection
 * needs it; its parameter is SUM_PARAMETER. Release with free(). NULL: out of memory. */
char *sum_sql(const struct db *db, const char *text);
#define SUM_PARAMETER 13

/* The first row after `after` whose checksum is contradicted: rowid and size. Fails: NOT_FOUND. */
int sum_next_damaged(struct db *db, int64_t after, int64_t *ret_rowid, int64_t *ret_size);

#endif
