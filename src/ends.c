/* ends.c - where queues end. See ends.h. */
#include "ends.h"

#include <stdlib.h>

/* ---- keys ---- */

int ends_key(const char *prefix, int64_t number, struct dcache_value *ret_key)
{
    char *text;

    if (number < 1 || number > ENDS_LAST)
        return os_fail(DCACHE_RANGE, "the numbers of the queue are used up");
    *ret_key = dcache_int(number);
    if (!prefix)
        return 0;
    text = os_format("%s-%015lld", prefix, (long long)number);
    if (!text)
        return DCACHE_NOMEM;
    *ret_key = dcache_text(text);
    return 0;
}

int64_t ends_number(const char *prefix, const struct dcache_value *key)
{
    return prefix ? strtoll((const char *)key->data + strlen(prefix) + 1, NULL, 10) : key->integer;
}

int64_t ends_next(const struct ends *ends, enum dcache_side side)
{
    if (ends->first == ends->next)
        return ENDS_FIRST;
    return side == DCACHE_BACK ? ends->next : ends->first - 1;
}

/* ---- what is known ---- */

/* A name as it is in the segment: its size, plus 2 (1: none), and its bytes. */
struct name {
    uint64_t words[1 + SHARED_QUEUE_NAME / 8];
};

/* False: it is too long. */
static bool make_name(const char *prefix, struct name *ret)
{
    size_t size = prefix ? strlen(prefix) : 0;

    if (size > SHARED_QUEUE_NAME)
        return false;
    memset(ret, 0, sizeof *ret);
    ret->words[0] = prefix ? size + 2 : 1;
    if (size > 0)
        memcpy(&ret->words[1], prefix, size);
    return true;
}

/* Who may write here has perhaps written anything. */
static unsigned count_of(const struct shared *shared)
{
    unsigned count = atomic_load_explicit(&ring_state(shared)->queues, memory_order_relaxed);

    return count < SHARED_QUEUES ? count : SHARED_QUEUES;
}

static struct shared_queue *find(const struct shared *shared, const struct name *name)
{
    unsigned count = count_of(shared);

    for (unsigned i = 0; i < count; i++) {
        struct shared_queue *queue = &ring_state(shared)->queue[i];
        unsigned same = 0;

        while (same <= SHARED_QUEUE_NAME / 8 && ring_load(&queue->name[same]) == name->words[same])
            same++;
        if (same > SHARED_QUEUE_NAME / 8)
            return queue;
    }
    return NULL;
}

bool ends_find(const struct shared *shared, struct ends *ends)
{
    const struct shared_queue *queue;
    struct name name;

    if (count_of(shared) == 0 || !make_name(ends->prefix, &name))
        return false;
    queue = find(shared, &name);
    if (!queue)
        return false;
    ends->first = (int64_t)ring_load(&queue->first);
    ends->next = (int64_t)ring_load(&queue->next);
    ends->sure[DCACHE_FRONT] = ring_load(&queue->sure) & 1;
    ends->sure[DCACHE_BACK] = ring_load(&queue->sure) & 2;
    return ends->first >= 1 && ends->first <= ends->next && ends->next <= ENDS_LAST + 1;
}

/* A new place; where there is none, that of another. */
static struct shared_queue *take_place(struct shared *shared, int64_t number)
{
    struct shared_memtable *m = ring_state(shared);
    unsigned count = count_of(shared);

    for (unsigned i = 0; i < count; i++)
        if (ring_load(&m->queue[i].name[0]) == 0)
            return &m->queue[i];
    if (count == SHARED_QUEUES)
        return &m->queue[(uint64_t)number % SHARED_QUEUES];
    ring_release(&m->queue[count].name[0], 0);
    atomic_store_explicit(&m->queues, count + 1, memory_order_release);
    return &m->queue[count];
}

/* Without a name in between: whoever dies in here leaves no queue with the ends of another. */
void ends_set(struct shared *shared, const struct ends *ends)
{
    struct shared_queue *queue;
    struct name name;

    if (!make_name(ends->prefix, &name))
        return;
    queue = find(shared, &name);
    if (!queue)
        queue = take_place(shared, ends->next);
    ring_release(&queue->name[0], 0);
    for (unsigned i = 1; i <= SHARED_QUEUE_NAME / 8; i++)
        ring_release(&queue->name[i], name.words[i]);
    ring_release(&queue->first, (uint64_t)ends->first);
    ring_release(&queue->next, (uint64_t)ends->next);
    ring_release(&queue->sure,
                 (ends->sure[DCACHE_FRONT] ? 1 : 0) | (ends->sure[DCACHE_BACK] ? 2 : 0));
    ring_release(&queue->name[0], name.words[0]);
}

/* Or might have: whether what comes after the name are digits, need not be known. */
static bool has_key(const struct shared_queue *queue, const struct memtable_key *key)
{
    uint64_t name[SHARED_QUEUE_NAME / 8], size = ring_load(&queue->name[0]);

    if (size == 1)
        return key->key.type == DCACHE_INT;
    if (size < 2 || size - 2 > SHARED_QUEUE_NAME || key->key.type != DCACHE_TEXT ||
        key->key.size != size - 2 + ENDS_SUFFIX)
        return false;
    for (unsigned i = 0; i < SHARED_QUEUE_NAME / 8; i++)
        name[i] = ring_load(&queue->name[1 + i]);
    return memcmp(name, key->key.data, size - 2) == 0;
}

void ends_forget(struct shared *shared, const struct memtable_key *key)
{
    unsigned count = count_of(shared);

    for (unsigned i = 0; i < count; i++)
        if (has_key(&ring_state(shared)->queue[i], key))
            ends_forget_all(shared); /* of the others it is learned anew */
}

void ends_forget_all(struct shared *shared)
{
    atomic_store_explicit(&ring_state(shared)->queues, 0, memory_order_relaxed);
}
