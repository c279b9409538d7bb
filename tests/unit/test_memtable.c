/* test_memtable.c - ring and index, without SQLite: what is published is found, and nothing else. */
#include "table.h"
#include "txn.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- finding ---- */

static void newest_record_of_a_key_is_found(void **state)
{
    (void)state;
    assert_int_equal(kind_of("k", COMMITS), MEMTABLE_UNKNOWN);
    assert_true(append("k", "one"));
    assert_true(found("k", "one"));
    assert_true(append("k", "two"));
    assert_true(append("other", ""));
    assert_true(found("k", "two"));
    assert_true(found("other", ""));
    assert_true(append("k", NULL));
    assert_true(found("k", NULL));
}

static void row_comes_back_whole(void **state)
{
    struct row row = {.raw = 1,
                      .store_time = 1.5,
                      .expire_time = 2.5,
                      .access_time = 3.5,
                      .access_count = 4,
                      .mode = MODE_PICKLE,
                      .rowid = 5};
    struct memtable_key k = {0};
    struct memtable_record r = {0};

    (void)state;
    row.key = dcache_bytes("a\0b", 3);
    row.tag = dcache_text("a tag");
    row.value = dcache_bytes("a value of some length\0", 24);
    k = memtable_key(&row.key, 1);
    assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
    assert_true(memtable_append(&shared, &k, MEMTABLE_PRESENT, MEMTABLE_COUNTED, &row));
    memtable_unlock(&shared);
    assert_int_equal(memtable_find(&shared, &k, 0, COMMITS, &r), 0);
    assert_int_equal(r.kind, MEMTABLE_PRESENT);
    assert_int_equal(r.flags, MEMTABLE_COUNTED);
    assert_true(r.row.key.type == DCACHE_BYTES && r.row.key.size == 3 &&
                memcmp(r.row.key.data, "a\0b", 4) == 0);
    assert_true(r.row.tag.type == DCACHE_TEXT && strcmp(r.row.tag.data, "a tag") == 0);
    assert_true(r.row.value.size == 24 && memcmp(r.row.value.data, row.value.data, 24) == 0);
    assert_true(r.row.store_time == 1.5 && r.row.expire_time == 2.5 && r.row.access_time == 3.5);
    assert_true(r.row.access_count == 4 && r.row.mode == MODE_PICKLE && r.row.rowid == 5);
    row_clear(&r.row);
}

static void numbers_that_are_equal_are_one_key(void **state)
{
    struct dcache_value one = dcache_int(1), same = dcache_double(1), half = dcache_double(0.5);
    struct dcache_value zero = dcache_int(0), minus = dcache_double(-0.0);
    struct memtable_key a = memtable_key(&one, 1), b = memtable_key(&same, 1);
    struct memtable_key c = memtable_key(&half, 1), d = memtable_key(&one, 0);

    (void)state;
    assert_true(a.hash == b.hash && a.key.type == b.key.type);
    assert_true(a.hash != c.hash && a.hash != d.hash);
    assert_true(memtable_key(&zero, 1).hash == memtable_key(&minus, 1).hash);
}

/* Of every length, from every address; and of keys of one hash, each byte decides. */
static void all_bytes_are_kept_and_compared(void **state)
{
    const char bytes[] = "\x80 a key \xff or a value of some length, \0 included";
    struct row row = {.raw = 1, .expire_time = DCACHE_NEVER, .mode = MODE_RAW};

    (void)state;
    for (size_t size = 0; size < sizeof bytes - 8; size++) {
        struct memtable_key k, other;
        struct memtable_record r = {0};
        char changed[sizeof bytes];

        row.key = row.value = dcache_bytes(bytes + size % 8, size);
        k = other = memtable_key(&row.key, 1);
        assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
        assert_true(memtable_append(&shared, &k, MEMTABLE_PRESENT, 0, &row));
        memtable_unlock(&shared);
        assert_int_equal(memtable_find(&shared, &k, 0, COMMITS, &r), 0);
        assert_int_equal(r.kind, MEMTABLE_PRESENT);
        assert_true(r.row.key.size == size && r.row.value.size == size);
        assert_memory_equal(r.row.key.data, row.key.data, size);
        assert_memory_equal(r.row.value.data, row.key.data, size);
        row_clear(&r.row);
        memcpy(changed, row.key.data, size);
        other.key.data = changed;
        for (size_t i = 0; i < size; i++) {
            changed[i] ^= 0x40;
            assert_int_equal(memtable_find(&shared, &other, 0, COMMITS, &r), 0);
            assert_int_equal(r.kind, MEMTABLE_UNKNOWN);
            changed[i] ^= 0x40;
        }
    }
}

