/* directory.c - the directory of a cache, and what has to be in it before SQLite comes. See directory.h. */
#include "directory.h"

#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

int directory_make(const char *directory, unsigned mode)
{
    char *path = os_strdup(directory);
    int rc = path ? 0 : DCACHE_NOMEM;

    mode = mode ? mode : 0700;
    for (size_t n = rc == 0 ? strlen(path) : 0; n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0; /* the last directory is the one with `mode` */
    for (char *at = path; rc == 0 && at; at = strchr(at + 1, '/')) {
        char *slash = strchr(at + 1, '/');

        if (slash)
            *slash = 0;
        if (*path && os_mkdirat(AT_FDCWD, path, slash ? 0777 : mode) < 0 && errno != EEXIST &&
            errno != EROFS && errno != EACCES)
            rc = os_fail_io("make directory %s", path);
        if (!slash)
            break;
        *slash = '/';
        at = slash - 1;
        while (at[1] == '/' && at[2] == '/')
            at++;
    }
    free(path);
    return rc;
}

int directory_open(const char *directory, const struct dcache_open_options *o, int *ret_dir)
{
    unsigned flags = o->flags;
    int dir = os_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0), rc;

    if (dir < 0 && errno == ENOENT && !(flags & (DCACHE_NO_CREATE | DCACHE_READ_ONLY))) {
        rc = directory_make(directory, o->directory_mode);
        if (rc < 0)
            return rc;
        dir = os_openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0);
    }
    if (dir < 0)
        return os_fail_errno("open directory %s", directory);
    *ret_dir = dir;
    return 0;
}

/* SQLite would make the file by the umask. O_EXCL: opening one that is there, and closing it,
 * would drop the locks that SQLite holds on it in this process. */
int directory_make_database(int dir, const char *path, bool may_create, unsigned mode)
{
    struct stat st;
    int fd;

    if (os_fstatat(dir, DB_NAME, &st) == 0)
        return S_ISREG(st.st_mode)
                   ? 0
                   : os_fail(DCACHE_CORRUPT, "%s/%s is not a regular file", path, DB_NAME);
    if (errno != ENOENT)
        return os_fail_errno("stat %s", DB_NAME);
    if (!may_create)
        return os_fail(DCACHE_NOT_FOUND, "there is no cache in %s", path);
    fd = os_openat(dir, DB_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (fd < 0 && errno != EEXIST)
        return os_fail_errno("create %s", DB_NAME);
    os_close(fd); /* of a file that SQLite has not opened yet */
    return 0;
}

bool directory_is_at_rest(int dir, struct stat *ret_stat)
{
    struct stat log;

    return os_fstatat(dir, DB_NAME "-wal", &log) < 0 && errno == ENOENT &&
           os_fstatat(dir, DB_NAME "-journal", &log) < 0 && errno == ENOENT &&
           os_fstatat(dir, DB_NAME, ret_stat) == 0 && ret_stat->st_size > 0;
}

bool directory_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}
