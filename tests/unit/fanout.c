/* fanout.c - see fanout.h. */
#include "fanout.h"

#include <stdio.h>
#include <stdlib.h>

struct dcache *fanout_of(void **state)
{
    return ((struct place *)*state)->cache;
}

const char *dir_of(void **state)
{
    return ((struct place *)*state)->dir;
}

dcache *open_fanout(const char *dir, int shards)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *cache = NULL;

    options.timeout = 0.25;
    assert_int_equal(dcache_open_fanout(dir, shards, &options, &cache), 0);
    return cache;
}

int fanout_make(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    assert_non_null(place);
    place_new(place);
    place->cache = open_fanout(place->dir, 8);
    *state = place;
    return 0;
}

const char *shard_dir(const char *dir, int number)
{
    static char path[320];

    (void)snprintf(path, sizeof path, "%s/%03d", dir, number);
    return path;
}

int64_t rows_in(const char *dir, int number)
{
    return sql_number(shard_dir(dir, number), "SELECT count(*) FROM Cache");
}

int64_t count_of(dcache *c)
{
    int64_t count;

    assert_int_equal(dcache_count(c, &count), 0);
    return count;
}