/* ---- the ring ---- */

static void full_ring_refuses_what_would_overwrite_the_dirty(void **state)
{
    char key[16];
    int count = 0;

    (void)state;
    for (;; count++) {
        (void)snprintf(key, sizeof key, "k%d", count);
        if (!append(key, "a value"))
            break;
    }
    assert_true(count > 100);
    assert_true(found("k0", "a value"));
    all_is_drained();
    assert_true(append(key, "a value"));
    assert_true(found(key, "a value"));
    for (int i = 0; i < 700; i++) {
        all_is_drained();
        assert_true(append(key, "a value"));
    }
    assert_int_equal(kind_of("k0", COMMITS), MEMTABLE_UNKNOWN); /* reclaimed */
}

static void ring_turns_many_times(void **state)
{
    char key[16], value[64];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof key, "k%d", i % 50);
        (void)snprintf(value, sizeof value, "%d%.*s", i, i % 40,
                       "........................................");
        if (!append(key, value)) {
            all_is_drained();
            assert_true(append(key, value));
        }
        assert_true(found(key, value));
    }
}

/* What a slice stores, as "key=value" or "key-", in order. */
static const char *slice(uint64_t end)
{
    static struct memtable_slice part;
    static char seen[256];
    struct memtable_record r;
    int actions = 0;

    seen[0] = 0;
    assert_true(memtable_slice(&shared, shared.segment->memtable.drained, end, 100, &part));
    assert_true(part.end == end);
    for (uint64_t at = part.begin; at < end; at += r.size) {
        size_t used = strlen(seen);

        assert_true(memtable_read_dirty(&shared, &part, at, &r));
        actions += r.kind != MEMTABLE_UNKNOWN;
        if (r.kind == MEMTABLE_PRESENT)
            (void)snprintf(seen + used, sizeof seen - used, "%.*s=%.*s ", (int)r.row.key.size,
                           (const char *)r.row.key.data, (int)r.row.value.size,
                           (const char *)r.row.value.data);
        else if (r.kind == MEMTABLE_ABSENT)
            (void)snprintf(seen + used, sizeof seen - used, "%.*s- ", (int)r.row.key.size,
                           (const char *)r.row.key.data);
    }
    assert_true(actions <= part.actions);
    return seen;
}

static void slice_stores_the_last_value_where_the_first_was(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    uint64_t end;

    (void)state;
    assert_true(append("a", "1"));
    assert_true(append("b", "2"));
    assert_true(append("a", "3"));
    assert_true(append_as("c", "4", MEMTABLE_PRESENT, MEMTABLE_CLEAN));
    assert_true(append("d", "5"));
    end = m->tail;
    assert_true(append("a", "6")); /* behind the slice */
    assert_true(append("d", NULL));
    assert_string_equal(slice(end), "a=3 b=2 d=5 ");
    assert_string_equal(slice(m->tail), "a=6 b=2 d- ");
    memtable_drained(&shared, end);
    assert_string_equal(slice(m->tail), "a=6 d- ");
}

static void what_was_taken_away_and_put_back_comes_last(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;

    (void)state;
    assert_true(append("a", "1"));
    assert_true(append("b", "2"));
    assert_true(append("a", NULL));
    assert_true(append("c", "3"));
    assert_true(append("a", "4"));
    assert_true(append("a", "5"));
    assert_string_equal(slice(m->tail), "b=2 a- c=3 a=5 ");
    assert_true(append("a", NULL));
    assert_string_equal(slice(m->tail), "b=2 a- c=3 ");
    assert_true(append("a", "6"));
    assert_string_equal(slice(m->tail), "b=2 a- c=3 a=6 ");
}

