/* route.h - which shard of a fanout a key belongs to. A single directory has all keys.
 *
 * 5.6.3 places a key by the hash of its stored form, so that 1 and 1.0, one key in SQLite and in
 * Python, may lie in two shards. Here the place is that of the integer, which is the key's home; but
 * what 5.6.3 has put under the float has to be found. */
#ifndef ROUTE_H
#define ROUTE_H

#include "entry.h"

/* Number of the part that is the key's home. Of a key that is none: 0, where it is refused. */
size_t route_number(const struct dcache *cache, const struct dcache_value *key);

struct dcache *route_home(struct dcache *cache, const struct dcache_value *key);

/* Where to look for a key, one after the other until it is found; hands back how many places. 5.6.3 may
 * be at work beside us, so that which it would choose comes first; and since an item may just be
 * moving home, home comes last. */
#define ROUTE_PLACES 3
size_t route_read(struct dcache *cache, const struct dcache_value *key,
                  struct dcache *ret_places[ROUTE_PLACES]);

/* Before a write: the key's home, to which an item under an equal number elsewhere has been moved.
 * If both have one, that which was stored last stays. */
int route_write_to_shard(struct dcache *cache, const struct dcache_value *key,
                         struct dcache **ret_home);
static inline int route_write(struct dcache *cache, const struct dcache_value *key,
                              struct dcache **ret_home)
{
    if (cache->shard_count > 0)
        return route_write_to_shard(cache, key, ret_home);
    *ret_home = cache;
    return 0;
}

/* Store what a row of another shard has under the key of `item`. Row and open file are taken. */
int route_copy(struct txn *to, struct item *item, struct row *row, int fd);

/* Numbers of `count` keys, grouped by part: those of part i are `order[start[i]]` to before
 * `order[start[i + 1]]`, in the order in which they came. Release with route_free(). */
struct route_groups {
    size_t *order, *start;
};
int route_group(const struct dcache *cache, const struct dcache_value *keys, size_t count,
                struct route_groups *ret_groups);
void route_free(struct route_groups *groups);

#endif
