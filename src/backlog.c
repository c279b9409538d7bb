/* backlog.c - what is dirty, as a drain wants it: slices and runs. See memtable.h. */
#include "memtable.h"

/* An item keeps its place among the others, which is where it was first stored, and what it was meanwhile
 * is left out. So of a run, the records of a key between two times that it is absent, the first in a
 * slice is where the last is to be stored. */
static bool begins_run(const struct shared *shared, const struct ring_header *h, uint64_t begin)
{
    uint64_t capacity = ring_load(&ring_state(shared)->capacity);

    return h->kind == MEMTABLE_ABSENT || h->previous < begin ||
           ring_beginning(ring_record(shared, h->previous, capacity)).kind == MEMTABLE_ABSENT;
}

bool memtable_end_of_slice(const struct shared *shared, uint64_t begin, uint64_t target, int most,
                           uint64_t *ret_end)
{
    struct ring_header h;
    uint64_t at = begin;
    int beyond = most + MEMTABLE_GROUP_MOST - 1;
    bool more = false; /* M4 */

    if (!ring_is_part(begin, target, ring_capacity(shared)))
        return false;
    for (int n = 0; at < target && n < (more ? beyond : most); at += h.size) {
        if (!ring_read(shared, at, target, &h))
            break;
        if (h.kind != RING_PAD)
            more = h.flags & MEMTABLE_MORE;
        if (h.kind != RING_PAD && !(h.flags & MEMTABLE_CLEAN))
            n += begins_run(shared, &h, begin);
    }
    *ret_end = at;
    return at > begin;
}

/* The newest record of the key of the one at a position. */
static uint64_t newest(const struct shared *shared, const struct ring_header *h, uint64_t position)
{
    uint64_t capacity = ring_load(&ring_state(shared)->capacity);
    const ring_word *bucket = ring_bucket(shared, h->hash, capacity);
    const ring_word *data = ring_record(shared, position, capacity) + RING_WORDS;
    struct memtable_key key = {.raw = h->raw, .hash = h->hash};

    key.given = ring_borrow(h->key_type, h->key, &data, h->key_size);
    key.key = value_normal_key(&key.given);
    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t slot = ring_acquire(&bucket[i]), there = slot ? ring_position(slot) : 0;
        struct ring_header other;
        bool gone;

        if (slot >> RING_SHIFT == h->hash >> RING_SHIFT && there > position &&
            there - position < capacity && ring_match(shared, there, capacity, &key, &other, &gone))
            return there;
    }
    return position;
}

/* The last record before `end` of the run that one begins, with its header; 0: the run ends before. */
static uint64_t last_of_run(const struct shared *shared, uint64_t position, uint64_t end,
                            struct ring_header *h)
{
    uint64_t at = newest(shared, h, position), last = position,
             most = position + ring_capacity(shared);
    struct ring_header other;

    /* Each is before the one that names it: ring_read(). */
    for (; at > position && ring_read(shared, at, most, &other); at = other.previous) {
        if (at >= end)
            continue;
        if (other.kind == MEMTABLE_ABSENT)
            return 0;
        if (last == position) {
            last = at;
            *h = other;
        }
    }
    return last;
}

/* Of a record that is whole and cannot go away. */
static void read_row(const struct ring_header *h, const ring_word *data, struct row *row)
{
    (void)ring_borrow(h->key_type, h->key, &data, h->key_size);
    row->tag = ring_borrow(h->tag_type, h->tag, &data, h->tag_size);
    row->value = ring_borrow(h->value_type, h->value, &data, h->value_size);
    ring_fill_row(h, row);
}

bool memtable_read_dirty(const struct shared *shared, uint64_t position, uint64_t begin,
                         uint64_t end, struct memtable_record *ret_record)
{
    uint64_t capacity = ring_capacity(shared);
    const ring_word *data = ring_record(shared, position, capacity) + RING_WORDS;
    struct row *row = &ret_record->row;
    struct ring_header h;

    memset(ret_record, 0, sizeof *ret_record);
    if (!ring_read(shared, position, end, &h))
        return false;
    ret_record->size = h.size;
    if (h.kind == MEMTABLE_PRESENT && (h.flags & MEMTABLE_CULLS))
        ret_record->culls = h.store_time;
    if (h.kind == RING_PAD || (h.flags & MEMTABLE_CLEAN) || !begins_run(shared, &h, begin))
        return true;
    row->key = ring_borrow(h.key_type, h.key, &data,
                           h.key_size); /* of 1 and 1.0, the first stays */
    if (h.kind == MEMTABLE_PRESENT)
        position = last_of_run(shared, position, end, &h);
    if (position == 0)
        return true;
    ret_record->position = position;
    ret_record->hash = h.hash;
    ret_record->kind = (enum memtable_kind)h.kind;
    ret_record->flags = h.flags;
    if (position < ring_load(&ring_state(shared)->floor))
        ret_record->flags |= MEMTABLE_OVERTAKEN;
    read_row(&h, ring_record(shared, position, capacity) + RING_WORDS, row);
    return true;
}

void memtable_drained(struct shared *shared, uint64_t position)
{
    ring_release(&ring_state(shared)->drained, position);
}

void memtable_set_rowid(struct shared *shared, uint64_t position, int64_t rowid)
{
    ring_word *at = ring_record(shared, position, ring_load(&ring_state(shared)->capacity));

    ring_release(&at[RING_WORD_OF(rowid)], (uint64_t)rowid);
}
