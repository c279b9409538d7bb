/* test_os.c - system calls: safe opening of names, statuses of errors, locks, clocks, faults.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <sys/file.h>

static int sandbox_fd(void)
{
    int dir = open(sandbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(dir >= 0);
    return dir;
}

/* ---- names ---- */

static void opening_beneath_finds_files_in_the_directory(void **state)
{
    int dir = sandbox_fd(), fd;
    char word[5] = {0};

    (void)state;
    assert_int_equal(mkdir(in("ab"), 0700), 0);
    assert_int_equal(write_file(in("ab/x"), "word", 4), 0);
    fd = os_open_beneath(dir, "ab/x", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(os_read(fd, word, 4), 4);
    assert_string_equal(word, "word");
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    os_close(fd);
    os_close(dir);
}

static void opening_beneath_does_not_leave_the_directory(void **state)
{
    static const char *const names[] = {"../secret", "inner/../../secret", "/etc/passwd",
                                        "link",      "linked/secret",      ".."};
    int dir, fd;

    (void)state;
    assert_int_equal(mkdir(in("d"), 0700), 0);
    assert_int_equal(mkdir(in("d/inner"), 0700), 0);
    assert_int_equal(write_file(in("secret"), "s", 1), 0);
    assert_int_equal(symlink("../secret", in("d/link")), 0);
    assert_int_equal(symlink("..", in("d/linked")), 0);
    dir = open(in("d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fd = os_open_beneath(dir, names[i], O_RDONLY);
        if (fd >= 0)
            fail_msg("%s was opened", names[i]);
        assert_true(errno == EXDEV || errno == ELOOP || errno == ENOTDIR);
    }
    os_close(dir);
}

static void opening_a_fifo_does_not_wait_for_its_other_end(void **state)
{
    int dir = sandbox_fd(), fd;
    int64_t begin = now_ms();

    (void)state;
    assert_int_equal(mkfifo(in("pipe"), 0600), 0);
    fd = os_open_beneath(dir, "pipe", O_RDONLY);
    assert_true(now_ms() - begin < 1000);
    os_close(fd);
    os_close(dir);
}

static void list_gives_every_name_once_without_dots(void **state)
{
    int dir = sandbox_fd(), seen[300] = {0};
    char **names;
    size_t count;

    (void)state;
    assert_int_equal(mkdir(in("many"), 0700), 0);
    for (int i = 0; i < 300; i++)
        assert_int_equal(write_file(in("many/%d", i), "", 0), 0);
    assert_int_equal(os_list(dir, "many", &names, &count), 0);
    assert_int_equal(count, 300);
    for (size_t i = 0; i < count; i++)
        seen[atoi(names[i])]++;
    for (int i = 0; i < 300; i++)
        assert_int_equal(seen[i], 1);
    free(names);
    os_close(dir);
}

static void list_of_an_empty_directory_is_empty_and_of_a_link_is_refused(void **state)
{
    int dir = sandbox_fd();
    char **names;
    size_t count = 7;

    (void)state;
    assert_int_equal(os_list(dir, ".", &names, &count), 0);
    assert_int_equal(count, 0);
    free(names);
    assert_int_equal(symlink(".", in("link")), 0);
    assert_int_equal(os_list(dir, "link", &names, &count), -1);
    assert_true(errno == ENOTDIR || errno == ELOOP);
    assert_int_equal(os_list(dir, "missing", &names, &count), -1);
    assert_int_equal(errno, ENOENT);
    os_close(dir);
}

static void can_write_tells_a_read_only_directory(void **state)
{
    int dir = sandbox_fd(), proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_true(os_can_write(dir));
    assert_false(os_is_network(dir));
    assert_int_equal(chmod(sandbox, 0500), 0);
    if (geteuid() != 0)
        assert_false(os_can_write(dir));
    assert_int_equal(chmod(sandbox, 0700), 0);
    os_close(proc);
    os_close(dir);
}

/* ---- errors ---- */

static void errno_becomes_the_status_that_says_what_to_do(void **state)
{
    (void)state;
    assert_int_equal(os_status_of_errno(ENOSPC), -9);
    assert_int_equal(os_status_of_errno(EDQUOT), -9);
    assert_int_equal(os_status_of_errno(EFBIG), -9);
    assert_int_equal(os_status_of_errno(ENOMEM), -4);
    assert_int_equal(os_status_of_errno(EROFS), -8);
    assert_int_equal(os_status_of_errno(ENOENT), -1);
    assert_int_equal(os_status_of_errno(EIO), -5);
    assert_int_equal(os_status_of_errno(EACCES), -5);
}

static void last_error_keeps_what_lay_behind(void **state)
{
    const struct dcache_error *error = dcache_last_error();

    (void)state;
    errno = ENOSPC;
    assert_int_equal(os_fail_errno("write %s", "x"), DCACHE_FULL);
    assert_int_equal(error->status, DCACHE_FULL);
    assert_int_equal(error->sys_errno, ENOSPC);
    assert_int_equal(error->sqlite_code, 0);
    assert_string_equal(error->text, "write x: No space left on device");
    assert_int_equal(os_fail_sqlite(DCACHE_CORRUPT, 11, 0, "malformed"), DCACHE_CORRUPT);
    assert_int_equal(error->sqlite_code, 11);
    assert_string_equal(error->text, "malformed");
}

static void long_error_text_is_cut(void **state)
{
    char name[1000];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    errno = EIO;
    assert_int_equal(os_fail_errno("open %s", name), DCACHE_IO);
    assert_int_equal(strlen(dcache_last_error()->text), 239);
}

static void every_status_has_its_text_and_number(void **state)
{
    (void)state;
    assert_string_equal(dcache_strerror(0), "success");
    assert_string_equal(dcache_strerror(-1), "no such key");
    assert_string_equal(dcache_strerror(-2), "timed out waiting for the cache lock");
    assert_string_equal(dcache_strerror(-9), "the disk is full");
    assert_string_equal(dcache_strerror(-17),
                        "the transaction was rolled back by an earlier error");
    assert_string_equal(dcache_strerror(-18), "the lock is not held by who releases it");
    assert_string_equal(dcache_strerror(-19), "unknown status");
    assert_string_equal(dcache_strerror(1), "unknown status");
    assert_string_equal(dcache_version(), "6.0.0");
}

static void closing_hides_no_errno(void **state)
{
    (void)state;
    errno = ENOSPC;
    os_close(-1);
    os_close(9999);
    assert_int_equal(errno, ENOSPC);
}

/* ---- locks between processes ---- */

static void byte_lock_belongs_to_the_description_not_to_the_process(void **state)
{
    int a = open(in("f"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int b = open(in("f"), O_RDWR | O_CLOEXEC);

    (void)state;
    assert_int_equal(os_byte_lock(a, 3, F_WRLCK), 0);
    assert_false(os_byte_locked(a, 3)); /* one's own is no obstacle */
    assert_true(os_byte_locked(b, 3));
    assert_false(os_byte_locked(b, 4));
    assert_int_equal(os_byte_lock(b, 3, F_WRLCK), -1);
    assert_true(errno == EAGAIN || errno == EACCES);
    os_close(a);
    assert_false(os_byte_locked(b, 3));
    assert_int_equal(os_byte_lock(b, 3, F_RDLCK), 0);
    os_close(b);
}

static void byte_is_taken_for_locked_when_nobody_can_tell(void **state)
{
    (void)state;
    assert_true(os_byte_locked(9999, 0));
}

static void futex_wait_ends_at_its_time(void **state)
{
    _Atomic uint32_t word = 5;
    int64_t begin = now_ms();

    (void)state;
    os_futex_wait(&word, 4, 20000 * OS_MS); /* another value: at once */
    assert_true(now_ms() - begin < 5000);
    begin = now_ms();
    os_futex_wait(&word, 5, 20 * OS_MS);
    assert_in_range(now_ms() - begin, 15, 5000);
    os_futex_wake(&word);
}

/* ---- clocks ---- */

static void deadline_saturates_and_never_waits_for_nothing(void **state)
{
    int64_t now = os_monotonic();

    (void)state;
    assert_true(os_deadline(0) == 0);
    assert_true(os_deadline(-1) == 0);
    assert_true(os_deadline((double)NAN) == 0);
    assert_true(os_deadline(1e300) == INT64_MAX);
    assert_true(os_deadline(HUGE_VAL) == INT64_MAX);
    assert_in_range(os_deadline(2) - now, 1900 * OS_MS, 3000 * OS_MS);
}

static void patience_begins_with_the_first_wait_and_not_anew_with_the_next(void **state)
{
    struct os_patience none = os_patience(0), some = os_patience(2), given = os_patience_until(7);
    int64_t now, deadline;

    (void)state;
    os_sleep(1 * OS_MS);
    now = os_monotonic();
    deadline = os_until(&some);
    assert_in_range(deadline - now, 2000 * OS_MS, 3000 * OS_MS);
    os_sleep(1 * OS_MS);
    assert_true(os_until(&some) == deadline);
    assert_true(os_until(&none) == 0);
    assert_true(os_until(&given) == 7);
}

static void clock_offset_moves_the_clock_of_the_tests(void **state)
{
    double before = os_now();

    (void)state;
    os_clock_offset = 1000;
    assert_true(os_now() - before >= 1000 && os_now() - before < 1010);
    os_clock_offset = -1000;
    assert_true(os_now() - before <= -990);
}

/* ---- reading, writing, faults ---- */

static void write_all_and_read_meet(void **state)
{
    int fd = open(in("f"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char back[8] = {0};

    (void)state;
    assert_int_equal(os_write_all(fd, "", 0), 0);
    assert_int_equal(os_write_all(fd, "content", 7), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(os_read(fd, back, 8), 7);
    assert_string_equal(back, "content");
    assert_int_equal(os_read(fd, back, 8), 0);
    os_close(fd);
    assert_int_equal(os_write_all(9999, "x", 1), -1);
}

static void nth_call_fails_and_no_other(void **state)
{
    void *first, *second, *third;

    (void)state;
    os_fault_at = 2;
    first = os_malloc(1);
    second = os_malloc(1);
    third = os_malloc(1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(os_fault_at, 0);
    assert_int_equal(dcache_last_error()->status, DCACHE_NOMEM);
    free(first);
    free(third);
}

static void nothing_allocated_is_still_a_pointer(void **state)
{
    void *a = os_malloc(0), *b = os_calloc(0, 0);
    char *text = os_format("%d-%s", 4, "x");

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_string_equal(text, "4-x");
    free(a);
    free(b);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opening_beneath_finds_files_in_the_directory),
        TEST(opening_beneath_does_not_leave_the_directory),
        TEST(opening_a_fifo_does_not_wait_for_its_other_end),
        TEST(list_gives_every_name_once_without_dots),
        TEST(list_of_an_empty_directory_is_empty_and_of_a_link_is_refused),
        TEST(can_write_tells_a_read_only_directory),
        TEST(errno_becomes_the_status_that_says_what_to_do),
        TEST(last_error_keeps_what_lay_behind),
        TEST(long_error_text_is_cut),
        TEST(every_status_has_its_text_and_number),
        TEST(closing_hides_no_errno),
        TEST(byte_lock_belongs_to_the_description_not_to_the_process),
        TEST(byte_is_taken_for_locked_when_nobody_can_tell),
        TEST(futex_wait_ends_at_its_time),
        TEST(deadline_saturates_and_never_waits_for_nothing),
        TEST(patience_begins_with_the_first_wait_and_not_anew_with_the_next),
        TEST(clock_offset_moves_the_clock_of_the_tests),
        TEST(write_all_and_read_meet),
        TEST(nth_call_fails_and_no_other),
        TEST(nothing_allocated_is_still_a_pointer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
