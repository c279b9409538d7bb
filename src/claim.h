/* claim.h - what is behind a `dcache_lock *`, and the two kinds of records that it may stand for.
 *
 * Invariants
 *  L1  Whatever 5.6.3 takes for a held lock is held for us, and the reverse: the item under the key is
 *      the one that 5.6.3 would have written, but for what it does not look at.
 *  L2  A hold is taken and given back in one transaction that has seen whose it is.
 *  L3  Nobody else's hold is given back: the record says who holds it (owner.h), and an object whose
 *      process has forked is another owner.
 *  L4  Items are pinned, and gone when nobody holds anything. */
#ifndef CLAIM_H
#define CLAIM_H

#include "bell.h"
#include "handover.h"
#include "entry.h"
#include "owner.h"

#include <diskcache_recipes.h>

#define CLAIM_HELD 1 /* by another, who lives: no error */

/* Of a LOCK: what its last acquire was marked with, and what the next one will be. */
struct lock_marks {
    _Atomic uint64_t held, next;
};

struct dcache_lock {
    struct dcache *cache; /* that of the key: a single directory */
    enum dcache_lock_kind kind;
    int64_t permits;
    double expire;
    struct dcache_value key, tag;
    struct dcache_value holders;   /* of a semaphore: the key of its second item */
    struct owner self;             /* of who opened it */
    struct lock_marks own, *marks; /* those in force: of a view in a transaction, another's */
    bool scoped;                   /* its cache is a transaction */
    struct bell bell;
};

/* Options with which the items of a lock are stored. */
struct dcache_set_options claim_options(const struct dcache_lock *lock);

/* Whether a holder lives, as owner_lives(); and whether he is certainly gone. */
int claim_owner_lives(const struct dcache_lock *lock, const struct owner *owner,
                      const struct owner *self);
bool claim_owner_is_gone(const struct dcache_lock *lock, const struct owner *owner,
                         const struct owner *self);

/* hold.c: LOCK and RLOCK. Each 0 or a status; CLAIM_HELD from take. What is ours already, for who has
 * waited for it, was handed over, and not acquired once more. */
int hold_take(struct dcache_lock *lock, const struct owner *self, bool waited);
int hold_give(struct dcache_lock *lock, const struct owner *self); /* to who has waited longest */
/* Or NOT_OWNER, for certain; then the place is given up, before anybody can be at it again. */
int hold_is_mine(struct dcache_lock *lock, const struct owner *self, struct handover *place);
int hold_renew(struct dcache_lock *lock, const struct owner *self, double expire);
int hold_break(struct dcache_lock *lock);
int hold_state(struct dcache_lock *lock, const struct owner *self,
               struct dcache_lock_state *ret_state);

/* permits.c: SEMAPHORE. */
int permits_take(struct dcache_lock *lock, const struct owner *self);
int permits_give(struct dcache_lock *lock, const struct owner *self);
int permits_renew(struct dcache_lock *lock, const struct owner *self, double expire);
int permits_break(struct dcache_lock *lock, const struct owner *self);
int permits_state(struct dcache_lock *lock, const struct owner *self,
                  struct dcache_lock_state *ret_state);
int permits_holders_key(const struct dcache_value *key, struct dcache_value *ret_key);

#endif
