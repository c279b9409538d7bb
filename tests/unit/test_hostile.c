/* A directory made by somebody who means harm: nothing of it is executed, nothing outside it is touched,
 * nothing takes more memory or time than it should. */
#include "sandbox.h"
#include "shared.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char *cache(void)
{
    return in("c");
}

static dcache *opened(void)
{
    dcache *c = NULL;

    assert_int_equal(open_with(cache(), 0, 5, &c), 0);
    return c;
}

/* A cache with a small value, and one in a file. */
static void make_cache(void)
{
    dcache *c = opened();

    assert_int_equal(put(c, "small", "value"), 0);
    assert_int_equal(put_bytes(c, "large", 'L', 50000), 0);
    dcache_close(c);
}

static void sql(const char *statements)
{
    char *command = NULL;

    assert_true(asprintf(&command, "sqlite3 c/cache.db \"%s\" >answer 2>&1", statements) > 0);
    assert_int_equal(shell(command), 0);
    free(command);
}

/* ---- the schema ---- */

static void expect_refused(void)
{
    for (int i = 0; i < 2; i++) {
        dcache *c = NULL;

        assert_int_equal(open_with(cache(), i ? DCACHE_READ_ONLY : 0, 1, &c), DCACHE_CORRUPT);
        assert_null(c);
    }
}

/* What the tables are made of, changed as the file's owner could. */
static void plant_in(const char *table, const char *from, const char *to)
{
    char text[400];

    (void)snprintf(text, sizeof text,
                   "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
                   " replace(sql, '%s', '%s') WHERE name = '%s'",
                   from, to, table);
    sql(text);
}

static void view_in_place_of_a_table_is_refused(void **state)
{
    (void)state;
    make_cache();
    sql("ALTER TABLE Cache RENAME TO Hidden; CREATE VIEW Cache AS SELECT * FROM Hidden");
    expect_refused();
    assert_int_equal(shell("rm -r c"), 0);
    make_cache();
    sql("ALTER TABLE Settings RENAME TO Hidden; CREATE VIEW sETTINGS AS SELECT * FROM Hidden");
    expect_refused();
}

static void constraint_default_and_computed_column_that_call_are_refused(void **state)
{
    static const char *const planted[][3] = {
        {"Cache", "value BLOB)", "value BLOB CHECK (length(hex(value)) < 1000000))"},
        {"Cache", "value BLOB)", "value BLOB, more DEFAULT (randomblob(1000000)))"},
        {"Cache", "value BLOB)", "value BLOB, more AS (hex(value)))"},
        {"Cache", "filename TEXT", "filename TEXT AS (hex(value)) STORED"},
        {"Settings", ", value)", ", value CHECK (abs(-9223372036854775808)))"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        make_cache();
        plant_in(planted[i][0], planted[i][1], planted[i][2]);
        expect_refused();
        assert_int_equal(shell("rm -r c"), 0);
    }
}

static void index_that_calls_is_refused_and_a_plain_one_is_not(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    sql("CREATE INDEX mine ON Cache (tag, key) WHERE tag IS NOT NULL");
    c = opened();
    assert_int_equal(has(c, "small", "value"), 1);
    dcache_close(c);
    sql("CREATE INDEX evil ON Cache (hex(value))");
    expect_refused();
}

static void virtual_table_in_place_of_a_table_is_refused(void **state)
{
    (void)state;
    make_cache();
    sql("DROP TABLE Cache; CREATE VIRTUAL TABLE Cache USING fts5(rowid_, key, raw, store_time)");
    expect_refused();
}

static void planted_triggers_do_not_run(void **state)
{
    dcache *c;
    char *rows;

    (void)state;
    make_cache();
    sql("CREATE TABLE Log (what);"
        "CREATE TRIGGER a AFTER INSERT ON Cache BEGIN INSERT INTO Log VALUES ('insert'); END;"
        "CREATE TRIGGER b BEFORE UPDATE ON Cache BEGIN INSERT INTO Log VALUES ('update'); END;"
        "CREATE TRIGGER c AFTER DELETE ON Cache BEGIN INSERT INTO Log VALUES ('delete'); END;"
        "CREATE TRIGGER d AFTER UPDATE ON Settings BEGIN DELETE FROM Cache; END;"
        "CREATE TRIGGER e AFTER INSERT ON Settings BEGIN DELETE FROM Cache; END");
    c = opened();
    assert_int_equal(put(c, "new", "1"), 0);
    assert_int_equal(put(c, "new", "2"), 0);
    assert_int_equal(dcache_delete(c, &(struct dcache_value[]){dcache_text("small")}[0]), 0);
    assert_int_equal(
        dcache_setting_set(c, "cull_limit", &(struct dcache_value[]){dcache_int(3)}[0]), 0);
    assert_int_equal(problems(c, 1), 0);
    assert_int_equal(has(c, "new", "2"), 1);
    dcache_close(c);
    sql("SELECT count(*) FROM Log");
    rows = read_file(in("answer"), NULL);
    assert_string_equal(rows, "0\n");
    free(rows);
}

/* abs() of the least integer is an error: who evaluates it notices. */
static void constraints_of_other_tables_are_not_evaluated(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    sql("CREATE TABLE other (a); INSERT INTO other VALUES (1);"
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
        " 'CREATE TABLE other (a CHECK (abs(-9223372036854775807 - a)))' WHERE name = 'other'");
    c = opened();
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(problems(c, 1), 0);
    dcache_close(c);
}

/* ---- what is no regular file ---- */

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
}

