/* ends.h - the keys of queues, and where those queues end of which that is known without asking SQLite.
 *
 * A push or pull looks for the end of its queue, which is SQLite's to tell: a range of keys, in order. So it
 * would drain first, each time. Instead who has done so leaves in the segment between which numbers
 * the queue lies, and the next need not (hot_queue.c).
 *
 * Invariants, under the append lock of the memtable
 *  Q1  Each key of the queue has a number from `first` on and before `next`. There may be gaps, also at the
 *      ends: who finds nothing under the number at an end has to ask SQLite after all. Who pushes wants the
 *      number next to an item, so he looks whether there is one, but if it is `sure`: at that side
 *      something was pushed last, and it does not expire.
 *  Q2  So before any other write to such a key is published (not MEMTABLE_QUEUE), it is forgotten; so is
 *      all of it with a commit to SQLite that was no drain (memtable_settle), but for the commit of a
 *      push or pull, which changes its own queue alone, and others at most by eviction; and for one about
 *      a single key of none (memtable_settle_key).
 *  Q3  A foreign process pushes where it sees no row. What is pushed here it sees up to 50 ms later: so where
 *      one has been, queues are SQLite's (memtable_was_foreign). If one that has just come has given away a
 *      number that an item has here, that item gets another one when it is drained.
 *  Q4  Nor may it be given an item that has been given away here. So only an item that is not in SQLite is
 *      pulled from the memtable, one from `draining` on, which moves under the append lock before a slice is
 *      read; and a slice stores no item that was pulled after its end. */
#ifndef ENDS_H
#define ENDS_H

#include "ring.h"

#define ENDS_FIRST INT64_C(500000000000000)
#define ENDS_LAST INT64_C(999999999999998) /* 5.6.3 looks strictly between 0 and one more */

#define ENDS_SUFFIX 16 /* bytes of a key that has the name of a queue: '-', and 15 digits */

/* What queue, and its ends. */
struct ends {
    const char *prefix; /* NULL: the one without a name */
    int64_t first;
    int64_t next; /* behind the last; the same as `first`: it is empty */
    bool sure[2]; /* by side */
};

/* The key of an item, of which text is to be freed. Fails: RANGE NOMEM. */
int ends_key(const char *prefix, int64_t number, struct dcache_value *ret_key);

/* The number of the key of an item. */
int64_t ends_number(const char *prefix, const struct dcache_value *key);

/* The number of the next item to be pushed to a side. */
int64_t ends_next(const struct ends *ends, enum dcache_side side);

/* Fill in what is known of `ends->prefix`. False: nothing. */
bool ends_find(const struct shared *shared, struct ends *ends);

/* Know it from now on, if it has a short name; where there is no room, in the place of another. */
void ends_set(struct shared *shared, const struct ends *ends);

/* Of all queues, if one has this key, or might have; in any case. */
void ends_forget(struct shared *shared, const struct memtable_key *key);
void ends_forget_all(struct shared *shared);

#endif
