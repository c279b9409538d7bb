/* directory.c - making and opening the directory of a cache. See directory.h. */
#include "directory.h"

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
