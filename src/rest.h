/* rest.h - a database at rest: nobody has it open, and nobody crashed with it.
 *
 * Then settings and tables can be looked at in its one file, without making a log and its index, which
 * take most of the time of an open. If somebody comes meanwhile, the look counts for nothing, and is
 * repeated in the ordinary way. */
#ifndef REST_H
#define REST_H

#include "directory.h"
#include "schema.h"

struct rest {
    struct stat file;            /* as the database was then */
    struct dcache_setting *list; /* rows of Settings, until somebody takes them */
    size_t count;
};

/* Whether the database is at rest, has all that a cache needs, and nothing is to be changed for these
 * options. Then `settings` are those that are in it. */
bool rest_look(struct rest *rest, int dir, const char *path, unsigned shards,
               const struct dcache_open_options *options, struct settings *settings);

/* Hand the rows over, if all is as it was. They go in any case. */
bool rest_take(struct rest *rest, int dir, struct dcache_setting **ret_list, size_t *ret_count);
void rest_forget(struct rest *rest);

#endif