/* In place of `path`: 0 a link to `target`, 1 a FIFO, 2 a socket, 3 a directory. */
#define KINDS 4
static void put_there(int kind, const char *path, const char *target)
{
    (void)unlink(path);
    if (kind == 0)
        assert_int_equal(symlink(target, path), 0);
    else if (kind == 1)
        assert_int_equal(mkfifo(path, 0600), 0);
    else if (kind == 2)
        make_socket(path);
    else
        assert_int_equal(mkdir(path, 0700), 0);
}

static void what_is_no_file_in_place_of_one_of_ours_is_an_error(void **state)
{
    static const char *const names[] = {"cache.db", "cache.db-wal", "cache.db-shm",
                                        "cache.db-journal", "cache.db-shared"};

    (void)state;
    assert_int_equal(write_file(in("outside"), "precious", 8), 0);
    for (int i = 0; i < 5; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            dcache *c = NULL;

            make_cache();
            put_there(kind, in("c/%s", names[i]), in("outside"));
            (void)alarm(30); /* who waits for the other end of a FIFO waits for ever */
            if (open_with(cache(), 0, 1, &c) == 0) { /* what the first write needs is met by it */
                assert_int_equal(i, 2);
                assert_true(put(c, "new", "value") < 0);
                dcache_close(c);
                c = NULL;
            }
            if (open_with(cache(), DCACHE_READ_ONLY, 1, &c) == 0) {
                assert_in_range(i, 2, 4); /* who only reads may do without */
                assert_int_equal(has(c, "small", "value"), 1);
                dcache_close(c);
            }
            (void)alarm(0);
            assert_int_equal(size_of(in("outside")), 8);
            assert_int_equal(shell("rm -r c"), 0);
        }
}

static void link_to_another_database_is_not_followed_even_if_it_comes_late(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    assert_int_equal(shell("cp c/cache.db other.db"), 0);
    c = opened();
    assert_int_equal(shell("rm c/cache.db*; ln -s ../other.db c/cache.db"), 0);
    assert_true(put(c, "new", "value") < 0);
    assert_int_equal(shell("[ ! -e other.db-wal ] && cmp other.db other.db"), 0);
    dcache_close(c);
}

