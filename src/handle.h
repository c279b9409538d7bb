/* handle.h - making a `dcache *`. */
#ifndef HANDLE_H
#define HANDLE_H

#include "txn.h"

/* As dcache_open(), of a directory that is one of so many shards, or 1. */
int handle_open(const char *directory, const struct dcache_open_options *given, unsigned shards,
                struct dcache **ret_cache);

/* A handle with room for so many shards, which are still NULL. */
int handle_new(size_t shards, struct dcache **ret_handle);

/* Release it without what it stands for. */
void handle_free(struct dcache *handle);

#endif
