/* directory.h - the directory of a cache, and what has to be in it before SQLite comes. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "os.h"

/* Make a directory with a mode (0: 0700), and those above it as usual. One that is there is no error. */
int directory_make(const char *directory, unsigned mode);

/* A descriptor of the directory, which is made if the options allow it. */
int directory_open(const char *directory, const struct dcache_open_options *options, int *ret_dir);

/* Make an empty database if there is none. `path` is for the message. Fails: NOT_FOUND (there is none,
 * and none is to be made), CORRUPT (what is there is no regular file). */
int directory_make_database(int dir, const char *path, bool may_create, unsigned mode);

/* Whether nobody has the database open and nobody crashed with it: then it is all in one file, and
 * `ret_stat` is that file's. Whether that is still so of another look. */
bool directory_is_at_rest(int dir, struct stat *ret_stat);
bool directory_same_file(const struct stat *a, const struct stat *b);

#endif
