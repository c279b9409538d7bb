/* guard.c - who besides this user may change what is in a directory. See guard.h. */
#include "guard.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAMES_SIZE 16384 /* of a user's or group's record; one that is larger counts as others */

/* Many systems give each user a group of the same name and a umask of 002: what such a group may
 * write, the user alone may write. */
static bool is_own_group(gid_t gid)
{
    char *names = os_malloc(NAMES_SIZE), *more = os_malloc(NAMES_SIZE);
    struct passwd user, *found_user = NULL;
    struct group group, *found = NULL;
    bool own = false;

    if (names && more && getpwuid_r(geteuid(), &user, names, NAMES_SIZE, &found_user) == 0 &&
        found_user && user.pw_gid == gid &&
        getgrgid_r(gid, &group, more, NAMES_SIZE, &found) == 0 && found) {
        own = strcmp(group.gr_name, user.pw_name) == 0;
        for (char **member = group.gr_mem; own && *member; member++)
            own = strcmp(*member, user.pw_name) == 0;
    }
    free(names);
    free(more);
    return own;
}

/* `listed`: an access list names further users. What it grants at most shows in the bits of the group. */
static bool is_for_others(const struct stat *st, bool listed)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return true;
    if (st->st_mode & S_IWOTH)
        return true;
    return (st->st_mode & S_IWGRP) && (listed || !is_own_group(st->st_gid));
}

static bool has_access_list(int dir)
{
    return fgetxattr(dir, "system.posix_acl_access", NULL, 0) > 0 ||
           fgetxattr(dir, "system.posix_acl_default", NULL, 0) > 0;
}

int guard_others_write(int dir, bool *ret_others)
{
    static const char *const names[] = {"cache.db", "cache.db-wal", "cache.db-journal",
                                        "cache.db-shm", "cache.db-shared"};
    bool listed = has_access_list(dir);
    struct stat st;

    if (os_fstat(dir, &st) < 0)
        return os_fail_errno("stat of the directory");
    *ret_others = is_for_others(&st, listed);
    for (size_t i = 0; !*ret_others && i < sizeof names / sizeof *names; i++) {
        if (os_fstatat(dir, names[i], &st) == 0)
            *ret_others = S_ISLNK(st.st_mode) || is_for_others(&st, listed);
        else if (errno != ENOENT)
            return os_fail_errno("stat %s", names[i]);
    }
    return 0;
}
