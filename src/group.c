/* group.c - the log of a transaction that is not in the ring yet. See group.h. */
#include "group.h"

#include <stdlib.h>

#define LARGEST_PART 16 /* of the ring for all of a group */

struct group *group_new(const struct shared *shared, unsigned generation)
{
    struct group *group = os_malloc(sizeof *group);

    if (!group)
        return NULL;
    group->count = 0;
    group->bytes = 0;
    group->floor = ring_acquire(&ring_state(shared)->floor);
    group->generation = generation;
    return group;
}

void group_free(struct group *group)
{
    if (group)
        group_cut(group, 0);
    free(group);
}

void group_cut(struct group *group, size_t count)
{
    while (group->count > count) {
        struct group_entry *entry = group->entry[--group->count];

        group->bytes -= memtable_bytes(&entry->change.row);
        free(entry);
    }
}

static bool is_same(const struct memtable_key *a, const struct memtable_key *b)
{
    if (a->hash != b->hash || a->raw != b->raw || a->key.type != b->key.type)
        return false;
    if (!value_is_data(&a->key))
        return a->key.integer == b->key.integer;
    return a->key.size == b->key.size && memcmp(a->key.data, b->key.data, a->key.size) == 0;
}

/* The last entry of a key among the first `count`, or NULL. */
static struct memtable_change *find(const struct group *group, const struct memtable_key *key,
                                    size_t count)
{
    while (count-- > 0)
        if (is_same(&group->entry[count]->change.key, key))
            return &group->entry[count]->change;
    return NULL;
}

static size_t words(const struct dcache_value *value)
{
    return value_is_data(value) ? ring_words(value->size) : 0;
}

/* Copy the data of a value, with a NUL, to `*at`, which moves on. */
static struct dcache_value copy(const struct dcache_value *value, uint64_t **at)
{
    struct dcache_value to = *value;

    if (!value_is_data(value))
        return to;
    to.data = *at;
    if (value->size > 0)
        memcpy(*at, value->data, value->size);
    ((char *)*at)[value->size] = 0;
    *at += ring_words(value->size);
    return to;
}

int group_find(const struct group *group, const struct memtable_key *key, unsigned flags,
               struct memtable_record *ret_record)
{
    const struct memtable_change *change = find(group, key, group->count);
    struct row *row = &ret_record->row;
    uint64_t *at;

    ret_record->kind = change ? change->kind : MEMTABLE_UNKNOWN;
    if (!change)
        return 0;
    ret_record->flags = change->flags;
    ret_record->hash = key->hash;
    *row = change->row;
    row->key = key->given; /* as it was asked for: 1, or 1.0 */
    if (flags & MEMTABLE_NO_VALUE)
        row->value = dcache_none();
    row->memory = os_malloc(sizeof *row->memory +
                            (words(&row->key) + words(&row->tag) + words(&row->value)) *
                                sizeof(uint64_t));
    if (!row->memory) {
        ret_record->kind = MEMTABLE_UNKNOWN;
        return DCACHE_NOMEM;
    }
    row->memory->more = NULL;
    at = (uint64_t *)(void *)row->memory->data;
    row->key = copy(&row->key, &at);
    row->tag = copy(&row->tag, &at);
    row->value = copy(&row->value, &at);
    return 0;
}

int group_add(struct group *group, const struct shared *shared, const struct memtable_key *key,
              enum memtable_kind kind, unsigned flags, const struct row *row)
{
    const struct memtable_change *before = find(group, key, group->count);
    size_t count = words(&key->given) + words(&row->tag) + words(&row->value);
    struct group_entry *entry;
    uint64_t *at;

    if (group->count == MEMTABLE_GROUP_MOST ||
        (before && kind == MEMTABLE_PRESENT && /* G3 */
         (before->kind == MEMTABLE_ABSENT || before->row.expire_time <= row->store_time)))
        return GROUP_FULL;
    entry = os_malloc(sizeof *entry + count * sizeof(uint64_t));
    if (!entry)
        return DCACHE_NOMEM;
    at = entry->data;
    entry->change = (struct memtable_change){
        .key = *key, .kind = kind, .flags = flags, .row = *row};
    entry->change.key.given = copy(&key->given, &at);
    if (value_is_data(&key->key))
        entry->change.key.key = entry->change.key.given;
    else if (before)
        entry->change.key.given = before->key.given; /* of 1 and 1.0, the first stays */
    entry->change.row.key = entry->change.key.given;
    entry->change.row.tag = copy(&row->tag, &at);
    entry->change.row.value = copy(&row->value, &at);
    entry->change.row.memory = NULL;
    group->entry[group->count++] = entry;
    group->bytes += memtable_bytes(&entry->change.row);
    if (group->bytes <= ring_capacity(shared) / LARGEST_PART)
        return 0;
    group_cut(group, group->count - 1);
    return GROUP_FULL;
}

/* Of each key the last state, in the place of the first: what a transaction was in between, nobody saw; but
 * what an item has taken along when it was stored is gone. */
bool group_publish(const struct group *group, struct shared *shared)
{
    const struct memtable_change *changes[MEMTABLE_GROUP_MOST];
    size_t count = 0;

    for (size_t i = 0; i < group->count; i++) {
        const struct memtable_change *change = &group->entry[i]->change;
        struct memtable_change *last = find(group, &change->key, group->count);

        if (!find(group, &change->key, i))
            changes[count++] = last;
        last->flags |= last->kind == MEMTABLE_PRESENT ? change->flags & MEMTABLE_CULLS : 0;
    }
    return memtable_append_group(shared, changes, count);
}
