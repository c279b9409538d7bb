/* memtable.c - the ring, its index, publishing and reading. See memtable.h for the invariants.
 *
 * Memory that readers and a writer may touch at once is read and written by relaxed atomic words, so
 * that the race is a defined one; fences put them in the order of M2, M3 and M6. */
#include "memtable.h"

#include <stdlib.h>

#define ALIGNMENT 16      /* of positions: a slot holds them by this unit */
#define BUCKET 8          /* slots, one cache line: a key's slot is in the bucket of its hash */
#define BYTES_PER_SLOT 64 /* of the ring */
#define SHIFT 52          /* a slot: 12 bits of the hash, then position / ALIGNMENT + 1 */
#define PATIENCE (100 * OS_MS)
#define FOREIGN (60000 * OS_MS) /* after a foreign commit, how long more are expected */
#define LARGEST_PART 16         /* of the ring for one record */

typedef _Atomic uint64_t word;

/* The beginning of a record; then follow the bytes of key, tag and value, each up to a whole word. */
struct header {
    uint32_t size; /* with what follows */
    uint8_t kind, flags, raw, mode;
    uint64_t hash;
    uint32_t key_size, tag_size, value_size;
    uint8_t key_type, tag_type, value_type, unused;
    uint64_t key, tag, value; /* of numbers */
    double store_time, expire_time;
    double access_time;
    int64_t access_count;
    int64_t rowid;     /* set once it is known */
    uint64_t previous; /* position of the key's record before this, if that was dirty; else 0 */
};
#define WORDS (sizeof(struct header) / sizeof(uint64_t))
#define WORD_OF(field) (offsetof(struct header, field) / sizeof(uint64_t))
enum { PAD = 3 }; /* a kind: nothing, up to the end of the ring */
_Static_assert(sizeof(struct header) == 104, "a whole number of words");

static struct shared_memtable *table(const struct shared *shared)
{
    return &shared->segment->memtable;
}

