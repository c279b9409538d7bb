/* backlog.c - what is dirty, as a drain wants it: slices, and what of one matters. See memtable.h. */
#include "memtable.h"

/* An item keeps its place among the others, which is where it was first stored, and what it was meanwhile
 * is left out. What was taken away and stored again comes where that was done last. So of all that happened
 * to a key within a slice two things matter: that it was taken away, and as what it was stored after that. */

/* ---- runs ---- */

#define INDEX_SIZE (2 * MEMTABLE_SLICE_MOST)

static unsigned index_of(uint64_t hash)
{
    return (unsigned)(hash >> 32) % INDEX_SIZE;
}

static struct memtable_run *add_run(struct memtable_slice *slice, uint64_t hash)
{
    struct memtable_run *run = &slice->run[slice->count];
    unsigned i = index_of(hash);

    if (slice->count == MEMTABLE_SLICE_MOST)
        return NULL;
    while (slice->index[i])
        i = (i + 1) % INDEX_SIZE;
    slice->index[i] = (uint16_t)++slice->count;
    *run = (struct memtable_run){.hash = hash};
    return run;
}

/* Of the key of a record: the one whose newest record is that before it. */
static struct memtable_run *run_before(struct memtable_slice *slice, const struct ring_header *h)
{
    for (unsigned i = index_of(h->hash); slice->index[i]; i = (i + 1) % INDEX_SIZE) {
        struct memtable_run *run = &slice->run[slice->index[i] - 1];

        if (run->hash == h->hash && run->newest == h->previous)
            return run;
    }
    return NULL;
}

/* The run that has something done at a position. */
static const struct memtable_run *run_at(const struct memtable_slice *slice, uint64_t hash,
                                         uint64_t position)
{
    for (unsigned i = index_of(hash); slice->index[i]; i = (i + 1) % INDEX_SIZE) {
        const struct memtable_run *run = &slice->run[slice->index[i] - 1];

        if (run->hash == hash && (run->stored_at == position || run->removed_at == position))
            return run;
    }
    return NULL;
}

static void note_stored(struct memtable_slice *slice, struct memtable_run *run, bool pushed,
                        uint64_t position)
{
    slice->actions += run->stored_at == 0;
    run->pushed = run->stored_at == 0 ? pushed : run->pushed;
    run->stored_at = run->stored_at ? run->stored_at : position;
    run->stores = position;
    slice->pushes |= pushed;
}

static void note_removed(struct memtable_slice *slice, struct memtable_run *run, uint64_t position)
{
    bool never_there = run->stored_at != 0 && run->pushed;

    slice->actions -= run->stored_at != 0;
    run->stored_at = 0;
    if (never_there && run->removed_at == 0)
        return;
    slice->actions += run->removed_at == 0;
    run->removed_at = run->removed_at ? run->removed_at : position;
    run->removes = position;
}

/* False: there is no room for another key. */
static bool note(struct memtable_slice *slice, const struct ring_header *h, uint64_t position)
{
    struct memtable_run *run = h->previous >= slice->begin ? run_before(slice, h) : NULL;

    if (!run)
        run = add_run(slice, h->hash);
    if (!run)
        return false;
    run->newest = position;
    if (h->kind == MEMTABLE_PRESENT)
        note_stored(slice, run, h->flags & MEMTABLE_QUEUE, position);
    else
        note_removed(slice, run, position);
    return true;
}

/* ---- slices ---- */

bool memtable_slice(const struct shared *shared, uint64_t begin, uint64_t target, int most,
                    struct memtable_slice *ret_slice)
{
    struct memtable_slice *slice = ret_slice;
    struct ring_header h;
    int beyond = most + MEMTABLE_GROUP_MOST - 1;
    bool more = false; /* M4 */
    uint64_t at = begin;

    slice->begin = slice->end = begin;
    slice->count = slice->actions = 0;
    slice->pushes = false;
    memset(slice->index, 0, sizeof slice->index);
    if (!ring_is_part(begin, target, ring_capacity(shared)))
        return false;
    for (; at < target && slice->actions < (more ? beyond : most); at += h.size) {
        if (!ring_read(shared, at, target, &h))
            break;
        if (h.kind == RING_PAD)
            continue;
        if (!(h.flags & MEMTABLE_CLEAN) && !note(slice, &h, at))
            break;
        more = h.flags & MEMTABLE_MORE;
    }
    slice->end = at;
    return at > begin;
}

