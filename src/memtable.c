/* memtable.c - publishing and finding records, the lock, making room. See memtable.h for the invariants. */
#include "memtable.h"

#include "ends.h"

#include <stdlib.h>

#define PATIENCE (100 * OS_MS)
#define LARGEST_PART 16 /* of the ring for one record */
#define TURNS_MOST 1000 /* of the ring, while one record is read */
#define SPINS 2000      /* before a reader takes the lock to see what keeps a group */

bool memtable_came_round(const struct shared *shared)
{
    const struct shared_memtable *m = ring_state(shared);

    return memtable_exists(shared) &&
           ring_load(&m->tail) - ring_load(&m->turn) >= ring_load(&m->capacity);
}

uint64_t memtable_dirty(const struct shared *shared)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t drained = ring_acquire(&m->drained); /* first: then it is not behind `tail` */
    uint64_t tail = ring_acquire(&m->tail);

    return memtable_exists(shared) && drained < tail ? tail - drained : 0;
}

struct memtable_key memtable_key(const struct dcache_value *key, int raw)
{
    struct memtable_key k = {.given = *key, .key = value_normal_key(key), .raw = raw};

    k.hash = value_hash_key(&k.key, raw);
    return k;
}

/* ---- reading ---- */

static bool is_data(unsigned type)
{
    return type == DCACHE_TEXT || type == DCACHE_BYTES;
}

static size_t words_of_data(unsigned type, size_t size)
{
    return is_data(type) ? ring_words(size) : 0;
}

/* A value whose data, if it has any, have been copied to `at`; hands back where the next are. */
static uint64_t *copied(unsigned type, uint64_t bits, uint64_t *at, size_t size,
                        struct dcache_value *ret_value)
{
    ret_value->type = (enum dcache_type)type;
    ret_value->size = size;
    ret_value->integer = (int64_t)bits;
    if (!is_data(type))
        return at;
    ((char *)at)[size] = 0; /* it is, unless somebody has forged it */
    ret_value->data = at;
    return at + ring_words(size);
}

/* Key, tag and value, of a record whose header has been copied. */
static int copy_values(const struct ring_header *h, const ring_word *at,
                       const struct dcache_value *key, bool with_value, struct row *row)
{
    unsigned value_type = with_value ? h->value_type : DCACHE_NONE;
    size_t count = words_of_data(h->key_type, h->key_size) +
                   words_of_data(h->tag_type, h->tag_size) +
                   words_of_data(value_type, h->value_size);
    struct row_memory *memory = os_malloc(sizeof *memory + count * sizeof(uint64_t));
    uint64_t *to;

    if (!memory)
        return DCACHE_NOMEM;
    memory->more = NULL;
    row->memory = memory;
    to = (uint64_t *)(void *)memory->data;
    ring_copy(to, at + RING_WORDS, count);
    to = copied(h->key_type, h->key, to, h->key_size, &row->key);
    if (!is_data(h->key_type))
        row->key = *key; /* as it was asked for: 1, or 1.0 */
    to = copied(h->tag_type, h->tag, to, h->tag_size, &row->tag);
    (void)copied(value_type, h->value, to, h->value_size, &row->value);
    return 0;
}

static int copy_record(const struct shared *shared, uint64_t position, uint64_t capacity,
                       const struct ring_header *h, const struct dcache_value *key, bool with_value,
                       struct memtable_record *record)
{
    struct row *row = &record->row;

    record->kind = (enum memtable_kind)h->kind;
    record->flags = h->flags;
    record->position = position;
    record->size = h->size;
    record->hash = h->hash;
    ring_fill_row(h, row);
    row->rowid = h->rowid;
    row->size = 0;
    row->filename = NULL;
    row->damaged = false;
    row->memory = NULL;
    if (h->kind != MEMTABLE_PRESENT) {
        row->key = *key;
        row->tag = row->value = dcache_none();
        return 0;
    }
    return copy_values(h, ring_record(shared, position, capacity), key, with_value, row);
}