static void file_with_another_name_elsewhere_is_no_segment(void **state)
{
    char *text;
    dcache *c;

    (void)state;
    make_cache();
    assert_int_equal(shell("seq 9 >outside; ln outside c/cache.db-shared"), 0);
    c = opened();
    assert_int_equal(put(c, "new", "value"), 0);
    assert_int_equal(has(c, "small", "value"), 1);
    dcache_close(c);
    text = read_file(in("outside"), NULL);
    assert_string_equal(text, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    free(text);
}

/* What can be read by its other name can be read by this one; it is never written to, or emptied. */
static void file_with_another_name_elsewhere_is_no_value_to_be_written(void **state)
{
    dcache *c;

    (void)state;
    make_cache();
    assert_int_equal(shell("seq 9 >outside; ln -f outside $(find c -name '*.val')"), 0);
    c = opened();
    assert_int_equal(absent(c, "large"), 1); /* not of its size */
    assert_int_equal(put_bytes(c, "large", 'M', 60000), 0);
    assert_int_equal(has_bytes(c, "large", 'M', 60000), 1);
    assert_int_equal(shell("ln -f outside $(find c -name '*.val')"), 0);
    assert_true(problems(c, 1) > 0);
    assert_int_equal(put_bytes(c, "large", 'N', 60000), 0);
    assert_int_equal(shell("ln -f outside $(find c -name '*.val')"), 0);
    assert_int_equal(dcache_clear(c, NULL), 0);
    dcache_close(c);
    assert_int_equal(shell("seq 9 | cmp - outside"), 0);
}

/* ---- value files ---- */

static void value_file_that_is_no_file_is_missing(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        dcache *c;

        make_cache();
        assert_int_equal(shell("head -c 60000 /dev/zero >outside; mv c/*/*/*.val c/aside"), 0);
        sql("UPDATE Cache SET filename = 'in/stead.val' WHERE filename IS NOT NULL");
        assert_int_equal(mkdir(in("c/in"), 0700), 0);
        put_there(kind, in("c/in/stead.val"), in("outside"));
        c = opened();
        assert_int_equal(has_bytes(c, "large", 'L', 50000), 0);
        assert_int_equal(absent(c, "large"), 1);
        assert_int_equal(dcache_backup(c, in("backup")), 0);
        assert_false(exists(in("backup/in/stead.val")));
        assert_int_equal(put_bytes(c, "large", 'M', 50000), 0);
        assert_int_equal(has_bytes(c, "large", 'M', 50000), 1);
        dcache_close(c);
        assert_int_equal(size_of(in("outside")), 60000);
        assert_int_equal(shell("rm -rf c backup"), 0);
    }
}

static void file_names_that_lead_out_are_not_followed(void **state)
{
    const char *names[] = {"../outside",     in("outside"),       "a/../../outside", "./outside",
                           "link/outside",   "link/../outside",   "cache.db",        "sub/cache.db",
                           "..\\outside",    "loop/loop/outside", "//outside",       "",
                           "cache.db-shared"};

    (void)state;
    assert_int_equal(shell("head -c 60000 /dev/zero >outside"), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[300];
        dcache *c;

        make_cache();
        assert_int_equal(shell("ln -s .. c/link; ln -s loop c/loop; mkdir c/sub;"
                               " cp outside c/sub/cache.db; rm -r c/[0-9a-f]?/"),
                         0);
        (void)snprintf(text, sizeof text, "UPDATE Cache SET filename = '%s' WHERE key = 'large'",
                       names[i]);
        sql(text);
        c = opened();
        assert_int_equal(absent(c, "large"), 1);
        assert_int_equal(has_bytes(c, "large", 'L', 50000), 0);
        assert_int_equal(dcache_backup(c, in("backup")), 0);
        assert_int_equal(count_ending(in("backup"), "outside"), 0);
        assert_true(problems(c, 1) > 0);
        assert_int_equal(put_bytes(c, "large", 'M', 50000), 0);
        assert_int_equal(dcache_clear(c, NULL), 0);
        assert_int_equal(put(c, "still", "works"), 0);
        dcache_close(c);
        assert_int_equal(size_of(in("outside")), 60000);
        assert_int_equal(size_of(in("c/sub/cache.db")), 60000);
        assert_int_equal(shell("rm -rf c backup"), 0);
    }
}