/* The newest record of a key, from `from` on; 0: there is none. */
static uint64_t newest(const struct shared *shared, const struct memtable_key *key, uint64_t from)
{
    uint64_t capacity = ring_capacity(shared);
    const ring_word *bucket = ring_bucket(shared, key->hash, capacity);

    for (int i = 0; i < RING_BUCKET; i++) {
        uint64_t slot = ring_acquire(&bucket[i]), there = slot ? ring_position(slot) : 0;
        struct ring_header other;
        bool gone;

        if (slot >> RING_SHIFT == key->hash >> RING_SHIFT && there >= from &&
            there - from < capacity && ring_match(shared, there, capacity, key, &other, &gone))
            return there;
    }
    return 0;
}

/* Q4. Each record is before the one that names it: ring_read(). */
static bool is_pulled_later(const struct shared *shared, const struct memtable_slice *slice,
                            const struct ring_header *h, uint64_t position)
{
    const ring_word *data = ring_record(shared, position, ring_capacity(shared)) + RING_WORDS;
    struct memtable_key key = {.raw = h->raw, .hash = h->hash};
    uint64_t most = slice->end + ring_capacity(shared), at;
    struct ring_header other;

    key.given = ring_borrow(h->key_type, h->key, &data, h->key_size);
    key.key = value_normal_key(&key.given);
    for (at = newest(shared, &key, slice->end); at >= slice->end && at != 0; at = other.previous)
        if (!ring_read(shared, at, most, &other) || other.kind == MEMTABLE_ABSENT)
            return true;
    return false;
}

/* Of a record that is whole and cannot go away. */
static void read_row(const struct ring_header *h, const ring_word *data, struct row *row)
{
    (void)ring_borrow(h->key_type, h->key, &data, h->key_size);
    row->tag = ring_borrow(h->tag_type, h->tag, &data, h->tag_size);
    row->value = ring_borrow(h->value_type, h->value, &data, h->value_size);
    ring_fill_row(h, row);
}

bool memtable_read_dirty(const struct shared *shared, const struct memtable_slice *slice,
                         uint64_t position, struct memtable_record *ret_record)
{
    uint64_t capacity = ring_capacity(shared), from;
    const ring_word *data = ring_record(shared, position, capacity) + RING_WORDS;
    const struct memtable_run *run;
    struct row *row = &ret_record->row;
    struct ring_header h;

    memset(ret_record, 0, sizeof *ret_record);
    if (!ring_read(shared, position, slice->end, &h))
        return false;
    ret_record->size = h.size;
    if (h.kind == MEMTABLE_PRESENT && (h.flags & MEMTABLE_CULLS))
        ret_record->culls = h.store_time;
    run = h.kind == RING_PAD || (h.flags & MEMTABLE_CLEAN) ? NULL : run_at(slice, h.hash, position);
    if (!run)
        return true;
    row->key = ring_borrow(h.key_type, h.key, &data,
                           h.key_size); /* of 1 and 1.0, the first stays */
    from = run->stored_at == position ? run->stores : run->removes;
    if (!ring_read(shared, from, slice->end, &h) || h.kind == RING_PAD)
        return false;
    if (h.kind == MEMTABLE_PRESENT && run->pushed && is_pulled_later(shared, slice, &h, from))
        return true;
    ret_record->position = from;
    ret_record->hash = h.hash;
    ret_record->kind = (enum memtable_kind)h.kind;
    ret_record->flags = h.flags;
    if (from < ring_load(&ring_state(shared)->floor))
        ret_record->flags |= MEMTABLE_OVERTAKEN;
    read_row(&h, ring_record(shared, from, capacity) + RING_WORDS, row);
    return true;
}

void memtable_drained(struct shared *shared, uint64_t position)
{
    ring_release(&ring_state(shared)->drained, position);
}

void memtable_set_rowid(struct shared *shared, uint64_t position, int64_t rowid)
{
    ring_word *at = ring_record(shared, position, ring_capacity(shared));

    ring_release(&at[RING_WORD_OF(rowid)], (uint64_t)rowid);
}