/* M4. Who cannot lock cannot repair either, and goes by what SQLite says if the author has died. */
static bool await_group(struct shared *shared, uint64_t position)
{
    struct shared_memtable *m = ring_state(shared);
    int64_t end = os_monotonic() + PATIENCE;

    for (int i = 0; i < SPINS && ring_acquire(&m->visible) <= position; i++)
        os_relax();
    while (ring_acquire(&m->visible) <= position && os_monotonic() < end)
        if (shared->view)
            os_sleep(OS_MS);
        else if (memtable_lock(shared, end) == 0)
            memtable_unlock(shared);
    return ring_acquire(&m->visible) > position;
}

/* One look through the bucket. 1: all of it was there, and nothing was found. */
static int look(struct shared *shared, const struct memtable_key *key, bool with_value,
                struct memtable_record *record, bool *ret_again)
{
    uint64_t capacity = ring_capacity(shared);
    const ring_word *bucket;

    if (capacity == 0)
        return 1;
    bucket = ring_bucket(shared, key->hash, capacity);
    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t slot = ring_acquire(&bucket[i]);
        struct ring_header h;
        int rc;

        if ((slot ^ key->hash) >> RING_SHIFT != 0 || slot == 0)
            continue;
        if (!ring_match(shared, ring_position(slot), capacity, key, &h, ret_again)) {
            if (*ret_again)
                return 0;
            continue;
        }
        if ((h.flags & MEMTABLE_GROUP) &&
            ring_acquire(&ring_state(shared)->visible) <= ring_position(slot)) {
            *ret_again = await_group(shared, ring_position(slot));
            return *ret_again ? 0 : 1;
        }
        rc = copy_record(shared, ring_position(slot), capacity, &h, &key->given, with_value,
                         record);
        if (rc == 0 && !ring_still_there(shared, ring_position(slot), capacity)) {
            row_clear(&record->row);
            *ret_again = true;
        }
        return rc;
    }
    return 1;
}

int memtable_find(struct shared *shared, const struct memtable_key *key, unsigned flags,
                  uint64_t commits, struct memtable_record *ret_record)
{
    struct shared_memtable *m = ring_state(shared);
    int turns = 0, rc;
    bool again, known;

    ret_record->kind = MEMTABLE_UNKNOWN;
    if (!shared->mapped)
        return 0;
    /* M7: whether a record may be taken at its word; of one that is dirty SQLite may know better. A key is taken
     * from the index and `floor` moves before `known` does (M8), so both are looked at after it: or a
     * counter that had become known in between would vouch for a record from before the commit. */
    known = ring_acquire(&m->known) == commits;
    do { /* each time the ring has come round meanwhile, and the key has another record or none */
        again = false;
        rc = look(shared, key, !(flags & MEMTABLE_NO_VALUE), ret_record, &again);
    } while (again && ++turns < TURNS_MOST);
    if (again) /* so fast it does not turn */
        rc = 1;
    if (rc != 0) {
        ret_record->kind = MEMTABLE_UNKNOWN;
        return rc < 0 ? rc : 0;
    }
    if (known && ret_record->position >= ring_acquire(&m->floor))
        return 0;
    if ((ret_record->flags & MEMTABLE_CLEAN) || ret_record->position < ring_acquire(&m->drained)) {
        row_clear(&ret_record->row);
        ret_record->kind = MEMTABLE_UNKNOWN;
    } else {
        ret_record->flags |= MEMTABLE_OVERTAKEN;
    }
    return 0;
}

/* ---- the lock ---- */

/* The place in a bucket of a record that SQLite has, or of what is none. */
static ring_word *clean_place(const struct shared *shared, ring_word *bucket, uint64_t capacity)
{
    uint64_t drained = ring_acquire(&ring_state(shared)->drained),
             tail = ring_load(&ring_state(shared)->tail);

    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t there = ring_position(ring_load(&bucket[i]));

        if (there < drained || there >= tail ||
            (ring_beginning(ring_record(shared, there, capacity)).flags & MEMTABLE_CLEAN))
            return &bucket[i];
    }
    return NULL;
}

