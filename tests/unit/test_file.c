/* test_file.c - value files: names and marks, staging, publishing, reading, removing; and that no
 * name leads out of the directory (file.h, F1 to F4).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "file.h"
#include "sandbox.h"

static struct files files;

static int make(void **state)
{
    int rc = sandbox_make(state);

    memset(&files, 0, sizeof files);
    (void)mkdir(in("d"), 0700);
    files.dir = open(in("d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    files.file_mode = 0600;
    files.dir_mode = 0700;
    files.slot = 12;
    return rc;
}

static int unmake(void **state)
{
    (void)close(files.dir);
    return sandbox_remove(state);
}

#undef TEST
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, unmake)

/* A published file with these contents; its name. */
static const char *published(const char *contents)
{
    static char name[FILE_NAME_SIZE];
    struct dcache_value value = dcache_text(contents);
    char temp[FILE_TEMP_SIZE];
    int64_t size;
    uint64_t sum = 0;

    assert_int_equal(file_stage(&files, &value, INT64_MAX, temp, &size, &sum), 0);
    assert_int_equal(file_publish(&files, temp, sum, name), 0);
    return name;
}

static int opens(const char *name, int64_t size)
{
    int64_t real;
    int fd, rc = file_open(&files, name, size, &fd, &real);

    if (rc == 0)
        os_close(fd);
    return rc;
}

/* ---- names ---- */

static void layout_is_two_hex_directories_and_28_digits(void **state)
{
    (void)state;
    assert_true(file_is_layout("ab/01/0123456789abcdef0123456789ab.val"));
    assert_false(file_is_layout("ab/01/0123456789abcdef0123456789ab.va"));
    assert_false(file_is_layout("ab/01/0123456789abcdef0123456789ab.txt"));
    assert_false(file_is_layout("AB/01/0123456789abcdef0123456789ab.val"));
    assert_false(file_is_layout("ab/0g/0123456789abcdef0123456789ab.val"));
    assert_false(file_is_layout("ab/01/0123456789abcdef0123456789a.val"));
    assert_false(file_is_layout("ab-01-0123456789abcdef0123456789ab.val"));
    assert_false(file_is_layout(""));
}

static void our_names_are_marked_and_those_of_5_6_3_are_not(void **state) /* F3 */
{
    const char *name = published("x");
    char other[FILE_NAME_SIZE];

    (void)state;
    assert_true(file_is_layout(name));
    assert_true(file_is_marked(name));
    for (size_t i = 0; i < strlen(name) - 4; i++) {
        memcpy(other, name, sizeof other);
        if (other[i] == '/')
            continue;
        other[i] = other[i] == '0' ? '1' : '0'; /* any digit changed: not ours */
        assert_false(file_is_marked(other));
    }
    assert_false(file_is_marked("ab/01/0123456789abcdef0123456789ab.val"));
    assert_false(file_is_marked("notes.txt"));
}

static void temporary_name_tells_the_slot(void **state) /* F2 */
{
    uint32_t slot = 0;

    (void)state;
    assert_true(file_is_temp("cache.db-new-12-0123456789abcdef", &slot));
    assert_int_equal(slot, 12);
    assert_false(file_is_temp("cache.db-new--0123456789abcdef", &slot));
    assert_false(file_is_temp("cache.db-new-12-0123456789abcde", &slot));
    assert_false(file_is_temp("cache.db-new-12-0123456789abcdeg", &slot));
    assert_false(file_is_temp("cache.db-new-12", &slot));
    assert_false(file_is_temp("cache.db-new- 1-0123456789abcdef", &slot));
    assert_false(file_is_temp("cache.db-wal", &slot));
    assert_int_equal(slot, 12);
}

