/* handover.c - the places of those who wait for a lock. See handover.h. */
#include "handover.h"

#include "ring.h"

_Static_assert(SHARED_WAITER_LINE == OWNER_TEXT, "a place has room for an owner's line");

enum { FREE, FILLING, WAITING, POKED, GRANTING, GRANTED, HELD, SETTLED, CODES };

#define KEY_WORDS (SHARED_WAITER_KEY / 8)
#define LINE_WORDS (SHARED_WAITER_LINE / 8)

/* A key as a place has it: type, size, and zeros after the bytes. */
struct place_key {
    uint64_t words[KEY_WORDS];
    uint32_t hash;
    bool fits; /* it is not too long */
};

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

/* Numbers that SQLite takes for one are one key here too. */
static struct place_key key_of(const struct dcache_value *given)
{
    struct dcache_value key = value_normal_key(given);
    struct place_key ret = {.hash = dcache_hash(&key)};
    unsigned char *bytes = (unsigned char *)ret.words;

    bytes[0] = (unsigned char)key.type;
    if (key.type == DCACHE_INT || key.type == DCACHE_DOUBLE) {
        ret.fits = true;
        bytes[1] = sizeof key.integer;
        memcpy(bytes + 2, &key.integer, sizeof key.integer);
    } else if (value_is_data(&key) && key.size <= SHARED_WAITER_KEY - 2) {
        ret.fits = true;
        bytes[1] = (unsigned char)key.size;
        memcpy(bytes + 2, key.data, key.size);
    }
    return ret;
}

static void put(_Atomic uint64_t *to, const void *data, size_t words)
{
    const char *from = data;
    uint64_t word;

    for (size_t i = 0; i < words; i++) {
        memcpy(&word, from + 8 * i, 8);
        atomic_store_explicit(&to[i], word, memory_order_relaxed);
    }
}

static bool has_key(const struct shared_waiter *place, const struct place_key *key)
{
    uint64_t words[KEY_WORDS];

    ring_copy(words, place->key, KEY_WORDS);
    return memcmp(words, key->words, sizeof words) == 0;
}

static void put_line(_Atomic uint64_t *to, const char *line)
{
    char text[OWNER_TEXT] = {0};

    (void)strncpy(text, line, OWNER_TEXT - 1); /* fits: see owner_format() */
    put(to, text, LINE_WORDS);
}

static void get_line(const _Atomic uint64_t *from, char line[OWNER_TEXT])
{
    uint64_t words[LINE_WORDS];

    ring_copy(words, from, LINE_WORDS);
    memcpy(line, words, OWNER_TEXT);
    line[OWNER_TEXT - 1] = 0; /* whatever somebody has written into the file */
}

static bool get_owner(const _Atomic uint64_t *from, struct owner *ret_owner)
{
    char line[OWNER_TEXT];
    struct dcache_value value;

    get_line(from, line);
    value = dcache_text(line);
    return owner_parse(&value, ret_owner);
}

/* The places, if all processes see them; else NULL. */
static struct shared *segment(struct dcache *cache)
{
    struct store *store = cache->store;

    return store_enter(store) == 0 && atomic_load(&store->shared.fd) >= 0 ? &store->shared : NULL;
}

/* ---- wait ---- */

static void fill(struct shared *shared, struct shared_waiter *place, const char *line,
                 const struct place_key *key, double expire)
{
    put(place->key, key->words, KEY_WORDS);
    put_line(place->line, line);
    put(&place->expire, &expire, 1);
    atomic_store(&place->hash, key->hash);
    atomic_store(&place->process, shared->slot);
    atomic_store(&place->ticket, atomic_fetch_add(&shared->segment->tickets, 1) + 1);
}

/* H3: the owners by themselves, since a lock may be held by who has the cache closed. */
static bool is_forgotten(const struct shared_waiter *place)
{
    struct owner self, owner, from;

    return owner_self(&self) == 0 && get_owner(place->line, &owner) &&
           get_owner(place->from, &from) && owner_lives(&owner, &self, true) == 0 &&
           owner_lives(&from, &self, true) == 0;
}

/* Whether a place may be taken from a dead owner: nobody else is at it, nor is anything known from it. */
static bool is_left(const struct shared *shared, const struct shared_waiter *place, uint32_t code)
{
    if (code == GRANTED || code == HELD)
        return is_forgotten(place);
    return (code == WAITING || code == POKED || code == SETTLED) &&
           shared_slot_lives(shared, atomic_load(&place->process)) == 0;
}

