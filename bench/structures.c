/* structures.c - the modes of bench.c for deques and indexes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <diskcache_collections.h>

enum { MANY = 100000, BATCH = 1000 };

static dcache *opened(void)
{
    dcache *cache;

    expect(dcache_open_collection(directory, NULL, &cache), "open");
    return cache;
}

static void extend(dcache *deque, unsigned count)
{
    struct dcache_value *values = must_alloc(count * sizeof *values);

    for (unsigned i = 0; i < count; i++)
        values[i] = dcache_int(i);
    expect(dcache_deque_extend(deque, DCACHE_BACK, values, count), "extend");
    free(values);
}

void mode_deque(void)
{
    char data[100] = {0};
    struct dcache_value value = dcache_bytes(data, sizeof data);
    struct dcache_entry e;
    dcache *deque = opened();
    int64_t start;

    for (unsigned n = 0; n < 20; n++)
        expect(dcache_deque_push(deque, DCACHE_BACK, &value), "push");
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_deque_push(deque, DCACHE_BACK, &value), "push");
        expect(dcache_deque_pop(deque, DCACHE_FRONT, NULL, &e), "pop");
        dcache_entry_clear(&e);
        record(APPEND_POPLEFT, now_ns() - start);
    }
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_deque_rotate(deque, 1), "rotate");
        record(ROTATE, now_ns() - start);
    }
    for (unsigned n = 0; n < operations / 200 + 1; n++) {
        start = now_ns();
        extend(deque, BATCH);
        record(EXTEND, (now_ns() - start) / BATCH);
    }
    dcache_close(deque);
}

void mode_deque_index(void)
{
    dcache *deque = opened();
    struct dcache_entry e;
    int64_t start;

    extend(deque, MANY);
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_deque_get(deque, MANY / 2 - n, NULL, &e), "get");
        record(DEQUE_INDEX, now_ns() - start);
        if (e.value.integer != MANY / 2 - n)
            die("another item");
        dcache_entry_clear(&e);
    }
    dcache_close(deque);
}

void mode_index(void)
{
    char data[100] = {0};
    struct dcache_value value = dcache_bytes(data, sizeof data), key = dcache_text("key");
    struct dcache_entry e;
    dcache *index = opened();
    int64_t start;

    for (unsigned n = 0; n < 20; n++)
        expect(dcache_set(index, &(struct dcache_value[]){dcache_int(n)}[0], &value, NULL), "set");
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_set(index, &key, &value, NULL), "set");
        expect(dcache_popitem(index, DCACHE_BACK, NULL, &e), "popitem");
        dcache_entry_clear(&e);
        record(SET_POPITEM, now_ns() - start);
    }
    key = dcache_int(7);
    for (unsigned n = 0; n < operations; n++) {
        start = now_ns();
        expect(dcache_setdefault(index, &key, &value, NULL, NULL, &e), "setdefault");
        dcache_entry_clear(&e);
        record(SETDEFAULT, now_ns() - start);
    }
    dcache_close(index);
}