static uint64_t load(const word *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static uint64_t acquire(const word *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static void release(word *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_release);
}

static word *record_at(const struct shared *shared, uint64_t position, uint64_t capacity)
{
    char *ring = (char *)shared->segment + SHARED_RING_OFFSET;

    return (word *)(void *)(ring + (position & (capacity - 1)));
}

static word *bucket_of(const struct shared *shared, uint64_t hash, uint64_t capacity)
{
    char *index = (char *)shared->segment + SHARED_INDEX_OFFSET;
    uint64_t buckets = capacity / (BUCKET * BYTES_PER_SLOT);

    return (word *)(void *)index + (hash & (buckets - 1)) * BUCKET;
}

static uint64_t make_slot(uint64_t hash, uint64_t position)
{
    return hash >> SHIFT << SHIFT | (position / ALIGNMENT + 1);
}

static uint64_t position_of(uint64_t slot)
{
    return ((slot & ((UINT64_C(1) << SHIFT) - 1)) - 1) * ALIGNMENT;
}

static size_t whole_words(size_t size)
{
    return (size + 7) / 8 * 8;
}

bool memtable_exists(const struct shared *shared)
{
    return shared->mapped && load(&table(shared)->capacity) != 0;
}

uint64_t memtable_dirty(const struct shared *shared)
{
    struct shared_memtable *m = table(shared);
    uint64_t drained = acquire(&m->drained); /* first: then it is not behind `tail` */

    return memtable_exists(shared) ? acquire(&m->tail) - drained : 0;
}

struct memtable_key memtable_key(const struct dcache_value *key, int raw)
{
    struct memtable_key k = {.key = value_normal_key(key), .raw = raw};

    k.hash = value_hash_key(key, raw);
    return k;
}

/* ---- reading ---- */

/* Of the header, what a PAD has too. */
static struct header beginning(const word *at)
{
    struct header h = {0};
    uint64_t first = load(at);

    memcpy(&h, &first, sizeof first);
    return h;
}

static struct header header_at(const word *at)
{
    uint64_t words[WORDS];
    struct header h;

    for (size_t i = 0; i < WORDS; i++)
        words[i] = load(&at[i]);
    memcpy(&h, words, sizeof h);
    return h;
}

/* Bytes out of the ring, by whole words; `to` has room for `size` only. */
static void copy_bytes(char *to, const word *from, size_t size)
{
    size_t words = size / 8, rest = size % 8;
    uint64_t last;

    for (size_t i = 0; i < words; i++) {
        uint64_t one = load(&from[i]);

        memcpy(to + 8 * i, &one, 8);
    }
    if (rest > 0) {
        last = load(&from[words]);
        memcpy(to + 8 * words, &last, rest);
    }
}

/* Whether what was copied from `position` was still there then: M6. */
static bool still_there(const struct shared *shared, uint64_t position, uint64_t capacity)
{
    atomic_thread_fence(memory_order_acquire);
    return load(&table(shared)->head) <= position && load(&table(shared)->capacity) == capacity;
}

static bool same_bytes(const word *at, const void *data, size_t size)
{
    const char *other = data;
    uint64_t mine = 0, theirs = 0;

    for (; size >= 8; size -= 8, at++, other += 8) {
        mine = load(at);
        memcpy(&theirs, other, 8);
        if (mine != theirs)
            return false;
    }
    if (size > 0) {
        uint64_t word_of_ring = load(at);

        mine = theirs = 0;
        memcpy(&mine, &word_of_ring, size);
        memcpy(&theirs, other, size);
    }
    return size == 0 || mine == theirs;
}

static bool is_key(const struct header *h, const word *at, const struct memtable_key *key)
{
    if (h->hash != key->hash || h->raw != key->raw || h->key_type != key->key.type)
        return false;
    if (!value_is_data(&key->key))
        return h->key == (uint64_t)key->key.integer;
    return h->key_size == key->key.size && same_bytes(at + WORDS, key->key.data, key->key.size);
}

/* The header of the record at a position, if it is that of `key` and was still there when it had been
 * copied; `*ret_gone` if it was not. */
static bool match(const struct shared *shared, uint64_t position, uint64_t capacity,
                  const struct memtable_key *key, struct header *h, bool *ret_gone)
{
    const word *at = record_at(shared, position, capacity);
    bool same;

    *h = header_at(at);
    *ret_gone = !still_there(shared, position, capacity);
    if (*ret_gone) /* its sizes mean nothing */
        return false;
    same = is_key(h, at, key);
    *ret_gone = !still_there(shared, position, capacity);
    return same && !*ret_gone;
}

static struct dcache_value scalar(unsigned type, uint64_t bits)
{
    struct dcache_value value = dcache_none();

    value.type = (enum dcache_type)type;
    value.integer = (int64_t)bits;
    return value;
}

static char *copy_data(char *to, const word **from, struct dcache_value *value, size_t size)
{
    if (!value_is_data(value))
        return to;
    copy_bytes(to, *from, size);
    to[size] = 0;
    value->data = to;
    value->size = size;
    *from += whole_words(size) / 8;
    return to + size + 1;
}

/* The row of a record whose header has been copied. `key` NULL: its own. */
static int copy_row(const struct header *h, const word *at, const struct dcache_value *key,
                    bool with_value, struct row *row)
{
    size_t key_size = value_is_data(&(struct dcache_value){.type = (enum dcache_type)h->key_type})
                          ? h->key_size
                          : 0;
    char *to;

    row->memory = os_malloc(sizeof *row->memory + key_size + h->tag_size + h->value_size + 3);
    if (!row->memory)
        return DCACHE_NOMEM;
    row->memory->more = NULL;
    to = row->memory->data;
    at += WORDS;
    row->key = scalar(h->key_type, h->key);
    to = copy_data(to, &at, &row->key, key_size);
    if (key && !value_is_data(key))
        row->key = *key; /* as it was asked for: 1, or 1.0 */
    row->tag = scalar(h->tag_type, h->tag);
    to = copy_data(to, &at, &row->tag, h->tag_size);
    row->value = scalar(with_value ? h->value_type : DCACHE_NONE, h->value);
    if (with_value)
        (void)copy_data(to, &at, &row->value, h->value_size);
    row->raw = h->raw;
    row->mode = h->mode;
    row->store_time = h->store_time;
    row->expire_time = h->expire_time;
    row->access_time = h->access_time;
    row->access_count = h->access_count;
    row->rowid = h->rowid;
    return 0;
}

static int copy_record(const struct shared *shared, uint64_t position, uint64_t capacity,
                       const struct header *h, const struct dcache_value *key, bool with_value,
                       struct memtable_record *record)
{
    record->kind = (enum memtable_kind)h->kind;
    record->flags = h->flags;
    record->position = position;
    record->size = h->size;
    record->hash = h->hash;
    return copy_row(h, record_at(shared, position, capacity), key, with_value, &record->row);
}

/* M7: whether a record may be taken at its word; of one that is dirty SQLite may know better. */
static bool is_overtaken(const struct shared_memtable *m, uint64_t position, uint64_t commits)
{
    return position < acquire(&m->floor) || acquire(&m->known) != commits;
}

/* One look through the bucket. 1: all of it was there, and nothing was found. */
static int look(struct shared *shared, const struct memtable_key *key, bool with_value,
                struct memtable_record *record, bool *ret_again)
{
    uint64_t capacity = acquire(&table(shared)->capacity);
    const word *bucket;

    if (capacity == 0)
        return 1;
    bucket = bucket_of(shared, key->hash, capacity);
    for (int i = 0; i < BUCKET; i++) {
        uint64_t slot = acquire(&bucket[i]);
        struct header h;
        int rc;

        if (slot == 0 || slot >> SHIFT != key->hash >> SHIFT)
            continue;
        if (!match(shared, position_of(slot), capacity, key, &h, ret_again)) {
            if (*ret_again)
                return 0;
            continue;
        }
        rc = copy_record(shared, position_of(slot), capacity, &h, &key->key, with_value, record);
        if (rc == 0 && !still_there(shared, position_of(slot), capacity)) {
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
    struct shared_memtable *m = table(shared);
    bool again;
    int rc;

    ret_record->kind = MEMTABLE_UNKNOWN;
    if (!memtable_exists(shared))
        return 0;
    do { /* each time the ring has come round meanwhile, and the key has another record or none */
        again = false;
        rc = look(shared, key, !(flags & MEMTABLE_NO_VALUE), ret_record, &again);
    } while (again);
    if (rc != 0) {
        ret_record->kind = MEMTABLE_UNKNOWN;
        return rc < 0 ? rc : 0;
    }
    if (!is_overtaken(m, ret_record->position, commits))
        return 0;
    if ((ret_record->flags & MEMTABLE_CLEAN) || ret_record->position < acquire(&m->drained)) {
        row_clear(&ret_record->row);
        ret_record->kind = MEMTABLE_UNKNOWN;
    } else {
        ret_record->flags |= MEMTABLE_OVERTAKEN;
    }
    return 0;
}

/* ---- the lock ---- */

/* Where in its bucket a key is to be listed: in its own slot, in a free one, or in that of a record that
 * SQLite has. NULL: all the others are dirty. `*ret_previous`: the key's record, if it is dirty, or 0. */
static word *place_of(const struct shared *shared, const struct memtable_key *key,
                      uint64_t *ret_previous)
{
    const struct shared_memtable *m = table(shared);
    uint64_t capacity = load(&m->capacity), drained = acquire(&m->drained);
    word *bucket = bucket_of(shared, key->hash, capacity), *free_place = NULL, *clean = NULL;

    *ret_previous = 0;
    for (int i = 0; i < BUCKET; i++) {
        uint64_t slot = load(&bucket[i]), there = slot ? position_of(slot) : 0;
        struct header h;
        bool gone, is_clean;

        if (slot == 0) {
            free_place = &bucket[i];
            continue;
        }
        h = beginning(record_at(shared, there, capacity));
        is_clean = there < drained || (h.flags & MEMTABLE_CLEAN);
        if (slot >> SHIFT == key->hash >> SHIFT && match(shared, there, capacity, key, &h, &gone)) {
            *ret_previous = is_clean ? 0 : there;
            return &bucket[i];
        }
        if (is_clean)
            clean = &bucket[i];
    }
    return free_place ? free_place : clean;
}

/* There was a place when the record was published. */
static void list(const struct shared *shared, const struct memtable_key *key, uint64_t position)
{
    uint64_t unused;
    word *place = place_of(shared, key, &unused);

    if (place)
        release(place, make_slot(key->hash, position));
}

/* A value of a record that cannot go away meanwhile, borrowed from the ring. */
static struct dcache_value borrow(unsigned type, uint64_t bits, const word **at, size_t size)
{
    struct dcache_value value = scalar(type, bits);

    if (!value_is_data(&value))
        return value;
    value.data = (const void *)*at;
    value.size = size;
    *at += whole_words(size) / 8;
    return value;
}

/* M3. */
static void list_again(struct shared *shared)
{
    struct shared_memtable *m = table(shared);
    uint64_t capacity = load(&m->capacity), tail = load(&m->tail), at = load(&m->visible);

    while (capacity > 0 && at < tail) {
        const word *words = record_at(shared, at, capacity), *data = words + WORDS;
        struct header h = beginning(words);
        struct memtable_key key;

        if (h.kind != PAD) {
            h = header_at(words);
            key.key = borrow(h.key_type, h.key, &data, h.key_size);
            key.raw = h.raw;
            key.hash = h.hash;
            list(shared, &key, at);
        }
        at += h.size;
        release(&m->visible, at);
    }
}

bool memtable_try(struct shared *shared)
{
    struct shared_memtable *m = table(shared);
    bool locked = shared_mutex_try(shared, &m->append);

    if (locked && load(&m->visible) != load(&m->tail))
        list_again(shared);
    return locked;
}

int memtable_lock(struct shared *shared, int64_t deadline)
{
    struct shared_memtable *m = table(shared);
    int rc = shared_mutex_lock(shared, &m->append, deadline);

    if (rc == 0 && load(&m->visible) != load(&m->tail))
        list_again(shared);
    return rc;
}

void memtable_unlock(struct shared *shared)
{
    shared_mutex_unlock(shared, &table(shared)->append);
}

/* ---- appending ---- */

static size_t data_size(const struct dcache_value *value)
{
    return value_is_data(value) ? whole_words(value->size) : 0;
}

static uint64_t bytes(const struct dcache_value *key, const struct row *row)
{
    size_t size = sizeof(struct header) + data_size(key) + data_size(&row->tag) +
                  data_size(&row->value);

    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

uint64_t memtable_bytes(const struct row *row)
{
    return bytes(&row->key, row);
}

bool memtable_fits(const struct shared *shared, const struct row *row)
{
    return memtable_bytes(row) <= load(&table(shared)->capacity) / LARGEST_PART;
}

/* M5, M6. False: what is in the way is dirty. */
static bool make_room(struct shared *shared, uint64_t size)
{
    struct shared_memtable *m = table(shared);
    uint64_t capacity = load(&m->capacity), head = load(&m->head), tail = load(&m->tail);
    uint64_t drained = acquire(&m->drained), begin = head;

    while (tail + size - head > capacity) {
        struct header h;

        if (head >= drained)
            return false;
        h = beginning(record_at(shared, head, capacity));
        if (h.kind != PAD) {
            word *bucket;

            h = header_at(record_at(shared, head, capacity));
            bucket = bucket_of(shared, h.hash, capacity);

            for (int i = 0; i < BUCKET; i++)
                if (load(&bucket[i]) == make_slot(h.hash, head))
                    release(&bucket[i], 0);
        }
        head += h.size;
    }
    if (head != begin) {
        release(&m->head, head);
        atomic_thread_fence(memory_order_release);
    }
    return true;
}

static void write_words(word *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&to[i], from[i], memory_order_relaxed);
}

static word *write_data(word *to, const struct dcache_value *value)
{
    size_t words = value_is_data(value) ? value->size / 8 : 0;
    size_t rest = value_is_data(value) ? value->size % 8 : 0;
    const char *from = value->data;
    uint64_t one;

    for (size_t i = 0; i < words; i++, from += 8) {
        memcpy(&one, from, 8);
        atomic_store_explicit(to++, one, memory_order_relaxed);
    }
    if (rest > 0) {
        one = 0;
        memcpy(&one, from, rest);
        atomic_store_explicit(to++, one, memory_order_relaxed);
    }
    return to;
}

static void write_record(word *at, const struct header *h, const struct dcache_value *key,
                         const struct row *row)
{
    write_words(at, (const uint64_t *)(const void *)h, WORDS);
    at = write_data(at + WORDS, key);
    at = write_data(at, &row->tag);
    (void)write_data(at, &row->value);
}

static struct header header_of(const struct memtable_key *key, enum memtable_kind kind,
                               unsigned flags, const struct row *row, uint64_t size)
{
    struct header h = {.size = (uint32_t)size,
                       .kind = (uint8_t)kind,
                       .flags = (uint8_t)flags,
                       .raw = (uint8_t)key->raw,
                       .mode = (uint8_t)row->mode,
                       .hash = key->hash,
                       .key_type = (uint8_t)key->key.type,
                       .tag_type = (uint8_t)row->tag.type,
                       .value_type = (uint8_t)row->value.type,
                       .key_size = (uint32_t)value_bytes(&key->key),
                       .tag_size = (uint32_t)value_bytes(&row->tag),
                       .value_size = (uint32_t)value_bytes(&row->value),
                       .store_time = row->store_time,
                       .expire_time = row->expire_time,
                       .access_time = row->access_time,
                       .access_count = row->access_count,
                       .rowid = row->rowid};

    if (!value_is_data(&key->key))
        h.key = (uint64_t)key->key.integer;
    if (!value_is_data(&row->tag))
        h.tag = (uint64_t)row->tag.integer;
    if (!value_is_data(&row->value))
        h.value = (uint64_t)row->value.integer;
    return h;
}

bool memtable_append(struct shared *shared, const struct memtable_key *key, enum memtable_kind kind,
                     unsigned flags, const struct row *row)
{
    struct shared_memtable *m = table(shared);
    uint64_t capacity = load(&m->capacity), tail = load(&m->tail), size = bytes(&key->key, row);
    uint64_t to_end = capacity - (tail & (capacity - 1)), pad = to_end < size ? to_end : 0;
    struct header h = header_of(key, kind, flags, row, size);

    if (!make_room(shared, pad + size) || !place_of(shared, key, &h.previous))
        return false;
    if (pad > 0) {
        struct header nothing = {.size = (uint32_t)pad, .kind = PAD};

        write_words(record_at(shared, tail, capacity), (const uint64_t *)(const void *)&nothing, 1);
        tail += pad;
    }
    write_record(record_at(shared, tail, capacity), &h, &key->key, row);
    release(&m->tail, tail + size); /* M2 */
    list(shared, key, tail);
    release(&m->visible, tail + size); /* M3 */
    return true;
}

bool memtable_may_keep(struct shared *shared, const struct memtable_key *key)
{
    struct shared_memtable *m = table(shared);
    struct memtable_record record = {0};
    bool again = false;
    int rc = look(shared, key, false, &record, &again); /* under the lock nothing goes away */

    row_clear(&record.row);
    if (rc != 0)
        return rc > 0;
    return record.position < load(&m->floor) &&
           ((record.flags & MEMTABLE_CLEAN) || record.position < acquire(&m->drained));
}

int memtable_resize(struct shared *shared, uint64_t capacity)
{
    struct shared_memtable *m = table(shared);
    uint64_t tail = load(&m->tail) > load(&m->head) ? load(&m->tail) : load(&m->head);
    uint64_t index_size = capacity / BYTES_PER_SLOT * sizeof(uint64_t);
    word *index = bucket_of(shared, 0, capacity);
    int rc = shared_allocate(shared, SHARED_INDEX_OFFSET, index_size);

    if (rc == 0)
        rc = shared_allocate(shared, SHARED_RING_OFFSET, capacity);
    if (rc < 0)
        return rc;
    /* No reader finds anything in what was (M6), nor in what is being made: there is no ring. */
    tail = (tail / capacity + 1) * capacity;
    atomic_store(&m->capacity, 0);
    atomic_store(&m->head, tail);
    atomic_thread_fence(memory_order_release);
    for (uint64_t i = 0; i < index_size / sizeof(uint64_t); i++)
        atomic_store_explicit(&index[i], 0, memory_order_relaxed);
    atomic_store(&m->drained, tail);
    atomic_store(&m->visible, tail);
    atomic_store(&m->tail, tail);
    atomic_store(&m->floor, tail);
    atomic_store(&m->turn, tail);
    atomic_store(&m->turned, os_monotonic());
    release(&m->capacity, capacity);
    return 0;
}

void memtable_settle(struct shared *shared, uint64_t commits)
{
    struct shared_memtable *m = table(shared);

    release(&m->floor, load(&m->tail));
    release(&m->known, commits);
}

void memtable_own_commit(struct shared *shared, uint64_t commits)
{
    if (!memtable_exists(shared) || memtable_lock(shared, os_monotonic() + PATIENCE) < 0)
        return; /* it passes for a foreign one */
    memtable_settle(shared, commits);
    memtable_unlock(shared);
}

void memtable_note_foreign(struct shared *shared)
{
    atomic_store(&table(shared)->foreign, os_coarse());
}

bool memtable_is_shunned(const struct shared *shared)
{
    int64_t seen = atomic_load_explicit(&table(shared)->foreign, memory_order_relaxed);

    return seen != 0 && os_coarse() - seen < FOREIGN;
}

/* ---- draining ---- */

/* An item keeps its place among the others, which is where it was first stored, and what it was meanwhile
 * is left out. So of a run, the records of a key between two times that it is absent, the first in a
 * slice is where the last is to be stored. */
static bool begins_run(const struct shared *shared, const struct header *h, uint64_t begin)
{
    uint64_t capacity = load(&table(shared)->capacity);

    return h->kind == MEMTABLE_ABSENT || h->previous < begin ||
           beginning(record_at(shared, h->previous, capacity)).kind == MEMTABLE_ABSENT;
}

uint64_t memtable_end_of_slice(const struct shared *shared, uint64_t begin, uint64_t target,
                               int most)
{
    uint64_t capacity = load(&table(shared)->capacity), at = begin;

    for (int n = 0; at < target && n < most;) {
        const word *words = record_at(shared, at, capacity);
        struct header h = beginning(words);

        if (h.kind != PAD && !(h.flags & MEMTABLE_CLEAN)) {
            h.previous = load(&words[WORD_OF(previous)]);
            n += begins_run(shared, &h, begin);
        }
        at += h.size;
    }
    return at;
}

/* The newest record of the key of the one at a position. */
static uint64_t newest(const struct shared *shared, const struct header *h, uint64_t position)
{
    uint64_t capacity = load(&table(shared)->capacity);
    const word *bucket = bucket_of(shared, h->hash, capacity);
    const word *data = record_at(shared, position, capacity) + WORDS;
    struct memtable_key key = {.raw = h->raw, .hash = h->hash};

    key.key = borrow(h->key_type, h->key, &data, h->key_size);
    for (int i = 0; i < BUCKET; i++) {
        uint64_t slot = acquire(&bucket[i]), there = slot ? position_of(slot) : 0;
        struct header other;
        bool gone;

        if (slot >> SHIFT == h->hash >> SHIFT && there > position &&
            match(shared, there, capacity, &key, &other, &gone))
            return there;
    }
    return position;
}

/* The last record before `end` of the run that one begins; 0: the run ends before. */
static uint64_t last_of_run(const struct shared *shared, const struct header *h, uint64_t position,
                            uint64_t end)
{
    uint64_t capacity = load(&table(shared)->capacity), at = newest(shared, h, position), last = 0;

    for (; at > position; at = load(&record_at(shared, at, capacity)[WORD_OF(previous)])) {
        if (at >= end)
            continue;
        if (beginning(record_at(shared, at, capacity)).kind == MEMTABLE_ABSENT)
            return 0;
        last = last ? last : at;
    }
    return last ? last : position;
}

void memtable_read_dirty(const struct shared *shared, uint64_t position, uint64_t begin,
                         uint64_t end, struct memtable_record *ret_record)
{
    uint64_t capacity = load(&table(shared)->capacity);
    struct row *row = &ret_record->row;
    struct header h = beginning(record_at(shared, position, capacity));
    const word *data;

    memset(ret_record, 0, sizeof *ret_record);
    ret_record->size = h.size;
    if (h.kind == PAD || (h.flags & MEMTABLE_CLEAN))
        return;
    h = header_at(record_at(shared, position, capacity));
    if (!begins_run(shared, &h, begin))
        return;
    if (h.kind == MEMTABLE_PRESENT)
        position = last_of_run(shared, &h, position, end);
    if (position == 0)
        return;
    h = header_at(record_at(shared, position, capacity));
    data = record_at(shared, position, capacity) + WORDS;
    ret_record->position = position;
    ret_record->hash = h.hash;
    ret_record->kind = (enum memtable_kind)h.kind;
    ret_record->flags = h.flags;
    if (position < load(&table(shared)->floor))
        ret_record->flags |= MEMTABLE_OVERTAKEN;
    row->key = borrow(h.key_type, h.key, &data, h.key_size);
    row->tag = borrow(h.tag_type, h.tag, &data, h.tag_size);
    row->value = borrow(h.value_type, h.value, &data, h.value_size);
    row->raw = h.raw;
    row->mode = h.mode;
    row->store_time = h.store_time;
    row->expire_time = h.expire_time;
    row->access_time = h.access_time;
    row->access_count = h.access_count;
}

void memtable_drained(struct shared *shared, uint64_t position)
{
    release(&table(shared)->drained, position);
}

void memtable_set_rowid(struct shared *shared, uint64_t position, int64_t rowid)
{
    word *at = record_at(shared, position, load(&table(shared)->capacity));

    release(&at[WORD_OF(rowid)], (uint64_t)rowid);
}