/* Where in its bucket a key is to be listed: in its own slot, in a free one, or in that of a record that
 * SQLite has. NULL: all the others are dirty. `*ret_previous`: the key's record, if it is dirty, or 0. */
static ring_word *place_of(const struct shared *shared, const struct memtable_key *key,
                           uint64_t *ret_previous)
{
    const struct shared_memtable *m = ring_state(shared);
    uint64_t capacity = ring_capacity(shared);
    ring_word *bucket = ring_bucket(shared, key->hash, capacity), *free_place = NULL;

    *ret_previous = 0;
    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t slot = ring_load(&bucket[i]), there;
        struct ring_header h;
        bool gone;

        if (slot == 0 && !free_place) /* the first, so that it is found soon */
            free_place = &bucket[i];
        if (slot == 0 || slot >> RING_SHIFT != key->hash >> RING_SHIFT)
            continue;
        there = ring_position(slot);
        if (!ring_match(shared, there, capacity, key, &h, &gone))
            continue;
        if (there >= ring_acquire(&m->drained) && there < ring_load(&m->tail) &&
            !(h.flags & MEMTABLE_CLEAN))
            *ret_previous = there;
        return &bucket[i];
    }
    return free_place ? free_place : clean_place(shared, bucket, capacity);
}

/* There was a place when the record was published. */
static void list(const struct shared *shared, const struct memtable_key *key, uint64_t position)
{
    uint64_t unused;
    ring_word *place = place_of(shared, key, &unused);

    if (place)
        ring_release(place, ring_slot(key->hash, position));
}

void memtable_unlist(struct shared *shared, const struct memtable_key *key)
{
    uint64_t capacity = ring_capacity(shared);
    ring_word *bucket = ring_bucket(shared, key->hash, capacity);

    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t slot = ring_load(&bucket[i]);
        struct ring_header h;
        bool gone;

        if (slot != 0 && slot >> RING_SHIFT == key->hash >> RING_SHIFT &&
            ring_match(shared, ring_position(slot), capacity, key, &h, &gone))
            ring_release(&bucket[i], 0);
    }
}

static void drop_ring(struct shared_memtable *m)
{
    atomic_store(&m->capacity, 0);
    atomic_store(&m->head, 0);
    atomic_store(&m->drained, 0);
    atomic_store(&m->visible, 0);
    atomic_store(&m->tail, 0);
}

/* M3. What is no record, only somebody who writes into the segment can have put there: it is taken back. */
static void list_again(struct shared *shared)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t tail = ring_load(&m->tail), at = ring_load(&m->visible);
    struct ring_header h;

    if (tail < at || tail - at > ring_capacity(shared)) {
        if (tail < at)
            drop_ring(m);
        else
            ring_release(&m->tail, at);
        return;
    }
    for (; at < tail; at += h.size) {
        const ring_word *data = ring_record(shared, at, ring_capacity(shared)) + RING_WORDS;
        struct memtable_key key;

        if (!ring_read(shared, at, tail, &h)) {
            ring_release(&m->tail, at);
            break;
        }
        if (h.kind == RING_PAD)
            continue;
        key.given = ring_borrow(h.key_type, h.key, &data, h.key_size);
        key.key = value_normal_key(&key.given);
        key.raw = h.raw;
        key.hash = h.hash;
        list(shared, &key, at);
    }
    ring_release(&m->visible, at);
}

bool memtable_try(struct shared *shared)
{
    struct shared_memtable *m = ring_state(shared);
    bool locked = shared_mutex_try(shared, &m->append);

    if (locked && ring_load(&m->visible) != ring_load(&m->tail))
        list_again(shared);
    return locked;
}

int memtable_lock(struct shared *shared, int64_t deadline)
{
    struct shared_memtable *m = ring_state(shared);
    int rc = shared_mutex_lock(shared, &m->append, deadline);

    if (rc == 0 && ring_load(&m->visible) != ring_load(&m->tail))
        list_again(shared);
    return rc;
}

