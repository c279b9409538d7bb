/* left.c - what a transaction leaves behind for the owner of its handle. See left.h. */
#include "left.h"

#include <stdlib.h>

static void clear_item(struct dcache_left *item)
{
    free(item->filename);
    dcache_value_clear(&item->key);
}

static int copy_key(const struct dcache_value *key, struct dcache_value *ret_copy)
{
    char *memory;

    *ret_copy = *key;
    if (!value_is_data(key))
        return 0;
    memory = os_malloc(key->size + 1);
    if (!memory) {
        *ret_copy = dcache_none();
        return DCACHE_NOMEM;
    }
    if (key->size > 0)
        memcpy(memory, key->data, key->size);
    memory[key->size] = 0;
    ret_copy->data = memory;
    return 0;
}

static int reserve(struct left_batch **chain)
{
    struct left_batch *batch = *chain;
    struct dcache_left *grown;
    size_t room;

    if (!batch) {
        batch = os_calloc(1, sizeof *batch);
        if (!batch)
            return DCACHE_NOMEM;
        *chain = batch;
    }
    if (batch->count < batch->room)
        return 0;
    room = batch->room ? 2 * batch->room : 4;
    grown = os_realloc(batch->items, room * sizeof *grown);
    if (!grown)
        return DCACHE_NOMEM;
    batch->items = grown;
    batch->room = room;
    return 0;
}

int left_add(struct left_batch **chain, const char *filename, const struct dcache_value *key)
{
    struct dcache_left item = {.key = dcache_none()};
    int rc = reserve(chain);

    if (rc == 0 && filename) {
        item.filename = os_strdup(filename);
        rc = item.filename ? 0 : DCACHE_NOMEM;
    }
    if (rc == 0 && key)
        rc = copy_key(key, &item.key);
    if (rc < 0)
        clear_item(&item);
    else
        (*chain)->items[(*chain)->count++] = item;
    return rc;
}

void left_join(struct left_batch **chain, struct left_batch *more)
{
    struct left_batch **end = &more;

    while (*end)
        end = &(*end)->next;
    *end = *chain;
    *chain = more;
}

void left_free(struct left_batch *chain)
{
    while (chain) {
        struct left_batch *next = chain->next;

        dcache_left_free(chain->items, chain->count);
        free(chain);
        chain = next;
    }
}

void dcache_left_free(struct dcache_left *left, size_t count)
{
    for (size_t i = 0; left && i < count; i++)
        clear_item(&left[i]);
    free(left);
}
