/* test_frames.c - frames of the log are gathered: W1, W2, and what SQLite makes of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include "db.h"
#include "sandbox.h"

#define PAGE 4096
#define FRAME (24 + PAGE)
#define COMMIT 7 /* bytes 4 to 7 of a header; 0: more to come */

/* ---- a log that only notes what is written to it ---- */

static struct {
    int writes;
    int size; /* of the last one */
    sqlite3_int64 offset;
    unsigned char bytes[65536 + 24];
    bool full;
} seen;

static int note_write(sqlite3_file *file, const void *buffer, int size, sqlite3_int64 offset)
{
    (void)file;
    if (seen.full)
        return SQLITE_FULL;
    seen.writes++;
    seen.size = size;
    seen.offset = offset;
    memcpy(seen.bytes, buffer, (size_t)size);
    return SQLITE_OK;
}

static const sqlite3_io_methods noting = {.iVersion = 1, .xWrite = note_write};
static sqlite3_file log_file = {&noting};

static int begin(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    return 0;
}

static int write_header(struct frames *frames, unsigned char commit, int number)
{
    unsigned char header[24] = {0, 0, 0, 1, 0, 0, 0, commit};

    return frames_write(frames, &log_file, header, sizeof header,
                        32 + (sqlite3_int64)number * FRAME);
}

static int write_page(struct frames *frames, char letter, int size, int number)
{
    unsigned char page[65536];

    memset(page, letter, sizeof page);
    return frames_write(frames, &log_file, page, size, 32 + (sqlite3_int64)number * FRAME + 24);
}

static void append(struct frames *frames, unsigned char commit, char letter, int number)
{
    assert_int_equal(write_header(frames, commit, number), SQLITE_OK);
    assert_int_equal(write_page(frames, letter, PAGE, number), SQLITE_OK);
}

/* ---- the rules ---- */

static void commit_of_three_frames_is_one_write(void **state)
{
    struct frames frames = {.size = 0};

    (void)state;
    append(&frames, 0, 'a', 0);
    append(&frames, 0, 'b', 1);
    assert_int_equal(seen.writes, 0);
    append(&frames, COMMIT, 'c', 2);
    assert_int_equal(seen.writes, 1);
    assert_int_equal(seen.size, 3 * FRAME);
    assert_int_equal(seen.offset, 32);
    assert_int_equal(seen.bytes[24], 'a');
    assert_int_equal(seen.bytes[FRAME + 3], 1);
    assert_int_equal(seen.bytes[FRAME + 24], 'b');
    assert_int_equal(seen.bytes[2 * FRAME + 7], COMMIT);
    assert_int_equal(seen.bytes[3 * FRAME - 1], 'c');
    frames_free(&frames);
}

static void what_does_not_follow_is_written_after_what_was_gathered(void **state)
{
    struct frames frames = {.size = 0};

    (void)state;
    append(&frames, 0, 'a', 5);
    assert_int_equal(write_page(&frames, 'b', PAGE, 2), SQLITE_OK); /* over an earlier one */
    assert_int_equal(seen.writes, 2);
    assert_int_equal(seen.offset, 32 + 2 * FRAME + 24);
    assert_int_equal(frames.size, 0);
    frames_free(&frames);
}

static void header_alone_where_the_log_was_read_is_written_at_once(void **state)
{
    struct frames frames = {.read = 32 + FRAME};

    (void)state;
    assert_int_equal(write_header(&frames, COMMIT, 1), SQLITE_OK);
    assert_int_equal(seen.writes, 1);
    assert_int_equal(seen.size, 24);
    frames_free(&frames);
}

static void header_of_the_log_is_written_at_once(void **state)
{
    struct frames frames = {.size = 0};
    unsigned char header[32] = {0x37, 0x7f, 0x06, 0x82};

    (void)state;
    assert_int_equal(frames_write(&frames, &log_file, header, sizeof header, 0), SQLITE_OK);
    assert_int_equal(seen.writes, 1);
    frames_free(&frames);
}

