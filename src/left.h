/* left.h - what a transaction leaves behind for the owner of its handle: names of files that are his to
 * remove, keys of items that were evicted. Batches are made before COMMIT and handed over after it,
 * which needs no memory. */
#ifndef LEFT_H
#define LEFT_H

#include "value.h"

struct left_batch {
    struct left_batch *next;
    size_t count, room;
    struct dcache_left *items;
};

/* Add to the first batch of a chain, which is made if there is none; name and key are copied, and may
 * be NULL. */
int left_add(struct left_batch **chain, const char *filename, const struct dcache_value *key);

/* Put one chain in front of another. */
void left_join(struct left_batch **chain, struct left_batch *more);
void left_free(struct left_batch *chain);

#endif
