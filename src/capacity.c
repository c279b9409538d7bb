/* capacity.c - how large the ring is: made, grown, taken over from the dead. See memtable.h. */
#include "ends.h"
#include "memtable.h"

#define STEP (UINT64_C(1) << 20) /* bytes that are prepared at once: well below a millisecond */

/* ---- making it ---- */

/* Of ring, page and index, that part of the index which is between two offsets. */
static void clear_index(struct shared *shared, uint64_t capacity, uint64_t from, uint64_t to)
{
    char *ring = (char *)shared->segment + SHARED_RING_OFFSET;
    uint64_t begin = capacity + SHARED_INDEX_BEHIND;

    for (uint64_t at = from > begin ? from : begin; at < to; at += sizeof(uint64_t))
        atomic_store_explicit((ring_word *)(void *)(ring + at), 0, memory_order_relaxed);
}

/* Blocks are allocated too: what is a hole would be SIGBUS on a full disk. */
static int prepare_step(struct shared *shared, uint64_t capacity, uint64_t size)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t from = atomic_load(&m->prepared), to;
    int rc;

    if (from >= size || from % STEP != 0) /* forged */
        from = 0;
    to = size - from < STEP ? size : from + STEP;
    rc = shared_allocate(shared, SHARED_RING_OFFSET + from, to - from);
    if (rc < 0)
        return rc;
    clear_index(shared, capacity, from, to);
    atomic_store(&m->prepared, to);
    return 0;
}

uint64_t memtable_most(const struct shared *shared)
{
    return shared->size < SHARED_END(SHARED_RING_MOST) || atomic_load(&ring_state(shared)->cramped)
               ? SHARED_RING_LEAST
               : SHARED_RING_MOST;
}

int memtable_prepare(struct shared *shared, uint64_t capacity, int64_t until)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t size = SHARED_END(capacity) - SHARED_RING_OFFSET;
    int rc = 0;

    if (capacity > memtable_most(shared))
        return os_fail(DCACHE_FULL, "more memory than every process can map");
    if (atomic_exchange(&m->next, capacity) != capacity)
        atomic_store(&m->prepared, 0);
    while (rc == 0 && atomic_load(&m->prepared) != size) {
        rc = prepare_step(shared, capacity, size);
        if (os_monotonic() >= until)
            break;
    }
    return rc < 0 ? rc : atomic_load(&m->prepared) != size;
}

int memtable_resize(struct shared *shared, uint64_t capacity)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t tail = ring_load(&m->tail) > ring_load(&m->head) ? ring_load(&m->tail)
                                                              : ring_load(&m->head);
    int rc = memtable_prepare(shared, capacity, INT64_MAX);

    if (rc < 0)
        return rc;
    /* No reader finds anything in what was (M6). */
    tail = tail < RING_LAST ? (tail / capacity + 1) * capacity : capacity;
    atomic_store(&m->capacity, 0);
    atomic_store(&m->next, 0);
    atomic_store(&m->head, tail);
    atomic_store(&m->drained, tail);
    atomic_store(&m->draining, tail);
    atomic_store(&m->visible, tail);
    atomic_store(&m->tail, tail);
    atomic_store(&m->floor, tail);
    atomic_store(&m->turn, tail);
    atomic_store(&m->turned, os_monotonic());
    atomic_store(&m->capacity, capacity);
    if (capacity <= memtable_most(shared)) /* still: see ask_for_room() in shared.c */
        return 0;
    (void)memtable_void(shared, -1);
    return os_fail(DCACHE_FULL, "more memory than every process can map");
}

/* ---- taking it over ---- */

static bool has_ring(struct shared *shared)
{
    const struct shared_memtable *m = ring_state(shared);
    uint64_t capacity = ring_capacity(shared), head = ring_load(&m->head);

    return capacity > 0 && head >= capacity &&
           ring_is_in_order(head, ring_load(&m->drained), ring_load(&m->tail), capacity) &&
           shared_allocate(shared, SHARED_RING_OFFSET, SHARED_END(capacity) - SHARED_RING_OFFSET) ==
               0;
}

static bool is_sound(struct shared *shared)
{
    uint64_t tail = ring_load(&ring_state(shared)->tail);
    struct ring_header h;

    for (uint64_t at = ring_load(&ring_state(shared)->drained); at < tail; at += h.size)
        if (!ring_read(shared, at, tail, &h))
            return false;
    return true;
}

void memtable_inherit(struct shared *shared)
{
    struct shared_memtable *m = ring_state(shared);
    uint64_t capacity;

    if (!has_ring(shared) || !is_sound(shared)) {
        (void)memtable_void(shared, -1);
        return;
    }
    capacity = ring_capacity(shared);
    clear_index(shared, capacity, 0, SHARED_END(capacity) - SHARED_RING_OFFSET);
    /* Who knows who has been at SQLite since: what it had is worth nothing, and need not be looked at. */
    ring_release(&m->head, ring_load(&m->drained));
    ring_release(&m->visible, ring_load(&m->drained));
    ring_release(&m->floor, ring_load(&m->tail));
    ends_forget_all(shared);
    if (memtable_try(shared)) /* lists them, M3; nobody else has the segment yet */
        memtable_unlock(shared);
}