/* ---- sizes ---- */

static void value_larger_than_memory_may_hold_is_too_big(void **state)
{
    struct dcache_get_options as_fd = DCACHE_OPTIONS(struct dcache_get_options);
    struct dcache_value inside = dcache_text("inside"), large = dcache_text("large");
    struct dcache_entry e;
    dcache *c;

    (void)state;
    make_cache();
    sql("INSERT INTO Cache (key, raw, mode, value) VALUES ('inside', 1, 1, zeroblob(5000000));"
        "UPDATE Cache SET size = 1 << 40 WHERE key = 'large'");
    assert_int_equal(shell("truncate -s 1T c/*/*/*.val"), 0);
    os_memory = 8 << 20; /* half of it for one value */
    c = opened();
    assert_int_equal(dcache_get(c, &inside, NULL, &e), DCACHE_TOO_BIG);
    assert_int_equal(dcache_get(c, &large, NULL, &e), DCACHE_TOO_BIG);
    as_fd.flags = DCACHE_FILE_AS_FD; /* it is for who reads it to memory */
    assert_int_equal(dcache_get(c, &large, &as_fd, &e), DCACHE_TOO_BIG);
    as_fd.flags = DCACHE_AS_FD;
    assert_int_equal(dcache_get(c, &large, &as_fd, &e), 0);
    dcache_entry_clear(&e);
    assert_int_equal(has(c, "small", "value"), 1);
    assert_int_equal(dcache_delete(c, &large), 0);
    dcache_close(c);
    os_memory = 0;
}

static void sizes_beyond_reason_do_no_harm(void **state)
{
    int64_t bytes = 0;
    dcache *c;

    (void)state;
    make_cache();
    sql("UPDATE Cache SET size = 1 << 60 WHERE key = 'large';"
        "INSERT INTO Cache (key, raw, mode, size, value) VALUES ('a', 1, 1, 9223372036854775807, 1),"
        " ('b', 1, 1, 9223372036854775807, 1), ('c', 1, 1, -9223372036854775807 - 1, 1);"
        "UPDATE Settings SET value = 9223372036854775807 WHERE key IN ('size', 'count', 'hits')");
    c = opened();
    assert_int_equal(absent(c, "large"), 1); /* the file is shorter */
    assert_int_equal(dcache_volume(c, &bytes), 0);
    assert_true(bytes > 0);
    for (int i = 0; i < 4; i++) {
        static const char *const keys[] = {"c", "a", "b", "new"};

        assert_int_equal(put(c, keys[i], "value"), 0);
    }
    assert_true(problems(c, 1) > 0);
    assert_int_equal(problems(c, 0), 0);
    assert_int_equal(has(c, "new", "value"), 1);
    dcache_close(c);
}

static void settings_beyond_reason_count_as_defaults(void **state)
{
    static const char *const values[] = {"NULL", "1e999",  "-1e999",  "4611686018427387904",
                                         "-1",   "'text'", "x'00ff'", "zeroblob(100000)"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[200];
        dcache *c;

        make_cache();
        (void)snprintf(text, sizeof text,
                       "UPDATE Settings SET value = %s WHERE key NOT IN ('count', 'size')",
                       values[i]);
        sql(text);
        c = opened();
        assert_int_equal(put(c, "new", "value"), 0);
        assert_int_equal(has(c, "new", "value"), 1);
        assert_int_equal(has(c, "small", "value"), 1);
        assert_int_equal(has_bytes(c, "large", 'L', 50000), 1);
        dcache_close(c);
        assert_int_equal(shell("rm -r c"), 0);
    }
}

/* ---- trees that would not end ---- */