/* Q4 of ends.h: an item that is pulled behind the slice does not come to SQLite, nor does what was never there go. */
static void what_was_pushed_and_pulled_is_left_out(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    uint64_t end;

    (void)state;
    assert_true(append_as("q", "1", MEMTABLE_PRESENT, MEMTABLE_QUEUE));
    assert_true(append("b", "2"));
    assert_true(append_as("r", "3", MEMTABLE_PRESENT, MEMTABLE_QUEUE));
    assert_string_equal(slice(m->tail), "q=1 b=2 r=3 ");
    end = m->tail;
    assert_true(append_as("q", NULL, MEMTABLE_ABSENT, MEMTABLE_QUEUE));
    assert_string_equal(slice(m->tail), "b=2 r=3 ");
    assert_true(
        append_as("q", "4", MEMTABLE_PRESENT, MEMTABLE_QUEUE)); /* another under its number */
    assert_string_equal(slice(m->tail), "b=2 r=3 q=4 ");
    assert_string_equal(slice(end), "b=2 r=3 ");
    memtable_drained(&shared, end);
    assert_string_equal(slice(m->tail), "q- q=4 ");
}

/* However often: of a key that comes and goes, two things are done. */
static void what_comes_and_goes_all_the_time_is_done_once(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(append("a", "1"));
        assert_true(append("a", NULL));
    }
    assert_true(append("b", "2"));
    assert_string_equal(slice(m->tail), "a- b=2 ");
    assert_true(append("a", "3"));
    assert_string_equal(slice(m->tail), "a- b=2 a=3 ");
}

static void slice_ends_after_so_many_that_matter(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    static struct memtable_slice part;
    uint64_t end, begin = m->drained;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(append("a", "1"));
    assert_true(append("b", "2"));
    end = m->tail;
    assert_true(append("c", "3"));
    assert_true(memtable_slice(&shared, begin, m->tail, 2, &part) && part.end < m->tail);
    assert_true(memtable_slice(&shared, begin, m->tail, 3, &part) && part.end == m->tail);
    assert_true(memtable_slice(&shared, begin, end, 100, &part) && part.end == end);
}

/* ---- whose word is taken ---- */

static void other_commits_void_the_clean_and_question_the_dirty(void **state)
{
    struct memtable_record r;

    (void)state;
    assert_true(append_as("clean", "c", MEMTABLE_PRESENT, MEMTABLE_CLEAN));
    assert_true(append("dirty", "d"));
    assert_int_equal(kind_of("clean", COMMITS), MEMTABLE_PRESENT);
    assert_int_equal(kind_of("clean", COMMITS + 1), MEMTABLE_UNKNOWN);
    r = find_at("dirty", COMMITS + 1);
    assert_int_equal(r.kind, MEMTABLE_PRESENT);
    assert_int_equal(r.flags, MEMTABLE_OVERTAKEN);
    row_clear(&r.row);
    memtable_settle(&shared, COMMITS + 1);
    assert_int_equal(kind_of("clean", COMMITS + 1), MEMTABLE_UNKNOWN);
    r = find_at("dirty", COMMITS + 1);
    assert_int_equal(r.flags, MEMTABLE_OVERTAKEN);
    row_clear(&r.row);
    all_is_drained();
    assert_int_equal(kind_of("dirty", COMMITS + 1), MEMTABLE_UNKNOWN);
}

static void only_a_key_without_a_word_of_its_own_is_kept(void **state)
{
    struct memtable_key dirty = key_of("dirty"), clean = key_of("clean"), none = key_of("none");

    (void)state;
    assert_true(append("dirty", "d"));
    assert_true(append_as("clean", "c", MEMTABLE_PRESENT, MEMTABLE_CLEAN));
    assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
    assert_true(memtable_may_keep(&shared, &none));
    assert_false(memtable_may_keep(&shared, &dirty));
    assert_false(memtable_may_keep(&shared, &clean));
    memtable_settle(&shared, COMMITS);
    assert_false(memtable_may_keep(&shared, &dirty));
    assert_true(memtable_may_keep(&shared, &clean));
    memtable_unlock(&shared);
}

static void time_of_a_record_is_not_before_that_of_an_earlier_one(void **state)
{
    (void)state;
    assert_true(memtable_time(&shared, 100) == 100);
    assert_true(memtable_time(&shared, 99) == 100); /* taken before, and then it had to wait */
    assert_true(memtable_time(&shared, 101) == 101);
    assert_true(memtable_time(&shared, 40) == 40); /* the clock was set back */
    assert_true(memtable_time(&shared, 41) == 41);
}

/* ---- foreign processes ---- */

