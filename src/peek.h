/* peek.h - the rows of small tables of a database that nobody has open, read from its file without SQLite.
 *
 * Whoever opens a directory has to see its tables and settings, a dozen rows of a schema that is known
 * by heart; SQLite first makes a connection and parses it all, which takes ten times as long as to read
 * them. The format will not change: https://www.sqlite.org/fileformat2.html. Whatever is not as plain as
 * what SQLite writes for a small table (one page, rows that fit on it, UTF-8) is NOT_FOUND, which
 * means: ask SQLite. No byte of the file is trusted. */
#ifndef PEEK_H
#define PEEK_H

#include "vfs.h"

struct peek {
    sqlite3_file *file;
    unsigned char *page; /* the one that is looked at */
    uint32_t size;       /* of a page */
    uint32_t header;     /* where on it that of the table is */
    uint32_t next, rows;
};

/* Open the file; the first table is the schema. Fails: NOT_FOUND, IO, NOMEM. */
int peek_open(struct peek *peek, const char *path);
void peek_close(struct peek *peek);

/* Go to the table that begins on a page, as the schema says. Fails: NOT_FOUND. */
int peek_table(struct peek *peek, int64_t page);

/* The columns of the next row, which borrow from the page; those that it does not have are NONE.
 * 1; 0 if there is none; fails: NOT_FOUND. */
int peek_row(struct peek *peek, struct dcache_value *ret_columns, unsigned count);

#endif