static void name_is_inside_only_without_dots_and_empty_parts(void **state)
{
    char windows[] = "ab\\cd\\x.val";

    (void)state;
    assert_true(file_is_inside("x"));
    assert_true(file_is_inside("ab/cd/x.val"));
    assert_true(file_is_inside("..x/.y/..."));
    assert_false(file_is_inside(""));
    assert_false(file_is_inside("/x"));
    assert_false(file_is_inside("../x"));
    assert_false(file_is_inside("ab/../../x"));
    assert_false(file_is_inside("ab/.."));
    assert_false(file_is_inside("./x"));
    assert_false(file_is_inside("ab//x"));
    assert_false(file_is_inside("ab/"));
    file_normalize(windows);
    assert_string_equal(windows, "ab/cd/x.val");
}

/* ---- write ---- */

static void staged_file_is_temporary_and_published_one_in_the_layout(void **state) /* F1 */
{
    struct dcache_value value = dcache_bytes("a\0b", 3);
    char temp[FILE_TEMP_SIZE], name[FILE_NAME_SIZE], *contents;
    uint32_t slot = 0;
    int64_t size = 0;
    uint64_t sum = 0;
    size_t read = 0;
    struct stat st;

    (void)state;
    assert_int_equal(file_stage(&files, &value, 100, temp, &size, &sum), 0);
    assert_int_equal(size, 3);
    assert_true(file_is_temp(temp, &slot));
    assert_int_equal(slot, 12);
    assert_true(exists(in("d/%s", temp)));
    assert_int_equal(file_publish(&files, temp, sum, name), 0);
    assert_false(exists(in("d/%s", temp)));
    contents = read_file(in("d/%s", name), &read);
    assert_int_equal(read, 3);
    assert_memory_equal(contents, "a\0b", 3);
    free(contents);
    assert_int_equal(stat(in("d/%s", name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(in("d/%.5s", name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void staging_more_than_the_limit_leaves_no_file(void **state)
{
    struct dcache_value value = dcache_bytes("12345", 5);
    char temp[FILE_TEMP_SIZE] = "untouched";
    int64_t size = 99;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(file_stage(&files, &value, 4, temp, &size, &sum), DCACHE_TOO_BIG);
    assert_string_equal(temp, "untouched");
    assert_int_equal(size, 99);
    assert_int_equal(count_temporary(in("d")), 0);
    assert_int_equal(file_stage(&files, &value, 5, temp, &size, &sum), 0);
}

struct source {
    int chunks;
    ssize_t last;
};

static ssize_t give(void *arg, void *buffer, size_t size)
{
    struct source *source = arg;

    if (source->chunks-- == 0)
        return source->last;
    memset(buffer, 'r', size);
    return (ssize_t)size;
}

static void reader_is_read_to_its_end(void **state)
{
    struct source source = {.chunks = 3, .last = 0};
    struct dcache_value value = dcache_reader(give, &source);
    char temp[FILE_TEMP_SIZE];
    int64_t size = 0;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(file_stage(&files, &value, INT64_MAX, temp, &size, &sum), 0);
    assert_int_equal(size, 3 * 262144);
    assert_int_equal(size_of(in("d/%s", temp)), 3 * 262144);
}

static void reader_that_fails_or_lies_leaves_no_file(void **state)
{
    static const ssize_t answers[] = {-1, -100, 1 << 30};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct source source = {.chunks = 1, .last = answers[i]};
        struct dcache_value value = dcache_reader(give, &source);
        char temp[FILE_TEMP_SIZE];
        int64_t size;
        uint64_t sum = 0;

        assert_int_equal(file_stage(&files, &value, INT64_MAX, temp, &size, &sum), DCACHE_CALLBACK);
        assert_int_equal(count_temporary(in("d")), 0);
    }
}

static void descriptor_is_read_from_its_position(void **state)
{
    struct dcache_value value;
    char temp[FILE_TEMP_SIZE], *contents;
    int64_t size = 0;
    uint64_t sum = 0;
    int fd;

    (void)state;
    assert_int_equal(write_file(in("source"), "skipped, kept", 13), 0);
    fd = open(in("source"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, 9, SEEK_SET), 9);
    value = dcache_fd(fd);
    assert_int_equal(file_stage(&files, &value, INT64_MAX, temp, &size, &sum), 0);
    assert_int_equal(size, 4);
    contents = read_file(in("d/%s", temp), NULL);
    assert_string_equal(contents, "kept");
    free(contents);
    (void)close(fd);
    value = dcache_fd(9999);
    assert_int_equal(file_stage(&files, &value, INT64_MAX, temp, &size, &sum), DCACHE_IO);
    assert_int_equal(count_temporary(in("d")), 1);
}

static void staging_in_a_directory_that_is_gone_says_so(void **state)
{
    struct dcache_value value = dcache_bytes("x", 1);
    char temp[FILE_TEMP_SIZE], name[FILE_NAME_SIZE];
    int64_t size;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(file_stage(&files, &value, 9, temp, &size, &sum), 0);
    remove_tree(in("d"));
    assert_int_equal(file_publish(&files, temp, sum, name), DCACHE_GONE);
    assert_int_equal(file_stage(&files, &value, 9, temp, &size, &sum), DCACHE_GONE);
}

static void publishing_a_swept_file_says_gone(void **state)
{
    char name[FILE_NAME_SIZE];

    (void)state;
    assert_int_equal(file_publish(&files, "cache.db-new-12-0123456789abcdef", 0, name),
                     DCACHE_GONE);
}

/* ---- read ---- */

static void file_that_is_missing_or_shorter_is_not_found(void **state)
{
    const char *name = published("12345");

    (void)state;
    assert_int_equal(opens(name, 5), 0);
    assert_int_equal(opens(name, 4), 0); /* longer than recorded: the row is wrong, not the file */
    assert_int_equal(opens(name, 6), DCACHE_NOT_FOUND);
    assert_int_equal(opens("ab/01/0123456789abcdef0123456789ab.val", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("ab", 0), DCACHE_NOT_FOUND);
}

static void reading_leads_to_no_link_fifo_directory_or_outside(void **state)
{
    (void)state;
    assert_int_equal(write_file(in("secret"), "s", 1), 0);
    assert_int_equal(write_file(in("d/plain"), "p", 1), 0);
    assert_int_equal(symlink("../secret", in("d/link")), 0);
    assert_int_equal(symlink("plain", in("d/inner-link")), 0);
    assert_int_equal(symlink("..", in("d/up")), 0);
    assert_int_equal(mkdir(in("d/dir"), 0700), 0);
    assert_int_equal(mkfifo(in("d/fifo"), 0600), 0);
    assert_int_equal(opens("plain", 1), 0);
    assert_int_equal(opens("link", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("inner-link", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("up/secret", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("../secret", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("dir/../plain", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("/etc/passwd", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("dir", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("fifo", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("plain/x", 0), DCACHE_NOT_FOUND);
    assert_int_equal(opens("", 0), DCACHE_NOT_FOUND);
}

/* A row may name anything. The database opened and closed by us would lose SQLite's locks. */
static void database_and_its_companions_are_no_value_files(void **state)
{
    static const char *const names[] = {"cache.db", "cache.db-wal", "cache.db-shm",
                                        "cache.db-shared", "cache.db-journal"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(write_file(in("d/%s", names[i]), "x", 1), 0);
        assert_int_equal(opens(names[i], 0), DCACHE_NOT_FOUND);
        assert_int_equal(file_remove(&files, names[i]), 0);
        assert_true(exists(in("d/%s", names[i])));
    }
}

static void read_hands_back_the_bytes_and_a_nul(void **state)
{
    const char *name = published("12345");
    int64_t size = 0;
    char *memory;
    int fd;

    (void)state;
    assert_int_equal(file_open(&files, name, 5, &fd, &size), 0);
    assert_int_equal(size, 5);
    assert_int_equal(file_read(fd, 5, &memory), 0);
    assert_string_equal(memory, "12345");
    free(memory);
    assert_int_equal(file_read(fd, 1, &memory), DCACHE_NOT_FOUND); /* nothing is left */
    os_close(fd);
}

static void bytes_become_a_descriptor_at_its_start(void **state)
{
    char back[8] = {0};
    int fd;

    (void)state;
    assert_int_equal(file_of_bytes("content", 7, &fd), 0);
    assert_int_equal(read(fd, back, 8), 7);
    assert_string_equal(back, "content");
    os_close(fd);
}

static void published_file_is_not_touched_by_another_of_the_same_bytes(void **state) /* F4 */
{
    char first[FILE_NAME_SIZE], *contents;

    (void)state;
    memcpy(first, published("same"), sizeof first);
    assert_string_not_equal(first, published("same"));
    contents = read_file(in("d/%s", first), NULL);
    assert_string_equal(contents, "same");
    free(contents);
}

/* ---- remove ---- */

static void removing_takes_empty_directories_along_and_no_others(void **state)
{
    const char *name = published("x");

    (void)state;
    assert_int_equal(write_file(in("d/%.2s/mine", name), "", 0), 0);
    assert_int_equal(file_remove(&files, name), 0);
    assert_false(exists(in("d/%.5s", name)));
    assert_true(exists(in("d/%.2s/mine", name)));
    assert_int_equal(unlink(in("d/%.2s/mine", name)),
                     0); /* names are random: y may come to lie there */
    name = published("y");
    assert_int_equal(file_remove(&files, name), 0);
    assert_false(exists(in("d/%.2s", name)));
    assert_int_equal(file_remove(&files, name), 0); /* not there: no error */
    assert_true(exists(in("d")));
}

static void removing_touches_nothing_outside(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in("out"), 0700), 0);
    assert_int_equal(write_file(in("out/secret"), "s", 1), 0);
    assert_int_equal(symlink("../out", in("d/ab")), 0);
    assert_int_equal(symlink("../out/secret", in("d/link")), 0);
    assert_int_equal(file_remove(&files, "../out/secret"), 0);
    assert_int_equal(file_remove(&files, in("out/secret")), 0);
    assert_int_equal(file_remove(&files, "ab/../../out/secret"), 0);
    (void)file_remove(&files, "ab/secret"); /* through a link */
    (void)file_remove(&files, "link");      /* the link may go, what it names may not */
    assert_true(exists(in("out/secret")));
}

static void publishing_does_not_follow_a_link_out_of_the_directory(void **state)
{
    char temp[FILE_TEMP_SIZE], name[FILE_NAME_SIZE];
    struct dcache_value value = dcache_bytes("x", 1);
    int64_t size;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(mkdir(in("out"), 0700), 0);
    for (int i = 0; i < 256; i++)
        assert_int_equal(symlink("../out", in("d/%02x", i)), 0);
    assert_int_equal(file_stage(&files, &value, 9, temp, &size, &sum), 0);
    assert_true(file_publish(&files, temp, sum, name) < 0); /* an error, and not a file elsewhere */
    assert_int_equal(count_ending(in("out"), ".val"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(layout_is_two_hex_directories_and_28_digits),
        TEST(our_names_are_marked_and_those_of_5_6_3_are_not),
        TEST(temporary_name_tells_the_slot),
        TEST(name_is_inside_only_without_dots_and_empty_parts),
        TEST(staged_file_is_temporary_and_published_one_in_the_layout),
        TEST(staging_more_than_the_limit_leaves_no_file),
        TEST(reader_is_read_to_its_end),
        TEST(reader_that_fails_or_lies_leaves_no_file),
        TEST(descriptor_is_read_from_its_position),
        TEST(staging_in_a_directory_that_is_gone_says_so),
        TEST(publishing_a_swept_file_says_gone),
        TEST(file_that_is_missing_or_shorter_is_not_found),
        TEST(reading_leads_to_no_link_fifo_directory_or_outside),
        TEST(database_and_its_companions_are_no_value_files),
        TEST(read_hands_back_the_bytes_and_a_nul),
        TEST(bytes_become_a_descriptor_at_its_start),
        TEST(published_file_is_not_touched_by_another_of_the_same_bytes),
        TEST(removing_takes_empty_directories_along_and_no_others),
        TEST(removing_touches_nothing_outside),
        TEST(publishing_does_not_follow_a_link_out_of_the_directory),
    };

    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    os_without_openat2 = true; /* all of it again, one component at a time */
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