static void index_that_names_rows_which_are_not_there_ends_in_an_error(void **state)
{
    int64_t removed;
    dcache *c;

    (void)state;
    make_cache();
    sql("UPDATE Cache SET expire_time = 5; CREATE TABLE Kept AS SELECT * FROM sqlite_schema"
        " WHERE name = 'Cache_expire_time'; PRAGMA writable_schema = ON;"
        "DELETE FROM sqlite_schema WHERE name = 'Cache_expire_time'");
    sql("DELETE FROM Cache WHERE key = 'small'; PRAGMA writable_schema = ON;"
        "INSERT INTO sqlite_schema SELECT * FROM Kept");
    c = opened();
    assert_int_equal(dcache_expire(c, 0, &removed), DCACHE_CORRUPT);
    dcache_close(c);
}

/* Leaves of tables, the pointers to their cells in reverse. */
static void reverse_leaves(void)
{
    size_t size = 0;
    unsigned char *bytes = (unsigned char *)read_file(in("c/cache.db"), &size);

    for (size_t page = 4096; page < size; page += 4096) {
        unsigned char *cells = bytes + page + 8;
        int count = bytes[page + 3] << 8 | bytes[page + 4];

        for (int i = 0; bytes[page] == 0x0d && i < count / 2; i++)
            for (int byte = 0; byte < 2; byte++) {
                unsigned char *a = &cells[2 * i + byte], *b = &cells[2 * (count - 1 - i) + byte];
                unsigned char swapped = *a;

                *a = *b;
                *b = swapped;
            }
    }
    assert_int_equal(write_file(in("c/cache.db"), bytes, size), 0);
    free(bytes);
}

static void walk_over_rows_out_of_order_comes_to_an_end(void **state)
{
    dcache *c = opened();

    (void)state;
    for (int i = 0; i < 500; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(put(c, key, "a value of some length"), 0);
    }
    dcache_close(c);
    reverse_leaves();
    if (open_with(cache(), 0, 1, &c) < 0)
        return; /* Settings is a table, too */
    for (int way = 0; way < 4; way++) {
        struct dcache_iter_options options = DCACHE_OPTIONS(struct dcache_iter_options);
        struct dcache_entry e;
        dcache_iter *iter;
        int steps = 0, rc;

        options.flags = way & 1 ? DCACHE_REVERSE : 0;
        options.order = way & 2 ? DCACHE_BY_KEY : DCACHE_BY_INSERTION;
        assert_int_equal(dcache_iter_open(c, &options, &iter), 0);
        while ((rc = dcache_iter_next(iter, &e)) == 0) {
            dcache_entry_clear(&e);
            assert_in_range(++steps, 1, 100000);
        }
        assert_true(rc == DCACHE_NOT_FOUND || rc == DCACHE_CORRUPT);
        dcache_iter_close(iter);
    }
    (void)problems(c, 1);
    (void)dcache_clear(c, NULL);
    dcache_close(c);
}

/* ---- the segment ---- */

static struct shared_segment *map_segment(void)
{
    int fd = open(in("c/cache.db-shared"), O_RDWR | O_CLOEXEC);
    struct shared_segment *segment;

    assert_true(fd >= 0);
    segment = mmap(NULL, sizeof *segment, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    assert_ptr_not_equal(segment, MAP_FAILED);
    return segment;
}

static void segment_of_garbage_is_made_anew(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, sizeof(struct shared_segment), 1 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *garbage = malloc(sizes[i] + 1);
        dcache *c;

        make_cache();
        memset(garbage, 0xa5, sizes[i] + 1);
        assert_int_equal(write_file(in("c/cache.db-shared"), garbage, sizes[i]), 0);
        free(garbage);
        c = opened();
        assert_int_equal(put(c, "new", "value"), 0);
        assert_int_equal(has(c, "small", "value"), 1);
        dcache_close(c);
        assert_false(exists(in("c/cache.db-shared")));
        assert_int_equal(shell("rm -r c"), 0);
    }
}

