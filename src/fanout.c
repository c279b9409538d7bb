/* fanout.c - opening a cache of several directories, and the caches with names of their own in it. What
 * is done with one is in the files of the operations: see struct dcache in txn.h. */
#include "directory.h"
#include "handle.h"
#include "route.h"

#include <diskcache_collections.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define DEFAULT_SHARDS 8
#define MOST_SHARDS 1000

/* ---- which shards there are ---- */

static bool has_database(int dir, const char *name)
{
    struct stat st;
    char *path = os_format("%s/" DB_NAME, name);
    bool has = path && os_fstatat(dir, path, &st) == 0;

    free(path);
    return has;
}

/* One more than the greatest number, so that one that was lost is made anew; 0: it is no fanout. */
static int count_shards(const char *directory, size_t *ret_count)
{
    int dir = os_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0), rc = 0;
    size_t count;
    char **names;

    *ret_count = 0;
    if (dir < 0)
        return errno == ENOENT ? 0 : os_fail_errno("open directory %s", directory);
    if (os_list(dir, ".", &names, &count) < 0) {
        rc = os_fail_errno("list %s", directory);
        os_close(dir);
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        int number = file_shard(names[i]);

        if (number >= (int)*ret_count && number < MOST_SHARDS && has_database(dir, names[i]))
            *ret_count = (size_t)number + 1;
    }
    free(names);
    os_close(dir);
    return 0;
}

/* ---- open ---- */

static int open_shard(struct dcache *fanout, const char *directory, size_t i,
                      const struct dcache_open_options *given)
{
    struct dcache_open_options options = *given;
    struct dcache_setting *own = NULL;
    char *path = os_format("%s/%03zu", directory, i);
    int rc = path ? 0 : DCACHE_NOMEM;

    if (rc == 0 && options.settings_count > 0) {
        own = os_calloc(options.settings_count, sizeof *own);
        rc = own ? 0 : DCACHE_NOMEM;
        options.settings = own;
    }
    for (size_t n = 0; rc == 0 && n < options.settings_count; n++) {
        own[n] = given->settings[n];
        own[n].value = settings_share(own[n].name, &own[n].value, fanout->shard_count, i);
    }
    if (rc == 0)
        rc = handle_open(path, &options, (unsigned)fanout->shard_count, &fanout->shards[i]);
    free(own);
    free(path);
    return rc;
}

/* The first shard last: where it is, the making of a fanout was not broken off, and all are there. */
static int open_shards(const char *directory, size_t shards,
                       const struct dcache_open_options *options, struct dcache **ret_fanout)
{
    struct dcache *fanout;
    int rc = handle_new(shards, &fanout);

    if (rc < 0)
        return rc;
    for (size_t i = shards; rc == 0 && i-- > 0;)
        rc = open_shard(fanout, directory, i, options);
    if (rc == 0) {
        fanout->path = os_realpath(directory);
        if (!fanout->path)
            rc = os_fail_errno("resolve %s", directory);
    }
    if (rc < 0)
        dcache_close(fanout);
    else
        *ret_fanout = fanout;
    return rc;
}

static int check_options(const char *directory, int shards,
                         const struct dcache_open_options *options)
{
    int rc = 0;

    if (!directory || !*directory)
        return os_fail(DCACHE_INVALID, "the directory has no name");
    if (shards < 0 || shards > MOST_SHARDS)
        return os_fail(DCACHE_INVALID, "a fanout has from 1 to %d shards", MOST_SHARDS);
    for (size_t i = 0; rc == 0 && i < options->settings_count; i++)
        rc = settings_check(options->settings[i].name, &options->settings[i].value);
    return rc;
}

int dcache_open_fanout(const char *directory, int shards, const struct dcache_open_options *given,
                       dcache **ret_cache)
{
    ENTRY_OPTIONS(struct dcache_open_options, options, given);
    struct dcache *fanout = NULL;
    size_t wanted, there;
    int rc = check_options(directory, shards, &options);

    if (rc == 0)
        rc = count_shards(directory, &there);
    if (rc == 0 && there == 0 && (options.flags & (DCACHE_NO_CREATE | DCACHE_READ_ONLY)))
        rc = os_fail(DCACHE_NOT_FOUND, "there are no shards in %s", directory);
    if (rc == 0 && there == 0)
        rc = directory_make(directory, options.directory_mode);
    while (rc == 0) {
        wanted = there > 0 ? there : shards > 0 ? (size_t)shards : DEFAULT_SHARDS;
        rc = open_shards(directory, wanted, &options, &fanout);
        if (rc < 0 || there == wanted)
            break;
        rc = count_shards(directory, &there);
        if (rc == 0 && there == wanted)
            break;
        dcache_close(fanout); /* somebody has made more at the same moment */
    }
    if (rc == 0)
        *ret_cache = fanout;
    return rc;
}

/* ---- shards ---- */

int dcache_shard_count(const dcache *cache)
{
    return (int)cache->shard_count;
}

dcache *dcache_shard(dcache *cache, int number)
{
    return number >= 0 && (size_t)number < cache_parts(cache) ? cache_part(cache, (size_t)number)
                                                              : NULL;
}

dcache *dcache_shard_for(dcache *cache, const struct dcache_value *key)
{
    return route_home(cache, key);
}

/* ---- caches with a name of their own ---- */

static bool is_name(const char *name)
{
    for (;;) {
        size_t length = strcspn(name, "/");

        if (length == 0 || (length == 1 && name[0] == '.') ||
            (length == 2 && name[0] == '.' && name[1] == '.'))
            return false;
        if (!name[length])
            return true;
        name += length + 1;
    }
}

/* Each directory on the way with the mode of the last. */
static int make_way(const struct dcache *fanout, char *path, unsigned mode)
{
    int rc = 0;

    for (char *slash = strchr(path + strlen(fanout->path) + 1, '/'); rc == 0 && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        rc = directory_make(path, mode);
        *slash = '/';
    }
    return rc;
}

int dcache_open_named(dcache *cache, const char *kind, const char *name,
                      const struct dcache_open_options *given, dcache **ret_cache)
{
    ENTRY_OPTIONS(struct dcache_open_options, options, given);
    char *path;
    int rc = 0;

    if (cache->shard_count == 0 || cache->shards[0]->scope)
        return os_fail(DCACHE_INVALID, "named caches are in a fanout, and in no transaction");
    if (!kind || !file_is_named(kind) || !name || !is_name(name))
        return os_fail(DCACHE_INVALID, "that is no kind and name of a cache");
    path = os_format("%s/%s/%s", cache->path, kind, name);
    if (!path)
        return DCACHE_NOMEM;
    if (!(options.flags & (DCACHE_NO_CREATE | DCACHE_READ_ONLY)))
        rc = make_way(cache, path, options.directory_mode);
    if (rc == 0)
        rc = strcmp(kind, "cache") == 0 ? dcache_open(path, &options, ret_cache)
                                        : dcache_open_collection(path, &options, ret_cache);
    free(path);
    return rc;
}