void memtable_unlock(struct shared *shared)
{
    shared_mutex_unlock(shared, &ring_state(shared)->append);
}

uint64_t memtable_published(struct shared *shared, int64_t deadline)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t tail = ring_acquire(
        &m->tail); /* before `visible`, or each writer would be waited for */

    if (ring_acquire(&m->visible) < tail && memtable_lock(shared, deadline) == 0)
        memtable_unlock(shared);
    return ring_acquire(&m->visible) < tail ? ring_acquire(&m->visible) : tail;
}

/* ---- appending ---- */

static size_t data_size(const struct dcache_value *value)
{
    return value_is_data(value) ? ring_words(value->size) * sizeof(uint64_t) : 0;
}

static uint64_t bytes(const struct dcache_value *key, const struct row *row)
{
    size_t size = sizeof(struct ring_header) + data_size(key) + data_size(&row->tag) +
                  data_size(&row->value);

    return (size + RING_ALIGNMENT - 1) / RING_ALIGNMENT * RING_ALIGNMENT;
}

uint64_t memtable_bytes(const struct row *row)
{
    return bytes(&row->key, row);
}

bool memtable_fits(const struct shared *shared, const struct row *row)
{
    return memtable_bytes(row) <= ring_capacity(shared) / LARGEST_PART;
}

static void unlist(const struct shared *shared, uint64_t hash, uint64_t position)
{
    ring_word *bucket = ring_bucket(shared, hash, ring_capacity(shared));

    for (int i = 0; i < RING_BUCKET; i++)
        if (ring_load(&bucket[i]) == ring_slot(hash, position))
            ring_release(&bucket[i], 0);
}

/* M5, M6. False: what is in the way is dirty; or is no record, then there is no ring any more. */
static bool make_room(struct shared *shared, uint64_t capacity, uint64_t size)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t head = ring_load(&m->head), tail = ring_load(&m->tail);
    uint64_t drained = ring_acquire(&m->drained), begin = head;
    struct ring_header h;

    if (!ring_is_in_order(head, drained, tail, capacity)) {
        drop_ring(m);
        return false;
    }
    while (tail + size - head > capacity) {
        if (head == drained)
            return false;
        if (!ring_read(shared, head, drained, &h)) {
            drop_ring(m);
            return false;
        }
        if (h.kind != RING_PAD)
            unlist(shared, h.hash, head);
        head += h.size;
    }
    if (head != begin) {
        ring_release(&m->head, head);
        atomic_thread_fence(memory_order_release);
    }
    return true;
}

static void write_word(ring_word *to, uint64_t word)
{
    atomic_store_explicit(to, word, memory_order_relaxed);
}

static void write_four(ring_word *to, const uint64_t *words)
{
    write_word(&to[0], words[0]);
    write_word(&to[1], words[1]);
    write_word(&to[2], words[2]);
    write_word(&to[3], words[3]);
}

static ring_word *write_data(ring_word *to, const struct dcache_value *value)
{
    const char *from = value->data;
    size_t left = value->size;
    uint64_t words[4];

    if (!value_is_data(value))
        return to;
    for (; left >= sizeof words; left -= sizeof words, from += sizeof words, to += 4) {
        memcpy(words, from, sizeof words);
        write_four(to, words);
    }
    for (; left >= sizeof words[0]; left -= sizeof words[0], from += sizeof words[0]) {
        memcpy(words, from, sizeof words[0]);
        write_word(to++, words[0]);
    }
    write_word(to, ring_last_word(from, left));
    return to + 1;
}

/* A value in a header. */
static uint64_t bits_of(const struct dcache_value *value)
{
    return value_is_data(value) ? 0 : (uint64_t)value->integer;
}

