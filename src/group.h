/* group.h - what a transaction has written that is not in the ring yet: nobody else sees it, and it
 * becomes visible at once. No SQL.
 *
 * Invariants
 *  G1  While a transaction has a group, it holds the append lock, and nothing of it is in SQLite.
 *  G2  What is in a group is in the order in which it was written, so that an inner transaction is undone by
 *      cutting the end off.
 *  G3  A key that the group has removed, or whose item has expired, is not stored in it again: such an item changes its place among the
 *      others, which a single record cannot say. Then the transaction goes to SQLite (carry.c). */
#ifndef GROUP_H
#define GROUP_H

#include "memtable.h"

#define GROUP_FULL 1 /* no error: it is to go on in SQLite */

struct group_entry {
    struct memtable_change change; /* its pointers are into `data` */
    uint64_t data[];
};

struct group {
    size_t count;
    uint64_t bytes; /* in the ring */
    uint64_t
        floor; /* of the memtable when it began: if it has moved, a foreign process has committed */
    unsigned generation; /* of the pool then: if it has changed, the directory was made anew */
    struct group_entry *entry[MEMTABLE_GROUP_MOST];
};

/* Fails: NULL. */
struct group *group_new(const struct shared *shared, unsigned generation);
void group_free(struct group *group);

/* What the group says about a key, as memtable_find(). */
int group_find(const struct group *group, const struct memtable_key *key, unsigned flags,
               struct memtable_record *ret_record);

/* The new state of a key, copied. GROUP_FULL: it has to be SQLite's. Fails: NOMEM. */
int group_add(struct group *group, const struct shared *shared, const struct memtable_key *key,
              enum memtable_kind kind, unsigned flags, const struct row *row);

/* Undo all but the first `count`. */
void group_cut(struct group *group, size_t count);

/* Have everybody see it. False: there is no room. Under the append lock. */
bool group_publish(const struct group *group, struct shared *shared);

#endif
