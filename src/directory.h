/* directory.h - the directory of a cache, and what has to be in it before SQLite comes. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "os.h"

/* Make a directory with a mode (0: 0700), and those above it as usual. One that is there is no error. */
int directory_make_path(const char *directory, unsigned mode);

/* A descriptor of the directory, which is made if the options allow it. */
int directory_open(const char *directory, const struct dcache_open_options *options, int *ret_dir);

/* Fails: CORRUPT (what is in the place of one of SQLite's files is no regular file). `path` is for the
 * message. */
int directory_check(int dir, const char *path);

/* Make an empty database if there is none. Fails: NOT_FOUND (there is none, and none is to be made). */
int directory_make_database(int dir, const char *path, bool may_create, unsigned mode);

#endif
