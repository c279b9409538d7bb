/* test_guard.c - whether others may write to a directory: by owner, mode, group and access list, of the
 * directory and of what is read in it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#define NOBODY 65534

static dcache *opened(void)
{
    dcache *c = NULL;

    assert_int_equal(open_with(in("c"), 0, 20, &c), 0);
    assert_int_equal(put(c, "small", "value"), 0);
    return c;
}

/* What a new opener is told after `path` got this mode. */
static int told_of_mode(const char *path, mode_t mode)
{
    struct stat before;
    dcache *c = opened();
    int others;

    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(chmod(path, mode), 0);
    others = dcache_others_write(c);
    assert_int_equal(chmod(path, before.st_mode & 07777), 0);
    dcache_close(c);
    return others;
}

static void directory_that_only_its_owner_may_write_is_private(void **state)
{
    (void)state;
    assert_int_equal(told_of_mode(in("."), 0777), 0); /* what is above is not looked at */
    assert_int_equal(told_of_mode(in("c"), 0700), 0);
    assert_int_equal(told_of_mode(in("c"), 0755), 0);
}

static void directory_or_database_that_all_may_write_is_not(void **state)
{
    (void)state;
    assert_int_equal(told_of_mode(in("c"), 0777), 1);
    assert_int_equal(told_of_mode(in("c"), 01777), 1);
    assert_int_equal(told_of_mode(in("c"), 0702), 1);
    assert_int_equal(told_of_mode(in("c/cache.db"), 0666), 1);
    assert_int_equal(told_of_mode(in("c/cache.db-wal"), 0602), 1);
    assert_int_equal(told_of_mode(in("c/cache.db-shared"), 0622), 1);
}

static void answer_is_looked_for_again_while_it_is_yes(void **state)
{
    dcache *c = opened();

    (void)state;
    assert_int_equal(chmod(in("c"), 0777), 0);
    assert_int_equal(dcache_others_write(c), 1);
    assert_int_equal(chmod(in("c"), 0700), 0);
    assert_int_equal(dcache_others_write(c), 0);
    dcache_close(c);
}

static void directory_that_was_made_anew_is_looked_at_again(void **state)
{
    dcache *c = opened();

    (void)state;
    no_memtable(c); /* or a small value could go to what was removed a tick of the clock ago */
    assert_int_equal(dcache_others_write(c), 0);
    remove_tree(in("c"));
    assert_int_equal(mkdir(in("c"), 0700), 0);
    assert_int_equal(chmod(in("c"), 0777), 0);
    assert_int_equal(put(c, "small", "value"), 0);
    assert_int_equal(dcache_others_write(c), 1);
    dcache_close(c);
}

static void group_of_others_or_an_access_list_is_others(void **state)
{
    /* Version 2; then tag, rights and id of each: owner rwx, user 65534 rwx, group r-x, mask rwx,
     * others none. */
    static const unsigned char list[] = {
        2, 0,    0,    0,    1,    0,    7,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    7,
        0, 0xfe, 0xff, 0,    0,    4,    0,    5, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
        7, 0,    0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff};
    dcache *c;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root may hand a directory to another group */
    assert_int_equal(told_of_mode(in("c"), 0770), 0); /* root's group is root's alone */
    c = opened();
    assert_int_equal(chown(in("c"), 0, NOBODY), 0);
    assert_int_equal(chmod(in("c"), 0770), 0);
    assert_int_equal(dcache_others_write(c), 1);
    assert_int_equal(chown(in("c"), 0, 0), 0);
    if (setxattr(in("c"), "system.posix_acl_access", list, sizeof list, 0) == 0)
        assert_int_equal(dcache_others_write(c), 1);
    dcache_close(c);
}

static void directory_of_another_user_is_theirs_and_roots_is_roots(void **state)
{
    dcache *c;

    (void)state;
    if (geteuid() != 0)
        skip();
    c = opened();
    assert_int_equal(chown(in("c"), NOBODY, 0), 0);
    assert_int_equal(dcache_others_write(c), 1);
    assert_int_equal(chown(in("c"), 0, 0), 0);
    assert_int_equal(chown(in("c/cache.db"), NOBODY, 0), 0);
    assert_int_equal(dcache_others_write(c), 1);
    dcache_close(c);
}

static void fanout_is_private_if_all_its_directories_are(void **state)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    dcache *c;

    (void)state;
    assert_int_equal(dcache_open_fanout(in("f"), 3, &options, &c), 0);
    assert_int_equal(chmod(in("f"), 0777), 0);
    assert_int_equal(dcache_others_write(c), 1);
    assert_int_equal(chmod(in("f"), 0700), 0);
    assert_int_equal(chmod(in("f/002"), 0777), 0);
    assert_int_equal(dcache_others_write(c), 1);
    assert_int_equal(chmod(in("f/002"), 0700), 0);
    assert_int_equal(dcache_others_write(c), 0);
    dcache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directory_that_only_its_owner_may_write_is_private),
        TEST(directory_or_database_that_all_may_write_is_not),
        TEST(answer_is_looked_for_again_while_it_is_yes),
        TEST(directory_that_was_made_anew_is_looked_at_again),
        TEST(group_of_others_or_an_access_list_is_others),
        TEST(directory_of_another_user_is_theirs_and_roots_is_roots),
        TEST(fanout_is_private_if_all_its_directories_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
