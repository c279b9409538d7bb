/* bell.c - the bells of the segment, chosen by key. See bell.h. */
#include "bell.h"

struct bell bell_of(struct dcache *cache, const struct dcache_value *key)
{
    struct bell bell = {.cache = cache};

    /* Neighbouring keys are to have bells of their own. */
    bell.hash = (dcache_hash(key) * UINT32_C(0x9E3779B9)) >> 16;
    return bell;
}

/* The segment, which a child does not have before it has entered. NULL: there is none. */
static struct shared *segment(const struct bell *bell)
{
    struct store *store = bell->cache->store;

    return store_enter(store) == 0 ? &store->shared : NULL;
}

void bell_listen(struct bell *bell)
{
    struct shared *shared = segment(bell);

    if (shared)
        bell->heard = shared_bell_listen(shared, bell->hash);
}

bool bell_sleep(const struct bell *bell, int64_t nanoseconds)
{
    struct shared *shared = segment(bell);

    if (!shared) {
        os_sleep(nanoseconds);
        return false;
    }
    shared_bell_wait(shared, bell->hash, bell->heard, nanoseconds);
    return shared_bell_listen(shared, bell->hash) != bell->heard;
}

void bell_ring(const struct bell *bell, bool all)
{
    struct shared *shared = segment(bell);

    if (shared)
        shared_bell_ring(shared, bell->hash, all);
}

bool bell_is_shared(const struct bell *bell)
{
    struct shared *shared = segment(bell);

    return shared && atomic_load(&shared->fd) >= 0;
}