/* As if it had been some seconds ago. */
static void let_pass(double seconds)
{
    atomic_fetch_sub(&shared.segment->memtable.foreign, (int64_t)(seconds * 1000) * OS_MS);
}

static void pause_for_foreign_processes_is_longer_the_more_often_they_come(void **state)
{
    static const double pauses[] = {1, 2, 4, 8, 16, 32, 60, 60};

    (void)state;
    assert_false(memtable_is_shunned(&shared));
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        memtable_note_foreign(&shared);
        assert_true(memtable_is_shunned(&shared));
        let_pass(pauses[i] - 0.1);
        assert_true(memtable_is_shunned(&shared));
        memtable_note_foreign(&shared); /* within it: it begins anew, and is no longer */
        let_pass(pauses[i]);
        assert_false(memtable_is_shunned(&shared));
    }
    let_pass(61); /* they have stopped coming */
    memtable_note_foreign(&shared);
    let_pass(1);
    assert_false(memtable_is_shunned(&shared));
}

static void own_commit_before_there_is_a_ring_is_not_foreign(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;

    (void)state;
    atomic_store(&m->capacity, 0);
    memtable_own_commit(&shared, COMMITS + 1);
    assert_true(m->known == COMMITS + 1);
    assert_int_equal(memtable_lock(&shared, 0), 0);
    memtable_unlock(&shared);
    assert_int_equal(memtable_resize(&shared, CAPACITY), 0);
    memtable_own_commit(&shared, COMMITS + 2);
    assert_true(m->known == COMMITS + 2);
}

#define TOGETHER 8

static int open_and_write(struct child *self)
{
    dcache *c;
    char key[16];

    child_say(self, 'r');
    (void)child_hear(self);
    MUST(open_setting(in("c"), "memtable_size", dcache_int(1 << 20), &c) == 0);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        MUST(put(c, key, "value") == 0);
    }
    MUST(c->store->shared.segment->memtable.foreign == 0);
    child_say(self, 'd');
    (void)child_hear(self);
    dcache_close(c);
    return 0;
}

static void those_who_make_a_cache_together_are_not_foreign_to_each_other(void **state)
{
    struct child children[TOGETHER];

    (void)state;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < TOGETHER; i++)
            children[i] = child_start(open_and_write);
        for (int i = 0; i < TOGETHER; i++)
            assert_int_equal(child_hear(&children[i]), 'r');
        for (int i = 0; i < TOGETHER; i++)
            child_say(&children[i], 'g');
        for (int i = 0; i < TOGETHER; i++)
            assert_int_equal(child_hear(&children[i]), 'd');
        for (int i = 0; i < TOGETHER; i++)
            child_say(&children[i], 'e');
        for (int i = 0; i < TOGETHER; i++)
            assert_int_equal(child_end(&children[i]), 0);
        remove_tree(in("c"));
    }
}

/* ---- death ---- */

/* M3: as if its author had died between the two stores. */
static void what_was_published_and_not_listed_is_listed_by_the_next(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    _Atomic uint64_t *index = (_Atomic uint64_t *)(void *)ring_bucket(&shared, 0, CAPACITY);
    uint64_t before = m->tail;

    (void)state;
    assert_true(append("k", "v"));
    for (uint64_t i = 0; i < CAPACITY / 64; i++)
        index[i] = 0;
    m->visible = before;
    assert_int_equal(kind_of("k", COMMITS), MEMTABLE_UNKNOWN);
    assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
    memtable_unlock(&shared);
    assert_true(found("k", "v"));
    assert_true(m->visible == m->tail);
}

/* M3: a slice takes the last of a run from the index, so what is not in it must not be drained. */
static void drain_goes_no_further_than_what_is_listed(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    uint64_t *index = (void *)ring_bucket(&shared, 0, CAPACITY);
    uint64_t before, listed[CAPACITY / 64];

    (void)state;
    assert_true(append("a", "1"));
    before = m->tail;
    memcpy(listed, index, sizeof listed);
    assert_true(append("a", "2"));
    memcpy(index, listed, sizeof listed); /* as between the two stores of an append */
    m->visible = before;
    assert_true(shared_mutex_try(&shared, &m->append));
    assert_true(memtable_published(&shared, 0) == before);
    assert_string_equal(slice(before), "a=1 ");
    shared_mutex_unlock(&shared, &m->append);
    assert_true(memtable_published(&shared, os_deadline(5)) == m->tail); /* its author has died */
    assert_string_equal(slice(m->tail), "a=2 ");
}

