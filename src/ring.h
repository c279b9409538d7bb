/* ring.h - where things are in the ring and its index, and how a record is read out of it while others
 * write. Rules: memtable.h, M1 to M6.
 *
 * Whoever may write to the directory may write here too, at any moment, so nothing is taken on trust: no
 * position leads out of the mapping, whatever it is (ring_record, ring_bucket); a header is copied
 * first, and of the copy it is checked that it is one of a record in the ring (ring_is_record); who goes
 * from one to the next checks in addition that he comes forward, and where he has to end (ring_read).
 * What is not so is not in the index. Answers can be forged, as the database itself can.
 *
 * Memory that readers and a writer may touch at once is read and written by relaxed atomic words, so
 * that the race is a defined one; fences put them in the order of M2, M3 and M6. */
#ifndef RING_H
#define RING_H

#include "row.h"
#include "shared.h"
#include "value.h"

/* A key with its hash. */
struct memtable_key {
    struct dcache_value given; /* as stored */
    struct dcache_value key;   /* the same, of numbers the one form that equal ones have */
    int raw;
    uint64_t hash;
};

#define RING_ALIGNMENT 16 /* of positions: a slot holds them by this unit */
#define RING_BUCKET 8     /* slots, one cache line: a key's slot is in the bucket of its hash */
#define RING_BYTES_PER_SLOT 64             /* of the ring */
#define RING_SMALLEST (UINT64_C(64) << 10) /* bytes */
#define RING_SHIFT 52 /* a slot: 12 bits of the hash, then position / RING_ALIGNMENT + 1 */

typedef _Atomic uint64_t ring_word;

/* The beginning of a record; then follow the bytes of key, tag and value, each with a NUL and up to a
 * whole word, so that a reader copies them as one. */
#define RING_WORDS 13
struct ring_header {
    union {
        struct {
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
            uint64_t previous; /* position of the key's record before, if that was dirty; else 0 */
        };
        uint64_t words[RING_WORDS];
    };
};
#define RING_WORD_OF(field) (offsetof(struct ring_header, field) / sizeof(uint64_t))
enum { RING_PAD = 3 }; /* a kind: nothing, up to the end of the ring */
_Static_assert(sizeof(struct ring_header) == RING_WORDS * sizeof(uint64_t),
               "a whole number of words");

static inline struct shared_memtable *ring_state(const struct shared *shared)
{
    return &shared->segment->memtable;
}

