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

/* A number and what ends it, which is stepped over. */
static bool take_number(const char **at, char end, uint64_t *ret)
{
    char *after;

    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *ret = strtoull(*at, &after, 10);
    if (errno != 0 || *after != end)
        return false;
    *at = after + 1;
    return true;
}

/* The n-th word from here on, or NULL. */
static const char *nth_word(const char *at, int n)
{
    while (at && n-- > 1) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    return at;
}

/* When a process began, 0 if that is not to be known; and whether it has ended, but for being waited
 * for. (Of a process whose first thread has ended the rest may live on.) proc(5): the state is the
 * third word, the number of threads the twentieth, the beginning the twenty-second. */
static int look_up(int64_t pid, uint64_t *ret_start, bool *ret_ended)
{
    const char *state, *threads, *start;
    char path[40], text[1024];
    uint64_t count;
    int rc;

    *ret_start = 0;
    *ret_ended = false;
    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid); /* fits */
    rc = read_proc(path, text, sizeof text);
    state = strrchr(text, ')'); /* the name before it may hold anything */
    state = state ? nth_word(state, 2) : NULL;
    threads = nth_word(state, 18);
    start = nth_word(threads, 3);
    if (rc == 0 && start && take_number(&threads, ' ', &count) &&
        take_number(&start, ' ', ret_start))
        *ret_ended = (*state == 'Z' || *state == 'X') && count <= 1;
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
    const char *at = text;
    uint64_t pid;

    if (value->type != DCACHE_TEXT || value->size >= sizeof text)
        return false;
    memcpy(text, value->data, value->size);
    text[value->size] = 0;
    if (!take_number(&at, '-', &pid) || pid > INT32_MAX ||
        !take_number(&at, ' ', &ret_owner->mark) || !take_number(&at, ' ', &ret_owner->start) ||
        !take_number(&at, ' ', &ret_owner->pids) || !*at || strlen(at) >= sizeof ret_owner->boot ||
        strlen(text) != value->size)
        return false;
    ret_owner->pid = (int64_t)pid;
    memcpy(ret_owner->boot, at, strlen(at) + 1);
    return true;
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