/* A free place, or one whose owner has died in it. NULL: there is none. */
static struct shared_waiter *claim(struct shared *shared, uint32_t *ret_word)
{
    for (int i = 0; i < 2 * SHARED_WAITERS; i++) {
        struct shared_waiter *place = &shared->segment->waiter[i % SHARED_WAITERS];
        uint32_t word = atomic_load(&place->word);

        if (i >= SHARED_WAITERS && is_left(shared, place, code_of(word)) &&
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
    struct place_key sought = key_of(key);
    struct handover h = {.place = NULL};

    if (!shared || !sought.fits)
        return h;
    h.place = claim(shared, &h.word);
    if (h.place) {
        fill(shared, h.place, line, &sought, expire);
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
    uint32_t word = h->place ? atomic_load(&h->place->word) : 0;

    return word == with_code(h->word, GRANTED) || word == with_code(h->word, SETTLED);
}

bool handover_leave(struct handover *h)
{
    if (h->place && !change(h->place, h->word, next_use(h->word)) &&
        !change(h->place, with_code(h->word, POKED), next_use(h->word)))
        return false;
    h->place = NULL;
    return true;
}

bool handover_end(struct handover *h)
{
    uint32_t word = h->place ? atomic_load(&h->place->word) : 0, code = FREE;

    while (h->place && word / CODES == h->word / CODES) {
        code = code_of(word);
        if (change(h->place, word, code == GRANTED ? with_code(word, HELD) : next_use(word)))
            break;
        word = atomic_load(&h->place->word);
    }
    h->place = NULL;
    return code == GRANTED || code == SETTLED;
}

/* ---- grant ---- */

static double double_at(const _Atomic uint64_t *at)
{
    uint64_t bits = ring_load(at);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

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

bool handover_is_awaited(struct dcache *cache, const struct dcache_value *key)
{
    struct shared *shared = segment(cache);
    struct place_key sought = key_of(key);
    uint64_t ticket = 0;

    return shared && sought.fits && find_next(shared->segment, sought.hash, &ticket) != NULL;
}

struct handover handover_choose(struct dcache *cache, const struct dcache_value *key,
                                char line[OWNER_TEXT], double *ret_expire)
{
    struct shared *shared = segment(cache);
    struct handover h = {.place = NULL};
    struct place_key sought = key_of(key);
    struct shared_waiter *place;
    uint64_t ticket = 0;
    uint32_t word;

    while (shared && sought.fits &&
           (place = find_next(shared->segment, sought.hash, &ticket)) != NULL) {
        word = atomic_load(&place->word);
        if (code_of(word) != WAITING || !change(place, word, with_code(word, GRANTING)))
            continue;
        if (shared_slot_lives(shared, atomic_load(&place->process)) == 0) { /* H3 */
            atomic_store(&place->word, next_use(word));
        } else if (has_key(place, &sought)) {
            get_line(place->line, line);
            *ret_expire = double_at(&place->expire);
            h.place = place;
            h.word = with_code(word, GRANTING);
            break;
        } else { /* of another key: as it was */
            (void)change(place, with_code(word, GRANTING), word);
        }
    }
    return h;
}

bool handover_grant(struct handover *h, const char *from)
{
    double lease = double_at(&h->place->expire);
    double end = lease > 0 ? os_now() + lease : DCACHE_NEVER;

    put_line(h->place->from, from);
    put(&h->place->end, &end, 1);
    if (!change(h->place, h->word, with_code(h->word, GRANTED)))
        return false;                     /* its owner has found out for himself: H2 */
    (void)os_futex_wake(&h->place->word); /* who is awake looks by itself */
    return true;
}

void handover_poke(struct dcache *cache, const struct dcache_value *key)
{
    struct shared *shared = segment(cache);
    struct place_key sought = key_of(key);
    struct shared_waiter *place;
    uint64_t ticket = 0;
    uint32_t word;

    while (shared && (place = find_next(shared->segment, sought.hash, &ticket)) != NULL) {
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
    if (change(h->place, h->word, with_code(h->word, committed ? SETTLED : WAITING)) && committed)
        (void)os_futex_wake(&h->place->word); /* who is awake looks by itself */
    h->place = NULL;
}

/* ---- what is granted ---- */

/* Copied before it is known to be still there, as from the ring (ring.h). */
static bool read_grant(struct shared_waiter *place, uint32_t word, const struct place_key *key,
                       struct handover_grant *grant)
{
    bool sound = has_key(place, key) && get_owner(place->line, &grant->owner) &&
                 get_owner(place->from, &grant->from);
    uint32_t now;

    grant->expire_time = double_at(&place->end);
    atomic_thread_fence(memory_order_acquire);
    now = atomic_load(&place->word);
    return sound && (now == word || now == with_code(word, HELD));
}

struct handover_grant handover_find(struct dcache *cache, const struct dcache_value *key)
{
    struct shared *shared = segment(cache);
    struct handover_grant grant = {.at = {.place = NULL}};
    struct place_key sought = key_of(key);

    for (int i = 0; shared && sought.fits && i < SHARED_WAITERS; i++) {
        struct shared_waiter *place = &shared->segment->waiter[i];
        uint32_t word = atomic_load(&place->word);

        if ((code_of(word) == GRANTED || code_of(word) == HELD) &&
            atomic_load(&place->hash) == sought.hash && read_grant(place, word, &sought, &grant)) {
            grant.at = (struct handover){.place = place, .word = word};
            break;
        }
    }
    return grant;
}

void handover_settle(struct handover *h)
{
    if (h->place && !change(h->place, with_code(h->word, HELD), next_use(h->word)) &&
        !change(h->place, with_code(h->word, GRANTED), with_code(h->word, SETTLED)))
        (void)change(h->place, with_code(h->word, HELD), next_use(h->word)); /* just now */
    h->place = NULL;
}

bool handover_is_blind(const struct dcache *cache)
{
    const struct store *store = cache->store;
    struct stat st;

    return atomic_load(&store->shared.fd) < 0 &&
           os_fstatat(store->files.dir, SHARED_NAME, &st) == 0;
}