static inline uint64_t ring_load(const ring_word *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static inline uint64_t ring_acquire(const ring_word *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static inline void ring_release(ring_word *at, uint64_t value)
{
    atomic_store_explicit(at, value, memory_order_release);
}

/* The size of the ring, all of which may be read; 0: there is none. */
static inline uint64_t ring_capacity(const struct shared *shared)
{
    uint64_t capacity = ring_acquire(&ring_state(shared)->capacity);

    if (capacity < RING_SMALLEST || (capacity & (capacity - 1)) != 0)
        return 0;
    return capacity <= ring_load(&shared->reach) || shared_reaches(shared, capacity) ? capacity : 0;
}

/* `capacity` is what ring_capacity() has said. (Of 0, the beginning.) */
static inline ring_word *ring_record(const struct shared *shared, uint64_t position,
                                     uint64_t capacity)
{
    char *ring = (char *)shared->segment + SHARED_RING_OFFSET;
    uint64_t mask = capacity - (capacity != 0);

    return (ring_word *)(void *)(ring + (position & mask & ~(RING_ALIGNMENT - UINT64_C(1))));
}

static inline ring_word *ring_bucket(const struct shared *shared, uint64_t hash, uint64_t capacity)
{
    char *index = (char *)shared->segment + SHARED_RING_OFFSET + capacity + SHARED_INDEX_BEHIND;
    uint64_t buckets = capacity / (RING_BUCKET * RING_BYTES_PER_SLOT);

    return (ring_word *)(void *)index + (hash & (buckets - (buckets != 0))) * RING_BUCKET;
}

static inline uint64_t ring_slot(uint64_t hash, uint64_t position)
{
    return hash >> RING_SHIFT << RING_SHIFT | (position / RING_ALIGNMENT + 1);
}

static inline uint64_t ring_position(uint64_t slot)
{
    return ((slot & ((UINT64_C(1) << RING_SHIFT) - 1)) - 1) * RING_ALIGNMENT;
}

/* Words that data take, with the NUL. */
static inline size_t ring_words(size_t size)
{
    return size / 8 + 1;
}

#define RING_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* The last of them: what is left of the data, less than 8 bytes, and zeros. (As memcpy() would do it, but of
 * a number of bytes that the compiler does not know that is a call.) */
static inline uint64_t ring_last_word(const char *rest, size_t size)
{
    int used = 0;
    uint64_t word = 0;
    uint32_t four;
    uint16_t two;

    if (size & 4) {
        memcpy(&four, rest, sizeof four);
        word = (uint64_t)four << (RING_BIG_ENDIAN ? 32 : 0);
        used = 32;
    }
    if (size & 2) {
        memcpy(&two, rest + used / 8, sizeof two);
        word |= (uint64_t)two << (RING_BIG_ENDIAN ? 48 - used : used);
        used += 16;
    }
    if (size & 1)
        word |= (uint64_t)(unsigned char)rest[used / 8] << (RING_BIG_ENDIAN ? 56 - used : used);
    return word;
}

static inline void ring_copy_four(uint64_t *to, const ring_word *from)
{
    to[0] = ring_load(&from[0]);
    to[1] = ring_load(&from[1]);
    to[2] = ring_load(&from[2]);
    to[3] = ring_load(&from[3]);
}

static inline void ring_copy(uint64_t *to, const ring_word *from, size_t count)
{
    for (; count >= 4; count -= 4, from += 4, to += 4)
        ring_copy_four(to, from);
    for (; count > 0; count--)
        *to++ = ring_load(from++);
}

/* Without a loop, since this is a good part of a get. */
static inline void ring_read_header(const ring_word *at, struct ring_header *h)
{
    _Static_assert(RING_WORDS == 13, "each of them");
    ring_copy_four(h->words, at);
    ring_copy_four(h->words + 4, at + 4);
    ring_copy_four(h->words + 8, at + 8);
    h->words[12] = ring_load(&at[12]);
}

/* Kind, or flags, alone, where that is all that matters. */
static inline struct ring_header ring_beginning(const ring_word *at)
{
    struct ring_header h = {0};

    h.words[0] = ring_load(at);
    return h;
}

/* Bytes from there on that may be read. */
static inline int64_t ring_left(const struct shared *shared, const ring_word *at)
{
    const char *ring = (const char *)shared->segment + SHARED_RING_OFFSET;

    return (int64_t)ring_load(&shared->reach) - ((const char *)at - ring);
}

/* Whether a header that was copied from `at` is that of a record, whose data may be read there. (With
 * their NULs, which are not counted, they may reach a little into the page behind the ring.) */
static inline bool ring_is_record(const struct shared *shared, const ring_word *at,
                                  const struct ring_header *h)
{
    uint64_t data = (uint64_t)h->key_size + h->tag_size + h->value_size;

    return h->kind - 1U <= 1 && h->mode <= MODE_PICKLE && h->key_type <= DCACHE_BYTES &&
           h->tag_type <= DCACHE_BYTES && h->value_type <= DCACHE_BYTES &&
           (int64_t)(sizeof *h + data) <= ring_left(shared, at);
}

/* Whether what was copied from `position` was still there then: M6. */
static inline bool ring_still_there(const struct shared *shared, uint64_t position,
                                    uint64_t capacity)
{
    atomic_thread_fence(memory_order_acquire);
    return ring_load(&ring_state(shared)->head) <= position &&
           ring_load(&ring_state(shared)->capacity) == capacity;
}

/* What a header says of its row. */
static inline void ring_fill_row(const struct ring_header *h, struct row *row)
{
    row->raw = h->raw;
    row->mode = h->mode;
    row->store_time = h->store_time;
    row->expire_time = h->expire_time;
    row->access_time = h->access_time;
    row->access_count = h->access_count;
}

static inline struct dcache_value ring_scalar(unsigned type, uint64_t bits)
{
    struct dcache_value value = dcache_none();

    value.type = (enum dcache_type)type;
    value.integer = (int64_t)bits;
    return value;
}

/* Positions end here; at a gigabyte a second in some 2,000 years. */
#define RING_LAST (UINT64_C(1) << 56)

/* The header of what is at a position, a record or a RING_PAD (of which the rest is 0), that may be read
 * and ends at `end` at most. False: it is neither. */
bool ring_read(const struct shared *shared, uint64_t position, uint64_t end,
               struct ring_header *ret_header);

/* Whether from one position to the other is a part of the ring, in this order. */
static inline bool ring_is_part(uint64_t from, uint64_t to, uint64_t capacity)
{
    return to - from <= capacity && from <= to && to < RING_LAST;
}

static inline bool ring_is_in_order(uint64_t head, uint64_t drained, uint64_t tail,
                                    uint64_t capacity)
{
    return ring_is_part(head, tail, capacity) && head <= drained && drained <= tail &&
           tail % RING_ALIGNMENT == 0;
}

/* A value of a record that cannot go away meanwhile, borrowed from the ring; `*at` moves to the next. */
struct dcache_value ring_borrow(unsigned type, uint64_t bits, const ring_word **at, size_t size);

/* The header of the record at a position, if it is that of `key`. False also if it was not there any
 * more when it had been looked at: then `*ret_gone` is set. */
bool ring_match(const struct shared *shared, uint64_t position, uint64_t capacity,
                const struct memtable_key *key, struct ring_header *h, bool *ret_gone);

#endif
