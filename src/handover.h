/* handover.h - pass a lock on to who has waited longest for it: so it is fair, and costs a waking.
 *
 * A waiter takes a place in the segment, with its key and what is to be stored for it. Who gives the
 * lock back grants it to the place, which wakes the waiter, and then stores that in SQLite instead of
 * removing the item: until then the item names the one who gave it. In a hurry that is the order; where
 * something speaks against it (hold.c), the item is stored first, in the transaction that gives
 * the lock back, and the waiter hears of it after the commit.
 *
 * Invariants
 *  H1  A place is WAITING (POKED: and has reason to look), or somebody who holds the write lock of the
 *      cache is at it (GRANTING), or the lock is its owner's: GRANTED, or HELD once the owner knows it,
 *      while the item lags behind; SETTLED when it does not. From GRANTING it goes to GRANTED before,
 *      to SETTLED after a commit, and to WAITING again if there is neither.
 *  H2  Who leaves a place that is not WAITING any more owns the lock, unless a look in a write
 *      transaction says otherwise: who was at it has died.
 *  H3  A place belongs to a process that lives, or is free (S1). Each use of it has another number, so
 *      that who comes late does nothing to the next one. Of what is GRANTED or HELD, both the owner and
 *      who has granted it must be gone, since the item still names the latter.
 *  H4  A lock is held by who is named in a place that is GRANTED or HELD, if the item names the one by
 *      whom it was granted, and else by who is named in the item. So a grant ends with the commit that
 *      stores anything else, at once, whoever may die before he can say so. There is one such place for
 *      a key, and the places are looked at before the item: then what both say was so at some moment
 *      in between.
 *  H5  It is granted under the write lock, where the item has no lease (it might end before the item is
 *      stored) and no other grant lags behind. Whoever begins a transaction about the lock first brings
 *      the item up to date: he who has granted it, or if he has died or cannot, the next one.
 *
 * What the segment says is lost with its last close: should the item still lag behind then (its writer was
 * killed, or the disk is full), it counts again. For 5.6.3, which only looks whether there is an item, the lock is
 * held all the time. Who shares the directory without the segment cannot see a grant, and so takes nothing from
 * the dead while there is one: handover_is_blind().
 *
 * Places are few and keys in them short; without one, a waiter has the bell. model/handover.pml has
 * these steps for Spin. */
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
/* The same for who knows whether he has the lock. Whether it was granted after all. */
bool handover_end(struct handover *h);

/* Whether somebody waits for it: a hint. */
bool handover_is_awaited(struct dcache *cache, const struct dcache_value *key);

/* For who gives the lock back, under the write lock: the one who has waited longest. */
struct handover handover_choose(struct dcache *cache, const struct dcache_value *key,
                                char line[OWNER_TEXT], double *ret_expire);
/* Then at once, by `from`, as the item names it. False: he does not wait any more. */
bool handover_grant(struct handover *h, const char *from);
/* Or after storing it, with whether that was committed. */
void handover_done(struct handover *h, bool committed);

/* After the lock was given back to nobody: let one look who has come to wait meanwhile. */
void handover_poke(struct dcache *cache, const struct dcache_value *key);

/* A place that is GRANTED or HELD, for H4. */
struct handover_grant {
    struct handover at; /* of no place: there is none */
    struct owner from, owner;
    double expire_time; /* of the owner's lease, or DCACHE_NEVER */
};

struct handover_grant handover_find(struct dcache *cache, const struct dcache_value *key);
/* Under the write lock, once the item names another than `from`, committed. */
void handover_settle(struct handover *h);

/* Whether others may grant what is not seen here. */
bool handover_is_blind(const struct dcache *cache);

#endif
