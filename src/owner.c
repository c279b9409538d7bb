/* owner.c - a process that others can ask after. See owner.h. */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* There need not be a /proc, nor need it show everything to everybody. */
static bool is_hidden(int error)
{
    return error == ENOENT || error == EACCES || error == EPERM;
}

/* Read a file of /proc; empty where there is none. */
static int read_proc(const char *path, char *text, size_t room)
{
    int fd = os_openat(AT_FDCWD, path, O_RDONLY, 0);
    ssize_t got;

    text[0] = 0;
    if (fd < 0)
        return is_hidden(errno) ? 0 : os_fail_io("open %s", path);
    got = os_read(fd, text, room - 1);
    os_close(fd);
    if (got < 0 && errno != ESRCH) /* it has just ended */
        return os_fail_io("read %s", path);
    text[got > 0 ? got : 0] = 0;
    return 0;
}

/* When a process began, 0 if that is not to be known; and whether it has ended, but for being waited
 * for. (Of a process whose first thread has ended the rest may live on.) */
static int look_up(int64_t pid, uint64_t *ret_start, bool *ret_ended)
{
    char path[40], text[1024], *at, state = 0;
    long threads = 0;
    int rc;

    *ret_start = 0;
    *ret_ended = false;
    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid); /* fits */
    rc = read_proc(path, text, sizeof text);
    at = strrchr(text, ')'); /* the name before it may hold anything */
    if (rc == 0 && at &&
        sscanf(at + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d "
               "%" SCNu64,
               &state, &threads, ret_start) == 3)
        *ret_ended = (state == 'Z' || state == 'X') && threads <= 1;
    return rc;
}

static int boot_id(char boot[40])
{
    int rc = read_proc("/proc/sys/kernel/random/boot_id", boot, 40);

    boot[strcspn(boot, " \n")] = 0;
    if (rc == 0 && !boot[0])
        memcpy(boot, "-", 2);
    return rc;
}

static int pid_namespace(uint64_t *ret_inode)
{
    static const char path[] = "/proc/self/ns/pid";
    int fd = os_openat(AT_FDCWD, path, O_RDONLY, 0), rc = 0;
    struct stat st;

    *ret_inode = 0;
    if (fd < 0)
        return is_hidden(errno) ? 0 : os_fail_io("open %s", path);
    if (os_fstat(fd, &st) < 0)
        rc = os_fail_io("stat %s", path);
    else
        *ret_inode = st.st_ino;
    os_close(fd);
    return rc;
}

int owner_self(struct owner *ret_owner)
{
    struct owner owner = {.pid = getpid()};
    bool ended;
    int rc = boot_id(owner.boot);

    if (rc == 0)
        rc = look_up(owner.pid, &owner.start, &ended);
    if (rc == 0)
        rc = pid_namespace(&owner.pids);
    if (rc == 0)
        *ret_owner = owner;
    return rc;
}

void owner_format(const struct owner *owner, char text[OWNER_TEXT])
{
    (void)snprintf(text, OWNER_TEXT, "%" PRId64 "-%" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
                   owner->pid, owner->mark, owner->start, owner->pids, owner->boot); /* fits */
}

bool owner_parse(const struct dcache_value *value, struct owner *ret_owner)
{
    char text[OWNER_TEXT];
    int end = 0;

    if (value->type != DCACHE_TEXT || value->size >= sizeof text)
        return false;
    memcpy(text, value->data, value->size);
    text[value->size] = 0;
    return sscanf(text, "%" SCNd64 "-%" SCNu64 " %" SCNu64 " %" SCNu64 " %39s%n", &ret_owner->pid,
                  &ret_owner->mark, &ret_owner->start, &ret_owner->pids, ret_owner->boot,
                  &end) == 5 &&
           (size_t)end == value->size;
}

bool owner_equals(const struct owner *a, const struct owner *b)
{
    return a->pid == b->pid && a->mark == b->mark && a->start == b->start && a->pids == b->pids &&
           strcmp(a->boot, b->boot) == 0;
}

int owner_lives(const struct owner *owner, const struct owner *self, bool local)
{
    uint64_t start;
    bool ended;

    if (owner->boot[0] == '-' || owner->pids == 0 || owner->pid <= 0 || owner->pid > INT32_MAX ||
        self->boot[0] == '-')
        return -1;
    if (strcmp(owner->boot, self->boot) != 0)
        return local ? 0 : -1; /* it has ended with the boot that it began in */
    if (owner->pids != self->pids)
        return -1;
    if (os_process_is_gone(owner->pid))
        return 0;
    if (look_up(owner->pid, &start, &ended) < 0 || start == 0 || owner->start == 0)
        return -1; /* hidden from us, or just gone: then kill() says so the next time */
    return start == owner->start && !ended;
}