static void write_record(ring_word *at, const struct memtable_key *key, enum memtable_kind kind,
                         unsigned flags, const struct row *row, uint64_t size, uint64_t previous)
{
    struct ring_header h; /* every word of it */

    h.size = (uint32_t)size;
    h.kind = (uint8_t)kind;
    h.flags = (uint8_t)flags;
    h.raw = (uint8_t)key->raw;
    h.mode = (uint8_t)row->mode;
    h.hash = key->hash;
    h.key_size = (uint32_t)value_bytes(&key->key);
    h.tag_size = (uint32_t)value_bytes(&row->tag);
    h.value_size = (uint32_t)value_bytes(&row->value);
    h.key_type = (uint8_t)key->given.type;
    h.tag_type = (uint8_t)row->tag.type;
    h.value_type = (uint8_t)row->value.type;
    h.unused = 0;
    h.key = bits_of(&key->given);
    h.tag = bits_of(&row->tag);
    h.value = bits_of(&row->value);
    h.store_time = row->store_time;
    h.expire_time = row->expire_time;
    h.access_time = row->access_time;
    h.access_count = row->access_count;
    h.rowid = row->rowid;
    h.previous = previous;
    for (size_t i = 0; i + 1 < RING_WORDS; i += 4)
        write_four(&at[i], &h.words[i]);
    write_word(&at[RING_WORDS - 1], h.words[RING_WORDS - 1]);
    at = write_data(at + RING_WORDS, &key->key);
    at = write_data(at, &row->tag);
    (void)write_data(at, &row->value);
}

/* What is left of the ring before it begins anew, if a record does not fit there. */
static uint64_t pad_before(uint64_t position, uint64_t size, uint64_t capacity)
{
    uint64_t to_end = capacity - (position & (capacity - 1));

    return to_end < size ? to_end : 0;
}

static void write_pad(struct shared *shared, uint64_t position, uint64_t size, uint64_t capacity)
{
    struct ring_header nothing = {.size = (uint32_t)size, .kind = RING_PAD};

    if (size > 0)
        write_word(ring_record(shared, position, capacity), nothing.words[0]);
}

/* What has expired may have been culled by a write since, and an item stored again comes last then: that is
 * told by draining first, since a run would give it the place that it had. */
static bool is_over(const struct shared *shared, uint64_t position, uint64_t capacity, double now)
{
    const ring_word *at = ring_record(shared, position, capacity);
    struct ring_header h = ring_beginning(at);

    if (position == 0)
        return false;
    h.words[RING_WORD_OF(expire_time)] = ring_load(&at[RING_WORD_OF(expire_time)]);
    return h.kind == MEMTABLE_PRESENT && h.expire_time <= now;
}

bool memtable_append(struct shared *shared, const struct memtable_key *key, enum memtable_kind kind,
                     unsigned flags, const struct row *row)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t capacity = ring_capacity(shared), tail = ring_load(&m->tail),
             size = bytes(&key->key, row), pad = pad_before(tail, size, capacity), previous;
    ring_word *place = make_room(shared, capacity, pad + size) ? place_of(shared, key, &previous)
                                                               : NULL;

    if (!place || is_over(shared, previous, capacity, row->store_time))
        return false;
    if (!(flags & (MEMTABLE_CLEAN | MEMTABLE_QUEUE)))
        ends_forget(shared, key);
    write_pad(shared, tail, pad, capacity);
    tail += pad;
    write_record(ring_record(shared, tail, capacity), key, kind, flags, row, size, previous);
    ring_release(&m->tail, tail + size); /* M2 */
    ring_release(place, ring_slot(key->hash, tail));
    ring_release(&m->visible, tail + size); /* M3 */
    return true;
}

/* ---- groups ---- */

/* Places in the bucket of a key that a new one may take. */
static int places_for(const struct shared *shared, uint64_t hash, uint64_t capacity)
{
    ring_word *bucket = ring_bucket(shared, hash, capacity);
    uint64_t drained = ring_acquire(&ring_state(shared)->drained);
    int places = 0;

    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t slot = ring_load(&bucket[i]), there = ring_position(slot);

        places += slot == 0 || there < drained ||
                  (ring_beginning(ring_record(shared, there, capacity)).flags & MEMTABLE_CLEAN);
    }
    return places;
}

