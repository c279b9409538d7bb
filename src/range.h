/* range.h - a walk over the rows, page by page: the statement of a page is made for what is asked. */
#ifndef RANGE_H
#define RANGE_H

#include "row.h"

struct range {
    const struct dcache_iter_options *options;
    struct dcache_value prefix_end; /* first key after those with the prefix; NONE: no end */
    double now;
    int64_t max_rowid; /* by insertion: not beyond */
    bool begun;        /* the next page goes on after `last` */
    struct row last;   /* its rowid, key and raw */
    bool with_value;
    bool keys_only; /* rowid, key and raw are the only columns */
};

/* Whether a page that ended with `row` has gone on from `last`. Fails: CORRUPT (a tree whose rows
 * are out of order, where a walk would not end). */
int range_advance(struct range *range, const struct row *row);

/* Whether a row was inserted after the walk began: the end of a walk forward, which a comparison here finds
 * out in half the time that it takes SQLite. */
bool range_is_beyond(const struct range *range, int64_t rowid);

/* The statement of a page of rows; step it with db_step(), read it with row_from_statement(), end with
 * db_page_end(), whether this has failed or not. */
int range_page(struct db *db, const struct range *range, int limit, sqlite3_stmt **ret_statement);

#endif
