/* ring.c - reading records. See ring.h. */
#include "ring.h"

struct dcache_value ring_borrow(unsigned type, uint64_t bits, const ring_word **at, size_t size)
{
    struct dcache_value value = ring_scalar(type, bits);

    if (!value_is_data(&value))
        return value;
    value.data = (const void *)*at;
    value.size = size;
    *at += ring_words(size);
    return value;
}

static bool same_bytes(const ring_word *at, const char *other, size_t size)
{
    uint64_t theirs, differ;

    for (; size >= 8; size -= 8, at++, other += 8) {
        memcpy(&theirs, other, 8);
        if (ring_load(at) != theirs)
            return false;
    }
    if (size == 0)
        return true;
    differ = ring_load(at) ^ ring_last_word(other, size); /* of which the rest does not matter */
    return (RING_BIG_ENDIAN ? differ >> (64 - 8 * size) : differ << (64 - 8 * size)) == 0;
}

/* Of the words of a header only those that decide; and no word behind the ring. */
static bool is_key(const struct shared *shared, const ring_word *at, const struct memtable_key *key)
{
    struct dcache_value number;
    struct ring_header h;

    h.words[0] = ring_load(&at[0]);
    h.words[RING_WORD_OF(key_size)] = ring_load(&at[RING_WORD_OF(key_size)]);
    h.words[RING_WORD_OF(key_type)] = ring_load(&at[RING_WORD_OF(key_type)]);
    if (h.raw != key->raw)
        return false;
    if (!value_is_data(&key->key)) {
        number = ring_scalar(h.key_type, ring_load(&at[RING_WORD_OF(key)]));
        number = value_normal_key(&number);
        return number.type == key->key.type && number.integer == key->key.integer;
    }
    return h.key_type == key->key.type && h.key_size == key->key.size &&
           (int64_t)(sizeof h + h.key_size) <= ring_left(shared, at) &&
           same_bytes(at + RING_WORDS, key->key.data, key->key.size);
}

bool ring_match(const struct shared *shared, uint64_t position, uint64_t capacity,
                const struct memtable_key *key, struct ring_header *h, bool *ret_gone)
{
    const ring_word *at = ring_record(shared, position, capacity);
    bool same = ring_load(&at[RING_WORD_OF(hash)]) == key->hash && is_key(shared, at, key);

    if (same)
        ring_read_header(at, h);
    *ret_gone = !ring_still_there(shared, position, capacity); /* then its sizes mean nothing */
    return same && !*ret_gone && ring_is_record(shared, at, h);
}

/* Bytes of data of a type. */
static uint64_t data_bytes(unsigned type, uint32_t size)
{
    return type == DCACHE_TEXT || type == DCACHE_BYTES ? ring_words(size) * sizeof(uint64_t) : 0;
}

bool ring_read(const struct shared *shared, uint64_t position, uint64_t end,
               struct ring_header *ret_header)
{
    uint64_t capacity = ring_capacity(shared);
    const ring_word *at = ring_record(shared, position, capacity);
    struct ring_header *h = ret_header;

    if (capacity == 0)
        return false;
    ring_read_header(at, h);
    if (h->size == 0 || (h->size | position) % RING_ALIGNMENT != 0 || position > end ||
        h->size > end - position || (position & (capacity - 1)) + h->size > capacity)
        return false;
    if (h->kind == RING_PAD) {
        memset(&h->words[1], 0, sizeof *h - sizeof h->words[0]);
        return true;
    }
    return ring_is_record(shared, at, h) && h->key_type >= DCACHE_INT && h->raw <= 1 &&
           h->previous < position &&
           sizeof *h + data_bytes(h->key_type, h->key_size) + data_bytes(h->tag_type, h->tag_size) +
                   data_bytes(h->value_type, h->value_size) <=
               h->size;
}
