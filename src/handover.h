/* handover.h - pass a lock on to who has waited longest for it, in the same transaction that gives it
 * back: so it costs one commit and one waking, and is fair.
 *
 * A waiter takes a place in the segment, with its key and what is to be stored for it. Who gives the
 * lock back stores that, instead of removing the item.
 *
 * Invariants
 *  H1  A place is WAITING (POKED: and has reason to look), or somebody who holds the write lock of the
 *      cache is at it (GRANTING), or the lock is its owner's (GRANTED). GRANTING becomes GRANTED
 *      after the commit, and WAITING again if there is none.
 *  H2  Who leaves a place that is not WAITING any more owns the lock, unless a look in a write
 *      transaction says otherwise: who was at it has died.
 *  H3  A place belongs to a process that lives, or is free (S1). Each use of it has another number, so
 *      that who comes late does nothing to the next one.
 *
 * Places are few and keys in them short; without one, a waiter has the bell. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "owner.h"
#include "txn.h"

struct handover {
    struct shared_waiter *place; /* NULL: none */
    uint32_t word;               /* its state when taken */
};

/* For a waiter. `line` is its owner's, `expire` its lease. */
struct handover handover_join(struct dcache *cache, const struct dcache_value *key,
                              const char *line, double expire);
bool handover_sleep(const struct handover *h, int64_t nanoseconds); /* whether it was poked */
bool handover_is_granted(const struct handover *h);
/* Give the place up. False: it is being granted or is granted, see H2. */
bool handover_leave(struct handover *h);
/* The same when it is certain what became of it. */
void handover_forget(struct handover *h);

/* For who gives the lock back, in its transaction: the one who has waited longest. Then done, with
 * whether it was committed. */
struct handover handover_choose(struct dcache *cache, const struct dcache_value *key,
                                char line[OWNER_TEXT], double *ret_expire);
void handover_done(struct handover *h, bool committed);

/* After the lock was given back to nobody: let one look who has come to wait meanwhile. */
void handover_poke(struct dcache *cache, const struct dcache_value *key);

#endif
