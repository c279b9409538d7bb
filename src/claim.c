/* claim.c - what both kinds of records need. See claim.h. */
#include "claim.h"

struct dcache_set_options claim_options(const struct dcache_lock *lock)
{
    struct dcache_set_options options = DCACHE_OPTIONS(struct dcache_set_options);

    options.flags = DCACHE_PINNED; /* L4 */
    options.expire = lock->expire;
    options.tag = &lock->tag;
    return options;
}

int claim_owner_lives(const struct dcache_lock *lock, const struct owner *owner,
                      const struct owner *self)
{
    /* What is not shared by mapping may be shared between machines. */
    return owner_lives(owner, self, lock->cache->store->use_shared);
}

bool claim_owner_is_gone(const struct dcache_lock *lock, const struct owner *owner,
                         const struct owner *self)
{
    return claim_owner_lives(lock, owner, self) == 0;
}