static void more_frames_than_there_is_room_for_are_written_in_between(void **state)
{
    struct frames frames = {.size = 0};

    (void)state;
    for (int i = 0; i < 25; i++)
        append(&frames, i == 24 ? COMMIT : 0, 'a', i);
    assert_int_equal(seen.writes, 3); /* 12, 12, 1 */
    assert_int_equal(seen.size, FRAME);
    frames_free(&frames);
}

static void page_that_is_larger_than_the_room_is_written_alone(void **state)
{
    struct frames frames = {.size = 0};

    (void)state;
    assert_int_equal(write_header(&frames, COMMIT, 0), SQLITE_OK);
    assert_int_equal(write_page(&frames, 'a', 65536, 0), SQLITE_OK);
    assert_int_equal(seen.writes, 2);
    assert_int_equal(seen.size, 65536);
    assert_int_equal(frames.size, 0);
    frames_free(&frames);
}

static void full_disk_is_told_by_the_last_frame_and_all_is_forgotten(void **state)
{
    struct frames frames = {.size = 0};

    (void)state;
    append(&frames, 0, 'a', 0);
    seen.full = true;
    assert_int_equal(write_header(&frames, COMMIT, 1), SQLITE_OK);
    assert_int_equal(write_page(&frames, 'b', PAGE, 1), SQLITE_FULL);
    seen.full = false;
    append(&frames, COMMIT, 'c', 0); /* the next transaction, in the same place */
    assert_int_equal(seen.writes, 1);
    assert_int_equal(seen.offset, 32);
    assert_int_equal(seen.size, FRAME);
    frames_free(&frames);
}

/* ---- SQLite ---- */

static void copy_file(const char *from, const char *to)
{
    char command[600];

    (void)snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): names of our own */
}

/* A page cache of ten pages, so that pages reach the log before the commit, and are written over
 * there, which makes SQLite mend the checksums behind them. What a process finds that has only the
 * files is what was committed. */
static void log_that_was_written_over_and_mended_is_recovered_whole(void **state)
{
    struct db a, b;
    sqlite3_stmt *s;
    int64_t sum = 0;

    (void)state;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    assert_int_equal(write_file(in("cache.db"), "", 0), 0);
    assert_int_equal(db_open(&a, in("cache.db"), 0), 0);
    assert_int_equal(db_exec(&a,
                             "PRAGMA journal_mode = wal; PRAGMA cache_size = 10;"
                             "CREATE TABLE t (id INTEGER PRIMARY KEY, x, filler);"
                             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
                             " WHERE i < 300) INSERT INTO t SELECT i, 0, zeroblob(3000) FROM c"),
                     0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(db_exec(&a, "BEGIN; UPDATE t SET x = x + 1; UPDATE t SET x = x + id;"
                                     "UPDATE t SET x = x + 1 WHERE id % 7 = 0; COMMIT"),
                         0);
    assert_int_equal(db_exec(&a, "BEGIN; UPDATE t SET x = 0; ROLLBACK"), 0);
    copy_file(in("cache.db"), in("copy.db"));
    copy_file(in("cache.db-wal"), in("copy.db-wal"));
    assert_int_equal(db_open(&b, in("copy.db"), 0), 0);
    assert_int_equal(db_prepare(&b, "SELECT sum(x) FROM t", &s), 0);
    assert_int_equal(db_integer(&b, s, -1, &sum), 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sum, 5 * (300 + 300 * 301 / 2 + 42));
    db_close(&b);
    db_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(commit_of_three_frames_is_one_write, begin),
        cmocka_unit_test_setup(what_does_not_follow_is_written_after_what_was_gathered, begin),
        cmocka_unit_test_setup(header_alone_where_the_log_was_read_is_written_at_once, begin),
        cmocka_unit_test_setup(header_of_the_log_is_written_at_once, begin),
        cmocka_unit_test_setup(more_frames_than_there_is_room_for_are_written_in_between, begin),
        cmocka_unit_test_setup(page_that_is_larger_than_the_room_is_written_alone, begin),
        cmocka_unit_test_setup(full_disk_is_told_by_the_last_frame_and_all_is_forgotten, begin),
        TEST(log_that_was_written_over_and_mended_is_recovered_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