/* Whether each has a place in the index, also when the others have taken theirs. Of two buckets that share a
 * count, both get fewer: the more there are, the rarer that matters. */
static bool have_places(const struct shared *shared, const struct memtable_change *const *changes,
                        size_t count)
{
    uint64_t capacity = ring_capacity(shared);
    uint8_t taken[4 * MEMTABLE_GROUP_MOST] = {0};

    for (size_t i = 0; i < count; i++) {
        uint64_t hash = changes[i]->key.hash, previous;

        if (place_of(shared, &changes[i]->key, &previous) && previous != 0) {
            if (is_over(shared, previous, capacity, changes[i]->row.store_time))
                return false;
            continue; /* in that of its record, which is dirty: nobody else's */
        }
        if (places_for(shared, hash, capacity) < ++taken[hash % sizeof taken])
            return false;
    }
    return true;
}

/* Where the last of them ends. */
static uint64_t end_of_group(const struct memtable_change *const *changes, size_t count,
                             uint64_t tail, uint64_t capacity)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t size = bytes(&changes[i]->key.key, &changes[i]->row);

        tail += pad_before(tail, size, capacity) + size;
    }
    return tail;
}

static void write_group(struct shared *shared, const struct memtable_change *const *changes,
                        size_t count, uint64_t tail, uint64_t *ret_positions)
{
    uint64_t capacity = ring_capacity(shared);

    for (size_t i = 0; i < count; i++) {
        const struct memtable_change *c = changes[i];
        uint64_t size = bytes(&c->key.key, &c->row), pad = pad_before(tail, size, capacity),
                 previous;
        unsigned of_group = MEMTABLE_GROUP | (i + 1 < count ? MEMTABLE_MORE : 0);

        (void)place_of(shared, &c->key, &previous);
        ends_forget(shared, &c->key);
        write_pad(shared, tail, pad, capacity);
        tail += pad;
        write_record(ring_record(shared, tail, capacity), &c->key, c->kind, c->flags | of_group,
                     &c->row, size, previous);
        ret_positions[i] = tail;
        tail += size;
    }
}

bool memtable_append_group(struct shared *shared, const struct memtable_change *const *changes,
                           size_t count)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t capacity = ring_capacity(shared), tail = ring_load(&m->tail);
    uint64_t end = end_of_group(changes, count, tail, capacity), positions[MEMTABLE_GROUP_MOST];

    if (count == 1 && capacity > 0)
        return memtable_append(shared, &changes[0]->key, changes[0]->kind, changes[0]->flags,
                               &changes[0]->row);
    if (capacity == 0 || !make_room(shared, capacity, end - tail) ||
        !have_places(shared, changes, count))
        return false;
    write_group(shared, changes, count, tail, positions);
    ring_release(&m->tail, end); /* M2 */
    for (size_t i = 0; i < count; i++)
        list(shared, &changes[i]->key, positions[i]);
    ring_release(&m->visible, end); /* M3, M4 */
    return true;
}

bool memtable_may_keep(struct shared *shared, const struct memtable_key *key)
{
    struct shared_memtable *m = ring_state(shared);
    struct memtable_record record = {0};
    bool again = false;
    int rc = look(shared, key, false, &record, &again); /* under the lock nothing goes away */

    row_clear(&record.row);
    if (rc != 0)
        return rc > 0;
    return record.position < ring_load(&m->floor) &&
           ((record.flags & MEMTABLE_CLEAN) || record.position < ring_acquire(&m->drained));
}

int memtable_void(struct shared *shared, int64_t deadline)
{
    int rc = deadline < 0 ? 0 : shared_mutex_lock(shared, &ring_state(shared)->append, deadline);

    if (rc < 0)
        return rc;
    drop_ring(ring_state(shared));
    if (deadline >= 0)
        memtable_unlock(shared);
    return 0;
}
