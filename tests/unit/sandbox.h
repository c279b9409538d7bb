/* sandbox.h - what the tests of the lower layers and of bad weather stand on: a directory that is
 * new for each test, files in it, other processes on a string, short forms of set and get.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A failed assertion of cmocka jumps back into the runner, which a forked child has a copy of: so a
 * child says MUST() and never assert_...(). No test sleeps: processes wait for each other on pipes,
 * and nobody waits for more than WAIT_MS. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 30000

/* ---- the directory ---- */

static char sandbox[64];

/* A path in the sandbox; good for the next fifteen calls. */
__attribute__((format(printf, 1, 2))) static inline const char *in(const char *format, ...)
{
    static char paths[16][512];
    static unsigned next;
    char *path = paths[next++ % 16];
    int used = snprintf(path, sizeof paths[0], "%s/", sandbox);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(path + used, sizeof paths[0] - (size_t)used, format, args);
    va_end(args);
    return path;
}

static inline int sandbox_make(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* a child that died is found out by what it does not say */
    (void)snprintf(sandbox, sizeof sandbox, "/tmp/dcache-unit-XXXXXX");
    return mkdtemp(sandbox) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int sandbox_remove(void **state)
{
    (void)state;
    os_fault_at = 0;
    os_clock_offset = 0;
    remove_tree(sandbox);
    return 0;
}

/* One entry of a list of tests, with a sandbox of its own. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, sandbox_make, sandbox_remove)

/* ---- files ---- */

static inline int exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static inline int64_t size_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static inline int write_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t written = fd < 0 ? -1 : write(fd, data, size);

    if (fd >= 0)
        (void)close(fd);
    return written == (ssize_t)size ? 0 : -1;
}

/* Overwrite a part of a file. */
static inline int patch_file(const char *path, int64_t offset, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written = fd < 0 ? -1 : pwrite(fd, data, size, offset);

    if (fd >= 0)
        (void)close(fd);
    return written == (ssize_t)size ? 0 : -1;
}