static int append_and_die(struct child *self)
{
    struct shared other = {.fd = -1};

    shared_forked(&shared);
    MUST(shared_open(&other, dir, 0600, os_deadline(5)) == 0);
    shared = other;
    MUST(append("by a child", "v"));
    MUST(memtable_lock(&shared, os_deadline(5)) == 0);
    child_say(self, 'l');
    (void)child_hear(self); /* and dies with the lock */
    return 1;
}

static void lock_of_the_dead_is_taken_over_and_what_they_published_stays(void **state)
{
    struct child child = child_start(append_and_die);

    (void)state;
    assert_int_equal(child_hear(&child), 'l');
    assert_int_equal(memtable_lock(&shared, 0), DCACHE_TIMEOUT);
    assert_int_equal(child_kill(&child), -SIGKILL);
    assert_true(append("k", "v"));
    assert_true(found("by a child", "v"));
}

/* As after the death of all who were there: the next finds the file, in which `offset` of the record at
 * `position` has been overwritten with `word`. */
static void come_after_the_dead(uint64_t position, size_t offset, uint64_t word)
{
    int fd = open(in("cache.db-shared"), O_RDWR | O_CLOEXEC);
    off_t at = (off_t)(SHARED_RING_OFFSET + position % CAPACITY + offset);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &word, sizeof word, at), sizeof word);
    (void)close(fd);
    assert_int_equal(shared_open(&shared, dir, 0600, os_deadline(5)), 0);
    assert_true(shared.inherited);
    memtable_inherit(&shared);
    assert_int_equal(shared_admit(&shared), 0);
}

static void what_the_dead_have_left_is_listed_anew(void **state)
{
    uint64_t *index, position = shared.segment->memtable.tail;
    struct memtable_record r;

    (void)state;
    assert_true(append("k", "1"));
    assert_true(append("k", "2"));
    index = (void *)ring_bucket(&shared, 0, CAPACITY);
    memset(index, 0xff, CAPACITY / 64 * sizeof *index);
    shared_close(&shared, dir);
    come_after_the_dead(position, 104, 'k'); /* its key, as it was */
    r = find_at("k", COMMITS);
    assert_int_equal(r.kind, MEMTABLE_PRESENT);
    assert_int_equal(r.flags, MEMTABLE_OVERTAKEN); /* who knows who has been at SQLite since */
    row_clear(&r.row);
    assert_string_equal(slice(shared.segment->memtable.tail), "k=2 ");
}

static void ring_that_is_not_sound_is_not_inherited(void **state)
{
    static const struct {
        size_t offset;
        uint64_t word;
    } damage[] = {
        {0, 0},                   /* a size of nothing: a walk without end */
        {0, 0x0001000100010000},  /* a size beyond the ring */
        {0, 0x0101000900000090},  /* no such kind */
        {16, UINT64_MAX},         /* sizes of key and tag */
        {24, 0x0003030300000009}, /* a type that has a size, which is too large */
        {24, 0x00ffffff00000001}, /* no such types */
        {96, UINT64_MAX},         /* a record before that is after */
    };

    (void)state;
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        uint64_t position;

        if (!memtable_exists(&shared))
            assert_int_equal(memtable_resize(&shared, CAPACITY), 0);
        position = shared.segment->memtable.tail;
        assert_true(append("k", "v"));
        shared_close(&shared, dir);
        come_after_the_dead(position, damage[i].offset, damage[i].word);
        assert_false(memtable_exists(&shared));
    }
}

static void what_was_forged_behind_the_last_record_is_taken_back(void **state)
{
    struct shared_memtable *m = &shared.segment->memtable;
    uint64_t tail;

    (void)state;
    assert_true(append("k", "v"));
    tail = m->tail;
    m->tail = UINT64_MAX / 2;
    assert_int_equal(memtable_lock(&shared, os_deadline(5)), 0);
    memtable_unlock(&shared);
    assert_int_equal(m->tail, tail);
    assert_int_equal(memtable_published(&shared, os_deadline(5)), tail);
    assert_true(append("l", "w"));
    assert_true(found("k", "v"));
    assert_true(found("l", "w"));
}

