/* fanout.h - what the tests of fanouts share: a place whose cache is a fanout of eight shards. */
#ifndef FANOUT_H
#define FANOUT_H

#include "support.h"

dcache *open_fanout(const char *dir, int shards);
int fanout_make(void **state); /* for cmocka; its end is place_remove() */

dcache *fanout_of(void **state);
const char *dir_of(void **state);
const char *shard_dir(const char *dir, int number); /* until the next call */
int64_t rows_in(const char *dir, int number);
int64_t count_of(dcache *c);

#endif