static void lock_that_nobody_can_hold_is_taken(void **state)
{
    static const uint32_t words[] = {5000,       0x80000000U | 5000, 0x7ffffffe,
                                     0xfffffffe, 0xffffffff,         0x7fffffff};
    struct shared_segment *segment;
    dcache *c = opened();

    (void)state;
    segment = map_segment();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        atomic_store(&segment->lock.word, words[i]);
        atomic_store(&segment->memtable.append.word, words[i]);
        assert_int_equal(put(c, "key", "value"), 0);
    }
    (void)munmap(segment, sizeof *segment);
    dcache_close(c);
}

static void garbage_counters_in_the_segment_do_no_harm(void **state)
{
    struct dcache_value one = dcache_int(1), limit = dcache_int(300000);
    struct shared_segment *segment;
    struct dcache_stats stats;
    dcache *c = opened();
    int64_t bytes;

    (void)state;
    assert_int_equal(dcache_setting_set(c, "statistics", &one), 0);
    assert_int_equal(dcache_setting_set(c, "size_limit", &limit), 0);
    segment = map_segment();
    for (int i = 0; i < 40; i++) {
        memset(segment->access, 0x7f + i % 3, sizeof segment->access);
        memset(segment->bell, 0xff, sizeof segment->bell);
        atomic_store(&segment->accesses, UINT32_MAX);
        atomic_store(&segment->lock.waiting_since, INT64_MAX - i);
        atomic_store(&segment->memtable.append.waiting_since, INT64_MAX - i);
        atomic_store(&segment->memtable.foreign, INT64_MAX - i);
        atomic_store(&segment->memtable.turned, INT64_MIN + i);
        atomic_store(&segment->checkpointing, INT64_MAX - i);
        atomic_store(&segment->headroom, INT64_MAX - i);
        atomic_store(&segment->hits, UINT64_MAX - (unsigned)i);
        atomic_store(&segment->misses, UINT64_MAX / 2);
        atomic_store(&segment->timeouts, UINT64_MAX / 2);
        assert_int_equal(dcache_stats(c, 0, &stats), 0);
        assert_int_equal(put_bytes(c, i % 2 ? "odd" : "even", 'v', 30000), 0);
        assert_int_equal(put(c, in("%d", i), "value"), 0);
        assert_int_equal(has_bytes(c, i % 2 ? "odd" : "even", 'v', 30000), 1);
    }
    assert_int_equal(dcache_volume(c, &bytes), 0);
    assert_true(bytes < 600000); /* the limit was heeded, whatever the segment said of room */
    assert_int_equal(dcache_stats(c, 1, &stats), 0);
    (void)munmap(segment, sizeof *segment);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(view_in_place_of_a_table_is_refused),
        TEST(constraint_default_and_computed_column_that_call_are_refused),
        TEST(index_that_calls_is_refused_and_a_plain_one_is_not),
        TEST(virtual_table_in_place_of_a_table_is_refused),
        TEST(planted_triggers_do_not_run),
        TEST(constraints_of_other_tables_are_not_evaluated),
        TEST(what_is_no_file_in_place_of_one_of_ours_is_an_error),
        TEST(link_to_another_database_is_not_followed_even_if_it_comes_late),
        TEST(file_with_another_name_elsewhere_is_no_segment),
        TEST(value_file_that_is_no_file_is_missing),
        TEST(file_names_that_lead_out_are_not_followed),
        TEST(value_larger_than_memory_may_hold_is_too_big),
        TEST(sizes_beyond_reason_do_no_harm),
        TEST(settings_beyond_reason_count_as_defaults),
        TEST(index_that_names_rows_which_are_not_there_ends_in_an_error),
        TEST(walk_over_rows_out_of_order_comes_to_an_end),
        TEST(segment_of_garbage_is_made_anew),
        TEST(lock_that_nobody_can_hold_is_taken),
        TEST(file_with_another_name_elsewhere_is_no_value_to_be_written),
        TEST(garbage_counters_in_the_segment_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