/* What waits in the memtable went with it. */
static void closing_brings_no_removed_directory_back(void **state)
{
    dcache *c = NULL;

    (void)state;
    assert_int_equal(open_setting(in("c"), "memtable_size", dcache_int(1 << 20), &c), 0);
    assert_int_equal(put(c, "k", "v"), 0);
    remove_tree(in("c"));
    dcache_close(c);
    assert_int_equal(access(in("c"), F_OK), -1);
}

/* ---- threads ---- */

#define KEYS 40
#define ROUNDS 40000

static _Atomic int acknowledged[KEYS];
static _Atomic bool finished;

/* What a reader sees of a key never goes back, and is whole. */
static void *read_all(void *arg)
{
    int seen[KEYS] = {0};

    (void)arg;
    while (!finished)
        for (int i = 0; i < KEYS; i++) {
            struct memtable_record record = {0};
            struct memtable_key k;
            int least = acknowledged[i], got = least;
            char key[16];

            (void)snprintf(key, sizeof key, "key %d", i);
            k = key_of(key);
            if (memtable_find(&shared, &k, 0, COMMITS, &record) < 0)
                return (void *)(uintptr_t) "find";
            if (record.kind == MEMTABLE_PRESENT) {
                got = atoi(record.row.value.data);
                if (strspn(record.row.value.data, "0123456789") + (size_t)(got % 100) !=
                    record.row.value.size)
                    return (void *)(uintptr_t) "torn";
            }
            row_clear(&record.row);
            if (got < least || got < seen[i])
                return (void *)(uintptr_t) "went back";
            seen[i] = got;
        }
    return NULL;
}

static void readers_beside_a_writer_see_whole_records_that_never_go_back(void **state)
{
    static const char dots[101] = "........................................"
                                  "............................................................";
    pthread_t readers[3];
    void *verdict;

    (void)state;
    finished = false;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_all, NULL), 0);
    for (int i = 1; i < ROUNDS; i++) {
        char key[16], value[128];

        (void)snprintf(key, sizeof key, "key %d", i * 7 % KEYS);
        (void)snprintf(value, sizeof value, "%d%.*s", i, i % 100, dots);
        if (!append(key, value)) {
            all_is_drained();
            assert_true(append(key, value));
        }
        acknowledged[i * 7 % KEYS] = i;
    }
    finished = true;
    for (int i = 0; i < 3; i++) {
        (void)pthread_join(readers[i], &verdict);
        assert_null(verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(newest_record_of_a_key_is_found),
        TABLE_TEST(row_comes_back_whole),
        TABLE_TEST(numbers_that_are_equal_are_one_key),
        TABLE_TEST(all_bytes_are_kept_and_compared),
        TABLE_TEST(full_ring_refuses_what_would_overwrite_the_dirty),
        TABLE_TEST(ring_turns_many_times),
        TABLE_TEST(slice_stores_the_last_value_where_the_first_was),
        TABLE_TEST(what_was_taken_away_and_put_back_comes_last),
        TABLE_TEST(what_was_pushed_and_pulled_is_left_out),
        TABLE_TEST(what_comes_and_goes_all_the_time_is_done_once),
        TABLE_TEST(slice_ends_after_so_many_that_matter),
        TABLE_TEST(other_commits_void_the_clean_and_question_the_dirty),
        TABLE_TEST(time_of_a_record_is_not_before_that_of_an_earlier_one),
        TABLE_TEST(only_a_key_without_a_word_of_its_own_is_kept),
        TABLE_TEST(pause_for_foreign_processes_is_longer_the_more_often_they_come),
        TABLE_TEST(own_commit_before_there_is_a_ring_is_not_foreign),
        TEST(those_who_make_a_cache_together_are_not_foreign_to_each_other),
        TABLE_TEST(what_was_published_and_not_listed_is_listed_by_the_next),
        TABLE_TEST(drain_goes_no_further_than_what_is_listed),
        TABLE_TEST(lock_of_the_dead_is_taken_over_and_what_they_published_stays),
        TABLE_TEST(what_the_dead_have_left_is_listed_anew),
        TABLE_TEST(ring_that_is_not_sound_is_not_inherited),
        TABLE_TEST(what_was_forged_behind_the_last_record_is_taken_back),
        TEST(closing_brings_no_removed_directory_back),
        TABLE_TEST(readers_beside_a_writer_see_whole_records_that_never_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