/* Contents with a NUL after them; the caller frees. NULL when there is no such file. */
static inline char *read_file(const char *path, size_t *ret_size)
{
    int64_t size = size_of(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *memory = fd < 0 ? NULL : malloc((size_t)size + 1);

    if (memory && read(fd, memory, (size_t)size) != size) {
        free(memory);
        memory = NULL;
    }
    if (fd >= 0)
        (void)close(fd);
    if (!memory)
        return NULL;
    memory[size] = 0;
    if (ret_size)
        *ret_size = (size_t)size;
    return memory;
}

static inline void set_age(const char *path, int seconds)
{
    struct timespec now, times[2];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    times[0] = times[1] = (struct timespec){.tv_sec = now.tv_sec - seconds};
    (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

/* What is below a directory: names, kinds, sizes, times of change; one line each, sorted. Equal
 * texts mean that nothing was written. The caller frees. */
static inline void list_below(FILE *out, const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        char *full = NULL;
        struct stat st;

        if (asprintf(&full, "%s/%s", path, names[i]->d_name) < 0)
            abort();
        if (strcmp(names[i]->d_name, "..") != 0 && lstat(full, &st) == 0) {
            (void)fprintf(out, "%s %o %lld %lld.%09ld\n", full, st.st_mode, (long long)st.st_size,
                          (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
            if (S_ISDIR(st.st_mode) && strcmp(names[i]->d_name, ".") != 0)
                list_below(out, full);
        }
        free(full);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

/* Not inlined: GCC takes what open_memstream() leaves behind for an address of the frame. */
__attribute__((noinline, unused)) static char *listing(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    list_below(out, path);
    (void)fclose(out);
    return text;
}

/* How many files below a directory have a name that ends so. */
static inline int count_ending(const char *path, const char *ending)
{
    char *text = listing(path), *save, *line;
    int count = 0;

    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t length = strcspn(line, " "), wanted = strlen(ending);

        count += length >= wanted && strncmp(line + length - wanted, ending, wanted) == 0;
    }
    free(text);
    return count;
}

/* How many temporary files of writers are in a directory. */
static inline int count_temporary(const char *path)
{
    DIR *stream = opendir(path);
    struct dirent *entry;
    int count = 0;

    while (stream && (entry = readdir(stream)) != NULL)
        count += strncmp(entry->d_name, "cache.db-new-", 13) == 0;
    if (stream)
        (void)closedir(stream);
    return count;
}

/* A shell command in the sandbox; its exit status. */
static inline int shell(const char *command)
{
    char *text = NULL;
    int status = -1;

    if (asprintf(&text, "cd '%s' && { %s\n}", sandbox, command) >= 0)
        status = system(text);
    free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- other processes ---- */

struct child {
    pid_t pid;
    int to, from; /* pipes; in the child itself: to and from the parent */
};

#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            (void)fprintf(stderr, "%s:%d: child: not so: %s (%s)\n", __FILE__, __LINE__, \
                          #condition, dcache_last_error()->text);                        \
            _exit(1);                                                                    \
        }                                                                                \
    } while (0)

extern void __gcov_dump(void) __attribute__((weak)); /* what a child ran counts as covered too */

/* Run `job` in a child, whose exit status is what it returns. */
static inline struct child child_start(int (*job)(struct child *self))
{
    struct child child = {0};
    int down[2], up[2];

    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        int status;

        (void)close(down[1]);
        (void)close(up[0]);
        alarm(WAIT_MS / 1000 * 4); /* whatever becomes of the parent */
        child.to = up[1];
        child.from = down[0];
        status = job(&child);
        if (__gcov_dump)
            __gcov_dump();
        _exit(status);
    }
    (void)close(down[0]);
    (void)close(up[1]);
    child.to = down[1];
    child.from = up[0];
    return child;
}

static inline void child_say(const struct child *child, char word)
{
    (void)!write(child->to, &word, 1); /* to a dead one: its exit status tells */
}

/* The next word of the other side; 0 when it is gone or says nothing for too long. */
static inline char child_hear(const struct child *child)
{
    struct pollfd wait = {.fd = child->from, .events = POLLIN};
    char word;

    if (poll(&wait, 1, WAIT_MS) != 1 || read(child->from, &word, 1) != 1)
        return 0;
    return word;
}

/* Wait for its end: the exit status, or minus the signal. */
static inline int child_end(const struct child *child)
{
    int status = -1;

    (void)close(child->to); /* who waits for a word hears that none will come */
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)close(child->from);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int child_kill(const struct child *child)
{
    (void)kill(child->pid, SIGKILL);
    return child_end(child);
}

static inline int64_t now_ms(void)
{
    return os_monotonic() / OS_MS;
}

/* ---- a cache ---- */

static inline int open_with(const char *path, unsigned flags, double timeout, dcache **ret_cache)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);

    options.flags = flags;
    options.timeout = timeout;
    return dcache_open(path, &options, ret_cache);
}

static inline int open_setting(const char *path, const char *name, struct dcache_value value,
                               dcache **ret_cache)
{
    struct dcache_open_options options = DCACHE_OPTIONS(struct dcache_open_options);
    struct dcache_setting setting = {.name = name, .value = value};

    options.settings = &setting;
    options.settings_count = 1;
    return dcache_open(path, &options, ret_cache);
}

static inline int put(dcache *c, const char *key, const char *text)
{
    struct dcache_value k = dcache_text(key), v = dcache_text(text);

    return dcache_set(c, &k, &v, NULL);
}

/* `size` bytes of one letter: from 32768 on a file. */
static inline int put_bytes(dcache *c, const char *key, char letter, size_t size)
{
    struct dcache_value k = dcache_text(key), v;
    char *memory = malloc(size);
    int rc;

    memset(memory, letter, size);
    v = dcache_bytes(memory, size);
    rc = dcache_set(c, &k, &v, NULL);
    free(memory);
    return rc;
}

/* 1: the key has that value, 0: another or none, else a status. */
static inline int has(dcache *c, const char *key, const char *text)
{
    struct dcache_value k = dcache_text(key);
    struct dcache_entry e;
    int rc = dcache_get(c, &k, NULL, &e), same;

    same = rc == 0 && e.value.type == DCACHE_TEXT && e.value.size == strlen(text) &&
           memcmp(e.value.data, text, e.value.size) == 0;
    dcache_entry_clear(&e);
    return rc < 0 && rc != DCACHE_NOT_FOUND ? rc : same;
}

static inline int has_bytes(dcache *c, const char *key, char letter, size_t size)
{
    struct dcache_value k = dcache_text(key);
    struct dcache_entry e;
    int rc = dcache_get(c, &k, NULL, &e);
    int same = rc == 0 && e.value.type == DCACHE_BYTES && e.value.size == size;

    for (size_t i = 0; same && i < size; i++)
        same = ((const char *)e.value.data)[i] == letter;
    dcache_entry_clear(&e);
    return rc < 0 && rc != DCACHE_NOT_FOUND ? rc : same;
}

static inline int absent(dcache *c, const char *key)
{
    struct dcache_value k = dcache_text(key);

    return dcache_contains(c, &k) == DCACHE_NOT_FOUND;
}

static inline int64_t count_of(dcache *c)
{
    int64_t count = -1;

    return dcache_count(c, &count) == 0 ? count : -1;
}

/* For what is about SQLite: each write goes there at once. */
static inline void no_memtable(dcache *c)
{
    struct dcache_value zero = dcache_int(0);

    assert_int_equal(dcache_setting_set(c, "memtable_size", &zero), 0);
}

/* How many problems check() reports, those of kind UNKNOWN left out; negative: its status. */
static inline int problems(dcache *c, int fix)
{
    struct dcache_report report;
    int rc = dcache_check(c, fix, &report), found = 0;

    for (size_t i = 0; rc == 0 && i < report.count; i++)
        found += report.problems[i].kind != DCACHE_PROBLEM_UNKNOWN;
    dcache_report_clear(&report);
    return rc < 0 ? rc : found;
}

#endif
