/* directory.h - the directory of a cache: made with those above it, opened. */
#ifndef DIRECTORY_H
#define DIRECTORY_H

#include "os.h"

/* Make a directory with a mode (0: 0700), and those above it as usual. One that is there is no error. */
int directory_make(const char *directory, unsigned mode);

/* Open it, making it first if the flags allow that. Fails: NOT_FOUND. */
int directory_open(const char *directory, const struct dcache_open_options *options, int *ret_dir);

#endif
