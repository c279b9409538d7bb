/* test_forged.c - a segment that somebody else writes into while it is open leads nowhere: no read past the
 * mapping, no walk without end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "table.h"
#include "txn.h"

/* Everything that walks over the ring. It comes to an end, and stays inside. */
static void go_everywhere(void)
{
    struct shared_memtable *m = &shared.segment->memtable;
    static struct memtable_slice slice;
    uint64_t begin = m->drained, end, target = memtable_published(&shared, os_deadline(5));

    for (int i = 0; i < 3; i++)
        (void)kind_of(i == 0 ? "a" : i == 1 ? "b" : "", COMMITS);
    end = memtable_slice(&shared, begin, target, 256, &slice) ? slice.end : begin;
    for (uint64_t at = begin; at < end;) {
        struct memtable_record r;

        assert_true(memtable_read_dirty(&shared, &slice, at, &r));
        assert_true(r.size > 0 && r.size <= CAPACITY);
        if (r.kind != MEMTABLE_UNKNOWN)
            assert_true(r.row.value.size <= SHARED_RING_MOST);
        at += r.size;
    }
    (void)memtable_dirty(&shared);
    for (int i = 0; i < 200; i++) { /* all the way round */
        if (!append("a", "a value that takes some room in the ring, so that it turns"))
            memtable_drained(&shared, m->tail);
        (void)append("b", "");
    }
    (void)kind_of("a", COMMITS);
    assert_int_equal(memtable_void(&shared, os_deadline(5)), 0);
    assert_false(memtable_exists(&shared));
    assert_int_equal(kind_of("a", COMMITS), MEMTABLE_UNKNOWN);
    assert_int_equal(memtable_resize(&shared, CAPACITY), 0);
    memtable_settle(&shared, COMMITS);
    assert_true(append("a", "as ever"));
    assert_true(found("a", "as ever"));
    assert_int_equal(memtable_void(&shared, os_deadline(5)), 0);
    assert_int_equal(memtable_resize(&shared, CAPACITY), 0);
}

static void fill_a_little(void)
{
    assert_true(append("a", "1"));
    assert_true(append("b", "2"));
    assert_true(append("a", "3"));
    assert_true(append("a", NULL));
    assert_true(append("a", "4"));
}

static void forged_positions_lead_nowhere(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    _Atomic uint64_t *const fields[] = {&m->capacity, &m->head,  &m->tail, &m->visible,
                                        &m->drained,  &m->floor, &m->turn, &m->known};
    const uint64_t numbers[] = {0,
                                1,
                                8,
                                16,
                                CAPACITY - 16,
                                CAPACITY,
                                3 * CAPACITY,
                                CAPACITY * 1024,
                                SHARED_RING_LEAST,
                                SHARED_RING_MOST,
                                UINT64_MAX,
                                UINT64_MAX / 2,
                                RING_LAST,
                                RING_LAST + CAPACITY};

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
            for (int relative = 0; relative < 2; relative++) {
                fill_a_little();
                *fields[i] = numbers[j] + (relative ? (uint64_t)*fields[i] : 0);
                go_everywhere();
            }
}

static void forged_records_lead_nowhere(void **state)
{
    const uint64_t numbers[] = {0,
                                1,
                                0x70,
                                0x10000000070,
                                UINT64_MAX,
                                UINT32_MAX,
                                UINT64_C(0xffffffff) << 32,
                                0x0303030300000001,
                                0x0404040400000009,
                                0x0808080800000009,
                                CAPACITY + 0x70};

    (void)state;
    for (size_t word = 0; word < RING_WORDS; word++)
        for (size_t record = 0; record < 5; record++)
            for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++) {
                ring_word *at;
                uint64_t position = shared.segment->memtable.tail;

                fill_a_little();
                for (size_t i = 0; i < record; i++)
                    position += ring_beginning(ring_record(&shared, position, CAPACITY)).size;
                at = ring_record(&shared, position, CAPACITY);
                at[word] = word == 1 ? at[word] ^ 1 : numbers[j];
                go_everywhere();
            }
}

/* Of records before that are none, and of each other, a loop. */
static void forged_chains_end(void **state)
{
    uint64_t *previous[2], position;

    (void)state;
    for (int i = 0; i < 2; i++) {
        position = shared.segment->memtable.tail;
        assert_true(append("a", "1"));
        previous[i] = (uint64_t *)(void *)&ring_record(&shared, position,
                                                       CAPACITY)[RING_WORD_OF(previous)];
    }
    *previous[0] = *previous[1] = position;
    go_everywhere();
    for (int i = 0; i < 2; i++) {
        position = shared.segment->memtable.tail;
        assert_true(append("a", "1"));
        previous[i] = (uint64_t *)(void *)&ring_record(&shared, position,
                                                       CAPACITY)[RING_WORD_OF(previous)];
    }
    *previous[0] = position;
    *previous[1] = position - 16;
    go_everywhere();
}

/* A bucket whose every slot names what is not there (yet) does not refuse a key for ever. */
static void forged_slots_are_free(void **state)
{
    struct memtable_key key = key_of("a");

    (void)state;
    for (int way = 0; way < 4; way++) {
        ring_word *bucket = ring_bucket(&shared, key.hash, CAPACITY);
        uint64_t tail = shared.segment->memtable.tail;
        const uint64_t there[] = {0, tail, tail + 16 * CAPACITY, RING_LAST - 16};

        for (int i = 0; i < RING_BUCKET; i++)
            bucket[i] = ring_slot(key.hash, there[way]);
        (void)kind_of("a", COMMITS);
        assert_true(append("a", "1"));
        go_everywhere();
    }
}

/* Text ends with a NUL, whatever is in the ring behind it. */
static void forged_text_ends(void **state)
{
    struct memtable_record r;
    uint64_t position = shared.segment->memtable.tail;
    ring_word *data = ring_record(&shared, position, CAPACITY) + RING_WORDS;

    (void)state;
    assert_true(append("key", "value"));
    data[0] |= UINT64_MAX << 24;
    data[1] |= UINT64_MAX << 40;
    r = find_at("key", COMMITS);
    assert_int_equal(r.kind, MEMTABLE_PRESENT);
    assert_string_equal(r.row.key.data, "key");
    assert_string_equal(r.row.value.data, "value");
    row_clear(&r.row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(forged_positions_lead_nowhere),
        TABLE_TEST(forged_records_lead_nowhere),
        TABLE_TEST(forged_chains_end),
        TABLE_TEST(forged_slots_are_free),
        TABLE_TEST(forged_text_ends),
    };

    return cmocka_run_group_tests_name("forged", tests, NULL, NULL);
}
