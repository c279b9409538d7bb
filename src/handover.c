/* handover.c - the places of those who wait for a lock. See handover.h. */
#include "handover.h"

_Static_assert(SHARED_WAITER_LINE == OWNER_TEXT, "a place has room for an owner's line");

enum { FREE, FILLING, WAITING, POKED, GRANTING, GRANTED, CODES = 8 };

static uint32_t code_of(uint32_t word)
{
    return word % CODES;
}

static uint32_t with_code(uint32_t word, uint32_t code)
{
    return word - code_of(word) + code;
}

/* Free, under the next number: H3. */
static uint32_t next_use(uint32_t word)
{
    return with_code(word, FREE) + CODES;
}

static bool change(struct shared_waiter *place, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&place->word, &from, to);
}

/* The bytes of a key, with its type; 0: it is too long, or nothing of bytes. */
static size_t key_bytes(const struct dcache_value *key, char bytes[SHARED_WAITER_KEY])
{
    bytes[0] = (char)key->type;
    if (key->type == DCACHE_INT || key->type == DCACHE_DOUBLE) {
        memcpy(bytes + 1, &key->integer, sizeof key->integer);
        return 1 + sizeof key->integer;
    }
    if (!value_is_data(key) || key->size >= SHARED_WAITER_KEY)
        return 0;
    memcpy(bytes + 1, key->data, key->size);
    return 1 + key->size;
}

/* The places, if all processes see them; else NULL. */
static struct shared *segment(struct dcache *cache)
{
    struct store *store = cache->store;

    return store_enter(store) == 0 && atomic_load(&store->shared.fd) >= 0 ? &store->shared : NULL;
}

/* ---- wait ---- */

static void fill(struct shared *shared, struct shared_waiter *place, const char *line,
                 const char *key, size_t size, double expire)
{
    (void)strcpy(place->line, line); /* both are OWNER_TEXT */
    memcpy(place->key, key, size);
    place->key_size = (uint32_t)size;
    place->expire = expire;
    atomic_store(&place->process, shared->slot);
    atomic_store(&place->ticket, atomic_fetch_add(&shared->segment->tickets, 1) + 1);
}

/* Whether a place may be taken from a dead owner: nobody else is at it. */
static bool is_settled(uint32_t code)
{
    return code == WAITING || code == POKED || code == GRANTED;
}

/* A free place, or one whose owner has died in it. NULL: there is none. */
static struct shared_waiter *claim(struct shared *shared, uint32_t *ret_word)
{
    for (int i = 0; i < 2 * SHARED_WAITERS; i++) {
        struct shared_waiter *place = &shared->segment->waiter[i % SHARED_WAITERS];
        uint32_t word = atomic_load(&place->word);

        if (i >= SHARED_WAITERS && is_settled(code_of(word)) &&
            shared_slot_lives(shared, atomic_load(&place->process)) == 0 &&
            change(place, word, next_use(word)))
            word = next_use(word);
        if (code_of(word) == FREE && change(place, word, with_code(word, FILLING))) {
            *ret_word = with_code(word, WAITING);
            return place;
        }
    }
    return NULL;
}

struct handover handover_join(struct dcache *cache, const struct dcache_value *key,
                              const char *line, double expire)
{
    struct shared *shared = segment(cache);
    struct handover h = {.place = NULL};
    char bytes[SHARED_WAITER_KEY];
    size_t size = key_bytes(key, bytes);

    if (!shared || size == 0)
        return h;
    h.place = claim(shared, &h.word);
    if (h.place) {
        fill(shared, h.place, line, bytes, size, expire);
        atomic_store(&h.place->hash, dcache_hash(key));
        atomic_store(&h.place->word, h.word);
    }
    return h;
}

bool handover_sleep(const struct handover *h, int64_t nanoseconds)
{
    uint32_t word = atomic_load(&h->place->word);

    if (code_of(word) == WAITING || code_of(word) == GRANTING)
        os_futex_wait(&h->place->word, word, nanoseconds);
    return change(h->place, with_code(h->word, POKED), h->word);
}

bool handover_is_granted(const struct handover *h)
{
    return h->place && code_of(atomic_load(&h->place->word)) == GRANTED;
}

bool handover_leave(struct handover *h)
{
    if (h->place && !change(h->place, h->word, next_use(h->word)) &&
        !change(h->place, with_code(h->word, POKED), next_use(h->word)))
        return false;
    h->place = NULL;
    return true;
}

void handover_forget(struct handover *h)
{
    uint32_t word = h->place ? atomic_load(&h->place->word) : 0;

    while (h->place && word / CODES == h->word / CODES &&
           !change(h->place, word, next_use(h->word)))
        word = atomic_load(&h->place->word);
    h->place = NULL;
}

/* ---- grant ---- */

/* Who waits for the key and came next after `*ticket`. */
static struct shared_waiter *find_next(struct shared_segment *segment, uint32_t hash,
                                       uint64_t *ticket)
{
    struct shared_waiter *found = NULL;
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < SHARED_WAITERS; i++) {
        struct shared_waiter *place = &segment->waiter[i];
        uint64_t its = atomic_load(&place->ticket);

        if (code_of(atomic_load(&place->word)) == WAITING && atomic_load(&place->hash) == hash &&
            its > *ticket && its < best) {
            best = its;
            found = place;
        }
    }
    *ticket = best;
    return found;
}

struct handover handover_choose(struct dcache *cache, const struct dcache_value *key,
                                char line[OWNER_TEXT], double *ret_expire)
{
    struct shared *shared = segment(cache);
    struct handover h = {.place = NULL};
    char bytes[SHARED_WAITER_KEY];
    size_t size = key_bytes(key, bytes);
    uint32_t hash = dcache_hash(key), word;
    struct shared_waiter *place;
    uint64_t ticket = 0;

    while (shared && size > 0 && (place = find_next(shared->segment, hash, &ticket)) != NULL) {
        word = atomic_load(&place->word);
        if (code_of(word) != WAITING || !change(place, word, with_code(word, GRANTING)))
            continue;
        if (shared_slot_lives(shared, atomic_load(&place->process)) == 0) { /* H3 */
            atomic_store(&place->word, next_use(word));
        } else if (place->key_size == size && memcmp(place->key, bytes, size) == 0) {
            memcpy(line, place->line, OWNER_TEXT - 1);
            line[OWNER_TEXT - 1] = 0; /* it ends before, unless somebody has forged it */
            *ret_expire = place->expire;
            h.place = place;
            h.word = with_code(word, GRANTING);
            break;
        } else { /* of another key: as it was */
            (void)change(place, with_code(word, GRANTING), word);
        }
    }
    return h;
}

void handover_poke(struct dcache *cache, const struct dcache_value *key)
{
    struct shared *shared = segment(cache);
    uint32_t hash = dcache_hash(key), word;
    struct shared_waiter *place;
    uint64_t ticket = 0;

    while (shared && (place = find_next(shared->segment, hash, &ticket)) != NULL) {
        word = atomic_load(&place->word);
        if (code_of(word) == WAITING && change(place, word, with_code(word, POKED))) {
            (void)os_futex_wake(&place->word); /* who is awake looks by itself */
            return;
        }
    }
}

void handover_done(struct handover *h, bool committed)
{
    /* If it is not so any more, its owner has found out for himself: H2. */
    if (change(h->place, h->word, with_code(h->word, committed ? GRANTED : WAITING)) && committed)
        (void)os_futex_wake(&h->place->word); /* who is awake looks by itself */
    h->place = NULL;
}
